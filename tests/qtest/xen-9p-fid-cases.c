/*
 * Xen 9P tests: sessions and fids
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-cases.h"

/* ---- Tversion ---- */

void case_version_basic(Session *s)
{
    uint32_t msize = fe_msize(s->front), got;
    g_autofree char *version = NULL;

    tversion({.fe = s->fe, .msize = msize, .version = "9P2000.L",
              .rmsize = &got, .rversion = &version});
    g_assert_cmpstr(version, ==, "9P2000.L");
    g_assert_cmpuint(got, ==, msize);
}

void case_version_unknown(Session *s)
{
    g_autofree char *version = NULL;

    tversion({.fe = s->fe, .msize = 4096, .version = "9P1999",
              .rversion = &version});
    g_assert_cmpstr(version, ==, "unknown");
}

void case_version_small(Session *s)
{
    tversion({.fe = s->fe, .msize = 512, .expect_err = EMSGSIZE});
    /* The session goes on, once the client asks for more. */
    s->fe->msize = 0;
    session_attach(s);
    tgetattr({.fe = s->fe, .fid = 0});
}

/* A new session has no fids. */
void case_version_resets(Session *s)
{
    create_at(s, 1, "file");
    tversion({.fe = s->fe, .msize = s->fe->msize});
    tgetattr({.fe = s->fe, .fid = 0, .expect_err = ENOENT});
    tgetattr({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
    tattach({.fe = s->fe, .fid = 1});
    twalk({.fe = s->fe, .fid = 1, .newfid = 0, .path = "file"});
}

/* ---- Tattach ---- */

void case_attach_basic(Session *s)
{
    struct stat st;
    P9Attr attr;
    P9Qid qid;

    tattach({.fe = s->fe, .fid = 1, .uname = "root", .aname = "/",
             .rqid = &qid});
    g_assert_cmpuint(qid.type, ==, P9_QTDIR);
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.qid.path, ==, qid.path);
    g_assert_cmpint(host_stat(s, "", &st), ==, 0);
    g_assert_cmpuint(attr.mode, ==, st.st_mode);
}

void case_attach_in_use(Session *s)
{
    tattach({.fe = s->fe, .fid = 0, .expect_err = EINVAL});
    tgetattr({.fe = s->fe, .fid = 0});
}

/* ---- Twalk ---- */

/* As deep as one Twalk goes, and each qid is that of its folder. */
void case_walk_basic(Session *s)
{
    static const char path[] = "0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f";
    P9Qid qids[P9_MAX_WELEM];
    uint16_t count;
    P9Attr attr;

    host_file(s, "0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/file", "");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = path,
           .rnwqid = &count, .rwqids = qids});
    g_assert_cmpuint(count, ==, P9_MAX_WELEM);
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.qid.path, ==, qids[P9_MAX_WELEM - 1].path);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "0"});
    tgetattr({.fe = s->fe, .fid = 2, .rattr = &attr});
    g_assert_cmpuint(attr.qid.path, ==, qids[0].path);
    twalk({.fe = s->fe, .fid = 1, .newfid = 3, .path = "file"});
}

void case_walk_too_deep(Session *s)
{
    P9Req *req = p9_req_new(s->fe, P9_TWALK, -1, -1);
    int i;

    p9_pack(&req->tx, "ddw", 0u, 1u, P9_MAX_WELEM + 1);
    for (i = 0; i < P9_MAX_WELEM + 1; i++) {
        p9_pack(&req->tx, "s", "..");
    }
    g_assert_true(p9_req_send(req));
    g_assert_false(p9_req_expect(req, EINVAL));
    p9_req_free(req);
}

void case_walk_none(Session *s)
{
    P9Attr root, clone;
    uint16_t count;

    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .rnwqid = &count});
    g_assert_cmpuint(count, ==, 0);
    tgetattr({.fe = s->fe, .fid = 0, .rattr = &root});
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &clone});
    g_assert_cmpuint(clone.qid.path, ==, root.qid.path);
}

