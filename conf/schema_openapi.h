/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_openapi.h - schemas as components of an OpenAPI 3.1 document, in YAML.
 */
#ifndef CONF_SCHEMA_OPENAPI_H
#define CONF_SCHEMA_OPENAPI_H

#include "conf/base/builder.h"

struct schema;

/* What stands under `components: schemas:`, each line indented by `indent` spaces: one entry for
 * each schema and those it holds ("Upstream", "UpstreamTls", "Target", …), once. */
void schema_openapi_print(const struct schema *const *schemas, size_t count, unsigned indent,
                          struct builder *b);

/* "upstream_tls" → "UpstreamTls": the name of the component. */
void schema_openapi_print_name(const struct schema *schema, struct builder *b);

#endif
