/*
 * xen-virtfs: the QEMU that serves a domain
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_QEMU_H
#define XEN_VIRTFS_QEMU_H

#include "qmp.h"

typedef struct QemuServer {
    Host *host;
    unsigned domid;
    Qmp *qmp;
    bool ours;                  /* this program has started it, now or once */
    bool started;               /* now */
} QemuServer;

/**
 * qemu_runs: whether the QEMU that serves the domain, as far as xenstore knows,
 * is there
 */
bool qemu_runs(Host *host, unsigned domid);

/**
 * qemu_runs_as: whether that QEMU is a process of this user's
 */
bool qemu_runs_as(Host *host, unsigned domid, const char *user);

/**
 * qemu_in_stubdomain: whether that which serves it is in a domain of its own
 *
 * xl does not look for one of ours then, and would not end it.
 */
bool qemu_in_stubdomain(Host *host, unsigned domid);

/**
 * qemu_find: connect to the QEMU that serves a domain
 * @err: TOOL_NO_QEMU
 */
QemuServer *qemu_find(Host *host, unsigned domid, GError **err);

/**
 * qemu_start: start one, for a domain that has none
 *
 * xl ends it with the domain, as it does with those that it has started.
 */
QemuServer *qemu_start(Host *host, unsigned domid, GError **err);

/**
 * qemu_end_idle: end one that is ours, as if it had never been, unless it has
 * something to serve
 */
void qemu_end_idle(QemuServer *qemu);
void qemu_free(QemuServer *qemu);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuServer, qemu_free)

/**
 * qemu_share: the QOM path of the -device xen-9pfs of a device, to be freed
 *
 * Returns: NULL where QEMU has none, so that others have made the device.
 */
char *qemu_share(QemuServer *qemu, const char *protocol, unsigned devid);

/**
 * qemu_get: a property of an object of QEMU's; NULL with @err set
 */
Json *qemu_get(QemuServer *qemu, const char *path, const char *property,
               GError **err);

#endif
