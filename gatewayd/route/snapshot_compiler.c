/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_compiler.c - from resources to a snapshot, in slices, using again whatever piece did not
 * change.
 *
 *   upstreams → names (waits) → fleets → routes → router → done
 *
 * Routes of the new resources and of the last snapshot are both in the order of names, so one walk
 * along both finds what is new. When no route changed, the router is used again as it is; when one
 * did, its index is built anew (a few hundred nanoseconds a route), because patching a shared one
 * would cost every request a lock or a copy.
 */
#include "gatewayd/route/snapshot_private.h"

#include "conf/base/mem.h"

#define NAMES_WAIT_MS 2000
#define BATCH         16 /* between two looks at the clock */

int64_t snapshot_now(const struct snapshot_compiler *c)
{
    return (int64_t)(c->settings.loop == NULL ? clock_read_ms() : loop_now_ms(c->settings.loop));
}

int64_t snapshot_wall(const struct snapshot_compiler *c)
{
    return c->settings.loop == NULL ? clock_read_wall_ms()
                                    : clock_wall_ms(&c->settings.loop->clock);
}

static void wake(struct snapshot_compiler *c)
{
    if (c->settings.hooks.on_ready != NULL)
        c->settings.hooks.on_ready(c->settings.hooks.arg);
}

static void on_names_changed(void *arg)
{
    struct snapshot_compiler *c = arg;

    c->names_changed = true;
    wake(c);
}

static void on_names_deadline(void *arg)
{
    wake(arg);
}

/* ---- freeing ---- */

static void unref_route(struct snapshot_compiler *c, struct route_piece **piece)
{
    const struct snapshot_hooks *hooks = &c->settings.hooks;

    if (*piece != NULL && (*piece)->count == 1 && (*piece)->policy != NULL &&
        hooks->free_policy != NULL)
        hooks->free_policy(hooks->arg, (*piece)->policy);
    route_piece_unref(piece);
}

static void end_snapshot(struct snapshot *s)
{
    router_unref(&s->router);
    for (size_t i = 0; i < s->fleet_slots; i++)
        fleet_unref(&s->fleets[i]);
    resources_unref(&s->resources);
    MEM_FREE(&s->fleets);
    MEM_FREE(&s->routes);
    MEM_FREE(&s);
}

/* Some routes of the first dead snapshot; true if there is more to do. */
static bool bury_some(void *arg)
{
    struct snapshot_compiler *c = arg;
    struct snapshot *s = c->dead;

    if (s == NULL)
        return false;
    for (unsigned i = 0; i < BATCH && c->dead_next < s->route_count; i++)
        unref_route(c, &s->routes[c->dead_next++]);
    if (c->dead_next < s->route_count)
        return true;
    c->dead = s->release_arg;
    c->dead_next = 0;
    end_snapshot(s);
    if (c->dead == NULL)
        target_table_sweep(&c->targets);
    return c->dead != NULL;
}

void snapshot_free(struct snapshot_compiler *c, struct snapshot **s)
{
    struct snapshot *snapshot = *s;
    struct snapshot **end = &c->dead;

    *s = NULL;
    MUST(atomic_load(&snapshot->count) == 0);
    /* Behind the one that is being buried. */
    while (*end != NULL)
        end = (struct snapshot **)(void *)&(*end)->release_arg;
    snapshot->release_arg = NULL;
    *end = snapshot;
    if (c->settings.loop != NULL) {
        loop_slice_start(&c->undertaker);
        return;
    }
    while (bury_some(c))
        continue;
}

/* ---- life ---- */

struct snapshot_compiler *snapshot_compiler_new(const struct snapshot_settings *settings)
{
    struct snapshot_compiler *c = mem_new(sizeof(*c));

    MUST(settings->workers > 0);
    c->settings = *settings;
    target_table_init(&c->targets);
    map_init(&c->upstreams);
    builder_init(&c->reason, 4096);
    c->names = names_new(settings->loop, settings->resolve, on_names_changed, c);
    loop_timer_init(&c->timer, settings->loop, on_names_deadline, c);
    loop_slice_init(&c->undertaker, settings->loop, bury_some, c);
    return c;
}

static void drop_job(struct snapshot_compiler *c)
{
    if (c->phase == SNAPSHOT_PHASE_IDLE)
        return;
    if (c->settings.loop != NULL)
        loop_timer_stop(&c->timer);
    router_builder_free(&c->router);
    if (c->result != NULL) {
        atomic_store(&c->result->count, 0);
        snapshot_free(c, &c->result);
    }
    resources_unref(&c->resources);
    MEM_FREE(&c->waiting);
    c->waiting_count = 0;
    c->phase = SNAPSHOT_PHASE_IDLE;
}

