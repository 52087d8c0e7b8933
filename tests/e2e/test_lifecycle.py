# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping, crashing, reloading: nothing acknowledged is lost, nobody is cut off."""
import contextlib
import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pytest

from harness.node import BUILD
from harness.client import Connection, Cut
from harness.still import Still
from harness.wait import SLOWNESS, scaled, until

pytestmark = pytest.mark.sanitize


def test_sigterm_finishes_what_is_in_flight(make_node, make_origin):
    release = threading.Event()

    def slow(peer, request):
        release.wait(60)
        peer.respond(200, b"finished")

    origin = make_origin(slow)
    node = make_node()
    node.upstream("o", origin)
    node.route("r", "o")
    idle = node.connect()
    busy = node.connect()
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: origin.requests)
    node.signal(signal.SIGTERM)
    until(lambda: node.admin("GET", "/readyz", token=None).status == 503)
    release.set()
    answer = busy.read()
    assert (answer.status, answer.body) == (200, b"finished")
    assert answer.header("Connection") == "close"
    answer = idle.request("GET", "/")
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert node.wait() == 0


def test_a_second_signal_ends_at_once(make_node, make_origin):
    def never(peer, request):
        time.sleep(120)

    origin = make_origin(never)
    node = make_node(timeouts={"drain": "100s"})
    node.upstream("o", origin)
    node.route("r", "o")
    c = node.connect()
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: origin.requests)
    node.signal(signal.SIGTERM)
    until(lambda: "drain" in node.log().lower())
    node.signal(signal.SIGTERM)
    begin = time.monotonic()
    assert node.wait(5) == 0
    assert time.monotonic() - begin < 5 * SLOWNESS
    assert "told to stop again" in node.log()


@pytest.mark.parametrize("window", ["100s", scaled("1s", "8s")], ids=["long", "short"])
def test_who_is_queued_when_the_node_ends_is_answered(make_node, window):
    """Nobody who was let in by the kernel is reset."""
    node = make_node(timeouts={"drain": window})
    node.route("r", paths=["/"], respond={"body": "here"})
    count = 300
    with Still(node):
        links = [node.connect() for _ in range(count)]
        for link in links:
            link.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        node.signal(signal.SIGTERM)
    for link in links:
        assert link.read().status == 200
        link.close()
    assert node.wait() == 0


def test_who_comes_while_the_node_ends_is_answered_or_never_let_in(make_node, tmp_path):
    path = str(tmp_path / "in.sock")
    node = make_node(start=False)
    node.config["listeners"].append({"name": "unix", "address": f"unix:{path}"})
    node.write_config()
    node.start()
    node.route("r", paths=["/"], respond={"body": "here"})
    answered, wrong, ends = [], [], threading.Event()

    def come(address):
        while not ends.is_set():
            try:
                link = Connection(address, timeout=0.5)
            except OSError:  # refused, or no answer to the handshake
                time.sleep(0.01)
                continue
            link.sock.settimeout(30 * SLOWNESS)
            try:
                answered.append(link.request("GET", "/").status)
            except Exception as error:  # pylint: disable=broad-except
                wrong.append(repr(error))
            link.close()

    threads = [threading.Thread(target=come, args=(address,))
               for address in [node.address] * 4 + [path] * 2]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 50)
    assert node.stop() == 0
    ends.set()
    for thread in threads:
        thread.join()
    assert not wrong and set(answered) == {200}


def workers_of(node):
    """Threads of it that serve yet."""
    names = []
    for task in pathlib.Path(f"/proc/{node.process.pid}/task").iterdir():
        try:
            names.append((task / "comm").read_text())
        except OSError:  # ended meanwhile
            continue
    return sum(name.startswith("worker-") for name in names)


