"""bench/tables.py: turns runs into medians, ratios and tables.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

import statistics
from typing import Callable, Optional

from measure import Variant

# title of the variant -> name of the server -> its runs
Results = dict[str, dict[str, list[dict]]]
Row = dict[str, Optional[float]]

# A column: heading, key of the run, what to multiply it with.
Column = tuple[str, str, float]

# CPU seconds per 1000 sessions or listings are milliseconds for each.
COLUMNS: dict[str, list[Column]] = {
    "big": [("MiB/s", "MiB_per_second", 1), ("CPU s/GiB", "cpu", 1)],
    "small": [("per s", "per_second", 1), ("p50 ms", "total_p50_ms", 1),
              ("p99 ms", "total_p99_ms", 1), ("CPU s/1000", "cpu", 1)],
    "session": [("per s", "per_second", 1), ("p50 ms", "total_p50_ms", 1),
                ("p99 ms", "total_p99_ms", 1), ("CPU s/1000", "cpu", 1)],
    "get": [("MiB/s", "MiB_per_second", 1), ("CPU s/GiB", "cpu", 1)],
    "put": [("MiB/s", "MiB_per_second", 1), ("per s", "per_second", 1),
            ("p50 ms", "total_p50_ms", 1), ("p99 ms", "total_p99_ms", 1),
            ("CPU s/unit", "cpu", 1)],
    "idle": [("alive", "alive", 1), ("processes", "processes", 1),
             ("PSS KiB/session", "pss_kib", 1),
             ("kernel KiB/session", "kernel_kib", 1),
             ("PSS MiB in all", "pss_total_kib", 1 / 1024),
             ("login s", "login_s", 1), ("login CPU ms", "cpu", 1)],
    "list": [("first byte ms", "first_byte_p50_ms", 1),
             ("total ms", "total_p50_ms", 1), ("entries", "lines_least", 1),
             ("peak MiB", "peak_kib", 1 / 1024), ("CPU ms", "cpu", 1)],
}

# What is compared: the cost (less is better) and the rate (more is better).
COSTS = {"idle": ("memory_kib", "memory"), "list": ("cpu", "CPU")}
RATES = {"big": "MiB_per_second", "small": "per_second",
         "session": "per_second", "get": "MiB_per_second",
         "put": "per_second"}


def number(value: Optional[float]) -> str:
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    if abs(value) >= 1000:
        return f"{value:.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.4f}"


def _median(runs: list[dict], key: str) -> Optional[float]:
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


def _usable(runs: list[dict]) -> list[dict]:
    """Clean runs, when there are any."""
    return [run for run in runs if not run.get("errors")] or runs


def _row(runs: list[dict]) -> Row:
    keys = {key for run in runs for key, value in run.items()
            if isinstance(value, (int, float))}
    return {key: _median(_usable(runs), key) for key in keys}


def _spoilt(runs: list[dict]) -> bool:
    return any(run.get("errors") for run in runs)


def short(variant: Variant, result: dict) -> str:
    """One run in one line, while the measurement goes on."""
    if result.get("failed"):
        return f"(!) {result['first_error']}"
    words = [f"{head} {number(result.get(key, 0) * factor)}"
             for head, key, factor in COLUMNS[variant.mode]
             if result.get(key) is not None]
    words.append(f"others {result['others']:.0%}")
    if result.get("errors"):
        words.append(f"(!) {result['errors']}: {result['first_error']}")
    return ", ".join(words)


def _best(rows: dict[str, Row], names: list[str], key: str,
          pick: Callable) -> Optional[float]:
    values = [rows[name][key] for name in names
              if rows.get(name, {}).get(key)]
    return pick(values) if values else None


class Comparison:
    """Ratios of one variant; runs with errors set no mark for others."""

    def __init__(self, variant: Variant, by_server: dict[str, list[dict]],
                 kinds: dict[str, str]) -> None:
        self.cost, self.word = COSTS.get(variant.mode, ("cpu", "CPU"))
        self.rate = RATES.get(variant.mode)
        self.rows = {name: _row(runs) for name, runs in by_server.items()}
        clean = [name for name in by_server if not _spoilt(by_server[name])]
        self.groups = {kind: [n for n in clean if kinds[n] == kind]
                       for kind in ("peer", "limit")}

    def cost_ratio(self, name: str, kind: str) -> Optional[float]:
        best = _best(self.rows, self.groups[kind], self.cost, min)
        mine = self.rows[name].get(self.cost)
        return mine / best if best and mine is not None else None

    def rate_ratio(self, name: str, kind: str) -> Optional[float]:
        if self.rate is None:
            return None
        best = _best(self.rows, self.groups[kind], self.rate, max)
        mine = self.rows[name].get(self.rate)
        return mine / best if best and mine is not None else None

    def headings(self) -> list[str]:
        heads = [f"{self.word} / best peer", f"{self.word} / limit"]
        if self.rate:
            heads += ["rate / best peer", "rate / limit"]
        return heads

    def ratios(self, name: str) -> list[str]:
        values = [self.cost_ratio(name, "peer"),
                  self.cost_ratio(name, "limit")]
        if self.rate:
            values += [self.rate_ratio(name, "peer"),
                       self.rate_ratio(name, "limit")]
        return [f"{value:.2f}" if value is not None else "-"
                for value in values]


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table that reads well in a terminal and in Markdown alike."""
    widths = [max(len(line[i]) for line in [heads, *rows])
              for i in range(len(heads))]

    def line(cells: list[str]) -> str:
        first = cells[0].ljust(widths[0])
        rest = [cell.rjust(width)
                for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join([first, *rest]) + " |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":"
                                for width in widths[1:]]
    return "\n".join([line(heads), line(rule), *map(line, rows)])


