/*
 * An archive on a real disk: a directory of its own for each test, "root" in
 * it the archive, and beside that what must never be reached.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "storage/storage.h"

#include "unit.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SLOW 1
#else
#define IS_SLOW 0
#endif

#define NOBODY 65534

struct site {
	char base[64];
	int root;	/* lives in st */
	struct storage *st;
};

static void
put(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int
site_open_in(void **state, const char *tmp)
{
	struct site *s = calloc(1, sizeof(*s));
	int base;

	if (s == NULL)
		return -1;
	snprintf(s->base, sizeof(s->base), "%s/storage-XXXXXX", tmp);
	if (mkdtemp(s->base) == NULL || chmod(s->base, 0755) != 0)
		return -1;
	base = open(s->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put(base, "secret.txt", "secret");
	mkdirat(base, "outside", 0755);
	put(base, "outside/file.txt", "secret");
	mkdirat(base, "root", 0755);
	s->root = openat(base, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(base);
	mkdirat(s->root, "pub", 0755);
	mkdirat(s->root, "pub/in", 0755);
	put(s->root, "pub/file.txt", "inside");
	s->st = storage_posix_new(s->root);
	*state = s;
	return s->st == NULL ? -1 : 0;
}

static int
site_open(void **state)
{
	const char *tmp = getenv("TMPDIR");

	return site_open_in(state, tmp != NULL && strlen(tmp) < 40 ? tmp :
	    "/tmp");
}

/* In memory where that is offered: for what makes very many files. */
static int
site_open_in_memory(void **state)
{
	return access("/dev/shm", W_OK | X_OK) != 0 ? site_open(state) :
	    site_open_in(state, "/dev/shm");
}

static int
remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	(void)stat;
	(void)type;
	(void)at;
	return remove(path);
}

static int
site_close(void **state)
{
	struct site *s = *state;
	int result = nftw(s->base, remove_one, 32, FTW_DEPTH | FTW_PHYS);

	storage_posix_free(s->st);
	free(s);
	return result;
}

static enum storage_err
try_stat(struct storage *st, struct sv path, struct storage_stat *out)
{
	return st->ops->stat(st, path, STORAGE_WAIT, out);
}

/* Whether the file opens, closing it again. */
static enum storage_err
try_open(struct storage *st, struct sv path, enum storage_when when)
{
	struct storage_stat stat;
	int fd = -1;
	enum storage_err err = st->ops->open(st, path, when, &fd, &stat);

	assert_int_equal(err == STORAGE_OK, fd >= 0);
	if (fd >= 0)
		close(fd);
	return err;
}

static enum storage_err
try_open_dir(struct storage *st, struct sv path)
{
	struct storage_dir *d = NULL;
	enum storage_err err = st->ops->open_dir(st, path, STORAGE_WAIT, &d);

	assert_int_equal(err == STORAGE_OK, d != NULL);
	st->ops->close_dir(d);
	return err;
}

/* What a directory lists, '\n' after each name; NULL when it fails. */
static char *
list(struct storage *st, const char *path, bool names_only)
{
	struct storage_dir *d;
	struct storage_entry e;
	enum storage_err err;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(st->ops->open_dir(st, sv_of(path), STORAGE_WAIT, &d),
	    STORAGE_OK);
	while ((err = st->ops->next(d, names_only, &e)) == STORAGE_OK) {
		fwrite(e.name.ptr, 1, e.name.len, f);
		if (e.target.len > 0)
			fprintf(f, " -> %.*s", (int)e.target.len,
			    e.target.ptr);
		fputc('\n', f);
	}
	st->ops->close_dir(d);
	fclose(f);
	if (err == STORAGE_NOT_FOUND)
		return text;
	free(text);
	return NULL;
}

static void
lists(struct storage *st, const char *path, const char *expected)
{
	for (int names_only = 0; names_only < 2; names_only++) {
		char *text = list(st, path, names_only);

		assert_non_null(text);
		assert_string_equal(text, expected);
		free(text);
	}
}

static void
what_is_inside_is_found(void **state)
{
	struct site *s = *state;
	struct storage_stat got;
	struct storage_dir *d;
	struct stat real;
	char byte[8];
	int fd;

	assert_int_equal(try_stat(s->st, SV(""), &got), STORAGE_OK);
	assert_true(S_ISDIR(got.mode));
	assert_int_equal(s->st->ops->open(s->st, SV("pub/file.txt"),
	    STORAGE_WAIT, &fd, &got), STORAGE_OK);
	assert_int_equal(read(fd, byte, sizeof(byte)), 6);
	assert_memory_equal(byte, "inside", 6);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(fstatat(s->root, "pub/file.txt", &real, 0), 0);
	assert_int_equal(got.mode, real.st_mode);
	assert_int_equal(got.size, 6);
	assert_int_equal(got.mtime, real.st_mtime);
	assert_int_equal(got.ino, real.st_ino);
	assert_int_equal(got.dev, real.st_dev);
	assert_int_equal(got.links, 1);
	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub"), STORAGE_WAIT,
	    &d), STORAGE_OK);
	assert_int_equal(s->st->ops->stat_dir(d, &got), STORAGE_OK);
	assert_int_equal(fstatat(s->root, "pub", &real, 0), 0);
	assert_int_equal(got.ino, real.st_ino);
	s->st->ops->close_dir(d);
	lists(s->st, "", "pub\n");
	lists(s->st, "pub", "file.txt\nin\n");
	lists(s->st, "pub/in", "");
}

