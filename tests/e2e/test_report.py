# tests/e2e/test_report.py: what `portcullis report` says of event files.
# SPDX-License-Identifier: Apache-2.0

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, SANITIZED, plain_build, run_measured

NEEDS = {name: pytest.mark.skipif(not shutil.which(name),
                                  reason=f"needs {name}")
         for name in ("curl", "lftp")}


def report(*args, status=0, **kwargs):
    done = subprocess.run([BUILD / "portcullis", "report", *map(str, args)],
                          capture_output=True, timeout=120, **kwargs)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, (done.returncode, err)
    assert "Sanitizer" not in err and "runtime error" not in err, err
    return out, err


def as_json(*args, **kwargs):
    out, _ = report("--json", *args, **kwargs)
    assert out.count("\n") == 1
    return json.loads(out)


def event(kind="ftp_data", client="198.51.100.7", day="2026-11-24", **more):
    return {"timestamp": f"{day}T01:48:17.820753+0000", "event_type": kind,
            "flow_id": 1, "src_ip": client, "src_port": 41822,
            "dest_ip": "192.0.2.21", "dest_port": 21, "proto": "TCP", **more}


def transfer(name="/pub/t2m/a", size=100, mode="passive", result="complete",
             command="RETR", ms=10, **more):
    return event(ftp_data={
        "command": command, "filename": name, "bytes": size,
        "duration_ms": ms, "offset": 0, "mode": mode, "tls": False,
        "result": result, "completion_code": ["226"]}, **more)


def alert(variant="third_party", action="blocked", asked="203.0.113.9",
          **more):
    return event("alert", alert={"action": action, "severity": 2},
                 ftp_bounce={"variant": variant, "stage": "attempt",
                             "asked_ip": asked, "asked_port": 7}, **more)


def write(path, *events):
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    return path


# ---- a real log

@NEEDS["curl"]
@NEEDS["lftp"]
def test_the_numbers_are_those_of_what_was_transferred(serve, place):
    server = serve()
    sizes = {"README": 19, "small.nc": 1024, "big.grib2": 5_000_001}

    def curl(path, *args):
        subprocess.run(["curl", "-sS", "-o", place / "out", *args,
                        server.url(path)], check=True, timeout=60)

    for name in sizes:
        curl(f"pub/{name}")
    curl("pub/big.grib2", "--ftp-port", "-")
    curl("pub/small.nc", "--ftp-port", "-")
    curl("pub/data/", "--ftp-port", "-")
    subprocess.run(
        ["lftp", "-c", f"set ftp:passive-mode off; set ftp:ssl-allow no; "
         f"open {server.url()}; get pub/data/2023/t2m.grib2 -o "
         f"{place / 'lftp-out'}; bye"], check=True, timeout=60)
    assert (place / "lftp-out").stat().st_size == 70000
    with server.login() as c:                       # refused, and 425
        assert c.cmd("PORT 10,0,0,1,10,0").code == 504
        assert c.cmd("PORT 127,0,0,1,0,25").code == 504
    server.events("ftp_data", want=7)
    server.stop()

    got = as_json(server.events_file)
    total = got["total"]
    listed = total["bytes"] - sum(sizes.values()) - 5_000_001 - 1024 - 70000
    assert 0 < listed < 1000
    assert total["files"] == total["files_whole"] == 6
    assert total["active"] == 4 and total["passive"] == 3
    assert total["active_bytes"] == 5_000_001 + 1024 + 70000 + listed
    assert total["passive_bytes"] == sum(sizes.values())
    assert total["incomplete"] == 0 and total["alerts"] == 2
    assert total["sessions"] == total["logins"] == 8
    assert total["login_failures"] == 0
    assert {d["dataset"]: d["files"] for d in got["datasets"]
            if d["depth"] == 2} == {"/pub": 5, "/pub/data": 1}
    assert {f["file"]: f["files"] for f in got["files"]} == {
        "/pub/README": 1, "/pub/small.nc": 2, "/pub/big.grib2": 2,
        "/pub/data/2023/t2m.grib2": 1}
    (network,) = got["networks"]
    assert network["network"] == "127.0.0.0/24"
    assert network["clients_both"] == 1
    assert network["clients_active_only"] == 0
    assert sum(a["alerts"] for a in got["alerts"]) == 2
    assert "10.0.0.1" in {a["asked_ip"] for a in got["asked"]}
    counters = {c["counter"]: c["at_least"] for c in got["counters"]}
    assert counters["worker.transfers_active"] == 4
    assert counters["gate.events_dropped"] == 0
    assert got["input"]["bad"] == 0
    assert got["input"]["lines"] == got["input"]["events"]

    text, err = report(server.events_file)
    assert err == ""
    assert "No event was lost" in text
    assert re.search(r"active +4 transfers \(57\.1%\)", text), text
    assert max(map(len, text.split("\n"))) <= 80


