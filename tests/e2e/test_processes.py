# tests/e2e/test_processes.py: who runs, as whom, and what happens when one
# of them dies, reloads or cannot start.
# SPDX-License-Identifier: Apache-2.0

import ctypes
import errno
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import (BUILD, ENVIRONMENT, IS_ROOT, free_port, plain_build,
                      needs_root, steady_bytes)

BIG = "pub/large.nc"
BIG_BYTES = 48 << 20	# more than the buffers of a connection hold
CAP_NET_BIND_SERVICE = 1 << 10
OWN_ROOT = "names of the archive alone"	# what src/ipc/walls.h calls it


# ---- helpers

@pytest.fixture(autouse=True)
def orphans():
    """Whoever a dead warden leaves behind becomes our child, and is seen."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(36, 1, 0, 0, 0) == 0	# PR_SET_CHILD_SUBREAPER
    yield
    libc.prctl(36, 0, 0, 0, 0)


def children_of(pid):
    """Its children as {process number: command}, the dead ones too."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = stat.read_text().split(" (", 1)
        except (FileNotFoundError, ProcessLookupError):
            continue
        command, fields = rest.rsplit(") ", 1)
        if int(fields.split()[1]) == pid:
            found[int(number)] = command
    return found


def no_one_is_left(seconds=5):
    """No gate or worker has outlived its warden."""
    def left():
        while True:	# collect what we inherited and has ended
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        return {p: c for p, c in children_of(os.getpid()).items()
                if c.startswith("portcullis")}

    soon(lambda: not left(), seconds)
    return True


def soon(condition, seconds=10):
    """Waits for it; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return value


def gate_of(server):
    return soon(lambda: server.children("portcullis-gate"))[0]


def status_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines()
                if ":\t" in line)


def sockets_of(pid):
    """Inode numbers of the sockets that a process has open."""
    found = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            link = os.readlink(fd)
        except FileNotFoundError:
            continue
        if link.startswith("socket:["):
            found.add(int(link[8:-1]))
    return found


def tcp_sockets(pid, state):
    """{inode: (local port, remote port)} of TCP sockets where pid lives."""
    found = {}
    for table in ("tcp", "tcp6"):
        lines = pathlib.Path(f"/proc/{pid}/net/{table}").read_text()
        for line in lines.splitlines()[1:]:
            words = line.split()
            if int(words[3], 16) == state:
                found[int(words[9])] = tuple(
                    int(word.rsplit(":", 1)[1], 16) for word in words[1:3])
    return found


def listening(pid):
    """Ports on which that process could accept."""
    tcp = tcp_sockets(pid, 0x0A)
    return {tcp[inode][0] for inode in sockets_of(pid) if inode in tcp}


def worker_of(server, control):
    """The worker that serves that control connection."""
    ends = (server.port, control.sock.getsockname()[1])
    for pid in server.children("portcullis-worker"):
        tcp = tcp_sockets(pid, 0x01)
        if any(tcp.get(inode) == ends for inode in sockets_of(pid)):
            return pid
    return None


@pytest.fixture
def large(archive):
    """A file that no buffer swallows, with a mark in every mebibyte."""
    path = archive / BIG
    with path.open("wb") as f:
        f.truncate(BIG_BYTES)
        for at in range(0, BIG_BYTES, 1 << 20):
            f.seek(at)
            f.write(b"mebibyte %d" % at)
    path.chmod(0o644)
    return path


class Slow:
    """A download that has begun, and waits until it is told to finish."""

    def __init__(self, control):
        self.control = control
        self.data = socket.socket()
        self.data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.data.settimeout(30)
        self.data.connect((control.peer[0], control.epsv()))
        assert control.cmd(f"RETR {BIG}").code == 150

    def finish(self, path):
        with self.data as data:
            body = b"".join(iter(lambda: data.recv(1 << 20), b""))
        assert body == path.read_bytes()
        assert self.control.read().code == 226


def start_that_fails(server):
    """Its status and what it said; nobody is left."""
    status = server.process.wait(20)
    assert no_one_is_left()
    for report in ("Sanitizer", "runtime error", "Assertion"):
        assert report not in server.stderr, server.stderr
    return status, server.stderr


@pytest.fixture
def failing(place, archive):
    """failing(conf): a start that is to fail; status and standard error."""
    from conftest import Server

    def start(conf=None, **kwargs):
        return start_that_fails(Server(
            place, kwargs.pop("archive", archive), conf, wait=False,
            **kwargs))

    return start


def portcullisd(*args):
    return subprocess.run([BUILD / "portcullisd", *map(str, args)],
                          capture_output=True, text=True, timeout=20,
                          env=ENVIRONMENT)


def said(text, *words):
    """One line has all of the words."""
    return any(all(word in line for word in words)
               for line in text.splitlines())


# ---- one dies

@needs_root	# to see which worker has which session: none is dumpable
def test_a_killed_worker_is_replaced_and_others_go_on(serve, large):
    server = serve({"worker.count": 2})
    first, second = server.login(), server.login()
    one, other = worker_of(server, first), worker_of(server, second)
    assert one and other and one != other
    slow = Slow(first)
    os.kill(other, signal.SIGKILL)
    assert second.ended()
    soon(lambda: set(server.children("portcullis-worker")) - {one, other})
    server.wait_for("SIGKILL")
    for _ in range(4):	# whichever worker they come to
        server.login().close()
    slow.finish(large)
    assert worker_of(server, first) == one


def test_a_killed_gate_is_replaced_and_transfers_finish(serve, large):
    server = serve({"worker.count": 2})
    control = server.login()
    old = set(server.children("portcullis-worker"))
    slow = Slow(control)
    gate = gate_of(server)
    os.kill(gate, signal.SIGKILL)
    # The port never closes: connections wait for the next gate.
    with server.login() as new:
        assert new.fetch("RETR pub/small.nc") == steady_bytes(1024)
    assert gate_of(server) != gate
    slow.finish(large)
    # The old workers have nothing left to do.
    soon(lambda: not old & set(server.children("portcullis-worker")))
    assert len(server.children("portcullis-worker")) == 2


def test_a_gate_killed_again_and_again_comes_back(serve):
    server = serve()
    for _ in range(3):
        gate = gate_of(server)
        os.kill(gate, signal.SIGKILL)
        soon(lambda: set(server.children("portcullis-gate")) - {gate})
        server.login().close()
    soon(lambda: len(server.children("portcullis-worker")) == 1)


def test_everyone_goes_when_the_warden_is_killed(place, archive):
    from conftest import Server
    server = Server(place, archive)
    server.login()
    server.process.kill()
    server.process.wait(5)
    assert no_one_is_left(15)


def test_a_crowd_gets_more_workers_and_they_go_home(serve):
    server = serve({"worker.count": 1, "worker.sessions": 4,
                    "sessions.max": 12})
    crowd = []
    for _ in range(10):
        crowd.append(server.login())
        time.sleep(0.05)	# a start takes a moment
    assert len(server.children("portcullis-worker")) >= 3
    for control in crowd:
        control.cmd("QUIT")
        control.close()
    soon(lambda: len(server.children("portcullis-worker")) <= 2)
    server.login().close()


# ---- stop

def test_sigterm_lets_a_running_transfer_finish(serve, large):
    server = serve({"stop.timeout": 20})
    slow = Slow(server.login())
    idle = server.login()
    server.process.terminate()
    assert idle.read().code == 421
    soon(lambda: refused(server))
    assert server.process.poll() is None
    slow.finish(large)
    assert server.process.wait(10) == 0
    assert no_one_is_left()


def refused(server):
    try:
        socket.create_connection(server.address, timeout=5).close()
    except OSError:
        return True
    return False


def test_a_second_sigterm_does_not_wait(serve, large):
    server = serve({"stop.timeout": 60})
    Slow(server.login())
    server.process.terminate()
    soon(lambda: refused(server))
    server.process.terminate()
    assert server.process.wait(5) == 0
    assert no_one_is_left()


def test_a_transfer_that_stands_still_ends_with_stop_timeout(serve, large):
    server = serve({"stop.timeout": 1})
    slow = Slow(server.login())
    began = time.monotonic()
    server.process.terminate()
    assert server.process.wait(15) == 0
    assert time.monotonic() - began < 8
    slow.data.close()


def test_ctrl_c_reaches_the_warden_alone(serve):
    server = serve()
    group = os.getpgid(server.process.pid)
    for pid in children_of(server.process.pid):
        assert os.getpgid(pid) != group
        assert os.getsid(pid) != os.getsid(server.process.pid)


# ---- reload

def reload(server, settings=None):
    if settings:
        server.write_conf(dict(server.settings, **settings))
    server.process.send_signal(signal.SIGHUP)


def greeting(server):
    with server.control() as control:
        return control.read()


def test_f17_sighup_changes_the_banner_for_new_sessions(serve):
    server = serve({"banner": "The old house."})
    old = server.login()
    workers = server.children("portcullis-worker")
    assert "The old house." in greeting(server)
    reload(server, {"banner": "The new house.", "worker.count": 2})
    server.wait_for("reloaded")
    soon(lambda: "The new house." in greeting(server))
    assert old.fetch("RETR pub/small.nc") == steady_bytes(1024)
    assert old.cmd("QUIT").code == 221
    old.close()
    soon(lambda: not set(workers) &
         set(server.children("portcullis-worker")))
    time.sleep(0.3)	# no more are started than were asked for
    assert len(server.children("portcullis-worker")) == 2


def test_sighup_with_a_bad_file_keeps_the_old_state(serve):
    server = serve({"banner": "The old house."})
    workers = server.children("portcullis-worker")
    reload(server, {"banner": "The new house.", "bannner": "x"})
    server.wait_for("reload failed")
    assert said(server.stderr, "bannner", str(server.conf_file))
    assert "The old house." in greeting(server)
    assert server.children("portcullis-worker") == workers
    reload(server, {"bannner": None})
    server.wait_for("reloaded")
    soon(lambda: "The new house." in greeting(server))


def test_sighup_with_a_missing_archive_keeps_the_old_state(serve, place):
    server = serve()
    reload(server, {"archive": place / "nowhere"})
    server.wait_for("reload failed")
    with server.login() as control:
        assert control.fetch("RETR pub/README")


@needs_root
def test_sighup_with_an_unreadable_archive_keeps_the_old_state(serve, place):
    (place / "closed").mkdir(mode=0o700)
    server = serve()
    reload(server, {"archive": place / "closed"})
    server.wait_for("reload failed")
    soon(lambda: len(server.children("portcullis-worker")) == 1)
    with server.login() as control:
        assert control.fetch("RETR pub/README")


def test_sighup_changes_the_archive_for_new_sessions(serve, place):
    other = place / "other"
    other.mkdir(mode=0o755)
    (other / "only here").write_bytes(b"moved")
    (other / "only here").chmod(0o644)
    server = serve()
    reload(server, {"archive": other})
    server.wait_for("reloaded")
    with server.login() as control:
        assert control.fetch("RETR only here") == b"moved"


def test_sighup_changes_where_it_listens(serve):
    server = serve()
    held = server.login()
    old, server.port = server.port, free_port()
    reload(server, {"listen": f"0.0.0.0:{server.port}"})
    server.wait_for("reloaded")
    server.address = ("127.0.0.1", server.port)
    soon(lambda: not refused(server))
    server.login().close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", old), timeout=5)
    assert held.cmd("NOOP").code == 200
    # The same port by another address: the warden's copy must let it go.
    reload(server, {"listen": f"127.0.0.1:{server.port}"})
    server.wait_for("reloaded", 2)
    soon(lambda: not refused(server))
    server.login().close()
    assert "cannot listen" not in server.stderr


def test_b14_many_sighups_end_with_the_last_configuration(serve):
    server = serve()
    for number in range(6):
        reload(server, {"banner": f"House {number}."})
        time.sleep(0.01)
    soon(lambda: "House 5." in greeting(server))
    soon(lambda: len(server.children("portcullis-worker")) == 1)
    server.login().close()


def test_a_gate_killed_during_a_reload_leaves_a_whole_server(serve):
    server = serve({"worker.count": 2})
    for number in range(3):
        reload(server, {"banner": f"House {number}."})
        os.kill(gate_of(server), signal.SIGKILL)
        soon(lambda: f"House {number}." in greeting(server))
    soon(lambda: len(server.children("portcullis-worker")) == 2)


def test_logs_are_opened_again_after_rotation(serve):
    server = serve()
    with server.login() as control:
        control.fetch("RETR pub/small.nc")
    assert server.events("ftp_data")
    for file in (server.events_file, server.xferlog_file):
        file.rename(f"{file}.1")
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("reloaded")
    with server.login() as control:
        control.fetch("RETR pub/README")
    names = [e["ftp_data"]["filename"] for e in server.events("ftp_data")]
    assert names == ["/pub/README"]
    soon(lambda: "/pub/README" in server.xferlog_file.read_text())
    old = pathlib.Path(f"{server.xferlog_file}.1").read_text()
    assert "small.nc" in old and "README" not in old


def test_log_files_are_not_for_everyone(serve):
    server = serve()
    server.login().close()
    for file in (server.events_file, server.xferlog_file):
        assert file.stat().st_mode & 0o777 == 0o640


def test_f12_a_sleeping_reader_of_the_events_holds_nobody_up(place, serve):
    fifo = place / "events.fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = serve({"events": fifo})
    end = time.monotonic() + 2
    while time.monotonic() < end:	# far more lines than the FIFO holds
        with server.control() as control:
            control.read()
            control.send("NOOP\r\n" * 20 + "PORT 1,2,3,4,5,6\r\n" * 15)
            control.read()
    assert server.stop(10) == 0
    os.close(reader)


def test_f12_a_full_disk_loses_whole_lines_and_says_so_once(serve):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    server = serve({"events": "/dev/full"})
    for _ in range(3):
        server.login().close()
        time.sleep(0.1)
    server.wait_for("events: lines are lost")
    assert server.stderr.count("lines are lost") == 1


# ---- starts that fail

def test_a_wrong_key_is_one_line_with_its_place(failing):
    status, text = failing({"archvie": "/srv"})
    assert status == 2
    assert said(text, "archvie", ".conf:")
    assert len(text.splitlines()) == 1


def test_a_port_in_use_is_one_line(failing):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, text = failing({"passive.ports": "2000-3000"}, port=port)
    assert status == 2
    assert said(text, f"127.0.0.1:{port}", "Address already in use")
    assert "ready:" not in text


def test_a_missing_archive_is_one_line(failing, place):
    status, text = failing(archive=place / "nowhere")
    assert status == 2
    assert said(text, "archive", "nowhere", "No such file")


def test_no_archive_is_one_line(failing):
    status, text = failing({"archive": None})
    assert status == 2
    assert said(text, "archive", "not set")


@needs_root
def test_an_archive_that_the_worker_cannot_read_is_refused(failing, place):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    status, text = failing(archive=closed)
    assert status == 2
    assert said(text, str(closed), "Permission denied")
    assert "ready:" not in text


@needs_root
@pytest.mark.parametrize("key", ["gate.user", "worker.user"])
@pytest.mark.parametrize("user, words", [
    ("nobody-of-this-name", "there is no user"),
    ("root", "root"),
    ("0", "root"),
])
def test_an_unknown_user_and_root_are_refused(failing, key, user, words):
    status, text = failing({key: user})
    assert status == 2
    assert said(text, key, f'"{user}"', words)


@pytest.mark.parametrize("key", ["events", "xferlog"])
def test_a_log_file_that_cannot_be_opened_is_one_line(failing, place, key):
    path = place / "nowhere" / "file"
    status, text = failing({key: path})
    assert status == 2
    assert said(text, key, str(path), "No such file")


@pytest.mark.parametrize("args", [
    ["--no-such-option"],
    ["--listen"],
    ["word"],
    ["--archive", "/", "--check", "word"],
])
def test_wrong_usage_is_one_line(args):
    done = portcullisd(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("portcullisd: ")


def test_check_says_fine_or_what_is_not(place, archive):
    file = place / "site.conf"
    file.write_text(f"archive = {archive}\n")
    done = portcullisd("-c", file, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"portcullisd: {file}: fine\n"
    file.write_text(f"archive = {archive}\nidle.timeout = never\n")
    done = portcullisd("-c", file, "--check")
    assert done.returncode == 2
    assert said(done.stderr, f"{file}:2", "idle.timeout")


def test_options_override_the_file(place, archive):
    file = place / "site.conf"
    file.write_text("archive = /nowhere\nlisten = 192.0.2.1:21\n"
                    "passive.ports = 40000-40100\n")
    done = portcullisd("-c", file, "--archive", archive, "--listen",
                       "127.0.0.1:2121", "--listen", "[::1]:2121",
                       "--passive-ports", "50000-50100", "--events", "-",
                       "--print-config")
    assert done.returncode == 0, done.stderr
    for line in (f"archive = {archive}", "events = -",
                 "listen = 127.0.0.1:2121 [::1]:2121",
                 "passive.ports = 50000-50100"):
        assert line in done.stdout.splitlines()


def test_version_and_help(place):
    assert re.fullmatch(r"portcullisd \d+\.\d+\.\d+\nTLS: [^\n]+\n",
                        portcullisd("--version").stdout)
    assert "--passive-ports LOW-HIGH" in portcullisd("--help").stdout


# ---- who they are

def uid_of(name):
    return int(subprocess.run(["id", "-u", name], check=True,
                              capture_output=True).stdout)


def capabilities(status):
    return {key: int(status[key], 16)
            for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


@needs_root
def test_c07_c08_gate_and_workers_have_no_power(serve, archive):
    server = serve({"worker.count": 2})
    warden = status_of(server.process.pid)
    own = status_of("self")
    assert capabilities(warden) == capabilities(own)
    assert (warden["Uid"], warden["Gid"]) == (own["Uid"], own["Gid"])
    gate = status_of(gate_of(server))
    assert set(gate["Uid"].split()) == {str(uid_of("portcullis-gate"))}
    assert "0" not in gate["Gid"].split()
    assert capabilities(gate) == dict(dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapAmb"), CAP_NET_BIND_SERVICE),
        CapBnd=0)
    assert gate["Groups"].split() == []
    assert gate["NoNewPrivs"] == "1"
    assert len(server.children("portcullis-worker")) == 2
    for pid in server.children("portcullis-worker"):
        worker = status_of(pid)
        assert set(worker["Uid"].split()) == \
            {str(uid_of("portcullis-worker"))}
        assert "0" not in worker["Gid"].split()
        assert worker["Groups"].split() == []
        # The bounding and the ambient set are among them.
        assert capabilities(worker) == dict.fromkeys(
            ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
        assert worker["NoNewPrivs"] == "1"
        assert worker["Seccomp"] == "2"
        assert os.readlink(f"/proc/{pid}/root") == str(archive)
    walls, = [line for line in server.stderr.splitlines() if "walls" in line]
    assert OWN_ROOT in walls


@needs_root
def test_users_may_be_numbers(serve):
    server = serve({"gate.user": "64001", "worker.user": "64002"})
    assert status_of(gate_of(server))["Uid"].split() == ["64001"] * 4
    for pid in server.children("portcullis-worker"):
        assert status_of(pid)["Uid"].split() == ["64002"] * 4
    server.login().close()


@needs_root
def test_a_program_in_a_closed_directory_can_be_run(place, serve, archive):
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    for name in ("portcullisd", "portcullis-gate", "portcullis-worker"):
        (closed / name).write_bytes((BUILD / name).read_bytes())
        (closed / name).chmod(0o755)
    import conftest
    before, conftest.BUILD = conftest.BUILD, closed
    try:
        serve().login().close()
    finally:
        conftest.BUILD = before


@needs_root
def test_it_runs_without_root_too(place, archive):
    port = free_port()
    server = subprocess.Popen(
        ["setpriv", "--reuid=64003", "--regid=64003", "--clear-groups",
         BUILD / "portcullisd", "-c", "/dev/null", "--archive", archive,
         "--listen", f"127.0.0.1:{port}",
         "--passive-ports", "33000-33100"],
        stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        lines = []
        while "ready:" not in "".join(lines):
            lines.append(server.stderr.readline())
            assert lines[-1], lines
        assert said("".join(lines), "missing", "users of their own")
        from conftest import Control
        with Control(("127.0.0.1", port)).login() as control:
            assert control.fetch("RETR pub/README")
        own_root = namespaces_for("64003")
        assert said("".join(lines), "walls:", OWN_ROOT) == own_root
        for pid, name in children_of(server.pid).items():
            caps = capabilities(status_of(pid))
            caps.pop("CapBnd")	# an ordinary user cannot empty it
            assert set(caps.values()) == {0}
            if own_root and name == "portcullis-work":
                # A namespace gave it all capabilities; they are gone.
                assert capabilities(status_of(pid))["CapBnd"] == 0
                assert os.readlink(f"/proc/{pid}/root") == str(archive)
    finally:
        server.terminate()
        assert server.wait(15) == 0


def namespaces_for(user):
    """May that user chroot in a user namespace of his own?"""
    return subprocess.run(
        ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
         "unshare", "--user", "--map-root-user", "chroot", "/", "true"],
        capture_output=True).returncode == 0


@needs_root
def test_a_service_without_root_can_be_lent_the_root_directory(place,
                                                              archive):
    """AmbientCapabilities=CAP_SYS_CHROOT, where namespaces are forbidden;
    each process gets what is its own, and nobody what is nobody's."""
    from conftest import Server
    log = place / "log"
    log.mkdir()
    log.chmod(0o777)
    lent = "+sys_chroot,+net_bind_service,+net_raw"
    server = Server(place, archive, {"events": log / "e", "xferlog": ""},
                    preexec=forbidding(UNSHARE), prefix=[
                        "setpriv", "--reuid=64003", "--regid=64003",
                        "--clear-groups", f"--inh-caps={lent}",
                        f"--ambient-caps={lent}"])
    try:
        assert said(server.stderr, "walls:", OWN_ROOT)
        caps = capabilities(status_of(gate_of(server)))
        assert caps["CapPrm"] == caps["CapAmb"] == CAP_NET_BIND_SERVICE
        for pid in server.children("portcullis-worker"):
            caps = capabilities(status_of(pid))
            caps.pop("CapBnd")
            assert set(caps.values()) == {0}
            assert os.readlink(f"/proc/{pid}/root") == str(archive)
        server.login().close()
    finally:
        assert server.stop() == 0


@needs_root
def test_the_service_file_leaves_what_the_walls_need(serve, archive):
    unit = (pathlib.Path(__file__).parents[2] / "dist" /
            "portcullisd.service").read_text()
    kept = re.search(r"^CapabilityBoundingSet=(.*)", unit, re.M).group(1)
    assert "RestrictNamespaces=yes" in unit
    bounding = ",".join(["-all", *(f"+{cap.removeprefix('CAP_').lower()}"
                                   for cap in kept.split())])
    server = serve(prefix=["setpriv", f"--bounding-set={bounding}"],
                   preexec=forbidding(UNSHARE))
    assert said(server.stderr, "walls:", OWN_ROOT, "users of their own")
    assert "missing" not in server.stderr
    server.login().close()


def test_children_get_a_small_environment_and_no_terminal(serve):
    if not IS_ROOT:
        pytest.skip("their /proc is closed to others")
    server = serve(prefix=("env", "TZ=UTC0"))
    for pid in children_of(server.process.pid):
        env = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        names = {e.split(b"=")[0] for e in env if e}
        # The gate has the warden's zone: steps of the day are local.
        assert b"TZ=UTC0" in env or pid == gate_of(server)
        assert names <= {b"TZ", b"ASAN_OPTIONS", b"UBSAN_OPTIONS",
                         b"LSAN_OPTIONS"}
        for fd in (0, 1):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"


# ---- invariant 4: who may accept

@needs_root
def test_only_gate_and_warden_hold_listening_sockets(serve):
    server = serve({"worker.count": 2})
    control = server.login()
    passive = control.epsv()
    gate, warden = gate_of(server), server.process.pid
    assert passive in listening(gate)
    assert server.port in listening(gate)
    assert listening(warden) == {server.port}
    for pid in server.children("portcullis-worker"):
        assert listening(pid) == set()
    os.kill(gate, signal.SIGKILL)
    server.login().close()
    assert listening(warden) == {server.port}
    for pid in server.children("portcullis-worker"):
        assert listening(pid) == set()


# ---- invariant 5: what they are made of

def symbols(path, *options):
    out = subprocess.run(["nm", "-P", *options, path], check=True,
                         capture_output=True, text=True).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines()
            if len(line.split()) > 1}


