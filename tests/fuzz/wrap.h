/*
 * What QEMU calls in the place of its own functions: build links it so
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_WRAP_H
#define FUZZ_WRAP_H

#include "block/aio.h"
#include "block/thread-pool.h"

BlockAIOCB *__wrap_thread_pool_submit_aio(ThreadPoolFunc *func, void *arg,
                                          BlockCompletionFunc *cb,
                                          void *opaque);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_clock_gettime(clockid_t id, struct timespec *ts);
bool __wrap_aio_poll(AioContext *ctx, bool blocking);
bool __real_aio_poll(AioContext *ctx, bool blocking);

#endif
