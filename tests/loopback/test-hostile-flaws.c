/*
 * Hostile: the eleven flaws of QEMU's own Xen 9P backend, each by name
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attack.h"

/* A further device in the same backend. */
static Fe *add_device(Attack *a, const char *path, const char *tag)
{
    Fe *fe = fixture_device(a->f, &(DeviceOpts) {
        .path = path, .devid = 2, .tag = tag,
    });

    fe->timeout_ms = ATTACK_STATE_MS / 3;
    return fe;
}

/* The server chooses the reply's ring by the tag, not by where it came. */
static void ring_by_tag(Attack *a)
{
    P9Client *c = &a->bad->client;
    unsigned ring, tag;

    attack_connect(a, 3, 2);
    for (tag = 100; tag < 106; tag++) {
        for (ring = 0; ring < 3; ring++) {
            P9Req *req = tclunk({.fe = c, .fid = 99, .tag = P9_TAG(tag),
                                 .ring = P9_RING(ring),
                                 .request_only = true});

            if (p9_req_wait(req, ATTACK_ANSWER_MS) != P9_DONE) {
                attack_fail(a, "tag %u on ring %u has no reply", tag, ring);
                tag = 106;
                ring = 3;
            } else if (req->came_on != ring) {
                attack_fail(a, "the reply is on ring %u, not %u",
                            req->came_on, ring);
            }
            p9_req_free(req);
        }
    }
}

/* A path that is not there reaches Connected, and the first request kills. */
static void missing_path(Attack *a)
{
    /* Beside the share: xen-9pfsd makes what is not there. */
    g_autofree char *nothing = g_build_filename(a->f->dir, "nothing", "here",
                                                NULL);
    const char *const paths[] = {
        NULL, "", "relative", nothing, "/dev/null",
    };
    unsigned i;
    Fe *fe;

    for (i = 0; i < G_N_ELEMENTS(paths) && attack_lives(a); i++) {
        fe = add_device(a, paths[i], NULL);
        if (attack_try(fe, 1, 1)) {
            attack_fail(a, "path '%s' connects", paths[i]);
            attack_open(a, fe);
        }
        fixture_abandon(a->f, fe);
        attack_neighbour(a);
    }
}

/* A ring of one page, or of a fraction of one, cannot be halved. */
static void order_zero(Attack *a)
{
    Fe *fe = a->bad;

    fe_alloc(fe, 1, 1);
    fe->rings[0].intf->ring_order = 0;
    fe_publish(fe);
    fe_set_state(fe, XenbusStateInitialised);
    attack_expect(a, ATTACK_CLOSES);
}

/* The header comes first, the rest later: no notice is taken of the rest. */
static void split_request(Attack *a)
{
    uint8_t message[11] = { 0 };
    Flex *ring;
    unsigned at;

    attack_connect(a, 1, 1);
    ring = &a->bad->rings[0];
    attack_header(message, sizeof(message), P9_TCLUNK, 900);
    message[7] = 99;
    for (at = 1; at < sizeof(message) && attack_lives(a); at++) {
        uint32_t before = ring->intf->in_prod;
        int waited;

        flex_put(ring, 0, message, sizeof(message));
        flex_publish(ring, at);
        fe_kick(a->bad, 0);
        g_usleep(2000);
        flex_publish(ring, sizeof(message) - at);
        fe_kick(a->bad, 0);
        for (waited = 0; waited < ATTACK_ANSWER_MS &&
             ring->intf->in_prod == before; waited++) {
            g_usleep(1000);
        }
        if (ring->intf->in_prod == before) {
            attack_fail(a, "cut after %u bytes, it has no reply", at);
            return;
        }
        attack_skip(a->bad, 0);
    }
}

/* The length of the Twrite of moving_index(), and where its payload is. */
#define WRITE_SIZE 2023
#define WRITE_HEAD 23

/* Requests without an effect, until the next one runs over the ring's end. */
static bool move_to_end(Attack *a, unsigned ring)
{
    Flex *flex = &a->bad->rings[ring];
    uint8_t message[500] = { 0 };
    int tries;

    attack_header(message, sizeof(message), P9_TCLUNK, 800 + ring);
    message[7] = 99;
    for (tries = 0; tries < 200; tries++) {
        uint32_t at = flex->out_prod & (flex->size - 1);

        attack_skip(a->bad, ring);
        if (flex_room(flex) == flex->size) {
            if (at > flex->size - WRITE_SIZE && at + 100 < flex->size) {
                return true;
            }
            attack_send(a->bad, ring, message, sizeof(message));
        }
        g_usleep(100);
    }
    return false;
}

static void spin_us(unsigned us)
{
    gint64 until = g_get_monotonic_time() + us;

    while (g_get_monotonic_time() < until) {
        continue;
    }
}

