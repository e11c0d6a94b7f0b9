/* SPDX-License-Identifier: BSD-3-Clause */
/* stage.c - the names of the stages. */
#include "stack/base/stage.h"

const char *
stage_name(enum stage s)
{
	static const char *const names[STAGE_MAX] = {
		[STAGE_PORT_RX] = "port_rx",
		[STAGE_ETH_IN] = "eth_in",
		[STAGE_IP_IN] = "ip_in",
		[STAGE_ESP_IN] = "esp_in",
		[STAGE_LATCH_IN] = "latch_in",
		[STAGE_TCP_IN] = "tcp_in",
		[STAGE_OTHER_IN] = "other_in",
		[STAGE_TIMERS] = "timers",
		[STAGE_PROGRAM] = "program",
		[STAGE_TCP_OUT] = "tcp_out",
		[STAGE_SPD_OUT] = "spd_out",
		[STAGE_ESP_OUT] = "esp_out",
		[STAGE_IP_OUT] = "ip_out",
		[STAGE_ETH_OUT] = "eth_out",
		[STAGE_PORT_TX] = "port_tx",
	};

	return (unsigned int)s < STAGE_MAX ? names[s] : "?";
}
