package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// refuseNegatives bounds all flags that are numbers or times: none of ours means
// anything below zero, and a ticker of -1 s panics.
func refuseNegatives(c *cobra.Command) {
	bound := func(f *pflag.Flag) {
		if kind := f.Value.Type(); slices.Contains([]string{"duration", "int", "int64"}, kind) {
			f.Value = natural{f.Value}
		}
	}
	c.LocalFlags().VisitAll(bound)
	c.PersistentFlags().VisitAll(bound)
	for _, sub := range c.Commands() {
		refuseNegatives(sub)
	}
}

// natural is the value of a flag that is not negative.
type natural struct{ pflag.Value }

// Set implements pflag.Value.
func (n natural) Set(text string) error {
	hint := "give a number from 0"
	if n.Type() == "duration" {
		hint = "give a time with its unit, such as 3s or 5m"
	}
	if strings.HasPrefix(strings.TrimSpace(text), "-") {
		return errors.New(hint)
	}
	if err := n.Value.Set(text); err != nil {
		return errors.New(hint)
	}
	return nil
}