/* Send a Twrite, and for a moment say that it ends with the ring. */
static void write_and_move(Attack *a, unsigned ring, unsigned delay_us)
{
    Flex *flex = &a->bad->rings[ring];
    uint8_t message[WRITE_SIZE];
    uint32_t back;
    int i;

    memset(message, 'g', sizeof(message));
    memset(message, 0, WRITE_HEAD);
    attack_header(message, sizeof(message), P9_TWRITE, 800 + ring);
    message[7] = 1;
    message[19] = (WRITE_SIZE - WRITE_HEAD) & 0xff;
    message[20] = (WRITE_SIZE - WRITE_HEAD) >> 8;
    back = flex->out_prod | (flex->size - 1);
    attack_send(a->bad, ring, message, sizeof(message));
    spin_us(delay_us);
    __atomic_store_n(&flex->intf->out_prod, back, __ATOMIC_SEQ_CST);
    for (i = 0; i < 200; i++) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&flex->intf->out_prod, flex->out_prod,
                     __ATOMIC_SEQ_CST);
}

/* Whether the file has bytes that are not the guest's, or there were none. */
static bool strange_bytes(Attack *a, Flex *flex)
{
    g_autofree char *path = g_build_filename(a->f->share, "bad", "data",
                                             NULL);
    const uint8_t *reply = flex->in;
    uint32_t at = flex->in_cons, mask = flex->size - 1, i;
    g_autofree char *text = NULL;

    if (flex_ready(flex) >= 11 && reply[(at + 4) & mask] == P9_RLERROR &&
        reply[(at + 7) & mask] == EFAULT) {
        return true;
    }
    g_file_get_contents(path, &text, NULL, NULL);
    for (i = 0; text && i < WRITE_SIZE - WRITE_HEAD; i++) {
        if (text[i] != 'g' && (uint8_t)text[i] != a->data[i]) {
            return true;
        }
    }
    return false;
}

/*
 * out_prod is read again after it was checked: when it moves back in between,
 * a request that runs over the ring's end is taken from behind that end. Who
 * is too early loses the ring, or the connection.
 */
static void moving_index(Attack *a)
{
    unsigned rings = a->f->backend == BACKEND_XEN_9PFSD ? 4 : 8;
    unsigned round, ring, delay, i;

    attack_connect(a, rings, 1);
    for (round = 0; round < 24 && attack_lives(a); round++) {
        ring = round % rings;
        for (i = 0; i < 200; i++) {
            delay = g_random_int_range(5, 120);
            if (!move_to_end(a, ring)) {
                break;
            }
            write_and_move(a, ring, delay);
            if (strange_bytes(a, &a->bad->rings[ring])) {
                attack_fail(a, "ring %u, %u us: not the guest's bytes", ring,
                            delay);
                return;
            }
        }
        if (fe_state(a->bad) != XenbusStateConnected &&
            (!attack_again(a, rings, 1) || !attack_open(a, a->bad))) {
            return;
        }
    }
}

/* Of a read whose replies fill the ring to the last byte. */
#define QUARTER (2048 - 11)

/* Replies are written over those that nobody has read yet. */
static void full_ring(Attack *a)
{
    P9Req *reqs[24];
    unsigned i;

    attack_connect(a, 1, 2);
    a->bad->hold = true;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        reqs[i] = tread({.fe = &a->bad->client, .fid = 1, .offset = i * QUARTER,
                         .count = QUARTER, .request_only = true});
    }
    g_usleep(20000);
    a->bad->hold = false;
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        const uint8_t *data;
        uint32_t got;

        if (p9_req_wait(reqs[i], ATTACK_ANSWER_MS) != P9_DONE ||
            p9_req_error(reqs[i])) {
            attack_fail(a, "read %u has no reply", i);
            break;
        }
        reqs[i]->rx.pos = P9_HEADER_SIZE;
        if (!p9_unpack(&reqs[i]->rx, "D", &got, &data) || got != QUARTER ||
            memcmp(data, a->data + i * QUARTER, got)) {
            attack_fail(a, "the reply of read %u was overwritten", i);
            break;
        }
    }
    for (i = 0; i < G_N_ELEMENTS(reqs); i++) {
        p9_req_free(reqs[i]);
    }
}

/* The frontend's copy of in_prod is believed. */
static void trusted_in_prod(Attack *a)
{
    attack_connect(a, 1, 2);
    a->bad->rings[0].intf->in_prod += 64;
    attack_request(a->bad, 0, P9_TCLUNK, 900, "d", 99u);
    attack_expect(a, ATTACK_CLOSES);
}

