/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket.h - one stream connection, plain or TLS, on a loop.
 *
 * Embedded in a connection of either side; belongs to its worker. The read event is registered once
 * and left (level-triggered); the write event is on only after a short write. Calls never call
 * back: what is known at once is returned, everything else arrives from the loop through the
 * handlers. Inside a handler the owner may close the socket, but must bury its memory (loop_bury).
 * Deadlines are the owner's: one loop_timer for connecting, handshaking, reading, idling.
 *
 *   closed --open--> [handshaking -->] ready --> closed
 *   closed --connect--> connecting [--> handshaking] --> ready --> closed
 */
#ifndef GATEWAYD_NET_SOCKET_H
#define GATEWAYD_NET_SOCKET_H

#include <sys/uio.h>

#include "conf/base/address.h"
#include "gatewayd/core/loop.h"
#include "gatewayd/net/io.h"
#include "gatewayd/net/outq.h"

struct metrics_block;
struct tls_server;
struct tls_client;
struct tls_stream;
struct tls_session;

enum socket_state { SOCKET_CLOSED, SOCKET_CONNECTING, SOCKET_HANDSHAKING, SOCKET_READY };

/* Why a socket is broken. */
enum socket_why {
    SOCKET_OK,
    SOCKET_REFUSED,     /* nobody listens there */
    SOCKET_UNREACHABLE, /* no route, no such unix socket */
    SOCKET_TIMED_OUT,   /* the kernel gave up (TCP_USER_TIMEOUT, keepalive) */
    SOCKET_RESET,       /* the peer dropped the connection */
    SOCKET_CUT,         /* TLS: ended without close_notify in the middle of a record or handshake */
    SOCKET_TLS,         /* TLS: handshake or record refused; see socket_print_why */
    SOCKET_NO_RESOURCE, /* descriptors or local ports ran out */
    SOCKET_OTHER,
};

typedef void socket_fn(void *arg);

/* Constant, one per kind of owner. */
struct socket_handlers {
    /* Connected and, with TLS, shaken hands (after socket_connect or socket_start_tls_* answered
     * IO_AGAIN); or failed: state is SOCKET_READY or the socket is broken (socket_why). */
    socket_fn *on_ready;
    /* There may be something to read (bytes, the end, an error). */
    socket_fn *on_readable;
    /* After a write answered IO_AGAIN: there is room again. */
    socket_fn *on_writable;
};

/* Small: a node holds tens of thousands of idle ones. */
struct socket {
    const struct socket_handlers *handlers;
    void *arg;
    struct tls_stream *tls; /* NULL: plain */
    struct loop_watch watch;
    int error; /* errno of the failed call, 0 */
    enum socket_state state : 8;
    enum socket_why why : 8;
    bool wants_read;  /* not paused */
    bool wants_write; /* on_writable is due */
    bool read_ended;  /* the last read was short: nothing more for now */
    bool shut;        /* our side is ended */
};

/* ---- life ----------------------------------------------------------------------------------- */

/* Once, before anything else; the socket is closed. */
void socket_init(struct socket *s, struct loop *loop, const struct socket_handlers *handlers,
                 void *arg);

/* Takes over an accepted (non-blocking) descriptor: ready, reading. */
void socket_open(struct socket *s, int fd);

/* Connects. IO_DONE: ready at once (unix); IO_AGAIN: on_ready follows; IO_BROKEN: see socket_why,
 * nothing is open. Reading starts when ready. */
MUST_USE enum io socket_connect(struct socket *s, const struct address *to);

/* Begins TLS on a ready socket: IO_AGAIN, on_ready follows; or IO_BROKEN. No reference to `tls` is
 * taken beyond the call. */
MUST_USE enum io socket_start_tls_server(struct socket *s, struct tls_server *tls);

/* `server_name` (may be empty: by the context) is sent as SNI and verified. `session` (may be NULL)
 * remembers sessions of this target on this worker: it must outlive the socket. */
MUST_USE enum io socket_start_tls_client(struct socket *s, struct tls_client *tls,
                                         struct text server_name, struct tls_session *session);

/* Ends everything at once (TLS says goodbye if that takes no waiting); no handler is called any
 * more. Safe on a closed socket. */
void socket_close(struct socket *s);

/* For an answer to a peer that still sends (413, 431, 400 …): ends our side, reads and drops what
 * comes, then closes, so that the answer is not lost to a reset. Over when the peer ends its side
 * or has sent nothing for two seconds, after thirty seconds, or `max_bytes`. The socket is closed
 * for its owner at once. All queued output must have been written. While it lingers it counts in
 * `place` (METRICS_ADDRESS; NULL: nowhere). */
void socket_close_lingering(struct socket *s, size_t max_bytes, struct metrics_block *place);

/* Runs the loop until nothing lingers on it any more, for at most `ms`: at the end of a thread. */
void socket_finish_lingering(struct loop *loop, uint64_t ms);

/* Closes at once what still lingers on this thread's loop: before the loop is freed. */
void socket_stop_lingering(void);

