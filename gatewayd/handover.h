/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover.h - what two processes of one node say to each other while one takes the place of the
 * other, and how it looks on the wire.
 *
 * They are joined by a socketpair of datagrams in their order (SOCK_SEQPACKET), so a frame is one
 * datagram; descriptors travel beside it. A frame is
 *
 *     "GWUP" · kind 1 · fields        a field: tag 1 · length 2 (little-endian) · bytes
 *
 * Fields of unknown tags and frames of unknown kinds are passed over, so that versions can differ;
 * what cannot be passed over raises HANDOVER_PROTOCOL, and then each side refuses the other with a
 * sentence. Neither side believes the other more than it must: every length is checked.
 *
 *     the old process                                  the new process
 *     HELLO, LISTENERS …, SECRET, DRAINED …, END  ─▶   binds what is missing, checks, loads
 *                                                 ◀─   WORD …   (still at it)
 *                                                 ◀─   CAN      (or REFUSED, why)
 *     writes stop, state.dir is let go of
 *     STATE …, RELEASED                           ─▶   takes state.dir, reads the rest
 *                                                 ◀─   SERVING, LEFT …
 *     ANEW, DRAINED …, YOURS                      ─▶
 *     drains                                      ◀─   MINE
 *                                                      listens on what is new, accepts
 *                                                 ◀─   ACCEPTING
 *                                                 ◀─   REVOKED  (for as long as it drains)
 *     ENDED, REST                                 ─▶
 */
#ifndef GATEWAYD_HANDOVER_H
#define GATEWAYD_HANDOVER_H

#include "conf/base/builder.h"
#include "conf/base/text.h"

/* The environment's variable that names the descriptor of the new process's end. */
#define HANDOVER_VARIABLE "GATEWAYD_HANDOVER"

#define HANDOVER_PROTOCOL   1
#define HANDOVER_FRAME_MOST 16384
#define HANDOVER_FDS_MOST   200 /* the kernel takes 253 with one datagram */

/* On the wire: never renumber. */
enum handover_kind {
    HANDOVER_HELLO = 1,     /* NUMBER: protocol; TEXT: version of the program */
    HANDOVER_LISTENERS = 2, /* descriptors of one address; SCOPE, NAME, ADDRESS, FLAGS */
    HANDOVER_SECRET = 3,    /* SECRET: of TLS tickets */
    HANDOVER_DRAINED = 4,   /* the operator drains NAME (a listener); empty: the node */
    HANDOVER_END = 5,       /* that was all there is to begin with */
    HANDOVER_WORD = 6,      /* TEXT: what is being done; the deadline begins anew */
    HANDOVER_CAN = 7,
    HANDOVER_REFUSED = 8, /* TEXT: why; the process ends */
    HANDOVER_STATE = 9,   /* SCOPE: whose; a descriptor of memory that holds it */
    HANDOVER_RELEASED = 10,
    HANDOVER_LEFT = 11, /* SCOPE, ADDRESS: these listeners it has no use for */
    HANDOVER_SERVING = 12,
    HANDOVER_YOURS = 13,
    HANDOVER_REVOKED = 14,   /* SECRET: a key's digest; NUMBER: of the question */
    HANDOVER_ENDED = 15,     /* NUMBER: what began with that key has ended */
    HANDOVER_BYE = 16,       /* the new process was told to end */
    HANDOVER_ANEW = 17,      /* what is drained follows once more, as it is by now */
    HANDOVER_MINE = 18,      /* it has read YOURS: from here on there is no way back */
    HANDOVER_ACCEPTING = 19, /* whoever comes to any of its listeners is let in */
    HANDOVER_REST = 20, /* TEXT: connections, exchanges, streams that the old process has left */
    HANDOVER_KINDS
};

enum handover_tag {
    HANDOVER_NUMBER = 1, /* decimal */
    HANDOVER_TEXT = 2,
    HANDOVER_SCOPE = 3,
    HANDOVER_NAME = 4,
    HANDOVER_ADDRESS = 5,
    HANDOVER_FLAGS = 6,
    HANDOVER_SECRET_BYTES = 7,
    HANDOVER_TAGS
};

/* Lifetime: its bytes. Absent fields are empty. */
struct handover_frame {
    enum handover_kind kind;
    struct text fields[HANDOVER_TAGS];
};

/* "g" in FLAGS: systemd gave the descriptor, it outlives both processes. */
#define HANDOVER_FLAG_GIVEN "g"

/* SCOPE of what is drained: a virtual address, not a listener. */
#define HANDOVER_SCOPE_ADDRESS "address"

/* Adds the frame; fields past what a frame holds are cut (texts for people only). */
void handover_print(const struct handover_frame *frame, struct builder *b);

/* False: this is no frame. A kind that is not known is HANDOVER_KINDS or above. */
MUST_USE bool handover_parse(struct text bytes, struct handover_frame *frame_out);

/* The descriptor that the environment names, which names it no more; -1: no process started this
 * one to take its place. Once, at start. */
int handover_take_fd(void);

/* Before there is a loop: tells the process that started this one why it cannot take its place. */
void handover_refuse(struct text why);

/* The decimal in a field; false if there is none. */
MUST_USE bool handover_number(const struct handover_frame *frame, uint64_t *value_out);

#endif
