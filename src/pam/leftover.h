/*
 * pam/leftover.h: what modules have started and left behind.
 *
 * A process group is not enough: pam_exec and others begin a session of their
 * own.  So each question's process collects what is orphaned beneath it, and
 * this one what that leaves: whatever child of ours is no question is left
 * over, and is ended.  Each one's own children come to us when it has ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* From now on orphans beneath this process become its children. */
void leftover_collect(void);

/* Ends all children but these n questions, and waits for none. */
void leftover_end(const pid_t *questions, size_t n);
