/*
 * xen-virtfs: the host that a command works on, and how it fails
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_HOST_H
#define XEN_VIRTFS_HOST_H

#include <glib.h>
#include <stdbool.h>
#include <xenctrl.h>
#include <xenstore.h>

/* Codes of TOOL_ERROR, and the exit status of the program. */
typedef enum ToolError {
    TOOL_REFUSED = 1,           /* the request cannot be met */
    TOOL_USAGE = 2,             /* the command line is wrong */
    TOOL_NO_DOMAIN = 3,
    TOOL_NO_DEVICE = 4,
    TOOL_NO_QEMU = 5,           /* none that can be asked, or started */
} ToolError;

#define TOOL_ERROR (g_quark_from_static_string("xen-virtfs"))

typedef struct Host {
    struct xs_handle *xs;
    xc_interface *xc;
    const char *run_dir;        /* of sockets */
    const char *log_dir;
    const char *conf_dir;       /* of the files that name shares */
    const char *qemu;           /* the program to start */
    const char *user;           /* whom it is to run as, NULL: root */
    const char *qmp;            /* the socket to use, NULL: libxl's */
    int timeout_ms;             /* of the other side */
    bool json;
    bool batch;                 /* top: as lines, without a terminal */
    unsigned rounds;            /* of top, 0: without end */
    unsigned delay_ms;          /* between these */
} Host;

/**
 * host_open: connect to xenstore and to the hypervisor
 * @host: the rest of it is filled in by the caller
 */
bool host_open(Host *host, GError **err);
void host_close(Host *host);

/**
 * host_lock: keep other calls of this program from changing a domain's devices
 *
 * Until this process ends. It may wait for a QEMU for long: other domains have
 * nothing to do with that.
 */
bool host_lock(Host *host, unsigned domid, GError **err);

/**
 * host_read: the value of a xenstore node, to be freed; NULL if there is none
 */
char *host_read(Host *host, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/**
 * host_names: the nodes below a xenstore node, NULL at the end; never NULL
 */
char **host_names(Host *host, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

#endif
