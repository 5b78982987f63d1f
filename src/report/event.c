/*
 * report/event.c: see the header.
 *
 * jansson takes two thirds of the time of a report.  An arena in place of
 * malloc was tried, and saved a fourteenth: not worth its globals.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/event.h"

static struct sv
text_of(const json_t *in, const char *key)
{
	const json_t *value = json_object_get(in, key);

	if (!json_is_string(value))
		return SV("");
	return (struct sv) { json_string_value(value),
		json_string_length(value) };
}

static bool
take_number(const json_t *in, const char *key, uint64_t *out)
{
	const json_t *value = json_object_get(in, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out = (uint64_t)json_integer_value(value);
	return true;
}

static struct addr
address_of(const json_t *in, const char *key)
{
	struct addr a;

	if (!addr_parse_ip(text_of(in, key), &a))
		return (struct addr) { .family = ADDR_NONE };
	a = addr_unmap(a);
	a.port = 0;
	return a;
}

bool
report_day_parse(struct sv text, uint32_t *out)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };
	uint64_t year, month, day, most;

	if (text.len < 10 || text.ptr[4] != '-' || text.ptr[7] != '-' ||
	    !sv_number((struct sv) { text.ptr, 4 }, 9999, &year) ||
	    !sv_number((struct sv) { text.ptr + 5, 2 }, 12, &month) ||
	    !sv_number((struct sv) { text.ptr + 8, 2 }, 31, &day) ||
	    month == 0 || day == 0)
		return false;
	most = days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 ||
	    year % 400 == 0))
		most++;
	if (day > most)
		return false;
	*out = (uint32_t)(year * 10000 + month * 100 + day);
	return true;
}

/* Of another zone, the day would be another one. */
static bool
is_utc(struct sv stamp)
{
	struct sv zone = SV("+0000");

	if (stamp.len > 11 && stamp.ptr[stamp.len - 1] == 'Z')
		return true;
	return stamp.len > 11 + zone.len &&
	    sv_eq(sv_drop(stamp, stamp.len - zone.len), zone);
}

/* What was done is in other events; here it is what was refused. */
static void
take_command(const json_t *in, struct report_event *out)
{
	const json_t *ftp = json_object_get(in, "ftp");
	const json_t *code = json_array_get(json_object_get(ftp,
	    "completion_code"), 0);

	out->verb = text_of(ftp, "command");
	if (out->verb.len == 0 || !json_is_string(code))
		return;
	out->code = sv_of(json_string_value(code));
	if (out->code.len == 3 && out->code.ptr[0] >= '4')
		out->type = REPORT_COMMAND;
}

static const char *
take_session(const json_t *in, struct report_event *out)
{
	struct sv action = text_of(json_object_get(in, "ftp"), "action");

	if (sv_eq(action, SV("session_start")))
		out->type = REPORT_SESSION_START;
	else if (sv_eq(action, SV("session_end")))
		out->type = REPORT_SESSION_END;
	else if (sv_eq(action, SV("login")))
		out->type = REPORT_LOGIN;
	else if (sv_eq(action, SV("login_failed")))
		out->type = REPORT_LOGIN_FAILED;
	else if (sv_eq(action, SV("command")))
		take_command(in, out);
	else if (action.len == 0)
		return "no ftp.action";
	return NULL;
}

static const char *
take_transfer(const json_t *in, struct report_event *out)
{
	const json_t *data = json_object_get(in, "ftp_data");
	struct sv verb = text_of(data, "command");
	struct sv mode = text_of(data, "mode");

	if (!take_number(data, "bytes", &out->bytes))
		return "no ftp_data.bytes";
	if (!take_number(data, "duration_ms", &out->duration_ms))
		return "no ftp_data.duration_ms";
	out->active = sv_eq(mode, SV("active"));
	if (!out->active && !sv_eq(mode, SV("passive")))
		return "no ftp_data.mode";
	out->filename = text_of(data, "filename");
	out->user = text_of(data, "user");
	if (out->user.len == 0)
		out->user = SV("anonymous");
	out->result = text_of(data, "result");
	if (verb.len == 0 || out->result.len == 0)
		return "no ftp_data.command or result";
	out->listing = sv_eq(verb, SV("LIST")) || sv_eq(verb, SV("NLST")) ||
	    sv_eq(verb, SV("MLSD"));
	out->upload = sv_eq(verb, SV("STOR")) || sv_eq(verb, SV("APPE")) ||
	    sv_eq(verb, SV("STOU"));
	out->type = REPORT_TRANSFER;
	return NULL;
}

static const char *
take_alert(const json_t *in, struct report_event *out)
{
	const json_t *alert = json_object_get(in, "alert");
	const json_t *bounce = json_object_get(in, "ftp_bounce");
	uint64_t n = 0;

	/* Another program's: its alerts are of other things. */
	if (bounce == NULL)
		return NULL;
	out->variant = text_of(bounce, "variant");
	if (out->variant.len == 0)
		return "no ftp_bounce.variant";
	out->blocked = sv_eq(text_of(alert, "action"), SV("blocked"));
	if (take_number(alert, "severity", &n) && n <= 4)
		out->severity = (uint32_t)n;
	out->update = take_number(bounce, "update", &n) && n > 0;
	out->asked = address_of(bounce, "asked_ip");
	out->type = REPORT_ALERT;
	return NULL;
}

static const char *
take_stats(json_t *in, struct report_event *out)
{
	out->stats = json_object_get(in, "stats");
	out->process = text_of(out->stats, "process");
	if (out->process.len > 0)
		out->type = REPORT_STATS;
	return NULL;
}

static const char *
take_by_type(json_t *in, struct report_event *out)
{
	struct sv type = text_of(in, "event_type");
	const char *wrong;

	if (type.len == 0)
		return "no event_type";
	if (sv_eq(type, SV("stats")))
		return take_stats(in, out);
	out->client = address_of(in, "src_ip");
	if (sv_eq(type, SV("ftp_data")))
		wrong = take_transfer(in, out);
	else if (sv_eq(type, SV("ftp")))
		wrong = take_session(in, out);
	else if (sv_eq(type, SV("alert")))
		wrong = take_alert(in, out);
	else
		return NULL;
	if (wrong == NULL && out->client.family == ADDR_NONE &&
	    out->type != REPORT_OTHER)
		return "no src_ip";
	return wrong;
}

static const char *
take_object(json_t *in, struct report_event *out)
{
	struct sv stamp;

	if (!json_is_object(in))
		return in == NULL ? "no JSON" : "no JSON object";
	stamp = text_of(in, "timestamp");
	if (!report_day_parse(stamp, &out->day) || !is_utc(stamp))
		return "no timestamp in UTC";
	return take_by_type(in, out);
}

bool
report_event_parse(struct sv line, struct report_event *out,
    const char **wrong)
{
	json_error_t error;

	*out = (struct report_event) { .type = REPORT_OTHER };
	out->json = json_loadb(line.ptr, line.len, JSON_ALLOW_NUL, &error);
	*wrong = take_object(out->json, out);
	if (*wrong == NULL)
		return true;
	report_event_free(out);
	return false;
}

void
report_event_free(struct report_event *e)
{
	json_decref(e->json);
	*e = (struct report_event) { .type = REPORT_OTHER };
}
