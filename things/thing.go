package things

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"
)

// Thing is a device on MQTT.
type Thing interface {
	// Name is the thing's name, the first level of its topics by default.
	Name() string
	// Attach subscribes to the thing's commands. They are served until detach,
	// whether its part works or not: a command to a broken part is answered by
	// a log line and nothing else.
	Attach() (detach func(), err error)
	// Run keeps the part working until ctx is done, and then returns nil. It
	// calls report(nil) when the part works and report(err) when it does not
	// but Run goes on trying. An error returned is a part that must be opened
	// anew: the caller calls Run again after a pause.
	Run(ctx context.Context, report func(error)) error
}

// Topics are the topics of one thing by their role in its contract ("motion",
// "capture", …).
type Topics map[string]string

// Expand fills the thing's name into templates; changed overrides templates by
// role. A role that the contract does not have is an error.
func Expand(templates Topics, thing string, changed map[string]string) (Topics, error) {
	t := make(Topics, len(templates))
	for role, template := range templates {
		t[role] = strings.ReplaceAll(template, "{thing}", thing)
	}
	for role, template := range changed {
		if _, ok := t[role]; !ok {
			return nil, fmt.Errorf("thing %s has no topic %q; it has %s", thing, role, strings.Join(t.roles(), ", "))
		}
		t[role] = strings.ReplaceAll(template, "{thing}", thing)
	}
	return t, nil
}

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
func keepChecking(ctx context.Context, check func(context.Context) error, use *usage, report func(error)) error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		err := check(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			use.forget() // this explains it
			return err
		}
		report(use.last())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-use.wake:
		}
	}
}

// usage is how the last use of a part went.
type usage struct {
	wake chan struct{} // has a token when that changed: the part is looked at again
	mu   sync.Mutex
	err  error
}

func newUsage() *usage { return &usage{wake: make(chan struct{}, 1)} }

// went notes a use. It tells whether the failure is another than before: one
// that goes on is logged once.
func (u *usage) went(err error) (news bool) {
	u.mu.Lock()
	before := u.err
	u.err = err
	u.mu.Unlock()
	if err == nil && before == nil {
		return false
	}
	select {
	case u.wake <- struct{}{}:
	default:
	}
	return err != nil && (before == nil || before.Error() != err.Error())
}

// forget drops the last failure.
func (u *usage) forget() {
	u.mu.Lock()
	u.err = nil
	u.mu.Unlock()
}

func (u *usage) last() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}
