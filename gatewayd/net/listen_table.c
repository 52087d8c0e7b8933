/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen_table.c - binding, and the descriptors the process listens on.
 *
 * Options of a listening TCP socket are inherited by what it accepts, so an accepted connection
 * costs no setsockopt(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "gatewayd/net/listen_private.h"

#define USER_TIMEOUT_MS   30000
#define KEEPALIVE_SECONDS 60
#define FIRST_GIVEN_FD    3 /* sd_listen_fds(3) */
#define MAX_GIVEN_FDS     1024

/* ---- the table ------------------------------------------------------------------------------ */

void listen_table_init(struct listen_table *t)
{
    list_init(&t->entries);
    t->is_waiting = false;
}

static struct listen_entry *add_entry(struct listen_table *t, struct text name,
                                      const struct address *address)
{
    struct listen_entry *e = mem_new(sizeof(*e));
    e->name = mem_copy_text(name.at, name.length);
    e->address = *address;
    list_add_last(&t->entries, &e->node);
    return e;
}

static void add_fd(struct listen_entry *e, int fd)
{
    e->fds = mem_resize(e->fds, (e->count + 1) * sizeof(*e->fds));
    e->fds[e->count++] = fd;
}

void listen_table_close(struct listen_table *t, struct listen_entry *e)
{
    list_remove(&e->node);
    for (unsigned i = 0; i < e->count; i++)
        close(e->fds[i]);
    MEM_FREE(&e->fds);
    MEM_FREE(&e->name);
    MEM_FREE(&e);
}

void listen_table_fini(struct listen_table *t)
{
    while (!list_is_empty(&t->entries))
        listen_table_close(t, LIST_ITEM(t->entries.next, struct listen_entry, node));
}

struct listen_entry *listen_table_find(struct listen_table *t, struct text name)
{
    LIST_EACH (node, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        if (text_equals(name, text_of(e->name)))
            return e;
    }
    return NULL;
}

static struct listen_entry *find_address(struct listen_table *t, const struct address *address)
{
    LIST_EACH (node, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        if (address_equals(&e->address, address))
            return e;
    }
    return NULL;
}

int listen_entry_fd(const struct listen_entry *e, unsigned worker, unsigned workers, unsigned nth)
{
    if (e->is_shared)
        return nth == 0 ? e->fds[0] : -1;
    uint64_t place = worker + (uint64_t)nth * workers;
    return place < e->count ? e->fds[place] : -1;
}

/* ---- binding -------------------------------------------------------------------------------- */

static void set_number(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_comforts(int fd)
{
    set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
    set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_SECONDS);
    set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

static bool set_tcp_options(int fd, int family)
{
    int one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) != 0)
        return false;
    /* [::] is IPv6 only, so that 0.0.0.0 may stand beside it. */
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)
        return false;
    set_comforts(fd);
    return true;
}

static bool is_alive(const struct address *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool answers = connect(fd, &address->any, address->length) == 0 || errno == EAGAIN;
    close(fd);
    return answers;
}

