# tests/e2e/test_ftps.py: anonymous sessions within TLS.
# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

import pytest
from OpenSSL import SSL

from conftest import (Control, Server, free_port, make_archive, needs_root,
                      open_to_others, plain_build)
from test_processes import gate_of, portcullisd, reload, soon
from test_solo import memory_of, shared, solos, worker_of
from test_tls import Pki, parts, secrets_in

NAME, OTHER = "ftp.example.org", "data.example.org"


# ---- servers

@pytest.fixture(scope="module")
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def pki(place):
    home = place / "pki"
    home.mkdir(mode=0o700)
    made = Pki(home)
    made.certificate("rsa", OTHER)
    (home / "both.pem").write_text((home / "ec.key").read_text() +
                                   (home / "ec.crt").read_text())
    (home / "both.pem").chmod(0o600)
    return made


@pytest.fixture(scope="module")
def archive(place):
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    (root / "pub" / "many").mkdir()
    for i in range(3000):
        (root / "pub" / "many" / f"a-name-of-some-length-{i:05}").touch()
    open_to_others(root)
    return root


def conf_of(pki, **more):
    implicit = free_port()
    return implicit, {
        "listen": None, "tls.certificate": pki["both.pem"],
        "tls.listen": f"127.0.0.1:{implicit}", "events.commands": "all",
        "sessions.per_address": 1000, "stop.timeout": 2, **more}


def start(place, archive, pki, **more):
    implicit, conf = conf_of(pki, **more)
    port = free_port()
    conf["listen"] = f"127.0.0.1:{port} [::1]:{port}"
    server = Server(place, archive, conf, port=port)
    server.implicit = implicit
    return server


@pytest.fixture(scope="module")
def server(place, archive, pki):
    other = place / "other"
    other.mkdir()
    (other / "only here").write_bytes(b"x")
    open_to_others(other)
    made = start(place, archive, pki, **{
        "site": f"{OTHER} {other} Other house.",
        "tls.certificate": f"{pki['both.pem']}\ntls.certificate = "
        f"{pki['rsa.crt']} key={pki['rsa.key']} site={OTHER}"})
    yield made
    assert made.stop() == 0, made.stderr


@pytest.fixture(scope="module")
def strict(place, archive, pki):
    """All that can be demanded is."""
    made = start(place, archive, pki, **{
        "tls.control": "required", "tls.data": "required",
        "tls.data_resume": "require", "tls.sni": "strict",
        "login.timeout": 3})
    yield made
    assert made.stop() == 0, made.stderr


# ---- a client without opinions

def context_of(version=None, alpn=()):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Python would take any end for a clean one.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


BOTH = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
    ids=["1.2", "1.3"])


class Secure(Control):
    """A control connection within TLS, and data connections as one likes."""

    def __init__(self, server, version=None, implicit=False, name=NAME,
                 context=None, source=None):
        self.context = context or context_of(version)
        super().__init__(
            ("127.0.0.1", server.implicit if implicit else server.port),
            source)
        self.name = name
        if not implicit:
            assert self.read().code == 220
            assert self.cmd("AUTH TLS").code == 234
        self.file.close()
        self.sock = self.context.wrap_socket(
            self.sock, server_hostname=name, suppress_ragged_eofs=False)
        self.file = self.sock.makefile("rb")
        self.greeting = self.read() if implicit else None

    def login(self, private=True):
        if private:
            assert self.cmd("PBSZ 0") == "200 PBSZ=0\r\n"
            assert self.cmd("PROT P").code == 200
        assert self.cmd("USER ftp").code == 331
        assert self.cmd("PASS x@").code == 230
        return self

    def wrap(self, sock, session="ours"):
        return self.context.wrap_socket(
            sock, server_hostname=self.name, suppress_ragged_eofs=False,
            session=self.sock.session if session == "ours" else session)

    def begin(self, command, session="ours"):
        """A data connection, its handshake done, and what was answered."""
        raw = super().data()
        first = self.cmd(command)
        assert first.code == 150, first
        return self.wrap(raw, session)

    def fetch(self, command, session="ours"):
        with self.begin(command, session) as data:
            body = b"".join(iter(lambda: data.recv(1 << 16), b""))
        last = self.read()
        assert last.code == 226, last
        return body


