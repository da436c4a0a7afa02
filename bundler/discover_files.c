/* SPDX-License-Identifier: Apache-2.0 */
#include "resolve_run.h"

#include <airgap/fs.h>

static int look_into(struct run *r, const struct scan_rule *rule, struct err *e)
{
	auto_scan struct scan_finds finds = { 0 };
	auto_fd int fd = -1;

	if (manifest_file(r->m, rule->file) && !carry_wants(&r->carry, CARRY_FILES, rule->file))
		return 0;
	if (resolve_file_open(r, rule->file, &fd, e) < 0)
		return -1;
	if (scan_archive(fd, rule->file, rule->member, &finds, e) < 0)
		return err_wrap(e, "file '%s'", rule->file);
	if (!finds.n)
		run_warn(r, "file '%s': no image was found in its %s: look at the member of its rule", rule->file,
			 rule->member ? rule->member : "texts");
	return images_add_finds(&r->images, NULL, &finds, e);
}

int discover_files(struct run *r, struct err *e)
{
	for (size_t i = 0; i < r->m->discover.n_rules; i++)
		if (r->m->discover.rules[i].file && look_into(r, &r->m->discover.rules[i], e) < 0)
			return err_wrap(e, "discover.rules[%zu]", i);
	return 0;
}
