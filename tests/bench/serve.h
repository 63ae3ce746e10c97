/*
 * Measurements on demand, from standard input
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include "target.h"

/*
 * serve_lines: for each line "OPERATION SIZE DEPTH MILLISECONDS", measure and
 *     print a line of JSON: the figures, or null for what cannot be measured
 *     on the target. False after a line that makes no sense.
 * serve_pin: run on this CPU only, and all that is started from here.
 */
bool serve_lines(Target *target);
void serve_pin(int cpu);

#endif
