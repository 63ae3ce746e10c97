/*
 * A share whose file system hangs: what becomes of QEMU, and of its neighbours
 *
 * Device 0's share is a file system of its own, calls on which are held, as
 * those on a frozen disk or a server that is gone are. Meanwhile QEMU answers,
 * device 1 is served, others come and go; and QEMU can end.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fixture.h"
#include "qmp.h"

#define WAIT_MS 20000
/* What QEMU may take, on a machine that does other things as well. */
#define ANSWER_S 1.0
#define END_S 2.0
#define REQUESTS 1000
/* Longer than what is told of. */
#define WATCH_US 2500000

typedef struct Hung {
    Fixture *f;
    char *folder;               /* device 0's share */
    const char *dispatch;
    Fe *fe, *other;
    Qmp *qmp;
} Hung;

static double seconds_since(gint64 start)
{
    return (g_get_monotonic_time() - start) / 1e6;
}

static Fe *add_device(Hung *h, int devid, const char *path)
{
    const char *more[] = { "dispatch", h->dispatch, NULL };
    g_autofree char *tag = g_strdup_printf("share-%d", devid);

    return fixture_device(h->f, &(DeviceOpts) {
        .path = path, .devid = devid, .tag = tag,
        .more = h->f->backend == BACKEND_OURS ? more : NULL,
    });
}

static void attach(Hung *h, Fe *fe)
{
    g_assert_true(fe_connect(fe, 1, 5));
    tattach({.fe = &fe->client, .version = fixture_version(h->f)});
}

static bool hung_up(Hung *h, gconstpointer dispatch)
{
    struct stat st;

    *h = (Hung) { .dispatch = dispatch };
    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have no thread for each device");
        return false;
    }
    h->f = fixture_up();
    h->folder = g_build_filename(h->f->dir, "hung", NULL);
    g_assert_cmpint(mkdir(h->folder, 0755), ==, 0);
    if (mount("hung", h->folder, "tmpfs", 0, NULL) < 0) {
        g_test_skip("mount() is not permitted");
        fixture_down(h->f);
        g_free(h->folder);
        return false;
    }
    g_assert_cmpint(stat(h->folder, &st), ==, 0);
    loop_fs_only(h->f->loop, st.st_dev);
    return true;
}

static void start(Hung *h)
{
    h->other = add_device(h, 1, h->f->share);
    fixture_start(h->f);
    loop_fs_watch(h->f->loop, h->f->backend_pid);
    attach(h, h->other);
    h->qmp = qmp_new(h->f);
}

static void hold(Hung *h, LoopFsCall call, bool held)
{
    loop_fs_hold(h->f->loop, call, held);
}

static void query(Hung *h)
{
    gint64 begin = g_get_monotonic_time();
    g_autofree char *answer = qmp_run(h->qmp,
                                      "{\"execute\": \"query-status\"}");

    g_assert_nonnull(answer);
    g_assert_cmpfloat(seconds_since(begin), <, ANSWER_S);
}

/* QEMU answers, device 1 is served, device 2 comes and goes. */
static void others_are_fine(Hung *h)
{
    gint64 begin;
    Fe *third;

    query(h);
    for (unsigned i = 0; i < REQUESTS; i++) {
        tgetattr({.fe = &h->other->client, .fid = 0});
    }
    begin = g_get_monotonic_time();
    third = add_device(h, 2, h->f->share);
    attach(h, third);
    fixture_drop(h->f, third);
    g_test_message("a third device came and went in %.3f s",
                   seconds_since(begin));
    query(h);
}

/* The backend has no device, or has ended. */
static void remove_all(Hung *h)
{
    loop_fs_watch(h->f->loop, 0);
    loop_fs_only(h->f->loop, 0);
    fixture_down(h->f);
    g_assert_cmpint(umount(h->folder), ==, 0);
    g_free(h->folder);
}

static void hung_down(Hung *h)
{
    qmp_free(h->qmp);
    fixture_drop(h->f, h->other);
    fixture_check(h->f);
    for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
        /* Of its shares' file systems the first thread knows nothing. */
        g_assert_cmpuint(loop_fs_count(h->f->loop, call, LOOP_FS_MAIN), ==, 0);
    }
    remove_all(h);
}

