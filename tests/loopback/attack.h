/*
 * A backend under attack: one device misbehaves, another must not notice
 *
 * Device 0 is the attacker's, device 1 its neighbour's in the same backend.
 * Whatever a test does to device 0, attack_down() asserts that the backend
 * lives, that the neighbour is served, that device 0 can be used again, that
 * nothing is left, and that the log has not been flooded. What is wrong
 * fails the test; it goes on as far as it can.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_ATTACK_H
#define LOOPBACK_ATTACK_H

#include "fixture.h"

/* The neighbour's patience; quiet, an answer takes some 50 us. */
#define ATTACK_ANSWER_MS 3000

/* Of a change of state; quiet, some milliseconds. */
#define ATTACK_STATE_MS 3000

/* Each device's folder has a file "data" of this size. */
#define ATTACK_FILE_SIZE 65536

typedef struct Attack {
    Fixture *f;
    Fe *bad;                    /* at InitWait, or Connected */
    Fe *good;                   /* attached at fid 0, "data" open at fid 1 */
    uint8_t *data;              /* what the file has */
    bool over;                  /* the backend has died: no more checks */
    bool leaks;                 /* what is left at the end is not its fault */
    gint64 start_us;
    unsigned log_lines;         /* that are due to the test itself */
} Attack;

/* What has to become of device 0 of our backend. */
typedef enum AttackEnd {
    ATTACK_ANY,                 /* either of these */
    ATTACK_SERVES,
    ATTACK_CLOSES               /* also: is refused */
} AttackEnd;

/*
 * attack_up: the backend, the neighbour connected, device 0 at InitWait.
 *     @more are further backend nodes of device 0, as in DeviceOpts.
 * attack_connect: bring device 0 up, attached and with its file open as the
 *     neighbour's is.
 * attack_down: all that is said above.
 * attack_down_fresh: the same, where device 0 has been removed already.
 */
Attack *attack_up(void);
Attack *attack_up_with(const char *const *more);
void attack_connect(Attack *a, unsigned rings, uint32_t order);
void attack_down(Attack *a);
void attack_down_fresh(Attack *a);

/*
 * attack_fail: this is wrong. The test goes on.
 * attack_lives: whether the backend lives. It fails the test if not.
 * attack_neighbour: one read by the neighbour, in time and correct.
 * attack_expect: what has become of device 0.
 * attack_recover: close device 0, connect it again and read from it.
 * attack_again: the same, quickly and without a check, for another round.
 * attack_try: connect another device, unless the backend refuses it.
 */
void attack_fail(Attack *a, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool attack_lives(Attack *a);
bool attack_neighbour(Attack *a);
void attack_expect(Attack *a, AttackEnd end);
bool attack_recover(Attack *a);
bool attack_again(Attack *a, unsigned rings, uint32_t order);
bool attack_try(Fe *fe, unsigned rings, uint32_t order);

/*
 * On any frontend that is attached, with "data" open at fid 1:
 *
 * attack_open: attach, and open it. False if that fails.
 * attack_read: read of it and compare.
 * attack_answers: send a Tclunk of an unknown fid; whether that is answered.
 */
bool attack_open(Attack *a, Fe *fe);
bool attack_read(Attack *a, Fe *fe, uint32_t size, int timeout_ms);
bool attack_answers(Fe *fe, int ring, int timeout_ms);

/*
 * Raw messages, whose replies nobody waits for:
 *
 * attack_send: put a message on a ring if there is room, and notify.
 * attack_header: a header that may lie.
 * attack_request: a request with a body as p9_pack() takes it; returns its
 *     size.
 * attack_reads: @count reads of fid 1, over all rings, with tags from 900.
 * attack_skip: throw away the replies that are in a ring, and notify; returns
 *     how many bytes they had.
 * attack_unread: whether the backend has left requests in a ring, or runs one.
 * attack_corrupt: move the producer's index to where it cannot be, and notify.
 */
bool attack_send(Fe *fe, unsigned ring, const void *data, uint32_t len);
void attack_header(uint8_t header[7], uint32_t size, uint8_t type,
                   uint16_t tag);
bool attack_request(Fe *fe, unsigned ring, uint8_t type, uint16_t tag,
                    const char *format, ...);
void attack_reads(Fe *fe, unsigned count, uint32_t size);
uint32_t attack_skip(Fe *fe, unsigned ring);
bool attack_unread(Fe *fe, unsigned ring);
void attack_corrupt(Fe *fe, unsigned ring);

/*
 * attack_wait: until @done says so, @timeout_ms have gone or the backend has
 *     died; returns whether it is done.
 * attack_unused: no grant is in use but those of the neighbour's rings.
 * attack_rss_kib: of the backend's process. Always 0 with LOOP_SANITIZED:
 *     what a sanitizer keeps aside is no leak, and leaks it reports itself.
 * attack_log: how many lines its log has.
 */
bool attack_wait(Attack *a, bool (*done)(Attack *a), int timeout_ms);
bool attack_unused(Attack *a);
unsigned attack_rss_kib(Attack *a);
unsigned attack_log(Attack *a);

/* Add a test for the one of @cases that @i is; they have a name. */
#define ATTACK_ADD(where, cases, i, function) do {                           \
    g_autofree char *path_ = g_strdup_printf("/hostile/%s/%s", where,        \
                                             (cases)[i].name);               \
    g_test_add_data_func(path_, &(cases)[i], function);                      \
} while (0)

#endif