def refusal(control, command, session):
    """The reply to a transfer whose data connection is not good enough."""
    raw = Control.data(control)
    assert control.cmd(command).code == 150
    with contextlib.suppress(OSError):
        with control.wrap(raw, session) as data:
            assert data.recv(100) == b""
    return control.read()


def transfers(server, want):
    return [e["ftp_data"] for e in server.events("ftp_data", want=want)]


def tls_events(server, action, **fields):
    for _ in range(100):
        found = [e["ftp"]["tls"] for e in server.events("ftp")
                 if e["ftp"]["action"] == action and
                 all(e["ftp"]["tls"].get(k) == v for k, v in fields.items())]
        if found:
            return found
        time.sleep(0.02)
    return []


# ---- what people have

def pub(archive, name="big.grib2"):
    return (archive / "pub" / name).read_bytes()


LFTP = ("set ssl:verify-certificate no; set ftp:ssl-allow-anonymous yes; "
        "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; "
        "set net:max-retries 1; set net:timeout 8; ")

PYTHON = """
import ftplib, ssl, sys
host, port, passive = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "passive"
ftp = ftplib.FTP_TLS(context=ssl._create_unverified_context())
ftp.connect(host, port, timeout=10)
ftp.login()
ftp.prot_p()
ftp.set_pasv(passive)
ftp.retrbinary("RETR pub/big.grib2", open("got", "wb").write)
assert len(ftp.nlst("pub/many")) == 3000
ftp.retrlines("LIST pub", lambda line: None)
ftp.quit()
"""

PHP = """<?php
set_error_handler(function ($n, $text) { echo $text; exit(1); });
$c = ftp_ssl_connect($argv[1], (int)$argv[2], 10);
ftp_login($c, "anonymous", "x@");
ftp_pasv($c, $argv[3] == "passive");
ftp_get($c, "got", "pub/big.grib2", FTP_BINARY) or exit(2);
count(ftp_nlist($c, "pub/many")) == 3000 or exit(3);
ftp_close($c);
"""

RUBY = """
require "net/ftp"
ftp = Net::FTP.new(ARGV[0], port: ARGV[1].to_i, username: "anonymous",
    ssl: { verify_mode: OpenSSL::SSL::VERIFY_NONE },
    passive: ARGV[2] == "passive")
ftp.getbinaryfile("pub/big.grib2", "got")
exit 3 unless ftp.nlst("pub/many").size == 3000
ftp.close
"""


def curl(host, url, *more):
    return ["curl", "-sS", "-k", "-o", "got", "--max-time", "20", *more, url]


def command_of(client, host, port, mode):
    """None: the client has no such mode."""
    at = f"[{host}]" if ":" in host else host
    plain, passive = f"{at}:{port}/pub/big.grib2", mode == "passive"
    if client == "curl":	# 7.88 cannot do active mode with TLS
        return passive and curl(host, f"ftp://{plain}", "--ssl-reqd")
    if client == "curl-1.2":
        return passive and curl(host, f"ftp://{plain}", "--ssl-reqd",
                                "--tls-max", "1.2")
    if client == "wget":
        return ["wget", "-q", "--no-check-certificate", "-t1", "-T10",
                *([] if passive else ["--no-passive-ftp"]), "-O", "got",
                f"ftps://{plain}"]
    if client == "lftp":
        # Active over IPv6, lftp names the address "::".
        return (passive or ":" not in host) and [
            "lftp", "-c", LFTP + f"set ftp:passive-mode {passive and 'yes' or 'no'}; "
            f"open -p {port} {at}; ls pub; get pub/big.grib2 -o got"]
    if client == "rclone":
        secret = subprocess.run(["rclone", "obscure", "x"], check=True,
                                capture_output=True, text=True).stdout.strip()
        # Nor does 1.60 know how to write an IPv6 address.
        return passive and ":" not in host and [
            "rclone", "--config", "none", "copyto",
            f":ftp,host='{host}',port={port},user=anonymous,pass={secret},"
            "explicit_tls=true,no_check_certificate=true:pub/big.grib2",
            "got"]
    script, run = {"python": (PYTHON, ["/usr/bin/python3"]),
                   "php": (PHP, ["php"]), "ruby": (RUBY, ["ruby"])}[client]
    pathlib.Path("script").write_text(script)
    return [*run, "script", host, str(port), mode]


