/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/esp_craft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* RFC 1071, one byte pair at a time. */
static uint32_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(p + i);
	if (len % 2 != 0)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

size_t
craft_tcp(uint8_t *out, const struct craft_seg *s)
{
	size_t hlen = s->has_ts ? 32 : 20 + s->opts_len, len = hlen + s->len;
	uint8_t pseudo[12] = {0};

	memset(out, 0, hlen);
	put16(out, s->sport);
	put16(out + 2, s->dport);
	put32(out + 4, s->seq);
	put32(out + 8, s->ack);
	out[12] = (uint8_t)(hlen / 4 << 4);
	out[13] = s->flags;
	put16(out + 14, s->wnd);
	if (s->has_ts) {
		memcpy(out + 20, "\1\1\10\12", 4);
		put32(out + 24, s->ts_val);
		put32(out + 28, s->ts_ecr);
	} else if (s->opts_len > 0) {
		memcpy(out + 20, s->opts, s->opts_len);
	}
	if (s->len > 0)
		memcpy(out + hlen, s->data, s->len);
	put32(pseudo, s->src);
	put32(pseudo + 4, s->dst);
	pseudo[9] = CRAFT_TCP;
	put16(pseudo + 10, (uint32_t)len);
	put16(out + 16, ~sum16(out, len, sum16(pseudo, sizeof(pseudo), 0)));
	return len;
}

size_t
craft_ip4(uint8_t *out, uint32_t src, uint32_t dst, uint8_t proto, const uint8_t *body, size_t len)
{
	memmove(out + 20, body, len);
	memset(out, 0, 20);
	out[0] = 0x45;
	put16(out + 2, (uint32_t)len + 20);
	out[8] = 64;
	out[9] = proto;
	put32(out + 12, src);
	put32(out + 16, dst);
	put16(out + 10, ~sum16(out, 20, 0));
	return len + 20;
}

void
craft_ip4_fragment(uint8_t *ip, uint16_t id, size_t offset, bool more)
{
	put16(ip + 4, id);
	put16(ip + 6, (uint32_t)(offset / 8) | (more ? 0x2000u : 0));
	put16(ip + 10, 0);
	put16(ip + 10, ~sum16(ip, 20, 0));
}

size_t
craft_icmp_error(
	uint8_t *out, uint8_t type, uint8_t code, uint16_t mtu, const uint8_t *quoted, size_t len)
{
	memset(out, 0, 8);
	out[0] = type;
	out[1] = code;
	put16(out + 6, mtu);
	memcpy(out + 8, quoted, len);
	put16(out + 2, ~sum16(out, len + 8, 0));
	return len + 8;
}

size_t
craft_icmp_echo(uint8_t *out, uint16_t id, size_t len)
{
	memset(out, 0, 8);
	out[0] = 8;
	put16(out + 4, id);
	memset(out + 8, 'e', len);
	put16(out + 2, ~sum16(out, len + 8, 0));
	return len + 8;
}

static size_t
aad_of(const struct craft_sa *sa, uint64_t seq, uint8_t aad[12])
{
	put32(aad, sa->spi);
	if (!sa->esn) {
		put32(aad + 4, (uint32_t)seq);
		return 8;
	}
	put32(aad + 4, (uint32_t)(seq >> 32));
	put32(aad + 8, (uint32_t)seq);
	return 12;
}

static void
must(int ok)
{
	if (ok == 1)
		return;
	fprintf(stderr, "esp_craft: libcrypto failed\n");
	abort();
}

static EVP_CIPHER_CTX *
gcm(const struct craft_sa *sa, const uint8_t *iv, int enc)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t nonce[12];

	memcpy(nonce, sa->key + sa->key_len - 4, 4);
	memcpy(nonce + 4, iv, 8);
	must(EVP_CipherInit_ex(c, sa->key_len == 20 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), NULL,
		sa->key, nonce, enc));
	return c;
}

