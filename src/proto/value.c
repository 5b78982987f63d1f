/*
 * proto/value.c: time-vals, offsets and quoted paths; see the header.
 *
 * The calendar is reckoned in years that begin in March: the leap day is then
 * the last of its year, and the months before it follow a regular pattern of
 * 153 days in five months.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/value.h"

#include "proto/put.h"

#define DAY_S	  86400
#define ERA_DAYS  146097u /* 400 years */
#define YEAR_DAYS 365u

/* From 1 March of the year -400 to 1 January 1970. */
#define EPOCH_DAYS (719468u + ERA_DAYS)

static int64_t
clamp(int64_t seconds)
{
	if (seconds < VALUE_TIME_LEAST)
		return VALUE_TIME_LEAST;
	if (seconds > VALUE_TIME_MOST)
		return VALUE_TIME_MOST;
	return seconds;
}

/* days counts from 1 March of the year -400, so it is never negative. */
static void
set_day(struct value_date *date, uint32_t days)
{
	uint32_t era = days / ERA_DAYS;
	uint32_t in_era = days % ERA_DAYS;
	uint32_t year = (in_era - in_era / 1460 + in_era / 36524 -
	    in_era / 146096) / YEAR_DAYS;
	uint32_t in_year =
	    in_era - (YEAR_DAYS * year + year / 4 - year / 100);
	uint32_t month = (5 * in_year + 2) / 153; /* 0 is March */

	date->day = in_year - (153 * month + 2) / 5 + 1;
	date->month = month < 10 ? month + 3 : month - 9;
	date->year = era * 400 + year - 400 + (month >= 10 ? 1 : 0);
}

struct value_date
value_date_of(int64_t seconds)
{
	uint64_t since = (uint64_t)(clamp(seconds) +
	    (int64_t)EPOCH_DAYS * DAY_S);
	uint32_t rest = (uint32_t)(since % DAY_S);
	struct value_date date;

	set_day(&date, (uint32_t)(since / DAY_S));
	date.hour = rest / 3600;
	date.minute = rest / 60 % 60;
	date.second = rest % 60;
	return date;
}

void
value_format_time(int64_t seconds, char buf[VALUE_TIME_SIZE])
{
	struct value_date date = value_date_of(seconds);
	char *p = put_4digits(buf, date.year);

	p = put_2digits(p, date.month);
	p = put_2digits(p, date.day);
	p = put_2digits(p, date.hour);
	p = put_2digits(p, date.minute);
	p = put_2digits(p, date.second);
	*p = '\0';
}

static unsigned
digits(const char *text, size_t n)
{
	unsigned value = 0;

	while (n-- > 0)
		value = value * 10 + (unsigned)(*text++ - '0');
	return value;
}

