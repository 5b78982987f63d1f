/*
 * bench/report.c: the one JSON line a run ends with.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void
samples_add(struct samples *v, double ms)
{
	if (v->len == SAMPLES_MAX)
		return;
	if (v->len == v->room) {
		size_t room = v->room == 0 ? 4096 : v->room * 2;
		double *grown = realloc(v->ms, room * sizeof(*grown));

		if (grown == NULL)
			return;
		v->ms = grown;
		v->room = room;
	}
	v->ms[v->len++] = ms;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The list is sorted already. */
static double
percentile(const struct samples *v, double part)
{
	if (v->len == 0)
		return 0;
	return v->ms[(size_t)((double)(v->len - 1) * part + 0.5)];
}

static void
print_times(const char *name, struct samples *v)
{
	if (v->len == 0)
		return;
	qsort(v->ms, v->len, sizeof(*v->ms), by_value);
	printf(",\"%s_p50_ms\":%.4f,\"%s_p99_ms\":%.4f", name,
	    percentile(v, 0.50), name, percentile(v, 0.99));
}

/* The server's own words may be in it. */
static void
print_escaped(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
}

static void
print_idle(const struct load *l)
{
	printf(",\"logged_in\":%u,\"alive\":%u", l->ready, l->alive);
}

static void
print_rates(struct load *l)
{
	double seconds = (double)l->window_ns / 1e9;

	printf(",\"seconds\":%.4f,\"transfers\":%" PRIu64
	    ",\"bytes\":%" PRIu64, seconds, l->transfers, l->bytes);
	printf(",\"per_second\":%.2f,\"MiB_per_second\":%.2f",
	    (double)l->window_transfers / seconds,
	    (double)l->window_bytes / seconds / 1048576);
	print_times("total", &l->total);
	print_times("first_byte", &l->first);
	if (l->set.scenario == SC_LIST)
		printf(",\"lines_least\":%" PRIu64 ",\"lines_most\":%" PRIu64
		    ",\"cut\":%" PRIu64, l->lines_least, l->lines_most, l->cut);
}

void
report_print(struct load *l, double client_cpu_s, double login_s)
{
	printf("{\"scenario\":\"%s\",\"mode\":\"%s\",\"sessions\":%u",
	    l->set.label, l->set.active ? "active" : "passive",
	    l->set.sessions);
	if (l->set.scenario == SC_IDLE)
		print_idle(l);
	else
		print_rates(l);
	printf(",\"login_s\":%.4f,\"client_cpu_s\":%.4f,\"errors\":%" PRIu64,
	    login_s, client_cpu_s, l->errors);
	printf(",\"first_error\":\"");
	print_escaped(l->first_error);
	printf("\"}\n");
	fflush(stdout);
}
