/*
 * conf/conf_value.c: the types of values: what each reads, writes and says
 * about itself.  Lists are in conf_list.c and beside it.  A value is read
 * whole or not at all: a field is written only when nothing is wrong with
 * its text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

bool
conf_refuse(const struct conf_key *k, struct sv text, const char *what,
    const struct conf_where *w)
{
	char quoted[CONF_QUOTE_MAX];

	conf_problem_start(w, k->name);
	fprintf(w->err, "%s %s; write ", conf_quote(text, quoted), what);
	k->type->allowed(k, w->err);
	fputc('\n', w->err);
	return false;
}

/* Numbers and times. */

static bool
number_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	uint64_t value;

	(void)add;
	if (text.len == 0 || sv_digits(text) != text.len)
		return conf_refuse(k, text, "is not a number", w);
	if (!sv_number(text, k->most, &value) || value < k->least)
		return conf_refuse(k, text, "is out of range", w);
	*(uint32_t *)field = (uint32_t)value;
	return true;
}

static void
number_write(const void *field, const struct conf_key *k, FILE *out)
{
	(void)k;
	fprintf(out, " %u", *(const uint32_t *)field);
}

static void
number_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u (%s)", k->least, k->most, k->unit);
}

/* Takes the unit off the end: its length in seconds. */
static uint64_t
take_unit(struct sv *text)
{
	uint64_t seconds = 0;

	if (text->len == 0)
		return 1;
	switch (text->ptr[text->len - 1]) {
	case 's':
		seconds = 1;
		break;
	case 'm':
		seconds = 60;
		break;
	case 'h':
		seconds = 60 * 60;
		break;
	default:
		return 1;
	}
	text->len--;
	return seconds;
}

static bool
duration_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct sv digits = text;
	uint64_t unit = take_unit(&digits), value;

	(void)add;
	if (digits.len == 0 || sv_digits(digits) != digits.len)
		return conf_refuse(k, text, "is not a time", w);
	if (!sv_number(digits, k->most, &value) || value * unit > k->most ||
	    value * unit < k->least)
		return conf_refuse(k, text, "is out of range", w);
	*(uint32_t *)field = (uint32_t)(value * unit);
	return true;
}

static void
duration_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u seconds, as 90, 90s, 5m or 1h", k->least,
	    k->most);
}

/* Rates: 0, or so many bytes a second. */

static uint64_t
take_thousands(struct sv *text)
{
	static const char units[] = "KMG";
	const char *unit = text->len == 0 ? NULL :
	    memchr(units, text->ptr[text->len - 1], sizeof(units) - 1);
	uint64_t times = 1;

	if (unit == NULL)
		return 1;
	text->len--;
	for (const char *u = units; u <= unit; u++)
		times *= 1000;
	return times;
}

static bool
rate_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	uint64_t most = (uint64_t)k->most * 1000, value, times;
	struct sv digits = text;

	(void)add;
	times = take_thousands(&digits);
	if (digits.len == 0 || sv_digits(digits) != digits.len)
		return conf_refuse(k, text, "is not a rate or size", w);
	if (!sv_number(digits, most / times, &value) ||
	    (value > 0 && value * times < k->least))
		return conf_refuse(k, text, "is out of range", w);
	*(uint64_t *)field = value * times;
	return true;
}

static void
rate_write(const void *field, const struct conf_key *k, FILE *out)
{
	uint64_t value = *(const uint64_t *)field;
	const char *unit = "\0K\0M\0G";

	(void)k;
	while (value > 0 && value % 1000 == 0 && unit[0] != 'G') {
		value /= 1000;
		unit += unit[0] == '\0' ? 1 : 2;
	}
	fprintf(out, " %llu%s", (unsigned long long)value, unit);
}

static void
rate_allowed(const struct conf_key *k, FILE *out)
{
	uint64_t most = (uint64_t)k->most * 1000;

	fprintf(out, "0, or %u to", k->least);
	rate_write(&most, k, out);
	fprintf(out, " %s, as 500K, 10M or 1G", k->unit);
}

/* Both ends of a range are held to the same limits. */

const char *
conf_read_range(struct sv text, uint32_t least, uint32_t most,
    struct conf_range *out)
{
	struct sv low = { text.ptr, sv_digits(text) };
	struct sv high = sv_drop(text, low.len);
	uint64_t a, b;

	if (low.len == 0 || !sv_take(&high, '-') || high.len == 0 ||
	    sv_digits(high) != high.len)
		return "is not a range of ports";
	if (!sv_number(low, most, &a) || a < least ||
	    !sv_number(high, most, &b) || b < least)
		return "is out of range";
	if (a > b)
		return "runs backwards";
	*out = (struct conf_range) { .low = (uint32_t)a, .high = (uint32_t)b };
	return NULL;
}

static bool
range_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	const char *wrong = conf_read_range(text, k->least, k->most, field);

	(void)add;
	return wrong == NULL || conf_refuse(k, text, wrong, w);
}

static void
range_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_range *r = field;

	(void)k;
	fprintf(out, " %u-%u", r->low, r->high);
}

static void
range_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s, each %u to %u", k->unit, k->least, k->most);
}

/* A choice's words are its unit, "require|best"; its value is the place. */

static bool
choice_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct sv words = sv_of(k->unit);

	(void)add;
	for (uint32_t i = k->least; i <= k->most; i++) {
		if (sv_eq(text, sv_take_field(&words, '|'))) {
			*(uint32_t *)field = i;
			return true;
		}
	}
	return conf_refuse(k, text, "is none of the choices", w);
}

