# tests/e2e/test_captures.py: the captures are what they claim to be.
# SPDX-License-Identifier: Apache-2.0
"""The sensor is judged by these captures, so somebody else must judge them
first: tshark for the packets, docs/design/sensor.md's table for the levels."""

import collections
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from captures import wire  # noqa: E402
from captures.__main__ import main  # noqa: E402
from captures.rows import CAPTURES, IDS  # noqa: E402
from captures.truth import LEVELS, STAGES  # noqa: E402

FAST = [made for made in CAPTURES if not made.slow]
needs_tshark = pytest.mark.skipif(not shutil.which("tshark"),
                                  reason="needs tshark")


# ---- truth

# docs/design/sensor.md, "What a finding is": the level of an attempt, the
# level of what was executed; None where that stage does not exist.
TABLE = {
    "third_party": ("medium", "high"),
    "privileged_port": ("medium", "high"),
    "loopback": ("high", "critical"),
    "self": ("high", "critical"),
    "internal": ("high", "critical"),
    "invalid_target": ("medium", "high"),
    "malformed": ("low", "medium"),
    "preauth": ("low", "high"),
    "epsv_all": ("low", "high"),
    "evasion": ("medium", "high"),
    "stale_address": (None, "low"),
    "port_flood": ("medium", "medium"),
    "scan_vertical": ("high", "critical"),
    "scan_horizontal": ("high", "critical"),
    "scan_slow": ("high", "critical"),
    "payload_relay": ("critical", "critical"),
    "chained_control": ("critical", "critical"),
    "fxp": ("info", "info"),
    "pasv_theft": ("high", "high"),
    "pasv_race": ("medium", "medium"),
    "pasv_redirect": ("high", "high"),
    "active_hijack": ("high", "high"),
    "pasv_private": ("info", "info"),
    "pasv_predictable": ("info", "info"),
    "pasv_exhaustion": ("medium", "medium"),
    "alg_holepunch": ("high", "high"),
    "alg_reply_injection": ("high", "high"),
    "unexplained_data_syn": (None, "medium"),
}
# Those that are about a command which a server can refuse.
REFUSABLE = ("third_party", "privileged_port", "loopback", "self", "internal",
             "invalid_target", "malformed", "preauth", "epsv_all", "evasion",
             "scan_vertical", "scan_horizontal", "scan_slow")
# Exceptions for benign look-alikes, and what has a level of its own.
EXCEPTIONS = {
    ("third_party", "info"): ("BO08-same-64", "BE06-same-64", "BE06-group"),
    ("internal", "low"): ("BE01-once", "BE01-every-time", "BO17-nse-refused"),
}


def one_down(level):
    if LEVELS.index(level) <= LEVELS.index("low"):
        return level
    return LEVELS[LEVELS.index(level) - 1]


def one_up(level):
    return LEVELS[min(len(LEVELS) - 1, LEVELS.index(level) + 1)]


def asked_port(finding):
    return int(finding.asked.rsplit(":", 1)[1]) if finding.asked != "-" else 0


def permitted_levels(finding):
    """What the table permits; an attempt may have been refused or not."""
    if finding.variant == "cross_protocol":
        return {"high", "medium"}
    executed = STAGES.index(finding.stage) >= STAGES.index("executed")
    level = TABLE[finding.variant][executed]
    assert level, f"{finding.variant} has no stage {finding.stage}"
    if finding.variant == "third_party" and 0 < asked_port(finding) < 1024:
        level = one_up(level)
    if finding.variant == "pasv_theft" and finding.stage == "completed":
        level = one_up(level)
    if finding.stage == "attempt" and finding.variant in REFUSABLE:
        return {level, one_down(level)}
    return {level}


def stem(made):
    return pathlib.Path(made.file).stem


def test_every_row_has_a_capture():
    assert sorted({made.id for made in CAPTURES}) == sorted(IDS)
    families = collections.Counter(id[:2] for id in IDS)
    assert families == {"BO": 30, "PT": 11, "FW": 7, "EV": 31, "BE": 7}


@pytest.mark.parametrize("made", CAPTURES, ids=stem)
def test_truth_agrees_with_the_table_of_levels(made):
    for finding in made.findings:
        assert finding.stage in STAGES
        if stem(made) in EXCEPTIONS.get((finding.variant, finding.level), ()):
            continue
        assert finding.level in permitted_levels(finding), str(finding)


def test_benign_rows_stay_below_medium():
    for made in CAPTURES:
        if made.id.startswith("BE"):
            assert all(f.level in ("info", "low") for f in made.findings)


# ---- files

def test_output_is_deterministic(tmp_path):
    for turn in ("one", "two"):
        assert main([str(tmp_path / turn)]) == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == len(FAST) + 1
    for name in names:
        one, two = (tmp_path / turn / name for turn in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), name


