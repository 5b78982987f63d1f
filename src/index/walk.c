/*
 * index/walk.c: see the header.
 *
 * Everything is opened by its whole path from the root, not from a descriptor
 * of its directory: that costs the kernel a longer look-up, in its cache, and
 * saves a descriptor for each level, of which a tree can have thousands.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "index/say.h"
#include "proto/glob.h"
#include "storage/hidden.h"

struct level {
	char *names;		/* escaped, with NUL; of directories with "/" */
	size_t used, room;
	size_t *at;		/* where in names each begins, sorted */
	size_t count, at_room, next;
	size_t raw_length, length;	/* of its path, as below */
};

struct index_walk {
	const struct index_root *root;
	const struct index_options *options;
	const struct index_place *own;
	struct level *levels;
	size_t depth, levels_room;
	size_t memory;		/* of all levels */
	bool begun, failed;
	char raw[PATH_MAX];
	char path[INDEX_PATH_ROOM];
	char target[INDEX_PATH_ROOM];
};

static void
level_free(struct level *l)
{
	free(l->names);
	free(l->at);
	*l = (struct level) { 0 };
}

static size_t
level_memory(const struct level *l)
{
	return l->room + l->at_room * sizeof(*l->at);
}

struct index_walk *
index_walk_new(const struct index_root *root, const struct index_options *o,
    const struct index_place *own)
{
	struct index_walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->root = root;
	w->options = o;
	w->own = own;
	return w;
}

void
index_walk_free(struct index_walk *w)
{
	if (w == NULL)
		return;
	while (w->depth > 0)
		level_free(&w->levels[--w->depth]);
	free(w->levels);
	free(w);
}

bool
index_walk_failed(const struct index_walk *w)
{
	return w->failed;
}

/* Whether a pattern, or ours, fits this path, whose last component is name. */
static bool
excludes_one(const struct index_options *o, struct sv path, struct sv name)
{
	struct sv hidden = SV(HIDDEN_PREFIX);

	/* Uploads on their way, and what was dropped: nobody can fetch it. */
	if (name.len >= hidden.len && sv_eq_nocase(
	    (struct sv) { name.ptr, hidden.len }, hidden))
		return true;
	for (size_t i = 0; i < o->exclude_count; i++) {
		struct sv pattern = o->excludes[i];
		bool whole = memchr(pattern.ptr, '/', pattern.len) != NULL;

		if (glob_match(pattern, whole ? path : name))
			return true;
	}
	return false;
}

bool
index_walk_excludes(const struct index_options *o, const char *raw)
{
	const char *name = raw;

	for (const char *end = raw;; end++) {
		if (*end != '/' && *end != '\0')
			continue;
		if (end > name && excludes_one(o,
		    (struct sv) { raw, (size_t)(end - raw) },
		    (struct sv) { name, (size_t)(end - name) }))
			return true;
		if (*end == '\0')
			return false;
		name = end + 1;
	}
}

/* Room for more, doubled; ENOMEM when the names may have no more. */
static bool
grow(struct index_walk *w, void *array, size_t *room, size_t item, size_t want)
{
	size_t now = *room, next = now == 0 ? 64 : now;
	void *old, *got;

	memcpy(&old, array, sizeof(old));
	while (next < want)
		next *= 2;
	if (next == now)
		return true;
	errno = ENOMEM;
	if (w->memory + (next - now) * item > w->options->memory ||
	    (got = reallocarray(old, next, item)) == NULL)
		return false;
	w->memory += (next - now) * item;
	memcpy(array, &got, sizeof(got));
	*room = next;
	return true;
}

/* Whether it is a directory; a file system may leave that out of a listing. */
static bool
is_directory(int dir_fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode);
}

static bool
level_add(struct index_walk *w, struct level *l, struct sv name, bool is_dir)
{
	size_t want = l->used + INDEX_NAME_ROOM(name.len) + 1;

	if (!grow(w, &l->names, &l->room, 1, want) ||
	    !grow(w, &l->at, &l->at_room, sizeof(*l->at), l->count + 1))
		return false;
	l->at[l->count++] = l->used;
	l->used += index_name_escape(name, l->names + l->used);
	if (is_dir)
		l->names[l->used++] = '/';
	l->names[l->used++] = '\0';
	return true;
}

/* Whether this name of the directory at hand stays out of the index. */
static bool
is_unwanted(struct index_walk *w, const struct stat *dir, const char *name,
    size_t raw_length)
{
	struct sv path;
	size_t n = strlen(name);

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    index_place_is(w->own, dir->st_dev, dir->st_ino, name))
		return true;
	/* A path that is too long is said later, and not excluded here. */
	if (raw_length + n >= PATH_MAX)
		return false;
	memcpy(w->raw + raw_length, name, n);
	path = (struct sv) { w->raw, raw_length + n };
	return excludes_one(w->options, path, sv_drop(path, raw_length));
}

static bool
level_read(struct index_walk *w, struct level *l, DIR *dir)
{
	struct dirent *d;
	struct stat st;

	if (fstat(dirfd(dir), &st) != 0)
		return false;
	while (errno = 0, (d = readdir(dir)) != NULL) {
		if (is_unwanted(w, &st, d->d_name, l->raw_length))
			continue;
		if (!level_add(w, l, sv_of(d->d_name),
		    is_directory(dirfd(dir), d)))
			return false;
	}
	return errno == 0;
}

static int
compare_names(const void *a, const void *b, void *names)
{
	const size_t *x = a, *y = b;

	return strcmp((const char *)names + *x, (const char *)names + *y);
}

