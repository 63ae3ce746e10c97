/*
 * Xen 9P tests: what a session may make the backend keep
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-session.h"

/* By how much the backend may grow for a session, its rings aside. */
#define GROWTH_KIB      (48 * 1024)

/* Far more than a session may have of anything. */
#define MANY            300000

#define NAME_100        "0123456789012345678901234567890123456789" \
                        "0123456789012345678901234567890123456789" \
                        "01234567890123456789"

/* Resident memory of the backend, without what it maps of the guest's. */
static long memory_kib(Session *s)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)s->f->backend_pid);
    g_autofree char *text = NULL;
    const char *at;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    at = strstr(text, "\nRssAnon:");
    g_assert_nonnull(at);
    return atol(at + strlen("\nRssAnon:"));
}

static void expect_growth(Session *s, long before)
{
    long growth = memory_kib(s) - before;

    g_test_message("the backend has grown by %ld KiB", growth);
    if (!g_getenv("LOOP_SANITIZED")) {
        g_assert_cmpint(growth, <, GROWTH_KIB);
    }
}

/* A request that has to fail with @err in the end; how many did not. */
typedef uint32_t Attempt(Session *s, uint32_t fid);

static uint32_t until_refused(Session *s, Attempt *attempt, uint32_t first,
                              uint32_t err)
{
    uint32_t fid = first, error = 0;

    while (fid < first + MANY && error == 0) {
        error = attempt(s, fid++);
    }
    g_test_message("%u were taken", fid - 1 - first);
    g_assert_cmpuint(error, ==, err);
    /* The session goes on. */
    tgetattr({.fe = s->fe, .fid = 0});
    return fid - 1 - first;
}

/* ---- Fids ---- */

static uint32_t clone_one(Session *s, uint32_t fid)
{
    uint32_t error;

    twalk({.fe = s->fe, .fid = 0, .newfid = fid, .rerror = &error});
    return error;
}

static void case_fids(Session *s)
{
    long before = memory_kib(s);
    uint32_t taken = until_refused(s, clone_one, 1, ENFILE);

    g_assert_cmpuint(taken, >, 90000);
    expect_growth(s, before);
    /* One that is given back can be had again, and one only. */
    tclunk({.fe = s->fe, .fid = 7});
    g_assert_cmpuint(clone_one(s, MANY), ==, 0);
    g_assert_cmpuint(clone_one(s, MANY + 1), ==, ENFILE);
    txattrwalk({.fe = s->fe, .fid = 0, .newfid = MANY + 1,
                .expect_err = ENFILE});
    tattach({.fe = s->fe, .fid = MANY + 1, .expect_err = ENFILE});
    /* A new session begins with none. */
    s->fe->msize = 0;
    session_attach(s);
    g_assert_cmpuint(clone_one(s, 1), ==, 0);
}

/* As many as the operator says, the root's among them. */
static void case_fids_configured(Session *s)
{
    g_assert_cmpuint(until_refused(s, clone_one, 1, ENFILE), ==, 99);
}

/* Many at once, of which none may slip through. */
static void case_fids_in_flight(Session *s)
{
    P9Req *reqs[120];
    unsigned made = 0;

    host_file(s, "data", "");
    for (unsigned i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = twalk({.fe = s->fe, .fid = 0, .newfid = 1 + i,
                         .path = "data", .request_only = true});
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(reqs); i++) {
        uint32_t error = p9_req_result(reqs[i]);

        g_assert_true(error == 0 || error == ENFILE);
        made += error == 0;
        p9_req_free(reqs[i]);
    }
    g_assert_cmpuint(made, ==, 99);
}

/* ---- Paths ---- */

/* Folders in one another, each with a fid, until it is too deep. */
static uint32_t go_down(Session *s)
{
    uint32_t depth = 0, error = 0;

    while (depth < 2000 && error == 0) {
        tmkdir({.fe = s->fe, .dfid = depth, .name = NAME_100, .mode = 0755,
                .rerror = &error});
        if (error == 0) {
            twalk({.fe = s->fe, .fid = depth, .newfid = depth + 1,
                   .path = NAME_100, .rerror = &error});
            depth += error == 0;
        }
    }
    g_assert_cmpuint(error, ==, ENAMETOOLONG);
    return depth;
}

static void case_deep(Session *s)
{
    long before = memory_kib(s);
    uint32_t depth = go_down(s);
    gint64 start;

    g_assert_cmpuint(depth, ==, 40);
    start = g_get_monotonic_time();
    tgetattr({.fe = s->fe, .fid = depth});
    g_assert_cmpint(g_get_monotonic_time() - start, <, 20000);
    expect_growth(s, before);
}

