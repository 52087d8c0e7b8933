/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c - who is let in and who is not, which certificate is shown, what is resumed. */
#include "tests/unit/gatewayd/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/gatewayd/certificates.h"
#include "tests/unit/gatewayd/socket_pair.h"

static struct socket_pair pair;
static struct tls_server *server;
static struct tls_client *client;
static const struct place nowhere;

static const struct text protocols[] = { TEXT("h2"), TEXT("http/1.1") };

static int start(void **state)
{
    socket_pair_init(&pair);
    return 0;
}

static int stop(void **state)
{
    socket_pair_fini(&pair);
    tls_server_unref(&server);
    tls_client_unref(&client);
    return 0;
}

static void make_server(const struct tls_server_options *options)
{
    struct problems ps;
    problems_init(&ps);
    server = tls_server_new(options, nowhere, &ps);
    if (server == NULL)
        fail_msg("%s", ps.items[0].sentence);
    problems_fini(&ps);
}

static void serve(const char *file)
{
    struct tls_certificate c = certificates_get(file);
    make_server(&(struct tls_server_options){ .certificates = &c, .certificate_count = 1 });
}

static void make_client(const struct tls_client_options *options)
{
    struct problems ps;
    problems_init(&ps);
    client = tls_client_new(options, nowhere, &ps);
    if (client == NULL)
        fail_msg("%s", ps.items[0].sentence);
    problems_fini(&ps);
}

static void trust_authority(void)
{
    make_client(&(struct tls_client_options){ .ca = certificates_path("ca.pem"), .verify = true });
}

static void shake_hands(const char *name)
{
    socket_pair_connect(&pair);
    socket_pair_start_tls(&pair, server, client, text_of(name), NULL);
}

static void assert_refused(const char *why)
{
    assert_int_equal(pair.client.ready, 1);
    assert_false(socket_is_ready(&pair.client.socket));
    assert_int_equal(socket_why(&pair.client.socket), SOCKET_TLS);
    assert_string_equal(pair.client.why, why);
    assert_false(socket_is_ready(&pair.server.socket));
}

static void assert_both_ready(void)
{
    if (!socket_is_ready(&pair.client.socket) || !socket_is_ready(&pair.server.socket))
        fail_msg("client: %s; server: %s", pair.client.why, pair.server.why);
}

/* ---- handshakes ----------------------------------------------------------------------------- */

static void bytes_arrive_over_tls(void **state)
{
    serve("a");
    trust_authority();
    shake_hands("a.example");
    assert_both_ready();
    assert_true(socket_is_tls(&pair.client.socket));
    assert_true(text_equals(socket_tls_version(&pair.server.socket), TEXT_OF("TLSv1.3")));
    assert_true(text_equals(socket_sni(&pair.server.socket), TEXT_OF("a.example")));
    assert_false(text_is_empty(socket_tls_cipher(&pair.server.socket)));
    socket_pair_write(&pair, &pair.client, TEXT_OF("hello"));
    assert_true(socket_pair_read(&pair, &pair.server, 5));
    assert_memory_equal(pair.server.got, "hello", 5);
    socket_pair_write(&pair, &pair.server, TEXT_OF("world"));
    assert_true(socket_pair_read(&pair, &pair.client, 5));
}

static void much_arrives_whole_whatever_the_sizes(void **state)
{
    enum { SIZE = 2000000 };
    char *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    serve("a");
    trust_authority();
    shake_hands("a.example");
    assert_both_ready();
    pair.server.read_size = 1000; /* less than a record: the rest waits inside the library */
    socket_pair_write(&pair, &pair.client, text_from(bytes, SIZE));
    assert_true(socket_pair_read(&pair, &pair.server, SIZE));
    assert_memory_equal(pair.server.got, bytes, SIZE);
    free(bytes);
}

static void a_queue_goes_out_over_tls(void **state)
{
    enum { SIZE = 1000000 };
    char *bytes = calloc(1, SIZE);
    struct outq q;
    outq_init(&q);
    serve("a");
    trust_authority();
    shake_hands("a.example");
    assert_both_ready();
    assert_true(outq_try_add(&q, TEXT_OF("HTTP/1.1 200 OK\r\n"), NULL));
    assert_true(outq_try_add(&q, TEXT_OF("a: b\r\n\r\n"), NULL));
    assert_true(outq_try_add(&q, text_from(bytes, SIZE), NULL));
    for (int turns = 0; !outq_is_empty(&q) && turns < 100000; turns++) {
        assert_int_not_equal(socket_write_queue(&pair.server.socket, &q), IO_BROKEN);
        /* Rows may be added behind what waits. */
        if (turns == 0)
            assert_true(outq_try_add(&q, TEXT_OF("tail"), NULL));
        loop_run_once(pair.loop, false);
    }
    assert_true(socket_pair_read(&pair, &pair.client, 17 + 8 + SIZE + 4));
    assert_memory_equal(pair.client.got, "HTTP/1.1 200 OK\r\na: b\r\n\r\n", 25);
    assert_memory_equal(pair.client.got + 25 + SIZE, "tail", 4);
    free(bytes);
}

