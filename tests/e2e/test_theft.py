# tests/e2e/test_theft.py: a passive port is for its session's client alone.
# SPDX-License-Identifier: Apache-2.0
"""The "pizza thief" (VU#2558) and his friends: who connects to a passive port
and is not the client gets nothing, and costs the owner nothing."""

import collections
import contextlib
import math
import pathlib
import random
import resource
import re
import selectors
import socket
import subprocess
import threading
import time

import pytest

from conftest import SANITIZED, Control, Net, needs_root, steady_bytes

pytestmark = needs_root

C4, S4, T4 = (Net.V4[h] for h in ("client", "server", "thief"))
S6 = Net.V6["server"]
ROWS = pathlib.Path(__file__).parents[1] / "vectors" / "bounce.tsv"
SMALL = steady_bytes(1024)
RACES = 400 if SANITIZED else 2000
NARROW = "30000-30015"


class Scene:
    """A server in its namespace, an owner and a thief in theirs."""

    def __init__(self, net, start):
        self.net = net
        self.start = start

    def serve(self, preexec=None, **conf):
        settings = {
            "listen": f"{S4}:21 [{S6}]:21",
            "sessions.per_address": 1000,
        }
        settings.update({k.replace("__", "."): v for k, v in conf.items()})
        self.server = self.start(settings, host=S4, port=21,
                                 prefix=self.net.inside("server"),
                                 preexec=preexec)
        return self

    def login(self, host="client", family=4):
        here = self.net.V6[host] if family == 6 else self.net.V4[host]
        with self.net.on(host):
            control = socket_control((S6 if family == 6 else S4, 21), here)
        return control.login()

    def connect(self, host, port, source=None, server=S4, timeout=10):
        with self.net.on(host):
            return socket.create_connection(
                (server, port), timeout,
                source_address=(source, 0) if source else None)

    def listening(self):
        """(address, port, process names) of what listens in the namespace,
        without the control ports."""
        out = subprocess.run([*self.net.inside("server"), "ss", "-Hltnp"],
                             check=True, capture_output=True,
                             text=True).stdout
        found = []
        for line in out.splitlines():
            ip, port = line.split()[3].rsplit(":", 1)
            if port != "21":
                found.append((ip.strip("[]"), int(port),
                              set(re.findall(r'\("([^"]+)"', line))))
        return found

    def ports(self):
        return {port for _, port, _ in self.listening()}


def socket_control(address, source):
    c = Control(address, source, 30)
    c.local = c.sock.getsockname()[:2]
    return c


