/*
 * Xen 9P tests: which calls of the file system run in place
 *
 * The calls are counted, and held, in the backend's own process, so nothing
 * here depends on how fast the machine is: it is seen who makes a call, and
 * what goes on while one is stuck.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/mount.h>

#include "xen-9p-session.h"

#define HERE    LOOP_FS_DEVICE
#define WORKERS LOOP_FS_WORKER

/* More calls than it takes to learn, however often a test is interrupted. */
#define LEARN_S 20

static void watch(Session *s)
{
    loop_fs_watch(s->f->loop, s->f->backend_pid);
}

static uint32_t count(Session *s, LoopFsCall call, LoopFsThread thread)
{
    return loop_fs_count(s->f->loop, call, thread);
}

static void read_one(Session *s)
{
    tread({.fe = s->fe, .fid = 1, .count = 100});
}

static void getattr_one(Session *s)
{
    tgetattr({.fe = s->fe, .fid = 0});
}

static void list_one(Session *s)
{
    treaddir({.fe = s->fe, .fid = 1, .count = 4000});
}

/* Do it until the device's thread makes the call itself. */
static void learn(Session *s, void (*one)(Session *s), LoopFsCall call)
{
    gint64 end = g_get_monotonic_time() + LEARN_S * G_USEC_PER_SEC;

    watch(s);
    while (count(s, call, HERE) == 0) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        one(s);
    }
}

static void hold(Session *s, LoopFsCall call)
{
    loop_fs_hold(s->f->loop, call, true);
}

static void let_go(Session *s, LoopFsCall call)
{
    loop_fs_hold(s->f->loop, call, false);
}

static void finish(P9Req *req)
{
    g_assert_true(p9_req_expect(req, 0));
    p9_req_free(req);
}

static void open_data(Session *s, uint32_t flags)
{
    host_file(s, "data", "some text");
    open_at(s, 1, "data", flags);
}

/* ---- The fixed modes ---- */

static void work(Session *s)
{
    open_data(s, P9_DOTL_RDWR);
    watch(s);
    for (unsigned i = 0; i < 50; i++) {
        getattr_one(s);
        read_one(s);
        twrite({.fe = s->fe, .fid = 1, .count = 4, .data = "text"});
    }
    tfsync({.fe = s->fe, .fid = 1});
}

static void case_inline(Session *s)
{
    work(s);
    g_assert_cmpuint(count(s, LOOP_FS_STAT, HERE), >=, 50);
    g_assert_cmpuint(count(s, LOOP_FS_READ, HERE), >=, 50);
    g_assert_cmpuint(count(s, LOOP_FS_WRITE, HERE), ==, 50);
    g_assert_cmpuint(count(s, LOOP_FS_SYNC, HERE), ==, 1);
    for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
        g_assert_cmpuint(count(s, call, WORKERS), ==, 0);
    }
}

static void case_worker(Session *s)
{
    work(s);
    g_assert_cmpuint(count(s, LOOP_FS_STAT, WORKERS), >=, 50);
    g_assert_cmpuint(count(s, LOOP_FS_READ, WORKERS), >=, 50);
    g_assert_cmpuint(count(s, LOOP_FS_WRITE, WORKERS), ==, 50);
    g_assert_cmpuint(count(s, LOOP_FS_SYNC, WORKERS), ==, 1);
    for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
        g_assert_cmpuint(count(s, call, HERE), ==, 0);
    }
}

/* ---- auto ---- */

/* The first calls of a kind are no risk: they prove it, in workers. */
static void case_first(Session *s)
{
    open_data(s, P9_DOTL_RDONLY);
    watch(s);
    /* To the end of the file, one call each; two as QEMU has it. */
    for (unsigned i = 0; i < 4; i++) {
        read_one(s);
    }
    g_assert_cmpuint(count(s, LOOP_FS_READ, HERE), ==, 0);
    g_assert_cmpuint(count(s, LOOP_FS_READ, WORKERS), >=, 4);
    learn(s, read_one, LOOP_FS_READ);
}

