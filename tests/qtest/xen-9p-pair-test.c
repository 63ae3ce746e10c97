/*
 * Two requests at once, on one fid or on two of one file
 *
 * QEMU's 9P server waits for the file system in the middle of a request, and
 * goes on with others. The calls are held, or delayed, where that matters.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-pair.h"

/* Of a backend whose descriptors are scarce: so many, some for itself. */
#define SCARCE "prlimit --nofile=300:300"

uint32_t pair_wait(P9Req *req)
{
    uint32_t error;

    g_assert_cmpint(p9_req_wait(req, PAIR_MS), ==, P9_DONE);
    error = p9_req_result(req);
    p9_req_free(req);
    return error;
}

bool pair_flush(Session *s, P9Req *old)
{
    bool answered;

    g_assert_cmpuint(pair_wait(tflush({
        .fe = s->fe, .oldtag = old->tag, .ring = P9_RING(old->ring),
        .tag = ring_tag(s->fe, old->ring), .request_only = true })), ==, 0);
    /* What was sent before Rflush may be on a ring that was looked at. */
    fe_pump(s->front, 0);
    answered = old->done;
    p9_req_free(old);
    return answered;
}

void pair_hold(Session *s, LoopFsCall call, bool hold)
{
    loop_fs_watch(s->f->loop, s->f->backend_pid);
    loop_fs_hold(s->f->loop, call, hold);
}

void pair_session(Session *s)
{
    tversion({.fe = s->fe, .msize = fe_msize(s->front),
              .version = session_version(s)});
    session_attach(s);
}

/* Where a call is held, it is not to hold the device's thread. */
#define WORKER { "dispatch", "worker", NULL }

static const Setup two = { 2, 5 };
static const Setup worker = { 2, 5, .more = (const char *const[]) WORKER };
static const Setup mapped = { 2, 5, "mapped-xattr" };
static const Setup mapped_file = { 2, 5, "mapped-file" };

static const struct {
    Case test;
    const Setup *setup[2];
} cases[] = {
    { { "file", pair_file }, { &two } },
    { { "file-open", pair_file_open }, { &two } },
    { { "folder", pair_folder }, { &two } },
    { { "folder-open", pair_folder_open }, { &two } },
    { { "twins", pair_twins }, { &two } },
    { { "makers", pair_makers }, { &two } },
    { { "dotu", pair_dotu, CASE_DOTU }, { &two } },
    { { "number-again", pair_number_again }, { &worker } },
    { { "rename-attribute", pair_rename_attribute }, { &worker } },
    { { "path/create-walk", pair_create_walk }, { &worker } },
    { { "path/walk-rename", pair_walk_rename }, { &worker } },
    { { "path/walk-itself-rename", pair_walk_itself_rename }, { &worker } },
    { { "path/create-rename", pair_create_rename, CASE_DOTU }, { &worker } },
    { { "path/rename-all", pair_rename_all }, { &two } },
    { { "path/longest", pair_path_longest }, { &two } },
    { { "path/grows", pair_path_grows }, { &two } },
    { { "long-link", pair_long_link }, { &mapped, &mapped_file } },
    { { "long-link/dotu", pair_long_link, CASE_DOTU },
      { &mapped, &mapped_file } },
    { { "flushed/close", pair_close_flushed }, { &worker } },
    { { "flushed/closedir", pair_closedir_flushed }, { &worker } },
    { { "flushed/high-tag", pair_flush_high_tag }, { &worker } },
}, scarce[] = {
    { { "reopen/once", pair_reopen_once }, { &worker } },
    { { "reopen/keeps", pair_reopen_keeps }, { &two } },
    { { "reopen/keeps-dotu", pair_reopen_keeps, CASE_DOTU }, { &two } },
    { { "reopen/fails", pair_reopen_fails }, { &worker } },
    { { "reclaimed/rename", pair_rename_reclaimed }, { &two } },
    { { "reclaimed/renameat", pair_renameat_reclaimed }, { &two } },
};

static void run_scarce(gconstpointer data)
{
    const Case *test = &scarce[GPOINTER_TO_UINT(data)].test;
    g_autofree char *before = g_strdup(g_getenv("LOOP_WRAP"));
    g_autofree char *wrap = g_strjoin(" ", SCARCE, before, NULL);
    Session s;

    g_setenv("LOOP_WRAP", wrap, TRUE);
    if (session_begin(&s, scarce[GPOINTER_TO_UINT(data)].setup[0],
                      test->flags)) {
        test->run(&s);
        session_end(&s);
    }
    g_setenv("LOOP_WRAP", before ? before : "", TRUE);
}

int main(int argc, char **argv)
{
    unsigned i, j;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (j = 0; j < G_N_ELEMENTS(cases[i].setup) && cases[i].setup[j];
             j++) {
            session_add("pair", &cases[i].test, cases[i].setup[j]);
        }
    }
    for (i = 0; i < G_N_ELEMENTS(scarce); i++) {
        g_autofree char *path = g_strconcat("/pair/", scarce[i].test.name,
                                            NULL);

        g_test_add_data_func(path, GUINT_TO_POINTER(i), run_scarce);
    }
    return g_test_run();
}
