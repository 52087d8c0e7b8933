/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/member.h"

#include <stdio.h>

#include "conf/base/address.h"

#define CALL_SECONDS 5

static const struct doc *items_of(const struct doc *reply)
{
    static const struct doc none = { .type = DOC_LIST };
    const struct doc *items = doc_find(reply, TEXT_OF("items"));

    return items != NULL && items->type == DOC_LIST ? items : &none;
}

static bool is_true(const struct doc *object, const char *name)
{
    const struct doc *value = doc_find(object, text_of(name));

    return value != NULL && value->type == DOC_BOOL && value->boolean;
}

static int64_t number_of(const struct doc *object, const char *name)
{
    const struct doc *value = doc_find(object, text_of(name));

    return value != NULL && value->type == DOC_INT ? value->integer : 0;
}

/* A member that is printed as it stands: without what could steer a terminal. */
static struct text text_in(struct command *c, const struct doc *object, const char *name)
{
    struct text said = doc_find_text(object, text_of(name));
    char *copy = arena_alloc(&c->arena, said.length + 1);

    for (size_t i = 0; i < said.length; i++) {
        unsigned char byte = (unsigned char)said.at[i];
        copy[i] = byte < ' ' || byte == 0x7f ? '?' : said.at[i];
    }
    return text_from(copy, said.length);
}

/* ---- calls ---- */

/* At its own address. */
static bool ask(struct command *c, const struct member *m, const struct http_request *request,
                struct command_reply *reply_out, struct builder *why)
{
    struct text before = c->settings.server;

    c->settings.server = m->server;
    bool is_answered = command_ask_why(c, request, reply_out, why);
    c->settings.server = before;
    return is_answered;
}

bool member_call(struct command *c, const struct member *m, const char *method, const char *path,
                 struct builder *why)
{
    struct http_request request = command_write(c, method, text_of(path), NULL);
    struct command_reply reply;

    request.seconds = CALL_SECONDS;
    return ask(c, m, &request, &reply, why);
}

/* ---- how it is ---- */

static const struct doc *find_self(const struct doc *nodes)
{
    const struct doc *items = items_of(nodes);

    for (size_t i = 0; i < items->list.count; i++) {
        if (is_true(&items->list.items[i], "self"))
            return &items->list.items[i];
    }
    return NULL;
}

static void take_status(struct command *c, struct member *m, const struct doc *status)
{
    const struct doc *store = doc_find(status, TEXT_OF("store"));

    m->version = text_in(c, status, "version");
    m->state = text_in(c, status, "state");
    m->reason = text_in(c, status, "reason");
    m->store = text_in(c, store, "state");
    if (text_is_empty(m->reason))
        m->reason = text_in(c, store, "reason");
    m->revision = number_of(status, "revision");
    m->busy = number_of(status, "exchanges") + number_of(status, "streams");
    m->vrrp = doc_find(status, TEXT_OF("vrrp"));
}

bool member_look(struct command *c, struct member *m, struct builder *why)
{
    struct http_request request = command_write(c, "GET", TEXT_OF("/v1/nodes"), NULL);
    struct command_reply nodes;
    struct command_reply status;

    request.seconds = CALL_SECONDS;
    if (!ask(c, m, &request, &nodes, why))
        return false;
    request.path = TEXT_OF("/v1/status");
    if (!ask(c, m, &request, &status, why))
        return false;
    const struct doc *self = find_self(&nodes.doc);
    struct text name = text_in(c, &status.doc, "node");
    if (self == NULL || !text_equals(name, m->name)) {
        builder_addf(why, "At %.*s the node %.*s answers.", TEXT_ARGS(m->server), TEXT_ARGS(name));
        return false;
    }
    m->incarnation = doc_find_text(self, TEXT_OF("incarnation"));
    take_status(c, m, &status.doc);
    return true;
}

bool member_is_sound(const struct member *m, struct builder *why)
{
    if (!text_equals(m->state, TEXT_OF("ready")))
        builder_addf(why, "is %.*s", TEXT_ARGS(m->state));
    else if (!text_equals(m->store, TEXT_OF("connected")))
        builder_addf(why, "has a store that is %.*s", TEXT_ARGS(m->store));
    else
        return true;
    if (!text_is_empty(m->reason))
        builder_addf(why, ": %.*s", TEXT_ARGS(m->reason));
    return false;
}

bool member_has_address(const struct member *m, struct text address)
{
    return m->vrrp != NULL && text_equals(doc_find_text(m->vrrp, address), TEXT_OF("master"));
}

/* ---- all of them ---- */

/* What is said of them goes into a shell's line: no more than names and addresses need. */
static bool is_plain(struct text t)
{
    static const struct text others = TEXT("._-:[]");

    for (size_t i = 0; i < t.length; i++) {
        char c = t.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!is_letter && text_find_byte(others, c) == others.length)
            return false;
    }
    return t.length > 0 && t.at[0] != '-';
}

/* Where members are says who writes to Redis: the token leaves this host under TLS, or because the
 * operator named the place. */
static bool may_have_token(const struct command *c, const struct member *m)
{
    if (!settings_is_in_clear(m->server) || settings_is_in_clear(c->settings.server))
        return true;
    command_say("The node %.*s is at %.*s, beyond this host: the token is not sent there without "
                "TLS. Say --server https://… of a node.",
                TEXT_ARGS(m->name), TEXT_ARGS(m->address));
    return false;
}

static bool take_member(struct command *c, const struct doc *item, struct member *m)
{
    struct host_port parts;
    bool is_secure = text_starts_with_nocase(c->settings.server, TEXT_OF("https:"));

    *m = (struct member){
        .name = text_in(c, item, "name"),
        .address = text_in(c, item, "address"),
        .version = text_in(c, item, "version"),
        .incarnation = doc_find_text(item, TEXT_OF("incarnation")),
    };
    if (!is_plain(m->name) || !is_plain(m->address) || !address_split(m->address, &parts) ||
        parts.is_unix) {
        command_say("The node \"%.*s\" has the address \"%.*s\", and cannot be asked there.",
                    TEXT_ARGS(m->name), TEXT_ARGS(m->address));
        return false;
    }
    m->host = arena_copy(&c->arena, parts.host);
    m->server = is_true(item, "self")
                    ? c->settings.server
                    : arena_print(&c->arena, "%s://%.*s", is_secure ? "https" : "http",
                                  TEXT_ARGS(m->address));
    return may_have_token(c, m);
}

bool member_list(struct command *c, struct member members[MEMBER_MOST], size_t *count_out,
                 enum verb_status *status_out)
{
    struct command_reply reply;

    *count_out = 0;
    if (!command_get(c, TEXT_OF("/v1/nodes"), &reply, status_out))
        return false;
    const struct doc *items = items_of(&reply.doc);
    *status_out = VERB_REFUSED;
    if (items->list.count > MEMBER_MOST) {
        command_say("There are more than %d nodes.", MEMBER_MOST);
        return false;
    }
    for (size_t i = 0; i < items->list.count; i++) {
        if (!take_member(c, &items->list.items[i], &members[i]))
            return false;
    }
    *count_out = items->list.count;
    *status_out = VERB_DONE;
    return true;
}