@pytest.mark.parametrize("program", ["portcullisd", "portcullis-gate"])
def test_warden_and_gate_hold_no_ftp_parser_and_no_tls(program):
    found = symbols(BUILD / program)
    assert "main" in found	# or it is stripped, and this proves nothing
    ftp = symbols(BUILD / "src" / "proto" / "libproto.a", "--defined-only",
                  "--extern-only")
    parsers = {name for name in ftp if not name.startswith("_")}
    assert "hostport_parse" in parsers
    assert found & parsers == set()
    assert not [s for s in found
                if re.match(r"(SSL|TLS|EVP|X509|BIO|OPENSSL)_", s)]


@plain_build
def test_the_gate_links_libc_alone():
    out = subprocess.run(["readelf", "-d", BUILD / "portcullis-gate"],
                         check=True, capture_output=True, text=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", out)
    assert needed == ["libc.so.6"]


# ---- kernels of another time

def forbidding(*calls, error=errno.EPERM):
    """To be done between fork and exec: those system calls fail."""
    LD_NR, JEQ, RET = 0x20, 0x15, 0x06
    ALLOW, ERRNO = 0x7FFF0000, 0x00050000
    program = b"".join(struct.pack("HBBI", *row) for row in [
        (LD_NR, 0, 0, 0),
        *((JEQ, len(calls) - i, 0, call) for i, call in enumerate(calls)),
        (RET, 0, 0, ALLOW),
        (RET, 0, 0, ERRNO | error),
    ])
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program)
    filter_ = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", 3 + len(calls), ctypes.addressof(code)))

    def forbid():
        if not IS_ROOT:
            assert libc.prctl(38, 1, 0, 0, 0) == 0	# PR_SET_NO_NEW_PRIVS
        # PR_SET_SECCOMP; code is held until then
        assert code and libc.prctl(22, 2, filter_, 0, 0) == 0

    return forbid


