# tests/captures/passive.py: rows PT00 to PT10: the passive side, and theft.
# SPDX-License-Identifier: Apache-2.0

from captures.talk import LISTING, FtpSession, Tcp
from captures.truth import Finding, capture
from captures.wire import C, C6, MS, S, SERVER, SERVER6, V, V6, Host

FILE = b"GRIB" * 1500
PASV_PORT, THIEF_PORT = 40000, 41000
THIEF = V.at(THIEF_PORT)


# ---- PT00: as it should be

@capture("PT00")
def passive(net):
    session = FtpSession(net).ready()
    session.pasv(PASV_PORT)
    session.passive("LIST", PASV_PORT)
    session.epsv(53187)
    session.passive("RETR pub/t2m_1998-01.grib2", 53187, FILE)
    session.pasv(44021)
    session.passive("STOR incoming/note.txt", 44021, b"a note\r\n")
    session.quit()


@capture("PT00", name="v6")
def passive_v6(net):
    session = FtpSession(net, C6, SERVER6).ready()
    session.epsv(PASV_PORT)
    session.passive("MLSD", PASV_PORT)
    session.quit()


# ---- PT01: the pizza thief

def theft(stage, level, asked=THIEF, **ends):
    return Finding("pasv_theft", stage, level, asked, **ends)


def knock(session, who=V):
    """The stranger's connection, not yet opened."""
    return session.join(PASV_PORT, who=who, who_port=THIEF_PORT)


def waiting(net):
    session = FtpSession(net).ready()
    session.pasv(PASV_PORT)
    return session


def turned_away(stranger):
    """Accepted by the kernel, closed by the server: not a byte is sent."""
    stranger.handshake()
    stranger.close(stranger.server)


@capture("PT01", theft("completed", "critical"), name="stolen")
def stolen(net):
    session = waiting(net)
    stranger = knock(session).handshake()
    session.join(PASV_PORT).refused()  # the owner: the port is closed now
    session.cmd("RETR pub/t2m_1998-01.grib2", "150 Here it comes.")
    stranger.send(stranger.server, FILE)
    stranger.close(stranger.server)
    session.reply("226 Transfer complete.")
    session.quit()


@capture("PT01", theft("completed", "critical"), name="forged-upload")
def upload_of_a_stranger(net):
    """What the stranger sends is stored as the owner's file."""
    session = waiting(net)
    stranger = knock(session).handshake()
    session.cmd("STOR incoming/note.txt", "150 Here it comes.")
    stranger.send(stranger.client, b"#!/bin/sh\n")
    stranger.close(stranger.client)
    session.reply("226 Transfer complete.")
    session.quit()


@capture("PT01", theft("executed", "high"), name="empty-handed")
def connected_and_turned_away(net):
    session = waiting(net)
    turned_away(knock(session))
    session.say("LIST")
    net.wait(20 * S)
    session.reply("425 Failed to establish connection.")
    session.quit()


@capture("PT01", theft("attempt", "high"), name="rejected")
def knocked_in_vain(net):
    """A firewall that knows the owner answers the stranger with RST."""
    session = waiting(net)
    knock(session).refused()
    session.quit()


@capture("PT01", theft("completed", "critical", V6.at(THIEF_PORT),
                       client=C6.text, server=SERVER6.text), name="epsv6")
def stolen_over_v6(net):
    session = FtpSession(net, C6, SERVER6).ready()
    session.epsv(PASV_PORT)
    stranger = knock(session, V6).handshake()
    session.cmd("LIST", "150 Here it comes.")
    stranger.send(stranger.server, LISTING)
    stranger.close(stranger.server)
    session.reply("226 Transfer complete.")
    session.quit()


# ---- PT02: predictable ports

def transfers(net, ports, extended=False):
    session = FtpSession(net).ready()
    for port in ports:
        (session.epsv if extended else session.pasv)(port)
        session.passive("LIST", port)
        net.wait(3 * S)
    session.quit()


PREDICTABLE = Finding("pasv_predictable", "attempt", "info")


@capture("PT02", PREDICTABLE, name="one-by-one")
def one_by_one(net):
    transfers(net, range(40000, 40010))


@capture("PT02", PREDICTABLE, name="step-16")
def step_of_sixteen(net):
    transfers(net, range(40000, 40160, 16), extended=True)


@capture("PT02", PREDICTABLE, name="few")
def eight_ports_in_all(net):
    transfers(net, (30003, 30001, 30007, 30000, 30004, 30002, 30006, 30001,
                    30005))


@capture("PT02", name="step-17")
def step_too_large(net):
    transfers(net, range(40000, 40170, 17))


@capture("PT02", name="random")
def drawn_at_random(net):
    transfers(net, [net.random.randrange(49152, 65536) for _ in range(12)])


@capture("PT02", name="seven")
def seven_replies_say_nothing(net):
    transfers(net, range(40000, 40007))


# ---- PT03 to PT06: what a reply names

def redirect(stage, asked, **ends):
    return Finding("pasv_redirect", stage, "high", asked, **ends)


@capture("PT03", redirect("attempt", V.at(80)), name="ignored")
def client_ignores_the_address(net):
    """As curl does since CVE-2020-8284: to the server, and that port."""
    session = FtpSession(net).ready()
    session.pasv(80, host=V)
    session.join(80).refused()
    session.quit()