/* Long paths that were short when they were walked. */
static void case_deep_renamed(Session *s)
{
    long before = memory_kib(s);
    uint32_t depth = go_down(s), fids = 1000, error;

    host_file(s, "a/" NAME_100 "/" NAME_100 "/data", "");
    for (uint32_t fid = fids; fid < 5000 && clone_one(s, fid) == 0; fid++) {
        tclunk({.fe = s->fe, .fid = fid});
        twalk({.fe = s->fe, .fid = 0, .newfid = fid,
               .path = "a/" NAME_100 "/" NAME_100 "/data"});
    }
    /* Where "data" would have a longer path than there may be. */
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = depth - 1,
               .newname = "a", .expect_err = ENAMETOOLONG});
    /* As long as paths can be; for so many there is no room. */
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = depth - 4,
               .newname = "a", .rerror = &error});
    g_assert_cmpuint(error, ==, ENFILE);
    expect_growth(s, before);
    tgetattr({.fe = s->fe, .fid = fids});
    for (uint32_t fid = fids + 100; fid < 5000; fid++) {
        tclunk({.fe = s->fe, .fid = fid, .rerror = &error});
    }
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = depth - 4,
               .newname = "a"});
    tgetattr({.fe = s->fe, .fid = fids});
    /* Back and forth: what is counted for it does not add up. */
    for (unsigned i = 0; i < 200; i++) {
        trenameat({.fe = s->fe, .dfid = depth - 4, .name = "a", .newdfid = 0,
                   .newname = "a"});
        trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = depth - 4,
                   .newname = "a"});
    }
    expect_growth(s, before);
}

static void case_long_names(Session *s)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    g_autofree char *name = g_strnfill(256, 'n');
    g_autofree char *target = g_strnfill(4095, 't');
    g_autofree char *over = g_strnfill(4096, 't');
    g_autofree char *huge = g_strnfill(20000, 't');
    g_autofree char *found = NULL;
    P9Client *fe = s->fe;

    twalk({.fe = fe, .fid = 0, .newfid = 1, .path = name,
           .expect_err = ENAMETOOLONG});
    tmkdir({.fe = fe, .dfid = 0, .name = name, .mode = 0755,
            .expect_err = ENAMETOOLONG});
    tsymlink({.fe = fe, .dfid = 0, .name = longest, .target = over,
              .expect_err = ENAMETOOLONG});
    tsymlink({.fe = fe, .dfid = 0, .name = longest, .target = huge,
              .expect_err = EMSGSIZE});
    tsymlink({.fe = fe, .dfid = 0, .name = longest, .target = target});
    twalk({.fe = fe, .fid = 0, .newfid = 1, .path = longest});
    treadlink({.fe = fe, .fid = 1, .rtarget = &found});
    g_assert_cmpstr(found, ==, target);
}

static uint32_t out_cons(const Flex *ring)
{
    return __atomic_load_n(&ring->intf->out_cons, __ATOMIC_ACQUIRE);
}

/* A message that is larger than most is the backend's own once it is taken. */
static void case_long_message(Session *s)
{
    g_autofree char *target = g_strnfill(4090, 't');
    g_autofree char *path = host_path(s, "link");
    g_autofree char *found = NULL;
    Flex *ring = &s->front->rings[0];
    P9Req *link;

    loop_fs_watch(s->f->loop, s->f->backend_pid);
    loop_fs_hold(s->f->loop, LOOP_FS_OPEN, true);
    link = tsymlink({.fe = s->fe, .dfid = 0, .name = "link",
                     .target = target, .ring = P9_RING(0),
                     .tag = ring_tag(s->fe, 0), .request_only = true});
    fixture_await_call(s->f, LOOP_FS_OPEN);
    /* Its bytes are the frontend's again: it may write others there. */
    for (unsigned i = 0; i < 5000 && out_cons(ring) != ring->out_prod; i++) {
        g_usleep(1000);
    }
    g_assert_cmpuint(out_cons(ring), ==,
                     ring->out_prod);
    memset(ring->out, 'x', ring->size);
    loop_fs_hold(s->f->loop, LOOP_FS_OPEN, false);
    g_assert_true(p9_req_expect(link, 0));
    p9_req_free(link);
    found = g_file_read_link(path, NULL);
    g_assert_cmpstr(found, ==, target);
}

/* ---- Values and directories ---- */

static uint32_t value_one(Session *s, uint32_t fid)
{
    uint32_t error = clone_one(s, fid);

    if (error == 0) {
        txattrcreate({.fe = s->fe, .fid = fid, .name = "user.x",
                      .size = 65536, .rerror = &error});
    }
    return error;
}

