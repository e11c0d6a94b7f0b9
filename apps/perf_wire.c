/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_wire.c - the bare port: how many frames a second its device moves without a stack.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "apps/common.h"
#include "apps/perf.h"

enum { WIRE_MBUFS = 8191, WIRE_BURST = 32, WIRE_DESC = 512 };

static volatile sig_atomic_t stop_now;

static void
on_signal(int sig)
{
	(void)sig;
	stop_now = 1;
}

static struct rte_mempool *
start(uint16_t port, uint32_t mtu)
{
	struct rte_eth_conf conf = {0};
	struct rte_mempool *mp = rte_pktmbuf_pool_create("wire", WIRE_MBUFS, 256, 0,
		(uint16_t)(RTE_PKTMBUF_HEADROOM + RTE_MAX(mtu + 256, 2048u)), SOCKET_ID_ANY);

	if (mp == NULL || rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(port, 0, WIRE_DESC, 0, NULL, mp) != 0 ||
		rte_eth_tx_queue_setup(port, 0, WIRE_DESC, 0, NULL) != 0 ||
		rte_eth_dev_start(port) != 0)
		return NULL;
	return mp;
}

static uint16_t
send_burst(uint16_t port, struct rte_mempool *mp, uint16_t frame)
{
	struct rte_mbuf *m[WIRE_BURST];
	uint16_t sent;

	if (rte_pktmbuf_alloc_bulk(mp, m, WIRE_BURST) != 0)
		return 0;
	for (int i = 0; i < WIRE_BURST; i++)
		rte_pktmbuf_append(m[i], frame);
	sent = rte_eth_tx_burst(port, 0, m, WIRE_BURST);
	rte_pktmbuf_free_bulk(m + sent, (unsigned int)(WIRE_BURST - sent));
	return sent;
}

static uint16_t
receive_burst(uint16_t port)
{
	struct rte_mbuf *m[WIRE_BURST];
	uint16_t n = rte_eth_rx_burst(port, 0, m, WIRE_BURST);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}

int
perf_wire(const struct tl_conf *c, const struct perf_opts *o, bool send)
{
	uint16_t frame = (uint16_t)(o->mtu_bytes + 14);
	uint64_t hz, first = 0, last = 0, end, packets = 0;
	struct tl_error e = {""};
	struct rte_mempool *mp;
	double s;

	if (tl_eal_init(c, &e) != 0)
		die_config(&e);
	mp = rte_eth_dev_count_avail() == 0 ? NULL : start(0, o->mtu_bytes);
	if (mp == NULL) {
		fprintf(stderr, "tl-perf wire: the port does not start\n");
		return 1;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	hz = rte_get_tsc_hz();
	end = rte_rdtsc() + hz * (o->seconds + 5);
	while (!stop_now && rte_rdtsc() < end) {
		uint16_t n = send ? send_burst(0, mp, frame) : receive_burst(0);

		if (n == 0)
			continue;
		last = rte_rdtsc();
		if (first == 0)
			first = last;
		packets += n;
		if (last - first > hz * o->seconds)
			break;
	}
	s = (double)(last - first) / (double)hz;
	printf(o->json ? "{\"wire\": \"%s\", \"frame\": %u, \"packets\": %lu, \"seconds\": %.3f, "
			 "\"gbit_s\": %.3f, \"cycles_per_packet\": %.0f}\n"
		       : "wire %s: %u-byte frames, %lu packets in %.3f s, %.3f Gbit/s, "
			 "%.0f cycles/packet\n",
		send ? "send" : "receive", frame, (unsigned long)packets, s,
		s > 0 ? (double)packets * frame * 8 / s / 1e9 : 0,
		packets > 0 ? s * (double)hz / (double)packets : 0);
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	return packets > 0 ? 0 : 1;
}
