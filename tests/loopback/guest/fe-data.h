/*
 * A 9pfs frontend: its data path, as a 9P transport
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPBACK_FE_DATA_H
#define LOOPBACK_FE_DATA_H

#include "fe.h"

extern const P9Transport fe_transport;

#endif
