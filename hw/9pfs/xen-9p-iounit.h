/*
 * How large the writes to a file may be, of a client whose ring is limited
 *
 * Pure: no device, no Xen call. Linux's frontend (up to 7.3 at least) waits
 * for room in its ring in a way that it is never woken from. So there is to
 * be room: the writes of all files that are open for writing fit into the
 * ring at once, if each file has one writer. A client keeps to the iounit
 * that the reply to an open has (9P2000: the largest number of bytes that
 * are read or written in one message).
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_IOUNIT_H
#define HW_9PFS_XEN_9P_IOUNIT_H

typedef struct Xen9pIounit {
    uint32_t ring;              /* bytes of the smallest one, 0: no bound */
    uint32_t taken;             /* by files with more than the least */
} Xen9pIounit;

/**
 * xen_9p_iounit_take: a file is opened for writing
 * @u: of the session
 * @most: the largest number of bytes that msize allows
 *
 * Each gets up to two thirds of what is left of half of the ring, and the
 * 128th part of the ring at the least, for which the other half is. In a ring
 * of 1 MiB that is 256 KiB for the first one, 128, 32, 32, 16, and 8 for all
 * others. One writer alone is as fast with 256 KiB as with more: a write of
 * 512 KiB takes two messages in either case.
 *
 * Returns: how much the client may write to it in one message.
 */
uint32_t xen_9p_iounit_take(Xen9pIounit *u, uint32_t most);

/**
 * xen_9p_iounit_give: such a file is closed
 * @u: of the session
 * @iounit: what it got
 */
void xen_9p_iounit_give(Xen9pIounit *u, uint32_t iounit);

#endif
