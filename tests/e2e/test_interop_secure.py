# tests/e2e/test_interop_secure.py: real clients within TLS, and what they store.
# SPDX-License-Identifier: Apache-2.0
"""The same clients as in test_interop.py, with what the plain matrix has not:
within TLS 1.2 and 1.3, explicit and implicit, everybody's archive; and by an
account, in clear and within TLS, all that a client can change.  One server
does both.  The clients verify its certificate where they can be told to.

`script/test interop` runs every cell; all tests together run some of them,
since they are about the server's ways, and each way is in those.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from clients import CLIENTS, TLS_ACTIONS, UPLOADERS, UPLOADS, Job, installed
from conftest import (ENVIRONMENT, IS_ROOT, SANITIZED, BUILD, Server,
                      free_port, open_to_others, steady_bytes)
import test_interop as plain
from test_interop import (BIG, LINES, PART, TEXT, expect, make_stock, same,
                          tree_of)

EVERY_CELL = os.environ.get("PORTCULLIS_INTEROP") == "all"
ACCOUNT = ("writer", "correct-horse")
NEW = steady_bytes(70_001, 21)
MANY = {f"file-{i:03}.nc": steady_bytes(i * 37, i) for i in range(60)}
DATE = b"20200102030405"
DATE_S = 1577934245


# ---- cells

class Cell:
    """What a client does in one mode and one way: "clear", "1.2", "1.3", or
    within TLS from the first byte on."""

    def __init__(self, does, client, mode, way):
        self.does, self.client, self.mode, self.way = does, client, mode, way
        self.name = f"{does}-{client.name}-{mode}-{way}"
        self.version = None if way == "clear" else way[-3:]
        self.tls = None if way == "clear" else \
            "implicit" if way.startswith("implicit") else "explicit"

    def why_never(self):
        return self.client.tls_no_cell.get(
            (self.mode, self.tls, self.version))


WAYS = ("1.2", "1.3", "implicit-1.3")


def cells():
    for client in CLIENTS:
        for mode in client.modes:
            yield from (Cell("fetch", client, mode, way) for way in WAYS
                        if ("implicit" if "i" in way else "explicit")
                        in client.tls and way[-3:] in client.tls_versions)
    for client in UPLOADERS:
        for mode in client.modes:
            yield Cell("store", client, mode, "clear")
            if "explicit" in client.tls:
                yield from (Cell("store", client, mode, version)
                            for version in client.tls_versions)


ALL = {cell.name: cell for cell in cells()}
SOME = {"fetch-curl-passive-1.3", "fetch-wget-active-1.2",
        "fetch-lftp-active-1.3", "fetch-rclone-passive-implicit-1.3",
        "fetch-php-active-1.2", "fetch-net_ftp-passive-implicit-1.3",
        "store-lftp-passive-1.3", "store-curl-passive-1.3", "store-ruby-passive-1.3",
        "store-inetutils-active-clear", "store-rclone-passive-1.3",
        "store-ftplib-passive-1.3", "store-net_ftp-active-1.2",
        "store-php-active-1.3", "store-ncftp-passive-clear"}
FEWER = {"fetch-lftp-active-1.3", "store-lftp-passive-1.3",
         "store-inetutils-active-clear"}
CELLS = [cell for name, cell in ALL.items() if
         EVERY_CELL or name in (FEWER if SANITIZED else SOME)]


# ---- what an account's client changes

def mine(path):
    """Made by the server's user, as what was uploaded before."""
    if IS_ROOT:
        shutil.chown(path, "portcullis-worker", "portcullis-worker")


def there(j, name, data):
    path = j.home / name
    path.write_bytes(data)
    mine(path)
    return path


def here(j, name, data):
    path = j.folder / name
    path.write_bytes(data)
    return path


def succeeded(cell, done):
    expect(done.returncode == 0, done, "failed")


def do_put(cell, j):
    done = cell.client.put(j, [(here(j, "large.nc", BIG), b"put.nc")])
    succeeded(cell, done)
    same(j.home / "put.nc", BIG, done)


def do_over(cell, j):
    there(j, "over.nc", BIG[:200_000])
    done = cell.client.put(j, [(here(j, "new.nc", NEW), b"over.nc")])
    succeeded(cell, done)
    same(j.home / "over.nc", NEW, done)


