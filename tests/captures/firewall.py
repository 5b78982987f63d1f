# tests/captures/firewall.py: rows FW01 to FW07: aimed at firewalls, or from
# another protocol.
# SPDX-License-Identifier: Apache-2.0

import struct

from captures.talk import FtpSession
from captures.truth import Finding, capture, said
from captures.wire import ACK, C, MS, PSH, S, SERVER, V, Host

NO = "504 Command not implemented for that parameter."
YES = "200 PORT command successful."
V_SSH = V.at(22)
SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"


# ---- FW01: a hole punched from inside

INSIDE = Host("192.168.1.50", ttl=64, answer_us=500)
PUNCH = "PORT 192,168,1,50,1,189"


def holepunch(stage):
    return Finding("alg_holepunch", stage, "high", INSIDE.at(445),
                   INSIDE.text, V.text)


def from_inside(net):
    """To a "server" outside which listens on port 21 and says nothing."""
    return FtpSession(net, INSIDE, V, data_port=40021)


@capture("FW01", holepunch("attempt"), name="port")
def port_before_any_greeting(net):
    session = from_inside(net)
    session.tcp.handshake()
    session.say(PUNCH)
    session.tcp.ack(session.tcp.server)
    net.wait(10 * S)
    session.tcp.close()


@capture("FW01", holepunch("completed"), name="used")
def hole_is_used(net):
    session = from_inside(net)
    session.tcp.handshake()
    session.say(PUNCH)
    session.tcp.ack(session.tcp.server)
    net.wait(200 * MS)
    data = session.dial(INSIDE, 445).handshake()
    data.send(data.client, b"\0\0\0\x85\xffSMBr" + b"\0" * 128)
    data.close(data.client)
    session.tcp.close()


