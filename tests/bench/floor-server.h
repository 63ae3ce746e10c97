/*
 * QEMU's 9P server in this process, with a transport that costs nothing
 *
 * A request is handed to the server where it lies, the reply is made where
 * the caller wants it, and nobody is notified: what is left is what the
 * server itself takes, its bottom halves and its threads.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_FLOOR_SERVER_H
#define BENCH_FLOOR_SERVER_H

#include <stdint.h>

#define FLOOR_MAX_REQUESTS 128

/*
 * floor_open: serve folder @path. Ends the program if that fails.
 * floor_submit: hand request @number to the server: @len bytes at @tx, which
 *     stay there until it is done.
 * floor_run: one turn of the main loop, which waits for something to do.
 *     Then calls @done for each request that is done, with the length of its
 *     reply; @done may submit again.
 */
typedef void FloorDone(void *opaque, unsigned number, uint32_t len);

void floor_open(const char *path);
void floor_submit(unsigned number, const void *tx, uint32_t len, void *rx,
                  uint32_t room);
void floor_run(FloorDone *done, void *opaque);

#endif
