/*
 * Xen 9P backend: access to a guest's pages
 *
 * A buffer is a list of segments of granted pages. Between begin and end it
 * can be read or written as an iovec, whichever of three ways is behind each
 * of its segments: a copy in our memory, a mapping of its own, or a mapping
 * that is kept for persistent grants.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_GRANT_H
#define HW_9PFS_XEN_9P_GRANT_H

#include "hw/9pfs/xen-9p-grant-cache.h"
#include "hw/9pfs/xen-9p-reply.h"
#include "hw/9pfs/xen-9p-stats.h"
#include "hw/xen/xen_backend_ops.h"

/* How many persistent grants stay mapped: 8 MiB. */
#define XEN_9P_GRANT_CACHE_MAX  2048

typedef enum Xen9pGrantPolicy {
    XEN_9P_GRANT_AUTO,          /* persistent ones stay mapped, others copied */
    XEN_9P_GRANT_COPY,
    XEN_9P_GRANT_MAP,
    XEN_9P_GRANT_CACHED,        /* persistent ones; map the others */
} Xen9pGrantPolicy;

/* The words for these, for a node: in their order, split by '|'. */
#define XEN_9P_GRANT_POLICIES   "auto|copy|map|cached"

typedef struct Xen9pSegment {
    uint32_t ref;
    uint16_t offset;
    uint16_t size;
    bool persistent;
    Xen9pCachedGrant *cached;   /* while it is accessed that way */
} Xen9pSegment;

typedef struct Xen9pBuffer {
    bool write;                 /* we write to the guest, else we read */
    size_t size;                /* of all segments */
    unsigned num;
    unsigned max;               /* elements of the arrays */
    Xen9pSegment *seg;

    /* While it is accessed: from its start, as much as was asked for. */
    unsigned used;              /* segments, 0: not accessed */
    size_t room;
    unsigned num_iov;
    struct iovec *iov;
    Xen9pReply *bounce;         /* of the segments that are copied */
    void *map;                  /* of those that are mapped */
    unsigned num_map;
    uint32_t *ref;
} Xen9pBuffer;

/* The pages of one guest as one connection sees them. */
typedef struct Xen9pGrants {
    xengnttab_handle *gnttab;
    uint32_t domid;
    Xen9pGrantPolicy policy;
    size_t in_use;              /* bytes of copies and mappings */
    Xen9pfsStatsGrants *stats;  /* what is done, for others */
    Xen9pReplyPool pool;
    Xen9pGrantCache cache;
    QEMUTimer *idle;
} Xen9pGrants;

/**
 * xen_9p_grants_init: be ready for buffers
 * @grants: to fill in
 * @ctx: the event loop that all its functions are called in
 * @domid: whose pages
 * @policy: which way
 * @stats: counts what is done
 *
 * Returns: 0, or -errno with nothing kept.
 */
int xen_9p_grants_init(Xen9pGrants *grants, AioContext *ctx, uint32_t domid,
                       Xen9pGrantPolicy policy,
                       Xen9pfsStatsGrants *stats);

/**
 * xen_9p_grants_fini: unmap and free all; may be called twice
 * @grants: with no buffer accessed
 */
void xen_9p_grants_fini(Xen9pGrants *grants);

/**
 * xen_9p_buffer_add: append a segment to a buffer that is not accessed
 * @buffer: the buffer
 * @seg: the segment, which is within its page
 */
void xen_9p_buffer_add(Xen9pBuffer *buffer, const Xen9pSegment *seg);

/**
 * xen_9p_buffer_fini: free a buffer that is not accessed; may be called twice
 * @buffer: the buffer, which is empty afterwards
 */
void xen_9p_buffer_fini(Xen9pBuffer *buffer);

/**
 * xen_9p_buffer_fits: whether what may be in use leaves room for a buffer
 * @grants: the guest's pages
 * @buffer: a buffer that is not accessed
 * @want: how many bytes of it will be
 *
 * One that is alone always fits.
 */
bool xen_9p_buffer_fits(const Xen9pGrants *grants, const Xen9pBuffer *buffer,
                        size_t want);

/**
 * xen_9p_buffer_begin: get access to the first bytes of a buffer
 * @grants: the guest's pages
 * @buffer: a buffer that is not accessed
 * @want: how many bytes, 1 to buffer->size
 *
 * Returns: 0 with buffer->iov set; -EFAULT if the guest has not granted it;
 * -EAGAIN if it may be worth another try.
 */
int xen_9p_buffer_begin(Xen9pGrants *grants, Xen9pBuffer *buffer, size_t want);

/**
 * xen_9p_buffer_end: end the access
 * @grants: the guest's pages
 * @buffer: a buffer, accessed or not
 * @written: how many bytes of it the guest is to see, from its start
 *
 * Returns: 0; -EFAULT if the guest has not granted it; or, with the buffer
 * still accessed, -EAGAIN if it may be worth another try. Never fails if
 * @written is 0.
 */
int xen_9p_buffer_end(Xen9pGrants *grants, Xen9pBuffer *buffer,
                      size_t written);

#endif
