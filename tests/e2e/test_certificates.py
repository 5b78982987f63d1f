# tests/e2e/test_certificates.py: clients' certificates as a login.
# SPDX-License-Identifier: Apache-2.0

import concurrent.futures
import contextlib
import datetime
import hashlib
import pathlib
import shutil
import ssl
import subprocess
import tempfile

import pytest

from conftest import BUILD, ENVIRONMENT, IS_ROOT, make_archive, open_to_others
from test_accounts import PASSWORD, add_account
from test_ftps import (BOTH, Secure, context_of, start as start_server,
                       tls_events)
from test_processes import portcullisd, reload, soon
from test_tls import NAME, OTHER, Pki, openssl

BAD = {"foreign": "self-signed certificate",
       "expired": "certificate has expired",
       "revoked": "certificate revoked",
       "server": "unsuitable certificate purpose"}


# ---- an authority, and certificates that it should not have signed

def der_length(data, at):
    """(where the content is, where it ends) of what is at `at`."""
    n = data[at + 1]
    if n < 128:
        return at + 2, at + 2 + n
    size = n & 127
    begin = at + 2 + size
    return begin, begin + int.from_bytes(data[at + 2:begin], "big")


def der(tag, body):
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8 or 1, "big")
    head = bytes([len(body)]) if len(body) < 128 else \
        bytes([128 | len(size)]) + size
    return bytes([tag]) + head + body


def sign_another(pki, pem, old, new):
    """The certificate with other bytes in it, signed by the authority."""
    data = ssl.PEM_cert_to_DER_cert(pem)
    begin, _ = der_length(data, 0)
    _, tbs_end = der_length(data, begin)
    _, algorithm_end = der_length(data, tbs_end)
    tbs = data[begin:tbs_end]
    assert tbs.count(old) == 1 and len(old) == len(new)
    tbs = tbs.replace(old, new)
    signature = openssl("dgst", "-sha256", "-sign", "ca.key", cwd=pki.home,
                        input=tbs).stdout
    return ssl.DER_cert_to_PEM_cert(der(
        0x30, tbs + data[tbs_end:algorithm_end] + der(3, b"\0" + signature)))


class Authority(Pki):
    def client(self, name, subject, *days, use="clientAuth"):
        """name.pem: the certificate and its key, which all of them share."""
        (self.home / "ext").write_text(f"extendedKeyUsage={use}\n")
        csr = openssl("req", "-new", "-key", "ec.key", "-subj", subject,
                      cwd=self.home).stdout
        leaf = openssl("x509", "-req", "-CA", "ca.crt", "-CAkey", "ca.key",
                       *(days or ("-days", "9")), "-extfile", "ext",
                       "-set_serial", str(len(name) * 1000 + sum(name.encode())),
                       cwd=self.home, input=csr).stdout.decode()
        self.keep(name, leaf)

    def keep(self, name, leaf):
        (self.home / f"{name}.leaf").write_text(leaf)
        path = self.home / f"{name}.pem"
        path.write_text(leaf + (self.home / "ec.key").read_text())
        path.chmod(0o644)	# lftp's own user may read it, too

    def print_of(self, name):
        der_bytes = ssl.PEM_cert_to_DER_cert(
            (self.home / f"{name}.leaf").read_text())
        return hashlib.sha256(der_bytes).hexdigest()

    def list(self, out, *options):
        openssl("ca", "-gencrl", "-config", "ca.conf", "-cert", "ca.crt",
                "-keyfile", "ca.key", "-out", out, *options, cwd=self.home)


