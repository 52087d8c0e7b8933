/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch_rule.h - what gatewayd-watch decides, without a clock or a file of its own: which weight
 * each address is to have, after each answer, silence or end of the probed process. Times are
 * milliseconds of any clock that does not jump.
 */
#ifndef HA_WATCH_RULE_H
#define HA_WATCH_RULE_H

#include "ha/site_file.h"

#define WATCH_RULE_FAULT    (-254)
#define WATCH_RULE_EACH_MS  100 /* from one question to the next */
#define WATCH_RULE_LIMIT_MS 200 /* for an answer */

/* For one that waits for the processor: it will answer, and moving breaks all that it has. */
#define WATCH_RULE_STARVED_MS 500

/* After a fault so many answers in a row must come in time before they are believed. */
#define WATCH_RULE_PROOFS 3

/* What the kernel tells of a process: its first thread is the one that answers. */
struct watch_pace {
    uint64_t run_ns; /* on a processor, ever */
    char state;      /* as ps shows it; 0: nothing is known */
};

struct watch_rule {
    int weights[SITE_FILE_MOST];   /* wanted now */
    bool is_news[SITE_FILE_MOST];  /* wanted since the last answer, silence or end */
    bool differed[SITE_FILE_MOST]; /* the file, when it was looked at last */
    size_t count;
    unsigned proofs_left;
    bool is_fault;
};

/* Everything is a fault until something was answered. */
void watch_rule_init(struct watch_rule *r, size_t count);

/* An answer in time: one weight for each address, in the order of the file. */
void watch_rule_on_answer(struct watch_rule *r, const int *weights);

/* No answer in time, or the process is gone: every address is at fault. */
void watch_rule_on_silence(struct watch_rule *r);

/* After each answer, silence or end: an address' file holds `held` (is_known: it could be read); is
 * the wanted weight to be written? The gateway writes the file too, and its answer from just before
 * may come after: unless the answer itself has changed, only a second one that differs from the
 * file is believed. */
bool watch_rule_is_due(struct watch_rule *r, size_t index, bool is_known, int held);

/* No answer `ms` after it was asked, when it was found as in `before`: does it wait for the
 * processor? It is runnable, and ran for less than half of the time. One that is stopped or asleep
 * hangs. */
bool watch_rule_is_starved(const struct watch_pace *before, const struct watch_pace *after,
                           int64_t ms);

/* "/proc/PID/stat" and "/proc/PID/schedstat", each ending with a zero byte. False: not understood.
 */
bool watch_rule_parse_pace(const char *stat, const char *schedstat, struct watch_pace *pace_out);

/* "NAME WEIGHT\n"… of the addresses of the site, in any order. One that is missing is at fault:
 * this file has it and the gateway's does not, yet; one that is not of the site is skipped. False:
 * something is no weight. */
bool watch_rule_parse(const struct site_file *site, const char *text, size_t length, int *weights);

/* A weight as a track file holds it. False: it is none. */
bool watch_rule_parse_weight(const char *text, size_t length, int *weight_out);

#endif
