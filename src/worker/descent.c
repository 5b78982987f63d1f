/*
 * worker/descent.c: see the header.
 *
 * One array holds all names.  Those of one directory are a level; the levels
 * lie on each other as the directories do in each other, so that the array is
 * a stack and never has holes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/descent.h"

#include <limits.h>
#include <stdlib.h>

#define NAMES_FIRST 4096

struct level {
	size_t next, end;	/* in names */
	size_t path_len;	/* of the directory that they are in */
};

struct descent {
	unsigned depth, most;	/* levels; the top's own names are the first */
	size_t names_len, names_cap;
	char *names;		/* a NUL behind each */
	size_t path_len;
	char path[PATH_MAX];
	struct level level[];
};

struct descent *
descent_new(unsigned depth)
{
	struct descent *d = calloc(1, sizeof(*d) + depth * sizeof(d->level[0]));

	if (d != NULL)
		d->most = depth;
	return d;
}

void
descent_free(struct descent *d)
{
	if (d == NULL)
		return;
	free(d->names);
	free(d);
}

static enum descent_err
make_room(struct descent *d, size_t n)
{
	size_t cap = d->names_cap == 0 ? NAMES_FIRST : d->names_cap;
	char *grown;

	while (cap < d->names_len + n)
		cap *= 2;
	if (cap > DESCENT_NAMES_MAX)
		return DESCENT_TOO_MANY;
	if (cap == d->names_cap)
		return DESCENT_OK;
	if ((grown = realloc(d->names, cap)) == NULL)
		return DESCENT_NO_MEMORY;
	d->names = grown;
	d->names_cap = cap;
	return DESCENT_OK;
}

enum descent_err
descent_add(struct descent *d, struct sv name)
{
	enum descent_err err;

	if (d->depth == d->most ||
	    d->path_len + 1 + name.len >= sizeof(d->path))
		return DESCENT_TOO_DEEP;
	if ((err = make_room(d, name.len + 1)) != DESCENT_OK)
		return err;
	memcpy(d->names + d->names_len, name.ptr, name.len);
	d->names_len += name.len;
	d->names[d->names_len++] = '\0';
	return DESCENT_OK;
}

/* Where the names begin that were added since the last step. */
static size_t
fresh(const struct descent *d)
{
	return d->depth == 0 ? 0 : d->level[d->depth - 1].end;
}

/* descent_add has seen to it that this fits. */
static void
step_into(struct descent *d, struct level *l)
{
	size_t len = strlen(d->names + l->next);

	d->path_len = l->path_len;
	if (d->path_len > 0)
		d->path[d->path_len++] = '/';
	memcpy(d->path + d->path_len, d->names + l->next, len + 1);
	d->path_len += len;
	l->next += len + 1;
}

bool
descent_next(struct descent *d)
{
	if (d->names_len > fresh(d)) {
		d->level[d->depth] = (struct level) { fresh(d), d->names_len,
			d->path_len };
		d->depth++;
	}
	while (d->depth > 0 &&
	    d->level[d->depth - 1].next == d->level[d->depth - 1].end) {
		d->depth--;
		d->names_len = fresh(d);
	}
	if (d->depth == 0)
		return false;
	step_into(d, &d->level[d->depth - 1]);
	return true;
}

struct sv
descent_path(const struct descent *d)
{
	return (struct sv) { d->path, d->path_len };
}
