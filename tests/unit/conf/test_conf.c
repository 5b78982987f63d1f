/*
 * The configuration: every type of value with good and bad texts, every
 * key at and beyond its limits (from the table itself), files that are not
 * what they seem, and what must come out unchanged.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/* What the functions under test said; freed by the next call. */
static char *said;
static size_t said_len;

static FILE *
listen_to_err(void)
{
	FILE *f;

	free(said);
	said = NULL;
	f = open_memstream(&said, &said_len);
	assert_non_null(f);
	return f;
}

static int
set(struct conf *c, const char *key, const char *value)
{
	FILE *err = listen_to_err();
	int problems = conf_set(c, key, value, "--option", false, err);

	assert_int_equal(fclose(err), 0);
	return problems;
}

static int
check(const struct conf *c)
{
	FILE *err = listen_to_err();
	int problems = conf_check(c, err);

	assert_int_equal(fclose(err), 0);
	return problems;
}

/* A file that lives until it is read: descriptors have paths on Linux. */
static int
read_bytes(struct conf *c, const char *bytes, size_t len)
{
	FILE *file = tmpfile(), *err = listen_to_err();
	char path[64];
	int problems;

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fflush(file), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file));
	problems = conf_read_file(c, path, false, err);
	assert_int_equal(fclose(err), 0);
	fclose(file);
	return problems;
}

static int
read_text(struct conf *c, const char *text)
{
	conf_init(c);
	return read_bytes(c, text, strlen(text));
}

/* Lines that the problems name: "3 5 5 ". */
static const char *
lines_said(char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (const char *p = said; *p != '\0'; p = strchr(p, '\n') + 1) {
		const char *source = strstr(p, "/proc/self/fd/");
		unsigned line = 0;

		assert_non_null(source);
		if (sscanf(source, "/proc/self/fd/%*d:%u:", &line) != 1)
			line = 0;
		n += (size_t)snprintf(buf + n, size - n, "%u ", line);
		assert_true(n < size);
	}
	return buf;
}

static void
assert_said(const char *part)
{
	if (strstr(said, part) == NULL)
		fail_msg("not said: %s\nsaid: %s", part, said);
}

/* The value as conf_print would write it. */
static char *
written(const struct conf *c, const struct conf_key *k)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	k->type->write((const char *)c + k->offset, k, f);
	assert_int_equal(fclose(f), 0);
	if (len > 0)
		memmove(text, text + 1, len);	/* the blank before it */
	return text;
}

