# tests/e2e/test_bad_input.py: bytes that no honest client sends, and silence.
# SPDX-License-Identifier: Apache-2.0
"""Whatever one session does, the others go on: in most tests an honest
client fetches a file over and over meanwhile (`bystander`)."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import socket
import tempfile
import threading
import time

import pytest

from conftest import (SANITIZED, Server, make_archive, open_to_others,
                      steady_bytes)

ROOT = pathlib.Path(__file__).parents[2]
LINE_MAX = 8192
# Of a worker's memory, in bytes; AddressSanitizer keeps what was freed.
GROWTH = (64 if SANITIZED else 4) << 20
SMALL = steady_bytes(1024)
VERBS = re.findall(r"X\((\w{3,4}),", (ROOT / "src" / "proto" /
                                      "command.h").read_text())


@pytest.fixture(scope="module")
def shared():
    """One server for the tests that need no settings of their own."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    open_to_others(root)
    server = Server(place, root, {"abuse.refusals": 1000,
                                  "sessions.per_address": 1000})
    yield server
    status = server.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert status == 0


@contextlib.contextmanager
def honest_client(server):
    """Fetches the same file until the block ends; each time it must be
    right, and it must have been once after the block's work."""
    stop, faults, rounds = threading.Event(), [], []

    def work():
        try:
            with server.login() as c:
                while not stop.is_set() or not rounds:
                    assert c.fetch("RETR pub/small.nc") == SMALL
                    rounds.append(1)
                    time.sleep(0.01)
                assert c.fetch("RETR pub/small.nc") == SMALL
        except Exception as fault:  # shown by the test's own thread
            faults.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not faults and not thread.is_alive(), faults


@pytest.fixture
def bystander(shared):
    with honest_client(shared):
        yield


