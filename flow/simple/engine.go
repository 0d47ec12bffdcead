package simple

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Status is the state of an execution, in the cloud service's words.
type Status string

// The states of an execution.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	Aborted   Status = "ABORTED" // the engine was stopped meanwhile
)

// DefaultTimeout bounds a step that names no time-out: no answer ever says that
// an action failed, so silence has to.
const DefaultTimeout = 30 * time.Second

// Deployment is a flow with its devices.
type Deployment struct {
	Definition Definition
	Devices    map[string]Device // by role
	Timeout    time.Duration     // of steps that name none; 0: DefaultTimeout
}

// Engine runs one deployed flow, one execution at a time. Of the triggers that
// come while an execution runs, one is kept and starts the next; the others are
// dropped and counted, so that a storm of events costs one more picture and not
// a thousand.
type Engine struct {
	d       Deployment
	log     *slog.Logger
	waiting chan Values
	failure string // of the execution before
	stats   struct{ started, succeeded, failed, dropped atomic.Uint64 }
}

// Stats count what an engine did since it was made.
type Stats struct{ Started, Succeeded, Failed, Dropped uint64 }

// New checks a deployment and returns its engine.
func New(d Deployment, log *slog.Logger) (*Engine, error) {
	if err := d.Definition.Validate(); err != nil {
		return nil, err
	}
	for _, role := range d.Definition.Roles() {
		if d.Devices[role] == nil {
			return nil, fmt.Errorf("flow %s: no thing plays the role %q", d.Definition.Name, role)
		}
	}
	if d.Timeout <= 0 {
		d.Timeout = DefaultTimeout
	}
	return &Engine{d: d, log: log.With("flow", d.Definition.Name), waiting: make(chan Values, 1)}, nil
}

// Stats returns the counts.
func (e *Engine) Stats() Stats {
	return Stats{e.stats.started.Load(), e.stats.succeeded.Load(), e.stats.failed.Load(), e.stats.dropped.Load()}
}

// Run watches for the trigger and runs the flow until ctx is done. An execution
// that is running then is aborted.
func (e *Engine) Run(ctx context.Context) error {
	t := e.d.Definition.Trigger
	stop, err := e.d.Devices[t.Device].Watch(t.Event, e.trigger)
	if err != nil {
		return fmt.Errorf("flow %s: %w", e.d.Definition.Name, err)
	}
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-e.waiting:
			e.execute(ctx, event)
		}
	}
}

func (e *Engine) trigger(event Values) {
	if when := e.d.Definition.Trigger.When; when != nil && !when(event) {
		return
	}
	select {
	case e.waiting <- event:
	default:
		if e.stats.dropped.Add(1) == 1 {
			e.log.Warn("trigger dropped: an execution runs and another waits; further ones are counted only")
		}
	}
}

func (e *Engine) execute(ctx context.Context, event Values) Status {
	e.stats.started.Add(1)
	began := time.Now()
	e.log.Debug("EXECUTION_STARTED")
	err := e.steps(ctx, map[string]Values{"event": event})
	switch {
	case err == nil:
		e.stats.succeeded.Add(1)
		e.failure = ""
		e.log.Info("EXECUTION_SUCCEEDED", "took", time.Since(began).Round(time.Millisecond))
		return Succeeded
	case ctx.Err() != nil:
		e.log.Info("EXECUTION_ABORTED")
		return Aborted
	default:
		e.stats.failed.Add(1)
		level := slog.LevelError
		if err.Error() == e.failure { // a camera that is away: once is enough
			level = slog.LevelDebug
		}
		e.failure = err.Error()
		e.log.Log(ctx, level, "EXECUTION_FAILED", "err", err)
		return Failed
	}
}

func (e *Engine) steps(ctx context.Context, variables map[string]Values) error {
	for _, s := range e.d.Definition.Steps {
		e.log.Debug("STEP_STARTED", "step", s.Name)
		answer, err := e.step(ctx, s, variables)
		if err != nil {
			return fmt.Errorf("step %s: %w", s.Name, err)
		}
		if s.Output != "" {
			variables[s.Output] = answer
		}
		e.log.Debug("STEP_SUCCEEDED", "step", s.Name)
	}
	return nil
}

func (e *Engine) step(ctx context.Context, s Step, variables map[string]Values) (Values, error) {
	input, err := s.fill(variables)
	if err != nil {
		return nil, err
	}
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = e.d.Timeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := e.d.Devices[s.Device].Call(limited, s.Action, input)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, fmt.Errorf("no answer to %s within %v; is the %s running and connected to the same broker?", s.Action, timeout, s.Device)
	}
	return answer, err
}
