/*
 * Loopback Xen: faults in a client's xenstore requests
 *
 * The requests go on to the real library; only failures are made here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <dlfcn.h>
#include <errno.h>
#include <xenstore.h>

#include "shim.h"

/* The library's own function of that name. */
#define REAL(name) ((typeof(&name))lookup(#name))

static void *lookup(const char *name)
{
    loop_count(shim_loop(), LOOP_CALL_XS, 1);
    return dlsym(RTLD_NEXT, name);
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *len)
{
    return shim_fault(LOOP_FAULT_XS_READ) ?
           NULL : REAL(xs_read)(h, t, path, len);
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned int len)
{
    return !shim_fault(t == XBT_NULL ? LOOP_FAULT_XS_WRITE :
                                       LOOP_FAULT_XS_TX_WRITE) &&
           REAL(xs_write)(h, t, path, data, len);
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    if (!abort && shim_fault(LOOP_FAULT_XS_END)) {
        int error = errno;

        REAL(xs_transaction_end)(h, t, true);
        errno = error;
        return false;
    }
    return REAL(xs_transaction_end)(h, t, abort);
}
