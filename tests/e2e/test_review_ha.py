# SPDX-License-Identifier: Apache-2.0
"""The programs beside keepalived, by themselves, under hostile neighbours: a user of the gateway that
makes links where root is to write, a gateway that answers garbage, a watcher that did not run."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from harness.node import BUILD, ROOT
from harness.wait import Clock, until

NOBODY = 65534
HELPER = 65532  # what systemd chooses for gatewayd-hold
UNITS = ROOT / "ha"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it plays root against another user")


def as_nobody(*words):
    return subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                           *map(str, words)], check=False, capture_output=True, timeout=20)


def field(unit, name):
    found = re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text(), re.M)
    return " ".join(found)


@pytest.fixture
def tmp_path():
    """Where nobody comes, too: pytest closes its own folders to others, each time it starts."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gatewayd-ha-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def folder(tmp_path):
    """As systemd-tmpfiles makes it, nobody being the gateway's user."""
    words = next(line.split() for line in (UNITS / "gatewayd-ha.tmpfiles").read_text().splitlines()
                 if line.startswith("d "))
    ids = {"root": 0, "gatewayd": NOBODY}
    path = tmp_path / "ha"
    path.mkdir()
    os.chown(path, ids[words[3]], ids[words[4]])
    path.chmod(int(words[2], 8))
    return path


@pytest.fixture
def addresses(tmp_path):
    file = tmp_path / "ha.addresses"
    file.write_text("va 10.98.0.100/24 lo home\nvb 10.98.0.101/24 lo guest\n")
    return file


@contextlib.contextmanager
def running(*words):
    process = subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, text=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    process.lines = lines
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def hold(folder, addresses):
    """As its unit starts it: a user of its own in the gateway's group, with no more powers than that."""
    assert field("gatewayd-hold.service", "DynamicUser") == "yes"
    assert field("gatewayd-hold.service", "Group") == "gatewayd"
    before = field("gatewayd-hold.service", "ExecStartPre").removeprefix("+")
    subprocess.run([word.replace("/run/gatewayd-ha", str(folder)) for word in before.split()], check=True)
    powers = field("gatewayd-hold.service", "AmbientCapabilities").lower().replace("cap_", "+")
    powers = f"-all,{','.join(powers.split())}"
    with running("unshare", "-n", "setpriv", f"--reuid={HELPER}", f"--regid={NOBODY}", "--clear-groups",
                 f"--inh-caps={powers}", f"--ambient-caps={powers}", f"--bounding-set={powers}",
                 "--no-new-privs", BUILD / "gatewayd-hold", "-a", addresses, "-s",
                 folder / "hold.sock", "-u", "nobody", "-k", folder / "keepalived.pid") as process:
        until(lambda: (folder / "hold.sock").is_socket() or process.poll() is not None)
        assert process.poll() is None, process.lines
        yield process


