/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * show.c - tables of a stack's state.
 *
 * Each worker fills its rows itself, between two turns, so nothing is read while it changes.
 */
#include "stack/ctl/show.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <rte_cycles.h>

#include "latch/latch.h"
#include "stack/base/buf.h"
#include "stack/ctl/table.h"
#include "stack/ctl/tables.h"
#include "stack/net/arp.h"
#include "stack/net/nd.h"
#include "stack/net/route.h"
#include "stack/run/capture.h"
#include "stack/run/except.h"
#include "stack/run/run.h"
#include "sctp/sctp.h"
#include "stack/udp/udp.h"
#include "tcp/tcp.h"

_Static_assert((int)ESP_MODE_TRANSPORT == (int)TL_LATCH_MODE_TRANSPORT &&
		       (int)ESP_MODE_TUNNEL == (int)TL_LATCH_MODE_TUNNEL,
	"one name for both");

/* What a worker needs to fill rows: the table and itself. */
struct fill {
	struct table *t;
	struct lcore *lc;
	bool all;
};

/* ---- ports ---- */

/* All addresses of a port, with what keeps them from use. */
static void
put_addrs(struct fill *f, const struct port *p)
{
	static const char *const state[] = {[ADDR_PREFERRED] = "",
		[ADDR_DEPRECATED] = " (deprecated)",
		[ADDR_TENTATIVE] = " (tentative)",
		[ADDR_DUPLICATE] = " (duplicate)"};
	char all[PORT_MAX_ADDRS * (IP_ADDR_STRLEN + 20)] = "", addr[IP_ADDR_STRLEN];
	size_t n = 0;

	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		const struct port_addr *a = &p->addr[i];

		if (a->state != ADDR_NONE)
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s/%u%s",
				n == 0 ? "" : ", ", ip_addr_str(&a->addr, addr), a->plen,
				state[a->state]);
	}
	table_put(f->t, "%s", all);
}

static void
ports_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	for (uint32_t i = 0; i < lc->nb_ports && lc->id == 0; i++) {
		const struct port *p = lc->port[i];
		char mac[RTE_ETHER_ADDR_FMT_SIZE];

		rte_ether_format_addr(mac, sizeof(mac), &p->mac);
		table_put(f->t, "%s", p->name);
		table_put(f->t, "%s", mac);
		table_put(f->t, "%u", p->mtu_bytes);
		table_put(f->t, "%u", p->vlan);
		table_put(f->t, "%u", p->realm);
		put_addrs(f, p);
	}
}

/* ---- neighbours, routes ---- */

static void
neighbour_row(const struct neigh_info *i, void *arg)
{
	struct fill *f = arg;
	char mac[RTE_ETHER_ADDR_FMT_SIZE], addr[IP_ADDR_STRLEN];

	rte_ether_format_addr(mac, sizeof(mac), &i->mac);
	table_put(f->t, "%u", f->lc->id);
	table_put(f->t, "%s", f->lc->port[i->port]->name);
	table_put(f->t, "%s", ip_addr_str(&i->addr, addr));
	table_put(f->t, "%s", mac);
	table_put(f->t, "%s", i->state);
	table_put(f->t, "%u", i->age_ms);
	table_put(f->t, "%u", i->waiting);
}

static void
neighbours_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	arp_foreach(lc, neighbour_row, f);
	nd_foreach(lc, neighbour_row, f);
}

static void
route_row(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg)
{
	struct fill *f = arg;
	char a[IP_ADDR_STRLEN], b[IP_ADDR_STRLEN];

	table_put(f->t, "%s/%u", ip_addr_str(net, a), plen);
	table_put(
		f->t, "%s", ip_addr_is_any(&r->nexthop) ? "on-link" : ip_addr_str(&r->nexthop, b));
	table_put(f->t, "%s", f->lc->port[r->port]->name);
	table_put(f->t, "%s", ip_addr_str(&r->src, b));
	table_put(f->t, "%u", r->mtu_bytes);
}

static void
routes_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	if (lc->id == 0)
		route_foreach(lc, route_row, f);
}

/* ---- identities ---- */

