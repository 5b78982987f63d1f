/*
 * watch/metrics.h: counters in Prometheus' text format, for a collector that
 * reads files.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "watch/eve.h"
#include "watch/watch.h"

/* Words and counts of what feeds the sensor. */
struct metrics_more {
	const struct eve_count *packets;	/* by what became of them */
	size_t n;
};

/*
 * Writes all over what fd holds, in one call: a file that is open, since a
 * sensor at work opens none.  False with errno set.
 */
bool metrics_write(int fd, const struct watch *w,
    const struct metrics_more *more);
