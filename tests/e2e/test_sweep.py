# tests/e2e/test_sweep.py: what uploads leave behind goes in time.
# SPDX-License-Identifier: Apache-2.0
import fcntl
import os
import shutil
import time

from conftest import IS_ROOT
from test_accounts import login, make_accounts
from test_dropbox import make_box
from test_uploads import WRITER, store

DAY = 86400
PART = ".portcullis.part-0123456789abcdef-0123456789abcdef0123456789abcdef"


def leave(path, days, size=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    if IS_ROOT:
        for made in (path, path.parent):
            shutil.chown(made, "portcullis-worker", "portcullis-worker")
    then = time.time() - DAY * days
    os.utime(path, (then, then))
    return path


def test_it_goes_also_where_nobody_logs_in(serve, place):
    """In other accounts' directories too, whatever one of them has made."""
    box = make_box(place)
    conf = make_accounts(place, {"alice": WRITER, "bob": WRITER}) | {
        "anonymous.upload": "/incoming", "anonymous.upload_keep": "48h"}
    homes = place / "homes"
    # Whichever comes first, some come behind one that is too deep.
    for n in range(4):
        homes.joinpath(f"deep{n}", *["d"] * 260).mkdir(parents=True)
    goes = [leave(homes / "bob" / PART, 8),
            leave(homes / "bob" / "a" / "b" / PART, 8),
            *(leave(homes / f"gone{n}" / PART, 8) for n in range(8)),
            leave(homes / "alice" / ".portcullis.new-0123456789abcdef", 8),
            leave(box / ".portcullis.drop-0123456789abcdef-x", 3),
            leave(box / ".portcullis.new-0123456789abcdef", 8)]
    stays = [leave(homes / "bob" / "young" / PART, 6),
             leave(homes / "bob" / "old", 800),
             leave(homes / "bob" / ".portcullis.drop-0123456789abcdef-x", 80),
             leave(homes / "bob" / "held" / PART, 8),
             leave(box / "notes.txt", 800),
             leave(box / ".portcullis.drop-1123456789abcdef-x", 1)]
    with stays[3].open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)	# somebody goes on with it
        server = serve(conf, archive=place / "archive")
        server.wait_for("sweep: removed=13")
    assert "sweep: not everywhere" in server.stderr	# some is too deep
    assert not [path for path in goes if path.exists()]
    assert all(path.exists() for path in stays)
    assert not server.children("sweep")
    with login(server, "bob") as c:
        assert store(c, "STOR it-serves-on", b"x").code == 226


def test_it_is_not_started_where_nothing_is_stored(server):
    with server.login() as c:
        assert c.cmd("NOOP").code == 200
    assert "sweep" not in server.stderr
