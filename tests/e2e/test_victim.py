# tests/e2e/test_victim.py: no packet reaches a host that did not ask for it.
# SPDX-License-Identifier: Apache-2.0
"""The proof by numbers of what the server is for: a generator tries, in a
hundred thousand ways, to have a third party dialled; the third party counts
what arrives, and it is nothing.  The client counts too, since a server that
dials nobody would pass as well.
"""

import json
import os
import random
import re
import selectors
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import (SANITIZED, Net, make_archive, needs_root,
                      open_to_others)
from test_accounts import PASSWORD, make_accounts
from tls_peers import make_certificate

SEQUENCES = int(os.environ.get("PORTCULLIS_SEQUENCES",
                               10_000 if SANITIZED else 100_000))
SEED = int(os.environ.get("PORTCULLIS_SEED", 2577))
SESSIONS = 32
BATCH = 25	# sequences in one write
BATCHES = 8	# and writes on one connection

LISTENING = range(40000, 40008)  # on the client


# ---- the grammar

def spell_v4(r, ip, port):
    """One argument of PORT; most are its right spelling."""
    n = [*map(int, ip.split(".")), port >> 8, port & 255]
    plain = ",".join(map(str, n))
    if r.random() < 0.6:
        return plain
    return r.choice((
        lambda: ",".join(f"{x:03d}" for x in n),
        lambda: ",".join(f"{x:04d}" for x in n),
        lambda: ",".join(f"0{x:o}" for x in n),
        lambda: ",".join(f"{x:#x}" for x in n),
        lambda: ",".join(str(x + 256) for x in n),
        lambda: ",".join(f"+{x}" for x in n),
        lambda: ",".join(str(x - 256) for x in n),
        lambda: ", ".join(map(str, n)),
        lambda: plain.replace(",", "."),
        lambda: plain + ",1",
        lambda: plain + " ",
        lambda: " " + plain,
        lambda: plain + "\x00",
        lambda: plain + "\r",
        lambda: plain[:r.randrange(len(plain))],
        lambda: ",".join(map(str, n[:5])),
        lambda: plain + "x" * r.choice((1, 500, 9000)),
        lambda: f"{ip}:{port}",
    ))()


def spell_eprt(r, ip, port):
    """One argument of EPRT."""
    v6 = ":" in ip
    family, bar = (2 if v6 else 1), r.choice("||||!#~:1")
    text = f"{bar}{family}{bar}{ip}{bar}{port}{bar}"
    if r.random() < 0.6:
        return text.replace(bar, "|") if not v6 else f"|2|{ip}|{port}|"
    mapped = ip if v6 else f"::ffff:{ip}"
    return r.choice((
        lambda: text,
        lambda: f"|2|{mapped}|{port}|",
        lambda: f"|2|::{mapped.rsplit(':', 1)[-1]}|{port}|",
        lambda: f"|2|64:ff9b::{mapped.rsplit(':', 1)[-1]}|{port}|",
        lambda: f"|2|{ip.upper()}|{port}|",
        lambda: f"|2|{ip}%eth0|{port}|",
        lambda: f"|{3 - family}|{ip}|{port}|",
        lambda: f"|3|{ip}|{port}|",
        lambda: f"|{family}|{ip}|{port + 65536}|",
        lambda: f"|{family}|{ip}|0{port}|",
        lambda: f"|{family}|{ip}|-{port}|",
        lambda: f"|{family}|{ip}|{port}",
        lambda: f"|{family}|{ip}|{port}||",
        lambda: f"|{family}| {ip}|{port}|",
        lambda: f"|{family}|[{ip}]|{port}|",
        lambda: f"|{family}|{ip}\x00|{port}|",
        lambda: "|" * r.randrange(1, 9),
    ))()


