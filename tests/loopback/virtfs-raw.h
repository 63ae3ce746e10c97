/*
 * Virtfs transactions slot by slot, as no sane frontend would make them
 *
 * On ring 0 of device 0 of an attack, which nobody else uses meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_VIRTFS_RAW_H
#define LOOPBACK_VIRTFS_RAW_H

#include "attack.h"

/* Of raw_wait(): there is no answer; it is not an answer to this. */
#define RAW_NONE   1000
#define RAW_WRONG  1001

/* How long an answer may take, retries included. */
#define RAW_MS     2000

#define RAW_READ   0
#define RAW_WRITE  XEN_VIRTFSF_WRITE

/* A transaction in the making. */
typedef struct Raw {
    Attack *a;
    VRing *ring;
    uint16_t id;
    uint16_t flags;             /* of all slots that follow */
    GPtrArray *pages;           /* VPage * */
    GArray *segs;               /* VSegment, of what was added */
    GArray *slots;              /* struct xen_virtfsif_request */
} Raw;

/*
 * raw_new: nothing yet.
 * raw_free: end all grants and free it; fails the test if one is in use.
 * raw_page: a page of it.
 * raw_slot: add a slot, with MORE; @flags are RAW_READ or RAW_WRITE and any
 *     others.
 * raw_segment: add a segment of @size bytes at @offset of a page of its own;
 *     returns where it is.
 * raw_split: add segments for @len bytes, each of at most @max bytes at some
 *     odd offset; with @data they hold that.
 * raw_describe: turn the segments that were added from slot @from on into
 *     one indirect slot.
 * raw_gather: what the segments for the backend to write have, in order.
 */
Raw *raw_new(Attack *a);
void raw_free(Raw *raw);
VPage *raw_page(Raw *raw, bool readonly);
void raw_slot(Raw *raw, uint16_t flags, grant_ref_t ref, uint16_t offset,
              uint16_t size);
uint8_t *raw_segment(Raw *raw, uint16_t flags, uint16_t offset,
                     uint16_t size);
void raw_split(Raw *raw, uint16_t flags, const uint8_t *data, uint32_t len,
               uint32_t max);
VPage *raw_describe(Raw *raw, unsigned from);
GByteArray *raw_gather(Raw *raw);

/*
 * raw_put: write its slots, the last without MORE.
 * raw_send: the same, publish and notify.
 * raw_wait: for its responses; their status, if they are as they should be.
 * raw_run: raw_send() and raw_wait().
 * raw_expect: raw_run(), and the status has to be @status.
 */
void raw_put(Raw *raw);
void raw_send(Raw *raw);
int raw_wait(Raw *raw, int timeout_ms);
int raw_run(Raw *raw);
void raw_expect(Raw *raw, int status);

/* Requests, whose reply everybody knows: Rlerror, or bytes of "data". */
#define RAW_CLUNK_SIZE 11
#define RAW_READ_SIZE  23
void raw_clunk(uint8_t message[RAW_CLUNK_SIZE]);
void raw_read(uint8_t message[RAW_READ_SIZE], uint64_t offset,
              uint32_t count);

/* raw_check_read: the reply to such a read, of exactly these bytes. */
void raw_check_read(Raw *raw, uint64_t offset, uint32_t count);

/*
 * raw_new_read: of "data", with buffers in pieces of up to @max bytes.
 * raw_new_write: of @count times @fill.
 * raw_keep: its pages stay granted when it is freed, as persistent ones do.
 */
Raw *raw_new_read(Attack *a, uint16_t flags, uint64_t offset, uint32_t count,
                  uint32_t max);
Raw *raw_new_write(Attack *a, uint16_t flags, uint64_t offset, uint32_t count,
                   uint32_t max, uint8_t fill);
static inline void raw_keep(Raw *raw)
{
    g_ptr_array_set_size(raw->pages, 0);
}

/*
 * raw_end_all: end all grants that are not in use.
 * raw_down_persistent: attack_down() where such grants have been left behind:
 *     none is in use once the device is closed.
 */
void raw_end_all(Attack *a);
void raw_down_persistent(Attack *a);

#endif
