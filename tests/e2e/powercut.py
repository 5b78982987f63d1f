# tests/e2e/powercut.py KIND SEED TURNS CUTS: a disk whose power goes off.
# SPDX-License-Identifier: Apache-2.0
"""Uploads go to a real file system on a disk that remembers (disk.py).  Then
the power goes off, at as many moments as there is time for: an image is made
of what a disk may have by then, the kernel mounts it, and what was
acknowledged before that moment is looked for.

A disk has what was written before its last flush.  Of what was written since
then it may have all, nothing, or any part, in any order; a sector is whole.

As a program of its own, in a mount namespace of its own: what anybody else
begins meanwhile would have copies of our mounts, and an image would still be
in use when it becomes the next one.
"""

import bisect
import contextlib
import ctypes
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import sys
import threading

from conftest import Server, make_archive, open_to_others
from disk import RECORD
from durability import BIG, Cut, Uploader, Wrong, content, wait_until
from test_accounts import make_accounts

HERE = pathlib.Path(__file__).parent
MAKE = {
    "ext4": (64 << 20, "mkfs.ext4 -q -E nodiscard,lazy_itable_init=0,"
                       "lazy_journal_init=0"),
    "xfs": (300 << 20, "mkfs.xfs -q -K"),
    "btrfs": (128 << 20, "mkfs.btrfs -q -K"),
}
SECTOR = 512
WRITE_OUT = 2		# SYNC_FILE_RANGE_WRITE


def run(*command):
    subprocess.run(command, check=True, capture_output=True)


# ---- the disk

class Disk:
    """An image in memory, a loop device on it, and where it is mounted."""

    def __init__(self, kind):
        self.place = pathlib.Path(tempfile.mkdtemp(
            prefix="portcullis-disk-", dir="/dev/shm"))
        self.place.chmod(0o755)
        self.image, self.log = self.place / "image", self.place / "log"
        self.fuse, self.top = self.place / "fuse", self.place / "top"
        self.fuse.mkdir()
        self.top.mkdir()
        self.kind = kind
        size, make = MAKE[kind]
        with open(self.image, "wb") as image:
            image.truncate(size)
        run(*make.split(), str(self.image))
        run("cp", "--sparse=always", self.image, self.place / "base")
        self.process = subprocess.Popen(
            ["/usr/bin/python3", str(HERE / "disk.py"), self.image, self.log,
             self.fuse], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"

    def mount(self):
        run("mount", "-t", self.kind, "-o", "loop", self.fuse / "disk",
            self.top)

    def unmount(self):
        run("umount", self.top)

    def now(self):
        """How much of the log is written."""
        return os.stat(self.log).st_size

    def records(self):
        """What is in the log: (where it ends, its kind, offset, data)."""
        data, at, found = memoryview(self.log.read_bytes()), 0, []
        while at < len(data):
            what, n, offset = RECORD.unpack_from(data, at)
            at += RECORD.size
            found.append((at + n, what, offset, data[at:at + n]))
            at += n
        return found

    def close(self):
        if os.path.ismount(self.top):
            self.unmount()
        if os.path.ismount(self.fuse):
            run("umount", self.fuse)
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.place, ignore_errors=True)