static void case_slow_and_back(Session *s)
{
    open_data(s, P9_DOTL_RDONLY);
    learn(s, read_one, LOOP_FS_READ);
    watch(s);
    loop_fs_delay(s->f->loop, LOOP_FS_READ, 3000, 0);
    for (unsigned i = 0; i < 60; i++) {
        read_one(s);
    }
    /* One in sixteen is asked whether it slept, then all are. */
    g_assert_cmpuint(count(s, LOOP_FS_READ, HERE), <=, 17);

    /* What is slow now may be stuck next, and nobody else minds. */
    hold(s, LOOP_FS_READ);
    {
        P9Req *stuck = tread({.fe = s->fe, .fid = 1, .count = 100,
                              .request_only = true});

        fixture_await_call(s->f, LOOP_FS_READ);
        getattr_one(s);
        g_assert_false(stuck->done);
        let_go(s, LOOP_FS_READ);
        finish(stuck);
    }
    loop_fs_delay(s->f->loop, LOOP_FS_READ, 0, 0);
    learn(s, read_one, LOOP_FS_READ);
}

/* What was never fast never gets there. */
static void case_slow_share(Session *s)
{
    open_data(s, P9_DOTL_RDONLY);
    watch(s);
    loop_fs_delay(s->f->loop, LOOP_FS_READ, 3000, 20000);
    loop_fs_delay(s->f->loop, LOOP_FS_STAT, 3000, 20000);
    for (unsigned i = 0; i < 40; i++) {
        read_one(s);
        getattr_one(s);
    }
    g_assert_cmpuint(count(s, LOOP_FS_READ, HERE), ==, 0);
    g_assert_cmpuint(count(s, LOOP_FS_STAT, HERE), ==, 0);
}

/* Whatever was learnt: a sync is not for the device's thread. */
static void case_fsync(Session *s)
{
    P9Req *sync;

    open_data(s, P9_DOTL_RDWR);
    learn(s, getattr_one, LOOP_FS_STAT);
    watch(s);
    for (unsigned i = 0; i < 30; i++) {
        tfsync({.fe = s->fe, .fid = 1, .datasync = i % 2});
    }
    g_assert_cmpuint(count(s, LOOP_FS_SYNC, HERE), ==, 0);
    hold(s, LOOP_FS_SYNC);
    sync = tfsync({.fe = s->fe, .fid = 1, .request_only = true});
    fixture_await_call(s->f, LOOP_FS_SYNC);
    for (unsigned i = 0; i < 100; i++) {
        getattr_one(s);
    }
    g_assert_false(sync->done);
    let_go(s, LOOP_FS_SYNC);
    finish(sync);
}

static void write_many(Session *s, uint32_t fid)
{
    for (unsigned i = 0; i < 30; i++) {
        twrite({.fe = s->fe, .fid = fid, .count = 4, .data = "text"});
    }
}

static void write_one(Session *s)
{
    twrite({.fe = s->fe, .fid = 1, .count = 4, .data = "text"});
}

/* Nor is a write that is one too; and it says nothing of other writes. */
static void case_sync_write(Session *s)
{
    static const uint32_t flags[] = { P9_DOTL_SYNC, P9_DOTL_DSYNC };

    open_data(s, P9_DOTL_RDWR);
    learn(s, write_one, LOOP_FS_WRITE);
    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        open_at(s, 2 + i, "data", P9_DOTL_RDWR | flags[i]);
        watch(s);
        write_many(s, 2 + i);
        g_assert_cmpuint(count(s, LOOP_FS_WRITE, HERE), ==, 0);
        g_assert_cmpuint(count(s, LOOP_FS_WRITE, WORKERS), ==, 30);
    }
    learn(s, write_one, LOOP_FS_WRITE);
}

/* ... as with writeout=immediate all are. */
static void case_writeout(Session *s)
{
    open_data(s, P9_DOTL_RDWR);
    watch(s);
    write_many(s, 1);
    g_assert_cmpuint(count(s, LOOP_FS_WRITE, HERE), ==, 0);
}

/* Opening a FIFO is refused at once, and holds nobody up. */
static void case_fifo(Session *s)
{
    static const uint32_t flags[] = {
        P9_DOTL_RDONLY, P9_DOTL_WRONLY, P9_DOTL_RDWR,
    };
    g_autofree char *path = host_path(s, "fifo");

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    open_data(s, P9_DOTL_RDONLY);
    for (unsigned i = 0; i < 60; i++) {
        twalk({.fe = s->fe, .fid = 0, .newfid = 3, .path = "data"});
        tlopen({.fe = s->fe, .fid = 3, .flags = P9_DOTL_RDONLY});
        tclunk({.fe = s->fe, .fid = 3});
        twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "fifo"});
        tlopen({.fe = s->fe, .fid = 2, .flags = flags[i % 3],
                .expect_err = ENXIO});
        tclunk({.fe = s->fe, .fid = 2});
    }
}

