# tests/e2e/test_defective.py: each switch of defective.py is one defect.
# SPDX-License-Identifier: Apache-2.0
"""Plays the auditor's dialogues without the auditor: with a switch, its own
dialogue sees the defect and no other one does; without, none does.

A is 127.0.0.1, the server 127.0.0.3, and B, where nobody should be connected
to, 127.0.0.2.
"""

import concurrent.futures
import contextlib
import inspect
import re
import select
import socket
import ssl
import subprocess
import sys
import time
import warnings

import pytest

import defective
from conftest import Control, Net, needs_root, plain_build, IS_ROOT
from test_house import TOP

pytestmark = plain_build  # our own programs have no part in it

A, B, SERVER, LOOP = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"
BALANCER = "127.0.0.5"
PRIVATE_B, THIRD_PARTY_V6 = "10.20.30.40", "::1"
ASKED = {}


def asks(function):
    """A dialogue: true when it sees the defect that it is named for."""
    ASKED[function.__name__.removeprefix("ask_")] = function
    return function


# ---- what the dialogues are made of

class Place:
    """A server, and who asks it."""

    def __init__(self, server, here=A, other=B, log=None, balancer=None):
        self.address = server
        self.here, self.other, self.log = here, other, log
        self.balancer = balancer or server[0]

    def open(self):
        c = Control(self.address, self.here)
        assert c.read().code == 220
        return c

    def login(self):
        c = self.open()
        login(c)
        return c

    def login_tls(self, **kwargs):
        c = self.open()
        assert c.cmd("AUTH TLS").code == 234
        begin_tls(c, **kwargs)
        login(c)
        assert c.cmd("PBSZ 0").code == c.cmd("PROT P").code == 200
        return c


def login(c):
    assert c.cmd("USER anonymous").code == 331
    assert c.cmd("PASS test@example.org").code == 230


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def begin_tls(c, context=None, name=None):
    c.context = context or client_context()
    c.file.close()
    c.sock = c.context.wrap_socket(c.sock, server_hostname=name)
    c.file = c.sock.makefile("rb")


def six(ip, port):
    return [*map(int, ip.split(".")), port >> 8, port & 255]


def port_line(ip, port, add=0, form="{}", comma=",", verb="PORT "):
    return verb + comma.join(form.format(n + add) for n in six(ip, port))


def eprt_line(ip, port, family=None, d="|", prefix=""):
    family = family or (2 if ":" in ip else 1)
    return f"EPRT {d}{family}{d}{prefix}{ip}{d}{port}{d}"


def listen(ip, port=0):
    return socket.create_server((ip, port), family=socket.AF_INET6
                                if ":" in ip else socket.AF_INET)


def pair(named, here):
    """Two listeners on one port: who is connected to?"""
    for _ in range(50):
        first = listen(named)
        if named == here or ":" in named:
            return [first]
        with contextlib.suppress(OSError):
            return [first, listen(here, first.getsockname()[1])]
        first.close()
    raise OSError("no two listeners")


def swallow(c, conn):
    """What comes on a data connection, to its end."""
    conn.settimeout(5)
    with conn:
        if isinstance(c.sock, ssl.SSLSocket):
            conn = c.context.wrap_socket(conn, session=c.sock.session)
        with contextlib.suppress(ssl.SSLError):
            return b"".join(iter(lambda: conn.recv(65536), b""))
    return b""


