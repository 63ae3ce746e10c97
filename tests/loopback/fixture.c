/*
 * A whole loopback for a test: xenstored, a guest, a backend, a folder
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "process.h"
#include "qmp.h"

#define START_TIMEOUT_MS 20000
#define CALL_TIMEOUT_MS 20000
#define LAST_COMMAND_US 20000

Backend fixture_backend(void)
{
    const char *name = g_getenv("LOOP_BACKEND");

    if (!name || !strcmp(name, "ours")) {
        return BACKEND_OURS;
    }
    if (!strcmp(name, "stock")) {
        return BACKEND_STOCK;
    }
    if (!strcmp(name, "xen-9pfsd")) {
        return BACKEND_XEN_9PFSD;
    }
    g_error("LOOP_BACKEND=%s: it is ours, stock or xen-9pfsd", name);
}

const char *fixture_version(Fixture *f)
{
    return f->backend == BACKEND_XEN_9PFSD ? "9P2000.u" : "9P2000.L";
}

static char *in_dir(Fixture *f, const char *name)
{
    return g_build_filename(f->dir, name, NULL);
}

static GPid start(Fixture *f, const char *const *argv, const char *log_name)
{
    g_autofree char *log = in_dir(f, log_name);
    ProcessEnv env = {
        .loop_path = f->loop_path, .xenstore_dir = f->dir, .log = log,
    };

    return process_start(argv, &env);
}

static void show_log(Fixture *f, const char *log_name)
{
    g_autofree char *log = in_dir(f, log_name);
    g_autofree char *text = NULL;

    if (g_file_get_contents(log, &text, NULL, NULL) && *text) {
        g_test_message("%s has:", log_name);
        g_test_message("%s", text);
    }
}

static void start_xenstored(Fixture *f)
{
    g_autofree char *program = process_xen_bin("xenstored");
    g_autofree char *socket = in_dir(f, "socket");
    const char *argv[] = { program, "--no-fork", NULL };
    int waited, status;

    g_setenv("XENSTORED_RUNDIR", f->dir, TRUE);
    g_setenv("XENSTORED_PATH", socket, TRUE);
    f->xenstored_pid = start(f, argv, "xenstored.log");
    for (waited = 0; waited < START_TIMEOUT_MS; waited++) {
        f->xsh = access(socket, F_OK) == 0 ? xs_open(0) : NULL;
        if (f->xsh) {
            return;
        }
        if (!process_check(&f->xenstored_pid, &status)) {
            break;
        }
        g_usleep(1000);
    }
    show_log(f, "xenstored.log");
    g_error("xenstored does not start");
}

bool fixture_virtfs(void)
{
    const char *name = g_getenv("LOOP_PROTOCOL");

    if (name && !strcmp(name, "virtfs")) {
        return true;
    }
    if (name && strcmp(name, "9pfs")) {
        g_error("LOOP_PROTOCOL=%s: it is 9pfs or virtfs", name);
    }
    return false;
}

static const char *type_of(Backend backend)
{
    if (fixture_virtfs()) {
        return XEN_VIRTFSIF_TYPE;
    }
    return backend == BACKEND_XEN_9PFSD ? "xen_9pfs" : "9pfs";
}

/* The guest and what belongs to it; the loopback is there. */
static void add_guest(Fixture *f, const char *share)
{
    f->backend = fixture_backend();
    f->type = type_of(f->backend);
    f->share = in_dir(f, share);
    g_assert_cmpint(mkdir(f->share, 0755), ==, 0);
    while (loop_domain_exists(f->loop, f->domid)) {
        f->domid++;
    }
    f->guest = guest_new(f->loop, f->xsh, f->domid);
    f->fes = g_ptr_array_new();
}

