# tests/e2e/test_uploads.py: what accounts store, and what becomes of it.
# SPDX-License-Identifier: Apache-2.0
import concurrent.futures
import contextlib
import ftplib
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import (IS_ROOT, Server, make_archive, needs_root,
                      open_to_others, steady_bytes)
from test_accounts import PASSWORD, login, make_accounts, own_source
from test_processes import soon
from test_solo import worker_of

WRITER = ("-r", "lrwodnm")
ACCOUNTS = {
    "alice": WRITER, "bob": WRITER,
    **{f"only-{right}": ("-r", right, "-d", "rights") for right in "lrwodnm"},
    "new": ("-r", "lrw", "-d", "rights"),
    "small": WRITER + ("-o", "quota.bytes=100k,quota.files=3"),
    "large": WRITER + ("-o", "quota.bytes=8M"),
    "box": ("-r", "w", "-d", "rights", "-o", "uploads=dropbox"),
}


@pytest.fixture(scope="module")
def named():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    conf = make_accounts(place, ACCOUNTS)
    homes, quota = place / "homes", place / "quota"
    quota.mkdir(mode=0o700)
    for name in ("small", "large"):
        (homes / name).mkdir()
    conf["accounts.quota"] = quota
    (homes / "rights").mkdir()
    (homes / "rights" / "dir").mkdir()
    (homes / "rights" / "old").write_bytes(b"the old one")
    if IS_ROOT:
        for path in (homes / "rights").rglob("*"):
            shutil.chown(path, "portcullis-worker", "portcullis-worker")
        shutil.chown(quota, "portcullis-keeper")
        for name in ("rights", "small", "large"):
            shutil.chown(homes / name, "portcullis-worker",
                         "portcullis-worker")
    conf["hide"] = "*.hidden"
    (homes / "alice" / "x.hidden").write_bytes(b"not there")
    server = Server(place, place / "archive", conf)
    server.homes = homes
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


def store(c, command, data):
    """A whole passive upload: its last reply."""
    with c.data() as sock:
        first = c.cmd(command)
        if first.code != 150:
            return first
        # Who is refused in the middle is not listened to any more.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            sock.sendall(data)
    return c.read()


def hidden(top):
    return [p for p in top.rglob(".portcullis.*")]


# ---- from command to file

def test_what_is_stored_is_there(named):
    top = named.homes / "alice"
    with login(named, "alice") as c:
        for n in (0, 1, 131071, 131072, 3_000_001):
            data = steady_bytes(n, n)
            assert store(c, "STOR sub.nc", data).code == 226
            assert (top / "sub.nc").read_bytes() == data
            assert c.cmd("SIZE sub.nc") == f"213 {n}\r\n"
            assert c.fetch("RETR sub.nc") == data
        assert (top / "sub.nc").stat().st_mode & 0o7777 == 0o644
        assert store(c, "APPE sub.nc", b"and more").code == 226
        assert (top / "sub.nc").read_bytes() == data + b"and more"
        assert store(c, "APPE fresh.nc", b"begins").code == 226
        assert (top / "fresh.nc").read_bytes() == b"begins"
    assert not hidden(top)


def test_active_too(named):
    with login(named, "alice", source="127.0.0.1") as c:
        listener = c.active()
        assert c.cmd("STOR active.nc").code == 150
        data, _ = listener.accept()
        with data:
            data.sendall(b"active")
        assert c.read().code == 226
    assert (named.homes / "alice/active.nc").read_bytes() == b"active"


@pytest.mark.parametrize("sent, kept", [
    (b"a\r\nb\r\n", b"a\nb\n"), (b"a\nb", b"a\nb"), (b"\r", b"\r"),
    (b"a\r\r\nb\rc\r", b"a\r\nb\rc\r"), (b"\r\n" * 70000, b"\n" * 70000),
    (b"x" + b"\r\n" * 70000, b"x" + b"\n" * 70000),
    (b"\r" * 131072 + b"\n", b"\r" * 131071 + b"\n")])
def test_type_a_both_ways(named, sent, kept):
    with login(named, "alice") as c:
        assert c.cmd("TYPE A").code == 200
        assert store(c, "STOR lines.txt", sent).code == 226
        assert (named.homes / "alice/lines.txt").read_bytes() == kept
        with c.data() as data:
            assert c.cmd("STOR pieces.txt").code == 150
            data.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in sent[:12]:
                data.sendall(bytes([byte]))
        assert c.read().code == 226
        c.cmd("REST 3")
        assert store(c, "STOR lines.txt", b"x").code == 554


