/*
 * xen-virtfs: what QEMU has counted of a device
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "describe.h"
#include "stats.h"

/* The numbers that QEMU has, and what they are called. */
static const struct {
    const char *name, *label;
} numbers[] = {
    { "rings", "rings" },
    { "msize", "msize" },
    { "requests", "requests" },
    { "bytes-received", "bytes received" },
    { "bytes-sent", "bytes sent" },
    { "errors", "errors" },
    { "in-flight", "in flight" },
    { "most-in-flight", "most in flight" },
    { "fids", "fids" },
    { "most-fids", "most fids" },
    { "replies-waited", "replies waited" },
    { "calls-in-place", "calls in place" },
    { "calls-in-workers", "calls in workers" },
    { "events", "events" },
    { "notifications", "notifications" },
    { "grants", "grants mapped" },
    { "grant-maps", "grant maps" },
    { "grant-unmaps", "grant unmaps" },
    { "grant-copies-from", "pages copied in" },
    { "grant-copies-to", "pages copied out" },
    { "stuck", "seconds in one call" },
};

static const char *const lists[] = {
    "operations", "server-time", "queue-time",
};

/* The backend's own object: it is there for libxl's devices as well. */
Json *stats_get(QemuServer *qemu, const Device *dev)
{
    g_autofree char *path = g_strdup_printf(
        "/machine/peripheral/xen-%s-%u", dev->type, dev->devid);

    return qemu_get(qemu, path, "stats", NULL);
}

uint64_t stats_number(const Json *stats, const char *name)
{
    uint64_t value;

    return json_number(json_get(stats, name), &value) ? value : 0;
}

/* ---- Times ---- */

static uint64_t time_number(const Json *stats, const char *name, unsigned at)
{
    const Json *list = json_get(stats, name);
    uint64_t value;

    return list && list->kind == JSON_ARRAY && at < list->values->len &&
        json_number(list->values->pdata[at], &value) ? value : 0;
}

/* The time that those of a place in the list are below. */
static char *time_text(unsigned at)
{
    static const char *const units[] = { "us", "ms", "s" };

    if (at == STATS_TIMES - 1) {
        return g_strdup("more");
    }
    return g_strdup_printf("%u%s", 1u << at % 10, units[at / 10]);
}

static uint64_t time_since(const Json *stats, const Json *before,
                           const char *name, unsigned at)
{
    uint64_t now = time_number(stats, name, at);
    uint64_t then = before ? time_number(before, name, at) : 0;

    return now > then ? now - then : 0;
}

char *stats_below(const Json *stats, const Json *before, const char *name,
                  unsigned percent)
{
    uint64_t all = 0, some = 0;
    unsigned at;

    for (at = 0; at < STATS_TIMES; at++) {
        all += time_since(stats, before, name, at);
    }
    if (all == 0) {
        return g_strdup("-");
    }
    for (at = 0; at < STATS_TIMES - 1; at++) {
        some += time_since(stats, before, name, at);
        if (some * 100 >= all * percent) {
            break;
        }
    }
    return time_text(at);
}

/* ---- Output ---- */

void stats_json(const Json *stats, GString *out)
{
    uint64_t value;
    unsigned i;

    json_add_name(out, "stats");
    g_string_append(out, stats ? "{" : "null");
    for (i = 0; stats && i < G_N_ELEMENTS(numbers); i++) {
        if (json_number(json_get(stats, numbers[i].name), &value)) {
            json_add_number(out, numbers[i].name, value);
        }
    }
    for (i = 0; stats && i < G_N_ELEMENTS(lists); i++) {
        const Json *list = json_get(stats, lists[i]);

        if (list) {
            json_add_name(out, lists[i]);
            json_add_value(out, list);
        }
    }
    g_string_append(out, stats ? "}" : "");
}

static void print_operations(const Json *operations)
{
    unsigned i;

    if (!operations || operations->kind != JSON_OBJECT ||
        operations->names->len == 0) {
        return;
    }
    printf("  %-16s %10s %14s %14s %8s\n", "operation", "requests",
           "bytes received", "bytes sent", "errors");
    for (i = 0; i < operations->names->len; i++) {
        const Json *one = operations->values->pdata[i];
        g_autofree char *name = describe_text(operations->names->pdata[i]);

        printf("  %-16s %10" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT
               " %14" G_GUINT64_FORMAT " %8" G_GUINT64_FORMAT "\n",
               name, (guint64)stats_number(one, "requests"),
               (guint64)stats_number(one, "bytes-received"),
               (guint64)stats_number(one, "bytes-sent"),
               (guint64)stats_number(one, "errors"));
    }
}

static void print_times(const Json *stats)
{
    bool head = false;
    unsigned at;

    for (at = 0; at < STATS_TIMES; at++) {
        uint64_t server = time_number(stats, "server-time", at);
        uint64_t queue = time_number(stats, "queue-time", at);
        g_autofree char *time = time_text(at);

        if (server == 0 && queue == 0) {
            continue;
        }
        if (!head) {
            printf("  %-16s %10s %14s\n", "time below", "in server",
                   "in queue");
            head = true;
        }
        printf("  %-16s %10" G_GUINT64_FORMAT " %14" G_GUINT64_FORMAT "\n",
               time, (guint64)server, (guint64)queue);
    }
}

void stats_print(const Json *stats)
{
    uint64_t value;
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(numbers); i++) {
        if (json_number(json_get(stats, numbers[i].name), &value)) {
            printf("  %-16s %" G_GUINT64_FORMAT "\n", numbers[i].label,
                   (guint64)value);
        }
    }
    print_operations(json_get(stats, "operations"));
    print_times(stats);
}
