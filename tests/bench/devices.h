/*
 * Many devices of one guest on one backend, each with its own load
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_DEVICES_H
#define BENCH_DEVICES_H

#include <poll.h>

#include "fixture.h"
#include "histogram.h"

#define DEVICES_MAX 64
#define DEVICE_DEPTH 64

/* A request of some kind, not sent yet. */
typedef P9Req *DeviceRequest(P9Client *client);

typedef struct Device {
    Fe *fe;
    DeviceRequest *request;
    unsigned depth;             /* so many in flight */
    P9Req *reqs[DEVICE_DEPTH];
    uint64_t sent_ns[DEVICE_DEPTH];
} Device;

typedef struct Devices {
    Fixture *f;
    unsigned count;
    Device device[DEVICES_MAX];
    struct pollfd fds[DEVICES_MAX];
    /* Of those that are measured. */
    uint64_t ops;
    Histogram latency;
} Devices;

/*
 * device_getattr: Tgetattr of the share, Tstat in 9P2000.u.
 * device_walk: Twalk of sixteen names, of which the last is missing.
 */
DeviceRequest device_getattr, device_walk;

/*
 * devices_up: a backend with @count devices, connected, and what their
 *     requests need. Ends the process when it cannot.
 * devices_load: from now on device @i has @depth such requests in flight; 0:
 *     none.
 * devices_run: keep them there for so long. Device 0's replies are looked for
 *     now and then only, if it is @flooded, and not counted.
 * devices_measure: the same after a while; what the others get, in requests a
 *     second, and their latencies.
 * devices_finish: until no request is in flight.
 */
void devices_up(Devices *d, unsigned count);
void devices_down(Devices *d);
void devices_load(Devices *d, unsigned i, DeviceRequest *request,
                  unsigned depth);
void devices_run(Devices *d, double ms, bool flooded);
double devices_measure(Devices *d, double ms, bool flooded);
void devices_finish(Devices *d);

#endif
