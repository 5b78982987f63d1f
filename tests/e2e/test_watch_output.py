# tests/e2e/test_watch_output.py: what the sensor says, to whom, and how.
# SPDX-License-Identifier: Apache-2.0
"""Summary, JSON, ftp.log, metrics, syslog, fail2ban; and what it says of
captures that are none."""

import contextlib
import datetime
import gzip
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import threading

import pytest

from conftest import BUILD, ENVIRONMENT, IS_ROOT, SANITIZED

TOP = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "tests"))
from captures import rows, wire  # noqa: E402
from captures.talk import FtpSession  # noqa: E402

CAPTURES = {row.file: row for row in rows.CAPTURES}


def watch(*args, **kw):
    return subprocess.run([str(BUILD / "portcullis"), "watch", *map(str, args)],
                          capture_output=True, text=True, timeout=60,
                          env=ENVIRONMENT, **kw)


@pytest.fixture
def capture(tmp_path):
    """capture(name): a file of that row's packets."""
    def make(name):
        path = tmp_path / name
        path.write_bytes(CAPTURES[name].make())
        return path
    return make


# ---- the summary

def summary(path, *args):
    """What it says, but for ids, which are not for people to compare."""
    return re.sub(r"\b[0-9a-f]{16}$", "ID", watch("-r", path, *args).stdout,
                  flags=re.M)


def test_summary_of_a_scan(capture):
    assert summary(capture("BO14-replies.pcap")) == """\
65 packets, 2026-11-24 00:00:00 to 00:00:20 UTC
1 finding: 1 high; what a name means: --explain NAME

high      scan_vertical, accepted: ports of one host walked through
  198.51.100.7 asked 192.0.2.21:21 to reach 6 ports of 203.0.113.99
  when      2026-11-24 00:00:00 to 00:00:20 UTC
  how far   the server agreed; no connection was seen (reply 200)
  tried     6 times, 0 refused
  learned   open: 21 22 443
  learned   closed: 23 25
  learned   no answer: 80
  said      203,0,113,99,0,21
  evidence  packets 18 (first), 19 (reply), 53 (last)
  id        ID

server        sessions   logins  commands  critical  high medium  low  info
192.0.2.21:21        1        1        17         0     1      0    0     0

Seen:
            65  packets read
            65  TCP segments
             1  TCP connections
             1  control connections
            17  commands
            21  replies
             1  logins
             6  data addresses that the policy forbids
"""


def test_summary_of_a_theft_names_all_three(capture):
    assert summary(capture("PT01-stolen.pcap")).split("\n\n")[1] == """\
critical  pasv_theft, completed: passive data connection of a stranger
  203.0.113.99:41000 came to a passive port of 192.0.2.21:21 that was told \
to 198.51.100.7
  when      2026-11-24 00:00:00 UTC
  how far   a connection was made, and data has flowed
  bytes     6000 to the stranger, 0 from there
  evidence  packets 21 (first), 22 (SYN), 29 (data)
  id        ID"""


def test_summary_of_two_readings_and_of_what_is_not_certain(capture):
    _, finding, _, seen, unseen = \
        summary(capture("EV05-octal-taken.pcap")).split("\n\n")
    assert finding == """\
high      third_party, executed: data address names a third party
  198.51.100.7 asked 192.0.2.21:21 to reach 203.0.113.63:50040
  when      2026-11-24 00:00:00 UTC
  how far   a connection was made (reply 200)
  read as   203.0.113.77:50040 or 203.0.113.63:50040
  said      203,000,113,077,195,120
  evidence  packets 18 (first), 19 (reply), 22 (SYN)
  id        ID"""
    assert "reading" not in seen
    assert unseen == """\
Not seen, or not for certain:
             1  commands with more than one reading
"""


