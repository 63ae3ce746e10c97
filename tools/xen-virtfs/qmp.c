/*
 * xen-virtfs: a QMP connection to a QEMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qmp.h"

struct Qmp {
    int fd;
    int timeout_ms;
    char *path;
    GString *input;             /* received, and not taken yet */
};

static int socket_connect(const char *path, int timeout_ms)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct timeval patience = {
        .tv_sec = timeout_ms / 1000,
        .tv_usec = MAX(timeout_ms % 1000 * 1000, 1),
    };
    int fd;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        /* Where others wait for it already, connect() waits as well. */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }
    if (fd >= 0 &&
        connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

#define NO_ANSWER "no answer, it is busy with another client or hangs"

static bool lost(Qmp *qmp, const char *why, GError **err)
{
    g_set_error(err, TOOL_ERROR, TOOL_NO_QEMU, "QEMU at %s: %s", qmp->path,
                why);
    return false;
}

/* Receive something. */
static bool receive(Qmp *qmp, GError **err)
{
    struct pollfd pfd = { .fd = qmp->fd, .events = POLLIN };
    char buffer[4096];
    ssize_t len;
    int ret;

    do {
        ret = poll(&pfd, 1, qmp->timeout_ms);
    } while (ret < 0 && errno == EINTR);
    if (ret == 0) {
        return lost(qmp, NO_ANSWER, err);
    }
    len = read(qmp->fd, buffer, sizeof(buffer));
    if (len <= 0) {
        return lost(qmp, len ? g_strerror(errno) : "has ended", err);
    }
    g_string_append_len(qmp->input, buffer, len);
    return true;
}

/* The next message, each of which is a line. */
static Json *next_message(Qmp *qmp, GError **err)
{
    g_autofree char *line = NULL;
    Json *json;
    char *end;

    while (!(end = strchr(qmp->input->str, '\n'))) {
        if (!receive(qmp, err)) {
            return NULL;
        }
    }
    line = g_strndup(qmp->input->str, end - qmp->input->str);
    g_string_erase(qmp->input, 0, end + 1 - qmp->input->str);
    json = json_parse(line);
    if (!json) {
        lost(qmp, "speaks no QMP", err);
    }
    return json;
}

Qmp *qmp_open(const char *path, int timeout_ms, GError **err)
{
    Qmp *qmp = g_new0(Qmp, 1);
    g_autoptr(Json) greeting = NULL;
    g_autoptr(Json) answer = NULL;

    qmp->path = g_strdup(path);
    qmp->timeout_ms = timeout_ms;
    qmp->input = g_string_new(NULL);
    qmp->fd = socket_connect(path, timeout_ms);
    if (qmp->fd < 0) {
        lost(qmp, errno == EAGAIN ? NO_ANSWER : g_strerror(errno), err);
    } else {
        greeting = next_message(qmp, err);
    }
    if (greeting) {
        answer = qmp_run(qmp, "qmp_capabilities", NULL, err);
    }
    if (!answer) {
        g_clear_pointer(&qmp, qmp_close);
    }
    return qmp;
}

void qmp_close(Qmp *qmp)
{
    if (qmp) {
        if (qmp->fd >= 0) {
            close(qmp->fd);
        }
        g_string_free(qmp->input, TRUE);
        g_free(qmp->path);
        g_free(qmp);
    }
}

static bool send_all(Qmp *qmp, const char *text, GError **err)
{
    size_t left = strlen(text);

    while (left) {
        ssize_t len = send(qmp->fd, text, left, MSG_NOSIGNAL);

        if (len < 0) {
            return lost(qmp, g_strerror(errno), err);
        }
        text += len;
        left -= len;
    }
    return true;
}

Json *qmp_run(Qmp *qmp, const char *command, const char *arguments,
              GError **err)
{
    g_autofree char *line = arguments ?
        g_strdup_printf("{\"execute\": \"%s\", \"arguments\": %s}\n", command,
                        arguments) :
        g_strdup_printf("{\"execute\": \"%s\"}\n", command);
    const char *why;

    if (!send_all(qmp, line, err)) {
        return NULL;
    }
    for (;;) {
        g_autoptr(Json) answer = next_message(qmp, err);
        unsigned i;

        if (!answer) {
            return NULL;
        }
        for (i = 0; answer->names && i < answer->names->len; i++) {
            if (g_str_equal(answer->names->pdata[i], "return")) {
                return g_ptr_array_steal_index(answer->values, i);
            }
        }
        why = json_get_text(json_get(answer, "error"), "desc");
        if (why) {
            g_set_error(err, TOOL_ERROR, TOOL_REFUSED, "%s", why);
            return NULL;
        }
        /* An event. */
    }
}
