/*
 * watch/packet.h: what the sensor's layers hand to each other: a packet, as
 * the capture has it (source.h), and the TCP segment in it (decode.h).
 *
 * Neither owns its bytes.  A packet's live until the next source_next, a
 * segment's until the next source_next or decode_packet.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct packet {
	uint64_t number;	/* from 1, over the whole run */
	int64_t ts_ns;		/* since 1970 */
	const uint8_t *data;
	uint32_t len;		/* bytes that were captured */
	uint32_t wire_len;	/* bytes that were on the wire */
	uint32_t file;		/* which one of the source's, from 0 */
	int link;		/* DLT_*, <pcap/dlt.h> */
};

/* As they stand in the header. */
enum segment_flag {
	SEGMENT_FIN = 0x01,
	SEGMENT_SYN = 0x02,
	SEGMENT_RST = 0x04,
	SEGMENT_PSH = 0x08,
	SEGMENT_ACK = 0x10,
	SEGMENT_URG = 0x20,
	SEGMENT_ECE = 0x40,
	SEGMENT_CWR = 0x80,
};

struct segment {
	uint64_t number;	/* of the packet that completed it */
	int64_t ts_ns;
	struct addr src, dst;	/* with ports; unused bytes are 0 */
	uint32_t seq, ack;
	uint16_t window, urgent;
	uint8_t flags;		/* enum segment_flag */
	uint8_t ttl;		/* or hop limit */
	uint8_t tunnels;	/* encapsulations, each tag and label too */
	bool reassembled;	/* it came in IP fragments */
	bool fragments_differ;	/* they contradict; the first copy is kept */
	bool cut;		/* the capture does not have all of it */
	bool source_routed;	/* dst is a waypoint: no checksum without it */
	uint8_t tcp_header;	/* bytes, options included */
	uint32_t len;		/* payload bytes that were captured */
	uint32_t wire_len;	/* payload bytes that were on the wire */
	const uint8_t *data;	/* never NULL */
	const uint8_t *tcp;	/* for segment_checksum: the header, and */
	const uint8_t *ip4;	/* IPv4's, or NULL: nothing to check there */
};

enum seg_checksum {
	CHECKSUM_GOOD,
	CHECKSUM_BAD,
	CHECKSUM_UNKNOWN,	/* bytes, or the last address, are missing */
};

/*
 * Whether its receiver would take it: TCP's checksum (RFC 9293 §3.1), and that
 * of the innermost IPv4 header.  An IPv4 checksum of 0 is not held against it:
 * a sender whose card fills them in has captured it before.
 *
 * A pass over the payload, so it is made only when asked for.
 */
enum seg_checksum segment_checksum(const struct segment *s);
