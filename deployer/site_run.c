/* SPDX-License-Identifier: Apache-2.0 */
#include "site_run.h"

#include "installed.h"
#include "system.h"

#include <airgap/fs.h>

int site_run_open(struct site_run *r, const char *bundle, const struct common_opts *o, struct err *e)
{
	struct session *s = &r->session;

	if (session_open(s, bundle, o, e) < 0 || session_site(s, e) < 0 || session_tools(s, e) < 0 ||
	    session_registry(s, e) < 0)
		return -1;
	return session_cluster(s, e);
}

int site_run_lock(const struct site_run *r, int *out_fd, struct err *e)
{
	auto_free char *path = fs_join(r->session.state_dir, "lock");

	return fs_make_dirs(r->session.state_dir, 0700, e) < 0 ? -1 : fs_lock(path, out_fd, e);
}

int site_run_steps(struct site_run *r, bool writing, struct err *e)
{
	struct session *s = &r->session;
	auto_json json_t *installed = NULL;

	if (system_read(s, e) < 0 || journal_open(s, bundle_statement(s->bundle)->stream, writing, &r->journal, e) < 0)
		return -1;
	if (installed_read(s, r->journal, &installed, &r->releases, e) < 0 || render_steps(s, installed, &r->steps, e) < 0 ||
	    secrets_open(s, &r->steps, &r->secrets, e) < 0)
		return -1;
	leaving_find(r->journal, &r->steps, &r->leaving);
	r->engine.session = s;
	r->engine.steps = &r->steps;
	r->engine.secrets = r->secrets;
	r->engine.journal = r->journal;
	return 0;
}

void site_run_release(struct site_run *r)
{
	engine_end(&r->engine);
	journal_close(r->journal);
	secrets_close(r->secrets);
	leaving_release(&r->leaving);
	steps_release(&r->steps);
	json_decref(r->releases);
	session_release(&r->session);
}
