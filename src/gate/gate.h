/*
 * gate/gate.h: the only process with network power, and what it knows.
 *
 * It makes, binds, accepts and connects every socket, and reads no byte of
 * any of them.  Who is at the far end of a control connection it has seen
 * itself, at accept; a worker can name a session and a port, and nothing
 * else, so that whatever a worker has become it cannot name a third party.
 *
 * Listening sockets never leave this process: one in a worker's hands can be
 * turned into an outgoing connection (shutdown, then Fast Open).
 *
 * main.c start, reload, stop; control.c control listeners and sessions;
 * passive.c ports; active.c connects; worker.c messages; peer.c counts;
 * limit.c who may come in; flow.c data connections that run, rate.c how
 * fast; move.c sessions that need a process of their own.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <sys/queue.h>

#include "base/loop.h"
#include "conf/conf.h"
#include "conf/conf_limit.h"
#include "guard/event.h"
#include "ipc/board.h"
#include "ipc/channel.h"
#include "policy/pace.h"
#include "policy/ports.h"
#include "policy/share.h"

#define GATE_LINGER_US 100000	/* a blocking send on a data connection waits */
#define GATE_DIALS 2		/* pending connects of one session */
#define GATE_FLOWS 2		/* its data connections that are counted */

struct gate;
struct gate_session;

/* Everyone, or a class of clients: what holds for them, and how many. */
struct gate_group {
	struct conf_limits limit;	/* now */
	uint32_t sessions;
	uint32_t transfers;	/* sessions of which data connections run */
	uint32_t paced;		/* its addresses in gate.paced */
};

/* What is counted for one address (IPv6: one /64). */
struct gate_peer {
	struct gate_peer *next;
	uint64_t key[2];
	uint32_t group;		/* its class's place in gate.group; 0: none */
	uint32_t sessions, transfers;
	struct gate_flow *flows;
	struct gate_peer *next_paced;
	bool paced;		/* is in gate.paced */
	bool fresh;		/* since the last look */
	uint64_t moved;		/* bytes of flows that have ended since */
	struct share share;	/* of the site's rate, in bytes a second */
	uint32_t failures;	/* failed connects in this minute */
	uint64_t minute_ms;	/* when that minute began */
	uint64_t solo_ms;	/* its processes are earned back (pace.h) */
};

/* A data connection that the worker has and that a limit counts. */
struct gate_flow {
	struct gate_flow *next;	/* of the same address */
	struct gate_session *session;
	uint32_t number;	/* its name between gate and worker */
	int fd;			/* a duplicate, to pace by; or -1 */
	bool fresh;		/* since the last look */
	uint64_t acked;		/* bytes that the client has, at that */
	uint64_t paced;		/* what the kernel was told */
	struct share share;	/* of what the address may have */
};

struct gate_worker {
	struct gate_worker *next;
	struct gate *gate;
	struct ipc_channel channel;
	struct loop_watch watch;
	struct loop_grave grave;
	uint32_t id;		/* the warden's number for it */
	bool retired;		/* gets no new sessions */
	bool tells_done;	/* its configuration wants DONE */
	bool may_move;		/* its configuration wants MOVE */
	bool solo;		/* takes one session, a moved one */
	bool dead;
	uint32_t sessions, slots;
	struct gate_session **slot;	/* by slot; NULL when free */
	uint32_t *generation;		/* by slot */
	uint32_t *spare;		/* stack of free slots */
};

/* A passive port; it is one session's from its first moment to its last. */
struct gate_port {
	struct loop_watch watch;
	struct loop_timer expiry;
	struct loop_grave grave;
	struct gate_session *owner;
	struct addr at;
	bool ahead;		/* not asked for: the session's next port */
	uint64_t since_ms;
	TAILQ_ENTRY(gate_port) in_ahead;
};

/* An active data connection that is being made. */
struct gate_dial {
	struct loop_watch watch;
	struct loop_timer expiry;
	struct loop_grave grave;
	struct gate_session *session;	/* NULL: nobody waits any more */
	uint16_t port;
};

