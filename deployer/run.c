/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <airgap/log.h>

#define SECONDS    600u
#define WORDS_MAX  300
#define TOLD_LINES 20u

void run_said_release(struct run_said *r)
{
	buf_wipe(&r->text);
}

unsigned run_seconds(const struct step_run *r)
{
	unsigned seconds = SECONDS;

	return steps_duration(r->timeout, SECONDS, &seconds) ? seconds : SECONDS;
}

json_t *run_env(const struct run_at *at, struct err *e)
{
	struct secrets *x = at->engine->secrets;
	auto_json json_t *whole = json_pack("{s:O*}", "env", at->run->env);
	bool known = true;
	auto_json json_t *r = at->looking ? secrets_resolve_known(x, at->step->id, whole, &known, e)
					  : secrets_resolve(x, at->step->id, whole, false, e);

	if (!r)
		return NULL;
	if (!known) {
		err_set(e, ERR_PREFLIGHT, "env: not known yet");
		return NULL;
	}
	if (!at->looking && secrets_save(x, e) < 0)
		return NULL;

	json_t *env = json_object_get(r, "env");

	return env ? json_incref(env) : json_object();
}

/* In a container that runs already; it has its own environment. */
static int run_exec(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e)
{
	auto_strv struct strv argv = { 0 };

	steps_argv(command, &argv);
	return kubectl_exec(&at->engine->session->kubectl, at->ns, at->pod, at->run->exec.container, &argv, run_seconds(at->run),
			    &said->text, &said->status, e);
}

int run_command(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e)
{
	switch (steps_where(at->run)) {
	case STEP_IN_POD:
		return run_pod(at, command, said, e);
	case STEP_ON_HOST:
		return run_host(at, command, said, e);
	case STEP_BY_EXEC:
		return run_exec(at, command, said, e);
	}
	return err_set(e, ERR_BUG, "where %d", (int)steps_where(at->run));
}

/* Whole lines, clean and without secrets. */
static void lines_of(const struct run_at *at, const struct run_said *said, struct strv *out)
{
	auto_free char *text = xstrdup(buf_str(&said->text));

	for (char *p = text; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\n') || *p == 0x7f)
			*p = ' ';
	secrets_mask(at->engine->secrets, text);
	strv_split(out, text, '\n');
	wipe(text, strlen(text));
}

char *run_last_words(const struct run_at *at, const struct run_said *said)
{
	auto_strv struct strv lines = { 0 };

	lines_of(at, said, &lines);
	for (size_t i = lines.n; i > 0; i--)
		if (strspn(lines.items[i - 1], " ") < strlen(lines.items[i - 1]))
			return xasprintf("%.*s", WORDS_MAX, lines.items[i - 1]);
	return xstrdup("");
}

int run_failed(const struct run_at *at, const struct run_said *said, struct err *e)
{
	auto_strv struct strv lines = { 0 };
	auto_free char *last = run_last_words(at, said);
	auto_free char *program = at->run->command.n ? xstrdup(at->run->command.items[0]) : xstrdup("the image's own command");

	lines_of(at, said, &lines);
	for (size_t i = lines.n > TOLD_LINES ? lines.n - TOLD_LINES : 0; i < lines.n; i++)
		log_info("%s:   | %.*s", at->step->id, WORDS_MAX, lines.items[i]);
	return err_set(e, ERR_NOT_READY, "%s%s%s: ended with %d%s%s", at->pod ? at->pod : "", at->pod ? ": " : "", program, said->status,
		       *last ? ": " : "", last);
}
