/*
 * Xen 9P backend: access to a guest's pages
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "block/aio.h"
#include "qemu/error-report.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "hw/9pfs/xen-9p-grant.h"
#include "hw/xen/io/virtfs.h"
#include "trace.h"

/* Copies and mappings of one connection, and memory that it keeps. */
#define IN_USE_MAX          (12 * MiB)
#define POOL_IDLE_MAX       (4 * MiB)

/*
 * A persistent grant that was not used for IDLE_MS is unmapped, so that
 * those of a guest that is quiet cost nothing. Where there is no room for
 * one more, the oldest goes if it has not been used for BUSY_MS. Otherwise a
 * guest that uses more pages in turn than there is room for would have each
 * of them mapped and unmapped every time.
 */
#define IDLE_MS             (10 * 1000)
#define BUSY_MS             100

/* How many are unmapped before the event loop gets its turn. */
#define IDLE_BATCH          128
#define IDLE_BATCH_MS       10

static int64_t now_ms(void)
{
    return qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
}

static void *map(Xen9pGrants *grants, uint32_t *ref, unsigned num, int prot)
{
    void *pages = qemu_xen_gnttab_map_refs(grants->gnttab, num, grants->domid,
                                           ref, prot);

    if (pages) {
        xen_9pfs_stats_map(grants->stats, num);
    }
    return pages;
}

static void unmap(Xen9pGrants *grants, void *pages, uint32_t *ref,
                  unsigned num)
{
    xen_9pfs_stats_unmap(grants->stats, num);
    if (qemu_xen_gnttab_unmap(grants->gnttab, pages, ref, num) < 0) {
        warn_report_once("xen 9p of domain %" PRIu32 ": cannot unmap %u "
                         "pages: %s", grants->domid, num, strerror(errno));
    }
}

/* How much of a segment is within the first @left bytes, which go down. */
static size_t take_bytes(const Xen9pSegment *seg, size_t *left)
{
    size_t len = MIN(seg->size, *left);

    *left -= len;
    return len;
}

/* ---- Persistent grants ---- */

static bool cache_drop(Xen9pGrants *grants, int64_t before)
{
    Xen9pCachedGrant *grant = xen_9p_grant_cache_take(&grants->cache, before);

    if (!grant) {
        return false;
    }
    trace_xen_9pfs_grant_drop(grants->domid, grant->ref);
    unmap(grants, grant->page, &grant->ref, 1);
    g_free(grant);
    return true;
}

static void cache_idle(void *opaque)
{
    Xen9pGrants *grants = opaque;
    int64_t now = now_ms();
    unsigned num = 0;

    while (num < IDLE_BATCH && cache_drop(grants, now - IDLE_MS)) {
        num++;
    }
    if (xen_9p_grant_cache_size(&grants->cache) > 0) {
        timer_mod(grants->idle, now + (num == IDLE_BATCH ? IDLE_BATCH_MS
                                                         : IDLE_MS / 2));
    }
}

/* NULL: it has to be accessed in another way. */
static Xen9pCachedGrant *cache_map(Xen9pGrants *grants, uint32_t ref)
{
    int64_t now = now_ms();
    void *page;

    if (xen_9p_grant_cache_full(&grants->cache) &&
        !cache_drop(grants, now - BUSY_MS)) {
        return NULL;
    }
    page = map(grants, &ref, 1, PROT_READ | PROT_WRITE);
    if (!page) {
        return NULL;
    }
    trace_xen_9pfs_grant_keep(grants->domid, ref);
    if (!timer_pending(grants->idle)) {
        timer_mod(grants->idle, now + IDLE_MS / 2);
    }
    return xen_9p_grant_cache_add(&grants->cache, ref, page);
}

/* The mapping that is kept of a segment's page, made if @may_map; or NULL. */
static Xen9pCachedGrant *cache_get(Xen9pGrants *grants,
                                   const Xen9pSegment *seg, bool may_map)
{
    Xen9pCachedGrant *grant;

    if (!seg->persistent || (grants->policy != XEN_9P_GRANT_AUTO &&
                             grants->policy != XEN_9P_GRANT_CACHED)) {
        return NULL;
    }
    grant = xen_9p_grant_cache_get(&grants->cache, seg->ref);
    return grant || !may_map ? grant : cache_map(grants, seg->ref);
}

/* After a copy to these pages: they are likely to carry more. */
static void cache_written(Xen9pGrants *grants, Xen9pBuffer *buffer,
                          size_t written)
{
    for (unsigned i = 0; i < buffer->used && written > 0; i++) {
        Xen9pSegment *seg = &buffer->seg[i];

        take_bytes(seg, &written);
        if (!seg->cached) {
            seg->cached = cache_get(grants, seg, true);
        }
    }
}

/* ---- Connection ---- */

