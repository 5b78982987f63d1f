/*
 * index/beneath.h: opens beneath the directory that is indexed, and nowhere
 * else: no link is followed, not even one that comes in the middle of a walk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct index_root {
	int fd;			/* of the directory */
	bool one_file_system;	/* mount points are not crossed: EXDEV */
};

/* A descriptor, closed on exec; -1 with errno set. */
int index_open_beneath(const struct index_root *root, const char *path,
    int flags);

/* A file by its place: what it is told apart by also after a rename. */
struct index_place {
	dev_t dev;		/* of its directory */
	ino_t ino;
	char name[256];		/* "": no place */
};

/*
 * The place of file, and a descriptor of its directory, closed on exec, when
 * dir_fd is not NULL.  False with errno set.
 */
bool index_place_of(const char *file, struct index_place *out, int *dir_fd);

/*
 * What is written beside the file of that place until it is whole: names of
 * ".NAME.NUMBER.new".
 */
bool index_place_is(const struct index_place *p, dev_t dev, ino_t ino,
    const char *name);
