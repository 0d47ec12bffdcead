package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"pithings/device"
	"pithings/quietlog"
)

// MaxAnswer is the longest answer, in bytes.
const MaxAnswer = 64 << 10

// Code says in one word why a command has failed, for programs.
type Code string

// The codes. An action may have further ones of its own, such as Busy of a thing that is used
// by a flow.
const (
	InvalidRequest    Code = "InvalidRequest"    // a key is missing, unknown or of another type
	UnknownType       Code = "UnknownType"       // there is no such thing, action or command
	InvalidParameters Code = "InvalidParameters" // a parameter is unknown or of another type
	NotAvailable      Code = "NotAvailable"      // this agent does not offer it
	Quarantined       Code = "Quarantined"       // the device is in quarantine
	Busy              Code = "Busy"              // too many commands wait
	SessionReused     Code = "SessionReused"     // the session id belongs to another request
	NotSaved          Code = "NotSaved"          // the disk cannot be written, so it did not run
	Failed            Code = "Failed"            // it ran and failed
	TimedOut          Code = "TimedOut"          // it took longer than the settings allow
	Interrupted       Code = "Interrupted"       // the agent ended while it ran; it does not run again
	TooLarge          Code = "TooLarge"          // it ran, and its result is longer than MaxAnswer
	AnswerDropped     Code = "AnswerDropped"     // it ran, and its answer is no longer kept
)

// Fault is why a command is answered with an error.
type Fault struct {
	Code Code
	Err  error
}

func fault(code Code, format string, args ...any) *Fault {
	return &Fault{code, fmt.Errorf(format, args...)}
}

// Error implements error.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// codeOf is the code of an error, which may bring its own.
func codeOf(err error) Code {
	var f *Fault
	if errors.As(err, &f) {
		return f.Code
	}
	var named interface{ ErrorName() string }
	if errors.As(err, &named) && named.ErrorName() != "" {
		return Code(quietlog.Short(named.ErrorName()))
	}
	return Failed
}

// answer is what is published, in the order of its keys.
type answer struct {
	Session string        `json:"session-id"`
	Status  string        `json:"status"` // OK or ERROR
	Code    Code          `json:"code,omitempty"`
	Error   string        `json:"error,omitempty"`
	Result  device.Values `json:"result,omitempty"`
}

// answerOf is the payload for what became of a command.
func answerOf(session string, result device.Values, err error) []byte {
	if err != nil {
		return write(answer{Session: session, Status: "ERROR", Code: codeOf(err), Error: quietlog.OneLine(err.Error())})
	}
	b := write(answer{Session: session, Status: "OK", Result: result})
	switch {
	case b == nil:
		err = fault(Failed, "it ran, and its result cannot be written as JSON")
	case len(b) > MaxAnswer:
		err = fault(TooLarge, "it ran, and its answer has %d bytes; at most %d are sent", len(b), MaxAnswer)
	default:
		return b
	}
	return answerOf(session, nil, err)
}

// write returns nil for values that are not JSON's, such as NaN.
func write(a answer) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(a) != nil {
		return nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
