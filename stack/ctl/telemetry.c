/* SPDX-License-Identifier: BSD-3-Clause */
/* telemetry.c - rows of tables as answers of librte_telemetry. */
#include "stack/ctl/telemetry.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <rte_telemetry.h>

#include "stack/ctl/tables.h"
#include "stack/run/run.h"

enum {
	MAX_STACKS = 64,
	PREFIX_LEN = 10,      /* of "/taglatch/" */
	ANSWER_BYTES = 12000, /* librte_telemetry cuts an answer at 16384 */
	MAX_ROWS = 200,       /* and a dictionary at 256 entries */
	CELL_EXTRA = 8,       /* quotes, colon, comma, and some escapes */
	NAME_MAX_BYTES = 40,
};

/* A callback of librte_telemetry has no argument, so this is the exception to the rule. The lock is
 * held while a callback uses a stack. */
static struct {
	pthread_mutex_t lock;
	struct tl_stack *stack[MAX_STACKS];
	bool registered;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* "STACK,FIRST", both may be missing. Returns false if it is something else. */
static bool
parse(const char *params, unsigned long *stack, unsigned long *first)
{
	char *end;

	*stack = *first = 0;
	if (params == NULL || *params == '\0')
		return true;
	*stack = strtoul(params, &end, 10);
	if (end == params || *stack >= MAX_STACKS)
		return false;
	if (*end == ',') {
		params = end + 1;
		*first = strtoul(params, &end, 10);
	}
	return end != params && *end == '\0';
}

/* Names of telemetry have underscores where ours have hyphens. */
static const char *
renamed(const char *name, char from, char to, char out[NAME_MAX_BYTES])
{
	snprintf(out, NAME_MAX_BYTES, "%s", name);
	for (char *c = out; *c != '\0'; c++)
		*c = *c == from ? to : *c;
	return out;
}

static struct rte_tel_data *
row_data(const struct table *t, uint32_t row)
{
	struct rte_tel_data *d = rte_tel_data_alloc();
	char key[NAME_MAX_BYTES];

	if (d == NULL)
		return NULL;
	rte_tel_data_start_dict(d);
	for (uint32_t c = 0; c < t->nb_cols; c++) {
		const char *cell = table_cell(t, row, c);

		renamed(table_name(t, c), '-', '_', key);
		if (table_is_number(t, c) && *cell != '\0')
			rte_tel_data_add_dict_u64(d, key, strtoull(cell, NULL, 10));
		else
			rte_tel_data_add_dict_string(d, key, cell);
	}
	return d;
}

static size_t
row_bytes(const struct table *t, uint32_t row)
{
	size_t n = 4;

	for (uint32_t c = 0; c < t->nb_cols; c++)
		n += strlen(table_name(t, c)) + strlen(table_cell(t, row, c)) + CELL_EXTRA;
	return n;
}

/* The rows from `first` on that fit; returns the number of the next one. */
static uint32_t
add_rows(struct rte_tel_data *rows, const struct table *t, unsigned long first)
{
	uint32_t r = first < t->nb_rows ? (uint32_t)first : t->nb_rows, n = 0;
	size_t bytes = 0;

	for (; r < t->nb_rows && n < MAX_ROWS; r++, n++) {
		struct rte_tel_data *d;
		char number[12];

		bytes += row_bytes(t, r);
		if (bytes > ANSWER_BYTES && n > 0)
			break;
		snprintf(number, sizeof(number), "%u", r);
		d = row_data(t, r);
		if (d == NULL || rte_tel_data_add_dict_container(rows, number, d, 0) != 0) {
			rte_tel_data_free(d);
			break;
		}
	}
	return r;
}

static int
answer(struct tl_stack *s, const char *what, unsigned long first, struct rte_tel_data *d)
{
	struct rte_tel_data *rows = rte_tel_data_alloc();
	struct table t;
	uint32_t next;

	if (rows == NULL)
		return -ENOMEM;
	if (ctl_table(s, what, &t) != 0) {
		rte_tel_data_free(rows);
		return -ENOENT;
	}
	/* DPDK 22.11 nests dictionaries and no arrays of them. */
	rte_tel_data_start_dict(rows);
	next = add_rows(rows, &t, first);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_u64(d, "total", t.nb_rows);
	rte_tel_data_add_dict_u64(d, "next", next);
	if (rte_tel_data_add_dict_container(d, "rows", rows, 0) != 0)
		rte_tel_data_free(rows);
	table_free(&t);
	return 0;
}

/* On the thread of librte_telemetry. */
static int
on_table(const char *cmd, const char *params, struct rte_tel_data *d)
{
	char what[NAME_MAX_BYTES];
	unsigned long stack, first;
	int rc = -EINVAL;

	if (!parse(params, &stack, &first))
		return rc;
	pthread_mutex_lock(&all.lock);
	if (all.stack[stack] != NULL && !all.stack[stack]->lc[0]->run->is_virtual)
		rc = answer(all.stack[stack], renamed(cmd + PREFIX_LEN, '_', '-', what), first, d);
	pthread_mutex_unlock(&all.lock);
	return rc;
}

static int
on_stacks(const char *cmd, const char *params, struct rte_tel_data *d)
{
	(void)cmd;
	(void)params;
	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	pthread_mutex_lock(&all.lock);
	for (int i = 0; i < MAX_STACKS; i++) {
		if (all.stack[i] != NULL)
			rte_tel_data_add_array_int(d, i);
	}
	pthread_mutex_unlock(&all.lock);
	return 0;
}

/* For the life of the process: librte_telemetry cannot forget a command. */
static void
register_all(void)
{
	char cmd[64], text[NAME_MAX_BYTES];
	const char *name;

	rte_telemetry_register_cmd("/taglatch/stacks", on_stacks, "Numbers of the stacks.");
	for (uint32_t i = 0; (name = ctl_table_name(i)) != NULL; i++) {
		snprintf(cmd, sizeof(cmd), "/taglatch/%s", renamed(name, '-', '_', text));
		rte_telemetry_register_cmd(
			cmd, on_table, "Rows of this table. Parameters: STACK, FIRST (both 0).");
	}
	all.registered = true;
}

int
telemetry_add(struct tl_stack *s)
{
	int rc = -ENOSPC;

	pthread_mutex_lock(&all.lock);
	if (!all.registered)
		register_all();
	for (int i = 0; i < MAX_STACKS && rc != 0; i++) {
		if (all.stack[i] == NULL) {
			all.stack[i] = s;
			rc = 0;
		}
	}
	pthread_mutex_unlock(&all.lock);
	return rc;
}

void
telemetry_remove(struct tl_stack *s)
{
	pthread_mutex_lock(&all.lock);
	for (int i = 0; i < MAX_STACKS; i++) {
		if (all.stack[i] == s)
			all.stack[i] = NULL;
	}
	pthread_mutex_unlock(&all.lock);
}
