# tests/e2e/test_sandbox.py: what a captured worker of the real server can do.
# SPDX-License-Identifier: Apache-2.0
"""Every row of tests/probe/table.c is tried in the workers of a running
server: a debugger makes the process do the system call, as an attacker who
has taken it over would (DESIGN's invariant 1)."""

import ctypes
import os
import subprocess

from conftest import BUILD, needs_root

INJECT = BUILD / "tests" / "probe" / "inject"


def table():
    """(name, expected, words) of each row."""
    out = subprocess.run([INJECT, "--list"], check=True, capture_output=True,
                         text=True).stdout
    rows = []
    for line in out.splitlines():
        head, _, words = line.partition("|")
        name, expected = head.split(maxsplit=1)
        rows.append((name, expected.strip(), words.split()))
    return rows


def inject(pid, name, words):
    """Tries one row; descriptors a worker has not are given as -1."""
    fds = descriptors(pid)
    return subprocess.run(
        [INJECT, str(pid), name, *(str(fds.get(word, -1)) for word in words)],
        capture_output=True, text=True, timeout=60)


def descriptors(pid):
    """A worker's descriptors by the table's words."""
    found = {"root": 7, "channel": 8}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        if target.startswith("socket:") and int(fd) > 8:
            found["tcp"] = int(fd)
        elif "eventpoll" in target:
            found["epoll"] = int(fd)
    return found


@needs_root
def test_a18_d07_no_call_of_a_captured_worker_reaches_anyone(serve, archive):
    rows = table()
    assert len(rows) > 150
    killed = [row for row in rows if row[1] == "killed"]
    refused = [row for row in rows if "EPERM" in row[1]]
    assert len(killed) > 60 and len(refused) > 30
    (archive / "probe.txt").write_bytes(b"sixteen bytes and more\n")
    server = serve({"worker.count": len(killed) + 1})
    with server.login() as session:
        home = [pid for pid in server.children("portcullis-worker")
                if "tcp" in descriptors(pid)]
        assert len(home) == 1
        for name, expected, words in refused:
            done = inject(home[0], name, words)
            assert done.returncode == 0, (name, expected, done)
        assert session.cmd("NOOP").code == 200
        victims = [pid for pid in server.children("portcullis-worker")
                   if pid not in home]
        for pid, (name, expected, words) in zip(victims, killed):
            done = inject(pid, name, words)
            assert done.returncode == 0, (name, expected, done)
            assert done.stdout.strip() == "killed"
        assert session.cmd("NOOP").code == 200
    with server.login() as c:
        assert c.fetch("RETR pub/zero") == b""
    # It is said which process broke its walls; stop() takes that for a fault.
    assert "forbids" in server.stderr
    server.process.terminate()
    assert server.process.wait(30) == 0
    server.stderr_file.write_text("")


@needs_root
def test_a_captured_worker_sees_no_name_outside_the_archive(serve, archive):
    """Invariant 6: neither by stat, nor by O_PATH, nor by readlink."""
    outside = [row for row in table() if "ENOENT" in row[1]]
    assert len(outside) > 20
    server = serve()
    with server.login() as session:
        pid, = server.children("portcullis-worker")
        seen = {}
        for name, expected, words in outside:
            done = inject(pid, name, words)
            if done.stdout.strip() != expected:
                seen[name] = done.stdout.strip()
        assert seen == {}
        # There is nowhere to go up to, and nothing that leads out.
        assert os.readlink(f"/proc/{pid}/root") == str(archive)
        assert os.readlink(f"/proc/{pid}/cwd") == str(archive)
        assert session.fetch("RETR pub/zero") == b""


PLANTED = ("etc/ld.so.cache", "etc/ld.so.preload", "etc/localtime",
           "etc/nsswitch.conf", "etc/passwd", "etc/group", "etc/resolv.conf",
           "etc/gai.conf", "etc/ssl/openssl.cnf", "usr/share/zoneinfo/UTC",
           "usr/lib/locale/locale-archive", "proc/sys/vm/overcommit_memory",
           "lib/libgcc_s.so.1", "lib64/libgcc_s.so.1",
           "lib/x86_64-linux-gnu/libgcc_s.so.1", "usr/lib/gconv/gconv-modules")


@needs_root
def test_d08_files_planted_in_the_archive_are_not_consulted(serve, archive):
    """The archive is the worker's root, where a library finds its files."""
    for name in PLANTED:
        path = archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"planted\n")
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    try:
        for name in PLANTED:
            assert libc.inotify_add_watch(
                watch, bytes(archive / name), 0x21) > 0	# OPEN, ACCESS
        server = serve({"worker.count": 2})
        for _ in range(4):
            with server.login() as c:
                assert c.fetch("RETR pub/crlf.txt")
                assert c.fetch("LIST pub") and c.fetch("MLSD pub/data")
                assert c.cmd("MDTM pub/crlf.txt").code == 213
                assert c.cmd("RETR none").code in (425, 550)
        assert server.stop() == 0
        try:
            assert os.read(watch, 1 << 16) == b""
        except BlockingIOError:
            pass
        # And it would have been seen.
        (archive / PLANTED[0]).read_bytes()
        assert os.read(watch, 1 << 16)
    finally:
        os.close(watch)
