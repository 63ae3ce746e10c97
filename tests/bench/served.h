/*
 * What a benchmark's folder holds, and what its bytes have to be
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BENCH_SERVED_H
#define BENCH_SERVED_H

#include <stdbool.h>
#include <stdint.h>

#define SERVED_READ     "read"          /* each word tells its offset */
#define SERVED_WRITTEN  "written"
#define SERVED_DIR      "many"
/* Folders that have a SERVED_READ, which is empty, and a SERVED_DIR, too. */
#define SERVED_DEEP_1   "1"
#define SERVED_DEEP_4   "1/2/3/4"
#define SERVED_DEEP_8   "1/2/3/4/5/6/7/8"
#define SERVED_SIZE     (64u << 20)     /* of both files */
#define SERVED_ENTRIES  1000            /* of the folder */

/* The word at @offset, a multiple of 8, of the file to be read. */
static inline uint64_t served_word(uint64_t offset)
{
    return (offset / 8 + 1) * 0x9e3779b97f4a7c15ull;
}

/*
 * served_make: make it all below @dir.
 * served_blank: the file to be written is all zeros again.
 * served_payload: what writer @writer writes, @len bytes. The first word is
 *     to be the offset plus one: served_stamp().
 * served_check: whether @len bytes read at @offset are right. All are
 *     looked at if @whole, else the first, the last and one between.
 * served_places: how many places of @step bytes the file to be written has
 *     for each of @writers; place n is writer (n % writers)'s.
 * served_check_written: whether @found of those places have been written,
 *     each with the @len bytes that it has to have.
 */
void served_make(const char *dir);
void served_blank(const char *dir);
void served_payload(uint8_t *data, uint32_t len, unsigned writer);
void served_stamp(uint8_t *data, uint64_t offset);
bool served_check(const uint8_t *data, uint32_t len, uint64_t offset,
                  bool whole);
uint64_t served_places(uint32_t step, unsigned writers);
bool served_check_written(const char *dir, uint32_t len, uint32_t step,
                          unsigned writers, uint64_t found);

#endif
