# tests/e2e/test_sites.py: several archives behind one address (RFC 7151).
# SPDX-License-Identifier: Apache-2.0

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from conftest import (BUILD, IS_ROOT, Server, make_archive, needs_root,
                      open_to_others, plain_build)

SECRET = b"nobody may read this\n"


def make_site(place, name, body):
    root = place / name
    (root / "pub").mkdir(parents=True)
    (root / "pub" / "README").write_bytes(body)
    (root / f"only-{name.replace(' ', '-')}").write_bytes(body)
    (root / "to-archive").symlink_to("../archive")
    return root


class Sites(Server):
    """A server with two sites beside its first."""

    def __init__(self, place, **conf):
        root = place / "archive"
        root.mkdir()
        make_archive(root)
        self.data = make_site(place, "data site", b"the data site\n")
        self.deep = make_site(place, "deep", b"the deep site\n")
        (place / "secret").write_bytes(SECRET)
        open_to_others(place)
        super().__init__(place, root, {
            "banner": "The first site.",
            "site": f'data.example,www.data.example "{self.data}" '
                    f"Data, for all.\n"
                    f"site = deep.example {self.deep}",
            "abuse.refusals": 1000, "sessions.per_address": 1000, **conf})


@pytest.fixture(scope="module")
def sites():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    server = Sites(place)
    yield server
    status = server.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert status == 0


def enter(control, host):
    assert control.read().code == 220
    reply = control.cmd(f"HOST {host}")
    assert reply.code == 220, reply
    assert control.cmd("USER anonymous").code == 331
    assert control.cmd("PASS a@b").code == 230
    return control


def body(c):
    return c.fetch("RETR pub/README")


@pytest.mark.parametrize("host,banner,text", [
    ("data.example", "Data, for all.", b"the data site\n"),
    ("DATA.Example", "Data, for all.", b"the data site\n"),
    ("data.example.", "Data, for all.", b"the data site\n"),
    ("www.data.example", "Data, for all.", b"the data site\n"),
    ("deep.example", "The first site.", b"the deep site\n"),
    ("127.0.0.1", "The first site.", b"One line.\nAnother.\n"),
    ("[127.0.0.1]", "The first site.", b"One line.\nAnother.\n"),
    ("[::ffff:127.0.0.1]", "The first site.", b"One line.\nAnother.\n"),
])
def test_host_chooses_a_site(sites, host, banner, text):
    with sites.control() as c:
        assert c.read() == "220 The first site.\r\n"
        assert c.cmd(f"HOST {host}") == f"220 {banner}\r\n"
        assert c.cmd("USER anonymous").code == 331
        assert c.cmd("PASS x").code == 230
        assert body(c) == text


def test_without_host_the_first_site_serves(sites):
    with sites.login() as c:
        assert body(c) == b"One line.\nAnother.\n"
        assert c.cmd("HOST data.example").code == 503
        assert c.cmd("HOST").code == 503
        assert body(c) == b"One line.\nAnother.\n"


@pytest.mark.parametrize("argument,code", [
    ("other.example", 504), ("example", 504), ("data.exampl", 504),
    ("data.example,www.data.example", 501), ("data.example:21", 501),
    ("data.example..", 501), ("", 501), (" data.example", 501),
    ("data.example ", 501), ("192.0.2.9", 504), ("[2001:db8::1]", 504),
    ("::1", 501), ("[127.0.0.1", 501), ("../data site", 501), ("*", 501),
    ("data\xff.example", 501), ("x" * 64 + ".example", 501),
    ("data.example\0", 501)])
def test_a_refused_host_changes_nothing(sites, argument, code):
    with sites.control() as c:
        assert c.read().code == 220
        assert c.cmd("HOST deep.example").code == 220
        assert c.cmd(f"HOST {argument}").code == code
        assert c.cmd("USER anonymous").code == 331
        assert c.cmd(f"HOST {argument}").code == code
        assert c.cmd("PASS x").code == 230
        assert body(c) == b"the deep site\n"


