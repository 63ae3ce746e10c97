/*
 * xen-virtfs: the QEMU that serves a domain
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "domain.h"
#include "qemu.h"

/* libxl's own socket comes last: it has to be there for libxl. */
static const char *const sockets[] = { "qmp-libxenstat", "qmp-libxl" };

/* What tells a QEMU of ours, in its -name. */
#define NAME_PREFIX "xen-virtfs-"

static char *socket_path(Host *host, const char *socket, unsigned domid)
{
    return g_strdup_printf("%s/%s-%u", host->run_dir, socket, domid);
}

static char *pid_node(unsigned domid)
{
    return g_strdup_printf("/local/domain/%u/image/device-model-pid", domid);
}

bool qemu_runs(Host *host, unsigned domid)
{
    g_autofree char *node = pid_node(domid);
    g_autofree char *pid = host_read(host, "%s", node);
    g_autofree char *program = g_strdup_printf("/proc/%s/exe", pid);

    return pid && access(program, F_OK) == 0;
}

bool qemu_runs_as(Host *host, unsigned domid, const char *user)
{
    g_autofree char *node = pid_node(domid);
    g_autofree char *pid = host_read(host, "%s", node);
    g_autofree char *path = g_strdup_printf("/proc/%s/status", pid);
    g_autofree char *status = NULL;
    const struct passwd *entry = getpwnam(user);
    const char *at;

    /* The folder itself is root's, whoever the process is. */
    return entry && g_file_get_contents(path, &status, NULL, NULL) &&
        (at = strstr(status, "\nUid:\t")) &&
        g_ascii_strtoull(at + strlen("\nUid:\t"), NULL, 10) == entry->pw_uid;
}

bool qemu_in_stubdomain(Host *host, unsigned domid)
{
    g_autofree char *stubdomain = host_read(
        host, "/local/domain/%u/image/device-model-domid", domid);

    return stubdomain;
}

static QemuServer *qemu_new(Host *host, unsigned domid, Qmp *qmp)
{
    QemuServer *qemu = g_new0(QemuServer, 1);
    g_autoptr(Json) answer = qmp_run(qmp, "query-name", NULL, NULL);
    const char *name = json_get_text(answer, "name");

    qemu->host = host;
    qemu->domid = domid;
    qemu->qmp = qmp;
    qemu->ours = name && g_str_has_prefix(name, NAME_PREFIX);
    return qemu;
}

void qemu_free(QemuServer *qemu)
{
    if (qemu) {
        qmp_close(qemu->qmp);
        g_free(qemu);
    }
}

QemuServer *qemu_find(Host *host, unsigned domid, GError **err)
{
    Qmp *qmp = NULL;
    unsigned i;

    if (host->qmp) {
        qmp = qmp_open(host->qmp, host->timeout_ms, err);
        return qmp ? qemu_new(host, domid, qmp) : NULL;
    }
    for (i = 0; i < G_N_ELEMENTS(sockets) && !qmp; i++) {
        g_autofree char *path = socket_path(host, sockets[i], domid);

        g_clear_error(err);
        qmp = qmp_open(path, host->timeout_ms, err);
    }
    return qmp ? qemu_new(host, domid, qmp) : NULL;
}

/* ---- Starting ---- */

static char *log_path(Host *host, unsigned domid)
{
    return g_strdup_printf("%s/qemu-%s%u.log", host->log_dir, NAME_PREFIX,
                           domid);
}

/* Its last words. */
static char *last_line(const char *path)
{
    g_autofree char *text = NULL;
    char *start;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return g_strdup("it says nothing");
    }
    g_strchomp(text);
    if (!*text) {
        return g_strdup("it says nothing");
    }
    start = strrchr(text, '\n');
    return g_strdup(start ? start + 1 : text);
}

