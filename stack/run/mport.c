/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mport.c - the memory port: frames from and to two functions of the program.
 *
 * With `exact` every frame lies in a heap block of exactly its size, so that a sanitizer sees any
 * access beyond it.
 */
#include <stdlib.h>

#include "stack/run/run.h"

enum { MPORT_FRAME_MAX = 9216 + 64 };

static void
block_free(void *addr, void *opaque)
{
	(void)addr;
	free(opaque);
}

static bool
attach_exact(struct rte_mbuf *m, const uint8_t *frame, size_t len)
{
	struct rte_mbuf_ext_shared_info *info = malloc(sizeof(*info) + len);
	uint8_t *bytes = (uint8_t *)(info + 1);

	if (info == NULL)
		return false;
	info->free_cb = block_free;
	info->fcb_opaque = info;
	rte_mbuf_ext_refcnt_set(info, 1);
	memcpy(bytes, frame, len);
	rte_pktmbuf_attach_extbuf(m, bytes, (rte_iova_t)(uintptr_t)bytes, (uint16_t)len, info);
	m->data_off = 0;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return true;
}

static bool
fill(struct rte_mbuf *m, const struct conf_port *cp, const uint8_t *frame, size_t len)
{
	char *to;

	if (cp->exact)
		return attach_exact(m, frame, len);
	to = rte_pktmbuf_append(m, (uint16_t)len);
	if (to == NULL)
		return false;
	memcpy(to, frame, len);
	return true;
}

static uint16_t
mport_rx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	const struct conf_port *cp = p->ctx;
	uint8_t frame[MPORT_FRAME_MAX];
	uint16_t got = 0;

	for (uint16_t taken = 0; taken < n; taken++) {
		size_t len = cp->mport->ops->rx(cp->mport->ctx, lc->id, frame, sizeof(frame));
		struct rte_mbuf *pkt;

		if (len == 0)
			break;
		pkt = pkt_alloc(lc);
		if (pkt == NULL) {
			lc->stat.drop[DROP_NOBUF]++;
			continue;
		}
		if (!fill(pkt, cp, frame, len)) {
			pkt_drop(lc, pkt, DROP_NOBUF);
			continue;
		}
		m[got++] = pkt;
	}
	return got;
}

static uint16_t
mport_tx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	const struct conf_port *cp = p->ctx;
	uint8_t copy[MPORT_FRAME_MAX];

	for (uint16_t i = 0; i < n; i++) {
		const void *bytes = rte_pktmbuf_read(m[i], 0, m[i]->pkt_len, copy);

		if (!cp->mport->ops->tx(cp->mport->ctx, lc->id, bytes, m[i]->pkt_len))
			return i;
		rte_pktmbuf_free(m[i]);
	}
	return n;
}

const struct port_ops mport_ops = {.rx = mport_rx, .tx = mport_tx};