static const char *
ident_text(const struct latch_tables *t, uint32_t handle, char *out, size_t len)
{
	const struct tl_ident *id = latch_ident_get(t, handle);
	struct ip_addr a;
	size_t n = 0;

	if (id == NULL)
		return "-";
	switch (id->type) {
	case TL_ID_IPV4_ADDR:
		memcpy(&a.w[3], id->data, 4);
		a = ip_addr_v4(a.w[3]);
		return ip_addr_str(&a, out);
	case TL_ID_IPV6_ADDR:
		memcpy(a.b, id->data, 16);
		return ip_addr_str(&a, out);
	case TL_ID_FQDN:
	case TL_ID_RFC822_ADDR:
		snprintf(out, len, "%.*s", id->len, (const char *)id->data);
		return out;
	default:
		for (uint32_t i = 0; i < id->len && n + 3 < len; i++)
			n += (size_t)snprintf(out + n, len - n, "%02x", id->data[i]);
		return out;
	}
}

static void
identities_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;
	const struct latch_tables *t = lc->run->stack->conf.tables;
	const struct tl_ident *id;
	char text[TL_IDENT_MAX + 1];

	for (uint32_t h = 1; lc->id == 0 && (id = latch_ident_get(t, h)) != NULL && id->type; h++) {
		table_put(f->t, "%u", h);
		table_put(f->t, "%s", tl_ident_type_name(id->type));
		table_put(f->t, "%s", ident_text(t, h, text, sizeof(text)));
	}
}

/* ---- SAD and SPD ---- */

static void
put_left(struct table *t, uint64_t limit, uint64_t used)
{
	if (limit == 0)
		table_put(t, "%s", "");
	else
		table_put(t, "%lu", (unsigned long)(used < limit ? limit - used : 0));
}

/* Seconds that an SA has, those of its hard limits that end first; nothing if it has none. */
static void
put_left_s(struct table *t, const struct esp_sa_info *i)
{
	const uint64_t second = 1000000000;
	const struct esp_life *l = &i->life;
	uint64_t left = UINT64_MAX, limit;

	if (l->hard_add_s != 0) {
		limit = l->hard_add_s * second;
		left = i->age_ns < limit ? limit - i->age_ns : 0;
	}
	if (l->hard_use_s != 0 && i->used_ns != 0) {
		limit = l->hard_use_s * second;
		left = RTE_MIN(left, i->used_ns < limit ? limit - i->used_ns : 0);
	}
	if (left == UINT64_MAX)
		table_put(t, "%s", "");
	else
		table_put(t, "%lu", (unsigned long)(left / second));
}

static void
put_life(struct table *t, const struct esp_sa_info *i)
{
	table_put(t, "%lu", (unsigned long)(i->age_ns / 1000000000));
	put_left_s(t, i);
	put_left(t, i->life.hard_bytes, i->bytes);
	put_left(t, i->life.hard_packets, i->packets);
}

static void
sa_row(const struct esp_sa_info *i, void *arg)
{
	struct fill *f = arg;
	const struct latch_tables *t = f->lc->run->stack->conf.tables;
	char text[TL_IDENT_MAX + 1], addr[IP_ADDR_STRLEN], suite[ESP_SUITE_TEXT];

	if (i->ref.owner != f->lc->id)
		return;
	table_put(f->t, "%s", f->lc->run->stack->control.sa[i->ref.index].name);
	table_put(f->t, "%u", i->ref.index);
	table_put(f->t, "%u", i->ref.gen);
	table_put(f->t, "%s", i->inbound ? "in" : "out");
	table_put(f->t, "0x%08x", i->spi);
	table_put(f->t, "%s", tl_latch_mode_name(i->ref.mode));
	table_put(f->t, "%s", esp_suite_text(i->ref.encr, i->ref.encr_bits, i->ref.integ, suite));
	table_put(f->t, "%s", i->esn ? "yes" : "no");
	table_put(f->t, "%u", i->replay_window);
	table_put(f->t, "%s", ip_addr_str(&i->ref.remote, addr));
	table_put(f->t, "%s", ident_text(t, i->ref.peer_id, text, sizeof(text)));
	table_put(f->t, "%u", i->ref.profile);
	table_put(f->t, "%u", i->ref.owner);
	table_put(f->t, "%s", i->engine);
	put_life(f->t, i);
	table_put(f->t, "%lu", (unsigned long)i->seq);
	table_put(f->t, "%lu", (unsigned long)i->packets);
	table_put(f->t, "%lu", (unsigned long)i->bytes);
	table_put(f->t, "%lu", (unsigned long)i->drop_icv);
	table_put(f->t, "%lu", (unsigned long)i->drop_replay);
}

