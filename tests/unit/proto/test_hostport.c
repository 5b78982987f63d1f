/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/hostport.h"

#include "unit.h"
#include "vectors.h"

static const char *const err_names[] = {
#define X(NAME, reply, text) [FTP_##NAME] = #NAME,
	FTP_ERRORS(X)
#undef X
};

static void
check_form(const struct vector *v, enum hostport_form form)
{
	struct addr a = { .port = 4711 };
	struct hostport_fault fault = { 9999, NULL };
	char text[VECTOR_ADDR_MAX];
	enum ftp_err err = hostport_parse_form(form, v->column[1], &a, &fault);

	vector_same(v, "error", sv_of(err_names[err]), v->column[2]);
	if (err == FTP_OK) {
		vector_same(v, "address", vector_addr(&a, text), v->column[3]);
		return;
	}
	assert_int_equal(a.port, 4711);		/* untouched */
	assert_non_null(fault.expected);
	assert_in_range(fault.at, 0, v->column[1].len);
}

static void
check_hostport(const struct vector *v)
{
	check_form(v, HOSTPORT_PORT);
}

static void
check_eprt(const struct vector *v)
{
	check_form(v, HOSTPORT_EPRT);
}

static void
check_lprt(const struct vector *v)
{
	check_form(v, HOSTPORT_LPRT);
}

static void
vectors_are_read_as_they_say(void **state)
{
	(void)state;
	vectors_each("hostport.tsv", 4, check_hostport);
	vectors_each("eprt.tsv", 4, check_eprt);
	vectors_each("lprt.tsv", 4, check_lprt);
}

static void
faults_are_where_they_are(void **state)
{
	static const struct {
		enum hostport_form form;
		const char *text;
		size_t at;
	} table[] = {
		{ HOSTPORT_PORT, "", 0 },
		{ HOSTPORT_PORT, "1,2,3,4,5", 9 },
		{ HOSTPORT_PORT, "1,2,300,4,5,6", 4 },
		{ HOSTPORT_PORT, "1,2,3000,4,5,6", 4 },
		{ HOSTPORT_PORT, "1,2,0300,4,5,6", 7 },
		{ HOSTPORT_PORT, "1,2,3,4,5,6,7", 11 },
		{ HOSTPORT_PORT, "1,2, 3,4,5,6", 4 },
		{ HOSTPORT_EPRT, "1|", 2 },
		{ HOSTPORT_EPRT, "|3|1.2.3.4|5|", 1 },
		{ HOSTPORT_EPRT, "|1|1.2.3|5|", 3 },
		{ HOSTPORT_EPRT, "|1|1.2.3.4|x|", 11 },
		{ HOSTPORT_EPRT, "|1|1.2.3.4|5", 12 },
		{ HOSTPORT_EPRT, "|1|1.2.3.4|5|x", 13 },
		{ HOSTPORT_LPRT, "4,5,1,2,3,4,2,5,6", 2 },
		{ HOSTPORT_LPRT, "4,4,1,2,3,4,3,5,6", 12 },
		{ HOSTPORT_LPRT, "5,4", 0 },
		{ HOSTPORT_227, "Entering (1,2,3,4,5)", 19 },
		{ HOSTPORT_227, "v1,2 (1,2,3,4,5,666)", 16 },
		{ HOSTPORT_229, "ok (|||x|)", 7 },
		{ HOSTPORT_229, "ok (|||1|", 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct hostport_fault fault = { 9999, NULL };
		struct addr a;

		assert_int_not_equal(hostport_parse_form(table[i].form,
		    sv_of(table[i].text), &a, &fault), FTP_OK);
		if (fault.at != table[i].at || fault.expected == NULL)
			fail_msg("row %zu: \"%s\": at %zu, not %zu", i,
			    table[i].text, fault.at, table[i].at);
	}
}

/* A reproducible stream of addresses; the first are the edges. */
static struct addr
sample(uint32_t i)
{
	struct addr a = { .family = i % 2 == 0 ? ADDR_V4 : ADDR_V6 };
	uint64_t x = i * 0x9e3779b97f4a7c15u;

	for (size_t n = 0; n < (a.family == ADDR_V4 ? 4u : 16u); n++) {
		x ^= x >> 29;
		x *= 0xbf58476d1ce4e5b9u;
		a.ip[n] = i < 4 ? (uint8_t)(i < 2 ? 0 : 0xff) :
		    (uint8_t)((x >> 40) % 3 == 0 ? 0 : x >> 32);
	}
	a.port = (uint16_t)(x >> 11);
	return a;
}

static void
check_round_trip(const struct addr *a)
{
	char text[HOSTPORT_TEXT_MAX];
	struct addr b;
	size_t len;

	if (a->family == ADDR_V4) {
		len = hostport_format(a, text);
		assert_int_equal(len, strlen(text));
		assert_int_equal(hostport_parse(sv_of(text), &b), FTP_OK);
		assert_memory_equal(a, &b, sizeof(b));
		assert_int_equal(pasv_reply_parse(sv_of(text), &b), FTP_OK);
		assert_memory_equal(a, &b, sizeof(b));
	}
	len = eprt_format(a, text);
	assert_int_equal(len, strlen(text));
	assert_int_equal(eprt_parse(sv_of(text), &b), FTP_OK);
	assert_memory_equal(a, &b, sizeof(b));
	len = lprt_format(a, text);
	assert_int_equal(len, strlen(text));
	assert_int_equal(lprt_parse(sv_of(text), &b), FTP_OK);
	assert_memory_equal(a, &b, sizeof(b));
	assert_int_equal(lpsv_reply_parse(sv_of(text), &b), FTP_OK);
	assert_memory_equal(a, &b, sizeof(b));
}

static void
addresses_survive_the_way_round(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 50000; i++) {
		struct addr a = sample(i);

		check_round_trip(&a);
	}
}

