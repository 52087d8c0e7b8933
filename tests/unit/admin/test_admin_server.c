/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin server on a real socket, with a control and a store that say what the test wants: every
 * way in which a change can end, and clients and stores that go away meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin_server.h"
#include "cluster/store_port.h"
#include "conf/base/mem.h"
#include "gatewayd/route/snapshot.h"

/* ---- the control ------------------------------------------------------------------------------
 */

struct control {
    struct loop *loop;
    struct node_config *node;
    struct turns *turns;
    struct credentials *credentials;
};

struct loop *control_loop(struct control *c)
{
    return c->loop;
}

const struct node_config *control_node(const struct control *c)
{
    return c->node;
}

struct ha *control_ha(struct control *c)
{
    return NULL;
}

void control_note_change(struct control *c)
{
}

struct credentials *control_credentials(struct control *c)
{
    return c->credentials;
}

const struct snapshot *control_snapshot(const struct control *c)
{
    return NULL;
}

const struct names *control_names(const struct control *c)
{
    return NULL;
}

const char *control_state_name(enum control_state state)
{
    return state == CONTROL_STARTING ? "starting" : "ready";
}

struct control_status control_status(const struct control *c)
{
    return (struct control_status){ .state = CONTROL_STARTING, .started_at = 1000 };
}

void control_pass_on(struct control *c, struct listen_table *table, const char *scope)
{
}

bool control_is_inheriting(const struct control *c)
{
    return false;
}

enum control_upgrade_begun control_upgrade(struct control *c, control_upgraded_fn *fn, void *arg)
{
    return CONTROL_UPGRADE_BUSY;
}

bool control_drain(struct control *c, struct text address)
{
    return text_is_empty(address);
}

bool control_undrain(struct control *c, struct text address)
{
    return text_is_empty(address);
}

/* ---- the store --------------------------------------------------------------------------------
 */

static struct {
    struct store store;
    struct resources *resources;
    struct store_result result; /* of each commit */
    bool is_slow;               /* the commit is kept and ended by the test */
    struct store_commit *kept;
    struct store_waiter *waiter;
} fake;

static struct resources *fake_resources(const struct store *s)
{
    return fake.resources;
}

static uint64_t fake_revision(const struct store *s)
{
    return 41;
}

static void fake_commit(struct store *s, struct store_commit *commit)
{
    if (fake.is_slow) {
        fake.kept = commit;
    } else {
        commit->done(commit->arg, &fake.result);
    }
}

static void fake_wait(struct store *s, struct store_waiter *w, uint64_t after)
{
    fake.waiter = w;
    list_init(&w->node);
}

static size_t fake_list(const struct store *s, uint64_t before, size_t size,
                        struct store_entry *entries_out)
{
    return 0;
}

static bool is_fake_loading;

static bool fake_is_loading(const struct store *s)
{
    return is_fake_loading;
}

static const struct store_type fake_type = {
    .name = "fake",
    .resources = fake_resources,
    .revision = fake_revision,
    .config_tag = fake_revision,
    .is_loading = fake_is_loading,
    .commit = fake_commit,
    .list_entries = fake_list,
    .wait = fake_wait,
};

/* ---- the story --------------------------------------------------------------------------------
 */

struct story {
    struct control control;
    struct admin_server *server;
    char folder[64];
    int client;
    char answer[65536];
};

static void write_file(const char *path, const char *content)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(content, f);
    fclose(f);
}

static struct node_config *read_node(const char *folder)
{
    struct problems ps;
    char config[512];

    (void)snprintf(config, sizeof(config),
                   "node = \"gw-a\";\n"
                   "listeners = ( { name = \"http\"; address = \"127.0.0.1:1\"; } );\n"
                   "admin = { address = \"unix:%s/admin\"; tokens = \"%s/tokens\"; };\n"
                   "state = { store = \"embedded\"; dir = \"%s\"; };\n",
                   folder, folder, folder);
    problems_init(&ps);
    struct node_config *node = node_config_parse(text_of(config), "test", &ps);
    assert_true(problems_is_empty(&ps));
    problems_fini(&ps);
    return node;
}

