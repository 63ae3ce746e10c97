/*
 * A share whose file system hangs: QEMU's start, xen-virtfs, and what it tells
 *
 * Environment, beside that of fixture.h:
 *
 *     LOOP_TOOL    xen-virtfs; without it its tests are skipped
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/wait.h>

#include "hung.h"
#include "process.h"

/* Longer than what is told of. */
#define WATCH_US 2500000
/* How long QEMU's start waits for shares, all of them together, ... */
#define START_S 10
/* ... and what it takes without. */
#define SETUP_S 3

/* ---- QEMU's start ---- */

/* Device 1, and the calls of a QEMU that does not run yet. */
static bool start_up(Hung *h, const char *dispatch)
{
    if (!hung_up(h, dispatch)) {
        return false;
    }
    loop_fs_watch(h->f->loop, LOOP_FS_ANY);
    hung_hold(h, LOOP_FS_ROOT, true);
    h->other = hung_add(h, 1, h->f->share);
    return true;
}

/* What the toolstack has made before. */
static void test_start(gconstpointer dispatch)
{
    gint64 begin;
    Hung h;

    if (!start_up(&h, dispatch)) {
        return;
    }
    h.fe = hung_add(&h, 0, h.folder);
    begin = g_get_monotonic_time();
    fixture_start(h.f);
    hung_soon(begin, START_S + SETUP_S, "QEMU's start");
    hung_start(&h);
    hung_fine(&h);
    hung_hold(&h, LOOP_FS_ROOT, false);
    hung_attach(&h, h.fe);
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

static char *device_words(Hung *h, unsigned devid)
{
    return g_strdup_printf("-device xen-9pfs,id=hung%u,devid=%u,"
                           "mount_tag=hung%u,path=%s,security_model=none,"
                           "dispatch=%s,protocol=%s", devid, devid, devid,
                           h->folder, h->dispatch, h->f->type);
}

/* Two of its command line. */
static void test_start_device(gconstpointer dispatch)
{
    g_autofree char *first = NULL, *second = NULL, *words = NULL;
    gint64 begin;
    Hung h;

    if (!start_up(&h, dispatch)) {
        return;
    }
    first = device_words(&h, 0);
    second = device_words(&h, 3);
    words = g_strdup_printf("%s %s", first, second);
    begin = g_get_monotonic_time();
    shares_start(h.f, words);
    hung_soon(begin, START_S + SETUP_S, "QEMU's start");
    hung_start(&h);
    hung_fine(&h);
    hung_hold(&h, LOOP_FS_ROOT, false);
    h.fe = fixture_frontend(h.f, h.f->type, 0);
    hung_attach(&h, h.fe);
    shares_done(shares_run(h.qmp, "device_del", "\"id\": \"hung0\""));
    shares_done(shares_run(h.qmp, "device_del", "\"id\": \"hung3\""));
    hung_down(&h);
}

/* ---- xen-virtfs ---- */

/* It ends with @status soon, and says @text. */
static void run_tool(Hung *h, int status, const char *text,
                     const char *command, const char *share)
{
    g_autofree char *qmp = g_strdup_printf("--qmp=%s/qmp-7", h->f->dir);
    g_autofree char *run_dir = g_strdup_printf("XEN_RUN_DIR=%s", h->f->dir);
    const char *argv[] = {
        "env", run_dir, g_getenv("LOOP_TOOL"), qmp, "--timeout=1", command,
        "7", share, NULL
    };
    ProcessEnv env = {
        .loop_path = h->f->loop_path, .xenstore_dir = h->f->dir,
    };
    g_autofree char *out = NULL, *err = NULL;
    gint64 begin = g_get_monotonic_time();
    int ended;

    /* QEMU's monitor has one client at a time. */
    qmp_free(h->qmp);
    ended = process_run(argv, &env, &out, &err);
    g_test_message("%s%s", out, err);
    hung_soon(begin, 1 + 2 * HUNG_ANSWER_S, command);
    g_assert_true(WIFEXITED(ended));
    g_assert_cmpint(WEXITSTATUS(ended), ==, status);
    g_assert_nonnull(strstr(status ? err : out, text));
    h->qmp = qmp_new(h->f);
}

static void test_attach(gconstpointer dispatch)
{
    g_autofree char *share = NULL;
    Hung h;

    if (!g_getenv("LOOP_TOOL")) {
        g_test_skip("there is no xen-virtfs");
        return;
    }
    if (!hung_up(&h, dispatch)) {
        return;
    }
    hung_start(&h);
    hung_hold(&h, LOOP_FS_ROOT, true);
    share = g_strdup_printf("tag=hung,path=%s,security_model=none,dispatch=%s,"
                            "protocol=%s", h.folder, h.dispatch, h.f->type);
    run_tool(&h, 1, "the backend does not take it", "attach", share);
    fixture_await_call(h.f, LOOP_FS_ROOT);
    run_tool(&h, 0, "requests", "status", "share-1");
    hung_fine(&h);
    hung_hold(&h, LOOP_FS_ROOT, false);
    /* It was taken back. */
    g_assert_cmpint(fixture_devices(h.f, h.f->type), ==, 1);
    hung_down(&h);
}

/* ---- The watchdog ---- */

static unsigned stuck_for(Hung *h)
{
    g_autofree char *answer = shares_run(
        h->qmp, "qom-get", "\"path\": \"/machine/peripheral/xen-%s-0\", "
        "\"property\": \"stats\"", h->f->type);
    const char *at = strstr(answer, "\"stuck\": ");

    g_assert_nonnull(at);
    return g_ascii_strtoull(strchr(at, ' '), NULL, 10);
}

/* A call in place is told of; one in a worker stops nothing. */
static void test_watch(gconstpointer dispatch)
{
    bool in_place = !strcmp(dispatch, "inline");
    g_autofree char *why = NULL;
    Hung h;

    if (!hung_up(&h, dispatch)) {
        return;
    }
    hung_start(&h);
    h.fe = hung_add(&h, 0, h.folder);
    hung_attach(&h, h.fe);
    g_assert_cmpuint(stuck_for(&h), ==, 0);
    hung_hold(&h, LOOP_FS_STAT, true);
    h.req = tgetattr({.fe = &h.fe->client, .fid = 0, .request_only = true});
    fixture_await_call(h.f, LOOP_FS_STAT);
    if (in_place) {
        for (unsigned i = 0; stuck_for(&h) < 2; i++) {
            g_assert_cmpuint(i, <, HUNG_WAIT_MS / 10);
            g_usleep(10000);
        }
    } else {
        g_usleep(WATCH_US);
        g_assert_cmpuint(stuck_for(&h), ==, 0);
    }
    why = fixture_why(h.f, h.fe);
    g_assert_true(!strstr(why, "has not returned for a second") == !in_place);
    hung_hold(&h, LOOP_FS_STAT, false);
    g_assert_true(p9_req_expect(h.req, 0));
    hung_forget(&h);
    for (unsigned i = 0; stuck_for(&h); i++) {
        g_assert_cmpuint(i, <, HUNG_WAIT_MS / 10);
        g_usleep(10000);
    }
    fixture_drop(h.f, h.fe);
    hung_down(&h);
}

static void add(const char *name, GTestDataFunc test)
{
    for (size_t i = 0; i < G_N_ELEMENTS(hung_modes); i++) {
        g_autofree char *path = g_strdup_printf("/hung-operator/%s/%s",
                                                hung_modes[i], name);

        g_test_add_data_func(path, hung_modes[i], test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("start", test_start);
    add("start-device", test_start_device);
    add("attach", test_attach);
    add("watch", test_watch);
    return g_test_run();
}
