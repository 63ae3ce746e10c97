/*
 * xen-virtfs: attach, detach, list and status, and what they refuse
 *
 * Environment, beside that of fixture.h:
 *
 *     LOOP_TOOL    the program; without it the tests are skipped
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "qmp.h"
#include "tool.h"

/* ---- What is there ---- */

static void assert_no_nodes(Fixture *f)
{
    g_assert_false(tool_exists(f, "backend/9pfs/7"));
    g_assert_false(tool_exists(f, "/local/domain/7/device/9pfs"));
}

static Fe *use(Fixture *f, int devid)
{
    Fe *front = fixture_frontend(f, "9pfs", devid);

    /* The fixture's QEMU may be another. */
    front->alive = NULL;
    g_assert_true(fe_connect(front, 1, 4));
    tattach({.fe = &front->client});
    return front;
}

/* ---- Command lines ---- */

static void test_usage(void)
{
    Fixture *f = tool_begin();

    if (!f) {
        return;
    }
    tool_run(f, 0, "Usage: xen-virtfs", "--help");
    tool_run(f, 0, "xen-virtfs 0.", "--version");
    tool_run(f, 2, "no command, see xen-virtfs --help", NULL);
    tool_run(f, 2, "unknown command 'mount'", "mount");
    tool_run(f, 2, "unrecognized option", "--nonsense");
    tool_run(f, 2, "--timeout=x: 0 to 3600", "--timeout=x", "list");
    tool_run(f, 2, "usage: xen-virtfs attach DOMAIN", "attach", "7");
    tool_run(f, 2, "usage: xen-virtfs detach", "detach", "7");
    tool_run(f, 2, "usage: xen-virtfs status", "status");
    tool_run(f, 2, "usage: xen-virtfs list", "list", "7", "8");
    tool_run(f, 2, "x: is not of the form", "attach", "7", "x");
    tool_run(f, 2, "tag: is missing", "attach", "7", "path=/");
    tool_run(f, 2, "tag: is there twice", "attach", "7", "tag=a,tag=b");
    tool_run(f, 2, "tag: has no value", "attach", "7", "tag=");
    tool_run(f, 2, "driver: unknown key", "attach", "7", "tag=a,driver=b");
    tool_run(f, 2, "type: only 'qemu'", "attach", "7", "tag=a,type=xen_9pfsd");
    tool_run(f, 2, "devid: is a number", "attach", "7", "tag=a,devid=-1");
    tool_run(f, 3, "no domain '99'", "attach", "99", "tag=a");
    tool_run(f, 3, "no domain 'nobody'", "list", "nobody");
    tool_run(f, 3, "no domain '-7'", "status", "--", "-7");
    tool_run(f, 4, "domain 7 has no device 'share'", "detach", "guest7",
             "share");
    tool_run(f, 4, "domain 7 has no device '0'", "status", "7", "0");
    fixture_down(f);
}

/* ---- With a QEMU that runs ---- */

static void test_attach(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qmp = NULL, *share = NULL, *other = NULL;
    Fe *front;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = g_strdup_printf("--qmp=%s/qmp-7", f->dir);
    share = tool_share_of(f, "share", ",readonly=on,type=qemu");
    other = tool_share_of(f, "other", ",nonsense=1");
    tool_run(f, 0, "9pfs/0: 'share' is attached to domain 7", qmp, "attach",
             "guest7", share);
    tool_run(f, 1, "tag 'share' is taken", qmp, "attach", "7", share);
    tool_run(f, 1, "Property 'xen-9pfs.nonsense' not found", qmp, "attach", "7",
             other);
    tool_run(f, 0, "9pfs/0     share            InitWait     qemu      none",
             "list");
    front = use(f, 0);
    tool_run(f, 0, "\"backend_state\": \"Connected\"", "--json", "list", "7");
    tool_run(f, 0, "  requests         2\n", qmp, "status", "7");
    tool_run(f, 0, "  attach                    1             ", qmp,
             "status", "7");
    tool_run(f, 0, "  time below        in server       in queue\n", qmp,
             "status", "7");
    tool_run(f, 0, "\"operations\": {\"", qmp, "-j", "status", "7");
    tool_run(f, 0, "\"queue-time\": [", qmp, "-j", "status", "7");
    tool_run(f, 0, "\"stats\": {\"rings\": 1, \"msize\": ", qmp, "-j", "status",
             "7", "share");
    tool_run(f, 0, "\"in-flight\": 0, \"most-in-flight\": 1, \"fids\": ", qmp,
             "-j", "status", "7", "9pfs/0");

    /* The guest does not answer: the device goes all the same. */
    tool_run(f, 0, "9pfs/0: 'share' is detached from domain 7", qmp,
             "--timeout=1", "detach", "7", "share");
    assert_no_nodes(f);
    fixture_gone(f, front);
    g_assert_true(fixture_alive(f));
    fixture_down(f);
}

