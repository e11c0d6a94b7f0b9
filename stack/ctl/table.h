/* SPDX-License-Identifier: BSD-3-Clause */
/* table.h - rows of named columns, printed for people or as a JSON array of objects. */
#ifndef TL_CTL_TABLE_H
#define TL_CTL_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_COLS = 48 };

struct table {
	uint32_t nb_cols;
	uint32_t nb_rows;
	uint32_t cap;
	const char *col[TABLE_COLS]; /* a name that starts with '#' holds numbers */
	char **cell;                 /* nb_rows * nb_cols, owned */
	uint32_t next;               /* column of the next cell */
	bool failed;                 /* out of memory: rows are missing */
};

/* cols: names, ended by NULL. */
void table_init(struct table *t, const char *const *cols);
void table_free(struct table *t);

/* Fills the next cell of the current row; a row ends when all columns are filled. */
void table_put(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Each row as a JSON object in a line of its own. */
void table_print_lines(const struct table *t, FILE *out);

/* A cell as text, "" if it is empty; the name of a column, and whether it holds numbers. */
const char *table_cell(const struct table *t, uint32_t row, uint32_t col);
const char *table_name(const struct table *t, uint32_t col);
bool table_is_number(const struct table *t, uint32_t col);

void table_print(const struct table *t, bool json, FILE *out);

#endif
