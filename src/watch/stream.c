/*
 * watch/stream.c: the bytes of a control connection, in order, and what else
 * they could be.
 *
 * Bytes go to the line splitter as they come.  What came too early waits
 * (bounded); what is missing and was acknowledged is a gap, and reading goes
 * on behind the next LF.
 *
 * A receiver may have taken another copy of the same bytes than the one that
 * was read here: one that came later, or with a checksum or TTL that only a
 * sensor sees, or without its urgent byte.  Such copies are read too, as a
 * second reading.  To compare them, the client's bytes are kept until the
 * server has acknowledged them: what comes after that changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "proto/reply.h"
#include "watch/watch.h"

#define WINDOW (1 << 20)	/* nothing honest is so far from its place */
#define TTL_SLACK 8		/* routes change; an attack's TTL is tiny */
#define READING_MOST (2 * HISTORY_BYTES + LINE_MOST)
#define MALLOC_BYTES 16		/* that malloc keeps beside a block */

static void
deliver(struct watch *w, struct control *c, enum end from, struct sv line)
{
	if (from == CLIENT)
		control_command(w, c, line, false);
	else
		control_reply(w, c, line);
}

/* The line goes on in the next segment: it needs memory of its own. */
static void
keep_partial(struct watch *w, struct half *h)
{
	if (h->line != NULL || h->telnet.len == 0 || h->telnet.ended)
		return;
	if ((h->line = blocks_get(&w->talks)) == NULL) {
		w->counters.no_room++;
		telnet_init(&h->telnet, NULL, LINE_MOST);
		h->resync = true;
		return;
	}
	memcpy(h->line, h->telnet.buf, h->telnet.len);
}

static void
release_partial(struct watch *w, struct half *h)
{
	blocks_put(&w->talks, h->line);
	h->line = NULL;
}

/* A segment mostly begins with a line, also the one behind a gap. */
bool
stream_begins_line(enum end from, struct sv in)
{
	struct reply_line reply;
	struct sv word = { in.ptr, 0 };

	if (from == SERVER) {
		in.len = in.len < 5 ? in.len : 5;
		return reply_parse(in, &reply) == FTP_OK;
	}
	while (word.len < in.len && word.len < 5 && word.ptr[word.len] > ' ')
		word.len++;
	return command_find(word) != V_UNKNOWN;
}

/* After a gap, what stands before the next LF may be no whole line. */
static struct sv
skip_to_line(struct watch *w, struct half *h, enum end from, struct sv in)
{
	const char *lf;

	if (!h->resync)
		return in;
	if (stream_begins_line(from, in)) {
		h->resync = false;
		release_partial(w, h);
		telnet_init(&h->telnet, NULL, LINE_MOST);
		return in;
	}
	lf = memchr(in.ptr, '\n', in.len);
	if (lf == NULL)
		return (struct sv) { in.ptr, 0 };
	h->resync = false;
	release_partial(w, h);
	telnet_init(&h->telnet, NULL, LINE_MOST);
	return sv_drop(in, (size_t)(lf - in.ptr) + 1);
}

static void
feed(struct watch *w, struct control *c, enum end from, struct sv in)
{
	static char room[LINE_MOST];
	struct half *h = &c->half[from];

	in = skip_to_line(w, h, from, in);
	while (in.len > 0 && c->flow->kind == FLOW_CONTROL) {
		h->telnet.buf = h->line != NULL ? h->line : room;
		switch (telnet_feed(&h->telnet, &in)) {
		case TELNET_LINE:
			deliver(w, c, from, telnet_line(&h->telnet));
			release_partial(w, h);
			break;
		case TELNET_OVERLONG:
			w->counters.lines_cut++;
			release_partial(w, h);
			break;
		case TELNET_MORE:
		case TELNET_OPTION:
			break;
		}
	}
	keep_partial(w, h);
}

/* ---- what the client has said lately */

static void
history_release(struct watch *w, struct control *c)
{
	if (c->talk == NULL)
		return;
	c->talk->history_len = 0;
	talk_rest(w, c);
}

static void
history_add(struct watch *w, struct control *c, struct sv bytes, uint32_t end)
{
	struct talk *t = talk_begin(w, c);

	if (t == NULL)
		return;
	if (bytes.len > HISTORY_BYTES)
		bytes = sv_drop(bytes, bytes.len - HISTORY_BYTES);
	if (t->history_len + bytes.len > HISTORY_BYTES) {
		size_t keep = HISTORY_BYTES - bytes.len;

		memmove(t->history, t->history + (t->history_len - keep),
		    keep);
		t->history_len = (uint32_t)keep;
	}
	memcpy(t->history + t->history_len, bytes.ptr, bytes.len);
	t->history_len += (uint32_t)bytes.len;
	t->history_end = end;
}

