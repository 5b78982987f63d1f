/*
 * base/sv.h: borrowed bytes.  A view never outlives the buffer it was cut
 * from, and never owns anything; the bytes may hold any value, NUL included.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))

struct sv {
	const char *ptr;
	size_t len;
};

/* A view of a string literal. */
#define SV(literal) ((struct sv) { (literal), sizeof(literal) - 1 })

static inline struct sv
sv_of(const char *string)
{
	return (struct sv) { string, strlen(string) };
}

/* The view without its first n bytes; empty when it has fewer. */
static inline struct sv
sv_drop(struct sv v, size_t n)
{
	if (n > v.len)
		n = v.len;
	if (n == 0)	/* an empty view may have no bytes behind it at all */
		return v;
	return (struct sv) { v.ptr + n, v.len - n };
}

/* ASCII only, whatever the locale says: "\xc5" is no letter here. */
static inline bool
sv_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline char
sv_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static inline bool
sv_letter(char c)
{
	return sv_upper(c) >= 'A' && sv_upper(c) <= 'Z';
}

/* Takes one expected byte off the front; false, and nothing taken, if other. */
static inline bool
sv_take(struct sv *v, char expected)
{
	if (v->len == 0 || v->ptr[0] != expected)
		return false;
	*v = sv_drop(*v, 1);
	return true;
}

/*
 * Takes what stands before the next mark off the front, and the mark with it;
 * where there is none, all of it.
 */
struct sv sv_take_field(struct sv *v, char mark);

/* The length of the run of decimal digits at the front. */
size_t sv_digits(struct sv v);

bool sv_eq(struct sv a, struct sv b);

/* Equal but for the case of ASCII letters. */
bool sv_eq_nocase(struct sv a, struct sv b);

/*
 * Reads the whole of v as a decimal number: digits only, no sign, no blank.
 * False, and out untouched, when it is not one or is above max.
 */
MUST_USE bool sv_number(struct sv v, uint64_t max, uint64_t *out);

/*
 * FNV-1a, without a seed: for bytes that are ours, or where who finds two of
 * one hash hurts nobody but himself.
 */
uint64_t sv_hash(struct sv v);
