/*
 * worker/worker.h: the process that reads every byte from outside, and has
 * no network power: sessions (RFC 959's server-PI) and transfers (server-DTP)
 * on one loop, with threads for what may wait for a disk.
 *
 * main.c start and the turn's flush, mould.c what solo workers are forked
 * from, sandbox.c the walls; link.c messages from and to the gate;
 * account.c whose session it is, rights.c what he may; control.c bytes of the
 * control connection, look.c those before a login that may be another
 * process's; note.c commands as events; sess.c a session's life and its clock;
 * reply.c replies; path.c virtual paths; text.c an archive's texts; lookup.c
 * storage calls; xfer.c transfers, pump.c and receive.c their bytes, box.c the
 * drop box, checksum.c what an upload has to be, notice.c who is told of it,
 * sweep.c what it leaves behind, list.c and descent.c the lines of listings;
 * hash.c digests, hash_sums.c those that files beside the data tell; secure.c
 * TLS, where it is; cmd_*.c the commands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>
#include <stdatomic.h>

#include "accounts/entry.h"
#include "base/hostname.h"
#include "base/loop.h"
#include "base/pool.h"
#include "conf/conf.h"
#include "guard/event.h"
#include "ipc/board.h"
#include "ipc/channel.h"
#include "proto/command.h"
#include "proto/hash.h"
#include "proto/listing.h"
#include "proto/telnet.h"
#include "storage/storage.h"

#define LINE_MAX_BYTES 8192	/* a command line; longer ones are refused */
#define READ_MAX 4096		/* read from a control connection at once */
#define RECORD_MAX 16384	/* within TLS: all of a record */
/*
 * Looked at before login: a line and as many Telnet bytes as may be taken out
 * of it, and one more, so that what has no end within is too long.
 */
#define LOOK_MAX (2 * LINE_MAX_BYTES + 4)
#define REPLY_MAX 65536		/* unsent replies of one session */

#define TEXT_MAX CONF_FILE_MAX	/* of a text that is shown, and its lines */
#define TEXT_LINES CONF_FILE_LINES

struct sess;
struct told;
struct note;
struct xfer;
struct lookup;
struct hash;
struct hash_desk;
struct descent;
struct tls_conn;
struct digest;
struct login;

#define WORKER_COUNTERS(X) \
	X(sessions_total) X(logins) X(login_failures) X(commands) \
	X(unknown_commands) X(overlong_lines) X(foreign_protocols) \
	X(refused_addresses) X(transfers_active) X(transfers_passive) \
	X(transfers_failed) X(bytes_sent) X(bytes_received) X(timeouts) \
	X(hashes_computed) X(hashes_known) X(hashes_from_sums) \
	X(hashes_refused) X(hash_bytes) X(hash_jobs_most) X(notices_lost)

struct worker_counters {
#define X(name) uint64_t name;
	WORKER_COUNTERS(X)
#undef X
};

struct worker {
	struct loop loop;
	struct conf conf;
	struct pool *pool;
	struct storage *storage;	/* of the first site */
	struct storage *box;		/* for anonymous uploads; or NULL */
	int box_fd;			/* its directory; or -1 */
	/* Of conf.sites, in that order; a site's name is its first. */
	struct storage *site_storage[CONF_SITES_MAX];
	char site_name[CONF_SITES_MAX][HOSTNAME_MAX + 1];
	struct ipc_channel gate, warden;
	struct loop_watch gate_watch, warden_watch;
	struct loop_watch keeper_watch;	/* fd -1: there is none, or no more */
	struct loop_timer stop_timer, stats_timer;
	struct event_sink events, xferlog;
	struct board_view board;
	struct sess **slot;	/* conf.worker_sessions of them */
	struct sess *dirty;	/* have replies to send at the turn's end */
	uint32_t sessions;
	uint32_t xfers;		/* also those whose session is gone */
	struct hash_desk *hash_desk; /* NULL: HASH is off */
	bool tells_done;	/* the gate counts data connections */
	bool looks;		/* at input before login: some is not for us */
	bool sweeps;		/* has no session: sweep.h */
	bool solo;		/* for one session, which was moved here */
	bool retired;		/* exit when the last session ends */
	bool notices_failing;	/* said so already */
	bool finishing;		/* end sessions as soon as they are idle */
	struct worker_counters counters;
};

