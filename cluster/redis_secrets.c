/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_secrets.c - users, password files and certificates, read once and again at SIGHUP.
 *
 * A password is the first line of its file. The memory it was read into is wiped.
 */
#include "cluster/redis_secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/mem.h"
#include "conf/read_file.h"
#include "gatewayd/net/tls.h"

#define PASSWORD_MAX 1024

/* Who may write it says who we are. That others may read it is warned of (control.c). */
static bool is_guarded(const char *file, int fd, struct place place, struct problems *ps)
{
    struct stat st;
    MUST(fstat(fd, &st) == 0);
    if (!S_ISREG(st.st_mode)) {
        problems_add(ps, place, "%s is not a plain file.", file);
        return false;
    }
    if ((st.st_mode & READ_FILE_RIGHTS) == 0)
        return true;
    problems_add(ps, place,
                 "%s is open to others (mode %04o) and holds a password: chmod 0600 it (or 0640).",
                 file, (unsigned)st.st_mode & 07777);
    return false;
}

static struct text first_line(const char *at, size_t length)
{
    struct text line = text_from(at, length);
    line = text_first(line, text_find_byte(line, '\n'));
    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

/* NULL and a problem, or the password. */
static char *read_open_password(const char *file, int fd, struct place place, struct problems *ps)
{
    char bytes[PASSWORD_MAX + 2];
    char *password = NULL;
    if (!is_guarded(file, fd, place, ps))
        return NULL;
    ssize_t got = read(fd, bytes, sizeof(bytes));
    struct text line = first_line(bytes, got < 0 ? 0 : (size_t)got);
    if (got < 0)
        problems_add(ps, place, "%s cannot be read: %s.", file, strerror(errno));
    else if (line.length == 0 || line.length > PASSWORD_MAX)
        problems_add(ps, place, "The first line of %s must be the password, 1 to %d bytes.", file,
                     PASSWORD_MAX);
    else
        password = mem_copy_text(line.at, line.length);
    explicit_bzero(bytes, sizeof(bytes));
    return password;
}

static char *read_password(struct text path, const char *where, struct problems *ps)
{
    struct place place = { .path = where };
    char *password = NULL;
    if (path.length == 0)
        return NULL;
    char *file = mem_copy_text(path.at, path.length);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        problems_add(ps, place, "%s cannot be read: %s.", file, strerror(errno));
    } else {
        password = read_open_password(file, fd, place, ps);
        close(fd);
    }
    MEM_FREE(&file);
    return password;
}

static struct tls_client *read_tls(const struct node_redis_tls *config, const char *where,
                                   struct problems *ps)
{
    struct tls_client_options options = { .verify = true };
    if (config == NULL)
        return NULL;
    options.ca = config->ca;
    options.cert = config->cert;
    options.key = config->key;
    return tls_client_new(&options, (struct place){ .path = where }, ps);
}

static char *copy(struct text text)
{
    return mem_copy_text(text.at, text.length);
}

static void read_login(struct redis_login *login, struct text user,
                       const struct node_redis_tls *tls)
{
    login->user = copy(user);
    login->server_name = copy(tls == NULL ? TEXT_EMPTY : tls->server_name);
}

struct redis_secrets *redis_secrets_read(const struct node_redis *config, struct problems *ps)
{
    const struct node_sentinel *sentinel = config->sentinel;
    size_t before = ps->count + ps->dropped;
    struct redis_secrets *s = mem_new(sizeof(*s));

    atomic_init(&s->count, 1);
    read_login(&s->server, config->user, config->tls);
    s->server.password = read_password(config->password_file, "state.redis.password_file", ps);
    s->server.tls = read_tls(config->tls, "state.redis.tls", ps);
    if (sentinel != NULL) {
        read_login(&s->sentinel, sentinel->user, sentinel->tls);
        s->sentinel.password =
            read_password(sentinel->password_file, "state.redis.sentinel.password_file", ps);
        s->sentinel.tls = read_tls(sentinel->tls, "state.redis.sentinel.tls", ps);
    }
    if (ps->count + ps->dropped != before)
        redis_secrets_unref(&s);
    return s;
}

struct redis_secrets *redis_secrets_ref(struct redis_secrets *s)
{
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    return s;
}

static void fini_login(struct redis_login *login)
{
    if (login->password != NULL)
        explicit_bzero(login->password, strlen(login->password));
    MEM_FREE(&login->password);
    MEM_FREE(&login->user);
    MEM_FREE(&login->server_name);
    tls_client_unref(&login->tls);
}

void redis_secrets_unref(struct redis_secrets **secrets)
{
    struct redis_secrets *s = *secrets;
    *secrets = NULL;
    if (s == NULL || atomic_fetch_sub_explicit(&s->count, 1, memory_order_acq_rel) != 1)
        return;
    fini_login(&s->server);
    fini_login(&s->sentinel);
    MEM_FREE(&s);
}