struct gate_session {
	struct gate *gate;
	struct gate_worker *worker;	/* NULL: it waits for a solo one */
	struct gate_peer *count;
	struct gate_port *port;
	struct gate_dial *dial[GATE_DIALS];
	struct gate_flow *flow[GATE_FLOWS];
	uint32_t handed;	/* data connections so far */
	uint32_t most_Bps;	/* its worker wants no more; 0: not said */
	struct event_session who;
	int control_fd;		/* a duplicate; never read, never written */
	uint32_t slot;
	uint32_t scope;		/* interface of a link-local peer */
	uint32_t epoch;		/* LISTEN and VOID so far */
	uint16_t strangers;	/* reported so far */
	bool repeats;		/* has had a passive data connection */
	uint64_t accepted_ms;
	struct ipc_moved moved;
	struct loop_timer patience;	/* while it waits */
	TAILQ_ENTRY(gate_session) in_waiting;
};

struct gate_listener {
	struct loop_watch watch;
	struct loop_grave grave;
	struct gate *gate;
	struct addr at;
	bool implicit;		/* sessions begin with TLS, in solo workers */
};

#define GATE_COUNTERS(X) \
	X(accepted) X(refused_full) X(refused_class) X(refused_address) \
	X(refused_no_worker) X(refused_downtime) X(moved) X(refused_solo) \
	X(refused_pace) X(busy_full) X(busy_class) \
	X(busy_address) X(descriptors_exhausted) X(passive_opened) \
	X(passive_full) X(passive_expired) X(passive_unclaimed) X(strangers) \
	X(active_connected) X(active_failed) \
	X(active_refused) X(active_rate_limited) X(workers_expelled)

struct gate_counters {
#define X(name) uint64_t name;
	GATE_COUNTERS(X)
#undef X
};

struct gate {
	struct loop loop;
	struct conf conf;
	struct ipc_channel warden;
	struct ipc_channel keeper;	/* it is only told; fd -1: is none */
	struct loop_watch warden_watch;
	struct loop_timer stats_timer, limit_timer, rate_timer;
	struct event_sink events;
	struct board_view board;
	struct gate_listener *listener[CONF_LISTEN_MAX];
	size_t listeners;
	bool paused;		/* no worker has room: the backlog waits */
	bool stopping;
	bool asked;		/* for another worker, not yet given */
	int spare_fd;		/* given up to refuse when fds run out */
	struct gate_worker *workers;
	struct gate_group group[1 + CONF_CLASSES_MAX];	/* [0]: everyone */
	bool shares_rates;
	struct gate_peer *paced;	/* those who were sent something */
	uint64_t rated_ms;	/* when the rates were looked at */
	uint32_t standing;	/* workers that are kept whatever the load */
	uint64_t next_flow;
	struct ports taken;	/* passive ports, whoever has them */
	TAILQ_HEAD(, gate_port) ahead;	/* the oldest first */
	TAILQ_HEAD(, gate_session) waiting; /* for a solo worker; likewise */
	struct gate_peer **peer_bucket;
	size_t peer_buckets, peer_count;
	uint64_t peer_seed;
	struct gate_counters counters;
};

/* control.c */

/* Binds and listens; false with errno set and *failed the address. */
bool gate_listen(struct gate *g, struct addr *failed);
/* Adopts a listener that outlived an earlier gate. */
void gate_listener_adopt(struct gate *g, int fd);
void gate_listeners_close(struct gate *g);
/* Accepts again, or stops to, as there is room. */
void gate_pause_or_resume(struct gate *g);
/* Says "421 TEXT", and whom to ask. */
void gate_say_421(const struct gate *g, int fd, const char *text);
/* Says "421 TEXT", and whom to ask, to a client that is not taken; closes. */
void gate_refuse(const struct gate *g, int fd, const char *text);
/* Drops the session's port and pending connects. */
void gate_endpoint_void(struct gate_session *s);
/* Gives it to a worker that has room: false, and nothing done, without fds. */
MUST_USE bool gate_session_enter(struct gate_session *s,
    struct gate_worker *w);
/* Takes it from its worker, which has let go of it. */
void gate_session_leave(struct gate_session *s);
/* The client has neither closed nor reset its control connection. */
bool gate_session_is_alive(const struct gate_session *s);
/* Forgets a session: its control connection, port and connects. */
void gate_session_free(struct gate_session *s);

/*
 * The kernel's form of an address at this session's side of the network; what
 * is link-local is so on the interface by which its client came.
 */
socklen_t gate_sockaddr(const struct gate_session *s, const struct addr *a,
    struct sockaddr_storage *out);

