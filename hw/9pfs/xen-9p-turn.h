/*
 * Xen 9P backend: devices of one QEMU take turns
 *
 * A device whose guest has always more to do must not take the main loop from
 * those that have little. While there are such, its turns are as long as
 * theirs, and between two of them there is time for one of each of them; where
 * one has become longer, because one call of the file system took so long, it
 * waits the longer for the next.
 *
 * Pure: no device, no clock of its own. Only for the main loop's thread.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_TURN_H
#define HW_9PFS_XEN_9P_TURN_H

/*
 * The longest turn, in nanoseconds, which a device has alone: in an HVM
 * guest's QEMU the main loop drives the guest's other devices.
 */
#define XEN_9P_TURN_MAX     (100 * 1000)
/* The shortest: less than one request saves nobody anything. */
#define XEN_9P_TURN_MIN     (5 * 1000)
/* A device that had no turn for so long, and could have had one, is idle. */
#define XEN_9P_TURN_RECENT  (200 * 1000)
/*
 * What a turn took too long, up to the limit, is waited for so many times for
 * each of the others.
 */
#define XEN_9P_TURN_WAIT    2
#define XEN_9P_TURN_DEBT    (500 * 1000)

typedef struct Xen9pTurn {
    int64_t end;                /* of the present turn; INT64_MAX: none */
    int64_t begun;              /* the present one, or the last */
    int64_t ended;              /* the last one */
    int64_t used;               /* by it */
    int64_t debt;               /* what it took too long */
    bool more;                  /* it did not get all it asked for */
} Xen9pTurn;

/**
 * xen_9p_turn_join: from now on the device takes turns with the others
 * @turn: the device's, all zeroes
 */
void xen_9p_turn_join(Xen9pTurn *turn);

/**
 * xen_9p_turn_leave: no longer; may be called again, and in a turn
 * @turn: the device's
 */
void xen_9p_turn_leave(Xen9pTurn *turn);

/**
 * xen_9p_turn_begin: a device has something to do
 * @turn: the device's
 * @now: what the clock shows, in nanoseconds
 *
 * Returns: 0 if it is its turn, until the clock shows @turn->end, though it may
 * always do one thing. Otherwise for how long it waits before it asks again.
 */
int64_t xen_9p_turn_begin(Xen9pTurn *turn, int64_t now);

/**
 * xen_9p_turn_end: the turn is over
 * @turn: the device's
 * @now: as for xen_9p_turn_begin()
 * @more: whether there is more to do already
 */
void xen_9p_turn_end(Xen9pTurn *turn, int64_t now, bool more);

/**
 * xen_9p_turn_alone: whether nobody waits for the end of a device's turn
 * @turn: the device's
 * @now: as for xen_9p_turn_begin()
 *
 * Returns: false where another device had a turn not long ago, or has more to
 * do.
 */
bool xen_9p_turn_alone(const Xen9pTurn *turn, int64_t now);

#endif
