/*
 * index/hash.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 3
#define TICK_NS 50000000LL	/* a kernel's clock tick is at most 10 ms */
#define COARSE_NS 2000000000LL	/* time stamps of FAT; others have 1 s */
#define SECOND_NS 1000000000LL

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && same_time(a->st_mtim, b->st_mtim) &&
	    same_time(a->st_ctim, b->st_ctim);
}

/* Waits until a change would get another time stamp than the last one. */
static void
let_rest(const struct stat *st)
{
	struct timespec now, rest;
	long long age, tick = st->st_ctim.tv_nsec == 0 ? COARSE_NS : TICK_NS;

	/* Far away, and in nanoseconds beyond a number: not just now. */
	clock_gettime(CLOCK_REALTIME, &now);
	if (st->st_ctim.tv_sec < now.tv_sec - 3 ||
	    st->st_ctim.tv_sec > now.tv_sec + 3)
		return;
	age = (long long)(now.tv_sec - st->st_ctim.tv_sec) * SECOND_NS +
	    now.tv_nsec - st->st_ctim.tv_nsec;
	if (age < 0)
		age = 0;
	if (age >= tick)
		return;
	rest.tv_sec = (time_t)((tick - age) / SECOND_NS);
	rest.tv_nsec = (long)((tick - age) % SECOND_NS);
	nanosleep(&rest, NULL);
}

/* Reads to the end, or one byte beyond what it should be. */
static enum index_outcome
read_all(const struct index_hasher *h, int fd, const struct stat *st,
    struct index_item *item)
{
	uint64_t total = 0;
	ssize_t n;

	if (!digest_sha256_begin(h->digest)) {
		item->error = EIO;
		return INDEX_FAILED;
	}
	while ((n = read(fd, h->buffer, INDEX_BUFFER)) != 0) {
		if (atomic_load(h->stop))
			return INDEX_STOPPED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			item->error = errno;
			return INDEX_FAILED;
		}
		total += (uint64_t)n;
		atomic_fetch_add(h->bytes, (uint64_t)n);
		if (total > (uint64_t)st->st_size)
			return INDEX_CHANGES;
		(void)digest_sha256_add(h->digest, h->buffer, (size_t)n);
	}
	return total == (uint64_t)st->st_size ? INDEX_READ : INDEX_CHANGES;
}

/* One try, of what is open. */
static enum index_outcome
hash_open(const struct index_hasher *h, int fd, struct index_item *item)
{
	struct stat before, after;
	enum index_outcome outcome;

	if (fstat(fd, &before) != 0) {
		item->error = errno;
		return INDEX_FAILED;
	}
	if (!S_ISREG(before.st_mode))
		return INDEX_CHANGES;
	let_rest(&before);
	outcome = read_all(h, fd, &before, item);
	if (outcome != INDEX_READ)
		return outcome;
	if (fstat(fd, &after) != 0 ||
	    !digest_sha256_finish(h->digest, item->now.hash)) {
		item->error = EIO;
		return INDEX_FAILED;
	}
	if (!is_same(&before, &after)) {
		item->now.hash[0] = '\0';
		return INDEX_CHANGES;
	}
	item->now.size = (uint64_t)after.st_size;
	index_time_format(after.st_mtim, item->now.mtime);
	return INDEX_READ;
}

/*
 * Opened for each try, since a file that is replaced by rename(2) has its new
 * state under the name and not in the descriptor.
 */
void
index_hash_file(const struct index_hasher *h, struct index_item *item)
{
	for (int i = 0; i < TRIES; i++) {
		int fd = index_open_beneath(h->root, item->raw,
		    O_RDONLY | O_NONBLOCK | O_NOCTTY);

		if (fd < 0) {
			item->error = errno;
			item->outcome = errno == ENOENT || errno == ENOTDIR ||
			    errno == ELOOP ? INDEX_GONE : INDEX_FAILED;
			return;
		}
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		item->outcome = hash_open(h, fd, item);
		close(fd);
		if (item->outcome != INDEX_CHANGES)
			return;
	}
}