Fixture *fixture_up(void)
{
    Fixture *f = g_new0(Fixture, 1);

    signal(SIGPIPE, SIG_IGN);
    f->domid = FIXTURE_DOMID;
    f->dir = g_dir_make_tmp("loopback-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
    f->loop_path = in_dir(f, "xen");
    f->loop = loop_create(f->loop_path);
    if (!f->loop) {
        g_error("%s: %s", f->loop_path, g_strerror(errno));
    }
    start_xenstored(f);
    add_guest(f, "share");
    return f;
}

Fixture *fixture_beside(Fixture *host)
{
    Fixture *f = g_new0(Fixture, 1);
    g_autofree char *share = NULL;

    f->host = host;
    f->domid = host->domid + 1;
    f->dir = g_strdup(host->dir);
    f->loop_path = g_strdup(host->loop_path);
    f->loop = host->loop;
    f->xsh = host->xsh;
    share = g_strdup_printf("share-%u", f->domid);
    add_guest(f, share);
    return f;
}

/* Whether the backend is another's, as one xen-9pfsd serves all guests. */
static bool shares_backend(Fixture *f)
{
    return f->host && f->backend == BACKEND_XEN_9PFSD;
}

static char *log_name(Fixture *f)
{
    return g_strdup_printf("backend-%u.log", f->domid);
}

bool fixture_alive(Fixture *f)
{
    pid_t pid = f->backend_pid;
    g_autofree char *how = NULL, *log = log_name(f);

    if (shares_backend(f)) {
        return fixture_alive(f->host);
    }
    if (!pid || process_check(&f->backend_pid, &f->backend_status)) {
        return pid;
    }
    how = process_describe(f->backend_status);
    g_test_message("the backend has ended: %s", how);
    show_log(f, log);
    loop_reap(f->loop, pid);
    return false;
}

static bool alive(void *opaque)
{
    return fixture_alive(opaque);
}

/* The words of an environment variable. */
static void add_words(GPtrArray *all, const char *variable)
{
    const char *text = g_getenv(variable);
    g_auto(GStrv) words = g_strsplit(text ? text : "", " ", -1);
    char **word;

    for (word = words; *word; word++) {
        if (**word) {
            g_ptr_array_add(all, g_strdup(*word));
        }
    }
}

/* Start the backend, between what the environment has of its command. */
static GPid start_backend(Fixture *f, const char *const *argv,
                          const char *after)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *log = log_name(f);

    add_words(all, "LOOP_WRAP");
    for (; *argv; argv++) {
        g_ptr_array_add(all, g_strdup(*argv));
    }
    if (after) {
        add_words(all, after);
    }
    g_ptr_array_add(all, NULL);
    return start(f, (const char *const *)all->pdata, log);
}

static char *ready_node(Fixture *f)
{
    return g_strdup_printf("/local/domain/0/device-model/%u/state", f->domid);
}

/* QEMU tells the toolstack when it is ready. */
static bool qemu_ready(Fixture *f)
{
    g_autofree char *path = ready_node(f);
    unsigned int len;
    char *state = xs_read(f->xsh, XBT_NULL, path, &len);
    bool ready = state && !strcmp(state, "running");

    free(state);
    return ready;
}

/* xen-9pfsd does not tell; it has found its place once it has a watch. */
static bool daemon_ready(Fixture *f)
{
    LoopStats stats;

    loop_stats(f->loop, f->backend_pid, &stats);
    return stats.handles[LOOP_HANDLE_EVTCHN] > 0;
}

static GPid start_qemu(Fixture *f)
{
    const char *qemu = g_getenv("LOOP_QEMU");
    g_autofree char *domid = g_strdup_printf("%u", f->domid);
    g_autofree char *qmp = g_strdup_printf(
        "unix:%s/qmp-%u,server=on,wait=off", f->dir, f->domid);
    /* Its threads' names tell who makes a call of the file system. */
    const char *argv[] = {
        qemu, "-M", "xenpv", "-xen-attach", "-xen-domid", domid,
        "-nodefaults", "-nographic", "-display", "none", "-monitor", "none",
        "-serial", "none", "-qmp", qmp, "-name", "debug-threads=on", NULL
    };

    if (!qemu) {
        g_error("LOOP_QEMU does not say which QEMU to run");
    }
    return start_backend(f, argv, "LOOP_QEMU_ARGS");
}

static GPid start_daemon(Fixture *f)
{
    g_autofree char *program = process_xen_bin("xen-9pfsd");
    const char *argv[] = { program, NULL };

    return start_backend(f, argv, NULL);
}

