# tests/captures/bounce.py: rows BO00 to BO28: bounce proper.
# SPDX-License-Identifier: Apache-2.0
"""Where a row has several outcomes: refused, accepted and left at that,
executed (a SYN of the server's), completed (payload)."""

from captures.talk import FtpSession, numbers
from captures.truth import Finding, capture, dialled, said
from captures.wire import C, C6, MS, S, SERVER, SERVER2, SERVER6, V, V6, Host

NO = "504 Command not implemented for that parameter."
YES = "200 PORT command successful."
YES_EPRT = "200 EPRT command successful."
MINUTE, HOUR = 60 * S, 3600 * S
V_HIGH, V_SSH, V_MAIL = V.at(50000), V.at(22), V.at(25)

MAIL = (b"HELO ftp.example.net\r\nMAIL FROM:<a@example.net>\r\n"
        b"RCPT TO:<b@example.org>\r\nDATA\r\nSubject: hello\r\n\r\nhello\r\n"
        b".\r\nQUIT\r\n")
MAIL_BANNER = b"220 mx.example.org ESMTP\r\n"


def third_party(stage, level, asked=V_HIGH, **ends):
    return Finding("third_party", stage, level, asked, **ends)


# ---- BO00: the client's own address

@capture("BO00")
def own_address(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.active("LIST", C, 50000)
    session.port(C, 50001)
    session.active("RETR pub/t2m_1998-01.grib2", C, 50001, b"GRIB" * 4000)
    session.quit()


@capture("BO00", name="eprt")
def own_address_eprt(net):
    session = FtpSession(net).ready()
    session.eprt(C, 50000)
    session.active("NLST", C, 50000)
    session.quit()


@capture("BO00", name="eprt6")
def own_address_v6(net):
    session = FtpSession(net, C6, SERVER6).ready()
    session.eprt(C6, 50000)
    session.active("LIST", C6, 50000)
    session.quit()


# ---- BO01, BO02: a third party

said("BO01", "PORT 203,0,113,99,195,80", NO, name="refused",
     findings=[third_party("attempt", "low")])
said("BO01", "PORT 203,0,113,99,195,80", YES, name="accepted",
     findings=[third_party("accepted", "medium")])
dialled("BO01", "PORT 203,0,113,99,195,80", V, 50000, name="closed",
        findings=[third_party("executed", "high")])
dialled("BO01", "PORT 203,0,113,99,195,80", V, 50000, outcome="silent",
        name="silent", findings=[third_party("executed", "high")])
dialled("BO01", "PORT 203,0,113,99,195,80", V, 50000, outcome="open",
        name="completed", findings=[third_party("completed", "high")])


@capture("BO01", third_party("attempt", "medium"), name="unanswered")
def no_reply_at_all(net):
    """The client leaves before the server has said what it thinks."""
    session = FtpSession(net).ready()
    session.say("PORT 203,0,113,99,195,80")
    session.tcp.rst(session.tcp.client)


said("BO02", "PORT 203,0,113,99,0,22", NO, name="refused",
     findings=[third_party("attempt", "medium", V_SSH)])
said("BO02", "PORT 203,0,113,99,0,22", YES, name="accepted",
     findings=[third_party("accepted", "high", V_SSH)])
dialled("BO02", "PORT 203,0,113,99,0,22", V, 22, name="closed",
        findings=[third_party("executed", "critical", V_SSH)])
dialled("BO02", "PORT 203,0,113,99,0,22", V, 22, outcome="open",
        name="completed",
        findings=[third_party("completed", "critical", V_SSH)])


# ---- BO03 to BO06: the client's low port, and hosts near the server

said("BO03", "PORT 198,51,100,7,2,1", NO, name="refused", findings=[
    Finding("privileged_port", "attempt", "low", C.at(513))])
dialled("BO03", "PORT 198,51,100,7,2,1", C, 513, name="closed", findings=[
    Finding("privileged_port", "executed", "high", C.at(513))])

said("BO04", "PORT 127,0,0,1,0,25", NO, name="refused", findings=[
    Finding("loopback", "attempt", "medium", "127.0.0.1:25")])


@capture("BO04", Finding("loopback", "accepted", "high", "127.0.0.1:25"),
         name="accepted")
def loopback_accepted(net):
    """A connection to the loopback passes no tap: only replies tell."""
    session = FtpSession(net).ready()
    session.cmd("PORT 127,0,0,1,0,25", YES)
    session.cmd("LIST", "150 Here it comes.", "226 Transfer complete.")
    session.quit()


said("BO05", "PORT 192,0,2,21,12,234", NO, name="refused", findings=[
    Finding("self", "attempt", "medium", SERVER.at(3306))])
said("BO05", "PORT 192,0,2,21,12,234", YES, name="accepted", findings=[
    Finding("self", "accepted", "high", SERVER.at(3306))])

INNER = Host("10.0.0.5", answer_us=500)
said("BO06", "PORT 10,0,0,5,0,80", NO, name="refused", findings=[
    Finding("internal", "attempt", "medium", INNER.at(80))])
said("BO06", "PORT 10,0,0,5,0,80", YES, name="accepted", findings=[
    Finding("internal", "accepted", "high", INNER.at(80))])
dialled("BO06", "PORT 10,0,0,5,0,80", INNER, 80, name="closed", findings=[
    Finding("internal", "executed", "critical", INNER.at(80))])
dialled("BO06", "PORT 10,0,0,5,31,144", INNER, 8080, outcome="open",
        name="completed", findings=[
            Finding("internal", "completed", "critical", INNER.at(8080))])


# ---- BO07 to BO11: other commands that name an address

said("BO07", "EPRT |1|203.0.113.99|50000|", NO, name="refused",
     findings=[third_party("attempt", "low")])
dialled("BO07", "EPRT |1|203.0.113.99|50000|", V, 50000, name="closed",
        reply=YES_EPRT, findings=[third_party("executed", "high")])


def over_v6(variant, stage, level, asked):
    return Finding(variant, stage, level, asked, C6.text, SERVER6.text)


NEIGHBOUR6 = Host("2001:db8:1::8", ttl=57, answer_us=20_000)
V6_HIGH = V6.at(50000)
ON_V6 = {"client": C6, "server": SERVER6}

said("BO08", "EPRT |2|2001:db8:3::99|50000|", NO, name="refused", **ON_V6,
     findings=[over_v6("third_party", "attempt", "low", V6_HIGH)])
dialled("BO08", "EPRT |2|2001:db8:3::99|50000|", V6, 50000, outcome="open",
        name="completed", reply=YES_EPRT, **ON_V6,
        findings=[over_v6("third_party", "completed", "high", V6_HIGH)])
said("BO08", "EPRT |2|2001:db8:1::8|50000|", YES_EPRT, name="same-64", **ON_V6,
     findings=[over_v6("third_party", "accepted", "info",
                       NEIGHBOUR6.at(50000))])

said("BO09", "EPRT |2|::ffff:203.0.113.99|50000|", NO, name="refused",
     findings=[third_party("attempt", "low")])
dialled("BO09", "EPRT |2|::ffff:203.0.113.99|50000|", V, 50000, name="closed",
        reply=YES_EPRT, findings=[third_party("executed", "high")])
dialled("BO09b", "EPRT |2|::ffff:198.51.100.7|50000|", C, 50000,
        outcome="open", reply=YES_EPRT)

said("BO10", "EPRT |2|::1|25|", NO, name="loopback", **ON_V6,
     findings=[over_v6("loopback", "attempt", "medium", "[::1]:25")])
said("BO10", "EPRT |2|fe80::1%eth0|50000|", NO, name="zone", **ON_V6,
     malformed=True,
     findings=[over_v6("invalid_target", "attempt", "low",
                       "[fe80::1]:50000")])
said("BO10", "EPRT |2|fe80::1|50000|", YES_EPRT, name="link-local", **ON_V6,
     findings=[over_v6("internal", "accepted", "high", "[fe80::1]:50000")])

said("BO11", "LPRT 4,4,203,0,113,99,2,195,80", "502 Not implemented.",
     name="refused", findings=[third_party("attempt", "low")])
dialled("BO11", "LPRT 4,4,203,0,113,99,2,195,80", V, 50000, name="closed",
        reply="200 LPRT command successful.",
        findings=[third_party("executed", "high")])
said("BO11", "LPRT 6,16,32,1,13,184,0,3,0,0,0,0,0,0,0,0,0,153,2,195,80",
     "501 Illegal LPRT.", name="v6", **ON_V6,
     findings=[over_v6("third_party", "attempt", "low", V6_HIGH)])


# ---- BO12, BO13: no host, no port

@capture("BO12", *(
    Finding("invalid_target", "attempt", "low", asked) for asked in
    ("255.255.255.255:50000", "224.0.0.1:50001", "0.0.0.0:50002",
     "[::]:50003")), name="refused")
def no_single_host(net):
    """A port each, or it would be a scan of one port."""
    session = FtpSession(net).ready()
    session.cmd("PORT 255,255,255,255,195,80", NO)
    session.cmd("PORT 224,0,0,1,195,81", NO)
    session.cmd("PORT 0,0,0,0,195,82", NO)
    session.cmd("EPRT |2|::|50003|", NO)
    session.quit()


said("BO12", "PORT 255,255,255,255,195,80", YES, name="accepted", findings=[
    Finding("invalid_target", "accepted", "medium", "255.255.255.255:50000")])


@capture("BO12", over_v6("invalid_target", "attempt", "low", "[::]:44021"),
         name="lftp")
def lftp_over_v6(net):
    """lftp 4.9.2 does this in active mode; it is the client's fault."""
    session = FtpSession(net, C6, SERVER6).ready()
    session.cmd("EPRT |2|::|44021|", NO)
    session.epsv(51822)
    session.passive("LIST", 51822)
    session.quit()


said("BO13", "PORT 198,51,100,7,0,0", NO, name="refused", findings=[
    Finding("malformed", "attempt", "low", C.at(0))])
said("BO13", "PORT 198,51,100,7,0,0", YES, name="accepted", findings=[
    Finding("malformed", "accepted", "low", C.at(0))])


# ---- BO14 to BO17: scans

OUTCOMES = {21: "open", 22: "open", 23: "closed", 25: "closed", 80: "silent",
            443: "open"}
PORT_MAP = {21: "open", 22: "open", 23: "closed", 25: "closed",
            80: "filtered", 443: "open"}


def vertical(stage, level, asked=V.at(21), **ends):
    return Finding("scan_vertical", stage, level, asked, **ends)


@capture("BO14", vertical("attempt", "medium"), name="refused")
def scan_refused(net):
    session = FtpSession(net).ready()
    for port in OUTCOMES:
        session.port(V, port, NO)
        session.cmd("LIST", "425 Use PORT or PASV first.")
    session.reply("421 Too many refusals.")
    session.tcp.close(session.tcp.server)


@capture("BO14", vertical("completed", "critical"), name="executed",
         scan=PORT_MAP)
def scan_executed(net):
    session = FtpSession(net).ready()
    for port, outcome in OUTCOMES.items():
        session.port(V, port)
        session.list_to(V, port, outcome)
    session.quit()


def told_by_replies(session, outcome):
    """The transfer's replies alone: its data connection passed elsewhere."""
    session.say("LIST")
    if outcome == "open":
        session.net.wait(30 * MS)
        session.reply("150 Here it comes.")
        session.net.wait(60 * MS)
        session.reply("226 Transfer complete.")
        return
    session.net.wait(20 * S if outcome == "silent" else 30 * MS)
    session.reply("425 Failed to establish connection.")


@capture("BO14", vertical("accepted", "high"), name="replies", scan=PORT_MAP)
def scan_seen_in_replies(net):
    session = FtpSession(net).ready()
    for port, outcome in OUTCOMES.items():
        session.port(V, port)
        told_by_replies(session, outcome)
    session.quit()


@capture("BO14", third_party("attempt", "medium", V.at(21)), name="three")
def three_ports_are_no_scan(net):
    session = FtpSession(net).ready()
    for port in (21, 22, 23):
        session.port(V, port, NO)
    session.quit()


@capture("BO14", vertical("completed", "critical", asked=V6.at(21),
                          client=C6.text, server=SERVER6.text), name="v6",
         scan={21: "open", 22: "closed", 25: "closed", 80: "open"})
def scan_over_v6(net):
    session = FtpSession(net, C6, SERVER6).ready()
    for port, outcome in ((21, "open"), (22, "closed"), (25, "closed"),
                          (80, "open")):
        session.eprt(V6, port)
        session.list_to(V6, port, outcome)
    session.quit()


def neighbours(count):
    """Hosts from V's on."""
    return [Host(f"203.0.113.{99 + n}", V.ttl, V.answer_us)
            for n in range(count)]


@capture("BO15",
         *(third_party("attempt", "medium", host.at(22))
           for host in neighbours(3)),
         Finding("scan_horizontal", "attempt", "medium", V_SSH),
         name="refused")
def hosts_refused(net):
    session = FtpSession(net).ready()
    for host in neighbours(6):
        session.port(host, 22, NO)
        session.cmd("LIST", "425 Use PORT or PASV first.")
    session.quit()


@capture("BO15",
         third_party("completed", "critical", "203.0.113.99:22"),
         third_party("executed", "critical", "203.0.113.100:22"),
         third_party("executed", "critical", "203.0.113.101:22"),
         Finding("scan_horizontal", "completed", "critical", V_SSH),
         name="executed")
def hosts_executed(net):
    session = FtpSession(net).ready()
    outcomes = ("open", "closed", "silent", "open", "closed", "open")
    for host, outcome in zip(neighbours(6), outcomes):
        session.port(host, 22)
        session.list_to(host, 22, outcome)
    session.quit()


def slow(stage, level, asked=V.at(21)):
    return Finding("scan_slow", stage, level, asked)


@capture("BO16", slow("completed", "critical"), name="hours",
         scan={21: "open", 22: "open", 23: "closed", 25: "closed",
               80: "filtered", 443: "open"})
def a_port_an_hour(net):
    for port, outcome in OUTCOMES.items():
        session = FtpSession(net).ready()
        session.port(V, port)
        session.list_to(V, port, outcome)
        session.quit()
        net.wait(HOUR)


@capture("BO16", slow("attempt", "medium"), name="refused")
def a_port_an_hour_refused(net):
    for port in OUTCOMES:
        session = FtpSession(net).ready()
        session.port(V, port, NO)
        session.quit()
        net.wait(HOUR)


@capture("BO16", slow("accepted", "high"), name="one-connection")
def twelve_minutes_apart(net):
    session = FtpSession(net).ready()
    for port in (21, 22, 25, 80, 443):
        session.port(V, port)
        told_by_replies(session, "closed")
        for _ in range(4):  # or the server would end the idle session
            net.wait(3 * MINUTE)
            session.cmd("NOOP", "200 NOOP ok.")
    session.quit()


@capture("BO16", slow("executed", "critical"), name="two-servers",
         scan={21: "closed", 22: "closed", 25: "closed", 80: "closed"})
def two_servers_in_turn(net):
    for turn, port in enumerate((21, 22, 25, 80)):
        session = FtpSession(net, server=(SERVER, SERVER2)[turn % 2]).ready()
        session.port(V, port)
        session.active_closed("LIST", V, port)
        session.quit()
        net.wait(HOUR)


@capture("BO16", *(third_party("accepted", "high", host.at(22))
                   for host in neighbours(3)),
         slow("accepted", "high", V_SSH), name="horizontal")
def a_host_an_hour(net):
    for host in neighbours(5):
        session = FtpSession(net).ready()
        session.port(host, 22)
        told_by_replies(session, "closed")
        session.quit()
        net.wait(HOUR)


def nmap_login(net):
    """nmap -b waits for a banner that may be long, then asks for nothing
    that it does not need."""
    session = FtpSession(net).greet()
    net.wait(7 * S)
    return session.login(password="-wwwuser@")


NMAP_PORTS = ((21, "open"), (22, "open"), (25, "closed"), (80, "open"),
              (443, "closed"), (8080, "silent"))


@capture("BO17", vertical("completed", "critical"), name="nmap-b",
         label="nmap -b",
         scan={21: "open", 22: "open", 25: "closed", 80: "open",
               443: "closed", 8080: "filtered"})
def nmap_bounce_scan(net):
    """The last port is silent: nmap has gone when the server gives up."""
    session = nmap_login(net)
    for port, outcome in NMAP_PORTS[:-1]:
        session.port(V, port)
        session.list_to(V, port, outcome)
    session.port(V, 8080)
    session.say("LIST")
    begin = net.now
    data = session.dial(V, 8080)
    data.unanswered(12)
    session.tcp.fin(session.tcp.client)
    session.tcp.ack(session.tcp.server)
    net.now = begin + 15 * S
    data.syn()
    net.now = begin + 20 * S
    session.tcp.send(session.tcp.server,
                     b"425 Failed to establish connection.\r\n")
    session.tcp.rst(session.tcp.client)


@capture("BO17", vertical("attempt", "medium"), name="nmap-b-refused",
         label="nmap -b")
def nmap_refused(net):
    session = nmap_login(net)
    for port, _ in NMAP_PORTS:
        session.port(V, port, "500 Illegal PORT command.")
    session.tcp.close()


@capture("BO17", vertical("executed", "critical"), name="lockstep",
         label="nmap -b",
         scan={21: "closed", 22: "closed", 25: "closed", 80: "closed",
               443: "closed", 8080: "closed"})
def nmap_with_another_password(net):
    """-b user:password@server: the rhythm is what remains."""
    session = FtpSession(net).greet().login("archive", "secret")
    for port, _ in NMAP_PORTS:
        session.port(V, port)
        session.active_closed("LIST", V, port)
    session.tcp.close()


@capture("BO17", Finding("internal", "accepted", "high", "10.0.0.1:20560"),
         name="nse", label="nmap ftp-bounce")
def nmap_script(net):
    session = FtpSession(net).greet().login(password="IEUser@")
    session.cmd("PORT 10,0,0,1,80,80", YES)
    session.cmd("PORT 10,0,0,1,0,80", YES)
    session.quit()


@capture("BO17", Finding("internal", "attempt", "low", "10.0.0.1:20560"),
         name="nse-refused", label="nmap ftp-bounce")
def nmap_script_refused(net):
    """One private host, a high port, refused: as weak as BE01, but named."""
    session = FtpSession(net).greet().login(password="IEUser@")
    session.cmd("PORT 10,0,0,1,80,80", NO)
    session.tcp.close()


@capture("BO17", vertical("completed", "critical", V.at(21)),
         name="metasploit", label="metasploit",
         scan={21: "open", 22: "closed", 23: "closed", 80: "closed",
               443: "open"})
def metasploit(net):
    session = FtpSession(net).greet().login(password="mozilla@example.com")
    for port, outcome in ((21, "open"), (22, "closed"), (23, "closed"),
                          (80, "closed"), (443, "open")):
        session.port(V, port)
        session.list_to(V, port, outcome)
    session.tcp.close()


# ---- BO18 to BO20: what is sent once the connection stands

def store(session, name, content, port):
    session.pasv(port)
    session.passive(f"STOR {name}", port, content)


def relay(stage, level="critical", **ends):
    return Finding("payload_relay", stage, level, V_MAIL, **ends)


@capture("BO18", third_party("attempt", "medium", V_MAIL), name="refused")
def relay_refused(net):
    """Without an accepted address the RETR goes nowhere."""
    session = FtpSession(net).ready()
    store(session, "msg", MAIL, 47113)
    session.port(V, 25, NO)
    session.cmd("RETR msg", "425 Use PORT or PASV first.")
    session.quit()


@capture("BO18", third_party("executed", "critical", V_MAIL),
         relay("executed"), name="silent")
def relay_unanswered(net):
    session = FtpSession(net).ready()
    store(session, "msg", MAIL, 47113)
    session.port(V, 25)
    session.active_silent("RETR msg", V, 25)
    session.quit()


@capture("BO18", third_party("completed", "critical", V_MAIL),
         relay("completed"), name="completed")
def relay_completed(net):
    session = FtpSession(net).ready()
    store(session, "msg", MAIL, 47113)
    session.port(V, 25)
    session.active("RETR msg", V, 25, MAIL, MAIL_BANNER)
    session.quit()


@capture("BO18", third_party("completed", "high", V.at(9100)),
         Finding("payload_relay", "completed", "critical", V.at(9100)),
         name="two-sessions")
def relay_next_day(net):
    """A printer's port: the payload looks like nothing, only its way does."""
    document = b"\x1b%-12345X@PJL JOB\r\n" + b"boo " * 200
    session = FtpSession(net).ready()
    store(session, "incoming/page", document, 47113)
    session.quit()
    net.wait(8 * MINUTE)
    session = FtpSession(net).ready()
    session.port(V, 9100)
    session.active("RETR incoming/page", V, 9100, document)
    session.quit()


@capture("BO19", third_party("completed", "critical", V_MAIL),
         relay("completed"), offset=4096)
def relay_from_the_middle(net):
    session = FtpSession(net).ready()
    store(session, "picture.gif", b"GIF89a".ljust(4096, b"\0") + MAIL, 47113)
    session.port(V, 25)
    session.cmd("REST 4096", "350 Restart position accepted (4096).")
    session.active("RETR picture.gif", V, 25, MAIL, MAIL_BANNER)
    session.quit()


HOBBIT = ("USER anonymous\r\nPASS x@example.org\r\nCWD /export\r\nTYPE I\r\n"
          f"PORT {numbers(C, 52013)}\r\nRETR crypto.tar.gz\r\nQUIT\r\n"
          ).encode() + b"\0" * 3000  # keeps the connection open meanwhile


@capture("BO20", third_party("completed", "critical", V.at(21)),
         Finding("chained_control", "completed", "critical", V.at(21)))
def hobbit(net):
    """Hobbit's letter of 1995: FTP commands, fed to another FTP server."""
    session = FtpSession(net).ready()
    store(session, "instrs", HOBBIT, 47113)
    session.port(V, 21)
    session.active("RETR instrs", V, 21, HOBBIT,
                   b"220 export.example.org FTP server ready.\r\n")
    session.quit()


# ---- BO21: two servers joined

FXP_PORT = 40000


def fxp_passive_half(net):
    """The session on V, which is a server here and waits."""
    session = FtpSession(net, server=V)
    session.ready()
    session.pasv(FXP_PORT)
    return session


@capture("BO21", Finding("fxp", "attempt", "info", V.at(FXP_PORT)),
         name="refused")
def fxp_refused(net):
    waiting = fxp_passive_half(net)
    session = FtpSession(net).ready()
    session.port(V, FXP_PORT, NO)
    session.quit()
    waiting.quit()


@capture("BO21", third_party("completed", "high", V.at(FXP_PORT)),
         name="half-seen")
def fxp_with_one_half_unseen(net):
    session = FtpSession(net).ready()
    session.port(V, FXP_PORT)
    session.active("RETR pub/t2m_1998-01.grib2", V, FXP_PORT, b"GRIB" * 400)
    session.quit()


@capture("BO21", third_party("accepted", "medium", V.at(FXP_PORT)),
         name="late")
def fxp_reply_too_old(net):
    waiting = fxp_passive_half(net)
    net.wait(75 * S)
    session = FtpSession(net).ready()
    session.port(V, FXP_PORT)
    session.quit()
    waiting.quit()


# ---- BO22: without a transfer between

@capture("BO22", Finding("port_flood", "attempt", "medium"), name="own")
def five_hundred_ports(net):
    session = FtpSession(net).ready()
    for turn in range(510):
        session.port(C, 50000 + turn)
    session.quit()


@capture("BO22", Finding("port_flood", "attempt", "medium"),
         third_party("accepted", "medium"), name="third-party")
def five_hundred_times_the_same(net):
    session = FtpSession(net).ready()
    for _ in range(510):
        session.port(V, 50000)
    session.quit()


@capture("BO22", name="with-transfers")
def many_ports_each_used(net):
    session = FtpSession(net).ready()
    for turn in range(510):
        session.port(C, 50000 + turn)
        if turn % 250 == 249:
            session.active("LIST", C, 50000 + turn)
    session.quit()


# ---- BO23: before login

def preauth(stage, level, asked=V_HIGH):
    return Finding("preauth", stage, level, asked)


@capture("BO23", preauth("attempt", "low"), name="refused")
def too_early(net):
    session = FtpSession(net).greet()
    session.port(V, 50000, "530 Please login with USER and PASS.")
    session.login()
    session.quit()


@capture("BO23", preauth("attempt", "low", C.at(50000)), name="own")
def eager_client(net):
    session = FtpSession(net).greet()
    session.eprt(C, 50000, "530 Please login with USER and PASS.")
    session.login()
    session.eprt(C, 50000)
    session.active("LIST", C, 50000)
    session.quit()


@capture("BO23", preauth("executed", "high"), name="closed")
def executed_before_login(net):
    session = FtpSession(net).greet()
    session.port(V, 50000)
    session.active_closed("LIST", V, 50000)
    session.quit()


# ---- BO24, BO25: an address that should be void

def stale(stage, asked):
    return Finding("stale_address", stage, "low", asked)


@capture("BO24", third_party("attempt", "low"), name="forgotten")
def refusal_forgets(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.port(V, 50000, NO)
    session.cmd("LIST", "425 Use PORT or PASV first.")
    session.quit()


@capture("BO24", third_party("attempt", "low"),
         stale("completed", C.at(50000)), name="stale")
def refusal_keeps_the_earlier(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.port(V, 50000, NO)
    session.active("LIST", C, 50000)
    session.quit()


@capture("BO25", name="forgotten")
def rein_forgets(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.cmd("REIN", "220 Service ready for new user.")
    session.login()
    session.cmd("LIST", "425 Use PORT or PASV first.")
    session.quit()


@capture("BO25", stale("completed", C.at(50000)), name="rein")
def rein_keeps(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.cmd("REIN", "220 Service ready for new user.")
    session.login()
    session.active("LIST", C, 50000)
    session.quit()


@capture("BO25", stale("executed", C.at(50000)), name="user")
def new_user_keeps(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.login(user="archive", password="secret")
    session.active_closed("LIST", C, 50000)
    session.quit()


# ---- BO26: EPSV ALL

def epsv_all(stage, level, asked):
    return Finding("epsv_all", stage, level, asked)


def after_epsv_all(net):
    session = FtpSession(net).ready()
    session.cmd("EPSV ALL", "200 EPSV ALL ok.")
    return session


@capture("BO26", epsv_all("attempt", "low", V_HIGH), name="port")
def port_after_epsv_all(net):
    session = after_epsv_all(net)
    session.port(V, 50000, NO)
    session.quit()


@capture("BO26", epsv_all("attempt", "low", C.at(50000)), name="eprt-own")
def own_eprt_after_epsv_all(net):
    session = after_epsv_all(net)
    session.eprt(C, 50000, NO)
    session.quit()


@capture("BO26", epsv_all("attempt", "low", "-"), name="pasv")
def pasv_after_epsv_all(net):
    session = after_epsv_all(net)
    session.cmd("PASV", NO)
    session.epsv(47113)
    session.passive("LIST", 47113)
    session.quit()


@capture("BO26", epsv_all("executed", "high", V_HIGH), name="closed")
def executed_after_epsv_all(net):
    session = after_epsv_all(net)
    session.port(V, 50000)
    session.active_closed("LIST", V, 50000)
    session.quit()


# ---- BO27, BO28

@capture("BO27", third_party("accepted", "medium"), name="pasv-last")
def passive_after_port(net):
    session = FtpSession(net).ready()
    session.port(V, 50000)
    session.pasv(47113)
    session.passive("LIST", 47113)
    session.quit()


@capture("BO27", third_party("executed", "high"), name="port-last")
def port_after_passive(net):
    session = FtpSession(net).ready()
    session.pasv(47113)
    session.port(V, 50000)
    session.active_closed("LIST", V, 50000)
    session.quit()


said("BO28", "PORT 203,0,113,99,195,80", "500 Illegal PORT command.",
     findings=[third_party("attempt", "low")])
dialled("BO28", "PORT 203,0,113,99,195,80", V, 50000, outcome="open",
        reply="500 Illegal PORT command.", name="dialled-anyway",
        findings=[third_party("completed", "high")])
