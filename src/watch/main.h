/*
 * watch/main.h: `portcullis watch`, the sensor.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/*
 * argv[0] is the subcommand's name.  Exit status: 0 fine, 1 an input failed
 * or alerts reached --fail-on, 2 wrong usage.
 */
int watch_main(int argc, char **argv);
