/*
 * proto/put.h: writing into a buffer whose room was checked beforehand.
 *
 * Each function writes at p and returns the place behind what it wrote.  A
 * directory of 100,000 names is 100,000 lines, and snprintf was most of what
 * each of them cost; only proto/ uses this.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* The longest decimal uint64_t: 18446744073709551615. */
#define PUT_UINT_MAX 20

static inline char *
put_char(char *p, char c)
{
	*p = c;
	return p + 1;
}

static inline char *
put_sv(char *p, struct sv v)
{
	if (v.len > 0)
		memcpy(p, v.ptr, v.len);
	return p + v.len;
}

/* A string literal; its length is known when this is compiled. */
#define put_literal(p, literal) put_sv((p), SV(literal))

static inline char *
put_uint(char *p, uint64_t value)
{
	char digits[PUT_UINT_MAX];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return put_sv(p, (struct sv) { digits + n, sizeof(digits) - n });
}

/* Exactly two digits; value is below 100. */
static inline char *
put_2digits(char *p, unsigned value)
{
	p[0] = (char)('0' + value / 10);
	p[1] = (char)('0' + value % 10);
	return p + 2;
}

/* Exactly four digits; value is below 10,000. */
static inline char *
put_4digits(char *p, unsigned value)
{
	return put_2digits(put_2digits(p, value / 100), value % 100);
}

static inline char *
put_hex(char *p, uint64_t value)
{
	char digits[16];
	size_t n = sizeof(digits);

	do {
		digits[--n] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value > 0);
	return put_sv(p, (struct sv) { digits + n, sizeof(digits) - n });
}

/* Blanks until `width` bytes stand behind start; none when more do. */
static inline char *
put_blanks(char *p, const char *start, size_t width)
{
	while ((size_t)(p - start) < width)
		*p++ = ' ';
	return p;
}

/* Right-aligned in `width` columns; wider when the number is. */
static inline char *
put_uint_right(char *p, uint64_t value, size_t width)
{
	char digits[PUT_UINT_MAX];
	size_t n = (size_t)(put_uint(digits, value) - digits);

	while (width-- > n)
		*p++ = ' ';
	return put_sv(p, (struct sv) { digits, n });
}

/* A control byte becomes "?"; bytes from 0x80 on are UTF-8's, and stay. */
static inline char
put_visible(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
}
