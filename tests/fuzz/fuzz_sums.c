/*
 * tests/fuzz/fuzz_sums.c: of any bytes, a file of checksums says the same
 * however it arrives; and what a line of it was written for is found.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>

#include "proto/sums.h"

static bool
ask(struct sv text, size_t piece, struct sv name, bool bare, uint8_t *digest)
{
	struct sums s;

	sums_init(&s, name, bare);
	while (text.len > piece) {
		sums_feed(&s, (struct sv) { text.ptr, piece });
		text = sv_drop(text, piece);
	}
	sums_feed(&s, text);
	assert(s.len <= SUMS_LINE_MAX);
	return sums_end(&s, digest);
}

static void
arrives_in_any_pieces(struct sv text, struct sv name, bool bare)
{
	uint8_t whole[SUMS_BYTES] = { 0 }, cut[SUMS_BYTES] = { 0 };
	bool found = ask(text, text.len + 1, name, bare, whole);

	for (size_t piece = 1; piece <= 5; piece++) {
		assert(ask(text, piece, name, bare, cut) == found);
		assert(memcmp(whole, cut, sizeof(whole)) == 0);
	}
}

/* As sha256sum writes a name: escaped where a line cannot hold it. */
static size_t
write_line(struct sv name, char *out)
{
	bool escape = memchr(name.ptr, '\n', name.len) != NULL ||
	    memchr(name.ptr, '\r', name.len) != NULL ||
	    memchr(name.ptr, '\\', name.len) != NULL;
	size_t n = 0;

	if (escape)
		out[n++] = '\\';
	memset(out + n, '7', 64);
	memset(out + n + 64, ' ', 2);
	n += 66;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (c == '\n' || c == '\r' || c == '\\') {
			out[n++] = '\\';
			c = c == '\n' ? 'n' : c == '\r' ? 'r' : '\\';
		}
		out[n++] = c;
	}
	out[n++] = '\n';
	return n;
}

static bool
is_component(struct sv name)
{
	return name.len > 0 && name.len <= 255 &&
	    memchr(name.ptr, '\0', name.len) == NULL &&
	    memchr(name.ptr, '/', name.len) == NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = { (const char *)data, size };
	uint8_t digest[SUMS_BYTES];
	char line[1024];

	arrives_in_any_pieces(text, SV("a"), true);
	arrives_in_any_pieces(text, SV("a b\nc"), false);
	if (size > 255)
		text.len = 255;
	if (size == 0 || !is_component(text))
		return 0;
	assert(ask((struct sv) { line, write_line(text, line) }, 1024, text,
	    false, digest));
	assert(digest[0] == 0x77 && digest[31] == 0x77);
	return 0;
}
