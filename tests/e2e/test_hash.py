# tests/e2e/test_hash.py: digests on demand, and what they may cost.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import ftplib
import hashlib
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
import zlib

import pytest

from conftest import (SANITIZED, Server, make_archive, open_to_others,
                      steady_bytes)

BIG = steady_bytes(5_000_001, 2)
SMALL = steady_bytes(1024)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def make():
    """make(conf): a server on an archive of its own, for the module."""
    servers = []

    def start(conf, archive=None):
        place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
        place.chmod(0o755)
        root = archive or place / "archive"
        if archive is None:
            root.mkdir()
            make_archive(root)
            open_to_others(root)
        servers.append(Server(place, root, conf))
        servers[-1].root = root
        return servers[-1]

    yield start
    for one in servers:
        assert one.stop() == 0, one.stderr
        shutil.rmtree(one.place, ignore_errors=True)


@pytest.fixture(scope="module")
def computing(make):
    return make({"hash": "compute"})


@pytest.fixture
def session(computing):
    with computing.login() as c:
        yield c


def features(c):
    return [line.strip() for line in c.cmd("FEAT").splitlines()[1:-1]]


def stats_of(server):
    """Its worker's last counters; ends it."""
    assert server.stop() == 0, server.stderr
    return [e["stats"] for e in server.events("stats")
            if e["stats"]["process"] == "worker"][-1]


# ---- what is answered

def test_hash_is_off_unless_it_is_configured(server):
    with server.login() as c:
        assert not [f for f in features(c) if f.startswith(("HASH", "X"))]
        for line in ("HASH pub/small.nc", "XSHA256 pub/small.nc",
                     "XCRC pub/small.nc"):
            assert c.cmd(line).code == 502
        assert c.cmd("OPTS HASH").code == 501


def test_hash_gives_algorithm_range_digest_and_name(session):
    c = session
    assert c.cmd("HASH pub/small.nc") == \
        f"213 SHA-256 0-1023 {sha256(SMALL)} pub/small.nc\r\n"
    assert c.cmd("CWD pub").code == 250
    assert c.cmd("hash big.grib2") == \
        f"213 SHA-256 0-5000000 {sha256(BIG)} big.grib2\r\n"
    assert c.cmd("HASH zero") == f"213 SHA-256 0-0 {sha256(b'')} zero\r\n"
    # Through a link that stays inside; and with blanks, in quotes or not.
    assert sha256(SMALL) in c.cmd("HASH link.nc")
    for name in ("a name with blanks.nc", '"a name with blanks.nc"'):
        assert c.cmd(f"HASH {name}") == "213 SHA-256 0-5 " \
            f"{sha256(b'blanks')} a name with blanks.nc\r\n"
    # A name that has quotes of its own is itself.
    assert c.cmd('HASH a "quoted" name').code == 213


def test_hash_refuses_in_the_drafts_codes(session):
    c = session
    assert c.cmd("HASH pub/nothing").code == 550
    assert c.cmd("HASH pub/outside").code == 550
    assert c.cmd("HASH ../../etc/passwd").code == 550
    assert c.cmd("HASH pub/data").code == 553
    assert c.cmd("HASH").code == 501
    assert c.cmd("HASH " + "x" * 5000).code == 550
    assert c.cmd("XCRC pub/data").code == 550


def test_hash_needs_a_login(computing):
    with computing.control() as c:
        assert c.read().code == 220
        for verb in ("HASH", "XSHA256", "XSHA1", "XSHA512", "XMD5", "XCRC"):
            assert c.cmd(f"{verb} pub/small.nc").code == 530


def test_opts_hash_shows_and_sets_the_algorithm(session):
    c = session
    assert "HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32" in features(c)
    assert c.cmd("OPTS HASH") == "200 SHA-256\r\n"
    assert c.cmd("OPTS HASH CRC-37").code == 501
    for name, want in (("SHA-512", hashlib.sha512(SMALL).hexdigest()),
                       ("sha-1", hashlib.sha1(SMALL).hexdigest()),
                       ("MD5", hashlib.md5(SMALL).hexdigest()),
                       ("CRC32", f"{zlib.crc32(SMALL):08x}")):
        assert c.cmd(f"OPTS HASH {name}") == f"200 {name.upper()}\r\n"
        assert c.cmd("HASH pub/small.nc") == \
            f"213 {name.upper()} 0-1023 {want} pub/small.nc\r\n"
    assert "HASH SHA-256;SHA-512;SHA-1;MD5;CRC32*" in features(c)
    # A new user begins anew.
    c.cmd("USER anonymous")
    c.cmd("PASS x")
    assert c.cmd("OPTS HASH") == "200 SHA-256\r\n"


