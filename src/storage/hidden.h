/*
 * storage/hidden.h: names that storage keeps for itself.
 *
 * Uploads that are not done lie in the archive, beside what they will become:
 * only there can they be moved into place at once.  Whatever begins with the
 * prefix does not exist for a client: it is neither listed nor found, and no
 * name can be made that begins so.  So nobody can collide with one.
 *
 *   .portcullis.new-RANDOM           until it is moved into place
 *   .portcullis.part-OWNER-HASH      to be resumed by that owner
 *   .portcullis.drop-RANDOM-NAME     dropped; for the archive's people alone
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>

#include "base/sv.h"

#define HIDDEN_PREFIX ".portcullis."

/*
 * Whether a name of one component begins so, in any case of letters: there
 * are file systems to which both are one.
 */
bool hidden_is(struct sv name);

/* Whether any component of the path does. */
bool hidden_in(struct sv path);

/* One that ends by itself: a partial upload, or one on its way into place. */
bool hidden_expires(const char *name);

/* What was dropped. */
bool hidden_is_drop(const char *name);

/* False: there is no chance to be had, and name is not written. */
MUST_USE bool hidden_new(char name[NAME_MAX + 1]);

/* The same for each owner and name; two names of one owner never meet. */
void hidden_part(uint64_t owner, const char *of, char name[NAME_MAX + 1]);

/* False: likewise, or `of` is longer than 221 bytes. */
MUST_USE bool hidden_drop(const char *of, char name[NAME_MAX + 1]);
