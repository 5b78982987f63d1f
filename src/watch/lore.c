/*
 * watch/lore.c: what there is to know about each variant.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/lore.h"

#include <string.h>
#include <strings.h>

struct lore {
	const char *what;	/* it is */
	const char *why;	/* it matters */
	const char *server;	/* what one should do */
	const char *harmless;	/* what looks like it, and is not */
	const char *source;
};

#define BOUNCE_WHY "the server connects in place of the attacker: it scans " \
	"ports, passes\nfirewalls that trust it, and hides who asked"
#define BOUNCE_SERVER "answer 504, connect only to its own record of the " \
	"client, and forget\nthe address"

static const struct lore all[KIND_COUNT] = {
	[KIND_third_party] = {
		"PORT, EPRT or LPRT names a host that is not the client: the "
		"FTP bounce", BOUNCE_WHY, BOUNCE_SERVER,
		"transfers between two servers (FXP); clients behind a NAT "
		"that does not know FTP", "RFC 2577 section 3; CVE-1999-0017" },
	[KIND_privileged_port] = {
		"the client's own address, but a port below 1024; or a "
		"passive reply with one", "behind a NAT \"its own address\" is "
		"the NAT's, with services of others on\nlow ports",
		"answer 504", "very old clients that listen on port 20",
		"RFC 2577 section 3" },
	[KIND_loopback] = {
		"the data address is a loopback", "the server would connect "
		"to itself, past its own firewall, to services that\ntrust "
		"the local host", BOUNCE_SERVER,
		"client and server on one host", "RFC 2577 section 3" },
	[KIND_self] = {
		"the data address is the server's own", "the server would "
		"connect to its own services, as a local user might",
		BOUNCE_SERVER, "none", "RFC 2577 section 3" },
	[KIND_internal] = {
		"the data address is a private one, and not the client's",
		"hosts behind the server's firewall are reached through it",
		BOUNCE_SERVER, "a client behind a NAT that names its inner "
		"address: one host, high ports,\nrefused; told once, as low",
		"RFC 1918; RFC 2577 section 3" },
	[KIND_invalid_target] = {
		"the data address is no host: unspecified, broadcast, "
		"multicast, or with a zone", "what a server makes of it is "
		"its own network's affair: it may be many hosts",
		"answer 504", "fuzzers; lftp's active mode over IPv6 names ::",
		"RFC 1122 section 3.2.1.3; RFC 4291" },
	[KIND_malformed] = {
		"an address that no reading makes into a host and a port",
		"some parsers do, or stop half-way and keep the address "
		"before", "answer 501, and forget any earlier address",
		"broken clients", "RFC 959 section 5.3.2; RFC 2428" },
	[KIND_preauth] = {
		"a data address before login", "a server that acts on it is "
		"open to everybody", "answer 530", "eager clients",
		"RFC 959 section 5.4" },
	[KIND_epsv_all] = {
		"a data address, or PASV, after EPSV ALL", "the client has "
		"promised its firewall that none will come",
		"refuse all but EPSV until the session ends",
		"none", "RFC 2428 section 4" },
	[KIND_scan_vertical] = {
		"many ports of one host, through one server", "the answers "
		"to the transfers tell which are open: a port scan with "
		"the\nserver's address", BOUNCE_SERVER "; end the session "
		"after some refusals", "none", "RFC 2577 section 3; nmap -b" },
	[KIND_scan_horizontal] = {
		"one port of many hosts, through one server", "the same, for "
		"who looks for one service", BOUNCE_SERVER, "none",
		"RFC 2577 section 3" },
	[KIND_scan_slow] = {
		"a scan over many control connections, servers or hours",
		"it stays below what counts within one session", BOUNCE_SERVER,
		"monitoring that was not told to you", "RFC 2577 section 3" },
	[KIND_payload_relay] = {
		"a file that was uploaded before, or another protocol's "
		"commands, are sent to\na third party", "the attacker speaks "
		"SMTP, HTTP or Redis to a host that he cannot reach, with\nthe "
		"server's address", BOUNCE_SERVER "; allow no anonymous file "
		"to be read again", "none", "RFC 2577 section 2; Hobbit, 1995" },
	[KIND_chained_control] = {
		"FTP commands are sent to another server's control port",
		"a chain of servers, each hiding the one before", BOUNCE_SERVER,
		"none", "Hobbit, The FTP Bounce Attack, 1995" },
	[KIND_fxp] = {
		"one server is told the passive port of another, by the same "
		"client", "it is the bounce's honest twin: who allows one "
		"allows the other", "refuse unless such transfers are wanted",
		"itself: mirrors and site managers", "RFC 959 section 5.2" },
	[KIND_pasv_theft] = {
		"a host other than the client came to its passive port",
		"it gets the client's file, or puts its own in the place of "
		"the upload", "take data connections from the client's address "
		"alone, and go on waiting\nwhen another comes",
		"clients with several addresses; carrier NAT",
		"RFC 2577 section 8; CVE-1999-0351" },
	[KIND_pasv_race] = {
		"a stranger and the owner both came to a passive port; the "
		"stranger got nothing", "it is the theft, lost", "as for the "
		"theft", "clients that try both families at once",
		"CVE-1999-0351" },
	[KIND_pasv_redirect] = {
		"a 227 or 229 names another host than the server", "a client "
		"that follows it connects wherever the server, or who plays "
		"it, says", "name its own address; 229 with none at all",
		"load balancers", "CVE-2020-8284; CVE-2021-4189" },
	[KIND_pasv_private] = {
		"a public server names a private address in its 227",
		"clients cannot reach it, and it tells of the inside",
		"be configured with its public address",
		"itself; most clients ignore the address", "RFC 1918" },
	[KIND_pasv_predictable] = {
		"the passive ports rise by steps, or are few", "a thief knows "
		"where to wait", "draw them at random from a wide range",
		"a narrow range by configuration", "RFC 2577 section 8" },
	[KIND_pasv_exhaustion] = {
		"many passive ports asked for, and none used", "ports are "
		"finite: others get none", "one a session, for a short time",
		"clients whose firewall stops the connection",
		"CVE-1999-0079" },
	[KIND_active_hijack] = {
		"somebody else than the server connected to where the client "
		"waited", "he gives the client a false file, or takes its "
		"upload", "nothing: the client must look who comes",
		"servers with several addresses", "RFC 2577 section 8" },
	[KIND_alg_holepunch] = {
		"PORT to a server that has not spoken", "a firewall that "
		"reads FTP opens the named port to the outside: a web page "
		"can\nmake a browser send this (NAT slipstreaming)",
		"no FTP server is there", "none",
		"CVE-2020-28041; CVE-2021-34791" },
	[KIND_alg_reply_injection] = {
		"a packet that begins like a 227, where no reply begins",
		"a firewall that reads packets and not streams opens the "
		"port that it names", "begin no line with a client's bytes; "
		"answer in one segment", "a file name in an error message",
		"CVE-2002-1979; VU#328867" },
	[KIND_cross_protocol] = {
		"another protocol, or a line hidden behind a path, on a "
		"control connection", "a browser, or a server that fetches "
		"URLs, was made to speak FTP for somebody", "end the session "
		"at a first line that is none of FTP; offer ALPN \"ftp\"",
		"misconfigured clients; clients that pipeline",
		"CVE-2021-3618 (ALPACA)" },
	[KIND_evasion] = {
		"an address, spelt or packed so that a sensor reads another "
		"one than the\nserver, or none", "it is a bounce whose author "
		"knows that he is watched", "take the grammar alone: six "
		"decimal bytes, no blanks, signs, zeros in\nfront, text behind",
		"broken clients; captures with gaps",
		"RFC 959 section 5.3.2; Ptacek and Newsham, 1998" },
	[KIND_unexplained_data_syn] = {
		"a server connected to a host that nobody named and that is "
		"none of its clients", "where the commands are encrypted, "
		"this is all that a bounce shows", BOUNCE_SERVER,
		"other services of the same host", "RFC 4217" },
	[KIND_stale_address] = {
		"a data address was used after it should have been forgotten",
		"a refusal, REIN or a new USER must leave none behind",
		"forget it with each of them", "none", "RFC 959 section 4.1.1" },
	[KIND_port_flood] = {
		"hundreds of data addresses, and no transfer", "it costs the "
		"server, and probes its parser", "end the session after some",
		"fuzzers", "RFC 2577" },
};

