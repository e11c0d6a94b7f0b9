/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_env.h - TCP alone: one worker, a peer played by the test, a latch that says what it is told.
 *
 * The tests speak in segments with relative numbers: the peer's first octet (its SYN) is 0 and so
 * is ours. The worker is 10.0.0.1, the peer 10.0.0.2. setup() and teardown() are the fixtures; the
 * second one fails the test if a packet, chunk, latch or control block is left.
 */
#ifndef TL_TESTS_TCP_TCP_ENV_H
#define TL_TESTS_TCP_TCP_ENV_H

#include "stack/include/tl_sock.h"
#include "tcp/tcp_int.h"
#include "tests/util/lc_env.h"

enum { PEER_ISS = 0x7ffffff0, PEER_PORT = 4000, OWN_PORT = 80, PEER_WND = 65535, MSS = 1460 };

/* What the fake latch does and saw. */
struct fake {
	uint8_t verdict;
	uint8_t reason;
	int open_rc;
	enum drop_reason spawn_rc;
	const struct latch *refuser; /* this listener's request does not fit */
	bool waits;                  /* latch_conflict() says PAUSE */
	bool was_open, window, suspended;
	uint8_t new_syn;
	uint32_t overhead;
	bool any_stamp;      /* latches in every state are stamped from */
	bool stale_verdicts; /* latch_holds() says no */
	bool drop_recheck;   /* latch_recheck() drops the packet */
	bool drop_unowned;   /* policy refuses what no connection owns */
	bool stale;          /* the SA of whatever is asked about was revoked */
	struct flow_dir
		*rival;   /* another worker takes the 5-tuple that latch_spawn() is asked for */
	uint16_t tun_mtu; /* not 0: latches are tunnels to TUNNEL_PEER, and this is its MTU */
	uint32_t rechecks;
	uint32_t opened, spawned, released, broken, stamped, answered, wakes;
	int32_t in_use;
};

struct tcp_env {
	struct env *e;
	struct lcore *lc;
	struct fake fake;
	struct sock lsn;      /* listener, if the state was reached passively */
	struct sock s;        /* the connection's socket */
	struct tcp_pcb *p;    /* the connection */
	struct pkt_queue out; /* what the worker sent and the test has not looked at */
	uint32_t peer_iss;
	uint16_t peer_mss;
	int peer_ws;    /* -1: the peer does not offer it */
	bool peer_sack; /* the peer permits SACK */
	bool peer_ts;
	uint32_t peer_ts_val;
};

extern struct tcp_env t;

/* A segment from the peer. Missing members: ACK of nothing new is not guessed, all are 0. */
struct in {
	uint8_t flags;
	uint32_t seq; /* relative to the peer's SYN */
	uint32_t ack; /* relative to our SYN */
	uint32_t wnd; /* the field; 0 means PEER_WND */
	bool wnd_0;
	const void *data;
	uint16_t len; /* without data: that many bytes of the pattern */
	uint8_t opts; /* TCP_O_* besides what the connection negotiated */
	bool no_ts;
	uint32_t ts_ecr;
	const uint8_t *tfo; /* with TCP_O_TFO in opts */
	uint8_t tfo_len;
	struct tcp_sack_block sack[4]; /* relative to our SYN; the first empty one ends them */
	uint16_t peer_port;
	bool bad_csum;
};

#define RX(...) env_rx(&(struct in){__VA_ARGS__})
#define F       TCP_F_FIN
#define S       TCP_F_SYN
#define R       TCP_F_RST
#define P       TCP_F_PSH
#define A       TCP_F_ACK

void setup(void);
/* With the windows of RFC 5681, which are easy to say in numbers. */
void setup_newreno(void);
void teardown(void);

/* Gives the segment to tcp_in() and collects what is sent then. */
void env_rx(const struct in *in);

/* As env_rx(), without letting the worker send. */
void env_rx_quiet(const struct in *in);

/* The mbuf that env_rx() would give. */
struct rte_mbuf *env_segment(const struct in *in);

/* One transmit turn: collects answers and segments. */
void env_turn(void);

/* Lets time pass; timers run in order, each followed by a transmit turn. */
void env_wait_us(uint64_t us);

/* The next segment that was sent, relative numbers, checksum verified; fails if there is none.
 * SACK blocks are relative to the peer's SYN. PSH is not reported. Payload goes to *data (4096
 * bytes) if that is not NULL. */
struct tcp_seg env_tx(uint8_t *data);

/* The next segment has these flags, numbers and payload length. */
#define EXPECT(flags_, seq_, ack_, len_)                                                           \
	do {                                                                                       \
		struct tcp_seg g_ = env_tx(NULL);                                                  \
		ck_assert_uint_eq(g_.flags, (flags_));                                             \
		ck_assert_uint_eq(g_.seq, (uint32_t)(seq_));                                       \
		if ((g_.flags & TCP_F_ACK) != 0)                                                   \
			ck_assert_uint_eq(g_.ack, (uint32_t)(ack_));                               \
		ck_assert_uint_eq(g_.len, (len_));                                                 \
	} while (0)

/* Nothing was sent. */
#define EXPECT_NONE() ck_assert_uint_eq(t.out.n, 0)

#define EXPECT_STATE(st) ck_assert_str_eq(tcp_state_name(t.p->state), tcp_state_name(TCPS_##st))

uint64_t env_drops(enum drop_reason r);

/* A socket in CLOSED. */
void sock_new(struct sock *s);

/* Builders: drive t.p and t.s there by segments; nothing is left in t.out. */
void pcb_listen(void);
void pcb_syn_sent(void);
void pcb_syn_rcvd(void);        /* passive; t.s has no control block yet */
void pcb_syn_rcvd_active(void); /* simultaneous open */
void pcb_established(void);
void pcb_passive_queued(void); /* ESTABLISHED, not accepted */
void pcb_passive(void);        /* ESTABLISHED, accepted into t.s */
void pcb_fin_wait_1(void);
void pcb_fin_wait_2(void);
void pcb_close_wait(void);
void pcb_closing(void);
void pcb_last_ack(void);
void pcb_time_wait(void);

/* The socket calls on t.s. */
ssize_t s_send(size_t len); /* that many bytes of the pattern */
ssize_t s_recv(void *buf, size_t len);
void s_close(void);
int s_so_error(void);
const uint8_t *pattern(void);

#endif
