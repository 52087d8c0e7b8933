# SPDX-License-Identifier: Apache-2.0
"""What is promised when Redis fails, looked at while it does: traffic, writers and limits on every
node of a cluster, and at the end whether all of it held and everything recovered by itself."""
import threading
import time

from .client import Cut
from .load import Load
from .offer import Admitted
from .wait import SLOWNESS, until

RATE = BURST = 50
ANSWER_SECONDS = 6  # a commit has 2 s, and so has looking it up


def prepare(cluster):
    """What the traffic needs; the key that it uses."""
    node = cluster[0]
    until(lambda: node.admin("PUT", "/v1/consumers/acme", {}).status in (200, 201), timeout=20,
          what="a store that takes changes")
    node.route("open", paths=["/open"], respond={"body": "open"})
    node.route("keyed", paths=["/keyed"], respond={"body": "keyed"}, auth={"methods": ["key"]})
    node.route("limited", paths=["/limited"], respond={"body": "limited"},
               limits=[{"name": "all", "rate": RATE, "per": "1s", "burst": BURST, "by": "route"}])
    key = node.key("acme")
    cluster.agree()
    cluster.connected()
    cluster.know_each_other()
    return key


def admits(node, key):
    return node.get("/keyed", {"X-API-Key": key["key"]}).status


class Writer(threading.Thread):
    """Makes consumers, one after the other, and knows what became of each."""

    def __init__(self, node, mark, pause):
        super().__init__(daemon=True)
        self.node, self.mark, self.pause = node, mark, pause
        self.taken, self.refused, self.open, self.wrong = [], [], [], []
        self.slowest = 0.0
        self.is_over = threading.Event()

    def run(self):
        count = 0
        while not self.is_over.wait(self.pause):
            count += 1
            self.write(f"{self.mark}-{self.node.name}-{count}")

    def write(self, name):
        begin = time.monotonic()
        try:
            answer = self.node.admin("PUT", f"/v1/consumers/{name}", {}, timeout=20)
        except (OSError, Cut) as error:
            self.wrong.append(repr(error))
            return
        self.slowest = max(self.slowest, time.monotonic() - begin)
        if answer.status in (200, 201):  # 200: a merge had brought it already
            self.taken.append(name)
        elif answer.status in (503, 507) and answer.header("Retry-After") or answer.status == 507:
            is_open = "outcome-unknown" in answer.text
            (self.open if is_open else self.refused).append(name)
        else:
            self.wrong.append(repr(answer))

    def stop(self):
        self.is_over.set()
        self.join(30 * SLOWNESS)


