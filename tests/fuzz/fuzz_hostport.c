/*
 * tests/fuzz/fuzz_hostport.c: of any bytes, each of the six grammars either
 * says where they fail and writes nothing, or reads an address that comes back
 * from its own writing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>

#include "proto/hostport.h"

static void
check_round_trip(const struct addr *read)
{
	char text[HOSTPORT_TEXT_MAX];
	struct addr a = *read, b;
	size_t len;

	a.zoned = 0;	/* a zone is not written */
	if (a.family == ADDR_NONE)
		return;
	if (a.family == ADDR_V4) {
		len = hostport_format(&a, text);
		assert(len < sizeof(text) && text[len] == '\0');
		assert(hostport_parse(sv_of(text), &b) == FTP_OK);
		assert(memcmp(&a, &b, sizeof(a)) == 0);
	}
	len = eprt_format(&a, text);
	assert(len < sizeof(text) && text[len] == '\0');
	assert(eprt_parse(sv_of(text), &b) == FTP_OK);
	assert(memcmp(&a, &b, sizeof(a)) == 0);
	len = lprt_format(&a, text);
	assert(len < sizeof(text) && text[len] == '\0');
	assert(lprt_parse(sv_of(text), &b) == FTP_OK);
	assert(memcmp(&a, &b, sizeof(a)) == 0);
}

static void
check_form(enum hostport_form form, struct sv text)
{
	static const struct addr untouched = { .ip = { 1, 2, 3 }, .port = 4 };
	struct hostport_fault fault = { SIZE_MAX, NULL };
	struct addr a = untouched;

	if (hostport_parse_form(form, text, &a, &fault) == FTP_OK) {
		check_round_trip(&a);
		return;
	}
	assert(memcmp(&a, &untouched, sizeof(a)) == 0);
	assert(fault.at <= text.len && fault.expected != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = { (const char *)data, size };
	enum epsv_wish wish;

	for (unsigned form = 0; form < HOSTPORT_FORM_COUNT; form++)
		check_form((enum hostport_form)form, text);
	if (epsv_parse(text, &wish) == FTP_OK)
		assert(wish <= EPSV_ALL);
	return 0;
}