def test_a_download_that_was_broken_off_is_told(server):
    with server.login() as c:
        listener = c.active()
        c.send("RETR pub/big.grib2\r\n")
        data, _ = listener.accept()
        assert c.read().code == 150
        data.recv(1000)
        data.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")     # close resets
        data.close()
        c.read()
        listener = c.active()
        listener.close()
        assert c.cmd("RETR pub/README").code in (150, 425)
    server.events("ftp_data", want=2)
    got = as_json(server.events_file)
    assert got["total"]["incomplete"] == 2
    assert got["total"]["active_failed"] == 1
    assert {r["result"] for r in got["results"]} == {"peer_closed",
                                                     "not_connected"}


# ---- files

def test_rotated_compressed_and_piped_files_count_alike(place):
    days = [transfer(day=f"2026-11-2{i}", size=10 ** i) for i in range(4)]
    whole = write(place / "whole", *days)
    parts = [write(place / f"events.{i}", e) for i, e in enumerate(days)]
    packed = place / "events.0.gz"
    packed.write_bytes(b"".join(gzip.compress(part.read_bytes())
                                for part in parts[:2]))
    wanted = as_json(whole)
    del wanted["input"]
    for args, given in (([packed, parts[3], parts[2]], None),
                        ([parts[2], "-", parts[3]], packed.read_bytes()),
                        (["-"], whole.read_bytes())):
        got = as_json(*args, input=given)
        assert got["input"]["files"] == len(args)
        del got["input"]
        # Tables stand in order of appearance only where that is no matter.
        assert got == wanted
    assert [d["bytes"] for d in wanted["days"]] == [1, 10, 100, 1000]


def test_a_file_that_is_named_twice_is_read_once(place):
    log = write(place / "log", transfer())
    (place / "link").symlink_to(log)
    out, err = report("--json", log, place / "link")
    assert json.loads(out)["total"]["files"] == 1
    assert f"{place / 'link'} is {log}, and is read once" in err


def test_the_last_line_of_a_live_log_may_be_unfinished(place):
    line = json.dumps(transfer())
    log = place / "log"
    for end, files, unfinished in (("", 2, 0), (line[:50], 2, 1),
                                   (line, 3, 0)):
        log.write_text(f"{line}\n{line}\n{end}")
        got = as_json(log)
        assert got["total"]["files"] == files
        assert got["input"]["unfinished"] == unfinished
        assert got["input"]["bad"] == 0


def test_lines_that_are_no_events_are_counted_and_the_first_named(place):
    good = json.dumps(transfer())
    one = place / "one"
    one.write_text(good + "\n")
    two = place / "two"
    two.write_bytes(f"{good}\n".encode() + b"\xff\x00\n\n" + b"x" * 200_000
                    + f"\n{good}\n".encode())
    text, _ = report(one, two)
    assert "3 lines are no event; the first is\n" in text
    assert f"{two}:2: no JSON" in text
    got = as_json(one, two)
    assert got["total"]["files"] == 3
    assert got["input"]["bad"] == 3 and got["input"]["lines"] == 6
    assert got["input"]["bad_line"] == 2


def test_a_file_without_any_event_is_the_wrong_one(place):
    log = place / "xferlog"
    log.write_text("Tue Nov 24 01:48:17 2026 0 198.51.100.7 1 /a b _ o a "
                   "x ftp 0 * c\n")
    _, err = report(log, status=1)
    assert f"no line is an event; {log}:1: no JSON" in err


