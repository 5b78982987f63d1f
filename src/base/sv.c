/*
 * base/sv.c: borrowed bytes; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/sv.h"

size_t
sv_digits(struct sv v)
{
	size_t n = 0;

	while (n < v.len && sv_digit(v.ptr[n]))
		n++;
	return n;
}

struct sv
sv_take_field(struct sv *v, char mark)
{
	const char *end = v->len == 0 ? NULL : memchr(v->ptr, mark, v->len);
	struct sv field = *v;

	if (end != NULL)
		field.len = (size_t)(end - v->ptr);
	*v = sv_drop(*v, field.len + 1);
	return field;
}

bool
sv_eq(struct sv a, struct sv b)
{
	return a.len == b.len &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
sv_eq_nocase(struct sv a, struct sv b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (sv_upper(a.ptr[i]) != sv_upper(b.ptr[i]))
			return false;
	return true;
}

bool
sv_number(struct sv v, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (v.len == 0 || sv_digits(v) != v.len)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		uint64_t digit = (uint64_t)(v.ptr[i] - '0');

		if (value > (max - digit) / 10 || digit > max)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

uint64_t
sv_hash(struct sv v)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < v.len; i++)
		h = (h ^ (unsigned char)v.ptr[i]) * UINT64_C(0x100000001b3);
	return h;
}
