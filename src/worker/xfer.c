/*
 * worker/xfer.c: a transfer (RFC 959's server-DTP) from its command to its
 * last reply.
 *
 * The bytes are moved by pump.c on a disk thread, so that neither a cold page
 * nor a slow directory holds up the loop.  While a job runs, the descriptors
 * belong to it: an abort raises a flag and shuts the socket down, and the
 * loop closes when the job has come back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "worker/checksum.h"
#include "worker/secure.h"

#define PATIENCE_MS 1000	/* for the client to close its data connection */

static void
xfer_release(struct loop_grave *g)
{
	struct xfer *x = LOOP_OWNER(g, struct xfer, grave);

	free(x->buf);
	free(x->stored);
	checksum_free(x);
	list_free(x->listing);
	if (x->tls != NULL)
		secure->data_free(x);
	free(x);
}

static void
close_data(struct xfer *x)
{
	if (x->data_fd < 0)
		return;
	loop_unwatch(&x->w->loop, &x->watch);
	if (x->s != NULL && x->data_number != 0)
		link_close_data(x->s, &x->data_fd, x->data_number);
	else
		close(x->data_fd); /* shut down, and the gate knows */
	x->data_fd = -1;
}

static void
xfer_free(struct xfer *x)
{
	loop_timer_stop(&x->w->loop, &x->patience);
	loop_timer_stop(&x->w->loop, &x->pause);
	close_data(x);
	if (x->upload != NULL)
		lookup_end_upload(x->w, x->upload, true);
	lookup_close(x->w, x->at_once, &x->fd, &x->dir);
	if (x->listing != NULL)
		lookup_close(x->w, x->at_once, &x->fd, &x->listing->inner);
	x->w->xfers--;
	loop_bury(&x->w->loop, &x->grave, xfer_release);
	worker_exit_if_empty(x->w);
}

static void
report(struct xfer *x, int code, const char *result)
{
	struct worker *w = x->w;
	const struct ftp_command *command = &ftp_commands[x->verb];
	char path[PATH_MAX + 1];
	struct event_transfer t = {
		.verb = sv_of(command->name),
		.path = { path, x->path.len + 1 },
		.user = x->user, .named = x->named,
		.bytes = atomic_load(&x->sent),
		.duration_ms = w->loop.now_ms - x->started_ms,
		.tls = x->has_tls, .resumed = x->resumed,
		.offset = x->offset, .active = x->active, .ascii = x->ascii,
		.incoming = x->kind == XFER_STORE,
		.complete = x->step == STEP_DONE && code == 226,
		.result = result, .code = code,
	};

	path[0] = '/';
	memcpy(path + 1, x->path.ptr, x->path.len);
	if (t.incoming)
		w->counters.bytes_received += t.bytes;
	else
		w->counters.bytes_sent += t.bytes;
	if (!t.complete)
		w->counters.transfers_failed++;
	else if (x->active)
		w->counters.transfers_active++;
	else
		w->counters.transfers_passive++;
	event_transfer(&w->events, &x->who, &t);
	if (x->kind == XFER_FILE || x->kind == XFER_STORE)
		event_xferlog(&w->xferlog, &x->who, &t);
}

/* The last reply; the data connection is closed before it is given. */
static void
finish(struct xfer *x, int code, const char *text, const char *result)
{
	struct sess *s = x->s;

	close_data(x);
	report(x, code, result);
	if (s != NULL) {
		s->xfer = NULL;
		if (x->resumed && s->tls != NULL)
			secure->give_ticket(s);
		reply(s, code, text);
		for (; x->aborts > 0; x->aborts--)
			reply(s, 226, code == 226 ? "It was too late." :
			    "Aborted.");
		sess_wait_for(s, WAIT_NOTHING);
	}
	xfer_free(x);
}

/* RFC 4217 §9: 522, as nothing that was sent could have been read. */
static void
finish_tls_failed(struct xfer *x)
{
	char text[512];

	snprintf(text, sizeof(text), "No TLS on the data connection: %s.",
	    secure->data_failed(x));
	finish(x, 522, text, "tls_failed");
}

