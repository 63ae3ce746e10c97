/*
 * Loopback Xen: event channels, as /dev/xen/evtchn shows them
 *
 * An event at a port that is not masked masks it and puts its number into
 * the handle's FIFO; one at a masked port leaves it pending, and unmasking
 * delivers it. So a port is in a FIFO at most once. Only binding and closing
 * take the lock.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm.h"

static void fifo_name(Loop *loop, uint32_t handle, uint32_t generation,
                      char *name, size_t size)
{
    snprintf(name, size, "%s.evtchn-%u-%u", loop->path, handle, generation);
}

int loop_evtchn_open(Loop *loop, domid_t domid, bool cloexec)
{
    int error = loop_fault_errno(loop, LOOP_FAULT_EVTCHN_OPEN, domid);
    int handle = error ? -error
                       : loop_handle_open(loop, LOOP_HANDLE_EVTCHN, domid);
    char name[4096];
    int fd;

    if (handle < 0) {
        return handle;
    }
    fifo_name(loop, handle, loop->shm->handles[handle].generation, name,
              sizeof(name));
    unlink(name);
    /* Open for both ways: it never sees an end, and no open waits. */
    mkfifo(name, 0600);
    /* For a backend that is no longer root; the folder keeps others out. */
    chmod(name, 0666);
    fd = open(name, O_RDWR | (cloexec ? O_CLOEXEC : 0));
    if (fd < 0) {
        error = -errno;
        loop_handle_close(loop, handle);
        return error;
    }
    loop->own_fifo[handle] = fd;
    return handle;
}

void loop_evtchn_close(Loop *loop, int handle)
{
    if (!loop_handle(loop, handle, LOOP_HANDLE_EVTCHN)) {
        return;
    }
    loop_handle_close(loop, handle);
    close(loop->own_fifo[handle]);
    loop->own_fifo[handle] = -1;
}

int loop_evtchn_fd(Loop *loop, int handle)
{
    return loop_handle(loop, handle, LOOP_HANDLE_EVTCHN) ?
           loop->own_fifo[handle] : -EBADF;
}

/* The writing end of any process's FIFO, opened when it is first needed. */
static int peer_fifo(Loop *loop, uint32_t handle)
{
    LoopFifo *fifo = &loop->peer_fifo[handle];
    uint32_t generation = loop->shm->handles[handle].generation;
    char name[4096];
    int fd;

    if (fifo->generation == generation) {
        return fifo->fd;
    }
    if (fifo->generation) {
        close(fifo->fd);
        fifo->generation = 0;
    }
    fifo_name(loop, handle, generation, name, sizeof(name));
    fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        fifo->fd = fd;
        fifo->generation = generation;
    }
    return fd;
}

static void push(Loop *loop, uint32_t handle, uint32_t port)
{
    ssize_t ret = -1;
    int fd;

    if (!handle) {
        return;
    }
    pthread_mutex_lock(&loop->peer_lock);
    fd = peer_fifo(loop, handle);
    if (fd >= 0) {
        do {
            ret = write(fd, &port, sizeof(port));
        } while (ret < 0 && errno == EINTR);
    }
    pthread_mutex_unlock(&loop->peer_lock);
}

static void deliver(Loop *loop, LoopDomain *dom, uint32_t port)
{
    LoopPort *p = &dom->ports[port];
    uint32_t old = atomic_load(&p->bits), new;

    do {
        new = old | (old & LOOP_PORT_MASKED ? LOOP_PORT_PENDING
                                            : LOOP_PORT_MASKED);
    } while (!atomic_compare_exchange_weak(&p->bits, &old, new));
    if (!(old & LOOP_PORT_MASKED)) {
        push(loop, p->handle, port);
    }
}

static LoopPort *own_port(Loop *loop, int handle, evtchn_port_t port)
{
    LoopHandleRec *rec = loop_handle(loop, handle, LOOP_HANDLE_EVTCHN);
    LoopDomain *dom = rec ? loop_find(loop, rec->domid) : NULL;

    if (!dom || port >= LOOP_MAX_PORTS ||
        dom->ports[port].handle != (uint32_t)handle ||
        dom->ports[port].state == LOOP_PORT_FREE) {
        return NULL;
    }
    return &dom->ports[port];
}

/* A new port in @state; under the lock. */
static int new_port(LoopDomain *dom, int handle, LoopPortState state)
{
    int port;

    for (port = 1; port < LOOP_MAX_PORTS; port++) {
        if (dom->ports[port].state == LOOP_PORT_FREE) {
            dom->ports[port].handle = handle;
            dom->ports[port].bits = 0;
            dom->ports[port].state = state;
            return port;
        }
    }
    return -ENOSPC;
}

