/*
 * watch/flow.c: TCP connections, and which of them are FTP.
 *
 * FTP is found by what is said, on any port: a greeting of the server's, or
 * a command of the client's.  What is neither is remembered as such, so that
 * its next segment costs one look.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/reply.h"
#include "watch/watch.h"

#define FTP_PORT 21
#define FTPS_PORT 990
#define WINDOW_MOST (1u << 30)	/* RFC 7323 §2.3 */
#define RESET_NS (30 * WATCH_S)	/* an honest connection is over by then */

/* What the tables may have of the memory, in 64ths. */
#define SHARE_FLOWS 27
#define SHARE_EXPECTS 6
#define SHARE_FINDINGS 10
#define SHARE_PAIRS 5		/* no fewer than flows: each may need one */
#define SHARE_CLIENTS 2
#define SHARE_SERVERS 2
#define SHARE_UPLOADS 1
/* And what is outside of them. */
#define SHARE_TALKS 6
#define SHARE_EARLY 2
#define SHARE_SCANS 3
/* A flow may be a control connection, with a struct of its own. */
#define FLOW_BYTES (sizeof(struct flow) + sizeof(struct control))
#define BUCKET_BYTES 8		/* of an item; half of it before they double */

uint64_t
watch_hash_ip(const struct watch *w, const struct addr *a)
{
	return table_hash(w->seed, a->ip, sizeof(a->ip));
}

uint64_t
watch_hash_at(const struct watch *w, const struct addr *a)
{
	return table_hash(w->seed, a, offsetof(struct addr, family));
}

/* The same from either end. */
static uint64_t
hash_both(const struct watch *w, const struct addr *a, const struct addr *b)
{
	return watch_hash_at(w, a) + watch_hash_at(w, b);
}

/* memcmp of three words, without the call. */
static bool
is_same(const struct addr *a, const struct addr *b)
{
	uint64_t x[2], y[2];
	uint32_t u, v;

	static_assert(sizeof(*a) == sizeof(x) + sizeof(u), "all of it");
	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	memcpy(&u, (const char *)a + sizeof(x), sizeof(u));
	memcpy(&v, (const char *)b + sizeof(y), sizeof(v));
	return x[0] == y[0] && x[1] == y[1] && u == v;
}

static struct flow *
find(const struct watch *w, const struct segment *s, enum end *from)
{
	uint64_t hash = hash_both(w, &s->src, &s->dst);
	struct flow *f;

	for (f = table_first(&w->flows, hash); f != NULL;
	    f = table_next(&w->flows, f))
		for (int e = CLIENT; e <= SERVER; e++)
			if (is_same(&f->end[e], &s->src) &&
			    is_same(&f->end[1 - e], &s->dst)) {
				*from = (enum end)e;
				return f;
			}
	return NULL;
}

/* Begins as a reply does: the sender serves FTP, or SMTP. */
static bool
is_greeting(const struct segment *s)
{
	return s->len >= 4 && (memcmp(s->data, "220", 3) == 0 ||
	    memcmp(s->data, "120", 3) == 0) &&
	    (s->data[3] == ' ' || s->data[3] == '-');
}

static bool
is_any_reply(const struct segment *s)
{
	return s->len >= 4 && s->data[0] >= '1' && s->data[0] <= '6' &&
	    sv_digit((char)s->data[1]) && sv_digit((char)s->data[2]) &&
	    (s->data[3] == ' ' || s->data[3] == '-');
}

/* Its first word is a command. */
static bool
is_command(const struct segment *s)
{
	struct sv word = { (const char *)s->data, 0 };

	while (word.len < s->len && word.len < 5 && word.ptr[word.len] > ' ')
		word.len++;
	return word.len >= 3 && word.len <= 4 && word.len < s->len &&
	    command_find(word) != V_UNKNOWN;
}

static bool
is_tls(const struct segment *s)
{
	return s->len >= 3 && s->data[0] == 22 && s->data[1] == 3;
}

/* Who is the client of a connection whose beginning was not seen? */
static bool
comes_from_client(const struct segment *s)
{
	if ((s->flags & (SEGMENT_SYN | SEGMENT_ACK)) != 0 &&
	    (s->flags & SEGMENT_SYN) != 0)
		return (s->flags & SEGMENT_ACK) == 0;
	if (is_command(s))
		return true;
	if (is_any_reply(s))
		return false;
	if (s->src.port == FTP_PORT || s->dst.port == FTP_PORT)
		return s->dst.port == FTP_PORT;
	return s->src.port > s->dst.port;
}