def spell_lprt(r, ip, port):
    """One argument of LPRT."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    octets = socket.inet_pton(family, ip)
    return ",".join(map(str, (4 if len(octets) == 4 else 6, len(octets),
                              *octets, 2, port >> 8, port & 255)))


class Grammar:
    """Endless sequences for one session whose client has this address."""

    STRANGERS4 = (Net.V4["victim"],) * 6 + (Net.V4["thief"],) * 2 + (
        Net.V4["server"], "127.0.0.1", "127.0.0.2", "203.0.113.255",
        "255.255.255.255", "224.0.0.1", "0.0.0.0", "203.0.113.1",
        "198.51.100.8", "198.51.100.1", "10.0.0.5", "169.254.169.254")
    STRANGERS6 = (Net.V6["victim"],) * 6 + (Net.V6["thief"],) * 2 + (
        Net.V6["server"], "::1", "::", "ff02::1", "fe80::1",
        "2001:db8:1::8", "fd00::5", "2001:db8:1::1")
    TRANSFERS = ("LIST", "NLST", "MLSD", "LIST -la pub", "NLST pub",
                 "RETR pub/small.nc", "RETR pub/README", "RETR pub/none",
                 "MLSD pub/data", "STOR x", "RETR latest", "LIST pub/README")

    def __init__(self, seed, client):
        self.r = random.Random(seed)
        self.v6 = ":" in client
        self.client = client

    def stranger(self):
        crossed = self.r.random() < 0.15
        pool = self.STRANGERS6 if self.v6 != crossed else self.STRANGERS4
        return self.r.choice(pool)

    def port(self):
        return self.r.choice((80, 21, 22, 25, 1023, 1024, 3306, 8080, 40000,
                              50000, 65535, self.r.randrange(65536)))

    def name(self, ip, port):
        """A command that names an address."""
        r = self.r
        way = r.random()
        if way < 0.06:
            return "LPRT " + spell_lprt(r, ip, port)
        if ":" in ip or way < 0.45:
            return "EPRT " + spell_eprt(r, ip, port)
        return "PORT " + spell_v4(r, ip, port)

    def own(self):
        """The client's own address, as an honest one writes it."""
        port = self.r.choice(LISTENING)
        if self.v6 or self.r.random() < 0.5:
            return f"EPRT |{2 if self.v6 else 1}|{self.client}|{port}|"
        return f"PORT {self.client.replace('.', ',')},{port >> 8}," \
            f"{port & 255}"

    def endpoint(self):
        """Commands, and whether a passive port may be waiting after them."""
        way = self.r.random()
        if way < 0.66:
            return [self.name(self.stranger(), self.port())], None
        if way < 0.86:
            return [self.own()], False
        if way < 0.90:  # his own address, oddly written or a low port
            return [self.name(self.client, self.r.choice((22, 1023,
                                                         40000)))], False
        if way < 0.98:
            return [self.r.choice(("EPSV", "PASV", "EPSV 1", "EPSV 2",
                                   "EPSV 9"))], True
        return [self.r.choice((
            "EPSV ALL", "ABOR", "REST 5", "TYPE A", "TYPE I", "NOOP",
            "CPSV", "SPSV", "LPSV", "STAT", "CWD pub", "CDUP"))], None

    def disguise(self, line):
        """Telnet commands within, another case of letters."""
        r = self.r
        data = line.encode("latin-1")
        if r.random() < 0.15:
            verb, blank, rest = data.partition(b" ")
            data = bytes(c ^ 32 if r.random() < 0.5 and chr(c).isalpha()
                         else c for c in verb) + blank + rest
        if r.random() < 0.12:
            at = r.randrange(len(data) + 1)
            data = data[:at] + r.choice((
                b"\xff\xf1", b"\xff\xf4\xff\xf2", b"\xff\xfb\x01",
                b"\xff\xfa\x18\x00xyz\xff\xf0", b"\xff\xff",
                b"\xff")) + data[at:]
        return data + (b"\r\n" if r.random() < 0.95 else b"\n")

    def sequence(self):
        """Endpoint commands and a transfer, as bytes."""
        r, lines, passive = self.r, [], False
        relogin = False
        for _ in range(1 if r.random() < 0.7 else r.choice((2, 2, 3))):
            more, waits = self.endpoint()
            lines += more
            passive = passive if waits is None else waits
        if r.random() < 0.06:
            relogin = True
            between = r.choice((["REIN"], ["USER ftp"],
                                ["REIN", "USER ftp", "PASS x@"],
                                ["USER x", "PASS y"] if r.random() < 0.02
                                else ["USER ftp", "PASS x@"]))
            at = r.randrange(len(lines) + 1)
            lines[at:at] = between
        lines.append(r.choice(self.TRANSFERS))
        data = b"".join(self.disguise(line) for line in lines)
        if passive and r.random() < 0.99 or r.random() < 0.01:
            data += r.choice((b"ABOR\r\n", b"\xff\xf4\xff\xf2ABOR\r\n"))
        if relogin:
            data += b"REIN\r\nUSER ftp\r\nPASS x@\r\n"
        return data