@capture("PT03", redirect("completed", V.at(80)), name="followed")
def client_follows(net):
    """The client reads a banner for the server: that was its aim."""
    session = FtpSession(net).ready()
    session.pasv(80, host=V)
    data = session.join(80, host=V).handshake()
    session.cmd("LIST", "150 Here it comes.")
    net.wait(500 * MS)
    data.send(data.server, b"HTTP/1.0 408 Request Timeout\r\n\r\n")
    data.close(data.server)
    session.reply("226 Transfer complete.")
    session.quit()


@capture("PT03", redirect("executed", V.at(8080)), name="closed")
def client_follows_in_vain(net):
    session = FtpSession(net).ready()
    session.pasv(8080, host=V)
    session.join(8080, host=V).refused()
    session.quit()


@capture("PT04", Finding("privileged_port", "attempt", "medium",
                         SERVER.at(25)), name="227")
def privileged_passive_port(net):
    session = FtpSession(net).ready()
    session.pasv(25)
    session.quit()


@capture("PT04", Finding("privileged_port", "attempt", "medium",
                         SERVER.at(25)), name="229")
def privileged_extended_port(net):
    session = FtpSession(net).ready()
    session.epsv(25)
    session.quit()


@capture("PT05", Finding("pasv_private", "attempt", "info",
                         "10.0.0.21:40000"))
def private_address_of_a_public_server(net):
    session = FtpSession(net).ready()
    session.pasv(PASV_PORT, host=Host("10.0.0.21"))
    session.passive("LIST", PASV_PORT)
    session.quit()


@capture("PT06", redirect("attempt", "10.0.0.9:1234", server="10.0.0.21"),
         name="private")
def extended_reply_names_another_inside(net):
    session = FtpSession(net, server=Host("10.0.0.21")).ready()
    session.cmd("EPSV", "229 Entering Extended Passive Mode "
                "(|1|10.0.0.9|1234|)")
    session.quit()


@capture("PT06", redirect("attempt", V.at(1234)), name="public")
def extended_reply_names_another(net):
    session = FtpSession(net).ready()
    session.cmd("EPSV", "229 Entering Extended Passive Mode "
                f"(|1|{V.text}|1234|)")
    session.quit()


# ---- PT07: who connects to the client

def hijack(stage):
    return Finding("active_hijack", stage, "high", THIEF)


@capture("PT07", hijack("completed"), name="data")
def stranger_serves_the_client(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    stranger = Tcp(net, V, THIEF_PORT, C, 50000).handshake()
    stranger.send(stranger.client, b"another file than the one asked for\r\n")
    stranger.close(stranger.client)
    session.active_closed("RETR pub/t2m_1998-01.grib2", C, 50000)
    session.quit()


@capture("PT07", hijack("attempt"), name="rejected")
def stranger_meets_a_closed_port(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    Tcp(net, V, THIEF_PORT, C, 50000).refused()
    session.active("LIST", C, 50000)
    session.quit()


# ---- PT08: ports without use

@capture("PT08", Finding("pasv_exhaustion", "attempt", "medium"), name="pasv")
def twenty_and_more(net):
    session = FtpSession(net).ready()
    for _ in range(25):
        session.pasv(net.random.randrange(49152, 65536))
    session.quit()


@capture("PT08", Finding("pasv_exhaustion", "attempt", "medium"), name="epsv")
def twenty_extended(net):
    session = FtpSession(net).ready()
    for _ in range(20):
        session.epsv(net.random.randrange(49152, 65536))
    session.quit()


@capture("PT08", name="nineteen")
def nineteen_are_failed_clients(net):
    session = FtpSession(net).ready()
    for _ in range(19):
        session.pasv(net.random.randrange(49152, 65536))
    session.quit()


# ---- PT09: commands of FXP

@capture("PT09", Finding("fxp", "attempt", "info"))
def fxp_commands(net):
    session = FtpSession(net).ready()
    for line in ("SSCN ON", "CPSV", "SPSV"):
        session.cmd(line, "502 Command not implemented.")
    session.quit()


# ---- PT10: a race

def race(stage, asked=THIEF):
    return Finding("pasv_race", stage, "medium", asked)


@capture("PT10", race("executed"), name="owner-wins")
def stranger_comes_first_and_gets_nothing(net):
    session = waiting(net)
    turned_away(knock(session))
    session.passive("LIST", PASV_PORT)
    session.quit()


@capture("PT10", race("attempt"), name="too-late")
def stranger_comes_second(net):
    session = waiting(net)
    owner = session.join(PASV_PORT).handshake()
    knock(session).refused()  # one connection is all the port takes
    session.cmd("LIST", "150 Here it comes.")
    owner.send(owner.server, LISTING)
    owner.close(owner.server)
    session.reply("226 Transfer complete.")
    session.quit()


@capture("PT10", theft("completed", "critical"), name="stranger-wins")
def both_connected_stranger_served(net):
    """Both are in the queue; the server takes who came first."""
    session = waiting(net)
    stranger = knock(session).handshake()
    owner = session.join(PASV_PORT).handshake()
    session.cmd("RETR pub/t2m_1998-01.grib2", "150 Here it comes.")
    stranger.send(stranger.server, FILE)
    stranger.close(stranger.server)
    session.reply("226 Transfer complete.")
    owner.rst(owner.server)
    session.quit()
