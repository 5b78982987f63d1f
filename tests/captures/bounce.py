# tests/captures/bounce.py: rows BO00 to BO28: bounce proper.
# SPDX-License-Identifier: Apache-2.0

from captures.talk import FtpSession
from captures.truth import Finding, capture, said
from captures.wire import C, C6, SERVER6, V, V6

NO = "504 Command not implemented for that parameter."
YES = "200 PORT command successful."
V_HIGH, V_SSH = V.at(50000), V.at(22)


# ---- BO00: the client's own address

@capture("BO00")
def own_address(net):
    session = FtpSession(net).ready()
    session.port(C, 50000)
    session.active("LIST", C, 50000)
    session.port(C, 50001)
    session.active("RETR pub/t2m_1998-01.grib2", C, 50001, b"GRIB" * 4000)
    session.quit()


@capture("BO00", name="eprt6")
def own_address_v6(net):
    session = FtpSession(net, C6, SERVER6).ready()
    session.eprt(C6, 50000)
    session.active("LIST", C6, 50000)
    session.quit()


# ---- BO01: a third party, a high port

said("BO01", "PORT 203,0,113,99,195,80", NO, name="refused",
     findings=[Finding("third_party", "attempt", "low", V_HIGH)])


@capture("BO01", Finding("third_party", "accepted", "medium", V_HIGH),
         name="accepted")
def accepted_and_left(net):
    session = FtpSession(net).ready()
    session.port(V, 50000)
    session.quit()


@capture("BO01", Finding("third_party", "executed", "high", V_HIGH),
         name="closed")
def executed_closed(net):
    session = FtpSession(net).ready()
    session.port(V, 50000)
    session.active_closed("LIST", V, 50000)
    session.quit()


@capture("BO01", Finding("third_party", "executed", "high", V_HIGH),
         name="silent")
def executed_silent(net):
    session = FtpSession(net).ready()
    session.port(V, 50000)
    session.active_silent("LIST", V, 50000)
    session.quit()


@capture("BO01", Finding("third_party", "completed", "high", V_HIGH),
         name="completed")
def completed(net):
    session = FtpSession(net).ready()
    session.port(V, 50000)
    session.active("LIST", V, 50000)
    session.quit()
