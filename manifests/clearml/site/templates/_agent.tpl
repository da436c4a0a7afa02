{{- /* One queue as the agent's chart has it: (list $ NAME QUEUE TASKS). */ -}}
{{- define "clearml.queue" -}}
{{- $root := index . 0 -}}
{{- $queue := index . 2 -}}
{{- $overrides := $queue.template | default dict | deepCopy -}}
{{- $limits := dict -}}
{{- $labels := dict -}}
{{- with $queue.gpu -}}{{- $limits = set $limits "nvidia.com/gpu" (int .) -}}{{- end -}}
{{- with $queue.mig -}}{{- $limits = set $limits (printf "nvidia.com/mig-%s" .) 1 -}}{{- end -}}
{{- with $queue.fraction -}}
{{- $_ := include "clearml.checkFraction" (list (printf "agent.queues.%s" (index $ 1)) .) -}}
{{- if not (has $root.Values.gpu.sharing.mode (list "cfgi" "mixed")) -}}
{{- fail (printf "agent.queues.%s: asks for a fraction, but gpu.sharing.mode is %s: use cfgi or mixed" (index $ 1) $root.Values.gpu.sharing.mode) -}}
{{- end -}}
{{- $labels = set $labels "clearml-injector/fraction" (toString .) -}}
{{- if not (include "clearml.cfgiNames" $root) -}}
{{- $limits = set $limits "nvidia.com/gpu" (mulf (float64 (toString .)) (int $root.Values.gpu.sharing.slices) | int) -}}
{{- end -}}
{{- end -}}
{{- if $limits -}}
{{- $overrides = mergeOverwrite (dict "resources" (dict "limits" $limits)) $overrides -}}
{{- end -}}
{{- if $labels -}}{{- $overrides = mergeOverwrite (dict "labels" $labels) $overrides -}}{{- end -}}
{{- $settings := dict -}}
{{- with $queue.maxPods | default (index . 3) -}}{{- $settings = set $settings "maxPods" (int .) -}}{{- end -}}
{{- with $queue.image -}}{{- $settings = set $settings "defaultImage" (include "airgap.image" (list $root .)) -}}{{- end -}}
{{- dict "templateOverrides" $overrides "queueSettings" $settings | toYaml -}}
{{- end -}}

