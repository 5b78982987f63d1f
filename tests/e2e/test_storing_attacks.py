# tests/e2e/test_storing_attacks.py: accounts that try to write elsewhere.
# SPDX-License-Identifier: Apache-2.0
"""Attacks D03 to D13 as a client makes them; tests/unit/storage makes them
call by call.  The server has a mount namespace of its own, in which
alice/bound is a bind mount and alice/full a small disk."""

import os
import pathlib
import shutil
import tempfile
import threading

import pytest

from conftest import (IS_ROOT, Server, make_archive, needs_root,
                      open_to_others, steady_bytes)
from test_accounts import login, make_accounts
from test_uploads import WRITER, hidden, store

MOUNTS = """mount --bind "$1/bob" "$1/alice/bound" &&
mount -t tmpfs -o size=1m,mode=777 none "$1/alice/full" &&
shift && exec "$@" """


@pytest.fixture(scope="module")
def named():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    conf = make_accounts(place, {"alice": WRITER, "bob": WRITER})
    homes = place / "homes"
    for name in ("bound", "full"):
        (homes / "alice" / name).mkdir()
    prefix = ("unshare", "-m", "sh", "-c", MOUNTS, "sh",
              str(homes)) if IS_ROOT else ()
    server = Server(place, place / "archive", conf | {
        "upload.durable": "off"}, prefix=prefix)
    server.homes = homes
    server.alice = homes / "alice"
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


def give(path):
    """To the worker's user: no permission is to be what stands in the way."""
    if IS_ROOT:
        shutil.chown(path, "portcullis-worker", "portcullis-worker")
    return path


class Flipping:
    """alice/d is a directory, then a link to outside, and so on."""

    def __init__(self, top, outside):
        self.name, self.real, self.link = top / "d", top / "r", top / "l"
        self.outside, self.over, self.count = outside, False, 0
        self.name.mkdir()
        give(self.name)
        self.thread = threading.Thread(target=self.flip)

    def flip(self):
        while not self.over:
            os.rename(self.name, self.real)
            os.symlink(self.outside, self.name)
            os.unlink(self.name)
            os.rename(self.real, self.name)
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


@pytest.mark.parametrize("target", ["../bob", "absolute"])
def test_d03_a_directory_that_becomes_a_link_leads_nowhere(named, target):
    """While names are made, stored, moved and removed in it."""
    outside = named.homes / "bob"
    before = sorted(p.name for p in outside.iterdir())
    link = str(outside) if target == "absolute" else target
    codes = set()
    with login(named, "alice") as c, Flipping(named.alice, link) as flips:
        for n in range(30):
            codes |= {c.cmd(f"MKD d/dir{n}").code,
                      store(c, f"STOR d/file{n}", b"theirs").code,
                      store(c, f"STOR up{n}", b"x").code,
                      c.cmd("SITE CHMOD 600 d/mine").code,
                      c.cmd("MFMT 20200101000000 d/mine").code,
                      c.cmd("DELE d/mine").code}
            if c.cmd(f"RNFR up{n}").code == 350:
                codes.add(c.cmd(f"RNTO d/moved{n}").code)
            if c.cmd("RNFR d/mine").code == 350:
                codes.add(c.cmd(f"RNTO stolen{n}").code)
    assert flips.count > 10
    assert codes & {226, 250, 257} and codes & {550, 553}, codes
    assert sorted(p.name for p in outside.iterdir()) == before
    assert (outside / "mine").read_bytes() == b"bob has that\n"
    assert (outside / "mine").stat().st_mode & 0o777 == 0o644
    assert not [p for p in named.alice.glob("stolen*")]
    shutil.rmtree(named.alice / "d")
    for path in named.alice.glob("up*"):
        path.unlink()


