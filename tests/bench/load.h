/*
 * One measurement: so many operations of a kind at once, for so long
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "histogram.h"
#include "meter.h"
#include "op.h"

#define LOAD_MAX_DEPTH 128

typedef struct LoadSpec {
    const char *op;             /* of op.h, or "mix" */
    bool fsync;                 /* a slow one is beside it all the time */
    uint32_t size;
    unsigned depth;
    unsigned ms;                /* to measure, after a fifth of it before */
} LoadSpec;

typedef struct LoadResult {
    uint32_t size;              /* that was asked for */
    uint64_t ops, messages, bytes;
    MeterUse use;
    Histogram latency;
} LoadResult;

/*
 * load_valid: whether there is such an operation, of this target and in the
 *     client's dialect.
 * load_run: measure; longer, where operations are. Ends the program when
 *     anything goes wrong.
 */
bool load_valid(const Target *target, const LoadSpec *spec);
void load_run(Target *target, const LoadSpec *spec, LoadResult *result);

#endif
