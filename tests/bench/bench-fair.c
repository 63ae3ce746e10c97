/*
 * Is one device's load another's loss?
 *
 *     LOOP_BACKEND=... LOOP_WRAP="taskset -c 0" taskset -c 1 bench-fair
 *
 * Many devices of one guest on one backend. All but the first have one
 * request in flight each, always: Tgetattr, Tstat in 9P2000.u. Measured is
 * what they get while the first is silent, and while it has so many long
 * requests in flight: Twalk of sixteen names, of which the last is missing. A
 * line of JSON a round.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <poll.h>
#include <stdio.h>

#include "9p/proto.h"
#include "fixture.h"
#include "histogram.h"
#include "meter.h"

#define MAX_DEVICES 64
#define FLOOD_DEPTH 64
/* How often the flood is looked after: it costs the guest next to nothing. */
#define FLOOD_US 200

static int devices = 16, rounds = 5, ms = 500;

static const GOptionEntry options[] = {
    { "devices", 'd', 0, G_OPTION_ARG_INT, &devices, "how many [16]", "N" },
    { "rounds", 'r', 0, G_OPTION_ARG_INT, &rounds, "[5]", "N" },
    { "ms", 'm', 0, G_OPTION_ARG_INT, &ms, "of each measurement [500]", "MS" },
    { NULL }
};

/* A device whose load is measured. */
typedef struct Peer {
    Fe *fe;
    P9Req *req;
    uint64_t sent_ns;
} Peer;

typedef struct Fair {
    Fixture *f;
    Fe *flooder;
    P9Req *flood[FLOOD_DEPTH];
    Peer peers[MAX_DEVICES];
    struct pollfd fds[MAX_DEVICES];
    unsigned nr_peers;
    bool counting;
    uint64_t ops, floods;
    Histogram latency;
} Fair;

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

static void send_or_die(P9Req *req)
{
    if (!p9_req_send(req)) {
        g_error("a request cannot be sent");
    }
}

static void peer_begin(Peer *peer)
{
    P9Client *client = &peer->fe->client;

    peer->req = p9_req_new(client, client->dotl ? P9_TGETATTR : P9_TSTAT, -1,
                           -1);
    if (client->dotl) {
        p9_pack(&peer->req->tx, "dq", 0, P9_GETATTR_BASIC);
    } else {
        p9_pack(&peer->req->tx, "d", 0);
    }
    peer->sent_ns = meter_now();
    send_or_die(peer->req);
}

/* Take the reply, if it is there, and go on. */
static void peer_run(Fair *fair, Peer *peer, bool again)
{
    if (fe_pump(peer->fe, 0) < 0) {
        g_error("device %d has ended", peer->fe->devid);
    }
    if (!peer->req->done) {
        return;
    }
    if (p9_req_error(peer->req)) {
        g_error("device %d is refused", peer->fe->devid);
    }
    if (fair->counting) {
        fair->ops++;
        histogram_add(&fair->latency, meter_now() - peer->sent_ns);
    }
    p9_req_free(peer->req);
    peer->req = NULL;
    if (again) {
        peer_begin(peer);
    }
}

static P9Req *flood_begin(Fe *fe)
{
    P9Req *req = p9_req_new(&fe->client, P9_TWALK, -1, -1);
    int i;

    p9_pack(&req->tx, "ddw", 0, 1, P9_MAX_WELEM);
    for (i = 0; i < P9_MAX_WELEM; i++) {
        p9_pack(&req->tx, "s", i < P9_MAX_WELEM - 1 ? "d" : "missing");
    }
    send_or_die(req);
    return req;
}

/* Take the replies that are there, and go on, or wait for all of them. */
static void flood_run(Fair *fair, bool on)
{
    unsigned i;

    fe_pump(fair->flooder, 0);
    for (i = 0; i < FLOOD_DEPTH; i++) {
        P9Req *req = fair->flood[i];

        if (req && req->done) {
            fair->floods += fair->counting;
            p9_req_free(req);
            fair->flood[i] = req = NULL;
        }
        if (!req && on) {
            fair->flood[i] = flood_begin(fair->flooder);
        }
    }
}

