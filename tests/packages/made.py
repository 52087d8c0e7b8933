# SPDX-License-Identifier: Apache-2.0
"""What the stories of packages start from: packages, and clean systems to install them on. Each is
made once in a run, by whichever worker needs it first; systems are kept from run to run for as long
as what is asked for stays the same, three days at most."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "build" / "test-packages"
VERSION = re.search(r"^VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)[1]
# Before VERSION, in the order of both package managers.
OLDER = VERSION + "~1"
RELEASES = ["bookworm", "trixie"]
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
KEPT_SECONDS = 3 * 24 * 3600


def run(*command, timeout=300, check=True, **options):
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout,
                          check=False, **options)
    if check:
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done


@contextlib.contextmanager
def once(name, key=RUN):
    """A folder, and whether it is still to be filled; nobody else has it meanwhile."""
    folder = WORK / name
    stamp = WORK / f"{name}.made"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(WORK / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_made = (stamp.exists() and stamp.read_text() == key
                   and time.time() - stamp.stat().st_mtime < KEPT_SECONDS)
        if not is_made:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        yield folder, not is_made
        if not is_made:
            stamp.write_text(key)


# ---- may it be done here? -------------------------------------------------------------------


def this_release():
    fields = dict(line.rstrip().split("=", 1) for line in open("/etc/os-release", encoding="utf-8")
                  if "=" in line)
    return fields.get("ID", "").strip('"'), fields.get("VERSION_CODENAME", "").strip('"')


def need(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed: tests/deps packages")


def need_root():
    if os.geteuid() != 0:
        pytest.skip("only root can boot a system in a container")


def without_network():
    """In front of a command that must do without; nothing where that can't be had."""
    if os.geteuid() == 0 and run("unshare", "--net", "true", check=False).returncode == 0:
        return ["unshare", "--net"]
    return []


# ---- packages -------------------------------------------------------------------------------


def tree(folder, *, older=False):
    """A copy of the tree, without git; of an older version that has another default configuration."""
    epoch = run(ROOT / "packaging/source-tree", VERSION, folder).stdout.strip()
    if older:
        conf = folder / "packaging/default/gatewayd.conf"
        conf.write_text("# As it was once.\n" + conf.read_text())
    return epoch


# What an older package is like inside does not matter.
QUICK = "noopt noautodbgsym"


def debs_here():
    """The packages of this release, made on this machine from the tree as it is."""
    need("dpkg-buildpackage", "dh")
    with once("deb") as (folder, is_new):
        if is_new:
            run(*without_network(), ROOT / "packaging/build-deb", VERSION, folder, timeout=800)
    return folder


def older_debs_here():
    with once("deb-older") as (folder, is_new):
        if is_new:
            epoch = tree(folder / "tree", older=True)
            run(folder / "tree/packaging/build-deb", OLDER, folder, timeout=800,
                env=dict(os.environ, SOURCE_DATE_EPOCH=epoch, DEB_BUILD_OPTIONS=QUICK))
    return folder


def debs_there(release, *, older):
    """The same, made on another release, without its network."""
    builder = system(release, "builder", build_dependencies())
    name = f"deb-{release}" + ("-older" if older else "")
    with once(name) as (folder, is_new):
        if is_new:
            inside = builder / "srv" / name
            shutil.rmtree(inside, ignore_errors=True)
            inside.mkdir(parents=True)
            epoch = tree(inside / "tree", older=older)
            run(*without_network(), "chroot", builder, f"/srv/{name}/tree/packaging/build-deb",
                OLDER if older else VERSION, f"/srv/{name}/made", timeout=800,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "SOURCE_DATE_EPOCH": epoch,
                     "DEB_BUILD_OPTIONS": QUICK if older else ""})
            shutil.copytree(inside / "made", folder)
            shutil.rmtree(inside)
    return folder


def debs(release, *, older=False):
    if this_release() == ("debian", release):
        return older_debs_here() if older else debs_here()
    return debs_there(release, older=older)


def deb(folder, package):
    found = list(folder.glob(f"{package}_*.deb"))
    assert len(found) == 1, f"{package} in {folder}: {found}"
    return found[0]


def rpms_here():
    need("rpmbuild")
    with once("rpm") as (folder, is_new):
        if is_new:
            run(*without_network(), ROOT / "packaging/build-rpm", VERSION, folder, timeout=800)
    return folder


def older_rpms_here():
    need("rpmbuild")
    with once("rpm-older") as (folder, is_new):
        if is_new:
            epoch = tree(folder / "tree", older=True)
            run(folder / "tree/packaging/build-rpm", OLDER, folder, timeout=800,
                env=dict(os.environ, SOURCE_DATE_EPOCH=epoch))
    return folder


def rpm(folder, package):
    found = [file for file in folder.glob(f"{package}-[0-9]*.rpm") if not file.name.endswith(".src.rpm")]
    assert len(found) == 1, f"{package} in {folder}: {found}"
    return found[0]


# ---- systems --------------------------------------------------------------------------------


def build_dependencies():
    text = (ROOT / "packaging/debian/control").read_text()
    field = re.search(r"^Build-Depends:\n((?: .*\n)+)", text, re.M)[1]
    names = [re.sub(r" *\(.*", "", name.strip()) for name in field.split(",") if name.strip()]
    return sorted(n.replace("debhelper-compat", "debhelper") for n in names
                  if not n.startswith("dh-sequence-")) + ["build-essential"]


def dependencies(files):
    """What packages need, by name, the first of each choice; not each other."""
    own = {run("dpkg-deb", "--field", file, "Package").stdout.strip() for file in files}
    wanted = set()
    for file in files:
        for choice in run("dpkg-deb", "--field", file, "Depends").stdout.split(","):
            name = re.sub(r"[ (].*", "", choice.split("|")[0].strip())
            if name and name not in own:
                wanted.add(name)
    return sorted(wanted)


def sources(release):
    """The package sources of this machine, those of Debian itself, for another release."""
    name, here = this_release()
    if name != "debian" or not here:
        pytest.skip("clean systems are made from this machine's package sources, which are not Debian's")
    found = []
    for file in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if not file.is_file() or file.suffix not in (".list", ".sources"):
            continue
        parts = file.read_text().split("\n\n" if file.suffix == ".sources" else "\n")
        kept = [part for part in parts if re.search(r"^(URIs:|deb ).*/debian(-security)?/?(\s|$)", part, re.M)]
        if kept:
            found.append((file.suffix, "\n\n".join(kept).replace(here, release) + "\n"))
    if not found:
        pytest.skip("this machine has no package sources of Debian")
    return found


def system(release, purpose, packages):
    """The folder of a minimal Debian with some packages. It is copied before it is changed."""
    need("mmdebstrap")
    need_root()
    key = hashlib.sha256(repr((release, sorted(packages), sources(release))).encode()).hexdigest()
    with once(f"{purpose}-{release}", key) as (folder, is_new):
        if is_new:
            files = []
            for index, (suffix, text) in enumerate(sources(release)):
                files.append(WORK / f"{purpose}-{release}.{index}{suffix}")
                files[-1].write_text(text)
            done = run("mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages),
                       "--dpkgopt=force-unsafe-io", release, folder, *files, check=False, timeout=800)
            if done.returncode != 0:
                shutil.rmtree(folder, ignore_errors=True)
                if re.search(r"Could not resolve|Could not connect|Connection (timed out|failed)|Temporary failure",
                             done.stdout):
                    pytest.skip(f"Debian {release} can't be fetched: the package sources are not reached")
                raise AssertionError(f"mmdebstrap failed:\n{done.stdout[-4000:]}")
    return folder
