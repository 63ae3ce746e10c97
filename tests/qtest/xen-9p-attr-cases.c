/*
 * Xen 9P tests: attributes
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "xen-9p-cases.h"

enum { ATTR_CREATE = 1, ATTR_REPLACE = 2 };

/* ---- Tgetattr ---- */

void case_getattr_basic(Session *s)
{
    struct stat st;
    P9Attr attr;

    host_file(s, "file", "0123456789");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    tgetattr({.fe = s->fe, .fid = 1, .mask = P9_GETATTR_ALL,
              .rattr = &attr});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(attr.valid & P9_GETATTR_BASIC, ==, P9_GETATTR_BASIC);
    g_assert_cmpuint(attr.qid.type, ==, P9_QTFILE);
    g_assert_cmpuint(attr.mode, ==, st.st_mode);
    g_assert_cmpuint(attr.uid, ==, st.st_uid);
    g_assert_cmpuint(attr.gid, ==, st.st_gid);
    g_assert_cmpuint(attr.nlink, ==, st.st_nlink);
    g_assert_cmpuint(attr.size, ==, 10);
    g_assert_cmpuint(attr.blocks, ==, st.st_blocks);
    g_assert_cmpuint(attr.blksize, <=, s->fe->msize);
    g_assert_cmpuint(attr.mtime_sec, ==, st.st_mtim.tv_sec);
    g_assert_cmpuint(attr.mtime_nsec, ==, st.st_mtim.tv_nsec);
    g_assert_cmpuint(attr.ctime_sec, ==, st.st_ctim.tv_sec);
    g_assert_cmpuint(attr.ctime_nsec, ==, st.st_ctim.tv_nsec);
}

void case_getattr_kinds(Session *s)
{
    P9Attr attr;

    tsymlink({.fe = s->fe, .dfid = 0, .name = "link", .target = "nothing"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "link"});
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.mode & S_IFMT, ==, S_IFLNK);
    g_assert_cmpuint(attr.qid.type, ==, P9_QTSYMLINK);
    tgetattr({.fe = s->fe, .fid = 0, .rattr = &attr});
    g_assert_cmpuint(attr.mode & S_IFMT, ==, S_IFDIR);
    tgetattr({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
}

/* ---- Tsetattr, field by field ---- */

void case_setattr_mode(Session *s)
{
    struct stat st;

    create_at(s, 1, "file");
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_MODE,
              .mode = 04711, .size = 99});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 04711);
    g_assert_cmpuint(st.st_size, ==, 0);
    tsetattr({.fe = s->fe, .fid = 0, .valid = P9_SETATTR_MODE,
              .mode = 0700});
    g_assert_cmpint(host_stat(s, "", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 0700);
}

void case_setattr_owner(Session *s)
{
    struct stat st;

    if (geteuid() != 0) {
        g_test_skip("only root changes owners");
        return;
    }
    create_at(s, 1, "file");
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_UID, .uid = 1234,
              .gid = 99});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 1234);
    g_assert_cmpuint(st.st_gid, ==, getgid());
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_GID, .uid = 99,
              .gid = 5678});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_uid, ==, 1234);
    g_assert_cmpuint(st.st_gid, ==, 5678);
}

void case_setattr_size(Session *s)
{
    create_at(s, 1, "file");
    twrite({.fe = s->fe, .fid = 1, .count = 5, .data = "12345"});
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_SIZE, .size = 2});
    host_expect(s, "file", "12", 2);
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_SIZE, .size = 4});
    host_expect(s, "file", "12\0\0", 4);
    tsetattr({.fe = s->fe, .fid = 0, .valid = P9_SETATTR_SIZE, .size = 2,
              .expect_err = EISDIR});
    tsetattr({.fe = s->fe, .fid = 77, .valid = P9_SETATTR_SIZE,
              .expect_err = EINVAL});
}

