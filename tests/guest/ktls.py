# tests/guest/ktls.py PROGRAM CONF PORT: runs in the guest of test_ktls.py.
# SPDX-License-Identifier: Apache-2.0
"""Starts the server, fetches from it in all ways that matter when the kernel
encrypts, and prints one line of JSON for each: its name and what was seen."""

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

HOST = "127.0.0.1"
PROGRAM, CONF, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
ARCHIVE = "/archive"
BIG = 200 * 1024 + 4567
LONG = 1 << 20			# more than sockets hold


def counters():
    return {name: int(value) for name, value in
            (line.split() for line in open("/proc/net/tls_stat"))}


def say(name, **seen):
    print(json.dumps({"name": name, **seen}), flush=True)


def context_of(version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Python would take any end for a clean one.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.minimum_version = context.maximum_version = version
    return context


class Client:
    def __init__(self, version=ssl.TLSVersion.TLSv1_3, rcvbuf=None,
                 ciphers=None):
        self.context, self.rcvbuf = context_of(version), rcvbuf
        if ciphers:
            self.context.set_ciphers(ciphers)
        sock = socket.create_connection((HOST, PORT), timeout=60)
        assert sock.recv(100).startswith(b"220")
        sock.sendall(b"AUTH TLS\r\n")
        assert sock.recv(100).startswith(b"234")
        self.sock = self.context.wrap_socket(sock)
        self.file = self.sock.makefile("rb")
        for line in ("USER anonymous", "PASS x@", "PBSZ 0", "PROT P",
                     "TYPE I"):
            assert self.cmd(line)[0] in "23", line

    def read(self):
        while True:
            line = self.file.readline().decode()
            if not line or line[3] == " ":
                return line.strip()

    def cmd(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.read()

    def open(self, line, resume=True):
        """The data connection of a command, within TLS."""
        port = int(re.search(r"\|(\d+)\|\)", self.cmd("EPSV"))[1])
        data = socket.socket()
        data.settimeout(60)
        if self.rcvbuf:
            data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.rcvbuf)
        data.connect((HOST, port))
        reply = self.cmd(line)
        assert reply.startswith("150"), reply
        return self.context.wrap_socket(
            data, session=self.sock.session if resume else None)

    def fetch(self, line, resume=True, pause=0):
        """(bytes, how they ended, the reply)"""
        data = self.open(line, resume)
        got, end = [], "close_notify"
        try:
            while part := data.recv(65536):
                got.append(part)
                time.sleep(pause)
        except ssl.SSLError:
            end = "truncated"
        except ConnectionError:
            end = "reset"
        data.close()
        return b"".join(got), end, self.read()


def kernel_files():
    return counters()["TlsTxSw"]


def report(name, wanted, seen, before, **more):
    got, end, reply = seen
    say(name, same=got == wanted, end=end, reply=reply[:3],
        by_kernel=kernel_files() - before,
        **more)


def fetches(big):
    for version in ("TLSv1_3", "TLSv1_2"):
        c = Client(ssl.TLSVersion[version])
        before = kernel_files()
        report(f"{version} whole", big, c.fetch("RETR big", False), before,
               cipher=c.sock.cipher()[0])
        before = kernel_files()
        report(f"{version} resumed", big, c.fetch("RETR big"),
               before)
        c.cmd("REST 123456")
        before = kernel_files()
        report(f"{version} REST", big[123456:], c.fetch("RETR big"), before)
        before = kernel_files()
        report(f"{version} small", big[:1000], c.fetch("RETR small"), before)
        c.cmd("TYPE A")
        before = kernel_files()
        report(f"{version} TYPE A", re.sub(b"(?<!\r)\n", b"\r\n", big),
               c.fetch("RETR big"), before)
        c.cmd("QUIT")


def ciphers(big):
    for name in ("ECDHE-ECDSA-AES256-GCM-SHA384",
                 "ECDHE-ECDSA-CHACHA20-POLY1305"):
        c = Client(ssl.TLSVersion.TLSv1_2, ciphers=name)
        before = kernel_files()
        report(name, big, c.fetch("RETR big"), before,
               cipher=c.sock.cipher()[0])


def many(big):
    """Of whom each once fills the socket at another place."""
    for version in ("TLSv1_2", "TLSv1_3"):
        c = Client(ssl.TLSVersion[version])
        seen = {(got == big, end, reply[:3]) for got, end, reply in
                (c.fetch("RETR big") for _ in range(12))}
        say(f"{version} many", seen=sorted(seen))


def slow(big):
    """Sends wait, and what the kernel held back is not lost at the end."""
    for version in ("TLSv1_2", "TLSv1_3"):
        c = Client(ssl.TLSVersion[version], rcvbuf=8192)
        before = kernel_files()
        report(f"{version} slow", big, c.fetch("RETR big", pause=0.13), before)


def rest_of(data):
    """How an unfinished connection ended."""
    try:
        while data.recv(65536):
            pass
    except (ssl.SSLError, ConnectionError):
        return "truncated"
    return "close_notify"


def begun(line):
    """A client that has the first bytes of a long file."""
    c = Client(rcvbuf=32768)
    data = c.open(line)
    assert data.recv(1000)
    return c, data


def aborted():
    c, data = begun("RETR long")
    replies = [c.cmd("ABOR")[:3], c.read()[:3]]
    say("ABOR", replies=replies, end=rest_of(data), after=c.cmd("NOOP")[:3])


def shortened():
    """A file that shrinks while it is sent has no end that says "whole"."""
    c, data = begun("RETR shrinks")
    os.truncate(f"{ARCHIVE}/shrinks", 1000)
    say("shrinks", end=rest_of(data), reply=c.read()[:3])


def rewritten():
    c, data = begun("RETR changes")
    os.utime(f"{ARCHIVE}/changes")
    say("changes", end=rest_of(data), reply=c.read()[:3])


def stalled(c, data):
    say("stalls", reply=c.read()[:3], end=rest_of(data))


def stopped(server):
    """A thread that waits for its client does not keep the server."""
    _, data = begun("RETR long")
    server.send_signal(signal.SIGTERM)
    say("stop", status=server.wait(30), end=rest_of(data))


def others(big):
    sums = hashlib.sha256(big).hexdigest()
    for name, words in {
            "curl": ["curl", "-s", "-k", "--ssl-reqd",
                     f"ftp://{HOST}:{PORT}/big"],
            "lftp": ["lftp", "-c",
                     "set ssl:verify-certificate no; set ftp:ssl-force yes;"
                     "set ftp:ssl-allow-anonymous yes;"
                     "set ftp:ssl-protect-data yes; set cache:enable no;"
                     f"open ftp://{HOST}:{PORT}; cat -b big"]}.items():
        before = kernel_files()
        done = subprocess.run(words, stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL)
        say(name, status=done.returncode,
            same=hashlib.sha256(done.stdout).hexdigest() == sums,
            by_kernel=kernel_files() - before)


def run(server):
    big = os.urandom(BIG)
    os.makedirs(ARCHIVE, exist_ok=True)
    with open(f"{ARCHIVE}/big", "wb") as out:
        out.write(big)
    with open(f"{ARCHIVE}/small", "wb") as out:
        out.write(big[:1000])
    for name in ("long", "shrinks", "changes"):
        with open(f"{ARCHIVE}/{name}", "wb") as out:
            out.truncate(LONG)
    while b"ready:" not in (line := server.stderr.readline()):
        assert line, "it ended"
        say("start", text=line.decode().strip())
    waits = begun("RETR long")		# until data.timeout
    fetches(big)
    ciphers(big)
    many(big)
    slow(big)
    aborted()
    shortened()
    rewritten()
    others(big)
    stalled(*waits)
    stopped(server)
    say("counters", **counters())


if __name__ == "__main__":
    say("modules", text=open("/proc/modules").read().split("\n")[0])
    started = subprocess.Popen([PROGRAM, "-c", CONF], stderr=subprocess.PIPE)
    try:
        run(started)
    finally:
        started.terminate()
        said = started.stderr.read().decode()
        say("end", status=started.wait(), text=said)