def _complaints(by_server: dict[str, list[dict]]) -> list[str]:
    lines = []
    for name, runs in by_server.items():
        bad = [run for run in runs if run.get("errors")]
        if bad:
            lines.append(f"(!) {name}: {len(bad)} of {len(runs)} runs with "
                         f"errors; first: {bad[0]['first_error']}")
    return lines


def _variant(variant: Variant, by_server: dict[str, list[dict]],
             kinds: dict[str, str]) -> str:
    compared = Comparison(variant, by_server, kinds)
    columns = COLUMNS[variant.mode]
    heads = (["server"] + [head for head, _, _ in columns]
             + compared.headings() + ["others"])
    lines = []
    for name in kinds:
        if name not in by_server:       # it has no such command
            continue
        row = compared.rows[name]
        mark = " (!)" if _spoilt(by_server[name]) else ""
        values = [row.get(key) for _, key, _ in columns]
        cells = [number(None if value is None else value * factor)
                 for value, (_, _, factor) in zip(values, columns)]
        others = row.get("others")
        lines.append([name + mark, *cells, *compared.ratios(name),
                      "-" if others is None else f"{others:.0%}"])
    parts = [f"## {variant.title}", table(heads, lines)]
    parts += _complaints(by_server)
    return "\n\n".join(parts)


def _summary(wanted: list[Variant], results: Results, kinds: dict[str, str]
             ) -> str:
    if "portcullis" not in kinds:
        return "Portcullis was not there to be measured."
    lines = []
    for variant in wanted:
        compared = Comparison(variant, results[variant.title], kinds)
        spoilt = _spoilt(results[variant.title]["portcullis"])
        cells = compared.ratios("portcullis")
        lines.append([variant.title + (" (!)" if spoilt else ""),
                      compared.word, *cells, *["-"] * (4 - len(cells))])
    return ("Portcullis in ratios (cost: less than 1 is cheaper than the "
            "best peer; rate: more than 1 is faster):\n\n"
            + table(["scenario", "cost in", "cost / best peer",
                      "cost / limit", "rate / best peer", "rate / limit"],
                     lines))


def _machine_load(results: Results) -> str:
    loads = [run["others"] for by_server in results.values()
             for runs in by_server.values() for run in runs
             if "others" in run]
    if not loads:
        return "Other work on the machine during the runs: not known."
    return (f"Other work on the machine during the runs: median "
            f"{statistics.median(loads):.0%}, worst {max(loads):.0%} of all "
            f"CPUs; the last column of each table has its median per server.")


def _heading(facts: dict) -> str:
    changed = " with uncommitted changes" if facts["changed"] else ""
    rounds = "one round" if facts["rounds"] == 1 else \
        f"medians of {facts['rounds']} rounds"
    quick = ", quick and therefore rough" if facts["quick"] else ""
    autogroups = ("autogroups off" if facts["autogroups_off"] else
                  "AUTOGROUPS ON: who has many sessions has more CPU")
    return (f"# Measured {facts['date']} {facts['time']}, commit "
            f"{facts['commit']}{changed}\n\n"
            f"{facts['cpus']} CPUs ({facts['cpu']}), {facts['memory_gib']} "
            f"GiB, Linux {facts['kernel']}; files on tmpfs (big: "
            f"{facts['big_mib']} MiB), loopback with "
            f"{facts['congestion_control']}; {autogroups}; "
            f"{rounds}{quick}. CPU time of "
            f"the server and its children, from: {facts['cpu_time_from']}. "
            f"{facts['cipher']}".rstrip())


def markdown(facts: dict, wanted: list[Variant], results: Results,
             kinds: dict[str, str]) -> str:
    parts = [_heading(facts), _machine_load(results),
             _summary(wanted, results, kinds)]
    parts += [_variant(variant, results[variant.title], kinds)
              for variant in wanted]
    parts.append("`limit` is not a server: it answers the same commands "
                 "without looking at anything; `limit-Nt` does so with N "
                 "threads, and ratios take the better one. (!) marks runs "
                 "with errors. Compare ratios of one run, and CPU rather "
                 "than rates. Kernel memory is what the server's control "
                 "group is charged with: stacks, page tables, descriptors; "
                 "not the sockets that arrive by accept.")
    return "\n\n".join(parts) + "\n"
