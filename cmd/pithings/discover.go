package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent/config"
	"pithings/agent/discover"
	"pithings/hw/probe"
	"pithings/spool/control"
)

func newDiscover() *cobra.Command {
	var (
		o    partOptions
		file string
	)
	c := &cobra.Command{
		Use:        "discover",
		SuggestFor: []string{"scan", "detect", "find", "list", "ls", "i2cdetect", "gpioinfo"},
		Short:      "List what is connected, with the configuration for it",
		Long: `discover lists what is connected to this machine: free and used GPIO lines, the
chips that answer on I²C buses and what they may be, cameras, screens, and sensors
that Linux has a driver for. Below each part are the lines of a configuration that
make a thing of it. It changes nothing and can be run beside an agent, whose things it
marks.

Exit status 0: all was looked at, whether anything is connected or not; 1: something
could not be looked at, for want of permission for instance.`,
		Example: "  pithings discover\n  pithings discover --json\n  pithings discover --mock",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			done := whileWaiting(c.ErrOrStderr(), "looking at the parts; an I²C bus that hangs takes some seconds")
			defer done()
			board, closeBoard, err := openBoard(o.mock, o.log(c.ErrOrStderr()))
			if err != nil {
				return err
			}
			defer closeBoard()
			var machine *probe.Machine
			var owners []discover.Owner
			if !o.mock {
				machine = probe.ThisMachine()
				owners = runningOwners(c.Context(), control.UsualPlaces(), c.ErrOrStderr())
			}
			if file != "" {
				cfg, _, err := loadConfig(file, false)
				if err != nil {
					return err
				}
				owners = append(owners, discover.Owner{Config: file, Things: cfg.Things})
			}
			report, err := discover.Look(c.Context(), discover.Options{Prober: probe.New(board, machine), Owners: owners})
			if err != nil {
				return err
			}
			done()
			return printConnected(c.OutOrStdout(), report, o.json)
		},
	}
	f := c.Flags()
	o.add(f)
	f.StringVarP(&file, "config", "f", "", "mark the things of this configuration, too")
	return c
}

func printConnected(w io.Writer, r *discover.Report, json bool) error {
	show := r.Text
	if json {
		show = r.JSON
	}
	if err := show(w); err != nil {
		return err
	}
	switch n := r.Denied(); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 part could not be looked at, for want of permission")
	default:
		return fmt.Errorf("%d parts could not be looked at, for want of permission", n)
	}
}

// runningOwners returns the agents that run here, with the things of their configurations.
// What is simulated has no part of this machine. The file that the agent of another user names
// is not read: root would read what that user chose.
func runningOwners(ctx context.Context, places control.Places, notes io.Writer) (owners []discover.Owner) {
	agents, denied := places.Find(ctx)
	if denied {
		fmt.Fprintf(notes, "pithings: warning: its things are not marked: %v\n", control.ErrDenied)
	}
	for i := range agents {
		a := &agents[i]
		if a.Simulated || a.Other || a.Config == "" {
			continue
		}
		cfg, _, err := config.LoadWith(a.Config, os.Environ(), config.With{State: func(*config.Config) string { return a.State }})
		if err != nil {
			fmt.Fprintf(notes, "pithings: warning: the things of %s are not marked: %s\n", a, oneLine(err))
			continue
		}
		owners = append(owners, discover.Owner{Config: a.Config, Things: cfg.Things})
	}
	return owners
}

// whileWaiting says on a terminal what takes longer than a second. done takes it away again,
// and may be called twice.
func whileWaiting(w io.Writer, what string) (done func()) {
	if !newProgress(w).terminal {
		return func() {}
	}
	return note(w, what)
}

// note is whileWaiting on a terminal.
func note(terminal io.Writer, what string) (done func()) {
	var mu sync.Mutex
	shown, over := false, false
	timer := time.AfterFunc(time.Second, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			shown = true
			fmt.Fprintf(terminal, "pithings: %s", what)
		}
	})
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		if shown && !over {
			fmt.Fprint(terminal, "\r\x1b[K")
		}
		over = true
	}
}