static void make_entries(Session *s, unsigned from, unsigned to, bool there)
{
    for (unsigned i = from; i < to; i++) {
        g_autofree char *name = g_strdup_printf("dir/entry-%04u", i);
        g_autofree char *path = host_path(s, name);

        if (there) {
            host_file(s, name, "");
        } else {
            g_assert_cmpint(unlink(path), ==, 0);
        }
    }
}

static P9Req *list_start(Session *s)
{
    return treaddir({.fe = s->fe, .fid = 1, .count = 4000,
                     .request_only = true});
}

/* Large directories are for workers; who lists them again waits for that. */
static void case_readdir(Session *s)
{
    P9Req *first, *second;

    make_entries(s, 0, 2, true);
    open_at(s, 1, "dir", P9_DOTL_RDONLY);
    /*
     * In place: QEMU's thread pool may leave a call behind two that are stuck,
     * since it takes a thread for idle that has been woken for another one.
     */
    learn(s, getattr_one, LOOP_FS_STAT);
    learn(s, list_one, LOOP_FS_READDIR);
    make_entries(s, 2, 1000, true);
    watch(s);
    hold(s, LOOP_FS_READDIR);
    first = list_start(s);
    fixture_await_call(s->f, LOOP_FS_READDIR);
    /* By now it is small again, as the host's file system tells. */
    make_entries(s, 2, 1000, false);
    second = list_start(s);
    getattr_one(s);
    g_assert_false(first->done);
    g_assert_false(second->done);
    g_assert_cmpuint(count(s, LOOP_FS_READDIR, HERE), ==, 0);
    let_go(s, LOOP_FS_READDIR);
    finish(first);
    finish(second);
}

/* ---- Other file systems below the share ---- */

static void stat_below(Session *s)
{
    tgetattr({.fe = s->fe, .fid = 3});
}

static void read_below(Session *s)
{
    tread({.fe = s->fe, .fid = 4, .count = 100});
}

static void walk_below(Session *s)
{
    twalk({.fe = s->fe, .fid = 2, .newfid = 5, .path = "below/data"});
    tclunk({.fe = s->fe, .fid = 5});
}

/* What is not in place: the file system that is mounted, and the way there. */
static void expect_below(Session *s)
{
    static void (*const calls[])(Session *s) = {
        stat_below, read_below, walk_below,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
        watch(s);
        for (unsigned n = 0; n < 40; n++) {
            calls[i](s);
        }
        for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
            g_assert_cmpuint(count(s, call, HERE), ==, 0);
        }
    }
}

/*
 * A file system that was there, and one that is mounted while the share is in
 * use. All else stays in place, and it does, too, when it is mounted no more.
 */
static void case_mounted(Session *s)
{
    g_autofree char *folder = host_path(s, "folder");
    g_autofree char *below = host_path(s, "folder/below");

    g_assert_cmpint(mkdir(folder, 0755), ==, 0);
    g_assert_cmpint(mkdir(below, 0755), ==, 0);
    if (mount("none", below, "tmpfs", 0, NULL) < 0) {
        g_test_skip("nothing can be mounted here");
        return;
    }
    host_file(s, "folder/below/data", "other text");
    open_data(s, P9_DOTL_RDONLY);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "folder"});
    twalk({.fe = s->fe, .fid = 2, .newfid = 3, .path = "below"});
    open_at(s, 4, "folder/below/data", P9_DOTL_RDONLY);
    learn(s, read_one, LOOP_FS_READ);
    learn(s, getattr_one, LOOP_FS_STAT);
    expect_below(s);

    learn(s, read_one, LOOP_FS_READ);
    tclunk({.fe = s->fe, .fid = 4});
    g_assert_cmpint(umount2(below, MNT_DETACH), ==, 0);
    learn(s, stat_below, LOOP_FS_STAT);
}

