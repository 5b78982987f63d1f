/*
 * worker/box.c: see the header.
 *
 * Landlock lets every worker write beneath this one directory.  What is
 * stored has a hidden, random name, so nobody can ask for it; and it belongs
 * to us without our being allowed to read it (mode 0040): even a worker that
 * has been taken over cannot open what others left there.
 *
 * Rejected: a process of its own for each anonymous session, as accounts
 * have.  It costs 2.7 ms and half a MiB for each, and may write no less; and
 * who comes to fetch something would pay for it too.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/box.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"

#define LOOK_BYTES (16u << 20)	/* received between two looks at the room */
#define TAKE_LEAST 512

static struct sv
box_path(const struct worker *w)
{
	return sv_drop(sv_of(w->conf.anonymous_upload), 1);
}

static int
open_box(const struct worker *w)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, INHERIT_ARCHIVE,
	    w->conf.anonymous_upload + 1, &how, sizeof(how));
}

void
box_start(struct worker *w)
{
	struct storage_writing how = { .named = true,
		.durable = w->conf.upload_durable == 0 };

	w->box_fd = -1;
	if (w->conf.anonymous_upload[0] == '\0')
		return;
	w->box_fd = open_box(w);
	if (w->box_fd < 0 || faccessat(w->box_fd, ".", R_OK | W_OK | X_OK,
	    AT_EACCESS) != 0)
		log_fatal(2, "anonymous.upload: cannot write to %s as user %u: "
		    "%s", w->conf.anonymous_upload, (unsigned)geteuid(),
		    strerror(errno));
	w->box = storage_posix_new(w->box_fd);
	if (w->box == NULL || !storage_posix_allow_writing(w->box, &how))
		log_fatal(1, "cannot start err=%d", errno);
}

bool
box_is_for(const struct sess *s)
{
	return s->w->box != NULL && s->user == NULL &&
	    s->storage == s->w->storage;
}

/* path is behind dir and a slash; false also for dir itself. */
static bool
is_beneath(struct sv path, struct sv dir)
{
	return path.len > dir.len && path.ptr[dir.len] == '/' &&
	    memcmp(path.ptr, dir.ptr, dir.len) == 0;
}

bool
box_holds(const struct worker *w, struct sv path)
{
	struct sv box = box_path(w);

	return is_beneath(path, box) &&
	    path_last(path).len == path.len - box.len - 1;
}

static bool
is_listing(enum lookup_op op)
{
	return op == LOOKUP_OPEN_DIR || op == LOOKUP_SORT_DIR ||
	    op == LOOKUP_BRIEF;
}

enum storage_err
box_judge(const struct sess *s, enum lookup_op op, struct sv path)
{
	if (!box_is_for(s))
		return STORAGE_OK;
	if (is_beneath(path, box_path(s->w)))
		return STORAGE_NOT_FOUND;
	return is_listing(op) && sv_eq(path, box_path(s->w)) ?
	    STORAGE_DENIED : STORAGE_OK;
}

/* ---- room */

static enum storage_err
look(const struct worker *w, struct storage_survey *found)
{
	const struct conf *c = &w->conf;
	int64_t now = time(NULL);
	struct storage_box_ages ages = {
		.parts = now - (int64_t)c->upload_keep_s,
		.drops = c->anonymous_upload_keep_s == 0 ? INT64_MIN :
		    now - (int64_t)c->anonymous_upload_keep_s };

	return storage_posix_box(w->box, &ages, c->anonymous_upload_files,
	    found);
}

/* Whether so much more, and so many files, have room. */
static enum storage_err
has_room(const struct worker *w, uint64_t bytes, uint64_t files)
{
	uint64_t most = w->conf.anonymous_upload_bytes;
	struct storage_survey found;
	enum storage_err err = look(w, &found);

	if (err != STORAGE_OK)
		return err;
	if (found.files + files > w->conf.anonymous_upload_files)
		return STORAGE_OVER_QUOTA;
	return most != 0 && (found.bytes > most ||
	    bytes > most - found.bytes) ? STORAGE_OVER_QUOTA : STORAGE_OK;
}

enum storage_err
box_admit(const struct worker *w, const struct storage *st, uint64_t expected)
{
	uint64_t largest = w->conf.anonymous_upload_largest;

	if (st != w->box)
		return STORAGE_OK;
	if (largest != 0 && expected > largest)
		return STORAGE_TOO_LARGE;
	return has_room(w, expected, 1);
}

enum storage_err
box_grow(struct xfer *x, size_t more)
{
	uint64_t largest = x->w->conf.anonymous_upload_largest;

	if (x->storage != x->w->box)
		return STORAGE_OK;
	if (largest != 0 && x->at + more > largest)
		return STORAGE_TOO_LARGE;
	if (x->at + more - x->looked < LOOK_BYTES)
		return STORAGE_OK;
	x->looked = x->at + more;
	return has_room(x->w, more, 0);
}

/* It is counted already, under the name that it has until now. */
enum storage_err
box_close(const struct xfer *x)
{
	return x->storage != x->w->box ? STORAGE_OK : has_room(x->w, 0, 0);
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

size_t
box_take(const struct xfer *x, size_t most, uint64_t *wait_ms)
{
	uint64_t rate = x->w->conf.anonymous_upload_rate, quarter = rate / 4;
	uint64_t sent = atomic_load(&x->sent), due, now;

	if (x->storage != x->w->box || rate == 0)
		return most;
	/* At that rate so much takes until then. */
	due = x->paced_from_ms + sent / rate * 1000 + sent % rate * 1000 / rate;
	now = now_ms();
	if (due > now) {
		*wait_ms = due - now;
		return 0;
	}
	quarter = quarter < TAKE_LEAST ? TAKE_LEAST : quarter;
	return quarter < most ? (size_t)quarter : most;
}

void
box_sweep(const struct worker *w, uint64_t *removed)
{
	struct storage_survey found;
	enum storage_err err = look(w, &found);

	if (err != STORAGE_OK)
		log_line("anonymous.upload: %s", storage_err_text(err));
	*removed += found.removed;
}