/* passive.c */

/* Opens a port for a session, or answers why not. */
void gate_passive_listen(struct gate_session *s);
void gate_port_free(struct gate_port *p);

/*
 * Data connections are handed over blocking, but never for long: a thread
 * that sends to a fast client sleeps in the kernel until there is room, as a
 * process of its own would.  (Non-blocking sendfile drops the pages that it
 * has read ahead each time the socket is full.)
 */
void gate_limit_sends(int fd);

/* active.c */

/* Connects to a port of the session's own peer, or answers why not. */
void gate_active_connect(struct gate_session *s, uint16_t port);
void gate_dial_free(struct gate_dial *d);

/* worker.c */

struct gate_worker *gate_worker_new(struct gate *g, int fd, uint32_t id,
    bool solo);
/* Ends every session of the worker and closes the channel to it. */
void gate_worker_free(struct gate_worker *w);
/* Tells the worker that no new session will come. */
void gate_worker_retire(struct gate_worker *w);
/* The worker that takes the next session; NULL: none has room. */
struct gate_worker *gate_worker_choose(struct gate *g);
/* Sends a message about a session; takes fd over (-1: none). */
void gate_worker_tell(struct gate_session *s, enum ipc_type type,
    struct ipc_port port, int fd);
/* Ends a worker that broke a rule. */
void gate_worker_expel(struct gate_worker *w, const char *why);

/* move.c */

/*
 * A worker says MOVE of its session.  False when no honest worker could have
 * said it then: of a session that had data connections, or wanted one.
 */
MUST_USE bool gate_move(struct gate_session *s, const struct ipc_moved *m);
/* A new session that begins with TLS: no worker has it yet. */
void gate_begin_solo(struct gate_session *s);
/*
 * Tells the keeper who is at the far end of that worker, before it has the
 * session: then what it asks is about a client whom the keeper knows.
 */
void gate_tell_keeper(const struct gate_session *s, uint32_t worker);
/* Serves who waits, as far as there are solo workers. */
void gate_moves_go_on(struct gate *g);
/* Ends all who wait: 421. */
void gate_moves_refuse(struct gate *g, const char *text);

/* peer.c */

void gate_peers_init(struct gate *g);
/* Counts one more session; NULL without memory, or when it is *full. */
struct gate_peer *gate_peer_enter(struct gate *g, const struct addr *a,
    bool *full);
void gate_peer_leave(struct gate *g, struct gate_peer *p);
void gate_peer_failed(struct gate *g, struct gate_peer *p);
bool gate_peer_may_dial(struct gate *g, struct gate_peer *p);
/* Drops what need not be remembered any more. */
void gate_peers_sweep(struct gate *g);
/* Puts each into its class, and counts anew, when the classes are others. */
void gate_peers_regroup(struct gate *g);

/* limit.c */

/* Works out what holds now, and again when the day says so. */
void gate_limits_start(struct gate *g);
/* The place of an address's class in gate.group; 0: it has none. */
uint32_t gate_group_of(const struct gate *g, const struct addr *a);
/* A limit of the group; 0: there is none. */
uint64_t gate_limit(const struct gate *g, uint32_t group,
    enum conf_limit limit);
bool gate_is_full(const struct gate *g, uint32_t group);
/* 421, with the number of a group's limit that applies. */
void gate_refuse_number(struct gate *g, int fd, uint32_t group,
    enum conf_limit limit);

/* flow.c */

/* One more transfer of this session is too much; *p is made the answer. */
bool gate_flow_is_refused(struct gate_session *s, struct ipc_port *p);
/* Hands a data connection to the worker, counted and paced. */
void gate_flow_begin(struct gate_session *s, struct ipc_port p, int fd);
/* The worker has closed it. */
void gate_flow_done(struct gate_session *s, uint32_t number);
/* Forgets all of the session's. */
void gate_flows_end(struct gate_session *s);

/* rate.c */

void gate_rate_begin(struct gate_flow *f, int fd);
/* It is out of its address's list: the others have its room. */
void gate_rate_end(struct gate_flow *f);
/* A connection that is not looked at again gets the session's rate. */
void gate_rate_once(const struct gate_session *s, int fd);

/* getrandom, which cannot fail here: exits when it does. */
uint64_t gate_random(void);
