/*
 * -device xen-9pfs: at QEMU's start and by QMP
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "process.h"
#include "shares.h"

/* ---- xenstore ---- */

static char *node(Fixture *f, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

static char *node(Fixture *f, const char *fmt, ...)
{
    g_autofree char *path = NULL;
    unsigned int len;
    char *value, *copy;
    va_list ap;

    va_start(ap, fmt);
    path = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    value = xs_read(f->xsh, XBT_NULL, path, &len);
    copy = g_strdup(value);
    free(value);
    return copy;
}

static void assert_node(Fixture *f, const char *dir, const char *name,
                        const char *expected)
{
    g_autofree char *value = node(f, "%s/%s", dir, name);

    g_test_message("%s/%s", dir, name);
    g_assert_cmpstr(value, ==, expected);
}

/* The node belongs to @owner, @reader may read it, and nobody else. */
static void assert_rights(Fixture *f, const char *dir, const char *name,
                          unsigned owner, unsigned reader)
{
    g_autofree char *path = name ? g_strdup_printf("%s/%s", dir, name)
                                 : g_strdup(dir);
    unsigned int num = 0;
    struct xs_permissions *perms = xs_get_permissions(f->xsh, XBT_NULL, path,
                                                      &num);

    g_test_message("%s", path);
    g_assert_cmpint(num, ==, 2);
    g_assert_cmpint(perms[0].id, ==, owner);
    g_assert_cmpint(perms[0].perms, ==, XS_PERM_NONE);
    g_assert_cmpint(perms[1].id, ==, reader);
    g_assert_cmpint(perms[1].perms, ==, XS_PERM_READ);
    free(perms);
}

/* ---- At the start ---- */

/* QEMU does not start, and what it says has @why in it. */
static void assert_no_start(Fixture *f, const char *domid, const char *device,
                            const char *why)
{
    const char *argv[] = {
        g_getenv("LOOP_QEMU"), "-M", "xenpv", "-xen-attach", "-xen-domid",
        domid, "-nodefaults", "-display", "none", "-device", device, NULL
    };
    ProcessEnv env = { .loop_path = f->loop_path, .xenstore_dir = f->dir };
    g_autofree char *out = NULL, *err = NULL;
    int status = process_run(argv, &env, &out, &err);

    g_test_message("%s", err);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), ==, 1);
    g_assert_nonnull(strstr(err, why));
}

static void test_start(void)
{
    Fixture *f = shares_up();
    g_autofree char *front = NULL, *back = NULL, *words = NULL;

    if (!f) {
        return;
    }
    front = device_frontend("9pfs", f->domid, 0);
    back = device_backend("9pfs", f->domid, 0);
    words = g_strdup_printf("-device xen-9pfs,mount_tag=share,path=%s,"
                            "security_model=none", f->share);
    shares_start(f, words);
    assert_node(f, front, "backend", back);
    assert_node(f, front, "backend-id", "0");
    assert_node(f, front, "tag", "share");
    assert_node(f, back, "frontend", front);
    assert_node(f, back, "frontend-id", "7");
    assert_node(f, back, "online", "1");
    assert_node(f, back, "path", f->share);
    assert_node(f, back, "security_model", "none");
    assert_node(f, back, "readonly", NULL);
    assert_rights(f, front, NULL, f->domid, 0);
    assert_rights(f, front, "state", f->domid, 0);
    assert_rights(f, back, NULL, 0, f->domid);
    assert_rights(f, back, "state", 0, f->domid);
    assert_rights(f, back, "path", 0, f->domid);
    shares_use(f, "9pfs", 0);

    /* SIGTERM, as libxl ends it with SIGHUP. */
    fixture_stop(f);
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
    fixture_down(f);
}

