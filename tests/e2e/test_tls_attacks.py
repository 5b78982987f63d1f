# tests/e2e/test_tls_attacks.py: rows E01 to E11 where there are accounts.
# SPDX-License-Identifier: Apache-2.0
"""Uploads within TLS that are cut, handshakes in a crowd, what one session
has of another, and whose fault each failure is said to be."""

import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time

import pytest

from conftest import (BUILD, ENVIRONMENT, IS_ROOT, Control, Server, free_port,
                      make_archive, needs_root, open_to_others, plain_build,
                      steady_bytes)
from test_ftps import BOTH, NAME, Secure, context_of, tls_events, transfers
from test_processes import gate_of, soon
from test_solo import memory_of, shared, solos, worker_of
from test_tls import Pki, a_hello

PASSWORDS = {name: f"pass-of-{name}-{random.Random(name).getrandbits(64):x}"
             for name in ("alice", "bob", "carol")}


# ---- one server for all who do it no harm

@pytest.fixture(scope="module")
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def pki(place):
    home = place / "pki"
    home.mkdir(mode=0o700)
    return Pki(home)


def own(path):
    if IS_ROOT:
        shutil.chown(path, "portcullis-worker", "portcullis-worker")


def start(place, pki, name, **more):
    """carol may log in without TLS; alice and bob may not."""
    here = place / name
    here.mkdir()
    (here / "archive").mkdir()
    make_archive(here / "archive")
    open_to_others(here / "archive")
    homes = here / "homes"
    homes.mkdir()
    own(homes)
    for user, password in PASSWORDS.items():
        (homes / user).mkdir()
        own(homes / user)
        subprocess.run(
            [BUILD / "portcullis", "passwd", "-f", here / "accounts", "add",
             user, "--stdin", "--cost", "1", "-r", "lrwodnm", "-o", "tls=" +
             ("optional" if user == "carol" else "required")], check=True,
            input=password.encode(), env=ENVIRONMENT)
    implicit, port = free_port(), free_port()
    server = Server(here, here / "archive", {
        "listen": f"127.0.0.1:{port}",
        "tls.listen": f"127.0.0.1:{implicit}",
        "tls.certificate": f"{pki['ec.crt']} key={pki['ec.key']}",
        "accounts.file": here / "accounts", "accounts.root": homes,
        "accounts.tls": "optional",
        "sessions.per_address": 1000, "solo.per_address": 0,
        "login.attempts": 3, "stop.timeout": 2, **more}, port=port)
    server.implicit, server.homes = implicit, homes
    return server


@pytest.fixture(scope="module")
def server(place, pki):
    made = start(place, pki, "all")
    yield made
    assert made.stop() == 0, made.stderr


def login(server, user, version=None):
    c = Secure(server, version)
    assert c.cmd(f"USER {user}").code == 331
    assert c.cmd(f"PASS {PASSWORDS[user]}").code == 230
    assert c.cmd("PBSZ 0").code == c.cmd("PROT P").code == 200
    return c


# ---- E03: an upload that is cut

class Records:
    """A data connection whose records are ours to send, or to damage."""

    def __init__(self, c, command):
        self.raw = Control.data(c)
        self.first = c.cmd(command)
        assert self.first.code == 150, self.first
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.into, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = c.context.wrap_bio(self.into, self.out,
                                      server_hostname=NAME,
                                      session=c.sock.session)
        self.go(self.tls.do_handshake)

    def go(self, step):
        while True:
            try:
                done = step()
                self.raw.sendall(self.out.read())
                return done
            except ssl.SSLWantReadError:
                self.raw.sendall(self.out.read())
                got = self.raw.recv(65536)
                assert got, "closed in the handshake"
                self.into.write(got)

    def encrypt(self, data):
        self.tls.write(data)
        return self.out.read()

    def reset(self):
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        self.raw.close()


def cut_fin(data, records):
    data.raw.sendall(records)
    data.raw.shutdown(socket.SHUT_WR)