void fixture_start(Fixture *f)
{
    bool daemon = f->backend == BACKEND_XEN_9PFSD;
    g_autofree char *log = log_name(f), *ready = ready_node(f);
    int waited;

    if (shares_backend(f)) {
        return;
    }
    g_assert_cmpint(f->backend_pid, ==, 0);
    /* What an earlier one has said of itself is not this one's word. */
    xs_rm(f->xsh, XBT_NULL, ready);
    f->backend_pid = daemon ? start_daemon(f) : start_qemu(f);
    for (waited = 0; waited < START_TIMEOUT_MS; waited++) {
        if (!fixture_alive(f)) {
            g_error("the backend does not start");
        }
        if (daemon ? daemon_ready(f) : qemu_ready(f)) {
            loop_stats(f->loop, f->backend_pid, &f->idle);
            f->idle_fds = fixture_fds(f);
            return;
        }
        g_usleep(1000);
    }
    show_log(f, log);
    g_error("the backend is not ready in time");
}

int fixture_stop(Fixture *f)
{
    pid_t pid = f->backend_pid;

    if (pid) {
        f->backend_status = process_stop(&f->backend_pid);
        loop_reap(f->loop, pid);
    }
    return f->backend_status;
}

int fixture_fds(Fixture *f)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd",
                                            (int)f->backend_pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    int count = 0;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename(path, name, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);

        /* With the root of a QEMU in a chroot before it. */
        count += target && !strstr(target, f->loop_path);
    }
    return count;
}

double fixture_cpu_ms(Fixture *f)
{
    struct timespec used;
    clockid_t clock;

    g_assert_cmpint(clock_getcpuclockid(f->backend_pid, &clock), ==, 0);
    g_assert_cmpint(clock_gettime(clock, &used), ==, 0);
    return used.tv_sec * 1e3 + used.tv_nsec / 1e6;
}

