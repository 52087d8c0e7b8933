/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/ha_addresses.h"

#include <net/if.h>
#include <stdio.h>

#include "conf/read_file.h"

#define NAME_MOST 63
#define LINE_MOST 255
#define FILE_MOST 65536

struct reading {
    struct ha_addresses *into;
    unsigned *lines; /* where each address stands */
    struct place place;
    struct problems *ps;
};

/* The next word, parted by spaces and tabs; empty at the end. */
static struct text take_word(struct text *rest)
{
    struct text word;
    size_t end = 0;

    *rest = text_trim(*rest);
    while (end < rest->length && rest->at[end] != ' ' && rest->at[end] != '\t')
        end++;
    word = text_first(*rest, end);
    *rest = text_skip(*rest, end);
    return word;
}

static bool is_name(struct text t)
{
    if (t.length == 0 || t.length > NAME_MOST || t.at[0] == '-')
        return false;
    for (size_t i = 0; i < t.length; i++) {
        char c = t.at[i];
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-')
            return false;
    }
    return true;
}

/* As the kernel takes them (dev_valid_name), without '.', which names a folder, and without bytes
 * that no terminal shows. */
static bool is_interface(struct text t)
{
    for (size_t i = 0; i < t.length; i++) {
        if ((unsigned char)t.at[i] <= ' ' || t.at[i] == '\x7f')
            return false;
    }
    return t.length > 0 && t.length < IFNAMSIZ && !text_equals(t, TEXT_OF(".")) &&
           !text_equals(t, TEXT_OF("..")) && text_find_byte(t, '/') == t.length &&
           text_find_byte(t, ':') == t.length;
}

static bool parse_length(struct text digits, sa_family_t family, unsigned *length_out)
{
    uint64_t value;

    if (digits.length > 3 || (digits.length > 1 && digits.at[0] == '0') ||
        !text_parse_u64(digits, &value) || value > (family == AF_INET ? 32 : 128))
        return false;
    *length_out = (unsigned)value;
    return true;
}

static bool parse_address(struct text word, struct ha_address *a)
{
    size_t slash = text_find_byte(word, '/');
    struct text ip = text_first(word, slash);

    return slash < word.length && text_find_byte(ip, '[') == ip.length &&
           address_parse_ip(ip, 0, &a->at) &&
           parse_length(text_skip(word, slash + 1), a->at.any.sa_family, &a->length);
}

/* Of an earlier line with this name, or else this address; 0: there is none. */
static unsigned find_line(const struct reading *r, const struct ha_address *a, bool by_name)
{
    for (size_t i = 0; i < r->into->count; i++) {
        const struct ha_address *other = &r->into->items[i];
        if (by_name ? text_equals(other->name, a->name) : address_equals(&other->at, &a->at))
            return r->lines[i];
    }
    return 0;
}

static void refuse(struct reading *r, const char *field, struct text got, const char *wanted)
{
    r->place.path = field;
    problems_add(r->ps, r->place, "The %s must be %s, got \"%.*s\".", field, wanted,
                 TEXT_ARGS(text_first(got, 100)));
}

static void refuse_repeated(struct reading *r, const char *field, struct text got, unsigned line)
{
    r->place.path = field;
    problems_add(r->ps, r->place,
                 "The %s %.*s is that of line %u too; each address must have its own.", field,
                 TEXT_ARGS(got), line);
}

static void add(struct reading *r, const struct ha_address *a)
{
    struct ha_addresses *all = r->into;
    char text[ADDRESS_TEXT_SIZE];

    r->lines[all->count] = r->place.line;
    all->items[all->count] = *a;
    all->items[all->count].name = arena_copy(&all->arena, a->name);
    all->items[all->count].interface = arena_copy(&all->arena, a->interface);
    all->items[all->count].text = arena_copy(&all->arena, address_print_ip(&a->at, text));
    all->count++;
}

