/*
 * conf/conf_step.c: classes of clients, their limits, and steps of the day:
 *
 *	class = campus 10.0.0.0/8 192.0.2.0/24
 *	class.limit = campus sessions.per_address 20 rate.address 50M
 *	at = 08:00 rate.all 200M
 *	at = 20:00 rate.all 1G
 *	at = 20:00 campus sessions.max 500
 *
 * The name of a class has no dot, and that of a limit has one: neither can be
 * taken for the other.  A value is read by the limit's own key.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"
#include "conf/conf_limit.h"

#include <assert.h>

static const struct conf_key *
key_of_limit(uint32_t limit)
{
	static const enum conf_key_index keys[] = {
#define X(field, each) [LIMIT_##field] = CONF_KEY_##field,
		CONF_LIMITS(X)
#undef X
	};

	assert(limit < CONF_LIMIT_COUNT);
	return &conf_keys[keys[limit]];
}

/* Classes. */

static bool
is_class_name(struct sv text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!sv_digit(c) && !sv_letter(c) && c != '-' && c != '_')
			return false;
	}
	return text.len > 0 && text.len < CONF_CLASS_NAME_MAX;
}

/*
 * A client with IPv6 has a /64, and counts as one: a class could not be told
 * apart within it.
 */
static bool
class_net(const struct conf_key *k, struct sv item, struct conf_class *class,
    const struct conf_where *w)
{
	struct addr_net net;

	if (!conf_read_net(k, item, &net, w))
		return false;
	if (net.base.family == ADDR_V6 && net.bits > 64)
		return conf_refuse(k, item, "is a part of one client's /64",
		    w);
	if (class->count == CONF_CLASS_NETS_MAX)
		return conf_refuse(k, item, "is one network too many", w);
	class->net[class->count++] = net;
	return true;
}

static bool
classes_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_classes *list = field;
	struct conf_class class = { .count = 0 };
	struct sv rest = text, item = conf_take_item(&rest);

	if (item.len > 0 && !is_class_name(item))
		return conf_refuse(k, item, "is not a name for a class", w);
	if (item.len > 0 && add && list->count == k->most)
		return conf_refuse(k, item, "is one too many", w);
	if (item.len > 0)
		memcpy(class.name, item.ptr, item.len);
	for (item = conf_take_item(&rest); item.len > 0;
	    item = conf_take_item(&rest))
		if (!class_net(k, item, &class, w))
			return false;
	if (class.name[0] != '\0' && class.count == 0)
		return conf_refuse(k, text, "names no network", w);
	if (!add)
		memset(list, 0, sizeof(*list));
	if (class.count > 0)
		list->at[list->count++] = class;
	return true;
}

/* Each has a line of its own: there is no other mark between them. */
static void
next_line(uint32_t i, const struct conf_key *k, FILE *out)
{
	if (i > 0)
		fprintf(out, "\n%s =", k->name);
}

static void
classes_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_classes *list = field;
	char buf[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_class *class = &list->at[i];

		next_line(i, k, out);
		fprintf(out, " %s", class->name);
		for (uint32_t j = 0; j < class->count; j++)
			fprintf(out, " %s/%u",
			    addr_format_ip(&class->net[j].base, buf),
			    class->net[j].bits);
	}
}

static void
classes_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s, %u to %u times, each with 1 to %d networks and a "
	    "name of at most %d letters, digits, - and _", k->unit, k->least,
	    k->most, CONF_CLASS_NETS_MAX, CONF_CLASS_NAME_MAX - 1);
}

/* Limits of classes, and steps. */

/* "08:30" */
static bool
read_minute(struct sv text, uint32_t *out)
{
	struct sv hour = { text.ptr, sv_digits(text) }, minute;
	uint64_t h, m;

	minute = sv_drop(text, hour.len);
	if (hour.len != 2 || !sv_take(&minute, ':') || minute.len != 2 ||
	    !sv_number(hour, 23, &h) || !sv_number(minute, 59, &m))
		return false;
	*out = (uint32_t)(h * 60 + m);
	return true;
}

