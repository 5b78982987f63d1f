# tests/e2e/test_watch.py: what the sensor says of each row of the list.
# SPDX-License-Identifier: Apache-2.0
"""Every capture of tests/captures against its line of truth."""

import json
import pathlib
import subprocess
import sys

import pytest

from conftest import BUILD

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from captures import rows  # noqa: E402


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
