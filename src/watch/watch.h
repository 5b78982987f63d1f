/*
 * watch/watch.h: the sensor's own structures.
 *
 * segments (packet.h) -> flow.c connections -> stream.c a control
 * connection's bytes in order -> control.c its commands and replies ->
 * address.c data addresses -> expect.c data connections that somebody was
 * told of -> finding.c what is wrong.  peers.c: what is remembered of
 * clients and servers.
 *
 * Each function works on what it is given and on struct watch; time is the
 * capture's own.  Every table is bounded (table.h), and what it sheds is
 * counted.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <assert.h>

#include "policy/bounce.h"
#include "policy/named.h"
#include "proto/command.h"
#include "proto/lenient.h"
#include "proto/telnet.h"
#include "proto/value.h"
#include "watch/blocks.h"
#include "watch/packet.h"
#include "watch/table.h"

#define LINE_MOST 1024		/* of a control connection; rest is cut */
#define PENDING_MOST 8		/* commands whose replies are waited for */
#define EARLY_MOST 16		/* segments that wait for a gap to close */
#define EARLY_BYTES 65536	/* and their bytes, for one connection */
#define TALK_BYTES 1024		/* of struct talk, and of a line */
#define HISTORY_BYTES 640	/* of the client's latest, to compare with */
#define SCAN_PORTS 4		/* different ones: a scan */
#define SCAN_SLOW_FLOWS 3	/* control connections of a slow one */
#define COMMAND_TEXT 96		/* of a command, kept with a finding */
#define EXPECT_NS (60 * WATCH_S)
#define WATCH_S INT64_C(1000000000)

struct watch;
struct control;
struct expect;
struct finding;

enum end { CLIENT, SERVER };	/* of a control connection; else who began */

enum flow_kind {
	FLOW_NEW,	/* nothing was said yet */
	FLOW_CONTROL,
	FLOW_DATA,	/* somebody was told of it */
	FLOW_OTHER,
};

/* A TCP connection.  What finds it lies in one cache line. */
struct flow {
	struct table_link link;
	struct addr end[2];	/* who began it, as far as is known */
	uint32_t finding;	/* that it is part of: finding_get */
	uint32_t next_seq[2];
	int64_t last_ns;
	uint64_t bytes[2];	/* payload sent by each end */
	struct control *control;
	uint64_t first_packet;
	uint32_t serial;	/* of the finding */
	uint8_t kind;		/* enum flow_kind */
	uint8_t ttl[2];		/* usual ones */
	bool synced[2];		/* next_seq is known */
	bool syn, syn_ack;	/* seen */
	bool fin[2];
	bool reset;
	uint8_t role;		/* enum expect_kind, of a data connection */
	bool told;		/* that its bytes flow */
};

/* A segment that came before the one in front of it. */
struct early {
	struct early *next;
	uint32_t seq, len;
	uint64_t number;
	char data[];
};

/* One direction of a control connection. */
struct half {
	struct telnet telnet;
	char *line;		/* a block while a line is partial */
	struct early *early;	/* by seq */
	uint32_t early_bytes;
	uint32_t acked;		/* by the other end, up to here */
	uint8_t early_count;
	bool acked_known;
	bool resync;		/* bytes are missing: skip to the next LF */
	bool checksums_good;	/* once at least */
	bool tls;		/* encrypted, from here on */
	uint8_t header_have;	/* bytes of a TLS record's header */
	uint16_t record_left;	/* bytes until the TLS record's end */
};

/* Why a reply is waited for. */
enum await {
	AWAIT_OTHER,
	AWAIT_GREETING,
	AWAIT_LOGIN,		/* USER, PASS, ACCT */
	AWAIT_REIN,
	AWAIT_AUTH,
	AWAIT_ADDRESS,		/* PORT, EPRT, LPRT: may change the finding */
	AWAIT_PASSIVE,
	AWAIT_TRANSFER,
	AWAIT_STORE,
};

struct pending {
	uint8_t await;		/* enum await */
	uint8_t verb;
	uint32_t finding, serial;
	uint16_t port;		/* that a transfer is to go to */
	uint64_t name;		/* STOR, RETR: hash of server and name */
	int64_t asked_ns;
};

