/*
 * worker/checksum.c: see the header.
 *
 * NAME.sha256 is read when the upload begins, so that one that is missing or
 * says nothing costs no transfer; one that is replaced meanwhile is for the
 * next upload.  The bytes are digested as they are received: what is read
 * again is only what was there before (REST, APPE).
 *
 * Nothing is judged by a NAME.sha256 that comes behind its file.  Whoever
 * replaces both begins with the checksum, and the old file never fits that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/sums.h"

#define PIECE 65536

static const struct sv suffix = { ".sha256", 7 };

bool
checksum_start(const struct worker *w)
{
	/* hash_start has loaded it where digests are configured. */
	return w->conf.upload_checksum == CONF_CHECKSUM_OFF ||
	    w->conf.hash != CONF_HASH_OFF || !account_is_possible(w) ||
	    digest_load();
}

/* ---- what was announced */

static bool
is_checksum(struct sv path)
{
	return path.len >= suffix.len &&
	    sv_eq(sv_drop(path, path.len - suffix.len), suffix);
}

static bool
read_file(int fd, struct sums *sums)
{
	char piece[4096];
	ssize_t n;

	for (size_t at = 0; at <= CHECKSUM_FILE_MAX; at += (size_t)n) {
		n = pread(fd, piece, sizeof(piece), (off_t)at);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return n == 0;
		sums_feed(sums, (struct sv) { piece, (size_t)n });
	}
	return false;
}

static enum checksum_said
read_checksum(struct lookup *l, struct sv path)
{
	struct storage *st = l->storage;
	struct storage_stat stat;
	struct sums sums;
	bool read;
	int fd = -1;

	l->err = st->ops->open(st, path, STORAGE_WAIT, &fd, &stat);
	if (l->err == STORAGE_NOT_FOUND) {
		l->err = STORAGE_OK;
		return CHECKSUM_MISSING;
	}
	if (l->err != STORAGE_OK)
		return CHECKSUM_SILENT;
	sums_init(&sums, path_last(l->path), true);
	read = read_file(fd, &sums);
	close(fd);
	return read && sums_end(&sums, l->sum) ? CHECKSUM_SAYS :
	    CHECKSUM_SILENT;
}

void
checksum_find(struct lookup *l)
{
	struct sv path = l->path;
	char room[PATH_MAX];

	/* What is dropped has a name that nobody could announce. */
	if (l->w->conf.upload_checksum == CONF_CHECKSUM_OFF ||
	    (l->how.flags & STORAGE_DROP) != 0 || is_checksum(path))
		return;
	if (path.len + suffix.len >= sizeof(room)) {
		l->said = CHECKSUM_MISSING;
		return;
	}
	memcpy(room, path.ptr, path.len);
	memcpy(room + path.len, suffix.ptr, suffix.len);
	l->said = read_checksum(l, (struct sv) { room,
	    path.len + suffix.len });
	/* So is a name that has no room for the suffix. */
	if (l->err == STORAGE_TOO_LONG) {
		l->err = STORAGE_OK;
		l->said = CHECKSUM_MISSING;
	}
}

const char *
checksum_refused(const struct lookup *l)
{
	if (l->said == CHECKSUM_SILENT)
		return "Its .sha256 says nothing about it; replace that.";
	if (l->said == CHECKSUM_MISSING &&
	    l->w->conf.upload_checksum == CONF_CHECKSUM_REQUIRED)
		return "Its SHA-256 has to be here first, as NAME.sha256.";
	return NULL;
}

/* ---- what came */

static enum xfer_step
failed(struct xfer *x, enum storage_err err)
{
	x->err = err;
	return STEP_NOT_STORED;
}

static enum xfer_step
add_old(struct xfer *x, char *piece)
{
	int fd = x->storage->ops->upload_fd(x->upload);
	uint64_t at = 0;

	while (at < x->at) {
		uint64_t left = x->at - at;
		ssize_t n = pread(fd, piece,
		    left < PIECE ? (size_t)left : PIECE, (off_t)at);

		if (xfer_is_cancelled(x))
			return STEP_CANCELLED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return failed(x, STORAGE_IO);
		digest_add(x->digest, piece, (size_t)n);
		at += (uint64_t)n;
	}
	return STEP_DONE;
}

enum xfer_step
checksum_begin(struct xfer *x)
{
	enum xfer_step step;
	char *piece;

	if (!x->has_sum)
		return STEP_DONE;
	x->digest = digest_new(DIGEST_SHA256);
	if (x->digest == NULL)
		return failed(x, STORAGE_BUSY);
	if (x->at == 0)
		return STEP_DONE;
	if ((piece = malloc(PIECE)) == NULL)
		return failed(x, STORAGE_BUSY);
	step = add_old(x, piece);
	free(piece);
	return step;
}

void
checksum_add(struct xfer *x, const void *bytes, size_t n)
{
	if (x->digest != NULL)
		digest_add(x->digest, bytes, n);
}

enum xfer_step
checksum_judge(struct xfer *x)
{
	uint8_t is[DIGEST_BYTES_MAX];

	if (!x->has_sum)
		return STEP_DONE;
	if (x->digest == NULL || !digest_finish(x->digest, is))
		return failed(x, STORAGE_BUSY);
	return memcmp(is, x->sum, SUMS_BYTES) == 0 ? STEP_DONE :
	    STEP_MISMATCH;
}

void
checksum_free(struct xfer *x)
{
	digest_free(x->digest);
	x->digest = NULL;
}
