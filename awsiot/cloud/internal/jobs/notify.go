package jobs

import (
	"encoding/json"
	"slices"
	"time"
)

// execution is one as the messages have it.
type execution struct {
	JobID    string            `json:"jobId"`
	Thing    string            `json:"thingName"`
	Document json.RawMessage   `json:"jobDocument,omitempty"`
	Status   Status            `json:"status"`
	Details  map[string]string `json:"statusDetails,omitempty"`
	Queued   int64             `json:"queuedAt"`
	Started  int64             `json:"startedAt,omitempty"`
	Updated  int64             `json:"lastUpdatedAt"`
	Version  int64             `json:"versionNumber"`
	Number   int64             `json:"executionNumber"`
	Left     *int64            `json:"approximateSecondsBeforeTimedOut,omitempty"`
}

// summary is one in a list.
type summary struct {
	JobID   string `json:"jobId"`
	Queued  int64  `json:"queuedAt"`
	Started int64  `json:"startedAt,omitempty"`
	Updated int64  `json:"lastUpdatedAt"`
	Number  int64  `json:"executionNumber"`
	Version int64  `json:"versionNumber"`
}

// executionState is one in the answers to updates.
type executionState struct {
	Status  Status            `json:"status"`
	Details map[string]string `json:"statusDetails,omitempty"`
	Version int64             `json:"versionNumber"`
}

func (e *Execution) state() *executionState { return &executionState{e.Status, e.Details, e.Version} }

func (q *Queue) execution(e *Execution, document json.RawMessage, now time.Time) *execution {
	var left *int64
	if d := e.deadline(); d != 0 {
		n := max(0, d-now.Unix())
		left = &n
	}
	return &execution{e.JobID, q.Thing, document, e.Status, e.Details, e.Queued, e.Started, e.Updated, e.Version, e.Number, left}
}

func (q *Queue) summaries(s Status) *[]summary {
	list := []summary{}
	for _, e := range q.Executions {
		if e.Status == s {
			list = append(list, summary{e.JobID, e.Queued, e.Started, e.Updated, e.Number, e.Version})
		}
	}
	return &list
}

// change does what f does, and adds to the responses of f the notifications: notify if an
// execution became pending or ended, notify-next if another one is next.
func (q *Queue) change(documents Documents, now time.Time, f func() []Response) []Response {
	pending, next := numbers(q.pending()), q.next()
	responses := f()
	if !slices.Equal(pending, numbers(q.pending())) {
		jobs := map[Status][]summary{}
		for _, s := range []Status{InProgress, Queued} {
			if list := *q.summaries(s); len(list) > 0 {
				jobs[s] = list
			}
		}
		responses = append(responses, Response{"notify", encode(struct {
			Jobs map[Status][]summary `json:"jobs"`
			Time int64                `json:"timestamp"`
		}{jobs, now.Unix()})})
	}
	if e := q.next(); e != next {
		var shown *execution
		if e != nil {
			shown = q.execution(e, documents(e.JobID), now)
		}
		responses = append(responses, Response{"notify-next", encode(reply{Execution: shown, Time: now.Unix()})})
	}
	return responses
}

func numbers(executions []*Execution) (list []int64) {
	for _, e := range executions {
		list = append(list, e.Number)
	}
	return list
}