static void
all_ports_survive_the_way_round(void **state)
{
	struct addr v4 = sample(4), v6 = sample(5);

	(void)state;
	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		v4.port = v6.port = (uint16_t)port;
		check_round_trip(&v4);
		check_round_trip(&v6);
	}
}

/* Whatever one byte is changed into, what is taken is what it says. */
static void
one_changed_byte_is_never_misread(void **state)
{
	char text[] = "|1|203.0.113.99|50000|", formatted[HOSTPORT_TEXT_MAX];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char kept = text[i];

		for (int c = 0; c < 256; c++) {
			struct sv v = { text, sizeof(text) - 1 };

			text[i] = (char)c;
			if (eprt_parse(v, &a) != FTP_OK)
				continue;
			eprt_format(&a, formatted);
			/* Only a leading zero of the port is spelled anew. */
			if (strcmp(formatted, text) != 0)
				assert_true(text[16] == '0');
		}
		text[i] = kept;
	}
}

static void
a_reply_of_many_numbers_takes_bounded_time(void **state)
{
	static char text[8192];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? '1' : ',';
	assert_int_equal(pasv_reply_parse((struct sv) { text, sizeof(text) },
	    &a), FTP_SYNTAX);
	memset(text, '(', sizeof(text));
	assert_int_equal(epsv_reply_parse((struct sv) { text, sizeof(text) },
	    &a), FTP_SYNTAX);
}

static void
epsv_takes_its_three_wishes(void **state)
{
	static const struct {
		const char *text;
		enum ftp_err err;
		enum epsv_wish wish;
	} table[] = {
		{ "", FTP_OK, EPSV_ANY },
		{ "1", FTP_OK, EPSV_V4 },
		{ "2", FTP_OK, EPSV_V6 },
		{ "ALL", FTP_OK, EPSV_ALL },
		{ "all", FTP_OK, EPSV_ALL },
		{ "0", FTP_FAMILY, 0 },
		{ "3", FTP_FAMILY, 0 },
		{ "99999999999999999999", FTP_FAMILY, 0 },
		{ "ALLL", FTP_SYNTAX, 0 },
		{ " ALL", FTP_SYNTAX, 0 },
		{ "ALL ", FTP_SYNTAX, 0 },
		{ "-1", FTP_SYNTAX, 0 },
		{ "1 ", FTP_SYNTAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		enum epsv_wish wish = EPSV_ANY;

		assert_int_equal(epsv_parse(sv_of(table[i].text), &wish),
		    table[i].err);
		if (table[i].err == FTP_OK)
			assert_int_equal(wish, table[i].wish);
	}
}

static void
nothing_is_read_of_an_empty_view(void **state)
{
	static const struct sv none = { NULL, 0 };
	struct addr a;

	(void)state;
	for (int form = 0; form < HOSTPORT_FORM_COUNT; form++)
		assert_int_equal(hostport_parse_form((enum hostport_form)form,
		    none, &a, NULL), FTP_SYNTAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_are_read_as_they_say),
		cmocka_unit_test(faults_are_where_they_are),
		cmocka_unit_test(addresses_survive_the_way_round),
		cmocka_unit_test(all_ports_survive_the_way_round),
		cmocka_unit_test(one_changed_byte_is_never_misread),
		cmocka_unit_test(a_reply_of_many_numbers_takes_bounded_time),
		cmocka_unit_test(epsv_takes_its_three_wishes),
		cmocka_unit_test(nothing_is_read_of_an_empty_view),
	};

	return RUN(tests);
}
