package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"pithings/agent/config"
	"pithings/awsiot/command"
	"pithings/device"
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
	one := &commandService{things: s.things}
	one.Reconfigured()
	var diagnose func(context.Context) (device.Values, error)
	if s.doctor.examine != nil {
		diagnose = s.doctor.values
	}
	one.Service = command.New(command.Options{Settings: c.AWSIoT.Command, Device: id, Link: link,
		Dir:         filepath.Join(s.links.folder.Dir, "commands"),
		Things:      func() []command.Thing { return *one.targets.Load() },
		Reconfigure: s.reconfigure, Restart: s.restart, Diagnose: diagnose, Quarantined: s.quarantine.on,
		Clock: s.links.clock, Log: log})
	return one, nil
}

// selective: a reload that changes things does not make the service anew, so that its subscription
// stays and no command is lost.
func (commands) selective() {}

// commandService has the things of the configuration that runs: those before it until a reload is
// through.
type commandService struct {
	*command.Service
	things  *thingService
	targets atomic.Pointer[[]command.Thing]
}

// Reconfigured implements reconfigured.
func (s *commandService) Reconfigured() {
	all := s.things.targets()
	s.targets.Store(&all)
}

// targets are the things that there are. It is for the goroutine of reloads.
func (s *thingService) targets() (all []command.Thing) {
	for _, p := range s.parts {
		all = append(all, command.Thing{Name: p.Name(), Actor: p.Thing, Model: modelOf(&p.made)})
	}
	return all
}

// errRestart ends the agent, so that the service manager starts it again.
var errRestart = errors.New("a command or a job has asked for a restart")
