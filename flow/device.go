package flow

import (
	"context"
	"time"
)

// Values are the named values of an event, of an action's arguments or of its
// answer: what JSON can hold.
type Values = map[string]any

// Device is one thing as a flow sees it. The types in it are the language's own,
// so that packages which cannot import this one can implement it.
type Device interface {
	// Watch calls fn for every event of that name, until stop. at is when the
	// event happened, or zero if that is not known. fn returns at once and may keep
	// values, which nobody changes. stop waits for no call of fn.
	Watch(event string, fn func(values map[string]any, at time.Time)) (stop func(), err error)
	// Call runs an action and returns its answer. It ends when ctx does; ctx's
	// deadline is also the command's life. input is not changed.
	//
	// An error may have a method ErrorName() string, whose result the flow's
	// retries and catches can name.
	Call(ctx context.Context, action string, input map[string]any) (map[string]any, error)
}

// The names of errors that the engine itself gives. Retries and catches know
// them with and without "States." before them, and any other error by
// ErrorTaskFailed or its own name.
const (
	ErrorTimeout    = "Timeout"    // the step's time-out passed
	ErrorTaskFailed = "TaskFailed" // an action or a web service failed
	ErrorRuntime    = "Runtime"    // an expression could not be computed, or a check failed
	ErrorAll        = "ALL"        // in retries and catches only: whatever the error
)
