/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/esp_env.h"

#include <rte_ip.h>

struct env *ee;
const struct ip_addr ee_here = {.w = {0, 0, RTE_BE32(0xffff), RTE_BE32(0x0a000001)}};
const struct ip_addr ee_there = {.w = {0, 0, RTE_BE32(0xffff), RTE_BE32(0x0a000002)}};
const struct ip_addr ee_here6 = {.b = {0xfd, [15] = 1}};
const struct ip_addr ee_there6 = {.b = {0xfd, [15] = 2}};
struct esp_event ee_event[64];
uint32_t ee_events;

static void
post(struct lcore *lc, const struct esp_event *ev)
{
	(void)lc;
	if (ee_events < RTE_DIM(ee_event))
		ee_event[ee_events] = *ev;
	ee_events++;
}

void
ee_setup(void)
{
	struct esp_conf conf = {.events = {.post = post}};

	ee = env_setup();
	ee_events = 0;
	ck_assert_int_eq(esp_create(&ee->lc, &conf), 0);
}

void
ee_teardown(void)
{
	esp_destroy(&ee->lc);
	env_teardown(ee);
}

struct esp_sa_conf
ee_sa(bool inbound)
{
	struct esp_sa_conf c = {
		.spi = inbound ? EE_SPI_IN : EE_SPI_OUT,
		.local = ee_here,
		.remote = ee_there,
		.local_id = 1,
		.peer_id = 2,
		.profile = EE_PROFILE,
		.replay_window = 64,
		.iv_start = 1000,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.mode = ESP_MODE_TRANSPORT,
		.inbound = inbound,
		.esn = true,
		.key_len = 20,
		.key = {1, 2, 3},
	};

	esp_sel_any(&c.sel, 0);
	return c;
}

void
ee_sa_suite(struct esp_sa_conf *c, uint16_t encr, uint16_t bits, uint16_t integ)
{
	struct esp_suite s;
	const char *why;

	ck_assert_int_eq(esp_suite_find(encr, bits, integ, &s, &why), 0);
	c->encr = encr;
	c->encr_bits = bits;
	c->integ = integ;
	c->key_len = s.key_bytes;
	c->auth_key_len = s.auth_key_bytes;
	for (uint32_t i = 0; i < s.key_bytes; i++)
		c->key[i] = (uint8_t)(i * 3 + encr);
	for (uint32_t i = 0; i < s.auth_key_bytes; i++)
		c->auth_key[i] = (uint8_t)(i * 5 + integ);
}

void
ee_add_pair(const struct esp_sa_conf *in, const struct esp_sa_conf *out)
{
	struct esp_sa_conf o = *out;

	o.spi = in->spi;
	ck_assert_int_eq(esp_sad_add(&ee->lc, in, 0, 1), 0);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &o, 1, 1), 0);
}

void
ee_add_default_pair(void)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);

	ee_add_pair(&in, &out);
}

void
ee_payload(uint8_t p[EE_PAYLOAD])
{
	for (int i = 0; i < EE_PAYLOAD; i++)
		p[i] = (uint8_t)i;
	p[0] = 0, p[1] = 80, p[2] = 0x0f, p[3] = 0xa0;
}

struct rte_mbuf *
ee_packet(uint8_t nxt, const uint8_t *payload, uint32_t len)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_meta *pm = pkt_meta(m);

	memcpy(rte_pktmbuf_append(m, (uint16_t)len), payload, len);
	pm->sa = ee->lc.esp->slot[1];
	pm->nxt = nxt;
	pm->key.local = pm->sa->conf.local;
	pm->key.remote = pm->sa->conf.remote;
	pm->tunnel = pm->sa->conf.mode == ESP_MODE_TUNNEL;
	return m;
}

uint32_t
ee_encrypt(uint8_t nxt, const uint8_t *payload, uint32_t len, uint8_t *out)
{
	struct rte_mbuf *m = ee_packet(nxt, payload, len);
	struct pkt_vec v = {.n = 1, .m = {m}};
	uint32_t n;

	esp_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	n = m->pkt_len;
	memcpy(out, rte_pktmbuf_mtod(m, uint8_t *), n);
	rte_pktmbuf_free(m);
	return n;
}

struct rte_mbuf *
ee_receive(const uint8_t *esp, uint32_t len, enum pkt_next nx)
{
	struct rte_mbuf *m = env_pkt(ee, esp, len);
	struct pkt_meta *pm = pkt_meta(m);
	const struct esp_sa *sa = ee->lc.esp->slot[0];
	bool v6 = sa != NULL && !ip_addr_is_v4(&sa->conf.local);
	struct pkt_sort s;

	pkt_sort_reset(&s);
	pm->key.local = v6 ? ee_here6 : ee_here;
	pm->key.remote = v6 ? ee_there6 : ee_there;
	pm->l4_off = 0;
	pm->l4_len = (uint16_t)len;
	pm->nxt = IPPROTO_N_ESP;
	pm->udp_remote = sa != NULL && sa->conf.udp ? sa->conf.udp_remote : 0;
	pkt_vec_add(&s.v[NX_ESP], m);
	esp_in(&ee->lc, &s.v[NX_ESP], &s);
	return s.v[nx].n == 1 ? s.v[nx].m[0] : NULL;
}

uint64_t
ee_drops(void)
{
	uint64_t n = 0;

	for (int i = 0; i < DROP_MAX; i++)
		n += ee->lc.stat.drop[i];
	return n;
}

uint32_t
ee_inner(uint8_t *out, bool v6)
{
	struct rte_ipv4_hdr h4 = {.version_ihl = 0x45,
		.total_length = RTE_BE16(20 + EE_PAYLOAD),
		.time_to_live = 64,
		.next_proto_id = IPPROTO_N_TCP,
		.src_addr = ee_there.w[3],
		.dst_addr = ee_here.w[3]};
	struct rte_ipv6_hdr h6 = {.vtc_flow = RTE_BE32(0x60000000),
		.payload_len = RTE_BE16(EE_PAYLOAD),
		.proto = IPPROTO_N_TCP,
		.hop_limits = 64};
	uint32_t hlen = v6 ? sizeof(h6) : sizeof(h4);

	memcpy(h6.src_addr, ee_there6.b, 16);
	memcpy(h6.dst_addr, ee_here6.b, 16);
	memcpy(out, v6 ? (void *)&h6 : (void *)&h4, hlen);
	ee_payload(out + hlen);
	return hlen + EE_PAYLOAD;
}