@pytest.mark.parametrize("name, words", [
    ("BE01-once.pcap", "asked 192.0.2.21:21 to reach 192.168.1.50:50000\n"
     "  when      2026-11-24 00:00:00 UTC\n"
     "  how far   the server refused (reply 504)\n"),
    ("PT04-227.pcap", "192.0.2.21:21 told 198.51.100.7 to connect to "
     "192.0.2.21:25\n  when      2026-11-24 00:00:00 UTC\n"
     "  how far   no connection there was seen\n"),
    ("PT10-too-late.pcap", "how far   tried; no connection was made\n"),
    ("FW02-echo.pcap", "was told, as if by 192.0.2.21:21, to connect to "),
    ("EV24-closed.pcap", "evidence  packets 29 (first, SYN)\n"),
    ("EV23-one-sided.pcap", "  certainty low: the connection was not seen "
     "whole\n"),
    ("PT02-one-by-one.pcap", "198.51.100.7 at 192.0.2.21:21\n"
     "  when      2026-11-24 00:00:22 UTC\n  evidence "),
    ("BO16-horizontal.pcap", "  when      2026-11-24 00:00:00 to 04:00:01 UTC\n"),
])
def test_summary_says_who_did_what(capture, name, words):
    assert words in summary(capture(name))


def test_the_gravest_comes_first_and_a_scan_before_its_attempts(capture):
    said = summary(capture("BO15-refused.pcap"))
    assert said.splitlines()[1].startswith("4 findings: 4 medium;")
    names = re.findall(r"^medium +(\w+),", said, re.M)
    assert names == ["scan_horizontal"] + ["third_party"] * 3
    said = summary(capture("BO18-completed.pcap"))
    assert re.findall(r"^critical +(\w+),", said, re.M) == \
        ["payload_relay", "third_party"]


def test_what_is_honest_raises_no_alert(capture):
    assert summary(capture("BO00.pcap")).startswith("""\
68 packets, 2026-11-24 00:00:00 UTC
No alert.

server """)


def test_columns_hold_long_addresses(capture):
    lines = watch("-r", capture("BO08-refused.pcap")).stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("server"))
    assert lines[at].index("sessions") + len("sessions") == \
        re.search(r"\S\s+\d+", lines[at + 1]).end()


def test_colours_are_for_terminals(capture):
    path = capture("BO01-refused.pcap")
    assert "\033" not in watch("-r", path).stdout
    assert "\033[36mlow" in watch("-r", path, "--color", "always").stdout


def test_a_capture_without_ftp_says_so(tmp_path):
    path = tmp_path / "none.pcap"
    frames = CAPTURES["BO00.pcap"].capture_net().frames
    path.write_bytes(wire.pcap([], wire.Ethernet.number))
    done = watch("-r", path)
    assert done.returncode == 0
    assert done.stdout == "No packet was read.\n\nNo FTP was seen.\n"
    path.write_bytes(wire.pcap(frames[:2], wire.Ethernet.number))
    done = watch("-r", path)
    assert done.returncode == 0
    assert done.stdout.split("\n\n")[:2] == [
        "2 packets, 2026-11-24 00:00:00 UTC\nNo alert.",
        "No FTP was seen."]


def test_a_long_list_is_cut_and_says_so(capture, tmp_path):
    some = [capture(f.file) for f in rows.CAPTURES
            if f.id in ("BO01", "BO03", "BO04", "BO05", "BO06", "BO12",
                        "PT01", "PT03", "PT07", "FW04", "BO08", "EV05")]
    short = watch("-r", *some).stdout
    whole = watch("-r", *some, "--all").stdout
    more = int(re.search(r"and (\d+) more, of level", short).group(1))
    assert whole.count("  evidence ") == short.count("  evidence ") + more


def test_a_long_table_of_servers_is_cut_and_says_so(tmp_path):
    net = wire.Net(1)
    for n in range(25):
        server = wire.Host(f"192.0.2.{100 + n}", 63, 100)
        session = FtpSession(net, server=server).ready()
        if n == 17:
            session.cmd("PORT 203,0,113,99,195,80", "504 No.")
        session.quit()
    path = tmp_path / "many.pcap"
    path.write_bytes(wire.pcap(net.frames, wire.Ethernet.number))
    table = summary(path).split("\n\n")[2].splitlines()
    assert len(table) == 22
    assert table[1].startswith("192.0.2.117:21 ")  # the one with a finding
    assert table[-1] == "and 5 more servers (--all shows them)"
    table = summary(path, "--all").split("\n\n")[2].splitlines()
    assert len(table) == 26


# ---- on a terminal