static void test_fsdev(void)
{
    Fixture *f = shares_up();
    g_autofree char *back = NULL, *words = NULL;

    if (!f) {
        return;
    }
    back = device_backend("9pfs", f->domid, 5);
    words = g_strdup_printf("-fsdev local,id=fs,path=%s,security_model="
                            "mapped-xattr,readonly=on,fmode=0640,"
                            "throttling.bps-total=100000000 -device xen-9pfs,"
                            "mount_tag=share,fsdev=fs,devid=5,"
                            "dispatch=worker", f->share);
    shares_start(f, words);
    assert_node(f, back, "path", f->share);
    assert_node(f, back, "security_model", "mapped-xattr");
    assert_node(f, back, "readonly", "on");
    assert_node(f, back, "fmode", "0640");
    assert_node(f, back, "throttling/bps-total", "100000000");
    assert_node(f, back, "dispatch", "worker");
    assert_node(f, back, "dmode", NULL);
    assert_rights(f, back, "throttling/bps-total", 0, f->domid);
    shares_use(f, "9pfs", 5);
    fixture_down(f);
}

static void test_no_start(void)
{
    Fixture *f = shares_up();
    g_autofree char *good = NULL;

    if (!f) {
        return;
    }
    good = g_strdup_printf("xen-9pfs,mount_tag=share,path=%s,"
                           "security_model=none", f->share);
    assert_no_start(f, "99", good, "there is no domain 99");
    assert_no_start(f, "7", "xen-9pfs,mount_tag=share,path=/no/such,"
                    "security_model=none",
                    "path: '/no/such': No such file or directory");
    assert_no_start(f, "7", "xen-9pfs,mount_tag=share,nonsense=1",
                    "Property 'xen-9pfs.nonsense' not found");
    assert_no_start(f, "7", "xen-9pfs,mount_tag=share,fsdev=none",
                    "fsdev=none: there is no -fsdev of this id");
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
    fixture_down(f);
}

/* ---- By QMP ---- */

static void test_add_and_del(void)
{
    Fixture *f = shares_up();
    Fe *old;
    Qmp *qmp;
    int i;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    /* Its descriptor is QEMU's as well. */
    f->idle_fds = fixture_fds(f);
    for (i = 0; i < 3; i++) {
        Fe *front;

        shares_done(shares_add(f, qmp, "one", "share", ""));
        g_assert_cmpint(shares_count(f, "9pfs"), ==, 1);
        front = shares_use(f, "9pfs", 0);
        shares_done(shares_run(qmp, "device_del", "\"id\": \"one\""));
        g_assert_cmpint(shares_count(f, "9pfs"), ==, 0);
        fixture_gone(f, front);
    }
    /* Again at once, before the backend has seen the end of the first. */
    shares_done(shares_add(f, qmp, "one", "share", ""));
    old = shares_use(f, "9pfs", 0);
    shares_done(shares_run(qmp, "device_del", "\"id\": \"one\""));
    shares_done(shares_add(f, qmp, "one", "share", ""));
    for (i = 0; loop_grants_in_use(f->loop, f->domid); i++) {
        g_assert_cmpint(i, <, 2000);
        g_usleep(1000);
    }
    g_assert_cmpint(fe_drop(old), ==, 0);
    shares_use(f, "9pfs", 0);
    qmp_free(qmp);
    fixture_down(f);
}

static void test_devid(void)
{
    Fixture *f = shares_up();
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    /* As xl has it. */
    fixture_device(f, NULL);
    fixture_device(f, &(DeviceOpts) {
        .devid = 1, .path = f->share, .tag = "second",
    });
    shares_refused(shares_add(f, qmp, "a", "share", ""),
                   "tag 'share' is taken, by device 0 of domain 7");
    shares_refused(shares_add(f, qmp, "a", "new", ", \"devid\": 1"),
                   "devid 1 is taken");
    shares_done(shares_add(f, qmp, "a", "a", ""));
    shares_done(shares_add(f, qmp, "b", "b", ", \"devid\": 4"));
    shares_done(shares_add(f, qmp, "c", "c", ""));
    shares_refused(shares_add(f, qmp, "d", "a", ""), "tag 'a' is taken");
    shares_use(f, "9pfs", 2);
    shares_use(f, "9pfs", 3);
    shares_use(f, "9pfs", 4);
    shares_done(shares_run(qmp, "device_del", "\"id\": \"a\""));
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 4);
    shares_done(shares_add(f, qmp, "d", "d", ""));
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 5);
    qmp_free(qmp);
    fixture_stop(f);
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 2);
    fixture_down(f);
}