/* Where the next data connection comes from. */
enum endpoint {
	ENDPOINT_NONE,
	ENDPOINT_ACTIVE,	/* PORT, EPRT: to data_port of the peer */
	ENDPOINT_ASKED,		/* PASV, EPSV: the gate has not answered */
	ENDPOINT_PASSIVE,	/* the client was told a port */
	ENDPOINT_CONNECTED,	/* and has come: data_fd */
	ENDPOINT_FAILED,	/* and has not: no answer but 425 */
};

/* What keeps the next command waiting. */
enum sess_wait {
	WAIT_NOTHING,
	WAIT_LOOKUP,	/* a storage call on a disk thread */
	WAIT_PORT,	/* a passive port from the gate */
	WAIT_KEEPER,	/* a password is judged */
	WAIT_PENALTY,	/* a wrong password is answered late */
	WAIT_TRANSFER,	/* commands legal AT_TRANSFER go on */
	WAIT_HASH,	/* a digest is computed: likewise */
};

struct sess {
	struct worker *w;
	struct sess *next_dirty;
	struct loop_watch watch;	/* the control connection */
	struct loop_timer clock;
	struct loop_grave grave;
	struct event_session who;
	struct storage *storage; /* of the site that the session is in */
	const char *banner;	/* of that site */
	uint64_t started_ms;
	uint32_t slot, generation;
	uint32_t epoch;		/* LISTEN and VOID told to the gate */
	enum sess_wait wait;
	enum endpoint endpoint;
	uint16_t data_port;
	uint16_t next_port;	/* the gate listens on it already; 0: none */
	uint64_t next_until_ms;	/* and it may be told till then */
	bool dirty;
	bool named;		/* USER was given, and is one that we serve */
	bool logged_in;
	bool spoken;		/* a first line has come */
	bool ascii;		/* TYPE A */
	bool epsv_all;
	bool epsv;		/* the port asked for is told as 229 */
	bool transferred;	/* a transfer has begun */
	bool impatient;		/* it closes no data connection before 226 */
	bool restarted;		/* REST or RANG was given for the next one */
	bool ranged;		/* RANG was: range_first to range_last */
	bool running;		/* a line is being run */
	bool throttled;		/* input waits for replies, or the gate */
	bool exact;		/* only whole lines are taken, one by one; a
				   login, or TLS, ends it for good */
	bool was_in;		/* it has logged in to something */
	uint8_t tls_control;	/* enum conf_tls: of an anonymous user */
	uint8_t tls_data;	/* likewise; then of who is logged in */
	bool half_line;		/* what is there is no whole line */
	bool certified;		/* it has logged in without a password */
	uint8_t leaving;	/* enum ipc_why: when the replies are out */
	struct tls_conn *tls;	/* of the control connection; or NULL */
	bool implicit;		/* it began with TLS: no greeting yet */
	bool tls_next;		/* begins when the replies are out */
	bool shaking;		/* its handshake is not done */
	bool tls_writes;	/* TLS can go on when we can write */
	bool site_by_tls;	/* the handshake has named it */
	bool has_pbsz;
	bool private;		/* PROT P: data connections have TLS */
	bool has_resumed;	/* one of them resumed our session */
	bool line_waits;	/* line_buf holds a whole line, not yet run */
	bool closing;		/* when the replies are out */
	bool dead;
	uint8_t strikes;	/* unknown commands before login, long lines */
	uint8_t attempts;	/* refused logins */
	uint16_t refusals;	/* refused data addresses, failed connects */
	uint16_t unused;	/* endpoints without a transfer, in a row */
	unsigned facts;		/* of MLSD */
	int data_fd;		/* arrived, and not yet a transfer's; or -1 */
	uint32_t data_number;	/* the gate's name for it */
	uint64_t data_until_ms;	/* it waits for a transfer till then */
	struct ipc_port failed;	/* why there is none: ENDPOINT_FAILED */
	uint64_t rest;
	uint64_t room;		/* ALLO, for the next upload; 0: not said */
	char *from;		/* RNFR's path; or NULL */
	uint64_t range_first, range_last; /* both inclusive */
	enum hash_algorithm algorithm;	/* of HASH */
	struct telnet telnet;
	char *line_buf;		/* a partial or waiting line; or NULL */
	char *held;		/* input behind it; or NULL */
	size_t held_len;
	char *out;		/* replies not yet sent; or NULL */
	size_t out_len, out_cap;
	char *cwd;		/* virtual path without slashes at its ends;
				   NULL is the root */
	struct listing *listing; /* that is being opened */
	struct told *told;	/* directories whose message was shown; NULL */
	struct login *login;	/* USER has named an account; or NULL */
	char *user;		/* the account that is logged in; or NULL */
	const char *method;	/* by which it is, for its event; or NULL */
	unsigned rights;	/* set of enum accounts_right */
	bool drop_box;		/* what it stores, it does not see again */
	char *ident;		/* what an anonymous user called himself */
	struct note *noted;	/* the command, for its event; or NULL */
	struct note *noted_aside; /* one beside a transfer */
	struct lookup *lookup;
	struct xfer *xfer;
	struct hash *hash;	/* what is asked for now */
	enum ftp_verb verb;	/* of the command that is being carried out */
};

