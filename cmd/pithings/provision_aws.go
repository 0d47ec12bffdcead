package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/awsiot"
	"pithings/awsiot/provision"
	"pithings/conf/machine"
	"pithings/mqttlink"
	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// awsOptions are the flags of provision aws.
type awsOptions struct {
	queueConn
	claim, template string
	params          []string
	csr, keepClaim  bool
	unchecked       bool
	export          bool
	timeout         seconds
}

func newProvisionAWS() *cobra.Command {
	o := awsOptions{timeout: seconds{Duration: 2 * time.Minute}}
	c := &cobra.Command{
		Use:        "aws",
		SuggestFor: []string{"fleet", "claim"},
		Short:      "Get an identity from AWS IoT by a claim certificate and a template",
		Long: `aws gets the identity of this machine from AWS IoT Core by fleet provisioning, and
puts it into identity/ in the state folder. The private key is made here and never
leaves this machine. It prints the lines for the configuration of the agent.

The claim is a certificate that may do nothing else: --claim-cert and --claim-key, or
--claim with what a trusted user has had made by
aws iot create-provisioning-claim --template-name NAME --output json, which is good for
five minutes. It is erased when the new certificate has connected.

A run that fails, or is cut off, can be repeated: it continues with the same key.

Exit status: 0 the identity is there; 1 it is not, or the claim could not be erased.`,
		Example: `  sudo pithings provision aws -e xxxx-ats.iot.eu-central-1.amazonaws.com \
      --claim-cert claim.pem --claim-key claim.key --template fleet
  pithings provision aws -e HOST --claim claim.json --template fleet --param SerialNumber=7 --param Site=@site.txt`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	f.SetNormalizeFunc(oneName)
	f.StringVarP(&o.conn.endpoint, "endpoint", "e", "", "AWS IoT's data endpoint, or another broker's `URL`: HOST is mqtts on 8883")
	f.StringVar(&o.conn.ca, "ca", "", "certificate of the broker's authority, a PEM `FILE`; kept with the identity (default: the system's authorities)")
	f.StringVar(&o.conn.cert, "claim-cert", "", "the claim certificate, a PEM `FILE`")
	f.StringVar(&o.conn.key, "claim-key", "", "its private key, a PEM `FILE`")
	f.StringVar(&o.claim, "claim", "", "a trusted user's claim in JSON, a `FILE`; - is the standard input")
	f.StringVar(&o.template, "template", "", "`NAME` of the provisioning template")
	f.StringArrayVar(&o.params, "param", nil, "parameter of the template, `NAME=VALUE` or NAME=@FILE; may be given several times (default SerialNumber=… of this Pi)")
	f.BoolVar(&o.csr, "csr", true, "make the key here; --csr=false: AWS makes it, and it comes over the network")
	f.StringVar(&o.conn.id, "client-id", "", "client `ID` of the connection with the claim (default one by chance)")
	f.StringVar(&o.conn.serverName, "server-name", "", "`NAME` in the broker's certificate, if it is not the host's")
	f.BoolVar(&o.keepClaim, "keep-claim", false, "do not erase the claim")
	f.BoolVar(&o.unchecked, "no-check", false, "do not connect with the new certificate before the claim is erased")
	f.BoolVar(&o.export, "export", false, "print the lines for a shell that let other programs be this device")
	f.Var(&o.timeout, "timeout", "end after so many `SECONDS` (default 120)")
	o.add(c)
	return c
}

func (o *awsOptions) run(c *cobra.Command) error {
	ctx, cancel := context.WithTimeoutCause(c.Context(), o.timeout.Duration, fmt.Errorf("timed out after %v (--timeout)", o.timeout.Duration))
	defer cancel()
	cfg, dir, err := o.place(c)
	if err != nil {
		return err
	}
	p, err := provision.Begin(dir)
	if err != nil {
		return err
	}
	defer p.End()
	r := provision.Request{Template: o.template, AWSMakesKey: !o.csr, Step: func(line string) { fmt.Fprintln(c.ErrOrStderr(), "pithings:", line) }}
	if !o.unchecked {
		r.Check = func(ctx context.Context, d *provision.Device) error { return connects(ctx, cfg, d) }
	}
	var link provision.Link
	if p.Made() { // by an earlier run: what is given is erased, and not read
		for _, file := range []string{o.conn.cert, o.conn.key, o.claim} {
			if file != "" && file != "-" && !o.keepClaim {
				r.Claim = append(r.Claim, file)
			}
		}
	} else {
		conn, err := o.claimed(ctx, c, p, cfg, &r)
		if err != nil {
			return err
		}
		defer conn.Close()
		link = conn
	}
	d, err := p.Run(ctx, r, link)
	if d == nil {
		return err
	}
	err = errors.Join(printIdentity(c.OutOrStdout(), d, o.export), err)
	if !o.export {
		_, printErr := c.OutOrStdout().Write(provision.Config(d.Thing, d.Endpoint, provision.Paths{Cert: d.Cert(), Key: d.Key(), CA: d.CA()},
			"The agent with this state folder connects so by itself; another one with these lines in its configuration:", false))
		err = errors.Join(err, printErr)
	}
	return err
}

// place returns the configuration of the connection, without its certificate, and the state folder.
func (o *awsOptions) place(c *cobra.Command) (*config.Config, string, error) {
	q := o.queueConn
	q.conn.cert, q.conn.key = "", ""
	cfg, err := q.load(c)
	if err != nil {
		return nil, "", err
	}
	dir, err := usualStateDir(cfg.State)
	return cfg, absolute(dir), err
}

// claimed completes the request, and begins the connection with the claim.
func (o *awsOptions) claimed(ctx context.Context, c *cobra.Command, p *provision.Provisioner, cfg *config.Config, r *provision.Request) (conn *provision.Conn, err error) {
	m := cfg.MQTT
	m.Cert, m.Key = o.conn.cert, o.conn.key
	switch {
	case m.Endpoint == "":
		return nil, usagef("-e is missing: name AWS IoT's data endpoint (aws iot describe-endpoint --endpoint-type iot:Data-ATS)")
	case o.template == "":
		return nil, usagef("--template NAME is missing: name the provisioning template")
	case o.claim != "" && (m.Cert != "" || m.Key != ""):
		return nil, usagef("--claim and --claim-cert both give the claim: give one of them")
	case o.claim == "" && (m.Cert == "" || m.Key == ""):
		return nil, usagef("the claim is missing: give --claim-cert FILE and --claim-key FILE, or --claim FILE with a trusted user's")
	}
	if r.Parameters, err = o.parameters(c.ErrOrStderr()); err != nil {
		return nil, err
	}
	r.Claim = []string{m.Cert, m.Key}
	if o.claim != "" {
		if m.Cert, m.Key, err = o.takeClaim(c.InOrStdin(), p); err != nil {
			return nil, err
		}
		if r.Claim = []string{m.Cert, m.Key}; o.claim != "-" {
			r.Claim = append(r.Claim, o.claim)
		}
	}
	if err := provision.CheckGiven(m.Key); err != nil {
		return nil, err
	}
	if _, err := certs.ReadPair(m.Cert, m.Key); err != nil {
		return nil, err
	}
	if o.keepClaim {
		r.Claim = nil
	}
	if m.CA != "" {
		if r.CA, err = durable.ReadFile(m.CA, 1<<20); err != nil {
			return nil, fmt.Errorf("--ca: %w: give a file, which is kept with the identity", err)
		}
	}
	r.Endpoint = m.Endpoint
	if m.ClientID = o.conn.id; m.ClientID == "" {
		var b [8]byte
		rand.Read(b[:]) // never fails
		m.ClientID = "pithings-claim-" + hex.EncodeToString(b[:])
	}
	return provision.Connect(ctx, provisionLink(&m))
}

// takeClaim reads a trusted user's claim.
func (o *awsOptions) takeClaim(in io.Reader, p *provision.Provisioner) (cert, key string, err error) {
	var data []byte
	if o.claim == "-" {
		data, err = io.ReadAll(io.LimitReader(in, provision.MaxClaim+1))
	} else {
		if err := provision.CheckGiven(o.claim); err != nil {
			return "", "", err
		}
		data, err = durable.ReadFile(o.claim, provision.MaxClaim)
	}
	if err != nil {
		return "", "", fmt.Errorf("--claim: %w", err)
	}
	return p.TakeClaim(data)
}

// parameters are those of the template. Without any it is the serial number of the Pi, which is the
// parameter in AWS's own examples.
func (o *awsOptions) parameters(notes io.Writer) (map[string]string, error) {
	all := map[string]string{}
	for _, p := range o.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usagef("--param %s: write NAME=VALUE, or NAME=@FILE", quoted(p))
		}
		if _, twice := all[name]; twice {
			return nil, usagef("--param %s is given twice", quoted(name))
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			text, err := durable.ReadFile(file, 64<<10)
			if err != nil {
				return nil, fmt.Errorf("--param %s: %w", name, err)
			}
			value = strings.TrimRight(string(text), "\r\n")
		}
		all[name] = value
	}
	if len(o.params) > 0 {
		return all, nil
	}
	serial, err := machine.This().Serial()
	if err != nil {
		fmt.Fprintln(notes, "pithings: no --param, and this machine has no serial number: the template gets no parameters")
		return all, nil
	}
	all["SerialNumber"] = serial
	return all, nil
}

// provisionLink is a connection that keeps nothing on the disk.
func provisionLink(m *config.MQTT) mqttlink.Options {
	link := agent.LinkOptions(m)
	link.Will, link.CleanSession = nil, true
	if limits, _, ok := awsiot.Limits(m.Endpoint); ok {
		link.Limits = limits
	}
	return link
}

// connects connects as a device.
func connects(ctx context.Context, cfg *config.Config, d *provision.Device) error {
	m := cfg.MQTT
	m.Cert, m.Key, m.CA, m.ClientID = d.Cert(), d.Key(), d.CA(), d.Thing
	if d.Endpoint != "" {
		m.Endpoint = d.Endpoint
	}
	conn, err := provision.Connect(ctx, provisionLink(&m))
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Online(ctx)
}
