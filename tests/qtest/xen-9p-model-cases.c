/*
 * Xen 9P tests: what a guest sees is the same with every security model
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-cases.h"

void case_model_attributes(Session *s)
{
    P9Attr attr;

    create_at(s, 1, "file");
    /* With the type, as Linux sends it: the mapped models keep all of it. */
    tsetattr({.fe = s->fe, .fid = 1, .mode = S_IFREG | 0640, .uid = 1234,
              .gid = 5678,
              .valid = P9_SETATTR_MODE | P9_SETATTR_UID | P9_SETATTR_GID});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "file"});
    tgetattr({.fe = s->fe, .fid = 2, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFREG | 0640);
    g_assert_cmpuint(attr.uid, ==, 1234);
    g_assert_cmpuint(attr.gid, ==, 5678);
}

void case_model_kinds(Session *s)
{
    g_autofree char *target = NULL;
    P9Attr attr;

    tmkdir({.fe = s->fe, .dfid = 0, .name = "dir", .mode = 0750});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir"});
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFDIR | 0750);
    tmknod({.fe = s->fe, .dfid = 1, .name = "fifo", .mode = S_IFIFO | 0620});
    twalk({.fe = s->fe, .fid = 1, .newfid = 2, .path = "fifo"});
    tgetattr({.fe = s->fe, .fid = 2, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFIFO | 0620);
    tsymlink({.fe = s->fe, .dfid = 1, .name = "link", .target = "a/b"});
    twalk({.fe = s->fe, .fid = 1, .newfid = 3, .path = "link"});
    treadlink({.fe = s->fe, .fid = 3, .rtarget = &target});
    g_assert_cmpstr(target, ==, "a/b");
    tgetattr({.fe = s->fe, .fid = 3, .rattr = &attr});
    g_assert_cmpuint(attr.mode & S_IFMT, ==, S_IFLNK);
}

/* Create, rename and remove leave nothing of the model's own behind. */
void case_model_names(Session *s)
{
    struct stat st;

    create_at(s, 1, "file");
    twrite({.fe = s->fe, .fid = 1, .count = 3, .data = "abc"});
    tclunk({.fe = s->fe, .fid = 1});
    tmkdir({.fe = s->fe, .dfid = 0, .name = "dir", .mode = 0750});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    trenameat({.fe = s->fe, .dfid = 0, .name = "file", .newdfid = 2,
               .newname = "moved"});
    host_expect(s, "dir/moved", "abc", 3);
    tunlinkat({.fe = s->fe, .dfid = 2, .name = "moved"});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "dir",
               .flags = P9_DOTL_AT_REMOVEDIR});
    g_assert_cmpint(host_stat(s, "dir", &st), ==, ENOENT);
}

/* The share may be read and nothing else. */
void case_model_readonly(Session *s)
{
    char data[4] = "";

    host_file(s, "file", "abc");
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    tread({.fe = s->fe, .fid = 1, .count = 3, .data = data});
    g_assert_cmpstr(data, ==, "abc");
    twrite({.fe = s->fe, .fid = 1, .count = 1, .data = "x",
            .expect_err = EROFS});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "file"});
    tlopen({.fe = s->fe, .fid = 2, .flags = P9_DOTL_RDWR,
            .expect_err = EROFS});
    tmkdir({.fe = s->fe, .dfid = 0, .name = "dir", .expect_err = EROFS});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file",
               .expect_err = EROFS});
    tsetattr({.fe = s->fe, .fid = 2, .valid = P9_SETATTR_SIZE,
              .expect_err = EROFS});
    host_expect(s, "file", "abc", 3);
}
