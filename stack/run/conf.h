/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf.h - a configuration, first as the text of its keys, then as checked values.
 */
#ifndef TL_RUN_CONF_H
#define TL_RUN_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "esp/esp.h"
#include "latch/latch.h"
#include "stack/base/port.h"
#include "stack/include/tl.h"
#include "sctp/sctp.h"
#include "stack/udp/udp.h"
#include "tcp/tcp.h"

enum { CONF_MAX_ADDRS = 8 }; /* of a port; there is room for what routers add */
enum { CONF_NAME = 64, CONF_MAX_ROUTES = 256, CONF_LIST = 16 };

/* One key as written. */
struct conf_ent {
	char section[CONF_NAME];
	char key[CONF_NAME];
	char *value;
	const char *file; /* NULL: set by the program or the command line */
	uint32_t line;
	bool is_override;
	struct conf_ent *next;
};

struct conf_mport {
	char name[CONF_NAME];
	const struct tl_mport_ops *ops;
	void *ctx;
	struct conf_mport *next;
};

struct tl_conf {
	struct conf_ent *head, **tail;
	struct conf_mport *mport;
	char *file;           /* the one that was loaded, or NULL */
	bool file_is_private; /* readable by its owner only */
};

/* The value of a key, or NULL. */
const struct conf_ent *conf_find(const struct tl_conf *c, const char *section, const char *key);

/* Whether the value of a key must never be shown. */
bool conf_is_secret(const char *key);

/* Fills e with "file:line: [section] key: ..." and returns -EINVAL. */
int conf_fail(struct tl_error *e, const struct conf_ent *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets "key=value key=value" as the keys of a section. Returns 0, -EINVAL or -ENOMEM. */
int conf_set_words(struct tl_conf *c, const char *section, const char *words, struct tl_error *e);

struct conf_port {
	char name[CONF_NAME];
	char device[256];
	const struct conf_mport *mport; /* NULL: a DPDK device */
	struct rte_ether_addr mac;
	bool has_mac, bare_ip, exact;
	bool ip6, no_dad, accept_ra, offload;
	uint16_t mtu_bytes, vlan;
	uint32_t realm;
	uint32_t nb_addrs;
	struct port_addr addr[PORT_MAX_ADDRS];
};

struct conf_route {
	struct ip_addr net, via;
	char via_port[CONF_NAME]; /* of a link-local gateway, empty: not given */
	uint8_t plen;
};

struct conf_ident {
	char name[CONF_NAME];
	uint32_t handle;
};

struct conf_sa {
	char name[CONF_NAME];
	struct esp_sa_conf sa; /* wiped after use */
};

/* Numbers of a key that takes several. */
struct conf_list {
	uint32_t n;
	uint16_t v[CONF_LIST];
};

/* One [exception NAME]: what of a port goes to the host's kernel. */
struct conf_except {
	char name[CONF_NAME];
	char port_name[CONF_NAME];
	char interface[16];
	uint8_t port; /* its index */
	bool no_ike, no_configure;
	struct conf_list udp, tcp, protocol;
};

/* What `capture start` was told. */
struct conf_capture {
	struct esp_sel sel; /* its realm does not matter */
	char sa[CONF_NAME]; /* empty: every packet */
	uint32_t spi;       /* 0: every packet */
	uint32_t snap_bytes;
	uint32_t buffer_kb; /* of each worker */
	bool drops;         /* nothing else */
};

/* Everything checked; handles of identities and profiles are of `tables`. */
struct stack_conf {
	uint32_t workers;
	uint32_t mbufs, chunks, sockets; /* of each worker */
	bool manual_keys;
	bool telemetry; /* for the start of DPDK */
	bool has_seed;  /* tests: repeatable random numbers */
	uint8_t seed[32];
	uint64_t iv_start; /* tests: first explicit IV of every SA; 0: from the wall clock (E-13) */
	bool esp_pmtu;     /* believe what routers say about our ESP (RFC 4301 s6.1.1) */
	uint32_t max_sas;  /* SA halves */
	char control_socket[108]; /* as in struct sockaddr_un; empty: none */
	struct latch_conf latch;
	struct tcp_conf tcp;
	struct sctp_conf sctp; /* ports are those of the stack */
	struct udp_conf udp;   /* number of sockets and ports are those of the stack */
	uint32_t nb_ports, nb_routes, nb_idents, nb_sas, nb_rules, nb_excepts, nb_peers;
	struct conf_port port[LC_MAX_PORTS];
	struct conf_route route[CONF_MAX_ROUTES];
	struct conf_except except[LC_MAX_PORTS];
	struct conf_ident *ident;
	struct conf_sa *sa;
	struct spd_rule *rule;
	struct latch_pad_entry *peer;
	uint32_t cap_idents, cap_sas, cap_rules, cap_peers;
	struct latch_tables *tables;
};

/* Checks every key of c. Returns 0, or -EINVAL with *e filled. *out is zeroed first. */
int conf_build(const struct tl_conf *c, struct stack_conf *out, struct tl_error *e);

/* Wipes and frees what conf_build() allocated, except the tables. */
void conf_done(struct stack_conf *sc);

/* Reads the keys of one [sa NAME] section that stand in c. */
int conf_read_sa(const struct tl_conf *c, struct stack_conf *sc, const char *name,
	struct esp_sa_conf *out, struct tl_error *e);

/* Reads the keys of one [policy NAME] section that stand in c. */
int conf_read_rule(const struct tl_conf *c, struct stack_conf *sc, const char *name,
	struct spd_rule *out, struct tl_error *e);

/* Reads the keys of one [peer NAME] section that stand in c. */
int conf_read_peer(const struct tl_conf *c, struct stack_conf *sc, const char *name,
	struct latch_pad_entry *out, struct tl_error *e);

/* What every new SA gets, when the rest of it is complete: where its IVs start, and its profile.
 * Returns 0 or -ENOMEM. */
int conf_sa_finish(const struct stack_conf *sc, struct esp_sa_conf *sa);

/* The handle of an identity written as "fqdn:host.example"; 0 if it is none. */
uint32_t conf_ident_in_place(const struct stack_conf *sc, const char *text);

/* Reads the keys of the section [capture] that stand in c. */
int conf_read_capture(const struct tl_conf *c, struct conf_capture *out, struct tl_error *e);

/* A key and its value in force, whoever decided. */
struct conf_shown {
	const char *key;
	const char *allowed; /* what may stand there */
	char value[32];
};

/* The nth key of a section; false: there are fewer. */
bool conf_shown_nth(
	const struct stack_conf *sc, const char *section, uint32_t n, struct conf_shown *out);

#endif