/* The guest lets go when it is asked to. */
static void test_detach(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qmp = NULL, *share = NULL;
    ToolCall call = { 0 };
    GThread *thread;
    Fe *front;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = g_strdup_printf("--qmp=%s/qmp-7", f->dir);
    share = tool_share_of(f, "share", "");
    tool_run(f, 0, "attached", qmp, "attach", "7", share);
    front = use(f, 0);
    call = (ToolCall) { .f = f, .words = { qmp, "detach", "7", "0" } };
    thread = g_thread_new("call", tool_call, &call);
    g_assert_cmpint(fe_wait_state(front, FE_STATE(Closing), 5000), ==,
                    XenbusStateClosing);
    g_assert_cmpint(fe_disconnect(front), ==, 0);
    g_thread_join(thread);
    g_assert_cmpstr(call.err, ==, "");
    tool_check(&call, 0, "is detached");
    assert_no_nodes(f);
    fixture_gone(f, front);
    fixture_down(f);
}

/* A share that QEMU refuses leaves nothing, and QEMU as it was. */
/* Of both ends, written when a device is made. */
#define DEVICE_NODES 11

static void test_refused(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qmp = NULL, *share = NULL;
    LoopFault rule;

    if (!f) {
        return;
    }
    fixture_start(f);
    qmp = g_strdup_printf("--qmp=%s/qmp-7", f->dir);
    share = tool_share_of(f, "share", "");
    tool_run(f, 1, "No such file", qmp, "attach", "7",
             "tag=x,path=/no/such,security_model=none");
    tool_run(f, 1, "security_model: missing", qmp, "attach", "7",
             "tag=x,path=/");
    assert_no_nodes(f);

    /* The device is made, but its backend cannot offer it. */
    rule = loop_fault_rule(LOOP_FAULT_XS_TX_WRITE, EIO);
    rule.pid = f->backend_pid;
    rule.nth = DEVICE_NODES + 1;
    rule.times = 1;
    loop_fault_set(f->loop, &rule);
    tool_run(f, 1, "the backend does not take it", qmp, "attach", "7", share);
    loop_fault_clear(f->loop, -1);
    assert_no_nodes(f);
    g_assert_true(fixture_alive(f));
    tool_run(f, 0, "attached", qmp, "attach", "7", share);
    fixture_down(f);
}

#define BUSY_CALLS 4

