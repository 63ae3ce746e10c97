/*
 * A file system that hangs below a share: all else of the share goes on
 *
 * Device 0's share has it in the folder "hung", with "dir/file" in that. (With
 * dispatch=inline a share wants to wait for all that it calls.)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>

#include "hung.h"

#define HANGING 8

enum { ROOT, DISK, FOLDER, DATA, SPARE, OTHER, OPEN };

static void connect_first(Hung *h)
{
    P9Client *c;

    h->fe = hung_add(h, 0, h->f->dir);
    hung_attach(h, h->fe);
    c = &h->fe->client;
    twalk({.fe = c, .fid = ROOT, .newfid = DISK, .path = "hung"});
    tmkdir({.fe = c, .dfid = DISK, .name = "dir", .mode = 0755});
    twalk({.fe = c, .fid = DISK, .newfid = FOLDER, .path = "dir"});
    twalk({.fe = c, .fid = FOLDER, .newfid = DATA});
    tlcreate({.fe = c, .fid = DATA, .name = "file", .mode = 0644,
              .flags = P9_DOTL_RDWR});
    tclunk({.fe = c, .fid = DATA});
    twalk({.fe = c, .fid = FOLDER, .newfid = DATA, .path = "file"});
    twalk({.fe = c, .fid = FOLDER, .newfid = SPARE});
}

static P9Req *begin_getattr(Hung *h)
{
    return tgetattr({.fe = &h->fe->client, .fid = DATA,
                     .request_only = true});
}

static P9Req *begin_read(Hung *h)
{
    return tread({.fe = &h->fe->client, .fid = OPEN, .count = 10,
                  .request_only = true});
}

static P9Req *begin_create(Hung *h)
{
    return tlcreate({.fe = &h->fe->client, .fid = SPARE, .name = "new",
                     .mode = 0644, .flags = P9_DOTL_RDWR,
                     .request_only = true});
}

static P9Req *begin_mkdir(Hung *h)
{
    return tmkdir({.fe = &h->fe->client, .dfid = FOLDER, .name = "new",
                   .mode = 0755, .request_only = true});
}

static P9Req *begin_rename(Hung *h)
{
    return trenameat({.fe = &h->fe->client, .dfid = FOLDER, .name = "file",
                      .newdfid = DISK, .newname = "moved",
                      .request_only = true});
}

static P9Req *begin_walk(Hung *h)
{
    return twalk({.fe = &h->fe->client, .fid = SPARE, .newfid = SPARE,
                  .path = "file", .request_only = true});
}

static P9Req *begin_unlink(Hung *h)
{
    return tunlinkat({.fe = &h->fe->client, .dfid = FOLDER, .name = "file",
                      .request_only = true});
}

typedef struct Stage {
    const char *name;
    LoopFsCall call;
    P9Req *(*begin)(Hung *h);
} Stage;

static const Stage stages[] = {
    { "getattr", LOOP_FS_STAT, begin_getattr },
    { "create", LOOP_FS_OPEN, begin_create },
    { "mkdir", LOOP_FS_MKDIR, begin_mkdir },
    { "rename", LOOP_FS_RENAME, begin_rename },
    { "walk", LOOP_FS_STAT, begin_walk },
    { "unlink", LOOP_FS_UNLINK, begin_unlink },
};

/* Of each kind of request one, and two renames: of a file, and onto it. */
static void use_share(Hung *h)
{
    P9Client *c = &h->fe->client;
    gint64 begin = g_get_monotonic_time();

    tmkdir({.fe = c, .dfid = ROOT, .name = "other", .mode = 0755});
    twalk({.fe = c, .fid = ROOT, .newfid = OTHER, .path = "other"});
    tlcreate({.fe = c, .fid = OTHER, .name = "a", .mode = 0644,
              .flags = P9_DOTL_RDWR});
    twrite({.fe = c, .fid = OTHER, .count = 4, .data = "text"});
    trenameat({.fe = c, .dfid = ROOT, .name = "other", .newdfid = ROOT,
               .newname = "moved"});
    tgetattr({.fe = c, .fid = OTHER});
    tclunk({.fe = c, .fid = OTHER});
    twalk({.fe = c, .fid = ROOT, .newfid = OTHER, .path = "moved/a"});
    tgetattr({.fe = c, .fid = OTHER});
    tunlinkat({.fe = c, .dfid = ROOT, .name = "moved", .expect_err = EISDIR});
    tclunk({.fe = c, .fid = OTHER});
    twalk({.fe = c, .fid = ROOT, .newfid = OTHER, .path = "moved"});
    tunlinkat({.fe = c, .dfid = OTHER, .name = "a"});
    tclunk({.fe = c, .fid = OTHER});
    tunlinkat({.fe = c, .dfid = ROOT, .name = "moved",
               .flags = P9_DOTL_AT_REMOVEDIR});
    hung_soon(begin, HUNG_ANSWER_S, "the rest of the share");
}

