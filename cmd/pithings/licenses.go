package main

import (
	"github.com/spf13/cobra"

	"pithings/cmd/pithings/internal/notices"
)

func newLicenses() *cobra.Command {
	return &cobra.Command{
		Use:     "licenses",
		Aliases: []string{"licences"},
		Short:   "Print the licences of pithings and of all that is in it",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return notices.Write(c.OutOrStdout()) },
	}
}
