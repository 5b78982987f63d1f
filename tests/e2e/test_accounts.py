# tests/e2e/test_accounts.py: logins by name, and what they open.
# SPDX-License-Identifier: Apache-2.0
"""One server for all who do it no harm; each test comes from an address of
its own network, since a refused login is held against where it came from."""

import concurrent.futures
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import (BUILD, ENVIRONMENT, IS_ROOT, Server, make_archive,
                      needs_root, open_to_others, plain_build)
from test_sandbox import inject, table
from test_solo import is_solo, memory_of, shared, solos, worker_of
from test_processes import reload, said, soon

PASSWORD = "correct horse"
networks = itertools.count(1)


def own_source():
    """An address that no other test has."""
    return f"127.7.{next(networks)}.1"


def add_account(file, name, *args):
    subprocess.run([BUILD / "portcullis", "passwd", "-f", file, "add", name,
                    "--stdin", "--cost", "1", *args], check=True,
                   input=PASSWORD.encode(), env=ENVIRONMENT)


ACCOUNTS = {
    "alice": ("-r", "lrwodnm"),
    "bob": ("-r", "lrwodnm"),
    "reader": ("-r", "lr", "-d", "shelf"),
    "lister": ("-r", "l", "-d", "shelf"),
    "single": ("-r", "lr", "-d", "shelf", "-o", "sessions=1"),
    "gone": ("-r", "lr", "-d", "not/there"),
    # Refusals make the next login by that name wait: so these have few.
    **{name: ("-r", "lr", "-d", "shelf")
       for name in ("hunted", "tried", "quick")},
}


def make_accounts(place, accounts=None):
    """The keys of a configuration, with these accounts."""
    file, root = place / "accounts", place / "homes"
    root.mkdir()
    for name, args in (accounts or ACCOUNTS).items():
        clear = [] if "-o" in args else ["-o", "tls=optional"]
        args = [a if args[i - 1] != "-o" else a + ",tls=optional"
                for i, a in enumerate(args)]
        add_account(file, name, *args, *clear)
    add_account(file, "secret", "-r", "lr", "-d", "shelf")
    for name in ("alice", "bob", "shelf"):
        (root / name).mkdir()
    (root / "shelf" / "one").write_bytes(b"the shelf's\n")
    (root / "alice" / "mine").write_bytes(b"alice has this\n")
    (root / "bob" / "mine").write_bytes(b"bob has that\n")
    (root / "alice" / "away").symlink_to("../bob/mine")
    if IS_ROOT:
        for path in [root, *root.rglob("*")]:
            shutil.chown(path, "portcullis-worker", "portcullis-worker") \
                if not path.is_symlink() else None
    return {"accounts.file": file, "accounts.root": root,
            "accounts.tls": "optional", "login.attempts": 3, "sessions.per_address": 1000}


@pytest.fixture(scope="module")
def named():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    server = Server(place, place / "archive", make_accounts(place))
    server.homes = place / "homes"
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


def login(server, user, password=PASSWORD, source=None):
    c = server.control(source or own_source())
    assert c.read().code == 220
    assert c.cmd(f"USER {user}").code == 331
    reply = c.cmd(f"PASS {password}")
    assert reply.code == 230, reply
    return c


def attempt(server, user, password, source=None):
    """The replies to USER and PASS, the control connection closed."""
    with server.control(source or own_source()) as c:
        assert c.read().code == 220
        return c.cmd(f"USER {user}"), c.cmd(f"PASS {password}")


# ---- logins

def test_an_account_has_its_directory_and_nothing_else(named):
    with login(named, "alice") as c:
        assert is_solo(worker_of(named, c)) or not IS_ROOT
        assert c.cmd("PWD") == '257 "/" is the current directory.\r\n'
        assert c.fetch("NLST").split() == [b"mine"]
        assert c.fetch("RETR mine") == b"alice has this\n"
        for path in ("/../bob/mine", "../bob/mine", "away", "/etc/passwd",
                     "/pub/README"):
            assert c.cmd(f"SIZE {path}").code == 550
    with login(named, "bob") as c:
        assert c.fetch("RETR /mine") == b"bob has that\n"


