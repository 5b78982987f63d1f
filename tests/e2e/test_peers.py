# tests/e2e/test_peers.py: what today's servers do, asked by hand.
# SPDX-License-Identifier: Apache-2.0
"""docs/design/attacks.md says how Debian's servers answered ("Seen in today's
servers").  Here each row is asked again, of the real ones, and without the
auditor: when one of these tests fails, a server has changed, not our auditor.
"""

import contextlib
import pathlib
import re
import shutil
import socket
import ssl
import tempfile
import time

import pytest

import peers
from conftest import needs_root, plain_build
from peers import A, B, PRIVATE, S, V6_S, Absent, host_port, listen

pytestmark = [needs_root, plain_build]	# nothing of ours runs in it

SERVERS = ["vsftpd", "proftpd", "pure-ftpd", "pyftpdlib", "inetutils-ftpd",
           "portcullisd"]
# pyftpdlib's loop looks at new connections once a second.
PATIENCE_S = 2.5


@pytest.fixture(scope="module")
def running():
    """running(name): that server, started once for the module."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    archive = peers.make_peer_archive(place / "archive")
    started = {}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)

        def run(name):
            if name not in started:
                work = place / name
                work.mkdir()
                try:
                    started[name] = stack.enter_context(
                        peers.peer(name, archive, work))
                except Absent as why:
                    pytest.skip(str(why))
            return started[name]

        yield run


# ---- what can be seen of a transfer

def caller(listener, seconds=1.0):
    """Where the connection came from that arrived, and its bytes; or None."""
    listener.settimeout(seconds)
    try:
        sock, address = listener.accept()
    except TimeoutError:
        return None
    with sock:
        return address[0], drain(sock)


def drain(sock, seconds=PATIENCE_S):
    """Bytes until the other side ends, or says nothing any more."""
    sock.settimeout(seconds)
    body = b""
    with contextlib.suppress(OSError):
        while chunk := sock.recv(1 << 16):
            body += chunk
    return body


def passive(session):
    """The port of a 227; the address in it is not believed."""
    reply = session.cmd("PASV")
    assert reply.code == 227, reply
    high, low = re.search(r"(\d+),(\d+)\)?\.?\s*$", reply).groups()
    return int(high) * 256 + int(low)


def connect(port, source=A):
    return socket.create_connection((S, port), timeout=5,
                                    source_address=(source, 0))


def replies(session, seconds=PATIENCE_S):
    """The codes of all that comes until it is quiet."""
    session.sock.settimeout(seconds)
    text = b""
    with contextlib.suppress(OSError):
        while chunk := session.sock.recv(1 << 16):
            text += chunk
    return [int(code) for code in re.findall(rb"(?m)^(\d{3}) ", text)]


def fetch(session, command):
    """A listing, over a passive connection, and the last reply."""
    with connect(passive(session)) as data:
        assert session.cmd(command).code in (125, 150)
        body = drain(data, 20)
    return body, session.read()


# ---- the rows: each probe's answer is a code, or a few words

def port_another_host(s):
    with listen(B) as l:
        return s.cmd("PORT " + host_port(B, l.getsockname()[1])).code


def port_private(s):
    """A 200 that is silently about the client looks like a bounce."""
    with listen(PRIVATE) as theirs:
        port = theirs.getsockname()[1]
        with listen(A, port) as ours:
            reply = s.cmd("PORT " + host_port(PRIVATE, port))
            if reply.code != 200:
                return reply.code
            s.send("LIST\r\n")
            assert caller(theirs, 0.3) is None
            return "200, to the client" if caller(ours) else "200, nobody"


def port_own_22(s):
    return s.cmd("PORT " + host_port(A, 22)).code


def port_256(s):
    return s.cmd("PORT " + A.replace(".", ",") + ",256,1").code


def port_too_few(s):
    return s.cmd("PORT 198,51,100,7,200").code


def port_leading_zero(s):
    with listen(A) as l:
        port = l.getsockname()[1]
    return s.cmd(f"PORT 198,51,100,07,{port >> 8},{port & 255}").code


def port_above_255(s):
    """The client's own address, each number 256 more."""
    with listen(A) as l:
        numbers = host_port(A, l.getsockname()[1]).split(",")
        reply = s.cmd("PORT " + ",".join(str(int(n) + 256) for n in numbers))
        if reply.code != 200:
            return reply.code
        s.send("LIST\r\n")
        return "200, modulo 256" if caller(l) else "200, nobody"