void snapshot_compiler_free(struct snapshot_compiler **c)
{
    struct snapshot_compiler *compiler = *c;

    if (compiler == NULL)
        return;
    drop_job(compiler);
    if (compiler->last != NULL) {
        MUST(atomic_fetch_sub(&compiler->last->count, 1) == 1);
        snapshot_free(compiler, &compiler->last);
    }
    if (compiler->settings.loop != NULL)
        loop_slice_stop(&compiler->undertaker);
    while (bury_some(compiler))
        continue;
    snapshot_upstream_sweep(compiler, true);
    target_table_sweep(&compiler->targets);
    target_table_fini(&compiler->targets);
    map_fini(&compiler->upstreams);
    names_free(&compiler->names);
    builder_fini(&compiler->reason);
    MEM_FREE(&compiler->slots);
    MEM_FREE(c);
}

/* ---- phases ---- */

static void start_job(struct snapshot_compiler *c, struct resources *resources)
{
    struct snapshot *result = mem_new(sizeof(*result));

    drop_job(c);
    builder_clear(&c->reason);
    c->job++;
    c->is_for_names = false;
    c->names_deadline = snapshot_now(c) + NAMES_WAIT_MS;
    c->resources = resources_ref(resources);
    atomic_init(&result->count, 1);
    result->resources = resources_ref(resources);
    result->release = c->settings.hooks.release;
    result->release_arg = c->settings.hooks.arg;
    c->result = result;
    c->waiting = mem_new_array(resources_count(resources, RESOURCE_UPSTREAM) + 1,
                               sizeof(struct snapshot_upstream *));
    resources_cursor_init(&c->cursor, resources, RESOURCE_UPSTREAM);
    c->phase = SNAPSHOT_PHASE_UPSTREAMS;
}

void snapshot_compiler_begin(struct snapshot_compiler *c, struct resources *resources)
{
    start_job(c, resources);
}

static bool is_out_of_time(const struct snapshot_compiler *c)
{
    return clock_read_ns() >= c->deadline_ns;
}

/* Each phase function does one small piece of work; true when the phase is over. */
static bool do_upstream(struct snapshot_compiler *c)
{
    struct resource *resource = resources_next(&c->cursor);

    if (resource == NULL) {
        c->next = 0;
        return true;
    }
    c->waiting[c->waiting_count++] = snapshot_upstream_take(c, resource);
    return false;
}

static bool do_names(struct snapshot_compiler *c)
{
    if (snapshot_now(c) >= c->names_deadline)
        c->next = c->waiting_count;
    while (c->next < c->waiting_count && snapshot_upstream_is_answered(c->waiting[c->next]))
        c->next++;
    return c->next == c->waiting_count;
}

static void begin_fleets(struct snapshot_compiler *c)
{
    c->result->fleet_slots = c->slot_count;
    c->result->fleets = mem_new_array(c->slot_count + 1, sizeof(struct fleet *));
    c->next = 0;
    c->names_changed = false; /* what changed until now is seen by this job */
}

/* True when all are there, or one cannot be made (there is a reason then). */
static bool do_fleet(struct snapshot_compiler *c)
{
    struct snapshot_upstream *u;

    if (c->next == c->waiting_count)
        return true;
    u = c->waiting[c->next++];
    if (!snapshot_upstream_compile(c, u))
        return true;
    c->result->fleets[u->slot] = fleet_ref(u->fleet);
    return false;
}

static void begin_routes(struct snapshot_compiler *c)
{
    size_t count = resources_count(c->resources, RESOURCE_ROUTE);

    c->result->routes = mem_new_array(count + 1, sizeof(struct route_piece *));
    resources_cursor_init(&c->cursor, c->resources, RESOURCE_ROUTE);
    c->next = 0;
    c->has_changed = false;
}

/* The last snapshot's piece of this resource, or NULL. Moves along. */
static struct route_piece *find_last(struct snapshot_compiler *c, const struct resource *resource)
{
    const struct snapshot *last = c->last;

    for (; last != NULL && c->next < last->route_count; c->next++) {
        struct route_piece *piece = last->routes[c->next];
        int order =
            piece->resource == resource ? 0 : text_compare(piece->resource->name, resource->name);

        if (order > 0)
            return NULL;
        if (order < 0) {
            c->has_changed = true;
            continue;
        }
        c->next++;
        return resource_equals(piece->resource, resource) ? piece : NULL;
    }
    return NULL;
}

static struct route_piece *compile_route(struct snapshot_compiler *c, struct resource *resource)
{
    const struct snapshot_hooks *hooks = &c->settings.hooks;
    struct route_piece *piece = route_piece_new(resource, &c->reason);

    if (piece == NULL)
        return NULL;
    for (unsigned i = 0; i < piece->backend_count; i++) {
        struct snapshot_upstream *u = map_find(&c->upstreams, piece->backends[i].upstream);

        MUST(u != NULL && u->job == c->job); /* resources are cross-checked */
        piece->backends[i].slot = u->slot;
    }
    if (hooks->compile_policy != NULL &&
        !hooks->compile_policy(hooks->arg, piece->route, &piece->policy, &c->reason))
        route_piece_unref(&piece);
    return piece;
}

