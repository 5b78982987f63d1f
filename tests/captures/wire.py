# tests/captures/wire.py: packets, byte by byte, and the files they lie in.
# SPDX-License-Identifier: Apache-2.0
"""What a sensor's tap sees, built without any library's opinion of what is
allowed: the captures need wrong checksums, overlaps and odd tunnels as often
as they need right ones.

A packet goes through three hands: an IP packet is made (`ipv4`, `ipv6`), may
be reshaped (fragments, extension headers), and is framed by a link (`Ethernet`
and the others).  `Net` keeps the clock and collects the frames.
"""

import dataclasses
import ipaddress
import random
import struct

EPOCH_NS = 1_795_478_400 * 10**9  # 2026-11-24 00:00:00 UTC
US, MS, S = 10**3, 10**6, 10**9

TCP, UDP, GRE_PROTO = 6, 17, 47
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


@dataclasses.dataclass(frozen=True)
class Host:
    """A host as the tap sees it, which hangs next to the server.

    ttl        what is left of it when packets pass the tap
    answer_us  from a packet to the host until the host's answer passes
    """
    text: str
    ttl: int = 64
    answer_us: int = 300

    @property
    def address(self):
        return ipaddress.ip_address(self.text)

    @property
    def packed(self):
        return self.address.packed

    @property
    def is_v6(self):
        return self.address.version == 6

    @property
    def mac(self):
        return b"\x02\x00" + self.packed[-4:]

    def at(self, port):
        """"192.0.2.21:21", "[2001:db8:2::21]:21": as events write it."""
        form = "[{}]:{}" if self.is_v6 else "{}:{}"
        return form.format(self.text, port)


# The three of every example in this project, and their kin.
C = Host("198.51.100.7", ttl=57, answer_us=20_000)
SERVER = Host("192.0.2.21")
V = Host("203.0.113.99", ttl=51, answer_us=30_000)
C6 = Host("2001:db8:1::7", ttl=57, answer_us=20_000)
SERVER6 = Host("2001:db8:2::21")
V6 = Host("2001:db8:3::99", ttl=51, answer_us=30_000)
SERVER2 = Host("192.0.2.22")


# ---- checksums

def internet_checksum(data):
    """RFC 1071.  A one's complement sum is a sum modulo 65535."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big")
    folded = total % 0xFFFF
    if folded == 0 and total:
        folded = 0xFFFF
    return 0xFFFF - folded


def pseudo_header(source, target, protocol, length):
    if source.is_v6:
        return (source.packed + target.packed +
                struct.pack(">IxxxB", length, protocol))
    return (source.packed + target.packed +
            struct.pack(">xBH", protocol, length))


# ---- TCP and UDP

def tcp_options(mss=None, scale=None):
    """The options of a SYN, filled up to a multiple of four."""
    options = b""
    if mss is not None:
        options += struct.pack(">BBH", 2, 4, mss) + b"\x01\x01\x04\x02"
    if scale is not None:
        options += struct.pack(">BBBB", 1, 3, 3, scale)
    return options + b"\0" * (-len(options) % 4)


def tcp_segment(source, target, source_port, target_port, seq, ack, flags,
                payload=b"", *, window=64240, options=b"", urgent=0,
                good_checksum=True):
    header = struct.pack(
        ">HHIIBBHHH", source_port, target_port, seq % 2**32, ack % 2**32,
        (20 + len(options)) // 4 << 4, flags, window, 0, urgent)
    segment = header + options + payload
    checksum = internet_checksum(
        pseudo_header(source, target, TCP, len(segment)) + segment)
    if not good_checksum:
        checksum ^= 0x5A5A
    return segment[:16] + struct.pack(">H", checksum) + segment[18:]


def udp_datagram(source, target, source_port, target_port, payload):
    length = 8 + len(payload)
    head = struct.pack(">HHH", source_port, target_port, length)
    checksum = internet_checksum(
        pseudo_header(source, target, UDP, length) + head + b"\0\0" + payload)
    return head + struct.pack(">H", checksum or 0xFFFF) + payload


# ---- IP

def ipv4(source, target, payload, *, protocol=TCP, ttl=None, ident=0,
         options=b"", fragment=0x4000):
    """fragment: flags and offset as the header has them; DF by default."""
    words = 5 + len(options) // 4
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | words, 0, 4 * words + len(payload), ident,
        fragment, source.ttl if ttl is None else ttl, protocol, 0,
        source.packed, target.packed) + options
    checksum = struct.pack(">H", internet_checksum(header))
    return header[:10] + checksum + header[12:] + payload


def ipv6(source, target, payload, *, protocol=TCP, ttl=None):
    return struct.pack(
        ">IHBB16s16s", 0x6 << 28, len(payload), protocol,
        source.ttl if ttl is None else ttl, source.packed,
        target.packed) + payload


def is_v6_packet(packet):
    return packet[0] >> 4 == 6


def _v4_with(packet, fragment, payload):
    """The packet's header with other fragment bits and another payload."""
    size = 4 * (packet[0] & 15)
    header = bytearray(packet[:size])
    struct.pack_into(">H", header, 2, size + len(payload))
    struct.pack_into(">H", header, 6, fragment)
    struct.pack_into(">H", header, 10, 0)
    struct.pack_into(">H", header, 10, internet_checksum(bytes(header)))
    return bytes(header) + payload


