# tests/e2e/defective.py: a careful FTP server, with a switch for each defect.
# SPDX-License-Identifier: Apache-2.0
"""What the auditor is tried on: without a switch every question of
src/audit/questions.h is answered as it should be; with one, that question's
dialogue alone shows the defect.

A server that believes everything (vulnerable.py) would not do: all questions
would find something there, and one that finds another's defect would not be
noticed.  So whatever is peculiar to a dialogue (how the address is spelled, what
came before, which transfer comes after it) is looked at, and a defect shows
itself nowhere else.  Where an address has to be agreed to before it can be known
whose dialogue it is, the transfer of another dialogue goes to the client itself.

    defective.py --listen ADDR:PORT [--defect ID]... [--hostile MODE]
        [--tls CERT KEY] [--log FILE] [--balancer IP] [--source IP]
    defective.py --list
"""

import argparse
import contextlib
import dataclasses
import fnmatch
import ipaddress
import os
import random
import re
import secrets
import select
import socket
import ssl
import sys
import threading
import time
import warnings

# The ids of src/audit/questions.h.  theft_same_address is none: in the clear,
# nobody can tell two connections of one address apart.
DEFECTS = """
    bounce bounce_private payload low_port_other low_port_own
    eprt_v4 eprt_v6 eprt_mapped eprt_mapped_own eprt_delimiter epsv_protocol
    lprt spelling leading_zeros wrap_octet wrap_port wrap_low_port
    stale_refused stale_rein stale_passive epsv_all_active epsv_all_pasv
    no_endpoint before_login theft theft_kills theft_race
    passive_ports passive_address listeners oracle dial_early dial_source
    loopback self balancer pipelining telnet bare_lf bare_cr
    long_line iac_memory clear_password user_enumeration address_leak
    listing_cut write overwrite
    tls_bounce tls_theft tls_data_reuse tls_ccc tls_versions tls_alpn tls_sni
    starttls_injection listener_lifetime throttling log_trace
""".split()

STRIKES = 16		# refused data addresses of a session
LINE_MAX = 4096
CUT = 1000		# listing_cut: names
EXPIRY_S = 3		# of a passive listener that nobody uses
NOBODY_S = 0.5		# for the owner, once the transfer is asked for
STRANGER_S = 6		# the same, when somebody else was turned away
DIAL_S = 1.5
EARLY_S = 0.3		# dial_early: no command for so long after PORT
PASSIVE = range(20000, 64000)
INSIDE = "10.77.0.21"	# address_leak tells it

FILES = {"README": b"Nothing to see here.\r\n" * 40,
         "data.bin": bytes(range(256)) * 20}
# Most end in digits: so many patterns alone hold more than CUT names.
MANY = [f"entry-{n:04d}" + ("" if n % 5 else chr(97 + n % 26))
        for n in range(1500)]
