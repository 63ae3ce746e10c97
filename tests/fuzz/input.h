/*
 * A fuzzer's input, taken from the front; past its end there are zeros
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Input {
    const uint8_t *data;
    size_t left;
} Input;

static inline void input_take(Input *in, void *buf, size_t len)
{
    size_t have = len < in->left ? len : in->left;

    /* Neither function takes a null pointer, even for no bytes. */
    if (len) {
        memset(buf, 0, len);
    }
    if (have) {
        memcpy(buf, in->data, have);
    }
    in->data += have;
    in->left -= have;
}

static inline uint8_t input_u8(Input *in)
{
    uint8_t value;

    input_take(in, &value, sizeof(value));
    return value;
}

static inline uint16_t input_u16(Input *in)
{
    uint16_t value;

    input_take(in, &value, sizeof(value));
    return value;
}

static inline uint32_t input_u32(Input *in)
{
    uint32_t value;

    input_take(in, &value, sizeof(value));
    return value;
}

#endif
