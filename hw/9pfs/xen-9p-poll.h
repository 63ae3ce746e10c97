/*
 * Xen 9P backend: how long to look for requests before going to sleep
 *
 * A wake-up costs more than a small request. A guest that sends its next one
 * soon after a reply is spared the wake-up if the backend stays for that
 * long; one that does not must not pay for it. So how long is learnt from how
 * long the sleeps are.
 *
 * Pure: no device, no clock of its own.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_POLL_H
#define HW_9PFS_XEN_9P_POLL_H

/* The longest time where none is configured, in nanoseconds. */
#define XEN_9P_POLL_DEFAULT     100000
/* The shortest time that is worth it. */
#define XEN_9P_POLL_MIN         2000
/* So many stays in vain in a row: the guest needs our CPU to send anything. */
#define XEN_9P_POLL_VAIN        4
/* For so many sleeps there are no stays after that; twice as many each time. */
#define XEN_9P_POLL_REST        256
#define XEN_9P_POLL_REST_MAX    16384

typedef struct Xen9pPoll {
    int64_t max;                /* as configured; 0: never stay */
    int64_t ns;                 /* for how long to stay now */
    unsigned vain;
    unsigned rest;              /* sleeps until the next stay */
    unsigned pause;             /* what that was in the beginning */
} Xen9pPoll;

/**
 * xen_9p_poll_stayed: a stay of @poll->ns is over
 * @poll: the device's; all zeroes but for max in the beginning
 * @caught: whether there was a request
 */
void xen_9p_poll_stayed(Xen9pPoll *poll, bool caught);

/**
 * xen_9p_poll_slept: a request has ended a sleep
 * @poll: as for xen_9p_poll_stayed()
 * @ns: how long there was none: a stay before the sleep counts, too
 */
void xen_9p_poll_slept(Xen9pPoll *poll, int64_t ns);

#endif