/* sess.c */

struct sess *sess_new(struct worker *w, int fd, const struct ipc_msg *open);
/* Says farewell: the session ends when the reply is out. */
void sess_end(struct sess *s, const char *reply);
/* Ends it now; its memory goes after the turn. */
void sess_close(struct sess *s);
/* Commands go on (or the clock of the next wait starts). */
void sess_wait_for(struct sess *s, enum sess_wait wait);
void sess_clock_restart(struct sess *s);
/* Back to the state of a fresh session, in the same site (USER). */
void sess_reset(struct sess *s);
/* Where a fresh session begins: in the first site. */
void sess_leave_site(struct sess *s);
/* It goes to a process of its own; here nothing is left of it. */
void sess_move(struct sess *s);
/* Ends sessions that do nothing, when the worker is to finish. */
void sess_finish_if_idle(struct sess *s);

/* cmd_host.c */

void sess_enter_site(struct sess *s, uint32_t i);
/* The place of the site whose first name it is; sites.count: none. */
uint32_t sess_find_site(const struct worker *w, uint64_t name);

/* cmd_access.c */

bool sess_is_anonymous(struct sv user);
/* A login, or one that is refused, as an event. */
void login_event(struct sess *s, const char *action, const char *verb,
    int code);

/* account.c: logins by name, in a process of their own */

/* Sessions of this worker may log in to accounts. */
bool account_is_possible(const struct worker *w);
MUST_USE bool account_start(struct worker *w);
/* Whether this session may: it has logged in to nothing yet. */
bool account_may_log_in(const struct sess *s);
/* It cannot, since it is in clear: what it would say, all could read. */
bool account_lacks_tls(const struct sess *s);
/* USER, of an account or of none: who it is, is not told. */
void account_named(struct sess *s, struct sv name);
/* Its PASS; the session waits for the keeper. */
void account_judge(struct sess *s, struct sv password);

/* rights.c */

/* The one place where it is decided who may do what. */
bool rights_allow(const struct sess *s, enum ftp_verb verb, struct sv arg);
/* All of a set of enum accounts_right. */
bool rights_have(const struct sess *s, unsigned rights);
/* 550; what was prepared for the command is forgotten. */
void rights_refuse(struct sess *s);
/* The perm fact of an entry (RFC 3659 §7.5.5) in room; on any thread. */
#define RIGHTS_PERM_MAX 10
struct sv rights_perm(unsigned rights, bool drop_box, mode_t mode,
    bool is_root, char room[RIGHTS_PERM_MAX]);
/* It may change something. */
bool rights_write(const struct sess *s);

/* look.c */

