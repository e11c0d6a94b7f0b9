/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf_check.c - whether values that are each well written fit together, and what follows from
 * them.
 *
 * Called by conf_build() when every key is read, and for an SA or a policy that comes later.
 */
#include "stack/run/conf_check.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/run/conf_value.h"
#include "stack/run/run.h"

int
conf_check_rule(const struct tl_conf *c, struct spd_rule *r, struct tl_error *e)
{
	static const char *const of_protect[] = {"mode", "encryption", "key-bits", "integrity",
		"local-id", "peer-id", "reqid", "tunnel-local", "tunnel-remote"};
	char section[CONF_NAME + 8];

	snprintf(section, sizeof(section), "policy %s", r->name);
	if (conf_find(c, section, "action") == NULL)
		return conf_fail(e, NULL, "[%s]: expected a key \"action\"", section);
	for (size_t i = 0; i < RTE_DIM(of_protect) && r->action != SPD_PROTECT; i++) {
		const struct conf_ent *at = conf_find(c, section, of_protect[i]);

		if (at != NULL)
			return conf_fail(e, at, "does nothing without action = protect");
	}
	return 0;
}

static const struct conf_ent *
sa_key(const struct tl_conf *c, const char *name, const char *key)
{
	char section[CONF_NAME + 4];

	snprintf(section, sizeof(section), "sa %s", name);
	return conf_find(c, section, key);
}

/* E-13: counter modes and manual keys do not mix, except in a laboratory that says so. */
static int
check_consent(const struct tl_conf *c, const struct stack_conf *sc, const struct conf_ent *key,
	struct tl_error *e)
{
	if (!sc->manual_keys)
		return conf_fail(e, key,
			"keys in a configuration are laboratory keys (RFC 8221 s3); expected "
			"[stack] manual-keys = i-accept-the-risk");
	if (key->file != NULL && !c->file_is_private)
		return conf_fail(e, key,
			"a file with keys must be readable by its owner only; try chmod 600 %s",
			key->file);
	return 0;
}

/* In transport mode an SA speaks for its two hosts only, unless it says otherwise. */
static void
sa_selectors(const struct tl_conf *c, struct conf_sa *sa)
{
	struct esp_sa_conf *e = &sa->sa;

	e->sel.realm = e->realm;
	if (e->mode != ESP_MODE_TRANSPORT)
		return;
	if (sa_key(c, sa->name, "local-net") == NULL)
		addr_range_of_host(&e->sel.local, &e->local);
	if (sa_key(c, sa->name, "remote-net") == NULL)
		addr_range_of_host(&e->sel.remote, &e->remote);
}

static uint32_t
sa_profile(struct latch_tables *t, const struct esp_sa_conf *sa)
{
	struct latch_profile p = {
		.proto = IPPROTO_N_ESP,
		.mode = sa->mode,
		.type = TL_LATCH_TYPE_INTEG,
		.encr = sa->encr,
		.encr_bits = sa->encr_bits,
		.integ = sa->integ,
		.icv_bits = esp_icv_bits(sa->encr, sa->encr_bits, sa->integ),
		.local_id = sa->local_id,
		.peer_id = sa->peer_id,
		.realm = sa->realm,
		.local_ev = sa->local_ev,
		.peer_ev = sa->peer_ev,
		.auth_class = sa->auth_class,
	};

	if (esp_is_confidential(sa->encr, sa->encr_bits, sa->integ))
		p.type |= TL_LATCH_TYPE_CONF;
	if (!sa->inbound || sa->replay_window != 0)
		p.replay |= TL_LATCH_REPLAY_ON;
	if (sa->esn)
		p.replay |= TL_LATCH_REPLAY_ESN;
	return latch_profile_intern(t, &p);
}

int
conf_sa_finish(const struct stack_conf *sc, struct esp_sa_conf *sa)
{
	/* E-13: neither a restart nor an SA that comes again may repeat an IV. */
	sa->iv_start = sc->iv_start != 0 ? sc->iv_start : wall_clock_ns();
	sa->profile = sa_profile(sc->tables, sa);
	return sa->profile == 0 ? -ENOMEM : 0;
}

