/*
 * Fuzz target: the ring arithmetic (hw/9pfs/xen-9p-ring.c) against a model
 *
 * Both ends of one ring, a consumer and a producer, and a model that counts
 * in 64 bits. The input moves them and writes to the indices of the shared
 * page as a hostile peer does. What is asserted: indices are refused when and
 * only when the model finds them impossible; bytes come out as they went in;
 * nothing beside the ring is touched.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "hw/9pfs/xen-9p-ring.h"
#include "input.h"
#include "target.h"

#define SIZE_MAX_LOG    8
#define GUARD           32
#define GUARD_BYTE      0xee

/* One end: what it should think of its ring. */
typedef struct Model {
    uint64_t position;
    uint64_t published;
} Model;

typedef struct State {
    Input in;
    uint32_t size;
    uint32_t prod, cons;                /* the shared page */
    uint8_t *memory;                    /* with a guard on either side */
    Xen9pRing producer, consumer;
    Model produced, consumed;
    uint8_t mirror[1 << SIZE_MAX_LOG];  /* what the ring's memory should be */
} State;

static uint8_t *ring_memory(State *s)
{
    return s->memory + GUARD;
}

static void state_init(State *s, const uint8_t *data, size_t len)
{
    uint32_t start;

    memset(s, 0, sizeof(*s));
    s->in = (Input) { data, len };
    s->size = 1u << (input_u8(&s->in) % (SIZE_MAX_LOG + 1));
    s->memory = g_malloc(s->size + 2 * GUARD);
    memset(s->memory, GUARD_BYTE, s->size + 2 * GUARD);
    memset(ring_memory(s), 0, s->size);
    start = input_u32(&s->in);
    s->prod = s->cons = start;
    xen_9p_ring_init(&s->producer, ring_memory(s), s->size, &s->prod,
                     &s->cons);
    xen_9p_ring_init(&s->consumer, ring_memory(s), s->size, &s->cons,
                     &s->prod);
    s->produced = s->consumed = (Model) { start, start };
}

static void state_fini(State *s)
{
    for (unsigned i = 0; i < GUARD; i++) {
        g_assert_cmphex(s->memory[i], ==, GUARD_BYTE);
        g_assert_cmphex(s->memory[GUARD + s->size + i], ==, GUARD_BYTE);
    }
    g_assert(memcmp(ring_memory(s), s->mirror, s->size) == 0);
    g_free(s->memory);
}

/*
 * The distance from an index of the model to one of the shared page, where
 * the latter is taken to be the next of that value.
 */
static uint64_t ahead(uint64_t from, uint32_t shared)
{
    uint64_t index = (from & ~(uint64_t)UINT32_MAX) | shared;

    if (index < from) {
        index += (uint64_t)1 << 32;
    }
    return index - from;
}

/* How much the consumer may read; false if the indices cannot be. */
static bool readable(State *s, uint32_t *bytes)
{
    const Model *model = &s->consumed;
    uint64_t unreleased = ahead(model->published, s->prod);
    uint64_t taken = model->position - model->published;
    bool possible = s->cons == (uint32_t)model->published &&
        unreleased <= s->size && taken <= unreleased;

    g_assert(xen_9p_ring_readable(&s->consumer, bytes) == possible);
    if (possible) {
        g_assert_cmpuint(*bytes, ==, unreleased - taken);
    }
    return possible;
}

/* How much the producer may write. */
static bool writable(State *s, uint32_t *bytes)
{
    const Model *model = &s->produced;
    uint64_t used = -ahead(model->position, s->cons) & UINT32_MAX;
    bool possible = s->prod == (uint32_t)model->published && used <= s->size;

    g_assert(xen_9p_ring_writable(&s->producer, bytes) == possible);
    if (possible) {
        g_assert_cmpuint(*bytes, ==, s->size - used);
    }
    return possible;
}

static void do_write(State *s)
{
    uint8_t bytes[1 << SIZE_MAX_LOG];
    uint32_t room, len = input_u16(&s->in);

    if (!writable(s, &room)) {
        return;
    }
    len = room ? len % (room + 1) : 0;
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (s->produced.position + i) * 31 + 7;
        s->mirror[(s->produced.position + i) % s->size] = bytes[i];
    }
    xen_9p_ring_write(&s->producer, bytes, len);
    s->produced.position += len;
    g_assert_cmphex(s->producer.position, ==,
                    (uint32_t)s->produced.position);
}

static void do_read(State *s)
{
    uint8_t bytes[1 << SIZE_MAX_LOG];
    uint32_t available, len = input_u16(&s->in);
    struct iovec iov[2];
    size_t total = 0;
    unsigned num;

    if (!readable(s, &available)) {
        return;
    }
    len = available ? len % (available + 1) : 0;
    num = xen_9p_ring_iov(&s->consumer, s->consumer.position, len, iov);
    g_assert_cmpuint(num, <=, 2);
    for (unsigned i = 0; i < num; i++) {
        g_assert_cmpuint(iov[i].iov_len, >, 0);
        total += iov[i].iov_len;
    }
    g_assert_cmpuint(total, ==, len);
    xen_9p_ring_read(&s->consumer, s->consumer.position, bytes, len);
    for (uint32_t i = 0; i < len; i++) {
        uint64_t index = s->consumed.position + i;

        g_assert_cmphex(bytes[i], ==, s->mirror[index % s->size]);
    }
    s->consumer.position += len;
    s->consumed.position += len;
}

static void publish(Xen9pRing *ring, Model *model, uint64_t upto,
                    const uint32_t *shared)
{
    bool news = upto != model->published;

    g_assert(xen_9p_ring_publish(ring, upto) == news);
    if (news) {
        g_assert_cmphex(*shared, ==, (uint32_t)upto);
    }
    model->published = upto;
}

/* The consumer may give back less than it has read. */
static void do_release(State *s)
{
    uint64_t taken = s->consumed.position - s->consumed.published;
    uint64_t part = input_u16(&s->in) % (taken + 1);

    publish(&s->consumer, &s->consumed, s->consumed.published + part,
            &s->cons);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    State s;
    uint32_t bytes;

    state_init(&s, data, len);
    while (s.in.left) {
        switch (input_u8(&s.in) % 8) {
        case 0:
            do_write(&s);
            break;
        case 1:
            publish(&s.producer, &s.produced, s.produced.position, &s.prod);
            break;
        case 2:
            do_read(&s);
            break;
        case 3:
            do_release(&s);
            break;
        case 4:
            s.prod = input_u32(&s.in);
            break;
        case 5:
            s.cons = input_u32(&s.in);
            break;
        case 6:
            s.prod += (int8_t)input_u8(&s.in);
            break;
        default:
            s.cons += (int8_t)input_u8(&s.in);
            break;
        }
        readable(&s, &bytes);
        writable(&s, &bytes);
    }
    state_fini(&s);
    return 0;
}
