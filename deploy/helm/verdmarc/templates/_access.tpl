{{/* How a component is known to the brokers, as JSON: kafka.sasl and kafka.tls with what the component has of its own, or with what the
chart has made for it. `made` says which of it exists only after the install. (dict "root" $ "component" NAME) */}}
{{- define "verdmarc.access" -}}
{{- $values := .root.Values -}}
{{- $sasl := deepCopy $values.kafka.sasl -}}
{{- $tls := deepCopy $values.kafka.tls -}}
{{- $own := (index $values .component).kafka -}}
{{- range $key, $value := $own.sasl | default dict -}}
{{- $_ := set $sasl $key $value -}}
{{- end -}}
{{- range $key, $value := ($own.tls | default dict).client | default dict -}}
{{- $_ := set $tls.client $key $value -}}
{{- end -}}
{{- $made := false -}}
{{- $hasOwn := or ($own.sasl | default dict).secret (($own.tls | default dict).client | default dict).secret -}}
{{- if and (not $hasOwn) (ne .component "setup") $values.strimzi.users.enabled -}}
{{- $made = true -}}
{{- $name := include "verdmarc.componentName" . -}}
{{- if eq $values.strimzi.users.authentication "tls" -}}
{{- $tls = set $tls "client" (dict "secret" $name "certificateKey" "user.crt" "privateKeyKey" "user.key") -}}
{{- else -}}
{{- $sasl = dict "mechanism" "SCRAM-SHA-512" "username" $name "secret" $name "passwordKey" "password" -}}
{{- end -}}
{{- else if and (not $hasOwn) $tls.certManager.enabled -}}
{{- $made = true -}}
{{- $_ := set $tls.client "secret" (printf "%s-kafka-client" (include "verdmarc.fullname" .root)) -}}
{{- end -}}
{{- if and $tls.enabled $values.strimzi.users.enabled (not (or $tls.ca.secret $tls.ca.configMap)) -}}
{{- $_ := set $tls.ca "secret" (printf "%s-cluster-ca-cert" $values.strimzi.cluster) -}}
{{- end -}}
{{- toJson (dict "sasl" $sasl "tls" $tls "made" $made) -}}
{{- end -}}

{{/* librdkafka's properties, and those whose values are in files, for an access, as JSON. */}}
{{- define "verdmarc.accessProperties" -}}
{{- $properties := dict -}}
{{- $files := dict -}}
{{- if .sasl.mechanism -}}
{{- $_ := set $properties "sasl.mechanism" .sasl.mechanism -}}
{{- $_ := set $properties "sasl.username" .sasl.username -}}
{{- $_ := set $files "sasl.password" (printf "/etc/verdmarc/secrets/sasl/%s" .sasl.passwordKey) -}}
{{- end -}}
{{- if .tls.enabled -}}
{{- if or .tls.ca.secret .tls.ca.configMap -}}
{{- $_ := set $properties "ssl.ca.location" (printf "/etc/verdmarc/secrets/ca/%s" .tls.ca.key) -}}
{{- end -}}
{{- if .tls.client.secret -}}
{{- $_ := set $properties "ssl.certificate.location" (printf "/etc/verdmarc/secrets/client/%s" .tls.client.certificateKey) -}}
{{- $_ := set $properties "ssl.key.location" (printf "/etc/verdmarc/secrets/client/%s" .tls.client.privateKeyKey) -}}
{{- end -}}
{{- end -}}
{{- if or .tls.enabled .sasl.mechanism -}}
{{- $_ := set $properties "security.protocol" (ternary (ternary "SASL_SSL" "SSL" (ne .sasl.mechanism "")) "SASL_PLAINTEXT" .tls.enabled) -}}
{{- end -}}
{{- toJson (dict "properties" $properties "files" $files) -}}
{{- end -}}

{{/* Volumes with the secrets of an access. Directories, not single files: those would not follow a Secret that changes. */}}
{{- define "verdmarc.accessVolumes" -}}
{{- $volumes := list -}}
{{- if .sasl.mechanism -}}
{{- $volumes = append $volumes (dict "name" "sasl" "secret" (dict "secretName" .sasl.secret "defaultMode" 288)) -}}
{{- end -}}
{{- if .tls.enabled -}}
{{- if .tls.ca.secret -}}
{{- $volumes = append $volumes (dict "name" "ca" "secret" (dict "secretName" .tls.ca.secret "defaultMode" 288 "items" (list (dict "key" .tls.ca.key "path" .tls.ca.key)))) -}}
{{- else if .tls.ca.configMap -}}
{{- $volumes = append $volumes (dict "name" "ca" "configMap" (dict "name" .tls.ca.configMap "items" (list (dict "key" .tls.ca.key "path" .tls.ca.key)))) -}}
{{- end -}}
{{- if .tls.client.secret -}}
{{- $volumes = append $volumes (dict "name" "client" "secret" (dict "secretName" .tls.client.secret "defaultMode" 288)) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "volumes" $volumes) -}}
{{- end -}}
