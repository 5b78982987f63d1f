# tests/e2e/test_attacks.py: rows of docs/design/attacks.md that need a rig.
# SPDX-License-Identifier: Apache-2.0
"""Formats, aborts at every step, threads, hostile records, floods, soaks and
clocks.  Most share one server; whatever one session did, an honest one is
served afterwards by the same worker, and nothing stays open."""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import resource
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

import conftest
from conftest import (BUILD, IS_ROOT, SANITIZED, Server, make_archive,
                      needs_root, open_to_others, plain_build, steady_bytes)

ROOT = pathlib.Path(__file__).parents[2]
SMALL = steady_bytes(1024)
BIG = steady_bytes(5_000_001, 2)
VERBS = re.findall(r"X\((\w{3,4}),", (ROOT / "src" / "proto" /
                                      "command.h").read_text())
FORMATS = ["%n", "%s%s%s%s%s%s%n", "%x.%p.%s", "%1000000d", "%99$n", "%hhn%n",
           "100%", "%", "%%n", "%.2147483648s", "%*.*s", "%S%C%m"]


def make_site(place, conf=None):
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    for name in FORMATS:
        (root / f"file {name}").write_bytes(name.encode())
        (root / f"dir {name}").mkdir()
    open_to_others(root)
    return Server(place, root, {"abuse.refusals": 1000, "login.attempts": 5,
                                "active.failures": 1000,
                                "sessions.per_address": 1000} | (conf or {}))


@pytest.fixture(scope="module")
def room():
    """A directory that other users may pass through."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def shared(room):
    server = make_site(room, {"banner": "%s%n%x here, 100%."})
    server.first_worker, = server.children("portcullis-worker")
    server.first_gate, = server.children("portcullis-gate")
    server.sockets = sockets(server) if IS_ROOT else None
    yield server
    assert server.stop() == 0


def sockets(server):
    """How many the gate and the worker hold; with no session, few."""
    return [sockets_of(server.first_gate), sockets_of(server.first_worker)]


def sockets_of(pid):
    found = []
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(os.readlink(fd))
    return sum(name.startswith("socket:") for name in found)


def files_of(pid):
    return sum("/" == name[:1] for name in (
        os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def settle(server):
    """Gate and worker come to hold as many sockets as at the start."""
    end = time.monotonic() + 20
    while (now := sockets(server)) != server.sockets:
        assert time.monotonic() < end, f"{server.sockets}, now {now}"
        time.sleep(0.02)


@pytest.fixture
def unharmed(shared):
    """The same processes, with the same sockets, serve afterwards."""
    yield shared
    with shared.login() as c:
        assert c.fetch("RETR pub/small.nc") == SMALL
    assert shared.children("portcullis-worker") == [shared.first_worker]
    assert shared.children("portcullis-gate") == [shared.first_gate]
    if IS_ROOT:
        settle(shared)


def replies_until_closed(control):
    codes = []
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            codes.append(control.read().code)
    return codes


def reset(sock):
    """Closes it with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


# ---- B05: formats

def every_verb(server, text):
    with server.login() as c:
        for verb in VERBS:
            if verb in ("QUIT", "REIN"):
                continue
            reply = c.cmd(f"{verb} {text}")
            # What is told back is told as it came.
            for word in re.findall(r"%\S*", reply):
                assert word.rstrip('".\r\n') in text, (verb, reply)
            assert not re.search(r"0x[0-9a-f]+|\(nil\)|\(null\)| {9}",
                                 reply), (verb, reply)
        assert [c.cmd("REIN").code, c.cmd("USER ftp").code,
                c.cmd(f"PASS {text}").code] == [220, 331, 230]
        assert c.cmd(f"CWD /dir {text}").code == 250
        assert f'"/dir {text}"' in c.cmd("PWD")
        assert c.fetch(f"RETR /file {text}") == text.encode()
        assert f"file {text}".encode() in c.fetch("MLSD /")


def test_b05_a_format_is_text_in_every_verb(unharmed):
    # Each waits for the refusal of its user.
    with concurrent.futures.ThreadPoolExecutor(len(FORMATS)) as pool:
        list(pool.map(lambda text: every_verb(unharmed, text), FORMATS))


