# SPDX-License-Identifier: Apache-2.0
"""A site in network namespaces: two nodes (or more) with gatewayd, keepalived and the programs
beside it, Redis, a service, a client, and a switch between them. Nothing of the host's own network
is touched. Several labs may be there at once.

  python3 -m harness.lab up BUILD      `make cluster`: one that is left running, and what to try
  python3 -m harness.lab down BUILD    `make cluster-down`: removes all of it, whatever there is
"""
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time

from .wait import until

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOME = pathlib.Path("/run/gatewayd-lab")  # scripts of keepalived must be where only root writes
NOBODY = 65534                            # the node's programs run as this user
TOKEN = "lab-admin-token"
PORT, TLS_PORT = 80, 443
ADMIN_PORT = 9080
NETWORK, NETWORK6 = "10.99.0.", "fd00:99::"
REDIS, ORIGIN, CLIENT = 5, 6, 9
PROGRAMS = ("gatewayd", "gatewayctl", "gatewayd-watch", "gatewayd-hold")
PREFERRED = ("nice", "-n", "-10")  # as their units have it
NEEDED = ("ip", "bridge", "nft", "keepalived", "redis-server", "setpriv", "openssl", "gcc")


def run(*command, check=True, stdin=None, timeout=60):
    done = subprocess.run([str(word) for word in command], input=stdin, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def missing():
    """Why there can be no lab here, or None."""
    if os.geteuid() != 0:
        return "it makes network namespaces, which takes root"
    away = [name for name in NEEDED if shutil.which(name) is None]
    if away:
        return f"it needs {', '.join(away)}"
    name = f"gwp{os.getpid()}"
    try:
        run("ip", "netns", "add", name)
        run("ip", "netns", "exec", name, "ip", "link", "add", "x", "type", "bridge")
    except (RuntimeError, subprocess.TimeoutExpired) as why:
        return f"network namespaces cannot be made here: {why}"
    finally:
        run("ip", "netns", "del", name, check=False)
    return None


def namespaces(prefix):
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines()
            if line.startswith(prefix + "-")]


def remove(name):
    """Everything of the lab of that name: processes, namespaces, files. Nothing there is no error."""
    for space in namespaces(name):
        for _ in range(50):
            pids = run("ip", "netns", "pids", space, check=False).split()
            for pid in pids:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not pids:
                break
            time.sleep(0.05)
        run("ip", "netns", "del", space, check=False)
    shutil.rmtree(HOME / name, ignore_errors=True)
    try:
        HOME.rmdir()
    except OSError:
        pass


def sweep():
    """Labs of tests that were killed."""
    for space in run("ip", "netns", "list").split():
        owner = re.match(r"(gwt(\d+)[a-z]*)-", space)
        if owner is not None and not os.path.exists(f"/proc/{owner[2]}"):
            remove(owner[1])


class Space:
    """A machine: a namespace with eth0 on the switch."""

    def __init__(self, lab, name, number):
        self.lab = lab
        self.name = name
        self.space = f"{lab.name}-{name}"
        self.ipv4 = f"{NETWORK}{number}"
        self.ipv6 = f"{NETWORK6}{number}"
        self.folder = lab.folder / name
        self.processes = {}

    def make(self):
        self.folder.mkdir()
        switch = self.lab.switch
        run("ip", "netns", "add", self.space)
        run("ip", "netns", "exec", self.space, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
            "net.ipv6.conf.all.accept_dad=0", "net.ipv4.ip_unprivileged_port_start=0")
        run("ip", "-n", switch, "link", "add", "name", self.name, "type", "veth", "peer", "name", "eth0",
            "netns", self.space)
        run("ip", "-n", switch, "-batch", "-",
            stdin=f"link set dev {self.name} master br0\nlink set dev {self.name} up\n")
        run("ip", "-n", self.space, "-batch", "-",
            stdin=f"link set lo up\nlink set eth0 up\naddress add {self.ipv4}/24 dev eth0\n"
                  f"address add {self.ipv6}/64 dev eth0 nodad\n")

    def command(self, *words):
        return ["ip", "netns", "exec", self.space, *map(str, words)]

    def run(self, *words, **options):
        return run(*self.command(*words), **options)

    def spawn(self, name, *words, **options):
        """A program that goes on; its words are in FOLDER/NAME.log."""
        with open(self.folder / f"{name}.log", "ab") as log:
            process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, start_new_session=True, **options)
        self.processes[name] = process
        return process

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def end(self, name, number=signal.SIGTERM, timeout=20):
        """Ends a program, and its status."""
        process = self.processes.pop(name, None)
        if process is None:
            return None
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{name} of {self.name} did not end:\n{self.log(name)[-3000:]}") \
                from None

    def link(self, is_up):
        """Its port of the switch."""
        run("ip", "-n", self.lab.switch, "link", "set", "dev", self.name, "up" if is_up else "down")


    def pass_on(self, is_passed):
        """Whether the switch passes anything on; the node sees nothing of it."""
        run("bridge", "-n", self.lab.switch, "link", "set", "dev", self.name, "state",
            "3" if is_passed else "0")


