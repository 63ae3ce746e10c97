/*
 * Loopback Xen: libxengnttab, and /dev/xen/gntdev behind it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>

#include "shim.h"

/* One mapping call; they outlive the handle, as memory areas do in Linux. */
typedef struct Mapping {
    struct Mapping *next;
    uint8_t *start;
    uint32_t count;
    uint32_t notify_offset;
    uint32_t tracks[];
} Mapping;

struct xengntdev_handle {
    int handle;
};

static pthread_mutex_t mappings_lock = PTHREAD_MUTEX_INITIALIZER;
static Mapping *mappings;

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned open_flags)
{
    xengnttab_handle *xgt;

    if (shim_fault(LOOP_FAULT_GNT_OPEN)) {
        return NULL;
    }
    xgt = calloc(1, sizeof(*xgt));
    if (!xgt) {
        return NULL;
    }
    xgt->handle = shim_result(loop_handle_open(shim_loop(),
                                               LOOP_HANDLE_GNTTAB,
                                               shim_domid()));
    if (xgt->handle < 0) {
        free(xgt);
        return NULL;
    }
    return xgt;
}

int xengnttab_close(xengnttab_handle *xgt)
{
    if (xgt) {
        loop_handle_close(shim_loop(), xgt->handle);
        free(xgt);
    }
    return 0;
}

int xengnttab_fd(xengnttab_handle *xgt)
{
    return loop_fd(shim_loop());
}

/* Linux has no such limit any more; it takes the call and ignores it. */
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    return 0;
}

static void unmap_tracks(int handle, const uint32_t *tracks, uint32_t count,
                         int16_t *worst)
{
    int16_t *status = calloc(count, sizeof(*status));
    uint32_t i;

    *worst = GNTST_okay;
    if (status) {
        loop_gnt_unmap(shim_loop(), handle, tracks, status, count);
        for (i = 0; i < count; i++) {
            if (status[i] != GNTST_okay) {
                *worst = status[i];
            }
        }
        free(status);
    }
}

/* Runs of consecutive pages become one mmap() each. */
static bool place_pages(uint8_t *start, const LoopMapOp *ops, uint32_t count,
                        int prot)
{
    uint32_t i, run;

    for (i = 0; i < count; i += run) {
        for (run = 1; i + run < count; run++) {
            if (ops[i + run].offset !=
                ops[i].offset + (off_t)run * LOOP_PAGE_SIZE) {
                break;
            }
        }
        if (mmap(start + (size_t)i * LOOP_PAGE_SIZE,
                 (size_t)run * LOOP_PAGE_SIZE, prot, MAP_SHARED | MAP_FIXED,
                 loop_fd(shim_loop()), ops[i].offset) == MAP_FAILED) {
            return false;
        }
    }
    return true;
}

/* The errno that the driver makes of a failed batch. */
static int batch_errno(const LoopMapOp *ops, uint32_t count)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (ops[i].status != GNTST_okay) {
            return ops[i].status == GNTST_eagain ? EAGAIN : EINVAL;
        }
    }
    return 0;
}

static void undo_batch(int handle, const LoopMapOp *ops, uint32_t count)
{
    int16_t worst;
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (ops[i].status == GNTST_okay) {
            unmap_tracks(handle, &ops[i].track, 1, &worst);
        }
    }
}

static void *map_ops(xengnttab_handle *xgt, LoopMapOp *ops, Mapping *mapping,
                     int prot)
{
    size_t size = (size_t)mapping->count * LOOP_PAGE_SIZE;
    uint32_t i;
    int error;

    if (shim_fault(LOOP_FAULT_GNT_MMAP)) {
        return NULL;
    }
    mapping->start = mmap(NULL, size, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping->start == MAP_FAILED) {
        return NULL;
    }
    loop_gnt_map(shim_loop(), xgt->handle, ops, mapping->count);
    error = batch_errno(ops, mapping->count);
    if (!error && !place_pages(mapping->start, ops, mapping->count, prot)) {
        error = errno;
    }
    if (error) {
        undo_batch(xgt->handle, ops, mapping->count);
        munmap(mapping->start, size);
        errno = error;
        return NULL;
    }
    for (i = 0; i < mapping->count; i++) {
        mapping->tracks[i] = ops[i].track;
    }
    pthread_mutex_lock(&mappings_lock);
    mapping->next = mappings;
    mappings = mapping;
    pthread_mutex_unlock(&mappings_lock);
    return mapping->start;
}

