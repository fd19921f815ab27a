{{/* A table of settings as TOML. Numbers come as floating point from YAML; JSON writes them as what they are. Strings of JSON are
strings of TOML but for one character. (dict "table" MAP "path" LIST) */}}
{{- define "verdmarc.toml" -}}
{{- $path := .path -}}
{{- $table := .table -}}
{{- $tables := list -}}
{{- $values := list -}}
{{- range $key := keys $table | sortAlpha -}}
{{- $value := get $table $key -}}
{{- if kindIs "map" $value -}}
{{- $tables = append $tables $key -}}
{{- else if not (kindIs "invalid" $value) -}}
{{- $values = append $values (printf "%s = %s\n" (include "verdmarc.tomlKey" $key) (include "verdmarc.tomlValue" $value)) -}}
{{- end -}}
{{- end -}}
{{- if and $path $values -}}
{{- printf "\n[%s]\n" (join "." $path) -}}
{{- end -}}
{{- join "" $values -}}
{{- range $tables -}}
{{- include "verdmarc.toml" (dict "table" (get $table .) "path" (append $path (include "verdmarc.tomlKey" .))) -}}
{{- end -}}
{{- end -}}

{{- define "verdmarc.tomlKey" -}}
{{- ternary . (include "verdmarc.tomlValue" .) (regexMatch "^[A-Za-z0-9_-]+$" .) -}}
{{- end -}}

{{- define "verdmarc.tomlValue" -}}
{{- if kindIs "slice" . -}}
{{- $values := list -}}
{{- range . -}}
{{- $values = append $values (include "verdmarc.tomlValue" .) -}}
{{- end -}}
{{- printf "[%s]" (join ", " $values) -}}
{{- else if kindIs "map" . -}}
{{- $table := . -}}
{{- $values := list -}}
{{- range $key := keys . | sortAlpha -}}
{{- $values = append $values (printf "%s = %s" (include "verdmarc.tomlKey" $key) (include "verdmarc.tomlValue" (get $table $key))) -}}
{{- end -}}
{{- printf "{ %s }" (join ", " $values) -}}
{{- else -}}
{{- toJson . | replace "\u007f" "\\u007f" -}}
{{- end -}}
{{- end -}}
