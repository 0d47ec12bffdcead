package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/flowhost"
	"pithings/spool/control"
)

// flowOptions say whose flows are meant.
type flowOptions struct {
	config, state string
	json          bool
}

func (o *flowOptions) add(f *pflag.FlagSet) {
	f.StringVar(&o.config, "config", os.Getenv("PITHINGS_CONFIG"), "take the state folder from this configuration of the agent")
	addState(f, &o.state)
	f.BoolVar(&o.json, "json", false, "print JSON")
}

// desk is where flows are worked with: the running agent, or the folder alone.
func (o *flowOptions) desk(c *cobra.Command, do func(context.Context, flowhost.Desk) error) error {
	cfg, err := (&queueConn{config: o.config, state: o.state}).load(c)
	if err != nil {
		return err
	}
	t, err := find(c.Context(), control.UsualPlaces(), cfg, o.config, nil)
	if err != nil {
		return err
	}
	if t.say(c.ErrOrStderr()); t.agent != nil {
		desk, done := flowhost.ConnectAgent(t.agent.Socket)
		defer done()
		return do(c.Context(), desk)
	}
	log := (&partOptions{}).log(c.ErrOrStderr())
	desk, runs, done, err := flowhost.Connect(c.Context(), t.dir, log)
	if err != nil {
		return err
	}
	defer done()
	err = do(c.Context(), desk)
	if !runs {
		fmt.Fprintf(c.ErrOrStderr(), "pithings: no agent runs with the state folder %s, so nothing of it runs now; start one (pithings run, pithings flow run), or name another folder with --state\n", t.dir)
		if note := t.unreached(); note != "" {
			fmt.Fprintln(c.ErrOrStderr(), "pithings:", note)
		}
	}
	return err
}

// print writes v as JSON, or as the table that rows makes.
func (o *flowOptions) print(c *cobra.Command, v any, rows func(*tabwriter.Writer)) error {
	if o.json {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	rows(w)
	return w.Flush()
}

// local is a time as people read it.
func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
