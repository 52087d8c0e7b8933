/* SPDX-License-Identifier: Apache-2.0 */
/* handover.c - see handover.h. */
#include "gatewayd/handover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MAGIC          "GWUP"
#define HEAD_SIZE      5
#define FIELD_HEAD     3
#define FIELD_MOST     4096
#define FRAME_OVERHEAD (HEAD_SIZE + HANDOVER_TAGS * FIELD_HEAD)

_Static_assert(FRAME_OVERHEAD + 3 * FIELD_MOST < HANDOVER_FRAME_MOST, "three long texts fit");

static void print_field(enum handover_tag tag, struct text value, struct builder *b)
{
    struct text cut = text_first(value, FIELD_MOST);

    builder_add_byte(b, (char)tag);
    builder_add_byte(b, (char)(cut.length & 0xff));
    builder_add_byte(b, (char)(cut.length >> 8));
    builder_add(b, cut);
}

void handover_print(const struct handover_frame *frame, struct builder *b)
{
    builder_add(b, TEXT_OF(MAGIC));
    builder_add_byte(b, (char)frame->kind);
    for (int tag = 1; tag < HANDOVER_TAGS; tag++) {
        if (frame->fields[tag].length > 0)
            print_field((enum handover_tag)tag, frame->fields[tag], b);
    }
}

/* Takes one field off the front of *rest. */
static bool cut_field(struct text *rest, struct handover_frame *frame)
{
    if (rest->length < FIELD_HEAD)
        return false;
    const unsigned char *head = (const unsigned char *)rest->at;
    size_t length = (size_t)head[1] | (size_t)head[2] << 8;
    if (rest->length - FIELD_HEAD < length)
        return false;
    if (head[0] > 0 && head[0] < HANDOVER_TAGS)
        frame->fields[head[0]] = text_from(rest->at + FIELD_HEAD, length);
    *rest = text_skip(*rest, FIELD_HEAD + length);
    return true;
}

bool handover_parse(struct text bytes, struct handover_frame *frame_out)
{
    struct handover_frame frame = { 0 };

    if (bytes.length < HEAD_SIZE || bytes.length > HANDOVER_FRAME_MOST ||
        !text_starts_with(bytes, TEXT_OF(MAGIC)))
        return false;
    unsigned char kind = (unsigned char)bytes.at[HEAD_SIZE - 1];
    frame.kind = kind < HANDOVER_KINDS ? (enum handover_kind)kind : HANDOVER_KINDS;
    struct text rest = text_skip(bytes, HEAD_SIZE);
    while (rest.length > 0) {
        if (!cut_field(&rest, &frame))
            return false;
    }
    *frame_out = frame;
    return kind != 0;
}

bool handover_number(const struct handover_frame *frame, uint64_t *value_out)
{
    return text_parse_u64(frame->fields[HANDOVER_NUMBER], value_out);
}

/* ---- at the start --------------------------------------------------------------------------- */

static bool is_socket(int fd)
{
    int type = 0;
    socklen_t size = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

static int get_fd(void)
{
    uint64_t number = 0;

    if (!text_parse_u64(text_of(getenv(HANDOVER_VARIABLE)), &number) || number > INT32_MAX ||
        !is_socket((int)number))
        return -1;
    return (int)number;
}

int handover_take_fd(void)
{
    int fd = get_fd();

    unsetenv(HANDOVER_VARIABLE);
    if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    return fd;
}

void handover_refuse(struct text why)
{
    struct handover_frame frame = { .kind = HANDOVER_REFUSED };
    struct builder b;
    int fd = get_fd();

    if (fd < 0)
        return;
    frame.fields[HANDOVER_TEXT] = why;
    builder_init(&b, HANDOVER_FRAME_MOST);
    handover_print(&frame, &b);
    /* It looks at our exit status as well. */
    if (send(fd, b.at, b.length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        builder_clear(&b);
    builder_fini(&b);
}
