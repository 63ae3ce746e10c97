/*
 * Xen 9P tests: opening, reading and writing files
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-cases.h"

/* ---- Tlopen ---- */

void case_lopen_basic(Session *s)
{
    uint32_t iounit = 0;
    P9Attr attr;
    P9Qid qid;

    host_file(s, "dir/file", "x");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir/file"});
    tlopen({.fe = s->fe, .fid = 1, .rqid = &qid, .riounit = &iounit});
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(qid.path, ==, attr.qid.path);
    g_assert_cmpuint(qid.type, ==, P9_QTFILE);
    g_assert_cmpuint(iounit, >, 0);
    g_assert_cmpuint(iounit, <=, s->fe->msize - 24);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    tlopen({.fe = s->fe, .fid = 2, .flags = P9_DOTL_DIRECTORY, .rqid = &qid});
    g_assert_cmpuint(qid.type, ==, P9_QTDIR);
}

void case_lopen_flags(Session *s)
{
    struct stat st;
    char byte;

    host_file(s, "file", "0123456789");
    open_at(s, 1, "file", P9_DOTL_WRONLY);
    tread({.fe = s->fe, .fid = 1, .count = 1, .data = &byte,
           .expect_err = EBADF});
    open_at(s, 2, "file", P9_DOTL_RDONLY);
    twrite({.fe = s->fe, .fid = 2, .count = 1, .data = "x",
            .expect_err = EBADF});
    open_at(s, 3, "file", P9_DOTL_WRONLY | P9_DOTL_APPEND);
    twrite({.fe = s->fe, .fid = 3, .count = 1, .data = "a"});
    host_expect(s, "file", "0123456789a", 11);
    open_at(s, 4, "file", P9_DOTL_RDWR | P9_DOTL_TRUNC);
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_size, ==, 0);
    twalk({.fe = s->fe, .fid = 0, .newfid = 5, .path = "file"});
    tlopen({.fe = s->fe, .fid = 5, .flags = P9_DOTL_DIRECTORY,
            .expect_err = ENOTDIR});
}

void case_lopen_errors(Session *s)
{
    host_file(s, "file", "");
    tlopen({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    tlopen({.fe = s->fe, .fid = 1, .expect_err = EINVAL});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "file"});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file"});
    tlopen({.fe = s->fe, .fid = 2, .expect_err = ENOENT});
}

/* What is neither file nor folder is for the guest's kernel to open. */
void case_lopen_special(Session *s)
{
    tmknod({.fe = s->fe, .dfid = 0, .name = "fifo", .mode = S_IFIFO | 0600});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "fifo"});
    tlopen({.fe = s->fe, .fid = 1, .expect_err = ENXIO});
    tsymlink({.fe = s->fe, .dfid = 0, .name = "link", .target = "fifo"});
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "link"});
    tlopen({.fe = s->fe, .fid = 2, .expect_err = ELOOP});
}

/* ---- Tlcreate ---- */

void case_lcreate_basic(Session *s)
{
    uint32_t iounit = 0;
    struct stat st;
    P9Attr attr;
    P9Qid qid;

    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    tlcreate({.fe = s->fe, .fid = 1, .name = "file", .mode = 0640,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE | P9_DOTL_EXCL,
              .gid = getgid(), .rqid = &qid, .riounit = &iounit});
    g_assert_cmpuint(iounit, >, 0);
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0640);
    g_assert_cmpuint(st.st_gid, ==, getgid());
    /* The fid is the file's now, and open. */
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.qid.path, ==, qid.path);
    twrite({.fe = s->fe, .fid = 1, .count = 3, .data = "abc"});
    host_expect(s, "file", "abc", 3);
}

static void lcreate_fails(Session *s, const char *name, uint32_t error)
{
    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    tlcreate({.fe = s->fe, .fid = 1, .name = name, .mode = 0600,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE | P9_DOTL_EXCL,
              .expect_err = error});
    tclunk({.fe = s->fe, .fid = 1});
}

void case_lcreate_errors(Session *s)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    g_autofree char *too_long = g_strnfill(256, 'n');

    host_file(s, "file", "");
    lcreate_fails(s, "file", EEXIST);
    lcreate_fails(s, ".", EEXIST);
    lcreate_fails(s, "..", EEXIST);
    lcreate_fails(s, "", ENOENT);
    lcreate_fails(s, "a/b", ENOENT);
    lcreate_fails(s, too_long, ENAMETOOLONG);
    tlcreate({.fe = s->fe, .fid = 77, .name = "x", .expect_err = ENOENT});
    create_at(s, 2, longest);
    tlcreate({.fe = s->fe, .fid = 2, .name = "x", .expect_err = EINVAL});
}

