/*
 * base/addr.h: an address and a port of either family, in 20 bytes without
 * padding, so that it can be sent, compared and printed the same everywhere.
 *
 * An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is kept as it was given:
 * who compares addresses unmaps both sides first (addr_unmap).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/sv.h"

enum addr_family {
	ADDR_NONE = 0,
	ADDR_V4 = 4,
	ADDR_V6 = 6,
};

struct addr {
	uint8_t ip[16];	 /* network order; IPv4 in the first four bytes */
	uint16_t port;	 /* host order; 0 where no port is meant */
	uint8_t family;	 /* enum addr_family */
	uint8_t zoned;	 /* 1: the text named a zone ("fe80::1%eth0") */
};

/* A network: the first `bits` bits of ip. */
struct addr_net {
	struct addr base;
	uint32_t bits;
};

/* "255.255.255.255" or a full IPv6 address with brackets, port and NUL. */
#define ADDR_TEXT_MAX 64

/* From the kernel's form; ADDR_NONE for any family but the two. */
struct addr addr_of_sockaddr(const struct sockaddr_storage *ss);

/* Into the kernel's form; returns the length to give to bind or connect. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ss);

/* ::ffff:a.b.c.d becomes a.b.c.d; anything else stays. The port is kept. */
struct addr addr_unmap(struct addr a);

/* The same address after unmapping both, whatever the ports. */
bool addr_same_ip(const struct addr *a, const struct addr *b);

/* And the same port. */
bool addr_same(const struct addr *a, const struct addr *b);

/* One of the list is the same, port and all. */
bool addr_is_in(const struct addr *list, size_t count, const struct addr *a);

/* The address is inside the network, after unmapping both. */
bool addr_in_net(const struct addr *a, const struct addr_net *net);

/* inet_pton's forms and nothing else: no octal, no short IPv4, no zone. */
MUST_USE bool addr_parse_ip(struct sv text, struct addr *out);

/* "192.0.2.1:21", "[2001:db8::1]:21". */
MUST_USE bool addr_parse_ip_port(struct sv text, struct addr *out);

/* "10.0.0.0/8", "2001:db8::/32", or a lone address. */
MUST_USE bool addr_parse_net(struct sv text, struct addr_net *out);

/* The address alone, as inet_ntop writes it. Returns buf. */
const char *addr_format_ip(const struct addr *a, char buf[ADDR_TEXT_MAX]);

/* With the port: "192.0.2.1:21", "[2001:db8::1]:21". Returns buf. */
const char *addr_format(const struct addr *a, char buf[ADDR_TEXT_MAX]);

/*
 * By what a client is known, whose address this is: an IPv4 address, mapped or
 * not, or an IPv6 /64, since he has all of one and picks addresses at will.
 */
void addr_client_key(const struct addr *a, uint64_t key[2]);
/* An address of that client's, without a port. */
struct addr addr_of_client_key(const uint64_t key[2]);
