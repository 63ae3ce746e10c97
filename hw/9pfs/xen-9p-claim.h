/*
 * Xen 9P backend: what a request may make the server keep
 *
 * Read from the request, before the server sees it.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_CLAIM_H
#define HW_9PFS_XEN_9P_CLAIM_H

#include "qemu/units.h"
#include "hw/9pfs/9p.h"

/* Of any fid but for its path: its state, and its entry in the hash table. */
#define XEN_9P_BYTES_FID        (ROUND_UP(sizeof(V9fsFidState) + 8, 16) + 24)

/* Of opendir(): glibc's buffer. */
#define XEN_9P_BYTES_STREAM     (32 * KiB + 64)

/*
 * Memory by the size of its blocks. Large ones have a bound of their own:
 * they do not fit where small ones were freed.
 */
typedef struct Xen9pBytes {
    size_t small;
    size_t large;
} Xen9pBytes;

/**
 * xen_9p_fid: the server's state of a fid
 * @s: the server
 * @fid: its number
 *
 * Returns: NULL if there is none.
 */
static inline V9fsFidState *xen_9p_fid(V9fsState *s, uint32_t fid)
{
    return g_hash_table_lookup(s->fids, GINT_TO_POINTER((int32_t)fid));
}

/* What a request may make the server keep. */
typedef struct Xen9pClaim {
    Xen9pBytes bytes;
    size_t renamed;             /* of bytes.large: for paths that it renames */
    bool makes_fid;
    unsigned num;
    uint32_t fids[2];           /* whose paths or kinds it may change */
} Xen9pClaim;

/* What a request renames, with all that is below. */
typedef struct Xen9pRename {
    char *old;                  /* its path, to be freed; NULL: nothing */
    size_t size;                /* of its new one, with its 0 */
} Xen9pRename;

/**
 * xen_9p_bytes_add_block: add a block of memory of malloc()
 * @bytes: what it is added to
 * @size: the block's, as it was asked for
 */
void xen_9p_bytes_add_block(Xen9pBytes *bytes, size_t size);

/**
 * xen_9p_bytes_add_fid: add what the server has for any fid
 * @bytes: what it is added to
 * @path: the size of its path, with its 0
 */
void xen_9p_bytes_add_fid(Xen9pBytes *bytes, size_t path);

/**
 * xen_9p_claim: what a request asks for, but for what it renames
 * @s: the server
 * @msg: our own copy of the request, from its header on
 * @len: how much of it that is, all but the payload of a Twrite
 * @claim: set to what it asks for
 * @rename: all zeroes; set where it renames something
 *
 * Returns: 0, or the errno, negative, that it is to be answered with.
 */
int xen_9p_claim(V9fsState *s, const uint8_t *msg, uint32_t len,
                 Xen9pClaim *claim, Xen9pRename *rename);

#endif
