/*
 * A guest's xenstore connection, over its own ring
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#include "gxs.h"

#define REQUEST_TIMEOUT_MS 20000

struct GuestXs {
    Loop *loop;
    int handle;
    evtchn_port_t port;
    struct xenstore_domain_interface *ring;
    uint32_t next_id;
    GQueue events;              /* char *, tokens */
};

GuestXs *gxs_new(Loop *loop, domid_t domid, uint32_t gfn, evtchn_port_t port)
{
    GuestXs *xs = g_new0(GuestXs, 1);
    int ret;

    xs->loop = loop;
    xs->port = port;
    xs->ring = loop_page(loop, domid, gfn);
    xs->handle = loop_evtchn_open(loop, domid, true);
    g_assert_cmpint(xs->handle, >, 0);
    ret = loop_evtchn_adopt(loop, xs->handle, port);
    g_assert_cmpint(ret, ==, 0);
    g_queue_init(&xs->events);
    return xs;
}

void gxs_free(GuestXs *xs)
{
    loop_evtchn_close(xs->loop, xs->handle);
    g_queue_clear_full(&xs->events, g_free);
    g_free(xs);
}

/* Wait for xenstored to move the ring on; false if it does not. */
static bool wait_ring(GuestXs *xs, gint64 deadline)
{
    struct pollfd pfd = {
        .fd = loop_evtchn_fd(xs->loop, xs->handle), .events = POLLIN,
    };
    gint64 left = deadline - g_get_monotonic_time();
    int port;

    if (left <= 0 || poll(&pfd, 1, (left + 999) / 1000) <= 0) {
        return false;
    }
    port = loop_evtchn_pending(xs->loop, xs->handle);
    if (port > 0) {
        loop_evtchn_unmask(xs->loop, xs->handle, port);
    }
    return true;
}

static bool put(GuestXs *xs, const void *data, uint32_t len, gint64 deadline)
{
    struct xenstore_domain_interface *ring = xs->ring;
    const char *from = data;

    while (len) {
        uint32_t prod = ring->req_prod;
        uint32_t cons = __atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE);
        uint32_t room = XENSTORE_RING_SIZE - (prod - cons);
        uint32_t start = MASK_XENSTORE_IDX(prod);
        uint32_t n = MIN(MIN(len, room), XENSTORE_RING_SIZE - start);

        if (!n) {
            if (!wait_ring(xs, deadline)) {
                return false;
            }
            continue;
        }
        memcpy(ring->req + start, from, n);
        __atomic_store_n(&ring->req_prod, prod + n, __ATOMIC_RELEASE);
        loop_evtchn_notify(xs->loop, xs->handle, xs->port);
        from += n;
        len -= n;
    }
    return true;
}

static bool get(GuestXs *xs, void *data, uint32_t len, gint64 deadline)
{
    struct xenstore_domain_interface *ring = xs->ring;
    char *to = data;

    while (len) {
        uint32_t cons = ring->rsp_cons;
        uint32_t prod = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
        uint32_t start = MASK_XENSTORE_IDX(cons);
        uint32_t n = MIN(MIN(len, prod - cons), XENSTORE_RING_SIZE - start);

        if (!n) {
            if (!wait_ring(xs, deadline)) {
                return false;
            }
            continue;
        }
        memcpy(to, ring->rsp + start, n);
        __atomic_store_n(&ring->rsp_cons, cons + n, __ATOMIC_RELEASE);
        loop_evtchn_notify(xs->loop, xs->handle, xs->port);
        to += n;
        len -= n;
    }
    return true;
}

static bool have_message(GuestXs *xs)
{
    return __atomic_load_n(&xs->ring->rsp_prod, __ATOMIC_ACQUIRE) !=
           xs->ring->rsp_cons;
}

/* The next message; its body, with a zero after it, is the caller's. */
static char *next_message(GuestXs *xs, struct xsd_sockmsg *header,
                          gint64 deadline)
{
    char *body;

    if (!get(xs, header, sizeof(*header), deadline)) {
        return NULL;
    }
    g_assert_cmpuint(header->len, <=, XENSTORE_PAYLOAD_MAX);
    body = g_malloc0(header->len + 1);
    if (!get(xs, body, header->len, deadline)) {
        g_free(body);
        return NULL;
    }
    return body;
}

/* An event's body is its path, a zero, and its token. */
static void queue_event(GuestXs *xs, char *body)
{
    g_queue_push_tail(&xs->events, g_strdup(body + strlen(body) + 1));
    g_free(body);
}

/* The negative errno that xenstored's answer names. */
static int error_number(const char *name)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(xsd_errors); i++) {
        if (!strcmp(xsd_errors[i].errstring, name)) {
            return -xsd_errors[i].errnum;
        }
    }
    return -EIO;
}

