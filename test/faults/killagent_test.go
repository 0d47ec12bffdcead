//go:build faults && linux

package faults

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pithings/test/binary"
)

// ahead is how many lines a pub beside an agent has at most that it has not reported to
// be safe.
const ahead = 100

// killAgents kills an agent, or pub beside it, which hands its lines over to the
// agent and takes the folder when the agent is no more, or both.
func killAgents(t *testing.T, a *station, p *publisher, sky *atomic.Int32) {
	var f *folder
	kills := tally{}
	least := map[string]int{
		"an agent": agentRounds / 4, "an agent with a pub beside": agentRounds * 3 / 4, "pub that has taken over": agentRounds / 4,
		"an agent that has come back": agentRounds / 8,
		"broker up":                   5, "broker down": 5, "broker flapping": 5, "in the middle of a drain": 1, rolled.String(): 5,
	}
	for round := 0; round < agentRounds+moreRounds; round++ {
		lacks, on := kills.lacks(least)
		if round >= agentRounds && !lacks {
			break
		}
		owner := a.run()
		if f == nil {
			eventually(t, binary.Patience, "an outbox in the state folder", func() bool { return len(outboxes(t, a.state)) > 0 })
			f = watchFolder(t, outboxes(t, a.state)[0])
		}
		// Whoever comes first owns the folder.
		works(t, owner)
		r := p.run()
		ctx, cancel := context.WithCancel(t.Context())
		var feeding sync.WaitGroup
		moments := rand.New(rand.NewPCG(p.random.Uint64(), 0))
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
				if p.client.backlog() > 2000 {
					return 20 * time.Millisecond
				}
				return 0
			})
		})
		// Something is to be safe in each run, from which on any moment will do.
		eventually(t, binary.Patience, "a safe line", func() bool { return r.safe.Load() > 0 })
		if round < agentRounds {
			moment(moments, f)
		} else {
			aim(moments, f, on)
		}
		kill := func(what string, victim *process) {
			kills.note(f, p.client, sky)
			kills[what]++
			victim.kill()
			mustBeKilled(t, victim)
		}
		switch round % 4 {
		case 0: // pub first; the agent continues for a moment
			kill("pub beside an agent", r.process)
			moment(moments, f)
			kill("an agent", owner)
		case 1: // the agent first; pub takes the folder and continues
			before := r.safe.Load()
			kill("an agent with a pub beside", owner)
			heir(t, r, before+ahead)
			if round%8 == 1 { // the agent comes back while pub continues, and gets the folder back
				owner = a.run()
				works(t, owner)
				heir(t, r, r.safe.Load()+ahead)
				moment(moments, f)
				kill("an agent that has come back", owner)
			}
			moment(moments, f)
			kill("pub that has taken over", r.process)
		default:
			kill("an agent with a pub beside", owner)
			kill("pub beside an agent", r.process)
		}
		cancel()
		feeding.Wait()
	}
	kills.need(t, least)
	p.drain(time.Minute)
	eventually(t, binary.Patience, "all safe messages at the watcher", func() bool { return p.client.missing() == 0 })
}

// works waits until an agent has the folder and works.
func works(t *testing.T, p *process) {
	t.Helper()
	eventually(t, binary.Patience, "a sensor of an agent that works", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("the agent ended:\n%s", tail(p.complained()))
		default:
		}
		return strings.Contains(p.complained(), "part works")
	})
}

// heir waits until a pub that has taken over says that a line is safe.
func heir(t *testing.T, r *publishing, line uint64) {
	t.Helper()
	for end := time.Now().Add(binary.Patience); r.safe.Load() <= line; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.cmd.Process.Signal(syscall.SIGQUIT)
			time.Sleep(time.Second)
			t.Fatalf("a pub whose owner was killed does not take over:\n%s", r.complained())
		}
	}
}
