/*
 * Many devices of one guest on one backend, each with its own load
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "9p/proto.h"
#include "devices.h"
#include "meter.h"

/* How often a flood is looked after: it costs the guest next to nothing. */
#define FLOOD_NS 200000

P9Req *device_getattr(P9Client *client)
{
    P9Req *req = p9_req_new(client, client->dotl ? P9_TGETATTR : P9_TSTAT, -1,
                            -1);

    if (client->dotl) {
        p9_pack(&req->tx, "dq", 0, P9_GETATTR_BASIC);
    } else {
        p9_pack(&req->tx, "d", 0);
    }
    return req;
}

P9Req *device_walk(P9Client *client)
{
    P9Req *req = p9_req_new(client, P9_TWALK, -1, -1);

    p9_pack(&req->tx, "ddw", 0, 1, P9_MAX_WELEM);
    for (int i = 0; i < P9_MAX_WELEM; i++) {
        p9_pack(&req->tx, "s", i < P9_MAX_WELEM - 1 ? "d" : "missing");
    }
    return req;
}

/* Take the replies that are there, and go on. */
static void device_run(Devices *d, Device *dev, bool counted)
{
    if (fe_pump(dev->fe, 0) < 0) {
        g_error("device %d has ended", dev->fe->devid);
    }
    for (unsigned i = 0; i < DEVICE_DEPTH; i++) {
        P9Req *req = dev->reqs[i];

        if (req && req->done) {
            if (dev->request != device_walk && p9_req_error(req)) {
                g_error("device %d is refused", dev->fe->devid);
            }
            if (counted) {
                d->ops++;
                histogram_add(&d->latency, meter_now() - dev->sent_ns[i]);
            }
            p9_req_free(req);
            dev->reqs[i] = req = NULL;
        }
        if (!req && i < dev->depth) {
            dev->sent_ns[i] = meter_now();
            dev->reqs[i] = dev->request(&dev->fe->client);
            if (!p9_req_send(dev->reqs[i])) {
                g_error("a request cannot be sent");
            }
        }
    }
}

void devices_load(Devices *d, unsigned i, DeviceRequest *request,
                  unsigned depth)
{
    d->device[i].request = request;
    d->device[i].depth = depth;
}

void devices_run(Devices *d, double ms, bool flooded)
{
    uint64_t now = meter_now(), end = now + ms * 1e6, flood_at = now;

    for (unsigned i = flooded; i < d->count; i++) {
        device_run(d, &d->device[i], true);
    }
    while (now < end) {
        if (flooded && now >= flood_at) {
            device_run(d, &d->device[0], false);
            flood_at = now + FLOOD_NS;
        }
        poll(d->fds + flooded, d->count - flooded, 1);
        for (unsigned i = flooded; i < d->count; i++) {
            if (d->fds[i].revents) {
                device_run(d, &d->device[i], true);
            }
        }
        now = meter_now();
    }
}

double devices_measure(Devices *d, double ms, bool flooded)
{
    devices_run(d, ms / 5, flooded);
    d->ops = 0;
    histogram_clear(&d->latency);
    devices_run(d, ms, flooded);
    return d->ops / (ms / 1e3);
}

void devices_finish(Devices *d)
{
    for (unsigned i = 0; i < d->count; i++) {
        Device *dev = &d->device[i];

        dev->depth = 0;
        while (dev->fe->client.in_flight) {
            device_run(d, dev, false);
        }
        device_run(d, dev, false);
    }
}

static Fe *add_device(Fixture *f, int devid)
{
    g_autofree char *tag = g_strdup_printf("share-%d", devid);

    return fixture_device(f, &(DeviceOpts) {
        .path = f->share, .devid = devid, .tag = tag,
    });
}

static void attach(Fixture *f, Fe *fe)
{
    if (!fe_connect(fe, 1, 6)) {
        g_autofree char *why = fixture_why(f, fe);

        g_error("device %d does not connect: %s", fe->devid, why);
    }
    tattach({.fe = &fe->client, .version = fixture_version(f)});
}

static void make_path(Fixture *f)
{
    g_autoptr(GString) path = g_string_new(NULL);

    for (int i = 0; i < P9_MAX_WELEM - 1; i++) {
        g_string_append(path, "d/");
    }
    g_string_append(path, "file");
    fixture_file(f, path->str, "", 0);
}

void devices_up(Devices *d, unsigned count)
{
    g_setenv("MALLOC_PERTURB_", "0", TRUE);
    d->f = fixture_up();
    d->count = count;
    make_path(d->f);
    for (unsigned i = 0; i < count; i++) {
        d->device[i].fe = add_device(d->f, i);
    }
    fixture_start(d->f);
    for (unsigned i = 0; i < count; i++) {
        Fe *fe = d->device[i].fe;

        attach(d->f, fe);
        d->fds[i] = (struct pollfd) {
            .fd = loop_evtchn_fd(fe->guest->loop, fe->handle),
            .events = POLLIN,
        };
    }
}

void devices_down(Devices *d)
{
    for (unsigned i = 1; i < d->count; i++) {
        fixture_drop(d->f, d->device[i].fe);
    }
    fixture_close(d->f, d->device[0].fe);
    fixture_down(d->f);
}
