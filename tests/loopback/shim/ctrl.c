/*
 * Loopback Xen: the parts of libxenctrl and libxentoolcore that QEMU and
 * xenstored call
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <string.h>
#include <xenctrl.h>
#include <xentoolcore.h>

#include "shim.h"

/* The handle is only ever passed back. */
static char dummy;

xc_interface *xc_interface_open(xentoollog_logger *logger,
                                xentoollog_logger *dombuild_logger,
                                unsigned open_flags)
{
    shim_loop();
    return (xc_interface *)&dummy;
}

int xc_interface_close(xc_interface *xch)
{
    return 0;
}

int xc_domain_getinfo_single(xc_interface *xch, uint32_t domid,
                             xc_domaininfo_t *info)
{
    Loop *loop = shim_loop();

    loop_count(loop, LOOP_CALL_OTHER, 1);
    if (!loop_domain_exists(loop, domid)) {
        errno = ESRCH;
        return -1;
    }
    if (info) {
        memset(info, 0, sizeof(*info));
        info->domain = domid;
        info->flags = loop_domain_is_shutdown(loop, domid) ?
                      XEN_DOMINF_shutdown : XEN_DOMINF_running;
        if (loop_domain_is_paused(loop, domid)) {
            info->flags |= XEN_DOMINF_paused;
        }
        info->tot_pages = loop_domain_pages(loop, domid);
        info->max_pages = info->tot_pages;
    }
    return 0;
}

int xc_domain_shutdown(xc_interface *xch, uint32_t domid, int reason)
{
    return shim_result(loop_domain_shutdown(shim_loop(), domid));
}

int xc_domain_populate_physmap_exact(xc_interface *xch, uint32_t domid,
                                     unsigned long nr_extents,
                                     unsigned int extent_order,
                                     unsigned int mem_flags,
                                     xen_pfn_t *extent_start)
{
    errno = ENOSYS;
    return -1;
}

int xc_get_hvm_param(xc_interface *handle, uint32_t dom, int param,
                     unsigned long *value)
{
    *value = 0;
    return 0;
}

int xc_set_hvm_param(xc_interface *handle, uint32_t dom, int param,
                     unsigned long value)
{
    return 0;
}

int xentoolcore_restrict_all(domid_t domid)
{
    return 0;
}