@pytest.mark.parametrize("what", ["missing", "directory", "cut"])
def test_an_input_that_fails_is_told_and_the_others_count(place, what):
    good = write(place / "good", transfer())
    bad = place / "bad"
    if what == "directory":
        bad.mkdir()
    elif what == "cut":
        packed = gzip.compress(
            (json.dumps(transfer()) + "\n").encode() * 5000)
        bad.write_bytes(packed[:-20])
    out, err = report("--json", bad, good, status=1)
    assert f"portcullis report: {bad}" in err
    assert {"missing": "No such file", "directory": "directory",
            "cut": "is cut off"}[what] in err
    assert json.loads(out)["total"]["files"] >= 1


def test_an_output_that_is_full_is_an_error(place):
    log = write(place / "log", transfer())
    for args in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [BUILD / "portcullis", "report", *args, log], stdout=full,
                stderr=subprocess.PIPE)
        assert done.returncode == 1
        assert b"cannot write" in done.stderr


# ---- options

def test_days_can_be_chosen(place):
    log = write(place / "log", *(transfer(day=f"2026-11-{d}", size=d)
                                 for d in range(10, 20)))
    got = as_json("--from", "2026-11-12", "--to", "2026-11-13", log)
    assert got["total"]["bytes"] == 25
    assert got["input"]["outside"] == 8
    assert [d["day"] for d in got["days"]] == ["2026-11-12", "2026-11-13"]


def test_networks_can_have_names(place):
    log = write(place / "log",
                transfer(client="192.0.2.1", mode="active"),
                transfer(client="192.0.2.200"),
                transfer(client="2001:db8::1"),
                transfer(client="2001:db8:1:2::3", mode="active"),
                transfer(client="::ffff:198.51.100.9"))
    names = place / "names"
    names.write_text("# comment\ncampus 192.0.2.0/24 2001:db8::/48\n"
                     "cluster 192.0.2.128/25\n")
    got = as_json("--networks", names, log)
    assert {n["network"]: n["files"] for n in got["networks"]} == {
        "campus": 2, "cluster": 1, "2001:db8:1::/48": 1,
        "198.51.100.0/24": 1}
    text, _ = report("--networks", names, log)
    assert "Without active mode 2 clients of 2 networks would be cut off" \
        in text
    names.write_text("ok 10.0.0.0/8\nbad 10.0.0.0/99\n")
    _, err = report("--networks", names, log, status=2)
    assert f"{names}:2: 10.0.0.0/99: not a network" in err


def test_users_are_told_apart(place):
    named = transfer(size=7)
    named["ftp_data"]["user"] = "wis2-node"
    log = write(place / "log", transfer(size=5), transfer(size=5), named)
    assert [(u["user"], u["files"], u["bytes"])
            for u in as_json(log)["users"]] == [("anonymous", 2, 10),
                                                ("wis2-node", 1, 7)]
    text, _ = report(log)
    users = text.split("\nUsers")[1].split("\n\n")[0]
    assert "anonymous" in users and "wis2-node" in users


def test_what_was_received_is_not_what_was_sent(place):
    """And who moves more stands first, whichever way."""
    named = [transfer(size=size, command=command, result=result)
             for size, command, result in (
                 (900, "STOR", "complete"), (60, "APPE", "complete"),
                 (1, "STOU", "peer_closed"), (7, "RETR", "complete"))]
    for one in named:
        one["ftp_data"]["user"] = "wis2-node"
    log = write(place / "log", transfer(size=500), *named)
    got = as_json(log)
    keys = ("files", "bytes", "stored", "stored_whole", "stored_bytes")
    assert [got["total"][k] for k in keys] == [2, 507, 3, 2, 961]
    assert [[u[k] for k in ("user", *keys)] for u in got["users"]] == [
        ["wis2-node", 1, 7, 3, 2, 961], ["anonymous", 1, 500, 0, 0, 0]]
    text, _ = report(log)
    assert "sent      507 B: 2 files (2 whole)" in text
    assert "received  961 B: 3 files (2 whole)" in text
    assert re.search(r"\nUsers +files listings +received +sent +share\n"
                     r"wis2-node +1 +0 +961 B +7 B +1\.4%\n"
                     r"anonymous +1 +0 +0 B +500 B +98\.6%\n", text), text
    assert max(map(len, text.split("\n"))) <= 80
    assert "received" not in report(write(place / "log", transfer()))[0]


