package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/mqttlink"
	"pithings/quietlog"
	"pithings/spool/control"
)

// healthWait bounds the question: an agent that works answers within milliseconds, and who
// asks it regularly wants to know of one that does not.
const healthWait = 10 * time.Second

// healthPath is where an agent shows its health.
const healthPath = "/api/v1/health"

// health is what the command reads of /healthz.
type health struct {
	Things      map[string]partState `json:"things"`
	Connections map[string]string    `json:"connections"`
	Services    map[string]partState `json:"services"` // those that have failed
	Web         *agent.WebHealth     `json:"web"`      // nil: it does not encrypt
}

type partState struct {
	State string `json:"state"` // things: starting, up, down
	Error string `json:"error"`
}

func newHealth() *cobra.Command {
	var q queueOptions
	var strict, asJSON bool
	c := &cobra.Command{
		Use:        "health",
		SuggestFor: []string{"status", "healthcheck", "ping"},
		Short:      "Ask the running agent whether it works, for monitoring and containers",
		Long: `health asks the agent that runs here for its health, and prints each thing,
connection and service that does not work. It needs no web server.

Exit status: 0 the agent answers; 1 it does not, or with --strict something does
not work. A camera that is unplugged is no reason to start a container again.`,
		Example: "  pithings health\n  pithings health --strict || mail -s 'the hall' me\n  pithings health --json | jq .queues",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var page json.RawMessage
			if err := q.ask(c, healthWait, func(ctx context.Context, client *control.Client) error {
				return client.Do(ctx, http.MethodGet, healthPath, nil, &page)
			}); err != nil {
				return err
			}
			var h health
			if err := json.Unmarshal(page, &h); err != nil {
				return fmt.Errorf("the agent's health: %w", err)
			}
			faults := h.faults()
			text := strings.Join(faults, "")
			switch {
			case asJSON:
				text = string(page) + "\n"
			case text == "":
				text = fmt.Sprintf("everything works (things: %d, connections: %d)\n", len(h.Things), len(h.Connections))
			}
			if !asJSON {
				text += h.web()
			}
			if _, err := io.WriteString(c.OutOrStdout(), text); err != nil {
				return err
			}
			if strict && len(faults) > 0 {
				return &codeError{error: errors.New("something does not work"), code: exitFailure, quiet: true}
			}
			return nil
		},
	}
	q.agentFlags(c.Flags())
	c.Flags().BoolVar(&strict, "strict", false, "exit status 1 if a thing, a connection or a service does not work")
	c.Flags().BoolVar(&asJSON, "json", false, "print all of /healthz (docs/api.md)")
	return c
}

// web is a line about a web server that encrypts: people compare the fingerprint with what a browser shows.
func (h *health) web() string {
	if h.Web == nil {
		return ""
	}
	return fmt.Sprintf("web server: https, SHA-256 fingerprint %s, valid until %s\n", quietlog.Clip(h.Web.SHA256, quietlog.MaxText), h.Web.Until.UTC().Format(time.DateOnly))
}

// faults are lines, each of one thing, connection or service that does not work.
func (h *health) faults() (lines []string) {
	for _, part := range []struct {
		what   string
		states map[string]partState
	}{{"thing", h.Things}, {"service", h.Services}} {
		for _, name := range slices.Sorted(maps.Keys(part.states)) {
			if s := part.states[name]; s.State != "up" {
				line := fmt.Sprintf("%s %s: %s", part.what, name, s.State)
				if s.Error != "" {
					line += ": " + quietlog.Clip(s.Error, quietlog.MaxText)
				}
				lines = append(lines, line+"\n")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.Connections)) {
		if state := h.Connections[name]; state != mqttlink.Online.String() {
			lines = append(lines, fmt.Sprintf("connection %s: %s\n", name, state))
		}
	}
	return lines
}
