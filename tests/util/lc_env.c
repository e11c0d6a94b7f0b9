/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/lc_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <rte_eal.h>

#include "stack/base/buf.h"
#include "stack/base/flow.h"
#include "stack/base/rand.h"
#include "stack/base/tmr.h"

enum { ENV_MBUFS = 1023, ENV_CHUNKS = 255 };

void
env_eal_init(void)
{
	char prefix[64];
	char *argv[] = {(char[]){"test"}, (char[]){"--no-huge"}, (char[]){"--no-pci"},
		(char[]){"--no-telemetry"}, (char[]){"--no-shconf"}, (char[]){"-m"},
		(char[]){"512"}, (char[]){"--lcores=0@(0,1)"}, prefix,
		(char[]){"--log-level=lib.eal:error"}, NULL};
	static bool done;

	if (done)
		return;
	done = true;
	snprintf(prefix, sizeof(prefix), "--file-prefix=tltest%d", (int)getpid());
	if (rte_eal_init(10, argv) < 0) {
		fprintf(stderr, "rte_eal_init failed\n");
		exit(1);
	}
}

static uint16_t
env_rx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	(void)lc;
	(void)p;
	(void)m;
	(void)n;
	return 0;
}

static uint16_t
env_tx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	struct env *e = p->ctx;

	(void)lc;
	if (e->tx_stuck)
		return 0;
	for (uint16_t i = 0; i < n; i++)
		pkt_queue_put(&e->sent, m[i]);
	return n;
}

static const struct port_ops env_port_ops = {.rx = env_rx, .tx = env_tx};

struct env *
env_setup(void)
{
	static const uint8_t seed[RAND_SEED_LEN] = {1};
	struct env *e = calloc(1, sizeof(*e));
	struct lcore *lc = &e->lc;
	struct port *p = &e->port;

	env_eal_init();
	lc->now_ns = 1000000000;
	lc->nb_workers = 1;
	lc->pkt_pool = rte_pktmbuf_pool_create("env_pkt", ENV_MBUFS, 0, sizeof(struct pkt_meta),
		RTE_PKTMBUF_HEADROOM + 2048, SOCKET_ID_ANY);
	ck_assert_ptr_nonnull(lc->pkt_pool);
	ck_assert_int_eq(buf_pool_create(ENV_CHUNKS, SOCKET_ID_ANY, "env_buf", &lc->buf), 0);
	ck_assert_int_eq(pkt_tag_register(lc), 0);
	ck_assert_int_eq(tmr_create(lc->now_ns, &lc->tmr), 0);
	ck_assert_int_eq(flow_create(256, 7, &lc->flow), 0);
	ck_assert_int_eq(rand_create(seed, &lc->rand), 0);
	*p = (struct port){.ops = &env_port_ops, .ctx = e, .mtu_bytes = 1500, .nb_addrs = 1};
	p->mac = (struct rte_ether_addr){{2, 0, 0, 0, 0, 1}};
	p->addr[0] = (struct port_addr){.addr = ip_addr_v4(RTE_BE32(0x0a000001)), .plen = 24};
	lc->port[0] = p;
	lc->nb_ports = 1;
	return e;
}

void
env_teardown(struct env *e)
{
	struct lcore *lc = &e->lc;

	pkt_queue_drop(lc, &e->sent, DROP_PORT_CLOSED);
	pkt_queue_drop(lc, &lc->out_l2, DROP_PORT_CLOSED);
	pkt_queue_drop(lc, &lc->out_l4, DROP_PORT_CLOSED);
	for (uint32_t i = 0; i < e->port.nb_tx; i++)
		pkt_drop(lc, e->port.tx[i], DROP_PORT_CLOSED);
	ck_assert_uint_eq(rte_mempool_in_use_count(lc->pkt_pool), 0);
	ck_assert_uint_eq(buf_pool_in_use(lc->buf), 0);
	rand_free(lc->rand);
	flow_free(lc->flow);
	tmr_free(lc->tmr);
	buf_pool_free(lc->buf);
	rte_mempool_free(lc->pkt_pool);
	free(e);
}

static void
ext_free(void *addr, void *opaque)
{
	(void)addr;
	free(opaque);
}

struct rte_mbuf *
env_pkt(struct env *e, const void *data, size_t len)
{
	struct rte_mbuf *m = pkt_alloc(&e->lc);
	struct rte_mbuf_ext_shared_info *info = malloc(sizeof(*info) + len);
	uint8_t *bytes = (uint8_t *)(info + 1);

	ck_assert_ptr_nonnull(m);
	ck_assert_ptr_nonnull(info);
	info->free_cb = ext_free;
	info->fcb_opaque = info;
	rte_mbuf_ext_refcnt_set(info, 1);
	if (len > 0)
		memcpy(bytes, data, len);
	rte_pktmbuf_attach_extbuf(m, bytes, (rte_iova_t)(uintptr_t)bytes, (uint16_t)len, info);
	m->data_off = 0;
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	return m;
}

struct rte_mbuf *
env_sent(struct env *e)
{
	struct port *p = &e->port;

	if (e->sent.n == 0 && p->nb_tx > 0) {
		uint16_t n = p->ops->tx(&e->lc, p, p->tx, (uint16_t)p->nb_tx);

		memmove(p->tx, p->tx + n, (p->nb_tx - n) * sizeof(p->tx[0]));
		p->nb_tx -= n;
	}
	return pkt_queue_get(&e->sent);
}

int
env_main(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	/* EAL does not survive a fork, so the tests of a binary share one process. */
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_set_tap(r, "-");
	srunner_run_all(r, CK_SILENT);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
