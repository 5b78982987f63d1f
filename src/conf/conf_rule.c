/*
 * conf/conf_rule.c: "GROUP|* DIRECTORY RIGHTS [OPTION,...]", what a system
 * account has here.
 *
 * Of rights and options it knows only that they are words: the account
 * file's reader, which lies above conf/, is asked at the start.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

static bool
take_word(const struct conf_key *k, struct sv text, char *out, size_t size,
    const struct conf_where *w)
{
	if (text.len >= size)
		return conf_refuse(k, text, "is too long", w);
	if (!conf_is_printable(text))
		return conf_refuse(k, text, "holds an unprintable byte", w);
	memcpy(out, text.ptr, text.len);
	return true;
}

/* The three words that there must be, and the one that there may be. */
static bool
take_words(const struct conf_key *k, struct sv text, struct conf_rule *r,
    const struct conf_where *w)
{
	struct sv rest = text, group = conf_take_item(&rest);
	struct sv directory = conf_take_item(&rest);
	struct sv rights = conf_take_item(&rest);
	struct sv options = conf_take_item(&rest);

	if (rights.len == 0)
		return conf_refuse(k, text, "has too few words", w);
	if (conf_take_item(&rest).len > 0)
		return conf_refuse(k, text, "has too many words", w);
	return take_word(k, group, r->group, sizeof(r->group), w) &&
	    take_word(k, directory, r->directory, sizeof(r->directory), w) &&
	    take_word(k, rights, r->rights, sizeof(r->rights), w) &&
	    take_word(k, options, r->options, sizeof(r->options), w);
}

static bool
rules_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_rules *list = field;
	struct conf_rule rule = { .group = "" };
	struct sv rest = text;

	if (conf_take_item(&rest).len == 0 && !add) {
		memset(list, 0, sizeof(*list));
		return true;
	}
	if (add && list->count == k->most)
		return conf_refuse(k, text, "is one too many", w);
	if (!take_words(k, text, &rule, w))
		return false;
	if (!add)
		memset(list, 0, sizeof(*list));
	memcpy(&list->at[list->count++], &rule, sizeof(rule));
	return true;
}

/* A rule a line, as sites are. */
static void
rules_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_rules *list = field;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_rule *r = &list->at[i];

		if (i > 0)
			fprintf(out, "\n%s =", k->name);
		fprintf(out, " %s %s %s", r->group, r->directory, r->rights);
		if (r->options[0] != '\0')
			fprintf(out, " %s", r->options);
	}
}

static void
rules_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s, as \"staff home/%%u lrwodnm\"; %u to %u such lines",
	    k->unit, k->least, k->most);
}

const struct conf_type conf_type_rules = {
	.read = rules_read,
	.write = rules_write,
	.allowed = rules_allowed,
	.is_list = true,
};
