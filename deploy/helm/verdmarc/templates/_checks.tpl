{{/* What can be found wrong before anything is rendered, and the schema of the values cannot say. */}}
{{- define "verdmarc.checks" -}}
{{- $values := .Values -}}
{{- $known := include "verdmarc.known" . | fromJson -}}
{{- if not (or $values.verdict.enabled $values.aggregate.enabled) -}}
{{- fail "verdict.enabled and aggregate.enabled are both false: nothing would run" -}}
{{- end -}}
{{- if eq (int $known.port) 0 -}}
{{- fail "config.health.listen must be an address and a port, such as 0.0.0.0:9464: probes ask there" -}}
{{- end -}}
{{- if $values.aggregate.enabled -}}
{{- range list "domain" "organization" "contact" -}}
{{- if not (get $values.receiver .) -}}
{{- fail (printf "aggregate.enabled needs receiver.%s: it stands in every report" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $values.keda.enabled -}}
{{- if not $values.verdict.enabled -}}
{{- fail "keda.enabled needs verdict.enabled: only the verdict role is scaled" -}}
{{- end -}}
{{- if dig "kafka" "static_membership" false $values.config -}}
{{- fail "config.kafka.static_membership must not be true with keda.enabled: a static member that is scaled in leaves its partitions idle" -}}
{{- end -}}
{{- end -}}
{{- if and (or $values.strimzi.topics.enabled $values.strimzi.users.enabled) (not $values.strimzi.cluster) -}}
{{- fail "strimzi.topics and strimzi.users need strimzi.cluster, the name of the Kafka resource" -}}
{{- end -}}
{{- if and $values.strimzi.users.enabled (eq $values.strimzi.users.authentication "tls") (not $values.kafka.tls.enabled) -}}
{{- fail "strimzi.users.authentication tls needs kafka.tls.enabled" -}}
{{- end -}}
{{- if and $values.kafka.tls.certManager.enabled (not $values.kafka.tls.enabled) -}}
{{- fail "kafka.tls.certManager.enabled needs kafka.tls.enabled" -}}
{{- end -}}
{{- if and $values.kafka.tls.certManager.enabled (not $values.kafka.tls.certManager.issuerRef.name) -}}
{{- fail "kafka.tls.certManager.enabled needs kafka.tls.certManager.issuerRef.name" -}}
{{- end -}}
{{- $makesTopics := and $values.setup.enabled $values.topics.create (not $values.strimzi.topics.enabled) -}}
{{- $setup := include "verdmarc.access" (dict "root" . "component" "setup") | fromJson -}}
{{- if and $makesTopics (or $setup.made (and $values.strimzi.users.enabled (not (or $setup.sasl.secret $setup.tls.client.secret)))) -}}
{{- fail "the Job that makes topics runs before the users and certificates that this chart makes exist: name a Secret that is there in setup.kafka, or set strimzi.topics.enabled or topics.create=false" -}}
{{- end -}}
{{- range list "verdict" "aggregate" "setup" "test" -}}
{{- $access := include "verdmarc.access" (dict "root" $ "component" .) | fromJson -}}
{{- if $access.sasl.mechanism -}}
{{- if not (and $access.sasl.username $access.sasl.secret) -}}
{{- fail (printf "kafka.sasl.mechanism needs kafka.sasl.username and kafka.sasl.secret (or those of %s.kafka.sasl)" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if gt (int $values.topics.minInsyncReplicas) (int $values.topics.replicationFactor) -}}
{{- fail "topics.minInsyncReplicas is above topics.replicationFactor: nothing could be written" -}}
{{- end -}}
{{- range $role := (include "verdmarc.roles" . | fromJson).roles -}}
{{- include "verdmarc.checkMemory" (dict "root" $ "component" $role) -}}
{{- end -}}
{{- end -}}

{{- define "verdmarc.checkMemory" -}}
{{- $limit := include "verdmarc.memoryLimit" . | int64 -}}
{{- $needed := include "verdmarc.memoryNeeded" . | int64 -}}
{{- $setting := ternary "verdict.budget_bytes or config.dns.cache_bytes" "aggregate.process_bytes" (eq .component "verdict") -}}
{{- if and (gt $limit 0) (lt $limit $needed) -}}
{{- fail (printf "%s.resources.limits.memory is %d bytes, and the settings take up to %d: raise it to %dMi or more, or lower config.%s" .component $limit $needed (div (add $needed 1048575) 1048576) $setting) -}}
{{- end -}}
{{- end -}}
