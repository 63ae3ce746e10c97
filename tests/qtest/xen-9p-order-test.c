/*
 * Xen 9P tests: Tversion, Tflush, and requests on one fid
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <dirent.h>
#include <signal.h>

#include "xen-9p-session.h"

/* How long something that must not happen is waited for. */
#define NOT_MS  200

static void finish(P9Req *req)
{
    g_assert_true(p9_req_expect(req, 0));
    p9_req_free(req);
}

static bool still_waits(P9Req *req)
{
    return p9_req_wait(req, NOT_MS) == P9_OVERDUE;
}

static void hold(Session *s, LoopFsCall call, bool on)
{
    loop_fs_watch(s->f->loop, s->f->backend_pid);
    loop_fs_hold(s->f->loop, call, on);
}

static P9Req *getattr_on(Session *s, unsigned ring, uint32_t fid)
{
    return tgetattr({.fe = s->fe, .fid = fid, .ring = P9_RING(ring),
                     .tag = ring_tag(s->fe, ring), .request_only = true});
}

static P9Req *version_on(Session *s, unsigned ring, unsigned tag)
{
    return tversion({.fe = s->fe, .msize = s->fe->msize,
                     .ring = P9_RING(ring), .tag = tag,
                     .request_only = true});
}

static P9Req *flush_on(Session *s, unsigned ring, uint16_t oldtag)
{
    return tflush({.fe = s->fe, .oldtag = oldtag, .ring = P9_RING(ring),
                   .tag = ring_tag(s->fe, ring), .request_only = true});
}

static unsigned last_ring(const Session *s)
{
    return s->fe->rings - 1;
}

/* ---- Tversion ---- */

static void open_data(Session *s, uint32_t fid)
{
    host_file(s, "data", "some text");
    open_at(s, fid, "data", P9_DOTL_RDWR);
}

/* It waits for what is in flight, and what comes later waits for it. */
static void case_version_alone(Session *s)
{
    P9Req *fsync, *version, *after;

    open_data(s, 1);
    hold(s, LOOP_FS_SYNC, true);
    fsync = tfsync({.fe = s->fe, .fid = 1, .request_only = true});
    fixture_await_call(s->f, LOOP_FS_SYNC);
    version = version_on(s, 0, ring_tag(s->fe, 0));
    g_assert_true(still_waits(version));
    after = getattr_on(s, last_ring(s), 0);
    g_assert_true(still_waits(after));
    hold(s, LOOP_FS_SYNC, false);
    finish(fsync);
    finish(version);
    /* The root's fid has gone with the session that it was of. */
    g_assert_cmpuint(p9_req_result(after), ==, ENOENT);
    p9_req_free(after);
    session_attach(s);
}

/* Two of them, each the first of its ring, behind a request that is held. */
static void case_version_twice(Session *s)
{
    P9Req *fsync, *versions[2];
    unsigned i;

    open_data(s, 1);
    hold(s, LOOP_FS_SYNC, true);
    fsync = tfsync({.fe = s->fe, .fid = 1, .request_only = true});
    fixture_await_call(s->f, LOOP_FS_SYNC);
    for (i = 0; i < 2; i++) {
        versions[i] = version_on(s, i ? last_ring(s) : 0,
                                 ring_tag(s->fe, i ? last_ring(s) : 0));
    }
    g_assert_true(still_waits(versions[0]));
    hold(s, LOOP_FS_SYNC, false);
    finish(fsync);
    finish(versions[0]);
    finish(versions[1]);
    session_attach(s);
}

/* Its reply comes, and all files are closed, whatever flushes it. */
static void case_version_flushed(Session *s)
{
    const unsigned files = 30;
    int before = fixture_fds(s->f);

    host_file(s, "data", "some text");
    for (unsigned round = 0; round < 10; round++) {
        P9Req *version, *flush;

        for (unsigned i = 0; i < files; i++) {
            open_at(s, 1 + i, "data", P9_DOTL_RDONLY);
        }
        backend_pause(s->f);
        version = version_on(s, 0, ring_tag(s->fe, 0));
        flush = tflush({.fe = s->fe, .oldtag = version->tag,
                        .ring = P9_RING(0), .tag = ring_tag(s->fe, 0),
                        .request_only = true});
        backend_resume(s->f);
        finish(flush);
        g_assert_true(version->done);
        finish(version);
        session_attach(s);
    }
    g_assert_cmpint(fixture_fds(s->f), ==, before);
}