def fragment_v4(packet, size):
    """Fragments with `size` bytes of payload each; size is a multiple of 8."""
    payload = packet[4 * (packet[0] & 15):]
    pieces = []
    for start in range(0, len(payload), size):
        more = 0x2000 if start + size < len(payload) else 0
        pieces.append(_v4_with(packet, more | start // 8,
                               payload[start:start + size]))
    return pieces


def v4_options(packet, options):
    """The packet with IP options in it, a multiple of four bytes."""
    header = bytearray(packet[:20] + options)
    header[0] += len(options) // 4
    return _v4_with(bytes(header), int.from_bytes(packet[6:8], "big"),
                    packet[20:])


def v6_extended(packet, *headers):
    """The packet with extension headers: (number, body without its first
    byte, which names the next one)."""
    chain, following = b"", packet[6]
    for number, body in reversed(headers):
        chain, following = bytes([following]) + body + chain, number
    payload = chain + packet[40:]
    return (packet[:4] + struct.pack(">HB", len(payload), following) +
            packet[7:40] + payload)


HOP_BY_HOP = (0, b"\0\x01\x04\0\0\0\0")           # PadN
DESTINATION = (60, b"\x01\x01\x0c" + b"\0" * 12)  # PadN, 16 bytes in all


def fragment_v6(packet, size, ident):
    payload = packet[40:]
    pieces = []
    for start in range(0, len(payload), size):
        more = start + size < len(payload)
        header = (44, struct.pack(">BHI", 0, start | more, ident))
        part = (packet[:4] + struct.pack(">H", 0) + packet[6:40] +
                payload[start:start + size])
        pieces.append(v6_extended(part, header))
    return pieces


# ---- links

ETHER_V4, ETHER_V6 = 0x0800, 0x86DD
ROUTER_MAC = b"\x02\x00\x00\x00\x00\x01"
TAP_MAC = b"\x02\x00\x00\x00\x00\x02"


def ether_type(packet):
    return ETHER_V6 if is_v6_packet(packet) else ETHER_V4


@dataclasses.dataclass
class Ethernet:
    """tags: (ethertype, VLAN number) from the outside in."""
    tags: tuple = ()
    number = 1

    def frame(self, packet):
        header = ROUTER_MAC + TAP_MAC
        for kind, vlan in self.tags:
            header += struct.pack(">HH", kind, vlan)
        header += struct.pack(">H", ether_type(packet))
        return (header + packet).ljust(60, b"\0")  # as a switch pads it


VLAN = Ethernet(tags=((0x8100, 42),))
QINQ = Ethernet(tags=((0x88A8, 100), (0x8100, 42)))


class Cooked:
    """Linux "any" interface, first form."""
    number = 113

    def frame(self, packet):
        return struct.pack(">HHH8sH", 0, 1, 6, ROUTER_MAC + b"\0\0",
                           ether_type(packet)) + packet


class Cooked2:
    """Linux "any" interface, second form."""
    number = 276

    def frame(self, packet):
        return struct.pack(">HHIHBB8s", ether_type(packet), 0, 2, 1, 0, 6,
                           ROUTER_MAC + b"\0\0") + packet


