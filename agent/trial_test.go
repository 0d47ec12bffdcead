package agent

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"pithings/agent/config"
	"pithings/spool/accepted"
)

// trials is a lab that does not reach its broker, and gets settings from afar.
type trials struct {
	*lab
	file string
}

func newTrials(t *testing.T) *trials {
	t.Helper()
	t.Parallel()
	l, file := accepting(t, "mqtt: {endpoint: \""+nowhere+"\"}\n"+twoThings)
	return &trials{l, file}
}

// keep keeps a length of the queue, which makes the connection anew, and returns what applies it.
func (l *trials) keep(max float64) (number int, apply func()) {
	l.t.Helper()
	number, apply, err := l.agent.AcceptLater(l.t.Context(), "test", settings{"mqtt": settings{"queue": settings{"max": max}}})
	if err != nil {
		l.t.Fatal(err)
	}
	return number, apply
}

func (l *trials) max() int { return l.agent.current().MQTT.Queue.Max }

// takenBack waits until a revision is, and the settings before it run.
func (l *trials) takenBack(number, max int, why string) {
	l.t.Helper()
	if err := l.agent.outcome(l.t.Context(), number); !errors.Is(err, accepted.ErrTakenBack) || !strings.Contains(err.Error(), why) {
		l.t.Errorf("revision %d: %v; want %q", number, err, why)
	}
	l.until("the settings before", func() bool { return l.max() == max })
}

// applied waits for the end of a reload that was asked for before.
func (l *trials) applied() {
	l.t.Helper()
	if _, err := l.agent.turn(l.t.Context(), func() (Reloaded, error) { return Reloaded{}, nil }); err != nil {
		l.t.Fatal(err)
	}
	l.agent.later.Wait()
}

// Settings that another reload reads before their turn are on trial all the same.
func TestTrialOfAnotherReload(t *testing.T) {
	l := newTrials(t)
	l.agent.o.TrialTime = 300 * time.Millisecond
	n, apply := l.keep(7)
	if _, err := l.agent.Reload(t.Context()); err != nil || l.max() != 7 {
		t.Fatalf("the queue is %d, %v", l.max(), err)
	}
	apply()
	l.takenBack(n, -1, "no connection with revision")
}

// Settings that are kept while others are taken back go with them: they stand over those. So it
// is with a reset.
func TestKeptWhileOthersAreTakenBack(t *testing.T) {
	l := newTrials(t)
	l.agent.o.TrialTime = 300 * time.Millisecond
	first, apply := l.keep(7)
	apply()
	second, apply := l.keep(8)
	l.takenBack(first, -1, "no connection with revision")
	l.takenBack(second, -1, "no connection with revision")
	apply()
	l.applied()
	if r, err := accepted.Newest(l.folder); err != nil || r.Trial || len(r.Settings) != 0 || l.max() != -1 {
		t.Errorf("%+v, %v; the queue is %d", r, err, l.max())
	}

	third, apply := l.keep(9)
	if _, err := l.agent.turn(t.Context(), l.agent.resetSettings); err != nil {
		t.Fatal(err)
	}
	apply()
	l.takenBack(third, -1, "config reset")
	l.applied()
	if l.max() != -1 {
		t.Errorf("after a reset the queue is %d", l.max())
	}
}

// If settings cannot be applied while others are on trial, those run that were confirmed, as soon
// as they can.
func TestApplyFailsDuringATrial(t *testing.T) {
	l := newTrials(t)
	l.agent.o.TrialTime = time.Hour
	first, apply := l.keep(7)
	apply()
	l.until("the first settings", func() bool { return l.max() == 7 })
	second, apply := l.keep(8)
	text, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		t.Helper()
		if err := os.WriteFile(l.file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte("things: ["))
	apply()
	for _, n := range []int{first, second} {
		if err := l.agent.outcome(t.Context(), n); !errors.Is(err, accepted.ErrTakenBack) || !strings.Contains(err.Error(), "could not be applied") {
			t.Errorf("revision %d: %v", n, err)
		}
	}
	if l.max() != 7 {
		t.Errorf("the queue is %d", l.max())
	}
	write(text)
	l.until("the settings before", func() bool { return l.max() == -1 })
}

// A file that changes during a trial counts, and what stood over the one before does not.
func TestFileChangesDuringATrial(t *testing.T) {
	l := newTrials(t)
	l.agent.o.TrialTime = time.Hour
	n, apply := l.keep(7)
	apply()
	l.until("the settings", func() bool { return l.max() == 7 })
	text, err := os.ReadFile(l.file)
	if err == nil {
		err = os.WriteFile(l.file, append(text, "log: {level: warn}\n"...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.agent.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.takenBack(n, -1, "the configuration file on the machine was changed")
}

// What was confirmed comes back however many trials have followed.
func TestTrialsInARow(t *testing.T) {
	t.Parallel()
	l, file := accepting(t, twoThings)
	accept := func(changes settings) {
		t.Helper()
		if _, err := l.agent.Accept(t.Context(), "test", changes); err != nil {
			t.Fatal(err)
		}
	}
	accept(settings{"log": settings{"level": "debug"}})
	if err := l.agent.outcome(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.agent.o.TrialTime = time.Hour
	for i := range 2 * accepted.Kept {
		r := config.Candidate{State: l.folder, From: "test", Changes: settings{"mqtt": settings{"queue": settings{"max": float64(i + 1)}}}}
		if _, _, err := config.LoadWith(file, nil, config.With{Over: r.Over}); err != nil {
			t.Fatal(err)
		}
		r.Revision.Trial = true
		if _, err := accepted.Put(l.folder, r.Revision); err != nil {
			t.Fatal(err)
		}
	}
	newest, err := accepted.Newest(l.folder)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := accepted.Back(l.folder, newest, "test"); err != nil || r.Settings["log"] == nil || r.Settings["mqtt"] != nil {
		t.Errorf("%+v, %v", r, err)
	}
}
