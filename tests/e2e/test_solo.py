# tests/e2e/test_solo.py: a session with a secret has a process of its own.
# SPDX-License-Identifier: Apache-2.0
"""AUTH NONE, which is answered 504, moves a session as AUTH TLS does; what
comes of TLS is test_ftps.py's."""

import contextlib
import ctypes
import errno
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from conftest import (BUILD, ENVIRONMENT, Server, make_archive, needs_root, open_to_others,
                      plain_build)
from tls_peers import make_certificate
from test_processes import (gate_of, portcullisd, reload, said, sockets_of,
                            soon, tcp_sockets)


# ---- helpers

def workers(server, kind):
    """Those that were told this word, or none."""
    found = set()
    for pid in server.children("portcullis-worker"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            if words.split(b"\0")[1:2] == [kind]:
                found.add(pid)
    return found


def is_solo(pid):
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    return words.split(b"\0")[1:2] == [b"solo"]


def solos(server):
    return workers(server, b"solo")


def moulds(server):
    """What solo workers are forked from."""
    return workers(server, b"mould")


def shared(server):
    return workers(server, b"")


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


PASSWORD = "open-secret"


def conf_of(place):
    """Two accounts, and a certificate."""
    (place / "homes").mkdir()
    for name in ("split", "alice-secret"):
        subprocess.run([BUILD / "portcullis", "passwd", "-f",
                        place / "accounts", "add", name, "--stdin", "--cost",
                        "1", "-d", ".", "-o", "tls=optional"], check=True,
                       input=PASSWORD.encode(), env=ENVIRONMENT)
    return {"accounts.file": place / "accounts",
            "accounts.root": place / "homes",
            "accounts.tls": "optional", "tls.certificate": make_certificate(place).both,
            "login.attempts": 5, "sessions.per_address": 1000,
            "events.commands": "all"}


@pytest.fixture(scope="module")
def moving():
    """One server for all who do it no harm."""
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


# ---- exact to the byte

def pieces_of(data):
    """Whole, in two parts at each place, and byte for byte."""
    yield [data]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
    yield [data[at:at + 1] for at in range(len(data))]


def talk(server, ways):
    """Says each of the ways on a connection of its own, all at once: a
    wrong name is answered a second later.  The replies' codes of each."""
    controls = [server.control() for _ in ways]
    for one in controls:
        one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert one.read().code == 220
    for step in range(max(map(len, ways))):
        for one, pieces in zip(controls, ways):
            if step < len(pieces):
                one.send(pieces[step])
        time.sleep(0.01)	# or the kernel would join them again
    codes = []
    for one in controls:
        got = []
        try:
            while True:
                got.append(one.read().code)
        except EOFError:
            pass
        codes.append(got)
        one.close()
    return codes


def commands_of(server, mark):
    """{flow: (command, its data) of each} of sessions that said mark."""
    flows = {}
    for e in server.events("ftp"):
        if e["ftp"]["action"] == "command":
            flows.setdefault(e["flow_id"], []).append(
                (e["ftp"]["command"], e["ftp"].get("command_data")))
    return {flow: said for flow, said in flows.items()
            if any(data == mark for _, data in said)}


@pytest.mark.parametrize("text, codes, commands", [
    (b"USER split\r\nPASS open-secret\r\nNOOP 1\r\nQUIT\r\n",
     [331, 230, 200, 221],
     [("USER", "split"), ("PASS", None), ("NOOP", "1"), ("QUIT", None)]),
    (b"AUTH NONE\r\nUSER ftp\r\nPASS y\r\nQUIT\r\n", [504, 331, 230, 221],
     [("AUTH", "NONE"), ("USER", "ftp"), ("PASS", None), ("QUIT", None)]),
    # Nobody moves: the anonymous, and what they pipeline behind a login.
    (b"NOOP stay\r\nUSER ftp\r\nPASS y\r\nCWD pub\r\nPWD\r\nQUIT\r\n",
     [200, 331, 230, 250, 257, 221],
     [("NOOP", "stay"), ("USER", "ftp"), ("PASS", None), ("CWD", "pub"),
      ("PWD", None), ("QUIT", None)]),
    # What is Telnet's, in the middle of a verb and before it.
    (b"\xff\xf1\xff\xfb\x01US\xff\xf1ER tel\xff\xff\r\nNOOP t\r\nQUIT\r\n",
     [331, 200, 221],
     [("USER", "tel\\xff"), ("NOOP", "t"), ("QUIT", None)]),
], ids=["user", "auth", "anonymous", "telnet"])
def test_e01_each_byte_is_read_once_by_whose_it_is(moving, text, codes,
                                                      commands):
    ways = list(pieces_of(text))
    for pieces, got in zip(ways, talk(moving, ways)):
        assert got == codes, pieces
    mark = commands[0][1]
    for _ in range(100):	# the last events are on their way
        flows = commands_of(moving, mark)
        if sum(map(len, flows.values())) >= len(ways) * len(commands):
            break
        time.sleep(0.02)
    assert list(flows.values()) == [commands] * len(ways)


def test_half_a_line_and_no_more_is_no_line(moving):
    with moving.control() as c:
        assert c.read().code == 220
        c.send("NOO")
        time.sleep(0.05)	# it lies there, and nobody spins for it
        c.send("P\r\nUSER al")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.read().code == 200
        assert c.ended()


def test_a_line_that_is_too_long_does_not_move(moving):
    with moving.control() as c:
        assert c.read().code == 220
        for piece in (b"USER ", b"a" * 6000, b"b" * 20000, b"\r\nNOOP\r\n"):
            c.send(piece)
            time.sleep(0.02)
        assert c.read().code == 500
        assert c.read().code == 200
        c.send(b"USER " + b"c" * 8187 + b"\r\n")	# as long as it may be
        assert c.read().code == 331
        soon(lambda: is_solo(worker_of(moving, c)))


def test_an_urgent_byte_does_not_hide_what_is_behind_it(moving):
    """Telnet's Synch (RFC 854): a look ends where the urgent byte is."""
    with moving.control() as c:
        assert c.read().code == 220
        for line in (b"NOOP\r\n", b"USER alice\r\n"):
            c.send(b"\xff\xf4\xff")
            c.sock.send(b"\xf2", socket.MSG_OOB)
            c.send(line)
            assert c.read().code == (200 if line[0] == 78 else 331)


# ---- what is left, and what goes along

def memory_of(pid):
    """All that a process has, as one string."""
    parts = []
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            first, last = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line:
                continue
            try:
                mem.seek(first)
                parts.append(mem.read(last - first))
            except (OSError, ValueError):
                continue
    return b"\0".join(parts)


SECRETS = [
    [b"USER alice-secret\r\nPASS open-secret\r\n"],
    [b"NOOP\r\nUSER alice-secret\r\nPASS open-se", b"cret\r\n"],
    [b"USER alice-sec", b"ret\r\nPASS open-secret\r\nNOOP\r\n"],
    [b"AUTH NONE\r\nUSER alice-secret\r\nPASS open-secret\r\n"],
]


@needs_root
@plain_build	# a sanitizer's shadow is terabytes
def test_nothing_of_a_moved_session_stays_behind(moving):
    home, = shared(moving)
    anonymous = moving.control()
    assert anonymous.read().code == 220
    anonymous.send("USER ftp\r\nPASS kept-for-all\r\n")
    assert [anonymous.read().code for _ in "12"] == [331, 230]
    moved = [moving.control() for _ in SECRETS]
    for c, pieces in zip(moved, SECRETS):
        assert c.read().code == 220
        for piece in pieces:
            c.send(piece)
            time.sleep(0.03)
    for c, pieces in zip(moved, SECRETS):
        for _ in range(b"".join(pieces).count(b"\n")):
            c.read()
    where = [worker_of(moving, c) for c in moved]
    assert all(map(is_solo, where)) and len(set(where)) == len(SECRETS)
    assert b"kept-for-all" in memory_of(home)	# or it finds nothing
    for pid in (home, gate_of(moving)):
        seen = memory_of(pid)
        assert b"alice-sec" not in seen and b"open-se" not in seen
    # Nor is it kept where it belongs, when it has been judged.
    for pid in where:
        assert b"open-secret" not in memory_of(pid)
    for c in (anonymous, *moved):
        c.close()


@needs_root
def test_a_session_alone_sees_no_other(moving):
    """Its process has one control connection, and no listening socket."""
    first, second = moving.control(), moving.control()
    with first, second:
        for c in (first, second):
            assert c.read().code == 220
            c.send("AUTH NONE\r\n")
            assert c.read().code == 504
        one, two = worker_of(moving, first), worker_of(moving, second)
        assert one != two and is_solo(one) and is_solo(two)
        tcp = tcp_sockets(one, 0x01)
        assert len([i for i in sockets_of(one) if i in tcp]) == 1
        assert not [i for i in sockets_of(one)
                    if i in tcp_sockets(one, 0x0A)]
        assert second.cmd("USER ftp").code == 331
        assert second.cmd("PASS me").code == 230
        assert second.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_who_was_anonymous_once_stays(moving):
    with moving.login() as c:
        home = worker_of(moving, c)
        assert c.cmd("REIN").code == 220
        reply = c.cmd("USER alice")
        assert reply.code == 530 and "connect anew" in reply
        assert worker_of(moving, c) == home
        assert not home or not is_solo(home)


def test_what_a_session_is_goes_along(serve, place, archive):
    """Its site, its refused logins, its strikes, its age, its flow."""
    other = place / "other"
    other.mkdir()
    (other / "only here").write_bytes(b"x")
    open_to_others(other)
    server = serve(dict(conf_of(place),
                        site=f"data.example.org {other} Other house.",
                        **{"login.attempts": 2, "login.timeout": 3,
                           "accounts.file": None, "accounts.root": None}))
    stays, ages = server.control(), server.control()
    first = time.monotonic()
    sited, refused, struck = (server.control() for _ in range(3))
    for c in (stays, ages, sited, refused, struck):
        assert c.read().code == 220
    assert "Other house." in sited.cmd("HOST data.example.org")
    refused.send("USER alice\r\n")
    struck.send("WHAT\r\nEVER\r\n")
    assert sited.cmd("AUTH NONE").code == 504
    assert sited.cmd("USER ftp").code == 331
    assert sited.cmd("PASS x").code == 230
    assert sited.fetch("NLST").split() == [b"only", b"here"]
    assert refused.read().code == 530
    refused.send("AUTH NONE\r\nUSER alice\r\n")
    assert [refused.read().code for _ in "12"] == [504, 421]
    struck.send("AUTH NONE\r\nDONE\r\n")
    assert [struck.read().code for _ in "1234"] == [500, 500, 504, 500]
    assert struck.read().code == 421
    # Both have been there equally long.
    late = max(0, first + 1.5 - time.monotonic())
    time.sleep(late)
    assert ages.cmd("AUTH NONE").code == 504
    last = server.control()
    assert last.read().code == 220
    assert ages.read().code == stays.read().code == 421
    assert last.cmd("NOOP").code == 200
    flows = {}
    for e in server.events("ftp"):
        flows.setdefault(e["flow_id"], []).append(e)
    peer = [e for es in flows.values() for e in es
            if e["ftp"].get("command") == "AUTH"]
    assert len(peer) == 4
    for e in peer:
        actions = [x["ftp"]["action"] for x in flows[e["flow_id"]]]
        assert actions.count("session_start") == 1
    assert {e["src_ip"] for e in peer} == {"127.0.0.1"}
    assert server.stop() == 0
    gate = [e["stats"] for e in server.events("stats")
            if e["stats"]["process"] == "gate"][-1]
    assert (gate["moved"], gate["accepted"]) == (4, 6)
    ends = [e for e in server.events("ftp")
            if e["ftp"]["action"] == "session_end"]
    assert len(ends) == len({e["flow_id"] for e in ends}) == 6


# ---- a captured process says MOVE

LISTEN, CONNECT, MOVE, CLOSED, SLOWER = 1, 2, 5, 6, 7


class Captured:
    """A worker's channel to the gate, in somebody else's hands."""

    def __init__(self, pid):
        libc = ctypes.CDLL(None, use_errno=True)
        pidfd = os.pidfd_open(pid)
        fd = libc.syscall(438, pidfd, 8, 0)	# pidfd_getfd
        assert fd >= 0, os.strerror(ctypes.get_errno())
        os.close(pidfd)
        self.sock = socket.socket(fileno=fd)
        self.said = 0

    def say(self, kind, slot=0, generation=1, port=0, why=2, attempts=0,
            number=None):
        body = struct.pack("<QIBBBB", port, 0, why, attempts, 0, 0)
        if number is not None:
            body = struct.pack("<40xI", number)
        self.sock.send(struct.pack("<BBHIII", 4, kind, 0, self.said, slot,
                                   generation) + body.ljust(64, b"\0"))
        self.said += 1


def test_the_numbers_above_are_those_of_the_header():
    text = (pathlib.Path(__file__).parents[2] / "src/ipc/msg.h").read_text()
    names = re.findall(r"X\((\w+), +\"", text)
    for name, number in (("LISTEN", LISTEN), ("CONNECT", CONNECT),
                         ("MOVE", MOVE), ("CLOSED", CLOSED),
                         ("SLOWER", SLOWER)):
        assert names.index(name) + 1 == number
    assert "#define IPC_VERSION 4\n" in text


@needs_root
def test_a18_a_captured_worker_moves_its_own_sessions_alone(serve, place):
    server = serve(dict(conf_of(place), **{"worker.count": 2}))
    soon(lambda: len(solos(server)) == 2)
    mine, others = server.control("127.0.0.3"), server.control("127.0.0.4")
    assert mine.read().code == others.read().code == 220
    home, theirs = worker_of(server, mine), worker_of(server, others)
    assert home != theirs
    captured = Captured(home)
    for slot, generation in ((0, 2), (0, 0), (1, 1), (7, 1), (511, 1)):
        captured.say(MOVE, slot, generation)
    captured.say(MOVE)
    soon(lambda: [pid for pid in solos(server) if any(
        tcp_sockets(pid, 0x01).get(inode) ==
        (server.port, mine.sock.getsockname()[1])
        for inode in sockets_of(pid))])
    captured.say(MOVE)	# again: it is nobody's any more
    captured.say(CONNECT, port=40000)	# nor is it to be dialled for
    captured.say(CLOSED)
    assert others.cmd("NOOP").code == 200
    assert worker_of(server, others) == theirs
    assert "ended:" not in server.stderr
    captured.say(MOVE, 512)	# no slot of any worker
    server.wait_for("message out of place")
    assert others.cmd("NOOP").code == 200
    others.close()
    mine.close()
    # It was killed, and is said to have been; the server goes on.
    server.login().close()


@needs_root
@pytest.mark.parametrize("what", [
    "a transfer", "a port", "no reason", "a strange reason", "tries"])
def test_a18_what_no_honest_worker_moves_expels_it(serve, place, what):
    server = serve(conf_of(place))
    soon(lambda: len(solos(server)) == 2)
    with server.login() as c:
        captured = Captured(worker_of(server, c))
        if what == "a transfer":
            c.send("CWD pub\r\n")
            assert c.read().code == 250
            listener = c.active()
            c.send("RETR big.grib2\r\n")
            data, _ = listener.accept()
            captured.said = 1	# it has asked for that connection
        elif what == "a port":
            captured.say(LISTEN)
        captured.say(MOVE, why={"no reason": 0, "a strange reason": 9}.get(
            what, 2), attempts=99 if what == "tries" else 0)
        server.wait_for("message out of place")
        assert c.ended()
    server.login().close()


@needs_root
def test_a18_a_captured_solo_worker_moves_nobody(serve, place):
    server = serve(conf_of(place))
    with server.control() as c, server.login() as other:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
        Captured(worker_of(server, c)).say(MOVE)
        server.wait_for("message out of place")
        assert c.ended()
        assert other.cmd("NOOP").code == 200
    soon(lambda: len(solos(server)) == 2)


# Fills a channel and one of its own with descriptors, as the worker's user.
SENDER = """
import array, os, pwd, resource, socket, sys
user = pwd.getpwnam("portcullis-worker")
os.setgroups([]); os.setgid(user.pw_gid); os.setuid(user.pw_uid)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
gate, (mine, _other) = socket.socket(fileno=int(sys.argv[1])), socket.socketpair()
null = os.open("/dev/null", os.O_RDONLY)	# not our pipes: they would stay open
message = bytes.fromhex(sys.argv[2])
for sock in (gate, mine):
    sock.setblocking(False)
    try:
        for n in range(10000):
            sock.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                      array.array("i", [null] * 24))])
    except OSError as err:
        print(n, err.errno, flush=True)
sys.stdin.read()
"""


@needs_root
def test_f18_f19_descriptors_from_a_captured_worker_go_nowhere(serve, place):
    """It sends as many as the kernel lets its user have under way, while the
    gate stands still, and keeps others there: the gate has none of them
    after, the worker is expelled, and others' sessions and new ones go on."""
    server = serve(dict(conf_of(place), **{"worker.count": 2}))
    soon(lambda: len(solos(server)) == 2)
    mine, others = server.login("127.0.0.3"), server.login("127.0.0.4")
    assert worker_of(server, mine) != worker_of(server, others)
    captured, gate = Captured(worker_of(server, mine)), gate_of(server)
    before = len(os.listdir(f"/proc/{gate}/fd"))
    os.kill(gate, signal.SIGSTOP)
    try:
        sender = subprocess.Popen(
            ["/usr/bin/python3", "-c", SENDER, str(captured.sock.fileno()),
             "00" * 80], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            pass_fds=[captured.sock.fileno()], text=True)
        sent = [sender.stdout.readline().split() for _ in "12"]
    finally:
        os.kill(gate, signal.SIGCONT)
    assert int(sent[0][0]) > 0 and int(sent[1][1]) == errno.ETOOMANYREFS
    assert mine.ended()
    assert others.fetch("RETR pub/README") == b"One line.\nAnother.\n"
    with server.login("127.0.0.5") as c, c.active() as listener:
        c.send("RETR pub/README\r\n")
        listener.accept()[0].close()
    with server.control("127.0.0.6") as c:	# and one that is moved
        assert c.read().code == 220
        assert c.cmd("USER split").code == 331
        assert c.cmd(f"PASS {PASSWORD}").code == 230
    sender.communicate("", timeout=20)
    others.close()
    mine.close()
    captured.sock.close()
    # Two sockets for each session are away; the new worker's channel came.
    soon(lambda: len(os.listdir(f"/proc/{gate}/fd")) <= before)


def test_a01_a_moved_session_names_nobody_but_its_client(moving):
    with moving.control("127.0.0.5") as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS x").code == 230
        with socket.create_server(("127.0.0.6", 0)) as victim:
            port = victim.getsockname()[1]
            for line in (f"PORT 127,0,0,6,{port >> 8},{port & 255}",
                         f"EPRT |1|127.0.0.6|{port}|"):
                assert c.cmd(line).code in (500, 501, 504)
                assert c.cmd("RETR pub/README").code in (425, 503)
            victim.settimeout(0.2)
            with pytest.raises(TimeoutError):
                victim.accept()
        listener = c.active()
        c.send("RETR pub/README\r\n")
        data, _ = listener.accept()
        assert c.read().code == 150
        assert data.recv(100) == b"One line.\nAnother.\n"
        assert c.read().code == 226
        with c.data("127.0.0.6") as thief:	# a port is its client's alone
            assert thief.recv(1) == b""
        alerts = [e for e in moving.events("alert")
                  if e["src_ip"] in ("127.0.0.5", "127.0.0.6")]
        assert alerts


# ---- their number, their end

def test_there_are_as_many_as_are_allowed(serve, place):
    server = serve(dict(conf_of(place), contact="hosts@example.org",
                        **{"solo.spare": 1, "solo.max": 2,
                           "login.timeout": 2}))
    soon(lambda: len(solos(server)) == 1)
    first, second, third = (server.control() for _ in range(3))
    for c in (first, second):
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
    assert third.read().code == 220
    third.send("NOOP\r\nAUTH NONE\r\n")
    assert third.read().code == 200
    reply = third.read()
    assert reply.code == 421 and "hosts@example.org" in reply
    assert third.ended()
    assert len(solos(server)) == 2
    assert first.cmd("QUIT").code == 221
    first.close()
    soon(lambda: len(solos(server)) == 2)	# room for the next
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
    # Nobody starts another: who waits is told so when his time is over.
    second.close()
    soon(lambda: len(solos(server)) == 1)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        waiting = [server.control() for _ in range(3)]
        for c in waiting:
            assert c.read().code == 220
            c.send("AUTH NONE\r\nUSER alice\r\nPASS x\r\n")
        waiting.pop().close()
        # The one that was left may be the first's, if the gate knows it yet.
        codes = [c.read().code for c in waiting]
        assert codes in ([421, 421], [504, 421])
        assert waiting[1].ended()
        with server.login() as c:
            assert c.cmd("NOOP").code == 200
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    waiting[0].close()
    soon(lambda: len(solos(server)) == 1)


def test_one_that_waits_gets_the_next(serve, place):
    server = serve(dict(conf_of(place), **{"solo.spare": 1}))
    soon(lambda: len(solos(server)) == 1)
    crowd = [server.control() for _ in range(20)]
    for c in crowd:
        assert c.read().code == 220
    for c in crowd:
        c.send("AUTH NONE\r\nNOOP\r\n")
    for c in crowd:
        assert [c.read().code for _ in "12"] == [504, 200]
    for c in crowd:
        c.close()
    soon(lambda: len(solos(server)) == 1)


@needs_root
def test_a_solo_worker_that_dies_takes_one_session(serve, place):
    server = serve(conf_of(place))
    soon(lambda: len(solos(server)) == 2)
    idle = min(solos(server))
    os.kill(idle, signal.SIGKILL)
    soon(lambda: idle not in solos(server) and len(solos(server)) == 2)
    one, two, plain = (server.control() for _ in range(3))
    for c in (one, two):
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
    assert plain.read().code == 220
    os.kill(worker_of(server, one), signal.SIGKILL)
    assert one.ended()
    for c in (two, plain):
        assert c.cmd("NOOP").code == 200
        c.close()
    soon(lambda: len(solos(server)) == 2)
    # The shared worker's death is not that of who was moved from it.
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
        os.kill(min(shared(server)), signal.SIGKILL)
        assert c.cmd("NOOP").code == 200


@needs_root
def test_a_mould_that_dies_takes_no_session(serve, place):
    server = serve(conf_of(place))
    soon(lambda: len(solos(server)) == 2)
    mould, = moulds(server)
    # It has seen nothing from outside, nor can it.
    assert not set(sockets_of(mould)) & set(tcp_sockets(mould, 0x01))
    assert not set(sockets_of(mould)) & set(tcp_sockets(mould, 0x0A))
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
        os.kill(mould, signal.SIGKILL)
        server.wait_for("another one is started")
        assert c.cmd("NOOP").code == 200
        for _ in range(4):	# more than waited
            with server.control() as other:
                assert other.read().code == 220
                assert other.cmd("AUTH NONE").code == 504
    soon(lambda: len(moulds(server)) == 1 and mould not in moulds(server))


def ticket_key_of(server, *options):
    """A ticket begins with the name of the key that it is encrypted with."""
    out = subprocess.run(
        ["openssl", "s_client", "-connect",
         f"127.0.0.1:{server.port}", "-starttls", "ftp", *options],
        input="QUIT\r\n", capture_output=True, text=True, timeout=30).stdout
    ticket = re.search(r"TLS session ticket:\n +0000 - ([0-9a-f -]{47})", out)
    assert ticket, out
    return ticket[1]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_e08_each_process_has_ticket_keys_of_its_own(moving, version):
    options = [version] if version == "-tls1_2" else [version, "-ign_eof"]
    names = {ticket_key_of(moving, *options) for _ in range(4)}
    assert len(names) == 4


def test_a_gate_that_dies_ends_them_and_there_are_others(serve, place):
    server = serve(conf_of(place))
    c = server.control()
    assert c.read().code == 220
    assert c.cmd("AUTH NONE").code == 504
    old = solos(server)
    os.kill(gate_of(server), signal.SIGKILL)
    assert c.read().code == 421
    soon(lambda: not old & solos(server) and len(solos(server)) == 2)
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504


def test_a_reload_leaves_them_their_sessions(serve, place):
    server = serve(conf_of(place))
    soon(lambda: len(solos(server)) == 2)
    stays, moves = server.control(), server.control()
    assert stays.read().code == moves.read().code == 220
    assert moves.cmd("AUTH NONE").code == 504
    soon(lambda: len(solos(server)) == 3)
    spare = solos(server)
    reload(server, {"solo.spare": 3})
    server.wait_for("reloaded")
    soon(lambda: len(solos(server) - spare) == 3 and
         len(solos(server)) == 4)
    assert moves.cmd("NOOP").code == 200
    # An old worker's session goes to a new one.
    assert stays.cmd("AUTH NONE").code == 504
    # And when nobody needs one any more there are none.
    late = server.control()
    assert late.read().code == 220
    reload(server, {"accounts.file": None, "accounts.root": None,
                    "tls.certificate": None})
    server.wait_for("reloaded", 2)
    soon(lambda: len(solos(server)) == 2)
    assert late.cmd("AUTH NONE").code == 421
    for c in (stays, moves):
        assert c.cmd("QUIT").code == 221
    soon(lambda: not solos(server))
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 502
        assert not solos(server)


def test_a_reload_that_fails_leaves_the_spare_ones(serve, place):
    server = serve(conf_of(place))
    soon(lambda: len(solos(server)) == 2)
    before = solos(server)
    reload(server, {"accounts.file": place / "none"})
    server.wait_for("reload failed")
    assert said(server.stderr, "accounts.file", "cannot open", str(place / "none"))
    assert solos(server) == before
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504


def test_a_stop_says_421_to_them(serve, place):
    server = serve(conf_of(place))
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH NONE").code == 504
        server.process.terminate()
        assert c.read().code == 421
    assert server.process.wait(10) == 0


def test_without_accounts_and_tls_nobody_moves(serve, place):
    server = serve()
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH TLS").code == 502
        assert c.cmd("USER alice").code == 530
        assert not solos(server)


@pytest.mark.parametrize("key", ["accounts.file", "tls.certificate"])
def test_files_that_nobody_may_have_are_refused(place, archive, key):
    (archive / "inside").write_text("")
    for path, words in ((place / "none", "cannot open"),
                        (archive / "inside", "is in the archive")):
        file = place / "site.conf"
        file.write_text(f"archive = {archive}\n{key} = {path}\n"
                        f"accounts.root = {place}\n")
        done = portcullisd("-c", file, "--check")
        assert done.returncode == 2
        assert said(done.stderr, key, words, str(path))
