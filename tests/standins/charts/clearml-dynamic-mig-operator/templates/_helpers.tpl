{{- /* Stand-in: helpers in the form that the public lineage of the vendor's charts has them. */ -}}
{{- define "x.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name }}{{- else -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
{{- end -}}

{{- /* registry/repository:tag, the component's registry before the global one: (list $ IMAGE). */ -}}
{{- define "x.image" -}}
{{- $image := index . 1 -}}
{{- printf "%s/%s:%s" ($image.registry | default (index . 0).Values.global.imageRegistry) $image.repository (toString $image.tag) -}}
{{- end -}}
