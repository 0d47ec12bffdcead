package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/conf"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check, show or reset a configuration, print an example or the schema",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return usagef("say check, show, reset, example or schema") },
	}
	c.AddCommand(
		newConfigCheck(),
		newConfigShow(),
		newConfigReset(),
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
		Use:        "check FILE",
		SuggestFor: []string{"validate", "test", "lint"},
		Short:      "Check a configuration file; exit status 0 if run would accept it",
		Args:       cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				file = args[0]
			}
			if file == "" {
				return usagef("name the file: pithings config check FILE")
			}
			cfg, warnings, err := loadConfig(file, false)
			if err == nil {
				var more []conf.Warning
				more, err = agent.Check(cfg, time.Now())
				warnings = append(warnings, more...)
			}
			for _, w := range warnings {
				fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is a good configuration\n", file)
			return err
		},
	}
	c.Flags().StringVarP(&file, "config", "f", os.Getenv("PITHINGS_CONFIG"), "the file, as run takes it")
	return c
}

func newConfigShow() *cobra.Command {
	var o runOptions
	var asJSON, change bool
	c := &cobra.Command{
		Use:        "show FILE",
		SuggestFor: []string{"dump", "print", "effective"},
		Short:      "Print what run would use, and where each value comes from",
		Long: `show prints every key with its value as run would use it with the same file,
variables and options, and where that comes from: FILE:LINE, an environment
variable, an option, or default. It is YAML that can be read again, but for secrets,
which are shown as "[set]".`,
		Example: "  pithings config show /etc/pithings/pithings.yaml\n  pithings config show --json FILE | jq '.[] | select(.source != \"default\")'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.config = args[0]
			}
			if o.config == "" && !o.mock {
				return usagef("name the file: pithings config show FILE")
			}
			cfg, warnings, flags, err := o.read(c, config.Accepted(o.usualState))
			warn(c.ErrOrStderr(), warnings, flags)
			if err != nil {
				return blameFlags(err, flags)
			}
			return show(c.OutOrStdout(), cfg, flags, asJSON, change)
		},
	}
	o.addAll(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of {key, value, source, change}")
	c.Flags().BoolVar(&change, "change", false, "show, too, from where each key may be changed: afar, local (on this machine alone) or with_secret (with its password, typed anew)")
	return c
}

// show prints a configuration. What an option has given has the name of its variable.
func show(w io.Writer, cfg *config.Config, flags map[string]string, asJSON, change bool) error {
	if asJSON {
		values := cfg.Values()
		for i := range values {
			if flag, ok := flags[values[i].Source]; ok {
				values[i].Source = flag
			}
		}
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(values)
	}
	_, err := io.WriteString(w, cfg.Show(func(v conf.Value) string {
		from := v.Source
		if flag, ok := flags[from]; ok {
			from = flag
		}
		if change && v.Change != "" {
			from += ", " + string(v.Change)
		}
		return from
	}))
	return err
}
