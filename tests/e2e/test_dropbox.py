# tests/e2e/test_dropbox.py: files that anonymous users leave (attack D09).
# SPDX-License-Identifier: Apache-2.0
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from conftest import (IS_ROOT, Server, make_archive, needs_root,
                      open_to_others, steady_bytes)
from test_processes import soon
from test_sandbox import INJECT, table
from test_solo import worker_of
from test_tls import Pki
from test_uploads import store

LARGEST, FILES, BYTES = 40_000_000, 12, 60_000_000


def make_box(place):
    archive = place / "archive"
    if not archive.exists():
        archive.mkdir()
        make_archive(archive)
    (archive / "incoming").mkdir()
    open_to_others(archive)
    box = archive / "incoming"
    (box / "notes.txt").write_bytes(b"of the archive's people")
    if IS_ROOT:
        shutil.chown(box, "portcullis-worker", "portcullis-worker")
    return box


@pytest.fixture(scope="module")
def boxed():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    box = make_box(place)
    server = Server(place, place / "archive", {
        "anonymous.upload": "/incoming", "anonymous.upload_files": FILES,
        "anonymous.upload_largest": LARGEST, "worker.count": 2,
        "anonymous.upload_bytes": BYTES, "anonymous.upload_keep": "1h",
        "hash": "compute"})
    server.box = box
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(autouse=True)
def emptied(request):
    """Its people have moved everything."""
    yield
    if "boxed" in request.fixturenames:
        for path in drops(request.getfixturevalue("boxed").box):
            path.unlink()


def drops(box):
    return sorted(box.glob(".portcullis.*"))


def test_d09_everyone_leaves_files_and_sees_none(boxed):
    with boxed.login() as c:
        assert c.cmd("CWD incoming").code == 250
        assert store(c, "STOR new", b"mine").code == 226
        assert store(c, "STOR /incoming/new", b"another's").code == 226
        assert store(c, "STOU new", b"a third").code == 226
        for command in ("LIST", "NLST", "MLSD", "LIST /incoming", "LIST *",
                        "STAT /incoming", "RETR new", "RETR notes.txt",
                        "SIZE new", "MDTM notes.txt", "MLST notes.txt",
                        "CWD new", "HASH notes.txt", "LIST notes.txt"):
            c.epsv()
            assert c.cmd(command).code == 550, command
        assert "incoming" in c.fetch("LIST /").decode()
        name = drops(boxed.box)[0].name
        c.epsv()
        assert c.cmd(f"RETR {name}").code == 550
    found = drops(boxed.box)
    assert [p.stat().st_mode & 0o7777 for p in found] == [0o040] * 3
    assert {p.name.split("-", 2)[2][:3] for p in found} == {"new"}
    if IS_ROOT:
        assert {p.read_bytes() for p in found} == {b"mine", b"another's",
                                                   b"a third"}