X86 = os.uname().machine == "x86_64"
CHROOT, UNSHARE = (161, 272) if X86 else (51, 97)
# A kernel before 5.13 knows no Landlock: landlock_create_ruleset, everywhere
without_landlock = forbidding(444, error=errno.ENOSYS)


def test_a_kernel_without_landlock_is_refused_in_words(failing):
    status, text = failing({"sandbox": "require"}, preexec=without_landlock)
    assert status == 2
    assert said(text, "sandbox", "require", "Landlock")
    assert "ready:" not in text


def test_a_kernel_without_landlock_will_do_when_allowed(serve):
    server = serve({"sandbox": "best"}, preexec=without_landlock)
    assert said(server.stderr, "missing", "files of the archive", "Landlock")
    with server.login() as control:
        assert control.fetch("RETR pub/small.nc") == steady_bytes(1024)


def test_a_reload_that_asks_for_missing_walls_fails(serve):
    server = serve({"sandbox": "best"}, preexec=without_landlock)
    reload(server, {"sandbox": "require"})
    server.wait_for("reload failed")
    assert said(server.stderr, "sandbox = require", "Landlock")
    server.login().close()


@pytest.mark.parametrize("calls", [
    (CHROOT, UNSHARE),	# a container's filter
    (CHROOT,),	# a namespace, and no power in it: Ubuntu's AppArmor
])
def test_where_chroot_is_forbidden_the_rest_stands(serve, calls):
    server = serve({"sandbox": "require"}, preexec=forbidding(*calls))
    assert said(server.stderr, "missing", OWN_ROOT)
    assert said(server.stderr, "walls:", "files of the archive alone")
    if IS_ROOT:
        assert said(server.stderr, "walls:", "users of their own")
        for pid in server.children("portcullis-worker"):
            assert set(capabilities(status_of(pid)).values()) == {0}
            assert os.readlink(f"/proc/{pid}/root") == "/"
    with server.login() as control:
        assert control.fetch("RETR pub/small.nc") == steady_bytes(1024)


def test_systemd_is_told(place, serve, monkeypatch):
    path = str(place / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(10)
        monkeypatch.setitem(ENVIRONMENT, "NOTIFY_SOCKET", path)
        server = serve()
        assert manager.recv(100) == b"READY=1"
        reload(server)
        assert manager.recv(100).startswith(b"RELOADING=1")
        assert manager.recv(100) == b"READY=1"
        server.process.terminate()
        assert manager.recv(100) == b"STOPPING=1"


def test_f20_sessions_are_served_while_everything_dies(serve):
    """Workers and gates are killed under load; whoever comes is served."""
    server = serve({"worker.count": 2, "sessions.per_address": 1000})
    stop = threading.Event()

    def killer():
        while not stop.wait(0.3):
            for pid in server.children("portcullis-")[:1]:
                os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=killer)
    thread.start()
    served = 0
    try:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            try:
                with server.login() as control:
                    served += control.fetch("RETR pub/README") != b""
            except (OSError, EOFError, AssertionError):
                pass	# this one's own worker was killed
    finally:
        stop.set()
        thread.join()
    assert served > 0
    soon(lambda: not refused(server))
    server.login().close()
    soon(lambda: len(server.children("portcullis-worker")) == 2)
