/*
 * watch/eve.h: what the sensor saw as JSON lines, with the field names of
 * Suricata's EVE: findings as alerts, and counters.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "watch/watch.h"

/* One line for a finding as it stands now; `id` and `update` tell which. */
void eve_finding(FILE *out, const struct watch *w, const struct finding *f);

/* Names of what else is counted, and how much. */
struct eve_count {
	const char *name;
	uint64_t value;
};

/* The counters of the sensor itself, and `more` of what feeds it. */
void eve_stats(FILE *out, const struct watch *w,
    const struct eve_count *more, size_t n);
