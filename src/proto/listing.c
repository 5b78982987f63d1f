/*
 * proto/listing.c: one directory entry as a line; see the header.
 *
 * Each function checks once that the longest possible line fits, and then
 * writes without further checks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/listing.h"

#include "proto/put.h"
#include "proto/value.h"

#define RECENT_S (180 * 86400)

static bool
fits(const struct listing_entry *e, size_t size)
{
	return size >= LISTING_SLACK &&
	    size - LISTING_SLACK >= e->name.len + e->prefix.len +
	    e->target.len + e->owner.len + e->group.len + e->perm.len;
}

/* For people: what could steer a terminal is not shown. */
static char *
put_shown(char *p, struct sv name)
{
	for (size_t i = 0; i < name.len; i++)
		p[i] = put_visible(name.ptr[i]);
	return p + name.len;
}

/* For programs: all bytes but those that would end the line. */
static char *
put_exact(char *p, struct sv name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		p[i] = c == '\r' || c == '\n' || c == '\0' ? '?' : c;
	}
	return p + name.len;
}

static char
type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	case S_IFBLK:
		return 'b';
	case S_IFCHR:
		return 'c';
	default:
		return '-';
	}
}

/* The letter of an execute bit that setuid, setgid or sticky shares. */
static char
exec_letter(bool exec, bool special, char letter)
{
	if (special)
		return exec ? letter : sv_upper(letter);
	return exec ? 'x' : '-';
}

static char *
put_mode(char *p, mode_t mode)
{
	p[0] = type_letter(mode);
	p[1] = mode & S_IRUSR ? 'r' : '-';
	p[2] = mode & S_IWUSR ? 'w' : '-';
	p[3] = exec_letter(mode & S_IXUSR, mode & S_ISUID, 's');
	p[4] = mode & S_IRGRP ? 'r' : '-';
	p[5] = mode & S_IWGRP ? 'w' : '-';
	p[6] = exec_letter(mode & S_IXGRP, mode & S_ISGID, 's');
	p[7] = mode & S_IROTH ? 'r' : '-';
	p[8] = mode & S_IWOTH ? 'w' : '-';
	p[9] = exec_letter(mode & S_IXOTH, mode & S_ISVTX, 't');
	return p + 10;
}

/* Left-aligned in eight columns. */
static char *
put_owner(char *p, struct sv owner)
{
	char *end = put_shown(p, owner.len > 0 ? owner : SV("ftp"));

	return put_blanks(end, p, 8);
}

/* Whether mtime lies in the RECENT_S before now; neither may overflow. */
static bool
is_recent(int64_t mtime, int64_t now)
{
	return mtime <= now && (uint64_t)now - (uint64_t)mtime <= RECENT_S;
}

/* "Jan 02  2020" or "Jan 02 03:04", always twelve columns. */
static char *
put_date(char *p, int64_t mtime, int64_t now)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct value_date date = value_date_of(mtime);

	p = put_sv(p, (struct sv) { months + 3 * (date.month - 1), 3 });
	p = put_2digits(put_char(p, ' '), date.day);
	if (!is_recent(mtime, now))
		return put_4digits(put_literal(p, "  "), date.year);
	p = put_2digits(put_char(p, ' '), date.hour);
	return put_2digits(put_char(p, ':'), date.minute);
}

size_t
listing_list(const struct listing_entry *e, int64_t now, char *buf,
    size_t size)
{
	char *p = buf;

	if (!fits(e, size))
		return 0;
	p = put_mode(p, e->mode);
	p = put_uint_right(put_char(p, ' '), e->links, 4);
	p = put_owner(put_char(p, ' '), e->owner);
	p = put_owner(put_char(p, ' '), e->group);
	p = put_uint_right(put_char(p, ' '), e->size, 8);
	p = put_date(put_char(p, ' '), e->mtime, now);
	p = put_shown(put_char(p, ' '), e->name);
	if (S_ISLNK(e->mode) && e->target.len > 0)
		p = put_shown(put_literal(p, " -> "), e->target);
	if (e->mark != '\0')
		p = put_char(p, e->mark);
	return (size_t)(put_literal(p, "\r\n") - buf);
}

size_t
listing_nlst(const struct listing_entry *e, char *buf, size_t size)
{
	char *p = buf;

	if (!fits(e, size))
		return 0;
	p = put_exact(put_exact(p, e->prefix), e->name);
	if (e->mark != '\0')
		p = put_char(p, e->mark);
	return (size_t)(put_literal(p, "\r\n") - buf);
}

size_t
listing_head(struct sv prefix, struct sv dir, char *buf, size_t size)
{
	char *p = buf;

	if (size < LISTING_SLACK ||
	    size - LISTING_SLACK < prefix.len + dir.len)
		return 0;
	p = put_literal(p, "\r\n");
	p = put_shown(p, prefix.len > 0 ? prefix : SV("./"));
	return (size_t)(put_literal(put_shown(p, dir), ":\r\n") - buf);
}

char
listing_mark(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return '/';
	case S_IFLNK:
		return '@';
	case S_IFIFO:
		return '|';
	case S_IFSOCK:
		return '=';
	case S_IFREG:
		return mode & 0111 ? '*' : '\0';
	default:
		return '\0';
	}
}

static unsigned
option_of(char letter)
{
	switch (letter) {
#define X(NAME, option) \
	case option: \
		return LS_##NAME;
	LISTING_OPTIONS(X)
#undef X
	default:
		return 0;
	}
}