/* What libxl has noted and not written yet is not free either. */
static void test_libxl_note(void)
{
    Fixture *f = shares_up();
    g_autofree char *answer = NULL;
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    xs_write(f->xsh, XBT_NULL, "/libxl/7/device/9pfs/0", "", 0);
    shares_done(shares_add(f, qmp, "a", "a", ""));
    answer = shares_run(qmp, "qom-get",
                        "\"path\": \"/machine/peripheral/a\", "
                        "\"property\": \"devid\"");
    g_assert_nonnull(strstr(answer, "\"return\": 1"));
    qmp_free(qmp);
    fixture_down(f);
}

static void test_virtfs(void)
{
    Fixture *f = shares_up();
    g_autofree char *back = NULL, *stats = NULL;
    const char *front = "/local/domain/7/device/virtfs/0";
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    /* The protocols have tags and numbers of their own. */
    shares_done(shares_add(f, qmp, "one", "share", ""));
    shares_done(shares_add(f, qmp, "two", "share",
                           ", \"protocol\": \"virtfs\""));
    back = device_backend("virtfs", f->domid, 0);
    assert_node(f, front, "backend", back);
    assert_node(f, front, "tag", "share");
    assert_node(f, back, "frontend", front);
    assert_node(f, back, "path", f->share);
    assert_rights(f, front, "tag", f->domid, 0);
    assert_rights(f, back, "path", 0, f->domid);
    shares_use(f, "virtfs", 0);
    stats = shares_run(qmp, "qom-get",
                       "\"path\": \"/machine/peripheral/xen-virtfs-0\", "
                       "\"property\": \"stats\"");
    g_assert_nonnull(strstr(stats, "\"rings\": 2"));
    g_assert_nonnull(strstr(stats, "\"requests\": 5"));
    shares_done(shares_run(qmp, "device_del", "\"id\": \"two\""));
    g_assert_cmpint(shares_count(f, "virtfs"), ==, 0);
    g_assert_cmpint(shares_count(f, "9pfs"), ==, 1);
    qmp_free(qmp);
    fixture_down(f);
}

/* Each option of JSON's types, and what its node has. */
static void test_options(void)
{
    static const struct {
        const char *json, *node, *value;
    } options[] = {
        { "\"readonly\": true", "readonly", "on" },
        { "\"readonly\": \"off\"", "readonly", "off" },
        { "\"multidevs\": \"remap\"", "multidevs", "remap" },
        { "\"locks\": true", "locks", "on" },
        { "\"writeout\": \"immediate\"", "writeout", "immediate" },
        { "\"dispatch\": \"worker\"", "dispatch", "worker" },
        { "\"grant-policy\": \"map\"", "grant-policy", "map" },
        { "\"poll-max-ns\": 50000", "poll-max-ns", "50000" },
        { "\"max_xattr\": 4096", "max_xattr", "4096" },
        { "\"throttling.iops-total\": 1000", "throttling/iops-total",
          "1000" },
        { "\"throttling.bps-read\": \"50000000\"", "throttling/bps-read",
          "50000000" },
    };
    Fixture *f = shares_up();
    g_autofree char *back = NULL;
    Qmp *qmp;
    unsigned i;

    if (!f) {
        return;
    }
    back = device_backend("9pfs", f->domid, 0);
    fixture_start(f);
    qmp = qmp_new(f);
    f->idle_fds = fixture_fds(f);
    for (i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *more = g_strdup_printf(", %s", options[i].json);
        Fe *front;

        shares_done(shares_add(f, qmp, "one", "share", more));
        assert_node(f, back, options[i].node, options[i].value);
        front = shares_use(f, "9pfs", 0);
        shares_done(shares_run(qmp, "device_del", "\"id\": \"one\""));
        fixture_gone(f, front);
    }
    qmp_free(qmp);
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/device/start", test_start);
    g_test_add_func("/device/fsdev", test_fsdev);
    g_test_add_func("/device/no-start", test_no_start);
    g_test_add_func("/device/add-and-del", test_add_and_del);
    g_test_add_func("/device/devid", test_devid);
    g_test_add_func("/device/libxl-note", test_libxl_note);
    g_test_add_func("/device/virtfs", test_virtfs);
    g_test_add_func("/device/options", test_options);
    return g_test_run();
}
