{{- define "worker.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "worker.labels" -}}
{{ include "worker.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "worker.address" -}}
{{- if .Values.web.host -}}
{{ .Values.web.host }}:{{ .Values.web.port }}
{{- else -}}
{{- /* expanded by the kubelet; the variables are there because enableServiceLinks is on */ -}}
{{- $service := .Values.web.service | upper | replace "-" "_" -}}
$({{ $service }}_SERVICE_HOST):$({{ $service }}_SERVICE_PORT)
{{- end -}}
{{- end -}}

{{- define "worker.container" -}}
image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [/bin/busybox, sh, -ec]
env:
  {{- if .Values.auth.existingSecret }}
  - name: PAGE_PASSWORD
    valueFrom:
      secretKeyRef:
        name: {{ .Values.auth.existingSecret }}
        key: {{ .Values.auth.key }}
  {{- end }}
  - name: PAGE_URL
    value: {{ printf "http://%s%s%s" (ternary (printf "%s:$(PAGE_PASSWORD)@" .Values.auth.user) "" (ne .Values.auth.existingSecret "")) (include "worker.address" .) .Values.web.path | quote }}
  - name: HELPER_IMAGE
    value: {{ .Values.helper.image | quote }}
{{- with .Values.securityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
resources: {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}
