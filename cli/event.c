/* SPDX-License-Identifier: MIT */
/* One event of those that the daemon tells who watches, presented to people. */
#include "event.h"

#include "page.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct teller {
	struct answer_reader reader;
	struct json_object *event;
	FILE *out;
};

static const char *text_of(struct teller *teller, const char *key)
{
	return answer_get_text_or(&teller->reader, teller->event, "", key, "");
}

static uint64_t number_of(struct teller *teller, const char *key)
{
	return answer_get_number(&teller->reader, teller->event, "", key);
}

static bool has(struct teller *teller, const char *key)
{
	return json_object_object_get_ex(teller->event, key, NULL);
}

static void put_time(struct teller *teller)
{
	uint64_t time_us = number_of(teller, "time_us");
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm tm = {};
	char text[32];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	fprintf(teller->out, "%s.%06u", text, (unsigned)(time_us % 1000000));
}

static void put_key(struct teller *teller, const char *before, const char *key)
{
	fputs(before, teller->out);
	report_put_text(teller->out, text_of(teller, key), 0);
}

static void put_number(struct teller *teller, const char *before, const char *key)
{
	char text[32];

	report_format_bytes(number_of(teller, key), text, sizeof(text));
	fprintf(teller->out, "%s%s", before, text);
}

static void put_event(struct teller *teller)
{
	char *name = strdup(text_of(teller, "event"));

	if (!name)
		answer_reject(&teller->reader, "out of memory");
	for (char *c = name; c && *c; c++)
		*c = *c == '_' ? ' ' : *c;
	report_put_text(teller->out, name ? name : "", 0);
	free(name);
}

static void put_rest(struct teller *teller)
{
	if (has(teller, "namespace")) {
		put_key(teller, " ", "namespace");
		if (has(teller, "token"))
			fprintf(teller->out, "/%08" PRIx64, number_of(teller, "token"));
	}
	fputs(": ", teller->out);
	put_event(teller);
	if (has(teller, "local")) {
		put_key(teller, " ", "local");
		put_key(teller, " to ", "remote");
		put_key(teller, ", ", "role");
	}
	if (has(teller, "asked_by") && !answer_is_null(teller->event, "asked_by"))
		put_key(teller, ", for ", "asked_by");
	if (has(teller, "threshold")) {
		put_number(teller, ", ", "threshold");
		put_number(teller, " passed at ", "bytes");
	}
	if (has(teller, "subflows"))
		fprintf(teller->out, ", %" PRIu64 " in all", number_of(teller, "subflows"));
	if (has(teller, "count"))
		fprintf(teller->out, " %" PRIu64 " events", number_of(teller, "count"));
	if (has(teller, "why") && *text_of(teller, "why"))
		put_key(teller, "; ", "why");
	putc('\n', teller->out);
}

bool event_is_meant(struct json_object *event, const struct answer_filter *filter)
{
	struct json_object *value;

	if (!filter->is_set || json_object_object_get_ex(event, "count", NULL) ||
		json_object_object_get_ex(event, "version", NULL))
		return true;
	if (!json_object_object_get_ex(event, "token", &value) ||
		!json_object_is_type(value, json_type_int) ||
		json_object_get_int64(value) != filter->token)
		return false;
	return !filter->namespace_name ||
	       (json_object_object_get_ex(event, "namespace", &value) &&
		       json_object_is_type(value, json_type_string) &&
		       !strcmp(json_object_get_string(value), filter->namespace_name));
}

int event_write(struct json_object *event, char **ret_text, char *ret_why, size_t why_size)
{
	struct teller teller = {.reader = {.why = ret_why, .why_size = why_size}, .event = event};
	struct page page;

	if (page_open(&page, &teller.reader))
		return -ENOMEM;
	teller.out = page.out;
	put_time(&teller);
	put_rest(&teller);
	return page_close(&page, &teller.reader, ret_text);
}
