/*
 * worker/notice.c: tells the warden of a file that is in place.
 *
 * It is said behind the commit, once, and never waited for: an upload is
 * done whether somebody hears of it or not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "ipc/notice.h"
#include "worker/worker.h"

/* Once for each time that nobody takes them. */
static void
count(struct worker *w, bool taken)
{
	if (taken) {
		if (w->notices_failing)
			log_line("upload.notify: notices are taken again; "
			    "lost: %llu",
			    (unsigned long long)w->counters.notices_lost);
		w->notices_failing = false;
		return;
	}
	w->counters.notices_lost++;
	if (!w->notices_failing)
		log_line("upload.notify: notices are lost: too many wait");
	w->notices_failing = true;
}

void
notice_send(struct xfer *x)
{
	struct worker *w = x->w;
	char packet[NOTICE_MAX], path[PATH_MAX + 1];
	struct notice n = { .mode = (uint16_t)x->mode, .flow = x->who.flow,
		.size = x->at, .at = time(NULL), .has_sha256 = x->has_sum };
	struct sv file = x->stored != NULL ? sv_of(x->stored) :
	    path_last(x->path);
	size_t len;

	if (w->conf.upload_notify[0] == '\0')
		return;
	memcpy(n.verb, ftp_commands[x->verb].name, sizeof(n.verb));
	memcpy(n.sha256, x->sum, x->has_sum ? sizeof(n.sha256) : 0);
	path[0] = '/';
	memcpy(path + 1, x->path.ptr, x->path.len);
	len = notice_pack(&n, x->named ? x->user : SV(""),
	    (struct sv) { path, x->path.len + 1 }, file, packet);
	count(w, send(INHERIT_NOTICES, packet, len,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len);
}