PRIVATE = [ipaddress.ip_network(n) for n in
           ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
# What a plain PORT of a third party is for is known only at the transfer.
BY_TRANSFER = {"LIST": "bounce", "RETR": "payload", "NLST": "oracle"}
BEFORE_LOGIN = {"USER", "PASS", "QUIT", "FEAT", "HELP", "AUTH", "PBSZ", "PROT",
                "SYST", "NOOP", "CLNT", "REIN", "CCC", "OPTS"}


class Refused(Exception):
    """A reply that is not the one that was hoped for."""


class Over(Exception):
    """The session ends."""


@dataclasses.dataclass
class Line:
    text: str
    telnet: int = 0		# sequences that were taken out
    bare_lf: bool = False
    after_cr: bool = False	# bare_cr: a CR alone ended the line before
    pipelined: bool = False
    overlong: bool = False


@dataclasses.dataclass
class Named:
    ip: object
    port: int
    form: str = "plain"


@dataclasses.dataclass
class Endpoint:
    ip: object
    port: int
    by_transfer: bool = False	# a third party, whose question is not known


def is_private(ip):
    return ip.version == 4 and any(ip in net for net in PRIVATE)


def unmapped(ip):
    return getattr(ip, "ipv4_mapped", None) or ip


# ---- what a line says

def without_telnet(raw):
    """The line without its Telnet sequences, and how many there were."""
    sequence = re.compile(rb"\xff(?:\xfa.*?\xff\xf0|[\xfb-\xfe].?|[^\xff]|$)",
                          re.S)
    text, count = sequence.subn(b"", raw)
    return text.replace(b"\xff\xff", b"\xff"), count


def six(numbers, form):
    return Named(ipaddress.ip_address(bytes(numbers[:4])),
                 numbers[4] << 8 | numbers[5], form)


def read_port(arg):
    """Six numbers: rightly spelled, or in one of the ways that are not."""
    if re.fullmatch(r"\d{1,3}(,\d{1,3}){5}", arg, re.A):
        words = arg.split(",")
        numbers = [int(w) for w in words]
        if any(n > 255 for n in numbers):
            return six([n & 255 for n in numbers], "wrap_octet")
        if any(w != str(n) for w, n in zip(words, numbers)):
            # Octal in the port alone: any A can be named by it.
            return six(numbers[:4] + [int(w, 8) if w[0] == "0" else int(w)
                                      for w in words[4:]], "leading_zeros")
        return six(numbers, "plain")
    words = re.findall(r"0[xX][0-9a-fA-F]+|\d+", arg)[:6]
    numbers = [int(w, 16 if w[1:2] in ("x", "X") else 10) for w in words]
    if len(numbers) < 6 or max(numbers) > 255:
        raise ValueError(arg)
    return six(numbers, "spelling")


def read_eprt(arg):
    d = arg[:1]
    if not d or d.isalnum():
        raise ValueError(arg)
    _, family, ip, port, rest = arg.split(d)
    if rest or family not in ("1", "2") or not re.fullmatch(r"\d{1,6}", port):
        raise ValueError(arg)
    ip, port = ipaddress.ip_address(ip), int(port)
    if ip.version != (4 if family == "1" else 6):
        raise ValueError(arg)
    if port > 65535:
        return Named(ip, port & 65535, "wrapped")
    if unmapped(ip) is not ip:
        return Named(unmapped(ip), port, "mapped")
    if d != "|":
        return Named(ip, port, "eprt_delimiter")
    return Named(ip, port, "eprt_v" + str(ip.version))


def read_lprt(arg):
    """4,4,h1,h2,h3,h4,2,p1,p2 (RFC 1639), or the same of IPv6."""
    n = [int(w) for w in arg.split(",")]
    at = 2 + n[1]
    if (n[0], n[1]) not in ((4, 4), (6, 16)) or n[at] != 2 or \
            len(n) != at + 3:
        raise ValueError(arg)
    return Named(ipaddress.ip_address(bytes(n[2:at])), n[-2] << 8 | n[-1],
                 "lprt")


# ---- TLS

def hello_extensions(record):
    """{number: bytes} of a ClientHello that came in one record."""
    at = 5 + 4 + 2 + 32
    at += 1 + record[at]
    at += 2 + int.from_bytes(record[at:at + 2], "big")
    at += 1 + record[at]
    end = at + 2 + int.from_bytes(record[at:at + 2], "big")
    at += 2
    found = {}
    while at + 4 <= min(end, len(record)):
        kind = int.from_bytes(record[at:at + 2], "big")
        size = int.from_bytes(record[at + 2:at + 4], "big")
        found[kind] = record[at + 4:at + 4 + size]
        at += 4 + size
    return found


def alpn_names(body):
    names, at = [], 2
    while at < len(body):
        names.append(body[at + 1:at + 1 + body[at]])
        at += 1 + body[at]
    return names


def peek_record(sock, seconds=5):
    """The first TLS record, left where it is."""
    end = time.monotonic() + seconds
    sock.settimeout(seconds)
    while time.monotonic() < end:
        have = sock.recv(5 + 65535, socket.MSG_PEEK)
        if not have or have[0] != 22:
            break
        if len(have) >= 5 and \
                len(have) >= 5 + int.from_bytes(have[3:5], "big"):
            return have
        time.sleep(0.002)
    raise Over("no ClientHello")


class Tls:
    """One context for control and data connections: sessions are resumed."""

    def __init__(self, cert, key, defects, names):
        self.defects, self.names = defects, names
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if "tls_versions" in defects:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self.context.minimum_version = ssl.TLSVersion.TLSv1
        self.context.load_cert_chain(cert, key)
        self.context.set_alpn_protocols(["ftp", "ftp-data"])

    def check_hello(self, sock, local):
        """Python's ALPN callback cannot refuse: we look for ourselves."""
        found = hello_extensions(peek_record(sock))
        names = alpn_names(found.get(16, b""))
        if names and not {b"ftp", b"ftp-data"} & set(names) and \
                "tls_alpn" not in self.defects:
            self.refuse(sock, 120)
        name = found.get(0, b"")[5:].decode("latin-1")
        if name and name not in (local, *self.names) and \
                "tls_sni" not in self.defects:
            self.refuse(sock, 112)

    @staticmethod
    def refuse(sock, alert):
        sock.sendall(bytes((21, 3, 3, 0, 2, 2, alert)))
        # Unread bytes would make a reset of it, and the alert is lost.
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            sock.recv(65536)
        raise Over("alert")

    def wrap(self, sock, local):
        self.check_hello(sock, local)
        sock.settimeout(10)
        return self.context.wrap_socket(sock, server_side=True)


def say_goodbye(sock):
    """close_notify, without waiting for the other's."""
    sock.setblocking(False)
    with contextlib.suppress(OSError, ValueError):
        sock.unwrap()


# ---- a session

class Session:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.peer = unmapped(ipaddress.ip_address(sock.getpeername()[0]))
        self.local = unmapped(ipaddress.ip_address(sock.getsockname()[0]))
        self.buffer, self.cut_by_cr, self.skipping = b"", False, False
        self.user = self.endpoint = self.early = self.listener = None
        self.logged_in = self.tls = self.pbsz = self.private = False
        self.epsv_all = self.named_once = False
        self.waits_since = self.expires = None
        self.kept = []		# listeners: those that should be closed
        self.cwd = "/"
        self.strikes = 0

    def on(self, *ids):
        return any(i in self.server.defects for i in ids)

    def say(self, text):
        self.sock.sendall(text.encode("latin-1") + b"\r\n")

    # ---- lines

    def more(self):
        """Bytes of the control connection; meanwhile, clocks run out."""
        while not (self.tls and self.sock.pending()):
            times = [t for t in (self.expires, self.waits_since and
                                 self.waits_since + EARLY_S) if t]
            wait = max(0, min(times) - time.monotonic()) if times else 60
            if select.select([self.sock], [], [], wait)[0]:
                break
            if not times:
                raise Over("idle")
            self.clocks()
        data = self.sock.recv(65536)
        if not data:
            raise Over("closed")
        self.buffer += data

    def clocks(self):
        now = time.monotonic()
        if self.expires and now >= self.expires:
            self.forget_listener()
        if self.waits_since and now >= self.waits_since + EARLY_S:
            self.waits_since = None
            with contextlib.suppress(Refused):
                self.early = self.dial(self.endpoint.ip, self.endpoint.port)

    def cut(self):
        """(line with its end, by a CR alone), or None: more is needed."""
        lf = self.buffer.find(b"\n")
        if self.on("bare_cr"):
            alone = re.match(rb"[^\r\n]*\r(?=[^\n])", self.buffer)
            if alone:
                return alone.group(), True
        if self.on("long_line") and max(lf, len(self.buffer)) > LINE_MAX and \
                not 0 <= lf <= LINE_MAX:
            return self.buffer[:LINE_MAX], False
        if lf >= 0:
            return self.buffer[:lf + 1], False
        if len(self.buffer) > LINE_MAX:
            self.skipping, self.buffer = True, b""
        return None

    def line(self):
        while (found := self.cut()) is None:
            self.more()
        raw, by_cr = found
        self.buffer = self.buffer[len(raw):]
        body = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1] \
            if raw[-1:] in (b"\n", b"\r") else raw
        text, telnet = without_telnet(body)
        line = Line(text.decode("latin-1"), telnet,
                    raw.endswith(b"\n") and not raw.endswith(b"\r\n"),
                    self.cut_by_cr, b"\n" in self.buffer,
                    self.skipping or (len(raw) > LINE_MAX))
        self.cut_by_cr, self.skipping = by_cr, False
        return line

    def serve(self):
        self.say("220 FTP server ready.")
        while True:
            line = self.line()
            self.waits_since = None
            if line.telnet > 8 and self.on("iac_memory"):
                raise Over("lost its way")
            if line.overlong:
                self.say("500 The line is too long.")
                continue
            try:
                self.obey(line)
            except Refused as why:
                self.say(str(why))

    def obey(self, line):
        match = re.fullmatch(r"([A-Za-z]{3,4})(?: (.*))?", line.text, re.S)
        if match is None:
            self.obey_strange(line)
            return
        verb, arg = match.group(1).upper(), match.group(2)
        if verb in ("PORT", "EPRT", "LPRT"):
            self.name(line, verb, arg or "")
            return
        handler = getattr(self, "do_" + verb.lower(), None)
        if not self.logged_in and verb not in BEFORE_LOGIN:
            raise Refused("530 Log in first.")
        if handler is None:
            raise Refused("502 Not implemented.")
        handler(line, arg)

    def obey_strange(self, line):
        """No command; to a reader who is no careful one, perhaps a PORT."""
        match = re.match(r"\s*PORT\s+(.*)", line.text, re.S | re.I)
        if match is None:
            raise Refused("500 What?")
        self.name(line, "PORT", " " + match.group(1))

    # ---- data addresses

    def name(self, line, verb, arg):
        # One that is refused is the last word, too (RFC 959 5.2).
        before = self.endpoint
        self.forget_endpoint()
        try:
            if not self.logged_in and not self.on("before_login"):
                raise Refused("530 Log in first.")
            self.endpoint = self.judge(line, verb, arg, before)
        except Refused:
            if self.on("stale_refused") and self.logged_in:
                self.endpoint = before
            raise
        self.forget_listener()
        if self.on("dial_early"):
            self.waits_since = time.monotonic()
        self.say(f"200 {verb} command successful.")
        if not self.logged_in:
            self.forget_endpoint()

    def judge(self, line, verb, arg, before):
        reader = {"PORT": read_port, "EPRT": read_eprt, "LPRT": read_lprt}
        if verb == "LPRT" and not self.on("lprt"):
            raise Refused("502 Not implemented.")
        try:
            named = reader[verb](arg)
        except (ValueError, IndexError):
            raise Refused("501 That is no address.") from None
        self.named_once = True
        own = named.ip == self.peer
        excuses = self.excuses(named, line, own, before)
        if excuses is not None:
            self.strike(verb, named, excuses)
        return Endpoint(named.ip, named.port, not own and
                        excuses is not None and "bounce" in excuses)

    def strike(self, verb, named, excuses):
        """Something is wrong with it: on with it only by a defect."""
        agreed = self.on(*excuses)
        self.server.note(self, verb, named, agreed)
        self.strikes += 1
        if self.strikes >= STRIKES and not self.on("throttling"):
            self.say("421 That is enough.")
            raise Over("too many refusals")
        if agreed:
            return
        if named.form in ("spelling", "leading_zeros", "wrap_octet",
                          "wrapped"):
            raise Refused("501 That is no address.")
        inside = f" I am {INSIDE}." if self.on("address_leak") else ""
        raise Refused(f"500 Not to that address.{inside}")

    def excuses(self, named, line, own, before):
        """The defects by which it is agreed to; None: nothing is wrong."""
        if not self.logged_in:
            return {"before_login"}
        if self.epsv_all:
            return {"epsv_all_active"} if own else set()
        if named.form == "mapped":
            return {"eprt_mapped_own" if own else "eprt_mapped"}
        if named.form == "wrapped":
            return {"wrap_low_port" if named.port < 1024 else "wrap_port"} \
                if own else set()
        if named.form == "leading_zeros":
            return {"leading_zeros"} if own else set()
        if named.form in ("spelling", "wrap_octet"):
            return set() if own else {named.form}
        if own:
            return self.excuses_own(named)
        if named.form in ("eprt_delimiter", "lprt"):
            return {named.form}
        return self.excuses_other(named, line, before)

    def excuses_own(self, named):
        if named.port < 1024:
            return {"low_port_own"}
        return set() if self.on("balancer") else None

    def excuses_other(self, named, line, before):
        for wrong, question in ((self.tls, "tls_bounce"),
                                (line.telnet, "telnet"),
                                (line.bare_lf, "bare_lf"),
                                (line.after_cr, "bare_cr"),
                                (line.pipelined, "pipelining"),
                                (named.port < 1024, "low_port_other")):
            if wrong:
                return {question}
        if before is not None:	# stale_refused asks, or throttling
            return set()
        if named.form == "eprt_v4":
            return {"eprt_v4"}
        if named.form == "eprt_v6" and self.local.version == 4:
            return {"eprt_v6"}
        if named.ip in (self.local, self.server.balancer):
            return {"self"} if self.server.balancer not in (
                None, named.ip) else {"self", "balancer"}
        if named.ip.is_loopback and not self.peer.is_loopback:
            return {"loopback"}
        if is_private(named.ip) and not is_private(self.peer):
            return {"bounce_private"}
        if self.on("eprt_v6") and named.form == "eprt_v6":
            return {"eprt_v6"}	# over IPv6, bounce asks the same
        return set(BY_TRANSFER.values())

    def forget_endpoint(self):
        self.endpoint = self.waits_since = None
        if self.early is not None:
            self.early.close()
            self.early = None

    def forget_listener(self):
        self.expires = None
        if self.listener is None:
            return
        if self.on("listeners"):
            self.kept = [self.listener, *self.kept][:8]
        else:
            self.listener.close()
        self.listener = None

    # ---- passive

    def listen(self):
        if not self.on("stale_passive"):
            self.forget_endpoint()
        self.forget_listener()
        for _ in range(200):
            port = self.server.next_port()
            with contextlib.suppress(OSError):
                self.listener = socket.create_server(
                    (str(self.local), port), backlog=8, family=self.family())
                break
        else:
            raise Refused("425 No port is free.")
        if not self.on("listener_lifetime"):
            self.expires = time.monotonic() + EXPIRY_S
        return port

    def family(self):
        return socket.AF_INET6 if self.local.version == 6 else socket.AF_INET

    def do_pasv(self, _line, _arg):
        if self.epsv_all and not self.on("epsv_all_pasv"):
            raise Refused("503 You said EPSV ALL.")
        if self.local.version == 6:
            raise Refused("501 Use EPSV.")
        host, port = self.local, self.listen()
        if self.on("passive_address"):
            host = ipaddress.ip_address("127.0.0.4") \
                if host.is_loopback else ipaddress.ip_address("10.66.0.1")
        self.say_227(host, port)

    def say_227(self, host, port):
        self.say(f"227 Entering Passive Mode ({str(host).replace('.', ',')},"
                 f"{port >> 8},{port & 255}).")

    def do_epsv(self, _line, arg):
        if arg and arg.upper() == "ALL":
            self.epsv_all = True
            self.forget_endpoint()
            self.say("200 EPSV ALL: EPSV alone from now on.")
            return
        mine = "2" if self.local.version == 6 else "1"
        if arg not in (None, mine) and not self.on("epsv_protocol"):
            raise Refused(f"522 Use ({mine}).")
        self.say(f"229 Entering Extended Passive Mode (|||{self.listen()}|)")

    def owner_of(self):
        """The connection of who asked for the port, from its queue."""
        owners, strangers = self.arrivals(0)
        if strangers and not owners and \
                self.on("tls_theft" if self.tls else "theft"):
            owners, others = self.arrivals(0.05)
            if not owners:
                owners, strangers = strangers[:1], strangers[1:] + others
        elif strangers and owners and not self.tls:
            if self.on("theft_kills"):
                self.close_all(owners + strangers)
                raise Refused("425 Somebody else came.")
            if self.on("theft_race"):
                owners, strangers = strangers, owners
        self.close_all(strangers + owners[1:])
        return owners[0] if owners else self.late_owner(bool(strangers))

    def late_owner(self, stranger):
        end = time.monotonic() + (STRANGER_S if stranger else NOBODY_S)
        while (left := end - time.monotonic()) > 0:
            owners, strangers = self.arrivals(left)
            self.close_all(strangers + owners[1:])
            if owners:
                return owners[0]
            if select.select([self.sock], [], [], 0)[0]:
                raise Refused("426 No more of it, then.")
        raise Refused("425 Nobody came.")

    def arrivals(self, wait):
        """Who is in the queue: (owners, strangers), in order."""
        owners, strangers = [], []
        watched = [self.listener, self.sock] if wait else [self.listener]
        select.select(watched, [], [], wait)
        while select.select([self.listener], [], [], 0)[0]:
            conn, address = self.listener.accept()
            ip = unmapped(ipaddress.ip_address(address[0]))
            (owners if ip == self.peer else strangers).append(conn)
        return owners, strangers

    @staticmethod
    def close_all(conns):
        for conn in conns:
            conn.close()

    # ---- data connections

    def dial(self, ip, port):
        source = self.local
        if self.on("dial_source"):
            source = self.server.source or "127.0.0.9"
        kin = ip.version == self.local.version
        try:
            return socket.create_connection(
                (str(ip), port), DIAL_S,
                source_address=(str(source), 0) if kin else None)
        except ConnectionRefusedError:
            raise Refused("425 Connection refused.") from None
        except OSError:
            raise Refused("425 Connection timed out.") from None

    def active(self, verb):
        early, self.early = self.early, None
        at, self.endpoint, self.waits_since = self.endpoint, None, None
        if early is not None:
            return early
        question = BY_TRANSFER.get(verb)
        if not at.by_transfer or (question and self.on(question)):
            return self.dial(at.ip, at.port)
        # Another's dialogue: nobody may learn anything by it.
        if verb == "NLST":
            raise Refused("425 No data connection.")
        return self.dial(self.peer, at.port)

    def passive(self):
        try:
            return self.owner_of()
        finally:
            self.listener.close()
            self.listener = self.expires = None

    def connect(self, verb):
        # stale_passive: with both, whoever was connected to comes first.
        if self.listener and (not self.endpoint or select.select(
                [self.listener], [], [], 0)[0]):
            return self.passive()
        if self.endpoint:
            return self.active(verb)
        if verb == "RETR" and self.on("no_endpoint") and not self.named_once:
            self.say("150 Here it comes.")
            time.sleep(0.1)
        raise Refused("425 Use PORT or PASV first.")

    @contextlib.contextmanager
    def data(self, verb):
        """A data connection, from its 150 to its 226."""
        conn = self.connect(verb)
        conn.settimeout(10)
        try:
            self.say("150 Here it comes.")
            if self.private:
                conn = self.protected(conn)
            yield conn
            if self.private:
                say_goodbye(conn)
        except (OSError, Over):
            raise Refused("426 The data connection was lost.") from None
        finally:
            conn.close()
        self.say("226 Transfer complete.")

    def protected(self, conn):
        stranger = unmapped(ipaddress.ip_address(conn.getpeername()[0])) != \
            self.peer	# tls_theft; a thief has no session to resume
        conn = self.server.tls.wrap(conn, str(self.local))
        if not conn.session_reused and not stranger and \
                not self.on("tls_data_reuse"):
            conn.close()
            raise Refused("522 The data connection must resume the TLS "
                          "session.")
        return conn

    # ---- transfers

    def path(self, arg):
        where = arg if arg.startswith("/") else f"{self.cwd}/{arg}"
        parts = [p for p in where.split("/") if p not in ("", ".")]
        while ".." in parts:
            at = parts.index("..")
            del parts[max(0, at - 1):at + 1]
        return "/" + "/".join(parts)

    def directory(self, path):
        """{name: size, or None for a directory}; None: there is none."""
        if path == "/":
            found = {name: len(body) for name, body in
                     {**FILES, **self.server.stored}.items()}
            return {**found, "many": None}
        if path == "/many":
            return {name: 0 for name in MANY}
        return None

    @staticmethod
    def without_flags(arg):
        """NLST -a, and what else clients say to ls."""
        return " ".join(w for w in (arg or "").split(" ")
                        if w and w[0] != "-")

    def names(self, arg):
        """What a listing of it holds: a directory, a pattern or a file."""
        path = self.path(arg)
        entries = self.directory(path)
        if entries is None:
            where, _, pattern = path.rpartition("/")
            entries = self.directory(where or "/")
            if entries is None:
                raise Refused("550 No such directory.")
            entries = {n: size for n, size in entries.items()
                       if fnmatch.fnmatchcase(n, pattern)}
        if self.on("listing_cut"):
            entries = dict(list(entries.items())[:CUT])
        return entries

    def send_listing(self, verb, arg, form):
        arg = self.without_flags(arg)
        front = ""
        if verb == "NLST" and arg:	# names as RETR would take them
            front = arg + "/" if self.directory(self.path(arg)) is not None \
                else arg[:arg.rfind("/") + 1]
        body = "".join(front + form(name, size) + "\r\n"
                       for name, size in self.names(arg).items())
        with self.data(verb) as conn:
            conn.sendall(body.encode())

    def do_list(self, _line, arg):
        self.send_listing("LIST", arg, lambda name, size:
                          f"{'d' if size is None else '-'}rw-r--r-- 1 0 0 "
                          f"{size or 0:8d} Jan 01 2020 {name}")

    def do_nlst(self, _line, arg):
        self.send_listing("NLST", arg, lambda name, _size: name)

    def do_mlsd(self, _line, arg):
        self.send_listing("MLSD", arg, lambda name, size:
                          (f"type=file;size={size};" if size is not None
                           else "type=dir;") + f" {name}")

    def body(self, arg):
        path = self.path(arg or "")
        if path.startswith("/many/") and path[6:] in MANY:
            return b""
        found = {**FILES, **self.server.stored}.get(path[1:])
        if found is None:
            raise Refused("550 No such file.")
        return found

    def do_retr(self, _line, arg):
        body = self.body(arg)
        with self.data("RETR") as conn:
            conn.sendall(body)

    def do_stor(self, _line, arg):
        name = self.path(arg or "")[1:]
        if not self.on("write", "overwrite") or name in FILES:
            raise Refused("550 Not allowed.")
        if name in self.server.stored and not self.on("overwrite"):
            raise Refused("553 That file exists.")
        with self.data("STOR") as conn:
            self.server.stored[name] = b"".join(
                iter(lambda: conn.recv(65536), b""))

    def do_dele(self, _line, arg):
        if self.server.stored.pop(self.path(arg or "")[1:], None) is None:
            raise Refused("550 Not allowed.")
        self.say("250 Removed.")

    # ---- login

    def do_user(self, _line, arg):
        self.logged_in = False
        if not self.on("stale_rein"):
            self.forget_endpoint()
        self.user = (arg or "").lower()
        if self.user in ("anonymous", "ftp"):
            self.say("331 Any password will do.")
        elif self.user == "root" and self.on("user_enumeration"):
            raise Refused("530 This user may not log in here.")
        elif self.on("clear_password") and not self.tls:
            self.say("331 Password, please.")
        else:
            raise Refused("530 Only anonymous users here.")

    def do_pass(self, _line, _arg):
        if self.user not in ("anonymous", "ftp"):
            raise Refused("530 No.")
        self.logged_in = True
        self.say("230 Welcome.")

    def do_rein(self, _line, _arg):
        self.logged_in, self.user, self.cwd = False, None, "/"
        if not self.on("stale_rein"):
            self.forget_endpoint()
        self.forget_listener()
        self.say("220 Ready for another user.")

    # ---- TLS

    def do_auth(self, _line, arg):
        if self.server.tls is None or (arg or "").upper() not in (
                "TLS", "TLS-C", "SSL"):
            raise Refused("504 Not that.")
        if self.tls:
            raise Refused("503 There is TLS already.")
        kept = b""
        if self.buffer:
            # What came in the clear must not be taken for protected.
            if not self.on("starttls_injection"):
                self.say("503 Nothing may follow AUTH.")
                raise Over("injection")
            kept, self.buffer = self.buffer, b""
        self.say("234 Begin.")
        self.sock = self.server.tls.wrap(self.sock, str(self.local))
        self.tls, self.buffer = True, kept
        self.logged_in, self.user = False, None
        self.forget_endpoint()
        self.forget_listener()

    def do_pbsz(self, _line, _arg):
        if not self.tls:
            raise Refused("503 AUTH comes first.")
        self.pbsz = True
        self.say("200 PBSZ=0")

    def do_prot(self, _line, arg):
        if not self.pbsz:
            raise Refused("503 PBSZ comes first.")
        if (arg or "").upper() not in ("C", "P"):
            raise Refused("536 C or P.")
        self.private = arg.upper() == "P"
        self.say("200 Done.")

    def do_ccc(self, _line, _arg):
        if not self.tls or not self.on("tls_ccc"):
            raise Refused("534 It stays protected.")
        self.say("200 In the clear, then.")
        self.sock.settimeout(5)
        self.sock = self.sock.unwrap()
        self.tls = False

    # ---- the rest

    def do_quit(self, _line, _arg):
        self.say("221 Goodbye.")
        raise Over("quit")

    def do_noop(self, _line, arg):
        if arg:
            raise Refused("501 NOOP stands alone.")
        self.say("200 Done.")

    def do_feat(self, _line, _arg):
        secure = " AUTH TLS\r\n PBSZ\r\n PROT\r\n" if self.server.tls else ""
        self.say("211-Features:\r\n EPRT\r\n EPSV\r\n SIZE\r\n TVFS\r\n"
                 f" MLST type*;size*;\r\n{secure}211 End")

    def do_help(self, _line, _arg):
        self.say("214 Read RFC 959.")

    def do_syst(self, _line, _arg):
        self.say("215 UNIX Type: L8")

    def do_stat(self, _line, _arg):
        self.say("211-FTP server\r\n Nothing is going on.\r\n211 End")

    def do_clnt(self, _line, _arg):
        self.say("200 Noted.")

    do_type = do_mode = do_stru = do_opts = do_clnt

    def do_abor(self, _line, _arg):
        self.forget_endpoint()
        self.forget_listener()
        self.say("226 Nothing is going on.")

    def do_pwd(self, _line, _arg):
        self.say(f'257 "{self.cwd}"')

    def do_cwd(self, _line, arg):
        path = self.path(arg or "")
        if self.directory(path) is None:
            raise Refused("550 No such directory.")
        self.cwd = path
        self.say("250 Done.")

    def do_cdup(self, line, _arg):
        self.do_cwd(line, "..")

    def do_size(self, _line, arg):
        self.say(f"213 {len(self.body(arg))}")

    def close(self):
        for one in (self.listener, self.early, *self.kept):
            if one is not None:
                one.close()
        with contextlib.suppress(OSError):
            if self.tls:
                say_goodbye(self.sock)
            self.sock.shutdown(socket.SHUT_WR)
        self.sock.close()


