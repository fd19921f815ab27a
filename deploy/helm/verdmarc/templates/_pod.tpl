{{/* Environment variables, each once: the chart's own, those for all pods, those of the component. A later one takes the place of an
earlier one of its name. (dict "root" $ "component" NAME "own" LIST) */}}
{{- define "verdmarc.env" -}}
{{- $names := list -}}
{{- $entries := dict -}}
{{- range concat .own .root.Values.extraEnv (dig "extraEnv" list (index .root.Values .component)) -}}
{{- if not (hasKey $entries .name) -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $_ := set $entries .name . -}}
{{- end -}}
{{- $list := list -}}
{{- range $names -}}
{{- $list = append $list (get $entries .) -}}
{{- end -}}
{{- toYaml $list -}}
{{- end -}}

{{/* The variables that every process has. The instance is the namespace's and the pod's name: no two pods of a cluster share it. A
namespace has no period in its name, so the parts are told apart. */}}
{{- define "verdmarc.ownEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: VERDMARC_CONFIG
  value: /etc/verdmarc/verdmarc.toml
- name: VERDMARC_KAFKA__INSTANCE
  value: {{ printf "%s$(POD_NAMESPACE).$(POD_NAME)" .Values.kafka.instancePrefix | quote }}
# Says to an OpenTelemetry collector which pod it is.
- name: OTEL_RESOURCE_ATTRIBUTES
  value: k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME)
{{- end -}}

{{/* What all pods have in common. (dict "root" $ "component" NAME) */}}
{{- define "verdmarc.podSpec" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .component -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with $values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName | default $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with include "verdmarc.joined" (list $values.nodeSelector ($own.nodeSelector | default dict)) }}
nodeSelector:
  {{- . | nindent 2 }}
{{- end }}
{{- with $own.affinity | default $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $values.tolerations ($own.tolerations | default list) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What all containers have in common. */}}
{{- define "verdmarc.container" -}}
image: {{ include "verdmarc.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Mounts for the settings file and the volumes with secrets. The file is mounted by itself, so that a process keeps the settings that
it was started with: an upgrade replaces pods one after the other, and would otherwise have all of them see new settings at once.
(dict "root" $ "component" NAME "file" NAME "volumes" LIST) */}}
{{- define "verdmarc.mounts" -}}
- name: settings
  mountPath: /etc/verdmarc/verdmarc.toml
  subPath: {{ .file | default "verdmarc.toml" }}
  readOnly: true
{{- range .volumes }}
- name: {{ .volume | default .name }}
  mountPath: /etc/verdmarc/secrets/{{ .name }}
  readOnly: true
{{- end }}
{{- with concat .root.Values.extraVolumeMounts (dig "extraVolumeMounts" list (index .root.Values .component)) }}
{{ toYaml . }}
{{- end }}
{{- end -}}
