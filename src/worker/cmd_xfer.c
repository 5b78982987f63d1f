/*
 * worker/cmd_xfer.c: REST, RETR, ABOR.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/value.h"
#include "worker/worker.h"

void
cmd_rest(struct sess *s, struct sv arg)
{
	uint64_t offset;

	if (value_parse_offset(arg, &offset) != FTP_OK) {
		reply(s, 501, "REST takes an offset in bytes.");
		return;
	}
	s->rest = offset;
	s->restarted = true;
	reply_format(s, 350, "Restarting at %llu.", (unsigned long long)offset);
}

bool
sess_has_endpoint(struct sess *s)
{
	if (s->endpoint != ENDPOINT_NONE && s->endpoint != ENDPOINT_FAILED)
		return true;
	reply(s, 425, s->endpoint == ENDPOINT_FAILED ?
	    "No data connection came in time." :
	    "Use EPSV, PASV, EPRT or PORT first.");
	s->endpoint = ENDPOINT_NONE;
	s->rest = 0;
	return false;
}

static void
refuse_transfer(struct sess *s, int code, const char *text)
{
	s->rest = 0;
	endpoint_void(s);
	reply(s, code, text);
}

static void
retr_opened(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK) {
		s->rest = 0;
		endpoint_void(s);
		reply_storage_error(s, l->err);
	} else if (s->rest > l->stat.size) {
		refuse_transfer(s, 554, "Restart offset is beyond the file.");
	} else if (s->rest > 0 && s->ascii) {
		refuse_transfer(s, 554, "REST is offered in TYPE I alone.");
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
	endpoint_void(s);
	s->rest = 0;
	reply(s, 226, "Nothing to abort.");
}
