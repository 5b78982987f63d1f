/*
 * proto/glob.c: see the header.
 *
 * Two pointers walk pattern and name; at a mismatch only the last "*" takes
 * one byte more, since what an earlier one took can be left as it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/glob.h"

/* A unit test counts what an adversary can make us do. */
#ifndef GLOB_STEP
#define GLOB_STEP() ((void)0)
#endif

bool
glob_is_pattern(struct sv text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '*' || text.ptr[i] == '?' ||
		    text.ptr[i] == '[')
			return true;
	return false;
}

/*
 * The length of the "[...]" at the front; 0 when it is not closed.  last is
 * the pattern's last "]", or NULL: without it, "*[[[[[[" would be searched to
 * its end at each "[" again.
 */
static size_t
class_length(struct sv p, const char *last)
{
	size_t i = 1;

	if (last == NULL || last <= p.ptr)
		return 0;
	if (i < p.len && p.ptr[i] == '!')
		i++;
	/* A "]" that comes first is one of the set. */
	for (i++; i < p.len; i++) {
		GLOB_STEP();
		if (p.ptr[i] == ']')
			return i + 1;
	}
	return 0;
}

/* Whether c is in the class, which is class_length bytes long. */
static bool
class_holds(struct sv set, unsigned char c)
{
	bool inverted = set.ptr[1] == '!', found = false;
	size_t end = set.len - 1;

	for (size_t i = inverted ? 2 : 1; i < end; i++) {
		unsigned char low = (unsigned char)set.ptr[i], high = low;

		GLOB_STEP();
		if (i + 2 < end && set.ptr[i + 1] == '-') {
			high = (unsigned char)set.ptr[i + 2];
			i += 2;
		}
		found |= low <= c && c <= high;
	}
	return found != inverted;
}

/* How much pattern fits this one byte; 0: it does not fit. */
static size_t
match_one(struct sv pattern, const char *last, char c)
{
	size_t n;

	GLOB_STEP();
	if (pattern.len == 0)
		return 0;
	if (pattern.ptr[0] == '?')
		return 1;
	if (pattern.ptr[0] == '[' && (n = class_length(pattern, last)) > 0)
		return class_holds((struct sv) { pattern.ptr, n },
		    (unsigned char)c) ? n : 0;
	return pattern.ptr[0] == c ? 1 : 0;
}

bool
glob_fits(struct sv pattern, struct sv name)
{
	const char *last = pattern.len == 0 ? NULL :
	    memrchr(pattern.ptr, ']', pattern.len);
	struct sv star = { NULL, 0 }, back = name;
	size_t n;

	while (name.len > 0) {
		if (pattern.len > 0 && pattern.ptr[0] == '*') {
			pattern = sv_drop(pattern, 1);
			star = pattern;
			back = name;
		} else if ((n = match_one(pattern, last, name.ptr[0])) > 0) {
			pattern = sv_drop(pattern, n);
			name = sv_drop(name, 1);
		} else if (star.ptr != NULL) {
			back = sv_drop(back, 1);
			name = back;
			pattern = star;
		} else {
			return false;
		}
	}
	while (pattern.len > 0 && pattern.ptr[0] == '*')
		pattern = sv_drop(pattern, 1);
	return pattern.len == 0;
}

bool
glob_match(struct sv pattern, struct sv name)
{
	if (name.len > 0 && name.ptr[0] == '.' &&
	    (pattern.len == 0 || pattern.ptr[0] != '.'))
		return false;
	return glob_fits(pattern, name);
}
