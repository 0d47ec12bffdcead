package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/awsiot/provision"
	"pithings/awsiot/provision/authority"
	"pithings/mqttlink/endpoint"
)

// localOptions are the flags of provision local.
type localOptions struct {
	authority.Options
	dir           string
	names         []string
	count         int
	renew, export bool
}

func newProvisionLocal() *cobra.Command {
	var o localOptions
	c := &cobra.Command{
		Use:        "local",
		SuggestFor: []string{"ca", "authority", "pki"},
		Short:      "Make a small authority in a folder, and certificates for a broker and devices",
		Long: `local makes what a broker of your own needs for mutual TLS, in a folder: an authority
(ca.pem, ca.key), the broker's certificate (server.pem, server.key) for this machine's
names and those of --host, an identity in devices/NAME for each device, and
mosquitto.conf and acl, with which a mosquitto lets each device into its own topics.

What is there is left as it is, so that further devices are made by the same command.
--renew makes the certificates anew that end within 30 days, for the keys they have.

Keep ca.key where no device and no broker is. Copy devices/NAME to its device.

Exit status: 0 all is there; 1 a device of --name was there before, or it failed.`,
		Example: `  pithings provision local --dir pki --host broker.local --name hall
  mosquitto -c pki/mosquitto.conf
  pithings run pki/devices/hall/pithings.yaml
  pithings provision local --dir fleet --count 200
  pithings provision local --dir pki --renew`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", "", "the `FOLDER` of the authority")
	f.StringArrayVar(&o.names, "name", nil, "make the identity of the device with this `NAME`, its client id; may be given several times")
	f.IntVar(&o.count, "count", 0, "make those of the devices dev-0001 to dev-`N` that are not there")
	f.StringArrayVar(&o.Hosts, "host", nil, "a `NAME` or address of the broker, beside this machine's; may be given several times")
	f.StringVarP(&o.Endpoint, "endpoint", "e", "", "the broker's `URL` for devices (default mqtts:// with the first --host, or this machine's name)")
	f.IntVar(&o.Days, "days", authority.Days, "how many `DAYS` the certificates of server and devices are good")
	f.StringVar(&o.BrokerDir, "broker-dir", "", "where the broker will have its files, for mosquitto.conf: a `FOLDER` (default that of --dir)")
	f.BoolVar(&o.renew, "renew", false, "make the certificates anew that end soon, and the server's with the names of --host")
	f.BoolVar(&o.export, "export", false, "print the lines for a shell that let other programs be the device")
	return c
}

func (o *localOptions) check() error {
	switch {
	case o.dir == "":
		return usagef("--dir FOLDER is missing: name the folder of the authority")
	case len(o.names) > 0 && o.count != 0:
		return usagef("--name and --count both say which devices: give one of them")
	case o.renew && (len(o.names) > 0 || o.count != 0 || o.export):
		return usagef("--renew makes no devices: leave --name, --count and --export out")
	case o.export && len(o.names) != 1:
		return usagef("--export goes with one --name")
	case o.count < 0 || o.count > authority.MaxFleet:
		return usagef("--count %d: give a number from 1 to %d", o.count, authority.MaxFleet)
	case o.Days < 1 || o.Days > authority.CADays:
		return usagef("--days %d: give a number from 1 to %d", o.Days, authority.CADays)
	}
	for _, name := range o.names {
		if err := authority.CheckDevice(name); err != nil {
			return usagef("--name: %w", err)
		}
	}
	for _, h := range o.Hosts {
		if err := authority.CheckHost(h); err != nil {
			return usagef("--host: %w", err)
		}
	}
	if o.Endpoint = withScheme(o.Endpoint); o.Endpoint != "" {
		if _, err := endpoint.Parse(o.Endpoint); err != nil {
			return usagef("--endpoint: %w", err)
		}
	}
	return nil
}

func (o *localOptions) run(c *cobra.Command) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	o.Hostname, _ = os.Hostname() // without one the certificate is for the others
	errs := c.ErrOrStderr()
	if o.renew {
		r, err := authority.Renew(c.Context(), o.dir, o.Options, counter(errs, "devices looked at"))
		o.printRenewed(c.OutOrStdout(), r)
		if err == nil {
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d devices looked at\n", r.Looked)
		}
		return err
	}
	a, err := authority.Open(o.dir, o.Options)
	if err != nil {
		return err
	}
	defer a.Close()
	out := c.OutOrStdout()
	if o.export { // whose lines alone are for the shell
		out = errs
	}
	fmt.Fprintf(out, "authority in %s, good until %s\n", o.dir, a.Until().UTC().Format(time.DateOnly))
	if made, err := a.Server(); err != nil {
		return err
	} else if made {
		fmt.Fprintln(out, "made", authority.ServerCert)
	}
	made, err := a.Mosquitto()
	if err != nil {
		return err
	}
	if len(made) > 0 {
		fmt.Fprintln(out, "made", strings.Join(made, ", "))
	}
	return o.devices(c.Context(), a, c.OutOrStdout(), errs)
}

func (o *localOptions) devices(ctx context.Context, a *authority.Authority, out, errs io.Writer) (err error) {
	if o.count > 0 {
		made, err := a.Fleet(ctx, o.count, func(there int) { counter(errs, "devices are there")(there, o.count) })
		fmt.Fprintf(out, "made %d devices\n", made)
		if errors.Is(err, context.Canceled) {
			err = fmt.Errorf("interrupted; the same command makes the rest")
		}
		return err
	}
	for _, name := range o.names {
		d, one := a.Device(name)
		if one == nil {
			one = printIdentity(out, d, o.export)
		} else if errors.Is(one, provision.ErrThere) && o.export {
			one = fmt.Errorf("%w; its lines: pithings provision status --export --dir FOLDER", one)
		}
		err = errors.Join(err, one)
	}
	return err
}

// counter returns a function that prints now and then how far a long work has come.
func counter(w io.Writer, what string) func(n, of int) {
	return func(n, of int) {
		if n%100 == 0 && n < of {
			fmt.Fprintf(w, "pithings: %d of %d %s\n", n, of, what)
		}
	}
}

func (o *localOptions) printRenewed(w io.Writer, r authority.Renewed) {
	if r.CA {
		fmt.Fprintf(w, "renewed %s: copy it to the broker and to every device\n", authority.CACert)
	}
	if r.Server {
		fmt.Fprintf(w, "renewed %s: copy it to the broker, and reload that\n", authority.ServerCert)
	}
	for _, name := range r.Devices {
		fmt.Fprintf(w, "renewed %s/%s/%s: copy it to that device\n", authority.Devices, name, provision.CertFile)
	}
}
