/*
 * index/main.h: `portcullis index`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

int index_main(int argc, char **argv);
