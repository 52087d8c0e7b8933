/* SPDX-License-Identifier: Apache-2.0 */
/* h1_writer.c - see h1_writer.h. */
#include "gatewayd/http/h1_writer.h"

#include "gatewayd/http/h1_chunked.h"

/* A piece as short as this is put behind the head, to be written with it from one place: that is
 * cheaper than two places. */
#define JOIN_MAX 4096

/* The CR LF behind the last data, the last chunk and an empty trailer section. */
#define LAST_CHUNK_SIZE 8

/* What is passed to one system call, and how far it went. */
struct batch {
    struct iovec iov[4];
    unsigned count;
    size_t before; /* bytes of framing before the piece */
    size_t piece;  /* bytes of the piece */
    size_t total;
};

static const struct sink_type sink_type;

static struct h1_writer *writer_of(struct sink *s)
{
    return CONTAINER_OF(s, struct h1_writer, sink);
}

void h1_writer_init(struct h1_writer *w, struct socket *socket, struct buffer_pool *buffers)
{
    *w = (struct h1_writer){
        .sink = { &sink_type },
        .socket = socket,
        .buffers = buffers,
        .state = H1_WRITER_CLOSED,
    };
}

void h1_writer_fini(struct h1_writer *w)
{
    buffer_unref(&w->out);
    w->out_at = 0;
    w->out_end = 0;
    w->state = H1_WRITER_CLOSED;
}

/* ---- what is kept ------------------------------------------------------------------------- */

static size_t kept(const struct h1_writer *w)
{
    return w->out_end - w->out_at;
}

/* Room for `size` more bytes of framing. */
static char *make_room(struct h1_writer *w, size_t size)
{
    if (w->out == NULL) {
        w->out = size <= BUFFER_SIZE ? buffer_new(w->buffers) : buffer_new_big(w->buffers);
        w->out_at = 0;
        w->out_end = 0;
    }
    if (w->out->size - w->out_end < size && kept(w) + size <= w->buffers->big.block_size) {
        struct buffer *big = buffer_new_big(w->buffers);
        unsigned length = (unsigned)kept(w);

        memcpy(big->bytes, w->out->bytes + w->out_at, length);
        buffer_unref(&w->out);
        w->out = big;
        w->out_at = 0;
        w->out_end = length;
    }
    return w->out->size - w->out_end < size ? NULL : w->out->bytes + w->out_end;
}

char *h1_writer_reserve(struct h1_writer *w, size_t size, size_t *room_out)
{
    char *at = make_room(w, size);

    if (at == NULL) {
        return NULL;
    }
    *room_out = w->out->size - w->out_end;
    return at;
}

static bool keep(struct h1_writer *w, struct text bytes)
{
    if (bytes.length == 0) {
        return true;
    }
    char *at = make_room(w, bytes.length);
    if (at == NULL) {
        return false;
    }
    memcpy(at, bytes.at, bytes.length);
    w->out_end += (unsigned)bytes.length;
    return true;
}

/* `bytes` of what is kept were written. */
static void forget(struct h1_writer *w, size_t bytes)
{
    w->out_at += (unsigned)bytes;
    if (w->out_at == w->out_end) {
        buffer_unref(&w->out);
        w->out_at = 0;
        w->out_end = 0;
    }
}

/* `bytes` went out. */
static void count_wire(struct h1_writer *w, uint64_t bytes)
{
    if (w->wire == 0 && bytes > 0) {
        w->begun_turn = loop_turn_number(w->socket->watch.loop);
    }
    w->wire += bytes;
}

/* ---- the message -------------------------------------------------------------------------- */

void h1_writer_start(struct h1_writer *w, size_t head_length, enum body_framing framing,
                     uint64_t length)
{
    w->out_end += (unsigned)head_length;
    w->framing = framing;
    w->left = framing == BODY_LENGTH ? length : 0;
    w->is_between = true;
    w->sent = 0;
    w->wire = 0;
    w->state = H1_WRITER_OPEN;
}

void h1_writer_upgrade(struct h1_writer *w)
{
    w->framing = BODY_CLOSE;
    w->state = H1_WRITER_OPEN;
}

/* Everything is with the kernel. */
static void ended(struct h1_writer *w)
{
    w->state = H1_WRITER_ENDED;
    w->ended_ms = loop_now_ms(w->socket->watch.loop);
}

static enum io broken(struct h1_writer *w)
{
    w->state = H1_WRITER_BROKEN;
    return IO_BROKEN;
}

/* Being asked again while nothing went out makes the peer no quicker. */
static enum io blocked(struct h1_writer *w)
{
    if (w->blocked_ms == 0 || w->blocked_wire != w->wire) {
        w->blocked_ms = loop_now_ms(w->socket->watch.loop);
        w->blocked_wire = w->wire;
    }
    w->is_blocked = true;
    return IO_AGAIN;
}

