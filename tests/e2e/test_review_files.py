# SPDX-License-Identifier: Apache-2.0
"""Files that give somebody power: who else may read or write them."""
import os
import subprocess

import pytest

from harness.node import BUILD, ROOT
from harness.wait import until


def check(node):
    return subprocess.run([BUILD / "gatewayd", "-t", "-c", node.config_path], text=True,
                          stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize("mode, is_said", [(0o600, False), (0o640, False), (0o644, True),
                                           (0o660, True)])
def test_a_secret_of_the_cluster_that_others_may_read_is_warned_of(make_node, tmp_path, mode, is_said):
    """Whoever knows it is a node: it revokes keys, and reads what tickets hide."""
    secret = tmp_path / "cluster.secret"
    secret.write_text("secret\n")
    secret.chmod(mode)
    node = make_node(cluster={"secret_file": str(secret)})
    assert check(node).returncode == 0
    assert node.stop() == 0  # and with it all is in the log
    words = f"cluster.secret_file: {secret} is open to others (mode {mode:04o})"
    assert (words in node.log()) == is_said, node.log()


def test_a_secret_of_the_cluster_that_everybody_may_write_is_no_start(make_node, tmp_path):
    secret = tmp_path / "cluster.secret"
    secret.write_text("secret\n")
    secret.chmod(0o602)
    node = make_node(start=False, cluster={"secret_file": str(secret)})
    done = check(node)
    assert done.returncode == 1
    assert f"cluster.secret_file: {secret} is open to others (mode 0602): chmod 0600 it (or 0640)." \
        in done.stderr


@pytest.mark.parametrize("mode, is_good", [(0o600, True), (0o644, True), (0o646, False)])
def test_not_everybody_makes_tokens(make_node, mode, is_good):
    """They are digests, which may be read; a line more is an administrator more."""
    node = make_node(start=False)
    (node.folder / "tokens").chmod(mode)
    done = check(node)
    assert (done.returncode == 0) == is_good, done.stderr
    if is_good:
        return
    assert f"{node.folder}/tokens: {node.folder}/tokens is open to others (mode {mode:04o})" in \
        done.stderr
    (node.folder / "tokens").chmod(0o600)
    node.start()
    (node.folder / "tokens").chmod(mode)
    (node.folder / "tokens").write_text("mallory admin " + "0" * 64 + "\n")
    node.signal(1)
    until(lambda: "is open to others" in node.log(), what="a word on it")
    assert node.admin("GET", "/v1/status").status == 200, "the tokens from before are in force"


# ---- packages ----------------------------------------------------------------------------------

PURGE = r"""
set -e
for folder in /var/lib /var/log /run /etc; do mount -t tmpfs tmpfs $folder; done
mkdir /var/lib/gatewayd /var/log/gatewayd /run/gatewayd /etc/gatewayd
mount -t tmpfs tmpfs /var/lib/gatewayd
touch /var/lib/gatewayd/journal /var/log/gatewayd/access.log
touch /etc/gatewayd/tokens /etc/gatewayd/admin.token
grep -v DEBHELPER "$1" | sh -s purge
find /var/lib /var/log /etc -mindepth 1
"""


def test_a_state_folder_that_is_a_volume_does_not_keep_tokens_from_being_purged():
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        pytest.skip("no mounts of its own for a shell here")
    done = subprocess.run(["unshare", "-m", "sh", "-c", PURGE, "sh",
                           ROOT / "packaging/debian/gatewayd.postrm"], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done
    assert done.stdout.split() == ["/var/lib/gatewayd"], "the mount point, without what was in it"


@pytest.mark.parametrize("mode, is_good", [(0o600, True), (0o644, True), (0o606, False)])
def test_the_password_of_redis_is_nobody_elses(make_node, redis, tmp_path, mode, is_good):
    password = tmp_path / "redis.password"
    password.write_text("secret\n")
    password.chmod(mode)
    node = make_node(start=False, state={"store": "redis", "redis": {
        "servers": [redis.address], "password_file": str(password)}})
    done = check(node)
    assert (done.returncode == 0) == is_good, done.stderr
    if not is_good:
        assert f"{password} is open to others (mode {mode:04o})" in done.stderr
        return
    node.start(wait=False)
    until(lambda: node.is_live(), what="a node that has read its secrets")
    node.stop()  # and with it all is in the log
    warning = f"state.redis.password_file: {password} is open to others"
    assert (warning in node.log()) == (mode == 0o644)
