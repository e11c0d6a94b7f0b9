/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_dir.c - the directory of flows: librte_hash, whose readers and writers may be any worker. */
#include "stack/base/flow_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_errno.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_memory.h>
#include <rte_rwlock.h>

#include "stack/base/assert.h"

struct flow_dir {
	struct rte_hash *hash;
	rte_rwlock_t
		lock; /* ours: look and add are one step, and the table alone would overwrite */
};

int
flow_dir_create(const char *name, uint32_t flows, uint32_t seed, struct flow_dir **out)
{
	struct rte_hash_parameters p = {.name = name,
		.entries = flows,
		.key_len = sizeof(struct flow_key),
		.hash_func = rte_jhash,
		.hash_func_init_val = seed, /* so that a peer cannot choose keys that collide */
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_EXT_TABLE};
	struct flow_dir *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	rte_rwlock_init(&d->lock);
	d->hash = rte_hash_create(&p);
	if (d->hash == NULL) {
		free(d);
		return -rte_errno;
	}
	*out = d;
	return 0;
}

void
flow_dir_free(struct flow_dir *d)
{
	if (d == NULL)
		return;
	rte_hash_free(d->hash);
	free(d);
}

int
flow_dir_claim(struct flow_dir *d, const struct flow_key *k, uint16_t worker)
{
	hash_sig_t h = rte_hash_hash(d->hash, k);
	int rc = -EADDRINUSE;

	rte_rwlock_write_lock(&d->lock);
	if (rte_hash_lookup_with_hash(d->hash, k, h) == -ENOENT)
		rc = rte_hash_add_key_with_hash_data(d->hash, k, h, (void *)(uintptr_t)worker);
	rte_rwlock_write_unlock(&d->lock);
	return rc == -EADDRINUSE ? rc : rc < 0 ? -ENOBUFS : 0;
}

void
flow_dir_release(struct flow_dir *d, const struct flow_key *k)
{
	hash_sig_t h = rte_hash_hash(d->hash, k);
	int rc;

	rte_rwlock_write_lock(&d->lock);
	rc = rte_hash_del_key_with_hash(d->hash, k, h);
	rte_rwlock_write_unlock(&d->lock);
	tl_assert(rc >= 0);
	(void)rc;
}

bool
flow_dir_find(struct flow_dir *d, const struct flow_key *k, uint16_t *worker)
{
	void *data = NULL;
	int rc;

	rte_rwlock_read_lock(&d->lock);
	rc = rte_hash_lookup_data(d->hash, k, &data);
	rte_rwlock_read_unlock(&d->lock);
	*worker = (uint16_t)(uintptr_t)data;
	return rc >= 0;
}