size_t
craft_esp(struct craft_sa *sa, uint8_t *out, uint8_t nxt, const uint8_t *body, size_t len,
	const struct craft_trailer *t)
{
	size_t pad = -(len + 2) & 3u, aad_len, plain_len;
	uint8_t plain[CRAFT_MAX], aad[12];
	EVP_CIPHER_CTX *c;
	int n;

	if (t != NULL && t->set)
		pad = t->real_pad;
	memcpy(plain, body, len);
	for (size_t i = 0; i < pad; i++)
		plain[len + i] = (uint8_t)(i + 1);
	if (t != NULL && t->set && pad > 0)
		plain[len] = t->first;
	plain[len + pad] = t != NULL && t->set ? t->pad_len : (uint8_t)pad;
	plain[len + pad + 1] = nxt;
	plain_len = len + pad + 2;
	put32(out, sa->spi);
	put32(out + 4, (uint32_t)++sa->seq);
	put32(out + 8, (uint32_t)(++sa->iv >> 32));
	put32(out + 12, (uint32_t)sa->iv);
	aad_len = aad_of(sa, sa->seq, aad);
	c = gcm(sa, out + 8, 1);
	must(EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len));
	must(EVP_EncryptUpdate(c, out + 16, &n, plain, (int)plain_len));
	must(EVP_EncryptFinal_ex(c, out + 16 + n, &n));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + 16 + plain_len));
	EVP_CIPHER_CTX_free(c);
	return 16 + plain_len + 16;
}

size_t
craft_protect(struct craft_sa *sa, uint8_t *out, const struct craft_seg *s)
{
	uint8_t inner[CRAFT_MAX], esp[CRAFT_MAX + 64];
	size_t n = craft_tcp(inner, s);

	if (sa->tunnel)
		n = craft_ip4(inner, s->src, s->dst, CRAFT_TCP, inner, n);
	n = craft_esp(sa, esp, sa->tunnel ? CRAFT_IPIP : CRAFT_TCP, inner, n, NULL);
	return craft_ip4(out, sa->src, sa->dst, CRAFT_ESP, esp, n);
}

long
craft_open(const struct craft_sa *sa, const uint8_t *esp, size_t len, uint8_t *out, uint8_t *nxt)
{
	uint8_t aad[12], icv[16];
	size_t aad_len = aad_of(sa, get32(esp + 4), aad), body;
	EVP_CIPHER_CTX *c;
	int n, ok;

	if (len < 16 + 4 + 16)
		return -1;
	body = len - 32;
	memcpy(icv, esp + len - 16, 16);
	c = gcm(sa, esp + 8, 0);
	must(EVP_DecryptUpdate(c, NULL, &n, aad, (int)aad_len));
	must(EVP_DecryptUpdate(c, out, &n, esp + 16, (int)body));
	must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, icv));
	ok = EVP_DecryptFinal_ex(c, out + n, &n);
	EVP_CIPHER_CTX_free(c);
	if (ok != 1 || (size_t)out[body - 2] + 2 > body)
		return -1;
	*nxt = out[body - 1];
	return (long)body - 2 - out[body - 2];
}

bool
craft_read_tcp(const uint8_t *tcp, size_t len, struct craft_seg *s)
{
	size_t hlen;

	if (len < 20)
		return false;
	hlen = (size_t)(tcp[12] >> 4) * 4;
	if (hlen < 20 || hlen > len)
		return false;
	s->sport = (uint16_t)get16(tcp);
	s->dport = (uint16_t)get16(tcp + 2);
	s->seq = get32(tcp + 4);
	s->ack = get32(tcp + 8);
	s->flags = tcp[13] & 0x1f;
	s->wnd = (uint16_t)get16(tcp + 14);
	s->data = tcp + hlen;
	s->len = len - hlen;
	s->has_ts = false;
	for (size_t i = 20; i + 10 <= hlen && !s->has_ts;) {
		if (tcp[i] == 8) {
			s->has_ts = true;
			s->ts_val = get32(tcp + i + 2);
			s->ts_ecr = get32(tcp + i + 6);
		}
		i += tcp[i] == 1 || tcp[i + 1] < 2 ? 1 : tcp[i + 1];
	}
	return true;
}

bool
craft_read(const uint8_t *ip, size_t len, struct craft_seg *s)
{
	size_t hlen;

	memset(s, 0, sizeof(*s));
	if (len < 20)
		return false;
	hlen = (size_t)(ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || ip[9] != CRAFT_TCP || get16(ip + 2) > len || hlen + 20 > len)
		return false;
	s->src = get32(ip + 12);
	s->dst = get32(ip + 16);
	return craft_read_tcp(ip + hlen, get16(ip + 2) - hlen, s);
}

void
craft_key_text(const struct craft_sa *sa, char out[73])
{
	for (size_t i = 0; i < sa->key_len; i++)
		sprintf(out + 2 * i, "%02x", sa->key[i]);
}
