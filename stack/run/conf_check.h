/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf_check.h - the second half of reading a configuration: its values together. Private to
 * stack/run.
 *
 * Each fills what follows from the keys that were given and refuses what cannot work. Returns 0, or
 * -EINVAL with *e filled.
 */
#ifndef TL_RUN_CONF_CHECK_H
#define TL_RUN_CONF_CHECK_H

#include "stack/run/conf.h"

/* A whole configuration, every key read. */
int conf_check(const struct tl_conf *c, struct stack_conf *sc, struct tl_error *e);

/* One [sa NAME] or [policy NAME] section of c. */
int conf_check_sa(
	const struct tl_conf *c, struct stack_conf *sc, struct conf_sa *sa, struct tl_error *e);
int conf_check_rule(const struct tl_conf *c, struct spd_rule *r, struct tl_error *e);

#endif
