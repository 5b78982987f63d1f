/*
 * worker/box.h: the drop box (attack D09): a directory of the archive that
 * anonymous users store new files in, and see nothing of.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "worker/worker.h"

/* Opens it, before the walls; exits where it cannot be written to. */
void box_start(struct worker *w);

/* This session may store there, and nowhere else. */
bool box_is_for(const struct sess *s);
/* A file of that path would be in it. */
bool box_holds(const struct worker *w, struct sv path);
/* What is in it is not there, and it is not listed. */
enum storage_err box_judge(const struct sess *s, enum lookup_op op,
    struct sv path);

/*
 * On a disk thread; STORAGE_OK for any other upload.  STORAGE_TOO_LARGE:
 * anonymous.upload_largest; STORAGE_OVER_QUOTA: no room in the box.
 */
MUST_USE enum storage_err box_admit(const struct worker *w,
    const struct storage *st, uint64_t expected);
MUST_USE enum storage_err box_grow(struct xfer *x, size_t more);
MUST_USE enum storage_err box_close(const struct xfer *x);

/* How many bytes to take now; 0: none for *wait_ms (upload_rate). */
size_t box_take(const struct xfer *x, size_t most, uint64_t *wait_ms);

/* What has had its time goes; added to *removed. */
void box_sweep(const struct worker *w, uint64_t *removed);