def test_stou_names_it(named):
    with login(named, "alice") as c:
        with c.data() as data:
            first = c.cmd("STOU dir.d")
            data.sendall(b"unique")
        assert c.read().code == 226
        assert first.startswith("150 FILE: dir.d.")
        name = first[len("150 FILE: "):].strip()
        assert c.fetch(f"RETR {name}") == b"unique"
        assert store(c, "STOU", b"x").code == 226
        assert c.cmd("MKD stou").code == 257
        assert c.cmd("CWD stou").code == 250
        assert store(c, "STOU", b"x").code == 226
        name, = os.listdir(named.homes / "alice/stou")
        assert name.startswith("upload.")


def test_names_are_changed(named):
    top = named.homes / "alice"
    with login(named, "alice") as c:
        assert c.cmd('MKD a "dir"') == '257 "/a ""dir""" is made.\r\n'
        assert c.cmd("XMKD /b").code == 257
        assert c.cmd("MKD b").code == 550
        assert (top / "b").stat().st_mode & 0o7777 == 0o755
        assert store(c, "STOR b/x", b"x").code == 226
        assert c.cmd("RMD b").code == 550
        assert c.cmd("RNFR b/x").code == 350
        assert c.cmd('RNTO a "dir"/y').code == 250
        assert (top / 'a "dir"' / "y").read_bytes() == b"x"
        assert c.cmd("MFMT 20200102030405 fresh-none").code == 550
        assert c.cmd('MFMT 20200102030405 a "dir"/y') == \
            '213 Modify=20200102030405; /a "dir"/y\r\n'
        assert c.cmd('MDTM a "dir"/y') == "213 20200102030405\r\n"
        assert c.cmd('SITE UTIME 20210102030405 a "dir"/y').code == 200
        assert c.cmd('MDTM a "dir"/y') == "213 20210102030405\r\n"
        assert c.cmd('SITE CHMOD 4777 a "dir"/y').code == 200
        assert (top / 'a "dir"' / "y").stat().st_mode & 0o7777 == 0o666
        assert c.cmd('DELE a "dir"/y').code == 250
        assert c.cmd('XRMD a "dir"').code == 250
        assert c.cmd("RMD b").code == 250
        assert c.cmd("RNFR b").code == 550


def test_d05_rnto_comes_behind_rnfr_alone(named):
    with login(named, "alice") as c:
        assert c.cmd("RNTO x").code == 503
        for between in ("NOOP", "PWD", "XYZZY", "RNFR none", "STAT"):
            assert c.cmd("RNFR mine").code == 350
            c.cmd(between)
            assert c.cmd("RNTO x").code == 503
        assert c.cmd("RNFR mine").code == 350
        assert c.cmd("RNTO /nowhere/x").code == 550
        assert c.cmd("RNTO x").code == 503
        assert c.cmd("RNFR /").code == 550


@pytest.mark.parametrize("command, code", [
    ("STOR nowhere/x", 550), ("STOR .portcullis.new-x", 553), ("STOR /", 550),
    ("STOR sub.d", 550), ("MKD .portcullis.x", 553), ("DELE sub.d", 550),
    ("RMD mine", 550), ("STOR " + "x" * 256, 550), ("STOR ../../x", 226),
    ("STOR mine/x", 550), ("DELE .portcullis.part-x", 553),
    ("DELE x.hidden", 550), ("SIZE x.hidden", 550), ("STOR y.hidden", 553),
    ("MKD y.hidden", 553), ("RNFR x.hidden", 550),
    ("MFMT 20200102030405 x.hidden", 550), ("SITE CHMOD 600 x.hidden", 550),
    ("MFMT x", 501), ("MFMT 20200102030405", 501), ("SITE CHMOD 9 x", 501),
    ("SITE UTIME x", 501), ("SITE CPFR mine", 504)])
def test_what_is_answered(named, command, code):
    (named.homes / "alice" / "sub.d").mkdir(exist_ok=True)
    with login(named, "alice") as c:
        verb = command.split()[0]
        reply = store(c, command, b"x") if verb == "STOR" else c.cmd(command)
        assert reply.code == code, reply


# ---- rights

