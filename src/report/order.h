/*
 * report/order.h: rows of a table in the order in which they are shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "report/tally.h"

enum report_order {
	REPORT_BY_KEY,
	REPORT_BY_BYTES,	/* sent and received */
	REPORT_BY_TRANSFERS,
	REPORT_BY_ALERTS,
	REPORT_BY_REFUSED,
	REPORT_BY_ACTIVE,	/* transfers in active mode */
	REPORT_BY_SLOWNESS,	/* those without a rate are left out */
};

/*
 * The rows whose number of that order is not 0 (by key, bytes: all), the first
 * first; the array is freed by the caller, the rows are the table's.  NULL:
 * no memory.
 *
 * prefix  only keys that begin with it; 0: all
 */
MUST_USE const struct report_row **report_sort(const struct report_table *t,
    enum report_order order, char prefix, size_t *count);

/* Bytes a second, of transfers that tell one; 0: there are none. */
uint64_t report_rate_Bps(const struct report_tally *t);