def cut_reset(data, records):
    data.raw.sendall(records)
    data.reset()


def cut_record(data, records):
    """The end of the last record is missing: which is how a line breaks."""
    data.raw.sendall(records[:-random.randrange(1, 20)])
    data.raw.shutdown(socket.SHUT_WR)


def cut_damage(data, records):
    data.raw.sendall(records[:-1] + bytes([records[-1] ^ 1]))


def cut_alert(data, records):
    """Of a client that fails: a handshake message where none may be."""
    data.raw.sendall(records + b"\x16\3\3\0\1\0")


CUTS = {"fin": (cut_fin, "network", "close_notify"),
        "reset": (cut_reset, "network", "close_notify"),
        "record": (cut_record, "network", "close_notify"),
        "damage": (cut_damage, "server", "record mac"),
        "clear": (cut_alert, "server", "")}


@BOTH
def test_e03_an_upload_that_is_cut_is_no_file(server, version):
    """Over an old file and over none, at any offset; then it is gone on
    with, from what had come whole."""
    rng = random.Random(3)
    home = server.homes / "alice"
    seen = set()
    with login(server, "alice", version) as c:
        for way, (cut, side, words) in CUTS.items():
            for size in (0, 1, rng.randrange(2, 16000),
                         rng.randrange(16385, 900_000),
                         rng.randrange(1_100_000, 2_500_000)):
                if size == 0 and way in ("record", "damage"):
                    continue
                name = f"{way}-{size}"
                whole = steady_bytes(size + 70_000, size)
                if size % 2:
                    (home / name).write_bytes(b"the old one")
                    own(home / name)
                data = Records(c, f"STOR {name}")
                cut(data, data.encrypt(whole[:size]) if size else b"")
                last = c.read()
                assert last.code == 426, (name, last)
                data.raw.close()
                if size % 2:
                    assert (home / name).read_bytes() == b"the old one"
                else:
                    assert not (home / name).exists()
                # What came whole is its owner's to go on with: never more.
                reply = c.cmd(f"SIZE {name}")
                have = int(reply.split()[1]) if reply.code == 213 else 0
                hidden = [p.read_bytes() for p in
                          home.glob(".portcullis.part-*")]
                if size % 2 and not hidden:
                    assert have == len(b"the old one")
                    have = 0
                else:
                    assert have <= size
                    assert hidden in ([], [whole[:have]])
                if way == "fin":
                    assert have == size
                seen.add(have > 0)
                if have > 0:
                    assert c.cmd(f"REST {have}").code == 350
                data = Records(c, f"STOR {name}")
                data.raw.sendall(data.encrypt(whole[have:]))
                data.go(data.tls.unwrap)
                assert c.read().code == 226
                data.raw.close()
                assert (home / name).read_bytes() == whole
                (home / name).unlink()
            told = tls_events(server, "tls_failed", on="data", side=side)
            assert any(words in t["reason"] for t in told), (way, told)
    assert seen == {True, False}
    assert not list(home.iterdir())
    told = [t for t in transfers(server, 1) if t["result"] == "tls_cut"]
    assert told and all(t["completion_code"] == ["426"] and t["tls"]
                        for t in told)


@BOTH
def test_e03_both_connections_that_are_cut_leave_nothing_in_place(server,
                                                                  version):
    """Who sits between can end both, at once; not even with the client's own
    close_notify on one of them is that an upload."""
    home = server.homes / "alice"
    (home / "kept").write_bytes(b"the old one")
    own(home / "kept")
    def told():
        return len([t for t in transfers(server, 0) if
                    t.get("filename", "").endswith("kept")])

    for order in ("data control", "control data", "control close_notify"):
        before = told()
        with login(server, "alice", version) as c:
            data = Records(c, "STOR kept")
            data.raw.sendall(data.encrypt(b"half of the new one"))
            for one in order.split():
                if one == "close_notify":
                    with contextlib.suppress(OSError, AssertionError):
                        data.go(data.tls.unwrap)
                else:
                    (c.sock if one == "control" else data.raw).shutdown(
                        socket.SHUT_RDWR)
            data.raw.close()
        soon(lambda: told() > before)
        assert (home / "kept").read_bytes() == b"the old one"
    (home / "kept").unlink()
    with login(server, "alice", version) as c:
        assert c.cmd("DELE kept").code in (250, 550)	# its part
    assert not list(home.iterdir())