enum io h1_writer_flush(struct h1_writer *w)
{
    if (w->out == NULL || kept(w) == 0) {
        buffer_unref(&w->out);
        return IO_DONE;
    }
    struct iovec iov = { w->out->bytes + w->out_at, kept(w) };
    size_t written = 0;
    enum io io = socket_writev(w->socket, &iov, 1, &written);

    if (io == IO_BROKEN || io == IO_EOF) {
        return broken(w);
    }
    count_wire(w, written);
    forget(w, written);
    return io;
}

void h1_writer_push(struct h1_writer *w)
{
    if (h1_writer_flush(w) == IO_BROKEN) {
        w->state = H1_WRITER_BROKEN;
    }
}

bool h1_writer_put(struct h1_writer *w, struct text bytes)
{
    if (!keep(w, bytes)) {
        return false;
    }
    return h1_writer_flush(w) != IO_BROKEN;
}

/* The size line of a new chunk, unless one is still open. Returns how much of the piece belongs to
 * the open chunk. */
static size_t announce_chunk(struct h1_writer *w, struct text piece, bool *is_last)
{
    char line[H1_CHUNKED_PREFIX_SIZE];

    if (w->left == 0 && piece.length > 0) {
        if (!keep(w, h1_chunked_print_size(piece.length, w->is_between, line))) {
            return 0;
        }
        w->is_between = false;
        w->left = piece.length;
    }
    if (piece.length > w->left) {
        *is_last = false;
        return (size_t)w->left;
    }
    return piece.length;
}

static void batch_add(struct batch *b, const char *at, size_t length)
{
    if (length > 0) {
        b->iov[b->count++] = (struct iovec){ (void *)(uintptr_t)at, length };
        b->total += length;
    }
}

/* What of the batch went out, told apart. The suffix that did not is kept. */
static size_t settle(struct h1_writer *w, const struct batch *b, size_t written, struct text suffix)
{
    size_t framing = written < b->before ? written : b->before;
    size_t taken = written - framing < b->piece ? written - framing : b->piece;

    forget(w, framing);
    if (taken == b->piece && b->before == framing) {
        bool is_kept = keep(w, text_skip(suffix, written - framing - taken));
        MUST(is_kept);
    }
    return taken;
}

/* Body bytes were taken: the announced length or chunk is that much shorter. */
static void account(struct h1_writer *w, size_t taken)
{
    w->sent += taken;
    if (w->framing == BODY_LENGTH || w->framing == BODY_CHUNKED) {
        MUST(taken <= w->left);
        w->left -= taken;
    }
}

/* After the last piece: whether everything is with the kernel. */
static enum io end(struct h1_writer *w)
{
    if (kept(w) > 0) {
        w->state = H1_WRITER_ENDING;
        return blocked(w);
    }
    buffer_unref(&w->out);
    ended(w);
    return IO_DONE;
}

/* A short piece that is framed by nothing goes out with the head in front of it. */
static bool can_join(const struct h1_writer *w, struct text piece)
{
    return w->out != NULL && w->framing != BODY_CHUNKED && piece.length <= JOIN_MAX &&
           w->out->size - w->out_end >= piece.length;
}

/* All of it is taken: what cannot be written now is kept. */
static enum io write_joined(struct h1_writer *w, struct text piece, bool is_last, size_t *taken_out)
{
    if (piece.length > 0)
        memcpy(w->out->bytes + w->out_end, piece.at, piece.length);
    w->out_end += (unsigned)piece.length;
    account(w, piece.length);
    *taken_out = piece.length;
    enum io io = h1_writer_flush(w);
    if (io != IO_DONE && io != IO_AGAIN)
        return io;
    if (is_last)
        return end(w);
    return io == IO_DONE ? IO_DONE : blocked(w);
}

/* As much of the piece as fits the open chunk, in one system call. */
static enum io write_piece(struct h1_writer *w, struct text piece, bool is_last, size_t *taken_out)
{
    char last[LAST_CHUNK_SIZE];
    struct text suffix = TEXT_EMPTY;
    struct batch b = { .piece = piece.length };
    size_t written = 0;
    enum io io = IO_DONE;

