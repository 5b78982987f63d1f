# tests/captures/evasion.py: rows EV01 to EV31: spelled or sent so that one
# reader sees another command than the next.
# SPDX-License-Identifier: Apache-2.0

from captures import wire
from captures.firewall import (HELLO_PLAIN, after_auth_tls, client_hello,
                               encrypted, record, tls_handshake)
from captures.talk import FtpSession, Tcp
from captures.truth import Finding, capture, dialled, said
from captures.wire import (ACK, C, C6, MS, PSH, RST, S, SERVER, SERVER6, URG,
                           US, V, V6, Host)

TELNET_NOP = b"\xff\xf1"
NO = "504 Command not implemented for that parameter."
BAD_GRAMMAR = "501 Illegal PORT command."
UNKNOWN = "500 Unknown command."
YES = "200 PORT command successful."
YES_EPRT = "200 EPRT command successful."
V_HIGH, OWN_HIGH = V.at(50000), C.at(50000)
PORT_V = b"PORT 203,0,113,99,195,80\r\n"
PORT_OWN = b"PORT 198,51,100,7,195,80\r\n"
LIST_REFUSED = "425 Use PORT or PASV first."


def third_party(stage, level, asked=V_HIGH, **ends):
    return Finding("third_party", stage, level, asked, **ends)


def evasion(stage, level, asked=V_HIGH):
    return Finding("evasion", stage, level, asked)


REFUSED = (third_party("attempt", "low"),)


# ---- EV01 to EV13: spelled oddly

def plain(id, name, raw, **more):
    """The strict grammar takes it: a third party like any other."""
    said(id, raw, NO, name=name, findings=REFUSED, **more)


def odd(id, name, raw, reply=BAD_GRAMMAR, host=V, port=50000, **more):
    """The strict grammar does not: refused by one server, and in a second
    capture taken by another."""
    asked = host.at(port)
    more.setdefault("readings", (asked,))
    said(id, raw, reply, name=f"{name}-refused",
         findings=[evasion("attempt", "low", asked)], **more)
    dialled(id, raw, host, port, name=f"{name}-taken",
            findings=[evasion("executed", "high", asked)], **more)


plain("EV01", "lower", b"port 203,0,113,99,195,80\r\n")
plain("EV01", "mixed", b"PoRt 203,0,113,99,195,80\r\n")

odd("EV02", "blank", b" PORT 203,0,113,99,195,80\r\n", UNKNOWN)
odd("EV02", "tab", b"\tPORT 203,0,113,99,195,80\r\n", UNKNOWN)

odd("EV03", "blanks", b"PORT      203,0,113,99,195,80\r\n")
odd("EV03", "tab", b"PORT\t203,0,113,99,195,80\r\n", UNKNOWN)
odd("EV03", "blank-tab", b"PORT \t203,0,113,99,195,80\r\n")

odd("EV04", "blanks", b"PORT 203, 0, 113, 99, 195, 80\r\n")

plain("EV05", "zeros", b"PORT 203,000,113,099,195,080\r\n",
      readings=(V_HIGH,))
DECIMAL, OCTAL = Host("203.0.113.77"), Host("203.0.113.63", V.ttl, V.answer_us)
BOTH = (DECIMAL.at(50040), OCTAL.at(50040))
said("EV05", b"PORT 203,000,113,077,195,120\r\n", NO, name="octal-refused",
     findings=[third_party("attempt", "low", DECIMAL.at(50040))],
     readings=BOTH)
dialled("EV05", b"PORT 203,000,113,077,195,120\r\n", OCTAL, 50040,
        name="octal-taken", readings=BOTH,
        findings=[third_party("executed", "high", OCTAL.at(50040))])
OCTAL_OWN = Host("198.41.100.7", 50, 40_000)
dialled("EV05", b"PORT 198,051,100,007,195,100\r\n", OCTAL_OWN, 50020,
        name="own-in-decimal",
        readings=(C.at(50020), OCTAL_OWN.at(50020)),
        findings=[third_party("executed", "high", OCTAL_OWN.at(50020))])

odd("EV06", "hex", b"PORT 0xcb,0x0,0x71,0x63,0xc3,0x50\r\n")
odd("EV07", "wrapped", b"PORT 459,256,369,355,451,336\r\n")
odd("EV08", "four-digits", b"PORT 0203,0000,0113,0099,0195,0080\r\n")

