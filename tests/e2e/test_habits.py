# tests/e2e/test_habits.py: what an archive's people are used to: texts, hidden
# names, nobody's names, a downtime.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import signal
import stat
import tempfile
import time

import pytest

from conftest import IS_ROOT, Server, make_archive, needs_root, open_to_others

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = (ROOT / "src/proto/command.h").read_text()
VERBS = re.findall(r"X\((\w{3,7}),\s*\w+,\s*ARG_", COMMANDS)
LISTINGS = ("LIST", "NLST", "MLSD")
FAKES = (b"227 Entering Passive Mode (192,0,2,21,0,22).",
         b"229 Entering Extended Passive Mode (|||22|)",
         b"221 Goodbye.", b"PORT 192,0,2,21,0,22")
# Neither a reply of its own nor anything that steers a terminal.
INNER = re.compile(rb" (?:[\t -~\xa0-\xfe]|[\xc2-\xf4][\x80-\xbf]+)*\r\n")
STAMP = 1262304000  # 2010-01-01
HIDE = ".[dho]* *.part private [Tt]mp"


@contextlib.contextmanager
def serving(conf, fill=lambda root: None):
    """A server with that archive; settings are changed by serve's rules."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    fill(root)
    open_to_others(place)
    texts = {key: place / key for key in ("welcome", "goodbye")
             if isinstance(conf.get(key), bytes)}
    for key, path in texts.items():
        path.write_bytes(conf[key])
    server = Server(place, root, {"sessions.per_address": 1000, **conf,
                                  **texts})
    server.archive = root
    try:
        yield server
        assert server.stop() == 0, server.stderr
    finally:
        server.process.kill()
        server.process.wait()
        shutil.rmtree(place, ignore_errors=True)


def raw(c, line=None):
    """A whole reply as the bytes that came, and each line looked at."""
    if line is not None:
        c.send(line + (b"\r\n" if isinstance(line, bytes) else "\r\n"))
    lines = [c.file.readline()]
    assert re.match(rb"\d{3}[ -].*\r\n$", lines[0]), lines
    while lines[-1][:4] != lines[0][:3] + b" ":
        lines.append(c.file.readline())
        assert INNER.fullmatch(lines[-1]) or \
            lines[-1][:4] == lines[0][:3] + b" ", lines
    return lines


def listed(c, command):
    """A listing's lines, or the code that refused it."""
    with c.data() as data:
        first = c.cmd(command)
        if first.code != 150:
            return first
        body = b"".join(iter(lambda: data.recv(1 << 16), b""))
    assert c.read().code == 226
    return sorted(body.split(b"\r\n")[:-1])


# ---- texts

HOSTILE = b"\n".join([b"Welcome to the archive.", *FAKES, b"a\r" + FAKES[0],
                      b"\x1b]0;title\x07\x9b31m\x7f", b"\tin a column", b"",
                      "été €".encode(), b"caf\xe9 \xff\xfb\x01", b"\x00"])


def message_files(root):
    """Directories by what their message is."""
    made = {
        "hostile": HOSTILE, "short": b"A short one.\n", "empty": b"",
        "other": b"Another.", "long": b"".join(b"%05d %s\n" % (i, b"x" * 93)
                                               for i in range(41)),
        "lines": b"x\n" * 65, "exactly": b"x\n" * 64,
        "oneline": b"y" * 5000,
    }
    for name, text in made.items():
        (root / name).mkdir()
        (root / name / ".message").write_bytes(text)
    (root / "short" / "beneath").mkdir()
    for name in ("linked", "leading-out", "fifo", "folder", "secret"):
        (root / name).mkdir()
    (root / "linked" / ".message").symlink_to("../short/.message")
    (root / "leading-out" / ".message").symlink_to("/etc/passwd")
    os.mkfifo(root / "fifo" / ".message", 0o644)
    (root / "folder" / ".message").mkdir()
    for i in range(70):
        (root / "many" / str(i)).mkdir(parents=True)
        (root / "many" / str(i) / ".message").write_bytes(b"%d\n" % i)