/* How often a thread went to sleep, and so woke up; 0 if it has ended. */
static unsigned wake_ups_of(const char *tasks, const char *thread)
{
    g_autofree char *path = g_build_filename(tasks, thread, "status", NULL);
    g_autofree char *text = NULL;
    const char *at;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return 0;
    }
    at = strstr(text, "\nvoluntary_ctxt_switches:");
    g_assert_nonnull(at);
    return g_ascii_strtoull(strchr(at + 1, ':') + 1, NULL, 10);
}

/* Of all threads of the backend. */
static unsigned wake_ups(Session *s)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task",
                                             (int)s->f->backend_pid);
    g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
    const char *thread;
    unsigned sum = 0;

    g_assert_nonnull(dir);
    while ((thread = g_dir_read_name(dir))) {
        sum += wake_ups_of(tasks, thread);
    }
    return sum;
}

/* Nothing to do is nothing done, whatever was learnt. */
static void case_idle(Session *s)
{
    unsigned before;

    if (g_getenv("TSAN_OPTIONS")) {
        g_test_skip("the thread sanitizer's own thread wakes up as often");
        return;
    }
    open_data(s, P9_DOTL_RDONLY);
    learn(s, read_one, LOOP_FS_READ);
    g_usleep(200 * 1000);
    before = wake_ups(s);
    g_usleep(1000 * 1000);
    /* (A worker that ends takes its number along.) */
    g_assert_cmpint((int)(wake_ups(s) - before), <, 10);
}

/* ---- The node ---- */

static void case_refused(void)
{
    static const char *const wrong[] = { "", "Auto", "inline ", "fast", "1" };

    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        Fixture *f = fixture_up();
        Fe *fe;
        g_autofree char *why = NULL;

        if (f->backend != BACKEND_OURS) {
            g_test_skip("the backend has no node for it");
            fixture_down(f);
            return;
        }
        fe = fixture_device(f, &(DeviceOpts) {
            .path = f->share,
            .more = (const char *const[]) { "dispatch", wrong[i], NULL },
        });
        fixture_start(f);
        g_assert_cmpint(fe_wait_state(fe, FE_STATE(Closing) |
                                      FE_STATE(InitWait), 10000), ==,
                        XenbusStateClosing);
        why = fixture_why(f, fe);
        g_assert_nonnull(strstr(why, "/dispatch: '"));
        g_assert_nonnull(strstr(why, "use auto|worker|inline"));
        g_assert_true(fixture_alive(f));
        fixture_abandon(f, fe);
        fixture_check(f);
        fixture_down(f);
    }
}

#define NODES(...) .more = (const char *const[]) { __VA_ARGS__, NULL }

static const Setup in_auto = { 2, 5, NODES("dispatch", "auto") };
static const Setup in_worker = { 2, 5, NODES("dispatch", "worker") };
static const Setup in_place = { 2, 5, NODES("dispatch", "inline") };
static const Setup writeout = {
    2, 5, NODES("dispatch", "auto", "writeout", "immediate")
};

static const struct {
    Case test;
    const Setup *setup;
} cases[] = {
    { { "inline", case_inline, CASE_OURS }, &in_place },
    { { "worker", case_worker, CASE_OURS }, &in_worker },
    { { "auto/first", case_first, CASE_OURS }, &in_auto },
    { { "auto/slow-and-back", case_slow_and_back, CASE_OURS }, &in_auto },
    { { "auto/slow-share", case_slow_share, CASE_OURS }, &in_auto },
    { { "auto/fsync", case_fsync, CASE_OURS }, &in_auto },
    { { "auto/sync-write", case_sync_write, CASE_OURS }, &in_auto },
    { { "auto/writeout", case_writeout, CASE_OURS }, &writeout },
    { { "auto/fifo", case_fifo, CASE_OURS }, &in_auto },
    { { "inline/fifo", case_fifo, CASE_OURS }, &in_place },
    { { "auto/readdir", case_readdir, CASE_OURS }, &in_auto },
    { { "auto/mounted", case_mounted, CASE_OURS }, &in_auto },
    { { "auto/idle", case_idle, CASE_OURS }, &in_auto },
    { { "inline/idle", case_idle, CASE_OURS }, &in_place },
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        session_add("dispatch", &cases[i].test, cases[i].setup);
    }
    g_test_add_func("/dispatch/refused", case_refused);
    return g_test_run();
}
