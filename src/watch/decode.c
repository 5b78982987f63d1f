/*
 * watch/decode.c: see decode.h.
 *
 * A walk goes from header to header.  Each one is a function that takes its
 * own bytes off the front and says what comes next; a loop calls them, so
 * that no sender decides how deep the stack grows.
 *
 * `wire` is what the length fields leave of the packet and `len` what of it
 * was captured, at most `wire`: a header that lies beyond the first is bad,
 * one that lies beyond the second was cut.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/decode.h"

#include <assert.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#define GO_ON DECODE_COUNT	/* there is another header */

enum layer {
	LAYER_ETHERNET,
	LAYER_ETHERTYPE,	/* what w->type says */
	LAYER_PPP,
	LAYER_MPLS,
	LAYER_IP,		/* of either version */
	LAYER_IP4,
	LAYER_IP6,
	LAYER_PROTOCOL,		/* what w->type says */
};

enum ethertype {
	TYPE_IP4 = 0x0800,
	TYPE_ETHERNET = 0x6558,	/* transparent bridging, in GRE */
	TYPE_VLAN = 0x8100,
	TYPE_IP6 = 0x86dd,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTICAST = 0x8848,
	TYPE_PPPOE = 0x8864,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
};

enum protocol {
	PROTO_HOP_BY_HOP = 0,
	PROTO_IP4 = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IP6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_AH = 51,
	PROTO_NONE = 59,
	PROTO_DESTINATION = 60,
};

#define PORT_VXLAN 4789
#define IP4_FRAGMENTED 0x3fff	/* an offset, or more to come */

struct walk {
	struct decoder *d;
	int64_t ts_ns;
	const uint8_t *at;
	uint32_t len, wire;
	enum layer layer;
	uint16_t type;
	uint8_t family;		/* of the IP header that was last */
	uint8_t extensions;
	struct segment *s;
};

static uint16_t
be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
be32(const uint8_t *at)
{
	return (uint32_t)be16(at) << 16 | be16(at + 2);
}

/* Whether n bytes are there to look at: GO_ON, or why not. */
static inline enum decode_result
need(const struct walk *w, uint32_t n, enum decode_result bad)
{
	if (n <= w->len)
		return GO_ON;
	return n <= w->wire ? DECODE_TRUNCATED : bad;
}

/* Only what need() has seen, or a sender's length that fits `wire`. */
static inline void
drop(struct walk *w, uint32_t n)
{
	assert(n <= w->len);
	w->at += n;
	w->len -= n;
	w->wire -= n;
}

/* A length field says that no more than n bytes follow. */
static inline void
limit(struct walk *w, uint32_t n)
{
	assert(n <= w->wire);
	w->wire = n;
	if (w->len > n)
		w->len = n;
}

static inline enum decode_result
go_on(struct walk *w, enum layer layer)
{
	w->layer = layer;
	return GO_ON;
}

/* The n bytes of an encapsulation's header are done with. */
static enum decode_result
enter(struct walk *w, uint32_t n, enum layer layer)
{
	if (w->s->tunnels == DECODE_DEPTH)
		return DECODE_TOO_DEEP;
	w->s->tunnels++;
	drop(w, n);
	return go_on(w, layer);
}

/* ---- links ---- */

static enum decode_result
ethernet(struct walk *w)
{
	enum decode_result r = need(w, 14, DECODE_BAD_LINK);

	if (r != GO_ON)
		return r;
	w->type = be16(w->at + 12);
	drop(w, 14);
	return go_on(w, LAYER_ETHERTYPE);
}

/* Linux "cooked": a header of its own with the ethertype somewhere in it. */
static enum decode_result
cooked(struct walk *w, uint32_t header, uint32_t type_at)
{
	enum decode_result r = need(w, header, DECODE_BAD_LINK);

	if (r != GO_ON)
		return r;
	w->type = be16(w->at + type_at);
	drop(w, header);
	return go_on(w, LAYER_ETHERTYPE);
}

/*
 * Four bytes with the address family as its own system numbers it, in the
 * byte order of whoever captured.  IPv6 is 10, 24, 28 or 30.
 */
