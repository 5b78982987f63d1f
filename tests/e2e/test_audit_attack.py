# tests/e2e/test_audit_attack.py: servers, and neighbours, that go for the
# auditor itself.
# SPDX-License-Identifier: Apache-2.0
"""They want it to crash, to wait for ever, to tell a secret, to accuse the
innocent, or to call at somebody's door."""

import contextlib
import json
import os
import pathlib
import resource
import socket
import subprocess
import threading
import time

import pytest

import defective
from conftest import BUILD, ENVIRONMENT, SANITIZED, needs_root
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


class Trickling(defective.Session):
    """A reply of which a byte is always there, and never the last."""

    def do_syst(self, _line, _arg):
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(b"215-")
        while not self.server.ending.is_set():
            self.sock.sendall(b"\n")


def test_a_reply_that_trickles_is_none():
    with serving(Trickling) as server:
        report, seconds = audit(server, "--only", "before_login",
                                "--timeout", "2")
    assert seconds < 15