/* In the child, which nothing of this process shall stay with. */
static void G_GNUC_NORETURN run(const Host *host, char **argv, int log)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    if (host->user) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close_range(3, ~0U, 0);
    execv(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void add_words(GPtrArray *argv, const char *option, char *value)
{
    g_ptr_array_add(argv, g_strdup(option));
    g_ptr_array_add(argv, value);
}

/* QEMU may have been built without; then it does not take the option. */
static bool has_sandbox(const char *qemu)
{
    const char *argv[] = { qemu, "-sandbox", "on", "-version", NULL };
    int status;

    return g_spawn_sync(NULL, (char **)argv, NULL,
                        G_SPAWN_STDOUT_TO_DEV_NULL |
                        G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL,
                        &status, NULL) && status == 0;
}

/*
 * It gives its rights up when it has opened xenstore and its sockets. What it
 * opens later, of grants, event channels and shares, that user has to be
 * allowed to. QEMU's elevateprivileges would forbid that change of the user,
 * too, for the sandbox is there from the start; run() has what it is for.
 */
static void add_confinement(GPtrArray *argv, const Host *host)
{
    add_words(argv, "-run-with", g_strdup_printf("user=%s", host->user));
    if (!has_sandbox(host->qemu)) {
        g_printerr("xen-virtfs: %s is built without a sandbox and has none\n",
                   host->qemu);
        return;
    }
    add_words(argv, "-sandbox", g_strdup(
        "on,obsolete=deny,spawn=deny,resourcecontrol=deny"));
}

/* As libxl starts one, so that libxl's own tools find it. */
static pid_t spawn(Host *host, unsigned domid, int log)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    const char *const words[] = {
        host->qemu, "-machine", "xenpv", "-xen-attach", "-no-user-config",
        "-nodefaults", "-display", "none", "-monitor", "none", "-serial",
        "none",
    };
    unsigned i;
    pid_t pid;

    for (i = 0; i < G_N_ELEMENTS(words); i++) {
        g_ptr_array_add(argv, g_strdup(words[i]));
    }
    add_words(argv, "-xen-domid", g_strdup_printf("%u", domid));
    add_words(argv, "-name", g_strdup_printf(NAME_PREFIX "%u", domid));
    for (i = 0; i < G_N_ELEMENTS(sockets); i++) {
        g_autofree char *path = socket_path(host, sockets[i], domid);

        add_words(argv, "-chardev", g_strdup_printf(
            "socket,id=qmp%u,path=%s,server=on,wait=off", i, path));
        add_words(argv, "-mon", g_strdup_printf(
            "chardev=qmp%u,mode=control", i));
    }
    if (host->user) {
        add_confinement(argv, host);
    }
    g_ptr_array_add(argv, NULL);
    pid = fork();
    if (pid == 0) {
        run(host, (char **)argv->pdata, log);
    }
    return pid;
}

static bool note_pid(Host *host, unsigned domid, pid_t pid)
{
    g_autofree char *node = pid_node(domid);
    g_autofree char *text = g_strdup_printf("%d", (int)pid);

    return xs_write(host->xs, XBT_NULL, node, text, strlen(text));
}

/* Wait until it answers, or has ended. */
static QemuServer *await(Host *host, unsigned domid, pid_t pid,
                         const char *log, GError **err)
{
    gint64 end = g_get_monotonic_time() + host->timeout_ms * 1000LL;

    do {
        QemuServer *qemu = qemu_find(host, domid, NULL);

        if (qemu) {
            return qemu;
        }
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            g_autofree char *why = last_line(log);

            g_set_error(err, TOOL_ERROR, TOOL_NO_QEMU,
                        "QEMU does not start: %s", why);
            return NULL;
        }
        g_usleep(20 * 1000);
    } while (g_get_monotonic_time() < end);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    g_set_error(err, TOOL_ERROR, TOOL_NO_QEMU,
                "QEMU does not answer, see %s", log);
    return NULL;
}

static void end(QemuServer *qemu)
{
    g_autofree char *node = pid_node(qemu->domid);
    g_autoptr(Json) answer = NULL;
    g_autoptr(Json) more = NULL;

    /* Until it closes the connection: its devices are gone then. */
    answer = qmp_run(qemu->qmp, "quit", NULL, NULL);
    more = qmp_run(qemu->qmp, "query-name", NULL, NULL);
    xs_rm(qemu->host->xs, XBT_NULL, node);
}

