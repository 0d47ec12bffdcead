package history

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pithings/flow"
)

// The end of an execution is reported to all who wait for it, however it ends.
func TestAwait(t *testing.T) {
	dir := t.TempDir()
	ended := flow.Execution{ID: "a", Deployment: "d", Flow: "f", Status: flow.Failed, Reason: "why", Ended: time.Now()}
	for name, tc := range map[string]struct {
		then   func(*History, context.CancelFunc)
		status flow.Status
		err    error
	}{
		"ended":    {func(h *History, _ context.CancelFunc) { h.Ended(ended) }, flow.Failed, nil},
		"lost":     {func(h *History, _ context.CancelFunc) { h.AbortUnless(func(string) bool { return false }) }, flow.Aborted, nil},
		"closed":   {func(h *History, _ context.CancelFunc) { h.Close() }, "", ErrClosed},
		"given up": {func(_ *History, cancel context.CancelFunc) { cancel() }, "", context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, dir+name, Options{Waits: true})
				run(h, "a", false)
				run(h, "b", true)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				type result struct {
					x   flow.Execution
					err error
				}
				results := make(chan result, 2)
				for range 2 {
					go func() {
						x, err := h.Await(ctx, "a")
						results <- result{x, err}
					}()
				}
				synctest.Wait()
				run(h, "c", true) // another one's end is not it
				synctest.Wait()
				if len(results) > 0 {
					t.Fatalf("too early: %+v", <-results)
				}
				tc.then(h, cancel)
				for range 2 {
					if r := <-results; r.x.Status != tc.status || !errors.Is(r.err, tc.err) {
						t.Errorf("%+v, %v", r.x, r.err)
					}
				}
				if x, err := h.Await(t.Context(), "b"); x.Status != flow.Succeeded || err != nil {
					t.Errorf("of one that has ended: %+v, %v", x, err)
				}
				if _, err := h.Await(t.Context(), "z"); !errors.Is(err, ErrNotFound) {
					t.Errorf("of none: %v", err)
				}
				h.Close()
			})
		})
	}
}
