/*
 * Stands in for QEMU's header of this name, see qemu/osdep.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include <xen/io/ring.h>
