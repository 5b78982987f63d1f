# tests/e2e/peers.py: the servers that others run, each on a host of its own.
# SPDX-License-Identifier: Apache-2.0
"""The real vsftpd, ProFTPD, Pure-FTPd, pyftpdlib and inetutils-ftpd of Debian,
and portcullisd, for tests that say how these behave.

`peer(name, archive)` starts one in a network namespace that has nothing but a
loopback interface.  That interface holds some more addresses, so whoever runs
in there (an auditor, say) owns a second, a private and an IPv6 address, and
no packet can leave.

Settings are Debian's own: its configuration files are read as they were
unpacked, and the few lines that are changed stand here with their reason:
an anonymous user may log in to the given archive, and paths lead to where the
packages were unpacked.  Nothing is installed: the server sees an /etc/passwd,
a /run and a /var/log of its own (mounts of its own), which go with it.
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from conftest import Control, Server, make_archive, open_to_others

TOP = pathlib.Path(__file__).parents[2]
# script/bootstrap unpacks them here.
UNPACKED = TOP / "build-tools" / "peers"

# Who calls S comes from A, and owns the others too.
S, A, B = "203.0.113.99", "198.51.100.7", "198.51.100.8"
PRIVATE = "10.1.2.3"
V6_S, V6_B = "2001:db8::9", "2001:db8::10"

MANY = 12000			# names in the archive's directory "many"

VSFTPD_TLS = """\
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={work}/cert.pem
rsa_private_key_file={work}/key.pem
"""

# The block that Debian's proftpd.conf shows as a comment.
PROFTPD_ANONYMOUS = """
<Anonymous ~ftp>
  User ftp
  Group nogroup
  UserAlias anonymous ftp
  DirFakeUser on ftp
  DirFakeGroup on ftp
  RequireValidShell off
  MaxClients 10
  DisplayLogin welcome.msg
  DisplayChdir .message
  <Directory *>
    <Limit WRITE>
      DenyAll
    </Limit>
  </Directory>
</Anonymous>
"""

PROFTPD_TLS = """
LoadModule mod_tls.c
TLSEngine on
TLSRSACertificateFile {work}/cert.pem
TLSRSACertificateKeyFile {work}/key.pem
"""

PYFTPDLIB_TLS = """\
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

TLS_FTPHandler.authorizer = DummyAuthorizer()
TLS_FTPHandler.authorizer.add_anonymous(sys.argv[1])
TLS_FTPHandler.certfile = sys.argv[2]
FTPServer(("", 21), TLS_FTPHandler).serve_forever()
"""

# Nothing of the PROXY protocol: the server takes the balancer for its client.
HAPROXY_CONF = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen ftp
    bind {S}:21
    source {S}
    server one 127.0.0.1:2121
"""


class Absent(Exception):
    """That server was not unpacked here."""


def program(name):
    path = UNPACKED / "usr" / "sbin" / name
    if not path.exists():
        raise Absent(f"no {name}: script/bootstrap test fetches it")
    return path


# ---- the host

class Host:
    """A network namespace with a loopback interface and some addresses."""

    numbers = itertools.count()

    def __init__(self):
        self.name = f"peer{os.getpid()}-{next(self.numbers)}"

    def up(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        script = "link set lo up\n" + "".join(
            f"addr add {address} dev lo\n" for address in (
                f"{A}/32", f"{B}/32", f"{S}/32", f"{PRIVATE}/32",
                f"{V6_S}/128 nodad", f"{V6_B}/128 nodad"))
        # Or the kernel would call S from S.
        script += f"route replace local {S} dev lo src {A} table local\n"
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], check=True,
                       input=script, text=True)

    def inside(self):
        """The words that put a command onto this host."""
        return ["ip", "netns", "exec", self.name]

    @contextlib.contextmanager
    def on(self):
        """This thread's new sockets are made on this host."""
        libc = ctypes.CDLL(None, use_errno=True)
        thread = threading.get_native_id()
        with open(f"/proc/self/task/{thread}/ns/net") as before, \
                open(f"/run/netns/{self.name}") as there:
            assert libc.setns(there.fileno(), 0x40000000) == 0
            try:
                yield
            finally:
                assert libc.setns(before.fileno(), 0x40000000) == 0

    def pids(self):
        out = subprocess.run(["ip", "netns", "pids", self.name],
                             capture_output=True, text=True).stdout
        return [int(pid) for pid in out.split()]

    def down(self):
        """Ends what runs here, sessions that their server left included."""
        for _ in range(100):
            left = self.pids()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        subprocess.run(["ip", "netns", "del", self.name])


