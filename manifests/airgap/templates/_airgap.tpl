{{- /*
The library chart of every site chart. A site chart depends on it with

    dependencies:
      - {name: airgap, version: 1.x.x, repository: "file://../../airgap"}

and names registries and images only through these templates. At build they
give the upstream names, which is what discovery has to see; on site they give
the names in the site registry. The first argument is always the root, "$".

    airgap.host         (list $ "docker.io")                the registry part of a name
    airgap.image        (list $ "docker.io/demo/web:1.0")   a whole reference
    airgap.pullSecrets  (list $ "site-registry")            a list for imagePullSecrets

Which to take follows from the keys of the chart that is given the values:
"registry: docker.io" and "repository: docker.io/demo/web" want airgap.host, and
leave the tag to the chart; one string with everything in it wants airgap.image.
*/ -}}

{{- /* "true" where names have to be changed. A misspelt side must not pass for
build: the site would be given names it cannot reach. */ -}}
{{- define "airgap.onSite" -}}
{{- $side := .Values.airgap.side -}}
{{- if not (has $side (list "build" "site")) -}}
{{- fail (printf "airgap.side: %q is no side: use build or site" (toString $side)) -}}
{{- end -}}
{{- /* mirror leaves names alone; the nodes' mirror files lead to the registry */ -}}
{{- if and (eq $side "site") (ne (dig "registry" "rewrite" "" .Values.AsMap) "mirror") -}}
true
{{- end -}}
{{- end -}}

{{- define "airgap.host" -}}
{{- $root := index . 0 -}}
{{- $host := index . 1 -}}
{{- if include "airgap.onSite" $root -}}
{{- $registry := $root.Values.registry | default dict -}}
{{- if not $registry.host -}}
{{- fail "registry.host: not set: write in the site file the registry that the nodes pull from" -}}
{{- end -}}
{{- $registry.host -}}
{{- with $registry.prefix | default "" | trimAll "/" -}}/{{ . }}{{- end -}}
{{- if $registry.keepHost -}}/{{ $host | replace ":" "_" }}{{- end -}}
{{- else -}}
{{- $host -}}
{{- end -}}
{{- end -}}

{{- define "airgap.image" -}}
{{- $root := index . 0 -}}
{{- $ref := index . 1 -}}
{{- /* Checked at build too: there a short name would be found as Docker Hub's,
and only the site would learn that the bundle has it under another name. */ -}}
{{- if not (regexMatch "^([^/]*[.:][^/]*|localhost)/.+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@[a-z0-9]+:[0-9a-f]+)$" $ref) -}}
{{- fail (printf "image %s: not a full name: write REGISTRY/PATH:TAG, for example docker.io/library/busybox:1.36" $ref) -}}
{{- end -}}
{{- $rename := include "airgap.onSite" $root -}}
{{- if eq $root.Values.airgap.side "site" -}}
{{- $bundle := $root.Values.airgap.bundle -}}
{{- $image := get ($bundle.images | default dict) $ref -}}
{{- if not $image -}}
{{- fail (printf "image %s: not in the bundle %s %s: build the bundle again with this site file" $ref $bundle.name $bundle.version) -}}
{{- end -}}
{{- ternary $image.target $ref (eq $rename "true") -}}
{{- else -}}
{{- $ref -}}
{{- end -}}
{{- end -}}

{{- /* A registry without a user needs no secret, and the Namespace step makes
none then; naming one that is not there gives each pod a warning. */ -}}
{{- define "airgap.pullSecrets" -}}
{{- $root := index . 0 -}}
{{- if dig "registry" "username" "" $root.Values.AsMap -}}
{{- list (dict "name" (index . 1)) | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}
