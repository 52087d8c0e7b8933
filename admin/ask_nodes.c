/* SPDX-License-Identifier: Apache-2.0 */
/* ask_nodes.c - see ask_nodes.h. */
#include "admin/ask_nodes.h"

#include "admin/reply.h"
#include "cluster/cluster.h"
#include "cluster/members.h"
#include "cluster/peer_client.h"
#include "conf/read_json.h"

#define NODES_MOST  64
#define ASK_MS      1000
#define SILENT_MOST 65536

struct asking;

/* One node that is asked. */
struct asked {
    struct asking *asking;
    struct text node;
    struct peer_call *call;
};

struct asking {
    struct call *call;
    struct asked nodes[NODES_MOST];
    size_t count;
    size_t waiting;
    struct builder silent; /* those who could not be asked, as JSON */
    bool has_items;
};

static void add_silent(struct asking *a, struct text node, struct text because)
{
    builder_add(&a->silent, a->silent.length == 0 ? TEXT_OF("{\"node\":") : TEXT_OF(",{\"node\":"));
    builder_add_json(&a->silent, node);
    builder_add(&a->silent, TEXT_OF(",\"because\":"));
    builder_add_json(&a->silent, because);
    builder_add_byte(&a->silent, '}');
}

/* What stands between the brackets of "items" in the other node's answer. */
static bool find_items(struct text body, struct text *items_out)
{
    static const struct text mark = TEXT("\"items\":[");
    while (body.length > 0 && body.at[body.length - 1] == '\n') {
        body.length--;
    }
    char *at = memmem(body.at, body.length, mark.at, mark.length);
    struct arena arena;
    struct problems ps;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    bool is_json =
        at != NULL && text_ends_with(body, TEXT_OF("]}")) && read_json(body, &arena, &ps, &doc);
    problems_fini(&ps);
    arena_reset(&arena);
    if (!is_json) {
        return false;
    }
    *items_out =
        text_from(at + mark.length, (size_t)(body.at + body.length - at) - mark.length - 2);
    return true;
}

static void take_answer(struct asking *a, struct text node, const struct peer_answer *answer)
{
    struct text items;

    if (answer->status == 200 && find_items(answer->body, &items)) {
        if (a->has_items && !text_is_empty(items)) {
            builder_add_byte(&a->call->out, ',');
        }
        a->has_items |= !text_is_empty(items);
        builder_add(&a->call->out, items);
    } else if (answer->status == 404) {
        add_silent(a, node, TEXT_OF("it does not know of it yet"));
    } else if (answer->status == 401) {
        add_silent(a, node,
                   TEXT_OF("it does not take our signature: do the secrets or clocks differ?"));
    } else {
        add_silent(a, node,
                   answer->status == 0
                       ? answer->reason
                       : arena_print(&a->call->arena, "it answered %u", answer->status));
    }
}

static void finish(struct asking *a)
{
    struct call *call = a->call;

    builder_add_byte(&call->out, ']');
    if (a->silent.length > 0) {
        builder_addf(&call->out, ",\"unreachable\":[%.*s]", TEXT_ARGS(builder_text(&a->silent)));
    }
    builder_add_byte(&call->out, '}');
    reply_json(call, 200);
}

static void on_answered(void *arg, const struct peer_answer *answer)
{
    struct asked *asked = arg;
    struct asking *a = asked->asking;

    asked->call = NULL;
    take_answer(a, asked->node, answer);
    if (--a->waiting == 0) {
        finish(a);
    }
}

static void stop_asking(struct call *call)
{
    struct asking *a = call->state;

    for (size_t i = 0; i < a->count; i++) {
        peer_call_stop(&a->nodes[i].call);
    }
}

static void free_asking(struct call *call)
{
    struct asking *a = call->state;

    builder_fini(&a->silent);
}

static void ask(struct asking *a, const struct members_view *view, struct text path)
{
    const struct cluster *cluster = cluster_get();
    struct asked *asked = &a->nodes[a->count];
    struct text node = arena_copy(&a->call->arena, view->member.name);

    if (cluster->peers == NULL) {
        add_silent(a, node, TEXT_OF("nodes cannot ask each other without cluster.secret_file"));
        return;
    }
    *asked = (struct asked){ .asking = a, .node = node };
    struct peer_request request = {
        .to = node,
        .address = view->member.address,
        .is_tls = view->member.is_tls,
        .method = METHOD_GET,
        .path = path,
        .timeout_ms = ASK_MS,
    };
    a->count++;
    a->waiting++;
    asked->call = peer_client_call(cluster->peers, &request, on_answered, asked);
}

static void ask_others(struct asking *a, struct text path)
{
    const struct members *members = cluster_get()->members;
    struct members_view view;
    struct text after = TEXT_EMPTY;

    while (members != NULL && a->count < NODES_MOST && members_next(members, after, &view)) {
        after = view.member.name;
        if (!view.is_self) {
            ask(a, &view, path);
        }
    }
}

void ask_nodes_reply(struct call *call, struct text path)
{
    struct asking *a = arena_zalloc(&call->arena, sizeof(*a));

    a->call = call;
    a->has_items = call->out.at[call->out.length - 1] != '[';
    builder_init(&a->silent, SILENT_MOST);
    call->state = a;
    call->on_free = free_asking;
    ask_others(a, path);
    if (a->waiting == 0) {
        finish(a);
        return;
    }
    call_hold(call, stop_asking);
}