def test_older_commands_answer_as_proftpd_does(session):
    c = session
    for verb, want in (("XSHA256", sha256(SMALL)),
                       ("XSHA512", hashlib.sha512(SMALL).hexdigest()),
                       ("XSHA1", hashlib.sha1(SMALL).hexdigest()),
                       ("XMD5", hashlib.md5(SMALL).hexdigest()),
                       ("XCRC", f"{zlib.crc32(SMALL):08x}")):
        assert c.cmd(f"{verb} pub/small.nc") == f"250 {want.upper()}\r\n"
    # The end is not part of it.
    for name in ("pub/small.nc", '"pub/small.nc"'):
        assert c.cmd(f"XCRC {name} 5 10") == \
            f"250 {zlib.crc32(SMALL[5:10]):08X}\r\n"
    assert c.cmd('XMD5 "pub/a name with blanks.nc"').code == 250
    assert c.cmd("XCRC pub/small.nc 0 1025").code == 554
    assert c.cmd("XCRC pub/small.nc 10 5").code == 501
    assert c.cmd(f"XCRC pub/small.nc 0 {2**64}").code == 501
    assert c.cmd("XCRC pub/small.nc 10").code == 550  # a name of that kind


def test_hash_digests_what_rang_chose(session):
    c = session
    if c.cmd("RANG 0 49").code == 500:
        pytest.skip("no RANG yet")
    assert c.cmd("HASH pub/small.nc") == \
        f"213 SHA-256 0-49 {sha256(SMALL[:50])} pub/small.nc\r\n"
    # Once only; and "RANG 1 0" takes it back.
    assert " 0-1023 " in c.cmd("HASH pub/small.nc")
    c.cmd("RANG 5 9")
    c.cmd("RANG 1 0")
    assert " 0-1023 " in c.cmd("HASH pub/small.nc")
    c.cmd("RANG 1000 1024")
    assert c.cmd("HASH pub/small.nc").code == 554


def test_clients_get_a_digest(computing):
    ftp = ftplib.FTP()
    ftp.connect(*computing.address)
    ftp.login()
    assert ftp.sendcmd("HASH pub/small.nc").split()[3] == sha256(SMALL)
    assert ftp.voidcmd("XMD5 pub/small.nc")[4:] == \
        hashlib.md5(SMALL).hexdigest().upper()
    ftp.quit()
    done = subprocess.run(
        ["curl", "-sv", "-Q", "HASH pub/big.grib2", "-o", "-",
         computing.url("pub/small.nc")], capture_output=True)
    assert done.stdout == SMALL
    assert f"213 SHA-256 0-5000000 {sha256(BIG)}".encode() in done.stderr


# ---- where answers come from

@pytest.fixture(scope="module")
def knowing(make, computing):
    """Of the same archive; it reads no data."""
    return make({"hash": "known"}, computing.root)


def beside(server, name, text, newer=True):
    """Writes a file of checksums."""
    path = server.root / "pub" / name
    path.write_bytes(text)
    path.chmod(0o644)
    data = (server.root / "pub" / "small.nc").stat().st_mtime_ns
    os.utime(path, ns=(data, data + (1 if newer else -1)))
    return path


