package jobs

import (
	"slices"
	"time"
)

// Status is the state of an execution.
type Status string

// The states.
const (
	Queued     Status = "QUEUED"
	InProgress Status = "IN_PROGRESS"
	Succeeded  Status = "SUCCEEDED"
	Failed     Status = "FAILED"
	TimedOut   Status = "TIMED_OUT"
	Rejected   Status = "REJECTED"
	Canceled   Status = "CANCELED"
)

func (s Status) ended() bool { return s != Queued && s != InProgress }

// Execution is a job on one thing. All times are seconds since 1970; 0 is never.
type Execution struct {
	JobID   string            `json:"jobId"`
	Number  int64             `json:"executionNumber"`
	Version int64             `json:"versionNumber"`
	Status  Status            `json:"status"`
	Details map[string]string `json:"statusDetails,omitempty"`
	Queued  int64             `json:"queuedAt"`
	Started int64             `json:"startedAt,omitempty"`
	Updated int64             `json:"lastUpdatedAt"`
	// Minutes is the job's limit for being in progress, Limit and Step the times at which
	// that limit and the step timer end.
	Minutes int   `json:"inProgressTimeoutInMinutes,omitempty"`
	Limit   int64 `json:"limitAt,omitempty"`
	Step    int64 `json:"stepAt,omitempty"`
}

// deadline is when the execution times out.
func (e *Execution) deadline() int64 {
	if e.Limit == 0 || e.Step != 0 && e.Step < e.Limit {
		return e.Step
	}
	return e.Limit
}

// set changes the state.
func (e *Execution) set(s Status, now time.Time) {
	if s == InProgress && e.Status == Queued {
		e.Started = now.Unix()
		if e.Minutes > 0 {
			e.Limit = now.Unix() + int64(e.Minutes)*60
		}
	}
	if s.ended() {
		e.Limit, e.Step = 0, 0
	}
	e.Status, e.Updated = s, now.Unix()
	e.Version++
}

// stepTimer sets the step timer: minutes 0 leaves it, below that it is stopped.
func (e *Execution) stepTimer(minutes int64, now time.Time) {
	switch {
	case minutes > 0:
		e.Step = now.Unix() + minutes*60
	case minutes < 0:
		e.Step = 0
	}
}

// Queue has a thing's executions in the order in which they were queued.
type Queue struct {
	Thing      string       `json:"thing"`
	Executions []*Execution `json:"executions"`
	// Count is how many executions there have been; it numbers them.
	Count int64 `json:"count"`
}

// next is the execution that the thing should work on, or nil.
func (q *Queue) next() *Execution {
	for _, s := range []Status{InProgress, Queued} {
		if i := slices.IndexFunc(q.Executions, func(e *Execution) bool { return e.Status == s }); i >= 0 {
			return q.Executions[i]
		}
	}
	return nil
}

// find returns the newest execution of a job, or the one with that number.
func (q *Queue) find(job string, number int64) *Execution {
	for _, e := range slices.Backward(q.Executions) {
		if e.JobID == job && (number == 0 || number == e.Number) {
			return e
		}
	}
	return nil
}

// Deadline is when the first execution times out, in seconds since 1970, or 0.
func (q *Queue) Deadline() int64 {
	first := int64(0)
	for _, e := range q.Executions {
		if d := e.deadline(); d != 0 && (first == 0 || d < first) {
			first = d
		}
	}
	return first
}

// pending are the executions that have not ended.
func (q *Queue) pending() []*Execution {
	var all []*Execution
	for _, e := range q.Executions {
		if !e.Status.ended() {
			all = append(all, e)
		}
	}
	return all
}

// Add queues a job.
func (q *Queue) Add(j *Job, documents Documents, now time.Time) ([]Response, error) {
	if q.find(j.ID, 0) != nil {
		return nil, invalid("%s has the job %s already", q.Thing, j.ID)
	}
	if n := len(q.pending()); n >= MaxPending {
		return nil, invalid("%s has %d jobs that have not ended: cancel some", q.Thing, n)
	}
	return q.change(documents, now, func() []Response {
		q.Count++
		t := now.Unix()
		q.Executions = append(q.Executions, &Execution{JobID: j.ID, Number: q.Count, Version: 1, Status: Queued, Queued: t, Updated: t, Minutes: j.Minutes})
		return nil
	}), nil
}

// Cancel cancels a job on this thing. One that is in progress is canceled by force only.
func (q *Queue) Cancel(job string, force bool, documents Documents, now time.Time) []Response {
	e := q.find(job, 0)
	if e == nil || e.Status.ended() || e.Status == InProgress && !force {
		return nil
	}
	return q.change(documents, now, func() []Response {
		e.set(Canceled, now)
		return nil
	})
}

// Expire ends the executions whose time is over.
func (q *Queue) Expire(documents Documents, now time.Time) []Response {
	return q.change(documents, now, func() []Response {
		for _, e := range q.Executions {
			if d := e.deadline(); d != 0 && d <= now.Unix() {
				e.set(TimedOut, now)
			}
		}
		return nil
	})
}

// Trim removes the oldest executions that have ended, and returns the ids of their jobs.
func (q *Queue) Trim() (gone []string) {
	ended := len(q.Executions) - len(q.pending())
	q.Executions = slices.DeleteFunc(q.Executions, func(e *Execution) bool {
		if ended <= KeepEnded || !e.Status.ended() {
			return false
		}
		ended--
		gone = append(gone, e.JobID)
		return true
	})
	return gone
}

// Status returns the state of the newest execution of a job, or "".
func (q *Queue) Status(job string) Status {
	if e := q.find(job, 0); e != nil {
		return e.Status
	}
	return ""
}
