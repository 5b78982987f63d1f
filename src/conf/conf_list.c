/*
 * conf/conf_list.c: lists, whose items stand between blanks, and what their
 * readers share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

bool
conf_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct sv
conf_take_item(struct sv *list)
{
	struct sv item;

	while (list->len > 0 && conf_is_blank(list->ptr[0]))
		*list = sv_drop(*list, 1);
	item = (struct sv) { list->ptr, 0 };
	while (item.len < list->len && !conf_is_blank(item.ptr[item.len]))
		item.len++;
	*list = sv_drop(*list, item.len);
	return item;
}

bool
conf_read_list(const struct conf_key *k, struct sv text, const void *old,
    void *list, size_t size, conf_item_read *read, void *field,
    const struct conf_where *w)
{
	uint32_t *count = list;
	struct sv rest = text, item;

	memset(list, 0, size);
	if (old != NULL)
		memcpy(list, old, size);
	while ((item = conf_take_item(&rest)).len > 0) {
		if (*count == k->most)
			return conf_refuse(k, item, "is one too many", w);
		if (!read(k, item, list, w))
			return false;
		++*count;
	}
	if (*count < k->least)
		return conf_refuse(k, text, "names too few", w);
	memcpy(field, list, size);
	return true;
}

static bool
listen_item(const struct conf_key *k, struct sv item, void *list,
    const struct conf_where *w)
{
	struct conf_listen *l = list;
	struct addr a;

	if (!addr_parse_ip_port(item, &a))
		return conf_refuse(k, item, "is not an address with a port",
		    w);
	l->at[l->count] = addr_unmap(a);
	return true;
}

static bool
listen_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_listen list;

	return conf_read_list(k, text, add ? field : NULL, &list,
	    sizeof(list), listen_item, field, w);
}

static void
listen_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_listen *list = field;
	char buf[ADDR_TEXT_MAX];

	(void)k;
	for (uint32_t i = 0; i < list->count; i++)
		fprintf(out, " %s", addr_format(&list->at[i], buf));
}

static void
listen_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u of %s, as 192.0.2.1:21 or [2001:db8::1]:21",
	    k->least, k->most, k->unit);
}

/* The network's address with every bit behind its first `bits` cleared. */
static struct addr_net
net_of(const struct addr_net *given)
{
	struct addr_net net = *given;
	uint32_t bits = net.bits;

	for (size_t i = 0; i < sizeof(net.base.ip); i++) {
		unsigned kept = bits < 8 ? bits : 8;

		net.base.ip[i] &= (uint8_t)(0xff00U >> kept);
		bits -= kept;
	}
	return net;
}

/*
 * "10.1.2.3/8" is refused rather than read as 10.0.0.0/8: whoever wrote it
 * meant another network or another length, and this list denies.
 */
bool
conf_read_net(const struct conf_key *k, struct sv item, struct addr_net *out,
    const struct conf_where *w)
{
	char quoted[CONF_QUOTE_MAX], buf[ADDR_TEXT_MAX];
	struct addr_net given, net;

	if (!addr_parse_net(item, &given))
		return conf_refuse(k, item, "is not a network", w);
	net = net_of(&given);
	if (memcmp(net.base.ip, given.base.ip, sizeof(net.base.ip)) != 0) {
		conf_problem(w, k->name,
		    "%s is longer than its /%u; write %s/%u",
		    conf_quote(item, quoted), net.bits,
		    addr_format_ip(&net.base, buf), net.bits);
		return false;
	}
	*out = net;
	return true;
}

static bool
nets_item(const struct conf_key *k, struct sv item, void *list,
    const struct conf_where *w)
{
	struct conf_nets *l = list;

	return conf_read_net(k, item, &l->at[l->count], w);
}

static bool
nets_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_nets list;

	return conf_read_list(k, text, add ? field : NULL, &list,
	    sizeof(list), nets_item, field, w);
}

