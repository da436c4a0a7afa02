#!/bin/sh
# chaos.sh: each way a server misbehaves, times each operation of the clients: exit code, time, number of requests, memory,
# and that what is taken is right. The table is tests/stand/chaos_matrix.py and what it reads.
set -u
# shellcheck source=tests/testlib.sh
. "$(dirname "$0")/../testlib.sh"
need python3 openssl
[ -x "$B/tests/fetch" ] || skip_all "$B/tests/fetch is not built: make stands"
for name in http_proxy HTTPS_PROXY https_proxy ALL_PROXY all_proxy REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_RUNTIME_DIR XDG_CONFIG_HOME \
	HELM_REGISTRY_CONFIG CLEARML_DOCKERHUB_TOKEN HELM_REPO_TOKEN NGC_API_KEY; do unset $name; done
# shellcheck source=tests/stand/chaos.sh
. tests/stand/chaos.sh
chaos_start --matrix
chaos_run

secrets='open-sesame|cm9ib3Q6b3Blbi1zZXNhbWU|token-secret|refresh-secret'
like 'the password and the refresh token did go somewhere' \
	"$(grep -Ec 'cm9ib3Q6b3Blbi1zZXNhbWU' "$chaos/requests")" '^[1-9]'
is 'no password and no token reached another origin unless it is the token server' \
	"$(grep -vE '"listener": "(main|tls)"' "$chaos/requests" | grep -vE 'asked-bearer-elsewhere/' | grep -Ec "$secrets")" 0
is 'no secret, no signed query and no cookie was ever printed' "$(grep -Ec "$secrets|signed-secret" "$chaos/drive/said")" 0
is 'a cookie was never sent back' "$(grep -c '"cookie"' "$chaos/requests")" 0
