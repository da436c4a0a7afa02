{{- /* The row of data/sso.yaml that the site chose, checked. */ -}}
{{- define "clearml.provider" -}}
{{- $providers := .Files.Get "data/sso.yaml" | fromYaml -}}
{{- $sso := .Values.sso -}}
{{- $row := get $providers $sso.provider -}}
{{- if not $row -}}
{{- fail (printf "sso.provider: %s is unknown: use one of %s" $sso.provider (keys $providers | sortAlpha | join ", ")) -}}
{{- end -}}
{{- range $row.required -}}
{{- if not (get $sso.settings .) -}}
{{- fail (printf "sso.settings.%s: missing: provider %s needs it" . $sso.provider) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $row.kind "saml") (not $sso.metadata) -}}
{{- fail (printf "sso.metadata: missing: provider %s needs the identity provider's metadata: write $(file:metadata.xml|public)" $sso.provider) -}}
{{- end -}}
{{- toYaml $row -}}
{{- end -}}

{{- /* Variables of the apiserver for the provider: {public: {NAME: VALUE}, secret: {NAME: VALUE}}. */ -}}
{{- define "clearml.ssoEnv" -}}
{{- $row := include "clearml.provider" . | fromYaml -}}
{{- $sso := .Values.sso -}}
{{- $public := dict -}}
{{- $secret := dict -}}
{{- $settings := deepCopy $sso.settings -}}
{{- range $key, $pattern := $row.derive -}}
{{- if not (get $settings $key) -}}
{{- $settings = set $settings $key (replace "{base_url}" (printf "%s/" (trimSuffix "/" (get $settings "base_url" | default "" | toString))) $pattern) -}}
{{- end -}}
{{- end -}}
{{- if eq $row.kind "oauth" -}}
{{- $service := printf "CLEARML__services__login__sso__oauth_client__%s__" $row.id -}}
{{- range $key, $value := $settings -}}
{{- if has $key $row.secret -}}
{{- $secret = set $secret (printf "CLEARML__secure__login__sso__oauth_client__%s__%s" $row.id $key) (toString $value) -}}
{{- else -}}
{{- $public = set $public (printf "%s%s" $service $key) (toString $value) -}}
{{- end -}}
{{- end -}}
{{- with $sso.defaultCompany -}}
{{- range $row.companyIDs | default (list $row.id) -}}
{{- $secret = set $secret (printf "CLEARML__secure__login__sso__oauth_client__%s__default_company" .) $sso.defaultCompany -}}
{{- end -}}
{{- end -}}
{{- if $sso.groups.enabled -}}
{{- $public = merge $public (include "clearml.ssoGroups" (list $sso.groups $service) | fromYaml) -}}
{{- end -}}
{{- else if eq $row.kind "saml" -}}
{{- $secure := printf "CLEARML__secure__login__sso__saml_client__%s__" $row.id -}}
{{- $service := printf "CLEARML__services__login__sso__saml_client__%s__" $row.id -}}
{{- $public = set $public (printf "%sentity_id" $secure) (get $settings "entity_id" | default "clearml") -}}
{{- $public = set $public (printf "%sidp_metadata_file" $secure) "/opt/clearml/config/default/metadata.xml" -}}
{{- with $sso.defaultCompany -}}{{- $public = set $public (printf "%sdefault_company" $secure) . -}}{{- end -}}
{{- range $row.claims -}}
{{- $claim := . -}}
{{- with get $settings $claim -}}{{- $public = set $public (printf "%sclaims__%s" $service $claim) . -}}{{- end -}}
{{- end -}}
{{- if $sso.groups.enabled -}}
{{- $public = merge $public (include "clearml.ssoGroups" (list $sso.groups $service) | fromYaml) -}}
{{- end -}}
{{- else if eq $row.kind "ldap" -}}
{{- $public = set $public "CLEARML__apiserver__auth__fixed_users__enabled" "true" -}}
{{- $public = set $public "CLEARML__apiserver__auth__fixed_users__provider" "ldap" -}}
{{- range $key, $value := $settings -}}
{{- if has $key $row.secret -}}
{{- $secret = set $secret (printf "CLEARML__secure__fixed_user_providers__ldap__%s" $key) (toString $value) -}}
{{- else -}}
{{- $public = set $public (printf "CLEARML__apiserver__auth__fixed_user_providers__ldap__%s" $key) (toString $value) -}}
{{- end -}}
{{- end -}}
{{- with $sso.defaultCompany -}}
{{- $public = set $public "CLEARML__apiserver__auth__fixed_user_providers__ldap__default_company" . -}}
{{- end -}}
{{- end -}}
{{- dict "public" $public "secret" $secret | toYaml -}}
{{- end -}}

{{- define "clearml.ssoGroups" -}}
{{- $groups := index . 0 -}}
{{- $prefix := index . 1 -}}
{{- $env := dict (printf "%sgroups__enabled" $prefix) "true" -}}
{{- with $groups.claim -}}{{- $env = set $env (printf "%sgroups__claim" $prefix) . -}}{{- end -}}
{{- with $groups.admins -}}{{- $env = set $env (printf "%sgroups__admins" $prefix) (toJson .) -}}{{- end -}}
{{- if $groups.prohibitSignup -}}{{- $env = set $env (printf "%sgroups__prohibit_user_signup_if_not_in_group" $prefix) "true" -}}{{- end -}}
{{- toYaml $env -}}
{{- end -}}
