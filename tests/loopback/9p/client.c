/*
 * A 9P client: requests in flight over any transport
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "client.h"
#include "proto.h"

#define DEFAULT_TIMEOUT_MS 10000

/* Buffers that are kept: large ones are dear to allocate. */
#define MAX_SPARE 256

const char *p9_type_name(uint8_t type)
{
    static const char *const names[128] = {
        [P9_RLERROR - 1] = "lerror", [P9_TSTATFS] = "statfs",
        [P9_TLOPEN] = "lopen", [P9_TLCREATE] = "lcreate",
        [P9_TSYMLINK] = "symlink", [P9_TMKNOD] = "mknod",
        [P9_TRENAME] = "rename", [P9_TREADLINK] = "readlink",
        [P9_TGETATTR] = "getattr", [P9_TSETATTR] = "setattr",
        [P9_TXATTRWALK] = "xattrwalk", [P9_TXATTRCREATE] = "xattrcreate",
        [P9_TREADDIR] = "readdir", [P9_TFSYNC] = "fsync",
        [P9_TLOCK] = "lock", [P9_TGETLOCK] = "getlock",
        [P9_TLINK] = "link", [P9_TMKDIR] = "mkdir",
        [P9_TRENAMEAT] = "renameat", [P9_TUNLINKAT] = "unlinkat",
        [P9_TVERSION] = "version", [P9_TAUTH] = "auth",
        [P9_TATTACH] = "attach", [P9_RERROR - 1] = "error",
        [P9_TFLUSH] = "flush", [P9_TWALK] = "walk", [P9_TOPEN] = "open",
        [P9_TCREATE] = "create", [P9_TREAD] = "read",
        [P9_TWRITE] = "write", [P9_TCLUNK] = "clunk",
        [P9_TREMOVE] = "remove", [P9_TSTAT] = "stat", [P9_TWSTAT] = "wstat",
    };

    type &= ~1;
    return type < G_N_ELEMENTS(names) && names[type] ? names[type]
                                                     : "(unknown)";
}

void p9_client_init(P9Client *client, const P9Transport *transport,
                    void *opaque, unsigned rings)
{
    memset(client, 0, sizeof(*client));
    client->transport = transport;
    client->opaque = opaque;
    client->rings = rings;
    client->dotl = true;
    client->timeout_ms = DEFAULT_TIMEOUT_MS;
    client->spare = g_ptr_array_new_with_free_func(
        (GDestroyNotify)g_byte_array_unref);
}

void p9_client_fini(P9Client *client)
{
    unsigned tag;

    for (tag = 0; tag < G_N_ELEMENTS(client->by_tag); tag++) {
        if (client->by_tag[tag]) {
            p9_req_free(client->by_tag[tag]);
        }
    }
    g_ptr_array_unref(client->spare);
}

GByteArray *p9_client_buffer(P9Client *client)
{
    GByteArray *bytes;

    if (!client->spare->len) {
        return g_byte_array_new();
    }
    bytes = g_ptr_array_steal_index_fast(client->spare,
                                         client->spare->len - 1);
    g_byte_array_set_size(bytes, 0);
    return bytes;
}

void p9_client_recycle(P9Client *client, GByteArray *bytes)
{
    if (bytes && client->spare->len < MAX_SPARE) {
        g_ptr_array_add(client->spare, bytes);
    } else if (bytes) {
        g_byte_array_unref(bytes);
    }
}

void p9_client_input(P9Client *client, unsigned ring, GByteArray *bytes)
{
    P9Msg msg;
    P9Req *req;

    p9_msg_take(&msg, bytes);
    req = client->by_tag[p9_msg_tag(&msg)];
    if (!req || req->done) {
        client->strays++;
        p9_client_recycle(client, bytes);
        return;
    }
    req->rx = msg;
    req->done = true;
    req->done_us = g_get_monotonic_time();
    req->came_on = ring;
    client->in_flight--;
}

