/*
 * report - what the commands print on stdout: steps and their states as a table or JSON.
 */
#pragma once

#include "engine.h"

struct step_line { const char *id; enum step_state state; struct strv diff; const char *note; };

void report_steps(const struct step_line *lines, size_t n, bool json);
void report_lines_release(struct step_line *lines, size_t n);
