/* SPDX-License-Identifier: Apache-2.0 */
/* policy.yaml: taken or refused, never more keys than there were; globs end. */
#include <airgap/trust.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct policy policy;
	struct err e;

	memset(&policy, 0, sizeof(policy));
	policy.n_keys = 1;
	policy.keys[0].not_after = POLICY_NEVER;
	(void)!trust_policy_parse(&policy, p, n, "policy.yaml", &e);
	if (policy.n_keys != 1 || policy.keys[0].n_streams > POLICY_STREAMS_MAX)
		abort();
	for (size_t i = 0; i < policy.keys[0].n_streams; i++) {
		if (strnlen(policy.keys[0].streams[i], POLICY_TEXT_MAX) == POLICY_TEXT_MAX)
			abort();
		policy_glob(policy.keys[0].streams[i], "a/b/c/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
	}

	auto_free char *text = xstrndup((const char *)p, n);
	int64_t t;
	char again[SIGN_TIME];

	if (sign_time_parse(text, strlen(text), &t) && strcmp(sign_time_format(t, again), text) != 0)
		abort();
	return 0;
}
