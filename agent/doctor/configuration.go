package doctor

import (
	"errors"
	"fmt"
	"strings"

	"pithings/agent/config"
)

// Configuration tells what loading the configuration file gave.
func Configuration(file string, c *config.Config, warnings []config.Warning, err error) Report {
	const (
		part      = "config"
		otherwise = "repair this place; pithings config example shows every key"
	)
	var report Report
	var bad *config.Error
	switch {
	case errors.As(err, &bad):
		for _, p := range bad.Problems {
			report = append(report, failure(part, errors.New(p.String()), otherwise))
		}
		if bad.More > 0 {
			report = append(report, Result{Part: part, Status: Fail, Problem: fmt.Sprintf("%d more problems", bad.More),
				Fix: "repair the first ones, then run this again"})
		}
	case err != nil:
		r := failure(part, err, "")
		r.Problem = strings.TrimPrefix(r.Problem, "configuration: ")
		report = append(report, r)
	default:
		report = append(report, found(part, "%s: %s, %s", file, count(len(c.Things), "thing"), count(len(c.Flows), "flow")))
	}
	for _, w := range warnings {
		problem, fix := advice(w.String())
		report = append(report, Result{Part: part, Status: Warn, Problem: problem, Fix: fix})
	}
	return report
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