def ends_while_a_target_is_checked(node, make_origin):
    """The first check of a new target is answered when one worker has ended and the other waits for a
    client that still sends. False: not in this try."""
    release = threading.Event()

    def slow(peer, request):
        release.wait(60)
        peer.respond(200)

    origin = make_origin(slow)
    node.route("r", respond={"body": "here"})
    sender = node.connect()
    sender.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
    assert sender.read().status == 200

    def bring_target():
        with contextlib.suppress(OSError, Cut):  # it ends meanwhile
            node.admin("PUT", "/v1/upstreams/o", {"targets": [{"address": origin.address}],
                                                  "health": {"interval": "10s", "timeout": "9s"}})

    bringer = threading.Thread(target=bring_target)
    bringer.start()
    until(lambda: origin.requests, pause=0.001)
    node.signal(signal.SIGTERM)
    until(lambda: workers_of(node) < 2, pause=0.001)
    is_in_time = workers_of(node) == 1
    release.set()
    assert node.wait() == 0
    bringer.join()
    sender.close()
    log = node.log()
    return is_in_time and "is up because status 200" in log and "revision 2 is in force" not in log


def test_a_configuration_that_comes_too_late_harms_nobody(make_node, make_origin):
    for _ in range(8):
        if ends_while_a_target_is_checked(make_node(), make_origin):
            return
    raise AssertionError("it ended too soon, or too late, each time")


def test_the_drain_has_a_deadline(make_node, make_origin):
    def never(peer, request):
        time.sleep(120)

    origin = make_origin(never)
    node = make_node(timeouts={"drain": "500ms"})
    node.upstream("o", origin)
    node.route("r", "o")
    c = node.connect()
    c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: origin.requests)
    begin = time.monotonic()
    assert node.stop(10) == 0
    assert time.monotonic() - begin < 6 * SLOWNESS


def test_kill_9_loses_nothing_acknowledged(make_node):
    node = make_node()
    acknowledged = {}
    for round_number in range(scaled(8, 2)):
        stop = threading.Event()

        def write():
            i = 0
            while not stop.is_set():
                i += 1
                name = f"p{round_number}-{i}"
                try:
                    answer = node.admin("PUT", f"/v1/plans/{name}", {"limits": []})
                except Exception:  # killed under it: not acknowledged
                    return
                if answer.status == 201:
                    acknowledged[name] = answer.header("ETag")

        thread = threading.Thread(target=write)
        thread.start()
        before = len(acknowledged)
        until(lambda: len(acknowledged) > before + 3, what="changes that were acknowledged")
        time.sleep(random.uniform(0, 0.2))
        node.kill()
        stop.set()
        thread.join()
        node.start()
        for name, etag in acknowledged.items():
            answer = node.admin("GET", f"/v1/plans/{name}")
            assert (answer.status, answer.header("ETag")) == (200, etag), name


def test_a_torn_tail_is_cut_and_damage_is_reported(make_node):
    node = make_node()
    for i in range(5):
        node.put("plans", f"p{i}", {})
    node.stop()
    journals = [p for p in (node.folder / "state").iterdir() if p.is_file() and p.stat().st_size > 200]
    journal = max(journals, key=lambda p: p.stat().st_mtime)
    with open(journal, "ab") as f:
        f.write(b"\x55" * 7)
    node.start()
    assert node.admin("GET", "/v1/plans/p4").status == 200
    node.stop()
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 0xFF
    journal.write_bytes(data)
    node.start(wait=False)
    assert node.wait() != 0
    assert str(journal) in node.log()


def test_two_nodes_cannot_share_a_state_folder(make_node):
    node = make_node()
    other = subprocess.run([BUILD / "gatewayd", "-c", node.config_path], capture_output=True,
                           text=True, timeout=60, check=False)
    assert other.returncode != 0
    assert str(node.folder / "state") in other.stderr or "in use" in other.stderr
    assert node.is_ready()


def test_a_full_disk_refuses_writes_and_serves_on(make_node, origin, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a small file system can be mounted by root only")
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small],
                      check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        (small / "state").mkdir(mode=0o700)
        node = make_node(state={"dir": str(small / "state")})
        node.upstream("o", origin)
        node.route("r", "o")
        status = 0
        for i in range(400):
            status = node.admin("PUT", f"/v1/consumers/c{i}",
                                {"metadata": {"x": "y" * 8000}}).status
            if status == 507:
                break
        assert status == 507
        assert node.get("/").status == 200
        assert node.admin("GET", "/v1/routes/r").status == 200
        for path in small.rglob("filler"):
            path.unlink()
        assert node.stop() == 0
    finally:
        subprocess.run(["umount", "-l", small], check=False)


