/*
 * Xen 9P backend: does a session's event loop go on?
 *
 * A call of the file system in place holds its share for as long as it takes.
 * A timer of the main thread looks once a second, while there are requests,
 * and tells the operator of one that does not return.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_WATCH_H
#define HW_9PFS_XEN_9P_WATCH_H

#include "hw/9pfs/xen-9pfs.h"

typedef struct Xen9pWatch {
    Xen9pfsSession *session;    /* NULL: of none */
    QEMUTimer *timer;
    unsigned passes;            /* that there had been at the last look */
    unsigned calls;             /* likewise; odd: in one */
    bool told;                  /* in the log */
} Xen9pWatch;

/**
 * xen_9p_watch_init: be ready to watch
 * @watch: to fill in
 */
void xen_9p_watch_init(Xen9pWatch *watch);

/**
 * xen_9p_watch_fini: free what it has
 * @watch: what xen_9p_watch_init() has filled in
 */
void xen_9p_watch_fini(Xen9pWatch *watch);

/**
 * xen_9p_watch_begin: watch a session, until it has nothing to do; may be
 * called again
 * @watch: of its device
 * @session: the session, whose statistics say for how long it is stuck
 */
void xen_9p_watch_begin(Xen9pWatch *watch, Xen9pfsSession *session);

/**
 * xen_9p_watch_end: the session ends
 * @watch: of its device
 */
void xen_9p_watch_end(Xen9pWatch *watch);

#endif