/* Rows of the list of variants, and what each is reported as. */
static const struct row {
	const char *id;
	enum bounce_kind kind;	/* none: of honest use, and not told */
	const char *what;
} rows[] = {
	{ "BO00", KIND_none, "honest transfers in active mode" },
	{ "BO01", KIND_third_party, "PORT to a third party, a high port" },
	{ "BO02", KIND_third_party,
	    "PORT to a third party's service, below 1024" },
	{ "BO03", KIND_privileged_port,
	    "PORT to the client's own address, below 1024" },
	{ "BO04", KIND_loopback, "PORT to 127.0.0.1" },
	{ "BO05", KIND_self, "PORT to the server's own address" },
	{ "BO06", KIND_internal,
	    "PORT to a private address behind the server" },
	{ "BO07", KIND_third_party, "EPRT to a third party over IPv4" },
	{ "BO08", KIND_third_party, "EPRT to a third party over IPv6" },
	{ "BO09", KIND_third_party,
	    "EPRT with an IPv4 address in IPv6's clothes (::ffff:a.b.c.d)" },
	{ "BO09b", KIND_none, "the same with the client's own address" },
	{ "BO10", KIND_loopback,
	    "EPRT to ::1, to link-local addresses, with a zone" },
	{ "BO11", KIND_third_party, "LPRT to a third party" },
	{ "BO12", KIND_invalid_target,
	    "PORT to broadcast, multicast or no address" },
	{ "BO13", KIND_malformed, "PORT to port 0" },
	{ "BO14", KIND_scan_vertical,
	    "many ports of one host, one after the other" },
	{ "BO15", KIND_scan_horizontal, "one port of many hosts" },
	{ "BO16", KIND_scan_slow, "a scan over hours, connections or servers" },
	{ "BO17", KIND_scan_vertical,
	    "nmap -b, nmap's ftp-bounce, Metasploit's scanner" },
	{ "BO18", KIND_payload_relay,
	    "an upload, then sent to a third party's service" },
	{ "BO19", KIND_payload_relay, "the same, from an offset (REST)" },
	{ "BO20", KIND_chained_control,
	    "an upload of FTP commands, sent to another FTP server" },
	{ "BO21", KIND_fxp,
	    "a transfer between two servers, in whole or in part" },
	{ "BO22", KIND_port_flood, "hundreds of PORT without a transfer" },
	{ "BO23", KIND_preauth, "PORT before login" },
	{ "BO24", KIND_stale_address,
	    "a refused PORT whose address is used all the same" },
	{ "BO25", KIND_stale_address,
	    "an address that outlives REIN or a new USER" },
	{ "BO26", KIND_epsv_all, "PORT, EPRT or PASV after EPSV ALL" },
	{ "BO27", KIND_third_party,
	    "PORT and PASV by turns: which one counts?" },
	{ "BO28", KIND_third_party,
	    "a refusal in other words, perhaps not meant" },
	{ "PT00", KIND_none, "honest transfers in passive mode" },
	{ "PT01", KIND_pasv_theft,
	    "a stranger takes the passive data connection" },
	{ "PT02", KIND_pasv_predictable, "passive ports that can be foretold" },
	{ "PT03", KIND_pasv_redirect,
	    "a 227 that sends the client to a third party" },
	{ "PT04", KIND_privileged_port, "a 227 with a port below 1024" },
	{ "PT05", KIND_pasv_private,
	    "a 227 with a private address, from a public server" },
	{ "PT06", KIND_pasv_redirect, "a 227 that names another host inside" },
	{ "PT07", KIND_active_hijack,
	    "a stranger connects to where the client waits" },
	{ "PT08", KIND_pasv_exhaustion,
	    "passive ports asked for, and never used" },
	{ "PT09", KIND_fxp,
	    "commands of servers' transfers: SSCN, CPSV, SPSV" },
	{ "PT10", KIND_pasv_race,
	    "a stranger and the owner at one passive port" },
	{ "FW01", KIND_alg_holepunch,
	    "PORT to a silent server, to open a firewall (NAT slipstreaming)" },
	{ "FW02", KIND_alg_reply_injection,
	    "a 227 that a client had the server repeat" },
	{ "FW03", KIND_alg_reply_injection, "a 227 that somebody forged" },
	{ "FW04", KIND_cross_protocol, "HTTP on a control connection" },
	{ "FW05", KIND_cross_protocol,
	    "PORT hidden behind a path, as URLs can do it" },
	{ "FW06", KIND_cross_protocol,
	    "a TLS hello for another protocol (ALPACA)" },
	{ "FW07", KIND_payload_relay,
	    "HTTP, SMTP or Redis at the front of what is sent" },
	{ "EV01", KIND_third_party, "port in small letters" },
	{ "EV02", KIND_evasion, "blanks before the verb" },
	{ "EV03", KIND_evasion, "many blanks, or a tab, behind the verb" },
	{ "EV04", KIND_evasion, "blanks between the numbers" },
	{ "EV05", KIND_third_party, "zeros in front: decimal or octal?" },
	{ "EV06", KIND_evasion, "hexadecimal numbers" },
	{ "EV07", KIND_evasion, "numbers above 255, taken modulo 256" },
	{ "EV08", KIND_evasion, "numbers of four digits" },
	{ "EV09", KIND_evasion, "signs before the numbers" },
	{ "EV10", KIND_evasion, "more behind the sixth number" },
	{ "EV11", KIND_evasion, "line ends other than CRLF" },
	{ "EV12", KIND_evasion, "a NUL in the line" },
	{ "EV13", KIND_third_party, "Telnet commands in the line" },
	{ "EV14", KIND_third_party, "one byte a segment" },
	{ "EV15", KIND_third_party, "segments out of order" },
	{ "EV16", KIND_evasion, "segments that overlap and differ" },
	{ "EV17", KIND_third_party, "IP fragments, in any order" },
	{ "EV18", KIND_evasion,
	    "segments that the server does not take: bad checksum, low TTL" },
	{ "EV19", KIND_third_party,
	    "data in the SYN; a connection's ports used again" },
	{ "EV20", KIND_third_party, "several commands in one segment" },
	{ "EV21", KIND_third_party, "behind a line that is too long" },
	{ "EV22", KIND_third_party,
	    "a control connection on another port than 21" },
	{ "EV23", KIND_third_party,
	    "seen from the middle, from one side or with gaps" },
	{ "EV24", KIND_unexplained_data_syn,
	    "an encrypted control connection" },
	{ "EV25", KIND_third_party, "clear again after TLS (CCC)" },
	{ "EV26", KIND_third_party, "EPRT with another delimiter" },
	{ "EV27", KIND_third_party,
	    "IPv6 addresses in other spellings, NAT64" },
	{ "EV28", KIND_third_party,
	    "VLANs, tunnels, other link types and file forms" },
	{ "EV29", KIND_evasion, "an urgent byte in the line" },
	{ "EV30", KIND_third_party, "a long reply that never ends" },
	{ "EV31", KIND_none,
	    "100,000 idle connections, to make the sensor forget" },
	{ "BE01", KIND_internal,
	    "a client behind a NAT that does not know FTP" },
	{ "BE02", KIND_fxp, "a transfer between two servers that is wanted" },
	{ "BE03", KIND_none,
	    "names of files and software that look like commands" },
	{ "BE04", KIND_none, "the client's own address in another spelling" },
	{ "BE05", KIND_privileged_port,
	    "data connections with port 20, or tried again" },
	{ "BE06", KIND_third_party,
	    "a client with two addresses: one /64, or --group" },
	{ "BE07", KIND_none, "an address that a NAT has put right" },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define ROWS_A_LINE 12

bool
lore_knows(enum bounce_kind kind)
{
	return kind == KIND_none || all[kind].what != NULL;
}

static enum bounce_kind
kind_of(const char *name)
{
	for (int k = KIND_none + 1; k < KIND_COUNT; k++)
		if (strcasecmp(name, bounce_kind_name((enum bounce_kind)k)) ==
		    0)
			return (enum bounce_kind)k;
	return KIND_none;
}

static const struct row *
row_of(const char *id)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcasecmp(id, rows[i].id) == 0)
			return &rows[i];
	return NULL;
}

