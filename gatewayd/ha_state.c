/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ha_state.c - NAME.state: "MASTER|BACKUP|FAULT|STOP SECONDS", put in place by keepalived's notify
 * script. A change is told by inotify; a look now and then finds what that missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "gatewayd/ha_private.h"

#define PATH_SIZE  256
#define STATE_MOST 64

bool ha_state_parse(struct text text, enum ha_vrrp *vrrp_out, int64_t *since_out)
{
    static const struct {
        struct text word;
        enum ha_vrrp vrrp;
    } words[] = {
        { TEXT("MASTER"), HA_MASTER },
        { TEXT("BACKUP"), HA_BACKUP },
        { TEXT("FAULT"), HA_FAULT },
        { TEXT("STOP"), HA_STOP },
    };
    struct text line = text_first(text, text_find_byte(text, '\n'));
    struct text word = text_first(line, text_find_byte(line, ' '));
    int64_t seconds = 0;

    if (word.length < line.length &&
        (!text_parse_i64(text_trim(text_skip(line, word.length + 1)), &seconds) || seconds < 0 ||
         seconds > INT64_MAX / 1000))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (!text_equals(word, words[i].word))
            continue;
        *vrrp_out = words[i].vrrp;
        *since_out = seconds * 1000;
        return true;
    }
    return false;
}

/* A file that is not there says nothing: what was heard last may have been long ago. */
static void read_state(const struct ha_place *p, enum ha_vrrp *vrrp_out, int64_t *since_out)
{
    char path[PATH_SIZE];
    char text[STATE_MOST];
    ssize_t n = -1;
    int fd = -1;

    *vrrp_out = HA_UNKNOWN;
    *since_out = 0;
    if (ha_print_path(p->ha, p->address->name, ".state", path, sizeof(path)))
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    n = read(fd, text, sizeof(text));
    close(fd);
    if (n > 0 && !ha_state_parse(text_from(text, (size_t)n), vrrp_out, since_out))
        log_debug(&p->ha->log, "%s is not understood", path);
}

void ha_state_look(struct ha *ha)
{
    for (size_t i = 0; i < ha->count; i++) {
        struct ha_place *p = &ha->places[i];
        enum ha_vrrp before = p->vrrp;
        read_state(p, &p->vrrp, &p->vrrp_since);
        if (p->vrrp == before)
            continue;
        p->vrrp_ms = loop_now_ms(ha->loop);
        ha_on_vrrp(p, before);
    }
}

static void on_change(void *arg)
{
    struct ha *ha = arg;
    char events[4096];

    while (read(ha->states.fd, events, sizeof(events)) > 0)
        continue;
    ha_state_look(ha);
}

void ha_state_start(struct ha *ha)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    ha->states.fd = fd;
    if (fd >= 0 &&
        inotify_add_watch(fd, ha->folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE) < 0) {
        close(fd);
        ha->states.fd = -1;
    }
    if (ha->states.fd < 0) {
        log_warn(&ha->log, "%s cannot be watched: %s; it is looked at now and then", ha->folder,
                 strerror(errno));
    } else {
        loop_watch_init(&ha->states.watch, ha->loop, fd, ha);
        loop_watch_start_read(&ha->states.watch, on_change);
    }
    ha_state_look(ha);
}

void ha_state_stop(struct ha *ha)
{
    if (ha->states.fd < 0)
        return;
    loop_watch_stop(&ha->states.watch);
    close(ha->states.fd);
    ha->states.fd = -1;
}
