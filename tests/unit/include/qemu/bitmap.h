/*
 * Stands in for QEMU's header of this name.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QEMU_BITMAP_H
#define QEMU_BITMAP_H

#define WORD_BITS   (8 * sizeof(unsigned long))

#define DECLARE_BITMAP(name, bits) \
    unsigned long name[((bits) + WORD_BITS - 1) / WORD_BITS]

static inline void bitmap_zero(unsigned long *map, long bits)
{
    memset(map, 0, (bits + 7) / 8);
}

static inline void set_bit(long bit, unsigned long *map)
{
    map[bit / WORD_BITS] |= 1UL << bit % WORD_BITS;
}

static inline void clear_bit(long bit, unsigned long *map)
{
    map[bit / WORD_BITS] &= ~(1UL << bit % WORD_BITS);
}

static inline int test_bit(long bit, const unsigned long *map)
{
    return map[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

#endif
