# SPDX-License-Identifier: Apache-2.0
"""The operator's command against a real node: what it prints, how it ends."""
import hashlib
import json
import os
import pty
import re
import select
import stat
import subprocess
import time

import pytest

from harness.certs import Authority
from harness.node import BUILD, TOKENS
from harness.ports import free_port
from harness.wait import SLOWNESS, scaled, until

pytestmark = pytest.mark.sanitize

RESOURCES = """
upstreams = ( { name = "orders"; targets = ( { address = "127.0.0.1:7001"; }, { address = "127.0.0.1:7002"; } ); } );
plans     = ( { name = "free"; limits = ( { name = "free"; rate = 10; per = "1s"; burst = 20; } ); } );
routes    = ( { name = "orders"; match = { paths = ("/orders"); }; upstream = "orders"; auth = { methods = ("key"); }; },
              { name = "hello"; respond = { body = "hello\\n"; }; } );
consumers = ( { name = "acme"; plan = "free"; } );
"""


class Ctl:
    def __init__(self, folder, server):
        self.folder = folder
        self.env = {"HOME": str(folder), "GATEWAYCTL_SERVER": server,
                    "GATEWAYCTL_TOKEN": TOKENS["admin"], "PATH": os.environ["PATH"]}
        for name, value in os.environ.items():
            if name.endswith("SAN_OPTIONS"):
                self.env[name] = value

    def run(self, *args, expect=0, stdin=None, **env):
        full = {k: v for k, v in {**self.env, **env}.items() if v is not None}
        done = subprocess.run([BUILD / "gatewayctl", *args], input=stdin, cwd=self.folder, env=full,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60 * SLOWNESS)
        assert done.returncode == expect, (args, done.returncode, done.stdout, done.stderr)
        return done

    def out(self, *args, **options):
        return self.run(*args, **options).stdout

    def err(self, *args, **options):
        return self.run(*args, **options).stderr

    def json(self, *args, **options):
        return json.loads(self.out(*args, "-o", "json", **options))

    def file(self, name, text):
        (self.folder / name).write_text(text)
        return name


@pytest.fixture(name="ctl")
def fixture_ctl(node, tmp_path):
    return Ctl(tmp_path, f"http://127.0.0.1:{node.admin_port}")


@pytest.fixture(name="applied")
def fixture_applied(ctl):
    ctl.run("apply", ctl.file("resources.conf", RESOURCES))
    return ctl


def table(text):
    """A list of dicts by title."""
    head, *rows = text.splitlines()
    places = [(m.group(), m.start()) for m in re.finditer(r"\S+(?: \S+)*", head)]
    return [dict(zip([title for title, _ in places], re.split(r" {2,}", row.strip())))
            for row in rows]


# ---- resources ----

def test_create_patch_put_delete(ctl, node, origin):
    assert "created, revision" in ctl.out("create", "upstream", "o", f"targets={origin.address}")
    ctl.run("create", "route", "r", "match.paths=/r", "upstream=o")
    assert node.get("/r").status == 200
    ctl.run("patch", "route", "r", "match.paths=/s", "timeout=5s")
    assert (node.get("/r").status, node.get("/s").status) == (404, 200)
    assert ctl.json("get", "route", "r", "--set")["timeout"] == "5s"
    ctl.run("patch", "route", "r", "timeout=")
    assert "timeout" not in ctl.json("get", "route", "r", "--set")
    ctl.run("put", "route", "r", "upstream=o")
    assert node.get("/anything").status == 200
    assert "upstream o is referred to by r" in ctl.err("delete", "upstream", "o", expect=1)
    ctl.run("delete", "route", "r")
    ctl.run("delete", "upstream", "o")
    assert node.get("/s").status == 404


def test_create_does_not_replace(applied):
    err = applied.err("create", "route", "hello", "respond.status=204", expect=1)
    assert "exists already" in err and "gatewayctl patch" in err


def test_a_resource_from_a_file_or_standard_input(ctl, node):
    ctl.run("put", "route", "r", "-f", ctl.file("r.conf", 'respond = { body = "a"; };'))
    assert node.get("/").body == b"a"
    ctl.run("put", "route", "r", "-f", "-", stdin='{"respond": {"body": "b"}}')
    assert node.get("/").body == b"b"
    ctl.run("put", "route", "r", "-f", "r.conf", "respond.status=201")
    assert (node.get("/").status, node.get("/").body) == (201, b"a")


