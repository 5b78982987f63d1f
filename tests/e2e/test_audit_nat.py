# tests/e2e/test_audit_nat.py: an auditor behind a NAT accuses nobody.
# SPDX-License-Identifier: Apache-2.0
"""The auditor stands behind a masquerade with two private addresses, which
to the server are one, and no connection of the server's can reach either.
What is safe to say of these servers, test_audit_peers.py says.
"""

import json
import subprocess

import pytest

import peers
from conftest import BUILD, needs_root
from peers import Absent, S

pytestmark = needs_root

GATE = "203.0.113.1"
INNER_GATE, INNER, INNER_B = "192.168.7.1", "192.168.7.2", "192.168.7.3"

MASQUERADE = """\
table ip nat {
    chain out {
        type nat hook postrouting priority 100
        oifname "outer" masquerade
    }
}
"""


def ip(host, script):
    subprocess.run(["ip", "-n", host, "-batch", "-"], check=True, text=True,
                   input=script)


class Lan(peers.Host):
    """The server's host, a NAT beside it, and the auditor's host behind."""

    def up(self):
        self.gate, self.inside_host = self.name + "n", self.name + "a"
        for host in (self.name, self.gate, self.inside_host):
            subprocess.run(["ip", "netns", "add", host], check=True)
            ip(host, "link set lo up\n")
        ip(self.gate, f"link add outer type veth peer name e0 netns "
           f"{self.name}\n"
           f"link add inner type veth peer name e0 netns "
           f"{self.inside_host}\n"
           f"addr add {GATE}/24 dev outer\nlink set outer up\n"
           f"addr add {INNER_GATE}/24 dev inner\nlink set inner up\n")
        ip(self.name, f"addr add {S}/24 dev e0\nlink set e0 up\n")
        ip(self.inside_host, f"addr add {INNER}/24 dev e0\n"
           f"addr add {INNER_B}/24 dev e0\nlink set e0 up\n"
           f"route add default via {INNER_GATE}\n")
        within = ["ip", "netns", "exec", self.gate]
        subprocess.run([*within, "sysctl", "-qw", "net.ipv4.ip_forward=1"],
                       check=True)
        subprocess.run([*within, "nft", "-f", "-"], check=True, text=True,
                       input=MASQUERADE)

    def down(self):
        super().down()
        for host in (self.gate, self.inside_host):
            subprocess.run(["ip", "netns", "del", host])


@pytest.fixture(scope="module", params=["vsftpd", "vsftpd-fxp", "proftpd"])
def report(request, tmp_path_factory):
    work = tmp_path_factory.mktemp(request.param)
    work.chmod(0o755)
    archive = tmp_path_factory.mktemp("archive")
    peers.make_peer_archive(archive)
    try:
        with peers.peer(request.param, archive, work, host=Lan()) as peer:
            done = subprocess.run(
                ["ip", "netns", "exec", peer.host.inside_host,
                 BUILD / "portcullis", "audit", "--json", "--rate", "1000",
                 "--timeout", "4", S], capture_output=True, text=True,
                timeout=120)
    except Absent as why:
        pytest.skip(str(why))
    return request.param, json.loads(done.stdout)


def test_a_nat_is_told_of(report):
    assert report[1]["behind_nat"]
    assert any("NAT" in note for note in report[1]["notes"])


def test_what_no_connection_can_prove_is_no_defect(report):
    """And is safe only where the server refused."""
    name, said = report
    verdicts = {q["id"]: q["verdict"] for q in said["questions"]}
    assert verdicts["bounce"] == (
        "safe" if name == "vsftpd" else "inconclusive")
    if name != "vsftpd":
        assert verdicts["oracle"] == verdicts["dial_early"] == "inconclusive"
    for line in ("theft", "theft_race"):
        assert verdicts[line] == "inconclusive", line
    for line in ("payload", "eprt_v4", "spelling", "pipelining", "telnet",
                 "stale_rein", "theft_kills"):
        assert verdicts[line] in ("safe", "inconclusive"), line
    assert "F" not in said["grade"] and "?" in said["grade"]
