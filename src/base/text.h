/*
 * base/text.h: what somebody wrote into a file, as lines that may stand in a
 * reply: they steer no terminal and end no line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/*
 * Takes one line off the front, without its LF or CRLF; the last one need
 * not have one.  False when there is no more.
 */
MUST_USE bool text_take_line(struct sv *text, struct sv *line);

/* Room for n bytes as text_show writes them. */
#define TEXT_SHOWN_MAX(n) (4 * (n))

/*
 * Writes the line as it may be shown and returns how many bytes that are: as
 * many whole characters as fit into size.
 *
 * TAB, ASCII and UTF-8 stay; of what is neither, bytes from 0xa0 to 0xfe do,
 * as Latin-1 and its sisters have letters there.  Any other byte becomes
 * "\xNN": control bytes, among them those of C1 in either form, and 0xff,
 * which is Telnet's.
 */
size_t text_show(struct sv line, char *out, size_t size);
