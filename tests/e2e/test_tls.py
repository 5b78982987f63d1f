# tests/e2e/test_tls.py: the server's side of TLS and the signer, by themselves.
# SPDX-License-Identifier: Apache-2.0
"""tests/tls/tls_serve.c puts src/tls/server.c and a real portcullis-signer
together; OpenSSL's s_client and Python's ssl are the clients."""

import contextlib
import json
import os
import random
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import BUILD, IS_ROOT, SANITIZED, needs_root, plain_build

NAME = "ftp.example.org"
OTHER = "data.example.net"


def openssl(*args, cwd, **options):
    return subprocess.run(["openssl", *map(str, args)], cwd=cwd, check=True,
                          capture_output=True, **options)


class Pki:
    """An authority, certificates by it, and what is wrong on purpose."""

    def __init__(self, home):
        self.home = home
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
                "-out", "ca.crt", "-days", "30", "-subj", "/CN=CA",
                cwd=home)
        self.key("ec", "-algorithm", "EC", "-pkeyopt",
                 "ec_paramgen_curve:P-256")
        self.key("p384", "-algorithm", "EC", "-pkeyopt",
                 "ec_paramgen_curve:P-384")
        self.key("rsa", "-algorithm", "RSA", "-pkeyopt",
                 "rsa_keygen_bits:2048")
        self.key("ed", "-algorithm", "ED25519")
        self.certificate("ec", NAME)
        self.certificate("rsa", NAME)
        self.certificate("p384", "p384.example.org")
        self.certificate("ed", OTHER, "*.wild.example.net")

    def __getitem__(self, name):
        return str(self.home / name)

    def key(self, name, *options):
        openssl("genpkey", *options, "-out", f"{name}.key", cwd=self.home)
        os.chmod(self.home / f"{name}.key", 0o600)

    def certificate(self, name, *hosts, key=None, days=("-days", "20"),
                    issuer="ca"):
        """name.crt: the leaf and its issuer."""
        san = ",".join(f"DNS:{host}" for host in hosts)
        (self.home / "ext").write_text(f"subjectAltName={san}\n")
        csr = openssl("req", "-new", "-key", f"{key or name}.key", "-subj",
                      f"/CN={hosts[0]}", cwd=self.home).stdout
        leaf = openssl("x509", "-req", "-CA", f"{issuer}.crt", "-CAkey",
                       f"{issuer}.key", *days, "-extfile", "ext",
                       "-set_serial", str(abs(hash(name)) % 10**9),
                       cwd=self.home, input=csr).stdout
        (self.home / f"{name}.leaf").write_bytes(leaf)
        (self.home / f"{name}.crt").write_bytes(
            leaf + (self.home / f"{issuer}.crt").read_bytes())

    def serial(self, name):
        out = openssl("x509", "-noout", "-serial", "-in", f"{name}.leaf",
                      cwd=self.home).stdout.decode()
        return out.strip().split("=")[1]

    def index(self, name, revoked=False):
        later, before = "491231000000Z", "200101000000Z"
        (self.home / "index").write_text(
            f"{'R' if revoked else 'V'}\t{later}\t"
            f"{before if revoked else ''}\t{self.serial(name)}\tunknown\t"
            "/CN=x\n")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


class Server:
    """A tls_serve; .told() is its next line."""

    def __init__(self, pki, *args, stdin=subprocess.DEVNULL):
        its = getattr(stdin, "its", stdin)
        self.process = subprocess.Popen(
            [BUILD / "tests/tls/tls_serve", BUILD / "portcullis-signer",
             *args], cwd=pki.home, stdin=its, stdout=subprocess.PIPE)
        if its is not stdin:
            its.close()		# or its end would never be seen
        self.pid = self.process.pid
        self.lines = b""
        self.start = self.told()

    def told(self):
        fd = self.process.stdout.fileno()
        while b"\n" not in self.lines:
            assert select.select([fd], [], [], 20)[0], "nothing was told"
            chunk = os.read(fd, 65536)
            assert chunk, "tls_serve is gone"
            self.lines += chunk
        line, self.lines = self.lines.split(b"\n", 1)
        return json.loads(line)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def raw(self, which="control"):
        return socket.create_connection(("127.0.0.1", self.start[which]),
                                        timeout=10)

    def tls(self, wish, which="control", version=None, session=None,
            name=NAME, **options):
        """A client of Python's that has made its wish."""
        context = client_context(version, **options)
        sock = context.wrap_socket(self.raw(which), server_hostname=name,
                                   session=session,
                                   suppress_ragged_eofs=False)
        sock.sendall(wish.encode() + b"\n")
        return sock

    def s_client(self, *args, stdin="SINK\n"):
        return subprocess.run(
            ["openssl", "s_client", "-connect",
             f"127.0.0.1:{self.start['control']}", *args], input=stdin,
            capture_output=True, text=True, timeout=20)