DOES = {
    "LIST": "l", "NLST": "l", "MLSD": "l", "STAT /": "l", "RETR old": "r",
    "HASH old": "r", "STOR new": "w", "STOU": "w", "APPE new": "w",
    "DELE none": "d", "RMD none": "d", "XRMD none": "d", "MKD dir": "m",
    "XMKD dir": "m", "RNFR none": "n", "MFMT 20200102030405 none": "o",
    "SITE UTIME 20200102030405 none": "o", "SITE CHMOD 644 none": "o",
    "MLST old": "lr", "MDTM old": "lr", "SIZE old": "lrw", "CWD /": "lrwodnm",
}


@pytest.mark.parametrize("right", "lrwodnm")
def test_c10_each_verb_asks_for_its_right(named, right):
    with login(named, f"only-{right}") as c:
        for command, rights in DOES.items():
            with c.data():
                reply = c.cmd(command)
            refused = "may not do that" in reply
            assert refused == (right not in rights), (command, reply)
            if reply.code == 150:
                c.read()


def test_c10_what_is_there_is_not_replaced(named):
    old = named.homes / "rights" / "old"
    with login(named, "new") as c:
        assert store(c, "STOR old", b"x").code == 553
        assert store(c, "APPE old", b"x").code == 553
        c.cmd("REST 3")
        assert store(c, "STOR old", b"x").code == 553
        assert store(c, "STOR newer", b"x").code == 226
        assert c.cmd("DELE newer").code == 550
    assert old.read_bytes() == b"the old one"


def test_d09_a_drop_box_shows_nothing(named):
    with login(named, "box") as c:
        assert store(c, "STOR dropped", b"mine").code == 226
        assert store(c, "STOR dropped", b"mine too").code == 226
        assert store(c, "APPE dropped", b"x").code == 554
        for command in ("RETR dropped", "SIZE dropped", "NLST",
                        "DELE dropped"):
            c.epsv()
            assert c.cmd(command).code == 550
    found = sorted(p.read_bytes() for p in hidden(named.homes / "rights")
                   if p.name.endswith("-dropped"))
    assert found == [b"mine", b"mine too"]


# ---- quota

def test_d13_no_more_than_its_quota(named):
    top = named.homes / "small"
    with login(named, "small") as c:
        assert store(c, "STOR a", bytes(60_000)).code == 226
        assert store(c, "STOR b", bytes(60_000)).code == 552
        assert os.listdir(top) == ["a"]		# its room is free again
        assert c.cmd("SIZE b").code == 550
        assert store(c, "STOR x", bytes(40_000)).code == 226
        assert c.cmd("DELE x").code == 250
        assert store(c, "STOR b", bytes(40_000)).code == 226
        assert c.cmd("ALLO 1").code == 200
        assert store(c, "STOR c", b"").code == 552
        assert c.cmd("DELE a").code == 250
        for name in "cd":
            assert store(c, f"STOR {name}", b"x").code == 226
        assert store(c, "STOR e", b"").code == 552
    with login(named, "small") as c:
        assert store(c, "STOR e", b"").code == 552
        assert c.cmd("DELE d").code == 250
        assert store(c, "STOR e", b"").code == 226
    assert {p.name for p in top.iterdir()} == {"b", "c", "e"}


def test_d13_what_was_over_the_quota_leaves_room(named):
    with login(named, "large") as c:
        assert store(c, "STOR all", bytes(9_000_000)).code == 552
        assert c.cmd("SIZE all").code == 550
        assert store(c, "STOR one", bytes(4_000_000)).code == 226
        assert store(c, "STOR one2", bytes(3_000_000)).code == 226
    assert [*hidden(named.homes / "large")] == []


def test_d13_many_sessions_share_one_quota(named):
    for p in (named.homes / "small").iterdir():
        p.unlink()	# by somebody else: it is found when it is counted
    next((named.homes.parent / "quota").glob("small")).unlink()

    def one(n):
        with login(named, "small") as c:
            return store(c, f"STOR many{n}", bytes(30_000)).code
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(one, range(8)))
    assert sorted(codes) == [226] * 3 + [552] * 5


def test_feat_and_site_tell_of_it(named):
    with named.control(own_source()) as c:
        assert c.read().code == 220
        assert " MFMT\r\n" in c.cmd("FEAT")
    with login(named, "new") as c:	# it may not replace files
        assert " MFMT\r\n" not in c.cmd("FEAT")
    with login(named, "alice") as c:
        assert " MFMT\r\n" in c.cmd("FEAT")
        assert c.cmd("SITE HELP").split("\r\n")[1:-2] == [
            " HELP", " CHMOD", " UTIME"]