def resident(pid):
    """A process's memory in bytes."""
    text = pathlib.Path(f"/proc/{pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def worker_of(server):
    pid, = server.children("portcullis-worker")
    return pid


def replies_until_closed(control):
    """The codes of all that comes."""
    codes = []
    with contextlib.suppress(EOFError, ConnectionResetError):
        while True:
            codes.append(control.read().code)
    return codes


# ---- lines that are too long

@pytest.mark.parametrize("verb", VERBS)
def test_b01_an_overlong_line_is_refused_once(shared, bystander, verb):
    with shared.login() as c:
        for size in (LINE_MAX + 1, 65536):
            c.send(verb.encode() + b" " + b"x" * (size - len(verb) - 1) +
                   b"\r\nNOOP\r\n")
            assert c.read().code == 500
            assert c.read().code == 200
        c.send("PWD\r\n")
        assert c.read().code == 257


@pytest.mark.parametrize("size", [LINE_MAX - 1, LINE_MAX])
def test_b01_the_longest_line_is_taken(shared, size):
    with shared.login() as c:
        c.send(b"NOOP " + b"x" * (size - 5) + b"\r\n")
        assert c.read().code == 200
        c.send(b"SIZE " + b"x" * (size - 5) + b"\r\n")
        assert c.read().code == 550
        c.send(b"SIZE " + b"./" * ((size - 16) // 2) + b"pub/README\r\n")
        assert c.read().code == 213


@pytest.mark.parametrize("size", [LINE_MAX + 1, LINE_MAX + 2, 3 * LINE_MAX])
def test_b02_the_tail_of_a_long_line_is_no_command(shared, size):
    with shared.login() as c:
        for tail in (b"NOOP", b" NOOP", b"\rNOOP", b"\r\rQUIT"):
            c.send(b"x" * size + tail + b"\r\n")
            assert c.read().code in (500, 421)
            if tail == b"\rNOOP":
                break
            c.send(b"PWD\r\n")
            assert c.read().code == 257


@pytest.mark.parametrize("logged_in", [True, False])
def test_b03_long_lines_without_end_close_the_session(shared, bystander,
                                                      logged_in):
    with shared.login() if logged_in else shared.control() as c:
        if not logged_in:
            c.read()
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                c.send(b"y" * 20000 + b"\r\n")
        codes = replies_until_closed(c)
        assert codes[-1] == 421 and set(codes) == {500, 421}, codes


@pytest.mark.parametrize("byte", [b"a", b"\0", b"\xff", b"\r", b" ", b"\xf1"])
def test_b03_a_megabyte_without_a_line_end(shared, bystander, byte):
    before = resident(worker_of(shared))
    with shared.login() as c:
        with contextlib.suppress(ConnectionError):
            for _ in range(16):
                c.send(byte * 65536)
        codes = replies_until_closed(c)
        assert codes in ([421], []), codes
    assert resident(worker_of(shared)) - before < GROWTH


# ---- odd bytes

@pytest.mark.parametrize("line", [
    b"NOOP\0", b"\0NOOP", b"NO\0OP", b"SIZE pub/README\0", b"\0",
    b"SIZE pub/\0README", b"SIZE pub/README\0.nc", b"xyzzy\0", b"\0\0\0\0",
    b"SIZE pub/README\r", b"NOOP\rNOOP", b"\rNOOP", b"SIZE a\rQUIT",
    b"\r\r\r\r", b"xyzzy\rNOOP"])
def test_b08_b10_nul_and_bare_cr_are_refused(shared, line):
    with shared.login() as c:
        c.send(line + b"\r\nPWD\r\n")
        assert c.read().code in (500, 501), line
        assert c.read().code == 257


@pytest.mark.parametrize("line", [
    b"USER anonymous\0", b"USER anonymous\0root", b"USER\0anonymous", b"\0",
    b"\0USER anonymous"])
def test_b08_nobody_logs_in_up_to_a_nul(shared, line):
    with shared.control() as c:
        c.read()
        c.send(line + b"\r\nPASS x\r\nPWD\r\n")
        assert [c.read().code // 100 for _ in range(3)] == [5, 5, 5]


@pytest.mark.parametrize("line,codes", [
    (b"\n", [500]), (b"\r\n", [500]), (b"\n\n\n", [500] * 3),
    (b"NOOP\n", [200]), (b"\nNOOP\n", [500, 200]), (b" NOOP\r\n", [500]),
    (b"NOOP \r\n", [200]), (b"\tNOOP\r\n", [500]), (b"NOOP\t\r\n", [500]),
    (b"NOOP\n\r\n", [200, 500])])
def test_b10_empty_lines_and_bare_lf(shared, line, codes):
    with shared.login() as c:
        c.send(line + b"PWD\r\n")
        assert [c.read().code for _ in codes] == codes
        assert c.read().code == 257


def test_b09_a_byte_above_127_makes_no_verb(shared):
    with shared.login() as c:
        for place in range(4):
            for byte in range(0x80, 0x100):
                verb = bytearray(b"NOOP")
                verb[place] = byte
                c.send(bytes(verb).replace(b"\xff", b"\xff\xff") + b"\r\n")
        assert {c.read().code for _ in range(4 * 128)} == {500}
        c.send("noop\r\n")
        assert c.read().code == 200


# ---- Telnet

IAC_STRINGS = [
    b"\xff\xf4", b"\xff\xf2", b"\xff\xf1", b"\xff\xfb\x01", b"\xff\xfc\x01",
    b"\xff\xfd\x03", b"\xff\xfe\x22", b"\xff\xfa\x18\x00vt100\xff\xf0",
    b"\xff\xfa\xff\xff\xff\xf0", b"\xff\xf4\xff\xf2", b"\xff\xf0",
    b"\xff\xf9" * 100, b"\xff\xfb\xff", b"\xff\xfd\x00"]


@pytest.mark.parametrize("string", IAC_STRINGS, ids=bytes.hex)
def test_b04_telnet_commands_mean_nothing(shared, string):
    with shared.login() as c:
        for at in range(5):
            c.send(b"NOOP"[:at] + string + b"NOOP"[at:] + b"\r\n")
            assert c.read().code == 200
        for byte in string + b"NOOP\r\n":
            c.send(bytes([byte]))
        assert c.read().code == 200


def test_b04_every_short_telnet_string(shared, bystander):
    """Each is one line: so many lines, so many replies, then a command."""
    parts = b"\xff\xfa\xf0\xfb\xf4\xf2\x41"
    with shared.login() as c:
        for size in range(1, 5):
            for word in itertools.product(parts, repeat=size):
                c.send(bytes(word) + b"\r\n")
                assert c.read().code in (500, 501), bytes(word)
        assert c.cmd("PWD").code == 257


def test_binary_noise_harms_nobody(shared, bystander):
    noise = random.Random(5)
    for _ in range(40):
        with shared.control() as c:
            with contextlib.suppress(ConnectionError):
                c.send(noise.randbytes(noise.randrange(1, 60000)))
                c.sock.shutdown(socket.SHUT_WR)
            codes = replies_until_closed(c)
            assert codes[:1] in ([220], []), codes
            assert set(codes[1:]) <= {500, 501, 421}, codes
    with shared.login() as c:
        for _ in range(200):
            c.send(noise.randbytes(100).replace(b"\n", b"") + b"\r\n")
            assert c.read().code in (500, 501)
        assert c.cmd("PWD").code == 257


# ---- other protocols

TLS_HELLO = bytes.fromhex(
    "16030100c2010000be0303") + steady_bytes(191).replace(b"\n", b"n")


@pytest.mark.parametrize("first", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /x HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nUSER ftp\r\nPASS x\r\n",
    b"EHLO mail.example\r\n", b"HELO x\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"OPTIONS sip:a@b SIP/2.0\r\n", b"REGISTER sip:a SIP/2.0\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"CONNECT a:25 HTTP/1.1\r\n\r\n", TLS_HELLO + b"\r\n", TLS_HELLO,
], ids=lambda b: b[:8].decode("latin-1").encode("unicode_escape").decode())
def test_a12_a13_another_protocol_is_closed_with_500(shared, first):
    with shared.control() as c:
        assert c.read().code == 220
        c.send(first)
        assert replies_until_closed(c) == [500]


def test_a12_three_unknown_commands_before_login(shared):
    with shared.control() as c:
        c.read()
        c.send("XYZZY\r\nFOO\r\nBAR\r\nUSER anonymous\r\nPASS x\r\nPWD\r\n")
        codes = replies_until_closed(c)
        assert codes == [500, 500, 500, 421], codes


# ---- pipelining

def test_f07_100000_commands_at_once(shared, bystander):
    before = resident(worker_of(shared))
    with shared.login() as c:
        sender = threading.Thread(
            target=lambda: [c.send(b"NOOP\r\n" * 1000) for _ in range(100)])
        sender.start()
        for _ in range(100_000):
            assert c.file.readline() == b"200 Here.\r\n"
        sender.join()
        assert c.cmd("PWD").code == 257
    assert resident(worker_of(shared)) - before < GROWTH


@pytest.mark.parametrize("command", [b"NOOP\r\n", b"HELP\r\n", b"FEAT\r\n",
                                     b"STAT pub/README\r\n", b"x\r\n"])
def test_f08_a_client_that_never_reads_holds_up_itself(shared, bystander,
                                                       command):
    before = resident(worker_of(shared))
    with shared.login() as c:
        c.sock.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 << 20:
                sent += c.sock.send(command * 1000)
        assert sent < 64 << 20
        assert resident(worker_of(shared)) - before < GROWTH


def test_f08_many_clients_that_never_read(shared, bystander):
    before = resident(worker_of(shared))
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            c = stack.enter_context(shared.login())
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            c.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    c.sock.send(b"HELP\r\n" * 10000)
        time.sleep(0.5)
        assert resident(worker_of(shared)) - before < 3 * GROWTH


def test_replies_come_in_order_however_the_bytes_arrive(shared):
    lines = (b"NOOP\r\nPWD\r\nSIZE pub/README\r\nxyzzy\r\nMLST pub\r\n"
             b"CWD pub\r\nSYST\r\nSIZE README\r\nCDUP\r\n") * 20
    want = [200, 257, 213, 500, 250, 250, 215, 213, 250] * 20
    for step in (1, 2, 3, 7, 100, 4095, 4096, 4097):
        with shared.login() as c:
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(lines), step):
                c.send(lines[at:at + step])
            assert [c.read().code for _ in want] == want, step


# ---- silence

@pytest.fixture
def impatient(serve):
    server = serve({"login.timeout": 2, "idle.timeout": 2, "data.timeout": 2})
    return server


def test_f03_who_says_nothing_is_shown_out(impatient):
    with impatient.control(timeout=20) as c:
        assert replies_until_closed(c) == [220, 421]


def test_f03_login_has_a_time_limit_all_told(impatient):
    with impatient.control(timeout=20) as c:
        c.read()
        end = time.monotonic() + 20
        with pytest.raises((EOFError, ConnectionError)):
            while time.monotonic() < end:
                reply = c.cmd("NOOP")
                assert reply.code in (200, 421)
                time.sleep(0.1)


def test_f03_a_line_byte_by_byte_does_not_keep_a_session(impatient):
    with impatient.control(timeout=20) as c:
        c.read()
        end = time.monotonic() + 20
        with pytest.raises(ConnectionError):
            while time.monotonic() < end:
                c.send("U")
                time.sleep(0.1)


def test_idle_session_is_ended(impatient):
    with impatient.control(timeout=20).login() as c:
        assert replies_until_closed(c) == [421]


def test_f04_a_reader_that_stands_still_is_426(serve, archive):
    with (archive / "sparse").open("wb") as file:
        file.truncate(200 << 20)
    (archive / "sparse").chmod(0o644)
    server = serve({"data.timeout": 2})
    with honest_client(server), server.control(timeout=20).login() as c:
        with socket.socket() as data:
            data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            data.connect((server.host, c.epsv()))
            assert c.cmd("RETR sparse").code == 150
            assert c.read().code == 426
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


class Trickle(threading.Thread):
    """Clients that take a little of a large file, again and again: too much
    for a send to them ever to fail, and for them ever to be done."""

    def __init__(self, server, count):
        super().__init__()
        self.over = threading.Event()
        self.clients = [self.begin(server) for _ in range(count)]
        self.start()

    @staticmethod
    def begin(server):
        c = server.login()
        data = socket.socket()
        data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        data.connect((c.sock.getpeername()[0], c.epsv()))
        data.setblocking(False)
        assert c.cmd("RETR large").code == 150
        return c, data

    def run(self):
        while not self.over.wait(0.05):
            for _, data in self.clients:
                with contextlib.suppress(BlockingIOError):
                    data.recv(2048)

    def end(self):
        self.over.set()
        self.join(10)
        for c, data in self.clients:
            data.close()
            c.close()


def test_f04_readers_that_trickle_do_not_keep_the_threads(serve, archive):
    with open(archive / "large", "wb") as large:
        large.truncate(1 << 30)
        os.fchmod(large.fileno(), 0o644)
    server = serve({"worker.threads": 8})
    trickle = Trickle(server, 12)
    try:
        time.sleep(1)
        for _ in range(3):
            with server.login() as c:
                assert b"small.nc" in c.fetch("LIST pub")
                assert len(c.fetch("RETR pub/big.grib2")) == 5_000_001
    finally:
        trickle.end()


def test_f05_nobody_comes_to_the_passive_port(impatient):
    with honest_client(impatient), impatient.control(timeout=20).login() as c:
        c.epsv()
        c.send("RETR pub/README\r\nNOOP\r\n")
        assert [c.read().code, c.read().code] == [200, 425]
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_f05_a_data_connection_that_nobody_uses(impatient):
    with impatient.control(timeout=20).login() as c:
        with c.data() as data:
            assert replies_until_closed(c) == [421]
            data.settimeout(20)
            assert data.recv(1) == b""


# ---- what is written down

HOSTILE = ["\x1b[31mred", "a\x07b", "\x9b31m", 'q"uote', "back\\slash", "%n%s",
           "{\"event_type\":\"login\"}", "\u202egnp.exe", "é", "\udcff\udcfe",
           "\udcc3", "\udced\udca0\udc80", "tab\there", "x" * 4000,
           "\x7f", "\u0085next", "</script>", "a b", "\x01" * 300]


def test_f13_event_lines_are_one_printable_record_each(serve, archive):
    names = [name for name in HOSTILE if len(os.fsencode(name)) < 256]
    for name in names:
        path = archive / name.replace("/", "_")
        path.write_bytes(b"x")
        path.chmod(0o644)
    server = serve({"abuse.refusals": 1000})
    with server.control() as c:
        c.read()
        for name in HOSTILE:
            wire = name.replace("\udcff", "\udcff\udcff")
            c.send(f"USER anonymous\r\nPASS {wire}\r\n")
            assert [c.read().code, c.read().code] == [331, 230]
            c.send(f"PORT {wire}\r\n")
            assert c.read().code >= 500
            if name in names:
                path = wire.replace("/", "_")
                with c.data() as data:
                    c.send(f"RETR {path}\r\n")
                    assert c.read().code == 150, name
                    assert data.recv(9) == b"x"
                assert c.read().code == 226
    for name in HOSTILE:
        with server.control() as c:
            c.read()
            c.send(f"GET /{name} HTTP/1.1\r\n")
            assert c.read().code == 500
    events = server.events("ftp_data", want=len(names))
    assert len(events) == len(names)
    raw = server.events_file.read_bytes()
    assert raw.endswith(b"\n")
    for line in raw.split(b"\n")[:-1]:
        text = line.decode("utf-8")  # well-formed, or this fails
        assert isinstance(json.loads(text), dict)
        assert not re.search("[\x00-\x1f\x7f-\x9f]", text), text
    for line in server.xferlog_file.read_bytes().split(b"\n")[:-1]:
        assert not re.search(rb"[\x00-\x1f\x7f]", line), line
        assert len(line.split(b" ")) >= 18, line
    lines = server.xferlog_file.read_bytes().count(b"\n")
    assert lines == len(names)