/*
 * Another reading of bytes that name a data address, until the command comes
 * that the server answers.
 */
struct doubt {
	bool set;
	struct addr reading;
	uint32_t finding, serial;
	int64_t since_ns;
};

/*
 * What a control connection needs while something is under way on it: a
 * command that was not answered, or bytes that were not acknowledged.
 */
struct talk {
	struct doubt doubt;
	uint32_t history_len, history_end; /* bytes; seq behind the last */
	uint8_t pending_count, pending_first;
	struct pending pending[PENDING_MOST];
	char history[HISTORY_BYTES]; /* the client's latest bytes */
};

static_assert(sizeof(struct talk) <= TALK_BYTES && LINE_MOST <= TALK_BYTES,
    "one size of blocks is for both");

struct client;
struct pair;
struct server;

/* A control connection: no more than this while it is idle. */
struct control {
	struct flow *flow;
	struct server *server;
	struct pair *pair;
	struct half half[2];
	struct talk *talk;	/* NULL: nothing is under way */
	struct expect *active;	/* where the server was told to connect */
	struct expect *stale;	/* what should be void by now */
	struct expect *passive;
	const char *label;	/* of a known scanner */
	uint64_t rest;
	uint64_t last_packet;	/* of the last command */
	uint16_t unused_active, unused_passive;
	int16_t reply_code;	/* of a reply of several lines; 0: none */
	uint16_t pending_lost;	/* commands that are not waited for */
	bool from_start;	/* its SYN was seen */
	bool greeted;		/* the server has spoken */
	bool client_spoke;
	bool server_is_ftp;	/* its greeting says so, or its port */
	bool logged_in;
	bool password_sent;	/* and its reply is on the way */
	bool typed;		/* TYPE or SYST was given: no scanner does */
	bool was_tls;		/* at some time */
	bool tls_offered;	/* by the client's first bytes, unasked */
	bool epsv_all;
	bool odd;		/* the present bytes may not be taken */
	bool greeting_done;
	bool hello_seen;
	bool named_last;	/* the last command was PORT or EPRT */
	bool joined;		/* a path stood before it in one packet */
	bool last_takes_text;
	uint8_t lockstep;	/* PORT and LIST by turns */
	uint8_t nse;		/* steps of nmap's ftp-bounce seen */
};

static_assert(sizeof(struct flow) <= 128 && sizeof(struct control) <= 256,
    "idle control connections are many");

enum expect_kind {
	EXPECT_OWN,		/* active, to the client itself */
	EXPECT_FOREIGN,		/* active, to somebody else */
	EXPECT_STALE,		/* was void before */
	EXPECT_PASSIVE,		/* the client to the server */
	EXPECT_REDIRECT,	/* the client to where a reply sent it */
};

/* A data connection that may come: to `at`. */
struct expect {
	struct table_link link;
	struct addr at;
	struct addr from;	/* who should connect; port 0 */
	struct addr client, server;
	int64_t since_ns;
	struct control *control; /* NULL: it has ended */
	uint8_t kind;		/* enum expect_kind */
	bool accepted;
	bool used;
	struct expect *other;	/* of another reading of the same command */
	uint32_t finding, serial;
};

/* Ports of one target that were asked about, and what came of it. */
enum port_state { PORT_ASKED, PORT_OPEN, PORT_CLOSED, PORT_FILTERED };

#define SCAN_MAP_MOST 1024	/* ports told; more are counted */

struct scan {
	uint32_t ports;		/* different ones */
	uint32_t told;		/* of them in the map */
	uint8_t seen[65536 / 8];
	struct { uint16_t port; uint8_t state; } map[SCAN_MAP_MOST];
};