static void
finish_not_stored(struct xfer *x)
{
	char text[128];

	snprintf(text, sizeof(text), "%s.", storage_err_text(x->err));
	finish(x, storage_err_code(x->err), text,
	    x->err == STORAGE_NO_SPACE ? "no_space" :
	    x->err == STORAGE_OVER_QUOTA ? "over_quota" : "write_error");
}

static void
finish_step(struct xfer *x)
{
	char room[LIST_TEXT_MAX];

	switch (x->step) {
	case STEP_DONE:
		finish(x, 226, "Transfer complete.", "complete");
		return;
	case STEP_READ_FAILED:
		finish(x, 451, "Reading failed on the server.", "read_error");
		return;
	case STEP_SHORT:
		finish(x, 451, "The file changed while it was sent.",
		    "changed");
		return;
	case STEP_LIMIT:
		finish(x, 451, list_limit_text(x, room), "over_limit");
		return;
	case STEP_CANCELLED:
		finish(x, 426, "Transfer aborted.", "aborted");
		return;
	case STEP_TLS_FAILED:
		finish_tls_failed(x);
		return;
	case STEP_TLS_STRANGER:
		secure_say_failed(x->w, &x->who, "data", "server",
		    "it did not resume the control connection's session");
		finish(x, 522, "A data connection must resume the TLS session "
		    "of its control connection.", "not_resumed");
		return;
	case STEP_TLS_CUT:
		(void)secure->data_failed(x);	/* an event says why */
		finish(x, 426, "TLS was cut off: the file is not stored.",
		    "tls_cut");
		return;
	case STEP_NOT_STORED:
		finish_not_stored(x);
		return;
	case STEP_MISMATCH:
		finish(x, 550, "It is not what its .sha256 says, and is not "
		    "stored.", "mismatch");
		return;
	case STEP_STARVED:
	case STEP_ENDED:
	case STEP_BLOCKED:
	case STEP_PEER_GONE:
		/*
		 * Who fetches a part closes when he has it, and knows it.
		 * Told 426, rclone 1.60 gives its first try up, takes the
		 * preallocated file for a whole one in the second, and ends
		 * with success: seen in one of twelve runs.  Nobody wants a
		 * part of a listing, and a reset may be forged: a mirror that
		 * takes it for the whole deletes the rest.
		 */
		finish(x, x->kind == XFER_FILE ? 226 : 426,
		    "Closed by you before the end.", "peer_closed");
		return;
	}
}

static void
client_closed(struct loop_watch *w, uint32_t events)
{
	struct xfer *x = LOOP_OWNER(w, struct xfer, watch);
	struct sess *s = x->s;

	(void)events;
	finish_step(x);
	control_continue(s);
}

/* Who has sent his next command does not read a 226 together with a 150. */
void
xfer_hurry(struct xfer *x)
{
	struct sess *s = x->s;

	if (x->patience.slot == 0)
		return;
	finish_step(x);
	control_continue(s);
}

static void
patience_ended(struct loop_timer *t)
{
	struct xfer *x = LOOP_OWNER(t, struct xfer, patience);
	struct sess *s = x->s;

	/* It waits for the 226 first: once is enough to know that. */
	s->impatient = true;
	finish_step(x);
	control_continue(s);
}

/*
 * All is sent.  A client that reads 150 and 226 at one go may lose the second
 * (aria2 then waits for its own time-out), and one that takes a single file,
 * or restarts, is likely to be of that kind: it gets its 226 when it has
 * closed the data connection, as RFC 959 lets us.  Others get it at once.
 *
 * The time is for a host that is too busy to let its client read at all.
 */
static void
finish_sent(struct xfer *x)
{
	if (x->patient && x->step == STEP_DONE && !x->s->line_waits) {
		shutdown(x->data_fd, SHUT_WR);
		x->watch = (struct loop_watch) { .fd = x->data_fd,
			.ready = client_closed };
		if (loop_watch(&x->w->loop, &x->watch, EPOLLIN | EPOLLRDHUP)) {
			x->patience.fire = patience_ended;
			loop_timer_set(&x->w->loop, &x->patience, PATIENCE_MS);
			sess_wait_for(x->s, WAIT_TRANSFER);
			return;
		}
		x->watch.ready = NULL;
	}
	finish_step(x);
}

static void
submit(struct xfer *x)
{
	x->running = true;
	pool_submit(x->w->pool, &x->job);
}

