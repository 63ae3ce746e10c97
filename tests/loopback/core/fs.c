/*
 * Loopback Xen: the backend's own calls of the file system
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "shm.h"

static void sleep_us(uint32_t us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };

    while (nanosleep(&t, &t) < 0) {
        continue;
    }
}

void loop_fs_watch(Loop *loop, pid_t pid)
{
    LoopShm *shm = loop->shm;
    int i, thread;

    atomic_store(&shm->fs_pid, 0);
    for (i = 0; i < LOOP_FS_CALLS; i++) {
        for (thread = 0; thread < LOOP_FS_THREADS; thread++) {
            atomic_store(&shm->fs[i].count[thread], 0);
        }
    }
    atomic_store(&shm->fs_pid, pid);
}

void loop_fs_delay(Loop *loop, LoopFsCall call, uint32_t delay_us,
                   uint32_t rare_us)
{
    atomic_store(&loop->shm->fs[call].delay_us, delay_us);
    atomic_store(&loop->shm->fs[call].rare_us, rare_us);
}

void loop_fs_hold(Loop *loop, LoopFsCall call, bool hold)
{
    atomic_store(&loop->shm->fs[call].hold, hold);
}

void loop_fs_only(Loop *loop, dev_t dev)
{
    atomic_store(&loop->shm->fs_only, dev);
}

bool loop_fs_asks(Loop *loop)
{
    return atomic_load(&loop->shm->fs_only);
}

bool loop_fs_watched(Loop *loop)
{
    pid_t pid = atomic_load(&loop->shm->fs_pid);

    return pid && (pid == LOOP_FS_ANY || pid == getpid());
}

uint32_t loop_fs_waiting(Loop *loop, LoopFsCall call)
{
    return atomic_load(&loop->shm->fs[call].waiting);
}

uint32_t loop_fs_count(Loop *loop, LoopFsCall call, LoopFsThread thread)
{
    return atomic_load(&loop->shm->fs[call].count[thread]);
}

static LoopFsThread this_thread(void)
{
    char name[16] = "";

    if (gettid() == getpid()) {
        return LOOP_FS_MAIN;
    }
    prctl(PR_GET_NAME, name);
    return !strncmp(name, "xen-", 4) ? LOOP_FS_DEVICE : LOOP_FS_WORKER;
}

void loop_fs_call(Loop *loop, LoopFsCall call, dev_t dev)
{
    LoopFsRec *rec = &loop->shm->fs[call];
    uint64_t only = atomic_load(&loop->shm->fs_only);
    uint32_t number, delay;

    if (!loop_fs_watched(loop)) {
        return;
    }
    number = atomic_fetch_add(&rec->count[this_thread()], 1);
    if (only && only != dev) {
        return;
    }
    delay = atomic_load(&rec->rare_us);
    if (delay == 0 || number % 10 != 9) {
        delay = atomic_load(&rec->delay_us);
    }
    if (delay) {
        sleep_us(delay);
    }
    if (atomic_load(&rec->hold)) {
        atomic_fetch_add(&rec->waiting, 1);
        while (atomic_load(&rec->hold)) {
            sleep_us(1000);
        }
        atomic_fetch_sub(&rec->waiting, 1);
    }
}