void case_walk_bad_names(Session *s)
{
    host_file(s, "dir/file", "");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .names = {"dir/file"},
           .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .names = {" /"},
           .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .names = {""},
           .expect_err = ENOENT});
}

void case_walk_dotdot(Session *s)
{
    P9Qid qids[P9_MAX_WELEM];
    P9Attr root, attr;

    host_file(s, "dir/file", "");
    tgetattr({.fe = s->fe, .fid = 0, .rattr = &root});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .names = {".."},
           .rwqids = qids});
    g_assert_cmpuint(qids[0].path, ==, root.qid.path);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir/../..",
           .rwqids = qids});
    g_assert_cmpuint(qids[1].path, ==, root.qid.path);
    tgetattr({.fe = s->fe, .fid = 2, .rattr = &attr});
    g_assert_cmpuint(attr.qid.path, ==, root.qid.path);
}

/* The first element fails: an error. A later one: what was walked. */
void case_walk_non_existent(Session *s)
{
    uint16_t count = 9;

    host_file(s, "dir/file", "");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "nothing",
           .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir/nothing",
           .rnwqid = &count});
    g_assert_cmpuint(count, ==, 1);
    tgetattr({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir/file/x",
           .rnwqid = &count});
    g_assert_cmpuint(count, ==, 2);
    tgetattr({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
}

void case_walk_fids(Session *s)
{
    host_file(s, "dir/file", "");
    twalk({.fe = s->fe, .fid = 77, .newfid = 1, .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir",
           .expect_err = EINVAL});
    /* In place, unless it is open. */
    twalk({.fe = s->fe, .fid = 1, .newfid = 1, .path = "file"});
    tlopen({.fe = s->fe, .fid = 1});
    twalk({.fe = s->fe, .fid = 1, .newfid = 1, .expect_err = EINVAL});
    twalk({.fe = s->fe, .fid = 1, .newfid = 2});
}

/* ---- Tclunk, Tflush and what is unknown ---- */

void case_clunk(Session *s)
{
    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    tclunk({.fe = s->fe, .fid = 1});
    tclunk({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
    tclunk({.fe = s->fe, .fid = P9_NOFID, .expect_err = ENOENT});
    create_at(s, 1, "file");
    tclunk({.fe = s->fe, .fid = 1});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
}

void case_many_fids(Session *s)
{
    uint32_t fid;

    host_file(s, "file", "x");
    for (fid = 1; fid <= 300; fid++) {
        open_at(s, fid, "file", P9_DOTL_RDONLY);
    }
    for (fid = 1; fid <= 300; fid++) {
        char byte = 0;

        tread({.fe = s->fe, .fid = fid, .count = 1, .data = &byte});
        g_assert_cmpint(byte, ==, 'x');
        tclunk({.fe = s->fe, .fid = fid});
    }
}

/* Of a tag that is unknown, or was answered long ago, or its own. */
void case_flush(Session *s)
{
    tflush({.fe = s->fe, .oldtag = 4000});
    tgetattr({.fe = s->fe, .fid = 0, .tag = P9_TAG(5)});
    tflush({.fe = s->fe, .oldtag = 5});
    tflush({.fe = s->fe, .tag = P9_TAG(6), .oldtag = 6});
    tgetattr({.fe = s->fe, .fid = 0, .tag = P9_TAG(5)});
}

void case_unknown_call(Session *s)
{
    static const uint8_t types[] = {
        P9_TAUTH, P9_TLERROR, P9_TERROR, 3, 99, 127, 200, 255
    };
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(types); i++) {
        P9Req *req = p9_req_new(s->fe, types[i], -1, -1);

        g_assert_true(p9_req_send(req));
        g_assert_cmpuint(p9_req_result(req), ==, EOPNOTSUPP);
        p9_req_free(req);
    }
}
