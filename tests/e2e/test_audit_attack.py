# tests/e2e/test_audit_attack.py: servers, and neighbours, that go for the
# auditor itself.
# SPDX-License-Identifier: Apache-2.0
"""They want it to crash, to wait for ever, to tell a secret, to accuse the
innocent, or to call at somebody's door."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time

import pytest

import defective
from conftest import BUILD, ENVIRONMENT, needs_root
from test_defective import certificate  # noqa: F401

SERVER, B = "127.0.0.3", "127.0.0.2"
SECRET = "Tr0ub4dor-and-3"


def command(*args):
    return [str(BUILD / "portcullis"), "audit", "--rate", "1000", *args]


def run(*args, stdin="", **more):
    done = subprocess.run(command(*args), input=stdin, env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=100, **more)
    for trouble in ("Sanitizer", "runtime error"):
        assert trouble not in done.stderr
    return done


def audit(server, *args, scheme="ftp", login="", **more):
    """The report, and how many seconds it took."""
    begun = time.monotonic()
    done = run("--json", "--listen-address", B, *args,
               f"{scheme}://{login}{server.host}:{server.port}", **more)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, (done.returncode, done.stdout, done.stderr)
    return json.loads(lines[0]), time.monotonic() - begun


def line(report, name):
    assert "error" not in report, report["error"]
    return next(q for q in report["questions"] if q["id"] == name)


@contextlib.contextmanager
def serving(session, *defects, **more):
    """defective.py's server with another kind of session."""
    server = defective.Defective(defects, (SERVER, 0), **more)
    server.hostile = session if not isinstance(session, type) else \
        lambda server, sock: session(server, sock).serve()
    with server:
        yield server


# ---- to crash, to be kept, to swell

def test_a_second_line_without_end_is_no_crash(certificate):  # noqa: F811
    """Where its first line is kept, there must be room left to read into."""
    def greet(server, sock):
        sock = server.tls.context.wrap_socket(sock, server_side=True)
        with contextlib.suppress(OSError):
            sock.sendall(b"220-Hello\r\n" + b"y" * 300_000 + b"\r\n220 .\r\n")
            sock.recv(1)

    with serving(greet, tls=certificate) as server:
        report, _ = audit(server, "--timeout", "2", scheme="ftps")
    assert "has failed" not in report.get("error", "")
    assert report["introduction"][1]["receive"].startswith("220-Hello")


class Chatty(defective.Session):
    """Replies without end, from the first passive port on."""

    def do_epsv(self, line, arg):
        super().do_epsv(line, arg)
        threading.Thread(target=self.chat, daemon=True).start()

    def chat(self):
        with contextlib.suppress(OSError):
            while not self.server.ending.is_set():
                self.sock.sendall(b"200 And another thing.\r\n" * 100)


def test_replies_without_end_do_not_keep_it():
    with serving(Chatty) as server:
        report, seconds = audit(server, "--only", "theft,T13",
                                "--timeout", "2")
    assert line(report, "theft")["verdict"] != "vulnerable"
    assert seconds < 40
    assert len(json.dumps(report)) < 1 << 20


class Dripping(defective.Session):
    """A listing of a byte now and then."""

    def do_nlst(self, _line, _arg):
        with self.data("NLST") as conn:
            while not self.server.ending.is_set():
                conn.sendall(b"x")
                time.sleep(0.2)


def test_a_listing_without_end_does_not_keep_it():
    with serving(Dripping) as server:
        report, seconds = audit(server, "--only", "listing_cut,before_login",
                                "--timeout", "2", "--max-time", "6")
    assert seconds < 12
    assert report["verdict"] == "inconclusive"


class Late(defective.Session):
    """Each answer comes just in time."""

    def say(self, text):
        self.server.ending.wait(0.9)
        super().say(text)


def test_a_server_that_is_slow_is_left_in_the_end():
    with serving(Late) as server:
        report, seconds = audit(server, "--timeout", "1", "--max-time", "8")
    assert 7 < seconds < 12
    assert len(report["questions"]) == 60
    assert report["verdict"] == "inconclusive"
    assert "--max-time" in report["questions"][-1]["evidence"]
    assert {q["verdict"] for q in report["questions"]} <= {
        "safe", "inconclusive", "not_asked"}


# ---- to seem better than it is

def call(ip, port):
    """A connection from the server's address, kept for a while."""
    with contextlib.suppress(OSError):
        with socket.create_connection((str(ip), port), 2,
                                      source_address=(SERVER, 0)) as sock:
            sock.settimeout(2)
            sock.recv(1)


class Judging(defective.Session):
    """PORT of a third party is refused; what is done is another matter."""

    def judge(self, line, verb, arg, before):
        try:
            return super().judge(line, verb, arg, before)
        except defective.Refused:
            named = defective.read_port(arg) if verb == "PORT" else None
            if named and named.ip != self.peer and self.logged_in:
                self.refused(named)
            raise


