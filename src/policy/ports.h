/*
 * policy/ports.h: which ports are taken.  Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A bit for each port; all zero: none is taken. */
struct ports {
	uint64_t word[65536 / 64];
};

bool ports_is_taken(const struct ports *p, uint16_t port);
void ports_mark(struct ports *p, uint16_t port, bool taken);

/* How many are taken from low to high, both included. */
uint32_t ports_count(const struct ports *p, uint16_t low, uint16_t high);
