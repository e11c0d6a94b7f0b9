/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_stack.h - one whole stack behind a memory port, for the fuzz targets.
 *
 * Each input ends with fuzz_settle(): virtual time passes until nothing waits for anything any
 * more, and no packet buffer may be left. So inputs hardly depend on each other.
 */
#ifndef TL_TESTS_FUZZ_STACK_H
#define TL_TESTS_FUZZ_STACK_H

#include <stddef.h>
#include <stdint.h>

#include "stack/base/stat.h"
#include "tests/util/esp_craft.h"

enum { FUZZ_ME = 0x0a000001, FUZZ_PEER = 0x0a000002, FUZZ_FRAME_MAX = 2000 };

/* libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Opens the stack once: 10.0.0.1/24 and fd00::1/64, peers 10.0.0.2 and fd00::2, an echo port 7.
 * action: of the only policy, "bypass" or "protect". Later calls do nothing.
 */
void fuzz_open(const char *action);

/* A frame for the stack, from Ethernet on. */
void fuzz_frame(const uint8_t *frame, size_t len);

/* The same for an IP packet: it gets the Ethernet header of its version. */
void fuzz_ip(const uint8_t *ip, size_t len);

/* Gives the stack its frames and lets it answer. */
void fuzz_run(void);

/* fuzz_run(), then more seconds than any timer has. Aborts if a packet buffer is left. */
void fuzz_settle(void);

struct tl_stack;
struct tl_stack *fuzz_tl_stack(void);

uint64_t fuzz_stat(enum stat_id id);

/* An inbound SA of the stack from the peer, tunnel or transport; its outbound twin stands too. */
struct craft_sa *fuzz_sa(int tunnel);

/* Aborts with a text if ok is 0. */
void fuzz_check(int ok, const char *what);

#endif
