# tests/e2e/test_account_policy.py: what accounts must, may and get.
# SPDX-License-Identifier: Apache-2.0
"""One server with TLS, where nobody says a password in clear."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import tempfile
import time

import pytest

from conftest import (BUILD, Control, Server, make_archive, needs_root,
                      open_to_others, plain_build)
from test_accounts import PASSWORD, add_account, make_accounts, own_source
from test_ftps import Secure
from test_processes import reload, sockets_of, soon, tcp_sockets
from test_protocol import VERBS
from test_solo import SLOWER, Captured, memory_of, solos, worker_of
from tls_peers import make_certificate

FIRST = "AUTH TLS comes first"
ACCOUNTS = {
    "alice": ("-r", "lrwodnm"),
    "login": ("-r", "lr", "-d", "alice", "-o", "tls=login"),
    **{name: ("-r", "lr", "-d", "alice", "-o", f"tls=login,rate={rate}")
       for name, rate in (("slow", "300K"), ("fast", "10M"), ("crawl", 1))},
}


@pytest.fixture(scope="module")
def place():
    made = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def server(place):
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    conf = make_accounts(place, {"bob": ("-r", "lr")})
    for name, args in ACCOUNTS.items():
        add_account(place / "accounts", name, *args)
    add_account(place / "accounts", "clear", "-r", "lr", "-d", "shelf",
                "-o", "tls=optional")
    del conf["accounts.tls"]
    conf |= {"tls.certificate": make_certificate(place).both,
             "login.attempts": 5, "events.commands": "login",
             "class": "inside 127.81.0.0/16\nclass = outside 127.82.0.0/16"
             "\nclass = plain 127.83.0.0/16",
             "class.limit": "outside tls.control required tls.data required"
             "\nclass.limit = plain tls.control off tls.data off"}
    (place / "homes" / "alice" / "big").write_bytes(bytes(3_000_000))
    (place / "homes" / "alice" / "big").chmod(0o644)
    made = Server(place, place / "archive", conf)
    made.homes = place / "homes"
    soon(lambda: len(solos(made)) == 2)
    yield made
    assert made.stop() == 0, made.stderr


def under_tls(server, user=None, private=True, source=None):
    c = Secure(server, source=source or own_source())
    if private:
        assert c.cmd("PBSZ 0").code == 200
        assert c.cmd("PROT P").code == 200
    if user is None:
        return c
    assert c.cmd(f"USER {user}").code == 331
    assert c.cmd(f"PASS {PASSWORD}").code == 230
    return c


# ---- in clear

def test_c13_no_password_is_asked_for_in_clear(server):
    moved = len(solos(server))
    answers = set()
    for name in ("alice", "clear", "nobody", "x" * 200, "%s'--"):
        with server.control(own_source()) as c:
            assert c.read().code == 220
            answers.add(str(c.cmd(f"USER {name}")))
            assert c.cmd(f"PASS {PASSWORD}").code == 503
            assert c.cmd("USER ftp").code == 331
    answer, = answers
    assert answer.startswith("530 ") and FIRST in answer
    # Nor had it a process of its own to say so.
    assert len(solos(server)) == moved
    assert PASSWORD not in server.events_file.read_text()


def test_c13_c04_so_many_tries_in_clear_are_all(server):
    with server.control(own_source()) as c:
        assert c.read().code == 220
        assert [c.cmd("USER alice").code for _ in range(5)] == [530] * 4 + [
            421]
        assert c.ended()


def test_c13_who_was_told_so_goes_on_under_tls(server):
    """Such a try is no failed login: nobody waits for it."""
    source = own_source()
    for _ in range(12):
        with server.control(source) as c:
            assert c.read().code == 220
            assert c.cmd("USER alice").code == 530
    with under_tls(server, "alice", source=source) as c:
        assert c.fetch("RETR mine") == b"alice has this\n"


# ---- under TLS

def test_c13_data_of_an_account_is_private(server):
    with under_tls(server, "alice") as c:
        assert c.fetch("RETR mine") == b"alice has this\n"
        assert c.cmd("PROT C").code == 534
        assert c.fetch("RETR mine") == b"alice has this\n"
    with under_tls(server, "alice", private=False) as c:
        for command in ("RETR mine", "NLST", "STOR new", "MLSD"):
            c.epsv()
            assert c.cmd(command).code == 521, command
        assert not (server.homes / "alice" / "new").exists()
        assert c.cmd("PBSZ 0").code == 200
        assert c.cmd("PROT P").code == 200
        assert c.fetch("RETR mine") == b"alice has this\n"


@pytest.mark.parametrize("user, name, body", [
    ("login", "mine", b"alice has this\n"), ("clear", "one", b"the shelf's\n")])
def test_data_of_some_accounts_may_be_in_clear(server, user, name, body):
    with under_tls(server, user, private=False) as c:
        assert Control.fetch(c, f"RETR {name}") == body
        assert c.cmd("PBSZ 0").code == 200
        assert c.cmd("PROT P").code == 200
        assert c.fetch(f"RETR {name}") == body
        assert c.cmd("PROT C").code == 200


def test_a_login_needs_tls_where_it_may_be_in_clear(server, place):
    """accounts.tls = optional: each account's own word."""
    def answers(user):
        with server.control(own_source()) as c:
            assert c.read().code == 220
            return c.cmd(f"USER {user}").code, c.cmd(f"PASS {PASSWORD}").code
    times = server.stderr.count("reloaded")
    reload(server, {"accounts.tls": "optional"})
    server.wait_for("reloaded", times + 1)
    try:
        soon(lambda: answers("clear") == (331, 230))
        assert answers("login") == answers("alice") == (331, 530)
    finally:
        reload(server, {"accounts.tls": None})
        server.wait_for("reloaded", times + 2)


