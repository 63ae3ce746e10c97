/*
 * Loopback Xen: what the shims of the Xen libraries share
 *
 * One preloaded library answers for libxengnttab, libxenevtchn, libxenctrl,
 * libxenforeignmemory, libxendevicemodel and libxentoolcore. Its environment:
 *
 *     XEN_LOOPBACK         the loopback's file; needed
 *     XEN_LOOPBACK_DOMID   the domain that the process belongs to; 0
 *     XEN_LOOPBACK_FAULTS  rules as in ../core/fault.h
 *     XEN_LOOPBACK_OLD_KERNEL  there is no openat2()
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_SHIM_H
#define LOOPBACK_SHIM_H

#include "../core/account.h"
#include "../core/fault.h"
#include "../core/loop.h"

/* The signatures are the libraries'; most arguments do not matter here. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/*
 * shim_loop: the loopback, opened at the first call. A process that has
 *     none to open ends with a message: it must not touch a real Xen.
 * shim_attached: whether that has happened.
 * shim_domid: the domain of this process.
 * shim_fault: the errno of an injected failure, already in errno; or 0.
 * shim_result: turn the core's negative errno into -1 and errno.
 */
Loop *shim_loop(void);
bool shim_attached(void);
domid_t shim_domid(void);
int shim_fault(LoopFaultPoint point);
int shim_result(int ret);

#endif
