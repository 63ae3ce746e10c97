/*
 * 9P messages: bytes in, bytes out
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "msg.h"
#include "proto.h"

static void put_number(P9Msg *msg, uint64_t value, int size)
{
    uint8_t le[8];
    int i;

    for (i = 0; i < size; i++) {
        le[i] = value >> (8 * i);
    }
    g_byte_array_append(msg->bytes, le, size);
}

static uint64_t number_at(const P9Msg *msg, uint32_t pos, int size)
{
    uint64_t value = 0;
    int i;

    for (i = 0; i < size && pos + i < msg->bytes->len; i++) {
        value |= (uint64_t)msg->bytes->data[pos + i] << (8 * i);
    }
    return value;
}

void p9_msg_init(P9Msg *msg, GByteArray *bytes, uint8_t type, uint16_t tag)
{
    msg->bytes = bytes;
    g_byte_array_set_size(bytes, 0);
    msg->pos = 0;
    msg->bad = false;
    put_number(msg, 0, 4);
    put_number(msg, type, 1);
    put_number(msg, tag, 2);
}

void p9_msg_end(P9Msg *msg)
{
    uint32_t size = GUINT32_TO_LE(msg->bytes->len);

    memcpy(msg->bytes->data, &size, sizeof(size));
}

void p9_msg_take(P9Msg *msg, GByteArray *bytes)
{
    msg->bytes = bytes;
    msg->pos = P9_HEADER_SIZE;
    msg->bad = false;
}

GByteArray *p9_msg_steal(P9Msg *msg)
{
    return g_steal_pointer(&msg->bytes);
}

uint32_t p9_msg_size(const P9Msg *msg)
{
    return number_at(msg, 0, 4);
}

uint8_t p9_msg_type(const P9Msg *msg)
{
    return number_at(msg, 4, 1);
}

uint16_t p9_msg_tag(const P9Msg *msg)
{
    return number_at(msg, 5, 2);
}

static void put_string(P9Msg *msg, const char *string)
{
    size_t len = strlen(string);

    put_number(msg, len, 2);
    g_byte_array_append(msg->bytes, (const guint8 *)string, len);
}

static void put_qid(P9Msg *msg, const P9Qid *qid)
{
    put_number(msg, qid->type, 1);
    put_number(msg, qid->version, 4);
    put_number(msg, qid->path, 8);
}

static void put_data(P9Msg *msg, uint32_t len, const void *data)
{
    put_number(msg, len, 4);
    if (len) {
        g_byte_array_append(msg->bytes, data, len);
    }
}

void p9_pack(P9Msg *msg, const char *format, ...)
{
    va_list args;
    uint32_t len;

    va_start(args, format);
    for (; *format; format++) {
        switch (*format) {
        case 'b':
            put_number(msg, va_arg(args, int), 1);
            break;
        case 'w':
            put_number(msg, va_arg(args, int), 2);
            break;
        case 'd':
            put_number(msg, va_arg(args, uint32_t), 4);
            break;
        case 'q':
            put_number(msg, va_arg(args, uint64_t), 8);
            break;
        case 's':
            put_string(msg, va_arg(args, const char *));
            break;
        case 'Q':
            put_qid(msg, va_arg(args, const P9Qid *));
            break;
        case 'D':
            len = va_arg(args, uint32_t);
            put_data(msg, len, va_arg(args, const void *));
            break;
        default:
            g_assert_not_reached();
        }
    }
    va_end(args);
}

/* Where the next @len bytes are; NULL if there are not so many. */
static const uint8_t *take(P9Msg *msg, uint32_t len)
{
    const uint8_t *at = msg->bytes->data + msg->pos;

    if (msg->bad || len > msg->bytes->len - msg->pos) {
        msg->bad = true;
        return NULL;
    }
    msg->pos += len;
    return at;
}

static uint64_t get_number(P9Msg *msg, int size)
{
    uint32_t pos = msg->pos;

    return take(msg, size) ? number_at(msg, pos, size) : 0;
}

static void get_string(P9Msg *msg, char **string)
{
    uint16_t len = get_number(msg, 2);
    const uint8_t *at = take(msg, len);

    if (string) {
        *string = at ? g_strndup((const char *)at, len) : NULL;
    }
}

static void get_qid(P9Msg *msg, P9Qid *qid)
{
    P9Qid got;

    got.type = get_number(msg, 1);
    got.version = get_number(msg, 4);
    got.path = get_number(msg, 8);
    if (qid) {
        *qid = got;
    }
}

static void get_data(P9Msg *msg, uint32_t *len, const uint8_t **data)
{
    uint32_t count = get_number(msg, 4);
    const uint8_t *at = take(msg, count);

    if (len) {
        *len = at ? count : 0;
    }
    if (data) {
        *data = at;
    }
}

#define GET_NUMBER(type)                                \
    do {                                                \
        uint64_t value = get_number(msg, sizeof(type)); \
        type *to = va_arg(args, type *);                \
        if (to) {                                       \
            *to = value;                                \
        }                                               \
    } while (0)

bool p9_unpack(P9Msg *msg, const char *format, ...)
{
    uint32_t *len;
    va_list args;

    va_start(args, format);
    for (; *format; format++) {
        switch (*format) {
        case 'b':
            GET_NUMBER(uint8_t);
            break;
        case 'w':
            GET_NUMBER(uint16_t);
            break;
        case 'd':
            GET_NUMBER(uint32_t);
            break;
        case 'q':
            GET_NUMBER(uint64_t);
            break;
        case 's':
            get_string(msg, va_arg(args, char **));
            break;
        case 'Q':
            get_qid(msg, va_arg(args, P9Qid *));
            break;
        case 'D':
            len = va_arg(args, uint32_t *);
            get_data(msg, len, va_arg(args, const uint8_t **));
            break;
        default:
            g_assert_not_reached();
        }
    }
    va_end(args);
    return !msg->bad;
}