@pytest.fixture(scope="module")
def site():
    """One that has all of it; the message is hidden, and shown."""
    conf = {"welcome": HOSTILE, "goodbye": b"Come again.\n" + FAKES[0],
            "contact": "ops@example.org", "hide": ".message",
            "list.owner": "archive", "list.group": "science",
            "login.attempts": 1}
    with serving(conf, message_files) as server:
        yield server


def test_a11_welcome_and_goodbye_hold_no_reply(site):
    with site.control() as c:
        assert c.read().code == 220
        raw(c, "USER ftp")
        lines = raw(c, "PASS x")
        assert lines[0] == b"230-Welcome.\r\n"
        assert lines[1:6] == [b" " + text + b"\r\n" for text in
                              (b"Welcome to the archive.", *FAKES)]
        assert lines[6] == b" a\\x0d" + FAKES[0] + b"\r\n"
        assert lines[7:9] == [b" \\x1b]0;title\\x07\\x9b31m\\x7f\r\n",
                              b" \tin a column\r\n"]
        assert lines[9:11] == [b" \r\n", " été €\r\n".encode()]
        assert lines[11:13] == [b" caf\xe9 \\xff\xfb\\x01\r\n", b" \\x00\r\n"]
        assert lines[13:] == [b" Contact: ops@example.org\r\n",
                              b"230 Logged in, read-only.\r\n"]
        assert raw(c, "QUIT") == [b"221-Goodbye.\r\n", b" Come again.\r\n",
                                  b" " + FAKES[0] + b"\r\n",
                                  b"221 Goodbye.\r\n"]


def test_whom_to_ask_is_said_where_we_refuse(site):
    with site.login() as c:
        for line in ("HELP", "SITE HELP"):
            assert raw(c, line)[-1].endswith(b"Contact: ops@example.org\r\n")
    with site.control() as c:
        assert c.read().code == 220
        last = c.cmd("USER mallory")
        assert last.code == 421 and "Contact: ops@example.org" in last


def test_a11_a_message_holds_no_reply(site):
    with site.login() as c:
        lines = raw(c, "CWD hostile")
        assert lines[0] == b"250-Directory changed.\r\n"
        assert lines[-1] == b"250 Directory changed.\r\n"
        assert b" " + FAKES[0] + b"\r\n" in lines
        assert len(lines) == 2 + HOSTILE.count(b"\n") + 1


def test_a_message_is_shown_once(site):
    shown = ["250-Directory changed.\r\n A short one.\r\n"
             "250 Directory changed.\r\n"]
    plain = ["250 Directory changed.\r\n"]
    with site.login() as c:
        def cwd(line):
            return [c.cmd(line)]
        assert cwd("CWD short/beneath") == plain
        assert cwd("CDUP") == shown
        assert cwd("CWD .") == plain
        assert cwd("CWD /pub") == plain
        assert cwd("XCWD /short/") == plain
        assert cwd("CWD /linked") == shown
        assert c.cmd("REIN").code == 220
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS x").code == 230
        assert cwd("CWD /short") == shown
        # What is remembered is bounded: 64 others push it out.
        for i in range(63):
            assert f" {i}\r\n" in c.cmd(f"CWD /many/{i}")
        assert cwd("CWD /short") == plain
        assert " 63\r\n" in c.cmd("CWD /many/63")
        assert cwd("CWD /short") == shown


def test_a_message_that_is_too_long_is_cut_at_a_line(site):
    note = b" (The rest of this text is left out.)\r\n"
    with site.login() as c:
        lines = raw(c, "CWD /long")
        assert len(lines) == 43 and lines[-2] == note
        assert lines[40] == b" 00039 " + b"x" * 93 + b"\r\n"
        lines = raw(c, "CWD /lines")
        assert lines[1:-1] == [b" x\r\n"] * 64 + [note]
        assert raw(c, "CWD /exactly")[1:-1] == [b" x\r\n"] * 64
        assert raw(c, "CWD /oneline")[1:-1] == [
            b" " + b"y" * 4096 + b"\r\n", note]