odd("EV09", "plus", b"PORT +203,+0,+113,+99,+195,+80\r\n")
odd("EV09", "minus", b"PORT 203,0,113,99,195,-53\r\n", port=50123)

odd("EV10", "junk", b"PORT 203,0,113,99,195,80,1 junk\r\n")
odd("EV10", "blank", b"PORT 203,0,113,99,195,80 \r\n")

plain("EV11", "lf", b"PORT 203,0,113,99,195,80\n")
said("EV11", b"NOOP\nPORT 203,0,113,99,195,80\n", "200 NOOP ok.", NO,
     name="lf-noop", findings=REFUSED)
odd("EV11", "cr-cr", b"PORT 203,0,113,99,195,80\r\r\n",
    counters=("ambiguous",))
said("EV11", b"NOOP\rPORT 203,0,113,99,195,80\r\n", "501 Illegal character.",
     name="cr-refused", counters=("ambiguous",), readings=(V_HIGH,),
     findings=[evasion("attempt", "low")])


@capture("EV11", evasion("executed", "high"), name="cr-taken",
         counters=("ambiguous",), readings=(V_HIGH,))
def cr_ends_a_line(net):
    session = FtpSession(net).ready()
    session.cmd(b"NOOP\rPORT 203,0,113,99,195,80\r\n", "200 NOOP ok.", YES)
    session.active_closed("LIST", V, 50000)
    session.quit()


odd("EV12", "verb", b"PO\0RT 203,0,113,99,195,80\r\n",
    counters=("ambiguous",))
odd("EV12", "end", b"PORT 203,0,113,99,195,80\0\r\n",
    counters=("ambiguous",))

plain("EV13", "nop", b"PO\xff\xf1RT 203,0,113,99,195,80\r\n")
plain("EV13", "synch", b"\xff\xf4\xff\xf2PORT 203,0,113,99,195,80\r\n")
plain("EV13", "will", b"PORT 203,\xff\xfb\x010,113,99,195,80\r\n")
dialled("EV13", b"PO\xff\xf1RT 203,0,113,99,195,80\r\n", V, 50000,
        name="nop-taken", findings=[third_party("executed", "high")])


# ---- EV14 to EV16: segments

@capture("EV14", *REFUSED)
def byte_by_byte(net):
    session = FtpSession(net).ready()
    session.tcp.send(session.tcp.client, PORT_V, size=1)
    session.reply(NO)
    session.quit()


def place(tcp, end, data, *ranges):
    """Sends parts of data in any order, each where it belongs."""
    for start, stop in ranges:
        tcp.emit(end, ACK | PSH, data[start:stop], seq=end.seq + start)
    end.seq += len(data)
    tcp.ack(tcp.peer(end))


@capture("EV15", *REFUSED, name="shuffled")
def out_of_order(net):
    session = FtpSession(net).ready()
    place(session.tcp, session.tcp.client, PORT_V, (7, 14), (20, 26), (0, 7),
          (14, 20))
    session.reply(NO)
    session.quit()


@capture("EV15", *REFUSED, name="before-login")
def last_segment_first(net):
    """The PORT arrives before the segment with PASS."""
    session = FtpSession(net).greet()
    session.cmd("USER anonymous", "331 Please specify the password.")
    secret = b"PASS guest@example.org\r\n"
    place(session.tcp, session.tcp.client, secret + PORT_V,
          (len(secret), len(secret + PORT_V)), (0, len(secret)))
    session.reply("230 Login successful.")
    session.reply(NO)
    session.quit()


def overlap(net, first, second, reply=YES):
    """Two copies of the line's end, then its beginning: which copy the
    server's TCP keeps is its own affair."""
    session = FtpSession(net).ready()
    tcp, end = session.tcp, session.tcp.client
    for copy in (first, second):
        tcp.emit(end, ACK | PSH, copy[5:], seq=end.seq + 5)
    place(tcp, end, first, (0, 5))
    session.reply(reply)
    return session


TWO_READINGS = (OWN_HIGH, V_HIGH)


