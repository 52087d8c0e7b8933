/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/site_ask.h"

#include <stdlib.h>

#include "admin/ctl/site.h"

#define LINE_SIZE 1024

struct questions {
    FILE *in;
    FILE *out;
    struct arena *arena;
    bool has_ended;
};

/* A line, without blanks around it; `usual` for an empty one. Empty too once the input ended. */
static struct text ask(struct questions *q, const char *question, const char *usual)
{
    char line[LINE_SIZE];
    struct text answer;

    if (q->has_ended)
        return TEXT_EMPTY;
    (void)fputs(question, q->out);
    if (usual[0] != '\0')
        (void)fprintf(q->out, " [%s]", usual);
    (void)fputs(": ", q->out);
    (void)fflush(q->out);
    if (fgets(line, sizeof(line), q->in) == NULL) {
        q->has_ended = true;
        return TEXT_EMPTY;
    }
    answer = text_of(line);
    answer = text_trim(text_first(answer, text_find_byte(answer, '\n')));
    return arena_copy(q->arena, answer.length > 0 ? answer : text_of(usual));
}

static uint64_t ask_number(struct questions *q, const char *question, const char *usual,
                           uint64_t least, uint64_t most)
{
    uint64_t number = least;

    while (!q->has_ended) {
        if (text_parse_u64(ask(q, question, usual), &number) && number >= least && number <= most)
            return number;
        (void)fprintf(q->out, "A number from %llu to %llu, please.\n", (unsigned long long)least,
                      (unsigned long long)most);
    }
    return least;
}

static void add_text(struct questions *q, struct doc *object, const char *name, struct text value)
{
    if (value.length > 0)
        (void)doc_add(object, q->arena, text_of(name), doc_text(value));
}

/* "10.0.0.11 2001:db8::11": one of each family. */
static void add_own_addresses(struct questions *q, struct doc *node, struct text answer)
{
    struct text word;

    while (answer.at != NULL && text_cut(&answer, ' ', &word)) {
        const char *family = text_find_byte(word, ':') < word.length ? "ipv6" : "ipv4";

        if (word.length > 0)
            (void)doc_set(node, q->arena, text_of(family), doc_text(word));
    }
}

static struct doc ask_node(struct questions *q, size_t i, const char *interface)
{
    struct doc node = doc_object();
    const char *usual = arena_print(q->arena, "gw-%c", (char)('a' + i)).at;
    struct text name = ask(q, arena_print(q->arena, "Name of node %zu", i + 1).at, usual);

    add_text(q, &node, "name", name);
    add_text(q, &node, "interface",
             ask(q, arena_print(q->arena, "  its network interface").at, interface));
    add_own_addresses(
        q, &node, ask(q, "  its own address on it (IPv4, IPv6 or both, parted by a blank)", ""));
    return node;
}

/* Homes go round: the first address is at home on the first node. */
static struct doc addresses_of(struct questions *q, struct text answer, const struct doc *nodes)
{
    struct doc addresses = doc_list();
    size_t count = 0;
    struct text word;

    while (answer.at != NULL && text_cut(&answer, ' ', &word)) {
        const struct doc *home = &nodes->list.items[count % nodes->list.count];
        struct doc address = doc_object();

        if (word.length == 0)
            continue;
        add_text(q, &address, "name", arena_print(q->arena, "vip-%zu", ++count));
        add_text(q, &address, "address", word);
        add_text(q, &address, "home", doc_find_text(home, TEXT_OF("name")));
        (void)doc_append(&addresses, q->arena, address);
    }
    return addresses;
}

bool site_ask(FILE *in, FILE *out, struct arena *arena, struct doc *doc_out)
{
    struct questions q = { .in = in, .out = out, .arena = arena };
    struct doc nodes = doc_list();
    struct doc site = doc_object();
    const char *interface = "eth0";
    uint64_t count = ask_number(&q, "How many nodes", "2", 2, SITE_NODES_MAX);
    struct text answer;

    for (size_t i = 0; i < count && !q.has_ended; i++) {
        struct doc node = ask_node(&q, i, interface);
        struct text last = doc_find_text(&node, TEXT_OF("interface"));

        interface = last.length > 0 ? last.at : interface;
        (void)doc_append(&nodes, arena, node);
    }
    answer = ask(&q,
                 "The virtual addresses with the length of their network, as 10.0.0.100/24, parted "
                 "by blanks\n  (one for each node: all of them work; one alone: the others wait)",
                 "");
    (void)doc_add(&site, arena, TEXT_OF("addresses"), addresses_of(&q, answer, &nodes));
    (void)doc_add(&site, arena, TEXT_OF("nodes"), nodes);
    (void)doc_add(&site, arena, TEXT_OF("router_id"),
                  doc_int((int64_t)ask_number(&q,
                                              "The first VRRP number; nobody else in the "
                                              "network may use it or those that follow",
                                              "51", 1, 255)));
    *doc_out = site;
    return !q.has_ended;
}
