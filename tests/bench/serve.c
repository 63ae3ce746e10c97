/*
 * Measurements on demand, from standard input
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sched.h>
#include <stdio.h>

#include "load.h"
#include "serve.h"

/* After an operation: with a slow fsync beside it. */
#define FSYNC "+fsync"

void serve_pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        g_error("there is no CPU %d", cpu);
    }
}

static void print_row(const Target *target, const LoadSpec *spec,
                      const LoadResult *r)
{
    double ops = MAX(r->ops, 1), seconds = r->use.seconds;
    double notifies = r->use.guest_notifies + r->use.backend_notifies;

    printf("{\"protocol\": \"%s\", \"op\": \"%s%s\", \"size\": %u, "
           "\"rings\": %d, \"order\": %d, \"depth\": %u, ",
           target->client->dotl ? "9P2000.L" : "9P2000.u", spec->op,
           spec->fsync ? FSYNC : "", r->size, target->rings, target->order,
           spec->depth);
    printf("\"ops_per_s\": %.1f, \"mb_per_s\": %.2f, "
           "\"lat_us_p50\": %.1f, \"lat_us_p99\": %.1f, ",
           r->ops / seconds, r->bytes / seconds / 1e6,
           histogram_quantile(&r->latency, 0.5),
           histogram_quantile(&r->latency, 0.99));
    printf("\"cpu_us_per_op\": %.2f, \"notify_per_op\": %.3f, "
           "\"notify_backend_per_op\": %.3f, \"grantops_per_op\": %.3f, "
           "\"messages_per_op\": %.2f}\n",
           r->use.cpu_seconds * 1e6 / ops, notifies / ops,
           r->use.backend_notifies / ops, r->use.grant_ops / ops,
           r->messages / ops);
}

static bool serve_line(Target *target, const char *line)
{
    g_autofree LoadResult *result = g_new0(LoadResult, 1);
    g_autofree char *op = g_malloc(strlen(line) + 1);
    LoadSpec spec = { .op = op };

    if (sscanf(line, "%s %u %u %u", op, &spec.size, &spec.depth,
               &spec.ms) != 4) {
        g_printerr("bench: what is '%s'?\n", line);
        return false;
    }
    spec.fsync = g_str_has_suffix(op, FSYNC);
    if (spec.fsync) {
        op[strlen(op) - strlen(FSYNC)] = '\0';
    }
    if (load_valid(target, &spec)) {
        load_run(target, &spec, result);
        print_row(target, &spec, result);
    } else {
        puts("null");
    }
    fflush(stdout);
    return true;
}

bool serve_lines(Target *target)
{
    char line[256];

    while (fgets(line, sizeof(line), stdin)) {
        if (!serve_line(target, g_strchomp(line))) {
            return false;
        }
    }
    return true;
}
