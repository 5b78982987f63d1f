/*
 * index/compare.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/compare.h"

#include <assert.h>

static bool
has_hash(const struct index_row *row)
{
	return row->kind == INDEX_FILE && row->hash[0] != '-' &&
	    row->hash[0] != '\0';
}

bool
index_knows(const struct index_row *old, const struct index_row *now)
{
	return has_hash(old) && now->kind == INDEX_FILE &&
	    old->size == now->size && strcmp(old->mtime, now->mtime) == 0;
}

bool
index_must_read(const struct index_row *old, const struct index_row *now)
{
	return has_hash(old) && now->kind == INDEX_FILE &&
	    old->size == now->size;
}

static bool
same_time(const char *a, const char *b)
{
	static const char whole[] = ".000000000Z";
	const char *dot = strchr(a, '.'), *other = strchr(b, '.');

	if (strcmp(a, b) == 0)
		return true;
	return dot != NULL && other != NULL && dot - a == other - b &&
	    memcmp(a, b, (size_t)(dot - a)) == 0 &&
	    (strcmp(dot, whole) == 0 || strcmp(other, whole) == 0);
}

static void
add(char reasons[INDEX_REASONS_ROOM], const char *reason)
{
	size_t n = strlen(reasons), m = strlen(reason);

	assert(n + 1 + m < INDEX_REASONS_ROOM);
	if (n > 0)
		reasons[n++] = ',';
	memcpy(reasons + n, reason, m + 1);
}

static void
find_reasons(const struct index_row *old, const struct index_row *now,
    char reasons[INDEX_REASONS_ROOM])
{
	if (old->kind != now->kind) {
		add(reasons, "kind");
		return;
	}
	if (old->size != now->size)
		add(reasons, "size");
	if (!same_time(old->mtime, now->mtime))
		add(reasons, "mtime");
	if (has_hash(old) && has_hash(now) &&
	    strcmp(old->hash, now->hash) != 0)
		add(reasons, "hash");
	if (now->kind == INDEX_LINK && strcmp(old->target, now->target) != 0)
		add(reasons, "target");
}

const char *
index_compare(const struct index_item *item, char reasons[INDEX_REASONS_ROOM])
{
	bool unknown = item->has_old && item->old.kind == INDEX_LEFT;

	reasons[0] = '\0';
	if (!item->has_now || item->outcome == INDEX_GONE) {
		if (unknown)
			return "unknown";
		return item->has_old ? "missing" : NULL;
	}
	if (item->now.kind == INDEX_LEFT || item->outcome != INDEX_READ)
		return "unread";
	if (!item->has_old)
		return "new";
	if (unknown)
		return "unknown";
	find_reasons(&item->old, &item->now, reasons);
	return reasons[0] == '\0' ? NULL : "changed";
}
