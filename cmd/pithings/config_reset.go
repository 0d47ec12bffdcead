package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/spool/accepted"
	"pithings/spool/control"
	"pithings/spool/pub"
	"pithings/spool/state"
)

func newConfigReset() *cobra.Command {
	var q queueOptions
	c := &cobra.Command{
		Use:        "reset",
		SuggestFor: []string{"revert", "restore", "rollback"},
		Short:      "Remove the settings that were accepted from afar",
		Long: `reset lets the configuration file count alone again: the settings that were accepted
from afar, by commands, stand over it until then (pithings config show says which
these are). The agent that runs here takes that at once. The last ten states of these
settings are kept in the folder config of the state folder.`,
		Example: "  sudo pithings config reset",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			t, err := q.target(c)
			if err != nil {
				return err
			}
			if t.agent == nil {
				return t.resetFolder(c)
			}
			client := control.NewClient(t.agent.Socket)
			defer client.Close()
			ctx, cancel := context.WithTimeout(c.Context(), reloadWait)
			defer cancel()
			did, err := agent.AskReset(ctx, client)
			if err != nil {
				return err
			}
			return printReloaded(c.OutOrStdout(), did)
		},
	}
	q.agentFlags(c.Flags())
	return c
}

// resetFolder removes the settings in the state folder of an agent that does not run.
func (t *target) resetFolder(c *cobra.Command) error {
	dir := t.dir
	r, err := accepted.Newest(dir)
	if err == nil && (r == nil || r.Empty()) {
		if why := t.unreached(); why != "" { // whose settings are meant, most likely
			return fmt.Errorf("no settings from afar are in %s; %s", dir, why)
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "no settings from afar are in %s\n", dir)
		return err
	}
	of := state.Folder{Dir: dir}
	if err := pub.Take(c.Context(), &of, 0); err != nil {
		return err
	}
	defer of.Close()
	if _, err := accepted.Reset(dir, "config reset"); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "the settings from afar in %s count no more\n", dir)
	return err
}
