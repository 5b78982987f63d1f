/*
 * report/tally.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/tally.h"

static const struct {
	const char *name, *what;
	uint32_t rows;
	size_t key_bytes;
} limits[REPORT_TABLE_COUNT] = {
#define X(name, rows, bytes, what) \
	[REPORT_##name] = { #name, what, rows, bytes },
	REPORT_TABLES(X)
#undef X
};

const char *
report_table_name(enum report_table_id id)
{
	return limits[id].name;
}

const char *
report_table_what(enum report_table_id id)
{
	return limits[id].what;
}

void
report_init(struct report *r)
{
	*r = (struct report) { .depth = 2 };
	for (int i = 0; i < REPORT_TABLE_COUNT; i++)
		report_table_init(&r->tables[i], limits[i].rows,
		    limits[i].key_bytes);
}

void
report_free(struct report *r)
{
	for (int i = 0; i < REPORT_TABLE_COUNT; i++)
		report_table_free(&r->tables[i]);
	report_networks_free(&r->networks);
}

void
report_addr_key(const struct addr *a, char key[REPORT_ADDR_KEY])
{
	key[0] = (char)a->family;
	memcpy(key + 1, a->ip, sizeof(a->ip));
}

const char *
report_addr_text(struct sv key, char buf[ADDR_TEXT_MAX])
{
	struct addr a = { .family = ADDR_NONE };

	if (key.len == REPORT_ADDR_KEY) {
		a.family = (uint8_t)key.ptr[0];
		memcpy(a.ip, key.ptr + 1, sizeof(a.ip));
	}
	return addr_format_ip(&a, buf);
}

/* A log that lies must not make a sum small again. */
static void
add(uint64_t *sum, uint64_t n)
{
	*sum = n > UINT64_MAX - *sum ? UINT64_MAX : *sum + n;
}

static void
add_mode(struct report_tally *t, const struct report_event *e)
{
	bool made = !sv_eq(e->result, SV("not_connected")) &&
	    !sv_eq(e->result, SV("busy"));

	if (e->active) {
		t->active++;
		t->active_failed += !made;
		add(&t->active_bytes, e->bytes);
		if (made && e->day > t->last_active_day)
			t->last_active_day = e->day;
	} else {
		t->passive++;
		t->passive_failed += !made;
		add(&t->passive_bytes, e->bytes);
	}
}

static void
add_transfer(struct report_tally *t, const struct report_event *e)
{
	bool whole = sv_eq(e->result, SV("complete"));
	bool file = !e->listing && !e->upload;

	t->transfers++;
	t->listings += e->listing;
	t->files += file;
	t->files_whole += file && whole;
	t->stored += e->upload;
	t->stored_whole += e->upload && whole;
	t->incomplete += !whole;
	add(e->upload ? &t->stored_bytes : &t->bytes, e->bytes);
	add_mode(t, e);
	if (e->bytes >= REPORT_BIG_BYTES) {
		t->big++;
		add(&t->big_bytes, e->bytes);
		/* Less than a millisecond is no time to divide by. */
		add(&t->big_ms, e->duration_ms > 0 ? e->duration_ms : 1);
	}
}

static void
add_event(struct report_tally *t, const struct report_event *e)
{
	if (t->first_day == 0 || e->day < t->first_day)
		t->first_day = e->day;
	if (e->day > t->last_day)
		t->last_day = e->day;
	switch (e->type) {
	case REPORT_SESSION_START:
		t->sessions++;
		break;
	case REPORT_LOGIN:
		t->logins++;
		break;
	case REPORT_LOGIN_FAILED:
		t->login_failures++;
		break;
	case REPORT_TRANSFER:
		add_transfer(t, e);
		break;
	case REPORT_ALERT:
		t->alerts++;
		if (e->severity > 0 && (t->severity == 0 ||
		    e->severity < t->severity))
			t->severity = e->severity;
		break;
	case REPORT_COMMAND:
		t->refused++;
		break;
	case REPORT_SESSION_END:
	case REPORT_STATS:
	case REPORT_OTHER:
		break;
	}
}

static void
take_day(struct report *r, const struct report_event *e)
{
	char key[] = "0000-00-00";
	uint32_t rest = e->day;

	for (size_t i = sizeof(key) - 1; i-- > 0; ) {
		if (key[i] == '-')
			continue;
		key[i] = (char)('0' + rest % 10);
		rest /= 10;
	}
	add_event(report_table_at(&r->tables[REPORT_days], sv_of(key)), e);
}

static struct report_tally *
network_of(struct report *r, const struct addr *client, uint32_t *number)
{
	struct report_table *networks = &r->tables[REPORT_networks];
	char key[REPORT_NETWORK_KEY];
	size_t len = report_networks_key(&r->networks, client, key);
	struct report_row *row = report_table_row(networks,
	    (struct sv) { key, len });

	if (row == NULL) {
		networks->others_events++;
		*number = 0;
		return &networks->others;
	}
	*number = (uint32_t)(row - networks->rows) + 1;
	return &row->tally;
}

/*
 * Of a client who is known, the network is, too: to search the list of names
 * for each event would cost more than to read it.
 */
static void
take_client(struct report *r, const struct report_event *e)
{
	struct report_table *networks = &r->tables[REPORT_networks];
	char key[REPORT_ADDR_KEY];
	struct report_tally *client, *network;

	report_addr_key(&e->client, key);
	client = report_table_at(&r->tables[REPORT_clients],
	    (struct sv) { key, sizeof(key) });
	if (client->first_day != 0 && client->network != 0 &&
	    client != &r->tables[REPORT_clients].others)
		network = &networks->rows[client->network - 1].tally;
	else
		network = network_of(r, &e->client, &client->network);
	add_event(client, e);
	add_event(network, e);
}

