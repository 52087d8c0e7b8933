/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grammar.h - the small grammars of HTTP and of names that fields are checked against. Checks of
 * rows (field_check_fn) and plain questions. No state; any thread.
 */
#ifndef CONF_GRAMMAR_H
#define CONF_GRAMMAR_H

#include "conf/field.h"

/* A token of RFC 9110 §5.6.2. */
bool grammar_is_token(struct text t);

/* What may stand in a field value (RFC 9110 §5.5): no control but tab, no space around it. */
bool grammar_is_header_value(struct text t);

/* A host name, an IPv4 address or [IPv6]; no port, no trailing dot. */
bool grammar_is_host(struct text t);

/* Visible ASCII without space, at least one. */
bool grammar_is_visible(struct text t);

/* What a check answers to a wrong value: "CLAUSE, got "VALUE"." into `why` (a long value cut), and
 * false, for `return grammar_say(…)`. */
bool grammar_say(struct builder *why, struct text got, const char *clause);

/* Checks of rows. */
field_check_fn grammar_check_host;         /* of a route: also "*." and a name */
field_check_fn grammar_check_host_port;    /* what a Host field may hold */
field_check_fn grammar_check_target;       /* host:port or unix:/path */
field_check_fn grammar_check_path;         /* of a route */
field_check_fn grammar_check_method;       /* of a route */
field_check_fn grammar_check_header_match; /* a header's name and "value", "~re" or "*" */
field_check_fn grammar_check_query_match;  /* a parameter's name and the same */
field_check_fn grammar_check_header;       /* a header that may be set, and its value */
field_check_fn grammar_check_header_name;  /* a header that may be removed */
field_check_fn grammar_check_name;         /* a name, in a list of texts */
field_check_fn grammar_check_scope;        /* a scope-token of RFC 6749 §3.3 */
field_check_fn grammar_check_by;           /* what a limit counts by */
field_check_fn grammar_check_hash_on;
field_check_fn grammar_check_statuses; /* "200-399" or "204" */
field_check_fn grammar_check_rewrite_path;
field_check_fn grammar_check_asked_path; /* of a request of our own; with a query */
field_check_fn grammar_check_location;

/* "header:NAME" with prefix "header:": the NAME, a token; false if it is not that. */
bool grammar_parse_prefixed(struct text t, const char *prefix, struct text *name_out);

/* "200-399" or "204", between 100 and 599. */
bool grammar_parse_statuses(struct text t, uint16_t *first_out, uint16_t *last_out);

#endif
