/*
 * xen-virtfs detach: take a share away from a domain
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "commands.h"
#include "describe.h"
#include "domain.h"
#include "qemu.h"

/* Its QEMU may have died: nobody follows what the guest does then. */
static bool is_served(Host *host, const Device *dev)
{
    return host->qmp || !g_str_equal(dev->server, "qemu") ||
        qemu_runs(host, dev->domid);
}

/*
 * Let both ends finish, if there is anyone in the guest to do so. Where they
 * do not, the device goes nevertheless.
 */
static bool say_goodbye(Host *host, const Device *dev, GError **err)
{
    unsigned front = 1u << device_state(host, dev->front);
    const char *last = is_served(host, dev) ? dev->back : dev->front;

    if (!(front & (STATE(Initialised) | STATE(Connected) | STATE(Closing)))) {
        return true;
    }
    if (!device_close(host, dev, err)) {
        return false;
    }
    if (!device_await(host, last, STATE(Closed) | STATE(Unknown))) {
        g_printerr("xen-virtfs: %s/%u does not close in time, it is removed "
                   "as it is\n", dev->protocol, dev->devid);
    }
    return true;
}

/* Remove it where it was made: by QEMU, else from xenstore. */
static bool remove_device(Host *host, QemuServer *qemu, const Device *dev,
                          GError **err)
{
    g_autofree char *path = qemu ? qemu_share(qemu, dev->protocol,
                                              dev->devid) : NULL;
    g_autofree char *arguments = NULL;
    g_autoptr(Json) answer = NULL;

    if (!path) {
        return device_remove(host, dev, err);
    }
    arguments = g_strdup_printf("{\"id\": \"%s\"}", path);
    answer = qmp_run(qemu->qmp, "device_del", arguments, err);
    return answer;
}

static bool detach(Host *host, const Device *dev, GError **err)
{
    g_autoptr(QemuServer) qemu = NULL;

    /* Asked first: without it nothing is begun that cannot be ended. */
    if (!device_is_libxl(host, dev) &&
        (host->qmp || qemu_runs(host, dev->domid))) {
        qemu = qemu_find(host, dev->domid, err);
        if (!qemu) {
            return false;
        }
    }
    if (!say_goodbye(host, dev, err) ||
        !remove_device(host, qemu, dev, err)) {
        return false;
    }
    if (qemu) {
        qemu_end_idle(qemu);
    }
    return true;
}

bool command_detach(Host *host, char **words, int num G_GNUC_UNUSED,
                    GError **err)
{
    g_autoptr(Device) dev = NULL;
    g_autofree char *tag = NULL;
    unsigned domid;

    if (!domain_find(host, words[0], &domid, err) ||
        !host_lock(host, domid, err)) {
        return false;
    }
    dev = device_find(host, domid, words[1], err);
    if (!dev || !detach(host, dev, err)) {
        return false;
    }
    tag = describe_text(dev->tag);
    printf("%s/%u: '%s' is detached from domain %u\n", dev->protocol,
           dev->devid, tag, domid);
    return true;
}