/* Drops the connection with a reset. */
void socket_reset(struct socket *s);

/* Ends our side (TLS: close_notify); reading goes on. */
void socket_shutdown(struct socket *s);

/* Lets go of the descriptor of a plain ready socket (for a hand-over); -1 if there is none. */
int socket_take_fd(struct socket *s);

/* Other owner, same connection (a connection parked and taken again). */
void socket_set_handlers(struct socket *s, const struct socket_handlers *handlers, void *arg);

static inline bool socket_is_open(const struct socket *s)
{
    return s->state != SOCKET_CLOSED;
}

static inline bool socket_is_ready(const struct socket *s)
{
    return s->state == SOCKET_READY;
}

static inline bool socket_is_tls(const struct socket *s)
{
    return s->tls != NULL;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* IO_DONE: *got_out bytes (1..size). Fewer than `size` means that there is no more for now: do not
 * read again before on_readable. If the owner stops short of that, on_readable comes again. IO_EOF
 * pauses reading: it is told once. */
MUST_USE enum io socket_read(struct socket *s, void *into, size_t size, size_t *got_out);

/* As socket_read, but the bytes stay: for what must not be read too far (a PROXY header before
 * TLS). Plain sockets only. Take what was looked at before the next turn, or on_readable comes at
 * once. */
MUST_USE enum io socket_peek(struct socket *s, void *into, size_t size, size_t *got_out);

/* Is there something to read, or the end, or an error, that nobody took yet? Asks the kernel (one
 * recv(2) with MSG_PEEK): for the rare case in which no event could have said so. */
MUST_USE bool socket_has_unread(struct socket *s);

/* *written_out may be short of the sum: then IO_AGAIN and on_writable follows; go on with the same
 * bytes first. TLS puts what fits into one record. */
MUST_USE enum io socket_writev(struct socket *s, const struct iovec *iov, unsigned count,
                               size_t *written_out);

/* Writes the queue's front and removes what went out. IO_DONE: it is empty. */
MUST_USE enum io socket_write_queue(struct socket *s, struct outq *q);

/* Only when a body is really blocked: costs an epoll_ctl. Idempotent. */
void socket_pause_read(struct socket *s);
void socket_resume_read(struct socket *s);

/* Gives back what is not needed while nothing happens. */
static inline void socket_trim(struct socket *s)
{
    loop_watch_trim(&s->watch);
}

/* Asks for one on_writable although no write was short (to learn when splicing can go on). */
void socket_want_write(struct socket *s);

/* The last read was short: nothing more to read right now (a hint, never wrong about `true`). */
static inline bool socket_is_drained(const struct socket *s)
{
    return s->read_ended;
}

/* ---- splice --------------------------------------------------------------------------------- */

/* A pipe through which bytes move between two plain sockets without being copied. */
struct socket_pipe {
    int in;  /* write end */
    int out; /* read end */
    size_t filled;
    struct socket_pipe *next;
};

/* Idle pipes of a worker. */
struct socket_pipes {
    struct socket_pipe *idle;
    unsigned count;
};

void socket_pipes_init(struct socket_pipes *p);
void socket_pipes_fini(struct socket_pipes *p);
/* NULL: no descriptors; copy instead. */
MUST_USE struct socket_pipe *socket_pipe_take(struct socket_pipes *p);
void socket_pipe_give(struct socket_pipes *p,
                      struct socket_pipe *pipe); /* a filled one is closed */

static inline bool socket_can_splice(const struct socket *s)
{
    return s->tls == NULL && s->state == SOCKET_READY;
}

/* Moves up to `size` bytes from the socket into the pipe. As socket_read. */
MUST_USE enum io socket_splice_in(struct socket *from, struct socket_pipe *pipe, size_t size,
                                  size_t *moved_out);
/* Moves what the pipe holds to the socket. IO_DONE: the pipe is empty. As socket_writev. `more`:
 * further bytes will follow at once. */
MUST_USE enum io socket_splice_out(struct socket *to, struct socket_pipe *pipe, bool more,
                                   size_t *moved_out);

/* ---- what it is ----------------------------------------------------------------------------- */

/* Asks the kernel; false if it cannot say. */
MUST_USE bool socket_get_local(const struct socket *s, struct address *local_out);

static inline enum socket_why socket_why(const struct socket *s)
{
    return s->why;
}

#define SOCKET_WHY_SIZE 256

/* "connection refused", "the certificate has expired": borrowed from `into` or constant. For TLS
 * before the socket is closed. */
struct text socket_print_why(const struct socket *s, char into[SOCKET_WHY_SIZE]);

/* Empty without TLS; borrowed for the life of the connection. */
struct text socket_alpn(const struct socket *s);
struct text socket_sni(const struct socket *s);
struct text socket_tls_version(const struct socket *s);
struct text socket_tls_cipher(const struct socket *s);
bool socket_tls_is_resumed(const struct socket *s);

/* The common name of the verified client certificate, into `into`; empty if there is none. */
struct text socket_peer_name(const struct socket *s, char into[SOCKET_WHY_SIZE]);

#endif
