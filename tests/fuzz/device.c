/*
 * One device from the toolstack's and the guest's side, for the fuzzers
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

#define DOMAIN_PAGES 16384

/* Requests that wait for their turn by a throttle may do so for long. */
#define PATIENCE_MS (1000 * 1000)
#define PATIENCE_TRIES 1000

/* What a backend tries again takes less. Rounds without a reply: no more. */
#define FINISH_MS 1000
#define FINISH_ROUNDS 3

static char *loop_path, *share_path, *closed_path;
static LoopStats idle;

/* What the input may choose for the backend's nodes. */
static const char *const models[] = {
    "none", "mapped-xattr", "mapped-file", "passthrough", "mapped", "",
    "other",
};

static const char *const options[] = {
    "readonly", "multidevs", "locks", "writeout", "fmode", "dmode", "max_xattr",
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

static void init_paths(Device *d)
{
    g_autofree char *dir = g_dir_make_tmp("fuzz-XXXXXX", NULL);

    g_assert_nonnull(dir);
    loop_path = g_build_filename(dir, "xen", NULL);
    share_path = g_build_filename(dir, "share", NULL);
    closed_path = g_build_filename(dir, "closed", NULL);
    g_assert(mkdir(closed_path, 0) == 0);
    d->front = g_strdup_printf("/local/domain/%u/device/%s/0", DEVICE_DOMID,
                               d->type->name);
    d->back = g_strdup_printf("/local/domain/0/backend/%s/%u/0",
                              d->type->name, DEVICE_DOMID);
}

void device_init(Device *d, const DeviceType *type)
{
    unsigned i;

    d->type = type;
    init_paths(d);
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
    host_settle();
    loop_stats(d->loop, getpid(), &idle);
}

static void write_node(const char *base, const char *node, const char *value)
{
    g_autofree char *path = g_strdup_printf("%s/%s", base, node);

    store_write(path, value);
}

void device_write_front(Device *d, const char *node, const char *value)
{
    write_node(d->front, node, value);
}

void device_write_back(Device *d, const char *node, const char *value)
{
    write_node(d->back, node, value);
}

void device_number_front(Device *d, const char *node, unsigned number)
{
    g_autofree char *value = g_strdup_printf("%u", number);

    device_write_front(d, node, value);
}

void device_remove_front(Device *d, const char *node)
{
    g_autofree char *path = g_strdup_printf("%s/%s", d->front, node);

    store_remove(path);
}

void device_state(Device *d, int state)
{
    device_number_front(d, "state", state);
}

bool device_is_connected(Device *d)
{
    g_autofree char *path = g_strconcat(d->back, "/state", NULL);

    return store_read_int(path) == XenbusStateConnected;
}

void device_dishonest(Device *d)
{
    d->honest = false;
    d->exact = false;
}

/* The share, mostly; or what is no absolute path of a folder. */
static void write_path(Device *d, uint8_t choice)
{
    switch (choice) {
    case 0xfb:
        device_write_back(d, "path", closed_path);
        break;
    case 0xfc:
        device_write_back(d, "path", "/no/such/folder");
        break;
    case 0xfd:
        device_write_back(d, "path", "relative");
        break;
    case 0xfe:
        device_write_back(d, "path", "");
        break;
    case 0xff:
        break;
    default:
        device_write_back(d, "path", share_path);
        break;
    }
}

static void write_options(Device *d, Input *in)
{
    uint8_t count = input_u8(in);

    d->throttled = false;
    for (count = count < 0xe0 ? 0 : count % 8; count; count--) {
        const char *option = options[input_u8(in) % G_N_ELEMENTS(options)];

        d->throttled |= g_str_has_prefix(option, "throttling/");
        device_write_back(d, option,
                          values[input_u8(in) % G_N_ELEMENTS(values)]);
    }
}

/* Where FUZZ_DISPATCH says so, all calls run that way, whatever the input. */
static void write_dispatch(Device *d)
{
    const char *mode = g_getenv("FUZZ_DISPATCH");

    if (mode) {
        device_write_back(d, "dispatch", mode);
    }
}

void device_add(Device *d, Input *in)
{
    uint8_t model = input_u8(in);

    share_reset(share_path);
    store_write(d->front, "");
    device_write_front(d, "backend", d->back);
    device_write_front(d, "tag", "share");
    device_state(d, XenbusStateInitialising);
    store_write(d->back, "");
    device_write_back(d, "frontend", d->front);
    device_write_back(d, "frontend-id", "7");
    device_write_back(d, "online", "1");
    device_write_back(d, "state", "1");
    device_write_back(d, "security_model", model < 0xe0 ? "none" :
                      models[model % G_N_ELEMENTS(models)]);
    write_path(d, input_u8(in));
    write_options(d, in);
    if (d->type->add) {
        d->type->add(d, in);
    }
    write_dispatch(d);
}

/* The backend is closed: at last, it uses none of the guest's pages. */
static void drop_rings(Device *d)
{
    unsigned tries;

    for (tries = 0; loop_grants_in_use(d->loop, DEVICE_DOMID); tries++) {
        g_assert_cmpuint(tries, <, PATIENCE_TRIES);
        host_wait(PATIENCE_MS);
    }
    g_assert_cmpuint(d->type->drop(d), ==, 0);
    d->nr_rings = 0;
}

void device_connect(Device *d, Input *in)
{
    drop_rings(d);
    d->honest = d->exact = true;
    d->requests = d->replies = 0;
    d->type->connect(d, in);
    device_state(d, XenbusStateInitialised);
}

void device_remove(Device *d)
{
    g_autofree char *left = NULL;

    loop_fault_clear(d->loop, -1);
    store_fail(0);
    host_hold(false);
    store_remove(d->front);
    store_remove(d->back);
    host_settle();
    store_remove("error");
    drop_rings(d);
    left = loop_leftovers(d->loop, getpid(), &idle);
    if (left) {
        g_error("left over: %s", left);
    }
}

void device_notify(Device *d, unsigned ring)
{
    loop_evtchn_notify(d->loop, d->handle, d->ports[ring]);
}

void device_finish(Device *d)
{
    unsigned before, quiet = 0, i;

    loop_fault_clear(d->loop, -1);
    host_hold(false);
    while (quiet < FINISH_ROUNDS) {
        before = d->replies;
        /* A backend that waits for room is told of it. */
        for (i = 0; i < d->nr_rings; i++) {
            device_notify(d, i);
        }
        host_wait(FINISH_MS);
        for (i = 0; i < d->nr_rings; i++) {
            d->type->consume(d, i, UINT_MAX);
        }
        quiet = d->replies == before ? quiet + 1 : 0;
    }
    if (d->exact && !d->throttled && d->nr_rings && device_is_connected(d)) {
        g_assert_cmpuint(d->replies, ==, d->requests);
    }
}
