/*
 * Loopback Xen: what was called, and what is held
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "shm.h"

static const char *const call_names[LOOP_CALL_MAX] = {
    [LOOP_CALL_GNT_MAP] = "map",
    [LOOP_CALL_GNT_MAP_OPS] = "map ops",
    [LOOP_CALL_GNT_UNMAP] = "unmap",
    [LOOP_CALL_GNT_UNMAP_OPS] = "unmap ops",
    [LOOP_CALL_GNT_COPY] = "copy",
    [LOOP_CALL_GNT_COPY_OPS] = "copy ops",
    [LOOP_CALL_GNT_COPY_BYTES] = "copy bytes",
    [LOOP_CALL_GNT_FAILED] = "failed ops",
    [LOOP_CALL_EVTCHN_BIND] = "bind",
    [LOOP_CALL_EVTCHN_UNBIND] = "unbind",
    [LOOP_CALL_EVTCHN_NOTIFY] = "notify",
    [LOOP_CALL_EVTCHN_PENDING] = "pending",
    [LOOP_CALL_EVTCHN_UNMASK] = "unmask",
    [LOOP_CALL_XS] = "xenstore",
    [LOOP_CALL_OTHER] = "other",
};

const char *loop_call_name(LoopCall call)
{
    return call_names[call];
}

void loop_count(Loop *loop, LoopCall call, uint64_t n)
{
    if (n) {
        atomic_fetch_add_explicit(&loop->shm->procs[loop->proc].calls[call],
                                  n, memory_order_relaxed);
    }
}

static void count_ports(Loop *loop, pid_t pid, LoopStats *stats)
{
    LoopShm *shm = loop->shm;
    uint32_t i, port, handle;

    for (i = 0; i < LOOP_MAX_DOMAINS; i++) {
        for (port = 1; shm->domains[i].used && port < LOOP_MAX_PORTS;
             port++) {
            LoopPort *p = &shm->domains[i].ports[port];

            handle = p->handle;
            if (p->state != LOOP_PORT_FREE && handle &&
                (!pid || shm->procs[shm->handles[handle].proc].pid == pid)) {
                stats->ports++;
            }
        }
    }
}

void loop_stats(Loop *loop, pid_t pid, LoopStats *stats)
{
    LoopShm *shm = loop->shm;
    uint32_t i, call;

    memset(stats, 0, sizeof(*stats));
    loop_lock(loop);
    for (call = 0; call < LOOP_CALL_MAX; call++) {
        stats->calls[call] = pid ? 0 : shm->past_calls[call];
        for (i = 0; i < LOOP_MAX_PROCS; i++) {
            if (!pid || shm->procs[i].pid == pid) {
                stats->calls[call] += shm->procs[i].calls[call];
            }
        }
    }
    for (i = 1; i < shm->track_top; i++) {
        LoopTrack *track = &shm->tracks[i];

        if (track->used && (!pid || shm->procs[track->proc].pid == pid)) {
            stats->mapped++;
            stats->mapped_rw += !track->readonly;
        }
    }
    for (i = 1; i < LOOP_MAX_HANDLES; i++) {
        if (!pid || shm->procs[shm->handles[i].proc].pid == pid) {
            stats->handles[shm->handles[i].kind]++;
        }
    }
    count_ports(loop, pid, stats);
    loop_unlock(loop);
}

char *loop_leftovers(Loop *loop, pid_t pid, const LoopStats *before)
{
    LoopStats none = { 0 }, now;
    char *text;

    before = before ? before : &none;
    loop_stats(loop, pid, &now);
    if (now.mapped <= before->mapped && now.ports <= before->ports &&
        now.handles[LOOP_HANDLE_GNTTAB] <=
        before->handles[LOOP_HANDLE_GNTTAB] &&
        now.handles[LOOP_HANDLE_EVTCHN] <=
        before->handles[LOOP_HANDLE_EVTCHN]) {
        return NULL;
    }
    if (asprintf(&text, "process %d holds %u mapped grants, %u ports, "
                 "%u gnttab and %u evtchn handles; before: %u, %u, %u, %u",
                 (int)pid, now.mapped, now.ports,
                 now.handles[LOOP_HANDLE_GNTTAB],
                 now.handles[LOOP_HANDLE_EVTCHN],
                 before->mapped, before->ports,
                 before->handles[LOOP_HANDLE_GNTTAB],
                 before->handles[LOOP_HANDLE_EVTCHN]) < 0) {
        return NULL;
    }
    return text;
}