{{- /* Variables of task pods: nothing is fetched from the internet. */ -}}
{{- define "clearml.taskEnv" -}}
{{- $env := list (dict "name" "CLEARML_AGENT_NO_UPDATE" "value" "1") -}}
{{- if ne .Values.profile "standard" -}}{{- $env = append $env (dict "name" "HOME" "value" "/tmp") -}}{{- end -}}
{{- with .Values.pythonIndex.url -}}
{{- $env = append $env (dict "name" "PIP_INDEX_URL" "value" .) -}}
{{- if $.Values.pythonIndex.trusted -}}
{{- $env = append $env (dict "name" "PIP_TRUSTED_HOST" "value" (urlParse . | dig "hostname" "")) -}}
{{- end -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}

{{- /* Values of an agent: (list $ SETTINGS KEY SECRET); a tenant has settings of its own. */ -}}
{{- define "clearml.agent" -}}
{{- $root := index . 0 -}}
{{- $agent := index . 1 -}}
clearml:
  agentk8sglueKey: {{ index . 2 | quote }}
  agentk8sglueSecret: {{ index . 3 | quote }}
agentk8sglue:
  apiServerUrlReference: {{ include "clearml.url" (list $root "api") | quote }}
  fileServerUrlReference: {{ include "clearml.url" (list $root "files") | quote }}
  webServerUrlReference: {{ include "clearml.url" (list $root "app") | quote }}
  clearmlcheckCertificate: {{ ne $root.Values.tls.mode "none" }}
  defaultContainerImage: {{ include "airgap.image" (list $root $agent.defaultImage) | quote }}
  # no apt in task pods
  airGappedSupport: true
  createQueues: true
  serviceAccountClusterAccess: {{ $agent.clusterAccess | default false }}
  basePodTemplate:
    env:
      {{- include "clearml.taskEnv" $root | nindent 6 }}
  queues:
    {{- range $name, $queue := $agent.queues }}
    {{ $name }}:
      {{- include "clearml.queue" (list $root $name ($queue | default dict) $agent.maxPods) | nindent 6 }}
    {{- end }}
  {{- if eq $root.Values.applications.queueMode "per_tenant" }}
  appsQueue: {enabled: true}
  {{- end }}
bootstrap: {enabled: {{ $agent.bootstrap | default false }}}
{{- with include "clearml.trust" $root }}
customCertificates:
  {{- . | nindent 2 }}
  propagateToTasks: true
{{- end }}
{{- end -}}

{{- /* Values of a gateway: (list $ SETTINGS KEY SECRET HOST STREAM-HOST). */ -}}
{{- define "clearml.gateway" -}}
{{- $root := index . 0 -}}
{{- $gateway := index . 1 -}}
{{- $range := splitList "-" (toString $gateway.ports) -}}
clearml:
  apiKey: {{ index . 2 | quote }}
  apiSecret: {{ index . 3 | quote }}
  apiServerUrlReference: {{ include "clearml.url" (list $root "api") | quote }}
  {{- with $root.Values.gateway.cookieName }}
  authCookieName: {{ . | quote }}
  {{- end }}
ingress:
  {{- include "clearml.ingress" (list $root (index . 4)) | nindent 2 }}
streamSession:
  routerAddress: {{ index . 5 | quote }}
  service: {type: {{ $gateway.service | default $root.Values.gateway.service }}}
  portRange: {start: {{ index $range 0 | int }}, end: {{ index $range 1 | int }}}
{{- if eq $root.Values.tls.mode "none" }}
extraEnvs:
  - {name: ROUTER__HTTP__AUTHORIZATION__COOKIE__SECURE, value: "false"}
{{- end }}
{{- with include "clearml.trust" $root }}
customCertificates:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Port ranges of all gateways: legal, and none within another. */ -}}
{{- define "clearml.checkPorts" -}}
{{- $v := .Values -}}
{{- $ranges := list -}}
{{- if $v.gateway.enabled -}}{{- $ranges = append $ranges (dict "who" "gateway.ports" "ports" $v.gateway.ports "service" $v.gateway.service) -}}{{- end -}}
{{- range $v.tenants -}}
{{- $name := .name -}}
{{- with .gateway -}}{{- $ranges = append $ranges (dict "who" (printf "tenants: %s: gateway.ports" $name) "ports" .ports "service" (.service | default $v.gateway.service)) -}}{{- end -}}
{{- end -}}
{{- $node := splitList "-" $v.cluster.nodePorts -}}
{{- range $i, $a := $ranges -}}
{{- $p := splitList "-" (toString $a.ports) -}}
{{- if or (ne (len $p) 2) (gt (int (index $p 0)) (int (index $p 1))) -}}
{{- fail (printf "%s: %q: write FIRST-LAST" $a.who (toString $a.ports)) -}}
{{- end -}}
{{- if and (eq $a.service "NodePort") (or (lt (int (index $p 0)) (int (index $node 0))) (gt (int (index $p 1)) (int (index $node 1)))) -}}
{{- fail (printf "%s: %s is outside of the node ports %s: choose others, or service LoadBalancer" $a.who $a.ports $v.cluster.nodePorts) -}}
{{- end -}}
{{- range $k, $b := $ranges -}}
{{- if lt $k $i -}}
{{- $q := splitList "-" (toString $b.ports) -}}
{{- if and (le (int (index $p 0)) (int (index $q 1))) (le (int (index $q 0)) (int (index $p 1))) -}}
{{- fail (printf "%s: %s overlaps %s of %s" $a.who $a.ports $b.ports $b.who) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