struct finding {
	struct table_link link;
	uint32_t serial;	/* finding_get: a number may be used again */
	uint64_t id;
	enum bounce_kind kind;
	enum bounce_stage stage;
	enum bounce_level level;
	struct addr client, server, asked;
	struct addr reading[LENIENT_READINGS];
	uint8_t readings;
	bool held;		/* not told yet: it may turn out harmless */
	bool counting;		/* too few yet to be told at all */
	bool told;		/* reported at least once */
	bool low_confidence;	/* from one side, or from the middle */
	bool refused;		/* every attempt was */
	enum bounce_level cap;	/* of a benign look-alike */
	const char *label;
	const char *detail;	/* a constant: which rule */
	bool nat;		/* a private host behind a public client */
	bool owner_came;	/* of a passive port, beside the stranger */
	uint8_t told_kind, told_stage, told_level;
	bool dirty;		/* something is new since it was told */
	uint32_t wide, wide_serial; /* the horizontal scan it is part of */
	uint32_t relay, relay_serial; /* what is sent there */
	uint32_t attempts, accepted, denied, executed, updates;
	uint32_t connections;	/* control connections it came over */
	uint32_t servers;
	uint64_t flow[SCAN_SLOW_FLOWS]; /* the first different ones */
	uint32_t told_attempts;
	struct addr last_server;
	uint64_t first_packet, last_packet, reply_packet, syn_packet,
	    data_packet;
	int64_t first_ns, last_ns;
	uint64_t bytes_out, bytes_in;	/* to the target, from it */
	uint64_t offset;		/* REST of a relay */
	uint16_t port[SCAN_PORTS];	/* the first different ones */
	uint8_t state[SCAN_PORTS];
	uint8_t ports;
	struct scan *scan;
	struct addr target[SCAN_PORTS];	/* horizontal: different ones */
	uint32_t targets;
	uint16_t reply_code;
	uint8_t command_len;
	char command[COMMAND_TEXT];
};

/* A client and a server between whom there is a control connection. */
struct pair {
	struct table_link link;
	uint8_t client[16], server[16];
	uint32_t open;
};

struct client {
	struct table_link link;
	struct addr ip;
	struct addr private_host; /* the one it named */
	uint32_t private_hosts;
};

#define PASSIVE_PORTS 8

/* A host that was seen to serve FTP. */
struct server {
	struct table_link link;
	struct addr at;		/* with its first control port */
	struct addr last_client; /* of its newest control connection */
	int64_t tls_ns;		/* a TLS record on a control connection */
	uint16_t passive[PASSIVE_PORTS];
	uint32_t passive_replies;
	uint64_t sessions, logins, commands, active, passives, bytes;
	uint64_t findings[LEVEL_COUNT];
	bool told_predictable, told_private;
};

/* A name that was stored, and may be sent to a third party. */
struct upload {
	struct table_link link;
	uint64_t name;		/* hash of server and name */
};

#define WATCH_COUNTERS(X) \
	X(packets, "packets read") \
	X(segments, "TCP segments") \
	X(flows, "TCP connections") \
	X(midstream, "connections that were picked up in the middle") \
	X(control, "control connections") \
	X(control_midstream, "control connections picked up in the middle") \
	X(control_one_sided, "control connections seen from one side only") \
	X(control_encrypted, "control connections that are encrypted") \
	X(control_not_ftp, "connections taken for FTP at first, and not") \
	X(commands, "commands") \
	X(replies, "replies") \
	X(logins, "logins") \
	X(lines_cut, "lines longer than can be kept") \
	X(ambiguous, "commands with more than one reading") \
	X(data_active, "active data connections") \
	X(data_passive, "passive data connections") \
	X(data_bytes, "bytes of data connections") \
	X(attempts, "data addresses that the policy forbids") \
	X(early_dropped, "early segments without room") \
	X(gaps, "gaps in control connections") \
	X(overlaps, "segments that say otherwise than before") \
	X(overlaps_unchecked, "repeated segments that could not be compared") \
	X(bad_checksums, "segments of control connections with bad checksums") \
	X(after_reset, "segments behind a reset") \
	X(not_followed, "things not followed for want of memory") \
	X(no_room, "lines and commands not kept for want of room (--memory)") \
	X(scan_maps_dropped, "scans whose ports were not kept for want of room") \
	X(pending_cut, "commands whose replies were not waited for") \
	X(kernel_dropped, "packets that the kernel had no room for (--buffer)")

struct watch_counters {
#define X(name, text) uint64_t name;
	WATCH_COUNTERS(X)
#undef X
};

