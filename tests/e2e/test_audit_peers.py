# tests/e2e/test_audit_peers.py: the auditor meets the servers that others run.
# SPDX-License-Identifier: Apache-2.0
"""`portcullis audit` against the real vsftpd, ProFTPD, Pure-FTPd, pyftpdlib,
inetutils-ftpd of Debian and against portcullisd: for each of them every line
of the report is compared, the ones without a finding too.  What is expected
was seen without the auditor: test_peers.py asks it by hand.
"""

import concurrent.futures
import contextlib
import json
import pathlib
import shutil
import tempfile

import pytest

import peers
from conftest import BUILD, needs_root
from peers import Absent

pytestmark = needs_root

# What is not asked, of whom.
NOT_ASKED = {"listener_lifetime": "not_asked"}		# no --patience
NO_TLS = {line: "not_asked" for line in (
    "tls_bounce", "tls_theft", "tls_data_reuse", "tls_ccc", "tls_versions",
    "tls_alpn", "tls_sni", "starttls_injection")}

# What none of them does: end a session of refused addresses, or keep an
# unknown user's password off the wire.
COMMON = {"clear_password": "vulnerable", "throttling": "vulnerable"}
# Once a server bounces, there is nothing left to refuse.
BOUNCES = {"stale_refused": "inconclusive", "throttling": "not_asked",
           "loopback": "accepts", "self": "accepts", "oracle": "vulnerable"}
NO_TRACE = {"log_trace": "vulnerable"}

VSFTPD = COMMON | NO_TRACE | {
    "epsv_all_active": "vulnerable",
    "theft_kills": "vulnerable",
}
PROFTPD = COMMON | {
    "eprt_mapped_own": "accepts",	# and then has no address family
    "wrap_port": "vulnerable",
    "stale_refused": "vulnerable",
    "stale_rein": "vulnerable",
    "theft": "vulnerable",
    "theft_race": "vulnerable",
}
PURE_FTPD = COMMON | NO_TRACE | {
    "epsv_protocol": "vulnerable",
    "address_leak": "accepts",		# "(only to ...)": whom it sees
    "stale_rein": "vulnerable",
    "epsv_all_pasv": "vulnerable",
    "listing_cut": "vulnerable",
}
PYFTPDLIB = COMMON | {
    # It connects at PORT, so what it connects to is not its own to name.
    "loopback": "not_asked",
    "self": "not_asked",
    "stale_refused": "vulnerable",
    "no_endpoint": "vulnerable",
    "dial_early": "vulnerable",
    "long_line": "vulnerable",		# when its end comes by itself
}
INETUTILS = COMMON | {
    "wrap_octet": "accepts",		# of the client's own address
    "wrap_port": "vulnerable",
    "theft": "vulnerable",
    "theft_race": "vulnerable",
    "listeners": "vulnerable",
    "long_line": "vulnerable",
    "log_trace": "not_asked",		# syslog alone, and none is there
}

# It agrees to all, and cannot bind port 20 to connect from: whatever port is
# named, the failure is the same.
PROMISCUOUS = VSFTPD | BOUNCES | dict.fromkeys((
    "bounce", "bounce_private", "payload", "low_port_other", "low_port_own",
    "eprt_v4", "eprt_v6", "eprt_mapped", "eprt_mapped_own", "spelling",
    "pipelining", "telnet", "bare_lf"), "accepts") | {
    "oracle": "safe", "leading_zeros": "inconclusive"}
VSFTPD_FXP = VSFTPD | BOUNCES | dict.fromkeys((
    "bounce", "bounce_private", "payload", "eprt_v4", "eprt_mapped",
    "spelling", "pipelining", "telnet", "bare_lf", "theft", "theft_race"),
    "vulnerable") | {
    "low_port_other": "accepts", "low_port_own": "accepts",
    "eprt_v6": "accepts", "theft_kills": "safe"}
PURE_FTPD_FXP = PURE_FTPD | {"address_leak": "safe"} | BOUNCES | dict.fromkeys((
    "bounce", "bounce_private", "payload", "eprt_v4", "eprt_v6",
    "eprt_delimiter", "spelling", "pipelining", "bare_lf", "theft",
    "theft_race"), "vulnerable")
