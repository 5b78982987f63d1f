/*
 * passwd/main.h: `portcullis passwd`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

int passwd_main(int argc, char **argv);