def overlapping(name, first, second, stage, level, host, outcome):
    @capture("EV16", evasion(stage, level), name=name, readings=TWO_READINGS,
             counters=("ambiguous", "overlaps"))
    def build(net):
        session = overlap(net, first, second)
        session.list_to(host, 50000, outcome)
        session.quit()


overlapping("second-ignored", PORT_OWN, PORT_V, "accepted", "medium", C,
            "open")
overlapping("second-taken", PORT_OWN, PORT_V, "executed", "high", V, "closed")
overlapping("first-taken", PORT_V, PORT_OWN, "executed", "high", V, "closed")
overlapping("first-ignored", PORT_V, PORT_OWN, "accepted", "medium", C,
            "open")


@capture("EV16", evasion("attempt", "low"), name="refused",
         readings=TWO_READINGS, counters=("ambiguous", "overlaps"))
def overlap_refused(net):
    overlap(net, PORT_V, PORT_OWN, NO).quit()


@capture("EV16", evasion("accepted", "medium"), name="retransmission",
         readings=TWO_READINGS, counters=("ambiguous", "overlaps"))
def retransmission_differs(net):
    session = FtpSession(net).ready()
    tcp, end = session.tcp, session.tcp.client
    tcp.emit(end, ACK | PSH, PORT_OWN)
    place(tcp, end, PORT_V, (0, len(PORT_V)))
    session.reply(YES)
    session.active("LIST", C, 50000)
    session.quit()


@capture("EV16", *REFUSED, name="identical")
def retransmission_is_the_same(net):
    """Cut elsewhere the second time, as real stacks do."""
    session = FtpSession(net).ready()
    tcp, end = session.tcp, session.tcp.client
    tcp.emit(end, ACK | PSH, PORT_V[:10])
    net.wait(200 * MS)
    place(tcp, end, PORT_V, (0, 17), (10, 26))
    session.reply(NO)
    session.quit()


# ---- EV17: fragments

def in_24_bytes_v6(packet):
    """The ident of the fragments is the segment's checksum."""
    if len(packet) <= 64:
        return [packet]
    return wire.fragment_v6(packet, 24, int.from_bytes(packet[56:58], "big"))


def backwards(packet):
    return wire.fragment_v4(packet, 24)[::-1]


said("EV17", PORT_V, NO, name="v4", findings=REFUSED,
     reshape=lambda packet: wire.fragment_v4(packet, 24))
said("EV17", PORT_V, NO, name="backwards", findings=REFUSED,
     reshape=backwards)
said("EV17", b"EPRT |2|2001:db8:3::99|50000|\r\n", NO, name="v6",
     client=C6, server=SERVER6, reshape=in_24_bytes_v6, findings=[
         third_party("attempt", "low", V6.at(50000), client=C6.text,
                     server=SERVER6.text)])


@capture("EV17", *REFUSED, name="one-lost")
def one_fragment_lost(net):
    """The segment comes again, in one piece."""
    session = FtpSession(net).ready()
    tcp, end = session.tcp, session.tcp.client
    net.reshape = lambda packet: wire.fragment_v4(packet, 24)[:-1]
    tcp.emit(end, ACK | PSH, PORT_V)
    net.reshape = wire.as_it_is
    net.wait(200 * MS)
    session.cmd(PORT_V, NO)
    session.quit()


# ---- EV18, EV19: packets that the server never takes

def decoy(name, stage, level, host, outcome, copy, real, **trick):
    """A copy that does not count, then the segment that does."""
    spoilt = "good_checksum" in trick

    @capture("EV18", evasion(stage, level), name=name, readings=TWO_READINGS,
             malformed=spoilt, counters=("bad_checksums",) if spoilt else ())
    def build(net):
        session = FtpSession(net).ready()
        session.tcp.emit(session.tcp.client, ACK | PSH, copy, **trick)
        session.cmd(real, YES)
        session.list_to(host, 50000, outcome)
        session.quit()


decoy("checksum", "executed", "high", V, "closed", PORT_OWN, PORT_V,
      good_checksum=False)
decoy("ttl", "executed", "high", V, "closed", PORT_OWN, PORT_V, ttl=1)
decoy("checksum-of-attack", "accepted", "medium", C, "open", PORT_V, PORT_OWN,
      good_checksum=False)