def test_d11_a_message_that_is_no_file_is_none(site):
    with site.login() as c:
        for name in ("empty", "leading-out", "fifo", "folder", "pub"):
            assert c.cmd(f"CWD /{name}") == "250 Directory changed.\r\n", name
        assert c.cmd("CWD /gone").code == 550
        assert c.cmd("CWD /short/.message").code == 550


def test_many_messages_at_once_are_all_answered(site):
    """Pipelined, and not read meanwhile."""
    with site.login() as c:
        c.send("".join(f"CWD /many/{i % 70}\r\nCWD /hostile\r\n"
                       f"CWD /oneline\r\n" for i in range(300)))
        for _ in range(900):
            assert c.read().code == 250
        assert c.cmd("NOOP").code == 200


def test_texts_are_none_by_default_and_tell_no_version(server):
    with server.control() as c:
        greeting = c.read()
        assert greeting == "220 FTP server ready.\r\n"
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS x") == "230 Logged in, read-only.\r\n"
        said = [greeting] + [c.cmd(line) for line in
                             ("SYST", "STAT", "HELP", "FEAT", "SITE HELP")]
        said.append(c.cmd("QUIT"))
        assert said[-1] == "221 Goodbye.\r\n"
    version = re.search(r"version: '([\d.]+)'",
                        (ROOT / "meson.build").read_text())[1]
    for text in said:
        assert version not in text and "portcullis" not in text.lower()


def test_the_examples_are_shown_as_they_are(serve, archive):
    texts = ROOT / "dist" / "texts"
    shutil.copy(texts / "message", archive / "pub" / ".message")
    (archive / "pub" / ".message").chmod(0o644)
    server = serve({"welcome": texts / "welcome",
                    "goodbye": texts / "goodbye"})
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("USER ftp").code == 331
        for line, name in (("PASS x", "welcome"), ("CWD pub", "message"),
                           ("QUIT", "goodbye")):
            shown = [text[1:].decode() for text in raw(c, line)[1:-1]]
            assert "".join(shown).replace("\r", "") == \
                (texts / name).read_text()


def test_a_text_that_cannot_be_read_keeps_the_old_one(serve, place):
    (place / "welcome").write_bytes(b"One.\n")
    server = serve({"welcome": place / "welcome"})
    with server.control() as c:
        c.read(), c.cmd("USER ftp")
        assert " One.\r\n" in c.cmd("PASS x")
    (place / "welcome").write_bytes(b"x\n" * 65)
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reload failed")
    assert "welcome: " in server.stderr and "too long" in server.stderr
    (place / "welcome").write_bytes(b"Two.\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reloaded")
    with server.control() as c:
        c.read(), c.cmd("USER ftp")
        assert " Two.\r\n" in c.cmd("PASS x")


# ---- C10: hidden names

def is_hidden(path):
    return any(fnmatch.fnmatchcase(part, pattern)
               for part in path.split("/") if part not in ("", ".", "..")
               for pattern in HIDE.split())


def half_hidden(root):
    """Names that are hidden beside ones that nearly are."""
    for name in ("private", "pub/private", "pub/Tmp", "pub/ptmp", "xprivate",
                 "pub/data/.old", ".hidden", "a.part"):
        (root / name).mkdir()
        (root / name / "in.nc").write_bytes(name.encode())
        (root / name / "deeper").mkdir()
        (root / name / "deeper" / "in.nc").write_bytes(b"deep")
    for name in (".dot", "x.part", ".x.part", "x.part.nc", "x.Part", "tmp",
                 "a tmp"):
        (root / "pub" / name).write_bytes(name.encode())


