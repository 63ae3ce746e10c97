/*
 * A share whose file system hangs: what its tests have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/stat.h>

#include "hung.h"

#define REQUESTS 1000

const char *const hung_modes[3] = { "auto", "worker", "inline" };

bool hung_up(Hung *h, const char *dispatch)
{
    struct stat st;

    *h = (Hung) { .dispatch = dispatch };
    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have no thread for each device");
        return false;
    }
    h->f = fixture_up();
    h->folder = fixture_mount(h->f, "hung", "tmpfs", NULL);
    if (!h->folder) {
        return false;
    }
    g_assert_cmpint(stat(h->folder, &st), ==, 0);
    loop_fs_only(h->f->loop, st.st_dev);
    return true;
}

Fe *hung_add(Hung *h, int devid, const char *path)
{
    const char *more[] = { "dispatch", h->dispatch, NULL };
    g_autofree char *tag = g_strdup_printf("share-%d", devid);

    return fixture_device(h->f, &(DeviceOpts) {
        .path = path, .devid = devid, .tag = tag, .more = more,
    });
}

void hung_attach(Hung *h, Fe *fe)
{
    g_assert_true(fe_connect(fe, 1, 5));
    tattach({.fe = &fe->client, .version = fixture_version(h->f)});
}

void hung_start(Hung *h)
{
    if (!h->other) {
        h->other = hung_add(h, 1, h->f->share);
    }
    if (!h->f->backend_pid) {
        fixture_start(h->f);
    }
    /* Of what comes from here on the first thread is to know nothing. */
    loop_fs_watch(h->f->loop, h->f->backend_pid);
    h->qmp = qmp_new(h->f);
    hung_attach(h, h->other);
}

void hung_hold(Hung *h, LoopFsCall call, bool held)
{
    loop_fs_hold(h->f->loop, call, held);
}

void hung_soon(gint64 begin, double seconds, const char *what)
{
    double took = (g_get_monotonic_time() - begin) / 1e6;

    g_test_message("%s: after %.3f s", what, took);
    g_assert_cmpfloat(took, <, seconds);
}

static void query(Hung *h)
{
    gint64 begin = g_get_monotonic_time();

    shares_done(shares_run(h->qmp, "query-status", " "));
    hung_soon(begin, HUNG_ANSWER_S, "query-status");
}

void hung_fine(Hung *h)
{
    Fe *third;

    query(h);
    for (unsigned i = 0; i < REQUESTS; i++) {
        tgetattr({.fe = &h->other->client, .fid = 0});
    }
    third = hung_add(h, 2, h->f->share);
    hung_attach(h, third);
    fixture_drop(h->f, third);
    query(h);
}

void hung_forget(Hung *h)
{
    g_clear_pointer(&h->req, p9_req_free);
}

void hung_remove(Hung *h)
{
    loop_fs_watch(h->f->loop, 0);
    loop_fs_only(h->f->loop, 0);
    fixture_down(h->f);
    fixture_unmount(h->folder, "tmpfs");
}

void hung_down(Hung *h)
{
    qmp_free(h->qmp);
    fixture_drop(h->f, h->other);
    fixture_check(h->f);
    for (unsigned call = 0; call < LOOP_FS_CALLS; call++) {
        g_assert_cmpuint(loop_fs_count(h->f->loop, call, LOOP_FS_MAIN), ==, 0);
    }
    hung_remove(h);
}