/*
 * The directory of a file, or the one that is listed, of so many components;
 * "/" at the top.
 */
static size_t
dataset_len(struct sv path, bool listing, unsigned depth)
{
	size_t end = 0;

	for (unsigned i = 0; i < depth; i++) {
		size_t at = end;

		while (at < path.len && path.ptr[at] == '/')
			at++;
		if (at == path.len)
			break;
		while (at < path.len && path.ptr[at] != '/')
			at++;
		if (at == path.len && !listing)
			break;	/* the name of the file */
		end = at;
	}
	return end;
}

#define DATASET_KEY 512		/* a longer path is cut */

static void
take_datasets(struct report *r, const struct report_event *e)
{
	char key[DATASET_KEY];

	for (unsigned depth = 1; depth <= r->depth; depth++) {
		size_t len = dataset_len(e->filename, e->listing, depth);

		if (len > sizeof(key) - 1)
			len = sizeof(key) - 1;
		key[0] = (char)depth;
		key[1] = '/';
		if (len > 0)
			memcpy(key + 1, e->filename.ptr, len);
		add_event(report_table_at(&r->tables[REPORT_datasets],
		    (struct sv) { key, len > 0 ? len + 1 : 2 }), e);
	}
}

static void
take_transfer(struct report *r, const struct report_event *e)
{
	add_event(report_table_at(&r->tables[REPORT_results], e->result), e);
	add_event(report_table_at(&r->tables[REPORT_users], e->user), e);
	take_datasets(r, e);
	if (!e->listing)
		add_event(report_table_at(&r->tables[REPORT_files],
		    e->filename), e);
}

#define VARIANT_MAX 64

static void
take_alert(struct report *r, const struct report_event *e)
{
	char key[VARIANT_MAX + 1], asked[REPORT_ADDR_KEY];
	size_t len = e->variant.len < VARIANT_MAX ? e->variant.len :
	    VARIANT_MAX;

	key[0] = e->blocked ? 'b' : 'a';
	memcpy(key + 1, e->variant.ptr, len);
	add_event(report_table_at(&r->tables[REPORT_alerts],
	    (struct sv) { key, len + 1 }), e);
	/* Of a theft it is the stranger who came, not one who was named. */
	if (e->asked.family == ADDR_NONE ||
	    sv_eq(e->variant, SV("pasv_theft")))
		return;
	report_addr_key(&e->asked, asked);
	add_event(report_table_at(&r->tables[REPORT_asked],
	    (struct sv) { asked, sizeof(asked) }), e);
}

static void
take_command(struct report *r, const struct report_event *e)
{
	char key[VARIANT_MAX];
	int len = snprintf(key, sizeof(key), "%.*s %.3s",
	    (int)(e->verb.len < 32 ? e->verb.len : 32), e->verb.ptr,
	    e->code.ptr);

	if (len > 0)
		add_event(report_table_at(&r->tables[REPORT_commands],
		    (struct sv) { key, (size_t)len }), e);
}

/*
 * Several workers write counters of their own under one name, and each begins
 * again from 0 when it is started anew: a sum would be made up.  The highest
 * is what one of them has certainly counted.
 */
static void
take_stats(struct report *r, const struct report_event *e)
{
	const char *name;
	json_t *value;

	json_object_foreach(e->stats, name, value) {
		char key[VARIANT_MAX * 2];
		struct report_tally *t;
		int len;

		if (!json_is_integer(value) || json_integer_value(value) < 0)
			continue;
		len = snprintf(key, sizeof(key), "%.*s.%s",
		    (int)(e->process.len < VARIANT_MAX ? e->process.len :
		    VARIANT_MAX), e->process.ptr, name);
		if (len < 0 || (size_t)len >= sizeof(key))
			continue;
		t = report_table_at(&r->tables[REPORT_counters], sv_of(key));
		if ((uint64_t)json_integer_value(value) > t->peak)
			t->peak = (uint64_t)json_integer_value(value);
	}
}

void
report_take(struct report *r, const struct report_event *e)
{
	if (e->day < r->from || (r->to != 0 && e->day > r->to)) {
		r->outside++;
		return;
	}
	if (e->type == REPORT_ALERT && e->update) {
		r->updates++;
		return;
	}
	if (e->type == REPORT_OTHER) {
		r->others++;
		return;
	}
	r->events++;
	if (e->type == REPORT_STATS) {
		take_stats(r, e);
		return;
	}
	if (e->type == REPORT_COMMAND) {
		take_command(r, e);
		return;
	}
	add_event(&r->total, e);
	take_day(r, e);
	take_client(r, e);
	if (e->type == REPORT_TRANSFER)
		take_transfer(r, e);
	else if (e->type == REPORT_ALERT)
		take_alert(r, e);
}

void
report_modes(const struct report *r, struct report_modes *out)
{
	const struct report_table *clients = &r->tables[REPORT_clients];
	uint32_t networks = r->tables[REPORT_networks].count;

	memset(out, 0, (networks + 1) * sizeof(*out));
	for (uint32_t i = 0; i < clients->count; i++) {
		const struct report_tally *t = &clients->rows[i].tally;
		struct report_modes *m = &out[t->network == 0 ? networks :
		    t->network - 1];
		bool active = t->active > t->active_failed;
		bool passive = t->passive > t->passive_failed;

		m->active_only += active && !passive;
		m->both += active && passive;
		m->passive_only += !active && passive;
	}
}
