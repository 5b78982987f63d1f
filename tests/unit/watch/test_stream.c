/*
 * However a control connection's bytes are cut, ordered and repeated, the
 * commands and replies are the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "unit.h"
#include "watch/watch.h"

#define SEEN_MOST 512
#define PIECES_MOST 5
#define ISN 0xfffffff0u		/* sequence numbers wrap within the talk */

struct session {
	struct watch watch;
	struct addr end[2];
	uint32_t seq[2];	/* of the first byte to be placed */
	char seen[SEEN_MOST];	/* "CWD a|PWD |" or "200 ready|" */
	size_t seen_len;
};

struct piece {
	size_t at, len;
};

static void
note(struct session *s, const char *word, struct sv rest)
{
	int n = snprintf(s->seen + s->seen_len, SEEN_MOST - s->seen_len,
	    "%s %.*s|", word, (int)rest.len, rest.ptr);

	assert_in_range(n, 1, SEEN_MOST - 1 - s->seen_len);
	s->seen_len += (size_t)n;
}

static void
line_seen(void *arg, const struct watch *w, const struct control *c,
    enum ftp_verb verb, struct sv argument)
{
	(void)w;
	(void)c;
	note(arg, verb == V_UNKNOWN ? "?" : ftp_commands[verb].name, argument);
}

static void
reply_seen(void *arg, const struct watch *w, const struct control *c,
    enum ftp_verb verb, int code, struct sv text)
{
	char number[16];

	(void)w;
	(void)c;
	(void)verb;
	snprintf(number, sizeof(number), "%d", code);
	note(arg, number, text);
}

static void
pass(struct session *s, enum end from, unsigned flags, uint32_t at,
    const char *bytes, size_t len)
{
	static const uint8_t header[20];
	struct segment segment = {
		.number = s->watch.counters.segments + 1,
		.ts_ns = s->watch.now_ns + WATCH_S / 1000,
		.src = s->end[from],
		.dst = s->end[1 - from],
		.seq = s->seq[from] + at,
		.ack = s->seq[1 - from],
		.flags = (uint8_t)flags,
		.ttl = 64,
		.cut = true,	/* checksums are another test's */
		.len = (uint32_t)len,
		.wire_len = (uint32_t)len,
		.data = (const uint8_t *)bytes,
		.tcp = header,
	};

	watch_segment(&s->watch, &segment);
}

static void
start(struct session *s)
{
	*s = (struct session) { .seen_len = 0 };
	assert_true(watch_init(&s->watch, 65536, 1));
	assert_true(addr_parse_ip_port(SV("198.51.100.7:40000"), &s->end[0]));
	assert_true(addr_parse_ip_port(SV("192.0.2.21:21"), &s->end[1]));
	s->watch.now_ns = 1795478400 * WATCH_S;
}

/* A connection up to the greeting; the one before it has ended. */
static void
begin(struct session *s)
{
	static const char greeting[] = "220 ready\r\n";

	s->seq[CLIENT] = s->seq[SERVER] = ISN;
	s->seen_len = 0;
	s->seen[0] = '\0';
	s->watch.counters = (struct watch_counters) { 0 };
	s->watch.report.line = line_seen;
	s->watch.report.answered = reply_seen;
	s->watch.report.line_arg = s;
	pass(s, CLIENT, SEGMENT_SYN, 0, "", 0);
	pass(s, SERVER, SEGMENT_SYN | SEGMENT_ACK, 0, "", 0);
	s->seq[CLIENT]++;
	s->seq[SERVER]++;
	pass(s, SERVER, SEGMENT_ACK | SEGMENT_PSH, 0, greeting,
	    sizeof(greeting) - 1);
	s->seq[SERVER] += sizeof(greeting) - 1;
	assert_int_equal(s->watch.counters.replies, 1);
}

/* A reply is one to something. */
static void
begin_talk(struct session *s, enum end from)
{
	begin(s);
	if (from == CLIENT)
		return;
	pass(s, CLIENT, SEGMENT_ACK, 0, "STAT\r\n", 6);
	s->seq[CLIENT] += 6;
	assert_string_equal(s->seen, "STAT |");
	s->seen_len = 0;
	s->seen[0] = '\0';
}

