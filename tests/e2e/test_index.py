# SPDX-License-Identifier: Apache-2.0
"""portcullis index, as an archive and its mirrors see it."""
import ctypes
import gzip
import hashlib
import itertools
import os
import pathlib
import pty
import random
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import (BUILD, ENVIRONMENT, SANITIZED, needs_root, plain_build,
                      run_measured)

HEADER = b"# portcullis index 1"
MAN = pathlib.Path(__file__).parents[2] / "docs/man/portcullis-index.1"
PROGRAM = BUILD / "portcullis"
AT_FDCWD = -100
EXCHANGE = 2  # renameat2: both names change places at once
TERABYTES = 8 << 40


def run(*args, status=0, cwd=None, **more):
    done = subprocess.run([PROGRAM, "index", *args], capture_output=True,
                          timeout=120, cwd=cwd, env=ENVIRONMENT, **more)
    assert done.returncode == status, done
    return done


def rows(text):
    lines = text.split(b"\n")
    assert lines[0] == HEADER and lines[-1] == b""
    return [line.split(b"\t") for line in lines[1:-1]]


def listed(*args, **more):
    return {row[3]: row for row in rows(run(*args, **more).stdout)}


def unescape(text):
    names = {b"n": b"\n", b"r": b"\r", b"\\": b"\\"}
    return re.sub(rb"\\(?:x(..)|(.))", lambda m: names[m[2]] if m[2] else
                  bytes.fromhex(m[1].decode()), text)


def sha256(data):
    return hashlib.sha256(data).hexdigest().encode()


def stamp(path):
    ns = os.lstat(path).st_mtime_ns
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9))
    return f"{whole}.{ns % 10**9:09d}Z".encode()


@pytest.fixture
def tree(tmp_path):
    top = tmp_path / "tree"
    (top / "a" / "deep").mkdir(parents=True)
    (top / "empty").mkdir()
    for i, name in enumerate(["a/x", "a/deep/y", "a-b", "a.c", "a0", "z",
                              ".hidden"]):
        (top / name).write_bytes(name.encode() * i * 1000)
    (top / "link").symlink_to("a/x")
    return top


def test_a_line_has_hash_size_time_and_path(tree):
    got = listed(tree)
    files = {os.path.relpath(os.path.join(d, f), tree).encode()
             for d, _, names in os.walk(tree) for f in names}
    assert set(got) == files
    for name in files - {b"link"}:
        path = os.path.join(bytes(tree), name)
        data = open(path, "rb").read()
        assert got[name] == [sha256(data), b"%d" % len(data), stamp(path),
                             name]


def test_lines_are_sorted_as_sort_does(tree):
    paths = [row[3] for row in rows(run(tree).stdout)]
    assert paths == sorted(paths) and paths.index(b"a-b") < paths.index(b"a/x")
    out = run(tree).stdout.split(b"\n", 1)[1]
    subprocess.run(["sort", "-c", "-t", "\t", "-k4,4"], input=out, check=True,
                   env={"LC_ALL": "C"})


def test_any_name_is_one_line_and_comes_back(tmp_path):
    chance = random.Random(7)
    names = {bytes(chance.choice(b"\n\r\t\\ x\x1b\x7f\x80\xc2\xc3\xa9\xff#?")
                   for _ in range(chance.randint(1, 12)))
             for _ in range(400)} | {"é€😀".encode(), b"-rf", b"x" * 255}
    for name in names:
        open(os.path.join(bytes(tmp_path), name), "wb").close()
    paths = [row[3] for row in rows(run(tmp_path).stdout)]
    assert {unescape(path) for path in paths} == names
    assert paths == sorted(paths)
    assert not re.search(rb"[\x00-\x1f\x7f]", b"".join(paths))
    "".join(path.decode() for path in paths)


def test_sha256sum_takes_it_by_the_line_in_the_man_page(tree):
    (tree / "back\\slash").write_bytes(b"1")
    (tree / "new\nline").write_bytes(b"2")
    (tree / "two  blanks ").write_bytes(b"3")
    awk = r"""length($1) == 64 {print (/\\/ ? "\\" : "") $1 "  " $4}"""
    assert awk.replace("\\", "\\e") in MAN.read_text()
    sums = subprocess.run(["awk", "-F", "\t", awk], input=run(tree).stdout,
                          stdout=subprocess.PIPE, check=True).stdout
    assert sums.count(b"\n") == 10
    done = subprocess.run(["sha256sum", "--check", "--strict"], input=sums,
                          cwd=tree, capture_output=True, check=True)
    assert done.stdout.count(b": OK") == 10