def test_b05_a_format_is_text_in_what_is_written_down(unharmed):
    with unharmed.control() as c:
        assert "%s%n%x here, 100%." in c.read()
        c.cmd("USER ftp")
        assert c.cmd("PASS %n%s%x@%p").code == 230
        for text in FORMATS:
            c.fetch(f"RETR file {text}")
        c.cmd("PORT %n%s%x")
    wanted = {"%n%s%x", *(f"/file {text}" for text in FORMATS)}
    end = time.monotonic() + 10
    while True:
        found = {e.get("ftp_data", {}).get("filename") or
                 e.get("ftp_bounce", {}).get("command_data")
                 for e in unharmed.events()}
        logged = unharmed.xferlog_file.read_text()
        if wanted <= found and "%n%s%x@%p" in logged and \
                "file_%hhn%n" in logged:
            return
        assert time.monotonic() < end, wanted - found
        time.sleep(0.02)


def test_b05_no_build_takes_a_format_that_is_no_literal(tmp_path):
    """Each file is compiled with the warning, and the warning is an error."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    ours = [c for c in commands if "/src/" in c["file"] or
            c["file"].startswith("../src/")]
    assert len(ours) > 100
    for entry in ours:
        assert "-Wformat=2" in entry["command"], entry["file"]
        assert "-Werror" in entry["command"], entry["file"]
        assert "-Wno-format" not in entry["command"], entry["file"]
    source = tmp_path / "format.c"
    head = "#include <stdio.h>\nvoid f(const char *wire);\nvoid " \
           "f(const char *wire)\n{\n\t"
    flags = [w for w in ours[0]["command"].split() if w.startswith("-W")]
    for body, good in (('puts(wire);', True), ('printf(wire);', False),
                       ('printf(wire, 1);', False)):
        source.write_text(head + body + "\n}\n")
        done = subprocess.run(
            [ours[0]["command"].split()[0], *flags, "-fsyntax-only", source],
            capture_output=True, text=True)
        assert (done.returncode == 0) == good, done.stderr


# ---- B12: an abort at every step

def quietly(act):
    with contextlib.suppress(OSError):
        act()


# What ends it, and whether the control connection outlives that.
ENDS = {
    "abor": (lambda c, d: c.send("ABOR\r\n"), True),
    "urgent abor": (lambda c, d: (
        c.sock.send(b"\xff\xf4\xff", socket.MSG_OOB),
        c.send(b"\xf2ABOR\r\n")), True),
    "quit": (lambda c, d: c.send("QUIT\r\n"), False),
    "control reset": (lambda c, d: reset_control(c), False),
    "control end": (lambda c, d: c.sock.shutdown(socket.SHUT_WR), False),
    "data reset": (lambda c, d: reset(d), True),
    "data close": (lambda c, d: d.close(), True),
    "data end": (lambda c, d: d.shutdown(socket.SHUT_WR), True),
    "passive again": (lambda c, d: c.send("EPSV\r\n"), True),
}


def reset_control(c):
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    c.close()


def transfer(server, c, command, active, step):
    """Goes as far as that step, and gives the data connection's socket."""
    at = itertools.count()
    c.begun = False

    def reached():
        return next(at) == step

    if reached():
        return socket.socket()
    if active:
        listener = c.active()
        if reached():
            return listener
        c.send(command + "\r\n")
        c.begun = True
        if reached():
            return listener
        data, _ = listener.accept()
        data.settimeout(10)
        listener.close()
    else:
        port = c.epsv()
        if reached():
            return socket.socket()
        data = socket.create_connection((server.host, port), timeout=10)
        if reached():
            return data
        c.send(command + "\r\n")
        c.begun = True
    for size in (0, 1, 1000, 65536, 1 << 20):
        if reached():
            return data
        data.recv(size) if size else c.read()
    with contextlib.suppress(ConnectionError):
        while data.recv(1 << 20):
            pass
    if reached():
        return data
    data.close()
    return data


STEPS = 10


@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
@pytest.mark.parametrize("end", ENDS)
def test_b12_a_transfer_ended_at_every_step(unharmed, end, active):
    act, survives = ENDS[end]
    for command, step in itertools.product(
            ("RETR pub/big.grib2", "RETR pub/zero", "MLSD pub"),
            range(STEPS)):
        with unharmed.login() as c:
            data = transfer(unharmed, c, command, active, step)
            try:
                quietly(lambda: act(c, data))
                if not survives:
                    continue
                # A data connection that is only half closed takes the rest;
                # one that nobody came to is waited for.
                if end in ("data end", "passive again") and c.begun:
                    with contextlib.suppress(OSError):
                        if active and step == 2:
                            data, _ = data.accept()
                        data.settimeout(10)
                        while data.recv(1 << 20):
                            pass
                        data.close()	# else the 226 waits for it
                c.send("ABOR\r\nREIN\r\n")
                codes = []
                while not codes or codes[-1] != 220:
                    codes.append(c.read().code)
                    assert codes[-1] in (150, 200, 220, 225, 226, 229, 425,
                                         426, 450, 503, 550), \
                        (command, step, codes)
            finally:
                quietly(data.close)
            assert [c.cmd("USER ftp").code, c.cmd("PASS x").code] == \
                [331, 230]
            assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