static void
sad_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	esp_sad_foreach(lc, sa_row, f);
}

static void
put_net(struct table *t, const struct addr_range *r)
{
	char lo[IP_ADDR_STRLEN], hi[IP_ADDR_STRLEN];
	int plen = addr_range_plen(r), v4 = ip_addr_is_v4(&r->lo) && ip_addr_is_v4(&r->hi);

	if (plen == 0)
		table_put(t, "any");
	else if (plen < 0)
		table_put(t, "%s-%s", ip_addr_str(&r->lo, lo), ip_addr_str(&r->hi, hi));
	else
		table_put(t, "%s/%d", ip_addr_str(&r->lo, lo), v4 ? plen - 96 : plen);
}

static void
put_ports(struct table *t, const struct port_range *r)
{
	if (r->lo == 0 && r->hi == 65535)
		table_put(t, "any");
	else if (r->lo > r->hi)
		table_put(t, "opaque");
	else if (r->lo == r->hi)
		table_put(t, "%u", r->lo);
	else
		table_put(t, "%u-%u", r->lo, r->hi);
}

static void
put_rule_suite(struct table *t, const struct spd_rule *r)
{
	char suite[ESP_SUITE_TEXT];

	if (r->action != SPD_PROTECT)
		table_put(t, "-");
	else if (r->encr == 0)
		table_put(t, "any");
	else
		table_put(t, "%s", esp_suite_text(r->encr, r->encr_bits, r->integ, suite));
}

static void
rule_row(const struct spd_rule *r, void *arg)
{
	static const char *const action[] = {"discard", "bypass", "protect"};
	static const char *const dir[] = {"none", "in", "out", "both"};
	struct fill *f = arg;

	table_put(f->t, "%s", r->name);
	table_put(f->t, "%u", r->priority);
	table_put(f->t, "%s", action[r->action]);
	table_put(f->t, "%s", dir[r->dir & SPD_BOTH]);
	put_net(f->t, &r->sel.local);
	put_net(f->t, &r->sel.remote);
	table_put(f->t, r->sel.proto == 0 ? "any" : "%u", r->sel.proto);
	put_ports(f->t, &r->sel.lport);
	put_ports(f->t, &r->sel.rport);
	table_put(f->t, "%s", r->action == SPD_PROTECT ? tl_latch_mode_name(r->mode) : "-");
	put_rule_suite(f->t, r);
	table_put(f->t, "%u", f->lc->id);
	table_put(f->t, "%lu", (unsigned long)r->hits);
}

static void
spd_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	spd_foreach(lc, rule_row, f);
}

/* ---- sockets and latches ---- */

static void
put_end(struct table *t, const struct ip_addr *a, rte_be16_t port)
{
	char text[IP_ADDR_STRLEN];

	table_put(
		t, "%s:%u", ip_addr_is_any(a) ? "*" : ip_addr_str(a, text), rte_be_to_cpu_16(port));
}

/* What every transport's sockets have. */
static void
put_socket(struct fill *f, const char *proto, const char *state, const struct flow_key *k,
	const struct latch *l)
{
	table_put(f->t, "%u", f->lc->id);
	table_put(f->t, "%s", proto);
	table_put(f->t, "%s", state);
	put_end(f->t, &k->local, k->lport);
	put_end(f->t, &k->remote, k->rport);
	table_put(f->t, "%s", l == NULL ? "-" : tl_latch_state_name(l->state));
}

static void
socket_row(const struct tcp_row *i, void *arg)
{
	struct fill *f = arg;

	put_socket(f, "tcp", i->state, &i->key, i->latch);
	table_put(f->t, "%u", i->sndq_bytes);
	table_put(f->t, "%u", i->rcvq_bytes);
	table_put(f->t, "%u", i->snd_wnd_bytes);
	table_put(f->t, "%u", i->cwnd_bytes);
	table_put(f->t, "%u", i->srtt_us);
	table_put(f->t, "%u", i->rto_us);
	table_put(f->t, "%u", i->mss_bytes);
	table_put(f->t, "%u", i->rexmt);
}

static void
udp_socket_row(const struct udp_row *i, void *arg)
{
	struct fill *f = arg;

	put_socket(f, "udp", i->state, &i->key, i->latch);
	table_put(f->t, "%u", i->sndq_bytes);
	table_put(f->t, "%u", i->rcvq_bytes);
	for (uint32_t k = 0; k < 6; k++)
		table_put(f->t, "0"); /* what only TCP has */
}

