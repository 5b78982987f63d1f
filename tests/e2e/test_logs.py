# tests/e2e/test_logs.py: what the logs say, and what happens to the files.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zoneinfo

import pytest

from conftest import (BUILD, IS_ROOT, Server, make_archive, needs_root,
                      open_to_others, steady_bytes)

TOP = pathlib.Path(__file__).parents[2]


def soon(true, seconds=10):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def commands(server, want):
    """Command events once there are so many: (command, data, code)."""
    end = time.monotonic() + 5
    while True:
        found = [e["ftp"] for e in server.events("ftp", want=0)
                 if e["ftp"]["action"] == "command"]
        if len(found) >= want or time.monotonic() > end:
            return found
        time.sleep(0.02)


def rows(found):
    return [(f["command"], f.get("command_data"),
             (f.get("completion_code") or [None])[0]) for f in found]


# ---- events.commands

def test_without_the_key_there_are_no_commands(server):
    with server.login() as c:
        c.fetch("NLST pub")
        assert c.cmd("QUIT").code == 221
        assert c.ended()
    actions = [e["ftp"]["action"] for e in server.events("ftp", want=3)]
    assert actions == ["session_start", "login", "session_end"]


def test_each_command_is_told_with_its_last_reply(serve):
    server = serve({"events.commands": "all"})
    with server.control() as c:
        c.read()
        assert c.cmd("SYST").code == 215
        assert c.cmd("LIST").code == 530
        assert c.cmd("USER ftp").code == 331
        assert c.cmd("PASS s3cret").code == 230
        assert c.cmd("s3cret").code == 500
        assert c.cmd("ACCT s3cret").code == 202
        assert c.cmd("PASS s3cret").code == 503
        assert c.cmd("FEAT").code == 211
        port = c.epsv()
        with socket.create_connection(("127.0.0.1", port)) as data:
            assert c.cmd("RETR pub/big.grib2").code == 150
            assert c.cmd("NOOP").code == 200    # beside the transfer
            assert c.cmd("ABOR").code == 426
            assert c.read().code == 226
            data.close()
        listener = c.active()
        assert c.cmd("MKD new").code == 550
        c.send("CWD pub\r\nPWD\r\n")
        assert [c.read().code, c.read().code] == [250, 257]
        c.send("X" * 9000 + "\r\n")
        assert c.read().code == 500
        c.send("CWD " + "\xe9\\\t\x1b[2J" + "y" * 3000 + "\r\n")
        assert c.read().code == 550
        c.epsv()
        c.send("RETR pub/none-waits-for-this\r\n")
    found = commands(server, 20)
    told = rows(found)
    mine = f"|1|127.0.0.1|{listener.getsockname()[1]}|"
    assert told[:19] == [
        ("SYST", None, "215"), ("LIST", None, "530"), ("USER", "ftp", "331"),
        ("PASS", None, "230"), ("unknown", None, "500"),
        ("ACCT", None, "202"), ("PASS", None, "503"), ("FEAT", None, "211"),
        ("EPSV", None, "229"), ("NOOP", None, "200"),
        ("RETR", "pub/big.grib2", "426"), ("ABOR", None, "226"),
        ("EPRT", mine, "200"), ("MKD", "new", "550"),
        ("CWD", "pub", "250"), ("PWD", None, "257"),
        ("unknown", None, "500"), told[17], ("EPSV", None, "229")]
    assert told[17][1].startswith("é\\\t\x1b[2Jyyy")
    assert found[17]["command_data_cut"] is True
    assert len(told[17][1]) <= 1536
    assert found[8]["dynamic_port"] == port and found[8]["mode"] == "passive"
    assert found[12]["dynamic_port"] == listener.getsockname()[1]
    assert found[12]["mode"] == "active"
    assert found[13]["reply_received"] == "yes" and found[13]["reply"]
    listener.close()
    assert b"s3cret" not in server.events_file.read_bytes()


@pytest.mark.parametrize("classes, expected", [
    ("login", ["USER", "PASS", "QUIT"]),
    ("transfer", ["RETR", "ABOR"]),
    ("list", ["NLST"]),
    ("change", ["STOR"]),
    ("data list", ["EPSV", "NLST", "EPSV"]),
    ("info", ["unknown", "MLST"]),
])
def test_only_the_classes_that_are_named(one_server, classes, expected):
    server = one_server
    server.write_conf({**server.settings, "events.commands": classes})
    times = server.stderr.count("reloaded")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reloaded", times + 1)
    before = len(commands(server, 0))

    def new():
        with server.login() as c:
            c.fetch("NLST pub")
            c.fetch("RETR pub/README")
            c.cmd("ABOR")
            c.cmd("STOR x")
            c.cmd("XYZZ")
            c.cmd("MLST pub")
            c.cmd("QUIT")
            c.ended()
    new()
    found = commands(server, before + len(expected))[before:]
    assert [f["command"] for f in found] == expected