def test_ceilings_of_heads_change_by_sighup(make_node, make_origin):
    """For what begins after it, on connections that were there before too; a head that is on its
    way is not judged by two measures."""
    def handler(peer, request):
        peer.respond(200, b"ok", [(f"X-{i}", "v") for i in range(int(request.target[1:]))])

    node = make_node(workers=1, max={"header_bytes": "32k", "headers": 100},
                     timeouts={"header": "100s"})
    node.upstream("o", make_origin(handler), retries={"attempts": 0})
    node.route("r", "o")

    def change(header_bytes, headers):
        said = node.log().count("max.headers has changed")
        node.config["max"] = {"header_bytes": header_bytes, "headers": headers}
        node.write_config()
        node.signal(signal.SIGHUP)
        until(lambda: node.log().count("max.headers has changed") > said)
        assert "max.headers cannot" not in node.log()

    def statuses(connection):
        big = connection.request("GET", "/10", [("X-Big", "b" * 50000)]).status
        with node.connect() as many:
            lines = many.request("GET", "/10", [(f"X-{i}", "v") for i in range(150)]).status
        return big, lines, node.get("/150").status

    with node.connect() as c:
        assert statuses(c) == (431, 431, 502)
    with node.connect() as c, node.connect() as half:
        assert c.request("GET", "/10").status == 200
        half.send("GET /10 HTTP/1.1\r\nHost: a\r\nX-Big: " + "b" * 20000)
        change("64k", 200)
        until(lambda: statuses(node.connect()) == (200, 200, 200))
        assert statuses(c) == (200, 200, 200)
        half.send("b" * 20000 + "\r\n\r\n")
        assert half.read().status == 431
    with node.connect() as half:
        half.send("GET /10 HTTP/1.1\r\nHost: a\r\nX-Big: " + "b" * 40000)
        change("16k", 20)
        until(lambda: statuses(node.connect()) == (431, 431, 502))
        half.send("b" * 10000 + "\r\n\r\n")
        assert half.read().status == 200
    assert node.get("/10").status == 200


def test_sigusr1_reopens_the_access_log(make_node, origin):
    node = make_node()
    node.upstream("o", origin)
    node.route("r", "o")
    node.get("/before")
    until(lambda: len(node.access()) == 1)
    moved = node.access_path.with_suffix(".1")
    node.access_path.rename(moved)
    node.signal(signal.SIGUSR1)
    until(node.access_path.exists, what="a new access log")
    node.get("/after")
    until(lambda: len(node.access()) == 1)
    assert "/after" in node.access_path.read_text()
    assert "/before" in moved.read_text()


