/*
 * -device xen-9pfs: at QEMU's start, by QMP, and what it refuses
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "fixture.h"
#include "process.h"
#include "qmp.h"

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

/* How many devices there are, seen from either end. */
static unsigned devices(Fixture *f, const char *type)
{
    g_autofree char *back = g_strdup_printf("backend/%s/%u", type, f->domid);
    g_autofree char *front = g_strdup_printf("/local/domain/%u/device/%s",
                                             f->domid, type);
    unsigned int backs = 0, fronts = 0;

    free(xs_directory(f->xsh, XBT_NULL, back, &backs));
    free(xs_directory(f->xsh, XBT_NULL, front, &fronts));
    g_assert_cmpint(backs, ==, fronts);
    return backs;
}

/* ---- QEMU ---- */

/* NULL: this backend has no such device. */
static Fixture *begin(void)
{
    Fixture *f = fixture_up();

    if (f->backend != BACKEND_OURS) {
        g_test_skip("only our QEMU has the device");
        fixture_down(f);
        return NULL;
    }
    return f;
}

/* Start QEMU with more words; without spaces within one. */
static void start_with(Fixture *f, const char *words)
{
    const char *old = g_getenv("LOOP_QEMU_ARGS");
    g_autofree char *before = g_strdup(old ? old : "");
    g_autofree char *all = g_strdup_printf("%s %s", before, words);

    g_setenv("LOOP_QEMU_ARGS", all, TRUE);
    fixture_start(f);
    g_setenv("LOOP_QEMU_ARGS", before, TRUE);
}

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

static char *run(Qmp *qmp, const char *command, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

static char *run(Qmp *qmp, const char *command, const char *fmt, ...)
{
    g_autofree char *arguments = NULL, *line = NULL;
    va_list ap;
    char *answer;

    va_start(ap, fmt);
    arguments = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    line = g_strdup_printf("{\"execute\": \"%s\", \"arguments\": {%s}}",
                           command, arguments);
    answer = qmp_run(qmp, line);
    g_assert_nonnull(answer);
    g_test_message("%s: %s", arguments, answer);
    return answer;
}

static void assert_done(char *answer)
{
    g_assert_nonnull(strstr(answer, "\"return\""));
    g_free(answer);
}

static void assert_refused(char *answer, const char *why)
{
    g_assert_nonnull(strstr(answer, "\"error\""));
    g_assert_nonnull(strstr(answer, why));
    g_free(answer);
}

/* A share by QMP, with what is usual. */
static char *add(Fixture *f, Qmp *qmp, const char *id, const char *tag,
                 const char *more)
{
    return run(qmp, "device_add", "\"driver\": \"xen-9pfs\", \"id\": \"%s\", "
               "\"mount_tag\": \"%s\", \"path\": \"%s\", "
               "\"security_model\": \"none\"%s", id, tag, f->share, more);
}

/* The guest mounts what is there, and reads a file. */
static Fe *use(Fixture *f, int devid)
{
    Fe *front = fixture_frontend(f, "9pfs", devid);
    P9Client *fe = &front->client;
    uint32_t len;
    char text[16];

    fixture_file(f, "file", "hello", 5);
    g_assert_true(fe_connect(front, 2, 4));
    tattach({.fe = fe});
    twalk({.fe = fe, .fid = 0, .newfid = 1, .names = {"file"}});
    tlopen({.fe = fe, .fid = 1});
    tread({.fe = fe, .fid = 1, .count = sizeof(text), .data = text,
           .rcount = &len});
    g_assert_cmpmem(text, len, "hello", 5);
    return front;
}

/* ---- At the start ---- */

static void test_start(void)
{
    Fixture *f = begin();
    g_autofree char *front = NULL, *back = NULL, *words = NULL;

    if (!f) {
        return;
    }
    front = device_frontend(f->domid, 0);
    back = device_backend("9pfs", f->domid, 0);
    words = g_strdup_printf("-device xen-9pfs,mount_tag=share,path=%s,"
                            "security_model=none", f->share);
    start_with(f, words);
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
    use(f, 0);

    /* SIGTERM, as libxl ends it with SIGHUP. */
    fixture_stop(f);
    g_assert_cmpint(devices(f, "9pfs"), ==, 0);
    fixture_down(f);
}

static void test_fsdev(void)
{
    Fixture *f = begin();
    g_autofree char *back = NULL, *words = NULL;

    if (!f) {
        return;
    }
    back = device_backend("9pfs", f->domid, 5);
    words = g_strdup_printf("-fsdev local,id=fs,path=%s,security_model="
                            "mapped-xattr,readonly=on,fmode=0640,"
                            "throttling.bps-total=100000000 -device xen-9pfs,"
                            "mount_tag=share,fsdev=fs,devid=5", f->share);
    start_with(f, words);
    assert_node(f, back, "path", f->share);
    assert_node(f, back, "security_model", "mapped-xattr");
    assert_node(f, back, "readonly", "on");
    assert_node(f, back, "fmode", "0640");
    assert_node(f, back, "throttling/bps-total", "100000000");
    assert_node(f, back, "dmode", NULL);
    assert_rights(f, back, "throttling/bps-total", 0, f->domid);
    use(f, 5);
    fixture_down(f);
}

static void test_no_start(void)
{
    Fixture *f = begin();
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
    g_assert_cmpint(devices(f, "9pfs"), ==, 0);
    fixture_down(f);
}

/* ---- By QMP ---- */

static void test_add_and_del(void)
{
    Fixture *f = begin();
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

        assert_done(add(f, qmp, "one", "share", ""));
        g_assert_cmpint(devices(f, "9pfs"), ==, 1);
        front = use(f, 0);
        assert_done(run(qmp, "device_del", "\"id\": \"one\""));
        g_assert_cmpint(devices(f, "9pfs"), ==, 0);
        fixture_gone(f, front);
    }
    /* Again at once, before the backend has seen the end of the first. */
    assert_done(add(f, qmp, "one", "share", ""));
    old = use(f, 0);
    assert_done(run(qmp, "device_del", "\"id\": \"one\""));
    assert_done(add(f, qmp, "one", "share", ""));
    for (i = 0; loop_grants_in_use(f->loop, f->domid); i++) {
        g_assert_cmpint(i, <, 2000);
        g_usleep(1000);
    }
    g_assert_cmpint(fe_drop(old), ==, 0);
    use(f, 0);
    qmp_free(qmp);
    fixture_down(f);
}

