/*
 * policy/passive.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/passive.h"

const struct passive_entry *
passive_choose(const struct passive_entry *list, size_t count,
    const struct addr *client)
{
	const struct passive_entry *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (addr_in_net(client, &list[i].clients) &&
		    (best == NULL ||
		    list[i].clients.bits > best->clients.bits))
			best = &list[i];
	return best;
}

bool
passive_can_be_told(const struct addr *a)
{
	/* "This network" (RFC 6890); multicast and all above it. */
	return a->family == ADDR_V4 && a->ip[0] != 0 && a->ip[0] < 224;
}

static bool
is_any(const struct addr *a)
{
	static const uint8_t zero[sizeof(a->ip)];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

const struct passive_ports *
passive_ports_of(const struct passive_ports *list, size_t count,
    const struct addr *local)
{
	struct addr here = addr_unmap(*local);
	const struct passive_ports *any = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct addr *at = &list[i].at;

		if (at->port != here.port || at->family != here.family)
			continue;
		if (addr_same_ip(at, &here))
			return &list[i];
		if (is_any(at))
			any = &list[i];
	}
	return any;
}
