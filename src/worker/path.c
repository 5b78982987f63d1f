/*
 * worker/path.c: virtual paths; see worker.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
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

/*
 * Links to what is hidden are not left out, since RETR follows them: only the
 * kernel knows where several of them lead, and it need not ask us.  What a
 * link leads to is stat()ed by its own path, as every command does.
 */
static void
conceal(struct storage *st, struct sv dir, struct storage_entry *e)
{
	char path[PATH_MAX];
	size_t len;

	e->target = SV("");
	if (S_ISLNK(e->stat.mode) && path_resolve(dir, e->name, path, &len))
		(void)st->ops->stat(st, (struct sv) { path, len },
		    STORAGE_WAIT, &e->stat);
}

bool
path_may_list(const struct conf *c, struct storage *st, struct sv dir,
    struct storage_entry *e)
{
	if (path_is_hidden(c, e->name))
		return false;
	if (path_is_hidden(c, e->target))
		conceal(st, dir, e);
	return true;
}
