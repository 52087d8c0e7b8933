# SPDX-License-Identifier: Apache-2.0
"""`make cluster` and `make cluster-down`: what is printed can be pasted, two sites can be there at
once, and everything goes away again, after a half start too."""
import os
import shutil
import subprocess
import sys

import pytest

from harness import lab as labs
from harness.node import BUILD, ROOT

pytestmark = pytest.mark.ha


def cluster(what, build):
    return subprocess.run([sys.executable, "-B", "-m", "harness.lab", what, build],
                          cwd=ROOT / "tests/e2e", text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, timeout=120)


@pytest.fixture(name="build")
def fixture_build(tmp_path):
    """A folder of programs, and with it a name, of its own."""
    if labs.missing() is not None:
        pytest.skip(labs.missing())
    for name in labs.PROGRAMS:
        shutil.copy(BUILD / name, tmp_path / name)
    yield tmp_path
    cluster("down", tmp_path)


def paste(lines, folder):
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60,
                          env={"PATH": os.environ["PATH"], "HOME": str(folder)})
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_every_line_of_make_cluster_works_and_all_of_it_goes_away(build, tmp_path):
    name = labs.demo_name(build)
    labs.run("ip", "netns", "add", f"{name}-client")  # a start that was killed had come so far
    cluster("down", build)
    done = cluster("up", build)
    assert done.returncode == 0, done.stdout
    first, *lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("    ")]
    look, _, kill, again, drain, cable = lines
    said = paste([first, look], tmp_path)
    assert said.count("ok") >= 2 and said.count(" ready ") >= 4, said
    said = paste([first, kill], tmp_path)
    assert "10.99.0.100/24" in said and "10.99.0.101/24" in said, said
    said = paste([first, again], tmp_path)
    assert "10.99.0.100/24" in said and "10.99.0.101/24" not in said, said
    said = paste([first, drain], tmp_path)
    assert "10.99.0.100/24" in said and "10.99.0.101/24" in said, said
    assert "ok" in paste([first, cable], tmp_path)

    assert "already" in cluster("up", build).stdout
    assert cluster("down", build).returncode == 0
    assert labs.namespaces(name) == [] and not (labs.HOME / name).exists()
    assert cluster("down", build).returncode == 0  # nothing is there, and that is no error


def test_a_start_that_fails_leaves_nothing(build):
    (build / "gatewayd-watch").unlink()
    done = cluster("up", build)
    assert done.returncode == 1 and "gatewayd-watch" in done.stdout
    assert labs.namespaces(labs.demo_name(build)) == []
