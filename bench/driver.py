"""bench/driver.py: measures Portcullis, its peers and the physical limit.

SPDX-License-Identifier: Apache-2.0

Servers take turns within each scenario and round, so that whatever else the
machine does falls on all of them; figures are medians over the rounds.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import cage
import measure
import secure
import tables
from measure import Variant
from servers import Place, Server, all_servers

SCENARIOS = ("big", "small", "small-active", "session", "idle", "list",
             *secure.SCENARIOS)
REPO = Path(__file__).resolve().parent.parent
SMALL_BYTES = 1024
BLOCK = 1 << 20


def _counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench", description="Measures FTP servers.")
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO",
                        help=f"of: {' '.join(SCENARIOS)} (all of them)")
    parser.add_argument("--quick", action="store_true",
                        help="one short round, for a first look")
    parser.add_argument("--rounds", type=int, help="how often (3)")
    parser.add_argument("--server", action="append", metavar="NAME",
                        help="only this one; may be repeated")
    parser.add_argument("--idle-sessions", type=int, help="how many (2000)")
    parser.add_argument("--big-mib", type=int, default=2048,
                        help="size of the big file (2048)")
    parser.add_argument("--entries", type=_counts, metavar="N[,N...]",
                        help="files in the listed directories "
                        "(10000,100000,1000000; quick: the first two)")
    parser.add_argument("--build", type=Path, default=REPO / "build",
                        help="where the programs are (build)")
    parser.add_argument("--results", type=Path,
                        default=REPO / "bench" / "results",
                        help="where results go (bench/results)")
    parser.add_argument("--check", action="store_true",
                        help="look at the options only")
    opts = parser.parse_args()
    for name in opts.scenario:
        if name not in SCENARIOS:
            parser.error(f"no scenario {name}; there are: "
                         + " ".join(SCENARIOS))
    names = [server.name for server in all_servers() + secure.servers_of_all()]
    for name in opts.server or ():
        if name not in names:
            parser.error(f"no server {name}; there are: " + " ".join(names))
    opts.scenario = opts.scenario or list(SCENARIOS)
    opts.rounds = opts.rounds or (1 if opts.quick else 3)
    opts.entries = opts.entries or [10000, 100000] + (
        [] if opts.quick else [1000000])
    opts.idle_sessions = opts.idle_sessions or (500 if opts.quick else 2000)
    return opts


def _transfers(scenario: str, sessions: int, seconds: float, path: str,
               size: int, active: bool = False) -> Variant:
    plural = "session" if sessions == 1 else "sessions"
    words = ["-t", str(seconds), "-f", path, "-s", str(size)]
    return Variant(scenario, f"{scenario}, {sessions} {plural}",
                   "big" if scenario == "big" else "small",
                   words + (["-a"] if active else []),
                   "GiB" if scenario == "big" else "1000",
                   sessions, seconds)


def _list(verb: str, entries: int) -> Variant:
    """Once unseen and then again; a million names once."""
    counts = ["-w", "1", "-c", "5"] if entries < 1000000 else ["-c", "1"]
    return Variant("list", f"{verb} of {entries} files", "list",
                   counts + ["-f", f"/many-{entries}", "-e", str(entries)]
                   + (["-m"] if verb == "MLSD" else []), "1000",
                   lasts_s=10 + entries / 20000, extra={"entries": entries},
                   needs_mlsd=verb == "MLSD")


def variants(opts: argparse.Namespace) -> list[Variant]:
    seconds = 1.0 if opts.quick else 3.0
    big = opts.big_mib << 20
    small = ("/small", SMALL_BYTES)
    every = [_transfers("big", n, seconds, "/big", big) for n in (1, 4, 16)]
    every += [_transfers("small", n, seconds, *small) for n in (1, 32)]
    every += [_transfers("small-active", n, seconds, *small, active=True)
              for n in (1, 32)]
    every += [
        Variant("session", "session, 4 at a time", "session",
                ["-t", str(seconds), "-f", "/small", "-s", str(SMALL_BYTES)],
                "1000", 4, seconds),
        Variant("idle", f"idle, {opts.idle_sessions} sessions", "idle", [],
                "session", opts.idle_sessions, 10),
    ]
    every += [_list(verb, entries) for entries in opts.entries
              for verb in ("LIST", "MLSD")]
    every += secure.variants(opts.quick, big, SMALL_BYTES)
    return [v for v in every if v.scenario in opts.scenario]


def _write_big(path: Path, mib: int) -> None:
    """Real bytes: a sparse file has no pages to send."""
    block = os.urandom(BLOCK)
    with open(path, "wb") as out:
        for _ in range(mib):
            out.write(block)


def _write_many(place: Place, entries: int) -> None:
    """The directory, and the listing that stands for it in the limit."""
    many = place.archive / f"many-{entries}"
    many.mkdir(mode=0o755)
    with open(place.listing_of(entries), "w") as listing:
        for i in range(entries):
            name = f"observation-{i:06d}.grb2"
            os.close(os.open(many / name, os.O_CREAT | os.O_WRONLY, 0o644))
            listing.write(f"-rw-r--r--    1 0        0               0 "
                          f"Jan 01 00:00 {name}\r\n")


def _write_passwd(place: Place) -> None:
    """The machine's accounts, with an anonymous one that lives here."""
    lines = [line for line in Path("/etc/passwd").read_text().splitlines()
             if not line.startswith("ftp:")]
    lines.append(f"ftp:x:65533:65534::{place.archive}:/bin/false")
    place.passwd.write_text("\n".join(lines) + "\n")


