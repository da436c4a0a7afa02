/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include "tools.h"

#include <airgap/fs.h>
#include <airgap/proc.h>

static void temp_gone(char **dir)
{
	struct err ignored;

	if (*dir && fs_remove_tree(*dir, &ignored) < 0)
		(void)ignored;  /* the next run's to clear away */
	free(*dir);
}

static int extract(struct session *s, const char *name, const char *dir, const char *path, struct err *e)
{
	const struct content_file *f = contents_file(&s->contents, name, NULL);
	auto_free char *full = fs_join(dir, path);
	auto_free char *folder = fs_dirname(full);

	if (!f)
		return err_set(e, ERR_PREFLIGHT, "file '%s': not in the bundle: build it again with this site file", name);
	if (fs_make_dirs(folder, 0700, e) < 0)
		return -1;
	/* An odd digit: it is to be executed. */
	return tools_extract(s->bundle, f, full, f->mode && (f->mode[0] & 1) ? 0500 : 0400, e);
}

static int make_env(const struct run_at *at, const char *dir, struct strv *env, struct err *e)
{
	const char *path = getenv("PATH"), *kubeconfig = at->engine->session->kubectl.kubeconfig, *key;
	auto_json json_t *own = run_env(at, e);
	json_t *value;

	if (!own)
		return -1;
	strv_pushf(env, "PATH=%s", path ? path : "/usr/local/bin:/usr/bin:/bin");
	strv_pushf(env, "HOME=%s", dir);
	strv_pushf(env, "TMPDIR=%s", dir);
	strv_push(env, "LC_ALL=C");
	if (kubeconfig)
		strv_pushf(env, "KUBECONFIG=%s", kubeconfig);
	json_object_foreach(own, key, value)
		strv_pushf(env, "%s=%s", key, json_string_value(value));
	return 0;
}

int run_host(const struct run_at *at, const struct strv *command, struct run_said *said, struct err *e)
{
	CLEANUP(temp_gone) char *dir = NULL;
	auto_strv struct strv argv = { 0 }, env = { 0 };
	const char *name;
	json_t *path;

	if (fs_temp_dir(NULL, "airgap-run-", &dir, e) < 0)
		return -1;
	json_object_foreach(at->run->files, name, path)
		if (extract(at->engine->session, name, dir, json_string_value(path), e) < 0)
			return -1;
	if (make_env(at, dir, &env, e) < 0)
		return -1;
	steps_argv(command, &argv);
	if (str_starts(argv.items[0], "./")) {
		char *full = fs_join(dir, argv.items[0] + 2);

		free(argv.items[0]);
		argv.items[0] = full;
	}

	struct proc p = { .argv = argv.items, .env = env.items, .dir = dir, .timeout = run_seconds(at->run), .confidential = true };

	if (proc_run(&p, &said->text, &said->status, e) < 0)
		return -1;
	return buf_add(&said->text, p.tail, strlen(p.tail), e);
}