/* Nine rings, and a disconnect that walks what was never made; twice. */
static void nine_rings(Attack *a)
{
    Fe *fe = a->bad;
    unsigned i;

    fe_alloc(fe, 1, 1);
    fe_publish(fe);
    fe_write(fe, "num-rings", "9");
    fe_set_state(fe, XenbusStateInitialised);
    attack_expect(a, ATTACK_CLOSES);
    for (i = 0; i < 4; i++) {
        fe_set_state(fe, XenbusStateClosing);
        g_usleep(3000);
        fe_set_state(fe, XenbusStateClosed);
        g_usleep(3000);
    }
}

/* A tag is the guest's, and names nothing of ours. */
static void odd_tag(Attack *a)
{
    static const char *const tags[] = {
        "", ",", "=", "a,b", "a=b", "1", "9a", "id=x", "fsdriver=proxy",
        "abcdefghijklmnopqrstuvwxyzabcdef", "a\n", "\xff\xfe", "%s%n%s",
        "../..", "xen-9pfs-7-1-0",
    };
    unsigned i;
    Fe *fe;

    for (i = 0; i < G_N_ELEMENTS(tags) && attack_lives(a); i++) {
        fe = add_device(a, a->f->share, tags[i]);
        if (attack_try(fe, 1, 1)) {
            attack_answers(fe, 0, ATTACK_ANSWER_MS);
        }
        fixture_abandon(a->f, fe);
        attack_neighbour(a);
    }
}

/* Each connection leaves something behind, or uses what is gone. */
static void reconnect(Attack *a)
{
    LoopStats before, after;
    int fds, i;

    attack_connect(a, 2, 3);
    loop_stats(a->f->loop, a->f->backend_pid, &before);
    fds = fixture_fds(a->f);
    for (i = 0; i < 20; i++) {
        if (!attack_recover(a)) {
            return;
        }
    }
    loop_stats(a->f->loop, a->f->backend_pid, &after);
    if (after.mapped != before.mapped || after.ports != before.ports ||
        after.handles[LOOP_HANDLE_EVTCHN] !=
        before.handles[LOOP_HANDLE_EVTCHN] ||
        after.handles[LOOP_HANDLE_GNTTAB] !=
        before.handles[LOOP_HANDLE_GNTTAB] || fixture_fds(a->f) != fds) {
        attack_fail(a, "20 connections later it holds more");
    }
}

/* What is unmapped is what ref[] says by then. */
static void moving_refs(Attack *a)
{
    Flex *ring;
    unsigned i;

    attack_connect(a, 2, 3);
    ring = &a->bad->rings[0];
    for (i = 0; i < 8; i++) {
        ring->intf->ref[i] = a->good->rings[0].refs[i];
    }
    ring->intf->ring_order = 1;
    ring = &a->bad->rings[1];
    memset(ring->intf->ref, 0xff, sizeof(ring->intf->ref));
    ring->intf->ring_order = 9;
    attack_expect(a, ATTACK_SERVES);
    if (fe_disconnect(a->bad) != 0) {
        attack_fail(a, "its pages stay mapped");
    }
    attack_neighbour(a);
}

/* A reply that waits for room keeps a processor busy, and teardown. */
static void spin(Attack *a)
{
    double used;
    gint64 start;

    attack_connect(a, 1, 1);
    a->bad->hold = true;
    attack_reads(a->bad, 4, 2000);
    g_usleep(50000);
    used = fixture_cpu_ms(a->f);
    g_usleep(500000);
    used = fixture_cpu_ms(a->f) - used;
    if (used > 250) {
        attack_fail(a, "it used %.0f ms of processor in 500 ms", used);
    }
    attack_neighbour(a);
    start = g_get_monotonic_time();
    fe_set_state(a->bad, XenbusStateClosing);
    attack_expect(a, ATTACK_CLOSES);
    if (g_get_monotonic_time() - start > 1000000) {
        attack_fail(a, "closing takes more than a second");
    }
}

typedef struct Case {
    const char *name;
    void (*run)(Attack *a);
} Case;

static const Case cases[] = {
    { "1-ring-by-tag", ring_by_tag },
    { "2-missing-path", missing_path },
    { "3-order-zero", order_zero },
    { "4-split-request", split_request },
    { "5-moving-index", moving_index },
    { "6-full-ring", full_ring },
    { "6-trusted-in-prod", trusted_in_prod },
    { "7-nine-rings", nine_rings },
    { "8-odd-tag", odd_tag },
    { "9-reconnect", reconnect },
    { "10-moving-refs", moving_refs },
    { "11-spin", spin },
};

static void test_case(gconstpointer data)
{
    const Case *test = data;
    Attack *a = attack_up();

    test->run(a);
    attack_down(a);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        ATTACK_ADD("flaw", cases, i, test_case);
    }
    return g_test_run();
}
