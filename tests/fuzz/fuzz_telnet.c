/*
 * tests/fuzz/fuzz_telnet.c: of any bytes, the lines are the same however the
 * bytes arrive, and there is one event for each LF.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>

#include "proto/telnet.h"

#define LINE_MAX 16

/* All events and their bytes, folded into one number (FNV-1a). */
struct outcome {
	uint64_t hash;
	size_t lines;
};

static void
fold(struct outcome *o, uint8_t byte)
{
	o->hash = (o->hash ^ byte) * 1099511628211u;
}

static void
note(struct outcome *o, const struct telnet *t, enum telnet_event event)
{
	struct sv line = telnet_line(t);

	fold(o, (uint8_t)event);
	if (event == TELNET_OPTION) {
		fold(o, t->verb);
		fold(o, t->option);
		return;
	}
	o->lines++;
	if (event == TELNET_LINE)
		for (size_t i = 0; i < line.len; i++) {
			assert(line.ptr[i] != '\n');
			fold(o, (uint8_t)line.ptr[i]);
		}
}

static void
feed(struct telnet *t, struct sv in, struct outcome *o)
{
	enum telnet_event event;

	while ((event = telnet_feed(t, &in)) != TELNET_MORE)
		note(o, t, event);
	assert(in.len == 0);
	assert(t->len <= LINE_MAX && t->removed <= LINE_MAX);
}

/* In pieces of `piece` bytes. */
static struct outcome
outcome_of(struct sv in, size_t piece)
{
	struct outcome o = { 14695981039346656037u, 0 };
	char buf[LINE_MAX];
	struct telnet t;

	telnet_init(&t, buf, sizeof(buf));
	while (in.len > piece) {
		feed(&t, (struct sv) { in.ptr, piece }, &o);
		in = sv_drop(in, piece);
	}
	feed(&t, in, &o);
	return o;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv in = { (const char *)data, size };
	struct outcome whole = outcome_of(in, size > 0 ? size : 1);
	size_t lf = 0;

	for (size_t i = 0; i < size; i++)
		lf += data[i] == '\n';
	assert(whole.lines == lf);
	for (size_t piece = 1; piece <= 5; piece++)
		assert(outcome_of(in, piece).hash == whole.hash);
	return 0;
}