def test_links_are_listed_and_never_followed(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tree / "out").symlink_to(outside)
    (tree / "file").symlink_to(outside / "secret")
    (tree / "odd").symlink_to("a\tb\n -> c")
    got = listed(tree)
    assert got[b"out"][0] == b"link" and got[b"out"][4] == bytes(outside)
    assert got[b"file"][0] == b"link"
    assert unescape(got[b"odd"][4]) == b"a\tb\n -> c"
    assert sha256(b"secret") not in run(tree).stdout


def test_nothing_outside_is_read_while_directories_become_links(tmp_path):
    """Somebody swaps a directory for a link out, all the time."""
    outside = tmp_path / "outside"
    outside.mkdir()
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    for i in range(50):
        (outside / f"f{i}").write_bytes(b"secret")
        (tree / "d" / f"f{i}").write_bytes(b"public")
    (tmp_path / "link").symlink_to(outside)
    libc = ctypes.CDLL(None, use_errno=True)
    over = threading.Event()

    def swap():
        while not over.is_set():
            assert libc.renameat2(AT_FDCWD, bytes(tree / "d"), AT_FDCWD,
                                  bytes(tmp_path / "link"), EXCHANGE) == 0
        if (tree / "d").is_symlink():
            os.unlink(tree / "d")
            os.rename(tmp_path / "link", tree / "d")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(150):
            done = subprocess.run([PROGRAM, "index", tree],
                                  capture_output=True, timeout=60)
            assert done.returncode in (0, 1), done
            assert sha256(b"secret") not in done.stdout
    finally:
        over.set()
        thread.join()
    assert listed(tree)[b"d/f7"][0] == sha256(b"public")


def test_what_is_no_file_is_left_out_and_said(tree):
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(tree)
        sock.bind("sock")
        os.chdir(here)
    done = run(tree)
    assert b"fifo: a FIFO, left out" in done.stderr
    assert b"sock: a socket, left out" in done.stderr
    assert b"fifo" not in done.stdout and b"sock" not in done.stdout


@needs_root
def test_a_device_is_not_opened(tree):
    os.mknod(tree / "null", 0o20666, os.makedev(1, 3))
    done = run(tree)
    assert b"null: a device, left out" in done.stderr
    assert b"null" not in done.stdout


@needs_root
def test_what_cannot_be_read_has_a_line_and_is_no_difference(tree, tmp_path):
    index = tmp_path / "INDEX"
    run("-o", index, tree)
    os.chmod(tree / "a", 0o700)
    os.chmod(tree / "z", 0o600)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path != path.parent and \
           not path.stat().st_mode & 1:
            path.chmod(path.stat().st_mode | 0o11)
    done = run(tree, status=1, user=65534, group=65534, extra_groups=[])
    got = {row[3]: row for row in rows(done.stdout)}
    assert got[b"a/"] == [b"?", b"-", b"-", b"a/"]
    assert got[b"z"] == [b"?", b"-", b"-", b"z"]
    assert b"a/: Permission denied" in done.stderr
    assert b"a/x" not in got and got[b"a-b"][0] != b"?"
    # Neither side takes what it does not know for missing or new.
    checked = run("--check", index, tree, status=1, user=65534, group=65534,
                  extra_groups=[])
    assert checked.stdout == b"unread\ta/\nunread\tz\n"
    (tmp_path / "PART").write_bytes(done.stdout)
    checked = run("--check", tmp_path / "PART", tree, status=1)
    assert checked.stdout == b"unknown\ta/\nunknown\tz\n"


def test_the_file_appears_whole_and_not_in_itself(tree):
    out = tree / "INDEX"
    run("-o", out, tree)
    first = out.read_bytes()
    assert b"INDEX" not in first and len(rows(first)) == 8
    assert set(os.listdir(tree)) == {"a", "empty", "a-b", "a.c", "a0", "z",
                                     ".hidden", "link", "INDEX"}
    run("-o", out, tree)
    assert out.read_bytes() == first
    run("-o", "INDEX", ".", cwd=tree)
    assert out.read_bytes() == first
    run("--check", out, tree)
    # Another file of that name, elsewhere, is a file like others.
    (tree / "a" / "INDEX").write_bytes(b"")
    assert b"a/INDEX" in listed(tree) and b"INDEX" in listed(tree)


def wait_for(what, seconds=20):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT,
                                 signal.SIGKILL])
