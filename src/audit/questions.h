/*
 * audit/questions.h: all that the auditor asks, one list with many uses: the
 * order of an audit, the lines of its report, the rules of SARIF, the page
 * docs/design/auditor.md, and the tests' server with one switch for each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "policy/kinds.h"

/*
 * test   of the shared list (VARIANTS, T1 to T20; E01 of ATTACKS; X beyond)
 * id     the line's name, in every form of the report
 * level  of the defect, when it is there (LEVEL_*)
 * title  what is asked
 * gain   what an attacker has of it
 *
 * The order is the order of asking: what only reads first, what may end in a
 * ban last.  What else a new line needs: docs/design/auditor.md, "A new
 * question".
 */
#define AUDIT_QUESTIONS(X) \
/*	test   id                      level     */ \
	X("T1",  bounce,               CRITICAL, \
	  "connects to a third party that PORT names", \
	  "scans ports and reaches hosts through the server, under its address") \
	X("T1",  bounce_private,       CRITICAL, \
	  "connects to a private address that PORT names", \
	  "reaches the hosts behind the server's firewall") \
	X("T2",  payload,              CRITICAL, \
	  "sends a file or listing to a third party", \
	  "makes the server speak to services that trust it") \
	X("T3",  low_port_other,       CRITICAL, \
	  "connects to a third party's port below 1024", \
	  "reaches services, not only listeners of the attacker's own") \
	X("T3",  low_port_own,         MEDIUM, \
	  "accepts a port below 1024 of the client's own address", \
	  "reaches services of whoever shares the client's address (NAT)") \
	X("T4",  eprt_v4,              CRITICAL, \
	  "connects to a third party that EPRT |1| names", \
	  "as with PORT; a filter that knows PORT alone sees nothing") \
	X("T4",  eprt_v6,              CRITICAL, \
	  "connects to a third party that EPRT |2| names", \
	  "as with PORT, over IPv6") \
	X("T4",  eprt_mapped,          CRITICAL, \
	  "connects to a third party named as an IPv4-mapped address", \
	  "passes checks that compare addresses as text") \
	X("T4",  eprt_mapped_own,      INFO, \
	  "accepts the client's own address in IPv4-mapped form", \
	  "nothing by itself: one spelling more that filters must know") \
	X("T4",  eprt_delimiter,       CRITICAL, \
	  "connects to a third party named with other delimiters", \
	  "passes filters that look for |") \
	X("T4",  epsv_protocol,        LOW, \
	  "answers EPSV for a protocol that does not exist with 229", \
	  "nothing by itself: the argument is not read") \
	X("T5",  lprt,                 CRITICAL, \
	  "connects to a third party that LPRT names", \
	  "as with PORT, by a command that no filter knows") \
	X("T6",  spelling,             CRITICAL, \
	  "connects to a third party whose address is oddly spelled", \
	  "validator and dialler disagree: filters are passed") \
	X("T6",  leading_zeros,        INFO, \
	  "accepts leading zeros in PORT", \
	  "another host, where a reader takes them as octal") \
	X("T6",  wrap_octet,           CRITICAL, \
	  "takes numbers above 255 in PORT modulo 256", \
	  "names a third party in a way that no filter reads") \
	X("T6",  wrap_port,            MEDIUM, \
	  "takes ports above 65535 in EPRT modulo 65536", \
	  "names a port in a way that no filter reads") \
	X("T6",  wrap_low_port,        HIGH, \
	  "accepts a port that is below 1024 modulo 65536", \
	  "reaches low ports past the server's own check") \
	X("T7",  stale_refused,        MEDIUM, \
	  "uses an earlier data address after a refused one", \
	  "the client's firewall and the server differ about the endpoint") \
	X("T7",  stale_rein,           LOW, \
	  "keeps a data address over REIN or a new login", \
	  "the next user's transfer goes to the last one's address") \
	X("T7",  stale_passive,        LOW, \
	  "connects to a PORT address although PASV came after it", \
	  "the client's firewall and the server differ about the endpoint") \
	X("T7",  epsv_all_active,      LOW, \
	  "accepts PORT or EPRT after EPSV ALL", \
	  "the promise that a firewall relies on is not kept") \
	X("T7",  epsv_all_pasv,        LOW, \
	  "accepts PASV after EPSV ALL", \
	  "the promise that a firewall relies on is not kept") \
	X("T7",  no_endpoint,          LOW, \
	  "begins a transfer without any data address", \
	  "sessions that hang, at no cost to who makes them") \
	X("T8",  before_login,         HIGH, \
	  "accepts PORT before login", \
	  "whatever the server does with it, everybody can ask for") \
	X("T9",  theft,                HIGH, \
	  "gives a passive transfer to a stranger", \
	  "downloads that are not his, uploads in another's place") \
	X("T9",  theft_kills,          MEDIUM, \
	  "loses the owner's transfer when a stranger connects", \
	  "stops others' transfers by connecting to passive ports") \
	X("T10", theft_race,           HIGH, \
	  "gives a passive transfer to the stranger who came first", \
	  "downloads that are not his, uploads in another's place") \
	X("T10", theft_same_address,   INFO, \
	  "gives a passive transfer to another connection of one address", \
	  "downloads of who shares his address (NAT), without TLS") \
	X("T11", passive_ports,        MEDIUM, \
	  "chooses passive ports that can be guessed", \
	  "is at the port before its owner") \
	X("T12", passive_address,      HIGH, \
	  "names another host or a low port in 227 or 229", \
	  "clients are sent to third parties, or learn of the inside") \
	X("T13", listeners,            LOW, \
	  "keeps more than one passive listener for a session", \
	  "takes all passive ports from everybody") \
	X("T14", oracle,               HIGH, \
	  "tells open, closed and filtered ports of a third party apart", \
	  "a port scan with the server's address") \
	X("T15", dial_early,           MEDIUM, \
	  "connects at PORT, before any transfer", \
	  "each PORT is a probe") \
	X("T15", dial_source,          LOW, \
	  "connects from another address than the control connection's", \
	  "passes filters; tells of the server's other networks") \
	X("T16", loopback,             HIGH, \
	  "accepts the loopback in PORT", \
	  "reaches services that trust the server's own host") \
	X("T16", self,                 HIGH, \
	  "accepts its own address in PORT", \
	  "reaches the server's own services as a local user") \
	X("X",   balancer,             HIGH, \
	  "takes a balancer's address for its client's", \
	  "the server connects to the balancer for everybody; active mode fails") \
	X("T19", pipelining,           CRITICAL, \
	  "connects to a third party when PORT and LIST come at once", \
	  "passes filters that look at the first command of a packet") \
	X("T19", telnet,               CRITICAL, \
	  "connects to a third party when PORT is laced with Telnet bytes", \
	  "passes filters that do not know Telnet") \
	X("T19", bare_lf,              CRITICAL, \
	  "connects to a third party when lines end with LF alone", \
	  "passes filters that wait for CRLF") \
	X("T19", bare_cr,              CRITICAL, \
	  "takes a CR alone for the end of a line, and connects", \
	  "hides a second command within a first") \
	X("B02", long_line,            MEDIUM, \
	  "takes the rest of a line that is too long for a command", \
	  "has a browser or another client send his commands (CSRF)") \
	X("B04", iac_memory,           MEDIUM, \
	  "loses its way, or ends, with Telnet bytes in a line", \
	  "ends or confuses the server's sessions") \
	X("X",   clear_password,       MEDIUM, \
	  "asks a named user for a password without TLS", \
	  "reads passwords on the wire") \
	X("X",   user_enumeration,     LOW, \
	  "answers USER differently for users that exist", \
	  "learns the names to try passwords on") \
	X("X",   address_leak,         INFO, \
	  "tells an address in the text of a refusal", \
	  "learns of addresses behind a NAT or balancer") \
	X("X",   listing_cut,          MEDIUM, \
	  "cuts a listing short, and says 226", \
	  "nothing; mirrors delete what they are not told of") \
	X("X",   write,                HIGH, \
	  "lets anonymous users store files (--write)", \
	  "stores his own files there, and relays them") \
	X("X",   overwrite,            HIGH, \
	  "lets anonymous users overwrite files (--write)", \
	  "replaces what others download") \
	X("T17", tls_bounce,           CRITICAL, \
	  "connects to a third party within TLS", \
	  "bounces where no sensor or filter can read the command") \
	X("T17", tls_theft,            HIGH, \
	  "gives a passive TLS transfer to a stranger", \
	  "downloads that are not his, uploads in another's place") \
	X("T17", tls_data_reuse,       LOW, \
	  "takes data connections that do not resume the TLS session", \
	  "steals transfers of who shares his address (NAT)") \
	X("T17", tls_ccc,              LOW, \
	  "goes back to clear text at CCC", \
	  "reads and changes commands after the login") \
	X("T17", tls_versions,         MEDIUM, \
	  "speaks TLS 1.0 or 1.1", \
	  "attacks of 2011 to 2014 on those who can be made to use them") \
	X("T17", tls_alpn,             LOW, \
	  "speaks TLS with who asks for another protocol by ALPN", \
	  "has browsers attack the server, or users of a web site (ALPACA)") \
	X("T17", tls_sni,              INFO, \
	  "speaks TLS with who asks for another host by SNI", \
	  "as with ALPN") \
	X("E01", starttls_injection,   HIGH, \
	  "runs commands that came before the TLS handshake", \
	  "has his own commands run in another's encrypted session") \
	X("T13", listener_lifetime,    LOW, \
	  "keeps an unused passive listener open without end", \
	  "takes all passive ports from everybody") \
	X("T18", throttling,           LOW, \
	  "never slows or ends a session of refused PORTs", \
	  "tries as long as he likes") \
	X("T20", log_trace,            LOW, \
	  "does not log who asked for which address (--log)", \
	  "is not found")

enum audit_question {
#define X(test, id, level, title, gain) ASK_##id,
	AUDIT_QUESTIONS(X)
#undef X
	ASK_COUNT
};

struct question {
	const char *test;
	const char *id;
	enum bounce_level level;
	const char *title;
	const char *gain;
};

extern const struct question audit_questions[ASK_COUNT];

/* By its id; ASK_COUNT when there is none. */
enum audit_question audit_question_find(const char *id);
