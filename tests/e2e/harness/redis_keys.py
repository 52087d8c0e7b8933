# SPDX-License-Identifier: Apache-2.0
"""What is in Redis, against what cluster/README.md says is there."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
HISTORY = 1000
WORDS = {"ID": "[0-9a-f]{32}", "TOKEN": "[0-9a-f]{16}-[0-9]+", "…": ".+"}


class Row:
    """One row of the table of keys: name, types, what it is, how it ends, what it grows with."""

    def __init__(self, cells):
        name, types, _, ends, _ = (cell.strip() for cell in cells)
        self.name = name.strip("`")
        parts = re.split("(ID|TOKEN|…)", self.name)
        self.pattern = re.compile("".join(WORDS.get(p) or re.escape(p) for p in parts))
        self.types = re.findall("[a-z]+", types)
        self.expires = re.search(r"[0-9] (s|min)|hour", ends) is not None


def documented():
    text = (ROOT / "cluster/README.md").read_text()
    table = text.split("### Keys in Redis\n")[1].split("| --- | --- | --- | --- | --- |\n")[1]
    rows = table.split("\n\n")[0].strip().splitlines()
    return [Row(row.strip("|").split(" | ")) for row in rows]


def content(redis, key, kind):
    """All that is kept under it, as bytes."""
    command = {"string": ["GET", key], "hash": ["HGETALL", key],
               "stream": ["XRANGE", key, "-", "+"]}[kind]
    return flat(redis.cli(*command))


def flat(reply):
    if isinstance(reply, (list, tuple)):
        return b"\n".join(flat(item) for item in reply)
    return reply if isinstance(reply, bytes) else str(reply).encode()


def scan(redis):
    cursor, keys = b"0", set()
    while True:
        cursor, some = redis.cli("SCAN", cursor, "COUNT", "1000")
        keys.update(some)
        if cursor == b"0":
            return sorted(keys)


def look_at(redis, secrets):
    """Every key is one that is named, of that type, ends if it should, and says no secret. Answers
    which rows of the table there was something of."""
    rows, seen = documented(), set()
    start = ("{%s}:" % redis.prefix).encode()
    for key in scan(redis):
        assert key.startswith(start), key
        name = key[len(start):].decode()
        row = next((r for r in rows if r.pattern.fullmatch(name)), None)
        assert row is not None, f"{name} is not named in cluster/README.md"
        kind = text_of(redis.cli("TYPE", key))
        if kind == "none":  # expired meanwhile
            continue
        assert kind in row.types, f"{name}: {kind}"
        if row.expires:
            assert redis.cli("PTTL", key) != -1, f"{name} stays for ever"
        held = key + b"\n" + content(redis, key, kind)
        for secret in secrets:
            assert secret.encode() not in held, f"{name} says a secret: {secret}"
        seen.add(row.name)
    log = start + b"log"
    assert redis.cli("XLEN", log) <= HISTORY + 300
    return seen


def text_of(reply):
    return reply.decode() if isinstance(reply, bytes) else reply