def test_e03_new_keys_too_often_end_an_upload(server):
    """E05 on a data connection: s_client asks for new keys as it sends."""
    home = server.homes / "bob"
    with login(server, "bob", ssl.TLSVersion.TLSv1_3) as c:
        port = c.epsv()
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}",
             "-tls1_3"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert c.cmd("STOR keys").code == 150
        with contextlib.suppress(BrokenPipeError):
            for _ in range(60):		# a command where a read begins
                client.stdin.write(b"k\n")
                client.stdin.flush()
                time.sleep(0.01)
        assert c.read().code == 426
        client.kill()
        client.wait()
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
    assert not (home / "keys").exists()
    assert any("new keys too often" in t["reason"] for t in
               tls_events(server, "tls_failed", on="data", side="server"))


# ---- E02: no reply from before TLS is read as one within it

@BOTH
def test_e02_what_was_asked_in_clear_is_answered_in_clear(server, version):
    """Commands ahead of AUTH in one segment: all their replies are clear,
    234 is the last of them, and within TLS the first command has the first
    reply."""
    context = context_of(version)
    for ahead in (0, 1, 50):
        with server.control() as c:
            assert c.read().code == 220
            c.send(b"FEAT\r\n" * ahead + b"AUTH TLS\r\n")
            for _ in range(ahead):
                assert c.read().code == 211
            assert c.read().code == 234
            c.sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                c.sock.recv(1)
            c.sock.settimeout(10)
            with context.wrap_socket(c.sock) as tls:
                tls.sendall(b"NOOP\r\n")
                assert tls.recv(100)[:4] == b"200 "
                tls.sendall(b"PWD\r\n")
                assert tls.recv(100)[:4] == b"530 "
                c.sock = tls


@BOTH
@pytest.mark.parametrize("user", ["carol", "ftp"])
def test_e01_nobody_is_named_in_clear_for_what_comes_within_tls(
        server, version, user):
    """RFC 2228 4: the server must want USER again."""
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd(f"USER {user}").code == 331
        assert c.cmd("AUTH TLS").code == 234
        c.sock = context_of(version).wrap_socket(c.sock)
        c.file = c.sock.makefile("rb")
        assert c.cmd(f"PASS {PASSWORDS['carol']}").code == 503
        assert c.cmd(f"USER {user}").code == 331
        assert c.cmd(f"PASS {PASSWORDS['carol']}").code == 230


def test_e02_an_account_that_needs_tls_has_none_in_clear(server):
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("USER alice").code in (331, 530)
        assert c.cmd(f"PASS {PASSWORDS['alice']}").code in (503, 530)
        assert c.cmd("LIST").code == 530


# ---- E08: tickets

