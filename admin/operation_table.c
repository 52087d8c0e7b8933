/* SPDX-License-Identifier: Apache-2.0 */
/* operation_table.c - the rows of the admin API: see operation.h. */
#include "admin/operation.h"
#include "admin/serve.h"

const struct operation_parameter_row operation_parameters[] = {
    { OPERATION_LIMIT, "limit", "{type: integer, minimum: 1, maximum: 1000, default: 100}",
      "How many items at most." },
    { OPERATION_AFTER, "after", "{type: string}",
      "Begins behind this name (or key id): `next` of the page before." },
    { OPERATION_FIELDS, "fields", "{type: string, enum: [all, set], default: all}",
      "`set`: only what was set, without defaults." },
    { OPERATION_CONSUMER, "consumer", "{type: string}", "Only keys of this consumer." },
    { OPERATION_DRY_RUN, "dry_run", "{type: boolean, default: false}",
      "Checks and answers with the difference; changes nothing." },
    { OPERATION_CONFIRM, "confirm", "{type: string, examples: [60s]}",
      "The change undoes itself unless it is confirmed in time." },
    { OPERATION_WAIT, "wait", "{type: string, enum: [all]}",
      "`all`: answers when every known node applies the revision, or 202." },
    { OPERATION_TIMEOUT, "timeout", "{type: string, default: 2s}",
      "How long `wait` waits; at most 60s." },
    { OPERATION_BEFORE, "before", "{type: integer, minimum: 1}",
      "Only revisions below this one: `next` of the page before." },
    { OPERATION_AFTER_REVISION, "after", "{type: integer, minimum: 0}",
      "Only revisions above this one." },
    { OPERATION_WAIT_FOR, "wait", "{type: string, examples: [30s]}",
      "With `after`: waits for one so long, at most 60s; then the list is empty." },
    { OPERATION_ADDRESS, "address", "{type: string}",
      "A listener's address or name; absent: the whole node." },
};
const size_t operation_parameter_count = ARRAY_LENGTH(operation_parameters);

/* The five calls of a kind of resources. */
#define RESOURCES(KIND, plural, singular, Component, least)                                        \
    { .method = METHOD_GET,                                                                        \
      .path = "/v1/" plural,                                                                       \
      .role = TOKENS_VIEWER,                                                                       \
      .kind = RESOURCE_##KIND,                                                                     \
      .queries = OPERATION_LIMIT | OPERATION_AFTER | OPERATION_FIELDS,                             \
      .handle = serve_list_resources,                                                              \
      .id = "list" Component "s",                                                                  \
      .tag = plural,                                                                               \
      .summary = "Lists " plural " by name.",                                                      \
      .success = "200 " Component "List" },                                                        \
        { .method = METHOD_GET,                                                                    \
          .path = "/v1/" plural "/{name}",                                                         \
          .role = TOKENS_VIEWER,                                                                   \
          .kind = RESOURCE_##KIND,                                                                 \
          .queries = OPERATION_FIELDS,                                                             \
          .handle = serve_get_resource,                                                            \
          .id = "get" Component,                                                                   \
          .tag = plural,                                                                           \
          .summary = "One " singular ", defaults filled in.",                                      \
          .success = "200 " Component },                                                           \
        { .method = METHOD_PUT,                                                                    \
          .path = "/v1/" plural "/{name}",                                                         \
          .role = (least),                                                                         \
          .kind = RESOURCE_##KIND,                                                                 \
          .body = OPERATION_JSON,                                                                  \
          .has_conditions = true,                                                                  \
          .is_change = true,                                                                       \
          .queries = OPERATION_FIELDS | OPERATION_DRY_RUN | OPERATION_WRITES,                      \
          .handle = serve_put_resource,                                                            \
          .id = "put" Component,                                                                   \
          .tag = plural,                                                                           \
          .summary = "Makes or replaces the " singular ".",                                        \
          .request = Component,                                                                    \
          .success = "200 " Component ", 201 " Component ", 202 " Component },                     \
        { .method = METHOD_PATCH,                                                                  \
          .path = "/v1/" plural "/{name}",                                                         \
          .role = (least),                                                                         \
          .kind = RESOURCE_##KIND,                                                                 \
          .body = OPERATION_JSON,                                                                  \
          .has_conditions = true,                                                                  \
          .is_change = true,                                                                       \
          .queries = OPERATION_FIELDS | OPERATION_DRY_RUN | OPERATION_WRITES,                      \
          .handle = serve_patch_resource,                                                          \
          .id = "patch" Component,                                                                 \
          .tag = plural,                                                                           \
          .summary = "Merges into what was set of the " singular " (RFC 7396); then defaults "     \
                     "apply.",                                                                     \
          .request = "MergePatch",                                                                 \
          .success = "200 " Component ", 202 " Component },                                        \
    {                                                                                              \
        .method = METHOD_DELETE, .path = "/v1/" plural "/{name}", .role = (least),                 \
        .kind = RESOURCE_##KIND, .has_conditions = true, .is_change = true,                        \
        .queries = OPERATION_DRY_RUN | OPERATION_WRITES, .handle = serve_delete_resource,          \
        .id = "delete" Component, .tag = plural,                                                   \
        .summary = "Removes the " singular "; 409 names what still needs it.",                     \
        .success = "202 Empty, 204"                                                                \
    }

