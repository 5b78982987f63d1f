/*
 * index/reader.h: an index that was made before, row by row; plain, or
 * compressed by gzip.  Nothing is kept but the row at hand, whatever the
 * index' size.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "index/row.h"

enum index_read { INDEX_ROW, INDEX_END, INDEX_BAD };

struct index_reader;

/* "-" is standard input.  NULL with errno set. */
struct index_reader *index_reader_open(const char *file);
void index_reader_close(struct index_reader *r);

/*
 * The next row, which borrows from the reader until the next call.
 * INDEX_BAD: it was said on standard error, with file and line.
 */
MUST_USE enum index_read index_reader_next(struct index_reader *r,
    struct index_row *out);
