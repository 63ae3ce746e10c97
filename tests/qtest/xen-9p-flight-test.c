/*
 * Many requests in flight: order, Tflush, full rings, partial messages
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "xen-9p-flight.h"

uint8_t *flight_open(Session *s)
{
    uint8_t *pattern = host_pattern(s, FLIGHT_FILE, FLIGHT_SIZE);

    open_at(s, 1, FLIGHT_FILE, s->fe->dotl ? P9_DOTL_RDONLY : P9_OREAD);
    return pattern;
}

P9Req *flight_read(Session *s, unsigned ring, uint64_t offset, uint32_t count)
{
    return tread({.fe = s->fe, .fid = 1, .offset = offset, .count = count,
                  .ring = P9_RING(ring), .tag = ring_tag(s->fe, ring),
                  .request_only = true});
}

void flight_expect(P9Req *req, const uint8_t *pattern, uint32_t count)
{
    const uint8_t *data;
    uint32_t got;

    g_assert_true(p9_req_expect(req, 0));
    g_assert_true(p9_unpack(&req->rx, "D", &got, &data));
    g_assert_cmpmem(data, got, pattern, count);
    g_assert_cmpuint(req->came_on, ==, req->ring);
    p9_req_free(req);
}

void flight_wait(P9Req *req)
{
    g_assert_true(p9_req_expect(req, 0));
    p9_req_free(req);
}

/* A share that takes five, or 500, reads a second. */
#define THROTTLED(iops) \
    .more = (const char *const[]) { "throttling/iops-read", iops, NULL }

static const Setup slow = { 2, 5, THROTTLED("5") };
static const Setup slowish = { 1, 5, THROTTLED("1000") };
static const Setup one_small = { 1, 1 };
static const Setup two_small = { 2, 1 };
static const Setup one = { 1, 5 };
static const Setup two = { 2, 5 };
static const Setup four = { 4, 5 };
static const Setup eight = { 8, 5 };
static const Setup two_large = { 2, 9 };
static const Setup eight_large = { 8, 9 };

static const struct {
    Case test;
    const Setup *setup[6];
} cases[] = {
    { { "counts", flight_counts, CASE_NINE },
      { &one, &two, &four, &eight, &two_large, &eight_large } },
    { { "mixed", flight_mixed },
      { &one_small, &two, &four, &eight, &two_large } },
    { { "overtaken/large", flight_overtaken, CASE_NINE }, { &two_large } },
    { { "overtaken/long", flight_overtaken_long, CASE_OURS }, { &slow } },
    { { "overtaken/ring-not-held-up", flight_ring_not_held_up, CASE_OURS },
      { &slow } },
    { { "flush/queued", flight_flush_queued, CASE_OURS }, { &slowish } },
    { { "flush/running", flight_flush_running, CASE_OURS }, { &slow } },
    { { "flush/race", flight_flush_race }, { &one, &two } },
    { { "flush/finished", flight_flush_finished }, { &one, &two } },
    { { "flush/other-ring", flight_flush_other_ring, CASE_OURS },
      { &slow } },
    { { "flush/other-ring-stalled", flight_flush_other_ring_stalled },
      { &two_small } },
    { { "full/in", flight_in_full, CASE_NINE | CASE_FLEX },
      { &one_small, &two_small, &two, &two_large } },
    { { "full/in-other-ring", flight_in_full_other_ring,
        CASE_NINE | CASE_FLEX },
      { &two_small, &two } },
    { { "full/in-budget", flight_in_full_budget, CASE_NINE | CASE_FLEX },
      { &one_small } },
    { { "full/out", flight_out_full, CASE_NINE | CASE_FLEX },
      { &one_small, &two_small, &two } },
    { { "full/slow-reader", flight_slow_reader, CASE_NINE | CASE_FLEX },
      { &one_small, &one } },
    { { "full/reply-larger-than-room", flight_reply_larger_than_room,
        CASE_NINE | CASE_FLEX }, { &one_small, &one } },
    { { "bytes/one-by-one", flight_byte_by_byte, CASE_NINE | CASE_FLEX },
      { &one_small, &two } },
    { { "bytes/split-anywhere", flight_split_anywhere, CASE_NINE | CASE_FLEX },
      { &one_small } },
    { { "bytes/wrap-anywhere", flight_wrap_anywhere, CASE_NINE | CASE_FLEX },
      { &one_small } },
    { { "bytes/wrap-large", flight_wrap_large, CASE_NINE | CASE_FLEX },
      { &one, &two } },
};

int main(int argc, char **argv)
{
    unsigned i, j;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (j = 0; j < G_N_ELEMENTS(cases[i].setup) && cases[i].setup[j];
             j++) {
            session_add("flight", &cases[i].test, cases[i].setup[j]);
        }
    }
    return g_test_run();
}
