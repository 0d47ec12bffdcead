package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pithings/agent"
	"pithings/agent/config"
	"pithings/things"
)

// single is a command that runs one thing, as the Things Graph examples start
// each of their devices as a process with its own certificate.
type single struct {
	conn  connection
	run   runOptions
	name  string
	thing map[string]any // its keys in a configuration
}

func newSingle(use, short, name string, s *single, flags func(*pflag.FlagSet)) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Example: fmt.Sprintf(`  pithings %[1]s -e HOST -r root.pem -c cert.pem -k key.pem -n %[2]s
  pithings %[1]s -e mqtt://127.0.0.1:1883 --mock`, use, name),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := s.config(c)
			if err != nil {
				return err
			}
			s.run.nextPort = true
			return s.run.run(c.Context(), cfg, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	s.conn.add(f, seedLetters.with("client-id", "i"))
	f.StringVarP(&s.name, "name", "n", name, "name of the thing; its topics begin with it, and it is the client id")
	s.run.add(f)
	flags(f)
	return c
}

// config is the configuration with the one thing, read like a file, so that the
// same rules and messages hold.
func (s *single) config(c *cobra.Command) (*config.Config, error) {
	mqtt, err := s.conn.section(c)
	if err != nil {
		return nil, err
	}
	if mqtt["client_id"] == nil {
		mqtt["client_id"] = s.name
	}
	mqtt["status"] = false // a thing's own connection; its policy, as the seeds', knows no such topic
	s.thing["name"] = s.name
	document := map[string]any{"mqtt": mqtt, "things": []any{s.thing}, "state": s.run.state}
	if s.run.listen != "" {
		document["http"] = map[string]any{"listen": s.run.listen}
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	// The connection is the command line's alone; other variables hold.
	said := []string{"PITHINGS_MQTT_ENDPOINT", "PITHINGS_MQTT_CLIENT_ID", "PITHINGS_MQTT_CA", "PITHINGS_MQTT_CERT",
		"PITHINGS_MQTT_KEY", "PITHINGS_MQTT_USERNAME", "PITHINGS_MQTT_PASSWORD", "PITHINGS_MQTT_PASSWORD_FILE"}
	for key := range mqtt {
		said = append(said, setting{key: key}.variable())
	}
	if s.run.listen != "" {
		said = append(said, "PITHINGS_HTTP_LISTEN")
	}
	if s.run.state != "" {
		said = append(said, "PITHINGS_STATE")
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(said, name)
	})
	cfg, warnings, err := config.Parse("command line", text, env)
	for _, w := range warnings {
		w.Line = 0
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning:", w)
	}
	if err != nil {
		return nil, asUsage(err)
	}
	more, _ := agent.Check(cfg, time.Time{}) // what is wrong the start says
	for _, w := range more {
		fmt.Fprintln(c.ErrOrStderr(), "pithings: warning:", w.Message)
	}
	if cfg.State == "" && !s.run.mock { // the things of one host side by side
		dir, err := stateDir("")
		if err != nil {
			return nil, err
		}
		cfg.State = filepath.Join(dir, "single", s.name)
	}
	return cfg, nil
}

func newMotion() *cobra.Command {
	s := &single{thing: map[string]any{"type": "motion"}}
	var pin string
	var both bool
	c := newSingle("ms", "Run one motion sensor", "TG_MS", s, func(f *pflag.FlagSet) {
		f.StringVarP(&pin, "pin", "g", "GPIO17", "GPIO line of the sensor, by name")
		f.BoolVar(&both, "both", false, "publish the end of motion too")
	})
	c.PreRun = func(*cobra.Command, []string) {
		s.thing["pin"] = pin
		if both {
			s.thing["publish"] = things.PublishBoth
		}
		if s.run.mock { // a simulated sensor needs no time to settle
			s.thing["warm_up"], s.thing["hold"] = "0s", "0s"
		}
	}
	return c
}

func newCamera() *cobra.Command {
	s := &single{thing: map[string]any{"type": "camera"}}
	var device, size string
	c := newSingle("camera", "Run one camera", "TG_Camera", s, func(f *pflag.FlagSet) {
		f.StringVarP(&device, "device", "d", "/dev/video0", "video device")
		f.StringVar(&size, "size", "1280x720", "picture size")
	})
	c.PreRun = func(*cobra.Command, []string) { s.thing["device"], s.thing["size"] = device, size }
	return c
}

func newScreen() *cobra.Command {
	s := &single{thing: map[string]any{"type": "screen"}}
	var device, clear string
	c := newSingle("screen", "Run one screen", "TG_Screen", s, func(f *pflag.FlagSet) {
		f.StringVarP(&device, "device", "d", "/dev/fb0", "framebuffer")
		f.StringVar(&clear, "clear-after", "10s", "how long a picture stays; 0: until the next")
	})
	c.PreRun = func(*cobra.Command, []string) { s.thing["device"], s.thing["clear_after"] = device, clear }
	return c
}
