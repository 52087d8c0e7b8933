/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/settings.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/base/address.h"
#include "conf/field.h"
#include "conf/read_file.h"
#include "conf/read_libconfig.h"
#include "conf/schema.h"

#define SERVER_INITIAL "http://127.0.0.1:9080"
#define TOKEN_MAX      4096
#define OTHERS_MAY     (S_IRWXG | S_IRWXO)

/* The file as it is written. */
struct written {
    struct text server;
    struct text token;
    struct text token_file;
    struct text cacert;
    struct text cert;
    struct text key;
    enum settings_output output;
};

static const struct field_choice outputs[] = {
    { "table", SETTINGS_TABLE },
    { "json", SETTINGS_JSON },
    { "names", SETTINGS_NAMES },
    { NULL },
};

static const struct field rows[] = {
    FIELD_TEXT(struct written, server, .summary = "The gateway's admin address.",
               .example = "\"https://gw-a.example.com:9080\""),
    FIELD_TEXT(struct written, token, .flags = FIELD_SECRET,
               .summary = "The admin token; the file must then be readable by its owner only."),
    FIELD_PATH(struct written, token_file, .summary = "A file with the admin token instead.",
               .example = "\"/home/ops/.config/gatewayctl.token\""),
    FIELD_PATH(struct written, cacert,
               .summary = "Certificates (PEM) that may have signed the gateway's; else the "
                          "system's."),
    FIELD_PATH(struct written, cert,
               .summary = "This client's certificate (PEM), where the gateway asks for one."),
    FIELD_PATH(struct written, key, .summary = "The private key of `cert` (PEM)."),
    FIELD_CHOICE(struct written, output, enum settings_output, outputs, .initial = "table",
                 .summary = "How answers are printed, if -o does not say."),
};

const struct schema settings_schema = {
    .name = "gatewayctl.conf",
    .summary = "Where gatewayctl finds the gateway, if neither options nor the environment say.",
    .fields = rows,
    .count = ARRAY_LENGTH(rows),
    .size = sizeof(struct written),
};

struct reading {
    const struct args *args;
    struct arena *arena;
    struct problems *ps;
    struct builder *warnings;
    struct settings *settings;
    struct written written;
};

static bool is_private(const char *file)
{
    struct stat st;

    return stat(file, &st) != 0 || (st.st_mode & OTHERS_MAY) == 0;
}

static bool read_written(struct reading *r)
{
    const char *home = getenv("HOME");
    struct place root = { 0 };
    struct text file;
    struct doc doc;

    r->written = (struct written){ .output = SETTINGS_TABLE };
    if (home == NULL || home[0] == '\0')
        return true;
    file = arena_print(r->arena, "%s/.config/gatewayctl.conf", home);
    if (access(file.at, F_OK) != 0)
        return true;
    root.file = file.at;
    if (!read_libconfig(file.at, r->arena, r->ps, &doc) ||
        !schema_bind(&settings_schema, &doc, &root, NULL, r->arena, r->ps, &r->written))
        return false;
    if (r->written.token.length > 0 && !is_private(file.at))
        builder_addf(r->warnings, "%s holds a token and others may read it: chmod 600 %s\n",
                     file.at, file.at);
    return true;
}

/* What an option says, else the environment, else the file. */
static struct text choose(struct reading *r, enum option_id id, const char *variable,
                          struct text written)
{
    const char *value = args_has(r->args, id) ? r->args->values[id] : NULL;

    if (value == NULL && variable != NULL)
        value = getenv(variable);
    return value != NULL && value[0] != '\0' ? text_of(value) : written;
}

static bool has_unprintable(struct text token)
{
    for (size_t i = 0; i < token.length; i++) {
        if (token.at[i] <= ' ' || token.at[i] > '~')
            return true;
    }
    return false;
}

/* The first line of the file that says anything. */
static bool read_token_file(struct reading *r, const char *file)
{
    struct place place = { .file = file };
    struct text text;
    struct text line;

    if (!read_file(file, NULL, r->arena, r->ps, &text))
        return false;
    if (!is_private(file))
        builder_addf(r->warnings, "%s holds a token and others may read it: chmod 600 %s\n", file,
                     file);
    r->settings->token = TEXT_EMPTY;
    while (text.at != NULL && text_is_empty(r->settings->token) && text_cut(&text, '\n', &line)) {
        if (text_ends_with(line, TEXT_OF("\r")))
            line.length--;
        r->settings->token = text_trim(line);
    }
    if (r->settings->token.length > 0)
        return true;
    problems_add(r->ps, place, "There is no token in it.");
    return false;
}

