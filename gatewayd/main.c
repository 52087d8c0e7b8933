/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the gatewayd program: options, the checked node configuration, logging, and control.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/read_json.h"
#include "conf/read_libconfig.h"
#include "gatewayd/control.h"
#include "gatewayd/core/log.h"
#include "gatewayd/core/log_writer.h"
#include "gatewayd/handover.h"
#include "gatewayd/memory.h"
#include "gatewayd/named_files.h"
#include "gatewayd/net/resolve.h"
#include "gatewayd/net/tls.h"
#include "gatewayd/route/pattern.h"
#include "gatewayd/service.h"

#define DEFAULT_FILE "/etc/gatewayd/gatewayd.conf"

static const char usage[] =
    "usage: gatewayd [-c FILE] [-t | -V | -h]\n"
    "\n"
    "  -c FILE  the node configuration (default " DEFAULT_FILE ")\n"
    "  -t       check it and everything it names, print every error, exit 0 or 1\n"
    "  -V       print the version, and those of the libraries it runs on\n"
    "  -h       this help\n"
    "\n"
    "Runs in the foreground. SIGTERM and SIGINT drain and exit, SIGHUP reads the node "
    "configuration\n"
    "and certificates again, SIGUSR1 opens log files again, SIGUSR2 starts\n"
    "the binary on disk in place of the running one.\n";

struct options {
    const char *file;
    bool is_check;
};

/* ---- -V ------------------------------------------------------------------------------------- */

static void print_service_versions(void)
{
    static const struct service *const services[] = {
#define SERVICE(name) &name##_service,
#include "gatewayd/services.def"
#undef SERVICE
    };
    struct builder b;

    builder_init(&b, 4096);
    for (size_t i = 0; i < ARRAY_LENGTH(services); i++) {
        if (services[i]->versions != NULL)
            services[i]->versions(&b);
    }
    printf("%.*s", TEXT_ARGS(builder_text(&b)));
    builder_fini(&b);
}

static void print_versions(void)
{
    printf("gatewayd %s\n", GATEWAYD_VERSION);
    printf("%s\n", loop_library_version());
    printf("%s\n", tls_library_version());
    printf("PCRE2 %s\n", pattern_library_version());
    printf("%s\n", resolve_library_version());
    printf("%s\n", read_json_library_version());
    printf("%s\n", read_libconfig_library_version());
    print_service_versions();
}

/* ---- options -------------------------------------------------------------------------------- */

static NORETURN void leave(int status)
{
    fflush(NULL);
    exit(status);
}

static NORETURN void refuse_usage(void)
{
    fputs(usage, stderr);
    leave(2);
}

static struct options parse_options(int argc, char **argv)
{
    struct options o = { .file = DEFAULT_FILE };
    int option;

    while ((option = getopt(argc, argv, "c:tVh")) != -1) {
        switch (option) {
        case 'c':
            o.file = optarg;
            break;
        case 't':
            o.is_check = true;
            break;
        case 'V':
            print_versions();
            leave(0);
        case 'h':
            fputs(usage, stdout);
            leave(0);
        default:
            refuse_usage();
        }
    }
    if (optind != argc)
        refuse_usage();
    return o;
}

/* ---- checking ------------------------------------------------------------------------------- */

static void print_problems(const struct problems *ps)
{
    struct builder b;

    builder_init(&b, 16384);
    for (size_t i = 0; i < ps->count; i++) {
        builder_clear(&b);
        problem_print(&ps->items[i], &b);
        fprintf(stderr, "%.*s\n", TEXT_ARGS(builder_text(&b)));
    }
    if (ps->dropped > 0)
        fprintf(stderr, "and %zu more\n", ps->dropped);
    builder_fini(&b);
}

/* To the process whose place this one was to take, if there is one. */
static void tell_refusal(const struct problems *ps)
{
    struct builder b;

    builder_init(&b, 4096);
    builder_add(&b, TEXT_OF("the new process refuses its configuration: "));
    for (size_t i = 0; i < ps->count && i < 4; i++) {
        problem_print(&ps->items[i], &b);
        builder_add_byte(&b, ' ');
    }
    handover_refuse(text_trim(builder_text(&b)));
    builder_fini(&b);
}

/* A node does not refuse to start for want of its access log, but -t says it. */
static bool check_named(const struct node_config *node, bool is_check, struct problems *ps)
{
    bool is_right = control_check(node, ps);

    return (!is_check || named_files_check_log(node, ps)) && is_right;
}

/* NULL, the problems printed, unless the file and all that it names are right. */
static struct node_config *read_checked(const char *file, bool is_check)
{
    struct problems ps;

    problems_init(&ps);
    struct node_config *node = node_config_read(file, &ps);
    if (node == NULL)
        named_files_check(file, &ps);
    else if (!check_named(node, is_check, &ps))
        node_config_unref(&node);
    print_problems(&ps);
    if (node == NULL)
        tell_refusal(&ps);
    problems_fini(&ps);
    return node;
}

/* ---- running -------------------------------------------------------------------------------- */

static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn(NULL, "the limit of open files cannot be raised to its maximum");
}

static int run(struct node_config *node, const char *file, char **argv)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    sigaction(SIGPIPE, &ignore, NULL);
    raise_descriptors();
    log_set_level((enum log_level)node->log.level);
    if (!log_writer_start(node->log.access))
        log_error(NULL, "the access log cannot be written; everything else works");
    log_info(NULL, "gatewayd %s starts", GATEWAYD_VERSION);
    struct control *c = control_new(node, file);
    control_set_program(c, argv);
    int status = control_run(c);
    control_free(&c);
    log_writer_stop();
    return status;
}

/* Until the control loop hears them (control.c) they wait: a log that is moved away, or a reload,
 * must not end a process that is starting. */
static void hold_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigprocmask(SIG_BLOCK, &signals, NULL);
}

int main(int argc, char **argv)
{
    hold_signals();
    memory_start();
    struct options o = parse_options(argc, argv);
    struct node_config *node = read_checked(o.file, o.is_check);

    if (node == NULL)
        return 1;
    if (o.is_check) {
        printf("%s is right\n", o.file);
        node_config_unref(&node);
        return 0;
    }
    int status = run(node, o.file, argv);
    node_config_unref(&node);
    return status;
}
