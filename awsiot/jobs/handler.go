package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Handler does a job. It returns soon after ctx is done, which is when the job is cancelled
// (context.Cause is ErrOver), has taken longer than Options.Longest, or the agent ends. A job
// that the end of the agent interrupts is begun again by the next run, unless the handler has
// returned Done: it must be fit for that, and looks at Job.Resumed if it is not.
type Handler func(ctx context.Context, j *Job) Result

// ErrOver is why the context of a cancelled job is done.
var ErrOver = errors.New("the job is over in the cloud: cancelled, removed or timed out")

// Result is what has become of a job.
type Result struct {
	Status  Status            `json:"status"` // Succeeded, Failed or Rejected
	Details map[string]string `json:"details,omitempty"`
}

// Done is the result of a job that succeeded.
func Done(details map[string]string) Result { return Result{Succeeded, details} }

// Fail is the result of a job that failed.
func Fail(reason string) Result { return Result{Failed, map[string]string{"reason": reason}} }

// Reject is the result of a job that is not done because of what it says.
func Reject(reason string) Result { return Result{Rejected, map[string]string{"reason": reason}} }

// Job is one that is being done.
type Job struct {
	ID       string
	Number   int64 // of the execution, if the job was executed on this thing before
	Action   string
	Document json.RawMessage // at most MaxDocument bytes, and 32 levels deep

	// Resumed says that the job was begun before, by an earlier run or one that shared the
	// thing's name.
	Resumed  bool
	Attempts int               // how often it was begun, this time included
	Details  map[string]string // what was reported of it
	Data     json.RawMessage   // what Save saved, or nil
	Began    Mark              // when it was first begun, as far as it is known
	Now      Mark              // this run

	progress func(map[string]string)
	settle   func(context.Context) error
	save     func(json.RawMessage) error
}

// Progress reports details: at most 10 texts of at most 1024 characters together with those
// before, of which newer ones replace older ones of the same name. They reach the cloud when
// there is a connection, once a second at most.
func (j *Job) Progress(details map[string]string) { j.progress(details) }

// Settle waits until the cloud has what was reported with Progress.
func (j *Job) Settle(ctx context.Context) error { return j.settle(ctx) }

// Save keeps data for the next run, with which a job that is resumed is continued. It survives a
// power cut.
func (j *Job) Save(data any) error {
	b, err := json.Marshal(data)
	if err == nil && len(b) > maxData {
		err = fmt.Errorf("%d bytes, at most %d are allowed", len(b), maxData)
	}
	if err != nil {
		return fmt.Errorf("state of job %s: %w", j.ID, err)
	}
	return j.save(b)
}

// Times and bounds of a job that ends this run.
const (
	settleTime  = 10 * time.Second // for the cloud to learn that it is about to be
	acrossTime  = 5 * time.Minute  // for the end of the run
	maxAcross   = 3                // attempts
	maxAttempts = 10               // of any job, each of which ended with the process
)

// AcrossBoots is the handler of an action that boots the machine anew. do starts that, and
// returns. The job has succeeded when it is resumed in another boot than it was begun in.
func AcrossBoots(do func(context.Context, *Job) error) Handler {
	return across("boot", "the machine did not boot anew", func(m Mark) string { return m.Boot }, do)
}

// AcrossRuns is the handler of an action that starts the agent anew. The job has succeeded when
// it is resumed in another run than it was begun in.
func AcrossRuns(do func(context.Context, *Job) error) Handler {
	return across("run", "the agent did not start anew", func(m Mark) string { return m.Run }, do)
}

func across(name, failure string, of func(Mark) string, do func(context.Context, *Job) error) Handler {
	return func(ctx context.Context, j *Job) Result {
		now, began := of(j.Now), of(j.Began)
		if now == "" {
			return Fail("this system gives no " + name + " id, so that success could not be recognised")
		}
		if reported := j.Details[name]; j.Resumed && reported != "" {
			began = reported // the state file may have been lost
		}
		switch {
		case j.Resumed && began != "" && began != now:
			return Done(map[string]string{name: now})
		case j.Attempts > maxAcross:
			return Fail(fmt.Sprintf("%s in %d attempts", failure, maxAcross))
		}
		if err := j.Save(struct{}{}); err != nil { // without it the next run might do it again, and so on
			return Fail("not begun, because it cannot be noted: " + err.Error())
		}
		j.Progress(map[string]string{name: now})
		soon, stop := context.WithTimeout(ctx, settleTime)
		defer stop()
		if err := j.Settle(soon); err != nil && ctx.Err() != nil {
			return Result{}
		}
		if err := do(ctx, j); err != nil {
			return Fail(err.Error())
		}
		timer := time.NewTimer(acrossTime)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return Result{} // the next run decides
		case <-timer.C:
			return Fail(fmt.Sprintf("%s within %s", failure, acrossTime))
		}
	}
}

// refusals are for actions that others' documents have.
var refusals = map[string]string{
	"rotate-cert":     "rotate-cert is not supported: make a new certificate on the machine with pithings provision",
	"change-unit":     "change-unit is not supported: the units of values are fixed",
	"update-firmware": "update-firmware is not supported: update the package on the machine",
}
