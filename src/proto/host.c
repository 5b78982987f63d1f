/*
 * proto/host.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/host.h"

#include "base/hostname.h"

/* In brackets both families: some clients put them around either. */
static bool
take_address(struct sv text, struct addr *out)
{
	bool bracketed = sv_take(&text, '[');

	if (bracketed) {
		if (text.len == 0 || text.ptr[text.len - 1] != ']')
			return false;
		text.len--;
	}
	return addr_parse_ip(text, out) &&
	    (bracketed || out->family == ADDR_V4);
}

enum ftp_err
host_parse(struct sv text, struct host *out)
{
	struct host host = { .name = { text.ptr, 0 } };

	if (take_address(text, &host.ip)) {
		*out = host;
		return FTP_OK;
	}
	host.name = text;
	if (text.len > 1 && text.ptr[text.len - 1] == '.')
		host.name.len--;
	if (!hostname_is_good(host.name))
		return FTP_SYNTAX;
	host.ip = (struct addr) { .family = ADDR_NONE };
	*out = host;
	return FTP_OK;
}