static bool do_route(struct snapshot_compiler *c)
{
    struct resource *resource = resources_next(&c->cursor);
    struct route_piece *piece;

    if (resource == NULL) {
        if (c->last == NULL || c->next < c->last->route_count)
            c->has_changed = true;
        return true;
    }
    piece = find_last(c, resource);
    if (piece != NULL) {
        c->result->routes[c->result->route_count++] = route_piece_ref(piece);
        return false;
    }
    c->has_changed = true;
    piece = compile_route(c, resource);
    if (piece == NULL)
        return true;
    c->result->routes[c->result->route_count++] = piece;
    return false;
}

static void begin_router(struct snapshot_compiler *c)
{
    if (!c->has_changed)
        c->result->router = router_ref(c->last->router);
    else
        c->router = router_builder_new(c->result->routes, c->result->route_count);
}

static bool do_router(struct snapshot_compiler *c)
{
    if (c->router == NULL)
        return true;
    if (!router_builder_step(c->router, BATCH))
        return false;
    c->result->router = router_builder_take(&c->router);
    return true;
}

/* Did a name change back, or fail, so that there is nothing new in this job? */
static bool is_in_vain(const struct snapshot_compiler *c)
{
    const struct snapshot *result = c->result;

    if (!c->is_for_names || result->fleet_slots != c->last->fleet_slots)
        return false;
    return memcmp(result->fleets, c->last->fleets, result->fleet_slots * sizeof(struct fleet *)) ==
           0;
}

/* ---- the steps ---- */

static void enter(struct snapshot_compiler *c, enum snapshot_phase phase)
{
    MUST(phase == c->phase + 1);
    c->phase = phase;
    if (phase == SNAPSHOT_PHASE_FLEETS)
        begin_fleets(c);
    if (phase == SNAPSHOT_PHASE_ROUTES)
        begin_routes(c);
    if (phase == SNAPSHOT_PHASE_ROUTER)
        begin_router(c);
}

static bool (*const phase_fns[])(struct snapshot_compiler *) = {
    [SNAPSHOT_PHASE_UPSTREAMS] = do_upstream, [SNAPSHOT_PHASE_NAMES] = do_names,
    [SNAPSHOT_PHASE_FLEETS] = do_fleet,       [SNAPSHOT_PHASE_ROUTES] = do_route,
    [SNAPSHOT_PHASE_ROUTER] = do_router,
};

static enum snapshot_step fail(struct snapshot_compiler *c)
{
    drop_job(c);
    return SNAPSHOT_FAILED;
}

static enum snapshot_step wait_for_names(struct snapshot_compiler *c)
{
    if (c->settings.loop != NULL)
        loop_timer_start(&c->timer, (uint64_t)(c->names_deadline - snapshot_now(c)));
    return SNAPSHOT_WAIT;
}

static enum snapshot_step step(struct snapshot_compiler *c)
{
    while (c->phase != SNAPSHOT_PHASE_DONE) {
        bool is_over = false;

        for (unsigned i = 0; i < BATCH && !is_over; i++)
            is_over = phase_fns[c->phase](c);
        if (is_over) {
            if (builder_text(&c->reason).length > 0)
                return fail(c);
            if (c->phase == SNAPSHOT_PHASE_FLEETS && is_in_vain(c)) {
                drop_job(c);
                return SNAPSHOT_IDLE;
            }
            enter(c, c->phase + 1);
        } else if (c->phase == SNAPSHOT_PHASE_NAMES) {
            return wait_for_names(c);
        }
        if (is_out_of_time(c))
            return c->phase == SNAPSHOT_PHASE_DONE ? SNAPSHOT_READY : SNAPSHOT_MORE;
    }
    return SNAPSHOT_READY;
}

enum snapshot_step snapshot_compiler_step(struct snapshot_compiler *c, int64_t budget_us)
{
    c->deadline_ns = clock_read_ns() + (uint64_t)budget_us * 1000;
    if (c->phase == SNAPSHOT_PHASE_IDLE && c->names_changed && c->last != NULL) {
        start_job(c, c->last->resources);
        c->is_for_names = true;
    }
    if (c->phase == SNAPSHOT_PHASE_IDLE)
        return SNAPSHOT_IDLE;
    return step(c);
}

struct snapshot *snapshot_compiler_take(struct snapshot_compiler *c)
{
    struct snapshot *result = c->result;

    MUST(c->phase == SNAPSHOT_PHASE_DONE);
    c->result = NULL;
    drop_job(c);
    snapshot_upstream_sweep(c, false);
    snapshot_unref(&c->last);
    c->last = snapshot_ref(result);
    return result;
}

const struct names *snapshot_compiler_names(const struct snapshot_compiler *c)
{
    return c->names;
}

struct text snapshot_compiler_reason(const struct snapshot_compiler *c)
{
    return builder_text(&c->reason);
}

void snapshot_compiler_reread_files(struct snapshot_compiler *c)
{
    c->files_version++;
}

struct target_table *snapshot_compiler_targets(struct snapshot_compiler *c)
{
    return &c->targets;
}
