/*
 * One device from the toolstack's and the guest's side, for the fuzzer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <sys/stat.h>
#include <unistd.h>

#include "core/account.h"
#include "core/fault.h"
#include "device.h"
#include "host.h"
#include "share.h"
#include "store.h"

#define DOMAIN_PAGES 8192

static char *loop_path, *share_path, *closed_path;
static LoopStats idle;

/* What the input may choose for the backend's nodes. */
static const char *const models[] = {
    "none", "mapped-xattr", "mapped-file", "passthrough", "mapped", "",
    "other",
};

static const char *const options[] = {
    "readonly", "multidevs", "writeout", "fmode", "dmode", "max_xattr",
    "throttling/bps-total", "throttling/bps-read", "throttling/iops-total",
    "throttling/iops-size", "throttling/bps-total-max",
    "throttling/bps-total-max-length",
};

static const char *const values[] = {
    "on", "off", "1", "0", "remap", "forbid", "warn", "immediate", "0644",
    "0777", "1000000000", "-1", "4294967296", "x", "",
};

static void cleanup(void)
{
    loop_remove(loop_path);
    share_remove(share_path);
    share_remove(closed_path);
}

static void settle_idle(Device *d)
{
    host_settle();
    loop_stats(d->loop, getpid(), &idle);
}

void device_init(Device *d)
{
    g_autofree char *dir = g_dir_make_tmp("fuzz-XXXXXX", NULL);
    unsigned i;

    g_assert_nonnull(dir);
    loop_path = g_build_filename(dir, "xen", NULL);
    share_path = g_build_filename(dir, "share", NULL);
    closed_path = g_build_filename(dir, "closed", NULL);
    g_assert(mkdir(closed_path, 0) == 0);
    d->loop = loop_create(loop_path);
    g_assert_nonnull(d->loop);
    g_assert(loop_domain_create(d->loop, DEVICE_DOMID, DOMAIN_PAGES) == 0);
    g_setenv("XEN_LOOPBACK", loop_path, true);
    store_write("domid", "0");
    store_write("/local/domain/7/domid", "7");
    host_init("7");
    atexit(cleanup);
    d->handle = loop_evtchn_open(d->loop, DEVICE_DOMID, true);
    for (i = 0; i < DEVICE_RINGS; i++) {
        d->ports[i] = loop_evtchn_alloc(d->loop, d->handle, 0);
        g_assert_cmpint(d->ports[i], >=, 0);
    }
    settle_idle(d);
}

static void write_back(const char *node, const char *value)
{
    g_autofree char *path = g_strconcat(DEVICE_BACK "/", node, NULL);

    store_write(path, value);
}

static void write_front(const char *node, unsigned number)
{
    g_autofree char *path = g_strconcat(DEVICE_FRONT "/", node, NULL);
    g_autofree char *value = g_strdup_printf("%u", number);

    store_write(path, value);
}

void device_state(int state)
{
    write_front("state", state);
}

/* The share, mostly; or what is no absolute path of a folder. */
static void write_path(uint8_t choice)
{
    switch (choice) {
    case 0xfb:
        write_back("path", closed_path);
        break;
    case 0xfc:
        write_back("path", "/no/such/folder");
        break;
    case 0xfd:
        write_back("path", "relative");
        break;
    case 0xfe:
        write_back("path", "");
        break;
    case 0xff:
        break;
    default:
        write_back("path", share_path);
        break;
    }
}

void device_add(Device *d, Input *in)
{
    uint8_t model = input_u8(in), count;

    share_reset(share_path);
    store_write(DEVICE_FRONT, "");
    store_write(DEVICE_FRONT "/backend", DEVICE_BACK);
    store_write(DEVICE_FRONT "/tag", "share");
    device_state(XenbusStateInitialising);
    store_write(DEVICE_BACK, "");
    store_write(DEVICE_BACK "/frontend", DEVICE_FRONT);
    store_write(DEVICE_BACK "/frontend-id", "7");
    store_write(DEVICE_BACK "/online", "1");
    store_write(DEVICE_BACK "/state", "1");
    write_back("security_model",
               model < 0xe0 ? "none" : models[model % G_N_ELEMENTS(models)]);
    write_path(input_u8(in));
    count = input_u8(in);
    for (count = count < 0xe0 ? 0 : count % 8; count; count--) {
        const char *option = options[input_u8(in) % G_N_ELEMENTS(options)];

        write_back(option, values[input_u8(in) % G_N_ELEMENTS(values)]);
    }
}

