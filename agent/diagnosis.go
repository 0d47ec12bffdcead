package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"pithings/agent/config"
	"pithings/agent/doctor"
	"pithings/hw/probe"
	"pithings/quietlog"
)

// diagnosis is what is wrong, as it is seen from afar: the doctor's report, and the end of the
// log. No secret is in it.
type diagnosis struct {
	version string
	examine func(context.Context) (doctor.Report, error) // nil: there is no doctor
	current func() *config.Config
	recent  quietlog.Recent
	secrets []string // of the configuration that runs
	hiding  atomic.Pointer[func(string) string]
}

// hide removes the secrets of the configuration that runs from a text.
func (d *diagnosis) hide(text string) string { return (*d.hiding.Load())(text) }

// Findings are the result of a diagnosis.
type Findings struct {
	Version  string        `json:"version,omitempty"`
	Failed   int           `json:"failed"`   // checks that found what does not work
	Warnings int           `json:"warnings"` // and what may not
	Checks   doctor.Report `json:"checks"`
	Log      []string      `json:"log"` // its last lines, the newest last
}

// Bounds of Findings, in bytes of JSON. An answer of 64 KiB has room for them, and for who asks.
const (
	maxFindings  = 60 << 10
	maxCheckText = 600
)

// errNoDoctor is of an agent without a doctor, as in other programs' tests.
var errNoDoctor = errors.New("this agent has no doctor")

// watch has the end of the log kept without the secrets of a configuration and of the one before,
// which ends meanwhile. One goroutine at a time calls it.
func (d *diagnosis) watch(c *config.Config) {
	before := d.secrets
	d.secrets = secretsOf(c)
	hide := redactorOf(slices.Concat(before, d.secrets)).text
	d.recent.Hide(hide)
	d.hiding.Store(&hide)
	d.recent.Keep(true)
}

// take looks for what is wrong now.
func (d *diagnosis) take(ctx context.Context) (*Findings, error) {
	if d.examine == nil {
		return nil, errNoDoctor
	}
	report, err := d.examine(ctx)
	if err != nil {
		return nil, fmt.Errorf("diagnosis: %w", err)
	}
	hide := redactorOf(secretsOf(d.current()))
	f := &Findings{Version: d.version, Checks: doctor.Report{}, Log: []string{}}
	for _, r := range report {
		switch r.Status {
		case probe.Fail:
			f.Failed++
		case probe.Warn:
			f.Warnings++
		}
		for _, text := range []*string{&r.Part, &r.Found, &r.Problem, &r.Fix} {
			*text = quietlog.Clip(hide.text(*text), maxCheckText)
		}
		f.Checks = append(f.Checks, r)
	}
	for _, line := range d.recent.Lines() {
		f.Log = append(f.Log, hide.text(line.String()))
	}
	f.fit()
	return f, nil
}

// fit drops the oldest lines of the log, and then checks that found nothing wrong and the last
// of the others, until it is short enough.
func (f *Findings) fit() {
	size := func(v any) int {
		b, err := json.Marshal(v)
		if err != nil {
			return 0 // texts and numbers cannot fail
		}
		return len(b) + 1
	}
	room := maxFindings - size(Findings{Version: f.Version}) - 16
	if size(f.Checks) > room {
		slices.SortStableFunc(f.Checks, func(a, b probe.Result) int { return rank(a.Status) - rank(b.Status) })
	}
	for n, left := 0, room; n < len(f.Checks); n++ {
		if left -= size(f.Checks[n]); left < 0 {
			f.Checks = f.Checks[:n]
		}
	}
	room -= size(f.Checks)
	for n := len(f.Log); n > 0; n-- {
		if room -= size(f.Log[n-1]); room < 0 {
			f.Log = f.Log[n:]
			break
		}
	}
}

// rank is the order in which checks are worth their place.
func rank(s probe.Status) int {
	return slices.Index([]probe.Status{probe.Fail, probe.Warn, probe.Note, probe.OK}, s)
}

// values are the findings as a command returns them.
func (d *diagnosis) values(ctx context.Context) (v map[string]any, err error) {
	f, err := d.take(ctx)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(f)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	return v, err
}

// maxProblems is how many problems a summary has.
const maxProblems = 4

// summary is the findings as details of a job, of which each has 1024 characters.
func (f *Findings) summary() map[string]string {
	s := map[string]string{"version": f.Version, "checks": fmt.Sprint(len(f.Checks)), "failed": fmt.Sprint(f.Failed), "warnings": fmt.Sprint(f.Warnings)}
	n := 0
	for _, status := range []probe.Status{probe.Fail, probe.Warn} {
		for _, r := range f.Checks {
			if r.Status != status || n == maxProblems {
				continue
			}
			n++
			text := r.Part + ": " + r.Problem
			if r.Fix != "" {
				text += "; fix: " + r.Fix
			}
			s[fmt.Sprint("problem_", n)] = text
		}
	}
	if last := len(f.Log) - 1; last >= 0 {
		s["log"] = f.Log[last]
	}
	return s
}