def do_append(cell, j):
    there(j, "resumed.nc", BIG[:PART])
    j.there = PART
    done = cell.client.put(j, [(here(j, "resumed.nc", BIG), b"resumed.nc")],
                           resume=True)
    succeeded(cell, done)
    same(j.home / "resumed.nc", BIG, done)


def do_nothing(cell, j):
    done = cell.client.put(j, [(here(j, "zero", b""), b"zero")])
    succeeded(cell, done)
    same(j.home / "zero", b"", done)


def do_text(cell, j):
    done = cell.client.put(j, [(here(j, "lines", LINES), b"lines.txt")],
                           ascii=True)
    succeeded(cell, done)
    same(j.home / "lines.txt", LINES, done)


def do_many(cell, j):
    (j.home / "many").mkdir()
    mine(j.home / "many")
    (j.folder / "many").mkdir()
    for name, data in MANY.items():
        (j.folder / "many" / name).write_bytes(data)
    done = cell.client.put(j, [(j.folder / "many" / name,
                                b"many/" + name.encode()) for name in MANY])
    succeeded(cell, done)
    got = tree_of(j.home / "many")
    expect(got == MANY, done, f"{got.keys() ^ MANY.keys()} differ")


def do_grow(cell, j):
    local = j.folder / "grown"
    (local / "sub" / "deep").mkdir(parents=True)
    (local / "empty dir").mkdir()
    (local / "README").write_bytes(TEXT)
    (local / "a name with blanks").write_bytes(NEW)
    (local / "zero").write_bytes(b"")
    (local / "sub" / "deep" / "été.nc").write_bytes(NEW)
    done = cell.client.put_tree(j, local, b"grown")
    succeeded(cell, done)
    want, got = tree_of(local), tree_of(j.home / "grown")
    for name in cell.client.grown_lacks:
        del want[name]
    expect(got == want, done, f"{got.keys() ^ want.keys()} differ")


def do_make(cell, j):
    done = cell.client.make(j, b"made")
    succeeded(cell, done)
    expect((j.home / "made").is_dir(), done, "no directory")


def do_move(cell, j):
    there(j, "before", TEXT)
    done = cell.client.move(j, b"before", b"after")
    succeeded(cell, done)
    same(j.home / "after", TEXT, done)
    expect(not (j.home / "before").exists(), done, "the old name is there")


def do_drop(cell, j):
    there(j, "unwanted", TEXT)
    done = cell.client.drop(j, b"unwanted")
    succeeded(cell, done)
    expect(not (j.home / "unwanted").exists(), done, "it is there")


def do_date(cell, j):
    path, file = there(j, "dated", b"old"), here(j, "dated", TEXT)
    os.utime(file, (DATE_S, DATE_S))
    done = cell.client.date(j, file, b"dated", DATE)
    succeeded(cell, done)
    expect(path.stat().st_mtime == DATE_S, done,
           f"its time is {path.stat().st_mtime}")


def do_back(cell, j):
    there(j, "wanted", NEW)
    out = j.folder / "wanted"
    done = cell.client.fetch(j, [(b"wanted", out)])
    succeeded(cell, done)
    same(out, NEW, done)


def do_look(cell, j):
    (j.home / "shelf").mkdir()
    there(j, "shelf/a book", TEXT)
    done = cell.client.list(j, b"shelf")
    succeeded(cell, done)
    expect(b"a book" in done.stdout, done, "it is not listed")


def actions_of(cell):
    """{action: its letter}, those that it has."""
    client = cell.client
    if cell.does == "store":
        absent, every = client.cannot, UPLOADS
    else:
        absent = client.lacks | client.tls_lacks
        every = TLS_ACTIONS
    return {a: letter for a, letter in every.items() if a not in absent}


def job_of(server, cell, folder):
    j = Job(server, cell.name,
            cell.mode == "active", False, folder, cell.tls, cell.version,
            server.authority, ACCOUNT if cell.does == "store" else None)
    if cell.tls == "implicit":
        j.scheme = "ftps"
    elif cell.tls:
        j.scheme = cell.client.tls_scheme
    j.patience = 60	# curl takes its time with many files
    j.stock = server.stock
    j.home = server.home / cell.name
    return j


