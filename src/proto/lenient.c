/*
 * proto/lenient.c: careless readings; see the header.
 *
 * Each reading is one that a real parser has: sscanf("%d,%d"), strtol with
 * base 0, atoi on what stands between commas, a cast to unsigned char, p1*256
 * + p2 without a look at either.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/lenient.h"

#include <string.h>

#define LPRT_NUMBERS 21		/* "6,16," and 16 bytes, "2," and two */

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ';
}

static struct sv
skip_blanks(struct sv text)
{
	while (text.len > 0 && is_blank(text.ptr[0]))
		text = sv_drop(text, 1);
	return text;
}

static bool
names_address(enum ftp_verb verb)
{
	return verb == V_PORT || verb == V_EPRT || verb == V_LPRT;
}

/* Verb, blanks of any kind, argument. */
static bool
read_loose(struct sv line, enum ftp_verb *verb, struct sv *arg)
{
	struct sv word;

	line = skip_blanks(line);
	word = (struct sv) { line.ptr, 0 };
	while (word.len < line.len && !is_blank(word.ptr[word.len]))
		word.len++;
	*verb = command_find(word);
	*arg = skip_blanks(sv_drop(line, word.len));
	return names_address(*verb);
}

/* Copies text without its NULs. */
static struct sv
without_nuls(struct sv text, char room[LENIENT_LINE_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < text.len && n < LENIENT_LINE_MAX; i++)
		if (text.ptr[i] != '\0')
			room[n++] = text.ptr[i];
	return (struct sv) { room, n };
}

bool
lenient_command(struct sv line, char room[LENIENT_LINE_MAX],
    enum ftp_verb *verb, struct sv *arg)
{
	struct sv clean = without_nuls(line, room);

	/* Each stretch between bare CRs may be a line of its own. */
	for (;;) {
		const char *cr = memchr(clean.ptr, '\r', clean.len);
		struct sv part = clean;

		if (cr != NULL)
			part.len = (size_t)(cr - clean.ptr);
		if (read_loose(part, verb, arg))
			return true;
		if (cr == NULL)
			return false;
		clean = sv_drop(clean, part.len + 1);
	}
}

struct number {
	uint32_t decimal;	/* its digits read as decimal ones */
	uint32_t base0;		/* as strtol(text, NULL, 0) reads it */
};

