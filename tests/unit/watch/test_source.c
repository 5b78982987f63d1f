/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/source.h"

#include <inttypes.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "unit.h"

#define SECOND INT64_C(1000000000)
#define MAGIC_MICRO 0xa1b2c3d4
#define MAGIC_NANO 0xa1b23c4d

static char dir[] = "/tmp/test_source.XXXXXX";

/* A capture file being written, in memory. */
struct file {
	uint8_t at[65536];
	size_t len;
	bool is_big;	/* endian */
};

static void
put(struct file *f, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		int shift = 8 * (f->is_big ? bytes - 1 - i : i);

		f->at[f->len++] = (uint8_t)(value >> shift);
	}
}

static struct file
pcap_file(uint32_t magic, bool is_big, uint32_t link)
{
	struct file f = { .is_big = is_big };

	put(&f, magic, 4);
	put(&f, 2, 2);
	put(&f, 4, 2);
	put(&f, 0, 4);
	put(&f, 0, 4);
	put(&f, 65535, 4);
	put(&f, link, 4);
	return f;
}

/* Its data is 4 bytes, all `mark`; 60 were on the wire. */
static void
pcap_packet(struct file *f, uint32_t seconds, uint32_t fraction, uint8_t mark)
{
	put(f, seconds, 4);
	put(f, fraction, 4);
	put(f, 4, 4);
	put(f, 60, 4);
	memset(f->at + f->len, mark, 4);
	f->len += 4;
}

static void
ng_section(struct file *f)
{
	put(f, 0x0a0d0d0a, 4);
	put(f, 28, 4);
	put(f, 0x1a2b3c4d, 4);
	put(f, 1, 2);
	put(f, 0, 2);
	put(f, UINT32_MAX, 4);
	put(f, UINT32_MAX, 4);
	put(f, 28, 4);
}

/* resolution: as if_tsresol has it, 6 for microseconds. */
static void
ng_interface(struct file *f, uint32_t link, uint32_t snaplen,
    uint8_t resolution)
{
	put(f, 1, 4);
	put(f, 32, 4);
	put(f, link, 2);
	put(f, 0, 2);
	put(f, snaplen, 4);
	put(f, 9, 2);
	put(f, 1, 2);
	f->at[f->len++] = resolution;
	memset(f->at + f->len, 0, 7);	/* padding, end of options */
	f->len += 7;
	put(f, 32, 4);
}

static void
ng_packet(struct file *f, uint32_t interface, uint64_t ticks, uint8_t mark)
{
	put(f, 6, 4);
	put(f, 36, 4);
	put(f, interface, 4);
	put(f, (uint32_t)(ticks >> 32), 4);
	put(f, (uint32_t)ticks, 4);
	put(f, 4, 4);
	put(f, 60, 4);
	memset(f->at + f->len, mark, 4);
	f->len += 4;
	put(f, 36, 4);
}

static const char *
path_of(const char *name)
{
	static char paths[8][64];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static const char *
save_bytes(const char *name, const uint8_t *bytes, size_t len)
{
	const char *path = path_of(name);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	return path;
}

static const char *
save(const char *name, const struct file *f)
{
	return save_bytes(name, f->at, f->len);
}

static size_t
compress_bytes(const uint8_t *bytes, size_t len, uint8_t *out, size_t room)
{
	z_stream z = { 0 };
	size_t n;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8,
	    Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)bytes;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	n = room - z.avail_out;
	deflateEnd(&z);
	return n;
}

/* The marks of all packets in order, and '!' for a failure. */
static void
check_marks(struct source *s, const char *expected)
{
	char marks[256] = "";
	enum source_result r;
	uint64_t number = 0;
	struct packet p;
	size_t n = 0;

	while ((r = source_next(s, &p)) != SOURCE_END) {
		assert_true(n < sizeof(marks) - 1);
		assert_true(r == SOURCE_PACKET || r == SOURCE_FAILED);
		marks[n++] = r == SOURCE_FAILED ? '!' : (char)p.data[0];
		if (r == SOURCE_FAILED)
			continue;
		assert_int_equal(p.number, ++number);
		assert_int_equal(p.len, 4);
		assert_int_equal(p.wire_len, 60);
	}
	assert_string_equal(marks, expected);
	assert_int_equal(source_next(s, &p), SOURCE_END);
}

static void
check_files(const char *const *names, size_t n, const char *expected)
{
	struct source *s = source_open_files(names, n);

	assert_non_null(s);
	check_marks(s, expected);
	source_free(s);
}

