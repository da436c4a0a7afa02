{{- /* Variables of the apiserver: {public: {NAME: VALUE}, secret: {NAME: VALUE}}. Secret ones stand in Secret clearml-env. */ -}}
{{- define "clearml.serverEnv" -}}
{{- $v := .Values -}}
{{- $public := dict
      "CLEARML__services__applications__app_instance_access__allowed" $v.applications.visibility -}}
{{- $secret := dict -}}
{{- if $v.tenants -}}
{{- $public = set $public "CLEARML__services__organization__features__user_management_advanced" "true" -}}
{{- $public = set $public "CLEARML__apiserver__company__unique_names" "true" -}}
{{- range $v.tenants -}}
{{- if .sso -}}
{{- $public = set $public "CLEARML__services__login__sso__tenant_login" "true" -}}
{{- $public = set $public "CLEARML__services__login__sso__allow_settings_providers" "false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $v.sso.provider -}}
{{- $sso := include "clearml.ssoEnv" . | fromYaml -}}
{{- $public = merge $public ($sso.public | default dict) -}}
{{- $secret = merge $secret ($sso.secret | default dict) -}}
{{- end -}}
{{- if $v.events.enabled -}}
{{- $kafka := "CLEARML__SECURE__KAFKA__CUSTOM_EVENTS__" -}}
{{- $public = set $public "CLEARML__services__custom_events__enabled" "true" -}}
{{- $public = set $public "CLEARML__services__custom_events__template_folder" "/mnt/custom_events/templates" -}}
{{- $public = set $public "CLEARML__hosts__kafka__custom_events__host" (toJson $v.events.kafka.hosts) -}}
{{- $public = set $public (printf "%ssecurity_protocol" $kafka) $v.events.kafka.protocol -}}
{{- $public = set $public (printf "%ssasl_mechanism" $kafka) $v.events.kafka.mechanism -}}
{{- $secret = set $secret (printf "%ssasl_plain_username" $kafka) $v.events.kafka.username -}}
{{- $secret = set $secret (printf "%ssasl_plain_password" $kafka) $v.events.kafka.password -}}
{{- end -}}
{{- if $v.platformManagement.enabled -}}
{{- $secret = set $secret "CLEARML__secure__credentials__platform_management__user_key" "$(secret:clearml-identities/platform_management_key)" -}}
{{- $secret = set $secret "CLEARML__secure__credentials__platform_management__user_secret" "$(secret:clearml-identities/platform_management_secret)" -}}
{{- end -}}
{{- if and $v.fixedUsers (ne $v.sso.provider "ldap") -}}
{{- $public = set $public "CLEARML__apiserver__auth__fixed_users__enabled" "true" -}}
{{- end -}}
{{- if eq $v.credentials.mode "predeclared" -}}
{{- range include "clearml.consumers" . | fromJsonArray -}}
{{- $prefix := printf "CLEARML__secure__credentials__%s__" .identity -}}
{{- $public = set $public (printf "%srole" $prefix) "admin" -}}
{{- $secret = set $secret (printf "%suser_key" $prefix) (printf "$(secret:clearml-identities/%s_key)" .identity) -}}
{{- $secret = set $secret (printf "%suser_secret" $prefix) (printf "$(secret:clearml-identities/%s_secret)" .identity) -}}
{{- end -}}
{{- end -}}
{{- dict "public" (mergeOverwrite $public (deepCopy $v.server.env)) "secret" $secret | toYaml -}}
{{- end -}}

{{- /* The list for extraEnvs: one generator, since lists of values files replace one another. (list $ MORE) */ -}}
{{- define "clearml.envList" -}}
{{- $env := include "clearml.serverEnv" (index . 0) | fromYaml -}}
{{- $list := list -}}
{{- $public := mergeOverwrite ($env.public | default dict) (index . 1) -}}
{{- range $name := keys $public | sortAlpha -}}
{{- $list = append $list (dict "name" $name "value" (get $public $name | toString)) -}}
{{- end -}}
{{- range $name := keys ($env.secret | default dict) | sortAlpha -}}
{{- $list = append $list (dict "name" $name "valueFrom" (dict "secretKeyRef" (dict "name" "clearml-env" "key" $name))) -}}
{{- end -}}
{{- toYaml $list -}}
{{- end -}}

{{- /* Who has a key of the server's API, as JSON: [{identity, tenant}]. */ -}}
{{- define "clearml.consumers" -}}
{{- $v := .Values -}}
{{- $list := list -}}
{{- if $v.agent.enabled -}}{{- $list = append $list (dict "identity" "agent") -}}{{- end -}}
{{- if $v.gateway.enabled -}}{{- $list = append $list (dict "identity" "gateway") -}}{{- end -}}
{{- if $v.presign.enabled -}}{{- $list = append $list (dict "identity" "presign") -}}{{- end -}}
{{- if $v.events.enabled -}}{{- $list = append $list (dict "identity" "events") -}}{{- end -}}
{{- if and $v.applications.enabled $v.applications.package -}}{{- $list = append $list (dict "identity" "applications") -}}{{- end -}}
{{- toJson $list -}}
{{- end -}}

{{- /* A consumer's key or secret as a reference: (list $ IDENTITY "key"|"secret"). */ -}}
{{- define "clearml.credential" -}}
{{- $root := index . 0 -}}
{{- $identity := index . 1 -}}
{{- $part := index . 2 -}}
{{- $mode := $root.Values.credentials.mode -}}
{{- if eq $mode "api" -}}
$(secret:key-{{ $identity }}/{{ $part }})
{{- else if eq $mode "predeclared" -}}
$(secret:clearml-identities/{{ $identity }}_{{ $part }})
{{- else -}}
{{- $keys := get $root.Values.credentials.keys $identity | default dict -}}
{{- if not (get $keys $part) -}}
{{- fail (printf "credentials.keys.%s.%s: missing: mode provided needs it: write $(env:NAME) or $(file:PATH)" $identity $part) -}}
{{- end -}}
{{- get $keys $part -}}
{{- end -}}
{{- end -}}

{{- /* Users that are written down: their passwords, as bcrypt makes them, in a Secret and nowhere else. */ -}}
{{- define "clearml.fixedUsers" -}}
auth {
  fixed_users {
    enabled: true
    pass_hashed: true
    users: [
      {{- range .Values.fixedUsers }}
      {username: {{ .username | quote }}, password: "$(secret:clearml-passwords/{{ .username }}|bcrypt|base64)", name: {{ .name | default .username | quote }}, admin: {{ .admin | default false }}}
      {{- end }}
    ]
  }
}
{{- end -}}

{{- /* What the server comes after, as JSON; so do the steps that move the data of an older one. */ -}}
{{- define "clearml.serverNeeds" -}}
{{- $v := .Values -}}
{{- $needs := list "Secret/clearml-credentials" "Secret/clearml-identities" -}}
{{- if (include "clearml.serverEnv" . | fromYaml).secret -}}{{- $needs = append $needs "Secret/clearml-env" -}}{{- end -}}
{{- if $v.fixedUsers -}}{{- $needs = append $needs "Secret/clearml-fixed-users" -}}{{- end -}}
{{- if has $v.tls.mode (list "files" "generate") -}}{{- $needs = append $needs "Secret/site-tls" -}}{{- end -}}
{{- if include "clearml.has" (list . "localPath") -}}{{- $needs = append $needs "Release/local-path" -}}{{- end -}}
{{- if include "clearml.has" (list . "ingressNginx") -}}{{- $needs = append $needs "Release/ingress-nginx" -}}{{- end -}}
{{- if eq $v.databases.mongodb "mck" -}}{{- $needs = append $needs "Wait/mongodb-crds" -}}{{- end -}}
{{- toJson $needs -}}
{{- end -}}