static int
digit_of(char c)
{
	if (sv_digit(c))
		return c - '0';
	c = sv_upper(c);
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

static uint32_t
digits(struct sv *in, int base)
{
	uint32_t value = 0;

	while (in->len > 0 && digit_of(in->ptr[0]) < base) {
		value = value * (uint32_t)base +
		    (uint32_t)digit_of(in->ptr[0]);
		*in = sv_drop(*in, 1);
	}
	return value;
}

static int
base_of(struct sv text)
{
	if (text.len < 2 || text.ptr[0] != '0')
		return 10;
	return sv_upper(text.ptr[1]) == 'X' ? 16 : 8;
}

/* Takes a number with whatever blanks and sign it has; false: none. */
static bool
take_number(struct sv *in, struct number *out)
{
	struct sv text = skip_blanks(*in), again;
	bool minus = false;

	if (text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-')) {
		minus = text.ptr[0] == '-';
		text = sv_drop(text, 1);
	}
	if (text.len == 0 || !sv_digit(text.ptr[0]))
		return false;
	again = text;
	if (base_of(again) == 16) {
		again = sv_drop(again, 2);
		out->base0 = digits(&again, 16);
		out->decimal = digits(&text, 10);
		text = again; /* atoi on what stands between commas */
	} else {
		int base = base_of(again);

		out->decimal = digits(&text, 10);
		out->base0 = digits(&again, base);
	}
	if (minus) {
		out->decimal = 0 - out->decimal;
		out->base0 = 0 - out->base0;
	}
	*in = skip_blanks(text);
	return true;
}

/* Up to most numbers with commas between; returns how many. */
static size_t
take_numbers(struct sv in, struct number *out, size_t most)
{
	size_t n = 0;

	while (n < most && take_number(&in, &out[n])) {
		n++;
		if (!sv_take(&in, ','))
			break;
	}
	return n;
}

struct readings {
	struct addr *out;
	size_t n;
};

static void
add(struct readings *r, const struct addr *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (memcmp(&r->out[i], a, sizeof(*a)) == 0)
			return;
	if (r->n < LENIENT_READINGS)
		r->out[r->n++] = *a;
}

static uint32_t
value_of(const struct number *n, bool base0)
{
	return base0 ? n->base0 : n->decimal;
}

/* h and p: where the address's and the port's numbers stand. */
static void
add_bytes(struct readings *r, const struct number *h, size_t address_bytes,
    const struct number *p, bool base0, bool sum)
{
	struct addr a = { .family = address_bytes == 4 ? ADDR_V4 : ADDR_V6 };
	uint32_t high = value_of(&p[0], base0), low = value_of(&p[1], base0);

	for (size_t i = 0; i < address_bytes; i++)
		a.ip[i] = (uint8_t)value_of(&h[i], base0);
	a.port = sum ? (uint16_t)(high * 256 + low) :
	    (uint16_t)((high & 255) << 8 | (low & 255));
	add(r, &a);
}

static void
add_all(struct readings *r, const struct number *h, size_t address_bytes,
    const struct number *p)
{
	add_bytes(r, h, address_bytes, p, false, false);
	add_bytes(r, h, address_bytes, p, true, false);
	add_bytes(r, h, address_bytes, p, false, true);
}

static void
read_port(struct readings *r, struct sv arg)
{
	struct number n[6];

	if (take_numbers(arg, n, 6) == 6)
		add_all(r, n, 4, n + 4);
}

static void
read_lprt(struct readings *r, struct sv arg)
{
	struct number n[LPRT_NUMBERS];
	size_t got = take_numbers(arg, n, LPRT_NUMBERS);

	if (got >= 9 && n[1].decimal == 4)
		add_all(r, n + 2, 4, n + 7);
	else if (got == LPRT_NUMBERS && n[1].decimal == 16)
		add_all(r, n + 2, 16, n + 19);
}

/* Up to the next delimiter, which is taken too. */
static struct sv
take_field(struct sv *in, char delimiter)
{
	struct sv field = { in->ptr, 0 };

	while (field.len < in->len && field.ptr[field.len] != delimiter)
		field.len++;
	*in = sv_drop(*in, field.len < in->len ? field.len + 1 : field.len);
	return field;
}

/* Blanks around it are cut off, and a zone behind it, which is noted. */
static bool
read_host(struct sv text, struct addr *a)
{
	const char *zone;

	text = skip_blanks(text);
	while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
		text.len--;
	zone = text.len > 0 ? memchr(text.ptr, '%', text.len) : NULL;
	if (zone != NULL)
		text.len = (size_t)(zone - text.ptr);
	if (!addr_parse_ip(text, a))
		return false;
	a->zoned = zone != NULL;
	return true;
}

/* An address of any family, a port of any size: EPRT says each by itself. */
static void
read_eprt(struct readings *r, struct sv arg)
{
	struct number port, host[4];
	struct sv text = skip_blanks(arg), field;
	struct addr a = { 0 };
	char delimiter;

	if (text.len == 0)
		return;
	delimiter = text.ptr[0];
	text = sv_drop(text, 1);
	(void)take_field(&text, delimiter);
	field = take_field(&text, delimiter);
	if (!take_number(&text, &port))
		return;
	if (read_host(field, &a)) {
		a.port = (uint16_t)port.decimal;
		add(r, &a);
		return;
	}
	/* inet_aton's octal and hexadecimal numbers, between dots. */
	for (size_t i = 0; i < 4; i++) {
		if (!take_number(&field, &host[i]) ||
		    (i < 3 && !sv_take(&field, '.')))
			return;
		a.ip[i] = (uint8_t)host[i].base0;
	}
	a.family = ADDR_V4;
	a.port = (uint16_t)port.decimal;
	add(r, &a);
}

/* "0" in front of a digit: octal to some. */
static bool
has_leading_zero(struct sv arg)
{
	for (size_t i = 0; i + 1 < arg.len; i++)
		if (arg.ptr[i] == '0' && sv_digit(arg.ptr[i + 1]) &&
		    (i == 0 || !sv_digit(arg.ptr[i - 1])))
			return true;
	return false;
}

size_t
lenient_addresses(enum hostport_form form, struct sv arg,
    struct addr out[LENIENT_READINGS])
{
	struct readings r = { out, 0 };
	struct addr strict;

	if (hostport_parse_form(form, arg, &strict, NULL) == FTP_OK) {
		add(&r, &strict);
		/* Everybody reads plain decimal bytes alike. */
		if (form == HOSTPORT_PORT && !has_leading_zero(arg))
			return r.n;
	}
	if (form == HOSTPORT_PORT)
		read_port(&r, arg);
	else if (form == HOSTPORT_LPRT)
		read_lprt(&r, arg);
	else if (form == HOSTPORT_EPRT)
		read_eprt(&r, arg);
	return r.n;
}