def steady_times(root):
    for base, dirs, files in os.walk(root, topdown=False):
        for name in dirs + files:
            os.utime(pathlib.Path(base, name), (STAMP, STAMP),
                     follow_symlinks=False)
    os.utime(root, (STAMP, STAMP))


def without_hidden(root):
    half_hidden(root)
    for base, dirs, files in os.walk(root, topdown=False):
        for name in dirs + files:
            path = pathlib.Path(base, name)
            if is_hidden(str(path.relative_to(root))):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    steady_times(root)


def with_hidden(root):
    half_hidden(root)
    steady_times(root)


def asked_paths(root):
    """Every path of the tree, some in other words, patterns, and none."""
    for base, dirs, files in os.walk(root):
        for name in dirs + files:
            path = str(pathlib.Path(base, name).relative_to(root))
            yield path
            yield f"/pub/../{path}/"
    yield from ("*", "pub/*", "pub/*.part", "pub/.*", "private/*", "pr*",
                "private/../pub/README", "pub/latest/../private/in.nc",
                "pub/README/gone", "gone/private", "pub/[Tt]mp",
                "-a", "-a pub", "-lR pub", "pub/.", ".", "")


# What a copy of a file, or a directory that has lost an entry, cannot keep.
UNSTEADY = re.compile(rb"unique=[^;]*;|^(d\S+ +)\d+( ftp +ftp +)\d+")


def answers(c, verb, path):
    if verb in LISTINGS:
        got = listed(c, f"{verb} {path}")
        got = [got] if isinstance(got, str) else got
    elif verb == "RETR":
        with c.data() as data:
            got = [c.cmd(f"RETR {path}")]
            if got[0].code == 150:
                got += [b"".join(iter(lambda: data.recv(1 << 16), b"")),
                        c.read()]
    else:
        got = c.cmd(f"{verb} {path}").splitlines()
        if verb in ("CWD", "XCWD"):
            got += [c.cmd("PWD"), c.cmd("CWD /")]
    got = [UNSTEADY.sub(rb"\1\2", one if isinstance(one, bytes) else
                        one.encode("utf-8", "surrogateescape").strip())
           for one in got]
    return sorted(got) if verb in LISTINGS else got


def test_c10_a_hidden_name_is_as_one_that_is_not_there():
    """Every verb with every path, against an archive that lacks the names."""
    verbs = [v for v in ("CWD", "XCWD", "SIZE", "MDTM", "MLST", "STAT",
                         "RETR", *LISTINGS, "RNFR", "DELE", "HASH", "XMD5",
                         "XSHA256", "XCRC")
             if v in VERBS or v == "CWD"]
    asked = 0
    with serving({"hide": HIDE, "hash": "compute"}, with_hidden) as server, \
            serving({"hash": "compute"}, without_hidden) as model, \
            server.login() as c, model.login() as m:
        for path in dict.fromkeys(asked_paths(server.archive)):
            for verb in verbs:
                asked += 1
                got = answers(c, verb, path)
                assert got == answers(m, verb, path), (verb, path)
                if is_hidden(path) and "*" not in path and \
                        ".." not in path and verb in ("SIZE", "RETR", "CWD"):
                    assert got[0].startswith(b"550"), (verb, path)
        assert sum(1 for _ in c.fetch("NLST pub").split(b"\r\n")) > 10
    assert asked > 800


def test_a_pattern_is_no_longer_than_a_name_hidden_or_not():
    """A hidden path is not asked of the kernel, which would refuse it."""
    with serving({"hide": "*.part"}, with_hidden) as server, \
            server.login() as c:
        for pattern in ("pub/*", "pub/*.part", "pub/[r-t]mall.*"):
            assert c.fetch(f"NLST {pattern}") is not None
        for pattern in ("*[%s]*.part", "*[%s]*"):
            with c.data():
                assert c.cmd("NLST pub/" + pattern % ("z" * 256)).code == 550


