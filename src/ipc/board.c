/*
 * ipc/board.c: see the header.
 *
 * The content is copied in words, by atomic loads and stores, because a
 * reader does read while the writer writes; which of these copies is whole is
 * then told by the sequence number (Boehm, "Can seqlocks get along with
 * programming language memory models?", 2012).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/board.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; libc's headers are older */
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010 /* Linux 5.1 */
#endif

#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* A write takes about a microsecond; a writer that sleeps is not waited for. */
#define TRIES 64

static int
unnamed_file(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("portcullis.board", flags | MFD_NOEXEC_SEAL);

	if (fd == -1 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create("portcullis.board", flags);
	return fd;
}

bool
board_new(struct board **out, int *fd)
{
	int got = unnamed_file(), saved;
	struct board *b = MAP_FAILED;

	if (got == -1)
		return false;
	if (ftruncate(got, sizeof(*b)) == 0)
		b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED,
		    got, 0);
	/* Behind our own mapping, which is the last that can be written. */
	if (b != MAP_FAILED && fcntl(got, F_ADD_SEALS, SEALS) == 0) {
		b->version = BOARD_VERSION;
		*out = b;
		*fd = got;
		return true;
	}
	saved = errno;
	if (b != MAP_FAILED)
		munmap(b, sizeof(*b));
	close(got);
	errno = saved;
	return false;
}

void
board_write(struct board *b, const struct board_content *content)
{
	uint32_t sequence = atomic_load_explicit(&b->sequence,
	    memory_order_relaxed);
	uint64_t word[BOARD_WORDS];

	memcpy(word, content, sizeof(word));
	atomic_store_explicit(&b->sequence, sequence + 1,
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < BOARD_WORDS; i++)
		atomic_store_explicit(&b->word[i], word[i],
		    memory_order_relaxed);
	atomic_store_explicit(&b->sequence, sequence + 2,
	    memory_order_release);
}

bool
board_view_init(struct board_view *v, int fd)
{
	const struct board *b;
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	if (st.st_size != (off_t)sizeof(*b)) {
		errno = EINVAL;
		return false;
	}
	b = mmap(NULL, sizeof(*b), PROT_READ, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return false;
	if (b->version != BOARD_VERSION) {
		errno = EINVAL;
		return false;
	}
	*v = (struct board_view) { .board = b };
	return true;
}

/* One try; false when the writer came in between. */
static bool
read_whole(const struct board *b, uint32_t *sequence,
    struct board_content *out)
{
	uint32_t before = atomic_load_explicit(&b->sequence,
	    memory_order_acquire), behind;
	uint64_t word[BOARD_WORDS];

	if (before % 2 != 0)
		return false;
	for (size_t i = 0; i < BOARD_WORDS; i++)
		word[i] = atomic_load_explicit(&b->word[i],
		    memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	behind = atomic_load_explicit(&b->sequence, memory_order_relaxed);
	if (before != behind)
		return false;
	memcpy(out, word, sizeof(*out));
	*sequence = before;
	return true;
}

const struct board_content *
board_look(struct board_view *v)
{
	uint32_t now = atomic_load_explicit(&v->board->sequence,
	    memory_order_acquire);
	bool whole = now == v->sequence;

	for (int i = 0; i < TRIES && !whole; i++)
		whole = read_whole(v->board, &v->sequence, &v->last);
	return &v->last;
}

/* The names are the operator's, so nobody chooses them to collide. */
uint64_t
board_name(const char *name)
{
	uint64_t hash = sv_hash(sv_of(name));

	return hash == 0 ? 1 : hash;
}

struct addr
board_address(const struct board_content *c, const char *name)
{
	uint64_t wanted = board_name(name);

	for (size_t i = 0; i < CONF_PASSIVE_MAX; i++)
		if (c->passive[i].name == wanted)
			return c->passive[i].at;
	return (struct addr) { .family = ADDR_NONE };
}