def fake_reset(name, **trick):
    spoilt = "good_checksum" in trick

    @capture("EV18", evasion("executed", "high"), name=name, malformed=spoilt,
             counters=("bad_checksums",) if spoilt else ("after_reset",))
    def build(net):
        session = FtpSession(net).ready()
        session.tcp.emit(session.tcp.client, RST | ACK, **trick)
        session.cmd(PORT_V, YES)
        session.active_closed("LIST", V, 50000)
        session.quit()


fake_reset("reset-ttl", ttl=1)
fake_reset("reset-checksum", good_checksum=False)


USER = b"USER anonymous\r\n"


def open_with_data(net, taken):
    session = FtpSession(net)
    tcp = session.tcp
    tcp.syn(USER)
    if taken:
        tcp.client.seq += len(USER)
    tcp.syn_ack()
    tcp.ack(tcp.client)
    session.reply("220 FTP server ready.")
    if not taken:
        session.say(USER)
    session.reply("331 Please specify the password.")
    session.cmd("PASS guest@example.org", "230 Login successful.")
    session.settle()
    return session


@capture("EV19", *REFUSED, name="syn-data")
def data_in_syn(net):
    """TCP Fast Open: the first command comes with the SYN."""
    session = open_with_data(net, taken=True)
    session.cmd(PORT_V, NO)
    session.quit()


@capture("EV19", *REFUSED, name="syn-data-ignored")
def data_in_syn_ignored(net):
    session = open_with_data(net, taken=False)
    session.cmd(PORT_V, NO)
    session.quit()


def again(net, reset):
    first = FtpSession(net, client_port=41822).ready()
    first.port(C, 50000)
    if reset:
        first.tcp.rst(first.tcp.client)
    net.wait(2 * S)
    return FtpSession(net, client_port=41822).ready()


@capture("EV19", *REFUSED, name="reuse")
def ports_used_again(net):
    session = again(net, reset=True)
    session.cmd(PORT_V, NO)
    session.quit()


@capture("EV19", *REFUSED, name="reuse-unclosed")
def ports_used_again_without_an_end(net):
    """The client's host was switched off and on."""
    session = again(net, reset=False)
    session.cmd(PORT_V, NO)
    session.quit()


# ---- EV20 to EV23

said("EV20", PORT_V + b"LIST\r\n", NO, LIST_REFUSED, name="list-refused",
     findings=REFUSED)


@capture("EV20", third_party("executed", "high"), name="list-taken")
def port_and_list_at_once(net):
    session = FtpSession(net).ready()
    session.cmd(PORT_V + b"LIST\r\n", YES)
    session.dial(V, 50000).refused()
    session.reply("425 Failed to establish connection.")
    session.quit()


@capture("EV20", *REFUSED, name="hidden-before")
def hidden_before_a_good_one(net):
    session = FtpSession(net).ready()
    session.cmd(PORT_V + PORT_OWN, NO, YES)
    session.active("LIST", C, 50000)
    session.quit()


@capture("EV20", third_party("accepted", "medium"), name="both-accepted")
def hidden_and_accepted(net):
    session = FtpSession(net).ready()
    session.cmd(PORT_V + PORT_OWN, YES, YES)
    session.active("LIST", C, 50000)
    session.quit()


said("EV20", PORT_OWN + PORT_V, YES, NO, name="hidden-behind",
     findings=REFUSED)


@capture("EV21", *REFUSED, name="one-segment", counters=("lines_cut",))
def long_line_offloaded(net):
    """More than a wire carries: the network card cuts it after the tap."""
    session = FtpSession(net).ready()
    session.tcp.send(session.tcp.client, b"X" * 6000 + b"\r\n" + PORT_V,
                     size=9000)
    session.reply(UNKNOWN)
    session.reply(NO)
    session.quit()


@capture("EV21", *REFUSED, name="segments", counters=("lines_cut",))
def long_line(net):
    session = FtpSession(net).ready()
    session.say(b"NOOP " + b"x" * 6000 + b"\r\n" + PORT_V)
    session.reply("500 Line too long.")
    session.reply(NO)
    session.quit()


said("EV22", PORT_V, NO, name="refused", port=2121, findings=REFUSED)


