package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/agent/web"
	"pithings/awsiot/provision"
	"pithings/fleet"
	"pithings/mqttlink/certs"
)

// tokenVariable holds the token of a fleet's web server.
const tokenVariable = "PITHINGS_FLEET_TOKEN"

// fleetRunner is a fleet, which may be changed from outside.
type fleetRunner interface {
	Plan() string
	Run(context.Context) error
}

// make makes the fleet, and what runs it.
func (o *fleetOptions) make(c *cobra.Command) (*fleet.Fleet, fleetRunner, error) {
	f, err := fleet.New(c.Context(), o.Options)
	if err != nil || o.http.Address == "" {
		return f, f, err
	}
	r, err := f.Remote(o.http)
	return f, r, err
}

// addHTTP adds the flags by which a fleet is changed from outside.
func (o *fleetOptions) addHTTP(f *pflag.FlagSet) {
	f.StringVar(&o.http.Address, "http", "", "change the devices while they run, by HTTP at this `ADDRESS`, such as 127.0.0.1:8080 (docs/playground.md)")
	f.StringVar(&o.token, "token-file", "", "`FILE` with the token that clients of --http show (or "+tokenVariable+"); needed where others reach it")
	f.StringVar(&o.http.Cert, "http-cert", "", "`FILE` with the certificate of --http, for https")
	f.StringVar(&o.http.Key, "http-key", "", "`FILE` with its key")
	f.BoolVar(&o.Factory, "factory", false, "begin with no device, and serve the playground's device factory: devices are made and deleted by HTTP, up to -n of them")
}

// factoryAddress is where a factory is served unless --http says so.
const factoryAddress = "127.0.0.1:8080"

// readHTTP reads the token.
func (o *fleetOptions) readHTTP(c *cobra.Command) error {
	if o.Factory && c.Flags().Changed("types") {
		return usagef("--types are of devices that are there from the start, and those of a --factory get theirs when they are made: leave one of them out")
	}
	if o.Factory && o.http.Address == "" {
		o.http.Address = factoryAddress
	}
	if o.http.Address == "" {
		if o.token != "" || o.http.Cert != "" || o.http.Key != "" {
			return usagef("--token-file, --http-cert and --http-key are of --http: give an address there")
		}
		return nil
	}
	if o.http.Key != "" {
		if err := provision.CheckGiven(o.http.Key); err != nil {
			return fmt.Errorf("--http-key: %w", err)
		}
	}
	o.http.Token = os.Getenv(tokenVariable)
	if o.token != "" {
		if certs.Exposed(o.token) {
			return fmt.Errorf("--token-file: every user of this system can read %s; if none of them has taken the token: chmod 600 %[1]s", provision.Quote(o.token))
		}
		var err error
		if o.http.Token, err = web.ReadToken(o.token); err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
	}
	return nil
}
