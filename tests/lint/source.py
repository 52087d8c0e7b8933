# SPDX-License-Identifier: Apache-2.0
"""What the checks need to know of C: the tree's files, code without comments, functions."""
import fnmatch
import pathlib
import re

ROOMS = ("conf", "gatewayd", "cluster", "admin", "ha")


def files(*suffixes, folders=ROOMS):
    found = []
    for folder in folders:
        found += [p for p in pathlib.Path(folder).rglob("*") if p.suffix in suffixes]
    return sorted(found)


def exceptions(path):
    """[(file pattern, name pattern)]: lines "FILE NAME reason"; a reason is required."""
    rows = []
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3:
            raise SystemExit(f"{path}:{number}: an exception needs FILE NAME and a reason")
        rows.append((words[0], words[1]))
    return rows


def is_excepted(rows, file, name):
    return any(fnmatch.fnmatch(str(file), f) and fnmatch.fnmatch(name, n) for f, n in rows)


_TOKENS = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def _blank(match):
    """Comments become nothing, strings empty, lines stay."""
    token = match.group(0)
    lines = "\n" * token.count("\n")
    if token[0] == "/":
        return " " + lines
    return token[0] + token[0]


def code_of(path):
    """The file without comments, contents of strings, and preprocessor lines."""
    text = _TOKENS.sub(_blank, path.read_text(errors="replace"))
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group(0).count("\n"), text,
                  flags=re.M)
    return text


class Function:
    def __init__(self, path, name, line, lines, parameters, body):
        self.path, self.name, self.line = path, name, line
        self.lines, self.parameters, self.body = lines, parameters, body

    @property
    def branches(self):
        return len(re.findall(r"\b(?:if|for|while|case)\b|&&|\|\||\?", self.body))

    @property
    def depth(self):
        deepest = depth = 0
        for c in self.body:
            depth += (c == "{") - (c == "}")
            deepest = max(deepest, depth)
        return deepest


def _close(text, at, opening, closing):
    """The place after what closes text[at]."""
    depth = 0
    for i in range(at, len(text)):
        if text[i] == opening:
            depth += 1
        elif text[i] == closing:
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)


_HEAD = re.compile(r"(\w+)\s*$")


def _parse_head(head):
    """(name, parameters) if the text before a '{' at file level ends like a function's."""
    head = head.rstrip()
    if not head.endswith(")") or "=" in head:
        return None
    depth = 0
    for i in range(len(head) - 1, -1, -1):
        depth += (head[i] == ")") - (head[i] == "(")
        if depth == 0:
            break
    name = _HEAD.search(head[:i])
    if name is None:
        return None
    inside = head[i + 1:-1].strip()
    depth = count = 0
    for c in inside:
        depth += (c == "(") - (c == ")")
        count += c == "," and depth == 0
    return name.group(1), 0 if inside in ("", "void") else count + 1


def functions_of(path):
    text = code_of(path)
    found = []
    start = at = 0
    while at < len(text):
        c = text[at]
        if c == ";":
            start = at + 1
        elif c == "{":
            end = _close(text, at, "{", "}")
            head = _parse_head(text[start:at])
            if head is not None:
                body = text[at:end]
                first = text.count("\n", 0, start + len(text[start:at]) -
                                   len(text[start:at].lstrip())) + 1
                last = text.count("\n", 0, end) + 1
                found.append(Function(path, head[0], first, last - first + 1, head[1], body))
                start = end
            at = end
            continue
        at += 1
    return found


def at_share(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0