# ---- what is not whole

def test_an_upload_that_is_cut_leaves_the_old_file(named):
    top = named.homes / "alice"
    old, new = steady_bytes(1000, 5), steady_bytes(5_000_000, 6)
    (top / "cut").write_bytes(old)
    if IS_ROOT:
        shutil.chown(top / "cut", "portcullis-worker")
    with login(named, "alice") as c:
        with c.data() as data:
            assert c.cmd("STOR cut").code == 150
            data.sendall(new[:2_000_000])
            soon(lambda: "2000000 bytes" in c.cmd("STAT"))
            assert c.cmd("ABOR").code == 426
            assert c.read().code == 226
        assert (top / "cut").read_bytes() == old
        assert c.cmd("SIZE cut") == "213 2000000\r\n"
        assert c.cmd("REST 2000000").code == 350
        assert store(c, "STOR cut", new[2_000_000:]).code == 226
    assert (top / "cut").read_bytes() == new


def test_a_client_that_is_gone_commits_nothing(named):
    """A process that is killed closes both of its connections."""
    top = named.homes / "alice"
    new = steady_bytes(3_000_000, 7)
    c = login(named, "alice")
    with c.data() as data:
        assert c.cmd("STOR gone").code == 150
        data.sendall(new[:1_500_000])
        soon(lambda: "1500000 bytes" in c.cmd("STAT"))
        c.close()
    soon(lambda: [p for p in hidden(top) if p.stat().st_size == 1_500_000])
    assert not (top / "gone").exists()
    with login(named, "alice") as c:
        assert c.cmd("SIZE gone") == "213 1500000\r\n"
        assert "gone" not in c.fetch("NLST").decode()
        # Its process may still be at the fsync: 450 until it is gone.
        soon(lambda: store(c, "APPE gone", new[1_500_000:]).code == 226)
    assert (top / "gone").read_bytes() == new


@needs_root
def test_both_ends_at_once_commit_nothing(named):
    """Whichever of the two closed connections the worker sees first."""
    top = named.homes / "alice"
    (top / "both").write_bytes(b"the old one")
    shutil.chown(top / "both", "portcullis-worker")
    for _ in range(8):
        c = login(named, "alice", source="127.0.0.1")
        data = c.data()
        assert c.cmd("STOR both").code == 150
        data.sendall(b"half of a new one")
        soon(lambda: "17 bytes" in c.cmd("STAT"))
        worker = worker_of(named, c)
        os.kill(worker, signal.SIGSTOP)
        data.close()
        c.close()
        os.kill(worker, signal.SIGCONT)
        soon(lambda: not os.path.exists(f"/proc/{worker}"))
        assert (top / "both").read_bytes() == b"the old one"


@needs_root
def test_kill_9_leaves_the_old_file(named):
    top = named.homes / "alice"
    old, new = steady_bytes(1000, 8), steady_bytes(2_500_000, 9)
    with login(named, "alice") as c:
        assert store(c, "STOR killed", old).code == 226
        with c.data() as data:
            assert c.cmd("STOR killed").code == 150
            data.sendall(new[:2_000_000])
            soon(lambda: "2000000 bytes" in c.cmd("STAT"))
            os.kill(worker_of(named, c), signal.SIGKILL)
            assert c.ended()
    assert (top / "killed").read_bytes() == old
    with login(named, "alice") as c:
        size = int(c.cmd("SIZE killed").split()[1])
        assert 1_000_000 < size <= 2_000_000
        c.cmd(f"REST {size}")
        assert store(c, "STOR killed", new[size:]).code == 226
    assert (top / "killed").read_bytes() == new


def test_no_data_connection_no_file(named):
    with login(named, "alice") as c:
        with c.active() as listener:
            listener.close()
            assert c.cmd("STOR never").code == 425
        assert c.cmd("STOR never").code == 425
        assert c.cmd("SIZE never").code == 550
    assert not (named.homes / "alice/never").exists()


# ---- what is told

def test_events_and_xferlog_tell_of_it(named):
    with login(named, "bob") as c:
        assert store(c, "STOR told", b"12345").code == 226
        soon(lambda: '"filename":"/told"' in named.events_file.read_text())
    e, = [e["ftp_data"] for e in named.events("ftp_data")
          if e["ftp_data"]["filename"] == "/told"]
    assert (e["command"], e["bytes"], e["result"], e["user"]) == (
        "STOR", 5, "complete", "bob")
    soon(lambda: " 5 /told b _ i r bob ftp 0 * c\n" in
         named.xferlog_file.read_text())