static struct flow *
begin(struct watch *w, const struct segment *s, enum end *from)
{
	bool syn = (s->flags & SEGMENT_SYN) != 0;
	struct flow *f;

	if (!syn && s->wire_len == 0)
		return NULL; /* the end of one that is forgotten */
	f = table_add(&w->flows, hash_both(w, &s->src, &s->dst));
	if (f == NULL) {
		w->counters.not_followed++;
		return NULL;
	}
	*from = comes_from_client(s) ? CLIENT : SERVER;
	f->end[*from] = s->src;
	f->end[1 - *from] = s->dst;
	f->last_ns = w->now_ns;
	f->first_packet = s->number;
	f->syn = syn && *from == CLIENT;
	w->counters.flows++;
	if (!syn)
		w->counters.midstream++;
	if (f->syn)
		expect_syn(w, f);
	return f;
}

static void
forget(struct watch *w, struct flow *f)
{
	if (f->kind == FLOW_DATA)
		expect_end(w, f);
	if (f->control != NULL)
		control_end(w, f->control);
	table_drop(&w->flows, f);
}

static void
flow_shed(void *arg, struct table_link *item)
{
	struct watch *w = arg;
	struct flow *f = (struct flow *)(void *)item;

	if (f->reset)
		w->flows.shed_count--; /* it was over */
	if (f->kind == FLOW_DATA)
		expect_end(w, f);
	if (f->control != NULL)
		control_end(w, f->control);
}

/* Whether what this end says now shows that it is FTP, or that it is not. */
static void
classify(struct watch *w, struct flow *f, enum end from)
{
	const struct segment *s = w->segment;
	uint16_t port = f->end[SERVER].port;
	bool ftp;

	if (from == SERVER)
		ftp = is_greeting(s) || (!f->syn && port == FTP_PORT &&
		    is_any_reply(s));
	else
		ftp = is_command(s);
	ftp = ftp || port == FTP_PORT || (port == FTPS_PORT && is_tls(s));
	if (!ftp) {
		f->kind = FLOW_OTHER;
		return;
	}
	if ((f->control = control_new(w, f)) == NULL) {
		w->counters.not_followed++;
		f->kind = FLOW_OTHER;
		return;
	}
	f->kind = FLOW_CONTROL;
}

/*
 * Counts what is new in it; a repetition is not, and what lies far from the
 * rest is a lie, or another connection's.
 */
static void
count_bytes(struct flow *f, enum end from, const struct segment *s)
{
	bool syn = (s->flags & SEGMENT_SYN) != 0;
	uint32_t end = s->seq + s->wire_len + (syn ? 1 : 0);
	uint32_t ahead = end - f->next_seq[from];

	if (s->wire_len == 0 && !syn)
		return;
	if (!f->synced[from] || syn) {
		f->synced[from] = true;
		f->next_seq[from] = end;
		f->bytes[from] = s->wire_len;
	} else if (ahead > 0 && ahead < WINDOW_MOST) {
		f->bytes[from] += ahead;
		f->next_seq[from] = end;
	}
}

/* A connection that uses the same two ports again. */
static bool
begins_anew(const struct flow *f, const struct segment *s, enum end from)
{
	if ((s->flags & (SEGMENT_SYN | SEGMENT_ACK)) != SEGMENT_SYN)
		return false;
	if (!f->syn || from == SERVER)
		return true;
	return f->reset || f->fin[CLIENT] || f->fin[SERVER] ||
	    (f->syn_ack && s->seq + 1 != f->next_seq[CLIENT]);
}

static void
observe_data(struct watch *w, struct flow *f, enum end from)
{
	uint64_t before = f->bytes[from];

	count_bytes(f, from, w->segment);
	w->counters.data_bytes += f->bytes[from] - before;
	expect_data(w, f, from);
}

static void
observe(struct watch *w, struct flow *f, enum end from)
{
	const struct segment *s = w->segment;

	if ((s->flags & (SEGMENT_SYN | SEGMENT_ACK)) ==
	    (SEGMENT_SYN | SEGMENT_ACK))
		f->syn_ack = true;
	if (f->ttl[from] == 0)
		f->ttl[from] = s->ttl;
	if (f->kind == FLOW_DATA) {
		observe_data(w, f, from);
		return;
	}
	if (f->kind == FLOW_NEW && s->len > 0)
		classify(w, f, from);
	if (f->kind == FLOW_NEW && (s->flags & SEGMENT_SYN) != 0)
		count_bytes(f, from, s);
	if (f->kind != FLOW_CONTROL)
		return;
	stream_segment(w, f->control, from);
	if (f->kind == FLOW_OTHER) { /* it was no FTP after all */
		control_end(w, f->control);
		f->control = NULL;
	}
}

/*
 * A reset may be a lie that only the sensor believes (EV18): a control
 * connection is over when nothing more is said on it.
 */
