/*
 * Latencies, counted so that quantiles are known to within 2 %
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "histogram.h"

#define SUB (1u << HISTOGRAM_SUB_BITS)

/*
 * Values below SUB have a bucket each. A larger one has that of its power of
 * two and of the HISTOGRAM_SUB_BITS bits that follow its highest.
 */
static uint32_t bucket_of(uint64_t ns)
{
    uint32_t shift, bucket;

    if (ns < SUB) {
        return ns;
    }
    shift = 63 - __builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    bucket = ((shift + 1) << HISTOGRAM_SUB_BITS) + ((ns >> shift) - SUB);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static double value_of(uint32_t bucket)
{
    uint32_t shift;
    uint64_t low;

    if (bucket < SUB) {
        return bucket;
    }
    shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
    low = (uint64_t)(SUB + bucket % SUB) << shift;
    return low + (double)(1ull << shift) / 2;
}

void histogram_clear(Histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(Histogram *histogram, uint64_t ns)
{
    histogram->buckets[bucket_of(ns)]++;
    histogram->count++;
}

double histogram_quantile(const Histogram *histogram, double q)
{
    uint64_t wanted = q * histogram->count, seen = 0;
    uint32_t bucket;

    for (bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > wanted) {
            return value_of(bucket) / 1000;
        }
    }
    return 0;
}
