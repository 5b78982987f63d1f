# tests/e2e/test_checksum.py: uploads that were announced by their SHA-256.
# SPDX-License-Identifier: Apache-2.0
import hashlib
import pathlib
import shutil
import tempfile

import pytest

from conftest import Server, make_archive, open_to_others, steady_bytes
from test_accounts import login, make_accounts
from test_processes import soon
from test_uploads import WRITER, hidden, store

ACCOUNTS = {"alice": WRITER,
            "box": ("-r", "w", "-d", "shelf", "-o", "uploads=dropbox")}


def start(checksum):
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    make_archive(place / "archive")
    open_to_others(place / "archive")
    conf = make_accounts(place, ACCOUNTS)
    conf["upload.checksum"] = checksum
    server = Server(place, place / "archive", conf)
    server.top = place / "homes" / "alice"
    server.shelf = place / "homes" / "shelf"
    yield server
    assert server.stop() == 0, server.stderr
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def optional():
    yield from start("optional")


@pytest.fixture(scope="module")
def required():
    yield from start("required")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def announce(c, name, data, form="{}  {}\n"):
    line = form.format(digest(data), name.split("/")[-1])
    assert store(c, f"STOR {name}.sha256", line.encode()).code == 226


@pytest.mark.parametrize("form", [
    "{}\n", "{}", "{}  {}\n", "{} *{}\n", "{}  ./{}\r\n",
    "# of today\n{}  {}\n"])
def test_what_was_announced_is_stored(required, form):
    data = steady_bytes(300_001, 1)
    with login(required, "alice") as c:
        announce(c, "fits.nc", data, form)
        assert store(c, "STOR fits.nc", data).code == 226
    assert (required.top / "fits.nc").read_bytes() == data


@pytest.mark.parametrize("size", [0, 1, 131071, 131072, 2_500_000])
def test_what_is_something_else_is_not_seen(required, size):
    """Not even as a part: there is nothing in it to be gone on with."""
    with login(required, "alice") as c:
        announce(c, "other", b"announced")
        reply = store(c, "STOR other", steady_bytes(size, 2))
        assert reply.code == 550 and "not stored" in reply
        assert c.cmd("SIZE other").code == 550
        assert store(c, "STOR other", b"announced").code == 226
        assert store(c, "STOR other", b"announceD").code == 550
        assert c.fetch("RETR other") == b"announced"
        c.cmd("DELE other")
    assert not hidden(required.top)


def test_required_is_refused_before_a_byte_is_sent(required):
    with login(required, "alice") as c:
        for command in ("STOR never", "APPE never", "STOU never", "STOU",
                        "STOR " + "x" * 255):
            c.epsv()
            reply = c.cmd(command)
            assert reply.code == 553 and "first" in reply, reply
        assert c.cmd("SIZE never").code == 550


@pytest.mark.parametrize("text", [
    b"", b"nonsense\n", b"0" * 63 + b"\n", b"0" * 64 + b"  another\n",
    b"0" * 64 + b"\n" + b"1" * 64 + b"\n", b"0" * 64 + b"\n" + bytes(70000)])
def test_a_checksum_that_says_nothing_is_no_checksum(optional, text):
    with login(optional, "alice") as c:
        assert store(c, "STOR silent.sha256", text).code == 226
        reply = store(c, "STOR silent", b"x")
        assert reply.code == 553 and "says nothing" in reply
        assert c.cmd("DELE silent.sha256").code == 250
        assert store(c, "STOR silent", b"x").code == 226


def test_optional_asks_where_there_is_one(optional):
    with login(optional, "alice") as c:
        assert store(c, "STOR free", b"anything").code == 226
        announce(c, "free", b"the next")	# the old file stays as it is
        assert c.fetch("RETR free") == b"anything"
        assert store(c, "STOR free", b"anything").code == 550
        assert store(c, "STOR free", b"the next").code == 226
        assert store(c, "STOU free", b"has a name of its own").code == 226


def test_the_whole_file_counts_and_not_the_part_that_came(optional):
    data = steady_bytes(3_000_000, 3)
    with login(optional, "alice") as c:
        announce(c, "whole", data)
        with c.data() as sock:
            assert c.cmd("STOR whole").code == 150
            sock.sendall(data[:1_200_000])
            soon(lambda: "1200000 bytes" in c.cmd("STAT"))
            assert c.cmd("ABOR").code == 426
            assert c.read().code == 226
        assert c.cmd("REST 1200000").code == 350
        assert store(c, "STOR whole", data[1_200_000:]).code == 226
        announce(c, "whole", data + b"more")
        assert store(c, "APPE whole", b"less").code == 550
        assert store(c, "APPE whole", b"more").code == 226
        assert c.fetch("RETR whole") == data + b"more"


def test_in_type_a_the_lines_as_they_lie_here(optional):
    with login(optional, "alice") as c:
        announce(c, "lines", b"a\nb\r")
        c.cmd("TYPE A")
        assert store(c, "STOR lines", b"a\r\nb\r").code == 226


def test_a_drop_box_asks_for_none(required):
    with login(required, "box") as c:
        assert store(c, "STOR dropped", b"x").code == 226
    assert [p.read_bytes() for p in hidden(required.shelf)] == [b"x"]


def test_the_event_says_so(optional):
    with login(optional, "alice") as c:
        announce(c, "told", b"x")
        assert store(c, "STOR told", b"y").code == 550
    soon(lambda: '"result":"mismatch"' in optional.events_file.read_text())
