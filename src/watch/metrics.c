/*
 * watch/metrics.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
put_counter(FILE *out, const char *name, const char *help, uint64_t value)
{
	fprintf(out, "# HELP portcullis_watch_%s_total %s\n"
	    "# TYPE portcullis_watch_%s_total counter\n"
	    "portcullis_watch_%s_total %" PRIu64 "\n",
	    name, help, name, name, value);
}

static void
put_shed(FILE *out, const struct watch *w)
{
	fputs("# HELP portcullis_watch_shed_total forgotten for want of room\n"
	    "# TYPE portcullis_watch_shed_total counter\n", out);
	fprintf(out, "portcullis_watch_shed_total{what=\"flows\"} %" PRIu64
	    "\nportcullis_watch_shed_total{what=\"expects\"} %" PRIu64
	    "\nportcullis_watch_shed_total{what=\"findings\"} %" PRIu64 "\n",
	    w->flows.shed_count, w->expects.shed_count,
	    w->findings.shed_count);
}

static void
put_packets(FILE *out, const struct metrics_more *more)
{
	fputs("# HELP portcullis_watch_undecoded_total packets that held no "
	    "TCP segment, by reason\n"
	    "# TYPE portcullis_watch_undecoded_total counter\n", out);
	for (size_t i = 0; i < more->n; i++)
		fprintf(out, "portcullis_watch_undecoded_total{reason=\"%s\"} "
		    "%" PRIu64 "\n", more->packets[i].name,
		    more->packets[i].value);
}

/* Every finding that was told, by what it is now. */
static void
put_findings(FILE *out, const struct watch *w)
{
	static uint64_t n[KIND_COUNT][STAGE_COUNT][LEVEL_COUNT];
	const struct finding *f = table_oldest(&w->findings);

	memset(n, 0, sizeof(n));
	for (; f != NULL; f = table_newer(&w->findings, f))
		if (f->told)
			n[f->kind][f->stage][f->level]++;
	fputs("# HELP portcullis_watch_findings findings by variant, stage "
	    "and level\n# TYPE portcullis_watch_findings gauge\n", out);
	for (int k = 0; k < KIND_COUNT; k++)
		for (int s = 0; s < STAGE_COUNT; s++)
			for (int l = 0; l < LEVEL_COUNT; l++)
				if (n[k][s][l] > 0)
					fprintf(out,
					    "portcullis_watch_findings"
					    "{variant=\"%s\",stage=\"%s\","
					    "level=\"%s\"} %" PRIu64 "\n",
					    bounce_kind_name((enum bounce_kind)k),
					    bounce_stage_name((enum bounce_stage)s),
					    bounce_level_name((enum bounce_level)l),
					    n[k][s][l]);
}

static bool
replace(int fd, const char *text, size_t len)
{
	ssize_t n = pwrite(fd, text, len, 0);

	if (n < 0)
		return false;
	if ((size_t)n < len) {
		errno = ENOSPC;
		return false;
	}
	return ftruncate(fd, (off_t)len) == 0;
}

bool
metrics_write(int fd, const struct watch *w, const struct metrics_more *more)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool good;

	if (out == NULL)
		return false;
#define X(name, help) put_counter(out, #name, help, w->counters.name);
	WATCH_COUNTERS(X)
#undef X
	put_shed(out, w);
	put_packets(out, more);
	put_findings(out, w);
	good = fclose(out) == 0 && replace(fd, text, len);
	free(text);
	return good;
}
