/*
 * index/output.h: where an index is written.  A file appears under its name
 * when it is whole and on the disk; until then it is beside it, under another
 * name, and what was there before stays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "index/beneath.h"
#include "index/row.h"

struct index_output;

/*
 * file NULL is standard output; a name that ends with ".gz" is compressed,
 * the same bytes for the same rows.  place is written: of file, or none.
 * NULL: it was said why.
 */
struct index_output *index_output_open(const char *file,
    struct index_place *place);

/* False: writing failed, and it was said; to be aborted. */
bool index_output_row(struct index_output *o, const struct index_row *row);

/* Frees o.  False: it was said why, and the file is not there. */
bool index_output_commit(struct index_output *o);

/* Frees o, and removes what was written; standard output keeps it. */
void index_output_abort(struct index_output *o);