def test_e08_tickets_are_of_one_process(server):
    """Of the same user, server and certificate; and for a TLS 1.2 ticket,
    which is the session itself under the server's key."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with login(server, "bob", version) as one, \
                login(server, "bob", version) as two:
            two.context = one.context	# or Python would not offer it
            for mine in (one, two):
                with contextlib.suppress(ssl.SSLError):
                    mine.sock.settimeout(5)
            assert one.sock.session.has_ticket
            data = Records(one, "NLST")
            assert data.tls.session_reused
            data.raw.close()
            one.read()
            raw = Control.data(two)
            assert two.cmd("NLST").code == 150
            with one.context.wrap_socket(
                    raw, server_hostname=NAME, session=one.sock.session,
                    suppress_ragged_eofs=False) as tls:
                assert not tls.session_reused
            two.read()


@needs_root
@plain_build
def test_e08_no_ticket_of_one_is_opened_by_a_key_on_disk(server):
    """Nobody has a file open that could hold one, but for what is listed."""
    with login(server, "alice") as c:
        pids = [server.process.pid, *server.children("portcullis")]
        assert worker_of(server, c) in pids
        for pid in pids:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    path = os.readlink(f"/proc/{pid}/fd/{fd}")
                    info = pathlib.Path(
                        f"/proc/{pid}/fdinfo/{fd}").read_text()
                    writes = int(re.search(r"flags:\s*(\d+)", info)[1],
                                 8) & 3
                    if path.startswith("/") and writes and \
                            os.path.isfile(path):
                        assert path.startswith(str(server.place)), path


# ---- E11: what a session keeps of those that it made

@needs_root
@plain_build
@BOTH
def test_e11_a_session_of_many_data_connections_does_not_grow(server,
                                                              version):
    """Half of them resume, and half make a session that nobody keeps."""
    def some(n, session):
        for _ in range(n):
            with c.begin("NLST", session) as data:
                assert data.recv(1) == b""
            assert c.read().code == 226
        pages = pathlib.Path(f"/proc/{worker}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    with Secure(server, version) as c:
        assert c.cmd("USER bob").code == 331
        assert c.cmd(f"PASS {PASSWORDS['bob']}").code == 230
        assert c.cmd("PBSZ 0").code == c.cmd("PROT P").code == 200
        worker = worker_of(server, c)
        # (Who has resumed once must: so in this order.)
        for session in (None, c.sock.session):
            before = some(30, session)
            assert some(100, session) - before < 200_000


# ---- E09: handshakes in a crowd

def ask_for_tls(server, source, implicit=False):
    """What is said to one who says AUTH and makes no handshake."""
    with socket.create_connection(
            ("127.0.0.1", server.implicit if implicit else server.port),
            timeout=20, source_address=(source, 0)) as sock:
        with contextlib.suppress(ConnectionResetError):
            if not implicit:
                sock.sendall(b"AUTH TLS\r\n")
                got = sock.recv(200)
                while b"\r\n" not in got or got[:4] == b"220 " and \
                        got.count(b"\r\n") < 2:
                    more = sock.recv(200)
                    if not more:
                        break
                    got += more
                return got.split(b"\r\n")[-2 if got.endswith(b"\n")
                                          else -1][:4]
            sock.sendall(HELLO)
            return sock.recv(3)
    return b""


HELLO = bytes(a_hello(None))


def honest(server, source):
    """A login and a download by somebody else."""
    c = Control(("127.0.0.1", server.port), source, 60)
    with c:
        assert c.read().code == 220
        assert c.cmd("AUTH TLS").code == 234
        c.file.close()
        context = context_of()
        c.sock = context.wrap_socket(c.sock, server_hostname=NAME,
                                     suppress_ragged_eofs=False)
        c.file = c.sock.makefile("rb")
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS x@").code == 230
        assert c.fetch("RETR pub/small.nc") == steady_bytes(1024)


def test_e09_thousands_of_handshakes_from_one_address_are_its_own(place,
                                                                  pki):
    server = start(place, pki, "crowd", **{"solo.per_address": 30})
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask_for_tls, server, "127.9.0.1", i % 4 == 0)
                 for i in range(2000)]
        for i in range(4):
            honest(server, f"127.9.1.{i + 1}")
        said = [one.result() for one in asked]
    most = 30 + (time.monotonic() - began) / 2 + 1
    served = said.count(b"234 ") + said.count(b"\x16\x03\x03")
    assert 30 <= served <= most
    # In clear it is said, and where TLS begins at once nothing is.
    assert said.count(b"421 ") >= 1000
    assert set(said) <= {b"234 ", b"421 ", b"", b"\x16\x03\x03"}
    honest(server, "127.9.2.1")
    refused = [e for e in server.events("ftp") if
               "your address" in e["ftp"].get("reason", "")]
    assert {e["ftp"]["action"] for e in refused} == {"session_end",
                                                      "session_refused"}
    assert {e["src_ip"] for e in refused} == {"127.9.0.1"}
    assert server.stop() == 0, server.stderr
    gate = [e["stats"] for e in server.events("stats")
            if e["stats"]["process"] == "gate"][-1]
    assert gate["refused_pace"] == 2000 - served == gate["refused_solo"]


def test_e09_who_has_had_least_is_served_first(place, pki):
    """None can be started while the warden stands still: the crowd waits,
    and who comes last goes ahead of it."""
    server = start(place, pki, "order")
    soon(lambda: len(solos(server)) == 2)
    os.kill(server.process.pid, signal.SIGSTOP)
    crowd = [socket.create_connection(
        ("127.0.0.1", server.implicit), source_address=("127.9.0.1", 0))
        for _ in range(30)]
    time.sleep(0.2)		# they are accepted in the order they came in
    last = socket.create_connection(
        ("127.0.0.1", server.implicit), source_address=("127.9.0.2", 0))
    time.sleep(0.2)
    os.kill(server.process.pid, signal.SIGCONT)
    began = []
    def all_have():
        began[:] = [e["src_ip"] for e in server.events("ftp")
                    if e["ftp"]["action"] == "session_start"]
        return len(began) == 31
    soon(all_have)
    # In the order in which they came it would be the last.  (Two had theirs
    # before; and of who begins at once, any may be written down first.)
    assert began.index("127.9.0.2") < 15, began
    for one in (*crowd, last):
        one.close()
    assert server.stop() == 0, server.stderr


# ---- one session has nothing of another

MARK = 32


def marked(seed):
    """Bytes that nobody has by chance, each 32 of them."""
    return steady_bytes(600_000, seed)


def found(pid, secrets):
    """Which are in a process's memory."""
    image = memory_of(pid)
    return {name for name, secret in secrets.items() if secret in image}