def test_c02_every_refusal_is_the_same(named):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said_to = set(pool.map(lambda x: attempt(named, *x), (
            ("hunted", "wrong"), ("nobody", PASSWORD), ("HUNTED", PASSWORD),
            ("hunted", ""), ("x" * 65, PASSWORD), ("hunted", "x" * 600),
            ("secret", PASSWORD))))	# the last one wants TLS
    assert len(said_to) == 1
    user, password = said_to.pop()
    assert (user.code, password.code) == (331, 530)


def test_c09_a_directory_that_is_not_there_is_no_login(named):
    assert attempt(named, "gone", PASSWORD)[1].code == 530
    named.wait_for("its directory: No such file")


def test_c04_so_many_tries_are_all(named):
    with named.control(own_source()) as c:
        assert c.read().code == 220
        c.send("USER tried\r\nPASS wrong\r\n" * 3 + "USER tried\r\n"
               f"PASS {PASSWORD}\r\n")
        codes = [c.read().code for _ in range(6)]
        assert codes == [331, 530] * 2 + [331, 421]
        assert c.ended()


def test_an_account_has_so_many_sessions_and_no_more(named):
    first = login(named, "single")
    assert attempt(named, "single", PASSWORD)[1].code == 421
    first.close()
    soon(lambda: attempt(named, "single", PASSWORD)[1].code == 230)


def test_what_is_pipelined_is_read_once(named):
    with named.control(own_source()) as c:
        assert c.read().code == 220
        c.send(f"NOOP\r\nUSER alice\r\nPASS {PASSWORD}\r\nPWD\r\n"
               "SIZE mine\r\nQUIT\r\n")
        assert [c.read().code for _ in range(6)] == [
            200, 331, 230, 257, 213, 221]


def test_c12_nobody_becomes_another(named):
    with login(named, "alice") as c:
        for user in ("bob", "ftp", "alice"):
            assert c.cmd(f"USER {user}").code == 530
        assert c.cmd(f"PASS {PASSWORD}").code == 503
        assert c.fetch("RETR mine") == b"alice has this\n"
        assert c.cmd("REIN").code == 421
        assert c.ended()
    with named.login(own_source()) as c:
        assert "connect anew" in c.cmd("USER alice")
    # In a process of its own, too: it was somebody, if not by name.
    with named.control(own_source()) as c:
        assert c.read().code == 220
        assert c.cmd("USER alice").code == 331
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS x").code == 230
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
        assert "connect anew" in c.cmd("USER alice")


def test_c12_a_name_is_forgotten_with_the_next(named):
    with named.control(own_source()) as c:
        assert c.read().code == 220
        for lines, codes in (
                (["USER alice", "REIN", f"PASS {PASSWORD}"],
                 [331, 220, 503]),
                (["USER alice", "USER nobody", f"PASS {PASSWORD}"],
                 [331, 331, 530]),
                ([f"PASS {PASSWORD}"], [503]),
                (["USER alice", f"PASS {PASSWORD}"], [331, 230])):
            assert [c.cmd(line).code for line in lines] == codes


def test_events_and_xferlog_say_who(named):
    with login(named, "reader") as c:
        assert c.fetch("RETR one") == b"the shelf's\n"
        c.cmd("NOOP")
    soon(lambda: named.events("ftp_data"))
    soon(lambda: '"user":"reader","bytes"' in named.events_file.read_text())
    moved, = [e["ftp_data"] for e in named.events("ftp_data")
              if e["ftp_data"].get("user") == "reader"]
    assert (moved["command"], moved["filename"]) == ("RETR", "/one")
    assert [e for e in named.events("ftp")
            if e["ftp"]["action"] == "login" and
            e["ftp"].get("user") == "reader"]
    soon(lambda: " /one b _ o r reader ftp 0 * c\n" in
         named.xferlog_file.read_text())