int xen_9p_grants_init(Xen9pGrants *grants, AioContext *ctx, uint32_t domid,
                       Xen9pGrantPolicy policy,
                       Xen9pfsStatsGrants *stats)
{
    xengnttab_handle *gnttab = qemu_xen_gnttab_open();

    if (!gnttab) {
        return -errno;
    }
    *grants = (Xen9pGrants) {
        .gnttab = gnttab,
        .domid = domid,
        .policy = policy,
        .stats = stats,
    };
    xen_9p_reply_pool_init(&grants->pool, POOL_IDLE_MAX);
    xen_9p_grant_cache_init(&grants->cache, XEN_9P_GRANT_CACHE_MAX);
    grants->idle = aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_MS,
                                 cache_idle, grants);
    return 0;
}

void xen_9p_grants_fini(Xen9pGrants *grants)
{
    if (!grants->gnttab) {
        return;
    }
    timer_free(grants->idle);
    while (cache_drop(grants, INT64_MAX)) {
        /* all of them */
    }
    xen_9p_grant_cache_fini(&grants->cache);
    xen_9p_reply_pool_fini(&grants->pool);
    qemu_xen_gnttab_close(grants->gnttab);
    grants->gnttab = NULL;
}

/* ---- Segments of a buffer ---- */

void xen_9p_buffer_add(Xen9pBuffer *buffer, const Xen9pSegment *seg)
{
    if (buffer->num == buffer->max) {
        buffer->max = MAX(8, buffer->max * 2);
        buffer->seg = g_renew(Xen9pSegment, buffer->seg, buffer->max);
        buffer->iov = g_renew(struct iovec, buffer->iov, buffer->max);
        buffer->ref = g_renew(uint32_t, buffer->ref, buffer->max);
    }
    buffer->seg[buffer->num++] = *seg;
    buffer->size += seg->size;
}

void xen_9p_buffer_fini(Xen9pBuffer *buffer)
{
    g_free(buffer->seg);
    g_free(buffer->iov);
    g_free(buffer->ref);
    *buffer = (Xen9pBuffer) { .write = buffer->write };
}

/* As a copy or as pages that are mapped, whichever is more. */
bool xen_9p_buffer_fits(const Xen9pGrants *grants, const Xen9pBuffer *buffer,
                        size_t want)
{
    size_t pages = 0, left = want;

    for (unsigned i = 0; left > 0; i++) {
        take_bytes(&buffer->seg[i], &left);
        pages += XEN_VIRTFSIF_PAGE_SIZE;
    }
    return grants->in_use == 0 ||
        grants->in_use + MAX(pages, xen_9p_reply_cost(want)) <= IN_USE_MAX;
}

/* ---- Copying ---- */

static int copy_result(int ret)
{
    switch (ret) {
    case 0:
        return 0;
    case -EIO:                  /* the status of one operation */
    case -EINVAL:
    case -EFAULT:
        return -EFAULT;
    default:
        return -EAGAIN;
    }
}

/*
 * Copy the first @size bytes, as far as they are not mapped, in one batch
 * between the guest and buffer->bounce.
 */
static int copy_batch(Xen9pGrants *grants, Xen9pBuffer *buffer, size_t size)
{
    g_autofree XenGrantCopySegment *op = g_new0(XenGrantCopySegment,
                                                buffer->used);
    uint8_t *local = buffer->bounce->data;
    unsigned num = 0;

    for (unsigned i = 0; i < buffer->used && size > 0; i++) {
        const Xen9pSegment *seg = &buffer->seg[i];
        size_t len = take_bytes(seg, &size);

        if (seg->cached) {
            continue;
        }
        op[num].len = len;
        if (buffer->write) {
            op[num].source.virt = local;
            op[num].dest.foreign.ref = seg->ref;
            op[num].dest.foreign.offset = seg->offset;
        } else {
            op[num].dest.virt = local;
            op[num].source.foreign.ref = seg->ref;
            op[num].source.foreign.offset = seg->offset;
        }
        local += len;
        num++;
    }
    if (num == 0) {
        return 0;
    }
    xen_9pfs_stat_add(buffer->write ? &grants->stats->copies_to
                                    : &grants->stats->copies_from, num);
    return copy_result(qemu_xen_gnttab_grant_copy(grants->gnttab,
                                                  buffer->write,
                                                  grants->domid, op, num,
                                                  NULL));
}

static int begin_copy(Xen9pGrants *grants, Xen9pBuffer *buffer, size_t size)
{
    buffer->bounce = xen_9p_reply_new(&grants->pool, size);
    grants->in_use += xen_9p_reply_cost(size);
    return buffer->write ? 0 : copy_batch(grants, buffer, buffer->room);
}

/* ---- Mapping ---- */

