"""bench/fair.py: how fairly rate.all is divided, and how well it is kept.

SPDX-License-Identifier: Apache-2.0

One address has eight connections, another has one; both read as fast as they
can.  Jain's index over the two addresses is 1 when each has half, and 0.6
when each connection has a ninth.  After them, what limits cost where they are
set: CPU time of gate and workers for each GB and for each small file.  Runs
on the loopback, which has packets of 64 KiB: no figure here is a network's.
"""
from __future__ import annotations

import argparse
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATE = 40_000_000
SETTLE_S, MEASURE_S = 3, 4
TICK = os.sysconf("SC_CLK_TCK")


class Server:
    """portcullisd on an archive of one sparse and one small file."""

    def __init__(self, build: Path, settings: dict[str, str]):
        self.home = tempfile.TemporaryDirectory(prefix="portcullis-fair-")
        home = Path(self.home.name)
        home.chmod(0o755)
        archive = home / "archive"
        archive.mkdir()
        with open(archive / "big", "wb") as f:
            f.truncate(1 << 33)
        (archive / "small").write_bytes(b"x" * 1024)
        archive.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        conf = {"archive": str(archive), "sandbox": "best",
                "listen": f"127.0.0.1:{self.port}",
                "passive.ports": "28000-29999", **settings}
        (home / "conf").write_text(
            "".join(f"{k} = {v}\n" for k, v in conf.items()))
        self.process = subprocess.Popen(
            [build / "portcullisd", "-c", home / "conf"],
            stderr=subprocess.PIPE, text=True)
        while "ready:" not in (line := self.process.stderr.readline()):
            if not line:
                sys.exit("portcullisd did not start")

    def cpu_s(self) -> float:
        """Of the gate and the workers together."""
        total = 0
        for pid in subprocess.run(
                ["pgrep", "-P", str(self.process.pid)], text=True,
                capture_output=True, check=True).stdout.split():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1]
            total += sum(map(int, fields.split()[11:13]))
        return total / TICK

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.home.cleanup()


class Session:
    """A control connection from one of the loopback's addresses."""

    def __init__(self, server: Server, source: str):
        self.source = source
        self.sock = socket.create_connection(
            ("127.0.0.1", server.port), source_address=(source, 0))
        self.file = self.sock.makefile("rb")
        self.reply()
        self.command("USER anonymous")
        self.command("PASS bench@example.org")

    def reply(self) -> str:
        while not re.match(rb"\d{3} ", line := self.file.readline()):
            if not line:
                sys.exit("the server closed a control connection")
        return line.decode()

    def command(self, line: str) -> str:
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def data(self, name: str) -> socket.socket:
        port = re.search(r"\|(\d+)\|", self.command("EPSV"))
        data = socket.create_connection(
            ("127.0.0.1", int(port[1])), source_address=(self.source, 0))
        if not (said := self.command(f"RETR {name}")).startswith("150"):
            sys.exit(f"no transfer: {said}")
        return data


def take(datas: list[socket.socket], seconds: float) -> list[float]:
    """Bytes a second that each connection gives."""
    by_fd = {d.fileno(): i for i, d in enumerate(datas)}
    got = [0] * len(datas)
    room = bytearray(1 << 20)
    poll = select.poll()
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        for fd, _ in poll.poll(100):
            got[by_fd[fd]] += datas[by_fd[fd]].recv_into(room)
    return [n / spent for n in got]


def jain(rates: list[float]) -> float:
    return sum(rates) ** 2 / (len(rates) * sum(r * r for r in rates))


def fairness(build: Path) -> tuple[float, float]:
    """Jain's index over two addresses, and the sum as a part of rate.all."""
    server = Server(build, {"rate.all": str(RATE)})
    sessions = [Session(server, f"127.0.0.{2 if i < 8 else 3}")
                for i in range(9)]
    datas = [s.data("big") for s in sessions]
    take(datas, SETTLE_S)
    rates = take(datas, MEASURE_S)
    server.stop()
    return jain([sum(rates[:8]), rates[8]]), sum(rates) / RATE


def cost(build: Path, settings: dict[str, str]) -> tuple[float, float]:
    """CPU seconds for each GB of a big file; microseconds a small file."""
    server = Server(build, {"worker.count": "1", **settings})
    session = Session(server, "127.0.0.2")
    with session.data("big") as data:
        before = server.cpu_s()
        moved = sum(take([data], MEASURE_S)) * MEASURE_S
        per_gb = (server.cpu_s() - before) / moved * 1e9
    session.reply()
    before, files = server.cpu_s(), 0
    began = time.monotonic()
    while time.monotonic() - began < MEASURE_S:
        with session.data("small") as data:
            while data.recv(4096):
                pass
        session.reply()
        files += 1
    per_file = (server.cpu_s() - before) / files * 1e6
    server.stop()
    return per_gb, per_file


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs="+", type=Path,
                        help="build directories; the first one's shares")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    shares = [fairness(args.builds[0]) for _ in range(args.rounds)]
    for name, column in zip(("Jain's index, 8 connections and 1",
                             "sum / rate.all"), zip(*shares)):
        print(f"{name}: {statistics.median(column):.3f} "
              f"({min(column):.3f} to {max(column):.3f})")
    rows = [(f"{b}: no limits", b, {}) for b in args.builds]
    rows += [(f"{args.builds[0]}: rate.all = 50G, transfers.max = 1000",
              args.builds[0], {"rate.all": "50G", "transfers.max": "1000"})]
    got = {row[0]: [] for row in rows}
    for _ in range(args.rounds):    # in turns: the machine changes too
        for name, build, settings in rows:
            got[name].append(cost(build, settings))
    for name, runs in got.items():
        big, small = zip(*runs)
        print(f"{name}: {statistics.median(big):.3f} CPU s/GB "
              f"({min(big):.3f} to {max(big):.3f}), "
              f"{statistics.median(small):.0f} us a small file "
              f"({min(small):.0f} to {max(small):.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
