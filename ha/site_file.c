/* SPDX-License-Identifier: Apache-2.0 */
/* site_file.c - strict: a line that is not understood refuses the whole file. */
#include "ha/site_file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ha/digits.h"

#define FILE_MOST 65536
#define WORDS     4

static bool is_name(const char *word)
{
    size_t length = strlen(word);

    if (length == 0 || length >= SITE_FILE_NAME || word[0] == '-')
        return false;
    return strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

/* As the kernel takes them (dev_valid_name), without '.', which names a folder, and without bytes
 * that no terminal shows. */
static bool is_interface(const char *word)
{
    size_t length = strlen(word);

    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)word[i] <= ' ' || word[i] == '\x7f')
            return false;
    }
    return length > 0 && length < IFNAMSIZ && strcmp(word, ".") != 0 && strcmp(word, "..") != 0 &&
           strpbrk(word, "/:") == NULL;
}

static bool parse_length(const char *word, unsigned most, unsigned *length_out)
{
    size_t count = strlen(word);

    return (word[0] != '0' || count == 1) && digits_parse(word, count, most, length_out);
}

static bool parse_address(char *word, struct site_address *a)
{
    char *slash = strchr(word, '/');

    if (slash == NULL)
        return false;
    *slash = '\0';
    a->family = strchr(word, ':') == NULL ? AF_INET : AF_INET6;
    return inet_pton(a->family, word, a->bytes) == 1 &&
           inet_ntop(a->family, a->bytes, a->text, sizeof(a->text)) != NULL &&
           parse_length(slash + 1, a->family == AF_INET ? 32 : 128, &a->length);
}

static const struct site_address *find_address(const struct site_file *site,
                                               const struct site_address *like)
{
    for (size_t i = 0; i < site->count; i++) {
        if (site->items[i].family == like->family &&
            memcmp(site->items[i].bytes, like->bytes, sizeof(like->bytes)) == 0)
            return &site->items[i];
    }
    return NULL;
}

/* What is wrong with it, or NULL. */
static const char *parse_words(struct site_file *site, char *words[WORDS])
{
    struct site_address a = { .family = AF_UNSPEC };

    if (!is_name(words[0]))
        return "a name is 1 to 63 of a-z, 0-9 and -, not beginning with -";
    if (!parse_address(words[1], &a))
        return "an address is IPv4/LENGTH or IPv6/LENGTH";
    if (!is_interface(words[2]))
        return "an interface is 1 to 15 characters without / and :";
    if (strcmp(words[3], "home") != 0 && strcmp(words[3], "guest") != 0)
        return "the last word is home or guest";
    if (site_file_find(site, words[0]) != NULL)
        return "the name stands in another line, too";
    if (find_address(site, &a) != NULL)
        return "the address stands in another line, too";
    if (site->count == SITE_FILE_MOST)
        return "there are more than 256 addresses";
    memcpy(a.name, words[0], strlen(words[0]) + 1);
    memcpy(a.interface, words[2], strlen(words[2]) + 1);
    a.is_home = words[3][0] == 'h';
    site->items[site->count++] = a;
    return NULL;
}

static const char *parse_line(struct site_file *site, char *line)
{
    char *words[WORDS];
    size_t count = 0;

    line[strcspn(line, "#")] = '\0';
    for (char *at = line + strspn(line, " \t\r"); *at != '\0'; at += strspn(at, " \t\r")) {
        if (count == WORDS)
            return "a line is NAME ADDRESS/LENGTH INTERFACE home|guest";
        words[count++] = at;
        at += strcspn(at, " \t\r");
        if (*at != '\0')
            *at++ = '\0';
    }
    if (count == 0)
        return NULL;
    if (count != WORDS)
        return "a line is NAME ADDRESS/LENGTH INTERFACE home|guest";
    return parse_words(site, words);
}

bool site_file_parse(const char *text, size_t length, struct site_file *site, char *why,
                     size_t why_size)
{
    const char *end = text + length;

    site->count = 0;
    for (unsigned number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((newline == NULL ? end : newline) - text);
        const char *wrong = "the line is too long";
        char line[SITE_FILE_LINE];

        if (memchr(text, '\0', size) != NULL) {
            wrong = "there is a NUL in it";
        } else if (size < sizeof(line)) {
            memcpy(line, text, size);
            line[size] = '\0';
            wrong = parse_line(site, line);
        }
        if (wrong != NULL) {
            snprintf(why, why_size, "line %u: %s", number, wrong);
            return false;
        }
        text += size + (newline == NULL ? 0 : 1);
    }
    return true;
}

bool site_file_read(const char *file, struct site_file *site, char *why, size_t why_size)
{
    static char text[FILE_MOST + 1];
    size_t filled = 0;
    ssize_t n = -1;
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && filled < sizeof(text) &&
           (n = read(fd, text + filled, sizeof(text) - filled)) > 0)
        filled += (size_t)n;
    if (fd < 0 || n < 0)
        snprintf(why, why_size, "%s cannot be read: %m", file);
    if (fd >= 0)
        close(fd);
    if (fd < 0 || n < 0)
        return false;
    if (filled > FILE_MOST) {
        snprintf(why, why_size, "%s is larger than 64 KiB", file);
        return false;
    }
    return site_file_parse(text, filled, site, why, why_size);
}

const struct site_address *site_file_find(const struct site_file *site, const char *name)
{
    for (size_t i = 0; i < site->count; i++) {
        if (strcmp(site->items[i].name, name) == 0)
            return &site->items[i];
    }
    return NULL;
}