def on_terminal(*args, out_too=False, env=ENVIRONMENT):
    """What standard error said to a terminal, and what standard output did;
    with out_too, both to the terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(BUILD / "portcullis"), "watch", *map(str, args)], env=env,
        stdout=theirs if out_too else subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    out = [b""]
    if not out_too:
        reader = threading.Thread(
            target=lambda: out.__setitem__(0, process.stdout.read()))
        reader.start()
    seen = b""
    with contextlib.suppress(OSError):  # EIO: nobody is there any more
        while more := os.read(ours, 65536):
            seen += more
    os.close(ours)
    assert process.wait(60) == 0
    if not out_too:
        reader.join()
    return seen.decode(), out[0].decode()


@pytest.fixture(scope="module")
def long_capture(tmp_path_factory):
    """Some seconds of reading in a small file: one gzip member, repeated."""
    whole = CAPTURES["BO01-refused.pcap"].make()
    at, packet = 24, whole[24:]
    length = int.from_bytes(packet[8:12], "little")
    many = packet[:16 + length] * 65536
    path = tmp_path_factory.mktemp("long") / "long.pcap.gz"
    with path.open("wb") as f:
        f.write(gzip.compress(whole[:at]))
        f.write(gzip.compress(many) * (60 if SANITIZED else 300))
        f.write(gzip.compress(packet))
    return path


def test_a_long_reading_shows_how_far_it_is(long_capture):
    said, out = on_terminal("-r", long_capture)
    drawn = re.findall(r"\r\[[#.]{32}\] +(\d+)%  \d+ packets", said)
    assert drawn, "slower than a second, and nothing was shown"
    assert list(map(int, drawn)) == sorted(map(int, drawn))
    assert said.endswith("\r\033[K")    # and leaves nothing behind
    assert "third_party" in out and "\r" not in out


def test_no_bar_stands_among_events(long_capture):
    said, _ = on_terminal("-r", long_capture, "--json", out_too=True)
    for line in said.splitlines():
        json.loads(line)


def test_no_bar_where_nobody_looks(long_capture):
    assert watch("-r", long_capture).stderr == ""


def test_colours_are_asked_of_the_terminal(capture):
    path = capture("BO01-refused.pcap")
    plain = {k: v for k, v in ENVIRONMENT.items() if k != "NO_COLOR"}
    assert "\033[36m" in on_terminal("-r", path, out_too=True, env=plain)[0]
    for no in ("1", "yes"):
        assert "\033" not in on_terminal("-r", path, out_too=True,
                                         env=dict(plain, NO_COLOR=no))[0]


# ---- JSON

def test_json_has_what_eve_s_readers_want(capture):
    done = watch("-r", capture("BO17-nmap-b.pcap"), "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    alert = [e for e in events if e["event_type"] == "alert"][-1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000",
                        alert["timestamp"])
    for key, kind in {"flow_id": int, "pcap_cnt": int, "src_ip": str,
                      "src_port": int, "dest_ip": str, "dest_port": int,
                      "proto": str, "app_proto": str,
                      "community_id": str}.items():
        assert isinstance(alert[key], kind), key
    for key in ("action", "gid", "signature_id", "rev", "signature",
                "category", "severity"):
        assert key in alert["alert"]
    assert alert["ftp_bounce"]["scanner"] == "nmap -b"
    assert re.fullmatch("1:[A-Za-z0-9+/]{27}=", alert["community_id"])
    assert events[-1]["event_type"] == "stats"


def test_events_md_names_every_field_and_counter(capture):
    page = (TOP / "docs/design/events.md").read_text()
    named = set(re.findall(r"`(?:\w+\.)?(\w+)`", page))
    for name in ("BO17-nmap-b.pcap", "BO15-refused.pcap", "BO19.pcap",
                 "EV05-octal-taken.pcap", "FW05-cwd.pcap"):
        for line in watch("-r", capture(name), "--json").stdout.splitlines():
            event = json.loads(line)
            inner = event.get("ftp_bounce", {})
            unnamed = {*event, *inner, *inner.get("scan", {}),
                       *inner.get("packets", {}), *event.get("alert", {}),
                       *event.get("stats", {})} - named
            assert not unnamed


def test_what_the_kernel_dropped_is_a_counter_of_its_own(capture, tmp_path):
    path = tmp_path / "watch.prom"
    watch("-r", capture("BO14-executed.pcap"), "--metrics", path)
    assert "\nportcullis_watch_kernel_dropped_total 0\n" in path.read_text()
    assert 'reason="kernel_dropped"' not in path.read_text()


def test_updates_rise_under_one_id(capture):
    done = watch("-r", capture("BO14-executed.pcap"), "--json")
    alerts = [json.loads(line)["ftp_bounce"] for line in
              done.stdout.splitlines() if '"alert"' in line]
    assert len({a["id"] for a in alerts}) == 1
    assert [a["update"] for a in alerts] == list(range(len(alerts)))
    stages = ["attempt", "accepted", "executed", "completed"]
    ranks = [stages.index(a["stage"]) for a in alerts]
    assert ranks == sorted(ranks)
    again = watch("-r", capture("BO14-executed.pcap"), "--json")
    assert again.stdout == done.stdout  # the same in every run


def test_findings_of_one_connection_share_its_flow(capture):
    done = watch("-r", capture("BO18-completed.pcap"), "--json")
    alerts = [e for e in map(json.loads, done.stdout.splitlines())
              if e["event_type"] == "alert"]
    assert {a["ftp_bounce"]["variant"] for a in alerts} == \
        {"third_party", "payload_relay"}
    assert len({a["flow_id"] for a in alerts}) == 1
    assert 0 < alerts[0]["flow_id"] < 2**53
    other = watch("-r", capture("BO01-refused.pcap"), "--json").stdout
    assert json.loads(other.splitlines()[0])["flow_id"] != \
        alerts[0]["flow_id"]


# ---- other outputs

def test_ftp_log_is_zeek_s(capture, tmp_path):
    log = tmp_path / "ftp.log"
    done = watch("-r", capture("BO18-completed.pcap"), "--zeek-log", log)
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    fields = next(line for line in lines
                  if line.startswith("#fields")).split("\t")[1:]
    types = next(line for line in lines
                 if line.startswith("#types")).split("\t")[1:]
    assert len(fields) == len(types) == 19
    times = [datetime.datetime.strptime(line.split("\t")[1],
                                        "%Y-%m-%d-%H-%M-%S")
             for line in lines if line.startswith(("#open\t", "#close\t"))]
    assert lines[-1].startswith("#close\t") and len(times) == 2
    assert 0 <= (times[1] - times[0]).total_seconds() < 60
    entries = [dict(zip(fields, line.split("\t"))) for line in lines
               if not line.startswith("#")]
    assert all(len(line.split("\t")) == 19 for line in lines
               if not line.startswith("#"))
    commands = [e["command"] for e in entries]
    assert {"STOR", "PORT", "RETR"} <= set(commands)
    assert {e["password"] for e in entries} == {"<hidden>"}
    port = entries[commands.index("PORT")]
    assert port["data_channel.passive"] == "F"
    assert port["data_channel.resp_h"] == "203.0.113.99"
    assert port["data_channel.resp_p"] == "25"
    assert port["reply_code"] == "200"
    assert len({e["uid"] for e in entries}) == 1


def ftp_log(path, place):
    """The lines of the ftp.log of a capture, each by its fields' names."""
    log = place / "some-ftp.log"
    assert watch("-r", path, "--zeek-log", log).returncode == 0
    lines = log.read_text().splitlines()
    fields = next(line for line in lines
                  if line.startswith("#fields")).split("\t")[1:]
    return [dict(zip(fields, line.split("\t"))) for line in lines
            if not line.startswith("#")]