static bool
read_limit(struct sv name, uint32_t *out)
{
	for (uint32_t i = 0; i < CONF_LIMIT_COUNT; i++)
		if (sv_eq(name, sv_of(key_of_limit(i)->name))) {
			*out = i;
			return true;
		}
	return false;
}

static bool
read_value(const struct conf_key *where, struct conf_step *s, struct sv text,
    const struct conf_where *w)
{
	struct conf_key k = *key_of_limit(s->limit);
	char name[64]; /* "at: rate.all", for what is wrong with it */
	uint32_t number;

	snprintf(name, sizeof(name), "%s: %s", where->name, k.name);
	k.name = name;
	if (k.type == &conf_type_rate)
		return k.type->read(&k, text, false, &s->value, w);
	if (!k.type->read(&k, text, false, &number, w))
		return false;
	s->value = number;
	return true;
}

/* KEY VALUE [KEY VALUE]...: a step for each, as `s` is in all else. */
static bool
read_pairs(const struct conf_key *k, struct sv text, struct conf_step s,
    struct conf_steps *list, const struct conf_where *w)
{
	struct sv name, value;

	for (name = conf_take_item(&text); name.len > 0;
	    name = conf_take_item(&text)) {
		if (!read_limit(name, &s.limit))
			return conf_refuse(k, name, "is none of the limits",
			    w);
		value = conf_take_item(&text);
		if (!read_value(k, &s, value, w))
			return false;
		if (list->count == k->most)
			return conf_refuse(k, name, "is one too many", w);
		list->at[list->count++] = s;
	}
	return true;
}

static bool
list_read(const struct conf_key *k, struct sv text, bool add, void *field,
    bool timed, const struct conf_where *w)
{
	struct conf_steps list = { .count = 0 };
	struct conf_step s = { .minute = 0 };
	struct sv rest = text, item = conf_take_item(&rest), before;
	uint32_t had;

	if (add)
		memcpy(&list, field, sizeof(list));
	had = list.count;
	if (timed && item.len > 0 && !read_minute(item, &s.minute))
		return conf_refuse(k, item, "is not a time of the day", w);
	before = rest;
	if (timed)
		item = conf_take_item(&rest);
	if (item.len > 0 && is_class_name(item))
		memcpy(s.class_name, item.ptr, item.len);
	else if (!timed && item.len > 0)
		return conf_refuse(k, item, "is not a name for a class", w);
	else if (timed)
		rest = before;
	if (!read_pairs(k, rest, s, &list, w))
		return false;
	if (text.len > 0 && list.count == had)
		return conf_refuse(k, text, "sets no limit", w);
	memcpy(field, &list, sizeof(list));
	return true;
}

static bool
limits_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	return list_read(k, text, add, field, false, w);
}

static bool
steps_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	return list_read(k, text, add, field, true, w);
}

static void
list_write(const struct conf_steps *list, const struct conf_key *k,
    bool timed, FILE *out)
{
	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_step *s = &list->at[i];
		const struct conf_key *limit = key_of_limit(s->limit);
		uint32_t number = (uint32_t)s->value;

		next_line(i, k, out);
		if (timed)
			fprintf(out, " %02u:%02u", s->minute / 60,
			    s->minute % 60);
		if (s->class_name[0] != '\0')
			fprintf(out, " %s", s->class_name);
		fprintf(out, " %s", limit->name);
		limit->type->write(limit->type == &conf_type_rate ?
		    (const void *)&s->value : &number, limit, out);
	}
}

static void
limits_write(const void *field, const struct conf_key *k, FILE *out)
{
	list_write(field, k, false, out);
}

static void
steps_write(const void *field, const struct conf_key *k, FILE *out)
{
	list_write(field, k, true, out);
}