def post(body, host):
    """What a page makes a browser send; the body has lines of its own."""
    return (f"POST / HTTP/1.1\r\nHost: {host}:21\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n"
            "Content-Type: text/plain\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


@capture("FW01", holepunch("attempt"),
         Finding("cross_protocol", "attempt", "high", "-", INSIDE.text,
                 V.text), name="slipstream")
def slipstream(net):
    """The body is padded so that PORT begins a segment, where the firewall's
    helper looks for it."""
    session = from_inside(net)
    tcp = session.tcp.handshake()
    head = post(b"", V.text)
    line = f"{PUNCH}\r\n".encode()
    tcp.send(tcp.client, head.ljust(1460, b"A"))
    tcp.send(tcp.client, b"A" * 1458 + b"\r\n")
    tcp.send(tcp.client, line)
    tcp.ack(tcp.server)
    net.wait(5 * S)
    tcp.close()


# ---- FW02: a reply inside a reply

INJECTED = f"227 Entering Passive Mode ({SERVER.text.replace('.', ',')},0,22)"


def injection(stage):
    return Finding("alg_reply_injection", stage, "high", SERVER.at(22))


def echo_split_at_227(net):
    """The server repeats the line in its error; the client has chosen the
    segment size and the line's length so that "227 " begins a segment."""
    session = FtpSession(net)
    tcp = session.tcp.handshake(mss=536)
    session.reply("220 FTP server ready.")
    session.login()
    quoted = "500 '"
    filler = "A" * (536 - len(quoted))
    session.say(filler + INJECTED)
    answer = f"{quoted}{filler}{INJECTED}': command not understood.\r\n"
    tcp.send(tcp.server, answer.encode(), size=536)
    tcp.ack(tcp.client)
    return session


def through_the_hole(session):
    """The connection for which the firewall has opened the port."""
    data = session.join(22).handshake()
    data.send(data.server, SSH_BANNER)
    data.close(data.client)


@capture("FW02", injection("attempt"), name="echo")
def reply_injected(net):
    echo_split_at_227(net).quit()


@capture("FW02", injection("completed"), name="used")
def reply_injected_and_used(net):
    session = echo_split_at_227(net)
    through_the_hole(session)
    session.quit()


said("FW02", f"DELE {INJECTED}", f"550 {INJECTED}: No such file.",
     name="file-name")


# ---- FW03: a reply that the server never sent

def spoof(session):
    """From the server's address, with a sequence number out of the air: the
    client's own stack would drop it, the firewall may not."""
    tcp = session.tcp
    tcp.emit(tcp.server, PSH | ACK, INJECTED.encode() + b"\r\n",
             seq=tcp.server.seq + 0x40000000, ttl=128)


@capture("FW03", injection("attempt"), name="spoofed")
def reply_spoofed(net):
    session = FtpSession(net).greet()
    spoof(session)
    session.tcp.close()


@capture("FW03", injection("completed"), name="used")
def reply_spoofed_and_used(net):
    """firewall-bypass.nse: a greeting is enough for it."""
    session = FtpSession(net).greet()
    spoof(session)
    net.wait(100 * MS)
    through_the_hole(session)
    session.tcp.close()


@capture("FW03", name="retransmission")
def reply_repeated(net):
    """The client's ACK was lost; the server says 227 again."""
    session = FtpSession(net).ready()
    session.say("PASV")
    tcp, begin = session.tcp, session.tcp.server.seq
    line = b"227 Entering Passive Mode (192,0,2,21,184,9).\r\n"
    tcp.send(tcp.server, line)
    net.wait(200 * MS)
    tcp.emit(tcp.server, PSH | ACK, line, seq=begin)
    tcp.ack(tcp.client)
    session.passive("LIST", 184 * 256 + 9)
    session.quit()


# ---- FW04: a browser's request

HTTP = Finding("cross_protocol", "attempt", "high")
BODY = b"PORT 10,0,0,5,0,22\r\n"
HEAD = post(BODY, SERVER.text)[:-len(BODY)]


def refuse_each_line(session):
    for _ in range(HEAD.count(b"\r\n")):
        session.tcp.send(session.tcp.server, b"500 Unknown command.\r\n")
    session.reply("530 Please login with USER and PASS.")


PREAUTH_SSH = Finding("preauth", "attempt", "low", "10.0.0.5:22")


@capture("FW04", HTTP, PREAUTH_SSH, name="greeted")
def browser_after_the_greeting(net):
    session = FtpSession(net).greet()
    session.say(HEAD)
    session.say(BODY)
    refuse_each_line(session)
    session.tcp.close()


@capture("FW04", HTTP, PREAUTH_SSH, name="one-segment")
def headers_and_body_together(net):
    session = FtpSession(net).greet()
    session.say(HEAD + BODY)
    refuse_each_line(session)
    session.tcp.close()


@capture("FW04", HTTP,
         Finding("alg_holepunch", "attempt", "high", "10.0.0.5:22"),
         name="eager")
def browser_does_not_wait(net):
    """Its request and the greeting cross."""
    session = FtpSession(net)
    session.tcp.handshake()
    session.say(HEAD)
    session.say(BODY)
    session.tcp.send(session.tcp.server, b"220 FTP server ready.\r\n")
    refuse_each_line(session)
    session.tcp.close()


@capture("FW04", HTTP, name="get")
def lost_browser(net):
    session = FtpSession(net).greet()
    session.cmd(b"GET / HTTP/1.1\r\n", "500 Unknown command.")
    session.tcp.close(session.tcp.server)


# ---- FW05: a line hidden behind another

def hidden(asked):
    return Finding("cross_protocol", "attempt", "medium", asked)


said("FW05", b"CWD x\r\nPORT 203,0,113,99,0,22\r\n",
     "550 Failed to change directory.", NO, name="cwd", findings=[
         hidden(V_SSH), Finding("third_party", "attempt", "medium", V_SSH)])
said("FW05", b"RETR a.txt\r\nEPRT |1|203.0.113.99|6379|\r\n",
     "550 Failed to open file.", "200 EPRT command successful.", name="retr",
     findings=[hidden(V.at(6379)),
               Finding("third_party", "accepted", "medium", V.at(6379))])
said("FW05", b"CWD x\r\nPORT 198,51,100,7,0,25\r\n",
     "550 Failed to change directory.", NO, name="own-low-port", findings=[
         hidden(C.at(25)),
         Finding("privileged_port", "attempt", "low", C.at(25))])


@capture("FW05", hidden(V_SSH),
         Finding("preauth", "attempt", "low", V_SSH), name="user")
def hidden_in_the_name(net):
    session = FtpSession(net).greet()
    session.cmd(b"USER x\r\nPORT 203,0,113,99,0,22\r\n",
                "331 Please specify the password.",
                "530 Please login with USER and PASS.")
    session.tcp.close()


@capture("FW05", name="pipelining")
def pipelining_client(net):
    session = FtpSession(net).ready()
    session.cmd(b"CWD pub\r\nPORT 198,51,100,7,195,80\r\n",
                "250 Directory successfully changed.", YES)
    session.active("LIST", C, 50000)
    session.quit()


# ---- FW06: a TLS hello that was meant for another server

def extension(kind, body):
    return struct.pack(">HH", kind, len(body)) + body


def client_hello(name, *protocols):
    """A ClientHello as browsers send it, with an ALPN list or none."""
    host = name.encode()
    extensions = extension(0, struct.pack(">HBH", len(host) + 3, 0,
                                          len(host)) + host)
    extensions += extension(10, bytes.fromhex("0004001d0017"))
    extensions += extension(43, bytes.fromhex("0403040303"))
    if protocols:
        names = b"".join(bytes([len(p)]) + p for p in protocols)
        extensions += extension(16, struct.pack(">H", len(names)) + names)
    body = (b"\x03\x03" + bytes(range(32)) + b"\x20" + bytes(range(32)) +
            bytes.fromhex("0006130113021303") + b"\x01\x00" +
            struct.pack(">H", len(extensions)) + extensions)
    handshake = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


def record(kind, size, net):
    """An encrypted record, or a handshake's that nobody looks into."""
    return struct.pack(">BHH", kind, 0x0303, size) + net.random.randbytes(size)


def tls_handshake(session, hello):
    tcp, net = session.tcp, session.net
    tcp.send(tcp.client, hello)
    tcp.send(tcp.server, record(22, 122, net) + record(20, 1, net) +
             record(23, 2100, net))
    tcp.send(tcp.client, record(20, 1, net) + record(23, 53, net))
    tcp.ack(tcp.server)


def encrypted(session, end, size):
    """A command or a reply that the sensor cannot read."""
    tcp = session.tcp
    tcp.send(end, record(23, size + 17, session.net))
    tcp.ack(tcp.peer(end))


def after_auth_tls(net, hello):
    session = FtpSession(net).greet()
    session.cmd("AUTH TLS", "234 Proceed with negotiation.")
    tls_handshake(session, hello)
    return session


HELLO_WEB = client_hello("www.example.com", b"h2", b"http/1.1")
HELLO_FTP = client_hello("ftp.example.org", b"ftp")
HELLO_PLAIN = client_hello("ftp.example.org")
TLS_HELLO = Finding("cross_protocol", "attempt", "medium")


@capture("FW06", TLS_HELLO, name="auth-tls", counters=("control_encrypted",))
def alpaca_after_auth(net):
    session = after_auth_tls(net, HELLO_WEB)
    for _ in range(3):
        encrypted(session, session.tcp.client, 40)
        encrypted(session, session.tcp.server, 30)
    session.tcp.close()


@capture("FW06", TLS_HELLO, name="implicit", counters=("control_encrypted",))
def alpaca_implicit(net):
    session = FtpSession(net, port=990)
    session.tcp.handshake()
    tls_handshake(session, HELLO_WEB)
    encrypted(session, session.tcp.server, 30)
    encrypted(session, session.tcp.client, 60)
    session.tcp.close()


@capture("FW06", TLS_HELLO, name="clear-port")
def alpaca_on_21(net):
    """The server expects text, and answers in it."""
    session = FtpSession(net).greet()
    session.tcp.send(session.tcp.client, HELLO_WEB)
    session.reply("500 Unknown command.")
    session.tcp.close(session.tcp.server)


@capture("FW06", name="alpn-ftp", counters=("control_encrypted",))
def proper_ftps(net):
    session = after_auth_tls(net, HELLO_FTP)
    encrypted(session, session.tcp.client, 16)
    encrypted(session, session.tcp.server, 34)
    session.tcp.close()


@capture("FW06", name="no-alpn", counters=("control_encrypted",))
def usual_ftps(net):
    session = after_auth_tls(net, HELLO_PLAIN)
    encrypted(session, session.tcp.client, 16)
    encrypted(session, session.tcp.server, 34)
    session.tcp.close()


# ---- FW07: another protocol in a bounced connection

REQUEST = b"GET /latest/meta-data/ HTTP/1.0\r\n\r\n"
REDIS = (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$4\r\nboom\r\n"
         b"*1\r\n$4\r\nSAVE\r\n")
SMTP = b"EHLO ftp.example.net\r\nMAIL FROM:<a@example.net>\r\n"


def service(name, port, level, payload, banner=b""):
    """Bytes of a service's protocol from a file that was there before."""
    @capture("FW07", Finding("third_party", "completed", level, V.at(port)),
             Finding("payload_relay", "completed", "critical", V.at(port)),
             name=name)
    def build(net):
        session = FtpSession(net).ready()
        session.port(V, port)
        session.active("RETR pub/readme", V, port, payload, banner)
        session.quit()


service("http", 80, "critical", REQUEST)
service("smtp", 25, "critical", SMTP, b"220 mx.example.org ESMTP\r\n")
service("redis", 6379, "high", REDIS)


@capture("FW07", name="own-address")
def such_a_file_to_its_reader(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.active("RETR pub/requests.log", C, 50000, REQUEST)
    session.pasv(47113)
    session.passive("RETR pub/requests.log", 47113, REQUEST)
    session.quit()