@pytest.mark.parametrize("name", ["BO01-unanswered.pcap",
                                  "EV23-one-sided.pcap"])
def test_ftp_log_has_commands_that_nobody_answered(capture, tmp_path, name):
    port = ftp_log(capture(name), tmp_path)[-1]
    assert port["command"] == "PORT"
    assert port["arg"] == "203,0,113,99,195,80"
    assert (port["reply_code"], port["reply_msg"]) == ("-", "-")
    assert port["data_channel.resp_h"] == "203.0.113.99"


def dialogue(*lines):
    """A capture of a session that is logged in: commands and replies."""
    net = wire.Net(1)
    session = FtpSession(net).ready()
    for command, reply in lines:
        session.cmd(command, reply)
    session.quit()
    return wire.pcap(net.frames, wire.Ethernet.number)


def test_ftp_log_names_files_by_url(tmp_path):
    path = tmp_path / "walk.pcap"
    path.write_bytes(dialogue(
        ("DELE a", "550 No."),
        ("CWD /pub/x", "250 OK."), ("DELE b", "550 No."),
        ("CWD y/../z", "250 OK."), ("DELE c", "550 No."),
        ("CWD q", "550 No."), ("DELE /top", "550 No."),
        ("CDUP", "250 OK."), ("CDUP", "250 OK."), ("CDUP", "250 OK."),
        ("CDUP", "250 OK."), ("DELE d", "550 No."),
        ("PWD", '257 "/home" is here.'), ("DELE e//f/./g", "550 No."),
        ("ACCT secret", "202 No."),
    ))
    log = ftp_log(path, tmp_path)
    top = "ftp://192.0.2.21"
    assert [e["arg"] for e in log] == [
        f"{top}/./a", f"{top}/pub/x/b", f"{top}/pub/x/z/c", f"{top}/top",
        f"{top}/d", f"{top}/home/e/f/g", "<hidden>"]


