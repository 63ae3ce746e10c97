/*
 * What the backend counts, as QMP's qom-get has it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "../../tools/xen-virtfs/json.h"
#include "shares.h"

#define WAIT_S 20
/* What a request takes at the least; from this bucket on, 33.6 ms or more. */
#define HELD_US (50 * 1000)
#define HELD_BUCKET 16
#define BUCKETS 24
#define FLIGHT 5
#define CALLS 20

typedef struct Stats {
    Fixture *f;
    Fe *front;
    P9Client *fe;
    Qmp *qmp;
} Stats;

static bool up(Stats *s, const char *node, const char *value)
{
    const char *more[] = { node, value, NULL };

    *s = (Stats) { .f = fixture_up() };
    if (s->f->backend != BACKEND_OURS) {
        g_test_skip("only ours counts");
        fixture_down(s->f);
        return false;
    }
    fixture_file(s->f, "file", "hello", 5);
    s->front = fixture_device(s->f, &(DeviceOpts) {
        .path = s->f->share, .more = more,
    });
    fixture_start(s->f);
    s->fe = &s->front->client;
    s->qmp = qmp_new(s->f);
    return true;
}

static void attach(Stats *s)
{
    g_assert_true(fe_connect(s->front, 1, 4));
    tattach({.fe = s->fe});
    loop_fs_watch(s->f->loop, s->f->backend_pid);
}

static void down(Stats *s)
{
    loop_fs_watch(s->f->loop, 0);
    qmp_free(s->qmp);
    fixture_close(s->f, s->front);
    fixture_down(s->f);
}

/* All there is, to be freed. */
static Json *stats(Stats *s)
{
    g_autofree char *answer = shares_run(
        s->qmp, "qom-get", "\"path\": \"/machine/peripheral/xen-%s-0\", "
        "\"property\": \"stats\"", s->front->type);
    Json *json = json_parse(answer);

    g_assert_nonnull(json_get(json, "return"));
    return json;
}

/* A number of "return", or of a member of an object of that. */
static uint64_t number_of(const Json *all, const char *object,
                          const char *member, const char *name)
{
    const Json *in = json_get(all, "return");
    uint64_t value;

    if (object) {
        in = json_get(json_get(in, object), member);
    }
    g_assert_true(json_number(json_get(in, name), &value));
    return value;
}

static uint64_t number(Stats *s, const char *name)
{
    g_autoptr(Json) all = stats(s);

    return number_of(all, NULL, NULL, name);
}

static uint64_t operation(Stats *s, const char *operation, const char *name)
{
    g_autoptr(Json) all = stats(s);

    return number_of(all, "operations", operation, name);
}

/* How many requests are in a list of times, from a bucket on. */
static uint64_t times(Stats *s, const char *name, unsigned from)
{
    g_autoptr(Json) all = stats(s);
    const Json *list = json_get(json_get(all, "return"), name);
    uint64_t sum = 0, value;
    unsigned i;

    g_assert_nonnull(list);
    g_assert_cmpuint(list->values->len, ==, BUCKETS);
    for (i = from; i < BUCKETS; i++) {
        g_assert_true(json_number(list->values->pdata[i], &value));
        sum += value;
    }
    return sum;
}

