package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/hw/probe"
)

// Configuration reports what loading the configuration file gave.
func Configuration(file string, c *config.Config, warnings []conf.Warning, err error) Report {
	const (
		part      = "config"
		otherwise = "repair this place; pithings config example shows every key"
	)
	var report Report
	var bad *conf.Error
	switch {
	case errors.As(err, &bad):
		for _, p := range bad.Problems {
			fix := p.Fix
			p.Fix = ""
			r := probe.Failure(part, errors.New(p.String()), cmp.Or(fix, otherwise))
			r.Fix = cmp.Or(fix, r.Fix)
			report = append(report, r)
		}
		if bad.More > 0 {
			report = append(report, probe.Result{Part: part, Status: probe.Fail, Problem: fmt.Sprintf("%d more problems", bad.More),
				Fix: "repair the first ones, then run this again"})
		}
	case err != nil:
		r := probe.Failure(part, err, "")
		r.Problem = strings.TrimPrefix(r.Problem, "configuration: ")
		report = append(report, r)
	default:
		report = append(report, probe.Found(part, "%s: %s, %s", file, count(len(c.Things), "thing"), count(len(c.Flows), "flow")))
	}
	for _, w := range warnings {
		problem, fix := probe.Advice(w.String())
		report = append(report, probe.Result{Part: part, Status: probe.Warn, Problem: problem, Fix: fix})
	}
	return report
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