CLIENTS = {"curl": True, "curl-1.2": True, "wget": True, "lftp": True,
           "rclone": True, "php": True, "ruby": True, "python": False}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("client", CLIENTS)
def test_real_clients_fetch_within_tls(server, archive, tmp_path, monkeypatch,
                                       client, host):
    """Both ways where they can; whether they resume is what is known."""
    monkeypatch.chdir(tmp_path)
    program = client.split("-")[0].replace("python", "python3")
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    for mode in ("passive", "active"):
        command = command_of(client, host, server.port, mode)
        if not command:
            continue
        before = len(server.events("ftp_data"))
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        assert pathlib.Path("got").read_bytes() == pub(archive)
        os.unlink("got")
        made = transfers(server, before + 1)[before:]
        assert made and all(t["tls"] and t["completion_code"] == ["226"] and
                            t["mode"] == mode and
                            t["tls_resumed"] == CLIENTS[client]
                            for t in made), made


@pytest.mark.parametrize("command", [
    ["curl", "-sSk", "--max-time", "20", "-o", "got"],
    ["wget", "-q", "--ftps-implicit", "--no-check-certificate", "-O", "got"],
    ["lftp", "-c"]], ids=lambda command: command[0])
def test_real_clients_begin_with_tls(server, archive, tmp_path, command):
    url = f"ftps://127.0.0.1:{server.implicit}/pub/big.grib2"
    last = LFTP + f"get {url} -o got" if command[0] == "lftp" else url
    subprocess.run([*command, last], check=True, cwd=tmp_path, timeout=30)
    assert (tmp_path / "got").read_bytes() == pub(archive)


def test_curl_trusts_the_certificate(server, pki, tmp_path):
    """Names and chain as an authority made them; the site by its name."""
    for name, words in ((NAME, "pub"), (OTHER, "only here")):
        for url in (f"ftp://{name}:{server.port}/",
                    f"ftps://{name}:{server.implicit}/"):
            done = subprocess.run(
                ["curl", "-sS", "--ssl-reqd", "--cacert", pki["ca.crt"],
                 "--connect-to", f"{name}::127.0.0.1:", "--max-time", "20",
                 url], capture_output=True, text=True, timeout=30)
            assert words in done.stdout, done.stderr


# ---- commands

@BOTH
def test_e07_order_and_ways_back(server, version):
    with Secure(server, version) as c:
        assert c.cmd("PROT P").code == 503
        assert c.cmd("PBSZ x").code == 501
        assert c.cmd("PBSZ 4096") == "200 PBSZ=0\r\n"
        assert c.cmd("PROT S").code == c.cmd("PROT E").code == 536
        assert c.cmd("PROT X").code == 504
        assert c.cmd("PROT P").code == c.cmd("PROT c").code == 200
        assert c.cmd("CCC").code == 534
        assert c.cmd("AUTH TLS").code == 503
        assert c.cmd("REIN").code == 502
        c.login()
        assert c.fetch("RETR pub/README") == b"One line.\nAnother.\n"
        assert c.cmd("AUTH TLS").code == 503
        assert c.cmd("PROT C").code == 200
        assert Control.fetch(c, "RETR pub/README").startswith(b"One")
        assert c.cmd("PROT P").code == 200
        assert len(c.fetch("NLST pub/many").split()) == 3000
    with server.control() as c:
        assert c.read().code == 220
        for line, code in (("PBSZ 0", 503), ("PROT P", 503), ("CCC", 533)):
            assert c.cmd(line).code == code
        feat = c.cmd("FEAT")
        for word in ("AUTH TLS", "PBSZ", "PROT"):
            assert f"\r\n {word}\r\n" in feat
        assert "AUTH* " not in c.cmd("HELP")
        c.cmd("USER ftp")
        c.cmd("PASS x")
        assert c.cmd("AUTH TLS").code == 503


