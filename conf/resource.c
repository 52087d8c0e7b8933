/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/resource.h"

#include <stdio.h>

#include "conf/base/mem.h"
#include "conf/consumer.h"
#include "conf/plan.h"
#include "conf/print_json.h"
#include "conf/read_json.h"
#include "conf/route.h"
#include "conf/schema.h"
#include "conf/upstream.h"

#define ALIGNMENT       16
#define SCRATCH_SIZE    8192
#define SET_SIZE_MAX    ((size_t)64 << 20)
#define NAME_LENGTH_MAX 63

static const struct {
    const char *plural;
    const char *singular;
    const struct schema *schema;
} kinds[RESOURCE_KINDS] = {
    [RESOURCE_UPSTREAM] = { "upstreams", "upstream", &upstream_schema },
    [RESOURCE_ROUTE] = { "routes", "route", &route_schema },
    [RESOURCE_PLAN] = { "plans", "plan", &plan_schema },
    [RESOURCE_CONSUMER] = { "consumers", "consumer", &consumer_schema },
};

const char *resource_kind_name(enum resource_kind kind)
{
    MUST((size_t)kind < RESOURCE_KINDS);
    return kinds[kind].plural;
}

const char *resource_kind_singular(enum resource_kind kind)
{
    MUST((size_t)kind < RESOURCE_KINDS);
    return kinds[kind].singular;
}

const struct schema *resource_kind_schema(enum resource_kind kind)
{
    MUST((size_t)kind < RESOURCE_KINDS);
    return kinds[kind].schema;
}

bool resource_kind_parse(struct text plural, enum resource_kind *kind_out)
{
    for (size_t i = 0; i < RESOURCE_KINDS; i++) {
        if (!text_equals(plural, text_of(kinds[i].plural)))
            continue;
        *kind_out = (enum resource_kind)i;
        return true;
    }
    return false;
}

bool resource_is_name(struct text name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.at[i];
        bool is_inner = c == '.' || c == '_' || c == '-';

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !(is_inner && i > 0))
            return false;
    }
    return name.length > 0 && name.length <= NAME_LENGTH_MAX;
}

/* ---- making one ---- */

/* What one is made of; its texts live in the caller's frame. */
struct making {
    enum resource_kind kind;
    const struct doc *doc;
    struct text name; /* for the place of problems; may be empty */
    struct place root;
    char path[128];
    const struct checks *checks;
};

static size_t object_size(enum resource_kind kind)
{
    return (kinds[kind].schema->size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* "routes.NAME", or "routes[3]" when there is no name but a pointer "/routes/3", or "routes". */
static void print_path(struct making *m, const char *pointer)
{
    const char *index = strrchr(pointer, '/');

    if (m->name.length > 0)
        (void)snprintf(m->path, sizeof(m->path), "%s.%.*s", kinds[m->kind].plural,
                       TEXT_ARGS(text_first(m->name, NAME_LENGTH_MAX)));
    else if (index != NULL)
        (void)snprintf(m->path, sizeof(m->path), "%s[%.20s]", kinds[m->kind].plural, index + 1);
    else
        (void)snprintf(m->path, sizeof(m->path), "%s", kinds[m->kind].plural);
}

static void start_making(struct making *m, const struct resource_source *source)
{
    const char *pointer = source != NULL && source->pointer != NULL ? source->pointer : "";
    struct text name = doc_find_text(m->doc, TEXT_OF("name"));

    if (name.length == 0 && source != NULL)
        name = source->name;
    m->name = name;
    print_path(m, pointer);
    m->root = (struct place){
        .file = m->doc->file,
        .line = m->doc->line,
        .pointer = pointer,
        .path = m->path,
    };
}

/* Binds once to see whether it is good and how much memory it takes. */
static bool measure(const struct making *m, struct problems *ps, size_t *size_out)
{
    char lent[SCRATCH_SIZE];
    struct arena arena;
    bool is_good;

    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent, sizeof(lent));
    is_good = schema_bind(kinds[m->kind].schema, m->doc, &m->root, m->checks, &arena, ps,
                          arena_alloc(&arena, object_size(m->kind)));
    *size_out = arena.allocated;
    arena_reset(&arena);
    return is_good;
}

/* Prints what was set, canonically. False when it is too long. */
static bool print_set(const struct making *m, struct problems *ps, struct builder *b)
{
    char lent[SCRATCH_SIZE];
    struct arena arena;
    struct doc canonical;

    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent, sizeof(lent));
    canonical = schema_canonical(kinds[m->kind].schema, m->doc, &arena);
    print_json(&canonical, b);
    arena_reset(&arena);
    if (!builder_is_full(b))
        return true;
    problems_add(ps, m->root, "The %s is longer than %zu bytes of JSON.", kinds[m->kind].singular,
                 SET_SIZE_MAX);
    return false;
}

/* Binds again, into one allocation of just the right size: patterns were compiled already. */
static struct resource *assemble(const struct making *m, struct text set, size_t size)
{
    const size_t head = (sizeof(struct resource) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    const struct checks checks = { .lenient = m->checks != NULL && m->checks->lenient };
    char *block = mem_resize(NULL, head + size + set.length + 1);
    struct resource *r = (struct resource *)(void *)block;
    struct problems none;
    struct arena arena;
    void *object;

    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, block + head, size);
    object = arena_alloc(&arena, object_size(m->kind));
    problems_init(&none);
    MUST(schema_bind(kinds[m->kind].schema, m->doc, &m->root, &checks, &arena, &none, object));
    MUST(arena.chunks == NULL);
    memcpy(block + head + size, set.at, set.length);
    block[head + size + set.length] = '\0';
    *r = (struct resource){ .kind = m->kind, .set = { block + head + size, set.length } };
    atomic_init(&r->count, 1);
    r->object = object;
    memcpy(&r->name, object, sizeof(r->name)); /* `name` is the first member of each */
    return r;
}

