/*
 * storage/hash_store.c: see the header.
 *
 * A header of one page, then sets of eight entries.  A key's set is chosen by
 * a hash of it; within a set the same file's older state goes first, then a
 * free or torn place, then the entry that was written longest ago.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/hash_store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; libc's headers are older */
#endif

#define WAYS 8
#define WAYS_OF_WHOLE 6		/* the rest is for parts of files */
#define HEADER_BYTES 4096
#define VERSION 1
#define BYTE_ORDER_MARK 0x01020304u

struct header {
	char magic[16];
	uint32_t version, byte_order, entry_bytes, ways;
	uint64_t entries;
	char zero[HEADER_BYTES - 40];
};

struct entry {
	uint64_t check;		/* over all that follows */
	uint64_t dev, ino, size, first, last;
	int64_t mtime, ctime;
	int64_t written;	/* nanoseconds since 1970 */
	uint32_t mtime_ns, ctime_ns, algorithm, length;
	uint8_t digest[HASH_STORE_DIGEST];
	uint8_t zero[8];
};

static_assert(sizeof(struct header) == HEADER_BYTES, "one page");
static_assert(sizeof(struct entry) == 160, "no padding: it is compared");

static const char magic[16] = "PORTCULLIS-HASH";

/* FNV-1a.  It finds what was torn; who may write may lie (see hash.md). */
static uint64_t
fold(uint64_t h, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return h;
}

#define FOLD_START 14695981039346656037u

static uint64_t
check_of(const struct entry *e)
{
	return fold(FOLD_START, (const char *)e + sizeof(e->check),
	    sizeof(*e) - sizeof(e->check));
}

static struct header
header_of(uint64_t entries)
{
	struct header h = { .version = VERSION, .byte_order = BYTE_ORDER_MARK,
		.entry_bytes = sizeof(struct entry), .ways = WAYS,
		.entries = entries };

	memcpy(h.magic, magic, sizeof(magic));
	return h;
}

static off_t
bytes_of(uint64_t entries)
{
	return (off_t)(HEADER_BYTES + entries * sizeof(struct entry));
}

/* Whole sets. */
static uint64_t
rounded(uint32_t entries)
{
	return ((uint64_t)entries + WAYS - 1) / WAYS * WAYS;
}

static int
unnamed_file(void)
{
	int fd = memfd_create("portcullis.hash", MFD_CLOEXEC |
	    MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("portcullis.hash", MFD_CLOEXEC |
		    MFD_ALLOW_SEALING);
	return fd;
}

/* Sparse: what is never known takes no room. */
static bool
write_new(int fd, uint64_t entries)
{
	struct header h = header_of(entries);

	return ftruncate(fd, bytes_of(entries)) == 0 &&
	    pwrite(fd, &h, sizeof(h), 0) == sizeof(h);
}

static int
make_in_memory(uint64_t entries, char why[HASH_STORE_WHY])
{
	int fd = unnamed_file();

	if (fd >= 0 && write_new(fd, entries) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_SEAL) == 0)
		return fd;
	snprintf(why, HASH_STORE_WHY, "no memory for it: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* NULL: it is a store of ours, of so many entries. */
static const char *
fault_of(int fd, uint64_t *entries)
{
	struct header h, want;
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return "is no plain file";
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h) ||
	    memcmp(h.magic, magic, sizeof(magic)) != 0)
		return "is no store of digests; name another file";
	want = header_of(h.entries);
	if (memcmp(&h, &want, sizeof(h)) != 0)
		return "is of another version or machine; remove it";
	if (h.entries == 0 || h.entries % WAYS != 0 ||
	    h.entries > UINT32_MAX + (uint64_t)WAYS ||
	    st.st_size != bytes_of(h.entries))
		return "is damaged; remove it";
	*entries = h.entries;
	return NULL;
}

static bool
is_usable(int fd, uint64_t entries, char why[HASH_STORE_WHY])
{
	uint64_t found = 0;
	const char *fault;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0 &&
	    !write_new(fd, entries)) {
		snprintf(why, HASH_STORE_WHY, "cannot be written: %s",
		    strerror(errno));
		return false;
	}
	fault = fault_of(fd, &found);
	if (fault != NULL)
		snprintf(why, HASH_STORE_WHY, "%s", fault);
	else if (found != entries)
		snprintf(why, HASH_STORE_WHY, "is for %llu entries; remove it, "
		    "or set hash.entries to that", (unsigned long long)found);
	return fault == NULL && found == entries;
}

int
hash_store_make(const char *path, uint32_t entries, char why[HASH_STORE_WHY])
{
	int fd;

	if (path[0] == '\0')
		return make_in_memory(rounded(entries), why);
	/* O_NONBLOCK: a FIFO must not hold up the start. */
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	if (fd < 0) {
		snprintf(why, HASH_STORE_WHY, "cannot be opened: %s",
		    strerror(errno));
		return -1;
	}
	if (is_usable(fd, rounded(entries), why))
		return fd;
	close(fd);
	return -1;
}