static unsigned
days_in_month(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool
exists(const struct value_date *d)
{
	return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	    d->day <= days_in_month(d->year, d->month) && d->hour <= 23 &&
	    d->minute <= 59 && d->second <= 60;
}

/* The way back from set_day; 0 for 1970-01-01. */
static int64_t
days_of(const struct value_date *d)
{
	uint32_t year = d->year + 400 - (d->month <= 2 ? 1 : 0);
	uint32_t month = d->month > 2 ? d->month - 3 : d->month + 9;
	uint32_t in_year = (153 * month + 2) / 5 + d->day - 1;

	return (int64_t)(year * YEAR_DAYS + year / 4 - year / 100 +
	    year / 400 + in_year) - (int64_t)EPOCH_DAYS;
}

enum ftp_err
value_parse_time(struct sv text, int64_t *seconds)
{
	struct sv fraction = sv_drop(text, 14);
	struct value_date d;

	if (sv_digits(text) != 14)
		return FTP_SYNTAX;
	if (fraction.len > 0 && (!sv_take(&fraction, '.') ||
	    fraction.len == 0 || sv_digits(fraction) != fraction.len))
		return FTP_SYNTAX;

	d.year = digits(text.ptr, 4);
	d.month = digits(text.ptr + 4, 2);
	d.day = digits(text.ptr + 6, 2);
	d.hour = digits(text.ptr + 8, 2);
	d.minute = digits(text.ptr + 10, 2);
	d.second = digits(text.ptr + 12, 2);
	if (!exists(&d))
		return FTP_RANGE;
	*seconds = days_of(&d) * DAY_S + (int64_t)(d.hour * 3600 +
	    d.minute * 60 + d.second);
	return FTP_OK;
}

enum ftp_err
value_parse_offset(struct sv text, uint64_t *offset)
{
	if (text.len == 0 || sv_digits(text) != text.len)
		return FTP_SYNTAX;
	return sv_number(text, INT64_MAX, offset) ? FTP_OK : FTP_RANGE;
}

/* Up to the first blank, which is taken too; false: there is none. */
static bool
take_word(struct sv *text, struct sv *word)
{
	const char *blank = text->len == 0 ? NULL :
	    memchr(text->ptr, ' ', text->len);

	if (blank == NULL)
		return false;
	*word = (struct sv) { text->ptr, (size_t)(blank - text->ptr) };
	*text = sv_drop(*text, word->len + 1);
	return text->len > 0;
}

enum ftp_err
value_parse_time_path(struct sv text, int64_t *seconds, struct sv *path)
{
	enum ftp_err err;
	struct sv word;

	if (!take_word(&text, &word))
		return FTP_SYNTAX;
	err = value_parse_time(word, seconds);
	if (err == FTP_OK)
		*path = text;
	return err;
}

/* From the last blank on; false: there is none. */
static bool
take_last_word(struct sv *text, struct sv *word)
{
	size_t n = text->len;

	while (n > 0 && text->ptr[n - 1] != ' ')
		n--;
	if (n == 0)
		return false;
	*word = sv_drop(*text, n);
	text->len = n - 1;
	return true;
}

/* FTP_SYNTAX: it is not of the form with three times. */
static enum ftp_err
parse_three_times(struct sv text, int64_t *seconds, struct sv *path)
{
	struct sv zone, time[3];
	enum ftp_err err;
	int64_t got[3];

	if (!take_last_word(&text, &zone) || !sv_eq_nocase(zone, SV("UTC")))
		return FTP_SYNTAX;
	for (size_t i = 3; i-- > 0;) {
		if (!take_last_word(&text, &time[i]))
			return FTP_SYNTAX;
		if ((err = value_parse_time(time[i], &got[i])) != FTP_OK)
			return err;
	}
	if (text.len == 0)
		return FTP_SYNTAX;
	*seconds = got[1];
	*path = text;
	return FTP_OK;
}

enum ftp_err
value_parse_utime(struct sv text, int64_t *seconds, struct sv *path)
{
	enum ftp_err err = parse_three_times(text, seconds, path);
	char whole[14];
	struct sv word;

	if (err != FTP_SYNTAX)
		return err;
	if (!take_word(&text, &word) || (word.len != 12 && word.len != 14))
		return FTP_SYNTAX;
	memset(whole, '0', sizeof(whole));
	memcpy(whole, word.ptr, word.len);
	err = value_parse_time((struct sv) { whole, sizeof(whole) }, seconds);
	if (err == FTP_OK)
		*path = text;
	return err;
}

enum ftp_err
value_parse_chmod(struct sv text, unsigned *mode, struct sv *path)
{
	unsigned value = 0;
	struct sv word;

	if (!take_word(&text, &word) || word.len < 3 || word.len > 4 ||
	    sv_digits(word) != word.len)
		return FTP_SYNTAX;
	for (size_t i = 0; i < word.len; i++) {
		if (word.ptr[i] > '7')
			return FTP_RANGE;
		value = value * 8 + (unsigned)(word.ptr[i] - '0');
	}
	*mode = value;
	*path = text;
	return FTP_OK;
}

#define UNIQUE_DIGITS 13	/* of 5 bits */

size_t
value_unique_name(struct sv wish, uint64_t random,
    char buf[VALUE_UNIQUE_SIZE])
{
	/* No letters that are taken for digits. */
	static const char digit[] = "abcdefghjkmnpqrstuvwxyz023456789";
	size_t most = VALUE_UNIQUE_SIZE - UNIQUE_DIGITS - 2, n;

	if (wish.len == 0)
		wish = SV("upload");
	n = wish.len < most ? wish.len : most;
	if (n < wish.len)
		while (n > most - 4 && (wish.ptr[n] & 0xc0) == 0x80)
			n--;
	memcpy(buf, wish.ptr, n);
	buf[n++] = '.';
	for (size_t i = 0; i < UNIQUE_DIGITS; i++, random >>= 5)
		buf[n++] = digit[random & 31];
	buf[n] = '\0';
	return n;
}

size_t
value_quote(struct sv path, char *buf, size_t size)
{
	size_t n = 0;

	if (size < 2)
		return 0;
	buf[n++] = '"';
	for (size_t i = 0; i < path.len; i++) {
		if (n + 3 > size)	/* two for this byte, one to close */
			return 0;
		buf[n++] = put_visible(path.ptr[i]);
		if (path.ptr[i] == '"')
			buf[n++] = '"';
	}
	if (n + 1 > size)
		return 0;
	buf[n++] = '"';
	return n;
}
