# tests/e2e/test_pam.py: accounts of the system, which PAM knows.
# SPDX-License-Identifier: Apache-2.0
"""One server for all who do it no harm.  Its service of PAM is ours and runs
a script: the password is the user's name backwards, and what else becomes of
a user his name decides.  Users are those that every Debian has.  Then the
keeper alone, with a test for its portcullis-pam."""

import concurrent.futures
import os
import pathlib
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

from conftest import (BUILD, IS_ROOT, Server, make_archive,
                      needs_root, open_to_others, plain_build)
from test_accounts import attempt, login, make_accounts, own_source
from test_keeper import BROKEN, NO, SHUT, YES, Keeper, addr
from test_keeper import make_accounts as make_file, make_root
from test_keeper import PASSWORD
from test_processes import reload, soon
from test_solo import memory_of

pytestmark = pytest.mark.skipif(not (BUILD / "portcullis-pam").exists(),
                                reason="built without PAM")

SCRIPT = r"""#!/bin/sh
echo "$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY" >> @LOG@
if [ "$PAM_TYPE" = account ]; then
	[ "$PAM_USER" != list ]
	exit
fi
password=$(tr -d '\0')
case $PAM_USER in
lp) touch @LOG@.hangs; sleep 1000; exit 0 ;;
uucp) kill -KILL $PPID; exit 0 ;;
esac
[ "$password" = "$(printf %s "$PAM_USER" | rev)" ]
"""

RULES = (
    "games games lrwodnm tls=optional",
    "mail shelf lr tls=optional,sessions=1",
    "backup shelf lr",
    "proxy not/there lr tls=optional",
    "www-data shelf lr tls=optional,networks=192.0.2.0/24",
    "news home/%u lr tls=optional",
    "lp shelf lr tls=optional",
    "uucp shelf lr tls=optional",
    "list shelf lr tls=optional",
    # Who is refused for his number, and for nothing else.
    "root shelf lr tls=optional",
    "nogroup shelf lr tls=optional",	# sync's
)


@pytest.fixture(scope="module")
def service():
    """A service of PAM, and the script that it runs."""
    if not IS_ROOT:
        pytest.skip("needs root, to make a service of PAM")
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    log, script = place / "log", place / "script"
    log.touch()
    script.write_text(SCRIPT.replace("@LOG@", str(log)))
    script.chmod(0o755)
    file = pathlib.Path(f"/etc/pam.d/portcullis-test-{secrets.token_hex(4)}")
    file.write_text(
        f"auth required pam_exec.so quiet expose_authtok {script}\n"
        f"account required pam_exec.so quiet {script}\n")
    yield file.name, log
    file.unlink()
    shutil.rmtree(place, ignore_errors=True)


def pam_conf(place, service):
    (place / "homes" / "games").mkdir()
    (place / "homes" / "home" / "news").mkdir(parents=True)
    (place / "homes" / "home" / "news" / "own").write_bytes(b"news has it\n")
    shutil.chown(place / "homes" / "games", "portcullis-worker")
    return {"accounts.pam": service[0], "accounts.pam_least_uid": 5,
            "accounts.pam_timeout": 1,
            "accounts.pam_rule": "\naccounts.pam_rule = ".join(RULES)}


@pytest.fixture(scope="module")
def named(service):
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    conf = make_accounts(place) | {"keeper.jobs": 8}
    server = Server(place, place / "archive",
                    conf | pam_conf(place, service))
    server.homes, server.log = place / "homes", service[1]
    yield server
    assert server.stop() == 0, server.stderr
    soon(lambda: not processes(server))
    shutil.rmtree(place, ignore_errors=True)


def processes(server):
    """portcullis-pam of this server, and those forked from it."""
    first = server.children("portcullis-pam")
    return first + [int(pid.name) for pid in pathlib.Path("/proc").iterdir()
                    if pid.name.isdigit() and parent_of(pid) in first]


