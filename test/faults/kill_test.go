//go:build faults && linux

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/faults/ledger"
)

// What is killed, how often; and how often more at most, if too few kills have fallen on
// what the test is about: on a busy machine many come too late for that.
const (
	pubKills    = 200
	agentRounds = 32 // two kills each
	moreKills   = pubKills / 2
	moreRounds  = agentRounds
)

// window is the default number of messages that a link has on its way.
const window = 20

// weather is what the broker does.
type weather int32

const (
	fair     weather = iota // it runs
	down                    // it does not
	flapping                // it is restarted again and again
)

func (w weather) String() string { return [...]string{"up", "down", "flapping"}[w] }

// TestKill kills programs that publish, at random moments, while the broker runs,
// does not, and is restarted again and again. What a program has reported safe is
// delivered by a later one.
func TestKill(t *testing.T) {
	t.Parallel()
	random := seeded(t)
	port := freePort(t)
	m := newMosquitto(t, nil, fmt.Sprintf("listener %d 127.0.0.1", port))
	endpoint := fmt.Sprintf("mqtt://127.0.0.1:%d", port)
	pub, beside, readings := newClient(), newClient(), newClient()
	a := &station{state: t.TempDir(), mqtt: fmt.Sprintf("endpoint: %q, client_id: agent", endpoint), sensors: 4, extra: 6000, client: readings}
	m.up(t)
	watch(t, m, "watcher", func(topic string, payload []byte) {
		if strings.HasPrefix(topic, "agent/") {
			if err := a.reading(topic, payload); err != nil {
				t.Error(err)
			}
			return
		}
		n, err := number(payload)
		if err != nil {
			t.Errorf("%s: %v", topic, err)
		}
		if topic == "pub/lines" {
			pub.hasArrived(topic, n)
		} else {
			beside.hasArrived(topic, n)
		}
	})
	var sky atomic.Int32
	var killers sync.WaitGroup
	over := make(chan struct{})
	killers.Add(2)
	t.Run("in all weathers", func(t *testing.T) {
		t.Run("broker", func(t *testing.T) {
			t.Parallel()
			changeWeather(t, m, rand.New(rand.NewPCG(random.Uint64(), 0)), &sky, over)
		})
		t.Run("pub", func(t *testing.T) {
			t.Parallel()
			defer killers.Done()
			killPublishers(t, &publisher{t: t, topic: "pub/lines", client: pub, next: 1,
				random: rand.New(rand.NewPCG(random.Uint64(), 0)), size: someLarge,
				flags: []string{"--state", t.TempDir(), "--endpoint", endpoint, "--id", "publisher"},
			}, &sky)
		})
		t.Run("agent", func(t *testing.T) {
			t.Parallel()
			defer killers.Done()
			a.t = t
			killAgents(t, a, &publisher{t: t, topic: "beside/lines", client: beside, next: 1,
				random: rand.New(rand.NewPCG(random.Uint64(), 0)), size: someLarge,
				flags: []string{"--state", a.state, "--endpoint", endpoint, "--id", "agent"},
			}, &sky)
		})
		go func() {
			killers.Wait()
			close(over)
		}()
	})
	pub.check(t, "pub", ledger.Promise{Window: window, Sessions: m.accepted("publisher")})
	a.gapless()
	readings.check(t, "readings of the agent", ledger.Promise{Window: window, Sessions: m.accepted("agent")})
	// What was not reported safe to pub when the owner of the folder was killed it
	// hands over again: a repetition of its own.
	beside.check(t, "pub beside the agent", ledger.Promise{Window: window + ahead, Sessions: m.accepted("agent") + int(a.runs)})
}

// someLarge makes segments of 4 MiB full soon.
func someLarge(r *rand.Rand) int {
	if r.IntN(6) == 0 {
		return r.IntN(60_000)
	}
	return r.IntN(300)
}

// changeWeather lets the broker run, be down, and flap, until over; then it runs.
func changeWeather(t *testing.T, m *mosquitto, r *rand.Rand, sky *atomic.Int32, over <-chan struct{}) {
	wait := func(least, most time.Duration) (goOn bool) {
		select {
		case <-time.After(least + time.Duration(r.Int64N(int64(most-least)))):
			return true
		case <-over:
			return false
		}
	}
	set := func(w weather) { sky.Store(int32(w)) }
	for {
		set(fair)
		if !wait(3*time.Second, 8*time.Second) {
			return
		}
		set(down)
		m.down(t)
		goOn := wait(2*time.Second, 5*time.Second)
		set(flapping)
		for end := time.Now().Add(6 * time.Second); goOn && time.Now().Before(end); {
			m.up(t)
			goOn = wait(200*time.Millisecond, 1500*time.Millisecond)
			m.down(t)
			goOn = goOn && wait(20*time.Millisecond, 500*time.Millisecond)
		}
		m.up(t)
	}
}