CONTEXTS = {}


def client_context(version=None, cert=None):
    """One for each kind: a session is of its context."""
    if (version, cert) not in CONTEXTS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Python would take any end for a clean one.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        if version:
            context.minimum_version = context.maximum_version = version
        if cert:
            context.load_cert_chain(*cert)
        CONTEXTS[version, cert] = context
    return CONTEXTS[version, cert]


BOTH = pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
    ids=["1.2", "1.3"])
SITES = ("--key", "ec.key", "--key", "rsa.key", "--key", "ed.key",
         "--cert", "ec.crt:0:0", "--cert", "rsa.crt:1:0",
         "--cert", "ed.crt:2:7", "--key", "p384.key",
         "--cert", "p384.crt:3:9")


@contextlib.contextmanager
def serving(pki, *args, **options):
    server = Server(pki, *args, **options)
    try:
        yield server
    finally:
        server.end()


@pytest.fixture(scope="module")
def server(pki):
    with serving(pki, *SITES) as running:
        yield running


@pytest.fixture(scope="module")
def strict(pki):
    with serving(pki, *SITES, "--strict-sni") as running:
        yield running


# ---- versions, keys, names

@pytest.mark.parametrize("options, signature, name", [
    ("-tls1_3", "ECDSA", NAME),
    ("-tls1_3 -sigalgs rsa_pss_rsae_sha256", "RSA-PSS", NAME),
    ("-tls1_3 -sigalgs rsa_pss_rsae_sha512", "RSA-PSS", NAME),
    ("-tls1_3", "ed25519", OTHER),
    ("-tls1_3", "ECDSA", "p384.example.org"),
    ("-tls1_2", "ECDSA", NAME),
    ("-tls1_2 -curves P-256", "ECDSA", NAME),
    ("-tls1_2 -curves P-384:P-256 -sigalgs ECDSA+SHA384", "ECDSA", NAME),
    ("-tls1_2 -sigalgs RSA+SHA256", "RSA", NAME),
    ("-tls1_2 -sigalgs RSA+SHA384", "RSA", NAME),
    ("-tls1_2 -sigalgs RSA+SHA512", "RSA", NAME),
    ("-tls1_2 -sigalgs RSA-PSS+SHA256", "RSA-PSS", NAME),
    ("-tls1_2", "ed25519", "a.wild.example.net"),
    ("-tls1_2", "ECDSA", "p384.example.org"),
])
def test_every_key_signs_by_every_scheme(server, pki, options, signature,
                                         name):
    out = server.s_client("-servername", name, "-CAfile", pki["ca.crt"],
                          "-verify_return_error", "-verify_hostname", name,
                          *options.split()).stdout
    assert f"Peer signature type: {signature}\n" in out, out
    told = server.told()
    assert told["end"] == "closed" and told["sni"] == name
    assert told["site"] == {NAME: 0, "p384.example.org": 9}.get(name, 7)
    assert told["version"] == "TLSv1." + options[6]
    assert "GCM" in told["cipher"]


@pytest.mark.parametrize("options, alert", [
    ("-tls1_1 -cipher ALL:@SECLEVEL=0", 70),
    ("-tls1_2 -cipher AES128-SHA", 40),		# no key of its own time
    ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", 40),
    ("-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", 40),
    ("-tls1_2 -sigalgs ECDSA+SHA1:RSA+SHA1 -cipher ALL:@SECLEVEL=0", 40),
])
def test_what_is_weak_is_refused(server, options, alert):
    assert f"SSL alert number {alert}" in server.s_client(
        *options.split()).stderr
    told = server.told()
    assert (told["end"], told["side"], told["alert"]) == \
        ("failed", "ours", alert)
    assert told["text"].startswith("we refused what the client sent: ")


@pytest.mark.parametrize("name", [None, NAME, "A.Wild.Example.NET",
                                  "elsewhere.example.com"])
