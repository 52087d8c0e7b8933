/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/redis_scripts.h"

#include "conf/base/digest.h"

struct text redis_scripts_digest(const struct redis_script *s, char into[REDIS_SCRIPTS_DIGEST_SIZE])
{
    unsigned char digest[DIGEST_SHA1_SIZE];
    digest_sha1(s->text, digest);
    return digest_print_hex(digest, sizeof(digest), into);
}
