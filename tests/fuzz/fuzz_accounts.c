/*
 * tests/fuzz/fuzz_accounts.c: of any bytes, an account file is taken whole or
 * refused with a reason; what is taken keeps its promises, and means the same
 * when it is written again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "accounts/file.h"

static void
hear(void *arg, unsigned line, const char *why)
{
	unsigned *problems = arg;

	(void)line;
	assert(why[0] != '\0');
	for (const char *c = why; *c != '\0'; c++)
		assert((unsigned char)*c >= ' ' && *c != 0x7f);
	++*problems;
}

static void
has_no_way_out(struct sv root)
{
	assert(root.len > 0 && root.ptr[0] != '/');
	assert(memchr(root.ptr, '\0', root.len) == NULL);
	for (size_t i = 0; i + 1 < root.len; i++)
		if (root.ptr[i] == '.' && root.ptr[i + 1] == '.')
			assert((i > 0 && root.ptr[i - 1] != '/') ||
			    (i + 2 < root.len && root.ptr[i + 2] != '/'));
}

/* Its options but for hours and networks, which are views already. */
static size_t
write_line(const struct accounts_entry *e, char *out, size_t size)
{
	static const char *const tls[] = { "required", "login", "optional" };
	char rights[ACCOUNTS_RIGHT_COUNT + 1];
	int n = snprintf(out, size, "%.*s:%.*s:%.*s:%s:tls=%s,uploads=%s",
	    (int)e->name.len, e->name.ptr, (int)e->hash.len, e->hash.ptr,
	    (int)e->root.len, e->root.ptr,
	    accounts_rights_text(e->rights, rights),
	    tls[e->tls],
	    e->drop_box ? "dropbox" : "visible");

	assert(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static void
means_the_same(const struct accounts_entry *e)
{
	char line[2 * ACCOUNTS_LINE_MAX], why[ACCOUNTS_WHY_MAX];
	struct accounts_entry again;
	size_t n = write_line(e, line, sizeof(line));

	assert(accounts_parse_line((struct sv) { line, n }, &again, why));
	assert(sv_eq(again.name, e->name) && sv_eq(again.hash, e->hash));
	assert(sv_eq(again.root, e->root) && again.rights == e->rights);
	assert(again.tls == e->tls);
	assert(again.drop_box == e->drop_box);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct accounts a;
	unsigned problems = 0;
	struct accounts_listener l = { hear, &problems };
	struct sv text = { (const char *)data, size };
	struct addr peer = { .family = ADDR_V4 };

	if (!accounts_parse(text, &a, &l)) {
		assert(problems > 0 && a.count == 0 && a.text == NULL);
		return 0;
	}
	assert(problems == 0);
	for (size_t i = 0; i < a.count; i++) {
		const struct accounts_entry *e = &a.at[i];

		assert(accounts_find(&a, e->name) == e);
		assert(e->hours.len > 0 || accounts_hours_allow(e, 0, 0));
		assert(e->networks.len > 0 ||
		    accounts_network_allows(e, &peer));
		has_no_way_out(e->root);
		means_the_same(e);
	}
	accounts_free(&a);
	return 0;
}
