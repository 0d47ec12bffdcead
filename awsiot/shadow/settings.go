package shadow

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"pithings/quietlog"
)

// Settings is what a shadow's desired state is for.
type Settings interface {
	// Apply is given the whole desired state, after each connection if it differs from the
	// last one given, and after each change; also an empty one. Calls follow one another, and
	// one that comes too late is left out. A key that is not in it any more is not desired: its
	// setting returns to what it is without the cloud. Numbers are json.Number. Apply returns soon after ctx is done, and
	// must not wait for the end of the Service.
	Apply(ctx context.Context, desired map[string]any) Outcome
}

// SettingsFunc is a function as Settings.
type SettingsFunc func(ctx context.Context, desired map[string]any) Outcome

// Apply implements Settings.
func (f SettingsFunc) Apply(ctx context.Context, desired map[string]any) Outcome {
	return f(ctx, desired)
}

// Outcome is what has come of a desired state.
type Outcome struct {
	// Reported has the values in effect, as they are to be reported. Keys that the last outcome
	// had and this one has not are removed from the shadow.
	Reported map[string]any
	// Rejected has why values did not take effect, by key: "camera.interval". It is reported
	// as rejected, as a whole.
	Rejected map[string]string
}

// rejectedKey is the key of reported that has the reasons.
const rejectedKey = "rejected"

// Bounds of what is reported as rejected: a desired state of 8 KB must not make a report that
// has no room beside it.
const (
	maxReasons = 16
	maxReason  = 120 // bytes
)

// reasons are those of an outcome, bounded.
func reasons(rejected map[string]string) map[string]any {
	all := map[string]any{}
	for i, key := range slices.Sorted(maps.Keys(rejected)) {
		if i == maxReasons {
			all["…"] = fmt.Sprintf("and %d more", len(rejected)-maxReasons)
			break
		}
		all[short(key)] = quietlog.Clip(quietlog.OneLine(rejected[key]), maxReason)
	}
	return all
}
