package things

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strings"
	"time"

	"pithings/device"
	"pithings/mqttlink/topic"
	"pithings/pulse"
)

// Thing is a device on MQTT.
type Thing interface {
	// As an actor it serves the flows of this process, without the broker.
	device.Actor
	// Name is the thing's name, the first level of its topics by default.
	Name() string
	// Attach subscribes to the thing's commands. They are served until detach,
	// whether its part works or not: a command to a broken part is answered by
	// a log line and nothing else.
	Attach() (detach func(), err error)
	// Run keeps the part working until ctx is done, and then returns nil. It
	// calls report(nil) when the part works and report(err) when it does not
	// but Run continues to try. An error returned is a part that must be opened
	// anew: the caller calls Run again after a pause.
	Run(ctx context.Context, report func(error)) error
}

// Mirrored may be implemented by a thing that shows something: the handler answers with what
// it shows, as PNG.
type Mirrored interface{ Mirror() http.Handler }

// Topics are the topics of one thing by their role in its contract ("motion",
// "capture", …).
type Topics map[string]string

// Expand fills the thing's name into templates; changed overrides templates by
// role. A role that the contract does not have is an error.
func Expand(templates Topics, thing string, changed map[string]string) (Topics, error) {
	t := make(Topics, len(templates))
	for role, template := range templates {
		t[role] = topic.Expand(template, thing)
	}
	for role, template := range changed {
		if _, ok := t[role]; !ok {
			return nil, fmt.Errorf("thing %s has no topic %q; it has %s", thing, role, strings.Join(t.roles(), ", "))
		}
		t[role] = topic.Expand(template, thing)
	}
	return t, nil
}

// Placeholders lists what stands in braces in a template: {thing}, {quantity}.
func Placeholders(template string) []string { return placeholder.FindAllString(template, -1) }

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func (t Topics) roles() []string {
	var names []string
	for role := range t {
		names = append(names, role)
	}
	sort.Strings(names)
	return names
}

// checkEvery is how often a camera and a screen that are not used are asked
// whether they are still there.
const checkEvery = 10 * time.Second

// keepChecking looks at a part at once, then every checkEvery, and when wake
// fires, and reports how its last use went. A part that is not there ends it
// with check's error, so that the caller's back-off governs the next attempts.
func keepChecking(ctx context.Context, check func(context.Context) error, use *usage, turns *pulse.Loop, report func(error)) error {
	defer turns.End()
	ctx = turns.In(ctx)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		turns.Work()
		err := check(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			use.forget() // this explains it
			return err
		}
		report(use.last())
		turns.Wait()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-use.wake:
		}
	}
}