/* The token is "secret". */
static void write_tokens(const char *folder)
{
    struct digest digest = digest_sha256(TEXT_OF("secret"));
    char hex[2 * DIGEST_SIZE + 1];
    char line[256];
    char path[128];

    digest_print_hex(digest.bytes, DIGEST_SIZE, hex);
    (void)snprintf(line, sizeof(line), "ann admin %s\n", hex);
    (void)snprintf(path, sizeof(path), "%s/tokens", folder);
    write_file(path, line);
}

static int set_up(void **state)
{
    struct story *s = mem_new(sizeof(*s));
    struct problems ps;

    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/admin-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    write_tokens(s->folder);
    s->control.loop = loop_new("control");
    s->control.node = read_node(s->folder);
    s->control.turns = turns_new(1);
    s->control.credentials = credentials_new(s->control.turns);
    memset(&fake, 0, sizeof(fake));
    fake.store.type = &fake_type;
    fake.resources = resources_new();
    fake.result.revision = 42;
    store_set(&fake.store);
    problems_init(&ps);
    s->server = admin_server_new(&s->control, &ps);
    assert_non_null(s->server);
    problems_fini(&ps);
    admin_server_start(s->server);
    s->client = -1;
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct story *s = *state;
    char command[128];

    if (s->client >= 0) {
        close(s->client);
    }
    if (s->server != NULL) {
        admin_server_free(&s->server);
    }
    store_set(NULL);
    resources_unref(&fake.resources);
    credentials_free(&s->control.credentials);
    turns_free(&s->control.turns);
    node_config_unref(&s->control.node);
    loop_free(&s->control.loop);
    for (const char *name = "admin\0tokens\0"; *name != '\0'; name += strlen(name) + 1) {
        (void)snprintf(command, sizeof(command), "%s/%s", s->folder, name);
        (void)unlink(command);
    }
    (void)rmdir(s->folder);
    MEM_FREE(&s);
    return 0;
}

static void turn(struct story *s, int times)
{
    for (int i = 0; i < times; i++) {
        loop_run_once(s->control.loop, false);
    }
}

static void ask(struct story *s, const char *request)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (s->client >= 0) {
        close(s->client);
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/admin", s->folder);
    s->client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(s->client, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(write(s->client, request, strlen(request)), (ssize_t)strlen(request));
    turn(s, 10);
}

static const char *answer(struct story *s)
{
    size_t length = 0;

    for (int i = 0; i < 50; i++) {
        turn(s, 2);
        ssize_t more =
            recv(s->client, s->answer + length, sizeof(s->answer) - 1 - length, MSG_DONTWAIT);
        length += more > 0 ? (size_t)more : 0;
    }
    s->answer[length] = '\0';
    return s->answer;
}

#define TOKEN "Host: a\r\nAuthorization: Bearer secret\r\n"
#define PUT   "PUT /v1/plans/p HTTP/1.1\r\n" TOKEN "Content-Length: 2\r\n\r\n{}"

static void expect(struct story *s, const char *what)
{
    if (strstr(s->answer, what) == NULL) {
        fail_msg("no \"%s\" in:\n%s", what, s->answer);
    }
}

static void expect_status(struct story *s, const char *request, const char *status)
{
    char line[32];

    ask(s, request);
    (void)answer(s);
    (void)snprintf(line, sizeof(line), "HTTP/1.1 %s ", status);
    expect(s, line);
}

/* ---- ways in which a change ends --------------------------------------------------------------
 */

static void outcomes_and_their_statuses(void **state)
{
    static const struct {
        enum store_outcome outcome;
        const char *status;
        const char *type;
    } rows[] = {
        { STORE_ABSENT, "404", "not-found" },  { STORE_EXISTS, "409", "exists" },
        { STORE_REVOKED, "409", "revoked" },   { STORE_MOVED_ON, "412", "moved-on" },
        { STORE_GONE, "410", "gone" },         { STORE_FULL, "507", "disk-full" },
        { STORE_AWAY, "503", "store-away" },   { STORE_UNKNOWN, "503", "outcome-unknown" },
        { STORE_REFERRED, "409", "referred" },
    };
    struct story *s = *state;

    fake.result.reason = TEXT_OF("The disk says no.");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char type[64];

        fake.result.outcome = rows[i].outcome;
        expect_status(s, PUT, rows[i].status);
        expect(s, "Content-Type: application/problem+json\r\n");
        (void)snprintf(type, sizeof(type), "urn:gatewayd:problem:%s", rows[i].type);
        expect(s, type);
        if (strcmp(rows[i].status, "503") == 0) {
            expect(s, "Retry-After: ");
        }
        if (rows[i].outcome == STORE_AWAY || rows[i].outcome == STORE_FULL) {
            expect(s, "The disk says no.");
        }
    }
}