def test_e01_bytes_behind_auth_are_never_commands(server):
    """Together, or in pieces: 421, or a handshake that fails."""
    text = b"AUTH TLS\r\nUSER injected\r\nNOOP\r\n"
    tries = []
    for at in [len(text), *range(1, len(text))]:
        c = server.control()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert c.read().code == 220
        c.send(text[:at])
        tries.append((c, text[at:]))
    time.sleep(0.05)
    for c, rest in tries:
        with contextlib.suppress(OSError):
            c.send(rest)
    seen = set()
    for c, _ in tries:
        got = b""
        with contextlib.suppress(OSError):
            while chunk := c.sock.recv(4096):
                got += chunk
        seen.add(got[:3])
        assert got[:4] in (b"421 ", b"234 "), got
        clear, _, records = got.partition(b"\r\n")
        assert not records or records[0] == 21, got	# an alert
        c.close()
    assert seen == {b"421", b"234"}
    assert tls_events(server, "tls_failed", side="server",
                      reason="bytes came behind AUTH, in clear")
    assert not [e for e in server.events("ftp")
                if e["ftp"].get("command_data") == "injected"]


def test_what_is_pipelined_within_tls_is_answered_in_order(server):
    with Secure(server) as c:
        c.send(b"PBSZ 0\r\nPROT P\r\nUSER ftp\r\nPASS x\r\n" +
               b"".join(b"CWD %d\r\n" % i for i in range(3000)) +
               b"NOOP\r\nQUIT\r\n")
        assert [c.read().code for _ in range(4)] == [200, 200, 331, 230]
        assert {c.read().code for _ in range(3000)} == {550}
        assert [c.read().code for _ in "12"] == [200, 221]
        assert c.sock.recv(1) == b""	# with close_notify


def test_lines_of_every_length_within_tls(server):
    with Secure(server) as c:
        c.login()
        for n in (1, 4000, 8186, 8187):
            assert c.cmd("NOOP " + "x" * n).code == 200
        assert c.cmd("NOOP " + "x" * 8188).code == 500
        for byte in b"NOOP\r\n":
            c.send(bytes([byte]))
        assert c.read().code == 200


# ---- data

@BOTH
def test_e04_what_is_whole_ends_with_close_notify(server, archive, version):
    with Secure(server, version).login() as c:
        for name in ("big.grib2", "zero", "small.nc"):
            assert c.fetch(f"RETR pub/{name}") == pub(archive, name)
        assert c.cmd("REST 4000001").code == 350
        assert c.fetch("RETR pub/big.grib2") == pub(archive)[4000001:]
        assert c.cmd("TYPE A").code == 200
        assert c.fetch("RETR pub/crlf.txt") == b"a\r\nb\r\nc\r\n"
        assert c.cmd("TYPE I").code == 200
        # It is said before 226.
        raw = c.begin("RETR pub/small.nc")
        c.sock.settimeout(0.2)
        assert len(raw.recv(4096)) == 1024 and raw.recv(1) == b""
        raw.close()


@BOTH
def test_e04_what_is_cut_does_not(server, archive, version):
    cut = archive / "pub" / "cut.bin"
    with Secure(server, version).login() as c:
        for how, code in (("truncate", 451), ("abort", 426)):
            with cut.open("wb") as f:
                f.truncate(300_000_000)
            cut.chmod(0o644)
            data = c.begin("RETR pub/cut.bin")
            data.recv(1000)
            if how == "truncate":
                os.truncate(cut, 1000)
            else:
                c.send("ABOR\r\n")
            with pytest.raises((ssl.SSLError, ConnectionResetError)):
                while data.recv(1 << 20):
                    pass
            data.close()
            assert c.read().code == code
            if how == "abort":
                assert c.read().code == 226
        assert c.fetch("RETR pub/small.nc") == pub(archive, "small.nc")
    cut.unlink()


