# tests/e2e/test_watch_live.py: the sensor on a wire, with real attackers.
# SPDX-License-Identifier: Apache-2.0
"""Hosts in namespaces of their own, a server that can be bounced and ours,
nmap, thieves and honest clients; the sensor beside the server."""

import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import BUILD, ENVIRONMENT, SANITIZED, Net, needs_root

pytestmark = needs_root

HERE = pathlib.Path(__file__).parent
C4, S4, V4, T4 = (Net.V4[h] for h in ("client", "server", "victim", "thief"))


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Sensor:
    """portcullis watch on the server's interface."""

    def __init__(self, net, place, *more):
        self.events_file = place / "sensor.json"
        self.said = place / "sensor.txt"
        self.complaints = place / "sensor.err"
        self.process = subprocess.Popen(
            [*net.inside("server"), str(BUILD / "portcullis"), "watch", "-i",
             "eth0", "-o", str(self.events_file), *more],
            stdin=subprocess.DEVNULL, stdout=self.said.open("wb"),
            stderr=self.complaints.open("wb"), env=ENVIRONMENT)
        until(lambda: "watching eth0" in self.complaints.read_text())

    def stop(self):
        """What it has found, by id, as it stands at the end."""
        time.sleep(1)  # what is in the ring
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.complaints.read_text()
        return self.found()

    def found(self):
        last = {}
        for line in self.events_file.read_text().splitlines():
            event = json.loads(line)
            if event["event_type"] == "alert":
                last[event["ftp_bounce"]["id"]] = event["ftp_bounce"]
        return last

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def watch(net, place):
    """watch(options): starts the sensor; ended after the test."""
    sensors = []

    def start(*more):
        sensors.append(Sensor(net, place, *more))
        return sensors[-1]

    yield start
    for sensor in sensors:
        sensor.kill()