/* QEMU serves one client at a time. */
static void test_busy(void)
{
    unsigned i;
    Fixture *f = tool_begin();
    g_autofree char *path = NULL, *share = NULL;
    Qmp *qmp;

    if (!f) {
        return;
    }
    fixture_start(f);
    path = g_strdup_printf("--qmp=%s/qmp-7", f->dir);
    share = tool_share_of(f, "share", "");
    tool_run(f, 0, "attached", path, "attach", "7", share);
    qmp = qmp_new(f);
    tool_run(f, 5, "busy with another client", path, "-t", "1", "detach", "7",
             "share");
    /* More of them than its socket has room for. */
    for (i = 0; i < BUSY_CALLS; i++) {
        tool_run(f, 0, "\"stats\": null", path, "-t", "1", "-j", "status",
                 "7");
    }
    g_assert_true(tool_exists(f, "backend/9pfs/7/0/state"));
    qmp_free(qmp);
    tool_run(f, 0, "\"stats\": {\"rings\": 0", path, "-j", "status", "7");
    tool_run(f, 0, "detached", path, "detach", "7", "share");
    tool_run(f, 5, "No such file", "--qmp=/no/such", "attach", "7", share);
    fixture_down(f);
}

/* ---- Devices of others ---- */

static void test_others(void)
{
    Fixture *f = tool_begin();
    const char *note = "/libxl/7/device/9pfs/0";
    Fe *front;

    if (!f) {
        return;
    }
    xs_write(f->xsh, XBT_NULL, note, "", 0);
    fixture_device(f, &(DeviceOpts) {
        .type = "xen_9pfs", .devid = 3, .path = "/srv", .tag = "a\"\x1b" "b",
    });
    front = fixture_connect(f, 1, 4);
    tool_run(f, 0, "9pfs/0     share            Connected    qemu      none",
             "list", "7");
    tool_run(f, 0, "9pfs/3     a\\\"\\033b         Initialising xen-9pfsd",
             "list");
    tool_run(f, 0, "\"tag\": \"a\\\"\\u001bb\", \"path\": \"/srv\"", "list",
             "-j");
    tool_run(f, 4, "has no device 'virtfs/0'", "detach", "7", "virtfs/0");
    g_assert_cmpint(fe_disconnect(front), ==, 0);
    tool_run(f, 0, "9pfs/0: 'share' is detached", "detach", "7", "share");
    g_assert_false(tool_exists(f, note));
    tool_run(f, 0, "9pfs/3", "list");
    tool_run(f, 0, "9pfs/3: 'a\\\"\\033b' is detached", "detach", "7", "3");
    assert_no_nodes(f);
    tool_run(f, 0, "[]\n", "list", "--json");
    fixture_gone(f, front);
    fixture_down(f);
}

/* ---- Without a QEMU ---- */

static void test_start(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qemu = NULL, *one = NULL, *two = NULL;
    GPid pid;

    if (!f) {
        return;
    }
    qemu = g_strdup_printf("--qemu=%s", g_getenv("LOOP_QEMU"));
    one = tool_share_of(f, "one", "");
    two = tool_share_of(f, "two", "");
    tool_run(f, 0, "9pfs/0: 'one' is attached", qemu, "attach", "7", one);
    pid = tool_started(f);
    g_assert_cmpint(pid, >, 0);
    tool_run(f, 0, "9pfs/1: 'two' is attached", qemu, "attach", "7", two);
    g_assert_cmpint(tool_started(f), ==, pid);
    tool_run(f, 1, "tag 'two' is taken", qemu, "attach", "7", two);
    g_assert_cmpint(tool_started(f), ==, pid);
    use(f, 1);
    tool_run(f, 0, "  grants mapped    17\n", "status", "7", "two");
    tool_run(f, 0, "detached", "detach", "7", "one");
    g_assert_cmpint(tool_started(f), ==, pid);
    fe_set_state(g_ptr_array_index(f->fes, 0), XenbusStateClosed);
    tool_run(f, 0, "detached", "detach", "7", "two");
    g_assert_cmpint(tool_started(f), ==, 0);
    tool_assert_ends(pid);
    loop_reap(f->loop, pid);
    assert_no_nodes(f);
    fixture_down(f);
}

/* The states of a frontend that has lost its backend. */
static void assert_closing(Fe *front)
{
    g_assert_cmpint(fe_wait_state(front, FE_STATE(Closing), 5000), ==,
                    XenbusStateClosing);
}

/*
 * QEMU has been killed. The next one, which attach starts, takes over what it
 * had, and does not end before all of it is gone; without one detach follows
 * the guest.
 */
