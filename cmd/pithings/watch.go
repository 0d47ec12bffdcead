package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/mqttlink"
	"pithings/things"
)

func newWatch() *cobra.Command {
	var (
		conn    seedConn
		filters []string
		id      string
		level   partOptions
	)
	c := &cobra.Command{
		Use:   "watch",
		Short: "Print every message that passes the broker",
		Long: `watch subscribes and prints each message with its time, topic, quality of service
and whether it was retained; JSON is printed over several lines. It is for
finding out what is going on, and writes nothing to the broker.`,
		Example: `  pithings watch
  pithings watch -t 'bme680/#'
  pithings watch -e HOST -r root.pem -c cert.pem -k key.pem -t 'TG_MS/motion' -t 'TG_Camera/#'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := conn.link(id, level.log(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			lines := newOutput(c.OutOrStdout(), func(error) { cancel() })
			defer lines.close()
			w := watcher{w: lines, now: time.Now}
			for _, f := range filters {
				if _, err := l.Subscribe(f, 1, w.message); err != nil {
					return usageError{err}
				}
			}
			return l.Run(ctx)
		},
	}
	f := c.Flags()
	conn.add(f)
	conn.endpoint = localBroker
	f.Lookup("endpoint").DefValue = localBroker
	f.StringArrayVarP(&filters, "topic", "t", []string{"#"}, "topic filter; may be given several times")
	f.StringVarP(&id, "clientId", "i", "", "client id (default: a random one)")
	f.BoolVarP(&level.verbose, "verbose", "v", false, "log what the connection does")
	return c
}

// localBroker is where the embedded broker of a running agent listens.
const localBroker = "mqtt://127.0.0.1"

// watcher prints messages, one at a time.
type watcher struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
}

func (w *watcher) message(_ context.Context, m mqttlink.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	retained := ""
	if m.Retain {
		retained = " retained"
	}
	fmt.Fprintf(w.w, "%s %s (QoS %d%s, %d bytes)\n%s\n", w.now().Format("15:04:05.000"),
		things.Escape(m.Topic), m.QoS, retained, len(m.Payload), pretty(m.Payload))
}

// prettyAtMost bounds what is laid out over several lines, in bytes.
const prettyAtMost = 64 << 10

// pretty indents JSON objects and arrays, and makes anything else one safe line.
func pretty(payload []byte) string {
	trimmed := bytes.TrimSpace(payload)
	if len(trimmed) == 0 {
		return "  (empty)"
	}
	if len(trimmed) > prettyAtMost || trimmed[0] != '{' && trimmed[0] != '[' {
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
