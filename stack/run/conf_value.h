/* SPDX-License-Identifier: BSD-3-Clause */
/* conf_value.h - reading the values of configuration keys. Private to stack/run. */
#ifndef TL_RUN_CONF_VALUE_H
#define TL_RUN_CONF_VALUE_H

#include "stack/run/conf.h"

enum value_type {
	V_U32,
	V_U16,
	V_BOOL,
	V_TEXT,
	V_ADDR,
	V_PREFIX,
	V_ADDRS,
	V_VIA,
	V_MAC,
	V_PORTS,
	V_ICMP_TYPE,
	V_PROTO,
	V_HEX,
	V_ENCAP,
	V_DF,
	V_DSCP,
	V_NOT,
	V_AUTH_HEX,
	V_MODE,
	V_ENCR,
	V_INTEG,
	V_DIR_SA,
	V_DIR_RULE,
	V_ACTION,
	V_ENGINE,
	V_IDENT,
	V_LINK,
	V_BOOL_NOT,
	V_CONSENT,
	V_CHOICE, /* one of the words in `expected`, by its place */
	V_DROP,
	V_SPD_CHANGE,
	V_PROGRAMS, /* whether this program is among them */
	V_SEED,
	V_U64,
	V_US,
	V_TFO_KEY,
	V_LIST,
	V_NETS,
	V_CLASSES,
	V_IGNORE,
};

/* What one key means: where its value goes and how it is written. */
struct key_rule {
	const char *kind;
	const char *key;
	enum value_type type;
	uint32_t offset; /* into the object of the section */
	uint32_t min, max;
	const char *expected;
};

/* One value being read into the object of its section. */
struct reader {
	struct stack_conf *sc;
	const struct conf_ent *at;
	const struct key_rule *rule;
	uint8_t *field;
	void *obj;
};

/* The nth key of a kind of section, or NULL. */
const struct key_rule *conf_rule_nth(const char *kind, uint32_t n);

/* Reads r->at->value as r->rule says. Returns false if it is not what was expected. */
bool conf_value_read(struct reader *r);

/* "10.0.0.0/24", "10.0.0.1" or "any" to an address and a length of 128 bits. */
bool conf_read_prefix(const char *text, struct ip_addr *net, uint8_t *plen);

/* "yes", "no" and the like. */
bool conf_read_bool(const char *text, bool *out);

/* Hexadecimal digits, with or without 0x, to at most cap bytes. */
bool conf_read_hex(const char *text, uint8_t *out, size_t cap, size_t *len);

/* The position of text among "a,b,c", without case; -1 if it is none of them. */
int conf_one_of(const char *text, const char *words);

#endif