def test_host_begins_the_login_anew(sites):
    with sites.control() as c:
        assert c.read().code == 220
        assert c.cmd("USER anonymous").code == 331
        assert c.cmd("HOST deep.example").code == 220
        assert c.cmd("PASS x").code == 503
        assert c.cmd("HOST data.example").code == 220
        assert c.cmd("USER anonymous").code == 331
        assert c.cmd("PASS x").code == 230
        assert body(c) == b"the data site\n"


def test_c12_user_keeps_the_site_and_rein_leaves_it(sites):
    with sites.control() as c:
        enter(c, "data.example")
        assert c.cmd("CWD pub").code == 250
        assert c.cmd("USER anonymous").code == 331
        assert c.cmd("PASS x").code == 230
        assert body(c) == b"the data site\n"
        assert c.cmd("REIN").code == 220
        assert c.cmd("USER anonymous").code == 331
        assert c.cmd("PASS x").code == 230
        assert body(c) == b"One line.\nAnother.\n"


def test_d01_d02_no_way_from_one_site_to_another(sites):
    ways = ["../archive/pub/README", "/../archive/pub/README", "to-archive",
            "to-archive/pub/README", "../data site/pub/README", "../secret",
            f"{sites.deep}/pub/README", "only-deep", "/../deep/only-deep",
            "pub/../../deep/only-deep"]
    with sites.control() as c:
        enter(c, "data.example")
        for way in ways:
            for verb in ("SIZE", "MDTM", "MLST", "STAT", "CWD"):
                assert c.cmd(f"{verb} {way}").code == 550, (verb, way)
            for verb in ("RETR", "LIST", "NLST", "MLSD"):
                c.epsv()
                assert c.cmd(f"{verb} {way}").code == 550, (verb, way)
        names = c.fetch("NLST").decode().split()
        assert names == ["only-data-site", "pub"]
        assert c.cmd("PWD").startswith('257 "/" ')
        # Each verb opens beneath this site's root.
        assert c.cmd("SIZE only-data-site") == "213 14\r\n"
        assert "only-data-site" in c.cmd("STAT /")
        assert b"only-data-site" in c.fetch("MLSD")


def test_sessions_of_several_sites_do_not_mix(sites):
    with sites.control() as a, sites.control() as b, sites.login() as c:
        enter(a, "data.example")
        enter(b, "deep.example")
        for _ in range(3):
            assert body(a) == b"the data site\n"
            assert body(b) == b"the deep site\n"
            assert body(c) == b"One line.\nAnother.\n"


def test_events_and_xferlog_tell_the_sites_apart(sites):
    with sites.control() as c:
        enter(c, "www.data.example")
        body(c)
        port = c.sock.getsockname()[1]
        c.cmd("PORT 8,8,8,8,200,1")
        c.cmd("QUIT")
        assert c.ended()
    with sites.login() as c:
        body(c)
        c.cmd("HOST data.example")
        plain = c.sock.getsockname()[1]

    def told(port):
        """(kind, action) to the site of that session's events."""
        return {(e["event_type"], e.get("ftp", {}).get("action")):
                e.get("site") for e in sites.events()
                if e.get("src_port") == port}

    sites.events("ftp_data", want=2)
    seen = told(port)
    while ("ftp", "session_end") not in seen:
        seen = told(port)
    assert seen.pop(("ftp", "session_start")) is None
    assert set(seen) == {("ftp", "login"), ("ftp_data", None),
                         ("alert", None), ("ftp", "session_end")}
    assert set(seen.values()) == {"data.example"}
    assert set(told(plain).values()) == {None}
    log = sites.xferlog_file.read_text()
    assert " //data.example/pub/README b _ o a " in log
    assert " /pub/README b _ o a " in log


# ---- the walls

def directories(pid):
    """Directory to descriptor, of those that a process holds."""
    held = {n: f"/proc/{pid}/fd/{n}" for n in os.listdir(f"/proc/{pid}/fd")}
    return {os.readlink(path): n for n, path in held.items()
            if os.path.isdir(path)}


@needs_root
def test_a_worker_has_its_archives_and_no_other_directory(sites):
    pid, = sites.children("portcullis-worker")
    assert set(directories(pid)) == {str(sites.settings["archive"]),
                                     str(sites.data), str(sites.deep)}
    # Names are known of what holds them all; see docs/design/processes.md.
    assert os.readlink(f"/proc/{pid}/root") == str(sites.place)
    assert os.readlink(f"/proc/{pid}/cwd") == str(sites.place)
    gate, = sites.children("portcullis-gate")
    assert directories(gate) == {}