def test_c12_who_was_anonymous_is_no_account_under_tls(server):
    with under_tls(server) as c:
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS x@").code == 230
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
        assert "connect anew" in c.cmd("USER alice")
    with under_tls(server, "alice") as c:
        for user in ("bob", "ftp"):
            assert c.cmd(f"USER {user}").code == 530
        assert c.cmd("REIN").code == 502
        assert c.fetch("RETR mine") == b"alice has this\n"


# ---- by networks

def test_a_class_has_a_policy_of_its_own(server):
    with server.login("127.81.0.1") as c:	# as everybody
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
    with server.control("127.82.0.1") as c:
        assert c.read().code == 220
        assert c.cmd("USER ftp").code == 530
    with under_tls(server, private=False, source="127.82.0.1") as c:
        c.login(private=False)
        c.epsv()
        assert c.cmd("RETR pub/README").code == 521
        assert c.cmd("PBSZ 0").code == 200
        assert c.cmd("PROT C").code == 534
        assert c.cmd("PROT P").code == 200
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
    with under_tls(server, source="127.83.0.1") as c:
        assert c.cmd("USER ftp").code == 530
        # An account has its own policy wherever it is.
        assert c.cmd("USER alice").code == 331
        assert c.cmd(f"PASS {PASSWORD}").code == 230
        assert c.fetch("RETR mine") == b"alice has this\n"


# ---- what is told

def test_events_say_who_and_how(server):
    with under_tls(server, "alice") as c:
        assert c.fetch("RETR mine") == b"alice has this\n"
    with under_tls(server) as c:
        assert c.cmd("USER hunter2").code == 331
        assert c.cmd("PASS wrong-secret").code == 530

    def told(action, **want):
        return [e for e in server.events("ftp") if e["ftp"]["action"] == action
                and want.items() <= e["ftp"].items()]
    soon(lambda: told("login_failed", tls=True, command="PASS"))
    assert told("login", user="alice", tls=True)
    assert told("login_failed", tls=False, command="USER")
    assert not any("user" in e["ftp"] for e in told("login_failed"))
    assert "wrong-secret" not in server.events_file.read_text()


# ---- how fast

