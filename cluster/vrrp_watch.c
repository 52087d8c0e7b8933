/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/vrrp_watch.h"

#include "cluster/members.h"
#include "cluster/peer_client.h"
#include "conf/base/list.h"
#include "conf/base/mem.h"
#include "conf/read_json.h"
#include "gatewayd/control.h"
#include "gatewayd/core/log.h"

#define TICK_MS      200
#define TICKS        5    /* from one question to the next */
#define ASK_MS       900  /* for an answer */
#define FRESH_MS     2500 /* so long an answer counts */
#define YIELD_MS     15000
#define REFUSED_MS   1000 /* until it is asked again */
#define LOOK_MOST_MS 3000 /* from the beginning, until every other node has said what it has */
#define NODES_MOST   64
#define CONFLICT_MS  3000 /* both have it for longer than a word counts: it is not just moving */
#define NAMES_MOST   1024

static const struct log_scope log_ha = { .subject = LOG_SUBJECT_ha };

/* Another node. Those that are gone for good stay here, unseen. */
struct other {
    struct list node;
    struct vrrp_watch *watch;
    char *name;
    struct peer_call *call; /* NULL: not being asked */
    char *vrrp;             /* of its last answer */
    char *home;             /* what is at home there, in the same form; NULL: it does not say */
    bool is_ready;          /* by its last answer */
    uint64_t heard_ms;      /* when that came; 0: never */
};

/* One of our addresses. */
struct wish {
    struct vrrp_watch *watch;
    size_t index;
    struct peer_call *call; /* who has it is asked to give it back */
    uint64_t refused_ms;    /* when it would not; 0: it has not */
    uint64_t conflict_ms;   /* since when another has it while we do; 0: none */
};

struct vrrp_watch {
    struct loop *loop;
    struct ha *ha;
    const struct members *members;
    struct peer_client *peers;
    struct loop_timer timer;
    unsigned ticks;
    uint64_t begun_ms;
    struct list others;
    size_t count;
    struct wish *wishes;
    struct builder names; /* for what is printed and used at once */
};

struct text vrrp_watch_find(struct text vrrp, struct text name)
{
    struct text pair;

    while (vrrp.length > 0 && text_cut(&vrrp, ' ', &pair)) {
        size_t at = text_find_byte(pair, '=');
        if (at < pair.length && text_equals(text_first(pair, at), name))
            return text_skip(pair, at + 1);
    }
    return TEXT_EMPTY;
}

/* ---- what other nodes say ------------------------------------------------------------------- */

void vrrp_watch_print(const struct ha *ha, const char *state, struct builder *b)
{
    struct builder vrrp;

    builder_init(&vrrp, SIZE_MAX);
    ha_print_vrrp(ha, &vrrp);
    builder_addf(b, "{\"state\":\"%s\",\"vrrp\":", state);
    builder_add_json(b, builder_text(&vrrp));
    builder_clear(&vrrp);
    for (size_t i = 0; i < ha_count(ha); i++) {
        const struct ha_address *a = ha_get(ha, i).address;
        if (a->is_home)
            builder_addf(&vrrp, "%s%.*s=here", vrrp.length == 0 ? "" : " ", TEXT_ARGS(a->name));
    }
    builder_add(b, TEXT_OF(",\"home\":"));
    builder_add_json(b, builder_text(&vrrp));
    builder_add_byte(b, '}');
    builder_fini(&vrrp);
}

static struct text text_member(const struct doc *doc, const char *name)
{
    const struct doc *member = doc_find(doc, text_of(name));

    return member != NULL && member->type == DOC_TEXT ? member->text : TEXT_EMPTY;
}

static bool is_willing(struct text state)
{
    return text_equals(state, TEXT_OF("ready")) || text_equals(state, TEXT_OF("behind"));
}

static void keep(char **at, struct text text)
{
    MEM_FREE(at);
    *at = mem_copy_text(text.at, text.length);
}

static void take_answer(struct other *o, struct text body)
{
    struct arena arena;
    struct problems ps;
    struct doc doc;

    arena_init(&arena, SIZE_MAX);
    problems_init(&ps);
    if (read_json(body, &arena, &ps, &doc) && doc.type == DOC_OBJECT) {
        const struct doc *home = doc_find(&doc, TEXT_OF("home"));
        keep(&o->vrrp, text_member(&doc, "vrrp"));
        MEM_FREE(&o->home);
        if (home != NULL && home->type == DOC_TEXT)
            keep(&o->home, home->text);
        o->is_ready = is_willing(text_member(&doc, "state"));
        o->heard_ms = loop_now_ms(o->watch->loop);
    }
    problems_fini(&ps);
    arena_reset(&arena);
}

