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
		"RFC 2577 section 5; CVE-1999-0351" },
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
		"a narrow range by configuration", "RFC 2577 section 5" },
	[KIND_pasv_exhaustion] = {
		"many passive ports asked for, and none used", "ports are "
		"finite: others get none", "one a session, for a short time",
		"clients whose firewall stops the connection",
		"CVE-1999-0079" },
	[KIND_active_hijack] = {
		"somebody else than the server connected to where the client "
		"waited", "he gives the client a false file, or takes its "
		"upload", "nothing: the client must look who comes",
		"servers with several addresses", "RFC 2577" },
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

/* Rows of the list of variants, and what they are reported as. */
static const struct {
	const char *first, *last;	/* of a run of rows */
	enum bounce_kind kind;
} rows[] = {
	{ "BO01", "BO02", KIND_third_party },
	{ "BO03", "BO03", KIND_privileged_port },
	{ "BO04", "BO04", KIND_loopback },
	{ "BO05", "BO05", KIND_self },
	{ "BO06", "BO06", KIND_internal },
	{ "BO07", "BO09", KIND_third_party },
	{ "BO10", "BO10", KIND_loopback },
	{ "BO11", "BO11", KIND_third_party },
	{ "BO12", "BO12", KIND_invalid_target },
	{ "BO13", "BO13", KIND_malformed },
	{ "BO14", "BO14", KIND_scan_vertical },
	{ "BO15", "BO15", KIND_scan_horizontal },
	{ "BO16", "BO16", KIND_scan_slow },
	{ "BO17", "BO17", KIND_scan_vertical },
	{ "BO18", "BO19", KIND_payload_relay },
	{ "BO20", "BO20", KIND_chained_control },
	{ "BO21", "BO21", KIND_fxp },
	{ "BO22", "BO22", KIND_port_flood },
	{ "BO23", "BO23", KIND_preauth },
	{ "BO24", "BO25", KIND_stale_address },
	{ "BO26", "BO26", KIND_epsv_all },
	{ "BO27", "BO28", KIND_third_party },
	{ "PT01", "PT01", KIND_pasv_theft },
	{ "PT02", "PT02", KIND_pasv_predictable },
	{ "PT03", "PT03", KIND_pasv_redirect },
	{ "PT04", "PT04", KIND_privileged_port },
	{ "PT05", "PT05", KIND_pasv_private },
	{ "PT06", "PT06", KIND_pasv_redirect },
	{ "PT07", "PT07", KIND_active_hijack },
	{ "PT08", "PT08", KIND_pasv_exhaustion },
	{ "PT09", "PT09", KIND_fxp },
	{ "PT10", "PT10", KIND_pasv_race },
	{ "FW01", "FW01", KIND_alg_holepunch },
	{ "FW02", "FW03", KIND_alg_reply_injection },
	{ "FW04", "FW06", KIND_cross_protocol },
	{ "FW07", "FW07", KIND_payload_relay },
	{ "EV01", "EV23", KIND_evasion },
	{ "EV24", "EV24", KIND_unexplained_data_syn },
	{ "EV25", "EV31", KIND_evasion },
	{ "BE01", "BE01", KIND_internal },
	{ "BE02", "BE02", KIND_fxp },
};

bool
lore_knows(enum bounce_kind kind)
{
	return kind == KIND_none || all[kind].what != NULL;
}

static enum bounce_kind
kind_of(const char *id)
{
	for (int k = KIND_none + 1; k < KIND_COUNT; k++)
		if (strcasecmp(id, bounce_kind_name((enum bounce_kind)k)) == 0)
			return (enum bounce_kind)k;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(id) == 4 && strcasecmp(id, rows[i].first) >= 0 &&
		    strcasecmp(id, rows[i].last) <= 0)
			return rows[i].kind;
	return KIND_none;
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
}

bool
lore_explain(FILE *out, FILE *err, const char *id)
{
	enum bounce_kind kind = kind_of(id);
	const struct lore *l = &all[kind];
	enum bounce_level attempt, executed;

	if (kind == KIND_none) {
		fprintf(err, "portcullis watch: --explain %s: no such variant; "
		    "there are:\n", id);
		list(err);
		return false;
	}
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
	return true;
}
