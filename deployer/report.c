/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>

#define DIFF_LINES 20u

static void table(const struct step_line *lines, size_t n)
{
	int width = 4;

	for (size_t i = 0; i < n; i++)
		width = MAX(width, (int)strlen(lines[i].id));
	printf("%-*s  %s\n", width, "STEP", "STATE");
	for (size_t i = 0; i < n; i++) {
		printf("%-*s  %s%s%s\n", width, lines[i].id, step_state_names[lines[i].state], lines[i].note ? "  " : "",
		       lines[i].note ? lines[i].note : "");
		for (size_t k = 0; k < lines[i].diff.n && k < DIFF_LINES; k++)
			printf("    %s\n", lines[i].diff.items[k]);
		if (lines[i].diff.n > DIFF_LINES)
			printf("    (%zu more)\n", lines[i].diff.n - DIFF_LINES);
	}
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
	for (size_t i = 0; i < n; i++) {
		json_t *row = json_pack("{s:s, s:s, s:s*}", "step", lines[i].id, "state", step_state_names[lines[i].state], "note",
					lines[i].note);
		json_t *diff = json_array();

		for (size_t k = 0; k < lines[i].diff.n; k++)
			json_array_append_new(diff, json_string(lines[i].diff.items[k]));
		json_object_set_new(row, "diff", diff);
		json_array_append_new(list, row);
	}
	if (jdoc_dump_pretty(list, &text, &e) == 0)
		fputs(buf_str(&text), stdout);
}

void report_lines_release(struct step_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strv_release(&lines[i].diff);
	free(lines);
}