def do_cell(server, cell, folder):
    """{action: None, or what went wrong}"""
    if not installed(cell.client):
        return dict.fromkeys(actions_of(cell), "not installed")
    folder.mkdir()
    j = job_of(server, cell, folder)
    result = {}
    where = globals() if cell.does == "store" else vars(plain)
    actions = list(actions_of(cell))
    if cell.why_never():
        j.patience = 5
        del actions[1:]
    for action in actions:
        try:
            where["do_" + action](cell, j)
            result[action] = None
        except subprocess.TimeoutExpired as wrong:
            result[action] = f"{wrong}: {wrong.stdout}"
            break	# the next ones would be waited for as well
        except Exception as wrong:
            result[action] = f"{type(wrong).__name__}: {wrong}"
    shutil.rmtree(folder, ignore_errors=True)
    return result


# ---- the server

def make_authority(home):
    """(authority's file, certificate and key in one file) for 127.0.0.1."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, cwd=home,
                       capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=Authority", "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", "server.key", "-out", "server.crt")
    both = home / "both.pem"
    both.write_text((home / "server.key").read_text() +
                    (home / "server.crt").read_text())
    both.chmod(0o600)
    return str(home / "ca.crt"), both


@pytest.fixture(scope="module")
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def server(place):
    root, homes = place / "archive", place / "homes"
    root.mkdir()
    stock = make_stock(root)
    open_to_others(root)
    home = homes / ACCOUNT[0]
    home.mkdir(parents=True)
    for cell in CELLS:
        if cell.does == "fetch":
            (root / cell.name).symlink_to("stock")
        else:
            (home / cell.name).mkdir()
    for path in [homes, *homes.rglob("*")]:
        mine(path)
    subprocess.run([BUILD / "portcullis", "passwd", "-f", place / "accounts",
                    "add", ACCOUNT[0], "--stdin", "--cost", "1", "-r",
                    "lrwodnm", "-o", "tls=optional"], check=True,
                   input=ACCOUNT[1].encode(), env=ENVIRONMENT)
    pki = place / "pki"
    pki.mkdir()
    authority, both = make_authority(pki)
    implicit = free_port()
    one = Server(place, root, {
        "tls.certificate": both, "tls.listen": f"127.0.0.1:{implicit}",
        "accounts.file": place / "accounts", "accounts.root": homes,
        "accounts.tls": "optional",
        "events.commands": "all", "sessions.per_address": 1000})
    one.implicit, one.authority = implicit, authority
    one.stock, one.home, one.known = stock, home, (0, {})
    yield one
    assert one.stop() == 0, one.stderr


@pytest.fixture(scope="module")
def results(request, server, place):
    asked = dict.fromkeys(
        item.callspec.params["cell"] for item in request.session.items
        if hasattr(item, "callspec") and item.module is request.module)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        yield {cell.name: pool.submit(do_cell, server, cell,
                                      place / cell.name) for cell in asked}


def transfers(server, name):
    """Of a cell, each with the version of TLS that its session has."""
    size = server.events_file.stat().st_size
    if server.known[0] != size:
        server.known = size, all_transfers(server)
    return server.known[1].get(name, [])


def all_transfers(server):
    events = server.events(seconds=0)
    versions = {e["flow_id"]: e["ftp"]["tls"]["version"] for e in events
                if e["event_type"] == "ftp" and e["ftp"]["action"] == "tls"}
    found = collections.defaultdict(list)
    for e in events:
        if e["event_type"] == "ftp_data":
            found[e["ftp_data"]["filename"].split("/")[1]].append(
                e["ftp_data"] | {"version": versions.get(e["flow_id"])})
    return found


@pytest.mark.parametrize(
    "cell", [pytest.param(cell, id=cell.name) for cell in CELLS])
def test_a_client_does_what_it_can_within_tls_and_stores(
        server, results, cell):
    result = results[cell.name].result(300)
    wrong = {action: text for action, text in result.items() if text}
    if cell.why_never():
        assert wrong, "it works now: take it out of clients.py"
        return
    known = cell.client.missteps if cell.does == "store" else \
        cell.client.fails | cell.client.tls_fails
    for action, (reason, seen) in known.items():
        if action in result:
            assert action in wrong, f"{action} works now ({reason})"
            assert re.search(seen, wrong[action]), wrong
    wrong = {a: w for a, w in wrong.items() if a not in known}
    assert not wrong, "\n".join(f"{a}: {w}" for a, w in wrong.items())
    made = transfers(server, cell.name)
    assert {t["mode"] for t in made} == {cell.mode}
    assert {t["tls"] for t in made} == {bool(cell.tls)}
    assert {t["version"] for t in made} == {
        f"TLSv{cell.version}" if cell.tls else None}


@pytest.mark.parametrize("cell", [
    pytest.param(cell, id=cell.name) for cell in CELLS if not cell.why_never()
    and ("append" if cell.does == "store" else "resume") in actions_of(cell)
    and "put" not in cell.client.missteps])
def test_a_client_goes_on_where_it_was(server, results, cell):
    """... and does not send, or fetch, all of it again."""
    results[cell.name].result(300)
    name = "resumed.nc" if cell.does == "store" else "large.nc"
    at = {t["offset"] for t in transfers(server, cell.name)
          if t["filename"].endswith("/" + name)}
    least = PART // 1024 * 1024 if cell.client.name == "wput" else PART
    assert any(least <= offset <= PART for offset in at), at


# ---- the matrix

FETCH = [(mode, way) for mode in ("passive", "active") for way in WAYS]
STORE = [(mode, way) for mode in ("passive", "active")
         for way in ("clear", "1.2", "1.3")]
LEGEND = {
    "fetch": [
        "Anonymous, within TLS: explicit of 1.2 and 1.3, and implicit.",
        "g get  r resume  l list  t tree  c closes early  e empty  b big"],
    "store": [
        "With an account, in clear and within TLS (explicit):",
        "p put            o over an old file   r resume   e empty   a TYPE A",
        "f sixty files    t tree               d mkdir    n rename  x delete",
        "s sets the time  g get it back        l list"]}


def letters(cell, result):
    client = cell.client
    known = client.missteps if cell.does == "store" else \
        client.fails | client.tls_fails
    every = UPLOADS if cell.does == "store" else TLS_ACTIONS
    has = actions_of(cell)
    return "".join(
        "-" if action not in has or action in known else
        letter if action in result and not result[action] else "X"
        for action, letter in every.items())


def row_of(does, client, columns, seen):
    row = []
    for mode, way in columns:
        name = f"{does}-{client.name}-{mode}-{way}"
        cell = ALL.get(name)
        row.append("-" if not cell or cell.why_never() else
                   letters(cell, seen[name]) if name in seen else "(not run)")
    return row


def resumes(server, client):
    """Whether its data connections resume the control connection's session."""
    found = {t["tls_resumed"] for name in ALL
             if name.split("-")[1] == client.name
             for t in transfers(server, name) if t["tls"]}
    return "yes" if True in found else "no" if found else "-"


