/*
 * storage/quota.c: see the header.
 *
 * One page: a head and a row for each process.  It is read and written by
 * pread and pwrite under a lock, and not mapped: a disk that is full or fails
 * would kill who touches a mapping.  The locks are those of open file
 * descriptions, on bytes far behind the page: they end with a process however
 * it ends, and cannot be taken for those of a later one of the same number.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/quota.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define LOCK_TABLE (1 << 20)
#define LOCK_NAMES (LOCK_TABLE + 1)
#define LOCK_COUNT (LOCK_TABLE + 2)
#define LOCK_ROWS  (LOCK_TABLE + 3)
#define VERSION 1

struct row {
	struct quota_amount reserved;	/* and kept among them */
	struct quota_amount kept;
};

struct page {
	char magic[16];
	uint32_t version;
	uint32_t is_counted;
	uint64_t boot;
	uint64_t recounts;	/* under way: 0 or 1 */
	struct quota_amount used;
	struct quota_amount added;	/* while it is counted anew */
	struct row row[QUOTA_PROCESSES];
	char zero[4096 - 72 - QUOTA_PROCESSES * sizeof(struct row)];
};

static_assert(sizeof(struct page) == 4096, "written at once");

struct quota {
	int fd;
	size_t row;
	struct quota_amount limit;
	bool recounts;		/* this process does */
	pthread_mutex_t table, names;	/* between the threads of a process */
};

static const char magic[16] = "PORTCULLIS-QUOT";

static uint64_t
plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void
add(struct quota_amount *to, struct quota_amount what)
{
	to->bytes = plus(to->bytes, what.bytes);
	to->files = plus(to->files, what.files);
}

/* Never below nothing: that would be more than everything. */
static void
take(struct quota_amount *from, struct quota_amount what)
{
	from->bytes -= what.bytes < from->bytes ? what.bytes : from->bytes;
	from->files -= what.files < from->files ? what.files : from->files;
}

static bool
is_nothing(struct quota_amount a)
{
	return a.bytes == 0 && a.files == 0;
}

static bool
lock_byte(int fd, short type, off_t at, int how)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET,
		.l_start = at, .l_len = 1 };
	int got;

	do {
		got = fcntl(fd, how, &l);
	} while (got != 0 && errno == EINTR);
	return got == 0;
}

static bool
read_page(int fd, struct page *p)
{
	ssize_t n = pread(fd, p, sizeof(*p), 0);

	if (n == 0) {
		*p = (struct page) { .version = VERSION };
		memcpy(p->magic, magic, sizeof(magic));
		return true;
	}
	return n == sizeof(*p) && memcmp(p->magic, magic, sizeof(magic)) == 0 &&
	    p->version == VERSION;
}

/* False: neither locked nor read. */
static bool
begin(struct quota *q, struct page *p)
{
	pthread_mutex_lock(&q->table);
	if (lock_byte(q->fd, F_WRLCK, LOCK_TABLE, F_OFD_SETLKW)) {
		if (read_page(q->fd, p))
			return true;
		lock_byte(q->fd, F_UNLCK, LOCK_TABLE, F_OFD_SETLK);
	}
	pthread_mutex_unlock(&q->table);
	return false;
}

static void
end(struct quota *q)
{
	lock_byte(q->fd, F_UNLCK, LOCK_TABLE, F_OFD_SETLK);
	pthread_mutex_unlock(&q->table);
}

static enum storage_err
end_written(struct quota *q, const struct page *p)
{
	bool written = pwrite(q->fd, p, sizeof(*p), 0) == sizeof(*p);

	end(q);
	return written ? STORAGE_OK : STORAGE_WRITE;
}

/* Of a process that is no more; its row's lock is ours for the moment. */
static void
give_back(struct page *p, size_t i)
{
	add(&p->used, p->row[i].kept);
	if (p->recounts > 0)
		add(&p->added, p->row[i].kept);
	p->row[i] = (struct row) { 0 };
}

static void
give_back_the_dead(const struct quota *q, struct page *p)
{
	for (size_t i = 0; i < QUOTA_PROCESSES; i++) {
		off_t at = LOCK_ROWS + (off_t)i;

		if (i == q->row || is_nothing(p->row[i].reserved) ||
		    !lock_byte(q->fd, F_WRLCK, at, F_OFD_SETLK))
			continue;
		give_back(p, i);
		lock_byte(q->fd, F_UNLCK, at, F_OFD_SETLK);
	}
}

static struct quota_amount
reserved_by_all(const struct page *p)
{
	struct quota_amount sum = { 0, 0 };

	for (size_t i = 0; i < QUOTA_PROCESSES; i++)
		add(&sum, p->row[i].reserved);
	return sum;
}

static bool
fits(const struct quota *q, const struct page *p, struct quota_amount more)
{
	struct quota_amount sum = reserved_by_all(p);

	add(&sum, p->used);
	add(&sum, more);
	return sum.bytes <= q->limit.bytes && sum.files <= q->limit.files;
}

static bool
take_row(struct quota *q)
{
	for (size_t i = 0; i < QUOTA_PROCESSES; i++)
		if (lock_byte(q->fd, F_WRLCK, LOCK_ROWS + (off_t)i,
		    F_OFD_SETLK)) {
			q->row = i;
			return true;
		}
	return false;
}

