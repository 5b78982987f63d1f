/*
 * proto/hostport.c: data addresses as FTP writes them; see the header.
 *
 * Every form is read by the same few steps on a reader, which takes bytes off
 * its front and, where a step fails, stays there with a word on what should
 * have stood in that place.  So the explainer's caret and the server's 501
 * come from one grammar, and cannot differ.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/hostport.h"

#include <arpa/inet.h>
#include <assert.h>

#include "proto/put.h"

#define WANT_BYTE      "a decimal number from 0 to 255, of 1 to 3 digits"
#define WANT_PORT      "a port number from 0 to 65535"
#define WANT_COMMA     "a comma"
#define WANT_END       "the end of the text"
#define WANT_DELIMITER "the delimiter once more"

struct reader {
	struct sv left;
	const char *want; /* after a failure: what should be at left */
};

typedef enum ftp_err take_form(struct reader *r, struct addr *out);

static enum ftp_err
wanted(struct reader *r, const char *want, enum ftp_err err)
{
	r->want = want;
	return err;
}

/* As wanted, but the fault is in a field that was already taken. */
static enum ftp_err
wanted_in(struct reader *r, struct sv field, const char *want,
    enum ftp_err err)
{
	r->left = (struct sv) { field.ptr,
		r->left.len + (size_t)(r->left.ptr - field.ptr) };
	return wanted(r, want, err);
}

/*
 * RFC 959 says 1..255, yet port 5120 is "20,0".  Three digits at most, and
 * decimal whatever they begin with: another reader's octal is another host.
 */
static enum ftp_err
take_byte(struct reader *r, uint8_t *out)
{
	unsigned value = 0;
	size_t n = 0;

	for (; n < r->left.len && n < 3 && sv_digit(r->left.ptr[n]); n++)
		value = value * 10 + (unsigned)(r->left.ptr[n] - '0');
	if (n == 0)
		return wanted(r, WANT_BYTE, FTP_SYNTAX);
	if (value > UINT8_MAX)
		return wanted(r, WANT_BYTE, FTP_RANGE);

	*out = (uint8_t)value;
	r->left = sv_drop(r->left, n);
	return FTP_OK;
}

static enum ftp_err
take_bytes(struct reader *r, uint8_t *out, size_t count)
{
	enum ftp_err err;

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !sv_take(&r->left, ','))
			return wanted(r, WANT_COMMA, FTP_SYNTAX);
		if ((err = take_byte(r, &out[i])) != FTP_OK)
			return err;
	}
	return FTP_OK;
}

static struct addr
addr_make(uint8_t family, const uint8_t *ip, const uint8_t port[2])
{
	struct addr a = { .family = family };

	memcpy(a.ip, ip, family == ADDR_V4 ? 4 : 16);
	a.port = (uint16_t)(port[0] << 8 | port[1]);
	return a;
}

static enum ftp_err
take_hostport(struct reader *r, struct addr *out)
{
	uint8_t byte[6];
	enum ftp_err err = take_bytes(r, byte, sizeof(byte));

	if (err == FTP_OK)
		*out = addr_make(ADDR_V4, byte, byte + 4);
	return err;
}

/* One of LPRT's lengths, which has one right value, and the comma behind. */
static enum ftp_err
take_length(struct reader *r, uint8_t right, const char *want)
{
	struct sv before = r->left;
	uint8_t length;
	enum ftp_err err = take_byte(r, &length);

	if (err != FTP_OK)
		return err;
	if (length != right)
		return wanted_in(r, before, want, FTP_SYNTAX);
	if (!sv_take(&r->left, ','))
		return wanted(r, WANT_COMMA, FTP_SYNTAX);
	return FTP_OK;
}

/* "af,": 4 or 6, the IP version (RFC 1639 §2, Assigned Numbers). */
static enum ftp_err
take_version(struct reader *r, uint8_t *version)
{
	struct sv before = r->left;
	enum ftp_err err = take_byte(r, version);

	if (err != FTP_OK)
		return err;
	if (*version != 4 && *version != 6)
		return wanted_in(r, before, "4 or 6, the version of IP",
		    FTP_FAMILY);
	if (!sv_take(&r->left, ','))
		return wanted(r, WANT_COMMA, FTP_SYNTAX);
	return FTP_OK;
}

