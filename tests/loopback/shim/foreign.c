/*
 * Loopback Xen: libxenforeignmemory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "shim.h"

struct xenforeignmemory_handle {
    int handle;
};

xenforeignmemory_handle *xenforeignmemory_open(
    struct xentoollog_logger *logger, unsigned open_flags)
{
    xenforeignmemory_handle *fmem = calloc(1, sizeof(*fmem));

    if (fmem) {
        fmem->handle = loop_handle_open(shim_loop(), LOOP_HANDLE_FOREIGN,
                                        shim_domid());
    }
    return fmem;
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
    if (fmem) {
        loop_handle_close(shim_loop(), fmem->handle);
        free(fmem);
    }
    return 0;
}

/* Map one page there; 0 or a negative errno, as the driver reports it. */
static int map_page(uint8_t *where, uint32_t dom, int prot, xen_pfn_t gfn)
{
    off_t offset = loop_page_offset(shim_loop(), dom, gfn);

    if (offset < 0) {
        return offset;
    }
    return mmap(where, LOOP_PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED,
                loop_fd(shim_loop()), offset) == MAP_FAILED ? -errno : 0;
}

void *xenforeignmemory_map2(xenforeignmemory_handle *fmem, uint32_t dom,
                            void *addr, int prot, int flags, size_t pages,
                            const xen_pfn_t arr[], int err[])
{
    size_t size = pages * LOOP_PAGE_SIZE, i;
    uint8_t *start;
    int error, failed = 0;

    loop_count(shim_loop(), LOOP_CALL_OTHER, 1);
    if (!loop_domain_exists(shim_loop(), dom)) {
        errno = ESRCH;
        return NULL;
    }
    start = mmap(addr, size, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    for (i = 0; i < pages; i++) {
        error = map_page(start + i * LOOP_PAGE_SIZE, dom, prot, arr[i]);
        failed = error ? error : failed;
        if (err) {
            err[i] = error;
        }
    }
    if (failed && !err) {
        munmap(start, size);
        errno = -failed;
        return NULL;
    }
    return start;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t dom,
                           int prot, size_t pages, const xen_pfn_t arr[],
                           int err[])
{
    return xenforeignmemory_map2(fmem, dom, NULL, prot, 0, pages, arr, err);
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
                           size_t pages)
{
    return munmap(addr, pages * LOOP_PAGE_SIZE);
}

xenforeignmemory_resource_handle *xenforeignmemory_map_resource(
    xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
    unsigned int id, unsigned long frame, unsigned long nr_frames,
    void **paddr, int prot, int flags)
{
    errno = EOPNOTSUPP;
    return NULL;
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
                                    xenforeignmemory_resource_handle *fres)
{
    return 0;
}