const struct operation operation_rows[] = {
    RESOURCES(UPSTREAM, "upstreams", "upstream", "Upstream", TOKENS_ADMIN),
    { .method = METHOD_PATCH,
      .path = "/v1/upstreams/{name}/targets/{address}",
      .role = TOKENS_OPERATOR,
      .kind = RESOURCE_UPSTREAM,
      .body = OPERATION_JSON,
      .has_conditions = true,
      .is_change = true,
      .queries = OPERATION_FIELDS | OPERATION_DRY_RUN | OPERATION_WRITES,
      .handle = serve_patch_target,
      .id = "patchTarget",
      .tag = "upstreams",
      .summary = "Weight and drain of one target; answers with the upstream.",
      .request = "TargetPatch",
      .success = "200 Upstream, 202 Upstream" },
    { .method = METHOD_GET,
      .path = "/v1/upstreams/{name}/health",
      .role = TOKENS_VIEWER,
      .handle = serve_health,
      .id = "getHealth",
      .tag = "upstreams",
      .summary = "Every target as each node sees it.",
      .success = "200 Health" },
    RESOURCES(ROUTE, "routes", "route", "Route", TOKENS_ADMIN),
    RESOURCES(PLAN, "plans", "plan", "Plan", TOKENS_ADMIN),
    RESOURCES(CONSUMER, "consumers", "consumer", "Consumer", TOKENS_OPERATOR),
    { .method = METHOD_POST,
      .path = "/v1/consumers/{name}/keys",
      .role = TOKENS_OPERATOR,
      .body = OPERATION_JSON,
      .is_change = true,
      .queries = OPERATION_WRITES,
      .handle = serve_create_key,
      .id = "createKey",
      .tag = "keys",
      .summary = "Makes a key of the consumer, shown this once; or brings one from elsewhere.",
      .request = "KeyRequest",
      .success = "201 NewKey, 202 NewKey" },
    { .method = METHOD_GET,
      .path = "/v1/keys",
      .role = TOKENS_VIEWER,
      .queries = OPERATION_LIMIT | OPERATION_AFTER | OPERATION_CONSUMER,
      .handle = serve_list_keys,
      .id = "listKeys",
      .tag = "keys",
      .summary = "Lists keys by id, revoked and expired ones too.",
      .success = "200 KeyList" },
    { .method = METHOD_POST,
      .path = "/v1/keys/import",
      .role = TOKENS_OPERATOR,
      .body = OPERATION_JSON_LINES,
      .is_change = true,
      .queries = OPERATION_DRY_RUN | OPERATION_WRITES,
      .handle = serve_import_keys,
      .id = "importKeys",
      .tag = "keys",
      .summary = "Many keys in one revision, all or none; a line of JSON each.",
      .request = "KeyImport",
      .success = "201 Imported, 202 Imported" },
    { .method = METHOD_GET,
      .path = "/v1/keys/{id}",
      .role = TOKENS_VIEWER,
      .handle = serve_get_key,
      .id = "getKey",
      .tag = "keys",
      .summary = "One key; never the key itself.",
      .success = "200 Key" },
    { .method = METHOD_PATCH,
      .path = "/v1/keys/{id}",
      .role = TOKENS_OPERATOR,
      .body = OPERATION_JSON,
      .has_conditions = true,
      .is_change = true,
      .queries = OPERATION_WAIT | OPERATION_TIMEOUT,
      .handle = serve_patch_key,
      .id = "patchKey",
      .tag = "keys",
      .summary = "Scopes, and an earlier expiry.",
      .request = "KeyPatch",
      .success = "200 Key, 202 Key" },
    { .method = METHOD_DELETE,
      .path = "/v1/keys/{id}",
      .role = TOKENS_OPERATOR,
      .has_conditions = true,
      .is_change = true,
      .queries = OPERATION_WAIT | OPERATION_TIMEOUT,
      .handle = serve_revoke_key,
      .id = "revokeKey",
      .tag = "keys",
      .summary = "Revokes for good; open streams begun with the key are closed. Again: 204.",
      .success = "202 Empty, 204" },
    { .method = METHOD_POST,
      .path = "/v1/keys/{id}/rotate",
      .role = TOKENS_OPERATOR,
      .body = OPERATION_JSON,
      .is_change = true,
      .queries = OPERATION_WAIT | OPERATION_TIMEOUT,
      .handle = serve_rotate_key,
      .id = "rotateKey",
      .tag = "keys",
      .summary = "A new key with the same scopes and expiry; the old one ends after `grace`.",
      .request = "Rotate",
      .success = "201 NewKey, 202 NewKey" },
    { .method = METHOD_GET,
      .path = "/v1/config",
      .role = TOKENS_VIEWER,
      .queries = OPERATION_FIELDS,
      .handle = serve_get_config,
      .id = "getConfig",
      .tag = "config",
      .summary = "Every resource as one document.",
      .success = "200 Config" },
    { .method = METHOD_PUT,
      .path = "/v1/config",
      .role = TOKENS_ADMIN,
      .body = OPERATION_LARGE_JSON,
      .has_conditions = true,
      .is_change = true,
      .queries = OPERATION_DRY_RUN | OPERATION_WRITES,
      .handle = serve_put_config,
      .id = "putConfig",
      .tag = "config",
      .summary = "Replaces all resources in one revision; a kind left out: none. Keys stay.",
      .request = "Config",
      .success = "200 Difference, 202 Difference" },
    { .method = METHOD_GET,
      .path = "/v1/revisions",
      .role = TOKENS_VIEWER,
      .queries = OPERATION_LIMIT | OPERATION_BEFORE | OPERATION_AFTER_REVISION | OPERATION_WAIT_FOR,
      .handle = serve_list_revisions,
      .id = "listRevisions",
      .tag = "revisions",
      .summary = "Who changed what, when, newest first; or waits for what comes after one.",
      .success = "200 RevisionList" },
    { .method = METHOD_GET,
      .path = "/v1/revisions/{n}",
      .role = TOKENS_VIEWER,
      .handle = serve_get_revision,
      .id = "getRevision",
      .tag = "revisions",
      .summary = "One revision and what it changed.",
      .success = "200 RevisionDetail" },
    { .method = METHOD_POST,
      .path = "/v1/revisions/{n}/restore",
      .role = TOKENS_ADMIN,
      .has_conditions = true,
      .is_change = true,
      .queries = OPERATION_DRY_RUN | OPERATION_WRITES,
      .handle = serve_restore_revision,
      .id = "restoreRevision",
      .tag = "revisions",
      .summary = "A new revision with the resources as they were at n; touches no key.",
      .success = "200 Difference, 202 Difference" },
    { .method = METHOD_POST,
      .path = "/v1/revisions/{n}/confirm",
      .role = TOKENS_OPERATOR,
      .is_change = true,
      .handle = serve_confirm_revision,
      .id = "confirmRevision",
      .tag = "revisions",
      .summary = "Keeps what was changed with `confirm`.",
      .success = "200 Confirmed" },
    { .method = METHOD_POST,
      .path = "/v1/explain",
      .role = TOKENS_VIEWER,
      .body = OPERATION_JSON,
      .handle = serve_explain,
      .id = "explain",
      .tag = "node",
      .summary = "Which route would take this request and why, which others match and lose.",
      .request = "ExplainRequest",
      .success = "200 Explanation" },
    { .method = METHOD_GET,
      .path = "/v1/nodes",
      .role = TOKENS_VIEWER,
      .is_for_starting = true,
      .handle = serve_list_nodes,
      .id = "listNodes",
      .tag = "node",
      .summary = "Every node of the cluster.",
      .success = "200 NodeList" },
    { .method = METHOD_DELETE,
      .path = "/v1/nodes/{name}",
      .role = TOKENS_ADMIN,
      .is_change = true,
      .handle = serve_delete_node,
      .id = "deleteNode",
      .tag = "node",
      .summary = "Forgets a node that is gone.",
      .success = "204" },
    { .method = METHOD_GET,
      .path = "/v1/status",
      .role = TOKENS_VIEWER,
      .is_for_starting = true,
      .handle = serve_status,
      .id = "getStatus",
      .tag = "node",
      .summary = "This node.",
      .success = "200 Status" },
    { .method = METHOD_POST,
      .path = "/v1/drain",
      .role = TOKENS_OPERATOR,
      .body = OPERATION_JSON,
      .is_for_starting = true,
      .is_change = true,
      .handle = serve_drain,
      .id = "drain",
      .tag = "node",
      .summary = "This node, or one address of it, stops being ready.",
      .request = "Drain",
      .success = "200 Status" },
    { .method = METHOD_DELETE,
      .path = "/v1/drain",
      .role = TOKENS_OPERATOR,
      .is_change = true,
      .is_for_starting = true,
      .queries = OPERATION_ADDRESS,
      .handle = serve_undrain,
      .id = "undrain",
      .tag = "node",
      .summary = "And is ready again.",
      .success = "204" },
    { .method = METHOD_POST,
      .path = "/v1/upgrade",
      .role = TOKENS_ADMIN,
      .is_change = true,
      .handle = serve_upgrade,
      .id = "upgrade",
      .tag = "node",
      .summary = "Replaces the running binary, as SIGUSR2; this version answers 501.",
      .success = "200 Status" },
    { .method = METHOD_GET,
      .path = "/livez",
      .is_open = true,
      .handle = serve_livez,
      .id = "livez",
      .tag = "probes",
      .summary = "200 while the process works.",
      .success = "200 Text",
      .type = "text/plain" },
    { .method = METHOD_GET,
      .path = "/readyz",
      .is_open = true,
      .handle = serve_readyz,
      .id = "readyz",
      .tag = "probes",
      .summary = "200 while the node takes traffic; 503 while it starts or drains.",
      .success = "200 Text, 503 Text",
      .type = "text/plain" },
    { .method = METHOD_GET,
      .path = "/metrics",
      .is_open = true,
      .handle = serve_metrics,
      .id = "metrics",
      .tag = "probes",
      .summary = "Every number the gateway counts, as Prometheus text.",
      .success = "200 Text",
      .type = "text/plain" },
    { .method = METHOD_GET,
      .path = "/openapi.yaml",
      .is_open = true,
      .handle = serve_openapi,
      .id = "openapi",
      .tag = "probes",
      .summary = "This document.",
      .success = "200 Text",
      .type = "application/yaml" },
};
const size_t operation_count = ARRAY_LENGTH(operation_rows);
