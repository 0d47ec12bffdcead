//go:build faults && linux

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
	"pithings/test/faults/ledger"
)

// reloadRounds is how many agents are killed, each after some reloads.
const reloadRounds = 8

// TestReload reloads an agent under load with another connection and other sensors each
// time, and kills it and the pub beside it at random moments of that. Nothing that was safe
// is lost, and the order stays.
func TestReload(t *testing.T) {
	t.Parallel()
	random := seeded(t)
	port := freePort(t)
	m := newMosquitto(t, nil, fmt.Sprintf("listener %d 127.0.0.1", port))
	endpoint := fmt.Sprintf("mqtt://127.0.0.1:%d", port)
	beside, readings := newClient(), newClient()
	a := &station{t: t, state: t.TempDir(), sensors: 2, extra: 1000, client: readings}
	p := &publisher{t: t, topic: "beside/lines", client: beside, next: 1, random: rand.New(rand.NewPCG(random.Uint64(), 0)), size: someLarge,
		flags: []string{"--state", a.state, "--endpoint", endpoint, "--id", "agent"}}
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
		beside.hasArrived(topic, n)
	})
	reloads := 0
	other := func() { // as many messages on their way as before: the promise is about that
		reloads++
		a.mqtt = fmt.Sprintf("endpoint: %q, client_id: agent, ack_timeout: %dms", endpoint, 5000+reloads)
	}
	for range reloadRounds {
		other()
		owner := a.run()
		works(t, owner)
		r := p.run()
		ctx, cancel := context.WithCancel(t.Context())
		var feeding sync.WaitGroup
		first := p.next
		feeding.Go(func() {
			p.feed(ctx, r, func() time.Duration {
				for p.next-first-r.safe.Load() >= ahead && ctx.Err() == nil {
					select {
					case <-time.After(time.Millisecond):
					case <-r.ended:
						return 0
					}
				}
				return time.Millisecond
			})
		})
		eventually(t, binary.Patience, "a safe line", func() bool { return r.safe.Load() > 0 })
		for n := 1; n <= 3; n++ {
			other()
			a.configure()
			if err := owner.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if n == 3 { // the last one is cut short, or not
				time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
				break
			}
			eventually(t, binary.Patience, "a reload", func() bool { return strings.Count(owner.complained(), "configuration reloaded") == n })
			safe := r.safe.Load()
			eventually(t, binary.Patience, "a safe line after a reload", func() bool { return r.safe.Load() > safe })
		}
		owner.kill()
		r.process.kill()
		mustBeKilled(t, owner)
		mustBeKilled(t, r.process)
		cancel()
		feeding.Wait()
	}
	p.drain(time.Minute)
	eventually(t, binary.Patience, "all safe messages at the watcher", func() bool { return beside.missing() == 0 })
	a.gapless()
	readings.check(t, "readings of the agent", ledger.Promise{Window: window, Sessions: m.accepted("agent")})
	beside.check(t, "pub beside the agent", ledger.Promise{Window: window + ahead, Sessions: m.accepted("agent") + int(a.runs)})
}
