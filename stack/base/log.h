/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - one run-time log type for each module: --log-level=tl.tcp:debug.
 *
 * Control path and state changes only; the packet path counts, but for the audit lines of latches,
 * of which there are a few in a second. Never key material.
 */
#ifndef TL_BASE_LOG_H
#define TL_BASE_LOG_H

#include <rte_common.h>
#include <rte_log.h>

/* A macro because it defines the file's constructor: several files of a module share one type. */
#define LOG_MODULE(mod, level)                                                                     \
	static int log_type_;                                                                      \
	RTE_INIT(log_type_init_)                                                                   \
	{                                                                                          \
		log_type_ = rte_log_register_type_and_pick_level("tl." #mod, RTE_LOG_##level);     \
	}                                                                                          \
	struct log_module_needs_semicolon_

#define LOG(level, fmt, ...)                                                                       \
	rte_log(RTE_LOG_##level, (uint32_t)log_type_, "taglatch: " fmt "\n", ##__VA_ARGS__)

#endif
