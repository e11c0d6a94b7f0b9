/* SPDX-License-Identifier: BSD-3-Clause */
/* tables.h - the tables of a stack's state as rows, for what shows them. Private to stack/ctl. */
#ifndef TL_CTL_TABLES_H
#define TL_CTL_TABLES_H

#include "stack/ctl/table.h"
#include "stack/include/tl.h"

/* The name of table i, NULL behind the last. */
const char *ctl_table_name(uint32_t i);

/* Fills *t, which the caller frees by table_free(). Takes the lock of the control context. Returns
 * 0 or -ENOENT. */
int ctl_table(struct tl_stack *s, const char *what, struct table *t);

#endif
