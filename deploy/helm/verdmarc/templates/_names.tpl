{{/* The beginning of the names of resources. Two releases of one namespace never have the same one. A StatefulSet's name has at most
52 characters, because its pods carry it in a label with a hash; ten are left for the role. */}}
{{- define "verdmarc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := eq .Release.Name $name | ternary $name (printf "%s-%s" .Release.Name $name) | replace "." "-" -}}
{{- if or (gt (len $full) 42) (contains "." .Release.Name) -}}
{{- printf "%s-%s" ($full | trunc 33 | trimSuffix "-") (sha256sum .Release.Name | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name of what belongs to a component: a role, `setup` or `test`. (dict "root" $ "component" NAME) */}}
{{- define "verdmarc.componentName" -}}
{{- printf "%s-%s" (include "verdmarc.fullname" .root) .component -}}
{{- end -}}

{{- define "verdmarc.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name | trunc 63 }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of a resource, or of what has no component. */}}
{{- define "verdmarc.labels" -}}
{{- $own := include "verdmarc.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63) -}}
{{- include "verdmarc.joined" (list .root.Values.labels (.more | default dict) $own) -}}
{{- end -}}

{{/* The annotations of a resource with their key, or nothing. (dict "root" $ "more" MAP) */}}
{{- define "verdmarc.annotations" -}}
{{- with include "verdmarc.joined" (list .root.Values.annotations (.more | default dict)) | fromYaml -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* One map of several, the later ones win. */}}
{{- define "verdmarc.joined" -}}
{{- $joined := dict -}}
{{- range . -}}
{{- range $key, $value := . -}}
{{- $_ := set $joined $key $value -}}
{{- end -}}
{{- end -}}
{{- if $joined -}}
{{- toYaml $joined -}}
{{- end -}}
{{- end -}}

{{- define "verdmarc.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "verdmarc.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "verdmarc.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The roles that are enabled, as a list in JSON under the key `roles`. */}}
{{- define "verdmarc.roles" -}}
{{- $roles := list -}}
{{- range list "verdict" "aggregate" -}}
{{- if (index $.Values .).enabled -}}
{{- $roles = append $roles . -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "roles" $roles) -}}
{{- end -}}
