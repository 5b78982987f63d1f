/*
 * explain/explain.h: `portcullis explain`, for who reads a capture by hand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/*
 * argv[0] is the subcommand's name.  Returns the exit status: 0 all texts
 * were well-formed, 1 one was not, 2 wrong usage.
 */
int explain_main(int argc, char **argv);
