/*
 * Xen 9P tests: names: making, renaming and removing
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/sysmacros.h>

#include "xen-9p-cases.h"

/* ---- Tmkdir ---- */

void case_mkdir(Session *s)
{
    struct stat st;
    P9Attr attr;
    P9Qid qid;

    tmkdir({.fe = s->fe, .dfid = 0, .name = "dir", .mode = 0750,
            .gid = getgid(), .rqid = &qid});
    g_assert_cmpuint(qid.type, ==, P9_QTDIR);
    g_assert_cmpint(host_stat(s, "dir", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 0750);
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir"});
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.qid.path, ==, qid.path);
    tmkdir({.fe = s->fe, .dfid = 1, .name = "dir", .mode = 0700});
    g_assert_cmpint(host_stat(s, "dir/dir", &st), ==, 0);
}

void case_mkdir_errors(Session *s)
{
    host_file(s, "dir/file", "");
    tmkdir({.fe = s->fe, .dfid = 0, .name = "dir", .expect_err = EEXIST});
    tmkdir({.fe = s->fe, .dfid = 0, .name = ".", .expect_err = EEXIST});
    tmkdir({.fe = s->fe, .dfid = 0, .name = "..", .expect_err = EEXIST});
    tmkdir({.fe = s->fe, .dfid = 0, .name = "a/b", .expect_err = ENOENT});
    tmkdir({.fe = s->fe, .dfid = 0, .name = "", .expect_err = ENOENT});
    tmkdir({.fe = s->fe, .dfid = 77, .name = "x", .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir/file"});
    tmkdir({.fe = s->fe, .dfid = 1, .name = "x", .expect_err = ENOTDIR});
}

/* A path longer than one Twalk, made and walked from the top. */
void case_deep_path(Session *s)
{
    g_autoptr(GString) path = g_string_new("");
    uint32_t fid = 0;
    struct stat st;
    int i;

    for (i = 0; i < 40; i++) {
        tmkdir({.fe = s->fe, .dfid = fid, .name = "deeper", .mode = 0755});
        twalk({.fe = s->fe, .fid = fid, .newfid = fid + 1,
               .path = "deeper"});
        fid++;
        g_string_append(path, "deeper/");
    }
    g_string_append(path, "file");
    tlcreate({.fe = s->fe, .fid = fid, .name = "file", .mode = 0600,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    twrite({.fe = s->fe, .fid = fid, .count = 4, .data = "deep"});
    host_expect(s, path->str, "deep", 4);
    g_assert_cmpint(host_stat(s, path->str, &st), ==, 0);
}

/* ---- Tsymlink, Treadlink ---- */

void case_symlink(Session *s)
{
    g_autofree char *target = NULL, *path = host_path(s, "link");
    g_autofree char *found = NULL;
    P9Qid qid;

    tsymlink({.fe = s->fe, .dfid = 0, .name = "link", .target = "a/b",
              .rqid = &qid});
    g_assert_cmpuint(qid.type, ==, P9_QTSYMLINK);
    found = g_file_read_link(path, NULL);
    g_assert_cmpstr(found, ==, "a/b");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "link"});
    treadlink({.fe = s->fe, .fid = 1, .rtarget = &target});
    g_assert_cmpstr(target, ==, "a/b");
}

/* As long as a message can hold, up to the host's limit. */
void case_symlink_long(Session *s)
{
    uint32_t len = MIN(4095, s->fe->msize - 40);
    g_autofree char *target = g_strnfill(len, 't'), *got = NULL;

    tsymlink({.fe = s->fe, .dfid = 0, .name = "link", .target = target});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "link"});
    treadlink({.fe = s->fe, .fid = 1, .rtarget = &got});
    g_assert_cmpstr(got, ==, target);
}

