/*
 * What mapped-file keeps of a file is whole at any time
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define CHANGES 2000

typedef struct Meta {
    Fixture *f;
    Fe *front;
    P9Client *fe;
    char *share;
    const char *fs;
} Meta;

static bool meta_up(Meta *m, const char *mount_options)
{
    static const char *const more[] = { "dispatch", "worker", NULL };

    *m = (Meta) { .fs = mount_options ? "tmpfs" : NULL };
    if (fixture_backend() != BACKEND_OURS) {
        g_test_skip("others have the server as it is in QEMU");
        return false;
    }
    m->f = fixture_up();
    m->share = fixture_mount(m->f, "mapped", m->fs, mount_options);
    if (!m->share) {
        return false;
    }
    m->front = fixture_connect_as(m->f, &(DeviceOpts) {
        .path = m->share, .security_model = "mapped-file", .more = more,
    }, 1, 5);
    m->fe = &m->front->client;
    tattach({.fe = m->fe, .version = "9P2000.L"});
    return true;
}

static void meta_down(Meta *m)
{
    fixture_close(m->f, m->front);
    fixture_down(m->f);
    fixture_unmount(m->share, m->fs);
}

/* "a", and fid 1 for it. */
static void make_file(Meta *m)
{
    twalk({.fe = m->fe, .fid = 0, .newfid = 1});
    tlcreate({.fe = m->fe, .fid = 1, .name = "a", .mode = 0640, .gid = 5,
              .flags = P9_DOTL_RDWR});
    tclunk({.fe = m->fe, .fid = 1});
    twalk({.fe = m->fe, .fid = 0, .newfid = 1, .path = "a"});
}

static P9Req *begin_mode(Meta *m, uint32_t fid, uint32_t mode)
{
    return tsetattr({.fe = m->fe, .fid = fid, .valid = P9_SETATTR_MODE,
                     .mode = S_IFREG | mode, .request_only = true});
}

static P9Req *begin_uid(Meta *m, uint32_t fid, uint32_t uid)
{
    return tsetattr({.fe = m->fe, .fid = fid, .valid = P9_SETATTR_UID,
                     .uid = uid, .request_only = true});
}

static void end(P9Req *req)
{
    g_assert_true(p9_req_expect(req, 0));
    p9_req_free(req);
}

static void assert_attr(Meta *m, uint32_t fid, uint32_t mode, uint32_t uid)
{
    P9Attr attr;

    tgetattr({.fe = m->fe, .fid = fid, .rattr = &attr});
    g_assert_cmpuint(attr.mode, ==, S_IFREG | mode);
    g_assert_cmpuint(attr.uid, ==, uid);
}

/* ---- Who looks while it changes ---- */

typedef struct Reader {
    char *path;
    gint stop;
    unsigned seen, short_of;
} Reader;

static gpointer read_on(gpointer opaque)
{
    Reader *r = opaque;

    while (!g_atomic_int_get(&r->stop)) {
        g_autofree char *text = NULL;

        if (g_file_get_contents(r->path, &text, NULL, NULL)) {
            r->seen++;
            r->short_of += !strstr(text, "virtfs.uid=") ||
                !strstr(text, "virtfs.mode=");
        }
    }
    return NULL;
}

static void change_and_read(Meta *m)
{
    Reader r = {
        .path = g_build_filename(m->share, ".virtfs_metadata", "a", NULL),
    };
    GThread *thread = g_thread_new("reader", read_on, &r);

    for (unsigned i = 0; i < CHANGES; i++) {
        /* Of all lengths. */
        end(begin_uid(m, 1, i % 2 ? 7 : 1000000));
    }
    g_atomic_int_set(&r.stop, 1);
    g_thread_join(thread);
    g_test_message("%u readings", r.seen);
    g_assert_cmpuint(r.seen, >, 0);
    g_assert_cmpuint(r.short_of, ==, 0);
    g_free(r.path);
}

static void test_seen(void)
{
    Meta m;

    if (!meta_up(&m, NULL)) {
        return;
    }
    make_file(&m);
    end(begin_uid(&m, 1, 7));
    change_and_read(&m);
    meta_down(&m);
}

/* They have one owner and one mode, and keep them in one file. */
static void test_links(void)
{
    Meta m;

    if (!meta_up(&m, NULL)) {
        return;
    }
    make_file(&m);
    tlink({.fe = m.fe, .dfid = 0, .fid = 1, .name = "b"});
    twalk({.fe = m.fe, .fid = 0, .newfid = 2, .path = "b"});
    end(begin_uid(&m, 1, 1000000));
    assert_attr(&m, 2, 0640, 1000000);
    end(begin_uid(&m, 2, 7));
    end(begin_mode(&m, 2, 0751));
    assert_attr(&m, 1, 0751, 7);
    meta_down(&m);
}

static void test_links_seen(void)
{
    Meta m;

    if (!meta_up(&m, NULL)) {
        return;
    }
    make_file(&m);
    end(begin_uid(&m, 1, 7));
    tlink({.fe = m.fe, .dfid = 0, .fid = 1, .name = "b"});
    change_and_read(&m);
    meta_down(&m);
}

/* ---- Two changes at once ---- */

static void test_both(void)
{
    Meta m;

    if (!meta_up(&m, NULL)) {
        return;
    }
    make_file(&m);
    twalk({.fe = m.fe, .fid = 0, .newfid = 2, .path = "a"});
    for (unsigned i = 0; i < CHANGES; i++) {
        uint32_t mode = i % 2 ? 0640 : 0751;
        P9Req *first = begin_mode(&m, 1, mode);
        P9Req *second = begin_uid(&m, 2, 10 + i);

        end(first);
        end(second);
        assert_attr(&m, 1, mode, 10 + i);
    }
    meta_down(&m);
}

/* ---- A full disk ---- */

static void fill(Meta *m)
{
    g_autofree char *path = g_build_filename(m->share, "filler", NULL);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    char page[4096] = "";
    ssize_t done;

    do {
        done = write(fd, page, sizeof(page));
    } while (done > 0);
    g_assert_cmpint(errno, ==, ENOSPC);
    close(fd);
}

static void test_full(void)
{
    struct stat st;
    char *path;
    Meta m;

    if (!meta_up(&m, "size=1m")) {
        return;
    }
    make_file(&m);
    end(begin_uid(&m, 1, 7));
    fill(&m);
    /* As on a disk of one's own, what is there can be changed. */
    end(begin_mode(&m, 1, 0751));
    assert_attr(&m, 1, 0751, 7);
    twalk({.fe = m.fe, .fid = 0, .newfid = 2});
    tlcreate({.fe = m.fe, .fid = 2, .name = "b", .mode = 0640,
              .flags = P9_DOTL_RDWR, .expect_err = ENOSPC});
    path = g_build_filename(m.share, "b", NULL);
    g_assert_cmpint(lstat(path, &st), ==, -1);
    g_free(path);
    assert_attr(&m, 1, 0751, 7);
    meta_down(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/metadata/seen", test_seen);
    g_test_add_func("/metadata/links", test_links);
    g_test_add_func("/metadata/links-seen", test_links_seen);
    g_test_add_func("/metadata/both", test_both);
    g_test_add_func("/metadata/full", test_full);
    return g_test_run();
}
