{{- define "clearml.companyCall" -}}
url: /system.create_company
body:
  name: {{ .name | quote }}
  defaults:
    allowed_users: {{ .allowedUsers | default 10 | toString | quote }}
    features: {{ .features | default list | toJson }}
    exclude_features: {{ .excludeFeatures | default list | toJson }}
find:
  url: /system.get_companies
  body: {}
  items: data.companies
  where: {name: {{ .name | quote }}}
  save: {company: id}
# the server need not tell these: set when the site file changes them
update:
  url: /system.update_company_settings
  body:
    company: "$(secret:tenant-{{ .name }}/company)"
    allowed_users: {{ .allowedUsers | default 10 | toString | quote }}
    {{- with .features }}
    features: {{ toJson . }}
    {{- end }}
save: {company: data.id}
{{- end -}}

{{- define "clearml.domainsCall" -}}
url: /login.set_domains
headers: {X-Clearml-Act-As: "$(secret:{{ index . 0 }}-admin/user)"}
body: {domains: {{ index . 1 | toJson }}}
{{- end -}}

{{- define "clearml.whitelistCall" -}}
url: /login.add_whitelist_entries
headers: {X-Clearml-Act-As: "$(secret:{{ index . 0 }}-admin/user)"}
body: {is_admin: false}
# those that the tenant's own administrators let in stay
members: {key: emails, items: {{ index . 1 | toJson }}, remove: {url: /login.remove_whitelist_entries}}
{{- end -}}

{{- define "clearml.tenantSSOCall" -}}
{{- $sso := index . 1 -}}
url: /system.update_company_sso_config
body:
  company: {{ index . 0 | quote }}
  sso:
    tenant: {{ $sso.tenant | quote }}
    group_mapping: {{ $sso.groupMapping | default dict | toJson }}
    admin_groups: {{ $sso.adminGroups | default list | toJson }}
{{- end -}}

{{- define "clearml.tenantProviderCall" -}}
{{- $provider := index . 1 -}}
url: /sso.save_provider_configuration
body:
  provider: {{ $provider.name | default "keycloak" }}
  company: {{ index . 0 | quote }}
  configuration:
    {{- toYaml $provider.configuration | nindent 4 }}
{{- end -}}

{{- define "clearml.tenantEventsCall" -}}
url: /system.update_company_custom_events_config
body:
  company: {{ index . 0 | quote }}
  fields:
    {{- toYaml (index . 1) | nindent 4 }}
{{- end -}}

{{- define "clearml.tenantAccessCall" -}}
{{- $access := dict -}}
{{- range $application, $who := index . 1 -}}{{- $access = set $access $application (dict "allowed" $who) -}}{{- end -}}
url: /system.update_company_app_instance_access
body:
  company: {{ index . 0 | quote }}
  app_instance_access: {applications: {{ toJson $access }}}
{{- end -}}
