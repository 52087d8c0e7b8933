/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange_run.c - the order of stages: one list, one runner, one setter.
 */
#include <stdarg.h>
#include <stdio.h>

#include <unistd.h>

#include "gatewayd/exchange/exchange.h"

/* For a panic: what this thread is at work on. */
static __thread const struct exchange *at_work;

static const struct stage_row {
    const char *name;
    enum verdict (*run)(struct exchange *);
} stages[] = {
#define STAGE(n) [STAGE_##n] = { #n, stage_##n },
    STAGES
#undef STAGE
};

static const char *const verdict_names[] = {
    [VERDICT_NEXT] = "next",
    [VERDICT_WAIT] = "wait",
    [VERDICT_REPLY] = "reply",
    [VERDICT_FAIL] = "fail",
};

const char *exchange_stage_name(enum stage stage)
{
    MUST(stage < STAGE_COUNT);
    return stages[stage].name;
}

/* Forward, or to respond, or from forward back to balance for a further try. */
static bool can_move(enum stage from, enum stage to)
{
    return to > from || to == STAGE_respond || (from == STAGE_forward && to == STAGE_balance);
}

void exchange_enter(struct exchange *ex, enum stage stage)
{
    MUST(can_move(ex->stage, stage));
    ex->stage = stage;
    ex->stage_us[stage] = exchange_now_us(ex);
}

/* Where a stage that said NEXT leads: the list, but for routes without an upstream. */
static enum stage following(const struct exchange *ex)
{
    if (ex->stage != STAGE_limit)
        return ex->stage + 1;
    switch (ex->route->action) {
    case ROUTE_RESPOND:
        return STAGE_respond;
    case ROUTE_REDIRECT:
        return STAGE_redirect;
    case ROUTE_TO_UPSTREAM:
    case ROUTE_TO_SPLIT:
        break;
    }
    return STAGE_transform;
}

/* True: there is another stage to run. */
static bool follow(struct exchange *ex, enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_NEXT:
        exchange_enter(ex, following(ex));
        return true;
    case VERDICT_WAIT:
        MUST(ex->waiting_on != NULL || ex->is_over);
        return false;
    case VERDICT_FAIL:
        MUST(ex->failure != FAILURE_NONE && ex->stage != STAGE_respond);
        exchange_enter(ex, STAGE_respond);
        return true;
    case VERDICT_REPLY:
        MUST(ex->stage != STAGE_respond);
        exchange_enter(ex, STAGE_respond);
        return true;
    }
    return false;
}

void exchange_run(struct exchange *ex)
{
    enum verdict verdict;

    MUST(!ex->is_running && !ex->is_over);
    ex->is_running = true;
    at_work = ex;
    do {
        enum stage stage = ex->stage;
        ex->waiting_on = NULL;
        verdict = stages[stage].run(ex);
        log_debug(&ex->log, "%s: %s", stages[stage].name, verdict_names[verdict]);
    } while (follow(ex, verdict));
    ex->is_running = false;
    at_work = NULL;
}

void exchange_dump(void)
{
    const struct exchange *ex = at_work;
    char line[512];

    if (ex == NULL || ex->magic != EXCHANGE_MAGIC)
        return;
    int length =
        snprintf(line, sizeof(line),
                 "gatewayd: in exchange %.*s, stage %s, route %.*s, upstream %.*s, "
                 "failure %s, tries %u%s\n",
                 TEXT_ARGS(ex->request_id), stages[ex->stage].name, TEXT_ARGS(ex->route_name),
                 TEXT_ARGS(ex->upstream_name), failure_names()[ex->failure], ex->tries,
                 ex->is_answering ? ", answering" : "");
    if (length > (int)sizeof(line) - 1)
        length = (int)sizeof(line) - 1;
    ssize_t n = write(STDERR_FILENO, line, (size_t)length);
    (void)n;
}

void exchange_resume(struct exchange *ex)
{
    MUST(ex->waiting_on != NULL);
    exchange_run(ex);
}

enum verdict exchange_fail(struct exchange *ex, enum failure failure, const char *format, ...)
{
    char detail[256];
    va_list args;

    if (ex->failure != FAILURE_NONE)
        return VERDICT_FAIL;
    ex->failure = failure;
    va_start(args, format);
    int length = vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    if (length > (int)sizeof(detail) - 1)
        length = (int)sizeof(detail) - 1;
    if (length <= 0 || !arena_try_copy(&ex->arena, text_from(detail, (size_t)length), &ex->detail))
        ex->detail = TEXT_EMPTY;
    return VERDICT_FAIL;
}

void exchange_end_badly(struct exchange *ex)
{
    MUST(ex->failure != FAILURE_NONE && !ex->is_over);
    if (!ex->is_answering && !ex->is_released) {
        exchange_release_upstream(ex);
        exchange_enter(ex, STAGE_respond);
        exchange_run(ex);
        return;
    }
    if (!ex->is_released)
        ex->down->type->cut(ex->down);
    exchange_finish(ex);
}
