/*
 * xen-virtfs: all shares of the host at one moment, and what they do in a
 * second
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_SAMPLE_H
#define XEN_VIRTFS_SAMPLE_H

#include "stats.h"

typedef struct Sample {
    Device *dev;
    char *domain;               /* its name */
    gint64 when;                /* on the monotonic clock */
    Json *stats;                /* NULL: no QEMU of ours answers */

    /* Since the sample before it, for each second. */
    uint64_t requests, received, sent, errors;
    char *server, *queue;       /* what 99 % took less than, in words */
} Sample;

/**
 * sample_all: all shares as of now
 * @before: what this has returned the last time, or NULL
 *
 * Returns: an array of Sample, those first that an operator looks for first:
 * that wait for one call, that do most, that have done most.
 */
GPtrArray *sample_all(Host *host, const GPtrArray *before);

#endif
