"""bench/measure.py: one server, one scenario, one run.

SPDX-License-Identifier: Apache-2.0
"""
from __future__ import annotations

import json
import os
import select
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Iterator

import cage
from servers import Place, Server

LISTENING = "0A"
READY_S = 20            # for a server to start
LOGIN_S = 180           # for all sessions to log in


class RunFailed(Exception):
    pass


@dataclass
class Variant:
    """A column of the measurement: a scenario with its numbers."""
    scenario: str               # as named on the command line
    title: str
    mode: str                   # what ftpload calls it
    options: list[str]
    unit: str                   # per what CPU time is given
    sessions: int = 1
    lasts_s: float = 2
    extra: dict = field(default_factory=dict)
    needs_mlsd: bool = False
    group: str = "clear"        # servers that it is for
    program: str = "ftpload"
    ftp_only: bool = False
    writes: int = 0             # bytes that one run leaves behind


def concerns(variant: Variant, server: Server) -> bool:
    return variant.group == server.group and not (
        (variant.needs_mlsd and not server.mlsd)
        or (variant.ftp_only and server.https))


class Lines:
    """Lines of a pipe, each within a time."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.buffer = b""

    def next(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise RunFailed("the load client timed out")
            data = os.read(self.fd, 65536)
            if not data:
                raise RunFailed("the load client ended early")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()


def _listens(pid: int) -> bool:
    for name in ("tcp", "tcp6"):
        try:
            text = Path(f"/proc/{pid}/net/{name}").read_text()
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[1].endswith(":0015"):
                return True
    return False


def _said_ready(log: Path) -> bool:
    return "ready" in log.read_text(errors="replace")


def _wait_ready(server: Server, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        if _listens(process.pid) and (not server.says_ready
                                      or _said_ready(log)):
            return
        time.sleep(0.005)
    words = " ".join(log.read_text(errors="replace").split())[-300:]
    raise RunFailed(f"did not start: {words or 'no message'}")


@contextmanager
def _running(server: Server, name: str, acct: cage.Account, place: Place
             ) -> Iterator[subprocess.Popen]:
    log = place.work / f"{server.name}.log"
    # vsftpd writes what is wrong with its settings to standard input
    with open(log, "w+b") as out:
        process = cage.start(name, server.argv(place), acct.join,
                             stdin=out, stdout=out, stderr=out)
    acct.root_pid = process.pid
    try:
        _wait_ready(server, process, log)
        yield process
    finally:
        cage.stop(process)


@contextmanager
def _client(name: str, place: Place, server: Server, variant: Variant
            ) -> Iterator[subprocess.Popen]:
    mode = "https" if server.https else variant.mode
    command = [str(place.build / "bench" / variant.program), "-d",
               "-n", str(variant.sessions), *variant.options,
               *server.client, mode]
    process = cage.start(name, command, None, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.stdin.close()
        cage.stop(process)
        process.stdout.close()


class Machine:
    """How busy all CPUs are."""

    def __init__(self) -> None:
        with open("/proc/stat") as stat:
            fields = [int(n) for n in stat.readline().split()[1:]]
        user, nice, system, _, _, irq, softirq, steal = fields[:8]
        self.busy_s = (user + nice + system + irq + softirq) / cage.TICK
        self.stolen_s = steal / cage.TICK       # by other virtual machines
        self.at = time.monotonic()

    def others(self, since: "Machine", ours_s: float) -> float:
        """The part of all CPUs that other work had, 0 to 1."""
        there = (self.at - since.at) * (os.cpu_count() or 1)
        used = (self.busy_s - since.busy_s - ours_s
                + self.stolen_s - since.stolen_s)
        return max(0.0, min(1.0, used / there))


def _say(process: subprocess.Popen) -> None:
    process.stdin.write(b"\n")
    process.stdin.flush()


def _load(process: subprocess.Popen, acct: cage.Account, variant: Variant
          ) -> dict:
    lines = Lines(process.stdout.fileno())
    lines.next(LOGIN_S)
    cpu = acct.settled_cpu_s()
    acct.forget_peak()
    before = Machine()
    _say(process)
    result = json.loads(lines.next(60 + 10 * variant.lasts_s))
    after = Machine()
    result["server_cpu_s"] = acct.settled_cpu_s() - cpu
    result["peak_kib"] = acct.peak_kib()
    result["others"] = after.others(
        before, result["server_cpu_s"] + result["client_cpu_s"])
    _say(process)
    process.wait(30)
    return result


def _idle(process: subprocess.Popen, acct: cage.Account, variant: Variant,
          before: dict) -> dict:
    lines = Lines(process.stdout.fileno())
    begun = Machine()
    lines.next(LOGIN_S)
    after = Machine()
    cpu = acct.settled_cpu_s() - before["cpu"]
    used = {
        "server_cpu_s": cpu,
        "others": after.others(begun, cpu),
        "processes": len(acct.pids()),
        "pss_kib": (acct.pss_kib() - before["pss"]) / variant.sessions,
        "pss_total_kib": acct.pss_kib(),
    }
    used["memory_kib"] = used["pss_kib"]
    if before["kernel"] is not None:
        used["kernel_kib"] = ((acct.kernel_kib() - before["kernel"])
                              / variant.sessions)
        used["memory_kib"] += used["kernel_kib"]
    _say(process)
    result = json.loads(lines.next(60))
    _say(process)
    result.update(used)
    if result["alive"] != variant.sessions and not result["errors"]:
        result["errors"] = variant.sessions - result["alive"]
        result["first_error"] = f"only {result['alive']} alive at the end"
    return result


def _normalise(result: dict, variant: Variant) -> dict:
    """CPU time per unit of work, whatever was done after the window too."""
    if variant.unit == "GiB":
        work = result["bytes"] / 2**30
    elif variant.unit == "session":
        work = result["logged_in"] / 1000
    else:
        work = result["transfers"] / 1000
    if work > 0:
        result["cpu"] = result["server_cpu_s"] / work
    if result.get("cut") and not result["errors"]:
        result["errors"] = result["cut"]
        result["first_error"] = (
            f"listing has {result['lines_least']} entries, "
            f"not {variant.extra['entries']}")
    return result


def _clear(uploads: Path) -> None:
    """What is not on the disk yet is nobody's to wait for in the next run."""
    for path in uploads.iterdir():
        if path.is_file():
            path.unlink()
    os.sync()


def _touch_memory(path: Path, bytes: int) -> None:
    """A virtual machine gets its memory page by page, and may be asked for
    what is free: whoever writes first would pay for that."""
    block = os.urandom(1 << 20)
    with open(path, "wb") as out:
        for _ in range(bytes >> 20):
            out.write(block)
    path.unlink()


def run(server: Server, variant: Variant, place: Place) -> dict:
    if "entries" in variant.extra:
        place = replace(place, listing=place.listing_of(
            variant.extra["entries"]))
    try:
        _clear(place.uploads)
        if variant.writes > 0:
            _touch_memory(place.uploads / "warm", variant.writes)
        with cage.namespace() as name, cage.account() as acct:
            with _running(server, name, acct, place):
                acct.settled_cpu_s()
                before = {"cpu": acct.cpu_s(), "pss": acct.pss_kib(),
                          "kernel": acct.kernel_kib()}
                with _client(name, place, server, variant) as client:
                    if variant.mode == "idle":
                        result = _idle(client, acct, variant, before)
                    else:
                        result = _load(client, acct, variant)
        return _normalise(result, variant)
    except (RunFailed, OSError, ValueError, KeyError,
            subprocess.SubprocessError) as error:
        return {"errors": 1, "first_error": str(error), "failed": True}
