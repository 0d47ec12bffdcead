package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"pithings/awsiot/provision"
)

// exitSoon is for a certificate that ends soon.
const exitSoon = 3

func newProvision() *cobra.Command {
	c := &cobra.Command{
		Use:        "provision",
		SuggestFor: []string{"enroll", "register", "identity", "whoami", "certificate", "cert"},
		Short:      "Make or get a certificate, and show which one this Pi has",
		Long: `provision gives a device its identity at a broker: a private key, a certificate for
it, and the name under which the broker knows it. Private keys are in files that only
their owner can read; nothing that is there is overwritten (docs/provisioning.md).`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("say local, aws, document or status") },
	}
	c.AddCommand(newProvisionLocal(), newProvisionAWS(), newProvisionDocument(), newProvisionStatus())
	return c
}

// printIdentity prints what is made: a line for people, or with --export the lines for a shell.
func printIdentity(w io.Writer, d *provision.Device, export bool) error {
	text := fmt.Sprintf("%s has its identity in %s; its certificate is good until %s\n", d.Thing, d.Dir, d.Pair.Leaf.NotAfter.UTC().Format("2006-01-02"))
	if export {
		text = d.Exports()
	}
	_, err := io.WriteString(w, text)
	return err
}
