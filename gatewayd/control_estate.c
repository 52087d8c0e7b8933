/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_estate.c - what the process after us gets beside sockets and files: the buckets of
 * limits, and what is known of targets. Each is a piece of memory whose descriptor is sent, with
 * pairs of texts in it (handover_pair.h).
 *
 * When the process before us ends it says what it did not spend of the tokens that it had kept.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/control_private.h"
#include "gatewayd/handover_pair.h"

#define SLICE_NS      2000000
#define AT_ONCE       64
#define ESTATE_MOST   ((size_t)256 << 20)
#define REST_SIZE     64
#define SCOPE_LIMITS  TEXT_OF("limits")
#define SCOPE_UNSPENT TEXT_OF("unspent")
#define SCOPE_HEALTH  TEXT_OF("health")

/* As limiter_pass calls it. */
static void add_pair(void *arg, struct text key, struct text value)
{
    handover_pair_print(key, value, arg);
}

/* ---- memory that is sent -------------------------------------------------------------------- */

static void send_memory(struct handover_link *link, struct text scope, struct text bytes)
{
    struct handover_frame frame = { .kind = HANDOVER_STATE };
    int fd = memfd_create("gatewayd-estate", MFD_CLOEXEC);
    size_t written = 0;

    while (fd >= 0 && written < bytes.length) {
        ssize_t n = write(fd, bytes.at + written, bytes.length - written);
        if (n <= 0)
            break;
        written += (size_t)n;
    }
    frame.fields[HANDOVER_SCOPE] = scope;
    if (fd >= 0 && written == bytes.length && link != NULL)
        handover_link_send(link, &frame, &fd, 1);
    if (fd >= 0)
        close(fd);
}

/* Calls `take` for each pair; stops at what is none. */
static void read_memory(struct control *c, int fd,
                        void (*take)(struct control *c, struct text key, struct text value))
{
    struct stat st;
    struct text key;
    struct text value;

    if (fstat(fd, &st) != 0 || st.st_size <= 0 || (uint64_t)st.st_size > ESTATE_MOST)
        return;
    char *bytes = mem_new((size_t)st.st_size);
    ssize_t n = pread(fd, bytes, (size_t)st.st_size, 0);
    struct text rest = text_from(bytes, n < 0 ? 0 : (size_t)n);
    while (handover_pair_cut(&rest, &key, &value))
        take(c, key, value);
    MEM_FREE(&bytes);
}

/* ---- targets -------------------------------------------------------------------------------- */

static void send_health(struct control *c)
{
    const struct target_table *table = snapshot_compiler_targets(c->publishing.compiler);
    struct map_entry *entry;
    struct builder b;
    char value[TARGET_BECAUSE_SIZE + 128];

    builder_init(&b, ESTATE_MOST);
    for (size_t i = 0; map_next(&table->by_identity, &i, &entry);) {
        const struct target *t = entry->value;
        struct target_memory m = target_memorise(t);
        int length =
            snprintf(value, sizeof(value), "%d %lld %lld %lld %s", (int)m.state, (long long)m.since,
                     (long long)m.serving_since, (long long)m.ejected_until, m.because);
        handover_pair_print(text_of(t->identity), text_from(value, (size_t)length), &b);
    }
    send_memory(c->upgrade.link, SCOPE_HEALTH, builder_text(&b));
    builder_fini(&b);
}

static void take_target(struct control *c, struct text key, struct text value)
{
    struct target_memory m = { 0 };
    int64_t numbers[4];
    struct text piece;

    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (!text_cut(&value, ' ', &piece) || !text_parse_i64(piece, &numbers[i]))
            return;
    }
    if (numbers[0] < TARGET_UNKNOWN || numbers[0] > TARGET_DOWN)
        return;
    m.state = (enum target_state)numbers[0];
    m.since = numbers[1];
    m.serving_since = numbers[2];
    m.ejected_until = numbers[3];
    snprintf(m.because, sizeof(m.because), "%.*s", TEXT_ARGS(value));
    target_table_remember(snapshot_compiler_targets(c->publishing.compiler), key, &m);
}