def paced(server, c, command):
    """What the kernel was told of a running download, in bytes a second."""
    libc = ctypes.CDLL(None, use_errno=True)
    pid = worker_of(server, c)
    with c.data() as raw:
        port = raw.getpeername()[1]
        assert c.cmd(command).code == 150
        pidfd = os.pidfd_open(pid)
        try:
            for number in os.listdir(f"/proc/{pid}/fd"):
                fd = libc.syscall(438, pidfd, int(number), 0)  # pidfd_getfd
                if fd < 0 or not stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.close(fd) if fd >= 0 else None
                    continue
                with socket.socket(fileno=fd) as sock:
                    if sock.family == socket.AF_INET and \
                            sock.getsockname()[1] == port:
                        return sock.getsockopt(socket.SOL_SOCKET, 47)
        finally:
            os.close(pidfd)
    return None


@needs_root
@pytest.mark.parametrize("more", [{}, {"rate.all": "1G"}],
                         ids=["alone", "shared"])
def test_an_account_has_its_rate_where_that_is_less(server, more):
    times = server.stderr.count("reloaded")
    reload(server, {"rate.session": "1M", **more})
    server.wait_for("reloaded", times + 1)

    def anonymous():
        with server.login("127.81.0.2") as c:
            return paced(server, c, "RETR pub/big.grib2")
    soon(lambda: anonymous() == 1_000_000)
    for user, rate in (("slow", 300_000), ("fast", 1_000_000),
                       ("login", 1_000_000), ("crawl", 2000)):
        with under_tls(server, user, private=False) as c:
            assert paced(server, c, "RETR big") == rate, user
    # A captured worker asks for more, and has what it would have anyway.
    with under_tls(server, "login", private=False) as c:
        captured = Captured(worker_of(server, c))
        captured.say(SLOWER, number=2_000_000_000)
        captured.say(SLOWER, number=0xffffffff)
        assert c.cmd("NOOP").code == 200
        captured.say(SLOWER, number=300_000)
        with server.login("127.81.0.2") as other:
            assert paced(server, other, "RETR pub/big.grib2") == 1_000_000
    assert "out of place" not in server.stderr


# ---- before the password

def test_c01_no_verb_acts_between_user_and_pass(server):
    top = server.homes / "alice"
    before = sorted(os.listdir(top))
    lines = [line for line, code, _ in VERBS.values() if code == 530] + [
        f"{verb} mine" for verb in (
            "STOR", "APPE", "DELE", "RNFR", "MKD", "RMD", "RETR",
            "MFMT 20200102030405", "SITE CHMOD 600", "SITE UTIME 2020")]
    with under_tls(server) as c:
        assert c.cmd("USER alice").code == 331
        for line in lines:
            assert c.cmd(line).code == 530, line
        assert c.cmd(f"PASS {PASSWORD}").code == 230
        assert c.cmd("PWD").startswith('257 "/"')
        # Nor is anything of it left for whoever has logged in.
        assert c.cmd("RNTO other").code == 503
        assert c.cmd("RETR mine").code == 425
        assert c.fetch("RETR mine") == b"alice has this\n"
    assert sorted(os.listdir(top)) == before


@needs_root
@plain_build
@pytest.mark.parametrize("way", [
    ["USER alice\r\n", f"PASS {PASSWORD}\r\n"],
    [f"USER alice\r\nPASS {PASSWORD}\r\n"],
    ["USER alice\r\nPASS " + PASSWORD[:5], PASSWORD[5:] + "\r\n"],
    ["USER alice\r\n", f"PASS {PASSWORD}x\r\n"],
    [f"USER nobody\r\nPASS x\r\nUSER alice\r\nPASS {PASSWORD}\r\n"],
], ids=["lines", "at once", "in pieces", "wrong", "held"])
def test_a_password_within_tls_is_kept_by_nobody(server, way):
    with under_tls(server) as c:
        for piece in way:
            c.send(piece)
            time.sleep(0.05)
        for _ in range("".join(way).count("USER")):
            assert (c.read().code, c.read().code) in ((331, 230), (331, 530))
        for pid in [worker_of(server, c)] + server.children(
                "portcullis-keeper"):
            held = memory_of(pid)
            assert PASSWORD.encode() not in held
            # Its last piece, or all but its first bytes.
            assert PASSWORD[5:].encode() + b"\r" not in held
            assert PASSWORD[3:].encode() not in held