/* The same, with the device closing while it runs. */
static void case_version_closing(Session *s)
{
    int before = fixture_fds(s->f);

    host_file(s, "data", "some text");
    for (unsigned round = 0; round < 10; round++) {
        P9Req *version, *flush;

        for (unsigned i = 0; i < 30; i++) {
            open_at(s, 1 + i, "data", P9_DOTL_RDONLY);
        }
        version = version_on(s, 0, P9_TAG(5));
        flush = tflush({.fe = s->fe, .oldtag = 5, .ring = P9_RING(0),
                        .tag = ring_tag(s->fe, 0), .request_only = true});
        g_assert_cmpint(fe_disconnect(s->front), ==, 0);
        p9_req_free(version);
        p9_req_free(flush);
        fe_reset(s->front);
        g_assert_true(fe_connect(s->front, s->setup->rings, s->setup->order));
        session_attach(s);
    }
    /* The connection has what it had. */
    g_assert_cmpint(fixture_fds(s->f), ==, before);
}

/* Beside Tflush on other rings, which wait for each other's requests, too. */
static void case_version_beside_flush(Session *s)
{
    unsigned rings = s->fe->rings;

    for (unsigned round = 0; round < 60; round++) {
        P9Req *reqs[8][4], *version;
        unsigned at = round % rings;

        backend_pause(s->f);
        for (unsigned ring = 0; ring < rings; ring++) {
            reqs[ring][0] = getattr_on(s, ring, 0);
            reqs[ring][1] = flush_on(s, ring, 60000);
        }
        version = version_on(s, at, ring_tag(s->fe, at));
        for (unsigned ring = 0; ring < rings; ring++) {
            reqs[ring][2] = flush_on(s, ring, reqs[0][0]->tag);
            reqs[ring][3] = getattr_on(s, ring, 0);
        }
        backend_resume(s->f);
        for (unsigned ring = 0; ring < rings; ring++) {
            for (unsigned i = 0; i < 4; i++) {
                p9_req_result(reqs[ring][i]);
                p9_req_free(reqs[ring][i]);
            }
        }
        finish(version);
        session_attach(s);
    }
}

/* A client that changes its mind, with a directory open in either dialect. */
static void case_version_dialect(Session *s)
{
    P9Req *reqs[8];

    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *name = g_strdup_printf("dir/entry-%u", i);

        host_file(s, name, "");
    }
    for (unsigned round = 0; round < 40; round++) {
        s->fe->dotl = round % 2 == 0;
        s->fe->msize = 0;
        session_attach(s);
        open_at(s, 1, "dir", 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(reqs); i++) {
            reqs[i] = s->fe->dotl ?
                treaddir({.fe = s->fe, .fid = 1, .count = 3000,
                          .request_only = true}) :
                tread({.fe = s->fe, .fid = 1, .count = 3000,
                       .request_only = true});
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(reqs); i++) {
            finish(reqs[i]);
        }
    }
    s->fe->dotl = true;
    s->fe->msize = 0;
    session_attach(s);
}

/* ---- Tflush ---- */

/* No reply to @old comes once @flush is answered. */
static void expect_order(Session *s, P9Req *flush, P9Req *old)
{
    finish(flush);
    /* What was sent before Rflush may be on a ring that was looked at. */
    fe_pump(s->front, 0);
    if (!old->done) {
        g_assert_cmpint(p9_req_wait(old, 20), ==, P9_OVERDUE);
    }
    p9_req_free(old);
}

