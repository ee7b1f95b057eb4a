/* SPDX-License-Identifier: MIT */
/* What bounds the daemon, presented to people: the memory of connections, and full tables. */
#include "bounds.h"

#include "report.h"

#include <inttypes.h>

static void put_bytes(
	FILE *out, struct answer_reader *reader, struct json_object *memory, const char *key)
{
	char text[32];

	report_format_bytes(
		answer_get_number(reader, memory, "daemon.memory", key), text, sizeof(text));
	fputs(text, out);
}

static void put_memory(FILE *out, struct answer_reader *reader, struct json_object *daemon)
{
	struct json_object *memory =
		answer_get(reader, daemon, "daemon", "memory", json_type_object);

	fputs("  memory      ", out);
	put_bytes(out, reader, memory, "connections");
	fputs(" for connections; each takes ", out);
	put_bytes(out, reader, memory, "connection");
	fputs(", a further subflow ", out);
	put_bytes(out, reader, memory, "subflow");
	fputs("; at most ", out);
	put_bytes(out, reader, memory, "connection_most");
	fputs(" each, ", out);
	put_bytes(out, reader, memory, "most");
	fputs(" in all; in the kernel ", out);
	put_bytes(out, reader, memory, "kernel");
	fputs(" each, ", out);
	put_bytes(out, reader, memory, "kernel_most");
	fputs(" in all\n", out);
}

static void put_tables(FILE *out, struct answer_reader *reader, struct json_object *daemon)
{
	struct json_object *tables =
		answer_get(reader, daemon, "daemon", "tables", json_type_object);
	const char *separator = "  full        ";
	uint64_t limit, used, refused;

	if (!tables)
		return;
	json_object_object_foreach(tables, name, table)
	{
		if (!json_object_is_type(table, json_type_object)) {
			answer_reject(
				reader, "daemon.tables.%s in subflowd's answer is no object", name);
			return;
		}
		limit = answer_get_number(reader, table, "daemon.tables[]", "limit");
		used = answer_get_number(reader, table, "daemon.tables[]", "used");
		refused = answer_get_number(reader, table, "daemon.tables[]", "refused");
		if (!refused)
			continue;
		fputs(separator, out);
		report_put_text(out, name, 0);
		fprintf(out, " (%" PRIu64 " of %" PRIu64 ") %" PRIu64, used, limit, refused);
		separator = ", ";
	}
	if (*separator == ',')
		putc('\n', out);
}

void bounds_put(FILE *out, struct answer_reader *reader, struct json_object *daemon)
{
	put_memory(out, reader, daemon);
	put_tables(out, reader, daemon);
}
