{{- /* "api" -> "api.ml.example"; a name with a dot is whole: (list $ KEY). */ -}}
{{- define "clearml.hostname" -}}
{{- $root := index . 0 -}}
{{- $name := get $root.Values.hosts (index . 1) -}}
{{- if not $root.Values.domain -}}
{{- fail "domain: not set: write the domain that api., app. and files. are below" -}}
{{- end -}}
{{- if contains "." $name -}}{{ $name }}{{- else -}}{{ $name }}.{{ $root.Values.domain }}{{- end -}}
{{- end -}}

{{- define "clearml.scheme" -}}
{{- ternary "http" "https" (eq .Values.tls.mode "none") -}}
{{- end -}}

{{- define "clearml.url" -}}
{{- include "clearml.scheme" (index . 0) }}://{{ include "clearml.hostname" . -}}
{{- end -}}

{{- /* What a release of the server's chart calls a part of it, by the rule that Helm's charts share: the release's name alone where
it has the chart's in it. (list $ "apiserver") */ -}}
{{- define "clearml.serviceName" -}}
{{- $root := index . 0 -}}
{{- $release := $root.Values.releases.server.name -}}
{{- $chart := (include "clearml.chart" (list $root "server") | fromYaml).chart -}}
{{- $full := ternary $release (printf "%s-%s" $release $chart) (contains $chart $release) -}}
{{- $full | trunc 63 | trimSuffix "-" }}-{{ index . 1 }}
{{- end -}}

{{- /* A Service of the server inside the cluster: (list $ "apiserver" 8008). */ -}}
{{- define "clearml.serviceURL" -}}
http://{{ include "clearml.serviceName" . }}.{{ (index . 0).Values.releases.server.namespace }}:{{ index . 2 }}
{{- end -}}

{{- /* Name of the TLS Secret, empty without TLS. */ -}}
{{- define "clearml.tlsSecret" -}}
{{- if ne .Values.tls.mode "none" -}}{{ .Values.tls.secret }}{{- end -}}
{{- end -}}

{{- /* An ingress block as all of the vendor's charts have it: (list $ HOST KEY-of-the-host-name). */ -}}
{{- define "clearml.ingress" -}}
{{- $root := index . 0 -}}
enabled: true
ingressClassName: {{ $root.Values.ingress.class | quote }}
hostName: {{ index . 1 | quote }}
tlsSecretName: {{ include "clearml.tlsSecret" $root | quote }}
{{- with $root.Values.ingress.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Certificates that pods trust besides: the whole bundle, since adding to one needs root. */ -}}
{{- define "clearml.trust" -}}
{{- if or .Values.tls.ca (eq .Values.tls.mode "generate") -}}
overrideCaCertificatesCrt: {{ .Values.tls.ca | default "$(secret:site-tls/ca.crt)" | quote }}
{{- end -}}
{{- end -}}

{{- /* What is installed, as JSON: [{component, namespace}], tenants' own namespaces too. */ -}}
{{- define "clearml.parts" -}}
{{- $v := .Values -}}
{{- $parts := list -}}
{{- $on := dict
      "localPath" (eq $v.storage.install "local-path")
      "metallb" (eq $v.loadBalancer.install "metallb")
      "ingressNginx" (eq $v.ingress.install "ingress-nginx")
      "server" true
      "agent" $v.agent.enabled
      "gateway" $v.gateway.enabled
      "gpuOperator" (and $v.gpu.enabled (ne $v.cluster.distribution "openshift"))
      "cdmo" (and $v.gpu.enabled (has $v.gpu.sharing.mode (list "cdmo" "mixed")))
      "cfgi" (and $v.gpu.enabled (has $v.gpu.sharing.mode (list "cfgi" "mixed")))
      "presign" $v.presign.enabled
      "events" $v.events.enabled
      "platformManagement" $v.platformManagement.enabled -}}
{{- range $component := keys $on | sortAlpha -}}
{{- if get $on $component -}}
{{- $parts = append $parts (dict "component" $component "namespace" (get $v.releases $component).namespace) -}}
{{- end -}}
{{- end -}}
{{- range $v.tenants -}}
{{- $parts = append $parts (dict "component" "agent" "namespace" (include "clearml.tenantNamespace" .)) -}}
{{- end -}}
{{- range $v.extraCharts -}}
{{- $parts = append $parts (dict "component" "" "namespace" .namespace "level" (.podSecurity | default "restricted")) -}}
{{- end -}}
{{- toJson $parts -}}
{{- end -}}

{{- define "clearml.tenantNamespace" -}}
{{- .namespace | default (printf "clearml-%s" .name) -}}
{{- end -}}

{{- define "clearml.tenantNamespaces" -}}
{{- $names := list -}}
{{- range .Values.tenants -}}{{- $names = append $names (include "clearml.tenantNamespace" .) -}}{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* Whether a component is installed: (list $ COMPONENT). */ -}}
{{- define "clearml.has" -}}
{{- range include "clearml.parts" (index . 0) | fromJsonArray -}}
{{- if eq .component (index $ 1) -}}true{{- end -}}
{{- end -}}
{{- end -}}
