package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pithings/agent/config"
	"pithings/awsiot/provision"
	"pithings/mqttlink/durable"
	"pithings/spool/control"
)

// statusOptions are the flags of provision status.
type statusOptions struct {
	queueConn
	dir            string
	within         int
	asJSON, export bool
}

func newProvisionStatus() *cobra.Command {
	o := statusOptions{within: 30}
	c := &cobra.Command{
		Use:        "status",
		SuggestFor: []string{"show", "whoami", "info"},
		Short:      "Show who this Pi is for its broker, until when, and what renews it",
		Long: `status shows the certificate with which the agent connects: that of its
configuration (mqtt.cert), else the identity in its state folder, or with --dir that of
another folder. It connects nowhere.

Exit status: 0 the certificate is good; 1 there is none, or it cannot be used, or its
time is over; 3 it ends within --within days.`,
		Example: `  pithings provision status
  pithings provision status --json | jq -r .fingerprint      # AWS IoT's certificate id
  eval "$(pithings provision status --export --dir fleet/devices/dev-0001)"; mosquitto_pub -h "$IOT_ENDPOINT" -p "$IOT_PORT" \
      --cafile "$ROOT_CA" --cert "$CERT" --key "$KEY" -i "$DEVICE_NAME" -t "$DEVICE_NAME/hello" -m hi`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	f.StringVar(&o.dir, "dir", "", "the identity in this `FOLDER`, as provision makes them")
	f.IntVar(&o.within, "within", 30, "exit status 3 if the certificate ends within so many `DAYS`")
	f.BoolVar(&o.asJSON, "json", false, "print an object of JSON (docs/provisioning.md)")
	f.BoolVar(&o.export, "export", false, "print the lines for a shell that let other programs be this device")
	o.add(c)
	return c
}

func (o *statusOptions) run(c *cobra.Command) error {
	if o.within < 0 {
		return usagef("--within %d: give a number of days, 0 at least", o.within)
	}
	if o.asJSON && o.export {
		return usagef("--json and --export print different things: give one of them")
	}
	now, within := time.Now(), time.Duration(o.within)*24*time.Hour
	var s *provision.Status
	d, cfg, err := o.find(c)
	switch {
	case err != nil:
		return err
	case d != nil:
		s, err = d.Status(now, within)
	default:
		m := &cfg.MQTT
		s, err = provision.StatusOf(provision.Paths{Cert: m.Cert, Key: m.Key, CA: m.CA}, m.ClientID, m.Endpoint, o.config, now, within)
	}
	if err != nil {
		return err
	}
	if err := o.print(c.OutOrStdout(), s); err != nil {
		return err
	}
	switch s.Condition {
	case provision.EndsSoon:
		return &codeError{fmt.Errorf("the certificate ends in %d days", s.DaysLeft), exitSoon, false}
	case provision.Ended, provision.NotYet:
		return fmt.Errorf("the certificate is %s", map[provision.Condition]string{provision.Ended: "over", provision.NotYet: "not valid yet: is the clock right?"}[s.Condition])
	}
	return nil
}

func (o *statusOptions) print(w io.Writer, s *provision.Status) error {
	switch {
	case o.export:
		_, err := io.WriteString(w, s.Exports())
		return err
	case o.asJSON:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// find returns the identity that is meant, or the configuration that names its files.
func (o *statusOptions) find(c *cobra.Command) (*provision.Device, *config.Config, error) {
	if o.dir != "" {
		d, err := provision.Read(o.dir)
		return d, nil, err
	}
	cfg, err := o.load(c)
	if err != nil {
		return nil, nil, err
	}
	dir := ""
	if o.config == "" {
		t, err := find(c.Context(), control.UsualPlaces(), cfg, "", nil)
		if err != nil {
			return nil, nil, err
		}
		dir = t.dir
		if t.say(c.ErrOrStderr()); t.agent != nil {
			dir = t.agent.State
		}
		agents, _ := control.UsualPlaces().Find(c.Context())
		if i := slices.IndexFunc(agents, func(a control.Agent) bool { return !a.Other && sameFolder(a.State, dir) }); i >= 0 && agents[i].Config != "" {
			o.config = agents[i].Config
			if cfg, err = o.load(c); err != nil {
				return nil, nil, err
			}
		}
	} else if dir, err = usualStateDir(cfg.State); err != nil {
		return nil, nil, err
	}
	if cfg.MQTT.Cert != "" {
		if cfg.MQTT.ClientID == "" { // made by the agent, if there is one
			id, _ := durable.ReadFile(filepath.Join(dir, "client-id"), 1<<10)
			cfg.MQTT.ClientID = strings.TrimSpace(string(id))
		}
		if o.config == "" {
			o.config = "PITHINGS_MQTT_CERT"
		}
		return nil, cfg, nil
	}
	d, err := provision.Identity(dir)
	if errors.Is(err, provision.ErrNone) {
		err = fmt.Errorf("%w, and no mqtt.cert in a configuration: pithings provision aws gets one; --state DIR, --config FILE or --dir FOLDER name another", err)
	}
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w, or name its folder with --state", err)
	}
	if err != nil {
		return nil, nil, err
	}
	// A configuration may give another client id or endpoint beside it.
	q := o.queueConn
	q.identity, q.conn.extra.quiet = func(*config.Config) string { return dir }, true
	if used, err := q.load(c); err == nil && used.MQTT.Cert == d.Cert() {
		d.Thing, d.Endpoint = used.MQTT.ClientID, used.MQTT.Endpoint
	}
	return d, nil, nil
}