def test_sum_files_are_used_when_they_are_not_older(knowing):
    fake = "00" * 31 + "%02x"
    with knowing.login() as c:
        assert c.cmd("HASH pub/small.nc").code == 450
        assert c.cmd("XMD5 pub/small.nc").code == 450
        gnu = beside(knowing, "SHA256SUMS", (
            f"{fake % 9}  other.nc\n{fake % 1} *small.nc\n").encode())
        assert fake % 1 in c.cmd("HASH pub/small.nc")
        assert (fake % 1) in c.cmd("XSHA256 pub/small.nc")
        # A part has no line there, nor has another algorithm.
        assert c.cmd("XSHA256 pub/small.nc 0 10").code == 450
        assert c.cmd("XMD5 pub/small.nc").code == 450
        assert c.cmd("HASH pub/big.grib2").code == 450
        # Of that name alone: it goes first.
        own = beside(knowing, "small.nc.sha256",
                     f"SHA256 (small.nc) = {fake % 2}\n".encode())
        assert fake % 2 in c.cmd("HASH pub/small.nc")
        beside(knowing, "small.nc.sha256", f"{fake % 3}\n".encode())
        assert fake % 3 in c.cmd("HASH pub/small.nc")
        # Older than the data, contradicting itself, and too long.
        beside(knowing, "small.nc.sha256", f"{fake % 4}\n".encode(), False)
        assert fake % 1 in c.cmd("HASH pub/small.nc")
        own.unlink()
        beside(knowing, "SHA256SUMS", (
            f"{fake % 1}  small.nc\n{fake % 2}  small.nc\n").encode())
        assert c.cmd("HASH pub/small.nc").code == 450
        beside(knowing, "SHA256SUMS", f"{fake % 1}  small.nc\n".encode() +
               b"#" * (4 << 20))
        assert c.cmd("HASH pub/small.nc").code == 450
        gnu.unlink()


def test_digests_are_computed_once_and_shared(make, place, archive):
    store = place / "digests"
    conf = {"hash": "compute", "hash.store": store, "worker.count": 2,
            "worker.sessions": 1}
    time.sleep(0.06)  # a file changed within a tick is not kept
    first = make(conf, archive)
    with first.login() as a, first.login() as b:
        assert a.cmd("HASH pub/big.grib2").code == 213
        assert b.cmd("HASH pub/big.grib2") == a.cmd("HASH pub/big.grib2")
    assert first.stop() == 0
    stats = [e["stats"] for e in first.events("stats")
             if e["stats"]["process"] == "worker"]
    assert sum(s["hashes_computed"] for s in stats) == 1
    assert sum(s["hashes_known"] for s in stats) == 2
    assert sum(s["hash_bytes"] for s in stats) == len(BIG)
    assert store.stat().st_mode & 0o777 == 0o600
    # After a restart it is known still, and of a changed file it is not.
    data = archive / "pub" / "big.grib2"
    second = make({**conf, "hash": "known"}, archive)
    with second.login() as c:
        assert sha256(BIG) in c.cmd("HASH pub/big.grib2")
        was = data.stat()
        with data.open("r+b") as f:
            f.write(b"!")
        os.utime(data, ns=(was.st_atime_ns, was.st_mtime_ns))
        assert c.cmd("HASH pub/big.grib2").code == 450


def test_a_store_that_is_none_of_ours_is_refused(serve, place, archive):
    foreign = place / "notes.txt"
    foreign.write_bytes(b"mine\n" * 2000)
    conf = {"hash": "known", "hash.store": foreign}
    for path in (foreign, place):
        bad = Server(place, archive, {**conf, "hash.store": path}, wait=False)
        assert bad.process.wait(10) == 2
        assert "hash.store" in bad.stderr
    assert foreign.read_bytes() == b"mine\n" * 2000
    inside = Server(place, archive, {**conf, "hash.store": archive / "x"},
                    wait=False)
    assert inside.process.wait(10) == 2
    assert "archive" in inside.stderr
    # A reload with a store of another size leaves all as it was.
    good = serve({**conf, "hash.store": place / "good"})
    good.write_conf({**good.settings, "hash.entries": 2048})
    good.process.send_signal(1)
    good.wait_for("reload failed")
    assert "65536" in good.stderr
    with good.login() as c:
        assert c.cmd("HASH pub/small.nc").code == 450
    good.write_conf({**good.settings, "hash": "compute",
                     "hash.entries": 65536})
    good.process.send_signal(1)
    good.wait_for("reloaded")
    with good.login() as c:
        assert c.cmd("HASH pub/small.nc").code == 213


def test_a_file_too_large_is_refused_for_good(make, computing):
    small = make({"hash": "compute", "hash.largest": 4, "hash.jobs": 1},
                 computing.root)
    with small.login() as c:
        assert c.cmd("HASH pub/big.grib2").code == 556
        assert c.cmd("XSHA256 pub/big.grib2 0 4194304").code == 250
        assert c.cmd("XSHA256 pub/big.grib2 0 4194305").code == 556
    # And one at a time, where that is configured.
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(small.login()) for _ in range(8)]
        for c in many:
            c.send("XSHA512 pub/big.grib2 1 4000000\r\n")
        assert {c.read() for c in many} == \
            {f"250 {hashlib.sha512(BIG[1:4000000]).hexdigest().upper()}\r\n"}
    assert stats_of(small)["hash_jobs_most"] == 1


