/*
 * storage/hidden.c: see the header.
 *
 * A file name has no room for another one beside what says what it is, so a
 * partial upload's has a hash of 128 bits.  FNV is not made against people
 * who look for two names of one hash; who finds them mixes up two uploads of
 * his own, since the owner stands beside it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/hidden.h"

#include <stdio.h>
#include <sys/random.h>

#define NEW  HIDDEN_PREFIX "new-"
#define PART HIDDEN_PREFIX "part-"
#define DROP HIDDEN_PREFIX "drop-"

typedef unsigned __int128 uint128;

static bool
begins(struct sv name, struct sv with)
{
	return name.len >= with.len &&
	    sv_eq_nocase((struct sv) { name.ptr, with.len }, with);
}

bool
hidden_is(struct sv name)
{
	return begins(name, SV(HIDDEN_PREFIX));
}

bool
hidden_in(struct sv path)
{
	while (path.len > 0) {
		const char *slash = memchr(path.ptr, '/', path.len);
		size_t n = slash == NULL ? path.len :
		    (size_t)(slash - path.ptr);

		if (hidden_is((struct sv) { path.ptr, n }))
			return true;
		path = sv_drop(path, n + 1);
	}
	return false;
}

bool
hidden_expires(const char *name)
{
	return begins(sv_of(name), SV(NEW)) || begins(sv_of(name), SV(PART));
}

bool
hidden_is_drop(const char *name)
{
	return begins(sv_of(name), SV(DROP));
}

static bool
chance(uint64_t *out)
{
	return getrandom(out, sizeof(*out), 0) == (ssize_t)sizeof(*out);
}

bool
hidden_new(char name[NAME_MAX + 1])
{
	uint64_t random;

	if (!chance(&random))
		return false;
	snprintf(name, NAME_MAX + 1, NEW "%016llx",
	    (unsigned long long)random);
	return true;
}

static uint128
fnv(const char *text)
{
	uint128 h = (uint128)0x6c62272e07bb0142u << 64 | 0x62b821756295c58du;
	uint128 prime = (uint128)1 << 88 | 0x13b;

	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * prime;
	return h;
}

void
hidden_part(uint64_t owner, const char *of, char name[NAME_MAX + 1])
{
	uint128 h = fnv(of);

	snprintf(name, NAME_MAX + 1, PART "%016llx-%016llx%016llx",
	    (unsigned long long)owner, (unsigned long long)(h >> 64),
	    (unsigned long long)h);
}

bool
hidden_drop(const char *of, char name[NAME_MAX + 1])
{
	uint64_t random;
	int n;

	if (!chance(&random))
		return false;
	n = snprintf(name, NAME_MAX + 1, DROP "%016llx-%s",
	    (unsigned long long)random, of);
	return n >= 0 && n <= NAME_MAX;
}