static void
nets_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_nets *list = field;
	char buf[ADDR_TEXT_MAX];

	(void)k;
	for (uint32_t i = 0; i < list->count; i++)
		fprintf(out, " %s/%u",
		    addr_format_ip(&list->at[i].base, buf),
		    list->at[i].bits);
}

static void
nets_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u %s, as 192.0.2.0/24 or 2001:db8::/32",
	    k->least, k->most, k->unit);
}

/* Patterns of names; what a "/" in one would mean nobody could say. */

static bool
patterns_item(const struct conf_key *k, struct sv item, void *list,
    const struct conf_where *w)
{
	struct conf_patterns *l = list;

	if (item.len >= CONF_NAME_MAX)
		return conf_refuse(k, item, "is too long", w);
	if (!conf_is_name(item))
		return conf_refuse(k, item, "is no pattern of a name", w);
	memcpy(l->at[l->count], item.ptr, item.len);
	return true;
}

static bool
patterns_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_patterns list;

	return conf_read_list(k, text, add ? field : NULL, &list,
	    sizeof(list), patterns_item, field, w);
}

static void
patterns_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_patterns *list = field;

	(void)k;
	for (uint32_t i = 0; i < list->count; i++)
		fprintf(out, " %s", list->at[i]);
}

static void
patterns_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u %s of names, each at most %d bytes, as *.tmp",
	    k->least, k->most, k->unit, CONF_NAME_MAX - 1);
}

/* Sets: bit i is word i + 1; the first word is none, the last all. */

static uint32_t
all_of(const struct conf_key *k)
{
	return (1u << (k->most - 1)) - 1;
}

/* The bits of one word; false when it is none of them. */
static bool
bits_of(const struct conf_key *k, struct sv item, uint32_t *out)
{
	struct sv words = sv_of(k->unit);

	for (uint32_t i = 0; i <= k->most; i++) {
		if (!sv_eq(item, sv_take_field(&words, '|')))
			continue;
		*out = i == 0 ? 0 : i == k->most ? all_of(k) : 1u << (i - 1);
		return true;
	}
	return false;
}

static bool
set_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	uint32_t set = add ? *(uint32_t *)field : 0, bits = 0, items = 0;
	struct sv rest = text, item = conf_take_item(&rest);
	bool none = false;

	for (; item.len > 0; item = conf_take_item(&rest)) {
		if (!bits_of(k, item, &bits))
			return conf_refuse(k, item, "is none of the words", w);
		none |= bits == 0;
		set |= bits;
		items++;
	}
	if (items == 0)
		return conf_refuse(k, text, "names too few", w);
	if (none && set != 0)
		return conf_refuse(k, text, "is none and more", w);
	*(uint32_t *)field = set;
	return true;
}

static void
set_write(const void *field, const struct conf_key *k, FILE *out)
{
	uint32_t set = *(const uint32_t *)field;
	struct sv words = sv_of(k->unit), word = sv_take_field(&words, '|');

	if (set == 0)
		fprintf(out, " %.*s", (int)word.len, word.ptr);
	for (uint32_t i = 1; i <= k->most; i++) {
		bool all = i == k->most;

		word = sv_take_field(&words, '|');
		if (all ? set == all_of(k) : set != all_of(k) &&
		    (set & 1u << (i - 1)) != 0)
			fprintf(out, " %.*s", (int)word.len, word.ptr);
	}
}

static void
set_allowed(const struct conf_key *k, FILE *out)
{
	struct sv words = sv_of(k->unit);

	for (uint32_t i = 0; i <= k->most; i++) {
		struct sv word = sv_take_field(&words, '|');

		fprintf(out, "%s%.*s", i == 0 ? "" : i == k->most ? " or " :
		    ", ", (int)word.len, word.ptr);
	}
	fputs(", several of them between blanks", out);
}

#define TYPE(name) \
	const struct conf_type conf_type_##name = { \
		.read = name##_read, \
		.write = name##_write, \
		.allowed = name##_allowed, \
		.is_list = true, \
	}

TYPE(listen);
TYPE(nets);
TYPE(patterns);
TYPE(set);
