package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
)

// begin starts a job, or takes it up where the last run left it.
func (s *Service) begin(ctx context.Context, e *Execution) {
	saved, err := s.o.Store.Load()
	if err != nil {
		s.o.Log.Error("state of the last job not read", "job", e.JobID, "err", err)
	}
	same := saved.JobID == e.JobID && saved.Number == e.Number
	if same && saved.Result != nil { // a run that ended before the cloud had it
		s.finish(e, saved.Action, *saved.Result)
		return
	}
	action, err := parseDocument(e.Document)
	if err != nil {
		s.finish(e, "", Reject(err.Error()))
		return
	}
	h := s.o.Handlers[action]
	if h == nil {
		s.finish(e, action, Reject(s.refusal(action)))
		return
	}
	if !same {
		saved = Saved{JobID: e.JobID, Number: e.Number, Action: action, Began: s.o.Now}
	}
	if saved.Attempts++; saved.Attempts > maxAttempts {
		s.finish(e, action, Fail(fmt.Sprintf("the agent has ended %d times while it did this job", maxAttempts)))
		return
	}
	noted := s.save(saved)
	jobCtx, cancel := context.WithCancelCause(ctx)
	r := &running{Execution: *e, saved: saved, cancel: cancel}
	j := &Job{
		ID: e.JobID, Number: e.Number, Action: action, Document: e.Document,
		Resumed: same || len(e.Details) > 0, Attempts: saved.Attempts, Details: maps.Clone(e.Details),
		Data: saved.Data, Began: saved.Began, Now: s.o.Now,
	}
	if noted != nil && !j.Resumed {
		j.Began = Mark{}
	}
	j.progress = func(details map[string]string) {
		s.mu.Lock()
		s.m.Progress(e.JobID, e.Number, details)
		s.mu.Unlock()
		s.notify()
	}
	j.settle = func(ctx context.Context) error { return s.settle(ctx, e) }
	j.save = func(data json.RawMessage) error { return s.keep(r, data) }
	s.mu.Lock()
	s.running = r
	s.mu.Unlock()
	s.o.Log.Info("job begun", "job", e.JobID, "action", short(action), "attempt", saved.Attempts)
	s.work.Go(func() {
		defer cancel(nil)
		result := s.call(jobCtx, h, j)
		s.mu.Lock()
		r.result = &result
		s.mu.Unlock()
		s.notify()
	})
}

// keep saves a handler's data beside what is saved already, unless the job has ended meanwhile.
func (s *Service) keep(r *running, data json.RawMessage) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	ended := r.over || r.result != nil
	r.saved.Data = data
	saved := r.saved
	s.mu.Unlock()
	if ended {
		return ErrOver
	}
	return s.store(saved)
}

// call runs a handler, whose panic must not end the other features.
func (s *Service) call(ctx context.Context, h Handler, j *Job) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("job panicked", "job", j.ID, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
			r = Fail("an error inside the agent, which its log shows")
		}
	}()
	limited, stop := context.WithTimeout(ctx, s.o.Longest)
	defer stop()
	r = h(limited, j)
	if ctx.Err() == nil && limited.Err() != nil && r.Status != Succeeded {
		return Fail(fmt.Sprintf("not done within %s", s.o.Longest))
	}
	r.Details = clean(r.Details)
	return r
}

// settle waits until the cloud has all that was reported of a job.
func (s *Service) settle(ctx context.Context, e *Execution) error {
	for {
		s.mu.Lock()
		settled, changed := s.m.Settled(e.JobID, e.Number), s.changed
		s.mu.Unlock()
		if settled {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// conclude takes the result of a handler that has returned.
func (s *Service) conclude(ctx context.Context) {
	s.mu.Lock()
	r := s.running
	if r == nil || r.result == nil {
		s.mu.Unlock()
		return
	}
	s.running = nil
	over, result, saved := r.over, *r.result, r.saved
	s.mu.Unlock()
	switch {
	case over:
		s.save(Saved{})
	case ctx.Err() != nil && result.Status != Succeeded: // interrupted: the next run continues it
	default:
		if result.Status != Succeeded && result.Status != Failed && result.Status != Rejected {
			result = Fail("an error inside the agent: the action gave no result")
		}
		saved.Result = &result
		s.save(saved)
		s.finish(&r.Execution, saved.Action, result)
	}
}

// refusal says why there is no such action.
func (s *Service) refusal(action string) string {
	if why := refusals[action]; why != "" {
		return why
	}
	names := slices.Sorted(maps.Keys(s.o.Handlers))
	if len(names) == 0 {
		return fmt.Sprintf("there is no action %q here: this agent does no jobs", short(action))
	}
	return fmt.Sprintf("there is no action %q here; there are %s", short(action), strings.Join(names, ", "))
}
