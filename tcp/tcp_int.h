/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_int.h - what the files of this module call in each other, by file. */
#ifndef TL_TCP_TCP_INT_H
#define TL_TCP_TCP_INT_H

#include "tcp/tcp_more.h"
#include "tcp/tcp_pcb.h"

/* tcp_ack.c: steps of RFC 9293 s3.10.7.4, fifth, that all synchronized states share. False: the
 * segment ends here with seg->why. */
bool tcp_ack(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg);
/* The handshake is complete: window of seg, congestion control, RTO. */
void tcp_ack_open(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* The same before our SYN is acknowledged; seg is the peer's SYN. */
void tcp_ack_open_early(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* RFC 5961 s7: an ACK for a segment that may be forged, as long as the worker's budget lasts. */
void tcp_challenge_ack(struct lcore *lc, struct tcp_pcb *pcb);

/*
 * tcp_fast.c: takes plain segments of one connection from the beginning of the n at seg, of which
 * the first has the verdict ACCEPT and all verdicts hold (latch_holds()). Returns how many it took,
 * or dropped for their checksum. The first one left is not plain and changed nothing.
 */
uint32_t tcp_fast(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg, uint32_t n);

/* tcp_rcv.c */
void tcp_rcv_start(struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* Text of an acceptable segment; sets seg->fin_now when the FIN's turn has come. */
void tcp_rcv_text(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg);
/* len octets, the next in order, are in the buffer and nothing is held; of one segment or of some,
 * of which the largest says what the peer's full ones are (RFC 9293 s3.8.6.3). */
void tcp_rcv_accepted(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len, uint16_t largest);
/* What the window field would stand for now, in bytes; SWS avoidance applied. */
uint32_t tcp_rcv_window(struct lcore *lc, const struct tcp_pcb *pcb);
/* The application read: marks an ACK if the window opened enough to tell. */
void tcp_rcv_read(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_rcv_purge(struct lcore *lc, struct tcp_pcb *pcb);
/* Sorted, no overlap, behind rcv_nxt, counted right. */
bool tcp_rcv_ooo_ok(const struct tcp_pcb *pcb);

/* tcp_rexmt.c */
void tcp_rtt_sample(struct lcore *lc, struct tcp_pcb *pcb, uint32_t rtt_us);
void tcp_rexmt_timeout(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_rexmt_start(struct lcore *lc, struct tcp_pcb *pcb);
/* What was sent while nothing could leave is sent again at once (B.4, 5). */
void tcp_rexmt_resume(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_persist_start(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_persist_end(struct lcore *lc, struct tcp_pcb *pcb);

/* tcp_tune.c */
/* How large the receive buffer of a socket may become: what the window scale is for. */
uint32_t tcp_tune_rcv_max(const struct lcore *lc, const struct sock *s);
/* Of room in the receive buffer, what may be offered while chunks are short. */
uint32_t tcp_tune_room(struct lcore *lc, const struct tcp_pcb *pcb, uint32_t room);
/* A socket has the connection: what it takes is measured from here on. */
void tcp_tune_start(const struct lcore *lc, struct tcp_pcb *pcb);
/* It took something. */
void tcp_tune_rcv(struct lcore *lc, struct tcp_pcb *pcb);
/* It has more to send than there is room for. */
void tcp_tune_snd(struct lcore *lc, struct tcp_pcb *pcb);

/* tcp_ecn.c */
/* ECE and CWR of our SYN, or of the answer to one. */
uint8_t tcp_ecn_syn_flags(const struct lcore *lc, const struct tcp_pcb *pcb);
/* A SYN asks for ECN. */
bool tcp_ecn_is_asked(const struct tcp_seg *syn);
/* The peer's SYN: whether ECN is in force. */
void tcp_ecn_options(const struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* The marks of a segment that is taken. */
void tcp_ecn_text(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* Flags and marks of a segment that leaves; is_new: text that was never sent. */
void tcp_ecn_fill(struct tcp_pcb *pcb, struct tcp_seg *s, bool is_new);
/* The peer saw congestion. */
bool tcp_ecn_is_echo(const struct tcp_pcb *pcb, const struct tcp_seg *seg);

/* tcp_rec.c */
void tcp_rec_start(struct tcp_pcb *pcb);
/* An ACK told something; the scoreboard knows, snd_una has advanced by a->bytes. */
void tcp_rec_ack(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_acked *a);
/* Losses were found without an ACK. */
void tcp_rec_lost(struct lcore *lc, struct tcp_pcb *pcb);
/* Congestion, and nothing is to be sent again: at once (a probe repaired a loss), or in
 * proportion (the network says so). */
void tcp_rec_cwr(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_rec_timeout(struct lcore *lc, struct tcp_pcb *pcb);
/* Everything in flight is sent again, and not because of congestion. */
void tcp_rec_resend(struct lcore *lc, struct tcp_pcb *pcb);
/* [seq, end) left; snd_nxt does not know yet. */
void tcp_rec_sent(struct lcore *lc, struct tcp_pcb *pcb, uint32_t seq, uint32_t end);

/* tcp_rack.c */
void tcp_rack_start(struct tcp_pcb *pcb);
void tcp_rack_rtt(const struct lcore *lc, struct tcp_pcb *pcb, uint32_t rtt_us);
void tcp_rack_update(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a);
void tcp_rack_dsack(struct tcp_pcb *pcb);
void tcp_rack_recovered(struct tcp_pcb *pcb);
/* Marks what is lost by now and sets the timer for what may be; true if something is. */
bool tcp_rack_detect(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_rack_timeout(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_rack_timeout_losses(struct lcore *lc, struct tcp_pcb *pcb);
/* Sets the probe's timer if one may be sent (RFC 8985 s7.2). */
bool tcp_tlp_arm(struct lcore *lc, struct tcp_pcb *pcb);
/* After an ACK: the timer waits for the probe where it may, for the RTO where it must. */
void tcp_tlp_settle(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tlp_timeout(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tlp_sent(struct tcp_pcb *pcb, bool again);
bool tcp_tlp_ack(struct tcp_pcb *pcb, const struct tcp_acked *a);

/* tcp_prr.c */
void tcp_prr_start(struct tcp_pcb *pcb);
void tcp_prr_ack(struct tcp_pcb *pcb, const struct tcp_acked *a, bool lost_more);

/* tcp_cwv.c */
/* An ACK outside recovery that advanced snd_una. */
void tcp_cwv_ack(const struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a);
/* What a loss, or a mark, with so much in flight is weighed by. */
uint32_t tcp_cwv_lost(const struct lcore *lc, struct tcp_pcb *pcb, uint32_t flight);
/* Recovery is over, and cwnd what it came to. */
void tcp_cwv_recovered(struct tcp_pcb *pcb);
/* What was measured no longer counts. */
void tcp_cwv_forget(struct tcp_pcb *pcb);

/* tcp_tmr.c */
/* What t_rexmt waits for now, and until when. */
void tcp_tmr_at(struct lcore *lc, struct tcp_pcb *pcb, enum tcp_timer kind, uint64_t at_ns);
void tcp_tmr_pace(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tmr_delack(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tmr_2msl(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tmr_fin_wait_2(struct lcore *lc, struct tcp_pcb *pcb);
/* The send buffer has room and the pool has no chunk: wakes the socket when that has changed. */
void tcp_tmr_starved(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tmr_fed(struct lcore *lc, struct tcp_pcb *pcb);
void tcp_tmr_stop_all(struct lcore *lc, struct tcp_pcb *pcb);

/* tcp_build.c */
/*
 * Appends n segments to v, under the connection's latch: s says the first one, the text of each
 * begins where that of the one before ends. Returns how many there were packets for (NOBUF
 * counted).
 */
uint32_t tcp_build(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t n,
	struct pkt_vec *v);
/* An empty segment that does not wait for the connection's turn. False: no packet was left. */
bool tcp_build_now(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s);
/* One without a control block, under the protection of what it answers (F-33). The same. */
bool tcp_build_answer(struct lcore *lc, const struct tcp_seg *s, const struct rte_mbuf *question);

/* tcp_out.c */
void tcp_output_mark(struct lcore *lc, struct tcp_pcb *pcb, uint8_t flags);
void tcp_output_unmark(struct lcore *lc, struct tcp_pcb *pcb);
/* RST of a connection that ends; it leaves without the control block. */
void tcp_out_rst(struct lcore *lc, struct tcp_pcb *pcb);
/* RFC 9293 s3.8.4: an empty segment before the window, which the peer has to answer. */
void tcp_out_keepalive(struct lcore *lc, struct tcp_pcb *pcb);
/* RST for a segment that belongs to nothing (RFC 9293 s3.10.7.1). */
void tcp_out_refuse(struct lcore *lc, const struct tcp_seg *seg);

/* tcp_syn.c */
/* Who listens for k; m: the packet, which decides among listeners with different wishes. */
struct tcp_pcb *tcp_listener_find(
	struct lcore *lc, const struct flow_key *k, const struct rte_mbuf *m);
void tcp_listen_start(struct lcore *lc, struct tcp_pcb *pcb, uint32_t backlog);
void tcp_listen_end(struct lcore *lc, struct tcp_pcb *pcb);
/* A SYN for a listener. iss_min: the ISN must be greater, NULL if no old connection was there. */
void tcp_syn_in(
	struct lcore *lc, struct tcp_pcb *lsn, struct tcp_seg *seg, const uint32_t *iss_min);
/* A child in SYN-RECEIVED that will answer seg, or NULL with seg->why. */
struct tcp_pcb *tcp_syn_child(
	struct lcore *lc, struct tcp_pcb *lsn, struct tcp_seg *seg, const uint32_t *iss_min);
uint8_t tcp_wscale_of(uint32_t bytes);
/* Buffers, clocks, ISN and our own options; key, latch and socket options are set. mtu_bytes: of
 * the route to the peer. */
void tcp_syn_prepare(
	struct lcore *lc, struct tcp_pcb *pcb, const struct sock *s, uint16_t mtu_bytes);
/* Takes over a smaller MTU of the path that somebody else learned; it never grows. */
void tcp_path_refresh(struct lcore *lc, struct tcp_pcb *pcb);
/* Options of the peer's SYN (RFC 9293 s3.7.1, RFC 7323 s2.2, s3.2). */
void tcp_syn_options(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);
bool tcp_syn_room(const struct tcp_pcb *child);
/* seg, which would open the connection, only says so, and the listener waits for more. */
bool tcp_syn_defer(struct lcore *lc, struct tcp_pcb *child, const struct tcp_seg *seg);
/* RFC 6191 s2 and RFC 9293 s3.4.3: an ISN greater than what an old incarnation used. */
void tcp_syn_iss_above(struct lcore *lc, struct tcp_pcb *pcb, uint32_t used);
void tcp_syn_done(struct lcore *lc, struct tcp_pcb *child);
/* Takes a child out of its listener's queues. */
void tcp_syn_forget(struct tcp_pcb *child);
/* The next connection for accept(), or NULL; it belongs to no queue then. */
struct tcp_pcb *tcp_syn_accept(struct tcp_pcb *lsn);

/* tcp_cookie.c */
/* Answers a SYN with a cookie; nothing is kept. */
void tcp_cookie_send(
	struct lcore *lc, const struct tcp_pcb *lsn, struct tcp_seg *syn, uint16_t mtu_bytes);
/* Cookies were sent a short while ago, so an ACK to a listener may carry one. */
bool tcp_cookie_is_on(const struct lcore *lc);
/* The child that an ACK with our cookie makes; the ACK is still to be processed. NULL: seg->why. */
struct tcp_pcb *tcp_cookie_open(struct lcore *lc, struct tcp_pcb *lsn, struct tcp_seg *seg);

/* tcp_mtu.c */
/* 0, or -1: out of memory. */
int tcp_mtu_create(struct tcp_ctx *tc);
void tcp_mtu_free(struct lcore *lc, struct tcp_pcb *pcb);
/* A connection begins to send. */
void tcp_mtu_open(struct lcore *lc, struct tcp_pcb *pcb);
/* Another retransmission timeout: is the path a black hole? */
void tcp_mtu_timeout(struct lcore *lc, struct tcp_pcb *pcb);
/* The path has this MTU, as a router or a route says. False: it is no news. */
bool tcp_mtu_narrow(struct lcore *lc, struct tcp_pcb *pcb, uint32_t mtu);
/* The rest is of connections whose mtu is not 0. Whether the next segment is a probe. */
bool tcp_mtu_plan(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s);
/* snd_una has advanced. */
void tcp_mtu_ack(struct lcore *lc, struct tcp_pcb *pcb);
/* Something is lost: whether it is the probe alone, which is no congestion. */
bool tcp_mtu_is_probe_lost(struct lcore *lc, struct tcp_pcb *pcb);

/* tcp_tfo.c */
int tcp_tfo_create(struct tcp_ctx *tc);
/* The option of a SYN or of the answer to one. */
void tcp_tfo_fill(struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_seg *s);
/* What the option of a SYN does to its child, which has its latch. */
void tcp_tfo_syn(
	struct lcore *lc, const struct tcp_pcb *lsn, struct tcp_pcb *pcb, struct tcp_seg *syn);
/* An unproved connection's SYN was acknowledged, or the connection ends. */
void tcp_tfo_proved(struct lcore *lc, struct tcp_pcb *pcb);
/* A RST came for it. */
void tcp_tfo_reset(struct lcore *lc, struct tcp_pcb *pcb);
/* The SYN that opened it comes again, so our answer was lost; true: it leaves again. */
bool tcp_tfo_same_syn(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);
/* Of an unproved connection: our SYN, if it has to leave now. */
bool tcp_tfo_plan_syn(const struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s);
/* A connect() that wants it; true: there is a cookie, so the SYN may carry data. */
bool tcp_tfo_prepare(struct lcore *lc, struct tcp_pcb *pcb);
/* How much of the send buffer the first SYN takes along. */
uint16_t tcp_tfo_syn_data(const struct tcp_pcb *pcb);
/* The answer to a SYN that had the option; before it counts as an acknowledgment. */
void tcp_tfo_syn_ack(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg);

/* tcp_usr.c */
/* The application is done sending: FIN after what is queued. */
void tcp_usr_fin(struct lcore *lc, struct tcp_pcb *pcb);
/* RFC 9293 s3.10.5: RST where the RFC says so, then CLOSED with err. */
void tcp_usr_abort(struct lcore *lc, struct tcp_pcb *pcb, int err);

/* 0, or the negative errno of a send() now: the error of the connection is told once. */
ssize_t tcp_usr_may_send(struct sock *s);
/* What a read says that finds no octet: 0 at the end of the stream, or a negative errno. */
ssize_t tcp_usr_recv_nothing(struct sock *s);

/* tcp_zc.c */
int tcp_zc_send(struct lcore *lc, struct sock *s, const void *mem, size_t len, uint64_t cookie);
int tcp_zc_peek(struct lcore *lc, struct sock *s, struct tl_piece *piece, int max);
int tcp_zc_release(struct lcore *lc, struct sock *s, size_t len);

/* tcp_latch.c: what the end of its latch does to a connection. */
latch_alert_fn tcp_latch_alert;

/* tcp_opt.c */
int tcp_opt_set(
	struct lcore *lc, struct sock *s, int level, int opt, const void *val, socklen_t len);
int tcp_opt_get(struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len);

/*
 * Whether a local end bound to `bound` covers the address a. RFC 3493 s5.3: the wildcard of IPv6
 * covers IPv4 too unless it was told not to; the one of IPv4 covers IPv4.
 */
static inline bool
tcp_local_covers(const struct ip_addr *bound, bool v6only, const struct ip_addr *a)
{
	if (!ip_addr_is_any(bound))
		return ip_addr_eq(bound, a);
	if (ip_addr_is_v4(bound))
		return ip_addr_is_v4(a);
	return !v6only || !ip_addr_is_v4(a);
}

#endif
