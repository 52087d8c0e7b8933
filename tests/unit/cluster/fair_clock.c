/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cluster/fair_clock.h"

#include <fcntl.h>
#include <unistd.h>

#include "conf/base/text.h"
#include "gatewayd/core/clock.h"

/* The second number of the kernel's account: how long it could run and did not. */
static uint64_t waited_ns(void)
{
    char line[128];
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, line, sizeof(line));
    struct text rest = text_from(line, length < 0 ? 0 : (size_t)length);
    struct text word;
    uint64_t waited;
    if (fd >= 0)
        close(fd);
    if (!text_cut(&rest, ' ', &word) || rest.at == NULL || !text_cut(&rest, ' ', &word) ||
        !text_parse_u64(word, &waited))
        return 0;
    return waited;
}

uint64_t fair_clock_ns(void)
{
    return clock_read_ns() - waited_ns();
}
