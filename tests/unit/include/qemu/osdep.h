/*
 * Stands in for QEMU's header of this name, so that pure sources of
 * hw/9pfs/ compile into tests without a QEMU tree.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef QEMU_OSDEP_H
#define QEMU_OSDEP_H

#include <assert.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define ARRAY_SIZE(x) G_N_ELEMENTS(x)
#define QEMU_BUILD_BUG_ON(x) _Static_assert(!(x), "not expecting: " #x)

#endif
