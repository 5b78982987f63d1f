# tests/e2e/test_size.py: a million names, files of terabytes, and files that
# change while they are sent.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile

import pytest

from conftest import Server, needs_root, plain_build

MIB = 1 << 20
TIB = 1 << 40
MILLION = 1_000_000
HUGE = 8 * TIB
TAIL = b"the last bytes of eight tebibytes\n"
MTIME = 1_600_000_000           # 2020-09-13 12:26:40


@pytest.fixture(scope="module")
def site():
    """A server whose archive is in memory: the files that are sparse there
    may be larger than a disk's file system allows."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    if os.geteuid() == 0:
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        "mode=755,size=1g,nr_inodes=0", "portcullis", root],
                       check=True)
    server = Server(place, root)
    server.root = root
    try:
        yield server
        assert server.stop() == 0
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", "-l", root], check=True)
        subprocess.run(["rm", "-rf", place], check=True)


def drain(data):
    return b"".join(iter(lambda: data.recv(1 << 16), b""))


@contextlib.contextmanager
def stalled(control, command):
    """A transfer that has begun, and cannot end before it is read."""
    with socket.socket() as data:
        data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data.settimeout(30)
        data.connect((control.peer[0], control.epsv()))
        assert control.cmd(command).code == 150
        yield data


# ---- many names

@pytest.fixture(scope="module")
def million(site):
    """Hard links: a million names cost a second and no blocks."""
    many = site.root / "many"
    many.mkdir()
    many.chmod(0o755)
    first = many / "observation-000000.grb2"
    first.write_bytes(b"x")
    first.chmod(0o644)
    here = os.open(many, os.O_RDONLY)
    for i in range(1, MILLION):
        os.link(first.name, f"observation-{i:06}.grb2", src_dir_fd=here,
                dst_dir_fd=here)
    os.close(here)
    return many                 # it goes with its file system


def peak_bytes(pid):
    """The most memory it has had since `forget_peak`."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


def forget_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_bytes(pid)


def place_in(pid, directory):
    """How far the process has read that directory, as the kernel tells."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.path.samefile(fd, directory):
                info = pathlib.Path(f"/proc/{pid}/fdinfo/{fd.name}")
                return int(info.read_text().split()[1])
    return None


def end_of(directory):
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.listdir(fd)          # reads through a duplicate of it
        return os.lseek(fd, 0, os.SEEK_CUR)
    finally:
        os.close(fd)


@needs_root
@plain_build
def test_d15_a_million_names_are_listed_whole_in_little_memory(site, million):
    worker, = site.children("portcullis-worker")
    end = end_of(million)
    with site.login() as c:
        for command in ("LIST", "NLST", "MLSD"):
            before = forget_peak(worker)
            seen = bytearray(MILLION)
            with stalled(c, f"{command} many") as data:
                # The first lines are here, and most is not even read.
                rest = data.recv(4096)
                assert b"observation" in rest, command
                assert place_in(worker, million) not in (None, end), command
                data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MIB)
                while block := data.recv(MIB):
                    lines = (rest + block).split(b"\r\n")
                    rest = lines.pop()
                    for line in lines:
                        seen[int(line[-11:-5])] += 1
            assert c.read().code == 226, command
            assert rest == b"" and seen.count(1) == MILLION, command
            assert peak_bytes(worker) - before < 16 * MIB, command
        # A pattern reads all and keeps nothing; an order is refused.
        before = forget_peak(worker)
        assert c.fetch("NLST many/*99999.grb2").count(b"\r\n") == 10
        assert c.fetch("NLST many/*[!0-9].nc") == b""
        with c.data():
            assert c.cmd("LIST -t many").code == 450
        with c.data() as data:
            assert c.cmd("LIST -R").code == 150
            assert drain(data).count(b"\r\n") < 100_010
        assert c.read().code == 451
        assert peak_bytes(worker) - before < 16 * MIB


# ---- large files

@needs_root
def test_b15_a_file_of_eight_tebibytes(site):
    path = site.root / "huge"
    with path.open("wb") as file:
        file.truncate(HUGE)
        file.seek(HUGE - len(TAIL))
        file.write(TAIL)
    path.chmod(0o644)
    os.utime(path, (MTIME, MTIME))
    with site.login() as c:
        assert c.cmd("TYPE I").code == 200
        assert c.cmd("SIZE huge") == f"213 {HUGE}\r\n"
        assert c.cmd("MDTM huge") == "213 20200913122640\r\n"
        assert f"size={HUGE};" in c.cmd("MLST huge")
        assert f"size={HUGE};".encode() in c.fetch("MLSD")
        line = c.fetch("LIST huge").decode()
        assert line.split() == ["-rw-r--r--", "1", "ftp", "ftp", str(HUGE),
                                "Sep", "13", "2020", "huge"]
        assert line in c.fetch("LIST").decode()
        assert c.fetch("LIST -S").decode().startswith(line)
        for back in (len(TAIL), 1, 0):
            assert c.cmd(f"REST {HUGE - back}").code == 350
            assert c.fetch("RETR huge") == TAIL[len(TAIL) - back:]
        with c.data():
            assert c.cmd(f"REST {HUGE + 1}").code == 350
            assert c.cmd("RETR huge").code == 554
        # Beyond 32 bits, and in the midst of it.
        assert c.cmd(f"REST {HUGE - 100_000}").code == 350
        assert c.fetch("RETR huge") == bytes(100_000 - len(TAIL)) + TAIL
    path.unlink()


# ---- files that change

OLD, NEW = b"o", b"n"
SIZE = 20 * MIB                 # more than the sockets between us take


def touch_up(path):
    """Its time now differs from any before, whatever a clock's grain."""
    now = os.stat(path).st_mtime_ns
    os.utime(path, ns=(now, now + 1_000_000_007))


