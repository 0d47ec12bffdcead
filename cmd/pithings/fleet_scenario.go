package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"pithings/conf/suggest"
	"pithings/fleet/scenario"
	"pithings/mqttlink/durable"
)

func newFleetScenario() *cobra.Command {
	c := &cobra.Command{
		Use:   "scenario",
		Short: "List, show and check scenarios of a fleet, print their schema",
		Long: `A scenario is a YAML file that says what a fleet goes through: phases with how many
devices are connected and how often they publish, and faults at times. pithings fleet
--scenario runs it. docs/scenarios.md has the keys and the faults.`,
		Example: `  pithings fleet scenario list
  pithings fleet scenario show one-bad-firmware > my.yaml
  pithings fleet scenario check my.yaml
  pithings fleet --scenario my.yaml -e mqtt://127.0.0.1`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("say list, show, check or schema") },
	}
	c.AddCommand(newScenarioList(), newScenarioShow(), newScenarioCheck(), newScenarioSchema())
	return c
}

func newScenarioList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the scenarios that are built in",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, name := range scenario.Ready() {
				s, err := readScenario(name)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.OutOrStdout(), "%-24s %s\n", name, s.About)
			}
			return nil
		},
	}
}

func newScenarioShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Print a scenario that is built in, to begin one of your own with",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			text, ok := scenario.Text(args[0])
			if !ok {
				return noScenario(args[0])
			}
			_, err := c.OutOrStdout().Write(text)
			return err
		},
	}
}

func newScenarioCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Report what is wrong with scenarios, with lines",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var wrong []error
			for _, file := range args {
				s, err := readScenario(file)
				if err != nil {
					wrong = append(wrong, err)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: right: %s\n", file, s.Name)
			}
			return errors.Join(wrong...)
		},
	}
}

func newScenarioSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenarios, for editors",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := scenario.Schema()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}

func noScenario(name string) error {
	return usagef("no scenario is called %q%s", name, suggest.From(name, scenario.Ready()))
}

// readScenario reads a file, or a scenario that is built in.
func readScenario(name string) (*scenario.Scenario, error) {
	text, ok := scenario.Text(name)
	if !ok {
		var err error
		text, err = durable.ReadFile(name, 1<<20)
		if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, `./\`) {
			return nil, noScenario(name)
		}
		if err != nil {
			return nil, err
		}
	}
	return scenario.Parse(name, text)
}

// follow reads the scenario. What the command line says goes before what the file says.
func (o *fleetOptions) follow(c *cobra.Command) error {
	if o.scenario == "" {
		return nil
	}
	s, err := readScenario(o.scenario)
	if err != nil {
		return fmt.Errorf("--scenario: %w", err)
	}
	if err := o.Check(); err != nil { // before what is 0 is taken for what is not given
		return usageError{err}
	}
	changed := c.Flags().Changed
	if !changed("devices") {
		o.Devices = 0
	}
	if !changed("types") && len(s.Types) > 0 {
		o.Types = nil
	}
	if !changed("interval") {
		o.Interval = 0
	}
	if !changed("ramp") {
		o.Ramp = 0
	}
	o.Follow(s)
	return nil
}