typedef struct Case {
    const char *dispatch;
    const Stage *stage;
} Case;

static void test_case(gconstpointer opaque)
{
    const Case *c = opaque;
    Hung h;

    if (!hung_up(&h, c->dispatch)) {
        return;
    }
    hung_start(&h);
    connect_first(&h);
    hung_hold(&h, c->stage->call, true);
    h.req = c->stage->begin(&h);
    fixture_await_call(h.f, c->stage->call);
    use_share(&h);
    use_share(&h);
    hung_fine(&h);
    g_assert_false(h.req->done);
    hung_hold(&h, c->stage->call, false);
    g_assert_true(p9_req_expect(h.req, 0));
    hung_forget(&h);
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

/* What has to wait for the call waits, and then is right. */
static void test_waits(gconstpointer dispatch)
{
    P9Client *c;
    P9Req *rename;
    Hung h;

    if (!hung_up(&h, dispatch)) {
        return;
    }
    hung_start(&h);
    connect_first(&h);
    c = &h.fe->client;
    hung_hold(&h, LOOP_FS_STAT, true);
    h.req = begin_getattr(&h);
    fixture_await_call(h.f, LOOP_FS_STAT);
    rename = trenameat({.fe = c, .dfid = DISK, .name = "dir",
                        .newdfid = DISK, .newname = "renamed",
                        .request_only = true});
    use_share(&h);
    g_assert_false(h.req->done || rename->done);
    hung_hold(&h, LOOP_FS_STAT, false);
    g_assert_true(p9_req_expect(h.req, 0));
    g_assert_true(p9_req_expect(rename, 0));
    p9_req_free(rename);
    tgetattr({.fe = c, .fid = DATA});
    twalk({.fe = c, .fid = ROOT, .newfid = OTHER,
           .path = "hung/renamed/file"});
    hung_forget(&h);
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

/*
 * More calls hang at once than there are worker threads that have nothing to
 * do: the next one gets a thread.
 */
static void test_burst(gconstpointer dispatch)
{
    P9Req *hanging[HANGING], *first, *last;
    gint64 begin;
    Hung h;

    if (!hung_up(&h, dispatch)) {
        return;
    }
    hung_start(&h);
    connect_first(&h);
    twalk({.fe = &h.fe->client, .fid = DATA, .newfid = OPEN});
    tlopen({.fe = &h.fe->client, .fid = OPEN});
    hung_hold(&h, LOOP_FS_STAT, true);
    /* QEMU is to find all of them in its ring. */
    kill(h.f->backend_pid, SIGSTOP);
    first = begin_read(&h);
    for (unsigned i = 0; i < HANGING; i++) {
        hanging[i] = begin_getattr(&h);
    }
    last = begin_read(&h);
    kill(h.f->backend_pid, SIGCONT);
    begin = g_get_monotonic_time();
    g_assert_true(p9_req_expect(first, 0));
    g_assert_true(p9_req_expect(last, 0));
    hung_soon(begin, HUNG_ANSWER_S, "other calls");
    p9_req_free(first);
    p9_req_free(last);
    hung_hold(&h, LOOP_FS_STAT, false);
    for (unsigned i = 0; i < HANGING; i++) {
        g_assert_true(p9_req_expect(hanging[i], 0));
        p9_req_free(hanging[i]);
    }
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = { "auto", "worker" };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *waits = g_strdup_printf("/hung-below/%s/waits",
                                                 modes[i]);
        g_autofree char *burst = g_strdup_printf("/hung-below/%s/burst",
                                                 modes[i]);

        for (size_t j = 0; j < G_N_ELEMENTS(stages); j++) {
            g_autofree char *path = g_strdup_printf("/hung-below/%s/%s",
                                                    modes[i],
                                                    stages[j].name);
            Case *c = g_new0(Case, 1);

            *c = (Case) { modes[i], &stages[j] };
            g_test_add_data_func_full(path, c, test_case, g_free);
        }
        g_test_add_data_func(waits, modes[i], test_waits);
        g_test_add_data_func(burst, modes[i], test_burst);
    }
    return g_test_run();
}
