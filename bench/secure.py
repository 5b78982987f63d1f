"""bench/secure.py: FTPS, HTTPS and uploads: scenarios, servers, settings.

SPDX-License-Identifier: Apache-2.0

One certificate (EC P-256) and one cipher (AES-128-GCM) for all of them.
Uploads go to a disk: peers write and do not wait for it; Portcullis is
measured with its fsyncs, and without.
"""
from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Callable

import servers
from measure import Variant
from servers import Place, Server, installed, built, write

SCENARIOS = ("ftps", "ftps-session", "upload")
GIB = 1 << 30
PIECE = 4096
USER, PASSWORD = "bench", "bench-password"

PORTCULLIS_TLS = """\
tls.certificate = {cert}
"""

PORTCULLIS_UPLOAD = """\
accounts.file = {work}/accounts
accounts.root = {uploads}
accounts.tls = optional
upload.durable = {durable}
"""

VSFTPD_TLS = """\
ssl_enable=YES
allow_anon_ssl=YES
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file={cert}
rsa_private_key_file={cert}
"""

VSFTPD_UPLOAD = """\
write_enable=YES
anon_upload_enable=YES
anon_other_write_enable=YES
anon_umask=022
"""

PROFTPD_TLS = """\
ModulePath {modules}
LoadModule mod_tls.c
TLSEngine on
TLSLog none
TLSOptions NoSessionReuseRequired
TLSRenegotiate none
TLSECCertificateFile {cert}
TLSECCertificateKeyFile {cert}
"""

NGINX = """\
daemon off;
worker_processes auto;
user nobody nogroup;
pid {work}/nginx.pid;
error_log {work}/nginx.error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {work}/nginx-body;
    proxy_temp_path {work}/nginx-proxy;
    fastcgi_temp_path {work}/nginx-fastcgi;
    uwsgi_temp_path {work}/nginx-uwsgi;
    scgi_temp_path {work}/nginx-scgi;
    server {{
        listen 127.0.0.1:21 ssl;
        ssl_certificate {cert};
        ssl_certificate_key {cert};
        ssl_protocols TLSv1.2 TLSv1.3;
        root {archive};
    }}
}}
"""


# ---- what they need

def _cert(place: Place) -> Path:
    return place.work / "cert.pem"


def prepare(place: Place) -> None:
    """A certificate with its key, an account, and where uploads go."""
    place.uploads.mkdir()
    key, cert = place.work / "key.pem", place.work / "chain.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=bench", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True)
    _cert(place).touch(mode=0o600)
    _cert(place).write_text(key.read_text() + cert.read_text())
    subprocess.run(
        [str(place.build / "portcullis"), "passwd", "-f",
         str(place.work / "accounts"), "add", USER, "--stdin", "-d", ".",
         "-r", "lrwo", "-o", "tls=optional"], check=True,
        input=PASSWORD.encode())


# ---- servers

def _portcullis(more: str) -> Callable[[Place, Path], list[str]]:
    def command(place: Place, program: Path) -> list[str]:
        conf = write(place.work / "portcullis.conf", servers.PORTCULLIS_CONF
                     + more.format(cert=_cert(place), work=place.work,
                                   uploads=place.uploads))
        return [str(program), "--archive", str(place.archive), "--listen",
                "127.0.0.1:21", "--passive-ports", "20000-59999", "-c",
                str(conf)]
    return command


def _uploads(durable: str) -> Callable[[Place, Path], list[str]]:
    return _portcullis(PORTCULLIS_UPLOAD.replace("{durable}", durable))


def _vsftpd(more: str) -> Callable[[Place, Path], list[str]]:
    def command(place: Place, program: Path) -> list[str]:
        empty = place.work / "empty"
        empty.mkdir(exist_ok=True)
        text = servers.VSFTPD_CONF.format(archive=place.archive, empty=empty,
                                          one_process="NO")
        conf = write(place.work / "vsftpd-secure.conf",
                     text + more.format(cert=_cert(place)))
        return [str(program), str(conf)]
    return command


def _proftpd(more: str) -> Callable[[Place, Path], list[str]]:
    def command(place: Place, program: Path) -> list[str]:
        plain = place.work / "proftpd-modules"
        if not plain.is_symlink():
            plain.symlink_to(place.peers / "usr/lib/proftpd")
        text = servers.PROFTPD_CONF.format(work=place.work,
                                           archive=place.archive)
        conf = write(place.work / "proftpd-secure.conf", more.format(
            cert=_cert(place), modules=plain) + text)
        return [str(program), "-n", "-q", "-c", str(conf)]
    return command


def _pure_ftpd(tls: bool) -> Callable[[Place, Path], list[str]]:
    def command(place: Place, program: Path) -> list[str]:
        more = ["-Y", "1", "-2", str(_cert(place))] if tls else []
        return [str(program), "-4", "-e", "-H", "-S", "127.0.0.1,21", "-c",
                "20000", "-f", "none", "-I", "60", *more,
                "-g", str(place.work / "pure-ftpd.pid")]
    return command


