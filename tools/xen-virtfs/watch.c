/*
 * xen-virtfs watch: give domains their shares when they are created
 *
 * xl makes each domain anew when it is created, restored, migrated to here or
 * rebooted, and says nothing of it but through xenstore.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "device.h"
#include "domain.h"
#include "shares.h"

/* How often to look at a domain that is paused: nothing tells of its start. */
#define PAUSED_MS 200

static void G_GNUC_NORETURN run_apply(Host *host, unsigned domid)
{
    char number[16], timeout[16];
    /* The last two are for -u. */
    const char *argv[] = { "xen-virtfs", "apply", number, "-Q", host->qemu,
                           "-t", timeout, NULL, NULL, NULL };

    signal(SIGCHLD, SIG_DFL);
    snprintf(number, sizeof(number), "%u", domid);
    snprintf(timeout, sizeof(timeout), "%d", host->timeout_ms / 1000);
    if (host->user) {
        argv[G_N_ELEMENTS(argv) - 3] = "-u";
        argv[G_N_ELEMENTS(argv) - 2] = host->user;
    }
    execv("/proc/self/exe", (char **)argv);
    perror("xen-virtfs: /proc/self/exe");
    _exit(TOOL_REFUSED);
}

/*
 * In a process of its own: nothing of one domain shall keep the others
 * waiting, and a QEMU that is started is not to be ours to bury.
 */
static void start_apply(Host *host, unsigned domid)
{
    g_autofree char *name = domain_name(host, domid);
    g_autofree char *file = shares_file(host, name);
    pid_t pid;

    if (!file || access(file, F_OK) < 0) {
        return;
    }
    pid = fork();
    if (pid == 0) {
        run_apply(host, domid);
    } else if (pid < 0) {
        fprintf(stderr, "xen-virtfs: domain %u: cannot fork: %s\n", domid,
                strerror(errno));
    }
}

/*
 * The toolstack lets a domain run when all that it makes for it is there, its
 * QEMU above all. Before that its name may be another.
 */
static bool scan(Host *host, GHashTable **known)
{
    GHashTable *now = g_hash_table_new(NULL, NULL);
    g_auto(GStrv) names = host_names(host, "/local/domain");
    bool paused = false;
    unsigned domid;
    char **at;

    for (at = names; *at; at++) {
        xc_domaininfo_t info;

        if (!parse_number(*at, &domid) || domid == 0 ||
            xc_domain_getinfo_single(host->xc, domid, &info) != 0 ||
            info.flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)) {
            continue;
        }
        if (!g_hash_table_contains(*known, GUINT_TO_POINTER(domid))) {
            if (info.flags & XEN_DOMINF_paused) {
                paused = true;
                continue;
            }
            start_apply(host, domid);
        }
        g_hash_table_add(now, GUINT_TO_POINTER(domid));
    }
    g_hash_table_unref(*known);
    *known = now;
    return paused;
}

static bool is_gone(Host *host, unsigned domid)
{
    xc_domaininfo_t info;

    return xc_domain_getinfo_single(host->xc, domid, &info) != 0 ||
        info.flags & XEN_DOMINF_dying;
}

/*
 * The toolstack knows only those that it has made, and a QEMU that was killed
 * has left its own. The next domain of that number shall not find them.
 */
static void sweep(Host *host)
{
    g_autoptr(GPtrArray) all = device_list(host, -1);
    unsigned i;

    for (i = 0; i < all->len; i++) {
        const Device *dev = all->pdata[i];

        if (g_str_equal(dev->server, "qemu") && is_gone(host, dev->domid)) {
            device_remove(host, dev, NULL);
        }
    }
}

/* Returns: false when xenstored has gone. */
static bool await(Host *host, int timeout_ms)
{
    struct pollfd fd = { .fd = xs_fileno(host->xs), .events = POLLIN };
    char **event;

    poll(&fd, 1, timeout_ms);
    while ((event = xs_check_watch(host->xs))) {
        free(event);
    }
    return !(fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

bool command_watch(Host *host, char **words G_GNUC_UNUSED,
                   int num G_GNUC_UNUSED, GError **err)
{
    GHashTable *known = g_hash_table_new(NULL, NULL);
    bool paused;

    signal(SIGCHLD, SIG_IGN);
    if (!xs_watch(host->xs, "@introduceDomain", "") ||
        !xs_watch(host->xs, "@releaseDomain", "")) {
        g_set_error(err, TOOL_ERROR, TOOL_REFUSED,
                    "cannot watch xenstore: %s", g_strerror(errno));
        g_hash_table_unref(known);
        return false;
    }
    do {
        sweep(host);
        paused = scan(host, &known);
    } while (await(host, paused ? PAUSED_MS : -1));
    g_hash_table_unref(known);
    g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "xenstored has gone");
    return false;
}