def parent_of(pid):
    try:
        return int((pid / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def asked(server):
    return [line.split() for line in server.log.read_text().splitlines()]


# ---- logins

def test_a_system_account_has_what_its_rule_gives(named):
    with login(named, "games", "semag") as c:
        assert c.cmd("MKD made").code == 257
        assert c.fetch("NLST").split() == [b"made"]
    assert (named.homes / "games" / "made").owner() == "portcullis-worker"
    with login(named, "news", "swen") as c:
        assert c.fetch("RETR own") == b"news has it\n"
        assert c.cmd("MKD no").code == 550
    source = own_source()
    with login(named, "mail", "liam", source) as c:
        assert c.fetch("RETR one") == b"the shelf's\n"
        assert attempt(named, "mail", "liam")[1].code == 421	# sessions=1
    assert [k for k in asked(named) if k[1] == "mail" and k[2] == source] == [
        ["auth", "mail", source, "ftp"], ["account", "mail", source, "ftp"]]


def test_an_account_of_the_file_is_never_asked_about(named):
    login(named, "alice").close()
    assert attempt(named, "alice", "wrong")[1].code == 530
    assert "alice" not in {k[1] for k in asked(named)}


def test_c02_c03_c06_every_refusal_is_the_same_with_pam(named):
    """Also where the password is right, and something else is not."""
    tries = [(own_source(), user, password) for user, password in (
            ("games", "wrong"), ("games", ""), ("nobody-here", "x"),
            ("hunted", "wrong"),	# of the file
            ("root", "toor"), ("sync", "cnys"),	# uid 0, and one too low
            ("man", "nam"),			# no rule
            ("backup", "pukcab"),		# TLS
            ("www-data", "atad-www"),		# another network
            ("list", "tsil"),			# expired, says account
            ("-v", "v-"), ("../alice", "x"), ("a%ub", "x"), ("x" * 65, "x"),
            ("games", "x" * 512))]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = set(pool.map(
            lambda t: attempt(named, t[1], t[2], t[0]), tries))
    assert {(u.code, p.code) for u, p in replies} == {(331, 530)}
    assert len(replies) == 1
    about = {k[2]: k[1] for k in asked(named)}
    # Each had PAM at work, and nobody was asked about who cannot log in.
    for source, user, password in tries:
        real = user in ("backup", "www-data", "list") or (
            (user, password) == ("games", "wrong"))
        assert about[source] == (user if real else "portcullis-no-such-user")
    for number in (3, 5):
        assert (f"accounts.pam_rule, number {number}: a login with the right "
                "password is refused: ") in named.stderr
    assert "portcullis-no-such-user" not in named.stderr


def test_c09_a_rule_whose_directory_is_missing_is_no_login(named):
    assert attempt(named, "proxy", "yxorp")[1].code == 530
    named.wait_for("number 4: a login with the right password is refused: its "
                   "directory")


def test_c05_an_empty_password_is_none_of_the_systems(named):
    assert attempt(named, "news", "")[1].code == 530


# ---- modules that do not behave

def test_a_module_that_hangs_costs_one_answer(named):
    """It ends with what it started; others log in meanwhile."""
    with named.control(own_source()) as c:
        assert c.read().code == 220
        assert c.cmd("USER lp").code == 331
        c.send("PASS pl\r\n")
        soon(pathlib.Path(f"{named.log}.hangs").exists)
        child = next(p for p in processes(named)
                     if p not in named.children("portcullis-pam"))
        # It has no channel that a module could speak on.
        assert not [fd for fd in os.listdir(f"/proc/{child}/fd")
                    if "socket:" in os.readlink(f"/proc/{child}/fd/{fd}")]
        # Itself, the script, sleep; the script in a session of its own.
        started = soon(lambda: len(found := beneath(child)) > 2 and found)
        assert {os.getsid(p) for p in started} != {os.getsid(child)}
        login(named, "news", "swen").close()
        assert c.read().code == 530
    soon(lambda: not any(os.path.exists(f"/proc/{p}") for p in started))
    named.wait_for("did not answer in 1 s")


def beneath(pid):
    return [pid] + [p for child in pathlib.Path("/proc").iterdir()
                    if child.name.isdigit() and parent_of(child) == pid
                    for p in beneath(int(child.name))]


def started(pid):
    """When it was started: a number alone may be another's by then."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rsplit(")", 1)[1].split()[19]


def test_a_module_that_crashes_costs_one_answer(named):
    before = named.children("portcullis-pam")
    assert attempt(named, "uucp", "pcuu")[1].code == 530
    named.wait_for(f"a module ended it by signal {signal.SIGKILL.value}")
    login(named, "news", "swen").close()
    assert named.children("portcullis-pam") == before


@plain_build
def test_a_password_is_kept_nowhere(named):
    with named.control(own_source()) as c:
        assert c.read().code == 220
        assert c.cmd("USER news").code == 331
        secret = "the-one-and-only-" + secrets.token_hex(8)
        assert c.cmd(f"PASS {secret}").code == 530
        for name in ("portcullis-pam", "portcullis-keeper"):
            for pid in named.children(name):
                assert secret.encode() not in memory_of(pid)


# ---- its life

def test_a_pam_process_that_dies_is_replaced(named):
    stays = login(named, "news", "swen")
    old, = named.children("portcullis-pam")
    os.kill(old, signal.SIGKILL)
    soon(lambda: named.children("portcullis-pam") not in ([], [old]))
    login(named, "news", "swen").close()
    assert stays.fetch("RETR own") == b"news has it\n"
    # With another keeper comes another one; what hangs ends with the old one.
    keeper, = named.children("portcullis-keeper")
    old, = named.children("portcullis-pam")
    with named.control(own_source()) as c:
        c.send("USER lp\r\nPASS pl\r\n")
        hang = soon(lambda: len(found := beneath(old)) > 3 and found)
    began = {p: started(p) for p in hang}
    os.kill(keeper, signal.SIGKILL)
    soon(lambda: not [p for p in hang if began[p] and started(p) == began[p]])
    soon(lambda: named.children("portcullis-pam") not in ([], [old]) and
         len(named.children("portcullis-pam")) == 1)
    soon(lambda: attempt(named, "news", "swen")[1].code == 230)
    assert stays.fetch("RETR own") == b"news has it\n"
    stays.close()


def test_a_reload_takes_pam_away_and_brings_it_back(named):
    stays = login(named, "games", "semag")
    with_it = dict(named.settings)
    done = named.stderr.count("reloaded")
    reload(named, {k: None for k in with_it if k.startswith("accounts.pam")})
    named.wait_for("reloaded", done + 1)
    soon(lambda: not processes(named))
    assert attempt(named, "games", "semag")[1].code == 530
    login(named, "alice").close()
    reload(named, {"accounts.pam": "portcullis-test-none",
                   "accounts.pam_rule": with_it["accounts.pam_rule"]})
    named.wait_for("there is no /etc/pam.d/portcullis-test-none")
    reload(named, with_it | {"accounts.pam_rule": "* shelf l tls=optional"})
    named.wait_for("reloaded", done + 2)
    with login(named, "games", "semag") as c:
        assert c.fetch("NLST").split() == [b"one"]
        assert c.cmd("RETR one").code == 550
    assert stays.cmd("RMD made").code in (250, 550)
    stays.close()


@pytest.mark.parametrize("change, problem", [
    ({"accounts.pam_rule": None}, "no accounts.pam_rule"),
    ({"accounts.pam_rule": "* %x lr"}, '"%" in the directory'),
    ({"accounts.pam_rule": "* ../x lr"}, "a directory without"),
    ({"accounts.pam_rule": "* x:y lr"}, "a colon in"),
    ({"accounts.pam_rule": "* x lrz"}, "rights are letters"),
    ({"accounts.pam_rule": "* x lr tls=never"}, "is not understood"),
    ({"accounts.pam_user": "no-such-user"}, 'no user "no-such-user"'),
    ({"accounts.file": None}, "no accounts.file"),
    ({"accounts.pam": "portcullis-test-none"}, "there is no /etc/pam.d/"),
])
def test_what_cannot_work_is_no_start(named, change, problem):
    text = "".join(f"{k} = {v}\n" for k, v in (named.settings | change).items()
                   if v is not None)
    file = named.place / "wrong.conf"
    file.write_text(text)
    done = subprocess.run([BUILD / "portcullisd", "-c", file, "--check"],
                          capture_output=True, text=True)
    assert done.returncode == 2
    assert problem in done.stderr, done.stderr


# ---- the keeper alone

SYSTEM = 0xfffffffe
P_YES, P_NO, P_BROKEN = 1, 2, 3
QUESTION = "<BBHHHI20s64s512s"


class Pam:
    """portcullis-pam, seen from the keeper."""

    def __init__(self, keeper):
        mine, theirs = socket.socketpair(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
        mine.settimeout(20)
        self.sock = mine
        keeper.warden.send("ATTACH", struct.pack("<I", SYSTEM),
                           theirs.fileno())
        theirs.close()

    def is_asked(self, seconds=0):
        return bool(select.select([self.sock], [], [], seconds)[0])

    def question(self):
        """(number, name, password, peer)"""
        data = self.sock.recv(4096)
        assert len(data) == 608
        version, _, n, m, _, seq, peer, user, password = struct.unpack(
            QUESTION, data)
        assert version == 1 and not user[n:].strip(b"\0")
        return seq, user[:n], password[:m], peer

    def answer(self, seq, verdict, rule=0):
        self.sock.send(struct.pack("<BBBBI", 1, verdict, rule, 0, seq))

    def closed(self):
        return self.sock.recv(1) == b""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    place = tmp_path_factory.mktemp("keeper")
    root = make_root(place)
    k = Keeper(make_file(place), root, **{
        "accounts.pam": "none", "accounts.pam_timeout": 1,
        "accounts.pam_rule": "* in/%u lr"}).start()
    k.root = root
    yield k
    k.close()


@pytest.fixture
def pam(alone):
    alone.forget()
    yield Pam(alone)


def told(keeper, worker):
    while not worker.has_answer(0.005):
        keeper.skip(1000)
    return worker.answer()


def test_a_yes_is_an_account_by_its_rule(alone, pam):
    (alone.root / "in" / "eve").mkdir()
    w = alone.worker("192.0.2.77")
    w.ask("eve", "opensesame")
    seq, user, password, peer = pam.question()
    assert (user, password) == (b"eve", b"opensesame")
    assert peer == addr("192.0.2.77")
    pam.answer(seq, P_YES)
    a = told(alone, w)
    assert (a.verdict, a.rights, a.rate) == (YES, 0b11, 0)
    assert os.fstat(a.fds[0]).st_ino == (alone.root / "in/eve").stat().st_ino
    # What a user of the same name has in a directory that is not there.
    w = alone.worker()
    w.ask("adam", "x")
    pam.answer(pam.question()[0], P_YES)
    assert told(alone, w).verdict == BROKEN


@pytest.mark.parametrize("user, password", [
    ("dwd", "wrong"), ("locked", PASSWORD), ("empty", ""), ("lan", PASSWORD),
    ("eve", ""), ("eve", "a\0b"), ("eve", "x" * 512), ("e" * 65, "x"),
    ("", "x"), ("e/ve", "x"), ("..", "x"), ("-e", "x"), ("e ve", "x"),
    ("e%n", "x"), ("e\nve", "x"), ("\u00e9ve", "x")])
def test_c03_about_whom_nobody_is_asked(alone, pam, user, password):
    """The same is done, and not even the password leaves the keeper."""
    w = alone.worker("10.9.9.9" if user != "lan" else "192.0.2.1")
    w.ask(user, password)
    seq, user, password, _ = pam.question()
    assert (user, password) == (b"", b"")
    pam.answer(seq, P_NO)
    assert told(alone, w).verdict == NO


def test_c03_a_right_password_of_the_file_asks_nobody(alone, pam):
    assert alone.worker().login("clear", PASSWORD).verdict == YES
    assert not pam.is_asked()


def test_a_yes_about_nobody_is_none(alone, pam):
    w = alone.worker()
    w.ask("dwd", "wrong")
    pam.answer(pam.question()[0], P_YES)
    assert told(alone, w).verdict == NO
    w = alone.worker()
    w.ask("e/ve", "x")
    pam.answer(pam.question()[0], P_YES)
    assert told(alone, w).verdict == NO


def test_c04_many_at_once_gain_nothing_with_pam(alone, pam):
    crowd = [alone.worker("203.0.113.2") for _ in range(60)]
    for w in crowd:
        w.ask("eve", "guess")
    asked = 0
    while not all(w.has_answer() for w in crowd):
        while pam.is_asked():
            pam.answer(pam.question()[0], P_NO)
            asked += 1
        alone.skip(1000)
        time.sleep(0.02)
    verdicts = [w.answer().verdict for w in crowd]
    assert verdicts.count(NO) == asked <= 10 + 2
    assert set(verdicts) == {NO, SHUT}


def test_c04_who_leaves_while_pam_is_asked_was_refused(alone, pam):
    """A right password is told at once, so a module that takes longer over
    a wrong one would be guessed at for nothing."""
    for _ in range(16):
        w = alone.worker("203.0.113.4")
        w.ask("eve", "guess")
        while not pam.is_asked(0.005) and not w.has_answer():
            alone.skip(1000)
        if w.has_answer():
            assert w.answer().verdict == SHUT
            return
        seq, *_ = pam.question()
        w.sock.close()
        time.sleep(0.02)
        pam.answer(seq, P_NO)
    pytest.fail("sixteen tries, and none of them counted")


def test_one_that_does_not_answer_is_not_waited_for(alone, pam):
    """Not for ever; and what it says later is nobody's."""
    w = alone.worker()
    w.ask("eve", "x")
    seq, *_ = pam.question()
    soon(w.has_answer)
    assert w.answer().verdict == NO
    pam.answer(seq, P_YES)
    w.ask("eve", "x")
    pam.answer(pam.question()[0], P_NO)
    assert told(alone, w).verdict == NO


@pytest.mark.parametrize("packet", [
    b"x", b"", struct.pack("<BBBBI", 2, P_NO, 0, 0, 0),
    struct.pack("<BBBBI", 1, 0, 0, 0, 0), struct.pack("<BBBBI", 1, 4, 0, 0, 0),
    struct.pack("<BBBBI", 1, P_YES, 1, 0, 0),
    struct.pack("<BBBBII", 1, P_YES, 0, 0, 0, 0)])
def test_a_malformed_answer_is_a_no(alone, pam, packet):
    w = alone.worker()
    w.ask("eve", "x")
    pam.question()
    pam.sock.send(packet)
    assert told(alone, w).verdict == NO
    assert pam.closed()
    assert alone.worker().login("eve", "x").verdict == NO
    assert "is not there to be asked" in alone.said()


def test_who_leaves_takes_nothing_along(alone, pam):
    for i in range(4):
        w = alone.worker(f"10.8.{i}.1")
        w.ask("eve", "x")
        seq, *_ = pam.question()
        w.sock.close()
        time.sleep(0.02)
        pam.answer(seq, P_YES)
    assert alone.worker().login("clear", PASSWORD).verdict == YES
    w = alone.worker()
    w.ask("eve", "x")
    pam.question()
    w.ask("eve", "x")	# out of turn
    assert w.closed()


def test_a_name_that_the_file_gets_meanwhile_is_the_files(alone, pam):
    w = alone.worker()
    w.ask("eve", "x")
    seq, *_ = pam.question()
    before = alone.path.read_text()
    alone.path.write_text(before + "eve:*:dwd:lr\n")
    assert alone.reload() == 1
    pam.answer(seq, P_YES)
    assert told(alone, w).verdict == NO
    alone.path.write_text(before)
    assert alone.reload() == 1


@needs_root
@plain_build	# a sanitizer keeps freed memory on purpose
def test_what_was_asked_is_not_kept(alone, pam):
    w, secret = alone.worker(), "opensesame-" + secrets.token_hex(8)
    w.ask("eve", secret)
    seq, *_ = pam.question()
    # It is wiped as soon as the question is out, and long before the answer.
    soon(lambda: secret.encode() not in memory_of(alone.process.pid))
    pam.answer(seq, P_NO)
    assert told(alone, w).verdict == NO
    for word in ("opensesame", "eve"):
        assert word not in alone.said()
