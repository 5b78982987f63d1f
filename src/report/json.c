/*
 * report/json.c: the same as one object; see print.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "report/order.h"
#include "report/print.h"

/* JSON's numbers of jansson are signed. */
static void
put_number(json_t *in, const char *key, uint64_t value)
{
	json_object_set_new(in, key, json_integer(value > INT64_MAX ?
	    INT64_MAX : (json_int_t)value));
}

static void
put_day(json_t *in, const char *key, uint32_t day)
{
	if (day == 0)
		json_object_set_new(in, key, json_null());
	else
		json_object_set_new(in, key, json_sprintf("%04u-%02u-%02u",
		    (unsigned)(day / 10000), (unsigned)(day / 100 % 100),
		    (unsigned)(day % 100)));
}

/* A path that was cut may end in half a character. */
static void
put_text(json_t *in, const char *key, struct sv text)
{
	json_t *value = NULL;

	for (size_t n = 0; value == NULL && n < 4 && n <= text.len; n++)
		value = json_stringn(text.ptr, text.len - n);
	json_object_set_new(in, key, value != NULL ? value : json_null());
}

static json_t *
tally_object(const struct report_tally *t)
{
	json_t *o = json_object();

	put_number(o, "sessions", t->sessions);
	put_number(o, "logins", t->logins);
	put_number(o, "login_failures", t->login_failures);
	put_number(o, "transfers", t->transfers);
	put_number(o, "files", t->files);
	put_number(o, "files_whole", t->files_whole);
	put_number(o, "listings", t->listings);
	put_number(o, "incomplete", t->incomplete);
	put_number(o, "bytes", t->bytes);
	put_number(o, "stored", t->stored);
	put_number(o, "stored_whole", t->stored_whole);
	put_number(o, "stored_bytes", t->stored_bytes);
	put_number(o, "active", t->active);
	put_number(o, "active_bytes", t->active_bytes);
	put_number(o, "active_failed", t->active_failed);
	put_day(o, "active_last", t->last_active_day);
	put_number(o, "passive", t->passive);
	put_number(o, "passive_bytes", t->passive_bytes);
	put_number(o, "passive_failed", t->passive_failed);
	put_number(o, "alerts", t->alerts);
	put_day(o, "first", t->first_day);
	put_day(o, "last", t->last_day);
	return o;
}

/* What is told of one row of a table. */
typedef json_t *row_object(const struct report *r,
    const struct report_row *row, const void *arg);

struct part {
	const char *name;
	enum report_table_id id;
	enum report_order order;
	row_object *object;
};

static struct sv
key_of(const struct report_row *row)
{
	return (struct sv) { row->key, row->len };
}

static json_t *
day_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = tally_object(&row->tally);

	(void)r;
	(void)arg;
	put_text(o, "day", key_of(row));
	return o;
}

static json_t *
dataset_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = tally_object(&row->tally);

	(void)r;
	(void)arg;
	put_number(o, "depth", (uint64_t)row->key[0]);
	put_text(o, "dataset", sv_drop(key_of(row), 1));
	return o;
}

static json_t *
file_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = tally_object(&row->tally);

	(void)r;
	(void)arg;
	put_text(o, "file", key_of(row));
	return o;
}

static json_t *
user_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = tally_object(&row->tally);

	(void)r;
	(void)arg;
	put_text(o, "user", key_of(row));
	return o;
}

static void
put_modes(json_t *in, const struct report_modes *m)
{
	put_number(in, "clients_active_only", m->active_only);
	put_number(in, "clients_both", m->both);
	put_number(in, "clients_passive_only", m->passive_only);
}

static json_t *
network_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	const struct report_modes *modes = arg;
	json_t *o = tally_object(&row->tally);
	char text[ADDR_TEXT_MAX];

	put_text(o, "network", sv_of(report_networks_text(key_of(row), text)));
	put_modes(o, &modes[row - r->tables[REPORT_networks].rows]);
	return o;
}

