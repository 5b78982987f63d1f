# tests/e2e/durability.py: clients that know what must be there, and kills.
# SPDX-License-Identifier: Apache-2.0
"""What a client was told is held against the disk each time its session ends.

`Uploader` is one client with a directory of its own.  It keeps the *worlds*
that its directory may be in: one when all it asked for was answered, the one
before and the one after where a command got no answer.  Contents are made
from name and generation, so that no byte of one is in its place in another:
half of a file, or two halves, are none of them.

`Run` is a server, some uploaders (a process each), and the kills: an uploader
kills its own worker, at a moment of the command that it is in; gate and
warden are killed by the run, at any moment.
"""

import contextlib
import hashlib
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import tempfile
import time

from conftest import Control, Server, make_archive, open_to_others
from test_accounts import PASSWORD, login, make_accounts

BIG = 1_200_000		# from 1 MiB on an upload that was cut is kept
MOST = 4_000_000	# no file grows beyond that
PATIENCE = 60		# seconds until a server that does not come is a failure


def content(name, generation, size):
    """So many bytes that no other name or generation has."""
    return hashlib.shake_128(f"{name} {generation}".encode()).digest(size)


class Cut(Exception):
    """The session is over; whatever was asked for last has no answer."""


class Wrong(Exception):
    """The disk has what it must not have."""


# ---- one client

