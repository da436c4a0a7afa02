#!/bin/sh
# The kinds of steps that do something beyond objects and releases, on a real cluster: labels of nodes, calls of an API,
# commands, probes; then what of them is removed when the site does not say it any more. The site chart of this suite takes its steps from the site file as they stand there.
# shellcheck source=tests/testlib.sh disable=SC2016 # $(env:X) is for the deployer
. "$(dirname "$0")/../testlib.sh"
need root docker-registry skopeo python3 etcd containerd
for program in "$helm3" "$kube_bin/kubectl"; do
	[ -x "$program" ] || skip_all "$program is not there: run scripts/deps test"
done

S=$T/stack
mkdir -p "$S/site/templates" "$S/site/charts" "$S/leaf/templates" "$T/trust" "$T/bin" "$T/api"
cp -R manifests/airgap "$S/site/charts/airgap"
cat >"$S/site/Chart.yaml" <<'END'
apiVersion: v2
name: t-site
version: 1.0.0
dependencies: [{name: airgap, version: 1.x.x, repository: ""}]
END
cat >"$S/site/values.yaml" <<'END'
apiVersion: airgap/v1
kind: Site
profile: nonroot
registry: {host: "", username: "", password: ""}
steps: []
END
cat >"$S/site/templates/steps.yaml" <<'END'
apiVersion: airgap/v1
kind: Namespace
metadata: {name: t}
namespace: {name: t, podSecurity: restricted, pullSecret: {name: site-registry, serviceAccounts: [default]}}
{{- range .Values.steps }}
---
{{ tpl (toYaml .) $ }}
{{- end }}
END

printf 'apiVersion: v2\nname: leaf\nversion: 1.0.0\n' >"$S/leaf/Chart.yaml"
cat >"$S/leaf/templates/leaf.yaml" <<'END'
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {a: b}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  serviceName: none
  selector: {matchLabels: {app: leaf}}
  template:
    metadata: {labels: {app: leaf}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers: [{name: c, image: {{ .Values.image }}, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]
  volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}]
END

stand_images "$T/images" app worker
stand_cluster --timeout 180
printf 'carried\n' >"$T/note.txt"
printf '#!/bin/sh\nread -r text <note.txt\necho "$text $WORD" >"$1"\n' >"$T/tell.sh"
"$B/tests/bundle" "$T/b.tar.zst" "new:$T/k.key" name=t version=1.0.0 stream=example/t sequence=1 "site=$S/site" "chart=$S/leaf" \
	"image=docker.io/demo/app:1.0=$T/images/app" "image=docker.io/demo/worker:1.0=$T/images/worker" \
	"file=note=$T/note.txt" "file=tell=$T/tell.sh" >"$T/bundle-id"
cp "$T/k.key.pub" "$T/trust/k.pub"
chmod 755 "$T/trust"
ln -s "$helm3" "$T/bin/helm"
ln -s "$kube_bin/kubectl" "$T/bin/kubectl"
registry=$(cluster_fact registry)
password=$(cat "$(cluster_fact registry-password-file)")
kubeconfig=$(cluster_fact kubeconfig)

# site - $T/site.yaml with the steps on stdin.
site() {
	printf 'apiVersion: airgap/v1\nkind: Site\nregistry: {host: "%s", ca: %s, username: %s, password: "env:TEST_PASSWORD"}\nsteps:\n' \
		"$registry" "$(cluster_fact registry-ca)" "$(cluster_fact registry-username)" >"$T/site.yaml"
	cat >>"$T/site.yaml"
}
in_net() {
	in_cluster env TMPDIR="$T" XDG_STATE_HOME="$T/state" TEST_PASSWORD="$password" KUBECONFIG="$kubeconfig" \
		API_KEY=ROOTKEYROOTKEY API_SECRET=rootsecretrootsecret PATH="$T/bin:$PATH" "$@"
}
deployer() {
	command=$1
	shift
	in_net "$B/bin/deployer" "$command" "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml" "$@"
}
kubectl() { in_net kubectl "$@"; }
# said REGEX - the last `ok` or `fails` said so.
said() { like "$1" "$(cat "$T/said")" "$2"; }
mark() { marked=$(wc -l <"$(cluster_fact audit-log)"); }
# writes - what the deployer changed in the cluster since mark, without dry runs and its lease.
writes() {
	tail -n "+$((marked + 1))" "$(cluster_fact audit-log)" | python3 -c '
import json, sys
for line in sys.stdin:
    e = json.loads(line)
    agent = e.get("userAgent", "")
    if e["verb"] in ("get", "list", "watch") or e.get("stage") != "ResponseComplete" or "dryRun" in e["requestURI"] or "/selfsubject" in e["requestURI"]:
        continue
    if ("kubectl" in agent or "elm" in agent) and not any(w in e["requestURI"] for w in ("/leases/", "/portforward", "/exec")):
        print(e["verb"], e["requestURI"])'
}
# again NAME - a second install has nothing to do and writes nothing.
again() {
	mark
	ok "$1: again" deployer install
	said "$1: nothing changed" 'nothing changed'
	is "$1: nothing was written" "$(writes)" ''
}

