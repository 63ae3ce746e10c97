/*
 * Loopback Xen: the process's loopback, for all shims
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static Loop *the_loop;
static domid_t the_domid;

static void attach(void)
{
    const char *path = getenv("XEN_LOOPBACK");
    const char *domid = getenv("XEN_LOOPBACK_DOMID");
    const char *faults = getenv("XEN_LOOPBACK_FAULTS");

    the_loop = path ? loop_open(path) : NULL;
    if (!the_loop) {
        fprintf(stderr, "loopback: XEN_LOOPBACK=%s: %m\n",
                path ? path : "(not set)");
        abort();
    }
    the_domid = domid ? atoi(domid) : 0;
    if (faults && loop_fault_parse(the_loop, faults) < 0) {
        fprintf(stderr, "loopback: bad XEN_LOOPBACK_FAULTS=%s\n", faults);
        abort();
    }
}

Loop *shim_loop(void)
{
    pthread_once(&once, attach);
    return the_loop;
}

bool shim_attached(void)
{
    return the_loop;
}

domid_t shim_domid(void)
{
    shim_loop();
    return the_domid;
}

int shim_fault(LoopFaultPoint point)
{
    int error = loop_fault_errno(shim_loop(), point, shim_domid());

    if (error) {
        errno = error;
    }
    return error;
}

int shim_result(int ret)
{
    if (ret < 0) {
        errno = -ret;
        return -1;
    }
    return ret;
}