@needs_root
def test_d04_nothing_is_copied_to_another_file_system(named):
    """Not a file, nor through a link that lies there (ProFTPD 2256)."""
    give(named.alice).joinpath("file").write_bytes(b"alice's")
    give(named.alice / "file")
    victim = named.homes / "bob" / "victim"
    victim.write_bytes(b"bob's")
    give(victim)
    (named.homes / "bob" / "link").symlink_to("victim")
    with login(named, "alice") as c:
        assert c.fetch("RETR bound/victim") == b"bob's"
        for to in ("bound/new", "bound/victim", "bound/link", "full/new"):
            assert c.cmd("RNFR file").code == 350
            assert c.cmd(f"RNTO {to}").code == 550, to
        assert c.cmd("RNFR bound/victim").code == 350
        assert c.cmd("RNTO stolen").code == 550
        assert c.fetch("RETR file") == b"alice's"
        assert c.cmd("RNFR bound").code == 350
        assert c.cmd("RNTO unbound").code == 550
    assert victim.read_bytes() == b"bob's"
    assert not (named.homes / "bob" / "new").exists()
    assert not (named.alice / "stolen").exists()


@pytest.mark.parametrize("words", [
    "CPFR mine", "CPTO copy", "COPY mine copy", "EXEC id", "SYMLINK mine l",
    "LINK mine l", "RMDIR d", "MKDIR made", "CHGRP 0 mine", "CHOWN 0 mine",
    "MOVE mine moved", "DEL mine", "UMASK 0", "UTIME 20200101000000",
    "CHMOD 600", "CHMOD +s mine", "CHMOD 600 ../../bob/mine"])
def test_d06_site_has_no_other_way_to_a_file(named, words):
    before = sorted(p.name for p in named.alice.iterdir())
    mine = (named.alice / "mine").stat()
    with login(named, "alice") as c:
        assert c.cmd("SITE " + words).code in (501, 504, 550)
    assert sorted(p.name for p in named.alice.iterdir()) == before
    assert (named.alice / "mine").stat() == mine


def test_d10_no_bit_but_reading_and_writing(named):
    path = give_file(named, "program", b"#!/bin/sh\n")
    path.chmod(0o6777)
    with login(named, "alice") as c:
        assert store(c, "STOR program", b"another").code == 226
        assert path.stat().st_mode & 0o7777 == 0o644
        for asked, has in (("7777", 0o666), ("4755", 0o644), ("111", 0)):
            assert c.cmd(f"SITE CHMOD {asked} program").code == 200
            assert path.stat().st_mode & 0o7777 == has
        assert c.cmd("MKD sticky").code == 257
        assert c.cmd("SITE CHMOD 7755 sticky").code == 200
        assert (named.alice / "sticky").stat().st_mode & 0o7777 == 0o755
        assert c.cmd("DELE program").code == 250


def give_file(named, name, data):
    path = named.alice / name
    path.write_bytes(data)
    return give(path)


def test_d12_another_name_keeps_what_it_has(named):
    """A hard link outside of the account, as snapshots have them."""
    old = steady_bytes(200_000, 1)
    path, kept = give_file(named, "linked", old), named.homes / "kept"
    with login(named, "alice") as c:
        for command in ("STOR linked", "APPE linked", "REST 100\nSTOR linked",
                        "REST 0\nSTOR linked"):
            path.unlink()
            give_file(named, "linked", old)
            os.link(path, kept)
            *first, last = command.split("\n")
            for line in first:
                assert c.cmd(line).code == 350
            assert c.cmd("MFMT 20200101000000 linked").code == 550
            assert c.cmd("SITE CHMOD 600 linked").code == 550
            for line in first:
                assert c.cmd(line).code == 350
            assert store(c, last, b"new").code == 226
            assert kept.read_bytes() == old
            assert path.stat().st_ino != kept.stat().st_ino
            assert kept.stat().st_mode & 0o777 == 0o644
            kept.unlink()


@needs_root
def test_d13_a_disk_that_is_full_is_told_and_left_clean(named):
    with login(named, "alice") as c:
        assert store(c, "STOR full/fits", bytes(400_000)).code == 226
        assert c.cmd("ALLO 5000000").code == 200
        assert store(c, "STOR full/announced", b"x").code == 452
        with c.data() as data:
            assert c.cmd("STOR full/large").code == 150
            with pytest.raises(ConnectionError):
                for _ in range(400):
                    data.sendall(bytes(100_000))
        assert c.read().code == 452
        assert c.cmd("SIZE full/large").code == 550	# nor is a part kept
        assert c.fetch("NLST full").split() == [b"fits"]
        assert store(c, "STOR full/again", bytes(400_000)).code == 226
    assert not hidden(named.alice)