def test_tables_json_and_names(applied):
    rows = table(applied.out("get", "routes"))
    assert [row["NAME"] for row in rows] == ["hello", "orders"]
    assert rows[1] == {"NAME": "orders", "HOSTS": "-", "PATHS": "/orders", "METHODS": "-",
                       "TO": "orders", "AUTH": "key", "LIMITS": "-"}
    assert table(applied.out("get", "plan"))[0]["LIMITS"] == "10/1s burst 20"
    assert [i["name"] for i in applied.json("get", "routes")["items"]] == ["hello", "orders"]
    assert applied.out("get", "routes", "-o", "names") == "hello\norders\n"
    assert "connect_timeout   1s" in applied.out("get", "upstream", "orders")
    assert "connect_timeout" not in applied.out("get", "upstream", "orders", "--set")


def test_lists_of_many_pages(ctl):
    count = 2100 if SLOWNESS == 1 else 1100
    document = {"consumers": [{"name": f"c{i:05}"} for i in range(count)]}
    ctl.run("apply", ctl.file("many.json", json.dumps(document)))
    assert len(ctl.json("get", "consumers")["items"]) == count
    assert len(ctl.json("get", "consumers", "--limit", "1001")["items"]) == 1001


def test_no_colours_and_no_controls_in_a_pipe(applied):
    text = applied.out("get", "routes", TERM="xterm") + applied.out("status", TERM="xterm")
    assert "\033" not in text


# ---- apply ----

def test_apply_shows_what_it_changes(ctl):
    out = ctl.out("apply", ctl.file("resources.conf", RESOURCES))
    assert "  + upstream orders\n" in out
    assert "5 changes: 5 added; in force with revision 1\n" in out
    assert ctl.out("apply", "-f", "resources.conf", "--yes") == "Nothing differs.\n"
    changed = RESOURCES.replace("rate = 10;", "rate = 7;").replace('name = "hello"', 'name = "hi"')
    out = ctl.out("apply", ctl.file("changed.conf", changed), "--dry-run")
    assert "  ~ plan     free\n      limits[0].rate: 10 → 7\n" in out
    assert "  - route    hello\n" in out and "  + route    hi\n" in out
    assert "nothing was done" in out
    assert ctl.out("config", "diff", "changed.conf") == out
    assert ctl.out("get", "routes", "-o", "names") == "hello\norders\n"


def test_apply_keeps_others_if_told_to(applied):
    applied.file("more.json", '{"routes": [{"name": "more", "respond": {}}]}')
    out = applied.out("apply", "more.json", "--keep")
    assert "+ route    more" in out and "removed" not in out
    assert applied.out("get", "routes", "-o", "names") == "hello\nmore\norders\n"


def test_an_export_applies_to_nothing_new(applied):
    applied.file("export.json", applied.out("config", "export"))
    assert applied.out("apply", "export.json") == "Nothing differs.\n"
    assert "connect_timeout" in applied.out("config", "export", "--defaults")


def test_errors_have_the_line_of_the_file(ctl):
    text = ('upstreams = ( { name = "o"; targets = (\n  { address = "nope"; } ); } );\n'
            'routes = (\n  { name = "r"; upstream = "o";\n    timeuot = "5s"; } );\n')
    err = ctl.err("apply", ctl.file("bad.conf", text), expect=1)
    assert "bad.conf:2: /upstreams/0/targets/0/address: " in err
    assert "bad.conf:5: /routes/0/timeuot: " in err and "timeout" in err
    err = ctl.err("apply", ctl.file("bad.json", '{"routes":\n [\n  {"name": "r",\n   "timeout": 5}]}'),
                  expect=1)
    assert "bad.json:4: /routes/0/timeout: " in err
    err = ctl.err("apply", ctl.file("broken.conf", "routes = (\n {\n"), expect=2)
    assert "broken.conf:" in err
    assert "nothing.conf" in ctl.err("apply", "nothing.conf", expect=2)
    assert ctl.out("get", "routes", "-o", "names") == ""