static void
assert_same(const struct conf *a, const struct conf *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

/* Types. */

struct row {
	const char *key;
	const char *value;
	const char *result;	/* as written again; NULL when refused */
	const char *why;	/* part of what is said then */
};

static const struct row rows[] = {
	{ "worker.count", "0", "0" },
	{ "worker.count", "007", "7" },
	{ "worker.count", "256", "256" },
	{ "worker.count", "", NULL, "is not a number" },
	{ "worker.count", "9x", NULL,
	    "\"9x\" is not a number; write 0 to 256 (processes)" },
	{ "worker.count", "-1", NULL, "is not a number" },
	{ "worker.count", "+1", NULL, "is not a number" },
	{ "worker.count", "0x10", NULL, "is not a number" },
	{ "worker.count", "1.5", NULL, "is not a number" },
	{ "worker.count", " 1", NULL, "is not a number" },
	{ "worker.count", "1 2", NULL, "is not a number" },
	{ "worker.count", "257", NULL, "is out of range" },
	{ "worker.count", "4294967296", NULL, "is out of range" },
	{ "worker.count", "18446744073709551617", NULL, "is out of range" },

	{ "login.timeout", "90", "90" },
	{ "login.timeout", "90s", "90" },
	{ "login.timeout", "5m", "300" },
	{ "login.timeout", "1h", "3600" },
	{ "login.timeout", "2h", NULL, "is out of range" },
	{ "login.timeout", "61m", NULL, "is out of range" },
	{ "login.timeout", "0h", NULL, "is out of range" },
	{ "login.timeout", "h", NULL, "is not a time" },
	{ "login.timeout", "", NULL, "is not a time" },
	{ "login.timeout", "5M", NULL, "is not a time" },
	{ "login.timeout", "5 m", NULL, "is not a time" },
	{ "login.timeout", "1h30m", NULL, "is not a time" },
	{ "login.timeout", "1d", NULL, "is not a time" },
	{ "login.timeout", "18446744073709551615h", NULL, "is out of range" },

	{ "passive.ports", "1024-65535", "1024-65535" },
	{ "passive.ports", "2000-2000", "2000-2000" },
	{ "passive.ports", "9x", NULL,
	    "\"9x\" is not a range of ports; write LOW-HIGH, each 1024 to "
	    "65535" },
	{ "passive.ports", "", NULL, "is not a range" },
	{ "passive.ports", "2000", NULL, "is not a range" },
	{ "passive.ports", "2000-", NULL, "is not a range" },
	{ "passive.ports", "-2000", NULL, "is not a range" },
	{ "passive.ports", "2000 - 2001", NULL, "is not a range" },
	{ "passive.ports", "2000-2001-2002", NULL, "is not a range" },
	{ "passive.ports", "2000:2001", NULL, "is not a range" },
	{ "passive.ports", "3000-2000", NULL, "runs backwards" },
	{ "passive.ports", "1023-2000", NULL, "is out of range" },
	{ "passive.ports", "2000-65536", NULL, "is out of range" },

	{ "rate.all", "0", "0" },
	{ "rate.all", "2000", "2K" },
	{ "rate.all", "2001", "2001" },
	{ "rate.all", "1500K", "1500K" },
	{ "rate.all", "10000K", "10M" },
	{ "rate.all", "100G", "100G" },
	{ "rate.all", "1999", NULL,
	    "\"1999\" is out of range; write 0, or 2000 to 100G bytes a "
	    "second, as 500K, 10M or 1G" },
	{ "rate.all", "101G", NULL, "is out of range" },
	{ "rate.all", "18446744073709551617", NULL, "is out of range" },
	{ "rate.all", "18446744073709552G", NULL, "is out of range" },
	{ "rate.all", "", NULL, "is not a rate" },
	{ "rate.all", "M", NULL, "is not a rate" },
	{ "rate.all", "1.5M", NULL, "is not a rate" },
	{ "rate.all", "5m", NULL, "is not a rate" },
	{ "rate.all", "5MB", NULL, "is not a rate" },

	{ "class", "", "" },
	{ "class", " a-1_B  10.0.0.0/8 192.0.2.1 2001:db8::/64 ",
	    "a-1_B 10.0.0.0/8 192.0.2.1/32 2001:db8::/64" },
	{ "class", "campus", NULL, "names no network" },
	{ "class", "10.0.0.0/8", NULL, "is not a name" },
	{ "class", "a.b 10.0.0.0/8", NULL, "is not a name" },
	{ "class", "abcdefghijklmnopqrstuvwxyzabcde 10.0.0.0/8",
	    "abcdefghijklmnopqrstuvwxyzabcde 10.0.0.0/8" },
	{ "class", "abcdefghijklmnopqrstuvwxyzabcdef 10.0.0.0/8", NULL,
	    "is not a name" },
	{ "class", "a 10.0.0.1/8", NULL, "write 10.0.0.0/8" },
	{ "class", "a 2001:db8::/65", NULL, "part of one client's /64" },
	{ "class", "a 10.0.0.0/8,10.0.0.0/8", NULL, "is not a network" },

	{ "class.limit", "", "" },
	{ "class.limit", "a sessions.max 5", "a sessions.max 5" },
	{ "class.limit", "a sessions.max 5 rate.all 5000K",
	    "a sessions.max 5\nclass.limit = a rate.all 5M" },
	{ "class.limit", "a", NULL, "sets no limit" },
	{ "class.limit", "sessions.max 5", NULL, "is not a name" },
	{ "class.limit", "a sessions.max", NULL, "is not a number" },
	{ "class.limit", "a sessions.max 0", NULL, "is out of range" },
	{ "class.limit", "a rate.all 1", NULL, "is out of range" },
	{ "class.limit", "a rate.least 1", NULL, "is none of the limits" },

	{ "at", "", "" },
	{ "at", "00:00 rate.all 0", "00:00 rate.all 0" },
	{ "at", "23:59 a rate.all 5M sessions.max 7",
	    "23:59 a rate.all 5M\nat = 23:59 a sessions.max 7" },
	{ "at", "24:00 rate.all 0", NULL, "is not a time of the day" },
	{ "at", "12:60 rate.all 0", NULL, "is not a time of the day" },
	{ "at", "8:00 rate.all 0", NULL, "is not a time of the day" },
	{ "at", "08:00", NULL, "sets no limit" },
	{ "at", "08:00 a", NULL, "sets no limit" },
	{ "at", "08:00 a.b rate.all 5M", NULL, "is none of the limits" },
	{ "at", "rate.all 5M", NULL, "is not a time of the day" },

	{ "sandbox", "require", "require" },
	{ "sandbox", "best", "best" },
	{ "sandbox", "Best", NULL, "write require or best" },
	{ "sandbox", "bes", NULL, "is none of" },
	{ "sandbox", "require|best", NULL, "is none of" },
	{ "sandbox", "", NULL, "is none of" },

	{ "banner", "", "" },
	{ "banner", "Gr\xc3\xbc\xc3\x9f Gott; come in # quietly = please",
	    "Gr\xc3\xbc\xc3\x9f Gott; come in # quietly = please" },
	{ "banner", "\"quoted\"", "\"quoted\"" },
	{ "banner", "a\r\n230 Logged in", NULL, "unprintable" },
	{ "banner", "a\tb", NULL, "unprintable" },
	{ "banner", "a\x1b[2J", NULL, "\"a\\x1b[2J\"" },
	{ "banner", "a\x7f", NULL, "unprintable" },
	{ "banner", "a\xff", NULL, "unprintable" },
	{ "banner", " a", NULL, "begins or ends with a blank" },
	{ "banner", "a ", NULL, "begins or ends with a blank" },

	{ "tls.certificate", "", "" },
	{ "tls.certificate", "/c.pem", "/c.pem" },
	{ "tls.certificate", " /c.pem\tkey=/k  ocsp=o site=a.example ",
	    "/c.pem key=/k ocsp=o site=a.example" },
	{ "tls.certificate", "/c site=a.example key=k=1",
	    "/c key=k=1 site=a.example" },
	{ "tls.certificate", "/c key=", NULL, "names nothing" },
	{ "tls.certificate", "/c /k", NULL, "is none of key=, ocsp=" },
	{ "tls.certificate", "/c KEY=/k", NULL, "is none of key=, ocsp=" },
	{ "tls.certificate", "/c key=/k key=/l", NULL, "is given twice" },
	{ "tls.certificate", "/c site=a..b", NULL, "is not a host's name" },
	{ "tls.certificate", "/c\x01", NULL, "unprintable" },

	{ "accounts.pam_rule", "", "" },
	{ "accounts.pam_rule", "* . -", "* . -" },
	{ "accounts.pam_rule", " staff\thome/%u  lrw  quota.bytes=1G ",
	    "staff home/%u lrw quota.bytes=1G" },
	{ "accounts.pam_rule", "* .", NULL, "has too few words" },
	{ "accounts.pam_rule", "* . lr tls=optional x", NULL,
	    "has too many words" },
	{ "accounts.pam_rule", "* .\x01 lr", NULL, "unprintable" },
	{ "accounts.pam_rule", "* . lrwodnmlrwodnmlrw", NULL, "is too long" },
	{ "accounts.pam", "", "" },
	{ "accounts.pam", "portcullis", "portcullis" },
	{ "accounts.pam", "../portcullis", NULL, "is not a name" },
	{ "accounts.pam_user", "", "" },
	{ "accounts.pam_user", "root", NULL, "would be no wall" },
	{ "accounts.pam_least_uid", "0", NULL, "is out of range" },

	{ "site", "", "" },
	{ "site", "a.example /srv/a", "a.example /srv/a" },
	{ "site", " \tA.Example,b-2.example\t /srv/a  Welcome,  you.  ",
	    "a.example,b-2.example /srv/a Welcome,  you." },
	{ "site", "a.example \"/srv/a b\" \"Hi\"",
	    "a.example \"/srv/a b\" \"Hi\"" },
	{ "site", "a.example \"/srv/plain\"", "a.example /srv/plain" },
	{ "site", "a.example \"/a \"\"b\"\"\"",
	    "a.example \"/a \"\"b\"\"\"" },
	{ "site", "a.example /a\"b", "a.example \"/a\"\"b\"" },
	{ "site", "a.example /a\\ b", "a.example /a\\ b" },
	{ "site", "localhost rel", "localhost rel" },
	{ "site", "a.example", NULL, "names no directory" },
	{ "site", "a.example \"\"", NULL, "names no directory" },
	{ "site", "a.example \"/srv/a", NULL, "odd quotation mark" },
	{ "site", "a.example \"/srv/a\"b", NULL, "odd quotation mark" },
	{ "site", "a.example \"/srv/a\"\"", NULL, "odd quotation mark" },
	{ "site", "/srv/a", NULL, "\"/srv/a\" is not a host's name; write "
	    "NAME[,NAME...] DIRECTORY [BANNER]; 0 to 16 such lines" },
	{ "site", "a.example, /srv/a", NULL, "\"\" is not a host's name" },
	{ "site", ",a.example /srv/a", NULL, "\"\" is not a host's name" },
	{ "site", "a..example /srv/a", NULL, "is not a host's name" },
	{ "site", "a.example. /srv/a", NULL, "is not a host's name" },
	{ "site", "-a.example /srv/a", NULL, "is not a host's name" },
	{ "site", "a.example:21 /srv/a", NULL, "is not a host's name" },
	{ "site", "192.0.2.1 /srv/a", NULL, "is not a host's name" },
	{ "site", "[::1] /srv/a", NULL, "is not a host's name" },
	{ "site", "\xc3\xa9.example /srv/a", NULL, "is not a host's name" },
	{ "site", "a.example,A.EXAMPLE /srv/a", NULL, "is given twice" },
	{ "site", "a.example /srv/\x01", NULL, "unprintable" },
	{ "site", "a.example /srv/a hi\r\n230 ok", NULL, "unprintable" },

	{ "events", "-", "-" },
	{ "events", "/var/log/a b;c", "/var/log/a b;c" },
	{ "archive", "relative/dir", "relative/dir" },
	{ "archive", "/srv/\nftp", NULL, "unprintable" },

	{ "message", "", "" },
	{ "message", "00README", "00README" },
	{ "message", "..", NULL, "is not a name" },
	{ "message", ".", NULL, "is not a name" },
	{ "message", "pub/.message", NULL, "is not a name" },
	{ "message", "two words", NULL, "is not a name" },
	{ "list.owner", "", NULL, "is too short or too long" },
	{ "list.owner", "a\tb", NULL, "is not a name" },
	{ "list.group", "caf\xc3\xa9", "caf\xc3\xa9" },

	{ "hide", "", "" },
	{ "hide", " \t *.tmp  .[a-z]* ", "*.tmp .[a-z]*" },
	{ "hide", "#x \xe9", "#x \xe9" },
	{ "hide", "pub/*.tmp", NULL, "is no pattern of a name" },
	{ "hide", "a ..", NULL, "is no pattern of a name" },
	{ "hide", "a\x01", NULL, "is no pattern of a name" },

	{ "welcome", "/etc/a b", "/etc/a b" },
	{ "welcome", "/etc/\x1b", NULL, "unprintable" },

	{ "gate.user", "ftp-gate_1.x", "ftp-gate_1.x" },
	{ "gate.user", "1000", "1000" },
	{ "gate.user", "4294967294", "4294967294" },
	{ "gate.user", "4294967295", NULL, "is out of range" },
	{ "gate.user", "99999999999999999999", NULL, "is out of range" },
	{ "gate.user", "0", NULL, "would be no wall" },
	{ "gate.user", "000", NULL, "would be no wall" },
	{ "gate.user", "root", NULL, "would be no wall" },
	{ "gate.user", "", NULL, "is not a user" },
	{ "gate.user", "-1", NULL, "is not a user" },
	{ "gate.user", "two words", NULL, "is not a user" },
	{ "gate.user", "ftp:ftp", NULL, "is not a user" },

	{ "listen", "127.0.0.1:2121", "127.0.0.1:2121" },
	{ "listen", " \t[2001:DB8::1]:21\t 192.0.2.1:0 ",
	    "[2001:db8::1]:21 192.0.2.1:0" },
	{ "listen", "[::ffff:192.0.2.1]:21", "192.0.2.1:21" },
	{ "listen", "", NULL, "names too few" },
	{ "listen", " \t", NULL, "names too few" },
	{ "listen", "21", NULL, "is not an address with a port" },
	{ "listen", "*:21", NULL, "\"*:21\"" },
	{ "listen", "localhost:21", NULL, "is not an address with a port" },
	{ "listen", "127.0.0.1", NULL, "is not an address with a port" },
	{ "listen", "127.0.0.1:", NULL, "is not an address with a port" },
	{ "listen", "127.0.0.1:65536", NULL, "is not an address" },
	{ "listen", "127.0.0.010:21", NULL, "is not an address" },
	{ "listen", "::1:21", NULL, "is not an address with a port" },
	{ "listen", "[fe80::1%eth0]:21", NULL, "is not an address" },
	{ "listen", "127.0.0.1:21,127.0.0.2:21", NULL, "is not an address" },
	{ "listen", "127.0.0.1:21 x", NULL, "\"x\" is not an address" },

	{ "active.deny", "", "" },
	{ "active.deny", "10.0.0.0/8", "10.0.0.0/8" },
	{ "active.deny", "192.0.2.1", "192.0.2.1/32" },
	{ "active.deny", "0.0.0.0/0 ::/0", "0.0.0.0/0 ::/0" },
	{ "active.deny", "10.128.0.0/9 2001:db8::/33",
	    "10.128.0.0/9 2001:db8::/33" },
	{ "active.deny", "2001:db8::1", "2001:db8::1/128" },
	{ "active.deny", "10.0.0.1/8", NULL,
	    "\"10.0.0.1/8\" is longer than its /8; write 10.0.0.0/8" },
	{ "active.deny", "10.192.0.0/9", NULL, "write 10.128.0.0/9" },
	{ "active.deny", "2001:db8::/28", NULL, "write 2001:db0::/28" },
	{ "active.deny", "1.2.3.4/0", NULL, "write 0.0.0.0/0" },
	{ "active.deny", "10.0.0.0/33", NULL, "is not a network" },
	{ "active.deny", "10.0.0.0/", NULL, "is not a network" },
	{ "active.deny", "10.0.0.0/-1", NULL, "is not a network" },
	{ "active.deny", "10.0.0.0/255.0.0.0", NULL, "is not a network" },
	{ "active.deny", "10.0.0.0:21", NULL, "is not a network" },
	{ "active.deny", "all", NULL, "is not a network" },

	{ "passive.address", "", "" },
	{ "passive.address", "203.0.113.5", "203.0.113.5" },
	{ "passive.address", "ftp.example.org", "ftp.example.org" },
	{ "passive.address", "_x.Example.ORG.", "_x.Example.ORG." },
	{ "passive.address", "ftp", "ftp" },
	{ "passive.address", "local", "local" },
	{ "passive.address", "0.0.0.0/0=203.0.113.5", "203.0.113.5" },
	{ "passive.address", "10.0.0.0/8=10.0.0.5 10.1.0.0/16=local "
	    "10.1.2.3=a.b 203.0.113.5",
	    "10.0.0.0/8=10.0.0.5 10.1.0.0/16=local 10.1.2.3/32=a.b "
	    "203.0.113.5" },
	{ "passive.address", "203.0.113.5 ftp.example.org", NULL,
	    "\"ftp.example.org\" is for the same clients as another" },
	{ "passive.address", "10.0.0.0/8=a 10.0.0.0/8=b", NULL, "same" },
	{ "passive.address", "10.0.0.1/8=10.0.0.5", NULL,
	    "write 10.0.0.0/8" },
	{ "passive.address", "2001:db8::1", NULL, "is not IPv4" },
	{ "passive.address", "2001:db8::/32=10.0.0.5", NULL,
	    "\"2001:db8::/32\" is not IPv4" },
	{ "passive.address", "10.0.0.300", NULL, "is no address" },
	{ "passive.address", "0.0.0.0", NULL, "is no host's address" },
	{ "passive.address", "224.0.0.1", NULL, "is no host's address" },
	{ "passive.address", "255.255.255.255", NULL, "is no host's" },
	{ "passive.address", "203.0.113.5:21", NULL, "is no address" },
	{ "passive.address", "a..b", NULL, "is no address and no name" },
	{ "passive.address", ".", NULL, "is no address and no name" },
	{ "passive.address", "-a.b", NULL, "is no address and no name" },
	{ "passive.address", "a-.b", NULL, "is no address and no name" },
	{ "passive.address", "a..", NULL, "is no address and no name" },
	{ "passive.address", "10.0.0.0/8=", NULL, "is no address" },
	{ "passive.address", "=10.0.0.5", NULL, "is not a network" },
	{ "passive.address", "a,b", NULL, "is no address and no name" },

	{ "passive.ports_at", "", "" },
	{ "passive.ports_at", "[::]:2121=51000-51999 192.0.2.1:21=1024-2047",
	    "[::]:2121=51000-51999 192.0.2.1:21=1024-2047" },
	{ "passive.ports_at", "51000-51999", NULL, "is not a listener" },
	{ "passive.ports_at", "[::]:2121", NULL, "is not a listener" },
	{ "passive.ports_at", "[::]=51000-51999", NULL,
	    "is not a listener with its ports; write 0 to 16" },
	{ "passive.ports_at", "[::]:0=51000-51999", NULL, "not a listener" },
	{ "passive.ports_at", "[::]:2121=", NULL, "is not a range" },
	{ "passive.ports_at", "[::]:2121=80-51999", NULL, "is out of range" },
	{ "passive.ports_at", "[::]:2121=2-1", NULL, "is out of range" },
	{ "passive.ports_at", "[::]:2121=2002-2001", NULL, "backwards" },

	{ "events.commands", "none", "none" },
	{ "events.commands", "info", "info" },
	{ "events.commands", "data login", "login data" },
	{ "events.commands", "all", "all" },
	{ "events.commands", "login transfer list change data info", "all" },
	{ "events.commands", "all info", "all" },
	{ "events.commands", "", NULL, "names too few" },
	{ "events.commands", "none info", NULL, "is none and more" },
	{ "events.commands", "login,info", NULL, "is none of the words; "
	    "write none, login, transfer," },
};

static void
refused_leaves_the_setting(const struct row *row, const struct conf_key *k)
{
	static struct conf c, before;

	conf_init(&c);
	before = c;
	if (set(&c, row->key, row->value) != 1)
		fail_msg("%s = %s was taken as %s", row->key, row->value,
		    written(&c, k));
	assert_same(&c, &before);
	assert_said("portcullisd: --option: ");
	assert_said(row->key);
	assert_said(row->why);
	assert_ptr_equal(strchr(said, '\n'), said + said_len - 1);
}

static void
each_type_reads_its_form_and_no_other(void **state)
{
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		const struct conf_key *k = conf_key_find(sv_of(row->key));
		char *text;

		assert_non_null(k);
		if (row->result == NULL) {
			refused_leaves_the_setting(row, k);
			continue;
		}
		conf_init(&c);
		if (set(&c, row->key, row->value) != 0)
			fail_msg("refused: %s", said);
		text = written(&c, k);
		assert_string_equal(text, row->result);
		assert_string_equal(said, "");
		free(text);
	}
}

