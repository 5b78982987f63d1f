/*
 * report/order.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/order.h"

#include <stdlib.h>

uint64_t
report_rate_Bps(const struct report_tally *t)
{
	if (t->big_ms == 0)
		return 0;
	if (t->big_bytes > UINT64_MAX / 1000)
		return t->big_bytes / t->big_ms * 1000;
	return t->big_bytes * 1000 / t->big_ms;
}

/* What is not told apart by number is told by name: the same every time. */
static int
by_key(const void *a, const void *b)
{
	const struct report_row *x = *(const struct report_row *const *)a;
	const struct report_row *y = *(const struct report_row *const *)b;
	int order = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

	if (order != 0)
		return order;
	return x->len < y->len ? -1 : x->len > y->len;
}

#define BY(name, field) \
static int \
name(const void *a, const void *b) \
{ \
	const struct report_row *x = *(const struct report_row *const *)a; \
	const struct report_row *y = *(const struct report_row *const *)b; \
 \
	if (x->tally.field != y->tally.field) \
		return x->tally.field > y->tally.field ? -1 : 1; \
	return by_key(a, b); \
}

BY(by_transfers, transfers)
BY(by_alerts, alerts)
BY(by_refused, refused)
BY(by_active, active)

/* Sent and received: who only uploads stands where he belongs. */
static uint64_t
bytes_moved(const struct report_row *row)
{
	const struct report_tally *t = &row->tally;

	return t->stored_bytes > UINT64_MAX - t->bytes ? UINT64_MAX :
	    t->bytes + t->stored_bytes;
}

static int
by_bytes(const void *a, const void *b)
{
	uint64_t x = bytes_moved(*(const struct report_row *const *)a);
	uint64_t y = bytes_moved(*(const struct report_row *const *)b);

	if (x != y)
		return x > y ? -1 : 1;
	return by_key(a, b);
}

static int
by_slowness(const void *a, const void *b)
{
	const struct report_row *x = *(const struct report_row *const *)a;
	const struct report_row *y = *(const struct report_row *const *)b;
	uint64_t x_Bps = report_rate_Bps(&x->tally);
	uint64_t y_Bps = report_rate_Bps(&y->tally);

	if (x_Bps != y_Bps)
		return x_Bps < y_Bps ? -1 : 1;
	return by_key(a, b);
}

static bool
is_wanted(const struct report_tally *t, enum report_order order)
{
	switch (order) {
	case REPORT_BY_TRANSFERS:
		return t->transfers > 0;
	case REPORT_BY_ALERTS:
		return t->alerts > 0;
	case REPORT_BY_REFUSED:
		return t->refused > 0;
	case REPORT_BY_ACTIVE:
		return t->active > 0;
	case REPORT_BY_SLOWNESS:
		return t->big > 0;
	case REPORT_BY_KEY:
	case REPORT_BY_BYTES:	/* listings of nothing are shown, too */
		break;
	}
	return true;
}

const struct report_row **
report_sort(const struct report_table *t, enum report_order order,
    char prefix, size_t *count)
{
	static int (*const compare[])(const void *, const void *) = {
		[REPORT_BY_KEY] = by_key,
		[REPORT_BY_BYTES] = by_bytes,
		[REPORT_BY_TRANSFERS] = by_transfers,
		[REPORT_BY_ALERTS] = by_alerts,
		[REPORT_BY_REFUSED] = by_refused,
		[REPORT_BY_ACTIVE] = by_active,
		[REPORT_BY_SLOWNESS] = by_slowness,
	};
	const struct report_row **out = calloc((size_t)t->count + 1,
	    sizeof(*out));
	size_t n = 0;

	if (out == NULL)
		return NULL;
	for (uint32_t i = 0; i < t->count; i++) {
		const struct report_row *row = &t->rows[i];

		if (is_wanted(&row->tally, order) && (prefix == 0 ||
		    (row->len > 0 && row->key[0] == prefix)))
			out[n++] = row;
	}
	qsort(out, n, sizeof(*out), compare[order]);
	*count = n;
	return out;
}