def watch(c, listeners, seconds=5):
    """Which listener was connected to; None: a last reply came instead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ready = select.select([*listeners, c.sock], [], [], 0.1)[0]
        for i, listener in enumerate(listeners):
            if listener in ready:
                with listener.accept()[0] as conn:
                    assert swallow(c, conn)
                return i
        if c.sock in ready and c.read().code >= 200:
            return None
    return None


def dial(place, line, named=None, transfer="LIST", c=None):
    """"refused", "named", "own" or "nobody"."""
    named = named or place.other
    listeners = pair(named, place.here)
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        c = stack.enter_context(c or place.login())
        port = listeners[0].getsockname()[1]
        if c.cmd(line(named, port)).code >= 400:
            return "refused"
        c.send(transfer + "\r\n")
        return {0: "named", 1: "own", None: "nobody"}[watch(c, listeners)]


def is_wrong(end):
    return end in ("named", "nobody")


def passive(c, verb="PASV"):
    reply = c.cmd(verb)
    assert reply.code in (227, 229), reply
    numbers = re.search(r"\((.*)\)", reply).group(1)
    if reply.code == 229:
        return int(numbers.strip("|"))
    n = [int(x) for x in numbers.split(",")]
    return n[4] << 8 | n[5]


def connect(place, port, source=None):
    return socket.create_connection((place.address[0], port), 5,
                                    source_address=(source or place.here, 0))


def received(conn, seconds):
    """Bytes that came; None for nothing, or the end."""
    conn.settimeout(seconds)
    try:
        return conn.recv(65536) or None
    except OSError:
        return None


def fetch(place, c, command):
    """(bytes, last reply) of a passive transfer."""
    with connect(place, passive(c)) as conn:
        c.send(command + "\r\n")
        assert c.read().code == 150
        body = swallow(c, conn)
    return body, c.read()


# ---- T1 to T5

@asks
def ask_bounce(p):
    return is_wrong(dial(p, port_line))


@asks
def ask_payload(p):
    return is_wrong(dial(p, port_line, transfer="RETR README"))


@asks
def ask_bounce_private(p):
    if p.here == A:	# not ours here: the reply has to do
        with p.login() as c:
            return c.cmd(port_line(PRIVATE_B, 40000)).code == 200
    return is_wrong(dial(p, port_line, PRIVATE_B))


def low_port(p, ip, line):
    """The reply, and a connection where such a port can be had."""
    with p.login() as c:
        if not IS_ROOT:
            return c.cmd(line(ip, 987)).code == 200
        for port in range(700, 1000):
            with contextlib.suppress(OSError):
                listener = listen(ip, port)
                break
        with listener:
            if c.cmd(line(ip, port)).code != 200:
                return False
            c.send("LIST\r\n")
            assert watch(c, [listener]) == 0
            return True


@asks
def ask_low_port_other(p):
    return low_port(p, p.other, port_line)


@asks
def ask_low_port_own(p):
    with p.login() as c:
        agreed = [n for n in (1, 19, 20, 21, 25, 1023)
                  if c.cmd(port_line(p.here, n)).code == 200]
    assert len(agreed) in (0, 6)
    return low_port(p, p.here, port_line) and bool(agreed)


@asks
def ask_eprt_v4(p):
    return is_wrong(dial(p, eprt_line))


@asks
def ask_eprt_v6(p):
    return is_wrong(dial(p, eprt_line, THIRD_PARTY_V6))


def mapped(ip, port):
    return eprt_line(ip, port, 2, prefix="::ffff:")


@asks
def ask_eprt_mapped(p):
    return is_wrong(dial(p, mapped))


@asks
def ask_eprt_mapped_own(p):
    return dial(p, mapped, p.here) == "named"


@asks
def ask_eprt_delimiter(p):
    return is_wrong(dial(p, lambda ip, port: eprt_line(ip, port, d="!")))


@asks
def ask_epsv_protocol(p):
    with p.login() as c:
        return c.cmd("EPSV 3").code == 229


@asks
def ask_lprt(p):
    return is_wrong(dial(p, lambda ip, port: "LPRT 4,4,{},{},{},{},2,{},{}"
                         .format(*six(ip, port))))


# ---- T6

SPELLINGS = [
    lambda ip, port: port_line(ip, port, verb="PORT  "),
    lambda ip, port: port_line(ip, port, verb="PORT\t"),
    lambda ip, port: port_line(ip, port, verb=" PORT "),
    lambda ip, port: port_line(ip, port, comma=", "),
    lambda ip, port: port_line(ip, port, form="0x{:x}"),
    lambda ip, port: port_line(ip, port, form="+{}"),
    lambda ip, port: port_line(ip, port, form="{:04d}"),
    lambda ip, port: port_line(ip, port) + ",1",
    lambda ip, port: port_line(ip, port) + " junk",
]


@asks
def ask_spelling(p):
    ends = {is_wrong(dial(p, spell)) for spell in SPELLINGS}
    assert len(ends) == 1	# all are taken, or none
    return ends.pop()


@asks
def ask_leading_zeros(p):
    with p.login() as c:
        reply = c.cmd(port_line(p.here, 160 << 8 | 10, form="{:03d}"))
        return reply.code == 200


@asks
def ask_wrap_octet(p):
    return is_wrong(dial(p, lambda ip, port: port_line(ip, port, add=256)))


@asks
def ask_wrap_port(p):
    return dial(p, lambda ip, port: eprt_line(ip, port + 65536),
                p.here) == "named"


@asks
def ask_wrap_low_port(p):
    return low_port(p, p.here, lambda ip, port: eprt_line(ip, port + 65536))


# ---- T7, T8

def stale(p, between):
    """PORT of an own address; something else; LIST.  Is it dialled?"""
    with listen(p.here) as listener, p.login() as c:
        assert c.cmd(port_line(p.here, listener.getsockname()[1])).code == 200
        between(c)
        c.send("LIST\r\n")
        return watch(c, [listener]) == 0


@asks
def ask_stale_refused(p):
    def between(c):
        assert c.cmd(port_line(p.other, 40000)).code >= 500
    return stale(p, between)


@asks
def ask_stale_rein(p):
    def between(c):
        assert c.cmd("REIN").code == 220
        login(c)
    return stale(p, between)


@asks
def ask_stale_passive(p):
    return stale(p, passive)


@asks
def ask_epsv_all_active(p):
    with p.login() as c:
        assert c.cmd("EPSV ALL").code == 200
        ends = {c.cmd(eprt_line(p.here, 40000)).code == 200,
                c.cmd(port_line(p.here, 40000)).code == 200}
        assert len(ends) == 1
        return ends.pop()


@asks
def ask_epsv_all_pasv(p):
    with p.login() as c:
        assert c.cmd("EPSV ALL").code == 200
        assert c.cmd("EPSV").code == 229
        return c.cmd("PASV").code == 227


@asks
def ask_no_endpoint(p):
    with p.login() as c:
        return c.cmd("RETR README").code == 150


@asks
def ask_before_login(p):
    with p.open() as c:
        return c.cmd(port_line(p.other, 40000)).code == 200


# ---- T9 to T13

def transfer_to(c, first, second):
    """LIST: which of the two connections gets it; "" for none."""
    c.send("LIST\r\n")
    for name, conn in (("first", first), ("second", second)):
        if received(conn, 0.3):
            return name
    return ""


@asks
def ask_theft(p):
    with p.login() as c:
        port = passive(c)
        with connect(p, port, p.other) as thief:
            c.send("LIST\r\n")
            if received(thief, 0.3):
                return True
            assert not select.select([c.sock], [], [], 0)[0]
            with connect(p, port) as owner:
                assert received(owner, 5)	# his, after all
    return False


def race(p):
    with p.login() as c:
        port = passive(c)
        with connect(p, port, p.other) as thief, connect(p, port) as owner:
            return transfer_to(c, thief, owner)


@asks
def ask_theft_race(p):
    return race(p) == "first"


@asks
def ask_theft_kills(p):
    return race(p) == ""


@asks
def ask_passive_ports(p):
    ports = []
    with p.login() as c:
        for _ in range(32):
            ports.append(passive(c))
            connect(p, ports[-1]).close()
    near = sum(0 < b - a < 64 for a, b in zip(ports, ports[1:]))
    assert near < 3 or near > 25, ports
    assert near > 25 or max(ports) - min(ports) > 16384
    return near > 25


@asks
def ask_passive_address(p):
    with p.login() as c:
        found = re.search(r"\((\d+),(\d+),(\d+),(\d+),", c.cmd("PASV"))
        ports = [passive(c, "EPSV"), passive(c)]
    assert min(ports) >= 1024
    return ".".join(found.groups()) != p.address[0]


def is_open(p, port):
    with contextlib.suppress(OSError):
        connect(p, port).close()
        return True
    return False


@asks
def ask_listeners(p):
    with p.login() as c:
        ports = [passive(c) for _ in range(5)]
        return sum(is_open(p, port) for port in ports) > 1


@asks
def ask_listener_lifetime(p):
    with p.login() as c:
        port = passive(c)
        time.sleep(defective.EXPIRY_S + 0.5)
        return is_open(p, port)


# ---- T14 to T16

def oracle_reply(p, how):
    with listen(p.other) as listener, p.login() as c:
        port = listener.getsockname()[1]
        if how == "closed":
            listener.close()
        if c.cmd(port_line(p.other, port)).code != 200:
            return "refused"
        reply = c.cmd("NLST")
        if reply.code == 150:
            reply = c.read()
        return reply


@asks
def ask_oracle(p):
    return oracle_reply(p, "open") != oracle_reply(p, "closed")


@asks
def ask_dial_early(p):
    with listen(p.here) as listener, p.login() as c:
        assert c.cmd(port_line(p.here, listener.getsockname()[1])).code == 200
        early = bool(select.select([listener], [], [], 0.7)[0])
        c.send("LIST\r\n")
        assert watch(c, [listener]) == 0
        return early


@asks
def ask_dial_source(p):
    with listen(p.here) as listener, p.login() as c:
        assert c.cmd(port_line(p.here, listener.getsockname()[1])).code == 200
        c.send("LIST\r\n")
        conn, address = listener.accept()
        assert swallow(c, conn)
        return address[0] != p.address[0]


@asks
def ask_loopback(p):
    if p.here == LOOP:
        return False	# it is our own; asked over a network, below
    with p.login() as c:
        return c.cmd(port_line(LOOP, 40000)).code == 200


@asks
def ask_self(p):
    with p.login() as c:
        return c.cmd(port_line(p.address[0], 40000)).code == 200


@asks
def ask_balancer(p):
    with p.login() as c:
        own = c.cmd(port_line(p.here, 40000)).code
        other = c.cmd(port_line(p.balancer, 40000)).code
        return own >= 500 and other == 200


# ---- T19, B02, B04

def dial_raw(p, *pieces):
    """Each is a write; every one but the transfer's reply is looked at."""
    listeners = pair(p.other, p.here)
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        c = stack.enter_context(p.login())
        line = port_line(p.other, listeners[0].getsockname()[1]).encode()
        for piece in pieces[:-1] or pieces:
            c.send(piece(line))
            if c.read().code >= 500:
                return "refused"
        if b"NOOP" in pieces[0](line) and c.read().code >= 500:
            return "refused"
        if len(pieces) > 1:
            c.send(pieces[-1](line))
        return {0: "named", 1: "own", None: "nobody"}[watch(c, listeners)]


