# tests/e2e/test_notify.py: who is told of uploads (upload.notify).
# SPDX-License-Identifier: Apache-2.0
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import tempfile

import pytest

from conftest import IS_ROOT, Server, needs_root
from test_accounts import login, make_accounts
from test_dropbox import make_box
from test_processes import reload, soon
from test_solo import worker_of
from test_uploads import WRITER, store


@pytest.fixture
def start():
    """start(conf): a server with alice, a drop box, and a place for notices."""
    places, servers = [], []

    def begin(**conf):
        place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
        place.chmod(0o755)
        places.append(place)
        make_box(place)
        (place / "told").mkdir()
        (place / "told").chmod(0o777)
        settings = make_accounts(place, {"alice": WRITER}) | {
            "anonymous.upload": "/incoming", "upload.checksum": "optional",
            "upload.durable": "off"}
        settings.update({key: str(value).format(place=place)
                         for key, value in conf.items()})
        server = Server(place, place / "archive", settings)
        server.told = place / "told"
        servers.append(server)
        return server
    yield begin
    for server in servers:
        assert server.stop() == 0, server.stderr
    for place in places:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def listener(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(10)
        yield sock


def heard(sock, n=1):
    return [json.loads(sock.recv(65536)) for _ in range(n)]


def is_silent(sock):
    sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    return True


def program(server_place, text):
    path = server_place / "told" / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def use_program(server, text, **more):
    """The program is made behind the start, and a reload names it."""
    path = program(server.place, text)
    reload(server, server.settings | {"upload.notify": path,
                                      "upload.notify_user": 65534, **more})
    server.wait_for("reloaded")
    return path


def test_a_socket_is_told_each_upload_once(start):
    server = start(**{"upload.notify": "unix:{place}/told/sock"})
    with listener(server.told / "sock") as sock:
        with login(server, "alice") as c:
            data = b"with a checksum"
            digest = hashlib.sha256(data).hexdigest()
            assert store(c, "STOR a b.sha256", digest.encode()).code == 226
            assert store(c, "STOR a b", data).code == 226
            assert store(c, "STOR a b", b"other").code == 550
            assert c.cmd("MKD d").code == 257
            name = b"d/caf\xe9".decode("utf-8", "surrogateescape")
            assert store(c, f"STOR {name}", b"x").code == 226
        first, second, third = heard(sock, 3)
        with server.login() as c:
            assert store(c, "STOR incoming/x", b"1234").code == 226
        dropped, = heard(sock)
        assert is_silent(sock)
    flow, time = second.pop("flow_id"), second.pop("time")
    assert second == {"command": "STOR", "user": "alice", "path": "/a b",
                      "file": "a b", "size": 15, "mode": "0644",
                      "sha256": digest}
    assert time.startswith("20") and time.endswith("Z")
    assert flow in {e["flow_id"] for e in server.events("ftp_data")}
    assert first["path"] == "/a b.sha256" and "sha256" not in first
    assert os.fsencode(third["path"]) == b"/d/caf\xe9"
    box = server.place / "archive" / "incoming"
    assert (box / dropped["file"]).stat().st_size == 4
    assert (dropped["path"], dropped["mode"]) == ("/incoming/x", "0040")
    assert "user" not in dropped


def test_d07_a_program_reads_it_and_has_nothing_else(start):
    server = start()
    out = server.told / "out"
    # A shell sets a few variables of its own: so the kernel is asked.
    use_program(server, f"""set -C
        {{ cat; tr '\\0' ' ' < /proc/$$/environ; echo "args=$#"
          ls -l /proc/$$/fd | sed 's/.* ->/fd/'
          id -u; id -G; }} > {out}.tmp && mv {out}.tmp {out}""")
    with login(server, "alice") as c:
        assert store(c, "STOR ; rm -rf $HOME `id`", b"x").code == 226
    soon(out.exists)
    lines = out.read_text().splitlines()
    told = json.loads(lines[0])
    assert told["path"] == "/; rm -rf $HOME `id`"
    assert lines[1] == "PATH=/usr/local/bin:/usr/bin:/bin args=0"
    for line in lines:	# some are the shell's own
        assert not line.startswith("fd ") or not any(
            word in line for word in ("socket:", "anon_inode:", "memfd:/",
                                      "events-", "archive")), lines
    if IS_ROOT:
        assert lines[-2:] == ["65534", "65534"]


def test_so_many_at_once_and_so_long(start):
    server = start()
    use_program(server, f"read line; echo x >> {server.told}/began; "
                "exec sleep 600", **{"upload.notify_jobs": 2,
                                     "upload.notify_timeout": 1})
    began = server.told / "began"
    with login(server, "alice") as c:
        for n in range(3):
            assert store(c, f"STOR {n}", b"x").code == 226
        soon(lambda: began.exists() and began.read_text() == "x\n" * 2)
        assert store(c, "STOR 4", b"x").code == 226
        assert began.read_text() == "x\n" * 2
        server.wait_for("takes too long and is ended", times=2)
        soon(lambda: began.read_text() == "x\n" * 4)
    use_program(server, "exit 3")
    server.wait_for("upload.notify pid=")	# those of before are ended
    with login(server, "alice") as c:
        assert store(c, "STOR 5", b"x").code == 226
        server.wait_for("ended with status 3")


def test_uploads_never_wait_for_who_is_told(start):
    """Nobody listens: some are kept, further ones lost, said and counted."""
    server = start(**{"upload.notify": "unix:{place}/told/sock"})
    with login(server, "alice") as c:
        for _ in range(15):	# long ones fill the buffer sooner
            c.cmd("MKD " + "d" * 200)
            assert c.cmd("CWD " + "d" * 200).code == 250
        for n in range(90):
            assert store(c, f"STOR x{n}", b"x").code == 226
        server.wait_for("notices are lost: too many wait")
        assert server.stderr.count("told/sock: No such file") == 1
        with listener(server.told / "sock") as sock:
            # What waits comes in its order, and without a gap.
            names = [heard(sock)[0]["file"] for _ in range(20)]
            assert names == [f"x{n}" for n in range(20)]
            while names[-1] != "last":
                names += [heard(sock)[0]["file"]]
                if len(names) == 25:
                    assert store(c, "STOR last", b"x").code == 226
            server.wait_for("notices are taken again; lost: ")
            lost = int(server.stderr.split("again; lost: ")[1].split()[0])
            assert len(names) + lost == 91 and lost > 0


def test_what_waits_is_told_at_a_stop(start):
    server = start(**{"upload.notify": "unix:{place}/told/sock"})
    with login(server, "alice") as c:
        for n in range(20):
            assert store(c, f"STOR x{n}", b"x").code == 226
    with listener(server.told / "sock") as sock:
        server.process.terminate()
        assert len(heard(sock, 20)) == 20
        assert server.process.wait(10) == 0


def test_at_most_once_a_warden_that_is_killed_tells_nobody(start):
    server = start(**{"upload.notify": "unix:{place}/told/sock"})
    with login(server, "alice") as c:
        for n in range(5):
            assert store(c, f"STOR x{n}", b"x").code == 226
        server.wait_for("No such file")
        server.process.kill()
        server.process.wait()
    again = Server(server.place, server.place / "archive", {
        key: value for key, value in server.settings.items()
        if key not in ("listen", "events", "xferlog")})
    try:
        with listener(server.told / "sock") as sock:
            with login(again, "alice") as c:
                assert store(c, "STOR y", b"x").code == 226
                for n in range(5):	# they are there, untold
                    assert c.cmd(f"SIZE x{n}") == "213 1\r\n"
            assert heard(sock)[0]["path"] == "/y"
            assert again.stop() == 0
            assert is_silent(sock)
    finally:
        again.stop()
    server.stop = lambda: 0


@needs_root
def test_a_worker_that_ends_is_heard_to_its_end(start):
    server = start(**{"upload.notify": "unix:{place}/told/sock"})
    with login(server, "alice", source="127.0.0.1") as c:
        for n in range(5):
            assert store(c, f"STOR x{n}", b"x").code == 226
        os.kill(worker_of(server, c), signal.SIGKILL)
    with listener(server.told / "sock") as sock:
        assert [t["file"] for t in heard(sock, 5)] == [
            f"x{n}" for n in range(5)]


def name_a_user_and_go(server):
    """A process of his own, without a login; it has ended."""
    with server.control("127.0.0.1") as c:
        assert c.read().code == 220
        assert c.cmd("USER alice").code == 331
        pid = worker_of(server, c)
        assert c.cmd("QUIT").code == 221
    soon(lambda: not os.path.exists(f"/proc/{pid}"))


@needs_root
def test_nobody_listens_and_who_has_gone_leaves_no_descriptor(start):
    """Else strangers take all that the warden may have."""
    server = start(**{"upload.notify": "unix:{place}/told/sock"})

    def held():
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))
    with login(server, "alice") as c:
        assert store(c, "STOR x", b"x").code == 226
        server.wait_for("No such file")
        before = held()
        for _ in range(16):
            name_a_user_and_go(server)
        soon(lambda: held() < before + 8)
        with listener(server.told / "sock") as sock:
            assert heard(sock)[0]["file"] == "x"


def test_notify_that_cannot_be_is_no_start(place):
    make_box(place)
    inside = place / "archive" / "pub" / "run"
    inside.write_text("#!/bin/sh\n")
    inside.chmod(0o755)
    for value, text in (("run", "neither"), ("unix:x", "neither"),
                        ("unix:/" + "x" * 108, "neither"),
                        ("/nowhere/run", "cannot run"),
                        (f"{inside}", "is in the archive")):
        server = Server(place, place / "archive",
                        {"upload.notify": value}, wait=False)
        assert server.process.wait(20) == 2
        assert text in server.stderr, (value, server.stderr)