/* Limits, from the table. */

static void
expect(const struct conf_key *k, bool good, const char *value)
{
	static struct conf c;
	int problems;

	conf_init(&c);
	problems = set(&c, k->name, value);
	if (problems != (good ? 0 : 1))
		fail_msg("%s = %.80s: %s", k->name, value,
		    good ? said : "taken");
}

static void
expect_number(const struct conf_key *k, bool good, int64_t value)
{
	char text[32];

	if (value < 0)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)value);
	expect(k, good, text);
}

static void
expect_range(const struct conf_key *k, bool good, int64_t low, int64_t high)
{
	char text[64];

	if (low < 0)
		return;
	snprintf(text, sizeof(text), "%lld-%lld", (long long)low,
	    (long long)high);
	expect(k, good, text);
}

/* `count` times `item`. */
static void
expect_repeated(const struct conf_key *k, bool good, const char *item,
    int64_t count)
{
	size_t len = strlen(item);
	char *text;

	if (count < 0)
		return;
	text = calloc((size_t)count + 1, len + 1);
	assert_non_null(text);
	for (int64_t i = 0; i < count; i++)
		memcpy(text + (size_t)i * len, item, len);
	expect(k, good, text);
	free(text);
}

static void
expect_item(const struct conf_key *k, const char *item)
{
	expect_repeated(k, true, item, k->least);
	expect_repeated(k, true, item, k->most);
	expect_repeated(k, false, item, (int64_t)k->least - 1);
	expect_repeated(k, false, item, (int64_t)k->most + 1);
}