static void test_devid(void)
{
    Fixture *f = begin();
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
    assert_refused(add(f, qmp, "a", "share", ""),
                   "tag 'share' is taken, by device 0 of domain 7");
    assert_refused(add(f, qmp, "a", "new", ", \"devid\": 1"),
                   "devid 1 is taken");
    assert_done(add(f, qmp, "a", "a", ""));
    assert_done(add(f, qmp, "b", "b", ", \"devid\": 4"));
    assert_done(add(f, qmp, "c", "c", ""));
    assert_refused(add(f, qmp, "d", "a", ""), "tag 'a' is taken");
    use(f, 2);
    use(f, 3);
    use(f, 4);
    assert_done(run(qmp, "device_del", "\"id\": \"a\""));
    g_assert_cmpint(devices(f, "9pfs"), ==, 4);
    assert_done(add(f, qmp, "d", "d", ""));
    g_assert_cmpint(devices(f, "9pfs"), ==, 5);
    qmp_free(qmp);
    fixture_stop(f);
    g_assert_cmpint(devices(f, "9pfs"), ==, 2);
    fixture_down(f);
}

/* What libxl has noted and not written yet is not free either. */
static void test_libxl_note(void)
{
    Fixture *f = begin();
    g_autofree char *answer = NULL;
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    xs_write(f->xsh, XBT_NULL, "/libxl/7/device/9pfs/0", "", 0);
    assert_done(add(f, qmp, "a", "a", ""));
    answer = run(qmp, "qom-get", "\"path\": \"/machine/peripheral/a\", "
                 "\"property\": \"devid\"");
    g_assert_nonnull(strstr(answer, "\"return\": 1"));
    qmp_free(qmp);
    fixture_down(f);
}