/* F-59: who may speak for whom through a tunnel must be said. */
static int
check_tunnel(const struct tl_conf *c, const struct conf_sa *sa, struct tl_error *e)
{
	if (sa->sa.mode != ESP_MODE_TUNNEL)
		return 0;
	if (sa_key(c, sa->name, "local-net") != NULL && sa_key(c, sa->name, "remote-net") != NULL)
		return 0;
	return conf_fail(e, NULL,
		"[sa %s]: tunnel mode needs the keys \"local-net\" and \"remote-net\" (any is "
		"possible)",
		sa->name);
}

static int
check_keys(const struct tl_conf *c, const struct stack_conf *sc, struct conf_sa *sa,
	struct tl_error *e)
{
	const struct conf_ent *key = sa_key(c, sa->name, "key");
	const struct conf_ent *auth_key = sa_key(c, sa->name, "integrity-key");
	const char *why;
	int rc = 0;

	if (key == NULL && auth_key == NULL)
		return conf_fail(e, NULL, "[sa %s]: expected a key \"key\"", sa->name);
	sa->sa.manual = true;
	sa->sa.encr_bits = esp_encr_bits_of_key(sa->sa.encr, sa->sa.key_len);
	if (key != NULL)
		rc = check_consent(c, sc, key, e);
	if (rc == 0 && auth_key != NULL)
		rc = check_consent(c, sc, auth_key, e);
	if (rc == 0 && esp_sa_check_keys(&sa->sa, &why) != 0)
		rc = conf_fail(e, key != NULL ? key : auth_key, "%s", why);
	return rc;
}

/* A key that would do nothing is a mistake about what the SA does. */
static int
check_used(const struct tl_conf *c, const struct conf_sa *sa, struct tl_error *e)
{
	static const char *const of_udp[] = {
		"udp-local", "udp-remote", "nat-keepalive", "original-local", "original-remote"};
	static const char *const of_tunnel[] = {"df", "dscp", "ecn"};
	const struct conf_ent *at;

	for (size_t i = 0; i < RTE_DIM(of_udp); i++) {
		at = sa_key(c, sa->name, of_udp[i]);
		if (at != NULL && !sa->sa.udp)
			return conf_fail(e, at, "does nothing without encapsulation = udp");
	}
	for (size_t i = 0; i < RTE_DIM(of_tunnel); i++) {
		at = sa_key(c, sa->name, of_tunnel[i]);
		if (at != NULL && sa->sa.mode != ESP_MODE_TUNNEL)
			return conf_fail(e, at, "does nothing without mode = tunnel");
	}
	return 0;
}

int
conf_check_sa(
	const struct tl_conf *c, struct stack_conf *sc, struct conf_sa *sa, struct tl_error *e)
{
	static const char *const needed[] = {
		"spi", "direction", "local", "remote", "local-id", "peer-id"};
	const char *why;
	int rc;

	for (size_t i = 0; i < RTE_DIM(needed); i++) {
		if (sa_key(c, sa->name, needed[i]) == NULL)
			return conf_fail(
				e, NULL, "[sa %s]: expected a key \"%s\"", sa->name, needed[i]);
	}
	rc = check_tunnel(c, sa, e);
	if (rc == 0)
		rc = check_keys(c, sc, sa, e);
	if (rc != 0)
		return rc;
	if (sa->sa.owner >= sc->workers)
		return conf_fail(e, sa_key(c, sa->name, "worker"),
			"expected a worker below %u ([stack] workers)", sc->workers);
	if (esp_sa_check(&sa->sa, &why) != 0)
		return conf_fail(e, NULL, "[sa %s]: %s", sa->name, why);
	rc = check_used(c, sa, e);
	if (rc != 0)
		return rc;
	sa_selectors(c, sa);
	if (conf_sa_finish(sc, &sa->sa) != 0)
		return conf_fail(e, NULL, "out of memory");
	return 0;
}

/* "ipv6 = no" is for who has said nothing else. */
static int
finish_port6(const struct tl_conf *c, struct conf_port *p, struct tl_error *e)
{
	const struct conf_ent *said;
	char section[CONF_NAME + 8];

	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (!ip_addr_is_v4(&p->addr[i].addr))
			p->ip6 = true;
	}
	p->ip6 |= p->accept_ra;
	if (!p->ip6)
		return 0;
	snprintf(section, sizeof(section), "port %s", p->name);
	said = conf_find(c, section, "ipv6");
	if (said != NULL && conf_one_of(said->value, "no,false,0,off") >= 0)
		return conf_fail(e, said,
			"the port has an IPv6 address or accept-ra; take that away, or this key");
	/* RFC 8200 s5 */
	if (p->mtu_bytes < 1280)
		return conf_fail(e, conf_find(c, section, "mtu"),
			"IPv6 needs 1280 bytes at least; raise it, or take the IPv6 address away");
	return 0;
}