def test_c10_a_link_to_what_is_hidden_does_not_tell_its_name():
    def links(root):
        half_hidden(root)
        (root / "current").symlink_to("private/in.nc")
        (root / "folder").symlink_to("pub/private")
        (root / "again").symlink_to("current")
        (root / "private-link").symlink_to("pub/README")
        (root / "private" / "back").symlink_to("../pub")
        steady_times(root)

    with serving({"hide": HIDE}, links) as server, server.login() as c:
        lines = {line[56:]: line for line in listed(c, "LIST")}
        assert lines[b"current"].startswith(b"-") and \
            b" 7 Jan 01  2010 current" in lines[b"current"]
        assert lines[b"folder"].startswith(b"d")
        assert b"again -> current" in lines
        assert b"private-link -> pub/README" in lines
        facts = listed(c, "MLSD")
        assert not [f for f in facts if b"private" in
                    f.replace(b"private-link", b"").replace(b"xprivate", b"")]
        assert [f for f in facts if f.startswith(b"type=file;size=7;") and
                f.endswith(b" current")]
        assert set(listed(c, "NLST")) == {
            b"again", b"current", b"folder", b"private-link", b"pub",
            b"xprivate"}
        for name in ("current", "again", "folder/in.nc"):
            assert c.fetch(f"RETR {name}") in (b"private", b"pub/private")
        assert c.cmd("SIZE folder/../private/in.nc").code == 550
        assert c.cmd("CWD folder/deeper").code == 250
        assert c.cmd("CWD /private").code == 550


# ---- D11, D14: what is no file, and what nobody shall know