@asks
def ask_pipelining(p):
    return dial_raw(p, lambda line: line + b"\r\nLIST\r\n") == "named"


@asks
def ask_bare_lf(p):
    return dial_raw(p, lambda line: line + b"\n",
                    lambda _: b"LIST\n") == "named"


@asks
def ask_bare_cr(p):
    return dial_raw(p, lambda line: b"NOOP\r" + line + b"\r\n",
                    lambda _: b"LIST\r\n") == "named"


LACES = [
    lambda line: b"PO\xff\xf1RT" + line[4:] + b"\r\n",
    lambda line: b"\xff\xf4\xff\xf2" + line + b"\r\n",
    lambda line: line[:9] + b"\xff\xfb\x01" + line[9:] + b"\r\n",
]


@asks
def ask_telnet(p):
    ends = {dial_raw(p, lace, lambda _: b"LIST\r\n") == "named"
            for lace in LACES}
    assert len(ends) == 1
    return ends.pop()


def replies_until(c, code):
    """How many replies there are up to one of that code; 0: none is."""
    for n in range(1, 50):
        try:
            if c.read().code == code:
                return n
        except (EOFError, OSError):
            break
    return 0


@asks
def ask_long_line(p):
    with p.login() as c:
        c.send(b"NOOP " + b"x" * 20000 + b"\r\nSYST\r\n")
        return replies_until(c, 215) != 2


