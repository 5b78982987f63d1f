/*
 * worker/hash_sums.c: digests that whoever made the data left beside it.
 *
 * They are taken as they stand: not computed by us, but what a client would
 * compare with if he had fetched the file himself.  One that is older than
 * the data is about other data.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <unistd.h>

#include "proto/sums.h"
#include "worker/hash.h"

#define PIECE 16384

static bool
is_older(const struct storage_stat *a, const struct storage_stat *b)
{
	return a->mtime < b->mtime ||
	    (a->mtime == b->mtime && a->mtime_ns < b->mtime_ns);
}

/* Whole, and not longer than it was when it was opened. */
static bool
read_sums(const struct hash *h, int fd, uint64_t size, struct sums *sums,
    uint64_t *read)
{
	char piece[PIECE];
	uint64_t at = 0;

	while (at < size) {
		uint64_t left = size - at;
		ssize_t n;

		if (atomic_load(&h->cancel))
			return false;
		n = pread(fd, piece, left < PIECE ? (size_t)left : PIECE,
		    (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (uint64_t)n;
		*read += (uint64_t)n;
		sums_feed(sums, (struct sv) { piece, (size_t)n });
	}
	return true;
}

static bool
ask_file(const struct hash *h, struct sv path, struct sv name, bool bare,
    uint8_t *digest, uint64_t *read)
{
	struct storage *st = h->storage;
	struct storage_stat stat;
	struct sums sums;
	bool known = false;
	int fd = -1;

	if (st->ops->open(st, path, STORAGE_WAIT, &fd, &stat) != STORAGE_OK)
		return false;
	if (stat.size <= HASH_SUMS_MAX && !is_older(&stat, &h->stat)) {
		sums_init(&sums, name, bare);
		known = read_sums(h, fd, stat.size, &sums, read) &&
		    sums_end(&sums, digest);
	}
	close(fd);
	return known;
}

bool
hash_sums_find(const struct hash *h, struct sv path,
    uint8_t digest[HASH_BYTES_MAX], uint64_t *read)
{
	static const struct sv suffix = { ".sha256", 7 },
	    file = { "SHA256SUMS", 10 };
	struct sv name = path_last(path);
	char room[PATH_MAX + 16];
	size_t n = path.len;

	if (n + suffix.len >= PATH_MAX || n - name.len + file.len >= PATH_MAX)
		return false;
	memcpy(room, path.ptr, n);
	memcpy(room + n, suffix.ptr, suffix.len);
	if (ask_file(h, (struct sv) { room, n + suffix.len }, name, true,
	    digest, read))
		return true;
	n -= name.len;
	memcpy(room + n, file.ptr, file.len);
	return ask_file(h, (struct sv) { room, n + file.len }, name, false,
	    digest, read);
}