static void
each_failure_has_its_name(void **state)
{
	struct site *s = *state;
	char long_name[256 + 1] = { 0 }, long_path[PATH_MAX + 1] = { 0 };

	memset(long_name, 'x', 256);
	memset(long_path, 'x', PATH_MAX);
	const struct {
		struct sv path;
		enum storage_err file, dir;
	} table[] = {
		{ SV("pub/file.txt"), STORAGE_OK, STORAGE_NOT_DIR },
		{ SV("pub"), STORAGE_NOT_FILE, STORAGE_OK },
		{ SV(""), STORAGE_NOT_FILE, STORAGE_OK },
		{ SV("gone"), STORAGE_NOT_FOUND, STORAGE_NOT_FOUND },
		{ SV("gone/x"), STORAGE_NOT_FOUND, STORAGE_NOT_FOUND },
		{ SV("pub/file.txt/x"), STORAGE_NOT_DIR, STORAGE_NOT_DIR },
		{ SV("pub/file.txt\0x"), STORAGE_NOT_FOUND,
		    STORAGE_NOT_FOUND },
		{ SV("pub\0"), STORAGE_NOT_FOUND, STORAGE_NOT_FOUND },
		{ { long_name, 256 }, STORAGE_TOO_LONG, STORAGE_TOO_LONG },
		{ { long_path, PATH_MAX }, STORAGE_TOO_LONG,
		    STORAGE_TOO_LONG },
		{ { NULL, 0 }, STORAGE_NOT_FILE, STORAGE_OK },
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		if (try_open(s->st, table[i].path, STORAGE_WAIT) !=
		    table[i].file)
			fail_msg("file, row %zu", i);
		if (try_open_dir(s->st, table[i].path) != table[i].dir)
			fail_msg("directory, row %zu", i);
	}
	for (int err = STORAGE_OK; err <= STORAGE_IO; err++)
		assert_true(strlen(storage_err_text(
		    (enum storage_err)err)) > 0);
}

/* Of all inodes, those that a path may lead to. */
static void
is_inside(struct site *s, const struct storage_stat *got, const char *path)
{
	static const char *const inside[] = { ".", "pub", "pub/in",
		"pub/file.txt" };
	struct stat real;

	for (size_t i = 0; i < COUNT(inside); i++) {
		assert_int_equal(fstatat(s->root, inside[i], &real, 0), 0);
		if (real.st_ino == got->ino && real.st_dev == got->dev)
			return;
	}
	fail_msg("outside: %s", path);
}

/*
 * The worker hands over normalised paths only; here the wall behind it is
 * tried with all that such a mistake would let through.
 */
static void
no_spelling_leads_outside(void **state)
{
	static const char *const starts[] = { "", "/", "//", "./", "pub/",
		"pub/in/", "/pub/./", "pub//" };
	static const char *const ups[] = { "..", "...", "....", "..\\", "..:",
		".. ", " ..", "..%20", "%2e%2e", ".%2e", "%252e%252e", "..%00",
		"..%2f", "..%5c", "\xc0\xae\xc0\xae", "\xe0\x80\xae.",
		"..\xc0\xaf", "\xef\xbc\x8e\xef\xbc\x8e", "..;", "~" };
	static const char *const ends[] = { "secret.txt", "etc/passwd",
		"outside/file.txt", "", "root/../secret.txt", "." };
	struct site *s = *state;
	size_t tried = 0;

	for (size_t i = 0; i < COUNT(starts) * COUNT(ups) * COUNT(ends) * 4;
	    i++) {
		size_t depth = i % 4 + 1, rest = i / 4, len;
		const char *up = ups[rest % COUNT(ups)];
		const char *end = ends[rest / COUNT(ups) % COUNT(ends)];
		struct storage_stat got;
		struct storage_dir *d;
		char path[256];
		int fd;

		len = (size_t)snprintf(path, sizeof(path), "%s",
		    starts[rest / COUNT(ups) / COUNT(ends)]);
		while (depth-- > 0)
			len += (size_t)snprintf(path + len,
			    sizeof(path) - len, "%s/", up);
		snprintf(path + len, sizeof(path) - len, "%s", end);
		tried++;
		if (try_stat(s->st, sv_of(path), &got) == STORAGE_OK)
			is_inside(s, &got, path);
		if (s->st->ops->open(s->st, sv_of(path), STORAGE_WAIT, &fd,
		    &got) == STORAGE_OK) {
			is_inside(s, &got, path);
			close(fd);
		}
		if (s->st->ops->open_dir(s->st, sv_of(path), STORAGE_WAIT,
		    &d) == STORAGE_OK) {
			s->st->ops->stat_dir(d, &got);
			is_inside(s, &got, path);
			s->st->ops->close_dir(d);
		}
	}
	assert_true(tried > 500);
}

