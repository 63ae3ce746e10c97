/*
 * Steps of a fuzzer's input that all types of devices have
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_STEPS_H
#define FUZZ_STEPS_H

#include "core/fault.h"
#include "device.h"

typedef void Step(Device *d, Input *in);

/* A session begins; an event; replies are taken. */
Step step_session, step_notify, step_consume;

/* Nodes and states; the frontend closes, or just goes, and comes back. */
Step step_front_node, step_front_state, step_back_node, step_reconnect;

/* Time passes, of the main loop, of the worker threads, of the clock. */
Step step_once, step_settle, step_hold, step_release, step_wait;

/* Calls of the host fail, of xenstore and of others. */
Step step_store_fault;
void step_fault(Device *d, Input *in, const LoopFault *rules, unsigned num);

/* An entry of the grant table changes. */
void step_grant(Device *d, Input *in, grant_ref_t ref);

/* step_any_ring: the number of one. */
unsigned step_any_ring(Device *d, Input *in);

/*
 * steps_run: what LLVMFuzzerTestOneInput() has to do: devices from their
 *     creation to their end, one after the other, until the input ends. Each
 *     begins with a session where the input does not say otherwise.
 */
void steps_run(Device *d, Input *in, Step *const *steps, unsigned num);

#endif