# ---- one running server

class Peer:
    """A server on its host: .run(command) runs one there, .address is where
    the server listens (V6_S is another), .log what it logged (a file, or
    None)."""

    address = (S, 21)

    def __init__(self, name, host, work):
        self.name, self.host, self.work = name, host, work
        self.processes = []
        self.log = None

    def run(self, *command, **options):
        options = {"capture_output": True, "text": True, "timeout": 120,
                   **options}
        return subprocess.run([*self.host.inside(), *map(str, command)],
                              **options)

    def on(self):
        return self.host.on()

    def control(self, source=None, timeout=5):
        """A control connection to it; call it within on()."""
        return Asker(self.address, source, timeout)

    def login(self, source=None, timeout=5):
        return self.control(source, timeout).login()

    def start(self, *command, own_mounts=True):
        """Starts a program here, as the only one that sees its mounts."""
        words = list(map(str, command))
        if own_mounts:
            words = ["sh", "-c", MOUNTS, "sh", str(self.work), *words]
        out = (self.work / "output").open("ab")
        self.processes.append(subprocess.Popen(
            [*self.host.inside(), *words], stdin=subprocess.DEVNULL,
            stdout=out, stderr=out, cwd=self.work))

    def wait(self, port=21, seconds=10):
        """Until it listens, told without a connection that it would see."""
        end = time.monotonic() + seconds
        while True:
            listening = self.run("ss", "-Hltn", f"sport = :{port}").stdout
            if f":{port} " in listening:
                return
            # 0: a daemon's first process
            assert self.processes[-1].poll() in (None, 0) and \
                time.monotonic() < end, \
                f"{self.name}: {self.output()}"
            time.sleep(0.03)

    def output(self):
        return (self.work / "output").read_text(errors="replace")

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


# $1 is the work directory; a mount by this shell is seen by nobody else.
MOUNTS = """\
mount --bind "$1/passwd" /etc/passwd &&
mount --bind "$1/run" /run &&
mount --bind "$1/log" /var/log &&
shift && exec "$@"
"""


def make_places(work, archive):
    """What the packages would have made: accounts, directories in /run."""
    for name in ("run/vsftpd/empty", "run/proftpd", "log/proftpd",
                 "log/pure-ftpd", "conf.d"):
        (work / name).mkdir(parents=True)
    (work / "log" / "wtmp").touch()
    taken = [line for line in
             pathlib.Path("/etc/passwd").read_text().splitlines()
             if not re.match(r"(ftp|proftpd):", line)]
    (work / "passwd").write_text("\n".join([
        *taken,
        f"ftp:x:21121:65534:ftp:{archive}:/usr/sbin/nologin",
        "proftpd:x:21122:65534::/run/proftpd:/usr/sbin/nologin", ""]))


