/*
 * tests/fuzz/fuzz_command.c: a line taken apart is still that line, what is
 * well-formed holds no byte that ends a line elsewhere, and the case of the
 * verb changes nothing.  A reply line likewise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "fuzz.h"

#include <assert.h>

#include "proto/command.h"
#include "proto/reply.h"

static bool
has(struct sv text, char c)
{
	return text.len > 0 && memchr(text.ptr, c, text.len) != NULL;
}

static void
check_well_formed(struct sv line, enum ftp_verb verb, struct sv arg)
{
	struct sv name = sv_of(ftp_commands[verb].name);

	assert(verb < V_COUNT);
	assert(!has(line, '\0') && !has(line, '\r') && !has(line, '\n'));
	assert(line.len >= name.len);
	assert(sv_eq_nocase((struct sv) { line.ptr, name.len }, name));
	assert(arg.len == 0 || arg.ptr[-1] == ' ');
	assert(arg.ptr + arg.len == line.ptr + line.len);
	assert(!command_is_foreign(line));
}

/* The same line with each letter of its verb in the other case. */
static void
check_case(struct sv line, enum ftp_err err, enum ftp_verb verb)
{
	char copy[64];
	enum ftp_verb other;
	struct sv arg;

	if (verb == V_UNKNOWN || line.len > sizeof(copy))
		return;
	memcpy(copy, line.ptr, line.len);
	for (size_t i = 0; i < strlen(ftp_commands[verb].name); i++)
		copy[i] ^= 0x20;
	assert(command_parse((struct sv) { copy, line.len }, &other, &arg) ==
	    err);
	assert(other == verb);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv line = { (const char *)data, size }, arg;
	struct reply_line reply;
	enum ftp_verb verb;
	enum ftp_err err = command_parse(line, &verb, &arg);

	if (err == FTP_OK)
		check_well_formed(line, verb, arg);
	else if (err == FTP_UNKNOWN)
		assert(verb == V_UNKNOWN);
	check_case(line, err, verb);
	command_is_foreign(line);

	if (reply_parse(line, &reply) == FTP_OK) {
		assert(reply.code >= 100 && reply.code <= 699);
		assert(reply.text.len <= line.len);
	}
	return 0;
}
