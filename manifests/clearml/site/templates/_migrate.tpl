{{- /*
What an older install needs before its server is upgraded: data, not charts. What is there is asked of Helm
(airgap.installed), or the site file says it (migrate.from).
*/ -}}

{{- /* Version of the server's chart that is there; empty: none. */ -}}
{{- define "clearml.serverBefore" -}}
{{- $release := .Values.releases.server -}}
{{- $there := get (.Values.airgap.installed | default dict) (printf "%s/%s" $release.namespace $release.name) | default dict -}}
{{- $chart := (include "clearml.chart" (list . "server") | fromYaml).chart -}}
{{- if and $there (ne $there.chart $chart) -}}
{{- fail (printf "releases.server: release '%s' in namespace '%s' is there, of chart %s, which is not %s: name the release of that chart, or another that is free"
      $release.name $release.namespace $there.chart $chart) -}}
{{- end -}}
{{- $there.version | default .Values.migrate.from -}}
{{- end -}}

{{- /* The revision that is left: what was done before another one is not taken for it. */ -}}
{{- define "clearml.serverRevision" -}}
{{- $release := .Values.releases.server -}}
{{- dig (printf "%s/%s" $release.namespace $release.name) "revision" 0 (.Values.airgap.installed | default dict) | toString -}}
{{- end -}}

{{- /* Whether the server crosses VERSION of its chart upwards: (list $ VERSION). */ -}}
{{- define "clearml.crosses" -}}
{{- $root := index . 0 -}}
{{- $before := include "clearml.serverBefore" $root -}}
{{- $chart := (include "clearml.chart" (list $root "server") | fromYaml).chart -}}
{{- $after := dig "bundle" "charts" $chart "version" "" $root.Values.airgap -}}
{{- $older := printf "<%s-0" (index . 1) -}}
{{- if and $before (semverCompare $older $before) (not (and $after (semverCompare $older $after))) -}}
true
{{- end -}}
{{- end -}}

{{- define "clearml.movesFiles" -}}
{{- include "clearml.crosses" (list . "11.0.0") -}}
{{- end -}}

{{- define "clearml.movesMongodb" -}}
{{- if eq .Values.databases.mongodb "mck" -}}{{- include "clearml.crosses" (list . "10.11.7") -}}{{- end -}}
{{- end -}}

{{- /* At build nobody knows what is there: what the site file allows is carried. */ -}}
{{- define "clearml.migratesFiles" -}}
{{- if and .Values.migrate.fileserver.allow (or (eq .Values.airgap.side "build") (include "clearml.movesFiles" .)) -}}true{{- end -}}
{{- end -}}

{{- define "clearml.migratesMongodb" -}}
{{- if and .Values.migrate.mongodb.allow (eq .Values.databases.mongodb "mck") (or (eq .Values.airgap.side "build") (include "clearml.movesMongodb" .)) -}}true{{- end -}}
{{- end -}}

{{- /* Releases of the gateway's earlier charts in a namespace, as JSON: [NAME]: (list $ NAMESPACE). */ -}}
{{- define "clearml.oldGateways" -}}
{{- $names := list -}}
{{- $space := printf "%s/" (index . 1) -}}
{{- range $key, $there := (index . 0).Values.airgap.installed | default dict -}}
{{- if and (hasPrefix $space $key) (has $there.chart (list "clearml-enterprise-task-traffic-router" "clearml-task-traffic-router")) -}}
{{- $names = append $names (trimPrefix $space $key) -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{- /* Steps that have to be done before a release, as JSON: (list $ COMPONENT NAMESPACE). */ -}}
{{- define "clearml.before" -}}
{{- $root := index . 0 -}}
{{- $before := list -}}
{{- if eq (index . 1) "server" -}}
{{- if include "clearml.migratesMongodb" $root -}}{{- $before = append $before "Run/migrate-mongodb-dump" -}}{{- end -}}
{{- if include "clearml.migratesFiles" $root -}}{{- $before = append $before "Run/migrate-fileserver" -}}{{- end -}}
{{- end -}}
{{- if eq (index . 1) "gateway" -}}
{{- range include "clearml.oldGateways" (list $root (index . 2)) | fromJsonArray -}}
{{- $before = append $before (printf "Run/remove-%s-%s" (index $ 2) .) -}}
{{- end -}}
{{- end -}}
{{- toJson $before -}}
{{- end -}}

{{- /* Claim of the fileserver's files. */ -}}
{{- define "clearml.fileserverClaim" -}}
{{- .Values.migrate.fileserver.claim | default (printf "%s-data" (include "clearml.serviceName" (list . "fileserver"))) -}}
{{- end -}}

{{- /* Bitnami's own rule for its names. */ -}}
{{- define "clearml.bitnamiMongodb" -}}
{{- $release := .Values.releases.server.name -}}
{{- if contains "mongodb" $release -}}{{ $release }}{{- else -}}{{ $release }}-mongodb{{- end -}}
{{- end -}}

{{- /* Helper image of dumps. */ -}}
{{- define "clearml.mongoImage" -}}
docker.io/library/mongo:{{ first (splitList "." .Values.databases.mongodbVersion) }}
{{- end -}}

{{- /* What the server's Deployments do to its database. */ -}}
{{- define "clearml.writers" -}}
{{- $root := index . 0 -}}
{{- range list "apiserver" "apiserver-asyncdelete" }}
- {kind: Deployment, name: {{ include "clearml.serviceName" (list $root .) }}{{ if index $ 1 }}, stayDown: true{{ end }}}
{{- end }}
{{- end -}}