def make_certificate(work):
    """Both halves, and in one file for who wants that."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=ftp.example.org", "-keyout", work / "key.pem", "-out",
         work / "cert.pem"], check=True, capture_output=True)
    (work / "both.pem").write_text((work / "key.pem").read_text() +
                                   (work / "cert.pem").read_text())


# ---- the servers

def settings(text, sign, changes):
    """A configuration file with other values for some keys, or new keys."""
    for key, value in changes.items():
        line = f"{key}{sign}{value}"
        text, found = re.subn(rf"(?m)^ *{re.escape(key)}\b.*$",
                              lambda _: line, text)
        if not found:
            text += line + "\n"
    return text


def start_vsftpd(peer, archive, tls=False, port=21, **changes):
    """Debian's vsftpd.conf; changes are its settings."""
    text = settings((UNPACKED / "etc/vsftpd.conf").read_text(), "=", {
        "anonymous_enable": "YES",	# login to the archive
        "anon_root": archive,
        **({"listen_port": port} if port != 21 else {}),
        **changes})
    if tls:
        # a setting that is given twice: the last one counts
        text += VSFTPD_TLS.format(work=peer.work)
    conf = peer.work / "vsftpd.conf"
    conf.write_text(text)
    peer.log = peer.work / "log" / "vsftpd.log"
    peer.start(program("vsftpd"), conf)
    peer.wait(port)


def start_proftpd(peer, archive, tls=False, **changes):
    """Debian's proftpd.conf and its modules; changes are directives."""
    del archive				# the account ftp lives there
    templates = UNPACKED / "usr/share/proftpd/templates"
    modules = peer.work / "modules.conf"
    plain = peer.work / "modules"	# a path with a blank is none to it
    plain.symlink_to(UNPACKED / "usr/lib/proftpd")
    modules.write_text(settings(
        (templates / "modules.conf").read_text(), " ", {
            "ModulePath": plain}))
    text = (templates / "proftpd.conf").read_text()
    text = text.replace("/etc/proftpd/modules.conf", str(modules))
    text = text.replace("/etc/proftpd/conf.d/", f"{peer.work}/conf.d/")
    text = settings(text, " ", changes)
    if tls:
        text += PROFTPD_TLS.format(work=peer.work)
    text += PROFTPD_ANONYMOUS		# login to the archive
    conf = peer.work / "proftpd.conf"
    conf.write_text(text)
    # A daemon's log is proftpd.log; one that stays in front says it here.
    peer.log = peer.work / "output"
    peer.start(program("proftpd"), "-n", "-c", conf)
    peer.wait()


def start_pure_ftpd(peer, archive, tls=False, options=()):
    """The options that Debian's wrapper makes of /etc/pure-ftpd/conf: MinUID,
    PAMAuthentication, TLSCipherSuite, AltLog.  Left out are NoAnonymous (-E),
    PureDB (there is no such file) and -B."""
    del archive
    words = ["-u", "1000", "-l", "pam", "-J", "HIGH", "-O",
             "clf:/var/log/pure-ftpd/transfer.log"]
    if tls:
        words += ["-Y", "1", "-2", f"{peer.work}/both.pem"]
    peer.log = peer.work / "log" / "pure-ftpd" / "transfer.log"
    peer.start(program("pure-ftpd"), *words, *options)
    peer.wait()


def start_pyftpdlib(peer, archive, tls=False):
    """`python3 -m pyftpdlib`: anonymous logins are its default; port 2121,
    and the current directory, are not ours."""
    modules = UNPACKED / "usr/lib/python3/dist-packages"
    if not (modules / "pyftpdlib").exists():
        raise Absent("no pyftpdlib: script/bootstrap test fetches it")
    python = ["env", f"PYTHONPATH={modules}", "/usr/bin/python3"]
    if tls:
        script = peer.work / "tls.py"
        script.write_text(PYFTPDLIB_TLS)
        peer.start(*python, script, archive, peer.work / "both.pem")
    else:
        peer.start(*python, "-m", "pyftpdlib", "-p", "21", "-d", archive)
    peer.log = peer.work / "output"
    peer.wait()


def start_inetutils(peer, archive, options=()):
    """As a daemon (-D); Debian's is meant to run from inetd, which gives it
    the same connection.  Anonymous users are its default where an account ftp
    is; it lists by itself, the archive needs no bin/ls."""
    del archive
    peer.start(program("ftpd"), "-D", *options)
    peer.wait()