# ---- rights

@pytest.mark.parametrize("command", [
    "RETR one", "HASH one", "XMD5 one"])
def test_c10_who_may_not_read_does_not(named, command):
    with login(named, "lister") as c:
        c.epsv()
        assert c.cmd(command).code == 550
        assert c.fetch("NLST").split() == [b"one"]
        assert c.cmd("SIZE one").code == 213


# ---- one session sees nothing of another

@needs_root
@plain_build
def test_one_session_has_nothing_of_another(named):
    a, b = login(named, "alice"), login(named, "bob")
    assert a.fetch("RETR mine") == b"alice has this\n"
    assert b.fetch("RETR mine") == b"bob has that\n"
    one, two = worker_of(named, a), worker_of(named, b)
    assert one != two
    for pid in {one, two} | shared(named):
        assert PASSWORD.encode() not in memory_of(pid)
    assert b"bob has that" not in memory_of(one)
    assert b"alice has this" not in memory_of(two)
    a.close()
    b.close()


@needs_root
def test_its_process_has_its_directory_alone(named):
    """Tried in the process itself, before the login and after it."""
    archive = named.homes.parent / "archive"
    (archive / "probe.txt").write_bytes(b"sixteen bytes and more\n")
    (archive / "probe.txt").chmod(0o644)
    words = next(w for name, _, w in table() if name == "fstat")

    def can_read_the_archive():
        return inject(worker_of(named, c), "fstat", words).stdout.strip()
    with named.control(own_source()) as c:
        assert c.read().code == 220
        assert c.cmd("USER alice").code == 331
        before = can_read_the_archive()
        assert c.cmd(f"PASS {PASSWORD}").code == 230
        assert (before, can_read_the_archive()) == ("ret=0",
                                                    "ret=-1 EACCES")
        # No descriptor of accounts.root is left, nor is it beneath "/".
        pid = worker_of(named, c)
        assert os.readlink(f"/proc/{pid}/root") == str(archive)
        open_now = {os.readlink(f"/proc/{pid}/fd/{fd}")
                    for fd in os.listdir(f"/proc/{pid}/fd")}
        assert {p for p in open_now if str(named.homes) in p} == {
            str(named.homes / "alice")}


# ---- the keeper's life

def test_a_file_with_a_mistake_is_no_start(place, archive):
    conf = make_accounts(place)
    with (place / "accounts").open("a") as out:
        out.write("no account\n")
    server = Server(place, archive, conf, wait=False)
    assert server.process.wait(20) == 2
    assert said(server.stderr, f"{place}/accounts:{len(ACCOUNTS) + 2}:")


def test_a_reload_reads_the_file_again(serve, place):
    server = serve(make_accounts(place))
    stays = login(server, "alice")
    waits = server.control(own_source())
    assert waits.read().code == 220
    assert waits.cmd("USER carol").code == 331
    add_account(place / "accounts", "carol", "-o", "tls=optional", "-d", ".")
    reload(server, {})
    server.wait_for("reloaded")
    assert waits.cmd(f"PASS {PASSWORD}").code == 230
    with (place / "accounts").open("a") as out:
        out.write("no account\n")
    reload(server, {})
    server.wait_for("reload failed")
    assert said(server.stderr, "accounts:", "account")
    login(server, "carol").close()
    reload(server, {"accounts.file": None, "accounts.root": None})
    server.wait_for("reloaded", 2)
    soon(lambda: not server.children("portcullis-keeper"))
    assert stays.fetch("RETR mine") == b"alice has this\n"
    with server.control(own_source()) as c:
        assert c.read().code == 220
        assert c.cmd("USER alice").code == 530
    # And on again, with a mistake first.
    conf = {"accounts.file": place / "accounts",
            "accounts.tls": "optional", "accounts.root": place / "homes"}
    reload(server, conf)
    server.wait_for("reload failed", 2)
    lines = (place / "accounts").read_text().splitlines(True)
    (place / "accounts").write_text("".join(lines[:-1]))
    reload(server, conf)
    server.wait_for("reloaded", 3)
    # One of the old workers may have the next session yet.
    soon(lambda: attempt(server, "carol", PASSWORD)[1].code == 230)
    waits.close()
    stays.close()