static void
check_file(const char *name, const char *expected, const char *error)
{
	struct source *s = source_open_files(&name, 1);

	assert_non_null(s);
	check_marks(s, expected);
	if (error == NULL ? source_error(s)[0] != '\0' :
	    strstr(source_error(s), error) == NULL)
		fail_msg("%s: %s", name, source_error(s));
	assert_int_equal(source_failures(s), error != NULL);
	source_free(s);
}

static void
check_time(const char *name, int64_t expected_ns, int link)
{
	struct source *s = source_open_files(&name, 1);
	struct packet p;

	assert_int_equal(source_next(s, &p), SOURCE_PACKET);
	if (p.ts_ns != expected_ns || p.link != link)
		fail_msg("%s: %" PRId64 ", link %d", name, p.ts_ns, p.link);
	source_free(s);
}

static void
every_kind_of_pcap_gives_nanoseconds(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct file f = pcap_file(MAGIC_MICRO, big != 0, 1);

		pcap_packet(&f, 1700000000, 123456, 'a');
		check_time(save("micro", &f),
		    1700000000 * SECOND + 123456000, DLT_EN10MB);
		f = pcap_file(MAGIC_NANO, big != 0, 113);
		pcap_packet(&f, 1700000000, 123456789, 'a');
		check_time(save("nano", &f),
		    1700000000 * SECOND + 123456789, DLT_LINUX_SLL);
		/* A fraction that is none, and a time before 1970. */
		f = pcap_file(MAGIC_NANO, big != 0, 1);
		pcap_packet(&f, 5, UINT32_MAX, 'a');
		check_time(save("odd", &f), 5 * SECOND, DLT_EN10MB);
	}
}

static void
pcapng_gives_nanoseconds(void **state)
{
	struct file f;

	(void)state;
	for (int big = 0; big < 2; big++) {
		f = (struct file) { .is_big = big != 0 };
		ng_section(&f);
		ng_interface(&f, 101, 65535, 9);
		ng_packet(&f, 0, UINT64_C(1700000000123456789), 'a');
		check_time(save("ng", &f), 1700000000123456789, DLT_RAW);
	}
	/* Of any resolution: this is in the year 586524. */
	f = (struct file) { 0 };
	ng_section(&f);
	ng_interface(&f, 1, 65535, 6);
	ng_packet(&f, 0, UINT64_MAX, 'a');
	check_time(save("far", &f), INT64_C(9000000000) * SECOND + 551615000,
	    DLT_EN10MB);
}

static void
interfaces_of_one_link_are_read_together(void **state)
{
	struct file f = { 0 };

	(void)state;
	ng_section(&f);
	ng_interface(&f, 1, 65535, 6);
	ng_interface(&f, 1, 65535, 9);
	ng_packet(&f, 1, 5, 'a');
	ng_packet(&f, 0, 6, 'b');
	check_file(save("two", &f), "ab", NULL);
	ng_interface(&f, 101, 65535, 6);
	ng_packet(&f, 2, 7, 'c');
	check_file(save("mixed", &f), "ab!",
	    "has interfaces that differ, which is not read: split it "
	    "after packet 2; 2 packets of it were good");
}

static void
files_that_fail_say_where(void **state)
{
	struct file f = pcap_file(MAGIC_MICRO, false, 1);
	const char *gone = path_of("gone");

	(void)state;
	pcap_packet(&f, 1, 0, 'a');
	pcap_packet(&f, 2, 0, 'b');
	check_file(gone, "!", "gone: cannot be opened (No such file");
	check_file(dir, "!", "cannot be read (Is a directory)");
	check_file(save_bytes("empty", f.at, 0), "!", "empty: is empty");
	check_file(save_bytes("text", (const uint8_t *)"Hello, world\n", 13),
	    "!", "text: is not a capture");
	check_file(save_bytes("one", (const uint8_t *)"\x1f", 1), "!",
	    "one: is truncated");
	check_file(save_bytes("header", f.at, 23), "!",
	    "header: is truncated");
	check_file(save_bytes("head", f.at, 24), "", NULL);
	check_file(save_bytes("cut1", f.at, 24 + 20 + 7), "a!",
	    "cut1: is truncated after packet 1; 1 packet of it was good");
	check_file(save_bytes("cut2", f.at, f.len - 1), "a!",
	    "cut2: is truncated after packet 1; 1 packet of it was good");
	memset(f.at + 24 + 20 + 8, 0xff, 4);	/* captured length */
	check_file(save("long", &f), "a!",
	    "long: is corrupt after packet 1; 1 packet of it was good");
}

