/*
 * How many system calls the backend makes of the file system
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syscalls.h"

struct Syscalls {
    pthread_t tracer;           /* ptrace() is for one thread's use */
    pid_t tid;
    int error;
    bool begun, end;            /* atomic */
    unsigned count;
    GString *names;
};

/* Those that a server makes for its client; not events, memory or threads. */
static const struct {
    long number;
    const char *name;
} of_files[] = {
#define CALL(name) { SYS_##name, #name }
#ifdef SYS_open
    CALL(open), CALL(stat), CALL(lstat), CALL(chmod),
#endif
    CALL(openat), CALL(openat2), CALL(close), CALL(newfstatat), CALL(fstat),
    CALL(statx), CALL(fcntl), CALL(statfs), CALL(fstatfs), CALL(getdents64),
    CALL(lseek), CALL(preadv), CALL(pwritev), CALL(pread64), CALL(pwrite64),
    CALL(readlinkat), CALL(lgetxattr), CALL(getxattr), CALL(fgetxattr),
    CALL(llistxattr), CALL(listxattr), CALL(lsetxattr), CALL(faccessat),
    CALL(mkdirat), CALL(unlinkat), CALL(renameat), CALL(linkat),
    CALL(symlinkat), CALL(mknodat), CALL(fchown), CALL(fchownat),
    CALL(fchmod), CALL(fchmodat), CALL(ioctl),
    CALL(utimensat), CALL(ftruncate), CALL(fsync), CALL(fdatasync),
};

static pid_t thread_of_device(Fixture *f)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", f->backend_pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *tid;

    while (dir && (tid = g_dir_read_name(dir))) {
        g_autofree char *file = g_strdup_printf("%s/%s/comm", path, tid);
        g_autofree char *name = NULL;

        if (g_file_get_contents(file, &name, NULL, NULL) &&
            g_str_has_prefix(name, "xen-")) {
            return atoi(tid);
        }
    }
    g_error("no thread of process %d is a device's", f->backend_pid);
}

static void count(Syscalls *c)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, c->tid, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(of_files); i++) {
        if (of_files[i].number == (long)info.entry.nr) {
            c->count++;
            g_string_append_printf(c->names, " %s", of_files[i].name);
        }
    }
}

/* Returns: whether it stopped for a system call. */
static bool await_stop(Syscalls *c, bool poll)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(c->tid, &status, __WALL | WNOHANG)) == 0) {
        if (poll && __atomic_load_n(&c->end, __ATOMIC_ACQUIRE)) {
            return false;
        }
        g_usleep(20);
    }
    g_assert_cmpint(pid, ==, c->tid);
    g_assert_true(WIFSTOPPED(status));
    return WSTOPSIG(status) == (SIGTRAP | 0x80);
}

static void *trace(void *opaque)
{
    Syscalls *c = opaque;

    if (ptrace(PTRACE_SEIZE, c->tid, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
        ptrace(PTRACE_INTERRUPT, c->tid, 0, 0) < 0) {
        c->error = errno;
        __atomic_store_n(&c->begun, true, __ATOMIC_RELEASE);
        return NULL;
    }
    await_stop(c, false);
    __atomic_store_n(&c->begun, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&c->end, __ATOMIC_ACQUIRE)) {
        g_assert_cmpint(ptrace(PTRACE_SYSCALL, c->tid, 0, 0), ==, 0);
        if (!await_stop(c, true)) {
            if (__atomic_load_n(&c->end, __ATOMIC_ACQUIRE)) {
                ptrace(PTRACE_INTERRUPT, c->tid, 0, 0);
                await_stop(c, false);
            }
            continue;
        }
        count(c);
    }
    ptrace(PTRACE_DETACH, c->tid, 0, 0);
    return NULL;
}

Syscalls *syscalls_begin(Fixture *f)
{
    Syscalls *c = g_new0(Syscalls, 1);

    c->tid = thread_of_device(f);
    c->names = g_string_new("");
    g_assert_cmpint(pthread_create(&c->tracer, NULL, trace, c), ==, 0);
    while (!__atomic_load_n(&c->begun, __ATOMIC_ACQUIRE)) {
        g_usleep(20);
    }
    if (c->error) {
        syscalls_end(c, NULL);
        g_test_skip("ptrace() is not permitted");
        return NULL;
    }
    return c;
}

unsigned syscalls_end(Syscalls *c, char **names)
{
    unsigned number;

    __atomic_store_n(&c->end, true, __ATOMIC_RELEASE);
    pthread_join(c->tracer, NULL);
    number = c->count;
    if (names) {
        *names = g_strdup(c->names->str);
    }
    g_string_free(c->names, TRUE);
    g_free(c);
    return number;
}
