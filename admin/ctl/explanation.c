/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/explanation.h"

#include "admin/ctl/outline.h"
#include "admin/ctl/table.h"

struct printing {
    const struct doc *doc;
    struct paint paint;
    struct builder *b;
};

static const struct doc *find_object(const struct doc *doc, const char *name)
{
    const struct doc *object = doc_find(doc, text_of(name));

    return object != NULL && object->type == DOC_OBJECT ? object : NULL;
}

static const struct doc *find_items(const struct doc *doc, const char *name)
{
    const struct doc *list = doc_find(doc, text_of(name));

    return list != NULL && list->type == DOC_LIST && list->list.count > 0 ? list : NULL;
}

static struct text find_text(const struct printing *p, const char *name)
{
    return doc_find_text(p->doc, text_of(name));
}

static int64_t find_number(const struct doc *doc, const char *name)
{
    const struct doc *number = doc_find(doc, text_of(name));

    return number != NULL && number->type == DOC_INT ? number->integer : 0;
}

static void begin_line(const struct printing *p, const char *title)
{
    builder_addf(p->b, "  %-9s ", title);
}

static void end_line(const struct printing *p)
{
    builder_add_byte(p->b, '\n');
}

/* "GET api.example.com/orders/17?x=1" */
static void print_request(const struct printing *p)
{
    const struct doc *request = find_object(p->doc, "request");
    struct text query = doc_find_text(request, TEXT_OF("query"));

    if (request == NULL)
        return;
    outline_print_text(doc_find_text(request, TEXT_OF("method")), p->b);
    builder_add_byte(p->b, ' ');
    outline_print_text(doc_find_text(request, TEXT_OF("host")), p->b);
    outline_print_text(doc_find_text(request, TEXT_OF("path")), p->b);
    if (query.at != NULL)
        builder_add_byte(p->b, '?');
    outline_print_text(query, p->b);
    end_line(p);
}

static void print_split(const struct printing *p, const struct doc *split)
{
    for (size_t i = 0; i < split->list.count; i++) {
        const struct doc *item = &split->list.items[i];

        builder_add(p->b, i > 0 ? TEXT_OF(", ") : TEXT_OF("upstreams "));
        outline_print_text(doc_find_text(item, TEXT_OF("upstream")), p->b);
        builder_addf(p->b, " (%lld)", (long long)find_number(item, "weight"));
    }
}

static void print_goal(const struct printing *p)
{
    const struct doc *split = find_items(p->doc, "split");
    const struct doc *respond = find_object(p->doc, "respond");
    const struct doc *redirect = find_object(p->doc, "redirect");
    struct text upstream = find_text(p, "upstream");

    begin_line(p, "sent to");
    if (upstream.length > 0) {
        builder_add(p->b, TEXT_OF("upstream "));
        outline_print_text(upstream, p->b);
    } else if (split != NULL)
        print_split(p, split);
    else if (redirect != NULL) {
        builder_addf(p->b, "%lld ", (long long)find_number(redirect, "status"));
        outline_print_text(doc_find_text(redirect, TEXT_OF("location")), p->b);
    } else if (respond != NULL)
        builder_addf(p->b, "nobody: the gateway answers %lld",
                     (long long)find_number(respond, "status"));
    end_line(p);
}

static void print_listed(const struct printing *p, const struct doc *auth, const char *name,
                         const char *title)
{
    const struct doc *list = find_items(auth, name);

    if (list == NULL)
        return;
    builder_addf(p->b, "%s", title);
    outline_print_value(list, p->b);
}

static void print_auth(const struct printing *p)
{
    const struct doc *auth = find_object(p->doc, "auth");
    const struct doc *optional = doc_find(auth, TEXT_OF("optional"));

    begin_line(p, "asks for");
    if (auth == NULL)
        builder_add(p->b, TEXT_OF("nothing: it is open"));
    print_listed(p, auth, "methods", "a ");
    if (optional != NULL && optional->type == DOC_BOOL && optional->boolean)
        builder_add(p->b, TEXT_OF(" (may be absent)"));
    print_listed(p, auth, "groups", "; one of the groups ");
    print_listed(p, auth, "scopes", "; all of the scopes ");
    end_line(p);
}

