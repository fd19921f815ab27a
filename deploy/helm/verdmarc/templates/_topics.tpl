{{/* The topics, as `verdmarc topics print` lists them, in JSON under the key `topics`; a test compares the two. */}}
{{- define "verdmarc.topics" -}}
{{- $config := .Values.config -}}
{{- $names := $config.topics | default dict -}}
{{- $prefix := $names.prefix | default "" -}}
{{- $largest := dig "kafka" "max_record_bytes" 59768832 $config | int64 -}}
{{- $event := int64 1048588 -}}
{{- $mebibyte := int64 1048576 -}}
{{- $mail := max $largest (add $event $mebibyte) -}}
{{- $day := int64 86400000 -}}
{{- $topics := list
  (dict "key" "raw" "bytes" (max (sub $largest $mebibyte) $event) "retention" (mul 7 $day))
  (dict "key" "verdicts" "bytes" $event "retention" (mul 14 $day))
  (dict "key" "annotated" "bytes" $mail "retention" (mul 7 $day))
  (dict "key" "failures" "bytes" $event "retention" (mul 14 $day))
  (dict "key" "windows" "bytes" $event)
  (dict "key" "reports" "bytes" (add (dig "aggregate" "report_bytes" 5242880 $config | int64) $mebibyte) "retention" (mul 30 $day))
-}}
{{- range $index, $delay := dig "verdict" "retry_delays_s" (list 60 600 3600) $config -}}
{{- $topics = append $topics (dict "key" "retries" "number" (add1 $index) "bytes" $mail "retention" (add (mul (int64 $delay) 1000) (mul 7 $day))) -}}
{{- end -}}
{{- $topics = append $topics (dict "key" "dead_letters" "bytes" $mail "retention" (mul 30 $day)) -}}
{{- $named := list -}}
{{- range $topics -}}
{{- $name := get $names .key | default (printf "mail.%s" (replace "_" "-" .key)) -}}
{{- $name = printf "%s%s%s" $prefix $name (ternary (printf ".%v" .number) "" (hasKey . "number")) -}}
{{- $config := dict "cleanup.policy" (ternary "delete" "compact" (hasKey . "retention")) "max.message.bytes" .bytes "min.insync.replicas" (int64 $.Values.topics.minInsyncReplicas) -}}
{{- if hasKey . "retention" -}}
{{- $_ := set $config "retention.ms" .retention -}}
{{- else -}}
{{- $_ := set $config "segment.ms" 600000 -}}
{{- $_ := set $config "min.cleanable.dirty.ratio" 0.1 -}}
{{- $_ := set $config "max.compaction.lag.ms" 3600000 -}}
{{- $_ := set $config "delete.retention.ms" 86400000 -}}
{{- end -}}
{{- if eq .key "raw" -}}
{{- $_ := set $config "message.timestamp.type" "LogAppendTime" -}}
{{- end -}}
{{- $named = append $named (dict "key" .key "name" $name "config" $config) -}}
{{- end -}}
{{- toJson (dict "topics" $named) -}}
{{- end -}}

{{/* The name of a topic's resource: the topic's where Kubernetes takes that, else one like it with a hash. */}}
{{- define "verdmarc.topicResource" -}}
{{- $labels := list -}}
{{- range regexReplaceAll "[^a-z0-9.]" (lower .) "-" | splitList "." -}}
{{- $label := trimAll "-" . -}}
{{- if $label -}}
{{- $labels = append $labels $label -}}
{{- end -}}
{{- end -}}
{{- $safe := join "." $labels -}}
{{- if and (eq $safe .) (le (len $safe) 253) -}}
{{- $safe -}}
{{- else -}}
{{- printf "%s-%s" ($safe | trunc 244 | trimAll ".-") (sha256sum . | trunc 8) | trimPrefix "-" -}}
{{- end -}}
{{- end -}}
