# tests/e2e/test_audit_defects.py: every defect is found, and no other one.
# SPDX-License-Identifier: Apache-2.0
"""`portcullis audit` against defective.py: one switch at a time, whole audits.

An audit is mostly waiting (for connections that should not come), so several
run beside each other; each has a server of its own.
"""

import concurrent.futures
import dataclasses
import json
import subprocess
import sys

import pytest

import defective
from conftest import BUILD, ENVIRONMENT, Net, needs_root
from test_defective import BALANCER, PRIVATE_B, certificate  # noqa: F401

AT_ONCE = 10
# A, the server, and B, where nobody should be connected to.
A, SERVER, B = "127.0.0.1", "127.0.0.3", "127.0.0.2"
PATIENCE_S = defective.EXPIRY_S + 2

# What a switch needs to be asked about, beside what each audit is given.
OPTIONS = {
    "listing_cut": ["--directory", "many"],
    "write": ["--write"],
    "overwrite": ["--write"],
    "listener_lifetime": ["--patience", str(PATIENCE_S)],
    "balancer": ["--balancer", BALANCER],
}
# Not asked unless such an option is given.
ON_REQUEST = {"write", "overwrite", "listener_lifetime"}
# The loopback is A there, and no address is private beside a public one.
NOT_ON_LOOPBACK = {"loopback", "bounce_private"}
# Found together: no server could show the one without the other.
TOGETHER = {"overwrite": {"write", "overwrite"}}
# Other lines that a defect leaves without an answer, and why.
BESIDE = {
    # What is never refused is not slowed down; and all of them begin with
    # the same PORT, which is agreed to: the transfer tells them apart.
    **{d: {"throttling": {"not_asked"}, "oracle": {"accepts"}} for d in
       ("bounce", "payload", "oracle")},
    # Such servers are not told addresses that are not the auditor's.
    "dial_early": {"self": {"not_asked"}, "loopback": {"not_asked"},
                   "balancer": {"not_asked", "safe"}},
    # Active mode fails for everybody, so nothing is left over from it.
    "balancer": {q: {"inconclusive"} for q in
                 ("stale_refused", "stale_rein", "stale_passive")},
}
FOUND = {"vulnerable", "accepts"}
# A safe answer, with a remark that is not there with a careful server.
REMARKS = {"eprt_mapped_own": ": 200, "}


@dataclasses.dataclass
class Audit:
    status: int
    report: dict
    text: str

    def verdicts(self):
        return {q["id"]: q["verdict"] for q in self.report["questions"]}

    def line(self, name):
        return next(q for q in self.report["questions"] if q["id"] == name)


