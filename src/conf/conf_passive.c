/*
 * conf/conf_passive.c: lists for passive mode: the addresses that PASV tells,
 * and the ports of listeners.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include "base/hostname.h"

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

/* Here a dot may end it, as resolvers have it. */
static bool
is_host_name(struct sv text)
{
	if (text.len > 0 && text.ptr[text.len - 1] == '.')
		text.len--;
	return hostname_is_good(text);
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
	} else if (is_host_name(text)) {
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
passive_item(const struct conf_key *k, struct sv item, void *list,
    const struct conf_where *w)
{
	struct conf_passive *l = list;

	if (!read_entry(k, item, &l->at[l->count], w))
		return false;
	return !is_double(l, &l->at[l->count]) || conf_refuse(k, item,
	    "is for the same clients as another", w);
}

static bool
passive_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_passive list;

	return conf_read_list(k, text, add ? field : NULL, &list,
	    sizeof(list), passive_item, field, w);
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
ports_at_item(const struct conf_key *k, struct sv item, void *list,
    const struct conf_where *w)
{
	struct conf_ports_at *l = list;

	return read_ports(k, item, &l->at[l->count], w);
}

static bool
ports_at_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_ports_at list;

	return conf_read_list(k, text, add ? field : NULL, &list,
	    sizeof(list), ports_at_item, field, w);
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

#define TYPE(name) \
	const struct conf_type conf_type_##name = { \
		.read = name##_read, \
		.write = name##_write, \
		.allowed = name##_allowed, \
		.is_list = true, \
	}

TYPE(passive);
TYPE(ports_at);
