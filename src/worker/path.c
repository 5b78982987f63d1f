/*
 * worker/path.c: virtual paths; see worker.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "proto/glob.h"
#include "worker/worker.h"

static bool
push(char *out, size_t *len, struct sv name)
{
	size_t slash = *len > 0 ? 1 : 0;

	if (*len + slash + name.len >= PATH_MAX)
		return false;
	if (slash)
		out[(*len)++] = '/';
	memcpy(out + *len, name.ptr, name.len);
	*len += name.len;
	return true;
}

static void
pop(const char *out, size_t *len)
{
	while (*len > 0 && out[*len - 1] != '/')
		(*len)--;
	if (*len > 0)
		(*len)--;
}

/* Walks one path's components onto out. */
static bool
walk(char *out, size_t *len, struct sv path)
{
	while (path.len > 0) {
		struct sv name = sv_take_field(&path, '/');

		if (sv_eq(name, SV("..")))
			pop(out, len);
		else if (name.len > 0 && !sv_eq(name, SV(".")) &&
		    !push(out, len, name))
			return false;
	}
	return true;
}

bool
path_resolve(struct sv cwd, struct sv arg, char *out, size_t *len)
{
	bool absolute = arg.len > 0 && arg.ptr[0] == '/';

	*len = 0;
	return (absolute || walk(out, len, cwd)) && walk(out, len, arg);
}

struct sv
path_last(struct sv path)
{
	const char *slash = path.len == 0 ? NULL :
	    memrchr(path.ptr, '/', path.len);

	return slash == NULL ? path :
	    sv_drop(path, (size_t)(slash - path.ptr) + 1);
}

static bool
name_is_hidden(const struct conf *c, struct sv name)
{
	for (uint32_t i = 0; i < c->hide.count; i++)
		if (glob_fits(sv_of(c->hide.at[i]), name))
			return true;
	return false;
}

bool
path_is_hidden(const struct conf *c, struct sv path)
{
	while (c->hide.count > 0 && path.len > 0) {
		struct sv name = sv_take_field(&path, '/');

		if (name.len > 0 && name_is_hidden(c, name))
			return true;
	}
	return false;
}

/* What the directories on the way to dir are, the root first. */
static enum storage_err
learn_way(struct path_links *l, struct storage *st, struct sv dir)
{
	size_t parts = dir.len > 0 ? 2 : 1;
	struct storage_stat stat;

	for (size_t i = 0; i < dir.len; i++)
		parts += dir.ptr[i] == '/';
	if ((l->way = calloc(parts, sizeof(*l->way))) == NULL)
		return STORAGE_BUSY;
	for (size_t i = 0, len = 0; i < parts; i++, len++) {
		enum storage_err err;

		while (i > 0 && len < dir.len && dir.ptr[len] != '/')
			len++;
		err = st->ops->stat(st, (struct sv) { dir.ptr, len },
		    STORAGE_WAIT, &stat);
		if (err != STORAGE_OK)
			return err;
		l->way[i] = (struct path_id) { stat.dev, stat.ino };
	}
	l->count = parts;
	return STORAGE_OK;
}

void
path_links_forget(struct path_links *l)
{
	free(l->way);
	l->way = NULL;
	l->count = 0;
}

/*
 * A link to a directory that we are in: who follows it walks in a circle.
 * That holds for the way by which the client came, links and all, so no
 * circle of several links is longer than once round, either.
 */
static enum storage_err
leads_back(struct path_links *l, struct storage *st, struct sv dir,
    const struct storage_stat *to, bool *back)
{
	*back = false;
	if (!S_ISDIR(to->mode))
		return STORAGE_OK;
	if (l->count == 0) {
		enum storage_err err = learn_way(l, st, dir);

		if (err != STORAGE_OK) {
			path_links_forget(l);
			/* What we are in is gone: the listing is not whole. */
			return err == STORAGE_NOT_FOUND ? STORAGE_IO : err;
		}
	}
	for (size_t i = 0; i < l->count && !*back; i++)
		*back = l->way[i].dev == to->dev && l->way[i].ino == to->ino;
	return STORAGE_OK;
}

/*
 * Links to what is hidden are not left out, since RETR follows them: only the
 * kernel knows where several of them lead, and it need not ask us.
 */
enum storage_err
path_may_list(const struct conf *c, struct storage *st, struct sv dir,
    struct path_links *links, struct storage_entry *e)
{
	bool hides = path_is_hidden(c, e->target), back = false;
	enum storage_err err;

	if (path_is_hidden(c, e->name))
		return STORAGE_NOT_FOUND;
	if (e->target.len == 0 || (!links->follow && !hides))
		return STORAGE_OK;
	err = leads_back(links, st, dir, &e->to, &back);
	if (err != STORAGE_OK)
		return err;
	if (!back)
		e->stat = e->to;
	if (!back || hides)
		e->target = SV("");
	return STORAGE_OK;
}