static bool begin_map(Xen9pGrants *grants, Xen9pBuffer *buffer)
{
    unsigned num = 0;

    for (unsigned i = 0; i < buffer->used; i++) {
        if (!buffer->seg[i].cached) {
            buffer->ref[num++] = buffer->seg[i].ref;
        }
    }
    buffer->map = map(grants, buffer->ref, num,
                      buffer->write ? PROT_READ | PROT_WRITE : PROT_READ);
    if (!buffer->map) {
        trace_xen_9pfs_grant_no_map(grants->domid, num, errno);
        return false;
    }
    buffer->num_map = num;
    grants->in_use += (size_t)num * XEN_VIRTFSIF_PAGE_SIZE;
    return true;
}

/* ---- Access ---- */

/* What is next to each other in memory is one element. */
static void iov_append(Xen9pBuffer *buffer, void *base, size_t len)
{
    struct iovec *last = buffer->num_iov ? &buffer->iov[buffer->num_iov - 1]
                                         : NULL;

    if (last && last->iov_base + last->iov_len == base) {
        last->iov_len += len;
    } else {
        buffer->iov[buffer->num_iov++] = (struct iovec) { base, len };
    }
}

static void fill_iov(Xen9pBuffer *buffer)
{
    uint8_t *bounce = buffer->bounce ? buffer->bounce->data : NULL;
    uint8_t *page = buffer->map;
    size_t left = buffer->room;

    buffer->num_iov = 0;
    for (unsigned i = 0; i < buffer->used; i++) {
        const Xen9pSegment *seg = &buffer->seg[i];
        size_t len = take_bytes(seg, &left);

        if (seg->cached) {
            iov_append(buffer, seg->cached->page + seg->offset, len);
        } else if (bounce) {
            iov_append(buffer, bounce, len);
            bounce += len;
        } else {
            iov_append(buffer, page + seg->offset, len);
            page += XEN_VIRTFSIF_PAGE_SIZE;
        }
    }
}

static void release(Xen9pGrants *grants, Xen9pBuffer *buffer)
{
    int64_t now = now_ms();

    for (unsigned i = 0; i < buffer->used; i++) {
        if (buffer->seg[i].cached) {
            xen_9p_grant_cache_put(&grants->cache, buffer->seg[i].cached, now);
            buffer->seg[i].cached = NULL;
        }
    }
    if (buffer->map) {
        unmap(grants, buffer->map, buffer->ref, buffer->num_map);
        grants->in_use -= (size_t)buffer->num_map * XEN_VIRTFSIF_PAGE_SIZE;
        buffer->map = NULL;
    }
    if (buffer->bounce) {
        grants->in_use -= xen_9p_reply_cost(buffer->bounce->size);
        xen_9p_reply_free(&grants->pool, buffer->bounce);
        buffer->bounce = NULL;
    }
    buffer->used = 0;
    buffer->num_iov = 0;
}

int xen_9p_buffer_begin(Xen9pGrants *grants, Xen9pBuffer *buffer, size_t want)
{
    /*
     * There is often room for a much longer reply than there will be: its
     * pages are mapped when they have carried something.
     */
    bool may_map = !buffer->write || grants->policy != XEN_9P_GRANT_AUTO;
    size_t left = want, rest = 0;
    int ret = 0;

    buffer->room = want;
    for (buffer->used = 0; left > 0; buffer->used++) {
        Xen9pSegment *seg = &buffer->seg[buffer->used];
        size_t len = take_bytes(seg, &left);

        seg->cached = cache_get(grants, seg, may_map);
        rest += seg->cached ? 0 : len;
    }
    if (rest > 0) {
        /*
         * A copy is one hypercall; a mapping is two, two system calls more,
         * and the TLB flush of the unmap, which costs more at any size that
         * was measured.
         */
        if (grants->policy == XEN_9P_GRANT_AUTO ||
            grants->policy == XEN_9P_GRANT_COPY) {
            ret = begin_copy(grants, buffer, rest);
        } else {
            ret = begin_map(grants, buffer) ? 0 : -EAGAIN;
        }
    }
    if (ret < 0) {
        release(grants, buffer);
        return ret;
    }
    fill_iov(buffer);
    trace_xen_9pfs_grant_begin(grants->domid, buffer->write, want,
                               buffer->used, rest,
                               buffer->bounce ? "copy" : "map");
    return 0;
}

int xen_9p_buffer_end(Xen9pGrants *grants, Xen9pBuffer *buffer,
                      size_t written)
{
    int ret = 0;

    if (buffer->write && buffer->bounce && written > 0) {
        ret = copy_batch(grants, buffer, written);
        if (ret == 0) {
            cache_written(grants, buffer, written);
        }
    }
    if (ret != -EAGAIN) {
        release(grants, buffer);
    }
    return ret;
}
