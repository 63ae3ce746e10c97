/*
 * Xen 9P backend: devices of one QEMU take turns
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-turn.h"

static GPtrArray *turns;        /* of Xen9pTurn, or NULL */

void xen_9p_turn_join(Xen9pTurn *turn)
{
    turn->end = INT64_MAX;
    /* That of nobody: it is not recent. */
    turn->ended = INT64_MIN / 2;
    if (!turns) {
        turns = g_ptr_array_new();
    }
    g_ptr_array_add(turns, turn);
}

void xen_9p_turn_leave(Xen9pTurn *turn)
{
    turn->end = INT64_MAX;
    if (turns) {
        g_ptr_array_remove_fast(turns, turn);
    }
}

/* Whether a device takes turns, and gets all it asks for in them. */
static bool is_content(const Xen9pTurn *other, const Xen9pTurn *turn,
                       int64_t now)
{
    /* It could have had none while the last turn of @turn lasted. */
    if (other->ended < turn->ended) {
        now -= turn->used;
    }
    return other != turn && !other->more &&
        now - other->ended < XEN_9P_TURN_RECENT;
}

int64_t xen_9p_turn_begin(Xen9pTurn *turn, int64_t now)
{
    int64_t total = 0, wait = 0;
    unsigned num = 0;

    for (unsigned i = 0; i < turns->len; i++) {
        const Xen9pTurn *other = g_ptr_array_index(turns, i);

        if (is_content(other, turn, now)) {
            total += MIN(other->used, XEN_9P_TURN_MAX);
            num++;
        }
    }
    if (turn->more) {
        wait = turn->ended - now +
            MAX(total, turn->debt * XEN_9P_TURN_WAIT * num);
    }
    if (wait > 0) {
        return wait;
    }
    turn->debt = 0;
    turn->begun = now;
    turn->end = now + (num ? MAX(total / num, XEN_9P_TURN_MIN)
                           : XEN_9P_TURN_MAX);
    return 0;
}

void xen_9p_turn_end(Xen9pTurn *turn, int64_t now, bool more)
{
    turn->debt = more ? CLAMP(now - turn->end, 0, XEN_9P_TURN_DEBT) : 0;
    turn->used = now - turn->begun;
    turn->ended = now;
    turn->more = more;
    turn->end = INT64_MAX;
}

bool xen_9p_turn_alone(const Xen9pTurn *turn, int64_t now)
{
    for (unsigned i = 0; i < turns->len; i++) {
        const Xen9pTurn *other = g_ptr_array_index(turns, i);

        if (other != turn &&
            (other->more || now - other->ended < XEN_9P_TURN_RECENT)) {
            return false;
        }
    }
    return true;
}