void fixture_await_call(Fixture *f, LoopFsCall call)
{
    gint64 end = g_get_monotonic_time() + CALL_TIMEOUT_MS * 1000;

    while (loop_fs_waiting(f->loop, call) == 0) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

/* Whether an option is given behind the security model. */
static bool model_has(const DeviceOpts *opts, const char *option)
{
    g_autofree char *text = g_strdup_printf(";%s=", option);

    return opts->security_model && strstr(opts->security_model, text);
}

/*
 * Further nodes of a device: those of @opts and, for ours, the environment's
 * where that has not said it.
 */
static GPtrArray *device_more(Fixture *f, const DeviceOpts *opts)
{
    static const struct {
        const char *variable, *node;
    } ours[] = {
        { "LOOP_DISPATCH", "dispatch" },
        { "LOOP_POLL", "poll-max-ns" },
        { "LOOP_GRANTS", "grant-policy" },
    };
    const char *const *more = opts->more;
    GPtrArray *all = g_ptr_array_new();
    size_t i;

    for (i = 0; f->backend == BACKEND_OURS && i < G_N_ELEMENTS(ours); i++) {
        const char *value = g_getenv(ours[i].variable);

        if (value && !model_has(opts, ours[i].node)) {
            g_ptr_array_add(all, (gpointer)ours[i].node);
            g_ptr_array_add(all, (gpointer)value);
        }
    }
    /* The test's own come last: they are the ones that count. */
    while (more && *more) {
        g_ptr_array_add(all, (gpointer)*more++);
    }
    g_ptr_array_add(all, NULL);
    return all;
}

Fe *fixture_frontend(Fixture *f, const char *type, int devid)
{
    Fe *fe = fe_new(f->guest, type, devid);

    fe->alive = alive;
    fe->alive_opaque = f;
    g_ptr_array_add(f->fes, fe);
    return fe;
}

Fe *fixture_device(Fixture *f, const DeviceOpts *opts)
{
    DeviceOpts all = opts ? *opts : (DeviceOpts) { .path = f->share };
    g_autoptr(GPtrArray) more = device_more(f, &all);

    all.type = all.type ? all.type : f->type;
    all.more = (const char *const *)more->pdata;
    device_add(f->guest, &all);
    return fixture_frontend(f, all.type, all.devid);
}

/* Its states, and what xenbus and the backend's log tell. */
char *fixture_why(Fixture *f, Fe *fe)
{
    g_autofree char *transport = fe->client.transport->why(fe);
    g_autofree char *path = g_strdup_printf(
        "/local/domain/0/error/backend/%s/%u/%d/error", fe->type, f->domid,
        fe->devid);
    g_autofree char *name = log_name(f), *log = in_dir(f, name);
    g_autofree char *text = NULL;
    unsigned int len;
    char *error = xs_read(f->xsh, XBT_NULL, path, &len);
    char *why;

    g_file_get_contents(log, &text, NULL, NULL);
    why = g_strdup_printf("%s; error node: %s; log: %s", transport,
                          error ? error : "none",
                          text && *text ? text : "empty");
    free(error);
    return why;
}

Fe *fixture_connect_as(Fixture *f, const DeviceOpts *opts, unsigned rings,
                       uint32_t order)
{
    Fe *fe = fixture_device(f, opts);

    if (!f->backend_pid) {
        fixture_start(f);
    }
    if (!fe_connect(fe, rings, order)) {
        g_autofree char *why = fixture_why(f, fe);

        g_error("%u rings of order %u do not connect: %s", rings, order,
                why);
    }
    return fe;
}

Fe *fixture_connect(Fixture *f, unsigned rings, uint32_t order)
{
    return fixture_connect_as(f, NULL, rings, order);
}

/* A leak ends the test, unless the backend is not ours to mend. */
static void found_leak(Fixture *f, const char *what)
{
    if (f->backend == BACKEND_OURS) {
        g_error("left over: %s", what);
    }
    g_test_message("left over: %s", what);
}

/* Others are called as the program, which may be xen-9pfs-qemu-system-i386. */
static bool is_device_thread(const char *name)
{
    return (g_str_has_prefix(name, "xen-9pfs-") ||
            g_str_has_prefix(name, "xen-virtfs-")) &&
        g_ascii_isdigit(strrchr(name, '-')[1]);
}

/* How many threads the backend has that are named after a device. */
static unsigned device_threads(Fixture *f)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task",
                                            (int)f->backend_pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *task;
    unsigned count = 0;

    while (dir && (task = g_dir_read_name(dir))) {
        g_autofree char *comm = g_build_filename(path, task, "comm", NULL);
        g_autofree char *name = NULL;

        count += g_file_get_contents(comm, &name, NULL, NULL) &&
            is_device_thread(name);
    }
    return count;
}

/* What the backend holds beyond what it should, to be freed; or NULL. */
static char *leftovers(Fixture *f)
{
    char *left = loop_leftovers(f->loop, f->backend_pid, &f->idle);
    uint32_t grants = loop_grants_in_use(f->loop, f->domid);
    unsigned threads = device_threads(f);
    int fds = fixture_fds(f);

    if (!left && grants) {
        left = g_strdup_printf("%u grants of the guest are in use", grants);
    }
    if (!left && fds > f->idle_fds) {
        left = g_strdup_printf("%d descriptors are open, there were %d", fds,
                               f->idle_fds);
    }
    if (!left && threads) {
        left = g_strdup_printf("%u threads of devices are there", threads);
    }
    return left;
}

void fixture_check(Fixture *f)
{
    int patience = f->backend == BACKEND_OURS ? 2000 : 200, waited;
    g_autofree char *left = NULL;

    /* What follows the last state change may take a moment. */
    for (waited = 0; waited < patience && f->backend_pid; waited++) {
        g_clear_pointer(&left, g_free);
        left = leftovers(f);
        if (!left) {
            return;
        }
        g_usleep(1000);
    }
    if (left) {
        found_leak(f, left);
    }
}