@asks
def ask_iac_memory(p):
    with p.login() as c:
        c.send(b"NO" + b"\xff\xf1\xff\xfb\x01" * 32 + b"OP\r\nSYST\r\n")
        return replies_until(c, 215) != 2


# ---- X

@asks
def ask_clear_password(p):
    with p.open() as c:
        return c.cmd("USER nobody-of-that-name").code == 331


@asks
def ask_user_enumeration(p):
    replies = set()
    for name in ("nobody-of-that-name", "root"):
        with p.open() as c:
            replies.add(c.cmd("USER " + name).replace(name, ""))
    return len(replies) > 1


@asks
def ask_address_leak(p):
    with p.login() as c:
        reply = c.cmd(port_line(p.other, 40000))
    found = set(re.findall(r"\d+\.\d+\.\d+\.\d+", reply))
    return reply.code >= 400 and bool(found - {p.other})


@asks
def ask_listing_cut(p):
    with p.login() as c:
        assert c.cmd("CWD many").code == 250
        whole, reply = fetch(p, c, "NLST")
        assert reply.code == 226
        parts = sum(fetch(p, c, f"NLST *{x}")[0].count(b"\n") for x in
                    "0123456789abcdefghijklmnopqrstuvwxyz")
    assert parts == len(defective.MANY)
    return parts > whole.count(b"\n")


