# SPDX-License-Identifier: Apache-2.0
"""Packages as files: the same twice, made without network and without git, with nothing that the checkers of
both distributions find wrong and no reason is given for."""
import hashlib
import os
import re

import pytest

import made

LINTIAN = ["lintian", "--pedantic", "--display-info", "--show-overrides", "--fail-on", "none", "--allow-root"]


def digests(folder, *kinds):
    found = {}
    for kind in kinds:
        for file in folder.glob(f"*.{kind}"):
            found[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def without_cache(tmp_path):
    """Of the compiler; another zone, another home."""
    return dict(os.environ, CCACHE_DISABLE="1", TZ="Pacific/Chatham", HOME=str(tmp_path))


def test_debs_are_the_same_from_another_folder_without_git(tmp_path):
    first = digests(made.debs_here(), "deb", "dsc", "tar.xz")
    assert len(first) == 6, first
    tree = tmp_path / "somewhere" / "else"
    env = dict(without_cache(tmp_path), SOURCE_DATE_EPOCH=made.tree(tree))
    made.run(*made.without_network(), tree / "packaging/build-deb", made.VERSION, tmp_path / "made", env=env,
             timeout=800)
    assert digests(tmp_path / "made", "deb", "dsc", "tar.xz") == first


def test_rpms_are_the_same_twice(tmp_path):
    folder = made.rpms_here()
    first = digests(folder, "rpm")
    assert len(first) == 3, first
    # In the same folder: rpm writes its name into the packages.
    made.run(*made.without_network(), made.ROOT / "packaging/build-rpm", made.VERSION, folder, timeout=800,
             env=without_cache(tmp_path))
    assert digests(folder, "rpm") == first


def test_lintian_finds_nothing_unexplained():
    made.need("lintian")
    changes = list(made.debs_here().glob("*.changes"))
    assert len(changes) == 1
    output = made.run(*LINTIAN, changes[0]).stdout
    # E, W, I and P are findings; O is one for which debian/*.lintian-overrides gives a reason.
    found = [line for line in output.splitlines() if re.match(r"^[EWIP]: ", line)]
    assert found == [], output


def test_rpmlint_finds_nothing_unexplained():
    made.need("rpmlint")
    files = sorted(made.rpms_here().glob("*.rpm"))
    output = made.run("rpmlint", "--config", made.ROOT / "packaging/rpmlint.toml", *files, check=False).stdout
    last = re.search(r"(\d+) errors, (\d+) warnings", output)
    assert last and last.groups() == ("0", "0"), output


@pytest.mark.parametrize("unit", sorted((made.ROOT / "packaging/systemd").glob("*.service"))
                         + sorted((made.ROOT / "ha").glob("*.service")), ids=lambda unit: unit.name)
def test_units_are_hardened(unit):
    made.need("systemd-analyze")
    output = made.run("systemd-analyze", "security", "--offline=true", unit).stdout
    level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)[1])
    assert level <= 2.0, output