@capture("EV22", third_party("completed", "high"), name="completed")
def another_control_port(net):
    session = FtpSession(net, port=2121, data_port=38112).ready()
    session.port(V, 50000)
    session.active("LIST", V, 50000)
    session.quit()


@capture("EV23", *REFUSED, name="midstream", confidence="low",
         counters=("control_midstream",))
def tap_comes_late(net):
    session = FtpSession(net)
    session.cmd("PWD", '257 "/pub" is the current directory')
    session.cmd(PORT_V, NO)
    session.quit()


@capture("EV23", third_party("executed", "high"), name="midstream-executed",
         confidence="low", counters=("control_midstream",))
def tap_comes_late_and_sees_it(net):
    session = FtpSession(net)
    session.cmd(PORT_V, YES)
    session.active_closed("LIST", V, 50000)
    session.quit()


def hidden_replies(packet):
    """What the server sends to the client takes another way."""
    answers = packet[12:20] == SERVER.packed + C.packed
    return [] if answers else [packet]


said("EV23", PORT_V, NO, name="one-sided", reshape=hidden_replies,
     confidence="low", counters=("control_one_sided",),
     findings=[third_party("attempt", "medium")])
dialled("EV23", PORT_V, V, 50000, name="one-sided-executed",
        reshape=hidden_replies, confidence="low",
        counters=("control_one_sided",),
        findings=[third_party("executed", "high")])


@capture("EV23", *REFUSED, name="gap", counters=("gaps",))
def tap_loses_a_segment(net):
    """The server has got it, as its reply says."""
    session = FtpSession(net).ready()
    net.reshape = lambda packet: []
    session.say("CWD pub")
    net.reshape = wire.as_it_is
    session.reply("250 Directory successfully changed.")
    session.cmd(PORT_V, NO)
    session.quit()


# ---- EV24, EV25: TLS

def unexplained(stage):
    return Finding("unexplained_data_syn", stage, "medium", V_HIGH)


def unseen_port_and_list(net, data_port=20):
    """Login, PORT and LIST, and all that the tap knows is their size."""
    session = after_auth_tls(net, HELLO_PLAIN)
    session.data_port = data_port
    for command, answer in ((16, 34), (24, 23), (26, 30)):
        encrypted(session, session.tcp.client, command)
        encrypted(session, session.tcp.server, answer)
    encrypted(session, session.tcp.client, 6)
    return session


def last_reply(session):
    encrypted(session, session.tcp.server, 40)
    session.tcp.close()


@capture("EV24", unexplained("executed"), name="closed",
         counters=("control_encrypted",))
def blind_from_port_20(net):
    session = unseen_port_and_list(net)
    session.dial(V, 50000).refused()
    last_reply(session)


@capture("EV24", unexplained("completed"), name="completed",
         counters=("control_encrypted",))
def blind_and_data_flows(net):
    session = unseen_port_and_list(net)
    data = session.dial(V, 50000).handshake()
    data.send(data.client, b"-rw-r--r-- 1 ftp ftp 1 Nov 23 18:04 a\r\n")
    data.close(data.client)
    last_reply(session)


@capture("EV24", unexplained("executed"), name="any-port",
         counters=("control_encrypted",))
def blind_from_any_port(net):
    session = unseen_port_and_list(net, data_port=41234)
    net.wait(2 * S)
    session.dial(V, 50000).refused()
    last_reply(session)


@capture("EV24", name="own-address", counters=("control_encrypted",))
def blind_to_the_client(net):
    session = unseen_port_and_list(net)
    data = session.dial(C, 50000).handshake()
    data.send(data.server, HELLO_PLAIN)
    data.close(data.client)
    last_reply(session)


@capture("EV24", name="any-port-later", counters=("control_encrypted",))
def unrelated_connection(net):
    """The server's host fetches something for itself."""
    session = unseen_port_and_list(net)
    last_reply(session)
    net.wait(8 * S)
    web = Tcp(net, SERVER, 41234, V, 443).handshake()
    web.send(web.client, HELLO_PLAIN)
    web.close()


def cleared(net):
    """AUTH TLS, login, CCC, and the end of TLS by both sides."""
    session = after_auth_tls(net, HELLO_PLAIN)
    tcp = session.tcp
    for command, answer in ((16, 34), (24, 23), (5, 20)):
        encrypted(session, tcp.client, command)
        encrypted(session, tcp.server, answer)
    for end in (tcp.client, tcp.server):
        tcp.send(end, record(21, 19, net))
    tcp.ack(tcp.client)
    return session