static void parse_line(struct reading *r, struct text line)
{
    struct ha_address a = { .name = take_word(&line) };
    struct text address = take_word(&line);
    struct text role;
    unsigned other;

    a.interface = take_word(&line);
    role = take_word(&line);
    a.is_home = text_equals(role, TEXT_OF("home"));
    r->place.path = "";
    if (role.length == 0 || text_trim(line).length > 0)
        problems_add(r->ps, r->place,
                     "A line of addresses must be NAME ADDRESS/LENGTH INTERFACE home|guest.");
    else if (!is_name(a.name))
        refuse(r, "name", a.name, "1 to 63 of a-z, 0-9 and -, not beginning with -");
    else if (!parse_address(address, &a))
        refuse(r, "address", address,
               "an IP address and the length of its network, as "
               "10.0.0.100/24 or 2001:db8::100/64");
    else if (!is_interface(a.interface))
        refuse(r, "interface", a.interface, "the name of a network interface, as eth0");
    else if (!a.is_home && !text_equals(role, TEXT_OF("guest")))
        refuse(r, "role", role,
               "home (this node should hold the address) or guest (another should)");
    else if ((other = find_line(r, &a, true)) != 0)
        refuse_repeated(r, "name", a.name, other);
    else if ((other = find_line(r, &a, false)) != 0)
        refuse_repeated(r, "address", address, other);
    else if (r->into->count == HA_ADDRESSES_MOST)
        problems_add(r->ps, r->place, "There must be at most %d addresses.", HA_ADDRESSES_MOST);
    else
        add(r, &a);
}

/* The programs beside keepalived have room for no more. */
static void check_bytes(struct reading *r, struct text text)
{
    struct text line;

    if (text.length > FILE_MOST)
        problems_add(r->ps, r->place, "The file of addresses must be at most 64 KiB.");
    for (r->place.line = 1; text_cut(&text, '\n', &line); r->place.line++) {
        if (line.length > LINE_MOST || text_find_byte(line, '\0') < line.length)
            problems_add(r->ps, r->place,
                         "A line of addresses must be at most %d bytes, with no NUL among them.",
                         LINE_MOST);
    }
    r->place.line = 0;
}

bool ha_addresses_parse(struct text text, const char *file, struct problems *ps,
                        struct ha_addresses *out)
{
    unsigned lines[HA_ADDRESSES_MOST];
    struct ha_addresses all = { .count = 0 };
    struct reading r = {
        .into = &all, .lines = lines, .place = { .file = file, .pointer = "", .path = "" }, .ps = ps
    };
    size_t before = ps->count + ps->dropped;
    struct text line;

    arena_init(&all.arena, SIZE_MAX);
    all.items = arena_zalloc(&all.arena, HA_ADDRESSES_MOST * sizeof(*all.items));
    if (text.at == NULL)
        text.at = "";
    check_bytes(&r, text);
    while (text_cut_line(&text, &r.place.line, &line))
        parse_line(&r, line);
    if (all.count == 0 && ps->count + ps->dropped == before)
        problems_add(ps, (struct place){ .file = file, .pointer = "", .path = "" },
                     "There must be at least one address: a line of NAME ADDRESS/LENGTH INTERFACE "
                     "home|guest.");
    if (ps->count + ps->dropped != before) {
        arena_reset(&all.arena);
        return false;
    }
    *out = all;
    return true;
}

bool ha_addresses_read(const char *file, struct problems *ps, struct ha_addresses *out)
{
    struct arena arena;
    struct text text;
    bool is_good;

    arena_init(&arena, SIZE_MAX);
    is_good = read_file(file, NULL, &arena, ps, &text) && ha_addresses_parse(text, file, ps, out);
    arena_reset(&arena);
    return is_good;
}

void ha_addresses_fini(struct ha_addresses *a)
{
    arena_reset(&a->arena);
    a->items = NULL;
    a->count = 0;
}