static void await_state(Fe *fe, XenbusState state)
{
    gint64 begin = g_get_monotonic_time();

    g_assert_cmpint(fe_wait_state(fe, 1u << state, WAIT_MS), ==, state);
    g_test_message("state %d after %.3f s", state, seconds_since(begin));
    g_assert_cmpfloat(seconds_since(begin), <, ANSWER_S);
}

/* ---- Calls of a session ---- */

typedef struct Request {
    const char *name;
    LoopFsCall call;
    P9Req *(*begin)(Hung *h);
} Request;

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

static const Request requests[] = {
    { "fstatat", LOOP_FS_STAT, begin_getattr },
    { "openat", LOOP_FS_OPEN, begin_open },
    { "read", LOOP_FS_READ, begin_read },
    { "write", LOOP_FS_WRITE, begin_write },
    { "readdir", LOOP_FS_READDIR, begin_readdir },
    { "fsync", LOOP_FS_SYNC, begin_fsync },
    { "statfs", LOOP_FS_STATFS, begin_statfs },
    { "unlink", LOOP_FS_UNLINK, begin_unlink },
    { "close", LOOP_FS_CLOSE, begin_close },
};

/* Device 0, with fids of a file and its folder, open, and one that is not. */
static void connect_first(Hung *h)
{
    P9Client *c;

    attach(h, h->fe);
    c = &h->fe->client;
    twalk({.fe = c, .fid = 0, .newfid = 1});
    tlcreate({.fe = c, .fid = 1, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR});
    twrite({.fe = c, .fid = 1, .count = 4, .data = "text"});
    twalk({.fe = c, .fid = 0, .newfid = 2});
    tlopen({.fe = c, .fid = 2});
    twalk({.fe = c, .fid = 0, .newfid = 3, .path = "file"});
}

typedef enum Moment {
    STEADY, CLOSING, REMOVED, QUIT, MOMENTS
} Moment;

static const char *const moments[MOMENTS] = {
    "steady", "closing", "removed", "quit",
};

typedef struct Case {
    const Request *request;
    const char *dispatch;
    Moment moment;
} Case;

/* The frontend goes: it is told so though the call has not returned. */
static void close_first(Hung *h, const Request *r)
{
    uint32_t grants = loop_grants_in_use(h->f->loop, h->f->domid);
    gint64 begin;

    fe_set_state(h->fe, XenbusStateClosing);
    await_state(h->fe, XenbusStateClosing);
    others_are_fine(h);
    hold(h, r->call, false);
    begin = g_get_monotonic_time();
    while (loop_grants_in_use(h->f->loop, h->f->domid) >= grants) {
        g_assert_cmpfloat(seconds_since(begin), <, WAIT_MS / 1e3);
        g_usleep(1000);
    }
    fixture_drop(h->f, h->fe);
}

/* Its nodes are removed, as after xl destroy. */
static void remove_first(Hung *h, const Request *r)
{
    fixture_abandon(h->f, h->fe);
    others_are_fine(h);
    hold(h, r->call, false);
}

static void quit(Hung *h, const Request *r)
{
    gint64 begin = g_get_monotonic_time();

    qmp_free(h->qmp);
    g_assert_cmpint(fixture_stop(h->f), ==, 0);
    g_assert_cmpfloat(seconds_since(begin), <, END_S);
    hold(h, r->call, false);
    remove_all(h);
}

static void test_request(gconstpointer opaque)
{
    const Case *c = opaque;
    const Request *r = c->request;
    P9Req *req;
    Hung h;

    if (!hung_up(&h, c->dispatch)) {
        return;
    }
    h.fe = add_device(&h, 0, h.folder);
    start(&h);
    connect_first(&h);
    hold(&h, r->call, true);
    req = r->begin(&h);
    fixture_await_call(h.f, r->call);
    others_are_fine(&h);
    switch (c->moment) {
    case STEADY:
        g_assert_false(req->done);
        hold(&h, r->call, false);
        g_assert_true(p9_req_expect(req, 0));
        p9_req_free(req);
        fixture_drop(h.f, h.fe);
        break;
    case CLOSING:
        p9_req_free(req);
        close_first(&h, r);
        break;
    case REMOVED:
        p9_req_free(req);
        remove_first(&h, r);
        break;
    default:
        p9_req_free(req);
        quit(&h, r);
        return;
    }
    hung_down(&h);
}

/* ---- Opening, and closing without a request ---- */

