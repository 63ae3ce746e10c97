/*
 * Processes of a loopback: started with the shim, ended with the test
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

#define STOP_TIMEOUT_MS 10000

/* The shim: where the environment says, or beside this program. */
static char *shim_path(void)
{
    const char *given = g_getenv("LOOP_SHIM");
    g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = g_path_get_dirname(exe);

    return given ? g_strdup(given)
                 : g_build_filename(dir, "libloopshim.so", NULL);
}

char *process_xen_bin(const char *name)
{
    const char *given = g_getenv("LOOP_XEN_BIN");
    g_autofree char *pattern = NULL;
    char *path = NULL;
    glob_t found;

    if (given) {
        return g_build_filename(given, name, NULL);
    }
    pattern = g_strdup_printf("/usr/lib/xen-*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0) {
        g_error("%s is not here: install xen-utils or set LOOP_XEN_BIN",
                name);
    }
    path = g_strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static char **make_environment(const ProcessEnv *env)
{
    g_autofree char *shim = shim_path();
    char **envp = g_get_environ();

    envp = g_environ_setenv(envp, "LD_PRELOAD", shim, TRUE);
    envp = g_environ_setenv(envp, "XEN_LOOPBACK", env->loop_path, TRUE);
    envp = g_environ_setenv(envp, "XEN_LOOPBACK_DOMID", "0", TRUE);
    envp = g_environ_setenv(envp, "XENSTORED_RUNDIR", env->xenstore_dir,
                            TRUE);
    /* So that a use after free is seen; a benchmark sets it to 0. */
    envp = g_environ_setenv(envp, "MALLOC_PERTURB_", "165", FALSE);
    /* Without this, libasan refuses to come after the shim. */
    return g_environ_setenv(envp, "ASAN_OPTIONS",
                            "verify_asan_link_order=0:detect_leaks=0",
                            FALSE);
}

/* Between fork and exec: no allocation here. */
static void G_GNUC_NORETURN run(const char *const *argv, char **envp,
                                pid_t parent, int log, int null)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvpe(argv[0], (char *const *)argv, envp);
    _exit(127);
}

GPid process_start(const char *const *argv, const ProcessEnv *env)
{
    g_auto(GStrv) envp = make_environment(env);
    int log = open(env->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t parent = getpid(), pid;

    g_assert_cmpint(log, >=, 0);
    g_assert_cmpint(null, >=, 0);
    pid = fork();
    if (pid == 0) {
        run(argv, envp, parent, log, null);
    }
    g_assert_cmpint(pid, >, 0);
    close(log);
    close(null);
    return pid;
}

int process_run(const char *const *argv, const ProcessEnv *env, char **out,
                char **err)
{
    g_auto(GStrv) envp = make_environment(env);
    g_autoptr(GError) error = NULL;
    int status;

    if (!g_spawn_sync(NULL, (char **)argv, envp, G_SPAWN_SEARCH_PATH, NULL,
                      NULL, out, err, &status, &error)) {
        g_error("%s: %s", argv[0], error->message);
    }
    return status;
}

bool process_check(GPid *pid, int *status)
{
    if (*pid && waitpid(*pid, status, WNOHANG) == *pid) {
        *pid = 0;
    }
    return *pid;
}

int process_stop(GPid *pid)
{
    int status = 0, waited;

    if (!*pid) {
        return 0;
    }
    kill(*pid, SIGTERM);
    for (waited = 0; process_check(pid, &status); waited++) {
        if (waited == STOP_TIMEOUT_MS) {
            g_test_message("process %d does not end: killed", (int)*pid);
            kill(*pid, SIGKILL);
        }
        g_usleep(1000);
    }
    return status;
}

char *process_describe(int status)
{
    if (WIFSIGNALED(status)) {
        return g_strdup_printf("signal %d (%s)", WTERMSIG(status),
                               strsignal(WTERMSIG(status)));
    }
    return g_strdup_printf("exit status %d", WEXITSTATUS(status));
}
