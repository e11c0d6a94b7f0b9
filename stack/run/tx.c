/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tx.c - the transmit path: from a burst of L4 packets to the ports' burst buffers.
 *
 * Called by loop_once() while the ports have room. Order is written here only.
 */
#include "esp/esp.h"
#include "stack/base/stage.h"
#include "stack/net/eth.h"
#include "stack/net/ip.h"
#include "stack/run/capture.h"
#include "stack/run/run.h"

void
tx_path(struct lcore *lc, struct pkt_vec *v)
{
	spd_out(lc, v); /* tag -> SA, BYPASS or drop; RFC 4301 s5.1 */
	stage_end(lc, STAGE_SPD_OUT);
	if (unlikely(lc->capture != NULL))
		capture_out(lc, v);
	ip_out_inner(lc, v); /* tunnel mode only: the header that will be hidden */
	esp_out(lc, v);      /* skips what spd_out marked BYPASS */
	stage_end(lc, STAGE_ESP_OUT);
	ip_out(lc, v); /* the header that the wire sees; route, fragment */
	stage_end(lc, STAGE_IP_OUT);
	eth_out(lc, v); /* neighbour, MAC; onto the port's burst buffer */
	stage_end(lc, STAGE_ETH_OUT);
}

void
tx_ready(struct lcore *lc, struct pkt_vec *v)
{
	if (unlikely(lc->capture != NULL))
		capture_out(lc, v);
	eth_out(lc, v);
}
