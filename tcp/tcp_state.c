/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_state.c - the legal transitions, and the only place that assigns a state. */
#include "tcp/tcp_pcb.h"

#include "stack/base/assert.h"
#include "stack/base/log.h"
#include "tcp/tcp_int.h"

LOG_MODULE(tcp, NOTICE);

#define S(x) (1u << TCPS_##x)

/* clang-format off */
static const uint16_t legal[TCPS_MAX] = {
	[TCPS_CLOSED]      = S(LISTEN) | S(SYN_SENT) | S(SYN_RCVD),
	[TCPS_LISTEN]      = S(CLOSED),
	[TCPS_SYN_SENT]    = S(CLOSED) | S(SYN_RCVD) | S(ESTABLISHED),
	[TCPS_SYN_RCVD]    = S(CLOSED) | S(ESTABLISHED),
	[TCPS_ESTABLISHED] = S(CLOSED) | S(FIN_WAIT_1) | S(CLOSE_WAIT),
	[TCPS_FIN_WAIT_1]  = S(CLOSED) | S(FIN_WAIT_2) | S(CLOSING),
	[TCPS_FIN_WAIT_2]  = S(CLOSED) | S(TIME_WAIT),
	[TCPS_CLOSE_WAIT]  = S(CLOSED) | S(LAST_ACK),
	[TCPS_CLOSING]     = S(CLOSED) | S(TIME_WAIT),
	[TCPS_LAST_ACK]    = S(CLOSED),
	[TCPS_TIME_WAIT]   = S(CLOSED),
};

static const char *const names[TCPS_MAX] = {
	[TCPS_CLOSED]      = "CLOSED",
	[TCPS_LISTEN]      = "LISTEN",
	[TCPS_SYN_SENT]    = "SYN-SENT",
	[TCPS_SYN_RCVD]    = "SYN-RECEIVED",
	[TCPS_ESTABLISHED] = "ESTABLISHED",
	[TCPS_FIN_WAIT_1]  = "FIN-WAIT-1",
	[TCPS_FIN_WAIT_2]  = "FIN-WAIT-2",
	[TCPS_CLOSE_WAIT]  = "CLOSE-WAIT",
	[TCPS_CLOSING]     = "CLOSING",
	[TCPS_LAST_ACK]    = "LAST-ACK",
	[TCPS_TIME_WAIT]   = "TIME-WAIT",
};
/* clang-format on */

const char *
tcp_state_name(enum tcp_state s)
{
	return s < TCPS_MAX ? names[s] : "?";
}

static bool
is_active(uint8_t s)
{
	return s != TCPS_CLOSED && s != TCPS_LISTEN;
}

static void
log_change(const struct tcp_pcb *pcb, enum tcp_state to)
{
	char l[IP_ADDR_STRLEN], r[IP_ADDR_STRLEN];

	if (!rte_log_can_log((uint32_t)log_type_, RTE_LOG_DEBUG))
		return;
	LOG(DEBUG, "%s:%u-%s:%u %s -> %s", ip_addr_str(&pcb->fe.key.local, l),
		rte_be_to_cpu_16(pcb->fe.key.lport), ip_addr_str(&pcb->fe.key.remote, r),
		rte_be_to_cpu_16(pcb->fe.key.rport), names[pcb->state], names[to]);
}

/* A release build goes on: the state stays legal, and the connection is reset before it sends. */
static void
refuse(struct lcore *lc, struct tcp_pcb *pcb, enum tcp_state to)
{
	lc_count(lc, ST_ASSERTS);
	LOG(ERR, "illegal transition %s -> %s: the connection is reset", names[pcb->state],
		tcp_state_name(to));
	pcb->doomed = is_active(pcb->state);
	tcp_output_mark(lc, pcb, TCP_OUT_ACK);
}

void
tcp_set_state(struct lcore *lc, struct tcp_pcb *pcb, enum tcp_state to)
{
	struct tcp_ctx *tc = lc->tcp;

	tl_assert((legal[pcb->state] & 1u << to) != 0);
	if ((legal[pcb->state] & 1u << to) == 0) {
		refuse(lc, pcb, to);
		return;
	}
	log_change(pcb, to);
	tc->active += is_active((uint8_t)to);
	tc->active -= is_active(pcb->state);
	pcb->state = (uint8_t)to;
	if (to == TCPS_ESTABLISHED)
		lc_count(lc, ST_TCP_ESTAB);
}
