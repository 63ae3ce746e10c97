/*
 * What a backend and a guest have used, between two moments
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <unistd.h>

#include "meter.h"

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    g_assert_cmpint(clock_gettime(clock, &now), ==, 0);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t meter_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void read_stats(const Target *target, LoopStats *guest,
                       LoopStats *backend)
{
    if (target->f) {
        loop_stats(target->f->loop, getpid(), guest);
        loop_stats(target->f->loop, target->f->backend_pid, backend);
    } else {
        memset(guest, 0, sizeof(*guest));
        memset(backend, 0, sizeof(*backend));
    }
}

void meter_start(Meter *meter, const Target *target)
{
    /* Counts the threads that have ended, too, and in nanoseconds. */
    pid_t pid = target->f ? target->f->backend_pid : getpid();

    g_assert_cmpint(clock_getcpuclockid(pid, &meter->clock), ==, 0);
    read_stats(target, &meter->guest, &meter->backend);
    meter->cpu_ns = read_clock(meter->clock);
    meter->time_ns = meter_now();
}

static uint64_t grant_ops(const LoopStats *stats)
{
    return stats->calls[LOOP_CALL_GNT_MAP_OPS] +
           stats->calls[LOOP_CALL_GNT_UNMAP_OPS] +
           stats->calls[LOOP_CALL_GNT_COPY_OPS];
}

static uint64_t notifies(const LoopStats *stats)
{
    return stats->calls[LOOP_CALL_EVTCHN_NOTIFY];
}

void meter_stop(const Meter *meter, const Target *target, MeterUse *use)
{
    LoopStats guest, backend;

    use->seconds = (meter_now() - meter->time_ns) / 1e9;
    use->cpu_seconds = (read_clock(meter->clock) - meter->cpu_ns) / 1e9;
    read_stats(target, &guest, &backend);
    use->guest_notifies = notifies(&guest) - notifies(&meter->guest);
    use->backend_notifies = notifies(&backend) - notifies(&meter->backend);
    use->grant_ops = grant_ops(&backend) - grant_ops(&meter->backend);
}
