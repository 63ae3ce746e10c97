/*
 * Xen 9P backend: which calls of the file system run where they stand
 *
 * A call in a worker thread costs two hops between threads, tens of
 * microseconds; a call in place costs nothing but its own time, and holds the
 * main loop for as long. So what computes runs in place, what waits waits in
 * a worker, and which of them a call is, is learnt from those before it.
 *
 * Pure: no device, no clock of its own.
 *
 * Copyright (c) 2026 The xen-9pfs authors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef HW_9PFS_XEN_9P_DISPATCH_H
#define HW_9PFS_XEN_9P_DISPATCH_H

/*
 * Thresholds, in nanoseconds. docs/devel/xen-9pfs.rst says why.
 *
 * SLOW: a mean above it holds the main loop for too long: the largest read
 * that Linux makes, 512 KiB, takes less where the data are in memory.
 * SLOW_MAX: where hops are slow, too, a call in place may take as long as
 * four of them, up to this.
 * WAIT: a mean time asleep above it is more than the hops cost.
 * PAUSE_MIN, PAUSE_MAX: how long a class stays with the workers before it is
 * tried in place again; doubled whenever that goes wrong.
 */
#define XEN_9P_DISPATCH_SLOW        (300 * 1000LL)
#define XEN_9P_DISPATCH_SLOW_MAX    (5000 * 1000LL)
#define XEN_9P_DISPATCH_WAIT        (20 * 1000LL)
#define XEN_9P_DISPATCH_PAUSE_MIN   (100 * 1000 * 1000LL)
#define XEN_9P_DISPATCH_PAUSE_MAX   (10 * 1000 * 1000 * 1000LL)

/*
 * What one call counts for at most, in what is slow: where it is not known
 * that it slept, and where it is known that it did not. It may have lost its
 * CPU, which says nothing of the file system. Not so of what is longer than
 * LONG: that counts in full.
 */
#define XEN_9P_DISPATCH_CAP         7
#define XEN_9P_DISPATCH_CAP_AWAKE   3
#define XEN_9P_DISPATCH_LONG        10

/* So many calls in workers tell what the hops cost: the fastest of them. */
#define XEN_9P_DISPATCH_HOPS        16

/* So many fast calls in a row, in workers, and the class is tried in place. */
#define XEN_9P_DISPATCH_PROOF       8
/* Of so many calls in place one is asked whether it slept ... */
#define XEN_9P_DISPATCH_SAMPLE      16
/* ... and all of so many after a trial begins or a call was slow. */
#define XEN_9P_DISPATCH_WATCH       16

typedef enum Xen9pDispatchMode {
    XEN_9P_DISPATCH_AUTO,
    XEN_9P_DISPATCH_WORKER,     /* always in a worker */
    XEN_9P_DISPATCH_INLINE,     /* always in place */
} Xen9pDispatchMode;

/* What a configuration calls them, in that order. */
#define XEN_9P_DISPATCH_MODES   "auto|worker|inline"

/* What is known of a call beforehand. */
typedef enum Xen9pDispatchRule {
    XEN_9P_CALL_LEARN,          /* nothing: as those before it */
    XEN_9P_CALL_MAY_BLOCK,      /* to a worker */
    XEN_9P_CALL_PINNED,         /* in place, in any mode */
} Xen9pDispatchRule;

/* Whether a call slept, which not every call is asked. */
typedef enum Xen9pDispatchSlept {
    XEN_9P_SLEPT_UNKNOWN,
    XEN_9P_SLEPT_MAYBE,         /* or others have had the CPU meanwhile */
    XEN_9P_SLEPT_NO,
    XEN_9P_SLEPT_YES,
} Xen9pDispatchSlept;

/* Calls of which one tells about the next: one message type, one size. */
typedef struct Xen9pDispatchClass {
    bool here;                  /* they run in place */
    unsigned proof;             /* fast calls in a row, in workers */
    unsigned watch;             /* so many are still asked */
    unsigned calls;             /* in place, modulo SAMPLE */
    int64_t mean;               /* service time in place */
    int64_t asleep;             /* its part that was spent asleep */
    int64_t since;              /* when the class went in place */
    int64_t pause;              /* the last one's length, 0: there was none */
    int64_t until;              /* end of the pause */
} Xen9pDispatchClass;

#define XEN_9P_DISPATCH_TYPES   128
#define XEN_9P_DISPATCH_SIZES   4

typedef struct Xen9pDispatch {
    Xen9pDispatchMode mode;
    unsigned in_workers;        /* calls */
    unsigned peak;              /* of them since there was none */
    int64_t slow;               /* what is, 0: SLOW */
    int64_t hop;                /* the fastest hops of the last ... */
    unsigned hops;              /* ... so many */
    Xen9pDispatchClass classes[XEN_9P_DISPATCH_TYPES / 2]
                              [XEN_9P_DISPATCH_SIZES];
} Xen9pDispatch;

/* A call, from xen_9p_dispatch_begin() to xen_9p_dispatch_end(). */
typedef struct Xen9pDispatchCall {
    Xen9pDispatchClass *class;  /* NULL: nothing is to be learnt from it */
    int64_t begin;
    bool here;
    bool ask;                   /* wanted: whether it sleeps */
} Xen9pDispatchCall;

/**
 * xen_9p_dispatch_begin: where a call is to run
 * @d: the device's; all zeroes is a good start in mode AUTO
 * @type: the 9P message that it is for
 * @size: the bytes that the message asks for or brings
 * @rule: where it runs whatever those before it took, if anywhere
 * @now: in nanoseconds, of a clock that never goes back
 * @call: to fill in
 *
 * Returns: @call->here, true: in place; false: in a worker.
 */
bool xen_9p_dispatch_begin(Xen9pDispatch *d, uint8_t type, uint32_t size,
                           Xen9pDispatchRule rule, int64_t now,
                           Xen9pDispatchCall *call);

/**
 * xen_9p_dispatch_here: where a call that cannot block would run now
 * @d: the device's
 * @type: as for xen_9p_dispatch_begin()
 * @size: as for xen_9p_dispatch_begin()
 *
 * Returns: true: in place.
 */
bool xen_9p_dispatch_here(Xen9pDispatch *d, uint8_t type, uint32_t size);

/**
 * xen_9p_dispatch_end: learn from a call
 * @d: as for xen_9p_dispatch_begin()
 * @call: as that left it
 * @took: how long the call itself ran, in nanoseconds; where it is known not
 *        to have slept, without the time that others had the CPU
 * @slept: whether it was asleep meanwhile; of a call in place only
 * @now: as for xen_9p_dispatch_begin(); of a call in a worker, when the
 *       server goes on
 *
 * Returns: true if its class goes from in place to workers.
 */
bool xen_9p_dispatch_end(Xen9pDispatch *d, const Xen9pDispatchCall *call,
                         int64_t took, Xen9pDispatchSlept slept, int64_t now);

#endif
