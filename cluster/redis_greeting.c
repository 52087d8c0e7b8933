/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_greeting.c - the table of what is said first, and a judge for each reply.
 *
 * What a server answers to AUTH is never repeated: some echo the words of a command.
 */
#include "cluster/redis_greeting.h"

#include <stdarg.h>
#include <stdio.h>

#include "cluster/redis_wire.h"

#define VERSION_AT_LEAST 602 /* 6.2 */

/* ---- saying what is wrong ------------------------------------------------------------------- */

void redis_greeting_print_error(struct text error, char *into, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && length < error.length) {
        char c = error.at[length];
        into[length++] = c < ' ' || c > '~' ? '?' : c;
    }
    into[length] = '\0';
}

static bool say(struct redis_greeting *g, bool needs_care, const char *format, ...)
    PRINTF_LIKE(3, 4);

static bool say(struct redis_greeting *g, bool needs_care, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(g->reason, sizeof(g->reason), format, args);
    va_end(args);
    g->needs_care = needs_care;
    return false;
}

static bool refuse_error(struct redis_greeting *g, const char *command,
                         const struct redis_reply *reply)
{
    char text[200];
    redis_greeting_print_error(redis_reply_text(reply), text, sizeof(text));
    if (redis_reply_is_error(reply, "LOADING"))
        return say(g, false, "it is still loading its data");
    if (redis_reply_is_error(reply, "BUSY"))
        return say(g, false, "it is busy with a script: %s", text);
    if (redis_reply_is_error(reply, "MASTERDOWN"))
        return say(g, false, "it is a replica without its master");
    if (redis_reply_is_error(reply, "NOAUTH"))
        return say(g, true, "it asks for a password: set state.redis.password_file");
    if (redis_reply_is_error(reply, "NOPERM"))
        return say(g, true, "the user may not do all that is needed (see redis.acl): %s", text);
    return say(g, true, "it refuses %s: %s", command, text);
}

/* ---- judges --------------------------------------------------------------------------------- */

static bool judge_auth(struct redis_greeting *g, const struct redis_reply *reply)
{
    if (redis_reply_kind(reply) != REDIS_REPLY_ERROR)
        return true;
    if (redis_reply_is_error(reply, "WRONGPASS"))
        return say(g, true, "it refuses the user or password (WRONGPASS)");
    if (redis_reply_is_error(reply, "LOADING"))
        return say(g, false, "it is still loading its data");
    if (redis_reply_is_error(reply, "ERR"))
        return say(g, true, "it refuses AUTH: it may have no password set for this user");
    return say(g, true, "it refuses AUTH");
}

static bool judge_select(struct redis_greeting *g, const struct redis_reply *reply)
{
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        return refuse_error(g, "SELECT", reply);
    return true;
}

bool redis_greeting_print_server(struct text host, struct text port,
                                 char into[REDIS_GREETING_SERVER_SIZE])
{
    uint64_t number;
    if (host.length == 0 || host.length > 255 || !text_parse_u64(port, &number) || number == 0 ||
        number > 65535)
        return false;
    /* What is no name or address would be found out later, but not be fit to be printed. */
    for (size_t i = 0; i < host.length; i++) {
        if (host.at[i] <= ' ' || host.at[i] > '~')
            return false;
    }
    bool is_v6 = text_find_byte(host, ':') < host.length;
    snprintf(into, REDIS_GREETING_SERVER_SIZE, is_v6 ? "[%.*s]:%llu" : "%.*s:%llu", TEXT_ARGS(host),
             (unsigned long long)number);
    return true;
}

static void note_replicas(struct redis_facts *facts, const struct redis_reply *list)
{
    for (size_t i = 0; i < redis_reply_count(list); i++) {
        const struct redis_reply *one = redis_reply_at(list, i);
        if (facts->replica_count < REDIS_GREETING_REPLICAS &&
            redis_greeting_print_server(redis_reply_text(redis_reply_at(one, 0)),
                                        redis_reply_text(redis_reply_at(one, 1)),
                                        facts->replicas[facts->replica_count]))
            facts->replica_count++;
    }
}

static bool judge_role(struct redis_greeting *g, const struct redis_reply *reply)
{
    struct text role = redis_reply_text(redis_reply_at(reply, 0));
    char of[128];
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        return refuse_error(g, "ROLE", reply);
    if (text_equals(role, TEXT_OF("master"))) {
        g->facts.role = REDIS_GREETING_MASTER;
        note_replicas(&g->facts, redis_reply_at(reply, 2));
        return true;
    }
    if (text_equals(role, TEXT_OF("sentinel"))) {
        g->facts.role = REDIS_GREETING_OTHER;
        return say(g, true, "it is a sentinel: set state.redis.sentinel");
    }
    g->facts.role = REDIS_GREETING_REPLICA;
    redis_greeting_print_error(redis_reply_text(redis_reply_at(reply, 1)), of, sizeof(of));
    return say(g, g->config->sentinel == NULL, "it is a replica (of %s)%s", of,
               g->config->sentinel == NULL ? ": name the master in state.redis.servers, or set "
                                             "state.redis.sentinel"
                                           : "");
}

