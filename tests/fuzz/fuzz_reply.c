/*
 * tests/fuzz/fuzz_reply.c: whatever a server says, the auditor reads replies to
 * the end of it, and every form of its report stays what it is: a table
 * without control bytes, one line with one bar, JSON that can be read again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/link.h"
#include "audit/nagios.h"
#include "audit/report.h"
#include "audit/sarif.h"
#include "audit/table.h"

#define SAID_MOST 65536		/* what a socket's buffer holds */

static const struct options options = { .timeout_ms = 10000, .rate = 1000,
	.max_time_s = 900 };
static const struct target target = { .host = "h", .port = 21,
	.user = "u", .password = "s3same" };

/* A connection on which all of it was said; then it ends. */
static int
said(const uint8_t *data, size_t size)
{
	int ends[2];

	if (size > SAID_MOST)
		size = SAID_MOST;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    ends) == 0);
	assert(write(ends[1], data, size) == (ssize_t)size);
	close(ends[1]);
	return ends[0];
}

static void
check_printable(const char *text, size_t room)
{
	assert(strlen(text) < room);
	for (; *text != '\0'; text++)
		assert(*text >= ' ' && *text <= '~');
}

static void
read_all(struct link *l, struct ask *q)
{
	struct reply r;

	while (!l->over) {
		link_read(l, &r, 10000);
		check_printable(r.text, sizeof(r.text));
		assert(strlen(r.raw) < sizeof(r.raw));
		assert(r.code == 0 || (r.code >= 100 && r.code <= 699));
		assert((r.code == 0) <= l->over);
		if (r.code != 0)
			ask_answer(q, VERDICT_vulnerable, "%s", r.text);
	}
}

static void
check_table(json_t *report)
{
	const struct table_style style = { .verbose = true };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert(out != NULL);
	table_print(out, report, &style);
	assert(fclose(out) == 0);
	for (size_t i = 0; i < len; i++)
		assert((text[i] >= ' ' && text[i] <= '~') || text[i] == '\n');
	/* The password was "s3same". */
	assert(strstr(text, target.password) == NULL);
	free(text);
}

static void
check_line(json_t *report)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert(out != NULL);
	nagios_print(out, &report, 1, 1);
	assert(fclose(out) == 0);
	assert(strchr(text, '\n') == text + len - 1);
	assert(strchr(text, '|') == strrchr(text, '|'));
	assert(strpbrk(text, "`$\\<>&\"'") == NULL);
	free(text);
}

static void
check_json(json_t *report)
{
	char *text = json_dumps(report, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_t *log = sarif_log(&report, 1), *again;

	assert(text != NULL && log != NULL);
	assert(strchr(text, '\n') == NULL);
	again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert(json_equal(again, report));
	json_decref(again);
	json_decref(log);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit a = { .options = &options, .target = &target,
		.started_ms = sock_now_ms(),
		.report = report_new(&target, &options) };
	struct ask q = { .audit = &a, .question = ASK_bounce,
		.exchange = json_array(), .asked = json_array() };
	struct link *l;

	a.deadline_ms = a.started_ms + 900000;
	l = link_attach(&q, said(data, size));
	assert(l != NULL);
	read_all(l, &q);
	link_close(l);
	ask_answer(&q, VERDICT_inconclusive, "no reply");
	report_line(&a, &q, 0);
	report_finish(&a);
	report_redact(a.report, &target);
	check_table(a.report);
	check_line(a.report);
	check_json(a.report);
	json_decref(a.report);
	return 0;
}
