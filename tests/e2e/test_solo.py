# tests/e2e/test_solo.py: a session with a secret has a process of its own.
# SPDX-License-Identifier: Apache-2.0
"""Until there are accounts and TLS, the process of its own says what a shared
one would: 530 to a named user, late, and 502 to AUTH."""

import os
import pathlib
import re
import signal
import socket
import time

import pytest

from conftest import Server, needs_root, open_to_others, make_archive
from test_processes import (gate_of, reload, said, sockets_of, soon,
                            tcp_sockets)


# ---- helpers

def is_solo(pid):
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return b"solo" in words


def solos(server):
    return {p for p in server.children("portcullis-worker") if is_solo(p)}


def shared(server):
    return set(server.children("portcullis-worker")) - solos(server)


def worker_of(server, control):
    """The worker that has that control connection."""
    ends = (server.port, control.sock.getsockname()[1])
    for pid in server.children("portcullis-worker"):
        try:
            inodes = sockets_of(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
        tcp = tcp_sockets(pid, 0x01)
        if any(tcp.get(inode) == ends for inode in inodes):
            return pid
    return None


def conf_of(place):
    for name in ("accounts", "certificate"):
        (place / name).write_text("# none yet\n")
    return {"accounts": place / "accounts",
            "tls.certificate": place / "certificate",
            "login.attempts": 5, "sessions.per_address": 1000,
            "events.commands": "all"}


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """One server for all who do it no harm."""
    import tempfile
    import shutil
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    server = Server(place, place / "archive", conf_of(place))
    soon(lambda: len(solos(server)) == 2)
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


def test_quick(moving):
    with moving.control() as c:
        assert c.read().code == 220
        c.send("USER alice\r\nPASS sesame\r\nNOOP\r\n")
        assert c.read().code == 530
        assert c.read().code == 503
        assert c.read().code == 200