void case_symlink_errors(Session *s)
{
    host_file(s, "file", "");
    tsymlink({.fe = s->fe, .dfid = 0, .name = "file", .target = "x",
              .expect_err = EEXIST});
    tsymlink({.fe = s->fe, .dfid = 0, .name = "a/b", .target = "x",
              .expect_err = ENOENT});
    tsymlink({.fe = s->fe, .dfid = 77, .name = "x", .target = "x",
              .expect_err = EINVAL});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    treadlink({.fe = s->fe, .fid = 1, .expect_err = EINVAL});
    treadlink({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
}

/* ---- Tlink ---- */

void case_link(Session *s)
{
    struct stat one, two;

    host_file(s, "file", "x");
    host_file(s, "dir/other", "");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    tlink({.fe = s->fe, .dfid = 2, .fid = 1, .name = "link"});
    g_assert_cmpint(host_stat(s, "file", &one), ==, 0);
    g_assert_cmpint(host_stat(s, "dir/link", &two), ==, 0);
    g_assert_cmpuint(one.st_ino, ==, two.st_ino);
    g_assert_cmpuint(one.st_nlink, ==, 2);
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file"});
    host_expect(s, "dir/link", "x", 1);
    tlink({.fe = s->fe, .dfid = 0, .fid = 2, .name = "x",
           .expect_err = EPERM});
    tlink({.fe = s->fe, .dfid = 0, .fid = 77, .name = "x",
           .expect_err = ENOENT});
    tlink({.fe = s->fe, .dfid = 77, .fid = 1, .name = "x",
           .expect_err = ENOENT});
    tlink({.fe = s->fe, .dfid = 0, .fid = 1, .name = ".",
           .expect_err = EEXIST});
}

/* ---- Tmknod ---- */

void case_mknod(Session *s)
{
    struct stat st;

    tmknod({.fe = s->fe, .dfid = 0, .name = "fifo", .mode = S_IFIFO | 0620});
    g_assert_cmpint(host_stat(s, "fifo", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFIFO | 0620);
    tmknod({.fe = s->fe, .dfid = 0, .name = "socket",
            .mode = S_IFSOCK | 0600});
    g_assert_cmpint(host_stat(s, "socket", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFSOCK | 0600);
    tmknod({.fe = s->fe, .dfid = 0, .name = "fifo", .mode = S_IFIFO | 0600,
            .expect_err = EEXIST});
    tmknod({.fe = s->fe, .dfid = 0, .name = "..", .expect_err = EEXIST});
    tmknod({.fe = s->fe, .dfid = 0, .name = "a/b", .expect_err = ENOENT});
    tmknod({.fe = s->fe, .dfid = 77, .name = "x", .expect_err = ENOENT});
}

void case_mknod_device(Session *s)
{
    g_autofree char *path = host_path(s, "probe");
    struct stat st;
    P9Attr attr;

    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) < 0) {
        g_test_skip("no device nodes may be made here");
        return;
    }
    tmknod({.fe = s->fe, .dfid = 0, .name = "null", .mode = S_IFCHR | 0600,
            .major = 1, .minor = 3});
    g_assert_cmpint(host_stat(s, "null", &st), ==, 0);
    g_assert_cmpuint(st.st_rdev, ==, makedev(1, 3));
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "null"});
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.rdev, ==, makedev(1, 3));
}

/* ---- Trename, Trenameat ---- */

void case_rename(Session *s)
{
    struct stat st;

    host_file(s, "file", "f");
    host_file(s, "dir/old", "o");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    trename({.fe = s->fe, .fid = 1, .dfid = 2, .name = "old"});
    host_expect(s, "dir/old", "f", 1);
    g_assert_cmpint(host_stat(s, "file", &st), ==, ENOENT);
    /* The fid goes with it. */
    tlopen({.fe = s->fe, .fid = 1});
    trename({.fe = s->fe, .fid = 1, .dfid = 0, .name = "x",
             .expect_err = EINVAL});
    trename({.fe = s->fe, .fid = 2, .dfid = 0, .name = "..",
             .expect_err = EISDIR});
    trename({.fe = s->fe, .fid = 2, .dfid = 0, .name = "a/b",
             .expect_err = ENOENT});
    trename({.fe = s->fe, .fid = 77, .dfid = 0, .name = "x",
             .expect_err = ENOENT});
    trename({.fe = s->fe, .fid = 2, .dfid = 77, .name = "x",
             .expect_err = ENOENT});
}