class Cuts:
    """The disk's images at one moment after the other."""

    def __init__(self, disk, seed):
        self.disk, self.random = disk, random.Random(seed)
        self.records = disk.records()
        self.ends = [r[0] for r in self.records]
        self.flushes = [n for n, r in enumerate(self.records) if r[1] == b"F"]
        self.done = 0		# of the records, in base
        self.base = os.open(disk.place / "base", os.O_RDWR)
        self.image = os.open(disk.image, os.O_RDWR)
        run("cp", "--sparse=always", disk.place / "base", disk.image)

    def at(self, moment, how):
        """
        The image at that length of the log.  how: whether "all" since the
        last flush is on the disk, "none" of it, or "some".
        """
        count = bisect.bisect_right(self.ends, moment)
        flushed = bisect.bisect_left(self.flushes, count)
        safe = self.flushes[flushed - 1] if flushed else 0
        for _, _, offset, data in self.records[self.done:safe]:
            for fd in (self.base, self.image):
                os.pwrite(fd, data, offset)
        self.done = max(self.done, safe)
        self.touched = []
        if how == "none":
            return
        late = [r[2:] for r in self.records[safe:count] if r[1] == b"W"]
        if how == "some":
            late = self.some_of(late)
        for offset, data in late:
            os.pwrite(self.image, data, offset)
            self.touched.append((offset, len(data)))

    def some_of(self, late):
        pieces = []
        size = self.random.choice((SECTOR, 4096, 1 << 20))
        share = self.random.random()
        for offset, data in late:
            for at in range(0, len(data), size):
                if self.random.random() < share:
                    pieces.append((offset + at, data[at:at + size]))
        # One place written twice has one or the other: so may the order be.
        self.random.shuffle(pieces)
        return pieces

    def restore(self):
        """Undoes what `at` put on it, and what was done to it mounted."""
        for _, _, offset, data in self.disk.records():
            self.touched.append((offset, len(data)))
        for offset, n in self.touched:
            os.pwrite(self.image, os.pread(self.base, n, offset), offset)
        os.truncate(self.disk.log, 0)

    def close(self):
        os.close(self.base)
        os.close(self.image)


# ---- the clients

