/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both engines against published vectors.
 *
 * Where a document truncates a MAC, the vector holds the truncated one. A message under a MAC alone
 * is an ESP packet with ENCR_NULL: its first 8 bytes stand where SPI and sequence number do.
 */
#include <openssl/evp.h>

#include "tests/esp/crypto_unit.h"

enum { NONE = ESP_AUTH_NONE };

struct vector {
	const char *source;
	uint16_t encr, bits, integ;
	const char *key; /* cipher key, then salt */
	const char *auth_key;
	const char *head; /* ESP header and IV; "" for a header of zeros */
	const char *seqh; /* ESN: the high half of the sequence number; NULL: no ESN */
	const char *plain, *cipher;
	const char *icv; /* NULL: the document has none */
};

#define GCM_PING                                                                                   \
	"4500003c99c500008001cb7a40679318010101010800075c02004400616263646566676869"               \
	"6a6b6c6d6e6f707172737475767761626364656667686901020201"
#define GCM_LEGAL                                                                                  \
	"45000030da3a00008001df3bc0a80005c0a800010800c6cd02000700616263646566676869"               \
	"6a6b6c6d6e6f707172737401020201"
#define CHACHA_PLAIN                                                                               \
	"45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10000736270809"             \
	"0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"             \
	"303132333435363701020204"
#define CHACHA_CIPHER                                                                              \
	"24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d528"             \
	"44eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb"             \
	"94e664da9165b82829f641e0"
#define PING_DATA                                                                                  \
	"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"             \
	"2e2f3031323334353637"
#define BYTES_32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BLOCK    "53696e676c6520626c6f636b206d7367" /* "Single block msg" */
#define ROW_42(x)                                                                                  \
	x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x
#define SHA1_KEY "0000000000000000000000000000000000000000"

