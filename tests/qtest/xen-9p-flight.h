/*
 * Xen 9P tests: many requests in flight
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef XEN_9P_FLIGHT_H
#define XEN_9P_FLIGHT_H

#include "xen-9p-session.h"

#define FLIGHT_FILE "pattern"
#define FLIGHT_SIZE (1024 * 1024)

/*
 * flight_open: a file of FLIGHT_SIZE bytes, open at fid 1; returns them, to
 *     be freed.
 * flight_read: ask for @count bytes at @offset on a ring.
 * flight_expect: wait for such a read's reply, compare it with @pattern (of
 *     the file, at the same offset), forget it.
 * flight_wait: wait for a reply that is no error, and forget it.
 */
uint8_t *flight_open(Session *s);
P9Req *flight_read(Session *s, unsigned ring, uint64_t offset, uint32_t count);
void flight_expect(P9Req *req, const uint8_t *pattern, uint32_t count);
void flight_wait(P9Req *req);

/* xen-9p-flight-many.c */
void flight_counts(Session *s);
void flight_mixed(Session *s);
void flight_overtaken(Session *s);
void flight_overtaken_long(Session *s);
void flight_ring_not_held_up(Session *s);

/* xen-9p-flight-flush.c */
void flight_flush_queued(Session *s);
void flight_flush_running(Session *s);
void flight_flush_race(Session *s);
void flight_flush_finished(Session *s);
void flight_flush_other_ring(Session *s);
void flight_flush_other_ring_stalled(Session *s);
void flight_flush_each_other(Session *s);

/* xen-9p-flight-full.c */
void flight_in_full(Session *s);
void flight_in_full_other_ring(Session *s);
void flight_in_full_budget(Session *s);
void flight_out_full(Session *s);
void flight_slow_reader(Session *s);
void flight_reply_larger_than_room(Session *s);

/* xen-9p-flight-bytes.c */
void flight_byte_by_byte(Session *s);
void flight_split_anywhere(Session *s);
void flight_wrap_anywhere(Session *s);
void flight_wrap_large(Session *s);

#endif