class Uploader:
    def __init__(self, number, account, top, shared):
        self.account, self.top, self.shared = account, top, shared
        self.random = random.Random(f"{shared.seed} {number}")
        self.under = f"c{number}"
        self.generation = 0
        self.worlds = [{}]
        self.known = {}		# each content that a name ever had
        self.unfinished = {}	# what its hidden part may be the beginning of
        self.refusals = {}
        self.counts = dict.fromkeys(
            ("sessions", "checks", "acknowledged", "unanswered", "came",
             "resumed"), 0)

    # -- a session

    def open(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self.c = Control(("127.0.0.1", self.shared.port))
                if self.talk(None).code == 220 and \
                        self.talk(f"USER {self.account}").code == 331 and \
                        self.talk(f"PASS {PASSWORD}").code == 230 and \
                        self.talk(f"CWD {self.under}").code == 250:
                    break
            except (Cut, OSError):
                pass
            assert time.monotonic() < end, "nobody can log in"
            time.sleep(0.005)
        self.counts["sessions"] += 1
        self.worker = self.find_worker()

    def find_worker(self):
        """As root may: whose descriptor is the other end of this socket?"""
        mine = self.c.sock.getsockname()[1]
        ends = f":{self.shared.port:04X} 0100007F:{mine:04X} 01 "
        with open("/proc/net/tcp") as table:
            line = next((x for x in table if ends in x), None)
        if line is None:
            return None
        want, warden = f"socket:[{line.split()[9]}]", self.shared.warden.value
        try:
            with open(f"/proc/{warden}/task/{warden}/children") as children:
                pids = children.read().split()
        except OSError:
            return None
        for pid in reversed(pids):
            try:
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    if os.readlink(f"/proc/{pid}/fd/{fd}") == want:
                        return int(pid)
            except OSError:
                continue
        return None

    def talk(self, line):
        """A reply; 421 is followed by the end, which is waited for."""
        try:
            if line is not None:
                self.c.send(line + "\r\n")
            reply = self.c.read()
        except (OSError, EOFError, AssertionError) as e:
            self.ended(e)
        if reply.code == 421:
            self.ended(None)
        return reply

    def ended(self, why):
        """Once this says so, none of its threads changes anything."""
        if isinstance(why, TimeoutError):
            raise Wrong("no answer and no end") from why
        try:
            while self.c.file.read(4096):
                pass
        except TimeoutError as e:
            raise Wrong("no end") from e
        except OSError:
            pass
        self.c.close()
        raise Cut from why

    def kill(self, moment):
        """If this is the moment: some time within it."""
        if moment != self.fatal:
            return
        self.fatal = None
        if moment != "answered":
            time.sleep(self.random.choice((0, 0.0005, 0.001, 0.001, 0.003)) *
                       self.random.random())
        if self.worker is not None:
            try:
                os.kill(self.worker, signal.SIGKILL)
            except ProcessLookupError:
                return
            with self.shared.worker_kills.get_lock():
                self.shared.worker_kills.value += 1

    # -- commands

    @property
    def world(self):
        return self.worlds[0]

    def becomes(self, *changes):
        """The world as it will be; a name with None is not there."""
        world = {**self.world, **dict(changes)}
        for name, data in changes:
            self.known.setdefault(name, set()).add(
                hashlib.sha256(data).digest() if data is not None else None)
        return {name: data for name, data in world.items()
                if data is not None}

    def ask(self, line, good, world):
        """Something that is done in one reply."""
        self.worlds = [self.world, world]
        self.kill("asked")
        try:
            self.c.send(line + "\r\n")
        except OSError as e:
            self.ended(e)
        self.kill("sent")
        last = self.talk(None)
        if last.code == good:
            self.worlds = [world]
            self.counts["acknowledged"] += 1
            self.kill("answered")
        else:
            self.refused(line, last)
            self.worlds = [self.world]

    def send_all(self, data, bytes):
        half = self.random.randrange(len(bytes) + 1)
        data.sendall(bytes[:half])
        self.kill("half")
        data.sendall(bytes[half:])

    def data(self):
        """A data connection; None after the gate has become another."""
        epsv = self.talk("EPSV")
        try:
            port = int(re.search(r"\|(\d+)\|\)", epsv).group(1))
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except (AttributeError, OSError):
            return None

    def upload(self, command, name, sends, whole):
        """STOR and its like; whether it was acknowledged.  No name: STOU."""
        if (data := self.data()) is None:
            return False
        with data:
            first = self.talk(command)
            if first.code != 150:
                self.refused(command, first)
                return False
            if name is None:
                name = re.match(r"150 FILE: (\S+)", first).group(1)
            old, new = self.world, self.becomes((name, whole))
            self.unfinished.setdefault(name, []).append(whole)
            self.worlds = [old, new]
            with contextlib.suppress(OSError):
                self.kill("begun")
                self.send_all(data, sends)
        self.kill("closed")
        last = self.talk(None)
        if last.code != 226:
            self.refused(command, last)
            self.worlds = [old]
            return False
        self.worlds = [new]
        self.unfinished.pop(name)
        self.counts["acknowledged"] += 1
        self.kill("answered")
        return True

    def refused(self, command, reply):
        what = f"{command.split()[0]} {reply.code}"
        self.refusals[what] = self.refusals.get(what, 0) + 1

    def new_content(self, name):
        self.generation += 1
        size = self.random.choice((0, 1, 700, 4096, 20_000, 150_000)) \
            if self.random.random() < 0.8 else \
            BIG + self.random.randrange(500_000)
        return content(name, self.generation, size)

    def do_stor(self, name):
        data = self.new_content(name)
        self.upload(f"STOR {name}", name, data, data)

    def do_stou(self, name):
        if len(self.world) > 12:
            self.do_dele(self.random.choice(sorted(self.world)))
        else:
            data = self.new_content(name)
            self.upload("STOU", None, data, data)

    def do_appe(self, name):
        if name in self.unfinished:	# it would go on with that
            self.do_resume(name)
            return
        old = self.world.get(name, b"")
        more = self.new_content(name)
        if len(old) + len(more) > MOST:
            self.do_stor(name)
        else:
            self.upload(f"APPE {name}", name, more, old + more)

    def do_rest(self, name):
        old = self.world.get(name)
        if old is None or name in self.unfinished:
            self.do_stor(name)
            return
        at = self.random.randrange(len(old) + 1)
        more = self.new_content(name)
        if at + len(more) > MOST:
            return
        self.talk(f"REST {at}")
        self.upload(f"STOR {name}", name, more, old[:at] + more)

    def do_rename(self, name):
        to = self.random.choice("abcdef") + str(self.random.randrange(2))
        if name not in self.world or to == name:
            self.do_stor(name)
            return
        if self.talk(f"RNFR {name}").code == 350:
            self.ask(f"RNTO {to}", 250, self.becomes(
                (to, self.world[name]), (name, None)))

    def do_dele(self, name):
        if name in self.world:
            self.ask(f"DELE {name}", 250, self.becomes((name, None)))

    def do_resume(self, name):
        """Goes on with what was cut, in one of the two ways."""
        reply = self.talk(f"SIZE {name}")
        size = int(reply.split()[1]) if reply.code == 213 else -1
        whole = self.begun_as(name, size)
        if whole is None:	# there was too little of it to be kept
            del self.unfinished[name]
            return
        at = self.random.randrange(size // 2, size + 1)
        if self.random.random() < 0.5:
            at = size
            command = f"APPE {name}"
        else:
            self.talk(f"REST {at}")
            command = f"STOR {name}"
        if self.upload(command, name, whole[at:], whole):
            self.counts["resumed"] += 1

    def begun_as(self, name, size):
        """What the hidden part that SIZE tells of is the beginning of."""
        for part in self.parts():
            for whole in self.unfinished[name]:
                if len(part) == size and whole.startswith(part):
                    return whole
        return None

    def work(self):
        """Until the session is cut, which comes in one of its commands."""
        last = self.random.randrange(4)
        self.fatal = None
        try:
            for turn in range(last + 1):
                if turn == last:
                    self.fatal = self.random.choice(
                        ("asked", "sent", "begun", "half", "closed",
                         "closed", "answered"))
                self.one()
            self.fatal = "idle"
            self.kill("idle")
            self.talk("NOOP")
        except Cut:
            return
        self.talk("QUIT")

    def one(self):
        if self.unfinished and self.random.random() < 0.7:
            self.do_resume(self.random.choice(sorted(self.unfinished)))
            return
        name = self.random.choice("abcdef") + str(self.random.randrange(2))
        self.random.choice((self.do_stor, self.do_stor, self.do_stor,
                            self.do_stou, self.do_appe, self.do_rest,
                            self.do_rename, self.do_dele))(name)

    # -- the disk

    def parts(self):
        return [p.read_bytes() for p in
                (self.top / self.under).glob(".portcullis.part-*")]

    def check(self):
        """The disk has one of the worlds; from now on that one alone."""
        there = {p.name: p.read_bytes()
                 for p in (self.top / self.under).iterdir()
                 if not p.name.startswith(".portcullis.")}
        self.counts["checks"] += 1
        if there not in self.worlds:
            self.complain(there)
        if len(self.worlds) > 1 and self.worlds[0] != self.worlds[1]:
            self.counts["unanswered"] += 1
            self.counts["came"] += there == self.worlds[1]
        self.worlds = [there]
        self.check_parts()

    def complain(self, there):
        wrong = []
        for name in sorted({*there, *self.world}):
            may = [w.get(name) for w in self.worlds]
            has = there.get(name)
            if has in may:
                continue
            was = name in self.known and \
                (hashlib.sha256(has).digest() if has is not None else None) \
                in self.known[name] | {None}
            kind = "LOST" if was else "TORN" if name in self.known else \
                "NOBODY'S"
            sizes = [None if x is None else len(x) for x in may]
            wrong.append(f"{kind}: {self.under}/{name}: "
                         f"{None if has is None else len(has)} bytes, "
                         f"one of {sizes} expected")
        raise Wrong("; ".join(wrong) or "TORN: half of a rename")

    def check_parts(self):
        """A hidden part is the beginning of what was cut, and of one thing."""
        for has in self.parts():
            if not any(whole.startswith(has)
                       for cut in self.unfinished.values() for whole in cut):
                raise Wrong(f"TORN: a part of {len(has)} bytes is no "
                            "beginning of anything")

    def run(self):
        while not self.shared.stop.is_set():
            self.open()
            try:
                self.work()
            except Cut:
                pass
            self.c.close()
            self.check()


def uploader(number, account, top, shared, pipe):
    """A process of its own; what it found comes through the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    u = Uploader(number, account, top, shared)
    wrong = None
    try:
        u.run()
    except Exception as e:
        wrong = f"{type(e).__name__}: {e}"
        shared.stop.set()
    pipe.send((u.counts, u.refusals, wrong))
    os._exit(0)


# ---- the server, and what ends it

def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.002)


class Shared:
    def __init__(self, seed, port):
        self.seed, self.port = seed, port
        self.warden = multiprocessing.Value("i", 0)
        self.worker_kills = multiprocessing.Value("i", 0)
        self.stop = multiprocessing.Event()


# storage/quota.c: struct page
PAGE_HEAD = struct.Struct("=16sIIQQQQ")
BOOT_AT = 24


class Run:
    ACCOUNTS = ("alice", "bob")

    def __init__(self, seed, clients=8, conf=None):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
        self.place.chmod(0o755)
        (self.place / "archive").mkdir()
        make_archive(self.place / "archive")
        open_to_others(self.place / "archive")
        limit = ("-r", "lrwodnm", "-o", "quota.bytes=10g,quota.files=10000")
        self.conf = make_accounts(self.place, {
            name: limit for name in self.ACCOUNTS})
        self.quota = self.place / "quota"
        self.quota.mkdir(mode=0o700)
        shutil.chown(self.quota, "portcullis-keeper")
        self.conf.update({"accounts.quota": self.quota, "solo.spare": clients,
                          "stop.timeout": 1, "events": None,
                          "xferlog": None, **(conf or {})})
        self.homes = self.place / "homes"
        self.server = Server(self.place, self.place / "archive", self.conf)
        self.seed, self.random = seed, random.Random(seed)
        self.clients = clients
        self.gate_kills = self.warden_kills = self.worker_kills = 0
        self.counts, self.refusals, self.wrong = {}, {}, []
        for n in range(clients):
            below = self.homes / self.account_of(n) / f"c{n}"
            below.mkdir()
            shutil.chown(below, "portcullis-worker")

    def account_of(self, n):
        return self.ACCOUNTS[n % len(self.ACCOUNTS)]

    def children(self):
        pid = self.server.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(x) for x in children.read().split()]

    def gate(self):
        for pid in self.children():
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"portcullis-gate" in words:
                    return pid
        return None

    def kill_gate(self):
        if (gate := self.gate()) is not None:
            os.kill(gate, signal.SIGKILL)
            self.gate_kills += 1

    def kill_warden(self):
        children = self.children()
        self.server.process.kill()
        self.server.process.wait()
        wait_until(lambda: all(is_gone(pid) for pid in children),
                   "children outlive their warden")
        self.warden_kills += 1
        self.start()

    def start(self):
        self.server = Server(self.place, self.place / "archive", self.conf,
                             port=self.server.port)
        self.shared.warden.value = self.server.process.pid

    # -- a round: uploads and kills, then the quota

    def round(self, workers, gates, wardens):
        """So many kills of each kind, at least."""
        self.shared = Shared(f"{self.seed} {self.warden_kills}",
                             self.server.port)
        self.shared.warden.value = self.server.process.pid
        gates, wardens = gates + self.gate_kills, wardens + self.warden_kills
        pipes, clients = self.start_clients()
        while not self.shared.stop.is_set():
            time.sleep(self.random.uniform(0, 0.15))
            # A gate that ends soon again is waited with: once in a life.
            if self.gate_kills < gates and \
                    self.gate_kills <= self.warden_kills:
                self.kill_gate()
            elif self.warden_kills < wardens:
                self.kill_warden()
            elif self.shared.worker_kills.value >= workers:
                break
        self.shared.stop.set()
        for pipe, client in zip(pipes, clients):
            self.add(*pipe.recv())
            client.join()
        self.worker_kills += self.shared.worker_kills.value
        if not self.wrong:
            self.check_quota()

    def start_clients(self):
        for n in range(self.clients):	# each begins with nothing
            below = self.homes / self.account_of(n) / f"c{n}"
            for path in below.iterdir():
                path.unlink()
        pipes, clients = [], []
        for n in range(self.clients):
            mine, theirs = multiprocessing.Pipe()
            account = self.account_of(n)
            clients.append(multiprocessing.Process(
                target=uploader, args=(n, account, self.homes / account,
                                       self.shared, theirs)))
            clients[-1].start()
            pipes.append(mine)
        return pipes, clients

    def add(self, counts, refusals, wrong):
        for into, what in ((self.counts, counts), (self.refusals, refusals)):
            for key, n in what.items():
                into[key] = into.get(key, 0) + n
        if wrong is not None:
            self.wrong.append(wrong)

    # -- quota

    def page(self, account):
        """Whether it is counted, whether it is being counted; bytes, files."""
        data = (self.quota / account).read_bytes()
        _, _, counted, _, under_way, size, files = PAGE_HEAD.unpack_from(data)
        return counted == 1 and under_way == 0, (size, files)

    def lies(self, account):
        files = [p.stat().st_size for p in (self.homes / account).rglob("*")
                 if p.is_file() and not p.is_symlink()]
        return sum(files), len(files)

    def check_quota(self):
        """After the system's next boot it is counted anew."""
        for account in self.ACCOUNTS:
            with open(self.quota / account, "r+b") as page:
                page.seek(BOOT_AT)
                page.write(b"another.")
            c = login(self.server, account)
            wait_until(lambda: self.page(account)[0], "nobody counts")
            counted, lies = self.page(account)[1], self.lies(account)
            c.close()
            if counted != lies:
                self.wrong.append(f"QUOTA: {account}: {counted} are counted, "
                                  f"{lies} are there")

    def report(self):
        lost, torn = (sum(w.count(kind) for w in self.wrong)
                      for kind in ("LOST", "TORN"))
        return (f"{self.worker_kills + self.gate_kills + self.warden_kills} "
                f"kills: {self.worker_kills} of workers, {self.gate_kills} of "
                f"gates, {self.warden_kills} of wardens; " + ", ".join(
                    f"{n} {what}" for what, n in self.counts.items()) +
                f"; {lost} lost, {torn} torn; refused: {self.refusals}")

    def end(self):
        status = self.server.stop()
        shutil.rmtree(self.place, ignore_errors=True)
        return status
