/*
 * A QMP connection to a QEMU of a loopback, for the few tests that want one
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qmp.h"

/* A QEMU that has not answered by then hangs. */
#define ANSWER_TIMEOUT_S 30

struct Qmp {
    FILE *in;
    int fd;
};

/* The next line that is no event; NULL at the end. */
static char *next_answer(Qmp *qmp)
{
    char *line = NULL;
    size_t size = 0;
    g_autofree char *copy = NULL;

    while (getline(&line, &size, qmp->in) > 0) {
        if (!strstr(line, "\"event\":")) {
            copy = g_strdup(g_strchomp(line));
            break;
        }
    }
    free(line);
    return g_steal_pointer(&copy);
}

Qmp *qmp_new(Fixture *f)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
    g_autofree char *greeting = NULL, *answer = NULL;
    Qmp *qmp = g_new0(Qmp, 1);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/qmp-%u", f->dir,
             f->domid);
    qmp->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (qmp->fd < 0 ||
        connect(qmp->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        g_error("%s: %m", addr.sun_path);
    }
    setsockopt(qmp->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    qmp->in = fdopen(qmp->fd, "r");
    greeting = next_answer(qmp);
    answer = qmp_run(qmp, "{\"execute\": \"qmp_capabilities\"}");
    g_assert_nonnull(answer);
    return qmp;
}

void qmp_free(Qmp *qmp)
{
    fclose(qmp->in);
    g_free(qmp);
}

char *qmp_run(Qmp *qmp, const char *command)
{
    g_autofree char *line = g_strdup_printf("%s\n", command);

    if (write(qmp->fd, line, strlen(line)) != (ssize_t)strlen(line)) {
        return NULL;
    }
    return next_answer(qmp);
}
