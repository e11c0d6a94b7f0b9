/* SPDX-License-Identifier: BSD-3-Clause */
/* common.h - the command line that all programs share: -f FILE, --set KEY=VALUE. */
#ifndef TL_APPS_COMMON_H
#define TL_APPS_COMMON_H

#include <netinet/in.h>
#include <stdbool.h>
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

/* An address of either family with a port. */
union end {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6; /* the largest, so its size serves for both */
};

enum { END_TEXT = INET6_ADDRSTRLEN + 16 };

/* "10.0.0.1", "fd00::1" or "fe80::1%N", N the number of a port counted from 1. */
bool end_parse(const char *addr, uint16_t port, union end *out);

/* All addresses of both families, for a listener on an AF_INET6 socket. */
union end end_any(uint16_t port);

/* "10.0.0.1:7", "[fd00::1]:7"; a mapped address in its IPv4 form. */
const char *end_text(const union end *e, char out[END_TEXT]);

/* SIGINT and SIGTERM stop s; NULL takes the handler away. */
void stop_on_signals(struct tl_stack *s);

#endif
