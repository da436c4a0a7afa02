{{- /* Fractions that the injector can give: sixteenths 1 and 2, eighths, whole ones. */ -}}
{{- define "clearml.checkFraction" -}}
{{- $legal := list "0.0625" "0.125" "0.250" "0.375" "0.500" "0.625" "0.750" "0.875" "1" "2" "3" "4" "5" "6" "7" "8" -}}
{{- if not (has (toString (index . 1)) $legal) -}}
{{- fail (printf "%s: fraction %q is none that a GPU can be cut into: use one of %s" (index . 0) (toString (index . 1)) (join " " $legal)) -}}
{{- end -}}
{{- end -}}

{{- /* Version of a chart of the bundle, "" at build where it is not known yet: (list $ COMPONENT). */ -}}
{{- define "clearml.chartVersion" -}}
{{- $chart := (include "clearml.chart" . | fromYaml).chart -}}
{{- dig $chart "version" "" ((index . 0).Values.airgap.bundle.charts | default dict) | trimPrefix "v" -}}
{{- end -}}

{{- /* The injector's family: from 1.3.0 on it names the cards one by one. */ -}}
{{- define "clearml.cfgiNames" -}}
{{- $version := include "clearml.chartVersion" (list . "cfgi") -}}
{{- if or (not $version) (semverCompare ">=1.3.0-0" $version) -}}true{{- end -}}
{{- end -}}

{{- /* The device plugin's configuration for a node's way of sharing: "ts-4" is ts with four GPUs. */ -}}
{{- define "clearml.nodeConfig" -}}
{{- $mode := .mode | default "ts" -}}
{{- if and (eq $mode "ts") .gpus -}}{{ printf "ts-%d" (int .gpus) }}{{- else -}}{{ $mode }}{{- end -}}
{{- end -}}

{{- /* Each GPU in slices, by its own name where the injector wants that: (list $ GPUS). */ -}}
{{- define "clearml.slices" -}}
{{- $root := index . 0 -}}
{{- $slices := int $root.Values.gpu.sharing.slices -}}
{{- $resources := list (dict "name" "nvidia.com/gpu" "replicas" $slices) -}}
{{- if include "clearml.cfgiNames" $root -}}
{{- $resources = list -}}
{{- range $i := until (int (index . 1)) -}}
{{- $resources = append $resources (dict "name" "nvidia.com/gpu" "rename" (printf "nvidia.com/gpu-%d" $i) "devices" (list (toString $i)) "replicas" $slices) -}}
{{- end -}}
{{- end -}}
{{- dict "version" "v1" "flags" (dict "migStrategy" "none")
      "sharing" (dict "timeSlicing" (dict "renameByDefault" false "failRequestsGreaterThanOne" false "resources" $resources)) | toYaml -}}
{{- end -}}

{{- /* Configurations of the device plugin for the sharing mode: {default, data}. */ -}}
{{- define "clearml.deviceConfigs" -}}
{{- $sharing := .Values.gpu.sharing -}}
{{- if eq $sharing.mode "cfgi" -}}
{{- $name := ternary "renamed-resources" "any" (eq (include "clearml.cfgiNames" .) "true") -}}
{{- dict "default" $name "data" (dict $name (include "clearml.slices" (list . $sharing.gpus))) | toYaml -}}
{{- else -}}
{{- $data := dict
      "all-disabled" (dict "version" "v1" "flags" (dict "migStrategy" "none") | toYaml)
      "ts" (include "clearml.slices" (list . $sharing.gpus))
      "mig" (dict "version" "v1" "flags" (dict "migStrategy" "mixed") | toYaml) -}}
{{- range $sharing.nodes -}}
{{- $data = set $data (include "clearml.nodeConfig" .) (get $data (include "clearml.nodeConfig" .) | default (include "clearml.slices" (list $ .gpus))) -}}
{{- end -}}
{{- dict "default" "all-disabled" "data" $data | toYaml -}}
{{- end -}}
{{- end -}}

