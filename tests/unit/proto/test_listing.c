/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/listing.h"

#include "unit.h"

#define NOW   1600000000		/* 2020-09-13 12:26:40 */
#define DAY_S 86400

static const struct listing_entry file = {
	.name = SV("name"),
	.mode = S_IFREG | 0644,
	.links = 1,
	.size = 1234,
	.mtime = 1577934245,		/* 2020-01-02 03:04:05 */
	.perm = SV("r"),
	.dev = 0x801,
	.ino = 0x2a,
};

static void
assert_list(const struct listing_entry *e, int64_t now, const char *wanted)
{
	char buf[1024];
	size_t len = listing_list(e, now, buf, sizeof(buf));

	buf[len] = '\0';
	assert_string_equal(buf, wanted);
}

static void
assert_mlsd(const struct listing_entry *e, unsigned facts, const char *wanted)
{
	char buf[1024];
	size_t len = listing_mlsd(e, facts, buf, sizeof(buf));

	buf[len] = '\0';
	assert_string_equal(buf, wanted);
}

static void
options_are_those_of_ls(void **state)
{
	static const struct {
		const char *arg, *rest;
		unsigned options;
	} rows[] = {
		{ "", "", 0 },
		{ "pub", "pub", 0 },
		{ "-la", "", LS_LONG | LS_ALL },
		{ "-la pub", "pub", LS_LONG | LS_ALL },
		{ "-l -a  pub -t", "pub -t", LS_LONG | LS_ALL },
		{ "-alR /", "/", LS_LONG | LS_ALL | LS_RECURSIVE },
		{ "-A -F -d -r x", "x", LS_ALMOST_ALL | LS_MARKED |
		    LS_ITSELF | LS_REVERSED },
		{ "-1CxLzz\xff x", "x", 0 },
		{ "-tS", "", LS_BY_SIZE },
		{ "-S -t", "", LS_BY_TIME },
		{ "-- -l", "-l", 0 },
		{ "-l --", "", LS_LONG },
		{ "-a -- --", "--", LS_ALL },
		{ "--recursive -l x", "x", LS_LONG },
		{ "--all", "", 0 },
		{ "-", "-", 0 },
		{ "- x", "- x", 0 },
		{ "./-l", "./-l", 0 },
		{ "-l -", "-", LS_LONG },
		{ " -l", " -l", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sv arg = sv_of(rows[i].arg);
		unsigned options = listing_take_options(&arg);

		if (options != rows[i].options ||
		    !sv_eq(arg, sv_of(rows[i].rest)))
			fail_msg("\"%s\": %x, \"%.*s\"", rows[i].arg,
			    options, (int)arg.len, arg.ptr);
	}
}

static void
prefixes_marks_and_heads(void **state)
{
	struct listing_entry e = file;
	char buf[1024];
	size_t n;

	(void)state;
	e.prefix = SV("a/b/");
	e.mark = '*';
	n = listing_nlst(&e, buf, sizeof(buf));
	assert_true(sv_eq((struct sv) { buf, n }, SV("a/b/name*\r\n")));
	assert_list(&e, NOW, "-rw-r--r--    1 ftp      ftp          1234 "
	    "Jan 02  2020 name*\r\n");
	assert_int_equal(listing_nlst(&e, buf, LISTING_SLACK + 8), 0);
	n = listing_head(SV(""), SV("x\x1b/y"), buf, sizeof(buf));
	assert_true(sv_eq((struct sv) { buf, n }, SV("\r\n./x?/y:\r\n")));
	n = listing_head(SV("/pub/"), SV("y"), buf, sizeof(buf));
	assert_true(sv_eq((struct sv) { buf, n }, SV("\r\n/pub/y:\r\n")));
	assert_int_equal(listing_head(SV("/"), SV("y"), buf,
	    LISTING_SLACK + 1), 0);
	assert_int_equal(listing_mark(S_IFDIR | 0755), '/');
	assert_int_equal(listing_mark(S_IFREG | 0645), '*');
	assert_int_equal(listing_mark(S_IFREG | 0644), 0);
	assert_int_equal(listing_mark(S_IFLNK | 0777), '@');
	assert_int_equal(listing_mark(S_IFIFO), '|');
	assert_int_equal(listing_mark(S_IFSOCK), '=');
	assert_int_equal(listing_mark(S_IFBLK), 0);
}

static void
list_is_as_ls_writes(void **state)
{
	struct listing_entry e = file;

	(void)state;
	assert_list(&e, NOW, "-rw-r--r--    1 ftp      ftp          1234 "
	    "Jan 02  2020 name\r\n");
	assert_list(&e, e.mtime, "-rw-r--r--    1 ftp      ftp          1234 "
	    "Jan 02 03:04 name\r\n");

	e.mode = S_IFDIR | 01777;
	e.links = 12345;
	e.owner = SV("someone-long");
	e.group = SV("g");
	e.size = 0;
	assert_list(&e, NOW, "drwxrwxrwt 12345 someone-long g               0 "
	    "Jan 02  2020 name\r\n");

	e = file;
	e.mode = S_IFLNK | 0777;
	e.target = SV("../to\r\nthere");
	assert_list(&e, NOW, "lrwxrwxrwx    1 ftp      ftp          1234 "
	    "Jan 02  2020 name -> ../to??there\r\n");
}

static void
modes_are_written_as_letters(void **state)
{
	static const struct {
		mode_t mode;
		const char *letters;
	} table[] = {
		{ S_IFREG, "----------" },
		{ S_IFREG | 0777, "-rwxrwxrwx" },
		{ S_IFREG | 04755, "-rwsr-xr-x" },
		{ S_IFREG | 04644, "-rwSr--r--" },
		{ S_IFREG | 02755, "-rwxr-sr-x" },
		{ S_IFREG | 02644, "-rw-r-Sr--" },
		{ S_IFDIR | 01777, "drwxrwxrwt" },
		{ S_IFDIR | 01776, "drwxrwxrwT" },
		{ S_IFIFO | 0421, "pr---w---x" },
		{ S_IFSOCK, "s---------" },
		{ S_IFBLK, "b---------" },
		{ S_IFCHR, "c---------" },
	};
	char buf[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct listing_entry e = file;

		e.mode = table[i].mode;
		assert_true(listing_list(&e, NOW, buf, sizeof(buf)) > 10);
		buf[10] = '\0';
		assert_string_equal(buf, table[i].letters);
	}
}

static void
the_time_of_day_is_shown_for_180_days(void **state)
{
	static const struct {
		int64_t mtime;
		const char *date;
	} table[] = {
		{ NOW, "Sep 13 12:26" },
		{ NOW - 1, "Sep 13 12:26" },
		{ NOW + 1, "Sep 13  2020" },
		{ NOW - 180 * DAY_S, "Mar 17 12:26" },
		{ NOW - 180 * DAY_S - 1, "Mar 17  2020" },
		{ 0, "Jan 01  1970" },
		{ -1, "Dec 31  1969" },
		{ 4102444800, "Jan 01  2100" },
		{ INT64_MIN, "Jan 01  0000" },
		{ INT64_MAX, "Dec 31  9999" },
	};
	char buf[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(table); i++) {
		struct listing_entry e = file;

		e.mtime = table[i].mtime;
		assert_true(listing_list(&e, NOW, buf, sizeof(buf)) > 55);
		buf[55] = '\0';
		assert_string_equal(buf + 43, table[i].date);
	}
}

/* The clock may say anything as well. */
static void
no_clock_overflows(void **state)
{
	static const int64_t times[] = { INT64_MIN, -1, 0, 1, INT64_MAX };
	char buf[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++)
		for (size_t j = 0; j < COUNT(times); j++) {
			struct listing_entry e = file;

			e.mtime = times[i];
			assert_true(listing_list(&e, times[j], buf,
			    sizeof(buf)) > 0);
		}
}

static void
large_sizes_push_the_columns(void **state)
{
	struct listing_entry e = file;

	(void)state;
	e.size = INT64_MAX;
	e.links = UINT64_MAX;
	assert_list(&e, NOW, "-rw-r--r-- 18446744073709551615 ftp      ftp   "
	    "   9223372036854775807 Jan 02  2020 name\r\n");
	assert_mlsd(&e, LISTING_SIZE, "size=9223372036854775807; name\r\n");
}

static void
mlsd_gives_the_chosen_facts(void **state)
{
	struct listing_entry e = file;

	(void)state;
	assert_mlsd(&e, LISTING_ALL_FACTS,
	    "type=file;size=1234;modify=20200102030405;perm=r;UNIX.mode=0644;"
	    "unique=801U2a; name\r\n");
	assert_mlsd(&e, 0, " name\r\n");
	assert_mlsd(&e, LISTING_TYPE | LISTING_UNIQUE,
	    "type=file;unique=801U2a; name\r\n");

	e.mode = S_IFDIR | 02750;
	assert_mlsd(&e, LISTING_TYPE | LISTING_SIZE | LISTING_UNIX_MODE,
	    "type=dir;UNIX.mode=2750; name\r\n");
	e.place = LISTING_CDIR;
	assert_mlsd(&e, LISTING_TYPE, "type=cdir; name\r\n");
	e.place = LISTING_PDIR;
	assert_mlsd(&e, LISTING_TYPE, "type=pdir; name\r\n");
	e.mode = S_IFIFO;
	assert_mlsd(&e, LISTING_TYPE, "type=OS.unix=special; name\r\n");
	e.mode = S_IFLNK;
	e.target = SV("/a; b\n");
	assert_mlsd(&e, LISTING_TYPE, "type=OS.unix=slink:/a??b?; name\r\n");
	assert_mlsd(&e, LISTING_SIZE, " name\r\n");
	e.target_size = 77;
	e.target_mode = S_IFDIR | 0755;
	assert_mlsd(&e, LISTING_SIZE, " name\r\n");
	e.target_mode = S_IFREG | 0644;
	assert_mlsd(&e, LISTING_SIZE, "size=77; name\r\n");
	e.mtime = INT64_MIN;
	e.dev = e.ino = UINT64_MAX;
	assert_mlsd(&e, LISTING_MODIFY | LISTING_UNIQUE,
	    "modify=00000101000000;unique=ffffffffffffffffUffffffffffffffff; "
	    "name\r\n");
}

/* A11: a name cannot end a line, nor begin one. */
static void
a11_names_do_not_break_lines(void **state)
{
	struct listing_entry e = file;
	char buf[1024];
	size_t len;

	(void)state;
	e.name = SV("a\r\n227 (1,2,3,4,5,6)\0\x1b[2J\t\xc3\xa9");
	len = listing_nlst(&e, buf, sizeof(buf));
	assert_true(sv_eq((struct sv) { buf, len },
	    SV("a??227 (1,2,3,4,5,6)?\x1b[2J\t\xc3\xa9\r\n")));
	len = listing_mlsd(&e, 0, buf, sizeof(buf));
	assert_true(sv_eq((struct sv) { buf, len },
	    SV(" a??227 (1,2,3,4,5,6)?\x1b[2J\t\xc3\xa9\r\n")));
	len = listing_list(&e, NOW, buf, sizeof(buf));
	assert_true(sv_eq((struct sv) { buf + 56, len - 56 },
	    SV("a??227 (1,2,3,4,5,6)??[2J?\xc3\xa9\r\n")));
}

/* The widest line of all fits in the slack that the header promises. */
static void
nothing_is_written_without_room(void **state)
{
	struct listing_entry e = {
		.name = SV("n"), .target = SV("t"), .owner = SV("o"),
		.group = SV("g"), .perm = SV("adfr"),
		.mode = S_IFLNK | 07777, .links = UINT64_MAX,
		.size = UINT64_MAX, .mtime = INT64_MAX, .dev = UINT64_MAX,
		.ino = UINT64_MAX,
	};
	size_t room = LISTING_SLACK + 8;
	char buf[LISTING_SLACK + 8];

	(void)state;
	assert_in_range(listing_list(&e, NOW, buf, room), 1, room);
	assert_in_range(listing_mlsd(&e, LISTING_ALL_FACTS, buf, room), 1,
	    room);
	e.mode = S_IFREG;
	assert_in_range(listing_mlsd(&e, LISTING_ALL_FACTS, buf, room), 1,
	    room);
	for (size_t size = 0; size < room; size++) {
		assert_int_equal(listing_list(&e, NOW, buf, size), 0);
		assert_int_equal(listing_nlst(&e, buf, size), 0);
		assert_int_equal(listing_mlsd(&e, LISTING_ALL_FACTS, buf,
		    size), 0);
	}
}

static void
facts_survive_the_way_round(void **state)
{
	char text[LISTING_FACTS_TEXT_MAX];

	(void)state;
	for (unsigned facts = 0; facts <= LISTING_ALL_FACTS; facts++) {
		listing_facts_opts(facts, text);
		assert_int_equal(listing_facts_parse(sv_of(text)), facts);
	}
	listing_facts_feat(LISTING_ALL_FACTS, text);
	assert_string_equal(text,
	    "type*;size*;modify*;perm*;UNIX.mode*;unique*;");
	listing_facts_feat(LISTING_TYPE, text);
	assert_string_equal(text, "type*;size;modify;perm;UNIX.mode;unique;");

	assert_int_equal(listing_facts_parse(SV("TYPE;unix.MODE;x;;size")),
	    LISTING_TYPE | LISTING_UNIX_MODE | LISTING_SIZE);
	assert_int_equal(listing_facts_parse(SV("")), 0);
	assert_int_equal(listing_facts_parse(SV(";;;")), 0);
	assert_int_equal(listing_facts_parse(SV("types;typ; type")), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_those_of_ls),
		cmocka_unit_test(prefixes_marks_and_heads),
		cmocka_unit_test(list_is_as_ls_writes),
		cmocka_unit_test(modes_are_written_as_letters),
		cmocka_unit_test(the_time_of_day_is_shown_for_180_days),
		cmocka_unit_test(no_clock_overflows),
		cmocka_unit_test(large_sizes_push_the_columns),
		cmocka_unit_test(mlsd_gives_the_chosen_facts),
		cmocka_unit_test(a11_names_do_not_break_lines),
		cmocka_unit_test(nothing_is_written_without_room),
		cmocka_unit_test(facts_survive_the_way_round),
	};

	return RUN(tests);
}
