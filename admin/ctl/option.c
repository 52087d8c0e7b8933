/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ctl/option.h"

#define NEAR 3

const struct option_row option_rows[OPTION_IDS] = {
    [OPTION_SERVER] = { "server", 's', "URL",
                        "The gateway's admin address; else GATEWAYCTL_SERVER, else the file "
                        "~/.config/gatewayctl.conf, else http://127.0.0.1:9080." },
    [OPTION_TOKEN_FILE] = { "token-file", 't', "FILE",
                            "A file with the admin token; else GATEWAYCTL_TOKEN, else the file "
                            "~/.config/gatewayctl.conf." },
    [OPTION_CACERT] = { "cacert", 0, "FILE",
                        "Certificates (PEM) that may have signed the gateway's; else the "
                        "system's." },
    [OPTION_CERT] = { "cert", 0, "FILE",
                      "This client's certificate (PEM), where one is asked for." },
    [OPTION_KEY] = { "key", 0, "FILE", "The private key of --cert (PEM)." },
    [OPTION_OUTPUT] = { "output", 'o', "table|json|names",
                        "Tables for people, JSON for scripts, or only the names, one a line." },
    [OPTION_HELP] = { "help", 'h', NULL, "What the verb does, with examples." },
    [OPTION_VERSION] = { "version", 'V', NULL, "The version of gatewayctl." },
    [OPTION_CONFIRM] = { "confirm", 0, "DURATION",
                         "The change undoes itself after so long unless `gatewayctl confirm` "
                         "keeps it." },
    [OPTION_IF_MATCH] = { "if-match", 0, "ETAG",
                          "Only if nobody changed it since it had this entity tag." },
    [OPTION_WAIT] = { "wait", 0, NULL, "Returns when every known node applies the change." },
    [OPTION_TIMEOUT] = { "timeout", 0, "DURATION", "How long --wait waits; 2s if not said." },
    [OPTION_DRY_RUN] = { "dry-run", 0, NULL, "Checks and shows the difference; changes nothing." },
    [OPTION_YES] = { "yes", 'y', NULL, "Goes on without asking." },
    [OPTION_FILE] = { "file", 'f', "FILE",
                      "The document, libconfig or JSON; - is standard input." },
    [OPTION_SET] = { "set", 0, NULL, "Only what was set, without the defaults." },
    [OPTION_DEFAULTS] = { "defaults", 0, NULL, "Every field, the defaults filled in." },
    [OPTION_KEEP] = { "keep", 0, NULL,
                      "Keeps what the file does not name instead of removing it." },
    [OPTION_LIMIT] = { "limit", 0, "N", "At most so many." },
    [OPTION_CONSUMER] = { "consumer", 0, "NAME", "Only the keys of this consumer." },
    [OPTION_EXPIRES] = { "expires", 0, "WHEN",
                         "When the key ends: a time (2027-01-31T00:00:00Z) or from now on (30d)." },
    [OPTION_SCOPES] = { "scopes", 0, "A,B",
                        "What the key may do, for routes that ask for scopes." },
    [OPTION_GRACE] = { "grace", 0, "DURATION",
                       "How long the old key still works; 0s: not at all." },
    [OPTION_KEY_FILE] = { "key-file", 0, "FILE",
                          "Brings this key from elsewhere instead of making one; - is standard "
                          "input." },
    [OPTION_QUIET] = { "quiet", 'q', NULL, "Prints the key and nothing else." },
    [OPTION_HEADER] = { "header", 'H', "'NAME: VALUE'", "A header of the request; several times." },
    [OPTION_CLIENT] = { "client", 0, "IP", "The address that the request would come from." },
    [OPTION_WEIGHT] = { "weight", 0, "0..256", "The target's share of new requests." },
    [OPTION_DRAIN] = { "drain", 0, NULL, "No new requests to the target." },
    [OPTION_UNDRAIN] = { "undrain", 0, NULL, "New requests to the target again." },
    [OPTION_ADDRESS] = { "address", 0, "ADDRESS", "The same as ADDRESS." },
    [OPTION_COUNT_OF] = { "count", 'n', "N", "Ends after so many." },
    [OPTION_INTERVAL] = { "interval", 'i', "DURATION", "How often; 1s if not said." },
    [OPTION_AFTER] = { "after", 0, "REVISION", "Begins behind this revision; else with the next." },
    [OPTION_ALL] = { "all", 0, NULL,
                     "All of it: the help of every verb, the status of every node." },
    [OPTION_MAN] = { "man", 0, NULL, "The same as a manual page." },
    [OPTION_NODE] = { "node", 0, "NAME", "For this node only; else for all of them." },
    [OPTION_OUT] = { "out", 0, "FOLDER", "Writes files there instead of printing." },
    [OPTION_RUN] = { "run", 0, "COMMAND",
                     "What upgrades a node, for the shell; {node}, {host} and {address} in it are "
                     "the node's name, and where it is reached." },
    [OPTION_LIVE] = { "live", 0, NULL,
                      "The command replaces the running binary without a gap: no node is "
                      "drained." },
    [OPTION_WITHIN] = { "within", 0, "DURATION",
                        "How long a node may take to be back after the command; 5m if not said." },
    [OPTION_DRAIN_FOR] = { "drain-for", 0, "DURATION",
                           "How long what is in flight on a node is waited for; 30s if not "
                           "said." },
    [OPTION_TO] = { "to", 0, "VERSION",
                    "Nodes of this version are passed over; one that has another one afterwards is "
                    "a failure." },
};

const uint64_t option_common = OPTION_BIT(SERVER) | OPTION_BIT(TOKEN_FILE) | OPTION_BIT(CACERT) |
                               OPTION_BIT(CERT) | OPTION_BIT(KEY) | OPTION_BIT(OUTPUT) |
                               OPTION_BIT(HELP) | OPTION_BIT(VERSION);

bool option_find(struct text name, enum option_id *id_out)
{
    for (size_t i = 0; i < OPTION_IDS; i++) {
        if (!text_equals(name, text_of(option_rows[i].name)))
            continue;
        *id_out = (enum option_id)i;
        return true;
    }
    return false;
}

bool option_find_letter(char letter, enum option_id *id_out)
{
    for (size_t i = 0; i < OPTION_IDS; i++) {
        if (letter == '\0' || option_rows[i].letter != letter)
            continue;
        *id_out = (enum option_id)i;
        return true;
    }
    return false;
}

const char *option_nearest(struct text name, uint64_t taken)
{
    const char *nearest = NULL;
    unsigned best = NEAR + 1;

    for (size_t i = 0; i < OPTION_IDS; i++) {
        unsigned distance = text_distance(name, text_of(option_rows[i].name), NEAR);

        if (!option_is_in((enum option_id)i, taken) || distance >= best)
            continue;
        best = distance;
        nearest = option_rows[i].name;
    }
    return nearest;
}
