/* SPDX-License-Identifier: BSD-3-Clause */
/* table.c - collecting and printing rows. */
#include "stack/ctl/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
table_init(struct table *t, const char *const *cols)
{
	memset(t, 0, sizeof(*t));
	while (cols[t->nb_cols] != NULL && t->nb_cols < TABLE_COLS) {
		t->col[t->nb_cols] = cols[t->nb_cols];
		t->nb_cols++;
	}
}

void
table_free(struct table *t)
{
	for (uint32_t i = 0; i < t->nb_rows * t->nb_cols; i++)
		free(t->cell[i]);
	free(t->cell);
	memset(t, 0, sizeof(*t));
}

static bool
grow(struct table *t)
{
	uint32_t cap = t->cap == 0 ? 16 : t->cap * 2;
	char **cell = realloc(t->cell, sizeof(*cell) * cap * t->nb_cols);

	if (cell == NULL)
		return false;
	t->cell = cell;
	t->cap = cap;
	return true;
}

void
table_put(struct table *t, const char *fmt, ...)
{
	char **at;
	va_list ap;

	if (t->next == 0) {
		if (t->nb_rows == t->cap && !grow(t)) {
			t->failed = true;
			return;
		}
		memset(t->cell + t->nb_rows * t->nb_cols, 0, sizeof(char *) * t->nb_cols);
		t->nb_rows++;
	}
	at = &t->cell[(t->nb_rows - 1) * t->nb_cols + t->next];
	va_start(ap, fmt);
	if (vasprintf(at, fmt, ap) < 0) {
		*at = NULL;
		t->failed = true;
	}
	va_end(ap);
	t->next = (t->next + 1) % t->nb_cols;
}

const char *
table_cell(const struct table *t, uint32_t row, uint32_t col)
{
	const char *c = t->cell[row * t->nb_cols + col];

	return c == NULL ? "" : c;
}

const char *
table_name(const struct table *t, uint32_t col)
{
	return t->col[col] + (t->col[col][0] == '#');
}

bool
table_is_number(const struct table *t, uint32_t col)
{
	return t->col[col][0] == '#';
}

static void
print_text(const struct table *t, FILE *out)
{
	for (uint32_t r = 0; r <= t->nb_rows; r++) {
		for (uint32_t c = 0; c < t->nb_cols; c++) {
			size_t width = strlen(table_name(t, c));
			const char *text = r == 0 ? table_name(t, c) : table_cell(t, r - 1, c);

			for (uint32_t i = 0; i < t->nb_rows; i++) {
				if (strlen(table_cell(t, i, c)) > width)
					width = strlen(table_cell(t, i, c));
			}
			if (table_is_number(t, c))
				fprintf(out, "%*s", (int)width, text);
			else
				fprintf(out, "%-*s", (int)(c + 1 == t->nb_cols ? 0 : width), text);
			fputs(c + 1 == t->nb_cols ? "\n" : "  ", out);
		}
	}
}

static void
print_json_string(const char *s, FILE *out)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			fprintf(out, "\\%c", ch);
		else if (ch < 0x20)
			fprintf(out, "\\u%04x", ch);
		else
			fputc(ch, out);
	}
	fputc('"', out);
}

static void
print_json_row(const struct table *t, uint32_t r, FILE *out)
{
	fputc('{', out);
	for (uint32_t c = 0; c < t->nb_cols; c++) {
		if (c > 0)
			fputs(", ", out);
		print_json_string(table_name(t, c), out);
		fputs(": ", out);
		if (table_is_number(t, c))
			fputs(*table_cell(t, r, c) == '\0' ? "null" : table_cell(t, r, c), out);
		else
			print_json_string(table_cell(t, r, c), out);
	}
	fputc('}', out);
}

void
table_print_lines(const struct table *t, FILE *out)
{
	for (uint32_t r = 0; r < t->nb_rows; r++) {
		print_json_row(t, r, out);
		fputc('\n', out);
	}
}

static void
print_json(const struct table *t, FILE *out)
{
	fputs("[", out);
	for (uint32_t r = 0; r < t->nb_rows; r++) {
		fputs(r == 0 ? "\n " : ",\n ", out);
		print_json_row(t, r, out);
	}
	fputs(t->nb_rows == 0 ? "]\n" : "\n]\n", out);
}

void
table_print(const struct table *t, bool json, FILE *out)
{
	if (json)
		print_json(t, out);
	else
		print_text(t, out);
	if (t->failed)
		fprintf(stderr, "taglatch: out of memory, rows are missing\n");
}
