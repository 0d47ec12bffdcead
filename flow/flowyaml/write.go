package flowyaml

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/flow/expr"
)

// mapping is what is printed as one, in this order.
type mapping []pair

type pair struct {
	key   string
	value any
}

func (m *mapping) add(key string, v any) { *m = append(*m, pair{key, v}) }

func (m *mapping) text(key, s string) {
	if s != "" {
		m.add(key, s)
	}
}

func (m *mapping) expr(key string, e *expr.Expr) {
	if e != nil {
		m.add(key, e.String())
	}
}

func (m *mapping) duration(key string, d time.Duration) {
	if d > 0 {
		m.add(key, bare(shortDuration(d)))
	}
}

// bare is text that needs no quotes though it begins with a digit.
type bare string

// shortDuration is 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (m mapping) write(b *strings.Builder, indent int) {
	for i, p := range m {
		if i > 0 {
			b.WriteString(strings.Repeat("  ", indent))
		}
		b.WriteString(scalar(p.key) + ":")
		write(b, p.value, indent+1)
	}
}

// write writes a value behind its key, with the end of the line.
func write(b *strings.Builder, v any, indent int) {
	nest := func(m mapping) {
		if len(m) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n" + strings.Repeat("  ", indent))
		m.write(b, indent)
	}
	switch v := v.(type) {
	case mapping:
		nest(v)
	case map[string]any:
		var m mapping
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.add(key, v[key])
		}
		nest(m)
	case []any:
		simple := !slices.ContainsFunc(v, func(item any) bool {
			switch item.(type) {
			case mapping, map[string]any, []any:
				return true
			}
			return false
		})
		if simple {
			var parts []string
			for _, item := range v {
				parts = append(parts, scalar(item))
			}
			b.WriteString(" [" + strings.Join(parts, ", ") + "]\n")
			return
		}
		b.WriteString("\n")
		for _, item := range v {
			b.WriteString(strings.Repeat("  ", indent) + "-")
			if m, ok := item.(mapping); ok && len(m) > 0 {
				b.WriteByte(' ')
				m.write(b, indent+1)
				continue
			}
			write(b, item, indent+1)
		}
	default:
		b.WriteString(" " + scalar(v) + "\n")
	}
}

func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		// YAML wants a point in it, or it is an integer, and for some readers text.
		digits, exponent, scientific := strings.Cut(strconv.FormatFloat(v, 'g', -1, 64), "e")
		if !strings.Contains(digits, ".") {
			digits += ".0"
		}
		if scientific {
			digits += "e" + exponent
		}
		return digits
	case bare:
		return string(v)
	case string:
		if plain(v) {
			return v
		}
		return quote(v)
	}
	return "null"
}

// plain reports whether text needs no quotes, wherever it stands.
func plain(s string) bool {
	if s == "" || strings.TrimSpace(s) != s || strings.Contains(s, " #") {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789 .-+*/<>=()'&|;?%$", r)) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan":
		return false
	}
	return true
}

// quote writes text in double quotes, with the escapes that YAML and JSON share.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
