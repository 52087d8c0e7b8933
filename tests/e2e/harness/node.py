# SPDX-License-Identifier: Apache-2.0
"""A real gatewayd: configured in a folder of its own, on free ports, stopped at the end."""
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.parse

from .adopted import Adopted, adopt
from .client import Connection, Cut
from .lines import whole_lines
from .ports import free_port
from .wait import SLOWNESS, ends, until

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / os.environ.get("GATEWAYD_BUILD_DIR", "build")

TOKENS = {"admin": "admin-token-for-tests", "operator": "operator-token-for-tests",
          "viewer": "viewer-token-for-tests"}


def config_text(value, indent=""):
    """Python to libconfig."""
    inner = indent + "  "
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 2**31 else f"{value}L"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, dict):
        lines = [f"{inner}{k} = {config_text(v, inner)};" for k, v in value.items()]
        return "{\n" + "\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(config_text(v, inner) for v in value) + " )"
    raise TypeError(type(value))


def child_of(process):
    tasks = pathlib.Path(f"/proc/{process.pid}/task")
    try:
        for task in tasks.iterdir():
            for pid in (task / "children").read_text().split():
                return int(pid)
    except OSError:  # gone meanwhile
        pass
    return None


def kill_unless_told(node, upgrading, pid):
    """Ends the child that a thread asked for and that was stopped, and is True; unless the process
    before it has told it that all is its own, which it may have read or not: then it goes on."""
    is_told = ends(upgrading, 0.4 * min(SLOWNESS, 4)) or f"process {pid} could serve" in node.log()
    if pid is not None:
        os.kill(pid, signal.SIGCONT if is_told else signal.SIGKILL)
    return not is_told


class AdminConnection(Connection):
    def call(self, method, path, body=None, token="admin", headers=()):
        lines = list(headers.items() if isinstance(headers, dict) else headers)
        if token is not None:
            lines.append(("Authorization", f"Bearer {TOKENS.get(token, token)}"))
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            if not any(name.lower() == "content-type" for name, _ in lines):
                lines.append(("Content-Type", "application/json"))
        return self.request(method, path, lines, body, host="admin.test")