@BOTH
def test_e06_who_has_resumed_once_must(server, version):
    """learn: a thief at the same address comes without the session."""
    with Secure(server, version).login() as c, \
            Secure(server, version, context=c.context).login() as stranger:
        small = pub_small = c.fetch("RETR pub/small.nc", None)
        assert c.fetch("RETR pub/small.nc", None) == small
        assert c.fetch("RETR pub/small.nc") == pub_small
        assert refusal(c, "RETR pub/small.nc", None).code == 522
        assert refusal(c, "RETR pub/small.nc",
                       stranger.sock.session).code == 522
        assert c.fetch("RETR pub/small.nc") == small
        # Another's session is none, and no reason to be refused, before.
        assert stranger.fetch("RETR pub/small.nc", c.sock.session) == small
    assert tls_events(server, "tls_failed", on="data", side="server",
                      reason="it did not resume the control connection's "
                      "session")
    told = transfers(server, 1)
    assert [t for t in told if t["result"] == "not_resumed" and
            t["completion_code"] == ["522"] and t["bytes"] == 0]


@BOTH
def test_e06_require_wants_it_from_the_first(strict, version):
    with Secure(strict, version).login() as c:
        assert refusal(c, "RETR pub/small.nc", None).code == 522
        assert len(c.fetch("RETR pub/small.nc")) == 1024


def test_a_data_connection_that_is_no_tls(server):
    with Secure(server).login() as c:
        raw = Control.data(c)
        assert c.cmd("RETR pub/small.nc").code == 150
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        last = c.read()
        assert last.code == 522 and "http request" in last
        raw.close()
        raw = Control.data(c)
        assert c.cmd("LIST").code == 150
        raw.close()
        assert c.read().code == 522
        assert len(c.fetch("RETR pub/small.nc")) == 1024
    assert tls_events(server, "tls_failed", on="data", side="server")
    assert tls_events(server, "tls_failed", on="data", side="network")


def test_a_handshake_of_data_that_does_not_go_on(place, archive, pki):
    server = start(place, archive, pki, **{"data.timeout": 1})
    with Secure(server).login() as c:
        raw = Control.data(c)
        assert c.cmd("RETR pub/small.nc").code == 150
        assert c.read().code == 426
        raw.close()
        raw = Control.data(c)	# nor does it keep a farewell waiting
        assert c.cmd("RETR pub/small.nc").code == 150
        c.send("ABOR\r\n")
        assert [c.read().code for _ in "12"] == [426, 226]
        raw.close()
        assert len(c.fetch("RETR pub/small.nc")) == 1024
    assert server.stop() == 0, server.stderr


# ---- what the site wants

def test_e02_in_clear_nobody_logs_in_where_tls_is_required(strict):
    with strict.control() as c:
        assert c.read().code == 220
        reply = c.cmd("USER ftp")
        assert reply.code == 530 and "AUTH TLS" in reply
        assert c.cmd("PASS x").code == 503
        assert c.cmd("LIST").code == 530
    with Secure(strict).login(private=False) as c:
        assert c.cmd("PBSZ 0").code == 200
        assert c.cmd("PROT C").code == 534
        c.epsv()
        for command in ("LIST", "NLST", "MLSD", "RETR pub/README"):
            reply = c.cmd(command)
            assert reply.code == 521 and "PROT P" in reply
        assert c.cmd("PROT P").code == 200
        assert len(c.fetch("RETR pub/small.nc")) == 1024


