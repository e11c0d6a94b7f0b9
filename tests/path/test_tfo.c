/* SPDX-License-Identifier: BSD-3-Clause */
/* Fast open of two whole stacks under ESP, and who tries it with another's cookie (F-23). */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/util/vnet_lab.h"

enum { PORT = 6000, QUESTION = 700, ANSWER = 3000 };

static const struct lab_opts both = {.window = 64, .more = {"tcp.fastopen=both"}};

static uint8_t buf[8192];

static struct sockaddr_in
server(const struct lab *l)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(l->n[0]->ip)};
}

static int
listener(struct lab *l)
{
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	int fd = tl_socket(w, AF_INET, SOCK_STREAM, 0), qlen = 4;
	struct sockaddr_in a = server(l);

	ck_assert_int_eq(tl_setsockopt(w, fd, IPPROTO_TCP, TCP_FASTOPEN, &qlen, sizeof(qlen)), 0);
	ck_assert_int_eq(tl_bind(w, fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(tl_listen(w, fd, 8), 0);
	return fd;
}

static void
end_now(struct lab *l, uint32_t node, int fd)
{
	struct tl_worker *w = tl_worker(l->n[node]->s, 0);
	struct linger now = {.l_onoff = 1};

	tl_setsockopt(w, fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	tl_close(w, fd);
	vnet_touch(l->n[node]);
	lab_pass(l, VNET_MS);
}

/* One question from the client; the socket, and how much of it left with the SYN. */
static int
ask(struct lab *l, ssize_t *taken)
{
	struct tl_worker *w = tl_worker(l->n[1]->s, 0);
	int fd = tl_socket(w, AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = server(l);

	*taken = tl_sendto(w, fd, buf, QUESTION, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a));
	vnet_touch(l->n[1]);
	return fd;
}

/* A connection from which the client has a cookie. */
static void
learn(struct lab *l, int lsn)
{
	ssize_t taken;
	int fd = ask(l, &taken), c;

	ck_assert_int_eq(taken, -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	lab_pass(l, VNET_S);
	c = tl_accept(tl_worker(l->n[0]->s, 0), lsn, NULL, NULL);
	ck_assert_int_ge(c, TL_FD_BASE);
	end_now(l, 0, c);
	end_now(l, 1, fd);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-fast-open-cookies-given"), 1);
}

START_TEST(question_and_answer_pass_before_the_handshake_ends)
{
	struct lab *l = lab_new(&both);
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	int lsn = listener(l), fd, c;
	struct tl_latch_info info;
	struct tcp_info ti;
	socklen_t len = sizeof(info);
	ssize_t taken;

	learn(l, lsn);
	l->block[1] = false;
	fd = ask(l, &taken);
	ck_assert_int_eq(taken, QUESTION);
	for (uint32_t i = 0; i < 10000 && (c = tl_accept(w, lsn, NULL, NULL)) < 0; i++)
		vnet_step(l->v);
	ck_assert_int_ge(c, TL_FD_BASE);
	/* Nothing but its SYN has come from the client. */
	ck_assert_uint_eq(l->last[1].flags, CRAFT_SYN);
	ck_assert_int_eq(tl_recv(w, c, buf, sizeof(buf), 0), QUESTION);
	ck_assert_int_eq(tl_getsockopt(w, c, SOL_TL_IPSEC, TL_LATCH_INFO, &info, &len), 0);
	ck_assert_uint_eq(info.state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(tl_send(w, c, buf, ANSWER, 0), ANSWER);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(tl_recv(tl_worker(l->n[1]->s, 0), fd, buf, sizeof(buf), 0), ANSWER);
	len = sizeof(ti);
	ck_assert_int_eq(
		tl_getsockopt(tl_worker(l->n[1]->s, 0), fd, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	ck_assert_uint_eq(ti.tcpi_options & TCPI_OPT_SYN_DATA, TCPI_OPT_SYN_DATA);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-fast-opens-in"), 1);
	ck_assert_uint_eq(lab_stat(l, 1, "tcp-fast-opens-out"), 1);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	end_now(l, 0, c);
	end_now(l, 1, fd);
	tl_close(w, lsn);
	lab_free(l);
}
END_TEST

/* The option of the SYN that the client sends now, as bytes on the wire. */
static size_t
steal(struct lab *l, uint8_t out[12])
{
	const struct lab_kept *k;
	uint8_t inner[CRAFT_MAX], nxt;
	long n;

	for (uint32_t i = 0; i < l->nb_kept[1]; i++) {
		k = &l->kept[1][i];
		n = craft_open(&l->good[1], k->bytes + 20, k->len - 20, inner, &nxt);
		for (long j = 20; n > 40 && inner[13] == CRAFT_SYN && j + 10 < n; j++) {
			if (inner[j] == 34 && inner[j + 1] == 10) {
				memcpy(out, inner + j, 10);
				memset(out + 10, 1, 2);
				return 12;
			}
		}
	}
	return 0;
}

/* F-23: the rogue has an SA, the client's address and its cookie. */
START_TEST(cookie_of_one_peer_opens_nothing_for_another)
{
	struct lab *l = lab_new(&both);
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	int lsn = listener(l), fd;
	uint8_t opt[12];
	ssize_t taken;
	struct craft_seg s = {.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = 7000,
		.dport = PORT,
		.flags = CRAFT_SYN,
		.seq = 1000,
		.wnd = 5000,
		.opts = opt,
		.data = buf,
		.len = 10};

	learn(l, lsn);
	l->nb_kept[1] = 0;
	l->block[1] = true; /* the client's own never arrives */
	fd = ask(l, &taken);
	lab_pass(l, VNET_MS);
	end_now(l, 1, fd);
	l->block[1] = false;
	s.opts_len = steal(l, opt);
	ck_assert_uint_eq(s.opts_len, 12);
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(tl_accept(w, lsn, NULL, NULL), -1);
	ck_assert_uint_eq(l->to_rogue.flags, CRAFT_SYN | CRAFT_ACK);
	ck_assert_uint_eq(l->to_rogue.ack, 1001); /* of the SYN alone */
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-fast-opens-in-refused"), 1);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-fast-opens-in"), 0);
	/* The same SYN under the client's own SA is what the cookie was for. */
	s.sport = 7001;
	l->good[1].seq = 1000; /* beyond the client's own */
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-fast-opens-in"), 1);
	fd = tl_accept(w, lsn, NULL, NULL);
	ck_assert_int_ge(fd, TL_FD_BASE);
	ck_assert_int_eq(tl_recv(w, fd, buf, sizeof(buf), 0), 10);
	end_now(l, 0, fd);
	tl_close(w, lsn);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tfo");
	TCase *c = tcase_create("tfo");

	tcase_set_timeout(c, 0);
	tcase_add_test(c, question_and_answer_pass_before_the_handshake_ends);
	tcase_add_test(c, cookie_of_one_peer_opens_nothing_for_another);
	suite_add_tcase(s, c);
	return env_main(s);
}
