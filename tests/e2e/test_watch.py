# tests/e2e/test_watch.py: what the sensor says of each row of the list.
# SPDX-License-Identifier: Apache-2.0
"""Every capture of tests/captures against its line of truth."""

import ast
import json
import pathlib
import subprocess
import sys

import pytest

from conftest import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from captures import rows, talk, wire  # noqa: E402


def watch(*args, **kw):
    return subprocess.run([str(BUILD / "portcullis"), "watch", *map(str, args)],
                          capture_output=True, timeout=120, **kw)


def events(text):
    return [json.loads(line) for line in text.decode().splitlines()]


def place(ip, port):
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def final(lines):
    """The findings as they stand at the end, by id, and the counters."""
    found, stats = {}, {}
    for e in lines:
        if e["event_type"] == "alert":
            found[e["ftp_bounce"]["id"]] = e
        elif e["event_type"] == "stats":
            stats = e["stats"]
    return list(found.values()), stats


def as_truth(e):
    b = e["ftp_bounce"]
    asked = place(b["asked_ip"], b["asked_port"]) if "asked_ip" in b else "-"
    return " ".join((b["variant"], b["stage"], b["level"],
                     place(e["src_ip"], e["src_port"]).rsplit(":", 1)[0]
                     .strip("[]"), place(e["dest_ip"], e["dest_port"])
                     .rsplit(":", 1)[0].strip("[]"), asked))


def ports(scan):
    return {int(port): state for state in ("open", "closed", "filtered")
            for port in scan.get(state, [])}


@pytest.mark.parametrize("row", [c for c in rows.CAPTURES if not c.slow],
                         ids=lambda c: c.file)
def test_row(row, tmp_path):
    path = tmp_path / row.file
    path.write_bytes(row.make())
    done = watch("-r", path, "--json", *row.args.split())
    assert done.returncode == 0, done.stderr
    found, stats = final(events(done.stdout))
    assert sorted(map(as_truth, found)) == sorted(map(str, row.findings))
    bounces = [e["ftp_bounce"] for e in found]
    if row.label:
        assert row.label in [b.get("scanner") for b in bounces]
    if row.scan:
        assert row.scan in [ports(b["scan"]) for b in bounces if "scan" in b]
    if row.readings:
        assert set(row.readings) <= {r for b in bounces
                                     for r in b.get("readings", [])}
    if row.confidence:
        assert row.confidence in [b["confidence"] for b in bounces]
    if row.offset is not None:
        assert row.offset in [b.get("offset") for b in bounces]
    for name in row.counters:
        assert stats[name] > 0, name


# ---- the rows that the server's own tests run from

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "bounce.tsv"


def vector_rows():
    """Lines that a client sends, and what the server says of them."""
    for number, line in enumerate(VECTORS.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        name, when, sent, peer, server, kind, reply = line.split("\t")
        if when in ("accepting", "reading") or "ffff" in peer:
            continue
        sent = ast.literal_eval("b'" + sent.replace("'", "\\'") + "'")
        yield pytest.param(when, sent, peer, server, kind, reply,
                           id=f"{name}-line{number}")


def spoken(when, sent, peer, server, reply):
    net = wire.Net(1)
    session = talk.FtpSession(net, wire.Host(peer, 60, 20000),
                              wire.Host(server)).greet()
    if when != "greeted":
        session.login().settle()
    if when == "epsv_all":
        session.cmd("EPSV ALL", "200 Done.")
    lines = sent.count(b"\n")
    session.cmd(sent, *["200 Done."] * (lines - 1), f"{reply} As it is.")
    session.quit()
    return wire.pcap(net.frames, net.link.number)


@pytest.mark.parametrize("when, sent, peer, server, kind, reply",
                         vector_rows())
def test_the_sensor_judges_as_the_server_does(tmp_path, when, sent, peer,
                                              server, kind, reply):
    path = tmp_path / "row.pcap"
    path.write_bytes(spoken(when, sent, peer, server, reply))
    done = watch("-r", path, "--json")
    assert done.returncode == 0, done.stderr
    found, _ = final(events(done.stdout))
    variants = {e["ftp_bounce"]["variant"] for e in found}
    if b"HTTP" in sent:
        kind = "cross_protocol"
    elif sent[:4] in (b"CPSV", b"SSCN", b"SPSV"):
        kind = "fxp"  # the server answers 502, and that is all
    wanted = {kind} - {"none", "-"}
    if sent.count(b"\n") > 1:  # the kind is the last line's
        assert wanted <= variants
        return
    assert variants == wanted
    assert {e["ftp_bounce"]["stage"] for e in found} <= {"attempt"}