class DialsLater(Judging):
    def refused(self, named):
        threading.Timer(0.6, call, (named.ip, named.port)).start()


def test_who_refuses_and_connects_later_is_seen():
    with serving(DialsLater) as server:
        report, _ = audit(server, "--only", "bounce")
    assert line(report, "bounce")["verdict"] == "vulnerable"
    assert report["verdict"] == "vulnerable" and report["grade"] == "F"
    assert "after all" in line(report, "bounce")["evidence"]


class Remembers(Judging):
    """What was refused is connected to by the next transfer."""
    last = None

    def refused(self, named):
        self.last = named

    def do_list(self, line, arg):
        if self.last is None:
            return super().do_list(line, arg)
        self.say("150 Here it comes.")
        call(self.last.ip, self.last.port)
        self.say("226 Done.")
        return None


def test_who_refuses_and_connects_at_the_transfer_is_seen():
    with serving(Remembers) as server:
        report, _ = audit(server, "--only", "stale_refused")
    found = line(report, "stale_refused")
    assert found["verdict"] == "vulnerable"
    assert "third party" in found["evidence"]


class OutOfStep(defective.Session):
    """A refusal that nobody asked for comes before the 200."""

    def do_pass(self, line, arg):
        super().do_pass(line, arg)
        self.say("500 Not to that address.")


def test_a_refusal_that_was_not_asked_for_is_none():
    with serving(OutOfStep, "bounce") as server:
        report, _ = audit(server, "--only", "bounce")
    assert line(report, "bounce")["verdict"] == "vulnerable"
    assert "came from" in line(report, "bounce")["evidence"]


# ---- to accuse the innocent: neighbours

class Meddled(defective.Session):
    """PORT is agreed to, nobody is connected to; but somebody else comes."""

    def judge(self, line, verb, arg, before):
        return defective.read_port(arg)

    def active(self, verb):
        with socket.create_connection(
                (str(self.endpoint.ip), self.endpoint.port), 2,
                source_address=("127.0.0.9", 0)):
            time.sleep(0.2)
        raise defective.Refused("425 Nobody could be reached.")


def test_who_comes_from_elsewhere_is_not_the_server():
    with serving(Meddled) as server:
        report, _ = audit(server, "--only", "bounce,stale_passive,dial_source")
    for name in ("bounce", "dial_source"):
        assert line(report, name)["verdict"] == "inconclusive"
        assert "127.0.0.9" in line(report, name)["evidence"]


class Crowded(defective.Session):
    """The server connects, when three others have been there."""

    def judge(self, line, verb, arg, before):
        return defective.read_port(arg)

    def active(self, verb):
        where = (str(self.endpoint.ip), self.endpoint.port)
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(socket.create_connection(
                    where, 2, source_address=("127.0.0.9", 0)))
            time.sleep(0.3)
            return socket.create_connection(where, 2,
                                            source_address=(SERVER, 0))


def test_a_crowd_does_not_hide_the_server():
    with serving(Crowded) as server:
        report, _ = audit(server, "--only", "bounce")
    found = line(report, "bounce")
    assert found["verdict"] == "vulnerable"
    assert f"came from {SERVER}:" in found["evidence"]
    assert " with 0 bytes" not in found["evidence"]


# ---- to have it call at somebody's door

def test_no_other_address_is_named_to_who_connects_at_port():
    """Though --only leaves out the question that finds it."""
    with serving(defective.Session, "dial_early", "self") as server:
        report, _ = audit(server, "--only", "self")
    found = line(report, "self")
    assert found["verdict"] == "not_asked"
    said = SERVER.replace(".", ",")
    assert not any(f"PORT {said}" in e.get("send", "")
                   for e in found["exchange"])