def received(sock):
    """All that comes until the end, however it ends."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def scene(net, serve):
    return Scene(net, serve)


# ---- who is the owner

def accepting_rows():
    for number, line in enumerate(ROWS.read_text().splitlines(), 1):
        columns = line.split("\t")
        if len(columns) == 7 and columns[1] == "accepting" and \
                "::ffff:" not in columns[2]:
            yield pytest.param(columns[2], columns[3], columns[4], columns[5],
                               id=f"{columns[0].lower()}-line{number}")


@pytest.mark.parametrize("who, peer, server_ip, kind", accepting_rows())
def test_pt_vector(scene, who, peer, server_ip, kind):
    net = scene.net
    net.run("ip", "-n", net.names["client"], "addr", "add", "198.51.100.8/32",
            "dev", "eth0")
    net.run("ip", "-n", net.names["client"], "addr", "add",
            "2001:db8:1::8/128", "dev", "eth0", "nodad")
    ip = who.rsplit(":", 1)[0].strip("[]")
    host = {"203.0.113.99": "victim", "2001:db8:3::99": "victim",
            "127.0.0.1": "server"}.get(ip, "client")
    scene.serve()
    with scene.login(family=6 if ":" in peer else 4) as owner:
        assert owner.local[0] == peer
        port = owner.epsv()
        other = scene.connect(host, port, ip, server_ip)
        if kind == "none":
            assert owner.cmd("RETR pub/small.nc").code == 150
            assert received(other) == SMALL
            assert owner.read().code == 226
            return
        other_port = other.getsockname()[1]
        assert received(other) == b""
        with scene.connect("client", port, peer, server_ip) as data:
            assert owner.cmd("RETR pub/small.nc").code == 150
            assert received(data) == SMALL
        assert owner.read().code == 226
    alert, = scene.server.events("alert")
    assert alert["ftp_bounce"]["variant"] == kind
    assert alert["ftp_bounce"]["asked_ip"] == ip
    assert alert["ftp_bounce"]["asked_port"] == other_port
    assert alert["src_ip"] == peer
    assert alert["src_port"] == owner.local[1]


@pytest.mark.parametrize("command", ["RETR pub/big.grib2", "NLST pub"])
def test_a06_pt01_a_thief_who_is_first_gets_nothing(scene, command):
    """Also when the transfer has been asked for before anybody comes."""
    scene.serve()
    with scene.login() as owner:
        port = owner.epsv()
        owner.send(command + "\r\n")
        for _ in range(3):
            assert received(scene.connect("thief", port)) == b""
        with scene.connect("client", port) as data:
            assert owner.read().code == 150
            body = received(data)
        assert owner.read().code == 226
    if command.startswith("RETR"):
        assert body == steady_bytes(5_000_001, 2)
    else:
        assert b"small.nc\r\n" in body
    alerts = scene.server.events("alert", want=3)
    assert [(a["ftp_bounce"]["variant"], a["ftp_bounce"]["asked_ip"])
            for a in alerts] == [("pasv_theft", T4)] * 3


def start_connect(scene, host, port):
    """A connection that is on its way."""
    with scene.net.on(host):
        sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex((S4, port))
    return sock


def test_a06_pt10_two_thousand_races_and_not_a_byte_stolen(scene, capsys):
    r = random.Random(2558)
    scene.serve()
    stolen = won = 0
    start = time.monotonic()
    thieves = []
    with contextlib.ExitStack() as stack:
        owners = [stack.enter_context(scene.login()) for _ in range(8)]
        for race in range(RACES):
            owner = owners[race % len(owners)]
            port = owner.epsv()
            order = r.choice((("thief", "client"), ("client", "thief"),
                              ("thief", "thief", "client", "thief")))
            early = r.random() < 0.5
            if early:
                owner.send("RETR pub/small.nc\r\n")
            socks = [(host, start_connect(scene, host, port))
                     for host in order]
            if not early:
                owner.send("RETR pub/small.nc\r\n")
            for host, sock in socks:
                sock.settimeout(30)
                if host == "thief":
                    thieves.append(sock)
                    continue
                body = received(sock)
                sock.close()
            assert [owner.read().code, owner.read().code] == [150, 226]
            assert body == SMALL
            for sock in thieves:
                # Refused, closed or reset; never data.
                with contextlib.suppress(OSError):
                    stolen += len(received(sock))
                sock.close()
                won += 1
            thieves.clear()
    with capsys.disabled():
        print(f"\n{RACES} races in {time.monotonic() - start:.1f} s, "
              f"{won} thieves, {stolen} bytes stolen")
    assert stolen == 0
    assert won >= RACES


def repeating(owner, scene):
    """An owner of whom it is known that he fetches file after file: the gate
    listens for his next data connection already."""
    for _ in range(2):
        with scene.net.on("client"):
            assert owner.fetch("RETR pub/small.nc") == SMALL
    until(lambda: len(scene.ports()) == 1)
    return scene.ports().pop()


def test_a06_strangers_at_the_next_port_get_nothing(scene):
    scene.serve()
    with scene.login() as owner:
        for _ in range(30):
            port = repeating(owner, scene)
            assert received(scene.connect("thief", port)) == b""
            assert scene.ports() == {port}  # it goes on waiting
            assert owner.epsv() == port
            data = scene.connect("client", port)
            owner.send("RETR pub/small.nc\r\n")
            assert owner.read().code == 150
            assert received(data) == SMALL
            assert owner.read().code == 226


def test_a06_who_comes_before_he_is_told_gets_nothing(scene):
    """Nor does it harm him: his next EPSV is answered, and works."""
    scene.serve()
    with scene.login() as owner:
        for _ in range(30):
            port = repeating(owner, scene)
            assert received(scene.connect("client", port)) == b""
            with scene.net.on("client"):
                assert owner.fetch("RETR pub/small.nc") == SMALL


def test_a04_rein_leaves_no_next_port(scene):
    scene.serve()
    with scene.login() as owner:
        repeating(owner, scene)
        assert owner.cmd("REIN").code == 220
        until(lambda: not scene.ports())


def test_a09_a_next_port_that_nobody_wants_is_closed(scene):
    scene.serve(passive__timeout="1s")
    with scene.login() as owner:
        repeating(owner, scene)
        until(lambda: not scene.ports(), 30)
        with scene.net.on("client"):
            assert owner.fetch("RETR pub/small.nc") == SMALL


def test_a09_scarce_ports_are_not_held_back(scene):
    """Sixteen ports, sixteen sessions, each with one told: the last too."""
    scene.serve(passive__ports=NARROW)
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(scene.login()) for _ in range(16)]
        for c in sessions:
            for _ in range(2):
                with scene.net.on("client"):
                    assert c.fetch("RETR pub/small.nc") == SMALL
        assert len(scene.ports()) <= 9
        for c in sessions[9:]:
            assert c.cmd("EPSV").code == 229


def test_a06_a_next_port_that_was_given_up_is_never_told(scene):
    """Out of descriptors, the gate cannot take what comes to it."""
    scene.serve(worker__count=2, preexec=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (160, 160)))
    with scene.login() as owner, contextlib.ExitStack() as stack:
        port = repeating(owner, scene)
        crowd = []
        while True:
            with scene.net.on("client"):
                c = stack.enter_context(socket_control((S4, 21), C4))
            if c.read().code == 421:
                break
            assert c.cmd("USER ftp").code == 331
            assert c.cmd("PASS x").code == 230
            crowd.append(c)
        while crowd[0].cmd("EPSV").code == 229:
            crowd.append(crowd.pop(0))
        with contextlib.suppress(OSError):
            received(scene.connect("thief", port))
        until(lambda: port not in scene.ports())
        stack.close()
        until(lambda: not scene.ports())
        with scene.net.on("client"):
            assert owner.fetch("RETR pub/small.nc") == SMALL


def test_a06_the_next_port_survives_no_change_of_mind(scene):
    """Each told port can be connected to, whatever was said before."""
    scene.serve()
    random.seed(4)
    with scene.login() as owner:
        for _ in range(150):
            repeating(owner, scene) if random.random() < .2 else None
            for _ in range(random.randrange(4)):
                owner.cmd(random.choice(["EPSV", "PASV", "ABOR", "NOOP",
                                         f"EPRT |1|{C4}|50000|",
                                         "EPRT |1|192.0.2.99|50000|"]))
            with scene.net.on("client"):
                assert owner.fetch("RETR pub/small.nc") == SMALL


def test_a06_who_guesses_a_narrow_range_gets_nothing(scene):
    """A thief who knocks at all ports all the time."""
    scene.serve(passive__ports=NARROW)
    ending = threading.Event()
    stolen, knocks = [], [0]

    def knock():
        with scene.net.on("thief"):
            while not ending.is_set():
                for port in range(30000, 30016):
                    with contextlib.suppress(OSError), \
                            socket.create_connection((S4, port), 5) as s:
                        knocks[0] += 1
                        stolen.append(received(s))

    thief = threading.Thread(target=knock)
    thief.start()
    try:
        with scene.login() as owner:
            for _ in range(200):
                with scene.net.on("client"):
                    assert owner.fetch("RETR pub/small.nc") == SMALL
    finally:
        ending.set()
        thief.join()
    assert b"".join(stolen) == b""
    assert knocks[0] > 0


def test_a06_a_crowd_of_strangers_does_not_keep_the_owner_out(scene):
    scene.serve()
    with scene.login() as owner:
        port = owner.epsv()
        crowd = [start_connect(scene, "thief", port) for _ in range(300)]
        with scene.connect("client", port, timeout=30) as data:
            assert owner.cmd("RETR pub/small.nc").code == 150
            assert received(data) == SMALL
        assert owner.read().code == 226
        for one in crowd:
            one.close()
    alerts = scene.server.events("alert")
    assert 1 <= len(alerts) <= 5  # each session tells a few; all are counted


def test_a06_a_thief_on_a_port_nobody_uses_is_the_owners_425(scene):
    scene.serve(passive__timeout=2)
    with scene.login() as owner:
        port = owner.epsv()
        assert received(scene.connect("thief", port)) == b""
        assert owner.cmd("LIST").code == 425


def test_a07_a_stranger_injects_nothing(scene, archive):
    scene.serve()
    before = sorted(archive.rglob("*"))
    with scene.login() as owner:
        port = owner.epsv()
        owner.send("STOR pub/new\r\n")
        with contextlib.suppress(OSError), \
                scene.connect("thief", port) as thief:
            thief.sendall(b"injected" * 1000)
            assert received(thief) == b""
        assert owner.read().code >= 500
    assert sorted(archive.rglob("*")) == before


def test_a08_one_passive_reply_is_one_connection(scene):
    """Who shares the client's address cannot be told from the client; but
    the second one gets nothing, and the port is gone."""
    scene.serve(passive__ports=NARROW)
    with scene.login() as owner:
        port = owner.epsv()
        with scene.connect("client", port) as data:
            until(lambda: port not in scene.ports())
            with pytest.raises(ConnectionRefusedError):
                scene.connect("client", port)
            with pytest.raises(ConnectionRefusedError):
                scene.connect("thief", port)
            assert owner.cmd("RETR pub/small.nc").code == 150
            assert received(data) == SMALL
        assert owner.read().code == 226


# ---- which ports

def chi_square_tail(x, freedom):
    """P(chi² >= x) for an even number of degrees of freedom."""
    assert freedom % 2 == 0
    term = total = 1.0
    for i in range(1, freedom // 2):
        term *= x / 2 / i
        total += term
    return math.exp(-x / 2) * total


def passive_ports(scene, total):
    ports = []
    while len(ports) < total:
        with scene.login() as c:
            for _ in range(90):  # a hundred unused ones end a session
                ports.append(c.epsv())
    return ports[:total]


def test_pt02_passive_ports_cannot_be_foretold(scene):
    low, high, bins, n = 30000, 32099, 21, 2000
    scene.serve(passive__ports=f"{low}-{high}")
    ports = passive_ports(scene, n)
    assert all(low <= port <= high for port in ports)
    # Even over the range.
    width = (high - low + 1) / bins
    counts = collections.Counter(int((p - low) / width) for p in ports)
    chi = sum((counts[b] - n / bins) ** 2 / (n / bins) for b in range(bins))
    assert chi_square_tail(chi, bins - 1) > 1e-6, counts
    # And in their last bits.
    low_bits = collections.Counter(p & 7 for p in ports[:n])
    chi = sum((low_bits[b] - n / 8) ** 2 / (n / 8) for b in range(8))
    assert chi_square_tail(chi, 8) > 1e-6, low_bits
    # One says nothing of the next.
    mean = sum(ports) / n
    spread = sum((p - mean) ** 2 for p in ports)
    for lag in (1, 2, 3, 8):
        r = sum((ports[i] - mean) * (ports[i + lag] - mean)
                for i in range(n - lag)) / spread
        assert abs(r) * math.sqrt(n) < 5, (lag, r)
    steps = collections.Counter(b - a for a, b in zip(ports, ports[1:]))
    assert steps.most_common(1)[0][1] < 15
    assert len(set(ports)) > n / 2


def test_a09_only_the_range_is_ever_listened_on(scene):
    """And by the gate alone, at the address that the client came to."""
    scene.serve(passive__ports="30100-30400")
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(scene.login(family=4 + n % 2 * 2))
                    for n in range(20)]
        for _ in range(20):
            for c in sessions:
                assert 30100 <= c.epsv() <= 30400
            for ip, port, programs in scene.listening():
                assert ip in (S4, S6)
                assert 30100 <= port <= 30400
                # None: closed between the list and the look at it.
                assert all("gate" in name for name in programs)
    until(lambda: not scene.ports())


def test_a09_a_session_has_one_port_at_a_time(scene):
    scene.serve(passive__ports=NARROW)
    with scene.login() as c:
        for command in ("EPSV", "PASV") * 20:
            assert c.cmd(command).code in (227, 229)
            until(lambda: len(scene.ports()) == 1)
        assert c.cmd("ABOR").code == 226
        until(lambda: not scene.ports())


def test_a09_a_port_is_closed_when_it_has_been_used(scene):
    """But for the next one, which is another."""
    scene.serve()
    with scene.login() as c:
        for _ in range(20):
            port = c.epsv()
            data = scene.connect("client", port)
            c.send("RETR pub/small.nc\r\n")
            assert received(data) == SMALL
            assert c.read().code == 150
            assert c.read().code == 226
            until(lambda: port not in scene.ports())
            assert len(scene.ports()) <= 1


@pytest.mark.parametrize("end", ["QUIT", "REIN", "ABOR", "PORT 1", "gone"])
def test_a09_a_port_is_closed_when_it_is_not_wanted_any_more(scene, end):
    scene.serve(passive__ports=NARROW)
    with scene.login() as c:
        port = c.epsv()
        assert scene.ports() == {port}
        if end == "gone":
            c.close()
        else:
            c.cmd(end)
        until(lambda: not scene.ports())


def take_all(scene, stack):
    """The sixteen ports, each held by a session."""
    holders = [stack.enter_context(scene.login("thief")) for _ in range(16)]
    ports = {c.epsv() for c in holders}
    assert ports == set(range(30000, 30016))
    return holders


def test_a09_a_full_range_is_425_and_ends_with_its_holders(scene):
    scene.serve(passive__ports=NARROW)
    with contextlib.ExitStack() as stack, scene.login() as c:
        holders = take_all(scene, stack)
        assert c.cmd("EPSV").code == 425
        assert c.cmd("PASV").code == 425
        assert c.cmd("LIST").code == 425
        assert c.cmd("NOOP").code == 200
        holders[3].cmd("QUIT")
        until(lambda: len(scene.ports()) == 15)
        with scene.net.on("client"):
            assert c.fetch("RETR pub/small.nc") == SMALL
        # Active mode needs none of them.
        stack.enter_context(scene.login("thief")).epsv()
        assert c.cmd("EPSV").code == 425
        with scene.net.on("client"):
            listener = c.active()
        c.send("RETR pub/small.nc\r\n")
        data, _ = listener.accept()
        assert received(data) == SMALL
        assert [c.read().code, c.read().code] == [150, 226]
        listener.close()


def test_a09_pt08_unused_ports_expire(scene):
    scene.serve(passive__ports=NARROW, passive__timeout=2)
    with contextlib.ExitStack() as stack, scene.login() as c:
        holders = take_all(scene, stack)
        assert c.cmd("EPSV").code == 425
        until(lambda: not scene.ports())
        with scene.net.on("client"):
            assert c.fetch("RETR pub/small.nc") == SMALL
        assert holders[0].cmd("LIST").code == 425


class Flood(threading.Thread):
    """Sessions that ask for passive ports without end and use none."""

    def __init__(self, scene, sessions):
        super().__init__()
        self.scene, self.sessions = scene, sessions
        self.asked = 0
        self.ending = False
        self.running = threading.Event()

    def run(self):
        with self.scene.net.on("thief"):
            self.flood()

    def open(self, selector):
        sock = socket.create_connection((S4, 21), 30)
        sock.sendall(b"USER ftp\r\nPASS x@\r\n" + b"EPSV\r\n" * 5)
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ)

    def flood(self):
        selector = selectors.DefaultSelector()
        for _ in range(self.sessions):
            self.open(selector)
        self.running.set()
        while not self.ending:
            for key, _ in selector.select(0.5):
                self.answer(selector, key.fileobj)
        for key in list(selector.get_map().values()):
            key.fileobj.close()

    def answer(self, selector, sock):
        try:
            data = sock.recv(65536)
            passive = data.count(b"229 ") + data.count(b"425 ")
            self.asked += passive
            sock.send(b"EPSV\r\n" * passive)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # shown out for asking in vain
            selector.unregister(sock)
            sock.close()
            self.open(selector)


def test_a09_three_hundred_sessions_that_ask_for_ports_stop_nobody(scene):
    scene.serve()
    flood = Flood(scene, 300)
    flood.start()
    try:
        assert flood.running.wait(60)
        with scene.login() as c:
            for _ in range(50):
                with scene.net.on("client"):
                    assert c.fetch("RETR pub/small.nc") == SMALL
            with scene.net.on("client"):
                assert c.fetch("RETR pub/big.grib2") == \
                    steady_bytes(5_000_001, 2)
    finally:
        flood.ending = True
        flood.join()
    assert flood.asked > 1000