/* The request that is flushed is behind another Tflush, on another ring. */
static void case_flush_behind_flush(Session *s)
{
    enum { OLD = 40000 };

    for (unsigned round = 0; round < 300; round++) {
        unsigned ring = round % 2;
        P9Req *first, *old, *flush;

        backend_pause(s->f);
        first = flush_on(s, !ring, 60000);
        old = tgetattr({.fe = s->fe, .fid = 0, .ring = P9_RING(!ring),
                        .tag = P9_TAG(OLD), .request_only = true});
        flush = flush_on(s, ring, OLD);
        backend_resume(s->f);
        expect_order(s, flush, old);
        finish(first);
    }
}

/*
 * All rings at once: each has Tflush of requests that are behind the Tflush of
 * the next ring.
 */
static void case_flush_all_rings(Session *s)
{
    enum { EACH = 12 };
    unsigned rings = s->fe->rings;
    P9Req *old[8][EACH], *flush[8][EACH];

    for (unsigned round = 0; round < 40; round++) {
        backend_pause(s->f);
        for (unsigned i = 0; i < EACH; i++) {
            for (unsigned ring = 0; ring < rings; ring++) {
                old[ring][i] = getattr_on(s, ring, 0);
            }
            for (unsigned ring = 0; ring < rings; ring++) {
                flush[ring][i] = flush_on(s, ring,
                                          old[(ring + 1) % rings][i]->tag);
            }
        }
        backend_resume(s->f);
        for (unsigned i = 0; i < EACH; i++) {
            for (unsigned ring = 0; ring < rings; ring++) {
                expect_order(s, flush[ring][i], old[(ring + 1) % rings][i]);
            }
        }
    }
}

/* More Tflush than anybody is to keep back, about requests that wait. */
static void case_flush_many(Session *s)
{
    enum { MANY = 3000 };
    g_autofree P9Req **flushes = g_new0(P9Req *, MANY);
    P9Req *behind;

    backend_pause(s->f);
    behind = getattr_on(s, 0, 0);
    for (unsigned i = 0; i < MANY; i++) {
        flushes[i] = flush_on(s, last_ring(s), 50000);
    }
    backend_resume(s->f);
    for (unsigned i = 0; i < MANY; i++) {
        finish(flushes[i]);
    }
    finish(behind);
}

/* Tflush of a Tflush, and two that are about each other. */
static void case_flush_of_flush(Session *s)
{
    for (unsigned round = 0; round < 50; round++) {
        P9Req *old, *a, *b;

        backend_pause(s->f);
        old = getattr_on(s, 0, 0);
        a = tflush({.fe = s->fe, .oldtag = old->tag, .ring = P9_RING(1),
                    .tag = P9_TAG(1001), .request_only = true});
        b = tflush({.fe = s->fe, .oldtag = round % 2 ? 1001 : 1002,
                    .ring = P9_RING(0), .tag = P9_TAG(1002),
                    .request_only = true});
        backend_resume(s->f);
        finish(b);
        fe_pump(s->front, 0);
        if (round % 2) {
            g_assert_true(a->done);
        }
        finish(a);
        finish(old);
    }
}

/* ---- Requests on one fid ---- */

/* A client need not wait for the fid before it uses it. */
static void case_fid_pipelined(Session *s)
{
    host_file(s, "data", "some text");
    for (unsigned round = 0; round < 100; round++) {
        P9Req *reqs[4];
        uint32_t fid = 100 + round;
        const char *data;
        uint32_t len;

        backend_pause(s->f);
        reqs[0] = twalk({.fe = s->fe, .fid = 0, .newfid = fid,
                         .path = "data", .ring = P9_RING(0),
                         .tag = ring_tag(s->fe, 0), .request_only = true});
        reqs[1] = tlopen({.fe = s->fe, .fid = fid, .ring = P9_RING(0),
                          .tag = ring_tag(s->fe, 0), .request_only = true});
        reqs[2] = tread({.fe = s->fe, .fid = fid, .count = 9,
                         .ring = P9_RING(0), .tag = ring_tag(s->fe, 0),
                         .request_only = true});
        backend_resume(s->f);
        g_assert_true(p9_req_expect(reqs[2], 0));
        g_assert_true(p9_unpack(&reqs[2]->rx, "D", &len, &data));
        g_assert_cmpmem(data, len, "some text", 9);
        p9_req_free(reqs[2]);
        finish(reqs[0]);
        finish(reqs[1]);
        tclunk({.fe = s->fe, .fid = fid});
    }
}

