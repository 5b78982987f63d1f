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
	enum bounce_level attempt, executed;
} kinds[KIND_COUNT] = {
#define X(name, attempt, executed, signature) \
	[KIND_##name] = { #name, signature, LEVEL_##attempt, \
		LEVEL_##executed },
	BOUNCE_KINDS(X)
#undef X
};

static const struct {
	const char *name;
	int severity;
} levels[LEVEL_COUNT] = {
#define X(NAME, severity, text) [LEVEL_##NAME] = { text, severity },
	BOUNCE_LEVELS(X)
#undef X
};

static const char *const stages[STAGE_COUNT] = {
#define X(name, meaning) [STAGE_##name] = #name,
	BOUNCE_STAGES(X)
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
	return levels[kinds[kind].attempt].severity;
}

enum bounce_level
bounce_level_of(enum bounce_kind kind, enum bounce_stage stage, bool refused,
    bool low_port)
{
	bool attempt = stage < STAGE_executed;
	enum bounce_level level;

	assert(kind < KIND_COUNT && stage < STAGE_COUNT);
	level = attempt ? kinds[kind].attempt : kinds[kind].executed;
	if (kind == KIND_third_party && low_port)
		level++;
	if (kind == KIND_pasv_theft && stage == STAGE_completed)
		level++;
	if (attempt && refused && level > LEVEL_LOW)
		level--;
	return level;
}

const char *
bounce_level_name(enum bounce_level level)
{
	assert(level < LEVEL_COUNT);
	return levels[level].name;
}

int
bounce_level_severity(enum bounce_level level)
{
	assert(level < LEVEL_COUNT);
	return levels[level].severity;
}

const char *
bounce_stage_name(enum bounce_stage stage)
{
	assert(stage < STAGE_COUNT);
	return stages[stage];
}
