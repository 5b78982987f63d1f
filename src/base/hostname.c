/*
 * base/hostname.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/hostname.h"

#define LABEL_MAX 63

static bool
is_of_label(char c)
{
	return sv_digit(c) || sv_letter(c) || c == '-' || c == '_';
}

/* The length of the label at the front; 0: there is none. */
static size_t
label_length(struct sv name)
{
	size_t n = 0;

	while (n < name.len && is_of_label(name.ptr[n]))
		n++;
	if (n == 0 || n > LABEL_MAX || name.ptr[0] == '-' ||
	    name.ptr[n - 1] == '-')
		return 0;
	return n;
}

bool
hostname_is_good(struct sv name)
{
	bool digit_first;

	if (name.len > HOSTNAME_MAX)
		return false;
	do {
		size_t n = label_length(name);

		if (n == 0)
			return false;
		digit_first = sv_digit(name.ptr[0]);
		name = sv_drop(name, n);
	} while (sv_take(&name, '.'));
	return name.len == 0 && !digit_first;
}

bool
hostname_is_in(struct sv list, struct sv name)
{
	while (list.len > 0)
		if (sv_eq_nocase(sv_take_field(&list, ','), name))
			return true;
	return false;
}
