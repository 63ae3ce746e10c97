/*
 * Xen 9P backend: how long to look for requests before going to sleep
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-poll.h"

void xen_9p_poll_stayed(Xen9pPoll *poll, bool caught)
{
    poll->vain = caught ? 0 : poll->vain + 1;
    if (caught) {
        poll->pause /= 2;
    } else if (poll->vain == XEN_9P_POLL_VAIN) {
        poll->vain = 0;
        poll->ns = 0;
        poll->pause = CLAMP(poll->pause * 2, XEN_9P_POLL_REST,
                            XEN_9P_POLL_REST_MAX);
        poll->rest = poll->pause;
    }
}

void xen_9p_poll_slept(Xen9pPoll *poll, int64_t ns)
{
    if (poll->rest > 0) {
        poll->rest--;
    } else if (ns > 2 * poll->max) {
        /* (Of a sleep, half may have been the wake-up.) */
        poll->ns = poll->ns >= 2 * XEN_9P_POLL_MIN ? poll->ns / 2 : 0;
    } else if (ns > poll->ns) {
        poll->ns = MIN(MAX(ns + ns / 2, XEN_9P_POLL_MIN), poll->max);
    }
}