def test_an_ended_run_leaves_the_old_index(tree, how):
    out = tree / "INDEX.gz"
    run("-o", out, tree)
    old = out.read_bytes()
    (tree / "large").touch()
    os.truncate(tree / "large", TERABYTES)

    def heed():
        """Who runs the tests in the background may have it ignored."""
        if how != signal.SIGKILL:
            signal.signal(how, signal.SIG_DFL)

    with subprocess.Popen([PROGRAM, "index", "-o", out, tree],
                          preexec_fn=heed) as process:
        wait_for(lambda: any(n.endswith(".new") for n in os.listdir(tree)))
        time.sleep(0.2)
        assert out.read_bytes() == old
        process.send_signal(how)
        assert process.wait(10) == -how
    assert out.read_bytes() == old
    left = [n for n in os.listdir(tree) if n.endswith(".new")]
    assert len(left) == (1 if how == signal.SIGKILL else 0)
    (tree / "large").unlink()
    run("-o", out, tree)
    assert out.read_bytes() == old


def test_compressed_is_the_same_bytes_each_time(tree, tmp_path):
    for name in ("1.gz", "2.gz", "3"):
        run("-o", tmp_path / name, tree)
    one, two, plain = (
        (tmp_path / n).read_bytes() for n in ("1.gz", "2.gz", "3"))
    assert one == two and gzip.decompress(one) == plain == run(tree).stdout
    run("--check", tmp_path / "1.gz", tree)
    run("--check", "-", tree, input=one)
    run("--check", "-", tree, input=plain)


def test_hashes_of_unchanged_files_are_taken_over(tree, tmp_path):
    """A file of terabytes is not read again: nobody could wait for that."""
    index = tmp_path / "INDEX"
    assert b"not there yet" in run("-o", index, "-p", index, tree).stderr
    (tree / "huge").touch()
    os.truncate(tree / "huge", TERABYTES)
    kept = b"\t".join([b"7" * 64, b"%d" % TERABYTES, stamp(tree / "huge"),
                       b"huge"])
    lines = index.read_bytes().splitlines()
    index.write_bytes(b"\n".join([HEADER, *sorted(
        [*lines[1:], kept], key=lambda line: line.split(b"\t")[3])]) + b"\n")
    got = listed("-p", index, tree)
    assert got[b"huge"][0] == b"7" * 64
    assert got[b"a/x"][0] == sha256(b"")
    run("-o", index, "-p", index, tree)
    assert kept in index.read_bytes()


def test_another_nanosecond_or_size_is_read_again(tree, tmp_path):
    index = tmp_path / "INDEX"
    run("-o", index, tree)
    at = os.stat(tree / "z").st_mtime_ns
    (tree / "z").write_bytes(b"y" * 5000)
    os.utime(tree / "z", ns=(at, at + 1))
    (tree / "a0").write_bytes(b"longer" * 9999)
    got = listed("-p", index, tree)
    assert got[b"z"][0] == sha256(b"y" * 5000)
    assert got[b"a0"][0] == sha256(b"longer" * 9999)