class Node(Space):
    """A gateway with keepalived and what is beside it."""

    def __init__(self, lab, letter, number):
        super().__init__(lab, letter, number)
        self.node = f"gw-{letter}"
        self.run_folder = self.folder / "run"
        self.server = f"https://{self.ipv4}:{ADMIN_PORT}"
        self.is_off = False

    # ---- files ----

    def configure(self):
        self.run_folder.mkdir()
        (self.folder / "state").mkdir()
        made = self.lab.folder / "site" / self.node
        for name in ("keepalived.conf", "ha.addresses"):
            shutil.copy(made / name, self.folder / name)
        # Each node of the lab has folders of its own on this one machine.
        programs = self.folder / "programs"
        programs.mkdir()
        for path in (self.lab.folder / "programs").iterdir():
            os.link(path, programs / path.name)
        path = self.folder / "keepalived.conf"
        path.write_text(path.read_text().replace("/run/gatewayd-ha", str(self.run_folder))
                        .replace(str(self.lab.folder / "programs"), str(programs)))
        (self.folder / "gatewayd.conf").write_text(self.config())
        for path in (self.run_folder, self.folder / "state"):
            os.chown(path, NOBODY, NOBODY)
        for name in self.addresses():
            self.write_track(name, -254)

    def config(self):
        certificate = self.lab.folder / "admin"
        return f"""node = "{self.node}";
workers = 1;
listeners = ( {{ name = "http"; address = "0.0.0.0:{PORT}"; }},
              {{ name = "http6"; address = "[::]:{PORT}"; }},
              {{ name = "https"; address = "0.0.0.0:{TLS_PORT}";
                 tls = {{ cert = "{certificate}.pem"; key = "{certificate}.key"; }}; }} );
admin = {{ address = "{self.ipv4}:{ADMIN_PORT}"; tokens = "{self.lab.folder}/tokens";
          tls = {{ cert = "{certificate}.pem"; key = "{certificate}.key"; }}; }};
state = {{ store = "redis"; dir = "{self.folder}/state";
          redis = {{ servers = ("{NETWORK}{REDIS}:6379"); }}; }};
cluster = {{ secret_file = "{self.lab.folder}/cluster.secret"; ca = "{certificate}.pem"; }};
bootstrap = "{self.lab.folder}/resources.conf";
timeouts = {{ drain = "{self.lab.drain}"; }};
log = {{ level = "info"; access = "off"; }};
ha = {{ addresses = "{self.folder}/ha.addresses"; folder = "{self.run_folder}"; }};
"""

    def addresses(self):
        """{NAME: ADDRESS} of all virtual addresses."""
        lines = (self.folder / "ha.addresses").read_text().splitlines()
        words = [line.split() for line in lines if line and not line.startswith("#")]
        return {word[0]: word[1].split("/")[0] for word in words}

    def write_track(self, name, value):
        path = self.run_folder / f"{name}.track"
        path.write_text(f"{value}\n")
        os.chown(path, NOBODY, NOBODY)

    def track(self, name):
        text = (self.run_folder / f"{name}.track").read_text().strip()
        return int(text) if text else None

    def state(self, name):
        """What keepalived said last: MASTER, BACKUP, FAULT, STOP; empty: nothing."""
        path = self.run_folder / f"{name}.state"
        return path.read_text().split()[0] if path.exists() else ""

    def is_checked(self):
        """Does keepalived's own check say that all is well?"""
        said = [line for line in self.log("keepalived").splitlines() if "VRRP_Script(gatewayd)" in line]
        return bool(said) and "succeeded" in said[-1]

    def states(self):
        return {name: self.state(name) for name in self.addresses()}

    def held(self):
        """Names of the addresses that are on eth0."""
        there = self.run("ip", "-o", "address", "show", "dev", "eth0")
        return {name for name, address in self.addresses().items() if f" {address}/" in there}

    # ---- programs ----

    def program(self, name):
        return self.folder / "programs" / name

    def _pidfiles(self):
        return [self.folder / "keepalived.pid", self.folder / "vrrp.pid"]

    def _as_nobody(self, *words):
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "--inh-caps=-all", *words]

    def start_gatewayd(self):
        self.spawn("gatewayd", *PREFERRED, *self._as_nobody(self.program("gatewayd"), "-c",
                                                            self.folder / "gatewayd.conf"))

    def start_hold(self):
        words = [self.program("gatewayd-hold"), "-a", self.folder / "ha.addresses", "-s",
                 self.run_folder / "hold.sock", "-u", "nobody", "-n", shutil.which("nft")]
        for path in self._pidfiles():
            words += ["-k", path]
        self.spawn("hold", *PREFERRED, *words)

    def start_watch(self):
        words = [self.program("gatewayd-watch"), "-a", self.folder / "ha.addresses", "-d",
                 self.run_folder]
        for path in self._pidfiles():
            words += ["-k", path]
        self.spawn("watch", *self.lab.realtime(), *self._as_nobody(*words))

    def start_keepalived(self):
        parent, child = self._pidfiles()
        # A child whose parent was killed may wait for the first process of this machine to look.
        for path in (parent, child):
            path.unlink(missing_ok=True)
        self.spawn("keepalived", "keepalived", "-n", "-l", "-D", "-G", "-P", "-f",
                   self.folder / "keepalived.conf", "-p", parent, "-r", child)

    def keepalived_pids(self):
        """(parent, child)."""
        return [int(path.read_text()) for path in self._pidfiles()]

    def kill_keepalived(self, *which):
        """kill -9 of "parent", "child" or both."""
        parent, child = self.keepalived_pids()
        if len(which) == 2:
            os.kill(parent, signal.SIGSTOP)  # it must not start another child
        if "child" in which:
            os.kill(child, signal.SIGKILL)
        if "parent" in which:
            self.kill("keepalived")

    def start(self):
        """Whatever of it is not running."""
        for name in ("hold", "gatewayd", "watch", "keepalived"):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                getattr(self, "start_" + name)()
        return self

    def stop(self):
        """As systemd at a shutdown: gatewayd drains first. Its exit status."""
        status = self.end("gatewayd", timeout=60)
        for name in ("keepalived", "watch", "hold"):
            self.end(name)
        return status

    def signal(self, name, number):
        self.processes[name].send_signal(number)

    def freeze(self):
        """gatewayd hangs: its kernel still accepts."""
        self.signal("gatewayd", signal.SIGSTOP)

    def kill(self, name):
        """kill -9."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def power_off(self):
        """The cable first: what is dead does not even say goodbye. Then all processes, and the
        addresses, that the kernel would have taken with it."""
        self.is_off = True
        self.link(False)
        for pid in run("ip", "netns", "pids", self.space).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        self.run("ip", "address", "flush", "dev", "eth0")
        for path in [*self.run_folder.iterdir(), *self._pidfiles()]:
            path.unlink(missing_ok=True)

    def power_on(self):
        self.is_off = False
        self.link(True)
        self.run("ip", "-batch", "-", stdin=f"address add {self.ipv4}/24 dev eth0\n"
                                            f"address add {self.ipv6}/64 dev eth0 nodad\n")
        for name in self.addresses():
            self.write_track(name, -254)
        return self.start()

    # ---- asking it ----

    def ctl(self, *words, **options):
        """gatewayctl, on the node itself."""
        env = ["env", f"GATEWAYCTL_SERVER={self.server}", f"GATEWAYCTL_TOKEN={TOKEN}", "HOME=/"]
        return self.run(*env, self.lab.program("gatewayctl"), "--cacert",
                        self.lab.folder / "admin.pem", *words, **options)

    def status(self):
        return json.loads(self.ctl("status", "-o", "json"))

    def is_ready(self):
        try:
            return self.status()["state"] == "ready"
        except RuntimeError:
            return False

    def metric(self, begin):
        """The value of the first line of /metrics that begins so, or None."""
        text = self.run("curl", "-sk", f"{self.server}/metrics", check=False)
        for line in text.splitlines():
            if line.startswith(begin):
                return float(line.split()[-1])
        return None


class Load:
    """steady.c in the client's namespace: until stop(), whose answer is the flows it had."""

    def __init__(self, lab, addresses=None, kept=4, paths=("/fast",), timeout=3000, tls=False):
        self.lab = lab
        prefix, port = ("tls-", TLS_PORT) if tls else ("", PORT)
        flows = []
        for address in addresses or lab.addresses().values():
            flows.append(f"{prefix}new,{address},{port},10,{paths[0]}")
            for i in range(kept):
                flows.append(f"{prefix}kept,{address},{port},20,{paths[i % len(paths)]}")
        self.process = subprocess.Popen(
            lab.client.command(lab.program("steady"), "load", timeout, *flows), text=True,
            stdout=subprocess.PIPE, preexec_fn=prefer)

    def stop(self):
        self.process.terminate()
        text, _ = self.process.communicate(timeout=20)
        return Report([json.loads(line) for line in text.splitlines()])

    def stop_without_a_failure(self, what):
        report = self.stop()
        print(f"{what}: {report}")
        assert report.failed() == 0, (f"{what}: {report}\n{report.failures()[:20]}\n"
                                      f"{self.lab.story()}")
        return report


