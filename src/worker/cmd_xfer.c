/*
 * worker/cmd_xfer.c: REST, RANG, RETR, STOR, APPE, STOU, ABOR.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/random.h>

#include "proto/value.h"
#include "worker/box.h"
#include "worker/checksum.h"
#include "worker/hash.h"

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
	if (sess_has_wrong_protection(s))
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

static void
stor_begun(struct sess *s, struct lookup *l)
{
	const char *refused = checksum_refused(l);

	if (l->err == STORAGE_OK && refused == NULL) {
		xfer_start(s, XFER_STORE, l);
		return;
	}
	restart_forget(s);
	endpoint_void(s);
	/* Most of all its partial upload, which another session writes to. */
	if (l->err == STORAGE_OK)
		reply(s, 553, refused);
	else if (l->err == STORAGE_BUSY)
		reply(s, 450, "Somebody writes to it now, try again later.");
	else
		reply_storage_error(s, l->err);
}

/* A drop box takes new files, whole. */
static unsigned
stor_flags(const struct sess *s)
{
	unsigned flags = 0;

	if (s->drop_box)
		return STORAGE_DROP;
	if (rights_have(s, ACCOUNTS_OVERWRITE))
		flags |= STORAGE_REPLACE;
	/* How far it got is told in bytes of the file. */
	if (!s->ascii)
		flags |= STORAGE_KEEP;
	if (s->verb == V_APPE)
		flags |= STORAGE_APPEND;
	else if (s->rest > 0)
		flags |= STORAGE_RESUME;
	return flags;
}

static const char *
stor_refused(const struct sess *s)
{
	if (s->ranged || (s->rest > 0 && s->verb != V_STOR))
		return "REST goes with STOR, and RANG with neither.";
	if (s->rest > 0 && s->ascii)
		return "REST is offered in TYPE I alone.";
	if (s->drop_box && (s->rest > 0 || s->verb == V_APPE))
		return "A drop box takes whole files alone.";
	return NULL;
}

/*
 * In place of the last component, or in the directory that no name was said
 * for; false: too long, or no chance.
 */
static bool
make_unique(char room[PATH_MAX], struct sv *path, bool is_named)
{
	struct sv wish = is_named ? path_last(*path) : SV("");
	size_t dir = path->len - wish.len, n;
	char name[VALUE_UNIQUE_SIZE];
	uint64_t chance;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return false;
	n = value_unique_name(wish, chance, name);
	if (dir + 1 + n >= PATH_MAX)
		return false;
	if (!is_named && dir > 0)
		room[dir++] = '/';
	memcpy(room + dir, name, n);
	*path = (struct sv) { room, dir + n };
	return true;
}

/* False: it said why not. */
static bool
may_store(struct sess *s, struct sv path)
{
	const char *refused = stor_refused(s);

	if (refused != NULL) {
		refuse_transfer(s, 554, refused);
		return false;
	}
	if (!box_is_for(s) || box_holds(s->w, path))
		return true;
	restart_forget(s);
	endpoint_void(s);
	reply_named(s, 553, sv_of(s->w->conf.anonymous_upload),
	    "Files are taken in ");
	return false;
}

/* The box is a storage of its own, in which path has another name. */
static void
store(struct sess *s, struct sv path)
{
	struct lookup l = { .op = LOOKUP_STORE, .then = stor_begun,
		.path = path,
		.how = { .flags = stor_flags(s), .mode = 0644,
			.resume_at = s->rest, .expected = s->room } };

	if (box_is_for(s)) {
		l.storage = s->w->box;
		l.to = path_last(path);
		l.how.mode = 0040;	/* not even for us: box.c */
	}
	if (s->verb == V_STOU)
		l.how.flags &= ~(unsigned)STORAGE_REPLACE;
	s->room = 0;
	lookup_write(s, l);
}

void
cmd_stor(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (!sess_has_endpoint(s) || !sess_path(s, arg, room, &path))
		return;
	if (s->verb == V_STOU && !make_unique(room, &path, arg.len > 0))
		refuse_transfer(s, 451, "No name was found for it.");
	else if (may_store(s, path))
		store(s, path);
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
