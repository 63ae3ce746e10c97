/*
 * Hostile: requests that no 9P client would send
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "attack.h"

#define NO_MORE 0xffffffffu

/* ---- Bodies ---- */

typedef struct BodyCase {
    const char *name;
    uint32_t len;
    bool random;
    unsigned rounds;
} BodyCase;

static const BodyCase body_cases[] = {
    { "empty", 0, false, 1 },
    { "one-byte", 1, false, 1 },
    { "four-zeroes", 4, false, 1 },
    { "zeroes", 200, false, 1 },
    { "random-short", 30, true, 4 },
    { "random", 300, true, 4 },
    { "random-long", 6000, true, 2 },
};

/* Plausible fids and short strings let it get further than noise would. */
static void fill(GRand *rand, uint8_t *body, uint32_t len)
{
    uint32_t i;

    for (i = 0; i < len; i++) {
        uint32_t value = g_rand_int(rand);

        body[i] = value & 0x300 ? value & 3 : value;
    }
}

/* Every type once, with as many in flight as the ring takes. */
static void send_all_types(Attack *a, const BodyCase *test, GRand *rand)
{
    g_autofree uint8_t *message = g_malloc0(7 + test->len);
    unsigned type, tries;

    for (type = 0; type < 256 && attack_lives(a); type++) {
        if (test->random) {
            fill(rand, message + 7, test->len);
        }
        attack_header(message, 7 + test->len, type, 1000 + type);
        for (tries = 0; tries < 200 &&
             !attack_send(a->bad, type % 2, message, 7 + test->len);
             tries++) {
            attack_skip(a->bad, 0);
            attack_skip(a->bad, 1);
            g_usleep(500);
        }
        attack_skip(a->bad, type % 2);
    }
}

/* No reply is there, and no request is left in a ring. */
static bool quiet(Attack *a)
{
    bool idle = true;
    unsigned i;

    for (i = 0; i < a->bad->nr_rings; i++) {
        idle &= !attack_skip(a->bad, i) && !attack_unread(a->bad, i);
    }
    if (idle) {
        g_usleep(5000);
    }
    return idle;
}

static void test_types(gconstpointer data)
{
    const BodyCase *test = data;
    GRand *rand = g_rand_new_with_seed(test->len);
    Attack *a = attack_up();
    unsigned round;

    attack_connect(a, 2, 4);
    for (round = 0; round < test->rounds && attack_lives(a); round++) {
        attack_open(a, a->bad);
        send_all_types(a, test, rand);
        attack_wait(a, quiet, 2000);
        attack_expect(a, ATTACK_SERVES);
    }
    g_rand_free(rand);
    attack_down(a);
}

/* ---- Counts ---- */

typedef struct CountCase {
    const char *name;
    uint8_t type;
    const char *format;
    uint32_t count;
} CountCase;

/* Each has fid 1, which is a file, or fid 2, a directory. */
static const CountCase count_cases[] = {
    { "read-max", P9_TREAD, "dqd", NO_MORE },
    { "read-2G", P9_TREAD, "dqd", 1u << 31 },
    { "read-max-less-11", P9_TREAD, "dqd", NO_MORE - 10 },
    { "read-ring", P9_TREAD, "dqd", 4096 },
    { "write-max", P9_TWRITE, "dqd", NO_MORE },
    { "write-2G", P9_TWRITE, "dqd", 1u << 31 },
    { "write-one-more", P9_TWRITE, "dqd", 1 },
    { "readdir-max", P9_TREADDIR, "dqd", NO_MORE },
    { "readdir-2G", P9_TREADDIR, "dqd", 1u << 31 },
    { "readdir-one", P9_TREADDIR, "dqd", 1 },
    { "readdir-zero", P9_TREADDIR, "dqd", 0 },
};

