/*
 * base/hostname.h: the form of a host's name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

#define HOSTNAME_MAX 253	/* RFC 1035 §2.3.4, as text */

/*
 * Labels of 1 to 63 letters, digits, "-" and "_", with dots between, no dot
 * at an end.  What could be taken for an IPv4 address is none: its last label
 * begins with a digit (RFC 1123 §2.1).
 */
bool hostname_is_good(struct sv name);

/* The list, commas between, holds that name in any case. */
bool hostname_is_in(struct sv list, struct sv name);
