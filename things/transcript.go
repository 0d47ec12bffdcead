package things

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	"pithings/mqttlink"
)

// Transcript prints what passes through a link's client in the lines that the
// Things Graph example devices print:
//
//	Published topic TG_MS/motion: {"isMotionDetected": true}
//	Received message on topic TG_Camera/capture: {}
//
// One Transcript serves all clients of a process, so that an answer's line never
// stands before its cause's.
type Transcript struct {
	mu  sync.Mutex
	w   io.Writer
	end string // of a line
}

// NewTranscript returns a transcript that goes to w.
func NewTranscript(w io.Writer) *Transcript { return &Transcript{w: w, end: "\n"} }

// NewScriptTranscript returns one with an empty line behind each line, as the
// publishing script of the BME680 tutorial prints it.
func NewScriptTranscript(w io.Writer) *Transcript { return &Transcript{w: w, end: "\n\n"} }

// Client returns c with every message printed. A nil Transcript prints nothing.
func (t *Transcript) Client(c mqttlink.Client) mqttlink.Client {
	if t == nil {
		return c
	}
	return transcribed{c, t}
}

type transcribed struct {
	mqttlink.Client
	t *Transcript
}

// Publish prints the line after the message is safe, and before anybody's answer
// to it can be printed.
func (c transcribed) Publish(ctx context.Context, m mqttlink.Message) error {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	err := c.Client.Publish(ctx, m)
	if !mqttlink.Accepted(err) {
		return err
	}
	c.t.print("Published topic", m)
	return err
}

func (c transcribed) Subscribe(filter string, qos byte, h mqttlink.Handler) (func(), error) {
	return c.Client.Subscribe(filter, qos, c.printing(h))
}

func (c transcribed) SubscribeAll(filters []string, qos byte, h mqttlink.Handler) (func(), error) {
	return c.Client.SubscribeAll(filters, qos, c.printing(h))
}

func (c transcribed) printing(h mqttlink.Handler) mqttlink.Handler {
	return func(ctx context.Context, m mqttlink.Message) {
		c.t.mu.Lock()
		c.t.print("Received message on topic", m)
		c.t.mu.Unlock()
		h(ctx, m)
	}
}

// print writes one line; the caller holds the lock.
func (t *Transcript) print(what string, m mqttlink.Message) {
	fmt.Fprintf(t.w, "%s %s: %s%s", what, Escape(m.Topic), Printable(m.Payload), t.end)
}

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