def _nginx(place: Place, program: Path) -> list[str]:
    conf = write(place.work / "nginx.conf", NGINX.format(
        cert=_cert(place), work=place.work, archive=place.archive))
    return [str(program), "-e", str(place.work / "nginx.error"), "-c",
            str(conf)]


def _of_group(group: str, *which: Server) -> list[Server]:
    for server in which:
        server.group = group
    return list(which)


def _with_tls() -> list[Server]:
    return _of_group(
        "tls",
        Server("portcullis", "portcullis", built("portcullisd"),
               _portcullis(PORTCULLIS_TLS), says_ready=True, ftp_user=False),
        Server("vsftpd", "peer", installed("vsftpd"), _vsftpd(VSFTPD_TLS)),
        Server("proftpd", "peer", installed("proftpd"),
               _proftpd(PROFTPD_TLS)),
        Server("pure-ftpd", "peer", installed("pure-ftpd"),
               _pure_ftpd(tls=True)),
        Server("nginx", "peer", installed("nginx"), _nginx, ftp_user=False,
               https=True))


def _with_uploads() -> list[Server]:
    own = ("-u", USER, "-w", PASSWORD, "-f", "f")
    proftpd = _proftpd("<Limit WRITE>\n  AllowAll\n</Limit>\n"
                       "AllowOverwrite on\n")
    return _of_group(
        "upload",
        Server("portcullis", "portcullis", built("portcullisd"),
               _uploads("on"), says_ready=True, ftp_user=False, client=own),
        Server("portcullis-nosync", "portcullis", built("portcullisd"),
               _uploads("off"), says_ready=True, ftp_user=False, client=own),
        Server("vsftpd", "peer", installed("vsftpd"),
               _vsftpd(VSFTPD_UPLOAD)),
        Server("proftpd", "peer", installed("proftpd"), proftpd),
        Server("pure-ftpd", "peer", installed("pure-ftpd"),
               _pure_ftpd(tls=False)))


def servers_of_all() -> list[Server]:
    return _with_tls() + _with_uploads()


# ---- scenarios

def _get(version: str, sessions: int, seconds: int, size: int) -> Variant:
    words = ["-T", "-r", "-t", str(seconds), "-f", "/big", "-s", str(size)]
    if version == "1.2":
        words.append("-2")
    noun = "session" if sessions == 1 else "sessions"
    return Variant("ftps", f"FTPS (nginx: HTTPS), TLS {version}, one file, "
                   f"{sessions} {noun}", "get", words, "GiB", sessions,
                   seconds + 10, group="tls", program="tlsload")


def _session(resume: bool, seconds: int, size: int) -> Variant:
    words = ["-T", "-t", str(seconds), "-f", "/small", "-s", str(size)]
    how = "resumed" if resume else "not resumed"
    return Variant("ftps-session", f"FTPS session with 1 KiB, data {how}, 4 "
                   "at a time", "session", words + ["-r"] * resume, "1000",
                   4, seconds, group="tls", program="tlsload",
                   ftp_only=True)


def _put(title: str, sessions: int, count: int, size: int, unit: str
         ) -> Variant:
    words = ["-c", str(count), "-s", str(size), "-f", "/uploads/f"]
    noun = "session" if sessions == 1 else "sessions"
    return Variant("upload", f"upload of {title}, {sessions} {noun}", "put",
                   words, unit, sessions, 120, group="upload",
                   program="tlsload", writes=count * size + (64 << 20))


def variants(quick: bool, big: int, small: int) -> list[Variant]:
    seconds = 1 if quick else 4
    files = 1000 if quick else 10000
    every = [_get(version, n, seconds, big) for version in ("1.3", "1.2")
             for n in (1, 4)]
    every += [_session(resume, seconds, small) for resume in (True, False)]
    every += [_put("1 GiB", 1, 1, GIB, "GiB")]
    every += [_put(f"{files} files of 4 KiB", n, files, PIECE, "1000")
              for n in (1, 16)]
    return every


def cipher_speed() -> str:
    """What the cipher costs by itself, as OpenSSL says of this machine."""
    done = subprocess.run(
        ["openssl", "speed", "-elapsed", "-seconds", "1", "-bytes", "16384",
         "-evp", "aes-128-gcm"], capture_output=True, text=True)
    found = re.search(r"^AES-128-GCM +([\d.]+)k", done.stdout, re.M)
    if not found:
        return "openssl speed did not say what AES-128-GCM costs."
    rate = float(found[1]) * 1000
    return (f"`openssl speed -evp aes-128-gcm`, blocks of 16 KiB: "
            f"{rate / 1e9:.2f} GB/s, or {GIB / rate:.3f} s/GiB, in the same "
            f"run.")