/* As many entries, none of them for the same clients. */
static void
expect_addresses(const struct conf_key *k)
{
	char text[32 * (CONF_PASSIVE_MAX + 1)];
	size_t n = 0;

	for (uint32_t i = 0; i <= k->most; i++) {
		expect(k, true, i == 0 ? "" : text);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "10.0.0.%u=local ", i);
	}
	expect(k, false, text);
}

/* "12:00 rate.all 5K rate.all 5K ..." */
static void
expect_pairs(const struct conf_key *k, bool good, const char *head,
    uint32_t count)
{
	static char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", head);

	while (count-- > 0)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    " rate.all 5K");
	expect(k, good, text);
}

static void
expect_classes(const struct conf_key *k)
{
	static struct conf c;
	char text[4096];
	size_t n = (size_t)snprintf(text, sizeof(text), "a");

	for (unsigned i = 0; i < CONF_CLASS_NETS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    " 10.0.%u.0/24", i);
	expect(k, true, text);
	snprintf(text + n, sizeof(text) - n, " 192.0.2.1");
	expect(k, false, text);
	conf_init(&c);
	for (unsigned i = 0; i <= k->most; i++) {
		FILE *err = listen_to_err();

		assert_int_equal(conf_set(&c, "class", "a 10.0.0.0/8",
		    "--option", i > 0, err), i < k->most ? 0 : 1);
		assert_int_equal(fclose(err), 0);
	}
}

static void
expect_limits(const struct conf_key *k)
{
	int64_t least = k->least, most = k->most;

	if (k->type == &conf_type_number || k->type == &conf_type_duration) {
		expect_number(k, true, least);
		expect_number(k, true, most);
		expect_number(k, false, least - 1);
		expect_number(k, false, most + 1);
	} else if (k->type == &conf_type_range) {
		expect_range(k, true, least, most);
		expect_range(k, false, least - 1, most);
		expect_range(k, false, least, most + 1);
	} else if (k->type == &conf_type_rate) {
		expect_number(k, true, 0);
		expect_number(k, true, least);
		expect_number(k, true, most * 1000);
		expect_number(k, false, most * 1000 + 1);
		if (least > 1)
			expect_number(k, false, least - 1);
	} else if (k->type == &conf_type_limits) {
		expect_repeated(k, true, "a", 0);
		expect_pairs(k, true, "a", k->most);
		expect_pairs(k, false, "a", k->most + 1);
	} else if (k->type == &conf_type_steps) {
		expect_pairs(k, true, "12:00", k->most);
		expect_pairs(k, false, "12:00", k->most + 1);
	} else if (k->type == &conf_type_classes) {
		expect_classes(k);
	} else if (k->type == &conf_type_listen)
		expect_item(k, "192.0.2.1:21 ");
	else if (k->type == &conf_type_nets)
		expect_item(k, "192.0.2.0/24 ");
	else if (k->type == &conf_type_patterns)
		expect_item(k, "*.tmp ");
	else if (k->type == &conf_type_passive)
		expect_addresses(k);
	else if (k->type == &conf_type_ports_at)
		expect_item(k, "192.0.2.1:21=2000-2999 ");
	else if (k->type != &conf_type_choice && k->type != &conf_type_set &&
	    k->type != &conf_type_site && k->type != &conf_type_certs &&
	    k->type != &conf_type_rules)
		expect_item(k, "x");
}

static void
each_key_keeps_its_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONF_KEY_COUNT; i++)
		expect_limits(&conf_keys[i]);
}

static int
add_site(struct conf *c, const char *value)
{
	FILE *err = listen_to_err();
	int problems = conf_set(c, "site", value, "--option",
	    c->sites.count > 0, err);

	assert_int_equal(fclose(err), 0);
	return problems;
}

static int
add_certificate(struct conf *c, const char *value)
{
	FILE *err = listen_to_err();
	int problems = conf_set(c, "tls.certificate", value, "--option",
	    c->tls_certificate.count > 0, err);

	assert_int_equal(fclose(err), 0);
	return problems;
}

static void
certificates_keep_their_limits(void **state)
{
	static struct conf c;
	char path[CONF_CERT_PATH_MAX + 1];

	(void)state;
	conf_init(&c);
	memset(path, 'p', sizeof(path));
	path[CONF_CERT_PATH_MAX - 1] = '\0';
	for (int i = 0; i < CONF_CERTS_MAX; i++)
		assert_int_equal(add_certificate(&c, path), 0);
	assert_int_equal(add_certificate(&c, "/c"), 1);
	assert_said("one too many");
	path[CONF_CERT_PATH_MAX - 1] = 'p';
	path[CONF_CERT_PATH_MAX] = '\0';
	conf_init(&c);
	assert_int_equal(add_certificate(&c, path), 1);
	assert_said("too long");
	assert_int_equal(c.tls_certificate.count, 0);
}