/* A socket file that a dead process left behind is in the way of bind(2). */
static void remove_stale(const struct address *address)
{
    struct stat st;
    if (lstat(address->local.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && !is_alive(address))
        unlink(address->local.sun_path);
}

static bool bind_unix(int fd, const struct address *address)
{
    remove_stale(address);
    if (bind(fd, &address->any, address->length) != 0)
        return false;
    /* Who may connect is decided by the folder it is in. */
    return chmod(address->local.sun_path, 0666) == 0;
}

static bool bind_tcp(int fd, const struct address *address)
{
    return set_tcp_options(fd, address->any.sa_family) &&
           bind(fd, &address->any, address->length) == 0;
}

/* Bound, and listening unless it is to wait. -1 and errno. */
static int open_socket(const struct listen_table *t, const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool bound = listen_is_unix(address) ? bind_unix(fd, address) : bind_tcp(fd, address);
    if (bound && (t->is_waiting || listen(fd, LISTEN_BACKLOG) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool get_bound_address(int fd, struct address *address_out)
{
    struct address a = { .length = sizeof(a.local) };
    if (getsockname(fd, &a.any, &a.length) != 0)
        return false;
    *address_out = a;
    return true;
}

/* SO_REUSEPORT is for our own workers: another process that listens there must be noticed, or the
 * two would share the connections between them. A socket without it cannot be bound then. */
static bool is_free(const struct address *address)
{
    int one = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    set_number(fd, SOL_SOCKET, SO_REUSEADDR, one);
    if (address->any.sa_family == AF_INET6)
        set_number(fd, IPPROTO_IPV6, IPV6_V6ONLY, one);
    bool bound = bind(fd, &address->any, address->length) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return bound;
}

static bool add_new_fd(const struct listen_table *t, struct listen_entry *e)
{
    if (e->count == 0 && !listen_is_unix(&e->address) && !is_free(&e->address))
        return false;
    int fd = open_socket(t, &e->address);
    if (fd < 0)
        return false;
    add_fd(e, fd);
    e->listening += t->is_waiting ? 0 : 1;
    /* Port 0: the others listen where the first one was put. */
    if (!listen_is_unix(&e->address))
        return get_bound_address(fd, &e->address);
    return true;
}

/* Of two that were configured the same (port 0) the one of this name. */
static struct listen_entry *find_inherited(struct listen_table *t, struct text name,
                                           const struct address *asked)
{
    struct listen_entry *found = NULL;
    LIST_EACH (node, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        if (!e->is_inherited || e->is_opened || !address_equals(&e->asked, asked))
            continue;
        if (found == NULL || text_equals(name, text_of(e->name)))
            found = e;
    }
    return found;
}

/* What systemd gave is known by its name, too. */
static struct listen_entry *find_given(struct listen_table *t, struct text name,
                                       const struct address *address)
{
    struct listen_entry *e = listen_table_find(t, name);
    if (e == NULL || !e->is_given || e->is_opened)
        e = find_address(t, address);
    return e == NULL || e->is_opened ? NULL : e;
}

static struct listen_entry *take_given(struct listen_table *t, struct text name,
                                       const struct address *address)
{
    struct listen_entry *e = find_inherited(t, name, address);
    if (e == NULL)
        e = find_given(t, name, address);
    if (e == NULL || text_equals(name, text_of(e->name)))
        return e;
    MEM_FREE(&e->name);
    e->name = mem_copy_text(name.at, name.length);
    return e;
}

struct listen_entry *listen_table_open(struct listen_table *t, struct text name,
                                       const struct address *address, unsigned workers,
                                       struct place place, struct problems *ps)
{
    struct listen_entry *e = take_given(t, name, address);
    if (e == NULL) {
        e = add_entry(t, name, address);
        e->is_shared = listen_is_unix(address);
    }
    e->is_opened = true;
    e->asked = *address;
    unsigned wanted = e->is_shared ? 1 : workers;
    while (e->count < wanted) {
        if (add_new_fd(t, e))
            continue;
        char text[ADDRESS_TEXT_SIZE];
        char why[128];
        struct text where = address_print(address, text);
        problems_add(ps, place, "cannot listen on %.*s: %s", TEXT_ARGS(where),
                     strerror_r(errno, why, sizeof(why)));
        listen_table_close(t, e);
        return NULL;
    }
    return e;
}

/* ---- given descriptors ---------------------------------------------------------------------- */

static int get_number(int fd, int option)
{
    int value = 0;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/* The entry that has it now; NULL: it was of no use, and is closed. */
static struct listen_entry *take_in(struct listen_table *t, struct text name, int fd)
{
    struct address address;
    if (get_number(fd, SO_ACCEPTCONN) != 1 || get_number(fd, SO_TYPE) != SOCK_STREAM ||
        !get_bound_address(fd, &address) || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
        close(fd);
        return NULL;
    }
    bool is_shared = listen_is_unix(&address) || get_number(fd, SO_REUSEPORT) != 1;
    if (!listen_is_unix(&address))
        set_comforts(fd);
    struct listen_entry *e = find_address(t, &address);
    if (e == NULL)
        e = add_entry(t, name, &address);
    e->is_shared = is_shared;
    if (is_shared && e->count > 0) {
        close(fd);
        return e;
    }
    add_fd(e, fd);
    e->listening++;
    return e;
}

void listen_table_give(struct listen_table *t, struct text name, int fd)
{
    struct listen_entry *e = take_in(t, name, fd);
    if (e != NULL)
        e->is_given = true;
}

void listen_table_inherit(struct listen_table *t, const struct listen_heirloom *heirloom)
{
    struct listen_entry *e = take_in(t, heirloom->name, heirloom->fd);
    if (e == NULL)
        return;
    e->is_inherited = true;
    e->is_given = heirloom->is_given;
    e->asked = heirloom->asked;
}

void listen_table_move(struct listen_table *t, struct listen_table *from)
{
    while (!list_is_empty(&from->entries)) {
        struct list *node = from->entries.next;
        list_remove(node);
        list_add_last(&t->entries, node);
    }
}

void listen_table_listen(struct listen_table *t)
{
    t->is_waiting = false;
    LIST_EACH (node, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        for (; e->listening < e->count; e->listening++)
            (void)listen(e->fds[e->listening], LISTEN_BACKLOG);
    }
}

void listen_table_drop_unopened(struct listen_table *t)
{
    LIST_EACH_SAFE (node, next, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        if (e->is_inherited && !e->is_opened)
            listen_table_close(t, e);
    }
}

void listen_table_drop_passed_on(struct listen_table *t)
{
    LIST_EACH_SAFE (node, next, &t->entries) {
        struct listen_entry *e = LIST_ITEM(node, struct listen_entry, node);
        if (e->is_passed_on)
            listen_table_close(t, e);
    }
}

static bool read_number(const char *variable, uint64_t *value_out)
{
    return text_parse_u64(text_of(getenv(variable)), value_out);
}

unsigned listen_table_take_systemd(struct listen_table *t)
{
    uint64_t pid, count;
    if (!read_number("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
        !read_number("LISTEN_FDS", &count) || count > MAX_GIVEN_FDS)
        return 0;
    const char *all_names = getenv("LISTEN_FDNAMES");
    struct text names = text_of(all_names == NULL ? "" : all_names);
    for (uint64_t i = 0; i < count; i++) {
        struct text name = TEXT_EMPTY;
        if (names.at != NULL && !text_cut(&names, ':', &name))
            name = TEXT_EMPTY;
        if (text_equals(name, TEXT_OF("unknown")))
            name = TEXT_EMPTY;
        listen_table_give(t, name, FIRST_GIVEN_FD + (int)i);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return (unsigned)count;
}
