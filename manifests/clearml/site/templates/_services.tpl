{{- /* Values of the smaller services. */ -}}
{{- define "clearml.presign" -}}
clearml:
  apiServerUrlReference: {{ include "clearml.url" (list . "api") | quote }}
  apiKey: {{ include "clearml.credential" (list . "presign" "key") | quote }}
  apiSecret: {{ include "clearml.credential" (list . "presign" "secret") | quote }}
ingress:
  {{- include "clearml.ingress" (list . (include "clearml.hostname" (list . "presign"))) | nindent 2 }}
{{- end -}}

{{- define "clearml.events" -}}
global:
  clearml:
    apiServerUrlReference: {{ include "clearml.url" (list . "api") | quote }}
    apiServerKey: {{ include "clearml.credential" (list . "events" "key") | quote }}
    apiServerSecret: {{ include "clearml.credential" (list . "events" "secret") | quote }}
clearml-pods-monitor-exporter: {podsMonitorUUID: {{ .Values.events.monitorID | quote }}}
{{- end -}}

{{- define "clearml.platformManagement" -}}
global:
  clearml:
    apiServerUrlReference: {{ include "clearml.serviceURL" (list . "apiserver" 8008) | quote }}
    apiServerKey: "$(secret:clearml-identities/platform_management_key)"
    apiServerSecret: "$(secret:clearml-identities/platform_management_secret)"
{{- end -}}
