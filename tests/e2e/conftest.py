# tests/e2e/conftest.py: the real programs, a real archive, real hosts.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every end-to-end test shares.

`archive` is a directory with what an archive has; `server` starts portcullisd
on it and ends it by its process number; `net` makes hosts (network
namespaces) that can reach each other; `Control` is a control connection
without a client's opinions.
"""

import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

BUILD = pathlib.Path(os.environ.get(
    "PORTCULLIS_BUILD", pathlib.Path(__file__).parents[2] / "build"))
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
SANITIZED = "asan" in BUILD.name
# About a build that users get: with sanitizers there is nothing to ask.
plain_build = pytest.mark.plain_build
# The search for leaks wants to trace the process, which its walls forbid; and
# memory that is kept after it was freed is not memory that a session holds.
ENVIRONMENT = dict(os.environ,
                   ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=8")


def pytest_configure(config):
    config.addinivalue_line("markers", "plain_build: not with sanitizers")


def pytest_collection_modifyitems(config, items):
    if not SANITIZED:
        return
    left_out = [i for i in items if i.get_closest_marker("plain_build")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [i for i in items if i not in left_out]


# A program's peak memory begins with that of the process that started it, so
# a small one starts it: the tests' own process may have grown large.
STARTER = """import os, subprocess, sys
started = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(started.pid, 0)
with open(sys.argv[1], "w") as out:
    out.write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run_measured(*argv, **options):
    """(subprocess.run's result, peak memory in bytes) of a command."""
    with tempfile.NamedTemporaryFile("r") as peak:
        done = subprocess.run(
            ["/usr/bin/python3", "-c", STARTER, peak.name, *argv],
            stdout=subprocess.PIPE, **options)
        return done, int(peak.read()) * 1024


# ---- control connections

class Reply(str):
    """A whole reply; .code is its number."""

    @property
    def code(self):
        return int(self[:3])


class Control:
    """A control connection: bytes out, replies in."""

    def __init__(self, address, source=None, timeout=10):
        self.sock = socket.create_connection(
            address, timeout=timeout,
            source_address=(source, 0) if source else None)
        self.file = self.sock.makefile("rb")
        self.peer = address

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes)
                          else data.encode("utf-8", "surrogateescape"))

    def read(self):
        """One reply (RFC 959 4.2), multi-line ones whole."""
        lines = []
        while True:
            raw = self.file.readline()
            if not raw:
                raise EOFError("".join(lines))
            line = raw.decode("utf-8", "surrogateescape")
            assert line.endswith("\r\n"), repr(line)
            lines.append(line)
            if re.match(r"\d{3} ", line) and line[:3] == lines[0][:3]:
                return Reply("".join(lines))
            assert len(lines) > 1 or line[3] == "-", repr(line)

    def cmd(self, line):
        self.send(line + "\r\n")
        return self.read()

    def login(self, user="anonymous"):
        assert self.read().code == 220
        assert self.cmd(f"USER {user}").code == 331
        assert self.cmd("PASS test@example.org").code == 230
        return self

    def epsv(self):
        """The port of a 229 reply."""
        reply = self.cmd("EPSV")
        assert reply.code == 229, reply
        return int(re.search(r"\(\|\|\|(\d+)\|\)", reply).group(1))

    def data(self, source=None):
        """A passive data connection, connected."""
        return socket.create_connection(
            (self.sock.getpeername()[0], self.epsv()), timeout=10,
            source_address=(source or self.sock.getsockname()[0], 0))

    def active(self):
        """A listening socket that the server was told by PORT or EPRT."""
        mine = self.sock.getsockname()[0]
        listener = socket.create_server(
            (mine, 0), family=self.sock.family)
        listener.settimeout(10)
        port = listener.getsockname()[1]
        v6 = self.sock.family == socket.AF_INET6
        reply = self.cmd(f"EPRT |{2 if v6 else 1}|{mine}|{port}|")
        assert reply.code == 200, reply
        return listener

    def fetch(self, command):
        """A whole passive transfer: its bytes; 150 and 226 are checked."""
        with self.data() as data:
            first = self.cmd(command)
            assert first.code == 150, first
            body = b"".join(iter(lambda: data.recv(1 << 16), b""))
        last = self.read()
        assert last.code == 226, last
        return body

    def ended(self):
        """True when the server has closed the connection."""
        self.sock.settimeout(10)
        try:
            while self.file.read(4096):
                pass
        except ConnectionResetError:
            pass
        return True

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the archive

def steady_bytes(n, seed=1):
    """The same n bytes every time, and no pattern in them."""
    return random.Random(seed).randbytes(n)