static uint16_t free_tag(P9Client *client)
{
    while (client->next_tag == P9_NOTAG || client->by_tag[client->next_tag]) {
        client->next_tag++;
    }
    return client->next_tag++;
}

P9Req *p9_req_new(P9Client *client, uint8_t type, int tag, int ring)
{
    P9Req *req = g_new0(P9Req, 1);

    req->client = client;
    req->type = type;
    req->tag = tag < 0 ? free_tag(client) : tag;
    req->ring = ring < 0 ? req->tag % client->rings : (unsigned)ring;
    p9_msg_init(&req->tx, p9_client_buffer(client), type, req->tag);
    return req;
}

bool p9_req_send(P9Req *req)
{
    P9Client *client = req->client;
    gint64 deadline = g_get_monotonic_time() + client->timeout_ms * 1000;

    p9_msg_end(&req->tx);
    client->by_tag[req->tag] = req;
    client->in_flight++;
    req->sent_us = g_get_monotonic_time();
    while (!client->transport->send(client->opaque, req->ring,
                                    req->tx.bytes->data,
                                    req->tx.bytes->len)) {
        if (g_get_monotonic_time() > deadline ||
            client->transport->wait(client->opaque, 100) < 0) {
            return false;
        }
    }
    return true;
}

P9Outcome p9_req_wait(P9Req *req, int timeout_ms)
{
    P9Client *client = req->client;
    gint64 deadline = g_get_monotonic_time() + timeout_ms * 1000;

    while (!req->done) {
        gint64 left = deadline - g_get_monotonic_time();

        if (left <= 0) {
            return P9_OVERDUE;
        }
        if (client->transport->wait(client->opaque,
                                    (left + 999) / 1000) < 0) {
            return req->done ? P9_DONE : P9_GONE;
        }
    }
    return P9_DONE;
}

void p9_req_free(P9Req *req)
{
    P9Client *client = req->client;

    if (client->by_tag[req->tag] == req) {
        client->by_tag[req->tag] = NULL;
        if (!req->done) {
            client->in_flight--;
        }
    }
    p9_client_recycle(client, p9_msg_steal(&req->tx));
    p9_client_recycle(client, p9_msg_steal(&req->rx));
    g_free(req);
}

uint32_t p9_req_error(P9Req *req)
{
    uint8_t type = p9_msg_type(&req->rx);
    uint32_t error = 0;

    req->rx.pos = P9_HEADER_SIZE;
    if (type == P9_RLERROR) {
        p9_unpack(&req->rx, "d", &error);
    } else if (type == P9_RERROR) {
        p9_unpack(&req->rx, "sd", NULL, &error);
    }
    return error;
}

static void G_GNUC_NORETURN overdue(P9Req *req, const char *what)
{
    P9Client *client = req->client;
    g_autofree char *why = client->transport->why(client->opaque);

    g_error("T%s, tag %u, ring %u: %s; %s", p9_type_name(req->type),
            req->tag, req->ring, what, why);
}

uint32_t p9_req_result(P9Req *req)
{
    uint32_t error;
    uint8_t type;

    switch (p9_req_wait(req, req->client->timeout_ms)) {
    case P9_OVERDUE:
        overdue(req, "no reply in time");
    case P9_GONE:
        overdue(req, "no reply, and none will come");
    case P9_DONE:
        break;
    }
    type = p9_msg_type(&req->rx);
    error = p9_req_error(req);
    if (!error && type != req->type + 1) {
        g_error("T%s: the reply is of type %u (R%s)",
                p9_type_name(req->type), type, p9_type_name(type));
    }
    req->rx.pos = P9_HEADER_SIZE;
    return error;
}

bool p9_req_expect(P9Req *req, uint32_t expect_err)
{
    uint32_t error = p9_req_result(req);

    if (error != expect_err) {
        g_error("T%s: got error %u (%s), expected %u (%s)",
                p9_type_name(req->type), error, g_strerror(error),
                expect_err, g_strerror(expect_err));
    }
    return !error;
}