image='{{ include "airgap.image" (list . "docker.io/demo/app:1.0") }}'

# ---- probes

# probe ID TITLE RUN [KEYS] - a check that needs "something else".
probe() {
	printf -- '- {apiVersion: airgap/v1, kind: Probe, metadata: {name: "%s"}, probe: {id: %s, title: "%s", need: something else, %srun: {%s}}}\n' \
		"$(echo "$1" | tr '[:upper:]' '[:lower:]')" "$1" "$2" "${4:+$4, }" "$3"
}
namespaces() { kubectl get namespaces -o name | grep -E '/(t|airgap-.*)$'; }
{
	probe P1 'the number is large' "image: '$image', command: [/bin/busybox, sh, -c, 'echo one; echo 65530; exit 1']"
	probe P2 'the host is fine' "where: host, command: [sh, -c, 'exit 1']"
	probe P3 'all is well' "image: '$image', command: [/bin/busybox, 'true']"
	probe P5 'somebody answers' "where: host, timeout: 1s, command: [sleep, '60']"
} | site
mark
fails 'probe: plan asks those on the host' 44 deployer plan
said 'probe: the finding' '^error: P2: the host is fine: something else$'
said 'probe: no answer in time is a finding, too' '^error: .*P5: somebody answers: sleep: not done after 1 seconds: something else'
said 'probe: and says which it does not ask' 'P1: the number is large: asked by `deployer install`, in a pod'
is 'probe: plan makes nothing' "$(writes)" ''
fails 'probe: install asks all' 44 deployer install
said 'probe: both findings are told' 'P1: the number is large: 65530: something else'
said 'probe: and counted' '^error: 3 things missing before the first write: P1: '
is 'probe: nothing was made, and nothing is left' "$(namespaces)" ''
fails 'probe: a check that is not there' 2 deployer install --skip P9
said 'probe: those there are' 'use registry, space, contents, references, kubernetes, .*pull, P1, P2, P3, P5'
ok 'probe: what is known is left out' deployer install --skip P1 --skip P2 --skip P5
is 'probe: the namespace is gone' "$(namespaces | tr '\n' ' ')" 'namespace/airgap-system namespace/t '
fails 'probe: what was left out did not pass' 44 deployer install
kubectl create namespace airgap-probe >/dev/null
fails 'probe: a namespace of that name which is not ours' 41 deployer install
is 'probe: stays' "$(kubectl get namespace airgap-probe -o name)" namespace/airgap-probe
kubectl delete namespace airgap-probe >/dev/null
# the command that asks them all, whatever an earlier run found
busy="image: '$image', command: [/bin/busybox, sh, -c"
{
	probe P1 'the number is large' "$busy, 'echo 65530; exit 1']" 'each: node'
	probe P2 'the host is fine' "where: host, command: [sh, -c, 'exit 1']" 'level: warn'
	probe P3 'all is well' "$busy, 'exit 0']" 'each: node, level: warn'
	probe P6 'it is known' "$busy, 'echo known; exit 1']" 'level: info'
	probe P7 'it is left out' "where: host, command: ['false']"
} | site
preflight_exit() { deployer preflight --json "$@" >"$T/preflight.json"; }
results() { jq -r '.[] | "\(.id)=\(.result)"' "$T/preflight.json" | grep -E "^($1)=" | tr '\n' ' '; }
found() { jq -r ".[] | select(.id == \"$1\") | .found[]" "$T/preflight.json"; }
fails 'preflight: one check fails' 44 preflight_exit --skip P7
is 'preflight: each has its result' "$(results 'P.|pull|proof')" 'proof=ok pull=ok P1=fail P2=warn P3=ok P6=info P7=skipped '
is 'preflight: of a node, by its name' "$(found P1)" "node 'node': the number is large: 65530: something else"
is 'preflight: a warning says as much' "$(found P2)" 'the host is fine: something else'
said 'preflight: the answer' '^error: P1: node .node.: the number is large: 65530: something else$'
is 'preflight: its namespace is gone' "$(kubectl get namespace airgap-probe -o name --ignore-not-found)" ''
ok 'preflight: a warning stops nothing' preflight_exit --skip P1 --skip P7
deployer preflight --skip P7 >"$T/table" 2>/dev/null
like 'preflight: the table' "$(cat "$T/table")" '^P1 +the number is large +fail$'
like 'preflight: what was found stands below' "$(cat "$T/table")" "^    node 'node': the number is large: 65530: something else$"
probe P1 'it takes long' "$busy, 'trap \"exit 0\" TERM; /bin/busybox sleep 60 & wait']" 'each: node' | site
deployer preflight >"$T/table" 2>"$T/said" &
job=$!
n=0
until kubectl -n airgap-probe get pods -l airgap/run=p1-n0 -o name 2>/dev/null | grep -q . || [ $n -ge 150 ]; do
	n=$((n + 1))
	sleep 0.2
