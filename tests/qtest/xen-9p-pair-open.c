/*
 * Xen 9P tests: descriptors of requests that are flushed, or take turns
 *
 * Some of these run where descriptors are scarce: the server closes some that
 * are not in use then, and opens them again for the next request.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-pair.h"

/* How many descriptors the backend has of a name in the share. */
static unsigned opened(Session *s, const char *name)
{
    g_autofree char *path = host_path(s, name);
    g_autofree char *fds = g_strdup_printf("/proc/%d/fd",
                                           (int)s->f->backend_pid);
    g_autoptr(GDir) dir = g_dir_open(fds, 0, NULL);
    unsigned count = 0;
    const char *fd;

    g_assert_nonnull(dir);
    while ((fd = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(fds, fd, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);

        count += !g_strcmp0(target, path);
    }
    return count;
}

/* ---- Tflush ---- */

/*
 * The fid of a request is clunked while that waits, and then the request is
 * flushed: with its end the fid ends, too, and what it had open.
 */
static void flush_last(Session *s, const char *name, LoopFsCall call,
                       P9Req *old)
{
    P9Req *clunk, *flush;

    fixture_await_call(s->f, call);
    g_assert_cmpuint(opened(s, name), ==, 1);
    clunk = tclunk({.fe = s->fe, .fid = 1, .request_only = true});
    p9_req_wait(clunk, 100);
    flush = tflush({.fe = s->fe, .oldtag = old->tag,
                    .ring = P9_RING(old->ring), .request_only = true});
    p9_req_wait(flush, 100);
    pair_hold(s, call, false);
    g_assert_cmpuint(pair_wait(flush), ==, 0);
    pair_wait(clunk);
    fe_pump(s->front, 0);
    p9_req_free(old);
    g_assert_cmpuint(opened(s, name), ==, 0);
}

void pair_close_flushed(Session *s)
{
    host_file(s, "file", "text");
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    pair_hold(s, LOOP_FS_READ, true);
    flush_last(s, "file", LOOP_FS_READ,
               tread({.fe = s->fe, .fid = 1, .count = 100,
                      .request_only = true}));
}

void pair_closedir_flushed(Session *s)
{
    host_file(s, "folder/file", "text");
    open_at(s, 1, "folder", 0);
    pair_hold(s, LOOP_FS_READDIR, true);
    flush_last(s, "folder", LOOP_FS_READDIR,
               treaddir({.fe = s->fe, .fid = 1, .count = 1000,
                         .request_only = true}));
}

/* A Twalk goes on to its last name, unless it is cancelled. */
void pair_flush_high_tag(Session *s)
{
    static const uint16_t tags[] = { 7, 0x7fff, 0x8000, 0x8001, 0xfffe };

    host_file(s, "folder/file", "text");
    for (unsigned i = 0; i < G_N_ELEMENTS(tags); i++) {
        P9Req *old, *flush;

        g_test_message("tag 0x%x", tags[i]);
        pair_hold(s, LOOP_FS_STAT, true);
        old = twalk({.fe = s->fe, .fid = 0, .newfid = 1,
                     .path = "folder/file", .tag = P9_TAG(tags[i]),
                     .request_only = true});
        fixture_await_call(s->f, LOOP_FS_STAT);
        flush = tflush({.fe = s->fe, .oldtag = tags[i],
                        .ring = P9_RING(old->ring), .request_only = true});
        g_assert_cmpint(p9_req_wait(flush, 100), ==, P9_OVERDUE);
        pair_hold(s, LOOP_FS_STAT, false);
        g_assert_cmpuint(pair_wait(flush), ==, 0);
        fe_pump(s->front, 0);
        g_assert_false(old->done);
        p9_req_free(old);
    }
}

/* Another fid gets the number of one that a Tremove is about to end. */
void pair_number_again(Session *s)
{
    P9Req *remove, *clunk, *attach;

    host_file(s, "file", "text");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    pair_hold(s, LOOP_FS_STAT, true);
    remove = tremove({.fe = s->fe, .fid = 1, .ring = P9_RING(0),
                      .request_only = true});
    fixture_await_call(s->f, LOOP_FS_STAT);
    clunk = tclunk({.fe = s->fe, .fid = 1, .ring = P9_RING(0),
                    .request_only = true});
    p9_req_wait(clunk, 100);
    attach = tattach({.fe = s->fe, .fid = 1, .ring = P9_RING(0),
                      .request_only = true});
    p9_req_wait(attach, 100);
    pair_hold(s, LOOP_FS_STAT, false);
    g_assert_cmpuint(pair_wait(remove), ==, 0);
    pair_wait(clunk);
    g_assert_cmpuint(pair_wait(attach), ==, 0);
    tgetattr({.fe = s->fe, .fid = 1});
}

/* The folder's fid is to set an attribute when a rename is done with it. */
void pair_rename_attribute(Session *s)
{
    P9Req *rename, *clunk;
    struct stat st;

    host_file(s, "folder/file", "text");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "folder"});
    twalk({.fe = s->fe, .fid = 1, .newfid = 2});
    txattrcreate({.fe = s->fe, .fid = 1, .name = "user.pair", .size = 4});
    twrite({.fe = s->fe, .fid = 1, .count = 4, .data = "text"});
    pair_hold(s, LOOP_FS_OPEN, true);
    rename = trenameat({.fe = s->fe, .dfid = 2, .name = "file", .newdfid = 1,
                        .newname = "other", .request_only = true});
    fixture_await_call(s->f, LOOP_FS_OPEN);
    clunk = tclunk({.fe = s->fe, .fid = 1, .request_only = true});
    p9_req_wait(clunk, 100);
    pair_hold(s, LOOP_FS_OPEN, false);
    g_assert_cmpuint(pair_wait(rename), ==, 0);
    pair_wait(clunk);
    g_assert_cmpint(host_stat(s, "folder/other", &st), ==, 0);
}