/* ---- the old process ------------------------------------------------------------------------ */

bool control_estate_try_send(struct control *c)
{
    struct control_estate *e = &c->estate;
    uint64_t until = clock_read_ns() + SLICE_NS;

    if (!e->is_passing) {
        e->is_passing = true;
        e->position = 0;
        builder_init(&e->limits, ESTATE_MOST);
        limiter_freeze(c->limiter);
    }
    while (limiter_pass(c->limiter, &e->position, AT_ONCE, add_pair, &e->limits)) {
        if (clock_read_ns() > until)
            return false;
    }
    send_memory(c->upgrade.link, SCOPE_LIMITS, builder_text(&e->limits));
    send_health(c);
    return true;
}

void control_estate_take_back(struct control *c)
{
    struct control_estate *e = &c->estate;
    struct text rest = builder_text(&e->limits);
    struct text key;
    struct text value;

    if (!e->is_passing)
        return;
    limiter_thaw(c->limiter);
    while (handover_pair_cut(&rest, &key, &value)) {
        if (!limiter_take_back(c->limiter, key, value))
            log_debug(&c->log, "the bucket %.*s is gone", TEXT_ARGS(key));
    }
    control_estate_fini(c);
}

/* "UNSPENT UNTOLD"; the second only if there is something, as older versions know the first. */
static struct text print_rest(struct limiter_rest rest, char *into)
{
    int length = rest.untold == 0 ? snprintf(into, REST_SIZE, "%lld", (long long)rest.unspent)
                                  : snprintf(into, REST_SIZE, "%lld %lld", (long long)rest.unspent,
                                             (long long)rest.untold);
    return text_from(into, (size_t)length);
}

void control_estate_end(struct control *c)
{
    struct control_estate *e = &c->estate;
    struct text rest = builder_text(&e->limits);
    struct text key;
    struct text value;
    struct builder b;
    char printed[REST_SIZE];

    if (!control_is_replaced(c))
        return;
    builder_init(&b, ESTATE_MOST);
    while (handover_pair_cut(&rest, &key, &value)) {
        struct limiter_rest left;
        if (limiter_rest_of(c->limiter, key, value, &left))
            handover_pair_print(key, print_rest(left, printed), &b);
    }
    send_memory(c->upgrade.link, SCOPE_UNSPENT, builder_text(&b));
    builder_fini(&b);
}

void control_estate_fini(struct control *c)
{
    if (c->estate.is_passing)
        builder_fini(&c->estate.limits);
    c->estate.is_passing = false;
    if (c->estate.fd > 0)
        close(c->estate.fd);
    c->estate.fd = 0;
}

/* ---- the new process ------------------------------------------------------------------------ */

static void take_bucket(struct control *c, struct text key, struct text value)
{
    if (!limiter_receive(c->limiter, key, value))
        log_debug(&c->log, "there is no use for the bucket %.*s", TEXT_ARGS(key));
}

static void take_unspent(struct control *c, struct text key, struct text value)
{
    struct limiter_rest rest = { 0 };
    struct text piece;

    if (!text_cut(&value, ' ', &piece) || !text_parse_i64(piece, &rest.unspent) || rest.unspent < 0)
        return;
    if (value.at != NULL && (!text_parse_i64(value, &rest.untold) || rest.untold < 0))
        return;
    limiter_give(c->limiter, key, rest);
}

void control_estate_receive(struct control *c, struct text scope, int fd)
{
    struct control_estate *e = &c->estate;

    if (text_equals(scope, SCOPE_LIMITS) && e->fd == 0) {
        e->fd = fd; /* limits are known once they are compiled */
        return;
    }
    if (text_equals(scope, SCOPE_HEALTH))
        read_memory(c, fd, take_target);
    else if (text_equals(scope, SCOPE_UNSPENT))
        read_memory(c, fd, take_unspent);
    close(fd);
}

void control_estate_apply(struct control *c)
{
    if (c->estate.fd > 0)
        read_memory(c, c->estate.fd, take_bucket);
    target_table_forget(snapshot_compiler_targets(c->publishing.compiler));
    control_estate_fini(c);
}
