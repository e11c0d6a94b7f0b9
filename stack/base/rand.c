/* SPDX-License-Identifier: BSD-3-Clause */
/* rand.c - a ChaCha20 key stream, drawn in blocks. */
#include "stack/base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <rte_common.h>

#include "stack/base/assert.h"

struct rand_ctx {
	EVP_CIPHER_CTX *evp;
	uint32_t pos;
	uint8_t block[512];
};

int
rand_create(const uint8_t *seed, struct rand_ctx **out)
{
	uint8_t key[RAND_SEED_LEN], iv[16] = {0};
	struct rand_ctx *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r == NULL)
		return -ENOMEM;
	if (seed != NULL)
		memcpy(key, seed, sizeof(key));
	else if (RAND_bytes(key, sizeof(key)) != 1)
		goto fail;
	r->evp = EVP_CIPHER_CTX_new();
	if (r->evp == NULL || EVP_EncryptInit_ex(r->evp, EVP_chacha20(), NULL, key, iv) != 1)
		goto fail;
	r->pos = sizeof(r->block);
	OPENSSL_cleanse(key, sizeof(key));
	*out = r;
	return 0;
fail:
	OPENSSL_cleanse(key, sizeof(key));
	rand_free(r);
	return rc;
}

void
rand_free(struct rand_ctx *r)
{
	if (r == NULL)
		return;
	EVP_CIPHER_CTX_free(r->evp);
	OPENSSL_cleanse(r, sizeof(*r));
	free(r);
}

static void
refill(struct rand_ctx *r)
{
	static const uint8_t zero[sizeof(r->block)];
	int n = 0, ok;

	ok = EVP_EncryptUpdate(r->evp, r->block, &n, zero, sizeof(zero));
	/* A stream cipher without output would hand out the same numbers again: stop here. */
	if (ok != 1 || n != (int)sizeof(zero))
		rte_panic("taglatch: libcrypto's ChaCha20 gave no output\n");
	r->pos = 0;
}

void
rand_bytes(struct rand_ctx *r, void *out, size_t len)
{
	if (r->pos + len > sizeof(r->block))
		refill(r);
	memcpy(out, r->block + r->pos, len);
	r->pos += (uint32_t)len;
}

uint32_t
rand_u32(struct rand_ctx *r)
{
	uint32_t v;

	rand_bytes(r, &v, sizeof(v));
	return v;
}

uint64_t
rand_u64(struct rand_ctx *r)
{
	uint64_t v;

	rand_bytes(r, &v, sizeof(v));
	return v;
}

uint32_t
rand_below(struct rand_ctx *r, uint32_t bound)
{
	return (uint32_t)(((uint64_t)rand_u32(r) * bound) >> 32);
}
