/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_info.c - TCP_INFO with Linux' structure. What this stack does not count is 0.
 */
#include "tcp/tcp_info.h"

#include <linux/tcp.h>
#include <string.h>

/* Linux numbers the states of RFC 9293 in its own way. */
static uint8_t
state_of(const struct tcp_pcb *pcb)
{
	static const uint8_t number[TCPS_MAX] = {
		[TCPS_ESTABLISHED] = 1,
		[TCPS_SYN_SENT] = 2,
		[TCPS_SYN_RCVD] = 3,
		[TCPS_FIN_WAIT_1] = 4,
		[TCPS_FIN_WAIT_2] = 5,
		[TCPS_TIME_WAIT] = 6,
		[TCPS_CLOSED] = 7,
		[TCPS_CLOSE_WAIT] = 8,
		[TCPS_LAST_ACK] = 9,
		[TCPS_LISTEN] = 10,
		[TCPS_CLOSING] = 11,
	};

	return number[pcb->state];
}

static uint32_t
segments(const struct tcp_pcb *pcb, uint32_t bytes)
{
	uint32_t mss = RTE_MAX((uint32_t)pcb->mss, 1u);

	return (bytes + mss - 1) / mss;
}

static uint32_t
ms_since(const struct lcore *lc, uint64_t ns)
{
	return ns == 0 ? 0 : (uint32_t)((lc->now_ns - ns) / 1000000);
}

static void
fill_sender(const struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_info *i)
{
	i->tcpi_retransmits = pcb->rexmt_cnt;
	i->tcpi_backoff = pcb->persist ? pcb->persist_shift : pcb->rexmt_cnt;
	i->tcpi_probes = pcb->persist ? pcb->rexmt_cnt : 0;
	i->tcpi_rto = pcb->rto_us;
	i->tcpi_snd_mss = pcb->mss;
	i->tcpi_pmtu = pcb->pmtu;
	i->tcpi_rtt = pcb->srtt_us;
	i->tcpi_rttvar = pcb->rttvar_us;
	i->tcpi_snd_cwnd = segments(pcb, pcb->cc.cwnd_bytes);
	i->tcpi_snd_ssthresh = segments(pcb, pcb->cc.ssthresh_bytes);
	i->tcpi_unacked = segments(pcb, tcp_flight(pcb));
	i->tcpi_last_data_sent = ms_since(lc, pcb->last_send_ns);
	i->tcpi_snd_wnd = pcb->snd_wnd;
	i->tcpi_notsent_bytes = tcp_snd_end(pcb) - pcb->snd_max;
	i->tcpi_bytes_acked = buf_start(&pcb->snd);
	if (pcb->state == TCPS_LISTEN)
		return;
	i->tcpi_ca_state = pcb->ca;
	i->tcpi_min_rtt = pcb->rack.min_rtt_us;
	i->tcpi_sacked = segments(pcb, pcb->sent.sacked_bytes);
	i->tcpi_lost = segments(pcb, pcb->sent.lost_bytes);
}

static void
fill_receiver(const struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_info *i)
{
	i->tcpi_ato = lc->tcp->conf.delack_us;
	i->tcpi_rcv_mss = pcb->rcv_mss;
	i->tcpi_advmss = pcb->state > TCPS_LISTEN ? tcp_pcb_own_mss(pcb) : 0;
	i->tcpi_rcv_space = pcb->rcv.limit_bytes;
	i->tcpi_rcv_ssthresh = buf_room(&pcb->rcv);
	i->tcpi_bytes_received = buf_end(&pcb->rcv);
	i->tcpi_last_data_recv = pcb->opt_ts ? ms_since(lc, pcb->ts_recent_ns) : 0;
}

int
tcp_info_get(const struct lcore *lc, const struct tcp_pcb *pcb, void *val, socklen_t *len)
{
	struct tcp_info i;

	memset(&i, 0, sizeof(i));
	i.tcpi_state = state_of(pcb);
	if (pcb->opt_ts)
		i.tcpi_options |= TCPI_OPT_TIMESTAMPS;
	if (pcb->opt_sack)
		i.tcpi_options |= TCPI_OPT_SACK;
	if (pcb->tfo_data)
		i.tcpi_options |= TCPI_OPT_SYN_DATA;
	if (pcb->opt_ws) {
		i.tcpi_options |= TCPI_OPT_WSCALE;
		i.tcpi_snd_wscale = pcb->snd_wscale & 0xfu;
		i.tcpi_rcv_wscale = pcb->rcv_wscale & 0xfu;
	}
	if (pcb->state != TCPS_CLOSED) {
		fill_sender(lc, pcb, &i);
		fill_receiver(lc, pcb, &i);
	}
	/* As in Linux: a program of another version gets as much as it knows. */
	*len = RTE_MIN(*len, (socklen_t)sizeof(i));
	memcpy(val, &i, *len);
	return 0;
}
