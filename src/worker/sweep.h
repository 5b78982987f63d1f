/*
 * worker/sweep.h: a worker without sessions, that removes what uploads left
 * behind: parts that nobody has gone on with for upload.keep, beneath
 * accounts.root, and what is too old in the drop box.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "worker/worker.h"

/* Before the walls. */
void sweep_prepare(struct worker *w);
void sweep(struct worker *w);