static void an_unknown_outcome_names_the_entry(void **state)
{
    struct story *s = *state;

    fake.result.outcome = STORE_UNKNOWN;
    memset(fake.result.id.bytes, 0xab, ENTRY_ID_SIZE);
    expect_status(s, PUT, "503");
    expect(s, "\"entries\":[\"abababababababababababababababab\"]");
}

static void many_names_are_counted(void **state)
{
    struct story *s = *state;
    struct text names[12];

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        names[i] = TEXT_OF("r");
    }
    fake.result.outcome = STORE_REFERRED;
    fake.result.names = names;
    fake.result.name_count = ARRAY_LENGTH(names);
    fake.result.name_total = 70;
    expect_status(s, PUT, "409");
    expect(s, "and 60 more");
    expect(s, "\"referred_by\":[\"r\",");
}

static struct resource *make_plan(void)
{
    struct problems ps;

    problems_init(&ps);
    struct resource *r = resource_parse(RESOURCE_PLAN, TEXT_OF("{\"name\":\"p\"}"), NULL, &ps);
    assert_non_null(r);
    problems_fini(&ps);
    return r;
}

static void accepted_but_not_in_force_is_202(void **state)
{
    struct story *s = *state;
    struct resource *plan = make_plan();

    fake.result.outcome = STORE_DONE;
    fake.result.behind = TEXT_OF("A certificate is missing.");
    fake.result.resource = plan;
    fake.result.was_created = true;
    fake.result.tag = 0x1234;
    expect_status(s, PUT, "202");
    expect(s, "Gatewayd-Pending: gw-a\r\n");
    expect(s, "Gatewayd-Revision: 42\r\n");
    expect(s, "ETag: \"0000000000001234\"\r\n");
    expect(s, "A certificate is missing.");
    fake.result.behind = TEXT_EMPTY;
    expect_status(s, PUT, "201");
    fake.result.resource = NULL;
    fake.result.behind = TEXT_OF("Something.");
    expect_status(s, "DELETE /v1/plans/p HTTP/1.1\r\n" TOKEN "\r\n", "202");
    expect(s, "\r\n\r\n{}\n");
    resource_unref(&plan);
}

/* ---- going away -------------------------------------------------------------------------------
 */

static void the_client_goes_while_the_store_works(void **state)
{
    struct story *s = *state;

    fake.is_slow = true;
    ask(s, PUT);
    assert_non_null(fake.kept);
    close(s->client);
    s->client = -1;
    turn(s, 10);
    fake.result.outcome = STORE_AWAY;
    fake.kept->done(fake.kept->arg, &fake.result);
    turn(s, 10);
}