/* A link-local gateway is on the link that its port names; with one port that goes without saying.
 */
static int
finish_route(const struct stack_conf *sc, struct conf_route *r, struct tl_error *e)
{
	char net[IP_ADDR_STRLEN];

	if (!ip_addr_is_link_local(&r->via))
		return 0;
	for (uint32_t i = 0; i < sc->nb_ports; i++) {
		if (strcmp(sc->port[i].name, r->via_port) == 0 ||
			(r->via_port[0] == '\0' && sc->nb_ports == 1)) {
			ip_addr_set_scope(&r->via, (uint8_t)i);
			return 0;
		}
	}
	return conf_fail(e, NULL,
		"[route %s/%u] via: expected the name of a port behind a link-local address, such "
		"as fe80::1%%%s",
		ip_addr_str(&r->net, net), r->plen, sc->port[0].name);
}

static int
finish_port(const struct conf_port *p, struct tl_error *e)
{
	if (p->device[0] == '\0')
		return conf_fail(e, NULL, "[port %s]: expected a key \"device\"", p->name);
	if (p->nb_addrs == 0 && !p->ip6)
		return conf_fail(e, NULL, "[port %s]: expected a key \"address\"", p->name);
	if (strcmp(p->device, "memory") == 0 && p->mport == NULL)
		return conf_fail(e, NULL,
			"[port %s] device: memory needs a program that calls tl_conf_mport()",
			p->name);
	return 0;
}

static const struct conf_ent *
except_key(const struct tl_conf *c, const struct conf_except *x, const char *key)
{
	char section[CONF_NAME + 12];

	snprintf(section, sizeof(section), "exception %s", x->name);
	return conf_find(c, section, key);
}

/* What the stack answers itself is not the host's; port 4500 carries ESP. */
static int
check_lists(const struct tl_conf *c, const struct conf_except *x, struct tl_error *e)
{
	static const uint8_t ours[] = {
		IPPROTO_N_ICMP, IPPROTO_N_TCP, IPPROTO_N_UDP, IPPROTO_N_ESP, IPPROTO_N_ICMP6};

	for (uint32_t i = 0; i < x->udp.n; i++) {
		if (x->udp.v[i] == 4500)
			return conf_fail(e, except_key(c, x, "udp"),
				"port 4500 carries ESP too; \"ike\" takes what is not ESP there");
	}
	for (uint32_t i = 0; i < x->protocol.n; i++) {
		if (memchr(ours, x->protocol.v[i], sizeof(ours)) != NULL)
			return conf_fail(e, except_key(c, x, "protocol"),
				"expected protocols that the stack does not handle itself, got %u",
				x->protocol.v[i]);
	}
	return 0;
}

static int
finish_except(const struct tl_conf *c, const struct stack_conf *sc, struct conf_except *x,
	struct tl_error *e)
{
	uint32_t p = 0;

	if (x->port_name[0] == '\0' || x->interface[0] == '\0')
		return conf_fail(e, NULL,
			"[exception %s]: expected the keys \"port\" and \"interface\"", x->name);
	while (p < sc->nb_ports && strcmp(sc->port[p].name, x->port_name) != 0)
		p++;
	if (p == sc->nb_ports)
		return conf_fail(e, except_key(c, x, "port"),
			"expected the name of a port, got \"%s\"", x->port_name);
	x->port = (uint8_t)p;
	for (const struct conf_except *o = sc->except; o < x; o++) {
		if (o->port == x->port || strcmp(o->interface, x->interface) == 0)
			return conf_fail(e, except_key(c, x, "port"),
				"expected a port and an interface of its own; [exception %s] has "
				"it",
				o->name);
	}
	return check_lists(c, x, e);
}

/* The SA before sc->sa[i] that has its key: for the message only. */
static const char *
key_owner(const struct stack_conf *sc, uint32_t i)
{
	struct key_memory keys = {.digest = NULL};
	const char *name = "?";
	int rc = key_remember(&keys, &sc->sa[i].sa);

	for (uint32_t j = 0; j < i && rc == 0; j++) {
		rc = key_remember(&keys, &sc->sa[j].sa);
		if (rc == -EEXIST)
			name = sc->sa[j].name;
	}
	free(keys.digest);
	return name;
}