def eprt_70000(s):
    """Not 70000 itself: a port that is ours once it is cut to 16 bits."""
    with listen(A) as l:
        reply = s.cmd(f"EPRT |1|{A}|{65536 + l.getsockname()[1]}|")
        if reply.code != 200:
            return reply.code
        s.send("LIST\r\n")
        return "200, modulo 65536" if caller(l) else "200, nobody"


def eprt_65558(s):
    return s.cmd(f"EPRT |1|{A}|65558|").code


def eprt_mapped(s):
    with listen(A) as l:
        return s.cmd(f"EPRT |2|::ffff:{A}|{l.getsockname()[1]}|").code


def epsv_3(s):
    return s.cmd("EPSV 3").code


def retr_no_endpoint(s):
    return s.cmd("RETR README").code


def epsv_all_eprt(s):
    s.cmd("EPSV ALL")
    with listen(A) as l:
        return s.cmd(f"EPRT |1|{A}|{l.getsockname()[1]}|").code


def epsv_all_pasv(s):
    s.cmd("EPSV ALL")
    return s.cmd("PASV").code


def connects_when(s):
    with listen(A) as l:
        assert s.cmd("PORT " + host_port(A, l.getsockname()[1])).code == 200
        early = caller(l, 0.7)
        if early:
            return "at PORT"
        s.send("RETR README\r\n")
        source, body = caller(l)
        assert (source, b"Read me" in body) == (S, True)
        return "at RETR"


def stranger_first(s):
    """Who gets a file when B is at the passive port before its owner."""
    port = passive(s)
    with connect(port, B) as stranger:
        time.sleep(0.2)		# it is first, beyond doubt
        with contextlib.closing(socket.socket()) as owner:
            owner.bind((A, 0))
            with contextlib.suppress(OSError):
                owner.connect((S, port))
            s.send("RETR README\r\n")
            theirs, ours = drain(stranger, 1), drain(owner, 1)
    codes = replies(s)
    if b"Read me" in theirs:
        return "the stranger"
    if b"Read me" not in ours:
        return "nobody"
    return "the owner" if codes[0] < 400 else f"the owner, after {codes[0]}"


def stranger_same_address(s):
    with connect(passive(s)) as data:
        s.send("RETR README\r\n")
        return "gets it" if b"Read me" in drain(data) else "nothing"


def list_many(s):
    s.cmd("CWD many")
    body, last = fetch(s, "NLST")
    assert last.code == 226
    return len(body.split())


def stale_refused(s):
    """PORT, a refused PORT, RETR: is the first address still good?"""
    with listen(A) as first, listen(B) as second:
        s.cmd("PORT " + host_port(A, first.getsockname()[1]))
        refused = s.cmd("PORT " + host_port(B, second.getsockname()[1]))
        assert refused.code >= 500
        s.send("RETR README\r\n")
        assert caller(second, 0.3) is None
        came = caller(first)
        return "used" if came and b"Read me" in came[1] else "forgotten"


def stale_passive(s):
    """PORT, PASV, RETR; what PORT named may still be connected, unused."""
    with listen(A) as l:
        s.cmd("PORT " + host_port(A, l.getsockname()[1]))
        passive(s)
        s.send("RETR README\r\n")
        came = caller(l)
        return "used" if came and b"Read me" in came[1] else "forgotten"


def stale_login(s):
    """PORT, then REIN, or where there is none, USER again."""
    with listen(A) as l:
        s.cmd("PORT " + host_port(A, l.getsockname()[1]))
        s.cmd("REIN")
        code = s.cmd("USER anonymous").code
        if code == 331:
            code = s.cmd("PASS test@example.org").code
        if code != 230:
            return "no new login"
        s.send("RETR README\r\n")
        came = caller(l)
        return "used" if came and b"Read me" in came[1] else "forgotten"


