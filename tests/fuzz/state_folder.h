/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_folder.h - for fuzzers of the files of state.dir: a folder that ends with the process, in
 * memory where that is possible (thousands of fsyncs), and frames whose checksums are right, since
 * a checksum keeps nearly every change out. One thread.
 */
#ifndef TESTS_FUZZ_STATE_FOLDER_H
#define TESTS_FUZZ_STATE_FOLDER_H

#include "cluster/state_dir.h"

/* The one of this process, made at the first call. Never NULL. */
struct state_dir *state_folder_get(void);

/* The file holds this and nothing else. `name` is static. */
void state_folder_write(const char *name, struct text bytes);

/* Makes the checksums of the frames right that stand behind each other in `bytes`, as far as they
 * are whole. */
void state_folder_mend(char *bytes, size_t size);

#endif