def test_depth_and_top_bound_the_tables(place):
    log = write(place / "log", *(transfer(name=f"/a/b{i % 7}/c{i}/d", size=i)
                                 for i in range(50)))
    got = as_json("--depth", 3, "--top", 0, log)
    by_depth = {d: [x for x in got["datasets"] if x["depth"] == d]
                for d in (1, 2, 3)}
    assert [len(by_depth[d]) for d in (1, 2, 3)] == [1, 7, 50]
    for rows in by_depth.values():
        assert sum(x["bytes"] for x in rows) == sum(range(50))
    text, _ = report("--depth", 3, "--top", 4, log)
    assert "and 46 more (--top)" in text and "/a/b0/c49 " in text


@pytest.mark.parametrize("args", [
    [], ["--from", "yesterday", "x"], ["--to", "2026-02-30", "x"],
    ["--from", "2026-11-24T00:00", "x"], ["--depth", "0", "x"],
    ["--depth", "9", "x"], ["--top", "-1", "x"], ["--nonsense", "x"],
    ["--from", "2026-11-25", "--to", "2026-11-24", "x"],
    ["--networks", "/nowhere", "x"]])
def test_usage_that_is_wrong_is_refused(args):
    out, err = report(*args, status=2)
    assert out == "" and "portcullis report" in err


def test_help_is_printed():
    out, err = report("--help")
    assert out.startswith("usage: portcullis report") and err == ""
    page = pathlib.Path(__file__).parents[2] / "docs/man/portcullis-report.1"
    for option in re.findall(r"--([a-z]+)", out):
        assert f"Fl -{option}" in page.read_text(), option


# ---- what is said

def test_every_reason_is_explained_within_80_columns(place):
    page = pathlib.Path(__file__).parents[2] / "docs/design/events.md"
    words = page.read_text().split("`result`: ")[1].split("\n\n")[0]
    results = set(re.findall(r"`([a-z_]+)`", words)) - {"complete", "xferlog"}
    assert len(results) >= 7
    text, _ = report(write(place / "log", *(transfer(result=r)
                                            for r in results)))
    for result in results:
        assert re.search(rf"^{result} +1 +0 +1  \w.*$", text, re.M), result
    assert max(map(len, text.split("\n"))) <= 80


def test_nobody_has_used_active_mode(place):
    text, _ = report(write(place / "log", transfer()))
    assert "Nobody has used active mode: it can go." in text
    text, _ = report(write(place / "log", transfer(
        mode="active", result="not_connected", size=0)))
    assert "and no connection was made in it: it can go." in text
    text, _ = report(write(place / "log", transfer(mode="active"),
                           transfer()))
    assert "Without active mode nobody would be cut off: 1 client" in text


def test_refusals_are_told_by_kind_client_and_address(place):
    log = write(place / "log", *[alert()] * 3, alert("internal",
                asked="10.0.0.1", client="192.0.2.9"),
                alert("fxp", action="allowed"))
    got = as_json(log)
    assert [(a["variant"], a["action"], a["alerts"]) for a in got["alerts"]] \
        == [("third_party", "blocked", 3), ("fxp", "allowed", 1),
            ("internal", "blocked", 1)]
    assert [(c["client"], c["alerts"]) for c in got["refused"]] == [
        ("198.51.100.7", 4), ("192.0.2.9", 1)]
    text, _ = report(log)
    assert re.search(r"third_party +refused +3 ", text)
    assert re.search(r"fxp +seen only +1 ", text)


def test_commands_that_were_refused_are_told(place):
    def command(verb, *codes):
        return event("ftp", ftp={"action": "command", "command": verb,
                                 "completion_code": list(codes)})
    file = write(place / "events", command("STOR", "550"),
                 command("STOR", "550"), command("RETR", "426"),
                 command("RETR", "226"), command("QUIT"), transfer())
    got = as_json(file)
    assert [(c["command"], c["refused"]) for c in got["commands"]] == [
        ("STOR 550", 2), ("RETR 426", 1)]
    text, _ = report(file)
    assert re.search(r"Commands that were refused.*\nSTOR 550 +2 2026", text)


