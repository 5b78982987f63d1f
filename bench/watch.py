"""bench/watch.py: measures the sensor beside programs that read captures.

SPDX-License-Identifier: Apache-2.0

tcpdump copies the capture to /dev/null: nothing that looks at packets can be
much faster.  Programs take turns within each round; figures are medians.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import tables
from driver import REPO, cpu_model, git

# capture: at most so many times tcpdump's time, findings of third parties
CAPTURES = {"ctl": (4, 8192), "mix": (2, 0)}
MEMORY_MOST_MIB = 64


@dataclass
class Tool:
    name: str
    words: list[str]    # FILE and DIRECTORY are put in
    slow: bool = False  # left out with --quick


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench watch", description="Measures the sensor.")
    parser.add_argument("scenario", nargs="*", help="watch, and no other")
    parser.add_argument("--quick", action="store_true",
                        help="one round, and without tshark")
    parser.add_argument("--rounds", type=int, help="how often (3)")
    parser.add_argument("--build", type=Path, default=REPO / "build",
                        help="where the programs are (build)")
    parser.add_argument("--results", type=Path,
                        default=REPO / "bench" / "results",
                        help="where results go (bench/results)")
    parser.add_argument("--tools", type=Path, default=REPO / "build/bench",
                        help="where synth and peak are (build/bench)")
    opts = parser.parse_args()
    if set(opts.scenario) - {"watch"}:
        parser.error("the sensor is measured alone")
    opts.rounds = opts.rounds or (1 if opts.quick else 3)
    return opts


def tools(opts: argparse.Namespace) -> list[Tool]:
    every = [
        Tool("tcpdump", ["tcpdump", "-nr", "FILE", "-w", "/dev/null"]),
        Tool("portcullis", [str(opts.build.resolve() / "portcullis"), "watch",
                            "-r", "FILE", "--json"]),
        Tool("tshark", ["tshark", "-r", "FILE", "-Y", "ftp"], slow=True),
        Tool("suricata", ["suricata", "-r", "FILE", "-l", "DIRECTORY"],
             slow=True),
    ]
    chosen = []
    for tool in every:
        if shutil.which(tool.words[0]) is None:
            print(f"skipping {tool.name}: it is not there")
        elif not (opts.quick and tool.slow):
            chosen.append(tool)
    return chosen


def third_parties(output: Path) -> int:
    """How many different findings say that a third party was reached."""
    found = set()
    with output.open() as lines:
        for line in lines:
            if '"event_type":"alert"' not in line:
                continue
            bounce = json.loads(line)["ftp_bounce"]
            if bounce["variant"] == "third_party" and \
                    bounce["stage"] in ("executed", "completed"):
                found.add(bounce["id"])
    return len(found)


def run(tool: Tool, capture: Path, directory: Path, peak: Path) -> dict:
    output, took = directory / "output", directory / "took"
    put = {"FILE": str(capture), "DIRECTORY": str(directory)}
    with output.open("wb") as out:
        done = subprocess.run(
            [str(peak), str(took), *[put.get(w, w) for w in tool.words]],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
    wall, user, system, kib = map(float, took.read_text().split())
    result = {"wall": wall, "cpu": user + system, "peak_mib": kib / 1024,
              "status": done.returncode}
    if tool.name == "portcullis":
        result["found"] = third_parties(output)
    return result


def measure(opts: argparse.Namespace, chosen: list[Tool], directory: Path
            ) -> dict[str, dict[str, list[dict]]]:
    results: dict[str, dict[str, list[dict]]] = {}
    for name in CAPTURES:
        capture = directory / f"{name}.pcap"
        subprocess.run([opts.tools / "synth", name, capture], check=True)
        for round_no in range(opts.rounds):
            turn = round_no % len(chosen)
            for tool in chosen[turn:] + chosen[:turn]:
                result = run(tool, capture, directory, opts.tools / "peak")
                print(f"  [{round_no + 1}] {name} {tool.name:10} "
                      f"{result['wall']:.2f} s", flush=True)
                runs = results.setdefault(name, {})
                runs.setdefault(tool.name, []).append(result)
        capture.unlink()
    return results


def median(runs: list[dict], key: str) -> Optional[float]:
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def shown(value: Optional[float], digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def table(name: str, by_tool: dict[str, list[dict]]) -> str:
    base = median(by_tool["tcpdump"], "wall") if "tcpdump" in by_tool \
        else None
    wanted = CAPTURES[name][1]
    lines = []
    for tool, runs in by_tool.items():
        wall, found = median(runs, "wall"), median(runs, "found")
        mark = " (!)" if any(run["status"] for run in runs) else ""
        lines.append([
            tool + mark, shown(wall, 2), shown(median(runs, "cpu"), 2),
            shown(median(runs, "peak_mib"), 1),
            shown(wall / base if wall and base else None, 2),
            "-" if found is None else f"{found:.0f} of {wanted}"])
    heads = ["program", "wall s", "CPU s", "peak MiB", "wall / tcpdump",
             "third parties found"]
    return f"## {name}\n\n" + tables.table(heads, sorted(lines))


def verdicts(results: dict[str, dict[str, list[dict]]]) -> list[str]:
    lines = []
    for name, (times, wanted) in CAPTURES.items():
        by_tool = results[name]
        mine = by_tool["portcullis"]
        points = [("memory", median(mine, "peak_mib"), MEMORY_MOST_MIB)]
        if "tcpdump" in by_tool:
            points.insert(0, ("time / tcpdump's", median(mine, "wall") /
                              median(by_tool["tcpdump"], "wall"), times))
        for what, value, most in points:
            word = "met" if value <= most else "MISSED"
            lines.append(f"{word}: {name}, {what} {value:.2f}, "
                         f"at most {most}")
        found = {run["found"] for run in mine}
        word = "met" if found == {wanted} else "MISSED"
        lines.append(f"{word}: {name}, found {sorted(found)}, "
                     f"wanted {wanted}")
    return lines


def about(opts: argparse.Namespace) -> dict:
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "date": now.strftime("%Y-%m-%d"),
        "time": now.strftime("%H:%M:%SZ"),
        "commit": git("rev-parse", "--short", "HEAD") or "nothing",
        "changed": bool(git("status", "--porcelain", "--", "src")),
        "kernel": platform.release(),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "quick": opts.quick,
        "rounds": opts.rounds,
    }


def markdown(facts: dict, results: dict[str, dict[str, list[dict]]]) -> str:
    changed = " with uncommitted changes" if facts["changed"] else ""
    rounds = "one round" if facts["rounds"] == 1 else \
        f"medians of {facts['rounds']} rounds"
    parts = [f"# The sensor, measured {facts['date']} {facts['time']}, "
             f"commit {facts['commit']}{changed}\n\n"
             f"{facts['cpus']} CPUs ({facts['cpu']}), Linux "
             f"{facts['kernel']}; captures on tmpfs, made by bench/synth.c; "
             f"{rounds}."]
    parts += [table(name, by_tool) for name, by_tool in results.items()]
    parts.append("\n".join(f"- {line}" for line in verdicts(results)))
    return "\n\n".join(parts) + "\n"


def main() -> int:
    opts = options()
    chosen = tools(opts)
    if "portcullis" not in [tool.name for tool in chosen]:
        print("nothing to measure", file=sys.stderr)
        return 1
    directory = Path(tempfile.mkdtemp(prefix="pcbench-", dir="/dev/shm"))
    try:
        results = measure(opts, chosen, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    facts = about(opts)
    text = markdown(facts, results)
    print(f"\n{text}")
    opts.results.mkdir(parents=True, exist_ok=True)
    name = f"{facts['date']}-{facts['commit']}-watch"
    name += "-quick" if opts.quick else ""
    path = opts.results / f"{name}.md"
    path.write_text(text)
    path.with_name(f"{name}.json").write_text(
        json.dumps({"about": facts, "results": results}, indent=1) + "\n")
    print(f"written: {path} and .json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