static void test_count(gconstpointer data)
{
    const CountCase *test = data;
    bool dir = test->type == P9_TREADDIR;
    Attack *a = attack_up();
    P9Client *c = &a->bad->client;
    unsigned msize;

    attack_connect(a, 2, 3);
    for (msize = 4096; msize <= 65536 && attack_lives(a); msize *= 4) {
        P9Req *req;

        tversion({.fe = c, .msize = msize});
        tattach({.fe = c});
        twalk({.fe = c, .newfid = 1, .path = dir ? NULL : "data"});
        tlopen({.fe = c, .fid = 1, .flags = dir ? 0 : P9_DOTL_RDWR});
        req = p9_req_new(c, test->type, -1, -1);
        p9_pack(&req->tx, test->format, 1u, (uint64_t)0, test->count);
        if (!p9_req_send(req) ||
            p9_req_wait(req, ATTACK_ANSWER_MS) != P9_DONE) {
            attack_fail(a, "msize %u: no reply, or one that is too large: "
                        "%s", msize, a->bad->broken ? a->bad->broken : "");
        } else if (p9_msg_size(&req->rx) > c->msize) {
            attack_fail(a, "msize %u: a reply of %u bytes", c->msize,
                        p9_msg_size(&req->rx));
        }
        p9_req_free(req);
    }
    attack_down(a);
}