static int alloc_unbound(Loop *loop, int handle, domid_t domid,
                         domid_t remote)
{
    LoopDomain *dom;
    int port = -ESRCH;

    loop_lock(loop);
    dom = loop_find(loop, domid);
    if (dom) {
        port = new_port(dom, handle, LOOP_PORT_UNBOUND);
    }
    if (port >= 0) {
        dom->ports[port].remote = remote;
    }
    loop_unlock(loop);
    return port;
}

int loop_evtchn_alloc(Loop *loop, int handle, domid_t remote)
{
    LoopHandleRec *rec = loop_handle(loop, handle, LOOP_HANDLE_EVTCHN);
    int error;

    if (!rec) {
        return -EBADF;
    }
    error = loop_fault_errno(loop, LOOP_FAULT_EVTCHN_BIND, rec->domid);
    loop_count(loop, LOOP_CALL_EVTCHN_BIND, 1);
    return error ? -error : alloc_unbound(loop, handle, rec->domid, remote);
}

int loop_evtchn_unbound(Loop *loop, domid_t domid, domid_t remote)
{
    return alloc_unbound(loop, 0, domid, remote);
}

int loop_evtchn_adopt(Loop *loop, int handle, evtchn_port_t port)
{
    LoopHandleRec *rec = loop_handle(loop, handle, LOOP_HANDLE_EVTCHN);
    LoopDomain *dom;
    int ret = -EINVAL;

    loop_lock(loop);
    dom = rec ? loop_find(loop, rec->domid) : NULL;
    if (dom && port < LOOP_MAX_PORTS && !dom->ports[port].handle &&
        dom->ports[port].state != LOOP_PORT_FREE) {
        dom->ports[port].handle = handle;
        atomic_store(&dom->ports[port].bits, 0);
        deliver(loop, dom, port);
        ret = 0;
    }
    loop_unlock(loop);
    return ret;
}

static int bind_locked(Loop *loop, int handle, domid_t self, domid_t remote,
                       evtchn_port_t remote_port)
{
    LoopDomain *dom = loop_find(loop, self);
    LoopDomain *peer = loop_find(loop, remote);
    LoopPort *theirs;
    int port;

    if (!dom || !peer) {
        return -ESRCH;
    }
    if (remote_port >= LOOP_MAX_PORTS) {
        return -EINVAL;
    }
    theirs = &peer->ports[remote_port];
    if (theirs->state != LOOP_PORT_UNBOUND || theirs->remote != self) {
        return -EINVAL;
    }
    port = new_port(dom, handle, LOOP_PORT_INTERDOMAIN);
    if (port < 0) {
        return port;
    }
    dom->ports[port].remote = remote;
    dom->ports[port].remote_slot = loop_slot(loop, peer);
    dom->ports[port].remote_port = remote_port;
    theirs->remote_slot = loop_slot(loop, dom);
    theirs->remote_port = port;
    theirs->state = LOOP_PORT_INTERDOMAIN;
    /* The other side may have notified before there was anyone to hear. */
    deliver(loop, dom, port);
    return port;
}

int loop_evtchn_bind(Loop *loop, int handle, domid_t remote,
                     evtchn_port_t remote_port)
{
    LoopHandleRec *rec = loop_handle(loop, handle, LOOP_HANDLE_EVTCHN);
    int ret;

    if (!rec) {
        return -EBADF;
    }
    ret = -loop_fault_errno(loop, LOOP_FAULT_EVTCHN_BIND, rec->domid);
    loop_count(loop, LOOP_CALL_EVTCHN_BIND, 1);
    if (ret) {
        return ret;
    }
    loop_lock(loop);
    ret = bind_locked(loop, handle, rec->domid, remote, remote_port);
    loop_unlock(loop);
    return ret;
}

int loop_evtchn_virq(Loop *loop, int handle, uint32_t virq)
{
    LoopHandleRec *rec = loop_handle(loop, handle, LOOP_HANDLE_EVTCHN);
    LoopDomain *dom;
    int port = -ESRCH;

    loop_count(loop, LOOP_CALL_EVTCHN_BIND, 1);
    loop_lock(loop);
    dom = rec ? loop_find(loop, rec->domid) : NULL;
    if (dom) {
        port = new_port(dom, handle, LOOP_PORT_VIRQ);
    }
    if (port >= 0) {
        dom->ports[port].remote_port = virq;
    }
    loop_unlock(loop);
    return port;
}

void loop_evtchn_raise_virq(Loop *loop, uint32_t virq)
{
    LoopDomain *dom = loop_find(loop, 0);
    int port;

    for (port = 1; dom && port < LOOP_MAX_PORTS; port++) {
        if (dom->ports[port].state == LOOP_PORT_VIRQ &&
            dom->ports[port].remote_port == virq) {
            deliver(loop, dom, port);
        }
    }
}