def test_ftp_log_escapes_what_the_network_says(capture, tmp_path):
    log = tmp_path / "ftp.log"
    watch("-r", capture("EV12-end-refused.pcap"), "--zeek-log", log)
    assert all(re.fullmatch(r"[\x20-\x7e\t]*", line)
               for line in log.read_text("latin-1").splitlines())


def test_metrics_are_prometheus_text(capture, tmp_path):
    path = tmp_path / "watch.prom"
    path.write_text("x" * 100000)  # what was longer goes
    watch("-r", capture("BO14-executed.pcap"), "--metrics", path)
    values = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) portcullis_watch_\w+ ", line)
            continue
        name, value = re.fullmatch(
            r'(portcullis_watch_\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})?) '
            r"(\d+)", line).groups()
        values[name] = int(value)
    assert values["portcullis_watch_control_total"] == 1
    assert sum(value for name, value in values.items()
               if "findings{" in name) == 1


FAIL2BAN = TOP / "build-tools"     # unpacked by script/bootstrap


def banned(path, name):
    modules = FAIL2BAN / "usr/lib/python3/dist-packages"
    filter_file = path.with_name(f"{name}.conf")  # it takes no path with blanks
    shutil.copy(TOP / f"dist/fail2ban/filter.d/{name}.conf", filter_file)
    out = subprocess.run(
        ["/usr/bin/python3", str(FAIL2BAN / "usr/bin/fail2ban-regex"),
         str(path), str(filter_file)],
        capture_output=True, text=True, timeout=60,
        env=dict(os.environ, PYTHONPATH=str(modules),
                 PYTHONDONTWRITEBYTECODE="1")).stdout
    return int(re.search(r"(\d+) matched", out).group(1)) > 0


@pytest.mark.skipif(not FAIL2BAN.exists(), reason="no fail2ban here")
@pytest.mark.parametrize("name, executed, repeated", [
    ("BO14-executed.pcap", True, False),
    ("BO01-completed.pcap", True, False),
    ("EV05-octal-taken.pcap", True, False),
    ("BO14-refused.pcap", False, True),
    ("BO01-refused.pcap", False, False),    # once
    ("BO28.pcap", False, False),
    ("BE01-once.pcap", False, False),
    ("BE01-every-time.pcap", False, False),
    ("BE02.pcap", False, False),
    ("BO00.pcap", False, False),
    ("PT01-stolen.pcap", False, False),     # the client is the victim
    ("BO23-refused.pcap", False, False),
])
def test_fail2ban_bans_who_bounces_and_no_one_else(capture, tmp_path, name,
                                                   executed, repeated):
    log = tmp_path / "watch.log"
    watch("-r", capture(name), "--syslog-file", log)
    assert banned(log, "portcullis") == executed
    assert banned(log, "portcullis-attempt") == repeated


def test_syslog_lines_hold_nothing_of_the_network_s(capture, tmp_path):
    log = tmp_path / "watch.log"
    watch("-r", *[capture(n) for n in list(CAPTURES)[:60]],
          "--syslog-file", log)
    for line in log.read_text().splitlines():
        assert re.fullmatch(
            r"\S+ \S+ portcullis-watch: finding=[0-9a-f]{16} variant=\w+ "
            r"stage=\w+ level=\w+ client=[\da-f.:]+ server=\S+ asked=\S+ "
            r"attempts=\d+", line), line


