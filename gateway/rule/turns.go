package rule

import (
	"context"
	"slices"
	"time"

	"pithings/gateway/collect"
)

// A slow rule must neither hold up the polls nor other rules, and the results of one batch
// should be accepted in the order of time, whichever rule is the first to end. So each batch
// is a turn. A rule takes its batches from a queue of its own, in a goroutine that runs while
// there are any; a turn is published when all its rules have ended, and turns one after the
// other:
//
//	Handle ──▶ queue of rule a ──▶ results ─┐
//	       ──▶ queue of rule b ──▶ results ─┴▶ turn: sorted by time ──▶ link
//
// The first turn waits for patience. A rule that has not ended by then is slow, as is one that
// has still to do a turn when one is handed over that is younger by patience: its calls are
// short, and the polls more frequent. The results of a slow rule are published by themselves,
// late, and no turn waits for it until it has caught up and a batch took it less than patience.

// patience is how long the results of other rules wait for those of one.
const patience = time.Second

// maxQueued bounds the batches that wait for a rule: those that a gateway holds while the
// clock is unknown fit in.
const maxQueued = 1000

// turn is a batch at work.
type turn struct {
	Batch
	handed  time.Time
	rounds  []alarmRound
	waits   []*publishRule // rules that have not ended, and are not slow
	results []result
}

// queue is what a publish rule has to do. Rules.mu guards it.
type queue struct {
	turns   []*turn // the first is at work while busy
	busy    bool
	slow    bool
	dropped bool // some was, and that is logged
}

// Handle hands a batch to the publish rules, each of which works in a goroutine of its own.
// Their results are published in the order of the times of their data, and then what they
// saved. A batch that finds the queue of a rule full takes the place of its oldest one
// without alarms.
func (r *Rules) Handle(ctx context.Context, b Batch) {
	if r.env.Bus {
		r.bus(ctx, &b)
	}
	t := &turn{Batch: b, handed: time.Now(), rounds: alarmRounds(b.Alarms)}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.publish {
		if p.wants(t) {
			r.enqueue(p, t)
		}
	}
	if len(t.waits) == 0 {
		return
	}
	if r.turns = append(r.turns, t); len(r.turns) == 1 {
		r.await(t)
		return
	}
	if first := r.turns[0]; len(first.waits) > 0 && t.handed.Sub(first.handed) >= patience {
		r.feeding.Go(func() { // what it publishes must not hold up the polls
			r.mu.Lock()
			defer r.mu.Unlock()
			r.leave(first)
		})
	}
}

// enqueue puts a turn behind those of a rule. r.mu is held.
func (r *Rules) enqueue(p *publishRule, t *turn) {
	q := &p.queue
	if len(q.turns) >= maxQueued {
		oldest := 1 // the first is at work
		if i := slices.IndexFunc(q.turns[1:], func(t *turn) bool { return len(t.Alarms) == 0 }); i > 0 {
			oldest += i
		}
		left := q.turns[oldest]
		q.turns = slices.Delete(q.turns, oldest, oldest+1)
		left.ended(p)
		p.tally.skip()
		if !q.dropped {
			q.dropped = true
			r.env.Log.Warn("the oldest data for a rule is dropped: its script is too slow", "rule", p.name, "n", maxQueued)
		}
	}
	q.turns = append(q.turns, t)
	if !q.slow {
		t.waits = append(t.waits, p)
	}
	if !q.busy {
		q.busy = true
		r.feeding.Add(1)
		select {
		case r.idle <- p:
		default:
			r.workers.Go(func() { r.worker(p) })
		}
	}
}

// maxIdle is how many goroutines wait for a rule that gets something to do. The stack of one
// that has run a script is large enough for the next; that of a new one grows step by step,
// which takes a seventh of the time of a short script.
const maxIdle = 2

// worker does what rules have to do, first one and then others. It ends when enough others
// wait, or the rules are closed.
func (r *Rules) worker(p *publishRule) {
	for {
		r.feed(p)
		r.feeding.Done()
		select {
		case r.spare <- struct{}{}:
		default:
			return
		}
		select {
		case p = <-r.idle:
			<-r.spare
		case <-r.ctx.Done():
			return
		}
	}
}