# ---- no line opens a door

# What has opened one in other servers, and what might.
TRIGGERS = ["USER x:)", "HELP ACIDBITCHEZ", "SITE EXEC id", "SITE SHELL",
            "SITE CPFR /etc/passwd", "SITE CPTO /x", "SITE PSWD a b",
            "STAT `id`", "AB;\0sh", "DEBUG", "WIZ", "SHELL", "OPTS SHELL ON"]


def family(pid):
    """A process and all that come of it."""
    found = [pid]
    for one in found:
        for file in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(word) for word in file.read_text().split()]
    return found


def bound_sockets(pid):
    """{inode: what it is} of what is no TCP and hears of strangers."""
    found = {}
    for table, inode in (("udp", 9), ("udp6", 9), ("raw", 9), ("raw6", 9),
                         ("packet", 8), ("unix", 6)):
        path = pathlib.Path(f"/proc/{pid}/net/{table}")
        rows = path.read_text() if path.exists() else ""
        for row in map(str.split, rows.splitlines()[1:]):
            if table != "unix" or int(row[3], 16) & 0x10000:	# it listens
                found[int(row[inode])] = (table, *row)
    return found


def doors(server):
    """(programs, ports and other sockets on which something may come in)."""
    programs, found, bound = set(), set(), {}
    for pid in family(server.process.pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            programs.add(os.readlink(f"/proc/{pid}/exe"))
            net = os.readlink(f"/proc/{pid}/ns/net")
            if net not in bound:
                bound[net] = bound_sockets(pid) | tcp_sockets(pid, 0x0A)
            found |= {bound[net][inode] for inode in sockets_of(pid)
                      if inode in bound[net]}
    return programs, found


@needs_root
@pytest.mark.parametrize("who", ["nobody", "anonymous", "alice"])
def test_c14_no_line_opens_a_door(server, who):
    """Each verb, and each back door of others, before a login and behind
    it: but for a passive port, nothing listens that did not before, and no
    other program runs."""
    def begin():
        if who == "alice":
            return under_tls(server, "alice", source="127.84.0.1")
        c = server.control("127.84.0.1")
        if who == "anonymous":
            return c.login()
        assert c.read().code == 220
        return c

    top = server.homes / "alice"
    before, kept = doors(server), sorted(os.listdir(top))
    assert (server.port, 0) in before[1] and len(before[0]) >= 5
    lines = TRIGGERS + [line for verb, (line, *_) in VERBS.items() if verb
                        not in ("STOR", "STOU", "APPE", "MKD", "XMKD")]
    for at in range(0, len(lines), 20):
        batch, passive = lines[at:at + 20], 0
        with contextlib.ExitStack() as all_of_them:
            for line in batch:
                c = all_of_them.enter_context(begin())
                c.send(line + "\r\n")
                passive += c.read().code in (227, 229)
            new = doors(server)[1] - before[1]
        assert len(new) == passive, (batch, new)
        assert all(30000 <= port <= 32000 for port, _ in new), (batch, new)
        assert passive == 0 or who != "nobody"
    soon(lambda: doors(server)[1] == before[1])
    programs, _ = doors(server)
    assert programs == before[0]
    assert {os.path.dirname(name) for name in programs} == {
        str(BUILD.resolve())}
    assert sorted(os.listdir(top)) == kept


def test_a15_nobody_is_told_how_to_end_the_encryption(server):
    """A firewall's helper that reads along would open what a text says."""
    with under_tls(server) as c:
        assert c.cmd("CCC").code == 534
        assert c.cmd("USER alice").code == 331
        assert c.cmd(f"PASS {PASSWORD}").code == 230
        assert c.cmd("CCC").code == 534
        assert " CCC" not in c.cmd("FEAT")
        assert c.fetch("RETR mine") == b"alice has this\n"	# still within