    if (can_join(w, piece)) {
        return write_joined(w, piece, is_last, taken_out);
    }
    if (w->framing == BODY_CHUNKED) {
        bool fits = is_last;
        b.piece = announce_chunk(w, piece, &fits);
        if (is_last && fits) {
            suffix =
                text_from(last, h1_chunked_print_last(NULL, w->is_between, last, sizeof(last)));
        } else if (b.piece > 0 && b.piece == w->left) {
            /* Not with the next chunk, which may be long in coming: many a client hands a chunk on
             * only when it has seen its end. */
            suffix = TEXT_OF("\r\n");
        }
        is_last = fits;
    }
    b.before = kept(w);
    if (w->out != NULL) {
        batch_add(&b, w->out->bytes + w->out_at, b.before);
    }
    batch_add(&b, piece.at, b.piece);
    batch_add(&b, suffix.at, suffix.length);
    if (b.count > 0) {
        io = socket_writev(w->socket, b.iov, b.count, &written);
    }
    if (io == IO_BROKEN || io == IO_EOF) {
        return broken(w);
    }
    count_wire(w, written);
    *taken_out = settle(w, &b, written, suffix);
    account(w, *taken_out);
    w->is_between = w->is_between || (suffix.length > 0 && *taken_out == b.piece);
    if (*taken_out < b.piece) {
        return blocked(w);
    }
    if (is_last) {
        return end(w);
    }
    return io == IO_DONE ? IO_DONE : blocked(w);
}

/* A piece may end one chunk and begin another. */
static enum io write_all(struct h1_writer *w, struct text piece, bool is_last, size_t *taken_out)
{
    enum io io;

    do {
        size_t taken = 0;
        io = write_piece(w, piece, is_last, &taken);
        *taken_out += taken;
        piece = text_skip(piece, taken);
    } while (io == IO_DONE && piece.length > 0);
    return io;
}

static enum io continue_ending(struct h1_writer *w)
{
    enum io io = h1_writer_flush(w);

    if (io == IO_DONE) {
        ended(w);
    }
    return io == IO_AGAIN ? blocked(w) : io;
}

static enum io sink_write(struct sink *s, struct text piece, bool is_last, size_t *taken_out)
{
    struct h1_writer *w = writer_of(s);

    *taken_out = 0;
    w->is_blocked = false;
    switch (w->state) {
    case H1_WRITER_ENDED:
        return IO_DONE;
    case H1_WRITER_ENDING:
        return continue_ending(w);
    case H1_WRITER_BROKEN:
        return IO_BROKEN;
    case H1_WRITER_CLOSED:
    case H1_WRITER_OPEN:
        break;
    }
    MUST(w->state == H1_WRITER_OPEN);
    if (!socket_is_ready(w->socket)) {
        return blocked(w);
    }
    if (w->framing == BODY_NONE) {
        size_t none;
        *taken_out = piece.length;
        return write_piece(w, TEXT_EMPTY, is_last, &none);
    }
    return write_all(w, piece, is_last, taken_out);
}

/* Trailers are only for chunked bodies, and only if they fit. */
static enum io sink_end(struct sink *s, const struct headers *trailers)
{
    struct h1_writer *w = writer_of(s);
    size_t taken;

    if (w->state != H1_WRITER_OPEN || w->framing != BODY_CHUNKED) {
        return sink_write(s, TEXT_EMPTY, true, &taken);
    }
    char *at = make_room(w, H1_CHUNKED_TRAILERS_MAX * 2);
    size_t size =
        at == NULL ? 0
                   : h1_chunked_print_last(trailers, w->is_between, at, w->out->size - w->out_end);
    if (size == 0) {
        return sink_write(s, TEXT_EMPTY, true, &taken);
    }
    w->out_end += (unsigned)size;
    w->is_blocked = false;
    w->state = H1_WRITER_ENDING;
    return continue_ending(w);
}

static struct socket *splice_to(struct sink *s)
{
    struct h1_writer *w = writer_of(s);

    if (w->state != H1_WRITER_OPEN || w->framing == BODY_CHUNKED || w->framing == BODY_NONE ||
        kept(w) > 0 || !socket_can_splice(w->socket)) {
        return NULL;
    }
    return w->socket;
}

static void spliced(struct sink *s, uint64_t length, bool is_blocked)
{
    struct h1_writer *w = writer_of(s);

    account(w, (size_t)length);
    count_wire(w, length);
    w->is_blocked = false;
    if (is_blocked) {
        (void)blocked(w);
    }
    if (w->framing == BODY_LENGTH && w->left == 0) {
        ended(w);
    }
}

static const struct sink_type sink_type = {
    .write = sink_write,
    .end = sink_end,
    .splice_to = splice_to,
    .spliced = spliced,
};

/* ---- events ------------------------------------------------------------------------------- */

bool h1_writer_on_writable(struct h1_writer *w)
{
    bool was_blocked = w->is_blocked;

    if (w->state == H1_WRITER_ENDING) {
        if (continue_ending(w) == IO_AGAIN) {
            return false;
        }
    } else if (kept(w) > 0 && h1_writer_flush(w) == IO_AGAIN) {
        return false;
    }
    w->is_blocked = false;
    return was_blocked;
}