// feed does what a rule has to do, until the rules are closed.
func (r *Rules) feed(p *publishRule) {
	for {
		t := r.next(p)
		if t == nil {
			return
		}
		began := time.Now()
		results, done := p.handle(r.ctx, t)
		if late := r.finish(p, t, results, done, time.Since(began) < patience); late {
			publish(results)
		}
	}
}

// next returns what a rule has to do next; nil is that its goroutine ends. Turns that are
// left when the rules are closed stay in its queue.
func (r *Rules) next(p *publishRule) *turn {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := &p.queue
	if len(q.turns) > 0 && r.ctx.Err() == nil {
		return q.turns[0]
	}
	q.busy = false
	for _, t := range q.turns {
		t.ended(p)
	}
	r.publishEnded()
	return nil
}

// finish takes the results of a rule for a turn, or reports that the turn has not waited for
// them. done is that the rule was not interrupted, and quick that it took less than patience.
func (r *Rules) finish(p *publishRule, t *turn, results []result, done, quick bool) (late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := &p.queue
	if done {
		q.turns = slices.Delete(q.turns, 0, 1)
	}
	late = !slices.Contains(t.waits, p)
	if !late {
		t.results = joined(t.results, results)
		t.ended(p)
		r.publishEnded()
	}
	if len(q.turns) == 0 {
		q.dropped = false
		q.slow = q.slow && !quick
	}
	return late
}

// ended notes that a turn waits for a rule no more.
func (t *turn) ended(p *publishRule) {
	t.waits = slices.DeleteFunc(t.waits, func(other *publishRule) bool { return other == p })
}

// await ends the wait for the first turn after patience. r.mu is held.
func (r *Rules) await(t *turn) {
	r.timer = time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.turns) > 0 && r.turns[0] == t && len(t.waits) > 0 {
			r.feeding.Add(1) // the rules that t waits for have not ended either
			defer r.feeding.Done()
			r.leave(t)
		}
	})
}

// leave leaves behind the rules that the first turn still waits for: they are slow. r.mu is
// held.
func (r *Rules) leave(t *turn) {
	if len(r.turns) == 0 || r.turns[0] != t {
		return
	}
	for _, p := range slices.Clone(t.waits) {
		p.queue.slow = true
		for _, open := range r.turns {
			open.ended(p)
		}
	}
	r.publishEnded()
}

// publishEnded publishes the turns that are complete, in their order. r.mu is held, except
// while it publishes.
func (r *Rules) publishEnded() {
	if r.publishing {
		return // the goroutine that does sees them
	}
	r.publishing = true
	for len(r.turns) > 0 && len(r.turns[0].waits) == 0 {
		r.timer.Stop()
		results := r.turns[0].results
		r.mu.Unlock()
		publish(results)
		r.mu.Lock()
		if r.turns = slices.Delete(r.turns, 0, 1); len(r.turns) > 0 {
			r.await(r.turns[0])
		}
	}
	r.publishing = false
}

// publish publishes results in the order of the times of their data, and then what they saved.
func publish(results []result) {
	ctx := context.Background() // of rules that end now, too
	slices.SortStableFunc(results, func(a, b result) int { return a.message.Time.Compare(b.message.Time) })
	for _, one := range results {
		if !one.empty {
			one.program.put(ctx, one.message)
		}
	}
	for _, one := range results {
		for _, m := range one.saved {
			one.program.put(ctx, m)
		}
	}
}

// Drain waits until the publish rules have done what was handed to them, or ctx is done.
func (r *Rules) Drain(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.feeding.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Pending returns the alarms that a publish rule was given and has not done.
func (r *Rules) Pending() (all []collect.AlarmEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.publish {
		for _, t := range p.queue.turns {
			for _, e := range t.Alarms {
				if p.in(e.Group) {
					all = append(all, e)
				}
			}
		}
	}
	return all
}
