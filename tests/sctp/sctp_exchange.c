/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_exchange CONF client|server ADDR PORT BYTES MESSAGE STREAMS UNORDERED
 *
 * One association through a real port, for tests with another kernel: sends BYTES in messages over
 * all streams in turn and receives as much. Prints a digest of each direction that does not depend
 * on the order of messages: the exclusive or of the SHA-256 of each.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/include/tl.h"
#include "stack/include/tl_sctp.h"
#include "stack/include/tl_sock.h"

enum { MESSAGE_MAX = 65536, DIGEST = 32, SCTP = 132, SENDS_A_TURN = 64 };

struct job {
	struct tl_stack *s;
	bool is_server, unordered, open, shut, over;
	int lsn, fd, err;
	struct sockaddr_storage addr;
	uint64_t bytes, sent, got;
	uint32_t message, streams, nb;
	uint8_t tx[DIGEST], rx[DIGEST];
	uint8_t out[MESSAGE_MAX], in[MESSAGE_MAX];
	size_t have;
};

static void
add_digest(uint8_t to[DIGEST], const uint8_t *p, size_t n)
{
	uint8_t md[DIGEST];

	EVP_Digest(p, n, md, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < DIGEST; i++)
		to[i] ^= md[i];
}

static void
end(struct job *j, int err)
{
	j->err = err;
	j->over = true;
	tl_close(tl_worker(j->s, 0), j->fd);
	j->fd = -1;
}

static void
write_some(struct job *j, struct tl_worker *w)
{
	for (int i = 0; i < SENDS_A_TURN && j->sent < j->bytes; i++) {
		uint64_t left = j->bytes - j->sent;
		size_t len = left < j->message ? left : j->message;
		ssize_t n;

		memcpy(j->out, &j->nb, sizeof(j->nb));
		n = tl_sctp_sendmsg(w, j->fd, j->out, len, 0, j->unordered ? TL_SCTP_UNORDERED : 0,
			(uint16_t)(j->nb % j->streams));
		if (n < 0 && errno != EAGAIN)
			end(j, errno);
		if (n < 0)
			return;
		add_digest(j->tx, j->out, len);
		j->sent += len;
		j->nb++;
	}
}

static void
read_some(struct job *j, struct tl_worker *w)
{
	for (;;) {
		int flags = 0;
		ssize_t n = tl_sctp_recvmsg(
			w, j->fd, j->in + j->have, sizeof(j->in) - j->have, NULL, &flags);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			end(j, n < 0 ? errno : 0);
			return;
		}
		j->have += (size_t)n;
		if ((flags & MSG_EOR) == 0)
			continue;
		add_digest(j->rx, j->in, j->have);
		j->got += j->have;
		j->have = 0;
	}
}

static void
turn(struct tl_worker *w, void *arg)
{
	struct job *j = arg;

	if (j->over) {
		tl_stop(j->s); /* one turn later: what closing sends has left */
		return;
	}
	if (j->fd < 0)
		j->fd = tl_accept(w, j->lsn, NULL, NULL);
	if (j->fd < 0)
		return;
	write_some(j, w);
	if (!j->over)
		read_some(j, w);
	/* The client ends it; the server reads until then. */
	if (!j->over && !j->is_server && !j->shut && j->sent == j->bytes && j->got == j->bytes) {
		j->shut = true;
		tl_shutdown(w, j->fd, SHUT_WR);
	}
}

static void
put(const char *what, const uint8_t d[DIGEST])
{
	printf("%s ", what);
	for (int i = 0; i < DIGEST; i++)
		printf("%02x", d[i]);
	printf(" ");
}

static void
open_job(struct job *j, const char *addr, uint16_t port)
{
	struct tl_worker *w = tl_worker(j->s, 0);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int domain = strchr(addr, ':') == NULL ? AF_INET : AF_INET6;

	inet_pton(domain, addr, domain == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr);
	memcpy(&j->addr, domain == AF_INET ? (void *)&in : (void *)&in6,
		domain == AF_INET ? sizeof(in) : sizeof(in6));
	j->fd = j->lsn = tl_socket(w, domain, SOCK_STREAM, SCTP);
	if (!j->is_server) {
		tl_connect(w, j->fd, (struct sockaddr *)&j->addr, sizeof(j->addr));
		return;
	}
	j->fd = -1;
	if (tl_bind(w, j->lsn, (struct sockaddr *)&j->addr, sizeof(j->addr)) != 0 ||
		tl_listen(w, j->lsn, 4) != 0) {
		perror("listen");
		exit(1);
	}
	printf("ready\n");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	static struct job j;
	struct tl_conf *c = tl_conf_new();
	struct tl_error e = {""};

	if (argc != 9)
		return 2;
	j.is_server = strcmp(argv[2], "server") == 0;
	j.bytes = strtoull(argv[5], NULL, 0);
	j.message = (uint32_t)strtoul(argv[6], NULL, 0);
	j.streams = (uint32_t)strtoul(argv[7], NULL, 0);
	j.unordered = argv[8][0] == '1';
	if (tl_conf_load(c, argv[1], &e) != 0 || tl_eal_init(c, &e) != 0 ||
		tl_create(c, &j.s, &e) != 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	open_job(&j, argv[3], (uint16_t)strtoul(argv[4], NULL, 0));
	tl_run(j.s, turn, &j);
	put("sent", j.tx);
	put("received", j.rx);
	printf("bytes %lu error %d\n", (unsigned long)j.got, j.err);
	fflush(stdout);
	tl_destroy(j.s);
	tl_conf_free(c);
	return 0;
}
