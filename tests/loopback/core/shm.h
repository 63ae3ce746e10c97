/*
 * Loopback Xen: layout of the shared file (private to the core)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_SHM_H
#define LOOPBACK_SHM_H

#include <pthread.h>
#include <stdatomic.h>

#include "account.h"
#include "fault.h"
#include "fs.h"
#include "loop.h"

#define LOOP_MAGIC        0x6e65786c6f6f7031ull
#define LOOP_MAX_PROCS    64
#define LOOP_MAX_HANDLES  1024
#define LOOP_MAX_TRACKS   65536         /* mappings, all domains */

/* Xen's view of one grant: counts its users, latches what it checked. */
typedef struct LoopActive {
    uint32_t readers;           /* mappings and copies that only read */
    uint32_t writers;
    uint32_t gfn;               /* latched by the first user */
    domid_t domid;
} LoopActive;

typedef struct LoopTrack {
    bool used;
    bool readonly;
    uint16_t proc;              /* whose mapping: it outlives the handle */
    domid_t domid;
    grant_ref_t ref;
} LoopTrack;

typedef enum LoopPortState {
    LOOP_PORT_FREE,
    LOOP_PORT_UNBOUND,
    LOOP_PORT_INTERDOMAIN,
    LOOP_PORT_VIRQ
} LoopPortState;

#define LOOP_PORT_MASKED  1
#define LOOP_PORT_PENDING 2

/*
 * State, peer and owner change under the lock and are read without it by
 * notify, as a hypervisor's would be; bits are changed with atomics only.
 */
typedef struct LoopPort {
    _Atomic uint32_t state;
    _Atomic uint32_t handle;            /* 0: no process's */
    _Atomic uint32_t bits;
    _Atomic uint32_t remote_port;       /* or the virq */
    _Atomic uint32_t remote_slot;
    domid_t remote;
} LoopPort;

typedef struct LoopDomain {
    bool used;
    bool shutdown;
    bool paused;
    domid_t domid;
    uint32_t nr_pages;
    uint32_t grant_hint;                /* where to look for a free entry */
    uint32_t page_hint;                 /* pages below are not free */
    uint8_t page_used[LOOP_MAX_PAGES];
    uint8_t grant_used[LOOP_MAX_GRANTS];
    LoopActive active[LOOP_MAX_GRANTS];
    LoopPort ports[LOOP_MAX_PORTS];
} LoopDomain;

typedef struct LoopHandleRec {
    uint32_t kind;              /* LoopHandleKind */
    _Atomic uint32_t generation;
    uint16_t proc;
    domid_t domid;
} LoopHandleRec;

typedef struct LoopProc {
    pid_t pid;                  /* 0: free */
    _Atomic uint64_t calls[LOOP_CALL_MAX];
} LoopProc;

typedef struct LoopFaultRec {
    LoopFault rule;
    _Atomic uint32_t armed;
    _Atomic uint32_t seen;
    _Atomic uint32_t hits;
} LoopFaultRec;

typedef struct LoopFsRec {
    _Atomic uint32_t delay_us;
    _Atomic uint32_t rare_us;
    _Atomic uint32_t hold;
    _Atomic uint32_t waiting;
    _Atomic uint32_t count[LOOP_FS_THREADS];
} LoopFsRec;

typedef struct LoopShm {
    uint64_t magic;
    uint64_t size;
    pthread_mutex_t lock;
    _Atomic uint32_t faults_armed;
    LoopFaultRec faults[LOOP_MAX_FAULTS];
    _Atomic pid_t fs_pid;
    _Atomic uint64_t fs_only;
    LoopFsRec fs[LOOP_FS_CALLS];
    LoopProc procs[LOOP_MAX_PROCS];
    _Atomic uint64_t past_calls[LOOP_CALL_MAX];
    LoopHandleRec handles[LOOP_MAX_HANDLES];    /* 0 is never used */
    uint32_t track_hint;
    uint32_t track_top;                         /* none used from here on */
    LoopTrack tracks[LOOP_MAX_TRACKS];
    LoopDomain domains[LOOP_MAX_DOMAINS];
    /* What guests can write: tables, then pages. */
    grant_entry_v1_t tables[LOOP_MAX_DOMAINS][LOOP_MAX_GRANTS]
        __attribute__((aligned(LOOP_PAGE_SIZE)));
    uint8_t pages[LOOP_MAX_DOMAINS][LOOP_MAX_PAGES][LOOP_PAGE_SIZE]
        __attribute__((aligned(LOOP_PAGE_SIZE)));
} LoopShm;

typedef struct LoopFifo {
    uint32_t generation;        /* 0: not open */
    int fd;
} LoopFifo;

struct Loop {
    LoopShm *shm;
    int fd;
    char *path;
    uint16_t proc;
    int own_fifo[LOOP_MAX_HANDLES];     /* of handles of this process */
    LoopFifo peer_fifo[LOOP_MAX_HANDLES];
    pthread_mutex_t peer_lock;          /* of the array above */
    _Atomic unsigned late;              /* events that are still to come */
};

/*
 * loop_lock: survives an owner that was killed: the users of grants are
 *     counted again, other half-done changes are harmless.
 * loop_find: the slot of a domain, NULL if there is none. Under the lock.
 * loop_handle: the handle's record if it is of @kind, else NULL.
 */
void loop_lock(Loop *loop);
void loop_unlock(Loop *loop);
LoopDomain *loop_find(Loop *loop, domid_t domid);
LoopHandleRec *loop_handle(Loop *loop, int handle, LoopHandleKind kind);

static inline uint32_t loop_slot(Loop *loop, const LoopDomain *dom)
{
    return dom - loop->shm->domains;
}

/* Parts of other files that closing a handle or a domain needs. */
void loop_gnt_release(Loop *loop, uint16_t proc);
void loop_gnt_recount(Loop *loop);
void loop_evtchn_release(Loop *loop, int handle);
void loop_evtchn_close_domain(Loop *loop, LoopDomain *dom);
void loop_evtchn_raise_virq(Loop *loop, uint32_t virq);

#endif
