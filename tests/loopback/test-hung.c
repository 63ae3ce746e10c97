/*
 * A share whose file system hangs: any call, at any moment
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "hung.h"

/* What each unmapping takes where that is slow. */
#define UNMAP_US 300000

/* ---- What hangs ---- */

/* Device 0, with fids of a file and its folder, open, and one that is not. */
static void make_first(Hung *h)
{
    if (h->by_qmp) {
        shares_done(shares_run(h->qmp, "device_add",
                               "\"driver\": \"xen-9pfs\", \"id\": \"hung\", "
                               "\"devid\": 0, \"mount_tag\": \"hung\", "
                               "\"path\": \"%s\", \"protocol\": \"%s\", "
                               "\"security_model\": \"none\", "
                               "\"dispatch\": \"%s\"", h->folder,
                               h->f->type, h->dispatch));
        h->fe = fixture_frontend(h->f, h->f->type, 0);
    } else {
        h->fe = hung_add(h, 0, h->folder);
    }
}

static void connect_first(Hung *h)
{
    P9Client *c;

    make_first(h);
    hung_attach(h, h->fe);
    c = &h->fe->client;
    twalk({.fe = c, .fid = 0, .newfid = 1});
    tlcreate({.fe = c, .fid = 1, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR});
    twrite({.fe = c, .fid = 1, .count = 4, .data = "text"});
    twalk({.fe = c, .fid = 0, .newfid = 2});
    tlopen({.fe = c, .fid = 2});
    twalk({.fe = c, .fid = 0, .newfid = 3, .path = "file"});
}

static void close_first(Hung *h)
{
    connect_first(h);
    g_assert_cmpint(fe_disconnect(h->fe), ==, 0);
}

static P9Req *begin_getattr(Hung *h)
{
    return tgetattr({.fe = &h->fe->client, .fid = 0, .request_only = true});
}

static P9Req *begin_open(Hung *h)
{
    return tlopen({.fe = &h->fe->client, .fid = 3, .request_only = true});
}

static P9Req *begin_read(Hung *h)
{
    return tread({.fe = &h->fe->client, .fid = 1, .count = 100,
                  .request_only = true});
}

static P9Req *begin_write(Hung *h)
{
    return twrite({.fe = &h->fe->client, .fid = 1, .count = 4, .data = "text",
                   .request_only = true});
}

static P9Req *begin_readdir(Hung *h)
{
    return treaddir({.fe = &h->fe->client, .fid = 2, .count = 4000,
                     .request_only = true});
}

static P9Req *begin_fsync(Hung *h)
{
    return tfsync({.fe = &h->fe->client, .fid = 1, .request_only = true});
}

static P9Req *begin_statfs(Hung *h)
{
    return tstatfs({.fe = &h->fe->client, .fid = 0, .request_only = true});
}

static P9Req *begin_unlink(Hung *h)
{
    return tunlinkat({.fe = &h->fe->client, .dfid = 0, .name = "file",
                      .request_only = true});
}

static P9Req *begin_close(Hung *h)
{
    return tclunk({.fe = &h->fe->client, .fid = 1, .request_only = true});
}

static P9Req *begin_opening(Hung *h)
{
    make_first(h);
    return NULL;
}

static P9Req *begin_reopening(Hung *h)
{
    fe_reset(h->fe);
    return NULL;
}

/* What it had open is closed. */
static P9Req *begin_reset(Hung *h)
{
    g_assert_cmpint(fe_disconnect(h->fe), ==, 0);
    return NULL;
}

static void end_request(Hung *h)
{
    g_assert_true(p9_req_expect(h->req, 0));
    hung_forget(h);
}

static void end_opening(Hung *h)
{
    hung_attach(h, h->fe);
}

static void end_reset(Hung *h)
{
    fe_reset(h->fe);
    hung_attach(h, h->fe);
}

typedef struct Stage {
    const char *name;
    LoopFsCall call;
    P9Req *(*begin)(Hung *h);   /* do what makes the call */
    void (*before)(Hung *h);    /* NULL: nothing */
    void (*end)(Hung *h);       /* when it has returned */
} Stage;

