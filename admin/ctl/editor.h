/* SPDX-License-Identifier: Apache-2.0 */
/*
 * editor.h - a text in the editor of whoever is at the terminal.
 */
#ifndef ADMIN_CTL_EDITOR_H
#define ADMIN_CTL_EDITOR_H

#include "admin/ctl/command.h"

#define EDITOR_PATH_SIZE 4096

/* A file that only its owner can read, made with `text` in it, in TMPDIR or /tmp; its name, that
 * ends in `suffix`, is written to `path`. False: it has been said what is wrong. */
MUST_USE bool editor_make_file(struct text text, const char *suffix, char path[EDITOR_PATH_SIZE]);

/* Opens the file in VISUAL, EDITOR or vi and waits until that has ended. False: it could not be
 * started or ended badly, which has been said. */
MUST_USE bool editor_run(const char *path);

#endif
