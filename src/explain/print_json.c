/*
 * explain/print_json.c: a reading as one JSON object on one line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "explain/print.h"

#include "proto/hostport.h"

/* Every byte outside printable ASCII as \u00XX, as in the events. */
static void
print_string(FILE *out, struct sv text)
{
	putc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void
print_member(FILE *out, const char *key, const char *value)
{
	fprintf(out, ",\"%s\":", key);
	print_string(out, sv_of(value));
}

static void
print_fault(FILE *out, const struct reading *r)
{
	fprintf(out, ",\"column\":%zu", r->at + 1);
	print_member(out, "expected", r->expected);
	print_member(out, "error", ftp_err_text(r->err));
	if (judge_malformed(r) != 0)
		fprintf(out, ",\"reply\":%d", judge_malformed(r));
}

static void
print_addr(FILE *out, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family != ADDR_NONE) {
		print_member(out, "address", addr_format_ip(a, text));
		fprintf(out, ",\"ip_version\":%d", a->family);
		fprintf(out, ",\"zone\":%s", a->zoned ? "true" : "false");
	}
	fprintf(out, ",\"port\":%u,\"p1\":%u,\"p2\":%u", a->port,
	    a->port >> 8, a->port & 0xffu);
}

static void
print_commands(FILE *out, const struct addr *a)
{
	char text[HOSTPORT_TEXT_MAX];

	if (a->family == ADDR_V4) {
		hostport_format(a, text);
		print_member(out, "port_argument", text);
	}
	eprt_format(a, text);
	print_member(out, "eprt_argument", text);
	lprt_format(a, text);
	print_member(out, "lprt_argument", text);
}

static void
print_verdict(FILE *out, const struct verdict *v)
{
	static const char *const outcomes[] = {
		[VERDICT_PERMITTED] = "permitted",
		[VERDICT_REFUSED] = "refused",
		[VERDICT_DEPENDS] = "depends",
	};

	print_member(out, "verdict", outcomes[v->outcome]);
	if (v->outcome != VERDICT_DEPENDS)
		print_member(out, "kind", bounce_kind_name(v->kind));
	if (v->reply != 0)
		fprintf(out, ",\"reply\":%d", v->reply);
	print_member(out, "reason", v->reason);
}

void
print_json(FILE *out, const struct reading *r, const struct verdict *v)
{
	fputs("{\"text\":", out);
	print_string(out, r->text);
	fprintf(out, ",\"well_formed\":%s", v != NULL ? "true" : "false");
	if (r->form != NULL)
		print_member(out, "form", r->form);
	if (v == NULL)
		print_fault(out, r);
	else {
		print_addr(out, &r->addr);
		if (r->kind == READING_ENDPOINT)
			print_commands(out, &r->addr);
		print_verdict(out, v);
	}
	fputs("}\n", out);
}