def port_tab(s):
    """Some lines are not answered at all; the next one is."""
    with listen(A) as l:
        s.send("PORT\t" + host_port(A, l.getsockname()[1]) + "\r\n")
        codes = replies(s, 1.5)
    assert s.cmd("SYST").code == 215
    return codes[0] if codes else "no reply"


def telnet_option(s):
    """IAC WILL within a line; a Telnet answer comes before the reply's code,
    for who does not take Telnet out of replies."""
    s.send(b"NOOP \xff\xfb\x01\r\n")
    s.sock.settimeout(PATIENCE_S)
    return "IAC DONT" if s.sock.recv(100)[:3] == b"\xff\xfe\x01" else "none"


def listeners(s):
    ports = [passive(s) for _ in range(5)]
    open_now = 0
    for port in reversed(ports):
        with contextlib.suppress(OSError), connect(port):
            open_now += 1
    return open_now


def long_line(s):
    """20,000 bytes; how often it answers what is in them as commands."""
    s.send("NOOP " + "SYST " * 4000 + "\r\n")
    codes = replies(s)
    if codes == [500, 500]:
        return "500, and one for an empty line"
    return codes[0] if len(codes) == 1 else "many" if codes else "closes"


def default_port(s):
    """RFC 959: without PORT, it is the control connection's own port."""
    own = s.sock.getsockname()[1]
    with contextlib.closing(socket.socket()) as l:
        l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        l.bind((A, own))
        l.listen()
        s.send("RETR README\r\n")
        return "dialled" if caller(l) else "not dialled"


# vsftpd, ProFTPD, Pure-FTPd, pyftpdlib, inetutils-ftpd, portcullisd
ROWS = [
    (port_another_host, 500, 500, 500, 501, 500, 504),
    (port_private, 500, "200, to the client", 500, 501, 500, 504),
    (port_own_22, 500, 500, 501, 501, 500, 504),
    (port_256, 500, 501, 501, 501, 500, 501),
    (port_too_few, 500, 501, 501, 501, 500, 501),
    # pyftpdlib had already tried to connect, to a closed port
    (port_leading_zero, 200, 200, 200, 425, 200, 200),
    (port_above_255, 500, 501, 501, 501, "200, modulo 256", 501),
    (eprt_70000, 500, "200, modulo 65536", 501, 501, "200, modulo 65536",
     501),
    (eprt_65558, 500, 500, 501, 501, 500, 501),
    # Debian's vsftpd listens on IPv6 for both: see below
    (eprt_mapped, 200, 200, 501, 522, 200, 200),
    (epsv_3, 522, 522, 229, 501, 522, 522),
    (retr_no_endpoint, 425, 425, 425, 150, 425, 425),
    (epsv_all_eprt, 200, 500, 501, 501, 200, 504),
    (epsv_all_pasv, 550, 500, 227, 501, 227, 504),
    (connects_when, "at RETR", "at RETR", "at RETR", "at PORT", "at RETR",
     "at RETR"),
    (stranger_first, "nobody", "the stranger", "the owner",
     "the owner, after 425", "the stranger", "the owner"),
    (stranger_same_address, *["gets it"] * 6),
    (list_many, 12000, 12000, 10000, 12000, 12000, 12000),
    (stale_refused, "forgotten", "used", "forgotten", "used", "forgotten",
     "forgotten"),
    (stale_passive, *["forgotten"] * 6),
    (stale_login, "no new login", "used", "used", "forgotten",
     "no new login", "forgotten"),
    (port_tab, 500, 200, "no reply", 500, 500, 500),
    (telnet_option, "none", "IAC DONT", "none", "none", "IAC DONT", "none"),
    (listeners, 1, 1, 1, 1, 5, 1),
    (long_line, 500, "closes", 421, "500, and one for an empty line", "many",
     500),
    (default_port, "not dialled", "not dialled", "not dialled",
     "not dialled", "dialled", "not dialled"),
]