/* TLS that is wanted and cannot be had. */
static void
tls_fits_together(void **state)
{
	static const struct {
		const char *key, *value, *key2, *value2, *said;
	} wrong[] = {
		{ "tls.control", "required", NULL, NULL,
		    "required, and there is no tls.certificate" },
		{ "tls.data", "required", NULL, NULL,
		    "required, and there is no tls.certificate" },
		{ "tls.data", "required", "tls.control", "off",
		    "required, and tls.control is off" },
		{ "class", "a 10.0.0.0/8", "class.limit",
		    "a tls.control required",
		    "tls.control: a: required, and there is no tls.cert" },
		{ "class", "a 10.0.0.0/8", "class.limit",
		    "a tls.control off tls.data required",
		    "tls.data: a: required, and tls.control is off" },
		{ "at", "08:00 tls.data required", NULL, NULL,
		    "tls.data: required, and there is no tls.certificate" },
		{ "tls.listen", "127.0.0.1:990", NULL, NULL,
		    "tls.listen: there is no tls.certificate" },
		{ "tls.listen", "127.0.0.1:2121", "listen", "127.0.0.1:2121",
		    "tls.listen: 127.0.0.1:2121 is given twice" },
		{ "tls.listen", "127.0.0.1:50100", NULL, NULL,
		    "holds the port of the listener 127.0.0.1:50100" },
		{ "tls.certificate", "/no/such", NULL, NULL,
		    "tls.certificate: cannot open \"/no/such\"" },
		{ "tls.certificate", "/dev/null site=a.example", NULL, NULL,
		    "there is no site a.example" },
	};
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		conf_init(&c);
		assert_int_equal(set(&c, "archive", "/tmp"), 0);
		assert_int_equal(set(&c, wrong[i].key, wrong[i].value), 0);
		if (wrong[i].key2 != NULL)
			assert_int_equal(set(&c, wrong[i].key2,
			    wrong[i].value2), 0);
		assert_true(check(&c) > 0);
		assert_said(wrong[i].said);
	}
}

/* Of a site: the count, the names, the directory, the banner. */
static void
sites_keep_their_limits(void **state)
{
	static struct conf c, before;
	char text[3000], label[64], name[256];

	(void)state;
	memset(label, 'l', 63);
	label[63] = '\0';
	snprintf(name, sizeof(name), "%s.%s.%s.%.61s", label, label, label,
	    label);
	conf_init(&c);
	for (unsigned i = 0; i < CONF_SITES_MAX; i++) {
		snprintf(text, sizeof(text), "s%u.example /srv/%u", i, i);
		assert_int_equal(add_site(&c, text), 0);
	}
	before = c;
	assert_int_equal(add_site(&c, "more.example /srv"), 1);
	assert_said("one too many");
	assert_int_equal(add_site(&before, "S3.example /srv"), 1);
	assert_same(&c, &before);

	conf_init(&c);
	assert_int_equal(add_site(&c, "a.example,b.example /srv"), 0);
	before = c;
	assert_int_equal(add_site(&c, "x.example,B.example /srv"), 1);
	assert_said("\"B.example\" is given twice");
	snprintf(text, sizeof(text), "%sl.example /srv", label);
	assert_int_equal(add_site(&c, text), 1);
	snprintf(text, sizeof(text), "%sl /srv", name);
	assert_int_equal(add_site(&c, text), 1);
	snprintf(text, sizeof(text), "n.example /%0*d", 1023, 0);
	assert_int_equal(add_site(&c, text), 1);
	snprintf(text, sizeof(text), "n.example /srv %0*d", 512, 0);
	assert_int_equal(add_site(&c, text), 1);
	assert_same(&c, &before);

	snprintf(text, sizeof(text), "%s /srv", name);
	assert_int_equal(add_site(&c, text), 0);
	snprintf(text, sizeof(text), "n.example /%0*d %0*d", 1022, 0, 511, 0);
	assert_int_equal(add_site(&c, text), 0);
	assert_int_equal(strlen(c.sites.at[2].root), 1023);
	assert_int_equal(strlen(c.sites.at[2].banner), 511);
}

/* A row that is not consistent with itself is our own mistake. */
static void
the_table_is_sound(void **state)
{
	static struct conf c;

	(void)state;
	conf_init(&c);
	assert_int_equal(c.version, CONF_VERSION);
	for (size_t i = 0; i < CONF_KEY_COUNT; i++) {
		const struct conf_key *k = &conf_keys[i];
		char *text = written(&c, k);

		assert_string_equal(text, k->value);
		free(text);
		assert_true(k->least <= k->most);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(k->name, conf_keys[j].name);
	}
}

/* Printing. */

static void
print_and_read_back(const struct conf *c)
{
	static struct conf back;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	conf_print(c, f);
	assert_int_equal(fclose(f), 0);
	memset(&back, 0xa5, sizeof(back));
	conf_init(&back);
	if (read_bytes(&back, text, len) != 0)
		fail_msg("not read back: %s", said);
	assert_same(c, &back);
	free(text);
}

/* Every field is longer, and other, than its default. */
static void
fill(struct conf *c)
{
	static const char *const lists[] = { "listen", "active.deny" };
	char item[64], path[PATH_MAX];

	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(set(c, "archive", path), 0);
	assert_int_equal(set(c, "events", "-"), 0);
	assert_int_equal(set(c, "xferlog", "/a b/[c]=d ; e # f\\"), 0);
	assert_int_equal(set(c, "banner", "[x] = 5 ; :-) # \xe2\x80\xa6"), 0);
	assert_int_equal(set(c, "sandbox", "best"), 0);
	assert_int_equal(set(c, "welcome", path), 0);
	assert_int_equal(set(c, "downtime", path), 0);
	assert_int_equal(set(c, "message", "#=;[x]"), 0);
	assert_int_equal(set(c, "list.owner", "nobody-in-particular"), 0);
	assert_int_equal(set(c, "hide", ";a [#b]* = =c"), 0);
	assert_int_equal(set(c, "gate.user", "4711"), 0);
	assert_int_equal(set(c, "site", "a.example,b.example /srv/a"), 0);
	assert_int_equal(add_site(c, "c.example \"/a \"\"b\" Hi, \"x\"."), 0);
	assert_int_equal(set(c, "idle.timeout", "24h"), 0);
	assert_int_equal(set(c, "passive.ports", "1024-65535"), 0);
	assert_int_equal(set(c, "rate.all", "12345678K"), 0);
	assert_int_equal(set(c, "class", "campus 10.0.0.0/8 ::/0"), 0);
	assert_int_equal(set(c, "class.limit",
	    "campus rate.all 4K sessions.max 7 transfers.max 8"), 0);
	assert_int_equal(set(c, "at",
	    "08:30 sessions.max 7 rate.all 0 rate.session 1001001"), 0);
	for (unsigned l = 0; l < COUNT(lists); l++) {
		unsigned most = l == 0 ? CONF_LISTEN_MAX : CONF_NETS_MAX;

		for (unsigned i = 0; i < most; i++) {
			FILE *err = listen_to_err();

			snprintf(item, sizeof(item), l == 0 ?
			    "[2001:db8:1111:2222:3333:4444:5555:%x]:65535" :
			    "2001:db8:1111:2222:3333:4444:5555:%x/128",
			    i + 0x1000);
			assert_int_equal(conf_set(c, lists[l], item,
			    "--option", i > 0, err), 0);
			fclose(err);
		}
	}
	assert_int_equal(c->listen.count, CONF_LISTEN_MAX);
	assert_int_equal(c->active_deny.count, CONF_NETS_MAX);
}

static void
what_is_printed_reads_back_the_same(void **state)
{
	static struct conf c;

	(void)state;
	conf_init(&c);
	print_and_read_back(&c);
	fill(&c);
	print_and_read_back(&c);
	/* A shorter text leaves nothing of the longer one behind. */
	assert_int_equal(set(&c, "archive", "/a"), 0);
	assert_int_equal(set(&c, "listen", "127.0.0.1:1"), 0);
	assert_int_equal(set(&c, "active.deny", ""), 0);
	assert_int_equal(set(&c, "banner", ""), 0);
	print_and_read_back(&c);
}

/* Files. */

static void
a_section_is_a_prefix(void **state)
{
	static struct conf a, b;

	(void)state;
	assert_int_equal(read_text(&a,
	    "passive.ports = 2000-2999\nidle.timeout=5m\n"), 0);
	assert_int_equal(read_text(&b,
	    "\xef\xbb\xbf# a file from elsewhere\r\n"
	    "[passive]\r\n\tports\t=   2000-2999  \r\n\r\n"
	    "; another comment\n  [idle]  \n  timeout = 5m"), 0);
	assert_same(&a, &b);
}