class Report:
    """What came of a load: by address, the longest time without an answer and what failed."""

    def __init__(self, flows):
        self.flows = flows

    def gap(self, address, kind=None):
        """Seconds: of new connections to it, of kept ones (the worst), or of both."""
        return max((f["gap"] for f in self.flows
                    if f["address"] == address and kind in (None, f["kind"])), default=0)

    def failed(self, address=None):
        return sum(f["failed"] for f in self.flows if address in (None, f["address"]))

    def addresses(self):
        return sorted({f["address"] for f in self.flows})

    def answered(self):
        return sum(f["answered"] for f in self.flows)

    def failures(self):
        """[(time, address, kind, why)] in order."""
        return sorted((at, f["address"], f["kind"], why)
                      for f in self.flows for at, why in f["failures"])

    def __str__(self):
        lines = []
        for address in self.addresses():
            lines.append(f"{address}: {self.gap(address, 'new') * 1000:.0f} ms without an answer to "
                         f"new connections, {self.gap(address, 'kept') * 1000:.0f} ms on kept ones, "
                         f"{self.failed(address)} failed")
        return f"{self.answered()} answered; " + "; ".join(lines)


def prefer():
    """The clock of a story must not wait for its turn."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    except OSError:
        pass


class Lab:
    def __init__(self, name, build, count=2, drain="3s", addresses=None):
        self.name = name
        self.build = pathlib.Path(build)
        self.folder = HOME / name
        self.switch = f"{name}-switch"
        self.drain = drain
        letters = [chr(ord("a") + i) for i in range(count)]
        self.nodes = [Node(self, letter, i + 1) for i, letter in enumerate(letters)]
        self.redis = Space(self, "redis", REDIS)
        self.origin = Space(self, "origin", ORIGIN)
        self.client = Space(self, "client", CLIENT)
        self.site = addresses or [
            {"name": node.name, "address": f"{NETWORK}{100 + i}/24", "home": node.node}
            for i, node in enumerate(self.nodes)]

    @property
    def a(self):
        return self.nodes[0]

    @property
    def b(self):
        return self.nodes[1]

    def homes(self, node):
        """Names of the addresses that are at home there."""
        return {a["name"] for a in self.site if a["home"] == node.node}

    def spaces(self):
        return [*self.nodes, self.redis, self.origin, self.client]

    def addresses(self):
        """{NAME: ADDRESS}."""
        return {a["name"]: a["address"].split("/")[0] for a in self.site}

    def program(self, name):
        return self.folder / "programs" / name

    def realtime(self):
        """What gives a program its turn first, where that is allowed."""
        allowed = subprocess.run(["chrt", "-r", "20", "true"], stderr=subprocess.DEVNULL,
                                 check=False).returncode == 0
        return ["chrt", "-r", "20"] if allowed else []

    # ---- making it ----

    def _make_files(self):
        HOME.mkdir(exist_ok=True)
        self.folder.mkdir()
        programs = self.folder / "programs"
        programs.mkdir()
        for name in PROGRAMS:
            shutil.copy(self.build / name, programs / name)
        for name in ("ha-notify", "ha-addresses"):
            shutil.copy(ROOT / "ha" / f"{name}.sh", programs / name)
        run("gcc", "-O2", "-o", programs / "steady", ROOT / "tests/e2e/harness/steady.c", "-lssl",
            "-lcrypto")
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        (self.folder / "tokens").write_text(f"lab admin {digest}\n")
        (self.folder / "cluster.secret").write_text(secrets.token_hex(32))
        names = ",".join(f"IP:{node.ipv4}" for node in self.nodes)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "30", "-subj", "/CN=lab", "-addext", f"subjectAltName={names}",
            "-keyout", self.folder / "admin.key", "-out", self.folder / "admin.pem")
        for name in ("cluster.secret", "admin.key"):
            os.chown(self.folder / name, NOBODY, NOBODY)
            (self.folder / name).chmod(0o600)
        (self.folder / "resources.conf").write_text(f"""
