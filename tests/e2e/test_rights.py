# tests/e2e/test_rights.py: each command, on each kind of path, by each set of
# rights, against a model.
# SPDX-License-Identifier: Apache-2.0

import pathlib
import shutil
import tempfile

import pytest

from conftest import IS_ROOT, Server, make_archive, open_to_others
from test_accounts import login, make_accounts, own_source

SETS = ["-", *"lrwodnm", "lr", "lrw", "wo", "lrwo", "lrd", "lrwodnm"]
NAMES = {f"u{i}": rights for i, rights in enumerate(SETS)}

# What there is, and whether a path leads to it.
FILE, DIR, EMPTY, NONE, OUT, HIDDEN, LINK, ROOT = (
    "old", "sub", "bare", "none", "../bob/mine", "x.hidden", "away", "/")
PATHS = [FILE, DIR, EMPTY, NONE, OUT, HIDDEN, LINK, ROOT]
THERE = {FILE, DIR, EMPTY, ROOT}

# verb: (rights of which one is needed, paths that it works on, it has data)
VERBS = {
    "RETR": ("r", {FILE}, True),
    "HASH": ("r", {FILE}, False),
    "LIST": ("l", THERE, True),
    "NLST": ("l", THERE, True),
    "MLSD": ("l", THERE - {FILE}, True),
    "STAT": ("l", THERE, False),
    "MLST": ("lr", THERE, False),
    "MDTM": ("lr", {FILE}, False),
    "SIZE": ("lr", {FILE}, False),
    "CWD": ("lrwodnm-", THERE - {FILE}, False),
    "STOR": ("w", {NONE, FILE}, True),
    "APPE": ("w", {NONE, FILE}, True),
    "DELE": ("d", {FILE, LINK}, False),
    "RMD": ("d", {EMPTY}, False),
    "MKD": ("m", {NONE}, False),
    "RNFR": ("n", {FILE, DIR, EMPTY}, False),
    "MFMT 20200102030405": ("o", THERE - {ROOT}, False),
    "SITE UTIME 20200102030405": ("o", THERE - {ROOT}, False),
    "SITE CHMOD 700": ("o", THERE - {ROOT}, False),
}


def build(top):
    """The tree anew; top itself is a session's root, and stays."""
    top.mkdir(exist_ok=True)
    for path in top.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() \
            else path.unlink()
    for path in (top / DIR, top / EMPTY):
        path.mkdir()
    for path in (top / FILE, top / DIR / "in", top / HIDDEN):
        path.write_bytes(b"the old one")
    (top / LINK).symlink_to("../bob/mine")
    if IS_ROOT:
        for path in [top, *top.rglob("*")]:
            if not path.is_symlink():
                shutil.chown(path, "portcullis-worker", "portcullis-worker")


def state(top):
    """All that a command might change."""
    return {str(p.relative_to(top)): (
        p.lstat().st_mode, p.lstat().st_mtime_ns,
        p.read_bytes() if p.is_file() and not p.is_symlink() else None)
        for p in top.parent.rglob("*") if p.is_relative_to(top)}


@pytest.fixture(scope="module")
def named():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    conf = make_accounts(place, {name: ("-r", rights, "-d", name)
                                 for name, rights in NAMES.items()})
    for name in NAMES:
        build(place / "homes" / name)
    server = Server(place, place / "archive", {
        **conf, "hide": "*.hidden", "upload.durable": "off", "hash":
        "compute", "solo.spare": 4})
    server.homes = place / "homes"
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


def outcome(c, verb, path, has_data):
    """The last reply; a transfer's as well."""
    if not has_data:
        return c.cmd(f"{verb} {path}")
    with c.data() as sock:
        first = c.cmd(f"{verb} {path}")
        if first.code != 150:
            return first
        if verb in ("STOR", "APPE"):
            sock.sendall(b"new")
        else:
            while sock.recv(1 << 16):
                pass
    return c.read()


def works(rights, verb, path):
    """The model: None is "may not", which is asked first."""
    needed, paths, _ = VERBS[verb]
    if not set(needed) & set(rights):
        return None
    # An upload replaces, or goes on with, what is there by another right.
    if verb in ("STOR", "APPE") and path == FILE and "o" not in rights:
        return False
    return path in paths


def matrix(c, rights, top):
    for verb, (_, _, has_data) in VERBS.items():
        for path in PATHS:
            before = state(top)
            reply = outcome(c, verb, path, has_data)
            expected = works(rights, verb, path)
            what = (rights, verb, path, reply)
            if expected is None and verb == "SIZE" and "w" in rights:
                assert reply.code == 550, what	# of its own parts alone
            elif expected is None:
                assert reply.code == 550 and "may not" in reply, what
            else:
                assert (reply.code < 400) == expected, what
                assert "may not do that" not in reply, what
            c.cmd("CWD /")
            if state(top) != before:
                assert expected and set(VERBS[verb][0]) <= set("wodnm"), what
                build(top)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: NAMES[name])
def test_c10_each_verb_on_each_path_is_as_the_model_says(named, name):
    with login(named, name) as c:
        matrix(c, NAMES[name], named.homes / name)
    assert (named.homes / "bob" / "mine").read_bytes() == b"bob has that\n"


# ---- the perm fact promises what the commands do, and no more

FILE_LETTERS = {"a": f"APPE {FILE}", "d": f"DELE {FILE}", "f": f"RNFR {FILE}",
                "r": f"RETR {FILE}", "w": f"STOR {FILE}"}


def dir_letters(path):
    inner = "" if path == "/" else path
    return {"c": f"STOR {inner}/new", "d": f"RMD {path}", "e": f"CWD {path}",
            "f": f"RNFR {path}", "l": f"MLSD {path}", "m": f"MKD {inner}/new",
            "p": f"DELE {inner}/{'old' if path == '/' else 'in'}"}


def perm_of(reply):
    line = next(line for line in reply.splitlines() if "perm=" in line)
    return line.split("perm=")[1].split(";")[0]


def granted(c, letters, top):
    got = ""
    for letter, command in letters.items():
        verb, path = command.split(" ")
        # A directory that can be removed is an empty one.
        if command == f"RMD {DIR}":
            (top / DIR / "in").unlink()
        if outcome(c, verb, path, VERBS[verb][2]).code < 400:
            got += letter
        c.cmd("CWD /")
        build(top)
    return got


def check_perm(c, top):
    listed = {line.split("; ")[1]: line for line in
              c.fetch("MLSD").decode().splitlines()}
    for path, letters in ((FILE, FILE_LETTERS), (DIR, dir_letters(DIR)),
                          (ROOT, dir_letters(ROOT))):
        told = perm_of(c.cmd(f"MLST {path}"))
        if path != ROOT:
            assert perm_of(listed[path]) == told
        assert told == granted(c, letters, top), path


@pytest.mark.parametrize("rights", ["l", "lr", "lrw", "lrwo", "lrd",
                                    "lrwodnm"])
def test_perm_says_what_is_granted(named, rights):
    name = next(n for n, r in NAMES.items() if r == rights)
    with login(named, name) as c:
        check_perm(c, named.homes / name)


def test_perm_of_an_anonymous_user(named):
    with named.login(own_source()) as c:
        assert perm_of(c.cmd("MLST /")) == "el"
        assert perm_of(c.cmd("MLST pub/README")) == "r"
