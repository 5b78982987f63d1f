# tests/captures/benign.py: rows BE01 to BE07: looks like abuse, is none.
# SPDX-License-Identifier: Apache-2.0
"""Nothing here may be reported at "medium" or above."""

from captures.talk import FtpSession
from captures.truth import Finding, capture, said
from captures.wire import C, C6, S, SERVER6, V, Host

NO = "504 Command not implemented for that parameter."
YES_EPRT = "200 EPRT command successful."
FILE = b"GRIB" * 1500


# ---- BE01: behind a NAT that does not rewrite PORT

BEHIND_NAT = Finding("internal", "attempt", "low", "192.168.1.50:50000")


@capture("BE01", BEHIND_NAT, name="once")
def private_address_refused(net):
    session = FtpSession(net).ready()
    session.cmd("PORT 192,168,1,50,195,80", NO)
    session.pasv(47113)
    session.passive("LIST", 47113)
    session.quit()


@capture("BE01", BEHIND_NAT, name="every-time")
def private_address_again_and_again(net):
    """A client that tries active mode first for every file, a port each:
    more ports of one host than a scan needs, and none."""
    session = FtpSession(net).ready()
    for turn in range(6):
        session.cmd(f"PORT 192,168,1,50,195,{80 + turn}",
                    "500 Illegal PORT command.")
        port = net.random.randrange(49152, 65536)
        session.pasv(port)
        session.passive("RETR pub/t2m_1998-01.grib2", port, FILE)
    session.quit()


# ---- BE02: FXP

@capture("BE02", Finding("fxp", "completed", "info", V.at(40000)))
def server_to_server(net):
    taker = FtpSession(net, server=V)
    taker.ready()
    giver = FtpSession(net).ready()
    taker.pasv(40000)
    giver.port(V, 40000)
    taker.say("STOR t2m_1998-01.grib2")
    giver.say("RETR pub/t2m_1998-01.grib2")
    data = giver.dial(V, 40000).handshake()
    giver.reply("150 Here it comes.")
    taker.reply("150 Ok to send data.")
    data.send(data.client, FILE)
    data.close(data.client)
    giver.reply("226 Transfer complete.")
    taker.reply("226 Transfer complete.")
    giver.quit()
    taker.quit()


# ---- BE03: words in names

@capture("BE03")
def names_that_look_like_commands(net):
    session = FtpSession(net).ready()
    session.cmd("CLNT import 9,9,9,9,1,1", "200 Noted.")
    session.pasv(47113)
    session.passive("STOR PORT 203,0,113,99,195,80", 47113, FILE)
    session.pasv(52290)
    session.passive("RETR pub/rePORT 203,0,113,99,195,80", 52290, FILE)
    session.cmd("SIZE PORT 203,0,113,99,0,22", "550 Could not get file size.")
    session.quit()


# ---- BE04: the own address, in another spelling

@capture("BE04", name="mapped")
def own_address_mapped(net):
    session = FtpSession(net).ready()
    session.cmd("EPRT |2|::ffff:198.51.100.7|50000|", YES_EPRT)
    session.active("LIST", C, 50000)
    session.quit()


@capture("BE04", name="v6")
def own_address_spelled_out(net):
    session = FtpSession(net, C6, SERVER6).ready()
    session.cmd("EPRT |2|2001:0DB8:1:0::7|50000|", YES_EPRT)
    session.active("LIST", C6, 50000)
    session.quit()


# ---- BE05: port 20

@capture("BE05", name="after-reset")
def data_connection_tried_again(net):
    """The client was not yet listening; the server comes a second time."""
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.say("LIST")
    session.dial(C, 50000).refused()
    net.wait(1 * S)
    data = session.dial(C, 50000).handshake()
    session.reply("150 Here it comes.")
    data.send(data.client, FILE)
    data.close(data.client)
    session.reply("226 Transfer complete.")
    session.quit()


@capture("BE05", name="default-port")
def no_port_at_all(net):
    """RFC 959 3.2: without PORT, data go to the control connection's port."""
    session = FtpSession(net).ready()
    session.active("LIST", C, session.tcp.client.port)
    session.quit()


said("BE05", "PORT 198,51,100,7,0,20", NO, name="own-port-20", findings=[
    Finding("privileged_port", "attempt", "low", C.at(20))])


# ---- BE06: one client, two addresses

OTHER6 = Host("2001:db8:1::8", C6.ttl, C6.answer_us)
OTHER = Host("198.51.100.8", C.ttl, C.answer_us)


@capture("BE06", Finding("third_party", "completed", "info", OTHER6.at(50000),
                         C6.text, SERVER6.text), name="same-64")
def another_address_of_the_host(net):
    session = FtpSession(net, C6, SERVER6).ready()
    session.eprt(OTHER6, 50000)
    session.active("LIST", OTHER6, 50000)
    session.quit()


@capture("BE06", Finding("third_party", "completed", "info",
                         OTHER.at(50000)), name="group",
         args="--group 198.51.100.0/24")
def another_host_of_the_cluster(net):
    session = FtpSession(net).ready()
    session.port(OTHER, 50000)
    session.active("LIST", OTHER, 50000)
    session.quit()


# ---- BE07: seen outside the NAT

@capture("BE07")
def rewritten_by_the_nat(net):
    """Inside it said "PORT 192,168,1,50,4,1"; the NAT has made the line
    longer and the port its own."""
    nat = Host(C.text, ttl=56, answer_us=21_000)
    session = FtpSession(net, nat).ready()
    session.port(nat, 61007)
    session.active("RETR pub/t2m_1998-01.grib2", nat, 61007, FILE)
    session.quit()