upstreams = ( {{ name = "origin"; targets = ( {{ address = "{NETWORK}{ORIGIN}:8081"; }} ); }} );
routes = ( {{ name = "fast"; match = {{ paths = ("/fast"); }}; respond = {{ body = "ok\\n"; }}; }},
           {{ name = "all"; upstream = "origin"; }} );
""")

    def _make_site(self):
        answers = {"nodes": [{"name": n.node, "ipv4": n.ipv4, "ipv6": n.ipv6} for n in self.nodes],
                   "addresses": self.site, "user": "nobody", "realtime": bool(self.realtime()),
                   "programs": str(self.folder / "programs")}
        (self.folder / "site.json").write_text(json.dumps(answers))
        run(self.program("gatewayctl"), "ha", "config", self.folder / "site.json", "--out",
            self.folder / "site")

    def make(self):
        self._make_files()
        self._make_site()
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "-batch", "-",
            stdin="link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\n"
                  "link set lo up\n")
        for space in self.spaces():
            space.make()
        for node in self.nodes:
            node.configure()
        return self

    def start(self):
        self.redis.spawn("redis", "redis-server", "--bind", self.redis.ipv4, "--protected-mode", "no",
                         "--save", "", "--dir", self.redis.folder)
        self.origin.spawn("origin", self.program("steady"), "serve", self.origin.ipv4, "8081")
        for node in self.nodes:
            node.start()
        return self.settle()

    def is_settled(self):
        """Every address is where it is at home, and nowhere else; every node is ready and says so."""
        for node in self.nodes:
            for site in self.site:
                is_home = site["home"] == node.node
                if node.state(site["name"]) != ("MASTER" if is_home else "BACKUP"):
                    return False
                if node.track(site["name"]) != 0 or (site["name"] in node.held()) != is_home:
                    return False
        return all(node.is_checked() and node.is_ready() for node in self.nodes)

    def settle(self, timeout=40):
        try:
            until(self.is_settled, timeout=timeout, what="every address at home")
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.story()}") from None
        return self

    def story(self):
        """What there is to know when something went wrong."""
        parts = []
        for node in self.nodes:
            parts.append(f"==== {node.node}: {node.states()}, on eth0 {node.held()}, tracks "
                         f"{[node.track(n) for n in node.addresses()]}")
            for name in ("gatewayd", "watch", "hold", "keepalived"):
                parts.append(f"---- {name}\n{node.log(name)[-1500:]}")
        return "\n".join(parts)

    def part_nodes(self, are_parted):
        """They no longer hear each other; everybody else hears both."""
        for node in self.nodes:
            run("bridge", "-n", self.switch, "link", "set", "dev", node.name, "isolated",
                "on" if are_parted else "off")

    def part_redis(self, node, is_parted):
        self.redis.run("ip", "route", "replace" if is_parted else "del", "blackhole", node.ipv4,
                       check=is_parted)

    def restore(self):
        """Undoes what stories do, until every address is at home."""
        self.part_nodes(False)
        for node in self.nodes:
            node.link(True)
            node.pass_on(True)
            self.part_redis(node, False)
            gatewayd = node.processes.get("gatewayd")
            if gatewayd is not None:
                gatewayd.send_signal(signal.SIGCONT)
            (node.power_on if node.is_off else node.start)()
        return self.settle()

    def remove(self):
        for space in self.spaces():
            for process in space.processes.values():
                process.kill()
                process.wait()
            space.processes.clear()
        remove(self.name)


# ---- make cluster ------------------------------------------------------------------------------


def demo_name(build):
    """Of the one lab of a build folder."""
    return "gw" + hashlib.sha256(str(pathlib.Path(build).resolve()).encode()).hexdigest()[:4]


TRY = """
Two nodes are running in network namespaces, with Redis, keepalived and a client. Addresses: {addresses}

