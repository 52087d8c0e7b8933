/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs a fuzzed function over the files named on the command line, without libFuzzer:
 * the corpora are regression tests on every compiler. Ends in the number of files.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/base/mem.h"
#include "conf/base/must.h"

#define LARGEST_INPUT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The input has a block of its own size, so that the sanitizer sees a read past its end. */
static bool replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    uint8_t *buffer = mem_new(LARGEST_INPUT);
    size_t size = fread(buffer, 1, LARGEST_INPUT, file);
    fclose(file);
    buffer = mem_resize(buffer, size);
    LLVMFuzzerTestOneInput(buffer, size);
    MEM_FREE(&buffer);
    return true;
}

int main(int count, char **paths)
{
    int replayed = 0;
    for (int i = 1; i < count; i++) {
        fprintf(stderr, "%s\n", paths[i]);
        replayed += replay(paths[i]);
    }
    printf("%d\n", replayed);
    return replayed == count - 1 ? 0 : 1;
}
