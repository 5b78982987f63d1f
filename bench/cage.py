"""bench/cage.py: where one server runs while it is measured.

SPDX-License-Identifier: Apache-2.0

A network namespace of its own, so that the sockets one run leaves behind do
not slow the next, and control groups of its own, so that the CPU time of
processes that ended is counted too.
"""
from __future__ import annotations

import ctypes
import itertools
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Optional

ALLOWED = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
PR_SET_CHILD_SUBREAPER = 36
TICK = os.sysconf("SC_CLK_TCK")
_number = itertools.count()


def _unique() -> str:
    return f"pcbench-{os.getpid()}-{next(_number)}"


def _in_namespace(name: str, *command: str) -> bool:
    done = subprocess.run(["ip", "netns", "exec", name, *command],
                          capture_output=True)
    return done.returncode == 0


def _set_cubic(name: str) -> None:
    """Only what the machine allows to users can be a namespace's default.

    So cubic is allowed for that moment, and what was allowed is put back.
    """
    setting = ("sysctl", "-qw", "net.ipv4.tcp_congestion_control=cubic")
    if _in_namespace(name, *setting):
        return
    before = ALLOWED.read_text()
    try:
        ALLOWED.write_text(before.strip() + " cubic")
        _in_namespace(name, *setting)
    except OSError:
        pass                            # told by congestion_control()
    finally:
        ALLOWED.write_text(before)


@contextmanager
def even_scheduler() -> Iterator[bool]:
    """While it lasts, every thread of the machine counts alike.

    With autogroups each session (setsid) gets the same share of a processor,
    however many threads it has.  A server with a session for each client then
    takes the processors from the one load client, which wakes rarely and reads
    much at a time; one with few sessions is interrupted by it all the while
    (16 big files: 0.61 of vsftpd's rate, 1.00 without).  That says nothing of
    a server whose clients are elsewhere.  Yields whether it could be had; what
    was set is put back.
    """
    try:
        before = AUTOGROUP.read_text()
    except OSError:
        yield True                      # a kernel without autogroups
        return
    try:
        AUTOGROUP.write_text("0")
    except OSError:
        yield before.strip() == "0"
        return
    try:
        yield True
    finally:
        AUTOGROUP.write_text(before)


def congestion_control(name: str) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", name, "sysctl", "-n",
         "net.ipv4.tcp_congestion_control"], capture_output=True, text=True)
    return done.stdout.strip()


@contextmanager
def namespace() -> Iterator[str]:
    name = _unique()
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"],
                       check=True)
        _set_cubic(name)
        _in_namespace(name, "sysctl", "-qw",
                      "net.ipv4.tcp_max_tw_buckets=4096")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name])


def _mounts(kind: str, controller: str = "") -> Iterator[Path]:
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        options = fields[3].split(",")
        if fields[2] == kind and (not controller or controller in options):
            yield Path(fields[1].encode().decode("unicode_escape"))


def _own_group(controller: str) -> str:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path.lstrip("/")
    return ""


def _make_group(kind: str, controller: str, name: str, needs: str
                ) -> Optional[Path]:
    """A child of the group we are in, or of the root if that is hidden."""
    for mount in _mounts(kind, controller):
        for parent in (mount / _own_group(controller), mount):
            group = parent / name
            try:
                group.mkdir()
            except OSError:
                continue
            if (group / needs).exists():
                return group
            group.rmdir()
    return None


def _stat_fields(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(_stat_fields(int(entry))[1])
            except (OSError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


class Account:
    """What a server and everything it starts uses."""

    def __init__(self) -> None:
        name = _unique()
        self.root_pid = 0
        self.cpu = (_make_group("cgroup", "cpuacct", name, "cpuacct.usage")
                    or _make_group("cgroup2", "", name, "cpu.stat"))
        self.memory = _make_group("cgroup", "memory", name,
                                  "memory.kmem.usage_in_bytes")

    @property
    def groups(self) -> list[Path]:
        return [group for group in (self.cpu, self.memory) if group]

    def how(self) -> str:
        if self.cpu is None:
            return "/proc (children counted when waited for)"
        version = "v1" if (self.cpu / "cpuacct.usage").exists() else "v2"
        return f"control group {version}"

    def join(self) -> None:
        """Runs in the child, before it becomes the server."""
        for group in self.groups:
            (group / "cgroup.procs").write_text("0")

    def pids(self) -> list[int]:
        if self.cpu is None:
            return _descendants(self.root_pid) if self.root_pid else []
        text = (self.cpu / "cgroup.procs").read_text()
        return [int(pid) for pid in text.split()]

    def cpu_s(self) -> float:
        if self.cpu is None:
            return self._cpu_from_proc()
        usage = self.cpu / "cpuacct.usage"
        if usage.exists():
            return int(usage.read_text()) / 1e9
        stat = (self.cpu / "cpu.stat").read_text().split()
        return int(stat[stat.index("usage_usec") + 1]) / 1e6

    def _cpu_from_proc(self) -> float:
        ticks = 0
        for pid in self.pids():
            try:
                ticks += sum(int(n) for n in _stat_fields(pid)[11:15])
            except OSError:
                continue
        return ticks / TICK

    def settled_cpu_s(self) -> float:
        """Reads when nothing moves: children may still be ending."""
        last, calm = self.cpu_s(), 0
        for _ in range(60):
            time.sleep(0.02)
            now = self.cpu_s()
            calm = calm + 1 if now - last < 0.0005 else 0
            last = now
            if calm == 4:
                break
        return last

    def pss_kib(self) -> int:
        total = 0
        for pid in self.pids():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            for line in text.splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def forget_peak(self) -> None:
        if self.memory is not None:
            (self.memory / "memory.max_usage_in_bytes").write_text("0")

    def peak_kib(self) -> Optional[int]:
        """The most memory of all its processes at once since forget_peak,
        those that have ended included, and the kernel's for them."""
        if self.memory is None:
            return None
        text = (self.memory / "memory.max_usage_in_bytes").read_text()
        return int(text) // 1024

    def kernel_kib(self) -> Optional[int]:
        if self.memory is None:
            return None
        text = (self.memory / "memory.kmem.usage_in_bytes").read_text()
        return int(text) // 1024

    def end(self) -> None:
        """Ends what is left in it, by pid, and removes the groups."""
        for _ in range(500):
            left = [pid for pid in self.pids() if pid != os.getpid()]
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            _reap()
            time.sleep(0.01)
        for group in self.groups:
            _remove(group)


def _remove(group: Path) -> None:
    for _ in range(200):
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
    print(f"could not remove {group}")


def adopt_orphans() -> None:
    """Children of a server that ended become ours, and can be waited for."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap() -> None:
    """Takes orphans only: the server itself is its Popen's to wait for."""
    me = os.getpid()
    for pid in _descendants(me):
        if pid in _known:
            continue
        try:
            fields = _stat_fields(pid)
            if fields[0] == "Z" and int(fields[1]) == me:
                os.waitpid(pid, os.WNOHANG)
        except (OSError, ChildProcessError):
            continue


_known: set[int] = set()


def start(name: str, command: list[str], join: Optional[Callable[[], None]],
          **options: object) -> subprocess.Popen:
    """Starts a command in a namespace, in a session of its own."""
    process = subprocess.Popen(["ip", "netns", "exec", name, *command],
                               preexec_fn=join, start_new_session=True,
                               **options)
    _known.add(process.pid)
    return process


def stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _known.discard(process.pid)


@contextmanager
def account() -> Iterator[Account]:
    acct = Account()
    try:
        yield acct
    finally:
        acct.end()
        _reap()
