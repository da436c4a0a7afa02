/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "post_render.h"

int main(int argc, char **argv)
{
	const struct cmd cmds[] = {
		{ "install", "[BUNDLE]", "Verify BUNDLE, push it to the site registry and install it.", install_options,
		  install_opts_size, 0, 1, install_run, "deployer install bundle.tar.zst --site site.yaml" },
		{ "plan", "[BUNDLE]", "Show every step and what it would change; changes nothing in the cluster.", plan_options, plan_opts_size, 0,
		  1, plan_run, "deployer plan bundle.tar.zst --site site.yaml" },
		{ "preflight", "[BUNDLE]", "Ask everything that must hold before an install; images of probes stay in the registry.",
		  preflight_options, preflight_opts_size, 0, 1, preflight_run, "deployer preflight bundle.tar.zst --site site.yaml" },
		{ "status", "[BUNDLE]", "Compare what is installed with what the bundle and the site file say.", status_options,
		  status_opts_size, 0, 1, status_run, "deployer status bundle.tar.zst" },
		{ "push", "BUNDLE [REGISTRY]", "Push images, charts and files to a registry.", push_options, push_opts_size, 1, 2,
		  push_run, "deployer push bundle.tar.zst registry.site:5000/airgap --ca ca.crt" },
		{ "verify", "BUNDLE", "Check the signatures of BUNDLE and every byte of it.", verify_options, verify_opts_size, 1, 1,
		  verify_run, "deployer verify bundle.tar.zst --trust trust.d" },
		{ "inspect", "BUNDLE", "Show what is in BUNDLE, who signed it and whether that is trusted.", inspect_options,
		  inspect_opts_size, 1, 1, inspect_run, "deployer inspect bundle.tar.zst --json" },
		{ "extract", "BUNDLE NAME...", "Write files and package repositories of BUNDLE to disk.", extract_options,
		  extract_opts_size, 1, -1, extract_run, "deployer extract bundle.tar.zst packages/headers -o /srv/repos" },
		{ "init", "BUNDLE|DIR", "Write a site file to begin with, with every key the stack knows.", init_options, init_opts_size, 1, 1,
		  init_run, "deployer init manifests/clearml --set domain=ml.example -o site.yaml" },
		{ "facts", "", "Write what the nodes of the site are, for `bundler --facts`.", facts_options, facts_opts_size, 0, 0,
		  facts_run, "deployer facts -o facts.json" },
		{ "mirrors", "BUNDLE", "Write what nodes need to pull from the site registry under upstream names.", mirrors_options,
		  mirrors_opts_size, 1, 1, mirrors_run, "deployer mirrors bundle.tar.zst --containerd -o node/" },
		{ 0 }
	};

	if (post_render_is(argc, argv))
		return post_render_main(argv[2]);
	return cli_main("deployer", "Installs what `bundler build` wrote, where there is no internet.", cmds, argc, argv);
}
