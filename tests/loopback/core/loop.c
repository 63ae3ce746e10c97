/*
 * Loopback Xen: the shared file, its lock, processes and handles
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm.h"

void loop_lock(Loop *loop)
{
    if (pthread_mutex_lock(&loop->shm->lock) == EOWNERDEAD) {
        loop_gnt_recount(loop);
        pthread_mutex_consistent(&loop->shm->lock);
    }
}

void loop_unlock(Loop *loop)
{
    pthread_mutex_unlock(&loop->shm->lock);
}

int loop_fd(Loop *loop)
{
    return loop->fd;
}

static void init_lock(LoopShm *shm)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shm->lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

/* A place for this process; 0 (shared by all that come late) if full. */
static uint16_t enter_process(Loop *loop)
{
    LoopShm *shm = loop->shm;
    uint16_t i, found = 0;

    loop_lock(loop);
    for (i = 1; i < LOOP_MAX_PROCS; i++) {
        if (shm->procs[i].pid == getpid()) {
            found = i;
            break;
        }
        if (!shm->procs[i].pid && !found) {
            found = i;
        }
    }
    shm->procs[found].pid = getpid();
    loop_unlock(loop);
    return found;
}

static Loop *attach(int fd, const char *path)
{
    Loop *loop = calloc(1, sizeof(*loop));
    int i;

    if (!loop) {
        return NULL;
    }
    loop->fd = fd;
    loop->path = strdup(path);
    loop->shm = mmap(NULL, sizeof(LoopShm), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (!loop->path || loop->shm == MAP_FAILED) {
        free(loop->path);
        free(loop);
        return NULL;
    }
    pthread_mutex_init(&loop->peer_lock, NULL);
    for (i = 0; i < LOOP_MAX_HANDLES; i++) {
        loop->own_fifo[i] = -1;
    }
    return loop;
}

Loop *loop_create(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    Loop *loop;

    if (fd < 0) {
        return NULL;
    }
    loop = ftruncate(fd, sizeof(LoopShm)) < 0 ? NULL : attach(fd, path);
    if (!loop) {
        close(fd);
        return NULL;
    }
    init_lock(loop->shm);
    loop->shm->size = sizeof(LoopShm);
    loop->shm->magic = LOOP_MAGIC;
    loop->proc = enter_process(loop);
    loop_domain_create(loop, 0, LOOP_MAX_PAGES);
    return loop;
}

Loop *loop_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    Loop *loop;

    if (fd < 0) {
        return NULL;
    }
    if (lseek(fd, 0, SEEK_END) != (off_t)sizeof(LoopShm)) {
        close(fd);
        errno = EINVAL;
        return NULL;
    }
    loop = attach(fd, path);
    if (!loop) {
        close(fd);
        return NULL;
    }
    if (loop->shm->magic != LOOP_MAGIC ||
        loop->shm->size != sizeof(LoopShm)) {
        loop_close(loop);
        errno = EINVAL;
        return NULL;
    }
    loop->proc = enter_process(loop);
    return loop;
}

void loop_close(Loop *loop)
{
    int i;

    if (!loop) {
        return;
    }
    while (atomic_load(&loop->late)) {
        usleep(1000);
    }
    for (i = 0; i < LOOP_MAX_HANDLES; i++) {
        if (loop->own_fifo[i] >= 0) {
            close(loop->own_fifo[i]);
        }
        if (loop->peer_fifo[i].generation) {
            close(loop->peer_fifo[i].fd);
        }
    }
    munmap(loop->shm, sizeof(LoopShm));
    close(loop->fd);
    free(loop->path);
    free(loop);
}

void loop_remove(const char *path)
{
    char pattern[4096];
    glob_t found;
    size_t i;

    snprintf(pattern, sizeof(pattern), "%s.evtchn-*", path);
    if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0) {
        for (i = 0; i < found.gl_pathc; i++) {
            unlink(found.gl_pathv[i]);
        }
        globfree(&found);
    }
    unlink(path);
}

int loop_handle_open(Loop *loop, LoopHandleKind kind, domid_t domid)
{
    LoopHandleRec *rec;
    int i, handle = -EMFILE;

    loop_lock(loop);
    for (i = 1; i < LOOP_MAX_HANDLES; i++) {
        rec = &loop->shm->handles[i];
        if (rec->kind == LOOP_HANDLE_FREE) {
            rec->kind = kind;
            rec->proc = loop->proc;
            rec->domid = domid;
            atomic_fetch_add(&rec->generation, 1);
            handle = i;
            break;
        }
    }
    loop_unlock(loop);
    return handle;
}

/*
 * A gnttab handle's mappings outlive it, as in Linux, where the memory area
 * holds the device open; loop_reap() ends those too.
 */
void loop_handle_close(Loop *loop, int handle)
{
    LoopHandleRec *rec = &loop->shm->handles[handle];

    loop_lock(loop);
    if (rec->kind == LOOP_HANDLE_EVTCHN) {
        loop_evtchn_release(loop, handle);
    }
    rec->kind = LOOP_HANDLE_FREE;
    loop_unlock(loop);
}

LoopHandleRec *loop_handle(Loop *loop, int handle, LoopHandleKind kind)
{
    if (handle <= 0 || handle >= LOOP_MAX_HANDLES ||
        loop->shm->handles[handle].kind != kind) {
        return NULL;
    }
    return &loop->shm->handles[handle];
}

void loop_reap(Loop *loop, pid_t pid)
{
    LoopShm *shm = loop->shm;
    uint16_t proc;
    int i;

    loop_lock(loop);
    for (proc = 1; proc < LOOP_MAX_PROCS; proc++) {
        if (shm->procs[proc].pid == pid) {
            break;
        }
    }
    if (proc == LOOP_MAX_PROCS) {
        loop_unlock(loop);
        return;
    }
    loop_gnt_release(loop, proc);
    for (i = 1; i < LOOP_MAX_HANDLES; i++) {
        if (shm->handles[i].kind && shm->handles[i].proc == proc) {
            if (shm->handles[i].kind == LOOP_HANDLE_EVTCHN) {
                loop_evtchn_release(loop, i);
            }
            shm->handles[i].kind = LOOP_HANDLE_FREE;
        }
    }
    for (i = 0; i < LOOP_CALL_MAX; i++) {
        shm->past_calls[i] += atomic_exchange(&shm->procs[proc].calls[i], 0);
    }
    shm->procs[proc].pid = 0;
    loop_unlock(loop);
}