static void
choice_write(const void *field, const struct conf_key *k, FILE *out)
{
	struct sv words = sv_of(k->unit), word = sv_take_field(&words, '|');

	for (uint32_t i = *(const uint32_t *)field; i > 0; i--)
		word = sv_take_field(&words, '|');
	fprintf(out, " %.*s", (int)word.len, word.ptr);
}

static void
choice_allowed(const struct conf_key *k, FILE *out)
{
	struct sv words = sv_of(k->unit), word = sv_take_field(&words, '|');

	fprintf(out, "%.*s", (int)word.len, word.ptr);
	while (words.len > 0) {
		word = sv_take_field(&words, '|');
		fprintf(out, " or %.*s", (int)word.len, word.ptr);
	}
}

/*
 * Text: printable, since it ends up in a reply or a log.  Bytes above ASCII
 * pass as they are, but 0xff is Telnet's IAC (RFC 959 §3.1.1.5.2, RFC 854)
 * and no UTF-8.
 */

bool
conf_is_printable(struct sv text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c == 0x7f || c == 0xff)
			return false;
	}
	return true;
}

/* A blank at either end could not be written into a file again. */
static bool
has_outer_blank(struct sv text)
{
	return text.len > 0 &&
	    (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ');
}

/* Bytes behind the text are zero, so that equal settings are equal bytes. */
static void
store(void *field, const struct conf_key *k, struct sv text)
{
	memset(field, 0, k->most + 1);
	if (text.len > 0)
		memcpy(field, text.ptr, text.len);
}

static bool
text_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	(void)add;
	if (text.len < k->least || text.len > k->most)
		return conf_refuse(k, text, "is too short or too long", w);
	if (!conf_is_printable(text))
		return conf_refuse(k, text, "holds an unprintable byte", w);
	if (has_outer_blank(text))
		return conf_refuse(k, text, "begins or ends with a blank", w);
	store(field, k, text);
	return true;
}

static void
text_write(const void *field, const struct conf_key *k, FILE *out)
{
	const char *text = field;

	(void)k;
	if (*text != '\0')
		fprintf(out, " %s", text);
}

static void
text_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s of %u to %u bytes", k->unit, k->least, k->most);
}

static void
path_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "the path of a %s, at most %u bytes", k->unit, k->most);
}

/*
 * A user that the gate or the workers become.  Root is refused: nothing that
 * reads from the network runs as root.  UINT32_MAX is (uid_t)-1, which
 * setresuid(2) takes as "leave it": root again.
 */

static bool
is_user_name(struct sv text)
{
	static const char others[] = "_.-";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!sv_digit(c) && !sv_letter(c) &&
		    memchr(others, c, sizeof(others) - 1) == NULL)
			return false;
	}
	return text.len > 0 && text.ptr[0] != '-';
}

static bool
user_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	uint64_t uid;

	(void)add;
	if (text.len == 0 && k->least == 0) {
		store(field, k, text);
		return true;
	}
	if (text.len < k->least || text.len > k->most || !is_user_name(text))
		return conf_refuse(k, text, "is not a user", w);
	if (sv_digits(text) == text.len &&
	    !sv_number(text, UINT32_MAX - 1, &uid))
		return conf_refuse(k, text, "is out of range", w);
	if (sv_eq(text, SV("root")) ||
	    (sv_digits(text) == text.len && uid == 0))
		return conf_refuse(k, text, "would be no wall", w);
	store(field, k, text);
	return true;
}

static void
user_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "a %s's name or number, at most %u bytes, not root",
	    k->unit, k->most);
}

/* A name of one file, or of who owns it: a word in a listing. */

bool
conf_is_name(struct sv text)
{
	return conf_is_printable(text) &&
	    memchr(text.ptr, ' ', text.len) == NULL &&
	    memchr(text.ptr, '/', text.len) == NULL &&
	    !sv_eq(text, SV(".")) && !sv_eq(text, SV(".."));
}

static bool
name_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	(void)add;
	if (text.len < k->least || text.len > k->most)
		return conf_refuse(k, text, "is too short or too long", w);
	if (!conf_is_name(text))
		return conf_refuse(k, text, "is not a name", w);
	store(field, k, text);
	return true;
}

static void
name_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "a name of %u to %u bytes (%s) without blank and slash",
	    k->least, k->most, k->unit);
}

/* A file that conf_load reads later: until then there is no text. */

static bool
file_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_file *f = field;

	if (!text_read(k, text, add, f->path, w))
		return false;
	f->len = 0;
	memset(f->bytes, 0, sizeof(f->bytes));
	return true;
}

static void
file_allowed(const struct conf_key *k, FILE *out)
{
	path_allowed(k, out);
}

static void
file_write(const void *field, const struct conf_key *k, FILE *out)
{
	text_write(((const struct conf_file *)field)->path, k, out);
}

#define TYPE(name, reader, writer) \
	const struct conf_type conf_type_##name = { \
		.read = reader##_read, \
		.write = writer##_write, \
		.allowed = name##_allowed, \
	}

TYPE(number, number, number);
TYPE(duration, duration, number);
TYPE(rate, rate, rate);
TYPE(choice, choice, choice);
TYPE(range, range, range);
TYPE(text, text, text);
TYPE(path, text, text);
TYPE(user, user, text);
TYPE(name, name, text);
TYPE(file, file, file);
