/*
 * report - what the commands print on stdout: steps and their states as a table or JSON.
 */
#pragma once

#include "engine.h"
#include "leaving.h"

struct step_line {
	const char *id;
	enum step_state state;
	struct strv diff;
	const char *note;
	bool protect;           /* of one that leaves */
	const char *command;    /* that removes it by hand; NULL = none */
};

/* Lines of the steps that leave, into room for l->steps.n of them. */
void report_leaving(const struct leaving *l, struct step_line *out);
void report_steps(const struct step_line *lines, size_t n, bool json);
void report_lines_release(struct step_line *lines, size_t n);
/* How many leave, and with `each` which, with what keeps it and the command; nothing where there are none. */
void report_left(const struct leaving *l, bool each);
