/*
 * A thread that keeps changing shared memory while a backend reads it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <pthread.h>

#include "attack-flip.h"

/* Changes between two pauses: there may be one processor only. */
#define BURST 256

struct Flip {
    FlipRule rule;
    Fe *kick;
    pthread_t thread;
    int stop;
};

static void change(const FlipRule *rule, GRand *rand, unsigned i)
{
    if (rule->len) {
        uint8_t *byte = rule->at;

        byte += g_rand_int_range(rand, 0, rule->len);
        __atomic_store_n(byte, g_rand_int(rand), __ATOMIC_RELAXED);
    } else {
        __atomic_store_n((uint32_t *)rule->at,
                         rule->values[i % rule->nr_values],
                         __ATOMIC_RELAXED);
    }
}

static void *run(void *opaque)
{
    Flip *flip = opaque;
    GRand *rand = g_rand_new_with_seed(1);
    unsigned i;

    for (i = 1; !g_atomic_int_get(&flip->stop); i++) {
        change(&flip->rule, rand, i);
        if (i % BURST == 0) {
            if (flip->kick) {
                fe_kick(flip->kick, 0);
            }
            g_usleep(1);
        }
    }
    g_rand_free(rand);
    return NULL;
}

Flip *flip_start(const FlipRule *rule, Fe *kick)
{
    Flip *flip = g_new0(Flip, 1);

    flip->rule = *rule;
    flip->kick = kick;
    g_assert_cmpint(pthread_create(&flip->thread, NULL, run, flip), ==, 0);
    return flip;
}

void flip_stop(Flip *flip)
{
    g_atomic_int_set(&flip->stop, 1);
    pthread_join(flip->thread, NULL);
    g_free(flip);
}