def test_syslog_without_a_listener_is_said(capture):
    if os.path.exists("/dev/log"):
        pytest.skip("somebody listens here")
    done = watch("-r", capture("BO01-refused.pcap"), "--syslog")
    assert done.returncode == 1
    assert "/dev/log: No such file" in done.stderr


# A /dev of our own, with a listener that is no service.
OWN_DEV = """
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
s.settimeout(1)
try:
    while True:
        sys.stdout.write(s.recv(4096).decode() + "\\n")
except TimeoutError:
    pass
"""
IN_OWN_DEV = """
set -e
mkdir "$1/dev"
mount --rbind /dev "$1/dev"
mount -t tmpfs none /dev
for n in null full random urandom; do
    : >/dev/$n
    mount --bind "$1/dev/$n" /dev/$n
done
shift
exec "$@"
"""


@pytest.mark.skipif(not IS_ROOT, reason="needs a /dev of its own")
def test_syslog_gets_the_same_lines(capture, tmp_path):
    log = tmp_path / "watch.log"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", IN_OWN_DEV, "sh", str(tmp_path),
         "/usr/bin/python3", "-c", OWN_DEV, str(BUILD / "portcullis"),
         "watch", "-r", str(capture("BO14-executed.pcap")), "--syslog",
         "--syslog-file", str(log)],
        capture_output=True, text=True, timeout=60, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    filed = log.read_text().splitlines()
    assert len(said) == len(filed) > 1
    for line, twin in zip(said, filed):
        # authpriv is 10; warning 4, notice 5
        assert re.match(r"<8[45]>\w{3} [ \d]\d [\d:]{8} portcullis-watch: ",
                        line), line
        assert line.split("portcullis-watch: ")[1] == \
            twin.split("portcullis-watch: ")[1]


def test_fail_on_is_for_scripts(capture):
    path = capture("BO01-refused.pcap")  # low
    assert watch("-r", path, "--fail-on", "low").returncode == 1
    assert watch("-r", path, "--fail-on", "medium").returncode == 0
    assert watch("-r", capture("BO00.pcap"), "--fail-on",
                 "info").returncode == 0


# ---- explain

def variants():
    text = (TOP / "src/policy/kinds.h").read_text()
    return re.findall(r"^\tX\((\w+), +[A-Z]+, +[A-Z]+,", text, re.M)[1:]


@pytest.mark.parametrize("name", [*variants(), "BO14", "pt01", "FW02", "EV16",
                                  "BE01"])
def test_every_variant_is_explained(name):
    done = watch("--explain", name)
    assert done.returncode == 0
    for label in ("what", "why", "server", "harmless", "level", "source"):
        assert re.search(rf"^  {label} +\S", done.stdout, re.M), label
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("row", rows.IDS)
def test_every_row_is_explained_as_what_it_is_reported_as(row):
    done = watch("--explain", row.lower())
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert re.fullmatch(rf"{row}: \S.*", lines[0])
    told = {finding.variant for c in rows.CAPTURES if c.id == row
            for finding in c.findings}
    if told:
        assert lines[1].split(":")[0] in told
    else:
        assert "no alert" in lines[1]


def test_what_does_not_exist_is_not_explained():
    done = watch("--explain", "bo99")
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(name in done.stderr for name in [*variants(), *rows.IDS])


# ---- bad input

def damaged(capture):
    whole = capture("BO14-executed.pcap").read_bytes()
    yield "cut.pcap", whole[:-7], "packet"
    yield "cut.pcapng", \
        CAPTURES["EV28-pcapng.pcapng"].make()[:-33], "packet"
    yield "noise.pcap", os.urandom(4096), ""
    yield "empty.pcap", b"", ""
    yield "cut.pcap.gz", gzip.compress(whole)[:-20], ""
    yield "text.txt", b"PORT 1,2,3,4,5,6\r\n" * 100, ""


