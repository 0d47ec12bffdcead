package jobs

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// The limits of a job.
const (
	MaxDocument = 32 << 10    // bytes
	MaxID       = 64          // characters
	MaxTargets  = 100         // things of one job
	MaxMinutes  = 7 * 24 * 60 // of a time-out
	MaxPending  = 500         // executions of a thing that have not ended; all stand in one message
	KeepEnded   = 20          // executions of a thing that have ended, the newest
	MaxDetails  = 32 << 10    // bytes of an execution's status details
	maxDetail   = 1024        // characters of one of them
	maxKey      = 128         // characters of its name
	maxToken    = 64          // bytes of a clientToken
	maxPayload  = 64 << 10    // bytes of a request
	idPattern   = `[a-zA-Z0-9_-]+`
	namePattern = `[a-zA-Z0-9:_-]+`
)

var (
	isID  = regexp.MustCompile(`^` + idPattern + `$`).MatchString
	isKey = regexp.MustCompile(`^` + namePattern + `$`).MatchString
)

// Job is what things are to do.
type Job struct {
	ID       string          `json:"jobId"`
	Document json.RawMessage `json:"document"` // an object
	Targets  []string        `json:"targets"`  // names of things
	// Minutes is how long an execution may be in progress; 0 is for ever.
	Minutes int `json:"inProgressTimeoutInMinutes,omitempty"`
	// Created is when, in seconds since 1970.
	Created int64 `json:"createdAt"`
}

// Check says what is wrong with a job, an *Error, or returns nil.
func (j *Job) Check() error {
	var object map[string]json.RawMessage
	switch {
	case !ValidID(j.ID):
		return invalid("jobId %.80q: give 1 to %d characters of a-z, A-Z, 0-9, _ and -", j.ID, MaxID)
	case len(j.Document) > MaxDocument:
		return invalid("the job document has %d bytes, and may have %d", len(j.Document), MaxDocument)
	case json.Unmarshal(j.Document, &object) != nil || object == nil:
		return invalid("the job document is not an object of JSON")
	case len(j.Targets) == 0 || len(j.Targets) > MaxTargets:
		return invalid("a job has 1 to %d things, not %d", MaxTargets, len(j.Targets))
	case j.Minutes < 0 || j.Minutes > MaxMinutes:
		return invalid("inProgressTimeoutInMinutes %d: give 1 to %d", j.Minutes, MaxMinutes)
	}
	for _, t := range j.Targets {
		if !ValidThing(t) {
			return invalid("thing %.140q: give 1 to 128 characters of a-z, A-Z, 0-9, :, _ and -", t)
		}
	}
	return nil
}

// ValidID reports whether a text can be a jobId.
func ValidID(id string) bool { return len(id) <= MaxID && isID(id) }

// ValidThing reports whether a text can be the name of a thing.
func ValidThing(name string) bool { return len(name) <= maxKey && isKey(name) }

// Error is a refusal, with AWS's codes.
type Error struct {
	Code    string
	Message string
	state   *executionState
}

// Error makes it an error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// The codes.
const (
	InvalidTopic           = "InvalidTopic"
	InvalidJSON            = "InvalidJson"
	InvalidRequest         = "InvalidRequest"
	InvalidStateTransition = "InvalidStateTransition"
	ResourceNotFound       = "ResourceNotFound"
	VersionMismatch        = "VersionMismatch"
	InternalError          = "InternalError"
	RequestThrottled       = "RequestThrottled"
	TerminalStateReached   = "TerminalStateReached"
)

func invalid(format string, args ...any) *Error {
	return &Error{Code: InvalidRequest, Message: fmt.Sprintf(format, args...)}
}