def talk(ctl, args, answer):
    """Runs at a terminal, answers the question; (status, everything on the screen)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(ctl.folder)
        os.execve(BUILD / "gatewayctl", ["gatewayctl", *args], {**ctl.env, "TERM": "xterm"})
    screen = b""
    end = time.monotonic() + 20 * SLOWNESS
    is_answered = False
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        screen += piece
        if b"[y/N] " in screen and not is_answered:
            os.write(fd, answer)
            is_answered = True
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), screen.decode()


def test_apply_asks_at_a_terminal(ctl):
    ctl.file("resources.conf", RESOURCES)
    status, screen = talk(ctl, ["apply", "resources.conf"], b"n\n")
    assert status == 0 and "5 changes: 5 added. Apply? [y/N]" in screen and "Nothing was done" in screen
    assert "\033[32m+ route    hello" in screen
    assert ctl.out("get", "routes", "-o", "names") == ""
    status, screen = talk(ctl, ["apply", "resources.conf"], b"y\n")
    assert status == 0 and "in force with revision 1" in screen
    ctl.env["NO_COLOR"] = "1"
    status, screen = talk(ctl, ["get", "routes"], b"")
    assert status == 0 and "\033" not in screen


# ---- editing ----

def editor(ctl, name, script):
    """EDITOR: a program that runs `script` on the file, $1, and keeps what it was given."""
    path = ctl.folder / name
    path.write_text(f"#!/bin/sh\ncp \"$1\" '{ctl.folder}/given'\n{script}\n")
    path.chmod(0o700)
    return {"EDITOR": f"{path} ", "VISUAL": None, "TMPDIR": str(ctl.folder)}


def kept(ctl):
    return list(ctl.folder.glob("gatewayctl-*"))


def test_editing_shows_what_changes_and_changes_it(applied, node):
    env = editor(applied, "change", 'sed -i s/hello.n/edited/ "$1"')
    done = applied.run("edit", "route", "hello", **env)
    assert "respond.body" in done.stdout and "route hello set, revision 2" in done.stdout
    assert node.get("/").body == b"edited"
    given = json.loads((applied.folder / "given").read_text())
    assert given == {"name": "hello", "respond": {"body": "hello\n"}}
    assert stat.S_IMODE((applied.folder / "given").stat().st_mode) == 0o600
    out = applied.out("edit", "route", "hello", "--dry-run", **editor(
        applied, "dry", 'sed -i s/edited/again/ "$1"'))
    assert "respond.body" in out
    assert node.get("/").body == b"edited"
    done = applied.run("edit", "route", "hello", **editor(applied, "nothing", ":"))
    assert "Nothing was changed" in done.stderr
    assert kept(applied) == []


def test_an_edit_with_errors_is_kept_and_changes_nothing(applied, node):
    env = editor(applied, "wrong", 'sed -i s/respond/respont/ "$1"')
    err = applied.err("edit", "route", "hello", expect=1, **env)
    (file,) = kept(applied)
    assert f"{file}:3: /respont: " in err and "did you mean respond" in err
    assert f"kept in {file}" in err
    file.unlink()
    err = applied.err("edit", "route", "hello", expect=2,
                      **editor(applied, "broken", 'echo "{" > "$1"'))
    assert "not JSON" in err and len(kept(applied)) == 1
    assert node.get("/").body == b"hello\n"
    assert "(404)" in applied.err("edit", "route", "none", expect=1, **env)
    err = applied.err("edit", "route", "hello", expect=2, **{**env, "EDITOR": "/none/such"})
    assert "cannot be started" in err
    assert "ended badly" in applied.err("edit", "route", "hello", expect=2,
                                        **editor(applied, "false", "exit 3"))


def test_an_edit_does_not_undo_what_somebody_else_did(applied, node):
    env = editor(applied, "slow", f"'{BUILD}/gatewayctl' patch route hello respond.body=theirs\n"
                                  'sed -i s/hello.n/mine/ "$1"')
    err = applied.err("edit", "route", "hello", expect=1, **env)
    assert "Somebody changed the route hello meanwhile" in err
    assert node.get("/").body == b"theirs"
    assert "mine" in kept(applied)[0].read_text()


def test_an_edit_with_errors_can_be_edited_again(applied, node):
    applied.env.update({k: v for k, v in editor(
        applied, "twice", 'if [ -e done ]; then sed -i "s/respont/respond/; s/hello.n/second/" "$1"; else '
        'touch done; sed -i s/respond/respont/ "$1"; fi').items() if v})
    status, screen = talk(applied, ["edit", "route", "hello"], b"y\ny\n")
    assert status == 0 and "Edit it again? [y/N]" in screen and "Apply? [y/N]" in screen, screen
    assert node.get("/").body == b"second"


# ---- history ----

def test_revisions_and_going_back(applied, node):
    applied.run("patch", "route", "hello", "respond.body=changed")
    assert node.get("/").body == b"changed"
    rows = table(applied.out("revisions"))
    assert [row["REVISION"] for row in rows] == ["2", "1"]
    assert rows[0]["AUTHOR"] == "admin-user" and rows[0]["WHAT"] == "route hello changed"
    out = applied.out("revision", "show", "2")
    assert "  ~ route    hello\n      respond.body: " in out
    assert "respond.body" in applied.out("restore", "1", "--dry-run")
    assert node.get("/").body == b"changed"
    assert "in force with revision 3" in applied.out("restore", "1")
    assert node.get("/").body == b"hello\n"
    assert len(applied.json("revisions", "--limit", "2")["items"]) == 2


def test_a_change_undoes_itself_unless_it_is_confirmed(applied, node):
    begin = time.monotonic()
    done = applied.run("patch", "route", "hello", "respond.body=risky", "--confirm", "3s")
    assert "gatewayctl confirm 2" in done.stderr
    assert node.get("/").body == b"risky" or time.monotonic() - begin > 3
    until(lambda: node.get("/").body == b"hello\n", timeout=5, what="the way back")
    revision = re.search(r"revision (\d+)", applied.out("patch", "route", "hello",
                                                        "respond.body=kept", "--confirm",
                                                        scaled("4s", "60s"))).group(1)
    assert "is kept" in applied.out("confirm", revision)
    time.sleep(scaled(4.5, 0))
    assert node.get("/").body == b"kept"


def test_if_match(applied, node):
    answer = node.admin("GET", "/v1/routes/hello")
    applied.run("patch", "route", "hello", "respond.body=x", "--if-match", answer.header("ETag"))
    err = applied.err("patch", "route", "hello", "respond.body=y", "--if-match",
                      answer.header("ETag"), expect=1)
    assert "(412)" in err


def test_watch(applied):
    process = subprocess.Popen([BUILD / "gatewayctl", "watch", "--after", "1", "-n", "1"],
                               env=applied.env, stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    applied.run("patch", "route", "hello", "respond.body=x")
    out, _ = process.communicate(timeout=20 * SLOWNESS)
    assert process.returncode == 0
    assert re.match(r"2  \S+Z  admin-user  route hello changed\n$", out)


# ---- keys ----

def test_the_life_of_a_key(applied, node):
    key = applied.json("keys", "create", "acme", "--expires", "30d", "--scopes", "a,b")
    assert key["key"].startswith("gwk_") and key["scopes"] == ["a", "b"]
    assert node.get("/orders", {"X-API-Key": key["key"]}).status == 502
    rows = table(applied.out("keys", "list", "--consumer", "acme"))
    assert rows[0]["ID"] == key["id"] and rows[0]["STATE"] == "active"
    assert key["key"] not in applied.out("keys", "get", key["id"])
    applied.run("keys", "change", key["id"], "--scopes", "a")
    assert applied.json("keys", "get", key["id"])["scopes"] == ["a"]
    new = applied.out("keys", "rotate", key["id"], "--grace", "1h", "--quiet").strip()
    for one in (key["key"], new):
        assert node.get("/orders", {"X-API-Key": one}).status == 502
    # What cannot be undone is not offered to be.
    for words in (("change", key["id"], "--scopes", "b"), ("rotate", key["id"]),
                  ("revoke", key["id"])):
        assert "--confirm" in applied.err("keys", *words, "--confirm", "60s", expect=2)
    applied.run("keys", "revoke", key["id"])
    assert node.get("/orders", {"X-API-Key": key["key"]}).status == 401
    assert node.get("/orders", {"X-API-Key": new}).status == 502
    applied.run("keys", "revoke", key["id"])


def test_keys_from_elsewhere(applied, node):
    secret = "legacy-key-0123456789"
    key = applied.json("keys", "create", "acme", "--key-file", "-", stdin=secret + "\n")
    assert "key" not in key
    assert node.get("/orders", {"X-API-Key": secret}).status == 502
    lines = [{"consumer": "acme", "sha256": hashlib.sha256(b"imported-key-number-%d" % i).hexdigest()}
             for i in range(50)]
    applied.file("keys.ndjson", "\n".join(json.dumps(line) for line in lines))
    applied.run("keys", "import", "keys.ndjson", "--dry-run")
    assert node.get("/orders", {"X-API-Key": "imported-key-number-7"}).status == 401
    assert "50 keys imported" in applied.out("keys", "import", "keys.ndjson")
    assert node.get("/orders", {"X-API-Key": "imported-key-number-7"}).status == 502


# ---- traffic ----

def test_explain(applied):
    out = applied.out("explain", "GET", "https://api.example.com/orders/17?x=1")
    assert out.startswith("GET api.example.com/orders/17?x=1\nis taken by the route orders: ")
    assert "sent to   upstream orders" in out and "asks for  a key" in out
    assert re.search(r"^hello +/? ?", out, re.M)
    assert applied.json("explain", "/orders")["route"] == "orders"
    applied.run("patch", "route", "hello", "match.headers.X-Tenant=a")
    assert "is answered 404" in applied.out("explain", "GET", "/x")
    assert "route hello" in applied.out("explain", "GET", "/x", "-H", "X-Tenant: a")


def test_health_and_targets(applied):
    rows = table(applied.out("health", "orders"))
    assert sorted(row["TARGET"] for row in rows) == ["127.0.0.1:7001", "127.0.0.1:7002"]
    applied.run("target", "orders", "127.0.0.1:7001", "--drain")
    states = {row["TARGET"]: row["STATE"] for row in table(applied.out("health"))}
    assert states == {"127.0.0.1:7001": "draining", "127.0.0.1:7002": "up"}
    assert "127.0.0.1:7001 (drain)" in applied.out("get", "upstreams")
    applied.run("target", "orders", "127.0.0.1:7001", "--undrain", "--weight", "5")
    assert "127.0.0.1:7001 (5)" in applied.out("get", "upstreams")


def test_top(applied, node):
    begin, asked = time.monotonic(), 0
    process = subprocess.Popen([BUILD / "gatewayctl", "top", "-n", "1", "-i", "2s"],
                               env=applied.env, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        assert node.get("/").status == 200
        asked += 1
        time.sleep(0.1)
    rate = asked / (time.monotonic() - begin)
    out, _ = process.communicate(timeout=30 * SLOWNESS)
    rows = {row["ROUTE"]: row for row in table(out.split("\n\n")[1])}
    assert rate / 5 < float(rows["hello"]["REQ/S"]) < rate * 5
    assert rows["orders"]["REQ/S"] == "-"
    assert rows["hello"]["P50"].endswith("s")


# ---- nodes ----

def test_status_drain_and_nodes(applied, node):
    status = applied.json("status")
    assert (status["node"], status["state"], status["revision"]) == ("gw-test", "ready", 1)
    assert table(applied.out("nodes"))[0]["NAME"] == "gw-test"
    applied.run("drain")
    until(lambda: applied.json("status")["state"] == "draining", what="draining")
    assert node.admin("GET", "/readyz", token=None).status == 503
    applied.run("undrain")
    until(node.is_ready, what="ready again")


# ---- how it ends ----

def test_status_of_all_nodes(applied, node):
    """With the embedded store there is one."""
    rows = table(applied.out("status", "--all"))
    assert [(row["NODE"], row["STATE"], row["STORE"]) for row in rows] == [
        (node.name, "ready", "connected")]
    answer = applied.json("status", "--all")
    assert [item["node"] for item in answer["items"]] == [node.name]
    assert "unreachable" not in answer


def test_exit_statuses(ctl):
    assert "There is no route nope" in ctl.err("get", "route", "nope", expect=1)
    assert 'Is "status" meant?' in ctl.err("statsu", expect=2)
    assert "--help" in ctl.err("get", "ruotes", expect=2)
    server = f"http://127.0.0.1:{free_port()}"
    err = ctl.err("status", "--server", server, expect=3)
    assert f"{server} cannot be reached" in err
    assert "Where" not in ctl.err("status", GATEWAYCTL_SERVER="http://x/y", expect=2)


def test_something_else_answers(ctl, origin):
    err = ctl.err("status", "-s", origin.address, expect=3)
    assert "not a gateway's admin API" in err


def test_roles(applied):
    err = applied.err("delete", "route", "hello", GATEWAYCTL_TOKEN=TOKENS["viewer"], expect=1)
    assert "(403)" in err
    assert "(401)" in applied.err("status", GATEWAYCTL_TOKEN="wrong", expect=1)
    assert "--token-file" in applied.err("status", GATEWAYCTL_TOKEN=None, expect=1)


def test_tokens_come_from_files_too(ctl):
    ctl.file("token", TOKENS["viewer"] + "\n")
    os.chmod(ctl.folder / "token", 0o600)
    done = ctl.run("status", "--token-file", "token", GATEWAYCTL_TOKEN=None)
    assert done.stderr == ""
    os.chmod(ctl.folder / "token", 0o644)
    assert "others may read it" in ctl.err("status", "-t", "token", GATEWAYCTL_TOKEN=None)


def test_the_file_in_the_home_folder(ctl):
    (ctl.folder / ".config").mkdir()
    path = ctl.folder / ".config" / "gatewayctl.conf"
    path.write_text(f'server = "{ctl.env["GATEWAYCTL_SERVER"]}";\ntoken = "{TOKENS["admin"]}";\n'
                    'output = "json";\n')
    os.chmod(path, 0o644)
    done = ctl.run("status", GATEWAYCTL_SERVER=None, GATEWAYCTL_TOKEN=None)
    assert json.loads(done.stdout)["node"] == "gw-test"
    assert "others may read it" in done.stderr
    os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    assert ctl.err("status", GATEWAYCTL_SERVER=None, GATEWAYCTL_TOKEN=None) == ""
    assert ctl.out("status", "-o", "table").startswith("node ")
    path.write_text("servr = 1;\n")
    err = ctl.err("status", expect=2)
    assert "gatewayctl.conf:1" in err and "server" in err


def test_a_token_never_stands_on_the_command_line(ctl):
    assert "--token-file" in ctl.err("status", "--token", "secret", expect=2)


def test_help_and_completion(ctl):
    for verb in ("get", "keys create", "apply", "top"):
        text = ctl.out(*verb.split(), "--help")
        assert f"gatewayctl {verb}" in text and "Examples:" in text
    assert ctl.out("help", "keys", "create") == ctl.out("keys", "create", "--help")
    assert "gatewayctl keys rotate" in ctl.out("help", "--all")
    assert ctl.out("help", "--man").startswith(".TH GATEWAYCTL 1")
    assert ctl.out("--version").startswith("gatewayctl ")
    script = ctl.out("completion", "bash") + (
        'COMP_WORDS=(gatewayctl get ups); COMP_CWORD=2; _gatewayctl; echo "${COMPREPLY[@]}"\n')
    done = subprocess.run(["bash", "-c", script], text=True, stdout=subprocess.PIPE, check=True,
                          env={**ctl.env, "PATH": f"{BUILD}:{ctl.env['PATH']}"})
    assert done.stdout == "upstreams\n"


def test_completion_knows_the_names_there_are(applied):
    assert applied.out("completion", "words", "--", "get", "routes", "or") == "orders\n"
    assert applied.out("completion", "words", "--", "get", "routes", "or",
                       GATEWAYCTL_SERVER=f"127.0.0.1:{free_port()}") == ""


def test_tls(make_node, tmp_path):
    authority = Authority(tmp_path / "certs")
    cert, key = authority.issue("admin", "localhost")
    client_cert, client_key = authority.issue("client", "client")
    node = make_node(start=False, admin={"tls": {"cert": str(cert), "key": str(key),
                                                 "client_ca": str(authority.cert)}})
    node.start(wait=False)
    ctl = Ctl(tmp_path, f"https://localhost:{node.admin_port}")
    as_client = ["--cacert", authority.cert, "--cert", client_cert, "--key", client_key]

    def answers():
        return subprocess.run([BUILD / "gatewayctl", *as_client, "status"], env=ctl.env,
                              capture_output=True, check=False).returncode == 0
    until(answers, timeout=15, what="the node")
    assert "--cacert" in ctl.err("status", expect=3)
    ctl.run("status", "--cacert", authority.cert, expect=3)
