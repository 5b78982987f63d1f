/*
 * warden/zone.c: this system's time, in words that need no file.
 *
 * xferlog has local time, by custom.  A worker cannot read /etc/localtime,
 * and the offset of now would be wrong after the next change of the clocks;
 * but the last line of such a file is the rule from now on, in POSIX's form
 * (RFC 8536 §3.3), and libc understands it as TZ.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warden/warden.h"

#define ZONES "/usr/share/zoneinfo/"

/* "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30". */
static bool
is_rule(struct sv text)
{
	static const char others[] = "<>+-,./:";
	bool offset = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!sv_digit(c) && !sv_letter(c) &&
		    memchr(others, c, sizeof(others) - 1) == NULL)
			return false;
		offset |= sv_digit(c);
	}
	return offset && text.len >= 4 && text.len < ZONE_RULE_MAX;
}

/* The file's last line, between two LFs. */
static bool
rule_in(const char *path, char out[ZONE_RULE_MAX])
{
	char tail[ZONE_RULE_MAX + 2], magic[5];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
	ssize_t n = -1;
	const char *start;
	struct sv rule;

	if (end > (off_t)sizeof(tail) &&
	    pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, "TZif", 4) == 0 && magic[4] >= '2')
		n = pread(fd, tail, sizeof(tail), end - (off_t)sizeof(tail));
	if (fd >= 0)
		close(fd);
	if (n < 2 || tail[n - 1] != '\n' ||
	    (start = memrchr(tail, '\n', (size_t)n - 1)) == NULL)
		return false;
	start++;
	rule = (struct sv) { start, (size_t)(tail + n - 1 - start) };
	if (!is_rule(rule))
		return false;
	memcpy(out, rule.ptr, rule.len);
	out[rule.len] = '\0';
	return true;
}

void
zone_rule(char out[ZONE_RULE_MAX])
{
	const char *tz = getenv("TZ");
	char path[PATH_MAX];

	if (tz == NULL)
		tz = "/etc/localtime";
	else if (tz[0] == ':')
		tz++;
	snprintf(path, sizeof(path), "%s%s", tz[0] == '/' ? "" : ZONES, tz);
	if (rule_in(path, out))
		return;
	snprintf(out, ZONE_RULE_MAX, "%s",
	    tz[0] != '/' && is_rule(sv_of(tz)) ? tz : "UTC0");
}
