/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/reply.h"

#include "proto/hostport.h"
#include "unit.h"
#include "vectors.h"

static const char *const err_names[] = {
#define X(NAME, reply, text) [FTP_##NAME] = #NAME,
	FTP_ERRORS(X)
#undef X
};

static void
check_address(const struct vector *v, const struct reply_line *reply)
{
	char text[VECTOR_ADDR_MAX];
	struct addr a;
	enum ftp_err err;

	if (reply->code == 227)
		err = pasv_reply_parse(reply->text, &a);
	else if (reply->code == 228)
		err = lpsv_reply_parse(reply->text, &a);
	else if (reply->code == 229)
		err = epsv_reply_parse(reply->text, &a);
	else {
		vector_same(v, "address", SV("-"), v->column[5]);
		return;
	}
	vector_same(v, "address error", sv_of(err_names[err]), v->column[5]);
	vector_same(v, "address", err == FTP_OK ? vector_addr(&a, text) :
	    SV("-"), v->column[6]);
}

static void
check_reply(const struct vector *v)
{
	struct reply_line reply;
	enum ftp_err err = reply_parse(v->column[1], &reply);
	uint64_t code;

	vector_same(v, "error", sv_of(err_names[err]), v->column[2]);
	if (err != FTP_OK)
		return;
	assert_true(sv_number(v->column[3], 699, &code));
	assert_int_equal(reply.code, code);
	vector_same(v, "separator", reply.continues ? SV("-") : SV("SP"),
	    v->column[4]);
	check_address(v, &reply);
}

static void
vectors_are_read_as_they_say(void **state)
{
	(void)state;
	vectors_each("replies.tsv", 7, check_reply);
}

/* EV30: neither another code nor another hyphen closes "220-". */
static void
ev30_only_its_own_last_line_ends_a_reply(void **state)
{
	(void)state;
	assert_true(reply_ends(SV("220 done"), 220));
	assert_true(reply_ends(SV("220"), 220));
	assert_false(reply_ends(SV("220-more"), 220));
	assert_false(reply_ends(SV("221 other"), 220));
	assert_false(reply_ends(SV(" 220 indented"), 220));
	assert_false(reply_ends(SV("text"), 220));
	assert_false(reply_ends(SV(""), 220));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_are_read_as_they_say),
		cmocka_unit_test(ev30_only_its_own_last_line_ends_a_reply),
	};

	return RUN(tests);
}