@needs_root
def test_an_address_that_can_be_bound_and_is_elsewhere_is_not_ours(net):
    """Where a host may take over others', bind proves nothing."""
    client = net.names["client"]
    net.run("ip", "netns", "exec", client, "sysctl", "-qw",
            "net.ipv4.ip_nonlocal_bind=1")
    stub = subprocess.Popen(
        [*net.inside("server"), sys.executable, defective.__file__,
         "--listen", f"{net.V4['server']}:21"],
        stdout=subprocess.PIPE, text=True)
    try:
        assert stub.stdout.readline().startswith("ready")
        done = subprocess.run(
            [*net.inside("client"), *command(
                "--json", "--listen-address", "203.0.113.77", "--only",
                "bounce", f"ftp://{net.V4['server']}:21")],
            capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    finally:
        stub.terminate()
        stub.wait(10)
        stub.stdout.close()
    assert "an address of this host" in json.loads(done.stdout)["error"]
    assert "203,0,113,77" not in done.stdout
    assert done.returncode == 3


def test_a_passive_port_of_another_service_is_not_connected_to():
    class Luring(defective.Session):
        def do_epsv(self, _line, _arg):
            self.say("229 Here (|||25|)")

        def do_pasv(self, _line, _arg):
            self.say_227(self.local, 25)

    with serving(Luring) as server:
        report, _ = audit(server, "--only", "T9,T10,T11,T12,T13,stale_passive")
    assert line(report, "passive_address")["verdict"] == "vulnerable"
    assert ":25\"" not in json.dumps(report)


# ---- to have it tell a secret, or leave something behind

class Parrot(defective.Session):
    """It repeats the password that it was told."""

    def do_user(self, _line, _arg):
        self.say("331 Password, please.")

    def do_pass(self, _line, arg):
        self.word = arg
        self.logged_in = True
        self.say(f"230-Welcome.\r\n230 Your password is {arg}.")

    def do_stat(self, _line, _arg):
        self.say(f"211 {self.word}")

    def do_pasv(self, _line, _arg):
        raise defective.Refused(f"502 No, {self.word}.")

    do_epsv = do_pasv


@pytest.mark.parametrize("form", ["--json", "--verbose", "--nagios", "--sarif"])
def test_a_password_that_is_repeated_is_not_told(form, tmp_path):
    with serving(Parrot) as server:
        done = run(form, "--only", "T9,T12", "--listen-address", B,
                   "-o", str(tmp_path / "out"), "-",
                   stdin=f"ftp://me:{SECRET}@{SERVER}:{server.port}\n")
    said = done.stdout + done.stderr + (tmp_path / "out").read_text()
    assert SECRET not in said
    if form in ("--json", "--verbose"):
        assert "Your password is ****." in said
        assert "502 No, ****." in said


def test_a_wrong_target_is_told_without_its_password():
    done = run(f"ftp://me:{SECRET}@host:99999")
    assert done.returncode == 2
    assert "...@host:99999: its port" in done.stderr
    assert SECRET not in done.stderr


def test_a_password_does_not_stay_in_the_command_line(tmp_path):
    with serving(lambda server, _sock: server.ending.wait()) as server:
        process = subprocess.Popen(command(
            "--json", "--timeout", "5",
            f"ftp://me:{SECRET}@{SERVER}:{server.port}"), env=ENVIRONMENT,
            stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            with open(f"/proc/{process.pid}/cmdline") as words:
                line = words.read()
            with open(f"/proc/{process.pid}/limits") as limits:
                cores = next(one for one in limits if "core file" in one)
        finally:
            process.kill()
            process.wait()
    assert SECRET not in line and "ftp://me:****" in line
    assert cores.split()[4:6] == ["1", "1"]


class Lossy(defective.Session):
    """An upload is stored, and its end is a lie, or the session's."""
    end = "451 It went wrong."

    def do_stor(self, line, arg):
        super().do_stor(line, arg)
        if not self.end:
            raise defective.Over("lost")

    def say(self, text):
        super().say(self.end if text.startswith("226") and self.end else text)


@pytest.mark.parametrize("end", ["451 It went wrong.", ""])
def test_an_upload_that_seemed_to_fail_is_removed(end):
    kind = type("Lossy", (Lossy,), {"end": end})
    with serving(kind, "write", "overwrite") as server:
        report, _ = audit(server, "--write", "--only", "write,overwrite")
        assert not server.stored
    assert "NOT be removed" not in json.dumps(report)


class Keeping(defective.Session):
    def do_dele(self, _line, _arg):
        raise defective.Refused("550 It stays.")


def test_what_stays_is_told_by_its_name():
    with serving(Keeping, "write") as server:
        report, _ = audit(server, "--write", "--only", "write")
        left, = server.stored
    assert f"{left} could NOT be removed" in line(report, "write")["evidence"]


def test_the_output_does_not_follow_another_s_link(tmp_path):
    """Who knows the name beside which it is written may put a link there."""
    prey = tmp_path / "prey"
    prey.write_text("precious\n")
    (tmp_path / "out.new").symlink_to(prey)
    with serving(defective.Session) as server:
        audit(server, "--only", "before_login", "-o",
              str(tmp_path / "out"))
    assert prey.read_text() == "precious\n"
    assert json.loads((tmp_path / "out").read_text())["questions"]


class Dawdling(defective.Session):
    """An upload of which the end is told when nobody waits for it."""

    def say(self, text):
        if text.startswith("226") and self.server.stored:
            self.server.ending.wait(8)
        super().say(text)


def test_what_was_stored_is_removed_when_the_time_is_over():
    with serving(Dawdling, "write") as server:
        report, seconds = audit(server, "--write", "--only", "write",
                                "--max-time", "4")
        assert not server.stored
    assert report["verdict"] == "inconclusive" and seconds < 10


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as pids:
        return [int(p) for p in pids.read().split()]


def test_audits_end_with_who_asked_for_them():
    with serving(lambda server, _sock: server.ending.wait()) as server:
        process = subprocess.Popen(command(
            "--json", "--timeout", "60", f"{SERVER}:{server.port}"),
            env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            child, = children(process.pid)
        finally:
            process.kill()
            process.wait()
        time.sleep(0.5)
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{child}/stat") as stat:
                assert stat.read().split()[2] == "Z"