@pytest.fixture(scope="module")
def place():
    path = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def pki(place):
    home = place / "pki"
    home.mkdir(mode=0o755)
    made = Authority(home)
    made.certificate("rsa", OTHER)
    (home / "both.pem").write_text((home / "ec.key").read_text() +
                                   (home / "ec.crt").read_text())
    (home / "both.pem").chmod(0o600)
    for name in ("alice", "bob", "revoked"):
        made.client(name, f"/CN={name}")
    made.client("expired", "/CN=alice", "-days", "-1")
    made.client("server", "/CN=alice", use="serverAuth")
    made.client("twice", "/CN=alice/CN=mallory")
    made.client("last", "/CN=mallory/CN=alice")
    made.client("plain", "/CN=aliceX.example")
    made.keep("nul", sign_another(made, (home / "plain.leaf").read_text(),
                                  b"aliceX", b"alice\0"))
    foreign = openssl("req", "-x509", "-key", "ec.key", "-days", "3", "-subj",
                      "/CN=alice", cwd=home).stdout.decode()
    made.keep("foreign", foreign)
    made.index("revoked", revoked=True)
    (home / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\n")
    made.list("crl", "-crldays", "10")
    made.list("crl.old", "-crl_lastupdate", "20200101000000Z",
              "-crl_nextupdate", "20200201000000Z")
    openssl("req", "-x509", "-key", "ec.key", "-days", "3", "-subj", "/CN=B",
            "-out", "b.crt", cwd=home)
    openssl("ca", "-gencrl", "-config", "ca.conf", "-cert", "b.crt",
            "-keyfile", "ec.key", "-crldays", "10", "-out", "crl.b", cwd=home)
    return made


@pytest.fixture(scope="module")
def archive(place):
    root = place / "archive"
    root.mkdir()
    make_archive(root)
    open_to_others(root)
    return root


@pytest.fixture(scope="module")
def conf(place, pki):
    file, root = place / "accounts", place / "homes"
    root.mkdir()
    for name, *args in (
            ("factors", "-o", f"certificate=cn+{pki.print_of('alice')}"),
            ("word",)):
        add_account(file, name, "-d", "alice", "-r", "lrw", *args)
    for name, cert in (("alice", "cn"), ("pinned", pki.print_of("bob"))):
        subprocess.run([BUILD / "portcullis", "passwd", "-f", file, "add",
                        name, "--no-password", "-d", "alice", "-o",
                        f"certificate={cert}"], check=True, env=ENVIRONMENT)
    (root / "alice").mkdir()
    (root / "alice" / "mine").write_bytes(b"alice has this\n" * 9000)
    if IS_ROOT:
        for path in [root, *root.rglob("*")]:
            shutil.chown(path, "portcullis-worker", "portcullis-worker")
    return {"accounts.file": file, "accounts.root": root,
            "accounts.certificate_only": "yes",
            "tls.client_ca": pki["ca.crt"], "tls.client_crl": pki["crl"]}


@pytest.fixture(scope="module")
def server(place, archive, pki, conf):
    made = start_server(place, archive, pki, **{
        **conf, "site": f"{OTHER} {archive}",
        "tls.certificate": f"{pki['both.pem']}\ntls.certificate = "
        f"{pki['rsa.crt']} key={pki['rsa.key']} site={OTHER}"})
    yield made
    assert made.stop() == 0, made.stderr


# ---- clients

def client(server, pki, cert, version=None, name=NAME):
    context = context_of(version)
    if cert:
        context.load_cert_chain(pki[f"{cert}.pem"])
    return Secure(server, context=context, name=name)


def answer(server, pki, cert, user, password=None, version=None):
    """The codes of USER and, where one is asked for, of PASS."""
    with client(server, pki, cert, version) as c:
        first = c.cmd(f"USER {user}").code
        if first == 331 and password:
            return first, c.cmd(f"PASS {password}").code
        return first


def failures(server):
    return [e["ftp"]["tls"] for e in server.events("ftp")
            if e["ftp"]["action"] == "tls_failed"]


def logins(server, **fields):
    return [e["ftp"] for e in server.events("ftp")
            if e["ftp"]["action"].startswith("login") and
            all(e["ftp"].get(k) == v for k, v in fields.items())]


@BOTH
@pytest.mark.parametrize("cert,user", [("alice", "alice"),
                                       ("bob", "pinned")])
def test_a_certificate_is_a_login(server, pki, version, cert, user):
    with client(server, pki, cert, version) as c:
        assert c.cmd(f"USER {user}").code == 232
        assert c.cmd("PASS x").code == 202	# sent unasked by many
        assert c.cmd("PBSZ 0").code == c.cmd("PROT P").code == 200
        assert c.fetch("RETR mine", "ours") == b"alice has this\n" * 9000
        assert c.cmd("USER word").code == 530
    soon(lambda: logins(server, user=user))
    login = logins(server, user=user)[-1]
    assert (login["action"], login["command"], login["method"],
            login["completion_code"]) == ("login", "USER", "certificate",
                                          ["232"])
    assert tls_events(server, "tls", client_sha256=pki.print_of(cert),
                      client_subject=f"CN={cert}")
    moved = [e["ftp_data"] for e in server.events("ftp_data")]
    assert moved[-1]["tls_resumed"]


def test_each_site_has_the_same_authorities(server, pki):
    with client(server, pki, "alice", name=OTHER) as c:
        assert c.cmd("USER alice").code == 232
    for cert in ("foreign", "revoked"):
        with pytest.raises((OSError, EOFError)), \
                client(server, pki, cert, name=OTHER) as c:
            c.cmd("NOOP")


@BOTH
def test_a_data_connection_is_not_asked_again(server, pki, version):
    """Also one that resumes nothing; another certificate is not looked at."""
    with client(server, pki, "alice", version) as c:
        assert c.cmd("USER alice").code == 232
        c.cmd("PBSZ 0"), c.cmd("PROT P")
        c.context = context_of(version)
        c.context.load_cert_chain(pki["foreign.pem"])
        assert c.fetch("RETR mine", None) == b"alice has this\n" * 9000


@BOTH
@pytest.mark.parametrize("cert", BAD)
def test_c11_a_bad_certificate_is_no_handshake(server, pki, version, cert):
    """It is said whose doing that is, and why."""
    before = len(failures(server))
    with contextlib.suppress(OSError, EOFError):
        answer(server, pki, cert, "alice", version=version)
        pytest.fail("it was let in")
    soon(lambda: len(failures(server)) > before)
    last = failures(server)[-1]
    assert (last["side"], last["on"]) == ("server", "control")
    assert last["alert"] in (42, 43, 44, 45, 48)
    assert last["reason"] == \
        f"the client's certificate was refused: {BAD[cert]}"


@pytest.mark.parametrize("cert", ["bob", "nul", "twice", "last", "plain",
                                  None])
def test_c11_a_good_certificate_of_somebody_else_is_none(server, pki, cert):
    """A name with a NUL in it, or one of two, is nobody's."""
    assert answer(server, pki, cert, "alice") == 331
    assert answer(server, pki, cert, "nobody") == 331


def test_c11_both_are_both(server, pki):
    """In the account file one asks for both, and one for no password."""
    rows = [("alice", "factors", PASSWORD, (331, 230)),
            ("bob", "factors", PASSWORD, (331, 530)),
            (None, "factors", PASSWORD, (331, 530)),
            ("alice", "factors", "wrong", (331, 530)),
            (None, "alice", PASSWORD, (331, 530)),
            ("alice", "word", PASSWORD, (331, 230)),
            (None, "word", PASSWORD, (331, 230))]
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        got = list(pool.map(lambda r: answer(server, pki, *r[:3]), rows))
    assert got == [row[3] for row in rows]
    assert {e["method"] for e in logins(server, user="factors")} == {"both"}
    assert {e["method"] for e in logins(server, user="word")} == {"password"}


def test_who_has_none_is_a_visitor(server, pki):
    with client(server, pki, None) as c:
        c.login()
    with client(server, pki, "alice") as c:
        c.login()


# ---- what people have

def test_real_clients_log_in_by_certificate(server, pki, tmp_path):
    where, want = f"127.0.0.1:{server.port}", b"alice has this\n" * 9000
    cert = pki["alice.pem"]
    url = f"ftp://alice:@{where}/mine"
    commands = {
        "curl": ["curl", "-sSk", "--ssl-reqd", "--cert", cert, url,
                 "--max-time", "20", "-o", "got"],
        "curl 1.2": ["curl", "-sSk", "--ssl-reqd", "--tls-max", "1.2",
                     "--cert", cert, url, "--max-time", "20", "-o", "got"],
        "lftp": ["lftp", "-c", "set ssl:verify-certificate no; "
                 "set ftp:ssl-force yes; set ftp:ssl-protect-data yes; "
                 "set net:max-retries 1; set net:timeout 8; "
                 f"set ssl:cert-file {pki['alice.leaf']}; "
                 f"set ssl:key-file {pki['ec.key']}; "
                 f"open -u alice, {where.replace(':', ' -p ')}; "
                 "get mine -o got"]}
    for name, command in commands.items():
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run(command, cwd=tmp_path, capture_output=True,
                              text=True, timeout=30)
        assert done.returncode == 0, (name, done.stdout + done.stderr)
        assert (tmp_path / "got").read_bytes() == want
        (tmp_path / "got").unlink()
    done = subprocess.run(
        ["openssl", "s_client", "-starttls", "ftp", "-quiet", "-connect",
         where, "-cert", cert, "-key", pki["ec.key"]], text=True,
        input="USER alice\r\nQUIT\r\n", capture_output=True, timeout=20)
    assert "\n232 " in "\n" + done.stdout, done.stdout + done.stderr


# ---- lists, and what a reload changes

def test_c11_without_a_list_in_force_nobody_comes(place, archive, pki, conf):
    server = start_server(place, archive, pki, **{
        **conf, "tls.client_crl": pki["crl.old"]})

    def is_refused(reason):
        with contextlib.suppress(OSError, EOFError):
            return answer(server, pki, "alice", "alice") and False
        soon(lambda: failures(server))
        return reason in failures(server)[-1]["reason"]

    assert is_refused("CRL has expired")
    assert answer(server, pki, None, "ftp") == 331
    for i, (key, name, words) in enumerate((
            ("tls.client_crl", "missing", "cannot open"),
            ("tls.client_crl", "ca.crt", "no list of revoked"),
            ("tls.client_ca", "crl", "no certificate that can be read"))):
        reload(server, {"tls.client_ca": pki["ca.crt"], key: pki[name]})
        server.wait_for("reload failed", i + 1)
        assert f"{key}: " in server.stderr and words in server.stderr
        server.settings[key] = conf[key]
    assert is_refused("CRL has expired")
    reload(server, {"tls.client_crl": pki["crl.b"]})
    server.wait_for("reloaded", 1)
    soon(lambda: is_refused("unable to get certificate CRL"))
    reload(server, {"tls.client_crl": pki["crl"]})
    server.wait_for("reloaded", 2)
    soon(lambda: answered(server, pki, "alice") == 232)
    reload(server, {"tls.client_crl": pki["crl"],
                    "accounts.certificate_only": "fingerprint"})
    server.wait_for("reloaded", 3)
    soon(lambda: answered(server, pki, "alice") == 331)
    assert answer(server, pki, "bob", "pinned") == 232
    server.wait_for("accounts.certificate_only does not allow it")
    assert server.stop() == 0, server.stderr


def answered(server, pki, user):
    """A process of before the reload may still take the next session."""
    with contextlib.suppress(OSError, EOFError):
        return answer(server, pki, "alice", user)


def test_check_tells_what_is_wrong_with_authorities(place, archive, pki):
    (place / "broken").write_text(
        "Words of theirs\n" + (pki.home / "ca.crt").read_text() * 2 +
        "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    lines = (pki.home / "ca.crt").read_text().count("\n")
    (place / "empty").write_text("")
    (archive / "ca.crt").write_text((pki.home / "ca.crt").read_text())
    ca = f"tls.client_ca = {pki['ca.crt']}\n"
    rows = [
        (ca + f"tls.client_crl = {pki['crl.old']}", ""),
        (f"tls.client_ca = {place}/broken", f"tls.client_ca: {place}/broken:"
         f"{2 + 2 * lines}: no certificate that can be read"),
        (f"tls.client_ca = {place}/empty", f"tls.client_ca: {place}/empty: "),
        (f"tls.client_ca = {archive}/ca.crt", "is in the archive"),
        (f"tls.client_ca = {place}/none", "cannot open"),
        (ca + f"tls.client_crl = {place}/empty",
         f"tls.client_crl: {place}/empty: no list"),
        (f"tls.client_crl = {pki['crl']}", "tls.client_crl: there is no "
         "tls.client_ca"),
        ("accounts.certificate_only = yes", "accounts.certificate_only: "
         "there is no tls.client_ca"),
        (ca + "tls.control = off", "tls.client_ca: there is no TLS")]
    for text, words in rows:
        file = place / "check.conf"
        file.write_text(f"archive = {archive}\ntls.certificate = "
                        f"{pki['both.pem']}\n{text}\n")
        done = portcullisd("-c", file, "--check")
        assert done.returncode == (2 if words else 0), (text, done.stderr)
        assert words in done.stderr, (text, done.stderr)
    (archive / "ca.crt").unlink()


# ---- what ends soon, and what is stapled

def dates(name, pki):
    out = openssl("x509", "-noout", "-enddate", "-in", f"{name}.leaf",
                  cwd=pki.home).stdout.decode()
    end = datetime.datetime.strptime(out.strip().split("=")[1],
                                     "%b %d %H:%M:%S %Y %Z")
    return end.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_ends_soon_is_said(place, archive, pki, conf):
    """At the start, on a reload and by --check."""
    pki.certificate("soon", NAME, key="ec", days=("-days", "6"))
    cert = f"{pki['soon.crt']} key={pki['ec.key']}"
    # A list that is over for long, an authority with thirty days.
    server = start_server(place, archive, pki, **{
        **conf, "tls.certificate": cert, "tls.client_crl": pki["crl.old"]})
    lines = [f"tls.certificate: {pki['soon.crt']}: is valid until "
             f"{dates('soon', pki)}, ",
             f"tls.client_crl: {pki['crl.old']}: was valid until "
             "2020-02-01T00:00:00Z"]
    for line in lines:
        assert server.stderr.count(line) == 1
    assert server.stderr.count("valid until") == 2
    done = portcullisd("-c", server.conf_file, "--check")
    assert done.returncode == 0
    said = done.stderr.splitlines()
    assert len(said) == 2 and all(
        line.startswith("portcullisd: " + want)
        for line, want in zip(said, lines))
    reload(server, {"tls.certificate": cert, "tls.warn": 31,
                    "tls.client_crl": pki["crl"]})
    server.wait_for("reloaded")
    assert server.stderr.count(lines[0]) == 2
    assert f"tls.client_ca: {pki['ca.crt']}: is valid until" in server.stderr
    assert f"{pki['crl']}: is valid until" not in server.stderr
    before = server.stderr.count("valid until")
    reload(server, {"tls.certificate": cert, "tls.warn": 0})
    server.wait_for("reloaded", 2)
    assert server.stderr.count("valid until") == before
    assert server.stop() == 0, server.stderr


def test_a_staple_is_seen_by_who_asks(place, archive, pki):
    pki.index("ec")
    openssl("ocsp", "-index", "index", "-rsigner", "ca.crt", "-rkey",
            "ca.key", "-CA", "ca.crt", "-issuer", "ca.crt", "-cert",
            "ec.leaf", "-respout", "staple", "-ndays", "2", cwd=pki.home)
    server = start_server(place, archive, pki, **{
        "tls.certificate": f"{pki['both.pem']} ocsp={pki['staple']}"})

    def seen():
        return subprocess.run(
            ["openssl", "s_client", "-starttls", "ftp", "-status",
             "-CAfile", pki["ca.crt"], "-connect",
             f"127.0.0.1:{server.port}"], input="QUIT\r\n", text=True,
            capture_output=True, timeout=20).stdout

    out = seen()
    assert "OCSP Response Status: successful" in out
    assert "Cert Status: good" in out
    assert "Verify return code: 0 (ok)" in out
    reload(server, {"tls.certificate": pki["both.pem"]})
    server.wait_for("reloaded")
    soon(lambda: "OCSP response: no response sent" in seen())
    assert server.stop() == 0, server.stderr
