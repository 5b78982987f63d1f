# tests/e2e/test_limits.py: how many, how fast, and what those are told who
# are too many.
# SPDX-License-Identifier: Apache-2.0
"""Rates are measured as what arrives in some seconds, with wide margins: they
are what the server does, not how quick the machine is.  They are small for
any machine.  The kernel does not pace the first ten segments of a connection,
so what comes first is not counted, and the loopback has segments as a network
has them.
"""

import contextlib
import os
import resource
import select
import signal
import socket
import time

import pytest

from conftest import Control, Net, Server, needs_root

HUGE = 1 << 30
SECONDS = 1.5		# of measuring


class Lone(Net):
    """One host with several addresses, all of its own."""

    V4 = {"server": "192.0.2.21"}
    V6 = {}
    MORE = ("198.51.100.7/32", "198.51.100.8/32", "203.0.113.1/32",
            "2001:db8:1:1::1/128", "2001:db8:1:1::2/128",
            "2001:db8:1:2::1/128", "2001:db8:2::21/128")

    def join(self, host):
        name = self.names[host]
        self.run("ip", "-n", name, "link", "set", "lo", "mtu", "1500")
        for address in ("192.0.2.21/32", *self.MORE):
            self.run("ip", "-n", name, "addr", "add", address, "dev", "lo",
                     *(["nodad"] if ":" in address else []))


@pytest.fixture(scope="module")
def lone():
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    host = Lone()
    try:
        host.up()
        with host.on("server"):
            yield host
    finally:
        host.down()


@pytest.fixture
def start(serve, archive, lone):
    """start(conf): a server on that host; pub/huge is a sparse GiB."""
    with open(archive / "pub" / "huge", "wb") as f:
        f.truncate(HUGE)
    (archive / "pub" / "huge").chmod(0o644)

    def begin(conf, **kwargs):
        conf = {"listen": "192.0.2.21:21 [2001:db8:2::21]:21", **conf}
        return serve(conf, host="192.0.2.21", port=21, **kwargs)

    return begin


CLIENT, OTHER, CAMPUS = "198.51.100.7", "198.51.100.8", "203.0.113.1"


def data_to(control, source):
    return socket.create_connection(
        (control.peer[0], control.epsv()), 10, source_address=(source, 0))


def fetch_begun(server, source=CLIENT, name="pub/huge"):
    """A session whose transfer runs, and its data connection."""
    control = server.login(source)
    data = data_to(control, source)
    reply = control.cmd(f"RETR {name}")
    assert reply.code == 150, reply
    return control, data


def fetch(control, command):
    """A whole passive transfer from the session's own address."""
    with data_to(control, control.sock.getsockname()[0]) as data:
        reply = control.cmd(command)
        assert reply.code == 150, reply
        body = b"".join(iter(lambda: data.recv(1 << 16), b""))
    assert control.read().code == 226
    return body


def greeting(server, source, address="192.0.2.21"):
    """What a new session is told, and that it is one segment."""
    with Control((address, 21), source) as control:
        raw = control.sock.recv(4096)
        assert raw.endswith(b"\r\n") and raw.count(b"\r\n") == 1, raw
        return raw.decode().rstrip()


def busy(n, whose):
    return (f"425 {n} transfer{'s' if n > 1 else ''}{whose} "
            f"{'are' if n > 1 else 'is'} running, which is the limit; "
            "try again in a few minutes.")


def full(n, whose):
    return (f"421 {n} session{'s' if n > 1 else ''}{whose} "
            f"{'are' if n > 1 else 'is'} open, which is the limit; "
            "try again in a few minutes.")


# ---- how many

