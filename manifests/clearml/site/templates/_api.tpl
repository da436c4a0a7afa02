{{- /*
Calls of the server's API. Every one goes to the apiserver's Service through a port-forward, as the key pair that the
chart was given, which has the system role.

    clearml.call   (dict "root" $ "id" STEP "needs" list "call" YAML)     the step around a call

What a call made may hold the work of people, so it is never removed with --prune; a key, which can be revoked, is.
*/ -}}
{{- define "clearml.call" -}}
apiVersion: airgap/v1
kind: Call
metadata: {name: {{ .id }}}
needs: {{ prepend (.needs | default list) "Wait/apiserver" | uniq | toJson }}
{{- if not (regexMatch "(?m)^revoke:" .call) }}
protect: true
{{- end }}
call:
  via: {service: {{ include "clearml.serviceName" (list .root "apiserver") }}, namespace: {{ .root.Values.releases.server.namespace }}, port: 8008}
  auth: {basic: "$(secret:clearml-credentials/apiserver_key):$(secret:clearml-credentials/apiserver_secret)"}
  retry: {for: 3m, on: [network, "502", "503"]}
  {{- .call | nindent 2 }}
{{- end -}}

{{- /* A user of a company that keys belong to: (dict "root" $ "name" "airgap-agent" "company" ID "email" E). Saves user. */ -}}
{{- define "clearml.userCall" -}}
url: /auth.create_user
body:
  name: {{ .name | quote }}
  company: {{ .company | quote }}
  email: {{ .email | default (printf "%s@%s" .name .root.Values.domain) | quote }}
  role: admin
  internal: "true"
save: {user: data.id}
find:
  url: /users.get_all
  body: {name: {{ .name | quote }}, company: {{ .company | quote }}}
  items: data.users
  where: {name: {{ .name | quote }}}
  save: {user: id}
{{- end -}}

{{- /* A key of that user, made as that user: (dict "id" STEP "user" ID "label" TEXT). Saves key and secret; one that was
made and never kept is revoked. */ -}}
{{- define "clearml.keyCall" -}}
url: /auth.create_credentials
headers: {X-Clearml-Impersonate-As: {{ .user | quote }}}
body: {label: {{ .label | quote }}}
save: {key: data.credentials.access_key, secret: data.credentials.secret_key}
unless:
  saved: [key, secret]
  check:
    url: /users.get_current_user
    auth: {basic: "$(secret:{{ .id }}/key):$(secret:{{ .id }}/secret)"}
    headers: {}
find:
  url: /auth.get_credentials
  body: {}
  items: data.credentials
  where: {label: {{ .label | quote }}}
  save: {key: access_key}
revoke:
  url: /auth.revoke_credentials
  body: {access_key: "$(secret:{{ .id }}/key)"}
{{- end -}}
