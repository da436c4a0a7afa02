/* SPDX-License-Identifier: Apache-2.0 */
#include "build.h"
#include "commands.h"

#include <airgap/gitrepo.h>

int main(int argc, char **argv)
{
	const struct cmd cmds[] = {
		{ "build", "MANIFEST|LOCK", "Fetch everything and write one signed bundle.", build_options,
		  sizeof(struct build_opts), 1, 1, build_run, "bundler build bundle.yaml --site site.yaml --key release.key" },
		{ "lock", "MANIFEST", "Resolve only: versions, digests, images with the reason for each.", lock_options,
		  lock_opts_size, 1, 1, lock_run, "bundler lock bundle.yaml --site site.yaml -o bundle.lock.yaml" },
		{ "images", "MANIFEST|LOCK|BUNDLE", "List the images and why each is there.", images_options, images_opts_size, 1, 1,
		  images_run, "bundler images bundle.yaml -v" },
		{ "diff", "OLD NEW", "Show what changed between two locks or bundles.", diff_options, diff_opts_size, 2, 2, diff_run,
		  "bundler diff last.tar.zst bundle.lock.yaml" },
		{ "inspect", "BUNDLE", "Show what a bundle is and what is in it.", inspect_options, inspect_opts_size, 1, 1,
		  inspect_run, "bundler inspect bundle.tar.zst --json" },
		{ "verify", "BUNDLE", "Check signatures and every byte of a bundle.", verify_options, verify_opts_size, 1, 1,
		  verify_run, "bundler verify bundle.tar.zst --trust keys/" },
		{ "sign", "BUNDLE", "Add a signature to a bundle, in place.", sign_options, sign_opts_size, 1, 1, sign_run,
		  "bundler sign bundle.tar.zst --key second.key" },
		{ "keygen", "NAME", "Make a key pair: NAME.key to sign with, NAME.pub to give away.", keygen_options,
		  keygen_opts_size, 1, 1, keygen_run, "bundler keygen release --type p256" },
		{ 0 }
	};

	if (gitrepo_is_worker(argc, argv))
		return gitrepo_worker();
	return cli_main("bundler", "Packs charts, images and files into one signed bundle for a place without internet.", cmds,
			argc, argv);
}
