# tests/e2e/test_passive_address.py: a server behind a NAT.
# SPDX-License-Identifier: Apache-2.0
"""The server's host has a router before it that forwards two public addresses
to it. A client outside knows these alone; one inside comes without a NAT. The
names are resolved by a name server on the server's own host.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import (Control, Net, Server, free_port, make_archive,
                      needs_root, open_to_others, steady_bytes)

PUBLIC, PUBLIC_2 = "198.51.100.1", "198.51.100.2"
INSIDE = "198.18.0.66"      # Net's thief: a client that is not translated

FORWARD = f"""table ip nat {{
    chain in {{
        type nat hook prerouting priority dstnat
        ip daddr {{ {PUBLIC}, {PUBLIC_2} }} dnat to {Net.V4["server"]}
    }}
}}
"""


def told(reply):
    """Address and port of a 227."""
    assert reply.code == 227, reply
    n = re.search(r"\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)", reply).groups()
    return ".".join(n[:4]), int(n[4]) * 256 + int(n[5])


def fetch(control, command, source=None):
    """By PASV, at the address that was told."""
    at = told(control.cmd("PASV"))
    with socket.create_connection(at, timeout=10) as data:
        assert control.cmd(command).code == 150
        body = b"".join(iter(lambda: data.recv(1 << 16), b""))
    assert control.read().code == 226
    return body, at[0]


class Names:
    """A name server: A records of `zone`; over UDP a name that begins with
    "tcp." is cut, so that it is asked for again over TCP; none while
    `silent`."""

    def __init__(self):
        self.zone, self.asked, self.silent = {}, [], False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 53))
        self.tcp = socket.create_server(("127.0.0.1", 53))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def answer(self, query, udp):
        name, at = [], 12
        while query[at]:
            name.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, question = ".".join(name), query[12:at + 5]
        self.asked.append((name, udp))
        cut = udp and name.startswith("tcp.")
        found = [] if cut else self.zone.get(name, [])
        flags = 0x8180 | cut << 9 | (0 if found or cut else 3)
        return query[:2] + struct.pack(">5H", flags, 1, len(found), 0, 0) + \
            question + b"".join(
                b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) +
                socket.inet_aton(a) for a in found)

    def serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                query, who = self.udp.recvfrom(512)
                if not self.silent:
                    self.udp.sendto(self.answer(query, True), who)

    def serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                with self.tcp.accept()[0] as one:
                    query = one.recv(2048)[2:]
                    reply = self.answer(query, False)
                    one.sendall(struct.pack(">H", len(reply)) + reply)

    def close(self):
        self.udp.close()
        self.tcp.close()


class Site:
    pass


@pytest.fixture(scope="module")
def site():
    """One server for all tests here; the last one waits for its clock."""
    site, net = Site(), Net()
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    open_to_others(root)
    site.net = net
    etc = pathlib.Path("/etc/netns") / net.names["server"]
    try:
        net.up()
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (etc / "nsswitch.conf").write_text("hosts: files dns\n")
        (etc / "hosts").write_text("127.0.1.1 myself.example.org\n"
                                   "203.0.113.77 listed.example.org\n")
        net.run("ip", "-n", net.router, "addr", "add", PUBLIC_2 + "/24",
                "dev", "r-client")
        subprocess.run(["ip", "netns", "exec", net.router, "nft", "-f", "-"],
                       input=FORWARD, text=True, check=True)
        with net.on("server"):
            site.names = Names()
        site.names.zone = {
            "ftp.example.org": [PUBLIC],
            "tcp.example.org": ["203.0.113.9", "203.0.113.8"],
        }
        site.server = Server(
            place, root, host=Net.V4["server"], port=21,
            prefix=net.inside("server"), conf={
                "passive.address":
                    f"ftp.example.org {INSIDE}=local "
                    "203.0.113.0/24=203.0.113.200 "
                    "127.0.0.1=tcp.example.org 127.0.0.2=myself.example.org "
                    "127.0.0.3=listed.example.org 127.0.0.4=none.example.org",
                "listen": f"{Net.V4['server']}:21 127.0.0.1:21 "
                          f"[{Net.V6['server']}]:21",
                "passive.resolve": 10})
        site.server.wait_for("none.example.org has no IPv4 address")
        yield site
        assert site.server.stop() == 0, site.server.stderr
    finally:
        if hasattr(site, "names"):
            site.names.close()
        net.down()
        shutil.rmtree(etc, ignore_errors=True)
        shutil.rmtree(place)


@needs_root
def test_a_client_outside_fetches_at_the_public_address(site):
    with site.net.on("client"), Control((PUBLIC, 21)) as c:
        c.login()
        assert fetch(c, "RETR pub/small.nc") == (steady_bytes(1024), PUBLIC)
        # The second one comes by a port that was given ahead.
        assert fetch(c, "RETR pub/small.nc") == (steady_bytes(1024), PUBLIC)
        assert fetch(c, "NLST pub")[1] == PUBLIC
        assert c.fetch("RETR pub/small.nc") == steady_bytes(1024)   # EPSV


@needs_root
def test_a_client_that_believes_the_address_fetches(site):
    """curl goes where the 227 says, when it is told to."""
    got = subprocess.run(
        [*site.net.inside("client"), "curl", "-sS", "--disable-epsv",
         "--no-ftp-skip-pasv-ip", f"ftp://{PUBLIC}/pub/README"],
        capture_output=True, timeout=30)
    assert got.stdout == b"One line.\nAnother.\n", got.stderr


@needs_root
def test_a_client_inside_fetches_at_the_servers_own(site):
    server = Net.V4["server"]
    with site.net.on("thief"), Control((server, 21)) as c:
        c.login()
        assert fetch(c, "RETR pub/README")[1] == server


@needs_root
def test_the_entry_of_the_clients_network_holds(site):
    """Addresses that no transfer can be made to from here: only the text."""
    server = Net.V4["server"]
    with site.net.on("victim"), Control((server, 21)) as c:
        c.login()
        assert told(c.cmd("PASV"))[0] == "203.0.113.200"
        assert c.fetch("RETR pub/README")
    with site.net.on("server"):
        for source, expected in (
                ("127.0.0.1", "203.0.113.8"),   # by TCP; the lowest of two
                ("127.0.0.3", "203.0.113.77")):     # from /etc/hosts
            with Control(("127.0.0.1", 21), source) as c:
                c.login()
                assert told(c.cmd("PASV"))[0] == expected


@needs_root
def test_without_an_address_pasv_is_refused_and_epsv_works(site):
    with site.net.on("server"):
        for source in ("127.0.0.2", "127.0.0.4"):
            with Control(("127.0.0.1", 21), source) as c:
                c.login()
                reply = c.cmd("PASV")
                assert reply.code == 425 and "EPSV" in reply, reply
                assert c.cmd("RETR pub/README").code == 425
                with socket.create_connection(("127.0.0.1", c.epsv()), 10,
                                              (source, 0)) as data:
                    assert c.cmd("RETR pub/README").code == 150
                    assert data.recv(100) == b"One line.\nAnother.\n"
                assert c.read().code == 226
    assert "myself.example.org has no address that a client could connect " \
        "to; look into /etc/hosts" in site.server.stderr


@needs_root
def test_a_stranger_gets_nothing_at_the_told_address(site):
    with site.net.on("client"), Control((PUBLIC, 21)) as c:
        c.login()
        port = told(c.cmd("PASV"))[1]
        with site.net.on("thief"), socket.create_connection(
                (Net.V4["server"], port), timeout=10) as thief:
            assert thief.recv(1) == b""
        with socket.create_connection((PUBLIC, port), timeout=10) as data:
            assert c.cmd("RETR pub/README").code == 150
            assert data.recv(100) == b"One line.\nAnother.\n"
        assert c.read().code == 226


@needs_root
def test_a_name_is_resolved_again(site):
    """And a process that has the answer before it is no more than that."""
    server, names = site.server, site.names
    names.silent = True
    names.zone["ftp.example.org"] = [PUBLIC_2]
    names.asked.clear()
    # The resolver hangs, and the last address stays.
    end = time.monotonic() + 20
    while not (pids := server.children("portcullis-resolver")):
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.1)         # from fork to its walls
    status = pathlib.Path(f"/proc/{pids[0]}/status").read_text()
    for line in ("Seccomp:\t2", "NoNewPrivs:\t1",
                 "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"):
        assert line in status, status
    assert "Uid:\t0" not in status
    with site.net.on("client"), Control((PUBLIC, 21)) as c:
        c.login()
        assert fetch(c, "RETR pub/README")[1] == PUBLIC
        # Its end hurts nobody, and is followed by another.
        os.kill(pids[0], signal.SIGKILL)
        server.wait_for("ended by SIGKILL")
        assert fetch(c, "RETR pub/README")[1] == PUBLIC
        names.silent = False
        server.wait_for(f"ftp.example.org is {PUBLIC_2}")
        assert fetch(c, "RETR pub/README")[1] == PUBLIC_2
    # A name that is gone keeps its address, over a reload too; so it does
    # for sessions that have the list of before, where it had another place.
    names.zone.clear()
    with site.net.on("client"):
        old = Control((PUBLIC_2, 21)).login()
    asked = len(names.asked)
    server.write_conf({**server.settings,
                       "passive.address": "203.0.113.0/24=local "
                                          "ftp.example.org"})
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reloaded")
    server.wait_for("its last address stays")
    end = time.monotonic() + 20
    while len(names.asked) == asked:
        assert time.monotonic() < end
        time.sleep(0.02)
    with site.net.on("client"), Control((PUBLIC_2, 21)) as c:
        c.login()
        assert fetch(c, "RETR pub/README")[1] == PUBLIC_2
        assert fetch(old, "RETR pub/README")[1] == PUBLIC_2
    old.close()


@needs_root
def test_on_ipv6_pasv_stays_refused(site):
    with site.net.on("client"), Control((Net.V6["server"], 21)) as c:
        c.login()
        assert c.cmd("PASV").code == 425
        assert c.fetch("RETR pub/README")


# ---- ports of a listener

FEW = 16
# Below the ports that the kernel gives away, which other tests have.
FIRST = 11000 + os.getpid() % 500 * FEW


@pytest.fixture
def two_listeners(serve):
    """One with ports of its own, few of them."""
    second = free_port()
    server = serve({"listen": f"127.0.0.1:{free_port()} 127.0.0.1:{second}",
                    "passive.ports_at": f"127.0.0.1:{second}={FIRST}-"
                                        f"{FIRST + FEW - 1}"},
                   wait=False)
    server.wait_for("ready:")
    first = int(re.search(r"127\.0\.0\.1:(\d+)/", server.stderr)[1])
    server.address = ("127.0.0.1", first)
    server.second = ("127.0.0.1", second)
    return server


def test_a_listener_has_its_own_ports_and_its_own_full(two_listeners):
    server = two_listeners
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Control(server.second)).login()
                for _ in range(FEW + 1)]
        ports = [c.epsv() for c in many[:FEW]]
        assert sorted(ports) == list(range(FIRST, FIRST + FEW))
        full = many[FEW].cmd("EPSV")
        assert full.code == 425 and "in use" in full, full
        # The other listener does not notice.
        with Control(server.address) as c:
            assert 30000 <= c.login().epsv() <= 32000
        # A port that is given up is found.
        assert many[3].cmd("ABOR").code == 226
        assert many[FEW].epsv() == ports[3]
    assert server.stop() == 0
    gate = [e["stats"] for e in server.events("stats")
            if e["stats"]["process"] == "gate"][-1]
    assert gate["passive_full"] == 1
    assert gate["passive_expired"] == gate["passive_unclaimed"] == 0


def test_none_is_given_ahead_when_half_the_range_is_open(two_listeners):
    server = two_listeners
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Control(server.second)).login()
                for _ in range(FEW + 1)]
        for c in many[1:FEW // 2 + 1]:
            c.epsv()
        for _ in range(2):
            many[0].fetch("RETR pub/README")
        for c in many[FEW // 2 + 1:]:
            c.epsv()        # all that are left


def test_a_port_given_ahead_yields_to_who_asks(two_listeners):
    """Idle next ports are no reason for a 425."""
    server = two_listeners
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Control(server.second)).login()
                for _ in range(FEW + 1)]
        idle = many[0]
        for _ in range(2):
            idle.fetch("RETR pub/README")
        for c in many[1:FEW]:
            c.epsv()
        assert many[FEW].cmd("EPSV").code == 425    # its session may want it
        time.sleep(2.1)
        taken = many[FEW].epsv()
        # And the session that had it asks for another: there is none.
        assert idle.cmd("EPSV").code == 425
        assert many[FEW].cmd("ABOR").code == 226
        assert idle.epsv() == taken
    assert server.stop() == 0
    gate = [e["stats"] for e in server.events("stats")
            if e["stats"]["process"] == "gate"][-1]
    assert gate["passive_unclaimed"] == 1
    assert gate["passive_full"] == 2