# ---- while a digest is computed

@pytest.fixture(scope="module")
def slow(make):
    """1 MiB/s, of a file that would take hours."""
    began = time.monotonic()
    server = make({"hash": "compute", "hash.rate": 1, "data.timeout": 2,
                   "worker.sessions": 128, "sessions.per_address": 128,
                   "login.timeout": 30})
    server.began = began
    huge = server.root / "pub" / "huge.nc"
    with huge.open("wb") as f:
        f.truncate(8 << 30)
    huge.chmod(0o644)
    return server


def test_f06_abor_ends_a_digest(slow):
    with slow.login() as c:
        c.send("HASH pub/huge.nc\r\nNOOP\r\nSTAT\r\n")
        assert c.read().code == 200
        status = c.read()
        assert status.code == 211 and "digest" in status
        # Others wait for it, as for a transfer.
        c.send("PWD\r\nABOR\r\n")
        c.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            c.read()
        c.close()
    with slow.login() as c:
        c.send("HASH pub/huge.nc\r\nABOR\r\n")
        assert c.read().code == 426
        assert c.read().code == 226
        assert c.cmd("PWD").code == 257
        assert c.cmd("HASH pub/small.nc").code == 213


def test_a_file_that_changes_meanwhile_has_no_digest(slow):
    data = slow.root / "pub" / "changing.nc"
    data.write_bytes(bytes(2 << 20))
    data.chmod(0o644)
    with slow.login() as gone:  # what he asked for goes with him
        gone.send("XMD5 pub/changing.nc\r\nNOOP\r\n")
        assert gone.read().code == 200
    with slow.login() as c:
        c.send("HASH pub/changing.nc\r\nNOOP\r\n")
        assert c.read().code == 200
        os.utime(data)
        reply = c.read()
        assert reply.code == 450 and "changes" in reply
        data.write_bytes(bytes(1000))
        assert sha256(bytes(1000)) in c.cmd("HASH pub/changing.nc")


def test_f10_a_flood_of_digests_cannot_hurt(slow):
    """64 sessions; an honest one gets its bytes, and its digest."""
    flood = []
    pid = slow.children("portcullis-worker")[0]

    def resident():
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) * 1024

    with contextlib.ExitStack() as stack:
        for i in range(64):
            source = f"127.0.0.{2 + i % 16}"
            flood.append(stack.enter_context(slow.login(source)))
        before = resident()
        for i, c in enumerate(flood):
            c.send(f"XSHA256 pub/huge.nc {i} {i + (4 << 30)}\r\n")
        honest = stack.enter_context(slow.login())
        # The queue is full: that is said at once, and nobody is ended.
        # What is known is answered all the same.
        assert "Too many" in honest.cmd("HASH pub/crlf.txt")
        assert honest.cmd("HASH pub/small.nc").code == 213
        honest.cmd("TYPE I")
        assert honest.fetch("RETR pub/big.grib2") == BIG
        if not SANITIZED:
            assert resident() - before < 16 << 20
        # With 1 MiB/s for 64, some make no progress: they are told so, and
        # may go on.
        ready = []
        while len(ready) < 4:
            new = select.select([c.sock for c in flood
                                 if c.sock not in ready], [], [], 10)[0]
            assert new
            ready += new
        told = [c for c in flood if c.sock in ready]
        assert {c.read().code for c in told} == {450}
        assert told[0].cmd("NOOP").code == 200
    # One client alone has no more than a part of the queue.
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(slow.login("127.0.0.9"))
                for _ in range(9)]
        for c in many:
            c.send("HASH pub/huge.nc\r\n")
        # Which of them it meets depends on who was read first.
        ready = select.select([c.sock for c in many], [], [], 10)[0]
        refused = [c for c in many if c.sock in ready]
        assert "Too many" in refused[0].read()
        with slow.login() as other:
            assert other.cmd("HASH pub/small.nc").code == 213
    stats = stats_of(slow)
    assert 1 <= stats["hash_jobs_most"] <= 2
    # What the budget has at first, and what came since.
    seconds = time.monotonic() - slow.began
    assert 0 < stats["hash_bytes"] <= (1 + seconds) * (1 << 20)
    assert stats["hashes_refused"] >= 6
    # small.nc and changing.nc: nothing was computed for who had left.
    assert stats["hashes_computed"] <= 2