static void
finish(struct session *s, const char *wanted)
{
	assert_string_equal(s->seen, wanted);
	assert_int_equal(s->watch.counters.gaps, 0);
	assert_int_equal(s->watch.counters.overlaps, 0);
	assert_int_equal(s->watch.counters.early_dropped, 0);
	watch_finish(&s->watch);
	assert_int_equal(s->watch.talks.used, 0);
	assert_int_equal(s->watch.early_bytes, 0);
	assert_int_equal(s->watch.flows.count, 0);
}

static void
pass_piece(struct session *s, enum end from, const char *text,
    struct piece p)
{
	pass(s, from, SEGMENT_ACK | SEGMENT_PSH, (uint32_t)p.at, text + p.at,
	    p.len);
}

static const struct talk_row {
	enum end from;
	const char *text, *wanted;
} talks[] = {
	{ CLIENT, "NOOP\r\nCWD a\r\n", "NOOP |CWD a|" },
	{ CLIENT, "NOOP\nPWD\n\r\n", "NOOP |PWD |? |" },
	{ CLIENT, "CWD \xff\xf1" "a\xff\xfb\x01\r\n", "CWD a|" },
	{ SERVER, "200-a\r\n200 b\r\n", "200 b|" },
	{ SERVER, "211-\r\n 1\r\n211 c\r\n", "211 c|" },
};

/* Bit i of the mask: a segment ends behind byte i. */
static void
every_split_gives_the_same_lines(void **state)
{
	struct session s;

	(void)state;
	start(&s);
	for (size_t t = 0; t < COUNT(talks); t++) {
		size_t len = strlen(talks[t].text);

		for (uint32_t mask = 0; mask < 1u << (len - 1); mask++) {
			struct piece p = { 0, 0 };

			begin_talk(&s, talks[t].from);
			for (size_t i = 0; i < len; i++) {
				p.len++;
				if (i + 1 < len && (mask >> i & 1) == 0)
					continue;
				pass_piece(&s, talks[t].from, talks[t].text,
				    p);
				p = (struct piece) { i + 1, 0 };
			}
			finish(&s, talks[t].wanted);
		}
	}
	watch_free(&s.watch);
}

/* All orders of n pieces, by Heap's algorithm, without recursion. */
static void
every_order(struct session *s, const struct talk_row *t, struct piece *p,
    size_t n)
{
	size_t count[PIECES_MOST] = { 0 };

	for (size_t i = 0; i < n;) {
		struct piece swapped;
		size_t j = i % 2 == 0 ? 0 : count[i];

		if (i == 0 || count[i] < i) {
			if (i > 0) {
				swapped = p[j];
				p[j] = p[i];
				p[i] = swapped;
				count[i]++;
			}
			begin_talk(s, t->from);
			for (size_t k = 0; k < n; k++)
				pass_piece(s, t->from, t->text, p[k]);
			finish(s, t->wanted);
			i = 1;
		} else {
			count[i++] = 0;
		}
	}
}

/* All ways to cut the text into n pieces. */
static void
every_cut(struct session *s, const struct talk_row *t, size_t n)
{
	size_t len = strlen(t->text), end[PIECES_MOST + 1] = { 0 }, i;

	for (i = 1; i <= n; i++)
		end[i] = i;
	for (;;) {
		struct piece p[PIECES_MOST];

		end[n] = len;
		for (i = 0; i < n; i++)
			p[i] = (struct piece) { end[i], end[i + 1] - end[i] };
		every_order(s, t, p, n);
		i = n - 1;
		while (i > 0 && end[i] == len - (n - i))
			i--;
		if (i == 0)
			return;
		end[i]++;
		for (i++; i < n; i++)
			end[i] = end[i - 1] + 1;
	}
}

static void
every_order_of_up_to_five_segments_gives_the_same_lines(void **state)
{
	struct session s;

	(void)state;
	start(&s);
	for (size_t t = 0; t < COUNT(talks); t++)
		for (size_t n = 1; n <= PIECES_MOST; n++)
			every_cut(&s, &talks[t], n);
	watch_free(&s.watch);
}

