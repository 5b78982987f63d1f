/*
 * policy/bounce.c: may a server connect there?  See the header.
 *
 * The address is judged before the port, and its own meaning before whose it
 * is: a multicast group stays one even if a peer were to come from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/bounce.h"

#define NET4(a, b, c, d, length) \
	{ .base = { .family = ADDR_V4, .ip = { a, b, c, d } }, .bits = length }
#define NET6(a, b, length) \
	{ .base = { .family = ADDR_V6, .ip = { a, b } }, .bits = length }

/* Names no single host: RFC 1122 §3.2.1.3, RFC 4291 §2.5.2 and §2.7. */
static const struct addr_net no_host[] = {
	NET4(0, 0, 0, 0, 8),		/* "this network" */
	NET4(224, 0, 0, 0, 4),		/* multicast */
	NET4(255, 255, 255, 255, 32),	/* broadcast */
	NET6(0, 0, 128),		/* unspecified */
	NET6(0xff, 0, 8),		/* multicast */
};

static const struct addr_net loopback[] = {
	NET4(127, 0, 0, 0, 8),
	{ .base = { .family = ADDR_V6, .ip = { [15] = 1 } }, .bits = 128 },
};

/* Reachable from where the server is, perhaps, and from outside not. */
static const struct addr_net internal[] = {
	NET4(10, 0, 0, 0, 8),		/* RFC 1918 */
	NET4(172, 16, 0, 0, 12),
	NET4(192, 168, 0, 0, 16),
	NET4(100, 64, 0, 0, 10),	/* RFC 6598, carrier-grade NAT */
	NET4(169, 254, 0, 0, 16),	/* RFC 3927, link-local */
	NET6(0xfc, 0, 7),		/* RFC 4193 */
	NET6(0xfe, 0x80, 10),		/* link-local */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_in(const struct addr *a, const struct addr_net *nets, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (addr_in_net(a, &nets[i]))
			return true;
	return false;
}

enum bounce_kind
bounce_judge_peer_port(const struct addr *peer, uint16_t port,
    const struct addr_net *deny, size_t deny_count)
{
	if (port == 0)
		return KIND_malformed;
	if (port < BOUNCE_LEAST_PORT)
		return KIND_privileged_port;
	if (is_in(peer, deny, deny_count))
		return KIND_internal;
	return KIND_none;
}

enum bounce_kind
bounce_judge(const struct bounce_question *q)
{
	const struct addr *asked = &q->asked;

	if (asked->family == ADDR_NONE || asked->zoned ||
	    is_in(asked, no_host, COUNT(no_host)))
		return KIND_invalid_target;
	if (addr_same_ip(asked, &q->peer))
		return bounce_judge_peer_port(&q->peer, asked->port, q->deny,
		    q->deny_count);

	if (is_in(asked, loopback, COUNT(loopback)))
		return KIND_loopback;
	if (addr_same_ip(asked, &q->local))
		return KIND_self;
	if (is_in(asked, internal, COUNT(internal)))
		return KIND_internal;
	return KIND_third_party;
}

int
bounce_reply(const struct bounce_question *q, enum bounce_kind kind)
{
	struct addr asked = addr_unmap(q->asked), peer = addr_unmap(q->peer);

	if (kind == KIND_none)
		return 200;
	if (kind == KIND_preauth)
		return 530;
	if ((kind == KIND_third_party || kind == KIND_internal) &&
	    peer.family != ADDR_NONE && asked.family != peer.family)
		return 522;
	return 504;
}

bool
bounce_is_owner(const struct addr *from, const struct addr *peer)
{
	return addr_same_ip(from, peer);
}

bool
bounce_is_internal(const struct addr *a)
{
	return is_in(a, internal, COUNT(internal));
}

/* Named by a server that does not know of the NAT before it. */
static bool
is_behind_nat(const struct addr *named, const struct addr *server)
{
	return bounce_is_internal(named) && !bounce_is_internal(server) &&
	    !is_in(server, loopback, COUNT(loopback));
}

enum bounce_kind
bounce_judge_passive(const struct addr *named, const struct addr *server)
{
	if (named->family != ADDR_NONE) {
		if (named->zoned || is_in(named, no_host, COUNT(no_host)))
			return KIND_invalid_target;
		if (!addr_same_ip(named, server) &&
		    !is_behind_nat(named, server))
			return KIND_pasv_redirect;
	}
	return bounce_judge_peer_port(server, named->port, NULL, 0);
}
