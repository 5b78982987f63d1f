/*
 * index/compare.h: what is there against what an index says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "index/queue.h"

#define INDEX_REASONS_ROOM 32

/*
 * What is to be said of an item that was read, or could not be: "missing",
 * "changed", "new", "unread" (it is there), "unknown" (the index could not
 * read it); NULL: it is as the index says.  Of "changed" the columns that
 * differ, with commas, go to reasons, which is else empty.
 *
 * Times are the same, too, when one of both has whole seconds only, as a
 * mirror has that learned them from MDTM (RFC 3659 §2.3).
 */
const char *index_compare(const struct index_item *item,
    char reasons[INDEX_REASONS_ROOM]);

/* Whether an index vouches for this file's hash: it need not be read. */
bool index_knows(const struct index_row *old, const struct index_row *now);

/* Whether contents have to be read to tell whether it is as it was. */
bool index_must_read(const struct index_row *old, const struct index_row *now);