static void case_values(Session *s)
{
    long before = memory_kib(s);

    g_assert_cmpuint(until_refused(s, value_one, 1, ENFILE), >, 100);
    expect_growth(s, before);
}

static uint32_t open_one(Session *s, uint32_t fid)
{
    uint32_t error = clone_one(s, fid);

    if (error == 0) {
        tlopen({.fe = s->fe, .fid = fid, .rerror = &error});
    }
    return error;
}

static void case_directories(Session *s)
{
    long before = memory_kib(s);

    g_assert_cmpuint(until_refused(s, open_one, 1, ENFILE), >, 200);
    expect_growth(s, before);
}

/* Values where there is no room for them any more between the fids. */
static void case_fragments(Session *s)
{
    long before = memory_kib(s);
    uint32_t taken = until_refused(s, clone_one, 1, ENFILE);

    for (uint32_t fid = 1; fid <= taken; fid++) {
        if (fid % 12) {
            tclunk({.fe = s->fe, .fid = fid});
        }
    }
    until_refused(s, value_one, MANY, ENFILE);
    expect_growth(s, before);
}

/* ---- All at once ---- */

/*
 * What a session can have at the same time: as many fids as it may, listings
 * of a large directory, and replies that nobody reads.
 */
static void case_all(Session *s)
{
    enum { LISTINGS = 60, READS = 60 };
    P9Req *listings[LISTINGS], *reads[READS];
    uint32_t chunk = MIN(s->fe->msize - 11, 512 * 1024), error;
    g_autofree uint8_t *pattern = host_pattern(s, "pattern", 1024 * 1024);
    long before = memory_kib(s);
    uint32_t fid = 1;

    for (unsigned i = 0; i < 20000; i++) {
        g_autofree char *name = g_strdup_printf("dir/%u", i);

        host_file(s, name, "");
    }
    for (; fid <= LISTINGS; fid++) {
        open_at(s, fid, "dir", 0);
    }
    open_at(s, fid, "pattern", P9_DOTL_RDONLY);
    while (clone_one(s, ++fid) == 0) {
        /* As many as it may. */
    }
    s->front->hold = true;
    for (unsigned i = 0; i < READS; i++) {
        reads[i] = tread({.fe = s->fe, .fid = LISTINGS + 1, .count = chunk,
                          .request_only = true});
        listings[i] = treaddir({.fe = s->fe, .fid = 1 + i, .count = chunk,
                                .request_only = true});
    }
    for (unsigned i = 0; i < 10; i++) {
        g_usleep(100000);
        expect_growth(s, before);
    }
    s->front->hold = false;
    for (unsigned i = 0; i < READS; i++) {
        error = p9_req_result(reads[i]);
        g_assert_cmpuint(error, ==, 0);
        p9_req_free(reads[i]);
        error = p9_req_result(listings[i]);
        g_assert_cmpuint(error, ==, 0);
        p9_req_free(listings[i]);
    }
    expect_growth(s, before);
}

static const Setup plain = { 2, 5 };
static const Setup largest = { 8, 9 };
static const Setup hundred = {
    2, 5, .more = (const char *const[]) { "max-fids", "100", NULL }
};
/* Its own number of rings, for its name. */
static const Setup hundred_workers = {
    1, 5, .more = (const char *const[]) { "max-fids", "100", "dispatch",
                                          "worker", NULL }
};
static const Setup workers = {
    1, 5, .more = (const char *const[]) { "dispatch", "worker", NULL }
};

static const struct {
    Case test;
    const Setup *setup[2];
} cases[] = {
    { { "fids", case_fids }, { &plain } },
    { { "fids/configured", case_fids_configured, CASE_OURS }, { &hundred } },
    { { "fids/in-flight", case_fids_in_flight, CASE_OURS },
      { &hundred, &hundred_workers } },
    { { "paths/deep", case_deep }, { &plain } },
    { { "paths/renamed", case_deep_renamed }, { &plain } },
    { { "paths/names", case_long_names }, { &plain } },
    { { "message", case_long_message, CASE_FLEX | CASE_OURS }, { &workers } },
    { { "values", case_values }, { &plain } },
    { { "fragments", case_fragments }, { &plain } },
    { { "directories", case_directories }, { &plain } },
    { { "all", case_all }, { &plain } },
    { { "all", case_all, CASE_FLEX }, { &largest } },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(cases[i].setup) &&
             cases[i].setup[j]; j++) {
            session_add("limit", &cases[i].test, cases[i].setup[j]);
        }
    }
    return g_test_run();
}
