/*
 * Loopback Xen: domains, grants and event channels in a shared file
 *
 * What a hypervisor would keep is kept in one file that every process of a
 * loopback maps: the pages of all domains, their grant tables, their event
 * channels. The shims (../shim) answer the Xen libraries with these calls;
 * a test that plays a guest uses them directly.
 *
 * Functions return 0 or a positive value on success and a negative errno
 * on failure, unless they say otherwise. Nothing here needs GLib.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_LOOP_H
#define LOOPBACK_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/event_channel.h>

#define LOOP_PAGE_SIZE    4096
#define LOOP_MAX_DOMAINS  8
#define LOOP_MAX_PAGES    16384         /* of one domain */
#define LOOP_MAX_GRANTS   32768         /* Xen's default: 64 frames */
#define LOOP_MAX_PORTS    4096          /* Xen's limit of 2-level events */

/* As Linux guests do: these references are the toolstack's. */
#define LOOP_RESERVED_GRANTS 8

/* A loopback as this process sees it. */
typedef struct Loop Loop;

/*
 * loop_create: make a loopback with domain 0 in it, and open it. @path must
 *     not exist; the file, and what stands beside it with the same name
 *     and a suffix, is the caller's to remove (loop_remove).
 * loop_open: open one that exists.
 *     Both return NULL and set errno on failure.
 * loop_close: forget it. What this process holds in it stays held, as it
 *     would if a process died; see loop_reap().
 * loop_remove: unlink the file and every FIFO beside it.
 */
Loop *loop_create(const char *path);
Loop *loop_open(const char *path);
void loop_close(Loop *loop);
void loop_remove(const char *path);

/*
 * loop_reap: give back everything that process @pid holds, as a kernel does
 *     when a process ends. Call it once the process is gone.
 */
void loop_reap(Loop *loop, pid_t pid);

/* --- Domains and their pages (domain.c) --- */

/*
 * loop_domain_create: a domain of @nr_pages zeroed pages. -EEXIST, -ENOSPC
 *     (no slot), -EINVAL (too many pages).
 * loop_domain_destroy: the domain dies: its ports close, VIRQ_DOM_EXC is
 *     raised, its pages are dropped. -ESRCH; -EBUSY while a grant of it is
 *     in use (a real domain would linger as a zombie).
 * loop_domain_shutdown: mark it as shut down by the guest.
 * loop_domain_pause: mark it as paused by the toolstack, or not.
 */
int loop_domain_create(Loop *loop, domid_t domid, uint32_t nr_pages);
int loop_domain_destroy(Loop *loop, domid_t domid);
int loop_domain_shutdown(Loop *loop, domid_t domid);
bool loop_domain_exists(Loop *loop, domid_t domid);
bool loop_domain_is_shutdown(Loop *loop, domid_t domid);
void loop_domain_pause(Loop *loop, domid_t domid, bool paused);
bool loop_domain_is_paused(Loop *loop, domid_t domid);
uint32_t loop_domain_pages(Loop *loop, domid_t domid);

/*
 * loop_pages_alloc: @count pages of @domid with consecutive frame numbers;
 *     returns the first, or -ENOMEM.
 * loop_page: where page @gfn is in this process, NULL if there is none. The
 *     pages of a domain are consecutive in memory too.
 * loop_page_offset: where it is in the file, or -EINVAL.
 */
int64_t loop_pages_alloc(Loop *loop, domid_t domid, uint32_t count);
void loop_pages_free(Loop *loop, domid_t domid, uint32_t gfn, uint32_t count);
void *loop_page(Loop *loop, domid_t domid, uint32_t gfn);
off_t loop_page_offset(Loop *loop, domid_t domid, uint32_t gfn);

/* --- A domain's own grant table (grant.c) --- */

/*
 * loop_grant: let @to have page @gfn of @domid; returns the reference.
 * loop_grant_at: the same at a reference of the caller's choice, which need
 *     not be free: a guest may write what it likes into its own table.
 * loop_grant_end: take the grant back. -EBUSY while it is in use.
 * loop_grant_entry: the entry itself, in memory that Xen changes too.
 * loop_grants_active: how many grants, without the reserved, stand.
 * loop_grants_in_use: how many of them somebody has mapped or is copying.
 */