/* A device whose share hangs when it is opened. */
static bool add_hung(Hung *h, gconstpointer dispatch)
{
    if (!hung_up(h, dispatch)) {
        return false;
    }
    start(h);
    hold(h, LOOP_FS_ROOT, true);
    h->fe = add_device(h, 0, h->folder);
    fixture_await_call(h->f, LOOP_FS_ROOT);
    return true;
}

static void test_open(gconstpointer dispatch)
{
    Hung h;

    if (!add_hung(&h, dispatch)) {
        return;
    }
    others_are_fine(&h);
    hold(&h, LOOP_FS_ROOT, false);
    attach(&h, h.fe);
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

/* It is removed before it is open. */
static void test_open_removed(gconstpointer dispatch)
{
    Hung h;

    if (!add_hung(&h, dispatch)) {
        return;
    }
    fixture_abandon(h.f, h.fe);
    others_are_fine(&h);
    hold(&h, LOOP_FS_ROOT, false);
    hung_down(&h);
}

/* Files are closed at a session's end; it connects again when they are. */
static void test_reset(gconstpointer dispatch)
{
    Hung h;

    if (!hung_up(&h, dispatch)) {
        return;
    }
    h.fe = add_device(&h, 0, h.folder);
    start(&h);
    connect_first(&h);
    hold(&h, LOOP_FS_CLOSE, true);
    g_assert_cmpint(fe_disconnect(h.fe), ==, 0);
    fixture_await_call(h.f, LOOP_FS_CLOSE);
    others_are_fine(&h);
    hold(&h, LOOP_FS_CLOSE, false);
    fe_reset(h.fe);
    attach(&h, h.fe);
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

/* ---- What the operator sees ---- */

static unsigned stuck_for(Hung *h)
{
    g_autofree char *command = g_strdup_printf(
        "{\"execute\": \"qom-get\", \"arguments\": {\"path\": "
        "\"/machine/peripheral/xen-%s-0\", \"property\": \"stats\"}}",
        h->f->type);
    g_autofree char *answer = qmp_run(h->qmp, command);
    const char *at = answer ? strstr(answer, "\"stuck\": ") : NULL;

    g_assert_nonnull(at);
    return g_ascii_strtoull(strchr(at, ' '), NULL, 10);
}

/* A call in place is told of; one in a worker stops nothing. */
static void test_watch(gconstpointer dispatch)
{
    bool in_place = !strcmp(dispatch, "inline");
    g_autofree char *why = NULL;
    P9Req *req;
    Hung h;

    if (!hung_up(&h, dispatch)) {
        return;
    }
    h.fe = add_device(&h, 0, h.folder);
    start(&h);
    connect_first(&h);
    g_assert_cmpuint(stuck_for(&h), ==, 0);
    hold(&h, LOOP_FS_STAT, true);
    req = begin_getattr(&h);
    fixture_await_call(h.f, LOOP_FS_STAT);
    if (in_place) {
        for (unsigned i = 0; stuck_for(&h) < 2; i++) {
            g_assert_cmpuint(i, <, WAIT_MS / 10);
            g_usleep(10000);
        }
    } else {
        g_usleep(WATCH_US);
        g_assert_cmpuint(stuck_for(&h), ==, 0);
    }
    why = fixture_why(h.f, h.fe);
    g_assert_true(!strstr(why, "has not returned for a second") == !in_place);
    hold(&h, LOOP_FS_STAT, false);
    g_assert_true(p9_req_expect(req, 0));
    p9_req_free(req);
    for (unsigned i = 0; stuck_for(&h); i++) {
        g_assert_cmpuint(i, <, WAIT_MS / 10);
        g_usleep(10000);
    }
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

static const char *const modes[] = { "auto", "worker", "inline" };

static void add_all(const char *mode)
{
    const struct {
        const char *name;
        GTestDataFunc func;
    } others[] = {
        { "open", test_open }, { "open-removed", test_open_removed },
        { "reset", test_reset }, { "watch", test_watch },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        for (Moment m = 0; m < MOMENTS; m++) {
            g_autofree char *path = g_strdup_printf(
                "/hung/%s/%s/%s", mode, requests[i].name, moments[m]);
            Case *c = g_new0(Case, 1);

            *c = (Case) { &requests[i], mode, m };
            g_test_add_data_func_full(path, c, test_request, g_free);
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *path = g_strdup_printf("/hung/%s/%s", mode,
                                                others[i].name);

        g_test_add_data_func(path, mode, others[i].func);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        add_all(modes[i]);
    }
    return g_test_run();
}
