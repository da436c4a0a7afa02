{{- /* The values of a release: (list $ COMPONENT VALUES), where VALUES is YAML.
The profile is merged over them, the site's overrides over both. */ -}}
{{- define "demo.values" -}}
{{- $root := index . 0 -}}
{{- $values := index . 2 | fromYaml -}}
{{- $profile := $root.Files.Get (printf "profiles/%s.yaml" $root.Values.profile) | fromYaml -}}
{{- $overrides := index $root.Values.overrides (index . 1) | deepCopy -}}
{{- mustMergeOverwrite $values $profile $overrides | toYaml -}}
{{- end -}}

{{- /* The namespaces of what is installed, each once, as a list in JSON. */ -}}
{{- define "demo.namespaces" -}}
{{- $namespaces := list .Values.releases.web.namespace -}}
{{- if .Values.worker.enabled -}}
{{- $namespaces = append $namespaces .Values.releases.worker.namespace -}}
{{- end -}}
{{- uniq $namespaces | toJson -}}
{{- end -}}