static void await(Stats *s, const char *name, uint64_t value)
{
    gint64 end = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;

    while (number(s, name) < value) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

/* ---- Requests ---- */

static void test_operations(void)
{
    uint32_t len;
    Stats s;

    if (!up(&s, NULL, NULL)) {
        return;
    }
    attach(&s);
    g_assert_cmpint(operation(&s, "version", "requests"), ==, 1);
    g_assert_cmpint(operation(&s, "attach", "requests"), ==, 1);
    twalk({.fe = s.fe, .newfid = 1, .path = "file"});
    twalk({.fe = s.fe, .newfid = 2, .path = "none", .expect_err = ENOENT});
    tlopen({.fe = s.fe, .fid = 1});
    tread({.fe = s.fe, .fid = 1, .count = 100, .rcount = &len});
    g_assert_cmpint(len, ==, 5);

    /* size[4] Twalk tag[2] fid[4] newfid[4] nwname[2] wname[s] */
    g_assert_cmpint(operation(&s, "walk", "requests"), ==, 2);
    g_assert_cmpint(operation(&s, "walk", "bytes-received"), ==, 2 * 23);
    /* Rwalk with one qid, Rlerror */
    g_assert_cmpint(operation(&s, "walk", "bytes-sent"), ==, 22 + 11);
    g_assert_cmpint(operation(&s, "walk", "errors"), ==, 1);
    g_assert_cmpint(operation(&s, "read", "bytes-received"), ==, 23);
    g_assert_cmpint(operation(&s, "read", "bytes-sent"), ==, 11 + 5);
    g_assert_cmpint(operation(&s, "read", "errors"), ==, 0);
    g_assert_cmpint(number(&s, "requests"), ==, 6);
    g_assert_cmpint(number(&s, "errors"), ==, 1);
    g_assert_cmpint(times(&s, "server-time", 0), ==, 6);
    g_assert_cmpint(times(&s, "queue-time", 0), ==, 6);
    down(&s);
}

/* Types that the server does not know are counted together. */
static void test_other(void)
{
    static const uint8_t types[] = { 9, 38, 127, 254 };
    Stats s;
    unsigned i;

    if (!up(&s, NULL, NULL)) {
        return;
    }
    attach(&s);
    for (i = 0; i < G_N_ELEMENTS(types); i++) {
        P9Req *req = p9_req_new(s.fe, types[i], -1, -1);

        g_assert_true(p9_req_send(req));
        g_assert_cmpint(p9_req_wait(req, WAIT_S * 1000), ==, P9_DONE);
        g_assert_cmpint(p9_req_error(req), !=, 0);
        p9_req_free(req);
    }
    g_assert_cmpint(operation(&s, "other", "requests"), ==,
                    G_N_ELEMENTS(types));
    g_assert_cmpint(operation(&s, "other", "errors"), ==,
                    G_N_ELEMENTS(types));
    down(&s);
}

static void test_flight(void)
{
    P9Req *reqs[FLIGHT];
    unsigned i;
    Stats s;

    if (!up(&s, "dispatch", "worker")) {
        return;
    }
    attach(&s);
    loop_fs_hold(s.f->loop, LOOP_FS_STAT, true);
    for (i = 0; i < FLIGHT; i++) {
        reqs[i] = tgetattr({.fe = s.fe, .request_only = true});
    }
    await(&s, "in-flight", FLIGHT);
    g_usleep(HELD_US);
    loop_fs_hold(s.f->loop, LOOP_FS_STAT, false);
    for (i = 0; i < FLIGHT; i++) {
        g_assert_true(p9_req_expect(reqs[i], 0));
        p9_req_free(reqs[i]);
    }
    g_assert_cmpint(number(&s, "in-flight"), ==, 0);
    g_assert_cmpint(number(&s, "most-in-flight"), ==, FLIGHT);
    g_assert_cmpint(times(&s, "server-time", HELD_BUCKET), >=, FLIGHT);
    g_assert_cmpint(times(&s, "server-time", 0), ==, FLIGHT + 2);
    down(&s);
}

/* A request that must not meet another one waits in its ring. */
static void test_queue(void)
{
    P9Req *open, *getattr;
    Stats s;

    if (!up(&s, "dispatch", "worker")) {
        return;
    }
    attach(&s);
    twalk({.fe = s.fe, .newfid = 1, .path = "file"});
    loop_fs_hold(s.f->loop, LOOP_FS_OPEN, true);
    open = tlopen({.fe = s.fe, .fid = 1, .request_only = true});
    getattr = tgetattr({.fe = s.fe, .fid = 1, .request_only = true});
    fixture_await_call(s.f, LOOP_FS_OPEN);
    g_usleep(HELD_US);
    g_assert_cmpint(number(&s, "in-flight"), ==, 1);
    loop_fs_hold(s.f->loop, LOOP_FS_OPEN, false);
    g_assert_true(p9_req_expect(open, 0));
    g_assert_true(p9_req_expect(getattr, 0));
    p9_req_free(open);
    p9_req_free(getattr);
    g_assert_cmpint(times(&s, "queue-time", HELD_BUCKET), >=, 1);
    g_assert_cmpint(times(&s, "queue-time", 0), ==, 5);
    g_assert_cmpint(number(&s, "most-in-flight"), ==, 1);
    down(&s);
}

/* ---- Replies ---- */

/* The frontend reads none of three that do not fit. */
static void test_room(void)
{
    P9Req *reqs[3];
    unsigned i;
    Stats s;

    if (fixture_virtfs()) {
        g_test_skip("over virtfs there is always room");
        return;
    }
    if (!up(&s, "dispatch", "worker")) {
        return;
    }
    g_free(fixture_pattern(s.f, "file", 4096));
    g_assert_true(fe_connect(s.front, 1, 1));
    tattach({.fe = s.fe, .msize = 4096});
    twalk({.fe = s.fe, .newfid = 1, .path = "file"});
    tlopen({.fe = s.fe, .fid = 1});
    g_assert_cmpint(number(&s, "replies-waited"), ==, 0);
    s.front->hold = true;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = tread({.fe = s.fe, .fid = 1, .count = 3000,
                         .request_only = true});
    }
    await(&s, "replies-waited", 2);
    s.front->hold = false;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        g_assert_true(p9_req_expect(reqs[i], 0));
        p9_req_free(reqs[i]);
    }
    g_assert_cmpint(number(&s, "replies-waited"), ==, 2);
    down(&s);
}