static enum decode_result
loopback(struct walk *w)
{
	enum decode_result r = need(w, 4, DECODE_BAD_LINK);
	uint32_t family;

	if (r != GO_ON)
		return r;
	family = be32(w->at);
	if (family > UINT16_MAX)
		family = __builtin_bswap32(family);
	drop(w, 4);
	switch (family) {
	case 2:
		return go_on(w, LAYER_IP4);
	case 10:
	case 24:
	case 28:
	case 30:
		return go_on(w, LAYER_IP6);
	default:
		return DECODE_NOT_IP;
	}
}

static enum decode_result
start(struct walk *w, int link)
{
	switch (link) {
	case DLT_EN10MB:
		return ethernet(w);
	case DLT_LINUX_SLL:
		return cooked(w, 16, 14);
	case DLT_LINUX_SLL2:
		return cooked(w, 20, 0);
	case DLT_NULL:
	case DLT_LOOP:
		return loopback(w);
	case DLT_RAW:
		return go_on(w, LAYER_IP);
	case DLT_IPV4:
		return go_on(w, LAYER_IP4);
	case DLT_IPV6:
		return go_on(w, LAYER_IP6);
	case DLT_PPP:
	case DLT_PPP_SERIAL:
		return go_on(w, LAYER_PPP);
	default:
		return DECODE_UNKNOWN_LINK;
	}
}

/* ---- between link and IP ---- */

static enum decode_result
vlan(struct walk *w)
{
	enum decode_result r = need(w, 4, DECODE_BAD_LINK);

	if (r != GO_ON)
		return r;
	w->type = be16(w->at + 2);
	return enter(w, 4, LAYER_ETHERTYPE);
}

/* RFC 2516 §4.  Its length leaves out what Ethernet has padded. */
static enum decode_result
pppoe(struct walk *w)
{
	enum decode_result r = need(w, 6, DECODE_BAD_LINK);
	uint32_t len;

	if (r != GO_ON)
		return r;
	len = be16(w->at + 4);
	if (w->at[0] != 0x11 || w->at[1] != 0 || len > w->wire - 6)
		return DECODE_BAD_LINK;
	r = enter(w, 6, LAYER_PPP);
	if (r == GO_ON)
		limit(w, len);
	return r;
}

/* HDLC's address and control may be left out, and a 0 before the protocol. */
static enum decode_result
ppp(struct walk *w)
{
	enum decode_result r;

	if (w->len >= 2 && w->at[0] == 0xff && w->at[1] == 0x03)
		drop(w, 2);
	if ((r = need(w, 2, DECODE_BAD_LINK)) != GO_ON)
		return r;
	if ((w->at[0] & 1) != 0) {
		w->type = w->at[0];
		drop(w, 1);
	} else {
		w->type = be16(w->at);
		drop(w, 2);
	}
	switch (w->type) {
	case 0x0021:
		return go_on(w, LAYER_IP4);
	case 0x0057:
		return go_on(w, LAYER_IP6);
	case 0x0281:
	case 0x0283:
		return go_on(w, LAYER_MPLS);
	default:
		return DECODE_NOT_IP;
	}
}

/* What is below the last label is not said: IP shows itself. */
static enum decode_result
mpls(struct walk *w)
{
	enum decode_result r = need(w, 4, DECODE_BAD_LINK);
	bool is_last;

	if (r != GO_ON)
		return r;
	is_last = (w->at[2] & 1) != 0;
	return enter(w, 4, is_last ? LAYER_IP : LAYER_MPLS);
}

static enum decode_result
ethertype(struct walk *w)
{
	switch (w->type) {
	case TYPE_IP4:
		return go_on(w, LAYER_IP4);
	case TYPE_IP6:
		return go_on(w, LAYER_IP6);
	case TYPE_VLAN:
	case TYPE_QINQ:
	case TYPE_QINQ_OLD:
		return vlan(w);
	case TYPE_PPPOE:
		return pppoe(w);
	case TYPE_MPLS:
	case TYPE_MPLS_MULTICAST:
		return go_on(w, LAYER_MPLS);
	case TYPE_ETHERNET:
		return go_on(w, LAYER_ETHERNET);
	default:
		return DECODE_NOT_IP;
	}
}