def make_archive(root):
    """What a public archive has, small enough to be made for each test."""
    pub = root / "pub"
    (pub / "data" / "2023").mkdir(parents=True)
    (pub / "empty dir").mkdir()
    (pub / "README").write_bytes(b"One line.\nAnother.\n")
    (pub / "small.nc").write_bytes(steady_bytes(1024))
    (pub / "big.grib2").write_bytes(steady_bytes(5_000_001, 2))
    (pub / "zero").write_bytes(b"")
    (pub / "crlf.txt").write_bytes(b"a\r\nb\nc\r\n")
    (pub / "a name with blanks.nc").write_bytes(b"blanks")
    (pub / 'a "quoted" name').write_bytes(b"quotes")
    (pub / "été.nc").write_bytes(b"utf-8")
    (pub / "data" / "2023" / "t2m.grib2").write_bytes(steady_bytes(70000, 3))
    (pub / "latest").symlink_to("data/2023")
    (pub / "link.nc").symlink_to("small.nc")
    (pub / "outside").symlink_to("/etc/passwd")
    (pub / "above").symlink_to("../../../../etc/passwd")
    return root


def open_to_others(root):
    """The worker's user must be able to read it."""
    for path in [root, *root.parents]:
        if path.stat().st_uid == os.geteuid() and path != path.parent:
            path.chmod(path.stat().st_mode | 0o055)
        if path == pathlib.Path(tempfile.gettempdir()):
            break
    for base, dirs, files in os.walk(root):
        for name in dirs + files:
            path = pathlib.Path(base, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def place():
    """A directory that other users may pass through; removed after."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def archive(place):
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    open_to_others(root)
    return root


# ---- the server

# Tests that run beside each other (tests/run-e2e) take ports of their own.
_slot = os.environ.get("PORTCULLIS_SLOT")
_ports = itertools.count(20100 + (int(_slot) * 600 if _slot else
                                  os.getpid() % 400 * 20))


def free_port():
    """A port that nothing listens on now."""
    for port in _ports:
        with contextlib.suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port


class Server:
    """A running portcullisd."""

    def __init__(self, place, archive, conf=None, host="127.0.0.1",
                 prefix=(), port=None, args=(), wait=True, preexec=None,
                 build=None):
        self.place = place
        self.port = port or free_port()
        self.host = host
        self.address = (host, self.port)
        self.events_file = place / f"events-{self.port}.json"
        self.xferlog_file = place / f"xferlog-{self.port}"
        self.stderr_file = place / f"stderr-{self.port}"
        settings = {
            "archive": archive,
            "listen": f"[{host}]:{self.port}" if ":" in host
                      else f"{host}:{self.port}",
            "passive.ports": "30000-32000",
            "events": self.events_file,
            "xferlog": self.xferlog_file,
            "worker.count": 1,
            "stop.timeout": 5,
        }
        settings.update(conf or {})
        self.conf_file = place / f"portcullis-{self.port}.conf"
        self.write_conf(settings)
        self.process = subprocess.Popen(
            [*prefix, str((build or BUILD) / "portcullisd"), "-c", str(self.conf_file),
             *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.stderr_file.open("wb"), env=ENVIRONMENT,
            preexec_fn=preexec)
        if wait:
            self.wait_for("ready:")

    def write_conf(self, settings):
        self.settings = settings
        self.conf_file.write_text("".join(
            f"{key} = {value}\n" for key, value in settings.items()
            if value is not None))

    @property
    def stderr(self):
        return self.stderr_file.read_text(errors="replace")

    def wait_for(self, text, times=1, seconds=30):
        """Until standard error holds text so many times."""
        end = time.monotonic() + seconds
        while self.stderr.count(text) < times:
            assert self.process.poll() is None or text in self.stderr, \
                self.stderr
            assert time.monotonic() < end, f"no {text!r}: {self.stderr}"
            time.sleep(0.02)

    def control(self, source=None, timeout=10):
        return Control(self.address, source, timeout)

    def login(self, source=None):
        return self.control(source).login()

    def url(self, path=""):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ftp://{host}:{self.port}/{path}"

    def events(self, kind=None, seconds=5, want=1):
        """The events so far, once there are `want` of that kind."""
        end = time.monotonic() + seconds
        while True:
            # The last line may still be on its way.
            found = [json.loads(line) for line in
                     self.events_file.read_text().split("\n")[:-1]]
            if kind:
                found = [e for e in found if e["event_type"] == kind]
            if len(found) >= want or time.monotonic() > end:
                return found
            time.sleep(0.02)

    def children(self, name):
        """Process numbers of this server's gate or workers."""
        out = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", name],
            capture_output=True, text=True).stdout
        return [int(pid) for pid in out.split()]

    def stop(self, seconds=30):
        """Ends it as an operator would; every end must be a clean one."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(seconds)
        for report in ("AddressSanitizer", "runtime error", "LeakSanitizer"):
            assert report not in self.stderr, self.stderr
        assert "forbids" not in self.stderr, self.stderr
        return status


@pytest.fixture
def serve(place, archive):
    """serve(conf): starts a server; all are ended after the test."""
    servers = []

    def start(conf=None, **kwargs):
        servers.append(Server(place, kwargs.pop("archive", archive), conf,
                              **kwargs))
        return servers[-1]

    yield start
    for one in servers:
        assert one.stop() == 0, one.stderr


@pytest.fixture
def server(serve):
    return serve()


# ---- hosts

class Net:
    """client, server, victim (and thief): hosts joined by a router."""

    V4 = {"client": "198.51.100.7", "server": "192.0.2.21",
          "victim": "203.0.113.99", "thief": "198.18.0.66"}
    V6 = {"client": "2001:db8:1::7", "server": "2001:db8:2::21",
          "victim": "2001:db8:3::99", "thief": "2001:db8:4::66"}

    def __init__(self):
        tag = f"p{os.getpid() % 100000}"
        self.names = {host: f"{tag}-{host}" for host in self.V4}
        self.router = f"{tag}-router"
        self.made = []

    def run(self, *command):
        subprocess.run(command, check=True, capture_output=True)

    def up(self):
        for name in [self.router, *self.names.values()]:
            self.run("ip", "netns", "add", name)
            self.made.append(name)
            self.run("ip", "-n", name, "link", "set", "lo", "up")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            self.run("ip", "netns", "exec", self.router, "sysctl", "-qw",
                     f"{key}=1")
        for host in self.names:
            self.join(host)

    def join(self, host):
        name, leg = self.names[host], f"r-{host}"
        v4, v6 = self.V4[host], self.V6[host]
        gate4 = v4.rsplit(".", 1)[0] + ".1"
        gate6 = v6.rsplit("::", 1)[0] + "::1"
        self.run("ip", "link", "add", "eth0", "netns", name, "type", "veth",
                 "peer", "name", leg, "netns", self.router)
        for where, dev, a4, a6 in ((name, "eth0", v4, v6),
                                   (self.router, leg, gate4, gate6)):
            self.run("ip", "-n", where, "addr", "add", a4 + "/24", "dev", dev)
            self.run("ip", "-n", where, "addr", "add", a6 + "/64", "dev", dev,
                     "nodad")
            self.run("ip", "-n", where, "link", "set", dev, "up")
        self.run("ip", "-n", name, "route", "add", "default", "via", gate4)
        self.run("ip", "-n", name, "-6", "route", "add", "default", "via",
                 gate6)

    def inside(self, host):
        """The words that put a command onto that host."""
        return ("ip", "netns", "exec", self.names[host])

    @contextlib.contextmanager
    def on(self, host):
        """This thread's new sockets are made on that host."""
        libc = __import__("ctypes").CDLL(None, use_errno=True)
        with open("/proc/self/ns/net") as before, \
                open(f"/run/netns/{self.names[host]}") as there:
            assert libc.setns(there.fileno(), 0x40000000) == 0
            try:
                yield
            finally:
                assert libc.setns(before.fileno(), 0x40000000) == 0

    def packets(self, host):
        """What has reached that host's interface, address resolution and
        router chatter left out."""
        out = subprocess.run(
            [*self.inside(host), "nft", "-j", "list", "counters"],
            check=True, capture_output=True, text=True).stdout
        counters = [c["counter"] for c in json.loads(out)["nftables"]
                    if "counter" in c]
        return sum(c["packets"] for c in counters)

    def count(self, host):
        """Starts to count TCP, UDP and whatever else is no ICMPv6."""
        rules = """table inet watch {
            counter seen { }
            chain in {
                type filter hook prerouting priority raw
                iifname eth0 meta l4proto != ipv6-icmp counter name seen
            }
        }
"""
        subprocess.run([*self.inside(host), "nft", "-f", "-"], check=True,
                       input=rules, text=True)

    def down(self):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name])


@pytest.fixture
def net():
    if not IS_ROOT:
        pytest.skip("network namespaces need root")
    hosts = Net()
    try:
        hosts.up()
        yield hosts
    finally:
        hosts.down()
