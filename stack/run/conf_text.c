/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf_text.c - values in force, back as the text that a configuration would have.
 */
#include <stdio.h>
#include <string.h>

#include "stack/run/conf_value.h"

/* The nth of words separated by commas. */
static void
nth_word(const char *words, uint32_t n, char *out, size_t len)
{
	while (n-- > 0)
		words += strcspn(words, ",") + 1;
	snprintf(out, len, "%.*s", (int)strcspn(words, ","), words);
}

static void
value_text(const struct key_rule *r, const void *field, char *out, size_t len)
{
	switch (r->type) {
	case V_U32:
		snprintf(out, len, "%u", *(const uint32_t *)field);
		break;
	case V_US:
		snprintf(out, len, "%u", *(const uint32_t *)field / 1000);
		break;
	case V_U16:
		snprintf(out, len, "%u", *(const uint16_t *)field);
		break;
	case V_BOOL:
		snprintf(out, len, "%s", *(const bool *)field ? "yes" : "no");
		break;
	case V_BOOL_NOT:
		snprintf(out, len, "%s", *(const bool *)field ? "no" : "yes");
		break;
	case V_CHOICE:
		nth_word(r->expected, *(const uint8_t *)field, out, len);
		break;
	default:
		snprintf(out, len, "(secret)");
		break;
	}
}

bool
conf_shown_nth(const struct stack_conf *sc, const char *section, uint32_t n, struct conf_shown *out)
{
	const struct key_rule *r = conf_rule_nth(section, n);

	if (r == NULL)
		return false;
	out->key = r->key;
	out->allowed = r->expected;
	value_text(r, (const uint8_t *)sc + r->offset, out->value, sizeof(out->value));
	return true;
}
