/*
 * watch/decode.h: from a packet to the one TCP segment in it, or to the
 * reason why there is none.
 *
 *	links	    Ethernet, Linux cooked v1 and v2, loopback, raw IP, PPP
 *	between	    802.1Q and QinQ tags, MPLS, PPPoE
 *	tunnels	    GRE v0 (IP, Ethernet), VXLAN, IP in IP
 *	extensions  IPv4 options, IPv6 extension headers, AH, fragments
 *
 * What a receiver would not take (a length beyond the frame, say) is no
 * segment here either: else a sender could show the sensor what the server
 * never sees.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "watch/frag.h"
#include "watch/packet.h"

#define DECODE_DEPTH 8		/* encapsulations in one packet */
#define DECODE_EXTENSIONS 16	/* IPv6 extension headers in a row */

#define DECODE_RESULTS(X) \
	X(SEGMENT, segment, "TCP segments") \
	X(NOT_TCP, not_tcp, "IP, but not TCP") \
	X(NOT_IP, not_ip, "of a protocol other than IP") \
	X(WAITING, fragment_waiting, "fragments, kept until the rest comes") \
	X(TRUNCATED, truncated, "cut short by the capture") \
	X(BAD_LINK, bad_link, "with a bad link, tag or tunnel header") \
	X(BAD_IP, bad_ip, "with a bad IP header") \
	X(BAD_TCP, bad_tcp, "with a bad TCP header") \
	X(BAD_FRAGMENT, bad_fragment, "fragments that fit nowhere") \
	X(NO_MEMORY, fragment_no_memory, "fragments without memory for them") \
	X(TOO_DEEP, too_deep, "with too many headers in one another") \
	X(UNKNOWN_LINK, unknown_link, "of an unknown link type")

enum decode_result {
#define X(NAME, name, words) DECODE_##NAME,
	DECODE_RESULTS(X)
#undef X
	DECODE_COUNT
};

struct decoder {
	struct frag *frag;
	uint64_t count[DECODE_COUNT];	/* packets, by what became of them */
};

/* seed as in frag_new.  NULL: no memory. */
MUST_USE struct decoder *decoder_new(uint64_t seed);
void decoder_free(struct decoder *d);

/*
 * out  is filled on the way, and of use with DECODE_SEGMENT only: a copy at
 *      the end took a third of the time
 */
enum decode_result decode_packet(struct decoder *d, const struct packet *p,
    struct segment *out);

/* "not_tcp", for keys. */
const char *decode_name(enum decode_result result);
/* "IP, but not TCP": for a line of a summary. */
const char *decode_words(enum decode_result result);
