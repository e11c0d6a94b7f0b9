/* SPDX-License-Identifier: BSD-3-Clause */
/* tlctl.h - one conversation with the control socket, and showing what it says. */
#ifndef TL_APPS_TLCTL_H
#define TL_APPS_TLCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include "stack/ctl/ctl_proto.h"
#include "stack/ctl/table.h"

enum { TLCTL_REFUSED = 1, TLCTL_USAGE = 2, TLCTL_BUF = 65536 };

struct tlctl {
	const char *path;
	bool json, all;
	long count; /* monitor: events to wait for; 0: forever */
	int fd;
	uint32_t seq;
};

/* Connects, or ends the program with a message. */
void wire_open(struct tlctl *t);

/* The header of a request in buf (TLCTL_BUF bytes), and its fixed part. */
struct nlmsghdr *wire_begin(void *buf, uint16_t type, uint16_t flags, const void *head, size_t len);

typedef void wire_fn(const struct nlmsghdr *h, void *arg);

/* Sends a request and gives each message of its answer to fn. Returns 0, or TLCTL_REFUSED after the
 * reason was printed. */
int wire_ask(struct tlctl *t, struct nlmsghdr *h, wire_fn *fn, void *arg);

/* Gives every message that comes to fn, until it returns false or the stack ends. */
int wire_listen(struct tlctl *t, bool (*fn)(const struct nlmsghdr *h, void *arg), void *arg);

/* Prints "tlctl: ..." */
void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- commands of tlctl_km.c ---- */

int latch_break(struct tlctl *t, int argc, char **argv);
int latch_close(struct tlctl *t, int argc, char **argv);
int peer_dead(struct tlctl *t, int argc, char **argv);
int peer_reboot(struct tlctl *t, int argc, char **argv);
int peer_restart(struct tlctl *t, int argc, char **argv);

/* ---- showing ---- */

extern const char *const sa_cols[],
	*const sa_short[],
		*const policy_cols[],
			*const policy_short[],
				*const latch_cols[],
					*const ident_cols[],
						*const stat_cols[],
							*const suite_cols[],
								*const info_cols[],
									*const peer_cols[];

/* Each adds a row to struct table *arg. */
wire_fn row_sa, row_policy, row_latch, row_ident, row_stat, row_suite, row_info, row_peer;

/* Rows as a table, of the columns in `only` (NULL: all); with json as an array, of all. */
void show_rows(const struct table *t, const char *const *only, bool json);

/* Each row as "column: value" lines. */
void show_detail(const struct table *t, bool json);

/* An event in one line; false if it is none. */
bool show_event(const struct nlmsghdr *h, bool json);

#endif