static void what_waits_inside_is_announced_after_a_pause(void **state)
{
    char bytes[3000];
    memset(bytes, 'x', sizeof(bytes));
    serve("a");
    trust_authority();
    shake_hands("a.example");
    assert_both_ready();
    pair.server.read_size = 1000;
    socket_pair_write(&pair, &pair.client, text_from(bytes, sizeof(bytes)));
    pair.server.reads = true;
    while (pair.server.got_length < 1000)
        loop_run_once(pair.loop, true);
    socket_pause_read(&pair.server.socket);
    size_t so_far = pair.server.got_length;
    socket_pair_run_ms(&pair, 10);
    assert_int_equal(pair.server.got_length, so_far);
    socket_resume_read(&pair.server.socket);
    assert_true(socket_pair_read(&pair, &pair.server, sizeof(bytes)));
}

static bool has_client_ended(struct socket_pair *p)
{
    return p->client.last == IO_EOF || p->client.last == IO_BROKEN;
}

static void a_goodbye_is_the_end(void **state)
{
    serve("a");
    trust_authority();
    shake_hands("a.example");
    socket_close(&pair.server.socket);
    assert_true(socket_pair_run_until(&pair, has_client_ended));
    assert_int_equal(pair.client.last, IO_EOF);
}

static void a_cut_is_no_end(void **state)
{
    serve("a");
    trust_authority();
    shake_hands("a.example");
    shutdown(pair.server.socket.watch.fd, SHUT_WR);
    assert_true(socket_pair_run_until(&pair, has_client_ended));
    assert_int_equal(pair.client.last, IO_BROKEN);
    assert_int_equal(socket_why(&pair.client.socket), SOCKET_CUT);
}

static bool is_server_told(struct socket_pair *p)
{
    return p->server.ready > 0;
}