static void
links_stay_inside(void **state)
{
	struct site *s = *state;
	char inside[128], outside[128];

	snprintf(inside, sizeof(inside), "%s/root/pub/file.txt", s->base);
	snprintf(outside, sizeof(outside), "%s/secret.txt", s->base);
	const struct {
		const char *name, *target;
		enum storage_err opens;
	} table[] = {
		{ "absolute", "/etc/passwd", STORAGE_NOT_FOUND },
		{ "absolute_in", inside, STORAGE_NOT_FOUND },
		{ "absolute_out", outside, STORAGE_NOT_FOUND },
		{ "absolute_root", "/", STORAGE_NOT_FOUND },
		{ "broken", "gone", STORAGE_NOT_FOUND },
		{ "chain1", "chain2", STORAGE_OK },
		{ "chain2", "pub/in/chain3", STORAGE_OK },
		{ "chain_out1", "chain_out2", STORAGE_NOT_FOUND },
		{ "chain_out2", "pub/../../secret.txt", STORAGE_NOT_FOUND },
		{ "dir", "pub", STORAGE_NOT_FILE },
		{ "dir_out", "..", STORAGE_NOT_FOUND },
		{ "file", "pub/file.txt", STORAGE_OK },
		{ "file_dotted", "./pub/./in/../file.txt", STORAGE_OK },
		{ "loop1", "loop2", STORAGE_NOT_FOUND },
		{ "loop2", "loop1", STORAGE_NOT_FOUND },
		{ "magic", "/proc/self/root/etc/passwd", STORAGE_NOT_FOUND },
		{ "not_dir", "pub/file.txt/x", STORAGE_NOT_DIR },
		{ "out", "../secret.txt", STORAGE_NOT_FOUND },
		{ "out_and_in", "../root/pub/file.txt", STORAGE_NOT_FOUND },
		{ "self", "self", STORAGE_NOT_FOUND },
		{ "self_deep", "self_deep/x", STORAGE_NOT_FOUND },
	};

	for (size_t i = 0; i < COUNT(table); i++)
		assert_int_equal(symlinkat(table[i].target, s->root,
		    table[i].name), 0);
	assert_int_equal(symlinkat("../file.txt", s->root, "pub/in/chain3"), 0);
	assert_int_equal(symlinkat("../../../secret.txt", s->root,
	    "pub/in/out"), 0);
	for (size_t i = 0; i < COUNT(table); i++) {
		enum storage_err err = try_open(s->st, sv_of(table[i].name),
		    STORAGE_WAIT);

		if (err != table[i].opens)
			fail_msg("%s: %d", table[i].name, err);
		/* A later try may be answered from memory, the same. */
		err = try_open(s->st, sv_of(table[i].name), STORAGE_NOW);
		if (err != STORAGE_LATER && err != table[i].opens)
			fail_msg("%s, now: %d", table[i].name, err);
	}
	assert_int_equal(try_open(s->st, SV("dir/file.txt"), STORAGE_WAIT),
	    STORAGE_OK);
	assert_int_equal(try_open(s->st, SV("dir_out/secret.txt"),
	    STORAGE_WAIT), STORAGE_NOT_FOUND);
	lists(s->st, "", "chain1 -> chain2\nchain2 -> pub/in/chain3\n"
	    "dir -> pub\nfile -> pub/file.txt\n"
	    "file_dotted -> ./pub/./in/../file.txt\npub\n");
	lists(s->st, "pub/in", "chain3 -> ../file.txt\n");
	/* Through a link, a directory is the one that it leads to. */
	lists(s->st, "dir/in", "chain3 -> ../file.txt\n");
}

/* /proc has links that lead anywhere without a path. */
static void
magic_links_are_not_followed(void **state)
{
	static const char *const table[] = { "self/root/etc/passwd",
		"self/root", "self/cwd", "self/exe", "self/fd/0",
		"thread-self/root", "self/ns/net" };
	struct storage *st;
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct storage_stat got;

	(void)state;
	if (proc < 0)
		skip();
	st = storage_posix_new(proc);
	assert_non_null(st);
	assert_int_equal(try_open(st, SV("self/status"), STORAGE_WAIT),
	    STORAGE_OK);
	for (size_t i = 0; i < COUNT(table); i++)
		if (try_stat(st, sv_of(table[i]), &got) != STORAGE_NOT_FOUND)
			fail_msg("%s", table[i]);
	/* Nor does such a file system answer from memory. */
	assert_int_equal(try_open(st, SV("self/status"), STORAGE_NOW),
	    STORAGE_LATER);
	storage_posix_free(st);
}

static void
make_socket(struct site *s, const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/root/%s", s->base,
	    name);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
}

/* Nobody writes to the FIFO: to wait for that would be to wait for ever. */
static void
special_files_are_refused_at_once(void **state)
{
	static const char *const names[] = { "file.txt", "socket.txt",
		"null.txt", "link.txt" };
	struct site *s = *state;
	bool has_device;

	assert_int_equal(mkfifoat(s->root, "file.txt", 0666), 0);
	make_socket(s, "socket.txt");
	assert_int_equal(symlinkat("file.txt", s->root, "link.txt"), 0);
	has_device = mknodat(s->root, "null.txt", S_IFCHR | 0666,
	    makedev(1, 3)) == 0;
	alarm(10);
	for (size_t i = 0; i < COUNT(names); i++) {
		enum storage_err now;

		if (!has_device && strcmp(names[i], "null.txt") == 0)
			continue;
		assert_int_equal(try_open(s->st, sv_of(names[i]),
		    STORAGE_WAIT), STORAGE_NOT_FILE);
		now = try_open(s->st, sv_of(names[i]), STORAGE_NOW);
		assert_true(now == STORAGE_NOT_FILE || now == STORAGE_LATER);
		assert_int_equal(try_open_dir(s->st, sv_of(names[i])),
		    STORAGE_NOT_DIR);
	}
	alarm(0);
}

