/* SPDX-License-Identifier: Apache-2.0 */
/* parted.c - see parted.h. All numbers are little-endian (pack.h). */
#include "cluster/parted.h"

#include <sys/stat.h>
#include <unistd.h>

#include "cluster/disk.h"
#include "cluster/frame.h"
#include "cluster/pack.h"
#include "cluster/state_dir.h"
#include "cluster/store_embedded.h"

#define FILE_NAME  "parted"
#define FILE_ASIDE "parted.new"
#define VERSION    1

enum parted_frame { PARTED_BASE = 1, PARTED_ENTRY, PARTED_PART, PARTED_SEAL, PARTED_SETTLED };

void parted_init(struct parted *p)
{
    *p = (struct parted){ .newest = 0 };
    list_init(&p->entries);
}

void parted_fini(struct parted *p)
{
    LIST_EACH_SAFE (node, following, &p->entries) {
        struct store_embedded_incoming *in = LIST_ITEM(node, struct store_embedded_incoming, node);
        list_remove(&in->node);
        store_embedded_incoming_free(&in);
    }
}

/* ---- writing ---- */

struct writer {
    int fd;
    uint64_t at;
    const char *why;
    bool is_good;
};

static void add(struct writer *w, enum parted_frame kind, struct text payload)
{
    struct builder b;
    if (!w->is_good)
        return;
    builder_init(&b, SIZE_MAX);
    frame_add(&b, kind, 0, payload);
    w->is_good = disk_write(w->fd, builder_text(&b), w->at, &w->why) == DISK_DONE;
    w->at += builder_text(&b).length;
    builder_fini(&b);
}

static void add_id(struct builder *b, const struct entry_id *id)
{
    builder_add(b, text_from((const char *)id->bytes, ENTRY_ID_SIZE));
}

static void add_base(struct writer *w, const struct parted *p)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    pack_add_u32(&b, VERSION);
    pack_add_u64(&b, p->common);
    pack_add_u64(&b, p->newest);
    add_id(&b, &p->id);
    pack_add_u8(&b, p->is_trimmed);
    add(w, PARTED_BASE, builder_text(&b));
    builder_fini(&b);
}

static void add_entry(struct writer *w, const struct store_embedded_incoming *in)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    pack_add_u64(&b, in->head.revision);
    add_id(&b, &in->head.id);
    add_id(&b, &in->head.prev);
    pack_add_u64(&b, (uint64_t)in->head.time_ms);
    pack_add_text(&b, in->head.author);
    pack_add_text(&b, in->head.summary);
    add(w, PARTED_ENTRY, builder_text(&b));
    builder_fini(&b);
    for (size_t i = 0; i < in->part_count; i++)
        add(w, PARTED_PART, in->parts[i]);
}

static void add_settled(struct writer *w, uint64_t settled)
{
    struct builder b;
    builder_init(&b, SIZE_MAX);
    pack_add_u64(&b, settled);
    add(w, PARTED_SETTLED, builder_text(&b));
    builder_fini(&b);
}

bool parted_write(const struct parted *p, const struct state_dir *dir, const char **why_out)
{
    struct writer w = { .fd = -1, .why = NULL };
    unlinkat(dir->fd, FILE_ASIDE, 0);
    w.is_good = disk_create(dir->fd, FILE_ASIDE, &w.fd, &w.why) == DISK_DONE;
    add_base(&w, p);
    LIST_EACH (node, &p->entries)
        add_entry(&w, LIST_ITEM(node, struct store_embedded_incoming, node));
    add(&w, PARTED_SEAL, TEXT_EMPTY);
    w.is_good = w.is_good && disk_sync(w.fd, &w.why) == DISK_DONE;
    if (w.fd >= 0)
        close(w.fd);
    w.is_good = w.is_good && disk_rename(dir->fd, FILE_ASIDE, FILE_NAME, &w.why) == DISK_DONE &&
                disk_sync_dir(dir->fd, &w.why) == DISK_DONE;
    if (!w.is_good)
        unlinkat(dir->fd, FILE_ASIDE, 0);
    *why_out = w.why;
    return w.is_good;
}