#define REQUEST(name, call, begin) \
    { name, call, begin, connect_first, end_request }

static const Stage stages[] = {
    REQUEST("fstatat", LOOP_FS_STAT, begin_getattr),
    REQUEST("openat", LOOP_FS_OPEN, begin_open),
    REQUEST("read", LOOP_FS_READ, begin_read),
    REQUEST("write", LOOP_FS_WRITE, begin_write),
    REQUEST("readdir", LOOP_FS_READDIR, begin_readdir),
    REQUEST("fsync", LOOP_FS_SYNC, begin_fsync),
    REQUEST("statfs", LOOP_FS_STATFS, begin_statfs),
    REQUEST("unlink", LOOP_FS_UNLINK, begin_unlink),
    REQUEST("close", LOOP_FS_CLOSE, begin_close),
    { "open", LOOP_FS_ROOT, begin_opening, NULL, end_opening },
    { "open-again", LOOP_FS_ROOT, begin_reopening, close_first, end_opening },
    { "reset", LOOP_FS_CLOSE, begin_reset, connect_first, end_reset },
};

/* ---- And what happens meanwhile ---- */

static void await_state(Fe *fe, XenbusState state)
{
    gint64 begin = g_get_monotonic_time();

    g_assert_cmpint(fe_wait_state(fe, 1u << state, HUNG_WAIT_MS), ==, state);
    hung_soon(begin, HUNG_ANSWER_S, "its state");
}

static void let_go(Hung *h, const Stage *stage)
{
    hung_fine(h);
    hung_hold(h, stage->call, false);
}

static void steady(Hung *h, const Stage *stage)
{
    let_go(h, stage);
    stage->end(h);
    fixture_drop(h->f, h->fe);
    hung_down(h);
}

/* The frontend goes: it is told so though the call has not returned. */
static void closing(Hung *h, const Stage *stage)
{
    uint32_t grants = loop_grants_in_use(h->f->loop, h->f->domid);
    gint64 begin;

    fe_set_state(h->fe, XenbusStateClosing);
    await_state(h->fe, XenbusStateClosing);
    let_go(h, stage);
    begin = g_get_monotonic_time();
    while (loop_grants_in_use(h->f->loop, h->f->domid) >= grants) {
        hung_soon(begin, HUNG_WAIT_MS / 1e3, "its grants");
        g_usleep(1000);
    }
    fixture_drop(h->f, h->fe);
    hung_down(h);
}

/* Another frontend comes: there is no offer before the call has returned. */
static void await_offer(Hung *h, const Stage *stage)
{
    Fe *next = fixture_frontend(h->f, h->f->type, 0);

    fe_set_state(next, XenbusStateInitialising);
    hung_fine(h);
    g_assert_cmpint(fe_state(next), !=, XenbusStateInitWait);
    hung_hold(h, stage->call, false);
    hung_attach(h, next);
    tgetattr({.fe = &next->client, .fid = 0});
    fixture_drop(h->f, next);
    hung_down(h);
}

static void reconnect(Hung *h, const Stage *stage)
{
    fe_set_state(h->fe, XenbusStateClosing);
    await_state(h->fe, XenbusStateClosing);
    fe_set_state(h->fe, XenbusStateClosed);
    await_state(h->fe, XenbusStateClosed);
    await_offer(h, stage);
}

/* Its nodes are removed, as after xl destroy. */
static void removed(Hung *h, const Stage *stage)
{
    fixture_abandon(h->f, h->fe);
    let_go(h, stage);
    hung_down(h);
}

static void device_del(Hung *h, const Stage *stage)
{
    gint64 begin = g_get_monotonic_time();

    shares_done(shares_run(h->qmp, "device_del", "\"id\": \"hung\""));
    await_state(h->fe, XenbusStateUnknown);
    hung_soon(begin, HUNG_ANSWER_S, "device_del");
    let_go(h, stage);
    hung_down(h);
}

static void quit(Hung *h, const Stage *stage)
{
    gint64 begin = g_get_monotonic_time();

    qmp_free(h->qmp);
    g_assert_cmpint(fixture_stop(h->f), ==, 0);
    hung_soon(begin, HUNG_END_S, "QEMU's end");
    hung_hold(h, stage->call, false);
    hung_remove(h);
}

