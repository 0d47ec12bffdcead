package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/spool/control"
)

// reloadWait bounds a reload: each connection that ends has some seconds to send what waits.
const reloadWait = time.Minute

func newReload() *cobra.Command {
	var q queueOptions
	c := &cobra.Command{
		Use:        "reload",
		SuggestFor: []string{"refresh", "reconfigure", "hup"},
		Short:      "Let the running agent read its configuration again",
		Long: `reload lets the agent that runs here take what has changed in its configuration:
things, flows, connections, intervals, the log's level. What has not changed keeps
working, and nothing is lost. If the configuration is wrong the old one stays, and
reload says what is wrong and ends with exit status 1. Keys that only a new start
changes are named. SIGHUP does the same.`,
		Example: "  pithings reload\n  sudo systemctl reload pithings",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var did agent.Reloaded
			if err := q.ask(c, reloadWait, func(ctx context.Context, client *control.Client) (err error) {
				did, err = agent.AskReload(ctx, client)
				return err
			}); err != nil {
				var answer *control.AnswerError
				if errors.As(err, &answer) && answer.Status == http.StatusNotFound {
					return fmt.Errorf("the running agent is of an earlier version, which cannot reload: start it again")
				}
				return err
			}
			return printReloaded(c.OutOrStdout(), did)
		},
	}
	q.agentFlags(c.Flags())
	return c
}

// printReloaded says what a reload has changed.
func printReloaded(w io.Writer, did agent.Reloaded) error {
	var changed []string
	if n := len(did.Things); n > 0 {
		changed = append(changed, "things "+strings.Join(did.Things, ", "))
	}
	if n := len(did.Connections); n > 0 {
		changed = append(changed, "connections "+strings.Join(did.Connections, ", "))
	}
	if did.Flows {
		changed = append(changed, "flows")
	}
	if did.Gateway {
		changed = append(changed, "gateway")
	}
	line := "reloaded: nothing had to be made anew"
	if len(changed) > 0 {
		line = "reloaded: " + strings.Join(changed, "; ")
	}
	if len(did.Restart) > 0 {
		line += "\nafter the next start: " + strings.Join(did.Restart, ", ")
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