/* Lines after the first stand beneath it. */
static void
put(FILE *out, const char *label, const char *text)
{
	fprintf(out, "  %-9s ", label);
	for (; *text != '\0'; text++) {
		putc(*text, out);
		if (*text == '\n')
			fprintf(out, "  %-9s ", "");
	}
	putc('\n', out);
}

static void
list(FILE *err)
{
	for (int k = KIND_none + 1; k < KIND_COUNT; k++)
		fprintf(err, "  %-20s %s\n",
		    bounce_kind_name((enum bounce_kind)k),
		    bounce_kind_signature((enum bounce_kind)k));
	fputs("and the rows of the list of variants:\n", err);
	for (size_t i = 0; i < ROWS; i++)
		fprintf(err, "%s%s%s", i % ROWS_A_LINE == 0 ? "  " : " ",
		    rows[i].id, (i + 1) % ROWS_A_LINE == 0 ||
		    i + 1 == ROWS ? "\n" : "");
}

static void
explain(FILE *out, enum bounce_kind kind)
{
	const struct lore *l = &all[kind];
	enum bounce_level attempt, executed;

	attempt = bounce_level_of(kind, STAGE_attempt, false, false);
	executed = bounce_level_of(kind, STAGE_executed, false, false);
	fprintf(out, "%s: %s\n", bounce_kind_name(kind),
	    bounce_kind_signature(kind));
	put(out, "what", l->what);
	put(out, "why", l->why);
	put(out, "server", l->server);
	put(out, "harmless", l->harmless);
	fprintf(out, "  %-9s %s when asked for, %s when carried out\n",
	    "level", bounce_level_name(attempt), bounce_level_name(executed));
	put(out, "source", l->source);
}

bool
lore_explain(FILE *out, FILE *err, const char *id)
{
	const struct row *row = row_of(id);
	enum bounce_kind kind = row != NULL ? row->kind : kind_of(id);

	if (row != NULL)
		fprintf(out, "%s: %s\n", row->id, row->what);
	if (kind != KIND_none) {
		explain(out, kind);
		return true;
	}
	if (row != NULL) {
		fputs("reported as nothing: no alert is told of it, and what "
		    "is shed is counted\n", out);
		return true;
	}
	fprintf(err, "portcullis watch: --explain %s: no such variant; "
	    "there are:\n", id);
	list(err);
	return false;
}