/* Under the lock. */
static void close_port(Loop *loop, LoopPort *p)
{
    LoopDomain *peer = &loop->shm->domains[p->remote_slot];
    LoopPort *theirs = &peer->ports[p->remote_port % LOOP_MAX_PORTS];

    if (p->state == LOOP_PORT_INTERDOMAIN && peer->used &&
        theirs->state == LOOP_PORT_INTERDOMAIN) {
        theirs->state = LOOP_PORT_UNBOUND;
    }
    p->state = LOOP_PORT_FREE;
    p->handle = 0;
}

int loop_evtchn_unbind(Loop *loop, int handle, evtchn_port_t port)
{
    LoopPort *p;

    loop_count(loop, LOOP_CALL_EVTCHN_UNBIND, 1);
    loop_lock(loop);
    p = own_port(loop, handle, port);
    if (p) {
        close_port(loop, p);
    }
    loop_unlock(loop);
    return p ? 0 : -ENOTCONN;
}

/* All ports of a handle, and its FIFO's name. Under the lock. */
void loop_evtchn_release(Loop *loop, int handle)
{
    LoopHandleRec *rec = &loop->shm->handles[handle];
    LoopDomain *dom = loop_find(loop, rec->domid);
    char name[4096];
    int port;

    for (port = 1; dom && port < LOOP_MAX_PORTS; port++) {
        if (dom->ports[port].state != LOOP_PORT_FREE &&
            dom->ports[port].handle == (uint32_t)handle) {
            close_port(loop, &dom->ports[port]);
        }
    }
    fifo_name(loop, handle, rec->generation, name, sizeof(name));
    unlink(name);
}

void loop_evtchn_close_domain(Loop *loop, LoopDomain *dom)
{
    int port;

    for (port = 1; port < LOOP_MAX_PORTS; port++) {
        if (dom->ports[port].state != LOOP_PORT_FREE) {
            close_port(loop, &dom->ports[port]);
        }
    }
}

int loop_evtchn_pending(Loop *loop, int handle)
{
    int fd = loop_evtchn_fd(loop, handle);
    uint32_t port;

    if (fd < 0) {
        return fd;
    }
    loop_count(loop, LOOP_CALL_EVTCHN_PENDING, 1);
    if (read(fd, &port, sizeof(port)) != sizeof(port)) {
        return -errno;
    }
    return port;
}

int loop_evtchn_unmask(Loop *loop, int handle, evtchn_port_t port)
{
    LoopPort *p = own_port(loop, handle, port);
    uint32_t old, new;

    loop_count(loop, LOOP_CALL_EVTCHN_UNMASK, 1);
    if (!p) {
        return -ENOTCONN;
    }
    old = atomic_load(&p->bits);
    do {
        new = old & LOOP_PORT_PENDING ? LOOP_PORT_MASKED : 0;
    } while (!atomic_compare_exchange_weak(&p->bits, &old, new));
    if (old & LOOP_PORT_PENDING) {
        push(loop, handle, port);
    }
    return 0;
}

typedef struct LateEvent {
    Loop *loop;
    LoopDomain *dom;
    uint32_t port;
    uint32_t delay_us;
} LateEvent;

static void *deliver_late(void *opaque)
{
    LateEvent *event = opaque;

    usleep(event->delay_us);
    deliver(event->loop, event->dom, event->port);
    atomic_fetch_sub(&event->loop->late, 1);
    free(event);
    return NULL;
}

/* An event that a rule has hit: late, more than once, or not at all. */
static void deliver_faulty(Loop *loop, LoopDomain *dom, uint32_t port,
                           const LoopFault *fault)
{
    LateEvent *event;
    pthread_t thread;
    uint32_t i;

    if (fault->lose) {
        return;
    }
    if (fault->delay_us) {
        event = malloc(sizeof(*event));
        *event = (LateEvent) { loop, dom, port, fault->delay_us };
        atomic_fetch_add(&loop->late, 1);
        if (pthread_create(&thread, NULL, deliver_late, event) == 0) {
            pthread_detach(thread);
        } else {
            atomic_fetch_sub(&loop->late, 1);
            free(event);
        }
        return;
    }
    deliver(loop, dom, port);
    for (i = 1; i < fault->repeat; i++) {
        push(loop, dom->ports[port].handle, port);
    }
}

int loop_evtchn_notify(Loop *loop, int handle, evtchn_port_t port)
{
    LoopPort *p = own_port(loop, handle, port);
    LoopDomain *peer;
    LoopFault fault;

    loop_count(loop, LOOP_CALL_EVTCHN_NOTIFY, 1);
    if (!p) {
        return -ENOTCONN;
    }
    if (p->state != LOOP_PORT_INTERDOMAIN) {
        return 0;               /* nobody there: Xen takes it as done */
    }
    peer = &loop->shm->domains[p->remote_slot];
    if (loop_fault(loop, LOOP_FAULT_EVTCHN_NOTIFY,
                   loop->shm->handles[handle].domid, &fault)) {
        deliver_faulty(loop, peer, p->remote_port, &fault);
    } else {
        deliver(loop, peer, p->remote_port);
    }
    return 0;
}