def control_that_shares_its_port(peer):
    """Its port can be bound once more: default_port listens there."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((A, 0))
    sock.settimeout(10)
    sock.connect(peer.address)
    session = peers.Asker.__new__(peers.Asker)
    session.sock, session.file = sock, sock.makefile("rb")
    return session.login()


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].__name__)
def test_a_server_still_behaves_as_it_was_seen_to(running, server, row):
    probe, *seen = row
    peer = running(server)
    with peer.on(), control_that_shares_its_port(peer) as session:
        assert probe(session) == seen[SERVERS.index(server)]


# ---- what needs another setting

def bounces(peer, command):
    """The third party's bytes, after a transfer that command provoked."""
    with peer.on(), peer.login() as session, listen(B) as l:
        port = l.getsockname()[1]
        reply = session.cmd(command.format(B=B, port=port,
                                           h=host_port(B, port)))
        if reply.code != 200:
            return None
        session.send("RETR README\r\n")
        came = caller(l)
        return came and came[1]


def auth_after_login(name):
    return {"vsftpd-tls": 500, "proftpd-tls": 534, "pure-ftpd-tls": 500,
            "pyftpdlib-tls": 234}[name]


@pytest.mark.parametrize("name", ["vsftpd-tls", "proftpd-tls",
                                  "pure-ftpd-tls", "pyftpdlib-tls"])
def test_a_server_takes_auth_tls_before_login_and_rarely_after(running, name):
    peer = running(name)
    with peer.on(), peer.control() as session:
        session.read()
        assert session.cmd("AUTH TLS").code == 234
    with peer.on(), peer.login() as session:
        assert session.cmd("AUTH TLS").code == auth_after_login(name)


@pytest.mark.parametrize("name", ["vsftpd-fxp", "pure-ftpd-fxp"])
def test_a_server_that_allows_fxp_bounces(running, name):
    assert b"Read me" in bounces(running(name), "PORT {h}")
    assert b"Read me" in bounces(running(name), "EPRT |1|{B}|{port}|")


def test_promiscuous_vsftpd_agrees_and_cannot_bind_port_20(running):
    peer = running("vsftpd-promiscuous")
    with peer.on(), peer.login() as session, listen(B) as l:
        assert session.cmd(
            "PORT " + host_port(B, l.getsockname()[1])).code == 200
        assert "vsf_sysutil_bind" in session.cmd("RETR README")
        assert caller(l, 0.3) is None


def test_vsftpd_behind_a_balancer_dials_the_balancer_alone(running):
    peer = running("vsftpd-haproxy")
    with peer.on(), peer.login() as session, listen(A) as l:
        port = l.getsockname()[1]
        assert session.cmd("PORT " + host_port(A, port)).code == 500
        assert session.cmd("PORT " + host_port(S, port)).code == 200
        assert "127,0,0,1" in session.cmd("PASV")


def test_vsftpd_on_ipv4_alone_knows_no_mapped_address(running, tmp_path):
    """As ATTACKS saw it, whose vsftpd did not listen on IPv6."""
    archive = running("vsftpd").work.parent / "archive"
    tmp_path.chmod(0o755)
    with peers.peer("vsftpd", archive, tmp_path, listen="YES",
                    listen_ipv6="NO") as peer, peer.on():
        with peer.login() as session:
            assert eprt_mapped(session) == 500


def test_pyftpdlib_runs_in_tls_what_came_before_tls(running):
    """E01, in a server of today: the clear bytes are answered within TLS."""
    answers = {}
    for name in ("vsftpd-tls", "proftpd-tls", "pure-ftpd-tls",
                 "pyftpdlib-tls"):
        peer = running(name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with peer.on(), peer.control() as session:
            session.read()
            session.send("AUTH TLS\r\nSYST\r\n")
            assert session.read().code == 234
            try:
                with context.wrap_socket(session.sock) as tls:
                    tls.settimeout(1)
                    answers[name] = tls.recv(100)[:3]
            except TimeoutError:
                answers[name] = "nothing"
            except OSError:		# an SSLError, or a reset
                answers[name] = "no handshake"
    assert answers == {"vsftpd-tls": "no handshake", "proftpd-tls": "nothing",
                       "pure-ftpd-tls": "nothing", "pyftpdlib-tls": b"215"}


# pyftpdlib listens on IPv4 alone; so does inetutils-ftpd, as a daemon
@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pure-ftpd",
                                  "portcullisd"])
def test_a_peer_answers_over_ipv6_too(running, name):
    peer = running(name)
    with peer.on(), peers.Asker((V6_S, 21)) as session:
        assert session.read().code == 220
