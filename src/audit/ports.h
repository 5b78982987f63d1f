/*
 * audit/ports.h: can the next passive port be guessed from the last ones?
 * Pure: no I/O.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PORTS_MAX 32	/* two commands each, of the 64 that a question has */

/* Passive ports of one session, in the order in which they were told. */
struct ports {
	unsigned n;
	uint16_t port[PORTS_MAX];
};

struct ports_look {
	uint16_t least, most;
	unsigned distinct;	/* different ones */
	int step;		/* from one to the next, the most frequent */
	unsigned steps;		/* how often it was made */
	double correlation;	/* of each with the next: near 0 for random */
	bool guessable;
};

/* all holds one port at least. */
struct ports_look ports_look(const struct ports *all);
