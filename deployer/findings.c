/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#include <airgap/json.h>
#include <airgap/log.h>

#include <stdio.h>

static const char *const level_names[] = {
	[FOUND_NOTHING] = "ok", [FOUND_INFO] = "info", [FOUND_WARN] = "warn", [FOUND_FAIL] = "fail"
};

void findings_release(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->rows[i]->id);
		free(f->rows[i]->title);
		free(f->rows[i]->levels);
		strv_release(&f->rows[i]->lines);
		free(f->rows[i]);
	}
	free(f->rows);
	*f = (struct findings){ 0 };
}

struct finding_row *findings_row(struct findings *f, const char *id, const char *title)
{
	struct finding_row *row = xcalloc(1, sizeof(*row));

	row->id = xstrdup(id);
	row->title = xstrdup(title);
	GROW(f->rows, f->n);
	return f->rows[f->n++] = row;
}

void findings_say(struct finding_row *row, enum finding_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);

	char *line = xvasprintf(fmt, ap);

	va_end(ap);
	GROW(row->levels, row->lines.n);
	row->levels[row->lines.n] = level;
	strv_push_take(&row->lines, line);
	row->result = MAX(row->result, level);
}

void findings_skip(struct finding_row *row, const char *why)
{
	row->skipped = true;
	if (why)
		findings_say(row, FOUND_NOTHING, "%s", why);
}

void findings_sort_lines(struct finding_row *row)
{
	/* Few: a row has a line for each node at most. */
	for (size_t i = 1; i < row->lines.n; i++)
		for (size_t k = i; k > 0 && strcmp(row->lines.items[k - 1], row->lines.items[k]) > 0; k--) {
			char *line = row->lines.items[k];
			enum finding_level level = row->levels[k];

			row->lines.items[k] = row->lines.items[k - 1];
			row->levels[k] = row->levels[k - 1];
			row->lines.items[k - 1] = line;
			row->levels[k - 1] = level;
		}
}

const char *findings_result(const struct finding_row *row)
{
	return row->skipped ? "skipped" : level_names[row->result];
}

/* ---- telling ---- */

static void print_json(const struct findings *f)
{
	auto_json json_t *list = json_array();
	auto_buf struct buf text = BUF_INIT(64u << 20);
	struct err e;

	for (size_t i = 0; i < f->n; i++) {
		const struct finding_row *row = f->rows[i];
		json_t *lines = json_array();

		for (size_t k = 0; k < row->lines.n; k++)
			json_array_append_new(lines, json_string(row->lines.items[k]));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "id", row->id, "title", row->title, "result",
						      findings_result(row), "found", lines));
	}
	if (jdoc_dump_pretty(list, &text, &e) == 0)
		fputs(buf_str(&text), stdout);
}

void findings_print(const struct findings *f, bool json)
{
	int ids = 5, titles = 5;

	if (json) {
		print_json(f);
		return;
	}
	for (size_t i = 0; i < f->n; i++) {
		ids = MAX(ids, (int)strlen(f->rows[i]->id));
		titles = MAX(titles, (int)strlen(f->rows[i]->title));
	}
	printf("%-*s  %-*s  RESULT\n", ids, "CHECK", titles, "TITLE");
	for (size_t i = 0; i < f->n; i++) {
		const struct finding_row *row = f->rows[i];

		printf("%-*s  %-*s  %s\n", ids, row->id, titles, row->title, findings_result(row));
		for (size_t k = 0; k < row->lines.n; k++)
			printf("    %s\n", row->lines.items[k]);
	}
}

static size_t failures(const struct findings *f, const struct finding_row **first, size_t *out_rows)
{
	size_t n = 0;

	*out_rows = 0;
	*first = NULL;
	for (size_t i = 0; i < f->n; i++) {
		const struct finding_row *row = f->rows[i];

		for (size_t k = 0; k < row->lines.n; k++)
			n += row->levels[k] == FOUND_FAIL;
		if (row->result != FOUND_FAIL)
			continue;
		if (!*first)
			*first = row;
		++*out_rows;
	}
	return n;
}

void findings_tell(const struct findings *f)
{
	const struct finding_row *first;
	size_t rows, n = failures(f, &first, &rows);

	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->rows[i]->lines.n; k++) {
			const char *id = f->rows[i]->id, *line = f->rows[i]->lines.items[k];

			if (f->rows[i]->levels[k] == FOUND_FAIL && n > 1)
				log_error("%s: %s", id, line);
			else if (f->rows[i]->levels[k] == FOUND_WARN)
				log_warn("%s: %s", id, line);
			else if (f->rows[i]->levels[k] == FOUND_INFO)
				log_info("%s: %s", id, line);
		}
}

int findings_verdict(const struct findings *f, struct err *e)
{
	const struct finding_row *row;
	size_t rows, n = failures(f, &row, &rows);

	if (n == 0)
		return 0;

	enum err_code code = rows == 1 && row->code != ERR_NONE ? row->code : ERR_PREFLIGHT;
	const char *line = "";

	for (size_t k = row->lines.n; k > 0; k--)
		if (row->levels[k - 1] == FOUND_FAIL)
			line = row->lines.items[k - 1];
	if (n == 1)
		return err_set(e, code, "%s: %s", row->id, line);
	return err_set(e, code, "%zu things missing before the first write: %s: %s", n, row->id, line);
}