/* The page as this process is to find it. */
static enum storage_err
join(struct quota *q, uint64_t boot)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	if (!take_row(q)) {
		end(q);
		return STORAGE_BUSY;
	}
	give_back(&p, q->row);
	give_back_the_dead(q, &p);
	if (p.boot != boot) {
		p.boot = boot;
		p.is_counted = 0;
		if (lock_byte(q->fd, F_WRLCK, LOCK_COUNT, F_OFD_SETLK)) {
			p.recounts = 0;	/* whoever did it is no more */
			lock_byte(q->fd, F_UNLCK, LOCK_COUNT, F_OFD_SETLK);
		}
	}
	return end_written(q, &p);
}

static void
quota_free(struct quota *q)
{
	pthread_mutex_destroy(&q->table);
	pthread_mutex_destroy(&q->names);
	free(q);
}

enum storage_err
quota_open(int fd, struct quota_amount limit, uint64_t boot,
    struct quota **out)
{
	struct quota *q = calloc(1, sizeof(*q));
	enum storage_err err;

	if (q == NULL)
		return STORAGE_BUSY;
	q->fd = fd;
	q->row = QUOTA_PROCESSES;
	q->limit = limit;
	pthread_mutex_init(&q->table, NULL);
	pthread_mutex_init(&q->names, NULL);
	err = join(q, boot);
	if (err != STORAGE_OK) {
		quota_free(q);
		return err;
	}
	*out = q;
	return STORAGE_OK;
}

void
quota_close(struct quota *q)
{
	struct page p;

	if (q == NULL)
		return;
	if (begin(q, &p)) {
		give_back(&p, q->row);
		(void)end_written(q, &p);
	}
	close(q->fd);
	quota_free(q);
}

enum storage_err
quota_reserve(struct quota *q, struct quota_amount more, bool kept)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	if (!fits(q, &p, more)) {
		give_back_the_dead(q, &p);
		if (!fits(q, &p, more)) {
			enum storage_err err = end_written(q, &p);

			return err == STORAGE_OK ? STORAGE_OVER_QUOTA : err;
		}
	}
	add(&p.row[q->row].reserved, more);
	if (kept)
		add(&p.row[q->row].kept, more);
	return end_written(q, &p);
}

void
quota_release(struct quota *q, struct quota_amount less, bool kept)
{
	struct page p;

	if (!begin(q, &p))
		return;
	take(&p.row[q->row].reserved, less);
	if (kept)
		take(&p.row[q->row].kept, less);
	(void)end_written(q, &p);
}

enum storage_err
quota_keep(struct quota *q, struct quota_amount what)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	add(&p.row[q->row].kept, what);
	return end_written(q, &p);
}

enum storage_err
quota_take_up(struct quota *q, struct quota_amount what)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	take(&p.used, what);
	add(&p.row[q->row].reserved, what);
	add(&p.row[q->row].kept, what);
	return end_written(q, &p);
}

enum storage_err
quota_settle(struct quota *q, struct quota_amount reserved, bool kept,
    struct quota_amount used)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	take(&p.row[q->row].reserved, reserved);
	if (kept)
		take(&p.row[q->row].kept, reserved);
	add(&p.used, used);
	if (p.recounts > 0)
		add(&p.added, used);
	return end_written(q, &p);
}

void
quota_forget(struct quota *q, struct quota_amount gone)
{
	struct page p;

	if (q == NULL || !begin(q, &p))
		return;
	take(&p.used, gone);
	(void)end_written(q, &p);
}

void
quota_lock_names(struct quota *q)
{
	if (q == NULL)
		return;
	pthread_mutex_lock(&q->names);
	lock_byte(q->fd, F_WRLCK, LOCK_NAMES, F_OFD_SETLKW);
}

void
quota_unlock_names(struct quota *q)
{
	if (q == NULL)
		return;
	lock_byte(q->fd, F_UNLCK, LOCK_NAMES, F_OFD_SETLK);
	pthread_mutex_unlock(&q->names);
}

enum storage_err
quota_recount_begin(struct quota *q)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	if (q->recounts ||
	    !lock_byte(q->fd, F_WRLCK, LOCK_COUNT, F_OFD_SETLK)) {
		end(q);
		return STORAGE_BUSY;
	}
	q->recounts = true;
	give_back_the_dead(q, &p);
	p.recounts = 1;
	p.added = (struct quota_amount) { 0, 0 };
	return end_written(q, &p);
}

enum storage_err
quota_recount_end(struct quota *q, const struct quota_amount *found)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	q->recounts = false;
	lock_byte(q->fd, F_UNLCK, LOCK_COUNT, F_OFD_SETLK);
	if (found == NULL) {
		p.recounts = 0;
		return end_written(q, &p);
	}
	p.used = *found;
	add(&p.used, p.added);
	p.recounts = 0;
	p.is_counted = 1;
	return end_written(q, &p);
}

enum storage_err
quota_read(struct quota *q, struct quota_state *out)
{
	struct page p;

	if (!begin(q, &p))
		return STORAGE_WRITE;
	end(q);
	*out = (struct quota_state) { .used = p.used,
		.reserved = reserved_by_all(&p), .is_counted = p.is_counted };
	return STORAGE_OK;
}
