package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/awsiot/provision"
	"pithings/awsiot/provision/document"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// documentOptions are the flags of provision document.
type documentOptions struct {
	state, dir       string
	identity, export bool
}

func newProvisionDocument() *cobra.Command {
	var o documentOptions
	c := &cobra.Command{
		Use:        "document [FILE|URL]",
		SuggestFor: []string{"json", "import", "playground"},
		Short:      "Take an identity from a document of JSON, as the AWS IoT Playground makes them",
		Long: `document reads a document with iot_endpoint, device_name and the PEM texts cert, key
and root_ca, checks that key and certificate belong together, and makes a folder of the
device's name with their files and a pithings.yaml; with --identity it is the agent's
identity in the state folder.

A URL is https. Give it in CONFIG_FILE_URL rather than as an argument: all users of a
machine can see the arguments of all commands, and such an address is often signed. -
is the standard input.`,
		Example: `  pithings provision document dev-QAUE.json
  CONFIG_FILE_URL="$(cat url.txt)" pithings provision document --identity
  eval "$(pithings provision document dev-QAUE.json --export)"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c, args) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", "", "make this `FOLDER` (default the device's name, here)")
	f.BoolVar(&o.identity, "identity", false, "make it the agent's identity, in the state folder")
	f.BoolVar(&o.export, "export", false, "print the lines for a shell that let other programs be the device")
	addState(f, &o.state)
	return c
}

func (o *documentOptions) run(c *cobra.Command, args []string) error {
	from := os.Getenv("CONFIG_FILE_URL")
	if len(args) == 1 {
		from = args[0]
	}
	switch {
	case from == "":
		return usagef("name the document: pithings provision document FILE, or set CONFIG_FILE_URL")
	case o.identity && o.dir != "":
		return usagef("--identity and --dir both say where to: give one of them")
	}
	data, err := o.read(c, from)
	if err != nil {
		return err
	}
	doc, err := document.Parse(data)
	if err != nil {
		return err
	}
	f, err := doc.Files()
	if err != nil {
		return err
	}
	f.About.Made = time.Now().UTC().Truncate(time.Second)
	d, err := o.write(f, doc.Name)
	if err != nil {
		return err
	}
	if doubts := certs.Doubts(d.Pair.Leaf); doubts != "" {
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning: servers may refuse the certificate:", doubts)
	}
	if time.Now().After(d.Pair.Leaf.NotAfter) {
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning: the certificate's time is over")
	}
	return printIdentity(c.OutOrStdout(), d, o.export)
}

func (o *documentOptions) read(c *cobra.Command, from string) ([]byte, error) {
	if strings.Contains(from, "://") {
		return document.Fetch(c.Context(), from, nil)
	}
	if from == "-" {
		return io.ReadAll(io.LimitReader(c.InOrStdin(), document.MaxSize+1))
	}
	return durable.ReadFile(from, document.MaxSize)
}

func (o *documentOptions) write(f provision.Files, name string) (*provision.Device, error) {
	if o.identity {
		dir, err := usualStateDir(o.state)
		if err != nil {
			return nil, err
		}
		return provision.Install(absolute(dir), f)
	}
	dir := o.dir
	if dir == "" {
		dir = name
	}
	if err := provision.Write(dir, f); err != nil {
		return nil, err
	}
	return provision.Read(dir)
}