# Neither active nor passive mode works behind it, so little can be told.
HAPROXY = COMMON | NO_TRACE | dict.fromkeys((
    "stale_refused", "stale_rein", "stale_passive", "theft", "theft_kills",
    "theft_race", "theft_same_address", "listeners", "listing_cut", "write",
    "overwrite"), "inconclusive") | {
    "balancer": "vulnerable", "self": "accepts",
    "passive_address": "vulnerable"}
# Nobody looks at ALPN and SNI.
ANY_NAME = {"tls_alpn": "vulnerable", "tls_sni": "accepts"}

# Each server's lines that are not "safe".
EXPECTED = {
    "portcullisd": NO_TLS,
    "vsftpd": NO_TLS | VSFTPD,
    "proftpd": NO_TLS | PROFTPD,
    "pure-ftpd": NO_TLS | PURE_FTPD,
    "pyftpdlib": NO_TLS | PYFTPDLIB,
    "inetutils-ftpd": NO_TLS | INETUTILS,
    "vsftpd-promiscuous": NO_TLS | PROMISCUOUS,
    "vsftpd-fxp": NO_TLS | VSFTPD_FXP,
    "pure-ftpd-fxp": NO_TLS | PURE_FTPD_FXP,
    "vsftpd-haproxy": NO_TLS | HAPROXY,
    # Once it has TLS, vsftpd asks named users for it.
    "vsftpd-tls": VSFTPD | ANY_NAME | {"clear_password": "safe"},
    "proftpd-tls": PROFTPD | ANY_NAME | {
        "tls_theft": "vulnerable", "tls_ccc": "vulnerable"},
    "pure-ftpd-tls": PURE_FTPD | ANY_NAME | {
        "tls_data_reuse": "vulnerable", "tls_ccc": "vulnerable"},
    "pure-ftpd-only-tls": PURE_FTPD | ANY_NAME | {
        "clear_password": "safe", "tls_data_reuse": "vulnerable",
        "tls_ccc": "vulnerable"},
    "pyftpdlib-tls": PYFTPDLIB | ANY_NAME | {
        "tls_data_reuse": "vulnerable", "starttls_injection": "vulnerable"},
}

# Words that the evidence must hold: that the reason is the right one.
WORDS = {
    ("vsftpd", "epsv_all_active"): ["EPRT", "200"],
    ("vsftpd", "theft_kills"): ["425 Security: Bad IP connecting"],
    ("vsftpd-fxp", "bounce"): [peers.S, peers.B],
    ("vsftpd-fxp", "bounce_private"): [peers.PRIVATE],
    ("vsftpd-haproxy", "balancer"): ["200"],
    ("vsftpd-haproxy", "passive_address"): ["127,0,0,1"],
    ("proftpd", "theft"): ["bytes"],
    # A private address is agreed to, and the client's is used.
    ("proftpd", "bounce_private"): ["200", "not used", peers.A],
    # The check comes after the cut to 16 bits, here.
    ("proftpd", "wrap_low_port"): ["500"],
    ("proftpd", "wrap_port"): ["200", "port"],
    ("pure-ftpd", "listing_cut"): ["10000", "226"],
    ("pure-ftpd", "epsv_protocol"): ["229"],
    ("pure-ftpd", "address_leak"): [f"only to {peers.A}"],
    ("pure-ftpd", "epsv_all_pasv"): ["227"],
    ("pure-ftpd-fxp", "bounce"): [peers.S, peers.B],
    ("pure-ftpd-fxp", "eprt_v6"): [peers.V6_B],
    ("pyftpdlib", "dial_early"): ["PORT"],
    ("pyftpdlib", "no_endpoint"): ["150"],
    ("pyftpdlib", "long_line"): ["run as SYST: 215"],
    ("pyftpdlib-tls", "starttls_injection"): ["215"],
    ("inetutils-ftpd", "listeners"): ["5"],
}

# A stranger of the owner's own address gets the file, everywhere.
WORDS |= {(name, "theft_same_address"): ["got the data"] for name in (
    "portcullisd", "vsftpd", "proftpd", "pure-ftpd", "pyftpdlib",
    "inetutils-ftpd")}
# Leading zeros are decimal to all of them.
WORDS |= {(name, "leading_zeros"): ["decimal"] for name in (
    "portcullisd", "vsftpd", "proftpd", "pure-ftpd", "pyftpdlib")}

