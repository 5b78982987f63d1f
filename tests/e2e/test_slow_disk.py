# tests/e2e/test_slow_disk.py: one slow disk holds up nobody but who waits for it.
# SPDX-License-Identifier: Apache-2.0
"""A file system of our own is mounted inside the archive; its calls wait for
a go that the test gives (or, so that a fault ends, half a minute).  Whatever
is finished before the go was not held up: no clock is compared.
"""

import ctypes.util
import errno
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time

import pytest

from conftest import needs_root, steady_bytes

BODY = steady_bytes(200_000, 21)
BIG = steady_bytes(5_000_001, 2)
LONGEST_S = 30


# ---- the file system, in a process of its own

def serve_slowly(mount, control):
    """Files named slow-CALL wait in that call while control/wait exists;
    control/CALL is made when one has begun to."""
    import fusepy as fuse

    def hold(call, path):
        if f"slow-{call}" not in path:
            return
        pathlib.Path(control, call).touch()
        end = time.monotonic() + LONGEST_S
        while pathlib.Path(control, "wait").exists():
            if time.monotonic() > end:
                raise fuse.FuseOSError(errno.EIO)
            time.sleep(0.01)

    class Slow(fuse.Operations):
        use_ns = True

        def getattr(self, path, fh=None):
            hold("getattr", path)
            folder = path == "/" or path.endswith(".d")
            return {"st_mode": stat.S_IFDIR | 0o755 if folder
                    else stat.S_IFREG | 0o644, "st_nlink": 1,
                    "st_size": 0 if folder else len(BODY)}

        def open(self, path, flags):
            hold("open", path)
            return 0

        def read(self, path, size, offset, fh):
            hold("read", path)
            if "lost-" in path and offset > 0:
                raise fuse.FuseOSError(getattr(errno, path.split("-")[1]))
            return BODY[offset:offset + size]

        def flush(self, path, fh):
            hold("flush", path)
            return 0

        def opendir(self, path):
            hold("opendir", path)
            return 0

        def readdir(self, path, fh):
            hold("readdir", path)
            return [".", "..", "one", "two"]

        def getxattr(self, path, name, position=0):
            raise fuse.FuseOSError(errno.ENODATA)

    fuse.FUSE(Slow(), mount, foreground=True, allow_other=True,
              nothreads=False, attr_timeout=0, entry_timeout=0)


# ---- the tests

class SlowDisk:
    def __init__(self, mount, control):
        self.mount, self.control = mount, control
        (control / "wait").touch()
        self.process = subprocess.Popen(
            [sys.executable, __file__, mount, control],
            stderr=subprocess.PIPE, text=True)
        self.until(lambda: os.path.ismount(mount))

    def until(self, happened):
        end = time.monotonic() + LONGEST_S
        while not happened():
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.01)

    def wait_for(self, call):
        self.until((self.control / call).exists)

    def go(self):
        (self.control / "wait").unlink(missing_ok=True)

    def end(self):
        self.go()
        subprocess.run(["umount", "-l", self.mount], check=True)
        self.process.wait(LONGEST_S)


@pytest.fixture
def disk(place, archive):
    assert ctypes.util.find_library("fuse"), "script/bootstrap test"
    mount, control = archive / "slow", place / "control"
    mount.mkdir()
    control.mkdir()
    slow = SlowDisk(mount, control)
    yield slow
    slow.end()


def others_go_on(server):
    """In the same worker: there is one alone."""
    with server.login() as c:
        for _ in range(50):
            assert c.cmd("NOOP").code == 200
        assert c.fetch("RETR pub/big.grib2") == BIG
        assert b"small.nc" in c.fetch("LIST pub")
        assert c.cmd("SIZE pub/README").code == 213
        assert c.cmd("CWD pub/data").code == 250


def gone_on(server, disk, c, call):
    """The slow call has begun; others finish before it may end."""
    disk.wait_for(call)
    others_go_on(server)
    assert (disk.control / "wait").exists()
    c.sock.setblocking(False)
    try:
        early = c.sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        early = b""
    finally:
        c.sock.settimeout(LONGEST_S)
    disk.go()
    return early


