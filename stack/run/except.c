/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * except.c - packets to the host's kernel: which they are, their queue, the interface.
 *
 * Called by rx_path() at two places; what the kernel sends is the business of except_out.c.
 */
#include "stack/run/except.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "stack/run/capture.h"
#include "stack/run/except_int.h"
#include "stack/run/plain.h"
#include "stack/run/tun.h"

enum {
	PORT_IKE = 500,
	PORT_NATT = 4500,
	UDP_HLEN = 8,
	MARKER_BYTES = 4, /* RFC 3948 s2.2 */
	PACKET_MAX = 65535 + PLAIN_HLEN_MAX,
};

static bool
is_listed(const struct conf_list *l, uint16_t n)
{
	for (uint32_t i = 0; i < l->n; i++) {
		if (l->v[i] == n)
			return true;
	}
	return false;
}

/* RFC 3948 s2.2; one byte is a keepalive (s2.3), which only goes out. */
static enum except_kind
natt_kind(const uint8_t *l4, uint32_t len)
{
	static const uint8_t marker[MARKER_BYTES];

	if (len == UDP_HLEN + 1)
		return EXCEPT_IKE;
	if (len < UDP_HLEN + MARKER_BYTES)
		return EXCEPT_NOT;
	return memcmp(l4 + UDP_HLEN, marker, MARKER_BYTES) == 0 ? EXCEPT_IKE : EXCEPT_ESP;
}

enum except_kind
except_kind_of(
	const struct conf_except *c, const struct flow_key *k, const uint8_t *l4, uint32_t len)
{
	uint16_t port = rte_be_to_cpu_16(k->lport);
	bool listed;

	switch (k->proto) {
	case IPPROTO_N_ESP:
		return EXCEPT_ESP;
	case IPPROTO_N_UDP:
		if (port == PORT_NATT)
			return c->no_ike ? EXCEPT_NOT : natt_kind(l4, len);
		if (port == PORT_IKE && !c->no_ike)
			return EXCEPT_IKE;
		listed = is_listed(&c->udp, port);
		break;
	case IPPROTO_N_TCP:
		listed = is_listed(&c->tcp, port);
		break;
	default:
		listed = is_listed(&c->protocol, k->proto);
	}
	return listed ? EXCEPT_LISTED : EXCEPT_NOT;
}

static struct except_if *
if_of(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);

	if (pkt_is_tagged(lc, m) || (pm->flags & PKT_F_MCAST) != 0)
		return NULL;
	return lc->except->by_port[pm->port];
}

void
except_take(struct lcore *lc, struct rte_mbuf *m)
{
	struct except_if *x = lc->except->by_port[pkt_meta(m)->port];

	if (x->to_host.n >= EXCEPT_QUEUE) {
		x->nb_dropped++;
		pkt_drop(lc, m, DROP_EXCEPT_FULL);
	} else {
		pkt_queue_put(&x->to_host, m);
	}
}

static void
give(struct lcore *lc, struct rte_mbuf *m)
{
	if (lc->id == 0)
		except_take(lc, m);
	else
		msg_handoff(lc, 0, HANDOFF_EXCEPT, m);
}

static enum except_kind
kind_in(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const struct except_if *x = if_of(lc, m);
	enum except_kind kind;

	if (x == NULL)
		return EXCEPT_NOT;
	kind = except_kind_of(x->conf, &pm->key, pkt_data(m, pm->l4_off), pm->l4_len);
	if (kind == EXCEPT_IKE && pm->l4_len == UDP_HLEN + 1)
		return EXCEPT_NOT; /* the kernel has no use for a keepalive */
	return kind;
}

void
except_ike(struct lcore *lc, struct pkt_sort *s)
{
	struct pkt_vec *v = &s->v[NX_UDP];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];

		if (kind_in(lc, m) != EXCEPT_IKE) {
			v->m[kept++] = m;
			continue;
		}
		if (unlikely(lc->capture != NULL))
			capture_packet(lc, m);
		give(lc, m);
	}
	v->n = kept;
}

static bool
is_for_host(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);

	return pm->flow == NULL && pm->verdict == VERDICT_ACCEPT && pm->problem_why == DROP_NONE &&
	       kind_in(lc, m) == EXCEPT_LISTED;
}

void
except_listed(struct lcore *lc, struct pkt_sort *s)
{
	static const enum pkt_next from[] = {NX_TCP, NX_UDP, NX_SCTP, NX_OTHER};

	for (size_t f = 0; f < RTE_DIM(from); f++) {
		struct pkt_vec *v = &s->v[from[f]];
		uint32_t kept = 0;

		for (uint32_t i = 0; i < v->n; i++) {
			if (is_for_host(lc, v->m[i]))
				give(lc, v->m[i]);
			else
				v->m[kept++] = v->m[i];
		}
		v->n = kept;
	}
}

