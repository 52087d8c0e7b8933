#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Functions and words that have no place here, each with what to use instead."""
import re
import sys

sys.dont_write_bytecode = True
import source  # noqa: E402

FUNCTIONS = {
    "atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|strtod|sscanf": "a text_parse_* function",
    "strtok|strtok_r|strsep": "text_cut",
    "strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|gets": "builder, arena_print or snprintf",
    "strdup|strndup": "mem_copy_text or arena_copy",
    "malloc|calloc|realloc|reallocarray": "mem_new, mem_resize or an arena",
    "alloca|setjmp|longjmp": "nothing: do without",
    "assert": "MUST",
    "system|popen": "nothing: no shell",
    "rand|random|drand48": "digest_random",
    "localtime|gmtime|ctime|asctime": "text_print_time",
    "gethostbyname|getaddrinfo": "the resolver",
    "sleep|usleep": "a timer of the loop",
}
# Where a banned function is at home.
HOME = {
    ("conf/base/mem.c", "malloc"), ("conf/base/mem.c", "calloc"), ("conf/base/mem.c", "realloc"),
}
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|^\s*#\s*if\s+0\b", re.M)
FILE_NAMES = re.compile(r"(^|_)(util|utils|misc|helper|helpers|common|manager|context)(_|$)")
TYPEDEF = re.compile(r"\btypedef\s+(struct|union|enum)\b[^;(]*[;{]")


def check_file(path, rows):
    raw, code = path.read_text(errors="replace"), source.code_of(path)
    for names, instead in FUNCTIONS.items():
        for found in re.finditer(rf"(?<![\w.>])({names})\s*\(", code):
            name = found.group(1)
            if (str(path), name) not in HOME and not source.is_excepted(rows, path, name):
                line = code.count("\n", 0, found.start()) + 1
                yield f"{path}:{line}: {name}(): use {instead}"
    for found in WORDS.finditer(raw):
        yield f"{path}:{raw.count(chr(10), 0, found.start()) + 1}: {found.group(0).strip()}"
    for found in TYPEDEF.finditer(code):
        line = code.count("\n", 0, found.start()) + 1
        yield f"{path}:{line}: typedef only function types"
    if FILE_NAMES.search(path.stem):
        yield f"{path}: the name says nothing of what is in it"
    if "\t" in raw:
        yield f"{path}: a tab"


def main():
    rows = source.exceptions("tests/lint/banned.exceptions")
    bad = [text for path in source.files(".c", ".h") for text in check_file(path, rows)]
    print("\n".join(bad))
    return 1 if bad else 0


sys.exit(main())