/* Only one of two can open a fid, and the other one leaves nothing open. */
static void case_fid_opened_twice(Session *s)
{
    int before = fixture_fds(s->f);

    g_assert_cmpint(mkdir(host_path(s, "dir"), 0755), ==, 0);
    host_file(s, "data", "some text");
    for (unsigned round = 0; round < 200; round++) {
        P9Req *reqs[2];
        unsigned opened = 0;

        twalk({.fe = s->fe, .fid = 0, .newfid = 1,
               .path = round % 2 ? "data" : "dir"});
        for (unsigned i = 0; i < 2; i++) {
            unsigned ring = i ? last_ring(s) : 0;

            reqs[i] = tlopen({.fe = s->fe, .fid = 1, .ring = P9_RING(ring),
                              .tag = ring_tag(s->fe, ring),
                              .request_only = true});
        }
        for (unsigned i = 0; i < 2; i++) {
            opened += p9_req_result(reqs[i]) == 0;
            p9_req_free(reqs[i]);
        }
        g_assert_cmpuint(opened, ==, 1);
        tclunk({.fe = s->fe, .fid = 1});
    }
    g_assert_cmpint(fixture_fds(s->f), ==, before);
}

/* What waits for one fid does not keep other rings from theirs. */
static void case_fid_other_rings(Session *s)
{
    P9Req *open, *next;

    open_data(s, 2);
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "data"});
    hold(s, LOOP_FS_OPEN, true);
    open = tlopen({.fe = s->fe, .fid = 1, .ring = P9_RING(0),
                   .tag = ring_tag(s->fe, 0), .request_only = true});
    fixture_await_call(s->f, LOOP_FS_OPEN);
    next = tread({.fe = s->fe, .fid = 1, .count = 9, .ring = P9_RING(0),
                  .tag = ring_tag(s->fe, 0), .request_only = true});
    g_assert_true(still_waits(next));
    tread({.fe = s->fe, .fid = 2, .count = 9, .ring = P9_RING(1),
           .tag = ring_tag(s->fe, 1)});
    hold(s, LOOP_FS_OPEN, false);
    finish(open);
    finish(next);
}

#define WORKER .more = (const char *const[]) { "dispatch", "worker", NULL }

static const Setup one = { 1, 4, WORKER };
static const Setup two = { 2, 4, WORKER };
static const Setup two_auto = { 2, 5 };
static const Setup four = { 4, 5 };
static const Setup two_large = { 2, 9 };

static const struct {
    Case test;
    const Setup *setup[3];
} cases[] = {
    { { "version/alone", case_version_alone, CASE_OURS }, { &one, &two } },
    { { "version/twice", case_version_twice, CASE_OURS }, { &two } },
    { { "version/flushed", case_version_flushed }, { &one, &two_auto } },
    { { "version/closing", case_version_closing, CASE_OURS },
      { &one, &two_auto } },
    { { "version/beside-flush", case_version_beside_flush, CASE_OURS },
      { &two_auto, &four } },
    { { "version/dialect", case_version_dialect }, { &one, &two, &two_auto } },
    { { "flush/behind-flush", case_flush_behind_flush }, { &two_auto } },
    { { "flush/all-rings", case_flush_all_rings }, { &two_auto, &four } },
    { { "flush/many", case_flush_many, CASE_FLEX }, { &two_large } },
    { { "flush/of-flush", case_flush_of_flush }, { &two_auto } },
    { { "fid/pipelined", case_fid_pipelined }, { &one, &two_auto } },
    { { "fid/opened-twice", case_fid_opened_twice },
      { &one, &two, &two_auto } },
    { { "fid/other-rings", case_fid_other_rings, CASE_OURS }, { &two } },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(cases[i].setup) &&
             cases[i].setup[j]; j++) {
            session_add("order", &cases[i].test, cases[i].setup[j]);
        }
    }
    return g_test_run();
}
