# tests/e2e/test_power_cut.py: what was acknowledged is on the disk.
# SPDX-License-Identifier: Apache-2.0
"""powercut.py says how."""

import os
import pathlib
import random
import shutil
import subprocess
import sys

import pytest

from conftest import needs_root, plain_build

HERE = pathlib.Path(__file__).parent
KINDS = ("ext4", "xfs", "btrfs")


def lacks(kind):
    if shutil.which(f"mkfs.{kind}") is None:
        return f"no mkfs.{kind}"
    with open("/proc/filesystems") as known:
        if kind not in known.read().split():
            return f"this kernel has no {kind}"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            return f"no {device}"
    return None


@needs_root
@plain_build
@pytest.mark.parametrize("kind", KINDS)
def test_no_power_cut_loses_or_tears_an_upload(kind, capsys):
    if (why := lacks(kind)) is not None:
        pytest.skip(why)
    seed = os.environ.get("PORTCULLIS_SEED", str(random.randrange(1 << 32)))
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable,
         str(HERE / "powercut.py"), kind, seed, "24", "60"],
        capture_output=True, text=True)
    with capsys.disabled():
        print(f"\n{done.stdout}", end="")
    assert done.returncode == 0, done.stderr