/* Room for a level more; the deepest path has about 2000. */
static struct level *
level_new(struct index_walk *w)
{
	size_t room = w->levels_room == 0 ? 16 : w->levels_room * 2;
	struct level *got;

	if (w->depth == w->levels_room) {
		got = reallocarray(w->levels, room, sizeof(*got));
		if (got == NULL)
			return NULL;
		w->levels = got;
		w->levels_room = room;
	}
	got = &w->levels[w->depth];
	*got = (struct level) { 0 };
	return got;
}

/* Goes into the directory at w->raw; false with errno set. */
static bool
enter(struct index_walk *w, size_t raw_length, size_t length)
{
	int fd = index_open_beneath(w->root, raw_length == 0 ? "." : w->raw,
	    O_RDONLY | O_DIRECTORY | O_NOCTTY), error;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct level *l = dir == NULL ? NULL : level_new(w);
	bool fine = false;

	if (l != NULL) {
		l->raw_length = raw_length;
		l->length = length;
		fine = level_read(w, l, dir);
	}
	error = errno;
	if (dir != NULL)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (fine) {
		qsort_r(l->at, l->count, sizeof(*l->at), compare_names,
		    l->names);
		w->depth++;
		return true;
	}
	if (l != NULL) {
		w->memory -= level_memory(l);
		level_free(l);
	}
	errno = error;
	return false;
}

/* Something is there, and no more than that can be said. */
static bool
leave_out(struct index_walk *w, struct index_entry *out, const char *why)
{
	index_say("%s: %s", w->path, why);
	w->failed = true;
	*out = (struct index_entry) { .kind = INDEX_LEFT, .path = w->path,
		.raw = w->raw };
	return true;
}

/* Whether there is an entry to tell of what could not be opened. */
static bool
open_failed(struct index_walk *w, struct index_entry *out, int error)
{
	if (error == EXDEV && w->root->one_file_system) {
		index_say("%s: on another file system, left out", w->path);
		return false;
	}
	if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
		index_say("%s: gone, or replaced, since its directory was read",
		    w->path);
		w->failed = true;
		return false;
	}
	return leave_out(w, out, error == ENOMEM ?
	    "left out: no memory for its names, see --memory" :
	    strerror(error));
}

/* Makes the path of the next name of a level; false: it is too long. */
static bool
compose(struct index_walk *w, struct level *l, bool *is_dir)
{
	const char *name = l->names + l->at[l->next++];
	size_t n = strlen(name), raw_n;
	char raw[INDEX_NAME_ROOM(NAME_MAX) + 1];
	bool fine;

	*is_dir = name[n - 1] == '/';
	fine = n < sizeof(raw) && index_name_unescape(
	    (struct sv) { name, *is_dir ? n - 1 : n }, raw, &raw_n);
	if (!fine || l->raw_length + raw_n + *is_dir >= sizeof(w->raw)) {
		w->path[l->length] = '\0';
		index_say("%s%s: left out: the path is too long", w->path,
		    name);
		w->failed = true;
		return false;
	}
	memcpy(w->raw + l->raw_length, raw, raw_n + 1);
	memcpy(w->path + l->length, name, n + 1);
	return true;
}

static const char *
odd_kind(mode_t mode)
{
	return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" :
	    S_ISDIR(mode) ? "now a directory" : "a device";
}

static bool
read_target(struct index_walk *w, int fd, struct index_entry *out)
{
	char raw[PATH_MAX];
	ssize_t n = readlinkat(fd, "", raw, sizeof(raw));

	if (n <= 0)
		return leave_out(w, out, strerror(n == 0 ? ENOENT : errno));
	index_name_escape((struct sv) { raw, (size_t)n }, w->target);
	out->kind = INDEX_LINK;
	out->target = w->target;
	return true;
}

/* Looks at what is no directory; false: it is not for an index. */
static bool
look(struct index_walk *w, struct index_entry *out)
{
	int fd = index_open_beneath(w->root, w->raw, O_PATH);
	bool fine;

	if (fd < 0)
		return open_failed(w, out, errno);
	*out = (struct index_entry) { .kind = INDEX_FILE, .path = w->path,
		.raw = w->raw };
	if (fstat(fd, &out->stat) != 0) {
		fine = leave_out(w, out, strerror(errno));
	} else if (S_ISLNK(out->stat.st_mode)) {
		fine = read_target(w, fd, out);
	} else {
		fine = S_ISREG(out->stat.st_mode);
		if (!fine)
			index_say("%s: %s, left out", w->path,
			    odd_kind(out->stat.st_mode));
		if (S_ISDIR(out->stat.st_mode))
			w->failed = true;
	}
	close(fd);
	return fine;
}

/* A directory has no line of its own, unless it cannot be read. */
static bool
go_into(struct index_walk *w, struct level *l, struct index_entry *out)
{
	size_t raw_length = l->raw_length + strlen(w->raw + l->raw_length);
	size_t length = l->length + strlen(w->path + l->length);
	int error;

	memcpy(w->raw + raw_length, "/", 2);
	if (enter(w, raw_length + 1, length))
		return false;
	error = errno;
	w->raw[raw_length + 1] = '\0';	/* an excluded name was tried here */
	return open_failed(w, out, error);
}

bool
index_walk_next(struct index_walk *w, struct index_entry *out)
{
	if (!w->begun) {
		w->begun = true;
		if (!enter(w, 0, 0)) {
			memcpy(w->path, "./", 3);
			return open_failed(w, out, errno);
		}
	}
	while (w->depth > 0) {
		struct level *l = &w->levels[w->depth - 1];
		bool is_dir;

		if (l->next == l->count) {
			w->memory -= level_memory(l);
			level_free(l);
			w->depth--;
		} else if (compose(w, l, &is_dir) &&
		    (is_dir ? go_into(w, l, out) : look(w, out))) {
			return true;
		}
	}
	return false;
}