@needs_root
def test_a_keeper_that_dies_is_replaced(serve, place):
    server = serve(make_accounts(place))
    stays, asks = login(server, "alice"), server.control(own_source())
    assert asks.read().code == 220
    assert asks.cmd("USER alice").code == 331
    keeper, = server.children("portcullis-keeper")
    os.kill(keeper, 9)
    soon(lambda: server.children("portcullis-keeper") not in ([], [keeper]))
    assert asks.cmd(f"PASS {PASSWORD}").code == 421
    assert stays.fetch("RETR mine") == b"alice has this\n"
    soon(lambda: attempt(server, "alice", PASSWORD)[1].code == 230)
    stays.close()


@pytest.mark.parametrize("where", ["beside", "archive", "sites"])
def test_it_is_said_where_workers_have_a_name_for_accounts(place, where):
    """Their root directory is what holds the archives."""
    for name in ("srv/archive", "srv/other", "apart"):
        (place / name).mkdir(parents=True)
    make_archive(place / "srv" / "archive")
    conf = make_accounts(place)
    there = place / {"beside": "apart", "archive": "srv/archive",
                     "sites": "srv"}[where] / "homes"
    conf["accounts.root"].rename(there)
    open_to_others(place)
    conf["accounts.root"] = there
    if where == "sites":
        conf["site"] = f"other.example {place}/srv/other"
    server = Server(place, place / "srv" / "archive", conf)
    assert server.stop() == 0
    assert ("reaches it without a login" in server.stderr) == (
        where != "beside")


# ---- said before anybody tries

def test_accounts_that_nobody_can_log_in_to_are_told(place, archive):
    file, quota = place / "accounts", place / "quota"
    for name, *args in (
            ("whole", "-o", "tls=optional"), ("clear",),
            ("counted", "-o", "tls=optional,quota.files=3"),
            ("certified", "-o", f"tls=optional,certificate={'ab' * 32}"),
            ("off", "-o", "quota.files=3")):
        add_account(file, name, *args)
    subprocess.run([BUILD / "portcullis", "passwd", "-f", file, "lock",
                    "off"], check=True, env=ENVIRONMENT)
    (place / "homes").mkdir()
    conf = place / "doubt.conf"

    def check(*more):
        conf.write_text("\n".join((
            f"archive = {archive}", f"accounts.file = {file}",
            f"accounts.root = {place / 'homes'}", "accounts.tls = optional",
            *more)) + "\n")
        return subprocess.run([BUILD / "portcullisd", "-c", conf, "--check"],
                              capture_output=True, text=True,
                              env=ENVIRONMENT)
    done = check()
    assert done.returncode == 0
    found = [line.split("/accounts:")[1].split(": this account")
             for line in done.stderr.splitlines() if "/accounts:" in line]
    assert sorted(found) == [
        ["2", " cannot log in: it needs TLS, and there is no "
              "tls.certificate"],
        ["3", " cannot log in: it has a quota, and accounts.quota is not "
              "set"],
        ["4", " cannot log in: it needs a certificate, and tls.client_ca is "
              "not set"]], done.stderr
    quota.mkdir(mode=0o500)
    if IS_ROOT:		# else it would be its owner's all the same
        done = check(f"accounts.quota = {quota}")
        assert done.returncode == 2
        assert "it has to belong to keeper.user" in done.stderr
        shutil.chown(quota, "portcullis-keeper")
    quota.chmod(0o700)
    done = check(f"accounts.quota = {quota}")
    assert done.returncode == 0 and "quota" not in done.stderr
