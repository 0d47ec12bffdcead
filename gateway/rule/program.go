package rule

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"pithings/gateway/script"
	"pithings/mqttlink"
	"pithings/pulse"
	"pithings/quietlog"
)

// The kinds of rules.
const (
	publishKind   = "publish"
	subscribeKind = "subscribe"
	functionKind  = "function"
)

// program is a script at work. It runs one call at a time.
type program struct {
	kind, name string
	function   string // the main one
	api        string
	source     string
	limits     script.Limits
	qos        byte
	topic      string // expanded

	mu     sync.Mutex // held by a call
	env    *Env
	script *script.Script
	wizard script.Value
	now    *call // the one that runs
	twice  bool  // it is logged that QoS 2 is sent as 1

	tally   *tally
	waiting atomic.Int32 // callbacks
	later   sync.WaitGroup
	ctx     context.Context // of callbacks
	cancel  context.CancelFunc
	running atomic.Bool // a function without a message
	repeats *quietlog.Repeats
}

// call is one call of a script: of the main function, or of a callback.
type call struct {
	at    time.Time // sampling time of what it publishes; zero: now
	alarm bool
	chain int // callbacks that led to it
	saved []mqttlink.Message
	sent  int
	lines lines // of the log
}

// errPaused reports that a rule pauses.
var errPaused = errors.New("the rule pauses")

// lock waits until no other call of the script runs, and returns what lets the next one run.
// The handler of a message is not stuck meanwhile: each call before it has its limit.
func (p *program) lock(ctx context.Context) (unlock func()) {
	end := pulse.Of(ctx).Rest()
	p.mu.Lock()
	end()
	return p.mu.Unlock
}

// main calls the main function; args returns its arguments by the names of its parameters.
func (p *program) main(ctx context.Context, c *call, args func(params []string) []any) (script.Value, error) {
	defer p.lock(ctx)()
	return p.runMain(ctx, c, args)
}

// result calls the main function as main does, and encodes its result while no callback can
// change it; nil is None.
func (p *program) result(ctx context.Context, c *call, args func(params []string) []any) ([]byte, error) {
	defer p.lock(ctx)()
	v, err := p.runMain(ctx, c, args)
	if err != nil || v == script.None {
		return nil, err
	}
	payload, err := encode(ctx, v)
	if err != nil {
		p.tally.ended(ctx, err)
	}
	return payload, err
}

// runMain calls the main function. p.mu is held.
func (p *program) runMain(ctx context.Context, c *call, args func(params []string) []any) (script.Value, error) {
	return p.run(ctx, c, p.script.Global(p.function), args(p.params()))
}

// run calls a function. p.mu is held.
func (p *program) run(ctx context.Context, c *call, f script.Value, args []any) (script.Value, error) {
	if !p.tally.awake() {
		return nil, errPaused
	}
	values, err := p.values(args)
	if err != nil {
		return nil, err
	}
	p.now = c
	v, err := p.script.CallValue(ctx, f, values...)
	c.lines.end(p.env.Log, p.name)
	p.tally.ended(ctx, err)
	return v, err
}

func (p *program) values(args []any) ([]script.Value, error) {
	var values []script.Value
	for _, a := range args {
		v, err := toScript(a)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// close waits for callbacks, once cancel has been called.
func (p *program) close() { p.later.Wait() }

// second reports whether the script is one for 2.x.
func (p *program) second(params []string) bool {
	if p.api != "auto" && p.api != "" {
		return p.api == "2"
	}
	for i, name := range params {
		if i == 0 && name == "message" || name == "cloudName" || name == "cloud_name" {
			return true
		}
	}
	return false
}

// params are those of the main function.
func (p *program) params() []string {
	names, _ := script.Params(p.script.Global(p.function))
	return names
}

// log writes a line of the script to the log, which its present call writes.
func (p *program) log(level, text string) {
	p.now.lines.write(p.env.Log, p.name, level, text)
}

// logging is log whatever the log level is.
func (p *program) logging(level, text string) {
	p.now.lines.write(slog.New(unfiltered{p.env.Log.Handler()}), p.name, level, text)
}