static bool open_file(const struct state_dir *dir, int *fd_out, uint64_t *size_out)
{
    struct problems ps;
    struct stat st;
    problems_init(&ps);
    bool is_open = state_dir_open_file(dir, FILE_NAME, fd_out, &ps) && *fd_out >= 0;
    problems_fini(&ps);
    if (!is_open || fstat(*fd_out, &st) != 0)
        return false;
    *size_out = (uint64_t)st.st_size;
    return true;
}

bool parted_settle(const struct state_dir *dir, uint64_t settled, const char **why_out)
{
    struct writer w = { .fd = -1, .why = "it is not there", .is_good = true };
    if (!open_file(dir, &w.fd, &w.at)) {
        *why_out = w.why;
        return false;
    }
    add_settled(&w, settled);
    w.is_good = w.is_good && disk_sync(w.fd, &w.why) == DISK_DONE;
    close(w.fd);
    *why_out = w.why;
    return w.is_good;
}

bool parted_remove(const struct state_dir *dir, const char **why_out)
{
    return unlinkat(dir->fd, FILE_NAME, 0) != 0 || disk_sync_dir(dir->fd, why_out) == DISK_DONE;
}

/* ---- reading ---- */

static void read_id(struct pack_reader *r, struct entry_id *id_out)
{
    struct text bytes = pack_read_bytes(r, ENTRY_ID_SIZE);
    if (!r->is_bad)
        memcpy(id_out->bytes, bytes.at, ENTRY_ID_SIZE);
}

static bool read_base(struct parted *p, struct text payload)
{
    struct pack_reader r = pack_reader_of(payload);
    uint32_t version = pack_read_u32(&r);
    p->common = pack_read_u64(&r);
    p->newest = pack_read_u64(&r);
    read_id(&r, &p->id);
    p->is_trimmed = pack_read_u8(&r) != 0;
    return pack_reader_is_done(&r) && version == VERSION;
}

static bool read_entry(struct parted *p, struct text payload)
{
    struct pack_reader r = pack_reader_of(payload);
    struct entry_head head;
    head.revision = pack_read_u64(&r);
    read_id(&r, &head.id);
    read_id(&r, &head.prev);
    head.time_ms = (int64_t)pack_read_u64(&r);
    head.author = pack_read_text(&r);
    head.summary = pack_read_text(&r);
    if (!pack_reader_is_done(&r))
        return false;
    struct store_embedded_incoming *in = store_embedded_incoming_new(&head);
    list_add_last(&p->entries, &in->node);
    return true;
}

static bool read_settled(struct parted *p, struct text payload)
{
    struct pack_reader r = pack_reader_of(payload);
    p->settled = pack_read_u64(&r);
    return pack_reader_is_done(&r);
}

static bool read_part(struct parted *p, struct text payload)
{
    if (list_is_empty(&p->entries))
        return false;
    store_embedded_incoming_add(LIST_ITEM(p->entries.prev, struct store_embedded_incoming, node),
                                payload);
    return true;
}

/* False: it is damaged. */
static bool read_frame(struct parted *p, const struct frame *frame, bool *is_sealed)
{
    switch ((enum parted_frame)frame->kind) {
    case PARTED_BASE:
        return read_base(p, frame->payload);
    case PARTED_ENTRY:
        return read_entry(p, frame->payload);
    case PARTED_PART:
        return read_part(p, frame->payload);
    case PARTED_SEAL:
        *is_sealed = true;
        return true;
    case PARTED_SETTLED:
        return read_settled(p, frame->payload);
    }
    return false;
}

bool parted_read(struct parted *p, const struct state_dir *dir, const char **why_out)
{
    int fd = -1;
    uint64_t size;
    struct frame_reader reader;
    struct frame frame;
    bool is_sealed = false;
    bool is_good = true;
    *why_out = NULL;
    if (!open_file(dir, &fd, &size))
        return false;
    frame_reader_init(&reader, fd, 0, size);
    /* The end may be torn: then a little less is known to be settled. */
    while (is_good && frame_reader_next(&reader, &frame, why_out) == FRAME_READ_DONE)
        is_good = read_frame(p, &frame, &is_sealed);
    frame_reader_fini(&reader);
    close(fd);
    if (is_good && is_sealed)
        return true;
    *why_out = *why_out == NULL ? "it is damaged" : *why_out;
    return false;
}