In another shell (as root), this first:

    client() {{ ip netns exec {name}-client "$@"; }}; on_a() {{ ip netns exec {name}-a "$@"; }}; on_b() {{ ip netns exec {name}-b "$@"; }}; export GATEWAYCTL_TOKEN={token}; ctl() {{ on_$1 {folder}/programs/gatewayctl --cacert {folder}/admin.pem -s https://{network}$([ $1 = a ] && echo 1 || echo 2):9080 "${{@:2}}"; }}

Then, in any order:

  1. Requests through both addresses, and who has them:
    client curl -s http://{first}/hello; client curl -s http://{second}/hello; ctl a nodes; ctl a status --all

  2. A steady load meanwhile; Ctrl-C ends it and shows what failed and the longest time without an answer:
    client {folder}/programs/steady load 3000 new,{first},80,10,/fast kept,{first},80,20,/fast new,{second},80,10,/fast kept,{second},80,20,/fast

  3. gatewayd of node a is killed (its address moves to b), and started again (it comes back after 5 s):
    kill -9 $(ip netns pids {name}-a | xargs -rn1 sh -c 'grep -qx gatewayd /proc/$0/comm && echo $0'); sleep 1; on_b ip -br address show dev eth0

    on_a setpriv --reuid={nobody} --regid={nobody} --clear-groups {folder}/a/programs/gatewayd -c {folder}/a/gatewayd.conf >>{folder}/a/gatewayd.log 2>&1 & sleep 10; on_a ip -br address show dev eth0

  4. Node b is drained (no request fails), and takes its address again:
    ctl b drain; sleep 5; on_a ip -br address show dev eth0; ctl b undrain

  5. The cable of node a is pulled, and put back:
    ip -n {name}-switch link set dev a down; sleep 1; client curl -s http://{first}/hello; ip -n {name}-switch link set dev a up

What the programs say is in {folder}/a/*.log and {folder}/b/*.log. `make cluster-down` removes all of it.
"""


def up(build):
    why = missing()
    if why is not None:
        print(f"make cluster cannot be done here: {why}.", file=sys.stderr)
        return 1
    lab = Lab(demo_name(build), build)
    if namespaces(lab.name):
        print("It is running already; `make cluster-down` removes it.", file=sys.stderr)
        return 1
    remove(lab.name)  # what a half start may have left
    try:
        lab.make().start()
    except (AssertionError, RuntimeError, OSError, KeyboardInterrupt) as failed:
        print(f"{failed}", file=sys.stderr)
        lab.remove()
        return 1
    first, second = list(lab.addresses().values())[:2]
    print(TRY.format(addresses=", ".join(f"{n} {a}" for n, a in lab.addresses().items()),
                     name=lab.name, folder=lab.folder, first=first, second=second, token=TOKEN,
                     network=NETWORK, nobody=NOBODY))
    return 0


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("up", "down"):
        print("usage: python3 -m harness.lab up|down BUILD", file=sys.stderr)
        return 2
    if sys.argv[1] == "up":
        return up(sys.argv[2])
    if os.geteuid() == 0:
        remove(demo_name(sys.argv[2]))
        return 0
    print("make cluster-down takes root.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
