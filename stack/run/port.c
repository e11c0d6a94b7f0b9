/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.c - ports: DPDK queues, one pair for each worker, and the burst buffers.
 *
 * Stage 0 of the receive path and the last of the transmit path.
 */
#include <errno.h>
#include <stdlib.h>
#include <rte_ethdev.h>

#include "stack/base/log.h"
#include "stack/net/nd.h"
#include "stack/run/run.h"

LOG_MODULE(port, NOTICE);

enum {
	PORT_DESC = 512,
	/* All or nothing: who sends partial checksums may send large segments too. */
	TX_OFFLOAD = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |
		     RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
	RX_OFFLOAD = RTE_ETH_RX_OFFLOAD_TCP_CKSUM,
};

void
port_rx(struct lcore *lc, struct port *p, struct pkt_vec *v)
{
	uint64_t bytes = 0;

	v->n = p->ops->rx(lc, p, v->m, PKT_BURST);
	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];
		struct pkt_meta *pm = pkt_meta(m);

		if (i + 1 < v->n)
			rte_prefetch0(pkt_meta(v->m[i + 1]));
		rte_prefetch0(pkt_data(m, 0));
		pkt_tag_clear(lc, m); /* F-5, F-6: a sender's flag survives some drivers */
		pkt_meta_init(pm);
		pm->port = p->index;
		pm->key.realm = p->realm;
		if (unlikely(p->offload) &&
			(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
			pm->flags |= PKT_F_CSUM_OK;
		bytes += m->pkt_len;
	}
	lc_count_n(lc, ST_RX_BYTES, bytes);
	lc_count_n(lc, ST_RX_PKTS, v->n);
}

static void
flush_one(struct lcore *lc, struct port *p)
{
	uint64_t bytes = 0;
	uint32_t len[PORT_TX_BUF];
	uint16_t sent;

	if (p->nb_tx == 0)
		return;
	for (uint32_t i = 0; i < p->nb_tx; i++)
		len[i] = p->tx[i]->pkt_len;
	sent = p->ops->tx(lc, p, p->tx, (uint16_t)p->nb_tx);
	for (uint32_t i = 0; i < sent; i++)
		bytes += len[i];
	memmove(p->tx, p->tx + sent, (p->nb_tx - sent) * sizeof(p->tx[0]));
	p->nb_tx -= sent;
	if (sent > 0)
		p->progress_ns = lc->now_ns;
	p->is_stuck = p->nb_tx == PORT_TX_BUF && lc->now_ns - p->progress_ns > PORT_STUCK_NS;
	lc_count_n(lc, ST_TX_PKTS, sent);
	lc_count_n(lc, ST_TX_BYTES, bytes);
}

void
port_flush(struct lcore *lc)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++)
		flush_one(lc, lc->port[i]);
}

static uint16_t
dpdk_rx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	(void)lc;
	return rte_eth_rx_burst(p->dpdk_id, p->queue, m, n);
}

static uint16_t
dpdk_tx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	if (unlikely(p->offload)) {
		n = rte_eth_tx_prepare(p->dpdk_id, p->queue, m, n);
		/* Nothing can be done for the first one: it left in so far as it is gone. */
		if (n == 0) {
			pkt_drop(lc, m[0], DROP_TX_OFFLOAD);
			return 1;
		}
	}
	return rte_eth_tx_burst(p->dpdk_id, p->queue, m, n);
}

static uint16_t
none_rx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	(void)lc;
	(void)p;
	(void)m;
	(void)n;
	return 0;
}

static const struct port_ops dpdk_ops = {.rx = dpdk_rx, .tx = dpdk_tx};
/* A worker beyond the port's receive queues only sends. */
static const struct port_ops dpdk_tx_ops = {.rx = none_rx, .tx = dpdk_tx};