static struct sv
history_of(const struct control *c)
{
	if (c->talk == NULL)
		return SV("");
	return (struct sv) { c->talk->history, c->talk->history_len };
}

/* Where seq stands in the history, if there is one; negative: before it. */
static int64_t
history_at(const struct control *c, uint32_t seq)
{
	if (c->talk == NULL || c->talk->history_len == 0)
		return 0;
	return (int64_t)c->talk->history_len -
	    (int32_t)(c->talk->history_end - seq);
}

/*
 * Reads lines of a copy in its surroundings: what came before it since the
 * last LF, the copy, and what follows it in the first reading.
 */
static void
second_reading(struct watch *w, struct control *c, uint32_t seq,
    struct sv copy)
{
	char text[READING_MOST], line[LINE_MOST];
	struct sv history = history_of(c);
	int64_t at = history_at(c, seq), most = (int64_t)history.len;
	int64_t behind = at + (int64_t)copy.len, start = at;
	struct telnet telnet;
	struct sv in = { text, 0 };

	if (at < 0 || at > most || copy.len > LINE_MOST) {
		w->counters.overlaps_unchecked++;
		return;
	}
	while (start > 0 && history.ptr[start - 1] != '\n')
		start--;
	if (at > start)
		memcpy(text, history.ptr + start, (size_t)(at - start));
	in.len = (size_t)(at - start);
	memcpy(text + in.len, copy.ptr, copy.len);
	in.len += copy.len;
	if (behind < most) {
		memcpy(text + in.len, history.ptr + behind,
		    (size_t)(most - behind));
		in.len += (size_t)(most - behind);
	}
	telnet_init(&telnet, line, LINE_MOST);
	while (in.len > 0)
		if (telnet_feed(&telnet, &in) == TELNET_LINE)
			control_command(w, c, telnet_line(&telnet), true);
}

/* A copy of what was read already: the same, or something else? */
static void
compare(struct watch *w, struct control *c, uint32_t seq, struct sv copy)
{
	struct sv history = history_of(c);
	int64_t at = history_at(c, seq);

	if (history.len == 0)
		return; /* acknowledged, or never kept */
	if (at < 0 || at + (int64_t)copy.len > (int64_t)history.len) {
		w->counters.overlaps_unchecked++;
		return;
	}
	if (memcmp(history.ptr + at, copy.ptr, copy.len) == 0)
		return;
	w->counters.overlaps++;
	second_reading(w, c, seq, copy);
}

/* ---- segments out of their place */

static size_t
early_cost(size_t len)
{
	return sizeof(struct early) + MALLOC_BYTES + len;
}

static void
early_drop(struct watch *w, struct half *h)
{
	struct early *e = h->early;

	h->early = e->next;
	h->early_bytes -= e->len;
	h->early_count--;
	w->early_bytes -= early_cost(e->len);
	free(e);
}

static void
early_free(struct watch *w, struct half *h)
{
	while (h->early != NULL)
		early_drop(w, h);
}

static void
early_add(struct watch *w, struct half *h, uint32_t seq, struct sv bytes)
{
	struct early **link = &h->early, *e;

	if (h->early_count >= EARLY_MOST ||
	    h->early_bytes + bytes.len > EARLY_BYTES ||
	    w->early_bytes + early_cost(bytes.len) > w->early_most ||
	    (e = malloc(sizeof(*e) + bytes.len)) == NULL) {
		w->counters.early_dropped++;
		return;
	}
	*e = (struct early) { .seq = seq, .len = (uint32_t)bytes.len,
		.number = w->segment->number };
	memcpy(e->data, bytes.ptr, bytes.len);
	while (*link != NULL && (int32_t)((*link)->seq - seq) <= 0)
		link = &(*link)->next;
	e->next = *link;
	*link = e;
	h->early_bytes += e->len;
	h->early_count++;
	w->early_bytes += early_cost(e->len);
}

static void
take(struct watch *w, struct control *c, enum end from, uint32_t seq,
    struct sv bytes);

