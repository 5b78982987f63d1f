#!/usr/bin/python3
# tests/e2e/disk.py IMAGE LOG DIRECTORY: a disk that remembers.
# SPDX-License-Identifier: Apache-2.0
"""Mounts on DIRECTORY a file system of one file, "disk", which is IMAGE, and
appends to LOG each write to it and each flush, before it is answered.  What a
loop device sends it is what a kernel sends a disk: its flush is an fsync here.

It speaks the kernel's protocol itself (linux/fuse.h, 7.31), of which such a
disk needs little; it ends when it is unmounted.
"""

import ctypes
import errno
import os
import struct
import sys

LOOKUP, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC = \
    1, 3, 4, 14, 15, 16, 17, 18, 20
FORGET, FLUSH, INIT, OPENDIR, RELEASEDIR, DESTROY, BATCH_FORGET = \
    2, 25, 26, 27, 29, 38, 42

HEADER = struct.Struct("<IIQQIIIHH")	# fuse_in_header
ATTR = struct.Struct("<6Q10I")		# fuse_attr
IO = struct.Struct("<QQIIQII")		# fuse_read_in, fuse_write_in
RECORD = struct.Struct("<cxxxIQ")	# of the log: "W" or "F", length, offset
DIRECT_IO = 1
MAX_WRITE = 1 << 20


def attr(node, size):
    mode = 0o040755 if node == 1 else 0o100600
    return ATTR.pack(node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode,
                     1, 0, 0, 0, 4096, 0)


class Disk:
    def __init__(self, image, log):
        self.image = os.open(image, os.O_RDWR)
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self.image).st_size

    def note(self, what, offset, data):
        os.writev(self.log, [RECORD.pack(what, len(data), offset), data])

    def answer(self, code, node, body):
        """The reply's body, or an errno."""
        if code == INIT:
            return struct.pack("<IIIIHHIIHHI7I", 7, 31, MAX_WRITE, 1 << 22, 16,
                               12, MAX_WRITE, 1, 256, 0, 0, *[0] * 7)
        if code == LOOKUP:
            if bytes(body) != b"disk\0":
                return errno.ENOENT
            return struct.pack("<4Q2I", 2, 0, 3600, 3600, 0, 0) + \
                attr(2, self.size)
        if code in (GETATTR, SETATTR):
            return struct.pack("<Q2I", 3600, 0, 0) + attr(node, self.size)
        if code in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, DIRECT_IO, 0)
        if code == READ:
            _, offset, n, *_ = IO.unpack_from(body)
            return os.pread(self.image, n, offset)
        if code == WRITE:
            _, offset, n, *_ = IO.unpack_from(body)
            data = body[IO.size:IO.size + n]
            os.pwrite(self.image, data, offset)
            self.note(b"W", offset, data)
            return struct.pack("<II", n, 0)
        if code == FSYNC:
            self.note(b"F", 0, b"")
            return b""
        if code in (FLUSH, RELEASE, RELEASEDIR, DESTROY):
            return b""
        if code == STATFS:
            return struct.pack("<5Q10I", *[0] * 15)
        return errno.ENOSYS

    def serve(self, fuse):
        room = bytearray(MAX_WRITE + 4096)
        while True:
            try:
                n = os.readv(fuse, [room])
            except OSError as e:
                if e.errno == errno.ENODEV:
                    return
                continue
            _, code, unique, node, *_ = HEADER.unpack_from(room)
            if code in (FORGET, BATCH_FORGET):
                continue
            said = self.answer(code, node, memoryview(room)[HEADER.size:n])
            error = -said if isinstance(said, int) else 0
            said = b"" if error else said
            os.writev(fuse, [struct.pack("<IiQ", 16 + len(said), error,
                                         unique), said])


def main():
    image, log, directory = sys.argv[1:]
    fuse = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"disk", directory.encode(), b"fuse", 0,
                  f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()):
        raise OSError(ctypes.get_errno(), "mount")
    print("ready", flush=True)
    Disk(image, log).serve(fuse)


if __name__ == "__main__":
    main()
