/*
 * explain/judge.c: the policy's verdict on a reading; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "explain/judge.h"

#include "policy/bounce.h"

/* Why a server refuses to connect where a command names; RFC 2577 §3. */
static const char *
command_reason(enum bounce_kind kind)
{
	switch ((int)kind) {
	case KIND_none:
		return "it is the client's own address, and the port is 1024 "
		       "or above";
	case KIND_privileged_port:
		return "ports below 1024 belong to services, even the "
		       "client's own (RFC 2577 section 3)";
	case KIND_malformed:
		return "port 0 is no port to connect to";
	case KIND_invalid_target:
		return "the address names no single host: it is unspecified, "
		       "broadcast, multicast or has a zone";
	case KIND_loopback:
		return "the address is a loopback: the server would connect "
		       "to itself";
	case KIND_self:
		return "the address is the server's own, and not the client's";
	case KIND_internal:
		return "the address is a private one, and not the client's: "
		       "behind the server, hosts could be scanned";
	default:
		return "the address is not the client's: a third party would "
		       "be connected to (FTP bounce)";
	}
}

static const char *
reply_reason(enum bounce_kind kind)
{
	switch ((int)kind) {
	case KIND_none:
		return "the client connects to the server that it talks to";
	case KIND_privileged_port:
		return "ports below 1024 belong to services; no honest server "
		       "listens for data there";
	case KIND_malformed:
		return "port 0 is no port to connect to";
	case KIND_invalid_target:
		return "the address names no single host: it is unspecified, "
		       "broadcast, multicast or has a zone";
	default:
		return "the server sends the client to another host "
		       "(CVE-2020-8284)";
	}
}

static struct verdict
judge_command(const struct addr *asked, const struct addr *peer,
    const struct addr *server)
{
	struct bounce_question q = { .asked = *asked, .peer = *peer,
		.local = *server };
	enum bounce_kind kind = bounce_judge(&q);
	struct verdict v = { VERDICT_REFUSED, kind, bounce_reply(&q, kind),
		command_reason(kind) };

	if (kind == KIND_none)
		v.outcome = VERDICT_PERMITTED;
	else if (v.reply == 522)
		v.reason = "the control connection uses the other version of "
			   "IP (RFC 2428 section 2)";
	return v;
}

/*
 * Nothing is known of the client.  If even its own address would be refused,
 * so is everyone's; if not, it hangs on whose address it is.
 */
static struct verdict
judge_command_of_anyone(const struct addr *asked, const struct addr *server)
{
	static const struct addr nobody = { .family = ADDR_NONE };
	struct verdict best = judge_command(asked, asked, server);
	struct verdict other = judge_command(asked, &nobody, server);

	if (best.outcome == VERDICT_REFUSED)
		return best;
	best.outcome = VERDICT_DEPENDS;
	best.kind = other.kind;
	best.reply = 0;
	if (other.kind == KIND_loopback || other.kind == KIND_self)
		best.reason = "permitted (200) only to a client on the "
			      "server's own machine that comes from this very "
			      "address, forbidden (504) to every other";
	else
		best.reason = "permitted (200) to the client whose own "
			      "address it is, forbidden (504) to every other";
	return best;
}

static struct verdict
judge_reply(const struct addr *named, const struct addr *server)
{
	bool known = server->family != ADDR_NONE;
	enum bounce_kind kind = bounce_judge_passive(named,
	    known ? server : named);
	struct verdict v = { VERDICT_REFUSED, kind, 0, reply_reason(kind) };

	if (kind != KIND_none)
		return v;
	v.outcome = VERDICT_PERMITTED;
	if (named->family == ADDR_NONE)
		return v;
	if (!known) {
		v.outcome = VERDICT_DEPENDS;
		v.reason = "fine if it is the server's own address; a careful "
			   "client connects nowhere else";
	} else if (!addr_same_ip(named, server))
		v.reason = "a private address of a server behind NAT: clients "
			   "connect to the public one instead";
	return v;
}

/* RFC 1639's commands are known, and answered 502 whatever they say. */
static bool
is_absent(const struct reading *r)
{
	return r->kind == READING_COMMAND && r->grammar == HOSTPORT_LPRT;
}

struct verdict
judge(const struct reading *r, const struct addr *peer,
    const struct addr *server)
{
	if (r->kind == READING_REPLY)
		return judge_reply(&r->addr, server);
	if (is_absent(r))
		return (struct verdict) { VERDICT_REFUSED,
			judge_command(&r->addr, peer, server).kind, 502,
			"LPRT is not offered; EPRT took its place (RFC 2428)" };
	if (peer->family == ADDR_NONE)
		return judge_command_of_anyone(&r->addr, server);
	return judge_command(&r->addr, peer, server);
}

int
judge_malformed(const struct reading *r)
{
	if (r->kind != READING_COMMAND)
		return 0;
	return is_absent(r) ? 502 : ftp_err_reply(r->err);
}
