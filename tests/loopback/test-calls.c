/*
 * Is every 9P call spoken as a server understands it?
 *
 * The server's own behaviour is not what is tested here; each case uses a
 * few calls and looks at the served folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

typedef struct Session {
    Fixture *f;
    Fe *front;
    P9Client *fe;
} Session;

static bool begin(Session *s, const char *version)
{
    s->f = fixture_up();
    if (s->f->backend == BACKEND_XEN_9PFSD) {
        g_test_skip("xen-9pfsd has nine calls; test-smoke has them");
        fixture_down(s->f);
        return false;
    }
    s->front = fixture_connect(s->f, 2, 4);
    s->fe = &s->front->client;
    tattach({.fe = s->fe, .version = version});
    return true;
}

static void end(Session *s)
{
    fixture_close(s->f, s->front);
    fixture_down(s->f);
}

/* What lstat() says of a name in the served folder. */
static int look(Session *s, const char *name, struct stat *st)
{
    g_autofree char *path = g_build_filename(s->f->share, name, NULL);

    return lstat(path, st) < 0 ? errno : 0;
}

static void make_file(Session *s, uint32_t fid, const char *name)
{
    twalk({.fe = s->fe, .fid = 0, .newfid = fid});
    tlcreate({.fe = s->fe, .fid = fid, .name = name, .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
}

static void test_make(void)
{
    g_autofree char *target = NULL;
    Session s;
    struct stat st;
    P9Qid qid;

    if (!begin(&s, "9P2000.L")) {
        return;
    }
    tmkdir({.fe = s.fe, .dfid = 0, .name = "d", .mode = 0750, .rqid = &qid});
    g_assert_cmpuint(qid.type, ==, P9_QTDIR);
    g_assert_cmpint(look(&s, "d", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFDIR | 0750);
    tsymlink({.fe = s.fe, .dfid = 0, .name = "l", .target = "d/x"});
    twalk({.fe = s.fe, .fid = 0, .newfid = 1, .path = "l"});
    treadlink({.fe = s.fe, .fid = 1, .rtarget = &target});
    g_assert_cmpstr(target, ==, "d/x");
    tmknod({.fe = s.fe, .dfid = 0, .name = "p", .mode = S_IFIFO | 0600});
    g_assert_cmpint(look(&s, "p", &st), ==, 0);
    g_assert_cmpuint(st.st_mode, ==, S_IFIFO | 0600);
    make_file(&s, 2, "f");
    tlink({.fe = s.fe, .dfid = 0, .fid = 2, .name = "f2"});
    g_assert_cmpint(look(&s, "f2", &st), ==, 0);
    g_assert_cmpuint(st.st_nlink, ==, 2);
    end(&s);
}

static void test_rename_remove(void)
{
    Session s;
    struct stat st;

    if (!begin(&s, "9P2000.L")) {
        return;
    }
    tmkdir({.fe = s.fe, .dfid = 0, .name = "d", .mode = 0755});
    twalk({.fe = s.fe, .fid = 0, .newfid = 1, .path = "d"});
    make_file(&s, 2, "a");
    tclunk({.fe = s.fe, .fid = 2});
    trenameat({.fe = s.fe, .dfid = 0, .name = "a", .newdfid = 1,
               .newname = "b"});
    g_assert_cmpint(look(&s, "d/b", &st), ==, 0);
    twalk({.fe = s.fe, .fid = 1, .newfid = 3, .path = "b"});
    trename({.fe = s.fe, .fid = 3, .dfid = 0, .name = "c"});
    g_assert_cmpint(look(&s, "c", &st), ==, 0);
    tremove({.fe = s.fe, .fid = 3});
    g_assert_cmpint(look(&s, "c", &st), ==, ENOENT);
    tunlinkat({.fe = s.fe, .dfid = 0, .name = "d", .expect_err = EISDIR});
    tunlinkat({.fe = s.fe, .dfid = 0, .name = "d",
               .flags = P9_DOTL_AT_REMOVEDIR});
    g_assert_cmpint(look(&s, "d", &st), ==, ENOENT);
    end(&s);
}

static void test_attributes(void)
{
    P9Statfs statfs;
    struct stat st;
    P9Attr attr;
    Session s;

    if (!begin(&s, "9P2000.L")) {
        return;
    }
    make_file(&s, 1, "f");
    tsetattr({.fe = s.fe, .fid = 1, .mode = 0640, .size = 12345,
              .valid = P9_SETATTR_MODE | P9_SETATTR_SIZE});
    /* Apart: a change of size sets the time. */
    tsetattr({.fe = s.fe, .fid = 1, .mtime_sec = 1000000000,
              .valid = P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET});
    g_assert_cmpint(look(&s, "f", &st), ==, 0);
    g_assert_cmpuint(st.st_size, ==, 12345);
    tgetattr({.fe = s.fe, .fid = 1, .rattr = &attr});
    g_assert_cmpuint(attr.valid & P9_GETATTR_BASIC, ==, P9_GETATTR_BASIC);
    g_assert_cmpuint(attr.mode, ==, S_IFREG | 0640);
    g_assert_cmpuint(attr.size, ==, 12345);
    g_assert_cmpuint(attr.mtime_sec, ==, 1000000000);
    g_assert_cmpuint(attr.nlink, ==, 1);
    tfsync({.fe = s.fe, .fid = 1});
    tstatfs({.fe = s.fe, .fid = 0, .rstatfs = &statfs});
    g_assert_cmpuint(statfs.bsize, >, 0);
    g_assert_cmpuint(statfs.namelen, ==, 255);
    end(&s);
}

static void test_locks(void)
{
    uint8_t status = 255, type = 255;
    Session s;

    if (!begin(&s, "9P2000.L")) {
        return;
    }
    make_file(&s, 1, "f");
    tlock({.fe = s.fe, .fid = 1, .type = P9_LOCK_TYPE_WRLCK, .length = 10,
           .proc_id = 1, .client_id = "me", .rstatus = &status});
    g_assert_cmpuint(status, ==, P9_LOCK_SUCCESS);
    tgetlock({.fe = s.fe, .fid = 1, .type = P9_LOCK_TYPE_WRLCK,
              .length = 10, .proc_id = 1, .client_id = "me",
              .rtype = &type});
    g_assert_cmpuint(type, ==, P9_LOCK_TYPE_UNLCK);
    end(&s);
}

static void test_xattr(void)
{
    uint64_t size = 0;
    char value[8] = "";
    uint32_t error;
    Session s;

    if (!begin(&s, "9P2000.L")) {
        return;
    }
    make_file(&s, 1, "f");
    tclunk({.fe = s.fe, .fid = 1});
    twalk({.fe = s.fe, .fid = 0, .newfid = 1, .path = "f"});
    txattrcreate({.fe = s.fe, .fid = 1, .name = "user.x", .size = 5});
    twrite({.fe = s.fe, .fid = 1, .count = 5, .data = "value"});
    tclunk({.fe = s.fe, .fid = 1, .rerror = &error});
    if (error == EOPNOTSUPP) {
        g_test_skip("the file system has no user attributes");
    } else {
        g_assert_cmpuint(error, ==, 0);
        twalk({.fe = s.fe, .fid = 0, .newfid = 2, .path = "f"});
        txattrwalk({.fe = s.fe, .fid = 2, .newfid = 3, .name = "user.x",
                    .rsize = &size});
        g_assert_cmpuint(size, ==, 5);
        tread({.fe = s.fe, .fid = 3, .count = 5, .data = value});
        g_assert_cmpstr(value, ==, "value");
    }
    end(&s);
}

/* A flush of what was answered long ago is answered, and nothing more. */
static void test_flush(void)
{
    Session s;

    if (!begin(&s, "9P2000.L")) {
        return;
    }
    tflush({.fe = s.fe, .oldtag = 4000});
    g_assert_cmpuint(s.fe->strays, ==, 0);
    end(&s);
}

static void test_dotu(void)
{
    P9Stat stat = { 0 }, change = {
        .type = 0xffff, .dev = ~0u, .mode = ~0u, .atime = ~0u, .mtime = ~0u,
        .length = 7, .n_uid = ~0u, .n_gid = ~0u, .n_muid = ~0u,
        .qid = { .type = 0xff, .version = ~0u, .path = ~0ull },
    };
    struct stat st;
    Session s;

    if (!begin(&s, "9P2000.u")) {
        return;
    }
    g_assert_false(s.fe->dotl);
    twalk({.fe = s.fe, .fid = 0, .newfid = 1});
    tcreate({.fe = s.fe, .fid = 1, .name = "f", .mode = 0600,
             .flags = P9_ORDWR});
    twrite({.fe = s.fe, .fid = 1, .count = 5, .data = "12345"});
    tstat({.fe = s.fe, .fid = 1, .rstat = &stat});
    g_assert_cmpstr(stat.name, ==, "f");
    g_assert_cmpuint(stat.length, ==, 5);
    p9_stat_clear(&stat);
    twstat({.fe = s.fe, .fid = 1, .stat = &change});
    g_assert_cmpint(look(&s, "f", &st), ==, 0);
    g_assert_cmpuint(st.st_size, ==, 7);
    change.length = ~0ull;
    change.name = (char *)"g";
    twstat({.fe = s.fe, .fid = 1, .stat = &change});
    g_assert_cmpint(look(&s, "g", &st), ==, 0);
    tremove({.fe = s.fe, .fid = 1});
    g_assert_cmpint(look(&s, "g", &st), ==, ENOENT);
    twalk({.fe = s.fe, .fid = 0, .newfid = 1, .path = "g",
           .expect_err = ENOENT});
    topen({.fe = s.fe, .fid = 77, .expect_err = ENOENT});
    end(&s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/calls/make", test_make);
    g_test_add_func("/calls/rename-remove", test_rename_remove);
    g_test_add_func("/calls/attributes", test_attributes);
    g_test_add_func("/calls/locks", test_locks);
    g_test_add_func("/calls/xattr", test_xattr);
    g_test_add_func("/calls/flush", test_flush);
    g_test_add_func("/calls/dotu", test_dotu);
    return g_test_run();
}