done
kill -TERM "$(pgrep -f "^$B/bin/deployer preflight $T" | head -n 1)"
wait "$job"
is 'preflight: interrupted' $? 143
is 'preflight: its namespace is gone then, too' "$(kubectl get namespace airgap-probe -o name --ignore-not-found)" ''

{
	probe P3 'all is well' "image: '$image', command: [/bin/busybox, 'true']"
	probe P4 'the node is seen' "image: '$image', volumes: [{name: host, mountPath: /host, readOnly: true, hostPath: {path: /}}],
		command: [/bin/busybox, test, -e, /host/proc/self]"
} | site
mark
ok 'probe: one that needs more than restricted' deployer install
like 'probe: its namespace lets it' "$(grep -c 'airgap-probe.*privileged' "$(cluster_fact audit-log)")" '^[1-9]'
again probe

# ---- a webhook that does not answer yet

apply='- {apiVersion: airgap/v1, kind: Apply, metadata: {name: asked}, apply: {namespace: t, objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: asked, labels: {asked: "yes"}}}]}}'
kubectl apply -f - >/dev/null <<'END'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: slow}
webhooks:
  - name: slow.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: 1
    clientConfig: {service: {namespace: t, name: slow}}
    objectSelector: {matchLabels: {asked: "yes"}}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
END
echo "$apply" | site
# it goes when the deployer has met it, or after two minutes
(timeout 120 sh -c "until grep -q 'tried again' '$T/said'; do sleep 0.2; done"
	kubectl delete validatingwebhookconfiguration slow >/dev/null) &
ok 'webhook: one that fails is asked again' deployer install -v
wait $!
said 'webhook: which is told' 'Apply/asked: .*failed calling webhook.*: tried again in 2s'
again webhook

# ---- labels of nodes

site <<'END'
- {apiVersion: airgap/v1, kind: Label, metadata: {name: mig}, label: {nodes: node, labels: {example.com/partitioning: mig, example.com/old: null}}}
- apiVersion: airgap/v1
  kind: Label
  metadata: {name: by-label}
  label: {nodes: [kubernetes.io/os=linux], labels: {example.com/os: "yes"}}
END
labels() { kubectl get node node -o json | jq -c '.metadata.labels | [.["example.com/partitioning"], .["example.com/old"], .["example.com/os"]]'; }
kubectl label node node example.com/old=x >/dev/null
ok 'label: plan' deployer plan
said 'label: what changes is told' "node 'node': example.com/partitioning: \(none\) -> mig"
is 'label: plan changes nothing' "$(labels)" '[null,"x",null]'
ok 'label: install' deployer install
is 'label: by name, by selector, and one taken off' "$(labels)" '["mig",null,"yes"]'
again label
kubectl label node node example.com/partitioning- >/dev/null
fails 'label: one removed by hand is drift' 46 deployer status
said 'label: it is shown' 'Label/mig +drifted'
ok 'label: install sets it again' deployer install
is 'label: it is there' "$(labels)" '["mig",null,"yes"]'
site <<'END'
- {apiVersion: airgap/v1, kind: Label, metadata: {name: none}, label: {nodes: ["example.com/none"], labels: {a: b}, timeout: 1s}}
END
fails 'label: no node' 42 deployer install
said 'label: it is said' "Label/none: nodes: 'example.com/none': there is none after 1 s"

# ---- calls of an API

mkdir -p "$T/stand/api"
start_server "$T/stand/api" api nsenter --net="$(cluster_fact netns)" python3 tests/stand/tenantapi.py "$T/stand/api" \
	--listen 10.89.0.1:0 --key ROOTKEYROOTKEY --secret rootsecretrootsecret
