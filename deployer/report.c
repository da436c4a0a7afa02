/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>

#define DIFF_LINES 20u

/* What would be done with it, in front of it. */
static const char mark_of[] = {
	[STEP_NEW] = '+', [STEP_CHANGES] = '~', [STEP_DRIFTED] = '~', [STEP_SAME] = ' ', [STEP_FAILING] = '~', [STEP_LEAVING] = '-',
};

static void table(const struct step_line *lines, size_t n)
{
	int width = 4;

	for (size_t i = 0; i < n; i++)
		width = MAX(width, (int)strlen(lines[i].id));
	printf("  %-*s  %s\n", width, "STEP", "STATE");
	for (size_t i = 0; i < n; i++) {
		printf("%c %-*s  %s%s%s\n", mark_of[lines[i].state], width, lines[i].id, step_state_names[lines[i].state],
		       lines[i].note ? "  " : "", lines[i].note ? lines[i].note : "");
		for (size_t k = 0; k < lines[i].diff.n && k < DIFF_LINES; k++)
			printf("      %s\n", lines[i].diff.items[k]);
		if (lines[i].diff.n > DIFF_LINES)
			printf("      (%zu more)\n", lines[i].diff.n - DIFF_LINES);
		if (lines[i].command)
			printf("      by hand: %s\n", lines[i].command);
	}
}

static json_t *row_of(const struct step_line *line)
{
	json_t *row = json_pack("{s:s, s:s, s:s*}", "step", line->id, "state", step_state_names[line->state], "note", line->note);
	json_t *diff = json_array();

	for (size_t k = 0; k < line->diff.n; k++)
		json_array_append_new(diff, json_string(line->diff.items[k]));
	json_object_set_new(row, "diff", diff);
	if (line->state != STEP_LEAVING)
		return row;
	json_object_set_new(row, "protect", json_boolean(line->protect));
	if (line->command)
		json_object_set_new(row, "command", json_string(line->command));
	return row;
}

void report_steps(const struct step_line *lines, size_t n, bool as_json)
{
	auto_json json_t *list = json_array();
	auto_buf struct buf text = BUF_INIT(64u << 20);
	struct err e;

	if (!as_json) {
		table(lines, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, row_of(&lines[i]));
	if (jdoc_dump_pretty(list, &text, &e) == 0)
		fputs(buf_str(&text), stdout);
}

void report_leaving(const struct leaving *l, struct step_line *out)
{
	for (size_t i = 0; i < l->steps.n; i++) {
		const struct leaving_row *row = &l->rows[i];

		if (!step_kind_lasts(row->step->kind))
			continue;
		*out = (struct step_line){ .id = row->step->id, .state = STEP_LEAVING, .protect = row->step->protect,
					     .note = row->stays ? row->stays : "kept: `deployer install --prune` removes it",
					     .command = row->command };
		leaving_made(row->step, &out++->diff);
	}
}

void report_left(const struct leaving *l, bool each)
{
	size_t going = 0, n = l->told;

	for (size_t i = 0; i < l->steps.n; i++)
		going += step_kind_lasts(l->rows[i].step->kind) && !l->rows[i].stays;
	if (n == 0)
		return;
	printf("%zu step%s of an earlier install %s not in the site any more and kept: `deployer install --prune` removes %zu\n", n,
	       n == 1 ? "" : "s", n == 1 ? "is" : "are", going);
	for (size_t i = 0; each && i < l->steps.n; i++) {
		const struct leaving_row *row = &l->rows[i];

		if (!step_kind_lasts(row->step->kind))
			continue;
		printf("- %s", row->step->id);
		if (row->stays)
			printf(": %s%s%s", row->stays, row->command ? ": " : "", row->command ? row->command : "");
		printf("\n");
	}
}

void report_lines_release(struct step_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strv_release(&lines[i].diff);
	free(lines);
}
