/*
 * QEMU in the fuzzer's own process, its worker threads and clock on a lead
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "system/system.h"
#include "hw/9pfs/xen-9p-thread.h"
#include "host.h"
#include "wrap.h"

/* Passes of the main loop in a row without work that say there is none. */
#define QUIET_PASSES 4
#define MAX_PASSES 1000

typedef struct Job {
    ThreadPoolFunc *func;
    void *arg;
    BlockCompletionFunc *done;
    void *opaque;
} Job;

static GArray *jobs;
static QEMUBH *jobs_bh;
static bool held;
static bool busy;               /* a job has come or gone */

/* What QEMU takes for its monotonic clock; not 0, which may mean: never. */
static int64_t now_ns = NANOSECONDS_PER_SECOND;

static void run_job(unsigned number)
{
    Job job = g_array_index(jobs, Job, number);

    g_array_remove_index(jobs, number);
    busy = true;
    job.done(job.opaque, job.func(job.arg));
}

static void run_jobs(void)
{
    while (jobs->len) {
        run_job(0);
    }
}

static void jobs_ready(void *opaque)
{
    if (!held) {
        run_jobs();
    }
}

BlockAIOCB *__wrap_thread_pool_submit_aio(ThreadPoolFunc *func, void *arg,
                                          BlockCompletionFunc *cb,
                                          void *opaque)
{
    Job job = { func, arg, cb, opaque };

    g_array_append_val(jobs, job);
    busy = true;
    qemu_bh_schedule(jobs_bh);
    return NULL;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC) {
        return __real_clock_gettime(id, ts);
    }
    ts->tv_sec = now_ns / NANOSECONDS_PER_SECOND;
    ts->tv_nsec = now_ns % NANOSECONDS_PER_SECOND;
    return 0;
}

/*
 * Who polls waits for jobs: nothing is held back from him. Or for a timer:
 * then it is that late.
 */
bool __wrap_aio_poll(AioContext *ctx, bool blocking)
{
    int64_t timeout;

    if (jobs && jobs->len) {
        run_jobs();
        blocking = false;
    }
    timeout = blocking ? aio_compute_timeout(ctx) : 0;
    if (timeout > 0) {
        now_ns += timeout;
        blocking = false;
    }
    return __real_aio_poll(ctx, blocking);
}

void host_hold(bool hold)
{
    held = hold;
    if (!held && jobs->len) {
        qemu_bh_schedule(jobs_bh);
    }
}

void host_release(unsigned number)
{
    if (jobs->len) {
        run_job(number % jobs->len);
    }
}

void host_step(void)
{
    main_loop_wait(true);
}

void host_settle(void)
{
    unsigned quiet = 0, passes;

    for (passes = 0; quiet < QUIET_PASSES; passes++) {
        g_assert(passes < MAX_PASSES);
        busy = false;
        host_step();
        quiet = busy ? 0 : quiet + 1;
    }
}

void host_wait(unsigned ms)
{
    now_ns += (int64_t)ms * SCALE_MS;
    host_settle();
}

void host_init(const char *domid)
{
    const char *argv[] = {
        "qemu", "-M", "xenpv", "-xen-attach", "-xen-domid", domid,
        "-nodefaults", "-nographic", "-display", "none", "-monitor", "none",
        "-serial", "none", NULL
    };
    sigset_t alarm;

    jobs = g_array_new(false, false, sizeof(Job));
    xen_9p_thread_none = true;
    qemu_init(ARRAY_SIZE(argv) - 1, (char **)argv);
    jobs_bh = qemu_bh_new(jobs_ready, NULL);
    /* QEMU blocks it; libFuzzer watches for time-outs with it. */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
}
