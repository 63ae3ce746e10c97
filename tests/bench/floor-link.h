/*
 * What link.h and the 9P client ask for, with the server in this process
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_FLOOR_LINK_H
#define BENCH_FLOOR_LINK_H

#include "9p/client.h"

/* One call at a time, on its only ring. */
extern const P9Transport floor_transport;

#endif