@pytest.mark.parametrize("alpn", [None, "ftp", "http/1.1", "http/1.1,ftp",
                                  "ftp-data", "ft", "ftps"])
def test_a13_alpn_and_sni(server, strict, name, alpn):
    """ALPACA: a protocol that is not ours is no reason to talk."""
    known = name != "elsewhere.example.com"
    options = [*(["-servername", name] if name else ["-noservername"]),
               *(["-alpn", alpn] if alpn else [])]
    for one in (server, strict):
        err = one.s_client(*options).stderr
        told = one.told()
        if not known and one is strict:
            assert told["alert"] == 112 and "alert number 112" in err
        elif alpn and "ftp" not in alpn.split(","):
            assert told["alert"] == 120 and "alert number 120" in err
        else:
            assert told["end"] == "closed"
            assert told["alpn"] is bool(alpn)
            assert told["site"] == (7 if name and "Wild" in name else 0)


def test_a13_a_data_connection_has_a_name_of_its_own(server):
    for name in ("ftp-data", "ftp"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["x", name])
        with server.tls("HOLD") as control:
            assert control.recv(5) == b"held\n"
            server.told()
            with context.wrap_socket(server.raw("data")) as data:
                assert data.selected_alpn_protocol() == name
                data.sendall(b"SINK\n")
                data.unwrap()
            assert server.told()["alpn"]


# ---- what comes and what goes

@BOTH
def test_bytes_come_back_as_they_went(server, version):
    sent = random.Random(1).randbytes(3_000_000)
    with server.tls("ECHO", version=version) as sock:
        got = b""
        for i in range(0, len(sent), 100_000):
            sock.sendall(sent[i:i + 100_000])
            while len(got) < i + 100_000:
                got += sock.recv(65536)
        sock.unwrap()
    assert got == sent
    assert server.told()["end"] == "closed"


@BOTH
def test_e03_an_end_without_close_notify_is_told_from_one_with(server,
                                                               version):
    def end(how):
        sock = server.tls("SINK", "data", version)
        sock.sendall(b"x" * 50_000)
        if how == "unwrap":
            sock.unwrap()
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        sock.close()
        return server.told()

    with hold(server, version):
        told = end("unwrap")
        assert (told["end"], told["bytes"]) == ("closed", 50_000)
        told = end("fin")
        assert (told["end"], told["bytes"]) == ("truncated", 50_000)
        assert told["side"] == "wire" and "close_notify" in told["text"]
        told = end("reset")
        assert told["end"] == "truncated"
        assert told["text"].endswith((": Connection reset by peer",
                                      ": Broken pipe"))


@BOTH
def test_e04_a_download_ends_with_close_notify(server, version):
    with server.tls("SOURCE 700001", version=version) as sock:
        got = 0
        while chunk := sock.recv(65536):	# b"" is a clean end alone
            got += len(chunk)
    assert got == 700_001
    assert server.told()["end"] == "done"


def test_a_client_that_refuses_is_said_to(server, pki):
    """Its alert comes while we think that all is well: TLS 1.3."""
    context = ssl.create_default_context(cafile=pki["rsa.leaf"])
    with server.raw() as raw, pytest.raises(ssl.SSLCertVerificationError):
        context.wrap_socket(raw, server_hostname=NAME)
    told = server.told()
    assert (told["end"], told["side"], told["alert"]) == ("failed", "peer", 48)
    assert told["text"] == "the client refused: unknown CA"


def test_a_client_that_goes_away_is_said_to(server):
    server.raw().close()
    told = server.told()
    assert (told["end"], told["side"]) == ("truncated", "wire")
    assert told["text"].startswith("the connection ended in the handshake")


def test_e05_renegotiation_is_refused(server):
    """R asks for it: a warning, and the connection goes on or ends."""
    out = talk_to_s_client(server, ["-tls1_2"], ["R\n"])
    assert "no renegotiation" in out
    told = server.told()
    assert told["handshake"] and told["version"] == "TLSv1.2"


def test_e05_new_keys_are_given_a_few_times(server):
    talk_to_s_client(server, ["-tls1_3"], ["k\n"] * 10)
    assert server.told()["end"] in ("closed", "truncated")
    talk_to_s_client(server, ["-tls1_3"], ["k\n"] * 40)
    told = server.told()
    assert (told["end"], told["side"]) == ("failed", "ours")
    assert "new keys too often" in told["text"]