def test_f01_who_is_too_many_is_told_the_number(start):
    server = start({"sessions.max": 6, "sessions.per_address": 3,
                    "class": "campus 203.0.113.0/24 2001:db8:1::/48",
                    "class.limit": "campus sessions.max 2 "
                                   "sessions.per_address 1"})
    with contextlib.ExitStack() as held:
        def hold(source, address="192.0.2.21"):
            control = held.enter_context(Control((address, 21), source))
            assert control.read().code == 220
            return control

        hold("2001:db8:1:1::1", "2001:db8:2::21")
        # One /64 is one client, and the limits are its class's.
        assert greeting(server, "2001:db8:1:1::2", "2001:db8:2::21") == \
            full(1, " from your address")
        second = hold("2001:db8:1:2::1", "2001:db8:2::21")
        assert greeting(server, CAMPUS) == full(2, " from campus")
        for _ in range(3):
            hold(CLIENT)
        assert greeting(server, CLIENT) == full(3, " from your address")
        hold(OTHER)
        assert greeting(server, OTHER) == full(6, "")
        # Whose session ends makes room for another.
        second.cmd("QUIT")
        assert second.ended()
        end = time.monotonic() + 10
        while not greeting(server, CAMPUS).startswith("220"):
            assert time.monotonic() < end
    assert server.stop() == 0
    stats = [e["stats"] for e in server.events("stats")
             if e["stats"]["process"] == "gate"][-1]
    assert stats["refused_address"] == 2
    assert stats["refused_class"] >= 1 and stats["refused_full"] >= 1


def test_a_reload_puts_sessions_into_their_new_classes(start):
    server = start({"class": "campus 203.0.113.0/24",
                    "class.limit": "campus sessions.max 5"})
    with Control(server.address, CAMPUS) as one, \
            Control(server.address, CAMPUS) as two:
        assert one.read().code == two.read().code == 220
        server.write_conf({**server.settings,
                           "class": "house 203.0.113.1",
                           "class.limit": "house sessions.max 2"})
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloaded")
        assert greeting(server, CAMPUS) == full(2, " from house")
        assert greeting(server, CLIENT).startswith("220")


def test_the_step_of_the_hour_holds_in_local_time(start):
    """The zone is the warden's; the wall clock there, not UTC, counts."""
    now = time.gmtime(time.time() + 5 * 3600 + 1800 - 120)
    later = time.gmtime(time.time() + 5 * 3600 + 1800 + 3 * 3600)
    server = start({"at": f"{now.tm_hour:02}:{now.tm_min:02} "
                          "sessions.per_address 1\n"
                          f"at = {later.tm_hour:02}:{later.tm_min:02} "
                          "sessions.per_address 9"},
                   prefix=("env", "TZ=HERE-5:30"))
    with Control(server.address, CLIENT) as one:
        assert one.read().code == 220
        assert greeting(server, CLIENT) == full(1, " from your address")
    # Events keep their own clock.
    assert server.events()[0]["timestamp"][:13] == \
        time.strftime("%Y-%m-%dT%H", time.gmtime())


def count_refused(server, source, whose, n):
    """Each way to ask for one transfer more gets 425 with the number, and
    nothing hangs: the data connection is closed."""
    control = server.login(source)
    want = busy(n, whose) + "\r\n"
    with data_to(control, source) as data:
        assert control.cmd("RETR pub/small.nc") == want
        assert data.recv(1) == b""
    with data_to(control, source) as data:
        assert data.recv(1) == b""      # known before the command
        assert control.cmd("LIST") == want
    with control.active() as listener:
        assert control.cmd("MLSD") == want
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.accept()
    return control


def test_transfers_at_once_are_counted(start):
    server = start({"transfers.max": 5, "transfers.per_address": 2,
                    "class": "campus 203.0.113.0/24", "worker.count": 2,
                    "class.limit": "campus transfers.max 1"})
    one, data_one = fetch_begun(server)
    two, data_two = fetch_begun(server)
    third = count_refused(server, CLIENT, " to your address", 2)
    four, data_four = fetch_begun(server, CAMPUS)
    count_refused(server, CAMPUS, " to campus", 1)
    held = [fetch_begun(server, OTHER) for _ in range(2)]
    last = server.login("192.0.2.21")
    count_refused(server, "192.0.2.21", "", 5)
    told = [(e["src_ip"], e["ftp_data"]["command"])
            for e in server.events("ftp_data", want=9)
            if e["ftp_data"]["result"] == "busy"]
    assert sorted(told) == sorted(
        (source, command) for source in (CLIENT, CAMPUS, "192.0.2.21")
        for command in ("RETR", "LIST", "MLSD"))

    # Whatever ends a transfer makes room for the next at once: an abort ...
    assert one.cmd("ABOR").code == 426 and one.read().code == 226
    assert fetch(third, "RETR pub/small.nc")
    assert fetch(third, "LIST")
    # ... a client that has gone, and one that closes early ...
    two.close()
    data_two.close()
    data_four.close()
    assert four.read().code == 226
    assert fetch(four, "RETR pub/big.grib2")
    # ... and a session that fetches one after another takes one place.
    for _ in range(20):
        assert len(fetch(third, "RETR pub/small.nc")) == 1024
    # A worker that dies takes its counts along.
    for pid in server.children("portcullis-worker"):
        os.kill(pid, signal.SIGKILL)
    server.wait_for("SIGKILL", times=2)
    for control, data in held:
        control.close()
        data.close()
    again = [fetch_begun(server, CLIENT) for _ in range(2)]
    again += [fetch_begun(server, OTHER) for _ in range(2)]
    assert len(again) == 4
    last.close()