/* Where a ring's indices begin: anywhere, as long as both ends are there. */
static void set_start(Flex *ring, uint32_t start)
{
    ring->intf->out_cons = ring->intf->out_prod = ring->out_prod = start;
    ring->intf->in_cons = ring->intf->in_prod = ring->in_cons = start;
}

void device_connect(Device *d, Input *in)
{
    uint8_t shape = input_u8(in), order = input_u8(in) % 16;
    uint32_t start = shape & 0x80 ? -input_u8(in) : 0;
    unsigned i;

    device_drop_rings(d);
    d->nr_rings = shape % DEVICE_RINGS + 1;
    d->honest = d->exact = true;
    d->requests = d->replies = 0;
    for (i = 0; i < d->nr_rings; i++) {
        g_autofree char *ref = g_strdup_printf("ring-ref%u", i);
        g_autofree char *port = g_strdup_printf("event-channel-%u", i);

        flex_init(&d->rings[i], d->loop, DEVICE_DOMID,
                  order >= 1 && order <= FLEX_MAX_ORDER ? order : 1);
        /* What is left of an earlier input is not to be read in this one. */
        memset(d->rings[i].in, 0, 2 * d->rings[i].size);
        set_start(&d->rings[i], start);
        write_front(ref, d->rings[i].intf_ref);
        write_front(port, d->ports[i]);
    }
    write_front("num-rings", d->nr_rings);
    store_write(DEVICE_FRONT "/version", "1");
    device_state(XenbusStateInitialised);
}

void device_drop_rings(Device *d)
{
    unsigned i, busy = 0;

    for (i = 0; i < d->nr_rings; i++) {
        busy += flex_fini(&d->rings[i]);
    }
    g_assert_cmpuint(busy, ==, 0);
    d->nr_rings = 0;
}

void device_remove(Device *d)
{
    g_autofree char *left = NULL;

    loop_fault_clear(d->loop, -1);
    store_fail(0);
    host_hold(false);
    store_remove(DEVICE_FRONT);
    store_remove(DEVICE_BACK);
    host_settle();
    store_remove("error");
    device_drop_rings(d);
    left = loop_leftovers(d->loop, getpid(), &idle);
    if (left) {
        g_error("left over: %s", left);
    }
}

void device_notify(Device *d, unsigned ring)
{
    loop_evtchn_notify(d->loop, d->handle, d->ports[ring]);
}

void device_consume(Device *d, unsigned ring, unsigned max)
{
    Flex *flex = &d->rings[ring];
    int64_t ready = flex_ready(flex);
    uint32_t size;

    g_assert(!d->honest || ready >= 0);
    while (ready > 0 && max--) {
        if (d->honest) {
            g_assert_cmpint(ready, >=, 7);
            flex_get(flex, &size, sizeof(size));
            g_assert_cmpuint(size, >=, 7);
            g_assert_cmpuint(size, <=, ready);
        } else {
            size = ready;
        }
        flex_consume(flex, size);
        ready -= size;
        d->replies++;
    }
}

void device_finish(Device *d)
{
    unsigned before, i;

    loop_fault_clear(d->loop, -1);
    host_hold(false);
    do {
        before = d->replies;
        /* A backend that waits for room is told of it. */
        for (i = 0; i < d->nr_rings; i++) {
            device_notify(d, i);
        }
        host_settle();
        for (i = 0; i < d->nr_rings; i++) {
            device_consume(d, i, UINT_MAX);
        }
    } while (d->replies != before);
    if (d->exact && d->nr_rings &&
        store_read_int(DEVICE_BACK "/state") == XenbusStateConnected) {
        g_assert_cmpuint(d->replies, ==, d->requests);
    }
}
