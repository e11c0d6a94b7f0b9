/* SPDX-License-Identifier: BSD-3-Clause */
/* common.h - the command line that all programs share: -f FILE, --set KEY=VALUE. */
#ifndef TL_APPS_COMMON_H
#define TL_APPS_COMMON_H

#include <stdio.h>

#include "stack/include/tl.h"

enum { EXIT_CONFIG = 2 };

/* Prints e and ends the program with EXIT_CONFIG. */
void die_config(const struct tl_error *e) __attribute__((noreturn));

/*
 * What every program understands: -f, -s, -V, -h. -V and -h end the program with 0; any other
 * letter is no option of it, and ends it with EXIT_CONFIG after its usage.
 */
void common_option(int opt, struct tl_conf *c, const char **file, void (*usage)(FILE *out));

/* "SECTION.KEY=VALUE" of --set; ends the program if it is none. */
void conf_set_arg(struct tl_conf *c, const char *arg);

/* Loads the file if there is one, starts DPDK, makes the stack; ends the program on error. */
struct tl_stack *stack_from(struct tl_conf *c, const char *file);

/* SIGINT and SIGTERM stop s; NULL takes the handler away. */
void stop_on_signals(struct tl_stack *s);

#endif
