/*
 * xen-virtfs: what QEMU has counted of a device
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_VIRTFS_STATS_H
#define XEN_VIRTFS_STATS_H

#include "device.h"
#include "json.h"
#include "qemu.h"

/* Times: by powers of two, the first is below 1024 ns. */
#define STATS_TIMES 24

/**
 * stats_get: as of now, to be freed; NULL if it has none
 */
Json *stats_get(QemuServer *qemu, const Device *dev);

/**
 * stats_number: one of its numbers; 0 where it is not there
 */
uint64_t stats_number(const Json *stats, const char *name);

/**
 * stats_below: a time that most of the requests took less than
 * @name: "server-time" or "queue-time"
 * @before: the same numbers of some time ago, whose requests do not count;
 *          or NULL
 * @percent: how many of the requests
 *
 * Returns: the time in words of up to 5 characters, to be freed; "-" where
 * there was no request.
 */
char *stats_below(const Json *stats, const Json *before, const char *name,
                  unsigned percent);

/**
 * stats_json: write them as a member of an object, null if @stats is NULL
 */
void stats_json(const Json *stats, GString *out);

/**
 * stats_print: write them as lines of text
 */
void stats_print(const Json *stats);

#endif
