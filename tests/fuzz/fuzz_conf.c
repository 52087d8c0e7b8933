/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_conf.c - documents of configuration. The first byte says what the rest is: a resource of
 * one of the four kinds as JSON, a document of resources (JSON read item by item, or libconfig),
 * a node file, tokens. What was accepted must print as text that is accepted, and prints the same.
 */
#include "conf/config.h"
#include "conf/config_reader.h"
#include "conf/node.h"
#include "conf/read_libconfig.h"
#include "conf/schema.h"
#include "conf/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig loses a few bytes when a text is not libconfig. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig\n";
}

static void read_resource(enum resource_kind kind, struct text json, bool is_lenient)
{
    const struct checks checks = { .lenient = is_lenient };
    struct problems ps;
    struct builder full;
    struct resource *r;
    struct resource *again;

    problems_init(&ps);
    builder_init(&full, 1 << 24);
    r = resource_parse(kind, json, &checks, &ps);
    MUST((r == NULL) == !problems_is_empty(&ps));
    if (r != NULL) {
        again = resource_parse(kind, r->set, &checks, &ps);
        MUST(again != NULL && resource_equals(r, again));
        resource_unref(&again);
        resource_print(r, &full);
        again = resource_parse(kind, builder_text(&full), &checks, &ps);
        MUST(again != NULL);
        resource_unref(&again);
        resource_unref(&r);
    }
    builder_fini(&full);
    problems_fini(&ps);
}

static void read_items(struct text json)
{
    struct config_reader reader;
    struct config_reader_item item;
    enum config_reader_step step;
    struct problems ps;
    struct arena arena;

    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    config_reader_init_json(&reader, json, NULL);
    do {
        step = config_reader_next(&reader, &arena, &ps, &item);
        arena_reset(&arena);
    } while (step == CONFIG_READER_ITEM || step == CONFIG_READER_PROBLEM);
    problems_fini(&ps);
}

static void read_document(struct text text)
{
    struct problems ps;
    struct arena arena;
    struct config config;
    struct doc doc;

    problems_init(&ps);
    arena_init(&arena, SIZE_MAX);
    if (read_libconfig_text(text, "fuzz", &arena, &ps, &doc) &&
        config_bind(&doc, NULL, &ps, &config))
        config_fini(&config);
    arena_reset(&arena);
    problems_fini(&ps);
}

static void read_node(struct text text)
{
    struct problems ps;
    struct node_config *node;

    problems_init(&ps);
    node = node_config_parse(text, "fuzz", &ps);
    MUST((node == NULL) == !problems_is_empty(&ps));
    node_config_unref(&node);
    problems_fini(&ps);
}

static void read_tokens(struct text text)
{
    struct problems ps;
    struct tokens tokens;

    problems_init(&ps);
    if (tokens_parse(text, "fuzz", &ps, &tokens))
        tokens_fini(&tokens);
    problems_fini(&ps);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text text;

    if (size == 0)
        return 0;
    text = text_from((const char *)bytes + 1, size - 1);
    /* No other files are read here. */
    if (text_contains(text, TEXT_OF("@include")))
        return 0;
    if (bytes[0] < 2 * RESOURCE_KINDS)
        read_resource((enum resource_kind)(bytes[0] % RESOURCE_KINDS), text,
                      bytes[0] >= RESOURCE_KINDS);
    else if (bytes[0] == 8)
        read_items(text);
    else if (bytes[0] == 9)
        read_document(text);
    else if (bytes[0] == 10)
        read_node(text);
    else
        read_tokens(text);
    return 0;
}