@needs_root
def test_landlock_has_a_rule_for_each_site_and_none_for_what_holds_them(
        sites):
    """A captured worker opens files of any site, and nothing beside them."""
    pid, = sites.children("portcullis-worker")
    held = directories(pid)
    for root in [sites.place, *map(pathlib.Path, held)]:
        (root / "probe.txt").write_bytes(b"sixteen bytes and more\n")
        (root / "probe.txt").chmod(0o644)
    for at, said in [*((fd, "ret=") for fd in held.values()),
                     ("-100", "ret=-1 EACCES")]:     # AT_FDCWD
        done = subprocess.run(
            [str(BUILD / "tests" / "probe" / "inject"), str(pid),
             "open_beneath", at], capture_output=True, text=True)
        assert done.stdout.startswith(said), (at, done)
        assert (done.returncode == 0) == (at != "-100"), (at, done)


@needs_root
@plain_build
def test_sites_that_only_the_root_holds_miss_a_wall_and_it_is_said(serve):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as far:
        root = make_site(pathlib.Path(far), "far", b"far\n")
        (root.parent).chmod(0o755)
        open_to_others(root)
        server = serve({"site": f"far.example {root}"})
        missing = server.stderr.split("walls missing here:")[1]
        assert "names of the archive alone (chroot)" in missing
        with server.control() as c:
            enter(c, "far.example")
            assert body(c) == b"far\n"


# ---- configuration

def say(*arguments):
    done = subprocess.run([str(BUILD / "portcullisd"), *arguments],
                          capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_bad_site_is_told_with_file_and_line(place, archive):
    file = place / "x.conf"
    users = "" if not IS_ROOT else "gate.user = nobody\nworker.user = nobody\n"
    good = f"archive = {archive}\n{users}"
    lines = good.count("\n")
    for text, why in (
            ("site = a_b", f"x.conf:{lines + 1}: site: "),
            (f"site = a.example {archive}\nsite = A.example {archive}",
             f'x.conf:{lines + 2}: site: "A.example" is given twice'),
            ("site = a.example /nowhere/at/all",
             'site: cannot open "/nowhere/at/all"'),
            (f"site = a.example {archive}/pub/README", "Not a directory")):
        file.write_text(good + text + "\n")
        status, said = say("-c", str(file), "--check")
        assert status == 2 and why in said, said
    file.write_text(good + f'site = a.example "{archive}/pub/empty dir" Hi!\n'
                    f"site = b.example {archive}\n")
    assert say("-c", str(file), "--check")[0] == 0
    printed = say("-c", str(file), "--print-config")[1]
    file.write_text(printed)
    assert say("-c", str(file), "--print-config")[1] == printed
    assert f'site = a.example "{archive}/pub/empty dir" Hi!\n' in printed


@pytest.mark.parametrize("key", ["events", "xferlog"])
def test_no_log_lies_in_any_site(place, archive, key):
    other = make_site(place, "other", b"x")
    file = place / "x.conf"
    file.write_text(f"archive = {archive}\nsite = o.example {other}\n"
                    f"gate.user = nobody\nworker.user = nobody\n"
                    f"{key} = {other}/pub/log\n")
    status, said = say("-c", str(file), "--check")
    assert status == 2 and f"{key}: " in said and "archive" in said, said


def test_f17_a_reload_changes_the_sites_of_new_sessions(place, serve):
    one, two = make_site(place, "one", b"1\n"), make_site(place, "two", b"2\n")
    open_to_others(place)
    server = serve({"site": f"x.example {one}"})
    with server.control() as old:
        enter(old, "x.example")
        server.write_conf({**server.settings, "site": "x.example /nowhere"})
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reload failed")
        server.write_conf({**server.settings,
                           "site": f"x.example {two}\n"
                                   f"site = y.example {one} Hello."})
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("reloaded")
        assert body(old) == b"1\n"
        with server.control() as c:
            enter(c, "x.example")
            assert body(c) == b"2\n"
        with server.control() as c:
            enter(c, "y.example")
            assert body(c) == b"1\n"