wait_server "$T/stand/api" api 10 grep -q ^url= "$T/stand/api/api.log"
url=$(sed -n 's/^url=//p' "$T/stand/api/api.log")
state() { jq -c "$1" "$T/stand/api/state.json"; }
wrong() { printf '%s' "$1" >"$T/stand/api/next.json"; }
asked() { grep -c "$1" "$T/stand/api/api.log"; }
# key_works - the pair in the Secret that other steps are given is one the server takes.
key_works() {
	pair=$(kubectl -n t get secret agent -o json | jq -r '.data | (.access | @base64d) + " " + (.secret | @base64d)')
	[ "$(state "[.credentials[] | select(.access_key == \"${pair% *}\" and .secret_key == \"${pair#* }\")] | length")" = 1 ]
}
# tenant FEATURES [RETRY] - a company, its user, a key of that user, a Secret with it; the key over a port-forward.
tenant() {
	site <<-END
	- apiVersion: airgap/v1
	  kind: Apply
	  metadata: {name: relay}
	  apply:
	    namespace: t
	    objects:
	      - apiVersion: apps/v1
	        kind: Deployment
	        metadata: {name: api}
	        spec:
	          selector: {matchLabels: {app: api}}
	          template:
	            metadata: {labels: {app: api}}
	            spec:
	              automountServiceAccountToken: false
	              terminationGracePeriodSeconds: 0
	              securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
	              containers:
	                - name: relay
	                  image: '{{ include "airgap.image" (list . "docker.io/demo/app:1.0") }}'
	                  command: [/bin/busybox, nc, -ll, -p, "8008", -e, /bin/busybox, nc, 10.89.0.1, "${url##*:}"]
	                  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
	      - {apiVersion: v1, kind: Service, metadata: {name: api}, spec: {selector: {app: api}, ports: [{port: 8008}]}}
	- apiVersion: airgap/v1
	  kind: Call
	  metadata: {name: red}
	  call:
	    url: $url/system.create_company
	    auth: {basic: "\$(env:API_KEY):\$(env:API_SECRET)"}
	    body: {name: red, defaults: {features: $1}}
	    save: {company: data.id}
	    find: {url: /system.get_companies, items: data.companies, where: {name: red}, save: {company: id}}
	    update: {when: {features: $1}, url: /system.update_company_settings, body: {company: "\$(secret:red/company)", features: $1}}
	    retry: {for: ${2:-30s}}
	- apiVersion: airgap/v1
	  kind: Call
	  metadata: {name: red-admin}
	  call:
	    url: $url/auth.create_user
	    auth: {basic: "\$(env:API_KEY):\$(env:API_SECRET)"}
	    body: {name: red-admin, company: "\$(secret:red/company)", role: admin}
	    save: {user: data.id}
	    find: {url: /users.get_all, items: data.users, where: {name: red-admin, company: "\$(secret:red/company)"}, save: {user: id}}
	- apiVersion: airgap/v1
	  kind: Call
	  metadata: {name: red-key}
	  needs: [Apply/relay]
	  call:
	    via: {service: api, namespace: t, port: 8008}
	    url: /auth.create_credentials
	    auth: {basic: "\$(env:API_KEY):\$(env:API_SECRET)"}
	    headers: {X-Clearml-Impersonate-As: "\$(secret:red-admin/user)"}
	    body: {label: airgap}
	    save: {access: data.credentials.access_key, secret: data.credentials.secret_key}
	    unless: {saved: [access, secret], check: {url: /users.get_me, headers: {}, auth: {basic: "\$(secret:red-key/access):\$(secret:red-key/secret)"}}}
	    find: {url: /auth.get_credentials, items: data.credentials, where: {label: airgap}, save: {access: access_key}}
	    revoke: {url: /auth.revoke_credentials, body: {access_key: "\$(secret:red-key/access)"}}
	    retry: {for: 20s}
	- {apiVersion: airgap/v1, kind: Secret, metadata: {name: agent}, secret: {namespaces: [t], name: agent, data: {
	    access: "\$(secret:red-key/access)", secret: "\$(secret:red-key/secret)"}}}
	- apiVersion: airgap/v1
	  kind: Call
	  metadata: {name: domains}
	  needs: [Call/red]
	  call: {url: $url/login.set_domains, auth: {basic: "\$(env:API_KEY):\$(env:API_SECRET)"}, body: {domains: [red.example]}, expect: [data.updated=1]}
	END
}
tenant '[a, b]'
ok 'call: plan where the API is not there yet' deployer plan
said 'call: what is to be made' 'Call/red-key +create'
is 'call: plan made nothing' "$(state '.companies')" '[]'
ok 'call: install' deployer install
is 'call: the company' "$(state '[.companies[] | [.name, .features]]')" '[["red",["a","b"]]]'
is 'call: its user' "$(state '(.companies[0].id == .users[1].company), .users[1].role')" "$(printf 'true\n"admin"')"
is 'call: one key, made over the port-forward' "$(state '[.credentials[1:][] | .label]')" '["airgap"]'
ok 'call: the key is in the Secret that wanted it' key_works
is 'call: one without find' "$(state .domains)" '["red.example"]'
is 'call: no secret in what was said' "$(grep -c 'rootsecret' "$T/said")" 0
before=$(state .)
again call
is 'call: the server was not told anything' "$(state .)" "$before"
is 'call: nor was the one without find made again' "$(asked login.set_domains)" 1
ok 'call: status' deployer status

tenant '[b, c]'
ok 'call: plan of a change' deployer plan
said 'call: it is told' 'features changes'
ok 'call: a change' deployer install
is 'call: it is made by update' "$(state '[.companies[] | [.name, .features]]')" '[["red",["b","c"]]]'
access=$(state '.credentials[1].access_key')
in_net curl -s -u ROOTKEYROOTKEY:rootsecretrootsecret -d "{\"access_key\": $access}" "$url/auth.revoke_credentials" >/dev/null
fails 'call: a key that is no longer taken is drift' 46 deployer status
said 'call: it says so' 'does not take the saved key any more'
ok 'call: it is made anew' deployer install
ok 'call: what uses it has the new one' key_works
is 'call: there is one' "$(state '[.credentials[1:][] | .label]')" '["airgap"]'

# killed after the server made the key, before it was kept
kubectl -n airgap-system delete secret airgap-secrets >/dev/null
wrong '{"/auth.create_credentials": {"delay": 20}}'
made=$(asked create_credentials)
deployer install >"$T/said" 2>&1 &
job=$!
n=0
until [ "$(state '[.credentials[1:][] | .access_key] | unique | length')" = 1 ] && [ "$(state '.credentials[1].access_key')" != "$access" ] &&
	[ -n "$(pgrep -f "^$B/bin/deployer install $T")" ] && [ "$(asked revoke_credentials)" -ge 2 ] || [ $n -ge 100 ]; do
	n=$((n + 1))
	sleep 0.1
done
sleep 0.5
kill -KILL "$(pgrep -f "^$B/bin/deployer install $T" | head -n 1)"
wait "$job"
rm -f "$T/stand/api/next.json"
is 'call: killed before the key was kept' "$(asked create_credentials)" "$made"
ok 'call: the next run goes on' deployer install
is 'call: one key is valid' "$(state '[.credentials[1:][] | .label]')" '["airgap"]'
ok 'call: the one that was kept' key_works

# a key that cannot be kept
access=$(state '.credentials[1].access_key')
in_net curl -s -u ROOTKEYROOTKEY:rootsecretrootsecret -d "{\"access_key\": $access}" "$url/auth.revoke_credentials" >/dev/null
kubectl -n airgap-system patch secret airgap-secrets --type=merge -p '{"immutable": true}' >/dev/null
fails 'call: what it made cannot be kept' 40 deployer install
said 'call: it says why' 'Call/red-key: secret airgap-system/airgap-secrets: .*immutable'
is 'call: then it is revoked' "$(state '[.credentials[1:][] | .label]')" '[]'
kubectl -n airgap-system delete secret airgap-secrets >/dev/null
ok 'call: the next run makes one' deployer install
ok 'call: and keeps it' key_works

# a server that is not always there
tenant '[d]'
wrong '{"/system.get_companies": {"status": 503, "times": 2}}'
ok 'call: out of order for a while' deployer install
is 'call: it was asked again' "$(state '.companies[0].features')" '["d"]'

# ---- commands

# run NAME BLOCK - a Run step; pods come from the image app.
run() { printf -- '- {apiVersion: airgap/v1, kind: Run, metadata: {name: %s}, run: %s}\n' "$1" "$2"; }
in_pod() { run "$1" "{namespace: t, image: '$image', timeout: 60s, $2}"; }
jobs() { kubectl get jobs,pods,secrets -A -l "airgap/run=$1" -o name; }
first() {
	in_pod first "env: {URL: $url, WORD: '\$(generate:alnum:24)'}, files: {note: /in/note.txt},
		unless: [/bin/busybox, sh, -c, 'exit ${1:-1}'],
		command: [/bin/busybox, sh, -c, '/bin/busybox wget -q -O - \"\$URL/ran-\$\$(/bin/busybox cat /in/note.txt)-\${#WORD}\" || :']"
}
first | site
ok 'run: plan' deployer plan
said 'run: it is told' 'Run/first +create'
is 'run: plan starts nothing' "$(jobs first)" ''
ok 'run: a pod' deployer install
is 'run: it had its file and its environment' "$(asked '/ran-carried-24 ')" 1
is 'run: nothing of it is left' "$(jobs first)" ''
again run
first 0 | site
ok 'run: a pod that finds nothing to do' deployer install
is 'run: it did nothing' "$(asked '/ran-carried-24 ')" 1

in_pod bad "env: {WORD: '\$(env:API_SECRET)'}, command: [/bin/busybox, sh, -c, 'echo one; echo \"bad: \$WORD\"; exit 3']" | site
fails 'run: a command that fails' 42 deployer install
said 'run: its last words are shown, no secret in them' 'Run/bad: /bin/busybox: ended with 3: bad: \*\*\*$'
said 'run: and the ones before' '\| one'
like 'run: its pod stays for a look, its secret does not' "$(jobs bad | tr '\n' ' ')" '^job.batch/airgap-run-bad pod/airgap-run-bad-[a-z0-9]+ $'
in_pod bad "command: [/bin/busybox, 'true']" | site
ok 'run: the next run clears it away' deployer install
is 'run: nothing is left' "$(jobs bad)" ''
in_pod none "command: [/no/such/program]" | site
fails 'run: a program that is not there' 42 deployer install
said 'run: it is told' 'Run/none: /no/such/program: ended with 128: .*/no/such/program.*no such file'
run far "{namespace: t, image: 'docker.io/demo/app:1.0', command: [a]}" | site
fails 'run: an image that is not the site registry'\''s' 45 deployer plan
said 'run: it is named' 'Run/far: .*docker.io/demo/app:1.0: does not point to the site registry'
in_pod root "securityContext: {runAsUser: 0, runAsNonRoot: false}, command: [a]" | site
fails 'run: root in a restricted namespace' 45 deployer plan
said 'run: it is named so' 'Run/root: .*containers\[run\]\.securityContext\.runAsUser: 0: set another uid'

{
	echo '- {apiVersion: airgap/v1, kind: Namespace, metadata: {name: t2}, namespace: {name: t2, podSecurity: baseline, pullSecret: {name: site-registry}}}'
	run root "{namespace: t2, image: '$image', securityContext: {runAsUser: 0, runAsNonRoot: false, capabilities: {add: [CHOWN]}},
		volumes: [{name: data, mountPath: /data, emptyDir: {}}],
		command: [/bin/busybox, sh, -c, '/bin/busybox touch /data/f && /bin/busybox chown 1:1 /data/f && /bin/busybox stat -c %u /data/f | /bin/busybox grep ^1']}"
	run here "{where: host, env: {WORD: 'from \$(env:API_KEY)'}, files: {note: note.txt, tell: bin/tell.sh}, unless: [test, -e, $T/told], command: [/bin/sh, ./bin/tell.sh, $T/told]}"
} | site
ok 'run: as root where the namespace allows it, and on the host' deployer install
is 'run: the host had its files and its environment' "$(cat "$T/told")" 'carried from ROOTKEYROOTKEY'
is 'run: its folder is gone' "$(find "$T" -maxdepth 1 -name 'airgap-run-*')" ''
again 'run: root and host'
rm "$T/told"
fails 'run: on the host unless is the live check' 46 deployer status
ok 'run: and install does it again' deployer install
is 'run: it is there' "$(cat "$T/told")" 'carried from ROOTKEYROOTKEY'

# work EXTRA - two pods of a Deployment, and steps.
work() {
	cat <<-END
	- apiVersion: airgap/v1
	  kind: Apply
	  metadata: {name: work}
	  apply:
	    namespace: t
	    objects:
	      - apiVersion: apps/v1
	        kind: Deployment
	        metadata: {name: work}
	        spec:
	          replicas: 2
	          selector: {matchLabels: {app: work}}
	          template:
	            metadata: {labels: {app: work}}
	            spec:
	              automountServiceAccountToken: false
	              terminationGracePeriodSeconds: 0
	              securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
	              volumes: [{name: data, emptyDir: {}}]
	              containers:
	                - name: work
	                  image: '$image'
	                  command: [/bin/busybox, sleep, "100000"]
	                  volumeMounts: [{name: data, mountPath: /data}]
	                  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
	- {apiVersion: airgap/v1, kind: Wait, metadata: {name: work}, needs: [Apply/work], wait: {until: Ready, timeout: 60s, object: {
	    apiVersion: apps/v1, kind: Deployment, namespace: t, name: work}}}
	- {apiVersion: airgap/v1, kind: Run, metadata: {name: mark}, needs: [Wait/work], run: {where: exec, namespace: t, exec: {selector: app=work,
	    container: work, node: node, each: node}, unless: [/bin/busybox, test, -e, /data/done], command: [/bin/busybox, touch, /data/done]}}
	END
	[ $# = 0 ] || in_pod slow "$1" | sed 's/run:/needs: [Run\/mark], run:/'
}
pods() { kubectl -n t get pods -l app=work --field-selector=status.phase=Running -o name; }
marked_pods() { for pod in $(pods); do kubectl -n t exec "$pod" -- /bin/busybox ls /data; done; }
work | site
ok 'run: in pods that are there' deployer install
is 'run: in each of them' "$(marked_pods | tr '\n' ' ')" 'done done '
again 'run: exec'
kubectl -n t delete "$(pods | head -n 1)" --wait >/dev/null
kubectl -n t rollout status deployment work >/dev/null
fails 'run: a new pod is drift' 46 deployer status
ok 'run: install does it there' deployer install
is 'run: each has it' "$(marked_pods | tr '\n' ' ')" 'done done '

work "scaleDown: [{kind: Deployment, name: work}, {kind: StatefulSet, name: absent}], command: [/bin/busybox, sh, -c, 'trap \"exit 0\" TERM; /bin/busybox sleep 30 & wait']" | site
deployer install >"$T/said" 2>&1 &
job=$!
n=0
until kubectl -n t get pods -l airgap/run=slow -o name | grep -q . || [ $n -ge 150 ]; do
	n=$((n + 1))
	sleep 0.2
done
scale() { kubectl -n t get deployment work -o json | jq -c '[.spec.replicas, .metadata.annotations["airgap/replicas"]]'; }
is 'run: what must not run meanwhile does not' "$(scale) $(pods)" '[0,"2"] '
kill -KILL "$(pgrep -f "^$B/bin/deployer install $T" | head -n 1)"
wait "$job"
fails 'run: killed meanwhile: status tells' 46 deployer status
said 'run: that it is scaled down' 'scaled down by a run that ended too early'
work "scaleDown: [{kind: Deployment, name: work}], unless: [/bin/busybox, 'true'], command: [/bin/busybox, 'false']" | site
ok 'run: the next run has nothing to do there' deployer install
is 'run: but scales it up again' "$(scale)" '[2,null]'
work "scaleDown: [{kind: Deployment, name: work}], command: [/bin/busybox, 'false']" | site
fails 'run: a command that fails meanwhile' 42 deployer install
is 'run: does not keep it down' "$(scale)" '[2,null]'

# ---- what the site does not say any more

site </dev/null
ok 'leaving: plan' deployer plan
said 'leaving: what the step made' 'label example.com/partitioning of nodes .node.$'
said 'leaving: it is told how many' '0 enter \(\+\), 0 change \(~\), [0-9]+ leave \(-\): `deployer install` keeps'
keys=$(state '[.credentials[1:][] | .label]')
ok 'leaving: install keeps' deployer install
said 'leaving: it says so' 'of an earlier install are not in the site any more and kept: `deployer install --prune` removes [1-9]'
is 'leaving: they are there' "$(labels) $(state '[.credentials[1:][] | .label]')" "[\"mig\",null,\"yes\"] $keys"
mark
ok 'prune: of all kinds' deployer install --prune
said 'prune: how many' 'nothing changed|0 steps done, [0-9]+ removed'
said 'prune: what no call undoes is told' '^kept: Call/red: what .*/system.create_company made stays there'
is 'prune: labels of nodes are gone' "$(labels)" '[null,null,null]'
is 'prune: a key is revoked' "$(state '[.credentials[1:][] | .label]')" '[]'
is 'prune: objects, copies of secrets and namespaces are gone' "$(kubectl get deployments,services,secrets -n t -o name; kubectl get namespace t2 --ignore-not-found)" \
	secret/site-registry
ok 'prune: again' deployer install --prune
said 'prune: nothing is left to remove' 'nothing changed$'

# map NAME OBJECT... - an Apply of ConfigMaps in t.
map() {
	printf -- '- apiVersion: airgap/v1\n  kind: Apply\n  metadata: {name: %s}\n  apply:\n    namespace: t\n    objects:\n' "$1"
	shift
	printf '      - {apiVersion: v1, kind: ConfigMap, metadata: {name: %s}}\n' "$@"
}
# leaf NAME NAMESPACE EXTRA
leaf() { printf -- '- {apiVersion: airgap/v1, kind: Release, metadata: {name: %s}, %s release: {chart: leaf, name: %s, namespace: %s, values: {image: "%s"}}}\n' \
	"$1" "${3:-}" "$1" "$2" '{{ include \"airgap.image\" (list . \"docker.io/demo/app:1.0\") }}'; }
space() { printf -- '- {apiVersion: airgap/v1, kind: Namespace, metadata: {name: %s}, namespace: {name: %s, podSecurity: restricted, pullSecret: {name: pull}}}\n' "$1" "$1"; }
{
	space empty
	space full
	space data
	leaf one empty
	leaf two data 'protect: true,'
	leaf moved t
	map maps m1 m2
	map other m3
	printf -- '- {apiVersion: airgap/v1, kind: Apply, metadata: {name: kind}, apply: {objects: [{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition,
  metadata: {name: things.example.com}, spec: {group: example.com, scope: Namespaced, names: {kind: Thing, plural: things}, versions: [{name: v1,
  served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}}]}}\n'
} | site
ok 'prune: what is to leave' deployer install
kubectl -n full create configmap foreign >/dev/null
printf 'apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x, namespace: t}\n' >"$T/thing.yaml"
kubectl apply -f "$T/thing.yaml" >/dev/null
printf 'apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-one-0, namespace: empty}
spec: {storageClassName: none, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n' >"$T/claim.yaml"
kubectl apply -f "$T/claim.yaml" >/dev/null
kubectl -n t patch configmap m1 --type=merge -p '{"metadata":{"finalizers":["example.com/wait"]}}' >/dev/null
{
	map other m2 m3
	map moved moved
} | site
in_net "$B/bin/deployer" plan "$T/b.tar.zst" --trust "$T/trust" --site "$T/site.yaml" --json >"$T/plan.json" 2>"$T/said"
is 'prune: plan --json' "$(jq -c '[.[] | select(.state == "leaving" and .protect)] | map([.step, .command, .note])' "$T/plan.json")" \
	'[["Release/two","helm uninstall two --namespace data","protected"]]'
ok 'prune: what enters and changes is done' deployer install --take-ownership
ok 'prune: what leaves is no drift' deployer status
said 'prune: but it is said' 'any more and kept: `deployer install --prune` removes 6'
said 'prune: with the reason for those that stay' '^- Release/two +leaving +protected'
said 'prune: with what is needed by one that stays' '^- Namespace/data +leaving +Release/two needs it, and stays'

# killed while it removes: m1 is held back
deployer install --prune >"$T/said" 2>&1 &
job=$!
n=0
until kubectl -n t get configmap m1 -o 'jsonpath={.metadata.deletionTimestamp}' | grep -q . || [ $n -ge 150 ]; do
	n=$((n + 1))
	sleep 0.2
done
kill -KILL "$(pgrep -f "^$B/bin/deployer install $T" | head -n 1)"
wait "$job"
kubectl -n t patch configmap m1 --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
ok 'prune: killed in the middle: the next run goes on' deployer install --prune
said 'prune: and removes the rest' '0 steps done, [1-9] removed'
said 'prune: a protected one stays, with its command' '^kept: Release/two: protected: helm uninstall two --namespace data$'
said 'prune: and what it needs' '^kept: Namespace/data: Release/two needs it, and stays'
said 'prune: a namespace with something in it' "^kept: namespace 'full' still holds configmap/foreign: when they may go, too: kubectl delete namespace/full"
said 'prune: and one with data' "^kept: namespace 'empty' still holds persistentvolumeclaim/data-one-0"
said 'prune: a CRD that has objects' '^kept: customresourcedefinition.apiextensions.k8s.io/things.example.com still has objects'
said 'prune: a release with an object that another step makes' "^kept: release 'moved': configmap/moved in it is made by Apply/moved now"
helms() { kubectl get secrets -A -l owner=helm -o json | jq -r '[.items[] | .metadata.labels.name] | unique | join(" ")'; }
is 'prune: exactly those are gone' "$(kubectl -n t get configmaps -o name | grep -v kube-root | tr '\n' ' ')$(helms)" \
	'configmap/m2 configmap/m3 configmap/moved moved two'
mark
ok 'prune: again with what stays' deployer install --prune
said 'prune: nothing changed' 't 1.0.0: nothing changed'
forget=$(sed -n "s/^kept: release 'moved': .*: kubectl/kubectl/p" "$T/said")
is 'prune: nothing was written' "$(writes)" ''

# by hand, as it was told
kubectl -n full delete configmap foreign >/dev/null
kubectl -n t delete thing x >/dev/null
kubectl -n empty delete persistentvolumeclaim data-one-0 >/dev/null
ok 'prune: the command for the protected one' in_net sh -c "$(jq -r '.[] | select(.step == "Release/two") | .command' "$T/plan.json")"
ok 'prune: the command for the moved one' in_net sh -c "$forget"
ok 'prune: then all goes' deployer install --prune
said 'prune: six of them' '0 steps done, 6 removed'
is 'prune: what moved is there' "$(kubectl -n t get configmap moved -o name)" configmap/moved
is 'prune: the rest is gone' "$(kubectl get namespaces,crds -o name | grep -E 'empty|full|data|things')" ''
ok 'prune: nothing leaves' deployer status
said 'prune: status says no more' 'installed$'
