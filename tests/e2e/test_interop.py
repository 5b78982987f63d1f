# tests/e2e/test_interop.py: real clients, each action, each way.
# SPDX-License-Identifier: Apache-2.0
"""Every client does everything it can, active and passive, over IPv4 and
IPv6, against one server; the matrix is printed at the end.

A cell is a client in one mode over one family.  Each has a directory of its
own, a link to the same stock, so that the server's events tell whose transfer
was whose.  What a client cannot do itself stands in clients.py, and the tests
expect exactly that.  A client that is not installed is a failure: run
`script/bootstrap test`.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import tempfile

import pytest

from clients import ABSENT, ACTIONS, CLIENTS, Job, installed, rclone, run
from conftest import Server, open_to_others, plain_build, steady_bytes

BIG = steady_bytes(5_000_001, 2)
PART = 1_234_567
HUGE = (3 << 30) + 12345	# sparse, but for its end
TAIL = steady_bytes(1001, 4)
TWELVE = steady_bytes(12_000_000, 7)
TEXT = b"One line.\nAnother.\n"
LINES = b"".join(b"line %d\n" % i for i in range(5000))

NAMES = [b"a name with blanks", b"a  two blanks", b" leading blank", b"-dash",
         b'a "quoted" name', b"apo'strophe", b"back\\slash", b"%41.nc",
         b"100%", b"#hash", b"semi;colon", b"[brackets]", b"star*", b"que?n",
         b"~tilde", b"+plus", b"amp&and", b"dollar$HOME", b"eq=ual,comma",
         "été.nc".encode(), "日本.grib2".encode(), b"caf\xe9.nc",
         b"\xff\xfe.nc"]


def odd(i):
    return steady_bytes(100 + i, i)


def make_stock(root):
    """What every client fetches from."""
    stock = root / "stock"
    (stock / "tree" / "sub" / "deep").mkdir(parents=True)
    (stock / "tree" / "empty dir").mkdir()
    (stock / "names").mkdir()
    (stock / "README").write_bytes(TEXT)
    (stock / "zero").write_bytes(b"")
    (stock / "lines.txt").write_bytes(LINES)
    (stock / "large.nc").write_bytes(BIG)
    (stock / "twelve.nc").write_bytes(TWELVE)
    with (stock / "huge.nc").open("wb") as file:
        file.truncate(HUGE - len(TAIL))
        file.seek(0, os.SEEK_END)
        file.write(TAIL)
    for i, name in enumerate(NAMES):
        (stock / "names" / os.fsdecode(name)).write_bytes(odd(i))
    tree = stock / "tree"
    (tree / "README").write_bytes(TEXT)
    (tree / "zero").write_bytes(b"")
    (tree / "odd").mkdir()
    for i, name in enumerate(NAMES):
        if b"\xff" not in name:
            (tree / "odd" / os.fsdecode(name)).write_bytes(odd(i))
    (tree / "sub" / "deep" / "t2m.grib2").write_bytes(odd(3))
    (tree / "sub" / "link.nc").symlink_to("deep/t2m.grib2")
    (tree / "latest").symlink_to("sub/deep")
    return stock


# ---- cells

class Cell:
    def __init__(self, client, mode, family):
        self.client, self.mode, self.family = client, mode, family
        self.name = f"{client.name}-{mode}-{family}"


CELLS = [Cell(client, mode, family) for client in CLIENTS
         for mode in client.modes for family in client.families]
# With sanitizers it is the server that is looked at, not the clients.
THOROUGH = {"curl-active-ipv6", "lftp-passive-ipv4", "rclone-passive-ipv6",
            "net_ftp-active-ipv4", "inetutils-active-ipv4",
            "aria2-passive-ipv4"}


class Wrong(Exception):
    """An action did not do what it was to do."""


def expect(true, done, what):
    if not true:
        text = done.stdout[-600:].decode(errors="replace")
        raise Wrong(f"{what}; exit status {done.returncode}: {text}")


def same(path, want, done):
    got = path.read_bytes() if path.exists() else None
    expect(got == want, done, f"{path.name} is {len(got)} bytes, not those"
           if got is not None else f"no {path.name}")


def do_get(cell, j):
    out = j.folder / "large"
    done = cell.client.fetch(j, [(b"large.nc", out)])
    expect(done.returncode == 0, done, "failed")
    same(out, BIG, done)


def do_resume(cell, j):
    out = j.folder / "resumed"
    out.write_bytes(BIG[:PART])
    done = cell.client.fetch(j, [(b"large.nc", out)], resume=True)
    expect(done.returncode == 0, done, "failed")
    same(out, BIG, done)


def do_list(cell, j):
    done = cell.client.list(j, b"tree")
    expect(done.returncode == 0, done, "failed")
    for name in (b"README", b"zero", b"sub", b"empty dir", b"latest"):
        expect(name in done.stdout.replace(b"%20", b" "), done,
               f"{name} is not listed")


def tree_of(root):
    """Every file below root, name to bytes, and every empty directory."""
    found = {}
    for base, dirs, files in os.walk(root, followlinks=True):
        for name in files:
            path = pathlib.Path(base, name)
            found[str(path.relative_to(root))] = path.read_bytes()
        if not dirs + files:
            found[str(pathlib.Path(base).relative_to(root))] = None
    return found


def do_tree(cell, j):
    out = j.folder / "tree"
    done = cell.client.tree(j, b"tree", out)
    expect(done.returncode == 0, done, "failed")
    want = tree_of(j.stock / "tree")
    for name in cell.client.tree_lacks:
        del want[name]
    for name, other in cell.client.tree_renames.items():
        want[other] = want.pop(name)
    got = tree_of(out)
    expect(got == want, done, f"{got.keys() ^ want.keys()} differ")


def do_names(cell, j):
    folder = j.folder / "names"
    folder.mkdir()
    pairs = [(b"names/" + name, folder / os.fsdecode(name))
             for name in NAMES]
    done = cell.client.fetch(j, pairs)
    got = {name: os.path.exists(out) and out.read_bytes()
           for name, (_, out) in zip(NAMES, pairs)}
    wrong = {name for i, name in enumerate(NAMES) if got[name] != odd(i)}
    expect(wrong == set(cell.client.names_fail), done,
           f"these went wrong: {wrong}")


def do_early(cell, j):
    done = cell.client.early(j, b"large.nc")
    expect(done.returncode == 0, done, "failed")
    then = cell.client.after_early
    if then == "shown":
        expect(TEXT in done.stdout.replace(b"\r", b""), done,
               "the next file did not come")
    elif then:
        same(j.folder / then, BIG if then == "pieces" else TEXT, done)


def do_empty(cell, j):
    out = j.folder / "zero"
    done = cell.client.fetch(j, [(b"zero", out)])
    expect(done.returncode == 0, done, "failed")
    same(out, b"", done)
    # aria2 takes 150 and 226 for one reply when they come together, and
    # waits a minute for what it has read already.
    out = j.folder / "small"
    done = cell.client.fetch(j, [(b"README", out)])
    same(out, TEXT, done)


def do_big(cell, j):
    out = j.folder / "huge"
    with out.open("wb") as file:
        file.truncate(HUGE - len(TAIL))
    done = cell.client.fetch(j, [(b"huge.nc", out)], resume=True)
    expect(done.returncode == 0, done, "failed")
    expect(out.stat().st_size == HUGE, done, f"{out.stat().st_size} bytes")
    with out.open("rb") as file:
        file.seek(-len(TAIL), os.SEEK_END)
        expect(file.read() == TAIL, done, "another end")
    out.unlink()


def do_missing(cell, j):
    out = j.folder / "nothing"
    done = cell.client.fetch(j, [(b"nothing", out)])
    if cell.client.exits_well:
        expect(done.returncode == 0, done, "it fails now")
        expect(b"550" in done.stdout or b"No such" in done.stdout, done,
               "it says nothing")
    else:
        expect(done.returncode != 0, done, "it calls that a success")
    expect(not out.exists() or not out.stat().st_size, done, "bytes came")


def do_ascii(cell, j):
    out = j.folder / "lines"
    done = cell.client.fetch(j, [(b"lines.txt", out)], ascii=True)
    expect(done.returncode == 0, done, "failed")
    same(out, LINES, done)


def do_cell(server, stock, cell, folder):
    """{action: None, or what went wrong}"""
    client = cell.client
    result = {}
    if not installed(client):
        return dict.fromkeys(ACTIONS, f"{client.name} is not installed")
    folder.mkdir()
    j = Job(server, cell.name, cell.mode == "active", cell.family == "ipv6",
            folder)
    j.stock = stock
    impossible = (cell.mode, cell.family) in client.no_cell
    if impossible:
        j.patience = 5
    for action in ["get"] if impossible else ACTIONS:
        if action in client.lacks:
            continue
        try:
            globals()["do_" + action](cell, j)
            result[action] = None
        except Exception as wrong:
            result[action] = f"{type(wrong).__name__}: {wrong}"
    shutil.rmtree(folder, ignore_errors=True)
    return result


@pytest.fixture(scope="module")
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def server(place):
    root = place / "archive"
    root.mkdir()
    make_stock(root)
    open_to_others(root)
    for cell in CELLS:
        (root / cell.name).symlink_to("stock")
    one = Server(place, root, {"sessions.per_address": 256}, wait=False)
    one.process.kill()
    one.process.wait()
    one = Server(place, root, {
        "listen": f"127.0.0.1:{one.port} [::1]:{one.port}",
        "sessions.per_address": 256}, port=one.port)
    yield one
    assert one.stop() == 0, one.stderr


@pytest.fixture(scope="module")
def results(request, server, place):
    """All cells that this run asks for, a few at a time: clients wait."""
    asked = dict.fromkeys(
        item.callspec.params["cell"] for item in request.session.items
        if hasattr(item, "callspec") and "cell" in item.callspec.params)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {cell.name: pool.submit(
            do_cell, server, place / "archive" / "stock", cell,
            place / cell.name) for cell in asked}


def transfers(server, cell):
    return [e["ftp_data"] for e in server.events("ftp_data", seconds=0)
            if e["ftp_data"]["filename"].startswith(f"/{cell.name}/")]


@pytest.mark.parametrize("cell", [
    pytest.param(cell, id=cell.name, marks=[] if cell.name in THOROUGH else
                 [plain_build]) for cell in CELLS])
def test_a_client_does_what_it_can(server, results, cell):
    result = results[cell.name].result(300)
    client = cell.client
    wrong = {action: text for action, text in result.items() if text}
    if (cell.mode, cell.family) in client.no_cell:
        assert wrong, "it works now: take it out of clients.py"
        assert not transfers(server, cell)
        return
    for action, (reason, seen) in client.fails.items():
        assert action in wrong, f"{action} works now ({reason})"
        assert re.search(seen, wrong[action]), wrong
    wrong = {a: w for a, w in wrong.items() if a not in client.fails}
    assert not wrong, "\n".join(f"{a}: {w}" for a, w in wrong.items())
    made = transfers(server, cell)
    assert {t["mode"] for t in made} == {cell.mode}


@pytest.mark.parametrize("cell", [
    pytest.param(cell, id=cell.name, marks=[] if cell.name in THOROUGH else
                 [plain_build]) for cell in CELLS
    if (cell.mode, cell.family) not in cell.client.no_cell])
def test_a_client_that_goes_on_or_closes_early_is_understood(
        server, results, cell):
    results[cell.name].result(300)
    made = [t for t in transfers(server, cell) if t["command"] == "RETR"]
    codes = {code for t in made for code in t["completion_code"]}
    assert codes <= {"226", "426"}, codes
    offsets = {t["offset"] for t in made
               if t["filename"].endswith("/large.nc")}
    if "resume" not in cell.client.lacks:
        least = PART // 16384 * 16384 if cell.client.resumes_at_blocks \
            else PART
        assert any(least <= offset <= PART for offset in offsets), offsets
    if "big" not in cell.client.lacks:
        ends = [t for t in made if t["filename"].endswith("/huge.nc")]
        assert ends and all(t["bytes"] < 2 << 20 for t in ends), ends


# ---- what one client alone does

@pytest.fixture
def job(server, tmp_path):
    return Job(server, "stock", False, False, tmp_path)


def test_interop_rclone_with_many_streams_leaves_no_corrupt_file(server, job):
    """It closes three of four data connections early; told 425 for that, it
    took a preallocated file for a whole one and ended with success."""
    remote = next(c for c in CLIENTS if isinstance(c, rclone))
    start = [*remote.start(job), "--multi-thread-streams=4",
             "--multi-thread-cutoff=1M", "--retries=3"]
    out = job.folder / "twelve"
    for _ in range(10):
        done = run([*start, "copyto", b":ftp:" + job.path(b"twelve.nc"), out],
                   job)
        if done.returncode == 0:
            same(out, TWELVE, done)
        out.unlink(missing_ok=True)
    made = [e["ftp_data"] for e in server.events("ftp_data") if
            e["ftp_data"]["filename"] == "/stock/twelve.nc"]
    assert len(made) >= 40
    codes = {code for t in made for code in t["completion_code"]}
    assert codes <= {"226", "426"}, codes


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_interop_nmap_finds_an_anonymous_site_that_does_not_bounce(
        server, job, family):
    six = ["-6", "::1"] if family == "ipv6" else ["127.0.0.1"]
    out = run(["nmap", "-n", "-Pn", "-p", server.port, "--script",
               "+ftp-anon,+ftp-syst,+ftp-bounce", *six],
              job).stdout.decode(errors="replace")
    assert "Anonymous FTP login allowed" in out, out
    assert "stock" in out, out
    assert "bounce working" not in out, out


# ---- the matrix

COLUMNS = [("passive", "ipv4"), ("passive", "ipv6"), ("active", "ipv4"),
           ("active", "ipv6")]


LEGEND = [
    "Each client's actions, by a letter where it is done and the bytes are",
    "right, - where the client cannot (why is said below), X where it failed:",
    "g get    r resume        l list       t tree     n odd names",
    "e empty  c closes early  b big, 3 GB  a TYPE A   m missing is noticed"]


def letters(client, result):
    return "".join(
        "-" if action in client.lacks or action in client.fails else
        letter if action in result and not result[action] else "X"
        for action, letter in ACTIONS.items())


def test_the_interop_matrix(results, capsys):
    """Printed for people."""
    seen = {name: future.result(300) for name, future in results.items()}
    lines, reasons = [], []
    for client in CLIENTS:
        row = []
        for mode, family in COLUMNS:
            name = f"{client.name}-{mode}-{family}"
            if mode not in client.modes or (mode, family) in client.no_cell:
                row.append("-")
            else:
                row.append(letters(client, seen[name]) if name in seen
                           else "(not run)")
        lines.append(f"{client.name:11}" + " ".join(f"{c:12}" for c in row))
        reasons += why_not(client)
    reasons += [f"{name}: not run: {reason}"
                for name, reason in ABSENT.items()]
    with capsys.disabled():
        print("\n" + "\n".join(LEGEND) + "\n")
        print(" " * 11 + " ".join(f"{m + ' ' + f:12}" for m, f in COLUMNS))
        print("\n".join(lines))
        print("\n".join(reasons))
    assert "X" not in "".join(lines), "see the cells' own tests"


def why_not(client):
    why = [f"{client.name}: active: {reason}" for reason in
           ["has no active mode"] if "active" not in client.modes]
    why += [f"{client.name}: {mode} {family}: {reason}"
            for (mode, family), reason in client.no_cell.items()]
    why += [f"{client.name}: {action}: {reason}"
            for action, reason in client.lacks.items()]
    why += [f"{client.name}: {action}: {reason}"
            for action, (reason, _) in client.fails.items()]
    why += [f"{client.name}: name {name.decode(errors='backslashreplace')}: {reason}"
            for name, reason in client.names_fail.items()]
    return why
