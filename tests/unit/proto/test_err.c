/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/err.h"

#include <string.h>

#include "unit.h"

static void
each_error_has_a_reply_and_words(void **state)
{
	static const struct {
		enum ftp_err err;
		int reply;
	} table[] = {
		{ FTP_OK, 200 },
		{ FTP_SYNTAX, 501 },
		{ FTP_RANGE, 501 },
		{ FTP_FAMILY, 522 },
		{ FTP_UNKNOWN, 500 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		assert_int_equal(ftp_err_reply(table[i].err), table[i].reply);
		assert_true(strlen(ftp_err_text(table[i].err)) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_has_a_reply_and_words),
	};

	return RUN(tests);
}
