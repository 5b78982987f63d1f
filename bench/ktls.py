#!/usr/bin/python3
# bench/ktls.py [BUILD]: what the kernel's encryption saves, counted in a guest.
# SPDX-License-Identifier: Apache-2.0
"""32 MiB by FTPS with tls.kernel = auto and off.  The guest's clock counts
instructions (tests/guest/guest.py), so these are instructions of the session's
process, in the kernel and out of it, and no time of any real processor."""

import os
import pathlib
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[1]
os.environ["PORTCULLIS_BUILD"] = str(
    pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TOP / "build").resolve())
sys.path[:0] = [str(TOP / "tests" / "e2e"), str(TOP / "tests" / "guest")]
import guest				# noqa: E402
import test_ktls			# noqa: E402

INSIDE = """
import glob, os, ssl, subprocess, sys, time
from ktls import Client, kernel_files

def used():
    return max(sum(int(open(task).read().split()[0]) for task in
                   glob.glob(f"{path}/task/*/schedstat"))
               for path in glob.glob("/proc/[0-9]*")
               if "(portcullis-sol" in open(path + "/stat").read())

with open("/archive/f", "wb") as out:
    out.write(os.urandom(1 << 20) * 32)
for kernel in ("auto", "off"):
    with open("/it.conf", "w") as out:
        out.write(open("/portcullis.conf").read() + f"tls.kernel = {kernel}\\n")
    server = subprocess.Popen(["/portcullis/portcullisd", "-c", "/it.conf"],
                              stderr=subprocess.PIPE)
    while b"ready:" not in server.stderr.readline():
        pass
    for version in ("TLSv1_2", "TLSv1_3"):
        c = Client(ssl.TLSVersion[version])
        before, files = used(), kernel_files()
        assert len(c.fetch("RETR f")[0]) == 32 << 20
        # two nanoseconds each
        print(f"tls.kernel = {kernel} {version}: "
              f"{(used() - before) / 2 / (32 << 20):.2f} instructions a byte, "
              f"{kernel_files() - files} by the kernel")
        c.sock.close()
        time.sleep(1)
    server.terminate()
    server.wait()
"""


def main():
    with tempfile.TemporaryDirectory() as work:
        image = test_ktls.make_image(pathlib.Path(work))
        image.python("glob")
        image.file("/bench.py", INSIDE)
        image.modules("tls", "aesni-intel")
        result = image.run("cd / && PYTHONPATH=/ python3 -S /bench.py - - 2121",
                           work, memory_mib=768, timeout=600)
        print(result.output)
        return result.status or 0


sys.exit(guest.missing() or main())