static bool read_token(struct reading *r)
{
    const char *variable = getenv("GATEWAYCTL_TOKEN");
    struct place place = { .path = "token" };

    if (args_has(r->args, OPTION_TOKEN_FILE)) {
        if (!read_token_file(r, r->args->values[OPTION_TOKEN_FILE]))
            return false;
    } else if (variable != NULL && variable[0] != '\0')
        r->settings->token = text_trim(text_of(variable));
    else if (r->written.token.length > 0)
        r->settings->token = r->written.token;
    else if (r->written.token_file.length > 0 &&
             !read_token_file(r, arena_copy(r->arena, r->written.token_file).at))
        return false;
    if (!has_unprintable(r->settings->token) && r->settings->token.length <= TOKEN_MAX)
        return true;
    problems_add(r->ps, place, "A token is a line of visible ASCII characters.");
    return false;
}

static bool read_output(struct reading *r)
{
    const char *said = r->args->values[OPTION_OUTPUT];
    struct place place = { .path = "-o" };

    r->settings->output = r->written.output;
    if (said == NULL)
        return true;
    for (const struct field_choice *choice = outputs; choice->name != NULL; choice++) {
        if (strcmp(choice->name, said) != 0)
            continue;
        r->settings->output = (enum settings_output)choice->value;
        return true;
    }
    problems_add(r->ps, place, "It must be table, json or names, got \"%s\".", said);
    return false;
}

static bool read_server(struct reading *r)
{
    struct text said = choose(r, OPTION_SERVER, "GATEWAYCTL_SERVER", r->written.server);
    struct place place = { .path = "server" };
    struct builder why;
    bool is_fine;

    builder_init(&why, 1024);
    is_fine = settings_parse_server(said.length > 0 ? said : TEXT_OF(SERVER_INITIAL), r->arena,
                                    &why, &r->settings->server);
    if (!is_fine)
        problems_add(r->ps, place, "%.*s", TEXT_ARGS(builder_text(&why)));
    builder_fini(&why);
    return is_fine;
}

/* libcurl wants texts that end with NUL. */
static struct text copy(struct reading *r, struct text value)
{
    return arena_copy(r->arena, value);
}

bool settings_read(const struct args *args, struct arena *arena, struct problems *ps,
                   struct builder *warnings, struct settings *settings_out)
{
    struct reading r = {
        .args = args,
        .arena = arena,
        .ps = ps,
        .warnings = warnings,
        .settings = settings_out,
    };

    *settings_out = (struct settings){ 0 };
    if (!read_written(&r) || !read_server(&r) || !read_token(&r) || !read_output(&r))
        return false;
    settings_out->cacert = copy(&r, choose(&r, OPTION_CACERT, NULL, r.written.cacert));
    settings_out->cert = copy(&r, choose(&r, OPTION_CERT, NULL, r.written.cert));
    settings_out->key = copy(&r, choose(&r, OPTION_KEY, NULL, r.written.key));
    if (settings_out->token.length > 0 && settings_is_in_clear(settings_out->server))
        builder_addf(warnings,
                     "The token is sent to %.*s without TLS: everybody on the way can "
                     "read it.\n",
                     TEXT_ARGS(settings_out->server));
    return true;
}

/* ---- addresses ---- */

static struct text skip_scheme(struct text server, bool *is_tls_out)
{
    struct text tls = TEXT_OF("https://");
    struct text plain = TEXT_OF("http://");

    *is_tls_out = text_starts_with_nocase(server, tls);
    if (*is_tls_out)
        return text_skip(server, tls.length);
    return text_starts_with_nocase(server, plain) ? text_skip(server, plain.length) : server;
}

static bool has_odd_bytes(struct text authority)
{
    for (size_t i = 0; i < authority.length; i++) {
        char c = authority.at[i];

        if (c <= ' ' || c > '~' || strchr("/?#@\\\"<>", c) != NULL)
            return true;
    }
    return false;
}

bool settings_parse_server(struct text given, struct arena *arena, struct builder *why,
                           struct text *server_out)
{
    struct text authority;
    bool is_tls;

    given = text_trim(given);
    authority = skip_scheme(given, &is_tls);
    while (text_ends_with(authority, TEXT_OF("/")))
        authority.length--;
    if (text_is_empty(authority) || has_odd_bytes(authority)) {
        builder_addf(why,
                     "The gateway's admin address is like http://127.0.0.1:9080 or "
                     "https://gw-a.example.com:9080, without a path; got \"%.*s\".",
                     TEXT_ARGS(given));
        return false;
    }
    *server_out =
        arena_print(arena, "%s%.*s", is_tls ? "https://" : "http://", TEXT_ARGS(authority));
    return true;
}

static struct text host_of(struct text authority)
{
    struct host_port parts;
    struct text open = TEXT_OF("[");

    if (address_split(authority, &parts))
        return parts.host;
    if (text_starts_with(authority, open))
        return text_first(text_skip(authority, 1), text_find_byte(authority, ']') - 1);
    return authority;
}

bool settings_is_in_clear(struct text server)
{
    struct address address;
    struct text host;
    bool is_tls;

    host = host_of(skip_scheme(server, &is_tls));
    if (is_tls || text_equals_nocase(host, TEXT_OF("localhost")))
        return false;
    return !address_parse_ip(host, 1, &address) || !address_is_loopback(&address);
}
