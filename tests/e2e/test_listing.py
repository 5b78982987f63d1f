# tests/e2e/test_listing.py: LIST and NLST as users of ls expect them.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from conftest import Server, needs_root, open_to_others

# Thousands of files are made: not on a disk, where there is a choice.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
SORT_MAX = 4096                 # storage/storage.h STORAGE_SORT_MAX
NAMES_MAX = 1 << 20             # worker/descent.h DESCENT_NAMES_MAX
LIST_LINE = re.compile(r"([-dl])\S{9} +\d+ ftp +ftp +\d+ "
                       r"[A-Z][a-z]{2} \d{2} (?: \d{4}|\d{2}:\d{2}) (.+)")


def make_tree(root):
    """name: (size, mtime)."""
    for path, size, mtime in (
            ("a/one", 30, 3000), ("a/two", 10, 1000), ("a/.dot", 1, 500),
            ("a/three", 20, 2000), ("a/.hid/in", 1, 1), ("a/sub/x", 1, 1),
            ("a/sub/deep/y", 1, 1), ("a/prog", 0, 4000), ("b/z", 1, 1),
            ("b/-dash", 2, 1), ("b/-la", 3, 1), ("top", 1, 1)):
        path = root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (mtime, mtime))
    (root / "a/to-sub").symlink_to("sub")
    (root / "a/to-one").symlink_to("one")
    (root / "b/up").symlink_to("../a")


