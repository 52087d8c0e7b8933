# SPDX-License-Identifier: Apache-2.0
"""gatewayctl ha config: what it makes of answers, what it says of wrong ones, and that keepalived
accepts it. Golden files: tests/golden/ha; with GOLDEN_UPDATE in the environment what is printed is
written there instead (look at it)."""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile

import pytest

from harness.node import BUILD, ROOT

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/ha"
GOOD = sorted(p for p in GOLDEN.glob("good/*") if p.suffix in (".conf", ".json"))
BAD = sorted(p for p in GOLDEN.glob("bad/*") if p.suffix in (".conf", ".json"))


def ha_config(*words, expect=0, **options):
    done = subprocess.run([BUILD / "gatewayctl", "ha", "config", *map(str, words)], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          cwd=ROOT, check=False, timeout=60, env={"PATH": os.environ["PATH"]},
                          **options)
    assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
    return done


def same_as_golden(path, text):
    golden = path.with_name(path.name + ".expected")
    if "GOLDEN_UPDATE" in os.environ:
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.name)
def test_what_is_made(path):
    same_as_golden(path, ha_config(path.relative_to(ROOT)).stdout)


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.name)
def test_what_is_wrong_is_said_all_at_once(path):
    done = ha_config(path.relative_to(ROOT), expect=2)
    assert done.stdout == ""
    same_as_golden(path, done.stderr)


def accepted(path):
    """keepalived 2.2.7 that only checks takes itself for an orphan and ends, when scripts run as a
    user; as the first process of its world it has no parent to miss."""
    interface = re.search(r"\binterface (\S+)", path.read_text()).group(1)
    script = f"ip link add {interface} type bridge && exec keepalived -t -f {path}"
    done = subprocess.run(["unshare", "--net", "--pid", "--fork", "sh", "-c", script], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60)
    return done.returncode, done.stdout


@pytest.fixture(name="programs")
def fixture_programs():
    """Where only root writes: keepalived runs nothing else."""
    folder = pathlib.Path(tempfile.mkdtemp(dir="/run", prefix="gatewayd-test-"))
    folder.chmod(0o755)
    for name in ("gatewayd-watch", "ha-notify"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("keepalived") is None,
                    reason="keepalived checks a configuration as root")
@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.name)
def test_keepalived_accepts_it(path, programs, tmp_path):
    ha_config(path, "--out", tmp_path / "out")
    made = sorted((tmp_path / "out").glob("*/keepalived.conf"))
    assert len(made) >= 2
    for conf in made:
        # A user, an interface and programs that are here: keepalived looks whether they are.
        text = re.sub(r"\b(gatewayd|edge)$", "nobody", conf.read_text(), flags=re.M)
        text = re.sub(r"^        nobody$", "        gatewayd", text, flags=re.M)
        text = re.sub(r'"\S+(/gatewayd-watch|/ha-notify)', rf'"{programs}\1', text)
        conf.write_text(text)
        assert accepted(conf) == (0, "")
    made[0].write_text(made[0].read_text().replace("advert_int", "advert_every"))
    assert accepted(made[0])[0] != 0


def test_files_are_written_where_they_are_asked_for(tmp_path):
    answers = GOLDEN / "good/pair.conf"
    done = ha_config(answers, "--out", tmp_path / "pair")
    there = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert there == {f"pair/gw-{n}/{f}" for n in "ab" for f in ("keepalived.conf", "ha.addresses")}
    assert "gw-a:/etc/keepalived/keepalived.conf" in done.stdout
    assert "/etc/gatewayd/ha.addresses" in done.stderr and "systemctl" in done.stderr
    ha_config(answers, "--node", "gw-b", "--out", tmp_path / "one")
    lines = (tmp_path / "one/ha.addresses").read_text().splitlines()
    assert lines[-2:] == ["a 10.0.0.100/24 eth0 guest", "b 10.0.0.101/24 eth0 home"]
    as_json = json.loads(ha_config(answers, "-o", "json").stdout)
    for node in ("gw-a", "gw-b"):
        for name, place in (("keepalived.conf", "/etc/keepalived/"), ("ha.addresses", "/etc/gatewayd/")):
            assert as_json[node][place + name] == (tmp_path / "pair" / node / name).read_text()


def test_wrong_uses(tmp_path):
    answers = GOLDEN / "good/pair.conf"
    assert "gw-x" in ha_config(answers, "--node", "gw-x", expect=2).stderr
    assert "terminal" in ha_config(expect=2).stderr
    assert "none.conf" in ha_config(tmp_path / "none.conf", expect=2).stderr
    (tmp_path / "file").write_text("")
    assert "cannot be" in ha_config(answers, "--out", tmp_path / "file", expect=2).stderr


def test_questions_on_a_terminal(tmp_path):
    """Empty answers take what is offered; what was answered is kept beside the files."""
    ours, theirs = pty.openpty()
    answers = ["two", "2", "", "ens3", "10.0.0.11", "edge", "", "10.0.0.12 2001:db8::12",
               "10.0.0.100/24  10.0.0.101/24", ""]
    os.write(ours, "".join(a + "\n" for a in answers).encode())
    done = subprocess.run([BUILD / "gatewayctl", "ha", "config", "--out", tmp_path / "out"],
                          stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "A number from 2 to 5" in done.stderr
    made = (tmp_path / "out/edge/ha.addresses").read_text().splitlines()
    assert made[-2:] == ["vip-1 10.0.0.100/24 ens3 guest", "vip-2 10.0.0.101/24 ens3 home"]
    again = ha_config(tmp_path / "out/ha.conf", "--node", "edge").stdout
    assert (tmp_path / "out/edge/keepalived.conf").read_text() in again


def test_a_terminal_that_ends_early_makes_nothing(tmp_path):
    ours, theirs = pty.openpty()
    os.write(ours, b"2\ngw-a\n\x04")
    done = subprocess.run([BUILD / "gatewayctl", "ha", "config", "--out", tmp_path / "out"],
                          stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, timeout=60)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2 and "Nothing was done" in done.stderr
    assert not (tmp_path / "out").exists()