static void
devices_are_not_files(void **state)
{
	static const char *const names[] = { "null", "zero", "full", "tty" };
	struct storage *st;
	int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	if (dev < 0)
		skip();
	st = storage_posix_new(dev);
	assert_non_null(st);
	for (size_t i = 0; i < COUNT(names); i++)
		if (faccessat(dev, names[i], F_OK, 0) == 0)
			assert_int_equal(try_open(st, sv_of(names[i]),
			    STORAGE_WAIT), STORAGE_NOT_FILE);
	storage_posix_free(st);
}

#define DEEP 2000

static void
deep_trees_are_reached(void **state)
{
	struct site *s = *state;
	char path[2 * DEEP] = "";

	for (int i = 0; i < DEEP; i++) {
		path[2 * i] = 'd';
		assert_int_equal(mkdirat(s->root, path, 0755), 0);
		path[2 * i + 1] = '/';
	}
	path[2 * DEEP - 1] = '\0';
	assert_int_equal(try_open_dir(s->st, sv_of(path)), STORAGE_OK);
	lists(s->st, path, "");
	path[2 * DEEP - 3] = '\0';
	lists(s->st, path, "d\n");
	path[2 * DEEP - 3] = '/';
	for (int i = DEEP - 1; i >= 0; i--) {
		path[2 * i + 1] = '\0';
		assert_int_equal(unlinkat(s->root, path, AT_REMOVEDIR), 0);
	}
}

static void
names_are_bytes(void **state)
{
	struct site *s = *state;
	char expected[4 * 256] = "", *at = expected;

	assert_int_equal(mkdirat(s->root, "odd", 0755), 0);
	for (int c = 1; c < 256; c++) {
		char path[] = { 'o', 'd', 'd', '/', 'x', (char)c, '\0' };
		int fd;

		if (c == '/')
			continue;
		fd = openat(s->root, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0 && errno == EILSEQ)
			skip(); /* a file system with a taste in names */
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(try_open(s->st, sv_of(path), STORAGE_WAIT),
		    STORAGE_OK);
		*at++ = 'x';
		*at++ = (char)c;
		*at++ = '\n';
	}
	lists(s->st, "odd", expected);
}

/* Tests run as root too: without its rights for a while. */
static void
what_is_forbidden_is_denied(void **state)
{
	struct site *s = *state;
	struct storage_entry e;
	struct storage_dir *d;
	struct storage_stat got;
	bool was_root = geteuid() == 0;

	put(s->root, "private.txt", "x");
	mkdirat(s->root, "closed", 0755);
	put(s->root, "closed/file.txt", "x");
	mkdirat(s->root, "names", 0755);
	put(s->root, "names/file.txt", "x");
	assert_int_equal(symlinkat("closed/file.txt", s->root, "link"), 0);
	assert_int_equal(fchmodat(s->root, "private.txt", 0, 0), 0);
	assert_int_equal(fchmodat(s->root, "closed", 0, 0), 0);
	assert_int_equal(fchmodat(s->root, "names", 0444, 0), 0);
	if (was_root)
		assert_int_equal(seteuid(NOBODY), 0);
	assert_int_equal(try_open(s->st, SV("private.txt"), STORAGE_WAIT),
	    STORAGE_DENIED);
	assert_int_equal(try_stat(s->st, SV("private.txt"), &got), STORAGE_OK);
	assert_int_equal(try_open(s->st, SV("closed/file.txt"), STORAGE_WAIT),
	    STORAGE_DENIED);
	assert_int_equal(try_open_dir(s->st, SV("closed")), STORAGE_DENIED);
	/* A link that nobody can follow is left out, no error. */
	lists(s->st, "", "closed\nnames\nprivate.txt\npub\n");
	/* Names without what they are: an error, never an empty listing. */
	assert_int_equal(s->st->ops->open_dir(s->st, SV("names"), STORAGE_WAIT,
	    &d), STORAGE_OK);
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_DENIED);
	s->st->ops->close_dir(d);
	if (was_root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(fchmodat(s->root, "closed", 0755, 0), 0);
	assert_int_equal(fchmodat(s->root, "names", 0755, 0), 0);
}

static void
fill(int dir, size_t first, size_t end, size_t name_len)
{
	for (size_t i = first; i < end; i++) {
		char name[NAME_MAX + 1];
		int fd;

		/* Created in another order than that of the names. */
		snprintf(name, sizeof(name), "%0*zu", (int)name_len,
		    (i * 7919) % 100003);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
		assert_true(fd >= 0);
		close(fd);
	}
}

