/* SPDX-License-Identifier: BSD-3-Clause */
/* except_int.h - what the two files of the exception path share. */
#ifndef TL_RUN_EXCEPT_INT_H
#define TL_RUN_EXCEPT_INT_H

#include "stack/run/except.h"

/* Reads what the kernel sent and sends it on. Returns how many packets. */
uint32_t except_read(struct lcore *lc, struct except_if *x);

#endif