static void
a_list_replaces_the_default_and_then_adds(void **state)
{
	static struct conf c;

	(void)state;
	assert_int_equal(read_text(&c, "listen = 127.0.0.1:1 127.0.0.1:2\n"
	    "worker.count = 3\nlisten = 127.0.0.1:3\n"), 0);
	assert_int_equal(c.listen.count, 3);
	assert_int_equal(c.listen.at[2].port, 3);
	assert_int_equal(read_bytes(&c, "listen = [::1]:4\n", 17), 0);
	assert_int_equal(c.listen.count, 1);	/* a second file starts anew */
	assert_int_equal(read_text(&c, "active.deny = 10.0.0.0/8\n"
	    "active.deny =\n"), 0);
	assert_int_equal(c.active_deny.count, 1);
}

static void
a_value_is_never_cut_short(void **state)
{
	static struct conf c;

	(void)state;
	assert_int_equal(read_text(&c, "banner = Welcome ; no warranty\n"), 0);
	assert_string_equal(c.banner, "Welcome ; no warranty");
	assert_int_equal(read_text(&c, "banner = a=b : c # d\n"), 0);
	assert_string_equal(c.banner, "a=b : c # d");
	assert_int_equal(read_text(&c, "worker.count = 3 ; three\n"), 1);
	assert_said("\"3 ; three\" is not a number");
	/* inih would take an indented line for more of the one above. */
	assert_int_equal(read_text(&c, "banner = a\n  worker.count = 5\n"), 0);
	assert_string_equal(c.banner, "a");
	assert_int_equal(c.worker_count, 5);
	assert_int_equal(read_text(&c, "listen = 127.0.0.1:1\n  [::1]:1\n"),
	    1);
	assert_said(":2: \"[::1]:1\" is not a section");
}

struct bad_file {
	const char *text;
	const char *lines;
	const char *why;
};

static const struct bad_file bad_files[] = {
	{ "nonsense\n", "1 ", "write key = value" },
	{ "\n\n  nonsense  ", "3 ", "write key = value" },
	{ "nonsense\nworker.count = 1\nmore", "1 3 ", "not understood" },
	{ "= 5\n", "1 ", "\"\": no such key" },
	{ "[passive] ports = 2000-2999\n", "1 ", "is not a section" },
	{ "[passive\nports = 2000-2999\n", "1 2 ", "is not a section" },
	{ "[]\n", "1 ", "is not a section" },
	{ "[a]b]\n", "1 ", "is not a section" },
	{ "[passive] ; comment\n", "1 ", "write [name] alone" },
	{ "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", "1 ",
	    "is not a section" },
	{ "[passive]\nidle.timeout = 5\n", "2 ",
	    "\"passive.idle.timeout\": no such key; move it above" },
	{ "idle.timout = 5\n", "1 ", "did you mean idle.timeout?" },
	{ "Idle.Timeout = 5\n", "1 ", "did you mean idle.timeout?" },
	{ "idletimeout = 5\n", "1 ", "did you mean idle.timeout?" },
	{ "passive.prots = 5\n", "1 ", "did you mean passive.ports?" },
	{ "[sessions]\nper_adress = 5\n", "2 ",
	    "did you mean sessions.per_address?" },
	{ "gopher.hole = x\n", "1 ", "--print-config lists them" },
	{ "\x1b[2Jx = 1\n", "1 ", "\"\\x1b[2Jx\": no such key" },
	{ "banner = a\x1b[2J\n", "1 ", "\"a\\x1b[2J\" holds an unprintable" },
	{ "worker.count = 1\nworker.count = 1\n", "2 ",
	    "already in line 1" },
	{ "worker.count = x\n[worker]\ncount = 1\n", "1 3 ",
	    "already in line 1" },
	{ "listen = 127.0.0.1:1\n\nlisten = x\nlisten = y\n", "3 4 ",
	    "\"y\" is not an address" },
	{ "# every problem in one run\nworker.count = x\nfoo = 1\n"
	  "passive.ports = 9x\nbar\n[idle]\ntimeout = 0\n",
	    "2 3 4 5 7 ", "idle.timeout: \"0\" is out of range" },
};

static void
every_problem_is_told_with_its_line(void **state)
{
	static struct conf c;
	char lines[256];

	(void)state;
	for (size_t i = 0; i < COUNT(bad_files); i++) {
		const struct bad_file *f = &bad_files[i];
		int problems = read_text(&c, f->text), told = 0;

		lines_said(lines, sizeof(lines));
		if (strcmp(lines, f->lines) != 0)
			fail_msg("%s: expected lines %s, said:\n%s", f->text,
			    f->lines, said);
		assert_said(f->why);
		for (const char *p = said; *p != '\0'; p++)
			told += *p == '\n';
		assert_int_equal(told, problems);
	}
}

static void
the_line_is_as_documented(void **state)
{
	static struct conf c;
	const char *behind;

	(void)state;
	assert_int_equal(read_text(&c, "\n\npassive.ports = 9x\n"), 1);
	assert_ptr_equal(strstr(said, "portcullisd: /proc/self/fd/"), said);
	behind = strchr(said + sizeof("portcullisd: /proc/self/fd/"), ':');
	assert_string_equal(behind, ":3: passive.ports: \"9x\" is not a "
	    "range of ports; write LOW-HIGH, each 1024 to 65535\n");
}

/* What inih takes as one line: 8192 bytes with the NUL. */
#define LINE_LONGEST 8191

static void
a_long_line_is_refused_not_split(void **state)
{
	static const char head[] = "listen = ", tail[] = "127.0.0.1:2121";
	static char file[2 * LINE_LONGEST];
	static struct conf c;
	char lines[32];
	size_t n;

	(void)state;
	for (size_t over = 0; over < 3; over++) {
		memset(file, ' ', sizeof(file));
		n = LINE_LONGEST + over - 1;
		memcpy(file, head, sizeof(head) - 1);
		memcpy(file + n - sizeof(tail) + 1, tail, sizeof(tail) - 1);
		memcpy(file + n, "\nbad\n", 5);
		conf_init(&c);
		assert_int_equal(read_bytes(&c, file, n + 5),
		    over < 2 ? 1 : 2);
		assert_string_equal(lines_said(lines, sizeof(lines)),
		    over < 2 ? "2 " : "1 2 ");
		assert_int_equal(c.listen.count, over < 2 ? 1 : 2);
	}
	assert_said("the line has 8192 bytes; at most 8191 are read");

	/* A value in the part behind must not become a line of its own. */
	memset(file, '#', sizeof(file));
	memcpy(file + LINE_LONGEST, "worker.count=9", 14);
	conf_init(&c);
	assert_int_equal(read_bytes(&c, file, sizeof(file)), 1);
	assert_int_equal(c.worker_count, 0);
}

static void
a_nul_byte_is_refused(void **state)
{
	static const char file[] = "worker.count = 3\0 4\nworker.threads = 3\n"
	    "\0";
	static struct conf c;
	char lines[32];

	(void)state;
	conf_init(&c);
	assert_int_equal(read_bytes(&c, file, sizeof(file) - 1), 2);
	assert_string_equal(lines_said(lines, sizeof(lines)), "1 3 ");
	assert_said("NUL");
	assert_int_equal(c.worker_count, 0);
	assert_int_equal(c.worker_threads, 3);
}

