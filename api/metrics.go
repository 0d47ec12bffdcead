package api

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Metrics is a page in Prometheus' text format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats). It is written by hand: the library
// would be a tenth of the binary for what is a page of code.
type Metrics struct {
	bytes.Buffer
	name string
}

// MetricsType is the Content-Type of a page.
const MetricsType = "text/plain; version=0.0.4; charset=utf-8"

// Family begins the samples of one name. kind is gauge or counter.
func (m *Metrics) Family(name, kind, help string) {
	m.name = name
	fmt.Fprintf(m, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// Sample adds a sample of the family. labels are names and values in turn.
func (m *Metrics) Sample(v float64, labels ...string) {
	m.WriteString(m.name)
	for i := 0; i < len(labels); i += 2 {
		sep := byte(',')
		if i == 0 {
			sep = '{'
		}
		m.WriteByte(sep)
		m.WriteString(labels[i] + `="` + labelEscapes.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		m.WriteByte('}')
	}
	m.WriteString(" " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// Bool is the value of a sample that is yes or no.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
