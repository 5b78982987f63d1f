/*
 * policy/bounce.h: may a server connect there?  RFC 2577 §3, and more.
 *
 * Pure: what it knows is handed in.  The worker asks before it answers PORT,
 * the gate asks again before it connects, with its own record of the peer;
 * the sensor asks about servers that did not, the explainer aloud.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "policy/kinds.h"

/* RFC 2577 §3: a data port below this one is never connected to. */
#define BOUNCE_LEAST_PORT 1024

struct bounce_question {
	struct addr asked;	  /* the data address that was named */
	struct addr peer;	  /* who is at the control connection's far end */
	struct addr local;	  /* the server's own end of it; ADDR_NONE if
				     not known */
	const struct addr_net *deny; /* networks never connected to */
	size_t deny_count;
};

/*
 * The verdict on one data address: KIND_none when it is permitted, or what
 * is wrong with it.  Where several things are, the gravest is named: an
 * address that is no host, or another's, before a port that is too low.
 *
 * Port 0 is KIND_malformed.  Addresses are compared after unmapping
 * IPv4-mapped IPv6 on both sides.  A zoned address is KIND_invalid_target:
 * its meaning depends on whose interfaces are counted.
 *
 * Without a peer (ADDR_NONE) nothing is permitted.
 *
 * Order: a zone, an unspecified, broadcast or multicast address
 * (invalid_target); the peer's own address, then port 0 (malformed), below
 * 1024 (privileged_port), a denied network (internal), else none; another's:
 * loopback, self, internal (RFC 1918, 4193, 6598, link-local), third_party.
 */
enum bounce_kind bounce_judge(const struct bounce_question *q);

/*
 * The reply code that goes with the verdict on PORT or EPRT: 200 permitted,
 * 504 forbidden (RFC 2577 §3), 530 before login.  An ordinary address of the
 * family that the control connection does not use is answered 522 (RFC 2428
 * §2), which tells an honest client with both families what to do instead;
 * it is refused and reported all the same.
 */
int bounce_reply(const struct bounce_question *q, enum bounce_kind kind);

/*
 * What the gate asks: may this port of the peer be connected to?  The
 * address is the gate's own record and no part of the question.
 */
enum bounce_kind bounce_judge_peer_port(const struct addr *peer, uint16_t port,
    const struct addr_net *deny, size_t deny_count);

/*
 * May a data connection from `from`, made to a passive port, be given to the
 * session whose control connection comes from `peer`?
 */
bool bounce_is_owner(const struct addr *from, const struct addr *peer);

/* RFC 1918, 4193, 6598, link-local: means something else elsewhere. */
bool bounce_is_internal(const struct addr *a);

/*
 * What to think of the address in a 227, 229 or 228 reply, for who reads the
 * replies of others: a client that follows it blindly connects wherever a
 * server sends it (CVE-2020-8284).
 *
 * named   ADDR_NONE where the reply left the address out, as 229 should
 * server  the server's end of the control connection
 *
 * KIND_pasv_redirect for another host; KIND_invalid_target, KIND_malformed
 * (port 0) and KIND_privileged_port as above.  A private address that a
 * public server names is KIND_none: it is the server's own, behind a NAT that
 * it does not know of, and clients connect to the public one.
 */
enum bounce_kind bounce_judge_passive(const struct addr *named,
    const struct addr *server);