typedef struct Moment {
    const char *name;
    void (*act)(Hung *h, const Stage *stage);
    bool connected;             /* only while a frontend is */
    bool by_qmp;
} Moment;

static const Moment moments[] = {
    { "steady", steady, false, false },
    { "closing", closing, true, false },
    { "reconnect", reconnect, true, false },
    { "kexec", await_offer, true, false },
    { "removed", removed, false, false },
    { "device_del", device_del, false, true },
    { "quit", quit, false, false },
};

/* ---- Each with each ---- */

typedef struct Case {
    const char *dispatch;
    const Stage *stage;
    const Moment *moment;
} Case;

static void test_case(gconstpointer opaque)
{
    const Case *c = opaque;
    Hung h;

    if (!hung_up(&h, c->dispatch)) {
        return;
    }
    h.by_qmp = c->moment->by_qmp;
    hung_start(&h);
    if (c->stage->before) {
        c->stage->before(&h);
    }
    hung_hold(&h, c->stage->call, true);
    h.req = c->stage->begin(&h);
    fixture_await_call(h.f, c->stage->call);
    hung_fine(&h);
    g_assert_false(h.req && h.req->done);
    if (c->moment->act != steady) {
        hung_forget(&h);
    }
    c->moment->act(&h, c->stage);
}

/*
 * The call returns after the frontend was told of Closing, and unmapping takes
 * its time: Closed comes after that.
 */
static void test_late(gconstpointer dispatch)
{
    LoopFault rule = loop_fault_rule(LOOP_FAULT_GNT_UNMAP, 0);
    uint32_t grants;
    int slow;
    Hung h;

    if (!hung_up(&h, dispatch)) {
        return;
    }
    hung_start(&h);
    grants = loop_grants_in_use(h.f->loop, h.f->domid);
    connect_first(&h);
    hung_hold(&h, LOOP_FS_STAT, true);
    h.req = begin_getattr(&h);
    fixture_await_call(h.f, LOOP_FS_STAT);
    hung_forget(&h);
    fe_set_state(h.fe, XenbusStateClosing);
    await_state(h.fe, XenbusStateClosing);
    rule.pid = h.f->backend_pid;
    rule.times = 0;
    rule.delay_us = UNMAP_US;
    slow = loop_fault_set(h.f->loop, &rule);
    hung_hold(&h, LOOP_FS_STAT, false);
    for (unsigned i = 0; loop_fault_hits(h.f->loop, slow) == 0; i++) {
        g_assert_cmpint(i, <, HUNG_WAIT_MS);
        g_usleep(1000);
    }
    fe_set_state(h.fe, XenbusStateClosed);
    g_assert_cmpint(fe_wait_state(h.fe, 1u << XenbusStateClosed, HUNG_WAIT_MS),
                    ==, XenbusStateClosed);
    g_assert_cmpuint(loop_grants_in_use(h.f->loop, h.f->domid), ==, grants);
    loop_fault_clear(h.f->loop, slow);
    end_reset(&h);
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

static void add_case(const char *mode, const Stage *stage,
                     const Moment *moment)
{
    g_autofree char *path = g_strdup_printf("/hung/%s/%s/%s", mode,
                                            stage->name, moment->name);
    Case *c = g_new0(Case, 1);

    *c = (Case) { mode, stage, moment };
    g_test_add_data_func_full(path, c, test_case, g_free);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(hung_modes); i++) {
        g_autofree char *late = g_strdup_printf("/hung/%s/late",
                                                hung_modes[i]);

        g_test_add_data_func(late, hung_modes[i], test_late);
        for (size_t j = 0; j < G_N_ELEMENTS(stages); j++) {
            for (size_t k = 0; k < G_N_ELEMENTS(moments); k++) {
                if (!moments[k].connected || stages[j].end == end_request) {
                    add_case(hung_modes[i], &stages[j], &moments[k]);
                }
            }
        }
    }
    return g_test_run();
}
