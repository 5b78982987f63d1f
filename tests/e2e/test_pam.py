# tests/e2e/test_pam.py: accounts of the system, which PAM knows.
# SPDX-License-Identifier: Apache-2.0
"""One server for all who do it no harm.  Its service of PAM is ours and runs
a script: the password is the user's name backwards, and what else becomes of
a user his name decides.  Users are those that every Debian has."""

import concurrent.futures
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import BUILD, Server, make_archive, needs_root, open_to_others
from test_accounts import attempt, login, make_accounts, own_source
from test_processes import reload, soon
from test_solo import memory_of

pytestmark = [
    needs_root,
    pytest.mark.skipif(not (BUILD / "portcullis-pam").exists(),
                       reason="built without PAM"),
]

SCRIPT = r"""#!/bin/sh
echo "$PAM_TYPE $PAM_USER $PAM_RHOST $PAM_TTY" >> @LOG@
if [ "$PAM_TYPE" = account ]; then
	[ "$PAM_USER" != list ]
	exit
fi
password=$(tr -d '\0')
case $PAM_USER in
lp) touch @LOG@.hangs; sleep 1000; exit 0 ;;
uucp) kill -SEGV $PPID; exit 0 ;;
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
    "daemon shelf lr tls=optional",
)


@pytest.fixture(scope="module")
def service():
    """A service of PAM, and the script that it runs."""
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


def test_c02_every_refusal_is_the_same_with_pam(named):
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

def test_f10_a_module_that_hangs_costs_one_answer(named):
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


def test_f10_a_module_that_crashes_costs_one_answer(named):
    before = named.children("portcullis-pam")
    assert attempt(named, "uucp", "pcuu")[1].code == 530
    named.wait_for(f"a module ended it by signal {signal.SIGSEGV.value}")
    login(named, "news", "swen").close()
    assert named.children("portcullis-pam") == before


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

def test_f10_a_pam_process_that_dies_is_replaced(named):
    stays = login(named, "news", "swen")
    old, = named.children("portcullis-pam")
    os.kill(old, signal.SIGKILL)
    soon(lambda: named.children("portcullis-pam") not in ([], [old]))
    login(named, "news", "swen").close()
    assert stays.fetch("RETR own") == b"news has it\n"
    # With another keeper comes another one.
    keeper, = named.children("portcullis-keeper")
    old, = named.children("portcullis-pam")
    os.kill(keeper, signal.SIGKILL)
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
