{{/* The settings file of a component. (dict "root" $ "component" NAME "access" ACCESS), where without an access the file says nothing
of TLS and SASL: their Secrets do not exist yet. */}}
{{- define "verdmarc.settings" -}}
{{- $values := .root.Values -}}
{{- $settings := deepCopy $values.config -}}
{{- $kafka := $settings.kafka | default dict -}}
{{- $_ := set $kafka "brokers" $values.kafka.brokers -}}
{{- if and $values.keda.enabled (ne .component "aggregate") -}}
{{- $_ := set $kafka "static_membership" false -}}
{{- end -}}
{{- if .access -}}
{{- $made := include "verdmarc.accessProperties" .access | fromJson -}}
{{- $properties := $kafka.properties | default dict -}}
{{- $files := $kafka.property_files | default dict -}}
{{- range $key, $value := $made.properties -}}
{{- if not (or (hasKey $properties $key) (hasKey $files $key)) -}}
{{- $_ := set $properties $key $value -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := $made.files -}}
{{- if not (or (hasKey $properties $key) (hasKey $files $key)) -}}
{{- $_ := set $files $key $value -}}
{{- end -}}
{{- end -}}
{{- $_ := set $kafka "properties" $properties -}}
{{- $_ := set $kafka "property_files" $files -}}
{{- end -}}
{{- $_ := set $settings "kafka" $kafka -}}
{{- if $values.receiver -}}
{{- $_ := set $settings "receiver" $values.receiver -}}
{{- end -}}
{{- include "verdmarc.toml" (dict "table" $settings "path" list) | trim -}}
{{- end -}}

{{/* A text as the value of a key two columns to the left, without spaces in empty lines. */}}
{{- define "verdmarc.block" -}}
{{- . | nindent 4 | replace "\n    \n" "\n\n" -}}
{{- end -}}

{{/* Settings on which parts of the chart depend, with the defaults of the program, as JSON. */}}
{{- define "verdmarc.known" -}}
{{- $config := .Values.config -}}
{{- $listen := dig "health" "listen" "" $config | toString -}}
{{- $prefix := dig "topics" "prefix" "" $config -}}
{{- $known := dict
  "port" (regexFind "[0-9]+$" $listen | int)
  "verdictDrainMs" (dig "verdict" "drain_ms" 20000 $config)
  "aggregateDrainMs" (dig "aggregate" "drain_ms" 20000 $config)
  "groupPrefix" (dig "kafka" "group_prefix" $prefix $config)
  "topicPrefix" $prefix
-}}
{{- toJson $known -}}
{{- end -}}

{{/* The most memory that a role takes, in bytes, as `config check` computes it; a test compares the two. */}}
{{- define "verdmarc.memoryNeeded" -}}
{{- $config := .root.Values.config -}}
{{- $mebibyte := int64 1048576 -}}
{{- $needed := mul 200 $mebibyte -}}
{{- if eq .component "verdict" -}}
{{- $largest := sub (dig "kafka" "max_record_bytes" 59768832 $config | int64) $mebibyte | mul 3 -}}
{{- $needed = add $needed (max (dig "verdict" "budget_bytes" 268435456 $config | int64) $largest) (dig "dns" "cache_bytes" 67108864 $config | int64) -}}
{{- if dig "claim_check" "prefixes" list $config -}}
{{- $needed = add $needed (max (dig "claim_check" "budget_bytes" 268435456 $config | int64) (dig "evaluation" "limits" "message_bytes" 41943040 $config | int64)) -}}
{{- end -}}
{{- if dig "verdict" "retries" false $config -}}
{{- $needed = add $needed (mul 32 $mebibyte) -}}
{{- end -}}
{{- else -}}
{{- $rows := dig "aggregate" "process_bytes" 4294967296 $config | int64 -}}
{{- $needed = add $needed $rows (div $rows 4) (mul 1024 (dig "aggregate" "budget_records" 200000 $config | int64)) -}}
{{- end -}}
{{- $needed -}}
{{- end -}}

{{/* Seconds between SIGTERM and SIGKILL for a role. */}}
{{- define "verdmarc.gracePeriod" -}}
{{- $known := include "verdmarc.known" .root | fromJson -}}
{{- $drain := index $known (printf "%sDrainMs" .component) | float64 -}}
{{- add (ceil (divf $drain 1000.0)) (index .root.Values .component).stopMarginSeconds -}}
{{- end -}}

{{/* A quantity of Kubernetes, in bytes: 512Mi, 1.5Gi, 2G, 1073741824. */}}
{{- define "verdmarc.bytes" -}}
{{- $text := toString . -}}
{{- if kindIs "float64" . -}}
{{- $text = toJson . -}}
{{- end -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?([kMGT]|[KMGT]i)?$" $text) -}}
{{- fail (printf "resources.limits.memory: %q is no quantity such as 1Gi, 512Mi or 1073741824" $text) -}}
{{- end -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- mulf ($number | float64) (index $units $unit | float64) | int64 -}}
{{- end -}}

{{/* The limit on the memory of a component in bytes, 0 where there is none. */}}
{{- define "verdmarc.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" ((index .root.Values .component).resources | default dict) -}}
{{- if or (kindIs "invalid" $limit) (eq (toString $limit) "") -}}0{{- else -}}{{- include "verdmarc.bytes" $limit -}}{{- end -}}
{{- end -}}
