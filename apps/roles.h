/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * roles.h - what a worker of tl-pmd does with its sockets: echo, discard, source.
 */
#ifndef TL_APPS_ROLES_H
#define TL_APPS_ROLES_H

#include <stdint.h>

#include "apps/common.h"
#include "stack/include/tl.h"

enum role_kind { ROLE_ECHO, ROLE_DISCARD, ROLE_SOURCE };
enum { ROLES_MAX = 16 };

struct role {
	enum role_kind kind;
	union end addr; /* ECHO, DISCARD: port to listen on; SOURCE: whom to connect to */
	uint64_t bytes; /* SOURCE: how many */
};

struct role_worker;

struct roles {
	uint32_t n;
	struct role role[ROLES_MAX];
	struct role_worker **worker;
	unsigned int nb_workers;
};

/* Before the stack starts. Returns 0 or -ENOSPC. */
int roles_add(struct roles *r, const struct role *one);

/* Prepares r for a stack; returns 0 or -ENOMEM. roles_free() after the stack is destroyed. */
int roles_bind(struct roles *r, struct tl_stack *s);
void roles_free(struct roles *r);

/* The callback of tl_start(); arg is the struct roles. */
void roles_turn(struct tl_worker *w, void *arg);

#endif