static void
limits_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s, %u to %u limits in all; KEY is", k->unit, k->least,
	    k->most);
	for (uint32_t i = 0; i < CONF_LIMIT_COUNT; i++)
		fprintf(out, "%s %s", i == 0 ? "" :
		    i + 1 < CONF_LIMIT_COUNT ? "," : " or",
		    key_of_limit(i)->name);
}

/* What they say about each other. */

static bool
is_class(const struct conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->classes.count; i++)
		if (strcmp(c->classes.at[i].name, name) == 0)
			return true;
	return name[0] == '\0';
}

static int
check_classes(const struct conf *c, const struct conf_where *w)
{
	int problems = 0;

	for (uint32_t i = 0; i < c->classes.count; i++)
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(c->classes.at[i].name,
			    c->classes.at[j].name) != 0)
				continue;
			conf_problem(w, "class", "%s is given twice; name "
			    "all of its networks in one line",
			    c->classes.at[i].name);
			problems++;
			break;
		}
	return problems;
}

/* Of steps about the same limit of the same clients: how many there are. */
static uint32_t
siblings(const struct conf_steps *list, const struct conf_step *s,
    bool at_once)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_step *o = &list->at[i];

		n += o->limit == s->limit &&
		    strcmp(o->class_name, s->class_name) == 0 &&
		    (!at_once || o->minute == s->minute);
	}
	return n;
}

static int
check_list(const struct conf *c, const char *key,
    const struct conf_steps *list, const struct conf_where *w)
{
	bool timed = list == &c->steps;
	int problems = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_step *s = &list->at[i];
		const char *what = NULL;

		if (!is_class(c, s->class_name))
			what = "there is no class of this name";
		else if (siblings(list, s, true) > 1)
			what = "is given twice";
		else if (timed && siblings(list, s, false) < 2)
			what = "one step alone holds all day; give another";
		else if (timed && s->class_name[0] == '\0' &&
		    s->limit == LIMIT_sessions_max &&
		    s->value > c->sessions_max)
			what = "is more than the key sessions.max itself, "
			    "which must be the largest; raise that one";
		if (what == NULL)
			continue;
		conf_problem(w, key, "%s%s%s %llu: %s", s->class_name,
		    s->class_name[0] == '\0' ? "" : " ",
		    key_of_limit(s->limit)->name,
		    (unsigned long long)s->value, what);
		problems++;
	}
	return problems;
}

/* Whom we pace below rate.least we would end for our own doing. */
static int
check_least(const struct conf *c, const struct conf_where *w)
{
	uint64_t slowest = UINT64_MAX;
	const uint64_t of_key[] = { c->rate_session, c->rate_address };
	const struct conf_steps *lists[] = { &c->class_limits, &c->steps };

	for (size_t i = 0; i < 2; i++)
		if (of_key[i] > 0 && of_key[i] < slowest)
			slowest = of_key[i];
	for (size_t l = 0; l < 2; l++)
		for (uint32_t i = 0; i < lists[l]->count; i++) {
			const struct conf_step *s = &lists[l]->at[i];

			if ((s->limit == LIMIT_rate_session ||
			    s->limit == LIMIT_rate_address) && s->value > 0 &&
			    s->value < slowest)
				slowest = s->value;
		}
	if (c->rate_least <= slowest / 2)
		return 0;
	conf_problem(w, "rate.least", "%llu is more than half of %llu, which "
	    "is the most that some clients are sent",
	    (unsigned long long)c->rate_least, (unsigned long long)slowest);
	return 1;
}

int
conf_check_limits(const struct conf *c, const struct conf_where *w)
{
	return check_classes(c, w) +
	    check_list(c, "class.limit", &c->class_limits, w) +
	    check_list(c, "at", &c->steps, w) + check_least(c, w);
}

#define TYPE(name, allow) \
	const struct conf_type conf_type_##name = { \
		.read = name##_read, \
		.write = name##_write, \
		.allowed = allow##_allowed, \
		.is_list = true, \
	}

TYPE(classes, classes);
TYPE(limits, limits);
TYPE(steps, limits);
