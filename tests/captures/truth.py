# tests/captures/truth.py: what a capture must make the sensor say.
# SPDX-License-Identifier: Apache-2.0
"""The register of captures and the form of their truth.

Truth is derived from docs/design/sensor.md by hand.  It is never taken from a
run of the program: a test that learned from what it tests proves nothing.
"""

import dataclasses
import zlib

from captures import wire
from captures.talk import FtpSession

STAGES = ("attempt", "accepted", "executed", "completed")
LEVELS = ("info", "low", "medium", "high", "critical")


@dataclasses.dataclass(frozen=True)
class Finding:
    variant: str
    stage: str
    level: str
    asked: str = "-"
    client: str = wire.C.text
    server: str = wire.SERVER.text

    def __str__(self):
        return " ".join((self.variant, self.stage, self.level, self.client,
                         self.server, self.asked))


@dataclasses.dataclass
class Capture:
    """One file, who builds it, and its truth; see README.md's columns."""
    id: str
    name: str
    build: object
    findings: tuple
    label: str = ""
    scan: dict = dataclasses.field(default_factory=dict)
    readings: tuple = ()
    confidence: str = ""
    offset: int | None = None
    counters: tuple = ()
    args: str = ""
    malformed: bool = False  # tshark may object: that is what it is about
    slow: bool = False
    link: object = None
    reshape: object = wire.as_it_is
    form: str = "pcap"       # or nano, swapped, pcapng

    @property
    def file(self):
        stem = f"{self.id}-{self.name}" if self.name else self.id
        return f"{stem}.{'pcapng' if self.form == 'pcapng' else 'pcap'}"

    @property
    def link_number(self):
        return (self.link or wire.Ethernet).number

    def capture_net(self):
        """The wire, with every frame that passed; the same ones each time."""
        net = wire.Net(zlib.crc32(self.file.encode()), self.link)
        net.reshape = self.reshape
        self.build(net)
        return net

    def make(self):
        """The file's bytes."""
        frames = self.capture_net().frames
        if self.form == "pcapng":
            return wire.pcapng(frames, self.link_number)
        return wire.pcap(frames, self.link_number, nano=self.form == "nano",
                         big_endian=self.form == "swapped")


CAPTURES = []


def capture(id, *findings, name="", **more):
    """Registers a function of one argument, the Net, as a capture."""
    def register(build):
        made = Capture(id, name, build, findings, **more)
        assert all(made.file != other.file for other in CAPTURES), made.file
        CAPTURES.append(made)
        return build
    return register


def said(id, raw, *replies, findings=(), name="", server=wire.SERVER,
         client=wire.C, port=21, **more):
    """Registers the commonest capture: a session that is logged in says
    `raw`, one segment, and is answered."""
    def build(net):
        session = FtpSession(net, client, server, port).ready()
        session.cmd(raw, *replies)
        session.quit()
    capture(id, *findings, name=name, **more)(build)


def dialled(id, raw, host, port, *, outcome="closed", findings=(), name="",
            reply="200 PORT command successful.", server=wire.SERVER,
            client=wire.C, control_port=21, **more):
    """As `said`, and a LIST behind it has the server dial that address:
    outcome is what it meets, `open`, `closed` or `silent`."""
    def build(net):
        session = FtpSession(net, client, server, control_port).ready()
        session.cmd(raw, reply)
        session.list_to(host, port, outcome)
        session.quit()
    capture(id, *findings, name=name, **more)(build)