/* ---- fragments ---- */

static enum decode_result
fragment(struct walk *w, const struct frag_key *key, struct frag_piece *p)
{
	struct frag_whole whole;

	if (w->len < w->wire)
		return DECODE_TRUNCATED;
	p->data = w->at;
	p->len = w->len;
	switch (frag_add(w->d->frag, w->ts_ns, key, p, &whole)) {
	case FRAG_WAITING:
		return DECODE_WAITING;
	case FRAG_BAD:
		return DECODE_BAD_FRAGMENT;
	case FRAG_NO_MEMORY:
		return DECODE_NO_MEMORY;
	case FRAG_WHOLE:
		break;
	}
	w->at = whole.data;
	w->len = w->wire = whole.len;
	w->type = whole.protocol;
	w->s->ip4 = NULL;
	w->s->reassembled = true;
	w->s->fragments_differ |= whole.differ;
	return go_on(w, LAYER_PROTOCOL);
}

static struct frag_key
key_of(const struct walk *w, uint32_t id, uint8_t protocol)
{
	struct frag_key key = {
		.id = id, .family = w->family, .protocol = protocol,
	};

	memcpy(key.src, w->s->src.ip, sizeof(key.src));
	memcpy(key.dst, w->s->dst.ip, sizeof(key.dst));
	return key;
}

/*
 * UDP's are left alone: they are many, and would shed those of TCP.  (VXLAN is
 * not to be fragmented, RFC 7348 §4.3.)
 */
static enum decode_result
fragment4(struct walk *w, uint32_t id, uint16_t field)
{
	struct frag_piece piece = {
		.offset = (field & 0x1fffu) * 8, .more = (field & 0x2000) != 0,
		.protocol = (uint8_t)w->type,
	};
	struct frag_key key = key_of(w, id, piece.protocol);

	switch (w->type) {
	case PROTO_TCP:
	case PROTO_IP4:
	case PROTO_IP6:
	case PROTO_GRE:
	case PROTO_AH:
		return fragment(w, &key, &piece);
	default:
		return DECODE_NOT_TCP;
	}
}

/*
 * All are kept, whatever they say is in them: only the first one's word
 * counts (RFC 8200 §4.5), and it need not come first.
 */
static enum decode_result
fragment6(struct walk *w)
{
	enum decode_result r = need(w, 8, DECODE_BAD_IP);
	struct frag_piece piece;
	struct frag_key key;
	uint16_t field;

	if (r != GO_ON)
		return r;
	field = be16(w->at + 2);
	piece = (struct frag_piece) {
		.offset = field & 0xfff8u, .more = (field & 1) != 0,
		.protocol = w->at[0],
	};
	key = key_of(w, be32(w->at + 4), 0);
	drop(w, 8);
	w->type = piece.protocol;
	if (piece.offset == 0 && !piece.more)	/* on its own: RFC 6946 */
		return go_on(w, LAYER_PROTOCOL);
	return fragment(w, &key, &piece);
}

/* ---- IP ---- */

static void
set_addrs(struct walk *w, uint8_t family, const uint8_t *src, uint32_t n)
{
	w->family = family;
	w->s->src = (struct addr) { .family = family };
	w->s->dst = (struct addr) { .family = family };
	memcpy(w->s->src.ip, src, n);
	memcpy(w->s->dst.ip, src + n, n);
	w->s->source_routed = false;
}

/*
 * A card that splits what its host hands it (TSO) was handed a length of 0:
 * then the frame's counts.  Routers drop such a packet, so that no sender but
 * a neighbour can show it to the sensor alone.
 */
static enum decode_result
ip4(struct walk *w)
{
	enum decode_result r = need(w, 20, DECODE_BAD_IP);
	uint32_t header, total, id;
	uint16_t field;

	if (r != GO_ON)
		return r;
	header = (w->at[0] & 0x0fu) * 4;
	total = be16(w->at + 2);
	if (total == 0)
		total = w->wire;
	if (w->at[0] >> 4 != 4 || header < 20 || total < header ||
	    total > w->wire)
		return DECODE_BAD_IP;
	limit(w, total);
	if ((r = need(w, header, DECODE_BAD_IP)) != GO_ON)
		return r;
	id = be16(w->at + 4);
	field = be16(w->at + 6);
	set_addrs(w, ADDR_V4, w->at + 12, 4);
	w->s->ttl = w->at[8];
	w->s->ip4 = w->at;
	w->type = w->at[9];
	drop(w, header);
	if ((field & IP4_FRAGMENTED) != 0)
		return fragment4(w, id, field);
	return go_on(w, LAYER_PROTOCOL);
}

