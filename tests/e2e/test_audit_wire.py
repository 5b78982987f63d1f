# tests/e2e/test_audit_wire.py: the auditor on a wire that the sensor watches.
# SPDX-License-Identifier: Apache-2.0
"""One list of names for both: what the auditor asked is what the sensor saw.
And the ground rule: no packet to anybody but the audited server."""

import json
import subprocess

import pytest

from conftest import BUILD, ENVIRONMENT, Net, needs_root
from test_watch_live import Sensor, gullible  # noqa: F401 (a fixture)

pytestmark = needs_root

C4, S4, V4 = (Net.V4[h] for h in ("client", "server", "victim"))
SECOND4, SECOND6 = "198.51.100.8", "2001:db8:1::8"
# What the sensor makes of many of one kind, or sees besides: never asked for
# by one command.
MADE_OF_MANY = {"scan_vertical", "scan_horizontal", "scan_slow", "port_flood",
                "pasv_exhaustion", "pasv_predictable"}


def give_second_address(net):
    for address in (SECOND4 + "/24", SECOND6 + "/64"):
        more = ["nodad"] if ":" in address else []
        net.run("ip", "-n", net.names["client"], "addr", "add", address,
                "dev", "eth0", *more)


def audit(net, *arguments, status=None):
    done = subprocess.run(
        [*net.inside("client"), str(BUILD / "portcullis"), "audit", "--json",
         "--rate", "200", *arguments], capture_output=True, text=True,
        env=ENVIRONMENT, timeout=300)
    assert done.stdout, done.stderr
    if status is not None:
        assert done.returncode == status, done.stdout[:2000] + done.stderr
    return json.loads(done.stdout)


def asked(report):
    return {(a["kind"], a["ip"]) for q in report["questions"]
            for a in q["asked"] if not a["tls"]}


class Wire:
    """The sensor, beside whichever server."""

    def __init__(self, net, place):
        self.sensor = Sensor(net, place)

    def lights(self):
        """Each (variant, address) that was ever told, not only the last."""
        self.sensor.stop()
        found = set()
        for line in self.sensor.events_file.read_text().splitlines():
            event = json.loads(line)
            if event["event_type"] == "alert":
                bounce = event["ftp_bounce"]
                found.add((bounce["variant"], bounce.get("asked_ip", "")))
        return found


@pytest.fixture
def wire(net, place):
    give_second_address(net)
    one = Wire(net, place)
    yield one
    one.sensor.kill()


def compare(report, lights, kinds):
    said = asked(report)
    seen = {pair for pair in lights if pair[0] not in MADE_OF_MANY}
    assert kinds <= {kind for kind, _ in said}, said
    assert said - seen == set(), "asked, and not seen"
    assert seen - said == set(), "seen, and not asked"


def test_the_sensor_sees_what_the_auditor_asks_of_a_careful_server(
        net, wire, serve):
    serve({"listen": f"{S4}:21"}, host=S4, port=21,
          prefix=net.inside("server"))
    report = audit(net, S4, status=0)
    assert report["from"] == C4
    assert SECOND4 in report["listen"] and SECOND6 in report["listen"]
    assert report["verdict"] == "safe" and report["grade"] == "A"
    compare(report, wire.lights(), {
        "third_party", "privileged_port", "evasion", "malformed", "preauth",
        "epsv_all", "loopback", "self", "pasv_race"})


def test_the_sensor_sees_what_the_auditor_asks_of_a_gullible_server(
        net, wire, gullible):  # noqa: F811
    report = audit(net, S4, status=1)
    verdicts = {q["id"]: q["verdict"] for q in report["questions"]}
    assert verdicts["bounce"] == "vulnerable"
    compare(report, wire.lights(), {
        "third_party", "privileged_port", "evasion", "preauth",
        "pasv_theft"})


def test_nobody_else_hears_of_an_audit(net, gullible):  # noqa: F811
    """Not even from a server that connects wherever it is told."""
    give_second_address(net)
    for host in ("victim", "thief"):
        net.count(host)
    audit(net, S4, status=1)
    assert net.packets("victim") == 0
    assert net.packets("thief") == 0


def test_without_a_second_address_the_rest_is_inconclusive(net, serve):
    serve({"listen": f"{S4}:21"}, host=S4, port=21,
          prefix=net.inside("server"))
    report = audit(net, S4, status=3)
    verdicts = {q["id"]: q for q in report["questions"]}
    assert verdicts["bounce"]["verdict"] == "inconclusive"
    assert "--listen-address" in verdicts["bounce"]["evidence"]
    assert verdicts["epsv_all_pasv"]["verdict"] == "safe"
    assert verdicts["wrap_port"]["verdict"] == "safe"
    assert any("one address" in note for note in report["notes"])


def test_over_ipv6(net, serve):
    serve({"listen": f"[{Net.V6['server']}]:21"}, host=Net.V6["server"],
          port=21, prefix=net.inside("server"))
    give_second_address(net)
    report = audit(net, f"[{Net.V6['server']}]", status=0)
    assert report["from"] in (Net.V6["client"], SECOND6)
    verdicts = {q["id"]: q for q in report["questions"]}
    assert "EPRT" in verdicts["bounce"]["evidence"]
    assert verdicts["theft"]["verdict"] == "safe"