@needs_root
@pytest.mark.parametrize("call,line,code", [
    ("getattr", "SIZE slow/slow-getattr", 213),
    ("getattr", "MDTM slow/slow-getattr", 213),
    ("getattr", "MLST slow/slow-getattr", 250),
    ("getattr", "STAT slow/slow-getattr", 213),
    ("opendir", "STAT slow/slow-opendir.d", 212),
    ("readdir", "STAT slow/slow-readdir.d", 212),
    ("getattr", "CWD slow/slow-getattr.d", 250),
    ("getattr", "CWD slow/slow-getattr", 550),
])
def test_others_go_on_while_one_asks(serve, disk, call, line, code):
    server = serve()
    with server.login() as c:
        c.send(line + "\r\n")
        assert gone_on(server, disk, c, call) == b""
        assert c.read().code == code


@needs_root
@pytest.mark.parametrize("call", ["open", "read", "flush"])
def test_others_go_on_while_one_waits_for_a_message(serve, disk, call):
    server = serve({"message": f"slow-{call}"})
    with server.login() as c:
        c.send("CWD slow/x.d\r\n")
        assert gone_on(server, disk, c, call) == b""
        assert "(The rest of this text is left out.)" in c.read()
        assert c.cmd("PWD").startswith('257 "/slow/x.d" ')


@needs_root
@pytest.mark.parametrize("call,line,part", [
    ("getattr", "RETR slow/slow-getattr", BODY),
    ("open", "RETR slow/slow-open", BODY),
    ("read", "RETR slow/slow-read", BODY),
    ("flush", "RETR slow/slow-flush", BODY),
    ("opendir", "LIST slow/slow-opendir.d", b" two\r\n"),
    ("readdir", "LIST slow/slow-readdir.d", b" two\r\n"),
    ("readdir", "MLSD slow/slow-readdir.d", b" two\r\n"),
    ("readdir", "NLST slow/slow-readdir.d", b"two\r\n"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_others_go_on_while_one_transfers(serve, disk, call, line, part):
    server = serve()
    with server.login() as c:
        with c.data() as data:
            data.settimeout(LONGEST_S)
            c.send(line + "\r\n")
            gone_on(server, disk, c, call)
            body = b"".join(iter(lambda: data.recv(1 << 16), b""))
        assert body.endswith(part)
        assert [c.read().code, c.read().code] == [150, 226]
        assert c.cmd("NOOP").code == 200


@needs_root
@pytest.mark.parametrize("call", ["open", "read", "flush"])
def test_others_go_on_while_a_client_leaves_a_slow_file(serve, disk, call):
    server = serve()
    c = server.login()
    data = c.data()
    c.send(f"RETR slow/slow-{call}\r\n")
    disk.wait_for(call)
    data.close()
    c.close()
    others_go_on(server)
    disk.go()
    others_go_on(server)


@needs_root
def test_others_go_on_while_a_client_leaves_a_slow_directory(serve, disk):
    server = serve()
    c = server.login()
    c.send("STAT slow/slow-readdir.d\r\n")
    disk.wait_for("readdir")
    c.close()
    others_go_on(server)
    disk.go()
    others_go_on(server)


@needs_root
def test_abort_is_answered_while_the_disk_is_slow(serve, disk):
    server = serve()
    with server.login() as c, c.data():
        c.send("RETR slow/slow-read\r\n")
        assert c.read().code == 150
        disk.wait_for("read")
        assert c.cmd("ABOR").code == 426
        assert c.read().code == 226
        assert c.cmd("NOOP").code == 200
        assert c.fetch("RETR pub/big.grib2") == BIG
        disk.go()
        assert c.cmd("NOOP").code == 200


@needs_root
def test_many_wait_for_the_slow_disk_and_the_others_go_on(serve, disk):
    """More than there are disk threads by half: `worker.threads` may all be
    taken, and what is in memory still goes out."""
    server = serve({"worker.threads": 8})
    sessions = [server.login() for _ in range(7)]
    for c in sessions:
        c.send("SIZE slow/slow-getattr\r\n")
    disk.wait_for("getattr")
    others_go_on(server)
    disk.go()
    for c in sessions:
        c.sock.settimeout(LONGEST_S)
        assert c.read().code == 213
        c.close()


@needs_root
@pytest.mark.parametrize("error", ["EPIPE", "ECONNRESET", "ENOTCONN", "EIO"])
def test_a_lost_file_server_is_no_close_by_the_client(serve, disk, error):
    disk.go()
    server = serve()
    with server.login() as c, c.data() as data:
        assert c.cmd(f"RETR slow/lost-{error}").code == 150
        body = b"".join(iter(lambda: data.recv(1 << 16), b""))
        assert len(body) < len(BODY)
        assert c.read().code == 451
    event, = server.events("ftp_data")
    assert event["ftp_data"]["result"] == "read_error"


if __name__ == "__main__":
    serve_slowly(*sys.argv[1:])