@capture("EV25", *REFUSED, name="refused",
         counters=("control_encrypted",))
def clear_again(net):
    session = cleared(net)
    session.cmd(PORT_V, NO)
    session.quit()


@capture("EV25", third_party("executed", "high"), name="executed",
         counters=("control_encrypted",))
def clear_again_executed(net):
    session = cleared(net)
    session.cmd(PORT_V, YES)
    session.active_closed("LIST", V, 50000)
    session.quit()


@capture("EV25", *REFUSED, name="mimic")
def hello_to_a_clear_server(net):
    """It looks like TLS, but the server does not agree."""
    session = FtpSession(net).greet()
    session.cmd(b"\x16\x03\r\n", UNKNOWN)
    for line, reply in ((b"USER ftp\r\n", "331 Password, please."),
                        (b"PASS a@b\r\n", "230 Logged in."), (PORT_V, NO)):
        session.cmd(TELNET_NOP + line, reply)
    session.quit()


@capture("EV25", name="line-ends", counters=("control_encrypted",))
def hello_with_line_ends(net):
    """Implicit TLS: random bytes may be LF, or the name of a command."""
    session = FtpSession(net, port=990)
    session.tcp.handshake()
    tls_handshake(session, client_hello("\nNOOP\r\n\n.example.org"))
    encrypted(session, session.tcp.client, 40)
    encrypted(session, session.tcp.server, 30)
    session.tcp.close()


@capture("EV25", *REFUSED, name="same-segment",
         counters=("control_encrypted",))
def clear_behind_the_last_record(net):
    session = after_auth_tls(net, HELLO_PLAIN)
    tcp = session.tcp
    tcp.send(tcp.client, record(21, 19, net) + PORT_V)
    tcp.send(tcp.server, record(21, 19, net))
    session.reply(NO)
    session.quit()


@capture("EV25", *REFUSED, name="odd-byte", counters=("control_encrypted",))
def clear_with_a_high_byte_first(net):
    session = cleared(net)
    session.tcp.send(session.tcp.client, b"\x90NOOP\r\n" + PORT_V)
    session.reply(UNKNOWN)
    session.reply(NO)
    session.quit()


@capture("EV25", name="looks-clear", counters=("control_encrypted",))
def ciphertext_like_a_command(net):
    """A record goes on in the next segment, and not in the clear."""
    session = after_auth_tls(net, HELLO_PLAIN)
    tcp = session.tcp
    sealed = record(23, 100, net)
    tcp.send(tcp.client, sealed[:60])
    tcp.send(tcp.client, PORT_V + sealed[60 + len(PORT_V):])
    tcp.ack(tcp.server)
    encrypted(session, tcp.server, 30)
    session.tcp.close()


# ---- EV26, EV27: ways to write an address in EPRT

ON_V6 = {"client": C6, "server": SERVER6}


def over_v6(stage, level, asked=V6.at(50000), variant="third_party"):
    return Finding(variant, stage, level, asked, C6.text, SERVER6.text)


plain("EV26", "bang", b"EPRT !1!203.0.113.99!50000!\r\n")
plain("EV26", "comma", b"EPRT ,1,203.0.113.99,50000,\r\n")
said("EV26", b"EPRT ~2~2001:db8:3::99~50000~\r\n", NO, name="tilde", **ON_V6,
     findings=[over_v6("attempt", "low")])

said("EV27", b"EPRT |2|2001:DB8:0003:0000:0000:0000:0000:0099|50000|\r\n", NO,
     name="zeros", **ON_V6, findings=[over_v6("attempt", "low")])
said("EV27", b"EPRT |2|2001:db8:3::99%eth0|50000|\r\n", NO, name="zone",
     malformed=True, **ON_V6, findings=[
         over_v6("attempt", "low", variant="invalid_target")])
plain("EV27", "mapped-hex", b"EPRT |2|::FFFF:cb00:7163|50000|\r\n")
plain("EV27", "mapped-long", b"EPRT |2|0:0:0:0:0:ffff:203.0.113.99|50000|\r\n")
said("EV27", b"EPRT |2|64:ff9b::203.0.113.99|50000|\r\n",
     "522 Network protocol not supported, use (1)", name="nat64", findings=[
         third_party("attempt", "low", "[64:ff9b::cb00:7163]:50000")])


