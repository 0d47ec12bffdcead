package main

import (
	"fmt"
	"unicode/utf8"

	"pithings/things"
)

// shownAtMost bounds what of a payload is shown to people, in bytes.
const shownAtMost = 64 << 10

// safe is a payload as one line for a terminal.
func safe(payload []byte) []byte {
	text := payload[:min(len(payload), shownAtMost)]
	for len(text) < len(payload) && len(text) > 0 && !utf8.RuneStart(payload[len(text)]) {
		text = text[:len(text)-1]
	}
	if !utf8.Valid(text) {
		return fmt.Appendf(nil, "(%d bytes that are not text: %x…)", len(payload), payload[:min(len(payload), 16)])
	}
	line := things.Escape(string(text))
	if len(text) < len(payload) {
		line += fmt.Sprintf("… (%d bytes)", len(payload))
	}
	return []byte(line)
}
