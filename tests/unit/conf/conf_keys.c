/*
 * For check_man.py, which holds portcullis.conf(5) and the example to the
 * table.  Without argument: the table, a key a line, as name, type, unit,
 * least, most and default between tabs.  With a file: what is wrong with it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf.h"

static void
print_table(void)
{
#define X(name, type, field, unit, least, most, value, meaning) \
	printf("%s\t%s\t%s\t%u\t%u\t%s\n", name, #type, unit, \
	    (unsigned)(least), (unsigned)(most), value);
	CONF_KEYS(X)
#undef X
}

int
main(int argc, char **argv)
{
	static struct conf c;

	if (argc < 2) {
		print_table();
		return 0;
	}
	conf_init(&c);
	return conf_read_file(&c, argv[1], false, stderr) == 0 ? 0 : 1;
}