# ---- EV28: what packets travel in

def travelling(name, link=None, **more):
    said("EV28", PORT_V, NO, name=name, link=link, findings=REFUSED, **more)


def travelling_v6(name, **more):
    said("EV28", b"EPRT |2|2001:db8:3::99|50000|\r\n", NO, name=name, **ON_V6,
         findings=[over_v6("attempt", "low")], **more)


ROUTER_ALERT = b"\x94\x04\0\0\x01\x01\x01\0"

travelling("vlan", wire.VLAN)
travelling("qinq", wire.QINQ)
travelling("gre", wire.Gre())
travelling("gre-key", wire.Gre(key=7))
travelling("pppoe", wire.Pppoe())
travelling("vxlan", wire.Vxlan())
travelling("sll", wire.Cooked())
travelling("sll2", wire.Cooked2())
travelling("loopback", wire.Loopback())
travelling("raw", wire.Raw())
travelling("nanoseconds", form="nano")
travelling("big-endian", form="swapped")
travelling("pcapng", form="pcapng")
travelling("ip-options", reshape=lambda packet: [
    wire.v4_options(packet, ROUTER_ALERT)])
travelling_v6("extensions", reshape=lambda packet: [
    wire.v6_extended(packet, wire.HOP_BY_HOP, wire.DESTINATION)])
travelling_v6("pppoe6", link=wire.Pppoe())
travelling_v6("gre6", link=wire.Gre())
travelling_v6("loopback6", link=wire.Loopback())
travelling_v6("raw6", link=wire.Raw())


# ---- EV29 to EV31

def urgent_port(net):
    """"PO", an urgent byte, "RT ...": out of band it is not in the line."""
    session = FtpSession(net).ready()
    tcp, end = session.tcp, session.tcp.client
    line = PORT_V[:2] + b"X" + PORT_V[2:]
    tcp.emit(end, ACK | PSH | URG, line, urgent=3)
    end.seq += len(line)
    return session


@capture("EV29", evasion("attempt", "low"), name="refused",
         readings=(V_HIGH,))
def urgent_refused(net):
    session = urgent_port(net)
    session.reply(NO)
    session.quit()


@capture("EV29", evasion("executed", "high"), name="taken",
         readings=(V_HIGH,))
def urgent_taken(net):
    session = urgent_port(net)
    session.reply(YES)
    session.active_closed("LIST", V, 50000)
    session.quit()


@capture("EV30", third_party("executed", "high"), name="executed")
def reply_without_end(net):
    session = FtpSession(net).ready()
    session.cmd("HELP", b"214-The following commands are recognized.\r\n"
                b" USER PASS PORT PASV LIST RETR QUIT\r\n")
    session.cmd(PORT_V, YES)
    session.active_closed("LIST", V, 50000)
    session.quit()


MANY = 100_000


def idle_sessions(net, count):
    """Sessions that are opened and never closed, a packet at a time: Tcp
    would take minutes.  Five packets each, 200 us apart."""
    greeting = b"220 FTP server ready.\r\n"
    for n in range(count):
        who = Host(f"198.{18 + (n >> 16)}.{n >> 8 & 255}.{n & 255}", ttl=57)
        port = 32768 + n % 28000
        for source, flags, seq, ack, payload in (
                (who, wire.SYN, 1000, 0, b""),
                (SERVER, wire.SYN | ACK, 5000, 1001, b""),
                (who, ACK, 1001, 5001, b""),
                (SERVER, ACK | PSH, 5001, 1001, greeting),
                (who, ACK | PSH, 1001, 5001 + len(greeting), USER)):
            target, ports = ((SERVER, (port, 21)) if source is who else
                             (who, (21, port)))
            segment = wire.tcp_segment(source, target, *ports, seq, ack,
                                       flags, payload)
            net.put(wire.ipv4(source, target, segment))
            net.wait(200 * US)


@capture("EV31", slow=True, counters=("flows_shed",), args="--memory 4")
def a_hundred_thousand_open(net):
    idle_sessions(net, MANY)
