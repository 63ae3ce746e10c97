/*
 * Xen 9P tests: dialect 9P2000.u
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-cases.h"

#define DM_SYMLINK  0x02000000u
#define DM_DEVICE   0x00800000u
#define DM_PIPE     0x00200000u

/* A Twstat that changes nothing. */
static const P9Stat no_change = {
    .type = 0xffff, .dev = ~0u, .mode = ~0u, .atime = ~0u, .mtime = ~0u,
    .length = ~0ull, .n_uid = ~0u, .n_gid = ~0u, .n_muid = ~0u,
    .qid = { .type = 0xff, .version = ~0u, .path = ~0ull },
};

void case_dotu_read(Session *s)
{
    uint32_t chunk = session_chunk(s), size = chunk + 777, got, pos;
    g_autofree uint8_t *data = host_pattern(s, "dir/file", size);
    g_autofree uint8_t *read = g_malloc(chunk);

    open_at(s, 1, "dir/file", P9_OREAD);
    for (pos = 0; pos < size; pos += got) {
        tread({.fe = s->fe, .fid = 1, .offset = pos, .count = chunk,
               .data = read, .rcount = &got});
        g_assert_cmpuint(got, >, 0);
        g_assert_cmpmem(read, got, data + pos, got);
    }
    tread({.fe = s->fe, .fid = 1, .offset = size, .count = 10,
           .data = read, .rcount = &got});
    g_assert_cmpuint(got, ==, 0);
}

void case_dotu_write(Session *s)
{
    uint32_t chunk = session_chunk(s), size = chunk + 777, got, pos;
    g_autofree uint8_t *data = host_pattern(s, "model", size);

    create_at(s, 1, "file");
    for (pos = 0; pos < size; pos += got) {
        twrite({.fe = s->fe, .fid = 1, .offset = pos,
                .count = MIN(chunk, size - pos), .data = data + pos,
                .rcount = &got});
        g_assert_cmpuint(got, >, 0);
    }
    host_expect(s, "file", data, size);
}

void case_dotu_create_mode(Session *s)
{
    struct stat st;

    create_at(s, 1, "file");
    g_assert_cmpint(host_stat(s, "file", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0644);
}

void case_dotu_stat(Session *s)
{
    P9Stat stat = { 0 };
    struct stat st;

    host_file(s, "dir/file", "0123456789");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "dir/file"});
    tstat({.fe = s->fe, .fid = 1, .rstat = &stat});
    g_assert_cmpint(host_stat(s, "dir/file", &st), ==, 0);
    g_assert_cmpstr(stat.name, ==, "file");
    g_assert_cmpuint(stat.length, ==, 10);
    g_assert_cmpuint(stat.mode & 0777, ==, st.st_mode & 0777);
    g_assert_cmpuint(stat.mtime, ==, st.st_mtime);
    g_assert_cmpuint(stat.n_uid, ==, st.st_uid);
    g_assert_cmpuint(stat.qid.type, ==, P9_QTFILE);
    p9_stat_clear(&stat);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2, .path = "dir"});
    tstat({.fe = s->fe, .fid = 2, .rstat = &stat});
    g_assert_cmpuint(stat.mode & P9_DMDIR, ==, P9_DMDIR);
    p9_stat_clear(&stat);
}

void case_dotu_stat_root(Session *s)
{
    P9Stat stat = { 0 };

    tstat({.fe = s->fe, .fid = 0, .rstat = &stat});
    g_assert_cmpuint(stat.mode & P9_DMDIR, ==, P9_DMDIR);
    p9_stat_clear(&stat);
}

