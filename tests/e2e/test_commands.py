# tests/e2e/test_commands.py: what a public archive's clients ask for beyond
# the commands that move bytes, and every verb where it does not belong.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import errno
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from conftest import (Server, make_archive, needs_root, open_to_others,
                      plain_build, steady_bytes)
from test_protocol import (LIST_LINE, VERBS, code_of, drain, lines_of,
                           sparse, stalled, verbs_in_source)

README = b"One line.\nAnother.\n"
MIB = 1 << 20
EDGES = [edge + more for edge in (1 << 31, 1 << 32, 1 << 63, 1 << 64)
         for more in (-1, 0, 1)]
OFFSET_MOST = (1 << 63) - 1


@pytest.fixture(scope="module")
def shared():
    """One server for the tests that leave nothing behind."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    sparse(root / "sparse", 200 * MIB)
    make_directories(root)
    make_texts(root)
    open_to_others(place)
    server = Server(place, root, {"abuse.refusals": 1000,
                                  "sessions.per_address": 1000})
    server.archive = root
    yield server
    status = server.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert status == 0


# ---- RANG

BIG = steady_bytes(5_000_001, 2)


@pytest.mark.parametrize("first,last", [
    (0, 0), (0, 5_000_000), (5_000_000, 5_000_000), (1, 2), (65535, 65536),
    (100, 70_000), (1_000_000, 4_999_999), (0, 65535), (0, 65536)])
def test_a_range_holds_both_its_ends(shared, first, last):
    with shared.login() as c:
        assert code_of(c, f"RANG {first} {last}") == 350
        assert c.fetch("RETR pub/big.grib2") == BIG[first:last + 1]
        # It was for that transfer alone.
        assert c.fetch("RETR pub/README") == README


def test_a_range_is_told_in_the_events(shared):
    with shared.login() as c:
        mine = c.sock.getsockname()[1]
        assert code_of(c, "RANG 1000 1999") == 350
        c.fetch("RETR pub/big.grib2")
    found = []
    while not found:
        found = [e["ftp_data"] for e in shared.events("ftp_data")
                 if e["src_port"] == mine]
    assert (found[0]["offset"], found[0]["bytes"]) == (1000, 1000)
    assert found[0]["result"] == "complete"


def test_a_range_is_taken_back(shared):
    with shared.login() as c:
        for undo in ("RANG 1 0", "REST 0", "ABOR", "REIN", "USER ftp"):
            assert code_of(c, "RANG 3 5") == 350
            assert c.cmd(undo).code < 400, undo
            if undo in ("REIN", "USER ftp"):
                assert code_of(c, "USER ftp") == 331
                assert code_of(c, "PASS x") == 230
            assert c.fetch("RETR pub/README") == README, undo
        for other in ("LIST pub", "NLST", "MLSD", "RETR pub/zero"):
            assert code_of(c, "RANG 3 5") == 350
            if other == "RETR pub/zero":
                c.epsv()
                assert code_of(c, other) == 554
            else:
                c.fetch(other)
            assert c.fetch("RETR pub/README") == README, other


def test_of_range_and_restart_the_later_one_holds(shared):
    with shared.login() as c:
        assert code_of(c, "RANG 3 5") == 350
        assert code_of(c, "REST 4") == 350
        assert c.fetch("RETR pub/README") == README[4:]
        assert code_of(c, "REST 4") == 350
        assert code_of(c, "RANG 3 5") == 350
        assert c.fetch("RETR pub/README") == README[3:6]
        # What is refused changes nothing.
        assert code_of(c, "RANG 3 5") == 350
        assert code_of(c, "RANG 5 3") == 501
        assert c.fetch("RETR pub/README") == README[3:6]


@pytest.mark.parametrize("first,last", [
    (0, 19), (19, 19), (18, 19), (20, 30), (0, OFFSET_MOST),
    (OFFSET_MOST, OFFSET_MOST), (1 << 31, 1 << 32)])
def test_b15_a_range_beyond_the_file_is_554(shared, first, last):
    with shared.login() as c:
        assert code_of(c, f"RANG {first} {last}") == 350
        c.epsv()
        assert code_of(c, "RETR pub/README") == 554
        # Neither the range nor the endpoint outlives the refusal.
        assert code_of(c, "RETR pub/README") == 425
        assert c.fetch("RETR pub/README") == README


def test_a_range_is_of_an_image(shared):
    with shared.login() as c:
        assert code_of(c, "TYPE A") == 200
        assert code_of(c, "RANG 0 5") == 350
        c.epsv()
        assert code_of(c, "RETR pub/README") == 554
        assert code_of(c, "TYPE I") == 200
        assert c.fetch("RETR pub/README") == README


@pytest.mark.parametrize("argument", [
    "", "1", "1 ", " 1 2", "1  2", "1 2 ", "1 2 3", "-1 2", "1 -2", "+1 2",
    "2 1", "0x1 2", "1-2", "1,2", "1\t2", "a b", "1 0 ", "1 2x", "0 -1",
    "1.5 2", "9" * 60 + " " + "9" * 60])
def test_b15_range_refuses(shared, argument):
    with shared.login() as c:
        assert code_of(c, f"RANG {argument}") == 501
        assert c.fetch("RETR pub/README") == README


@pytest.mark.parametrize("edge", EDGES)
def test_b15_numbers_at_the_edges(shared, edge):
    fits = edge <= OFFSET_MOST
    with shared.login() as c:
        for line, good in ((f"REST {edge}", 350), (f"RANG 0 {edge}", 350),
                           (f"RANG {edge} {edge}", 350),
                           (f"ALLO {edge}", 202), (f"ALLO {edge} R 1", 202),
                           (f"ALLO 1 R {edge}", 202)):
            assert code_of(c, line) == (good if fits else 501), line
            assert code_of(c, line.replace(str(edge), f"-{edge}")) == 501
        assert code_of(c, "RANG 1 0") == 350
        assert c.fetch("RETR pub/README") == README


def largest_file(path):
    """As large a file as this file system takes, without a byte in it."""
    low, high = 1 << 33, OFFSET_MOST
    with path.open("wb") as file:
        while low < high:
            size = (low + high + 1) // 2
            try:
                file.truncate(size)
                low = size
            except OSError as error:
                assert error.errno in (errno.EFBIG, errno.EINVAL)
                high = size - 1
        file.truncate(low)
    path.chmod(0o644)
    return low


def test_b15_sizes_at_the_edges(shared):
    path = shared.archive / "edge"
    sizes = [edge for edge in EDGES if edge < 1 << 33]
    with shared.login() as c:
        for size in sizes:
            sparse(path, size, (size - 2, b"xy"))
            assert c.cmd("SIZE edge") == f"213 {size}\r\n"
            for line, body in ((f"RANG {size - 1} {size - 1}", b"y"),
                               (f"REST {size - 2}", b"xy"),
                               (f"REST {size}", b"")):
                assert code_of(c, line) == 350
                assert c.fetch("RETR edge") == body
            for line in (f"RANG 0 {size}", f"REST {size + 1}"):
                assert code_of(c, line) == 350
                c.epsv()
                assert code_of(c, "RETR edge") == 554
        size = largest_file(path)
        assert c.cmd("SIZE edge") == f"213 {size}\r\n"
        assert code_of(c, f"RANG {size - 1} {size - 1}") == 350
        assert c.fetch("RETR edge") == b"\0"
        assert f" {size} " in c.cmd("STAT edge")
    path.unlink()


# ---- words

@pytest.mark.parametrize("line,code", [
    ("LANG", 200), ("LANG EN", 200), ("LANG en", 200), ("LANG fr", 504),
    ("LANG en-GB", 504), ("LANG EN ", 504), ("LANG *", 504), ("LANG é", 504),
    ("CSID", 200), ("CSID Name=x; Version=1;", 200),
    ("TYPE A N", 200), ("TYPE a n", 200), ("TYPE A T", 504),
    ("TYPE A C", 504), ("TYPE E", 504), ("TYPE E N", 504), ("TYPE L 8", 200),
    ("TYPE L 16", 504), ("TYPE I N", 504), ("TYPE  I", 504), ("TYPE", 501),
    ("MODE B", 504), ("MODE C", 504), ("MODE Z", 504), ("MODE SS", 504),
    ("STRU R", 504), ("STRU P", 504), ("STRU X", 504),
    ("ALLO 0", 202), ("ALLO 10", 202), ("ALLO 10 R 5", 202),
    ("ALLO 10 r 5", 202), ("ALLO 10 R", 501), ("ALLO 10 R x", 501),
    ("ALLO 10 5", 501), ("ALLO 10 R 5 ", 501), ("ALLO 10R5", 501),
    ("ALLO R 5", 501), ("ALLO -1", 501), ("ALLO 1x", 501),
    ("ACCT x", 202), ("ACCT", 501), ("STOU", 550), ("STOU x", 550),
    ("SMNT /x", 502), ("SMNT", 502), ("XMKD x", 550), ("XRMD pub", 550),
    ("XCWD pub", 250), ("XPWD", 257), ("XCUP", 250),
    ("SITE HELP", 214), ("SITE help", 214), ("SITE HELP x", 214),
    ("SITE", 501), ("SITE  HELP", 504), ("SITE HELPX", 504),
    ("SITE CPFR pub/README", 504), ("SITE EXEC ls", 504),
    ("HELP", 214), ("HELP retr", 214), ("HELP SITE", 214),
    ("HELP XYZZY", 501), ("HELP RETR x", 501), ("HELP \x01", 501),
])
def test_word(shared, line, code):
    with shared.login() as c:
        assert code_of(c, line) == code
        assert code_of(c, "TYPE I") == 200
        assert c.fetch("RETR /pub/README") == README


NOT_OFFERED = {verb for verb, (_, _, code) in VERBS.items() if code == 502}


@pytest.mark.parametrize("verb", VERBS)
def test_help_tells_syntax_and_source(shared, verb):
    with shared.control() as c:
        assert c.read().code == 220
        reply = c.cmd(f"HELP {verb.lower()}")
        kind = "Not offered" if verb in NOT_OFFERED else "Syntax"
        assert re.fullmatch(rf"214 {kind}: {verb}( [^\r\n]*\S)? "
                            r"\([^()]+\)\r\n", reply), reply
        needs = verbs_in_source()[verb] in ("ARG_TEXT", "ARG_HOSTPORT")
        bare = re.fullmatch(rf"214 {kind}: {verb} \(.*\r\n", reply)
        assert not (needs and bare), reply


def test_help_lists_every_verb(shared):
    with shared.login() as c:
        lines = c.cmd("HELP").split("\r\n")[1:-2]
        assert " ".join(lines).split() == [
            verb + "*" * (verb in NOT_OFFERED) for verb in sorted(VERBS)]
        for verb in NOT_OFFERED:	# the mark is true
            assert code_of(c, f"{verb} 1") == 502, verb
        assert c.cmd("SITE HELP").split("\r\n")[1:-2] == [" HELP"]


def test_no_version_is_told(shared):
    with shared.control() as c:
        said = [c.read()] + [c.cmd(line) for line in (
            "CSID", "FEAT", "SYST", "STAT", "HELP", "CLNT x", "REIN")]
    for reply in said:
        assert not re.search(r"portcullis|\d+\.\d+", reply, re.I), reply


# ---- FEAT

# What FEAT lists: a line that shows that it works, and its code.
FEATURES = {
    "CLNT": ("CLNT x", 200),
    "CSID": ("CSID", 200),
    "EPRT": ("EPRT |1|127.0.0.1|40000|", 200),
    "EPSV": ("EPSV", 229),
    "HOST": ("HOST 127.0.0.1", 503),
    "LANG EN*": ("LANG EN", 200),
    "MDTM": ("MDTM pub/README", 213),
    "MLST": ("MLST pub", 250),
    "PASV": ("PASV", 227),
    "RANG STREAM": ("RANG 0 5", 350),
    "REST STREAM": ("REST 5", 350),
    "SIZE": ("SIZE pub/README", 213),
    "TVFS": ("CWD /pub/./data/..", 250),
    "UTF8": ("SIZE /pub/été.nc", 213),
}
# Of RFC 959, RFC 775 and RFC 2389 itself; MLSD goes with MLST, and MFMT is
# there where there are accounts.
NOT_LISTED = {"FEAT", "OPTS", "MLSD", "MFMT"}


def listed(control):
    lines = control.cmd("FEAT").split("\r\n")[1:-2]
    return [re.sub(r"^MLST .*", "MLST", line[1:]) for line in lines]


def test_each_listed_feature_works(shared):
    with shared.login() as c:
        features = listed(c)
        # HASH and its kin are switched on by configuration.
        assert features == sorted(features) and set(features) == set(FEATURES)
        for line, code in FEATURES.values():
            assert code_of(c, line) == code, line


def test_each_extension_that_works_is_listed(shared):
    """Every verb of a later RFC or draft that is not refused with 502."""
    text = (pathlib.Path(__file__).parents[2] / "src" / "proto" /
            "command.h").read_text()
    sources = dict(re.findall(r'X\((\w{3,7}),.*"([^"]+)"\)', text))
    assert set(sources) == set(VERBS)
    later = {verb for verb, source in sources.items()
             if not re.match(r"RFC (959|775)\b", source)}
    offered = {verb for verb in later if VERBS[verb][2] != 502}
    with shared.control() as c:
        assert c.read().code == 220
        names = {line.split()[0] for line in listed(c)}
    assert offered - NOT_LISTED - names == set()
    absent = {verb for verb in VERBS if VERBS[verb][2] == 502}
    assert not names & absent


# ---- RFC 959 5.4: which codes belong to which command

# "110, 1xx" are of transfers that begin; here all are of one that does not.
CODES_959 = {
    "USER": {230, 331, 332, 530, 500, 501, 421},
    "PASS": {230, 202, 332, 530, 500, 501, 503, 421},
    "ACCT": {230, 202, 530, 500, 501, 503, 421},
    "CWD": {250, 500, 501, 502, 421, 530, 550},
    "CDUP": {200, 250, 500, 501, 502, 421, 530, 550},
    "SMNT": {202, 250, 500, 501, 502, 421, 530, 550},
    "REIN": {120, 220, 421, 500, 502},
    "QUIT": {221, 500},
    "PORT": {200, 500, 501, 421, 530},
    "PASV": {227, 500, 501, 502, 421, 530},
    "MODE": {200, 500, 501, 504, 421, 530},
    "TYPE": {200, 500, 501, 504, 421, 530},
    "STRU": {200, 500, 501, 504, 421, 530},
    "ALLO": {200, 202, 500, 501, 504, 421, 530},
    "REST": {350, 500, 501, 502, 421, 530},
    "STOR": {425, 532, 450, 452, 553, 500, 501, 421, 530},
    "STOU": {425, 532, 450, 452, 553, 500, 501, 421, 530},
    "RETR": {425, 450, 550, 500, 501, 421, 530},
    "LIST": {425, 450, 500, 501, 502, 421, 530},
    "NLST": {425, 450, 500, 501, 502, 421, 530},
    "APPE": {425, 532, 450, 550, 452, 553, 500, 501, 502, 421, 530},
    "RNFR": {350, 450, 550, 500, 501, 502, 421, 530},
    "RNTO": {250, 532, 553, 500, 501, 502, 503, 421, 530},
    "DELE": {250, 450, 550, 500, 501, 502, 421, 530},
    "RMD": {250, 500, 501, 502, 421, 530, 550},
    "MKD": {257, 500, 501, 502, 421, 530, 550},
    "PWD": {257, 500, 501, 502, 421, 550},
    "ABOR": {225, 226, 500, 501, 502, 421},
    "SYST": {215, 500, 501, 502, 421},
    "STAT": {211, 212, 213, 450, 500, 501, 502, 421, 530},
    "HELP": {211, 214, 500, 501, 502, 421},
    "SITE": {200, 202, 500, 501, 530},
    "NOOP": {200, 500, 421},
}
# Where we say more than the lists of 1985 know, as today's servers do.
BEYOND_959 = {
    "STOR": {550},              # as APPE's: it is no matter of the name
    "STOU": {550},
    "LIST": {550},              # as RETR's, of a name that is not there
    "NLST": {550},
    "STAT": {550},
    "SITE": {214, 504},         # HELP's; MODE's, for what is not offered
    "REIN": {501},              # an argument where there is none
    "PORT": {504},              # RFC 2577
    "RETR": {554},              # RFC 3659 5.3
    "PWD": {530}, "ABOR": {530},        # before login
}


def test_refusals_have_the_codes_of_rfc_959(shared):
    odd = {}
    with shared.control() as before, shared.login() as after:
        assert before.read().code == 220
        for verb, codes in CODES_959.items():
            line = VERBS[verb][0]
            lines = [line, verb, f"{line} x", f"{verb} gone", f"{verb} \x01"]
            for c in (before, after):
                said = {code_of(c, one) for one in lines
                        if verb not in ("QUIT", "REIN", "USER", "PASS")}
                said -= codes | BEYOND_959.get(verb, set())
                if said:
                    odd[verb] = said
    assert odd == {}


# ---- STAT of a path

def make_directories(root):
    for name, count in (("d256", 256), ("d257", 257), ("dots", 3)):
        (root / name).mkdir()
        for i in range(count):
            (root / name / f"{i:03}.nc").write_bytes(b"x" * i)
    (root / "dots" / ".hidden").write_bytes(b"")
    (root / "dots" / ".dir").mkdir()
    (root / "long").mkdir()
    for i in range(80):
        (root / "long" / f"{i:03}{'n' * 252}").write_bytes(b"")
    (root / "wide").mkdir()
    for i in range(80):
        path = os.fsencode(root / "wide") + b"/%02d" % i + b"\xff" * 250
        open(path, "wb").close()
    (root / "odd").mkdir()
    for name in (b"a\r\n213 x", b"b\nc", b"ok\xff"):
        open(os.fsencode(root / "odd") + b"/" + name, "wb").close()
    (root / "closed").mkdir()


@pytest.mark.parametrize("options", ["", "-l ", "-la ", "-l -- "])
def test_stat_shows_a_directory_as_list_does(shared, options):
    with shared.login() as c:
        for path in ("pub", "pub/data", "pub/empty dir", "/", "d256"):
            reply = c.cmd(f"STAT {options}{path}")
            lines = reply.split("\r\n")
            assert lines[0].startswith("212-"), lines
            assert lines[-2].startswith("212 ")
            body = c.fetch(f"LIST {path}").decode()
            shown = [line[1:] for line in lines[1:-2]]
            assert shown == [line for line in body.split("\r\n")[:-1]
                             if not LIST_LINE.fullmatch(line)[2].startswith(
                                 ".")], path
        assert code_of(c, "CWD pub") == 250
        assert c.cmd("STAT .") == c.cmd("STAT /pub")


def test_stat_of_a_file_and_of_nothing(shared):
    with shared.login() as c:
        assert re.match(r"213-.*\r\n -r.* 1024 .* small.nc\r\n213 ",
                        c.cmd("STAT pub/small.nc"))
        assert code_of(c, "STAT gone") == 550
        assert code_of(c, "STAT pub/outside") == 550


def test_d15_a_long_directory_is_refused_and_never_cut(shared):
    with shared.login() as c:
        assert c.cmd("STAT d256").count("\r\n") == 256 + 2
        reply = c.cmd("STAT d257")
        assert reply.code == 450 and "LIST" in reply
        assert c.cmd("STAT dots").count("\r\n") == 3 + 2
        # 32256 bytes of lines, as they are sent: a blank before each.
        line = len(c.cmd("STAT long").split("\r\n")[1]) + 2
        fits = 32256 // line
        for i in range(80, fits + 1):
            assert c.cmd("STAT long").count("\r\n") == i + 2
            path = shared.archive / "long" / f"{i:03}{'n' * 252}"
            path.write_bytes(b"")
            path.chmod(0o644)
        assert code_of(c, "STAT long") == 450
        path.unlink()
        assert c.cmd("STAT long").count("\r\n") == fits + 2
        # Each 255 is two bytes on the control connection.
        assert code_of(c, "STAT wide") == 450


def test_f13_a11_odd_names_make_no_reply_line(shared):
    with shared.login() as c:
        c.send("STAT odd\r\n")
        lines = c.read().split("\r\n")
        assert len(lines) == 4 and lines[1].startswith(" -")
        assert os.fsencode(lines[1]).endswith(b"ok\xff\xff")


def test_f08_many_status_replies_wait_for_their_reader(shared):
    with shared.login() as c:
        c.send(b"STAT long\r\nNOOP\r\n" * 40)
        for _ in range(40):
            assert c.read().code == 212
            assert c.read().code == 200


@needs_root
def test_stat_of_a_directory_that_is_closed(shared):
    (shared.archive / "closed").chmod(0o700)
    with shared.login() as c:
        assert code_of(c, "STAT closed") == 550


# ---- before login: nothing acts, and no file is looked at

FILE_CALLS = "openat2,openat,open,newfstatat,statx,stat,lstat,readlinkat," \
    "getdents64,sendfile,pread64,preadv2,access,faccessat2"


@contextlib.contextmanager
def traced(pid, calls, place):
    """The system calls of that process; a list that is filled at the end."""
    said, out = place / "trace.said", place / "trace"
    seen = []
    with said.open("wb") as err:
        tracer = subprocess.Popen(
            ["strace", "-f", "-e", f"trace={calls}", "-o", str(out), "-p",
             str(pid)], stderr=err)
    end = time.monotonic() + 20
    while b"attached" not in said.read_bytes():
        assert tracer.poll() is None and time.monotonic() < end, \
            said.read_text()
        time.sleep(0.02)
    try:
        yield seen
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)
        seen += [line for line in out.read_text().splitlines()
                 if "(" in line]


@needs_root
@plain_build
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_c01_no_verb_looks_at_a_file_before_login(shared):
    pid, = shared.children("portcullis-worker")
    lines = [line for verb, (line, _, _) in VERBS.items()
             if verb not in ("QUIT", "PASS")]
    lines += [f"{verb} {path}" for verb in VERBS if verb not in ("QUIT",
              "PASS", "USER") for path in ("pub/README", "/", "../x")]
    with traced(pid, FILE_CALLS, shared.place) as before, \
            shared.control() as c:
        assert c.read().code == 220
        for line in lines:
            # A new connection before what would end this one.
            assert c.cmd(line).code in (200, 202, 211, 214, 215, 220, 331,
                                        501, 502, 503, 504, 530), line
    assert before == []
    with traced(pid, FILE_CALLS, shared.place) as after, \
            shared.login() as c:
        assert code_of(c, "SIZE pub/README") == 213
    assert any("openat2" in line for line in after), after


# ---- each verb at each step of a transfer

AT_ONCE = {"ABOR", "NOOP", "STAT"}
LATER = [verb for verb in VERBS if verb not in AT_ONCE]


def nothing_comes(control):
    return not select.select([control.sock], [], [], 0.01)[0]


@contextlib.contextmanager
def waiting(control, command):
    """A transfer whose data connection has not come yet."""
    port = control.epsv()
    control.send(command + "\r\n")
    assert control.sock.getpeername()
    data = socket.socket()
    with data:
        data.settimeout(20)
        yield data, (control.sock.getpeername()[0], port)


@pytest.mark.parametrize("verb", LATER)
def test_f06_a_verb_waits_for_the_data_connection(shared, verb):
    line, _, after = VERBS[verb]
    with shared.login() as c, waiting(c, "RETR pub/README") as (data, to):
        c.send(line + "\r\n")
        assert nothing_comes(c)
        data.connect(to)
        assert c.read().code == 150
        assert drain(data) == README
        data.close()
        assert c.read().code == 226
        assert c.read().code == after
        assert verb == "QUIT" or code_of(c, "NOOP") == 200


@pytest.mark.parametrize("verb", LATER)
def test_f06_a_verb_waits_for_the_bytes(shared, verb):
    line, _, after = VERBS[verb]
    with shared.login() as c:
        with stalled(c, "RETR sparse") as data:
            c.send(line + "\r\n")
            assert nothing_comes(c)
            # Whoever closes has what he wants; the rest goes on.
            data.close()
            assert c.read().code == 226
        assert c.read().code == after
        if verb == "QUIT":
            assert c.ended()
        else:
            assert code_of(c, "NOOP") == 200


def test_f06_status_and_noop_are_answered_at_each_step(shared):
    lines = {"STAT": 211, "STAT pub": 211, "STAT \x01": 211, "NOOP": 200,
             "NOOP x": 200, "noop": 200}
    with shared.login() as c:
        with waiting(c, "RETR pub/README") as (data, to):
            for line, code in lines.items():
                assert code_of(c, line) == code
            data.connect(to)
            assert c.read().code == 150
            assert drain(data) == README
        assert c.read().code == 226
        with stalled(c, "RETR sparse") as data:
            for line, code in lines.items():
                assert code_of(c, line) == code
            assert "transfer" in c.cmd("STAT")
            assert len(drain(data)) == 200 * MIB
        assert c.read().code == 226
        assert "transfer" not in c.cmd("STAT")


@pytest.mark.parametrize("signal", [(b"", b""), (b"\xff\xf4\xff\xf2", b""),
                                    (b"\xff\xf4\xff", b"\xf2"),
                                    (b"\xff\xf4", b"\xff\xf2")])
@pytest.mark.parametrize("step", ["endpoint", "waiting", "bytes", "done"])
def test_f06_abor_with_and_without_telnets_signal(shared, signal, step):
    plain, urgent = signal

    def abort(c):
        if plain:
            c.sock.send(plain)
        if urgent:
            c.sock.send(urgent, socket.MSG_OOB)
        return code_of(c, "ABOR")

    with shared.login() as c:
        if step == "endpoint":
            c.epsv()
            assert abort(c) == 226
        elif step == "waiting":
            with waiting(c, "RETR pub/README"):
                assert abort(c) == 426
                assert c.read().code == 226
        elif step == "bytes":
            with stalled(c, "RETR sparse"):
                assert abort(c) == 426
                assert c.read().code == 226
        else:
            assert c.fetch("RETR pub/README") == README
            assert abort(c) == 226
        assert code_of(c, "RETR pub/README") == 425
        assert c.fetch("RETR pub/README") == README


def test_f06_quit_lets_every_transfer_finish(shared):
    with shared.login() as c, waiting(c, "RETR pub/big.grib2") as (data, to):
        c.send("QUIT\r\nNOOP\r\n")
        data.connect(to)
        assert drain(data) == BIG
        data.close()
        assert [c.read().code for _ in range(3)] == [150, 226, 221]
        assert c.ended()


# ---- the control connection of a long transfer

def test_a_slow_transfer_is_not_idle(serve):
    server = serve({"idle.timeout": 1})
    with server.login() as c:
        with stalled(c, "RETR pub/big.grib2") as data:
            body = b""
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                body += data.recv(2000)
                time.sleep(0.05)
            assert len(body) < len(BIG)
            body += drain(data)
        assert body == BIG
        assert c.read().code == 226
        assert c.fetch("RETR pub/README") == README
        assert c.read().code == 421
        assert c.ended()


def test_the_kernel_keeps_control_connections_known(shared):
    """Every two minutes a packet, for who stands between."""
    with shared.login() as c:
        mine = c.sock.getsockname()[1]
        left, end = None, time.monotonic() + 10
        while not left and time.monotonic() < end:
            told = subprocess.run(
                ["ss", "-Hntoe", "sport", f"= :{shared.port}", "and",
                 "dport", f"= :{mine}"], check=True, capture_output=True,
                text=True).stdout
            left = re.search(r"timer:\(keepalive,(?:(\d+)min)?"
                             r"(?:(\d+)(?:\.\d+)?sec)?", told)
            time.sleep(0.05)        # until the last reply is acknowledged
        assert left, told
        assert int(left[1] or 0) * 60 + int(left[2] or 0) <= 120, told


# ---- TYPE A

CHUNK = 32768
PIECES = (b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r\n", b"\r\n\r\n")


def text_with(piece, at):
    """A text with that piece `at` bytes before each end of a chunk, as the
    chunks are of the file, up to a third one."""
    body = bytearray(b"a" * (3 * CHUNK + 7))
    for edge in (CHUNK, 2 * CHUNK, 3 * CHUNK):
        body[edge - at:edge - at + len(piece)] = piece
    return bytes(body)


TEXTS = [(piece, at) for piece in PIECES for at in range(-1, 5)]


def make_texts(root):
    (root / "texts").mkdir()
    for i, (piece, at) in enumerate(TEXTS):
        (root / "texts" / str(i)).write_bytes(text_with(piece, at))


def test_b11_a_line_end_may_lie_anywhere_at_a_chunks_edge(shared):
    with shared.login() as c:
        assert code_of(c, "TYPE A") == 200
        for i, (piece, at) in enumerate(TEXTS):
            want = re.sub(rb"(?<!\r)\n", b"\r\n", text_with(piece, at))
            assert c.fetch(f"RETR texts/{i}") == want, (piece, at)
        assert code_of(c, "SIZE texts/0") == 550
        assert code_of(c, "TYPE I") == 200
        assert c.cmd("SIZE texts/0") == f"213 {len(text_with(b'', 1))}\r\n"
