/* SPDX-License-Identifier: BSD-3-Clause */
/* udp.c - the context of a worker, what ends a connection from outside: latches and ICMP. */
#include "stack/udp/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "stack/base/assert.h"
#include "stack/udp/udp_int.h"

/* Padding, trailer and ICV of the largest suite, and the zeros of a last word. */
enum { ESP_TAIL_MAX = 64, BUF_BYTES = 212992, WAITING_SHARE = 4 };

void
udp_conf_default(struct udp_conf *c)
{
	*c = (struct udp_conf){.sndbuf_bytes = BUF_BYTES, .rcvbuf_bytes = BUF_BYTES};
}

int
udp_create(struct lcore *lc, const struct udp_conf *conf)
{
	struct udp_ctx *c = calloc(1, sizeof(*c));
	uint32_t room = rte_pktmbuf_data_room_size(lc->pkt_pool);
	char name[RTE_MEMPOOL_NAMESIZE];

	if (c == NULL)
		return -ENOMEM;
	/* The address of a live worker is unique in the process. */
	snprintf(name, sizeof(name), "udp_%p", (void *)lc);
	c->pcbs = rte_mempool_create(name, conf->max_pcbs, sizeof(struct udp_pcb), 0, 0, NULL, NULL,
		NULL, NULL, SOCKET_ID_ANY, RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET);
	if (c->pcbs == NULL) {
		free(c);
		return -rte_errno;
	}
	c->conf = *conf;
	c->payload_max = RTE_MIN(
		(uint32_t)UDP_PAYLOAD_MAX, room - RTE_PKTMBUF_HEADROOM - UDP_HLEN - ESP_TAIL_MAX);
	c->waiting_max = lc->pkt_pool->size / WAITING_SHARE;
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->out);
	for (uint32_t i = 0; i < UDP_BOUND_BUCKETS; i++)
		LIST_INIT(&c->bound[i]);
	lc->udp = c;
	latch_set_owner(lc, IPPROTO_N_UDP, udp_latch_alert);
	return 0;
}

void
udp_destroy(struct lcore *lc)
{
	struct udp_ctx *c = lc->udp;

	if (c == NULL)
		return;
	tl_assert(TAILQ_EMPTY(&c->all)); /* the sockets were closed before */
	tl_assert(c->waiting == 0);
	pkt_queue_drop(lc, &c->left, DROP_PORT_CLOSED);
	rte_mempool_free(c->pcbs);
	free(c);
	lc->udp = NULL;
}

void
udp_set_state(struct udp_pcb *pcb, enum udp_state to)
{
	static const bool legal[3][3] = {
		/* clang-format off */
		/*                 OPEN   CONNECTED ENDED */
		[UDP_OPEN]      = {true,  true,     false},
		[UDP_CONNECTED] = {true,  false,    true},
		[UDP_ENDED]     = {true,  false,    false},
		/* clang-format on */
	};

	tl_assert(legal[pcb->state][to]);
	pcb->state = (uint8_t)to;
}

void
udp_wake(struct lcore *lc, struct udp_pcb *pcb)
{
	sock_wake(lc, pcb->s);
}

bool
udp_local_covers(const struct ip_addr *bound, bool v6only, const struct ip_addr *a)
{
	if (!ip_addr_is_any(bound))
		return ip_addr_eq(bound, a);
	if (ip_addr_is_v4(bound))
		return ip_addr_is_v4(a);
	return !v6only || !ip_addr_is_v4(a);
}

/*
 * D-4, D-5: a datagram has no reset, so the program is told once, and nothing of the 5-tuple goes
 * anywhere until it connects anew. What waited is not read: the error comes before any byte (G-15).
 */
static void
end(struct lcore *lc, struct udp_pcb *pcb)
{
	pcb->s->so_error = latch_errno(&pcb->latch, ECONNRESET);
	udp_snd_drop(lc, pcb);
	buf_clear(lc, &pcb->rcv);
	udp_set_state(pcb, UDP_ENDED);
	latch_release(lc, &pcb->latch);
}

/* B.3, the column of connected UDP. What waits to leave is dropped while the latch says so. */
void
udp_latch_alert(struct lcore *lc, struct latch *l, enum latch_act act)
{
	struct udp_pcb *pcb = container_of(l, struct udp_pcb, latch);

	if (act == LATCH_ACT_NONE)
		return;
	if (act == LATCH_ACT_RESET)
		end(lc, pcb);
	else if (act == LATCH_ACT_SOFT)
		pcb->s->so_error = EHOSTUNREACH;
	udp_wake(lc, pcb);
}

/*
 * RFC 1122 s4.1.3.3: an error is passed to the program. Routers have nothing to say about the size
 * of IPv4 datagrams, which never have DF.
 */
bool
udp_icmp(struct lcore *lc, const struct flow_key *k, enum udp_icmp kind)
{
	struct flow_ent *fe = flow_find(lc, k);
	struct udp_pcb *pcb;

	if (fe == NULL || k->proto != IPPROTO_N_UDP)
		return false;
	pcb = container_of(fe, struct udp_pcb, fe);
	if (kind == UDP_ICMP_TOOBIG)
		return !ip_addr_is_v4(&k->remote);
	if (kind == UDP_ICMP_HARD)
		pcb->s->so_error = ECONNREFUSED;
	else
		pcb->s->soft_error = EHOSTUNREACH;
	udp_wake(lc, pcb);
	return true;
}

uint32_t
udp_pcbs_in_use(const struct lcore *lc)
{
	return lc->udp->nb;
}

void
udp_foreach(struct lcore *lc, void (*fn)(const struct udp_row *i, void *arg), void *arg)
{
	static const char *const names[] = {"OPEN", "CONNECTED", "ENDED"};
	const struct udp_pcb *pcb;

	TAILQ_FOREACH (pcb, &lc->udp->all, all) {
		struct udp_row i = {
			.key = pcb->fe.key,
			.state = names[pcb->state],
			.latch = pcb->state == UDP_OPEN ? NULL : &pcb->latch,
			.sndq_bytes = pcb->snd_bytes,
			.rcvq_bytes = buf_len(&pcb->rcv),
		};

		fn(&i, arg);
	}
}