@needs_root
def test_d11_a_device_is_no_file(serve, archive):
    try:
        os.mknod(archive / "null.nc", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.chmod(archive / "null.nc", 0o666)
    except OSError as e:
        pytest.skip(f"no devices here: {e}")
    (archive / ".message").symlink_to("null.nc")
    server = serve()
    with server.login() as c:
        for line in ("SIZE null.nc", "MDTM null.nc", "CWD null.nc"):
            assert c.cmd(line).code == 550, line
        c.epsv()
        assert c.cmd("RETR null.nc").code == 550
        assert c.cmd("CWD /") == "250 Directory changed.\r\n"
        assert c.fetch("RETR pub/zero") == b""


HOSTILE_ARGUMENTS = (
    "", "pub/README", "pub", "/", "..", "../../etc/passwd", "gone", "new",
    "pub/new", "pub/latest", "pub/outside", "-al", "*", "\x01", "I", "A",
    "S", "F", "10", "0 5", "x" * 300, "%2e%2e/x", "pub/README\x00x",
    "20200101000000 pub/README", "UTF8 ON", "CHMOD 777 pub/README",
    "EXEC touch new", "UTIME 20200101 pub/README", "127,0,0,1,200,1",
    "|1|127.0.0.1|40000|", "~root", "|touch new", "`touch new`")


def every_reply(server):
    """What is said, and what is listed, to every verb with everything."""
    for verb in VERBS:
        with server.login() as c:
            for argument in HOSTILE_ARGUMENTS:
                c.send(f"{verb} {argument}".rstrip() + "\r\n")
                yield c.read()
                if verb in ("QUIT", "USER", "REIN", "PASS"):
                    break
    with server.login() as c:
        for verb in LISTINGS:
            for path in ("", " pub", " -la", " pub/link.nc", " -R"):
                got = listed(c, verb + path)
                yield got if isinstance(got, str) else b"\n".join(got).decode(
                    "utf-8", "surrogateescape")


def snapshot(root):
    """All that a write could change; reading changes the access time."""
    seen = {}
    for base, dirs, files in os.walk(root):
        for path in [base, *(os.path.join(base, n) for n in dirs + files)]:
            s = os.lstat(path)
            body = open(path, "rb").read() if stat.S_ISREG(s.st_mode) else b""
            seen[path] = (s.st_mode, s.st_ino, s.st_nlink, s.st_uid, s.st_gid,
                          s.st_size, s.st_mtime_ns, s.st_ctime_ns,
                          hashlib.sha256(body).digest(),
                          sorted(os.listxattr(path, follow_symlinks=False)))
    return seen


def test_d14_no_verb_changes_anything_or_names_the_host():
    def owned(root):
        (root / "pub" / "README").chmod(0o666)
        (root / "pub" / "writable").mkdir()
        (root / "pub" / "writable").chmod(0o777)
        for base, dirs, files in os.walk(root):
            for name in dirs + files:
                path = os.path.join(base, name)
                if IS_ROOT:
                    os.chown(path, 54321, 54322, follow_symlinks=False)
        steady_times(root)

    with serving({"list.owner": "archive", "list.group": "science",
                  "abuse.refusals": 1000}, owned) as server:
        readme = server.archive / "pub" / "README"
        readme.chmod(0o666)     # whoever could write, could write
        (server.archive / "pub" / "writable").chmod(0o777)
        os.utime(readme, (981173106, STAMP))    # read in 2001
        before = snapshot(server.archive)
        said = list(every_reply(server))
        assert snapshot(server.archive) == before
    assert len(said) > 1000
    told = "\n".join(said)
    now = time.gmtime()
    for word in (str(server.archive.parent), str(server.archive), "/etc/",
                 "root ", "54321", "54322", "portcullis", "20010203",
                 "Feb 03", time.strftime("modify=%Y%m", now),
                 time.strftime("%b %d %H:", now)):
        assert word not in told.replace("~root", ""), word
    assert " archive  science " in told and "modify=20100101000000" in told
    assert not re.search(r"\d ftp +ftp ", told)


# ---- a downtime

def wait_until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def put(path, text):
    """Whole at once, as an operator's mv would."""
    beside = path.with_suffix(".new")
    beside.write_bytes(text)
    beside.rename(path)


def greeting(server):
    with server.control() as c:
        lines = raw(c)
        if lines[0].startswith(b"421"):
            assert c.ended()
        return lines


def login_text(server):
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("USER ftp").code == 331
        return raw(c, "PASS x")


TEXT = (b"New disks until noon.\n227 Entering Passive Mode (1,2,3,4,5,6)\n"
        b"\x1b[31m caf\xe9 \xff\n")
SHOWN = [b" New disks until noon.\r\n",
         b" 227 Entering Passive Mode (1,2,3,4,5,6)\r\n",
         b" \\x1b[31m caf\xe9 \\xff\r\n"]
LARGE = 64 << 20    # more than sockets hold
DOWN = b"421 Down for a while, try again later. Contact: ops@example.org\r\n"


def large_file(root):
    with (root / "large").open("wb") as file:
        file.truncate(LARGE)


@pytest.fixture(scope="module")
def closing():
    """A server with a downtime file that is not there yet."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    with serving({"downtime": place / "downtime", "worker.count": 2,
                  "contact": "ops@example.org"}, large_file) as server:
        server.downtime = place / "downtime"
        yield server
    shutil.rmtree(place)


@pytest.fixture
def down(closing):
    """It is open before and after."""
    yield closing
    closing.downtime.unlink(missing_ok=True)
    wait_until(lambda: greeting(closing)[0].startswith(b"220"))


def test_a_downtime_refuses_new_logins_and_nobody_else(down):
    with contextlib.ExitStack() as stack:
        old, greeted, named = [stack.enter_context(c) for c in (
            down.login(), down.control(), down.control())]
        assert greeted.read().code == 220
        assert named.read().code == 220
        assert named.cmd("USER ftp").code == 331
        data = stack.enter_context(old.data())
        assert old.cmd("RETR large").code == 150

        put(down.downtime, TEXT)
        down.wait_for("downtime: begins, new logins are refused")
        reply = [b"421-This server is down:\r\n", *SHOWN, DOWN]
        assert greeting(down) == reply
        assert raw(greeted, "USER ftp") == reply and greeted.ended()
        assert raw(named, "PASS x") == reply and named.ended()
        assert sum(map(len, iter(lambda: data.recv(1 << 20), b""))) == LARGE
        assert old.read().code == 226
        assert old.fetch("RETR pub/README") and old.cmd("NOOP").code == 200
        assert old.cmd("REIN").code == 220
        assert raw(old, "USER ftp") == reply and old.ended()

        # Whoever starts meanwhile sees it, too.
        gate, = down.children("portcullis-gate")
        os.kill(gate, signal.SIGKILL)
        wait_until(lambda: down.children("portcullis-gate") not in
                   ([gate], []))
        assert greeting(down) == reply
    down.downtime.unlink()
    down.wait_for("downtime: ends")
    assert login_text(down)[-1].startswith(b"230 ")


def test_a_downtime_is_announced_until_it_begins(down):
    put(down.downtime, b"at 2037-12-01 06:00\n" + TEXT)
    down.wait_for("downtime: announced")
    assert login_text(down) == [
        b"230-Welcome.\r\n", b" Downtime from 2037-12-01 06:00 UTC:\r\n",
        *SHOWN, b" Contact: ops@example.org\r\n",
        b"230 Logged in, read-only.\r\n"]
    # A time that has come refuses, and is not told any more.
    put(down.downtime, b"at 2001-12-01 06:00\r\n" + TEXT)
    wait_until(lambda: greeting(down)[1:-1] == SHOWN)
    assert greeting(down)[0].startswith(b"421-")
    # What is no time is text: it is there, so it refuses.
    put(down.downtime, b"at 2037-02-29 06:00\nNo such day.\n")
    wait_until(lambda: greeting(down)[1:-1] == [
        b" at 2037-02-29 06:00\r\n", b" No such day.\r\n"])


def test_a_downtime_is_there_when_its_file_is(down):
    put(down.downtime, b"")
    wait_until(lambda: greeting(down) == [DOWN])
    # The first KiB is shown, and as much as fits of what must be escaped.
    put(down.downtime, b"x\n" * 400 + b"y" * 5000)
    wait_until(lambda: len(greeting(down)) > 2)
    assert greeting(down)[1:-1] == [b" x\r\n"] * 400 + [
        b" " + b"y" * 224 + b"\r\n"]
    put(down.downtime, (b"\x01" * 127 + b"\n") * 8)
    wait_until(lambda: b"\\x01" in greeting(down)[1])
    lines = greeting(down)
    assert lines[1:-1] == [b" " + b"\\x01" * 127 + b"\r\n"] * 3
    assert lines[-1] == DOWN
    down.downtime.unlink()
    down.downtime.mkdir()
    wait_until(lambda: greeting(down) == [DOWN])
    down.downtime.rmdir()
    os.mkfifo(down.downtime)    # it is not waited for
    wait_until(lambda: greeting(down) == [DOWN])


def test_the_key_of_a_downtime_can_be_reloaded(serve, place):
    """One that is there at the start counts from the first session on."""
    (place / "downtime").write_bytes(b"Closed.\n")
    server = serve({"downtime": place / "downtime"})
    assert greeting(server)[1] == b" Closed.\r\n"
    server.write_conf({**server.settings, "downtime": None})
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reloaded")
    wait_until(lambda: greeting(server)[0].startswith(b"220"))
    assert login_text(server) == [b"230 Logged in, read-only.\r\n"]
    server.write_conf({**server.settings, "downtime": place / "downtime"})
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reloaded", 2)
    assert greeting(server)[1] == b" Closed.\r\n"


def test_no_uploader_can_close_the_server(serve, archive):
    server = serve({"downtime": archive / "downtime"}, wait=False)
    assert server.process.wait(10) == 2
    assert "downtime: " in server.stderr and \
        "is in the archive" in server.stderr
    server.stop = lambda: 0