class Node:
    def __init__(self, folder, name="gw-test", **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = free_port()
        self.admin_port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.process = None
        self.predecessors = []  # that still end what is left, see upgrade()
        self.binary = BUILD / "gatewayd"
        self.environment = {}  # beside this process's own
        self.admin_tls = None  # a context, where the admin API speaks TLS
        self.log_path = self.folder / "log"
        self.access_path = self.folder / "access.log"
        self.config = {
            "node": name,
            "workers": 2,
            "listeners": [{"name": "http", "address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"127.0.0.1:{self.admin_port}",
                      "tokens": str(self.folder / "tokens")},
            "state": {"store": "embedded", "dir": str(self.folder / "state")},
            "timeouts": {"drain": "10s"},
            "log": {"level": "debug", "access": str(self.access_path)},
        }
        for key, value in settings.items():
            if isinstance(value, dict) and isinstance(self.config.get(key), dict):
                self.config[key].update(value)
            else:
                self.config[key] = value
        self.write_config()

    # ---- files ----

    @property
    def config_path(self):
        return self.folder / "gatewayd.conf"

    def write_config(self):
        tokens = "".join(f"{role}-user {role} {hashlib.sha256(token.encode()).hexdigest()}\n"
                         for role, token in TOKENS.items())
        (self.folder / "tokens").write_text(tokens)
        (self.folder / "state").mkdir(exist_ok=True)
        text = "".join(f"{k} = {config_text(v)};\n" for k, v in self.config.items())
        self.config_path.write_text(text)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def access(self):
        """The access log, a dict per exchange."""
        if not self.access_path.exists():
            return []
        return [json.loads(line) for line in whole_lines(self.access_path.read_text())]

    # ---- life ----

    def start(self, wait=True, timeout=15):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.binary, "-c", self.config_path],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment})
        if wait:
            until(self._is_ready_or_ended, timeout=timeout, what="a ready node")
            assert self.process.poll() is None, self.log()
        return self

    def _is_ready_or_ended(self):
        return self.process.poll() is not None or self.is_ready()

    def is_ready(self):
        return self._says_yes("/readyz")

    def is_live(self):
        return self._says_yes("/livez")

    def _says_yes(self, path):
        try:
            return self.admin("GET", path, token=None).status == 200
        except (OSError, Cut):
            return False

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, timeout=20):
        """SIGTERM, and the exit status; killed if it does not end in time."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGCONT)  # a story may have stopped it
        return self.wait(timeout)

    def wait(self, timeout=20):
        try:
            status = self.process.wait(timeout * SLOWNESS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"the node did not end:\n{self.log()[-4000:]}") from None
        finally:
            self.process = None
        for predecessor in self.predecessors:
            status = status or predecessor.wait(timeout * SLOWNESS)
        self.predecessors = []
        return status

    def upgrade(self):
        """The answer of POST /v1/upgrade; the node's process is another one after it was done."""
        adopt()
        answer = self.admin("POST", "/v1/upgrade", timeout=120)
        if answer.status == 200:
            self.is_replaced_by(int(re.search(r"process (\d+)", answer.json["detail"])[1]))
        return answer

    def child(self):
        """The process that is to take its place, from the moment there is one; None. Which of its
        threads began it is nobody's concern."""
        return child_of(self.process)

    def is_replaced_by(self, pid):
        self.predecessors = [p for p in self.predecessors if p.poll() is None]
        self.predecessors.append(self.process)
        self.process = Adopted(pid)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        assert self.stop() == 0, self.log()[-4000:]
        return self.start()

    def memory(self):
        """Resident bytes."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def sockets(self):
        """Open sockets; pipes and files are kept for later use."""
        links = pathlib.Path(f"/proc/{self.process.pid}/fd")
        count = 0
        for link in links.iterdir():
            try:
                count += os.readlink(link).startswith("socket:")
            except OSError:  # closed meanwhile
                pass
        return count

    # ---- talking to it ----

    def connect(self, timeout=10.0, **options):
        return Connection(self.address, timeout * SLOWNESS, **options)

    def request(self, method, path, headers=(), body=None, host="gateway.test", timeout=10.0):
        with self.connect(timeout) as connection:
            return connection.request(method, path, headers, body, host)

    def get(self, path, headers=(), **options):
        return self.request("GET", path, headers, **options)

    def admin_connection(self, timeout=20.0):
        return AdminConnection(("127.0.0.1", self.admin_port), timeout * SLOWNESS,
                               tls=self.admin_tls, server_name="127.0.0.1")

    def admin(self, method, path, body=None, token="admin", headers=(), timeout=20.0):
        """Calls the admin API on a connection of its own; a body that is not bytes goes as JSON."""
        with self.admin_connection(timeout) as connection:
            return connection.call(method, path, body, token, headers)

    def put(self, kind, name, body, expect=(200, 201)):
        answer = self.admin("PUT", f"/v1/{kind}/{name}", body)
        assert answer.status in expect, answer
        return answer

    def upstream(self, name, *origins, **fields):
        targets = [o if isinstance(o, dict) else {"address": getattr(o, "address", o)}
                   for o in origins]
        return self.put("upstreams", name, {"targets": targets, **fields})

    def route(self, name, upstream=None, paths=("/",), **fields):
        match = fields.pop("match", {"paths": list(paths)})
        body = {"match": match, **fields}
        if upstream is not None:
            body["upstream"] = upstream
        return self.put("routes", name, body)

    def consumer(self, name, **fields):
        return self.put("consumers", name, fields)

    def key(self, consumer, **fields):
        answer = self.admin("POST", f"/v1/consumers/{consumer}/keys", fields)
        assert answer.status == 201, answer
        return answer.json

    def status(self):
        return self.admin("GET", "/v1/status").json

    def target_path(self, upstream, address):
        return f"/v1/upstreams/{upstream}/targets/{urllib.parse.quote(address, safe='')}"

    def metrics(self, connection=None):
        """name{labels} → value"""
        values = {}
        call = connection.call if connection is not None else self.admin
        for line in call("GET", "/metrics", token=None).text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values
