/*
 * index/walk.h: a tree, entry by entry, in the order of an index.
 *
 * A directory's name is sorted as if it ended with "/": then the order in
 * which it is gone into is the order of whole paths, and nothing has to be
 * sorted but one directory at a time.  In memory are the names of the
 * directories between the root and the one at hand, up to `memory` bytes;
 * one that does not fit is left out, and said.  Descriptors: two at once,
 * however deep the tree is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "index/beneath.h"
#include "index/options.h"
#include "index/row.h"

struct index_entry {
	enum index_kind kind;
	const char *path;	/* escaped; of a left directory with "/" */
	const char *raw;	/* as it is opened */
	const char *target;	/* of a link: escaped */
	struct stat stat;	/* not of INDEX_LEFT */
};

struct index_walk;

/* Borrows all three.  NULL: no memory. */
struct index_walk *index_walk_new(const struct index_root *root,
    const struct index_options *o, const struct index_place *own);
void index_walk_free(struct index_walk *w);

/* The next entry, borrowed until the next call; false: there are no more. */
bool index_walk_next(struct index_walk *w, struct index_entry *out);

/* Something has been left out, or has gone meanwhile; it was said. */
bool index_walk_failed(const struct index_walk *w);

/* Whether --exclude keeps this path out, or a directory that it is in. */
bool index_walk_excludes(const struct index_options *o, const char *raw);
