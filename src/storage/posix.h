/*
 * storage/posix.h: what the parts of the embedded storage share: paths
 * (posix.c), open directories (posix_dir.c), and what writes: changes of
 * names (posix_write.c), uploads (posix_upload.c), what they leave behind
 * (posix_part.c, posix_survey.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>

#include "storage/commit.h"
#include "storage/storage.h"

struct posix {
	struct storage storage;
	int root_fd;
	bool can_now;	/* the kernel can tell what is in memory */
	bool is_memory;	/* the root's file system has no disk at all */
	uint64_t dev;	/* and this number */

	struct commit *commit;	/* NULL: nothing may be written */
	struct storage_writing writing;
	atomic_int links_unnamed; /* 1: can, -1: cannot, 0: to be tried */
};

/*
 * Opens path beneath the root; flags as for open(2), O_CLOEXEC is added.
 *
 * STORAGE_LATER  only in STORAGE_NOW: it would have had to ask the disk
 */
enum storage_err posix_open_beneath(const struct posix *p, struct sv path,
    int flags, enum storage_when when, int *fd);

/* The same from an open directory, without a link; never in STORAGE_NOW. */
enum storage_err posix_open_unlinked(int dir_fd, struct sv path, int flags,
    int *fd);

/* What a system call's errno means for a name; never STORAGE_OK. */
enum storage_err posix_err_of(int error);

void posix_stat_of(const struct stat *from, struct storage_stat *to);

/* A directory that is open as fd, which is taken over; NULL without memory. */
struct storage_dir *posix_dir_new(const struct posix *p, struct sv path,
    int fd);
void posix_dir_free(struct storage_dir *d);

enum storage_err posix_dir_next(struct storage_dir *d, bool names_only,
    struct storage_entry *out);
enum storage_err posix_dir_sort(struct storage_dir *d,
    enum storage_order order, bool reversed);
enum storage_err posix_dir_open_in(struct storage_dir *top, struct sv path,
    struct storage_dir **out);
enum storage_err posix_dir_stat(struct storage_dir *d,
    struct storage_stat *out);

/* ---- What writes. */

/* A name in an open directory: what system calls that write are given. */
struct posix_place {
	int dir_fd;
	char name[NAME_MAX + 1];
};

/*
 * Opens the directory that path is in; that is the only time it is resolved.
 *
 * STORAGE_DENIED    nothing may be written, or path is the root
 * STORAGE_BAD_NAME  storage/hidden.h
 */
enum storage_err posix_place_open(const struct posix *p, struct sv path,
    struct posix_place *out);

/* As openat(2), beneath dir_fd and through no link; -1 with errno. */
int posix_openat(int dir_fd, const char *name, int flags, mode_t mode);

/* Like posix_err_of, for a call that writes. */
enum storage_err posix_write_err(int error);

/* Where writing is durable: what was changed in it is on the disk. */
enum storage_err posix_sync_dir(const struct posix *p, int dir_fd);

/* From one name to another in a directory, where nothing is yet. */
enum storage_err posix_move_new(int dir_fd, const char *from, const char *to);

/*
 * A file that is, or will be, somebody's partial upload has a lock while he
 * writes to it; it ends with his process.  False: another has it.
 */
bool posix_part_lock(int fd);

/*
 * Opens and locks the hidden file name, to read and write.
 * STORAGE_BUSY  somebody else has it
 */
enum storage_err posix_part_open(int dir_fd, const char *name, int *fd,
    struct stat *stat);

/*
 * How much of it is there.  After a power cut what is before its end may
 * never have been written: a hole.
 */
uint64_t posix_part_sound_size(int fd, const struct stat *stat);

/* Removes it, if it is there and nobody writes to it. */
enum storage_err posix_part_remove(const struct posix *p, int dir_fd,
    const char *name);

/* Removes all that expire; STORAGE_NOT_EMPTY: there is more than those. */
enum storage_err posix_part_remove_all(const struct posix *p, int dir_fd);

enum storage_err posix_partial_size(struct storage *st, struct sv path,
    uint64_t *out);

enum storage_err posix_remove(struct storage *st, struct sv path);
enum storage_err posix_make_dir(struct storage *st, struct sv path,
    mode_t mode);
enum storage_err posix_remove_dir(struct storage *st, struct sv path);
enum storage_err posix_rename(struct storage *st, struct sv from, struct sv to,
    unsigned flags);
enum storage_err posix_set_mtime(struct storage *st, struct sv path,
    int64_t seconds);
enum storage_err posix_chmod(struct storage *st, struct sv path, mode_t mode);

enum storage_err posix_upload_begin(struct storage *st, struct sv path,
    const struct storage_upload_how *how, struct storage_upload **out);
enum storage_err posix_upload_copy(struct storage_upload *u, uint64_t most);
uint64_t posix_upload_size(const struct storage_upload *u);
enum storage_err posix_upload_write(struct storage_upload *u, const void *buf,
    size_t n, uint64_t offset);
const char *posix_upload_name(const struct storage_upload *u);
int posix_upload_fd(struct storage_upload *u);
enum storage_err posix_upload_commit(struct storage_upload *u);
void posix_upload_abort(struct storage_upload *u, bool keep);
