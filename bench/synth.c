/*
 * bench/synth.c: makes the captures that the sensor is measured with.
 *
 *	synth ctl|mix OUTPUT	("-" is standard output)
 *	synth idle|syns|partial|scans N OUTPUT
 *
 * ctl  control connections and little else: every packet matters, and 8,192
 *      of 373,000 PORT commands name a third party and are carried out
 * mix  what a busy archive sends: full segments, and a few sessions that
 *      explain them
 *
 * And what costs a sensor memory, N times, each time from another client:
 *
 * idle     a control connection that logs in and then says nothing
 * syns     a SYN that nobody answers
 * partial  half a line of a kilobyte, unanswered, and segments of which the
 *          one in front is missing
 * scans    four ports of one more target, which nobody else was asked for
 *
 * The first two are one machine with different numbers (struct profile): so many
 * sessions at a time, each of which sends one packet in its turn.  Nothing is
 * drawn by chance; the same bytes come out every time.
 *
 * Rejected: repeating a recorded session.  A sensor's tables are filled by
 * addresses and ports that differ.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

enum {
	SLOTS_MOST = 1024,	/* sessions at a time */
	BLOCK_MOST = 1448,	/* an Ethernet frame with TCP timestamps */
	ETHERNET = 14,
	FRAME_LEAST = 60,	/* as a switch pads it */
	FRAME_MOST = 1514,
};

/* What needs more addresses than that has them from 10.0.0.0/8. */
#define FLOOD_NET 0x0a000000u
#define HALF_LINE 1000		/* bytes */
#define EARLY_SEGMENTS 3	/* that wait, in each direction */
#define TARGETS_MOST 65000	/* scanned over one connection */

/* 198.18.0.0/15 is for benchmarks (RFC 2544), 203.0.113.0/24 for examples. */
#define CLIENT_NET 0xc6120000u
#define SERVER_NET 0xc0000215u
#define THIRD_NET 0xcb007101u
#define START_S 1795478400u	/* 2026-11-24 00:00:00 UTC */

struct profile {
	const char *name;
	uint32_t connections;
	uint32_t clients;	/* addresses that they come from */
	uint32_t servers;
	uint32_t slots;
	uint32_t transfers;	/* of all connections */
	uint32_t third_parties;	/* transfers to them, a connection each */
	uint32_t blocks;	/* of a transfer */
	uint32_t block_bytes;
	uint32_t acks, acks_of;	/* so many ACKs for so many blocks */
	uint32_t gap_us;	/* between packets */
	bool passive_too;	/* every second transfer */
	bool timestamps;
	const char *command;
};

static const struct profile profiles[] = {
	{
		.name = "ctl",
		.connections = 75000,
		.clients = 70000,
		.servers = 4,
		.slots = 1024,
		.transfers = 373000,
		.third_parties = 8192,
		.blocks = 1,
		.block_bytes = 200,
		.acks = 0,
		.acks_of = 1,
		.gap_us = 20,
		.command = "LIST\r\n",
	},
	{
		.name = "mix",
		.connections = 40,
		.clients = 20,
		.servers = 2,
		.slots = 8,
		.transfers = 80,
		.blocks = 4075,
		.block_bytes = BLOCK_MOST,
		.acks = 5,
		.acks_of = 7,
		.gap_us = 13,
		.passive_too = true,
		.timestamps = true,
		.command = "RETR pub/t2m/t2m_1998-01.grib2\r\n",
	},
};

/* A TCP connection; end 0 is who began it. */
struct tcp {
	uint32_t addr[2];
	uint16_t port[2];
	uint32_t seq[2];	/* of the next byte */
};

enum step {
	OPENING,		/* handshake, then opening lines */
	TRANSFER,
	CLOSING,
	ENDED,
};

/* Of a transfer, in their order. */
enum turn {
	ASK,			/* PORT or PASV */
	TOLD,
	COMMAND,
	DATA_SYN,
	DATA_SYN_ACK,
	DATA_ACK,
	BEGIN,			/* 150 */
	BLOCK,			/* the last one with the sender's FIN */
	DATA_FIN,
	DATA_LAST_ACK,
	DONE,			/* 226 */
};