/* Whom findings and the rest are told. */
struct watch_report {
	void (*finding)(void *arg, const struct watch *w,
	    const struct finding *f);
	void (*line)(void *arg, const struct watch *w,
	    const struct control *c, enum ftp_verb verb, struct sv argument);
	/* The last line of what was said to a command of this verb. */
	void (*answered)(void *arg, const struct watch *w,
	    const struct control *c, enum ftp_verb verb, int code,
	    struct sv text);
	/* Of this control connection no more will come. */
	void (*ended)(void *arg, const struct control *c);
	void *arg;
	void *line_arg;		/* of line, answered and ended */
};

struct watch {
	struct table flows, expects, findings, pairs, clients, servers,
	    uploads;
	/*
	 * What is outside of the tables: each has a bound of its own, so that
	 * none of them is a means against the others.
	 */
	struct blocks controls;	/* one for a flow */
	struct blocks talks;	/* struct talk, and lines */
	size_t early_bytes, early_most;
	uint32_t scans, scans_most;
	uint64_t seed;
	int64_t now_ns, swept_ns;
	const struct segment *segment;	/* that is being looked at */
	uint32_t serial;
	const char *interface;	/* that is listened to; NULL: files */
	const struct addr_net *groups;	/* --group: one organisation each */
	size_t group_count;
	struct watch_report report;
	struct watch_counters counters;
};

/* flow.c */

/* memory_bytes: for all tables; false when it cannot be had. */
bool watch_init(struct watch *w, size_t memory_bytes, uint64_t seed);
void watch_free(struct watch *w);
void watch_segment(struct watch *w, const struct segment *s);
/* Time has moved on without a segment; a clock that goes back does nothing. */
void watch_tick(struct watch *w, int64_t now_ns);
/* Everything that is held back is told. */
void watch_finish(struct watch *w);
/* Hash of an address without, and with its port. */
uint64_t watch_hash_ip(const struct watch *w, const struct addr *a);
uint64_t watch_hash_at(const struct watch *w, const struct addr *a);

/* stream.c */

/* One segment of a control connection, from this end. */
void stream_segment(struct watch *w, struct control *c, enum end from);
void stream_free(struct watch *w, struct control *c);
/* Whether these bytes begin as a line of this end's does. */
bool stream_begins_line(enum end from, struct sv in);

/* records.c */

/*
 * Looks at bytes that are in the clear, so far: an offer of TLS without AUTH,
 * or the server's agreement to one.
 */
void records_notice(struct watch *w, struct control *c, enum end from,
    struct sv in);
/*
 * Goes over TLS records and answers what stands behind the last of them, in
 * the clear; SV("") where nothing does.  half.tls says which.
 *
 * in  the next bytes of this end; behind a gap if half.resync says so
 */
struct sv records_skip(struct watch *w, struct control *c, enum end from,
    struct sv in);
/* From here on both ends send records. */
void records_begin(struct control *c);

/* control.c */

struct control *control_new(struct watch *w, struct flow *f);
void control_end(struct watch *w, struct control *c);
/* A whole line; `ambiguous`: of a reading that the server may not have. */
void control_command(struct watch *w, struct control *c, struct sv line,
    bool ambiguous);
void control_reply(struct watch *w, struct control *c, struct sv line);
/* The server took the offer of c->tls_offered. */
void control_agrees_to_tls(struct watch *w, struct control *c);
/* From here on it is encrypted. */
void control_encrypts(struct watch *w, struct control *c);
/* The latest command that waits for its reply; NULL: none does. */
struct pending *control_latest(const struct control *c);
/* The first bytes of an encrypted handshake. */
void control_tls(struct watch *w, struct control *c, struct sv record);

/* talk.c */

/* What is under way; begins when nothing was.  NULL: no room, counted. */
struct talk *talk_begin(struct watch *w, struct control *c);
/* Gives it back when nothing is under way any more. */
void talk_rest(struct watch *w, struct control *c);
void talk_end(struct watch *w, struct control *c);

/* address.c */

/* PORT, EPRT or LPRT; the finding that it made goes into *p. */
void address_named(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv argument, bool strict, struct pending *p);
/* The same, in a reading that the server may not have. */
void address_second(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv argument, bool strict);
/* 227, 228 or 229. */
void address_told(struct watch *w, struct control *c, int code,
    struct sv text);