static enum ftp_err
take_lprt(struct reader *r, struct addr *out)
{
	uint8_t version, ip[16], port[2];
	size_t ip_len;
	enum ftp_err err;

	if ((err = take_version(r, &version)) != FTP_OK)
		return err;
	ip_len = version == 4 ? 4 : 16;
	err = take_length(r, (uint8_t)ip_len, version == 4 ?
	    "4, the length of an IPv4 address" :
	    "16, the length of an IPv6 address");
	if (err != FTP_OK || (err = take_bytes(r, ip, ip_len)) != FTP_OK)
		return err;
	if (!sv_take(&r->left, ','))
		return wanted(r, WANT_COMMA, FTP_SYNTAX);
	if ((err = take_length(r, 2, "2, the length of a port")) != FTP_OK ||
	    (err = take_bytes(r, port, sizeof(port))) != FTP_OK)
		return err;

	*out = addr_make(version == 4 ? ADDR_V4 : ADDR_V6, ip, port);
	return FTP_OK;
}

/* What stands before the next delimiter, and the delimiter. */
static enum ftp_err
take_field(struct reader *r, char delimiter, struct sv *field)
{
	const char *end = NULL;

	if (r->left.len > 0)
		end = memchr(r->left.ptr, delimiter, r->left.len);
	if (end == NULL) {
		r->left = sv_drop(r->left, r->left.len);
		return wanted(r, WANT_DELIMITER, FTP_SYNTAX);
	}
	*field = (struct sv) { r->left.ptr, (size_t)(end - r->left.ptr) };
	r->left = sv_drop(r->left, field->len + 1);
	return FTP_OK;
}

/* Any character from "!" to "~" (RFC 2428 §2). */
static enum ftp_err
take_delimiter(struct reader *r, char *delimiter)
{
	if (r->left.len == 0 || r->left.ptr[0] < '!' || r->left.ptr[0] > '~')
		return wanted(r, "a delimiter, as a rule \"|\"", FTP_SYNTAX);
	*delimiter = r->left.ptr[0];
	r->left = sv_drop(r->left, 1);
	return FTP_OK;
}

static enum ftp_err
take_family(struct reader *r, char delimiter, uint8_t *family)
{
	struct sv field;
	uint64_t number = 0;
	enum ftp_err err = take_field(r, delimiter, &field);

	if (err != FTP_OK)
		return err;
	if (field.len == 0 || sv_digits(field) != field.len)
		return wanted_in(r, field, "1 for IPv4 or 2 for IPv6",
		    FTP_SYNTAX);
	if (!sv_number(field, 2, &number) || number == 0)
		return wanted_in(r, field, "1 for IPv4 or 2 for IPv6",
		    FTP_FAMILY);
	*family = number == 1 ? ADDR_V4 : ADDR_V6;
	return FTP_OK;
}

/* Cuts "%eth0" off; false when a zone is named that has no name. */
static bool
cut_zone(struct sv *ip, bool *zoned)
{
	const char *percent = NULL;

	if (ip->len > 0)
		percent = memchr(ip->ptr, '%', ip->len);
	*zoned = percent != NULL;
	if (percent == NULL)
		return true;
	if (percent == ip->ptr + ip->len - 1)
		return false;
	ip->len = (size_t)(percent - ip->ptr);
	return true;
}

static enum ftp_err
take_address(struct reader *r, char delimiter, uint8_t family,
    struct addr *out)
{
	const char *want = family == ADDR_V4 ?
	    "an IPv4 address such as 192.0.2.1" :
	    "an IPv6 address such as 2001:db8::1";
	struct sv field, ip;
	bool zoned = false;
	enum ftp_err err = take_field(r, delimiter, &field);

	if (err != FTP_OK)
		return err;
	ip = field;
	if (family == ADDR_V6 && !cut_zone(&ip, &zoned))
		return wanted_in(r, field, want, FTP_SYNTAX);
	if (!addr_parse_ip(ip, out) || out->family != family)
		return wanted_in(r, field, want, FTP_SYNTAX);
	out->zoned = zoned;
	return FTP_OK;
}

static enum ftp_err
take_port(struct reader *r, char delimiter, uint16_t *port)
{
	struct sv field;
	uint64_t number;
	enum ftp_err err = take_field(r, delimiter, &field);

	if (err != FTP_OK)
		return err;
	if (field.len == 0 || sv_digits(field) != field.len)
		return wanted_in(r, field, WANT_PORT, FTP_SYNTAX);
	if (!sv_number(field, UINT16_MAX, &number))
		return wanted_in(r, field, WANT_PORT, FTP_RANGE);
	*port = (uint16_t)number;
	return FTP_OK;
}