SESSION = (b"USER ftp\r\nPASS x\r\nTYPE I\r\nCWD pub\r\nREST 5\r\nSIZE README"
           b"\r\nEPSV\r\nMLST README\r\nRETR README\r\nABOR\r\nPASV\r\n"
           b"STAT README\r\nLIST\r\nREIN\r\nUSER ftp\r\nPASS y\r\nQUIT\r\n")


@pytest.mark.parametrize("end", ["reset", "close", "half"])
def test_b12_a_control_connection_ended_after_each_byte(unharmed, end):
    for size in range(len(SESSION) + 1):
        sock = socket.create_connection(unharmed.address, timeout=10)
        sock.sendall(SESSION[:size])
        if end == "reset":
            reset(sock)
        elif end == "half":
            sock.shutdown(socket.SHUT_WR)
        if end != "reset":
            sock.close()


# ---- B13: descriptors and threads

class Aborter(threading.Thread):
    """A session that lists, fetches and gives up, again and again; what it
    does get whole must be its own."""

    def __init__(self, server, number, rounds):
        super().__init__()
        self.server, self.rounds = server, rounds
        self.chance = random.Random(number)
        self.mine = number % 8
        self.fault = None
        self.start()

    def run(self):
        try:
            c = self.server.login()
            for _ in range(self.rounds):
                c = self.one(c)
            c.close()
        except Exception as fault:
            self.fault = fault

    def one(self, c):
        command = self.chance.choice(("LIST", "MLSD", "NLST", "RETR"))
        name = f"own{self.mine}" + ("/file" if command == "RETR" else "")
        with c.data() as data:
            c.send(f"{command} {name}\r\n")
            what = self.chance.randrange(6)
            if what == 0:
                reset_control(c)
                return self.server.login()
            if what < 4:
                if what > 1:
                    data.recv(self.chance.randrange(1, 100_000))
                c.send("ABOR\r\n")
                codes = []
                while not codes or codes[-1] not in (225, 226) or \
                        codes[-1] == 226 and codes[-2:] == [150, 226]:
                    codes.append(c.read().code)
                assert codes[0] in (150, 425, 426), codes
                return c
            assert c.read().code == 150
            body = b"".join(iter(lambda: data.recv(1 << 16), b""))
        assert c.read().code == 226
        if command == "RETR":
            assert body == bytes([self.mine]) * 300_000
        else:
            names = set(re.findall(rb"\bown-(\d)-\d+", body))
            assert names == {b"%d" % self.mine}
            assert body.count(b"\r\n") >= 300
        return c


def make_owned(root):
    """Eight directories that cannot be taken for each other."""
    for i in range(8):
        own = root / f"own{i}"
        own.mkdir()
        (own / "file").write_bytes(bytes([i]) * 300_000)
        for n in range(300):
            (own / f"own-{i}-{n}").touch()
    open_to_others(root)


def stress(server, sessions, rounds):
    crowd = [Aborter(server, i, rounds) for i in range(sessions)]
    for one in crowd:
        one.join(120)
    faults = [one.fault for one in crowd if one.fault or one.is_alive()]
    assert not faults, faults


