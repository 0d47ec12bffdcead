package jobs

import (
	"bytes"
	"encoding/json"
	"time"
)

// Response is what the service publishes on a topic that ends so: "start-next/accepted".
type Response struct {
	Topic   string
	Payload []byte
}

// Documents returns the document of a job, or nil.
type Documents func(job string) json.RawMessage

// Next stands for a jobId: the next execution.
const Next = "$next"

// The requests that there are: the end of a topic, behind the jobId for the last two.
const (
	Get       = "get"
	StartNext = "start-next"
	Describe  = "get"
	Update    = "update"
)

// reply is the content of the answers to all requests.
type reply struct {
	InProgress *[]summary      `json:"inProgressJobs,omitempty"`
	Queued     *[]summary      `json:"queuedJobs,omitempty"`
	Execution  *execution      `json:"execution,omitempty"`
	State      *executionState `json:"executionState,omitempty"`
	Document   json.RawMessage `json:"jobDocument,omitempty"`
	Time       int64           `json:"timestamp"`
	Token      *string         `json:"clientToken,omitempty"`
}

// Handle answers a request about a job, or about the whole queue with job "".
func (q *Queue) Handle(job, op string, payload []byte, documents Documents, now time.Time) []Response {
	topic := op
	if job != "" {
		topic = job + "/" + op
	}
	r, err := parse(payload)
	answer := reply{Time: now.Unix(), Token: r.Token}
	var responses []Response
	if err == nil {
		responses = q.change(documents, now, func() []Response {
			if err = q.apply(job, op, &r, &answer, documents, now); err != nil {
				return nil
			}
			return []Response{{topic + "/accepted", encode(answer)}}
		})
	}
	if err != nil {
		return []Response{Reject(topic, err, r.Token, now)}
	}
	return responses
}

func (q *Queue) apply(job, op string, r *request, answer *reply, documents Documents, now time.Time) *Error {
	switch {
	case job == "" && op == Get:
		answer.InProgress, answer.Queued = q.summaries(InProgress), q.summaries(Queued)
		return nil
	case job == "":
		return q.startNext(r, answer, documents, now)
	case op == Describe:
		return q.describe(job, r, answer, documents, now)
	}
	return q.update(job, r, answer, documents, now)
}

func (q *Queue) startNext(r *request, answer *reply, documents Documents, now time.Time) *Error {
	e := q.next()
	if e == nil {
		return nil
	}
	if e.Status == Queued {
		e.set(InProgress, now)
		if r.details != nil {
			e.Details = r.details
		}
	}
	e.stepTimer(r.step, now)
	answer.Execution = q.execution(e, documents(e.JobID), now)
	return nil
}

func (q *Queue) describe(job string, r *request, answer *reply, documents Documents, now time.Time) *Error {
	e := q.find(job, r.number)
	if job == Next {
		if e = q.next(); e == nil {
			return nil
		}
	}
	switch {
	case e == nil:
		return q.unknown(job)
	case e.Status.ended():
		return &Error{Code: TerminalStateReached, Message: "Job execution of " + job + " on " + q.Thing + " is " + string(e.Status)}
	}
	var document json.RawMessage
	if r.WithDocument == nil || *r.WithDocument {
		document = documents(e.JobID)
	}
	answer.Execution = q.execution(e, document, now)
	return nil
}

func (q *Queue) update(job string, r *request, answer *reply, documents Documents, now time.Time) *Error {
	if r.Status == nil {
		return invalid("status is missing: give IN_PROGRESS, SUCCEEDED, FAILED or REJECTED")
	}
	switch *r.Status {
	case InProgress, Succeeded, Failed, Rejected:
	default:
		return invalid("status %.20q: give IN_PROGRESS, SUCCEEDED, FAILED or REJECTED", string(*r.Status))
	}
	e := q.find(job, r.number)
	if job == Next {
		e = q.next()
	}
	switch {
	case e == nil:
		return q.unknown(job)
	case e.Status.ended():
		return &Error{InvalidStateTransition, "The execution is " + string(e.Status) + ", which cannot become " + string(*r.Status), e.state()}
	case r.expected != 0 && r.expected != e.Version:
		return &Error{VersionMismatch, "The execution does not have the expected version", e.state()}
	}
	e.set(*r.Status, now)
	if r.details != nil {
		e.Details = r.details
	}
	if !e.Status.ended() {
		e.stepTimer(r.step, now)
	}
	if r.WithState {
		answer.State = e.state()
	}
	if r.WithDocument != nil && *r.WithDocument {
		answer.Document = documents(e.JobID)
	}
	return nil
}

func (q *Queue) unknown(job string) *Error {
	return &Error{Code: ResourceNotFound, Message: "Job execution of " + job + " on " + q.Thing + " does not exist"}
}

// Reject is the answer to a request that is refused.
func Reject(topic string, err *Error, token *string, now time.Time) Response {
	return Response{topic + "/rejected", encode(struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		Time    int64           `json:"timestamp"`
		Token   *string         `json:"clientToken,omitempty"`
		State   *executionState `json:"executionState,omitempty"`
	}{err.Code, err.Message, now.Unix(), token, err.state})}
}

// Token returns the token of a request, or nil, for a refusal before it is handled.
func Token(payload []byte) *string {
	r, _ := parse(payload)
	return r.Token
}

// encode is json.Marshal, but for < > and &, which stay as they are.
func encode(content any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(content); err != nil { // documents are checked when a job is made
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