/* Its input is looked at, as it may be another process's to read. */
bool look_first(const struct sess *s);
/* Runs what is there in whole lines.  at_end: no more will come. */
void look_at_input(struct sess *s, bool at_end);

/* control.c */

/* Runs the line that was read last; false: it has to wait. */
bool control_run_line(struct sess *s);
void control_overlong(struct sess *s);
/* Frees what is kept of its input; the session has ended. */
void control_forget(struct sess *s);
/* It sends without an end of line, for too long: the session ends. */
bool control_floods(struct sess *s);
/* A first line of another protocol. */
void control_foreign(struct sess *s, struct sv line);
void control_ready(struct loop_watch *w, uint32_t events);
/* Runs lines that waited for the present command to end. */
void control_continue(struct sess *s);
/* Writes the replies; watches for what has to be watched. */
void control_flush(struct sess *s);

/* reply.c: all text is ours; what is the client's is quoted inside. */

void reply(struct sess *s, int code, const char *text);
void reply_format(struct sess *s, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "code-text", lines behind a blank, and reply() for the last one. */
void reply_begin(struct sess *s, int code, const char *text);
void reply_line(struct sess *s, struct sv text);
/* A 257 or the like: code, SP, quoted path, SP, text. */
void reply_quoted(struct sess *s, int code, struct sv path, const char *text);
/* Text of ours, formatted, and a name behind it that ends the line. */
void reply_named(struct sess *s, int code, struct sv name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
void reply_raw(struct sess *s, struct sv bytes);

/* note.c: what events.commands wants to be told */

/* Keeps a command until it is answered, if its class is wanted. */
void note_asked(struct sess *s, enum ftp_verb verb, struct sv arg);
/* Tells it; 1xx replies are not the last ones. */
void note_answered(struct sess *s, int code, struct sv text);
/* The session ends: what is not answered will not be. */
void note_unanswered(struct sess *s);

/* path.c */

/*
 * Where arg leads from cwd, both virtual; "." and ".." are resolved as text,
 * so ".." never asks the disk and never leaves the root.
 * out has PATH_MAX bytes; false when the result would not fit.
 */
MUST_USE bool path_resolve(struct sv cwd, struct sv arg, char *out,
    size_t *len);
/* The last component; empty for the root. */
struct sv path_last(struct sv path);

/* A component of it is hidden: nothing is there, for anybody. */
MUST_USE bool path_is_hidden(const struct conf *c, struct sv path);

/* How a directory's links are listed. */
struct path_links {
	bool follow;		/* as what they lead to */
	size_t count;		/* of way; 0: not asked for yet */
	struct path_id {
		uint64_t dev, ino;
	} *way;			/* the directory, and all on its path */
};

/* With a fresh directory, and at the end. */
void path_links_forget(struct path_links *l);

/*
 * Whether an entry of dir, a virtual path, may be listed: STORAGE_OK, or
 * STORAGE_NOT_FOUND; anything else means the listing cannot be complete.
 * A link becomes what it leads to where links->follow says so, or where that
 * is hidden, as its text must not tell.  One that leads back to dir, or to a
 * directory on its path, stays a link.  On a disk thread.
 */
MUST_USE enum storage_err path_may_list(const struct conf *c,
    struct storage *st, struct sv dir, struct path_links *links,
    struct storage_entry *e);

/* text.c */

/* The whole reply to a login (230, or 232), and to QUIT. */
void text_welcome(struct sess *s, int code);
void text_goodbye(struct sess *s);
/* A reply's last line, and whom to ask. */
void text_end(struct sess *s, int code, const char *text);
/* There is a downtime: the session is told so and ends. */
MUST_USE bool text_refuses(struct sess *s);
/* The directory's message has not been shown yet, or long ago. */
bool text_is_due(const struct sess *s, struct sv dir);
/* It is now: all of a 250 but its last line. */
void text_message(struct sess *s, struct sv dir, struct sv text);

/* lookup.c: what is hidden is not found here, whatever asks. */

enum lookup_op {
	LOOKUP_STAT,
	LOOKUP_ENTER,		/* LOOKUP_STAT, and a directory's message */
	LOOKUP_OPEN,
	LOOKUP_OPEN_DIR,
	LOOKUP_BRIEF,	/* what STAT shows of a directory; never at once */
	LOOKUP_SORT_DIR,	/* opened, and sorted as s->listing wants it */

	/* Of accounts; never at once. */
	LOOKUP_SIZE,		/* LOOKUP_STAT, or what is stored so far */
	LOOKUP_STORE,		/* an upload begins, as `how` says */
	LOOKUP_REMOVE,
	LOOKUP_MAKE_DIR,
	LOOKUP_REMOVE_DIR,
	LOOKUP_RENAME,		/* to `to` */
	LOOKUP_SET_MTIME,
	LOOKUP_CHMOD,
};

/* What NAME.sha256 says of an upload that begins (checksum.h). */
enum checksum_said {
	CHECKSUM_UNASKED,
	CHECKSUM_SAYS,
	CHECKSUM_MISSING,
	CHECKSUM_SILENT,	/* it is there, and of no use */
};

#define CHECKSUM_BYTES 32

struct lookup {
	struct pool_job job;
	struct worker *w;
	struct sess *s;		/* NULL: nobody waits any more */
	enum lookup_op op;
	unsigned options;	/* LOOKUP_SORT_DIR: of the listing */
	enum storage_err err;
	bool at_once;		/* no disk thread was needed */
	struct storage *storage;
	struct storage_stat stat;
	int fd;			/* LOOKUP_OPEN: `then` takes it */
	struct storage_dir *dir; /* LOOKUP_*_DIR: likewise */
	char *text;		/* LOOKUP_BRIEF: the lines, with their ends;
				   LOOKUP_ENTER: the message, or NULL */
	size_t text_len;	/* ENTER: a byte beyond TEXT_MAX if longer */
	bool is_long;		/* LOOKUP_BRIEF: too long to be told so */
	bool sees;		/* LOOKUP_SIZE: what is there, too */
	struct storage_upload_how how;	/* and flags for LOOKUP_RENAME */
	struct storage_upload *upload;	/* LOOKUP_STORE: `then` takes it */
	enum checksum_said said;	/* and what it has to be */
	uint8_t sum[CHECKSUM_BYTES];
	mode_t mode;		/* LOOKUP_CHMOD */
	int64_t mtime;
	struct sv path;
	struct sv to;		/* LOOKUP_STORE: if not empty, what path is in
				   `storage`, which is not the session's */
	void (*then)(struct sess *s, struct lookup *l);
};

/*
 * Makes a storage call: at once when it can be answered from memory, else on
 * a disk thread while the session waits.  `then` runs in either case.
 */
void lookup_start(struct sess *s, enum lookup_op op, struct sv path,
    void (*then)(struct sess *s, struct lookup *l));
/* The same of one that writes, with all that belongs to its kind filled in. */
void lookup_write(struct sess *s, struct lookup l);
/*
 * Ends an upload that is not done, on a disk thread; w->xfers counts it until
 * then.  keep: what there is can be gone on with.
 */
void lookup_end_upload(struct worker *w, struct storage_upload *u, bool keep);
/* The session ends: the result will be dropped. */
void lookup_abandon(struct lookup *l);
/*
 * Closes what is open of the two, and forgets it.  The last close of a file
 * may wait as long as a read (FUSE's FLUSH, NFSv4's CLOSE): it is done on a
 * disk thread, unless the file was opened from memory (at_once).
 */
void lookup_close(struct worker *w, bool at_once, int *fd,
    struct storage_dir **dir);

/* cmd_stat.c: LOOKUP_BRIEF, on a disk thread */
void brief_work(struct lookup *l);

/* xfer.c */

enum xfer_kind {
	XFER_FILE,
	XFER_LIST,
	XFER_NLST,
	XFER_MLSD,
	XFER_STORE,		/* from the client */
};

/* How the bytes fared, as a disk thread left them. */
enum xfer_step {
	STEP_BLOCKED,	/* the client must read first */
	STEP_DONE,
	STEP_PEER_GONE,
	STEP_READ_FAILED,
	STEP_SHORT,	/* the file was changed under our eyes */
	STEP_LIMIT,	/* of a listing: see its limit */
	STEP_CANCELLED,
	STEP_TLS_FAILED, /* no handshake: nothing was sent */
	STEP_TLS_STRANGER, /* one that resumed no session, and has to */
	STEP_TLS_CUT,	/* an upload without close_notify, or with an error */
	STEP_STARVED,		/* the client must send first */
	STEP_ENDED,		/* it has sent all; to be committed */
	STEP_NOT_STORED,	/* see xfer->err */
	STEP_MISMATCH,		/* it is not what its .sha256 says */
};

struct xfer {
	struct pool_job job;
	struct worker *w;
	struct sess *s;		/* NULL: the session is gone */
	struct loop_watch watch;
	struct loop_timer patience;	/* for the client's close */
	struct loop_grave grave;
	struct event_session who;
	enum xfer_kind kind;
	enum ftp_verb verb;
	enum xfer_step step;
	bool active, ascii, running;
	bool patient;		/* 226 waits for the client's close */
	bool at_once;		/* opened from memory: closed likewise */
	bool slow;		/* its sends do not block any more */
	bool last_cr;		/* TYPE A: the last byte sent was a CR */
	bool has_tls;		/* PROT P */
	bool must_resume;	/* the control connection's session */
	bool greeted, resumed;	/* the handshake is made, and how */
	bool by_kernel;		/* which encrypts what is sent */
	bool tls_reads;		/* it goes on when there is something to read */
	struct tls_conn *tls;	/* from its data connection to its end */
	const char *why;	/* it was cut off; NULL: it was not */
	bool end;		/* the source has no more */
	bool alone;		/* LIST of a single file: entry */
	bool committing;	/* all is there: it is being put in place */
	uint8_t aborts;		/* ABORs that are answered behind its reply */
	bool has_cr;		/* TYPE A: the last byte received was one */
	enum storage_err err;
	struct storage_upload *upload; /* or NULL */
	mode_t mode;		/* that it will have */
	char *stored;		/* its name, where that is not the path's */
	uint64_t looked;	/* a drop box: bytes, at the last look at its
				   room (box.h) */
	uint64_t paced_from_ms, pause_ms; /* upload_rate */
	struct loop_timer pause;
	bool has_sum;		/* the file has to have this SHA-256 */
	uint8_t sum[CHECKSUM_BYTES];
	struct digest *digest;	/* of it, so far; or NULL */
	_Atomic bool cancel;
	_Atomic uint64_t sent;	/* bytes handed to the kernel; or received */
	uint64_t acked;		/* at the last look: progress */
	uint64_t started_ms, offset, size;
	uint64_t at;		/* where in the file we are; ends at size */
	int64_t now_s;
	unsigned facts;
	unsigned rights;	/* of its user, for the perm fact */
	bool drop_box;		/* likewise */
	int fd;			/* the file */
	int data_fd;
	uint32_t data_number;	/* the gate's name for it; 0: it knows */
	uint16_t data_port;	/* which connection we wait for */
	struct storage *storage;
	struct storage_dir *dir;
	struct storage_stat stat; /* of the single file */
	char *buf;		/* XFER_BUF bytes, when one is needed */
	size_t buf_len, buf_off;
	struct sv path;		/* behind the struct, as is */
	struct sv user;		/* what its user called himself */
	bool named;		/* and it is an account */
	struct listing *listing; /* or NULL: a file */
};

#define XFER_BUF 131072

/* Takes over the source in *from; the session's endpoint is used up. */
void xfer_start(struct sess *s, enum xfer_kind kind, struct lookup *from);
/* The gate has brought the data connection, with its number, or not. */
void xfer_connected(struct xfer *x, int fd, uint32_t number);
void xfer_not_connected(struct xfer *x, const struct ipc_port *why);
/* ABOR: 426, then 226. */
void xfer_abort(struct xfer *x);
/* A command waits for it: all that is sent is not waited for any more. */
void xfer_hurry(struct xfer *x);
/* No progress, or too little of it: 426 or 425. */
void xfer_stalled(struct xfer *x);
/* The client's host has taken less than rate.least, and more was there. */
bool xfer_is_too_slow(const struct xfer *x);
/* Bytes that the client's host has taken. */
uint64_t xfer_progress(const struct xfer *x);
/* The session ends: without a word. */
void xfer_abandon(struct xfer *x);

static inline bool
xfer_is_cancelled(struct xfer *x)
{
	return atomic_load_explicit(&x->cancel, memory_order_relaxed);
}

/* pump.c: on a disk thread */
void pump_work(struct pool_job *job);
/* A small file that is in memory, whole, without a thread; false: pump it. */
bool pump_at_once(struct xfer *x);

/* notice.c: an upload is in place */
void notice_send(struct xfer *x);

/* receive.c: likewise */
void receive_work(struct xfer *x);

/* cmd_hash.c */

/* OPTS HASH [algorithm]; 501 where HASH is off. */
void hash_opts(struct sess *s, struct sv algorithm);
/* FEAT's lines about digests: before and behind the others. */
void hash_feat_line(struct sess *s);
void hash_feat_others(struct sess *s);

/* cmd_secure.c */

/* The replies are out: what follows is a handshake. */
void sess_begin_tls(struct sess *s);
/* Goes on with it, and closes the session when it fails. */
void sess_shake(struct sess *s);
#define HANDSHAKE_STALLED "the handshake took too long"
/* An event for what failed without the library: "on" data or control. */
void secure_say_failed(struct worker *w, const struct event_session *who,
    const char *on, const char *side, const char *reason);
/* An anonymous user has to have TLS and has not (or the other way): 530. */
MUST_USE bool sess_lacks_tls(struct sess *s);
/* Data has to be private and is not (or the other way): 521, no endpoint. */
MUST_USE bool sess_has_wrong_protection(struct sess *s);
/* AUTH is answered to this client. */
bool sess_may_have_tls(const struct sess *s);
/* FEAT's lines. */
void secure_feat_auth(struct sess *s);
void secure_feat_data(struct sess *s);

/* list.c */

/* Why a listing is not whole. */
enum list_limit {
	LIST_WHOLE,
	LIST_TOO_LONG,		/* -R: list.recursive */
	LIST_TOO_DEEP,		/* -R: list.depth */
	LIST_TOO_MANY,		/* -R: directories still to be listed */
	LIST_UNSORTED,		/* -R with -t: a directory beneath is large */
};

/* What a listing was asked for, from its command to its last line. */
struct listing {
	unsigned options;	/* enum listing_option */
	bool absolute;		/* the path began with a slash */
	char *pattern;		/* only names that fit it are listed; or NULL */
	char *prefix;		/* the directory as the client may write it,
				   and a slash; empty where it is */
	struct descent *descent; /* -R; or NULL */
	struct storage_dir *inner; /* beneath xfer's dir, and listed now */
	uint32_t entries;	/* that -R has met */
	enum list_limit limit;
	struct path_links links; /* of the directory that is listed now */
};

#define LS_ORDERED (LS_BY_TIME | LS_BY_SIZE | LS_REVERSED)

/* NULL without memory.  Whoever frees it has closed inner. */
struct listing *list_new(const struct conf *c, unsigned options);
void list_free(struct listing *l);

/* What a line says of it, but for what belongs to one kind of listing. */
struct listing_entry list_entry(const struct conf *c,
    const struct storage_entry *entry);
/* A name that a line cannot hold: it could not be asked for, either. */
bool list_is_unspeakable(struct sv name);

/* On a disk thread, as the options want it. */
enum storage_err list_sort(const struct storage_ops *ops,
    struct storage_dir *dir, unsigned options);

/*
 * On a disk thread: the next lines, as many as fit; fewer, or none, where a
 * pattern leaves out most of what is there.
 */
enum xfer_step list_fill(struct xfer *x);
void list_close(struct xfer *x);

/* What a client is told of the limit. */
#define LIST_TEXT_MAX 128
const char *list_limit_text(const struct xfer *x, char room[LIST_TEXT_MAX]);

/* link.c */

bool link_start(struct worker *w);
void link_tell(struct sess *s, enum ipc_type type, uint16_t port);
/* This session goes to a process of its own. */
void link_move(struct sess *s);
/* Wants it to be sent no more bytes a second than that; 0: as it is. */
void link_slower(struct sess *s, uint64_t rate_Bps);
/* Asks the gate for a port, or to drop what the session has there. */
void link_listen(struct sess *s);
void link_void(struct sess *s);
/* The data connection is over: for the gate, where it counts them. */
void link_done(struct sess *s, uint32_t number);
/* Closes a data connection of that number; its client sees the end at once. */
void link_close_data(struct sess *s, int *fd, uint32_t number);
/* The port on which the gate listens for s already, once; 0: there is none. */
uint16_t link_next_port(struct sess *s);
/* Everything gathered for the gate goes out; false: it must wait. */
bool link_flush(struct worker *w);
bool link_is_crowded(const struct worker *w);
/* Exits when there is nothing left to do. */
void worker_exit_if_empty(struct worker *w);

/* cmd_data.c */

/* Forgets the data endpoint, at the gate too. */
void endpoint_void(struct sess *s);
/* The client has come, and asks for nothing: the connection is closed. */
void endpoint_unclaimed(struct sess *s);
/* Why there is no data connection, in words; they stand in buf or are fixed. */
#define ENDPOINT_TEXT_MAX 160
const char *endpoint_failed_text(const struct sess *s,
    const struct ipc_port *why, char buf[ENDPOINT_TEXT_MAX]);
/* A PORT, EPRT or LPRT in a line that is no command as it stands. */
void endpoint_note_hidden(struct sess *s, struct sv line);
/* A data address before login: an attempt that someone may want to see. */
void endpoint_note_preauth(struct sess *s, enum ftp_verb verb,
    struct sv arg);
/* One more refused data address; the session ends when it is one too many. */
void endpoint_count_refusal(struct sess *s);
void endpoint_listening(struct sess *s, uint16_t port);
void endpoint_listen_failed(struct sess *s, enum ipc_reason reason);

/* cmd_*.c: one for each handler of FTP_VERBS */

typedef void sess_handler(struct sess *s, struct sv arg);
void sess_command(struct sess *s, enum ftp_verb verb, struct sv arg);
/* False for what is always answered 502. */
bool sess_offers(const struct sess *s, enum ftp_verb verb);
#define SESS_HANDLERS(X) \
	X(abor) X(absent) X(acct) X(allo) X(auth) X(ccc) X(cdup) X(clnt) \
	X(csid) X(cwd) X(dele) X(eprt) X(epsv) X(feat) X(hash) X(help) \
	X(host) X(lang) X(list) X(lprt) X(mdtm) X(mfmt) X(mkd) X(mlsd) \
	X(mlst) X(mode) X(nlst) X(noop) X(opts) X(pass) X(pasv) X(pbsz) \
	X(port) X(prot) X(pwd) X(quit) X(rang) X(rein) X(rest) X(retr) \
	X(rmd) X(rnfr) X(rnto) X(site) X(size) X(stat) X(stor) X(stru) \
	X(syst) X(type) X(user)
#define X(name) sess_handler cmd_##name;
SESS_HANDLERS(X)
#undef X

/* cmd_change.c */

/* RNFR is for the next command alone. */
void rename_forget(struct sess *s);
sess_handler site_chmod, site_utime;

/* REST and RANG are for one transfer, and one replaces the other. */
void restart_forget(struct sess *s);

/* Shared by the commands that take a path. */
struct sv sess_cwd(const struct sess *s);
/* Resolves arg into out; answers 550 and returns false when it is too long. */
bool sess_path(struct sess *s, struct sv arg, char out[PATH_MAX],
    struct sv *path);
void reply_storage_error(struct sess *s, enum storage_err err);
/* The reply to what could not be written, and why. */
int storage_err_code(enum storage_err err);
/* A transfer needs an endpoint; the reply says so when there is none. */
bool sess_has_endpoint(struct sess *s);
