/*
 * explain/print_text.c: a reading for people.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "explain/print.h"

#include "policy/bounce.h"
#include "proto/hostport.h"

/* One column for each byte, or the caret would stand beside its mark. */
static void
print_source(FILE *out, struct sv text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		putc(c >= ' ' && c <= '~' ? c : '?', out);
	}
	putc('\n', out);
}

static void
print_found(FILE *out, const struct reading *r)
{
	unsigned char c;

	if (r->at >= r->text.len) {
		fputs(", but the text ends", out);
		return;
	}
	c = (unsigned char)r->text.ptr[r->at];
	if (c == ' ')
		fputs(", found a blank", out);
	else if (c > ' ' && c <= '~')
		fprintf(out, ", found \"%c\"", c);
	else
		fprintf(out, ", found the byte 0x%02x", c);
}

static void
print_fault(FILE *out, const struct reading *r)
{
	fprintf(out, "%*s^\n", (int)r->at, "");
	if (r->kind == READING_UNKNOWN)
		fprintf(out, "  unknown  expected %s\n", r->expected);
	else {
		fprintf(out, "  fault    column %zu: expected %s", r->at + 1,
		    r->expected);
		print_found(out, r);
		putc('\n', out);
	}
	if (judge_malformed(r) != 0)
		fprintf(out, "  policy   refused, %d: %s\n",
		    judge_malformed(r), ftp_err_text(r->err));
}

/* What kind of address it is, asked of the policy with nobody as the peer. */
static const char *
describe(const struct addr *a)
{
	struct bounce_question q = { .asked = *a };

	switch ((int)bounce_judge(&q)) {
	case KIND_invalid_target:
		return a->zoned ? ", with a zone" : ", no single host";
	case KIND_loopback:
		return ", loopback";
	case KIND_internal:
		return ", private";
	default:
		return "";
	}
}

static void
print_host(FILE *out, const struct addr *a)
{
	struct addr plain = addr_unmap(*a);
	char text[ADDR_TEXT_MAX];

	if (a->family == ADDR_NONE) {
		fputs("  host     none given: the server's own\n", out);
		return;
	}
	fprintf(out, "  host     %s, IPv%d%s\n", addr_format_ip(a, text),
	    a->family, describe(a));
	if (plain.family != a->family)
		fprintf(out, "           which is %s, IPv4-mapped\n",
		    addr_format_ip(&plain, text));
}

static void
print_port(FILE *out, uint16_t port)
{
	fprintf(out, "  port     %u = %u*256 + %u\n", port, port >> 8,
	    port & 0xffu);
}

static void
print_meaning(FILE *out, const struct reading *r)
{
	if (r->kind == READING_COMMAND)
		fputs("  means    active mode: the server is to connect "
		      "there\n", out);
	else
		fputs("  means    passive mode: the server listens, the "
		      "client is to connect there\n", out);
}

/* The way back: ready to be copied. */
static void
print_commands(FILE *out, const struct addr *a)
{
	char text[HOSTPORT_TEXT_MAX];

	if (a->family == ADDR_V4) {
		hostport_format(a, text);
		fprintf(out, "  PORT %s\n", text);
	}
	eprt_format(a, text);
	fprintf(out, "  EPRT %s\n", text);
	lprt_format(a, text);
	fprintf(out, "  LPRT %s\n", text);
}

#define INDENT 11
#define WIDTH  78

/* Continues a line that has `column` columns, broken between words. */
static void
print_wrapped(FILE *out, const char *text, int column)
{
	for (;;) {
		int word = (int)strcspn(text, " ");

		if (column + 1 + word > WIDTH) {
			fprintf(out, "\n%*s", INDENT - 1, "");
			column = INDENT - 1;
		}
		fprintf(out, " %.*s", word, text);
		column += 1 + word;
		if (text[word] == '\0')
			break;
		text += word + 1;
	}
	putc('\n', out);
}

static void
print_verdict(FILE *out, const struct verdict *v)
{
	static const char *const outcomes[] = {
		[VERDICT_PERMITTED] = "permitted",
		[VERDICT_REFUSED] = "refused",
		[VERDICT_DEPENDS] = "depends",
	};

	int column = fprintf(out, "  policy   %s", outcomes[v->outcome]);

	if (v->reply != 0)
		column += fprintf(out, ", %d", v->reply);
	if (v->outcome == VERDICT_REFUSED && v->kind != KIND_none)
		column += fprintf(out, " (%s)", bounce_kind_name(v->kind));
	putc(':', out);
	print_wrapped(out, v->reason, column + 1);
}

void
print_text(FILE *out, const struct reading *r, const struct verdict *v)
{
	print_source(out, r->text);
	if (v == NULL) {
		print_fault(out, r);
		return;
	}
	if (r->kind == READING_ENDPOINT)
		print_commands(out, &r->addr);
	print_host(out, &r->addr);
	print_port(out, r->addr.port);
	if (r->kind != READING_ENDPOINT)
		print_meaning(out, r);
	print_verdict(out, v);
}