struct session {
	struct tcp control, data;
	uint32_t number;
	uint32_t transfer, transfers;
	uint32_t block;
	enum step step;
	unsigned turn;		/* within the step; enum turn in TRANSFER */
	unsigned sender;	/* end of the data connection */
	bool owes_ack;
};

struct synth {
	const struct profile *profile;
	FILE *out;
	uint64_t now_us;
	uint16_t ident;
	uint32_t next;		/* connection */
	uint32_t floods;	/* how often */
	uint64_t packets, bytes, ports, third_parties;
	struct session slot[SLOTS_MOST];
	char block[BLOCK_MOST];
};

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- frames */

static void
put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* Of 16-bit words, not folded (RFC 1071). */
static uint32_t
sum_of(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (len % 2 != 0)
		sum += (uint32_t)bytes[len - 1] << 8;
	return sum;
}

static uint32_t
checksum(uint32_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void
put_ethernet(uint8_t *frame, const struct tcp *t, unsigned from)
{
	static const uint8_t local[2] = { 0x02, 0x00 };

	memcpy(frame, local, 2);
	put32(frame + 2, t->addr[!from]);
	memcpy(frame + 6, local, 2);
	put32(frame + 8, t->addr[from]);
	put16(frame + 12, 0x0800);
}

static void
put_ip(struct synth *s, uint8_t *ip, const struct tcp *t, unsigned from,
    size_t len)
{
	put16(ip, 0x4500);
	put16(ip + 2, (uint32_t)len);
	put16(ip + 4, s->ident++);
	put16(ip + 6, 0x4000);	/* do not fragment */
	put16(ip + 8, 64 << 8 | 6);
	put16(ip + 10, 0);
	put32(ip + 12, t->addr[from]);
	put32(ip + 16, t->addr[!from]);
	put16(ip + 10, checksum(sum_of(ip, 20)));
}

/* Returns their length. */
static size_t
put_options(const struct synth *s, uint8_t *at, bool syn)
{
	static const uint8_t syn_options[] = { 2, 4, 0x05, 0xb4, 1, 3, 3, 7 };
	uint32_t clock_ms = 1000000 + (uint32_t)(s->now_us / 1000);
	size_t len = 0;

	if (syn) {
		memcpy(at, syn_options, sizeof(syn_options));
		len = sizeof(syn_options);
	}
	if (s->profile->timestamps) {
		put32(at + len, 0x0101080a);
		put32(at + len + 4, clock_ms);
		put32(at + len + 8, syn ? 0 : clock_ms - 1);
		len += 12;
	}
	return len;
}

static size_t
put_tcp(const struct synth *s, uint8_t *tcp, const struct tcp *t,
    unsigned from, unsigned flags, const char *payload, size_t len)
{
	size_t header = 20 + put_options(s, tcp + 20, (flags & SYN) != 0);
	size_t total = header + len;

	put16(tcp, t->port[from]);
	put16(tcp + 2, t->port[!from]);
	put32(tcp + 4, t->seq[from]);
	put32(tcp + 8, (flags & ACK) != 0 ? t->seq[!from] : 0);
	put16(tcp + 12, (uint32_t)(header / 4) << 12 | flags);
	put16(tcp + 14, (flags & SYN) != 0 ? 64240 : 502);
	put32(tcp + 16, 0);
	if (len > 0)
		memcpy(tcp + header, payload, len);
	put16(tcp + 16, checksum(sum_of(tcp - 8, 8) + 6 + (uint32_t)total +
	    sum_of(tcp, total)));
	return total;
}

static void
write_record(struct synth *s, const uint8_t *frame, size_t len)
{
	uint32_t head[4] = {
		START_S + (uint32_t)(s->now_us / 1000000),
		(uint32_t)(s->now_us % 1000000),
		(uint32_t)len,
		(uint32_t)len,
	};

	if (fwrite(head, sizeof(head), 1, s->out) != 1 ||
	    fwrite(frame, len, 1, s->out) != 1)
		fail("synth: writing");
	s->packets++;
	s->bytes += sizeof(head) + len;
	s->now_us += s->profile->gap_us;
}

/* One segment from that end, which moves its sequence number. */
static void
emit(struct synth *s, struct tcp *t, unsigned from, unsigned flags,
    const char *payload, size_t len)
{
	uint8_t frame[FRAME_MOST] = { 0 };
	uint8_t *ip = frame + ETHERNET;
	size_t total;

	put_ethernet(frame, t, from);
	put32(ip + 12, t->addr[from]);	/* the pseudo header is read there */
	put32(ip + 16, t->addr[!from]);
	total = 20 + put_tcp(s, ip + 20, t, from, flags, payload, len);
	put_ip(s, ip, t, from, total);
	total += ETHERNET;
	write_record(s, frame, total < FRAME_LEAST ? FRAME_LEAST : total);
	t->seq[from] += (uint32_t)len + ((flags & (SYN | FIN)) != 0);
}

/* ---- sessions */

enum { CLIENT, SERVER };	/* ends of the control connection */

struct line {
	unsigned from;
	const char *text;
};

static const struct line opening[] = {
	{ SERVER, "220 FTP server ready.\r\n" },
	{ CLIENT, "USER anonymous\r\n" },
	{ SERVER, "331 Please specify the password.\r\n" },
	{ CLIENT, "PASS guest@example.org\r\n" },
	{ SERVER, "230 Login successful.\r\n" },
	{ CLIENT, "SYST\r\n" },
	{ SERVER, "215 UNIX Type: L8\r\n" },
	{ CLIENT, "TYPE I\r\n" },
	{ SERVER, "200 Switching to Binary mode.\r\n" },
};

static const struct line closing[] = {
	{ CLIENT, "QUIT\r\n" },
	{ SERVER, "221 Goodbye.\r\n" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
say(struct synth *s, struct session *c, unsigned from, const char *text)
{
	emit(s, &c->control, from, PSH | ACK, text, strlen(text));
}

/* Spreads numbers evenly, and looks as if it did not (Knuth's constant). */
static uint32_t
scatter(uint32_t n)
{
	return n * 2654435761u;
}

/* How many of the first n of `of` are chosen, when `chosen` are in all. */
static uint32_t
share(uint32_t n, uint32_t chosen, uint32_t of)
{
	return (uint32_t)((uint64_t)n * chosen / of);
}

static bool
names_third_party(const struct synth *s, const struct session *c)
{
	const struct profile *p = s->profile;
	uint32_t n = c->number;

	return c->transfer == n % c->transfers &&
	    share(n + 1, p->third_parties, p->connections) !=
	    share(n, p->third_parties, p->connections);
}

static void
begin_session(struct synth *s, struct session *c)
{
	const struct profile *p = s->profile;
	uint32_t n = s->next++;

	*c = (struct session){
		.number = n,
		.transfers = share(n + 1, p->transfers, p->connections) -
		    share(n, p->transfers, p->connections),
		.control = {
			.addr = { CLIENT_NET + 1 + n % p->clients,
			    SERVER_NET + n % p->servers },
			.port = { (uint16_t)(1024 + n % 30000), 21 },
			.seq = { scatter(n), scatter(n + 1000003) },
		},
	};
}

static bool
is_passive(const struct synth *s, const struct session *c)
{
	return s->profile->passive_too && c->transfer % 2 == 0;
}

/* Decides between whom the data connection will be. */
static void
prepare_data(struct synth *s, struct session *c)
{
	const struct tcp *control = &c->control;
	uint32_t n = scatter(c->number * 8 + c->transfer);
	uint16_t port = (uint16_t)(32768 + (c->number * 11 + c->transfer) %
	    28000);
	bool passive = is_passive(s, c);

	c->block = 0;
	c->sender = passive ? 1 : 0;
	c->data = (struct tcp){ .seq = { n, ~n } };
	c->data.addr[!passive] = control->addr[CLIENT];
	c->data.port[!passive] = port;
	c->data.addr[passive] = control->addr[SERVER];
	c->data.port[passive] = passive ? (uint16_t)(49152 + (n >> 18)) : 20;
	if (!passive && names_third_party(s, c)) {
		c->data.addr[1] = THIRD_NET + c->number % 250;
		s->third_parties++;
	}
	s->ports += !passive;
}

/* The line that names the data connection's second end. */
static void
say_address(struct synth *s, struct session *c, unsigned from,
    const char *before, const char *after)
{
	uint32_t addr = c->data.addr[1], port = c->data.port[1];
	char line[80];

	snprintf(line, sizeof(line), "%s%u,%u,%u,%u,%u,%u%s", before,
	    addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255,
	    port >> 8, port & 255, after);
	say(s, c, from, line);
}

static void
ask(struct synth *s, struct session *c)
{
	prepare_data(s, c);
	if (is_passive(s, c))
		say(s, c, CLIENT, "PASV\r\n");
	else
		say_address(s, c, CLIENT, "PORT ", "\r\n");
}

static void
tell(struct synth *s, struct session *c)
{
	if (is_passive(s, c))
		say_address(s, c, SERVER, "227 Entering Passive Mode (",
		    ").\r\n");
	else
		say(s, c, SERVER, "200 PORT command successful.\r\n");
}

/* A block, or the ACK that is owed for those before; true after the last. */
static bool
send_block(struct synth *s, struct session *c)
{
	const struct profile *p = s->profile;

	if (c->owes_ack) {
		emit(s, &c->data, !c->sender, ACK, NULL, 0);
		c->owes_ack = false;
		return false;
	}
	c->block++;
	if (c->block == p->blocks) {
		emit(s, &c->data, c->sender, PSH | FIN | ACK, s->block,
		    p->block_bytes);
		return true;
	}
	emit(s, &c->data, c->sender, ACK, s->block, p->block_bytes);
	c->owes_ack = c->block * p->acks % p->acks_of < p->acks;
	return false;
}

/* The next packet of a transfer; true when the turn is over. */
static bool
transfer_turn(struct synth *s, struct session *c)
{
	switch ((enum turn)c->turn) {
	case ASK:
		ask(s, c);
		break;
	case TOLD:
		tell(s, c);
		break;
	case COMMAND:
		say(s, c, CLIENT, s->profile->command);
		break;
	case DATA_SYN:
		emit(s, &c->data, 0, SYN, NULL, 0);
		break;
	case DATA_SYN_ACK:
		emit(s, &c->data, 1, SYN | ACK, NULL, 0);
		break;
	case DATA_ACK:
		emit(s, &c->data, 0, ACK, NULL, 0);
		break;
	case BEGIN:
		say(s, c, SERVER, "150 Here it comes.\r\n");
		break;
	case BLOCK:
		return send_block(s, c);
	case DATA_FIN:
		emit(s, &c->data, !c->sender, FIN | ACK, NULL, 0);
		break;
	case DATA_LAST_ACK:
		emit(s, &c->data, c->sender, ACK, NULL, 0);
		break;
	case DONE:
		say(s, c, SERVER, "226 Transfer complete.\r\n");
		break;
	}
	return true;
}

static void
enter(struct session *c, enum step step)
{
	c->step = step;
	c->turn = 0;
}

static void
step_opening(struct synth *s, struct session *c)
{
	switch (c->turn) {
	case 0:
		emit(s, &c->control, CLIENT, SYN, NULL, 0);
		break;
	case 1:
		emit(s, &c->control, SERVER, SYN | ACK, NULL, 0);
		break;
	case 2:
		emit(s, &c->control, CLIENT, ACK, NULL, 0);
		break;
	default:
		say(s, c, opening[c->turn - 3].from,
		    opening[c->turn - 3].text);
		break;
	}
	if (++c->turn == 3 + COUNT(opening))
		enter(c, TRANSFER);
}

static void
step_transfer(struct synth *s, struct session *c)
{
	if (!transfer_turn(s, c))
		return;
	if (c->turn++ == DONE) {
		c->turn = ASK;
		if (++c->transfer == c->transfers)
			enter(c, CLOSING);
	}
}

static void
step_closing(struct synth *s, struct session *c)
{
	unsigned lines = COUNT(closing);

	if (c->turn < lines)
		say(s, c, closing[c->turn].from, closing[c->turn].text);
	else if (c->turn == lines)
		emit(s, &c->control, SERVER, FIN | ACK, NULL, 0);
	else if (c->turn == lines + 1)
		emit(s, &c->control, CLIENT, FIN | ACK, NULL, 0);
	else
		emit(s, &c->control, SERVER, ACK, NULL, 0);
	if (c->turn++ == lines + 2)
		enter(c, ENDED);
}

/* One packet; false when the slot has none left. */
static bool
step_slot(struct synth *s, struct session *c)
{
	if (c->step == ENDED) {
		if (s->next == s->profile->connections)
			return false;
		begin_session(s, c);
	}
	switch (c->step) {
	case OPENING:
		step_opening(s, c);
		break;
	case TRANSFER:
		step_transfer(s, c);
		break;
	case CLOSING:
		step_closing(s, c);
		break;
	case ENDED:
		break;
	}
	return true;
}

/* ---- floods: what costs a sensor memory */

static void
open_control(struct synth *s, struct tcp *t, uint32_t n)
{
	*t = (struct tcp) {
		.addr = { FLOOD_NET + 1 + n, SERVER_NET },
		.port = { (uint16_t)(1024 + n % 30000), 21 },
		.seq = { scatter(n), scatter(n + 1000003) },
	};
	emit(s, t, CLIENT, SYN, NULL, 0);
	emit(s, t, SERVER, SYN | ACK, NULL, 0);
	emit(s, t, CLIENT, ACK, NULL, 0);
}

static void
say_on(struct synth *s, struct tcp *t, unsigned from, const char *text)
{
	emit(s, t, from, PSH | ACK, text, strlen(text));
}

static void
log_in(struct synth *s, struct tcp *t, uint32_t n)
{
	open_control(s, t, n);
	for (size_t i = 0; i < 5; i++)
		say_on(s, t, opening[i].from, opening[i].text);
	emit(s, t, CLIENT, ACK, NULL, 0);
}

static void
flood_idle(struct synth *s, uint32_t n)
{
	struct tcp t;

	log_in(s, &t, n);
}

static void
flood_syns(struct synth *s, uint32_t n)
{
	struct tcp t = {
		.addr = { FLOOD_NET + 1 + n % (1u << 23), SERVER_NET },
		.port = { (uint16_t)(1024 + n % 64000), 21 },
		.seq = { scatter(n), 0 },
	};

	emit(s, &t, CLIENT, SYN, NULL, 0);
}

static void
flood_partial(struct synth *s, uint32_t n)
{
	char half_line[HALF_LINE];
	struct tcp t;

	memset(half_line, 'x', sizeof(half_line));
	memcpy(half_line, "CWD ", 4);
	open_control(s, &t, n);
	say_on(s, &t, SERVER, opening[0].text);
	emit(s, &t, CLIENT, PSH | ACK, half_line, sizeof(half_line));
	t.seq[CLIENT]--;	/* the server does not acknowledge the last */
	emit(s, &t, SERVER, PSH | ACK, half_line, sizeof(half_line));
	for (unsigned from = CLIENT; from <= SERVER; from++) {
		t.seq[from] += 100;
		for (int i = 0; i < EARLY_SEGMENTS; i++)
			emit(s, &t, from, ACK, s->block, BLOCK_MOST);
		t.seq[from] -= 100 + EARLY_SEGMENTS * BLOCK_MOST;
	}
}

static void
flood_scans(struct synth *s, uint32_t n)
{
	static struct tcp t;
	char line[80];

	if (n % TARGETS_MOST == 0)
		log_in(s, &t, n);
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t port = 1024 + (n * 4 + i) % 64000;

		snprintf(line, sizeof(line), "PORT 203,%u,%u,%u,%u,%u\r\n",
		    n >> 16 & 255, n >> 8 & 255, n & 255, port >> 8,
		    port & 255);
		say_on(s, &t, CLIENT, line);
		say_on(s, &t, SERVER, "500 Illegal PORT command.\r\n");
	}
}

static const struct flood {
	const char *name;
	void (*once)(struct synth *s, uint32_t n);
} floods[] = {
	{ "idle", flood_idle },
	{ "syns", flood_syns },
	{ "partial", flood_partial },
	{ "scans", flood_scans },
};

static const struct profile flood_profile = { .name = "flood", .gap_us = 5 };

static void
flood(struct synth *s, const struct flood *f)
{
	for (uint32_t n = 0; n < s->floods; n++)
		f->once(s, n);
	s->next = s->floods;
}

static const struct flood *
flood_of(const char *name)
{
	for (size_t i = 0; i < COUNT(floods); i++)
		if (strcmp(floods[i].name, name) == 0)
			return &floods[i];
	return NULL;
}

/* ---- the whole */

/* The slots begin one after the other, so that they are never in step. */
static void
run(struct synth *s)
{
	uint32_t slots = s->profile->slots, begun = 0, busy;
	uint64_t round = 0;

	for (uint32_t i = 0; i < slots; i++)
		s->slot[i].step = ENDED;
	do {
		while (begun < slots && begun <= round * slots / 64)
			begun++;
		busy = 0;
		for (uint32_t i = 0; i < begun; i++)
			busy += step_slot(s, &s->slot[i]);
		round++;
	} while (busy > 0);
}

static void
write_header(struct synth *s)
{
	uint32_t head[6] = { 0xa1b2c3d4, 0, 0, 0, 262144, 1 };
	uint16_t version[2] = { 2, 4 };

	memcpy(&head[1], version, sizeof(version));	/* in our byte order */
	if (fwrite(head, sizeof(head), 1, s->out) != 1)
		fail("synth: writing");
	s->bytes += sizeof(head);
}

static const struct profile *
profile_of(const char *name)
{
	for (size_t i = 0; i < COUNT(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

/* The last word; nothing is written when it cannot be opened. */
static void
open_output(struct synth *s, const char *name)
{
	s->out = strcmp(name, "-") == 0 ? stdout : fopen(name, "wb");
	if (s->out == NULL)
		fail(name);
	setvbuf(s->out, NULL, _IOFBF, 1 << 20);
	for (size_t i = 0; i < sizeof(s->block); i++)
		s->block[i] = "GRIB"[i % 4];
}

int
main(int argc, char **argv)
{
	static struct synth s;
	const struct flood *f = argc == 4 ? flood_of(argv[1]) : NULL;

	s.profile = argc == 3 ? profile_of(argv[1]) : &flood_profile;
	if (argc == 4)
		s.floods = (uint32_t)strtoul(argv[2], NULL, 10);
	if (s.profile == NULL || (argc != 3 && (f == NULL || s.floods == 0))) {
		fputs("usage: synth ctl|mix OUTPUT\n"
		    "       synth idle|syns|partial|scans N OUTPUT\n", stderr);
		return 2;
	}
	open_output(&s, argv[argc - 1]);
	write_header(&s);
	if (f != NULL)
		flood(&s, f);
	else
		run(&s);
	if (fclose(s.out) != 0)
		fail("synth: writing");
	fprintf(stderr, "%s: %" PRIu64 " packets, %" PRIu64 " bytes, %" PRIu32
	    " connections, %" PRIu64 " PORTs, %" PRIu64 " third parties\n",
	    argv[1], s.packets, s.bytes, s.next, s.ports, s.third_parties);
	return 0;
}
