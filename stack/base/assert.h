/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * assert.h - invariants of our own code, never of anything that a peer can send.
 *
 * Debug and test builds abort; a release build does not look. Where going on would hurt, the code
 * beside the assertion handles the case too.
 */
#ifndef TL_BASE_ASSERT_H
#define TL_BASE_ASSERT_H

#include <rte_branch_prediction.h>
#include <rte_debug.h>

#ifdef TL_DEBUG
#define tl_assert(cond)                                                                            \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			rte_panic("%s:%d: tl_assert(%s)\n", __FILE__, __LINE__, #cond);            \
	} while (0)
#else
#define tl_assert(cond) ((void)sizeof(!(cond)))
#endif

#endif