void fixture_drop(Fixture *f, Fe *fe)
{
    int busy;

    device_offline(f->guest, fe->type, fe->devid);
    busy = fe_disconnect(fe);
    if (busy < 0) {
        g_autofree char *why = fe->client.transport->why(fe);

        g_error("the backend does not close: %s", why);
    }
    if (busy) {
        g_autofree char *what = g_strdup_printf("%d grants in use", busy);

        found_leak(f, what);
    }
    g_ptr_array_remove(f->fes, fe);
    device_remove(f->guest, fe->type, fe->devid);
    fe_free(fe);
}

void fixture_abandon(Fixture *f, Fe *fe)
{
    device_offline(f->guest, fe->type, fe->devid);
    device_remove(f->guest, fe->type, fe->devid);
}

void fixture_gone(Fixture *f, Fe *fe)
{
    fixture_check(f);
    g_assert_cmpint(fe_drop(fe), ==, 0);
    g_ptr_array_remove(f->fes, fe);
    fe_free(fe);
}

void fixture_close(Fixture *f, Fe *fe)
{
    fixture_drop(f, fe);
    fixture_check(f);
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir = NULL;
    const char *name;
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        dir = g_dir_open(path, 0, NULL);
        while (dir && (name = g_dir_read_name(dir))) {
            g_autofree char *child = g_build_filename(path, name, NULL);

            remove_tree(child);
        }
        rmdir(path);
    } else {
        unlink(path);
    }
}

unsigned fixture_devices(Fixture *f, const char *type)
{
    g_autofree char *path = g_strdup_printf("backend/%s/%u", type, f->domid);
    unsigned int num = 0;

    free(xs_directory(f->xsh, XBT_NULL, path, &num));
    return num;
}

/* How many backends QEMU has, 0 if it is gone. */
static unsigned devices_served(Qmp *qmp)
{
    g_autofree char *answer = qmp_run(qmp, "{\"execute\": \"qom-list\", "
        "\"arguments\": {\"path\": \"/machine/peripheral\"}}");
    const char *at = answer;
    unsigned num = 0;

    while (at && (at = strstr(at, "child<xen-backend>"))) {
        num++;
        at++;
    }
    return num;
}

/*
 * QEMU does not survive that a device is removed while it ends: qdev_unplug()
 * looks at the migration's state, which is freed by then.
 */
static void await_removals(Fixture *f)
{
    unsigned stored = fixture_devices(f, "9pfs") + fixture_devices(f, "virtfs");
    unsigned waits = 200;
    Qmp *qmp = qmp_new(f);

    while (devices_served(qmp) > stored && waits--) {
        g_usleep(10000);
    }
    qmp_free(qmp);
    if (g_getenv("LOOP_SANITIZED")) {
        /*
         * Nor, always, that it ends when it has just answered: the monitor's
         * thread, on its way out of a command, wakes who is gone by then.
         */
        g_usleep(LAST_COMMAND_US);
    }
}

/* A crash on the way out, or a sanitizer's last word, fails the test. */
static void end_backend(Fixture *f)
{
    g_autofree char *log = log_name(f), *how = NULL;
    bool running = fixture_alive(f);
    int status;

    if (running && f->backend == BACKEND_OURS) {
        await_removals(f);
    }
    status = fixture_stop(f);
    how = process_describe(status);
    if (running && status && f->backend == BACKEND_OURS) {
        g_test_message("the backend's end: %s", how);
        show_log(f, log);
        g_test_fail();
    }
}

void fixture_down(Fixture *f)
{
    uint32_t i, active;

    end_backend(f);
    for (i = 0; i < f->fes->len; i++) {
        fe_free(g_ptr_array_index(f->fes, i));
    }
    g_ptr_array_unref(f->fes);
    active = loop_grants_active(f->loop, f->domid);
    if (active) {
        g_error("%u grants of the guest are left over", active);
    }
    guest_free(f->guest);
    if (!f->host) {
        xs_close(f->xsh);
        process_stop(&f->xenstored_pid);
        loop_close(f->loop);
        loop_remove(f->loop_path);
        if (!g_getenv("LOOP_KEEP")) {
            remove_tree(f->dir);
        }
    }
    g_free(f->loop_path);
    g_free(f->share);
    g_free(f->dir);
    g_free(f);
}