# ---- hosts that are no FTP servers, or mean harm

class Half(Session):
    def do_user(self, _line, _arg):
        self.server.ending.wait()


class Redirecting(Session):
    """227 names a host of ours, which notes whoever comes."""

    def do_epsv(self, _line, _arg):
        raise Refused("502 Not implemented.")

    def do_pasv(self, _line, _arg):
        for _ in range(50):
            port = self.listen()
            with contextlib.suppress(OSError):
                self.server.lure(port)
                return self.say_227(ipaddress.ip_address(LURE), port)
        raise Refused("425 No port is free.")


class Chatting(Session):
    """Says more and more replies to nothing, once a port was asked for."""

    def do_epsv(self, line, arg):
        super().do_epsv(line, arg)
        chat(self.server, self.sock, b"220 And there is more.\r\n")

    def do_pasv(self, line, arg):
        super().do_pasv(line, arg)
        chat(self.server, self.sock, b"220 And there is more.\r\n")


class Announcing(Session):
    """Says again and again that a transfer begins."""

    def do_list(self, _line, _arg):
        chat(self.server, self.sock, b"150 It comes.\r\n")


LURE = "127.0.0.4"
HUGE = 10_000_000


def pour(sock, pieces):
    for piece in pieces:
        sock.sendall(piece)


