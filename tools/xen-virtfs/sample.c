/*
 * xen-virtfs: all shares of the host at one moment, and what they do in a
 * second
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "domain.h"
#include "sample.h"

#define PERCENT 99

static void sample_free(Sample *sample)
{
    device_free(sample->dev);
    json_free(sample->stats);
    g_free(sample->domain);
    g_free(sample->server);
    g_free(sample->queue);
    g_free(sample);
}

/* The same share; NULL where there is none, or its guest has reconnected. */
static const Sample *find(const GPtrArray *all, const Sample *now)
{
    unsigned i;

    for (i = 0; all && i < all->len; i++) {
        const Sample *old = all->pdata[i];

        if (g_str_equal(old->dev->back, now->dev->back)) {
            return stats_number(now->stats, "requests") >=
                stats_number(old->stats, "requests") ? old : NULL;
        }
    }
    return NULL;
}

static uint64_t rate(const Sample *now, const Sample *old, const char *name)
{
    uint64_t value = stats_number(now->stats, name);
    uint64_t before = stats_number(old->stats, name);
    double seconds = (now->when - old->when) / (double)G_USEC_PER_SEC;

    return value > before && seconds > 0 ? (value - before) / seconds + 0.5
                                         : 0;
}

static void compare_to(Sample *now, const GPtrArray *before)
{
    const Sample *old = find(before, now);

    if (!now->stats || !old || !old->stats) {
        now->server = g_strdup("-");
        now->queue = g_strdup("-");
        return;
    }
    now->requests = rate(now, old, "requests");
    now->received = rate(now, old, "bytes-received");
    now->sent = rate(now, old, "bytes-sent");
    now->errors = rate(now, old, "errors");
    now->server = stats_below(now->stats, old->stats, "server-time", PERCENT);
    now->queue = stats_below(now->stats, old->stats, "queue-time", PERCENT);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a > b ? -1 : a < b;
}

static int compare(const void *one, const void *two)
{
    const Sample *a = *(const Sample *const *)one;
    const Sample *b = *(const Sample *const *)two;
    static const char *const then[] = { "in-flight", "requests" };
    int order = compare_numbers(stats_number(a->stats, "stuck"),
                                stats_number(b->stats, "stuck"));
    unsigned i;

    if (order == 0) {
        order = compare_numbers(a->requests, b->requests);
    }
    for (i = 0; order == 0 && i < G_N_ELEMENTS(then); i++) {
        order = compare_numbers(stats_number(a->stats, then[i]),
                                stats_number(b->stats, then[i]));
    }
    return order ? order : strcmp(a->dev->back, b->dev->back);
}

/* Those of one domain are next to each other, and have one QEMU. */
GPtrArray *sample_all(Host *host, const GPtrArray *before)
{
    g_autoptr(GPtrArray) devices = device_list(host, -1);
    GPtrArray *all = g_ptr_array_new_with_free_func(
        (GDestroyNotify)sample_free);
    g_autoptr(QemuServer) qemu = NULL;
    const Sample *last = NULL;

    while (devices->len) {
        Sample *now = g_new0(Sample, 1);

        now->dev = g_ptr_array_steal_index(devices, 0);
        now->domain = domain_name(host, now->dev->domid);
        if (!last || last->dev->domid != now->dev->domid) {
            g_clear_pointer(&qemu, qemu_free);
            qemu = qemu_find(host, now->dev->domid, NULL);
        }
        now->stats = qemu ? stats_get(qemu, now->dev) : NULL;
        now->when = g_get_monotonic_time();
        compare_to(now, before);
        g_ptr_array_add(all, now);
        last = now;
    }
    g_ptr_array_sort(all, compare);
    return all;
}
