/*
 * conf/conf_site.c: "NAME[,NAME...] DIRECTORY [BANNER]", a site of its own.
 *
 * A directory with blanks, or one that begins with a quotation mark, stands
 * in quotation marks, and one inside is doubled.  A backslash means nothing:
 * it is a byte of a name like any other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include "base/hostname.h"

static void
skip_blanks(struct sv *text)
{
	while (text->len > 0 && conf_is_blank(text->ptr[0]))
		*text = sv_drop(*text, 1);
}

static bool
is_taken(const struct conf_sites *list, const char *mine, struct sv name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (hostname_is_in(sv_of(list->at[i].names), name))
			return true;
	return hostname_is_in(sv_of(mine), name);
}

static void
append_name(char *names, struct sv name)
{
	size_t n = strlen(names);

	if (n > 0)
		names[n++] = ',';
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		names[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
}

static bool
read_names(const struct conf_key *k, struct sv text,
    const struct conf_sites *list, char *out, const struct conf_where *w)
{
	struct sv name;
	bool more;

	if (text.len >= CONF_SITE_NAMES_MAX)
		return conf_refuse(k, text, "is too long", w);
	do {
		more = memchr(text.ptr, ',', text.len) != NULL;
		name = sv_take_field(&text, ',');
		if (!hostname_is_good(name))
			return conf_refuse(k, name, "is not a host's name", w);
		if (is_taken(list, out, name))
			return conf_refuse(k, name, "is given twice", w);
		append_name(out, name);
	} while (more);
	return true;
}

/* Takes the directory off the front; false when a quotation mark is amiss. */
static bool
take_directory(struct sv *text, char out[PATH_MAX], size_t *len)
{
	bool quoted = sv_take(text, '"'), open = quoted;
	size_t n = 0;

	while (text->len > 0 && (open || !conf_is_blank(text->ptr[0]))) {
		char c = text->ptr[0];

		if (quoted && c == '"') {
			*text = sv_drop(*text, 1);
			open = false;
			/* Doubled, it is one of the name's own. */
			if (text->len == 0 || text->ptr[0] != '"')
				break;
			open = true;
		}
		if (n == PATH_MAX - 1)
			return false;
		out[n++] = c;
		*text = sv_drop(*text, 1);
	}
	*len = n;
	return !open && (text->len == 0 || conf_is_blank(text->ptr[0]));
}

static bool
read_directory(const struct conf_key *k, struct sv *text, char *out,
    const struct conf_where *w)
{
	char room[PATH_MAX];
	struct sv all = *text, path = { room, 0 };

	if (!take_directory(text, room, &path.len))
		return conf_refuse(k, all, "has an odd quotation mark", w);
	if (path.len == 0)
		return conf_refuse(k, all, "names no directory", w);
	if (path.len >= CONF_SITE_ROOT_MAX)
		return conf_refuse(k, path, "is too long", w);
	if (!conf_is_printable(path))
		return conf_refuse(k, path, "holds an unprintable byte", w);
	memcpy(out, path.ptr, path.len);
	return true;
}

static bool
read_banner(const struct conf_key *k, struct sv text, char *out,
    const struct conf_where *w)
{
	if (text.len >= CONF_TEXT_MAX)
		return conf_refuse(k, text, "is too long", w);
	if (!conf_is_printable(text))
		return conf_refuse(k, text, "holds an unprintable byte", w);
	if (text.len > 0)
		memcpy(out, text.ptr, text.len);
	return true;
}

static struct sv
without_outer_blanks(struct sv text)
{
	skip_blanks(&text);
	while (text.len > 0 && conf_is_blank(text.ptr[text.len - 1]))
		text.len--;
	return text;
}

static bool
site_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_sites *list = field;
	struct conf_sites none = { .count = 0 };
	struct conf_site site = { .names = "" };
	struct sv rest = without_outer_blanks(text);
	struct sv names = conf_take_item(&rest);

	if (names.len == 0 && rest.len == 0 && !add) {
		memcpy(list, &none, sizeof(none));
		return true;
	}
	if (add && list->count == k->most)
		return conf_refuse(k, names, "is one too many", w);
	skip_blanks(&rest);
	if (!read_names(k, names, add ? list : &none, site.names, w) ||
	    !read_directory(k, &rest, site.root, w))
		return false;
	skip_blanks(&rest);
	if (!read_banner(k, rest, site.banner, w))
		return false;
	if (!add)
		memcpy(list, &none, sizeof(none));
	memcpy(&list->at[list->count++], &site, sizeof(site));
	return true;
}

static void
write_directory(const char *root, FILE *out)
{
	if (strpbrk(root, " \t\"") == NULL) {
		fputs(root, out);
		return;
	}
	fputc('"', out);
	for (const char *p = root; *p != '\0'; p++)
		fputs(*p == '"' ? "\"\"" : (char[]) { *p, '\0' }, out);
	fputc('"', out);
}

/* A site a line: the name of the key stands before all but the first. */
static void
site_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_sites *list = field;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_site *s = &list->at[i];

		if (i > 0)
			fprintf(out, "\n%s =", k->name);
		fprintf(out, " %s ", s->names);
		write_directory(s->root, out);
		if (s->banner[0] != '\0')
			fprintf(out, " %s", s->banner);
	}
}

static void
site_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s; %u to %u such lines", k->unit, k->least, k->most);
}

const struct conf_type conf_type_site = {
	.read = site_read,
	.write = site_write,
	.allowed = site_allowed,
	.is_list = true,
};