/* Any stretch comes again, before the rest or behind it. */
static void
repetitions_change_nothing(void **state)
{
	struct session s;

	(void)state;
	start(&s);
	for (size_t t = 0; t < COUNT(talks); t++) {
		const char *text = talks[t].text;
		size_t len = strlen(text);

		for (size_t cut = 1; cut <= len; cut++)
			for (size_t at = 0; at < len; at++)
				for (size_t n = 1; n <= len - at; n++) {
					struct piece p[3] = { { 0, cut },
						{ at, n },
						{ cut, len - cut } };

					begin_talk(&s, talks[t].from);
					for (size_t i = 0; i < 3; i++)
						pass_piece(&s, talks[t].from,
						    text, p[i]);
					finish(&s, talks[t].wanted);
				}
	}
	watch_free(&s.watch);
}

/* What the server has acknowledged and nobody saw is a gap, and no more. */
static void
a_gap_costs_the_line_it_is_in(void **state)
{
	static const char text[] = "NOOP\r\nCWD abc\r\nPWD\r\n";
	struct session s;

	(void)state;
	start(&s);
	begin(&s);
	pass_piece(&s, CLIENT, text, (struct piece) { 0, 10 });
	pass_piece(&s, CLIENT, text, (struct piece) { 12, 9 });
	assert_string_equal(s.seen, "NOOP |");
	s.seq[CLIENT] += sizeof(text) - 1;
	pass(&s, SERVER, SEGMENT_ACK, 0, "", 0);
	assert_string_equal(s.seen, "NOOP |PWD |");
	assert_int_equal(s.watch.counters.gaps, 1);
	watch_finish(&s.watch);
	watch_free(&s.watch);
}

/* A copy that differs is counted, and what it may mean is looked at. */
static void
a_copy_that_differs_is_read_too(void **state)
{
	static const char own[] = "PORT 198,51,100,7,195,80\r\n";
	static const char other[] = "PORT 203,0,113,99,195,80\r\n";
	struct session s;

	(void)state;
	start(&s);
	begin(&s);
	pass(&s, CLIENT, SEGMENT_ACK, 0, own, sizeof(own) - 1);
	pass(&s, CLIENT, SEGMENT_ACK, 0, other, sizeof(other) - 1);
	assert_string_equal(s.seen, "PORT 198,51,100,7,195,80|");
	assert_int_equal(s.watch.counters.overlaps, 1);
	assert_int_equal(s.watch.counters.ambiguous, 1);
	watch_finish(&s.watch);
	watch_free(&s.watch);
}

/* Without room nothing is read wrongly: it is not read, and counted. */
static void
without_room_lines_are_left_out_and_counted(void **state)
{
	static const char text[] = "CWD abc\r\nNOOP\r\nPWD\r\n";
	struct session s;

	(void)state;
	start(&s);
	begin(&s);
	s.watch.talks.most = 0;
	s.watch.early_most = 0;
	pass_piece(&s, CLIENT, text, (struct piece) { 15, 5 });
	pass_piece(&s, CLIENT, text, (struct piece) { 0, 4 });
	pass_piece(&s, CLIENT, text, (struct piece) { 4, 11 });
	assert_string_equal(s.seen, "NOOP |");
	assert_int_equal(s.watch.counters.early_dropped, 1);
	assert_true(s.watch.counters.no_room > 0);
	assert_int_equal(s.watch.counters.pending_cut, 1);
	pass_piece(&s, SERVER, "250 ok\r\n", (struct piece) { 0, 8 });
	watch_finish(&s.watch);
	watch_free(&s.watch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gives_the_same_lines),
		cmocka_unit_test(
		    every_order_of_up_to_five_segments_gives_the_same_lines),
		cmocka_unit_test(repetitions_change_nothing),
		cmocka_unit_test(a_gap_costs_the_line_it_is_in),
		cmocka_unit_test(a_copy_that_differs_is_read_too),
		cmocka_unit_test(without_room_lines_are_left_out_and_counted),
	};

	return RUN(tests);
}