/* Every prefix of each kind: as many packets as are whole, and no crash. */
static void
prefixes_give_what_is_whole(void **state)
{
	struct file pcap = pcap_file(MAGIC_MICRO, false, 1), ng = { 0 };
	uint8_t zipped[4096];
	size_t n;

	(void)state;
	ng_section(&ng);
	ng_interface(&ng, 1, 65535, 6);
	for (uint32_t i = 0; i < 3; i++) {
		pcap_packet(&pcap, i, 0, (uint8_t)('a' + i));
		ng_packet(&ng, 0, i, (uint8_t)('a' + i));
	}
	for (size_t len = 24; len <= pcap.len; len++) {
		bool is_whole = (len - 24) % 20 == 0;
		char marks[8] = "abc";

		snprintf(marks + (len - 24) / 20, 3, is_whole ? "" : "!");
		check_file(save_bytes("pcap", pcap.at, len), marks,
		    is_whole ? NULL : "truncated");
	}
	for (size_t len = 60; len <= ng.len; len++) {
		bool is_whole = (len - 60) % 36 == 0;
		char marks[8] = "abc";

		snprintf(marks + (len - 60) / 36, 3, is_whole ? "" : "!");
		check_file(save_bytes("ng", ng.at, len), marks,
		    is_whole ? NULL : "truncated");
	}
	n = compress_bytes(pcap.at, pcap.len, zipped, sizeof(zipped));
	for (size_t len = 1; len < n; len++) {
		const char *name = save_bytes("gz", zipped, len);
		struct source *s = source_open_files(&name, 1);
		struct packet p;

		while (source_next(s, &p) != SOURCE_END)
			;
		assert_int_equal(source_failures(s), 1);
		assert_non_null(strstr(source_error(s), "truncated"));
		source_free(s);
	}
}

static void
gzip_is_read_by_what_it_is(void **state)
{
	struct file f = pcap_file(MAGIC_MICRO, false, 1);
	uint8_t zipped[4096];
	size_t first, n;

	(void)state;
	pcap_packet(&f, 1, 0, 'a');
	pcap_packet(&f, 2, 0, 'b');
	n = compress_bytes(f.at, f.len, zipped, sizeof(zipped));
	check_file(save_bytes("gz", zipped, n), "ab", NULL);

	/* Two members, cut within a packet; then padding. */
	first = compress_bytes(f.at, 50, zipped, sizeof(zipped));
	n = first + compress_bytes(f.at + 50, f.len - 50, zipped + first,
	    sizeof(zipped) - first);
	check_file(save_bytes("two", zipped, n), "ab", NULL);
	memset(zipped + n, 0, 512);
	check_file(save_bytes("padded", zipped, n + 512), "ab", NULL);

	/* What came before the damage counts. */
	zipped[n - 6] ^= 1;	/* in the checksum of the second */
	check_file(save_bytes("damaged", zipped, n), "ab!",
	    "damaged: cannot be read after packet 2; 2 packets of it were "
	    "good (its gzip is corrupt)");
	n = compress_bytes((const uint8_t *)"no capture", 10, zipped, 4096);
	check_file(save_bytes("text", zipped, n), "!", "is not a capture");
}

