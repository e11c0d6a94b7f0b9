/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams to the control socket. Input: for each two bytes of length, then its bytes. */
#include <stdlib.h>
#include <string.h>

#include "stack/ctl/ctl.h"
#include "stack/run/run.h"
#include "tests/fuzz/fuzz_stack.h"

static struct ctl *k;

static void
read_answers(struct ctl_client *c)
{
	struct ctl_dgram *d;

	for (int i = 0; i < 1000 && (d = ctl_client_next(c)) != NULL; i++)
		free(d);
}

static void
request(struct ctl_client *c, const uint8_t *bytes, size_t len)
{
	/* Of exactly its size, so that the sanitizer sees a byte too far. */
	uint8_t *exact = malloc(len + !len);

	memcpy(exact, bytes, len);
	ctl_request(c, exact, len);
	free(exact);
	read_answers(c);
}

/* An empty PAD would refuse every SA from then on. */
static void
forget_peers(struct tl_stack *s)
{
	latch_pad_install(s->lc[0], NULL, NULL);
	latch_pad_free(s->control.pad);
	s->control.pad = NULL;
	s->control.nb_peers = 0;
}

/* As it was before: no SA, no policy, no peer, no promised SPI. */
static void
forget(struct tl_stack *s)
{
	static uint64_t now_ns;
	struct tl_error e;

	control_lock(s);
	for (uint32_t i = 0; i < s->control.nb_slots; i++)
		control_sa_del(s, i, ESP_DEL_ADMIN);
	control_policy_set(s, NULL, 0, &e);
	forget_peers(s);
	control_unlock(s);
	fuzz_run();
	now_ns += 60ull * 1000000000;
	ctl_tick(k, now_ns);
}

static void
close_ctl(void)
{
	ctl_free(k);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_client *c;

	fuzz_open("bypass");
	if (k == NULL) {
		fuzz_check(ctl_new(fuzz_tl_stack(), &k) == 0, "no control");
		atexit(close_ctl);
		forget(fuzz_tl_stack());
	}
	c = ctl_client_open(k, -1);
	while (size > 2) {
		size_t len = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		request(c, data, len);
		data += len;
		size -= len;
	}
	ctl_client_close(c);
	forget(fuzz_tl_stack());
	return 0;
}
