/* SPDX-License-Identifier: BSD-3-Clause */
/* spd.h - the policy as the workers read it. Private to esp. */
#ifndef TL_ESP_SPD_H
#define TL_ESP_SPD_H

#include <rte_acl.h>

#include "esp/esp.h"

enum { SPD_CACHE_SLOTS = 1024, SPD_LINEAR_MAX = 8 };

/* Built by the control context, read by every worker, never changed. */
struct spd {
	uint32_t nb_rules;
	uint32_t *by_id;            /* positions, in the order of ids */
	struct rte_acl_ctx *acl[2]; /* [inbound]; NULL: few rules, searched one by one */
	struct spd_rule rule[];
};

/* What a worker found for a flow, while policy and SAD stay as they were. */
struct spd_cached {
	struct flow_key key;
	uint32_t version; /* of the policy; 0: empty */
	uint32_t rule;    /* position + 1; 0: none matches */
	uint32_t sad_version;
	uint32_t sa; /* outbound PROTECT: slot + 1; 0: not looked up */
};

/* A worker's view. */
struct spd_view {
	const struct spd *spd;
	uint64_t *hits;      /* by rule, of this worker */
	uint64_t *next_hits; /* of the policy that spd_prepare() announced */
	uint32_t version;    /* raised whenever another policy is installed */
	uint32_t seed;
	struct spd_cached cache[2][SPD_CACHE_SLOTS]; /* [inbound] */
};

/* What the policy says of a flow, remembered. NULL without a policy. */
struct spd_cached *spd_look_up(struct lcore *lc, bool inbound, const struct flow_key *k);

/* Whether an outbound SA is usable and gives what a rule (struct spd_rule) asks for. */
struct esp_sa;
bool spd_fits_rule(const struct esp_sa *sa, const void *rule);

/* Classifiers for the rules of s. Returns 0, or -errno with the reason in *why. */
int spd_acl_build(struct spd *s, const char **why);
void spd_acl_free(struct spd *s);

/* Position + 1 of the first rule of a direction that covers k, 0 if none does. */
uint32_t spd_acl_find(const struct spd *s, bool inbound, const struct flow_key *k);

#endif
