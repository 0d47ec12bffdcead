package builtin

import (
	"strings"
	"unicode/utf8"

	"pithings/gateway/script/internal/py"
)

func separator(m *py.Machine, v py.Value) string {
	sep := Text(m, v, "separator")
	if sep == "" {
		py.Raise(m, py.ValueError, "empty separator")
	}
	return sep
}

// texts makes a list of texts.
func texts(m *py.Machine, parts []string) py.Value {
	l := &py.List{Items: make([]py.Value, len(parts))}
	for i, p := range parts {
		l.Items[i] = py.Str(p)
	}
	return l
}

func split(m *py.Machine, a []py.Value, right bool) py.Value {
	s, most := str(m, a), OptionalInt(m, a[2], -1)
	m.AllocN(len(s)+3, 16) // at worst, every other character is a part
	m.Free(16 * (len(s) + 3))
	var parts []string
	switch {
	case !Given(a[1]):
		parts = splitSpace(s, most, right)
	case most < 0:
		parts = strings.Split(s, separator(m, a[1]))
	case right:
		sep := separator(m, a[1])
		for ; most > 0; most-- {
			i := strings.LastIndex(s, sep)
			if i < 0 {
				break
			}
			parts = append(parts, s[i+len(sep):])
			s = s[:i]
		}
		parts = append(parts, s)
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
	default:
		parts = strings.SplitN(s, separator(m, a[1]), most+1)
	}
	m.AllocN(len(parts)+2, 48)
	return texts(m, parts)
}

// splitSpace splits at white space. What is left after the last of most splits keeps its
// white space at the far end, as in CPython.
func splitSpace(s string, most int, right bool) []string {
	trim, find := strings.TrimLeftFunc, strings.IndexFunc
	if right {
		trim, find = strings.TrimRightFunc, strings.LastIndexFunc
	}
	var parts []string
	for s = trim(s, isSpace); s != ""; s = trim(s, isSpace) {
		i := find(s, isSpace)
		if i < 0 || most >= 0 && len(parts) == most {
			parts = append(parts, s)
			break
		}
		if right {
			_, n := utf8.DecodeRuneInString(s[i:])
			parts = append(parts, s[i+n:])
			s = s[:i]
		} else {
			parts = append(parts, s[:i])
			s = s[i:]
		}
	}
	if right {
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
	}
	return parts
}

func splitLines(s string, keep bool) []string {
	var parts []string
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool {
			return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
		})
		if i < 0 {
			return append(parts, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		end := i
		if keep {
			end += n
		}
		parts = append(parts, s[:end])
		s = s[i+n:]
	}
	return parts
}