static json_t *
client_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	const struct report_table *networks = &r->tables[REPORT_networks];
	uint32_t network = row->tally.network;
	json_t *o = tally_object(&row->tally);
	char text[ADDR_TEXT_MAX];

	(void)arg;
	put_text(o, "client", sv_of(report_addr_text(key_of(row), text)));
	if (network > 0 && network <= networks->count)
		put_text(o, "network", sv_of(report_networks_text(
		    key_of(&networks->rows[network - 1]), text)));
	put_number(o, "big", row->tally.big);
	put_number(o, "big_bytes", row->tally.big_bytes);
	put_number(o, "big_ms", row->tally.big_ms);
	put_number(o, "rate_Bps", report_rate_Bps(&row->tally));
	return o;
}

static json_t *
result_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = json_object();

	(void)r;
	(void)arg;
	put_text(o, "result", key_of(row));
	put_number(o, "transfers", row->tally.transfers);
	put_number(o, "bytes", row->tally.bytes);
	put_number(o, "active", row->tally.active);
	put_number(o, "passive", row->tally.passive);
	return o;
}

static void
put_alerts(json_t *in, const struct report_tally *t)
{
	put_number(in, "alerts", t->alerts);
	put_day(in, "first", t->first_day);
	put_day(in, "last", t->last_day);
}

static json_t *
alert_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = json_object();

	(void)r;
	(void)arg;
	put_text(o, "variant", sv_drop(key_of(row), 1));
	json_object_set_new(o, "action", json_string(row->key[0] == 'b' ?
	    "blocked" : "allowed"));
	put_number(o, "severity", row->tally.severity);
	put_alerts(o, &row->tally);
	return o;
}

static json_t *
asked_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	char text[ADDR_TEXT_MAX];
	json_t *o = json_object();

	(void)r;
	(void)arg;
	put_text(o, "asked_ip", sv_of(report_addr_text(key_of(row), text)));
	put_alerts(o, &row->tally);
	return o;
}

static json_t *
command_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = json_object();

	(void)r;
	(void)arg;
	put_text(o, "command", key_of(row));
	put_number(o, "refused", row->tally.refused);
	put_day(o, "first", row->tally.first_day);
	put_day(o, "last", row->tally.last_day);
	return o;
}

static json_t *
counter_object(const struct report *r, const struct report_row *row,
    const void *arg)
{
	json_t *o = json_object();

	(void)r;
	(void)arg;
	put_text(o, "counter", key_of(row));
	put_number(o, "at_least", row->tally.peak);
	return o;
}

/* One value, and it is freed.  False: no memory, or out has failed. */
static bool
write_value(FILE *out, json_t *value)
{
	int status = json_dumpf(value, out, JSON_COMPACT | JSON_ENSURE_ASCII |
	    JSON_SORT_KEYS);

	json_decref(value);
	return status == 0;
}

static bool
write_member(FILE *out, const char *name, json_t *value)
{
	return fprintf(out, "\"%s\":", name) > 0 && write_value(out, value);
}

/* Row by row: all rows of all tables, as objects, would take gigabytes. */
static bool
write_part(FILE *out, const struct report *r, const struct part *part,
    const void *arg, unsigned top)
{
	size_t count;
	const struct report_row **rows = report_sort(&r->tables[part->id],
	    part->order, 0, &count);
	bool fine = rows != NULL && fprintf(out, "\"%s\":[", part->name) > 0;

	if (rows == NULL)
		return false;
	/* A day that is left out would be a hole in a curve. */
	if (top != 0 && part->id != REPORT_days && top < count)
		count = top;
	for (size_t i = 0; fine && i < count; i++)
		fine = (i == 0 || putc(',', out) != EOF) &&
		    write_value(out, part->object(r, rows[i], arg));
	free(rows);
	return fine && fputs("],", out) != EOF;
}

