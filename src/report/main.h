/*
 * report/main.h: `portcullis report`, what the event files tell.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* Exit status: 0 fine, 1 an input or output failed, 2 usage. */
int report_main(int argc, char **argv);