_Static_assert(offsetof(struct upstream, name) == 0, "name comes first");
_Static_assert(offsetof(struct route, name) == 0, "name comes first");
_Static_assert(offsetof(struct plan, name) == 0, "name comes first");
_Static_assert(offsetof(struct consumer, name) == 0, "name comes first");

static struct resource *make(const struct making *m, struct problems *ps)
{
    struct resource *r = NULL;
    struct builder set;
    size_t size;

    if (!measure(m, ps, &size))
        return NULL;
    builder_init(&set, SET_SIZE_MAX);
    if (print_set(m, ps, &set))
        r = assemble(m, builder_text(&set), size);
    builder_fini(&set);
    return r;
}

static bool has_other_name(const struct making *m, const struct resource_source *source)
{
    return source != NULL && source->name.length > 0 && !text_equals(m->name, source->name);
}

/* The document with the name from its address. */
static struct doc add_name(const struct doc *doc, struct text name, struct arena *arena)
{
    struct doc named = doc_object();

    named.file = doc->file;
    named.line = doc->line;
    doc_add(&named, arena, TEXT_OF("name"), doc_text(name));
    for (size_t i = 0; i < doc->object.count; i++) {
        if (!text_equals(doc->object.members[i].name, TEXT_OF("name")))
            doc_add(&named, arena, doc->object.members[i].name, doc->object.members[i].value);
    }
    return named;
}

static bool lacks_name(const struct doc *doc, const struct resource_source *source)
{
    const struct doc *name = doc_find(doc, TEXT_OF("name"));

    return source != NULL && source->name.length > 0 && doc->type == DOC_OBJECT &&
           (name == NULL || name->type == DOC_NULL);
}

struct resource *resource_new(enum resource_kind kind, const struct doc *doc,
                              const struct resource_source *source, const struct checks *checks,
                              struct problems *ps)
{
    struct making m = { .kind = kind, .doc = doc, .checks = checks };
    struct resource *r = NULL;
    struct arena arena;
    struct doc named;

    MUST((size_t)kind < RESOURCE_KINDS);
    arena_init(&arena, SIZE_MAX);
    if (lacks_name(doc, source)) {
        named = add_name(doc, source->name, &arena);
        m.doc = &named;
    }
    start_making(&m, source);
    if (has_other_name(&m, source))
        problems_add(ps, m.root,
                     "The name in the document must be %.*s, as in the address, or be "
                     "left out.",
                     TEXT_ARGS(source->name));
    else
        r = make(&m, ps);
    arena_reset(&arena);
    return r;
}

struct resource *resource_parse(enum resource_kind kind, struct text json,
                                const struct checks *checks, struct problems *ps)
{
    char lent[SCRATCH_SIZE];
    struct resource *r = NULL;
    struct arena arena;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent, sizeof(lent));
    if (read_json(json, &arena, ps, &doc))
        r = resource_new(kind, &doc, NULL, checks, ps);
    arena_reset(&arena);
    return r;
}

/* ---- having one ---- */

struct resource *resource_ref(struct resource *r)
{
    unsigned before = atomic_fetch_add_explicit(&r->count, 1, memory_order_relaxed);

    MUST(before > 0);
    return r;
}

void resource_unref(struct resource **r)
{
    struct resource *gone = *r;

    *r = NULL;
    if (gone == NULL)
        return;
    if (atomic_fetch_sub_explicit(&gone->count, 1, memory_order_acq_rel) == 1)
        MEM_FREE(&gone);
}

void resource_stamp(struct resource *r, uint64_t revision, uint64_t tag)
{
    r->revision = revision;
    r->tag = tag;
}

bool resource_equals(const struct resource *a, const struct resource *b)
{
    return a->kind == b->kind && text_equals(a->set, b->set);
}

struct doc resource_doc(const struct resource *r, struct arena *arena)
{
    struct problems none;
    struct doc doc;

    problems_init(&none);
    MUST(read_json(r->set, arena, &none, &doc));
    return doc;
}

struct doc resource_full_doc(const struct resource *r, struct arena *arena)
{
    struct doc doc = resource_doc(r, arena);

    return schema_full(kinds[r->kind].schema, &doc, arena);
}

void resource_print(const struct resource *r, struct builder *b)
{
    char lent[SCRATCH_SIZE];
    struct arena arena;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    arena_lend(&arena, lent, sizeof(lent));
    doc = resource_full_doc(r, &arena);
    print_json(&doc, b);
    arena_reset(&arena);
}

void resource_references(const struct resource *r, resource_reference_fn *visit, void *arg)
{
    char pointer[RESOURCE_POINTER_SIZE];

    if (r->kind == RESOURCE_CONSUMER && r->consumer->plan.length > 0)
        visit(arg, RESOURCE_PLAN, r->consumer->plan, "/plan");
    if (r->kind != RESOURCE_ROUTE)
        return;
    if (r->route->upstream.length > 0)
        visit(arg, RESOURCE_UPSTREAM, r->route->upstream, "/upstream");
    for (size_t i = 0; i < r->route->split.count; i++) {
        (void)snprintf(pointer, sizeof(pointer), "/split/%zu/upstream", i);
        visit(arg, RESOURCE_UPSTREAM, r->route->split.items[i].upstream, pointer);
    }
}