void case_setattr_times(Session *s)
{
    time_t before = time(NULL);
    struct stat st;

    create_at(s, 1, "file");
    tsetattr({.fe = s->fe, .fid = 1, .atime_sec = 1000, .atime_nsec = 7,
              .valid = P9_SETATTR_ATIME | P9_SETATTR_ATIME_SET});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpint(st.st_atim.tv_sec, ==, 1000);
    g_assert_cmpint(st.st_atim.tv_nsec, ==, 7);
    g_assert_cmpint(st.st_mtim.tv_sec, >=, before);
    tsetattr({.fe = s->fe, .fid = 1, .mtime_sec = 2000, .mtime_nsec = 9,
              .valid = P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpint(st.st_atim.tv_sec, ==, 1000);
    g_assert_cmpint(st.st_mtim.tv_sec, ==, 2000);
    g_assert_cmpint(st.st_mtim.tv_nsec, ==, 9);
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_ATIME});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpint(st.st_atim.tv_sec, >=, before);
    g_assert_cmpint(st.st_mtim.tv_sec, ==, 2000);
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_MTIME});
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpint(st.st_mtim.tv_sec, >=, before);
}

void case_setattr_ctime(Session *s)
{
    struct stat before, after;

    create_at(s, 1, "file");
    g_assert_cmpint(host_stat(s, "file", &before), ==, 0);
    g_usleep(20000);
    tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_CTIME});
    g_assert_cmpint(host_stat(s, "file", &after), ==, 0);
    g_assert_true(after.st_ctim.tv_sec > before.st_ctim.tv_sec ||
                  after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
    g_assert_cmpint(after.st_mtim.tv_nsec, ==, before.st_mtim.tv_nsec);
}

/* ---- Tstatfs ---- */

