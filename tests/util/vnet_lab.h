/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnet_lab.h - two stacks, their SAs, a rogue with SAs of its own, and a wire that is read.
 *
 * Node 0 is the server, node 1 the client. Direction d goes from node d to the other. The tap
 * opens everything with the keys that the lab gave out, so a test speaks in segments.
 */
#ifndef TL_TESTS_UTIL_VNET_LAB_H
#define TL_TESTS_UTIL_VNET_LAB_H

#include "stack/ctl/show.h"
#include "stack/run/run.h"
#include "tests/util/esp_craft.h"
#include "tests/util/lc_env.h"
#include "tests/util/vnet_app.h"

enum { LAB_SAS = 32, LAB_KEPT = 64, LAB_SPI = 0x1000, LAB_ROGUE = 0x66600, LAB_ANSWER = 0x77700 };

struct lab_opts {
	bool tunnel, ethernet, named_policy, clear, no_answer_sa;
	bool m2_drop, m3_drop, spd_break;
	bool unambiguous;     /* C-7: the SAs of the rogue stop connections from being made */
	const char *more[8];  /* "section.key=value" of both stacks */
	unsigned int workers; /* of the server; its SAs belong to the last one */
	uint32_t window;
};

struct lab_kept {
	size_t len;
	uint8_t bytes[CRAFT_MAX];
};

struct lab {
	struct lab_opts o;
	struct vnet *v;
	struct vnet_node *n[2];
	struct app app;
	struct app_conn *c;
	struct craft_sa *known[LAB_SAS]; /* what the tap can open */
	uint32_t nb_known;
	struct craft_sa good[2], bad[2], answer[2]; /* bad: rogue to node d; answer: node d to it */
	uint32_t gen;
	bool block[2]; /* frames of this direction are taken off */
	struct craft_seg last[2];
	uint32_t clear[2], esp[2], arp[2], under_rogue[2];
	uint32_t last_spi[2];
	struct craft_seg to_rogue; /* last segment under an answer SA */
	struct lab_kept kept[2][LAB_KEPT];
	uint32_t nb_kept[2];
};

/* Keys and SPI of one direction, drawn from the seed. */
void lab_sa_draw(struct vnet *v, struct craft_sa *sa, uint32_t spi, uint32_t src, uint32_t dst);

/* Gives an SA to a stack. extra: more words for it, "" for none. */
void lab_sa_add(struct vnet_node *n, const char *name, const struct craft_sa *sa, bool in,
	const char *peer, const char *extra);
void lab_sa_del(struct vnet_node *n, const char *name, bool revoked);

/* Two stacks with one generation of SAs ("in0", "out0") and the rogue's ("rogue-in", "rogue-out").
 */
struct lab *lab_new(const struct lab_opts *o);
void lab_free(struct lab *l);

/* The tap learns an SA. */
void lab_know(struct lab *l, struct craft_sa *sa);

/* The next generation, make before break: "inN", "outN"; the old one is deleted. */
void lab_rekey(struct lab *l);

/* A connection of held ends, client to server, established; sizes of both streams. */
void lab_open(struct lab *l, uint64_t tx, uint64_t rx);
/* The same, but only begun. */
void lab_begin(struct lab *l, uint64_t tx, uint64_t rx);

/* Lets both ends go on and checks that they complete. */
void lab_complete(struct lab *l);

void lab_pass(struct lab *l, uint64_t ns);

/* A segment as node d would send it next on the connection, with these flags. */
struct craft_seg lab_seg(struct lab *l, uint32_t d, uint8_t flags);

/* Sends a segment of direction d to the other node: in clear, or under an SA. */
void lab_send_clear(struct lab *l, uint32_t d, const struct craft_seg *s);
void lab_send(struct lab *l, uint32_t d, struct craft_sa *sa, const struct craft_seg *s);

/* Frames that node d has sent so far. */
uint32_t lab_sent(const struct lab *l, uint32_t d);

/* The control block of the connection at a node (not a listener); false if there is none. */
struct tcp_row;
bool lab_pcb(struct lab *l, uint32_t node, struct tcp_row *out);
const char *lab_state(struct lab *l, uint32_t node);

uint64_t lab_stat(struct lab *l, uint32_t node, const char *name);

#endif