def why_not(does, client):
    if does == "store":
        absent = client.cannot
        wrong = client.missteps
    else:
        absent, wrong = client.tls_lacks, client.tls_fails
    yield from (f"{client.name}: {a}: {reason}" for a, reason in absent.items())
    if does == "store":
        yield from (f"{client.name}: grow: leaves out {name}"
                    for name in client.grown_lacks)
    yield from (f"{client.name}: {a}: {reason}"
                for a, (reason, _) in wrong.items())
    if does == "fetch":
        yield from (f"{client.name}: {mode} {way} {version}: {reason}" for
                    (mode, way, version), reason in client.tls_no_cell.items())


def test_the_interop_matrix_of_tls_and_uploads(server, results, capsys):
    """Printed for people."""
    seen = {name: future.result(300) for name, future in results.items()}
    lines = []
    for does, columns, clients in (("fetch", FETCH, CLIENTS),
                                   ("store", STORE, UPLOADERS)):
        width = 14
        lines += ["", *LEGEND[does], "", " " * 11 + " ".join(
            f"{m} {w.removesuffix('-1.3')}".ljust(width)
            for m, w in columns) + " data resumed"]
        why = [f"{c.name}: no TLS: {c.tls_without}" for c in clients
               if c.tls_without and does == "fetch"]
        why += [f"{c.name}: no uploads: {c.uploads}" for c in CLIENTS
                if c.uploads and does == "store"]
        for client in clients:
            row = row_of(does, client, columns, seen)
            if set(row) != {"-"}:
                lines.append(f"{client.name:11}" + " ".join(
                    c.ljust(width) for c in row) +
                    f" {resumes(server, client)}")
            why += why_not(does, client)
        lines += ["", *why]
    with capsys.disabled():
        print("\n".join(lines))
    assert not [line for line in lines if re.search(r"[a-z-]*X[a-zX-]* ", line)
                and line.split()[0] in {c.name for c in UPLOADERS + CLIENTS}]
