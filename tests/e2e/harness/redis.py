# SPDX-License-Identifier: Apache-2.0
"""Real redis-servers and sentinels: each in a folder of its own, on a free port, with passwords and
the documented ACL user; killed, stopped and continued as stories need it."""
import pathlib
import shutil
import signal
import ssl
import subprocess

from .ports import free_port
from .resp import RedisError, RespConnection
from .wait import SLOWNESS, until

ROOT = pathlib.Path(__file__).resolve().parents[3]
ADMIN_PASSWORD = "admin-password-of-redis"  # of the user "default", who may do everything
PASSWORD = "password-of-gatewayd"           # of the user "gatewayd": cluster/redis.acl


def acl_line(prefix="gatewayd", password=PASSWORD):
    """The line that cluster/redis.acl documents."""
    lines = [line for line in (ROOT / "cluster/redis.acl").read_text().splitlines()
             if line.startswith("user ")]
    assert len(lines) == 1
    return lines[0].replace(">PASSWORD", ">" + password).replace("{gatewayd}", "{%s}" % prefix)


def lines_of(settings):
    """{"a": 1, "save": ["", "60 1"]} as lines of a configuration file."""
    lines = []
    for name, values in settings.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            lines.append(f'{name} {value if value != "" else chr(34) * 2}\n')
    return "".join(lines)


