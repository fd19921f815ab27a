{{/* Ports of the brokers, as a list in JSON under the key `ports`. */}}
{{- define "verdmarc.kafkaPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.kafkaPorts -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- if not $ports -}}
{{- range splitList "," .Values.kafka.brokers -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" (trim .) | trimPrefix ":" | default "9092" | int) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "ports" ($ports | uniq)) -}}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "verdmarc.urlPort" -}}
{{- $port := regexFind ":[0-9]+$" (regexReplaceAll "^([a-z]+://[^/]*).*$" . "$1") | trimPrefix ":" -}}
{{- $port | default (ternary "80" "443" (hasPrefix "http://" .)) -}}
{{- end -}}

{{/* What every component may reach: name servers and brokers. Answers of DNS come over TCP too where they are long. */}}
{{- define "verdmarc.egress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
- ports:
    {{- range (include "verdmarc.kafkaPorts" . | fromJson).ports }}
    - port: {{ int64 . }}
      protocol: TCP
    {{- end }}
  {{- with .Values.networkPolicy.kafkaTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What a role may reach besides. */}}
{{- define "verdmarc.roleEgress" -}}
{{- $config := .root.Values.config -}}
{{- $stores := false -}}
{{- range dig "claim_check" "prefixes" list $config -}}
{{- if not (hasPrefix "file:" .) -}}
{{- $stores = true -}}
{{- end -}}
{{- end -}}
{{- if and (eq .component "verdict") $stores -}}
# Object stores, and where their credentials come from.
- ports:
    - port: {{ include "verdmarc.urlPort" (dig "claim_check" "endpoint" "https://s3" $config) }}
      protocol: TCP
    {{- if ne (include "verdmarc.urlPort" (dig "claim_check" "endpoint" "https://s3" $config)) "443" }}
    - port: 443
      protocol: TCP
    {{- end }}
{{- end }}
{{- with dig "telemetry" "endpoint" "" $config }}
# The collector.
- ports:
    - port: {{ include "verdmarc.urlPort" . }}
      protocol: TCP
{{- end }}
{{- end -}}
