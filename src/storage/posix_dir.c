/*
 * storage/posix_dir.c: an open directory, entry by entry.
 *
 * Names are read ahead up to a bound.  When the directory ends within it they
 * are sorted; else they are served as they came, and the rest is streamed
 * from the disk: memory does not grow with a directory, and no entry is
 * served twice or left out.  readdir(3) was rejected because it hides how
 * much it reads at once.
 *
 * An error is never taken for the end: a listing that lacks entries would
 * make a mirror delete them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/hidden.h"
#include "storage/posix.h"

#define DENTS_BYTES (32 * 1024)
#define AHEAD_BYTES (512 * 1024)
#define AHEAD_FIRST (4 * 1024)
#define CHANGES 8	/* of a link into something else, under our eyes */

/* getdents64(2)'s record. */
struct record {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;		/* DT_*; DT_UNKNOWN where the disk has none */
	char name[];
};

struct storage_dir {
	const struct posix *p;
	int fd;
	bool begun;
	bool ended;		/* the disk has no more */
	char *ahead;		/* names read ahead: a type, the name, a NUL */
	size_t ahead_len, ahead_cap;
	uint32_t *order;	/* where they begin, in the order to serve */
	size_t names, served;
	char *dents;		/* records as the disk gave them */
	size_t dents_len, dents_at;
	char target[PATH_MAX];
	size_t path_len;
	char path[];		/* virtual, to resolve the links in it */
};

/* A name and what the disk says it is. */
struct name {
	const char *text;
	uint8_t type;
};

struct storage_dir *
posix_dir_new(const struct posix *p, struct sv path, int fd)
{
	struct storage_dir *d = malloc(sizeof(*d) + path.len);

	if (d == NULL)
		return NULL;
	*d = (struct storage_dir) { .p = p, .fd = fd, .path_len = path.len };
	if (path.len > 0)
		memcpy(d->path, path.ptr, path.len);
	return d;
}

static void
drop_ahead(struct storage_dir *d)
{
	free(d->ahead);
	free(d->order);
	d->ahead = NULL;
	d->order = NULL;
	d->ahead_len = d->ahead_cap = d->names = d->served = 0;
}

void
posix_dir_free(struct storage_dir *d)
{
	if (d == NULL)
		return;
	close(d->fd);
	drop_ahead(d);
	free(d->dents);
	free(d);
}

enum storage_err
posix_dir_stat(struct storage_dir *d, struct storage_stat *out)
{
	struct stat stat;

	if (fstat(d->fd, &stat) != 0)
		return posix_err_of(errno);
	posix_stat_of(&stat, out);
	return STORAGE_OK;
}

/* Fills d->dents; STORAGE_NOT_FOUND at the end. */
static enum storage_err
read_disk(struct storage_dir *d)
{
	enum storage_err err;
	ssize_t n;

	if (d->ended)
		return STORAGE_NOT_FOUND;
	if (d->dents == NULL && (d->dents = malloc(DENTS_BYTES)) == NULL)
		return STORAGE_BUSY;
	n = getdents64(d->fd, d->dents, DENTS_BYTES);
	if (n < 0) {
		/* ENOENT: the directory itself was removed. */
		err = posix_err_of(errno);
		return err == STORAGE_NOT_FOUND ? STORAGE_IO : err;
	}
	d->dents_len = (size_t)n;
	d->dents_at = 0;
	d->ended = n == 0;
	return n == 0 ? STORAGE_NOT_FOUND : STORAGE_OK;
}

/* The next name as the disk has it; STORAGE_NOT_FOUND at the end. */
static enum storage_err
next_on_disk(struct storage_dir *d, struct name *out)
{
	const struct record *r;
	enum storage_err err;

	do {
		if (d->dents_at == d->dents_len &&
		    (err = read_disk(d)) != STORAGE_OK)
			return err;
		r = (const void *)(d->dents + d->dents_at);
		d->dents_at += r->reclen;
	} while (strcmp(r->name, ".") == 0 || strcmp(r->name, "..") == 0 ||
	    hidden_is(sv_of(r->name)));
	*out = (struct name) { r->name, r->type };
	return STORAGE_OK;
}

static bool
keep(struct storage_dir *d, const struct name *name)
{
	size_t len = strlen(name->text) + 1;

	if (d->ahead_len + 1 + len > d->ahead_cap) {
		/* The first is longer than any name: doubling is enough. */
		size_t cap = d->ahead_cap == 0 ? AHEAD_FIRST : d->ahead_cap * 2;
		char *grown = realloc(d->ahead, cap);

		if (grown == NULL)
			return false;
		d->ahead = grown;
		d->ahead_cap = cap;
	}
	d->order[d->names++] = (uint32_t)d->ahead_len;
	d->ahead[d->ahead_len++] = (char)name->type;
	memcpy(d->ahead + d->ahead_len, name->text, len);
	d->ahead_len += len;
	return true;
}

