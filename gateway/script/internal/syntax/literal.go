package syntax

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// isPrefix reports whether word may stand before the quote of a string.
func isPrefix(word string) bool {
	switch strings.ToLower(word) {
	case "r", "b", "f", "u", "rb", "br", "rf", "fr":
		return true
	}
	return false
}

// literal reads a string from its opening quote.
func (l *lexer) literal(prefix string) {
	line := l.line
	quote := l.src[l.at : l.at+1]
	if strings.HasPrefix(l.src[l.at:], quote+quote+quote) {
		quote = quote + quote + quote
	}
	from := l.at + len(quote)
	l.at = from
	for !strings.HasPrefix(l.src[l.at:], quote) {
		if l.at >= len(l.src) || len(quote) == 1 && l.src[l.at] == '\n' {
			fail(line, "unterminated string literal", "")
		}
		if l.src[l.at] == '\\' && l.at+1 < len(l.src) {
			l.at++
		}
		if l.src[l.at] == '\n' {
			l.line++
		}
		l.at++
	}
	t := token{kind: kString, text: l.src[from:l.at], raw: strings.Contains(prefix, "r"), line: line}
	l.at += len(quote)
	switch {
	case strings.Contains(prefix, "f"):
		t.kind = kFString
	case strings.Contains(prefix, "b"):
		t.kind = kBytes
		for _, r := range t.text {
			if r >= utf8.RuneSelf {
				fail(line, "bytes can only contain ASCII literal characters", `write "…".encode()`)
			}
		}
		if !t.raw {
			t.text = unescape(t.text, line, true)
		}
	case !t.raw:
		t.text = unescape(t.text, line, false)
	}
	l.tokens = append(l.tokens, t)
}

var escapes = map[byte]string{
	'\n': "", 'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': "\"",
	'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v",
}

// unescape replaces the backslash sequences of a string, or of bytes.
func unescape(s string, line int, bytes bool) string {
	if !strings.Contains(s, "\\") {
		return s
	}
	var b strings.Builder
	write := func(code int) {
		if bytes {
			b.WriteByte(byte(code))
		} else {
			b.WriteRune(rune(code))
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if text, known := escapes[s[i]]; known {
			b.WriteString(text)
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		switch {
		case digits > 0 && (!bytes || s[i] == 'x'):
			if i+digits >= len(s) {
				fail(line, "truncated \\"+s[i:i+1]+" escape in a string", "")
			}
			code, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err != nil || code > utf8.MaxRune {
				fail(line, "invalid \\"+s[i:i+1]+" escape in a string", `write \\ for a backslash`)
			}
			i += digits
			// Two escapes of UTF-16 make one character, as users copy them from JSON.
			if code >= 0xd800 && code < 0xdc00 && strings.HasPrefix(s[i+1:], `\u`) && i+7 <= len(s) {
				if low, err := strconv.ParseUint(s[i+3:min(i+7, len(s))], 16, 32); err == nil && low >= 0xdc00 && low < 0xe000 {
					code = 0x10000 + (code-0xd800)<<10 + low - 0xdc00
					i += 6
				}
			}
			write(int(code))
		case s[i] >= '0' && s[i] <= '7':
			code := 0
			end := min(i+3, len(s))
			for ; i < end && s[i] >= '0' && s[i] <= '7'; i++ {
				code = code*8 + int(s[i]-'0')
			}
			i--
			write(code)
		default: // Python keeps what it does not know
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// number returns the value of a number: int64, *big.Int or float64.
func number(t token) any {
	text := strings.ToLower(t.text)
	if strings.HasSuffix(text, "_") || strings.Contains(text, "__") {
		fail(t.line, "invalid decimal literal", "")
	}
	text = strings.ReplaceAll(text, "_", "")
	based := len(text) > 1 && text[0] == '0' && strings.IndexByte("xob", text[1]) >= 0
	if !based && strings.ContainsAny(text, ".e") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !strings.Contains(err.Error(), "range") {
			fail(t.line, "invalid number "+t.text, "")
		}
		return f
	}
	if !based && len(text) > 1 && text[0] == '0' && strings.Trim(text, "0") != "" {
		fail(t.line, "leading zeros in decimal integer literals are not permitted", "write 0o for octal integers")
	}
	base := 10
	if based {
		base, text = map[byte]int{'x': 16, 'o': 8, 'b': 2}[text[1]], text[2:]
	}
	if i, err := strconv.ParseInt(text, base, 64); err == nil {
		return i
	}
	if base == 10 && len(text) > 4300 {
		fail(t.line, "an integer of more than 4300 digits", "")
	}
	big, ok := new(big.Int).SetString(text, base)
	if !ok {
		fail(t.line, "invalid number "+t.text, "")
	}
	return big
}
