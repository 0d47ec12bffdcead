package config

import (
	"pithings/conf"
)

// checker checks what no single value shows, and fills in what depends on other values.
type checker struct {
	*conf.Report
	partial bool // things, flows and a broker may be missing
}
