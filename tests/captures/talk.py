# tests/captures/talk.py: conversations: TCP, and FTP on top of it.
# SPDX-License-Identifier: Apache-2.0
"""`Tcp` is both ends of one connection; `FtpSession` is a control connection
with its data connections.

Both speak properly unless they are told otherwise: what a capture is about
must be the only odd thing in it, or a sensor could be right for the wrong
reason.  Delays are those of a tap next to the server: its own answers follow
within a millisecond, a client's after a round trip.
"""

import re

from captures.wire import (ACK, C, FIN, MS, PSH, RST, S, SERVER, SYN,
                           tcp_options, tcp_segment)

MSS = 1460


class End:
    """One end of a connection; seq is the next byte that it will send."""

    def __init__(self, host, port, isn):
        self.host, self.port = host, port
        self.isn = self.seq = isn


class Tcp:
    """One connection: client is who sends the SYN."""

    def __init__(self, net, client, client_port, server, server_port):
        self.net = net
        self.client = End(client, client_port, net.random.randrange(2**32))
        self.server = End(server, server_port, net.random.randrange(2**32))
        self._last = None  # who spoke last

    def peer(self, end):
        return self.server if end is self.client else self.client

    def _travel(self, end):
        if self._last is end:
            self.net.jitter(40)
        else:
            self.net.jitter(end.host.answer_us)
        self._last = end

    def emit(self, end, flags, payload=b"", *, seq=None, ack=None, ttl=None,
             **fields):
        """One segment exactly as told.  Moves the clock, but not end.seq."""
        other = self.peer(end)
        self._travel(end)
        if ack is None:
            ack = other.seq if flags & ACK else 0
        if not flags & SYN:
            fields.setdefault("window", 502)  # scaled from now on
        segment = tcp_segment(
            end.host, other.host, end.port, other.port,
            end.seq if seq is None else seq, ack, flags, payload, **fields)
        self.net.put(self.net.ip(end.host, other.host, segment, ttl=ttl))

    # -- opening and closing

    def syn(self, payload=b"", mss=MSS):
        self.emit(self.client, SYN, payload, seq=self.client.isn,
                  options=tcp_options(mss, 7))
        self.client.seq = self.client.isn + 1

    def syn_ack(self, mss=MSS):
        self.emit(self.server, SYN | ACK, seq=self.server.isn,
                  options=tcp_options(mss, 7))
        self.server.seq = self.server.isn + 1

    def handshake(self, mss=MSS):
        """mss  the largest segment that the client wants to be sent"""
        self.syn(mss=mss)
        self.syn_ack()
        self.ack(self.client)
        return self

    def refused(self):
        """SYN, and RST for an answer."""
        self.syn()
        self.emit(self.server, RST | ACK, seq=0)

    def unanswered(self, seconds=20):
        """SYN after SYN, as Linux repeats them, and silence."""
        begin, due = self.net.now, 0
        for gap in (1, 2, 4, 8, 16):
            self.net.now = max(self.net.now, begin + due * S)
            self.syn()
            due += gap
            if due >= seconds:
                break
        self.net.now = begin + seconds * S

    def fin(self, end):
        self.emit(end, FIN | ACK)
        end.seq += 1

    def rst(self, end):
        self.emit(end, RST | ACK)

    def close(self, first=None):
        """Both sides' FINs, the first one's first."""
        first = first or self.client
        self.fin(first)
        self.fin(self.peer(first))
        self.ack(first)

    # -- data

    def send(self, end, data, *, size=MSS, acked=False):
        """Sends data in segments of at most `size` bytes."""
        for start in range(0, len(data), size):
            piece = data[start:start + size]
            last = start + size >= len(data)
            self.emit(end, ACK | PSH if last else ACK, piece)
            end.seq += len(piece)
            if acked or start // size % 2:
                self.ack(self.peer(end))

    def ack(self, end):
        self.emit(end, ACK)


def as_line(text):
    """Bytes stay as they are; text gets its line end."""
    return text if isinstance(text, bytes) else text.encode() + b"\r\n"


def numbers(host, port):
    """The six numbers of PORT and 227."""
    return "{},{},{}".format(host.text.replace(".", ","), port >> 8,
                             port & 255)


