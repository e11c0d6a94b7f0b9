/* SPDX-License-Identifier: BSD-3-Clause */
/* esp_env.h - a worker with a SAD, and packets through esp_out() and esp_in(). */
#ifndef TL_TESTS_ESP_ENV_H
#define TL_TESTS_ESP_ENV_H

#include "esp/sa.h"
#include "tests/util/lc_env.h"

enum { EE_PAYLOAD = 41, EE_SPI_IN = 0x1001, EE_SPI_OUT = 0x2002, EE_PROFILE = 5, EE_MAX = 2000 };

extern struct env *ee;
extern const struct ip_addr ee_here, ee_there;   /* 10.0.0.1, 10.0.0.2 */
extern const struct ip_addr ee_here6, ee_there6; /* fd00::1, fd00::2 */
extern struct esp_event ee_event[64];            /* what the worker told */
extern uint32_t ee_events;

/* Fixtures: the second asserts that no packet is left. */
void ee_setup(void);
void ee_teardown(void);

/* AES-GCM-128, ESN, transport, window 64, every flow. */
struct esp_sa_conf ee_sa(bool inbound);

/* The same with keys of the lengths that its suite wants. */
void ee_sa_suite(struct esp_sa_conf *c, uint16_t encr, uint16_t bits, uint16_t integ);

/* Inbound in slot 0, outbound in slot 1 with the inbound SPI, so that what goes out can come in. */
void ee_add_pair(const struct esp_sa_conf *in, const struct esp_sa_conf *out);
void ee_add_default_pair(void);

/* Ports 80 (there) and 4000 (here), then bytes that count up. */
void ee_payload(uint8_t p[EE_PAYLOAD]);

/* A packet in front of esp_out() with the SA of slot 1. */
struct rte_mbuf *ee_packet(uint8_t nxt, const uint8_t *payload, uint32_t len);

/* Encrypts by slot 1; out holds EE_MAX bytes. Returns the length. */
uint32_t ee_encrypt(uint8_t nxt, const uint8_t *payload, uint32_t len, uint8_t *out);

/* Hands ESP bytes to esp_in() as a buffer of exactly their size; returns what came out at nx. */
struct rte_mbuf *ee_receive(const uint8_t *esp, uint32_t len, enum pkt_next nx);

uint64_t ee_drops(void);

/* An IPv4 or IPv6 packet with EE_PAYLOAD bytes of TCP from there to here. Returns its length. */
uint32_t ee_inner(uint8_t *out, bool v6);

#endif
