/*
 * worker/checksum.h: an upload that was announced, in a NAME.sha256 that was
 * uploaded before it, is seen only if it is what was announced.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "tls/digest_late.h"
#include "worker/worker.h"

/* A longer NAME.sha256 is for more than one name: it says nothing here. */
#define CHECKSUM_FILE_MAX 65536

/* Before the walls; false: there is no library, or no SHA-256 in it. */
MUST_USE bool checksum_start(const struct worker *w);

/* On a disk thread, before the upload is begun: what l->path is to be. */
void checksum_find(struct lookup *l);

/* What the client is told instead of 150; NULL: nothing. */
const char *checksum_refused(const struct lookup *l);

/*
 * On a disk thread: what the file has already, then what is added.  STEP_DONE,
 * or what ends the transfer.  Without a checksum they do nothing.
 */
MUST_USE enum xfer_step checksum_begin(struct xfer *x);
void checksum_add(struct xfer *x, const void *bytes, size_t n);
/* All is there: STEP_MISMATCH if it is something else. */
MUST_USE enum xfer_step checksum_judge(struct xfer *x);
void checksum_free(struct xfer *x);
