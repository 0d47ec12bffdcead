package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/hw"
	"pithings/spool/control"
)

// withAgents calls ask for the agents that may have a real part of this machine, until one
// has it. What is simulated is not asked for a real part, and an agent of another user
// not at all. denied says that there is a service which this user may not ask.
func withAgents(ctx context.Context, ask func(*control.Agent, *control.Client) (bool, error)) (found, denied bool, err error) {
	agents, denied := control.UsualPlaces().Find(ctx)
	for i := range agents {
		a := &agents[i]
		if a.Simulated || a.Other {
			continue
		}
		client := control.NewClient(a.Socket)
		found, err := ask(a, client)
		client.Close()
		if found || err != nil {
			return found, denied, err
		}
	}
	return false, denied, nil
}

// partRequest is what a command wants of a part that an agent may have.
type partRequest struct {
	what, part string // "camera", "/dev/video0"
	did        string // for the note: "taken"
	action     string
	input      func() (map[string]any, error) // nil: none
	out        any
	// own are the command's flags that mean nothing to an agent, which has its own
	// settings.
	own []string
}

// throughAgent lets the agent that has a part use it, if one has: two programs would spoil
// each other's work, or the second finds the part busy. thing names what has it; "" if
// nothing has.
func throughAgent(c *cobra.Command, r partRequest) (thing string, denied bool, err error) {
	_, denied, err = withAgents(c.Context(), func(a *control.Agent, client *control.Client) (bool, error) {
		found, ok, err := agent.FindPart(c.Context(), client, r.part, r.action)
		if err != nil || !ok {
			return false, err
		}
		var said []string
		for _, name := range r.own {
			if c.Flags().Changed(name) {
				said = append(said, "--"+name)
			}
		}
		if len(said) > 0 {
			return false, fmt.Errorf("%s has the %s, with its own settings: leave %s out, or stop it", a, r.what, strings.Join(said, " and "))
		}
		var input map[string]any
		if r.input != nil {
			if input, err = r.input(); err != nil {
				return false, err
			}
		}
		if err := agent.CallPart(c.Context(), client, r.part, r.action, input, r.out); err != nil {
			return false, fmt.Errorf("%s has the %s: %w", a, r.what, err)
		}
		thing = found
		fmt.Fprintf(c.ErrOrStderr(), "pithings: %s by %s, whose thing %s has the %s\n", r.did, a, found, r.what)
		return true, nil
	})
	return thing, denied, err
}

// explainBusy adds to the error of a part that is busy who may have it.
func explainBusy(err error, denied bool) error {
	if denied && errors.Is(err, hw.ErrBusy) {
		return fmt.Errorf("%w (%w)", err, control.ErrDenied)
	}
	return err
}