# ---- real clients

CLIENTS = {
    "curl": "curl -sS --fail -T {file} ftp://alice:{password}@{host}/c.curl",
    "curl append": "curl -sS --fail -a -T {file} "
                   "ftp://alice:{password}@{host}/c.append",
    "curl mkdir": "curl -sS --fail --ftp-create-dirs -T {file} "
                  "ftp://alice:{password}@{host}/made/deep/c.mkdir",
    "curl active": "curl -sS --fail -P - -T {file} "
                   "ftp://alice:{password}@{host}/c.active",
    "lftp put": "lftp -u alice,{password} -e 'set ftp:ssl-allow no; "
                "put {file} -o c.lftp; bye' ftp://{host}",
    "ncftpput": "ncftpput -u alice -p {password} -P {port} 127.0.0.1 / "
                "{named}",
    "rclone": "rclone --config /dev/null copyto {file} "
              ":ftp,host=127.0.0.1,port={port},user=alice,pass={obscured}:"
              "c.rclone",
}


@pytest.fixture(scope="module")
def given():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-given-"))
    (place / "given.nc").write_bytes(steady_bytes(2_000_003, 11))
    yield place
    shutil.rmtree(place)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_real_client_uploads(named, given, client):
    tool = CLIENTS[client].split()[0]
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool}")
    target = "c." + client.replace(" ", "").replace("curl", "") \
        if client.startswith("curl ") else "c." + tool
    words = {"file": given / "given.nc", "password": PASSWORD.replace(
        " ", "%20") if tool == "curl" else f"'{PASSWORD}'",
        "host": f"127.0.0.1:{named.port}", "port": named.port, "named": ""}
    if tool == "ncftpput":
        target = "c.ncftpput"
        words["named"] = given / target
        shutil.copy(given / "given.nc", given / target)
    if tool == "rclone":
        words["obscured"] = subprocess.run(
            ["rclone", "obscure", PASSWORD], check=True, text=True,
            capture_output=True).stdout.strip()
    done = subprocess.run(["sh", "-c", CLIENTS[client].format(**words)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = list((named.homes / "alice").rglob(target))
    assert [p.read_bytes() for p in found] == [
        (given / "given.nc").read_bytes()]


def test_lftp_mirrors_a_tree(named, given):
    if shutil.which("lftp") is None:
        pytest.skip("no lftp")
    tree = given / "tree"
    for n in range(8):
        (tree / f"d{n % 3}" / "e").mkdir(parents=True, exist_ok=True)
        (tree / f"d{n % 3}" / "e" / f"f {n}").write_bytes(
            steady_bytes(n * 1000, n))
    def mirror():
        return subprocess.run(
            ["lftp", "-u", f"bob,{PASSWORD}", "-e", "set ftp:ssl-allow no; "
             f"mirror -R --delete --parallel=3 {tree} tree; bye",
             f"ftp://127.0.0.1:{named.port}"], capture_output=True,
            text=True, timeout=60)
    done = mirror()
    assert done.returncode == 0, done.stderr
    (tree / "d0" / "e" / "f 0").unlink()
    done = mirror()
    assert done.returncode == 0, done.stderr
    there = named.homes / "bob" / "tree"
    assert {str(p.relative_to(tree)): p.read_bytes()
            for p in tree.rglob("*") if p.is_file()} == {
        str(p.relative_to(there)): p.read_bytes()
        for p in there.rglob("*") if p.is_file()}


def test_ftplib_does_all_of_it(named):
    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", named.port, timeout=20)
    ftp.login("alice", PASSWORD)
    assert ftp.mkd("lib") == "/lib"
    ftp.cwd("lib")
    ftp.storbinary("STOR x", io.BytesIO(b"binary"))
    ftp.storlines("STOR l", io.BytesIO(b"one\ntwo\n"))
    ftp.rename("x", "y")
    got = []
    ftp.retrbinary("RETR y", got.append)
    assert b"".join(got) == b"binary" and ftp.size("l") == 8
    ftp.delete("y")
    ftp.delete("l")
    ftp.cwd("..")
    ftp.rmd("lib")
    ftp.quit()
