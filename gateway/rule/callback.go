package rule

import (
	"context"
	"fmt"
	"time"

	"pithings/gateway/script"
)

// maxCallbacks bounds the callbacks that a rule waits for at a time, and maxChain how often a
// callback may ask for another.
const (
	maxCallbacks = 16
	maxChain     = 8
)

// callback runs ask in a goroutine of its own, for at most a time, and then a function of the
// script with its answer. ask returns false if it got none in time.
func (p *program) callback(timeout time.Duration, f script.Value, tail script.Value, ask func(ctx context.Context) (any, bool)) error {
	from := *p.now
	if from.chain >= maxChain {
		return script.Exception("RuntimeError", fmt.Sprintf("more than %d callbacks call each other", maxChain))
	}
	if p.waiting.Add(1) > maxCallbacks {
		p.waiting.Add(-1)
		return script.Exception("RuntimeError", fmt.Sprintf("more than %d callbacks are waited for", maxCallbacks))
	}
	p.later.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, timeout)
		answer, ok := ask(ctx)
		cancel()
		if !ok {
			answer = timedOut
		}
		p.waiting.Add(-1)
		if f == nil || p.ctx.Err() != nil {
			return
		}
		p.answer(f, answer, tail, from.chain+1)
	})
	return nil
}

// answer calls a callback of the script: with the wizard_api if it takes three arguments.
func (p *program) answer(f script.Value, answer any, tail script.Value, chain int) {
	defer p.lock(p.ctx)()
	if tail == nil {
		tail = script.None
	}
	args := []any{answer, tail, p.wizard}
	if params, ok := script.Params(f); ok && len(params) < len(args) {
		args = args[:len(params)]
	}
	c := &call{chain: chain}
	if _, err := p.run(p.ctx, c, f, args); err == nil {
		p.save(p.ctx, c)
	}
}