def test_truth_file_has_a_line_for_each(tmp_path):
    assert main([str(tmp_path), "--only", "BO14"]) == 0
    lines = (tmp_path / "truth.tsv").read_text().splitlines()
    columns = lines[0].removeprefix("# ").split("\t")
    for line in lines[1:]:
        row = dict(zip(columns, line.split("\t"), strict=True))
        assert row["id"] == "BO14"
        assert (tmp_path / row["file"]).stat().st_size > 24


def test_unknown_row_is_refused(tmp_path, capsys):
    assert main([str(tmp_path), "--only", "XX99"]) == 2
    assert "no such row" in capsys.readouterr().err


# ---- packets, as tshark sees them

HOUR_NS = 3600 * wire.S
BAD = ("_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0"
       " || udp.checksum.status == 0")


def tshark(path, *options):
    """Its lines, with checksums checked.  Services on the ports that scans
    touch are not looked into: what is said there is no such protocol."""
    return subprocess.run(
        ["tshark", "-n", "-r", path, "-o", "tcp.check_checksum:TRUE",
         "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
         *(f"--disable-protocol={name}" for name in
           ("http", "smtp", "tls", "ssh", "nbss", "rdp", "postgresql")),
         *options],
        check=True, capture_output=True, text=True).stdout.splitlines()


def joined(path, captures):
    """All of them in one file, an hour apart, so that tshark starts once;
    returns which capture each frame belongs to."""
    frames, owner, shift = [], [], 0
    for made in captures:
        net = made.capture_net()
        frames += [(ns + shift, frame) for ns, frame in net.frames]
        owner += [made] * len(net.frames)
        shift = frames[-1][0] - wire.EPOCH_NS + HOUR_NS
    path.write_bytes(wire.pcap(frames, captures[0].link_number))
    return owner


@pytest.fixture(scope="module")
def by_link(tmp_path_factory):
    """(file, owners of its frames) for each kind of link."""
    directory = tmp_path_factory.mktemp("joined")
    groups = collections.defaultdict(list)
    for made in FAST:
        groups[made.link_number].append(made)
    return [(directory / f"{number}.pcap",
             joined(directory / f"{number}.pcap", captures))
            for number, captures in groups.items()]


@needs_tshark
def test_nothing_is_malformed_that_is_not_meant_to_be(by_link):
    bad = set()
    for path, owner in by_link:
        for line in tshark(path, "-Y", BAD, "-T", "fields", "-e",
                           "frame.number"):
            bad.add(stem(owner[int(line) - 1]))
    meant = {stem(made) for made in FAST if made.malformed}
    assert bad == meant


# What tshark cannot read as FTP, and why.
NO_USER = {
    "FW01-port", "FW01-used", "FW01-slipstream",   # speak no FTP
    "BO23-closed", "FW03-spoofed", "FW03-used",    # never log in
    "FW04-greeted", "FW04-one-segment", "FW04-eager", "FW04-get",
    "FW06-auth-tls", "FW06-implicit", "FW06-clear-port", "FW06-alpn-ftp",
    "FW06-no-alpn",
    "EV22-refused", "EV22-completed",              # port 2121
    "EV23-midstream", "EV23-midstream-executed",
    "EV24-closed", "EV24-completed", "EV24-any-port", "EV24-own-address",
    "EV24-any-port-later", "EV25-refused", "EV25-executed",
    "EV25-line-ends", "EV25-mimic", "EV25-same-segment", "EV25-odd-byte",
    "EV25-looks-clear",
}


@needs_tshark
def test_tshark_reads_the_sessions(by_link):
    logged_in = set()
    for path, owner in by_link:
        for line in tshark(path, "-Y", 'ftp.request.command == "USER"',
                           "-T", "fields", "-e", "frame.number"):
            logged_in.add(stem(owner[int(line) - 1]))
    assert {stem(made) for made in FAST} - logged_in == NO_USER


@needs_tshark
@pytest.mark.parametrize("form", ["nanoseconds", "big-endian", "pcapng"])
def test_file_forms_are_read(tmp_path, form):
    assert main([str(tmp_path), "--only", f"EV28-{form}"]) == 0
    (path,) = tmp_path.glob("EV28*")
    lines = tshark(path, "-Y", "ftp.request.command", "-T", "fields", "-e",
                   "frame.time_epoch", "-e", "ftp.request.command")
    assert [line.split("\t")[1] for line in lines] == [
        "USER", "PASS", "SYST", "TYPE", "PORT", "QUIT"]
    assert lines[0].startswith(str(wire.EPOCH_NS // wire.S))
