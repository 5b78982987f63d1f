/*
 * report/networks.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/networks.h"

#include <errno.h>
#include <stdlib.h>

#define BITS_V4 24
#define BITS_V6 48
/* The first byte of a key: an enum addr_family, or this. */
#define KEY_NAMED 'n'
#define KEY_ADDR_BYTES 18	/* family, address, bits */

static bool
complain(const char *file, unsigned line, const char *what, struct sv word)
{
	fprintf(stderr, "portcullis report: %s:%u: ", file, line);
	for (size_t i = 0; i < word.len; i++) {
		unsigned char c = (unsigned char)word.ptr[i];

		fprintf(stderr, c < 0x20 || c >= 0x7f ? "\\x%02x" : "%c", c);
	}
	fprintf(stderr, "%s%s\n", word.len > 0 ? ": " : "", what);
	return false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct sv
next_word(struct sv *rest)
{
	struct sv word;

	while (rest->len > 0 && is_blank(rest->ptr[0]))
		*rest = sv_drop(*rest, 1);
	word = (struct sv) { rest->ptr, 0 };
	while (word.len < rest->len && !is_blank(word.ptr[word.len]))
		word.len++;
	*rest = sv_drop(*rest, word.len);
	return word;
}

/* It stands in a table on a terminal. */
static bool
is_name(struct sv word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.ptr[i] < '!' || word.ptr[i] > '~')
			return false;
	return word.len > 0 && word.len <= REPORT_NETWORK_NAME;
}

static bool
add(struct report_networks *n, struct sv name, const struct addr_net *net)
{
	struct report_network *grown = reallocarray(n->list, n->count + 1,
	    sizeof(*grown));

	if (grown == NULL)
		return false;
	n->list = grown;
	grown[n->count] = (struct report_network) { .net = *net };
	memcpy(grown[n->count].name, name.ptr, name.len);
	n->count++;
	return true;
}

static bool
read_line(struct report_networks *n, struct sv rest, const char *file,
    unsigned line)
{
	struct sv name = next_word(&rest), word = next_word(&rest);
	struct addr_net net;

	if (name.len == 0 || name.ptr[0] == '#')
		return true;
	if (!is_name(name))
		return complain(file, line, "a name is 1 to 32 bytes of "
		    "printable ASCII", name);
	if (word.len == 0)
		return complain(file, line, "no network behind the name",
		    name);
	for (; word.len > 0; word = next_word(&rest)) {
		if (!addr_parse_net(word, &net))
			return complain(file, line, "not a network "
			    "(192.0.2.0/24, 2001:db8::/32)", word);
		if (n->count == REPORT_NETWORKS)
			return complain(file, line, "more than 4096 networks",
			    SV(""));
		if (!add(n, name, &net))
			return complain(file, line, "out of memory", SV(""));
	}
	return true;
}

bool
report_networks_read(struct report_networks *n, FILE *in, const char *name)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t len;
	unsigned line = 0;
	bool fine = true;

	while (fine && (len = getline(&text, &room, in)) > 0)
		fine = read_line(n, (struct sv) { text, (size_t)len }, name,
		    ++line);
	if (fine && ferror(in)) {
		fprintf(stderr, "portcullis report: %s: %s\n", name,
		    strerror(errno));
		fine = false;
	}
	free(text);
	return fine;
}

void
report_networks_free(struct report_networks *n)
{
	free(n->list);
	n->list = NULL;
	n->count = 0;
}

/* All but the first bits become 0. */
static void
mask(uint8_t *ip, size_t bytes, unsigned bits)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned keep = bits > 8 * i ? bits - (unsigned)(8 * i) : 0;

		if (keep < 8)
			ip[i] &= (uint8_t)(0xff00u >> keep);
	}
}

size_t
report_networks_key(const struct report_networks *n,
    const struct addr *client, char key[REPORT_NETWORK_KEY])
{
	unsigned bits = client->family == ADDR_V4 ? BITS_V4 : BITS_V6;
	const struct report_network *best = NULL;
	uint8_t ip[16];
	size_t len;

	for (size_t i = 0; i < n->count; i++)
		if (addr_in_net(client, &n->list[i].net) && (best == NULL ||
		    n->list[i].net.bits > best->net.bits))
			best = &n->list[i];
	if (best != NULL) {
		len = strlen(best->name);
		key[0] = KEY_NAMED;
		memcpy(key + 1, best->name, len);
		return len + 1;
	}
	memcpy(ip, client->ip, sizeof(ip));
	mask(ip, sizeof(ip), bits);
	key[0] = (char)client->family;
	memcpy(key + 1, ip, sizeof(ip));
	key[17] = (char)bits;
	return KEY_ADDR_BYTES;
}

const char *
report_networks_text(struct sv key, char buf[ADDR_TEXT_MAX])
{
	struct addr a = { .family = ADDR_NONE };
	char ip[ADDR_TEXT_MAX];

	if (key.len > 0 && key.ptr[0] == KEY_NAMED) {
		snprintf(buf, ADDR_TEXT_MAX, "%.*s", (int)key.len - 1,
		    key.ptr + 1);
		return buf;
	}
	if (key.len == KEY_ADDR_BYTES) {
		a.family = (uint8_t)key.ptr[0];
		memcpy(a.ip, key.ptr + 1, sizeof(a.ip));
		snprintf(buf, ADDR_TEXT_MAX, "%.46s/%u", addr_format_ip(&a,
		    ip), (unsigned)(uint8_t)key.ptr[17]);
		return buf;
	}
	snprintf(buf, ADDR_TEXT_MAX, "none");
	return buf;
}
