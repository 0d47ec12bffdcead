package supervisor

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pithings/conf"
	"pithings/gateway"
)

// YAML writes settings as a section of a configuration, with the keys that are not as their
// defaults.
func YAML(s *gateway.Settings) string {
	var b strings.Builder
	b.WriteString("gateway:\n")
	for _, f := range conf.Fields(s) {
		switch f.Value.Kind() {
		case reflect.Slice:
			if f.Value.Len() > 0 {
				fmt.Fprintf(&b, "  %s:\n", f.Key)
			}
			for i := range f.Value.Len() {
				writeItem(&b, f.Value.Index(i).Addr().Interface())
			}
		case reflect.Map:
			if f.Value.Len() > 0 {
				fmt.Fprintf(&b, "  %s: %s\n", f.Key, texts(f.Value.Interface().(map[string]string)))
			}
		}
	}
	return b.String()
}

// writeItem writes an item of a list: on one line, or with its script as people write it.
func writeItem(b *strings.Builder, p any) {
	usual := reflect.New(reflect.TypeOf(p).Elem())
	conf.Fill(usual.Interface())
	defaults := conf.Fields(usual.Interface())
	var parts []string
	script := ""
	for i, f := range conf.Fields(p) {
		if reflect.DeepEqual(f.Value.Interface(), defaults[i].Value.Interface()) {
			continue
		}
		value := f.YAML()
		switch v := f.Value.Interface().(type) {
		case map[string]string:
			value = texts(v)
		case []string:
			value = list(v)
		}
		if f.Key == "code" {
			if script = block(f.Value.String(), "        "); script != "" {
				continue
			}
		}
		parts = append(parts, f.Key+": "+value)
	}
	if script == "" {
		fmt.Fprintf(b, "    - {%s}\n", strings.Join(parts, ", "))
		return
	}
	fmt.Fprintf(b, "    - %s\n      code: %s", strings.Join(parts, "\n      "), script)
}

// block writes a text as a literal block; "" if that could not be read as it was.
func block(text, indent string) string {
	mark := "|"
	switch body := strings.TrimRight(text, "\n"); len(text) - len(body) {
	case 0:
		mark = "|-"
	case 1:
	default:
		return ""
	}
	if text == "" || strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && (r < ' ' || r >= 0x7F && r < 0xA0 || r == 0x2028 || r == 0x2029 || r == 0xFEFF || r == 0xFFFD)
	}) {
		return ""
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		switch {
		case line == "" && i == 0, line != "" && strings.TrimSpace(line) == "", i == 0 && line[0] == ' ':
			return "" // where the text begins could not be seen
		case line != "":
			lines[i] = indent + line
		}
	}
	return mark + "\n" + strings.Join(lines, "\n") + "\n"
}

func list(items []string) string {
	var parts []string
	for _, item := range items {
		parts = append(parts, conf.Scalar(item))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func texts(m map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, conf.Scalar(key)+": "+conf.Scalar(m[key]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