static void test_killed(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qemu = NULL, *one = NULL, *two = NULL, *three = NULL;
    ToolCall call = { 0 };
    GThread *thread;
    gint64 start;
    Fe *front;
    GPid pid;

    if (!f) {
        return;
    }
    qemu = g_strdup_printf("--qemu=%s", g_getenv("LOOP_QEMU"));
    one = tool_share_of(f, "one", "");
    two = tool_share_of(f, "two", "");
    three = tool_share_of(f, "three", "");
    tool_run(f, 0, "'one' is attached", qemu, "attach", "7", one);
    tool_run(f, 0, "'two' is attached", qemu, "attach", "7", two);
    front = use(f, 0);
    pid = tool_started(f);
    kill(pid, SIGKILL);
    tool_assert_ends(pid);
    loop_reap(f->loop, pid);

    tool_run(f, 0, "9pfs/1     two              InitWait", "list", "7");
    call = (ToolCall) { .f = f, .words = { "-j", "status", "7", "one" } };
    tool_call(&call);
    g_assert_nonnull(strstr(call.err, "no numbers: QEMU at "));
    tool_check(&call, 0, "\"stats\": null");
    /* Nobody but the guest has to let go. */
    call = (ToolCall) { .f = f, .words = { "-t", "30", "detach", "7", "one" } };
    start = g_get_monotonic_time();
    thread = g_thread_new("call", tool_call, &call);
    assert_closing(front);
    fe_set_state(front, XenbusStateClosed);
    g_thread_join(thread);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
    g_assert_cmpstr(call.err, ==, "");
    tool_check(&call, 0, "is detached");

    /* What cannot be attached is no reason to end it. */
    tool_run(f, 1, "tag 'two' is taken", qemu, "attach", "7", two);
    g_assert_cmpint(tool_started(f), !=, pid);
    pid = tool_started(f);
    g_assert_cmpint(kill(pid, 0), ==, 0);
    tool_run(f, 0, "9pfs/0: 'three' is attached", qemu, "attach", "7", three);
    g_assert_cmpint(tool_started(f), ==, pid);
    tool_run(f, 0, "detached", "detach", "7", "three");
    g_assert_cmpint(tool_started(f), ==, pid);
    tool_run(f, 0, "\"msize\": ", "-j", "status", "7", "two");
    tool_run(f, 0, "detached", "detach", "7", "two");
    g_assert_cmpint(tool_started(f), ==, 0);
    tool_assert_ends(pid);
    loop_reap(f->loop, pid);
    assert_no_nodes(f);
    fixture_down(f);
}

static void test_no_start(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qemu = NULL, *share = NULL, *socket = NULL;

    if (!f) {
        return;
    }
    qemu = g_strdup_printf("--qemu=%s", g_getenv("LOOP_QEMU"));
    share = tool_share_of(f, "share", "");
    socket = g_strdup_printf("%s/qmp-libxl-7", f->dir);
    tool_run(f, 1, "No such file", qemu, "attach", "7",
             "tag=x,path=/no/such,security_model=none");
    g_assert_cmpint(tool_started(f), ==, 0);
    g_assert_cmpint(access(socket, F_OK), <, 0);
    tool_run(f, 5, "/no/such: No such file or directory", "--qemu=/no/such",
             "attach", "7", share);
    tool_run(f, 5, "QEMU does not start", "--qemu=/bin/false", "attach", "7",
             share);
    assert_no_nodes(f);
    g_assert_cmpint(tool_started(f), ==, 0);

    /* It would stay when the domain has gone. */
    xs_write(f->xsh, XBT_NULL, "/local/domain/7/image/device-model-domid",
             "8", 1);
    tool_run(f, 1, "in a stubdomain", qemu, "attach", "7", share);
    g_assert_cmpint(tool_started(f), ==, 0);

    /* One that xenstore knows and nobody can talk to. */
    xs_write(f->xsh, XBT_NULL, "/local/domain/7/image/device-model-pid",
             "1", 1);
    tool_run(f, 5, "qmp-libxl-7: No such file", qemu, "attach", "7", share);
    fixture_down(f);
}

