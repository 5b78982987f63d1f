/*
 * policy/ports.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/ports.h"

bool
ports_is_taken(const struct ports *p, uint16_t port)
{
	return (p->word[port / 64] >> (port % 64) & 1) != 0;
}

void
ports_mark(struct ports *p, uint16_t port, bool taken)
{
	uint64_t bit = UINT64_C(1) << (port % 64);

	if (taken)
		p->word[port / 64] |= bit;
	else
		p->word[port / 64] &= ~bit;
}

uint32_t
ports_count(const struct ports *p, uint16_t low, uint16_t high)
{
	uint32_t n = 0;

	for (unsigned i = low / 64; i <= high / 64; i++) {
		uint64_t word = p->word[i];

		if (i == low / 64)
			word &= UINT64_MAX << (low % 64);
		if (i == high / 64)
			word &= UINT64_MAX >> (63 - high % 64);
		n += (uint32_t)__builtin_popcountll(word);
	}
	return n;
}