/* ---- Calls ---- */

static void check_calls(const char *mode, const char *these,
                        const char *others)
{
    unsigned i;
    Stats s;

    if (!up(&s, "dispatch", mode)) {
        return;
    }
    attach(&s);
    for (i = 0; i < CALLS; i++) {
        tgetattr({.fe = s.fe});
    }
    g_assert_cmpint(number(&s, these), >=, CALLS);
    g_assert_cmpint(number(&s, others), ==, 0);
    down(&s);
}

static void test_calls(void)
{
    check_calls("worker", "calls-in-workers", "calls-in-place");
    check_calls("inline", "calls-in-place", "calls-in-workers");
}

/* Times are those of the calls where all are made in place as well. */
static void test_times_inline(void)
{
    Stats s;

    if (!up(&s, "dispatch", "inline")) {
        return;
    }
    attach(&s);
    loop_fs_delay(s.f->loop, LOOP_FS_STAT, HELD_US, 0);
    tgetattr({.fe = s.fe});
    loop_fs_delay(s.f->loop, LOOP_FS_STAT, 0, 0);
    g_assert_cmpint(times(&s, "server-time", HELD_BUCKET), ==, 1);
    g_assert_cmpint(times(&s, "queue-time", HELD_BUCKET), ==, 0);
    down(&s);
}

/* ---- Xen ---- */

static void test_events(void)
{
    unsigned i;
    Stats s;

    if (!up(&s, "poll-max-ns", "0")) {
        return;
    }
    attach(&s);
    for (i = 0; i < CALLS; i++) {
        tgetattr({.fe = s.fe});
        /* Not within the pass of the one before it. */
        g_usleep(2000);
    }
    g_assert_cmpint(number(&s, "events"), >, CALLS / 2);
    g_assert_cmpint(number(&s, "notifications"), >, CALLS / 2);
    /* One for the reply, one for room where messages are large. */
    g_assert_cmpint(number(&s, "notifications"), <=, 2 * (CALLS + 2));
    down(&s);
}

static void check_grants(const char *policy, const char *const *some,
                         const char *const *none)
{
    uint64_t rings;
    Stats s;

    if (!up(&s, "grant-policy", policy)) {
        return;
    }
    attach(&s);
    rings = number(&s, "grants");
    tgetattr({.fe = s.fe});
    for (; *some; some++) {
        g_assert_cmpint(number(&s, *some), >=, 3);
    }
    for (; *none; none++) {
        g_assert_cmpint(number(&s, *none), ==, 0);
    }
    if (!strcmp(policy, "map")) {
        g_assert_cmpint(number(&s, "grant-maps"), >=, rings + 3);
    } else {
        g_assert_cmpint(number(&s, "grant-maps"), ==, rings);
    }
    g_assert_cmpint(number(&s, "grants"), ==, rings);
    down(&s);
}

static void test_grants(void)
{
    static const char *const copies[] = {
        "grant-copies-from", "grant-copies-to", NULL,
    };
    static const char *const maps[] = { "grant-maps", "grant-unmaps", NULL };
    static const char *const unmaps[] = { "grant-unmaps", NULL };
    static const char *const any[] = {
        "grant-unmaps", "grant-copies-from", "grant-copies-to", NULL,
    };

    if (fixture_virtfs()) {
        check_grants("copy", copies, unmaps);
        check_grants("map", maps, copies);
    } else {
        /* Rings are all that there is. */
        check_grants("auto", &any[3], any);
    }
}

/* A connection begins with nothing. */
static void test_again(void)
{
    Stats s;

    if (!up(&s, NULL, NULL)) {
        return;
    }
    attach(&s);
    tgetattr({.fe = s.fe});
    g_assert_cmpint(number(&s, "requests"), ==, 3);
    g_assert_cmpint(fe_disconnect(s.front), ==, 0);
    fe_reset(s.front);
    s.fe->msize = 0;
    attach(&s);
    g_assert_cmpint(number(&s, "requests"), ==, 2);
    g_assert_cmpint(times(&s, "server-time", 0), ==, 2);
    down(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stats/operations", test_operations);
    g_test_add_func("/stats/other", test_other);
    g_test_add_func("/stats/flight", test_flight);
    g_test_add_func("/stats/queue", test_queue);
    g_test_add_func("/stats/room", test_room);
    g_test_add_func("/stats/calls", test_calls);
    g_test_add_func("/stats/times-inline", test_times_inline);
    g_test_add_func("/stats/events", test_events);
    g_test_add_func("/stats/grants", test_grants);
    g_test_add_func("/stats/again", test_again);
    return g_test_run();
}
