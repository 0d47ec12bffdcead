package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"pithings/agent/config"
	"pithings/awsiot/command"
	"pithings/device"
	"pithings/things"
)

// commands is what takes commands by MQTT.
type commands struct {
	links       *links
	things      *thingService
	reconfigure func(ctx context.Context, changes device.Values) (result device.Values, apply func(), err error)
	restart     func() // begins the end of the agent
	doctor      *diagnosis
	quarantine  *quarantine
}

// settings are those of optional.
func (commands) settings(c *config.Config) (any, bool) {
	return c.AWSIoT.Command, c.AWSIoT.Command.Enabled
}

func (s commands) open(c *config.Config, log *slog.Logger) (opened, error) {
	link, id := s.links.managing()
	all := s.things.targets()
	var diagnose func(context.Context) (device.Values, error)
	if s.doctor.examine != nil {
		diagnose = s.doctor.values
	}
	return command.New(command.Options{Settings: c.AWSIoT.Command, Device: id, Link: link,
		Dir:         filepath.Join(s.links.folder.Dir, "commands"),
		Things:      func() []command.Thing { return all },
		Reconfigure: s.reconfigure, Restart: s.restart, Diagnose: diagnose, Quarantined: s.quarantine.on,
		Clock: s.links.clock, Log: log}), nil
}

// targets are the things that there are. A reload that changes them makes the service anew.
func (s *thingService) targets() (all []command.Thing) {
	for _, p := range s.parts {
		all = append(all, command.Thing{Name: p.Name(), Actor: p.Thing, Model: things.KindOf(p.made.Type).Describe(p.made.Settings, p.made.Topics).Model})
	}
	return all
}

// errRestart ends the agent, so that the service manager starts it again.
var errRestart = errors.New("a command or a job has asked for a restart")