QemuServer *qemu_start(Host *host, unsigned domid, GError **err)
{
    g_autofree char *log = log_path(host, domid);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    QemuServer *qemu;
    pid_t pid;

    if (fd < 0) {
        g_set_error(err, TOOL_ERROR, TOOL_NO_QEMU, "%s: %s", log,
                    g_strerror(errno));
        return NULL;
    }
    pid = spawn(host, domid, fd);
    close(fd);
    if (pid < 0) {
        g_set_error(err, TOOL_ERROR, TOOL_NO_QEMU,
                    "cannot start QEMU: %s", g_strerror(errno));
        return NULL;
    }
    qemu = await(host, domid, pid, log, err);
    if (!qemu) {
        return NULL;
    }
    qemu->started = true;
    if (!note_pid(host, domid, pid)) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED,
                    "cannot write to xenstore: %s", g_strerror(errno));
        end(qemu);
        g_clear_pointer(&qemu, qemu_free);
    }
    return qemu;
}

/* Another one may have made what it serves, and have died since. */
static bool serves(QemuServer *qemu)
{
    g_autoptr(GPtrArray) all = device_list(qemu->host, qemu->domid);
    unsigned i;

    for (i = 0; i < all->len; i++) {
        const Device *dev = all->pdata[i];

        if (g_str_equal(dev->server, "qemu")) {
            return true;
        }
    }
    return false;
}

void qemu_end_idle(QemuServer *qemu)
{
    if (qemu->ours && !serves(qemu)) {
        end(qemu);
    }
}

/* ---- What it has ---- */

Json *qemu_get(QemuServer *qemu, const char *path, const char *property,
               GError **err)
{
    g_autoptr(GString) arguments = g_string_new("{");

    json_add(arguments, "path", path);
    json_add(arguments, "property", property);
    g_string_append_c(arguments, '}');
    return qmp_run(qemu->qmp, "qom-get", arguments->str, err);
}

/* Call @visit with each of its shares until that returns true. */
static bool each_share(QemuServer *qemu,
                       bool (*visit)(QemuServer *qemu, const char *path,
                                     void *opaque),
                       void *opaque)
{
    static const char *const folders[] = {
        "/machine/peripheral", "/machine/peripheral-anon",
    };
    unsigned i, j;

    for (i = 0; i < G_N_ELEMENTS(folders); i++) {
        g_autofree char *arguments = g_strdup_printf("{\"path\": \"%s\"}",
                                                     folders[i]);
        g_autoptr(Json) list = qmp_run(qemu->qmp, "qom-list", arguments, NULL);

        for (j = 0; list && list->values && j < list->values->len; j++) {
            const Json *item = list->values->pdata[j];
            const char *type = json_get_text(item, "type");
            const char *name = json_get_text(item, "name");

            if (name && !g_strcmp0(type, "child<xen-9pfs>")) {
                g_autofree char *path = g_build_path("/", folders[i], name,
                                                     NULL);

                if (visit(qemu, path, opaque)) {
                    return true;
                }
            }
        }
    }
    return false;
}

typedef struct Wanted {
    const char *protocol;
    unsigned devid;
    char *path;
} Wanted;

static bool is_wanted(QemuServer *qemu, const char *path, void *opaque)
{
    Wanted *wanted = opaque;
    g_autoptr(Json) protocol = qemu_get(qemu, path, "protocol", NULL);
    g_autoptr(Json) devid = qemu_get(qemu, path, "devid", NULL);
    uint64_t number;

    if (protocol && g_str_equal(protocol->text, wanted->protocol) &&
        json_number(devid, &number) && number == wanted->devid) {
        wanted->path = g_strdup(path);
        return true;
    }
    return false;
}

char *qemu_share(QemuServer *qemu, const char *protocol, unsigned devid)
{
    Wanted wanted = { .protocol = protocol, .devid = devid };

    each_share(qemu, is_wanted, &wanted);
    return wanted.path;
}