static bool
write_one(const struct except_if *x, const struct rte_mbuf *m)
{
	uint8_t copy[PACKET_MAX];
	struct plain p;
	uint32_t len;

	if (!plain_of(m, &p))
		return false;
	len = p.hlen + p.len;
	if (p.hlen == 0 && p.off + p.len <= m->data_len)
		return write(x->fd, pkt_data(m, p.off), len) == (ssize_t)len;
	return plain_copy(&p, m, copy, sizeof(copy)) == len &&
	       write(x->fd, copy, len) == (ssize_t)len;
}

static uint32_t
write_host(struct lcore *lc, struct except_if *x)
{
	uint32_t n = 0;

	for (; n < EXCEPT_BUDGET && x->to_host.n > 0; n++) {
		struct rte_mbuf *m = pkt_queue_get(&x->to_host);

		if (write_one(x, m)) {
			x->nb_to_host++;
			lc_count(lc, ST_EXCEPT_IN);
			pkt_drop(lc, m, DROP_EXCEPT_DONE);
		} else {
			x->nb_dropped++;
			pkt_drop(lc, m, DROP_EXCEPT_HOST);
		}
	}
	return n;
}

uint32_t
except_turn(struct lcore *lc)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < lc->except->n; i++) {
		struct except_if *x = &lc->except->i[i];

		if (x->fd < 0)
			continue;
		n += write_host(lc, x);
		if (lc->now_ns >= x->next_ns)
			n += except_read(lc, x);
	}
	return n;
}

uint64_t
except_next_ns(const struct lcore *lc)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = 0; lc->except != NULL && i < lc->except->n; i++) {
		const struct except_if *x = &lc->except->i[i];

		if (x->fd >= 0)
			next = RTE_MIN(next, x->to_host.n > 0 ? lc->now_ns : x->next_ns);
	}
	return next;
}

int
except_attach(struct lcore *lc, const struct conf_except *c, int fd)
{
	struct except_if *x;

	if (lc->except == NULL)
		lc->except = calloc(1, sizeof(*lc->except));
	if (lc->except == NULL)
		return -ENOMEM;
	x = &lc->except->i[lc->except->n++];
	x->conf = c;
	x->fd = fd;
	lc->except->by_port[c->port] = x;
	return 0;
}

void
except_destroy(struct lcore *lc)
{
	if (lc->except == NULL)
		return;
	for (uint32_t i = 0; i < lc->except->n; i++) {
		struct except_if *x = &lc->except->i[i];

		pkt_queue_drop(lc, &x->to_host, DROP_PORT_CLOSED);
		if (x->fd >= 0)
			close(x->fd);
	}
	free(lc->except);
	lc->except = NULL;
}

static int
configure(const struct stack_conf *sc, const struct conf_except *c, struct tl_error *e)
{
	const struct conf_port *p = &sc->port[c->port];
	int rc = tun_up(c->interface, p->mtu_bytes);
	char text[IP_ADDR_STRLEN];

	if (rc != 0)
		return conf_fail(e, NULL, "[exception %s] interface: %s: MTU %u: %s", c->name,
			c->interface, p->mtu_bytes, strerror(-rc));
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		const struct port_addr *a = &p->addr[i];

		rc = tun_add_addr(c->interface, a);
		if (rc != 0)
			return conf_fail(e, NULL, "[exception %s] interface: %s: %s/%u: %s",
				c->name, c->interface, ip_addr_str(&a->addr, text), a->plen,
				strerror(-rc));
	}
	return 0;
}

int
except_create(struct tl_stack *s, struct tl_error *e)
{
	for (uint32_t i = 0; i < s->conf.nb_excepts; i++) {
		const struct conf_except *c = &s->conf.except[i];
		int fd = tun_open(c->interface), rc = 0;

		if (fd < 0)
			return conf_fail(e, NULL,
				"[exception %s] interface: %s cannot be made (%s); it needs "
				"/dev/net/tun and CAP_NET_ADMIN",
				c->name, c->interface, strerror(-fd));
		for (uint32_t w = 0; w < s->conf.workers && rc == 0; w++)
			rc = except_attach(s->lc[w], c, w == 0 ? fd : -1);
		if (rc != 0)
			return conf_fail(e, NULL, "out of memory");
		if (!c->no_configure)
			rc = configure(&s->conf, c, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}
