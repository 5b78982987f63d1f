# tests/e2e/test_captured.py: what a captured child can do to the others.
# SPDX-License-Identifier: Apache-2.0
"""A child that has been taken over says more than it was asked, or writes
where it may write and should not: its program is another one, or a debugger
makes it do the system call."""

import os
import shutil

from conftest import BUILD, needs_root
from test_keeper import TYPE, VERSION

# Says addresses of the first name without end; SIGKILL alone ends it.
RESOLVER = """#!/usr/bin/python3 -IS
import itertools, os, signal, struct
signal.signal(signal.SIGALRM, signal.SIG_IGN)
try:
    for seq in itertools.count():
        os.write(4, struct.pack("=BBHIII4s12sHBBII36x", %d, %d, 0, seq, 0, 0,
                 bytes((192, 0, 2, seq %% 250 + 1)), b"", 0, 4, 0, 0, 0))
except OSError:
    pass
"""


@needs_root
def test_a_resolver_that_never_stops_talking_is_ended(serve, place):
    programs = place / "programs"
    programs.mkdir()
    for name in ("portcullisd", "portcullis-gate", "portcullis-worker"):
        shutil.copy(BUILD / name, programs / name)
    fake = programs / "portcullis-resolver"
    fake.write_text(RESOLVER % (VERSION, TYPE["RESOLVED"]))
    fake.chmod(0o755)
    server = serve({"passive.address": "never.invalid"}, build=programs)
    server.wait_for("says more than it was asked")
    server.wait_for("is 192.0.2.")
    assert server.stderr.count("is 192.0.2.") <= 16 * server.stderr.count(
        "says more")
    assert server.stop(30) == 0


STORE = 10			# ipc/inherit.h


@needs_root
def test_a_store_that_a_worker_has_spoilt_stops_no_start(serve, place):
    conf = {"hash": "compute", "hash.store": place / "digests",
            "hash.entries": 1024}
    server = serve(conf)
    worker, = server.children("portcullis-worker")
    store = os.open(f"/proc/{worker}/fd/{STORE}", os.O_WRONLY)
    size = os.fstat(store).st_size
    os.pwrite(store, bytes(4096), 0)
    os.pwrite(store, b"x", 1 << 40)
    os.close(store)
    assert server.stop(30) == 0
    assert (place / "digests").stat().st_size == size
    server = serve(conf)
    with server.login() as session:
        first = session.cmd("XSHA256 pub/small.nc")
        assert first.code == 250
        assert session.cmd("XSHA256 pub/small.nc") == first