static void
data_ready(struct loop_watch *w, uint32_t events)
{
	struct xfer *x = LOOP_OWNER(w, struct xfer, watch);

	(void)events;
	loop_unwatch(&x->w->loop, w);
	submit(x);
}

static void
pause_ended(struct loop_timer *t)
{
	submit(LOOP_OWNER(t, struct xfer, pause));
}

/* The client must read first, or write; or has sent enough for now. */
static void
wait_until(struct xfer *x, uint32_t events)
{
	if (x->pause_ms > 0) {
		x->pause.fire = pause_ended;
		loop_timer_set(&x->w->loop, &x->pause, x->pause_ms);
		return;
	}
	x->watch = (struct loop_watch) { .fd = x->data_fd,
		.ready = data_ready };
	if (!loop_watch(&x->w->loop, &x->watch, events)) {
		x->watch.ready = NULL;
		x->step = STEP_CANCELLED; /* our fault: no 226 */
		finish_step(x);
	}
}

/* All that its client has sent is there, and he is still to be told so. */
static void
end_of_upload(struct xfer *x)
{
	struct pollfd control = { .fd = x->s->watch.fd, .events = POLLRDHUP };

	if (poll(&control, 1, 0) != 0) {
		sess_close(x->s);
		return;
	}
	x->committing = true;
	submit(x);
}

static void
pump_done(struct pool_job *job)
{
	struct xfer *x = LOOP_OWNER(job, struct xfer, job);
	struct sess *s = x->s;

	x->running = false;
	if (atomic_load(&x->cancel) && x->step != STEP_DONE)
		x->step = STEP_CANCELLED;
	if (x->committing && x->step == STEP_DONE)
		notice_send(x);
	if (s == NULL) {
		/* What was put in place is there, if nobody is told. */
		if (x->committing && x->step == STEP_DONE)
			report(x, 226, "complete");
		else
			report(x, 426, x->why);
		xfer_free(x);
		return;
	}
	s->has_resumed |= x->resumed;
	if (x->step == STEP_BLOCKED || x->step == STEP_STARVED) {
		wait_until(x, x->step == STEP_BLOCKED && !x->tls_reads ?
		    EPOLLOUT : EPOLLIN);
		if (s->xfer == x)
			return;
	} else if (x->step == STEP_ENDED) {
		end_of_upload(x);
		return;
	} else {
		finish_sent(x);
	}
	control_continue(s);
}

static const char *
opening_text(const struct xfer *x)
{
	if (x->kind == XFER_STORE)
		return "Send the file.";
	return x->kind == XFER_FILE ? "Sending the file." :
	    "Sending the listing.";
}