@pytest.fixture(scope="module")
def one_server():
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    open_to_others(root)
    server = Server(place, root)
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place)


def test_the_report_reads_past_commands(serve):
    server = serve({"events.commands": "all"})
    with server.login() as c:
        c.fetch("RETR pub/README")
    server.stop()
    done = subprocess.run([BUILD / "portcullis", "report", "--json",
                           server.events_file], capture_output=True,
                          text=True, timeout=30)
    got = json.loads(done.stdout)
    assert got["total"]["files"] == 1 and got["input"]["bad"] == 0, done


# ---- xferlog

# The fields of xferlog(5), and nothing else between them.
XFERLOG = re.compile(
    rb"(?P<time>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) "
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    rb"[ 123]\d [012]\d:[0-5]\d:[0-6]\d \d{4}) "
    rb"(?P<seconds>[1-9]\d*) (?P<host>[0-9a-f.:]+) (?P<bytes>\d+) "
    rb"(?P<path>/[^ \x00-\x1f\x7f]*) (?P<type>[ab]) _ o a "
    rb"(?P<user>[^ \x00-\x1f\x7f]+) ftp 0 \* (?P<status>[ci])")

# As on disk, as in the log.
NAMES = {
    b"plain.nc": b"plain.nc",
    b"two words": b"two_words",
    b" lead and trail ": b"_lead_and_trail_",
    b"tab\there": b"tab_here",
    b"esc\x1b[2J": b"esc_[2J",
    b"del\x7f": b"del_",
    b"vt\x0bff\x0c": b"vt_ff_",
    "Grüße.nc".encode(): "Grüße.nc".encode(),
    "日本".encode(): "日本".encode(),
    b"c1\xc2\x85x": b"c1__x",
    b"bare\x80\x9f\xa0": b"bare___",
    b"latin\xe9.nc": b"latin_.nc",
    b"cut\xe6\x97": b"cut__",
    b"long" + b"y" * 250: b"long" + b"y" * 250,
    b"o a x ftp 0 * c": b"o_a_x_ftp_0_*_c",
    b"%s%n": b"%s%n",
    b"\"quoted\\": b"\"quoted\\",
}


def parse(server, want):
    soon(lambda: server.xferlog_file.read_bytes().count(b"\n") >= want)
    raw = server.xferlog_file.read_bytes()
    assert raw.endswith(b"\n")
    parsed = []
    for line in raw.split(b"\n")[:-1]:
        match = XFERLOG.fullmatch(line)
        assert match, line
        parsed.append(match.groupdict())
    return parsed


