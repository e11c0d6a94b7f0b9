/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_cc.c - the congestion control algorithms by name. */
#include "tcp/tcp_cc.h"

#include <string.h>
#include <rte_common.h>

/* In the order of the configuration's choices. */
static const struct tcp_cc_ops *const all[] = {
	&tcp_cc_newreno, &tcp_cc_cubic, &tcp_cc_dctcp, &tcp_cc_bbr};

const struct tcp_cc_ops *
tcp_cc_nth(uint32_t n)
{
	return all[RTE_MIN(n, (uint32_t)RTE_DIM(all) - 1)];
}

const struct tcp_cc_ops *
tcp_cc_find(const char *name)
{
	/* Linux's name for it, which programs use. */
	if (strcmp(name, "reno") == 0)
		return &tcp_cc_newreno;
	for (uint32_t i = 0; i < RTE_DIM(all); i++) {
		if (strcmp(name, all[i]->name) == 0)
			return all[i];
	}
	return NULL;
}