/* What is open or walked to below a folder stays, when that is renamed. */
void case_renameat(Session *s)
{
    host_file(s, "a/b/file", "x");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "a/b"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "a/b/file"});
    tmkdir({.fe = s->fe, .dfid = 0, .name = "c", .mode = 0700});
    twalk({.fe = s->fe, .fid = 0, .newfid = 3, .path = "c"});
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = 3,
               .newname = "d"});
    host_expect(s, "c/d/b/file", "x", 1);
    tlopen({.fe = s->fe, .fid = 2});
    twalk({.fe = s->fe, .fid = 1, .newfid = 4, .path = "file"});
}

void case_renameat_errors(Session *s)
{
    host_file(s, "a/file", "x");
    host_file(s, "b/file", "x");
    trenameat({.fe = s->fe, .dfid = 0, .name = "none", .newdfid = 0,
               .newname = "x", .expect_err = ENOENT});
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = 0,
               .newname = "b", .expect_err = ENOTEMPTY});
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = 0,
               .newname = "..", .expect_err = EISDIR});
    trenameat({.fe = s->fe, .dfid = 0, .name = "a/file", .newdfid = 0,
               .newname = "x", .expect_err = ENOENT});
    trenameat({.fe = s->fe, .dfid = 77, .name = "a", .newdfid = 0,
               .newname = "x", .expect_err = ENOENT});
    trenameat({.fe = s->fe, .dfid = 0, .name = "a", .newdfid = 77,
               .newname = "x", .expect_err = ENOENT});
}

/* ---- Tunlinkat, Tremove ---- */

void case_unlinkat(Session *s)
{
    struct stat st;

    host_file(s, "file", "");
    tmkdir({.fe = s->fe, .dfid = 0, .name = "dir", .mode = 0700});
    tsymlink({.fe = s->fe, .dfid = 0, .name = "link", .target = "file"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    tlink({.fe = s->fe, .dfid = 0, .fid = 1, .name = "hard"});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "link"});
    g_assert_cmpint(host_stat(s, "link", &st), ==, ENOENT);
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "hard"});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_nlink, ==, 1);
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file"});
    g_assert_cmpint(host_stat(s, "file", &st), ==, ENOENT);
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "dir",
               .flags = P9_DOTL_AT_REMOVEDIR});
    g_assert_cmpint(host_stat(s, "dir", &st), ==, ENOENT);
}

void case_unlinkat_errors(Session *s)
{
    host_file(s, "dir/file", "");
    host_file(s, "file", "");
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "dir", .expect_err = EISDIR});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "dir",
               .flags = P9_DOTL_AT_REMOVEDIR, .expect_err = ENOTEMPTY});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file",
               .flags = P9_DOTL_AT_REMOVEDIR, .expect_err = ENOTDIR});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "none",
               .expect_err = ENOENT});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = ".", .expect_err = EINVAL});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "..",
               .expect_err = ENOTEMPTY});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "dir/file",
               .expect_err = ENOENT});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file", .flags = 1,
               .expect_err = EINVAL});
    tunlinkat({.fe = s->fe, .dfid = 77, .name = "file",
               .expect_err = EINVAL});
}

/* The fid is gone, whether or not the file is. */
void case_remove(Session *s)
{
    struct stat st;

    host_file(s, "file", "");
    host_file(s, "dir/file", "");
    tmkdir({.fe = s->fe, .dfid = 0, .name = "empty", .mode = 0700});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    tremove({.fe = s->fe, .fid = 1});
    g_assert_cmpint(host_stat(s, "file", &st), ==, ENOENT);
    tgetattr({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "empty"});
    tremove({.fe = s->fe, .fid = 1});
    g_assert_cmpint(host_stat(s, "empty", &st), ==, ENOENT);
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir"});
    tremove({.fe = s->fe, .fid = 1, .expect_err = ENOTEMPTY});
    tgetattr({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
    tremove({.fe = s->fe, .fid = 77, .expect_err = EINVAL});
}
