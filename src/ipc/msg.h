/*
 * ipc/msg.h: what the gate, the workers and the warden say to each other.
 *
 * Every message is 80 bytes, typed, versioned and numbered.  Upwards, from a
 * worker to the gate, go numbers only: no address, no descriptor, no text.
 * "Connect my client's data connection, port 5120" cannot name a third
 * party, whatever the worker has become.
 *
 * A session is named by its slot in that worker's table and a generation
 * that grows each time the slot is used again; descriptor numbers are never
 * names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define IPC_VERSION 4

/* From a worker to the gate. */
#define IPC_TO_GATE(X) \
/*	name      meaning */ \
	X(LISTEN,  "open a passive port for this session") \
	X(CONNECT, "connect to this port of the session's client") \
	X(VOID,    "the session's data endpoint is no longer wanted") \
	X(DONE,    "this data connection is closed on my side") \
	X(MOVE,    "this session needs a process of its own; I have let go") \
	X(CLOSED,  "the control connection is closed on my side") \
	X(SLOWER,  "this session is to be sent no more than so much a second")

/* From the gate to a worker. */
#define IPC_TO_WORKER(X) \
	X(OPEN,          "a new session; its control connection comes along") \
	X(LISTENING,     "the passive port asked for") \
	X(LISTEN_FAILED, "no passive port; why") \
	X(DATA,          "the data connection; it comes along") \
	X(DATA_FAILED,   "no data connection; why") \
	X(RETIRE,        "no new session will come; exit when empty")

/* Between the warden and its children. */
#define IPC_WARDEN(X) \
	X(LISTENERS, "gate: I listen; copies of the listeners come along") \
	X(NEED,      "gate: the workers are full") \
	X(EXPEL,     "gate: this worker broke a rule; end it") \
	X(TAKEN,     "gate: this solo worker has its session") \
	X(ATTACH,    "warden: a worker; the channel to it comes along") \
	X(ATTACH_SOLO, "warden: a solo worker; likewise") \
	X(RELOAD,    "warden: a configuration; it comes along") \
	X(STOP,      "warden: finish and exit") \
	X(KEY,       "warden: a private key, and back: how that went") \
	X(SIGNS,     "warden: the signer's end of somebody's channel") \
	X(PEER,      "gate, to the keeper: who is at that worker's far end") \
	X(KEEPER,    "warden, to the gate: the channel to the keeper") \
	X(SKIP,      "tests, to the keeper: so much time has gone by") \
	X(RESOLVED,  "resolver: the address of a name, or why there is none") \
	X(READY,     "child: ready; which walls stand")

enum ipc_type {
	IPC_NONE = 0,
#define X(NAME, meaning) IPC_##NAME,
	IPC_TO_GATE(X) IPC_TO_WORKER(X) IPC_WARDEN(X)
#undef X
	IPC_TYPE_COUNT
};

/* Why there is no port, or no data connection. */
enum ipc_reason {
	IPC_OK = 0,
	IPC_FULL,	/* no free port in the range */
	IPC_REFUSED,	/* the client's host refused */
	IPC_TIMEOUT,	/* nobody came, or nobody answered */
	IPC_UNREACHABLE,
	IPC_FORBIDDEN,	/* the policy says no */
	IPC_RATE,	/* too many have failed lately */
	IPC_BROKEN,	/* our own fault: descriptors, memory */
	IPC_BUSY,	/* `number` transfers run, which is the limit */
	IPC_BUSY_CLASS,	/* likewise, of the client's class */
	IPC_BUSY_ADDRESS, /* likewise, of the client's address */
};

/*
 * A passive port that came as `next` may be told to the session's client for
 * so long; the gate listens on it for passive.timeout longer.
 */
#define IPC_NEXT_MS 10000

/* Why a session has a process of its own. */
enum ipc_why {
	IPC_WHY_NONE = 0,	/* it has none */
	IPC_WHY_AUTH,		/* its next line is AUTH */
	IPC_WHY_USER,		/* its next line is USER, with an account */
	IPC_WHY_IMPLICIT,	/* OPEN: it begins with TLS; of no worker's */
	IPC_WHY_COUNT
};

#define IPC_TRIES_MAX 16	/* attempts and strikes, far beyond the limits */

/* What goes along with a session that is moved; in a new one all is 0. */
struct ipc_moved {
	uint64_t site;		/* board_name of its first name; 0: the first
				   site.  A place would mean another one after
				   a reload */
	uint32_t age_ms;	/* OPEN: since accept, by the gate's clock */
	uint8_t why;		/* enum ipc_why */
	uint8_t attempts;	/* refused logins */
	uint8_t strikes;
	uint8_t reserved;
};

struct ipc_open {
	struct addr peer;
	struct addr local;
	uint64_t flow;	/* names the session in events */
	struct ipc_moved moved;
};

struct ipc_port {
	uint32_t port;
	uint32_t reason;	/* enum ipc_reason */
	uint32_t active;	/* DATA: 1 when the gate connected */
	struct addr who;	/* DATA: the far end */
	uint32_t next;		/* DATA: the session's next port; 0: none */
	uint32_t epoch;		/* DATA: how many LISTEN and VOID of this
				   session came before */
	uint32_t number;	/* DATA, DONE: which of the session's data
				   connections; BUSY: the limit; SLOWER: bytes
				   a second, beside all other limits */
};

struct ipc_resolved {
	struct addr at;
	uint32_t place;		/* in passive.address */
	uint32_t reason;	/* OK; REFUSED: the name has none; TIMEOUT: no
				   answer; FORBIDDEN: one of no use; BROKEN */
};

/*
 * KEY.  With a descriptor (slot is 1): read it as that key, in place of what
 * the number was.  Without (slot is 0): forget it.  Back comes the same number
 * and how it went.  SIGNS comes with a descriptor: slot is 1.
 */
struct ipc_key {
	uint32_t number;
	uint32_t fault;		/* enum sign_key_fault (tls/sign_key.h) */
	uint32_t line;		/* of the file; 0: of no line */
};

struct ipc_peer {
	struct addr at;
	uint32_t worker;	/* as in ATTACH */
};

struct ipc_msg {
	uint8_t version;
	uint8_t type;		/* enum ipc_type */
	uint16_t reserved;
	uint32_t seq;
	uint32_t slot;
	uint32_t generation;
	union {
		struct ipc_open open;
		struct ipc_moved moved;	/* MOVE */
		struct ipc_port port;
		struct ipc_resolved resolved;
		struct ipc_key key;
		uint32_t walls;	/* READY: set of enum wall (walls.h) */
		uint32_t worker;/* ATTACH, ATTACH_SOLO, EXPEL, TAKEN:
				   the warden's number for it; RELOAD, of the
				   keeper: 1 when it is done */
		struct ipc_peer peer;
		uint32_t skip_ms;
		uint8_t room[64];
	};
};

_Static_assert(sizeof(struct ipc_msg) == 80, "one size for all");

const char *ipc_type_name(enum ipc_type type);