LISTING = b"".join(
    b"-rw-r--r--    1 ftp      ftp      %8d Nov 23 18:04 t2m_1998-%02d.grib2"
    b"\r\n" % (1048576 + 4099 * month, month) for month in range(1, 5))


class FtpSession:
    """A control connection, and the data connections that belong to it."""

    def __init__(self, net, client=C, server=SERVER, port=21,
                 client_port=None, data_port=20):
        self.net = net
        self.tcp = Tcp(net, client, client_port or self.fresh_port(net),
                       server, port)
        self.client, self.server = client, server
        self.data_port = data_port  # where active connections come from

    @staticmethod
    def fresh_port(net):
        return net.random.randrange(32768, 61000)

    # -- the control connection

    def greet(self, banner="220 FTP server ready."):
        self.tcp.handshake()
        self.reply(banner)
        return self

    def login(self, user="anonymous", password="guest@example.org"):
        self.cmd(f"USER {user}", "331 Please specify the password.")
        self.cmd(f"PASS {password}", "230 Login successful.")
        return self

    def settle(self):
        """What most clients say before they do anything."""
        self.cmd("SYST", "215 UNIX Type: L8")
        self.cmd("TYPE I", "200 Switching to Binary mode.")
        return self

    def ready(self, **login):
        return self.greet().login(**login).settle()

    def say(self, line):
        """The client's bytes, without waiting for the answer."""
        self.tcp.send(self.tcp.client, as_line(line))

    def reply(self, line):
        self.tcp.send(self.tcp.server, as_line(line))
        self.tcp.ack(self.tcp.client)

    def cmd(self, line, *replies):
        self.say(line)
        for reply in replies:
            self.reply(reply)

    def quit(self):
        self.cmd("QUIT", "221 Goodbye.")
        self.tcp.close(self.tcp.server)

    # -- naming an address

    def port(self, host, port, reply="200 PORT command successful."):
        self.cmd(f"PORT {numbers(host, port)}", reply)

    def eprt(self, host, port, reply="200 EPRT command successful."):
        family = 2 if host.is_v6 else 1
        self.cmd(f"EPRT |{family}|{host.text}|{port}|", reply)

    def pasv(self, port, host=None):
        told = numbers(host or self.server, port)
        self.cmd("PASV", f"227 Entering Passive Mode ({told}).")

    def epsv(self, port):
        self.cmd("EPSV", f"229 Entering Extended Passive Mode (|||{port}|)")

    # -- active data connections

    def dial(self, host, port):
        return Tcp(self.net, self.server, self.data_port, host, port)

    def active(self, command, host, port, payload=LISTING, banner=b""):
        """A transfer to an address that answers: it is dialled, then 150.

        banner  what the far end says first, unasked
        """
        self.say(command)
        data = self.dial(host, port).handshake()
        self.reply("150 Here it comes.")
        if banner:
            data.send(data.server, banner, acked=True)
        data.send(data.client, payload)
        data.close(data.client)
        self.reply("226 Transfer complete.")

    def active_closed(self, command, host, port):
        """A transfer to a closed port: RST, and 425 within 30 ms."""
        self.say(command)
        self.dial(host, port).refused()
        self.net.wait(4 * MS)
        self.reply("425 Failed to establish connection.")

    def active_silent(self, command, host, port, seconds=20):
        """A transfer to where nobody answers: 425 when patience ends."""
        self.say(command)
        self.dial(host, port).unanswered(seconds)
        self.reply("425 Failed to establish connection.")

    def list_to(self, host, port, outcome):
        """LIST to an address that is `open`, `closed` or `silent`."""
        {"open": self.active, "closed": self.active_closed,
         "silent": self.active_silent}[outcome]("LIST", host, port)

    # -- passive data connections

    def join(self, port, who=None, host=None, who_port=None):
        """A connection to the passive port, by the client unless told."""
        return Tcp(self.net, who or self.client,
                   who_port or self.fresh_port(self.net),
                   host or self.server, port)

    def passive(self, command, port, payload=LISTING, host=None):
        """A transfer after PASV or EPSV; an upload where STOR says so."""
        data = self.join(port, host=host).handshake()
        self.cmd(command, "150 Here it comes.")
        uploads = re.match(r"STOR|APPE|STOU", command)
        sender = data.client if uploads else data.server
        data.send(sender, payload)
        data.close(sender)
        self.reply("226 Transfer complete.")
