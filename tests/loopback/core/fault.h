/*
 * Loopback Xen: faults on demand
 *
 * A rule says which call of which kind, by processes of which domain, is to
 * fail, or to take its time. Rules live in the shared file: a test sets and
 * clears them while the backend runs. A process may also start with rules,
 * from the environment variable XEN_LOOPBACK_FAULTS:
 *
 *     RULE[;RULE...]     RULE is  POINT[@DOMID][:KEY=NUMBER[,KEY=NUMBER...]]
 *     map:nth=3,op=1,error=-3;notify:repeat=2;unmap:delay=5000,times=0
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FAULT_H
#define LOOPBACK_FAULT_H

#include "loop.h"

#define LOOP_MAX_FAULTS 16

typedef enum LoopFaultPoint {
    LOOP_FAULT_NONE,
    LOOP_FAULT_GNT_OPEN,        /* "gntopen"   error: errno */
    LOOP_FAULT_GNT_MAP,         /* "map"       error: GNTST_*, per op */
    LOOP_FAULT_GNT_UNMAP,       /* "unmap"     error: GNTST_*, per op */
    LOOP_FAULT_GNT_COPY,        /* "copy"      error: GNTST_*, per op */
    LOOP_FAULT_GNT_COPY_CALL,   /* "copycall"  error: errno, of all of it */
    LOOP_FAULT_GNT_MMAP,        /* "mmap"      error: errno (ENOMEM) */
    LOOP_FAULT_EVTCHN_OPEN,     /* "evtopen"   error: errno */
    LOOP_FAULT_EVTCHN_BIND,     /* "bind"      error: errno */
    LOOP_FAULT_EVTCHN_NOTIFY,   /* "notify"    delay: late; repeat: copies */
    LOOP_FAULT_XS_READ,         /* "xsread"    error: errno */
    LOOP_FAULT_XS_WRITE,        /* "xswrite"   error: errno */
    LOOP_FAULT_XS_TX_WRITE,     /* "xstxwrite" the same in a transaction */
    LOOP_FAULT_XS_END,          /* "xsend"     error: errno */
    LOOP_FAULT_POINTS
} LoopFaultPoint;

typedef struct LoopFault {
    LoopFaultPoint point;
    int domid;          /* of the caller; -1: any */
    pid_t pid;          /* of the caller; 0: any */
    uint32_t nth;       /* the first call that is hit, from 1; 0 is 1 */
    uint32_t times;     /* how many calls are hit; 0: all from then on */
    int op;             /* which operation of a batch; -1: every one */
    int error;          /* 0: none (only delay or repeat) */
    uint32_t delay_us;  /* before the call, or before the event arrives */
    uint32_t repeat;    /* an event is delivered this often; 0 is 1 */
    bool lose;          /* an event is not delivered at all */
} LoopFault;

/* What most tests want: the first call only, every operation of it. */
static inline LoopFault loop_fault_rule(LoopFaultPoint point, int error)
{
    return (LoopFault) {
        .point = point, .domid = -1, .nth = 1, .times = 1, .op = -1,
        .error = error,
    };
}

/*
 * loop_fault_set: add a rule; returns its number or -ENOSPC.
 * loop_fault_parse: add the rules of a text as above; -EINVAL.
 * loop_fault_clear: drop rule @number, or all if it is -1.
 * loop_fault_hits: how many calls the rule has hit.
 */
int loop_fault_set(Loop *loop, const LoopFault *fault);
int loop_fault_parse(Loop *loop, const char *text);
void loop_fault_clear(Loop *loop, int number);
uint32_t loop_fault_hits(Loop *loop, int number);

/*
 * For the shims and the core: one call of kind @point by @domid happens. If
 * a rule hits it, sleeps what the rule says (not for an event), fills in
 * @out and returns true.
 */
bool loop_fault(Loop *loop, LoopFaultPoint point, domid_t domid,
                LoopFault *out);

/* The same for a call without a batch: the errno it fails with, or 0. */
int loop_fault_errno(Loop *loop, LoopFaultPoint point, domid_t domid);

#endif