int loop_grant(Loop *loop, domid_t domid, domid_t to, uint32_t gfn,
               bool readonly);
int loop_grant_at(Loop *loop, domid_t domid, grant_ref_t ref, domid_t to,
                  uint32_t gfn, bool readonly);
int loop_grant_end(Loop *loop, domid_t domid, grant_ref_t ref);
grant_entry_v1_t *loop_grant_entry(Loop *loop, domid_t domid,
                                   grant_ref_t ref);
uint32_t loop_grants_active(Loop *loop, domid_t domid);
uint32_t loop_grants_in_use(Loop *loop, domid_t domid);

/* --- Handles: what a process has open --- */

typedef enum LoopHandleKind {
    LOOP_HANDLE_FREE,
    LOOP_HANDLE_GNTTAB,
    LOOP_HANDLE_EVTCHN,
    LOOP_HANDLE_FOREIGN,
    LOOP_HANDLE_KINDS
} LoopHandleKind;

/* A process acts as domain @domid through the handle. -EMFILE when full. */
int loop_handle_open(Loop *loop, LoopHandleKind kind, domid_t domid);
void loop_handle_close(Loop *loop, int handle);

/* --- Another domain's grants (gntop.c); status is a GNTST_* --- */

typedef struct LoopMapOp {
    domid_t domid;              /* who granted */
    grant_ref_t ref;
    bool readonly;
    int16_t status;             /* out */
    uint32_t track;             /* out: names the mapping */
    off_t offset;               /* out: of the page in the file */
} LoopMapOp;

typedef struct LoopCopyOp {
    domid_t domid;              /* who granted */
    grant_ref_t ref;
    uint16_t offset;
    uint16_t len;
    bool to_grant;              /* else from it */
    void *local;
    int16_t status;             /* out */
} LoopCopyOp;

/*
 * Each runs @count operations through gnttab handle @handle, as one
 * hypercall. Every operation has its own status; there is no other result.
 */
void loop_gnt_map(Loop *loop, int handle, LoopMapOp *ops, uint32_t count);
void loop_gnt_unmap(Loop *loop, int handle, const uint32_t *tracks,
                    int16_t *status, uint32_t count);
void loop_gnt_copy(Loop *loop, int handle, LoopCopyOp *ops, uint32_t count);

/* The file that mappings are made of. */
int loop_fd(Loop *loop);

/* --- Event channels (evtchn.c) --- */

/*
 * loop_evtchn_open: a handle for domain @domid, with its FIFO.
 * loop_evtchn_fd: what to poll: readable when a port is pending.
 * loop_evtchn_alloc: a port that waits for domain @remote.
 * loop_evtchn_bind: a port connected to @remote_port of @remote.
 * loop_evtchn_virq: a port for a virtual interrupt.
 * loop_evtchn_unbind: close the port. The other side becomes unbound.
 * loop_evtchn_pending: the next port with an event, which is masked from
 *     then on. Waits if there is none and the descriptor is blocking.
 * loop_evtchn_unmask: let the port deliver again.
 * loop_evtchn_notify: raise an event at the other side of the port.
 */
int loop_evtchn_open(Loop *loop, domid_t domid, bool cloexec);
void loop_evtchn_close(Loop *loop, int handle);
int loop_evtchn_fd(Loop *loop, int handle);
int loop_evtchn_alloc(Loop *loop, int handle, domid_t remote);
int loop_evtchn_bind(Loop *loop, int handle, domid_t remote,
                     evtchn_port_t remote_port);
int loop_evtchn_virq(Loop *loop, int handle, uint32_t virq);
int loop_evtchn_unbind(Loop *loop, int handle, evtchn_port_t port);
int loop_evtchn_pending(Loop *loop, int handle);
int loop_evtchn_unmask(Loop *loop, int handle, evtchn_port_t port);
int loop_evtchn_notify(Loop *loop, int handle, evtchn_port_t port);

/*
 * loop_evtchn_unbound: a port of @domid that waits for @remote and belongs
 *     to no process: what a toolstack makes for xenstore and the console.
 */
int loop_evtchn_unbound(Loop *loop, domid_t domid, domid_t remote);

/* Take over such a port: a guest's kernel finds its own in start_info. */
int loop_evtchn_adopt(Loop *loop, int handle, evtchn_port_t port);

#endif