static const struct part parts[] = {
	{ "days", REPORT_days, REPORT_BY_KEY, day_object },
	{ "datasets", REPORT_datasets, REPORT_BY_BYTES, dataset_object },
	{ "files", REPORT_files, REPORT_BY_BYTES, file_object },
	{ "users", REPORT_users, REPORT_BY_BYTES, user_object },
	{ "networks", REPORT_networks, REPORT_BY_BYTES, network_object },
	{ "clients", REPORT_clients, REPORT_BY_BYTES, client_object },
	{ "slowest", REPORT_clients, REPORT_BY_SLOWNESS, client_object },
	{ "refused", REPORT_clients, REPORT_BY_ALERTS, client_object },
	{ "results", REPORT_results, REPORT_BY_TRANSFERS, result_object },
	{ "alerts", REPORT_alerts, REPORT_BY_ALERTS, alert_object },
	{ "asked", REPORT_asked, REPORT_BY_ALERTS, asked_object },
	{ "commands", REPORT_commands, REPORT_BY_REFUSED, command_object },
	{ "counters", REPORT_counters, REPORT_BY_KEY, counter_object },
};

static bool
write_parts(FILE *out, const struct report *r, unsigned top)
{
	size_t networks = r->tables[REPORT_networks].count;
	struct report_modes *modes = calloc(networks + 1, sizeof(*modes));
	struct report_modes all = { 0 };
	json_t *total = json_object();
	bool fine = modes != NULL;

	if (fine)
		report_modes(r, modes);
	for (size_t i = 0; fine && i <= networks; i++) {
		all.active_only += modes[i].active_only;
		all.both += modes[i].both;
		all.passive_only += modes[i].passive_only;
	}
	put_modes(total, &all);
	fine &= write_member(out, "modes", total) && putc(',', out) != EOF;
	for (size_t i = 0; fine && i < sizeof(parts) / sizeof(parts[0]); i++)
		fine = write_part(out, r, &parts[i], modes, top);
	free(modes);
	return fine;
}

/* Of each table: what it has, what it may have, what found no room. */
static json_t *
tables_object(const struct report *r)
{
	json_t *all = json_object();

	for (int i = 0; i < REPORT_TABLE_COUNT; i++) {
		const struct report_table *t = &r->tables[i];
		json_t *o = json_object();

		put_number(o, "rows", t->count);
		put_number(o, "most", t->most);
		put_number(o, "others_events", t->others_events);
		put_number(o, "others_transfers", t->others.transfers);
		put_number(o, "others_bytes", t->others.bytes);
		json_object_set_new(all, report_table_name(
		    (enum report_table_id)i), o);
	}
	return all;
}

static json_t *
input_object(const struct report *r, const struct report_input *in)
{
	json_t *o = json_object();

	put_number(o, "files", in->files);
	put_number(o, "lines", in->lines);
	put_number(o, "events", r->events);
	put_number(o, "outside", r->outside);
	put_number(o, "not_counted", r->others);
	put_number(o, "updates", r->updates);
	put_number(o, "unfinished", in->unfinished);
	put_number(o, "bad", in->bad);
	if (in->bad > 0) {
		put_text(o, "bad_file", sv_of(in->bad_file));
		put_number(o, "bad_line", in->bad_line);
		put_text(o, "bad_why", sv_of(in->bad_why));
	}
	return o;
}

bool
report_print_json(FILE *out, const struct report *r,
    const struct report_input *in, unsigned top)
{
	return fputs("{\"version\":1,", out) != EOF &&
	    write_member(out, "total", tally_object(&r->total)) &&
	    putc(',', out) != EOF && write_parts(out, r, top) &&
	    write_member(out, "tables", tables_object(r)) &&
	    putc(',', out) != EOF &&
	    write_member(out, "input", input_object(r, in)) &&
	    fputs("}\n", out) != EOF;
}
