/*
 * Hostile: what a frontend can write into its rings and their shared page
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stddef.h>
#include <string.h>

#include "attack-flip.h"

#define ORDER 3
#define RING_BYTES (LOOP_PAGE_SIZE << (ORDER - 1))

/* ---- Indices ---- */

/* The end is that of an idle ring; on a busy one it depends on the moment. */
typedef struct IndexCase {
    const char *name;
    size_t offset;
    uint32_t add;
    AttackEnd end;
} IndexCase;

#define INDEX(name, field, add, end) \
    { name, offsetof(FlexIntf, field), add, ATTACK_##end }

static const IndexCase index_cases[] = {
    INDEX("out-prod+1", out_prod, 1, ANY),
    INDEX("out-prod-1", out_prod, -1, CLOSES),
    INDEX("out-prod+ring", out_prod, RING_BYTES, ANY),
    INDEX("out-prod+ring+1", out_prod, RING_BYTES + 1, CLOSES),
    INDEX("out-prod+2G", out_prod, 1u << 31, CLOSES),
    INDEX("out-cons+1", out_cons, 1, CLOSES),
    INDEX("out-cons-1", out_cons, -1, CLOSES),
    INDEX("out-cons+ring", out_cons, RING_BYTES, CLOSES),
    INDEX("out-cons+2G", out_cons, 1u << 31, CLOSES),
    INDEX("in-prod+1", in_prod, 1, CLOSES),
    INDEX("in-prod-1", in_prod, -1, CLOSES),
    INDEX("in-prod+ring", in_prod, RING_BYTES, CLOSES),
    INDEX("in-prod+2G", in_prod, 1u << 31, CLOSES),
    INDEX("in-cons+1", in_cons, 1, CLOSES),
    INDEX("in-cons-1", in_cons, -1, ANY),
    INDEX("in-cons+ring", in_cons, RING_BYTES, CLOSES),
    INDEX("in-cons+ring+1", in_cons, RING_BYTES + 1, CLOSES),
    INDEX("in-cons+2G", in_cons, 1u << 31, CLOSES),
};

static void move_index(Attack *a, const IndexCase *test)
{
    uint32_t *index = (uint32_t *)((char *)a->bad->rings[0].intf +
                                   test->offset);

    __atomic_fetch_add(index, test->add, __ATOMIC_SEQ_CST);
    fe_kick(a->bad, 0);
}

static void test_index_idle(gconstpointer data)
{
    const IndexCase *test = data;
    Attack *a = attack_up();

    attack_connect(a, 2, ORDER);
    move_index(a, test);
    g_usleep(5000);
    if (test->offset != offsetof(FlexIntf, out_prod)) {
        attack_request(a->bad, 0, P9_TCLUNK, 900, "d", 99u);
    }
    attack_expect(a, test->end);
    attack_down(a);
}

static void test_index_busy(gconstpointer data)
{
    const IndexCase *test = data;
    Attack *a = attack_up();

    attack_connect(a, 2, ORDER);
    attack_reads(a->bad, 16, 4000);
    move_index(a, test);
    attack_request(a->bad, 0, P9_TCLUNK, 999, "d", 99u);
    g_usleep(5000);
    attack_down(a);
}

/* ---- Sizes ---- */

typedef struct SizeCase {
    uint32_t size;
    AttackEnd end;
} SizeCase;

static const SizeCase size_cases[] = {
    { 0, ATTACK_CLOSES }, { 1, ATTACK_CLOSES }, { 2, ATTACK_CLOSES },
    { 3, ATTACK_CLOSES }, { 4, ATTACK_CLOSES }, { 5, ATTACK_CLOSES },
    { 6, ATTACK_CLOSES }, { 7, ATTACK_SERVES }, { 8, ATTACK_SERVES },
    { RING_BYTES - 1, ATTACK_SERVES }, { RING_BYTES, ATTACK_SERVES },
    { RING_BYTES + 1, ATTACK_CLOSES }, { 1u << 31, ATTACK_CLOSES },
    { UINT32_MAX - 6, ATTACK_CLOSES }, { UINT32_MAX, ATTACK_CLOSES },
};

/* The whole ring is full behind a header that claims that size. */
static void run_size(const SizeCase *test, uint8_t type)
{
    g_autofree uint8_t *bytes = g_malloc0(RING_BYTES);
    uint32_t len = test->size >= 7 && test->size <= RING_BYTES ? test->size
                                                              : RING_BYTES;
    Attack *a = attack_up();

    attack_connect(a, 1, ORDER);
    attack_header(bytes, test->size, type, 900);
    attack_send(a->bad, 0, bytes, len);
    attack_expect(a, test->end);
    attack_down(a);
}

static void test_size_clunk(gconstpointer data)
{
    run_size(data, P9_TCLUNK);
}

static void test_size_write(gconstpointer data)
{
    run_size(data, P9_TWRITE);
}

/* ---- Set-up ---- */

typedef struct SetupCase {
    const char *name;
    void (*spoil)(Attack *a, Flex *ring, uint32_t value);
    uint32_t value;
    AttackEnd end;
} SetupCase;

static void set_order(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t value)
{
    ring->intf->ring_order = value;
}

static void set_ref_invalid(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t at)
{
    ring->intf->ref[at] = UINT32_MAX;
}

static void set_ref_free(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t at)
{
    ring->intf->ref[at] = LOOP_MAX_GRANTS - 1;
}

static void end_grant(Attack *a, Flex *ring, uint32_t at)
{
    loop_grant_entry(a->f->loop, ring->domid, ring->refs[at])->flags = 0;
}

static void make_readonly(Attack *a, Flex *ring, uint32_t at)
{
    loop_grant_entry(a->f->loop, ring->domid, ring->refs[at])->flags |=
        GTF_readonly;
}

static void page_readonly(Attack *a, Flex *ring, uint32_t at G_GNUC_UNUSED)
{
    loop_grant_entry(a->f->loop, ring->domid, ring->intf_ref)->flags |=
        GTF_readonly;
}

static void to_other_domain(Attack *a, Flex *ring, uint32_t at)
{
    loop_grant_entry(a->f->loop, ring->domid, ring->refs[at])->domid = 5;
}

static void page_to_other_domain(Attack *a, Flex *ring,
                                 uint32_t at G_GNUC_UNUSED)
{
    loop_grant_entry(a->f->loop, ring->domid, ring->intf_ref)->domid = 5;
}

static void no_such_frame(Attack *a, Flex *ring, uint32_t at)
{
    loop_grant_entry(a->f->loop, ring->domid, ring->refs[at])->frame =
        UINT32_MAX;
}

static void repeat_one(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t at)
{
    unsigned i;

    for (i = 0; i < 1u << ORDER; i++) {
        ring->intf->ref[i] = ring->refs[at];
    }
}

static void overlap_page(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t at)
{
    ring->intf->ref[at] = ring->intf_ref;
}

static void overlap_halves(Attack *a G_GNUC_UNUSED, Flex *ring,
                           uint32_t value G_GNUC_UNUSED)
{
    unsigned half = 1u << (ORDER - 1);

    memcpy(ring->intf->ref, ring->refs + half, half * sizeof(grant_ref_t));
}

static void take_neighbours(Attack *a, Flex *ring, uint32_t at)
{
    ring->intf->ref[at] = a->good->rings[0].refs[at];
}

static void fill_page(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t value)
{
    memset(ring->intf, value, LOOP_PAGE_SIZE);
}

static void start_at(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t value)
{
    FlexIntf *intf = ring->intf;

    intf->in_cons = intf->in_prod = intf->out_cons = intf->out_prod = value;
    ring->in_cons = ring->out_prod = value;
}

static void start_apart(Attack *a G_GNUC_UNUSED, Flex *ring, uint32_t value)
{
    ring->out_prod = ring->intf->out_prod = value;
}

static const SetupCase setup_cases[] = {
    { "order-0", set_order, 0, ATTACK_CLOSES },
    { "order-10", set_order, 10, ATTACK_CLOSES },
    { "order-31", set_order, 31, ATTACK_CLOSES },
    { "order-32", set_order, 32, ATTACK_CLOSES },
    { "order-2G", set_order, 1u << 31, ATTACK_CLOSES },
    { "order-max", set_order, UINT32_MAX, ATTACK_CLOSES },
    { "order-too-large", set_order, 9, ATTACK_CLOSES },
    { "order-smaller", set_order, 1, ATTACK_SERVES },
    { "ref-invalid-first", set_ref_invalid, 0, ATTACK_CLOSES },
    { "ref-invalid-in-last", set_ref_invalid, 3, ATTACK_CLOSES },
    { "ref-invalid-out-first", set_ref_invalid, 4, ATTACK_CLOSES },
    { "ref-invalid-last", set_ref_invalid, 7, ATTACK_CLOSES },
    { "ref-free", set_ref_free, 2, ATTACK_CLOSES },
    { "ref-revoked-in", end_grant, 1, ATTACK_CLOSES },
    { "ref-revoked-out", end_grant, 6, ATTACK_CLOSES },
    { "ref-readonly-in", make_readonly, 1, ATTACK_CLOSES },
    { "ref-readonly-out", make_readonly, 6, ATTACK_SERVES },
    { "page-readonly", page_readonly, 0, ATTACK_CLOSES },
    { "ref-other-domain", to_other_domain, 5, ATTACK_CLOSES },
    { "page-other-domain", page_to_other_domain, 0, ATTACK_CLOSES },
    { "ref-no-such-frame", no_such_frame, 3, ATTACK_CLOSES },
    { "ref-repeated", repeat_one, 0, ATTACK_ANY },
    { "ref-page-as-in", overlap_page, 0, ATTACK_ANY },
    { "ref-page-as-out", overlap_page, 4, ATTACK_ANY },
    { "ref-in-is-out", overlap_halves, 0, ATTACK_ANY },
    { "ref-neighbours", take_neighbours, 6, ATTACK_SERVES },
    { "page-zeroes", fill_page, 0, ATTACK_CLOSES },
    { "page-ones", fill_page, 0xff, ATTACK_CLOSES },
    { "start-wraps", start_at, UINT32_MAX - 20, ATTACK_SERVES },
    { "start-odd", start_at, 12345, ATTACK_SERVES },
    { "start-past-ring", start_apart, RING_BYTES + 1, ATTACK_CLOSES },
    { "start-2G", start_apart, 1u << 31, ATTACK_CLOSES },
};

static void test_setup(gconstpointer data)
{
    const SetupCase *test = data;
    Attack *a = attack_up();
    Fe *fe = a->bad;

    fe_alloc(fe, 1, ORDER);
    test->spoil(a, &fe->rings[0], test->value);
    fe_publish(fe);
    fe_set_state(fe, XenbusStateInitialised);
    if (fe_wait_state(fe, FE_STATE(Connected) | FE_STATE(Closing) |
                      FE_STATE(Closed), ATTACK_STATE_MS) ==
        XenbusStateConnected) {
        fe_set_state(fe, XenbusStateConnected);
        if (test->spoil == set_order) {
            fe->rings[0].size = LOOP_PAGE_SIZE << test->value >> 1;
            fe->rings[0].out = fe->rings[0].in + fe->rings[0].size;
        }
        attack_request(fe, 0, P9_TVERSION, P9_NOTAG, "ds", 8192u,
                       "9P2000.L");
    }
    attack_expect(a, test->end);
    attack_down(a);
}

/* The same while connected: what is mapped is mapped. */
static void test_setup_late(gconstpointer data)
{
    const SetupCase *test = data;
    Attack *a = attack_up();

    attack_connect(a, 1, ORDER);
    attack_reads(a->bad, 4, 4000);
    test->spoil(a, &a->bad->rings[0], test->value);
    fe_kick(a->bad, 0);
    g_usleep(5000);
    attack_answers(a->bad, 0, 50);
    attack_down(a);
}

/* ---- A thread that flips ---- */

typedef struct FlipCase {
    const char *name;
    size_t offset;              /* in the shared page */
    uint32_t len;               /* of bytes; 0: a word, with these: */
    uint32_t add[4];
    bool data;                  /* not the shared page, but the out ring */
} FlipCase;

#define FLIP(name, field, ...) \
    { name, offsetof(FlexIntf, field), 0, __VA_ARGS__, false }

static const FlipCase flip_cases[] = {
    FLIP("out-prod-near", out_prod, { 0, 11, 23, 4096 }),
    FLIP("out-prod-far", out_prod, { 0, RING_BYTES, RING_BYTES + 1, -1 }),
    FLIP("in-cons-near", in_cons, { 0, 1, 11, -11 }),
    FLIP("in-cons-far", in_cons, { 0, RING_BYTES, 1u << 31, -1 }),
    FLIP("in-prod", in_prod, { 0, 1, RING_BYTES, 1u << 31 }),
    FLIP("out-cons", out_cons, { 0, 1, RING_BYTES, 1u << 31 }),
    FLIP("ring-order", ring_order, { 9, 0, 1, 31 }),
    { "refs", offsetof(FlexIntf, ref), 32, { 0 }, false },
    { "page", 0, sizeof(FlexIntf), { 0 }, false },
    { "headers", 0, 32, { 0 }, true },
    { "payload", 23, RING_BYTES - 23, { 0 }, true },
    { "requests", 0, RING_BYTES, { 0 }, true },
};

/* Requests of every size that the ring takes, whatever becomes of them. */
static void make_traffic(Attack *a, unsigned round)
{
    g_autofree uint8_t *bytes = g_malloc0(RING_BYTES);
    Fe *fe = a->bad;
    unsigned i;

    for (i = 0; i < 24; i++) {
        uint32_t size = i % 3 ? 23 + (i * 97 + round * 31) % 200
                              : 5000 + i * 300;

        attack_header(bytes, size, i % 3 == 1 ? P9_TREAD : P9_TWRITE, i);
        bytes[7] = 1;
        size = GUINT32_TO_LE(size - 23);
        memcpy(bytes + 19, &size, sizeof(size));
        attack_send(fe, 0, bytes, GUINT32_FROM_LE(size) + 23);
        if (i % 8 == 7) {
            g_usleep(200);
        }
        attack_skip(fe, 0);
    }
}

static void test_flip(gconstpointer data)
{
    const FlipCase *test = data;
    Attack *a = attack_up();
    unsigned round, i;

    attack_connect(a, 1, ORDER);
    for (round = 0; round < 12 && attack_lives(a); round++) {
        Flex *ring = &a->bad->rings[0];
        uint8_t *base = test->data ? ring->out : (uint8_t *)ring->intf;
        uint32_t values[4];
        FlipRule rule = {
            .at = base + test->offset, .len = test->len, .values = values,
            .nr_values = 4,
        };
        Flip *flip;

        for (i = 0; i < 4; i++) {
            values[i] = (test->len ? 0 : *(uint32_t *)rule.at) + test->add[i];
        }
        flip = flip_start(&rule, a->bad);
        make_traffic(a, round);
        flip_stop(flip);
        if (!attack_again(a, 1, ORDER)) {
            break;
        }
        if (round % 2) {
            attack_open(a, a->bad);
        }
    }
    attack_down(a);
}

/* ---- More than one ring ---- */

/*
 * Headers that cannot be, on two rings that nobody is told of: a Tflush on a
 * third one makes the backend look at both.
 */
static void test_two_broken(void)
{
    Attack *a = attack_up();
    uint8_t header[7];
    unsigned ring;

    attack_connect(a, 3, ORDER);
    attack_header(header, 3, P9_TCLUNK, 900);
    for (ring = 1; ring < 3; ring++) {
        g_assert_true(flex_send(&a->bad->rings[ring], header,
                                sizeof(header)));
    }
    attack_request(a->bad, 0, P9_TFLUSH, 901, "w", 900);
    attack_expect(a, ATTACK_CLOSES);
    attack_down(a);
}

/* ---- All of them ---- */

static void add_sizes(void)
{
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(size_cases); i++) {
        g_autofree char *clunk = g_strdup_printf("/hostile/size/clunk-%u",
                                                 size_cases[i].size);
        g_autofree char *write = g_strdup_printf("/hostile/size/write-%u",
                                                 size_cases[i].size);

        g_test_add_data_func(clunk, &size_cases[i], test_size_clunk);
        g_test_add_data_func(write, &size_cases[i], test_size_write);
    }
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(index_cases); i++) {
        ATTACK_ADD("index/idle", index_cases, i, test_index_idle);
        ATTACK_ADD("index/busy", index_cases, i, test_index_busy);
    }
    add_sizes();
    g_test_add_func("/hostile/size/two-rings", test_two_broken);
    for (i = 0; i < G_N_ELEMENTS(setup_cases); i++) {
        ATTACK_ADD("setup", setup_cases, i, test_setup);
        ATTACK_ADD("setup-late", setup_cases, i, test_setup_late);
    }
    for (i = 0; i < G_N_ELEMENTS(flip_cases); i++) {
        ATTACK_ADD("flip", flip_cases, i, test_flip);
    }
    return g_test_run();
}
