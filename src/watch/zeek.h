/*
 * watch/zeek.h: commands and their replies as Zeek's ftp.log has them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdio.h>

#include "watch/watch.h"

struct zeek;

/* Takes over out.  NULL: no memory. */
struct zeek *zeek_new(FILE *out);
/* False, with errno set, when something could not be written. */
bool zeek_flush(struct zeek *z);
bool zeek_close(struct zeek *z);

/* The hooks of struct watch_report. */
void zeek_line(struct zeek *z, const struct watch *w,
    const struct control *c, enum ftp_verb verb, struct sv argument);
void zeek_answered(struct zeek *z, const struct watch *w,
    const struct control *c, enum ftp_verb verb, int code, struct sv text);
void zeek_ended(struct zeek *z, const struct control *c);