def hostile_http(server, sock):
    sock.recv(4096)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                 b"Content-Length: 0\r\n\r\n")


def hostile_ssh(server, sock):
    sock.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    sock.recv(4096)


def hostile_tls(server, sock):
    server.tls.context.wrap_socket(sock, server_side=True).recv(4096)


def hostile_endless(server, sock):
    while not server.ending.is_set():
        sock.sendall(b"220-More of it, and no end.\r\n" * 1000)


def hostile_hang(server, sock):
    server.ending.wait()


def hostile_binary(server, sock):
    pour(sock, (os.urandom(65536) for _ in range(16)))
    sock.recv(4096)


def hostile_huge(server, sock):
    line = b"220-" + b"x" * 94 + b"\r\n"
    pour(sock, [line * 1000] * (HUGE // len(line) // 1000))
    Session(server, sock).serve()


def hostile_huge_line(server, sock):
    pour(sock, [b"220 ", *[b"x" * 65536] * (HUGE // 65536)])
    sock.recv(4096)


def hostile_half(server, sock):
    Half(server, sock).serve()


def chat(server, sock, line):
    while not server.ending.is_set():
        sock.sendall(line * 100)


def hostile_chatting(server, sock):
    Chatting(server, sock).serve()


def hostile_announcing(server, sock):
    Announcing(server, sock).serve()


def hostile_drop(server, sock):
    pass


def hostile_redirect227(server, sock):
    Redirecting(server, sock).serve()


def hostile_421(server, sock):
    sock.sendall(b"421 Too many users.\r\n")


HOSTILE = {name[8:].replace("_", "-"): function for name, function in
           list(globals().items()) if name.startswith("hostile_")}


# ---- the server

class Defective:
    """Runs in a thread: `with Defective(["theft"]) as s: ... s.port`."""

    def __init__(self, defects=(), listen=("127.0.0.1", 0), hostile=None,
                 tls=None, log=None, balancer=None, source=None):
        unknown = set(defects) - set(DEFECTS)
        if unknown:
            raise ValueError(f"no such defect: {sorted(unknown)}")
        self.defects = frozenset(defects)
        self.hostile = HOSTILE[hostile] if hostile else None
        self.tls = Tls(*tls, self.defects, ("localhost",)) if tls else None
        self.log = log
        self.balancer = balancer and ipaddress.ip_address(balancer)
        self.source = source
        self.stored = {}
        self.traps = []
        self.lured = []		# who followed a 227 to another host
        self.ending = threading.Event()
        self.sequence = random.randrange(30000, 40000)
        self.lock = threading.Lock()
        self.sockets = set()
        self.listener = socket.create_server(
            listen, backlog=64, family=socket.AF_INET6 if ":" in listen[0]
            else socket.AF_INET)
        self.host, self.port = self.listener.getsockname()[:2]

    def next_port(self):
        if "passive_ports" not in self.defects:
            return PASSIVE[secrets.randbelow(len(PASSIVE))]
        with self.lock:
            self.sequence += 1
            return self.sequence

    def note(self, session, verb, named, agreed):
        """Who asked for which address; an operator looks for both."""
        if self.log is None:
            return
        who = "" if "log_trace" in self.defects else \
            f" client={session.peer} asked={named.ip} port={named.port}"
        with self.lock, open(self.log, "a") as log:
            log.write(f"{verb} {'agreed to' if agreed else 'refused'}{who}\n")

    def lure(self, port):
        """Listens where nobody should connect to."""
        trap = socket.create_server((LURE, port))
        self.traps.append(trap)
        if len(self.traps) == 1:
            threading.Thread(target=self.watch_traps, daemon=True).start()

    def watch_traps(self):
        while not self.ending.is_set():
            for trap in select.select(list(self.traps), [], [], 0.05)[0]:
                conn, address = trap.accept()
                conn.close()
                self.lured.append(address)
        for trap in self.traps:
            trap.close()

    def handle(self, sock):
        session = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            if self.hostile is not None:
                self.hostile(self, sock)
            else:
                session = Session(self, sock)
                session.serve()
        except (Over, OSError, ValueError):
            pass
        finally:
            if session is not None:
                session.close()
            sock.close()
            with self.lock:
                self.sockets.discard(sock)

    def serve(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            if self.ending.is_set():
                sock.close()
                return
            with self.lock:
                self.sockets.add(sock)
            threading.Thread(target=self.handle, args=(sock,),
                             daemon=True).start()

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
        with self.lock:
            for sock in self.sockets:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--defect", action="append", default=[],
                        choices=DEFECTS, metavar="ID")
    parser.add_argument("--hostile", choices=sorted(HOSTILE))
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--log")
    parser.add_argument("--balancer")
    parser.add_argument("--source")
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main():
    o = options()
    if o.list:
        print("\n".join(DEFECTS))
        return
    host, _, port = o.listen.rpartition(":")
    server = Defective(o.defect, (host.strip("[]"), int(port)), o.hostile,
                       o.tls, o.log, o.balancer, o.source)
    print("ready", server.port, flush=True)
    server.serve()


if __name__ == "__main__":
    sys.exit(main())
