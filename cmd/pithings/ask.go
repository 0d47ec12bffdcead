package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/spool/control"
	"pithings/spool/state"
)

// agentFlags adds the flags that say which agent is meant.
func (q *queueOptions) agentFlags(flags *pflag.FlagSet) {
	flags.StringVarP(&q.config, "config", "f", os.Getenv("PITHINGS_CONFIG"), "the agent with this configuration")
	addState(flags, &q.state)
}

// ask calls do with a client of the running agent that is meant. It takes wait at most.
func (q *queueOptions) ask(c *cobra.Command, wait time.Duration, do func(context.Context, *control.Client) error) error {
	client, err := q.agent(c)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.Context(), wait)
	defer cancel()
	if err = do(ctx, client); errors.Is(err, control.ErrNoOwner) {
		return fmt.Errorf("no agent runs there (%w); start one with pithings run FILE, or name its folder with --state DIR", err)
	}
	return err
}

// agent returns a client of the agent that is meant.
func (q *queueOptions) agent(c *cobra.Command) (*control.Client, error) {
	t, err := q.target(c)
	if err != nil {
		return nil, err
	}
	if t.agent != nil {
		return control.NewClient(t.agent.Socket), nil
	}
	return control.NewClient((&state.Folder{Dir: t.dir}).Socket()), nil
}

// target finds the agent that is meant, or its state folder, and says which one that is.
func (q *queueOptions) target(c *cobra.Command) (t target, err error) {
	cfg, err := (&queueConn{config: q.config, state: q.state}).load(c)
	if err != nil && q.config == "" {
		return t, err
	}
	if err != nil { // it is the agent that reads it
		if cfg, err = (&queueConn{state: q.state}).load(c); err != nil {
			return t, err
		}
	}
	if t, err = find(c.Context(), control.UsualPlaces(), cfg, q.config, nil); err != nil {
		return t, err
	}
	t.say(c.ErrOrStderr())
	return t, nil
}