static enum ftp_err
take_eprt(struct reader *r, struct addr *out)
{
	struct addr a = { .family = ADDR_NONE };
	char delimiter;
	uint8_t family;
	uint16_t port;
	enum ftp_err err;

	if ((err = take_delimiter(r, &delimiter)) != FTP_OK ||
	    (err = take_family(r, delimiter, &family)) != FTP_OK ||
	    (err = take_address(r, delimiter, family, &a)) != FTP_OK ||
	    (err = take_port(r, delimiter, &port)) != FTP_OK)
		return err;
	a.port = port;
	*out = a;
	return FTP_OK;
}

/* "<d><d><d>port<d>", or with an address, as EPRT has it. */
static enum ftp_err
take_epsv_port(struct reader *r, struct addr *out)
{
	struct addr a = { .family = ADDR_NONE };
	struct sv left = r->left;
	char delimiter;
	enum ftp_err err;

	if ((err = take_delimiter(r, &delimiter)) != FTP_OK)
		return err;
	if (!sv_take(&r->left, delimiter)) {
		r->left = left;
		return take_eprt(r, out);
	}
	if (!sv_take(&r->left, delimiter))
		return wanted(r, WANT_DELIMITER, FTP_SYNTAX);
	if ((err = take_port(r, delimiter, &a.port)) != FTP_OK)
		return err;
	*out = a;
	return FTP_OK;
}

static enum ftp_err
take_brackets(struct reader *r, struct addr *out)
{
	struct addr a;
	enum ftp_err err;

	if (!sv_take(&r->left, '('))
		return wanted(r, "\"(\"", FTP_SYNTAX);
	if ((err = take_epsv_port(r, &a)) != FTP_OK)
		return err;
	if (!sv_take(&r->left, ')'))
		return wanted(r, "\")\"", FTP_SYNTAX);
	*out = a;
	return FTP_OK;
}

/* True where text[i] continues a list of numbers: "7" or "," of "6,7". */
static bool
continues(struct sv text, size_t i)
{
	if (i >= text.len)
		return false;
	if (sv_digit(text.ptr[i]))
		return true;
	return text.ptr[i] == ',' && i + 1 < text.len &&
	    sv_digit(text.ptr[i + 1]);
}

/*
 * Numbers count from the start of their list to its end, so that the tail of
 * a longer list is never taken for an address.
 */
static bool
starts_list(struct sv text, size_t i)
{
	if (!sv_digit(text.ptr[i]))
		return false;
	if (i == 0)
		return true;
	return !sv_digit(text.ptr[i - 1]) &&
	    !(text.ptr[i - 1] == ',' && i > 1 && sv_digit(text.ptr[i - 2]));
}

static bool
starts_brackets(struct sv text, size_t i)
{
	return text.ptr[i] == '(';
}

/*
 * The first place in text where `take` finds what it wants.  If there is
 * none, r says what was missing in the attempt that came furthest.
 */
static enum ftp_err
search(struct reader *r, bool (*starts)(struct sv, size_t), take_form *take,
    struct addr *out)
{
	struct sv text = r->left;
	enum ftp_err err, furthest = FTP_SYNTAX;

	r->left = sv_drop(text, text.len);
	for (size_t i = 0; i < text.len; i++) {
		struct reader at = { sv_drop(text, i), NULL };

		if (!starts(text, i))
			continue;
		err = take(&at, out);
		if (err == FTP_OK && !continues(text, text.len - at.left.len)) {
			*r = at;
			return FTP_OK;
		}
		if (err == FTP_OK)
			err = wanted(&at, "no further number", FTP_SYNTAX);
		if (r->left.len == 0 || at.left.len < r->left.len) {
			*r = at;
			furthest = err;
		}
	}
	return furthest;
}

static enum ftp_err
take_227(struct reader *r, struct addr *out)
{
	r->want = "h1,h2,h3,h4,p1,p2";
	return search(r, starts_list, take_hostport, out);
}

static enum ftp_err
take_229(struct reader *r, struct addr *out)
{
	r->want = "(|||port|)";
	return search(r, starts_brackets, take_brackets, out);
}

static enum ftp_err
take_228(struct reader *r, struct addr *out)
{
	r->want = "af,hal,h1,...,pal,p1,p2";
	return search(r, starts_list, take_lprt, out);
}

