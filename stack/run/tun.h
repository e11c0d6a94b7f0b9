/* SPDX-License-Identifier: BSD-3-Clause */
/* tun.h - a TUN interface of the host's kernel: IP packets by a file descriptor. */
#ifndef TL_RUN_TUN_H
#define TL_RUN_TUN_H

#include <stdint.h>

#include "stack/base/port.h"

enum { TUN_NAME_LEN = 16 };

/* Makes the interface, or attaches to a persistent one. Returns a non-blocking fd or -errno. */
int tun_open(const char *name);

/* MTU, then up. Returns 0 or -errno. */
int tun_up(const char *name, uint16_t mtu_bytes);

/* Gives it an address; one that it has is fine. Returns 0 or -errno. */
int tun_add_addr(const char *name, const struct port_addr *a);

#endif