@pytest.fixture(scope="module")
def site():
    """A tree that no test changes, and another for those that do."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-",
                                          dir=MEMORY))
    place.chmod(0o755)
    root = place / "archive"
    (root / "tree").mkdir(parents=True)
    make_tree(root / "tree")
    open_to_others(place)
    (root / "tree/a/prog").chmod(0o755)
    server = Server(place, root, {"abuse.refusals": 1000})
    server.root = root
    yield server
    status = server.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert status == 0


@pytest.fixture
def scratch(site):
    path = site.root / "scratch"
    path.mkdir()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


# A listing of these does not fit into the sockets between the two ends.
MANY = 30000
LONG = "{:06}-" + "n" * 220


def fill(directory, count, name):
    """Entries in a moment: all are one file."""
    (directory / name.format(0)).touch(0o644)
    for i in range(1, count):
        os.link(directory / name.format(0), directory / name.format(i))
    return {name.format(i) for i in range(count)}


def lines_of(body):
    text = body.decode("utf-8", "surrogateescape")
    assert text == "" or text.endswith("\r\n")
    return text.split("\r\n")[:-1]


def names(control, command):
    """What it lists, one form or the other, links without their targets."""
    found = []
    for line in lines_of(control.fetch(command)):
        match = LIST_LINE.fullmatch(line)
        found.append(match[2].split(" -> ")[0] if match else line)
    return found


def refused(control, command):
    """The reply to a command that gets no data connection used."""
    port = control.epsv()
    with socket.create_connection((control.peer[0], port), timeout=10) as data:
        reply = control.cmd(command)
        with contextlib.suppress(ConnectionResetError):
            assert data.recv(1) == b""
    return reply


def cut(control, command):
    """(what came, the last reply) of a transfer that may fail."""
    with control.data() as data:
        first = control.cmd(command)
        assert first.code == 150, first
        body = b"".join(iter(lambda: data.recv(1 << 16), b""))
    return body, control.read()


@contextlib.contextmanager
def stalled(control, command):
    """A transfer that has begun, and cannot end before it is read."""
    with socket.socket() as data:
        data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        data.settimeout(20)
        data.connect((control.peer[0], control.epsv()))
        assert control.cmd(command).code == 150
        yield data


def drain(data):
    return b"".join(iter(lambda: data.recv(1 << 16), b""))


SHOWN = ["one", "prog", "sub", "three", "to-one", "to-sub", "two"]
DOTS = [".dot", ".hid"]


def test_dot_files_are_shown_with_a(site):
    with site.login() as c:
        for verb in ("LIST", "NLST"):
            for options in ("", "-l ", "-1 ", "-L -C ", "-- "):
                assert names(c, f"{verb} {options}tree/a") == SHOWN, options
            for options in ("-a", "-A", "-la", "-al -F", "-aL", "-1 -A --"):
                got = names(c, f"{verb} {options} tree/a")
                got = [name.rstrip("/@*") for name in got]
                assert got == DOTS + SHOWN, options
            # Asked for by name, or by a pattern with its dot.
            assert names(c, f"{verb} tree/a/.dot")[0].endswith(".dot")
            assert [n.split("/")[-1] for n in
                    names(c, f"{verb} tree/a/.*")] == DOTS
            assert names(c, f"{verb} tree/a/.hid") == ["in"]
        mlsd = lines_of(c.fetch("MLSD tree/a"))
        assert [line.split(" ", 1)[1] for line in mlsd] == DOTS + SHOWN
        assert c.cmd("CWD tree/a").code == 250
        assert names(c, "LIST -a") == DOTS + SHOWN


def test_order(site):
    by_time = ["three", "two"]          # of the files with a time of ours
    with site.login() as c:
        for verb in ("LIST", "NLST"):
            def ours(options):
                return [n for n in names(c, f"{verb} {options} tree/a")
                        if n in ("one", "two", "three", "prog")]
            assert ours("-t") == ["prog", "one", "three", "two"]
            assert ours("-tr") == ours("-rt") == ["two", "three", "one",
                                                  "prog"]
            assert ours("-r") == ["two", "three", "prog", "one"]
            assert ours("-S") == ["one", "three", "two", "prog"]
            assert ours("-r -S") == ["prog", "two", "three", "one"]
            assert ours("-tS") == ours("-S") and ours("-S -t") == ours("-t")
            assert names(c, f"{verb} -t tree/a/t[wh]*") == [
                ("tree/a/" if verb == "NLST" else "") + n for n in by_time]
        assert names(c, "LIST -lat tree/a")[:1] != DOTS[:1]
        assert sorted(names(c, "LIST -lat tree/a")) == sorted(DOTS + SHOWN)


def test_forms_of_options(site):
    with site.login() as c:
        assert LIST_LINE.fullmatch(lines_of(c.fetch("NLST -l tree/a"))[0])
        assert names(c, "LIST -l   tree/a") == SHOWN
        assert names(c, "LIST -zQ9 --what tree/a") == SHOWN
        assert c.cmd("CWD tree/b").code == 250
        assert names(c, "NLST") == ["-dash", "-la", "up", "z"]
        assert names(c, "NLST ./-la") == names(c, "NLST -- -la") == ["-la"]
        assert names(c, "NLST -l -- -dash") == ["-dash"]
        assert names(c, "LIST -la") == ["-dash", "-la", "up", "z"]
        assert refused(c, "LIST -").code == 550     # a name
        assert refused(c, "MLSD -a").code == 550    # RFC 3659: a name
        assert c.fetch("RETR -la") == b"xxx"


def test_marks_and_the_directory_itself(site):
    with site.login() as c:
        assert names(c, "NLST -F tree/a") == [
            "one", "prog*", "sub/", "three", "to-one@", "to-sub@", "two"]
        assert names(c, "NLST -F tree/*") == ["tree/a/", "tree/b/",
                                              "tree/top"]
        line, = lines_of(c.fetch("LIST -d tree/a"))
        assert line.startswith("d") and line.endswith(" a")
        assert names(c, "NLST -d tree/a") == ["tree/a"]
        assert names(c, "NLST -d tree/t*") == ["tree/top"]
        assert names(c, "NLST -d /") == names(c, "LIST -d") == ["/"]
        assert c.cmd("CWD tree/a").code == 250
        assert names(c, "LIST -ld") == ["a"]
        assert refused(c, "LIST -d gone").code == 550


def test_nlst_of_a_pattern_gives_paths_that_can_be_fetched(site):
    with site.login() as c:
        assert names(c, "NLST tree/a/t*") == [
            "tree/a/three", "tree/a/to-one", "tree/a/to-sub", "tree/a/two"]
        assert names(c, "NLST /tree/a/tw?") == ["/tree/a/two"]
        assert names(c, "LIST tree/a/tw?") == ["two"]
        assert names(c, "NLST tree/a/two") == ["tree/a/two"]
        assert names(c, "NLST to*") == [] and names(c, "NLST t*") == ["tree"]
        assert refused(c, "NLST */two").code == 550     # the last alone
        assert c.cmd("CWD tree/a").code == 250
        assert names(c, "NLST t*o") == names(c, "NLST ./t*o") == ["two"]
        assert names(c, "NLST sub/*") == ["sub/deep", "sub/x"]
        # What is above is told from the root; nothing leads up.
        assert names(c, "NLST ../b/z*") == ["/tree/b/z"]
        assert names(c, "NLST ../a/tw*") == ["two"]
        for name in names(c, "NLST ../b/?dash"):
            assert c.fetch(f"RETR {name}") == b"xx"


def test_f15_a_listing_says_nothing_that_the_client_made_up(site):
    evil = "HELO me/../MAIL FROM:<a@b>/.."
    with site.login() as c:
        for command in (f"NLST {evil}/tree/to*", f"NLST -R {evil}/tree/b",
                        f"LIST -R {evil}/tree/a", f"NLST {evil}/tree/top",
                        f"NLST -d {evil}/tree/b"):
            body = c.fetch(command)
            assert b"HELO" not in body and b"MAIL" not in body, command
            assert b".." not in body.replace(b"-> ../a", b""), command
        assert names(c, f"NLST {evil}/tree/to*") == ["tree/top"]


def test_a_directory_too_large_to_sort_is_refused(site, scratch):
    fill(scratch, SORT_MAX, "{}")
    with site.login() as c:
        got = names(c, "NLST -r scratch")
        assert got == sorted(got, reverse=True) and len(got) == SORT_MAX
        assert len(names(c, "LIST -t scratch")) == SORT_MAX
        (scratch / "one more").touch(0o644)
        for command in ("LIST -t scratch", "NLST -r scratch",
                        "LIST -S scratch", "LIST -t scratch/1*",
                        "LIST -Rt scratch"):
            reply = refused(c, command)
            assert reply.code == 450 and "sort" in reply, reply
        assert len(names(c, "LIST -la scratch")) == SORT_MAX + 1
        # In the midst of -R it is found out late.
        body, last = cut(c, "LIST -Rt")
        assert last.code == 451 and "sort" in last
        assert b"tree" in body


# ---- -R

RECURSIVE = ["tree/a", "tree/b", "tree/top",
             *(f"tree/a/{name}" for name in SHOWN),
             "tree/a/sub/deep", "tree/a/sub/x", "tree/a/sub/deep/y",
             *(f"tree/b/{name}" for name in ("-dash", "-la", "up", "z"))]


def headings(control, command):
    """{directory: its names} of LIST -R, in order; "" is the first."""
    found, here = {"": []}, ""
    lines = iter(lines_of(control.fetch(command)))
    for line in lines:
        if line == "":
            here = next(lines)
            assert here.endswith(":") and here[:-1] not in found
            here = here[:-1]
            found[here] = []
        else:
            found[here].append(LIST_LINE.fullmatch(line)[2].split(" -> ")[0])
    return found


def test_d15_recursive_listing(site):
    with site.login() as c:
        got = headings(c, "LIST -R tree")
        assert list(got) == ["", "tree/a", "tree/a/sub", "tree/a/sub/deep",
                             "tree/b"]
        assert got[""] == ["a", "b", "top"] and got["tree/a"] == SHOWN
        assert got["tree/a/sub/deep"] == ["y"]
        assert names(c, "NLST -R tree") == RECURSIVE
        for path in RECURSIVE:
            assert c.cmd(f"MLST {path}").code == 250
        assert list(headings(c, "LIST -alR /tree/a")) == [
            "", "/tree/a/.hid", "/tree/a/sub", "/tree/a/sub/deep"]
        assert c.cmd("CWD tree").code == 250
        got = headings(c, "LIST -lR")
        assert list(got) == ["", "./a", "./a/sub", "./a/sub/deep", "./b"]
        assert list(headings(c, "NLST -rlR")) == [
            "", "./b", "./a", "./a/sub", "./a/sub/deep"]
        assert names(c, "NLST -RF b") == ["b/-dash", "b/-la", "b/up@", "b/z"]
        assert names(c, "NLST -R top") == ["top"]
        assert names(c, "NLST -R b") == [f"b/{n}" for n in
                                         ("-dash", "-la", "up", "z")]
        assert refused(c, "LIST -R a/s*").code == 504
        assert refused(c, "LIST -R gone").code == 550


@needs_root
def test_d15_recursion_passes_over_what_cannot_be_read(site, scratch):
    for name in ("closed", "open"):
        (scratch / name).mkdir()
        (scratch / name / "in").touch(0o644)
    (scratch / "open").chmod(0o755)
    (scratch / "closed").chmod(0o700)
    (scratch / "link").symlink_to("../tree")
    with site.login() as c:
        assert names(c, "NLST -R scratch") == [
            "scratch/closed", "scratch/link", "scratch/open",
            "scratch/open/in"]
        assert list(headings(c, "LIST -R scratch")) == ["", "scratch/open"]
        assert refused(c, "LIST scratch/closed").code == 550


def test_d15_recursion_has_a_budget(serve, archive):
    for i in range(9):
        (archive / "tree" / f"d{i}").mkdir(parents=True)
        for j in range(9):
            (archive / "tree" / f"d{i}" / f"f{j}").touch(0o644)
    (archive / "deep/1/2/3").mkdir(parents=True)
    open_to_others(archive)
    server = serve({"list.recursive": 90, "list.depth": 3})
    with server.login() as c:
        assert len(names(c, "NLST -R tree")) == 90
        (archive / "tree" / "one more").touch(0o644)
        for command in ("NLST -R tree", "LIST -lR tree"):
            body, last = cut(c, command)
            assert last.code == 451
            assert "90 entries" in last and "MLSD" in last
            listed = [line for line in lines_of(body)
                      if line and not line.endswith(":")]
            assert len(listed) == 90
        # Others are not limited by it.
        assert len(names(c, "LIST tree")) == 10
        assert names(c, "NLST -R deep")[-1] == "deep/1/2/3"
        (archive / "deep/1/2/3/4").mkdir()
        body, last = cut(c, "NLST -R deep")
        assert last.code == 451 and "3 directories deep" in last
        assert lines_of(body)[-1] == "deep/1/2/3/4"
        result = server.events("ftp_data", want=6)[-1]["ftp_data"]
        assert result["result"] == "over_limit"
        assert result["completion_code"] == ["451"]
        # Loops of links are no trees.
        (archive / "tree" / "loop").symlink_to(".")
        assert c.fetch("NLST -R pub").count(b"\r\n") == 14
    server.write_conf({**server.settings, "list.recursive": 0})
    server.process.send_signal(1)
    server.wait_for("reloaded")
    with server.login() as c:
        assert refused(c, "LIST -R pub").code == 504
        assert refused(c, "NLST -alR").code == 504
        assert c.fetch("LIST -la pub")


def test_d15_recursion_keeps_no_more_names_than_it_may(site, scratch):
    long = "d" * 250
    for i in range(NAMES_MAX // 256 + 1):
        (scratch / f"{i:05}{long}").mkdir()
    with site.login() as c:
        body, last = cut(c, "NLST -R scratch")
        assert last.code == 451 and "Too many directories" in last
        assert body.count(b"\r\n") == NAMES_MAX // 256 + 1
        for path in list(scratch.iterdir())[:2]:
            path.rmdir()
        assert c.fetch("NLST -R scratch").count(b"\r\n") == \
            NAMES_MAX // 256 - 1


# ---- what changes meanwhile

@pytest.mark.parametrize("command", ["LIST", "NLST", "MLSD"])
def test_names_that_stay_are_listed_while_others_change(site, scratch,
                                                        command):
    before = fill(scratch, MANY, LONG)
    gone = set(sorted(before)[::7])
    with site.login() as c:
        with stalled(c, f"{command} scratch") as data:
            body = data.recv(1)
            for i, name in enumerate(sorted(gone)):
                if i % 2:
                    (scratch / name).rename(scratch / f"new-{name}")
                else:
                    (scratch / name).unlink()
            body += drain(data)
        assert c.read().code == 226
    got = [line.split(" ")[-1] for line in lines_of(body)]
    assert len(got) == len(set(got))
    assert before - gone <= set(got)


def test_a_directory_that_vanishes_is_no_226(site, scratch):
    inner = scratch / "inner"
    inner.mkdir()
    inner.chmod(0o755)
    fill(inner, MANY, LONG)
    with site.login() as c:
        with stalled(c, "NLST scratch/inner") as data:
            data.recv(1)
            shutil.rmtree(inner)
            drain(data)
        assert c.read().code == 451
        assert refused(c, "LIST scratch/inner").code == 550


def test_f04_a_listing_that_nobody_reads_is_426(serve, archive):
    (archive / "many").mkdir()
    (archive / "many").chmod(0o755)
    fill(archive / "many", MANY, LONG)
    server = serve({"data.timeout": 1})
    with server.login() as c:
        with stalled(c, "LIST -a many"):
            assert c.read().code == 426
        assert c.cmd("NOOP").code == 200
    event, = server.events("ftp_data")
    assert event["ftp_data"]["result"] == "stalled"


# ---- clients

def tree_of(root, follow=False):
    return {os.path.relpath(os.path.join(base, name), root)
            for base, _, names in os.walk(root, followlinks=follow)
            for name in names
            if follow or not os.path.islink(os.path.join(base, name))}


@pytest.mark.skipif(not shutil.which("wget"), reason="no wget")
def test_wget_takes_dot_files_too_and_ends(site, place):
    subprocess.run(["wget", "-q", "-r", "-nH", "-P", place / "got",
                    site.url("tree/a/")], check=True, timeout=60)
    assert tree_of(place / "got/tree/a") >= {"one", ".dot", ".hid/in",
                                             "sub/deep/y"}


@pytest.mark.skipif(not shutil.which("ncftpget"), reason="no ncftpget")
def test_ncftpget_takes_the_whole_tree(site, place):
    """It asks for LIST -lRa."""
    subprocess.run(["ncftpget", "-V", "-R", "-P", str(site.port), site.host,
                    place, "/tree/a"], check=True, timeout=60)
    assert tree_of(place / "a") >= {"one", "two", "sub/x", "sub/deep/y"}


@pytest.mark.skipif(not shutil.which("lftp"), reason="no lftp")
def test_lftp_mirrors_by_list_as_by_mlsd(site, place):
    for how, setting in (("mlsd", "set ftp:use-mlsd yes"),
                         ("list", "set ftp:use-mlsd no; "
                          "set ftp:list-options -a")):
        subprocess.run(["lftp", "-c", f"{setting}; open {site.url()}; "
                        f"mirror tree {place}/{how}"], check=True, timeout=60)
        assert tree_of(place / how, True) == tree_of(site.root / "tree", True)
    # LIST tells what a link is, MLSD what it leads to.
    assert (place / "list/a/to-sub").is_symlink()
    assert not (place / "mlsd/a/to-sub").is_symlink()


# ---- MLSD and links

def facts_of(control, path):
    """name: its facts, as MLSD has them."""
    found = {}
    for line in lines_of(control.fetch(f"MLSD {path}")):
        facts, name = line.split(" ", 1)
        found[name] = dict(fact.split("=", 1)
                           for fact in facts.rstrip(";").split(";"))
    return found


def walk(control, path):
    """Every path that a mirror makes, which enters each type=dir."""
    found = []
    for name, facts in facts_of(control, path).items():
        below = f"{path}/{name}"
        found.append(below)
        assert len(found) < 100, found
        if facts["type"] == "dir":
            found += walk(control, below)
    return found


def test_mlsd_tells_what_a_link_leads_to(site, scratch):
    (scratch / "file").symlink_to("../tree/a/one")
    (scratch / "folder").symlink_to("../tree/a/sub")
    (scratch / "again").symlink_to("file")
    (scratch / "outside").symlink_to("../../up")
    (scratch / "gone").symlink_to("nothing")
    os.mkfifo(scratch / "fifo")
    (scratch / "to-fifo").symlink_to("fifo")
    with site.login() as c:
        got = facts_of(c, "scratch")
        assert set(got) == {"file", "folder", "again", "fifo", "to-fifo"}
        one = facts_of(c, "tree/a")["one"]
        assert one["type"] == "file" and one["size"] == "30" and \
            one["modify"] == "19700101005000" and one["perm"] == "r"
        assert got["file"] == got["again"] == one
        assert got["folder"] == facts_of(c, "tree/a")["sub"]
        assert got["folder"]["type"] == "dir" and \
            got["folder"]["perm"] == "el"
        assert got["to-fifo"]["type"] == "OS.unix=special"
        # MLST has always followed.
        reply = c.cmd("MLST scratch/file")
        assert f"unique={one['unique']}; /scratch/file" in str(reply)
        # LIST shows links.
        lines = lines_of(c.fetch("LIST scratch"))
        assert any(line.startswith("l") and
                   line.endswith(" file -> ../tree/a/one") for line in lines)


def test_d15_a_walk_by_mlsd_does_not_go_in_circles(serve, archive):
    """Links up, to themselves, to each other, and through what is hidden."""
    tree = archive / "tree"
    for name in ("a", "b", ".r1"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").touch()
    for name, target in {"self": ".", "a/up": "..", "a/to-b": "../b",
                         "b/to-a": "../a", "current": ".r1",
                         ".r1/round": "../.r1", "a/root": "../.."}.items():
        (tree / name).symlink_to(target)
    (archive / "short").symlink_to("tree/a")
    open_to_others(archive)
    server = serve({"hide": ".r*"})
    with server.login() as c:
        assert facts_of(c, "tree")["self"]["type"] == "OS.unix=slink:."
        assert facts_of(c, "tree/a")["up"]["type"] == "OS.unix=slink:.."
        assert facts_of(c, "tree/a")["to-b"]["type"] == "dir"
        assert facts_of(c, "tree/a/to-b")["to-a"]["type"] == \
            "OS.unix=slink:../a"
        # What is hidden is not told by a circle, either.
        assert facts_of(c, "tree/current")["round"]["type"] == \
            "OS.unix=slink:"
        assert any(line.startswith("l") and line.endswith(" round")
                   for line in lines_of(c.fetch("LIST tree/current")))
        assert sorted(walk(c, "tree")) == sorted(
            "tree/" + name for name in (
                "self", "a", "a/file", "a/up", "a/root", "a/to-b",
                "a/to-b/file", "a/to-b/to-a", "b", "b/file", "b/to-a",
                "b/to-a/file", "b/to-a/up", "b/to-a/root", "b/to-a/to-b",
                "current", "current/file", "current/round"))
        # By another way: up leads to what this way has not passed.
        assert facts_of(c, "short")["up"]["type"] == "dir"
        assert facts_of(c, "short")["root"]["type"].startswith("OS.")
        assert len(walk(c, "short")) < 60


def test_mlsd_shows_links_where_that_is_wanted(serve, archive):
    (archive / "pub" / "self").symlink_to(".")
    server = serve({"mlsd.links": "show"})
    with server.login() as c:
        got = facts_of(c, "pub")
        assert got["latest"]["type"] == "OS.unix=slink:data/2023"
        assert got["link.nc"]["type"] == "OS.unix=slink:small.nc"
        assert got["self"]["type"] == "OS.unix=slink:."
