/*
 * worker/cmd_xfer.c: REST, RANG, RETR, ABOR.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/value.h"
#include "worker/hash.h"
#include "worker/worker.h"

void
restart_forget(struct sess *s)
{
	s->rest = 0;
	s->restarted = false;
	s->ranged = false;
	s->range_first = s->range_last = 0;
}

void
cmd_rest(struct sess *s, struct sv arg)
{
	uint64_t offset;

	if (value_parse_offset(arg, &offset) != FTP_OK) {
		reply(s, 501, "REST takes an offset in bytes.");
		return;
	}
	restart_forget(s);
	s->rest = offset;
	s->restarted = true;
	reply_format(s, 350, "Restarting at %llu.", (unsigned long long)offset);
}

/* "first last", both inclusive; "1 0" takes it back. */
void
cmd_rang(struct sess *s, struct sv arg)
{
	struct sv first = { arg.ptr, sv_digits(arg) };
	struct sv last = sv_drop(arg, first.len);
	uint64_t from, to;

	if (!sv_take(&last, ' ') ||
	    value_parse_offset(first, &from) != FTP_OK ||
	    value_parse_offset(last, &to) != FTP_OK ||
	    (from > to && !(from == 1 && to == 0))) {
		reply(s, 501, "RANG takes the first and the last byte.");
		return;
	}
	restart_forget(s);
	if (from > to) {
		reply(s, 350, "No range any more.");
		return;
	}
	s->ranged = s->restarted = true;
	s->range_first = from;
	s->range_last = to;
	reply_format(s, 350, "Bytes %llu to %llu, of the next file.",
	    (unsigned long long)from, (unsigned long long)to);
}

/*
 * A transfer needs an endpoint; the reply says so when there is none.  One that
 * has failed will do for now: xfer_start tells that, and makes it an event.
 */
bool
sess_has_endpoint(struct sess *s)
{
	if (sess_lacks_private_data(s))
		return false;
	if (s->endpoint != ENDPOINT_NONE)
		return true;
	reply(s, 425, "Use EPSV, PASV, EPRT or PORT first.");
	restart_forget(s);
	return false;
}

static void
refuse_transfer(struct sess *s, int code, const char *text)
{
	restart_forget(s);
	endpoint_void(s);
	reply(s, code, text);
}

static void
retr_opened(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK) {
		restart_forget(s);
		endpoint_void(s);
		reply_storage_error(s, l->err);
	} else if (s->rest > l->stat.size) {
		refuse_transfer(s, 554, "Restart offset is beyond the file.");
	} else if (s->ranged && s->range_last >= l->stat.size) {
		refuse_transfer(s, 554, "The range ends beyond the file.");
	} else if ((s->rest > 0 || s->ranged) && s->ascii) {
		refuse_transfer(s, 554,
		    "REST and RANG are offered in TYPE I alone.");
	} else {
		xfer_start(s, XFER_FILE, l);
	}
}

void
cmd_retr(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_has_endpoint(s) && sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_OPEN, path, retr_opened);
}

void
cmd_abor(struct sess *s, struct sv arg)
{
	(void)arg;
	if (s->xfer != NULL) {
		xfer_abort(s->xfer);
		return;
	}
	if (s->wait == WAIT_HASH) {
		hash_abort(s);
		return;
	}
	endpoint_void(s);
	restart_forget(s);
	reply(s, 226, "Nothing to abort.");
}