static size_t
heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static double
cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Lists "big": each of n names exactly once; returns ms of this CPU. */
static double
list_all(struct site *s, size_t n, bool names_only, bool sorted)
{
	static uint8_t seen[100003];
	double from = cpu_ms();
	struct storage_dir *d;
	struct storage_entry e;
	size_t count = 0, before = heap_bytes();
	enum storage_err err;
	char last[NAME_MAX + 1] = "";

	memset(seen, 0, sizeof(seen));
	assert_int_equal(s->st->ops->open_dir(s->st, SV("big"), STORAGE_WAIT,
	    &d), STORAGE_OK);
	while ((err = s->st->ops->next(d, names_only, &e)) == STORAGE_OK) {
		unsigned long number = strtoul(e.name.ptr, NULL, 10);

		assert_true(number < COUNT(seen));
		assert_int_equal(seen[number]++, 0);
		if (sorted && strcmp(last, e.name.ptr) >= 0)
			fail_msg("%s after %s", e.name.ptr, last);
		memcpy(last, e.name.ptr, e.name.len + 1);
		if (!names_only)
			assert_true(S_ISREG(e.stat.mode));
		if (count++ % 1024 == 0)
			assert_true(heap_bytes() < before + (1 << 20));
	}
	s->st->ops->close_dir(d);
	assert_int_equal(err, STORAGE_NOT_FOUND);
	assert_int_equal(count, n);
	return cpu_ms() - from;
}

/* What the kernel alone takes to say what n names of "big" are. */
static double
stat_all(int dir, size_t n)
{
	double from = cpu_ms();
	struct stat stat;
	char name[16];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%zu", i * 7919 % 100003);
		assert_int_equal(fstatat(dir, name, &stat,
		    AT_SYMLINK_NOFOLLOW), 0);
	}
	return cpu_ms() - from;
}

static void
every_entry_comes_exactly_once(void **state)
{
	static const size_t sizes[] = { 1, 2, 500, STORAGE_SORT_MAX - 1,
		STORAGE_SORT_MAX, STORAGE_SORT_MAX + 1, 5000, 100000 };
	struct site *s = *state;
	size_t have = 0;
	double ms = 0, least;
	int dir;

	assert_int_equal(mkdirat(s->root, "big", 0755), 0);
	dir = openat(s->root, "big", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		bool sorted = sizes[i] <= STORAGE_SORT_MAX;

		fill(dir, have, sizes[i], 1);
		have = sizes[i];
		list_all(s, have, true, sorted);
		ms = list_all(s, have, false, sorted);
	}
	/* Machines differ: in proportion to what cannot be saved. */
	least = stat_all(dir, have);
	for (int i = 0; i < 3 && ms >= 2 * least; i++)
		ms = list_all(s, have, false, false);
	if (!IS_SLOW && ms >= 2 * least)
		fail_msg("listing %.0f ms, its stats alone %.0f", ms, least);
	close(dir);
}

/* The longest names: more bytes than are read ahead. */
static void
long_names_come_exactly_once(void **state)
{
	struct site *s = *state;
	int dir;

	assert_int_equal(mkdirat(s->root, "big", 0755), 0);
	dir = openat(s->root, "big", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fill(dir, 0, 2000, NAME_MAX);
	list_all(s, 2000, false, true);
	fill(dir, 2000, 4000, NAME_MAX);
	list_all(s, 4000, false, false);
	close(dir);
}

static void
what_disappears_is_left_out(void **state)
{
	struct site *s = *state;
	struct storage_entry e;
	struct storage_dir *d;

	put(s->root, "pub/a", "");
	put(s->root, "pub/z", "");
	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub"), STORAGE_WAIT,
	    &d), STORAGE_OK);
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_OK);
	assert_string_equal(e.name.ptr, "a");
	unlinkat(s->root, "pub/file.txt", 0);
	unlinkat(s->root, "pub/in", AT_REMOVEDIR);
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_OK);
	assert_string_equal(e.name.ptr, "z");
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_NOT_FOUND);
	s->st->ops->close_dir(d);
}

static const char *
sorted(struct site *s, enum storage_order order, bool reversed)
{
	static char text[256];
	struct storage_entry e;
	struct storage_dir *d;
	size_t n = 0;

	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub/in"),
	    STORAGE_WAIT, &d), STORAGE_OK);
	assert_int_equal(s->st->ops->sort(d, order, reversed), STORAGE_OK);
	while (s->st->ops->next(d, true, &e) == STORAGE_OK)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ",
		    e.name.ptr);
	text[n] = '\0';
	s->st->ops->close_dir(d);
	return text;
}

static void
set_mtime(struct site *s, const char *path, time_t at_s, long ns)
{
	struct timespec times[2] = { { 0, 0 }, { at_s, ns } };

	assert_int_equal(utimensat(s->root, path, times, 0), 0);
}

static void
entries_come_in_the_order_asked_for(void **state)
{
	struct site *s = *state;

	assert_string_equal(sorted(s, STORAGE_BY_TIME, true), "");
	put(s->root, "pub/in/a", "12345");
	put(s->root, "pub/in/b", "1");
	put(s->root, "pub/in/c", "12345");
	put(s->root, "pub/in/d", "123");
	set_mtime(s, "pub/in/a", 2000, 5);
	set_mtime(s, "pub/in/b", 2000, 6);
	set_mtime(s, "pub/in/c", -5, 0);
	set_mtime(s, "pub/in/d", 2000, 5);
	assert_string_equal(sorted(s, STORAGE_BY_NAME, false), "a b c d ");
	assert_string_equal(sorted(s, STORAGE_BY_NAME, true), "d c b a ");
	assert_string_equal(sorted(s, STORAGE_BY_TIME, false), "b a d c ");
	assert_string_equal(sorted(s, STORAGE_BY_TIME, true), "c d a b ");
	assert_string_equal(sorted(s, STORAGE_BY_SIZE, false), "a c d b ");
	assert_string_equal(sorted(s, STORAGE_BY_SIZE, true), "b d c a ");
}