static int
by_name(const void *a, const void *b, void *ahead)
{
	const uint32_t *x = a, *y = b;

	return strcmp((const char *)ahead + *x + 1,
	    (const char *)ahead + *y + 1);
}

/*
 * Reads names until the directory ends, or one more is there than may be
 * sorted: only that one tells a full directory from a larger one.
 */
static enum storage_err
read_ahead(struct storage_dir *d)
{
	enum storage_err err = STORAGE_OK;
	struct name name;

	if (d->order == NULL)
		d->order = malloc((STORAGE_SORT_MAX + 1) * sizeof(*d->order));
	if (d->order == NULL)
		return STORAGE_BUSY;
	while (d->names <= STORAGE_SORT_MAX &&
	    d->ahead_len <= AHEAD_BYTES - AHEAD_FIRST &&
	    (err = next_on_disk(d, &name)) == STORAGE_OK)
		if (!keep(d, &name))
			return STORAGE_BUSY;
	if (err != STORAGE_OK && err != STORAGE_NOT_FOUND)
		return err;
	if (d->ended && d->names > 0)
		qsort_r(d->order, d->names, sizeof(*d->order), by_name,
		    d->ahead);
	return STORAGE_OK;
}

/* A name's place in an order by something else. */
struct rank {
	int64_t most;
	uint32_t more;
	uint32_t at;	/* as in d->order */
};

/* What is alike stays in the order of names. */
static int
by_rank(const void *a, const void *b, void *ahead)
{
	const struct rank *x = a, *y = b;

	if (x->most != y->most)
		return x->most > y->most ? -1 : 1;
	if (x->more != y->more)
		return x->more > y->more ? -1 : 1;
	return by_name(&x->at, &y->at, ahead);
}