class Loopback:
    """BSD's: the address family in the byte order of who captured."""
    number = 0

    def frame(self, packet):
        return struct.pack("<I", 30 if is_v6_packet(packet) else 2) + packet


class Raw:
    number = 101

    def frame(self, packet):
        return packet


class Pppoe(Ethernet):
    """RFC 2516, as between a subscriber's modem and his provider."""

    def frame(self, packet):
        ppp = struct.pack(">H", 0x57 if is_v6_packet(packet) else 0x21)
        header = struct.pack(">BBHH", 0x11, 0, 0x1234, len(ppp + packet))
        return (ROUTER_MAC + TAP_MAC + b"\x88\x64" + header + ppp +
                packet).ljust(60, b"\0")


TUNNEL_A, TUNNEL_B = Host("192.0.2.1", ttl=255), Host("192.0.2.2", ttl=255)


class Gre(Ethernet):
    """RFC 2784 and 2890, with a key when there is one."""

    def __init__(self, key=None):
        super().__init__()
        self.key = key

    def frame(self, packet):
        flags = 0 if self.key is None else 0x2000
        header = struct.pack(">HH", flags, ether_type(packet))
        if self.key is not None:
            header += struct.pack(">I", self.key)
        return super().frame(ipv4(TUNNEL_A, TUNNEL_B, header + packet,
                                  protocol=GRE_PROTO))


class Vxlan(Ethernet):
    """RFC 7348: a whole Ethernet frame in UDP."""

    def frame(self, packet):
        inner = super().frame(packet)
        header = struct.pack(">BxxxI", 8, 4711 << 8)
        datagram = udp_datagram(TUNNEL_A, TUNNEL_B, 49200, 4789,
                                header + inner)
        return super().frame(ipv4(TUNNEL_A, TUNNEL_B, datagram, protocol=UDP))


# ---- the wire

def as_it_is(packet):
    return [packet]


class Net:
    """The clock, and every frame that passed the tap."""

    def __init__(self, seed, link=None):
        self.random = random.Random(seed)
        self.link = link or Ethernet()
        self.reshape = as_it_is  # an IP packet becomes one or more
        self.now = EPOCH_NS
        self.frames = []
        self._idents = {}

    def wait(self, ns):
        self.now += ns

    def jitter(self, us):
        """About `us` microseconds, never twice the same."""
        self.wait(int(us * US * self.random.uniform(0.9, 1.15)))

    def ip(self, source, target, payload, **header):
        """An IP packet from host to host, with the source's next ident."""
        if source.is_v6:
            return ipv6(source, target, payload, **header)
        ident = self._idents.get(source, self.random.randrange(2**16))
        self._idents[source] = (ident + 1) % 2**16
        return ipv4(source, target, payload, ident=ident, **header)

    def put(self, packet):
        """Puts an IP packet on the wire, now."""
        for piece in self.reshape(packet):
            self.frames.append((self.now, self.link.frame(piece)))
            self.wait(US)


# ---- files

def pcap(frames, link_number, *, nano=False, big_endian=False):
    order = ">" if big_endian else "<"
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, US)
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144,
                         link_number)]
    record = struct.Struct(order + "IIII")
    for ns, frame in frames:
        second, rest = divmod(ns, S)
        parts += [record.pack(second, rest // unit, len(frame), len(frame)),
                  frame]
    return b"".join(parts)


def _block(kind, body):
    size = 12 + len(body)
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def _option(code, value):
    return (struct.pack("<HH", code, len(value)) + value +
            b"\0" * (-len(value) % 4))


def pcapng(frames, link_number):
    """One section, one interface that counts nanoseconds, options where
    readers stumble: before the packets and in them."""
    end = _option(0, b"")
    name = _option(4, b"portcullis tests") + end
    parts = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) +
                    name)]
    parts.append(_block(1, struct.pack("<HHI", link_number, 0, 262144) +
                        _option(2, b"tap0") + _option(9, b"\x09") + end))
    for ns, frame in frames:
        head = struct.pack("<IIIII", 0, ns >> 32, ns & 0xFFFFFFFF, len(frame),
                           len(frame))
        parts.append(_block(6, head + frame + b"\0" * (-len(frame) % 4) +
                            _option(2, struct.pack("<I", 1)) + end))
    return b"".join(parts)