static void
a_file_that_is_none(void **state)
{
	static struct conf c, before;
	FILE *err;

	(void)state;
	conf_init(&c);
	before = c;
	err = listen_to_err();
	assert_int_equal(conf_read_file(&c, "/nonexistent/x", true, err), 0);
	assert_int_equal(conf_read_file(&c, "/nonexistent/x", false, err), 1);
	assert_int_equal(conf_read_file(&c, "/", true, err), 1);
	assert_int_equal(conf_read_file(&c, "/dev/null/x", true, err), 1);
	assert_int_equal(fclose(err), 0);
	assert_string_equal(said,
	    "portcullisd: /nonexistent/x: cannot open: "
	    "No such file or directory\n"
	    "portcullisd: /: cannot read: Is a directory\n"
	    "portcullisd: /dev/null/x: cannot open: Not a directory\n");
	assert_same(&c, &before);
}

static void
an_unknown_key_cannot_be_set(void **state)
{
	static struct conf c;

	(void)state;
	conf_init(&c);
	assert_int_equal(set(&c, "no.such", "1"), 1);
	assert_string_equal(said,
	    "portcullisd: --option: \"no.such\": no such key\n");
}

/* What keys mean together. */

static char archive[] = "/tmp/portcullis-conf-XXXXXX";

static int
make_archive(void **state)
{
	(void)state;
	return mkdtemp(archive) == NULL ? -1 : 0;
}

static int
remove_archive(void **state)
{
	(void)state;
	free(said);
	said = NULL;
	return rmdir(archive);
}

static void
init_good(struct conf *c)
{
	conf_init(c);
	assert_int_equal(set(c, "archive", archive), 0);
}

static void
the_defaults_need_only_an_archive(void **state)
{
	static struct conf c;

	(void)state;
	conf_init(&c);
	assert_int_equal(check(&c), 1);
	assert_string_equal(said, "portcullisd: archive: not set; "
	    "name the directory to serve\n");
	init_good(&c);
	assert_int_equal(check(&c), 0);
	assert_string_equal(said, "");
}

struct check_row {
	const char *key;
	const char *value;
	int problems;
	const char *why;
};

static const struct check_row checks[] = {
	{ "archive", "/nonexistent", 1,
	    "archive: cannot open \"/nonexistent\": No such file or "
	    "directory" },
	{ "archive", "/dev/null", 1, "Not a directory" },
	{ "listen", "127.0.0.1:21 127.0.0.1:21", 1,
	    "listen: 127.0.0.1:21 is given twice" },
	{ "listen", "127.0.0.1:21 [::ffff:127.0.0.1]:21", 1, "twice" },
	{ "listen", "[::1]:21 [::1]:21 [::1]:21", 2, "twice" },
	{ "listen", "127.0.0.1:21 127.0.0.2:21 127.0.0.1:22", 0, "" },
	{ "listen", "0.0.0.0:21 [::]:21", 0, "" },
	{ "listen", "127.0.0.1:0 127.0.0.1:0", 0, "" },
	{ "listen", "127.0.0.1:50000", 1,
	    "50000-59999 holds the port of the listener 127.0.0.1:50000" },
	{ "listen", "127.0.0.1:59999", 1, "holds the port" },
	{ "listen", "127.0.0.1:49999 127.0.0.1:60000", 0, "" },
	{ "passive.ports", "50000-50014", 1, "give 16 ports or more" },
	{ "passive.ports", "50000-50015", 0, "" },
	{ "passive.ports", "1024-65535", 0, "" },
	{ "passive.ports_at", "0.0.0.0:21=2000-2015 [::]:21=2000-2015", 0,
	    "" },
	{ "passive.ports_at", "0.0.0.0:21=2000-2014", 1,
	    "passive.ports_at: 2000-2014 are too few" },
	{ "passive.ports_at", "0.0.0.0:22=2000-2999", 1,
	    "passive.ports_at: 0.0.0.0:22 is not in listen" },
	{ "passive.ports_at", "[::]:21=2000-2999 [::]:21=3000-3999", 1,
	    "[::]:21 is given twice" },
	{ "events", "-", 0, "" },
	{ "events", "/nonexistent/dir/events", 0, "" },
	{ "events", "/tmp/portcullis-events.json", 0, "" },
	{ "xferlog", "-", 1, "xferlog: \"-\" is not a file" },
	{ "downtime", "/tmp/portcullis-downtime", 0, "" },
	{ "downtime", "/nonexistent/downtime", 0, "" },
	{ "accounts.root", "/nonexistent", 0, "" },
	{ "accounts.file", "/nonexistent/accounts", 1,
	    "accounts.root: not set" },
};

static void
keys_are_checked_together(void **state)
{
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < COUNT(checks); i++) {
		int problems;

		init_good(&c);
		assert_int_equal(set(&c, checks[i].key, checks[i].value), 0);
		problems = check(&c);
		if (problems != checks[i].problems)
			fail_msg("%s = %s: %d problems\n%s", checks[i].key,
			    checks[i].value, problems, said);
		assert_said(checks[i].why);
	}
}

static const struct limit_file {
	const char *text;
	int problems;
	const char *why;
} limit_files[] = {
	{ "class = a 10.0.0.0/8\nclass.limit = a rate.all 5K\n"
	  "at = 08:00 a rate.all 6K\nat = 20:00 a rate.all 7K\n", 0, "" },
	{ "class = a 10.0.0.0/8\nclass = b ::/0\nclass = a 1.2.3.4\n", 1,
	    "class: a is given twice" },
	{ "class.limit = a rate.all 5K\n", 1,
	    "class.limit: a rate.all 5000: there is no class of this name" },
	{ "at = 08:00 rate.all 5K\n", 1,
	    "at: rate.all 5000: one step alone holds all day" },
	{ "at = 08:00 rate.all 5K\nat = 09:00 rate.all 5K\n"
	  "at = 08:00 rate.all 6K\n", 2, "at: rate.all 6000: is given twice" },
	{ "sessions.max = 50\nat = 08:00 sessions.max 51\n"
	  "at = 09:00 sessions.max 50\n", 1, "sessions.max 51: is more than" },
	{ "rate.session = 10K\nrate.least = 5000\n", 0, "" },
	{ "rate.session = 10K\nrate.least = 5001\n", 1,
	    " is more than half of 10000" },
	{ "class = a ::/0\nclass.limit = a rate.address 4K\n"
	  "rate.least = 2001\n", 1, "rate.least: " },
};

static void
limits_are_checked_together(void **state)
{
	static struct conf c;

	(void)state;
	for (size_t i = 0; i < COUNT(limit_files); i++) {
		const struct limit_file *f = &limit_files[i];

		init_good(&c);
		assert_int_equal(read_bytes(&c, f->text, strlen(f->text)), 0);
		assert_int_equal(check(&c), f->problems);
		assert_said(f->why);
	}
}

static void
expect_inside(struct conf *c, const char *path)
{
	assert_int_equal(set(c, "events", path), 0);
	assert_int_equal(set(c, "xferlog", path), 0);
	assert_int_equal(set(c, "downtime", path), 0);
	if (check(c) != 3)
		fail_msg("not seen: %s", path);
	assert_said("downtime: ");
	assert_said("events: ");
	assert_said("xferlog: ");
	assert_said("is in the archive");
}