/* A length of 0 is TSO's again, or a jumbogram's (RFC 2675). */
static enum decode_result
ip6(struct walk *w)
{
	enum decode_result r = need(w, 40, DECODE_BAD_IP);
	uint32_t len;

	if (r != GO_ON)
		return r;
	len = be16(w->at + 4);
	if (w->at[0] >> 4 != 6 || len > w->wire - 40)
		return DECODE_BAD_IP;
	set_addrs(w, ADDR_V6, w->at + 8, 16);
	w->s->ttl = w->at[7];
	w->s->ip4 = NULL;
	w->type = w->at[6];
	drop(w, 40);
	if (len > 0)
		limit(w, len);
	return go_on(w, LAYER_PROTOCOL);
}

static enum decode_result
ip(struct walk *w)
{
	enum decode_result r = need(w, 1, DECODE_BAD_IP);

	if (r != GO_ON)
		return r;
	switch (w->at[0] >> 4) {
	case 4:
		return ip4(w);
	case 6:
		return ip6(w);
	default:
		return DECODE_NOT_IP;
	}
}

/* ---- what is in IP ---- */

static enum decode_result
extension6(struct walk *w)
{
	enum decode_result r = need(w, 8, DECODE_BAD_IP);
	uint32_t len;

	if (w->family != ADDR_V6)
		return DECODE_NOT_TCP;
	if (++w->extensions > DECODE_EXTENSIONS)
		return DECODE_TOO_DEEP;
	if (r != GO_ON)
		return r;
	if (w->type == PROTO_FRAGMENT)
		return fragment6(w);
	len = (w->at[1] + 1u) * 8;
	if ((r = need(w, len, DECODE_BAD_IP)) != GO_ON)
		return r;
	if (w->type == PROTO_ROUTING && w->at[3] != 0)
		w->s->source_routed = true;
	w->type = w->at[0];
	drop(w, len);
	return GO_ON;
}

/* RFC 4302 §2: authenticated, not encrypted. */
static enum decode_result
ah(struct walk *w)
{
	enum decode_result r = need(w, 12, DECODE_BAD_IP);
	uint32_t len;

	if (++w->extensions > DECODE_EXTENSIONS)
		return DECODE_TOO_DEEP;
	if (r != GO_ON)
		return r;
	len = (w->at[1] + 2u) * 4;
	if (len < 12)
		return DECODE_BAD_IP;
	if ((r = need(w, len, DECODE_BAD_IP)) != GO_ON)
		return r;
	w->type = w->at[0];
	drop(w, len);
	return GO_ON;
}

/* RFC 2784, with RFC 2890's key and sequence number. */
static enum decode_result
gre(struct walk *w)
{
	enum decode_result r = need(w, 4, DECODE_BAD_LINK);
	uint32_t header = 4;
	uint16_t flags;

	if (r != GO_ON)
		return r;
	flags = be16(w->at);
	if ((flags & 0x0007) != 0)	/* PPTP's is version 1 */
		return DECODE_NOT_IP;
	if ((flags & 0x4000) != 0)	/* routing: to be discarded */
		return DECODE_BAD_LINK;
	header += (flags & 0x8000) != 0 ? 4 : 0;
	header += (flags & 0x2000) != 0 ? 4 : 0;
	header += (flags & 0x1000) != 0 ? 4 : 0;
	if ((r = need(w, header, DECODE_BAD_LINK)) != GO_ON)
		return r;
	w->type = be16(w->at + 2);
	return enter(w, header, LAYER_ETHERTYPE);
}