def talk_to_s_client(server, options, commands):
    """A command is one only where a read begins: each waits for an echo."""
    with subprocess.Popen(
            ["openssl", "s_client", "-connect",
             f"127.0.0.1:{server.start['control']}", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT) as client:
        out = b""
        for i, command in enumerate(["ECHO\n", *commands, "Q\n"]):
            mark = f"<{i}>\n"
            try:
                for line in (command, mark):
                    client.stdin.write(line.encode())
                    client.stdin.flush()
                    if line is command and i > 0:
                        # No echo tells that it was taken.
                        time.sleep(0.01)
            except BrokenPipeError:
                break
            while mark.encode() not in out:
                chunk = os.read(client.stdout.fileno(), 65536)
                if not chunk:
                    break
                out += chunk
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        return (out + client.stdout.read()).decode()


# ---- sessions

def hold(server, version):
    control = server.tls("HOLD", version=version)
    assert control.recv(5) == b"held\n"
    assert not server.told()["resumed"]
    return control


@BOTH
def test_e06_e08_data_connections_resume_their_own_control_connection(
        server, strict, version):
    def data(session, which="data", wish="SOURCE 10", on=server):
        with on.tls(wish, which, version, session) as sock:
            if wish == "SINK":
                sock.unwrap()
            else:
                while sock.recv(100):
                    pass
            new = sock.session
        told = on.told()
        return told["resumed"], told["bound"], told["offered"], new

    with hold(server, version) as first:
        old = first.session
        # As often as it wants to, up and down.
        for wish in ("SOURCE 10", "SINK", "SOURCE 10"):
            assert data(old, wish=wish)[:3] == (True, True, True)
        # What a data connection is told serves the next one.
        new = data(old)[3]
        assert data(new)[:3] == (True, True, True)
        assert data(None)[:3] == (False, False, False)
    with hold(server, version) as second:
        # Another control connection's, in the same process.
        assert data(old)[:3] == (False, False, True)
        assert data(new)[:3] == (False, False, True)
        assert data(second.session)[:3] == (True, True, True)
        # A control connection is of no other.
        assert data(second.session, "control")[:3] == (False, False, True)
    # E08: another process's.
    with hold(strict, version):
        assert data(old, on=strict)[:3] == (False, False, True)


def test_e06_s_client_resumes_too(server, pki):
    """Another client's bookkeeping; a TLS 1.2 session without a ticket."""
    for options in (["-tls1_2", "-no_ticket"], ["-tls1_2"], ["-tls1_3"]):
        with subprocess.Popen(
                ["openssl", "s_client", "-connect",
                 f"127.0.0.1:{server.start['control']}", *options,
                 "-sess_out", pki["session"], "-quiet"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True) as control:
            control.stdin.write("HOLD\n")
            control.stdin.flush()
            assert control.stdout.readline() == "held\n"
            server.told()
            data = subprocess.run(
                ["openssl", "s_client", "-connect",
                 f"127.0.0.1:{server.start['data']}", *options, "-sess_in",
                 pki["session"]], input="SINK\n", capture_output=True,
                text=True, timeout=20)
            assert "Reused, " in data.stdout
            told = server.told()
            assert told["resumed"] and told["bound"] and told["offered"]
            control.kill()


def test_e11_the_cache_of_sessions_does_not_grow(server):
    """Nor is the control connection's session pushed out of it."""
    def data(session):
        sock = context.wrap_socket(server.raw("data"), session=session)
        sock.sendall(b"SINK\n")
        sock.unwrap()
        sock.close()
        return server.told()["bound"]

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    with context.wrap_socket(server.raw()) as control:
        control.sendall(b"HOLD\n")
        assert control.recv(5) == b"held\n"
        server.told()
        assert control.session.id and not control.session.has_ticket
        assert not any([data(None) for _ in range(70)])
        assert data(control.session)


def test_e06_no_ticket_spoils_an_upload(server):
    """
    A client that closes with a ticket unread resets the connection, and its
    last bytes may be lost.  So in an upload nothing is sent until its end.
    """
    version = ssl.TLSVersion.TLSv1_3
    with hold(server, version) as control:
        for session in (control.session, None):
            sock = server.tls("SINK", "data", version, session)
            sock.sendall(b"x" * 1000)
            raw = socket.socket(fileno=os.dup(sock.fileno()))
            raw.settimeout(0.2)
            with raw, pytest.raises(TimeoutError):
                raw.recv(1, socket.MSG_PEEK)
            sock.unwrap()
            sock.close()
            assert server.told()["end"] == "closed"


# ---- clients' certificates

@pytest.fixture(scope="module")
def clients(pki):
    """Good, revoked, and somebody else's; a list, and one that is over."""
    pki.certificate("good", "alice", key="ec")
    pki.certificate("revoked", "mallory", key="ec")
    openssl("req", "-x509", "-key", "ec.key", "-out", "foreign.crt", "-days",
            "3", "-subj", "/CN=alice", cwd=pki.home)
    pki.index("revoked", revoked=True)
    (pki.home / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\n")
    crl = ("ca", "-gencrl", "-config", "ca.conf", "-cert", "ca.crt",
           "-keyfile", "ca.key")
    openssl(*crl, "-out", "crl", "-crldays", "10", cwd=pki.home)
    openssl(*crl, "-out", "crl.old", "-crl_lastupdate", "20200101000000Z",
            "-crl_nextupdate", "20200201000000Z", cwd=pki.home)
    return pki


ONE = ("--key", "rsa.key", "--cert", "rsa.crt:0:0")


def knock(server, pki, version, who):
    cert = (pki[f"{who}.crt"], pki["ec.key"]) if who else None
    with contextlib.suppress(OSError), \
            server.tls("SINK", version=version, cert=cert) as sock:
        sock.unwrap()
    return server.told()


@BOTH
def test_client_certificates(clients, version):
    with serving(clients, *ONE, "--client-ca", "ca.crt", "--client-crl",
                 "crl") as server:
        told = knock(server, clients, version, "good")
        assert told["end"] == "closed"
        assert (told["subject"], told["common_name"]) == ("CN=alice", "alice")
        told = knock(server, clients, version, None)
        assert told["end"] == "closed" and "subject" not in told
        told = knock(server, clients, version, "revoked")
        assert (told["side"], told["alert"]) == ("ours", 44)
        assert told["text"] == \
            "the client's certificate was refused: certificate revoked"
        told = knock(server, clients, version, "foreign")
        assert told["end"] == "failed" and told["alert"] == 48


def test_client_certificates_without_a_list_in_force_are_refused(clients):
    with serving(clients, *ONE, "--client-ca", "ca.crt", "--client-crl",
                 "crl.old", "--require-client") as server:
        told = knock(server, clients, None, "good")
        assert told["end"] == "failed" and "CRL has expired" in told["text"]
        told = knock(server, clients, None, None)
        assert told["alert"] == 116 and told["side"] == "ours"


# ---- staples

def ocsp(pki, out, *options, **kwargs):
    pki.index("ec", **kwargs)
    openssl("ocsp", "-index", "index", "-rsigner", "ca.crt", "-rkey",
            "ca.key", "-CA", "ca.crt", "-issuer", "ca.crt", "-cert",
            "ec.leaf", "-respout", out, *options, cwd=pki.home)


def test_a_staple_is_sent_to_who_asks(pki):
    ocsp(pki, "staple", "-ndays", "2")
    with serving(pki, *ONE, "--key", "ec.key", "--cert",
                 "ec.crt:1:0:staple") as server:
        out = server.s_client("-status", "-CAfile", pki["ca.crt"],
                              "-sigalgs", "ecdsa_secp256r1_sha256").stdout
        assert "OCSP Response Status: successful" in out
        assert "Cert Status: good" in out
        out = server.s_client("-status", "-sigalgs",
                              "rsa_pss_rsae_sha256").stdout
        assert "OCSP response: no response sent" in out


# ---- what is wrong at the start

def refusal(pki, *args):
    with serving(pki, *args) as server:
        assert server.process.wait(10) == 2
        return server.start


def test_bad_texts_are_refused_with_their_line(pki):
    home = pki.home
    ocsp(pki, "revoked.ocsp", "-ndays", "2", revoked=True)
    openssl("req", "-new", "-key", "ec.key", "-subj", "/CN=old", "-out",
            "old.csr", cwd=home)
    (home / "old.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=old.index\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=p\nserial=old.serial\n[p]\n"
        "commonName=supplied\n")
    (home / "old.index").write_text("")
    (home / "old.serial").write_text("01\n")
    openssl("ca", "-batch", "-notext", "-config", "old.conf", "-cert",
            "ca.crt", "-keyfile", "ca.key", "-in", "old.csr", "-startdate",
            "20200101000000Z", "-enddate", "20200201000000Z", "-out",
            "expired", cwd=home)
    (home / "expired.crt").write_text(
        "# of the old server\n\n" + (home / "expired").read_text())
    (home / "torn.crt").write_text(
        "\n" + (home / "ec.crt").read_text()[:300] + "\n" +
        "-----END CERTIFICATE-----\n")
    (home / "nothing").write_text("nothing\n")
    key = ("--key", "ec.key")
    rows = [
        (("--cert", "expired.crt:0:0"), "chain", 3,
         "this certificate expired at 2020-02-01T00:00:00Z"),
        (("--cert", "torn.crt:0:0"), "chain", 2, "cannot be read"),
        (("--cert", "nothing:0:0"), "chain", 0, "no certificate"),
        (("--cert", "rsa.crt:0:0"), "key", 0, "does not sign"),
        (("--cert", "ec.crt:5:0"), "key", 0, "does not sign"),
        (("--cert", "good2.crt:0:0"), "key", 0, "not the certificate's"),
        (("--cert", "ec.crt:0:0:nothing"), "ocsp", 0, "no answer of OCSP"),
        (("--cert", "ec.crt:0:0:revoked.ocsp"), "ocsp", 0, "is good"),
        (("--cert", "ec.crt:0:0", "--client-ca", "nothing"), "ca", 0, "no c"),
        (("--cert", "ec.crt:0:0", "--client-ca", "ca.crt", "--client-crl",
          "nothing"), "crl", 0, "no list"),
        ((), "nothing", 0, "1 to 32 certificates"),
    ]
    pki.key("ec2", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    pki.certificate("good2", NAME, key="ec2")
    for args, where, line, words in rows:
        told = refusal(pki, *key, *args)
        assert (told["in"], told["line"]) == (where, line), (args, told)
        assert words in told["fault"], (args, told)


def test_bad_keys_are_refused_with_their_line(pki):
    home = pki.home
    openssl("pkey", "-in", "ec.key", "-aes256", "-passout", "pass:x", "-out",
            "locked.key", cwd=home)
    openssl("ec", "-in", "ec.key", "-aes256", "-passout", "pass:x", "-out",
            "old-locked.key", cwd=home)
    pki.key("p521", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521")
    pki.key("short", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
    text = (home / "ec.key").read_text()
    (home / "torn.key").write_text("\n\n" + text[:80] + text[-60:])
    (home / "empty.key").write_text("")
    (home / "long.key").write_text(text + "\n" * 70000)
    (home / "open.key").write_text(text)
    for name, line, words in [("locked", 1, "is encrypted"),
                              ("old-locked", 1, "is encrypted"),
                              ("p521", 1, "not RSA, EC"),
                              ("short", 1, "2048 to 4096 bits"),
                              ("torn", 3, "damaged"),
                              ("empty", 0, "is empty"),
                              ("long", 0, "too long"),
                              ("open", 0, "by others")]:
        path = home / f"{name}.key"
        os.chmod(path, 0o644 if name == "open" else 0o600)
        told = refusal(pki, "--key", path)
        assert words in told["fault"], told
        assert told["line"] == line
    assert "regular" in refusal(pki, "--key", "/dev/null")["fault"]


# ---- the signer

FRONT_1_3 = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"
ECDSA, ED25519 = 0x0403, 0x0807


class Asker:
    """A second channel to the signer, for who has taken a worker over."""

    def __init__(self):
        self.mine, self.its = socket.socketpair(socket.AF_UNIX,
                                                socket.SOCK_SEQPACKET)
        self.mine.settimeout(10)

    @staticmethod
    def packet(bytes_, key=0, scheme=ECDSA, version=1, size=None):
        return struct.pack("<BBHIII256s", version, 0,
                           len(bytes_) if size is None else size, 7, key,
                           scheme, bytes_)

    def ask(self, *args, **options):
        self.mine.send(self.packet(*args, **options))
        return self.hear()

    def hear(self):
        """(status, signature); None: the channel is closed."""
        got = self.mine.recv(1000)
        if not got:
            return None
        version, status, n, number = struct.unpack("<BBHI", got[:8])
        assert (version, number, len(got)) == (1, 7, 520)
        assert got[8 + n:] == bytes(512 - n)	# nothing else comes along
        return status, got[8:8 + n]


def test_the_signer_signs_handshakes_of_servers_alone(pki):
    asker = Asker()
    with serving(pki, *SITES, "--channel", stdin=asker) as server:
        ok = FRONT_1_3 + bytes(32)
        point = b"\3\0\x1d\x20" + bytes(32)
        old = bytes(56) + b"DOWNGRD\1" + point
        assert asker.ask(ok)[0] == 0 and asker.ask(old)[0] == 0
        refused = [
            (dict(bytes_=b"hello"), "no form at all"),
            (dict(bytes_=bytes(32)), "a digest"),
            (dict(bytes_=ok[:-1]), "cut"),
            (dict(bytes_=ok.replace(b"server", b"client")), "a client's"),
            (dict(bytes_=bytes(64) + point), "a random of TLS 1.2 alone"),
            (dict(bytes_=old + b"x"), "too long"),
            (dict(bytes_=ok, key=4), "no such key"),
            (dict(bytes_=ok, key=2**32 - 1), "no such key"),
            (dict(bytes_=ok, scheme=ED25519), "a scheme of another kind"),
            (dict(bytes_=ok, scheme=0x0203), "SHA-1"),
            (dict(bytes_=ok, scheme=0x0401, key=1), "PKCS #1 in TLS 1.3"),
        ]
        for question, why in refused:
            assert asker.ask(**question) == (1, b""), why


@pytest.mark.parametrize("data", [
    b"x", Asker.packet(b"x" * 20) + b"x", Asker.packet(b"x", version=2),
    Asker.packet(b""), Asker.packet(b"x", size=257)],
    ids=["short", "long", "version", "empty", "too much"])
def test_a_malformed_question_closes_its_channel(pki, data):
    asker = Asker()
    with serving(pki, *ONE, "--channel", stdin=asker) as server:
        asker.mine.send(data)
        assert asker.hear() is None
        with server.tls("SINK") as sock:
            sock.unwrap()
        assert server.told()["end"] == "closed"


def test_e09_one_that_asks_without_end_delays_itself_alone(pki):
    asker = Asker()
    with serving(pki, *SITES, "--channel", stdin=asker) as server:
        asker.mine.setblocking(False)
        question, asked = asker.packet(FRONT_1_3 + bytes(32)), 0
        for _ in range(30):
            with contextlib.suppress(BlockingIOError):
                while True:
                    asker.mine.send(question)
                    asked += 1
            with server.tls("SINK") as sock:
                sock.unwrap()
            assert server.told()["end"] == "closed"
            with contextlib.suppress(BlockingIOError):
                while True:
                    asker.mine.recv(1000)
        assert asked > 100


def parts(pki, name):
    """The private numbers of a key, as openssl shows them."""
    text = openssl("pkey", "-in", f"{name}.key", "-noout", "-text",
                   cwd=pki.home).stdout.decode()
    found = dict(re.findall(r"^(\w+):\s*\n((?: +[0-9a-f:]+\n)+)", text, re.M))
    return {f"{name} {word}": bytes.fromhex(
        re.sub(r"[^0-9a-f]", "", found[word])).lstrip(b"\0")
        for word in ("priv", "privateExponent", "prime1", "prime2",
                     "exponent1", "exponent2", "coefficient")
        if word in found}


def secrets_in(pid, secrets):
    """Which are in a process's memory, in either order of bytes."""
    found = set()
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            low, high = (int(x, 16) for x in line.split()[0].split("-"))
            try:
                mem.seek(low)
                image = mem.read(high - low)
            except (OSError, ValueError, OverflowError):
                continue	# guard pages, vsyscall
            for name, secret in secrets.items():
                # 24 bytes of the middle: no process has them by chance.
                some = secret[4:28]
                if some in image or some[::-1] in image:
                    found.add(name)
    return found


@needs_root
@plain_build
def test_e10_the_private_keys_are_in_the_signer_alone(pki):
    secrets = {k: v for name in ("ec", "rsa", "ed", "p384")
               for k, v in parts(pki, name).items()}
    assert len(secrets) == 3 + 6
    with serving(pki, *SITES) as server:
        for options in ("-tls1_3", "-tls1_2 -sigalgs RSA+SHA256",
                        f"-servername {OTHER}",
                        "-servername p384.example.org"):
            server.s_client(*options.split())
            assert server.told()["end"] == "closed"
        signer = server.start["signer"]
        here = secrets_in(server.pid, secrets)
        there = secrets_in(signer, secrets)
        # Nor does it keep the files.
        opened = {os.readlink(f"/proc/{signer}/fd/{fd}").split(":")[0]
                  for fd in os.listdir(f"/proc/{signer}/fd")}
    assert here == set()
    # The search finds what is there; libraries keep some as they please.
    assert {"ec priv", "p384 priv", "ed priv", "rsa prime1",
            "rsa prime2"} <= there, there
    assert not any(name.endswith(".key") for name in opened), opened


def test_the_signer_has_its_walls(server):
    """Of ipc/walls.h: new privileges, dumps, seccomp, Landlock's files."""
    assert server.start["walls"] & 0b1111 == 0b1111
    if IS_ROOT:
        status = open(f"/proc/{server.start['signer']}/status").read()
        assert "\nSeccomp:\t2\n" in status
        assert "\nNoNewPrivs:\t1\n" in status


def test_without_a_signer_a_handshake_fails_and_nothing_else(pki):
    with serving(pki, *ONE) as server:
        with hold(server, ssl.TLSVersion.TLSv1_3) as control:
            os.kill(server.start["signer"], signal.SIGKILL)
            with contextlib.suppress(OSError):
                server.tls("SINK")
            told = server.told()
            assert (told["end"], told["side"]) == ("failed", "local")
            # A session that is resumed needs no signature.
            with server.tls("SINK", "data", ssl.TLSVersion.TLSv1_3,
                            control.session) as sock:
                sock.unwrap()
            assert server.told()["bound"]


# ---- records that are none

def a_hello(version):
    context = client_context(version)
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=NAME)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return bytearray(out.read())


def damaged(rng, hello):
    """Changed, cut, stretched, doubled; or noise behind a record's header."""
    data = bytearray(hello)
    kind = rng.randrange(6)
    if kind < 3:
        for _ in range(rng.randrange(1, 9)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 3:
        del data[rng.randrange(len(data)):]
    elif kind == 4:
        at = rng.randrange(len(data))
        data[at:at] = rng.randbytes(rng.randrange(1, 2000))
    else:
        n = rng.randrange(1, 17000)
        data = bytearray(struct.pack("!BHH", rng.randrange(20, 25), 0x301, n)
                         + rng.randbytes(n))
    return bytes(data)


def test_b16_malformed_records_end_their_connection_alone(server):
    rng = random.Random(16)
    hellos = [a_hello(v) for v in (None, ssl.TLSVersion.TLSv1_2)]
    ends = {}
    for i in range(150 if SANITIZED else 300):
        with server.raw() as raw, contextlib.suppress(OSError):
            raw.sendall(damaged(rng, hellos[i % 2]))
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass
        told = server.told()
        assert not told["handshake"] and told["end"] in ("failed",
                                                         "truncated")
        assert told["side"] in ("ours", "wire", "peer"), told
        assert told["text"].isprintable() and told["text"].isascii()
        ends[told["text"]] = ends.get(told["text"], 0) + 1
    assert len(ends) > 5, ends
    with server.tls("SINK") as sock:
        sock.unwrap()
    assert server.told()["end"] == "closed"


@BOTH
def test_b16_malformed_records_after_the_handshake(server, version):
    """A record that does not decrypt ends it; what came before stays said."""
    rng = random.Random(17)
    for _ in range(20):
        sock = server.tls("SINK", version=version)
        sock.sendall(b"x" * 1000)
        with socket.socket(fileno=os.dup(sock.fileno())) as raw:
            n = rng.randrange(0, 600)
            raw.sendall(struct.pack("!BHH", rng.choice((20, 21, 22, 23, 99)),
                                    rng.choice((0x303, 0x303, 0x505)), n)
                        + rng.randbytes(n))
            raw.shutdown(socket.SHUT_WR)
        told = server.told()
        sock.close()
        assert told["end"] in ("failed", "truncated"), told
        assert told["bytes"] == 1000


def test_a_clear_text_client_is_told_apart(server):
    with server.raw() as raw:
        raw.sendall(b"USER anonymous\r\n")
        with contextlib.suppress(OSError):
            raw.recv(100)
    told = server.told()
    assert told["side"] == "ours" and "wrong version number" in told["text"]
