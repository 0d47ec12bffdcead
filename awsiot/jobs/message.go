package jobs

import (
	"encoding/json"
	"errors"
	"fmt"

	"pithings/awsiot/internal/jsonvalue"
)

// Limits of the service, and of what is read.
// https://docs.aws.amazon.com/general/latest/gr/iot_device_management.html#job-limits
const (
	MaxDocument = 32 << 10  // bytes of a job's document
	maxMessage  = 128 << 10 // bytes of a message that is read: the broker's largest
	maxDepth    = 32        // of a document
)

// Status is that of a job's execution on a thing.
type Status string

// The statuses. The first two are not final.
const (
	Queued     Status = "QUEUED"
	InProgress Status = "IN_PROGRESS"
	Succeeded  Status = "SUCCEEDED"
	Failed     Status = "FAILED"
	Rejected   Status = "REJECTED"
	Canceled   Status = "CANCELED"
	TimedOut   Status = "TIMED_OUT"
	Removed    Status = "REMOVED"
)

// Final reports whether an execution is over.
func (s Status) Final() bool { return s != Queued && s != InProgress && s != "" }

// Execution is a job's execution on a thing, as the cloud describes it.
type Execution struct {
	JobID     string            `json:"jobId"`
	Thing     string            `json:"thingName"`
	Number    int64             `json:"executionNumber"`
	Version   int64             `json:"versionNumber"`
	Status    Status            `json:"status"`
	Details   map[string]string `json:"statusDetails"`
	Document  json.RawMessage   `json:"jobDocument"`
	StartedAt int64             `json:"startedAt"` // seconds since 1970
}

// key distinguishes executions: a job may be executed on a thing more than once.
type key struct {
	JobID  string
	Number int64
}

func (e *Execution) key() key { return key{e.JobID, e.Number} }

// The codes of rejections to which there is a particular answer.
const (
	codeVersion    = "VersionMismatch"
	codeTransition = "InvalidStateTransition"
	codeTerminal   = "TerminalStateReached"
	codeNotFound   = "ResourceNotFound"
	codeJSON       = "InvalidJson"
	codeRequest    = "InvalidRequest"
	codeTopic      = "InvalidTopic"
)

// message is what the cloud sends, as far as a device reads it.
type message struct {
	Execution   *Execution `json:"execution"`
	State       *state     `json:"executionState"`
	ClientToken string     `json:"clientToken"`
	Code        string     `json:"code"`
	Message     string     `json:"message"`
}

// state is how an execution is, in answers to updates.
type state struct {
	Status  Status `json:"status"`
	Version int64  `json:"versionNumber"`
}

// parse reads a message. Whatever it returns is bounded.
func parse(k kind, thing string, payload []byte) (message, error) {
	var m message
	if len(payload) > maxMessage {
		return m, fmt.Errorf("it has %d bytes, at most %d are read", len(payload), maxMessage)
	}
	if err := jsonvalue.Decode(payload, &m); err != nil {
		return m, fmt.Errorf("it is not a message of the jobs service: %w", err)
	}
	if (k == startRejected || k == getRejected || k == updRejected) && m.Code == "" {
		return m, errors.New("a rejection without a code")
	}
	if m.Execution != nil && m.Execution.JobID == "" { // AWS also sends an empty object for none
		m.Execution = nil
	}
	if e := m.Execution; e != nil {
		switch {
		case !jobID.MatchString(e.JobID):
			return m, fmt.Errorf("the job id %q is none: 1 to 64 of a-z A-Z 0-9 _ -", short(e.JobID))
		case e.Thing != "" && e.Thing != thing:
			return m, fmt.Errorf("it is for the thing %q", short(e.Thing))
		case e.Version < 0 || e.Number < 0:
			return m, errors.New("its version or execution number is below 0")
		}
	}
	if m.State != nil && m.State.Version < 0 {
		return m, errors.New("its version is below 0")
	}
	return m, nil
}