static void run_until(Fair *fair, uint64_t end, bool flood)
{
    uint64_t now = meter_now(), flood_at = now;
    unsigned i;

    while (now < end) {
        if (flood && now >= flood_at) {
            flood_run(fair, true);
            flood_at = now + FLOOD_US * 1000;
        }
        poll(fair->fds, fair->nr_peers, 1);
        for (i = 0; i < fair->nr_peers; i++) {
            if (fair->fds[i].revents) {
                peer_run(fair, &fair->peers[i], true);
            }
        }
        now = meter_now();
    }
}

static bool flooding(Fair *fair)
{
    return fair->flooder->client.in_flight > 0;
}

static void finish(Fair *fair)
{
    unsigned i;

    for (i = 0; i < fair->nr_peers; i++) {
        while (fair->peers[i].req) {
            peer_run(fair, &fair->peers[i], false);
        }
    }
    while (flooding(fair)) {
        flood_run(fair, false);
    }
    flood_run(fair, false);
}

/* What the peers get, in requests a second; their latency in *p99. */
static double measure(Fair *fair, bool flood, double *p99)
{
    uint64_t begin;
    unsigned i;

    for (i = 0; i < fair->nr_peers; i++) {
        peer_begin(&fair->peers[i]);
    }
    run_until(fair, meter_now() + ms * 200000ull, flood);
    fair->ops = fair->floods = 0;
    histogram_clear(&fair->latency);
    fair->counting = true;
    begin = meter_now();
    run_until(fair, begin + ms * 1000000ull, flood);
    fair->counting = false;
    *p99 = histogram_quantile(&fair->latency, 0.99);
    finish(fair);
    return fair->ops / (ms / 1e3);
}

static void make_path(Fixture *f)
{
    GString *path = g_string_new(NULL);
    int i;

    for (i = 0; i < P9_MAX_WELEM - 1; i++) {
        g_string_append(path, "d/");
    }
    g_string_append(path, "file");
    fixture_file(f, path->str, "", 0);
    g_string_free(path, TRUE);
}

static void round_of(Fair *fair)
{
    double quiet_p99, p99, quiet = measure(fair, false, &quiet_p99);
    double flooded = measure(fair, true, &p99);

    printf("{\"devices\": %d, \"quiet_ops_per_s\": %.0f, "
           "\"flooded_ops_per_s\": %.0f, \"kept\": %.3f, "
           "\"quiet_us_p99\": %.1f, \"flooded_us_p99\": %.1f, "
           "\"flood_per_s\": %.0f}\n", devices, quiet, flooded,
           flooded / quiet, quiet_p99, p99, fair->floods / (ms / 1e3));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autofree Fair *fair = g_new0(Fair, 1);
    int i;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        devices < 2 || devices > MAX_DEVICES) {
        g_printerr("bench-fair: %s\n", error ? error->message :
                   "--devices: from 2 to 64");
        return 2;
    }
    g_setenv("MALLOC_PERTURB_", "0", TRUE);
    fair->f = fixture_up();
    make_path(fair->f);
    fair->flooder = add_device(fair->f, 0);
    fair->nr_peers = devices - 1;
    for (i = 0; i < devices - 1; i++) {
        fair->peers[i].fe = add_device(fair->f, i + 1);
    }
    fixture_start(fair->f);
    attach(fair->f, fair->flooder);
    for (i = 0; i < devices - 1; i++) {
        Fe *fe = fair->peers[i].fe;

        attach(fair->f, fe);
        fair->fds[i] = (struct pollfd) {
            .fd = loop_evtchn_fd(fe->guest->loop, fe->handle),
            .events = POLLIN,
        };
    }
    for (i = 0; i < rounds; i++) {
        round_of(fair);
    }
    for (i = 0; i < devices - 1; i++) {
        fixture_drop(fair->f, fair->peers[i].fe);
    }
    fixture_close(fair->f, fair->flooder);
    fixture_down(fair->f);
    return 0;
}