static void test_virtfs_nodes(void)
{
    Fixture *f = begin();
    g_autofree char *back = NULL;
    const char *front = "/local/domain/7/device/virtfs/0";
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    /* The protocols have tags and numbers of their own. */
    assert_done(add(f, qmp, "one", "share", ""));
    assert_done(add(f, qmp, "two", "share", ", \"protocol\": \"virtfs\""));
    back = device_backend("virtfs", f->domid, 0);
    assert_node(f, front, "backend", back);
    assert_node(f, front, "tag", "share");
    assert_node(f, back, "frontend", front);
    assert_node(f, back, "path", f->share);
    assert_rights(f, front, "tag", f->domid, 0);
    assert_rights(f, back, "path", 0, f->domid);
    assert_done(run(qmp, "device_del", "\"id\": \"two\""));
    g_assert_cmpint(devices(f, "virtfs"), ==, 0);
    g_assert_cmpint(devices(f, "9pfs"), ==, 1);
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
        { "\"writeout\": \"immediate\"", "writeout", "immediate" },
        { "\"max_xattr\": 4096", "max_xattr", "4096" },
        { "\"throttling.iops-total\": 1000", "throttling/iops-total",
          "1000" },
        { "\"throttling.bps-read\": \"50000000\"", "throttling/bps-read",
          "50000000" },
    };
    Fixture *f = begin();
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

        assert_done(add(f, qmp, "one", "share", more));
        assert_node(f, back, options[i].node, options[i].value);
        front = use(f, 0);
        assert_done(run(qmp, "device_del", "\"id\": \"one\""));
        fixture_gone(f, front);
    }
    qmp_free(qmp);
    fixture_down(f);
}

/* ---- What it refuses ---- */

#define USUAL "\"mount_tag\": \"x\", \"security_model\": \"none\", " \
              "\"path\": \"/\""

static const struct {
    const char *json, *why;
} refusals[] = {
    { "\"path\": \"/\", \"security_model\": \"none\"", "tag: missing" },
    { "\"mount_tag\": \"a b\", \"path\": \"/\"",
      "tag: 'a b' is not valid, use 1 to 31 letters" },
    { "\"mount_tag\": \"x\"", "path: missing, use the absolute path" },
    { "\"mount_tag\": \"x\", \"path\": \"etc\"", "path: 'etc' is not valid" },
    { "\"mount_tag\": \"x\", \"path\": \"/no/such\"",
      "path: '/no/such': No such file or directory" },
    { "\"mount_tag\": \"x\", \"path\": \"/etc/passwd\"",
      "path: '/etc/passwd': Not a directory" },
    { "\"mount_tag\": \"x\", \"path\": \"/\"", "security_model: missing" },
    { "\"mount_tag\": \"x\", \"path\": \"/\", \"security_model\": \"x\"",
      "security_model: 'x' is not valid" },
    { USUAL ", \"protocol\": \"nfs\"", "protocol: 'nfs' is not valid" },
    { USUAL ", \"devid\": -2", "devid: -2 is not valid" },
    { USUAL ", \"nonsense\": 1", "Property 'xen-9pfs.nonsense' not found" },
    { USUAL ", \"fmode\": \"1777\"", "fmode: '1777' is not valid" },
    { USUAL ", \"readonly\": \"maybe\"", "readonly: 'maybe' is not valid" },
    { USUAL ", \"readonly\": []", "a text, a number or a boolean" },
    { USUAL ", \"throttling.bps-total\": -1",
      "throttling/bps-total: '-1' is not valid" },
    { USUAL ", \"fsdev\": \"x\"", "its options belong to -fsdev" },
    { "\"mount_tag\": \"x\", \"fsdev\": \"x\"", "no -fsdev of this id" },
    { USUAL ", \"id\": \"xen-9pfs-0\"", "for the backends themselves" },
};

static void test_refused(void)
{
    Fixture *f = begin();
    Qmp *qmp;
    unsigned i;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    for (i = 0; i < G_N_ELEMENTS(refusals); i++) {
        assert_refused(run(qmp, "device_add", "\"driver\": \"xen-9pfs\", %s",
                           refusals[i].json), refusals[i].why);
        g_assert_cmpint(devices(f, "9pfs"), ==, 0);
    }
    assert_done(add(f, qmp, "one", "share", ""));
    assert_refused(run(qmp, "qom-set", "\"path\": \"/machine/peripheral/one\","
                       " \"property\": \"fmode\", \"value\": \"0600\""),
                   "cannot be changed");
    use(f, 0);
    qmp_free(qmp);
    fixture_down(f);
}

