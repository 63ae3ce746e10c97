/*
 * QEMU in the fuzzer's own process, its worker threads and clock on a lead
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include <stdbool.h>

/*
 * host_init: bring QEMU up as the device model of domain @domid.
 * host_step: one pass of its main loop, without waiting.
 * host_settle: passes until nothing happens any more. What is held stays.
 * host_wait: let @ms go by first. Otherwise QEMU's clock stands still.
 */
void host_init(const char *domid);
void host_step(void);
void host_settle(void);
void host_wait(unsigned ms);

/*
 * What QEMU gives to worker threads is done in the main loop instead, so that
 * the same input does the same each time.
 *
 * host_hold: from now on keep it back, or not.
 * host_release: do the @number-th (modulo how many there are) of what is
 *     kept back.
 */
void host_hold(bool hold);
void host_release(unsigned number);

#endif
