/*
 * Latencies, counted so that quantiles are known to within 2 %
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6    /* buckets of one power of two: 64 */
#define HISTOGRAM_BUCKETS  (40 << HISTOGRAM_SUB_BITS)

typedef struct Histogram {
    uint64_t count;
    uint32_t buckets[HISTOGRAM_BUCKETS];
} Histogram;

/*
 * histogram_clear: back to nothing.
 * histogram_add: one value, in nanoseconds.
 * histogram_quantile: the value below which the share @q of all lies, in
 *     microseconds; 0 if there are none.
 */
void histogram_clear(Histogram *histogram);
void histogram_add(Histogram *histogram, uint64_t ns);
double histogram_quantile(const Histogram *histogram, double q);

#endif
