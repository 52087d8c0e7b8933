/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/gatewayd/certificates.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/base/arena.h"

static char folder[64];
static struct arena paths;
static X509 *authority;
static EVP_PKEY *authority_key;
static struct text made[64];
static size_t made_count;

struct text certificates_path(const char *file)
{
    return arena_print(&paths, "%s/%s", folder, file);
}

struct tls_certificate certificates_get(const char *file)
{
    return (struct tls_certificate){ arena_print(&paths, "%s/%s.pem", folder, file),
                                     arena_print(&paths, "%s/%s.key", folder, file) };
}

static FILE *create(struct text path)
{
    FILE *f = fopen(path.at, "w");
    MUST(f != NULL && made_count < ARRAY_LENGTH(made));
    made[made_count++] = path;
    return f;
}

static void add_extension(X509 *cert, X509 *issuer, int id, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, id, value);
    MUST(e != NULL && X509_add_ext(cert, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static X509 *make_cert(EVP_PKEY *key, const char *common_name, int days)
{
    static long serial = 1;
    X509 *cert = X509_new();
    MUST(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400L * 400);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * days);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
                               -1, 0);
    X509_set_subject_name(cert, name);
    X509_NAME_free(name);
    return cert;
}

static void write_files(const char *file, X509 *cert, EVP_PKEY *key)
{
    struct tls_certificate c = certificates_get(file);
    FILE *f = create(c.cert);
    MUST(PEM_write_X509(f, cert) == 1);
    fclose(f);
    f = create(c.key);
    MUST(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
}

void certificates_start(void)
{
    snprintf(folder, sizeof(folder), "/tmp/gatewayd-test-tls-XXXXXX");
    MUST(mkdtemp(folder) != NULL);
    arena_init(&paths, SIZE_MAX);
    authority_key = EVP_EC_gen("P-256");
    authority = make_cert(authority_key, "Test Authority", 3650);
    X509_set_issuer_name(authority, X509_get_subject_name(authority));
    add_extension(authority, authority, NID_basic_constraints, "critical,CA:TRUE");
    MUST(X509_sign(authority, authority_key, EVP_sha256()) > 0);
    write_files("ca", authority, authority_key);
}

void certificates_make(const struct certificates_wish *wish)
{
    EVP_PKEY *key = wish->key == CERTIFICATES_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *cert = make_cert(key, wish->common_name, wish->days);
    X509 *issuer = wish->self_signed ? cert : authority;
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    if (wish->names != NULL)
        add_extension(cert, issuer, NID_subject_alt_name, wish->names);
    MUST(X509_sign(cert, wish->self_signed ? key : authority_key, EVP_sha256()) > 0);
    write_files(wish->file, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void certificates_stop(void)
{
    for (size_t i = 0; i < made_count; i++)
        unlink(made[i].at);
    made_count = 0;
    rmdir(folder);
    arena_reset(&paths);
    X509_free(authority);
    EVP_PKEY_free(authority_key);
}