def test_b13_listings_aborted_by_a_crowd_leave_nothing_open(serve, archive):
    make_owned(archive)
    server = serve({"worker.threads": 4, "abuse.refusals": 1000})
    worker, = server.children("portcullis-worker")
    with server.login() as c:
        c.fetch("RETR own0/file")
    files = files_of(worker) if IS_ROOT else 0
    stress(server, 12, 40 if SANITIZED else 150)
    assert server.children("portcullis-worker") == [worker]
    if IS_ROOT:
        end = time.monotonic() + 20
        while files_of(worker) != files:
            assert time.monotonic() < end, "files are left open"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def tsan():
    """A build with ThreadSanitizer: the three programs alone."""
    build = BUILD.parent / "build-tsan"
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", "-Db_sanitize=thread",
                        "-Db_lundef=false", build, ROOT], check=True,
                       stdout=subprocess.DEVNULL)
    done = subprocess.run(
        ["ninja", "-C", build, "portcullisd", "portcullis-gate",
         "portcullis-worker"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return build


@plain_build
def test_b13_thread_sanitizer_finds_no_race(tsan, serve, archive,
                                            monkeypatch):
    make_owned(archive)
    monkeypatch.setattr(conftest, "BUILD", tsan)
    server = serve({"worker.threads": 4, "abuse.refusals": 1000,
                    "data.timeout": 30})
    worker, = server.children("portcullis-worker")
    stress(server, 8, 40)
    with server.login() as c:
        assert c.fetch("RETR pub/small.nc") == SMALL
    assert server.children("portcullis-worker") == [worker]
    assert server.stop() == 0
    assert "ThreadSanitizer" not in server.stderr, server.stderr


# ---- B16: what looks like TLS

def record(chance):
    """A record layer's header and body, in most cases not quite."""
    kind = chance.choice((20, 21, 22, 22, 22, 22, 23, 24, 0x80, 255))
    version = chance.choice((b"\3\1", b"\3\3", b"\3\4", b"\0\2", b"\2\0",
                             b"\377\377"))
    body = chance.randbytes(chance.choice((0, 1, 4, 40, 200, 16384, 20000)))
    if body and chance.random() < 0.5:	# a handshake of that length
        body = bytes([chance.choice((1, 2, 11, 255))]) + \
            struct.pack(">I", chance.choice((len(body), 0, 1 << 23)))[1:] + \
            body
    size = chance.choice((len(body), 0, 1, 65535, len(body) + 1))
    return bytes([kind]) + version + struct.pack(">H", size & 0xffff) + body


@pytest.mark.parametrize("logged_in", [False, True])
def test_b16_records_of_tls_are_refused_and_harm_nobody(unharmed, logged_in):
    chance = random.Random(16)
    for _ in range(60 if SANITIZED else 150):
        raw = b"".join(record(chance) for _ in range(chance.randrange(1, 4)))
        raw = raw[:chance.choice((len(raw), 1, 3, 5, 6, 60))]
        with unharmed.control() as c:
            c.login() if logged_in else c.read()
            with contextlib.suppress(OSError):
                for at in range(0, len(raw), 7001):
                    c.send(raw[at:at + 7001])
                c.sock.shutdown(socket.SHUT_WR)
            codes = replies_until_closed(c)
            assert set(codes) <= {500, 501, 421}, (raw[:20], codes)
            if raw[0] == 22 and not logged_in:
                assert codes in ([500], []), (raw[:20], codes)


# ---- B17: state that nobody set

LINES = ["TYPE A", "TYPE I", "TYPE L 8", "REST 7", "REST 0", "CWD pub",
         "CWD nowhere", "CDUP", "PWD", "SIZE pub/README", "SIZE README",
         "MLST pub", "MDTM pub/small.nc", "STAT pub/README", "EPSV 3",
         "OPTS MLST type;", "OPTS MLST size;type;", "FEAT", "SYST", "NOOP",
         "PORT 1,2,3,4,5,6", "RNFR pub", "RNTO x", "STOR x", "ABOR", "MODE S",
         "STRU F", "HELP", "xyzzy", "", "RETR pub/README", "LIST",
         "USER ftp", "PASS x", "REIN\r\nUSER ftp\r\nPASS x"]
# What a session is, told by its answers.
PROBE = ["PWD", "SIZE README", "SIZE pub/README", "MLST", "STAT",
         "RETR pub/README", "TYPE"]


def answers(c, lines, together):
    """The replies to lines, sent at once or each after the one before."""
    sent = [line for text in lines for line in text.split("\r\n")]
    if together:
        c.send("".join(line + "\r\n" for line in sent))
        return [c.read() for _ in sent]
    return [c.cmd(line) for line in sent]


def without_clock(replies):
    return [re.sub(r"\d+ s\b|\d{14}|127\.0\.0\.1\S*|\d+ (bytes|minutes)", "",
                   reply) for reply in replies]


def test_b17_replies_do_not_depend_on_how_the_lines_come(unharmed):
    chance = random.Random(17)
    for _ in range(60 if SANITIZED else 200):
        lines = chance.choices(LINES, k=8) + PROBE
        with unharmed.login() as a, unharmed.login() as b:
            assert without_clock(answers(a, lines, True)) == \
                without_clock(answers(b, lines, False)), lines


def test_b17_a_session_begins_as_the_first_one_did(unharmed):
    """Whatever its predecessor in the same slot was left with."""
    with unharmed.login() as c:
        fresh = without_clock(answers(c, PROBE, False))
    chance = random.Random(71)
    for _ in range(60):
        with unharmed.login() as c:
            answers(c, chance.choices(LINES, k=8), True)
            if chance.random() < 0.5:
                c.send("CWD pub\r\nTYPE A\r\nREST 9\r\nEPSV")
        with unharmed.login() as c:
            assert without_clock(answers(c, PROBE, False)) == fresh


@plain_build
@pytest.mark.parametrize("target", ["telnet", "command", "hostport"])
def test_b17_memory_sanitizer_finds_the_parsers_clean(tmp_path, target):
    """Of what reads strangers' bytes, all that needs no other library."""
    program = tmp_path / target
    done = subprocess.run(
        ["clang", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-fsanitize="
         "memory", "-fno-sanitize-recover=all", f"-I{ROOT}/src",
         f"{ROOT}/tests/fuzz/fuzz_{target}.c",
         f"{ROOT}/tests/fuzz/standalone_main.c",
         *sorted((ROOT / "src/proto").glob("*.c")),
         ROOT / "src/base/hostname.c",
         ROOT / "src/base/sv.c", ROOT / "src/base/addr.c", "-o", program],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([program, "20000",
                           ROOT / "tests/fuzz/corpus" / target],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- C02, C13: who is asked for a password

def test_c02_c06_c13_every_named_user_is_refused_alike_and_late(shared):
    """At USER already: so no password is ever sent in the clear, and who
    exists is not to be learnt."""
    names = ["root", "nobody", "ftp ", "postgres", "%n", "x" * 4000, "é",
             "anonymous2", "' OR 1=1 --", "x'; DROP TABLE users;",
             "%u@%h"]
    seen, early = set(), []

    def ask(name):
        with shared.control() as c:
            c.read()
            begin = time.monotonic()
            seen.add(c.cmd(f"USER {name}"))
            if time.monotonic() - begin < 0.9:
                early.append(name)

    threads = [threading.Thread(target=ask, args=[name]) for name in names]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(seen) == 1 and seen.pop().code == 530
    assert not early


# ---- A16, C05, D05, D06: what is not there cannot be had

V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\x7f\0\0\1" \
     b"\x30\x39\0\x15"


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 198.51.100.7 127.0.0.1 12345 21\r\n",
    b"PROXY TCP6 2001:db8::7 ::1 12345 21\r\n", b"PROXY UNKNOWN\r\n", V2])
def test_a16_nobody_says_for_another_who_he_is(unharmed, header):
    with unharmed.control() as c:
        c.send(header)
        c.read()
        with contextlib.suppress(EOFError, ConnectionError):
            c.send("USER ftp\r\nPASS x\r\nPORT 198,51,100,7,200,1\r\n")
            codes = replies_until_closed_at(c, 504)
            assert set(codes) <= {230, 331, 500, 501, 421, 504, 221}, codes
            assert c.cmd("PORT 198,51,100,7,200,1").code == 504
    told = {e["src_ip"] for e in unharmed.events("alert")}
    assert "198.51.100.7" not in told and told


def replies_until_closed_at(c, last):
    codes = []
    while codes[-1:] != [last]:
        codes.append(c.read().code)
    return codes


@pytest.mark.parametrize("line,codes", [
    ("USER", {501}), ("USER ", {501}), ("USER  ", {501, 530}),
    ("PASS", {503}), ("PASS ", {503})])
def test_c05_an_empty_name_or_password_opens_nothing(unharmed, line, codes):
    with unharmed.control() as c:
        c.read()
        assert c.cmd(line).code in codes
        assert c.cmd("PWD").code == 530


@pytest.mark.parametrize("between", [
    "", "NOOP\r\n", "RNFR pub/README\r\n", "RNFR pub/README\r\nNOOP\r\n",
    "RNFR nowhere\r\n"])
def test_d05_nothing_is_renamed(unharmed, between):
    with unharmed.login() as c:
        c.send(between + "RNTO pub/other\r\nPWD\r\n")
        codes = replies_until_closed_at(c, 257)
        assert codes[-2] == 503 and set(codes[:-2]) <= {200, 550}, codes
        assert c.cmd("SIZE pub/README").code == 213
        assert c.cmd("SIZE pub/other").code == 550


@pytest.mark.parametrize("words", [
    "CHMOD 777 pub/README", "CPFR pub/README", "CPTO x", "EXEC id", "SYMLINK "
    "/etc/passwd x", "MKDIR x", "UTIME 20200101000000 pub/README",
    "CHGRP 0 pub", "UMASK 0", "INDEX x", "ZONE", "RMDIR pub", "SU x"])
def test_d06_site_acts_on_no_file(unharmed, words):
    with unharmed.login() as c:
        assert c.cmd(f"SITE {words}").code // 100 == 5
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


# ---- F01, F02: connections without end

def test_f01_a_flood_from_one_address_leaves_room_for_others(serve):
    server = serve({"sessions.per_address": 8, "sessions.max": 24})
    with contextlib.ExitStack() as stack:
        flood = [stack.enter_context(server.control()) for _ in range(100)]
        codes = [c.read().code for c in flood]
        assert codes.count(220) == 8 and codes.count(421) == 92
        for c, code in zip(flood, codes):
            assert code == 220 or c.ended()
        for i in range(2, 4):	# eight more from each of two neighbours
            for _ in range(8):
                c = stack.enter_context(server.control(f"127.0.0.{i}"))
                assert c.read().code == 220
        with server.control("127.0.0.4") as c:	# now it is full
            assert c.read().code == 421
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with server.control() as c:
            if c.read().code == 220:
                return
    raise AssertionError("the flood is over, and nobody is let in")


def test_f01_a_gate_without_descriptors_says_so_and_goes_on(serve):
    few = (200, 200)
    server = serve({"sessions.per_address": 1000}, preexec=lambda:
                   resource.setrlimit(resource.RLIMIT_NOFILE, few))
    gate, = server.children("portcullis-gate")
    with server.login() as before:
        with contextlib.ExitStack() as stack:
            codes = []
            for _ in range(260):
                c = stack.enter_context(server.control())
                codes.append(c.read().code)
            assert set(codes) == {220, 421}, codes
            assert before.cmd("PWD").code == 257
        end = time.monotonic() + 10
        codes = []
        while codes[-1:] != [220]:
            assert time.monotonic() < end
            with server.control() as c:
                codes.append(c.read().code)
        assert before.fetch("RETR pub/small.nc") == SMALL
    assert server.children("portcullis-gate") == [gate]


def test_f02_connections_reset_before_they_are_accepted(serve):
    server = serve({"sessions.per_address": 1000})
    gate, = server.children("portcullis-gate")

    def storm():
        for _ in range(500):
            sock = socket.socket()
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(server.address)
            reset(sock)

    storms = [threading.Thread(target=storm) for _ in range(4)]
    for one in storms:
        one.start()
    with server.login() as c:
        while any(one.is_alive() for one in storms):
            assert c.fetch("RETR pub/small.nc") == SMALL
    for one in storms:
        one.join()
    assert server.children("portcullis-gate") == [gate]


@plain_build
@needs_root
@pytest.mark.parametrize("call,error", [
    ("accept4", "ECONNABORTED"), ("accept4", "EMFILE"), ("accept4", "ENFILE"),
    ("accept4", "ENOMEM"), ("accept4", "EPROTO"), ("accept4", "ENETDOWN"),
    ("getsockname", "ENOTCONN"), ("getsockname", "ENOBUFS"),
    ("fcntl", "EMFILE")])
def test_f02_the_gate_outlives_what_accept_may_say(serve, tmp_path, call,
                                                   error):
    server = serve()
    gate, = server.children("portcullis-gate")
    log = tmp_path / "trace"
    with server.login() as before:
        with subprocess.Popen(
                ["strace", "-qq", "-o", log, "-p", str(gate), "-e",
                 f"trace={call}", "-e",
                 f"inject={call}:error={error}:when=1..5"],
                stderr=subprocess.PIPE) as strace:
            try:
                end = time.monotonic() + 10
                while not re.search(r"TracerPid:\s+[1-9]", pathlib.Path(
                        f"/proc/{gate}/status").read_text()):
                    assert strace.poll() is None and time.monotonic() < end
                    time.sleep(0.01)
                codes = []
                while codes[-1:] != [220]:
                    assert len(codes) < 12, codes
                    with server.control() as c:
                        codes.append((replies_until_closed_or_first(c)))
            finally:
                strace.terminate()
                strace.wait(10)
        assert "(INJECTED)" in log.read_text()
        assert before.fetch("RETR pub/small.nc") == SMALL
    assert server.children("portcullis-gate") == [gate]


def replies_until_closed_or_first(c):
    try:
        return c.read().code
    except (EOFError, ConnectionError):
        return None


# ---- F09: a soak

def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


SOAK = (b"NOOP\r\nPWD\r\nSIZE pub/README\r\nxyzzy\r\nMLST pub\r\nCWD pub\r\n"
        b"SYST\r\nSIZE nothing\r\nCDUP\r\nTYPE A\r\nTYPE I\r\nREST 5\r\n"
        b"STAT pub/README\r\nMDTM pub/zero\r\nOPTS MLST type;size;\r\n"
        b"FEAT\r\nUSER ftp\r\nPASS some@where\r\nREIN\r\n"
        b"USER ftp\r\nPASS x\r\n")


def soak(server, rounds):
    """So many commands of a session, and as many sessions and transfers."""
    count = SOAK.count(b"\n")
    with server.login() as c:
        sender = threading.Thread(target=lambda: [
            c.send(SOAK) for _ in range(rounds)])
        sender.start()
        replies = 0
        while replies < count * rounds:
            line = c.file.readline()
            replies += line[3:4] == b" " and line[:3].isdigit()
        sender.join()
        for _ in range(rounds // 10):
            c.fetch("RETR pub/README")
            c.fetch("MLSD pub")
    for _ in range(rounds // 10):
        with server.login() as c:
            c.epsv()
    return count * rounds


@plain_build
def test_f09_memory_does_not_grow_with_commands(serve):
    server = serve({"abuse.refusals": 1000})
    worker, = server.children("portcullis-worker")
    gate, = server.children("portcullis-gate")
    soak(server, 1000)
    before = [resident(pid) for pid in (worker, gate)]
    commands = soak(server, 6000)
    grown = [resident(pid) - was for pid, was in zip((worker, gate), before)]
    assert max(grown) < commands, f"{grown} bytes in {commands} commands"


# ---- F11: MODE Z

@pytest.mark.parametrize("line,code", [
    ("MODE Z", 504), ("mode z", 504), ("MODE B", 504), ("MODE C", 504),
    ("OPTS MODE Z LEVEL 9", 501), ("MODE ZZ", 501), ("MODE", 501),
    ("MODE Z 9", 501)])
def test_f11_no_compression_is_taken_or_done(unharmed, line, code):
    with unharmed.login() as c:
        assert "MODE Z" not in c.cmd("FEAT")
        reply = c.cmd(line)
        assert reply.code in (501, 504) and reply.code // 100 == code // 100
        # Not even half: bytes come as they are.
        assert c.fetch("RETR pub/big.grib2") == BIG


# ---- F14: lines that a link smuggles in

def test_f14_what_a_url_smuggles_in_has_no_effect(unharmed):
    """Before login no verb acts; after it, none writes."""
    def tree():
        root = pathlib.Path(unharmed.settings["archive"])
        return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_ino)
                      for p in root.rglob("*"))

    before = tree()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.2)
    port = listening.getsockname()[1]
    where = f"127,0,0,1,{port >> 8},{port & 255}"
    smuggled = [f"PORT {where}", "LIST", "RETR pub/README", "STOR x",
                "DELE pub/README", "MKD y", "RNFR pub/zero", "RNTO pub/x",
                "SITE CHMOD 777 pub", "SITE EXEC id", "SITE CPFR pub/zero",
                "APPE pub/zero", "RMD pub", "STOU", "XMKD z", "ALLO 5",
                "EPSV", "PASV", "CWD pub"]
    with unharmed.control() as c:
        c.read()
        c.send("".join(line + "\r\n" for line in smuggled) + "QUIT\r\n")
        codes = replies_until_closed(c)
        assert set(codes[:-1]) <= {530, 500, 502} and codes[-1] == 221, codes
    with pytest.raises(TimeoutError):
        listening.accept()
    with unharmed.login() as c:
        for line in smuggled:
            if line.split()[0] in ("PORT", "LIST", "RETR", "EPSV", "PASV",
                                   "CWD", "ALLO"):
                continue
            assert c.cmd(line).code // 100 == 5, line
        # A carriage return ends no line.
        for line in ("CWD pub\rDELE README", "RETR pub\r\0DELE x"):
            assert c.cmd(line).code in (500, 501)
    listening.close()
    assert tree() == before


# ---- F16: the clock jumps

CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static const volatile long *offset;
static int (*real)(clockid_t, struct timespec *);
__attribute__((constructor)) static void
start(void)
{
	int fd = open(OFFSET, O_RDONLY);

	real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT,
	    "clock_gettime");
	offset = mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (offset == MAP_FAILED)
		abort();
}
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int r = real(id, ts);

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec += *offset;
	return r;
}
time_t
time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
"""


@pytest.fixture
def jumping(place, archive, serve, monkeypatch):
    """A server whose processes have a wall clock that jump(seconds) moves."""
    offset = place / "offset"
    offset.write_bytes(bytes(8))
    (place / "clock.c").write_text(CLOCK)
    library = place / "clock.so"
    subprocess.run(["gcc", "-shared", "-fPIC", f'-DOFFSET="{offset}"',
                    place / "clock.c", "-o", library, "-ldl"], check=True)
    programs = place / "programs"
    programs.mkdir()
    # Children get no environment of ours: each gets it from a wrapper.
    shutil.copy(BUILD / "portcullisd", programs / "portcullisd")
    for name in ("portcullis-gate", "portcullis-worker"):
        (programs / name).write_text(
            f"#!/bin/sh\nLD_PRELOAD={library} exec {programs}/real/{name} "
            '"$@"\n')
        (programs / "real").mkdir(exist_ok=True)
        shutil.copy(BUILD / name, programs / "real" / name)
    for path in (offset, library, programs, *programs.rglob("*")):
        path.chmod(0o755)
    monkeypatch.setattr(conftest, "BUILD", programs)
    server = serve({"idle.timeout": 100, "login.timeout": 30,
                    "passive.timeout": 30, "data.timeout": 30})

    def jump(seconds):
        with offset.open("r+b") as file:
            file.write(struct.pack("l", seconds))

    server.jump = jump
    return server


@plain_build
@pytest.mark.parametrize("years", [20, -20])
def test_f16_a_jump_of_the_clock_ends_nothing(jumping, years):
    seconds = years * 365 * 86400
    with jumping.login() as idle, jumping.control() as greeted, \
            jumping.login() as waiting, jumping.login() as moving:
        greeted.read()
        port = waiting.epsv()
        with moving.data() as data:
            assert moving.cmd("RETR pub/big.grib2").code == 150
            body = data.recv(100_000)
            jumping.jump(seconds)
            time.sleep(1.2)	# clocks that are due would ring
            assert idle.cmd("NOOP").code == 200
            assert greeted.cmd("USER ftp").code == 331
            assert greeted.cmd("PASS x").code == 230
            with socket.create_connection((jumping.host, port), 10) as other:
                assert waiting.cmd("RETR pub/small.nc").code == 150
                assert other.makefile("rb").read() == SMALL
            assert waiting.read().code == 226
            body += b"".join(iter(lambda: data.recv(1 << 20), b""))
        assert body == BIG and moving.read().code == 226
        jumping.jump(0)
        assert idle.fetch("RETR pub/small.nc") == SMALL
    # It did jump: what is only text follows the wall.
    now = time.gmtime().tm_year
    told = {int(e["timestamp"][:4]) for e in jumping.events("ftp_data",
                                                            want=3)}
    assert any(abs(year - now - years) <= 1 for year in told), told
    assert all(e["ftp_data"]["duration_ms"] < 25_000
               for e in jumping.events("ftp_data"))


# Who asks the wall clock, and what for; none of it is how long something
# lasts.
WALL_CLOCK = {
    "base/log.c": "text",
    "gate/limit.c": "steps of the day",
    "warden/board.c": "the time that a downtime file names",
    "warden/signer.c": "whether a certificate is valid",
    "worker/account.c": "which parts of uploads are too old",
    "worker/box.c": "which files in a drop box are too old",
    "worker/cmd_stat.c": "the year in a listing, or the time of day",
    "worker/hash.c": "a file changed just now may change unseen again",
    "worker/notice.c": "when an upload was done",
    "worker/secure.c": "whether a certificate ends soon",
    "worker/sess.c": "steps of the day",
    "worker/sweep.c": "which parts of uploads are too old",
    "worker/xfer.c": "the year in a listing, or the time of day",
}


def test_f16_timers_know_no_wall_clock():
    """The one clock of all timers is BOOTTIME."""
    assert "clock_gettime(CLOCK_BOOTTIME" in \
        (ROOT / "src/base/loop.c").read_text()
    asked = {f"{folder}/{path.name}"
             for folder in ("base", "gate", "worker", "warden")
             for path in (ROOT / "src" / folder).glob("*.c")
             if re.search(r"CLOCK_REALTIME|\btime\(", path.read_text())}
    assert asked <= set(WALL_CLOCK), asked - set(WALL_CLOCK)