class Witness(Uploader):
    """An uploader that knows when it was told what."""

    def __init__(self, number, account, top, shared, disk):
        super().__init__(number, account, top, shared)
        self.disk = disk
        self.history = [(disk.now(), {})]	# since when it has what
        self.large = []				# all that may be in a hidden part

    def kill(self, moment):
        if moment == "answered":
            self.history.append((self.disk.now(), self.worlds[0]))

    def find_worker(self):
        return None

    def new_content(self, name):
        data = super().new_content(name)
        return data[:30_000] if len(data) < BIG else data

    def upload(self, command, name, sends, whole):
        self.large.append(whole)
        return super().upload(command, name, sends, whole)

    def do_cut(self, name):
        """Most of a large one, some of it written out before its time."""
        self.generation += 1
        whole = content(name, self.generation, BIG + 400_000)
        sent = BIG + self.random.randrange(300_000)
        if name in self.unfinished or (data := self.data()) is None:
            return
        self.large.append(whole)
        with data:
            assert self.talk(f"STOR {name}").code == 150
            data.sendall(whole[:sent])
            wait_until(lambda: f" {sent} bytes" in self.talk("STAT"),
                       "it does not come")
            self.write_out()
            assert self.talk("ABOR").code == 426
            assert self.talk(None).code == 226
        self.unfinished[name] = [whole]

    def write_out(self):
        libc = ctypes.CDLL(None)
        libc.sync_file_range.argtypes = [
            ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
        for part in (self.top / self.under).glob(".portcullis.part-*"):
            with open(part, "rb") as f:
                libc.sync_file_range(f.fileno(), self.random.randrange(BIG),
                                     100_000, WRITE_OUT)

    def work(self, turns):
        self.fatal = None
        self.open()
        for turn in range(turns):
            if turn % 8 == 3:
                self.do_cut("abcdef"[turn // 8 % 6] + "0")
            self.one()
        self.talk("QUIT")
        self.c.close()

    # -- after the power cut

    def check_at(self, moment, top):
        """The last that it was told, or what it asked for behind that."""
        last = bisect.bisect_right(self.history, moment,
                                   key=lambda h: h[0]) - 1
        if last < 0:
            return
        there, parts = {}, []
        for path in (top / self.under).iterdir():
            if path.name.startswith(".portcullis."):
                parts.append(path)
            else:
                there[path.name] = path.read_bytes()
        self.worlds = [w for _, w in self.history[last:last + 2]]
        if there not in self.worlds:
            self.complain(there)
        for path in parts:
            self.check_part(path)

    def check_part(self, path):
        """It is gone on with before its first hole."""
        with open(path, "rb") as f:
            size = os.fstat(f.fileno()).st_size
            with contextlib.suppress(OSError):	# it is empty
                size = os.lseek(f.fileno(), 0, os.SEEK_HOLE)
            os.lseek(f.fileno(), 0, os.SEEK_SET)
            has = f.read(size)
        if "new-" not in path.name and \
                not any(w.startswith(has) for w in self.large):
            best = max((os.path.commonprefix([w, has]) for w in self.large),
                       key=len)
            zeros = has[len(best):]
            raise Wrong(f"TORN: a part of {len(has)} bytes is no beginning "
                        f"of anything: from {len(best)} on, where "
                        f"{len(zeros) - len(zeros.lstrip(bytes(1)))} are 0")


class Shared:
    def __init__(self, seed, port):
        self.seed, self.port = seed, port


class PowerCut:
    def __init__(self, kind, seed, clients=4, conf=None):
        self.seed, self.random = seed, random.Random(seed)
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
        self.place.chmod(0o755)
        (self.place / "archive").mkdir()
        make_archive(self.place / "archive")
        open_to_others(self.place / "archive")
        self.disk = Disk(kind)
        self.disk.mount()
        self.homes = self.disk.top / "homes"
        self.conf = make_accounts(
            self.place, {"alice": ("-r", "lrwodnm")})
        self.conf.update({"accounts.root": self.homes, "solo.spare": 4,
                          "events": None, "xferlog": None, **(conf or {})})
        self.make_homes(clients)
        self.server = self.start()
        shared = Shared(seed, self.server.port)
        self.clients = [Witness(n, "alice", self.homes / "alice", shared,
                                self.disk) for n in range(clients)]
        self.cuts = 0

    def make_homes(self, clients):
        for n in range(clients):
            (self.homes / "alice" / f"c{n}").mkdir(parents=True)
        for path in [self.homes, *self.homes.rglob("*")]:
            shutil.chown(path, "portcullis-worker", "portcullis-worker")
        os.sync()

    def start(self):
        return Server(self.place, self.place / "archive", self.conf)

    def upload(self, turns):
        """All clients at once; then the disk is taken out."""
        wrong = []

        def work(client):
            try:
                client.work(turns)
            except (Exception, Cut) as e:
                wrong.append(e)
        threads = [threading.Thread(target=work, args=(c,))
                   for c in self.clients]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, (self.seed, wrong)
        assert self.server.stop() == 0
        self.disk.unmount()

    def moments(self, cuts):
        """(when, how), in their order: each reply's own moment first of all,
        when what it promised may be all that is on the disk."""
        told = [when for c in self.clients for when, _ in c.history[1:]]
        told = self.random.sample(told, min(cuts // 2, len(told)))
        begin = min(c.history[0][0] for c in self.clients)
        ends = [e for e in self.log.ends if e >= begin]
        return sorted(
            [(when, "none") for when in told] +
            [(self.random.choice(ends), self.random.choice(
                ("none", "some", "some", "all"))) for _ in range(cuts - len(told))])

    def check(self, cuts):
        self.log = Cuts(self.disk, self.seed)
        os.truncate(self.disk.log, 0)
        for when, how in self.moments(cuts):
            self.log.at(when, how)
            self.disk.mount()
            self.cuts += 1
            try:
                for client in self.clients:
                    client.check_at(when, self.homes / "alice")
            except Wrong as e:
                raise Wrong(f"seed {self.seed}, cut at {when}, {how} of what "
                            f"was not flushed: {e}") from None
            finally:
                self.disk.unmount()
            self.log.restore()
        self.log.close()

    def report(self):
        told = sum(len(c.history) - 1 for c in self.clients)
        return (f"{self.disk.kind}: {told} acknowledged, "
                f"{len(self.log.flushes)} flushes, {self.cuts} power cuts, "
                "0 lost, 0 torn")

    def end(self):
        if self.server.process.poll() is None:
            self.server.stop()
        self.disk.close()
        shutil.rmtree(self.place, ignore_errors=True)


def main():
    kind, seed, turns, cuts = sys.argv[1:]
    cut = PowerCut(kind, seed)
    try:
        cut.upload(int(turns))
        cut.check(int(cuts))
        print(f"seed {seed}: {cut.report()}")
    except Wrong as e:
        sys.exit(str(e))
    finally:
        cut.end()


if __name__ == "__main__":
    main()
