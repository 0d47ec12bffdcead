package config

import (
	_ "embed"
	"slices"
)

//go:embed example.yaml
var example []byte

// Example returns a commented configuration that has every key with its
// default, and that can be loaded as it is.
func Example() []byte { return slices.Clone(example) }