def test_check_says_what_is_missing_changed_and_new(tree, tmp_path):
    index = tmp_path / "INDEX"
    run("-o", index, tree)
    assert run("-c", index, tree).stdout == b""
    stat = os.stat(tree / "a.c")
    data = bytearray((tree / "a.c").read_bytes())
    data[100] ^= 1
    (tree / "a.c").write_bytes(data)  # a bit has rotted
    os.utime(tree / "a.c", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (tree / "a" / "x").unlink()
    (tree / "z").write_bytes(b"longer" * 9999)
    os.utime(tree / "a0", ns=(0, 5))
    (tree / "link").unlink()
    (tree / "link").symlink_to("a/y")
    (tree / "a" / "new").touch()
    got = dict(line.split(b"\t", 1)[::-1] for line in
               run("-c", index, tree, status=1).stdout.splitlines())
    assert got.pop(b"link\tmtime,target") == b"changed"
    assert got == {b"a.c\thash": b"changed", b"a/x": b"missing",
                   b"a/new": b"new", b"a0\tmtime": b"changed",
                   b"z\tsize,mtime": b"changed"}
    quick = run("-n", "-c", index, tree, status=1).stdout
    assert b"a.c" not in quick and b"missing\ta/x\n" in quick


def test_a_mirror_with_whole_seconds_is_no_change(tree, tmp_path):
    index = tmp_path / "INDEX"
    run("-o", index, tree)
    for name in ("a.c", "z"):
        at = os.stat(tree / name).st_mtime_ns // 10**9 * 10**9
        os.utime(tree / name, ns=(at, at))
    run("-c", index, tree)
    os.utime(tree / "z", ns=(at, at - 10**9))
    run("-c", index, tree, status=1)


def test_without_hashes_nothing_is_read(tree):
    (tree / "huge").touch()
    os.truncate(tree / "huge", TERABYTES)
    got = listed("--no-hash", tree)
    assert {row[0] for row in got.values()} == {b"-", b"link"}
    assert got[b"huge"][1] == b"%d" % TERABYTES


def test_a_file_that_never_rests_is_said_and_has_no_hash(tree):
    (tree / "busy").touch()
    os.truncate(tree / "busy", 64 << 20)
    over = threading.Event()

    def write():
        with open(tree / "busy", "r+b", buffering=0) as file:
            while not over.is_set():
                file.write(b"x")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        done = run(tree, status=1)
    finally:
        over.set()
        thread.join()
    got = {row[3]: row for row in rows(done.stdout)}
    assert got[b"busy"] == [b"?", b"-", b"-", b"busy"]
    assert b"busy: changes while it is read" in done.stderr
    assert got[b"z"][0] == sha256((tree / "z").read_bytes())


def test_a_file_that_changes_once_is_hashed_again(tree):
    """The hash is that of the state whose size and time stand beside it."""
    path = tree / "once"
    path.touch()
    os.truncate(path, 600 << 20)
    with subprocess.Popen([PROGRAM, "index", "-j1", tree],
                          stdout=subprocess.PIPE) as process:
        time.sleep(0.15)
        with open(path, "r+b") as file:
            file.write(b"changed")
        out = process.stdout.read()
        assert process.wait(60) == 0
    got = {row[3]: row for row in rows(out)}[b"once"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest().encode()
    assert got[:3] == [digest, b"%d" % (600 << 20), stamp(path)]


def test_a_write_within_a_tick_cannot_be_missed(tmp_path):
    """Written just now: it is read when a further write would show."""
    path = tmp_path / "f"
    for _ in range(5):
        path.write_bytes(b"x")
        row, = rows(run(tmp_path).stdout)
        assert row[0] == sha256(b"x")
        assert time.time_ns() - os.stat(path).st_ctime_ns > 49_000_000
    time.sleep(0.1)
    begun = time.monotonic()
    for _ in range(10):
        run(tmp_path)
    assert SANITIZED or time.monotonic() - begun < 0.5


def test_exclude_keeps_names_and_whole_paths_out(tree, tmp_path):
    got = listed("-e", ".*", "-e", "a/deep", "-e", "*.c", tree)
    assert set(got) == {b"a-b", b"a/x", b"a0", b"link", b"z"}
    assert b"a/x" not in listed("-e", "a", tree)
    assert b"a/x" not in listed("-e", "a/*", tree)
    assert b"a/deep/y" in listed("-e", "deep/y", tree)
    index = tmp_path / "INDEX"
    run("-o", index, tree)
    run("-c", index, "-e", "a", "-e", "z", tree)


def test_uploads_on_their_way_are_not_in_it(tree, tmp_path):
    """Nor what was dropped: nobody could fetch it."""
    index = tmp_path / "INDEX"
    run("-o", index, tree)
    for name in ("new-1", "part-1-2", "DROP-1-x"):
        (tree / "a" / f".Portcullis.{name}").write_bytes(b"x")
    assert not [name for name in listed(tree) if b"ortcullis" in name]
    run("-c", index, tree)


@needs_root
def test_another_file_system_is_left_out_when_asked(tree):
    script = ('mount -t tmpfs none "$2/empty" && touch "$2/empty/inside" && '
              '"$1" index "$2" && "$1" index -x "$2"')
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", PROGRAM,
                           tree], capture_output=True, timeout=60, check=True)
    assert done.stdout.count(b"\tempty/inside\n") == 1
    assert b"empty/: on another file system, left out" in done.stderr


@pytest.mark.parametrize("text,place,why", [
    (b"", 1, "empty"),
    (b"hello\n", 1, "first line"),
    (HEADER, 1, "cut"),
    (HEADER + b"\nrubbish\n", 2, "neither"),
    (HEADER + b"\n?\t-\t-\tb\n?\t-\t-\ta\n", 3, "behind"),
    (HEADER + b"\n?\t-\t-\tb\n?\t-\t-\tb\n", 3, "behind"),
    (HEADER + b"\n# a comment\n?\t-\t-\tz", 3, "cut"),
    (HEADER + b"\n?\t-\t-\ta\0b\n", 2, "NUL"),
    (HEADER + b"\n?\t-\t-\t" + b"a" * 99999 + b"\n", 2, "too long"),
    (HEADER + b"\n?\t-\t-\t/etc\n", 2, "no path"),
    (b"\x1f\x8b\x08garbage that is no gzip at all", 1, ""),
    (gzip.compress(HEADER + b"\n" + os.urandom(5000).hex().encode())[:2000],
     2, "too early"),
])
@pytest.mark.parametrize("option", ["--check", "--previous"])
def test_a_bad_index_is_told_with_its_line(tree, tmp_path, text, place, why,
                                           option):
    bad = tmp_path / "BAD"
    bad.write_bytes(text)
    out = [] if option == "--check" else ["-o", tmp_path / "OUT"]
    done = run(option, bad, *out, tree, status=2)
    assert re.search(rf"^portcullis index: {bad}:{place}: .*{why}",
                     done.stderr.decode(), re.M), done.stderr
    assert set(os.listdir(tmp_path)) == {"BAD", "tree"}


