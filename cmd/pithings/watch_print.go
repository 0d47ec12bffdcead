package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"pithings/mqttlink"
	"pithings/things"
)

// style says how messages are printed.
type style struct {
	topics, long, json bool
	format             string
	pretty, bare       bool
}

// check says what is wrong with the flags together.
func (s *style) check() error {
	given := 0
	for _, yes := range []bool{s.long, s.json, s.format != ""} {
		if yes {
			given++
		}
	}
	if given > 1 {
		return usagef("--long, --json and -F are three ways to print: give one of them")
	}
	if s.format == "" {
		return nil
	}
	if _, err := parseFormat(s.format, false, false); err != nil {
		return usagef("-F: %w", err)
	}
	return nil
}

// newPrinter returns the printer for a style. What is printed on a terminal cannot
// play tricks on it.
func newPrinter(s style, out io.Writer) printer {
	tty := isTerminal(out)
	c := plain
	if tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		c = coloured
	}
	end := "\n"
	if s.bare {
		end = ""
	}
	line := func(m mqttlink.Message, at time.Time) ([]byte, error) { return m.Payload, nil }
	switch {
	case s.format != "":
		line = mustFormat(s.format, tty, s.pretty)
	case s.json:
		line = mustFormat("%j", tty, s.pretty)
	case s.long:
		line = func(m mqttlink.Message, at time.Time) ([]byte, error) { return long(m, at, c), nil }
	case s.topics:
		line = func(m mqttlink.Message, at time.Time) ([]byte, error) { return topicAndPayload(m, tty, c), nil }
	case tty:
		line = func(m mqttlink.Message, at time.Time) ([]byte, error) { return safe(m.Payload), nil }
	}
	return func(m mqttlink.Message, at time.Time) ([]byte, error) {
		b, err := line(m, at)
		return append(b, end...), err
	}
}

// isTerminal reports whether w is a terminal, or another character device.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// colours are the escape sequences around a topic and a note.
type colours struct{ topic, note, end string }

var (
	plain    = colours{}
	coloured = colours{"\x1b[36m", "\x1b[2m", "\x1b[0m"}
)

// topicAndPayload is mosquitto_sub's -v.
func topicAndPayload(m mqttlink.Message, tty bool, c colours) []byte {
	topic, payload := m.Topic, m.Payload
	if tty {
		topic, payload = things.Escape(topic), safe(payload)
	}
	if len(payload) == 0 {
		payload = []byte("(null)")
	}
	return append(append([]byte(nil), c.topic+topic+c.end+" "...), payload...)
}

// long prints a message over several lines.
func long(m mqttlink.Message, at time.Time, c colours) []byte {
	retained := ""
	if m.Retain {
		retained = " retained"
	}
	return fmt.Appendf(nil, "%s%s%s %s%s%s %s(QoS %d%s, %d bytes)%s\n%s", c.note, at.Format("15:04:05.000"), c.end,
		c.topic, things.Escape(m.Topic), c.end, c.note, m.QoS, retained, len(m.Payload), c.end, pretty(m.Payload))
}

// pretty indents JSON objects and arrays, and makes anything else one safe line.
func pretty(payload []byte) string {
	trimmed := bytes.TrimSpace(payload)
	if len(trimmed) == 0 {
		return "  (empty)"
	}
	if len(trimmed) > shownAtMost || trimmed[0] != '{' && trimmed[0] != '[' {
		return "  " + things.Printable(payload)
	}
	var out bytes.Buffer
	if json.Indent(&out, trimmed, "  ", "  ") != nil {
		return "  " + things.Printable(payload)
	}
	// Strings inside may still hold characters that a terminal obeys.
	lines := strings.Split(out.String(), "\n")
	for i, l := range lines {
		lines[i] = things.Escape(l)
	}
	return "  " + strings.Join(lines, "\n")
}
