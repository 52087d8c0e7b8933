/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h - one run of gatewayctl: what was asked, where it goes, and the ways to ask the gateway
 * and to say what came of it. Answers go to standard output; everything about them (questions,
 * warnings, why not) to standard error.
 *
 * Lifetime: process. What the arena holds stays until the end.
 */
#ifndef ADMIN_CTL_COMMAND_H
#define ADMIN_CTL_COMMAND_H

#include "admin/ctl/args.h"
#include "admin/ctl/http.h"
#include "admin/ctl/paint.h"
#include "admin/ctl/settings.h"
#include "conf/base/builder.h"
#include "conf/doc.h"

struct command {
    const struct args *args;
    struct settings settings;
    struct http *http; /* made when first needed */
    struct arena arena;
    struct paint paint; /* of standard output */
    struct doc source;  /* the document that was sent, for the places of problems; or null */
    struct text source_json;
    const char *source_file; /* NULL: none */
};

/* What came back, read. */
struct command_reply {
    struct http_answer answer;
    struct doc doc; /* null when there is no body, or it is no JSON */
};

/* Asks. False: it was refused or nobody answered; that has been said, and *status_out is what the
 * verb returns. An answer of 2xx is true; a change that not every node has yet is mentioned. */
MUST_USE bool command_call(struct command *c, const struct http_request *request,
                           struct command_reply *reply_out, enum verb_status *status_out);

/* The same, with what there is to say in `why` instead; false for anything but 2xx. */
MUST_USE bool command_ask_why(struct command *c, const struct http_request *request,
                              struct command_reply *reply_out, struct builder *why);

/* The same without a word: false for anything but 2xx. */
MUST_USE bool command_try(struct command *c, const struct http_request *request,
                          struct command_reply *reply_out);

/* GET of a path. */
MUST_USE bool command_get(struct command *c, struct text path, struct command_reply *reply_out,
                          enum verb_status *status_out);

/* A request with `doc` as its JSON body. */
struct http_request command_write(struct command *c, const char *method, struct text path,
                                  const struct doc *doc);

/* The builder's text in the arena; the builder is finished. */
struct text command_take(struct command *c, struct builder *b);

/* --confirm, --wait, --timeout and --dry-run as a query; --if-match as a header. */
void command_add_write_query(struct command *c, struct builder *path);
void command_add_conditions(struct command *c, struct http_request *request);

static inline bool command_is_json(const struct command *c)
{
    return c->settings.output == SETTINGS_JSON;
}

/* Prints a document as JSON, indented. */
void command_print_json(const struct doc *doc);

/* As JSON, or as an outline for people. */
void command_print(struct command *c, const struct doc *doc);

/* Prints what stands in the builder and empties it. */
void command_flush(struct builder *b);

/* "gatewayctl: SENTENCE" on standard error. */
void command_say(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same, and how to get help; returns VERB_USAGE. */
enum verb_status command_misuse(const struct command *c, const char *format, ...) PRINTF_LIKE(2, 3);

/* Problems of a file or an option, a line each; returns VERB_USAGE. */
enum verb_status command_complain(const struct problems *ps);

/* Asks "QUESTION [y/N] " if somebody is there to answer. True without --yes only if they agree;
 * true if standard input is no terminal. */
MUST_USE bool command_ask(struct command *c, const char *question);

/* A number from an option. False: it has been said what is wrong. *value_out untouched if absent.
 */
MUST_USE bool command_number(const struct command *c, enum option_id id, uint64_t max,
                             uint64_t *value_out);
MUST_USE bool command_duration(const struct command *c, enum option_id id, int64_t *ms_out);

#endif