def test_one_access_line_an_exchange(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    answer = node.get("/a?secret=1", {"User-Agent": "me"})
    until(lambda: node.access())
    line = node.access()[0]
    text = node.access_path.read_text()
    assert line["status"] == 200
    assert answer.header("X-Request-Id") in text
    for expected in ("\"r\"", "\"o\"", "127.0.0.1", "GET", "/a"):
        assert expected in text, expected


def test_check_reports_everything_at_once(tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text('nod = "x";\nlisteners = (\n  { name = "a"; address = "nonsense"; },\n'
                   '  { name = "b"; address = "127.0.0.1:8080"; tls = { cert = "/none"; key = "/none"; }; }\n'
                   ');\nadmin = { address = "0.0.0.0:9080"; };\n')
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", bad], capture_output=True, text=True,
                          timeout=60, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 1
    for expected in (f"{bad}:1", "node", f"{bad}:3", "nonsense", f"{bad}:6", "/none"):
        assert expected in text, (expected, text)


def test_check_says_the_line_of_each_file_that_is_named(make_node, tmp_path):
    node = make_node(start=False)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "empty").chmod(0o600)
    bad = tmp_path / "bad.conf"
    bad.write_text(node.config_path.read_text().replace(str(node.access_path), "/none/access.log")
                   + f'cluster = {{\n  secret_file = "{tmp_path}/empty";\n}};\n')
    lines = bad.read_text().splitlines()
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", bad], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 1
    for path, sign in (("log.access", "/none/access.log"), ("cluster.secret_file", "empty")):
        number = next(i for i, line in enumerate(lines, 1) if sign in line)
        assert f"{bad}:{number}: {path}: " in done.stderr, done.stderr
    bad.write_text(node.config_path.read_text().replace(
        "listeners = ( {", 'listeners = ( {\ntls = { cert = "/none/cert"; key = "/none/key"; };'))
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", bad], capture_output=True, text=True,
                          timeout=60, check=False)
    number = next(i for i, line in enumerate(bad.read_text().splitlines(), 1) if "/none" in line)
    assert (done.returncode, f"{bad}:{number}: " in done.stderr) == (1, True), done.stderr


def test_check_accepts_a_good_file(make_node):
    node = make_node(start=False)
    done = subprocess.run([BUILD / "gatewayd", "-t", "-c", node.config_path], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_version_and_help():
    out = subprocess.run([BUILD / "gatewayd", "-V"], capture_output=True, text=True, check=True)
    for library in ("libevent", "OpenSSL", "PCRE2", "c-ares", "jansson"):
        assert library.lower() in out.stdout.lower(), out.stdout
    assert subprocess.run([BUILD / "gatewayd", "-h"], capture_output=True, check=True).stdout


def test_drain_and_undrain_by_the_api(node, origin):
    node.upstream("o", origin)
    node.route("r", "o")
    assert node.admin("POST", "/v1/drain", {}).status in (200, 202, 204)
    assert node.admin("GET", "/readyz", token=None).status == 503
    assert node.admin("GET", "/livez", token=None).status == 200
    answer = node.get("/")
    assert (answer.status, answer.header("Connection")) == (200, "close")
    assert node.admin("DELETE", "/v1/drain").status in (200, 204)
    assert node.is_ready()
    assert node.get("/").header("Connection") is None


def test_bootstrap_once(make_node, tmp_path):
    resources = tmp_path / "resources.conf"
    resources.write_text('routes = ( { name = "hi"; match = { paths = ("/hi"); }; '
                         'respond = { body = "from the file"; }; } );\n')
    node = make_node(bootstrap=str(resources))
    assert node.get("/hi").text == "from the file"
    assert node.admin("DELETE", "/v1/routes/hi").status == 204
    node.restart()
    assert node.get("/hi").status == 404


def test_proxy_protocol(make_node, origin):
    node = make_node(start=False)
    node.config["listeners"][0]["proxy_protocol"] = True
    node.config["trusted_proxies"] = ["127.0.0.0/8"]
    node.write_config()
    node.start()
    node.upstream("o", origin)
    node.route("r", "o")
    with node.connect() as c:
        c.send(b"PROXY TCP4 192.0.2.7 198.51.100.1 5555 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.read().status == 200
    assert "192.0.2.7" in origin.last.header("X-Forwarded-For")
    v2 = (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11, 0, 12]) + bytes([192, 0, 2, 9])
          + bytes([198, 51, 100, 1]) + b"\x15\xb3\0\x50")
    with node.connect() as c:
        c.send(v2 + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.read().status == 200
    assert "192.0.2.9" in origin.last.header("X-Forwarded-For")
    with node.connect() as c:
        c.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.is_closed()


def test_unix_listener(make_node, origin, tmp_path):
    from harness.client import Connection
    path = str(tmp_path / "in.sock")
    node = make_node(start=False)
    node.config["listeners"].append({"name": "unix", "address": f"unix:{path}"})
    node.write_config()
    node.start()
    node.upstream("o", origin)
    node.route("r", "o")
    with Connection(path) as c:
        assert c.request("GET", "/").status == 200
