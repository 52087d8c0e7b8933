# SPDX-License-Identifier: Apache-2.0
"""What `gatewayctl cluster upgrade --run` runs in stories."""
import threading

from .wait import SLOWNESS


class Deployer(threading.Thread):
    """Stands behind the command: restarts the node whose name the command has put into a folder.
    `nodes`: {NAME: NODE}; `restart`, which stories may replace, is what is done to one."""

    def __init__(self, folder, nodes):
        super().__init__(daemon=True)
        self.folder = folder
        self.nodes = nodes
        self.is_over = threading.Event()
        self.asked = []
        self.statuses = []
        folder.mkdir()
        script = folder / "deploy"
        script.write_text(f"#!/bin/sh\ncd {folder} && touch \"$1.wanted\" && echo deploying \"$1\"\n"
                          "while [ ! -e \"$1.done\" ]; do sleep 0.02; done; rm \"$1.done\"\n")
        script.chmod(0o755)
        self.command = f"{script} {{node}}"

    def restart(self, node):
        self.statuses.append(node.stop())
        node.start(wait=False)

    def run(self):
        while not self.is_over.wait(0.02):
            for path in self.folder.glob("*.wanted"):
                path.unlink()
                self.asked.append(path.stem)
                self.restart(self.nodes[path.stem])
                (self.folder / f"{path.stem}.done").touch()

    def stop(self):
        self.is_over.set()
        self.join(60 * SLOWNESS)
