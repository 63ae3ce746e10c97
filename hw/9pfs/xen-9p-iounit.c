/*
 * How large the writes to a file may be, of a client whose ring is limited
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-iounit.h"

/* What a Twrite has before its data, and some more. */
#define HEAD        32
/* No file gets less, and for so many there is room, too. */
#define LEAST_MIN   512
#define LEAST_FILES 64

static uint32_t least(const Xen9pIounit *u)
{
    return MAX(u->ring / 128, LEAST_MIN);
}

/* For files that get more. A part of the ring is for other requests. */
static uint32_t pool(const Xen9pIounit *u)
{
    uint32_t others = LEAST_FILES * (least(u) + HEAD) + u->ring / 32;

    return u->ring > others ? u->ring - others : 0;
}

static uint32_t power_of_two_below(uint32_t number)
{
    uint32_t power = 1;

    while (power <= number / 2) {
        power *= 2;
    }
    return power;
}

uint32_t xen_9p_iounit_take(Xen9pIounit *u, uint32_t most)
{
    uint32_t part, iounit;

    if (u->ring == 0) {
        return most;
    }
    part = (uint64_t)(pool(u) - u->taken) * 2 / 3;
    iounit = most + HEAD <= part ? most : power_of_two_below(part);
    if (iounit <= least(u)) {
        return MIN(least(u), most);
    }
    u->taken += iounit + HEAD;
    return iounit;
}

void xen_9p_iounit_give(Xen9pIounit *u, uint32_t iounit)
{
    if (u->ring && iounit > least(u)) {
        u->taken -= iounit + HEAD;
    }
}