void case_dotu_errors(Session *s)
{
    host_file(s, "file", "");
    twalk({.fe = s->fe, .fid = 0, .newfid = 1, .path = "nothing",
           .expect_err = ENOENT});
    topen({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
    tstat({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
    tclunk({.fe = s->fe, .fid = 77, .expect_err = ENOENT});
}

/* One stat of a folder's data; false at its end. */
static bool next_stat(P9Msg *msg, char **name, uint32_t *mode)
{
    return msg->pos < msg->bytes->len &&
        p9_unpack(msg, "wwdQdddqsssssddd", NULL, NULL, NULL, NULL, mode,
                  NULL, NULL, NULL, name, NULL, NULL, NULL, NULL, NULL,
                  NULL, NULL);
}

void case_dotu_read_dir(Session *s)
{
    unsigned files = 0, dirs = 0;
    uint64_t offset = 0;

    host_file(s, "dir/sub/file", "");
    host_file(s, "dir/one", "");
    host_file(s, "dir/two", "");
    open_at(s, 1, "dir", P9_OREAD);
    for (;;) {
        P9Req *req = tread({.fe = s->fe, .fid = 1, .offset = offset,
                            .count = 300, .request_only = true});
        char *name = NULL;
        uint32_t count, mode;

        g_assert_true(p9_req_expect(req, 0));
        g_assert_true(p9_unpack(&req->rx, "d", &count));
        while (next_stat(&req->rx, &name, &mode)) {
            files += !strcmp(name, "one") || !strcmp(name, "two");
            dirs += !strcmp(name, "sub") && (mode & P9_DMDIR);
            g_clear_pointer(&name, g_free);
        }
        p9_req_free(req);
        if (!count) {
            break;
        }
        offset += count;
    }
    g_assert_cmpuint(files, ==, 2);
    g_assert_cmpuint(dirs, ==, 1);
}

void case_dotu_create_kinds(Session *s)
{
    g_autofree char *link = host_path(s, "link"), *target = NULL;
    P9Stat stat = { 0 };
    struct stat st;

    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    tcreate({.fe = s->fe, .fid = 1, .name = "dir", .mode = P9_DMDIR | 0750});
    g_assert_cmpint(host_stat(s, "dir", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 0750);
    twalk({.fe = s->fe, .fid = 0, .newfid = 2});
    tcreate({.fe = s->fe, .fid = 2, .name = "link",
             .mode = DM_SYMLINK | 0777, .extension = "dir/x"});
    target = g_file_read_link(link, NULL);
    g_assert_cmpstr(target, ==, "dir/x");
    tstat({.fe = s->fe, .fid = 2, .rstat = &stat});
    g_assert_cmpstr(stat.extension, ==, "dir/x");
    p9_stat_clear(&stat);
    twalk({.fe = s->fe, .fid = 0, .newfid = 3});
    tcreate({.fe = s->fe, .fid = 3, .name = "fifo", .mode = DM_PIPE | 0600});
    g_assert_cmpint(host_stat(s, "fifo", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFIFO | 0600);
    twalk({.fe = s->fe, .fid = 0, .newfid = 4});
    tcreate({.fe = s->fe, .fid = 4, .name = "..", .expect_err = EEXIST});
    tcreate({.fe = s->fe, .fid = 4, .name = "a/b", .expect_err = ENOENT});
    tcreate({.fe = s->fe, .fid = 77, .name = "x", .expect_err = EINVAL});
}

void case_dotu_wstat(Session *s)
{
    P9Stat change = no_change;
    struct stat st;

    create_at(s, 1, "file");
    change.length = 7;
    twstat({.fe = s->fe, .fid = 1, .stat = &change});
    change = no_change;
    change.mode = 0640;
    change.mtime = 1000;
    twstat({.fe = s->fe, .fid = 1, .stat = &change});
    change = no_change;
    change.name = (char *)"renamed";
    twstat({.fe = s->fe, .fid = 1, .stat = &change});
    g_assert_cmpint(host_stat(s, "file", &st), ==, ENOENT);
    g_assert_cmpint(host_stat(s, "renamed", &st), ==, 0);
    g_assert_cmpuint(st.st_size, ==, 7);
    g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0640);
    g_assert_cmpint(st.st_mtime, ==, 1000);
    twstat({.fe = s->fe, .fid = 77, .stat = &change, .expect_err = EINVAL});
}

/*
 * One that changes nothing asks for the file to be on the disk. QEMU's
 * server completes it with a length of 0, which is no cancelled request.
 */
void case_dotu_wstat_sync(Session *s)
{
    create_at(s, 1, "file");
    twstat({.fe = s->fe, .fid = 1, .stat = &no_change});
    twstat({.fe = s->fe, .fid = 0, .stat = &no_change, .expect_err = EBADF});
}

/* The numbers of a device that cannot be read: an error, whichever. */
void case_dotu_create_device(Session *s)
{
    uint32_t error = 0;

    twalk({.fe = s->fe, .fid = 0, .newfid = 1});
    tcreate({.fe = s->fe, .fid = 1, .name = "dev", .mode = DM_DEVICE | 0600,
             .extension = "c", .rerror = &error});
    g_assert_cmpuint(error, !=, 0);
}

void case_dotu_remove(Session *s)
{
    struct stat st;

    create_at(s, 1, "file");
    tremove({.fe = s->fe, .fid = 1});
    g_assert_cmpint(host_stat(s, "file", &st), ==, ENOENT);
    tstat({.fe = s->fe, .fid = 1, .expect_err = ENOENT});
    /* Of the other dialect. */
    treaddir({.fe = s->fe, .fid = 0, .count = 100, .expect_err = ENOTDIR});
}