/* RFC 4106 s3: a nonce must not repeat under a key, so no two SAs share one. */
static int
check_keys_differ(const struct tl_conf *c, const struct stack_conf *sc, struct tl_error *e)
{
	struct key_memory keys = {.digest = NULL};
	const struct conf_ent *at;
	uint32_t i;
	int rc = 0;

	for (i = 0; i < sc->nb_sas && rc == 0; i++)
		rc = key_remember(&keys, &sc->sa[i].sa);
	free(keys.digest);
	if (rc == 0)
		return 0;
	if (rc != -EEXIST)
		return conf_fail(e, NULL, "out of memory");
	i--;
	at = sa_key(c, sc->sa[i].name, "key");
	return conf_fail(e, at != NULL ? at : sa_key(c, sc->sa[i].name, "integrity-key"),
		"expected a key of its own; [sa %s] has the same, so nonces could repeat",
		key_owner(sc, i));
}

/* F-47: what a PAD may not be is said before any port is opened. */
static int
check_peers(const struct stack_conf *sc, struct tl_error *e)
{
	struct latch_pad_fault f;
	struct latch_pad *pad;

	if (latch_pad_build(sc->peer, sc->nb_peers, &pad, &f) != 0)
		return conf_fail(e, NULL, "[peer %s]: %s%s%s%s",
			f.entry == NULL ? "" : f.entry->name, f.why,
			f.with == NULL ? "" : " ([peer ", f.with == NULL ? "" : f.with->name,
			f.with == NULL ? "" : "])");
	latch_pad_free(pad);
	return 0;
}

static int
check_tcp(const struct tl_conf *c, const struct stack_conf *sc, struct tl_error *e)
{
	const struct conf_ent *key = conf_find(c, "tcp", "fastopen-key");
	const struct tcp_conf *t = &sc->tcp;

	if (t->rto_max_us < RTE_MAX(t->rto_min_us, t->rto_init_us))
		return conf_fail(e, NULL,
			"[tcp] rto-max-ms: expected at least rto-min-ms and rto-initial-ms, got %u",
			t->rto_max_us / 1000);
	if (t->port_first > t->port_last)
		return conf_fail(e, conf_find(c, "tcp", "first-port"),
			"expected a port not above last-port, which is %u", t->port_last);
	if (key != NULL && key->file != NULL && !c->file_is_private)
		return conf_fail(e, key,
			"a file with keys must be readable by its owner only; try chmod 600 %s",
			key->file);
	return 0;
}

static int
check_sctp(const struct stack_conf *sc, struct tl_error *e)
{
	const struct sctp_conf *s = &sc->sctp;

	/* RFC 9260 s6.3.1 */
	if (s->rto_min_ms > s->rto_init_ms || s->rto_init_ms > s->rto_max_ms)
		return conf_fail(e, NULL,
			"[sctp] rto-initial-ms: expected rto-min-ms (%u) to rto-max-ms (%u), got "
			"%u",
			s->rto_min_ms, s->rto_max_ms, s->rto_init_ms);
	return 0;
}

int
conf_check(const struct tl_conf *c, struct stack_conf *sc, struct tl_error *e)
{
	int rc = check_peers(sc, e);

	if (rc == 0)
		rc = check_tcp(c, sc, e);
	if (rc == 0)
		rc = check_sctp(sc, e);
	if (sc->nb_ports == 0)
		return conf_fail(e, NULL, "expected at least one section [port NAME]");
	for (uint32_t i = 0; i < sc->nb_ports && rc == 0; i++)
		rc = finish_port6(c, &sc->port[i], e);
	for (uint32_t i = 0; i < sc->nb_ports && rc == 0; i++)
		rc = finish_port(&sc->port[i], e);
	for (uint32_t i = 0; i < sc->nb_excepts && rc == 0; i++)
		rc = finish_except(c, sc, &sc->except[i], e);
	for (uint32_t i = 0; i < sc->nb_routes && rc == 0; i++)
		rc = finish_route(sc, &sc->route[i], e);
	for (uint32_t i = 0; i < sc->nb_rules && rc == 0; i++)
		rc = conf_check_rule(c, &sc->rule[i], e);
	for (uint32_t i = 0; i < sc->nb_sas && rc == 0; i++)
		rc = conf_check_sa(c, sc, &sc->sa[i], e);
	return rc != 0 ? rc : check_keys_differ(c, sc, e);
}
