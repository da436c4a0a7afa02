{{- /* Stand-in: helpers in the form that the public lineage of the vendor's charts has them. */ -}}
{{- define "x.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name }}{{- else -}}{{ .Release.Name }}-{{ .Chart.Name }}{{- end -}}
{{- end -}}

{{- /* registry/repository:tag, the component's registry before the global one: (list $ IMAGE). */ -}}
{{- define "x.image" -}}
{{- $image := index . 1 -}}
{{- printf "%s/%s:%s" ($image.registry | default (index . 0).Values.global.imageRegistry) $image.repository (toString $image.tag) -}}
{{- end -}}

{{- define "x.pull" -}}
{{- with .Values.imageCredentials.existingImagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* (list $ "apiserver"): labels of one component. */ -}}
{{- define "x.labels" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ include "x.fullname" (index . 0) }}-{{ index . 1 }}
{{- end -}}

{{- define "x.ingress" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $c := get $root.Values $name -}}
{{- if $c.ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "x.fullname" $root }}-{{ $name }}
  annotations: {{ toYaml $c.ingress.annotations | nindent 4 }}
spec:
  ingressClassName: {{ $c.ingress.ingressClassName }}
  {{- with $c.ingress.tlsSecretName }}
  tls: [{hosts: [{{ $c.ingress.hostName }}], secretName: {{ . }}}]
  {{- end }}
  rules:
    - host: {{ $c.ingress.hostName }}
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: {{ include "x.fullname" $root }}-{{ $name }}, port: {number: {{ $c.service.port }}}}}}
{{- end }}
{{- end -}}

{{- define "x.service" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $c := get $root.Values $name -}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ include "x.fullname" $root }}-{{ $name }}}
spec:
  type: {{ $c.service.type }}
  selector: {{ include "x.labels" . | nindent 4 }}
  ports: [{port: {{ $c.service.port }}, targetPort: {{ $c.service.port }}}]
{{- end -}}

{{- /* A database as one pod with one volume: (dict "root" "name" "image" "port" "container" "pod" "storage" "pull" "init"). */ -}}
{{- define "x.database" -}}
apiVersion: v1
kind: Service
metadata: {name: {{ .name }}}
spec:
  selector: {app.kubernetes.io/instance: {{ .name }}}
  ports: [{port: {{ .port }}, targetPort: {{ .port }}}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ .name }}}
spec:
  serviceName: {{ .name }}
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/instance: {{ .name }}}}
  template:
    metadata: {labels: {app.kubernetes.io/instance: {{ .name }}}}
    spec:
      terminationGracePeriodSeconds: 1
      automountServiceAccountToken: false
      {{- with .pull }}
      imagePullSecrets: {{ toYaml . | nindent 8 }}
      {{- end }}
      securityContext: {{ toYaml .pod | nindent 8 }}
      {{- with .init }}
      initContainers: {{ . | nindent 8 }}
      {{- end }}
      containers:
        - name: database
          image: {{ .image | quote }}
          command: [/server, store, "{{ .port }}"]
          ports: [{containerPort: {{ .port }}}]
          securityContext: {{ omit .container "enabled" | toYaml | nindent 12 }}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {{ .storage | nindent 8 }}
{{- end -}}
