{{- /* YAML of one value at a dotted path: (list PATH VALUE). A key with a dot in it is written with "\." */ -}}
{{- define "clearml.at" -}}
{{- $value := index . 1 -}}
{{- range (reverse (splitList "." (replace "\\." "\x00" (index . 0)))) -}}
{{- $value = dict (replace "\x00" "." .) $value -}}
{{- end -}}
{{- toYaml $value -}}
{{- end -}}

{{- /* What is known of a component's chart, the site's corrections merged in: (list $ COMPONENT). */ -}}
{{- define "clearml.chart" -}}
{{- $root := index . 0 -}}
{{- $all := $root.Files.Get "data/charts.yaml" | fromYaml -}}
{{- $one := get $all (index . 1) -}}
{{- if not $one -}}
{{- fail (printf "component %s: not in data/charts.yaml" (index . 1)) -}}
{{- end -}}
{{- mergeOverwrite $one (get $root.Values.charts (index . 1) | default dict | deepCopy) | toYaml -}}
{{- end -}}

{{- /* Whether an entry of data/charts.yaml with `when` and `versions` counts here: (list $ ENTRY COMPONENT). */ -}}
{{- define "clearml.counts" -}}
{{- $v := (index . 0).Values -}}
{{- $when := (index . 1).when | default "always" -}}
{{- $fits := true -}}
{{- with (index . 1).versions -}}
{{- $version := include "clearml.chartVersion" (list (index $ 0) (index $ 2)) -}}
{{- $fits = and (ne $version "") (semverCompare . ($version | default "0.0.0")) -}}
{{- end -}}
{{- if and $fits (or (eq $when "always")
          (and (eq $when "mck") (eq $v.databases.mongodb "mck"))
          (and (eq $when "dragonfly") (eq $v.databases.cache "dragonfly"))
          (and (eq $when "driver") (ne $v.gpu.driver.mode "preinstalled"))) -}}
true
{{- end -}}
{{- end -}}

{{- /* Values that lead a chart's images and pull secrets to the site registry: (list $ COMPONENT). */ -}}
{{- define "clearml.registryValues" -}}
{{- include "clearml.leadValues" (list (index . 0) (index . 1) (include "clearml.chart" . | fromYaml)) -}}
{{- end -}}

{{- /* The same of any chart: (list $ COMPONENT CHART), CHART having `images` and `pullSecrets` as data/charts.yaml has them. */ -}}
{{- define "clearml.leadValues" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $chart := index . 2 -}}
{{- $values := dict -}}
{{- range $chart.images -}}
{{- if include "clearml.counts" (list $root . $component) -}}
{{- $host := first (splitList "/" .name) -}}
{{- $path := trimPrefix $host .name -}}
{{- $name := "" -}}
{{- if eq .kind "reference" -}}
{{- $name = include "airgap.image" (list $root .name) -}}
{{- else -}}
{{- $name = printf "%s%s" (include "airgap.host" (list $root $host)) $path -}}
{{- end -}}
{{- $values = mergeOverwrite $values (include "clearml.at" (list .path $name) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- $secret := $root.Values.pullSecret -}}
{{- if $root.Values.registry.username -}}
{{- range $chart.pullSecrets -}}
{{- if include "clearml.counts" (list $root . $component) -}}
{{- $value := $secret -}}
{{- if eq .kind "objects" -}}{{- $value = list (dict "name" $secret) -}}{{- end -}}
{{- if eq .kind "strings" -}}{{- $value = list $secret -}}{{- end -}}
{{- $values = mergeOverwrite $values (include "clearml.at" (list .path $value) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $values -}}
{{- end -}}

{{- /* Security contexts of the profile, with the site's `security` merged over them: (list $ COMPONENT). */ -}}
{{- define "clearml.securityValues" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $chart := include "clearml.chart" . | fromYaml -}}
{{- $profile := $root.Files.Get (printf "profiles/%s.yaml" $root.Values.profile) | fromYaml -}}
{{- $security := $root.Values.security -}}
{{- $own := get $security.perComponent $component | default dict -}}
{{- $values := dict -}}
{{- if eq $chart.level "restricted" -}}
{{- $container := mergeOverwrite (dict) ($profile.container | default dict) (deepCopy $security.containerSecurityContext)
      ($own.containerSecurityContext | default dict | deepCopy) -}}
{{- $pod := mergeOverwrite (dict) ($profile.pod | default dict) (deepCopy $security.podSecurityContext)
      ($own.podSecurityContext | default dict | deepCopy) -}}
{{- if $container -}}
{{- range $chart.container -}}
{{- $values = mergeOverwrite $values (include "clearml.at" (list . (deepCopy $container)) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- if $pod -}}
{{- range $chart.pod -}}
{{- $values = mergeOverwrite $values (include "clearml.at" (list . (deepCopy $pod)) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- $values = mergeOverwrite $values (get ($profile.components | default dict) $component | default dict) -}}
{{- end -}}
{{- toYaml $values -}}
{{- end -}}

{{- /* All values of a release: (list $ COMPONENT VALUES), VALUES being YAML. Later ones win: the registry's keys, the
component's own, the profile's, the site's security, the site's overrides. */ -}}
{{- define "clearml.values" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $values := include "clearml.registryValues" . | fromYaml -}}
{{- $values = mergeOverwrite $values (index . 2 | fromYaml) -}}
{{- $values = mergeOverwrite $values (include "clearml.securityValues" . | fromYaml) -}}
{{- $values = mergeOverwrite $values (get $root.Values.overrides $component | default dict | deepCopy) -}}
{{- toYaml $values -}}
{{- end -}}

{{- /* A Release step: (dict "root" $ "component" C "values" YAML), and if they differ: "id" of the step, "name",
"namespace", "needs" (list), "timeout", "rollback", "late" (list). */ -}}
{{- define "clearml.release" -}}
{{- $root := .root -}}
{{- $chart := include "clearml.chart" (list $root .component) | fromYaml -}}
{{- $release := get $root.Values.releases .component -}}
{{- $namespace := .namespace | default $release.namespace -}}
{{- $needs := concat (list (printf "Namespace/%s" $namespace)) (.needs | default list) -}}
{{- if and $root.Values.monitoring.serviceMonitors (has .component (list "gpuOperator" "ingressNginx")) -}}
{{- $needs = concat $needs $root.Values.monitoring.needs -}}
{{- end -}}
apiVersion: airgap/v1
kind: Release
metadata: {name: {{ .id | default (kebabcase .component) }}}
needs: {{ toJson $needs }}
{{- if has .component (list "server" "localPath") }}
protect: true   # volumes
{{- end }}
release:
  chart: {{ $chart.chart }}
  name: {{ .name | default $release.name }}
  namespace: {{ $namespace }}
  timeout: {{ get $root.Values.timeouts .component | default .timeout | default "10m" }}
  {{- with .rollback }}
  rollback: {{ . }}
  {{- end }}
  {{- with include "clearml.before" (list $root .component $namespace) | fromJsonArray }}
  before: {{ toJson . }}
  {{- end }}
  {{- if and $chart.base (ne $root.Values.profile "standard") }}
  base:
    - {chartFile: {{ $chart.base }}, optional: true}
  {{- end }}
  values:
    {{- include "clearml.values" (list $root .component .values) | nindent 4 }}
  {{- with .late }}
  late:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