def store(p, c, name):
    with connect(p, passive(c)) as conn:
        c.send(f"STOR {name}\r\n")
        if c.read().code != 150:
            return False
        conn.sendall(b"Stored.")
    return c.read().code == 226


@asks
def ask_write(p):
    with p.login() as c:
        return store(p, c, "audit-1") and c.cmd("DELE audit-1").code == 250


@asks
def ask_overwrite(p):
    with p.login() as c:
        ends = [store(p, c, "audit-2"), store(p, c, "audit-2")]
        c.cmd("DELE audit-2")
        return ends == [True, True]


# ---- T17, E01

@asks
def ask_tls_bounce(p):
    return is_wrong(dial(p, port_line, c=p.login_tls()))


def tls_passive(p, source, resume):
    """What a TLS data connection from there gets."""
    with p.login_tls() as c:
        assert c.cmd("NOOP").code == 200	# TLS 1.3: tickets are read
        with connect(p, passive(c), source) as conn:
            c.send("LIST\r\n")
            conn.settimeout(1)
            with contextlib.suppress(OSError):
                over = c.context.wrap_socket(
                    conn, session=c.sock.session if resume else None)
                with over:
                    return received(over, 5)
    return None


@asks
def ask_tls_theft(p):
    assert tls_passive(p, p.here, True)
    return bool(tls_passive(p, p.other, True))


@asks
def ask_tls_data_reuse(p):
    return bool(tls_passive(p, p.here, False))


@asks
def ask_tls_ccc(p):
    with p.login_tls() as c:
        if c.cmd("CCC").code != 200:
            return False
        c.sock = c.sock.unwrap()
        c.file = c.sock.makefile("rb")
        assert c.cmd("SYST").code == 215
        return True


def handshake(p, context, name=None):
    with p.open() as c:
        assert c.cmd("AUTH TLS").code == 234
        try:
            begin_tls(c, context, name)
        except OSError:
            return False
        assert c.cmd("SYST").code == 215
        return True


@asks
def ask_tls_versions(p):
    done = set()
    for name in ("TLSv1", "TLSv1_1"):
        context = client_context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = getattr(ssl.TLSVersion, name)
            context.maximum_version = context.minimum_version
        done.add(handshake(p, context))
    assert len(done) == 1
    return done.pop()


