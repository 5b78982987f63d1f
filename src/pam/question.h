/*
 * pam/question.h: one question, in a process that has nothing else to do.
 *
 * It is forked for it, and its exit status is all that it says: so whatever
 * a module of PAM does to it, there is one answer less, and no wrong one that
 * the module could not have given anyway.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "conf/conf.h"
#include "ipc/system.h"

/* A module that calls exit itself says none of these by accident. */
enum question_status {
	QUESTION_BROKEN = 32,	/* and PAM's own number for why, to 63 */
	QUESTION_NO = 64,
	QUESTION_YES = 128,	/* and the number of the rule */
};

static_assert(CONF_RULES_MAX <= 128, "a status has eight bits");

/*
 * Asks NSS and PAM, and ends with one of these.  Signals are at their
 * defaults, and no descriptor is open beyond standard ones.
 */
_Noreturn void question_answer(const struct conf *c,
    struct system_question *q);
