/*
 * A thread that keeps changing shared memory while a backend reads it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_ATTACK_FLIP_H
#define LOOPBACK_ATTACK_FLIP_H

#include "attack.h"

/* What is changed: a word, through @values in turn, or any byte of @len. */
typedef struct FlipRule {
    void *at;
    uint32_t len;               /* 0: @at is an aligned 32-bit word */
    const uint32_t *values;
    unsigned nr_values;
} FlipRule;

typedef struct Flip Flip;

/* @kick is a frontend whose ring 0 is notified now and then, or NULL. */
Flip *flip_start(const FlipRule *rule, Fe *kick);
void flip_stop(Flip *flip);

#endif