class Process:
    """What a redis-server and a sentinel have in common."""
    program = "redis-server"

    def __init__(self, folder, port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.host = "127.0.0.1"
        self.process = None
        self.tls = None
        self.is_paused = False

    @property
    def address(self):
        """As in state.redis.servers."""
        return f"{self.host}:{self.port}"

    @property
    def log_path(self):
        return self.folder / "log"

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def _spawn(self, *arguments):
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which(self.program) or self.program, *map(str, arguments)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _is_up(self):
        assert self.process.poll() is None, self.log()[-3000:]
        try:
            return self.cli("PING") == "PONG"
        except (OSError, RedisError):
            return False

    def signal(self, number):
        self.process.send_signal(number)

    def pause(self):
        """SIGSTOP: the kernel goes on accepting connections and bytes, nobody reads them."""
        self.signal(signal.SIGSTOP)
        self.is_paused = True

    def go_on(self):
        self.signal(signal.SIGCONT)
        self.is_paused = False

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.is_paused = False

    def stop(self):
        if self.process is None:
            return
        if self.is_paused:
            self.go_on()
        self.process.terminate()
        try:
            self.process.wait(10 * SLOWNESS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _context(self):
        if self.tls is None:
            return None
        context = ssl.create_default_context(cafile=str(self.tls["ca"]))
        context.load_cert_chain(str(self.tls["cert"]), str(self.tls["key"]))
        return context

    def connect(self, user=None, password=ADMIN_PASSWORD, timeout=5.0):
        return RespConnection((self.host, self.port), timeout * SLOWNESS, self._context(), user,
                              password)

    def cli(self, *words, **options):
        """One command, on a connection of its own, as the user who may do everything."""
        with self.connect(**options) as connection:
            return connection.call(*words)


class RedisServer(Process):
    """settings: further lines of redis.conf. tls: {"ca", "cert", "key"} (files, see certs.py), then
    the port speaks TLS only. With `keep` (the default) what was written outlives kill -9."""

    def __init__(self, folder, port=None, prefix="gatewayd", keep=True, tls=None, replica_of=None,
                 password=PASSWORD, **settings):
        super().__init__(folder, port)
        self.prefix = prefix
        self.tls = tls
        self.password = password
        self.settings = {
            "bind": "127.0.0.1", "dir": self.folder, "save": "", "daemonize": "no",
            "appendonly": "yes" if keep else "no", "aclfile": self.folder / "users.acl",
            "masterauth": ADMIN_PASSWORD, "repl-diskless-sync-delay": 0, "enable-debug-command": "yes",
            **self._ports(), **{name.replace("_", "-"): v for name, v in settings.items()}}
        if replica_of is not None:
            self.settings["replicaof"] = f"{replica_of.host} {replica_of.port}"
        self.write_acl(acl_line(prefix, password))
        (self.folder / "password").write_text(password + "\n")
        (self.folder / "password").chmod(0o600)

    def _ports(self):
        if self.tls is None:
            return {"port": self.port}
        return {"port": 0, "tls-port": self.port, "tls-cert-file": self.tls["cert"],
                "tls-key-file": self.tls["key"], "tls-ca-cert-file": self.tls["ca"],
                "tls-auth-clients": "optional", "tls-replication": "yes"}

    def write_acl(self, *lines):
        """The users beside "default". Read at start; while it runs by cli("ACL", "LOAD")."""
        admin = f"user default on >{ADMIN_PASSWORD} ~* &* +@all\n"
        (self.folder / "users.acl").write_text(admin + "".join(line + "\n" for line in lines))

    def start(self, wait=True):
        path = self.folder / "redis.conf"
        if not path.exists():  # a server and its sentinels write what they learn into it
            path.write_text(lines_of(self.settings))
        self._spawn(path)
        if wait:
            until(self._is_up, timeout=10, what="a redis-server that answers")
        return self

    def restart(self, keep=True, kill=False):
        """The same server again, with what it had or without."""
        if kill:
            self.kill()
        else:
            self.stop()
        if not keep:
            self.forget()
        return self.start()

    def forget(self):
        """Removes what a stopped server wrote."""
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)
        for name in ("dump.rdb", "appendonly.aof"):
            (self.folder / name).unlink(missing_ok=True)

    def state(self, **more):
        """state.redis of a node that uses this server."""
        settings = {"servers": [self.address], "user": "gatewayd", "prefix": self.prefix,
                    "password_file": str(self.folder / "password")}
        if self.tls is not None:
            settings["tls"] = {"ca": str(self.tls["ca"])}
        return {**settings, **more}

    def info(self, section):
        text = self.cli("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def role(self):
        return self.cli("ROLE")[0].decode()


class Sentinel(Process):
    program = "redis-sentinel"

    def __init__(self, folder, master, name="mymaster", quorum=2, down_after=500, tls=None):
        super().__init__(folder)
        self.name = name
        self.tls = tls
        settings = {"bind": "127.0.0.1", "dir": self.folder, "daemonize": "no", "port": self.port,
                    "requirepass": ADMIN_PASSWORD, "sentinel sentinel-pass": ADMIN_PASSWORD,
                    "sentinel monitor": f"{name} {master.host} {master.port} {quorum}",
                    f"sentinel auth-pass {name}": ADMIN_PASSWORD,
                    f"sentinel down-after-milliseconds {name}": down_after,
                    f"sentinel failover-timeout {name}": 2000}
        if tls is not None:
            settings.update({"port": 0, "tls-port": self.port, "tls-cert-file": tls["cert"],
                             "tls-key-file": tls["key"], "tls-ca-cert-file": tls["ca"],
                             "tls-replication": "yes", "tls-auth-clients": "optional"})
        (self.folder / "sentinel.conf").write_text(lines_of(settings))
        (self.folder / "password").write_text(ADMIN_PASSWORD + "\n")
        (self.folder / "password").chmod(0o600)

    def start(self, wait=True):
        self._spawn(self.folder / "sentinel.conf")
        if wait:
            until(self._is_up, timeout=10, what="a sentinel that answers")
        return self

    def master(self):
        """What this sentinel knows of the master, as a dict of str."""
        fields = [f.decode() for f in self.cli("SENTINEL", "MASTER", self.name)]
        return dict(zip(fields[::2], fields[1::2]))


class SentinelSet:
    """A master, replicas and sentinels that know each other."""

    def __init__(self, folder, replicas=1, sentinels=3, name="mymaster", down_after=500, tls=None,
                 **settings):
        folder = pathlib.Path(folder)
        self.name = name
        self.servers = [RedisServer(folder / "redis0", tls=tls, **settings)]
        for i in range(1, replicas + 1):
            self.servers.append(RedisServer(folder / f"redis{i}", tls=tls,
                                            replica_of=self.servers[0], **settings))
        quorum = sentinels // 2 + 1
        self.sentinels = [Sentinel(folder / f"sentinel{i}", self.servers[0], name, quorum,
                                   down_after, tls) for i in range(sentinels)]

    def start(self):
        for process in self.servers + self.sentinels:
            process.start()
        until(self._is_whole, timeout=30, what="sentinels that know each other and all replicas")
        return self

    def _is_whole(self):
        known = [s.master() for s in self.sentinels]
        return all(int(m["num-other-sentinels"]) == len(self.sentinels) - 1 and
                   int(m["num-slaves"]) == len(self.servers) - 1 for m in known) and \
            all(s.info("replication").get("master_link_status") == "up" for s in self.servers[1:])

    def master(self):
        """The server that the sentinels call the master now (most of them)."""
        ports = []
        for sentinel in self.sentinels:
            if sentinel.process is None or sentinel.is_paused:
                continue
            try:
                ports.append(int(sentinel.master()["port"]))
            except (OSError, RedisError):
                pass
        port = max(set(ports), key=ports.count) if ports else 0
        return next((s for s in self.servers if s.port == port), None)

    def wait_for_other_master(self, before, timeout=30):
        def other():
            now = self.master()
            return now if now is not None and now is not before and now.process is not None and \
                now.role() == "master" else None
        return until(other, timeout=timeout, what="another master")

    def state(self, **more):
        first = self.servers[0]
        sentinel = {"master": self.name,
                    "password_file": str(self.sentinels[0].folder / "password")}
        if self.sentinels[0].tls is not None:
            sentinel["tls"] = {"ca": str(self.sentinels[0].tls["ca"])}
        return first.state(**{"servers": [s.address for s in self.sentinels],
                              "sentinel": sentinel, **more})

    def stop(self):
        for process in self.sentinels + self.servers:
            process.stop()