static int
queues_setup(struct tl_stack *s, uint16_t id, uint16_t nb_rx, uint16_t nb_tx)
{
	int rc, socket = rte_eth_dev_socket_id(id);
	unsigned int numa = socket < 0 ? 0 : (unsigned int)socket;

	for (uint16_t q = 0; q < nb_rx; q++) {
		rc = rte_eth_rx_queue_setup(id, q, PORT_DESC, numa, NULL, s->lc[q]->pkt_pool);
		if (rc != 0)
			return rc;
	}
	for (uint16_t q = 0; q < nb_tx; q++) {
		rc = rte_eth_tx_queue_setup(id, q, PORT_DESC, numa, NULL);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
device_start(struct tl_stack *s, const struct conf_port *cp, uint16_t id, uint16_t *nb_rx,
	struct tl_error *e)
{
	uint16_t workers = (uint16_t)s->conf.workers;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int rc;

	rc = rte_eth_dev_info_get(id, &info);
	if (rc != 0)
		return conf_fail(
			e, NULL, "[port %s]: no device information (%s)", cp->name, strerror(-rc));
	if (info.max_tx_queues < workers)
		return conf_fail(e, NULL,
			"[port %s]: %u workers need as many transmit queues, the device has %u; "
			"lower "
			"[stack] workers or give the device more queues",
			cp->name, workers, info.max_tx_queues);
	*nb_rx = workers < info.max_rx_queues ? workers : info.max_rx_queues;
	if (*nb_rx > 1 && (info.flow_type_rss_offloads & RTE_ETH_RSS_IP) != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			info.flow_type_rss_offloads &
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_ESP);
	}
	if (cp->offload && ((info.tx_offload_capa & TX_OFFLOAD) != TX_OFFLOAD ||
				   (info.rx_offload_capa & RX_OFFLOAD) != RX_OFFLOAD))
		return conf_fail(e, NULL,
			"[port %s] offload: the device (%s) does not cut segments and complete "
			"checksums; leave the key out",
			cp->name, info.driver_name);
	if (cp->offload) {
		conf.txmode.offloads = TX_OFFLOAD;
		conf.rxmode.offloads = RX_OFFLOAD;
	}
	rc = rte_eth_dev_configure(id, *nb_rx, workers, &conf);
	if (rc == 0)
		rc = queues_setup(s, id, *nb_rx, workers);
	if (rc == 0)
		rc = rte_eth_dev_start(id);
	if (rc != 0)
		return conf_fail(e, NULL, "[port %s]: the device does not start (%s)", cp->name,
			strerror(-rc));
	/* Neighbour discovery asks by multicast (RFC 4861 s7.2.1). */
	if (cp->ip6 && rte_eth_allmulticast_enable(id) != 0)
		LOG(WARNING, "port %s: the device does not promise to receive multicast", cp->name);
	/* Some virtual devices have no MTU of their own: what they refuse here does no harm. */
	if (rte_eth_dev_set_mtu(id, cp->mtu_bytes) != 0)
		LOG(INFO, "port %s: the device keeps its own MTU", cp->name);
	return 0;
}

/* The name under which EAL knows the device: the part of "net_x0,args" before the comma. */
static int
device_find(const struct conf_port *cp, uint16_t *id, struct tl_error *e)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(cp->device, ","), cp->device);
	if (rte_eth_dev_get_port_by_name(name, id) == 0)
		return 0;
	return conf_fail(e, NULL,
		"[port %s] device: DPDK has no port \"%s\"; check its arguments, and that the "
		"interface or socket it names exists",
		cp->name, name);
}

/* RFC 4291 s2.8: every port that speaks IPv6 has a link-local address; one may be configured. */
static void
add_link_local(struct port *p)
{
	bool has_one = !p->ip6;

	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		ip_addr_set_scope(&p->addr[i].addr, p->index);
		has_one |= ip_addr_is_link_local(&p->addr[i].addr);
	}
	if (!has_one)
		p->addr[p->nb_addrs++] =
			(struct port_addr){.addr = nd_link_local(&p->mac, p->index), .plen = 64};
}

static struct port *
port_new(struct lcore *lc, const struct conf_port *cp, uint32_t index)
{
	struct port *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	snprintf(p->name, sizeof(p->name), "%.31s", cp->name);
	p->index = (uint8_t)index;
	p->mac = cp->mac;
	p->mtu_bytes = cp->mtu_bytes;
	p->vlan = cp->vlan;
	p->realm = cp->realm;
	p->bare_ip = cp->bare_ip;
	p->nb_addrs = (uint8_t)cp->nb_addrs;
	p->ip6 = cp->ip6;
	p->dad = !cp->no_dad;
	p->accept_ra = cp->accept_ra;
	p->offload = cp->mport == NULL && cp->offload;
	lc->offload = p->offload && (index == 0 || lc->offload);
	memcpy(p->addr, cp->addr, sizeof(p->addr));
	add_link_local(p);
	p->queue = lc->id;
	lc->port[index] = p;
	return p;
}

/* A locally administered address made of the first IP address, for ports that have none. */
static void
default_mac(struct conf_port *cp)
{
	cp->mac.addr_bytes[0] = 0x02;
	if (cp->nb_addrs > 0)
		memcpy(cp->mac.addr_bytes + 2, &cp->addr[0].addr.w[3], 4);
	else
		rte_eth_random_addr(cp->mac.addr_bytes);
}

int
port_open(struct tl_stack *s, uint32_t index, struct tl_error *e)
{
	struct conf_port *cp = &s->conf.port[index];
	uint16_t id = 0, nb_rx = 0;
	int rc = 0;

	if (cp->mport == NULL) {
		rc = device_find(cp, &id, e);
		if (rc == 0)
			rc = device_start(s, cp, id, &nb_rx, e);
		if (rc != 0)
			return rc;
		if (!cp->has_mac)
			rte_eth_macaddr_get(id, &cp->mac);
	} else if (!cp->has_mac) {
		default_mac(cp);
	}
	for (uint32_t w = 0; w < s->conf.workers; w++) {
		struct port *p = port_new(s->lc[w], cp, index);

		if (p == NULL)
			return conf_fail(e, NULL, "out of memory");
		p->dpdk_id = id;
		p->ctx = cp;
		p->ops = cp->mport != NULL ? &mport_ops : w < nb_rx ? &dpdk_ops : &dpdk_tx_ops;
		s->lc[w]->nb_ports = (uint16_t)(index + 1);
	}
	return 0;
}

void
port_close(struct tl_stack *s, uint32_t index)
{
	const struct conf_port *cp = &s->conf.port[index];
	bool opened = false;

	for (uint32_t w = 0; w < s->conf.workers; w++) {
		struct lcore *lc = s->lc[w];
		struct port *p = lc == NULL ? NULL : lc->port[index];

		if (p == NULL)
			continue;
		for (uint32_t i = 0; i < p->nb_tx; i++)
			pkt_drop(lc, p->tx[i], DROP_PORT_CLOSED);
		if (cp->mport == NULL && !opened) {
			rte_eth_dev_stop(p->dpdk_id);
			rte_eth_dev_close(p->dpdk_id);
		}
		opened = true;
		free(p);
		lc->port[index] = NULL;
	}
}
