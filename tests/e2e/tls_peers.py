# tests/e2e/tls_peers.py: TLS in the servers that others run.
# SPDX-License-Identifier: Apache-2.0
"""A certificate of a test's own, and the settings that have Debian's servers
(unpacked, not installed) speak TLS with it.

    cert = make_certificate(work)
    setting = tls_conf("vsftpd", cert, work, reuse=True)

`setting.lines` go into the server's configuration file, before any
<Anonymous> of ProFTPD's (pyftpdlib: lines of Python, before the server is
made); `setting.words` to its command line; `setting.env` into its environment,
since vsftpd and pyftpdlib leave the versions to the TLS library.

What a server cannot be is a ValueError, and no server that is set up
otherwise.  Seen with Debian 12's, and what cannot be chosen:

                reuse   implicit   versions    CCC   session for the data
    vsftpd      both    yes        1.0 to 1.3  500   yes
    proftpd     both    yes        1.0 to 1.3  200   yes
    pure-ftpd   never   no         1.2 to 1.3  200   with TLS 1.2 only
    pyftpdlib   never   no         1.0 to 1.3  500   yes

Where reuse is required and missing, the handshake of the data connection
succeeds all the same; then comes close_notify without a byte, and 522
(vsftpd, whose control connection ends soon after) or 425 (ProFTPD).  All
four speak with who offers http/1.1 by ALPN or another host's name by SNI.

ProFTPD's mod_tls is in the package proftpd-mod-crypto, and modules are found
by `ModulePath`; pyftpdlib wants python3-openssl.
"""

import dataclasses
import pathlib
import subprocess

VERSIONS = ("1.0", "1.1", "1.2", "1.3")


@dataclasses.dataclass
class Certificate:
    cert: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path			# for who wants one file


@dataclasses.dataclass
class Setting:
    lines: str = ""
    words: tuple = ()
    env: dict = dataclasses.field(default_factory=dict)


def make_certificate(work, name="ftp.example.org"):
    """Signed by itself, for name, and good for two days."""
    work = pathlib.Path(work)
    made = Certificate(work / "cert.pem", work / "key.pem", work / "both.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name}", "-keyout", made.key, "-out",
         made.cert], check=True, capture_output=True)
    made.both.write_text(made.key.read_text() + made.cert.read_text())
    made.both.chmod(0o600)
    return made


def openssl_conf(work, least, most):
    """A configuration of the TLS library: what a server does not set for
    itself comes from here, old versions' ciphers included."""
    path = pathlib.Path(work) / f"openssl-{least}-{most}.cnf"
    path.write_text(
        "openssl_conf = all\n[all]\nssl_conf = ssl\n"
        "[ssl]\nsystem_default = tls\n[tls]\n"
        f"MinProtocol = TLSv{least}\nMaxProtocol = TLSv{most}\n"
        "CipherString = DEFAULT@SECLEVEL=0\n")
    return path


# Each takes the certificate, whether data connections must resume the session,
# whether TLS begins at once (port 990), and the range of versions.

def vsftpd(cert, reuse, implicit, versions):
    del versions			# in 3.0.3 there are no settings
    yes = {True: "YES", False: "NO"}
    return Setting(f"""\
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={cert.cert}
rsa_private_key_file={cert.key}
require_ssl_reuse={yes[reuse]}
implicit_ssl={yes[implicit]}
ssl_ciphers=DEFAULT:@SECLEVEL=0
""")


def proftpd(cert, reuse, implicit, versions):
    protocols = " ".join("TLSv" + version.removesuffix(".0")
                         for version in versions)
    options = [*([] if reuse else ["NoSessionReuseRequired"]),
               *(["UseImplicitSSL"] if implicit else [])]
    return Setting(f"""\
LoadModule mod_tls.c
TLSEngine on
TLSRSACertificateFile {cert.cert}
TLSRSACertificateKeyFile {cert.key}
TLSProtocol {protocols}
TLSCipherSuite DEFAULT:@SECLEVEL=0
""" + (f"TLSOptions {' '.join(options)}\n" if options else ""))


def pure_ftpd(cert, reuse, implicit, versions):
    if reuse or implicit or versions != ["1.2", "1.3"]:
        raise ValueError("Pure-FTPd has no setting for that")
    # "-Y 1": who wants TLS has it; the certificate and its key are one file
    return Setting(words=("-Y", "1", "-2", str(cert.both)))


def pyftpdlib(cert, reuse, implicit, versions):
    del versions
    if reuse or implicit:
        raise ValueError("pyftpdlib has no setting for that")
    return Setting(f"TLS_FTPHandler.certfile = {str(cert.both)!r}\n")


SERVERS = {"vsftpd": vsftpd, "proftpd": proftpd, "pure-ftpd": pure_ftpd,
           "pyftpdlib": pyftpdlib}


def tls_conf(server, cert, work, reuse=False, implicit=False, least="1.2",
             most="1.3"):
    versions = list(VERSIONS[VERSIONS.index(least):VERSIONS.index(most) + 1])
    setting = SERVERS[server](cert, reuse, implicit, versions)
    setting.env["OPENSSL_CONF"] = str(openssl_conf(work, least, most))
    return setting