CLIENTS = {
    "curl": "curl -sS --fail -T {file} {url}",
    "curl-tls": "curl -sS --fail -k --ssl-reqd -T {file} {url}",
    "lftp": "lftp -e 'set ssl:verify-certificate no; put {file}; bye' {url}",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_d09_real_clients_leave_files(place, tls_boxed, client):
    """In a process that many share, and, within TLS, in one of their own."""
    if shutil.which(client.split("-")[0]) is None:
        pytest.skip(f"no {client}")
    given = place / "given.nc"
    given.write_bytes(steady_bytes(2_000_003, 5))
    done = subprocess.run(["sh", "-c", CLIENTS[client].format(
        file=given, url=tls_boxed.url("incoming/"))], capture_output=True,
        text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found, = drops(tls_boxed.box)
    assert found.stat().st_size == 2_000_003
    if IS_ROOT:
        assert found.read_bytes() == given.read_bytes()
    found.unlink()


@pytest.fixture(scope="module")
def tls_boxed():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    box = make_box(place)
    (place / "pki").mkdir(mode=0o700)
    made = Pki(place / "pki")
    server = Server(place, place / "archive", {
        "anonymous.upload": "/incoming",
        "tls.certificate": f"{made['ec.crt']} key={made['ec.key']}"})
    server.box = box
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.parametrize("command, code", [
    ("STOR /pub/x", 553), ("STOR x", 553), ("STOR incoming", 553),
    ("STOR incoming/sub/x", 553), ("STOR incoming/../x", 553),
    ("STOR incoming/", 553), ("APPE incoming/x", 554),
    ("STOR incoming/.portcullis.drop-x", 553), ("MKD incoming/x", 550),
    ("DELE incoming/notes.txt", 550), ("RNFR incoming/notes.txt", 550),
    ("RMD incoming", 550), ("MFMT 20200101000000 incoming/notes.txt", 550),
    ("SITE CHMOD 644 incoming/notes.txt", 504),
    ("STOR incoming/" + "x" * 222, 550)])
def test_d09_nothing_else_can_be_done(boxed, command, code):
    with boxed.login() as c:
        c.epsv()
        assert c.cmd(command).code == code
    assert not drops(boxed.box)


def test_d09_no_part_is_gone_on_with(boxed):
    with boxed.login() as c:
        c.epsv()
        assert c.cmd("REST 1").code == 350
        assert c.cmd("STOR incoming/x").code == 554
        with c.data() as data:
            assert c.cmd("STOR incoming/x").code == 150
            data.sendall(b"x" * 2_000_000)
            soon(lambda: "2000000 bytes" in c.cmd("STAT"))
            assert c.cmd("ABOR").code == 426
            assert c.read().code == 226
    assert not drops(boxed.box)


def test_d09_no_file_is_too_long(boxed):
    with boxed.login() as c:
        assert c.cmd(f"ALLO {LARGEST + 1}").code in (200, 202)
        c.epsv()
        assert c.cmd("STOR incoming/long").code == 552
        with c.data() as data:
            assert c.cmd("STOR incoming/long").code == 150
            with pytest.raises(ConnectionError):
                for _ in range(LARGEST // 100_000 + 200):
                    data.sendall(bytes(100_000))
        assert c.read().code == 552
    assert not drops(boxed.box)


def test_d09_no_more_files_than_have_room(boxed):
    """Its people's count too; what they take away makes room at once."""
    with boxed.login() as c:
        for n in range(FILES - 1):
            assert store(c, f"STOR incoming/{n}", b"x").code == 226
        assert store(c, "STOR incoming/one-more", b"x").code == 552
        drops(boxed.box)[0].unlink()
        assert store(c, "STOR incoming/one-more", b"x").code == 226


def test_d09_no_more_bytes_than_have_room(boxed):
    """Of uploads under way too, in whichever process."""
    with boxed.login() as one, boxed.login() as other:
        with one.data() as data:
            assert one.cmd("STOR incoming/one").code == 150
            data.sendall(bytes(35_000_000))
            soon(lambda: "35000000 bytes" in one.cmd("STAT"))
            with other.data() as more:
                assert other.cmd("STOR incoming/other").code == 150
                with pytest.raises(ConnectionError):
                    for _ in range(390):
                        more.sendall(bytes(100_000))
                    other.cmd("NOOP")
                    raise ConnectionError
            assert other.read().code == 552
        assert one.read().code == 226
        # What is left is told of before a byte is sent.
        assert one.cmd("ALLO 30000000").code in (200, 202)
        assert store(one, "STOR incoming/two", b"x").code == 552
        assert store(one, "STOR incoming/two", b"x").code == 226
    assert sum(p.stat().st_size for p in drops(boxed.box)) == 35_000_001


def test_d09_what_nobody_moves_goes_in_time(boxed):
    with boxed.login() as c:
        assert store(c, "STOR incoming/old", b"x").code == 226
        old, = drops(boxed.box)
        left = boxed.box / ".portcullis.new-0000000000000000"
        left.write_bytes(b"of a process that was killed")
        left.chmod(0)
        for path, hours in ((old, 2), (left, 24 * 8),
                            (boxed.box / "notes.txt", 24 * 400)):
            then = time.time() - 3600 * hours
            os.utime(path, (then, then))
        if IS_ROOT:
            shutil.chown(left, "portcullis-worker")
        assert store(c, "STOR incoming/new", b"x").code == 226
    assert len(drops(boxed.box)) == 1 and not old.exists()
    assert (boxed.box / "notes.txt").exists()


def test_d09_what_is_on_its_way_is_closed_to_us_as_well(boxed):
    """Who opened it before it is done could read it, and write to it later."""
    with boxed.login() as c, c.data() as data:
        assert c.cmd("STOR incoming/x").code == 150
        data.sendall(b"half of it")
        coming, = drops(boxed.box)
        assert coming.stat().st_mode & 0o777 == 0
        data.close()
        assert c.read().code == 226
    done, = drops(boxed.box)
    assert done.stat().st_mode & 0o777 == 0o040


@needs_root
def test_d09_a_captured_worker_writes_there_alone(boxed):
    """Tried in the process itself, with an archive that is its user's."""
    archive = boxed.box.parent
    (archive / "probe.txt").write_bytes(b"sixteen bytes and more\n")
    (boxed.box / "probe.txt").write_bytes(b"that somebody has left")
    (boxed.box / "probe.txt").chmod(0o040)
    for path in (archive, archive / "probe.txt", boxed.box / "probe.txt"):
        shutil.chown(path, "portcullis-worker", "portcullis-worker")
    names = [name for name, _, words in table() if "root" in words]

    def tried(pid, name, fd):
        words, = [w for n, _, w in table() if n == name]
        return subprocess.run(
            [INJECT, str(pid), name, *(str(fd if w == "root" else -1)
                                       for w in words)],
            capture_output=True, text=True, timeout=60).stdout.strip()
    with boxed.login(source="127.0.0.1") as c:
        pid = worker_of(boxed, c)
        there, = [int(fd) for fd in os.listdir(f"/proc/{pid}/fd") if
                  os.readlink(f"/proc/{pid}/fd/{fd}") == str(boxed.box)]
        for name in ("open_to_write", "open_to_create", "open_tmpfile",
                     "mkdirat", "mknodat", "unlinkat", "renameat2", "linkat",
                     "symlinkat", "fchmodat", "fchownat", "utimensat"):
            assert name in names
            assert tried(pid, name, 7).startswith("ret=-1 E"), name
        assert tried(pid, "fstat", 7) == "ret=0"
        # What others left it cannot even open.
        for name in ("fstat", "open_to_write", "mkdirat", "symlinkat",
                     "fchmodat", "utimensat"):
            assert tried(pid, name, there).startswith("ret=-1 E"), name
        made = tried(pid, "open_to_create", there)
        assert int(made.removeprefix("ret=")) > 2, made
        assert c.cmd("NOOP").code == 200
    for path in set(boxed.box.iterdir()) - {boxed.box / "notes.txt"}:
        path.unlink()


def test_d09_a_slow_pace_is_kept(place):
    box = make_box(place)
    server = Server(place, place / "archive", {
        "anonymous.upload": "/incoming", "anonymous.upload_rate": "100K",
        "data.timeout": 1})
    try:
        with server.login() as c:
            before = time.monotonic()
            assert store(c, "STOR incoming/x", bytes(220_000)).code == 226
            assert time.monotonic() - before > 1.5
            with c.data() as data:
                assert c.cmd("STOR incoming/y").code == 150
                data.sendall(bytes(500_000))
                assert c.cmd("ABOR").code == 426
                assert c.read().code == 226
    finally:
        assert server.stop() == 0, server.stderr
    assert [p.stat().st_size for p in drops(box)] == [220_000]


def test_a_box_that_cannot_be_is_no_start(place):
    box = make_box(place)
    (place / "archive" / "linked").symlink_to("incoming")
    for path, text in (("incoming", "no path"), ("/", "no path"),
                       ("/incoming/", "no path"), ("/a/../incoming",
                       "no path"), ("/none", "cannot open"),
                       ("/linked", "cannot write to"),
                       *([("/pub", "cannot write to")] if IS_ROOT else [])):
        server = Server(place, place / "archive",
                        {"anonymous.upload": path}, wait=False)
        assert server.process.wait(20) == 2
        assert text in server.stderr, (path, server.stderr)