@asks
def ask_tls_alpn(p):
    done = {}
    for name in ("ftp", "http/1.1"):
        context = client_context()
        context.set_alpn_protocols([name])
        done[name] = handshake(p, context)
    assert done["ftp"]
    return done["http/1.1"]


@asks
def ask_tls_sni(p):
    assert handshake(p, client_context(), "localhost")
    return handshake(p, client_context(), "portcullis-audit.invalid")


@asks
def ask_starttls_injection(p):
    with p.open() as c:
        c.send("AUTH TLS\r\nSYST\r\n")
        if c.read().code != 234:
            return False
        begin_tls(c)
        c.sock.settimeout(2)
        return c.read().code == 215


# ---- T18, T20

@asks
def ask_throttling(p):
    with p.login() as c:
        for _ in range(16):
            if c.cmd(port_line(p.other, 40000)).code == 421:
                return False
    return True


@asks
def ask_log_trace(p):
    with listen(p.other) as listener, p.login() as c:
        port = listener.getsockname()[1]
        c.cmd(port_line(p.other, port))
    lines = [line for line in p.log.read_text().splitlines()
             if p.here in line and p.other in line and str(port) in line]
    return not lines


# ---- the tests

@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    where = tmp_path_factory.mktemp("tls")
    cert, key = str(where / "cert.pem"), str(where / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                    "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=localhost"], check=True, capture_output=True)
    return cert, key


def test_every_question_has_a_switch_and_a_dialogue():
    text = (TOP / "src/audit/questions.h").read_text()
    ids = re.findall(r'^\tX\("\w+", +(\w+),', text, re.M)
    assert len(ids) > 50
    listed = subprocess.run([sys.executable, defective.__file__, "--list"],
                            check=True, capture_output=True, text=True)
    assert set(listed.stdout.split()) == set(ids) - {"theft_same_address"}
    assert set(ASKED) == set(defective.DEFECTS)


