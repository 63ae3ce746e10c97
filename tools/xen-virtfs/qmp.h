/*
 * xen-virtfs: a QMP connection to a QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_QMP_H
#define XEN_VIRTFS_QMP_H

#include "host.h"
#include "json.h"

typedef struct Qmp Qmp;

/**
 * qmp_open: connect, and wait for QEMU's greeting
 * @path: of the socket
 * @timeout_ms: QEMU serves one client at a time on a socket, others wait
 * @err: TOOL_NO_QEMU
 */
Qmp *qmp_open(const char *path, int timeout_ms, GError **err);
void qmp_close(Qmp *qmp);

/**
 * qmp_run: run a command and wait for its answer
 * @command: its name
 * @arguments: an object as text, NULL: none
 * @err: TOOL_REFUSED with what QEMU says, or TOOL_NO_QEMU
 *
 * Returns: what it returns, to be freed; NULL with @err set.
 */
Json *qmp_run(Qmp *qmp, const char *command, const char *arguments,
              GError **err);

#endif