/* Those whose turn has come. */
static void
early_take(struct watch *w, struct control *c, enum end from)
{
	struct half *h = &c->half[from];
	struct early *e;

	while ((e = h->early) != NULL && (int32_t)(e->seq -
	    c->flow->next_seq[from]) <= 0) {
		h->early = e->next;
		h->early_bytes -= e->len;
		h->early_count--;
		w->early_bytes -= early_cost(e->len);
		take(w, c, from, e->seq, (struct sv) { e->data, e->len });
		free(e);
	}
}

/* The bytes before seq will not come any more. */
static void
skip_gap(struct watch *w, struct control *c, enum end from, uint32_t seq)
{
	struct half *h = &c->half[from];

	w->counters.gaps++;
	h->resync = true;
	c->flow->next_seq[from] = seq;
	if (from == CLIENT)
		history_release(w, c);
}

/* Encrypted bytes are not read; clear ones behind them are (CCC). */
static struct sv
go_behind_records(struct watch *w, struct control *c, enum end from,
    struct sv in)
{
	struct half *h = &c->half[from];

	release_partial(w, h);
	telnet_init(&h->telnet, NULL, LINE_MOST);
	if (from == CLIENT)
		history_release(w, c);
	return records_skip(w, c, from, in);
}

/* Bytes whose beginning is at or before their turn. */
static void
take(struct watch *w, struct control *c, enum end from, uint32_t seq,
    struct sv bytes)
{
	struct flow *f = c->flow;
	uint32_t old = f->next_seq[from] - seq;

	if (old > 0) {
		struct sv again = { bytes.ptr,
			old < bytes.len ? old : bytes.len };

		if (from == CLIENT)
			compare(w, c, seq, again);
		bytes = sv_drop(bytes, again.len);
	}
	if (bytes.len == 0)
		return;
	f->next_seq[from] += (uint32_t)bytes.len;
	if (!c->half[from].tls)
		records_notice(w, c, from, bytes);
	f->bytes[from] += bytes.len;
	if (c->half[from].tls)
		bytes = go_behind_records(w, c, from, bytes);
	if (bytes.len == 0)
		return;
	if (from == CLIENT)
		history_add(w, c, bytes, f->next_seq[from]);
	feed(w, c, from, bytes);
}

static void
place(struct watch *w, struct control *c, enum end from, uint32_t seq,
    struct sv bytes)
{
	struct flow *f = c->flow;
	struct half *h = &c->half[from];
	int32_t ahead = (int32_t)(seq - f->next_seq[from]);

	if (ahead > 0) {
		bool known = h->acked_known &&
		    (int32_t)(h->acked - seq) >= 0;

		if (!known && h->early_count < EARLY_MOST) {
			early_add(w, h, seq, bytes);
			return;
		}
		/* The receiver has what we lack, or nothing fills it. */
		if (h->early != NULL &&
		    (int32_t)(h->early->seq - seq) < 0) {
			skip_gap(w, c, from, h->early->seq);
			early_take(w, c, from);
			early_add(w, h, seq, bytes);
			early_take(w, c, from);
			return;
		}
		skip_gap(w, c, from, seq);
	}
	take(w, c, from, seq, bytes);
	early_take(w, c, from);
}

/* What the other end says it has. */
static void
acknowledged(struct watch *w, struct control *c, enum end of, uint32_t ack)
{
	struct half *h = &c->half[of];
	struct flow *f = c->flow;

	if (!f->synced[of])
		return;
	if (!h->acked_known || (int32_t)(ack - h->acked) > 0) {
		h->acked = ack;
		h->acked_known = true;
	}
	if (h->early != NULL && (int32_t)(h->acked - h->early->seq) >= 0 &&
	    (int32_t)(h->early->seq - f->next_seq[of]) > 0) {
		skip_gap(w, c, of, h->early->seq);
		early_take(w, c, of);
	}
	if (of == CLIENT && c->talk != NULL &&
	    (int32_t)(h->acked - f->next_seq[of]) >= 0 &&
	    h->line == NULL)
		history_release(w, c);
}

/* ---- readings that a receiver may or may not have */

static struct sv
payload(const struct segment *s)
{
	return (struct sv) { (const char *)s->data, s->len };
}

/*
 * True when its checksum says that no receiver takes it.  A capture on the
 * sender itself sees wrong ones all the time: its card makes them later.
 */
static bool
is_damaged(struct watch *w, struct control *c, enum end from)
{
	struct half *h = &c->half[from];

	switch (segment_checksum(w->segment)) {
	case CHECKSUM_GOOD:
		h->checksums_good = true;
		return false;
	case CHECKSUM_BAD:
		w->counters.bad_checksums++;
		return h->checksums_good;
	case CHECKSUM_UNKNOWN:
		break;
	}
	return false;
}