class Ordeal:
    """with Ordeal(cluster, key) as ordeal: … what fails …; `losses`: how often Redis lost its memory
    meanwhile; `nodes`: only these have traffic; `pause`: of a writer between its writes. At the end
    of the block everything has recovered, or the story fails."""

    def __init__(self, cluster, key, losses=0, nodes=None, pause=0.1):
        self.cluster, self.key = cluster, key
        self.nodes = nodes or list(cluster)  # those with traffic and a writer
        self.losses, self.pause = losses, pause
        self.mark = f"w{int(time.monotonic() * 1000) % 10 ** 9}"
        self.doomed = []
        self.conflicts = 0
        self.pids = {}
        self.sizes = {}

    # ---- while it goes on ----

    def __enter__(self):
        # Keys that are revoked meanwhile.
        self.spare = [self.cluster[0].key("acme") for _ in range(4)]
        self.cluster.agree()
        for node in self.nodes:
            self.pids[node.name] = node.process.pid
            self.sizes[node.name] = node.access_path.stat().st_size
        paths = ["/open", "/keyed", "/limited"]
        self.loads = [Load(node.address, paths, connections=4, renew=0.2, pause=0.02,
                           headers=[("X-API-Key", self.key["key"])], expect=(200, 429))
                      for node in self.nodes]
        self.writers = [Writer(node, self.mark, self.pause) for node in self.nodes]
        for writer in self.writers:
            writer.start()
        self.written()
        return self

    def written(self, nodes=None, count=2, timeout=15):
        """Waits until writes on the nodes are taken (again)."""
        for writer in self.writers:
            if nodes is None or writer.node in nodes:
                before = len(writer.taken)
                until(lambda w=writer, b=before: len(w.taken) >= b + count, timeout=timeout,
                      what=f"writes on {writer.node.name}")

    def refused(self, nodes=None, timeout=15):
        """Waits until writes are refused, or their outcome open."""
        for writer in self.writers:
            if nodes is None or writer.node in nodes:
                before = len(writer.refused) + len(writer.open)
                until(lambda w=writer, b=before: len(w.refused) + len(w.open) > b,
                      timeout=timeout, what=f"a refusal on {writer.node.name}")

    def revoke(self, node, statuses=(204, 202), told_within=2):
        """One of the spare keys, which `node` refuses from the answer on."""
        key = self.spare.pop()
        begin = time.monotonic()
        answer = node.admin("DELETE", f"/v1/keys/{key['id']}")
        assert answer.status in statuses, answer
        assert time.monotonic() - begin < ANSWER_SECONDS * SLOWNESS
        assert admits(node, key) == 401
        self.doomed.append(key)
        if answer.status == 204 and answer.header("Gatewayd-Pending") is None:
            for other in self.cluster:
                until(lambda n=other: admits(n, key) == 401, timeout=told_within,
                      what=f"{other.name} refusing a revoked key", is_promise=True)
        return answer

    # ---- and after ----

    def __exit__(self, kind, error, trace):
        for writer in self.writers:
            writer.is_over.set()
        if kind is not None:
            for load in self.loads:
                load.stop()
            return
        self.recover()
        # Some ordeals are over before the burst is.
        until(lambda: any(self.limited(node).denied for node in self.nodes), timeout=30,
              what="the limit denying somebody")
        reports = [load.stop() for load in self.loads]
        for node, report in zip(self.nodes, reports):
            assert report.failures == [], f"{node.name}: {report}\n{node.log()[-3000:]}"
            assert report.answers > 50, f"{node.name}: {report}"
        self.look_at_writes()
        self.look_at_keys()
        self.look_at_limits()

    def recover(self):
        self.cluster.connected(timeout=20)
        for writer in self.writers:
            writer.stop()
        for node in self.cluster:
            until(lambda n=node: n.admin("PUT", f"/v1/consumers/{self.mark}-last-{n.name}",
                                         {}).status in (200, 201),
                  timeout=15, what=f"{node.name} taking changes again")
        self.cluster.agree(timeout=20)
        for node in self.cluster:
            assert node.process.pid == self.pids.get(node.name, node.process.pid)
            assert node.status()["state"] == "ready"

    def look_at_writes(self):
        for writer in self.writers:
            assert writer.wrong == []
            assert writer.slowest < ANSWER_SECONDS * SLOWNESS, writer.slowest
        names = [consumers(node) for node in self.cluster]
        assert all(n == names[0] for n in names)
        for writer in self.writers:
            lost = set(writer.taken) - names[0]
            assert not lost, f"acknowledged by {writer.node.name} and lost: {sorted(lost)}"
            late = set(writer.refused) & names[0]
            assert not late, f"refused by {writer.node.name} and made: {sorted(late)}"
        configs = [node.admin("GET", "/v1/config") for node in self.cluster]
        assert all(c.json == configs[0].json for c in configs)
        assert len({c.header("ETag") for c in configs}) == 1
        lists = [{r["revision"]: r for r in node.admin("GET", "/v1/revisions?limit=1000").json["items"]}
                 for node in self.cluster]
        for revision in set.intersection(*map(set, lists)):
            assert all(one[revision] == lists[0][revision] for one in lists)
        for node in self.cluster:
            conflicts = node.status()["store"].get("conflicts", [])
            assert len(conflicts) <= self.conflicts, conflicts

    def look_at_keys(self):
        for node in self.cluster:
            for key in self.doomed:
                until(lambda n=node, k=key: admits(n, k) == 401, what=f"{node.name} refusing a key")
            for key in self.spare + [self.key]:
                assert admits(node, key) == 200

    def limited(self, node):
        return Admitted([Since(node, self.sizes[node.name])], where=is_limited)

    def look_at_limits(self):
        until(lambda: all(n.metrics()['gatewayd_limit_mode{mode="divided"}'] == 0
                          for n in self.cluster), timeout=15, what="limits that are shared again")
        admitted = Admitted([])
        for node in self.nodes:
            one = self.limited(node)
            admitted.times += one.times
            admitted.refused += one.refused
        admitted.times.sort()
        assert admitted.denied > 0 and admitted.times
        # While some nodes are cut off and the others are not, also for the moment in which they
        # notice one after the other: 1 + k/n of the rate.
        admitted.never_over(RATE * 1.5, BURST * (1 + self.losses), slack_ms=100)


def is_limited(entry):
    return entry.get("route") == "limited"


def consumers(node):
    names, after = set(), ""
    while True:
        page = node.admin("GET", f"/v1/consumers?limit=1000&after={after}").json
        names.update(i["name"] for i in page["items"])
        if "next" not in page:
            return names
        after = page["next"]


class Since:
    """The access log of a node from a size on, for Admitted."""

    def __init__(self, node, size):
        self.name = node.name
        self.access_path = self
        self.node, self.size = node, size

    def read_text(self):
        with open(self.node.access_path, encoding="utf-8") as file:
            file.seek(self.size)
            return file.read()