@pytest.mark.parametrize("args", [
    [], ["a", "b"], ["--jobs", "0", "."], ["--jobs", "65", "."],
    ["--jobs", "x", "."], ["--memory", "0", "."], ["--nonsense", "."],
    ["--check", "x", "--output", "y", "."], ["--exclude", "", "."],
    ["--check", "x", "--previous", "y", "."],
    ["--no-hash", "--previous", "y", "."], ["not-there"], ["/dev/null"],
    ["--check", "not-there", "."], ["--check", "/", "."], ["-o", "/", "."],
    ["-o", "/dev/null", "."], ["-o", "not-there/x", "."],
    ["-o", "y" * 300, "."],
])
def test_wrong_usage_is_2(tmp_path, args):
    done = run(*args, status=2, cwd=tmp_path)
    assert done.stderr and not done.stdout and not os.listdir(tmp_path)


def test_a_full_disk_is_no_success(tree):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PROGRAM, "index", tree], stdout=full,
                              stderr=subprocess.PIPE)
        assert done.returncode == 2 and b"No space left" in done.stderr
    (tree / "INDEX").write_bytes(b"old")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = run("-o", tree / "INDEX", tree, status=2, preexec_fn=limit)
    assert b"File too large" in done.stderr
    assert (tree / "INDEX").read_bytes() == b"old"
    assert not [n for n in os.listdir(tree) if n.endswith(".new")]


def test_threads_change_nothing(tmp_path):
    for i in range(3000):
        (tmp_path / f"{i}").write_bytes(b"%d" % i * (i % 50))
    one = run("-j1", tmp_path).stdout
    assert one == run("-j8", tmp_path).stdout
    assert len(rows(one)) == 3000


def test_a_deep_tree_needs_few_descriptors(tmp_path):
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1000):
            os.mkdir("d")
            os.chdir("d")
        open("end", "w").close()
    finally:
        os.chdir(here)
    got = listed(tmp_path, preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (24, 24)))
    assert list(got) == [b"d/" * 1000 + b"end"]
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_a_path_that_is_too_long_is_said(tmp_path):
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(17):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
    finally:
        os.chdir(here)
    done = run(tmp_path, status=1)
    assert b"the path is too long" in done.stderr and not rows(done.stdout)
    subprocess.run(["rm", "-rf", tmp_path / ("d" * 250)], check=True)


@plain_build
def test_100000_names_take_few_bytes_each(tmp_path):
    top = tmp_path / "tree"
    top.mkdir()
    (top / "first").touch()
    for i in range(100_000):
        os.link(top / "first" if i < 60_000 else top / "2", top / f"{i}") \
            if i != 2 else (top / "2").touch()

    def peak(*args):
        done, used = run_measured(PROGRAM, "index", *args, check=True)
        return done.stdout, used

    small = peak(tmp_path / "tree", "-e", "*")[1]
    out, large = peak(top)
    assert len(rows(out)) == 100_001
    assert large - small < 12 << 20
    (tmp_path / "INDEX").write_bytes(out)
    assert peak("-c", tmp_path / "INDEX", top)[1] - small < 12 << 20
    done = run("--memory", "1", top, status=1)
    assert b"see --memory" in done.stderr
    assert done.stdout == HEADER + b"\n?\t-\t-\t./\n"


def test_progress_is_for_terminals_and_cannot_be_forged(tmp_path):
    (tmp_path / "\x1b[2Jevil").touch()
    os.truncate(tmp_path / "\x1b[2Jevil", TERABYTES)
    ours, theirs = pty.openpty()
    with subprocess.Popen([PROGRAM, "index", tmp_path], stderr=theirs,
                          stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b"".join(itertools.islice(
            iter(lambda: os.read(ours, 100), None), 4))
        process.terminate()
    os.close(ours)
    assert b"MiB read" in shown and b"\\x1b[2Jevil" in shown
    assert b"\x1b[2J" not in shown
