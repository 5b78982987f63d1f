/*
 * audit/lines.h: bytes that are sent, read as the server and the sensor do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/link.h"
#include "policy/named.h"

/*
 * Calls found for each line of raw that names a data address, with all its
 * readings and what the sensor would say of it.
 */
void lines_named(const struct link *l, struct sv raw,
    void (*found)(void *arg, struct sv line, const struct named *named),
    void *arg);
