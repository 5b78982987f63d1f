/*
 * policy/kinds.c: the names and weights of the one table in kinds.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "policy/kinds.h"

#include <assert.h>

static const struct {
	const char *name;
	const char *signature;
	int severity;
} kinds[KIND_COUNT] = {
#define X(name, severity, signature) \
	[KIND_##name] = { #name, signature, severity },
	BOUNCE_KINDS(X)
#undef X
};

const char *
bounce_kind_name(enum bounce_kind kind)
{
	assert(kind < KIND_COUNT);
	return kinds[kind].name;
}

const char *
bounce_kind_signature(enum bounce_kind kind)
{
	assert(kind < KIND_COUNT);
	return kinds[kind].signature;
}

int
bounce_kind_severity(enum bounce_kind kind)
{
	assert(kind < KIND_COUNT);
	return kinds[kind].severity;
}
