/*
 * What is measured: a backend on the loopback, or the floor
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include "fixture.h"

typedef struct Target {
    P9Client *client;           /* attached, the root is fid 0 */
    const char *dir;            /* that is served */
    int rings, order;
    Fixture *f;                 /* both are NULL for the floor: the server */
    Fe *fe;                     /* is in this process */
} Target;

#endif