static void on_answered(void *arg, const struct peer_answer *answer)
{
    struct other *o = arg;

    o->call = NULL;
    if (answer->status == 200)
        take_answer(o, answer->body);
}

static struct other *get_other(struct vrrp_watch *w, struct text name)
{
    LIST_EACH (node, &w->others) {
        struct other *o = LIST_ITEM(node, struct other, node);
        if (text_equals(text_of(o->name), name))
            return o;
    }
    if (w->count == NODES_MOST)
        return NULL;
    struct other *o = mem_new(sizeof(*o));
    o->watch = w;
    o->name = mem_copy_text(name.at, name.length);
    list_add_last(&w->others, &o->node);
    w->count++;
    return o;
}

static void ask(struct vrrp_watch *w, const struct members_view *view)
{
    struct other *o = get_other(w, view->member.name);

    if (o == NULL || o->call != NULL || w->peers == NULL)
        return;
    o->call = peer_client_call(w->peers,
                               &(struct peer_request){ .to = view->member.name,
                                                       .address = view->member.address,
                                                       .is_tls = view->member.is_tls,
                                                       .method = METHOD_GET,
                                                       .path = TEXT_OF("/v1/cluster/addresses"),
                                                       .timeout_ms = ASK_MS },
                               on_answered, o);
}

/* Another node's word on an address, the newer of the two ways; empty: not heard of lately. */
static struct text word_of(struct vrrp_watch *w, const struct members_view *view,
                           struct text address, bool *is_willing_out)
{
    const struct other *o = get_other(w, view->member.name);

    if (o != NULL && o->heard_ms != 0 && loop_now_ms(w->loop) - o->heard_ms < FRESH_MS) {
        *is_willing_out = o->is_ready;
        return vrrp_watch_find(text_of(o->vrrp), address);
    }
    *is_willing_out = is_willing(view->member.state);
    return view->is_unseen ? TEXT_EMPTY : vrrp_watch_find(view->member.vrrp, address);
}

static bool has_answered(struct vrrp_watch *w, struct text name)
{
    const struct other *o = get_other(w, name);

    return o != NULL && o->heard_ms != 0 && loop_now_ms(w->loop) - o->heard_ms < FRESH_MS;
}

/* It says what is at home there, and this is not. */
static bool is_guest_of(struct vrrp_watch *w, struct text node, struct text address)
{
    const struct other *o = get_other(w, node);

    return o != NULL && o->home != NULL && vrrp_watch_find(text_of(o->home), address).length == 0;
}

/* ---- one address ---------------------------------------------------------------------------- */

static void on_yielded(void *arg, const struct peer_answer *answer)
{
    struct wish *wish = arg;
    struct ha *ha = wish->watch->ha;

    wish->call = NULL;
    if (answer->status == 200)
        ha_take(ha, wish->index);
    else if (answer->status == 202)
        ha_note_promise(ha, wish->index);
    else {
        wish->refused_ms = loop_now_ms(wish->watch->loop);
        log_warn(&log_ha, "address %.*s is not given back: the node that has it answers %u%s%.*s",
                 TEXT_ARGS(ha_get(ha, wish->index).address->name), answer->status,
                 answer->reason.length > 0 ? ", " : "", TEXT_ARGS(answer->reason));
    }
}

static void ask_for(struct wish *wish, const struct members_view *holder)
{
    struct vrrp_watch *w = wish->watch;
    struct text name = ha_get(w->ha, wish->index).address->name;
    struct builder body;

    if (wish->call != NULL || w->peers == NULL ||
        (wish->refused_ms != 0 && loop_now_ms(w->loop) - wish->refused_ms < REFUSED_MS))
        return;
    log_info(&log_ha, "address %.*s: %.*s is asked to give it back", TEXT_ARGS(name),
             TEXT_ARGS(holder->member.name));
    builder_init(&body, NAMES_MOST);
    builder_addf(&body, "{\"address\":\"%.*s\"}", TEXT_ARGS(name));
    wish->call = peer_client_call(w->peers,
                                  &(struct peer_request){ .to = holder->member.name,
                                                          .address = holder->member.address,
                                                          .is_tls = holder->member.is_tls,
                                                          .method = METHOD_POST,
                                                          .path = TEXT_OF("/v1/cluster/yield"),
                                                          .body = builder_text(&body),
                                                          .timeout_ms = YIELD_MS },
                                  on_yielded, wish);
    builder_fini(&body);
}

