/*
 * Fuzz target: the arithmetic of slots (hw/9pfs/xen-9p-slots.c), with a model
 *
 * One ring, whose shared page the input writes to as it likes, as a hostile
 * frontend does, and a model that counts in 64 bits. What is asserted:
 * indices are refused when and only when the model finds them impossible; a
 * transaction is what the ring held; responses are where they belong; events
 * are asked for and sent as the rules of rings have it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-slots.h"
#include "input.h"
#include "target.h"

#define SIZE XEN_VIRTFSIF_RING_SLOTS(0)

typedef struct State {
    Input in;
    struct xen_virtfsif_sring *shared;
    Xen9pSlots slots;
    uint64_t next, answered, published; /* what they should be */
    uint64_t whole;             /* up to here transactions are whole */
    struct xen_virtfsif_request chain[SIZE];
    uint32_t num;               /* of chain[] */
} State;

static union xen_virtfsif_sring_entry *entry(State *s, uint64_t index)
{
    union xen_virtfsif_sring_entry *first = s->shared->ring;

    return first + index % SIZE;
}

/* How far a shared index is ahead, taken to be the next of that value. */
static uint64_t ahead(uint64_t from, uint32_t shared)
{
    uint64_t index = (from & ~(uint64_t)UINT32_MAX) | shared;

    return index < from ? index + ((uint64_t)1 << 32) - from : index - from;
}

/* What xen_9p_slots_take() has to return; the model moves on. */
static Xen9pSlotsResult model_take(State *s)
{
    uint64_t used = ahead(s->answered, s->shared->req_prod);

    if (used > SIZE || s->next > s->answered + used) {
        return XEN_9P_SLOTS_CORRUPT;
    }
    while (s->next < s->answered + used) {
        s->chain[s->num] = entry(s, s->next++)->req;
        if (!(s->chain[s->num++].flags & XEN_VIRTFSF_MORE)) {
            s->whole = s->next;
            return XEN_9P_SLOTS_WHOLE;
        }
    }
    return s->num == SIZE ? XEN_9P_SLOTS_ENDLESS : XEN_9P_SLOTS_NONE;
}

static const char *model_check(const struct xen_virtfsif_request *slot,
                               uint32_t num)
{
    uint32_t requests = 0, i;

    while (requests < num && !(slot[requests].flags & XEN_VIRTFSF_WRITE)) {
        requests++;
    }
    for (i = 0; i < num; i++) {
        if (slot[i].flags > XEN_VIRTFSF_ALL || slot[i].size == 0 ||
            slot[i].offset > XEN_VIRTFSIF_PAGE_SIZE - slot[i].size ||
            ((slot[i].flags & XEN_VIRTFSF_INDIRECT) &&
             (slot[i].offset % 8 || slot[i].size % 8)) ||
            !(slot[i].flags & XEN_VIRTFSF_WRITE) != (i < requests)) {
            return "a slot";
        }
    }
    return requests == 0 || requests == num ? "a buffer" : NULL;
}

static void do_take(State *s)
{
    uint32_t num = 0;
    Xen9pSlotsResult expected = model_take(s);

    g_assert_cmpint(xen_9p_slots_take(&s->slots, &num), ==, expected);
    if (expected == XEN_9P_SLOTS_WHOLE) {
        g_assert_cmpuint(num, ==, s->num);
        g_assert(memcmp(s->slots.slot, s->chain,
                        num * sizeof(*s->chain)) == 0);
        g_assert(!xen_9p_slots_check(s->slots.slot, num) ==
                 !model_check(s->chain, num));
        s->num = 0;
    }
}

/* Of some slots that were taken. */
static void do_respond(State *s)
{
    uint64_t num = input_u8(&s->in) % (s->whole - s->answered + 1), i;
    struct xen_virtfsif_request slot[SIZE] = { 0 };
    int16_t status = -(input_u8(&s->in) % 3);

    for (i = 0; i < num; i++) {
        slot[i].id = s->answered + i;
    }
    xen_9p_slots_respond(&s->slots, slot, num, status);
    for (i = 0; i < num; i++) {
        g_assert_cmpuint(entry(s, s->answered)->rsp.id, ==,
                         (uint16_t)s->answered);
        g_assert_cmpint(entry(s, s->answered++)->rsp.status, ==, status);
    }
}

static void do_publish(State *s)
{
    uint64_t event = ahead(s->published + 1, s->shared->rsp_event);
    bool notify = event < s->answered - s->published;

    g_assert(xen_9p_slots_publish(&s->slots) == notify);
    if (s->published != s->answered) {
        g_assert_cmphex(s->shared->rsp_prod, ==, (uint32_t)s->answered);
    }
    s->published = s->answered;
}

static void do_arm(State *s)
{
    g_assert(xen_9p_slots_arm(&s->slots) ==
             (s->shared->req_prod != (uint32_t)s->next));
    g_assert_cmphex(s->shared->req_event, ==, (uint32_t)(s->next + 1));
}

static void do_slots(State *s, uint32_t num)
{
    struct xen_virtfsif_request slot = { .gref = input_u8(&s->in) };
    uint64_t index = slot.gref;

    slot.flags = input_u8(&s->in);
    slot.offset = input_u8(&s->in) * 16;
    slot.size = input_u16(&s->in);
    while (num--) {
        entry(s, index++)->req = slot;
    }
}

static void run(State *s)
{
    uint32_t *const indices[] = {
        &s->shared->req_prod, &s->shared->req_event, &s->shared->rsp_prod,
        &s->shared->rsp_event,
    };
    uint8_t step;

    while (s->in.left) {
        step = input_u8(&s->in);
        switch (step % 8) {
        case 0:
            s->shared->req_prod += (int8_t)input_u8(&s->in);
            break;
        case 1:
            *indices[step / 8 % G_N_ELEMENTS(indices)] = input_u32(&s->in);
            break;
        case 2:
            do_slots(s, step & 8 ? SIZE : 1);
            break;
        case 3:
            do_respond(s);
            break;
        case 4:
            do_publish(s);
            break;
        case 5:
            do_arm(s);
            break;
        default:
            do_take(s);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    State s = { .in = { data, len } };

    s.shared = g_malloc0(XEN_VIRTFSIF_PAGE_SIZE);
    s.next = s.answered = s.published = s.whole = input_u32(&s.in);
    s.shared->req_prod = s.shared->rsp_prod = s.next;
    xen_9p_slots_init(&s.slots, s.shared, SIZE);
    run(&s);
    xen_9p_slots_fini(&s.slots);
    g_free(s.shared);
    return 0;
}
