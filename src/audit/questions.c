/*
 * audit/questions.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/questions.h"

#include <string.h>

const struct question audit_questions[ASK_COUNT] = {
#define X(test, id, level, title, gain) \
	[ASK_##id] = { test, #id, LEVEL_##level, title, gain },
	AUDIT_QUESTIONS(X)
#undef X
};

enum audit_question
audit_question_find(const char *id)
{
	size_t q = 0;

	while (q < ASK_COUNT && strcmp(audit_questions[q].id, id) != 0)
		q++;
	return (enum audit_question)q;
}
