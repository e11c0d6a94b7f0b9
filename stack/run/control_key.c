/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_key.c - which keys this stack ever had.
 *
 * A key that comes again would repeat the nonces of its counter mode (RFC 4106 s3), so it is
 * refused. Only salted digests are kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "stack/run/control.h"

static const uint8_t nothing[32];

static void
digest_of(const struct key_memory *k, const struct esp_sa_conf *sa, uint8_t d[32])
{
	uint8_t text[sizeof(k->salt) + ESP_KEY_MAX + ESP_AUTH_KEY_MAX] = {0};
	unsigned int len = 32;

	memcpy(text, k->salt, sizeof(k->salt));
	memcpy(text + sizeof(k->salt), sa->key, ESP_KEY_MAX);
	/* The cipher's key alone: a nonce does not get better by another key for the MAC. */
	if (sa->key_len == 0)
		memcpy(text + sizeof(k->salt) + ESP_KEY_MAX, sa->auth_key, ESP_AUTH_KEY_MAX);
	EVP_Digest(text, sizeof(text), d, &len, EVP_sha256(), NULL);
	OPENSSL_cleanse(text, sizeof(text));
}

/* The place of a digest, or the empty one where it belongs. */
static uint32_t
place_of(const struct key_memory *k, const uint8_t d[32])
{
	uint32_t at;

	memcpy(&at, d, sizeof(at));
	for (at &= k->cap - 1;; at = (at + 1) & (k->cap - 1)) {
		if (memcmp(k->digest[at], d, 32) == 0 || memcmp(k->digest[at], nothing, 32) == 0)
			return at;
	}
}

static int
make_room(struct key_memory *k)
{
	struct key_memory more = *k;

	if (k->cap != 0 && k->n < k->cap / 2)
		return 0;
	if (k->cap == 0 && RAND_bytes(more.salt, sizeof(more.salt)) != 1)
		return -ENOMEM;
	more.cap = k->cap == 0 ? 128 : k->cap * 2;
	more.digest = calloc(more.cap, sizeof(*more.digest));
	if (more.digest == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < k->cap; i++) {
		if (memcmp(k->digest[i], nothing, 32) != 0)
			memcpy(more.digest[place_of(&more, k->digest[i])], k->digest[i], 32);
	}
	free(k->digest);
	*k = more;
	return 0;
}

int
key_remember(struct key_memory *k, const struct esp_sa_conf *sa)
{
	uint8_t d[32];
	uint32_t at;

	if (make_room(k) != 0)
		return -ENOMEM;
	digest_of(k, sa, d);
	at = place_of(k, d);
	if (memcmp(k->digest[at], d, 32) == 0)
		return -EEXIST;
	memcpy(k->digest[at], d, 32);
	k->n++;
	return 0;
}

/* Takes out what key_remember() put in last: it protected nothing. */
void
key_forget(struct key_memory *k, const struct esp_sa_conf *sa)
{
	uint8_t d[32];
	uint32_t at;

	digest_of(k, sa, d);
	at = place_of(k, d);
	if (memcmp(k->digest[at], d, 32) != 0)
		return;
	memset(k->digest[at], 0, 32); /* nothing was put behind it since */
	k->n--;
}
