/*
 * Is one device's load another's loss?
 *
 *     LOOP_BACKEND=... LOOP_WRAP="taskset -c 0" taskset -c 1 bench-fair
 *
 * All devices but the first have one getattr in flight each, always. Measured
 * is what they get while the first is silent, and while it has so many walks of
 * sixteen names in flight. A line of JSON a round.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "devices.h"

static int devices = 16, rounds = 5, ms = 500;

static const GOptionEntry options[] = {
    { "devices", 'd', 0, G_OPTION_ARG_INT, &devices, "how many [16]", "N" },
    { "rounds", 'r', 0, G_OPTION_ARG_INT, &rounds, "[5]", "N" },
    { "ms", 'm', 0, G_OPTION_ARG_INT, &ms, "of each measurement [500]", "MS" },
    { NULL }
};

/* What the others get; their latency in *p99. */
static double measure(Devices *d, bool flood, double *p99)
{
    double ops;

    devices_load(d, 0, device_walk, flood ? DEVICE_DEPTH : 0);
    for (unsigned i = 1; i < d->count; i++) {
        devices_load(d, i, device_getattr, 1);
    }
    ops = devices_measure(d, ms, true);
    *p99 = histogram_quantile(&d->latency, 0.99);
    devices_finish(d);
    return ops;
}

static void round_of(Devices *d)
{
    double quiet_p99, p99, quiet = measure(d, false, &quiet_p99);
    double flooded = measure(d, true, &p99);

    printf("{\"devices\": %d, \"quiet_ops_per_s\": %.0f, "
           "\"flooded_ops_per_s\": %.0f, \"kept\": %.3f, "
           "\"quiet_us_p99\": %.1f, \"flooded_us_p99\": %.1f}\n", devices,
           quiet, flooded, flooded / quiet, quiet_p99, p99);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autofree Devices *d = g_new0(Devices, 1);

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        devices < 2 || devices > DEVICES_MAX) {
        g_printerr("bench-fair: %s\n", error ? error->message :
                   "--devices: from 2 to 64");
        return 2;
    }
    devices_up(d, devices);
    for (int i = 0; i < rounds; i++) {
        round_of(d);
    }
    devices_down(d);
    return 0;
}