void case_statfs(Session *s)
{
    P9Statfs statfs;
    struct statvfs st;

    g_assert_cmpint(statvfs(s->f->share, &st), ==, 0);
    tstatfs({.fe = s->fe, .fid = 0, .rstatfs = &statfs});
    g_assert_cmpuint(statfs.bsize % st.f_bsize, ==, 0);
    /* It counts in blocks as large as a message allows. */
    g_assert_cmpuint(statfs.blocks, ==,
                     st.f_blocks / (statfs.bsize / st.f_bsize));
    g_assert_cmpuint(statfs.files, ==, st.f_files);
    g_assert_cmpuint(statfs.namelen, ==, st.f_namemax);
    tstatfs({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
}

/* ---- Txattrwalk, Txattrcreate ---- */

/* Set an attribute of "file"; returns what Tclunk says of it. */
static uint32_t set_xattr(Session *s, const char *name, const char *value,
                          uint32_t len, uint32_t flags)
{
    uint32_t error;

    twalk({.fe = s->fe, .fid = 0, .newfid = 50, .path = "file"});
    txattrcreate({.fe = s->fe, .fid = 50, .name = name, .size = len,
                  .flags = flags});
    if (len) {
        twrite({.fe = s->fe, .fid = 50, .count = len, .data = value});
    }
    tclunk({.fe = s->fe, .fid = 50, .rerror = &error});
    return error;
}

/* Make "file". False, and noted, if its file system has no attributes. */
static bool xattr_file(Session *s)
{
    g_autofree char *path = host_path(s, "file");

    host_file(s, "file", "");
    if (setxattr(path, "user.host", "h", 1, 0) < 0) {
        g_test_skip("the file system has no user attributes");
        return false;
    }
    return true;
}

void case_xattr_set(Session *s)
{
    g_autofree char *path = host_path(s, "file");
    g_autofree char *large = g_strnfill(3000, 'v');
    char value[4000];

    if (!xattr_file(s)) {
        return;
    }
    g_assert_cmpuint(set_xattr(s, "user.x", "value", 5, 0), ==, 0);
    g_assert_cmpint(getxattr(path, "user.x", value, sizeof(value)), ==, 5);
    g_assert_cmpmem(value, 5, "value", 5);
    g_assert_cmpuint(set_xattr(s, "user.x", "n", 1, ATTR_CREATE), ==,
                     EEXIST);
    g_assert_cmpuint(set_xattr(s, "user.y", "n", 1, ATTR_REPLACE), ==,
                     ENODATA);
    g_assert_cmpuint(set_xattr(s, "user.x", large, 3000, ATTR_REPLACE), ==,
                     0);
    g_assert_cmpint(getxattr(path, "user.x", value, sizeof(value)), ==,
                    3000);
    /* An empty value takes it away. */
    g_assert_cmpuint(set_xattr(s, "user.x", "", 0, 0), ==, 0);
    g_assert_cmpint(getxattr(path, "user.x", value, sizeof(value)), ==, -1);
}

void case_xattr_get(Session *s)
{
    char data[64] = "";
    uint64_t size = 0;

    if (!xattr_file(s)) {
        return;
    }
    g_assert_cmpuint(set_xattr(s, "user.x", "value", 5, 0), ==, 0);
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    txattrwalk({.fe = s->fe, .fid = 1, .newfid = 2, .name = "user.x",
                .rsize = &size});
    g_assert_cmpuint(size, ==, 5);
    tread({.fe = s->fe, .fid = 2, .offset = 2, .count = 60, .data = data});
    g_assert_cmpstr(data, ==, "lue");
    tclunk({.fe = s->fe, .fid = 2});
    txattrwalk({.fe = s->fe, .fid = 1, .newfid = 2, .rsize = &size});
    g_assert_cmpuint(size, <=, sizeof(data));
    tread({.fe = s->fe, .fid = 2, .count = size, .data = data});
    g_assert_true(!strcmp(data, "user.x") ||
                  !strcmp(data + strlen(data) + 1, "user.x"));
}

void case_xattr_errors(Session *s)
{
    uint32_t error;

    if (!xattr_file(s)) {
        return;
    }
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    txattrwalk({.fe = s->fe, .fid = 1, .newfid = 2, .name = "user.none",
                .expect_err = ENODATA});
    txattrwalk({.fe = s->fe, .fid = 77, .newfid = 2, .name = "user.none",
                .expect_err = ENOENT});
    txattrwalk({.fe = s->fe, .fid = 1, .newfid = 0, .name = "user.host",
                .expect_err = EINVAL});
    txattrcreate({.fe = s->fe, .fid = 77, .name = "user.x", .size = 1,
                  .expect_err = EINVAL});
    txattrcreate({.fe = s->fe, .fid = 1, .name = "user.x", .size = 1,
                  .flags = 8, .expect_err = EINVAL});
    txattrcreate({.fe = s->fe, .fid = 1, .name = "user.x",
                  .size = 1 << 20, .expect_err = E2BIG});
    txattrcreate({.fe = s->fe, .fid = 1, .name = "user.x", .size = 9});
    twrite({.fe = s->fe, .fid = 1, .offset = 10, .count = 1, .data = "x",
            .expect_err = ENOSPC});
    /* Less than was announced. */
    twrite({.fe = s->fe, .fid = 1, .count = 3, .data = "abc"});
    tclunk({.fe = s->fe, .fid = 1, .rerror = &error});
    g_assert_cmpuint(error, ==, EINVAL);
}

/* @limit values may be held open, and none more; 0: any number. */
static void hold_xattrs(Session *s, unsigned limit)
{
    unsigned count = limit ? limit : 1200, i;

    if (!xattr_file(s)) {
        return;
    }
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "file"});
    for (i = 0; i < count; i++) {
        txattrwalk({.fe = s->fe, .fid = 1, .newfid = 100 + i,
                    .name = "user.host"});
    }
    if (limit) {
        txattrwalk({.fe = s->fe, .fid = 1, .newfid = 2, .name = "user.host",
                    .expect_err = ENOSPC});
        tclunk({.fe = s->fe, .fid = 100});
        txattrwalk({.fe = s->fe, .fid = 1, .newfid = 2,
                    .name = "user.host"});
    }
}

void case_xattr_limit_default(Session *s)
{
    hold_xattrs(s, 1024);
}

void case_xattr_limit_custom(Session *s)
{
    hold_xattrs(s, 16);
}

void case_xattr_limit_unlimited(Session *s)
{
    hold_xattrs(s, 0);
}