/* ---- Where descriptors are scarce ---- */

/* Have others opened until the backend closes those of @name. */
static void reclaim(Session *s, const char *name)
{
    uint32_t fid = 1000;

    g_assert_cmpuint(opened(s, name), ==, 1);
    host_file(s, "other", "text");
    while (opened(s, name)) {
        g_assert_cmpuint(fid, <, 2000);
        open_at(s, fid++, "other", P9_DOTL_RDONLY);
    }
}

/* Two requests find it closed. */
static void reopen_both(Session *s, const char *name, P9Req *a, P9Req *b)
{
    fixture_await_call(s->f, LOOP_FS_OPEN);
    p9_req_wait(b, 100);
    pair_hold(s, LOOP_FS_OPEN, false);
    g_assert_cmpuint(pair_wait(a), ==, 0);
    g_assert_cmpuint(pair_wait(b), ==, 0);
    g_assert_cmpuint(opened(s, name), ==, 1);
    tclunk({.fe = s->fe, .fid = 1});
    g_assert_cmpuint(opened(s, name), ==, 0);
}

void pair_reopen_once(Session *s)
{
    host_file(s, "file", "text");
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    reclaim(s, "file");
    pair_hold(s, LOOP_FS_OPEN, true);
    reopen_both(s, "file",
                tread({.fe = s->fe, .fid = 1, .count = 4,
                       .request_only = true}),
                tread({.fe = s->fe, .fid = 1, .count = 4,
                       .request_only = true}));

    pair_session(s);
    host_file(s, "folder/file", "text");
    open_at(s, 1, "folder", 0);
    reclaim(s, "folder");
    pair_hold(s, LOOP_FS_OPEN, true);
    reopen_both(s, "folder",
                treaddir({.fe = s->fe, .fid = 1, .count = 1000,
                          .request_only = true}),
                tgetattr({.fe = s->fe, .fid = 1, .request_only = true}));
}

/* A file that was emptied when it was opened. */
void pair_reopen_keeps(Session *s)
{
    char data[5] = "";
    uint32_t got;

    host_file(s, "file", "what was there before");
    open_at(s, 1, "file", s->fe->dotl ? P9_DOTL_RDWR | P9_DOTL_TRUNC
                                      : P9_ORDWR | P9_OTRUNC);
    host_expect(s, "file", "", 0);
    twrite({.fe = s->fe, .fid = 1, .count = 4, .data = "text"});
    reclaim(s, "file");
    tread({.fe = s->fe, .fid = 1, .count = 4, .data = data, .rcount = &got});
    g_assert_cmpuint(got, ==, 4);
    g_assert_cmpstr(data, ==, "text");
}

/*
 * It cannot be opened again, and is clunked meanwhile. (That the fid is freed
 * a backend with sanitizers tells, when it ends.)
 */
void pair_reopen_fails(Session *s)
{
    g_autofree char *path = host_path(s, "file");
    P9Req *read, *clunk;

    host_file(s, "file", "text");
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    reclaim(s, "file");
    g_assert_cmpint(unlink(path), ==, 0);
    pair_hold(s, LOOP_FS_OPEN, true);
    read = tread({.fe = s->fe, .fid = 1, .count = 4, .request_only = true});
    fixture_await_call(s->f, LOOP_FS_OPEN);
    clunk = tclunk({.fe = s->fe, .fid = 1, .request_only = true});
    p9_req_wait(clunk, 100);
    pair_hold(s, LOOP_FS_OPEN, false);
    g_assert_cmpuint(pair_wait(read), !=, 0);
    g_assert_cmpuint(pair_wait(clunk), ==, 0);
    tread({.fe = s->fe, .fid = 1, .count = 4, .expect_err = EINVAL});
}

/* A folder is open, and closed for others, when it is renamed into. */
static void reclaimed_folder(Session *s)
{
    host_file(s, "folder/file", "text");
    open_at(s, 1, "folder", P9_DOTL_RDONLY);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "folder/file"});
    reclaim(s, "folder");
}

void pair_rename_reclaimed(Session *s)
{
    struct stat st;

    reclaimed_folder(s);
    g_assert_cmpuint(pair_wait(trename({
        .fe = s->fe, .fid = 2, .dfid = 1, .name = "other",
        .request_only = true })), ==, 0);
    g_assert_cmpint(host_stat(s, "folder/other", &st), ==, 0);
    treaddir({.fe = s->fe, .fid = 1, .count = 1000});
}

void pair_renameat_reclaimed(Session *s)
{
    struct stat st;

    reclaimed_folder(s);
    g_assert_cmpuint(pair_wait(trenameat({
        .fe = s->fe, .dfid = 1, .name = "file", .newdfid = 1,
        .newname = "other", .request_only = true })), ==, 0);
    g_assert_cmpint(host_stat(s, "folder/other", &st), ==, 0);
    tgetattr({.fe = s->fe, .fid = 2});
}
