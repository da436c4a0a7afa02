/*
 * findings - what the checks before the first write found: a row for each check, a line for each thing in it.
 *
 *	auto_findings struct findings f = { 0 };
 *	struct finding_row *row = findings_row(&f, "storage", "storage classes are there");
 *	findings_say(row, FOUND_FAIL, "storage class '%s': not there: make it", name);
 *	findings_print(&f, json);       // stdout: the whole table
 *	findings_tell(&f);              // stderr: what is worth a line
 *	return findings_verdict(&f, e);
 */
#pragma once

#include <airgap/err.h>
#include <airgap/strv.h>

/* In this order the worst line decides the row's result. */
enum finding_level { FOUND_NOTHING, FOUND_INFO, FOUND_WARN, FOUND_FAIL };

struct finding_row {
	char *id, *title;
	enum finding_level result;
	bool skipped;                   /* not asked; why, if it is said, is its line */
	enum err_code code;             /* of a failure; ERR_NONE counts as ERR_PREFLIGHT */
	struct strv lines;              /* "subject: what is wrong: what to do" */
	enum finding_level *levels;     /* one for each line */
};

struct findings { struct finding_row **rows; size_t n; };
#define auto_findings CLEANUP(findings_release)
void findings_release(struct findings *f);

/* A new row, with nothing in it yet; it stays where it is. */
struct finding_row *findings_row(struct findings *f, const char *id, const char *title);
/* A line in it; several threads may not write one row at a time. */
void findings_say(struct finding_row *row, enum finding_level level, const char *fmt, ...) PRINTF(3, 4);
/* Not asked, because of `why` (may be NULL). */
void findings_skip(struct finding_row *row, const char *why);
/* The lines as they were said in another order: bytewise. */
void findings_sort_lines(struct finding_row *row);

/* "ok", "info", "warn", "fail" or "skipped". */
const char *findings_result(const struct finding_row *row);
/* A table for people, or JSON: [{id, title, result, found: [TEXT]}]. On stdout. */
void findings_print(const struct findings *f, bool json);
/* Warnings, and what is to be known; failures, each a line, where they are several (one alone is the verdict). */
void findings_tell(const struct findings *f);
/* 0: nothing failed. -1: the one line with its row's code; else the first, and how many. Failures of one row alone keep
 * its code; of several rows it is ERR_PREFLIGHT. */
int findings_verdict(const struct findings *f, struct err *e) MUST_CHECK;