# ---- the driver

class Session:
    """One pipelined control connection after the other."""

    MARK = re.compile(rb"^350 Restarting at (\d+)\.\r$", re.M)

    def __init__(self, number, net, first=b"", tls=None):
        self.first = first	# it says before it logs in
        self.tls = tls	# a context: within that, from AUTH on
        family = "V6" if number % 4 == 3 else "V4"
        self.server = (getattr(Net, family)["server"], 21)
        self.client = getattr(Net, family)["client"]
        self.grammar = Grammar(SEED * 1000 + number, self.client)
        self.net = net
        self.connections = 0
        self.sequences = 0	# known to have been run
        self.tail = b""

    def connect(self, selector):
        with self.net.on("client"):
            self.sock = socket.create_connection(
                self.server, 30, source_address=(self.client, 0))
        if self.tls:
            self.sock.sendall(b"AUTH TLS\r\n")
            clear = b""
            while not clear.endswith(b"234 TLS, please.\r\n"):
                clear += self.sock.recv(1)
            self.sock = self.tls.wrap_socket(self.sock)
        self.sock.setblocking(False)
        self.connections += 1
        self.batches = 0
        self.tail = b""
        self.unsent = self.first + b"USER ftp\r\nPASS x@\r\n"
        self.more()
        selector.register(self.sock, selectors.EVENT_READ |
                          selectors.EVENT_WRITE, self)

    def more(self):
        """The next batch: each sequence ends with a mark of its own.  The
        mark in REST is taken back, or RETR would stumble on it."""
        self.batches += 1
        self.done = 0
        parts = []
        for n in range(1, BATCH + 1):
            parts.append(self.grammar.sequence())
            parts.append(b"REST %d\r\nREST 0\r\n" % (9_000_000 + n))
        self.unsent += b"".join(parts)

    def close(self, selector):
        selector.unregister(self.sock)
        self.sock.close()

    def ready(self, selector, events):
        """False when the connection has ended."""
        try:
            if events & selectors.EVENT_WRITE and self.unsent:
                sent = self.sock.send(self.unsent)
                self.unsent = self.unsent[sent:]
            if events & selectors.EVENT_READ:
                while True:
                    data = self.sock.recv(1 << 16)
                    if not data:
                        return False
                    self.read(data)
                    if not self.tls:
                        break	# else some may wait in the library
        except (BlockingIOError, ssl.SSLWantReadError,
                ssl.SSLWantWriteError):
            pass
        except (ConnectionError, BrokenPipeError, ssl.SSLError):
            return False
        if self.done == BATCH and not self.unsent:
            if self.batches == BATCHES:
                return False
            self.more()
        selector.modify(self.sock, selectors.EVENT_READ |
                        (selectors.EVENT_WRITE if self.unsent else 0), self)
        return True

    def read(self, data):
        text = self.tail + data
        keep = text.rfind(b"\n") + 1
        self.tail = text[keep:]
        for mark in self.MARK.findall(text[:keep]):
            if int(mark) > 9_000_000:
                self.sequences += 1
                self.done = int(mark) - 9_000_000