/* A TTL that may have ended on the way. */
static bool
is_short_lived(const struct control *c, enum end from,
    const struct segment *s)
{
	return s->ttl + TTL_SLACK < c->flow->ttl[from];
}

/* The urgent byte may not be in the stream (RFC 6093). */
static void
without_urgent(struct watch *w, struct control *c, uint32_t seq)
{
	const struct segment *s = w->segment;
	char copy[LINE_MOST];
	uint32_t at = s->urgent > 0 ? s->urgent - 1u : 0;

	if ((s->flags & SEGMENT_URG) == 0 || at >= s->len ||
	    s->len > sizeof(copy))
		return;
	memcpy(copy, s->data, at);
	memcpy(copy + at, s->data + at + 1, s->len - at - 1);
	second_reading(w, c, seq, (struct sv) { copy, s->len - 1 });
}

/* The place that the reply at the front of a segment names. */
static struct addr
place_in_reply(const struct segment *s)
{
	struct sv text = { (const char *)s->data + 4, s->len - 4 };
	const char *end = memchr(text.ptr, '\n', text.len);
	struct addr at = { .family = ADDR_NONE };
	enum ftp_err err;

	if (end != NULL)
		text.len = (size_t)(end - text.ptr);
	err = s->data[2] == '7' ? pasv_reply_parse(text, &at) :
	    epsv_reply_parse(text, &at);
	if (err != FTP_OK)
		return (struct addr) { .family = ADDR_NONE };
	if (at.family == ADDR_NONE) {
		uint16_t port = at.port;

		at = s->src;
		at.port = port;
	}
	return at;
}

/* "227 " where no reply begins, but a packet does: aimed at a firewall. */
static void
look_for_injection(struct watch *w, struct control *c, bool in_place)
{
	const struct segment *s = w->segment;
	struct half *h = &c->half[SERVER];
	bool inside = h->telnet.len > 0 && !h->telnet.ended;
	struct finding *f;
	struct addr at;

	if (s->len < 4 || (memcmp(s->data, "227 ", 4) != 0 &&
	    memcmp(s->data, "229 ", 4) != 0) || (in_place && !inside))
		return;
	at = place_in_reply(s);
	f = finding_of(w, KIND_alg_reply_injection, &c->flow->end[CLIENT],
	    &c->flow->end[SERVER], &at);
	if (f == NULL)
		return;
	expect_redirect(w, c, &at, f);
	f->detail = in_place ? "a packet of the server's begins with a reply "
	    "inside of another reply" : "a reply outside of the window";
	finding_tell(w, f);
}

void
stream_segment(struct watch *w, struct control *c, enum end from)
{
	const struct segment *s = w->segment;
	struct flow *f = c->flow;
	bool syn = (s->flags & SEGMENT_SYN) != 0;
	uint32_t seq = s->seq + (syn ? 1 : 0);
	int32_t ahead;

	if (!f->synced[from] || (syn && f->bytes[from] == 0)) {
		f->synced[from] = true;
		f->next_seq[from] = seq;
	}
	if ((s->flags & SEGMENT_ACK) != 0)
		acknowledged(w, c, (enum end)(1 - from), s->ack);
	if ((s->flags & SEGMENT_RST) != 0 && s->len == 0)
		(void)is_damaged(w, c, from); /* counted, and no more */
	if (s->len == 0)
		return;
	ahead = (int32_t)(seq - f->next_seq[from]);
	if (ahead > WINDOW || ahead < -WINDOW) {
		if (from == SERVER)
			look_for_injection(w, c, false);
		return;
	}
	if (is_damaged(w, c, from)) {
		if (from == CLIENT)
			second_reading(w, c, seq, payload(s));
		return;
	}
	if (f->reset)
		w->counters.after_reset++;
	if (from == SERVER && ahead == 0 && !c->half[SERVER].tls)
		look_for_injection(w, c, true);
	c->odd = f->reset || is_short_lived(c, from, s) ||
	    s->fragments_differ;
	if (from == CLIENT && !c->half[CLIENT].tls)
		without_urgent(w, c, seq);
	place(w, c, from, seq, payload(s));
}

void
stream_free(struct watch *w, struct control *c)
{
	for (int e = CLIENT; e <= SERVER; e++) {
		early_free(w, &c->half[e]);
		release_partial(w, &c->half[e]);
	}
}