static const struct vector vectors[] = {
	/* clang-format off */
	{"draft-mcgrew-gcm-test-01 s4", ESP_ENCR_AES_GCM_16, 128, NONE,
		"4c80cdefbb5d10da906ac73c3613a6342e443b68", "", "00004321000000004956ed7e3b244cfe", "87654321",
		"45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000000000000"
		"45f736970045f756470037369700963796265726369747902646b000021000101020201",
		"fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f1"
		"4a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732",
		"459018148f6cbe722fd04796562dfdb4"},
	{"draft-mcgrew-gcm-test-01 s4", ESP_ENCR_AES_GCM_16, 256, NONE,
		"abbccddef00112233445566778899aababbccddef00112233445566778899aab11223344", "",
		"4a2cbfe3000000020102030405060708", NULL,
		"4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000700240002"
		"0bf0000020405b40101040201020201",
		"ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a63798"
		"5771d347f0545659f14e99def842d8e",
		"b335f4eecfdbf831824b4c4915956c96"},
	{"draft-mcgrew-gcm-test-01 s4", ESP_ENCR_AES_GCM_16, 128, NONE,
		"0000000000000000000000000000000000000000", "", "00000000000000010000000000000000", NULL,
		GCM_PING,
		"4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492"
		"719ffb64de7d9dca1e1d894bc3bd57873ed4d181d19d4d5c8c18af3",
		"f821d496eeb096e98ad2b69e4799c71d"},
	{"draft-mcgrew-gcm-test-01 s4", ESP_ENCR_AES_GCM_16, 192, NONE,
		"feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe", "",
		"0000a5f80000000afacedbaddecaf888", NULL,
		"45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001",
		"a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
		"95457b9652037f5318027b5b4cd7a636"},
	{"draft-mcgrew-gcm-test-01 s4", ESP_ENCR_AES_GCM_16, 128, NONE,
		"7d773d00c144c525ac619d18c84a3f47d9664267", "", "335467aeffffffff43457e9182443bc6", NULL,
		"01020201", "437f866b", "cb3f699fe9b0822bac961c4504bef270"},
	{"draft-mcgrew-gcm-test-01 s4", ESP_ENCR_AES_GCM_16, 256, NONE,
		"6c6567616c697a656d6172696a75616e61616e64646f69746265666f726569617475726e", "",
		"796b6963ffffffff333021696765746d", "ffffffff", GCM_LEGAL,
		"f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca"
		"4ae68a32b42458fb57dbe821dcc63b9",
		"d0937ba2945f669368661a329fb4c053"},
	{"draft-mcgrew-gcm-test-01, GMAC", ESP_ENCR_NULL_AUTH_AES_GMAC, 128, NONE,
		"4c80cdefbb5d10da906ac73c3613a63422433c64", "", "00004321000000070000000000000000", NULL,
		GCM_LEGAL, GCM_LEGAL, "f2a9a836e155106aa8dcd618e4099aaa"},
	{"RFC 7634 appendix A", ESP_ENCR_CHACHA20_POLY1305, 256, NONE,
		"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3", "",
		"01020304000000051011121314151617", NULL, CHACHA_PLAIN, CHACHA_CIPHER,
		"76aaa8266b7fb0f7b11b369907e1ad43"},

	{"RFC 3602 s4 case 5", ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96,
		"90d382b410eeba7ad938c46cec1a82bf", SHA1_KEY,
		"0000432100000001e96e8c08ab465763fd098d45dd3ff893", NULL,
		"08000ebda70a00008e9c083db95b0700" PING_DATA "0102030405060708090a0b0c0d0e0e01",
		"f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523"
		"a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913"
		"ac19b7cfbad4a6", NULL},
	{"RFC 3602 s4 case 6", ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96,
		"90d382b410eeba7ad938c46cec1a82bf", SHA1_KEY,
		"000043210000000869d08df7d203329db093fc4924e5bd80", NULL,
		"0800b5e8a80a0500a69c083d0b660e0077777777777777777777777701020201",
		"f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75", NULL},
	{"RFC 3602 s4 case 7", ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96,
		"0123456789abcdef0123456789abcdef", SHA1_KEY,
		"0000876500000002f4e765244f6407adf13dc1380f673f37", NULL,
		"45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a20400" PING_DATA
		"0102030405060708090a0a04",
		"773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78"
		"ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb220"
		"1ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d", NULL},
	{"RFC 3602 s4 case 8", ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96,
		"0123456789abcdef0123456789abcdef", SHA1_KEY,
		"000087650000000585d47224b5f3dd5d2101d4ea8dffab22", NULL,
		"45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300f"
		"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"0102030405060708090a0a04",
		"15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c"
		"9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d"
		"17a0decbb13892", NULL},

	{"RFC 3686 s6 vector 1", ESP_ENCR_AES_CTR, 128, ESP_AUTH_HMAC_SHA1_96,
		"ae6852f8121067cc4bf7a5765577f39e00000030", SHA1_KEY, "00000000000000000000000000000000", NULL,
		BLOCK, "e4095d4fb7a7b3792d6175a3261311b8", NULL},
	{"RFC 3686 s6 vector 2", ESP_ENCR_AES_CTR, 128, ESP_AUTH_HMAC_SHA1_96,
		"7e24067817fae0d743d6ce1f32539163006cb6db", SHA1_KEY, "0000000000000000c0543b59da48d90b", NULL,
		BYTES_32, "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28", NULL},
	{"RFC 3686 s6 vector 3", ESP_ENCR_AES_CTR, 128, ESP_AUTH_HMAC_SHA1_96,
		"7691be035e5020a8ac6e618529f9a0dc00e0017b", SHA1_KEY, "000000000000000027777f3f4a1786f0", NULL,
		BYTES_32 "20212223",
		"c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f", NULL},
	{"RFC 3686 s6 vector 4", ESP_ENCR_AES_CTR, 192, ESP_AUTH_HMAC_SHA1_96,
		"16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048", SHA1_KEY,
		"000000000000000036733c147d6d93cb", NULL, BLOCK, "4b55384fe259c9c84e7935a003cbe928", NULL},
	{"RFC 3686 s6 vector 5", ESP_ENCR_AES_CTR, 192, ESP_AUTH_HMAC_SHA1_96,
		"7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a0096b03b", SHA1_KEY,
		"0000000000000000020c6eadc2cb500d", NULL, BYTES_32,
		"453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00", NULL},
	{"RFC 3686 s6 vector 6", ESP_ENCR_AES_CTR, 192, ESP_AUTH_HMAC_SHA1_96,
		"02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd", SHA1_KEY,
		"00000000000000005cbd60278dcc0912", NULL, BYTES_32 "20212223",
		"96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935", NULL},
	{"RFC 3686 s6 vector 7", ESP_ENCR_AES_CTR, 256, ESP_AUTH_HMAC_SHA1_96,
		"776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060", SHA1_KEY,
		"0000000000000000db5672c97aa8f0b2", NULL, BLOCK, "145ad01dbf824ec7560863dc71e3e0c0", NULL},
	{"RFC 3686 s6 vector 8", ESP_ENCR_AES_CTR, 256, ESP_AUTH_HMAC_SHA1_96,
		"f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a2388400faac24", SHA1_KEY,
		"0000000000000000c1585ef15a43d875", NULL, BYTES_32,
		"f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c", NULL},
	{"RFC 3686 s6 vector 9", ESP_ENCR_AES_CTR, 256, ESP_AUTH_HMAC_SHA1_96,
		"ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7", SHA1_KEY,
		"000000000000000051a51d70a1c11148", NULL, BYTES_32 "20212223",
		"eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8", NULL},

	{"RFC 2202 s3 case 3", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA1_96, "",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "dddddddddddddddd", NULL,
		ROW_42("dd"), ROW_42("dd"), "125d7342b9ac11cd91a39af4"},
	{"RFC 2202 s3 case 5", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA1_96, "",
		"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "5465737420576974", NULL,
		"68205472756e636174696f6e", "68205472756e636174696f6e", "4c1a03424b55e07fe7f27be1"},
	{"RFC 4868 s2.7.2.1 AUTH256-2", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_256_128, "",
		"4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665", "7768617420646f20", NULL,
		"79612077616e7420666f72206e6f7468696e673f", "79612077616e7420666f72206e6f7468696e673f",
		"167f928588c5cc2eef8e3093caa0e87c"},
	{"RFC 4868 s2.7.2.1 AUTH256-3", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_256_128, "",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "dddddddddddddddd", NULL,
		ROW_42("dd"), ROW_42("dd"), "cdcb1220d1ecccea91e53aba3092f962"},
	{"RFC 4868 s2.7.2.1 AUTH256-4", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_256_128, "",
		"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", "cdcdcdcdcdcdcdcd", NULL,
		ROW_42("cd"), ROW_42("cd"), "372efcf9b40b35c2115b1346903d2ef4"},
	{"RFC 4868 s2.7.2.2 AUTH384-3", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_384_192, "",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"dddddddddddddddd", NULL, ROW_42("dd"), ROW_42("dd"),
		"809f439be00274321d4a538652164b53554a508184a0c316"},
	{"RFC 4868 s2.7.2.2 AUTH384-4", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_384_192, "",
		"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f200a0b0c0d0e0f10111213141516171819",
		"cdcdcdcdcdcdcdcd", NULL, ROW_42("cd"), ROW_42("cd"),
		"5b540085c6e6358096532b2493609ed1cb298f774f87bb5c"},
	{"RFC 4868 s2.7.2.3 AUTH512-3", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_512_256, "",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"dddddddddddddddd", NULL, ROW_42("dd"), ROW_42("dd"),
		"2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8"},
	{"RFC 4868 s2.7.2.3 AUTH512-4", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_512_256, "",
		"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
		"2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40",
		"cdcdcdcdcdcdcdcd", NULL, ROW_42("cd"), ROW_42("cd"),
		"5e6688e5a3daec826ca32eaea224eff5e700628947470e13ad01302561bab108"},

	{"RFC 3566 s4.6 case 3", ESP_ENCR_NULL, 0, ESP_AUTH_AES_XCBC_96, "",
		"000102030405060708090a0b0c0d0e0f", "0001020304050607", NULL,
		"08090a0b0c0d0e0f", "08090a0b0c0d0e0f", "d2a246fa349b68a79998a439"},
	{"RFC 3566 s4.6 case 4", ESP_ENCR_NULL, 0, ESP_AUTH_AES_XCBC_96, "",
		"000102030405060708090a0b0c0d0e0f", "0001020304050607", NULL,
		"08090a0b0c0d0e0f10111213", "08090a0b0c0d0e0f10111213", "47f51b4564966215b8985c63"},
	{"RFC 3566 s4.6 case 4, by ESN", ESP_ENCR_NULL, 0, ESP_AUTH_AES_XCBC_96, "",
		"000102030405060708090a0b0c0d0e0f", "0001020304050607", "10111213",
		"08090a0b0c0d0e0f", "08090a0b0c0d0e0f", "47f51b4564966215b8985c63"},
	{"RFC 3566 s4.6 case 5", ESP_ENCR_NULL, 0, ESP_AUTH_AES_XCBC_96, "",
		"000102030405060708090a0b0c0d0e0f", "0001020304050607", NULL,
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "f54f0ec8d2b9f3d36807734b"},
	{"RFC 3566 s4.6 case 5, by ESN", ESP_ENCR_NULL, 0, ESP_AUTH_AES_XCBC_96, "",
		"000102030405060708090a0b0c0d0e0f", "0001020304050607", "1c1d1e1f",
		"08090a0b0c0d0e0f101112131415161718191a1b",
		"08090a0b0c0d0e0f101112131415161718191a1b", "f54f0ec8d2b9f3d36807734b"},
	{"RFC 3566 s4.6 case 6", ESP_ENCR_NULL, 0, ESP_AUTH_AES_XCBC_96, "",
		"000102030405060708090a0b0c0d0e0f", "0001020304050607", NULL,
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021",
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021", "becbb3bccdb518a30677d548"},
	{"RFC 4494 s5 case 2", ESP_ENCR_NULL, 0, ESP_AUTH_AES_CMAC_96, "",
		"2b7e151628aed2a6abf7158809cf4f3c", "6bc1bee22e409f96", NULL,
		"e93d7e117393172a", "e93d7e117393172a", "070a16b46b4d4144f79bdd9d"},
	{"RFC 4494 s5 case 3", ESP_ENCR_NULL, 0, ESP_AUTH_AES_CMAC_96, "",
		"2b7e151628aed2a6abf7158809cf4f3c", "6bc1bee22e409f96", NULL,
		"e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
		"e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
		"dfa66747de9ae63030ca3261"},
	{"RFC 4494 s5 case 4", ESP_ENCR_NULL, 0, ESP_AUTH_AES_CMAC_96, "",
		"2b7e151628aed2a6abf7158809cf4f3c", "6bc1bee22e409f96", NULL,
		"e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411"
		"e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
		"e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411"
		"e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
		"51f0bebf7e3b9d92fc497417"},
	/* clang-format on */
};

enum { NB_VECTORS = RTE_DIM(vectors), PACKET_MAX = 256 };

static const enum esp_engine_id engines[] = {ESP_ENGINE_IPSEC_MB, ESP_ENGINE_LIBCRYPTO};

static struct esp_sa_conf
conf_of(const struct vector *v, uint16_t encr)
{
	struct esp_sa_conf c = {
		.encr = encr, .encr_bits = v->bits, .integ = v->integ, .esn = v->seqh != NULL};

	c.key_len = (uint8_t)unhex(v->key, c.key);
	c.auth_key_len = (uint8_t)unhex(v->auth_key, c.auth_key);
	return c;
}

/* Lays out the packet of a vector with what stands in `data`. */
static void
op_of(const struct unit *u, const struct vector *v, const char *data, uint8_t *packet,
	struct crypto_op *op)
{
	uint8_t seqh[4] = {0};
	uint32_t len;

	unhex(v->head, packet);
	if (v->seqh != NULL)
		unhex(v->seqh, seqh);
	len = (uint32_t)unhex(data, packet + ESP_HDR_BYTES + u->suite.iv_bytes);
	unit_op(u, op, packet, len,
		(uint32_t)seqh[0] << 24 | (uint32_t)seqh[1] << 16 | (uint32_t)seqh[2] << 8 |
			seqh[3]);
}

static void
check_decrypt(
	const struct vector *v, enum esp_engine_id id, struct esp_sa_conf c, struct crypto_op *op)
{
	uint8_t plain[PACKET_MAX];
	struct unit u;

	c.inbound = true;
	ck_assert(unit_open(&u, id, &c));
	ck_assert_msg(unit_decrypt(&u, op), "%s", v->source);
	ck_assert_mem_eq(op->data, plain, unhex(v->plain, plain));
	unit_close(&u);
}

/* E-12 */
START_TEST(engine_agrees_with_published_vector)
{
	const struct vector *v = &vectors[_i / 2];
	enum esp_engine_id id = engines[_i % 2];
	struct esp_sa_conf c = conf_of(v, v->encr);
	uint8_t packet[PACKET_MAX] = {0}, want[PACKET_MAX];
	struct crypto_op op;
	struct unit u;

	if (!unit_open(&u, id, &c)) {
		printf("# this build has no such engine\n");
		return;
	}
	op_of(&u, v, v->plain, packet, &op);
	ck_assert_msg(unit_encrypt(&u, &op), "%s", v->source);
	unhex(v->cipher, want);
	ck_assert_msg(memcmp(op.data, want, op.len) == 0, "%s", v->source);
	if (v->icv != NULL) {
		ck_assert_uint_eq(unhex(v->icv, want), u.suite.icv_bytes);
		ck_assert_msg(memcmp(op.icv, want, u.suite.icv_bytes) == 0, "%s", v->source);
	}
	unit_close(&u);
	check_decrypt(v, id, c, &op);
}
END_TEST

static void
check_short_icv(const struct vector *v, enum esp_engine_id id, uint16_t encr)
{
	struct esp_sa_conf c = conf_of(v, encr);
	uint8_t packet[PACKET_MAX], want[PACKET_MAX];
	struct crypto_op op;
	struct unit u;

	if (!unit_open(&u, id, &c))
		return;
	op_of(&u, v, v->plain, packet, &op);
	memset(op.icv, 0xee, 16);
	ck_assert(unit_encrypt(&u, &op));
	unhex(v->cipher, want);
	ck_assert_mem_eq(op.data, want, op.len);
	unhex(v->icv, want);
	ck_assert_mem_eq(op.icv, want, u.suite.icv_bytes);
	for (uint32_t i = u.suite.icv_bytes; i < 16; i++)
		ck_assert_uint_eq(op.icv[i], 0xee);
	unit_close(&u);
}

/* RFC 4106 s6, NIST SP 800-38D s7.1. */
START_TEST(short_gcm_icv_is_the_front_of_the_long_one)
{
	for (uint32_t i = 0; i < NB_VECTORS; i++) {
		if (vectors[i].encr != ESP_ENCR_AES_GCM_16)
			continue;
		check_short_icv(&vectors[i], engines[_i], ESP_ENCR_AES_GCM_12);
		check_short_icv(&vectors[i], engines[_i], ESP_ENCR_AES_GCM_8);
	}
}
END_TEST

static void
check_implicit_iv(const struct vector *v, enum esp_engine_id id, uint16_t encr)
{
	struct esp_sa_conf c = conf_of(v, encr);
	uint8_t packet[PACKET_MAX], iv[16], want[PACKET_MAX];
	struct crypto_op op;
	struct unit u;

	if (!unit_open(&u, id, &c))
		return;
	unhex(v->head, iv);
	memcpy(packet, iv, ESP_HDR_BYTES);
	op_of(&u, v, v->plain, packet, &op);
	op.seq = 0;
	for (uint32_t i = 8; i < 16; i++)
		op.seq = op.seq << 8 | iv[i];
	ck_assert(unit_encrypt(&u, &op));
	unhex(v->cipher, want);
	ck_assert_mem_eq(op.data, want, op.len);
	unhex(v->icv, want);
	ck_assert_mem_eq(op.icv, want, 16);
	unit_close(&u);
}

/*
 * E-17, RFC 8750 s4: as with an explicit IV that is the 64-bit sequence number. It has no vectors,
 * so those of the explicit suites serve, with their AAD, and their IV for the sequence number.
 */
START_TEST(implicit_iv_is_the_sequence_number)
{
	for (uint32_t i = 0; i < NB_VECTORS; i++) {
		if (vectors[i].encr == ESP_ENCR_AES_GCM_16)
			check_implicit_iv(&vectors[i], engines[_i], ESP_ENCR_AES_GCM_16_IIV);
		if (vectors[i].encr == ESP_ENCR_CHACHA20_POLY1305)
			check_implicit_iv(&vectors[i], engines[_i], ESP_ENCR_CHACHA20_POLY1305_IIV);
	}
}
END_TEST

/* CCM as RFC 3610 s2 writes it, with L = 4 (RFC 4309 s2), by calls for one block each. */
struct ccm {
	EVP_CIPHER_CTX *ecb;
	uint8_t block[16]; /* the two kinds of them differ in flags and the last 4 bytes */
	uint8_t x[16];     /* state of the CBC-MAC */
};

static void
ccm_mac(struct ccm *c, const uint8_t *p, uint32_t bytes)
{
	int n;

	for (uint32_t i = 0; i < bytes; i += 16) {
		for (uint32_t j = 0; j < 16; j++)
			c->x[j] ^= i + j < bytes ? p[i + j] : 0;
		ck_assert_int_eq(EVP_EncryptUpdate(c->ecb, c->x, &n, c->x, 16), 1);
	}
}

static void
ccm_key_stream(struct ccm *c, uint32_t counter, uint8_t *p, uint32_t bytes)
{
	uint8_t s[16];
	int n;

	for (uint32_t i = 0; i < 4; i++)
		c->block[12 + i] = (uint8_t)(counter >> (24 - 8 * i));
	ck_assert_int_eq(EVP_EncryptUpdate(c->ecb, s, &n, c->block, 16), 1);
	for (uint32_t i = 0; i < bytes; i++)
		p[i] ^= s[i];
}

struct ccm_input {
	const uint8_t *key;
	uint16_t bits;
	const uint8_t *nonce; /* 11 bytes */
	const uint8_t *aad;
	uint32_t aad_len, len, icv_bytes;
};

static void
ccm_encrypt(const struct ccm_input *in, uint8_t *data, uint8_t icv[16])
{
	struct ccm c = {.ecb = EVP_CIPHER_CTX_new()};
	uint8_t aad[64] = {0, (uint8_t)in->aad_len};
	char name[16];

	snprintf(name, sizeof(name), "AES-%u-ECB", in->bits);
	ck_assert_int_eq(
		EVP_EncryptInit_ex(c.ecb, EVP_get_cipherbyname(name), NULL, in->key, NULL), 1);
	memcpy(c.block + 1, in->nonce, 11);
	c.block[0] = (uint8_t)((in->aad_len > 0 ? 64u : 0u) | (in->icv_bytes - 2) / 2 << 3 | 3);
	c.block[14] = (uint8_t)(in->len >> 8);
	c.block[15] = (uint8_t)in->len;
	ccm_mac(&c, c.block, 16);
	memcpy(aad + 2, in->aad, in->aad_len);
	ccm_mac(&c, aad, in->aad_len > 0 ? in->aad_len + 2 : 0);
	ccm_mac(&c, data, in->len);
	c.block[0] = 3;
	ccm_key_stream(&c, 0, c.x, 16);
	memcpy(icv, c.x, in->icv_bytes);
	for (uint32_t i = 0; i < in->len; i += 16)
		ccm_key_stream(&c, i / 16 + 1, data + i, in->len - i < 16 ? in->len - i : 16);
	EVP_CIPHER_CTX_free(c.ecb);
}

/*
 * RFC 4309 s8 refers to RFC 3610, whose nonces are longer than those of ESP. These have the right
 * length: NIST's CAVS files, as Linux has them for rfc4309(ccm(aes)). Their AAD is not that of ESP,
 * so they check the CCM above, and that one checks the engines.
 */
static const struct {
	uint16_t bits;
	const char *key, *nonce, *aad, *plain, *cipher, *icv;
} ccm_vectors[] = {
	/* clang-format off */
	{128, "83ac5466c2ebe5052e01d1fc5d82662e", "96ac593007a1e2a2c75524", "",
		"19c881f6e986ff930b7867e5bbb7fc6e8377b3a60c8c9f9c352eade062f991a1",
		"ab6fe1691d1999a892a0c46f7ee28bb170bb8ca64c6e978a572bbe5d98a6b132",
		"da24ead9a13998fda4bed9f21a6d22a8"},
	{128, "1e2c7e01419aefc00d58966e5ca24bd3", "4fa319d3015ad830601556",
		"dae6289c452dfd635eda4cb6e6fcf9b70c56cbe4e0057ae10a630978bc2c55de",
		"87a336fd96b39378a92863ba12a31485571e06c97b21ef767f387e8e29a43e7e",
		"8a1e11f0026be219fc70c46d8eb799abc54ba2acd3f348ff3bb5ce53efdebb02",
		"a986156c13feda0a22b8293dd8399a23"},
	{192, "56df5c8f263f0e42ef7ad3cefc846062cab440af5fc9c901", "d63c8c8684b6cdef092e94",
		"0265783ce9213091b1b9da769a786d95f28832a3f250cb4ce300736984698779",
		"9fd2024b5249313c43693a2d8e70ad7ee0e54609808913b28c8bd93f86fbb56b",
		"39df7c3c5a29b9625d51c216d8bd069f9b6a0970c15183c266881d4f9adae01e",
		"c7791158e56b20407aea46428be46fe1"},
	{256, "e08d997160d7971abd0199d58adf713ad3df244b5e3d4b4e307ab9d8530a5e2b",
		"1e2991ad8ec1530acf2dbe",
		"19b61f57c4f3f08b782b9402290f42276b75cb9834087e79e43e490d848b2287",
		"e1d9d813eb3a753f9dbd5f66bedcbb66bf1799624a39271f1ddc24ae192f984c",
		"19b86133452b43966f51d020307d9bc6263df8c96516a89ff0621734f21e8d75",
		"4e13ccc0c32a542d"},
	{256, "7cc8183b8d99e07c4541b8bd5ca7c2328ab80259a4fea92c09759a9b3c9b2739",
		"f9d94e63b53d9d43f61e50",
		"57f56b8b575c3d3b1302010c834c96358ed639cf7d149b94b03936e68f57e013",
		"3b6c2936b6ef07a68372074fcffa66895fcab1bad58f2c2730db750993d465e4",
		"b0885a33aae5c71d8523c7c62ff41e3dcc63442507784f9e96b888ebbc481f06",
		"39af39acd84a80397b728af7"},
	/* clang-format on */
};

START_TEST(reference_ccm_agrees_with_published_vector)
{
	uint8_t key[32], nonce[11], aad[32], data[32], want[32], icv[16], want_icv[16];
	struct ccm_input in = {
		.key = key, .bits = ccm_vectors[_i].bits, .nonce = nonce, .aad = aad};

	unhex(ccm_vectors[_i].key, key);
	unhex(ccm_vectors[_i].nonce, nonce);
	in.aad_len = (uint32_t)unhex(ccm_vectors[_i].aad, aad);
	in.len = (uint32_t)unhex(ccm_vectors[_i].plain, data);
	in.icv_bytes = (uint32_t)unhex(ccm_vectors[_i].icv, want_icv);
	ccm_encrypt(&in, data, icv);
	unhex(ccm_vectors[_i].cipher, want);
	ck_assert_mem_eq(data, want, in.len);
	ck_assert_mem_eq(icv, want_icv, in.icv_bytes);
}
END_TEST

static void
check_ccm(const struct unit *u, const struct esp_sa_conf *c, uint32_t len)
{
	uint8_t packet[400] = {0x10, 0x20, 0x30, 0x40, 0, 0, 0, 7}, want[400], want_icv[16];
	uint8_t nonce[11];
	struct crypto_op op;
	struct ccm_input in = {.key = c->key, .bits = c->encr_bits, .nonce = nonce};

	for (uint32_t i = ESP_HDR_BYTES; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i * 7 + len);
	unit_op(u, &op, packet, len, 0x01020304);
	memcpy(nonce, c->key + c->encr_bits / 8, 3);
	memcpy(nonce + 3, packet + ESP_HDR_BYTES, 8);
	if (u->suite.iv_implicit)
		memcpy(nonce + 3, c->esn ? "\1\2\3\4\0\0\0\7" : "\0\0\0\0\0\0\0\7", 8);
	if (!c->esn)
		op.seq = 7;
	memcpy(want, op.data, len);
	in.aad = op.aad;
	in.aad_len = op.aad_len;
	in.len = len;
	in.icv_bytes = u->suite.icv_bytes;
	ccm_encrypt(&in, want, want_icv);
	ck_assert(unit_encrypt(u, &op));
	ck_assert_mem_eq(op.data, want, len);
	ck_assert_mem_eq(op.icv, want_icv, in.icv_bytes);
}

static void
check_ccm_suite(enum esp_engine_id id, uint16_t encr, uint16_t bits, bool esn)
{
	struct esp_sa_conf c = {.encr = encr, .encr_bits = bits, .esn = esn};
	struct unit u;

	for (size_t i = 0; i < sizeof(c.key); i++)
		c.key[i] = (uint8_t)(i * 11 + 3);
	if (!unit_open(&u, id, &c))
		return;
	for (uint32_t len = 4; len <= 300; len += 4)
		check_ccm(&u, &c, len);
	unit_close(&u);
}

/* RFC 4309 s3 to s6, for every ICV and key length, with and without ESN. */
START_TEST(engine_agrees_with_reference_ccm)
{
	static const uint16_t encr[] = {ESP_ENCR_AES_CCM_8, ESP_ENCR_AES_CCM_12,
		ESP_ENCR_AES_CCM_16, ESP_ENCR_AES_CCM_8_IIV};

	for (uint16_t bits = 128; bits <= 256; bits = (uint16_t)(bits + 64)) {
		check_ccm_suite(engines[_i % 2], encr[_i / 2], bits, false);
		check_ccm_suite(engines[_i % 2], encr[_i / 2], bits, true);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("crypto_kat");
	TCase *c = tcase_create("crypto_kat");

	tcase_add_loop_test(c, engine_agrees_with_published_vector, 0, NB_VECTORS * 2);
	tcase_add_loop_test(c, short_gcm_icv_is_the_front_of_the_long_one, 0, 2);
	tcase_add_loop_test(c, implicit_iv_is_the_sequence_number, 0, 2);
	tcase_add_loop_test(c, reference_ccm_agrees_with_published_vector, 0, RTE_DIM(ccm_vectors));
	tcase_add_loop_test(c, engine_agrees_with_reference_ccm, 0, 8);
	suite_add_tcase(s, c);
	return env_main(s);
}