void address_answered(struct watch *w, struct control *c,
    const struct pending *p, int code);
/* What was named is void: REIN, another address, a refusal. */
void address_void(struct watch *w, struct control *c);
/* The command that a second reading belongs to: its answer counts for it. */
void address_doubted(struct watch *w, struct control *c, struct pending *p);
/* A transfer with the present data address begins. */
void address_transfer(struct watch *w, struct control *c, enum ftp_verb verb,
    struct pending *p);
/* 150, 226, 425, ... to it. */
void address_transfer_answered(struct watch *w, struct control *c,
    const struct pending *p, int code);

/* expect.c */

void expect_init(struct watch *w);

struct expect *expect_add(struct watch *w, struct control *c,
    enum expect_kind kind, const struct addr *at, const struct addr *from);
void expect_drop(struct watch *w, struct expect *x);
/* Those that are too old. */
void expect_sweep(struct watch *w);
/* The passive port that another server told this client. */
bool expect_is_told(struct watch *w, const struct addr *at,
    const struct addr *client, const struct addr *not_server);
/* Who is sent there by a reply connects: it counts for the finding. */
void expect_redirect(struct watch *w, const struct control *c,
    const struct addr *to, const struct finding *f);
/* A connection begins: whose is it? */
void expect_syn(struct watch *w, struct flow *f);
/* Something was seen on a data connection. */
void expect_data(struct watch *w, struct flow *f, enum end from);
void expect_end(struct watch *w, struct flow *f);

/* finding.c */

void finding_init(struct watch *w);

/*
 * The finding about this client, this target and this matter, old or new; its
 * port is noted, and when there are many the matter becomes a scan.  NULL
 * without memory.
 */
struct finding *finding_attempt(struct watch *w, struct control *c,
    enum bounce_kind kind, const struct addr *asked, struct sv command);
/* The same for what is no command: between these two. */
struct finding *finding_of(struct watch *w, enum bounce_kind kind,
    const struct addr *client, const struct addr *server,
    const struct addr *asked);
/* By number; NULL when it was shed meanwhile. */
struct finding *finding_get(const struct watch *w, uint32_t number,
    uint32_t serial);
/*
 * This port of the target was asked for; many of them are a scan, and so is
 * one port of many: the finding that goes on is returned.
 */
struct finding *finding_count_port(struct watch *w, struct control *c,
    struct finding *f, const struct addr *asked);
/* A graver matter beside it, that rises with it. */
struct finding *finding_relay(struct watch *w, struct finding *f,
    enum bounce_kind kind, const char *detail);
void finding_read(struct finding *f,
    const struct addr *reading);
void finding_answered(struct watch *w, struct finding *f, int code);
void finding_rise(struct watch *w, struct finding *f, enum bounce_stage stage);
/* It is about something graver than was thought. */
void finding_turns(struct finding *f, enum bounce_kind kind);
void finding_port(struct finding *f, uint16_t port,
    enum port_state state);
/* The command, for people; passwords never. */
void finding_quote(struct finding *f, struct sv command);
/* Not above this level. */
void finding_cap(struct finding *f, enum bounce_level level);
/* What was held back turns out to be what it is. */
void finding_settle(struct watch *w, struct finding *f);
/* Tells what is new. */
void finding_tell(struct watch *w, struct finding *f);

/* peers.c */

struct server *peers_server(struct watch *w, const struct addr *at);
struct server *peers_find_server(const struct watch *w,
    const struct addr *ip);
struct client *peers_client(struct watch *w, const struct addr *ip);
struct pair *peers_pair(struct watch *w, const struct addr *client,
    const struct addr *server, bool make);
/* One control connection between them less. */
void peers_release_pair(struct watch *w, struct pair *p);
void peers_note_upload(struct watch *w, uint64_t name);
bool peers_was_uploaded(const struct watch *w, uint64_t name);
/* Whether both are of one organisation (--group), or of one /64. */
bool peers_are_one(const struct watch *w, const struct addr *a,
    const struct addr *b);