# ---- the end is seen at once

def test_a_client_sees_the_end_though_the_gate_has_a_copy(start):
    """The gate stands still: the end is the worker's word alone."""
    server = start({"rate.all": "50M"})
    gate = server.children("portcullis-gate")[0]
    idle = len(os.listdir(f"/proc/{gate}/fd"))
    sessions = [server.login(CLIENT) for _ in range(4)]
    for control in sessions:	# the end of a first transfer is told twice
        fetch(control, "RETR pub/zero")
    running, data = fetch_begun(server)
    datas = [data_to(s, CLIENT) for s in sessions]
    data.recv(1)
    time.sleep(0.2)		# till the workers have them
    os.kill(gate, signal.SIGSTOP)
    try:
        for control, data_n, command in zip(sessions, datas, (
                "RETR pub/README", "RETR pub/big.grib2", "LIST pub",
                "RETR pub/zero")):
            data_n.settimeout(5)
            assert control.cmd(command).code == 150
            while data_n.recv(1 << 16):
                pass
            assert control.read().code == 226
        data.settimeout(5)
        assert running.cmd("ABOR").code == 426
        with contextlib.suppress(ConnectionResetError):
            while data.recv(1 << 16):
                pass
    finally:
        os.kill(gate, signal.SIGCONT)
    assert fetch(sessions[0], "RETR pub/README")
    # And the gate keeps none of them.
    for control in (running, *sessions):
        control.close()
    end = time.monotonic() + 10
    while (now := len(os.listdir(f"/proc/{gate}/fd"))) > idle:
        assert time.monotonic() < end, (idle, now)
        time.sleep(0.02)


# ---- how fast

class Takers:
    """Data connections that are read as fast as they give."""

    def __init__(self, server, *sources):
        self.controls, self.datas = [], []
        for source in sources:
            control, data = fetch_begun(server, source)
            data.setblocking(False)
            self.controls.append(control)
            self.datas.append(data)

    def take(self, seconds):
        """Bytes a second of each connection."""
        got = {data: 0 for data in self.datas}
        poll = select.poll()
        by_fd = {data.fileno(): data for data in self.datas}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        began = time.monotonic()
        while (spent := time.monotonic() - began) < seconds:
            for fd, _ in poll.poll((seconds - spent) * 1000):
                got[by_fd[fd]] += len(by_fd[fd].recv(1 << 18))
        return [n / spent for n in got.values()]

    def close(self):
        for one in self.datas + self.controls:
            one.close()


def about(rate, want, margin=1.6):
    return want / margin < rate < want * margin


def test_a_session_has_its_rate(start):
    server = start({"rate.session": "1M", "class": "campus 203.0.113.0/24",
                    "class.limit": "campus rate.session 3M"})
    takers = Takers(server, CLIENT, CLIENT, CAMPUS)
    takers.take(0.3)
    one, two, three = takers.take(SECONDS)
    takers.close()
    assert about(one, 1e6) and about(two, 1e6), (one, two)
    assert about(three, 3e6), three


def test_connections_of_one_client_share_what_one_would_have(start):
    server = start({"rate.all": "6M", "rate.address": "5M"})
    alone = Takers(server, CLIENT)
    alone.take(0.3)
    assert about(alone.take(0.8)[0], 5e6)
    crowd = Takers(server, *[OTHER] * 8)
    both = Takers.__new__(Takers)
    both.controls = alone.controls + crowd.controls
    both.datas = alone.datas + crowd.datas
    both.take(2.2)			# two looks
    one, *eight = both.take(SECONDS)
    both.close()
    assert about(one + sum(eight), 6e6, 1.25), (one, eight)
    assert about(one, 3e6, 1.3) and about(sum(eight), 3e6, 1.3), (one, eight)
    assert min(eight) > max(eight) / 3, eight