static void the_server_goes_while_the_store_works(void **state)
{
    struct story *s = *state;

    fake.is_slow = true;
    ask(s, PUT);
    assert_non_null(fake.kept);
    admin_server_free(&s->server);
    fake.result.outcome = STORE_AWAY;
    fake.kept->done(fake.kept->arg, &fake.result);
}

static void the_server_goes_while_a_document_is_committed(void **state)
{
    struct story *s = *state;

    fake.is_slow = true;
    ask(s, "PUT /v1/config HTTP/1.1\r\n" TOKEN
           "Content-Length: 24\r\n\r\n{\"plans\":[{\"name\":\"p\"}]}");
    turn(s, 10);
    assert_non_null(fake.kept);
    assert_int_equal(fake.kept->change_count, 1);
    admin_server_free(&s->server);
    fake.result.outcome = STORE_AWAY;
    fake.kept->done(fake.kept->arg, &fake.result);
}

static void the_server_goes_while_somebody_waits(void **state)
{
    struct story *s = *state;

    ask(s, "GET /v1/revisions?after=41&wait=30s HTTP/1.1\r\n" TOKEN "\r\n");
    assert_non_null(fake.waiter);
    struct list waiters;
    list_init(&waiters);
    list_add_last(&waiters, &fake.waiter->node);
    admin_server_free(&s->server);
    assert_true(list_is_empty(&waiters));
}

static void somebody_waits_and_it_comes(void **state)
{
    struct story *s = *state;

    ask(s, "GET /v1/revisions?after=41&wait=30s HTTP/1.1\r\n" TOKEN "\r\n");
    assert_non_null(fake.waiter);
    fake.waiter->fn(fake.waiter->arg);
    (void)answer(s);
    expect(s, "HTTP/1.1 200 ");
    expect(s, "{\"items\":[]}");
}

/* ---- without a store, without a configuration -------------------------------------------------
 */

static void what_works_before_anything_is_there(void **state)
{
    struct story *s = *state;

    expect_status(s, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "200");
    expect_status(s, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", "503");
    expect(s, "starting");
    expect_status(s,
                  "POST /v1/explain HTTP/1.1\r\n" TOKEN "Content-Length: 15\r\n\r\n"
                  "{\"url\":\"http:\"}",
                  "503");
    is_fake_loading = true;
    expect_status(s, PUT, "503");
    expect(s, "Retry-After: 1\r\n");
    expect(s, "urn:gatewayd:problem:starting");
    expect_status(s, "GET /v1/nodes HTTP/1.1\r\n" TOKEN "\r\n", "200");
    is_fake_loading = false;
    store_set(NULL);
    expect_status(s, PUT, "503");
    expect(s, "store-away");
    expect_status(s, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "200");
}

static void tokens_are_read_again(void **state)
{
    struct story *s = *state;
    struct problems ps;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/tokens", s->folder);
    write_file(path, "what is this\n");
    problems_init(&ps);
    admin_server_reload(s->server, s->control.node, &ps);
    assert_false(problems_is_empty(&ps));
    problems_fini(&ps);
    expect_status(s, "GET /v1/nodes HTTP/1.1\r\n" TOKEN "\r\n", "200");
    write_file(path, "# nobody\n");
    problems_init(&ps);
    admin_server_reload(s->server, s->control.node, &ps);
    assert_true(problems_is_empty(&ps));
    problems_fini(&ps);
    expect_status(s, "GET /v1/nodes HTTP/1.1\r\n" TOKEN "\r\n", "401");
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(outcomes_and_their_statuses),
        STORY(an_unknown_outcome_names_the_entry),
        STORY(many_names_are_counted),
        STORY(accepted_but_not_in_force_is_202),
        STORY(the_client_goes_while_the_store_works),
        STORY(the_server_goes_while_the_store_works),
        STORY(the_server_goes_while_a_document_is_committed),
        STORY(the_server_goes_while_somebody_waits),
        STORY(somebody_waits_and_it_comes),
        STORY(what_works_before_anything_is_there),
        STORY(tokens_are_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