/* ---- A QEMU without root ---- */

/* A line of /proc/PID/status, to be freed. */
static char *status_of(GPid pid, const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
    g_autofree char *pattern = g_strdup_printf("\n%s:\t", name);
    g_autofree char *text = NULL;
    char *at;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    at = strstr(text, pattern);
    g_assert_nonnull(at);
    at += strlen(pattern);
    return g_strndup(at, strcspn(at, "\n"));
}

static bool qemu_is_of(GPid pid, const struct passwd *user)
{
    g_autofree char *uids = status_of(pid, "Uid"), *wanted = NULL;

    wanted = g_strdup_printf("%1$u\t%1$u\t%1$u\t%1$u", user->pw_uid);
    return g_str_equal(uids, wanted);
}

/* Whether QEMU has been built with libseccomp. */
static bool qemu_has_sandbox(Fixture *f)
{
    const char *argv[] = {
        g_getenv("LOOP_QEMU"), "-sandbox", "on", "-version", NULL,
    };
    ProcessEnv env = { .loop_path = f->loop_path, .xenstore_dir = f->dir };
    g_autofree char *out = NULL, *err = NULL;

    return process_run(argv, &env, &out, &err) == 0;
}

/* Attach the first share, for which QEMU is started. */
static void attach_as_user(Fixture *f, const char *qemu, const char *share)
{
    ToolCall call = {
        .f = f, .words = { qemu, "--user=" FIXTURE_USER, "attach", "7", share },
    };

    tool_call(&call);
    g_assert_true(!strstr(call.err, "is built without a sandbox") ==
                  qemu_has_sandbox(f));
    tool_check(&call, 0, "'share' is attached");
}

static void test_user(void)
{
    Fixture *f = tool_begin();
    g_autofree char *qemu = NULL, *share = NULL, *other = NULL;
    g_autofree char *path = NULL, *seccomp = NULL, *caps = NULL, *new = NULL;
    const struct passwd *user = f ? fixture_user(f) : NULL;
    struct stat st;
    Fe *front;
    GPid pid;

    if (!user) {
        return;
    }
    qemu = g_strdup_printf("--qemu=%s", g_getenv("LOOP_QEMU"));
    share = tool_share_of(f, "share", "");
    other = tool_share_of(f, "other", "");
    tool_run(f, 2, "there is no such user", qemu, "--user=no,body", "attach",
             "7", share);
    tool_run(f, 2, "passthrough needs a QEMU that is root", qemu,
             "--user=" FIXTURE_USER, "attach", "7",
             "tag=x,path=/,security_model=passthrough");
    g_assert_cmpint(tool_started(f), ==, 0);

    attach_as_user(f, qemu, share);
    pid = tool_started(f);
    g_assert_true(qemu_is_of(pid, user));
    caps = status_of(pid, "CapEff");
    g_assert_cmpuint(g_ascii_strtoull(caps, NULL, 16), ==, 0);
    seccomp = status_of(pid, "Seccomp");
    g_assert_cmpstr(seccomp, ==, qemu_has_sandbox(f) ? "2" : "0");
    new = status_of(pid, "NoNewPrivs");
    g_assert_cmpstr(new, ==, "1");
    /* What it serves is made by that user, and nothing of root's opened. */
    front = use(f, 0);
    twalk({.fe = &front->client, .newfid = 1});
    tlcreate({.fe = &front->client, .fid = 1, .name = "made", .mode = 0644,
              .flags = P9_DOTL_RDWR | P9_DOTL_CREATE});
    path = g_build_filename(f->share, "made", NULL);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_uid, ==, user->pw_uid);
    g_assert_cmpint(st.st_gid, ==, user->pw_gid);
    fixture_file(f, "secret", "root's", 6);
    g_free(path);
    path = g_build_filename(f->share, "secret", NULL);
    g_assert_cmpint(chmod(path, 0600), ==, 0);
    twalk({.fe = &front->client, .newfid = 2, .path = "secret"});
    tlopen({.fe = &front->client, .fid = 2, .expect_err = EACCES});

    /* Another share by the same QEMU; but not where it is somebody else's. */
    tool_run(f, 0, "'other' is attached", "--user=" FIXTURE_USER, "attach", "7",
             other);
    tool_run(f, 1, "is there already, and does not run as daemon",
             "--user=daemon", "attach", "7", other);
    g_assert_cmpint(fe_disconnect(front), ==, 0);
    tool_run(f, 0, "detached", "detach", "7", "share");
    tool_run(f, 0, "detached", "detach", "7", "other");
    tool_assert_ends(pid);
    loop_reap(f->loop, pid);
    assert_no_nodes(f);
    fixture_down(f);
}