static const struct {
	take_form *take;
	bool whole; /* an argument: nothing may follow */
} forms[HOSTPORT_FORM_COUNT] = {
	[HOSTPORT_PORT] = { take_hostport, true },
	[HOSTPORT_EPRT] = { take_eprt, true },
	[HOSTPORT_LPRT] = { take_lprt, true },
	[HOSTPORT_227] = { take_227, false },
	[HOSTPORT_228] = { take_228, false },
	[HOSTPORT_229] = { take_229, false },
};

enum ftp_err
hostport_parse_form(enum hostport_form form, struct sv text, struct addr *out,
    struct hostport_fault *fault)
{
	struct reader r = { text, NULL };
	struct addr a;
	enum ftp_err err = forms[form].take(&r, &a);

	if (err == FTP_OK && forms[form].whole && r.left.len > 0)
		err = wanted(&r, WANT_END, FTP_SYNTAX);
	if (err == FTP_OK)
		*out = a;
	else if (fault != NULL)
		*fault = (struct hostport_fault) { text.len - r.left.len,
			r.want };
	return err;
}

enum ftp_err
hostport_parse(struct sv text, struct addr *out)
{
	return hostport_parse_form(HOSTPORT_PORT, text, out, NULL);
}

enum ftp_err
eprt_parse(struct sv text, struct addr *out)
{
	return hostport_parse_form(HOSTPORT_EPRT, text, out, NULL);
}

enum ftp_err
lprt_parse(struct sv text, struct addr *out)
{
	return hostport_parse_form(HOSTPORT_LPRT, text, out, NULL);
}

enum ftp_err
pasv_reply_parse(struct sv text, struct addr *out)
{
	return hostport_parse_form(HOSTPORT_227, text, out, NULL);
}

enum ftp_err
epsv_reply_parse(struct sv text, struct addr *out)
{
	return hostport_parse_form(HOSTPORT_229, text, out, NULL);
}

enum ftp_err
lpsv_reply_parse(struct sv text, struct addr *out)
{
	return hostport_parse_form(HOSTPORT_228, text, out, NULL);
}

enum ftp_err
epsv_parse(struct sv text, enum epsv_wish *out)
{
	uint64_t number = 0;

	if (text.len == 0) {
		*out = EPSV_ANY;
		return FTP_OK;
	}
	if (sv_eq_nocase(text, SV("ALL"))) {
		*out = EPSV_ALL;
		return FTP_OK;
	}
	if (sv_digits(text) != text.len)
		return FTP_SYNTAX;
	if (!sv_number(text, 2, &number) || number == 0)
		return FTP_FAMILY;
	*out = number == 1 ? EPSV_V4 : EPSV_V6;
	return FTP_OK;
}

/* "1,2,3,4": without a comma at either end. */
static char *
put_bytes(char *p, const uint8_t *byte, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			p = put_char(p, ',');
		p = put_uint(p, byte[i]);
	}
	return p;
}

static char *
put_port_bytes(char *p, uint16_t port)
{
	const uint8_t byte[2] = { (uint8_t)(port >> 8), (uint8_t)port };

	return put_bytes(put_char(p, ','), byte, sizeof(byte));
}

static size_t
finish(char *p, const char *buf)
{
	*p = '\0';
	return (size_t)(p - buf);
}

size_t
hostport_format(const struct addr *a, char buf[HOSTPORT_TEXT_MAX])
{
	assert(a->family == ADDR_V4);
	return finish(put_port_bytes(put_bytes(buf, a->ip, 4), a->port), buf);
}

size_t
eprt_format(const struct addr *a, char buf[HOSTPORT_TEXT_MAX])
{
	char ip[ADDR_TEXT_MAX];
	char *p = buf;

	assert(a->family != ADDR_NONE);
	p = put_sv(p, a->family == ADDR_V4 ? SV("|1|") : SV("|2|"));
	p = put_sv(p, sv_of(addr_format_ip(a, ip)));
	p = put_uint(put_char(p, '|'), a->port);
	return finish(put_char(p, '|'), buf);
}

size_t
lprt_format(const struct addr *a, char buf[HOSTPORT_TEXT_MAX])
{
	char *p = buf;

	assert(a->family != ADDR_NONE);
	if (a->family == ADDR_V4)
		p = put_bytes(put_literal(p, "4,4,"), a->ip, 4);
	else
		p = put_bytes(put_literal(p, "6,16,"), a->ip, 16);
	return finish(put_port_bytes(put_literal(p, ",2"), a->port), buf);
}
