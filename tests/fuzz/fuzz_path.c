/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_path.c - whatever goes in, a normalised path normalises to itself, is made of the bytes of a
 * target, has no dot segment and no empty one, and is taken by the pattern parser as well.
 */
#include <stdlib.h>

#include "gatewayd/http/chars.h"
#include "gatewayd/http/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool is_dots(struct text segment)
{
    return text_equals(segment, TEXT_OF(".")) || text_equals(segment, TEXT_OF(".."));
}

static void check_segments(struct text path)
{
    struct text rest = text_skip(path, 1), segment;
    if (rest.length == 0)
        return;
    while (text_cut(&rest, '/', &segment)) {
        MUST(!is_dots(segment));
        MUST(segment.length > 0 || rest.at == NULL);
    }
}

/* What a server makes of it that decodes %2F, too. */
static void check_decoded(struct text path)
{
    char decoded[4096];
    size_t length = 0;
    for (size_t i = 0; i < path.length && length < sizeof(decoded); i++) {
        bool is_slash = path.length - i >= 3 && memcmp(path.at + i, "%2F", 3) == 0;
        decoded[length++] = is_slash ? '/' : path.at[i];
        i += is_slash ? 2 : 0;
    }
    struct text rest = text_from(decoded, length), segment;
    while (text_cut(&rest, '/', &segment))
        MUST(!is_dots(segment));
}

static void check_normal(struct path path, struct arena *arena)
{
    struct path again;
    struct text t = path.text;
    MUST(t.length > 0 && t.at[0] == '/');
    MUST(chars_skip(t.at, t.at + t.length, CHARS_TARGET) == t.at + t.length);
    MUST(path_parse(t, arena, &again) == REFUSAL_NONE);
    MUST(text_equals(t, again.text) && path.has_encoded_slash == again.has_encoded_slash);
    MUST(path_parse_pattern(t, arena, &again) == REFUSAL_NONE || text_find_byte(t, '?') < t.length);
    MUST(path.has_encoded_slash == text_contains(t, TEXT_OF("%2F")));
    MUST(!text_contains(t, TEXT_OF("%00")) && !text_contains(t, TEXT_OF("%5C")));
    check_segments(t);
    if (t.length < 4096)
        check_decoded(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct text raw = text_from((const char *)bytes, size);
    struct arena arena;
    struct path path, pattern;
    arena_init(&arena, SIZE_MAX);
    enum refusal plain = path_parse(raw, &arena, &path);
    if (plain == REFUSAL_NONE) {
        MUST(path.text.length <= raw.length);
        check_normal(path, &arena);
    }
    if (path_parse_pattern(raw, &arena, &pattern) == REFUSAL_NONE) {
        check_normal(pattern, &arena);
        MUST(plain != REFUSAL_NONE || text_equals(path.text, pattern.text));
    }
    arena_reset(&arena);
    return 0;
}