class Acceptor(threading.Thread):
    """The client's data ports: takes what comes and closes it."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.connections = self.bytes = 0
        self.ending = False
        with net.on("client"):
            self.listeners = [
                socket.create_server((ip, port), family=family, backlog=4096)
                for port in LISTENING
                for family, ip in ((socket.AF_INET, Net.V4["client"]),
                                   (socket.AF_INET6, Net.V6["client"]))]

    def run(self):
        selector = selectors.DefaultSelector()
        for one in self.listeners:
            one.setblocking(False)
            selector.register(one, selectors.EVENT_READ)
        while not self.ending:
            for key, _ in selector.select(0.2):
                self.take(key.fileobj)

    def take(self, listener):
        try:
            for _ in range(16):
                data, _ = listener.accept()
                data.settimeout(5)
                self.connections += 1
                with data:
                    self.bytes += len(data.recv(65536))
        except OSError:
            pass


def drive(net, total, first=b"", tls=None):
    """Runs that many sequences; (sequences, connections)."""
    sessions = [Session(n, net, first, tls) for n in range(SESSIONS)]
    selector = selectors.DefaultSelector()
    for one in sessions:
        one.connect(selector)
    while sum(one.sequences for one in sessions) < total:
        ready = selector.select(60)
        assert ready, "the server does not answer any more"
        for key, events in ready:
            one = key.data
            if not one.ready(selector, events):
                one.close(selector)
                one.connect(selector)
    for one in sessions:
        one.close(selector)
    return (sum(one.sequences for one in sessions),
            sum(one.connections for one in sessions))


def dialled_rules(net):
    """Counts the SYNs that leave the server, and those for the client."""
    c4, c6 = Net.V4["client"], Net.V6["client"]
    rules = f"""table inet dials {{
        counter client {{ }}
        counter others {{ }}
        chain out {{
            type filter hook output priority raw
            meta l4proto != tcp accept
            tcp flags & (syn | ack) != syn accept
            ip daddr {c4} counter name client accept
            ip6 daddr {c6} counter name client accept
            counter name others
        }}
    }}
"""
    subprocess.run([*net.inside("server"), "nft", "-f", "-"], check=True,
                   input=rules, text=True)

    def counted():
        out = subprocess.run(
            [*net.inside("server"), "nft", "-j", "list", "counters"],
            check=True, capture_output=True, text=True).stdout
        return {c["counter"]["name"]: c["counter"]["packets"]
                for c in json.loads(out)["nftables"] if "counter" in c}

    return counted


@needs_root
@pytest.mark.parametrize("kind", ["shared", "moved", "tls", "account"])
def test_a01_no_packet_reaches_the_victim(net, serve, capsys, place, kind):
    """Of sessions with a process of their own, in clear or not, a tenth."""
    total = SEQUENCES if kind == "shared" else SEQUENCES // 10
    more, first, tls = {}, b"", None
    if kind in ("moved", "tls"):
        more = {"tls.certificate": make_certificate(place).both}
    if kind == "moved":
        first = b"AUTH NONE\r\n"
    elif kind == "account":
        more = make_accounts(place, {"alice": ("-r", "lr")})
        make_archive(place / "homes/alice")
        open_to_others(place / "homes")
        first = f"USER alice\r\nPASS {PASSWORD}\r\n".encode()
    elif kind == "tls":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    dialled = dialled_rules(net)
    server = serve({
        "listen": f"{Net.V4['server']}:21 [{Net.V6['server']}]:21",
        "events": None,  # a hundred thousand alerts are another test's
        "abuse.refusals": 1000,
        "active.failures": 1000,
        "sessions.per_address": 1000,
        "solo.per_address": 0,
        "passive.timeout": 1,
        "data.timeout": 5,
        **more,
    }, host=Net.V4["server"], port=21, prefix=net.inside("server"))
    net.count("victim")
    net.count("thief")
    acceptor = Acceptor(net)
    acceptor.start()
    start = time.monotonic()
    try:
        sequences, connections = drive(net, total, first, tls)
    finally:
        acceptor.ending = True
        acceptor.join()
    took = time.monotonic() - start
    packets = {host: net.packets(host) for host in ("victim", "thief")}
    dials = dialled()
    with capsys.disabled():
        print(f"\n{sequences} sequences on {connections} control connections "
              f"in {took:.1f} s; packets at the victim: {packets['victim']}, "
              f"at the thief: {packets['thief']}; the client was dialled "
              f"{dials['client']} times, others {dials['others']} times; "
              f"{acceptor.connections} data connections, "
              f"{acceptor.bytes} bytes")
    assert sequences >= total
    assert packets == {"victim": 0, "thief": 0}
    assert dials["others"] == 0
    assert dials["client"] > total / 50
    assert acceptor.connections > total / 50
    assert acceptor.bytes > 0
    assert server.process.poll() is None
