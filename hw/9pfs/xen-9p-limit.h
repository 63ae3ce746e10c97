/*
 * Xen 9P backend: what a session may make QEMU keep for it
 *
 * The server keeps a structure and a path for each fid, and with some a
 * directory stream or the value of an extended attribute, and has no bound
 * for them but the client's wishes. Here is one: what would exceed it is
 * refused before the server sees it.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_LIMIT_H
#define HW_9PFS_XEN_9P_LIMIT_H

#include "hw/9pfs/xen-9p-claim.h"

/*
 * Fids of a session by default, and how many bytes they may take on average,
 * 336 now: what one that is not open takes whatever it is, and a short path.
 */
#define XEN_9P_LIMIT_FIDS       98304
#define XEN_9P_LIMIT_FID_BYTES  (XEN_9P_BYTES_FID + 40)

/* The largest request but for the payload of a Twrite. */
#define XEN_9P_LIMIT_MESSAGE    (16 * 1024)

typedef struct Xen9pLimit {
    int64_t max_fids;
    Xen9pBytes held;            /* by fids */
    Xen9pBytes asked;           /* at the most, by requests in flight */
    unsigned fids_asked;
    unsigned most_fids;         /* at the same time */
    size_t more;                /* of held.large: at the most, for renames */
    size_t longest;             /* no path is longer, with its 0 */
    bool told;                  /* the operator knows */
} Xen9pLimit;

/**
 * xen_9p_limit_check: whether a session may have what a request asks for
 * @limit: the session's
 * @s: its server
 * @msg: our own copy of the request, from its header on
 * @len: how much of it that is, all but the payload of a Twrite
 * @claim: set to what it asks for
 *
 * Returns: 0; the errno, negative, that the request is to be answered with; or
 * -EAGAIN, if that is not known until requests in flight have ended.
 */
int xen_9p_limit_check(Xen9pLimit *limit, V9fsState *s, const uint8_t *msg,
                       uint32_t len, Xen9pClaim *claim);

/**
 * xen_9p_limit_begin: the server gets a request
 * @limit: the session's
 * @claim: what the check has set; it is kept until the request ends
 */
void xen_9p_limit_begin(Xen9pLimit *limit, const Xen9pClaim *claim);

/**
 * xen_9p_limit_end: a request has ended: count what has come of it
 * @limit: the session's
 * @s: its server
 * @claim: as for xen_9p_limit_begin()
 */
void xen_9p_limit_end(Xen9pLimit *limit, V9fsState *s,
                      const Xen9pClaim *claim);

/**
 * xen_9p_limit_freed: the server frees a fid
 * @limit: the session's
 * @f: the fid
 */
void xen_9p_limit_freed(Xen9pLimit *limit, const V9fsFidState *f);

#endif
