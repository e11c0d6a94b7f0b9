/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.h - copies of packets for a file: after decryption, before encryption, and when dropped.
 *
 * Off, it costs one branch for each burst and one for each drop. On, a worker copies what passes
 * the filter into a queue of its own and never waits; a thread writes the queues to the file.
 */
#ifndef TL_RUN_CAPTURE_H
#define TL_RUN_CAPTURE_H

#include "stack/base/recq.h"
#include "stack/run/run.h"

enum { CAPTURE_ANY_SA = UINT32_MAX };

struct capture_filter {
	struct esp_sel sel; /* its realm does not matter */
	uint32_t sad_index; /* CAPTURE_ANY_SA: every packet */
	uint32_t sad_gen;
	uint32_t spi; /* 0: every packet */
	bool drops;   /* nothing else */
};

/* One worker's end, lc->capture while a capture runs. */
struct capture_tap {
	struct capture_filter filter;
	uint32_t snap_bytes;
	uint64_t wall_base_ns; /* wall clock minus the worker's clock */
	uint64_t captured, lost;
	struct recq *q;
};

/* One packet in the queue; cap_len bytes follow. */
struct capture_rec {
	uint64_t wall_ns;
	uint32_t len, cap_len;
	uint32_t spi;       /* 0: not known */
	uint32_t sad_index; /* valid if has_sa */
	uint32_t sad_gen;
	uint32_t profile; /* 0: clear */
	bool has_sa;
	bool out;
	uint16_t drop; /* enum drop_reason, NONE: it goes on */
};

/* After the verdict: what the transports will see. */
void capture_in(struct lcore *lc, const struct pkt_sort *s);

/* The same for one packet that the verdict is not for. */
void capture_packet(struct lcore *lc, const struct rte_mbuf *m);

/* After spd_out(): what ESP will hide, or go in clear. */
void capture_out(struct lcore *lc, const struct pkt_vec *v);

/* lc->on_drop while a capture runs. */
void capture_drop(struct lcore *lc, const struct rte_mbuf *m, enum drop_reason r);

/* "spi 0x1000, sad 3.1, profile 5, dir in, drop latch-m3". */
void capture_comment(const struct capture_rec *r, char *out, size_t cap);

/* What runs: the file and its filter as it was written; NULL: nothing. Under control_lock(). */
const char *capture_file(const struct tl_stack *s);
const char *capture_filter_text(const struct tl_stack *s);

/* tl_capture_stop() for a stack that ends. */
void capture_end(struct tl_stack *s);

#endif