/* Twalk with more names, and names with more bytes, than there are. */
static void test_walk_count(void)
{
    static const uint16_t counts[] = { 1, 16, 17, 255, 32768, 65535 };
    Attack *a = attack_up();
    uint8_t message[64] = { 0 };
    unsigned i, n;

    attack_connect(a, 1, 3);
    for (i = 0; i < G_N_ELEMENTS(counts); i++) {
        for (n = 0; n < G_N_ELEMENTS(counts); n++) {
            uint16_t nwname = GUINT16_TO_LE(counts[i]);
            uint16_t len = GUINT16_TO_LE(counts[n]);

            attack_header(message, sizeof(message), P9_TWALK, 900);
            message[11] = 9;
            memcpy(message + 15, &nwname, sizeof(nwname));
            memcpy(message + 17, &len, sizeof(len));
            attack_send(a->bad, 0, message, sizeof(message));
            g_usleep(300);
            attack_skip(a->bad, 0);
        }
    }
    attack_wait(a, quiet, 500);
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- msize and Tversion ---- */

/* What any message may have at the most, whatever the frontend uses of it. */
static uint32_t largest_msize(Fe *fe)
{
    return fe->virtfs ? 511 * LOOP_PAGE_SIZE : fe->rings[0].size;
}

static void test_msize(void)
{
    static const uint32_t sizes[] = {
        0, 1, 7, 24, 4095, 4096, 8191, 1u << 31, NO_MORE - 1, NO_MORE,
    };
    Attack *a = attack_up();
    P9Client *c = &a->bad->client;
    unsigned i;

    attack_connect(a, 2, 3);
    a->log_lines = G_N_ELEMENTS(sizes);
    for (i = 0; i < G_N_ELEMENTS(sizes) && attack_lives(a); i++) {
        uint32_t error, agreed = 0;

        tversion({.fe = c, .msize = sizes[i], .rmsize = &agreed,
                  .rerror = &error});
        if (!error && agreed > largest_msize(a->bad)) {
            attack_fail(a, "msize %u: it agrees to %u, there is room for %u",
                        sizes[i], agreed, largest_msize(a->bad));
        }
        c->msize = 0;
        attack_request(a->bad, 0, P9_TREAD, 900, "dqd", 1u, (uint64_t)0,
                       NO_MORE);
        attack_expect(a, ATTACK_SERVES);
    }
    attack_down(a);
}

/* Anything but Tversion, on a session that has none yet. */
static void test_before_version(void)
{
    Attack *a = attack_up();
    unsigned type;

    g_assert_true(fe_connect(a->bad, 2, 3));
    for (type = 0; type < 256 && attack_lives(a); type++) {
        if (type != P9_TVERSION) {
            attack_request(a->bad, type % 2, type, 900, "dqdds", 1u,
                           (uint64_t)0, NO_MORE, 0u, "x");
            attack_skip(a->bad, 0);
            attack_skip(a->bad, 1);
        }
    }
    attack_wait(a, quiet, 1000);
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* A new session in the middle of the old one's requests. */
static void test_version_midway(void)
{
    Attack *a = attack_up();
    unsigned round, i;

    attack_connect(a, 2, 4);
    for (round = 0; round < 40 && attack_lives(a); round++) {
        for (i = 0; i < 20; i++) {
            attack_request(a->bad, i % 2, i % 3 ? P9_TREAD : P9_TGETATTR,
                           900 + i, "dqd", 1u, (uint64_t)i * 100, 1000u);
            if (i == 10) {
                attack_request(a->bad, 0, P9_TVERSION, P9_NOTAG, "ds",
                               8192u, round % 2 ? "9P2000.L" : "nonsense");
            }
        }
        attack_wait(a, quiet, 1000);
        if (round % 4 == 3 && !attack_open(a, a->bad)) {
            attack_fail(a, "round %u: it does not start again", round);
            break;
        }
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- Tags ---- */

/* All requests have one tag: each still has its reply. */
static void test_same_tag(void)
{
    Attack *a = attack_up();
    unsigned i, replies = 0;
    int waited;

    attack_connect(a, 2, 5);
    for (i = 0; i < 64; i++) {
        attack_request(a->bad, i % 2, P9_TCLUNK, 900, "d", 99u);
    }
    for (waited = 0; waited < 1000 && replies < 64; waited++) {
        for (i = 0; i < 2; i++) {
            replies += attack_skip(a->bad, i) / 11;
        }
        g_usleep(1000);
    }
    if (replies != 64) {
        attack_fail(a, "%u replies to 64 requests", replies);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

typedef struct FlushCase {
    const char *name;
    unsigned reads;             /* to be flushed, with tags from 0 */
    unsigned flushes;           /* with tags from 100 */
    uint16_t old, old_step;     /* what they flush */
} FlushCase;

static const FlushCase flush_cases[] = {
    { "unknown", 0, 60, 5000, 1 },
    { "itself", 0, 12, 100, 1 },
    { "each-other", 4, 60, 101, 1 },
    { "the-one-before", 4, 60, 99, 1 },
    { "all-of-one", 4, 60, 0, 0 },
    { "requests", 60, 60, 0, 1 },
    { "notag", 4, 20, P9_NOTAG, 0 },
};

/* Reads of 16 KiB take their time; the flushes find some of them. */
static void test_flush(gconstpointer data)
{
    const FlushCase *test = data;
    Attack *a = attack_up();
    unsigned round, i;

    attack_connect(a, 2, 6);
    a->log_lines = 10 * test->flushes;  /* test_log_flood() is about these */
    for (round = 0; round < 10 && attack_lives(a); round++) {
        for (i = 0; i < test->reads; i++) {
            attack_request(a->bad, i % 2, P9_TREAD, i, "dqd", 1u,
                           (uint64_t)0, 16000u);
        }
        for (i = 0; i < test->flushes; i++) {
            attack_request(a->bad, i % 2, P9_TFLUSH, 100 + i, "w",
                           (uint16_t)(test->old + i * test->old_step));
        }
        attack_wait(a, quiet, 1000);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* ---- Fids, names and the log ---- */

/* Fids without end: they are the server's memory, and bounded by its own. */
static void test_many_fids(void)
{
    Attack *a = attack_up();
    unsigned i, before;

    attack_connect(a, 2, 5);
    before = attack_rss_kib(a);
    for (i = 0; i < 3000 && attack_lives(a); i++) {
        attack_request(a->bad, i % 2, P9_TWALK, i, "ddw", 0u, 10 + i, 0);
        attack_skip(a->bad, i % 2);
    }
    attack_wait(a, quiet, 1000);
    attack_expect(a, ATTACK_SERVES);
    if (attack_rss_kib(a) > before + 16 * 1024) {
        attack_fail(a, "%u KiB became %u", before, attack_rss_kib(a));
    }
    attack_down(a);
}

/* A path out of the share, in every request that takes a name. */
static void test_names(void)
{
    static const char *const names[] = {
        "..", "../good/data", "/", "", ".", "a/b", "/etc/passwd", "../..",
    };
    static const uint8_t types[] = {
        P9_TLCREATE, P9_TSYMLINK, P9_TMKNOD, P9_TMKDIR, P9_TUNLINKAT,
        P9_TLINK, P9_TRENAME, P9_TRENAMEAT,
    };
    Attack *a = attack_up();
    P9Client *c = &a->bad->client;
    unsigned i, n;

    attack_connect(a, 2, 4);
    for (i = 0; i < G_N_ELEMENTS(names) && attack_lives(a); i++) {
        P9Req *req = p9_req_new(c, P9_TWALK, -1, -1);

        p9_pack(&req->tx, "ddws", 0u, 50 + i, 1, names[i]);
        if (p9_req_send(req) &&
            p9_req_wait(req, ATTACK_ANSWER_MS) == P9_DONE &&
            !p9_req_error(req) && strcmp(names[i], "..") &&
            strcmp(names[i], ".")) {
            attack_fail(a, "it walks to '%s'", names[i]);
        }
        p9_req_free(req);
        for (n = 0; n < G_N_ELEMENTS(types); n++) {
            attack_request(a->bad, 0, types[n], 900 + n, "dsdddsd", 0u,
                           names[i], 0644u, 0u, 0u, names[i], 0u);
        }
        attack_wait(a, quiet, 500);
    }
    attack_expect(a, ATTACK_SERVES);
    attack_down(a);
}

/* What makes the server itself complain, as often as it takes. */
static void test_log_flood(gconstpointer data)
{
    uint8_t type = GPOINTER_TO_UINT(data);
    Attack *a = attack_up();
    unsigned i;

    attack_connect(a, 2, 5);
    for (i = 0; i < 300 && attack_lives(a); i++) {
        if (type == P9_TVERSION) {
            attack_request(a->bad, i % 2, type, P9_NOTAG, "ds", 1u,
                           "9P2000.L");
        } else {
            attack_request(a->bad, i % 2, type, 900, "w", 900);
        }
        attack_skip(a->bad, i % 2);
    }
    attack_wait(a, quiet, 1000);
    attack_down(a);
}

int main(int argc, char **argv)
{
    unsigned i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(body_cases); i++) {
        ATTACK_ADD("9p/all-types", body_cases, i, test_types);
    }
    for (i = 0; i < G_N_ELEMENTS(count_cases); i++) {
        ATTACK_ADD("9p/count", count_cases, i, test_count);
    }
    g_test_add_func("/hostile/9p/count/walk", test_walk_count);
    g_test_add_func("/hostile/9p/msize", test_msize);
    g_test_add_func("/hostile/9p/before-version", test_before_version);
    g_test_add_func("/hostile/9p/version-midway", test_version_midway);
    g_test_add_func("/hostile/9p/same-tag", test_same_tag);
    for (i = 0; i < G_N_ELEMENTS(flush_cases); i++) {
        ATTACK_ADD("9p/flush", flush_cases, i, test_flush);
    }
    g_test_add_func("/hostile/9p/many-fids", test_many_fids);
    g_test_add_func("/hostile/9p/names", test_names);
    g_test_add_data_func("/hostile/9p/log-flood/version",
                         GUINT_TO_POINTER(P9_TVERSION), test_log_flood);
    g_test_add_data_func("/hostile/9p/log-flood/flush",
                         GUINT_TO_POINTER(P9_TFLUSH), test_log_flood);
    return g_test_run();
}