def pieces(name, data):
    """Beginning, middle and end: no buffer keeps all of it."""
    return {f"{name} at {at}": data[at:at + MARK]
            for at in (0, 16_384, 131_072, 300_000, len(data) - MARK)}


@needs_root
@plain_build
def test_one_captured_session_sees_nothing_of_another(server):
    """What the attacker in one of the processes could read, is read: each
    process's whole memory, for the other session's secrets."""
    up, down = marked("up"), marked("down")
    (server.homes / "alice" / "down").write_bytes(down)
    own(server.homes / "alice" / "down")
    with login(server, "bob") as other, login(server, "alice") as c:
        data = Records(c, "STOR up")
        data.raw.sendall(data.encrypt(up))
        data.go(data.tls.unwrap)
        assert c.read().code == 226
        data.raw.close()
        assert c.fetch("RETR down") == down
        # carol's, in clear: USER and PASS in one segment, and she is moved.
        clear = server.control()
        assert clear.read().code == 220
        clear.send(f"USER carol\r\nPASS {PASSWORDS['carol']}\r\n")
        assert [clear.read().code for _ in "12"] == [331, 230]
        # bob has something under way as well.
        assert other.cmd("SITE nonsense").code in (500, 501, 502, 504)
        mine, his, hers = (worker_of(server, x) for x in (c, other, clear))
        assert len({mine, his, hers}) == 3
        warden, gate = server.process.pid, gate_of(server)
        keeper, = server.children("portcullis-keeper")
        signer, = server.children("portcullis-signer")
        everybody = {warden, gate, keeper, signer, *solos(server),
                     *shared(server)}
        assert {mine, his, hers} <= everybody
        secret = {f"password of {n}": p.encode()
                  for n, p in PASSWORDS.items()}
        bytes_ = pieces("up", up) | pieces("down", down)
        # The search finds what is there: bytes of hers in her own process.
        assert found(mine, bytes_)
        for pid in everybody:
            # A judged password is nowhere, not even where it was said.
            assert not found(pid, secret), pid
            if pid != mine:
                assert not found(pid, bytes_), pid
        # Names are the keeper's and the warden's (who writes the events).
        names = {n: n.encode() for n in ("alice", "carol")}
        for pid in {gate, signer, *shared(server)}:
            assert not found(pid, names), pid
        for pid in solos(server) - {mine, hers}:
            assert not found(pid, names), pid
        clear.close()