/* PROT P: as it was when the transfer's command came. */
static bool
begin_tls(struct xfer *x)
{
	const struct sess *s = x->s;
	uint32_t policy = x->w->conf.tls_data_resume;

	x->must_resume = policy == CONF_RESUME_REQUIRE ||
	    (policy == CONF_RESUME_LEARN && s->has_resumed);
	/* Who receives waits by poll, and holds no thread beyond that. */
	if (x->has_tls && x->kind == XFER_STORE &&
	    fcntl(x->data_fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
		return false;
	return !x->has_tls || secure->data_begin(x);
}

void
xfer_connected(struct xfer *x, int fd, uint32_t number)
{
	struct sess *s = x->s;

	x->data_fd = fd;
	x->data_number = number;
	s->refusals = 0;
	s->unused = 0;
	if (!begin_tls(x)) {
		finish(x, 425, "No data connection: out of memory.",
		    "not_connected");
		control_continue(s);
		return;
	}
	/* RFC 1123 §4.1.2.9: where the client looks for the name. */
	if (x->verb == V_STOU)
		reply_named(s, 150, path_last(x->path), "FILE: ");
	else
		reply(s, 150, opening_text(x));
	if (pump_at_once(x)) {
		x->step = STEP_DONE;
		finish_sent(x);
		control_continue(s);
		return;
	}
	sess_wait_for(s, WAIT_TRANSFER);
	submit(x);
}

static const char *
why_not(const struct ipc_port *why)
{
	return why->reason >= IPC_BUSY ? "busy" : "not_connected";
}

void
xfer_not_connected(struct xfer *x, const struct ipc_port *why)
{
	const char *result = why_not(why);
	char room[ENDPOINT_TEXT_MAX];
	struct sess *s = x->s;

	finish(x, 425, endpoint_failed_text(s, why, room), result);
	/* That others are served is nothing that he did. */
	if (strcmp(result, "busy") != 0 &&
	    ++s->refusals >= s->w->conf.abuse_refusals)
		sess_end(s, "Too many failed data connections.");
	control_continue(s);
}

static struct xfer *
xfer_new(struct sess *s, enum xfer_kind kind, struct lookup *from)
{
	const char *name = s->user != NULL ? s->user : s->ident;
	struct sv user = name == NULL ? SV("") : sv_of(name);
	struct xfer *x = calloc(1, sizeof(*x) + from->path.len + user.len);
	char *behind = (char *)(x + 1);

	if (x == NULL)
		return NULL;
	/* Copies: the transfer may outlive its session. */
	if (from->path.len > 0)
		memcpy(behind, from->path.ptr, from->path.len);
	if (user.len > 0)
		memcpy(behind + from->path.len, user.ptr, user.len);
	x->path = (struct sv) { behind, from->path.len };
	x->user = (struct sv) { behind + from->path.len, user.len };
	x->named = s->user != NULL;
	x->job.work = pump_work;
	x->job.done = pump_done;
	x->w = s->w;
	x->s = s;
	x->who = s->who;
	x->kind = kind;
	x->verb = s->verb;
	x->ascii = s->ascii && (kind == XFER_FILE || kind == XFER_STORE);
	x->facts = s->facts;
	x->rights = s->rights;
	x->drop_box = s->drop_box;
	x->has_tls = s->private;
	x->now_s = time(NULL);
	x->started_ms = x->paced_from_ms = s->w->loop.now_ms;
	x->storage = from->storage;
	x->offset = x->at = s->ranged ? s->range_first : s->rest;
	x->size = s->ranged ? s->range_last + 1 : from->stat.size;
	x->stat = from->stat;
	x->alone = from->op == LOOKUP_STAT;
	x->data_fd = -1;
	x->at_once = from->at_once;
	x->patient = kind != XFER_STORE && !s->impatient &&
	    (!s->transferred || s->restarted);
	x->upload = from->upload;
	from->upload = NULL;
	x->mode = from->how.mode;
	if (x->upload != NULL && (from->how.flags & STORAGE_DROP) != 0)
		x->stored = strdup(from->storage->ops->upload_name(x->upload));
	x->has_sum = from->said == CHECKSUM_SAYS;
	memcpy(x->sum, from->sum, sizeof(x->sum));
	if (kind != XFER_FILE && kind != XFER_STORE) {
		x->listing = s->listing;
		s->listing = NULL;
	}
	x->fd = from->fd;
	x->dir = from->dir;
	from->fd = -1;
	from->dir = NULL;
	s->w->xfers++;
	return x;
}

/* x: the transfer, or NULL without memory for one. */
static void
refuse_start(struct sess *s, struct xfer *x)
{
	char room[ENDPOINT_TEXT_MAX];
	const char *text = s->endpoint != ENDPOINT_FAILED ?
	    "No data connection." :
	    endpoint_failed_text(s, &s->failed, room);

	if (x != NULL) {
		report(x, 425, why_not(&s->failed));
		xfer_free(x);
	}
	endpoint_void(s);
	reply(s, 425, text);
}

void
xfer_start(struct sess *s, enum xfer_kind kind, struct lookup *from)
{
	struct xfer *x = xfer_new(s, kind, from);
	enum endpoint endpoint = s->endpoint;
	uint16_t port = s->data_port;
	int fd = s->data_fd;

	restart_forget(s);
	s->transferred = true;
	if (x == NULL || endpoint == ENDPOINT_FAILED) {
		refuse_start(s, x);
		return;
	}
	/* The endpoint is used up, whatever becomes of the transfer. */
	s->endpoint = ENDPOINT_NONE;
	s->data_fd = -1;
	s->data_port = 0;
	s->xfer = x;
	if (endpoint == ENDPOINT_CONNECTED) {
		xfer_connected(x, fd, s->data_number);
		return;
	}
	x->active = endpoint == ENDPOINT_ACTIVE;
	x->data_port = port;
	sess_wait_for(s, WAIT_TRANSFER);
	if (x->active)
		link_tell(s, IPC_CONNECT, port);
}

uint64_t
xfer_progress(const struct xfer *x)
{
	uint64_t sent = atomic_load(&x->sent);
	int waiting = 0;

	if (x->kind == XFER_STORE)
		return sent;
	if (x->data_fd < 0 || ioctl(x->data_fd, SIOCOUTQ, &waiting) != 0 ||
	    waiting < 0 || (uint64_t)waiting > sent)
		return sent;
	return sent - (uint64_t)waiting;
}

/*
 * Over a data.timeout, since the last look.  Who has taken all that was there
 * waits for us: a slow disk is not his doing.
 */
bool
xfer_is_too_slow(const struct xfer *x)
{
	uint64_t least = x->w->conf.rate_least * x->w->conf.data_timeout_s;
	uint64_t taken = xfer_progress(x);

	return x->data_fd >= 0 && taken < atomic_load(&x->sent) &&
	    taken > x->acked && taken - x->acked < least;
}

/* Makes a running job come back soon; why goes into the event. */
static void
cancel(struct xfer *x, const char *why)
{
	x->why = why;
	atomic_store(&x->cancel, true);
	if (x->data_fd < 0)
		return;
	shutdown(x->data_fd, SHUT_RDWR);
	/* It may be a while till the job is back; nothing flows till then. */
	link_done(x->s, x->data_number);
	x->data_number = 0;
}

static void
void_at_gate(struct xfer *x)
{
	if (x->data_fd < 0)
		link_void(x->s);
}

/*
 * Answered when the disk thread has let go of it, so that its client can go
 * on with it at once; or when it is in place, if it came too late.
 */
static void
abort_upload(struct xfer *x)
{
	bool is_first = x->aborts == 0;

	if (x->aborts < UINT8_MAX)
		x->aborts++;
	if (!is_first || x->committing)
		return;
	cancel(x, "aborted");
	if (x->running)
		return;
	loop_unwatch(&x->w->loop, &x->watch);
	loop_timer_stop(&x->w->loop, &x->pause);
	submit(x);
}

void
xfer_abort(struct xfer *x)
{
	struct sess *s = x->s;

	if (x->kind == XFER_STORE && x->data_fd >= 0) {
		abort_upload(x);
		return;
	}
	void_at_gate(x);
	cancel(x, "aborted");
	if (x->running) {
		/* Its bytes end now; the job's memory when it is back. */
		x->s = NULL;
		s->xfer = NULL;
		reply(s, 426, "Transfer aborted.");
		sess_wait_for(s, WAIT_NOTHING);
	} else {
		x->step = STEP_CANCELLED;
		finish_step(x);
	}
	reply(s, 226, "Aborted.");
}

void
xfer_stalled(struct xfer *x)
{
	const char *text = "Transfer stood still for too long.";
	const char *result = "stalled";
	char room[ENDPOINT_TEXT_MAX];
	struct sess *s = x->s;

	if (x->data_fd < 0) {
		void_at_gate(x);
		xfer_not_connected(x, &(struct ipc_port) {
			.reason = IPC_TIMEOUT });
		return;
	}
	if (xfer_is_too_slow(x)) {
		result = "too_slow";
		text = room;
		snprintf(room, sizeof(room), "Less than %llu bytes a second "
		    "for %u s, which is too slow here.",
		    (unsigned long long)s->w->conf.rate_least,
		    s->w->conf.data_timeout_s);
	}
	if (!x->running && x->tls != NULL && !x->greeted)
		secure_say_failed(x->w, &x->who, "data", "client",
		    HANDSHAKE_STALLED);
	cancel(x, result);
	if (x->running) {
		x->s = NULL;
		s->xfer = NULL;
		reply(s, 426, text);
		sess_wait_for(s, WAIT_NOTHING);
	} else {
		finish(x, 426, text, result);
	}
	control_continue(s);
}

void
xfer_abandon(struct xfer *x)
{
	if (!x->s->dead) /* else the gate is told with the session's end */
		void_at_gate(x);
	cancel(x, "session_ended");
	x->s = NULL;
	if (x->running)
		return;
	report(x, 426, "session_ended");
	xfer_free(x);
}
