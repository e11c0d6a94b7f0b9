/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_info.h - TCP_INFO; apart, because its header and the library's do not go together. */
#ifndef TL_TCP_TCP_INFO_H
#define TL_TCP_TCP_INFO_H

#include "tcp/tcp_int.h"

/* Fills val with struct tcp_info of <linux/tcp.h>, cut to *len. Returns 0. */
int tcp_info_get(const struct lcore *lc, const struct tcp_pcb *pcb, void *val, socklen_t *len);

#endif