/* Bytes come through a pipe in pieces, from a process of its own. */
static void
check_stdin(const uint8_t *bytes, size_t len, size_t piece,
    const char *expected)
{
	int ends[2], saved = dup(STDIN_FILENO);
	const char *name = "-";
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	if ((child = fork()) == 0) {
		for (size_t at = 0; at < len; at += piece)
			if (write(ends[1], bytes + at, len - at < piece ?
			    len - at : piece) < 0)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	check_file(name, expected, NULL);
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void
standard_input_is_a_file_too(void **state)
{
	struct file f = pcap_file(MAGIC_NANO, true, 1), ng = { 0 };
	uint8_t zipped[4096];
	size_t n;

	(void)state;
	ng_section(&ng);
	ng_interface(&ng, 1, 65535, 6);
	for (uint32_t i = 0; i < 3; i++) {
		pcap_packet(&f, i, 0, (uint8_t)('a' + i));
		ng_packet(&ng, 0, i, (uint8_t)('a' + i));
	}
	n = compress_bytes(f.at, f.len, zipped, sizeof(zipped));
	for (size_t piece = 1; piece < 60; piece += 19) {
		check_stdin(f.at, f.len, piece, "abc");
		check_stdin(ng.at, ng.len, piece, "abc");
		check_stdin(zipped, n, piece, "abc");
	}
}

/* A file of these letters, a second apart from `from` on. */
static const char *
save_letters(const char *name, uint32_t from, const char *letters)
{
	struct file f = pcap_file(MAGIC_MICRO, false, 1);

	for (uint32_t i = 0; letters[i] != '\0'; i++)
		pcap_packet(&f, from + i, 0, (uint8_t)letters[i]);
	return save(name, &f);
}

static void
files_are_merged_by_time(void **state)
{
	const char *names[5];

	(void)state;
	/* One behind the other, given in the wrong order. */
	names[0] = save_letters("1", 20, "ef");
	names[1] = save_letters("2", 0, "ab");
	names[2] = save_letters("3", 10, "cd");
	check_files(names, 3, "abcdef");

	/* Into each other; of one time, in the order given. */
	names[0] = save_letters("1", 1, "aceg");
	names[1] = save_letters("2", 2, "dfh");
	names[2] = save_letters("3", 0, "b");
	names[3] = save_letters("4", 9, "z");
	names[4] = save_letters("5", 7, "xy");
	check_files(names, 5, "bacdefghxyz");

	/* One within another. */
	names[0] = save_letters("1", 0, "abcdefgh");
	names[1] = save_letters("2", 3, "XYZ");
	check_files(names, 2, "abcdXeYfZgh");
}

static void
one_that_fails_leaves_the_others(void **state)
{
	struct file f = pcap_file(MAGIC_MICRO, false, 1);
	struct source *s;
	const char *names[5];

	(void)state;
	pcap_packet(&f, 1, 0, 'b');
	pcap_packet(&f, 2, 0, 'c');
	names[0] = path_of("gone");
	names[1] = save_bytes("cut", f.at, f.len - 1);
	names[2] = save_letters("2", 0, "adef");
	names[3] = save_bytes("bad", (const uint8_t *)"no capture", 10);
	names[4] = save_bytes("head", f.at, 24);
	s = source_open_files(names, 5);
	check_marks(s, "!!ab!def");
	assert_int_equal(source_failures(s), 3);
	assert_non_null(strstr(source_error(s), "cut: is truncated after "
	    "packet 2; 1 packet of it was good"));
	assert_string_equal(source_name(s, 2), names[2]);
	source_free(s);
	check_files(NULL, 0, "");
}

static void
a_pipe_and_a_file_are_merged(void **state)
{
	struct file f = pcap_file(MAGIC_MICRO, false, 1);
	int ends[2], saved = dup(STDIN_FILENO);
	const char *names[2] = { "-", NULL };

	(void)state;
	pcap_packet(&f, 1, 0, 'b');
	pcap_packet(&f, 3, 0, 'd');
	names[1] = save_letters("1", 2, "c");
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], f.at, f.len), f.len);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	check_files(names, 2, "bcd");
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void
progress_comes_to_its_end(void **state)
{
	const char *names[3];
	struct source *s;
	struct packet p;
	uint64_t last = 0;

	(void)state;
	names[0] = save_letters("1", 5, "abc");
	names[1] = save_letters("2", 0, "abc");
	s = source_open_files(names, 2);
	assert_int_equal(source_progress(s).bytes, 0);
	assert_int_equal(source_progress(s).all, 2 * (24 + 3 * 20));
	while (source_next(s, &p) == SOURCE_PACKET) {
		assert_true(source_progress(s).bytes >= last);
		last = source_progress(s).bytes;
	}
	assert_int_equal(source_progress(s).bytes, 2 * (24 + 3 * 20));
	assert_int_equal(source_fd(s), -1);
	assert_int_equal(source_dropped(s).received, 0);
	source_free(s);
	names[2] = "-";
	s = source_open_files(names, 3);
	assert_int_equal(source_progress(s).all, 0);
	source_free(s);
	source_free(NULL);
}

static void
an_interface_that_is_none_is_named(void **state)
{
	char error[SOURCE_ERROR_MAX] = "";

	(void)state;
	assert_null(source_open_live("no-such-one", NULL, 0, error));
	assert_memory_equal(error, "no-such-one: ", 13);
	assert_true(strlen(error) > 13);
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_pcap_gives_nanoseconds),
		cmocka_unit_test(pcapng_gives_nanoseconds),
		cmocka_unit_test(interfaces_of_one_link_are_read_together),
		cmocka_unit_test(files_that_fail_say_where),
		cmocka_unit_test(prefixes_give_what_is_whole),
		cmocka_unit_test(gzip_is_read_by_what_it_is),
		cmocka_unit_test(standard_input_is_a_file_too),
		cmocka_unit_test(files_are_merged_by_time),
		cmocka_unit_test(one_that_fails_leaves_the_others),
		cmocka_unit_test(a_pipe_and_a_file_are_merged),
		cmocka_unit_test(progress_comes_to_its_end),
		cmocka_unit_test(an_interface_that_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