/* Domain @i's id is domids[i * stride], so that one can stand for all. */
static void *map_grants(xengnttab_handle *xgt, uint32_t count,
                        const uint32_t *domids, unsigned stride,
                        const uint32_t *refs, int prot,
                        uint32_t notify_offset)
{
    Mapping *mapping;
    LoopMapOp *ops;
    void *start = NULL;
    uint32_t i;

    if (!count || count > LOOP_MAX_GRANTS) {
        errno = EINVAL;
        return NULL;
    }
    ops = calloc(count, sizeof(*ops));
    mapping = calloc(1, sizeof(*mapping) + count * sizeof(uint32_t));
    if (ops && mapping) {
        for (i = 0; i < count; i++) {
            ops[i].domid = domids[i * stride];
            ops[i].ref = refs[i];
            ops[i].readonly = !(prot & PROT_WRITE);
        }
        mapping->count = count;
        mapping->notify_offset = notify_offset;
        start = map_ops(xgt, ops, mapping, prot);
    }
    if (!start) {
        free(mapping);
    }
    free(ops);
    return start;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid,
                              uint32_t ref, int prot)
{
    return map_grants(xgt, 1, &domid, 0, &ref, prot, -1);
}

void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count,
                               uint32_t *domids, uint32_t *refs, int prot)
{
    return map_grants(xgt, count, domids, 1, refs, prot, -1);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count,
                                      uint32_t domid, uint32_t *refs,
                                      int prot)
{
    return map_grants(xgt, count, &domid, 0, refs, prot, -1);
}

/* Clears the byte on unmap; the event is not raised: nobody here asks. */
void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid,
                                     uint32_t ref, int prot,
                                     uint32_t notify_offset,
                                     evtchn_port_t notify_port)
{
    return map_grants(xgt, 1, &domid, 0, &ref, prot, notify_offset);
}

/* Take the mapping that starts there out of the list, if sizes agree. */
static Mapping *take_mapping(void *start, uint32_t count)
{
    Mapping **link, *found = NULL;

    pthread_mutex_lock(&mappings_lock);
    for (link = &mappings; *link; link = &(*link)->next) {
        if ((*link)->start == start) {
            if ((*link)->count == count) {
                found = *link;
                *link = found->next;
            }
            break;
        }
    }
    pthread_mutex_unlock(&mappings_lock);
    return found;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address,
                    uint32_t count)
{
    Mapping *mapping = take_mapping(start_address, count);
    int16_t worst;

    if (!mapping) {
        errno = EINVAL;
        return -1;
    }
    if (mapping->notify_offset < count * LOOP_PAGE_SIZE) {
        mapping->start[mapping->notify_offset] = 0;
    }
    munmap(mapping->start, (size_t)count * LOOP_PAGE_SIZE);
    unmap_tracks(xgt->handle, mapping->tracks, count, &worst);
    free(mapping);
    if (worst != GNTST_okay) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* What the driver refuses before it asks the hypervisor. */
static bool segment_valid(const xengnttab_grant_copy_segment_t *seg)
{
    bool from = seg->flags & GNTCOPY_source_gref;
    bool to = seg->flags & GNTCOPY_dest_gref;

    if (!from && !to) {
        return false;
    }
    if (from && seg->source.foreign.offset + seg->len > LOOP_PAGE_SIZE) {
        return false;
    }
    return !to || seg->dest.foreign.offset + seg->len <= LOOP_PAGE_SIZE;
}

static void fill_op(LoopCopyOp *op, const xengnttab_grant_copy_segment_t *seg)
{
    bool to = seg->flags & GNTCOPY_dest_gref;

    op->to_grant = to;
    op->local = to ? seg->source.virt : seg->dest.virt;
    op->domid = to ? seg->dest.foreign.domid : seg->source.foreign.domid;
    op->ref = to ? seg->dest.foreign.ref : seg->source.foreign.ref;
    op->offset = to ? seg->dest.foreign.offset : seg->source.foreign.offset;
    op->len = seg->len;
}

/* Copies from grant to grant are refused: no backend here makes them. */
int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
                         xengnttab_grant_copy_segment_t *segs)
{
    const uint16_t both = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    LoopCopyOp *ops = calloc(count ? count : 1, sizeof(*ops));
    uint32_t i;

    if (!ops || shim_fault(LOOP_FAULT_GNT_COPY_CALL)) {
        free(ops);
        return -1;
    }
    for (i = 0; i < count; i++) {
        if (!segment_valid(&segs[i]) || (segs[i].flags & both) == both) {
            free(ops);
            errno = EINVAL;
            return -1;
        }
        fill_op(&ops[i], &segs[i]);
    }
    loop_gnt_copy(shim_loop(), xgt->handle, ops, count);
    for (i = 0; i < count; i++) {
        segs[i].status = ops[i].status;
    }
    free(ops);
    return 0;
}
