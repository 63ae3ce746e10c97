/*
 * What a backend and a guest have used, between two moments
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_METER_H
#define BENCH_METER_H

#include <time.h>

#include "target.h"

typedef struct Meter {
    clockid_t clock;            /* of the backend's CPU time */
    uint64_t time_ns;
    uint64_t cpu_ns;
    LoopStats guest, backend;
} Meter;

/* The same, as differences. */
typedef struct MeterUse {
    double seconds;
    double cpu_seconds;
    uint64_t guest_notifies, backend_notifies;
    uint64_t grant_ops;         /* of the backend */
} MeterUse;

/*
 * meter_now: the time.
 * meter_start: remember what has been used until now.
 * meter_stop: what has been used since.
 */
uint64_t meter_now(void);
void meter_start(Meter *meter, const Target *target);
void meter_stop(const Meter *meter, const Target *target, MeterUse *use);

#endif
