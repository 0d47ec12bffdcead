package things

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// printAtMost bounds the part of a payload that is printed, in bytes.
const printAtMost = 1024

// Printable is a payload as one line of text that cannot play tricks on a
// terminal: control characters are escaped, and what is long or not text is cut.
func Printable(payload []byte) string {
	text := payload
	if len(text) > printAtMost {
		text = text[:printAtMost]
		for len(text) > 0 && !utf8.RuneStart(payload[len(text)]) {
			text = text[:len(text)-1]
		}
	}
	if !utf8.Valid(text) {
		return fmt.Sprintf("(%d bytes that are not text)", len(payload))
	}
	line := Escape(string(text))
	if len(text) < len(payload) {
		line += fmt.Sprintf("… (%d bytes)", len(payload))
	}
	return line
}

// Escape writes control characters, and those that turn the direction of the
// text, as \u….
func Escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
