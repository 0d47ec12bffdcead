package doctor

import (
	"context"

	"pithings/hw/probe"
)

// machine lists the checks of what all parts depend on.
func (e *examination) machine() []check {
	checks := []check{{"board", e.board}, {"clock", e.clock}}
	if m := e.Machine; m != nil && m.UID == 0 {
		checks = append(checks, check{"user", e.user})
	}
	return checks
}

func (e *examination) board(_ context.Context, part string) []probe.Result {
	r := probe.Found(part, "%s", e.Board)
	if e.Machine != nil && !e.prober.IsPi() {
		r.Status = probe.Note
		r.Problem = "no Raspberry Pi, so its parts may have other names, or not be there"
		r.Fix = "to try pithings without parts: pithings run --mock"
	}
	return []probe.Result{r}
}

func (e *examination) user(_ context.Context, part string) []probe.Result {
	return []probe.Result{{Part: part, Status: probe.Warn, Found: "root",
		Problem: "not needed, and hides missing permissions: root may open every part",
		Fix:     "run this as the user that is to run pithings, in the groups gpio, i2c and video"}}
}

// NoBoard is the result of a board that could not be opened.
func NoBoard(err error) probe.Result { return probe.Failure("board", err, "") }