/* UDP is of interest when it is VXLAN (RFC 7348 §5). */
static enum decode_result
udp(struct walk *w)
{
	enum decode_result r;
	uint32_t len;

	if (w->len < 8 || be16(w->at + 2) != PORT_VXLAN)
		return DECODE_NOT_TCP;
	if ((r = need(w, 16, DECODE_NOT_TCP)) != GO_ON)
		return r;
	len = be16(w->at + 4);
	if ((w->at[8] & 0x08) == 0)
		return DECODE_NOT_TCP;
	if (len < 16 || len > w->wire)
		return DECODE_BAD_LINK;
	limit(w, len);
	return enter(w, 16, LAYER_ETHERNET);
}

static enum decode_result
tcp(struct walk *w)
{
	enum decode_result r = need(w, 20, DECODE_BAD_TCP);
	struct segment *s = w->s;
	const uint8_t *at = w->at;
	uint32_t header;

	if (r != GO_ON)
		return r;
	header = (at[12] >> 4) * 4u;
	if (header < 20 || header > w->wire)
		return DECODE_BAD_TCP;
	s->src.port = be16(at);
	s->dst.port = be16(at + 2);
	s->seq = be32(at + 4);
	s->ack = be32(at + 8);
	s->flags = at[13];
	s->window = be16(at + 14);
	s->urgent = be16(at + 18);
	s->tcp = at;
	s->tcp_header = (uint8_t)header;
	s->cut = w->len < w->wire;
	s->wire_len = w->wire - header;
	drop(w, header < w->len ? header : w->len);	/* options cut */
	s->data = w->at;
	s->len = w->len;
	return DECODE_SEGMENT;
}

static enum decode_result
protocol(struct walk *w)
{
	switch (w->type) {
	case PROTO_TCP:
		return tcp(w);
	case PROTO_UDP:
		return udp(w);
	case PROTO_GRE:
		return gre(w);
	case PROTO_AH:
		return ah(w);
	case PROTO_IP4:
		return enter(w, 0, LAYER_IP4);
	case PROTO_IP6:
		return enter(w, 0, LAYER_IP6);
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_FRAGMENT:
	case PROTO_DESTINATION:
		return extension6(w);
	default:
		return DECODE_NOT_TCP;
	}
}

static enum decode_result
step(struct walk *w)
{
	switch (w->layer) {
	case LAYER_ETHERNET:
		return ethernet(w);
	case LAYER_ETHERTYPE:
		return ethertype(w);
	case LAYER_PPP:
		return ppp(w);
	case LAYER_MPLS:
		return mpls(w);
	case LAYER_IP:
		return ip(w);
	case LAYER_IP4:
		return ip4(w);
	case LAYER_IP6:
		return ip6(w);
	case LAYER_PROTOCOL:
		return protocol(w);
	}
	abort();	/* no such layer: our own mistake */
}

/* ---- the decoder ---- */

enum decode_result
decode_packet(struct decoder *d, const struct packet *p, struct segment *out)
{
	struct walk w = {
		.d = d, .ts_ns = p->ts_ns, .at = p->data, .len = p->len,
		.wire = p->wire_len > p->len ? p->wire_len : p->len,
		.s = out,
	};
	enum decode_result r;

	*out = (struct segment) { .number = p->number, .ts_ns = p->ts_ns };
	r = start(&w, p->link);
	while (r == GO_ON)
		r = step(&w);
	d->count[r]++;
	return r;
}

struct decoder *
decoder_new(uint64_t seed)
{
	struct decoder *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	if ((d->frag = frag_new(seed)) == NULL) {
		free(d);
		return NULL;
	}
	return d;
}

void
decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	frag_free(d->frag);
	free(d);
}

const char *
decode_name(enum decode_result result)
{
	static const char *const names[DECODE_COUNT] = {
#define X(NAME, name, words) [DECODE_##NAME] = #name,
		DECODE_RESULTS(X)
#undef X
	};

	assert(result < DECODE_COUNT);
	return names[result];
}

const char *
decode_words(enum decode_result result)
{
	static const char *const texts[DECODE_COUNT] = {
#define X(NAME, name, words) [DECODE_##NAME] = words,
		DECODE_RESULTS(X)
#undef X
	};

	assert(result < DECODE_COUNT);
	return texts[result];
}
