/*
 * Processes of a loopback: started with the shim, ended with the test
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_PROCESS_H
#define LOOPBACK_PROCESS_H

#include <glib.h>
#include <stdbool.h>

/* What a process finds its loopback by. */
typedef struct ProcessEnv {
    const char *loop_path;
    const char *xenstore_dir;
    const char *log;            /* standard output and error go there */
} ProcessEnv;

/*
 * process_start: run @argv with the shim in front; dies with its parent.
 * process_run: run @argv to its end the same way, but with its output and
 *     its errors in *out and *err, to be freed; returns the status.
 * process_check: whether it runs; once it does not, *status is as of
 *     waitpid() and *pid is 0.
 * process_stop: SIGTERM, SIGKILL after a while; returns the status.
 * process_describe: a status in words, to be freed.
 * process_xen_bin: a program of xen-utils by name, to be freed.
 */
GPid process_start(const char *const *argv, const ProcessEnv *env);
int process_run(const char *const *argv, const ProcessEnv *env, char **out,
                char **err);
bool process_check(GPid *pid, int *status);
int process_stop(GPid *pid);
char *process_describe(int status);
char *process_xen_bin(const char *name);

#endif