/* Takes one word off the front, and the blanks behind it. */
static struct sv
take_word(struct sv *text)
{
	struct sv word = { text->ptr, 0 };

	while (word.len < text->len && word.ptr[word.len] != ' ')
		word.len++;
	*text = sv_drop(*text, word.len);
	while (text->len > 0 && text->ptr[0] == ' ')
		*text = sv_drop(*text, 1);
	return word;
}

unsigned
listing_take_options(struct sv *arg)
{
	const unsigned orders = LS_BY_TIME | LS_BY_SIZE;
	unsigned options = 0;

	while (arg->len > 1 && arg->ptr[0] == '-' && arg->ptr[1] != ' ') {
		struct sv word = take_word(arg);

		if (sv_eq(word, SV("--")))
			break;
		for (size_t i = 1; i < word.len && word.ptr[1] != '-'; i++) {
			unsigned option = option_of(word.ptr[i]);

			if ((option & orders) != 0)
				options &= ~orders;
			options |= option;
		}
	}
	return options;
}

/* A value holds no ";" and no blank, which end it (RFC 3659 §7.2). */
static char *
put_value(char *p, struct sv value)
{
	for (size_t i = 0; i < value.len; i++) {
		char c = put_visible(value.ptr[i]);

		p[i] = c == ';' || c == ' ' ? '?' : c;
	}
	return p + value.len;
}

static char *
put_type(char *p, const struct listing_entry *e)
{
	if (S_ISREG(e->mode))
		return put_literal(p, "type=file;");
	if (S_ISDIR(e->mode) && e->place == LISTING_CDIR)
		return put_literal(p, "type=cdir;");
	if (S_ISDIR(e->mode) && e->place == LISTING_PDIR)
		return put_literal(p, "type=pdir;");
	if (S_ISDIR(e->mode))
		return put_literal(p, "type=dir;");
	if (S_ISLNK(e->mode)) {
		p = put_literal(p, "type=OS.unix=slink:");
		return put_char(put_value(p, e->target), ';');
	}
	return put_literal(p, "type=OS.unix=special;");
}

static char *
put_modify(char *p, int64_t mtime)
{
	char text[VALUE_TIME_SIZE];

	value_format_time(mtime, text);
	p = put_literal(p, "modify=");
	p = put_sv(p, (struct sv) { text, VALUE_TIME_SIZE - 1 });
	return put_char(p, ';');
}

static char *
put_unix_mode(char *p, mode_t mode)
{
	p = put_literal(p, "UNIX.mode=");
	for (int shift = 9; shift >= 0; shift -= 3)
		p = put_char(p, (char)('0' + (mode >> shift & 7)));
	return put_char(p, ';');
}

static char *
put_unique(char *p, uint64_t dev, uint64_t ino)
{
	p = put_hex(put_literal(p, "unique="), dev);
	p = put_hex(put_char(p, 'U'), ino);
	return put_char(p, ';');
}

size_t
listing_mlsd(const struct listing_entry *e, unsigned facts, char *buf,
    size_t size)
{
	bool is_link = S_ISLNK(e->mode);
	char *p = buf;

	if (!fits(e, size))
		return 0;
	if (facts & LISTING_TYPE)
		p = put_type(p, e);
	if (facts & LISTING_SIZE &&
	    S_ISREG(is_link ? e->target_mode : e->mode)) {
		p = put_uint(put_literal(p, "size="),
		    is_link ? e->target_size : e->size);
		p = put_char(p, ';');
	}
	if (facts & LISTING_MODIFY)
		p = put_modify(p, e->mtime);
	if (facts & LISTING_PERM) {
		p = put_sv(put_literal(p, "perm="), e->perm);
		p = put_char(p, ';');
	}
	if (facts & LISTING_UNIX_MODE)
		p = put_unix_mode(p, e->mode);
	if (facts & LISTING_UNIQUE)
		p = put_unique(p, e->dev, e->ino);
	p = put_exact(put_char(p, ' '), e->name);
	return (size_t)(put_literal(p, "\r\n") - buf);
}

static const struct {
	unsigned fact;
	const char *name;
} facts_table[] = {
#define X(NAME, bit, name) { LISTING_##NAME, name },
	LISTING_FACTS(X)
#undef X
};

#define FACT_COUNT (sizeof(facts_table) / sizeof(facts_table[0]))

unsigned
listing_facts_parse(struct sv text)
{
	unsigned facts = 0;

	while (text.len > 0) {
		struct sv name = { text.ptr, 0 };

		while (name.len < text.len && text.ptr[name.len] != ';')
			name.len++;
		for (size_t i = 0; i < FACT_COUNT; i++)
			if (sv_eq_nocase(name, sv_of(facts_table[i].name)))
				facts |= facts_table[i].fact;
		text = sv_drop(text, name.len + 1);
	}
	return facts;
}

void
listing_facts_feat(unsigned on, char buf[LISTING_FACTS_TEXT_MAX])
{
	char *p = buf;

	for (size_t i = 0; i < FACT_COUNT; i++) {
		p = put_sv(p, sv_of(facts_table[i].name));
		if (on & facts_table[i].fact)
			p = put_char(p, '*');
		p = put_char(p, ';');
	}
	*p = '\0';
}

void
listing_facts_opts(unsigned on, char buf[LISTING_FACTS_TEXT_MAX])
{
	char *p = buf;

	for (size_t i = 0; i < FACT_COUNT; i++)
		if (on & facts_table[i].fact) {
			p = put_sv(p, sv_of(facts_table[i].name));
			p = put_char(p, ';');
		}
	*p = '\0';
}