static void
a_large_directory_is_not_sorted_in_part(void **state)
{
	static const size_t sizes[] = { STORAGE_SORT_MAX,
		STORAGE_SORT_MAX + 1 };
	struct site *s = *state;
	struct storage_dir *d;
	size_t have = 0;
	int dir;

	assert_int_equal(mkdirat(s->root, "big", 0755), 0);
	dir = openat(s->root, "big", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		fill(dir, have, sizes[i], 1);
		have = sizes[i];
		for (int order = 0; order <= STORAGE_BY_SIZE; order++) {
			assert_int_equal(s->st->ops->open_dir(s->st,
			    SV("big"), STORAGE_WAIT, &d), STORAGE_OK);
			assert_int_equal(s->st->ops->sort(d,
			    (enum storage_order)order, true), i == 0 ?
			    STORAGE_OK : STORAGE_TOO_MANY);
			s->st->ops->close_dir(d);
		}
	}
	close(dir);
}

static void
beneath_an_open_directory_no_link_is_followed(void **state)
{
	struct site *s = *state;
	struct storage_dir *top, *d = NULL;
	struct storage_entry e;

	assert_int_equal(mkdirat(s->root, "pub/in/deep", 0755), 0);
	assert_int_equal(symlinkat("../../file.txt", s->root,
	    "pub/in/deep/link"), 0);
	assert_int_equal(symlinkat("in", s->root, "pub/to-in"), 0);
	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub"), STORAGE_WAIT,
	    &top), STORAGE_OK);
	assert_int_equal(s->st->ops->open_dir_in(top, SV("to-in"), &d),
	    STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->open_dir_in(top, SV("to-in/deep"), &d),
	    STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->open_dir_in(top, SV(".."), &d),
	    STORAGE_NOT_FOUND);
	assert_int_equal(s->st->ops->open_dir_in(top, SV("file.txt"), &d),
	    STORAGE_NOT_DIR);
	assert_int_equal(s->st->ops->open_dir_in(top, SV("in/gone"), &d),
	    STORAGE_NOT_FOUND);
	assert_null(d);
	assert_int_equal(s->st->ops->open_dir_in(top, SV("in/deep"), &d),
	    STORAGE_OK);
	s->st->ops->close_dir(top);
	/* It knows where it is: the link in it is seen to stay inside. */
	assert_int_equal(s->st->ops->next(d, true, &e), STORAGE_OK);
	assert_string_equal(e.name.ptr, "link");
	assert_int_equal(s->st->ops->next(d, true, &e), STORAGE_NOT_FOUND);
	s->st->ops->close_dir(d);
}

/* The whole directory removed: that listing was not complete. */
static void
an_error_is_not_the_end(void **state)
{
	struct site *s = *state;
	struct storage_entry e;
	struct storage_dir *d;

	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub/in"),
	    STORAGE_WAIT, &d), STORAGE_OK);
	assert_int_equal(unlinkat(s->root, "pub/in", AT_REMOVEDIR), 0);
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_IO);
	s->st->ops->close_dir(d);
}

static void
a_link_tells_what_it_leads_to(void **state)
{
	struct site *s = *state;
	struct storage_stat file;
	struct storage_entry e;
	struct storage_dir *d;

	assert_int_equal(symlinkat("../file.txt", s->root, "pub/in/link"), 0);
	assert_int_equal(try_stat(s->st, SV("pub/file.txt"), &file),
	    STORAGE_OK);
	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub/in"),
	    STORAGE_WAIT, &d), STORAGE_OK);
	assert_int_equal(s->st->ops->next(d, false, &e), STORAGE_OK);
	assert_true(S_ISLNK(e.stat.mode));
	assert_int_equal(e.to.mode, file.mode);
	assert_int_equal(e.to.size, file.size);
	assert_int_equal(e.to.ino, file.ino);
	s->st->ops->close_dir(d);
}