def test_f13_xferlog_is_exact_on_hostile_names(serve, archive):
    """Each field by its meaning; the clock is where people look at it."""
    zone = "America/St_Johns"
    for name in NAMES:
        (archive / os.fsdecode(name)).write_bytes(b"x" * len(name))
    server = serve({"events.commands": "all"},
                   prefix=("env", f"TZ={zone}"))
    begun = time.time()
    with server.control() as c:
        c.read()
        c.cmd("USER anonymous")
        c.send(b"PASS a b\x1b\xe9@example.org\r\n")
        assert c.read().code == 230
        for name in NAMES:
            with c.data() as data:
                c.send(b"RETR " + name + b"\r\n")
                assert c.read().code == 150, name
                assert data.recv(1000) == b"x" * len(name)
            assert c.read().code == 226
        c.cmd("TYPE A")
        c.fetch("RETR pub/README")
        c.fetch("LIST pub")         # is not in it
        c.cmd("TYPE I")
        with c.data() as data:      # not all of it
            assert c.cmd("RETR pub/big.grib2").code == 150
            c.cmd("ABOR")
        c.read()
    told = parse(server, len(NAMES) + 2)
    assert len(told) == len(NAMES) + 2
    assert [t["path"] for t in told[:len(NAMES)]] == \
        [b"/" + clean for clean in NAMES.values()]
    assert [int(t["bytes"]) for t in told[:len(NAMES)]] == \
        [len(name) for name in NAMES]
    assert {t["user"] for t in told} == {b"a_b__@example.org"}
    assert {t["host"] for t in told} == {b"127.0.0.1"}
    assert [t["type"] for t in told[-2:]] == [b"a", b"b"]
    assert [t["status"] for t in told[-2:]] == [b"c", b"i"]
    assert {t["status"] for t in told[:-1]} == {b"c"}
    for t in told:
        at = datetime.datetime.strptime(
            t["time"].decode(), "%a %b %d %H:%M:%S %Y").replace(
                tzinfo=zoneinfo.ZoneInfo(zone)).timestamp()
        assert int(begun) <= at <= time.time()
    # F13: an event is one line, and printable.
    raw = server.events_file.read_bytes()
    told = rows(commands(server, 0))
    assert raw.endswith(b"\n") and len(told) > 2 * len(NAMES)
    for line in raw.split(b"\n")[:-1]:
        text = line.decode()
        assert not re.search("[\x00-\x1f\x7f-\x9f]", text), text
    for name in NAMES:
        with contextlib.suppress(UnicodeDecodeError):
            if b"\xc2\x85" not in name:
                assert ("RETR", name.decode(), "226") in told
    # Events stay in UTC.
    assert server.events("ftp_data")[0]["timestamp"].endswith("+0000")
    stamp = datetime.datetime.strptime(
        server.events("ftp_data")[0]["timestamp"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert int(begun) <= stamp.timestamp() <= time.time()


def test_a_statistics_tool_reads_xferlog(serve, place):
    if not shutil.which("webalizer"):
        pytest.skip("no webalizer")
    server = serve()
    with server.login() as c:
        for name in ("README", "small.nc", "a name with blanks.nc"):
            c.fetch("RETR pub/" + name)
    parse(server, 3)
    out = place / "webalizer"
    out.mkdir()
    done = subprocess.run(
        ["webalizer", "-F", "ftp", "-c", "/dev/null", "-p", "-o", out,
         server.xferlog_file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "rror" not in done.stdout, done
    totals = (out / "webalizer.current").read_text().splitlines()[2].split()
    assert totals[0] == "3"                     # hits
    assert totals[6] == str(19 + 1024 + 6)      # bytes


@pytest.mark.parametrize("zone, rule", [
    ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
    (":Asia/Kathmandu", "<+0545>-5:45"),
    ("XYZ+3", "XYZ+3"),
    ("", "UTC0"),
    ("No/Such", "UTC0"),
    ("../../../etc/passwd", "UTC0"),
])
@needs_root
def test_the_time_zone_reaches_the_workers_as_a_rule(serve, zone, rule):
    server = serve(prefix=("env", f"TZ={zone}"))
    for pid in server.children("portcullis-worker"):
        env = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert f"TZ={rule}".encode() in env


# ---- the files

def test_sigusr1_opens_both_files_again_and_does_no_more(serve):
    server = serve()
    with server.login() as before:
        before.fetch("RETR pub/small.nc")
        parse(server, 1)
        server.events("ftp_data")
        for file in (server.events_file, server.xferlog_file):
            file.rename(f"{file}.1")
        # A reload would fail now, and say so.
        server.conf_file.write_text("nonsense\n")
        server.process.send_signal(signal.SIGUSR1)
        soon(lambda: server.events_file.exists() and
             server.xferlog_file.exists())
        before.fetch("RETR pub/README")
        assert [t["path"] for t in parse(server, 1)] == [b"/pub/README"]
        assert [e["ftp_data"]["filename"]
                for e in server.events("ftp_data")] == ["/pub/README"]
    assert "reload" not in server.stderr
    old = pathlib.Path(f"{server.xferlog_file}.1").read_text()
    assert "small.nc" in old and "README" not in old


def test_after_copytruncate_the_next_line_is_the_first(serve):
    server = serve()
    with server.login() as c:
        c.fetch("RETR pub/small.nc")
        parse(server, 1)
        server.events("ftp_data")
        for file in (server.events_file, server.xferlog_file):
            os.truncate(file, 0)
        c.fetch("RETR pub/README")
        assert [t["path"] for t in parse(server, 1)] == [b"/pub/README"]
        assert server.events("ftp_data")
        assert server.events_file.read_bytes()[:2] == b'{"'


@pytest.mark.parametrize("way", ["as shipped", "copytruncate"])
def test_logrotate_rotates(serve, place, way):
    if not shutil.which("logrotate") or not IS_ROOT:
        pytest.skip("no logrotate, or not root")
    server = serve()
    conf = (TOP / "dist" / "portcullis.logrotate").read_text()
    conf = conf.replace("/var/log/portcullis/events.json",
                        str(server.events_file)).replace(
        "/var/log/portcullis/xferlog", str(server.xferlog_file))
    ours = f"kill -USR1 {server.process.pid}"
    conf, n = re.subn(r"systemctl kill .*", ours, conf)
    assert n == 1
    if way == "copytruncate":
        conf = re.sub(r"postrotate.*?endscript", "copytruncate", conf,
                      flags=re.S).replace("sharedscripts", "")
    rules = place / "rules"
    rules.write_text(conf)
    with server.login() as c:
        c.fetch("RETR pub/small.nc")
        parse(server, 1)
        server.events("ftp_data")
        subprocess.run(["logrotate", "-f", "-s", place / "state", rules],
                       check=True, capture_output=True)
        soon(lambda: server.xferlog_file.exists())
        c.fetch("RETR pub/README")
        assert [t["path"] for t in parse(server, 1)] == [b"/pub/README"]
        assert server.events("ftp_data")
    old = pathlib.Path(f"{server.xferlog_file}.1").read_text()
    assert "small.nc" in old and "README" not in old


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none",
                    path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@needs_root
def test_f12_a_full_log_disk_is_said_once_and_its_end_too(place, archive):
    with small_disk(place / "logs", "16k") as logs:
        server = Server(place, archive, {
            "events": logs / "events.json", "xferlog": logs / "xferlog",
            "events.commands": "all"})
        server.events_file = logs / "events.json"
        try:
            with server.login() as c:
                while "lines are lost" not in server.stderr:
                    for _ in range(50):
                        c.cmd("NOOP")
                # It serves on.
                assert c.fetch("RETR pub/small.nc") == steady_bytes(1024)
                assert server.stderr.count("events: lines are lost") == 1
                os.truncate(logs / "events.json", 0)
                c.cmd("SYST")
                server.wait_for("events: lines are written again; lost: ")
                soon(lambda: (logs / "events.json").stat().st_size > 0)
            lost = int(re.search(r"events: .* lost: (\d+)",
                                 server.stderr)[1])
            assert lost > 0
            assert server.events("ftp")     # every line is whole
        finally:
            assert server.stop() == 0


def test_f12_a_sink_that_sleeps_slows_no_transfer_and_is_counted(place,
                                                                serve):
    """A FIFO that is open and not read; the lines that are lost are in the
    last `stats`, once somebody reads again."""
    fifo = place / "events.fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = serve({"events": fifo, "events.commands": "all"})
    # More than the FIFO and the warden's pipe hold, 1 MiB.
    flood = b"CWD " + b"x" * 1400 + b"\r\n"
    with server.login() as c:
        for turn in range(100):
            c.send(flood * 10)
            for _ in range(10):
                assert c.read().code == 550
            if turn % 20 == 0:
                assert c.fetch("RETR pub/small.nc") == steady_bytes(1024)
    os.set_blocking(reader, True)
    read = []
    thread = threading.Thread(target=lambda: read.extend(
        iter(lambda: os.read(reader, 1 << 16), b"")))
    thread.start()
    # What has been kept for the reader comes, and then there is room.
    with server.login() as c:
        c.cmd("SITE END OF TEST")
        end = time.monotonic() + 20
        while b"END OF TEST" not in b"".join(read):
            assert time.monotonic() < end
            time.sleep(0.05)
            c.cmd("SITE END OF TEST")
    assert server.stop() == 0
    thread.join(10)
    os.close(reader)
    got = b"".join(read).split(b"\n")
    assert got.pop() == b""
    events = [json.loads(line) for line in got]
    dropped = [e["stats"]["events_dropped"] for e in events
               if e["event_type"] == "stats"
               and e["stats"]["process"] == "worker"]
    told = sum("xxxx" in e.get("ftp", {}).get("command_data", "")
               for e in events)
    assert 0 < told < 1000
    assert dropped[-1] >= 1000 - told


def test_a_fifo_that_nobody_reads_is_an_error_and_no_wait(place, archive):
    fifo = place / "events.fifo"
    os.mkfifo(fifo)
    server = Server(place, archive, {"events": fifo}, wait=False)
    assert server.process.wait(10) == 2
    assert "events: cannot open" in server.stderr