def test_what_is_no_capture_is_said(capture, tmp_path):
    good = capture("PT07-data.pcap")
    for name, body, words in damaged(capture):
        path = tmp_path / name
        path.write_bytes(body)
        done = watch("-r", path, good)
        assert done.returncode == 1, name
        assert name in done.stderr and words in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        found = done.stdout.count("  evidence ")
        assert found == (2 if name.startswith("cut") else 1)  # the rest counts
        alone = watch("-r", path)
        assert alone.returncode == 1
        if not name.startswith("cut"):
            assert "No alert" not in alone.stdout  # nobody has looked


def test_a_cut_capture_says_how_far_it_got(capture, tmp_path):
    whole = capture("BO14-executed.pcap").read_bytes()
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole[:-7])
    done = watch("-r", path)
    assert done.returncode == 1
    seen = int(re.match(r"(\d+) packets", done.stdout).group(1))
    assert re.search(rf"\b{seen}\b", done.stderr), done.stderr
    assert "scan_vertical" in done.stdout


@pytest.mark.parametrize("name, words", [
    ("missing.pcap", "No such file"), (".", "directory"),
])
def test_what_cannot_be_opened_is_said(tmp_path, name, words):
    done = watch("-r", tmp_path / name)
    assert done.returncode == 1
    assert words.lower() in done.stderr.lower()


def test_an_unreadable_file_is_said(capture):
    path = capture("BO01-refused.pcap")
    path.chmod(0)
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if IS_ROOT else []
    done = subprocess.run([*nobody, str(BUILD / "portcullis"), "watch", "-r",
                           str(path)], capture_output=True, text=True,
                          env=ENVIRONMENT)
    assert done.returncode == 1
    assert "ermission" in done.stderr


@pytest.mark.parametrize("option", ["-o", "--zeek-log", "--metrics",
                                    "--syslog-file"])
def test_an_output_that_cannot_be_written_is_said(capture, option, tmp_path):
    path = capture("BO14-executed.pcap")
    done = watch("-r", path, option, tmp_path / "no" / "such")
    assert done.returncode == 1
    assert "No such file" in done.stderr
    assert done.stdout == ""  # nothing half-started
    done = watch("-r", path, option, "/dev/full")
    assert done.returncode == 1, option
    assert "/dev/full: " in done.stderr


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_full_disk_is_said(capture, form):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(BUILD / "portcullis"), "watch", "-r",
             str(capture("BO14-executed.pcap")), *form], stdout=full,
            stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    assert done.returncode == 1
    assert done.stderr == "portcullis watch: standard output: " \
        "No space left on device\n"


@pytest.mark.parametrize("args", [
    [], ["-r"], ["--fail-on", "worse", "-r", "x"], ["--memory", "0", "-r",
    "x"], ["--group", "all", "-r", "x"], ["-i", "lo", "-r", "x"],
    ["--json", "-o", "x", "-r", "y"], ["--nonsense"], ["-f", "tcp", "-r",
    "x"],
])
def test_wrong_usage_is_told_and_ends_with_2(args):
    done = watch(*args)
    assert done.returncode == 2
    assert "portcullis watch" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["-o", "--zeek-log", "--metrics",
                                    "--syslog-file"])
def test_what_is_to_be_read_is_not_overwritten(capture, option, tmp_path):
    path = capture("BO14-executed.pcap")
    other = tmp_path / "same.pcap"
    other.hardlink_to(path)
    whole = path.read_bytes()
    for name in (path, other):
        done = watch("-r", path, option, name)
        assert done.returncode == 2
        assert done.stderr == f"portcullis watch: {name}: is to be read, " \
            "and would be overwritten\n"
        with path.open("rb") as stdin:
            assert watch("-r", "-", option, name, stdin=stdin).returncode == 2
    assert path.read_bytes() == whole


def test_standard_input_and_gzip(capture):
    path = capture("BO14-executed.pcap")
    plain = watch("-r", path, "--json").stdout
    body = gzip.compress(path.read_bytes())
    done = subprocess.run([str(BUILD / "portcullis"), "watch", "--json", "-r",
                           "-"], input=body, capture_output=True, timeout=60,
                          env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == plain


def test_the_manual_knows_every_option():
    usage = watch("--help").stdout
    page = (TOP / "docs/man/portcullis-watch.1").read_text()
    options = re.findall(r"--([a-z-]+)", usage)
    assert len(options) > 15
    for option in options:
        assert re.search(rf"\bFl -{option}\b", page), option