def test_what_a_slow_client_leaves_the_others_have(start):
    server = start({"rate.all": "6M", "class": "campus 203.0.113.0/24",
                    "class.limit": "campus rate.all 1M"})
    takers = Takers(server, CLIENT, CAMPUS)
    takers.take(2.2)
    fast, slow = takers.take(SECONDS)
    takers.close()
    assert about(slow, 1e6) and about(fast, 5e6, 1.3), (fast, slow)


def test_paced_transfers_go_on_with_few_threads(start):
    """Pacing blocks sends: no transfer may keep a thread for it."""
    server = start({"rate.address": "8M", "worker.threads": 4})
    takers = Takers(server, *[CLIENT] * 40)
    takers.take(1)
    rates = takers.take(SECONDS)
    takers.close()
    assert about(sum(rates), 8e6, 1.4), sum(rates)
    assert min(rates) > 8e6 / 40 / 3, sorted(rates)


def test_a_data_connection_that_nobody_uses_is_no_transfer_for_ever(serve):
    server = serve({"transfers.max": 1, "passive.timeout": 1})
    holder = server.login()
    with holder.data() as data:
        data.setblocking(False)
        end = time.monotonic() + 20
        while not select.select([data], [], [], 0.2)[0]:
            assert time.monotonic() < end
            assert holder.cmd("NOOP").code == 200
        assert data.recv(1) == b""
        assert fetch(server.login(), "RETR pub/small.nc")
        assert holder.cmd("RETR pub/small.nc").code == 425
    # It is no fault of the session, whose own time has not come.
    assert fetch(holder, "RETR pub/small.nc")


def test_who_tries_again_at_a_busy_server_is_no_attacker(serve):
    server = serve({"transfers.max": 1})
    with open(server.settings["archive"] / "pub" / "huge", "wb") as f:
        f.truncate(HUGE)
    os.chmod(f.name, 0o644)
    one = server.login()
    data = one.data()
    assert one.cmd("RETR pub/huge").code == 150
    other = server.login()
    for _ in range(110):
        with other.data():
            assert other.cmd("RETR pub/README").code == 425
    data.close()
    assert one.read().code == 226
    assert fetch(other, "RETR pub/README")
    assert not server.events("alert", seconds=0)


DESCRIPTORS = 160


@needs_root
def test_a_data_connection_that_no_descriptor_is_left_for_is_425(serve):
    """And it does not count as a transfer until the session ends."""
    server = serve({"transfers.max": 99, "sessions.per_address": 99},
                   preexec=lambda: resource.setrlimit(
                       resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
    worker, = server.children("portcullis-worker")

    def used():
        return len(os.listdir(f"/proc/{worker}/fd"))

    with contextlib.ExitStack() as all_of_them:
        enter = all_of_them.enter_context
        late = enter(server.login())
        holders = [enter(server.login()) for _ in range(DESCRIPTORS // 2)]
        for one in holders[used() - DESCRIPTORS:]:
            before = used()
            enter(one.data())
            end = time.monotonic() + 20
            while used() == before:
                assert time.monotonic() < end
                time.sleep(0.01)
        assert used() == DESCRIPTORS
        with late.data():
            time.sleep(0.2)	# for the gate to hand it over
            for one in holders[:4]:
                one.cmd("QUIT")
            assert "out of resources" in late.cmd("RETR pub/README")
        assert fetch(late, "RETR pub/README")


# ---- too slow

def test_f03_f04_who_takes_less_than_the_least_rate_is_426(start):
    server = start({"rate.least": "200K", "data.timeout": 1})
    lame = server.login(CLIENT)
    data = socket.socket()
    data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    data.bind((CLIENT, 0))
    data.connect(("192.0.2.21", lame.epsv()))
    assert lame.cmd("RETR pub/huge").code == 150
    good, good_data = fetch_begun(server, OTHER)
    end = time.monotonic() + 20
    while not select.select([lame.sock], [], [], 0.05)[0]:
        assert time.monotonic() < end
        data.recv(4000)			# 80 KB a second, but never nothing
        for _ in range(8):		# more than a MB a second
            good_data.recv(1 << 16)
    assert lame.read() == "426 Less than 200000 bytes a second for 1 s, " \
        "which is too slow here.\r\n"
    transfer = server.events("ftp_data")[0]["ftp_data"]
    assert transfer["result"] == "too_slow"
    assert lame.cmd("NOOP").code == 200
    assert good.cmd("ABOR").code == 426
