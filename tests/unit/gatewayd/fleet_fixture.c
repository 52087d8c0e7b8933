/* SPDX-License-Identifier: Apache-2.0 */
/* fleet_fixture.c - a fleet from the JSON of an upstream. */
#include "tests/unit/gatewayd/fleet_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf/base/mem.h"

static struct resource *parse(const char *json)
{
    struct problems ps;
    struct resource *resource;
    char *copy = mem_copy_text(json, strlen(json));

    for (char *c = copy; *c != '\0'; c++) {
        if (*c == '\'')
            *c = '"';
    }
    problems_init(&ps);
    resource = resource_parse(RESOURCE_UPSTREAM, text_of(copy), NULL, &ps);
    for (size_t i = 0; i < ps.count; i++)
        fprintf(stderr, "%s: %s\n", ps.items[i].path, ps.items[i].sentence);
    MUST(resource != NULL);
    problems_fini(&ps);
    MEM_FREE(&copy);
    return resource;
}

static struct fleet *make(struct fleet_fixture *f, const char *json, const struct fleet *old)
{
    struct resource *resource = parse(json);
    const struct upstream *upstream = resource->upstream;
    struct fleet *fleet = fleet_new(resource, 0, 2, NULL);

    for (size_t i = 0; i < upstream->targets.count; i++) {
        const struct upstream_target *configured = &upstream->targets.items[i];
        struct address address;
        struct target_facts facts = { upstream, configured, &address, f->now, f->now };

        MUST(address_parse(configured->address, &address));
        fleet_add(fleet, target_table_take(&f->table, &facts), configured);
    }
    fleet_seal(fleet, old, f->now);
    resource_unref(&resource);
    return fleet;
}

void fleet_fixture_init(struct fleet_fixture *f, const char *json)
{
    if (metrics_slot == 0) {
        metrics_start(1);
        metrics_use_slot(1);
    }
    memset(f, 0, sizeof(*f));
    f->now = 1000000;
    f->random.state = 88172645463325252u;
    target_table_init(&f->table);
    f->fleet = make(f, json, NULL);
}

void fleet_fixture_change(struct fleet_fixture *f, const char *json)
{
    struct fleet *fleet = make(f, json, f->fleet);

    fleet_unref(&f->fleet);
    f->fleet = fleet;
    target_table_sweep(&f->table);
}

void fleet_fixture_fini(struct fleet_fixture *f)
{
    fleet_unref(&f->fleet);
    target_table_sweep(&f->table);
    target_table_fini(&f->table);
}

struct target *fleet_fixture_target(struct fleet_fixture *f, const char *address)
{
    for (unsigned i = 0; i < f->fleet->member_count; i++) {
        struct target *t = f->fleet->members[i].target;

        if (text_equals(t->written, text_of(address)))
            return t;
    }
    abort();
}

void fleet_fixture_set(struct fleet_fixture *f, const char *address, enum target_state state)
{
    (void)target_set_state(fleet_fixture_target(f, address), state, "said so", f->now, f->now);
}

static const char *pick(struct fleet_fixture *f, struct balancer_ask ask, bool keeps)
{
    struct target *t;
    static char shown[100];

    ask.now = f->now;
    ask.random = &f->random;
    switch (balancer_pick(f->fleet, &ask, &t)) {
    case BALANCER_NO_TARGET:
        return "none";
    case BALANCER_ALL_DOWN:
        return "down";
    case BALANCER_ALL_FULL:
        return "full";
    case BALANCER_PICKED:
        break;
    }
    snprintf(shown, sizeof(shown), "%.*s", TEXT_ARGS(t->written));
    if (!keeps)
        target_give(t);
    target_unref(&t);
    return shown;
}

const char *fleet_fixture_pick(struct fleet_fixture *f)
{
    return pick(f, (struct balancer_ask){ .worker = 0 }, false);
}

const char *fleet_fixture_pick_and_keep(struct fleet_fixture *f)
{
    return pick(f, (struct balancer_ask){ .worker = 0 }, true);
}

const char *fleet_fixture_pick_key(struct fleet_fixture *f, uint64_t key)
{
    return pick(f, (struct balancer_ask){ .has_key = true, .key = key }, false);
}

const char *fleet_fixture_pick_other(struct fleet_fixture *f, const char *avoided)
{
    struct balancer_ask ask = { .avoid_count = 1 };

    ask.avoid[0] = fleet_fixture_target(f, avoided);
    return pick(f, ask, false);
}