/* Links cannot be tried without a descriptor: no silent gap. */
static void
short_descriptors_are_busy(void **state)
{
	struct site *s = *state;
	struct rlimit before, none;
	struct storage_entry e;
	struct storage_dir *d;
	enum storage_err opened, listed;

	assert_int_equal(symlinkat("../file.txt", s->root, "pub/in/link"), 0);
	assert_int_equal(s->st->ops->open_dir(s->st, SV("pub/in"),
	    STORAGE_WAIT, &d), STORAGE_OK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit) { 0, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	opened = try_open(s->st, SV("pub/file.txt"), STORAGE_WAIT);
	listed = s->st->ops->next(d, true, &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(opened, STORAGE_BUSY);
	assert_int_equal(listed, STORAGE_BUSY);
	s->st->ops->close_dir(d);
}

static void
the_root_must_be_a_directory(void **state)
{
	struct site *s = *state;
	int fd = openat(s->root, "pub/file.txt", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_null(storage_posix_new(fd));
	assert_int_equal(errno, ENOTDIR);
	close(fd);
	assert_null(storage_posix_new(-1));
	assert_int_equal(errno, EBADF);
	storage_posix_free(NULL);
}

static void
now_answers_what_is_in_memory(void **state)
{
	struct site *s = *state;
	enum storage_err file = STORAGE_LATER, stat = STORAGE_LATER;
	enum storage_err dir = STORAGE_LATER;
	struct storage_stat got;
	struct storage_dir *d;

	/* A rename elsewhere in the system may send one try away. */
	for (int i = 0; i < 1000 && (file != STORAGE_OK ||
	    stat != STORAGE_OK || dir != STORAGE_OK); i++) {
		assert_int_equal(try_open(s->st, SV("pub/file.txt"),
		    STORAGE_WAIT), STORAGE_OK);
		file = try_open(s->st, SV("pub/file.txt"), STORAGE_NOW);
		stat = s->st->ops->stat(s->st, SV("pub"), STORAGE_NOW, &got);
		dir = s->st->ops->open_dir(s->st, SV("pub"), STORAGE_NOW, &d);
		if (dir == STORAGE_OK)
			s->st->ops->close_dir(d);
		if (file == STORAGE_LATER && stat == STORAGE_LATER &&
		    dir == STORAGE_LATER && i > 100)
			skip(); /* a file system or kernel without it */
	}
	assert_int_equal(file, STORAGE_OK);
	assert_int_equal(stat, STORAGE_OK);
	assert_int_equal(dir, STORAGE_OK);
}

/* What was just written is in memory; /dev/shm has nothing but memory. */
static void
read_now_gives_all_or_nothing(void **state)
{
	static const struct {
		size_t n;
		uint64_t offset;
		const char *expected;
	} table[] = {
		{ 6, 0, "inside" }, { 2, 4, "de" }, { 1, 0, "i" },
		{ 7, 0, NULL }, { 2, 5, NULL }, { 1, 6, NULL },
		{ 1, (uint64_t)1 << 40, NULL },
	};
	struct site *s = *state;
	struct storage_stat got;
	char bytes[8];
	int fd;

	assert_int_equal(s->st->ops->open(s->st, SV("pub/file.txt"),
	    STORAGE_WAIT, &fd, &got), STORAGE_OK);
	if (s->st->ops->read_now(s->st, fd, &got, bytes, 6, 0) < 0) {
		close(fd);
		/* A file system without it; memory has no such excuse. */
		assert_int_not_equal(strncmp(s->base, "/dev/shm", 8), 0);
		skip();
	}
	for (size_t i = 0; i < COUNT(table); i++) {
		ssize_t n = s->st->ops->read_now(s->st, fd, &got, bytes,
		    table[i].n, table[i].offset);

		if (table[i].expected == NULL) {
			assert_int_equal(n, -1);
			continue;
		}
		assert_int_equal(n, table[i].n);
		assert_memory_equal(bytes, table[i].expected, table[i].n);
	}
	close(fd);
}

/* Another file system inside may be slow: a disk thread shall see. */
static void
now_does_not_enter_mounts(void **state)
{
	static const char *const mounts[] = { "proc", "dev", "dev/shm", "sys",
		"run", "tmp" };
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct storage *st = storage_posix_new(root);
	struct storage_stat top, got;

	(void)state;
	assert_non_null(st);
	assert_int_equal(try_stat(st, SV(""), &top), STORAGE_OK);
	for (size_t i = 0; i < COUNT(mounts); i++) {
		struct sv path = sv_of(mounts[i]);

		if (try_stat(st, path, &got) == STORAGE_OK &&
		    got.dev != top.dev &&
		    st->ops->stat(st, path, STORAGE_NOW, &got) !=
		    STORAGE_LATER)
			fail_msg("%s", mounts[i]);
	}
	storage_posix_free(st);
}

/* ---- races ---- */

struct flipper {
	int root;
	const char *a, *b;
	atomic_bool stop;
	pthread_t thread;
};

static void *
flip(void *arg)
{
	struct flipper *f = arg;

	while (!atomic_load(&f->stop))
		renameat2(f->root, f->a, f->root, f->b, RENAME_EXCHANGE);
	return NULL;
}

static void
flipper_start(struct flipper *f)
{
	if (renameat2(f->root, f->a, f->root, f->b, RENAME_EXCHANGE) != 0)
		skip();
	assert_int_equal(pthread_create(&f->thread, NULL, flip, f), 0);
}

static void
flipper_stop(struct flipper *f)
{
	atomic_store(&f->stop, true);
	pthread_join(f->thread, NULL);
}

/* Opens path again and again; whatever opens must be the file inside. */
static void
open_many(struct site *s, const char *path, unsigned count[STORAGE_IO + 1])
{
	int rounds = IS_SLOW ? 10000 : 50000;

	for (int i = 0; i < rounds; i++) {
		enum storage_when when = i % 2 == 0 ? STORAGE_WAIT :
		    STORAGE_NOW;
		struct storage_stat got;
		char bytes[8];
		int fd;
		enum storage_err err = s->st->ops->open(s->st, sv_of(path),
		    when, &fd, &got);

		count[err]++;
		if (err != STORAGE_OK)
			continue;
		assert_int_equal(read(fd, bytes, sizeof(bytes)), 6);
		assert_memory_equal(bytes, "inside", 6);
		close(fd);
	}
}

static void
swapping_a_directory_for_a_link_gains_nothing(void **state)
{
	struct site *s = *state;
	struct flipper f = { .root = s->root, .a = "flip", .b = "flop" };
	unsigned count[STORAGE_IO + 1] = { 0 };

	mkdirat(s->root, "flip", 0755);
	put(s->root, "flip/file.txt", "inside");
	assert_int_equal(symlinkat("../outside", s->root, "flop"), 0);
	assert_int_equal(symlinkat("../flip/file.txt", s->root, "pub/link"),
	    0);
	flipper_start(&f);
	open_many(s, "flip/file.txt", count);
	open_many(s, "pub/link", count);
	flipper_stop(&f);
	assert_true(count[STORAGE_OK] > 0);
	assert_true(count[STORAGE_NOT_FOUND] > 0);
	assert_int_equal(count[STORAGE_IO], 0);
}

static void
swapping_a_file_for_a_link_gains_nothing(void **state)
{
	struct site *s = *state;
	struct flipper f = { .root = s->root, .a = "pub/file.txt",
		.b = "pub/in/link" };
	unsigned count[STORAGE_IO + 1] = { 0 };

	assert_int_equal(symlinkat("../../secret.txt", s->root,
	    "pub/in/link"), 0);
	flipper_start(&f);
	open_many(s, "pub/file.txt", count);
	open_many(s, "pub/in/link", count);
	flipper_stop(&f);
	assert_true(count[STORAGE_OK] > 0);
	assert_true(count[STORAGE_NOT_FOUND] > 0);
}

static void
swapping_a_file_for_a_fifo_does_not_hang(void **state)
{
	struct site *s = *state;
	struct flipper f = { .root = s->root, .a = "pub/file.txt",
		.b = "pub/fifo" };
	unsigned count[STORAGE_IO + 1] = { 0 };

	assert_int_equal(mkfifoat(s->root, "pub/fifo", 0666), 0);
	flipper_start(&f);
	alarm(60);
	open_many(s, "pub/file.txt", count);
	alarm(0);
	flipper_stop(&f);
	assert_true(count[STORAGE_OK] > 0);
	assert_true(count[STORAGE_NOT_FILE] > 0);
}

/* Nothing moves that is read here, so nothing may fail but a NOW. */
static void
renames_elsewhere_do_no_harm(void **state)
{
	struct site *s = *state;
	struct flipper f = { .root = s->root, .a = "a", .b = "b" };
	unsigned count[STORAGE_IO + 1] = { 0 };

	put(s->root, "a", "");
	mkdirat(s->root, "b", 0755);
	assert_int_equal(symlinkat("../../pub/in/../file.txt", s->root,
	    "pub/in/link"), 0);
	flipper_start(&f);
	open_many(s, "pub/in/link", count);
	flipper_stop(&f);
	assert_true(count[STORAGE_OK] > 0);
	assert_int_equal(count[STORAGE_OK] + count[STORAGE_LATER] +
	    count[STORAGE_BUSY], IS_SLOW ? 10000 : 50000);
	/* A bounded number of tries is lost now and then, but seldom. */
	assert_true(count[STORAGE_BUSY] < count[STORAGE_OK] / 20);
}

/* A link that becomes a file while it is listed is there all the same. */
static void
swapping_during_a_listing_loses_nothing(void **state)
{
	struct site *s = *state;
	struct flipper f = { .root = s->root, .a = "pub/file.txt",
		.b = "pub/link" };

	unsigned failed = 0;

	assert_int_equal(symlinkat("in", s->root, "pub/link"), 0);
	flipper_start(&f);
	for (int i = 0; i < 5000; i++) {
		char *text = list(s->st, "pub", i % 2 == 0);

		if (text != NULL) {
			assert_non_null(strstr(text, "file.txt"));
			assert_non_null(strstr(text, "link"));
		} else {
			failed++;
		}
		free(text);
	}
	flipper_stop(&f);
	/* To give up after some looks is an error, not a gap, and seldom. */
	assert_true(failed < 50);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, site_open, site_close)
#define TEST_IN_MEMORY(function) \
	cmocka_unit_test_setup_teardown(function, site_open_in_memory, \
	    site_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_inside_is_found),
		TEST(each_failure_has_its_name),
		TEST(no_spelling_leads_outside),
		TEST(links_stay_inside),
		cmocka_unit_test(magic_links_are_not_followed),
		TEST(special_files_are_refused_at_once),
		cmocka_unit_test(devices_are_not_files),
		TEST_IN_MEMORY(deep_trees_are_reached),
		TEST(names_are_bytes),
		TEST(what_is_forbidden_is_denied),
		TEST_IN_MEMORY(every_entry_comes_exactly_once),
		TEST_IN_MEMORY(long_names_come_exactly_once),
		TEST(what_disappears_is_left_out),
		TEST(entries_come_in_the_order_asked_for),
		TEST_IN_MEMORY(a_large_directory_is_not_sorted_in_part),
		TEST(beneath_an_open_directory_no_link_is_followed),
		TEST(an_error_is_not_the_end),
		TEST(a_link_tells_what_it_leads_to),
		TEST(short_descriptors_are_busy),
		TEST(the_root_must_be_a_directory),
		TEST(now_answers_what_is_in_memory),
		TEST(read_now_gives_all_or_nothing),
		TEST_IN_MEMORY(read_now_gives_all_or_nothing),
		cmocka_unit_test(now_does_not_enter_mounts),
		TEST(swapping_a_directory_for_a_link_gains_nothing),
		TEST(swapping_a_file_for_a_link_gains_nothing),
		TEST(swapping_a_file_for_a_fifo_does_not_hang),
		TEST(renames_elsewhere_do_no_harm),
		TEST(swapping_during_a_listing_loses_nothing),
	};

	return RUN(tests);
}
