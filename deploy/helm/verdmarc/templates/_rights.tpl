{{/* The rights of a component on the brokers, as entries of a KafkaUser. Write and Read on a topic imply Describe; the check of topics
at a start reads their settings. */}}
{{- define "verdmarc.rights" -}}
{{- $known := include "verdmarc.known" .root | fromJson -}}
{{- $config := .root.Values.config -}}
{{- $topics := (include "verdmarc.topics" .root | fromJson).topics -}}
{{- $reports := and .root.Values.receiver.domain .root.Values.receiver.organization .root.Values.receiver.contact -}}
{{- $retries := dig "verdict" "retries" false $config -}}
{{- $annotated := dig "verdict" "annotated" false $config -}}
{{- $read := list -}}
{{- $write := list -}}
{{- $look := list -}}
{{- $groups := list -}}
{{- $asked := list "verdmarc-reader" -}}
{{- if eq .component "verdict" -}}
{{- $read = list "raw" "retries" -}}
{{- $write = list "verdicts" "failures" "dead_letters" -}}
{{- if $retries -}}
{{- $write = append $write "retries" -}}
{{- end -}}
{{- if $annotated -}}
{{- $write = append $write "annotated" -}}
{{- end -}}
{{- if $reports -}}
{{- $look = list "windows" "reports" -}}
{{- end -}}
{{- $groups = list "verdict" -}}
{{- if $retries -}}
{{- $groups = append $groups "verdict-retries" -}}
{{- else -}}
{{- $asked = append $asked (printf "%sverdmarc-verdict-retries" $known.groupPrefix) -}}
{{- end -}}
{{- else if eq .component "aggregate" -}}
{{- $read = list "failures" "windows" -}}
{{- $write = list "windows" "reports" "dead_letters" -}}
{{- $look = list "raw" "verdicts" -}}
{{- if $retries -}}
{{- $look = append $look "retries" -}}
{{- end -}}
{{- if $annotated -}}
{{- $look = append $look "annotated" -}}
{{- end -}}
{{- $groups = list "aggregate" -}}
{{- else -}}
{{- $read = list "verdicts" "dead_letters" -}}
{{- $write = list "raw" -}}
{{- end -}}
{{- range $topic := $topics -}}
{{- $operations := list -}}
{{- if has $topic.key $read -}}
{{- $operations = append $operations "Read" -}}
{{- end -}}
{{- if has $topic.key $write -}}
{{- $operations = append $operations "Write" -}}
{{- end -}}
{{- if or $operations (has $topic.key $look) }}
- resource: {type: topic, name: {{ $topic.name | quote }}, patternType: literal}
  operations: {{ concat $operations (list "Describe" "DescribeConfigs") | toJson }}
{{- end -}}
{{- end -}}
{{- range $group := $groups }}
- resource: {type: group, name: {{ printf "%sverdmarc-%s" $known.groupPrefix $group | quote }}, patternType: literal}
  operations: [Read, Describe]
- resource: {type: transactionalId, name: {{ printf "%sverdmarc-%s." $known.groupPrefix $group | quote }}, patternType: prefix}
  operations: [Write, Describe]
{{- if and $known.topicPrefix (not (dig "kafka" "group_prefix" "" $config)) }}
{{- /* The group's name before it had the topics' prefix: its positions are taken over. */}}
{{- $asked = append $asked (printf "verdmarc-%s" $group) -}}
{{- end -}}
{{- end -}}
{{- /* verdmarc-reader has no member, and is asked for by whoever reads without a group. */}}
{{- range $group := $asked }}
- resource: {type: group, name: {{ $group | quote }}, patternType: literal}
  operations: [Describe]
{{- end -}}
{{- end -}}
