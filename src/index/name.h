/*
 * index/name.h: names of files as text that fits a line, and back.
 *
 * Printable ASCII and well-formed UTF-8 stay as they are.  A backslash is
 * "\\", LF "\n", CR "\r" (the three that sha256sum knows), and each byte of
 * all else, control characters and what is no UTF-8, is "\x" with two small
 * hexadecimal digits.  Each name has one text, and each text one name; what
 * becomes of a component does not depend on its neighbours.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* What n bytes become at most, with a NUL. */
#define INDEX_NAME_ROOM(n) (4 * (size_t)(n) + 1)

/* out has INDEX_NAME_ROOM(raw.len) bytes; the length without the NUL. */
size_t index_name_escape(struct sv raw, char *out);

/*
 * The way back: out has text.len + 1 bytes, and ends with a NUL.  False when
 * text is not what index_name_escape makes of any name without NUL bytes.
 */
MUST_USE bool index_name_unescape(struct sv text, char *out, size_t *n);
