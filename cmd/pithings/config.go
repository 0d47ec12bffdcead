package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, print an example or the schema",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return usagef("say check, example or schema") },
	}
	c.AddCommand(
		newConfigCheck(),
		&cobra.Command{
			Use:   "example",
			Short: "Print a configuration with every key, its default and its meaning",
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				_, err := c.OutOrStdout().Write(config.Example())
				return err
			},
		},
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of the configuration, for editors",
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				s, err := config.Schema()
				if err != nil {
					return err
				}
				_, err = c.OutOrStdout().Write(s)
				return err
			},
		},
	)
	return c
}

func newConfigCheck() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file; exit status 0 if run would accept it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				file = args[0]
			}
			if file == "" {
				return usagef("name the file: pithings config check FILE")
			}
			cfg, warnings, err := config.Load(file, os.Environ())
			for _, w := range warnings {
				fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
			}
			if err != nil {
				return err
			}
			if err := agent.CheckCertificates(cfg); err != nil {
				return err
			}
			if err := agent.CheckFlows(cfg); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is a good configuration\n", file)
			return err
		},
	}
	c.Flags().StringVarP(&file, "config", "f", os.Getenv("PITHINGS_CONFIG"), "the file, as run takes it")
	return c
}
