# SPDX-License-Identifier: Apache-2.0
"""Several nodes on one Redis: each with a folder, ports and a name of its own."""
import concurrent.futures
import pathlib
import secrets

from .history import give_history
from .node import Node
from .wait import until


def address_of(redis):
    """host:port of what is an address already, or has one."""
    address = getattr(redis, "address", redis)
    return address if isinstance(address, str) else f"{address[0]}:{address[1]}"


class Cluster:
    """Nodes gw-a, gw-b, … `redis` is "host:port", a RedisServer, a list of either, or a SentinelSet;
    `redis_settings` go into state.redis, `cluster_settings` into cluster, the rest into each node's
    configuration. Nothing is started. `is_new`: no node has a history yet, and revisions begin at 1;
    the cluster is there some seconds later than others, whose first node brings a revision."""

    def __init__(self, folder, redis, count=2, redis_settings=None, cluster_settings=None,
                 secret=True, is_new=False, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        servers = redis if isinstance(redis, list) else [redis]
        known = servers[0].state() if hasattr(servers[0], "state") else {}
        if "servers" not in known or len(servers) > 1:
            known["servers"] = [address_of(s) for s in servers]
        self.redis_settings = {**known, **(redis_settings or {})}
        self.cluster_settings = dict(cluster_settings or {})
        if secret:
            path = self.folder / "cluster.secret"
            path.write_text(secrets.token_hex(32))
            path.chmod(0o600)
            self.cluster_settings.setdefault("secret_file", str(path))
        self.settings = settings
        self.nodes = []
        self.is_new = is_new
        for _ in range(count):
            self.add()

    def add(self, name=None, **settings):
        """One node more; not started."""
        name = name or f"gw-{chr(ord('a') + len(self.nodes))}"
        fields = {**self.settings, **settings}
        state = {"store": "redis", "redis": dict(self.redis_settings), **fields.pop("state", {})}
        cluster = {**self.cluster_settings, **fields.pop("cluster", {})}
        if cluster:
            fields["cluster"] = cluster
        node = Node(self.folder / name, name=name, state=state, **fields)
        if not self.nodes and not self.is_new:
            give_history(node)
        self.nodes.append(node)
        return node

    def __iter__(self):
        return iter(self.nodes)

    def __getitem__(self, index):
        return self.nodes[index]

    def __len__(self):
        return len(self.nodes)

    def start(self, timeout=20):
        """All at once, as after a power cut; until they stand where the shared history does."""
        for node in self.nodes:
            if node.process is None:
                node.start(wait=False)
        for node in self.nodes:
            until(node._is_ready_or_ended, timeout=timeout, what=f"{node.name} being ready")
            assert node.process.poll() is None, node.log()[-6000:]
        # A node with a journal is ready before, when Redis takes its time: then it refuses changes.
        self.connected(timeout=timeout)
        return self

    def stop(self):
        """The exit statuses, by name."""
        with concurrent.futures.ThreadPoolExecutor(max(1, len(self.nodes))) as pool:
            return dict(zip((n.name for n in self.nodes), pool.map(Node.stop, self.nodes)))

    def revisions(self):
        return [node.status()["revision"] for node in self.nodes]

    def agree(self, revision=None, timeout=10):
        """Waits until every running node is at the same revision (at least this one)."""
        running = [node for node in self.nodes if node.process is not None]

        def same():
            seen = {node.status()["revision"] for node in running}
            return len(seen) == 1 and (revision is None or min(seen) >= revision)

        until(same, timeout=timeout, what=f"one revision on {[n.name for n in running]}")
        return running[0].status()["revision"]

    def know_each_other(self):
        """Waits until every node lists all of them."""
        for node in self.nodes:
            until(lambda n=node: len(n.admin("GET", "/v1/nodes").json["items"]) == len(self.nodes),
                  what=f"{node.name} knowing all nodes")

    def connected(self, is_connected=True, timeout=10, nodes=None):
        """Waits until the nodes say that their store is connected, or away."""
        wanted = "connected" if is_connected else "away"
        for node in nodes or [n for n in self.nodes if n.process is not None]:
            until(lambda n=node: n.status()["store"]["state"] == wanted, timeout=timeout,
                  what=f"{node.name} being {wanted}")