def start_portcullisd(peer, archive, **changes):
    conf = {"listen": f"{S}:21 [{V6_S}]:21",
            **{key.replace("_", "."): value for key, value in changes.items()}}
    peer.server = Server(peer.work, archive, conf, host=S, port=21,
                         prefix=peer.host.inside())
    peer.processes.append(peer.server.process)
    peer.log = peer.server.events_file


def start_vsftpd_behind_haproxy(peer, archive):
    """haproxy in TCP mode, and a server that sees only haproxy."""
    start_vsftpd(peer, archive, port=2121)
    conf = peer.work / "haproxy.cfg"
    conf.write_text(HAPROXY_CONF.format(S=S))
    peer.start(program("haproxy"), "-db", "-f", conf)
    peer.wait()


PEERS = {
    "portcullisd": start_portcullisd,
    "vsftpd": start_vsftpd,
    "proftpd": start_proftpd,
    "pure-ftpd": start_pure_ftpd,
    "pyftpdlib": start_pyftpdlib,
    "inetutils-ftpd": start_inetutils,
    # Servers that were set up to bounce.  vsftpd then binds its end without
    # privileges: from port 20, Debian's setting, it agrees and cannot dial.
    "vsftpd-promiscuous": lambda peer, archive: start_vsftpd(
        peer, archive, port_promiscuous="YES"),
    "vsftpd-fxp": lambda peer, archive: start_vsftpd(
        peer, archive, port_promiscuous="YES", pasv_promiscuous="YES",
        connect_from_port_20="NO"),
    "pure-ftpd-fxp": lambda peer, archive: start_pure_ftpd(
        peer, archive, options=("-W",)),
    "vsftpd-haproxy": start_vsftpd_behind_haproxy,
    # With a certificate, as an operator adds one.
    "vsftpd-tls": lambda peer, archive: start_vsftpd(
        peer, archive, tls=True),
    "proftpd-tls": lambda peer, archive: start_proftpd(
        peer, archive, tls=True),
    "pure-ftpd-tls": lambda peer, archive: start_pure_ftpd(
        peer, archive, tls=True),
    "pyftpdlib-tls": lambda peer, archive: start_pyftpdlib(
        peer, archive, tls=True),
    # It takes nobody in clear text, as the auditor advises.
    "pure-ftpd-only-tls": lambda peer, archive: start_pure_ftpd(
        peer, archive, tls=True, options=("-Y", "2")),
}


@contextlib.contextmanager
def peer(name, archive, work, host=None, **changes):
    """Runs that server while it lasts; work is an empty directory."""
    host = host or Host()
    one = Peer(name, host, work)
    make_places(work, archive)
    if name.endswith("-tls"):
        make_certificate(work)
    host.up()
    try:
        PEERS[name](one, archive, **changes)
        yield one
    finally:
        one.stop()
        host.down()


def make_peer_archive(root):
    """The archive of the other tests, a file to begin with, and a directory
    with more names than some server lists."""
    make_archive(root)
    (root / "README").write_bytes(b"Read me first.\n")
    many = root / "many"
    many.mkdir()
    here = os.open(many, os.O_RDONLY | os.O_DIRECTORY)
    for i in range(MANY):
        os.close(os.open(f"f{i:05d}", os.O_CREAT | os.O_WRONLY, 0o644,
                         dir_fd=here))
    os.close(here)
    open_to_others(root)
    return root


# ---- asking by hand

class Asker(Control):
    """A control connection that takes replies as they come."""

    def login(self, user="anonymous"):
        assert self.read().code == 220
        if self.cmd(f"USER {user}").code != 230:	# Pure-FTPd asks no more
            assert self.cmd("PASS test@example.org").code == 230
        return self

    def ask(self, *commands):
        """The codes of the replies to several commands."""
        return [self.cmd(command).code for command in commands]


def listen(address, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.create_server((address, port), family=family)
    sock.settimeout(1)
    return sock


def host_port(address, port):
    """The argument of PORT."""
    return ",".join([*address.split("."), str(port >> 8), str(port & 255)])