/* Wherever xenstore fails, all of the device is there or nothing. */
static void test_faults(void)
{
    LoopFault rule = loop_fault_rule(LOOP_FAULT_XS_WRITE, ENOSPC);
    Fixture *f = begin();
    unsigned failed = 0;
    Qmp *qmp;
    bool hit;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = qmp_new(f);
    rule.pid = f->backend_pid;
    do {
        int number = loop_fault_set(f->loop, &rule);
        char *answer = add(f, qmp, "one", "share", "");
        bool done = strstr(answer, "\"return\"");

        g_free(answer);
        hit = loop_fault_hits(f->loop, number);
        loop_fault_clear(f->loop, number);
        g_assert_cmpint(devices(f, "9pfs"), ==, done);
        if (done) {
            assert_done(run(qmp, "device_del", "\"id\": \"one\""));
        } else {
            failed++;
        }
        rule.nth++;
        /* Behind the device's own nodes come those of the backend. */
    } while (hit && failed == rule.nth - 1);
    /* Four of the frontend, seven of the backend. */
    g_assert_cmpint(failed, ==, 11);

    rule = loop_fault_rule(LOOP_FAULT_XS_END, EIO);
    rule.pid = f->backend_pid;
    loop_fault_set(f->loop, &rule);
    assert_refused(add(f, qmp, "one", "share", ""),
                   "xenstore does not take the device");
    g_assert_cmpint(devices(f, "9pfs"), ==, 0);
    loop_fault_clear(f->loop, -1);

    rule.error = EAGAIN;
    loop_fault_set(f->loop, &rule);
    assert_done(add(f, qmp, "one", "share", ""));
    g_assert_cmpint(devices(f, "9pfs"), ==, 1);
    loop_fault_clear(f->loop, -1);
    use(f, 0);
    qmp_free(qmp);
    fixture_down(f);
}

/* ---- Numbers ---- */

static char *stats(Qmp *qmp)
{
    return run(qmp, "qom-get", "\"path\": \"/machine/peripheral/xen-9pfs-0\", "
               "\"property\": \"stats\"");
}

static uint64_t stat_of(Qmp *qmp, const char *name)
{
    g_autofree char *all = stats(qmp);
    g_autofree char *member = g_strdup_printf("\"%s\": ", name);
    char *at = strstr(all, member);

    g_assert_nonnull(at);
    return g_ascii_strtoull(at + strlen(member), NULL, 10);
}

static void test_stats(void)
{
    Fixture *f = begin();
    uint64_t requests, received, sent;
    P9Client *fe;
    Fe *front;
    Qmp *qmp;

    if (!f) {
        return;
    }
    /* Of a device that is not made by -device. */
    front = fixture_connect(f, 2, 4);
    fe = &front->client;
    qmp = qmp_new(f);
    g_assert_cmpint(stat_of(qmp, "rings"), ==, 2);
    g_assert_cmpint(stat_of(qmp, "requests"), ==, 0);
    g_assert_cmpint(stat_of(qmp, "msize"), ==, 0);
    /* Of each ring its first page and the 16 that this names. */
    g_assert_cmpint(stat_of(qmp, "grants"), ==, 2 * (1 + 16));

    tattach({.fe = fe, .msize = 8192});
    g_assert_cmpint(stat_of(qmp, "msize"), ==, 8192);
    requests = stat_of(qmp, "requests");
    received = stat_of(qmp, "bytes-received");
    sent = stat_of(qmp, "bytes-sent");
    g_assert_cmpint(requests, ==, 2);
    /* size[4] Twalk tag[2] fid[4] newfid[4] nwname[2], and Rwalk. */
    twalk({.fe = fe, .fid = 0, .newfid = 1});
    g_assert_cmpint(stat_of(qmp, "requests"), ==, 3);
    g_assert_cmpint(stat_of(qmp, "bytes-received"), ==, received + 17);
    g_assert_cmpint(stat_of(qmp, "bytes-sent"), ==, sent + 9);
    g_assert_cmpint(stat_of(qmp, "in-flight"), ==, 0);

    qmp_free(qmp);
    fixture_close(f, front);
    fixture_down(f);
}

/* The backend's own object is not QMP's to remove: the framework uses it. */
static void test_backend_stays(void)
{
    Fixture *f = begin();
    Fe *front;
    Qmp *qmp;

    if (!f) {
        return;
    }
    front = fixture_connect(f, 2, 4);
    qmp = qmp_new(f);
    assert_refused(run(qmp, "device_del", "\"id\": \"xen-9pfs-0\""),
                   "remove its nodes from xenstore");
    tattach({.fe = &front->client});
    qmp_free(qmp);
    fixture_close(f, front);
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
    g_test_add_func("/device/virtfs-nodes", test_virtfs_nodes);
    g_test_add_func("/device/options", test_options);
    g_test_add_func("/device/refused", test_refused);
    g_test_add_func("/device/faults", test_faults);
    g_test_add_func("/device/stats", test_stats);
    g_test_add_func("/device/backend-stays", test_backend_stays);
    return g_test_run();
}
