/*
 * audit/target.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/target.h"

#include <stdio.h>

static const char *
take_scheme(struct sv *text, struct target *out)
{
	static const char mark[] = "://";
	const char *found = memmem(text->ptr, text->len, mark, 3);
	struct sv scheme;

	out->tls = false;
	if (found == NULL)
		return NULL;
	scheme = (struct sv) { text->ptr, (size_t)(found - text->ptr) };
	if (sv_eq_nocase(scheme, SV("ftps")))
		out->tls = true;
	else if (!sv_eq_nocase(scheme, SV("ftp")))
		return "its scheme is neither ftp nor ftps";
	*text = sv_drop(*text, scheme.len + 3);
	return NULL;
}

static int
hex_value(char c)
{
	if (sv_digit(c))
		return c - '0';
	c = sv_upper(c);
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False when it is too long, ends within "%4", or holds a control byte. */
static bool
decode(struct sv in, char out[TARGET_TEXT_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		int c = (unsigned char)in.ptr[i];

		if (c == '%') {
			if (in.len - i < 3 || hex_value(in.ptr[i + 1]) < 0 ||
			    hex_value(in.ptr[i + 2]) < 0)
				return false;
			c = hex_value(in.ptr[i + 1]) * 16 +
			    hex_value(in.ptr[i + 2]);
			i += 2;
		}
		if (c < ' ' || c == 0x7f || n + 1 == TARGET_TEXT_MAX)
			return false;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return true;
}

static const char *
take_login(struct sv *text, struct target *out)
{
	const char *at = memrchr(text->ptr, '@', text->len);
	struct sv user, password = SV("");
	const char *colon;

	out->user[0] = out->password[0] = '\0';
	if (at == NULL)
		return NULL;
	user = (struct sv) { text->ptr, (size_t)(at - text->ptr) };
	*text = sv_drop(*text, user.len + 1);
	colon = memchr(user.ptr, ':', user.len);
	if (colon != NULL) {
		password = sv_drop(user, (size_t)(colon - user.ptr) + 1);
		user.len = (size_t)(colon - user.ptr);
	}
	if (user.len == 0)
		return "nothing stands before the @";
	if (!decode(user, out->user) || !decode(password, out->password))
		return "its user or password is too long, or holds a control "
		    "byte or a % without two hexadecimal digits";
	return NULL;
}

static const char *
take_port(struct sv text, struct target *out)
{
	uint64_t port;

	out->port = out->tls ? TARGET_TLS_PORT : TARGET_PORT;
	if (text.len == 0)
		return NULL;
	if (!sv_take(&text, ':') || !sv_number(text, UINT16_MAX, &port) ||
	    port == 0)
		return "its port is no number from 1 to 65535";
	out->port = (uint16_t)port;
	return NULL;
}

/* Splits "host", "host:port", "[v6]", "[v6]:port" and a bare "v6". */
static const char *
take_host(struct sv text, struct target *out)
{
	const char *end, *colon = memchr(text.ptr, ':', text.len);
	struct sv host = text, rest = SV("");

	if (text.len > 0 && text.ptr[0] == '[') {
		end = memchr(text.ptr, ']', text.len);
		if (end == NULL)
			return "its [ is not closed";
		host = (struct sv) { text.ptr + 1,
			(size_t)(end - text.ptr) - 1 };
		rest = sv_drop(text, host.len + 2);
	} else if (colon != NULL && colon ==
	    memrchr(text.ptr, ':', text.len)) {
		host.len = (size_t)(colon - text.ptr);
		rest = sv_drop(text, host.len);
	}
	if (host.len == 0)
		return "it names no host";
	if (host.len >= TARGET_TEXT_MAX)
		return "its host is longer than 255 bytes";
	for (size_t i = 0; i < host.len; i++)
		if (host.ptr[i] <= ' ' || host.ptr[i] > '~')
			return "its host holds a blank or a byte that is no "
			    "printable ASCII";
	memcpy(out->host, host.ptr, host.len);
	out->host[host.len] = '\0';
	return take_port(rest, out);
}

const char *
target_parse(struct sv text, struct target *out)
{
	const char *wrong;

	if ((wrong = take_scheme(&text, out)) != NULL)
		return wrong;
	if (text.len > 0 && text.ptr[text.len - 1] == '/')
		text.len--;
	if (memchr(text.ptr, '/', text.len) != NULL)
		return "a path has no place in it: --directory names one";
	if ((wrong = take_login(&text, out)) != NULL)
		return wrong;
	return take_host(text, out);
}

const char *
target_url(const struct target *t, char buf[TARGET_URL_MAX])
{
	bool v6 = strchr(t->host, ':') != NULL;

	snprintf(buf, TARGET_URL_MAX, "%s://%s%s%s:%u",
	    t->tls ? "ftps" : "ftp", v6 ? "[" : "", t->host, v6 ? "]" : "",
	    (unsigned)t->port);
	return buf;
}