// tally counts on what the kills fell.
type tally map[string]int

// need fails the test if too few kills fell on one of these.
func (y tally) need(t *testing.T, least map[string]int) {
	t.Helper()
	t.Logf("the kills fell on: %v", y)
	for what, n := range least {
		if y[what] < n {
			t.Errorf("only %d kills fell on %q; %d are needed for the test to mean something", y[what], what, n)
		}
	}
}

// lacks reports whether too few kills fell on one of these, and on which changes.
func (y tally) lacks(least map[string]int) (some bool, on []change) {
	for what, n := range least {
		some = some || y[what] < n
	}
	for k := range changes {
		if y[k.String()] < least[k.String()] {
			on = append(on, k)
		}
	}
	return some, on
}

// aim waits for one of these changes, and for a moment if there are none.
func aim(r *rand.Rand, f *folder, on []change) {
	if f == nil || len(on) == 0 || !f.await(on[r.IntN(len(on))], 10*time.Second) {
		moment(r, f)
	}
}

// just is how long after a change of the files a kill counts as one that fell on
// it. What belongs to one, syncs of files and the folder, takes about as long.
const just = 5 * time.Millisecond

// moment waits for the moment to kill: for any, or for one at which the outbox
// changes its files, or just after.
func moment(r *rand.Rand, f *folder) {
	if kind := change(r.IntN(2 * int(changes))); f != nil && kind < changes {
		if f.await(kind, 2*time.Second) {
			time.Sleep(time.Duration(r.Int64N(int64(just / 2))))
		}
		return
	}
	time.Sleep(time.Duration(r.Int64N(int64(1200 * time.Millisecond))))
}

// note adds what a kill that comes now falls on.
func (y tally) note(f *folder, c *client, sky *atomic.Int32) {
	y["broker "+weather(sky.Load()).String()]++
	if f == nil {
		return
	}
	for k := range changes {
		if f.since(k) < just {
			y[k.String()]++
		}
	}
	if time.Since(c.last()) < 50*time.Millisecond && c.backlog() > 2*window {
		y["in the middle of a drain"]++
	}
}

func killPublishers(t *testing.T, p *publisher, sky *atomic.Int32) {
	var f *folder
	kills := tally{}
	var runs []string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the runs that were killed:\n%s", strings.Join(runs, "\n"))
		}
	})
	state := p.flags[1]
	least := map[string]int{
		"broker up": 20, "broker down": 20, "broker flapping": 20, "in the middle of a drain": 5,
		prepared.String(): 3, rolled.String(): 10, trimmed.String(): 5,
	}
	for i := 0; i < pubKills+moreKills; i++ {
		lacks, on := kills.lacks(least)
		if i >= pubKills && !lacks {
			break
		}
		first := p.next
		r := p.run()
		if f == nil {
			// The first one is not killed before there is something to watch.
			eventually(t, binary.Patience, "an outbox in the state folder", func() bool { return len(outboxes(t, state)) > 0 })
			f = watchFolder(t, outboxes(t, state)[0])
		}
		ctx, cancel := context.WithCancel(t.Context())
		var feeding sync.WaitGroup
		trickle := p.random.IntN(2) == 0
		pause := rand.New(rand.NewPCG(p.random.Uint64(), 0))
		moments := rand.New(rand.NewPCG(p.random.Uint64(), 0))
		feeding.Go(func() {
			p.feed(ctx, r, func() time.Duration {
				switch {
				case p.client.backlog() > 3000:
					return 20 * time.Millisecond // until some has been delivered
				case trickle:
					return time.Duration(pause.Int64N(int64(2 * time.Millisecond)))
				}
				return 0
			})
		})
		if i < pubKills {
			moment(moments, f)
		} else {
			aim(moments, f, on)
		}
		kills.note(f, p.client, sky)
		r.kill()
		runs = append(runs, fmt.Sprintf("%d: from %d, safe up to %d, the broker is %v", i, first, first+r.safe.Load()-1, weather(sky.Load())))
		mustBeKilled(t, r.process)
		cancel()
		feeding.Wait()
	}
	kills.need(t, least)
	p.drain(time.Minute)
	eventually(t, binary.Patience, "all safe messages at the watcher", func() bool { return p.client.missing() == 0 })
	t.Logf("%d lines were written, files left: %v", p.next-1, files(outboxes(t, state)[0]))
}

// mustBeKilled makes sure that a process has not ended by itself.
func mustBeKilled(t *testing.T, p *process) {
	t.Helper()
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGKILL {
		t.Fatalf("%s ended by itself: %v\n%s", p.cmd, p.cmd.ProcessState, tail(p.complained()))
	}
}