static void
sctp_socket_row(const struct sctp_row *i, void *arg)
{
	struct fill *f = arg;

	put_socket(f, "sctp", i->state, &i->key, i->latch);
	table_put(f->t, "%u", i->sndq_bytes);
	table_put(f->t, "%u", i->rcvq_bytes);
	table_put(f->t, "%u", i->flight_bytes);
	table_put(f->t, "%u", i->cwnd_bytes);
	table_put(f->t, "%u", i->srtt_us);
	table_put(f->t, "%u", i->rto_ms * 1000);
	table_put(f->t, "%u", i->mtu_bytes);
	table_put(f->t, "%u", i->errors);
}

static void
sockets_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	tcp_foreach(lc, socket_row, f);
	udp_foreach(lc, udp_socket_row, f);
	sctp_foreach(lc, sctp_socket_row, f);
}

static void
put_latch(struct fill *f, const struct flow_key *k, const struct latch *l)
{
	const struct latch_tables *t = f->lc->run->stack->conf.tables;
	const struct latch_profile *p;
	char text[TL_IDENT_MAX + 1], suite[ESP_SUITE_TEXT];

	if (l == NULL)
		return;
	p = latch_profile_get(t, l->profile_in);
	table_put(f->t, "%u", f->lc->id);
	put_end(f->t, &k->local, k->lport);
	put_end(f->t, &k->remote, k->rport);
	table_put(f->t, "%s", tl_latch_state_name(l->state));
	table_put(f->t, "%s", tl_latch_reason_name(l->reason));
	table_put(f->t, "%u", l->profile_in);
	table_put(f->t, "%s", p == NULL ? "-" : tl_latch_mode_name(p->mode));
	table_put(f->t, "%s",
		p == NULL ? "-" : esp_suite_text(p->encr, p->encr_bits, p->integ, suite));
	table_put(f->t, "%s", p == NULL ? "-" : ident_text(t, p->local_id, text, sizeof(text)));
	table_put(f->t, "%s", p == NULL ? "-" : ident_text(t, p->peer_id, text, sizeof(text)));
	table_put(f->t, "%lu", (unsigned long)l->drop_clear);
	table_put(f->t, "%lu", (unsigned long)l->drop_qop);
	table_put(f->t, "%lu", (unsigned long)l->drop_peer);
	table_put(f->t, "%lu", (unsigned long)l->drop_unknown);
}

static void
latch_row(const struct tcp_row *i, void *arg)
{
	put_latch(arg, &i->key, i->latch);
}

static void
udp_latch_row(const struct udp_row *i, void *arg)
{
	put_latch(arg, &i->key, i->latch);
}

static void
sctp_latch_row(const struct sctp_row *i, void *arg)
{
	put_latch(arg, &i->key, i->latch);
}

static void
latches_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	tcp_foreach(lc, latch_row, f);
	udp_foreach(lc, udp_latch_row, f);
	sctp_foreach(lc, sctp_latch_row, f);
}

/* ---- counters ---- */

static void
stat_row(struct fill *f, const char *kind, const char *name, uint64_t n, const char *text)
{
	if (n == 0 && !f->all)
		return;
	table_put(f->t, "%u", f->lc->id);
	table_put(f->t, "%s", kind);
	table_put(f->t, "%s", name);
	table_put(f->t, "%lu", (unsigned long)n);
	table_put(f->t, "%s", text);
}

static uint64_t
busy_permille(const struct lcore *lc)
{
	uint64_t busy = lc->stat.st[ST_BUSY_NS], all = busy + lc->stat.st[ST_IDLE_NS];

	return all == 0 ? 0 : busy / (all / 1000 + 1);
}

static void
stats_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->lc = lc;
	for (enum stat_id i = 0; i < ST_MAX; i++)
		stat_row(f, "count", stat_name(i), lc->stat.st[i], "");
	stat_row(f, "count", "busy-permille", busy_permille(lc), "share of the time with work");
	for (enum drop_reason i = 1; i < DROP_MAX; i++)
		stat_row(f, "drop", drop_reason_name(i), lc->stat.drop[i], drop_reason_text(i));
}

static void
stats_all_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	f->all = true;
	stats_of(lc, f);
}

/* ---- captures ---- */