def _fill(place: Place, opts: argparse.Namespace) -> None:
    big_mib = opts.big_mib if {"big", "ftps"} & set(opts.scenario) else 1
    entries = opts.entries if "list" in opts.scenario else []
    print(f"writing {big_mib} MiB and {sum(entries)} files", flush=True)
    place.archive.mkdir(mode=0o755)
    _write_big(place.big, big_mib)
    place.small.write_bytes(os.urandom(SMALL_BYTES))
    place.listing.touch()               # the limit wants one
    for count in entries:
        _write_many(place, count)
    _write_passwd(place)
    secure.prepare(place)


@contextmanager
def files(opts: argparse.Namespace) -> Iterator[Place]:
    work = Path(tempfile.mkdtemp(prefix="pcbench-"))
    uploads = Path(tempfile.mkdtemp(prefix="pcbench-", dir=opts.build))
    os.chmod(work, 0o755)
    size = opts.big_mib + 1024
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        f"size={size}m,mode=755,nr_inodes=0", "pcbench", str(work)],
                       check=True)
        try:
            archive = work / "archive"
            place = Place(opts.build.resolve(), work, archive,
                          archive / "big", archive / "small",
                          work / "listing", work / "passwd",
                          archive / "uploads")
            _fill(place, opts)
            subprocess.run(["mount", "--bind", str(uploads),
                            str(place.uploads)], check=True)
            os.chmod(place.uploads, 0o777)
            yield place
        finally:
            subprocess.run(["umount", "-l", str(work)])
    finally:
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(uploads, ignore_errors=True)


def choose(opts: argparse.Namespace, place: Place) -> list[Server]:
    chosen = []
    for server in all_servers() + secure.servers_of_all():
        if opts.server and server.name not in opts.server:
            continue
        if server.program(place) is None:
            print(f"skipping {server.name}: its program is not there")
            continue
        chosen.append(server)
    return chosen


def _progress(round_no: int, variant: Variant, server: Server, result: dict
              ) -> None:
    text = tables.short(variant, result)
    print(f"  [{round_no + 1}] {variant.title:34} {server.name:13} {text}",
          flush=True)


def measure_all(opts: argparse.Namespace, chosen: list[Server],
                wanted: list[Variant], place: Place) -> tables.Results:
    """Each round begins with another server."""
    results: tables.Results = {}
    for round_no in range(opts.rounds):
        turn = round_no % len(chosen)
        for variant in wanted:
            for server in chosen[turn:] + chosen[:turn]:
                if not measure.concerns(variant, server):
                    continue
                result = measure.run(server, variant, place)
                _progress(round_no, variant, server, result)
                runs = results.setdefault(variant.title, {})
                runs.setdefault(server.name, []).append(result)
    return results


def git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(REPO), *words],
                          capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _surroundings() -> dict:
    with cage.namespace() as name, cage.account() as acct:
        return {"congestion_control": cage.congestion_control(name),
                "cpu_time_from": acct.how()}


def about(opts: argparse.Namespace, even: bool) -> dict:
    now = datetime.datetime.now(datetime.timezone.utc)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": now.strftime("%Y-%m-%d"),
        "time": now.strftime("%H:%M:%SZ"),
        "commit": git("rev-parse", "--short", "HEAD") or "nothing",
        "changed": bool(git("status", "--porcelain", "--", "src")),
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**30),
        "quick": opts.quick,
        "rounds": opts.rounds,
        "big_mib": opts.big_mib,
        "autogroups_off": even,
        "cipher": secure.cipher_speed() if "ftps" in opts.scenario else "",
        **_surroundings(),
    }


def save(opts: argparse.Namespace, facts: dict, text: str,
         results: tables.Results) -> None:
    opts.results.mkdir(parents=True, exist_ok=True)
    name = f"{facts['date']}-{facts['commit']}"
    if opts.quick:
        name += "-quick"
    if set(opts.scenario) != set(SCENARIOS) or opts.server:
        name += "-part"
    path = opts.results / f"{name}.md"
    path.write_text(text)
    path.with_name(f"{name}.json").write_text(
        json.dumps({"about": facts, "results": results}, indent=1) + "\n")
    print(f"written: {path} and .json")


def work(opts: argparse.Namespace) -> int:
    wanted = variants(opts)
    with files(opts) as place, cage.even_scheduler() as even:
        facts = about(opts, even)
        chosen = choose(opts, place)
        if not chosen:
            print("nothing to measure", file=sys.stderr)
            return 1
        results = measure_all(opts, chosen, wanted, place)
    kinds = {server.name: server.kind for server in chosen}
    text = tables.markdown(facts, wanted, results, kinds)
    print()
    print(text)
    save(opts, facts, text, results)
    return 0


def interrupt(_signal: int, _frame: object) -> None:
    """Once is enough: what follows is cleaning up, and must not be cut."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def raise_files() -> None:
    """Inherited by servers and client; the idle scenario needs many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (max(most, 65536), most):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return
        except (OSError, ValueError):
            continue            # more than the machine gives


def main() -> int:
    opts = options()
    if opts.check:
        return 0
    if os.geteuid() != 0:
        print("needs root: every server runs in a network namespace of its "
              "own", file=sys.stderr)
        return 1
    raise_files()
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    cage.adopt_orphans()
    try:
        return work(opts)
    except KeyboardInterrupt:
        print("interrupted; everything was ended and removed",
              file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