def grow(path):
    with path.open("ab") as file:
        file.write(NEW * MIB)


def shrink(path):
    os.truncate(path, SIZE // 2)


def shrink_and_grow(path):
    os.truncate(path, MIB)
    os.truncate(path, SIZE)


def rewrite(path):
    with path.open("r+b") as file:
        file.seek(SIZE - MIB)
        file.write(NEW * MIB)
    touch_up(path)


def replace(path):
    other = path.with_name("other")
    other.write_bytes(NEW * SIZE)
    other.chmod(0o644)
    other.rename(path)


CHANGES = [
    # What happens; what arrives (None: less than the file had); the reply.
    (grow, OLD * SIZE, 226),
    (replace, OLD * SIZE, 226),
    (pathlib.Path.unlink, OLD * SIZE, 226),
    (lambda path: path.chmod(0o600), OLD * SIZE, 226),
    (shrink, None, 451),
    (shrink_and_grow, OLD, 451),
    (rewrite, OLD, 451),
]


@pytest.mark.parametrize("kind", ["TYPE I", "TYPE A"])
@pytest.mark.parametrize("change,body,code", CHANGES, ids=[
    "grows", "replaced", "removed", "mode", "shrinks", "shrinks-and-grows",
    "rewritten"])
def test_a_file_that_changes_while_it_is_sent(site, change, body, code, kind):
    path = site.root / "file"
    path.write_bytes(OLD * SIZE)
    path.chmod(0o644)
    os.utime(path, (MTIME, MTIME))
    with site.login() as c:
        assert c.cmd(kind).code == 200
        with stalled(c, "RETR file") as data:
            first = data.recv(1)
            change(path)
            with contextlib.suppress(ConnectionResetError):
                got = first + drain(data)
        assert c.read().code == code
        if code == 226:
            assert got == body
        elif body is None:
            assert len(got) < SIZE
        else:
            assert len(got) <= SIZE and got.startswith(OLD)
        event = site.events("ftp_data", want=1)[-1]["ftp_data"]
        assert event["result"] == ("complete" if code == 226 else "changed")
        path.unlink(missing_ok=True)
        (site.root / "other").unlink(missing_ok=True)


def test_a_part_of_a_file_that_changes_beyond_it_is_451(site):
    """What is sent is of the file as it was opened, and nobody can tell."""
    path = site.root / "file"
    path.write_bytes(OLD * SIZE)
    path.chmod(0o644)
    with site.login() as c:
        assert c.cmd("TYPE I").code == 200
        assert c.cmd(f"REST {MIB}").code == 350
        with stalled(c, "RETR file") as data:
            data.recv(1)
            rewrite(path)
            drain(data)
        assert c.read().code == 451
    path.unlink()