/* Both for a while, not just while it moves. */
static void look_for_conflict(struct wish *wish, enum ha_vrrp own, struct text names)
{
    struct vrrp_watch *w = wish->watch;
    uint64_t now = loop_now_ms(w->loop);

    if (own != HA_MASTER || names.length == 0)
        wish->conflict_ms = 0;
    else if (wish->conflict_ms == 0)
        wish->conflict_ms = now;
    bool is_conflict = wish->conflict_ms != 0 && now - wish->conflict_ms > CONFLICT_MS;
    ha_set_conflict(w->ha, wish->index, is_conflict ? names : TEXT_EMPTY);
}

static void look_at(struct wish *wish)
{
    struct vrrp_watch *w = wish->watch;
    struct ha_status status = ha_get(w->ha, wish->index);
    struct members_view view;
    struct text after = TEXT_EMPTY;
    size_t others = 0;
    bool is_anybodys_guest = false;
    bool have_all_answered = true;

    builder_clear(&w->names);
    while (members_next(w->members, after, &view)) {
        bool would_take = false;
        after = view.member.name;
        if (view.is_self)
            continue;
        others++;
        have_all_answered = have_all_answered && has_answered(w, view.member.name);
        struct text word = word_of(w, &view, status.address->name, &would_take);
        if (text_equals(word, TEXT_OF("master"))) {
            builder_addf(&w->names, "%s%.*s", w->names.length == 0 ? "" : ", ",
                         TEXT_ARGS(view.member.name));
            is_anybodys_guest =
                is_anybodys_guest || is_guest_of(w, view.member.name, status.address->name);
            if (ha_is_wanted(w->ha, wish->index))
                ask_for(wish, &view);
        } else if (text_equals(word, TEXT_OF("backup")) && would_take) {
            ha_note_taker(w->ha, wish->index);
        }
    }
    look_for_conflict(wish, status.vrrp, builder_text(&w->names));
    bool is_early = !have_all_answered && loop_now_ms(w->loop) - w->begun_ms < LOOK_MOST_MS;
    ha_leave(w->ha, wish->index, others > 1 && (is_anybodys_guest || is_early));
}

static void ask_all(struct vrrp_watch *w)
{
    struct members_view view;
    struct text after = TEXT_EMPTY;

    while (members_next(w->members, after, &view)) {
        after = view.member.name;
        if (!view.is_self)
            ask(w, &view);
    }
}

static void on_timer(void *arg)
{
    struct vrrp_watch *w = arg;

    loop_timer_start(&w->timer, TICK_MS);
    if (w->ticks++ % TICKS == 0)
        ask_all(w);
    for (size_t i = 0; i < ha_count(w->ha); i++)
        look_at(&w->wishes[i]);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct vrrp_watch *vrrp_watch_new(struct loop *loop, struct ha *ha, const struct members *members,
                                  struct peer_client *peers)
{
    struct vrrp_watch *w = mem_new(sizeof(*w));

    w->loop = loop;
    w->ha = ha;
    w->members = members;
    w->peers = peers;
    list_init(&w->others);
    builder_init(&w->names, NAMES_MOST);
    w->wishes = mem_new_array(ha_count(ha), sizeof(w->wishes[0]));
    for (size_t i = 0; i < ha_count(ha); i++)
        w->wishes[i] = (struct wish){ .watch = w, .index = i };
    loop_timer_init(&w->timer, loop, on_timer, w);
    return w;
}

void vrrp_watch_start(struct vrrp_watch *w)
{
    w->begun_ms = loop_now_ms(w->loop);
    on_timer(w); /* before the node is ready and says what it would have */
}

void vrrp_watch_free(struct vrrp_watch **at)
{
    struct vrrp_watch *w = *at;

    if (w == NULL)
        return;
    loop_timer_stop(&w->timer);
    for (size_t i = 0; i < ha_count(w->ha); i++)
        peer_call_stop(&w->wishes[i].call);
    LIST_EACH_SAFE (node, following, &w->others) {
        struct other *o = LIST_ITEM(node, struct other, node);
        peer_call_stop(&o->call);
        list_remove(&o->node);
        MEM_FREE(&o->name);
        MEM_FREE(&o->vrrp);
        MEM_FREE(&o->home);
        MEM_FREE(&o);
    }
    builder_fini(&w->names);
    MEM_FREE(&w->wishes);
    MEM_FREE(at);
}
