/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_cluster.c - cluster upgrade: node by node, each step only when the one before is known to be
 * done, and a sentence for each.
 *
 *   others sound? --> drain --> quiet --> others sound? --> command --> another process, ready and
 *   at the others' revision --> addresses back --> next
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "admin/ctl/command.h"
#include "admin/ctl/interrupt.h"
#include "admin/ctl/member.h"
#include "admin/ctl/runner.h"
#include "admin/ctl/verb_rows.h"

#define WITHIN_MS    300000
#define DRAIN_MS     30000
#define QUIET_MS     2000  /* nothing in flight for so long: who balances has noticed */
#define AGREE_MS     10000 /* nodes may be at different revisions for a moment */
#define REPLACED_MS  30000 /* the command has ended, the process may go on for a moment */
#define LOOK_MS      200
#define SENTENCE_MAX ((size_t)1 << 16)

struct upgrade {
    struct command *c;
    struct member nodes[MEMBER_MOST];
    size_t count;
    size_t order[MEMBER_MOST]; /* of those that are upgraded */
    size_t order_count;
    size_t done;
    struct text line; /* --run */
    struct text to;   /* empty: whatever it is */
    int64_t within_ms;
    int64_t drain_ms;
    bool is_live;
    bool is_dry;
    struct builder why;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    MUST(clock_gettime(CLOCK_MONOTONIC, &ts) == 0);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool may_go_on(struct upgrade *u)
{
    if (!interrupt_is_asked())
        return true;
    builder_clear(&u->why);
    builder_add(&u->why, TEXT_OF("The upgrade was interrupted"));
    return false;
}

/* False: it is not to go on. */
static bool pause_a_moment(struct upgrade *u)
{
    struct timespec ts = { .tv_nsec = LOOK_MS * 1000000L };

    if (!interrupt_is_asked())
        (void)nanosleep(&ts, NULL);
    return may_go_on(u);
}

static void say(const struct upgrade *u, const struct member *m, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* What is done goes to standard output, with -o json to the side. */
static void say(const struct upgrade *u, const struct member *m, const char *format, ...)
{
    FILE *out = command_is_json(u->c) ? stderr : stdout;
    va_list args;

    (void)fprintf(out, "%.*s: ", TEXT_ARGS(m->name));
    va_start(args, format);
    (void)vfprintf(out, format, args);
    va_end(args);
    (void)fputc('\n', out);
    (void)fflush(out);
}

/* ---- are the others fine? ---- */

static bool look(struct upgrade *u, struct member *m)
{
    builder_clear(&u->why);
    return member_look(u->c, m, &u->why);
}

/* All but `m` ready and connected? Else a sentence in `why`. */
static bool others_are_sound(struct upgrade *u, const struct member *m)
{
    for (size_t i = 0; i < u->count; i++) {
        struct member *other = &u->nodes[i];
        if (other == m)
            continue;
        if (!look(u, other))
            return false;
        builder_addf(&u->why, "%.*s ", TEXT_ARGS(other->name));
        if (!member_is_sound(other, &u->why))
            return false;
        builder_clear(&u->why);
    }
    return true;
}

static int64_t newest_of_others(const struct upgrade *u, const struct member *m)
{
    int64_t newest = 0;

    for (size_t i = 0; i < u->count; i++) {
        if (&u->nodes[i] != m && u->nodes[i].revision > newest)
            newest = u->nodes[i].revision;
    }
    return newest;
}

static bool others_agree(const struct upgrade *u, const struct member *m)
{
    for (size_t i = 0; i < u->count; i++) {
        if (&u->nodes[i] != m && u->nodes[i].revision != newest_of_others(u, m))
            return false;
    }
    return true;
}

static bool look_at_others(struct upgrade *u, const struct member *m)
{
    int64_t end = now_ms() + AGREE_MS;

    while (others_are_sound(u, m)) {
        if (others_agree(u, m))
            return true;
        if (now_ms() > end) {
            builder_add(&u->why, TEXT_OF("The other nodes are not at the same revision"));
            return false;
        }
        if (!pause_a_moment(u))
            return false;
    }
    return false;
}

/* ---- draining ---- */

static bool drain(struct upgrade *u, struct member *m)
{
    int64_t end = now_ms() + u->drain_ms;
    int64_t quiet_since = now_ms();

    if (!member_call(u->c, m, "POST", "/v1/drain", &u->why))
        return false;
    say(u, m, "draining");
    for (;;) {
        if (!look(u, m))
            return false;
        if (m->busy > 0)
            quiet_since = now_ms();
        if (now_ms() - quiet_since >= QUIET_MS)
            break;
        if (now_ms() >= end) {
            say(u, m, "%lld exchanges and streams are in flight still; going on",
                (long long)m->busy);
            return true;
        }
        if (!pause_a_moment(u))
            return false;
    }
    say(u, m, "nothing is in flight");
    return true;
}

/* Before its command was run: as if nothing had been. */
static void take_back(struct upgrade *u, const struct member *m)
{
    struct builder why;

    if (u->is_live)
        return;
    builder_init(&why, SENTENCE_MAX);
    if (member_call(u->c, m, "DELETE", "/v1/drain", &why))
        say(u, m, "no longer draining");
    else
        say(u, m, "may be draining still: %.*s", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
}

/* ---- the command ---- */

static bool run(struct upgrade *u, const struct member *m)
{
    struct runner_place place = { .node = m->name, .address = m->address, .host = m->host };
    struct builder line;

    builder_init(&line, SENTENCE_MAX);
    runner_fill(u->line, &place, &line);
    say(u, m, "%s: %.*s", u->is_dry ? "would run" : "running", TEXT_ARGS(builder_text(&line)));
    builder_clear(&u->why);
    builder_add(&u->why, TEXT_OF("The command "));
    bool is_done =
        u->is_dry || runner_run(builder_text(&line), &place, command_is_json(u->c), &u->why);
    builder_fini(&line);
    return is_done;
}

/* ---- back again ---- */

/* Another process than before answers there. */
static bool wait_for_process(struct upgrade *u, struct member *m, struct text before, int64_t end)
{
    int64_t replaced = now_ms() + REPLACED_MS;

    for (;;) {
        bool is_there = look(u, m);
        if (is_there && !text_equals(m->incarnation, before))
            return true;
        if (is_there && now_ms() > replaced) {
            builder_add(&u->why, TEXT_OF("It is the process that it was: the command did not "
                                         "replace it"));
            return false;
        }
        if (now_ms() > end) {
            if (is_there)
                builder_add(&u->why, TEXT_OF("It is the process that it was"));
            return false;
        }
        if (!pause_a_moment(u))
            return false;
    }
}

/* Ready, connected, and it has all that the others have. */
static bool is_back(struct upgrade *u, struct member *m)
{
    if (!others_are_sound(u, m) || !look(u, m))
        return false;
    builder_addf(&u->why, "%.*s ", TEXT_ARGS(m->name));
    if (!member_is_sound(m, &u->why))
        return false;
    builder_addf(&u->why, "is at revision %lld, the others are at %lld", (long long)m->revision,
                 (long long)newest_of_others(u, m));
    return m->revision >= newest_of_others(u, m);
}

static bool has_addresses_of(const struct member *m, const struct doc *before, struct builder *why)
{
    for (size_t i = 0; before != NULL && before->type == DOC_OBJECT && i < before->object.count;
         i++) {
        const struct doc_member *one = &before->object.members[i];
        bool had = one->value.type == DOC_TEXT && text_equals(one->value.text, TEXT_OF("master"));
        if (!had || member_has_address(m, one->name))
            continue;
        builder_clear(why);
        builder_addf(why, "The virtual address %.*s has not come back", TEXT_ARGS(one->name));
        return false;
    }
    return true;
}

static bool wait_until_back(struct upgrade *u, struct member *m, const struct doc *addresses,
                            int64_t end)
{
    bool is_undrained = u->is_live;

    for (;;) {
        builder_clear(&u->why);
        if (!is_undrained)
            is_undrained = member_call(u->c, m, "DELETE", "/v1/drain", &u->why);
        if (is_undrained && is_back(u, m) && has_addresses_of(m, addresses, &u->why))
            return true;
        if (now_ms() > end || !pause_a_moment(u))
            return false;
    }
}

static bool has_right_version(struct upgrade *u, const struct member *m)
{
    if (text_is_empty(u->to) || text_equals(m->version, u->to))
        return true;
    builder_clear(&u->why);
    builder_addf(&u->why, "It is version %.*s now, not %.*s", TEXT_ARGS(m->version),
                 TEXT_ARGS(u->to));
    return false;
}

/* ---- one node ---- */

static bool complain(struct upgrade *u, const struct member *m, const char *left)
{
    struct text why = builder_text(&u->why);

    while (text_ends_with(why, TEXT_OF(".")))
        why.length--;
    command_say("%.*s: %.*s.%s%s", TEXT_ARGS(m->name), TEXT_ARGS(why), left[0] == '\0' ? "" : " ",
                left);
    return false;
}

static bool prepare(struct upgrade *u, struct member *m)
{
    if (!look_at_others(u, m))
        return complain(u, m, "Nothing was done with this node.");
    if (u->is_dry || u->is_live)
        return true;
    if (look(u, m) && drain(u, m) && look_at_others(u, m) && may_go_on(u))
        return true;
    (void)complain(u, m, "Its command was not run.");
    take_back(u, m);
    return false;
}

/* Whoever names a node that is down wants it mended. */
static bool begin(struct upgrade *u, struct member *m, bool *is_down_out)
{
    if (!may_go_on(u))
        return complain(u, m, "Nothing was done with this node.");
    *is_down_out = !look(u, m);
    if (*is_down_out && u->c->args->count == 0)
        return complain(u, m, "Nothing was done with this node.");
    if (*is_down_out) {
        say(u, m, "does not answer; its command is run all the same");
        m->incarnation = TEXT_EMPTY;
        m->vrrp = NULL;
        return look_at_others(u, m) || complain(u, m, "Nothing was done with this node.");
    }
    return true;
}

static const char *how_it_is_left(const struct upgrade *u, const struct member *m, bool is_down)
{
    if (u->is_live || is_down)
        return "";
    return arena_print(&u->c->arena,
                       "It stays drained; `gatewayctl -s %.*s undrain` when it is well.",
                       TEXT_ARGS(m->server))
        .at;
}

static bool upgrade_node(struct upgrade *u, struct member *m)
{
    bool is_down = false;

    if (!begin(u, m, &is_down))
        return false;
    struct text incarnation = m->incarnation;
    struct text version = m->version;
    const struct doc *addresses = m->vrrp;
    if (!is_down && !prepare(u, m))
        return false;
    if (u->is_dry)
        say(u, m, u->is_live ? "would not be drained" : "would be drained");
    if (!run(u, m))
        return complain(u, m, how_it_is_left(u, m, is_down));
    if (u->is_dry)
        return true;
    int64_t end = now_ms() + u->within_ms;
    if (!wait_for_process(u, m, incarnation, end) || !wait_until_back(u, m, addresses, end) ||
        !has_right_version(u, m))
        return complain(u, m,
                        interrupt_is_asked() ? how_it_is_left(u, m, is_down)
                                             : "Nothing more is done before that is mended.");
    say(u, m, "ready again, at revision %lld: version %.*s (was %.*s)", (long long)m->revision,
        TEXT_ARGS(m->version), TEXT_ARGS(version));
    return true;
}

/* ---- all of them ---- */

static size_t find_node(const struct upgrade *u, struct text name)
{
    for (size_t i = 0; i < u->count; i++) {
        if (text_equals(u->nodes[i].name, name))
            return i;
    }
    return u->count;
}

static bool choose_node(struct upgrade *u, struct text name)
{
    size_t i = find_node(u, name);

    if (i == u->count) {
        command_say("There is no node %.*s; `gatewayctl nodes` lists them. One that was stopped is "
                    "none any more: start it first.",
                    TEXT_ARGS(name));
        return false;
    }
    if (!text_is_empty(u->to) && text_equals(u->nodes[i].version, u->to)) {
        say(u, &u->nodes[i], "is version %.*s already", TEXT_ARGS(u->to));
        return true;
    }
    for (size_t j = 0; j < u->order_count; j++) {
        if (u->order[j] == i)
            return true;
    }
    u->order[u->order_count++] = i;
    return true;
}

static bool choose(struct upgrade *u)
{
    const struct args *args = u->c->args;

    for (size_t i = 0; i < args->count; i++) {
        if (!choose_node(u, text_of(args->words[i])))
            return false;
    }
    for (size_t i = 0; args->count == 0 && i < u->count; i++) {
        if (!choose_node(u, u->nodes[i].name))
            return false;
    }
    if (u->count > 1 || u->is_live)
        return true;
    command_say("%.*s is the only node: nobody would serve meanwhile. With --live it is not "
                "drained.",
                TEXT_ARGS(u->nodes[0].name));
    return false;
}

static bool confirm(struct upgrade *u)
{
    struct builder b;

    if (u->is_dry || u->order_count == 0)
        return true;
    builder_init(&b, SENTENCE_MAX);
    builder_add(&b, TEXT_OF("Upgrade"));
    for (size_t i = 0; i < u->order_count; i++)
        builder_addf(&b, "%s %.*s", i == 0 ? "" : ",", TEXT_ARGS(u->nodes[u->order[i]].name));
    builder_add(&b, TEXT_OF(", one after the other?"));
    struct text question = command_take(u->c, &b);
    return command_ask(u->c, arena_print(&u->c->arena, "%.*s", TEXT_ARGS(question)).at);
}

static void add_names(const struct upgrade *u, size_t from, size_t to, struct builder *b)
{
    for (size_t i = from; i < to; i++)
        builder_addf(b, " %.*s", TEXT_ARGS(u->nodes[u->order[i]].name));
}

static void say_how_to_go_on(const struct upgrade *u)
{
    struct builder b;

    builder_init(&b, SENTENCE_MAX);
    if (u->done > 0) {
        builder_add(&b, TEXT_OF("Done:"));
        add_names(u, 0, u->done, &b);
        builder_add(&b, TEXT_OF(". "));
    }
    builder_add(&b, TEXT_OF("To go on: gatewayctl cluster upgrade"));
    add_names(u, u->done, u->order_count, &b);
    command_say("%.*s --run … as before.", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

static void print_json_report(struct upgrade *u)
{
    struct arena *arena = &u->c->arena;
    struct doc report = doc_object();
    struct doc items = doc_list();

    for (size_t i = 0; i < u->order_count; i++) {
        const struct member *m = &u->nodes[u->order[i]];
        struct doc item = doc_object();
        doc_add(&item, arena, TEXT_OF("node"), doc_text(m->name));
        doc_add(&item, arena, TEXT_OF("version"), doc_text(m->version));
        doc_add(&item, arena, TEXT_OF("done"), doc_bool(i < u->done && !u->is_dry));
        doc_append(&items, arena, item);
    }
    doc_add(&report, arena, TEXT_OF("items"), items);
    command_print_json(&report);
}

static enum verb_status upgrade_all(struct upgrade *u)
{
    enum verb_status status = VERB_DONE;

    if (!choose(u))
        return VERB_REFUSED;
    if (!confirm(u))
        return VERB_DONE;
    interrupt_start();
    while (u->done < u->order_count && upgrade_node(u, &u->nodes[u->order[u->done]]))
        u->done++;
    interrupt_stop();
    if (u->done < u->order_count) {
        say_how_to_go_on(u);
        status = VERB_REFUSED;
    } else if (!command_is_json(u->c) && !u->is_dry)
        (void)printf("%zu of %zu nodes were upgraded.\n", u->done, u->count);
    if (command_is_json(u->c))
        print_json_report(u);
    return status;
}

enum verb_status verb_cluster_upgrade(struct command *c)
{
    struct upgrade u = {
        .c = c,
        .line = text_of(c->args->values[OPTION_RUN]),
        .to = text_of(c->args->values[OPTION_TO]),
        .within_ms = WITHIN_MS,
        .drain_ms = DRAIN_MS,
        .is_live = args_has(c->args, OPTION_LIVE),
        .is_dry = args_has(c->args, OPTION_DRY_RUN),
    };
    enum verb_status status = VERB_USAGE;

    if (text_is_empty(u.line))
        return command_misuse(c, "--run says what upgrades a node.");
    if (!command_duration(c, OPTION_WITHIN, &u.within_ms) ||
        !command_duration(c, OPTION_DRAIN_FOR, &u.drain_ms))
        return VERB_USAGE;
    if (!member_list(c, u.nodes, &u.count, &status))
        return status;
    builder_init(&u.why, SENTENCE_MAX);
    status = upgrade_all(&u);
    builder_fini(&u.why);
    return status;
}