def test_the_slowest_are_found_among_large_transfers(place):
    big = 4 << 20
    got = as_json(write(
        place / "log", transfer(client="192.0.2.1", size=big, ms=1000),
        transfer(client="192.0.2.2", size=big, ms=400_000),
        transfer(client="192.0.2.3", size=100, ms=900_000)))
    assert [(c["client"], c["rate_Bps"]) for c in got["slowest"]] == [
        ("192.0.2.2", big * 1000 // 400_000), ("192.0.2.1", big)]


def test_events_that_were_lost_are_told(place):
    def stats(process, **more):
        return {"timestamp": "2026-11-24T01:48:17.820753+0000",
                "event_type": "stats", "stats": {"process": process, **more}}

    log = write(place / "log", transfer(), stats("worker", events_dropped=7),
                stats("worker", events_dropped=3),
                stats("gate", events_dropped=0, refused_full=12))
    text, _ = report(log)
    assert re.search(r"^ +7  events of a worker lost$", text, re.M)
    assert re.search(r"^ +12  connections refused \(421\): full$", text, re.M)
    assert "Events were lost: all counts above are too small." in text


def test_bytes_of_the_network_reach_no_terminal(place):
    log = write(place / "log",
                transfer(name="/pub/\x1b[31m\x00\u202e/été" + "x" * 200),
                alert("\x1b]0;x\x07"))
    text, _ = report(log)
    assert text.isascii()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert max(map(len, text.split("\n"))) <= 80
    assert as_json(log)["files"][0]["file"].startswith("/pub/\x1b[31m\x00")


def test_memory_is_bounded_and_what_finds_no_room_is_counted(place):
    """More clients, networks, names and datasets than there are rows."""
    n = 140_000
    line = json.dumps(transfer(name="/d@/f@", client="2001:db8:@::1"))
    log = place / "log"
    with log.open("w") as out:
        for i in range(n):
            out.write(line.replace("2001:db8:@", f"20{i >> 16:02x}:"
                                   f"{i & 0xffff:x}:1").replace("@", str(i))
                      + "\n")
    done, used = run_measured(BUILD / "portcullis", "report", "--json",
                              "--top", "0", log, check=True)
    got = json.loads(done.stdout)
    assert got["total"]["files"] == n
    tables = got["tables"]
    for name, rows in (("clients", 131072), ("networks", 16384),
                       ("files", 65536)):
        assert tables[name]["rows"] == tables[name]["most"] == rows
        assert tables[name]["others_transfers"] == n - rows
    # "/" and "/dN" at depth 1, and the same at depth 2: both count.
    assert tables["datasets"]["rows"] == 16384
    assert tables["datasets"]["others_transfers"] == 2 * n - 16384
    assert len(got["clients"]) == 131072
    if not SANITIZED:
        assert used < 128 << 20
    text, _ = report(log)
    assert "more than 131072 addresses" in text
    assert f"others: {n - 65536} events that found no room among 65536 files" \
        in text
    assert "This says nothing of clients that found no room." in text


@plain_build
def test_a_large_log_takes_seconds(place):
    lines = [json.dumps(transfer(
        name=f"/pub/set{i % 50}/f{i}", client=f"198.51.{i % 99}.{i % 200}"))
        for i in range(1000)]
    log = place / "log"
    log.write_text("".join(line + "\n" for line in lines) * 100)
    done = subprocess.run(
        ["bash", "-c", 'TIMEFORMAT=%U; time "$0" report --json "$1"',
         BUILD / "portcullis", log], capture_output=True, check=True)
    assert json.loads(done.stdout)["total"]["files"] == 100_000
    assert float(done.stderr) < 3       # 0.6 s measured


def test_nothing_to_report_is_said(place):
    log = place / "log"
    log.write_text("")
    text, _ = report(log)
    assert text.startswith("No event of a session.\n")
    assert as_json(log)["total"]["first"] is None
