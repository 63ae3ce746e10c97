/*
 * Steps of a fuzzer's input that all types of devices have
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "host.h"
#include "steps.h"
#include "store.h"

void step_grant(Device *d, Input *in, grant_ref_t ref)
{
    grant_entry_v1_t *entry = loop_grant_entry(d->loop, DEVICE_DOMID, ref);

    device_dishonest(d);
    /* Bits of use are Xen's. */
    entry->flags ^= input_u8(in) & ~(GTF_reading | GTF_writing);
    entry->domid ^= input_u8(in);
    entry->frame ^= input_u16(in);
}

unsigned step_any_ring(Device *d, Input *in)
{
    return input_u8(in) % d->nr_rings;
}

/* ---- Requests ---- */

static void send_one(Device *d, unsigned ring, GByteArray *bytes)
{
    d->type->send(d, ring, bytes);
    device_notify(d, ring);
    host_settle();
    g_byte_array_unref(bytes);
}

void step_session(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in);
    uint8_t choice = input_u8(in);

    send_one(d, ring, request_version(choice % 2 ? "9P2000.u" : "9P2000.L",
                                      1024u << choice % 11));
    send_one(d, ring, request_attach());
}

void step_notify(Device *d, Input *in)
{
    device_notify(d, step_any_ring(d, in));
}

void step_consume(Device *d, Input *in)
{
    unsigned ring = step_any_ring(d, in);

    d->type->consume(d, ring, input_u8(in));
}

/* ---- Nodes and states ---- */

void step_front_node(Device *d, Input *in)
{
    const char *node =
        d->type->front_nodes[input_u8(in) % d->type->num_front_nodes];
    g_autofree char *path = g_strdup_printf("%s/%s", d->front, node);
    uint8_t len = input_u8(in);
    g_autofree char *value = g_malloc0(len + 1);

    d->exact = false;
    input_take(in, value, len);
    if (len == 0xff) {
        store_remove(path);
    } else {
        store_write(path, value);
    }
}

void step_front_state(Device *d, Input *in)
{
    d->exact = false;
    device_state(d, input_u8(in) % 10);
}

void step_back_node(Device *d, Input *in)
{
    static const char *const nodes[] = { "online", "state", "path", "else" };
    const char *node = nodes[input_u8(in) % G_N_ELEMENTS(nodes)];
    g_autofree char *value = g_strdup_printf("%u", input_u8(in) % 8);

    d->exact = false;
    device_write_back(d, node, value);
}

void step_reconnect(Device *d, Input *in)
{
    if (input_u8(in) % 2) {
        device_state(d, XenbusStateClosing);
        host_settle();
        device_state(d, XenbusStateClosed);
    }
    host_hold(false);
    host_settle();
    device_state(d, XenbusStateInitialising);
    host_settle();
    device_connect(d, in);
    host_settle();
}

/* ---- Time and faults ---- */

void step_once(Device *d, Input *in)
{
    host_step();
}

void step_settle(Device *d, Input *in)
{
    host_settle();
}

void step_hold(Device *d, Input *in)
{
    host_hold(input_u8(in) % 2);
}

void step_release(Device *d, Input *in)
{
    host_release(input_u8(in));
    host_step();
}

/* From the next timer that there may be to minutes. */
void step_wait(Device *d, Input *in)
{
    host_wait(1u << input_u8(in) % 18);
}

void step_fault(Device *d, Input *in, const LoopFault *rules, unsigned num)
{
    LoopFault rule = rules[input_u8(in) % num];

    if (rule.point == LOOP_FAULT_EVTCHN_NOTIFY) {
        d->exact = false;
    }
    rule.domid = 0;
    rule.nth = input_u8(in) % 16 + 1;
    rule.times = MAX(rule.times, 1);
    rule.op = -1;
    loop_fault_set(d->loop, &rule);
}

void step_store_fault(Device *d, Input *in)
{
    d->exact = false;
    store_fail(input_u8(in) % 8);
}

/* ---- All of them ---- */

static void run_device(Device *d, Input *in, Step *const *steps, unsigned num)
{
    uint8_t how = input_u8(in), step;

    device_add(d, in);
    /* A frontend may be there before the backend, or wait for it. */
    if (how & 1) {
        host_settle();
    }
    device_connect(d, in);
    if (!(how & 2)) {
        host_settle();
        step_session(d, in);
    }
    while (in->left) {
        step = input_u8(in);
        if (step == 0xff) {
            break;
        }
        steps[step % num](d, in);
    }
    if (!(how & 4)) {
        device_finish(d);
    }
    device_remove(d);
}

void steps_run(Device *d, Input *in, Step *const *steps, unsigned num)
{
    do {
        run_device(d, in, steps, num);
    } while (in->left);
}