/* One that has disappeared is left out when its turn comes. */
static enum storage_err
rank(const struct storage_dir *d, enum storage_order order, struct rank *r)
{
	struct stat stat;

	if (fstatat(d->fd, d->ahead + r->at + 1, &stat,
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0) {
		enum storage_err err = posix_err_of(errno);

		return err == STORAGE_NOT_FOUND ? STORAGE_OK : err;
	}
	if (order == STORAGE_BY_SIZE) {
		r->most = stat.st_size;
	} else {
		r->most = stat.st_mtim.tv_sec;
		r->more = (uint32_t)stat.st_mtim.tv_nsec;
	}
	return STORAGE_OK;
}

static enum storage_err
sort_by(struct storage_dir *d, enum storage_order order)
{
	struct rank *ranks = calloc(d->names, sizeof(*ranks));
	enum storage_err err = STORAGE_OK;

	if (ranks == NULL)
		return STORAGE_BUSY;
	for (size_t i = 0; i < d->names && err == STORAGE_OK; i++) {
		ranks[i].at = d->order[i];
		err = rank(d, order, &ranks[i]);
	}
	if (err == STORAGE_OK) {
		qsort_r(ranks, d->names, sizeof(*ranks), by_rank, d->ahead);
		for (size_t i = 0; i < d->names; i++)
			d->order[i] = ranks[i].at;
	}
	free(ranks);
	return err;
}

enum storage_err
posix_dir_sort(struct storage_dir *d, enum storage_order order, bool reversed)
{
	enum storage_err err = read_ahead(d);

	if (err != STORAGE_OK)
		return err;
	d->begun = true;
	if (!d->ended)
		return STORAGE_TOO_MANY;
	if (order != STORAGE_BY_NAME && d->names > 0 &&
	    (err = sort_by(d, order)) != STORAGE_OK)
		return err;
	for (size_t i = 0; reversed && i < d->names / 2; i++) {
		uint32_t first = d->order[i];

		d->order[i] = d->order[d->names - 1 - i];
		d->order[d->names - 1 - i] = first;
	}
	return STORAGE_OK;
}

enum storage_err
posix_dir_open_in(struct storage_dir *top, struct sv path,
    struct storage_dir **out)
{
	char whole[PATH_MAX];
	size_t len = top->path_len;
	struct storage_dir *d;
	enum storage_err err;
	int fd = -1;

	if (len + 1 + path.len >= sizeof(whole))
		return STORAGE_TOO_LONG;
	memcpy(whole, top->path, len);
	if (len > 0)
		whole[len++] = '/';
	memcpy(whole + len, path.ptr, path.len);
	err = posix_open_unlinked(top->fd, path, O_RDONLY | O_DIRECTORY, &fd);
	if (err != STORAGE_OK)
		return err;
	d = posix_dir_new(top->p, (struct sv) { whole, len + path.len }, fd);
	if (d == NULL) {
		close(fd);
		return STORAGE_BUSY;
	}
	*out = d;
	return STORAGE_OK;
}

static enum storage_err
next_name(struct storage_dir *d, struct name *out)
{
	enum storage_err err;

	if (!d->begun) {
		if ((err = read_ahead(d)) != STORAGE_OK)
			return err;
		d->begun = true;
	}
	if (d->served < d->names) {
		const char *kept = d->ahead + d->order[d->served++];

		*out = (struct name) { kept + 1, (uint8_t)kept[0] };
		return STORAGE_OK;
	}
	drop_ahead(d);
	return next_on_disk(d, out);
}

/*
 * What a link leads to, if that is inside.  It is resolved by its virtual
 * path from the root: seen from its own directory alone, "../x" is outside.
 */
static enum storage_err
follow_link(struct storage_dir *d, struct sv name, struct storage_stat *to)
{
	char path[PATH_MAX];
	size_t len = d->path_len;
	enum storage_err err;
	struct stat stat;
	int fd = -1;

	if (len + 1 + name.len >= sizeof(path))
		return STORAGE_TOO_LONG;
	memcpy(path, d->path, len);
	if (len > 0)
		path[len++] = '/';
	memcpy(path + len, name.ptr, name.len);
	err = posix_open_beneath(d->p, (struct sv) { path, len + name.len },
	    O_PATH, STORAGE_WAIT, &fd);
	if (err != STORAGE_OK)
		return err;
	if (fstat(fd, &stat) != 0)
		err = posix_err_of(errno);
	else
		posix_stat_of(&stat, to);
	close(fd);
	return err;
}

/*
 * Where a link leads.  STORAGE_NOT_FOUND: it is to be left out, because
 * nobody could fetch it.  STORAGE_LATER: it is no link any more.
 */
static enum storage_err
read_link(struct storage_dir *d, struct storage_entry *entry)
{
	ssize_t n = readlinkat(d->fd, entry->name.ptr, d->target,
	    sizeof(d->target));

	if (n < 0)
		return errno == EINVAL ? STORAGE_LATER : posix_err_of(errno);
	if (n == 0 || (size_t)n == sizeof(d->target) || d->target[0] == '/')
		return STORAGE_NOT_FOUND;
	entry->target = (struct sv) { d->target, (size_t)n };
	switch (follow_link(d, entry->name, &entry->to)) {
	case STORAGE_OK:
		return STORAGE_OK;
	case STORAGE_NOT_FOUND:
	case STORAGE_DENIED:
	case STORAGE_NOT_DIR:
	case STORAGE_NOT_FILE:
	case STORAGE_TOO_LONG:
		return STORAGE_NOT_FOUND;
	case STORAGE_LATER:
	case STORAGE_TOO_MANY:
	case STORAGE_BUSY:
		return STORAGE_BUSY; /* it may be good: no silent gap */
	case STORAGE_IO:
	case STORAGE_EXISTS: /* and what only those say that write */
	case STORAGE_BAD_NAME:
	case STORAGE_NOT_EMPTY:
	case STORAGE_OTHER_DISK:
	case STORAGE_BAD_OFFSET:
	case STORAGE_CHANGED:
	case STORAGE_NO_SPACE:
	case STORAGE_OVER_QUOTA:
	case STORAGE_TOO_LARGE:
	case STORAGE_WRITE:
		break;
	}
	return STORAGE_IO;
}

/* STORAGE_NOT_FOUND: the entry is left out. */
static enum storage_err
describe(struct storage_dir *d, const struct name *name, bool names_only,
    struct storage_entry *out)
{
	enum storage_err err = STORAGE_LATER;
	bool is_link = name->type == DT_LNK;
	struct stat stat;

	names_only = names_only && name->type != DT_UNKNOWN;
	for (int i = 0; i < CHANGES && err == STORAGE_LATER; i++) {
		*out = (struct storage_entry) { .name = sv_of(name->text) };
		if (!names_only || i > 0) {
			if (fstatat(d->fd, name->text, &stat,
			    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
				return posix_err_of(errno);
			posix_stat_of(&stat, &out->stat);
			is_link = S_ISLNK(stat.st_mode);
		}
		err = is_link ? read_link(d, out) : STORAGE_OK;
	}
	return err == STORAGE_LATER ? STORAGE_BUSY : err;
}

enum storage_err
posix_dir_next(struct storage_dir *d, bool names_only,
    struct storage_entry *out)
{
	enum storage_err err;
	struct name name;

	do {
		if ((err = next_name(d, &name)) != STORAGE_OK)
			return err;
		err = describe(d, &name, names_only, out);
	} while (err == STORAGE_NOT_FOUND);
	return err;
}
