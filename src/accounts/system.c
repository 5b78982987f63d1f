/*
 * accounts/system.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "accounts/system.h"

#include <stdio.h>

bool
accounts_system_name_is_good(struct sv name)
{
	if (!accounts_name_is_good(name) || name.ptr[0] == '.' ||
	    name.ptr[0] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!sv_letter(c) && !sv_digit(c) && c != '.' && c != '_' &&
		    c != '-' && c != '@')
			return false;
	}
	return true;
}

/* A line that grows, and is useless once something did not fit. */
struct line {
	char *at;
	size_t len;
	bool full;
};

static void
add(struct line *l, struct sv text)
{
	l->full = l->full || text.len > ACCOUNTS_LINE_MAX - l->len;
	if (l->full || text.len == 0)
		return;
	memcpy(l->at + l->len, text.ptr, text.len);
	l->len += text.len;
}

/* False for a "%" that means nothing. */
static bool
add_directory(struct line *l, struct sv directory, struct sv name)
{
	for (size_t i = 0; i < directory.len; i++) {
		if (directory.ptr[i] != '%') {
			add(l, (struct sv) { directory.ptr + i, 1 });
			continue;
		}
		if (++i == directory.len || directory.ptr[i] != 'u')
			return false;
		add(l, name);
	}
	return true;
}

/* A colon of theirs would begin the next field. */
static bool
has_colon(struct sv text)
{
	return text.len > 0 && memchr(text.ptr, ':', text.len) != NULL;
}

bool
accounts_make(const struct accounts_rule *r, struct sv name,
    struct accounts_made *out, char why[ACCOUNTS_WHY_MAX])
{
	struct line l = { .at = out->line };
	const char *wrong = NULL;

	if (!accounts_system_name_is_good(name))
		wrong = "no name that the system is asked about";
	else if (has_colon(r->directory) || has_colon(r->rights))
		wrong = "a colon in the directory or the rights";
	if (wrong == NULL) {
		add(&l, name);
		add(&l, SV(":*:"));
		if (!add_directory(&l, r->directory, name))
			wrong = "\"%\" in the directory stands before \"u\" "
			    "alone: %u";
		add(&l, SV(":"));
		add(&l, r->rights);
		add(&l, SV(":"));
		add(&l, r->options);
		if (l.full)
			wrong = "it is too long";
	}
	if (wrong != NULL) {
		snprintf(why, ACCOUNTS_WHY_MAX, "%s", wrong);
		return false;
	}
	out->line[l.len] = '\0';
	return accounts_parse_line((struct sv) { out->line, l.len },
	    &out->entry, why);
}