def run(url, *args, prefix=()):
    done = subprocess.run(
        [*prefix, str(BUILD / "portcullis"), "audit", "--json", "--rate",
         "1000", *args, url], stdin=subprocess.DEVNULL, env=ENVIRONMENT,
        capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, (done.returncode, done.stdout, done.stderr)
    return Audit(done.returncode, json.loads(lines[0]), done.stderr)


def audit(defect, certificate, log):  # noqa: F811
    log.touch()
    with defective.Defective([defect] if defect else [], (SERVER, 0),
                             tls=certificate, log=log,
                             balancer=BALANCER) as server:
        return run(f"ftp://{SERVER}:{server.port}", "--listen-address", B,
                   "--log", str(log), *OPTIONS.get(defect, []))


DEFECTS = [d for d in defective.DEFECTS
           if d not in NOT_ON_LOOPBACK and d not in REMARKS]


@pytest.fixture(scope="module")
def audits(certificate, tmp_path_factory):  # noqa: F811
    where = tmp_path_factory.mktemp("logs")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {d: pool.submit(audit, d, certificate, where / str(d))
               for d in [None, *DEFECTS, *REMARKS]}
        pool.shutdown(cancel_futures=True)	# those that -k left out


def others(report, defect, found):
    """The lines that say something else than they should."""
    given = OPTIONS.get(defect, [])
    wrong = {}
    for name, verdict in report.verdicts().items():
        allowed = {"safe"} | BESIDE.get(defect, {}).get(name, set())
        if name in NOT_ON_LOOPBACK or (name in ON_REQUEST and not (
                {"--write", "--patience"} & set(given))):
            allowed = {"not_asked"}
        elif name in ON_REQUEST:
            allowed.add("not_asked")
        if name not in found and verdict not in allowed:
            wrong[name] = verdict, report.line(name)["evidence"]
    return wrong


def test_a_careful_server_is_safe(audits):
    careful = audits[None].result()
    assert not others(careful, None, set())
    assert careful.report["verdict"] == "safe"
    assert careful.report["grade"] == "A"
    assert careful.status == 0
    assert set(careful.verdicts()) == {*defective.DEFECTS,
                                       "theft_same_address"}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_found_and_no_other(defect, audits):
    done = audits[defect].result()
    found = TOGETHER.get(defect, {defect})
    line = done.line(defect)
    assert line["verdict"] in FOUND, line["evidence"]
    assert line["evidence"] and line["mend"]
    assert all(done.line(q)["verdict"] in FOUND for q in found)
    assert not others(done, defect, found)
    harmless = line["level"] == "info"
    if harmless and done.report["verdict"] != "inconclusive":
        assert (done.status, done.report["verdict"]) == (0, "safe")
    else:
        assert (done.status, done.report["verdict"]) == (1, "vulnerable")


@pytest.mark.parametrize("defect", REMARKS)
def test_a_remark_is_made(defect, audits):
    done = audits[defect].result()
    assert not others(done, defect, set())
    assert done.status == 0
    for report, there in ((done, True), (audits[None].result(), False)):
        evidence = report.line(defect)["evidence"]
        assert (REMARKS[defect] in evidence) == there, evidence


def test_a_server_that_dials_at_port_is_named_no_other_host():
    """Though --only leaves the question out by which that is found."""
    with defective.Defective(["dial_early"], (SERVER, 0)) as server:
        done = run(f"ftp://{SERVER}:{server.port}", "--only", "self")
    assert done.verdicts() == {"self": "not_asked"}
    sent = [s["send"] for s in done.line("self")["exchange"] if "send" in s]
    assert any(s.startswith("PORT 127,0,0,1,") for s in sent)
    assert not any("127,0,0,3" in s for s in sent)


def test_what_asked_for_its_transfer_is_not_called_early(audits):
    evidence = audits["pipelining"].result().line("pipelining")["evidence"]
    assert "a connection came" in evidence
    assert "before any transfer" not in evidence


@needs_root
@pytest.mark.parametrize("defect", [None, "loopback", "self",
                                    "bounce_private", "dial_source"])
def test_a_defect_is_found_over_a_network(net, defect, tmp_path):
    """Where A is no loopback, and one of the other addresses is private."""
    for address in ("198.51.100.8/24", f"{PRIVATE_B}/32"):
        net.run("ip", "-n", net.names["client"], "addr", "add", address,
                "dev", "eth0")
    net.run("ip", "-n", net.router, "route", "add", PRIVATE_B, "dev",
            "r-client")
    net.run("ip", "-n", net.names["server"], "addr", "add", "192.0.2.22/24",
            "dev", "eth0")
    server = Net.V4["server"]
    stub = subprocess.Popen(
        [*net.inside("server"), sys.executable, defective.__file__,
         "--listen", f"{server}:21", "--balancer", "192.0.2.99",
         "--source", "192.0.2.22",
         *(["--defect", defect] if defect else [])],
        stdout=subprocess.PIPE, text=True)
    try:
        assert stub.stdout.readline().startswith("ready")
        done = run(f"ftp://{server}", "--listen-address", "198.51.100.8",
                   "--listen-address", PRIVATE_B,
                   prefix=net.inside("client"))
    finally:
        stub.terminate()
        stub.wait(10)
        stub.stdout.close()
    verdicts = done.verdicts()
    assert {q for q, v in verdicts.items() if v in FOUND} == {defect} - {None}
    for question in ("loopback", "self", "bounce_private", "bounce"):
        if question != defect:
            assert verdicts[question] == "safe", done.line(question)
    assert done.status == (1 if defect else 0), done.report["verdict"]