{{- /* Variables of the container toolkit: settings of ClearML, then of the distribution; one whole list. */ -}}
{{- define "clearml.toolkitEnv" -}}
{{- $env := list
      (dict "name" "ACCEPT_NVIDIA_VISIBLE_DEVICES_ENVVAR_WHEN_UNPRIVILEGED" "value" "false")
      (dict "name" "ACCEPT_NVIDIA_VISIBLE_DEVICES_AS_VOLUME_MOUNTS" "value" "true")
      (dict "name" "NVIDIA_CONTAINER_TOOLKIT_OPT_IN_FEATURES" "value" "disable-cuda-compat-lib-hook") -}}
{{- $more := dict
      "k3s" (list (dict "name" "CONTAINERD_SOCKET" "value" "/run/k3s/containerd/containerd.sock"))
      "rke2" (list (dict "name" "CONTAINERD_SOCKET" "value" "/run/k3s/containerd/containerd.sock"))
      "microk8s" (list
        (dict "name" "CONTAINERD_CONFIG" "value" "/var/snap/microk8s/current/args/containerd-template.toml")
        (dict "name" "CONTAINERD_SOCKET" "value" "/var/snap/microk8s/common/run/containerd.sock")
        (dict "name" "CONTAINERD_RUNTIME_CLASS" "value" "nvidia")
        (dict "name" "CONTAINERD_SET_AS_DEFAULT" "value" "true")) -}}
{{- concat $env (get $more .Values.cluster.distribution | default list) | toYaml -}}
{{- end -}}

{{- define "clearml.driverValues" -}}
{{- $driver := .Values.gpu.driver -}}
enabled: {{ ne $driver.mode "preinstalled" }}
{{- if eq $driver.mode "precompiled" }}
usePrecompiled: true
version: {{ $driver.branch | quote }}
{{- else if has $driver.mode (list "container" "nvidiadriver" "vgpu") }}
{{- with $driver.version }}
version: {{ . | quote }}
{{- end }}
{{- end }}
{{- if eq $driver.mode "nvidiadriver" }}
nvidiaDriverCRD: {enabled: true, deployDefaultCR: false}
{{- end }}
{{- if eq $driver.mode "vgpu" }}
{{- if not (and $driver.repository $driver.licensing) -}}
{{- fail "gpu.driver: mode vgpu needs repository (where the driver image that you built is) and licensing (a Secret with gridd.conf and client_configuration_token.tok)" -}}
{{- end }}
repository: {{ $driver.repository | quote }}
licensingConfig: {secretName: {{ $driver.licensing | quote }}}
{{- end }}
{{- with $driver.repositoryConfig }}
repoConfig: {configMapName: {{ . | quote }}}
{{- end }}
{{- if and .Values.tls.ca (ne $driver.mode "preinstalled") }}
certConfig: {name: site-ca}
{{- end }}
{{- end -}}

{{- define "clearml.gpuOperator" -}}
{{- $sharing := .Values.gpu.sharing -}}
driver:
  {{- include "clearml.driverValues" . | nindent 2 }}
nfd: {enabled: {{ .Values.gpu.featureDiscovery }}}
{{- if .Values.monitoring.serviceMonitors }}
dcgmExporter: {serviceMonitor: {enabled: true, additionalLabels: {{ .Values.monitoring.labels | toJson }}}}
{{- end }}
# on systems that bring it, the toolkit is there with the driver
toolkit:
  enabled: {{ ne .Values.cluster.distribution "dgx" }}
  env:
    {{- include "clearml.toolkitEnv" . | nindent 4 }}
devicePlugin:
  env:
    - {name: PASS_DEVICE_SPECS, value: "true"}
    - {name: FAIL_ON_INIT_ERROR, value: "true"}
    - {name: DEVICE_LIST_STRATEGY, value: volume-mounts}
    - {name: DEVICE_ID_STRATEGY, value: uuid}
    - {name: NVIDIA_VISIBLE_DEVICES, value: all}
    - {name: NVIDIA_DRIVER_CAPABILITIES, value: all}
  {{- if and (has $sharing.mode (list "cfgi" "mixed")) (include "clearml.cfgiNames" .) }}
  # the one that renames cards; without a pull secret of its own it is the site registry's
  repository: {{ include "airgap.host" (list . "docker.io") }}/clearml
  image: k8s-device-plugin
  version: v0.17.2-gpu-card-selection
  {{- end }}
  {{- if has $sharing.mode (list "cfgi" "mixed") }}
  {{- $configs := include "clearml.deviceConfigs" . | fromYaml }}
  config:
    name: device-plugin-config
    create: true
    default: {{ $configs.default }}
    data:
      {{- toYaml $configs.data | nindent 6 }}
  {{- end }}
{{- if has $sharing.mode (list "cdmo" "mixed") }}
mig: {strategy: mixed}
# the MIG operator of ClearML does this
migManager: {enabled: false}
{{- end }}
sandboxWorkloads: {enabled: false}
psa: {enabled: false}
{{- end -}}