static void print_limit(const struct printing *p, const struct doc *limit)
{
    begin_line(p, "limited");
    outline_print_text(doc_find_text(limit, TEXT_OF("name")), p->b);
    if (doc_find(limit, TEXT_OF("quota")) != NULL)
        builder_addf(p->b, ": %lld a %.*s", (long long)find_number(limit, "quota"),
                     TEXT_ARGS(doc_find_text(limit, TEXT_OF("period"))));
    else
        builder_addf(p->b, ": %lld in %.*s, %lld at once", (long long)find_number(limit, "rate"),
                     TEXT_ARGS(doc_find_text(limit, TEXT_OF("per"))),
                     (long long)find_number(limit, "burst"));
    builder_add(p->b, TEXT_OF(", counted for "));
    outline_print_text(doc_find_text(limit, TEXT_OF("counted_for")), p->b);
    end_line(p);
}

static void print_limits(const struct printing *p)
{
    const struct doc *limits = find_items(p->doc, "limits");
    const struct doc *plan = doc_find(p->doc, TEXT_OF("plan_limits"));

    for (size_t i = 0; limits != NULL && i < limits->list.count; i++)
        print_limit(p, &limits->list.items[i]);
    if (plan == NULL || plan->type != DOC_BOOL || !plan->boolean)
        return;
    begin_line(p, "limited");
    builder_add(p->b, TEXT_OF("by the limits of the consumer's plan"));
    end_line(p);
}

static void print_winner(const struct printing *p)
{
    struct text because = find_text(p, "because");

    builder_add(p->b, TEXT_OF("is taken by the route "));
    paint_add(p->paint, PAINT_GREEN, find_text(p, "route"), p->b);
    if (because.length > 0)
        builder_add(p->b, TEXT_OF(": "));
    outline_print_text(because, p->b);
    end_line(p);
    print_goal(p);
    print_auth(p);
    print_limits(p);
}

/* What becomes of a request that no route takes. */
static void print_nobody(const struct printing *p)
{
    struct text outcome = find_text(p, "outcome");
    struct text because = find_text(p, "because");
    struct text allow = find_text(p, "allow");

    if (text_equals(outcome, TEXT_OF("no-route")))
        because = TEXT_OF("no route matches it.");
    else if (text_equals(outcome, TEXT_OF("method-not-allowed")))
        because = TEXT_OF("routes match it in everything but the method.");
    builder_add(p->b, TEXT_OF("is answered "));
    paint_begin(p->paint, PAINT_RED, p->b);
    builder_addf(p->b, "%lld", (long long)find_number(p->doc, "status"));
    paint_end(p->paint, PAINT_RED, p->b);
    builder_add(p->b, TEXT_OF(": "));
    outline_print_text(because, p->b);
    end_line(p);
    if (allow.length > 0) {
        begin_line(p, "allowed");
        outline_print_text(allow, p->b);
        end_line(p);
    }
}

static void print_others(const struct printing *p)
{
    static const char *const titles[] = { "ALSO MATCHES", "PATH", "BUT", NULL };
    const struct doc *others = find_items(p->doc, "others");
    struct table table;

    if (others == NULL)
        return;
    end_line(p);
    table_init(&table, titles);
    for (size_t i = 0; i < others->list.count; i++) {
        const struct doc *other = &others->list.items[i];

        table_add(&table, doc_find_text(other, TEXT_OF("route")));
        table_add(&table, doc_find_text(other, TEXT_OF("path")));
        table_add(&table, doc_find_text(other, TEXT_OF("because")));
    }
    table_print(&table, p->paint, p->b);
    table_fini(&table);
}

void explanation_print(const struct doc *explanation, struct paint paint, struct builder *b)
{
    const struct printing p = { .doc = explanation, .paint = paint, .b = b };

    print_request(&p);
    if (text_equals(find_text(&p, "outcome"), TEXT_OF("route")))
        print_winner(&p);
    else
        print_nobody(&p);
    print_others(&p);
}
