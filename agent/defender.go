package agent

import (
	"log/slog"
	"path/filepath"
	"slices"

	"pithings/agent/config"
	"pithings/awsiot/defender"
	"pithings/device"
)

// defence is what reports to AWS IoT Device Defender.
type defence struct {
	links  *links
	things *thingService
}

// settings are those of optional.
func (defence) settings(c *config.Config) (any, bool) {
	return c.AWSIoT.Defender, c.AWSIoT.Defender.Enabled
}

func (s defence) open(c *config.Config, log *slog.Logger) (opened, error) {
	link, id := s.links.managing()
	return defender.New(defender.Options{Settings: c.AWSIoT.Defender, Thing: id, Link: link,
		Dir: filepath.Join(s.links.folder.Dir, "defender"), Value: s.things.value, Clock: s.links.clock, Log: log}), nil
}

// value returns the last value of a quantity of a thing, if there is one.
func (s *thingService) value(thing, quantity string) (value float64, q device.Quantity, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i := slices.IndexFunc(s.parts, func(p *part) bool { return p.Name() == thing })
	if i < 0 {
		return 0, q, false
	}
	for _, q := range s.parts[i].quantities() {
		if q.Name == quantity {
			value, ok = number(s.latest.of(thing)[q.Event].Values[q.Key])
			return value, q, ok
		}
	}
	return 0, q, false
}
