/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pattern.c - PCRE2, and nothing of it outside. JIT where there is one; the interpreter otherwise
 * obeys the same limits.
 */
#include "gatewayd/route/pattern.h"

#include <pthread.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "conf/base/mem.h"

struct pattern {
    pcre2_code *code;
    char *source;
    size_t length;
};

/* What one thread needs to match any pattern. */
struct pattern_thread {
    pcre2_match_context *context;
    pcre2_match_data *match;
    pcre2_jit_stack *stack;
};

#define PATTERN_STACK_START (32u * 1024)
#define PATTERN_STACK_MAX   (256u * 1024)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static pcre2_compile_context *compile_context;

static void free_thread(void *arg)
{
    struct pattern_thread *t = arg;

    pcre2_match_data_free(t->match);
    pcre2_match_context_free(t->context);
    pcre2_jit_stack_free(t->stack);
    MEM_FREE(&t);
}

static void init_process(void)
{
    MUST(pthread_key_create(&thread_key, free_thread) == 0);
    compile_context = pcre2_compile_context_create(NULL);
    MUST(compile_context != NULL);
    MUST(pcre2_set_max_pattern_length(compile_context, PATTERN_LENGTH_MAX) == 0);
}

static struct pattern_thread *get_thread(void)
{
    static __thread struct pattern_thread *mine;

    if (LIKELY(mine != NULL))
        return mine;
    MUST(pthread_once(&once, init_process) == 0);
    mine = mem_new(sizeof(*mine));
    mine->context = pcre2_match_context_create(NULL);
    mine->match = pcre2_match_data_create(1, NULL); /* the whole match: groups are not asked for */
    MUST(mine->context != NULL && mine->match != NULL);
    MUST(pcre2_set_match_limit(mine->context, PATTERN_MATCH_LIMIT) == 0);
    MUST(pcre2_set_depth_limit(mine->context, PATTERN_DEPTH_LIMIT) == 0);
    mine->stack = pcre2_jit_stack_create(PATTERN_STACK_START, PATTERN_STACK_MAX, NULL);
    if (mine->stack != NULL)
        pcre2_jit_stack_assign(mine->context, NULL, mine->stack);
    MUST(pthread_setspecific(thread_key, mine) == 0);
    return mine;
}

static void explain(struct builder *why, int error, size_t offset)
{
    PCRE2_UCHAR message[160];

    if (why == NULL)
        return;
    if (pcre2_get_error_message(error, message, sizeof(message)) < 0)
        message[0] = '\0';
    builder_addf(why, "%s at offset %zu", (const char *)message, offset);
}

struct pattern *pattern_new(struct text source, struct builder *why)
{
    struct pattern *p;
    pcre2_code *code;
    PCRE2_SIZE offset = 0;
    int error = 0;

    MUST(pthread_once(&once, init_process) == 0);
    code = pcre2_compile((PCRE2_SPTR)(source.at == NULL ? "" : source.at), source.length,
                         PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &error, &offset,
                         compile_context);
    if (code == NULL) {
        explain(why, error, offset);
        return NULL;
    }
    /* Without JIT (none on this machine, no memory for code) it is interpreted. */
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    p = mem_new(sizeof(*p));
    p->code = code;
    p->source = mem_copy_text(source.at, source.length);
    p->length = source.length;
    return p;
}

void pattern_free(struct pattern **p)
{
    if (*p == NULL)
        return;
    pcre2_code_free((*p)->code);
    MEM_FREE(&(*p)->source);
    MEM_FREE(p);
}

bool pattern_check(struct text source, struct builder *why)
{
    struct pattern *p = pattern_new(source, why);

    if (p == NULL)
        return false;
    pattern_free(&p);
    return true;
}

enum pattern_result pattern_match(const struct pattern *p, struct text subject)
{
    struct pattern_thread *t = get_thread();
    const char *at = subject.at == NULL ? "" : subject.at;
    int found = pcre2_match(p->code, (PCRE2_SPTR)at, subject.length, 0, 0, t->match, t->context);

    if (found >= 0)
        return PATTERN_YES;
    return found == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_GAVE_UP;
}

struct text pattern_source(const struct pattern *p)
{
    return text_from(p->source, p->length);
}

const char *pattern_library_version(void)
{
    static char version[64];

    MUST(pcre2_config(PCRE2_CONFIG_VERSION, NULL) <= (int)sizeof(version));
    (void)pcre2_config(PCRE2_CONFIG_VERSION, version);
    return version;
}
