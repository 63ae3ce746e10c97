/*
 * 9P messages: bytes in, bytes out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_9P_MSG_H
#define LOOPBACK_9P_MSG_H

#include <glib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct P9Qid {
    uint8_t type;
    uint32_t version;
    uint64_t path;
} P9Qid;

/* A message that is being written or read. The bytes are its own. */
typedef struct P9Msg {
    GByteArray *bytes;
    uint32_t pos;               /* where reading goes on */
    bool bad;                   /* reading went past the end */
} P9Msg;

/*
 * p9_msg_init: a message of @type with @tag, written to @bytes, which is
 *     emptied; its size is set by p9_msg_end.
 * p9_msg_take: a message that was received.
 *     Both take over the reference to @bytes.
 * p9_msg_steal: the bytes, which are the caller's then; NULL if there are
 *     none.
 */
void p9_msg_init(P9Msg *msg, GByteArray *bytes, uint8_t type, uint16_t tag);
void p9_msg_end(P9Msg *msg);
void p9_msg_take(P9Msg *msg, GByteArray *bytes);
GByteArray *p9_msg_steal(P9Msg *msg);

/* Fields of the header, whatever the message has of it. */
uint32_t p9_msg_size(const P9Msg *msg);
uint8_t p9_msg_type(const P9Msg *msg);
uint16_t p9_msg_tag(const P9Msg *msg);

/*
 * Write or read fields in order. A character of the format for each:
 *
 *          p9_pack takes           p9_unpack takes (any may be NULL)
 *     b    int                     uint8_t *
 *     w    int                     uint16_t *
 *     d    uint32_t                uint32_t *
 *     q    uint64_t                uint64_t *
 *     s    const char *            char **, to be freed
 *     Q    const P9Qid *           P9Qid *
 *     D    uint32_t, const void *  uint32_t *, const uint8_t **, which points
 *                                  into the message
 *
 * p9_unpack returns false, and sets msg->bad, when the message is too short;
 * what was not read is then zero.
 */
void p9_pack(P9Msg *msg, const char *format, ...);
bool p9_unpack(P9Msg *msg, const char *format, ...);

#endif
