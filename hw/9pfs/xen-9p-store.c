/*
 * Xen 9P backend: several nodes of xenstore at once
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/9pfs/xen-9p-store.h"

/*
 * How often a transaction is begun again. Toolstacks get in its way once or
 * twice; the main loop waits meanwhile.
 */
#define TRIES 32

bool xen_9p_store_transact(Xen9pStoreFunc *act, void *opaque, Error **errp)
{
    ERRP_GUARD();

    for (int i = 0; i < TRIES; i++) {
        xs_transaction_t t = qemu_xen_xs_transaction_start(xenstore);

        if (t != XBT_NULL) {
            act(opaque, t, errp);
            if (*errp) {
                qemu_xen_xs_transaction_end(xenstore, t, true);
                return false;
            }
            if (qemu_xen_xs_transaction_end(xenstore, t, false)) {
                return true;
            }
        }
        if (t == XBT_NULL || errno != EAGAIN) {
            error_setg_errno(errp, errno, "xenstore does not take the device");
            return false;
        }
    }
    error_setg(errp, "nodes of domain %u change all the time, pause the "
               "domain and try again", xen_domid);
    return false;
}

bool xen_9p_store_has(xs_transaction_t t, const char *fmt, ...)
{
    g_autofree char *path = NULL;
    unsigned int len;
    char *value;
    va_list ap;

    va_start(ap, fmt);
    path = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    value = qemu_xen_xs_read(xenstore, t, path, &len);
    free(value);
    return value;
}

void xen_9p_store_prune(xs_transaction_t t, const char *path)
{
    unsigned int num;
    char **names = qemu_xen_xs_directory(xenstore, t, path, &num);

    if (names && num == 0) {
        qemu_xen_xs_destroy(xenstore, t, path);
    }
    free(names);
}
