# tests/e2e/test_audit.py: the auditor as a command: targets, manners, forms.
# SPDX-License-Identifier: Apache-2.0
"""What it asks is in test_audit_defects and test_audit_peers; this is how it
behaves towards the server, the person and the shell."""

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, ENVIRONMENT, free_port
from defective import Defective

HERE = "127.0.0.1"


def run(*args, **options):
    return subprocess.run(
        [BUILD / "portcullis", "audit", *map(str, args)], text=True,
        capture_output=True, env=ENVIRONMENT, timeout=120, **options)


def reports(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def one(done):
    return reports(done)[0]


@pytest.fixture
def careful(tmp_path):
    with Defective(log=tmp_path / "log") as server:
        yield server


def target(server):
    return f"{HERE}:{server.port}"


# ---- targets

@pytest.mark.parametrize("wrong,says", [
    ([], "no target"),
    (["http://ftp.example.org/"], "neither ftp nor ftps"),
    (["ftp.example.org:0"], "1 to 65535"),
    (["ftp.example.org:21x"], "1 to 65535"),
    (["ftp.example.org/pub"], "--directory"),
    (["[::1"], "not closed"),
    (["ftp://:x@ftp.example.org"], "before the @"),
    (["ftp://a%4@ftp.example.org"], "%"),
    (["a b"], "blank"),
    (["--only", "T99", "h"], "T99"),
    (["--rate", "0", "h"], "1 to 1000"),
    (["--jobs", "65", "h"], "1 to 64"),
    (["--listen-address", "x", "h"], "IP address"),
    (["--fail-on", "bad", "h"], "critical"),
    (["--json", "--sarif", "h"], "one of"),
    (["--contact", "a\nb", "h"], "printable"),
    (["--compare", "/no/such/file", "h"], "No such file"),
    (["--output", "/no/such/dir/file", "h"], "No such file"),
])
def test_what_is_wrong_is_said_before_a_packet_is_sent(wrong, says):
    done = run(*wrong)
    assert done.returncode == 2
    assert says in done.stderr and not done.stdout
    assert done.stderr.startswith("portcullis audit: ")


@pytest.mark.parametrize("name,says", [
    ("no-such-host.invalid", "no-such-host.invalid"),
    (f"{HERE}:1", "Connection refused"),
])
def test_a_host_that_is_not_there_is_inconclusive(name, says):
    done = run("--json", name)
    assert done.returncode == 3
    assert says in one(done)["error"] and one(done)["questions"] == []
    assert one(done)["verdict"] == "inconclusive"
    assert says in run(name).stdout


def test_an_address_that_is_not_ours_is_not_taken(careful):
    done = run("--json", "--listen-address", "192.0.2.1", target(careful))
    assert done.returncode == 2 and not done.stdout
    assert "192.0.2.1 is no address of this host" in done.stderr


def test_many_targets_are_read_and_told_in_their_order(careful):
    dead = free_port()
    names = [target(careful), f"{HERE}:{dead}", f"localhost:{careful.port}",
             f"{HERE}:{dead}", target(careful)]
    done = run("--json", "--jobs", 3, "--only", "bounce,throttling", "-4",
               "--rate", 500, "-", input="# ours\n\n" + "".join(
                   f"  {n}  \n" for n in names))
    assert [r["target"] for r in reports(done)] == [
        f"ftp://{n}" for n in names]
    assert [("error" in r) for r in reports(done)] == [
        False, True, False, True, False]
    assert done.returncode == 3


def test_a_wrong_line_of_many_targets_is_named():
    done = run("-", input=f"{HERE}:21\nftp.example.org:x\n")
    assert done.returncode == 2
    assert "line 2" in done.stderr


# ---- manners

@pytest.fixture(scope="module")
def whole():
    """Everything, of a server that is careful."""
    with Defective() as server:
        yield one(run("--json", "--rate", 400, "--contact",
                      "noc@example.org", "--write", target(server)))


def sent(report):
    for question in report["questions"]:
        for step in question["exchange"]:
            if "send" in step:
                yield question, step


def test_no_question_is_more_than_64_commands(whole):
    assert len(whole["questions"]) == 60
    for question in whole["questions"]:
        assert question["commands"] <= 64
        said = [s for q, s in sent(whole) if q is question and
                s["send"] != "QUIT"]
        assert len(said) == question["commands"]


def test_it_says_who_asks(whole):
    said = [s["send"] for s in whole["introduction"] if "send" in s]
    assert "PASS noc@example.org" in said
    assert any(re.fullmatch(r"CLNT portcullis-audit [\d.]+ noc@example\.org",
                            line) for line in said)


def test_only_own_addresses_are_named(whole):
    """The loopback for a reply alone; here it is the auditor's own."""
    own = {whole["from"], *whole["listen"]}
    named = {a["ip"] for q in whole["questions"] for a in q["asked"]}
    assert named - {""} and named - {""} <= own


def test_the_rate_is_kept(careful):
    report = one(run("--json", "--rate", 10, "--only", "T1,T8",
                     target(careful)))
    times = [s["at_ms"] for s in report["introduction"] if "send" in s and
             s["send"] != "QUIT"]
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert len(gaps) > 5 and min(gaps) >= 99


def test_a_421_ends_the_question_and_not_the_audit(careful):
    report = one(run("--json", "--rate", 500, "--only",
                     "throttling,epsv_all_pasv,log_trace", target(careful)))
    lines = {q["id"]: q for q in report["questions"]}
    assert "421" in lines["throttling"]["evidence"]
    last = [s for s in lines["throttling"]["exchange"]][-1]
    assert last.get("receive", "").startswith("421")
    assert lines["epsv_all_pasv"]["verdict"] == "safe"


def test_a_password_is_told_to_nobody_but_the_server(careful):
    done = run("--json", f"ftp://operator:s3cret-word@{target(careful)}",
               "--only", "T1,clear_password")
    assert "s3cret-word" not in done.stdout + done.stderr
    report = one(done)
    assert report["user"] == "operator" and "@" not in report["target"]
    assert any("no login" in note or "no login" in q["evidence"]
               for note in report["notes"] for q in report["questions"])


# ---- T13, T20: what takes an option

def test_a_listener_that_is_closed_in_time(serve):
    server = serve({"passive.timeout": 1})
    report = one(run("--json", "--only", "listener_lifetime", "--patience",
                     3, f"{HERE}:{server.port}"))
    assert report["questions"][0]["verdict"] == "safe"
    report = one(run("--json", "--only", "listener_lifetime",
                     f"{HERE}:{server.port}"))
    assert report["questions"][0]["verdict"] == "not_asked"


def test_portcullisd_logs_who_asked_for_what(serve):
    server = serve()
    report = one(run("--json", "--only", "log_trace", "--log",
                     server.events_file, f"{HERE}:{server.port}"))
    assert report["questions"][0]["verdict"] == "safe"


@contextlib.contextmanager
def forwarder(log, path):
    """What a syslog daemon's file would be, sent to a socket."""
    over = threading.Event()

    def go():
        told = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            while not over.is_set():
                text = log.read_bytes() if log.exists() else b""
                with contextlib.suppress(OSError):
                    if len(text) > told:
                        s.sendto(b"<86>ftpd: " + text[told:], str(path))
                        told = len(text)
                time.sleep(0.02)

    thread = threading.Thread(target=go)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.parametrize("defects,verdict", [([], "safe"),
                                             (["log_trace"], "vulnerable")])
def test_it_can_be_the_servers_syslog(tmp_path, defects, verdict):
    log, path = tmp_path / "log", tmp_path / "syslog"
    with Defective(defects, log=log) as server, forwarder(log, path):
        report = one(run("--json", "--only", "log_trace", "--syslog", path,
                         target(server)))
    assert report["questions"][0]["verdict"] == verdict
    assert not path.exists()


def test_nobody_elses_syslog_is_taken(tmp_path, careful):
    path = tmp_path / "syslog"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as theirs:
        theirs.bind(str(path))
        report = one(run("--json", "--only", "log_trace", "--syslog", path,
                         target(careful)))
    assert "in use" in report["questions"][0]["evidence"]
    assert path.exists()


# ---- what is seen

def test_progress_on_a_terminal_and_nowhere_else(careful):
    ours, its = pty.openpty()
    with subprocess.Popen(
            [BUILD / "portcullis", "audit", "--only", "T1,T8", "--json",
             target(careful)], stdout=subprocess.DEVNULL, stderr=its,
            env=ENVIRONMENT) as process:
        assert process.wait(60) in (0, 3)
    os.close(its)
    said = b""
    with contextlib.suppress(OSError):
        while piece := os.read(ours, 4096):
            said += piece
    os.close(ours)
    assert b"T1 bounce" in said and b"before_login" in said
    assert said.endswith(b"\r\033[K")
    assert run("--only", "T1", "--json", target(careful)).stderr == ""


@pytest.mark.parametrize("defects,status,word", [
    ([], 0, "OK"), (["epsv_all_pasv"], 1, "WARNING")])
def test_one_line_for_nagios(defects, status, word):
    with Defective(defects) as server:
        done = run("--nagios", "--rate", 500, "--only", "T7,T8",
                   target(server))
    assert done.returncode == status
    assert re.fullmatch(rf"FTP AUDIT {word} - [^|\n]*\| vulnerable=\d+ .*\n",
                        done.stdout)


def test_sarif_of_two_targets(careful):
    with Defective(["theft"]) as thief:
        done = run("--sarif", "--rate", 500, "--only", "T9", target(careful),
                   target(thief))
    assert done.returncode == 1
    log = json.loads(done.stdout)
    assert log["version"] == "2.1.0"
    failed = [r for r in log["runs"][0]["results"] if r["kind"] == "fail"]
    assert [r["ruleId"] for r in failed] == ["theft"]


def test_fail_on_decides_what_is_vulnerable():
    with Defective(["epsv_all_pasv"]) as server:
        args = ("--rate", 500, "--only", "T7", target(server))
        assert run(*args).returncode == 1
        done = run("--fail-on", "medium", *args)
    assert done.returncode == 0
    assert "epsv_all_pasv" in done.stdout and "grade B" in done.stdout