static void
captures_of(struct lcore *lc, void *arg)
{
	const struct tl_stack *s = lc->run->stack;
	struct fill *f = arg;

	if (lc->capture == NULL)
		return;
	table_put(f->t, "%s", capture_file(s));
	table_put(f->t, "%s", capture_filter_text(s));
	table_put(f->t, "%u", lc->id);
	table_put(f->t, "%u", lc->capture->snap_bytes);
	table_put(f->t, "%lu", (unsigned long)lc->capture->captured);
	table_put(f->t, "%lu", (unsigned long)lc->capture->lost);
}

/* ---- exceptions ---- */

static void
put_list(struct table *t, const struct conf_list *l)
{
	char text[CONF_LIST * 8] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < l->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", i ? "," : "", l->v[i]);
	table_put(t, "%s", text);
}

static void
exceptions_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	for (uint32_t i = 0; lc->id == 0 && lc->except != NULL && i < lc->except->n; i++) {
		const struct except_if *x = &lc->except->i[i];

		table_put(f->t, "%s", x->conf->name);
		table_put(f->t, "%s", x->conf->port_name);
		table_put(f->t, "%s", x->conf->interface);
		table_put(f->t, "%s", x->conf->no_ike ? "no" : "yes");
		put_list(f->t, &x->conf->udp);
		put_list(f->t, &x->conf->tcp);
		put_list(f->t, &x->conf->protocol);
		table_put(f->t, "%lu", (unsigned long)x->nb_to_host);
		table_put(f->t, "%lu", (unsigned long)x->nb_from_host);
		table_put(f->t, "%lu", (unsigned long)x->nb_dropped);
		table_put(f->t, "%u", x->to_host.n);
	}
}

/* ---- configuration ---- */

/* e NULL: nobody wrote it. */
static void
put_origin(struct table *t, const struct conf_ent *e)
{
	if (e == NULL)
		table_put(t, "default");
	else if (e->line != 0)
		table_put(t, "%s:%u", e->file, e->line);
	else
		table_put(t, "program or command line");
}

static void
config_of(struct lcore *lc, void *arg)
{
	struct fill *f = arg;

	if (lc->id != 0)
		return;
	for (const struct conf_ent *e = lc->run->stack->text->head; e != NULL; e = e->next) {
		table_put(f->t, "%s", e->section);
		table_put(f->t, "%s", e->key);
		table_put(f->t, "%s", conf_is_secret(e->key) ? "(secret)" : e->value);
		put_origin(f->t, e);
	}
}

/* Every parameter of a transport, whoever decided. */
static void
put_section(struct lcore *lc, struct fill *f, const char *section)
{
	const struct tl_stack *s = lc->run->stack;
	struct conf_shown shown;

	for (uint32_t i = 0; lc->id == 0 && conf_shown_nth(&s->conf, section, i, &shown); i++) {
		table_put(f->t, "%s", shown.key);
		table_put(f->t, "%s", shown.value);
		put_origin(f->t, conf_find(s->text, section, shown.key));
		table_put(f->t, "%s", shown.allowed);
	}
}

static void
tcp_of(struct lcore *lc, void *arg)
{
	put_section(lc, arg, "tcp");
}

static void
sctp_of(struct lcore *lc, void *arg)
{
	put_section(lc, arg, "sctp");
}

struct shower {
	const char *what;
	void (*fill)(struct lcore *lc, void *arg);
	const char *cols[TABLE_COLS];
};

