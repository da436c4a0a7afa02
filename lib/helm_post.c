/* SPDX-License-Identifier: Apache-2.0 */
#include "helm_post.h"

#include <airgap/fs.h>
#include <airgap/log.h>

#define PLUGIN "rewrite"

void helm_post_release(struct helm_post_files *f)
{
	struct err ignored;

	if (f->dir && fs_remove_tree(f->dir, &ignored) < 0)
		log_debug("%s", ignored.msg);
	free(f->dir);
	*f = (struct helm_post_files){ 0 };
}

/* Helm 4 takes a plugin alone. JSON is YAML; the folder's name is one that helm puts in. */
static int write_plugin(const char *folder, const struct helm_post *post, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(64u << 10);
	auto_free char *path = fs_join(folder, "plugin.yaml");
	auto_json json_t *plugin = json_pack("{ss, ss, ss, ss, ss, s{s[{ss, s[ss]}]}}", "apiVersion", "v1", "type", "postrenderer/v1",
					     "name", PLUGIN, "version", "1.0.0", "runtime", "subprocess", "runtimeConfig",
					     "platformCommand", "command", post->program, "args", post->command,
					     "$HELM_PLUGIN_DIR/names");

	return jdoc_dump(plugin, &text, e) < 0 ? -1 : fs_save(path, text.ptr, text.len, 0600, e);
}

int helm_post_prepare(const struct helm *h, const struct helm_post *post, struct helm_post_files *out, struct strv *args,
		      struct err *e)
{
	if (fs_temp_dir(h->home, "post-", &out->dir, e) < 0)
		return -1;

	auto_free char *folder = fs_join(out->dir, PLUGIN), *names = fs_join(folder, "names");

	if (fs_make_dirs(folder, 0700, e) < 0 || fs_save(names, post->bytes, post->n, 0600, e) < 0)
		return -1;
	if (h->major >= 4) {
		strv_push(args, "--post-renderer=" PLUGIN);
		return write_plugin(folder, post, e);
	}
	strv_pushf(args, "--post-renderer=%s", post->program);
	strv_pushf(args, "--post-renderer-args=%s", post->command);
	strv_pushf(args, "--post-renderer-args=%s", names);
	return 0;
}
