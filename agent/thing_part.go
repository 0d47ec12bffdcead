package agent

import (
	"io"
	"net/http"
	"reflect"
	"sync"

	"pithings/agent/config"
	"pithings/device"
	"pithings/things"
)

// part is a thing of the agent, with what keeps it working.
type part struct {
	things.Thing
	made    config.Thing // what it was made of
	baseURL string
	mirror  http.Handler // of a screen
	closers []io.Closer  // what it holds
	run     *unit        // nil before it is started
	detach  func()

	describing sync.Once
	described  []device.Quantity // if it is not known by the thing itself
}

// stop ends its work and releases what it holds.
func (p *part) stop() {
	p.run.end()
	if p.detach != nil {
		p.detach()
	}
	for _, c := range p.closers {
		c.Close()
	}
	p.detach, p.closers = nil, nil
}

// same reports whether the thing of a configuration is this one, on the same connection.
func (p *part) same(c *config.Config, t *config.Thing) bool {
	return p.baseURL == c.HTTP.BaseURL && reflect.DeepEqual(p.made, *t)
}

// quantities are what a thing measures.
func (p *part) quantities() []device.Quantity {
	if m, ok := p.Thing.(things.Measuring); ok {
		return m.Quantities()
	}
	p.describing.Do(func() {
		p.described = things.KindOf(p.made.Type).Describe(p.made.Settings, p.made.Topics).Model.Quantities
	})
	return p.described
}

// modelOf is the model of a thing of the configuration.
func modelOf(t *config.Thing) device.Model {
	return things.KindOf(t.Type).Describe(t.Settings, t.Topics).Model
}