def fetch_by_openssl(server, path, version, which):
    """As OpenSSL's own clients do: data connections have the session itself,
    and are freed without a close_notify.  which: whose session each has, of
    the control connection, or of a data connection before it, or none."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)

    def secure(sock, session=None):
        one = SSL.Connection(context, sock)
        one.set_connect_state()
        if session is not None:
            one.set_session(session)
        one.do_handshake()
        return one

    def ask(line, code):
        control.sendall(line.encode() + b"\r\n")
        reply = control.recv(1000).decode()
        assert reply.startswith(code), reply
        return reply

    sock = socket.create_connection(server.address, 10)
    sock.recv(1000)
    sock.sendall(b"AUTH TLS\r\n")
    assert sock.recv(1000).startswith(b"234")
    sock.settimeout(None)
    control = secure(sock)
    for line, code in (("PBSZ 0", "200"), ("PROT P", "200"),
                       ("USER ftp", "331"), ("PASS x@", "230")):
        ask(line, code)
    sessions = {"none": None, "control": control.get_session()}
    for name in which:
        port = int(re.search(r"\|\|\|(\d+)\|", ask("EPSV", "229"))[1])
        raw = socket.create_connection((server.host, port))
        ask(f"RETR {path}", "150")
        sessions["control"] = control.get_session()
        data = secure(raw, sessions[name])
        with pytest.raises(SSL.ZeroReturnError):
            while True:
                data.recv(1 << 16)
        sessions["data"] = data.get_session()
        data.set_shutdown(SSL.SENT_SHUTDOWN if which[-1] == "none" else 0)
        del data
        raw.close()
        assert control.recv(1000).startswith(b"226")
    ask("QUIT", "221")
    sock.close()


def test_who_says_no_close_notify_resumes_all_the_same(server):
    before = len(server.events("ftp_data", want=0))
    fetch_by_openssl(server, "pub/small.nc", SSL.TLS1_3_VERSION,
                     ["control"] * 4)
    data = server.events("ftp_data", want=before + 4)[before:]
    assert [d["ftp_data"]["tls_resumed"] for d in data] == [True] * 4


def test_a_data_connections_own_session_is_none_to_be_learnt_from(server):
    """Else who has it by chance would be refused when he has not."""
    before = len(server.events("ftp_data", want=0))
    fetch_by_openssl(server, "pub/small.nc", SSL.TLS1_2_VERSION,
                     ["none", "data", "data", "none"])
    data = server.events("ftp_data", want=before + 4)[before:]
    assert [d["ftp_data"]["tls_resumed"] for d in data] == [False] * 4


def test_off_is_off(place, archive, pki):
    server = start(place, archive, pki, **{"tls.control": "off",
                                           "tls.listen": None})
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH TLS").code == 534
        assert "AUTH" not in c.cmd("FEAT")
        assert not solos(server)
        assert not server.children("portcullis-signer")
    reload(server, {"tls.control": None, "tls.data": "off"})
    server.wait_for("reloaded")
    with Secure(server) as c:
        assert c.cmd("PBSZ 0").code == 200
        assert c.cmd("PROT P").code == 534
        c.login(private=False)
        assert len(Control.fetch(c, "RETR pub/small.nc")) == 1024
    assert server.stop() == 0, server.stderr


@pytest.mark.parametrize("implicit", [False, True])
def test_sni_chooses_certificate_and_site(server, strict, pki, implicit):
    for name, key, names in ((NAME, "ec", b"pub"), (OTHER, "rsa", b"only"),
                             (None, "ec", b"pub"),
                             ("else.example.com", "ec", b"pub")):
        with Secure(server, implicit=implicit, name=name) as c:
            shown = ssl.DER_cert_to_PEM_cert(c.sock.getpeercert(True))
            assert shown.strip() in (
                pathlib.Path(pki[f"{key}.crt"]).read_text())
            if implicit:
                assert ("Other house." in c.greeting) == (name == OTHER)
            assert c.cmd(f"HOST {OTHER}").code == 220
            if name == OTHER:
                assert c.cmd("HOST 127.0.0.1").code == 504
            elif name != OTHER:
                assert c.cmd("HOST 127.0.0.1").code == 220
            c.login()
            assert names in c.fetch("NLST")
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        Secure(strict, implicit=implicit, name="else.example.com")


def test_a13_alpn_on_the_control_connection(server):
    for names, good in ((["ftp"], True), (["http/1.1"], False)):
        context = context_of(alpn=names)
        if good:
            Secure(server, context=context).login().close()
        else:
            with pytest.raises(ssl.SSLError, match="(?i)no.application"):
                Secure(server, context=context)
    assert tls_events(server, "tls", alpn=True)
    assert tls_events(server, "tls_failed", side="server", alert=120)


def test_each_failure_says_whose_it_was(server, pki):
    context = ssl.create_default_context(cafile=pki["rsa.leaf"])
    with pytest.raises(ssl.SSLCertVerificationError):
        Secure(server, context=context)
    with server.control() as c:
        assert c.read().code == 220
        assert c.cmd("AUTH TLS").code == 234
    assert tls_events(server, "tls_failed", on="control", side="client",
                      alert=48)
    assert tls_events(server, "tls_failed", on="control", side="network")
    with socket.create_connection(("127.0.0.1", server.implicit)) as raw:
        raw.sendall(b"USER ftp\r\nPASS x\r\n")
        assert raw.recv(100)[:1] in (b"", b"\x15")
    assert tls_events(server, "tls_failed", on="control", side="server")


def test_b16_a_handshake_has_the_time_of_a_login(strict):
    begun = [strict.control(), socket.create_connection(
        ("127.0.0.1", strict.implicit), timeout=20)]
    assert begun[0].read().code == 220
    assert begun[0].cmd("AUTH TLS").code == 234
    with Secure(strict) as c:	# and so has what follows it
        assert begun[1].recv(10) == b""
        assert begun[0].ended()
        assert c.read().code == 421
        assert c.sock.recv(1) == b""
    for one in begun:
        one.close()


# ---- processes

@needs_root
@plain_build
def test_e10_keys_are_in_the_signer_alone(server, pki):
    secrets = {k: v for name in ("ec", "rsa")
               for k, v in parts(pki, name).items()}
    with Secure(server).login() as c, \
            Secure(server, ssl.TLSVersion.TLSv1_2, name=OTHER).login() as d:
        c.fetch("LIST")
        d.fetch("LIST", None)
        signer, = server.children("portcullis-signer")
        everybody = {server.process.pid, gate_of(server), *solos(server),
                     *shared(server)}
        assert len(everybody) >= 6
        for pid in everybody:
            assert not secrets_in(pid, secrets), pid
        assert {"ec priv", "rsa prime1"} <= secrets_in(signer, secrets)
        # Nor does one session see another's.
        mine, other = worker_of(server, c), worker_of(server, d)
        c.send("SITE mine-and-only-mine\r\n")
        c.read()
        assert b"mine-and-only-mine" in memory_of(mine)
        # (But the warden, which writes the events.)
        for pid in everybody - {mine, server.process.pid}:
            assert b"mine-and-only-mine" not in memory_of(pid)
        assert other != mine


def test_a_shared_worker_has_no_tls_library(server):
    worker, = shared(server)
    maps = pathlib.Path(f"/proc/{worker}/maps").read_text()
    assert "libssl" not in maps and "libcrypto" not in maps


def test_a_signer_that_dies_is_missed_by_nobody(server):
    with Secure(server).login() as c:
        for _ in range(2):
            signer, = server.children("portcullis-signer")
            os.kill(signer, signal.SIGKILL)
            # Each asks: who is running, who waited, who is new.
            assert len(c.fetch("RETR pub/small.nc", None)) == 1024
            for _ in range(3):
                Secure(server).login().close()
            soon(lambda: len(server.children("portcullis-signer")) == 1 and
                 server.children("portcullis-signer") != [signer])


def test_a_reload_brings_new_certificates(place, archive, pki):
    server = start(place, archive, pki)
    home = place / "pki"
    with Secure(server, ssl.TLSVersion.TLSv1_2).login() as old:
        before = old.sock.getpeercert(True)
        first, = server.children("portcullis-signer")
        bad = {"key of another": f"{pki['ec.crt']} key={pki['rsa.key']}",
               "no certificate": f"{pki['ec.key']}",
               "no key": f"{pki['ec.crt']}"}
        for i, value in enumerate(bad.values()):
            reload(server, {"tls.certificate": value})
            server.wait_for("reload failed", i + 1)
        for line in (f"tls.certificate: {pki['rsa.key']}: ",
                     f"tls.certificate: {pki['ec.key']}: no certificate",
                     f"tls.certificate: {pki['ec.crt']} "):
            assert line in server.stderr
        with Secure(server) as c:
            assert c.sock.getpeercert(True) == before
        reload(server, {"tls.certificate":
                        f"{pki['rsa.crt']} key={pki['rsa.key']}"})
        server.wait_for("reloaded")
        soon(lambda: len(solos(server)) == 3)
        with Secure(server) as c:
            assert c.sock.getpeercert(True) != before
        # The old session has its old certificate, and somebody who signs.
        data = old.begin("RETR pub/small.nc", None)
        assert data.getpeercert(True) == before
        data.close()
        old.read()
        assert first in server.children("portcullis-signer")
    soon(lambda: len(server.children("portcullis-signer")) == 1)
    assert first not in server.children("portcullis-signer")
    assert server.stop() == 0, server.stderr
    assert (home / "ec.key").exists()


def test_check_tells_what_is_wrong(place, archive, pki):
    old = place / "old.crt"
    old.write_text("\n\n" + pathlib.Path(pki["ec.crt"]).read_text()[:300] +
                   "\n-----END CERTIFICATE-----\n")
    rows = [
        (f"{pki['ec.crt']} key={pki['ec.key']}", 0, ""),
        (f"{pki['both.pem']}", 0, ""),
        (f"{pki['ec.crt']} key={pki['p384.key']}", 2,
         f"{pki['p384.key']}: "),
        (f"{pki['ec.crt']} key={pki['rsa.key']}", 2, f"{pki['rsa.key']}: "),
        (f"{old} key={pki['ec.key']}", 2,
         f"{old}:3: this certificate cannot be read"),
        (f"{pki['ec.crt']}", 2, f"{pki['ec.crt']} may be read"),
        (f"{pki['ec.crt']}", 2, "since no key=FILE is given"),
        (f"{pki['ec.crt']} key={pki['ca.crt']}", 2, "may be read"),
        (f"{pki['both.pem']} ocsp={pki['ec.crt']}", 2,
         f"{pki['ec.crt']}: no answer of OCSP"),
    ]
    for value, status, words in rows:
        file = place / "check.conf"
        file.write_text(f"archive = {archive}\ntls.certificate = {value}\n")
        done = portcullisd("-c", file, "--check")
        assert done.returncode == status, (value, done.stderr)
        assert words in done.stderr, (value, done.stderr)
        if status:
            assert done.stderr.startswith("portcullisd: tls.certificate: ")
            assert done.stderr.count("\n") == 1


def test_an_implicit_client_needs_no_shared_worker(server):
    with Secure(server, implicit=True) as c:
        assert c.greeting.code == 220
        soon(lambda: worker_of_port(server, c) in solos(server))
        c.login()
        assert len(c.fetch("RETR pub/small.nc")) == 1024
        assert c.cmd("QUIT").code == 221
        assert c.sock.recv(1) == b""
    started = [e["flow_id"] for e in server.events("ftp")
               if e["ftp"]["action"] == "session_start" and
               e["dest_port"] == server.implicit]
    assert len(started) == len(set(started)) > 0


def worker_of_port(server, control):
    whole = server.port
    server.port = server.implicit
    try:
        return worker_of(server, control)
    finally:
        server.port = whole


def test_a_stop_is_said_within_tls(place, archive, pki):
    server = start(place, archive, pki)
    with Secure(server).login() as c:
        server.process.terminate()
        assert c.read().code == 421
        assert c.sock.recv(1) == b""
    assert server.process.wait(20) == 0, server.stderr
    assert re.search(r"ready: .* ftps://127.0.0.1:%d/" % server.implicit, server.stderr)