ASK = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode())
print(s.recv(300).decode(), end="")
"""


def ask(folder, line):
    return as_nobody("/usr/bin/python3", "-c", ASK, folder / "hold.sock", line + "\n").stdout.decode()


# ---- the helper beside the gateway's user --------------------------------------------------------

def test_hold_listens_with_the_powers_of_its_unit_and_hears_the_gateway(folder, hold):
    until(lambda: ask(folder, "hold va 100") == "ok\n", what="a hold")
    assert ask(folder, "hold vx 100").startswith("error ")
    assert ask(folder, "remove va") == "ok\n"  # it is not there, and keepalived is not
    assert hold.poll() is None


def test_a_signal_ends_it_whenever_it_comes(folder, hold):
    hold.send_signal(signal.SIGHUP)
    ask(folder, "release va")
    hold.terminate()
    assert hold.wait(5) == 0


def test_the_gateways_user_cannot_put_a_link_in_the_place_of_the_helpers_socket(folder, hold, tmp_path):
    assert as_nobody("ln", "-s", "/etc/passwd", folder / "link").returncode == 0
    assert as_nobody("mv", "-f", folder / "link", folder / "hold.sock").returncode != 0
    assert as_nobody("rm", "-f", folder / "hold.sock").returncode != 0
    assert (folder / "hold.sock").is_socket()


def test_the_helpers_socket_takes_the_place_of_what_the_gateways_user_left_there(folder, addresses,
                                                                                tmp_path, request):
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o640)
    assert as_nobody("ln", "-s", secret, folder / "hold.sock").returncode == 0
    process = request.getfixturevalue("hold")
    assert (folder / "hold.sock").is_socket() and process.poll() is None
    assert (secret.stat().st_gid, secret.read_text()) == (0, "x")


def test_track_files_are_made_with_the_rights_of_the_gateways_user(folder, addresses, tmp_path):
    """Once root wrote to what a link pointed to, and gave it away."""
    target = tmp_path / "preload"
    assert as_nobody("ln", "-s", target, folder / "va.track").returncode == 0
    addresses.write_text(addresses.read_text().rstrip("\n"))  # the last line has no end
    done = subprocess.run([UNITS / "ha-addresses.sh", "prepare", "-a", addresses, "-d", folder,
                           "-u", "nobody"], check=False, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert not target.exists()
    made = folder / "vb.track"
    assert (made.read_text(), made.stat().st_uid) == ("-254\n", NOBODY)


# ---- the watcher -----------------------------------------------------------------------------

class Probe:
    """In the place of gatewayd: `answer` is the body of each answer, or called with the connection."""

    def __init__(self, folder):
        self.answer = b"va 0\nvb 0\n"
        self.asked = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / "probe.sock"))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.listener.accept()[:1],
                                 daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            while connection.recv(4096):
                self.asked += 1
                if callable(self.answer):
                    self.answer(connection)
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
                                   % (len(self.answer), self.answer))


@pytest.fixture
def probe(folder):
    made = Probe(folder)
    yield made
    made.listener.close()


@pytest.fixture
def watch(folder, addresses, probe):
    with running(BUILD / "gatewayd-watch", "-a", addresses, "-d", folder) as process:
        until(lambda: weights(folder) == ("0", "0"), what="both addresses in service")
        yield process


def weights(folder):
    files = [folder / f"{name}.track" for name in ("va", "vb")]
    return tuple(file.read_text().strip() if file.exists() else None for file in files)


def test_a_watcher_that_did_not_run_for_a_while_reads_before_it_judges(folder, probe, watch):
    """The answer was there all the time: an address would move for nothing. (Unless this story was
    held up, and with it the answer.)"""
    late, faults, turns = 0.0, 0, 0
    while turns < 5:
        before = probe.asked
        until(lambda before=before: probe.asked > before)
        with Clock() as clock:
            watch.send_signal(signal.SIGSTOP)
            time.sleep(0.4)
            watch.send_signal(signal.SIGCONT)
            until(lambda before=before: probe.asked > before + 2)
        late += clock.late
        assert late < 20, "it is held up all the time"
        found = sum("fault" in line for line in watch.lines)
        assert found == faults or clock.late > 0.05, watch.lines
        turns, faults = turns + (clock.late <= 0.05), found
    until(lambda: weights(folder) == ("0", "0"), what="both in service")


def test_ends_without_an_answer_are_a_fault_and_no_load(folder, probe, watch):
    probe.answer = lambda connection: None
    with Clock() as clock:
        until(lambda: weights(folder) == ("-254", "-254"), what="the fault")
        assert clock.seconds() < 1
    before, began = probe.asked, time.monotonic()
    time.sleep(1)
    assert probe.asked - before < 50 * (time.monotonic() - began)
    probe.answer = b"va 0\nvb -100\n"
    until(lambda: weights(folder) == ("0", "-100"), what="the end of the fault")


def answer_slowly(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    for byte in b"va 0\nvb 0\n":
        time.sleep(0.1)
        connection.sendall(bytes([byte]))


def answer_hugely(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 32600 +
                       b"\r\nContent-Length: 32000\r\n\r\n" + b"vx 0\n" * 6400)
    connection.recv(1)


@pytest.mark.parametrize("answer", [
    answer_slowly, answer_hugely, lambda c: c.sendall(b"\0" * 100000), b"va 0\nvb many\n",
    lambda c: c.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 10\r\n\r\nva 0\nvb 0\n") or c.recv(1),
    lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nva 0\nvb 0\n") or c.recv(1),
], ids=["slow", "huge", "zeros", "words", "503", "negative"])
def test_what_is_no_answer_in_time_is_a_fault(folder, probe, watch, answer):
    probe.answer = answer
    until(lambda: weights(folder) == ("-254", "-254"), timeout=3, what="the fault")
    assert watch.poll() is None


def test_an_address_that_the_gateway_does_not_know_yet_is_the_only_one_at_fault(folder, probe,
                                                                               watch):
    probe.answer = b"va 0\nvz 0\n"
    until(lambda: weights(folder) == ("0", "-254"), what="the fault of one")
    time.sleep(0.5)
    assert weights(folder) == ("0", "-254")


def test_track_files_that_are_links_are_not_followed(folder, probe, watch, tmp_path):
    target = tmp_path / "target"
    target.write_text("x")
    (folder / "va.track").unlink()
    (folder / "va.track").symlink_to(target)
    probe.answer = b"va -100\nvb -100\n"
    until(lambda: (folder / "vb.track").read_text() == "-100\n")
    time.sleep(0.3)
    assert target.read_text() == "x"


def test_the_watcher_and_its_helper_are_started_again_for_as_long_as_it_takes():
    for unit in ("gatewayd-watch.service", "gatewayd-hold.service"):
        assert field(unit, "StartLimitIntervalSec") == "0"
        assert field(unit, "Restart") == "always"
    assert int(field("gatewayd-watch.service", "WatchdogSec")) <= 5
    assert field("gatewayd-watch.service", "Type") == "notify"