/* The value of a line "name:value" of INFO. */
static struct text find_info(struct text info, struct text name)
{
    struct text line;
    while (info.at != NULL && text_cut(&info, '\n', &line)) {
        if (line.length > name.length && line.at[name.length] == ':' &&
            text_starts_with(line, name)) {
            struct text value = text_skip(line, name.length + 1);
            if (value.length > 0 && value.at[value.length - 1] == '\r')
                value.length--;
            return value;
        }
    }
    return TEXT_EMPTY;
}

/* "7.0.15" → 700; 0: no version. */
static uint64_t parse_version(struct text version)
{
    struct text major;
    struct text minor;
    uint64_t high;
    uint64_t low;
    if (version.length == 0 || !text_cut(&version, '.', &major) || version.at == NULL ||
        !text_cut(&version, '.', &minor) || !text_parse_u64(major, &high) ||
        !text_parse_u64(minor, &low) || high > 1000000 || low > 99)
        return 0;
    return high * 100 + low;
}

static bool judge_server(struct redis_greeting *g, const struct redis_reply *reply)
{
    struct text info = redis_reply_text(reply);
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        return refuse_error(g, "INFO", reply);
    struct text version = find_info(info, TEXT_OF("redis_version"));
    struct text run = find_info(info, TEXT_OF("run_id"));
    redis_greeting_print_error(version, g->facts.version, sizeof(g->facts.version));
    if (version.length == 0 || run.length == 0)
        return say(g, true, "it does not say its version and run id: it is no Redis");
    if (parse_version(version) < VERSION_AT_LEAST)
        return say(g, true, "it is version %s; 6.2 or later is needed", g->facts.version);
    g->facts.run = text_hash_stable(run) | 1;
    return true;
}

static bool judge_memory(struct redis_greeting *g, const struct redis_reply *reply)
{
    char policy[64];
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        return refuse_error(g, "INFO", reply);
    struct text found = find_info(redis_reply_text(reply), TEXT_OF("maxmemory_policy"));
    if (text_equals(found, TEXT_OF("noeviction")))
        return true;
    redis_greeting_print_error(found, policy, sizeof(policy));
    return say(g, true,
               "its maxmemory-policy is %s, which would drop revocations and limits when memory "
               "is short: set maxmemory-policy noeviction",
               policy[0] == '\0' ? "not told" : policy);
}

static bool judge_time(struct redis_greeting *g, const struct redis_reply *reply)
{
    int64_t seconds;
    int64_t us;
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        return refuse_error(g, "TIME", reply);
    if (!redis_reply_integer(redis_reply_at(reply, 0), &seconds) ||
        !redis_reply_integer(redis_reply_at(reply, 1), &us) || seconds < 0 ||
        seconds > INT64_MAX / 2000000 || us < 0 || us > 999999)
        return say(g, true, "it does not tell the time");
    g->facts.time_us = seconds * 1000000 + us;
    return true;
}

static bool judge_key(struct redis_greeting *g, const struct redis_reply *reply)
{
    if (redis_reply_kind(reply) == REDIS_REPLY_ERROR)
        return refuse_error(g, "EXISTS", reply);
    return true;
}

/* ---- the way through ------------------------------------------------------------------------ */

/* AUTH is left out without a user and password. */
static bool (*const judges[])(struct redis_greeting *, const struct redis_reply *) = {
    judge_auth, judge_role, judge_select, judge_server, judge_memory, judge_time, judge_key,
};

bool redis_greeting_send_auth(struct redis_wire *w, const struct redis_login *login)
{
    struct text user = text_of(login->user);
    struct text secret = text_of(login->password == NULL ? "" : login->password);
    if (user.length == 0 && login->password == NULL)
        return false;
    if (user.length > 0)
        redis_wire_send(w, (struct text[]){ TEXT("AUTH"), user, secret }, 3);
    else
        redis_wire_send(w, (struct text[]){ TEXT("AUTH"), secret }, 2);
    return true;
}

void redis_greeting_start(struct redis_greeting *g, struct redis_wire *w,
                          const struct node_redis *config, const struct redis_login *login,
                          struct text key)
{
    char number[TEXT_NUMBER_SIZE];
    struct text db = text_print_u64((uint64_t)config->db, number);
    *g = (struct redis_greeting){ .config = config };
    g->has_user = redis_greeting_send_auth(w, login);
    g->step = g->has_user ? 0 : 1;
    redis_wire_send(w, (struct text[]){ TEXT("ROLE") }, 1);
    redis_wire_send(w, (struct text[]){ TEXT("SELECT"), db }, 2);
    redis_wire_send(w, (struct text[]){ TEXT("INFO"), TEXT("server") }, 2);
    redis_wire_send(w, (struct text[]){ TEXT("INFO"), TEXT("memory") }, 2);
    redis_wire_send(w, (struct text[]){ TEXT("TIME") }, 1);
    redis_wire_send(w, (struct text[]){ TEXT("EXISTS"), key }, 2);
}

enum redis_greeting_result redis_greeting_on_reply(struct redis_greeting *g,
                                                   const struct redis_reply *reply)
{
    MUST(g->config != NULL && g->step < ARRAY_LENGTH(judges));
    if (!judges[g->step](g, reply))
        return REDIS_GREETING_BAD;
    g->step++;
    return g->step < ARRAY_LENGTH(judges) ? REDIS_GREETING_MORE : REDIS_GREETING_DONE;
}
