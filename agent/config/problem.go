package config

import (
	"pithings/conf"
)

// Problems are those of an Error and of further errors, at their places in c's file.
type Problems struct {
	c    *Config
	list conf.Error
}

// Problems returns an empty collection.
func (c *Config) Problems() *Problems { return &Problems{c: c} }

// Add adds what is wrong with the value at a path such as mqtt.key, and what to do.
func (p *Problems) Add(path, message, fix string) {
	p.list.Add(p.c.At(path, message, fix))
}

// Err returns all of them as an *Error, or nil.
func (p *Problems) Err() error { return p.list.Err() }

// At returns a problem, or a warning, at the place of the value at a path.
func (c *Config) At(path, message, fix string) conf.Problem {
	return c.places.Problem(path, message, fix)
}