/* clang-format off */
static const struct shower showers[] = {
	{"config", config_of, {"section", "key", "value", "from", NULL}},
	{"tcp", tcp_of, {"key", "value", "from", "allowed", NULL}},
	{"sctp", sctp_of, {"key", "value", "from", "allowed", NULL}},
	{"ports", ports_of, {"port", "mac", "#mtu", "#vlan", "#realm", "address", NULL}},
	{"neighbours", neighbours_of, {"#worker", "port", "address", "mac", "state", "#age-ms", "#waiting", NULL}},
	{"routes", routes_of, {"prefix", "via", "port", "source", "#mtu", NULL}},
	{"sad", sad_of, {"name", "#index", "#gen", "dir", "spi", "mode", "suite", "esn", "#window", "peer-address", "peer-id", "#profile", "#worker", "engine", "#age-seconds", "#left-seconds", "#left-bytes", "#left-packets", "#seq", "#packets", "#bytes", "#bad-icv", "#replayed", NULL}},
	{"spd", spd_of, {"name", "#priority", "action", "dir", "local", "remote", "proto", "local-port", "remote-port", "mode", "suite", "#worker", "#hits", NULL}},
	{"identities", identities_of, {"#handle", "type", "value", NULL}},
	{"sockets", sockets_of, {"#worker", "proto", "state", "local", "remote", "latch", "#sendq", "#recvq", "#snd-wnd", "#cwnd", "#srtt-us", "#rto-us", "#mss", "#rexmt", NULL}},
	{"latches", latches_of, {"#worker", "local", "remote", "state", "reason", "#profile", "mode", "suite", "local-id", "peer-id", "#drop-clear", "#drop-qop", "#drop-peer", "#drop-unknown", NULL}},
	{"exceptions", exceptions_of, {"name", "port", "interface", "ike", "udp", "tcp", "protocol", "#to-host", "#from-host", "#dropped", "#waiting", NULL}},
	{"captures", captures_of, {"file", "filter", "#worker", "#snap", "#packets", "#lost", NULL}},
	{"stats", stats_of, {"#worker", "kind", "name", "#value", "what", NULL}},
	{"stats-all", stats_all_of, {"#worker", "kind", "name", "#value", "what", NULL}},
};
/* clang-format on */

const char *
ctl_show_names(void)
{
	return "config, tcp, ports, neighbours, routes, sad, spd, identities, sockets, latches, "
	       "exceptions, captures, stats, stats-all";
}

const char *
ctl_table_name(uint32_t i)
{
	return i < RTE_DIM(showers) ? showers[i].what : NULL;
}

int
ctl_table(struct tl_stack *s, const char *what, struct table *t)
{
	struct fill f = {.t = t};

	for (size_t i = 0; i < RTE_DIM(showers); i++) {
		if (strcmp(showers[i].what, what) != 0)
			continue;
		table_init(t, showers[i].cols);
		control_lock(s);
		for (uint32_t w = 0; w < s->conf.workers; w++)
			ctl_call(s, w, showers[i].fill, &f);
		control_unlock(s);
		return 0;
	}
	return -ENOENT;
}

int
ctl_show(struct tl_stack *s, const char *what, bool json, FILE *out)
{
	struct table t;
	int rc = ctl_table(s, what, &t);

	if (rc != 0)
		return rc;
	table_print(&t, json, out);
	table_free(&t);
	return 0;
}

struct stat_job {
	const char *name;
	uint64_t sum;
};

static void
stat_sum(struct lcore *lc, void *arg)
{
	struct stat_job *j = arg;

	for (enum stat_id i = 0; i < ST_MAX; i++) {
		if (strcmp(stat_name(i), j->name) == 0)
			j->sum += lc->stat.st[i];
	}
	for (enum drop_reason i = 1; i < DROP_MAX; i++) {
		if (strcmp(drop_reason_name(i), j->name) == 0)
			j->sum += lc->stat.drop[i];
	}
}

uint64_t
ctl_stat(struct tl_stack *s, const char *name)
{
	struct stat_job j = {.name = name};

	control_lock(s);
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, stat_sum, &j);
	control_unlock(s);
	return j.sum;
}

double
ctl_busy(struct tl_stack *s)
{
	uint64_t busy = ctl_stat(s, "busy-ns"), idle = ctl_stat(s, "idle-ns");

	return busy + idle == 0 ? 0 : (double)busy / (double)(busy + idle);
}

double
ctl_tsc_ghz(void)
{
	uint64_t hz = rte_get_tsc_hz(), t0;
	struct timespec a, b;

	if (hz != 0)
		return (double)hz / 1e9;
	clock_gettime(CLOCK_MONOTONIC_RAW, &a);
	t0 = rte_rdtsc();
	usleep(50000);
	clock_gettime(CLOCK_MONOTONIC_RAW, &b);
	return (double)(rte_rdtsc() - t0) /
	       ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec));
}

static void
usage_of(struct lcore *lc, void *arg)
{
	struct ctl_usage *u = arg;

	u->mbufs += rte_mempool_in_use_count(lc->pkt_pool);
	u->chunks += buf_pool_in_use(lc->buf);
	u->pcbs += tcp_pcbs_in_use(lc) + udp_pcbs_in_use(lc) + sctp_in_use(lc);
	u->latches += latch_in_use(lc);
}

void
ctl_usage(struct tl_stack *s, struct ctl_usage *out)
{
	memset(out, 0, sizeof(*out));
	control_lock(s);
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, usage_of, out);
	control_unlock(s);
}
