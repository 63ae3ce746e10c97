/*
 * Loopback Xen: libxenevtchn
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <xenevtchn.h>

#include "shim.h"

struct xenevtchn_handle {
    int handle;
};

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    xenevtchn_handle *xce = calloc(1, sizeof(*xce));

    if (!xce) {
        return NULL;
    }
    xce->handle = shim_result(
        loop_evtchn_open(shim_loop(), shim_domid(),
                         !(flags & XENEVTCHN_NO_CLOEXEC)));
    if (xce->handle < 0) {
        free(xce);
        return NULL;
    }
    return xce;
}

/* Only for xenstored's live update, which no test makes. */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
                                   unsigned open_flags)
{
    errno = ENOSYS;
    return NULL;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    if (xce) {
        loop_evtchn_close(shim_loop(), xce->handle);
        free(xce);
    }
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    return shim_result(loop_evtchn_fd(shim_loop(), xce->handle));
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    return shim_result(loop_evtchn_notify(shim_loop(), xce->handle, port));
}

xenevtchn_port_or_error_t
xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    return shim_result(loop_evtchn_alloc(shim_loop(), xce->handle, domid));
}

xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
                           evtchn_port_t remote_port)
{
    return shim_result(loop_evtchn_bind(shim_loop(), xce->handle, domid,
                                        remote_port));
}

xenevtchn_port_or_error_t
xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
    return shim_result(loop_evtchn_virq(shim_loop(), xce->handle, virq));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
    return shim_result(loop_evtchn_unbind(shim_loop(), xce->handle, port));
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
    return shim_result(loop_evtchn_pending(shim_loop(), xce->handle));
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
    return shim_result(loop_evtchn_unmask(shim_loop(), xce->handle, port));
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
    return 0;
}
