/*
 * conf/conf_list.c: lists whose items have parts: passive addresses, ports of
 * listeners, sets of words.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

/* Ports that a listener may draw from, as for passive.ports. */
#define PORT_LEAST 1024
#define PORT_MOST 65535

/* Splits "LEFT=RIGHT" at the last "="; false when there is none. */
static bool
split(struct sv item, struct sv *left, struct sv *right)
{
	const char *equals = memrchr(item.ptr, '=', item.len);

	if (equals == NULL)
		return false;
	*left = (struct sv) { item.ptr, (size_t)(equals - item.ptr) };
	*right = sv_drop(item, left->len + 1);
	return true;
}

/* Host names (RFC 1123 §2.1), and "_", which some have. */

static bool
is_label_byte(char c)
{
	char upper = sv_upper(c);

	return sv_digit(c) || (upper >= 'A' && upper <= 'Z') || c == '-' ||
	    c == '_';
}

static bool
is_label(struct sv label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!is_label_byte(label.ptr[i]))
			return false;
	return label.len > 0 && label.len <= 63 && label.ptr[0] != '-';
}

/* "10.0.0.300" is an address with a mistake in it, not a name. */
static bool
is_name(struct sv text)
{
	struct sv label = { text.ptr, 0 };

	if (text.len > 253)
		return false;
	for (;;) {
		const char *dot = memchr(text.ptr, '.', text.len);

		label = text;
		if (dot != NULL)
			label.len = (size_t)(dot - text.ptr);
		if (!is_label(label))
			return false;
		text = sv_drop(text, label.len + 1);
		if (dot == NULL || text.len == 0)	/* or "example.org." */
			return sv_digits(label) != label.len;
	}
}

static bool
read_place(const struct conf_key *k, struct sv text, struct passive_entry *e,
    const struct conf_where *w)
{
	if (sv_eq(text, SV("local"))) {
		e->means = PASSIVE_LOCAL;
	} else if (addr_parse_ip(text, &e->at)) {
		e->means = PASSIVE_FIXED;
		if (e->at.family != ADDR_V4)
			return conf_refuse(k, text, "is not IPv4, and PASV "
			    "knows nothing else", w);
		if (!passive_can_be_told(&e->at))
			return conf_refuse(k, text, "is no host's address",
			    w);
	} else if (is_name(text)) {
		e->means = PASSIVE_NAMED;
		memcpy(e->name, text.ptr, text.len);
	} else {
		return conf_refuse(k, text, "is no address and no name", w);
	}
	return true;
}

static bool
read_entry(const struct conf_key *k, struct sv item, struct passive_entry *e,
    const struct conf_where *w)
{
	struct sv net, place = item;

	memset(e, 0, sizeof(*e));
	e->clients.base.family = ADDR_V4;
	if (split(item, &net, &place)) {
		if (!conf_read_net(k, net, &e->clients, w))
			return false;
		if (e->clients.base.family != ADDR_V4)
			return conf_refuse(k, net, "is not IPv4, and PASV is "
			    "for IPv4 clients alone", w);
	}
	return read_place(k, place, e, w);
}

/* Which of two entries for one network would hold, nobody could see. */
static bool
is_double(const struct conf_passive *list, const struct passive_entry *e)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->at[i].clients.bits == e->clients.bits &&
		    addr_same_ip(&list->at[i].clients.base, &e->clients.base))
			return true;
	return false;
}

static bool
passive_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_passive list;
	struct sv rest = text, item = conf_take_item(&rest);

	memset(&list, 0, sizeof(list));
	if (add)
		memcpy(&list, field, sizeof(list));
	for (; item.len > 0; item = conf_take_item(&rest)) {
		struct passive_entry e;

		if (!read_entry(k, item, &e, w))
			return false;
		if (is_double(&list, &e))
			return conf_refuse(k, item, "is for the same clients "
			    "as another", w);
		if (list.count == k->most)
			return conf_refuse(k, item, "is one too many", w);
		list.at[list.count++] = e;
	}
	memcpy(field, &list, sizeof(list));
	return true;
}

static void
passive_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_passive *list = field;
	char buf[ADDR_TEXT_MAX];

	(void)k;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct passive_entry *e = &list->at[i];

		fputc(' ', out);
		if (e->clients.bits > 0)
			fprintf(out, "%s/%u=",
			    addr_format_ip(&e->clients.base, buf),
			    e->clients.bits);
		if (e->means == PASSIVE_FIXED)
			fputs(addr_format_ip(&e->at, buf), out);
		else
			fputs(e->means == PASSIVE_NAMED ? e->name : "local",
			    out);
	}
}

static void
passive_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u %s, as 203.0.113.5, ftp.example.org or "
	    "10.0.0.0/8=local", k->least, k->most, k->unit);
}

static bool
read_ports(const struct conf_key *k, struct sv item, struct passive_ports *p,
    const struct conf_where *w)
{
	struct sv at, ports;
	struct conf_range range;
	const char *wrong;

	if (!split(item, &at, &ports) || !addr_parse_ip_port(at, &p->at) ||
	    p->at.port == 0)
		return conf_refuse(k, item, "is not a listener with its ports",
		    w);
	wrong = conf_read_range(ports, PORT_LEAST, PORT_MOST, &range);
	if (wrong != NULL)
		return conf_refuse(k, ports, wrong, w);
	p->at = addr_unmap(p->at);
	p->low = range.low;
	p->high = range.high;
	return true;
}

static bool
ports_at_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_ports_at list = { .count = 0 };
	struct sv rest = text, item = conf_take_item(&rest);

	if (add)
		memcpy(&list, field, sizeof(list));
	for (; item.len > 0; item = conf_take_item(&rest)) {
		struct passive_ports p;

		if (!read_ports(k, item, &p, w))
			return false;
		if (list.count == k->most)
			return conf_refuse(k, item, "is one too many", w);
		list.at[list.count++] = p;
	}
	memcpy(field, &list, sizeof(list));
	return true;
}

static void
ports_at_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_ports_at *list = field;
	char buf[ADDR_TEXT_MAX];

	(void)k;
	for (uint32_t i = 0; i < list->count; i++)
		fprintf(out, " %s=%u-%u", addr_format(&list->at[i].at, buf),
		    list->at[i].low, list->at[i].high);
}

static void
ports_at_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%u to %u of %s, as 192.0.2.1:21=51000-51999, ports %u "
	    "to %u", k->least, k->most, k->unit, PORT_LEAST, PORT_MOST);
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
		if (!sv_eq(item, conf_take_word(&words)))
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
	struct sv words = sv_of(k->unit), word = conf_take_word(&words);

	if (set == 0)
		fprintf(out, " %.*s", (int)word.len, word.ptr);
	for (uint32_t i = 1; i <= k->most; i++) {
		bool all = i == k->most;

		word = conf_take_word(&words);
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
		struct sv word = conf_take_word(&words);

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

TYPE(passive);
TYPE(ports_at);
TYPE(set);