static void plain_http_to_a_tls_port_is_refused(void **state)
{
    serve("a");
    socket_pair_connect(&pair);
    assert_int_equal(socket_start_tls_server(&pair.server.socket, server), IO_AGAIN);
    socket_pair_write(&pair, &pair.client, TEXT_OF("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(socket_pair_run_until(&pair, is_server_told));
    assert_false(socket_is_ready(&pair.server.socket));
    assert_string_equal(pair.server.why, "TLS: http request");
}

/* ---- verification --------------------------------------------------------------------------- */

static void another_name_is_refused(void **state)
{
    serve("a");
    trust_authority();
    shake_hands("b.example");
    assert_refused("the certificate is for another name");
    assert_memory_equal(pair.server.why, "the peer refused: ", 18);
}

static void no_name_to_compare_with_is_refused(void **state)
{
    serve("a");
    trust_authority();
    shake_hands("");
    assert_refused("the certificate is for another name");
}

static void the_name_of_the_context_is_the_default(void **state)
{
    serve("a");
    make_client(&(struct tls_client_options){
        .server_name = TEXT("a.example"), .ca = certificates_path("ca.pem"), .verify = true });
    shake_hands("");
    assert_both_ready();
}

static void an_address_is_verified_too(void **state)
{
    serve("ip");
    trust_authority();
    shake_hands("127.0.0.1");
    assert_both_ready();
    assert_true(text_is_empty(socket_sni(&pair.server.socket)));
}

static void an_expired_certificate_is_refused(void **state)
{
    serve("old");
    trust_authority();
    shake_hands("a.example");
    assert_refused("the certificate has expired");
}

static void a_self_signed_certificate_is_refused(void **state)
{
    serve("self");
    trust_authority();
    shake_hands("a.example");
    assert_refused("the certificate is self-signed and not trusted");
}

static void an_unknown_authority_is_refused(void **state)
{
    serve("a");
    make_client(&(struct tls_client_options){ .verify = true }); /* the system's authorities */
    shake_hands("a.example");
    assert_refused("the certificate is not signed by a trusted authority");
}

static void without_verification_anybody_will_do(void **state)
{
    serve("self");
    make_client(&(struct tls_client_options){ .verify = false });
    shake_hands("whoever.example");
    assert_both_ready();
}

/* ---- names and protocols -------------------------------------------------------------------- */

static void serve_many(void)
{
    struct tls_certificate all[] = { certificates_get("a"), certificates_get("wild"),
                                     certificates_get("exact"), certificates_get("a-rsa") };
    make_server(&(struct tls_server_options){
        .certificates = all, .certificate_count = 4, .alpn = protocols, .alpn_count = 2 });
}

static void the_name_chooses_the_certificate(void **state)
{
    static const struct {
        const char *sni;
        bool is_fine;
    } rows[] = {
        { "a.example", true },          { "A.Example", true },      { "x.wild.example", true },
        { "exact.wild.example", true }, { "other.example", false }, { "x.y.wild.example", false },
        { "wild.example", false },
    };
    serve_many();
    trust_authority();
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        shake_hands(rows[i].sni);
        if (rows[i].is_fine)
            assert_both_ready();
        else
            assert_refused("the certificate is for another name");
        stop(NULL);
        start(NULL);
        serve_many();
        trust_authority();
    }
}

static void the_servers_preference_of_protocols_counts(void **state)
{
    static const struct text offered[] = { TEXT("http/1.1"), TEXT("h2") };
    serve_many();
    make_client(&(struct tls_client_options){ .alpn = offered, .alpn_count = 2 });
    shake_hands("a.example");
    assert_both_ready();
    assert_true(text_equals(socket_alpn(&pair.server.socket), TEXT_OF("h2")));
    assert_true(text_equals(socket_alpn(&pair.client.socket), TEXT_OF("h2")));
}

static void no_protocol_in_common_is_refused(void **state)
{
    static const struct text offered[] = { TEXT("spdy/3") };
    serve_many();
    make_client(&(struct tls_client_options){ .alpn = offered, .alpn_count = 1 });
    shake_hands("a.example");
    assert_false(socket_is_ready(&pair.client.socket));
    assert_non_null(strstr(pair.client.why, "no application protocol"));
}

/* ---- resumption ----------------------------------------------------------------------------- */

static bool has_client_read(struct socket_pair *p)
{
    return p->client.got_length > 0;
}

/* In TLS 1.3 the ticket comes after the handshake, before the first bytes. */
static bool connect_and_close(struct tls_session *session)
{
    socket_pair_connect(&pair);
    socket_pair_start_tls(&pair, server, client, TEXT_OF("a.example"), session);
    assert_both_ready();
    socket_pair_write(&pair, &pair.server, TEXT_OF("x"));
    assert_true(socket_pair_run_until(&pair, has_client_read));
    bool resumed = socket_tls_is_resumed(&pair.client.socket);
    assert_int_equal(resumed, socket_tls_is_resumed(&pair.server.socket));
    socket_pair_fini(&pair);
    socket_pair_init(&pair);
    return resumed;
}

static void a_session_is_resumed_even_after_a_reload(void **state)
{
    struct tls_session session;
    tls_session_init(&session);
    serve("a");
    trust_authority();
    assert_false(connect_and_close(&session));
    for (int i = 0; i < 3; i++)
        assert_true(connect_and_close(&session));
    tls_server_unref(&server);
    serve("a");
    assert_true(connect_and_close(&session));
    tls_session_fini(&session);
}

static void tickets_follow_the_secret(void **state)
{
    struct tls_session session;
    unsigned char one[TLS_TICKET_SECRET_SIZE];
    unsigned char two[TLS_TICKET_SECRET_SIZE];
    tls_session_init(&session);
    serve("a");
    trust_authority();
    tls_ticket_get_secret(one);
    memcpy(two, one, sizeof(two));
    two[0] ^= 1;
    assert_false(connect_and_close(&session));
    tls_ticket_set_secret(two);
    assert_false(connect_and_close(&session)); /* and a new ticket came */
    assert_true(connect_and_close(&session));
    tls_ticket_set_secret(one);
    assert_false(connect_and_close(&session));
    tls_session_fini(&session);
}

/* ---- client certificates -------------------------------------------------------------------- */

static void demand_client_certificate(bool required)
{
    struct tls_certificate c = certificates_get("a");
    make_server(&(struct tls_server_options){ .certificates = &c,
                                              .certificate_count = 1,
                                              .client_ca = certificates_path("ca.pem"),
                                              .client_cert_required = required });
}

static void a_client_shows_who_it_is(void **state)
{
    char name[SOCKET_WHY_SIZE];
    struct tls_certificate mine = certificates_get("client");
    demand_client_certificate(true);
    make_client(&(struct tls_client_options){
        .ca = certificates_path("ca.pem"), .cert = mine.cert, .key = mine.key, .verify = true });
    shake_hands("a.example");
    assert_both_ready();
    assert_true(text_equals(socket_peer_name(&pair.server.socket, name), TEXT_OF("alice")));
}

static void a_client_without_certificate_is_refused_where_one_is_required(void **state)
{
    demand_client_certificate(true);
    trust_authority();
    shake_hands("a.example");
    assert_false(socket_is_ready(&pair.server.socket));
    assert_string_equal(pair.server.why, "TLS: peer did not return a certificate");
}

static void a_session_from_elsewhere_is_no_way_around(void **state)
{
    struct tls_session session;
    tls_session_init(&session);
    serve("a");
    trust_authority();
    assert_false(connect_and_close(&session));
    tls_server_unref(&server);
    demand_client_certificate(true);
    socket_pair_connect(&pair);
    socket_pair_start_tls(&pair, server, client, TEXT_OF("a.example"), &session);
    assert_false(socket_is_ready(&pair.server.socket));
    socket_close(&pair.client.socket);
    tls_session_fini(&session);
}

/* ---- problems ------------------------------------------------------------------------------- */

static void assert_problem(const struct tls_certificate *c, const char *part)
{
    struct problems ps;
    problems_init(&ps);
    struct tls_server_options o = { .certificates = c, .certificate_count = 1 };
    assert_null(tls_server_new(&o, nowhere, &ps));
    assert_int_equal(ps.count, 1);
    if (strstr(ps.items[0].sentence, part) == NULL)
        fail_msg("%s", ps.items[0].sentence);
    problems_fini(&ps);
}

static void what_is_wrong_with_files_is_said(void **state)
{
    struct tls_certificate a = certificates_get("a");
    struct tls_certificate rsa = certificates_get("a-rsa");
    struct tls_certificate other = certificates_get("exact");
    assert_problem(&(struct tls_certificate){ TEXT("/nowhere.pem"), a.key },
                   "/nowhere.pem cannot be used: No such file or directory");
    assert_problem(&(struct tls_certificate){ a.cert, TEXT("/nowhere.key") },
                   "/nowhere.key cannot be used with the certificate");
    assert_problem(&(struct tls_certificate){ a.cert, other.key }, "key values mismatch");
    assert_problem(&(struct tls_certificate){ a.cert, rsa.key }, "cannot be used");
    assert_problem(&(struct tls_certificate){ a.key, a.key }, "cannot be used: no start line");
}

static void authorities_that_cannot_be_read_are_a_problem(void **state)
{
    struct problems ps;
    problems_init(&ps);
    struct tls_client_options o = { .ca = TEXT("/nowhere.pem"), .verify = true };
    assert_null(tls_client_new(&o, nowhere, &ps));
    assert_int_equal(ps.count, 1);
    problems_fini(&ps);
}

static void the_first_end_is_known(void **state)
{
    serve_many();
    int64_t in_days = (tls_server_expires_at(server) - (int64_t)time(NULL)) / 86400;
    assert_in_range(in_days, 18, 20);
}

static int make_certificates(void **state)
{
    static const struct certificates_wish wishes[] = {
        { "a", "DNS:a.example", "a", CERTIFICATES_EC, 365, false },
        { "a-rsa", "DNS:a.example", "a", CERTIFICATES_RSA, 20, false },
        { "wild", "DNS:*.wild.example", "wild", CERTIFICATES_EC, 365, false },
        { "exact", "DNS:exact.wild.example", "exact", CERTIFICATES_EC, 365, false },
        { "ip", "IP:127.0.0.1", "ip", CERTIFICATES_EC, 365, false },
        { "old", "DNS:a.example", "a", CERTIFICATES_EC, -2, false },
        { "self", "DNS:a.example", "a", CERTIFICATES_EC, 365, true },
        { "client", NULL, "alice", CERTIFICATES_EC, 365, false },
    };
    certificates_start();
    for (size_t i = 0; i < ARRAY_LENGTH(wishes); i++)
        certificates_make(&wishes[i]);
    return 0;
}

static int drop_certificates(void **state)
{
    certificates_stop();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(bytes_arrive_over_tls),
        TEST(much_arrives_whole_whatever_the_sizes),
        TEST(a_queue_goes_out_over_tls),
        TEST(what_waits_inside_is_announced_after_a_pause),
        TEST(a_goodbye_is_the_end),
        TEST(a_cut_is_no_end),
        TEST(plain_http_to_a_tls_port_is_refused),
        TEST(another_name_is_refused),
        TEST(no_name_to_compare_with_is_refused),
        TEST(the_name_of_the_context_is_the_default),
        TEST(an_address_is_verified_too),
        TEST(an_expired_certificate_is_refused),
        TEST(a_self_signed_certificate_is_refused),
        TEST(an_unknown_authority_is_refused),
        TEST(without_verification_anybody_will_do),
        TEST(the_name_chooses_the_certificate),
        TEST(the_servers_preference_of_protocols_counts),
        TEST(no_protocol_in_common_is_refused),
        TEST(a_session_is_resumed_even_after_a_reload),
        TEST(tickets_follow_the_secret),
        TEST(a_client_shows_who_it_is),
        TEST(a_client_without_certificate_is_refused_where_one_is_required),
        TEST(a_session_from_elsewhere_is_no_way_around),
        TEST(what_is_wrong_with_files_is_said),
        TEST(authorities_that_cannot_be_read_are_a_problem),
        TEST(the_first_end_is_known),
    };
    return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