void
hash_store_mend(int fd, uint32_t entries)
{
	uint64_t found = 0;

	if (fault_of(fd, &found) != NULL || found != rounded(entries))
		(void)!write_new(fd, rounded(entries));
}

bool
hash_store_open(struct hash_store *s, int fd)
{
	struct statfs fs;
	uint64_t entries;

	*s = (struct hash_store) { .fd = -1 };
	if (fault_of(fd, &entries) != NULL)
		return false;
	*s = (struct hash_store) { .fd = fd, .sets = entries / WAYS,
		.in_memory = fstatfs(fd, &fs) == 0 &&
		    fs.f_type == TMPFS_MAGIC };
	return true;
}

/* The entry that would hold it, but for check, time and digest. */
static struct entry
entry_of(const struct hash_key *k)
{
	return (struct entry) { .dev = k->dev, .ino = k->ino, .size = k->size,
		.first = k->first, .last = k->last, .mtime = k->mtime,
		.ctime = k->ctime, .mtime_ns = k->mtime_ns,
		.ctime_ns = k->ctime_ns, .algorithm = k->algorithm };
}

/* The same bytes of a file of that number, in whatever state. */
static bool
is_same_place(const struct entry *a, const struct entry *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->first == b->first &&
	    a->algorithm == b->algorithm;
}

static bool
is_same(const struct entry *a, const struct entry *b)
{
	return is_same_place(a, b) && a->size == b->size &&
	    a->last == b->last && a->mtime == b->mtime &&
	    a->ctime == b->ctime && a->mtime_ns == b->mtime_ns &&
	    a->ctime_ns == b->ctime_ns;
}

static bool
is_sound(const struct entry *e)
{
	return e->length > 0 && e->length <= sizeof(e->digest) &&
	    e->check == check_of(e);
}

/* By what does not change with the file, so that an old state is met. */
static off_t
set_at(const struct hash_store *s, const struct entry *e)
{
	uint64_t h = fold(FOLD_START, &e->dev, sizeof(e->dev));

	h = fold(h, &e->ino, sizeof(e->ino));
	h = fold(h, &e->algorithm, sizeof(e->algorithm));
	h ^= h >> 32;
	return (off_t)(HEADER_BYTES + h % s->sets * WAYS *
	    sizeof(struct entry));
}

enum hash_store_answer
hash_store_get(const struct hash_store *s, const struct hash_key *key,
    enum hash_store_when when, uint8_t digest[HASH_STORE_DIGEST])
{
	struct entry want = entry_of(key), set[WAYS];
	struct iovec iov = { set, sizeof(set) };
	ssize_t n;

	if (s->fd < 0)
		return HASH_STORE_UNKNOWN;
	n = preadv2(s->fd, &iov, 1, set_at(s, &want),
	    when == HASH_STORE_NOW && !s->in_memory ? RWF_NOWAIT : 0);
	if (n != sizeof(set))
		return when == HASH_STORE_NOW ? HASH_STORE_LATER :
		    HASH_STORE_UNKNOWN;
	for (size_t i = 0; i < WAYS; i++) {
		if (!is_same(&set[i], &want) || !is_sound(&set[i]))
			continue;
		memcpy(digest, set[i].digest, sizeof(set[i].digest));
		return HASH_STORE_KNOWN;
	}
	return HASH_STORE_UNKNOWN;
}

/* Which of the places from `from` to before `to` it takes. */
static size_t
place_for(const struct entry *set, size_t from, size_t to,
    const struct entry *e)
{
	size_t oldest = from;

	for (size_t i = from; i < to; i++)
		if (is_same_place(&set[i], e))
			return i;
	for (size_t i = from; i < to; i++) {
		if (!is_sound(&set[i]))
			return i;
		if (set[i].written < set[oldest].written)
			oldest = i;
	}
	return oldest;
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
hash_store_put(const struct hash_store *s, const struct hash_key *key,
    const uint8_t *digest, size_t n)
{
	struct entry e = entry_of(key), set[WAYS];
	bool whole = key->first == 0 &&
	    (key->size == 0 || key->last == key->size - 1);
	size_t i;

	if (s->fd < 0 || n > sizeof(e.digest) ||
	    pread(s->fd, set, sizeof(set), set_at(s, &e)) != sizeof(set))
		return;
	i = place_for(set, whole ? 0 : WAYS_OF_WHOLE,
	    whole ? WAYS_OF_WHOLE : WAYS, &e);
	memcpy(e.digest, digest, n);
	e.length = (uint32_t)n;
	e.written = now_ns();
	e.check = check_of(&e);
	/* Not kept (a full disk) is not known. */
	(void)!pwrite(s->fd, &e, sizeof(e), set_at(s, &e) +
	    (off_t)(i * sizeof(e)));
}
