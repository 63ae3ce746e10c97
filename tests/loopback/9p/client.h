/*
 * A 9P client: requests in flight over any transport
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_9P_CLIENT_H
#define LOOPBACK_9P_CLIENT_H

#include "msg.h"

typedef struct P9Client P9Client;
typedef struct P9Req P9Req;

/*
 * What a transport offers:
 *
 * send: pass on a whole request; false, and nothing is done, if there is no
 *     room for it now.
 * wait: call p9_client_input() for all replies that are there; wait for one
 *     for up to @timeout_ms if there is none. Returns how many came, or -1
 *     when none will ever come again.
 * why: what to tell about the other end when a reply is overdue; to be
 *     freed.
 */
typedef struct P9Transport {
    bool (*send)(void *opaque, unsigned ring, const void *data, uint32_t len);
    int (*wait)(void *opaque, int timeout_ms);
    char *(*why)(void *opaque);
} P9Transport;

struct P9Client {
    const P9Transport *transport;
    void *opaque;
    unsigned rings;             /* the transport's; 1 or more */
    uint32_t msize;             /* ours, then what was agreed */
    bool dotl;                  /* 9P2000.L was agreed; else 9P2000.u */
    int timeout_ms;             /* of a reply that somebody waits for */
    uint16_t next_tag;
    unsigned in_flight;
    unsigned strays;            /* replies that nobody asked for */
    GPtrArray *spare;           /* GByteArray *, to be used again */
    P9Req *by_tag[65536];
};

struct P9Req {
    P9Client *client;
    uint8_t type;
    uint16_t tag;
    unsigned ring;
    bool done;
    unsigned came_on;           /* the ring that the reply was on */
    gint64 sent_us, done_us;
    P9Msg tx, rx;
};

typedef enum P9Outcome {
    P9_DONE,
    P9_OVERDUE,
    P9_GONE
} P9Outcome;

/* @rings is how many the transport has; replies are taken by tag. */
void p9_client_init(P9Client *client, const P9Transport *transport,
                    void *opaque, unsigned rings);
void p9_client_fini(P9Client *client);

/*
 * For the transport:
 *
 * p9_client_input: one whole reply has come on @ring. Takes over @bytes.
 * p9_client_buffer: an empty buffer to receive one in.
 * p9_client_recycle: give a buffer back; it may be NULL.
 */
void p9_client_input(P9Client *client, unsigned ring, GByteArray *bytes);
GByteArray *p9_client_buffer(P9Client *client);
void p9_client_recycle(P9Client *client, GByteArray *bytes);

/*
 * p9_req_new: a request whose header is written. The tag is the next free
 *     one if @tag is negative, the ring is the tag's (as Linux chooses) if
 *     @ring is negative.
 * p9_req_send: send it; waits for room. Returns false if the transport is
 *     gone or room is overdue.
 * p9_req_wait: for its reply, up to @timeout_ms.
 * p9_req_free: forget it, finished or not. A reply that comes later is a
 *     stray.
 */
P9Req *p9_req_new(P9Client *client, uint8_t type, int tag, int ring);
bool p9_req_send(P9Req *req);
P9Outcome p9_req_wait(P9Req *req, int timeout_ms);
void p9_req_free(P9Req *req);

/*
 * p9_req_error: the errno that the reply carries, of either dialect; 0 if it
 *     is no error.
 * p9_req_result: wait for the reply and return p9_req_error() of it; ends
 *     the test with a message when none comes or it is of another type.
 * p9_req_expect: the same, and the error has to be @expect_err. Returns
 *     whether there are fields to read.
 */
uint32_t p9_req_error(P9Req *req);
uint32_t p9_req_result(P9Req *req);
bool p9_req_expect(P9Req *req, uint32_t expect_err);

const char *p9_type_name(uint8_t type);

#endif
