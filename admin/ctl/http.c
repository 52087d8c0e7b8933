/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/http.h"

#include <curl/curl.h>

#include "conf/base/mem.h"

#define ANSWER_MAX       ((size_t)1 << 30)
#define CONNECT_SECONDS  5L
#define CALL_SECONDS     60u
#define HEADER_LINE_SIZE 8192

struct http {
    const struct settings *settings;
    CURL *curl;
    char error[CURL_ERROR_SIZE];
};

struct http *http_new(const struct settings *settings)
{
    struct http *h = mem_new(sizeof(*h));

    MUST(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    h->settings = settings;
    h->curl = curl_easy_init();
    MUST(h->curl != NULL);
    return h;
}

void http_free(struct http **h)
{
    if (*h == NULL)
        return;
    curl_easy_cleanup((*h)->curl);
    curl_global_cleanup();
    MEM_FREE(h);
}

/* One call under way; on the caller's stack. */
struct calling {
    struct arena *arena;
    struct builder body;
    struct http_answer answer;
    FILE *upload;
    bool only_head;
    bool has_head;
};

static size_t on_body(char *at, size_t one, size_t length, void *arg)
{
    struct calling *calling = arg;

    (void)one;
    calling->has_head = true;
    if (calling->only_head)
        return 0;
    builder_add(&calling->body, text_from(at, length));
    return builder_is_full(&calling->body) ? 0 : length;
}

static size_t on_upload(char *into, size_t one, size_t size, void *arg)
{
    struct calling *calling = arg;

    (void)one;
    size = fread(into, 1, size, calling->upload);
    return ferror(calling->upload) ? CURL_READFUNC_ABORT : size;
}

static void keep_header(struct calling *calling, struct text name, struct text value)
{
    struct http_answer *answer = &calling->answer;
    const struct {
        struct text name;
        struct text *value;
    } wanted[] = {
        { TEXT_OF("Content-Type"), &answer->content_type },
        { TEXT_OF("ETag"), &answer->etag },
        { TEXT_OF("Gatewayd-Revision"), &answer->revision },
        { TEXT_OF("Gatewayd-Pending"), &answer->pending },
    };

    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        if (text_equals_nocase(name, wanted[i].name))
            *wanted[i].value = arena_copy(calling->arena, value);
    }
}

static size_t on_header(char *at, size_t one, size_t length, void *arg)
{
    struct text line = text_from(at, length);
    size_t colon = text_find_byte(line, ':');

    (void)one;
    while (line.length > 0 &&
           (line.at[line.length - 1] == '\n' || line.at[line.length - 1] == '\r'))
        line.length--;
    if (colon < line.length)
        keep_header(arg, text_first(line, colon), text_trim(text_skip(line, colon + 1)));
    return length;
}

static struct curl_slist *add_line(struct curl_slist *list, const char *name, struct text value)
{
    char line[HEADER_LINE_SIZE];
    struct curl_slist *longer;

    (void)snprintf(line, sizeof(line), "%s: %.*s", name, TEXT_ARGS(value));
    longer = curl_slist_append(list, line);
    MUST(longer != NULL);
    return longer;
}

static struct curl_slist *make_headers(const struct http *h, const struct http_request *request)
{
    struct curl_slist *list = NULL;
    struct text token = h->settings->token;
    char bearer[HEADER_LINE_SIZE];

    /* An empty line keeps libcurl from waiting for 100 (Continue) before a body. */
    list = curl_slist_append(list, "Expect:");
    list = add_line(list, "Accept", TEXT_OF("application/json"));
    if (request->content_type != NULL)
        list = add_line(list, "Content-Type", text_of(request->content_type));
    if (request->upload != NULL)
        list = add_line(list, "Transfer-Encoding", TEXT_OF("chunked"));
    if (token.length > 0) {
        (void)snprintf(bearer, sizeof(bearer), "Bearer %.*s", TEXT_ARGS(token));
        list = add_line(list, "Authorization", text_of(bearer));
    }
    for (size_t i = 0; i < request->header_count; i++)
        list = add_line(list, request->headers[i].name, request->headers[i].value);
    return list;
}

static void set_tls(const struct http *h)
{
    const struct settings *s = h->settings;

    if (s->cacert.length > 0)
        curl_easy_setopt(h->curl, CURLOPT_CAINFO, s->cacert.at);
    if (s->cert.length > 0)
        curl_easy_setopt(h->curl, CURLOPT_SSLCERT, s->cert.at);
    if (s->key.length > 0)
        curl_easy_setopt(h->curl, CURLOPT_SSLKEY, s->key.at);
}

static void set_body(const struct http *h, const struct http_request *request,
                     struct calling *calling)
{
    if (request->upload != NULL) {
        curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(h->curl, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(h->curl, CURLOPT_READDATA, calling);
        return;
    }
    if (request->content_type == NULL)
        return;
    curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, request->body.at == NULL ? "" : request->body.at);
}

static void set_options(struct http *h, const struct http_request *request, struct calling *calling)
{
    curl_easy_reset(h->curl);
    h->error[0] = '\0';
    set_body(h, request, calling);
    curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(h->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(h->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(h->curl, CURLOPT_TIMEOUT,
                     (long)(request->seconds == 0 ? CALL_SECONDS : request->seconds));
    curl_easy_setopt(h->curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "gatewayctl/" GATEWAYD_VERSION);
    curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, calling);
    curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, calling);
    set_tls(h);
}

static void explain(const struct http *h, CURLcode result, struct builder *why)
{
    struct text error = text_of(h->error[0] != '\0' ? h->error : curl_easy_strerror(result));
    struct text server = h->settings->server;

    builder_addf(why, "The gateway at %.*s cannot be reached: %.*s.", TEXT_ARGS(server),
                 TEXT_ARGS(error));
    if (result == CURLE_PEER_FAILED_VERIFICATION)
        builder_addf(why, " --cacert says which certificates are trusted.");
    else if (result == CURLE_COULDNT_CONNECT)
        builder_addf(why, " Is gatewayd running there? --server or GATEWAYCTL_SERVER says where "
                          "it is.");
    else if (result == CURLE_OPERATION_TIMEDOUT)
        builder_addf(why, " If this was a change, it may or may not have happened.");
}

bool http_call(struct http *h, const struct http_request *request, struct arena *arena,
               struct builder *why, struct http_answer *answer_out)
{
    struct text server = h->settings->server;
    struct text url = arena_print(arena, "%.*s%.*s", TEXT_ARGS(server), TEXT_ARGS(request->path));
    struct calling calling = {
        .arena = arena,
        .upload = request->upload,
        .only_head = request->only_head,
    };
    struct curl_slist *headers = make_headers(h, request);
    CURLcode result;
    long status = 0;

    builder_init(&calling.body, ANSWER_MAX);
    set_options(h, request, &calling);
    curl_easy_setopt(h->curl, CURLOPT_URL, url.at);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
    result = curl_easy_perform(h->curl);
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    /* Cut off on purpose. */
    if (result == CURLE_WRITE_ERROR && calling.only_head && calling.has_head && status < 300)
        result = CURLE_OK;
    if (result == CURLE_OK) {
        calling.answer.status = (unsigned)status;
        calling.answer.body = arena_copy(arena, builder_text(&calling.body));
        *answer_out = calling.answer;
    } else
        explain(h, result, why);
    builder_fini(&calling.body);
    return result == CURLE_OK;
}

const char *http_library_version(void)
{
    return curl_version();
}