/* ---- Tread ---- */

void case_read_whole(Session *s)
{
    uint32_t chunk = session_chunk(s), size = 2 * chunk + 777, got, pos;
    g_autofree uint8_t *data = host_pattern(s, "file", size);
    g_autofree uint8_t *read = g_malloc(chunk);

    open_at(s, 1, "file", P9_DOTL_RDONLY);
    for (pos = 0; pos < size; pos += got) {
        tread({.fe = s->fe, .fid = 1, .offset = pos, .count = chunk,
               .data = read, .rcount = &got});
        g_assert_cmpmem(read, got, data + pos, MIN(chunk, size - pos));
    }
    g_assert_cmpuint(pos, ==, size);
    tread({.fe = s->fe, .fid = 1, .offset = size, .count = chunk,
           .data = read, .rcount = &got});
    g_assert_cmpuint(got, ==, 0);
}

void case_read_parts(Session *s)
{
    static const struct {
        uint64_t offset;
        uint32_t count, got;
    } parts[] = {
        { 0, 0, 0 }, { 0, 1, 1 }, { 9, 1, 1 }, { 9, 2, 1 }, { 10, 5, 0 },
        { 3, 4, 4 }, { 1ull << 40, 5, 0 }, { 0, 1000, 10 },
    };
    char data[1000];
    uint32_t got;
    unsigned i;

    host_file(s, "file", "0123456789");
    open_at(s, 1, "file", P9_DOTL_RDONLY);
    for (i = 0; i < G_N_ELEMENTS(parts); i++) {
        tread({.fe = s->fe, .fid = 1, .offset = parts[i].offset,
               .count = parts[i].count, .data = data, .rcount = &got});
        g_assert_cmpuint(got, ==, parts[i].got);
        g_assert_true(got == 0 || data[0] == '0' + (int)parts[i].offset);
    }
}

/* A count that no reply could hold is answered with what one holds. */
void case_read_too_much(Session *s)
{
    uint32_t size = s->fe->msize + 5000, got;
    g_autofree uint8_t *data = host_pattern(s, "file", size);
    P9Req *req;
    const uint8_t *read;

    open_at(s, 1, "file", P9_DOTL_RDONLY);
    req = tread({.fe = s->fe, .fid = 1, .count = ~0u, .request_only = true});
    g_assert_true(p9_req_expect(req, 0));
    g_assert_cmpuint(req->rx.bytes->len, <=, s->fe->msize);
    g_assert_true(p9_unpack(&req->rx, "D", &got, &read));
    g_assert_cmpuint(got, >, 0);
    g_assert_cmpmem(read, got, data, got);
    p9_req_free(req);
}

void case_read_errors(Session *s)
{
    char byte;

    tread({.fe = s->fe, .fid = 77, .count = 1, .data = &byte,
           .expect_err = EINVAL});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    tread({.fe = s->fe, .fid = 1, .count = 1, .data = &byte,
           .expect_err = EINVAL});
    tlopen({.fe = s->fe, .fid = 1, .flags = P9_DOTL_DIRECTORY});
    tread({.fe = s->fe, .fid = 1, .count = 1, .data = &byte,
           .expect_err = EOPNOTSUPP});
}

/* ---- Twrite ---- */

void case_write_whole(Session *s)
{
    uint32_t chunk = session_chunk(s), size = 2 * chunk + 777, got, pos;
    g_autofree uint8_t *data = host_pattern(s, "model", size);

    create_at(s, 1, "file");
    for (pos = 0; pos < size; pos += got) {
        uint32_t count = MIN(chunk, size - pos);

        twrite({.fe = s->fe, .fid = 1, .offset = pos, .count = count,
                .data = data + pos, .rcount = &got});
        g_assert_cmpuint(got, ==, count);
    }
    host_expect(s, "file", data, size);
}

void case_write_parts(Session *s)
{
    uint32_t got;

    create_at(s, 1, "file");
    twrite({.fe = s->fe, .fid = 1, .offset = 4, .count = 2, .data = "ab"});
    host_expect(s, "file", "\0\0\0\0ab", 6);
    twrite({.fe = s->fe, .fid = 1, .offset = 0, .count = 0, .data = "",
            .rcount = &got});
    g_assert_cmpuint(got, ==, 0);
    twrite({.fe = s->fe, .fid = 1, .offset = 1, .count = 4, .data = "wxyz"});
    host_expect(s, "file", "\0wxyzb", 6);
}