def seen(place, questions):
    """The questions that see a defect; they are asked all at once."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = {q: pool.submit(ASKED[q], place) for q in questions}
        return {q for q, answer in asked.items() if answer.result()}


# Whoever may overwrite what he stored may store.
TOGETHER = {"overwrite": {"write", "overwrite"}}


def try_switch(defect, certificate, log):
    """Asks a server with that switch everything; who saw a defect."""
    questions = set(defective.DEFECTS)
    if defect not in (None, "listener_lifetime"):
        questions.remove("listener_lifetime")	# takes seconds
    if defect == "balancer":
        # These begin with an own address, and this server takes none.
        questions -= {q for q in questions if "p.here, listener" in
                      inspect.getsource(ASKED[q])} | {
            "stale_refused", "stale_rein", "stale_passive"}
    log.touch()
    with defective.Defective([defect] if defect else [], (SERVER, 0),
                             tls=certificate, log=log,
                             balancer=BALANCER) as server:
        return seen(Place((SERVER, server.port), log=log, balancer=BALANCER),
                    questions)


# On the loopback, the loopback is A: that is asked over a network, below.
SWITCHES = [None, *(d for d in defective.DEFECTS if d != "loopback")]


@pytest.fixture(scope="module")
def tried(certificate, tmp_path_factory):
    """All of them beside each other, as most of it is waiting."""
    where = tmp_path_factory.mktemp("logs")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {d: pool.submit(try_switch, d, certificate, where / str(d))
               for d in SWITCHES}
        pool.shutdown(cancel_futures=True)	# those that -k left out


@pytest.mark.parametrize("defect", SWITCHES)
def test_a_switch_is_seen_by_its_own_question_alone(defect, tried):
    assert tried[defect].result() == TOGETHER.get(defect, {defect} - {None})


@needs_root
@pytest.mark.parametrize("defect", [
    None, "loopback", "self", "bounce_private", "bounce", "balancer"])
def test_a_switch_is_seen_over_a_network(net, defect):
    """Where A is no loopback, and B may be private."""
    client, router = net.names["client"], net.router
    for address in ("198.51.100.8/24", f"{PRIVATE_B}/32"):
        net.run("ip", "-n", client, "addr", "add", address, "dev", "eth0")
    net.run("ip", "-n", router, "route", "add", PRIVATE_B, "dev", "r-client")
    stub = subprocess.Popen(
        [*net.inside("server"), sys.executable, defective.__file__,
         "--listen", f"{Net.V4['server']}:21", "--balancer", "192.0.2.99",
         *(["--defect", defect] if defect else [])],
        stdout=subprocess.PIPE, text=True)
    try:
        assert stub.stdout.readline().startswith("ready")
        with net.on("client"):
            place = Place((Net.V4["server"], 21), Net.V4["client"],
                          "198.51.100.8", balancer="192.0.2.99")
            found = {q for q in ("bounce", "bounce_private", "payload",
                                 "loopback", "self", "balancer", "oracle")
                     if ASKED[q](place)}
    finally:
        stub.terminate()
        stub.wait(10)
        stub.stdout.close()
    assert found == {defect} - {None}


# ---- hostile modes

FIRST = {
    "ssh": b"SSH-", "endless": b"220-", "huge": b"220-",
    "huge-line": b"220 ", "half": b"220 ", "redirect227": b"220 ",
    "421": b"421 ", "chatting": b"220 ", "announcing": b"220 ",
}


@pytest.mark.parametrize("mode", sorted(defective.HOSTILE))
def test_a_hostile_mode_does_what_it_says(mode, certificate):
    with defective.Defective(hostile=mode, tls=certificate) as server, \
            socket.create_connection((A, server.port), 5) as sock:
        if mode == "http":
            assert not select.select([sock], [], [], 0.2)[0]
            sock.sendall(b"USER anonymous\r\n")
            assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")
        elif mode == "tls":
            assert client_context().wrap_socket(sock).version()
        elif mode == "drop":
            assert sock.recv(1) == b""
        elif mode == "hang":
            assert not select.select([sock], [], [], 0.3)[0]
        elif mode == "binary":
            assert len(sock.recv(4096, socket.MSG_WAITALL)) == 4096
        else:
            assert sock.recv(4, socket.MSG_WAITALL) == FIRST[mode]
        if mode in ("huge", "huge-line", "endless"):
            got = sum(len(sock.recv(1 << 16)) for _ in range(100))
            assert got > 1 << 20
        if mode == "half":
            assert sock.recv(4096).endswith(b"\n")
            sock.sendall(b"USER anonymous\r\n")
            assert not select.select([sock], [], [], 0.3)[0]


@pytest.mark.parametrize("mode, command, line", [
    ("chatting", "EPSV", b"220 And there is more.\r\n"),
    ("chatting", "PASV", b"220 And there is more.\r\n"),
    ("announcing", "LIST", b"150 It comes.\r\n"),
])
def test_some_never_stop_replying(mode, command, line):
    with defective.Defective(hostile=mode) as server, \
            socket.create_connection((A, server.port), 5) as sock:
        sock.sendall(b"USER anonymous\r\nPASS x\r\n"
                     + f"{command}\r\n".encode())
        text = sock.makefile("rb")
        assert sum(text.readline() == line for _ in range(10000)) > 9000


def test_redirect227_sees_who_follows_it_and_serves_who_does_not():
    with defective.Defective(hostile="redirect227") as server:
        place = Place((A, server.port))
        with place.login() as c:
            assert fetch(place, c, "LIST")[1].code == 226
            assert not server.lured
            reply = c.cmd("PASV")
            assert "(127,0,0,4," in reply
            port = int(reply.split(",")[4]) << 8 | int(
                reply.split(",")[5].split(")")[0])
            socket.create_connection((defective.LURE, port), 5).close()
            end = time.monotonic() + 5
            while not server.lured and time.monotonic() < end:
                time.sleep(0.01)
        assert server.lured