# ---- each failure says whose it was, and why

def s_client(server, *args):
    subprocess.run(["openssl", "s_client", "-connect",
                    f"127.0.0.1:{server.implicit}", *args], input=b"",
                   capture_output=True, timeout=20)


def sends(*pieces_, end=None):
    def run(server, _):
        with socket.create_connection(("127.0.0.1", server.implicit),
                                      timeout=10) as sock, \
                contextlib.suppress(OSError):
            for piece in pieces_:
                sock.sendall(piece)
            if end == "fin":
                sock.shutdown(socket.SHUT_WR)
            elif end == "reset":
                # Told apart only once the server has begun to read.
                time.sleep(0.1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
                return
            while sock.recv(4096):
                pass
    return run


def client(*args):
    return lambda server, pki: s_client(
        server, *(a.format(ca=pki["rsa.leaf"]) for a in args))


FAILURES = {
    "unknown authority": (
        client("-CAfile", "{ca}", "-verify_return_error"),
        "client", 48, "the client refused: unknown CA"),
    "another name": (
        client("-CAfile", "{ca}", "-verify_return_error", "-partial_chain",
               "-verify_hostname", "else.example"),
        "client", None, "the client refused: "),
    "TLS 1.1": (client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
                "server", 70, "unsupported protocol"),
    "no common cipher, 1.2": (client("-tls1_2", "-cipher", "AES128-SHA"),
                              "server", 40, "no shared cipher"),
    "no common group": (client("-tls1_3", "-groups", "X448"),
                        "server", None, "key share"),
    "no common signature": (
        client("-tls1_3", "-sigalgs", "rsa_pss_pss_sha256"),
        "server", 40, "no shared signature"),
    "another protocol": (client("-alpn", "h2"), "server", 120,
                         "no application protocol"),
    "HTTP": (sends(b"GET / HTTP/1.1\r\n\r\n"), "server", None,
             "http request"),
    "FTP in clear": (sends(b"USER anonymous\r\n"), "server", None,
                     "wrong version number"),
    "SSH": (sends(b"SSH-2.0-x\r\n"), "server", None,
            "wrong version number"),
    "noise": (sends(steady_bytes(300, 9)), "server", None, "refused what"),
    "zeros": (sends(bytes(300)), "server", None, "refused what"),
    "nothing at all": (sends(end="fin"), "network", None,
                       "ended in the handshake"),
    "half a hello": (sends(HELLO[:100], end="fin"), "network", None,
                     "ended in the handshake"),
    "a reset": (sends(HELLO[:100], end="reset"), "network", None,
                "Connection reset by peer"),
    "a hello, and no more": (sends(HELLO, end="fin"), "network", None,
                             "ended in the handshake"),
    "damage": (sends(HELLO[:43] + b"\xff" * (len(HELLO) - 43)), "server",
               None, "refused what"),
    "an alert first": (sends(b"\x15\3\3\0\2\2\x28"), "server", 10,
                       "unexpected message"),
}


@pytest.mark.parametrize("cause", FAILURES)
def test_each_cause_is_told_by_side_and_reason(server, pki, cause):
    run, side, alert, words = FAILURES[cause]
    def failures():
        return [e["ftp"]["tls"] for e in server.events("ftp", want=0)
                if e["ftp"]["action"] == "tls_failed" and
                e["ftp"]["tls"]["on"] == "control"]

    before = len(failures())
    run(server, pki)
    soon(lambda: len(failures()) > before)
    one, = failures()[before:]
    assert one["side"] == side, one
    assert words in one["reason"], one
    assert one["reason"].isprintable() and one["reason"].isascii()
    if alert is not None:
        assert one["alert"] == alert, one


def test_e06_what_is_strict_or_off_or_stands_still_is_told(place, pki):
    server = start(place, pki, "strict", **{
        "tls.sni": "strict", "login.timeout": 2, "data.timeout": 1,
        "tls.data_resume": "off"})
    s_client(server, "-servername", "else.example")
    assert tls_events(server, "tls_failed", on="control", side="server",
                      alert=112)
    # Nobody speaks: behind AUTH, where TLS begins at once, and for data.
    quiet = server.control()
    quiet.read()
    assert quiet.cmd("AUTH TLS").code == 234
    sock = socket.create_connection(("127.0.0.1", server.implicit))
    with login(server, "alice") as c:
        raw = Control.data(c)
        assert c.cmd("STOR x").code == 150
        assert c.read().code == 426
        raw.close()
    soon(lambda: len(tls_events(
        server, "tls_failed", on="control", side="client",
        reason="the handshake took too long")) == 2)
    assert tls_events(server, "tls_failed", on="data", side="client",
                      reason="the handshake took too long")
    assert not (server.homes / "alice" / "x").exists()
    # E06: where nobody must resume, who has may leave it.
    with login(server, "alice") as c:
        for session in (c.sock.session, None, c.sock.session):
            assert c.fetch("NLST", session) == b""
    # A stop is nobody's failure but ours.
    again = server.control()
    again.read()
    assert again.cmd("AUTH TLS").code == 234
    assert server.stop() == 0, server.stderr
    assert tls_events(server, "tls_failed", on="control", side="server",
                      reason="The server is stopping, come back later.")
    for one in (quiet, sock, again):
        one.close()


# ---- what cannot be: at the start, with --check, and at a reload

def make_bad(place, pki):
    """Files with one mistake each: {name: path}."""
    bad, home = place / "bad", pki.home
    bad.mkdir()
    crt, key = ((home / f"ec.{end}").read_text() for end in ("crt", "key"))
    for name, data in {
            "empty": b"", "junk": steady_bytes(3000, 5),
            "zeros": bytes(5000), "long": b"\n" * 70000,
            "torn.crt": ("# old\n\n" + crt[:300] +
                         "\n-----END CERTIFICATE-----\n").encode(),
            "torn.key": ("\n" + key[:80] + key[-60:]).encode(),
            "swapped": key.encode(),
            "accounts": (place / "all" / "accounts").read_bytes() +
            b"# a remark\nno account\n"}.items():
        (bad / name).write_bytes(data)
        (bad / name).chmod(0o600)
    for args in (("pkey", "-in", home / "ec.key", "-aes256", "-passout",
                  "pass:x", "-out", bad / "locked.key"),
                 ("req", "-new", "-key", home / "ec.key", "-subj", "/CN=old",
                  "-out", bad / "csr")):
        subprocess.run(["openssl", *args], check=True, capture_output=True)
    (bad / "locked.key").chmod(0o600)
    (bad / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=p\nserial=serial\n[p]\n"
        "commonName=supplied\n")
    (bad / "index").write_text("")
    for name, begin, end in (("expired.crt", "20200101000000Z",
                              "20200201000000Z"),
                             ("early.crt", "20480101000000Z",
                              "20490101000000Z")):
        (bad / "serial").write_text("01\n")
        subprocess.run(
            ["openssl", "ca", "-batch", "-notext", "-config", "ca.conf",
             "-cert", home / "ca.crt", "-keyfile", home / "ca.key", "-in",
             "csr", "-startdate", begin, "-enddate", end, "-out", name],
            cwd=bad, check=True, capture_output=True)
        (bad / "index").write_text("")
    return bad


def bad_rows(bad, pki):
    """tls.certificate, and what is said of it."""
    key, crt = pki["ec.key"], pki["ec.crt"]
    return [
        (f"{bad}/expired.crt key={key}",
         f"{bad}/expired.crt:1: this certificate expired at 2020-02-01"),
        (f"{bad}/early.crt key={key}", f"{bad}/early.crt:1: this certificat"),
        (f"{bad}/torn.crt key={key}",
         f"{bad}/torn.crt:3: this certificate cannot be read"),
        (f"{bad}/empty key={key}", f"{bad}/empty: no certificate"),
        (f"{bad}/junk key={key}", f"{bad}/junk: no certificate"),
        (f"{bad}/zeros key={key}", f"{bad}/zeros: no certificate"),
        (f"{bad}/long key={key}", f"{bad}/long"),
        (f"{bad}/swapped key={key}", f"{bad}/swapped: no certificate"),
        (f"{bad}/none key={key}", f"{bad}/none"),
        (f"{bad} key={key}", f"{bad}"),
        (f"{crt} key={bad}/torn.key", f"{bad}/torn.key:2 "),
        (f"{crt} key={bad}/locked.key", f"{bad}/locked.key:1 "),
        (f"{crt} key={bad}/empty", f"{bad}/empty"),
        (f"{crt} key={bad}/junk", f"{bad}/junk"),
        (f"{crt} key={bad}/long", f"{bad}/long"),
        (f"{crt} key={bad}/none", f"{bad}/none"),
        (f"{crt} key={bad}", f"{bad}"),
        (f"{crt} key=/dev/null", "/dev/null"),
        (f"{crt} key={pki['rsa.key']}", f"{pki['rsa.key']}: "),
        (f"{crt} key={pki['p384.key']}", f"{pki['p384.key']}: "),
        (f"{crt} key={key} ocsp={bad}/junk", f"{bad}/junk: no answer of"),
    ]


def test_what_cannot_be_is_said_and_the_old_state_stays(place, pki, server):
    """One line, with the file and, where there is one, its line's number."""
    bad = make_bad(place, pki)
    rows = [({"tls.certificate": value}, words)
            for value, words in bad_rows(bad, pki)]
    rows += [({"accounts.file": bad / "accounts"},
              f"{bad}/accounts:{len(PASSWORDS) + 2}: "),
             ({"accounts.file": bad / "none"}, f"{bad}/none"),
             ({"accounts.file": bad / "junk"}, f"{bad}/junk:")]
    before = dict(server.settings)
    port = f"127.0.0.1:{free_port()}"

    def check(row, *args):
        """Before anything is there; without --check, a start."""
        file = bad / f"{row}.conf"
        file.write_text("".join(
            f"{k} = {v}\n" for k, v in
            {**before, "listen": port, "tls.listen": None,
             **rows[row][0]}.items() if v is not None))
        return subprocess.run(
            [BUILD / "portcullisd", "-c", file, *args],
            capture_output=True, text=True, timeout=30, env=ENVIRONMENT)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        checked = list(pool.map(lambda row: check(row, "--check"),
                                range(len(rows))))
        for row in (0, 10, -3, -2):
            done = check(row)
            assert done.returncode == 2 and rows[row][1] in done.stderr
    with login(server, "alice") as stays:
        shown = stays.sock.getpeercert(True)
        for i, (settings, words) in enumerate(rows):
            done = checked[i]
            assert done.returncode == 2, (settings, done.stderr)
            lines = done.stderr.splitlines()
            assert any(words in line for line in lines), done.stderr
            assert all(line.isprintable() for line in lines), done.stderr
            mark = len(server.stderr)
            server.write_conf({**before, **settings})
            server.process.send_signal(signal.SIGHUP)
            server.wait_for("reload failed", i + 1)
            assert words in server.stderr[mark:], (settings,
                                                   server.stderr[mark:])
        server.write_conf(before)
        assert "reloaded" not in server.stderr
        # The old certificate, accounts and sessions are as they were.
        assert stays.cmd("NOOP").code == 200
        with login(server, "bob") as c:
            assert c.sock.getpeercert(True) == shown
            data = Records(c, "STOR after")
            data.raw.sendall(data.encrypt(b"as before"))
            data.go(data.tls.unwrap)
            assert c.read().code == 226
            data.raw.close()
    (server.homes / "bob" / "after").unlink()