/* Send a request and wait for its answer; NULL and *error on failure. */
static char *request(GuestXs *xs, uint32_t type, uint32_t tx,
                     const void *data, uint32_t len, int *error)
{
    gint64 deadline = g_get_monotonic_time() + REQUEST_TIMEOUT_MS * 1000;
    struct xsd_sockmsg header = {
        .type = type, .req_id = ++xs->next_id, .tx_id = tx, .len = len,
    };
    char *body;

    *error = -ETIMEDOUT;
    if (!put(xs, &header, sizeof(header), deadline) ||
        !put(xs, data, len, deadline)) {
        return NULL;
    }
    while ((body = next_message(xs, &header, deadline))) {
        if (header.type == XS_WATCH_EVENT) {
            queue_event(xs, body);
            continue;
        }
        *error = header.type == XS_ERROR ? error_number(body) : 0;
        if (*error) {
            g_free(body);
            body = NULL;
        }
        break;
    }
    return body;
}

static int simple(GuestXs *xs, uint32_t type, uint32_t tx, const void *data,
                  uint32_t len)
{
    int error;

    g_free(request(xs, type, tx, data, len, &error));
    return error;
}

char *gxs_read(GuestXs *xs, uint32_t tx, const char *path, int *error)
{
    return request(xs, XS_READ, tx, path, strlen(path) + 1, error);
}

/* How many requests a storm has on their way: xenstored is never idle. */
#define STORM 10

unsigned gxs_storm(GuestXs *xs, const char *path, const char *value,
                   const int *stop)
{
    size_t path_len = strlen(path) + 1, len = path_len + strlen(value);
    g_autofree char *data = g_strconcat(path, "=", value, NULL);
    struct xsd_sockmsg header = { .type = XS_WRITE, .len = len };
    unsigned sent = 0, answered = 0;

    data[path_len - 1] = '\0';
    for (;;) {
        gint64 deadline = g_get_monotonic_time() + REQUEST_TIMEOUT_MS * 1000;
        struct xsd_sockmsg answer;

        while (sent - answered < STORM && !g_atomic_int_get(stop)) {
            header.req_id = ++xs->next_id;
            g_assert_true(put(xs, &header, sizeof(header), deadline));
            g_assert_true(put(xs, data, len, deadline));
            sent++;
        }
        if (answered == sent) {
            return sent;
        }
        g_free(next_message(xs, &answer, deadline));
        answered++;
    }
}

int gxs_write(GuestXs *xs, uint32_t tx, const char *path, const char *value)
{
    size_t path_len = strlen(path) + 1, len = strlen(value);
    g_autofree char *data = g_malloc(path_len + len);

    memcpy(data, path, path_len);
    memcpy(data + path_len, value, len);
    return simple(xs, XS_WRITE, tx, data, path_len + len);
}

int gxs_rm(GuestXs *xs, uint32_t tx, const char *path)
{
    return simple(xs, XS_RM, tx, path, strlen(path) + 1);
}

int gxs_tx_start(GuestXs *xs)
{
    int error;
    g_autofree char *body = request(xs, XS_TRANSACTION_START, 0, "", 1,
                                    &error);

    return body ? atoi(body) : error;
}

int gxs_tx_end(GuestXs *xs, uint32_t tx, bool commit)
{
    return simple(xs, XS_TRANSACTION_END, tx, commit ? "T" : "F", 2);
}

static int watch_request(GuestXs *xs, uint32_t type, const char *path,
                         const char *token)
{
    g_autofree char *data = g_strdup_printf("%s%c%s", path, 1, token);

    data[strlen(path)] = '\0';
    return simple(xs, type, 0, data, strlen(path) + strlen(token) + 2);
}

int gxs_watch(GuestXs *xs, const char *path, const char *token)
{
    return watch_request(xs, XS_WATCH, path, token);
}

int gxs_unwatch(GuestXs *xs, const char *path, const char *token)
{
    return watch_request(xs, XS_UNWATCH, path, token);
}

char *gxs_event(GuestXs *xs, int timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;
    struct xsd_sockmsg header;
    char *body;

    while (g_queue_is_empty(&xs->events)) {
        if (!have_message(xs)) {
            if (!wait_ring(xs, deadline)) {
                return NULL;
            }
            continue;
        }
        body = next_message(xs, &header,
                            deadline + REQUEST_TIMEOUT_MS * 1000);
        if (!body) {
            return NULL;
        }
        g_assert_cmpuint(header.type, ==, XS_WATCH_EVENT);
        queue_event(xs, body);
    }
    return g_queue_pop_head(&xs->events);
}
