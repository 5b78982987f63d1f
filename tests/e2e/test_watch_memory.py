# tests/e2e/test_watch_memory.py: what the sensor may cost, whatever it sees.
# SPDX-License-Identifier: Apache-2.0
"""Peak memory of `portcullis watch` on captures that are made to cost it some
(bench/synth.c), and what it says of what it had to forget."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from conftest import BUILD, plain_build

TOP = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "tests"))
from captures import rows  # noqa: E402

CC = os.environ.get("CC", "cc")
BESIDE_KIB = 16 << 10  # program, libraries, fragments, buffers

pytestmark = [
    plain_build,
    pytest.mark.skipif(shutil.which(CC) is None, reason="no C compiler")]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """Programs of bench/; peak.c says why it is one."""
    directory = tmp_path_factory.mktemp("tools")
    for name in ("synth", "peak"):
        subprocess.run([CC, "-O2", "-D_GNU_SOURCE", "-o", directory / name,
                        TOP / f"bench/{name}.c"], check=True)
    return directory


def watch(tools, *args, source=None):
    """The counters, and the peak of resident memory in KiB."""
    took = tools / "took"
    done = subprocess.run(
        [tools / "peak", took, BUILD / "portcullis", "watch", "--json",
         *args], stdin=source, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])["stats"], int(took.read_text().split()[3])


def watch_flood(tools, name, times, *args):
    maker = subprocess.Popen([tools / "synth", name, str(times), "-"],
                             stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
    with maker.stdout:
        result = watch(tools, "-r", "-", *args, source=maker.stdout)
    assert maker.wait() == 0
    return result


def test_an_idle_control_connection_costs_less_than_600_bytes(tools):
    _, few = watch_flood(tools, "idle", 1000)
    stats, many = watch_flood(tools, "idle", 21000)
    assert stats["control"] == stats["logins"] == 21000
    assert stats["flows_shed"] == stats["no_room"] == 0
    assert stats["not_followed"] == 0
    assert (many - few) * 1024 / 20000 < 600


@pytest.mark.parametrize("flood,times,counters", [
    ("idle", 100000, ["flows_shed"]),
    ("syns", 400000, ["flows_shed"]),
    ("partial", 20000, ["no_room", "early_dropped"]),
    ("scans", 10000, ["findings_shed", "scan_maps_dropped"]),
])
@pytest.mark.parametrize("mib", [4, 64])
def test_no_flood_takes_more_than_is_given(tools, flood, times, counters, mib):
    """What is forgotten or refused is counted."""
    stats, kib = watch_flood(tools, flood, times, "--memory", str(mib))
    assert kib <= (mib << 10) + BESIDE_KIB
    assert all(stats[counter] > 0 for counter in counters), stats


def test_all_floods_together_take_no_more_than_is_given(tools, tmp_path):
    """Each part of the memory is full at once."""
    names = []
    for flood, times in (("partial", 8000), ("scans", 10000),
                         ("idle", 80000)):
        names.append(tmp_path / f"{flood}.pcap")
        subprocess.run([tools / "synth", flood, str(times), names[-1]], check=True,
                       stderr=subprocess.DEVNULL)
    stats, kib = watch(tools, "-r", *names)
    assert kib <= (64 << 10) + BESIDE_KIB
    assert stats["flows_shed"] > 0 and stats["no_room"] > 0


def test_ev31_hundred_thousand_connections_and_four_mebibytes(tools, tmp_path):
    (row,) = [c for c in rows.CAPTURES if c.slow]
    path = tmp_path / row.file
    path.write_bytes(row.make())
    stats, kib = watch(tools, "-r", path, *row.args.split())
    assert "--memory" in row.args
    assert stats["flows_shed"] > 0
    assert kib <= (4 << 10) + BESIDE_KIB
