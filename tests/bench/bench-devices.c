/*
 * Many devices: do more CPUs serve more of them, what do they cost when they
 * are silent, and does QEMU itself answer beside one that is flooded?
 *
 *     LOOP_BACKEND=... bench-devices scaling | idle | monitor
 *
 * A line of JSON each, of the whole or of a round: getattr a second of four
 * devices with sixteen in flight each; the CPU time of sixteen, in parts of a
 * CPU; how long QMP's query-status takes while a device has 64 walks of
 * sixteen names in flight.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <inttypes.h>
#include <stdio.h>

#include "devices.h"
#include "meter.h"
#include "qmp.h"

#define ROUNDS 5
#define ROUND_MS 500
#define IDLE_S 5

static void scaling(void)
{
    g_autofree Devices *d = g_new0(Devices, 1);

    devices_up(d, 4);
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned j = 0; j < d->count; j++) {
            devices_load(d, j, device_getattr, 16);
        }
        printf("{\"ops_per_s\": %.0f}\n", devices_measure(d, ROUND_MS, false));
        devices_finish(d);
    }
    devices_down(d);
}

static void idle(void)
{
    g_autofree Devices *d = g_new0(Devices, 1);
    Target target;
    MeterUse use;
    Meter meter;

    devices_up(d, 16);
    target = (Target) { .f = d->f };
    /* Each has had something to do; worker threads end ten seconds later. */
    for (unsigned i = 0; i < d->count; i++) {
        devices_load(d, i, device_getattr, 1);
    }
    devices_measure(d, ROUND_MS, false);
    devices_finish(d);
    g_usleep(12 * G_USEC_PER_SEC);
    meter_start(&meter, &target);
    g_usleep(IDLE_S * G_USEC_PER_SEC);
    meter_stop(&meter, &target, &use);
    printf("{\"cpu\": %.6f}\n", use.cpu_seconds / use.seconds);
    devices_down(d);
}

static void monitor(void)
{
    g_autofree Devices *d = g_new0(Devices, 1);
    g_autofree Histogram *answers = g_new0(Histogram, 1);
    Qmp *qmp;

    devices_up(d, 1);
    qmp = qmp_new(d->f);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t end = meter_now() + ROUND_MS * 1000000ull;

        histogram_clear(answers);
        devices_load(d, 0, device_walk, DEVICE_DEPTH);
        while (meter_now() < end) {
            uint64_t begin;

            /* The device is never without something to do. */
            devices_run(d, 1, false);
            begin = meter_now();
            g_free(qmp_run(qmp, "{\"execute\": \"query-status\"}"));
            histogram_add(answers, meter_now() - begin);
        }
        devices_finish(d);
        printf("{\"answers\": %" PRIu64 ", \"us_p50\": %.0f, "
               "\"us_p99\": %.0f}\n", answers->count,
               histogram_quantile(answers, 0.5),
               histogram_quantile(answers, 0.99));
    }
    qmp_free(qmp);
    devices_down(d);
}

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";

    if (g_str_equal(what, "scaling")) {
        scaling();
    } else if (g_str_equal(what, "idle")) {
        idle();
    } else if (g_str_equal(what, "monitor")) {
        monitor();
    } else {
        g_printerr("bench-devices scaling | idle | monitor\n");
        return 2;
    }
    return 0;
}
