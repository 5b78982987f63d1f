# tests/e2e/test_protocol.py: what each command answers, and what it leaves.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import pathlib
import re
import shutil
import socket
import tempfile

import pytest

from conftest import (Server, make_archive, open_to_others, steady_bytes)

ROOT = pathlib.Path(__file__).parents[2]
MIB = 1 << 20
SECRET = b"nobody may read this\n"


@pytest.fixture(scope="module")
def shared():
    """One server for the tests that leave nothing behind."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    (place / "secret").write_bytes(SECRET)
    sparse(root / "sparse", 200 * MIB)
    open_to_others(place)
    server = Server(place, root, {"abuse.refusals": 1000,
                                  "sessions.per_address": 1000})
    server.archive = root
    yield server
    status = server.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert status == 0


def sparse(path, size, *marks):
    """A file of that size, zeros but for (offset, bytes)."""
    with path.open("wb") as file:
        file.truncate(size)
        for at, data in marks:
            file.seek(at)
            file.write(data)
    path.chmod(0o644)
    return path


def code_of(control, line):
    return control.cmd(line).code


def drain(data):
    return b"".join(iter(lambda: data.recv(1 << 16), b""))


@contextlib.contextmanager
def stalled(control, command):
    """A transfer that runs and cannot end: nobody reads yet."""
    data = socket.socket(control.sock.family)
    with data:
        data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data.settimeout(20)
        data.connect((control.sock.getpeername()[0], control.epsv()))
        assert code_of(control, command) == 150
        yield data


# ---- every verb, in each state

# verb: a good line, its code before login and after.
VERBS = {
    "ABOR": ("ABOR", 530, 226),
    "ACCT": ("ACCT x", 202, 202),
    "ALLO": ("ALLO 10", 530, 202),
    "APPE": ("APPE x", 530, 550),
    "AUTH": ("AUTH TLS", 502, 502),
    "CCC": ("CCC", 502, 502),
    "CDUP": ("CDUP", 530, 250),
    "CLNT": ("CLNT x", 200, 200),
    "CPSV": ("CPSV", 530, 502),
    "CSID": ("CSID Name=x;", 200, 200),
    "CWD": ("CWD pub", 530, 250),
    "DELE": ("DELE pub/README", 530, 550),
    "EPRT": ("EPRT |1|127.0.0.1|40000|", 530, 200),
    "EPSV": ("EPSV", 530, 229),
    "FEAT": ("FEAT", 211, 211),
    "HASH": ("HASH pub/README", 530, 502),
    "HELP": ("HELP", 214, 214),
    "HOST": ("HOST 127.0.0.1", 220, 503),
    "LANG": ("LANG EN", 200, 200),
    "LIST": ("LIST", 530, 425),
    "LPRT": ("LPRT 4,4,127,0,0,1,2,200,1", 530, 502),
    "LPSV": ("LPSV", 530, 502),
    "MDTM": ("MDTM pub/README", 530, 213),
    "MFMT": ("MFMT 20200102030405 pub/README", 530, 550),
    "MKD": ("MKD new", 530, 550),
    "MLSD": ("MLSD", 530, 425),
    "MLST": ("MLST pub", 530, 250),
    "MODE": ("MODE S", 530, 200),
    "NLST": ("NLST", 530, 425),
    "NOOP": ("NOOP", 200, 200),
    "OPTS": ("OPTS UTF8 ON", 200, 200),
    "PASS": ("PASS x", 503, 503),
    "PASV": ("PASV", 530, 227),
    "PBSZ": ("PBSZ 0", 502, 502),
    "PORT": ("PORT 127,0,0,1,200,1", 530, 200),
    "PROT": ("PROT P", 502, 502),
    "PWD": ("PWD", 530, 257),
    "QUIT": ("QUIT", 221, 221),
    "RANG": ("RANG 0 10", 530, 350),
    "REIN": ("REIN", 220, 220),
    "REST": ("REST 10", 530, 350),
    "RETR": ("RETR pub/README", 530, 425),
    "RMD": ("RMD pub", 530, 550),
    "RNFR": ("RNFR pub/README", 530, 550),
    "RNTO": ("RNTO x", 530, 503),
    "SITE": ("SITE HELP", 530, 214),
    "SIZE": ("SIZE pub/README", 530, 213),
    "SMNT": ("SMNT /", 530, 502),
    "SPSV": ("SPSV", 530, 502),
    "SSCN": ("SSCN ON", 530, 502),
    "STAT": ("STAT", 211, 211),
    "STOR": ("STOR x", 530, 550),
    "STOU": ("STOU", 530, 550),
    "STRU": ("STRU F", 530, 200),
    "SYST": ("SYST", 215, 215),
    "TYPE": ("TYPE I", 530, 200),
    "USER": ("USER anonymous", 331, 331),
    "XCRC": ("XCRC pub/README", 530, 502),
    "XCUP": ("XCUP", 530, 250),
    "XCWD": ("XCWD pub", 530, 250),
    "XMD5": ("XMD5 pub/README", 530, 502),
    "XMKD": ("XMKD new", 530, 550),
    "XPWD": ("XPWD", 530, 257),
    "XRMD": ("XRMD pub", 530, 550),
    "XSHA1": ("XSHA1 pub/README", 530, 502),
    "XSHA256": ("XSHA256 pub/README", 530, 502),
    "XSHA512": ("XSHA512 pub/README", 530, 502),
}


def verbs_in_source():
    """Verb to what follows it, as src/proto/command.h has it."""
    text = (ROOT / "src" / "proto" / "command.h").read_text()
    return dict(re.findall(r"X\((\w{3,7}),\s*\w+,\s*(ARG_\w+),", text))


def test_every_verb_is_in_the_table():
    assert set(verbs_in_source()) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_c01_verb_before_login(shared, verb):
    line, before, _ = VERBS[verb]
    with shared.control() as c:
        assert c.read().code == 220
        assert code_of(c, line) == before
        if verb == "QUIT":
            assert c.ended()


@pytest.mark.parametrize("verb", VERBS)
def test_verb_after_login(shared, verb):
    line, _, after = VERBS[verb]
    with shared.login() as c:
        assert code_of(c, line) == after
        assert verb == "QUIT" or code_of(c, "NOOP") == 200


@pytest.mark.parametrize("verb", VERBS)
def test_verb_in_any_case_and_with_a_bad_argument(shared, verb):
    line, _, after = VERBS[verb]
    kind = verbs_in_source()[verb]
    with shared.login() as c:
        if kind in ("ARG_TEXT", "ARG_HOSTPORT") and after != 503:
            assert code_of(c, verb) == 501
            assert code_of(c, verb + " ") == 501
        if kind == "ARG_NONE":
            assert code_of(c, verb + " x") == 501
        assert code_of(c, verb.swapcase() + line[len(verb):]) == after


# ---- who is there

@pytest.mark.parametrize("user", ["anonymous", "ftp", "FTP", "Anonymous"])
@pytest.mark.parametrize("password", ["PASS a@b", "PASS", "PASS ", "PASS é",
                                      "PASS " + "x" * 4000])
def test_anonymous_login(shared, user, password):
    with shared.control() as c:
        c.read()
        assert code_of(c, f"USER {user}") == 331
        assert code_of(c, password) == 230
        assert code_of(c, "PWD") == 257


def test_c02_every_named_user_is_answered_alike(shared):
    answers = set()
    for user in ("root", "nobody", "%s%n", "x" * 500, "a b"):
        with shared.control() as c:
            c.read()
            answers.add(c.cmd(f"USER {user}"))
    assert len(answers) == 1, answers


def test_c13_no_password_is_asked_for_in_the_clear(shared):
    with shared.control() as c:
        c.read()
        assert code_of(c, "USER root") == 530
        assert code_of(c, "PASS secret") == 503
        assert code_of(c, "USER anonymous") == 331


def test_c04_the_third_refused_login_ends_the_session(shared):
    with shared.control() as c:
        c.read()
        for expected in (530, 530, 421):
            assert code_of(c, "USER root") == expected
        assert c.ended()


def test_login_out_of_order(shared):
    with shared.control() as c:
        c.read()
        assert code_of(c, "PASS x") == 503
        assert code_of(c, "USER") == 501
        assert code_of(c, "PASS x") == 503
        assert code_of(c, "USER ftp") == 331
        assert code_of(c, "USER anonymous") == 331
        assert code_of(c, "PASS x") == 230
        assert code_of(c, "PASS x") == 503


@pytest.mark.parametrize("again", ["REIN", "USER anonymous"])
def test_c12_a_new_login_keeps_nothing(shared, again):
    with shared.login() as c:
        for line in ("CWD pub", "TYPE A", "REST 5", "OPTS MLST size;",
                     "EPRT |1|127.0.0.1|40000|"):
            assert c.cmd(line).code < 400
        assert c.cmd(again).code < 400
        assert code_of(c, "PWD") == 530
        assert code_of(c, "USER anonymous") == 331
        assert code_of(c, "PASS x") == 230
        assert '"/"' in c.cmd("PWD")
        assert code_of(c, "RETR pub/README") == 425
        assert code_of(c, "SIZE pub/README") == 213
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
        assert "type*;" in c.cmd("FEAT").lower()


# ---- parameters

@pytest.mark.parametrize("line,code", [
    ("TYPE I", 200), ("TYPE i", 200), ("TYPE A", 200), ("TYPE A N", 200),
    ("TYPE L 8", 200), ("TYPE A T", 504), ("TYPE A C", 504), ("TYPE E", 504),
    ("TYPE L 7", 504), ("TYPE L", 504), ("TYPE X", 504), ("TYPE II", 504),
    ("MODE S", 200), ("MODE s", 200), ("MODE B", 504), ("MODE C", 504),
    ("MODE Z", 504), ("STRU F", 200), ("STRU R", 504), ("STRU P", 504),
    ("ALLO x", 501), ("ALLO 10 R 5", 202), ("SITE CHMOD 777 x", 504),
    ("OPTS X", 501), ("OPTS UTF8", 200), ("OPTS MLST", 200),
])
def test_parameter(shared, line, code):
    with shared.login() as c:
        assert code_of(c, line) == code


def test_features_are_listed_as_rfc_2389_wants(shared):
    with shared.login() as c:
        lines = c.cmd("FEAT").split("\r\n")
    assert lines[0].startswith("211-") and lines[-2].startswith("211 ")
    assert all(re.fullmatch(r" \S.*", line) for line in lines[1:-2]), lines
    names = [line.split()[0] for line in lines[1:-2]]
    assert {"EPRT", "EPSV", "MDTM", "MLST", "PASV", "REST", "SIZE", "TVFS",
            "UTF8"} <= set(names)


# ---- restart

def test_b15_offsets_beyond_32_bits(serve, archive):
    size = (1 << 32) + 1000
    sparse(archive / "huge", size, (size - 10, b"0123456789"),
           ((1 << 32) - 2, b"edge"), ((1 << 31), b"half"))
    server = serve()
    with server.login() as c:
        assert c.cmd("SIZE huge") == f"213 {size}\r\n"
        assert f"size={size};" in c.cmd("MLST huge").lower()
        for offset, body in ((size - 10, b"0123456789"), (size - 1, b"9"),
                             (size, b"")):
            assert code_of(c, f"REST {offset}") == 350
            assert c.fetch("RETR huge") == body
        assert code_of(c, f"REST {(1 << 32) - 2}") == 350
        assert c.fetch("RETR huge").startswith(b"edge\0")
        with c.data() as data:
            assert code_of(c, f"REST {1 << 31}") == 350
            assert code_of(c, "RETR huge") == 150
            assert data.recv(4, socket.MSG_WAITALL) == b"half"
        assert c.read().code == 226


@pytest.mark.parametrize("offset,body", [
    (0, b"One line.\nAnother.\n"), (1, b"ne line.\nAnother.\n"),
    (18, b"\n"), (19, b""), (20, 554), ((1 << 31) - 1, 554), (1 << 31, 554),
    ((1 << 32) - 1, 554), (1 << 32, 554), ((1 << 63) - 1, 554),
])
def test_b15_restart_at(shared, offset, body):
    with shared.login() as c, c.data() as data:
        assert code_of(c, f"REST {offset}") == 350
        if body == 554:
            assert code_of(c, "RETR pub/README") == 554
            # Neither the offset nor the endpoint outlives the refusal.
            assert code_of(c, "RETR pub/README") == 425
            assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
        else:
            assert code_of(c, "RETR pub/README") == 150
            assert drain(data) == body
            assert c.read().code == 226


@pytest.mark.parametrize("offset", [
    "-1", "+1", "1x", "0x10", " 1", "1 ", "", "1.5", str(1 << 63),
    str((1 << 63) + 1), str(1 << 64), str((1 << 64) + 1), "9" * 100])
def test_b15_restart_refuses(shared, offset):
    with shared.login() as c:
        assert code_of(c, f"REST {offset}") == 501
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_restart_is_for_the_next_transfer_alone(shared):
    with shared.login() as c:
        assert code_of(c, "REST 5") == 350
        assert c.fetch("RETR pub/README") == b"ine.\nAnother.\n"[-14:]
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
        assert code_of(c, "REST 5") == 350
        assert c.fetch("LIST pub").count(b"\r\n") > 5
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


# ---- TYPE A

CHUNK = 32768
ASCII_BODIES = {
    "empty": b"", "lf": b"\n", "cr": b"\r", "crlf": b"\r\n",
    "mixed": b"a\r\nb\nc\r\n\n\r\r\n",
    "crlf across a chunk": b"a" * (CHUNK - 1) + b"\r\nb",
    "lf at a chunk's end": b"a" * (CHUNK - 1) + b"\nb",
    "lf at a chunk's begin": b"a" * CHUNK + b"\nb",
    "cr at the end": b"a" * (CHUNK - 1) + b"\r",
    "crlf across the second": b"a" * (2 * CHUNK - 1) + b"\r\n\nb",
    "all lf": b"\n" * (5 * CHUNK + 1),
    "all crlf, odd": b"x" + b"\r\n" * (3 * CHUNK),
    "noise": steady_bytes(300_000, 11),
}


def test_b11_ascii_type_is_exact(serve, archive):
    for i, body in enumerate(ASCII_BODIES.values()):
        (archive / f"t{i}").write_bytes(body)
        (archive / f"t{i}").chmod(0o644)
    server = serve()
    with server.login() as c:
        assert code_of(c, "TYPE A") == 200
        for i, (name, body) in enumerate(ASCII_BODIES.items()):
            want = re.sub(rb"(?<!\r)\n", b"\r\n", body)
            assert c.fetch(f"RETR t{i}") == want, name
        assert code_of(c, "SIZE t0") == 550
        assert code_of(c, "REST 1") == 350
        c.epsv()
        assert code_of(c, "RETR t4") == 554
        assert code_of(c, "TYPE I") == 200
        for i, (name, body) in enumerate(ASCII_BODIES.items()):
            assert c.fetch(f"RETR t{i}") == body, name


# ---- listings

PUB = {"README", "small.nc", "big.grib2", "zero", "crlf.txt", "data",
       "a name with blanks.nc", 'a "quoted" name', "été.nc", "latest",
       "link.nc", "empty dir"}
LIST_LINE = re.compile(
    r"[-dl][-r][-w][-xsS][-r][-w][-xsS][-r][-w][-xtT] +\d+ \S+ +\S+ +(\d+) "
    r"[JFMASOND][a-z]{2} \d{2} (?: \d{4}|\d{2}:\d{2}) (.+)")


def lines_of(body):
    text = body.decode("utf-8", "surrogateescape")
    assert text == "" or text.endswith("\r\n")
    return text.split("\r\n")[:-1]


@pytest.mark.parametrize("options", ["", "-l ", "-a ", "-la ", "-l -a ",
                                     "-1 -la "])
def test_list(shared, options):
    with shared.login() as c:
        names = set()
        for line in lines_of(c.fetch(f"LIST {options}pub")):
            match = LIST_LINE.fullmatch(line)
            assert match, line
            names.add(match[2].split(" -> ")[0])
            if match[2] == "small.nc":
                assert match[1] == "1024"
        assert names == PUB
        got = lines_of(c.fetch(f"NLST {options}pub"))
        if "l" in options:      # NLST -l is LIST
            got = [LIST_LINE.fullmatch(line)[2].split(" -> ")[0]
                   for line in got]
        assert set(got) == PUB
        assert code_of(c, "CWD pub") == 250
        for line in ("LIST", "LIST .", f"LIST {options}".rstrip()):
            assert len(lines_of(c.fetch(line))) == len(PUB), line


def test_listing_of_a_single_file(shared):
    with shared.login() as c:
        line, = lines_of(c.fetch("LIST pub/small.nc"))
        assert LIST_LINE.fullmatch(line)[2] == "small.nc"
        assert LIST_LINE.fullmatch(line)[1] == "1024"
        line, = lines_of(c.fetch("NLST pub/small.nc"))
        assert line.endswith("small.nc")
        for line, code in (("MLSD pub/small.nc", 501), ("LIST gone", 550),
                           ("NLST gone", 550), ("MLSD gone", 550),
                           ("LIST pub/outside", 550)):
            c.epsv()
            assert code_of(c, line) == code, line
        assert lines_of(c.fetch("LIST pub/empty dir")) == []
        assert c.cmd("STAT pub/small.nc").code == 213


def facts_of(line):
    facts, _, name = line.partition(" ")
    return dict(fact.lower().split("=", 1) for fact in
                facts.split(";") if fact), name


def test_mlsd(shared):
    with shared.login() as c:
        rows = {}
        for line in lines_of(c.fetch("MLSD pub")):
            facts, name = facts_of(line)
            assert name not in rows and "/" not in name
            rows[name] = facts
        entries = {name for name, facts in rows.items()
                   if facts["type"] not in ("cdir", "pdir")}
        assert entries == PUB
        assert rows["small.nc"]["type"] == "file"
        assert rows["small.nc"]["size"] == "1024"
        assert re.fullmatch(r"\d{14}", rows["small.nc"]["modify"])
        assert rows["data"]["type"] == "dir"
        # RFC 3659 7.5.5: no perm that the server would not grant.
        assert not set(rows["data"]["perm"]) & set("acdfmpw")
        assert rows["data"]["unique"] != rows["small.nc"]["unique"]


def test_mlst_and_its_facts(shared):
    with shared.login() as c:
        reply = c.cmd("MLST pub/small.nc").split("\r\n")
        assert reply[0].startswith("250-") and reply[2].startswith("250 ")
        facts, name = facts_of(reply[1][1:])
        assert name == "/pub/small.nc" and facts["size"] == "1024"
        time = c.cmd("MDTM pub/small.nc")
        assert time == f"213 {facts['modify']}\r\n"
        assert "type*;" in c.cmd("FEAT").lower()
        assert c.cmd("OPTS MLST size;nonsense;type;").lower() == \
            "200 mlst opts type;size;\r\n"
        feature, = [line for line in c.cmd("FEAT").split("\r\n")
                    if "MLST" in line]
        assert {f for f in feature.lower().split(" ", 2)[2].split(";")
                if f.endswith("*")} == {"type*", "size*"}
        facts, _ = facts_of(c.cmd("MLST pub/small.nc").split("\r\n")[1][1:])
        assert set(facts) == {"type", "size"}
        assert c.cmd("OPTS MLST").lower().startswith("200 mlst opts")
        line = c.cmd("MLST pub/small.nc").split("\r\n")[1]
        assert line == "  /pub/small.nc"
        for what, code in (("MLST", 250), ("MLST gone", 550),
                           ("MLST pub/outside", 550), ("MDTM pub", 550),
                           ("SIZE pub", 550), ("SIZE gone", 550)):
            assert code_of(c, what) == code, what


def test_d15_a_directory_of_20000_is_listed_whole(serve, archive):
    many = archive / "many"
    many.mkdir()
    names = [f"file-{i:05}-{'x' * (i % 60)}" for i in range(20000)]
    for name in names:
        (many / name).touch(0o644)
    server = serve()
    with server.login() as c:
        for command, name_of in (
                ("NLST", lambda line: line),
                ("LIST", lambda line: line.rsplit(" ", 1)[1]),
                ("MLSD", lambda line: facts_of(line)[1])):
            got = [name_of(line) for line in
                   lines_of(c.fetch(f"{command} many"))]
            assert len(got) == len(names), command
            assert sorted(got) == names, command


@pytest.mark.parametrize("command", ["LIST", "NLST", "MLSD"])
def test_d15_a_listing_cut_off_is_no_226(serve, archive, command):
    many = archive / "many"
    many.mkdir()
    first = many / "first"
    first.touch(0o644)
    for i in range(22000):  # more than a socket's buffer may grow to
        os.link(first, many / f"file-{i:05}-{'x' * 200}")
    server = serve()
    with server.login() as c:
        with socket.socket() as data:
            data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            data.connect((server.host, c.epsv()))
            assert c.cmd(f"{command} many").code == 150
            assert data.recv(100)
            # Closed with bytes unread: a reset, as anybody may forge.
        assert c.read().code == 426
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
    (event,) = server.events("ftp_data", want=2)[:1]
    assert event["ftp_data"]["result"] == "peer_closed"
    assert event["ftp_data"]["completion_code"] == ["426"]


ODD = [b"\xff", b"\xff\xfe\xff\xff name", b"tab\there", b"\x1b[31mred", b"\x7f",
       b" leading", b"trailing ", b"  ", b"%s%n%x", b"back\\slash", b"-la", b"~",
       b"*", b"[a]", b"{a,b}", b"caf\xe9", "日本".encode(), b"x" * 255, b"...",
       b"a;b=c", b'"', b'""', b"'", b"\x01", b"$(id)", b"`id`", b"227 Entering"]
HIDDEN = [b"new\nline", b"carriage\rreturn", b"\r\n227 x", b"a\r\n"]


def on_wire(name):
    """A 255 is twice on the control connection (RFC 854)."""
    return name.replace(b"\xff", b"\xff\xff")


def test_f15_names_of_odd_bytes(serve, archive):
    odd = archive / "odd"
    odd.mkdir()
    for i, name in enumerate(ODD + HIDDEN):
        path = os.fsencode(odd) + b"/" + name
        with open(path, "wb") as file:
            file.write(b"%d" % i)
        os.chmod(path, 0o644)
    server = serve()
    with server.login() as c:
        got = c.fetch("NLST -a odd").split(b"\r\n")[:-1]
        assert sorted(got) == sorted(ODD)
        mlsd = c.fetch("MLSD odd").split(b"\r\n")[:-1]
        assert sorted(line.split(b" ", 1)[1] for line in mlsd) == sorted(ODD)
        listing = c.fetch("LIST -a odd")
        assert listing.count(b"\r\n") == len(ODD)
        assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]", listing)
        for i, name in enumerate(ODD):
            wire = b"odd/" + on_wire(name)
            c.send(b"SIZE " + wire + b"\r\n")
            assert c.read() == f"213 {len(str(i))}\r\n", name
            with c.data() as data:
                c.send(b"RETR " + wire + b"\r\n")
                assert c.read().code == 150, name
                assert drain(data) == b"%d" % i
            assert c.read().code == 226
            c.send(b"MLST " + wire + b"\r\n")
            line = os.fsencode(c.read()).split(b"\r\n")[1]
            assert line.endswith(b" /" + wire), line


# ---- where we are

def test_b06_pwd_doubles_quotes(serve, archive):
    names = ['a "quoted" name', '"', '""', "x", "blank end ", "é", '"a"b"']
    for name in names:
        (archive / name).mkdir()
        (archive / name).chmod(0o755)
    server = serve()
    with server.login() as c:
        for name in names:
            assert code_of(c, f"CWD /{name}") == 250, name
            quoted = re.fullmatch(r'257 "((?:[^"]|"")*)" .*\r\n', c.cmd("PWD"))
            assert quoted[1].replace('""', '"') == "/" + name
            assert code_of(c, "CDUP") == 250
            assert c.cmd("PWD").startswith('257 "/" ')


def test_cdup_at_the_root_stays_there(shared):
    with shared.login() as c:
        for line in ("CDUP", "CWD ..", "CWD /../..", "XCUP", "CWD /",
                     "CWD ///", "CWD ./."):
            assert code_of(c, line) == 250
            assert c.cmd("PWD").startswith('257 "/" '), line
        assert code_of(c, "CWD pub/data/2023") == 250
        assert code_of(c, "CDUP") == 250
        assert c.cmd("PWD").startswith('257 "/pub/data" ')
        assert code_of(c, "CWD ../latest/.././/data//2023/") == 250
        assert c.cmd("PWD").startswith('257 "/pub/data/2023" ')
        for line in ("CWD gone", "CWD /pub/README", "CWD /pub/outside"):
            assert code_of(c, line) == 550
            assert c.cmd("PWD").startswith('257 "/pub/data/2023" ')


UPS = ["..", "../..", "/..", "/../..", "./..", "pub/../..", "pub/./../..",
       "//..//..", "....", "..../", "..;", "..:", "..\\", "..%2f", "%2e%2e",
       "%2e%2e%2f..", "..%00/..", "..%20.", "/..%20.", "..%5c", "..%c0%af",
       "..%252f", ". .", ".. ", " ..", "../.", "pub/latest/../../..",
       "pub/data/2023/../../../..", "~/..", "~root", "pub/latest/../../../..",
       "\\..\\..", "C:\\..", "file:///..", "|..", "..\x7f", "\xff..", "",
       "/", ".", "/proc/self/root", "/proc/self/cwd/..", "$PWD/.."]
ENDS = ["secret", "etc/passwd", "archive", "archive/pub/README",
        "proc/self/environ", "etc/shadow", "../secret", "%73ecret",
        "secret/.", "./secret", "secret%00.nc", "root"]


def test_d01_no_path_leads_out(shared):
    corpus = [f"{up}{slash}{end}" for up in UPS for end in ENDS
              for slash in ("/", "")]
    assert len(corpus) >= 500
    with shared.login() as c:
        for path in corpus:
            assert code_of(c, f"SIZE {path}") == 550, path
            assert code_of(c, f"CWD {path}") == 550, path
            c.epsv()
            assert code_of(c, f"RETR {path}") == 550, path
            c.epsv()
            assert code_of(c, f"NLST ./{path}") == 550, path
            assert c.fetch("RETR pub/zero") == b""


def test_b07_long_and_deep_paths(shared):
    with shared.login() as c:
        for path in ("x" * 256, "x/" * 2500, "x" * 4095, "x" * 4096,
                     "x" * 8000, "/" + "../" * 2000 + "x", "a" * 300 + "/.."
                     "/gone"):
            assert code_of(c, f"SIZE {path}") == 550, path[:20]
        assert code_of(c, f"SIZE {'./' * 2000}pub/README") == 213
        assert code_of(c, f"SIZE {'x/../' * 1500}pub/README") == 213


VERBS_OF_PATHS = ["SIZE", "MDTM", "MLST", "STAT", "CWD", "RETR", "LIST",
                  "NLST", "MLSD"]


def test_d02_no_link_leads_out(serve, place, archive):
    (place / "secret").write_bytes(SECRET)
    (place / "secret").chmod(0o644)
    (place / "outside").mkdir()
    (place / "outside" / "secret").write_bytes(SECRET)
    links = {
        "absolute": "/etc/passwd", "absolute-dir": "/etc",
        "up": "../../secret", "up-dir": "../../outside",
        "far-up": "../../../../../../../../etc/passwd",
        "inside-by-absolute": str(archive / "pub" / "README"),
        "of-link": "absolute", "of-dir-link": "absolute-dir/passwd",
        "magic-root": "/proc/self/root/etc/passwd", "magic-cwd":
        "/proc/self/cwd", "dangling": "gone", "loop": "loop",
        "by-way-of": "../pub/../../secret", "root-itself": "../..",
        "fd": "/proc/self/fd/7",
    }
    folder = archive / "links"
    folder.mkdir()
    for name, target in links.items():
        (folder / name).symlink_to(target)
    (folder / "fine").symlink_to("../pub/README")
    server = serve()
    with server.login() as c:
        for name in links:
            for path in (name, name + "/secret", name + "/passwd"):
                for verb in VERBS_OF_PATHS:
                    if verb in ("RETR", "LIST", "NLST", "MLSD"):
                        c.epsv()
                    assert code_of(c, f"{verb} links/{path}") == 550, \
                        (verb, path)
                assert c.fetch("RETR pub/zero") == b""
        assert c.fetch("RETR links/fine") == b"One line.\nAnother.\n"
        assert lines_of(c.fetch("NLST links")) == ["fine"]


def test_d11_a_fifo_or_socket_is_no_file(serve, archive):
    os.mkfifo(archive / "fifo.nc", 0o644)
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(archive / "socket.nc"))
        os.chmod(archive / "socket.nc", 0o666)
        server = serve()
        with server.login() as c:
            for name in ("fifo.nc", "socket.nc"):
                for line in (f"SIZE {name}", f"MDTM {name}", f"CWD {name}"):
                    assert code_of(c, line) == 550, line
                c.epsv()
                assert code_of(c, f"RETR {name}") == 550
            assert c.fetch("RETR pub/README")


def test_d14_no_reply_names_the_host(shared):
    here = str(shared.archive.parent)
    seen = []
    with shared.login() as c:
        for line, _, _ in VERBS.values():
            if line in ("QUIT", "REIN", "USER anonymous"):
                continue
            seen += [c.cmd(line), c.cmd("ABOR")]
        for verb in VERBS_OF_PATHS:
            for path in ("pub/outside", "gone", "/", "pub/link.nc", "\x01"):
                seen.append(c.cmd(f"{verb} {path}"))
        seen += [c.fetch(f"{verb} pub").decode() for verb in
                 ("LIST", "NLST", "MLSD")]
        seen += [c.cmd("REIN"), c.cmd("QUIT")]
    for text in seen:
        assert here not in text and "/etc" not in text, text
        assert "root" not in text and "portcullis" not in text.lower(), text


# ---- during a transfer

def test_f06_status_and_noop_during_a_transfer(shared):
    with shared.login() as c, stalled(c, "RETR sparse") as data:
        assert code_of(c, "NOOP") == 200
        status = c.cmd("STAT")
        assert status.code == 211 and "transfer" in status.lower()
        assert code_of(c, "NOOP") == 200
        assert len(drain(data)) == 200 * MIB
        assert c.read().code == 226


@pytest.mark.parametrize("command", ["RETR sparse", "RETR pub/big.grib2"])
def test_f06_abort_during_a_transfer(shared, command):
    with shared.login() as c:
        with stalled(c, command) as data:
            assert code_of(c, "ABOR") == 426
            assert c.read().code == 226
            with contextlib.suppress(ConnectionResetError):
                assert len(drain(data)) < 200 * MIB
        assert code_of(c, "NOOP") == 200
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_f06_abort_with_telnets_urgent_signal(shared):
    """RFC 959 4.1.3: IAC IP, then DM as urgent data, then ABOR."""
    with shared.login() as c:
        for _ in range(20):
            with stalled(c, "RETR sparse"):
                c.sock.send(b"\xff\xf4\xff")
                c.sock.send(b"\xf2", socket.MSG_OOB)
                assert code_of(c, "ABOR") == 426
                assert c.read().code == 226
            assert code_of(c, "NOOP") == 200


def test_f06_abort_before_the_data_connection(shared):
    with shared.login() as c:
        assert code_of(c, "ABOR") == 226
        c.epsv()
        assert code_of(c, "ABOR") == 226
        assert code_of(c, "RETR pub/README") == 425
        c.epsv()
        c.send("RETR pub/README\r\nABOR\r\n")
        assert c.read().code in (425, 426)
        assert c.read().code == 226
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_f06_quit_waits_for_the_transfer(shared):
    with shared.login() as c, stalled(c, "RETR sparse") as data:
        c.send("QUIT\r\n")
        assert len(drain(data)) == 200 * MIB
        assert c.read().code == 226
        assert c.read().code == 221
        assert c.ended()


def test_f06_other_commands_wait_for_the_transfer(shared):
    with shared.login() as c, stalled(c, "RETR sparse") as data:
        c.send("PWD\r\nSIZE pub/README\r\nNOOP\r\n")
        assert len(drain(data)) == 200 * MIB
        assert [c.read().code for _ in range(4)] == [226, 257, 213, 200]


def test_a_file_that_shrinks_is_not_called_complete(serve, archive):
    path = sparse(archive / "shrinks", 100 * MIB)
    server = serve()
    with server.login() as c:
        for kind in ("TYPE I", "TYPE A"):
            sparse(path, 100 * MIB)
            assert code_of(c, kind) == 200
            with stalled(c, "RETR shrinks") as data:
                os.truncate(path, 50 * MIB)
                with contextlib.suppress(ConnectionResetError):
                    assert len(drain(data)) <= 50 * MIB
            assert c.read().code in (426, 451)
            assert code_of(c, "NOOP") == 200


def all_of(c, data, command):
    assert c.cmd(command).code == 150
    while data.recv(1 << 16):
        pass


def test_226_waits_for_who_closes_first_and_once_for_who_does_not(shared):
    """aria2 loses a 226 that it reads together with 150."""
    with shared.login() as c:
        with c.data() as data:
            all_of(c, data, "RETR pub/README")
            assert c.cmd("NOOP").code == 200
        assert c.read().code == 226
        for command in ("REST 1", "REST 2"):
            assert c.cmd(command).code == 350
            with c.data() as data:
                all_of(c, data, "RETR pub/README")
                assert c.cmd("NOOP").code == \
                    (200 if command == "REST 1" else 226)
                assert c.read().code == \
                    (226 if command == "REST 1" else 200)


def test_226_does_not_wait_while_a_command_does(shared):
    """And that is no impatience: the next restart is waited for again."""
    with shared.login() as c:
        with c.data() as data:
            all_of(c, data, "RETR pub/README")
            assert c.cmd("PWD").code == 226
            assert c.read().code == 257
        assert c.cmd("REST 1").code == 350
        with c.data() as data:
            all_of(c, data, "RETR pub/README")
            assert c.cmd("NOOP").code == 200
        assert c.read().code == 226
        assert c.cmd("REST 1").code == 350
        with c.data() as data:
            c.send("RETR pub/README\r\nPWD\r\n")
            assert [c.read().code for _ in range(3)] == [150, 226, 257]


def test_early_close_by_the_client_is_226_at_once(shared):
    with shared.login() as c:
        for command in ("RETR sparse", "RETR pub/big.grib2"):
            for _ in range(5):
                with c.data() as data:
                    assert code_of(c, command) == 150
                    assert data.recv(10)
                assert c.read().code == 226
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


# ---- data endpoints

def test_epsv_variants(shared):
    with shared.login() as c:
        for line, code in (("EPSV 1", 229), ("EPSV 2", 522), ("EPSV 3", 522),
                           ("EPSV x", 501), ("EPSV 1 ", 501),
                           ("EPSV -1", 501), ("EPSV", 229)):
            assert code_of(c, line) == code, line
        assert "(1)" in c.cmd("EPSV 2")


@pytest.mark.parametrize("between", ["NOOP", "ABOR", "EPSV", "RETR gone",
                                     "REIN", "EPSV 2", "STOR x"])
def test_a05_epsv_all_holds_to_the_end(shared, between):
    with shared.login() as c:
        assert code_of(c, "EPSV ALL") == 200
        c.cmd(between)
        if between == "REIN":
            assert code_of(c, "USER ftp") == 331
            assert code_of(c, "PASS x") == 230
        for line in ("PASV", "PORT 127,0,0,1,200,1",
                     "EPRT |1|127.0.0.1|40000|", "LPRT 1", "PORT x"):
            assert c.cmd(line).code >= 500, line
            assert code_of(c, "RETR pub/README") == 425, line
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_passive_over_ipv6(serve):
    server = serve(host="::1")
    with server.login() as c:
        assert 400 <= code_of(c, "PASV") < 600
        for line, code in (("EPSV 2", 229), ("EPSV 1", 522), ("EPSV", 229),
                           ("EPRT |1|203.0.113.99|40000|", 522),
                           ("EPRT |2|::1|40000|", 200)):
            assert code_of(c, line) == code, line
        assert code_of(c, "PORT 127,0,0,1,200,1") >= 500
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


def test_an_endpoint_serves_one_transfer(shared):
    with shared.login() as c:
        assert code_of(c, "RETR pub/README") == 425
        c.fetch("RETR pub/README")
        assert code_of(c, "RETR pub/README") == 425
        listener = c.active()
        with listener:
            c.send("RETR pub/README\r\n")
            data, _ = listener.accept()
            with data:
                assert drain(data) == b"One line.\nAnother.\n"
            assert [c.read().code, c.read().code] == [150, 226]
            assert code_of(c, "RETR pub/README") == 425


SETTERS = ["PASV", "EPSV", "EPSV 1", "PORT 127,0,0,1,200,1",
           "EPRT |1|127.0.0.1|51201|"]
FAILS = ["PORT 127,0,0,1,200", "PORT 8,8,8,8,200,1", "PORT 127,0,0,1,0,22",
         "PORT 127,0,0,256,1,1", "PORT", "PORT 127,0,0,1,200,1 ",
         "EPRT |1|127.0.0.1|0|", "EPRT |1|8.8.8.8|51200|", "EPRT |2|::1|51200|",
         "EPRT |9|x|51200|", "EPRT x", "EPRT", "EPSV 2", "EPSV 9", "EPSV x",
         "PASV x", "LPRT 4,4,127,0,0,1,2,200,1", "LPSV", "CPSV", "SPSV",
         "ABOR", "STOR x", "PORT \xff"]
TRANSFERS = ["RETR pub/README", "LIST", "NLST", "MLSD"]


@pytest.mark.parametrize("setter", SETTERS)
@pytest.mark.parametrize("fail", FAILS)
def test_a04_nothing_is_left_of_an_endpoint(shared, setter, fail):
    with shared.login() as c:
        for transfer in TRANSFERS:
            assert code_of(c, setter) in (200, 227, 229)
            assert c.cmd(fail).code >= (226 if fail == "ABOR" else 500)
            assert code_of(c, transfer) == 425, transfer
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"


@pytest.mark.parametrize("first", SETTERS)
@pytest.mark.parametrize("second", ["PASV", "EPSV"])
def test_a04_the_last_endpoint_counts(shared, first, second):
    with shared.login() as c:
        assert code_of(c, first) in (200, 227, 229)
        reply = c.cmd(second)
        numbers = [int(n) for n in re.findall(r"\d+", reply)[1:]]
        port = numbers[0] if second == "EPSV" else \
            numbers[-2] * 256 + numbers[-1]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as data:
            assert code_of(c, "RETR pub/README") == 150
            assert drain(data) == b"One line.\nAnother.\n"
        assert c.read().code == 226