@pytest.fixture
def gullible(net):
    """The server that believes everything."""
    process = subprocess.Popen(
        [*net.inside("server"), "/usr/bin/python3",
         str(HERE / "vulnerable.py"), S4], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.wait()


@contextlib.contextmanager
def listening(net, host, *ports):
    """Those ports of the host are open; what comes is taken and dropped."""
    with net.on(host):
        servers = [socket.create_server((Net.V4[host], port))
                   for port in ports]
    try:
        yield
    finally:
        for server in servers:
            server.close()


def drop(net, host, port):
    """Its packet filter swallows what comes to this port."""
    subprocess.run([*net.inside(host), "nft", "-f", "-"], check=True,
                   text=True, input=f"""table inet wall {{
        chain in {{
            type filter hook input priority 0
            tcp dport {port} drop
        }}
    }}
""")


class Client:
    """A control connection of ours, from a host."""

    def __init__(self, net, host="client"):
        self.net, self.host = net, host
        with net.on(host):
            self.sock = socket.create_connection((S4, 21), 10)
        self.file = self.sock.makefile("rb")
        self.read()
        self.cmd("USER anonymous")
        self.cmd("PASS guest@example.org")

    def read(self):
        while True:
            line = self.file.readline().decode("latin-1")
            if re.match(r"\d{3} ", line):
                return line

    def cmd(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.read()

    def pasv(self):
        n = re.findall(r"\d+", self.cmd("PASV"))[-2:]
        return int(n[0]) << 8 | int(n[1])

    def connect(self, port, host=None):
        with self.net.on(host or self.host):
            return socket.create_connection((S4, port), 10)

    def store(self, name, body):
        with self.connect(self.pasv()) as data:
            self.sock.sendall(f"STOR {name}\r\n".encode())
            assert self.read().startswith("150")
            data.sendall(body)
        assert self.read().startswith("226")


def ports_of(nmap):
    return {int(port): state for port, state in
            re.findall(r"^(\d+)/tcp\s+(\w+)", nmap, re.M)}


def map_of(bounce):
    return {int(port): state for state in ("open", "closed", "filtered")
            for port in bounce["scan"][state]}


def test_nmap_s_port_map_is_the_sensor_s(net, place, gullible, watch):
    sensor = watch()
    dump = subprocess.Popen(
        [*net.inside("server"), "tcpdump", "-i", "eth0", "-U", "-w",
         str(place / "same.pcap"), "-Z", "root"], stderr=subprocess.PIPE)
    assert b"listening" in dump.stderr.readline()
    drop(net, "victim", 8080)
    with listening(net, "victim", 22, 80):
        out = subprocess.run(
            [*net.inside("client"), "nmap", "-Pn", "-n", "-b",
             f"anonymous:x@{S4}", "-p", "21,22,25,80,443,8080", V4],
            capture_output=True, text=True, timeout=120).stdout
    found = sensor.stop()
    dump.terminate()
    dump.wait()
    scans = [b for b in found.values() if "scan" in b["variant"]]
    assert len(scans) == 1, found
    told = ports_of(out)
    assert {port for port, state in told.items() if state == "open"} == \
        {22, 80}, out
    # nmap calls closed what the server gives up on; the wire knows better.
    seen = map_of(scans[0])
    assert seen.pop(8080) == "filtered"
    assert told.pop(8080) in ("closed", "filtered")
    assert seen == told
    assert scans[0]["stage"] == "completed"
    assert scans[0]["level"] == "critical"
    assert scans[0]["scanner"] == "nmap -b"
    assert scans[0]["asked_ip"] == V4
    # The capture of the same wire says the same.
    done = subprocess.run([str(BUILD / "portcullis"), "watch", "--json", "-r",
                           str(place / "same.pcap")], capture_output=True,
                          text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    again = {e["ftp_bounce"]["id"]: e["ftp_bounce"] for e in
             map(json.loads, done.stdout.splitlines())
             if e["event_type"] == "alert"}
    assert {(i, b["variant"], b["stage"]) for i, b in again.items()} == \
        {(i, b["variant"], b["stage"]) for i, b in found.items()}


def test_a_theft_is_seen_to_the_end(net, gullible, watch):
    sensor = watch()
    owner = Client(net)
    port = owner.pasv()
    thief = owner.connect(port, "thief")
    owner.sock.sendall(b"RETR README\r\n")
    assert owner.read().startswith("150")
    stolen = b"".join(iter(lambda: thief.recv(65536), b""))
    assert stolen.startswith(b"Nothing to see")
    found = sensor.stop()
    assert [(b["variant"], b["stage"], b["level"], b["asked_ip"])
            for b in found.values()] == \
        [("pasv_theft", "completed", "critical", T4)]
    (bounce,) = found.values()
    assert bounce["bytes_received"] == len(stolen)


def test_an_upload_that_is_relayed_is_seen(net, gullible, watch):
    sensor = watch()
    with listening(net, "victim", 25):
        attacker = Client(net)
        attacker.store("mail", b"HELO there\r\nMAIL FROM:<a@example.org>\r\n")
        attacker.cmd(f"PORT {V4.replace('.', ',')},0,25")
        attacker.sock.sendall(b"RETR mail\r\n")
        assert attacker.read().startswith("150")
        assert attacker.read().startswith("226")
    found = {b["variant"]: b for b in sensor.stop().values()}
    assert set(found) == {"third_party", "payload_relay"}
    assert {b["stage"] for b in found.values()} == {"completed"}
    assert found["payload_relay"]["level"] == "critical"


def test_honest_clients_are_left_alone(net, serve, watch):
    serve({"listen": f"{S4}:21", "active.source_port": 20}, host=S4, port=21,
          prefix=net.inside("server"))
    sensor = watch()
    inside = net.inside("client")
    for words in ([], ["-P", "-"], ["-P", "-", "--disable-eprt"],
                  ["--disable-epsv"]):
        subprocess.run([*inside, "curl", "-sS", *words, "-o", "/dev/null",
                        f"ftp://{S4}/pub/README"], check=True, timeout=60)
    for mode in ("yes", "no"):
        subprocess.run([*inside, "lftp", "-e", f"set ftp:passive-mode {mode};"
                        "set net:max-retries 2; ls pub; cat pub/README; bye",
                        f"ftp://{S4}"], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)
    assert sensor.stop() == {}
    stats = [json.loads(line)["stats"] for line in
             sensor.events_file.read_text().splitlines()][-1]
    assert stats["control"] >= 6
    assert stats["data_active"] >= 4
    assert stats["data_passive"] >= 4
    assert stats["kernel_dropped"] == 0


def attack_portcullis(net):
    """Every kind that ours reports, each from a connection of its own."""
    v, c = V4.replace(".", ","), C4.replace(".", ",")
    for lines in ([f"PORT {v},195,80", "LIST"], [f"PORT {v},0,22"],
                  [f"PORT {c},0,25"], ["PORT 127,0,0,1,0,25"],
                  [f"PORT {S4.replace('.', ',')},12,34"],
                  ["PORT 10,0,0,5,0,80"], ["PORT 255,255,255,255,1,1"],
                  [f"PORT {c},0,0"], [f"EPRT |1|{V4}|50000|"],
                  [f" PORT {v},195,81"], [f"PORT 0{v},195,82"],
                  ["PORT a,b"], ["EPSV ALL", f"PORT {v},195,83"]):
        one = Client(net)
        for line in lines:
            one.cmd(line)
        one.cmd("QUIT")
    with net.on("client"):
        eager = socket.create_connection((S4, 21), 10)
    assert eager.recv(4096).startswith(b"220")
    eager.sendall(f"PORT {v},195,84\r\nQUIT\r\n".encode())
    while eager.recv(4096):
        pass
    owner = Client(net)
    port = owner.pasv()
    with contextlib.suppress(OSError), owner.connect(port, "thief") as thief:
        thief.recv(1)
    with owner.connect(port) as data:
        owner.sock.sendall(b"LIST\r\n")
        owner.read()
        while data.recv(65536):
            pass
    owner.read()
    owner.cmd("QUIT")


def test_the_server_and_the_sensor_say_the_same(net, serve, watch):
    server = serve({"listen": f"{S4}:21", "abuse.refusals": 100}, host=S4,
                   port=21, prefix=net.inside("server"))
    net.count("victim")
    sensor = watch()
    attack_portcullis(net)
    found = sensor.stop().values()
    alerts = [e["ftp_bounce"] for e in server.events("alert", want=15)]

    def said(bounces):
        return {(b["variant"].replace("pasv_race", "pasv_theft"),
                 b.get("asked_ip")) for b in bounces}

    assert said(found) == said(alerts)
    assert {b["stage"] for b in found if b["variant"] != "pasv_theft" and
            b["variant"] != "pasv_race"} == {"attempt"}
    assert net.packets("victim") == 0


def test_it_keeps_nothing_that_it_does_not_need(net, gullible, watch):
    sensor = watch()
    # ip netns exec becomes the program: the process is the sensor itself.
    status = pathlib.Path(f"/proc/{sensor.process.pid}/status").read_text()
    fields = dict(re.findall(r"^(\w+):[ \t]*(.*)$", status, re.M))
    assert "0" not in fields["Uid"].split()
    assert fields["Groups"].strip() == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    if SANITIZED:
        return
    trace = subprocess.Popen(
        ["strace", "-f", "-o", str(sensor.said) + ".trace", "-p",
         str(sensor.process.pid)], stderr=subprocess.PIPE)
    assert b"attached" in trace.stderr.readline()
    Client(net).cmd(f"PORT {V4.replace('.', ',')},0,22")
    sensor.stop()
    trace.wait(10)
    calls = pathlib.Path(str(sensor.said) + ".trace").read_text()
    assert not re.search(r"\b(socket|connect|open|openat|execve|clone)\("
                         r".*\) = \d", calls), calls


def test_a_captured_sensor_cannot_speak_on_the_wire(net, watch):
    """Its socket would send any frame, and needs no capability for it."""
    sensor = watch()
    here = pathlib.Path(f"/proc/{sensor.process.pid}/fd")
    (ring,) = [fd.name for fd in here.iterdir()
               if fd.readlink().name.startswith("socket:")]
    done = subprocess.run(
        [str(BUILD / "tests" / "probe" / "inject"), str(sensor.process.pid),
         "send_tcp", ring], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ret=-1 EPERM\n"
    assert sensor.stop() == {}


def test_every_output_can_be_written_behind_the_walls(net, gullible, watch,
                                                      place):
    files = {name: place / name for name in ("zeek", "metrics", "syslog")}
    sensor = watch("--zeek-log", str(files["zeek"]), "--metrics",
                   str(files["metrics"]), "--syslog-file",
                   str(files["syslog"]))
    Client(net).cmd(f"PORT {V4.replace('.', ',')},0,22")
    assert len(sensor.stop()) == 1
    assert "PORT" in files["zeek"].read_text()
    assert "variant=third_party" in files["syslog"].read_text()
    assert "third_party" in files["metrics"].read_text()


def test_without_walls_it_says_so(net, watch):
    sensor = watch("--no-sandbox")
    status = pathlib.Path(f"/proc/{sensor.process.pid}/status").read_text()
    assert re.search(r"^Seccomp:\s*0$", status, re.M)
    assert re.search(r"^CapEff:\s*0+$", status, re.M)
    sensor.stop()
    assert "neither seccomp nor Landlock" in sensor.complaints.read_text()


def test_signals_stats_and_summary(net, gullible, watch, place):
    metrics = place / "watch.prom"
    sensor = watch("--metrics", str(metrics))
    attacker = Client(net)
    attacker.cmd(f"PORT {V4.replace('.', ',')},0,22")
    until(lambda: "third_party" in sensor.said.read_text())
    sensor.process.send_signal(signal.SIGUSR1)
    until(lambda: "Seen:" in sensor.complaints.read_text())
    found = sensor.stop()
    assert [b["stage"] for b in found.values()] == ["accepted"]
    assert "third_party, accepted" in sensor.said.read_text()
    assert 'variant="third_party",stage="accepted"' in metrics.read_text()


def test_a_restart_keeps_what_was_written(net, gullible, watch, place):
    log, ftp_log = place / "watch.log", place / "ftp.log"
    for runs in (1, 2):
        sensor = watch("--syslog-file", str(log), "--zeek-log", str(ftp_log))
        Client(net).cmd(f"PORT {V4.replace('.', ',')},0,22")
        until(lambda: log.read_text().count("third_party") == runs)
        sensor.stop()
        assert sensor.events_file.read_text().count(
            '"event_type":"stats"') == runs
        assert ftp_log.read_text().count("#close\t") == runs


def test_a_log_may_be_copied_and_truncated(net, gullible, watch, place):
    log = place / "watch.log"
    watch("--syslog-file", str(log))
    Client(net).cmd(f"PORT {V4.replace('.', ',')},0,22")
    until(lambda: "third_party" in log.read_text())
    log.write_text("")
    Client(net).cmd("PORT 127,0,0,1,0,25")
    until(lambda: "loopback" in log.read_text())
    assert "\0" not in log.read_text()


def test_a_full_disk_is_said_when_it_is_full(net, gullible, watch):
    sensor = watch("--syslog-file", "/dev/full")
    for port in (22, 23, 25):
        Client(net).cmd(f"PORT {V4.replace('.', ',')},0,{port}")
    until(lambda: "/dev/full: No space" in sensor.complaints.read_text())
    assert sensor.process.poll() is None  # and it goes on
    sensor.process.send_signal(signal.SIGTERM)
    assert sensor.process.wait(20) == 1
    assert sensor.complaints.read_text().count("/dev/full") == 1


@pytest.mark.parametrize("options, words", [
    (["-i", "nowhere0"], "nowhere0"),
    (["-i", "lo", "-f", "tcp port x y"], "unknown port"),
    (["-i", "lo", "--user", "no-such-user"], "no-such-user"),
    (["-i", "lo", "--user", "root"], "root"),
])
def test_what_cannot_be_watched_is_said(options, words):
    done = subprocess.run([str(BUILD / "portcullis"), "watch", *options],
                          capture_output=True, text=True, timeout=20,
                          env=ENVIRONMENT)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""


def test_who_may_not_listen_is_told_so():
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
         str(BUILD / "portcullis"), "watch", "-i", "lo"],
        capture_output=True, text=True, timeout=20, env=ENVIRONMENT)
    assert done.returncode == 1
    assert "lo: You don't have permission" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("options", [
    ["-i", "lo", "-r", "x.pcap"], ["-f", "tcp", "-r", "x.pcap"],
    ["--user", "nobody", "-r", "x.pcap"], ["-i"],
    ["-i", "lo", "--buffer", "0"], ["-i", "lo", "--buffer", "2048"],
])
def test_wrong_usage_is_no_failure(options):
    done = subprocess.run([str(BUILD / "portcullis"), "watch", *options],
                          capture_output=True, text=True, timeout=20,
                          env=ENVIRONMENT)
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("change, more, words", [
    # It is down before it is gone: whichever is seen first.
    (["del", "eth0"], [], "eth0: (went down|cannot be watched any more)"),
    (["set", "eth0", "down"], [], "eth0: went down"),
    (["set", "eth0", "down"], ["--no-sandbox"], "eth0: went down"),
])
def test_an_interface_that_goes_away_is_said(net, watch, change, more, words):
    sensor = watch(*more)
    net.run("ip", "-n", net.names["server"], "link", *change)
    assert sensor.process.wait(20) == 1
    text = sensor.complaints.read_text()
    assert re.search(words, text.splitlines()[-1]), text
    assert "corrupt" not in text and "not permitted" not in text
    assert "No FTP was seen." in sensor.said.read_text()