/* ---- Completion ---- */

/* What bash offers for a line. */
static void assert_completes(Fixture *f, const char *line, const char *words)
{
    static const char script[] =
        ". " TOOL_SOURCES "/xen-virtfs.bash\n"
        "xenstore-list() { echo 0; echo 7; }\n"
        "xenstore-read() { echo guest7; }\n"
        "xen-virtfs() { printf '%s\\n' head 'guest7 7 9pfs/0 share'; }\n"
        "COMP_LINE=$1 COMP_POINT=${#1}\n"
        "IFS=' ' read -ra COMP_WORDS <<<\"${1//=/ = }\"\n"
        "[[ $1 != *[[:space:]] ]] || COMP_WORDS+=('')\n"
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        "_xen_virtfs 2>/dev/null\n"
        "echo \"${COMPREPLY[*]}\"\n";
    const char *argv[] = { "bash", "-c", script, "bash", line, NULL };
    ProcessEnv env = { .loop_path = f->loop_path, .xenstore_dir = f->dir };
    g_autofree char *out = NULL, *err = NULL;

    process_run(argv, &env, &out, &err);
    g_test_message("%s: %s%s", line, out, err);
    g_strchomp(out);
    g_assert_cmpstr(out, ==, words);
}

static void test_completion(void)
{
    Fixture *f = tool_begin();

    if (!f) {
        return;
    }
    assert_completes(f, "xen-virtfs ",
                     "apply attach detach list status top watch");
    assert_completes(f, "xen-virtfs -t 5 at", "attach");
    assert_completes(f, "xen-virtfs -d 5 top ", "");
    assert_completes(f, "xen-virtfs --js", "--json");
    assert_completes(f, "xen-virtfs attach ", "guest7");
    assert_completes(f, "xen-virtfs detach guest7 ", "share");
    assert_completes(f, "xen-virtfs attach guest7 ta", "tag=");
    assert_completes(f, "xen-virtfs attach guest7 tag=a,pat", "a,path=");
    assert_completes(f, "xen-virtfs attach guest7 tag=a,protocol=",
                     "9pfs virtfs");
    assert_completes(f, "xen-virtfs attach guest7 tag=a,security_model=map",
                     "mapped-xattr mapped-file");
    assert_completes(f, "xen-virtfs attach guest7 tag=a,path=/et", "/etc");
    fixture_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tool/usage", test_usage);
    g_test_add_func("/tool/attach", test_attach);
    g_test_add_func("/tool/detach", test_detach);
    g_test_add_func("/tool/refused", test_refused);
    g_test_add_func("/tool/busy", test_busy);
    g_test_add_func("/tool/others", test_others);
    g_test_add_func("/tool/start", test_start);
    g_test_add_func("/tool/killed", test_killed);
    g_test_add_func("/tool/no-start", test_no_start);
    g_test_add_func("/tool/user", test_user);
    g_test_add_func("/tool/completion", test_completion);
    return g_test_run();
}