/* Every size around the one where a request is no longer copied. */
void case_write_sizes(Session *s)
{
    static const uint32_t sizes[] = {
        1, 2, 3, 4049, 4050, 4072, 4073, 4074, 4095, 4096, 4097, 4119, 4120,
        4121, 8191, 8192, 8193, 65535, 65536,
    };
    g_autofree uint8_t *data = host_pattern(s, "model", 65536);
    uint32_t got;
    unsigned i;

    create_at(s, 1, "file");
    for (i = 0; i < G_N_ELEMENTS(sizes) && sizes[i] <= session_chunk(s);
         i++) {
        tsetattr({.fe = s->fe, .fid = 1, .valid = P9_SETATTR_SIZE});
        twrite({.fe = s->fe, .fid = 1, .count = sizes[i], .data = data,
                .rcount = &got});
        g_assert_cmpuint(got, ==, sizes[i]);
        host_expect(s, "file", data, sizes[i]);
    }
}

void case_write_errors(Session *s)
{
    twrite({.fe = s->fe, .fid = 77, .count = 1, .data = "x",
            .expect_err = EINVAL});
    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    twrite({.fe = s->fe, .fid = 1, .count = 1, .data = "x",
            .expect_err = EINVAL});
    tlopen({.fe = s->fe, .fid = 1, .flags = P9_DOTL_DIRECTORY});
    twrite({.fe = s->fe, .fid = 1, .count = 1, .data = "x",
            .expect_err = EINVAL});
}

/* ---- Tfsync, Tlock, Tgetlock ---- */

void case_fsync(Session *s)
{
    create_at(s, 1, "file");
    twrite({.fe = s->fe, .fid = 1, .count = 1, .data = "x"});
    tfsync({.fe = s->fe, .fid = 1});
    tfsync({.fe = s->fe, .fid = 1, .datasync = 1});
    tfsync({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
    tfsync({.fe = s->fe, .fid = 0, .expect_err = EBADF});
}

void case_lock(Session *s)
{
    uint8_t status = 255;

    create_at(s, 1, "file");
    tlock({.fe = s->fe, .fid = 1, .type = P9_LOCK_TYPE_WRLCK, .length = 10,
           .proc_id = 1, .client_id = "me", .rstatus = &status});
    g_assert_cmpuint(status, ==, P9_LOCK_SUCCESS);
    tlock({.fe = s->fe, .fid = 1, .type = P9_LOCK_TYPE_UNLCK, .flags = 1,
           .rstatus = &status});
    g_assert_cmpuint(status, ==, P9_LOCK_SUCCESS);
    tlock({.fe = s->fe, .fid = 1, .flags = 4, .expect_err = EINVAL});
    tlock({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
    tlock({.fe = s->fe, .fid = 0, .expect_err = EBADF});
}

/* The reply has the client's own name, however long that is. */
void case_getlock(Session *s)
{
    g_autofree char *id = g_strnfill(3000, 'i'), *got = NULL;
    uint64_t start, length;
    uint32_t proc;
    uint8_t type;
    P9Req *req;

    create_at(s, 1, "file");
    req = tgetlock({.fe = s->fe, .fid = 1, .type = P9_LOCK_TYPE_WRLCK,
                    .start = 3, .length = 10, .proc_id = 17,
                    .client_id = id, .request_only = true});
    g_assert_true(p9_req_expect(req, 0));
    g_assert_true(p9_unpack(&req->rx, "bqqds", &type, &start, &length, &proc,
                            &got));
    g_assert_cmpuint(type, ==, P9_LOCK_TYPE_UNLCK);
    g_assert_cmpuint(start, ==, 3);
    g_assert_cmpuint(length, ==, 10);
    g_assert_cmpuint(proc, ==, 17);
    g_assert_cmpstr(got, ==, id);
    p9_req_free(req);
    tgetlock({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
    tgetlock({.fe = s->fe, .fid = 0, .expect_err = EBADF});
}

/* An open file is a file, whatever becomes of its name. */
void case_use_after_unlink(Session *s)
{
    char data[8] = "";
    struct stat st;
    P9Attr attr;

    create_at(s, 1, "file");
    twrite({.fe = s->fe, .fid = 1, .count = 5, .data = "12345"});
    tunlinkat({.fe = s->fe, .dfid = 0, .name = "file"});
    g_assert_cmpint(host_stat(s, "file", &st), ==, ENOENT);
    twrite({.fe = s->fe, .fid = 1, .offset = 5, .count = 2, .data = "67"});
    tread({.fe = s->fe, .fid = 1, .count = 7, .data = data});
    g_assert_cmpstr(data, ==, "1234567");
    tgetattr({.fe = s->fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.size, ==, 7);
    g_assert_cmpuint(attr.nlink, ==, 0);
}
