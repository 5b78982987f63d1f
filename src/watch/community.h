/*
 * watch/community.h: the name that other tools give to the same connection
 * (Community ID, version 1, seed 0).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"

#define COMMUNITY_MAX 40

/* Of a TCP connection, from either end.  Returns out. */
const char *community_id(const struct addr *a, const struct addr *b,
    char out[COMMUNITY_MAX]);
