/*
 * conf/conf_cert.c: "FILE [key=FILE] [ocsp=FILE] [site=NAME]", a certificate.
 *
 * What belongs together stands on one line: lists of keys and of certificates
 * that are matched by their order would be mixed up one day.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include "base/hostname.h"

static bool
take_word(const struct conf_key *k, struct sv text, char *out, size_t size,
    const struct conf_where *w)
{
	if (text.len == 0)
		return conf_refuse(k, text, "names nothing", w);
	if (text.len >= size)
		return conf_refuse(k, text, "is too long", w);
	if (!conf_is_printable(text))
		return conf_refuse(k, text, "holds an unprintable byte", w);
	if (out[0] != '\0')
		return conf_refuse(k, text, "is given twice", w);
	memcpy(out, text.ptr, text.len);
	return true;
}

static bool
take_site(const struct conf_key *k, struct sv text, struct conf_cert *cert,
    const struct conf_where *w)
{
	if (!hostname_is_good(text))
		return conf_refuse(k, text, "is not a host's name", w);
	return take_word(k, text, cert->site, sizeof(cert->site), w);
}

static bool
take_option(const struct conf_key *k, struct sv item, struct conf_cert *cert,
    const struct conf_where *w)
{
	struct sv value = item, name = sv_take_field(&value, '=');

	if (sv_eq(name, SV("key")))
		return take_word(k, value, cert->key, sizeof(cert->key), w);
	if (sv_eq(name, SV("ocsp")))
		return take_word(k, value, cert->ocsp, sizeof(cert->ocsp), w);
	if (sv_eq(name, SV("site")))
		return take_site(k, value, cert, w);
	return conf_refuse(k, item, "is none of key=, ocsp= and site=", w);
}

static bool
certs_read(const struct conf_key *k, struct sv text, bool add, void *field,
    const struct conf_where *w)
{
	struct conf_certs *list = field;
	struct conf_cert cert = { .chain = "" };
	struct sv rest = text, item = conf_take_item(&rest);

	if (item.len == 0 && !add) {
		memset(list, 0, sizeof(*list));
		return true;
	}
	if (add && list->count == k->most)
		return conf_refuse(k, item, "is one too many", w);
	if (!take_word(k, item, cert.chain, sizeof(cert.chain), w))
		return false;
	while ((item = conf_take_item(&rest)).len > 0)
		if (!take_option(k, item, &cert, w))
			return false;
	if (!add)
		memset(list, 0, sizeof(*list));
	memcpy(&list->at[list->count++], &cert, sizeof(cert));
	return true;
}

/* A certificate a line, as sites are. */
static void
certs_write(const void *field, const struct conf_key *k, FILE *out)
{
	const struct conf_certs *list = field;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct conf_cert *c = &list->at[i];

		if (i > 0)
			fprintf(out, "\n%s =", k->name);
		fprintf(out, " %s", c->chain);
		if (c->key[0] != '\0')
			fprintf(out, " key=%s", c->key);
		if (c->ocsp[0] != '\0')
			fprintf(out, " ocsp=%s", c->ocsp);
		if (c->site[0] != '\0')
			fprintf(out, " site=%s", c->site);
	}
}

static void
certs_allowed(const struct conf_key *k, FILE *out)
{
	fprintf(out, "%s, no blanks in a path; %u to %u such lines", k->unit,
	    k->least, k->most);
}

const struct conf_type conf_type_certs = {
	.read = certs_read,
	.write = certs_write,
	.allowed = certs_allowed,
	.is_list = true,
};