static bool
is_over(struct flow *f, const struct segment *s, enum end from)
{
	if ((s->flags & SEGMENT_FIN) != 0)
		f->fin[from] = true;
	if ((s->flags & SEGMENT_RST) != 0)
		f->reset = true;
	if (f->fin[CLIENT] && f->fin[SERVER])
		return true;
	return f->reset && f->kind != FLOW_CONTROL;
}

static void
sweep(struct watch *w)
{
	struct flow *f;

	w->swept_ns = w->now_ns;
	while ((f = table_oldest(&w->flows)) != NULL && f->reset &&
	    w->now_ns - f->last_ns > RESET_NS)
		forget(w, f);
	expect_sweep(w);
}

void
watch_tick(struct watch *w, int64_t now_ns)
{
	if (now_ns <= w->now_ns)
		return;
	w->now_ns = now_ns;
	if (now_ns - w->swept_ns > WATCH_S)
		sweep(w);
}

void
watch_segment(struct watch *w, const struct segment *s)
{
	enum end from = CLIENT;
	struct flow *f;

	w->now_ns = s->ts_ns;
	w->segment = s;
	w->counters.segments++;
	if (w->now_ns - w->swept_ns > WATCH_S)
		sweep(w);
	f = find(w, s, &from);
	if (f != NULL && begins_anew(f, s, from)) {
		forget(w, f);
		f = NULL;
	}
	if (f == NULL && (f = begin(w, s, &from)) == NULL)
		return;
	/* The order of use is kept by seconds: a touch costs three lines. */
	if (w->now_ns - f->last_ns > WATCH_S)
		table_touch(&w->flows, f);
	f->last_ns = w->now_ns;
	observe(w, f, from);
	if (is_over(f, s, from))
		forget(w, f);
}

#define SHARE_LEAST 64		/* items, however small the memory */

static uint32_t
share(size_t memory, unsigned parts, size_t item_bytes)
{
	size_t n = memory / 64 * parts / (item_bytes + BUCKET_BYTES);

	if (n < SHARE_LEAST)
		n = SHARE_LEAST;
	return n < UINT32_MAX / 2 ? (uint32_t)n : UINT32_MAX / 2;
}

#define INIT(table, SHARE, bytes, type) \
	table_init(&w->table, sizeof(type), share(memory, SHARE, bytes))

bool
watch_init(struct watch *w, size_t memory, uint64_t seed)
{
	*w = (struct watch) { .seed = seed };
	if (!INIT(flows, SHARE_FLOWS, FLOW_BYTES, struct flow) ||
	    !INIT(expects, SHARE_EXPECTS, sizeof(struct expect),
	    struct expect) ||
	    !INIT(findings, SHARE_FINDINGS, sizeof(struct finding),
	    struct finding) ||
	    !INIT(pairs, SHARE_PAIRS, sizeof(struct pair), struct pair) ||
	    !INIT(clients, SHARE_CLIENTS, sizeof(struct client),
	    struct client) ||
	    !INIT(servers, SHARE_SERVERS, sizeof(struct server),
	    struct server) ||
	    !INIT(uploads, SHARE_UPLOADS, sizeof(struct upload),
	    struct upload))
		return false;
	if (!blocks_init(&w->controls, sizeof(struct control), w->flows.most) ||
	    !blocks_init(&w->talks, TALK_BYTES,
	    share(memory, SHARE_TALKS, TALK_BYTES)))
		return false;
	w->early_most = memory / 64 * SHARE_EARLY;
	w->scans_most = share(memory, SHARE_SCANS, sizeof(struct scan));
	assert(w->pairs.most >= w->flows.most);
	w->flows.shed = flow_shed;
	w->flows.arg = w;
	w->pairs.keeps = true; /* control connections point to them */
	w->servers.keeps = true;
	expect_init(w);
	finding_init(w);
	return true;
}

void
watch_finish(struct watch *w)
{
	struct flow *f;
	struct finding *x;

	w->segment = NULL;
	while ((f = table_oldest(&w->flows)) != NULL)
		forget(w, f);
	for (x = table_oldest(&w->findings); x != NULL;
	    x = table_newer(&w->findings, x)) {
		finding_settle(w, x);
		finding_tell(w, x);
	}
}

void
watch_free(struct watch *w)
{
	struct finding *x;

	for (x = table_oldest(&w->findings); x != NULL;
	    x = table_newer(&w->findings, x))
		free(x->scan);
	blocks_free(&w->controls);
	blocks_free(&w->talks);
	table_free(&w->flows);
	table_free(&w->expects);
	table_free(&w->findings);
	table_free(&w->pairs);
	table_free(&w->clients);
	table_free(&w->servers);
	table_free(&w->uploads);
}
