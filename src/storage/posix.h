/*
 * storage/posix.h: what the two halves of the embedded storage share: names
 * (posix.c) and open directories (posix_dir.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>

#include "storage/storage.h"

struct posix {
	struct storage storage;
	int root_fd;
	bool can_now;	/* the kernel can tell what is in memory */
	bool is_memory;	/* the root's file system has no disk at all */
	uint64_t dev;	/* and this number */
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