# Who the auditor takes it for: kind, and a version where the server tells one.
KINDS = {
    "vsftpd": ("vsftpd", "3.0.3"),
    "proftpd": ("proftpd", None),
    "pure-ftpd": ("pureftpd", None),
    "pyftpdlib": ("pyftpdlib", "1.5.7"),
    "inetutils-ftpd": ("inetutils", "2.4"),
    "portcullisd": ("portcullis", None),
}


def audit(name, archive, work):
    """One server, started, audited from within its host, and ended."""
    work.mkdir()
    with peers.peer(name, archive, work) as peer:
        log = ["--log", peer.log] if peer.log else []
        done = peer.run(
            BUILD / "portcullis", "audit", "--json", "--write",
            "--directory", "/many", "--rate", 1000, "--timeout", 4, *log,
            peer.address[0], timeout=300)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"no report of {name}: status "
                             f"{done.returncode}: {done.stderr}") from None
    report["status"] = done.returncode
    return report


def names(archive):
    return sorted(path.name for path in archive.rglob("*"))


@pytest.fixture(scope="module")
def reports():
    """All of them, asked a few at a time: each audit mostly waits."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="portcullis-test-"))
    place.chmod(0o755)
    (place / "archive").mkdir()
    archive = peers.make_peer_archive(place / "archive")
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            yield {"archive": archive, "names": names(archive),
                   **{name: pool.submit(audit, name, archive, place / name)
                      for name in EXPECTED}}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def report_of(reports, name):
    try:
        return reports[name].result(600)
    except Absent as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_server_is_recognised_line_by_line(reports, name):
    report = report_of(reports, name)
    assert "error" not in report, report["error"]
    lines = {q["id"]: q for q in report["questions"]}
    assert len(lines) == len(report["questions"]) > 50
    expected = dict.fromkeys(lines, "safe") | NOT_ASKED | EXPECTED[name]
    wrong = [f"{line}: {q['verdict']}, not {expected[line]}: {q['evidence']}"
             for line, q in lines.items() if q["verdict"] != expected[line]]
    assert not wrong, "\n" + "\n".join(wrong)
    assert expected.keys() == lines.keys()


@pytest.mark.parametrize("name,line", WORDS, ids="-".join)
def test_the_evidence_is_what_was_seen(reports, name, line):
    report = report_of(reports, name)
    evidence = {q["id"]: q["evidence"] for q in report["questions"]}[line]
    assert not [w for w in WORDS[name, line] if w not in evidence], evidence


def test_the_answer_to_scripts_follows_from_the_lines(reports):
    """Of who bounces "vulnerable", F; portcullisd is clean."""
    assert report_of(reports, "portcullisd")["verdict"] == "safe"
    assert report_of(reports, "portcullisd")["status"] == 0
    for name, grade in (("vsftpd-fxp", "F"), ("pure-ftpd-fxp", "F"),
                        ("vsftpd-promiscuous", "D")):
        report = report_of(reports, name)
        assert report["verdict"] == "vulnerable" and report["status"] == 1
        assert report["grade"][0] == grade, name


@pytest.mark.parametrize("name", KINDS)
def test_a_server_is_called_by_its_name(reports, name):
    server = report_of(reports, name)["server"]
    assert (server["kind"], server.get("version")) == KINDS[name]


def test_it_left_nothing_in_the_archive(reports):
    """Asked to write, it was let nowhere; nor was anything removed."""
    for name in EXPECTED:
        with contextlib.suppress(pytest.skip.Exception, AssertionError):
            report_of(reports, name)
    assert names(reports["archive"]) == reports["names"]


MARKS = {"safe": ".", "vulnerable": "V", "accepts": "a", "inconclusive": "?",
         "not_asked": "-"}


def test_the_recognition_table(reports, capsys):
    """Printed for people; and no server may look like another."""
    found = {}
    for name in EXPECTED:
        with contextlib.suppress(pytest.skip.Exception, AssertionError):
            found[name] = {q["id"]: MARKS[q["verdict"]] for q in
                           report_of(reports, name)["questions"]}
    if not found:
        pytest.skip("no server is here")
    lines = list(next(iter(found.values())))
    width = max(map(len, lines))
    with capsys.disabled():
        print("\nV vulnerable  a accepts  . safe  ? inconclusive  - not asked")
        for i, name in enumerate(found):
            print(" " * width, " |" * i, name)
        for line in lines:
            print(f"{line:{width}} ",
                  " ".join(seen.get(line, " ") for seen in found.values()))
    patterns = {tuple(seen.items()) for seen in found.values()}
    assert len(patterns) == len(found)