static void
the_account_file_stays_out_of_reach(void **state)
{
	static struct conf c;
	char path[PATH_MAX];

	(void)state;
	init_good(&c);
	assert_int_equal(set(&c, "accounts.file", "/etc/passwd"), 0);
	assert_int_equal(set(&c, "accounts.tls", "optional"), 0);
	assert_int_equal(set(&c, "accounts.root", "/nonexistent"), 0);
	assert_int_equal(check(&c), 1);
	assert_said("accounts.root: cannot open");
	assert_int_equal(set(&c, "accounts.root", "/usr"), 0);
	assert_int_equal(set(&c, "accounts.tls", "required"), 0);
	assert_int_equal(check(&c), 1);
	assert_said("accounts.tls: required, and there is no");
	assert_int_equal(set(&c, "accounts.tls", "optional"), 0);
	assert_int_equal(check(&c), 0);
	assert_int_equal(set(&c, "accounts.file", "/usr/bin/../bin/env"), 0);
	assert_int_equal(check(&c), 1);
	assert_said("beneath which accounts write");
	snprintf(path, sizeof(path), "%s/accounts", archive);
	assert_int_equal(set(&c, "accounts.file", path), 0);
	assert_int_equal(check(&c), 1);
	assert_said("cannot open");
	assert_int_equal(close(open(path, O_WRONLY | O_CREAT, 0600)), 0);
	assert_int_equal(check(&c), 1);
	assert_said("is in the archive");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(set(&c, "accounts.file", "/etc/passwd"), 0);
	assert_int_equal(set(&c, "accounts.quota", "/nonexistent"), 0);
	assert_int_equal(check(&c), 1);
	assert_said("accounts.quota: cannot open");
	assert_int_equal(set(&c, "accounts.quota", "/usr/bin"), 0);
	assert_int_equal(check(&c), 1);
	assert_said("it is in accounts.root");
}

/* However the path is written, and whether or not the file exists. */
static void
logs_stay_out_of_the_archive(void **state)
{
	static struct conf c;
	const char *name = strrchr(archive, '/') + 1;
	char path[PATH_MAX];

	(void)state;
	init_good(&c);
	expect_inside(&c, archive);
	snprintf(path, sizeof(path), "%s/events", archive);
	expect_inside(&c, path);
	snprintf(path, sizeof(path), "%s/.././%s//x", archive, name);
	expect_inside(&c, path);
	snprintf(path, sizeof(path), "/proc/self/root%s/x", archive);
	expect_inside(&c, path);

	snprintf(path, sizeof(path), "%s-2/events", archive);
	assert_int_equal(set(&c, "events", path), 0);
	assert_int_equal(set(&c, "xferlog", ""), 0);
	assert_int_equal(set(&c, "downtime", ""), 0);
	assert_int_equal(check(&c), 0);
}

/* Texts that are read into it. */

static int
load(struct conf *c)
{
	FILE *err = listen_to_err();
	int problems = conf_load(c, err);

	assert_int_equal(fclose(err), 0);
	return problems;
}

/* As `welcome`, a file of so many lines of so many bytes. */
static int
load_lines(struct conf *c, size_t lines, size_t bytes)
{
	char path[64];
	FILE *f = tmpfile();
	int problems;

	assert_non_null(f);
	for (size_t i = 0; i < lines * bytes; i++)
		fputc(i % bytes == bytes - 1 ? '\n' : 'x', f);
	assert_int_equal(fflush(f), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(f));
	conf_init(c);
	assert_int_equal(set(c, "welcome", path), 0);
	problems = load(c);
	fclose(f);
	return problems;
}

static void
a_text_is_read_whole_or_not_at_all(void **state)
{
	static struct conf c, empty;

	(void)state;
	assert_int_equal(load_lines(&c, 2, 3), 0);
	assert_int_equal(c.welcome.len, 6);
	assert_memory_equal(c.welcome.bytes, "xx\nxx\n", 7);
	assert_int_equal(load_lines(&c, CONF_FILE_LINES, 64), 0);
	assert_int_equal(c.welcome.len, CONF_FILE_MAX);
	assert_int_equal(load_lines(&c, 0, 1), 0);
	assert_int_equal(c.welcome.len, 0);
	assert_int_equal(load_lines(&c, CONF_FILE_LINES + 1, 1), 1);
	assert_said("welcome: \"/proc/self/fd/");
	assert_said("is too long; 4096 bytes and 64 lines are shown");
	assert_int_equal(load_lines(&c, 1, CONF_FILE_MAX + 1), 1);
	assert_int_equal(c.welcome.len, 0);
	/* Another file: nothing is left of the one before. */
	assert_int_equal(load_lines(&c, 2, 3), 0);
	assert_int_equal(set(&c, "welcome", ""), 0);
	conf_init(&empty);
	assert_same(&c, &empty);
	assert_int_equal(load(&c), 0);
	assert_same(&c, &empty);
}

static void
a_text_that_is_none(void **state)
{
	static struct conf c;
	char fifo[64];

	(void)state;
	conf_init(&c);
	assert_int_equal(set(&c, "welcome", "/nonexistent"), 0);
	assert_int_equal(set(&c, "goodbye", "/"), 0);
	assert_int_equal(load(&c), 2);
	assert_said("welcome: cannot read \"/nonexistent\": No such file");
	assert_said("goodbye: cannot read \"/\": Is a directory");
	/* Nor does it wait for somebody to write. */
	conf_init(&c);
	snprintf(fifo, sizeof(fifo), "%s/fifo", archive);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(set(&c, "welcome", fifo), 0);
	assert_int_equal(load(&c), 1);
	assert_int_equal(unlink(fifo), 0);
}

/* Handing it on. */

static void
a_descriptor_carries_it_sealed(void **state)
{
	static struct conf c, got;
	int fd;

	(void)state;
	conf_init(&c);
	fill(&c);
	fd = conf_to_fd(&c);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	for (int twice = 0; twice < 2; twice++) {
		memset(&got, 0, sizeof(got));
		assert_true(conf_from_fd(&got, fd));
		assert_same(&c, &got);
	}
	close(fd);
}

static void
another_builds_bytes_are_refused(void **state)
{
	static struct conf c, got, before;
	FILE *f = tmpfile();
	int fd;

	(void)state;
	assert_non_null(f);
	conf_init(&c);
	conf_init(&got);
	before = got;
	assert_false(conf_from_fd(&got, -1));
	assert_false(conf_from_fd(&got, fileno(f)));	/* empty */
	assert_int_equal(fwrite(&c, sizeof(c), 1, f), 1);
	assert_int_equal(fputc(0, f), 0);
	assert_int_equal(fflush(f), 0);
	assert_false(conf_from_fd(&got, fileno(f)));	/* a byte more */
	assert_int_equal(ftruncate(fileno(f), sizeof(c)), 0);
	assert_true(conf_from_fd(&got, fileno(f)));
	assert_int_equal(ftruncate(fileno(f), sizeof(c) - 1), 0);
	assert_false(conf_from_fd(&got, fileno(f)));	/* a byte less */
	fclose(f);
	c.version++;
	fd = conf_to_fd(&c);
	assert_true(fd >= 0);
	assert_false(conf_from_fd(&got, fd));
	close(fd);
	assert_same(&got, &before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_reads_its_form_and_no_other),
		cmocka_unit_test(each_key_keeps_its_limits),
		cmocka_unit_test(certificates_keep_their_limits),
		cmocka_unit_test(tls_fits_together),
		cmocka_unit_test(sites_keep_their_limits),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(what_is_printed_reads_back_the_same),
		cmocka_unit_test(a_section_is_a_prefix),
		cmocka_unit_test(a_list_replaces_the_default_and_then_adds),
		cmocka_unit_test(a_value_is_never_cut_short),
		cmocka_unit_test(every_problem_is_told_with_its_line),
		cmocka_unit_test(the_line_is_as_documented),
		cmocka_unit_test(a_long_line_is_refused_not_split),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_file_that_is_none),
		cmocka_unit_test(an_unknown_key_cannot_be_set),
		cmocka_unit_test(the_defaults_need_only_an_archive),
		cmocka_unit_test(keys_are_checked_together),
		cmocka_unit_test(limits_are_checked_together),
		cmocka_unit_test(logs_stay_out_of_the_archive),
		cmocka_unit_test(the_account_file_stays_out_of_reach),
		cmocka_unit_test(a_text_is_read_whole_or_not_at_all),
		cmocka_unit_test(a_text_that_is_none),
		cmocka_unit_test(a_descriptor_carries_it_sealed),
		cmocka_unit_test(another_builds_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, make_archive, remove_archive);
}
